"""A folder as people have it, through the command line: trained to the end, and every bad file named with its reason."""

from __future__ import annotations

import html
import json
from pathlib import Path
from types import ModuleType

from linnet.cli import main

SMALLEST = "--arch mobilenetv3_small_035 --from-scratch --epochs 1 --image 32 --batch 32 --workers 0"


def test_a_messy_folder_trains_to_the_end_and_names_every_bad_file(tmp_path: Path, nasty: ModuleType) -> None:
    photos, run = tmp_path / "photos", tmp_path / "run"
    wanted = nasty.write_messy(photos)
    main(["fit", str(photos), *SMALLEST.split(), "--out", str(run)])  # any exit code but 0 leaves by SystemExit
    assert (run / "best.safetensors").is_file()
    (bundle,) = run.glob("*.linnet")
    assert json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["certificates"][0]["passed"] is True

    data = json.loads((run / "data.json").read_text(encoding="utf-8"))
    said = {(finding["path"], finding["verdict"]): finding["reason"] for finding in data["findings"]}
    page = html.unescape((run / "report.html").read_text(encoding="utf-8"))
    bad = {name: want for name, want in wanted.items() if want.verdict == "quarantined"}
    assert len(bad) == 3
    for name, want in wanted.items():
        assert want.reason in said[name, want.verdict]
    for name in bad:
        row = f"<bdi>{name}</bdi></th>"
        assert row in page
        assert said[name, "quarantined"] in page.partition(row)[2].partition("</tr>")[0]
    used = {path for files in data["files"].values() for path, _label, _digest in files}
    assert len(used) == 180 + 8
    assert not used & set(bad)
    assert ("empty", "left out") in said
