"""Exact evaluation: every photo once, in any number of processes; and the verb `evaluate`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .progress import shown_progress
from .sizes import Sizes, evaluate_sizes

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from ..data.loader import Bad
    from ..data.preprocess import Preprocess
    from ..data.source import Photo, Photos
    from .metrics import Metrics

SPLITS = ("train", "validation", "test", "all")


class Answers(NamedTuple):
    """What a network said: logits float32 [n, classes], labels int64 [n] and positions in the split int64 [n], ascending.

    `bad` are the photos that could not be read; they are in none of the others.
    """

    logits: np.ndarray
    labels: np.ndarray
    index: np.ndarray
    bad: tuple[Bad, ...]


def predict_logits(
    net: nn.Module,
    photos: Sequence[Photo],
    preprocess: Preprocess,
    *,
    batch: int = 64,
    workers: int = 2,
    device: str | None = None,
    rank: int = 0,
    world: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Answers:
    """Logits of every photo that `preprocess` can read, in the order of `photos`.

    Inside a torch.distributed job each process computes its share and all get the whole; `rank` and `world` then come
    from the job. Without one, `world` > 1 gives this rank's share alone, for `merge`. `progress` is called with the
    number of photos of each finished batch.

    Raises: DataError for an empty split, or when no photo can be read; TrainingError when another process is gone.
    """
    import numpy as np
    import torch
    import torch.distributed as dist

    from ..data.loader import eval_batches
    from ..errors import others_answer
    from ..nn.net import Net

    if isinstance(net, Net):
        net.fit_windows(preprocess.image)
    job = dist.is_available() and dist.is_initialized()
    if job:
        rank, world = dist.get_rank(), dist.get_world_size()
    place = torch.device(device) if device else next((p.device for p in net.parameters()), torch.device("cpu"))
    training = net.training
    net.to(place).eval()
    logits, labels, index, bad = [], [], [], []
    try:
        with torch.inference_mode():
            for part in eval_batches(photos, preprocess, batch=batch, workers=workers, rank=rank, world=world):
                bad += part.bad
                if len(part.index):
                    images = torch.from_numpy(preprocess.normalise(part.images.numpy()))
                    images = images.to(place, memory_format=torch.channels_last)
                    logits.append(net(images).float().cpu().numpy())
                    labels.append(part.labels.numpy())
                    index.append(part.index.numpy())
                if progress:
                    progress(len(part.index) + len(part.bad))
    finally:
        net.train(training)
    mine = (
        Answers(np.concatenate(logits), np.concatenate(labels), np.concatenate(index), tuple(bad))
        if index
        else Answers(np.empty((0, 0), np.float32), np.empty(0, np.int64), np.empty(0, np.int64), tuple(bad))
    )
    if world > 1 and not job:
        return mine
    shares: list[Any] = [mine]
    if job:
        shares = [None] * world
        with others_answer():
            dist.all_gather_object(shares, mine)
    return merge(shares, len(photos))


def merge(shares: Iterable[Answers], n: int) -> Answers:
    """One process's answers for all n photos, from the shares of several: in order, each photo once.

    Raises: DataError when no photo could be read, ProofError when a photo is counted twice or is missing.
    """
    import numpy as np

    from ..errors import DataError, ProofError

    shares = list(shares)
    bad = tuple(sorted(one for share in shares for one in share.bad))
    full = [share for share in shares if len(share.index)]
    if not full:
        first = f" The first: {bad[0].reason}" if bad else ""
        raise DataError(f"None of the {n:,} photos can be read.{first} Look at the folder with `linnet doctor PHOTOS`.")
    index = np.concatenate([share.index for share in full])
    order = index.argsort(kind="stable")
    if len(np.unique(index)) != len(index) or len(index) + len(bad) != n:
        raise ProofError(
            f"{len(index)} answers for {len(np.unique(index))} photos and {len(bad)} bad ones, of {n}: a photo counted"
            " twice or missing. The processes must share one list of photos; start them anew."
        )
    return Answers(
        np.concatenate([share.logits for share in full])[order],
        np.concatenate([share.labels for share in full])[order],
        index[order],
        bad,
    )


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A model's answers on one split, and what they are worth."""

    model: str
    arch: str
    image: int
    split: str
    classes: tuple[str, ...]
    metrics: Metrics
    paths: tuple[str, ...]  # of the photos measured, in the order of labels and logits
    labels: np.ndarray  # int64 [n], positions in `classes` (several.py has those of several labels)
    logits: np.ndarray  # float32 [n, classes]
    left_out: tuple[Bad, ...]
    notes: tuple[str, ...] = ()
    packed: int | None = None  # short side that the pictures were resized to before

    @property
    def confidence(self) -> np.ndarray:
        """The probability of each photo's first answer, float64 [n]."""
        import numpy as np

        logits = self.logits.astype(np.float64)
        return 1 / np.exp(logits - logits.max(1, keepdims=True)).sum(1)

    def to_json(self) -> dict[str, Any]:
        """Plain values; `items` has one entry per photo, its label and prediction as places in `classes`."""
        return {
            "model": self.model,
            "arch": self.arch,
            "image": self.image,
            "split": self.split,
            "classes": list(self.classes),
            "metrics": self.metrics.to_json(),
            **({"packed": self.packed} if self.packed else {}),
            "left_out": [{"path": one.path, "reason": one.reason} for one in self.left_out],
            "notes": list(self.notes),
            "items": [
                {"path": path, "label": int(label), "predicted": int(guess), "confidence": round(float(sure), 6)}
                for path, label, guess, sure in zip(
                    self.paths, self.labels, self.logits.argmax(1), self.confidence, strict=True
                )
            ],
        }

    def __str__(self) -> str:
        m = self.metrics
        lines = [
            f"{self.model} ({self.arch}) at {self.image} px on {m.n:,} photos ({self.split})",
            "",
            f"top-1 accuracy     {percent(m.top1)}   ({interval(m.top1_interval)})",
            *(
                [f"top-5 accuracy     {percent(m.top5)}   ({interval(m.top5_interval)})"]
                if len(self.classes) > 5
                else []
            ),
            f"macro F1           {percent(m.macro_f1)}   ({interval(m.macro_f1_interval)})",
            f"calibration error  {percent(m.calibration_error)}",
            f"loss               {m.loss:7.3f}",
            "",
            *table(m, self.classes),
        ]
        lines += ["", *self.notes] if self.notes else []
        if self.left_out:
            lines += [
                "",
                f"Left out, not counted ({len(self.left_out):,}):",
                *(f"  {bad.reason}" for bad in self.left_out),
            ]
        return "\n".join(lines)


