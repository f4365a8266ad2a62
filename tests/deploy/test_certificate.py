import dataclasses
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from linnet.data.source import find_photos
from linnet.deploy import certificate
from linnet.deploy.bundle import read_bundle
from linnet.deploy.certificate import (
    TOLERANCES,
    Candidate,
    agreement,
    compare,
    latency,
    machine,
    prove,
    right,
    set_digest,
    versions,
)
from linnet.deploy.runtime.onnx import load_onnx, row_outputs
from linnet.errors import DataError, ProofError
from linnet.evaluation.evaluate import photos_of
from linnet.weights.model import read_model


@pytest.fixture(scope="module")
def subject(sealed, photos):
    """(network, candidate, test photos, preprocess) of the bundle."""
    model = read_model(sealed)
    data = (sealed / "model.onnx").read_bytes()
    chosen = photos_of(find_photos(photos), "test", model.classes)
    return (
        model.net(),
        Candidate("onnx", "fp32", data, load_onnx(data, threads=1), 1, row_outputs),
        chosen,
        model.preprocess,
    )


def proof(subject, photos, **changes):
    net, candidate, chosen, preprocess = subject
    candidate = dataclasses.replace(candidate, **changes)
    return prove(net, candidate, chosen, preprocess, root=photos, split="test", workers=0)


def test_what_it_states(subject, photos, sealed):
    found = proof(subject, photos)
    c = found.certificate
    assert json.loads(json.dumps(c, allow_nan=False)) == c
    assert (c["runtime"], c["precision"], c["passed"], c["n"]) == ("onnx", "fp32", True, 19)
    assert c["sha256"] == hashlib.sha256((sealed / "model.onnx").read_bytes()).hexdigest()
    assert c["size_bytes"] == (sealed / "model.onnx").stat().st_size
    assert 0 < c["largest_logit_difference"] < 1e-3 * c["logit_spread"]
    assert c["top1_agreement"] == 1
    assert c["images"]["n"] == len(found.names) == 19
    assert c["images"]["not_read"] == 1
    assert found.bad[0].path.endswith("4.jpg")
    assert c["drop"]["drop"] == 0
    assert c["drop"]["at_most"] == pytest.approx(1 - 0.05 ** (1 / 19))
    assert c["accuracy"]["runtime"] == c["accuracy"]["network"]
    assert c["accuracy"]["network"]["top1"] == found.network.top1
    took = c["latency"]
    assert 0 < took["p10_ms"] <= took["median_ms"] <= took["p90_ms"] <= took["p99_ms"]
    assert (took["batch"], took["threads"], took["image"]) == (1, 1, 64)
    assert took["calls"] >= 30
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", c["date"])
    assert {"torch", "onnxruntime", "numpy", "pillow", "python"} <= c["versions"].keys()
    assert c["machine"]["processor"]
    assert c["machine"]["cores_usable"] >= 1


def test_the_bundle_states_the_same(subject, photos, sealed):
    def lasting(c):
        return {key: value for key, value in c.items() if key not in ("latency", "date")}

    again = dataclasses.replace(subject[1], threads=2)
    found = prove(subject[0], again, *subject[2:], root=photos, split="test", workers=0)
    written = read_bundle(sealed).certificates[0]
    assert lasting(found.certificate).keys() == lasting(written).keys()
    for name in ("sha256", "images", "accuracy", "drop", "tolerance"):
        assert found.certificate[name] == written[name]


def test_a_runtime_that_answers_otherwise_fails(subject, photos):
    run = subject[1].run
    for wrong, word in (
        (lambda x: run(x) * 1.01, "0 of 19 photos get another"),
        (lambda x: run(x)[:, ::-1], "photos get another first answer"),
        (lambda x: run(x[:, ::-1].copy()), "does not answer as the network does"),  # BGR for RGB
        (lambda x: np.repeat(run(x[:1]), len(x), 0), "does not answer as the network does"),  # only the first counts
        (lambda x: np.full_like(run(x), np.nan), "19 of 19 photos"),
        (lambda x: run(x)[:, :3], "19 of 19 photos"),
    ):
        with pytest.raises(ProofError, match=word):
            proof(subject, photos, run=wrong)


