import dataclasses

import pytest

from linnet.data.source import find_photos
from linnet.deploy.choice import int8_notes, read_choice
from linnet.errors import DataError, SettingError
from linnet.weights.model import read_model


def read(run, photos, **changes):
    settings = {"calibration": 300, "most": 1000, "max_drop": None, "workers": 0} | changes
    return read_choice(read_model(run), photos, **settings)


def test_what_int8_is_chosen_by_is_never_of_test(run, photos):
    found = find_photos(photos)
    choice = read(run, found, calibration=5, most=6)
    assert (choice.calibration.split, len(choice.calibration)) == ("train", 5)
    assert (choice.validation.split, len(choice.validation)) == ("validation", 6)
    assert choice.calibration.sha256 == read(run, found, calibration=5).calibration.sha256
    assert len(read(run, found).calibration) == 8
    learnt = frozenset(photo.digest for photo in found.validation[:3])
    assert len(read(run, found, trained_on=learnt).validation) == 5


def test_refusals(run, photos):
    found = find_photos(photos)
    with pytest.raises(SettingError, match=r"calibration is 0; give 1 to 21,845 training photos at 64 px"):
        read(run, found, calibration=0)
    with pytest.raises(SettingError, match="calibration is 30,000; give"):
        read(run, found, calibration=30_000)
    with pytest.raises(SettingError, match="max_drop is -1"):
        read(run, found, max_drop=-1)
    with pytest.raises(DataError, match=r"no validation photos, and int8 is chosen by them\. Give"):
        read(run, dataclasses.replace(found, validation=()))


def test_notes():
    drop = {"drop": 0.001, "at_most": 0.004, "n": 900, "lost": 2, "won": 1}
    made = {
        "runtime": "onnx",
        "precision": "int8",
        "gate": {"split": "validation", "drop": drop, "max_drop": 0.005},
        "float_layers": [{"layer": "stem.0.0"}],
        "calibration": {"n": 300},
    }
    assert int8_notes([{"runtime": "onnx", "precision": "fp32"}, made]) == (
        "onnx-int8: on the validation photos it drops 0.1 points, at most 0.4, n = 900: within 0.5 points; 1 layer(s) in"
        " float: stem.0.0; calibrated on 300 training photos",
    )
    assert "no layer in float" in int8_notes([{**made, "float_layers": []}])[0]
