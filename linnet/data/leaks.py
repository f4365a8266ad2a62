"""What look-alikes mean for the splits: which reach across, and a list of the photos in which none does."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence

from .near import Alike, Pair, groups_of
from .source import SPLITS, Photo, Photos


def everything(photos: Photos) -> tuple[Photo, ...]:
    """All photos, split after split: positions of look-alikes, tones and suspects count in this order."""
    return tuple(photo for members in photos.splits.values() for photo in members)


def photo_at(photos: Photos, n: int) -> Photo:
    """`everything(photos)[n]`, without putting all of them together."""
    for members in photos.splits.values():
        if n < len(members):
            return members[n]
        n -= len(members)
    raise IndexError(n)


def split_names(photos: Photos) -> list[str]:
    """The split of each photo, in the order of `everything`."""
    return [split for split, members in photos.splits.items() for _ in members]


def ordered(photos: Photos, alike: Alike) -> list[Pair]:
    """The pairs that do most harm first: across splits, then of different labels, then the others; the most alike first."""
    splits, members = split_names(photos), everything(photos)

    def harm(pair: Pair) -> tuple[bool, bool, float, int, int]:
        one, other = pair.first, pair.second
        same_split, same_label = splits[one] == splits[other], members[one].labels == members[other].labels
        return (same_split, same_label, -pair.likeness, one, other)

    return sorted(alike.pairs, key=harm)


def copies(photos: Photos) -> dict[str, list[int]]:
    """The positions of each digest. Look-alikes name the first of the same bytes alone; all of them are in one split."""
    places: dict[str, list[int]] = {}
    for n, photo in enumerate(everything(photos)):
        places.setdefault(photo.digest, []).append(n)
    return places


def across(photos: Photos, alike: Alike) -> dict[str, int]:
    """Photos of validation and of test that have a look-alike in an earlier split; splits without any are left out."""
    if not alike.pairs:
        return {}
    splits, members, same = split_names(photos), everything(photos), copies(photos)
    touched: dict[str, set[int]] = {}
    for pair in alike.pairs:
        later = max(pair.first, pair.second, key=lambda n: SPLITS.index(splits[n]))
        if splits[pair.first] != splits[pair.second]:
            touched.setdefault(splits[later], set()).update(same[members[later].digest])
    return {split: len(touched[split]) for split in SPLITS if split in touched}


def contradictions(photos: Photos, alike: Alike) -> list[Pair]:
    """Pairs that look alike and have different labels."""
    members = everything(photos)
    return [pair for pair in ordered(photos, alike) if members[pair.first].labels != members[pair.second].labels]


def apart(photos: Photos, alike: Alike) -> list[tuple[Photo, str]] | None:
    """(photo, split) of a data set in which no look-alikes are in two splits; None where that is so already.

    Where the splits were cut by content, all of a group go where its member with the smallest digest is. Where the user made
    them, the later split keeps its own and the look-alikes in earlier ones are left out, as is done with identical files.
    """
    if not across(photos, alike):
        return None
    members, places = everything(photos), dict[int, str | None](enumerate(split_names(photos)))
    same = copies(photos)
    for joined in groups_of(alike.pairs):
        group = [n for one in joined for n in same[members[one].digest]]
        here = [str(places[n]) for n in group]
        if photos.was_split:
            home = places[min(group, key=lambda n: members[n].digest)]
            places |= dict.fromkeys(group, home)
        else:
            last = max(here, key=SPLITS.index)
            places |= {n: None for n, split in zip(group, here, strict=True) if split != last}
    return [(photo, split) for n, photo in enumerate(members) if (split := places[n]) is not None]


def as_csv(chosen: Sequence[tuple[Photo, str]], photos: Photos) -> str | None:
    """The text of a CSV that find_photos reads, with whole paths; None where a name cannot be written in one, and for packed photos."""
    several = photos.several
    rows = [("path", "labels" if several else "label", "split")]
    for photo, split in chosen:
        path = os.path.abspath(photo.path)
        names = [photos.classes[label] for label in photo.labels]
        if (
            photo.packed
            or not _plain(path)
            or not all(map(_plain, names))
            or (several and any(";" in name for name in names))
        ):
            return None
        rows.append((path, ";".join(names), split))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _plain(text: str) -> bool:
    """Whether a CSV in UTF-8 gives this text back: rows are lines, and blanks at the ends are taken off."""
    return text == text.strip() and text.isprintable()
