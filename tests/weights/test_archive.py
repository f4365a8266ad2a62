from __future__ import annotations

import io
import random
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from linnet.errors import WeightsError
from linnet.weights import archive
from linnet.weights.archive import member_names, plain_name, read_member


def entry(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr, info.create_system = mode << 16, 3
    return info


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as target:
        for name, data in (("bundle.json", b"{}"), *members):
            target.writestr(name if isinstance(name, zipfile.ZipInfo) else entry(name), data, compression)
    return file.getvalue()


def crowded(entries: int) -> bytes:
    """So many members that share one local header; the end counts them modulo 2^16, as the format does."""
    data = zipped()
    start = data.index(b"PK\1\2")
    line = data[start : data.index(b"PK\5\6")]
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, entries & 0xFFFF, entries & 0xFFFF, len(line) * entries, start, 0)
    return data[:start] + line * entries + end


def crowded_zip64() -> bytes:
    """A modest end, before which a locator leads to another that counts a million members."""
    data = zipped()
    start, at = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    large = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 10**6, 10**6, at - start, start)
    return data[:at] + large + struct.pack("<4sLQL", b"PK\6\7", 0, at, 1) + data[at:]


def with_flag(data: bytes, flag: int) -> bytes:
    """The last member says in the table of contents and in its own header that it is encrypted."""
    changed = bytearray(data)
    for sign, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        at = data.rindex(sign)
        changed[at + place] |= flag
    return bytes(changed)


def attacks() -> dict[str, bytes]:
    bomb = zipped(("a", b"a"), compression=zipfile.ZIP_DEFLATED)
    at = bomb.rindex(b"PK\1\2") + 24
    lies = bomb[:at] + b"\xf0\xff\xff\xff" + bomb[at + 4 :]  # says 4 GB
    twice = zipped(("aa", b"1"), ("ab", b"2")).replace(b"ab", b"aa")
    return {
        "dotdot": zipped(("../evil", b"x")),
        "absolute": zipped(("/tmp/evil", b"x")),
        "backslash": zipped(("..\\evil", b"x")),
        "drive": zipped(("C:evil", b"x")),
        "link": zipped((entry("link", stat.S_IFLNK | 0o777), b"/etc/passwd")),
        "link, then a file through it": zipped((entry("d", stat.S_IFLNK | 0o777), b"/tmp"), ("d/evil", b"x")),
        "device": zipped((entry("null", stat.S_IFCHR | 0o666), b"")),
        "pipe": zipped((entry("pipe", stat.S_IFIFO | 0o666), b"")),
        "duplicate": twice,
        "case clash": zipped(("a", b"1"), ("A", b"2")),
        "file and folder": zipped(("a", b"1"), ("a/b", b"2")),
        "bomb": zipped(("a", bytes(50_000_000)), compression=zipfile.ZIP_DEFLATED),
        "a size that is not so": lies,
        "encrypted": with_flag(zipped(("a", b"x" * 20)), 1),
        "another compression": zipped(("a", b"x" * 20), compression=zipfile.ZIP_LZMA),
        "million members": crowded(10**6),
        "65,536 members that count as none": crowded(65_536),
        "zip64": crowded_zip64(),
        "something behind its end": zipped() + b"PK\5\6" + bytes(18),
        "something before its start": b"#!/bin/sh\n" + zipped(),
        "no zip": b"\x89PNG" * 100,
        "empty": b"",
        "name with a zero byte": zipped(("abc", b"x")).replace(b"abc", b"a\0c"),
        "hidden": zipped((".ssh/authorized_keys", b"x")),
    }


