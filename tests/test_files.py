from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import pytest

from linnet.errors import FileError
from linnet.files import (
    cache_folder,
    free_file,
    fresh_folder,
    held,
    locked,
    sha256_file,
    write_json,
    write_text,
    written_whole,
)


def test_a_block_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def half_written() -> None:
        with written_whole(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        half_written()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_block_that_ends_well_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    write_text(path, "old")
    write_text(path, "new é")
    assert path.read_text(encoding="utf-8") == "new é"


def test_a_locked_file_is_had_by_one_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="Windows has no such locks")
    path = tmp_path / "deep" / "count.txt"

    def add() -> None:
        for _ in range(20):
            with locked(path):
                count = int(path.read_text()) if path.exists() else 0
                time.sleep(0.001)
                write_text(path, str(count + 1))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert path.read_text() == "80"


def test_a_lock_is_free_again_when_its_block_fails_and_absent_where_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing() -> None:
        with locked(tmp_path / "a"):
            raise RuntimeError("no")

    for _ in range(2):
        with pytest.raises(RuntimeError):
            failing()
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with locked(tmp_path / "b"), locked(tmp_path / "b"):
        assert not list(tmp_path.glob("*b*"))


def test_json_refuses_what_json_cannot_say(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not (tmp_path / "a.json").exists()
    write_json(tmp_path / "a.json", {"x": [1, 2]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"x": [1, 2]}


def test_sha256_of_a_known_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a").startswith("ba7816bf8f01cfea")


def test_a_fresh_folder_is_never_an_old_one(tmp_path: Path) -> None:
    assert [fresh_folder(tmp_path / "run").name for _ in range(3)] == ["run", "run-2", "run-3"]


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("LINNET_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "linnet"


def test_a_place_that_cannot_be_written_is_said_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for write in (lambda p: fresh_folder(p), lambda p: write_text(p, "x"), lambda p: write_text(p / "deep", "x")):
        with pytest.raises(FileError, match=r"file/x.*: cannot be written \(Not a directory\)\. Give another place"):
            write(tmp_path / "file" / "x")
    with pytest.raises(FileError, match="File name too long"):
        fresh_folder(tmp_path / ("x" * 300))
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    def full() -> None:
        with written_whole(tmp_path / "a"):
            raise OSError(28, "No space left on device")

    with pytest.raises(FileError, match=r"No space left on device\)\. Free some space"):
        full()
    assert list(tmp_path.iterdir()) == []


def test_a_free_file_is_never_one_that_is_there(tmp_path):
    page = tmp_path / "page.html"
    assert free_file(page) == page
    page.write_text("mine")
    (tmp_path / "page-2.html").symlink_to(tmp_path / "nowhere")
    assert free_file(page) == tmp_path / "page-3.html"


def test_what_one_process_holds_is_refused_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fcntl", reason="Windows has no such locks")
    path = tmp_path / "run" / ".lock"
    with held(path, "busy"), pytest.raises(FileError, match="busy"), held(path, "busy"):
        pass
    with held(path, "busy"):
        pass
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with held(path, "busy"), held(path, "busy"):
        pass
