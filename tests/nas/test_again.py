"""A second measurement, in other processes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from linnet.errors import ProofError
from linnet.nas import again as module
from linnet.nas.again import again


def answers(monkeypatch: pytest.MonkeyPatch, *texts: str) -> list[list[str]]:
    said, asked = iter(texts), list[list[str]]()

    def run(command: list[str], **_settings: object) -> SimpleNamespace:
        asked.append(command)
        text = next(said)
        if text == "late":
            raise subprocess.TimeoutExpired(command, 1)
        return SimpleNamespace(stdout=text, stderr="a warning\nlinnet: damaged")

    monkeypatch.setattr(module.subprocess, "run", run)
    return asked


def test_the_quickest_of_three_counts_and_one_within_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    three = ['{"median_ms": 5.0}', '{"median_ms": 4.5}', '{"median_ms": 4.8}']
    answers(monkeypatch, *three)
    assert again(Path("x"), "onnx", threads=2, limit=4.0) == (4.5, 3)
    asked = answers(monkeypatch, *three)
    assert again(Path("x"), "onnx", threads=2, limit=4.6) == (4.5, 2)
    assert asked[0][-2:] == ["onnx", "2"]
    answers(monkeypatch, *three)
    assert again(Path("x"), "onnx", threads=2, limit=None) == (5.0, 1)


def test_a_process_that_fails_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, "", "late", 'a runtime greets\n{"median_ms": 2}\n')
    assert again(Path("x"), "onnx", threads=0, limit=4.0) == (2.0, 1)
    answers(monkeypatch, "", "", "{}")
    with pytest.raises(ProofError, match=r"on onnx in a new process \(linnet: damaged\).*linnet export RUN --to onnx"):
        again(Path("x"), "onnx", threads=0, limit=4.0)
    answers(monkeypatch, "late", "late", "late")
    with pytest.raises(ProofError, match="no answer in 180 seconds"):
        again(Path("x"), "onnx", threads=0, limit=4.0)
