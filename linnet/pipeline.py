"""The main verb: a folder of photos in; a trained, evaluated, exported and proven model and a report out."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from .data.doctor import Truncated  # not for type checkers alone: the command line reads the signature

if TYPE_CHECKING:
    from .data.source import Photos
    from .nas.budget import Budget
    from .nas.front import Front
    from .training.recipe import Recipe

DEFAULT = "tf_efficientnet_lite0"  # fast on every device, and its weights are in a package
WITHOUT_WEIGHTS = "mobilenetv3_small_100"


@dataclass(frozen=True)
class Fitted:
    """Where everything is, and what it is worth."""

    run: Path
    bundle: Path
    report: Path
    arch: str
    split: str  # that the accuracy was measured on
    metrics: dict[str, Any]
    certificate: dict[str, Any]
    seconds: float
    most_frequent: tuple[str, float]  # class among the photos that it was measured on, and its share of them
    front: Front | None = None  # what was seen and tried, under a budget

    def to_json(self) -> dict[str, Any]:
        return {
            **{name: str(getattr(self, name)) for name in ("run", "bundle", "report")},
            "arch": self.arch,
            "split": self.split,
            "metrics": self.metrics,
            "most_frequent": dict(zip(("class", "share"), self.most_frequent, strict=True)),
            "certificate": self.certificate,
            "seconds": round(self.seconds, 1),
            **({"candidates": self.front.to_json()} if self.front else {}),
        }

    def __str__(self) -> str:
        several = "top1" not in self.metrics
        name = "mean_average_precision" if several else "top1"
        what = (
            f"mean average precision {{}} on {self.metrics['n']:,} {self.split} photos"
            if several
            else (f"{{}} of {self.metrics['n']:,} {self.split} photos right")
        )
        low, high = self.metrics[f"{name}_interval"]
        latency = self.certificate["latency"]
        minutes, seconds = divmod(round(self.seconds), 60)
        return "\n".join(
            [
                "",
                f"{self.arch}: {what.format(f'{100 * self.metrics[name]:.1f} %')}"
                f" (95 % interval {100 * low:.1f} to {100 * high:.1f})",
                *self.guessing(),
                f"certificate passed: {self.shipped()}",
                f"the network alone takes {latency['median_ms']:.2f} ms for one photo (p90 {latency['p90_ms']:.2f}), decoding not"
                " counted",
                *(self.front.verdict() if self.front else ()),
                f"all in {minutes} min {seconds} s",
                "",
                f"report   {self.report}",
                f"bundle   {self.bundle}",
                f"try      linnet predict {quote(str(self.bundle))} PHOTO.jpg",
                f"or       python {quote(str(self.bundle / 'predict.py'))} PHOTO.jpg   (needs no torch, no linnet)",
            ]
        )

    def shipped(self) -> str:
        """How the file that is shipped answers; rounded to fewer bits it is right about other photos than the network."""
        from .deploy.runtime.known import RUNTIMES

        title, precision = RUNTIMES[self.certificate["runtime"]].title, self.certificate["precision"]
        right = self.certificate["accuracy"]["runtime"].get("top1")
        if precision == "fp32" or right is None:
            return f"{title}{'' if precision == 'fp32' else f' in {precision}'} answers as PyTorch does"
        return (
            f"{title} in {precision} gets {100 * right:.1f} % of {self.certificate['n']:,} {self.split} photos right, in PyTorch"
            f" {100 * self.certificate['accuracy']['network']['top1']:.1f} %"
        )

    def guessing(self) -> tuple[str, ...]:
        """A line where the photos do not show that it has learnt anything."""
        name, share = self.most_frequent
        if "top1" not in self.metrics or self.metrics["top1_interval"][0] > share:
            return ()
        return (
            f"That is not surely better than always to say {name!r} ({100 * share:.1f} %): it has hardly learnt anything, or"
            f" {self.metrics['n']:,} photos are too few to show it. Train longer (--epochs), begin with pretrained"
            " weights, or give more photos.",
        )


def fit(
    photos: Path | None = None,
    *,
    arch: str | None = None,
    from_scratch: bool = False,
    head_only: bool = False,
    set: list[str] | None = None,
    epochs: int | None = None,
    image: int | None = None,
    batch: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    workers: int | None = None,
    max_bad: float | None = None,
    truncated: Truncated | None = None,
    pretrained: str | None = None,
    latency_ms: float | None = None,
    size_mb: float | None = None,
    memory_mb: float | None = None,
    threads: int | None = None,
    runtime: str | None = None,
    minutes: float | None = None,
    out: Path | None = None,
    resume: Path | None = None,
) -> Fitted:
    """Make a proven model from a folder of photos: look at the data, train, evaluate, export, check, report.

    Without PHOTOS it shows the whole way on pictures that Linnet draws itself. Fine-tuning from ImageNet weights is the
    default where such weights are installed. Ctrl-C saves; the photos are never changed and nothing is overwritten.

    Args:
        photos: Folder with one folder of photos per class, or with train/ and validation/ of such folders, or a CSV of path,label or path,labels.
        arch: Which network (`linnet archs` lists them); by default tf_efficientnet_lite0, where its weights are installed, else mobilenetv3_small_100.
        pretrained: Whose weights to start from: "efficientnet_b0.ra_in1k" (`linnet archs --pretrained`), a file, a run or a bundle.
        from_scratch: Start from random weights even where pretrained ones are known.
        head_only: Let the classifier alone learn; the rest stays as it is pretrained, which is several times faster.
        set: One setting of the recipe as key=value, by its name in recipe.json: --set phases.dropout=0.2. May be repeated.
        epochs: How often every photo is seen; by default as many as the number of photos asks for.
        image: Side in pixels of what the network sees.
        batch: Photos per step.
        lr: Highest learning rate, at this batch.
        seed: Another number gives another order, other crops and first weights.
        workers: Processes that read photos; the result does not depend on it.
        max_bad: Share of the files that may be bad, 0 to 1; with more, nothing starts. 0.05 if not given.
        truncated: Truncated photos are not used ("quarantine"); "repair" trains on those of which 90 % of the rows can be decoded, cut to these. Never in validation and test.
        latency_ms: Budget: milliseconds of the network for one picture, decoded and resized already, on this machine. Network, image size, runtime and precision are then chosen to be as accurate as fits.
        size_mb: Budget: millions of bytes of the model's files.
        memory_mb: Budget: millions of bytes that a new process takes at most to load the model and predict.
        threads: With a budget: threads to compute a prediction with; one per core if not given.
        runtime: With a budget: openvino, onnx-int8, ... instead of the fastest of those installed.
        minutes: With a budget: for everything; the search and the training are cut to it.
        out: Folder of the run; by default runs/ and the name of the photos' folder, with -2 if that is there.
        resume: Folder of a run that was stopped: finish it.
    """
    from .errors import SettingError
    from .training.override import override, without_rows
    from .training.start import draft_recipe, first_recipe

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SettingError(
            "`linnet fit` runs in one process. Train in several with `linnet train`, then: fit --resume RUN."
        )
    from .nas.budget import asked

    began = time.monotonic()
    budget = asked(latency_ms, size_mb, memory_mb, threads=threads, runtime=runtime, minutes=minutes)
    flags = {"arch": arch, "epochs": epochs, "image": image, "batch": batch, "lr": lr, "seed": seed, "workers": workers, "max_bad": max_bad, "truncated": truncated, "pretrained": pretrained}  # fmt: skip
    given = {name: value for name, value in flags.items() if value is not None}
    if resume is not None:
        if given or from_scratch or head_only or set or out or budget:
            switch = (
                "latency_ms, --size_mb and --memory_mb"
                if budget
                else "from_scratch"
                if from_scratch
                else "head_only"
                if head_only
                else "set"
                if set
                else "out"
            )
            named = next(iter(given), switch).replace("_", "-")
            raise SettingError(f"--{named}: a resumed run keeps its settings. Leave it out.")
        return finish(*go_on(Path(resume), photos), began)
    # A wrong flag fails before any work.
    draft = draft_recipe(
        **{"arch": None if pretrained else DEFAULT, **given}, from_scratch=from_scratch or not pretrained
    )
    draft = override(draft, without_rows(set))
    if pretrained is not None:
        given["arch"] = draft.arch
    elif arch is None and budget is None:
        given["arch"], note = choose_arch(from_scratch=from_scratch)
        say(note)
    if head_only and budget and arch is None and pretrained is None:
        raise SettingError("--head-only with a budget needs a network: add --arch NAME.")
    if head_only:
        given["head_only"] = True
        first_recipe(**given, from_scratch=from_scratch)  # refused without weights, before the photos are looked at

    from .data.sample import sample_photos

    if photos is None:
        say("No photos given: these are pictures that Linnet draws itself. `linnet fit PHOTOS` takes yours.")
        photos = sample_photos()
    if budget:
        budget.ways()  # a runtime that is missing is said before the photos are looked at
    run = train_on(Path(photos), draft, given, set, from_scratch=from_scratch, out=out, budget=budget, began=began)
    return finish(*run, began)


def choose_arch(*, from_scratch: bool) -> tuple[str, str]:
    """The network to take where none is named, and why."""
    from .weights.pretrained import obtainable, pretrained

    if from_scratch:
        return WITHOUT_WEIGHTS, f"{WITHOUT_WEIGHTS}, from scratch."
    for name in (DEFAULT, WITHOUT_WEIGHTS):
        if (weights := pretrained(name)) and obtainable(name):
            return name, f"Fine-tuning {name} from its ImageNet weights ({weights.licence.name})."
    return WITHOUT_WEIGHTS, (
        f"No pretrained weights are installed, and none can be fetched: {WITHOUT_WEIGHTS} from scratch, which needs many"
        ' photos. Better: pip install "linnet-vision[lite]"'
    )


def train_on(
    root: Path, draft: Recipe, given: dict[str, Any], set: list[str] | None, *, from_scratch: bool, out: Path | None,
    budget: Budget | None = None, began: float = 0.0,
) -> tuple[Path, Photos]:  # fmt: skip
    """Look at the photos, split as `draft` says, choose what fits the `budget`, and train; gives the run's folder and the
    good photos.

    Raises: DataError when there are too few photos to set some aside and measure on them.
    """
    from .errors import DataError
    from .training.override import override
    from .training.several import with_loss
    from .training.start import first_recipe, look_at, new_run, note_on_weights

    root = root.absolute()  # a run finds its photos again from wherever it is gone on with
    diagnosis = look_at(
        root, validation=draft.validation, test=draft.test, max_bad=draft.max_bad, truncated=draft.truncated
    )
    photos = diagnosis.photos
    if not photos.validation and not photos.test:
        raise DataError(
            f"{root}: {len(photos.train)} photos are too few to set some aside, so nothing could be measured."
            " Give at least 3 different photos of each class; 30 is a beginning, 300 is good."
        )
    place = out or Path("runs") / (root.stem or "photos")
    if budget:
        from .nas.search import search

        folder, start = search(
            diagnosis, budget, place, {**given, "root": str(root)}, began, from_scratch=from_scratch, say=say
        )
    else:
        folder, start = None, first_recipe(
            from_scratch=from_scratch, photos=len(photos.train), root=str(root), **given
        )  # fmt: skip
    recipe: Recipe = with_loss(override(start, set), photos)
    if note := note_on_weights(recipe, from_scratch=from_scratch):
        say(note)
    folder = folder or new_run(place, diagnosis)

    from .training.loop import run

    with going_on_with_fit():
        run(recipe, photos, folder)
    return folder, photos


def go_on(folder: Path, root: Path | None) -> tuple[Path, Photos]:
    """Finish the training of a run that was stopped; one that is finished is left as it is."""
    from .training.start import photos_of_run

    photos = photos_of_run(folder, root)

    from .training.loop import run

    with going_on_with_fit():
        run(None, photos, folder, resume=True)
    return folder, photos


@contextmanager
def going_on_with_fit() -> Iterator[None]:
    """A training that is stopped says how to go on; here that is `fit`, which makes the rest too."""
    from .training.stop import TrainingStopped

    try:
        yield
    except TrainingStopped as stopped:
        raise TrainingStopped(str(stopped).replace("linnet train --resume", "linnet fit --resume")) from None


def finish(folder: Path, photos: Photos, began: float) -> Fitted:
    """From a trained run to its bundle and report: evaluate on photos it has not seen, export, prove, report."""
    from .deploy.bundle import free_place
    from .deploy.export import export_model
    from .evaluation.evaluate import evaluate_model
    from .explanation.report import report
    from .files import write_json
    from .nas.front import read_front
    from .nas.shipping import shipped
    from .training.recipe import Recipe
    from .training.stop import TrainingStopped
    from .weights.model import read_model

    workers = Recipe.load(folder / "recipe.json").workers
    assert workers != "auto"
    model, front = read_model(folder), read_front(folder)
    split = "test" if photos.test else "validation"
    if split == "validation":
        say(
            "There are no test photos: the accuracy is on the validation photos, which chose the epoch, and a bit high."
        )
    counts = {name: count(members, photos.classes) for name, members in photos.splits.items()}
    name = re.sub(r"[^a-z0-9._-]+", "-", folder.resolve().name.lower()).strip("-.")[:64] or model.arch.name
    place, learnt = free_place(folder, name), frozenset(photo.digest for photo in photos.train)
    settings: dict[str, Any] = {
        "split": split,
        "most": 10_000,
        "workers": workers,
        "trained_on": learnt,
        "counts": counts,
    }
    settings["name"] = place.name.removesuffix(".linnet")
    bundle = None
    try:
        if front:  # the size and the runtime are decided by what is within the budget
            model, bundle, front = shipped(model, photos, front, place, settings, say=say)
        found = evaluate_model(model, photos, name=str(folder), split=split, workers=workers)
        write_json(folder / "predictions.json", found.to_json())
        bundle = bundle or export_model(model, photos, place, **settings)
    except KeyboardInterrupt:
        raise TrainingStopped(
            "Stopped after the training, which is kept; not all of the rest, evaluation and bundle, is made."
            f" Go on with: linnet fit --resume {quote(str(folder))}"
        ) from None
    finally:
        page = report(folder)  # without a proof too: it says what was learnt
    return Fitted(
        run=folder,
        bundle=bundle.folder,
        report=page,
        arch=model.arch.name,
        split=split,
        metrics=found.metrics.to_json(),
        certificate=bundle.facts["certificates"][0],
        seconds=time.monotonic() - began,
        most_frequent=most_frequent(counts[split], len(photos.splits[split])),
        front=front,
    )


def count(members: Any, classes: tuple[str, ...]) -> dict[str, int]:
    """Photos per class."""
    from collections import Counter

    numbers = Counter(label for photo in members for label in photo.labels)
    return {name: numbers[label] for label, name in enumerate(classes)}


def most_frequent(counts: dict[str, int], photos: int) -> tuple[str, float]:
    """The class with the most photos, and its share of all."""
    name = max(counts, key=counts.__getitem__)
    return name, counts[name] / max(1, photos)


def say(text: str) -> None:
    """For the person, not for the pipe: results go to stdout, this goes to stderr."""
    import sys

    print(text, file=sys.stderr, flush=True)
