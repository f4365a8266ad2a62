"""Photos that look alike though their bytes differ: resized, newly compressed or mirrored copies, frames of one burst.

Each picture is known by a thumbnail of 16 x 16 pixels that the inspecting pass made from the pixels it had decoded anyway.
A 64-bit hash of it finds candidates without comparing all with all; the correlation of the thumbnails decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

SIDE = 16  # of a thumbnail, in pixels
BITS = 7  # of 64 that may differ: with four bands of 16 bits, one of them then differs in one bit at most
ALIKE = 0.98  # least correlation of two thumbnails; what it finds and misses stands in docs/guides/photos.md
TONE = 40  # most by which a channel's mean may differ, of 255: a red shirt is no copy of a blue one
DETAIL = 4  # least standard deviation of a thumbnail: in an empty picture there is nothing to recognise
WORK = (
    3000  # candidates looked at for each picture, on average; more only where very many look alike, which is then said
)
# Candidates from one bucket: the largest of these that keeps to WORK is taken.
CAPS = (1 << 40, 1024, 512, 256, 128, 64, 32, 16, 8)
FRIENDS = 16  # pairs of a picture from which on those with others of its group, that have as many, are passed over
CHUNK = 1 << 14  # thumbnails, or times four candidates, that are looked at at once
BATCH = 1 << 11  # pairs whose thumbnails are compared at once
TURNED = (0, *(1 << bit for bit in range(16)))


class Pair(NamedTuple):
    """Two pictures that look alike, as positions with first < second; `likeness` is their correlation, at most 1."""

    first: int
    second: int
    likeness: float
    mirrored: bool


class Alike(NamedTuple):
    """The pairs, the most alike first. Not `complete`: so many look alike that not every pair was compared."""

    pairs: tuple[Pair, ...]
    complete: bool


def find_alike(thumbs: np.ndarray) -> Alike:
    """All pairs of thumbnails that show one picture, as it is or mirrored.

    Args:
        thumbs: uint8 [n, SIDE, SIDE, 3], RGB.
    """
    found: dict[tuple[int, int], Pair] = {}
    friends, parent = np.zeros(len(thumbs), np.int64), np.arange(len(thumbs))
    complete = True
    # In parts: the thumbnails of a million photos as floats would take gigabytes.
    detail = [_normalised(thumbs[start : start + CHUNK])[1] for start in range(0, len(thumbs), CHUNK)]
    clear = np.flatnonzero(np.concatenate([np.empty(0), *detail]) >= DETAIL)
    hashes = hash64(thumbs[clear])
    for mirrored in (False, True):
        others = hash64(thumbs[clear][:, :, ::-1]) if mirrored else hashes
        tables = [_table(hashes, others, band, same=not mirrored) for band in range(4)]
        cap = _cap(tables, WORK * len(clear))
        complete &= cap == CAPS[0]
        for first, second in _candidates(hashes, others, tables, cap):
            i, j = clear[first], clear[second]
            joined = _roots(parent)
            known = (joined[i] == joined[j]) & (friends[i] >= FRIENDS) & (friends[j] >= FRIENDS)
            complete &= not known.any()
            i, j = i[~known & (i != j)], j[~known & (i != j)]
            mine, _, tone = _normalised(thumbs[i])
            theirs, _, other_tone = _normalised(thumbs[j][:, :, ::-1] if mirrored else thumbs[j])
            likeness = np.einsum("nd,nd->n", mine, theirs)
            close = (likeness >= ALIKE) & (np.abs(tone - other_tone).max(1, initial=0) <= TONE)
            for one, other, r in zip(i[close].tolist(), j[close].tolist(), likeness[close].tolist(), strict=True):
                key = (min(one, other), max(one, other))
                if key not in found:
                    found[key] = Pair(*key, min(1.0, round(r, 4)), mirrored)
                    friends[one] += 1
                    friends[other] += 1
                    _join(parent, one, other)
    return Alike(tuple(sorted(found.values(), key=lambda pair: (-pair.likeness, pair))), complete)


def groups_of(pairs: Sequence[Pair]) -> list[list[int]]:
    """The positions that pairs join, directly or over others: each group ascending, in order of its first."""
    places = sorted({n for pair in pairs for n in pair[:2]})
    row = {n: i for i, n in enumerate(places)}
    parent = np.arange(len(places))
    for pair in pairs:
        _join(parent, row[pair.first], row[pair.second])
    groups: dict[int, list[int]] = {}
    for n, root in zip(places, _roots(parent), strict=True):
        groups.setdefault(int(root), []).append(n)
    return list(groups.values())


def _join(parent: np.ndarray, one: int, other: int) -> None:
    """Put two groups together: each place points at a smaller one of its group, or at itself."""
    first, second = sorted((_root(parent, one), _root(parent, other)))
    parent[second] = first


def _root(parent: np.ndarray, n: int) -> int:
    while parent[n] != n:
        parent[n] = parent[parent[n]]
        n = int(parent[n])
    return n


def _roots(parent: np.ndarray) -> np.ndarray:
    """The smallest place of each one's group."""
    while not (parent[parent] == parent).all():
        parent[:] = parent[parent]
    return parent.copy()


