"""A bundle in use: pictures in, classes with their probabilities out; and the command line of the bundle's `predict.py`.

Standard library, numpy, Pillow and the package of one runtime: the text of this file is copied into every bundle's `predict.py`, so
that a bundle answers the same with Linnet and without.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.image import NAMES, BadImage, Limits, Source, shown_name
from ..data.preprocess import Preprocess
from ..errors import DataError, LinnetError, SettingError, WeightsError
from .manifest import MANIFEST, REMEDY, read_file, read_manifest
from .outputs import OUTPUTS, logits_of, probabilities
from .runtime.known import RUNTIMES, Run, is_here, way
from .runtime.opening import open_model

BATCH = 16  # pictures at a time when there are many


@dataclass(frozen=True)
class Prediction:
    """The classes of one picture, the likeliest first, or the `error` that it could not be read for.

    Of a bundle that gives several labels, `labels` are those with a probability of 0.5 or more, perhaps none.
    """

    path: str
    classes: tuple[tuple[str, float], ...] = ()  # (name, probability)
    error: str = ""
    labels: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Any]:
        if self.error:
            return {"path": self.path, "error": self.error}
        labels = {} if self.labels is None else {"labels": list(self.labels)}
        classes = [{"name": name, "probability": share} for name, share in self.classes]
        return {"path": self.path, **labels, "classes": classes}


class Classifier:
    """A bundle, its folder or a zip of it, checked and ready.

    >>> classifier = Classifier("shirts.linnet")                                            # doctest: +SKIP
    >>> classifier.predict("photo.jpg").classes[0]                                          # doctest: +SKIP
    ('shirt', 0.93)

    Raises: WeightsError for a bundle that is damaged, SettingError when its runtime is not installed.
    """

    def __init__(
        self, folder: str | os.PathLike, *, threads: int = 0, limits: Limits | None = None, runtime: str = ""
    ) -> None:
        folder = Path(folder)
        facts = read_manifest(folder)
        try:
            self.name, self.classes = str(facts["name"]), texts(facts["classes"])
            self.several = {"one": False, "several": True}[facts.get("labels", "one")]  # older bundles do not say it
            self.preprocess = Preprocess.from_json(facts["preprocess"])
            ways = listed_ways(facts["runtimes"])
        except (LinnetError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise WeightsError(f"{folder / MANIFEST}: cannot be understood ({error}). {REMEDY}") from None
        self.limits = limits or Limits()
        self.runtime = chosen_way(folder, list(ways), runtime)
        entry = ways[self.runtime]
        self.uint8 = entry.get("input") == "uint8"  # then the normalisation is inside the model
        self.output = entry.get("output", "logits")
        files = [read_file(folder, file, facts) for file in (entry["file"], *entry.get("more", ()))]
        self.run: Run = open_model(entry["runtime"], entry["precision"], files, threads=threads)

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 [B, image, image, 3], as `self.preprocess.read` gives them, to logits [B, classes].

        Where the file gives probabilities, they are turned back.
        """
        return logits_of(self.answers(pixels), self.output, several=self.several)

    def answers(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 [B, image, image, 3] to what the file gives, float32 [B, classes]: `self.output`."""
        return self.run(pixels if self.uint8 else self.preprocess.normalise(pixels))

    def predict(self, picture: Source, *, top: int = 5) -> Prediction:
        """The likeliest classes of one file, or of its bytes.

        Raises: BadImage when it cannot be used.
        """
        name = "" if isinstance(picture, bytes | bytearray | memoryview) else shown_name(picture)
        pixels = self.preprocess.read(picture, self.limits)
        return self._best(name, self.logits(pixels[None])[0], top)

    def predict_all(self, pictures: Sequence[str | os.PathLike], *, top: int = 5) -> Iterator[Prediction]:
        """One prediction per file in the given order; a file that cannot be used has its `error` instead."""
        for start in range(0, len(pictures), BATCH):
            good, errors = [], {}
            for path in pictures[start : start + BATCH]:
                try:
                    good.append((path, self.preprocess.read(path, self.limits)))
                except BadImage as error:
                    errors[path] = error.text
            logits = iter(self.logits(np.stack([pixels for _, pixels in good])) if good else ())
            for path in pictures[start : start + BATCH]:
                if path in errors:
                    yield Prediction(shown_name(path), error=errors[path])
                else:
                    yield self._best(shown_name(path), next(logits), top)

    def _best(self, path: str, logits: np.ndarray, top: int) -> Prediction:
        """The `top` likeliest classes; of several labels all that are said, however many."""
        order, labels = np.argsort(-logits.astype(np.float64), kind="stable"), None
        shares = probabilities(logits, several=self.several)
        if self.several:
            said = int((logits >= 0).sum())
            labels, top = tuple(self.classes[c] for c in order[:said]), max(top, said)
        return Prediction(path, tuple((self.classes[c], float(shares[c])) for c in order[:top]), labels=labels)


def texts(value: Any) -> tuple[str, ...]:
    """Raises: ValueError for what is no list of texts."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{str(value)[:40]} is no list of texts")
    return tuple(value)


