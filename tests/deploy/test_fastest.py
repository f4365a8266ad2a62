import json
from dataclasses import replace
from pathlib import Path

import pytest

from linnet.deploy import fastest, proven
from linnet.deploy.bench.figures import Ratio
from linnet.deploy.bench.measured import Bench, Row
from linnet.deploy.bundle import Runtime, read_bundle
from linnet.deploy.classifier import Classifier
from linnet.deploy.export import export
from linnet.deploy.fastest import every_way, ranked, ways_table
from linnet.deploy.runtime import onnx as onnx_runtime
from linnet.deploy.runtime.known import WAYS, is_here, way
from linnet.errors import SettingError

FASTEST = "openvino-int8"
RUNTIMES = (
    Runtime("onnx", "fp32", "model.onnx"),
    Runtime("openvino", "bf16", "openvino/model.xml", ("openvino/model.bin",)),
    Runtime("openvino", "int8", "openvino-int8/model.xml", ("openvino-int8/model.bin",)),
)
WAYS_HERE = [way(one.runtime, one.precision) for one in RUNTIMES]


def certificate(runtime, size, memory, **more):
    return {
        "runtime": runtime.runtime, "precision": runtime.precision, "size_bytes": size, "memory": {"peak_bytes": memory},
        "latency": {"batch": 1, "image": 224, "threads": 2, "median_ms": 99.0}, "top1_agreement": 0.99,
        "accuracy": {"runtime": {"top1": 0.9, "interval": [0.88, 0.92]}}, "drop": {"drop": 0.001, "at_most": 0.006}, **more,
    }  # fmt: skip


CERTIFICATES = (
    certificate(RUNTIMES[0], 22_000_000, 90_000_000),
    certificate(RUNTIMES[1], 22_500_000, 130_000_000),
    certificate(RUNTIMES[2], 6_000_000, 120_000_000, decided=True),
)


def bench(*times, told_apart=True):
    """Rows of these medians in the order of WAYS_HERE, and what the pairs say."""
    rows = [
        Row(name, "", name, 224, 1, 1, 2, ms, ms, ms, ms, 1000 / ms, 100)
        for name, ms in zip(WAYS_HERE, times, strict=True)
    ]
    rows.sort(key=lambda row: row.median_ms)
    low = 1.5 if told_apart else 0.9
    pairs = [
        Ratio(a.name, b.name, b.median_ms / a.median_ms, low, 2.5) for i, a in enumerate(rows) for b in rows[i + 1 :]
    ]
    return Bench("latency", tuple(rows), tuple(pairs), 1.01, "", {"rounds": 24})


def test_the_fastest_comes_first_and_each_kind_has_its_best():
    found = ranked(bench(3.0, 1.5, 1.1), RUNTIMES, CERTIFICATES)
    assert found.default == {"latency": FASTEST, "memory": "onnx", "size": FASTEST}
    assert [WAYS_HERE[i] for i in found.order] == [FASTEST, "openvino-bf16", "onnx"]
    assert found.latency[2]["median_ms"] == 1.1
    assert found.latency[2]["image"] == 224, "what the certificate said stays"
    assert found.latency[2]["in_turns"] == {"rounds": 24, "drift": 1.01, "ratio": 1.0}
    assert found.latency[0]["in_turns"]["interval"] == [1.5, 2.5]


def test_of_those_that_cannot_be_told_apart_the_most_exact():
    found = ranked(bench(1.12, 1.11, 1.1, told_apart=False), RUNTIMES, CERTIFICATES)
    assert found.default["latency"] == "onnx"
    assert [WAYS_HERE[i] for i in found.order] == ["onnx", FASTEST, "openvino-bf16"]