def hash64(thumbs: np.ndarray) -> np.ndarray:
    """uint64 [n]: which of the 64 lowest frequencies of the grey picture lie above their median.

    Source: the pHash of Zauner 2010, section 3.2.1, on thumbnails of 16 instead of 32 pixels.
    """
    place = (np.arange(SIDE) + 0.5) * np.pi / SIDE
    cosines = np.cos(np.arange(8)[:, None] * place).astype(np.float32)
    hashes = np.empty(len(thumbs), np.uint64)
    for start in range(0, len(thumbs), CHUNK):
        grey = thumbs[start : start + CHUNK].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
        waves = (cosines @ grey @ cosines.T).reshape(-1, 64)
        waves[:, 0] = 0  # the mean brightness, which says nothing of what is seen
        above = waves > np.median(waves[:, 1:], axis=1, keepdims=True)
        # Neighbouring frequencies go to different bands: they tend to agree, and a band's values shall differ.
        hashes[start : start + CHUNK] = np.packbits(above.reshape(-1, 16, 4).swapaxes(1, 2), axis=None).view(">u8")
    return hashes


def _normalised(thumbs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """float32 [n, d] with mean 0 per channel and length 1; the standard deviations [n]; the channels' means [n, 3]."""
    flat = thumbs.reshape(len(thumbs), SIDE * SIDE, 3).astype(np.float32)
    tone = flat.mean(1)
    flat -= tone[:, None]
    flat = flat.reshape(-1, 3 * SIDE * SIDE)
    length = np.linalg.norm(flat, axis=1)
    flat /= np.maximum(length, 1e-6)[:, None]
    return flat, length / np.sqrt(3 * SIDE * SIDE), tone


@dataclass(frozen=True)
class _Table:
    """The others sorted by one band of 16 bits: `order[begins[v] : begins[v + 1]]` are those whose band is v."""

    mine: np.ndarray  # the band of each hash that is looked up
    order: np.ndarray
    begins: np.ndarray
    rank: np.ndarray | None  # of each hash in order, where the others are the very same hashes

    def found(self, turned: int) -> tuple[np.ndarray, np.ndarray]:
        """Where in `order` the candidates of each hash begin, and how many there are; each pair of the same once."""
        begin, end = self.begins[self.mine ^ turned], self.begins[(self.mine ^ turned) + 1]
        if self.rank is not None:
            begin = np.where(self.mine & turned, end, begin) if turned else self.rank + 1
        return begin, end - begin


def _table(hashes: np.ndarray, others: np.ndarray, band: int, *, same: bool) -> _Table:
    mine, theirs = (_band(values, band).astype(np.int64) for values in (hashes, others))
    order = np.lexsort((others, theirs))
    begins = np.concatenate([[0], np.cumsum(np.bincount(theirs, minlength=1 << 16))])
    return _Table(mine, order, begins, np.argsort(order, kind="stable") if same else None)


def _band(hashes: np.ndarray, band: int) -> np.ndarray:
    return (hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)


def _cap(tables: Sequence[_Table], work: int) -> int:
    """The largest of CAPS with which all lookups together give at most `work` candidates."""
    totals = dict.fromkeys(CAPS, 0)
    for table in tables:
        for turned in TURNED:
            many = table.found(turned)[1]
            for cap in CAPS:
                totals[cap] += int(np.minimum(many, cap).sum())
    return next((cap for cap in CAPS if totals[cap] <= work), CAPS[-1])


def _candidates(
    hashes: np.ndarray, others: np.ndarray, tables: Sequence[_Table], cap: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(positions in hashes, positions in others) of hashes that differ in BITS bits at most; each pair in one band only.

    Two hashes that differ in 7 bits agree in one of the four bands but for one bit. So each band is looked up as it is
    and with each of its bits turned.
    """
    everyone = np.arange(len(hashes))
    for band, table in enumerate(tables):
        for turned in TURNED:
            begin, many = table.found(turned)
            many = np.minimum(many, cap)
            for part in _parts(many):
                n = many[part]
                first = np.repeat(everyone[part], n)
                step = np.arange(len(first)) - np.repeat(np.cumsum(n) - n, n)
                second = table.order[np.repeat(begin[part], n) + step]
                differ = hashes[first] ^ others[second]
                new = _ones(differ) <= BITS
                first, second, differ = first[new], second[new], differ[new]
                for earlier in range(band):
                    new = _ones(_band(differ, earlier)) > 1
                    first, second, differ = first[new], second[new], differ[new]
                for start in range(0, len(first), BATCH):
                    yield first[start : start + BATCH], second[start : start + BATCH]


def _parts(many: np.ndarray) -> Iterator[slice]:
    """Slices of `many` whose sums are 4 * CHUNK at most, or one place: so much is held in memory at once."""
    ends = np.cumsum(many)
    start = 0
    while start < len(many):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + 4 * CHUNK, side="right")))
        yield slice(start, stop)
        start = stop


def _ones(bits: np.ndarray) -> np.ndarray:
    """The number of ones in each of uint64 [n] (numpy 1.26 has no bitwise_count)."""
    bits = bits - ((bits >> np.uint64(1)) & np.uint64(0x5555555555555555))
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (bits * np.uint64(0x0101010101010101)) >> np.uint64(56)
