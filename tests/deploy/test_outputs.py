"""--output probabilities, from the file to the answer: what every part says of it."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from linnet.deploy.bundle import Runtime, read_bundle
from linnet.deploy.certificate import compare_probabilities
from linnet.deploy.classifier import Classifier, listed_ways
from linnet.deploy.export import export
from linnet.deploy.outputs import are_probabilities, logits_of, probabilities
from linnet.deploy.runtime.known import RUNTIMES, is_here
from linnet.errors import SettingError
from linnet.weights.model import read_model

LOGITS = np.random.default_rng(0).normal(0, 4, (20, 6)).astype(np.float32)


@pytest.mark.parametrize("several", [False, True])
def test_there_and_back(several):
    shares = probabilities(LOGITS, several=several)
    wanted = torch.from_numpy(LOGITS).double()
    wanted = wanted.sigmoid() if several else wanted.softmax(1)
    np.testing.assert_allclose(shares, wanted.numpy(), rtol=1e-12)
    back = logits_of(shares.astype(np.float32), "probabilities", several=several)
    np.testing.assert_allclose(probabilities(back, several=several), shares, atol=1e-7)
    assert logits_of(LOGITS, "logits", several=several) is LOGITS


def test_no_logit_is_infinite_and_one_half_stays_on_the_edge():
    ends = np.array([[0.0, 0.5, 1.0, 1e-42]], np.float32)
    for several in (False, True):
        assert np.isfinite(logits_of(ends, "probabilities", several=several)).all()
    assert logits_of(ends, "probabilities", several=True)[0, 1] == 0


def test_what_are_no_probabilities():
    shares = probabilities(LOGITS)
    assert are_probabilities(shares)
    assert not are_probabilities(LOGITS)
    assert not are_probabilities(shares * 1.1)
    assert are_probabilities(shares * 0.5, several=True)
    assert not are_probabilities(np.full_like(shares, np.nan))


def test_the_certificate_compares_probabilities():
    shares = probabilities(LOGITS)
    assert compare_probabilities(shares, shares.astype(np.float32)).difference < 1e-7
    wrong = compare_probabilities(shares, LOGITS)  # logits under a wrong name, with the same first answers
    assert wrong.difference == float("inf")
    assert not wrong.same.any()
    twice = compare_probabilities(shares, probabilities(shares))
    assert twice.difference > 1e-3 * twice.largest
    labels = probabilities(LOGITS, several=True)
    assert compare_probabilities(labels, labels, several=True).same.all()
    assert not compare_probabilities(labels, 1 - labels, several=True).same.any()


def test_a_bundle_says_what_its_files_give():
    one = Runtime("onnx", "fp32", "model.onnx", output="probabilities")
    assert one.to_json()["output"] == "probabilities"
    assert "output" not in Runtime("onnx", "fp32", "model.onnx").to_json()
    with pytest.raises(ValueError, match="output is 'odds'"):
        Runtime("onnx", "fp32", "model.onnx", output="odds")
    with pytest.raises(ValueError, match="gives 'odds'"):
        listed_ways([{**one.to_json(), "output": "odds"}])


def test_another_output_is_refused(run, tmp_path):
    with pytest.raises(SettingError, match=r"allowed: logits, probabilities\. Did you mean 'probabilities'"):
        export(run, out=tmp_path / "x.linnet", output="probabilites", workers=0)
    assert list(tmp_path.iterdir()) == []


def asked(several):
    """Ways to export: OpenVINO too where it is here."""
    return ("onnx", "openvino") if is_here("openvino") and not several else ("onnx",)


@pytest.mark.parametrize("several", [False, True])
def test_the_bundle_answers_as_one_with_logits(several, run, several_run, sealed, several_sealed, photos, tmp_path):
    source, plain = (several_run, several_sealed) if several else (run, sealed)
    made = export(source, to=asked(several), out=tmp_path / "p.linnet", output="probabilities", workers=0)
    assert made.runtimes == asked(several)
    bundle = read_bundle(made.folder)
    certificate = bundle.certificates[0]
    assert {one.output for one in bundle.runtimes} == {"probabilities"}
    assert certificate["output"] == "probabilities"
    assert certificate["largest_probability_difference"] < 1e-4
    assert certificate["tolerance"] == {"probability_difference": 1e-3, "agreement": 0.999}
    assert certificate["drop"]["drop"] == 0
    assert "gives `probabilities`" in (made.folder / "README.md").read_text()
    model, path = read_model(source), photos / "test" / "waves" / "0.jpg"
    pixels = model.preprocess.read(path)[None]
    with torch.no_grad():
        said = model.net()(torch.from_numpy(model.preprocess.normalise(pixels)))
    for name in made.runtimes:  # the file itself, then Linnet on top of it
        classifier = Classifier(made.folder, runtime=name)
        shares = (said.sigmoid() if several else said.softmax(1)).numpy()
        np.testing.assert_allclose(classifier.answers(pixels), shares, atol=1e-5)
        found, wanted = classifier.predict(path), Classifier(plain).predict(path)
        assert [name for name, _ in found.classes] == [name for name, _ in wanted.classes]
        assert dict(found.classes) == pytest.approx(dict(wanted.classes), abs=1e-5)
        assert found.labels == wanted.labels
    script = [sys.executable, "-I", str(made.folder / "predict.py"), str(path), "--json"]
    ran = subprocess.run(script, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    shares = {one["name"]: one["probability"] for one in json.loads(ran.stdout)[0]["classes"]}
    assert shares == pytest.approx(dict(Classifier(plain).predict(path).classes), abs=1e-5)


@pytest.mark.parametrize("runtime", ["onnx", "openvino", "litert", "executorch"])
@pytest.mark.parametrize("ending", ["softmax", "sigmoid"])
def test_int8_ends_in_float(runtime, ending, sure):
    """The very logits of int8, then softmax or sigmoid in float32."""
    from importlib import import_module

    from linnet.deploy.runtime.opening import open_model

    if runtime == "openvino" and not (is_here("openvino") and is_here("nncf")):
        pytest.skip('not installed: pip install "linnet-vision[openvino]"')
    if runtime in ("litert", "executorch") and not is_here(RUNTIMES[runtime].maker_of("int8")):
        pytest.skip(f"not installed: {RUNTIMES[runtime].install}")
    maker = import_module(f"linnet.deploy.runtime.{runtime}_int8")
    net, preprocess, images, prepared = sure
    prepared = prepared if runtime == "onnx" else maker.prepare(net, preprocess, images)
    files = maker.quantise(prepared, maker.SETTINGS[0])
    logits = open_model(runtime, "int8", list(files), threads=1)(images[0])
    shares = open_model(runtime, "int8", maker.with_ending(prepared, files, ending), threads=1)(images[0])
    np.testing.assert_allclose(shares, probabilities(logits, several=ending == "sigmoid"), atol=1e-5)
