"""The values of the doctor's page: counts, remarks, samples of each class, look-alikes side by side, doubted labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from ..data import leaks
from ..data.image import BadImage, open_image
from ..data.listing import shown_below
from ..data.shape import elongated, enlarged, seen_shares
from . import bars
from .inputs import VERDICTS
from .text import number, percent, shortened
from .thumbnail import shrunk, thumbnail

if TYPE_CHECKING:
    from ..data.doctor import Diagnosis

# Pictures by part, their side in pixels and most characters: together below 2.5 MB.
SAMPLES, CLASSES, SAMPLE_SIDE, SAMPLE_SIZE = 120, 60, 112, 7_000
PAIRS, SUSPECTS, ODD, SIDE, SIZE = 20, 24, 6, 160, 12_000
FILES = 300  # bad files that are listed by name

Values = dict[str, Any]


def checkup(d: Diagnosis, *, has_csv: bool) -> Values:
    """Everything the template checkup.html.j2 shows; texts are made harmless and escaped there."""
    totals = {split: len(d.photos.splits[split]) for split in d.counts}
    return {
        "title": f"{shortened(d.photos.root.resolve().name or 'The photos', 60)}: {len(d.shapes):,} photos, {len(d.photos.classes):,} classes",
        "problems": [shortened(problem, 300) for problem in d.problems],
        "tiles": _tiles(d, totals),
        "remarks": [
            {"topic": one.topic, "seen": one.seen, "meaning": one.meaning, "remedy": one.remedy} for one in d.remarks
        ],
        "has_csv": has_csv,
        "counts": _counts(d, totals),
        "samples": _samples(d),
        "pairs": _pairs(d),
        "labels": _labels(d),
        "sizes": _sizes(d),
        "odd": _odd(d),
        "findings": _findings(d),
    }


def _tiles(d: Diagnosis, totals: dict[str, int]) -> list[tuple[str, str, str, str]]:
    splits = ", ".join(f"{number(n)} {split}" for split, n in totals.items() if n)
    bad, told = len(d.quarantined()), leaks.across(d.photos, d.alike)
    leaked = sum(told.values())
    even = d.balance
    tiles = [
        ("Photos", number(len(d.shapes)), splits, ""),
        (
            "Bad files",
            number(bad),
            "could not be used" if bad else "every photo could be read",
            "bad" if bad else "good",
        ),
        (
            "Leaks",
            number(leaked),
            "photos of validation and test that look like one of an earlier split",
            "bad" if leaked else "good",
        ),
        (
            "Largest to smallest class",
            f"{even.ratio:.1f} : 1" if even else "–",
            f"{shortened(even.largest, 20)} to {shortened(even.smallest, 20)}" if even else "",
            "",
        ),
    ]
    if d.labels is not None:
        tiles.append(
            ("Doubted labels", number(len(d.labels.suspects)), "by the model", "bad" if d.labels.suspects else "good")
        )
    return tiles


def _counts(d: Diagnosis, totals: dict[str, int]) -> Values:
    splits = [split for split, n in totals.items() if n]
    most = max([1, *d.counts["train"].values()])
    rows = [
        (
            shortened(name, 48),
            Markup(bars.bar(d.counts["train"][name] / most)),
            [number(d.counts[split][name]) for split in splits],
            number(d.bad[name]),
        )
        for name in d.photos.classes
    ]
    return {
        "splits": splits,
        "rows": rows,
        "totals": [number(totals[split]) for split in splits],
        "bad": number(len(d.quarantined())),
    }


def _samples(d: Diagnosis) -> Values:
    """Some photos of train per class, by digest: the same ones for the same photos, whatever they are called."""
    order = sorted(range(len(d.photos.classes)), key=lambda c: (d.counts["train"][d.photos.classes[c]], c))
    chosen = sorted(order[:CLASSES])
    each = min(8, max(2, SAMPLES // max(1, len(chosen))))
    members: dict[int, list[int]] = {label: [] for label in chosen}
    for n, photo in sorted(enumerate(d.photos.train), key=lambda pair: pair[1].digest):
        for label in photo.labels:
            if label in members and len(members[label]) < each:
                members[label].append(n)
    return {
        "classes": [
            (shortened(d.photos.classes[label], 48), number(d.counts["train"][d.photos.classes[label]]),
             [_picture(d, n, SAMPLE_SIDE, SAMPLE_SIZE) for n in members[label]])
            for label in chosen
        ],
        "left_out": number(len(order) - len(chosen)) if len(order) > len(chosen) else "",
    }  # fmt: skip


def _pairs(d: Diagnosis) -> Values:
    splits = leaks.split_names(d.photos)
    pairs = leaks.ordered(d.photos, d.alike)
    cards = []
    for pair in pairs[:PAIRS]:
        one, other = _picture(d, pair.first, SIDE, SIZE), _picture(d, pair.second, SIDE, SIZE)
        harm = []
        if splits[pair.first] != splits[pair.second]:
            harm.append(f"{splits[pair.first]} and {splits[pair.second]}")
        if one["label"] != other["label"]:
            harm.append("different labels")
        cards.append({
            "one": {**one, "split": splits[pair.first]},
            "other": {**other, "split": splits[pair.second]},
            "harm": ", ".join(harm),
            "told": f"{'mirrored, ' if pair.mirrored else ''}{percent(pair.likeness)} alike",
        })  # fmt: skip
    return {
        "cards": cards,
        "n": number(len(pairs)),
        "more": number(len(pairs) - len(cards)) if len(pairs) > len(cards) else "",
        "complete": d.alike.complete,
    }


def _labels(d: Diagnosis) -> Values:
    if d.labels is None:
        return {"asked": False}
    fresh = [one for one in d.labels.suspects if not one.seen]
    known = [one for one in d.labels.suspects if one.seen]
    shown = fresh[: max(SUSPECTS // 2, SUSPECTS - len(known))]
    shown += known[: SUSPECTS - len(shown)]
    cards = [
        {
            **_picture(d, one.position, SIDE, SIZE),
            "given": shortened(one.given, 40),
            "predicted": shortened(one.predicted, 40),
            "probability": percent(one.probability, 0),
            "own": percent(one.own, 0),
            "seen": one.seen,
        }
        for one in shown
    ]
    return {
        "asked": True,
        "model": shortened(d.labels.model, 60),
        "held_out": number(d.labels.held_out),
        "right": percent(d.labels.right / d.labels.held_out) if d.labels.held_out else "",
        "fresh": number(len(fresh)),
        "known": number(len(known)),
        "cards": cards,
        "more": number(len(d.labels.suspects) - len(cards)) if len(d.labels.suspects) > len(cards) else "",
    }


def _sizes(d: Diagnosis) -> Values:
    if not d.shapes:
        return {"drawings": []}
    short = [min(size) for size in d.shapes]
    aspects = [wide / max(1, high) for wide, high in d.shapes]
    shares = seen_shares(d.shapes, d.preprocess)
    drawings = [
        (
            "Short side, in pixels",
            bars.histogram("Photos by their short side", short, mark=d.preprocess.resize, whole=True),
        ),
        ("Width divided by height", bars.histogram("Photos by width divided by height", aspects, mark=1.0)),
    ]
    if d.preprocess.mode == "crop":
        drawings.append(
            (
                "Share of the area that is seen",
                bars.histogram("Photos by the share of the area that is seen", shares, low=0.0, high=1.0),
            )
        )
    return {
        "drawings": [(name, Markup(drawing)) for name, drawing in drawings if drawing],
        "image": number(d.preprocess.image),
        "resize": number(d.preprocess.resize),
        "enlarged": number(len(enlarged(d.shapes, d.preprocess))),
        "formats": [
            f"{number(d.kinds.count(kind))} {kind}"
            for kind in sorted(set(d.kinds), key=lambda kind: (-d.kinds.count(kind), kind))
        ],
        "grey": number(len(d.tones.grey)),
    }


def _odd(d: Diagnosis) -> Values:
    """Pictures that stand out, a few of each kind, and how many there are."""
    least = sorted(range(len(d.shapes)), key=lambda n: (min(d.shapes[n]), n))
    small = set(enlarged(d.shapes, d.preprocess))
    parts: list[tuple[str, Sequence[int]]] = [
        ("almost black", d.tones.black),
        ("almost white", d.tones.white),
        ("of one colour", d.tones.uniform),
        ("very wide or tall", elongated(d.shapes)),
        ("enlarged", [n for n in least if n in small]),
    ]
    cards = [
        {**_picture(d, n, SIDE, SIZE), "what": what, "size": " × ".join(map(number, d.shapes[n]))}
        for what, places in parts
        for n in places[:ODD]
    ]
    return {"cards": cards, "told": [f"{number(len(places))} {what}" for what, places in parts if places]}


def _findings(d: Diagnosis) -> Values:
    grouped = Counter((finding.verdict, finding.reason) for finding in d.findings)
    example = {(finding.verdict, finding.reason): finding.path for finding in reversed(d.findings)}
    order = [*VERDICTS, "problem"]
    kinds = sorted(grouped.items(), key=lambda kind: (order.index(kind[0][0]), -kind[1], kind[0]))
    named = [finding for finding in d.findings if finding.verdict in ("quarantined", "repaired", "left out")]
    return {
        "kinds": [
            (VERDICTS.get(verdict, verdict), shortened(reason, 160), number(n), shortened(example[verdict, reason], 60))
            for (verdict, reason), n in kinds[:40]
        ],
        "more_kinds": max(0, len(kinds) - 40),
        "files": [
            (shortened(one.path, 90), VERDICTS[one.verdict], shortened(one.reason, 160)) for one in named[:FILES]
        ],
        "more_files": max(0, len(named) - FILES),
    }


def _picture(d: Diagnosis, n: int, side: int, most: int) -> Values:
    photo = leaks.photo_at(d.photos, n)
    if photo.packed is None and photo.mended is None:
        uri, why_not = thumbnail(photo.path, side, most)
    else:
        try:
            picture = photo.packed.picture() if photo.packed else open_image(photo.file, at_least=side)
            uri, why_not = shrunk(picture, side, most), ""
        except BadImage as error:  # since the doctor looked at it
            uri, why_not = Markup(), error.reason
    names = [d.photos.classes[label] for label in photo.labels]
    return {
        "uri": uri,
        "why_not": why_not,
        "path": shortened(shown_below(photo.path, d.photos.root), 60),
        "label": shortened(", ".join(names) or "no label", 40),
    }