def percent(share: float | None) -> str:
    return "      –" if share is None else f"{100 * share:5.1f} %"


def interval(ends: tuple[float, float]) -> str:
    return f"95 % interval {100 * ends[0]:.1f} to {100 * ends[1]:.1f}"


def table(metrics: Metrics, classes: Sequence[str]) -> list[str]:
    """One line per class: photos, precision, recall, F1 and what it is most often taken for."""
    wide = max(len("class"), *(len(name) for name in classes))
    lines = [f"{'class':{wide}}  photos  precision   recall       F1  most often taken for"]
    for c, (name, one) in enumerate(zip(classes, metrics.per_class, strict=True)):
        others = [(count, -d) for d, count in enumerate(metrics.confusion[c]) if d != c and count]
        count, other = max(others, default=(0, 0))
        wrong = f"{classes[-other]} ({count})" if count else ""
        figures = "  ".join(percent(share) for share in (one.precision, one.recall, one.f1))
        lines.append(f"{name:{wide}}  {one.n:6,}    {figures}  {wrong}".rstrip())
    return lines


def evaluate(
    model: Path,
    photos: Path,
    *,
    split: str = "test",
    image: list[int] | None = None,
    batch: int = 64,
    workers: int = 2,
) -> Evaluation | Sizes:
    """Measure a trained model on photos: accuracy, each class, calibration, all with their uncertainty.

    Args:
        model: A run's folder, a bundle or its zip, or a model's .safetensors file.
        photos: The folder of photos, or a CSV of path,label or path,labels; its classes are matched with the model's by name.
        split: Which of its photos: test, validation, train, or all.
        image: Side in pixels that the network sees, or several of them for a table; by default the model's own.
        batch: Photos per step.
        workers: Processes that decode photos; 0 decodes in this one.
    """
    from ..data.source import find_photos
    from ..weights.model import read_model
    from .learnt import training_of

    check_split(split)
    found = read_model(model)
    shares, trained_on = training_of(Path(model), found.facts)
    source = find_photos(photos, **shares)
    rest: Any = {"name": str(model), "split": split, "batch": batch, "workers": workers, "trained_on": trained_on}
    sizes = [image] if isinstance(image, int) else list(image or ())  # in Python a single one may be given as it is
    if len(sizes) > 1:
        return evaluate_sizes(found, source, sizes, **rest)
    return evaluate_model(found, source, image=sizes[0] if sizes else None, **rest)


