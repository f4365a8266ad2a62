"""One network is compiled for all tests here: that takes half a minute."""

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from linnet.deploy.bench.contestant import line_up
from linnet.deploy.bundle import read_bundle
from linnet.deploy.classifier import Classifier, chosen_way
from linnet.deploy.export import export
from linnet.deploy.fastest import every_way
from linnet.deploy.predict import predict
from linnet.deploy.runtime import aotinductor
from linnet.deploy.runtime.aotinductor import cannot_compile, compiled_for, load_aotinductor
from linnet.deploy.runtime.known import RUNTIMES
from linnet.errors import SettingError, WeightsError
from linnet.nas.budget import Budget
from linnet.weights.model import read_model

compiles = pytest.mark.skipif(bool(cannot_compile()), reason=cannot_compile() or "it can")


@pytest.fixture(scope="module")
def made(sure_run, tmp_path_factory):
    """A bundle with it and with ONNX Runtime, asked for in that order."""
    out = tmp_path_factory.mktemp("aotinductor") / "sure.linnet"
    return export(sure_run, to=("aotinductor", "onnx"), out=out, workers=0, threads=1).folder


@pytest.fixture(scope="module")
def file(made):
    return (made / "model.pt2").read_bytes()


@pytest.fixture
def never_loaded(monkeypatch):
    """Loading a file's code fails the test."""
    import torch._inductor

    def load(*_a, **_k):
        raise AssertionError("machine code was loaded")

    monkeypatch.setattr(torch._inductor, "aoti_load_package", load)


@compiles
def test_its_certificate_says_what_it_was_compiled_for(made, file):
    bundle = read_bundle(made)
    assert [one.runtime for one in bundle.runtimes] == ["onnx", "aotinductor"]  # never first beside another
    certificate = bundle.certificates[1]
    assert certificate["passed"]
    assert certificate["compiled_for"] == compiled_for(file)
    assert certificate["compiled_for"] == {
        "system": "linux",
        "machine": "x86_64",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
    }
    assert "`model.pt2` is machine code, compiled for x86_64 processors with" in (made / "README.md").read_text("utf-8")


@compiles
@pytest.mark.parametrize("batch", [1, 3])
def test_logits_equal_pytorch_for_any_batch(sure_run, file, batch):
    x = torch.randn(batch, 3, 32, 32, generator=torch.Generator().manual_seed(batch))
    logits = load_aotinductor(file, threads=1)(x.numpy())
    assert logits.dtype == np.float32
    with torch.no_grad():
        assert np.allclose(logits, read_model(sure_run).net()(x).numpy(), atol=1e-4, rtol=1e-4)


@compiles
def test_nothing_loads_it_unless_it_is_named(made, photos, never_loaded):
    read_bundle(made)
    assert Classifier(made).runtime == "onnx"
    assert len(predict(made, [photos / "validation"]).predictions) == 8
    field = line_up([str(made)], [], [])
    assert [one.way for one in field.contestants] == ["onnx"]
    assert field.notes == (
        "aotinductor is not measured: its file is a program. If you trust who made it: --runtime aotinductor",
    )
    assert [one.way for one in line_up([str(made)], ["aotinductor"], []).contestants] == ["aotinductor"]
    assert "aotinductor" not in every_way(int8=True)
    with pytest.raises(WeightsError, match="machine code was loaded"):
        Classifier(made, runtime="aotinductor")


def test_alone_in_a_bundle_it_is_still_asked_for():
    with pytest.raises(
        SettingError, match=r"nothing but aotinductor, whose file is machine code.*--runtime aotinductor$"
    ):
        chosen_way(Path("x.linnet"), ["aotinductor"], "")
    assert chosen_way(Path("x.linnet"), ["aotinductor"], "aotinductor") == "aotinductor"
    assert chosen_way(Path("x.linnet"), ["aotinductor", "onnx"], "") == "onnx"


