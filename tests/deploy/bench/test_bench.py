import json
import os
import xml.etree.ElementTree as tree
from dataclasses import replace

import pytest

from linnet.cli import main
from linnet.deploy.bench import peak
from linnet.deploy.bench.bench import bench, measure, on_cores, short_names, stream_counts
from linnet.deploy.bench.contestant import Contestant, Field, line_up
from linnet.deploy.bench.peak import Peak
from linnet.errors import SettingError, WeightsError


@pytest.fixture(autouse=True)
def no_process_for_memory(monkeypatch):
    """test_peak.py starts them."""
    monkeypatch.setattr(peak, "peak_memory", lambda *a, **k: Peak(100_000_000, 30_000_000))


def test_a_bundle(sealed, tmp_path, capsys):
    found = bench((str(sealed),), seconds=0.2, threads=1, out=tmp_path / "a.json", plot=tmp_path / "a.svg")
    (row,) = found.rows
    assert (row.name, row.model, row.batch, row.streams, row.threads) == ("onnx", "mobilenetv3_small_035", 1, 1, 1)
    assert 0 < row.p10_ms <= row.median_ms <= row.p90_ms <= row.p99_ms
    assert row.calls >= found.facts["rounds"]
    assert row.peak_bytes == 100_000_000
    assert found.facts["machine"]["processor"] in found.where
    assert "onnxruntime" in found.facts["versions"]
    assert json.loads((tmp_path / "a.json").read_text()) == json.loads(json.dumps(found.to_json()))
    assert "onnx" in [text.text for text in tree.parse(tmp_path / "a.svg").iter("{http://www.w3.org/2000/svg}text")]


