import copy
import json

import pytest

from linnet.deploy.web.devices import DeviceTable, read_device

SHA = "ab" * 32


def test_a_device_is_read(sent):
    device = read_device(sent, SHA)
    assert (device.name, device.image, device.samples, device.prepare) == ("Pixel 8", 224, 480, 3.25)
    assert device.latency == {"median": 12.5, "p10": 12.0, "p90": 14.0, "p99": 20.5, "least": 11.75, "first": 30.5}
    assert device.facts["threads"] == 1


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (["kind"], "other", "no result of this page"),
        (["schema"], 2, "no result of this page"),
        (["sha256"], "cd" * 32, "another model"),
        (["latency"], None, "missing or of another kind"),
        (["latency", "median"], "12", "a number is expected"),
        (["latency", "median"], float("nan"), "not between"),
        (["latency", "median"], True, "a number is expected"),
        (["latency", "p99"], -1, "not between"),
        (["latency", "p99"], 1e9, "not between"),
        pytest.param(["device", "cores"], 10**400, "not between", id="huge"),
        (["device", "browser"], ["x"], "a text is expected"),
        (["device"], [], "missing or of another kind"),
    ],
)
def test_what_is_of_another_form_is_refused(sent, path, value, why):
    changed = copy.deepcopy(sent)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ValueError, match=why):
        read_device(changed, SHA)


@pytest.mark.parametrize("value", [None, 3, "text", [], {}, {"kind": "linnet device", "schema": 1}])
def test_what_is_no_result_is_refused(value):
    with pytest.raises(ValueError, match="missing"):
        read_device(value, SHA)


def test_texts_are_short_and_cannot_move_the_cursor(sent):
    sent["device"]["name"] = "\x1b[2J\u202eevil\n" + "x" * 10_000
    device = read_device(sent, SHA)
    assert device.name.startswith("?[2J?evil?x")
    assert len(device.name) == 300
    assert device.line().isprintable()


def test_the_table_says_times_and_who_grew_hot(sent):
    cool = read_device(sent, SHA)
    sent["latency"]["drift"] = 0.31
    table = DeviceTable("shirts", SHA, (cool, read_device(sent, SHA)), "d.json")
    lines = str(table).splitlines()
    assert lines[1].split()[:6] == ["Pixel", "8", "12.50", "12.00", "14.00", "20.50"]
    assert [line for line in lines if "31 % slower at the end" in line]
    assert len([line for line in lines if "slower" in line]) == 1
    assert json.loads(json.dumps(table.to_json()))["devices"][0]["latency"]["median"] == 12.5
    assert str(DeviceTable("shirts", SHA)) == "No device has sent its times."