@compiles
def test_the_bundles_own_script_runs_it(made, photos, tmp_path):
    """In a process of its own, where it says nothing of itself; the same answers as ONNX Runtime's."""
    command = [sys.executable, "-I", made / "predict.py", photos / "validation" / "dots", "--runtime"]
    one, other = (
        subprocess.run([*command, name], capture_output=True, text=True, cwd=tmp_path)
        for name in ("aotinductor", "onnx")
    )
    assert (one.returncode, one.stderr) == (0, "")
    assert one.stdout == other.stdout
    assert not os.listdir(tmp_path)


@compiles
@pytest.mark.parametrize(
    ("place", "name", "value", "says"),
    [
        (torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT", r"instructions AVX\w+ \(here DEFAULT\)"),
        (torch.backends.cpu, "get_cpu_capability", lambda: "SVE256", r"instructions AVX\w+ \(here SVE256\)"),
        (aotinductor.platform, "machine", lambda: "aarch64", r"machine x86_64 \(here aarch64\)"),
        (torch, "__version__", "2.99.0", r"torch 2\.\d+\.\S+ \(here 2\.99\.0\)"),
    ],
)
def test_on_another_kind_of_machine_it_is_one_line(file, place, name, value, says, monkeypatch, never_loaded):
    monkeypatch.setattr(place, name, value)
    with pytest.raises(SettingError, match=f"for other than this machine: {says}. Export the bundle again"):
        load_aotinductor(file)


@compiles
def test_it_has_what_older_processors_have(monkeypatch, file):
    """One with more than the file needs takes it."""
    monkeypatch.setattr(aotinductor, "compiled_for", lambda model: {**compiled_for(model), "instructions": "DEFAULT"})
    assert load_aotinductor(file, threads=1)(np.zeros((1, 3, 32, 32), np.float32)).shape == (1, 4)


@compiles
@pytest.mark.parametrize("harm", ["empty", "garbage", "half", "no code"])
def test_damaged_files_give_one_line(file, harm):
    kept = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(file)) as whole, zipfile.ZipFile(kept, "w") as archive:
        for name in whole.namelist():
            archive.writestr(name, b"x" if name.endswith(".so") else whole.read(name))
    data = {"empty": b"", "garbage": b"garbage", "half": file[: len(file) // 2], "no code": kept.getvalue()}[harm]
    with pytest.raises(WeightsError, match="Export the bundle again") as caught:
        load_aotinductor(data)
    assert "\n" not in str(caught.value)


@compiles
def test_nothing_of_this_machine_is_in_the_file(file, tmp_path_factory):
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        inside = b"".join(archive.read(name) for name in archive.namelist())
        assert not any(archive.read(name).strip() for name in archive.namelist() if name.endswith(".cpp"))
    for secret in (str(tmp_path_factory.getbasetemp()), "site-packages", "linnet/deploy", "torchinductor_", "g++ "):
        assert secret.encode() not in inside


def test_without_a_compiler_nothing_begins(sure_run, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler -O2")
    monkeypatch.setattr(aotinductor.sys, "platform", "linux")
    monkeypatch.setattr(aotinductor.platform, "machine", lambda: "x86_64")
    with pytest.raises(SettingError, match=r"there is no no-such-compiler here\. Install one \(apt install g\+\+\)"):
        export(sure_run, to=("onnx", "aotinductor"), out=tmp_path / "x.linnet", workers=0)
    assert not list(tmp_path.iterdir())
    field = line_up(["mobilenetv3_small_035"], ["pytorch", "aotinductor"], [32])
    assert "needs a C++ compiler" in field.notes[0]
    monkeypatch.setattr(aotinductor.platform, "machine", lambda: "aarch64")
    assert "x86-64 processors alone" in cannot_compile()


def test_a_budget_does_not_take_it():
    assert "aotinductor" not in Budget(1.0).ways()
    with pytest.raises(
        SettingError, match=r"AOTInductor is not chosen under a budget.*linnet export RUN --to aotinductor"
    ):
        Budget(1.0, runtime="aotinductor")


def test_what_is_known_of_it():
    known = RUNTIMES["aotinductor"]
    assert (known.files, known.precisions, known.batch) == (("model.pt2",), ("fp32",), "B")
    assert [name for name, one in RUNTIMES.items() if one.program] == ["aotinductor"]
