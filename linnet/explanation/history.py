"""How the network was trained: the recipe in words, its phases, and the curves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from . import charts
from .folder import RunFolder
from .headline import network_name
from .section import Missing, Values
from .text import NONE, finite, interval, number, percent, plain, shortened

PHASE = {
    "epochs": "epochs",
    "image": "image, px",
    "batch": "batch",
    "randaugment": "RandAugment",
    "mixup": "mixup",
    "cutmix": "cutmix",
    "erasing": "erasing",
    "dropout": "dropout",
    "drop_path": "drop path",
    "lr_factor": "rate ×",
    "freeze": "frozen rows",
}


def training(run: RunFolder) -> Values:
    """The recipe in words, and its phases; what is off in all phases is only named."""
    recipe = run.recipe
    if not recipe:
        raise Missing("How it was trained is not known: the run has no recipe.json.")
    phases = [phase for phase in recipe.get("phases", []) if isinstance(phase, dict)]
    neutral = {"lr_factor": 1}
    off = [
        key
        for key in list(PHASE)[3:]
        if all(phase.get(key, neutral.get(key, 0)) == neutral.get(key, 0) for phase in phases)
    ]
    shown = [key for key in PHASE if key not in off]
    facts = [
        ("network", network_name(run)),
        ("began with", shortened(recipe.get("pretrained") or "random weights (from scratch)")),
        ("optimiser", _with_settings(recipe.get("optimizer"))),
        ("learning rate", _with_settings(recipe.get("schedule"))),
        ("average of weights (EMA)", _or_off(recipe.get("ema"))),
        ("label smoothing", _or_off(recipe.get("label_smoothing"))),
        ("precision", recipe.get("precision")),
        ("memory format", str(recipe.get("memory_format") or "").replace("_", " ")),
        ("loader workers", recipe.get("workers")),
        ("seed", recipe.get("seed")),
    ]
    return {
        "facts": [(name, shortened(value, 120)) for name, value in facts if value not in (None, "")],
        "columns": [PHASE[key] for key in shown],
        "phases": [
            [number(i), *(plain(phase[key]) if finite(phase.get(key)) else NONE for key in shown)]
            for i, phase in enumerate(phases, 1)
        ],
        "off": [PHASE[key] for key in off if key not in ("lr_factor", "freeze")],
        "measured": [
            (_layout(note), number(note.get("images_per_second")))
            for note in run.notes
            if note.get("text") == "measured"
        ],
        "notes": [shortened(n.get("text", ""), 300) for n in run.notes if n.get("text") != "measured"][:40],
    }


def _layout(note: Mapping[str, Any]) -> str:
    layout = str(note.get("memory_format", "")).replace("contiguous", "default layout").replace("_", "-")
    return f"{layout} {note.get('precision', '')}"


def _with_settings(value: Any) -> str:
    if not isinstance(value, dict):
        return shortened(value or "")
    said = [
        f"{key.replace('_', ' ')} {' and '.join(map(plain, v)) if isinstance(v, list) else plain(v)}"
        for key, v in value.items()
        if key != "kind" and (finite(v) or isinstance(v, list))
    ]
    return f"{value.get('kind', '')}{': ' if said else ''}{', '.join(said)}"


def _or_off(value: Any) -> str:
    return "off" if value == 0 else plain(value) if finite(value) else ""


def curves(run: RunFolder) -> Values:
    """Loss, accuracy, image size, learning rate, throughput and gradient norm; x counts epochs that are done."""
    if not run.epochs and not run.steps:
        raise Missing("There are no curves: the run has no log.jsonl with steps or epochs.")
    steps = _by_epoch(run.steps)
    checked = [(e["epoch"] + 1, e["validation"]) for e in run.epochs if isinstance(e.get("validation"), dict)]
    train_loss = [(x, s["loss"]) for x, s in steps if finite(s.get("loss"))]
    train_loss = train_loss or [(e["epoch"] + 1, e["train_loss"]) for e in run.epochs if finite(e.get("train_loss"))]
    images = [(e["epoch"], e.get("image")) for e in run.epochs] or [(x, s.get("image")) for x, s in steps]
    if run.epochs:
        images.append((run.epochs[-1]["epoch"] + 1, run.epochs[-1].get("image")))
    rates = [(x, s["lr"]) for x, s in steps if finite(s.get("lr"))]
    rates = rates or [(e["epoch"] + 1, e["lr"]) for e in run.epochs if finite(e.get("lr"))]
    bands = [(x, *v["interval"]) for x, v in checked if interval(v.get("interval")) != NONE]
    train_top1 = [(e["epoch"] + 1, e["train_top1"]) for e in run.epochs if finite(e.get("train_top1"))]
    changes = [
        (later["epoch"], f"from here {later.get('image')} px")
        for earlier, later in zip(run.epochs, run.epochs[1:], strict=False)
        if earlier.get("phase") != later.get("phase")
    ]
    until = max([e["epoch"] + 1 for e in run.epochs] + [math.ceil(x) for x, _ in steps])
    line, thinned = charts.Line, charts.thinned
    drawn = [
        (
            "Loss",
            charts.line_chart(
                "Loss over epochs",
                [
                    line("training", thinned(train_loss, 160), "train"),
                    line("validation", thinned((x, v.get("loss")) for x, v in checked), "validation", marks=True),
                ],
                low=0,
                changes=changes,
                until=until,
            ),
        ),
        (
            "Accuracy",
            charts.line_chart(
                "Accuracy over epochs",
                [
                    line("training", thinned(train_top1), "train"),
                    line(
                        "validation",
                        thinned((x, v.get("top1")) for x, v in checked),
                        "validation",
                        band=tuple(bands),
                        marks=True,
                    ),
                ],
                y_format=lambda y: percent(y, 0 if abs(y * 100 - round(y * 100)) < 1e-6 else 1),
                high=1.0,
                changes=changes,
                until=until,
            ),
        ),
        (
            "Mean average precision",
            charts.line_chart(
                "Mean average precision over epochs",
                [
                    line(
                        "validation",
                        thinned((x, v.get("mean_average_precision")) for x, v in checked),
                        "validation",
                        marks=True,
                    )
                ],
                y_format=lambda y: percent(y, 0 if abs(y * 100 - round(y * 100)) < 1e-6 else 1),
                high=1.0,
                changes=changes,
                until=until,
            ),
        ),
        (
            "Image size",
            charts.line_chart(
                "Image size over epochs",
                [line("pixels", tuple((x, y) for x, y in images if y is not None), stairs=True)],
                y_format=lambda y: number(round(y)),
                low=0,
                changes=changes,
                until=until,
            ),
        ),
        (
            "Learning rate",
            charts.line_chart(
                "Learning rate over epochs",
                [line("rate", thinned(rates))],
                y_format=lambda y: plain(y, 2),
                low=0,
                changes=changes,
                until=until,
            ),
        ),
    ]
    for name, key, label in (
        ("Throughput", "images_per_second", "images/s"),
        ("Gradient norm", "gradient_norm", "norm"),
    ):
        points = [(x, s[key]) for x, s in steps if finite(s.get(key))]
        drawn.append(
            (
                name,
                charts.line_chart(
                    f"{name} over epochs", [line(label, thinned(points))], low=0, changes=changes, until=until
                ),
            )
        )
    drawings = [(name, Markup(svg)) for name, svg in drawn if svg]
    if not drawings:
        raise Missing("There are no curves: the log holds no finite numbers.")
    return {"drawings": drawings, "has_band": len(bands) > 1, "has_changes": bool(changes)}


def _by_epoch(steps: Sequence[Mapping[str, Any]]) -> list[tuple[float, Mapping[str, Any]]]:
    """Steps with their place in epochs: those of an epoch are spread evenly over it."""
    of_epoch = Counter(step["epoch"] for step in steps)
    seen: Counter[int] = Counter()
    placed = []
    for step in steps:
        epoch = step["epoch"]
        placed.append((epoch + (seen[epoch] + 0.5) / of_epoch[epoch], step))
        seen[epoch] += 1
    return placed
