import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from linnet.data.image import BadImage, Limits
from linnet.deploy.classifier import Classifier, Prediction, chosen_way, main, picture_files, prediction_lines
from linnet.errors import DataError, SettingError, WeightsError
from linnet.weights.model import read_model


@pytest.fixture(scope="module")
def classifier(sealed):
    return Classifier(sealed)


def good(photos):
    return [path for path in picture_files([photos / "test"]) if path.parts[-2:] != ("dots", "4.jpg")]


def test_probabilities_are_pytorchs(classifier, photos, sealed):
    import torch

    model = read_model(sealed)
    paths = good(photos)
    pixels = np.stack([model.preprocess.read(path) for path in paths])
    with torch.no_grad():
        expected = model.net()(torch.from_numpy(model.preprocess.normalise(pixels))).softmax(1).numpy()
    for one, shares in zip(classifier.predict_all(paths, top=4), expected, strict=True):
        assert [name for name, _ in one.classes] == [model.classes[c] for c in np.argsort(-shares)]
        assert [share for _, share in one.classes] == pytest.approx(sorted(shares, reverse=True), abs=1e-4)
        assert sum(share for _, share in one.classes) == pytest.approx(1)


def test_one_by_one_is_as_many_at_a_time(classifier, photos):
    paths = good(photos)
    assert len(paths) > 16
    for path, one in zip(paths, classifier.predict_all(paths, top=1), strict=True):
        alone = classifier.predict(path, top=1)
        assert alone.path == one.path == str(path)
        assert alone.classes[0][0] == one.classes[0][0]
        assert alone.classes[0][1] == pytest.approx(one.classes[0][1], abs=1e-5)


def test_bytes_are_as_good_as_a_file(classifier, photos):
    path = good(photos)[0]
    assert classifier.predict(path.read_bytes()).classes == classifier.predict(path).classes


def test_a_bad_file_does_not_stop_the_others(classifier, photos, tmp_path):
    (tmp_path / "page.jpg").write_text("<html></html>")
    paths = [
        good(photos)[0],
        tmp_path / "page.jpg",
        tmp_path / "missing.jpg",
        photos / "test/dots/4.jpg",
        good(photos)[1],
    ]
    found = list(classifier.predict_all(paths))
    assert [bool(one.error) for one in found] == [False, True, True, True, False]
    assert "HTML" in found[1].error
    assert found[1].to_json() == {"path": str(tmp_path / "page.jpg"), "error": found[1].error}
    with pytest.raises(BadImage, match=r"page\.jpg"):
        classifier.predict(tmp_path / "page.jpg")


def test_limits_are_kept(sealed, photos):
    small = Classifier(sealed, limits=Limits(pixels=100))
    with pytest.raises(BadImage, match="pixels"):
        small.predict(good(photos)[0])