def test_as_a_command_alternating_two(sealed, capsys):
    main(["bench", str(sealed), "--runtime", "onnx", "pytorch", "--seconds", "0.2", "--threads", "1", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert {row["way"] for row in said["rows"]} == {"onnx", "pytorch"}
    (pair,) = said["pairs"]
    assert {pair["faster"], pair["slower"]} == {row["name"] for row in said["rows"]}
    assert said["rows"][0]["calls"] > 0
    assert said["drift"] > 0


def test_throughput_has_a_row_for_each_number_of_streams(sealed):
    found = bench(str(sealed), throughput=True, threads=2, batch=4, seconds=0.2)  # type: ignore[arg-type]
    assert {(row.streams, row.threads) for row in found.rows} == {(1, 2), (2, 1)}
    assert {row.name for row in found.rows} == {"onnx, 1 x 2 threads", "onnx, 2 x 1 threads"}
    rates = [row.images_per_second for row in found.rows]
    assert rates == sorted(rates, reverse=True)
    assert "images/s" in str(found)


@pytest.mark.parametrize(
    "setting", [{"batch": 0}, {"threads": -1}, {"seconds": 0}, {"seconds": float("nan")}, {"seconds": -1}]
)
def test_settings_that_make_no_sense(sealed, setting):
    with pytest.raises(SettingError, match="allowed are"):
        bench((str(sealed),), **setting)


def test_nothing_is_overwritten_and_nothing_measured_for_nothing(sealed, tmp_path):
    (tmp_path / "a.json").write_text("mine")
    with pytest.raises(SettingError, match="is there already"):
        bench((str(sealed),), out=tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text() == "mine"
    with pytest.raises(SettingError, match="Give bundles"):
        bench(("mobilenetv3_small_035",), runtime=("pytorch",), plot=tmp_path / "a.svg")


def test_who_cannot_be_loaded_is_left_out(sealed):
    (good,) = line_up([str(sealed)], [], []).contestants
    bad = replace(good, way="broken", files=(b"no model",))
    found = measure([good, bad], seconds=0.1, threads=1, memory=False)
    assert [row.name for row in found.rows] == ["onnx"]
    assert found.rows[0].peak_bytes is None
    (note,) = [note for note in found.notes if note.startswith("broken: ")]
    assert "ONNX" in note
    with pytest.raises(SettingError, match="broken: "):
        measure([bad], seconds=0.1)


def test_where_there_is_nothing_to_draw_a_note_says_so(sealed, tmp_path, monkeypatch):
    """The bundle cannot be loaded; a network by name has no accuracy."""
    (good,) = line_up([str(sealed)], [], []).contestants
    field = Field((replace(good, accuracy=None), replace(good, way="broken", files=(b"no model",))), ())
    assert field.contestants[1].accuracy is not None
    monkeypatch.setattr("linnet.deploy.bench.contestant.line_up", lambda *given: field)
    plot = tmp_path / "a.svg"
    found = bench((str(sealed),), seconds=0.1, threads=1, plot=plot, out=tmp_path / "a.json")
    assert not plot.exists()
    assert found.notes[-1] == f"{plot} is not drawn: nothing that was measured has an accuracy."
    assert json.loads((tmp_path / "a.json").read_text())["notes"] == list(found.notes)


def test_names_say_what_differs():
    one = Contestant("a", "onnx", 224, "onnx", "fp32", (), 0)
    assert short_names([one, replace(one, way="openvino")]) == ["onnx", "openvino"]
    assert short_names([one, replace(one, model="b")]) == ["a onnx", "b onnx"]
    assert short_names([one, replace(one, image=96)]) == ["224 px onnx", "96 px onnx"]
    assert short_names([one, one]) == ["onnx", "onnx (2)"]
    assert stream_counts(6) == (1, 2, 6)
    assert stream_counts(1) == (1,)


def test_a_phones_figures_are_read_back(sealed, tmp_path, capsys):
    heard = tmp_path / "phone.txt"
    heard.write_text(
        "linnet: model photos way litert threads 4\nInference timings in us: Init: 1, Inference (avg): 2500.5\n"
    )
    main(["bench", "--import", str(heard), "--out", str(tmp_path / "phone.json")])
    assert "photos litert" in capsys.readouterr().out
    assert json.loads((tmp_path / "phone.json").read_text())["rows"][0]["median_ms"] == 2.5005
    with pytest.raises(SettingError, match="--import is for one file: linnet bench --import FILE"):
        bench((str(sealed),), import_=heard)
    with pytest.raises(SettingError, match="--adb is for one bundle: linnet bench BUNDLE --adb"):
        bench((), adb=True)
    with pytest.raises(SettingError, match="--to litert executorch"):
        bench((str(sealed),), adb=True)


@pytest.mark.parametrize(
    ("asked", "wrong", "takes"),
    [
        ({"phone": True, "threads": 2}, "threads", "--phone, which takes --out alone"),
        ({"phone": True, "runtime": ("onnx",)}, "runtime", "--phone"),
        ({"phone": True, "plot": "a.svg"}, "plot", "--phone"),
        ({"import_": "phone.txt", "seconds": 3.0}, "seconds", "--import, which takes --out alone"),
        ({"import_": "phone.txt", "phone": True}, "phone", "--import"),
        ({"adb": True, "out": "a.json"}, "out", "--adb, which takes --threads alone"),
        ({"adb": True, "threads": 2, "batch": 4}, "batch", "--adb"),
        ({"adb": True, "throughput": True}, "throughput", "--adb"),
        ({"adb": True, "image": (96,)}, "image", "--adb"),
        ({"adb": True, "cores": (0,)}, "cores", "--adb"),
    ],
)
def test_flags_that_would_be_ignored_are_refused(sealed, tmp_path, monkeypatch, asked, wrong, takes):
    monkeypatch.chdir(tmp_path)
    models = () if "import_" in asked else (str(sealed),)
    with pytest.raises(SettingError, match=f"--{wrong} has no meaning with {takes}"):
        bench(models, **asked)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux keeps a process to cores")
def test_cores_are_kept_to_and_given_back():
    before = os.sched_getaffinity(0)
    first = min(before)
    with on_cores((first,)):
        assert os.sched_getaffinity(0) == {first}
    assert os.sched_getaffinity(0) == before
    with pytest.raises(SettingError, match="Core 99999 is not among"), on_cores((99999,)):
        pass
    with pytest.raises(WeightsError), on_cores((first,)):
        raise WeightsError("x")
    assert os.sched_getaffinity(0) == before
