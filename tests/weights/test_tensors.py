from __future__ import annotations

import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file

from linnet.errors import FileError, WeightsError
from linnet.weights.tensors import SCHEMA, DiskFull, hash_tensors, read_tensors, write_plain, write_tensors


@pytest.fixture
def tensors():
    torch.manual_seed(0)
    return {
        "weight": torch.randn(4, 3, 3, 3).contiguous(memory_format=torch.channels_last),
        "half": torch.randn(5).bfloat16(),
        "count": torch.tensor(7),
        "none": torch.zeros(0, 2),
        "flags": torch.tensor([True, False]),
    }


@pytest.fixture
def file(tensors, tmp_path):
    write_tensors(tmp_path / "a.safetensors", tensors, {"words": "wörter", "share": 0.1}, kind="model")
    return tmp_path / "a.safetensors"


def read(path, kind="model"):
    return read_tensors(path, kind=kind, remedy="Fetch it again.")


def test_what_is_written_is_read(file, tensors):
    found, facts = read(file)
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name
    assert facts == {"words": "wörter", "share": 0.1, "kind": "model", "schema": SCHEMA}
    assert os.listdir(file.parent) == ["a.safetensors"]


def test_the_hash_is_of_values_names_types_and_shapes_but_not_of_layout(tensors):
    plain = {name: tensor.contiguous() for name, tensor in reversed(tensors.items())}
    assert hash_tensors(plain) == hash_tensors(tensors)
    others = [
        {**tensors, "count": torch.tensor(8)},
        {**tensors, "count": torch.tensor(7, dtype=torch.int32)},
        {**tensors, "half": tensors["half"].reshape(5, 1)},
        {("name" if name == "half" else name): tensor for name, tensor in tensors.items()},
    ]
    assert len({hash_tensors(other) for other in [tensors, *others]}) == 5
    assert hash_tensors(tensors, "a") != hash_tensors(tensors, "b")


def test_names_that_share_memory_are_written(tmp_path):
    weight = torch.randn(3)
    write_tensors(tmp_path / "a", {"one": weight, "two": weight}, {}, kind="model")
    found, _ = read(tmp_path / "a")
    assert torch.equal(found["one"], found["two"])


def test_every_flipped_bit_is_noticed(file):
    data = file.read_bytes()
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        with pytest.raises(WeightsError, match=r"a\.safetensors: .*Fetch it again\."):
            read(file)


def test_every_truncation_is_noticed(file):
    data = file.read_bytes()
    for length in range(0, len(data), 7):
        file.write_bytes(data[:length])
        with pytest.raises(WeightsError, match="damaged"):
            read(file)


@pytest.mark.parametrize("text", [b"", b"PK\x03\x04 a zip", b"\x80\x02}q\x00.", b"<html>", b"\xff" * 4096])
def test_other_files_are_refused_in_one_line(text, tmp_path):
    (tmp_path / "a").write_bytes(text)
    with pytest.raises(WeightsError, match="damaged or no file of Linnet's") as error:
        read(tmp_path / "a")
    assert "\n" not in str(error.value)


def test_a_safetensors_file_of_somebody_else_is_refused(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "a", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match="no file of Linnet's"):
        read(tmp_path / "a")


def test_another_kind_and_a_newer_schema_are_named(file, tensors):
    with pytest.raises(WeightsError, match="holds a model, not a checkpoint"):
        read(file, "checkpoint")
    text = json.dumps({"kind": "model", "schema": SCHEMA + 1})
    plain = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(plain, file, metadata={"linnet": text, "sha256": hash_tensors(plain, text)})
    with pytest.raises(WeightsError, match=f"newer Linnet.*schema {SCHEMA + 1}"):
        read(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(WeightsError, match="no such file"):
        read(tmp_path / "nothing")


def test_what_does_not_read_back_is_not_kept(file, monkeypatch):
    before = file.read_bytes()
    monkeypatch.setattr("linnet.weights.tensors._read", lambda path: (({}, ""), "another hash"))
    with pytest.raises(WeightsError, match="does not read back"):
        write_tensors(file, {"a": torch.ones(2)}, {}, kind="model")
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == ["a.safetensors"]


def test_no_room_is_said_with_numbers_and_leaves_the_old_file(file, monkeypatch):
    before = file.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("linnet.weights.tensors.save_file", full)
    with pytest.raises(
        DiskFull, match=r"a\.safetensors: .*No space left.*4,0\d\d bytes needed, [\d,]+ bytes free"
    ) as error:
        write_tensors(file, {"a": torch.ones(1000)}, {}, kind="model")
    assert error.value.exit_code == 74
    assert file.read_bytes() == before


def test_a_plain_file_is_what_other_libraries_read_and_nothing_of_linnets(file, tmp_path):
    weight = torch.randn(3, 2)
    write_plain(tmp_path / "b", {"one": weight, "two": weight, "turned": weight.T})
    assert torch.equal(load_file(tmp_path / "b")["turned"], weight.T)
    with pytest.raises(WeightsError, match="no file of Linnet's"):
        read(tmp_path / "b")


def test_a_place_that_cannot_be_written_is_no_full_disk(file):
    with pytest.raises(FileError, match="Not a directory"):
        write_tensors(file / "below", {"a": torch.ones(2)}, {}, kind="model")
