import json

from linnet.explanation.folder import read_run
from linnet.explanation.inputs import data, network


def test_what_the_doctor_found_is_grouped_and_bad_files_are_named(make_run):
    values = data(read_run(make_run(n=40)))
    assert values["n_bad"] == "3"
    assert [(kind[0], kind[2]) for kind in values["kinds"]] == [
        *[("not used: bad file", "1")] * 3,
        ("left out", "1"),
        ("used, noticed", "5"),
        ("passed over: no picture", "1"),
    ]
    assert [file[0] for file in values["files"]] == [
        "train/hat/page.jpg", "train/hat/cut.jpg", "train/shirt/zero.jpg", "train/shirt/again.jpg",
    ]  # fmt: skip
    assert values["rows"][1] == ("hat", ["241", "31", "38"], "2")
    assert values["totals"] == (["2,445", "345", "415"], "3")
    assert values["imbalance"] == "3.4"


def test_repaired_photos_are_named(make_run):
    run = make_run(n=40)
    value = json.loads((run / "data.json").read_text())
    reason = "truncated: 302 of its 320 rows are used"
    value["findings"] = [{"path": "train/hat/cut.jpg", "verdict": "repaired", "reason": reason, "label": "hat"}]
    (run / "data.json").write_text(json.dumps(value))
    assert data(read_run(run))["files"] == [("train/hat/cut.jpg", "used in part: truncated", reason)]


def test_remarks_of_the_doctor_are_said_and_old_runs_have_none(make_run):
    run = make_run(n=40)
    assert data(read_run(run))["remarks"] == []
    value = json.loads((run / "data.json").read_text())
    value["remarks"] = [{"topic": "balance", "seen": "Uneven.", "meaning": "Hard.", "remedy": "Add some."}]
    (run / "data.json").write_text(json.dumps(value))
    values = data(read_run(run))
    assert (values["remarks"], values["imbalance"]) == (["Uneven. Hard."], "")


def test_thousands_of_bad_files_do_not_swell_the_page(make_run):
    run = make_run(n=40)
    value = json.loads((run / "data.json").read_text())
    value["findings"] = [
        {"path": f"{i}.jpg", "verdict": "quarantined", "reason": f"reason {i % 50}"} for i in range(5000)
    ]
    (run / "data.json").write_text(json.dumps(value))
    values = data(read_run(run))
    assert (len(values["files"]), values["more_files"]) == (300, 4700)
    assert (len(values["kinds"]), values["more_kinds"]) == (40, 10)


def test_the_network_is_counted_at_the_size_it_is_used_at(make_run):
    from linnet.arch.names import find
    from linnet.cost.count import count

    run = make_run(n=40)
    total = count(find("mobilenetv3_small_100").with_classes(10), 160).total
    values = network(read_run(run))
    assert (values["image"], values["total_params"]) == ("160", f"{total.params:,}")
    assert values["rows"][0]["output"] == "16 × 80 × 80"
    (run / "run.linnet" / "bundle.json").unlink()  # then by the name in the recipe
    assert network(read_run(run)) == values