def test_the_error_names_the_rows(subject, photos):
    import onnx

    def with_wrong(name):
        model = onnx.load_from_string(subject[1].model)
        weight = next(w for w in model.graph.initializer if w.name == name)
        weight.raw_data = (onnx.numpy_helper.to_array(weight) * np.float32(1.3)).tobytes()
        data = model.SerializeToString()
        return {"model": data, "run": load_onnx(data)}

    with pytest.raises(ProofError, match=r"goes wrong first in row stages\.5 .*worst is "):
        proof(subject, photos, **with_wrong("stages.5.0.expand.weight"))
    with pytest.raises(ProofError, match=r"goes wrong first in row head\.classifier .*worst is head\.classifier"):
        proof(subject, photos, **with_wrong("head.classifier.weight"))
    with pytest.raises(ProofError, match="does not answer") as caught:
        proof(subject, photos, row_outputs=None, **with_wrong("head.classifier.weight"))
    assert "row" not in str(caught.value)


def test_nothing_to_prove_on(subject, photos):
    net, candidate, chosen, preprocess = subject
    bad = [photo for photo in chosen if photo.path.parent.name == "dots" and photo.path.name == "4.jpg"]
    with pytest.raises(DataError, match="none of the 1 test photos can be read"):
        prove(net, candidate, bad, preprocess, root=photos, split="test", workers=0)


def test_what_all_photos_share_hides_nothing():
    """A large bias must not make a wrong answer look small, nor a network that hardly looks at its photos fail."""
    rng = np.random.default_rng(0)
    bias = np.array([100.0, -50, 20, 3])
    a = (bias + 0.01 * rng.normal(size=(50, 4))).astype(np.float32)
    tolerance = TOLERANCES["fp32"]
    assert compare(a, a).within(tolerance)
    assert not compare(a, np.repeat(a.mean(0, keepdims=True), 50, 0)).within(tolerance)
    assert compare(a, a).spread == pytest.approx(0.01 * np.sqrt(3 / 4), rel=0.1)
    same = np.repeat(a[:1], 5, 0)
    assert compare(same, same * np.float32(1 + 5e-6)).within(tolerance)  # rounding
    assert not compare(same, same * np.float32(1 + 1e-4)).within(tolerance)


def test_one_photo_is_compared_by_what_it_says_of_the_classes():
    a = np.array([[1.0, -1, 3, 5]], np.float32)
    found = compare(a, a + np.float32(1e-4))
    assert found.spread == pytest.approx(5**0.5)
    assert found.allowed(TOLERANCES["fp32"]) == pytest.approx(TOLERANCES["fp32"].logit_difference * 5**0.5)
    assert found.within(TOLERANCES["fp32"])
    assert not compare(a, a * np.float32(1.1)).within(TOLERANCES["fp32"])


def test_the_error_says_what_is_allowed(subject, photos):
    run, tolerance = subject[1].run, TOLERANCES["fp32"]
    with pytest.raises(ProofError) as caught:
        proof(subject, photos, run=lambda x: run(x) * 1.01)
    said = re.search(r"spread by (\S+) \(allowed is (\S+)\)", str(caught.value))
    assert said
    assert float(said[2]) >= tolerance.logit_difference * float(said[1]) * 0.99


@pytest.mark.parametrize(("n", "wrong", "passes"), [(999, 0, True), (999, 1, False), (2000, 2, True), (2000, 3, False)])
def test_agreement(n, wrong, passes):
    a = np.zeros((n, 2), np.float32)
    a[:, 0] = np.linspace(-1, 1, n)
    a[: n // 2, 0] -= 1
    a[:wrong] = (1e-6, 0)
    b = a.copy()
    b[:wrong] = (0, 1e-6)
    assert compare(a, b).within(TOLERANCES["fp32"]) == passes


def test_bfloat16_may_differ_more_but_not_as_a_mistake_does():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(200, 10)).astype(np.float32)
    near = a + rng.normal(size=a.shape).astype(np.float32) * np.float32(0.003)
    assert not compare(a, near).within(TOLERANCES["fp32"])
    assert compare(a, near).within(TOLERANCES["bf16"])
    assert not compare(a, a * np.float32(1.2)).within(TOLERANCES["bf16"])
    assert not compare(a, a[:, ::-1]).within(TOLERANCES["bf16"])


