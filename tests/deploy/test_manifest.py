import hashlib
import json
import os

import pytest

from linnet.deploy.manifest import manifest_text, open_owned, plain_name, read_file, read_manifest
from linnet.errors import WeightsError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"numbers")
    entry = {"bytes": 7, "sha256": hashlib.sha256(b"numbers").hexdigest()}
    text = manifest_text({"schema": 1, "classes": ["a", "ä"], "files": {"model.onnx": entry}})
    (tmp_path / "bundle.json").write_text(text, encoding="utf-8")
    return tmp_path


def test_round_trip(folder):
    facts = read_manifest(folder)
    assert facts["classes"] == ["a", "ä"]
    assert read_file(folder, "model.onnx", facts) == b"numbers"


def test_its_hash_can_be_checked_by_hand(folder):
    data = (folder / "bundle.json").read_bytes()
    sha256 = json.loads(data)["sha256"]
    assert hashlib.sha256(data.replace(sha256.encode(), b"0" * 64)).hexdigest() == sha256


def test_every_changed_byte_is_noticed(folder):
    path = folder / "bundle.json"
    data = path.read_bytes()
    for place in range(len(data)):
        for flip in (1, 0x20):
            changed = bytearray(data)
            changed[place] ^= flip
            path.write_bytes(changed)
            with pytest.raises(WeightsError, match=r"bundle\.json"):
                read_manifest(folder)
    for changed in (data + b" ", data[:-1], data[1:], b"", b"[" * 100_000, b'{"sha256": 3}', b"{}", b"null"):
        path.write_bytes(changed)
        with pytest.raises(WeightsError, match=r"bundle\.json"):
            read_manifest(folder)


def test_another_schema(folder):
    (folder / "bundle.json").write_text(manifest_text({"schema": 2, "files": {}}))
    with pytest.raises(WeightsError, match=r"schema 2; this Linnet reads 1\. Upgrade"):
        read_manifest(folder)


def test_not_a_bundle(tmp_path):
    with pytest.raises(WeightsError, match="not a bundle"):
        read_manifest(tmp_path)
    with pytest.raises(WeightsError, match="not a bundle"):
        read_manifest(tmp_path / "nothing")
    (tmp_path / "best.safetensors").touch()
    with pytest.raises(WeightsError, match="linnet export"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"numberz", b"number", b"numbers!", b""])
def test_a_changed_file_is_refused(folder, content):
    facts = read_manifest(folder)
    (folder / "model.onnx").write_bytes(content)
    with pytest.raises(WeightsError, match=r"model\.onnx: damaged or changed"):
        read_file(folder, "model.onnx", facts)


def test_links_folders_and_missing_files_are_refused(folder, tmp_path_factory):
    facts, path = read_manifest(folder), folder / "model.onnx"
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "same"
    elsewhere.write_bytes(b"numbers")
    path.unlink()
    with pytest.raises(WeightsError, match=r"model\.onnx: cannot be read"):
        read_file(folder, "model.onnx", facts)
    path.symlink_to(elsewhere)
    with pytest.raises(WeightsError, match="link"):
        read_file(folder, "model.onnx", facts)
    path.unlink()
    os.link(elsewhere, path)
    with pytest.raises(WeightsError, match="hard link"):
        read_file(folder, "model.onnx", facts)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(WeightsError, match="no regular file"):  # and does not wait for somebody to write
        read_file(folder, "model.onnx", facts)
    path.unlink()
    path.mkdir()
    with pytest.raises(WeightsError):
        open_owned(path)


def test_a_file_that_is_not_listed(folder):
    (folder / "other").write_bytes(b"numbers")
    with pytest.raises(WeightsError, match="lists no file 'other'"):
        read_file(folder, "other", read_manifest(folder))


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../b", "a//b", "", ".", "..", "a\\b", "C:\\x", "a\0b", "~/x", "a b", ".x", "a/"])  # fmt: skip
def test_names_that_lead_outside(name):
    assert not plain_name(name)


def test_plain_names():
    assert all(map(plain_name, ["model.onnx", "model.int8.onnx", "openvino/model.xml", "README.md"]))