def test_a_drop_that_is_not_decided_does_not_become_the_default():
    """With few photos int8 may have lost more than it seems: whoever wants it says so."""
    unsure = (*CERTIFICATES[:2], replaced(CERTIFICATES[2], decided=False))
    found = ranked(bench(3.0, 1.5, 1.1), RUNTIMES, unsure)
    assert found.default["latency"] == "openvino-bf16"
    assert [WAYS_HERE[i] for i in found.order] == ["openvino-bf16", FASTEST, "onnx"]
    alone = ranked(replace(bench(3.0, 1.5, 1.1)), RUNTIMES, tuple(replaced(c, decided=False) for c in CERTIFICATES))
    assert alone.default["latency"] == FASTEST, "where all are unsure, the fastest of them"


def test_one_that_could_not_be_measured_comes_last_and_is_said():
    whole = bench(3.0, 1.5, 1.1)
    short = replace(whole, rows=whole.rows[1:], pairs=whole.pairs[2:], notes=(f"{FASTEST}: No memory.",))
    found = ranked(short, RUNTIMES, CERTIFICATES)
    assert found.default == {"latency": "openvino-bf16", "memory": "onnx", "size": FASTEST}
    assert [WAYS_HERE[i] for i in found.order] == ["openvino-bf16", "onnx", FASTEST]
    assert found.latency[2] == {**CERTIFICATES[2]["latency"], "not_in_turns": "No memory."}
    certificates = [replaced(CERTIFICATES[i], latency=found.latency[i]) for i in found.order]
    lines = ways_table({"default": found.default, "certificates": certificates})
    assert lines[-1] == f"{FASTEST} could not be measured in turns with the others, so it comes last: No memory."
    assert lines[4].split()[:4] == [FASTEST, "99.0", "ms", "120"], "its own time, and no ratio"


def test_where_none_can_be_measured_the_proven_ones_stay(monkeypatch):
    def refuses(*a, **k):
        raise SettingError("onnx: No memory.")

    monkeypatch.setattr(fastest, "contestant", lambda *a: None)
    monkeypatch.setattr(fastest, "measure", refuses)
    found = fastest.rank(RUNTIMES, CERTIFICATES, Path(), threads=1)
    assert found.order == (0, 1, 2)
    assert found.default == {"memory": "onnx", "size": FASTEST}
    assert [one["not_in_turns"] for one in found.latency][::2] == ["No memory.", "onnx: No memory."]


def test_one_that_another_surely_beats_in_the_rounds_is_no_default():
    """Also where it has the smaller median."""
    swung = bench(1.12, 1.11, 1.1, told_apart=False)
    swung = replace(swung, pairs=(Ratio("openvino-bf16", FASTEST, 1.2, 1.1, 1.3),
                                  Ratio("openvino-bf16", "onnx", 1.2, 1.1, 1.3), swung.pairs[1]))  # fmt: skip
    found = ranked(swung, RUNTIMES, CERTIFICATES)
    assert found.default["latency"] == "openvino-bf16"
    assert found.latency[1]["in_turns"]["ratio"] == round(1 / 1.2, 3)


def test_memory_that_is_not_known_has_no_best():
    found = ranked(bench(3, 2, 1), RUNTIMES, tuple({k: v for k, v in c.items() if k != "memory"} for c in CERTIFICATES))
    assert list(found.default) == ["latency", "size"]


def replaced(certificate, **more):
    return {**certificate, **more}


def test_the_table_says_who_wins_what():
    found = ranked(bench(3.0, 1.5, 1.1), RUNTIMES, CERTIFICATES)
    certificates = [replaced(CERTIFICATES[i], latency=found.latency[i]) for i in found.order]
    facts = json.loads(json.dumps({"default": found.default, "certificates": certificates}))
    lines = ways_table(facts)
    assert lines[0] == ""
    assert lines[2].split() == [
        FASTEST, "1.10", "ms", "1", "120", "MB", "6.0", "MB", "99.0", "%", "90.0", "%", "0.1", "(at", "most", "0.6)",
        "latency,", "size",
    ]  # fmt: skip
    assert "2.73 (1.50 to 2.50)" in lines[4]
    assert lines[4].endswith("memory")
    assert len(lines) == 5
    assert ways_table({"certificates": certificates}) == []


