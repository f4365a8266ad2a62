"""What lies in a run's folder, read without trust: a part that is missing or damaged is a line of the report, no crash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..arch import names as _  # noqa: F401  (makes every operator known, which a bundle's table may name)
from ..deploy.bundle import read_bundle
from ..errors import LinnetError, SettingError
from .text import finite

PARTS = ("recipe.json", "environment.json", "data.json", "predictions.json")


@dataclass(frozen=True)
class RunFolder:
    """The parts of a run. One that is not there is empty; `damaged` says why for one that cannot be read."""

    path: Path
    recipe: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    predictions: Mapping[str, Any] = field(default_factory=dict)
    candidates: Mapping[str, Any] = field(default_factory=dict)  # of a run under a budget
    bundle: Mapping[str, Any] = field(default_factory=dict)
    bundle_path: Path | None = None
    steps: tuple[Mapping[str, Any], ...] = ()
    epochs: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[Mapping[str, Any], ...] = ()
    end: Mapping[str, Any] = field(default_factory=dict)  # the log's last line, once the run has ended
    damaged: Mapping[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[str, ...]:
        for part in (self.predictions, self.bundle, self.data):
            names = part.get("classes")
            if isinstance(names, list) and names:
                return tuple(str(name) for name in names)
        return ()


def read_run(path: str | Path) -> RunFolder:
    """Read whatever of a run is in the folder `path`, and the bundle in it (or `path` itself, if it is one).

    Raises: SettingError when there is no folder, or nothing of a run in it.
    """
    path, damaged = Path(path), dict[str, str]()
    if not path.is_dir():
        raise SettingError(f"{path}: there is no such folder. Give the folder of a run, such as runs/NAME.")
    parts = {name: read_object(path / name, damaged) for name in PARTS}
    bundle_path = _bundle(path)
    bundle = read_object(bundle_path / "bundle.json", damaged) if bundle_path else {}
    if bundle_path and bundle:
        try:
            read_bundle(bundle_path)
        except LinnetError as error:
            damaged[bundle_path.name] = str(error).replace(f"{path}/", "").rstrip(".")
    lines = read_lines(path / "log.jsonl", damaged)
    if not (any(parts.values()) or bundle or lines or damaged):
        raise SettingError(
            f"{path}: nothing of a run is in this folder ({', '.join((*PARTS, 'log.jsonl'))})."
            " Give the folder that `linnet fit` or `linnet train` wrote."
        )
    return RunFolder(
        path=path,
        recipe=parts["recipe.json"],
        environment=parts["environment.json"],
        data=parts["data.json"],
        predictions=parts["predictions.json"],
        candidates=read_object(path / "candidates.json", damaged),
        bundle=bundle,
        bundle_path=bundle_path if bundle else None,
        # A run that was killed and resumed may say a step twice: the later one is what happened.
        steps=_last_said(lines, "step", ("epoch", "step")),
        epochs=_last_said(lines, "epoch", ("epoch",)),
        notes=tuple(line for line in lines if line.get("kind") == "note"),
        end=next((line for line in reversed(lines) if line.get("kind") == "end"), {}),
        damaged=damaged,
    )


def _bundle(path: Path) -> Path | None:
    """`path` itself, or the bundle in it that was proven last; of those of one time NAME-2.linnet, not NAME.linnet."""
    if (path / "bundle.json").is_file():
        return path
    found = [file.parent for file in path.glob("[!.]*.linnet/bundle.json")]
    return max(found, key=lambda folder: (_proven(folder), len(folder.name), folder.name), default=None)


def _proven(bundle: Path) -> str:
    certificates = read_object(bundle / "bundle.json", {}).get("certificates")
    dates = [c.get("date") for c in certificates if isinstance(c, dict)] if isinstance(certificates, list) else []
    return max((date for date in dates if isinstance(date, str)), default="")


def read_object(path: Path, damaged: dict[str, str]) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        damaged[path.name] = " ".join(str(error).split())
        return {}
    if not isinstance(value, dict):
        damaged[path.name] = "it holds no JSON object"
        return {}
    return value


def read_lines(path: Path, damaged: dict[str, str]) -> list[dict[str, Any]]:
    try:
        lines, bad = parsed_lines(path.read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        damaged[path.name] = str(error)
        return []
    if bad:
        damaged[path.name] = f"{bad:,} of its lines could not be read"
    return lines


def parsed_lines(raw: bytes) -> tuple[list[dict[str, Any]], int]:
    """The objects of JSON lines, and how many lines are none; a last one cut short by a kill is nothing to speak of."""
    lines, bad, parts = list[dict[str, Any]](), 0, raw.split(b"\n")
    for i, line in enumerate(parts):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            bad += i < len(parts) - 1
            continue
        if isinstance(value, dict):
            lines.append(value)
        else:
            bad += 1
    return lines, bad


def photos_in(data: Mapping[str, Any], split: str) -> int:
    """Photos of a split, by what the doctor wrote down."""
    files = data.get("files")
    if isinstance(files, dict) and isinstance(files.get(split), list) and files[split]:
        return len(files[split])  # counts are of labels, of which a photo may have several
    counts = data.get("counts")
    members = counts.get(split) if isinstance(counts, dict) else None
    return int(sum(n for n in members.values() if finite(n))) if isinstance(members, dict) else 0


def score(metrics: Mapping[str, Any]) -> Any:
    """What is written down of how good a network is: top-1 accuracy; of several labels mean average precision."""
    return metrics.get("top1", metrics.get("mean_average_precision"))


def _last_said(lines: list[dict[str, Any]], kind: str, keys: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    said: dict[tuple[float, ...], dict[str, Any]] = {}
    for line in lines:
        place = tuple(line.get(key) for key in keys)
        if line.get("kind") == kind and all(isinstance(n, int) for n in place):
            said[place] = line  # pyright: ignore[reportArgumentType]
    return tuple(said[place] for place in sorted(said))