def test_int8_may_move_logits_but_not_answers():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(200, 10)).astype(np.float32)
    assert compare(a, a * np.float32(3)).within(TOLERANCES["int8"])
    assert not compare(a, a * np.float32(3)).within(TOLERANCES["bf16"])
    assert not compare(a, a[:, ::-1]).within(TOLERANCES["int8"])
    assert not compare(a, np.full_like(a, np.nan)).within(TOLERANCES["int8"])


def test_int8_that_surely_drops_more_than_it_may_fails(subject, photos, monkeypatch):
    """With 19 photos an agreement of 0.8 is missed before a drop is sure; with thousands it is the other way round."""
    found = proof(subject, photos, precision="int8", max_drop=0.005, made={"decided": False})
    assert found.certificate["decided"] is False
    assert found.certificate["tolerance"] == {"logit_difference": None, "rounding": None, "agreement": 0.8}
    monkeypatch.setattr(certificate, "surely_above", lambda drop, limit: limit == 0.005)
    with pytest.raises(ProofError, match=r"onnx int8 drops 0.0 points.*test photos, surely more than 0.5 points"):
        proof(subject, photos, precision="int8", max_drop=0.005)


def test_latency_percentiles():
    import time

    took = latency(lambda x: time.sleep(0.002), np.zeros(1), seconds=0.1, least=10)
    assert 2 <= took["p10_ms"] <= took["median_ms"] <= took["p90_ms"] <= took["p99_ms"]
    assert 10 <= took["calls"] <= 50
    assert latency(lambda x: None, np.zeros(1), seconds=0.1, most=40)["calls"] == 40


def test_set_digest_is_what_sha256sum_lists(photos):
    chosen = find_photos(photos).test[:3]
    names = [photo.path.relative_to(photos).as_posix() for photo in chosen]
    listing = "".join(f"{hashlib.sha256((photos / name).read_bytes()).hexdigest()}  {name}\n" for name in sorted(names))
    assert set_digest(chosen, names) == hashlib.sha256(listing.encode()).hexdigest()
    assert set_digest(chosen[::-1], names[::-1]) == set_digest(chosen, names)


def test_machine_and_versions():
    assert json.dumps([machine(), versions()])
    assert versions()["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert str(Path.home()) not in json.dumps([machine(), versions()])


def test_each_of_several_labels_is_an_answer():
    a = np.array([[1.0, -1.0, 2.0], [-1.0, -2.0, -0.5]], np.float32)
    b = a.copy()
    b[1, 2] = 0.5
    found = compare(a, b, several=True)
    assert found.same.tolist() == [[True, True, True], [True, True, False]]
    assert agreement(found.same) == {"label_agreement": 5 / 6, "label_set_agreement": 0.5}
    assert right(a, np.array([[1, 0, 1], [0, 0, 1]])).tolist() == [True, False]
    assert right(a, np.array([2, 2])).tolist() == [True, True]
    broken = compare(a, np.full_like(a, np.nan), several=True)
    assert not broken.within(TOLERANCES["fp32"])


def test_of_packed_pictures_it_says_to_what_they_were_resized(subject, photos, tmp_path):
    from linnet.data.pack import pack

    net, candidate, _, preprocess = subject
    folder = pack(photos, image=24, out=tmp_path / "packed").folder
    chosen = find_photos(folder).test
    found = prove(net, candidate, chosen, preprocess, root=folder, split="test", workers=0)
    assert found.certificate["images"]["packed"] == 24
    assert "packed" not in proof(subject, photos).certificate["images"]
