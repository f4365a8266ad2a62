from __future__ import annotations

import dataclasses
import json

from linnet.data.doctor import diagnose
from linnet.data.facts import facts
from linnet.data.suspect import LabelCheck, Suspect


def test_every_position_becomes_a_path(corpus):
    diagnosis = diagnose(corpus[0])
    check = LabelCheck("runs/x", (Suspect(0, "good", "odd", 0.9, 0.1, True),), 5, 4, 20)
    value = facts(dataclasses.replace(diagnosis, labels=check))
    assert json.loads(json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")) == value
    first = diagnosis.photos.train[0].path
    assert value["labels"]["suspects"][0]["path"] == f"{first.parent.name}/{first.name}"
    assert "position" not in value["labels"]["suspects"][0]
    assert sum(value["formats"].values()) == len(diagnosis.everything)
    assert value["size"]["very_long"]["n"] == len(value["size"]["very_long"]["paths"]) > 0
    assert value["near_duplicates"]["n"] > 0  # one picture in many forms, turned and recoloured
    assert "labels" not in facts(diagnosis)
