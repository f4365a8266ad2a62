"""Photos that may have several labels each, or none: how a CSV says it, and how they are split by content."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from ..errors import DataError, did_you_mean

KNOWN = ("path", "labels", "split")
FORMS = "Allowed are path,labels[,split] with labels like cat;dog, or a column per label that holds 0 or 1"


def label_columns(header: Sequence[str], where: str) -> tuple[str, ...]:
    """The columns of a CSV's header that are labels themselves; none where its one column `labels` lists them.

    Raises: DataError for columns that are said twice, that mix both forms, or that name no label.
    """
    words = [name.lower() if name.lower() in (*KNOWN, "label") else name for name in header]
    if twice := [word for word in words if words.count(word) > 1]:
        raise DataError(f"{where}: there are two columns {twice[0]!r}. Keep one of them.")
    own = tuple(word for word in words if word not in KNOWN)
    if "" in own:
        raise DataError(f"{where}: column {words.index('') + 1} has no name. Name every column. {FORMS}.")
    if "labels" in words and own:
        raise DataError(f"{where}: beside labels there is a column {own[0]!r}. {FORMS}; not both.")
    if "labels" not in words and not own:
        raise DataError(f"{where}: there is no column that says labels. {FORMS}.")
    return own


def labels_of(row: Mapping[str, str], columns: Sequence[str], where: str) -> tuple[str, ...]:
    """The labels that one row gives, each once: of its list `cat;dog`, or the `columns` that hold a 1.

    Raises: DataError for a cell that is neither 0 nor 1.
    """
    if not columns:
        return tuple(dict.fromkeys(word.strip() for word in row["labels"].split(";") if word.strip()))
    for name in columns:
        if row[name] not in ("0", "1"):
            hint = did_you_mean(name.lower(), ["label", *KNOWN])
            raise DataError(f"{where}: column {name!r} holds {row[name][:40]!r}, not 0 or 1.{hint} {FORMS}.")
    return tuple(name for name in columns if row[name] == "1")


def split_several(labels: Mapping[str, Sequence[str]], shares: Mapping[str, float]) -> dict[str, str]:
    """digest -> split, from the labels of each picture (by its digest) and the shares of validation and test.

    A picture's place depends on its content alone, so that adding files moves no other. Only where a split would have
    none of a label, the nearest picture with it is taken; all pictures of a label that has fewer than there are splits
    are for training. The rarest label comes first, and what it needs stays (the order of iterative stratification:
    Sechidis et al. 2011; the shares of single labels are left to chance, not evened out).
    """
    order = [split for split in ("test", "validation") if shares[split] > 0] + ["train"]
    places = {}
    for digest in sorted(labels):
        place = int(digest[:13], 16) / 16**13
        in_test, in_validation = place < shares["test"], place < shares["test"] + shares["validation"]
        places[digest] = "test" if in_test else "validation" if in_validation else "train"
    having: dict[str, list[str]] = defaultdict(list)
    for digest in sorted(labels):
        for label in labels[digest]:
            having[label].append(digest)
    needed: set[str] = set()  # pictures that a rarer label has its place by
    for label in sorted(having, key=lambda label: (len(having[label]), label)):
        if len(having[label]) < len(order):
            free = [digest for digest in having[label] if digest not in needed]
            places |= dict.fromkeys(free, "train")
            needed |= set(free)
            continue
        for split in reversed(order):
            members = {other: [d for d in having[label] if places[d] == other] for other in order}
            if not members[split]:
                giver = max(order, key=lambda other: len(members[other]))
                free = [digest for digest in members[giver] if digest not in needed]
                if len(members[giver]) < 2 or not free:
                    continue  # rarer labels hold them all
                nearest = free[0 if order.index(split) < order.index(giver) else -1]
                places[nearest] = split
                members[split] = [nearest]
            if not needed & set(members[split]):
                needed.add(members[split][0])
    return places


def too_few(labels: Mapping[str, Sequence[str]], splits: int) -> list[tuple[str, int]]:
    """Labels of which fewer pictures are different than there are splits to have one each, and how many."""
    numbers: dict[str, int] = defaultdict(int)
    for said in labels.values():
        for label in said:
            numbers[label] += 1
    return [(label, n) for label, n in sorted(numbers.items()) if n < splits]


def multi_hot(labels: Sequence[str], classes: Sequence[str]) -> bytes:
    """One byte per class: 1 where it is among `labels`."""
    return bytes(name in labels for name in classes)
