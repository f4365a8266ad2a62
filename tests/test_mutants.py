"""RELIABILITY row 4: readers of a stranger's bytes, given damaged ones, raise one typed error or answer as before.

In this process: a crash or an endless loop would be seen at once. `-m slow` runs the long campaign.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import helper, numpy_helper
from safetensors.torch import save_file

from linnet.arch.names import find
from linnet.data.preprocess import Preprocess
from linnet.deploy.bundle import read_bundle
from linnet.deploy.classifier import Classifier
from linnet.deploy.manifest import MANIFEST, manifest_text, read_manifest
from linnet.deploy.runtime.onnx import load_onnx
from linnet.errors import LinnetError, WeightsError
from linnet.weights.model import Model, read_model, write_model
from linnet.weights.state import read_state


def mutants(seeds: list[bytes], n: int) -> Iterator[bytes]:
    """n damaged copies: bytes changed, cut off, put in, or a part repeated. The same ones each time."""
    rng = random.Random(0)
    for number in range(n):
        data = bytearray(seeds[number % len(seeds)])
        for _ in range(rng.randint(1, 4)):
            place, how = rng.randrange(len(data) or 1), rng.random()
            if how < 0.4:
                data[place : place + 1] = bytes([rng.randrange(256)])
            elif how < 0.6:
                data[place : place + 1] = bytes([data[place] ^ 1 << rng.randrange(8)]) if data else b""
            elif how < 0.75:
                del data[place : place + rng.randint(1, 9)]
            elif how < 0.9:
                data[place:place] = rng.choice(
                    [b"9" * 18, b"-", b'"', b"[", b"{", b"\xff" * 8, b"\0", b"null", b"1e99"]
                )
            else:
                data[place:place] = data[place : place + rng.randint(1, 40)]
        yield bytes(data)


def tried(read, seeds: list[bytes], n: int) -> tuple[int, float]:
    """How many of n mutants were read, and the seconds of the slowest; anything but a one-line WeightsError fails."""
    good, slowest = 0, 0.0
    for data in mutants(seeds, n):
        began = time.process_time()
        try:
            read(data)
            good += 1
        except WeightsError as error:
            assert "\n" not in str(error), str(error)  # noqa: PT017
        slowest = max(slowest, time.process_time() - began)
    return good, slowest


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    arch = find("mobilenetv3_small_035").with_classes(2)
    state = {"a": torch.arange(6.0).reshape(2, 3), "half": torch.ones(3).bfloat16(), "count": torch.tensor(7)}
    write_model(folder / "ours.safetensors", Model(arch, ("a", "b"), Preprocess(image=32), state, {"licence": None}))
    save_file(state, folder / "plain.safetensors")
    return folder


@pytest.mark.parametrize("n", [2_000, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.timeout(1200)
def test_safetensors(model: Path, tmp_path: Path, n: int) -> None:
    """A file of ours is never read damaged: its hash tells. A plain one may have other numbers."""
    path = tmp_path / "a.safetensors"
    ours, plain = (model / name for name in ("ours.safetensors", "plain.safetensors"))
    wanted = read_model(ours)

    def read(data: bytes) -> None:
        path.write_bytes(data)
        if b"linnet" in data[:200]:
            found = read_model(path)
            assert found.arch == wanted.arch
            assert all(torch.equal(found.state[name], wanted.state[name]) for name in wanted.state)
        else:
            for value in read_state(path).values():
                assert value.numel() <= len(data)

    good, slowest = tried(read, [ours.read_bytes(), plain.read_bytes()], n)
    assert 0 < good < n
    assert slowest < 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small bundle of one product: images [B, 3, 4, 4] to logits [B, 2]."""
    weight = numpy_helper.from_array(np.ones((48, 2), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["images"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"])], "g",
        [helper.make_tensor_value_info("images", 1, ["B", 3, 4, 4])],
        [helper.make_tensor_value_info("logits", 1, ["B", 2])], initializer=[weight],
    )  # fmt: skip
    onnx = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()
    (tmp_path / "model.onnx").write_bytes(onnx)
    (tmp_path / "weights.safetensors").write_bytes(b"")
    return tmp_path


def manifest(folder: Path) -> dict:
    import hashlib

    files = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name in ("model.onnx", "weights.safetensors")
        for data in [(folder / name).read_bytes()]
    }
    proof = {"runtime": "onnx", "precision": "fp32", "sha256": files["model.onnx"]["sha256"], "passed": True}
    return {
        "kind": "linnet bundle", "schema": 1, "name": "small", "labels": "one", "classes": ["a", "b"],
        "arch": find("mobilenetv3_small_035").with_classes(2).to_json(), "preprocess": Preprocess(image=4).to_json(),
        "runtimes": [{"runtime": "onnx", "precision": "fp32", "file": "model.onnx"}], "certificates": [proof],
        "files": files,
    }  # fmt: skip


@pytest.mark.parametrize("n", [300, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.timeout(1200)
def test_bundle_json_below_its_own_hash(folder: Path, n: int) -> None:
    """Each mutant gets a right hash: an attacker can count, too."""
    facts = manifest(folder)
    (folder / MANIFEST).write_text(manifest_text(facts), encoding="utf-8")
    read_bundle(folder)
    pixels = np.zeros((1, 4, 4, 3), np.uint8)
    wanted = Classifier(folder, threads=1).logits(pixels)
    texts = [json.dumps(facts).encode(), json.dumps({**facts, "arch": {}}).encode()]
    bad = set[str]()

    def read(data: bytes) -> None:
        try:
            value = json.loads(data)
            text = manifest_text({name: value[name] for name in value if name != "sha256"})
        except (ValueError, TypeError, RecursionError):
            raise WeightsError("no JSON") from None
        (folder / MANIFEST).write_text(text, encoding="utf-8")
        try:
            read_bundle(folder)
        except LinnetError as error:
            bad.add(str(error))
        try:
            found = Classifier(folder, threads=1)
        except LinnetError as error:  # a SettingError is typed as well: a runtime of a later Linnet
            raise WeightsError(str(error)) from None
        if found.preprocess == Preprocess(image=4):
            assert np.array_equal(found.logits(pixels), wanted)

    good, slowest = tried(read, texts, n)
    assert 0 < good < n
    assert len(bad) > 5
    assert slowest < 1


@pytest.mark.parametrize("n", [400, pytest.param(5_000, marks=pytest.mark.slow)])
@pytest.mark.timeout(1200)
def test_onnx_below_the_hash(folder: Path, n: int) -> None:
    good, slowest = tried(lambda data: load_onnx(data, threads=1), [(folder / "model.onnx").read_bytes()], n)
    assert 0 < good < n
    assert slowest < 1


def test_every_mutant_is_refused_by_the_hash(folder: Path) -> None:
    """Of a bundle as it is sent: not one byte of its files, nor of bundle.json, can be another."""
    (folder / MANIFEST).write_text(manifest_text(manifest(folder)), encoding="utf-8")
    facts = read_manifest(folder)
    for name in ("model.onnx", MANIFEST):
        whole = (folder / name).read_bytes()
        for data in mutants([whole], 300):
            if data == whole:
                continue
            (folder / name).write_bytes(data)
            with pytest.raises(WeightsError):
                read_bundle(folder)
        (folder / name).write_bytes(whole)
    assert read_manifest(folder) == facts
