"""The proof: what the bundle's certificates state, on which machine, and how to do it all again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from ..deploy.runtime.known import RUNTIMES
from .folder import RunFolder
from .int8 import INT8, int8_facts
from .section import Missing, Values
from .text import NONE, finite, interval, milliseconds, number, percent, plain, shortened, size


def certificates(run: RunFolder) -> Values:
    """Every certificate of the bundle, with all that it says."""
    if not run.bundle:
        raise Missing("Nothing was exported: the run has no bundle, so there is no certificate.")
    found = certificates_of(run)
    if not found:
        raise Missing("The bundle has no certificate.")
    cards = [
        {
            "title": title(c) or "certificate",
            "passed": verdict(c),
            "facts": [(name, shortened(value, 160)) for name, value in facts(c)],
        }
        for c in found
    ]
    damage = shortened(bundle_damage(run), 300)
    return {"cards": cards, "damage": damage, "bundle": shortened(run.bundle_path.name if run.bundle_path else "", 80)}


def title(certificate: Mapping[str, Any]) -> str:
    known = RUNTIMES.get(str(certificate.get("runtime")))
    runtime = known.title if known else certificate.get("runtime")
    return " ".join(shortened(part, 30) for part in (runtime, certificate.get("precision")) if part)


def certificates_of(run: RunFolder) -> list[Mapping[str, Any]]:
    given = run.bundle.get("certificates") or []
    return [c for c in (given.values() if isinstance(given, dict) else given) if isinstance(c, dict)]


def bundle_damage(run: RunFolder) -> str:
    """Why the bundle no longer is what its certificates were given to; nothing when all is well."""
    return run.damaged.get(run.bundle_path.name, "") if run.bundle_path else ""


def verdict(certificate: Mapping[str, Any]) -> bool | None:
    passed = certificate.get("passed")
    return passed if isinstance(passed, bool) else None


TOGETHER = ("packages", "versions", "machine")  # one entry each, not one for every value in them
STATED = ("runtime", "precision", "passed", "schema", "n", "images", "top1_agreement", "largest_logit_difference")
STATED += ("label_agreement", "label_set_agreement", "output", "largest_probability_difference", "sides", "sizes")
STATED += (
    "logit_spread",
    "tolerance",
    "accuracy",
    "drop",
    "latency",
    "memory",
    "size_bytes",
    "sha256",
    "machine",
    "versions",
    "date",
)


def facts(certificate: Mapping[str, Any]) -> list[tuple[str, str]]:
    """All that a certificate states, as (name, figure): first what Linnet itself writes, then whatever others added."""
    rows = [
        ("photos compared", _photos(certificate)),
        ("same first answer as the network", _share(certificate, "top1_agreement")),
        ("all labels as the network says them", _share(certificate, "label_set_agreement")),
        ("largest logit difference", _difference(certificate)),
        ("the same at other image sizes", _sizes(certificate)),
        ("accuracy of the network", _accuracy(certificate, "network")),
        ("accuracy of the exported model", _accuracy(certificate, "runtime")),
        ("accuracy drop", _drop(certificate)),
        *int8_facts(certificate),
        ("one photo takes", _latency(certificate)),
        ("measured with", _conditions(certificate)),
        ("memory", _memory(certificate)),
        *(
            (key, figure(key, value))
            for key in ("machine", "versions")
            for (_, value) in flat({key: certificate.get(key)})
        ),
        ("date", str(certificate.get("date") or "").replace("T", " ").replace("Z", " UTC")),
        ("file", ", ".join(figure(k, certificate[k]) for k in ("size_bytes", "sha256") if certificate.get(k))),
    ]
    others = {key: value for key, value in certificate.items() if key not in (*STATED, *INT8)}
    rows += [(label(path), figure(path[-1], value)) for path, value in flat(others)]
    return [(name, value) for name, value in rows if value]


def at(value: Any, *path: str) -> Any:
    """The value that these names lead to, or None."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _photos(c: Mapping[str, Any]) -> str:
    n, split, bad = c.get("n"), at(c, "images", "split") or "", at(c, "images", "not_read")
    side = at(c, "images", "packed")
    packed = f", resized to {number(side)}\u00a0px before" if finite(side) else ""
    unread = f" ({number(bad)} could not be read)" if bad else ""
    return f"{number(n)} {split}".strip() + packed + unread if n else ""