def evaluate_model(
    model: Any,
    photos: Photos,
    *,
    name: str,
    split: str = "test",
    image: int | None = None,
    batch: int = 64,
    workers: int = 2,
    trained_on: frozenset[str] = frozenset(),
) -> Evaluation:
    """`evaluate` for a Model and Photos at hand. `trained_on`: digests of photos the model has learnt from."""
    import torch

    from ..data.listing import shown_below
    from ..data.source import packed_side
    from ..errors import SettingError, is_out_of_memory
    from .label_metrics import measure_several
    from .metrics import measure
    from .several import SeveralEvaluation, check_form

    check_form(model, photos)
    chosen = photos_of(photos, split, model.classes)
    preprocess = model.preprocess if image is None else model.preprocess.at(image)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        with shown_progress(len(chosen)) as progress:
            answers = predict_logits(
                model.net(), chosen, preprocess, batch=batch, workers=workers, device=device, progress=progress
            )
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise SettingError(
            f"Out of memory with {batch} photos of {preprocess.image} pixels at a time. Give fewer (--batch"
            f" {max(1, batch // 4)}), or smaller ones (--image)."
        ) from error
    kind: Any = SeveralEvaluation if photos.several else Evaluation
    figures: Any = measure_several if photos.several else measure
    return kind(
        model=name,
        arch=model.arch.name,
        image=preprocess.image,
        split=split,
        classes=tuple(model.classes),
        metrics=figures(answers.logits, answers.labels),
        paths=tuple(shown_below(chosen[i].path, photos.root) for i in answers.index),
        labels=answers.labels,
        logits=answers.logits,
        left_out=answers.bad,
        notes=notes_on(photos, split, chosen, model.classes, trained_on),
        packed=packed_side(chosen),
    )


def check_split(split: str) -> None:
    from ..errors import SettingError, did_you_mean

    if split not in SPLITS:
        raise SettingError(f"split is {split!r}; allowed are {', '.join(SPLITS)}.{did_you_mean(split, SPLITS)}")


def photos_of(photos: Photos, split: str, classes: Sequence[str]) -> tuple[Photo, ...]:
    """The photos of a split, labelled by their class's place in `classes` (the model's order, matched by name).

    Raises: SettingError for an unknown split, DataError for one without photos and for classes the model does not know.
    """
    from ..errors import DataError, did_you_mean
    from .several import relabelled

    check_split(split)
    unknown = [name for name in photos.classes if name not in classes]
    if unknown:
        missing = [name for name in classes if name not in photos.classes]
        raise DataError(
            f"{photos.root}: the model does not know {listed(unknown)}; it knows {listed(classes)}"
            + (f", of which the folder lacks {listed(missing)}" if missing else "")
            + f".{did_you_mean(unknown[0], classes)} Rename the folders, or choose the model that was trained on them."
        )
    place = [list(classes).index(name) for name in photos.classes]
    parts = photos.splits
    members = [photo for part in parts.values() for photo in part] if split == "all" else parts[split]
    if not members:
        there = ", ".join(f"{name} ({len(part):,})" for name, part in parts.items() if part) or "none"
        raise DataError(f"{photos.root}: there are no {split} photos. Splits with photos: {there}; name one as split.")
    return tuple(relabelled(photo, place, len(classes)) for photo in members)


def notes_on(
    photos: Photos, split: str, chosen: Sequence[Photo], classes: Sequence[str], trained_on: frozenset[str]
) -> tuple[str, ...]:
    """What a reader must know before believing the figures."""
    from ..data.source import packed_side

    notes = []
    if side := packed_side(chosen):
        notes.append(
            f"The pictures were resized to a short side of {side} pixels when they were packed: the originals may give"
            " other figures."
        )
    absent = sorted(set(range(len(classes))) - {label for photo in chosen for label in photo.labels})
    if absent:
        notes.append(f"No photos of {listed([classes[c] for c in absent])}: nothing is measured for them.")
    whole = sum(len(part) for part in photos.splits.values())
    if photos.was_split and split != "all":
        notes.append(
            f"The photos came without a split: {split!r} is {len(chosen):,} of its {whole:,} photos, chosen by content."
            " For all of them: --split all."
        )
    seen = sum(photo.digest in trained_on for photo in chosen)
    if seen:
        notes.append(f"{seen:,} of these {len(chosen):,} photos were trained on: the figures are too good.")
    elif split in ("train", "all"):
        notes.append(f"Split {split!r}: if the model was trained on these photos, the figures are too good.")
    return tuple(notes)


def listed(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(repr(name) for name in names[:most]) + more
