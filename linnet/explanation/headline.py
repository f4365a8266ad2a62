"""The top of the page: what a person wants to know first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .folder import RunFolder, photos_in, score
from .proof import bundle_tiles
from .section import Values
from .text import NONE, duration, finite, interval, number, percent, shortened


def headline(run: RunFolder) -> Values:
    """What a person wants to know first, each as (name, figure, small print, good | bad | plain)."""
    n_classes, trained_on = len(run.classes), photos_in(run.data, "train")
    what = f"An image classifier for {n_classes} classes" if n_classes else "An image classifier"
    metrics, split = measured(run)
    if metrics:
        seen = "photos it had never seen" if split == "test" else f"the {split} photos"
        what = f"{n_classes or 'Some'} classes, {percent(score(metrics))} right on {seen}"
        if "top1" not in metrics:
            what = f"{n_classes or 'Some'} labels, mean average precision {percent(score(metrics))} on {seen}"
    tiles = [accuracy_tile(run), *bundle_tiles(run)]
    return {
        "title": what,
        "network": network_name(run),
        "photos": number(trained_on) if trained_on else "",
        "held_out": [
            f"{number(n)} for {use}"
            for use, n in (("validation", photos_in(run.data, "validation")), ("the test", photos_in(run.data, "test")))
            if n
        ],
        "several": bool(metrics) and "top1" not in metrics,
        "classes": [shortened(name, 40) for name in run.classes[:12]],
        "more_classes": max(0, n_classes - 12),
        "pretrained": shortened(run.recipe.get("pretrained") or "", 60),
        "from_scratch": bool(run.recipe) and not run.recipe.get("pretrained"),
        "took": duration(sum(e["seconds"] for e in run.epochs if finite(e.get("seconds")))) if run.epochs else "",
        "n_epochs": len(run.epochs),
        "tiles": tiles,
    }


def accuracy_tile(run: RunFolder) -> tuple[str, str, str, str]:
    metrics, split = measured(run)
    if not metrics:
        return "accuracy", NONE, "not measured yet", "plain"
    name = "accuracy" if "top1" in metrics else "mean average precision"
    ends, n = metrics.get("top1_interval") or metrics.get("interval"), metrics.get("n")
    ends = ends or metrics.get("mean_average_precision_interval")
    small = f"95\u00a0% interval {interval(ends)}" if interval(ends) != NONE else "no interval given"
    return f"{split} {name}", percent(score(metrics)), small + (f", n\u00a0=\u00a0{number(n)}" if n else ""), "plain"


def measured(run: RunFolder) -> tuple[Mapping[str, Any], str]:
    """The best figures there are, and the split they were measured on."""
    metrics = run.predictions.get("metrics")
    if isinstance(metrics, dict) and finite(score(metrics)):
        return metrics, str(run.predictions.get("split", "test"))
    best = [e["validation"] for e in run.epochs if isinstance(e.get("validation"), dict)]
    best = [v for v in best if finite(score(v))]
    return (max(best, key=score), "validation") if best else ({}, "")


def network_name(run: RunFolder) -> str:
    arch = run.recipe.get("arch") or run.bundle.get("arch") or ""
    return shortened(arch.get("name", "own network") if isinstance(arch, dict) else arch, 60)