def _share(c: Mapping[str, Any], name: str) -> str:
    return percent(c[name], 2) if finite(c.get(name)) else ""


def _difference(c: Mapping[str, Any]) -> str:
    if finite(shares := c.get("largest_probability_difference")):
        limit = at(c, "tolerance", "probability_difference")
        of_largest = f" (allowed {plain(limit)} of the largest probability)" if finite(limit) else ""
        return f"{plain(shares, 2)} in probabilities{of_largest}"
    largest, spread, allowed = (
        c.get("largest_logit_difference"),
        c.get("logit_spread"),
        at(c, "tolerance", "logit_difference"),
    )
    if not finite(largest):
        return ""
    of_spread = f", {plain(largest / spread, 2)} of their spread" if finite(spread) and spread else ""
    return plain(largest, 2) + of_spread + (f" (allowed {plain(allowed)})" if finite(allowed) else "")


def _sizes(c: Mapping[str, Any]) -> str:
    """Of a file that takes several image sizes: the largest difference at each that was compared."""
    given, largest = c.get("sizes"), ("largest_probability_difference", "largest_logit_difference")
    found = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    said = [(one, one[key]) for one in found for key in largest if finite(one.get(key))]
    return ", ".join(f"{number(one.get('height'))} x {number(one.get('width'))}: {plain(off, 2)}" for one, off in said)


def _accuracy(c: Mapping[str, Any], of: str) -> str:
    top1, ends = at(c, "accuracy", of, "top1"), at(c, "accuracy", of, "interval")
    exact, mean = at(c, "accuracy", of, "exact_match"), at(c, "accuracy", of, "mean_average_precision")
    if finite(exact):
        return f"every label right on {percent(exact)} ({interval(ends)}), mean average precision {percent(mean)}"
    return f"{percent(top1)} ({interval(ends)})" if finite(top1) else ""


def _drop(c: Mapping[str, Any]) -> str:
    drop, most = at(c, "drop", "drop"), at(c, "drop", "at_most")
    if not finite(drop):
        return ""
    bound = f", at most {most * 100:.1f} (95 % sure, one-sided)" if finite(most) else ""
    return f"{drop * 100:.1f} points{bound}"


def _memory(c: Mapping[str, Any]) -> str:
    most, before = at(c, "memory", "peak_bytes"), at(c, "memory", "before_bytes")
    if not finite(most):
        return ""
    of = f", of which Python and numpy {size(before)}" if finite(before) else ""
    return f"a process that loads it and predicts once takes at most {size(most)}{of}"


def _latency(c: Mapping[str, Any]) -> str:
    words = (("median_ms", "median"), ("p90_ms", "90\u00a0% under"), ("p99_ms", "99\u00a0% under"))
    said = [(word, at(c, "latency", key)) for key, word in words]
    return ", ".join(f"{word} {milliseconds(value)}" for word, value in said if finite(value))


def _conditions(c: Mapping[str, Any]) -> str:
    words = (("image", "{} px"), ("batch", "batch {}"), ("threads", "{} threads"), ("calls", "{} calls"))
    said = [(word, at(c, "latency", key)) for key, word in words]
    return ", ".join(word.format(number(value)) for word, value in said if finite(value))


