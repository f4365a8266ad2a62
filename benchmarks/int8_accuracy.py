"""What int8 costs in accuracy, decided on CIFAR-10's 10,000 test pictures, for networks that are trained here.

    python benchmarks/int8_accuracy.py FOLDER --runs RUNS      # FOLDER as benchmarks/cifar_folder.py makes it

Each network is trained from scratch into RUNS/NAME (kept: what is there already is not trained again), with as many of its first
strides taken away as NETWORKS says, since the pictures have 32 pixels. Then it is exported as a user would, `linnet export --to onnx-int8
openvino-int8 --max-drop 0.5 --most 10000`: the gate judges, and chooses the layers left in float, on the 5,000 validation pictures; the drop
stated here is the certificate's, on the 10,000 test pictures, which took no part in that. "At most" is its one-sided 95 % bound. Only the
accuracies count here: times are nothing to go by on pictures this small. Training takes 5 to 20 minutes a network on 2 cores. The
result keeps the rows of networks that are not named this time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from about import about

from linnet.arch.names import find
from linnet.arch.spec import Arch
from linnet.data.preprocess import Preprocess
from linnet.deploy.export import export
from linnet.files import write_json
from linnet.training.ingredients import AdamW, Cosine
from linnet.training.loop import run
from linnet.training.progressive import progressive
from linnet.training.recipe import Recipe
from linnet.training.start import look_at, new_run

NETWORKS = {  # epochs, strides taken away, rate
    "mobilenetv3_small_100": (8, 2, 4e-3),
    "efficientnet_b0": (10, 1, 1.5e-3),
    "mobilenetv2_050": (5, 2, 4e-3),
}
WAYS = ("onnx-int8", "openvino-int8")
RESULT = Path(__file__).parent / "results" / "int8_accuracy.json"


def without_strides(arch: Arch, n: int) -> Arch:
    """The network with the first `n` of its strides (the stem's and then its rows') made 1."""
    rows = [i for i, row in enumerate(arch.stages) if row.stride == 2][: n - 1]
    stages = tuple(replace(row, stride=1) if i in rows else row for i, row in enumerate(arch.stages))
    stem = (replace(arch.stem[0], stride=1), *arch.stem[1:])
    return replace(arch, name=f"{arch.name}_small", image=32, stem=stem, stages=stages)


def trained(name: str, photos: Path, place: Path) -> Path:
    """The run of a network in `place`, trained now if it is not there."""
    if (place / "best.safetensors").exists():
        return place
    epochs, strides, rate = NETWORKS[name]
    diagnosis = look_at(photos)
    recipe = Recipe(
        arch=without_strides(find(name), strides).to_json(), photos=str(photos),
        phases=progressive(epochs, image=(24, 32), multiple=4, randaugment=(2, 5), batch=64),
        optimizer=AdamW(lr=rate), schedule=Cosine(warmup=0.5), ema=0.998, clip=5.0, crop_area=(0.4, 1.0),
        preprocess=Preprocess(image=32, crop=1.0).to_json(),
    )  # fmt: skip
    run(recipe, diagnosis.photos, new_run(place, diagnosis))
    return place


def exported(name: str, made: Path, most: int) -> list[dict[str, Any]]:
    """A row for each way: accuracies, drop and layers in float, as the bundle's certificates state them."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = export(made, to=WAYS, out=Path(folder) / f"{name}.linnet", most=most, max_drop=0.5)
        found = json.loads((bundle.folder / "bundle.json").read_text())
    rows: list[dict[str, Any]] = [
        {
            "network": name,
            "way": f"{one['runtime']}-int8",
            "top1": one["accuracy"]["network"]["top1"],
            "top1_int8": one["accuracy"]["runtime"]["top1"],
            "n": one["n"],
            "agreement": one["top1_agreement"],
            "drop": one["drop"],
            "gate": one["gate"],
            "setting": one["quantiser"]["setting"],
            "all_int8": one.get("all_int8"),
            "float_layers": one["float_layers"],
        }
        for one in found["certificates"]
    ]
    return [*rows, *({"network": name, "failed": line} for line in bundle.errors)]


def markdown(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| network | way | float | int8 | drop, points | at most | layers in float |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        if "failed" in row:
            lines.append(f"| {row['network']} | {row['failed']} | | | | | |")
            continue
        drop = row["drop"]
        shown = [f"{100 * x:.2f}" for x in (row["top1"], row["top1_int8"], drop["drop"], drop["at_most"])]
        lines.append(f"| {row['network']} | {row['way']} | {' | '.join(shown)} | {len(row['float_layers'])} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--most", type=int, default=10_000)
    given = parser.parse_args()
    before = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else []
    rows = [row for row in before if row["network"] not in given.networks]
    for name in given.networks:
        found = exported(name, trained(name, given.photos, given.runs / name), given.most)
        rows += [{**row, "about": about()} for row in found]
        write_json(RESULT, {"rows": rows})
        print(markdown(rows), flush=True)


if __name__ == "__main__":
    main()
