"""What a few epochs with int8's rounding gain: a run's int8 before and after, on ONNX Runtime and OpenVINO.

    python benchmarks/int8_fine_tune.py RUN PHOTOS       # RUN was trained on PHOTOS; some minutes on 2 cores

Before: RUN as it is. After: `linnet train PHOTOS --recipe int8_fine_tune --pretrained RUN` with its network and image side. Beside: as many
epochs of the same recipe without the rounding, so that what more training does by itself is not taken for the rounding's. Each is exported
with `--max-drop 0.5`, and what its certificates say is stated: divergence of the all-int8 model from the float one on the calibration photos, its
drop on the validation photos, layers left in float to keep to 0.5 points, and the drop on the test photos then.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from about import about

from linnet.deploy.export import export
from linnet.files import write_json
from linnet.training.recipe import Recipe
from linnet.training.train import train

WAYS = ("onnx-int8", "openvino-int8")
RESULT = Path(__file__).parent / "results" / "int8_fine_tune.json"


def tuned(run: Path, photos: Path, out: Path, *, rounded: bool) -> Path:
    of = Recipe.load(run / "recipe.json")
    name = of.arch if isinstance(of.arch, str) else of.arch["name"]
    result = train(
        photos, recipe="int8_fine_tune", pretrained=str(run), arch=name, image=of.phases[-1].image,
        set=[f"int8={str(rounded).lower()}"], out=out,
    )  # fmt: skip
    assert result is not None
    return out


def rows(stage: str, run: Path, photos: Path, place: Path) -> list[dict[str, Any]]:
    bundle = export(run, to=WAYS, out=place, photos=photos, max_drop=0.5)
    found: list[dict[str, Any]] = []
    for one in json.loads((bundle.folder / "bundle.json").read_text())["certificates"]:
        found.append({
            "stage": stage, "way": f"{one['runtime']}-int8", "divergence": min(one["quantiser"]["divergence"].values()),
            "all_int8": one.get("all_int8", one["gate"])["drop"], "float_layers": len(one["float_layers"]),
            "drop": one["drop"], "float": one["accuracy"]["network"]["top1"], "agreement": one["top1_agreement"],
        })  # fmt: skip
    return [*found, *({"stage": stage, "failed": line} for line in bundle.errors)]


def markdown(found: list[dict[str, Any]]) -> str:
    lines = [
        "| stage | way | divergence, all int8 | drop, validation, all int8 | layers in float | float, test | drop, test | at most |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in found:
        if "failed" in row:
            lines.append(f"| {row['stage']} | {row['failed']} | | | | | | |")
            continue
        points = [row["float"], row["drop"]["drop"], row["drop"]["at_most"]]
        lines.append(
            f"| {row['stage']} | {row['way']} | {row['divergence']:.5f} | {100 * row['all_int8']['drop']:.2f} |"
            f" {row['float_layers']} | {' | '.join(f'{100 * x:.2f}' for x in points)} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        found += rows("before", given.run, given.photos, place / "before.linnet")
        for stage, rounded in (("rounded", True), ("not rounded", False)):
            run = tuned(given.run, given.photos, place / stage.replace(" ", "_"), rounded=rounded)
            found += rows(stage, run, given.photos, place / f"{stage.replace(' ', '_')}.linnet")
    write_json(given.out, {"about": about(), "rows": found})
    print(markdown(found))


if __name__ == "__main__":
    main()