def flat(value: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every plain value with the names that lead to it; lists of plain values are one value."""
    for key, inside in value.items():
        path = (*above, str(key))
        if isinstance(inside, dict) and key in TOGETHER:
            yield (
                path,
                [f"{name.replace('_', ' ')} {figure(name, one)}" for name, one in inside.items() if one is not None],
            )
        elif isinstance(inside, dict) and len(path) < 6:
            yield from flat(inside, path)
        elif inside not in (None, "", [], {}):
            yield path, inside


def label(path: tuple[str, ...]) -> str:
    return shortened(", ".join(part.replace("_", " ") for part in path), 80)


def figure(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(figure(name, one) for one in value[:12]) + (", …" if len(value) > 12 else "")
    if name == "sha256":
        return f"sha256 {str(value)[:16]}…"
    if name.endswith("_ms"):
        return milliseconds(value)
    if name.endswith("_bytes"):
        return size(value)
    return plain(value) if finite(value) else str(value)


def bundle_tiles(run: RunFolder) -> list[tuple[str, str, str, str]]:
    """Latency, size and verdict of the exported model, as (name, figure, small print, good | bad | plain)."""
    if not run.bundle:
        return [("exported model", NONE, "nothing was exported", "plain")]
    found = certificates_of(run)
    first = found[0] if found else {}
    median, p90, threads = (at(first, "latency", key) for key in ("median_ms", "p90_ms", "threads"))
    tiles = []
    if finite(median):
        small = f"90\u00a0% under {milliseconds(p90)}" if finite(p90) else "median"
        small += f", {number(threads)}\u00a0thread{'s' * (threads != 1)}" if finite(threads) else ""
        tiles.append(("one photo takes", milliseconds(median), small, "plain"))
    bytes_ = first.get("size_bytes") or model_bytes(run)
    if bytes_:
        tiles.append(("size", size(bytes_), title(first), "plain"))
    verdicts = [verdict(c) for c in found]
    if bundle_damage(run):
        tiles.append(("certificate", "not valid", "the bundle was changed since", "bad"))
    elif not found:
        tiles.append(("certificate", NONE, "the bundle has none", "plain"))
    elif all(verdicts):
        n = first.get("n")
        small = f"compared on {number(n)} photos" if finite(n) else "same answers as the network"
        tiles.append(("certificate", "passed", small, "good"))
    else:
        failed = sum(one is not True for one in verdicts)
        tiles.append(("certificate", "not passed", f"{failed} of {len(found)} fail", "bad"))
    return tiles


def model_bytes(run: RunFolder) -> int:
    """The size of the first runtime's file, as the bundle lists it."""
    runtimes, files = run.bundle.get("runtimes") or [{}], run.bundle.get("files") or {}
    return files.get(runtimes[0].get("file"), {}).get("bytes", 0)


def surroundings(run: RunFolder) -> Values:
    """Machine and versions of the training, and the commands that do it again."""

    def told(values: Mapping[str, Any]) -> list[tuple[str, str]]:
        return [(label(path), shortened(figure(path[-1], value), 160)) for path, value in flat(values)]

    weights = run.environment.get("weights")
    machine = {key: value for key, value in run.environment.items() if key != "weights"}
    return {
        "rows": told(machine),
        "weights": told(weights) if isinstance(weights, dict) else [],
        "commands": commands(run),
    }


def commands(run: RunFolder) -> list[tuple[str, str]]:
    """(what for, command); names are quoted as a shell needs it, without the folders above the working one."""
    name = shlex.quote(run.path.resolve().name if run.path.is_absolute() else str(run.path))
    photos = shlex.quote(PurePath(str(run.recipe.get("photos") or run.data.get("root") or "PHOTOS")).name)
    said = [("train again as this run was", f"linnet train {photos} --recipe {name}/recipe.json")] if run.recipe else []
    said.append(("measure again", f"linnet evaluate {name} {photos}"))
    if not run.bundle_path:
        return [*said, ("export", f"linnet export {name}")]
    bundle = name if run.bundle_path == run.path else f"{name}/{shlex.quote(run.bundle_path.name)}"
    said.append(("use it", f"linnet predict {bundle} photo.jpg"))
    if (run.bundle_path / "predict.py").is_file():
        said.append(("use it where there is neither torch nor linnet", f"python {bundle}/predict.py photo.jpg"))
    return said
