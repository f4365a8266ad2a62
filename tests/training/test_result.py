from __future__ import annotations

import json
from pathlib import Path

from linnet.training.result import Result


def test_it_is_a_sentence_and_plain_values():
    result = Result(
        Path("runs/a"), 5, 3, {"top1": 0.5, "interval": [0.4, 0.6], "n": 1000}, 61.7, "/my photos", "validation"
    )
    assert str(result) == (
        "runs/a: epoch 4 of 5 is the best, 50.0 % of 1,000 validation photos (40.0 to 60.0)."
        " 62 s. Next: linnet evaluate runs/a '/my photos' --split validation"
    )
    assert json.loads(json.dumps(result.to_json()))["folder"] == "runs/a"
    assert "%" not in str(Result(Path("a"), 1, 0, None, 1.0))
