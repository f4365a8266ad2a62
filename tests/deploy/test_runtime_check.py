import json
import sys

import numpy as np
import pytest

from linnet.cli import main
from linnet.deploy.runtime import aotinductor
from linnet.deploy.runtime import onnx as onnx_runtime
from linnet.deploy.runtime.known import RUNTIMES, WAYS, is_here
from linnet.deploy.runtime_check import RuntimeCheck, RuntimeState, look_at_runtimes


@pytest.fixture
def only_onnx(monkeypatch):
    monkeypatch.setattr(aotinductor, "cannot_compile", lambda: "there is no compiler")
    for known in RUNTIMES.values():
        if known.name not in ("onnx", "aotinductor"):  # which needs nothing but PyTorch and a compiler
            monkeypatch.setitem(sys.modules, known.module, None)


def test_what_is_here_works_and_what_is_not_has_its_line(monkeypatch):
    """Whatever is installed where the tests run; in an environment with all of them this tests all, but AOTInductor: a
    second compile for what test_aotinductor.py shows."""
    monkeypatch.setattr(aotinductor, "cannot_compile", lambda: "there is no compiler")
    found = look_at_runtimes()
    assert [one.name for one in found.states] == list(WAYS)
    for one in found.states:
        known = WAYS[one.name][0]
        if known.program:
            assert one.state == "runs only"
        elif is_here(known.module) and is_here(known.maker):
            assert one.state == "works" or "does not compute in bfloat16" in one.text, one
        else:
            assert "pip install" in one.text


def test_as_a_command(only_onnx, capsys):
    main(["doctor", "--runtimes"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(WAYS)
    for line, name in zip(lines, ("onnx ", "onnx-int8 "), strict=False):
        assert line.startswith(name)
        assert "works: off by" in line
    assert 'not installed: pip install "linnet-vision[openvino]"' in lines[2]
    main(["doctor", "--runtimes", "--json"])
    assert [one["state"] for one in json.loads(capsys.readouterr().out)] == ["works"] * 2 + ["missing"] * (
        len(WAYS) - 3
    ) + ["runs only"]


def test_a_runtime_that_answers_otherwise_is_broken(only_onnx, monkeypatch, capsys):
    true = onnx_runtime.load_onnx
    from linnet.deploy.runtime import opening

    monkeypatch.setattr(opening, "load_onnx", lambda *a, **k: lambda x: true(*a, **k)(x) * np.float32(1.01))
    with pytest.raises(SystemExit, match="1"):
        main(["doctor", "--runtimes"])
    assert "linnet: onnx: answers otherwise than PyTorch: off by 0.01" in capsys.readouterr().err


def test_without_its_converter_a_runtime_runs_only(only_onnx, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    first = look_at_runtimes().states[0]
    assert first.state == "runs only"
    assert first.text.startswith("runs bundles; to make them: pip install")


def test_columns():
    check = RuntimeCheck((RuntimeState("a", "works", "", "works"), RuntimeState("long", "broken", "x 1.0", "fails")))
    assert str(check) == "a     -      works\nlong  x 1.0  fails"
    assert check.errors == ("long: fails",)
