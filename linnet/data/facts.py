"""The diagnosis of the photos as a whole as plain values for JSON: positions become paths, long lists are cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from . import leaks
from .listing import shown_below
from .near import groups_of
from .shape import elongated, enlarged, seen_shares

if TYPE_CHECKING:
    from .doctor import Diagnosis

MOST = 1000  # entries of a list; `n` beside it counts all
QUANTILES = (("min", 0.0), ("p5", 0.05), ("median", 0.5), ("max", 1.0))


def facts(d: Diagnosis) -> dict[str, Any]:
    """Keys: near_duplicates, balance, size, formats, tones; and labels where a model was asked."""
    members, splits = d.everything, leaks.split_names(d.photos)

    def path(n: int) -> str:
        return shown_below(members[n].path, d.photos.root)

    def name(n: int) -> str:
        return ";".join(d.photos.classes[label] for label in members[n].labels)

    def listed(places: Sequence[int]) -> dict[str, Any]:
        return {"n": len(places), "paths": [path(n) for n in places[:MOST]]}

    pairs = [
        {
            "paths": [path(pair.first), path(pair.second)],
            "splits": [splits[pair.first], splits[pair.second]],
            "labels": [name(pair.first), name(pair.second)],
            "likeness": pair.likeness,
            "mirrored": pair.mirrored,
        }
        for pair in leaks.ordered(d.photos, d.alike)[:MOST]
    ]
    shares = sorted(seen_shares(d.shapes, d.preprocess))
    found: dict[str, Any] = {
        "near_duplicates": {
            "n": len(d.alike.pairs),
            "groups": len(groups_of(d.alike.pairs)),
            "across_splits": leaks.across(d.photos, d.alike),
            "complete": d.alike.complete,
            "pairs": pairs,
        },
        "balance": asdict(d.balance) if d.balance else None,
        "size": {
            "image": d.preprocess.image,
            "resize": d.preprocess.resize,
            "enlarged": len(enlarged(d.shapes, d.preprocess)),
            "seen_share": {name: round(shares[int(at * (len(shares) - 1))], 4) for name, at in QUANTILES}
            if shares
            else {},
            "very_long": listed(elongated(d.shapes)),
        },
        "formats": dict(sorted(Counter(d.kinds).items())),
        "tones": {kind: listed(places) for kind, places in d.tones._asdict().items()},
    }
    if d.labels is not None:
        found["labels"] = {
            "model": d.labels.model,
            "held_out": d.labels.held_out,
            "right": d.labels.right,
            "seen": d.labels.seen,
            "n": len(d.labels.suspects),
            "suspects": [
                {"path": path(one.position), **{k: v for k, v in asdict(one).items() if k != "position"}}
                for one in d.labels.suspects[:MOST]
            ],
        }
    return found