ATTACKS = attacks()
REASONS = {
    "dotdot": "not plainly inside", "absolute": "not plainly inside", "backslash": "not plainly inside",
    "drive": "not plainly inside", "hidden": "not plainly inside", "name with a zero byte": "not plainly inside",
    "link": "a link or a device", "link, then a file through it": "a link or a device", "device": "a link or a device",
    "pipe": "a link or a device", "duplicate": "the same name", "case clash": "the same name",
    "file and folder": "the same name", "bomb": "would unfold to", "a size that is not so": "would unfold to",
    "encrypted": "is encrypted", "another compression": "compressed in another way",
    "million members": "has 16,960 members", "zip64": "zip64",
    "65,536 members that count as none": "contents of 3,735,552 bytes",
    "something behind its end": "not where it should be", "something before its start": "not where it should be",
    "no zip": "it is no zip", "empty": "it is no zip",
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_in_one_line_and_writes_nothing(tmp_path: Path, attack: str) -> None:
    path = tmp_path / "a.linnet.zip"
    path.write_bytes(ATTACKS[attack])
    for read in (lambda: read_member(path, "a", 10**9), lambda: member_names(path)):
        with pytest.raises(
            WeightsError, match=rf"a\.linnet\.zip: .*({REASONS[attack]}).*linnet export --zip"
        ) as caught:
            read()
        assert "\n" not in str(caught.value)
    assert [one.name for one in tmp_path.iterdir()] == ["a.linnet.zip"]


def test_there_is_no_way_to_write_to_the_disk() -> None:
    text = Path(archive.__file__).read_text(encoding="utf-8")
    assert "extract" not in text
    assert '"w' not in text


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("top", ["", "net.linnet/"])
def test_files_are_read_wherever_the_folder_is(tmp_path: Path, compression: int, top: str) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", compression) as target:
        for name in ("bundle.json", "openvino/model.xml"):
            target.writestr(top + name, name)
        if top:
            target.mkdir(top)
    assert member_names(path) == {"bundle.json", "openvino/model.xml"}
    assert read_member(path, "openvino/model.xml", 100) == b"openvino/model.xml"
    assert read_member(path, "openvino/model.xml", 4) == b"open"
    with pytest.raises(WeightsError, match=r"there is no model\.xml in this zip"):
        read_member(path, "model.xml", 100)


def test_a_nested_zip_is_bytes(tmp_path: Path) -> None:
    inner = zipped(("a", bytes(10_000_000)), compression=zipfile.ZIP_DEFLATED)
    (tmp_path / "a.zip").write_bytes(zipped(("inner.zip", inner)))
    assert read_member(tmp_path / "a.zip", "inner.zip", 10**9) == inner


def test_what_unfolds_is_bounded_by_ratio_by_total_and_by_the_caller(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(("a", bytes(range(256)) * 400), compression=zipfile.ZIP_DEFLATED))
    assert len(read_member(path, "a", 10**9)) == 102_400
    assert len(read_member(path, "a", 1000)) == 1000
    monkeypatch.setattr(archive, "MOST_BYTES", 100_000)
    with pytest.raises(WeightsError, match="would unfold to 102,402; allowed are 100,000"):
        read_member(path, "a", 10)
    monkeypatch.setattr(archive, "MOST_BYTES", 10**9)
    monkeypatch.setattr(archive, "MOST_RATIO", 10)
    with pytest.raises(WeightsError, match="and 10 times its size"):
        read_member(path, "a", 10)


def test_mutants_give_one_typed_error_or_whole_members(tmp_path: Path) -> None:
    rng = random.Random(0)
    content = bytes(rng.randrange(256) for _ in range(200))
    good = zipped(("a", content), compression=zipfile.ZIP_DEFLATED)
    path, answers, refused = tmp_path / "a.zip", 0, []
    for _ in range(800):
        data = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data[: rng.randint(0, len(data))] if rng.random() < 0.2 else data)
        try:
            found = read_member(path, "a", 10**6)
        except WeightsError as error:
            refused.append(str(error))
        else:
            assert found == content
            answers += 1
    assert not [text for text in refused if "\n" in text]
    assert answers > 30  # some bytes do not matter: dates, versions


@pytest.mark.parametrize("name", ["../x", "a/../b", "a//b", "", ".", "a\\b", "C:\\x", "a\0b", "a b", ".x", "a/", "é"])
def test_names_that_lead_outside(name: str) -> None:
    assert not plain_name(name)
