from __future__ import annotations

import json
from dataclasses import asdict

from linnet.data.suspect import LabelCheck, Suspect


def test_they_are_plain_values():
    check = LabelCheck("runs/x", (Suspect(3, "cat", "dog", 0.97, 0.01, False),), 10, 9, 20)
    assert json.loads(json.dumps(asdict(check)))["suspects"][0]["predicted"] == "dog"
    assert hash(check)