def test_pictures_of_a_folder(photos, tmp_path):
    assert len(picture_files([photos / "test" / "dots"])) == 5
    (tmp_path / "deep").mkdir()
    for name in ("b.PNG", "a.jpeg", "notes.txt", ".hidden.jpg", "deep/c.webp"):
        (tmp_path / name).touch()
    assert [path.name for path in picture_files([tmp_path, "named.txt"])] == ["a.jpeg", "b.PNG", "c.webp", "named.txt"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no picture in this folder"):
        picture_files([tmp_path / "empty"])


def test_damaged_bundles(bundle):
    data = (bundle / "model.onnx").read_bytes()
    (bundle / "model.onnx").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(WeightsError, match=r"model\.onnx: damaged or changed"):
        Classifier(bundle)
    with pytest.raises(WeightsError, match="not a bundle"):
        Classifier(bundle.parent)


def test_without_onnxruntime_it_says_what_to_install(sealed, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(SettingError, match="pip install onnxruntime"):
        Classifier(sealed)


def test_a_runtime_by_name(sealed, photos):
    assert Classifier(sealed).runtime == Classifier(sealed, runtime="onnx").runtime == "onnx"
    with pytest.raises(SettingError, match=r"has no runtime 'openvino', only onnx\. .*linnet export RUN --to openvino"):
        Classifier(sealed, runtime="openvino")


def test_the_first_runtime_that_is_installed_is_taken(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "openvino", None)
    assert chosen_way(tmp_path, ["openvino", "openvino-bf16", "onnx"], "") == "onnx"
    assert chosen_way(tmp_path, ["abacus", "onnx"], "") == "onnx"  # one of a later Linnet
    assert chosen_way(tmp_path, ["openvino", "onnx"], "openvino") == "openvino"  # its loader says what to install
    with pytest.raises(
        SettingError, match=r"none of its runtimes is installed here \(openvino\)\. .*pip install openvino"
    ):
        chosen_way(tmp_path, ["openvino"], "")


def test_lines_are_aligned(classifier, photos, tmp_path):
    found = list(classifier.predict_all([good(photos)[0], good(photos)[7], tmp_path / "x"], top=2))
    lines = prediction_lines(found)
    assert len(lines) == 2  # of those that could be read
    assert lines[0].index(" %") == lines[1].index(" %")
    assert found[2].error == "there is no such file"
    assert prediction_lines([]) == []
    (line,) = prediction_lines([Prediction("a.jpg", (("cat\x1b[2J", 0.9), ("d\n", 0.1)))])
    assert line.isprintable()


def test_command_line(sealed, photos, tmp_path, capsys):
    path = str(good(photos)[0])
    assert main([path, "--top", "2"], folder=sealed) == 0
    text = capsys.readouterr()
    assert text.out.startswith(path)
    assert text.out.count("%") == 2
    assert text.err == ""

    assert main([path, str(tmp_path / "x.jpg"), "--json"], folder=sealed) == 1
    text = capsys.readouterr()
    value = json.loads(text.out)
    assert value[0]["classes"][0]["probability"] > 0.25
    assert "error" in value[1]
    assert text.err == f"predict.py: {tmp_path / 'x.jpg'}: there is no such file\n"

    assert main([path, "--runtime", "onnx", "--top", "1"], folder=sealed) == 0
    assert path in capsys.readouterr().out
    assert main([path, "--runtime", "litert"], folder=sealed) == 1
    assert "has no runtime 'litert', only onnx" in capsys.readouterr().err
    assert main([path], folder=tmp_path) == 1
    assert "not a bundle" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main([path, "--top", "0"], folder=sealed)
    with pytest.raises(SystemExit, match="2"):
        main([], folder=sealed)


def test_several_labels_are_those_from_one_half_on(several_sealed, several_run, photos):
    classifier = Classifier(several_sealed)
    path = photos / "test" / "waves" / "0.jpg"
    found = classifier.predict(path, top=1)
    assert found.labels is not None
    model = read_model(several_run)
    with torch.no_grad():
        shares = model.net()(torch.from_numpy(model.preprocess.normalise(model.preprocess.read(path)[None])))[
            0
        ].sigmoid()
    wanted = {name: float(share) for name, share in zip(model.classes, shares, strict=True)}
    order = sorted(wanted, key=lambda name: -wanted[name])
    assert found.labels == tuple(name for name in order if wanted[name] >= 0.5)
    assert [name for name, _ in found.classes] == order[: max(1, len(found.labels))]
    everything = classifier.predict(path, top=5)
    assert dict(everything.classes) == pytest.approx(wanted, abs=1e-4)
    assert everything.to_json()["labels"] == list(found.labels)
    assert "labels" not in Prediction("a.jpg", (("cat", 0.7),)).to_json()


def test_lines_of_several_labels():
    lines = prediction_lines(
        [
            Prediction("a.jpg", (("cat", 0.9), ("dog", 0.6), ("cow", 0.1)), labels=("cat", "dog")),
            Prediction("bb.jpg", (("cow", 0.2),), labels=()),
            Prediction("c.jpg", error="it is no picture"),
        ]
    )
    assert lines == ["a.jpg   cat, dog   cat 90.0 %   dog 60.0 %   cow 10.0 %", "bb.jpg  -          cow 20.0 %"]


def test_the_bundles_own_script_says_the_labels(several_sealed, photos):
    script = [
        sys.executable,
        "-I",
        str(several_sealed / "predict.py"),
        str(photos / "test" / "dots" / "0.jpg"),
        "--json",
    ]
    ran = subprocess.run(script, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    wanted = Classifier(several_sealed).predict(photos / "test" / "dots" / "0.jpg").labels
    assert json.loads(ran.stdout)[0]["labels"] == list(wanted or ())
