"""The proof: what the bundle's certificates state, on which machine, and how to do it all again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from .folder import RunFolder
from .section import Missing, Values
from .text import NONE, finite, milliseconds, number, percent, shortened, size


def certificates(run: RunFolder) -> Values:
    """Every certificate of the bundle, with all that it says."""
    if not run.bundle:
        raise Missing("Nothing was exported: the run has no bundle, so there is no certificate.")
    found = certificates_of(run)
    if not found:
        raise Missing("The bundle has no certificate.")
    cards = [
        {
            "title": " ".join(shortened(c[key], 30) for key in ("runtime", "precision") if c.get(key)) or "certificate",
            "passed": verdict(c),
            "facts": [(name, shortened(value, 160)) for name, value in facts(c)],
        }
        for c in found
    ]
    return {"cards": cards, "bundle": shortened(run.bundle_path.name if run.bundle_path else "", 80)}


def certificates_of(run: RunFolder) -> list[Mapping[str, Any]]:
    given = run.bundle.get("certificates") or []
    return [c for c in (given.values() if isinstance(given, dict) else given) if isinstance(c, dict)]


def verdict(certificate: Mapping[str, Any]) -> bool | None:
    passed = certificate.get("passed")
    return passed if isinstance(passed, bool) else None


LABELS = {
    "n": "photos compared",
    "images": "photos compared",
    "largest_difference": "largest logit difference",
    "largest_logit_difference": "largest logit difference",
    "top1_agreement": "same first answer as the network",
    "agreement": "same first answer as the network",
    "at_most": "drop at most (one-sided 95 %)",
    "median_ms": "latency, median",
    "p90_ms": "latency, 90th percentile",
    "p99_ms": "latency, 99th percentile",
    "size_bytes": "size",
    "drop": "accuracy drop",
    "top1": "accuracy",
}
SHARES = ("top1_agreement", "agreement", "accuracy", "top1", "drop", "at_most")
QUIET = ("passed", "runtime", "precision", "schema", "format")  # said by the card's title


def facts(certificate: Mapping[str, Any]) -> list[tuple[str, str]]:
    """All that a certificate states, as (name, figure), whatever later versions add to it."""
    return [(label(path), figure(path[-1], value)) for path, value in flat(certificate) if path[-1] not in QUIET]


def flat(value: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every plain value with the names that lead to it; lists of plain values are one value."""
    for key, inside in value.items():
        path = (*above, str(key))
        if isinstance(inside, dict) and len(path) < 6:
            yield from flat(inside, path)
        elif inside not in (None, "", [], {}):
            yield path, inside


def label(path: tuple[str, ...]) -> str:
    own = LABELS.get(path[-1])
    words = [own] if own else [part.replace("_", " ") for part in path]
    return shortened(", ".join(words), 80)


def figure(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(figure(name, one) for one in value[:12]) + (", …" if len(value) > 12 else "")
    if name.endswith("_ms"):
        return milliseconds(value)
    if name.endswith("_bytes"):
        return size(value)
    if name in SHARES and finite(value) and abs(value) <= 1:
        return percent(value)
    return number(value) if finite(value) else str(value)


def bundle_tiles(run: RunFolder) -> list[tuple[str, str, str, str]]:
    """Latency, size and verdict of the exported model, as (name, figure, small print, good | bad | plain)."""
    if not run.bundle:
        return [("exported model", NONE, "nothing was exported", "plain")]
    found = certificates_of(run)
    first = dict(found[0]) if found else {}
    said = {path[-1]: value for path, value in flat(first)}
    what = " ".join(str(first[key]) for key in ("runtime", "precision") if first.get(key))
    tiles = []
    if finite(said.get("median_ms")):
        p90 = f"90 % under {milliseconds(said['p90_ms'])}" if finite(said.get("p90_ms")) else "median"
        threads = f", {number(said['threads'])} threads" if finite(said.get("threads")) else ""
        tiles.append(("one photo takes", milliseconds(said["median_ms"]), p90 + threads, "plain"))
    bytes_ = said.get("size_bytes") or model_bytes(run)
    if bytes_:
        tiles.append(("size", size(bytes_), what, "plain"))
    verdicts = [verdict(c) for c in found]
    if not found:
        tiles.append(("certificate", NONE, "the bundle has none", "plain"))
    elif all(verdicts):
        n = said.get("n") or said.get("images")
        small = f"compared on {number(n)} photos" if finite(n) else "same answers as the network"
        tiles.append(("certificate", "passed", small, "good"))
    else:
        failed = sum(one is not True for one in verdicts)
        tiles.append(("certificate", "not passed", f"{failed} of {len(found)} fail", "bad"))
    return tiles


def model_bytes(run: RunFolder) -> int:
    """The size of the exported model's file, the smallest where there are several."""
    if not run.bundle_path:
        return 0
    sizes = [f.stat().st_size for pattern in ("*.onnx", "*.tflite", "*.pte") for f in run.bundle_path.glob(pattern)]
    return min(sizes, default=0)


def surroundings(run: RunFolder) -> Values:
    """Machine and versions of the training, and the commands that do it again."""
    rows = [(label(path), shortened(figure(path[-1], value), 160)) for path, value in flat(run.environment)]
    return {"rows": rows, "commands": commands(run)}


def commands(run: RunFolder) -> list[tuple[str, str]]:
    """(what for, command); names are quoted as a shell needs it, without the folders above them."""
    name = shlex.quote(run.path.resolve().name)
    photos = shlex.quote(PurePath(str(run.recipe.get("photos") or run.data.get("root") or "PHOTOS")).name)
    said = [("train again as this run was", f"linnet train {name}/recipe.json --photos {photos}")] if run.recipe else []
    said.append(("measure again", f"linnet evaluate {name} {photos}"))
    if not run.bundle_path:
        return [*said, ("export", f"linnet export {name}")]
    bundle = name if run.bundle_path == run.path else f"{name}/{shlex.quote(run.bundle_path.name)}"
    said.append(("use it", f"linnet predict {bundle} photo.jpg"))
    if (run.bundle_path / "predict.py").is_file():
        said.append(("use it where there is neither torch nor linnet", f"python {bundle}/predict.py photo.jpg"))
    return said
