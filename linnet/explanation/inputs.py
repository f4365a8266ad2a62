"""What went in: the photos, as the data doctor saw them, and the network, counted row by row."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from markupsafe import Markup

from . import charts
from .folder import RunFolder, photos_in
from .section import Missing, Values
from .text import magnitude, number, percent, shortened

if TYPE_CHECKING:
    from ..arch.spec import Arch

ROWS = 30
NAMED_FILES = 300
VERDICTS = {
    "quarantined": "not used: bad file",
    "repaired": "used in part: truncated",
    "left out": "left out",
    "note": "used, noticed",
    "ignored": "passed over: no picture",
}


def data(run: RunFolder) -> Values:
    """Photos by class and split, and what the doctor found."""
    if not run.data:
        raise Missing("What the data doctor found is not known: the run has no data.json.")
    counts, bad = run.data.get("counts", {}), run.data.get("bad", {})
    splits = [split for split in counts if sum(counts[split].values())]
    rows = [
        (shortened(name, 48), [number(counts[s].get(name, 0)) for s in splits], number(bad.get(name, 0)))
        for name in run.data.get("classes", [])
    ]
    findings = run.data.get("findings", [])
    grouped = Counter((f["verdict"], f["reason"]) for f in findings)
    example = {(f["verdict"], f["reason"]): f["path"] for f in reversed(findings)}
    order = list(VERDICTS)
    kinds = sorted(grouped.items(), key=lambda k: (order.index(k[0][0]) if k[0][0] in order else 9, -k[1], k[0]))
    named = [f for f in findings if f["verdict"] in ("quarantined", "repaired", "left out")]
    sides = run.data.get("sizes", {})
    remarks = run.data.get("remarks", [])
    return {
        "splits": [shortened(split, 20) for split in splits],
        "rows": rows,
        "totals": ([number(photos_in(run.data, s)) for s in splits], number(sum(bad.values()))),
        "fold": len(rows) > ROWS,
        "sizes": [
            f"{number(sides[side]['min'])} to {number(sides[side]['max'])} {word} (median {number(sides[side]['median'])})"
            for side, word in (("width", "wide"), ("height", "high"))
            if side in sides
        ],
        # A run of an older version has no remarks, only the figure.
        "imbalance": f"{run.data['imbalance']:.1f}" if run.data.get("imbalance", 0) > 3 and not remarks else "",
        "remarks": [shortened(f"{remark['seen']} {remark['meaning']}", 400) for remark in remarks],
        "problems": [shortened(problem, 300) for problem in run.data.get("problems", [])],
        "n_bad": number(sum(bad.values())),
        "any_bad": sum(bad.values()) > 0,
        "kinds": [
            (VERDICTS.get(verdict, verdict), shortened(reason, 160), number(n), shortened(example[verdict, reason], 60))
            for (verdict, reason), n in kinds[:40]
        ],
        "more_kinds": max(0, len(kinds) - 40),
        "files": [
            (shortened(f["path"], 90), VERDICTS[f["verdict"]], shortened(f["reason"], 160)) for f in named[:NAMED_FILES]
        ],
        "more_files": max(0, len(named) - NAMED_FILES),
    }


def network(run: RunFolder) -> Values:
    """The table row by row, counted at the size the model is used at."""
    from ..cost.count import count

    arch, image = network_of(run)
    counts = count(arch, image)
    total, most = counts.total, max(row.madds for row in counts.rows)
    return {
        "name": shortened(arch.name),
        "image": number(image),
        "source": shortened(arch.source, 200),
        "params": magnitude(total.params),
        "madds": magnitude(total.madds),
        "rows": [
            {
                "name": row.name,
                "operator": shortened(row.operator, 80),
                "layers": number(row.layers),
                "output": " × ".join(map(str, row.output)),
                "params": number(row.params),
                "madds": magnitude(row.madds),
                "bar": Markup(charts.bar(row.madds / most if most else 0)),
                "share": percent(row.madds / total.madds if total.madds else 0),
            }
            for row in counts.rows
        ],
        "total_params": number(total.params),
        "total_madds": magnitude(total.madds),
        "bn_stats": number(total.bn_stats),
    }


def network_of(run: RunFolder) -> tuple[Arch, int]:
    """The network with its classes, and the size it is used at.

    Raises: Missing when the run does not say.
    """
    from ..arch.names import find
    from ..arch.spec import Arch

    given = run.bundle.get("arch") or run.recipe.get("arch")
    if not given:
        raise Missing("The network is not known: the run has neither a recipe.json nor a bundle.")
    arch = Arch.from_json(given) if isinstance(given, dict) else find(str(given))
    if run.classes:
        arch = arch.with_classes(len(run.classes))
    return arch, _image(run) or arch.image


def _image(run: RunFolder) -> int | None:
    preprocess = run.bundle.get("preprocess") or run.recipe.get("preprocess") or {}
    phases = run.recipe.get("phases") or [{}]
    sides = (preprocess.get("image"), run.recipe.get("eval_image"), phases[-1].get("image"))
    return next((side for side in sides if isinstance(side, int) and side > 0), None)