def test_a_machine_that_changed_and_a_faster_one_that_is_unsure_are_said():
    unsure = (*CERTIFICATES[:2], replaced(CERTIFICATES[2], decided=False))
    found = ranked(replace(bench(3.0, 1.5, 1.1), drift=1.3), RUNTIMES, unsure)
    certificates = [replaced(unsure[i], latency=found.latency[i]) for i in found.order]
    lines = ways_table({"default": found.default, "certificates": certificates})
    assert any("The machine changed" in line for line in lines)
    assert any(line.startswith(f"{FASTEST} is faster, but") for line in lines)


@pytest.mark.skipif(not is_here("openvino"), reason="openvino is not installed: pip install openvino")
def test_a_bundle_of_all_ways_marks_the_best_of_each_kind(run, tmp_path, monkeypatch):
    monkeypatch.setattr(fastest, "every_way", lambda *, int8: ("openvino", "onnx"))
    monkeypatch.setattr(fastest, "SECONDS", 0.2)
    made = export(run, to=("auto",), out=tmp_path / "all.linnet", workers=0, threads=1)
    bundle = read_bundle(made.folder)
    default = bundle.facts["default"]
    ways = [way(one.runtime, one.precision) for one in bundle.runtimes]
    assert sorted(ways) == ["onnx", "openvino"]
    assert ways[0] == default["latency"] == Classifier(made.folder).runtime == made.runtimes[0]
    assert [way(one["runtime"], one["precision"]) for one in bundle.certificates] == ways
    assert all(6 <= one["latency"]["in_turns"]["rounds"] <= 24 for one in bundle.certificates)
    sizes = {name: one["size_bytes"] for name, one in zip(ways, bundle.certificates, strict=True)}
    assert default["size"] == min(sizes, key=sizes.__getitem__)
    assert "best for" in str(made)
    assert str(made).splitlines()[0] == str(made.folder)
    assert made.errors == ()


def test_auto_stands_alone(run, tmp_path):
    with pytest.raises(SettingError, match="Name it alone"):
        export(run, to=("auto", "onnx"), out=tmp_path / "x.linnet", workers=0)
    assert list(tmp_path.iterdir()) == []


def test_a_way_that_cannot_work_here_is_left_out_of_all(run, tmp_path, monkeypatch):
    """Such as bf16 on a processor without it: nobody asked for it by name."""

    def refuses(runtime, *a, **k):
        raise SettingError("This processor does not compute in it.")

    true = proven.open_model
    monkeypatch.setattr(fastest, "every_way", lambda *, int8: ("openvino-bf16", "onnx"))
    monkeypatch.setattr(fastest, "SECONDS", 0.1)
    monkeypatch.setattr(proven, "write_files", lambda known, net, preprocess, path, **how: (
        onnx_runtime.convert(net, preprocess, path, **how) if known.name == "onnx" else touch(path)))  # fmt: skip
    monkeypatch.setattr(
        proven, "open_model", lambda runtime, *a, **k: (refuses if runtime == "openvino" else true)(runtime, *a, **k)
    )
    made = export(run, to=("auto",), out=tmp_path / "x.linnet", workers=0, threads=1)
    assert (made.runtimes, made.errors) == (("onnx",), ())
    assert "Left out: This processor does not compute in it." in made.notes
    assert read_bundle(made.folder).facts["failed"] == ["This processor does not compute in it."]
    assert not (made.folder / "openvino").exists()


def touch(path):
    path.parent.mkdir()
    for end in (".xml", ".bin"):
        path.with_suffix(end).write_bytes(b"x")


@pytest.mark.parametrize("int8", [True, False])
def test_every_way_is_what_is_installed(int8):
    found = every_way(int8=int8)
    assert "onnx" in found
    assert list(found) == [name for name in WAYS if name in found]
    for name in found:
        known, precision = WAYS[name]
        assert is_here(known.module)
        assert int8 or precision != "int8"
