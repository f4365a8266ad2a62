from __future__ import annotations

import os
import pickle
import zipfile
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch

from linnet.errors import WeightsError
from linnet.weights.pickled import _demand_torch, read_pickle, refuse_pickle


class Payload:
    """What an attacker would pickle: unpickling it runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


def test_tensors_come_back_as_they_were(tmp_path: Path) -> None:
    state = {"a.weight": torch.randn(3, 4).T, "b": torch.arange(5), "c": torch.randn(2).half()}
    state["tied"] = state["b"]
    torch.save(state, tmp_path / "plain.pth")
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "nested.pth", _use_new_zipfile_serialization=False)
    for name in ("plain.pth", "nested.pth"):
        read = read_pickle(tmp_path / name)
        assert read.keys() == state.keys()
        assert all(torch.equal(read[key], state[key]) and read[key].dtype == state[key].dtype for key in state)


def test_what_wrappers_put_before_every_name_is_taken_off(tmp_path: Path) -> None:
    for names in (
        ["module.a", "module.b"],
        ["module._orig_mod.a", "module._orig_mod.b"],
        ["_orig_mod.a", "_orig_mod.b"],
    ):
        torch.save({name: torch.zeros(1) for name in names}, tmp_path / "weights.pth")
        assert read_pickle(tmp_path / "weights.pth").keys() == {"a", "b"}
    torch.save({"module.a": torch.zeros(1), "b": torch.zeros(1)}, tmp_path / "weights.pth")
    assert read_pickle(tmp_path / "weights.pth").keys() == {"module.a", "b"}


def test_a_checkpoint_of_timms_trainer_is_read(tmp_path: Path) -> None:
    content = {"epoch": 3, "args": Namespace(lr=0.1, betas=[0.9]), "state_dict": {"a": torch.zeros(1)}}
    torch.save(content, tmp_path / "model_best.pth.tar")
    assert read_pickle(tmp_path / "model_best.pth.tar").keys() == {"a"}
    with pytest.raises(WeightsError, match="linnet convert"):
        refuse_pickle(tmp_path / "model_best.pth.tar")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_payload_does_not_run(tmp_path: Path, legacy: bool) -> None:
    marker, path = tmp_path / "ran", tmp_path / "weights.pth"
    payload = {"weight": Payload(f"touch {marker}")}
    if legacy:
        path.write_bytes(pickle.dumps(payload))
    else:
        torch.save(payload, path)
    with pytest.raises(WeightsError, match="not read as weights"):
        read_pickle(path)
    assert not marker.exists()


def test_files_that_unfold_beyond_what_they_hold_are_refused(tmp_path: Path) -> None:
    plain, packed, wide = (tmp_path / name for name in ("plain.pth", "packed.pth", "wide.pth"))
    torch.save({"weight": torch.zeros(1_000_000)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for member in source.infolist():
            target.writestr(member.filename, source.read(member))
    assert packed.stat().st_size < 50_000
    with pytest.raises(WeightsError, match="compressed"):
        read_pickle(packed)
    torch.save({"weight": torch.zeros(1).expand(10**10)}, wide)
    with pytest.raises(WeightsError, match="larger than what is stored"):
        read_pickle(wide)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system has no limit on a process's memory")
def test_the_child_dies_at_its_memory_limit_and_the_parent_does_not(tmp_path: Path) -> None:
    path = tmp_path / "large.pth"
    torch.save({"weight": torch.zeros(100_000_000, dtype=torch.uint8)}, path)
    with pytest.raises(WeightsError, match="not read as weights"):
        read_pickle(path, memory_mb=50)
    assert not list(tmp_path.glob("*.safetensors"))


@pytest.mark.parametrize(("content", "said"), [(b"<html>", "not read"), (None, "no such file")])
def test_what_is_no_pickle_of_tensors_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "weights.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=said) as error:
        read_pickle(path)
    assert "\n" not in str(error.value)


def test_a_thing_beside_the_tensors_is_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1), "epoch": 3}, tmp_path / "weights.pth")
    with pytest.raises(WeightsError, match="'epoch' is a int, not a tensor"):
        read_pickle(tmp_path / "weights.pth")


@pytest.mark.parametrize("version", ["2.5.1", "2.9.1+cpu", "1.13.0"])
def test_a_torch_that_reads_pickles_unsafely_reads_none(version: str) -> None:
    with pytest.raises(ValueError, match=r"2\.11 or newer"):
        _demand_torch(version)
    _demand_torch("2.11.0a0+git123")
    _demand_torch("3.0.1")
