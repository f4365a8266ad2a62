"""RELIABILITY row 3: a small file cannot take much memory. Each is read in a child that may take 300 MB more than it has."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from linnet.arch.names import find
from linnet.data.preprocess import Preprocess
from linnet.deploy.manifest import manifest_text
from linnet.weights.tensors import SCHEMA, hash_tensors

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="this system has no limit on a process's memory"
)


def header(said: Any, numbers: bytes = bytes(4), length: int | None = None) -> bytes:
    text = said if isinstance(said, bytes) else json.dumps(said).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + numbers


def tensor(shape: list[int], *offsets: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": list(offsets)}


def model_file(**arch: Any) -> bytes:
    """A whole, rightly hashed model file whose table is another than its weights'."""
    value = find("mobilenetv3_small_035").to_json() | arch
    facts = {
        "arch": value, "classes": ["a"], "preprocess": Preprocess().to_json(), "facts": {}, "labels": "one",
        "kind": "model", "schema": SCHEMA,
    }  # fmt: skip
    text, tensors = json.dumps(facts), {"a": torch.zeros(1)}
    return save(tensors, {"linnet": text, "sha256": hash_tensors(tensors, text)})


def wide() -> bytes:
    stages = find("mobilenetv3_small_035").to_json()["stages"]
    return model_file(stages=[{**stage, "channels": 1_000_000} for stage in stages])


def deep() -> bytes:
    stages = find("mobilenetv3_small_035").to_json()["stages"]
    return model_file(stages=[{**stage, "layers": 10_000} for stage in stages * 20])


def unfolding() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("bundle.json", "weights.safetensors", "model.onnx"):
            archive.writestr(name, bytes(40_000_000))
    return file.getvalue()


def manifest(size: int, sha256: str = "0" * 64) -> bytes:
    entry = {"bytes": size, "sha256": sha256}
    facts = {
        "schema": 1, "name": "a", "classes": ["a"], "preprocess": Preprocess().to_json(),
        "runtimes": [{"runtime": "onnx", "precision": "fp32", "file": "model.onnx"}], "files": {"model.onnx": entry},
    }  # fmt: skip
    return manifest_text(facts).encode()


def bombs() -> dict[str, dict[str, bytes]]:
    """By name the files of a folder; the first is what is given to the readers."""
    few = b"a few bytes"
    files = {
        "more numbers than bytes": header({"a": tensor([10**5, 10**5], 0, 4 * 10**10)}),
        "a shape beyond its bytes": header({"a": tensor([10**10], 0, 4)}),
        "overlap": header({f"t{i}": tensor([1], 0, 4) for i in range(10_000)}),
        "a product beyond 64 bits": header({"a": tensor([2**62, 4], 0, 4)}),
        "none of very many": header({"a": tensor([0, 10**12], 0, 0)}, b""),
        "a header longer than the file": header({}, length=2**62),
        "a header of 100 MB and more": header({}, length=100_000_001),
        "a deep header": header(b"[" * 1_000_000),
        "a network a million channels wide": wide(),
        "a network two million layers deep": deep(),
    }
    found = {name: {"a.safetensors": data} for name, data in files.items()}
    return found | {
        "a zip that unfolds": {"a.zip": unfolding()},
        "a file of a terabyte": {"bundle.json": manifest(10**12), "model.onnx": few},
        "a file of no size": {"bundle.json": manifest(-2), "model.onnx": few},
        "a deep bundle.json": {"bundle.json": b'{"a":' * 1_000_000},
        "a long number": {"bundle.json": b'{"schema": ' + b"9" * 1_000_000 + b"}"},
        "ONNX that says it is long": {
            "bundle.json": manifest(6, hashlib.sha256(b"\x3a\xff\xff\xff\xff\x0f").hexdigest()),
            "model.onnx": b"\x3a\xff\xff\xff\xff\x0f",
        },
    }


CHILD = """
import json, resource, sys, time
from pathlib import Path
from linnet.arch.names import find
from linnet.deploy.bundle import read_bundle
from linnet.deploy.classifier import Classifier
from linnet.errors import LinnetError
from linnet.weights.file import read_weights
from linnet.weights.model import read_model
from linnet.weights.state import read_state
import onnxruntime

arch = find("mobilenetv3_small_035")
doors = [lambda p: read_model(p).net(), lambda p: read_weights(p, arch).net(), read_state, read_bundle, Classifier]
pages = lambda place: int(Path("/proc/self/statm").read_text().split()[place]) * resource.getpagesize()
most = pages(0) + 300 * 2**20
resource.setrlimit(resource.RLIMIT_AS, (most, most))
for folder in sorted(Path(sys.argv[1]).iterdir()):
    files = sorted(folder.iterdir())
    path = folder if (folder / "bundle.json").exists() else files[0]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, said = time.process_time(), []
    for door in doors:
        try:
            door(path)
            said.append("read")
        except LinnetError as error:
            said.append("refused")
        except BaseException as error:
            said.append(repr(error)[:200])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    size = sum(f.stat().st_size for f in files)
    print(json.dumps([folder.name, said, peak / 1024, size / 2**20, time.process_time() - began]))
"""


def test_every_bomb_is_refused_within_memory(tmp_path: Path) -> None:
    found = bombs()
    assert len(found) >= 8
    for name, files in found.items():
        (tmp_path / name).mkdir()
        for file, data in files.items():
            (tmp_path / name / file).write_bytes(data)
    done = subprocess.run([sys.executable, "-c", CHILD, str(tmp_path)], capture_output=True, text=True, timeout=250)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(found), done.stderr[-2000:]
    for name, said, peak, size, seconds in lines:
        plain = said.pop(2)  # somebody else's reader may take the few numbers that are there, whatever the table says
        assert plain in ("refused", "read"), (name, plain)
        assert set(said) == {"refused"}, (name, said)
        assert peak <= 1.2 * size + 50, (name, peak)
        assert seconds < 5, (name, seconds)