def listed_ways(entries: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """A bundle's runtimes by name, as bundle.json lists them. Raises: ValueError, KeyError, TypeError, AttributeError."""
    ways = {}
    for entry in entries:
        runtime, precision, *files = texts(
            [entry["runtime"], entry["precision"], entry["file"], *entry.get("more", ())]
        )
        if runtime in RUNTIMES and len(files) != len(RUNTIMES[runtime].files):
            raise ValueError(f"{runtime} takes {len(RUNTIMES[runtime].files)} files, not {len(files)}")
        if entry.get("output", "logits") not in OUTPUTS:
            raise ValueError(f"{runtime} gives {str(entry['output'])[:40]!r}, not one of {', '.join(OUTPUTS)}")
        ways[way(runtime, precision)] = entry
    return ways


def chosen_way(folder: Path, ways: Sequence[str], wanted: str) -> str:
    """The one of a bundle's runtimes that is `wanted`, or the first whose package is installed.

    One whose file is machine code is never taken unless it is wanted: that would run a program that nobody asked for.
    Raises: SettingError for one that the bundle does not have, and where no package is installed.
    """
    if wanted and wanted not in ways:
        raise SettingError(
            f"{folder}: has no runtime {wanted!r}, only {', '.join(ways)}. Make a bundle that has it:"
            f" linnet export RUN --to {wanted}"
        )
    if wanted:
        return wanted
    found = {name: RUNTIMES[name.partition("-")[0]] for name in ways if name.partition("-")[0] in RUNTIMES}
    programs = [name for name, one in found.items() if one.program]
    known = {name: one for name, one in found.items() if not one.program}
    if here := next((name for name in known if is_here(known[name].module)), ""):
        return here
    if programs and not known:
        raise SettingError(
            f"{folder}: has nothing but {programs[0]}, whose file is machine code: it can do whatever a program can. If you"
            f" trust who made it, say so: --runtime {programs[0]}"
        )
    first = next(iter(known.values()), RUNTIMES["onnx"])
    raise SettingError(
        f"{folder}: none of its runtimes is installed here ({', '.join(ways)}). Install one with:"
        f" pip install {first.package}"
    )


def picture_files(paths: Sequence[str | os.PathLike]) -> list[Path]:
    """The files that are named, and of named folders all pictures inside, by name.

    Raises: DataError for a folder without pictures.
    """
    endings = {f".{ending}" for endings in NAMES.values() for ending in endings.split()}
    files: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir():
            files.append(path)
            continue
        inside = [
            file for file in sorted(path.rglob("*"))
            if file.suffix.lower() in endings and not file.name.startswith(".") and file.is_file()
        ]  # fmt: skip
        if not inside:
            raise DataError(f"{path}: there is no picture in this folder. Give pictures, or a folder of them.")
        files += inside
    return files


def prediction_lines(predictions: Sequence[Prediction]) -> list[str]:
    """One aligned line per picture that could be read: its name, then its classes with their probabilities; of several
    labels first those that are said."""
    read = [one for one in predictions if not one.error]
    wide = max((len(one.path) for one in read), default=0)
    said = [shown_name(", ".join(one.labels)) or "-" for one in read if one.labels is not None]
    if said:
        first = min(max(map(len, said)), 40)
        shares = ["   ".join(f"{shown_name(name)} {100 * share:.1f} %" for name, share in one.classes) for one in read]
        return [
            f"{one.path:{wide}}  {labels:{first}}   {rest}"
            for one, labels, rest in zip(read, said, shares, strict=True)
        ]
    names = [len(shown_name(name)) for one in read for name, _ in one.classes[:1]]
    first = min(max(names, default=0), 30)
    lines = []
    for one in read:
        (name, share), *others = one.classes
        rest = "   ".join(f"{shown_name(other)} {100 * part:.1f} %" for other, part in others)
        lines.append(f"{one.path:{wide}}  {shown_name(name):{first}}  {100 * share:5.1f} %   {rest}".rstrip())
    return lines


def main(tokens: Sequence[str] | None = None, *, folder: str | os.PathLike = "") -> int:
    """The command line of predict.py. Exit codes: 0, 1 when a file or the bundle cannot be used, 2 for wrong usage."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="predict.py", description="Classify pictures with the bundle this file lies in."
    )
    parser.add_argument("images", nargs="+", help="picture files, or folders of them")
    parser.add_argument("--top", type=int, default=5, help="how many classes to show (default: 5)")
    parser.add_argument("--threads", type=int, default=0, help="threads to compute with (default: one per core)")
    parser.add_argument("--runtime", default="", help="what to compute with (default: the first that is installed)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(tokens)
    if given.top < 1 or given.threads < 0:
        parser.error("--top takes 1 or more, --threads 0 or more")
    try:
        classifier = Classifier(folder or Path(__file__).resolve().parent, threads=given.threads, runtime=given.runtime)
        found = list(classifier.predict_all(picture_files(given.images), top=given.top))
    except LinnetError as error:
        print(f"predict.py: {error}", file=sys.stderr)
        return 1
    if given.json:
        print(json.dumps([one.to_json() for one in found], indent=1, ensure_ascii=False))
    else:
        for line in prediction_lines(found):
            print(line)
    for one in found:
        if one.error:
            print(f"predict.py: {one.path}: {one.error}", file=sys.stderr)
    return 1 if any(one.error for one in found) else 0
