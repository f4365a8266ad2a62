"""Who teaches beside the labels (knowledge distillation): nobody, a network, or its kept answers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import functional as F

from ..data.preprocess import Preprocess
from ..data.source import Photos
from ..errors import SettingError, WeightsError
from ..nn.conv import Heads
from ..nn.net import Net
from ..weights.file import read_weights
from ..weights.model import Model
from ..weights.pretrained import imagenet_classes, is_path, load_pretrained, warning
from ..weights.tensors import hash_tensors, read_tensors, write_tensors
from . import measure
from .recipe import Recipe

KIND = "teacher's answers"
WNID = re.compile(r"n\d{8}")  # how ImageNet's folders are called; sorted, they are in the order of the logits


@dataclass(frozen=True)
class Teacher:
    """Nobody: targets stay as they are. Those below put their answers behind them: [B, classes] -> [B, 2 * classes].

    An answer is softmax(logits / `temperature`), or all for the largest logit if it is `hard`.
    """

    hard: bool = False
    temperature: float = 1.0
    sha256: str = ""  # of what decides the answers
    note: str = ""  # what a person should know

    def known(self, targets: Tensor, index: Tensor) -> Tensor:
        """With what is known of the photos at `index`, before they are mixed (the answers are mixed with them)."""
        return targets

    def asked(self, targets: Tensor, images: Tensor) -> Tensor:
        """With what it says of these very images [B, 3, H, W], augmented and mixed as the student sees them."""
        return targets

    def beside(self, targets: Tensor, logits: Tensor) -> Tensor:
        if self.hard:
            answers = F.one_hot(logits.argmax(1), logits.shape[1])
        else:
            answers = F.softmax(logits.float() / self.temperature, dim=1)
        return torch.cat([targets, answers.to(targets.dtype)], 1)


@dataclass(frozen=True, kw_only=True)
class NetTeacher(Teacher):
    """A network that looks at each batch: the pictures of the student's, in its own mean and deviation."""

    net: Net
    order: Tensor  # int64 [classes]: where its logits have the photos' classes
    scale: Tensor  # float32 [3, 1, 1]: from the student's numbers to its own
    shift: Tensor
    flip: bool  # it wants the channels in the other order
    dtype: torch.dtype

    @torch.no_grad()
    def asked(self, targets: Tensor, images: Tensor) -> Tensor:
        images = images * self.scale + self.shift
        if self.flip:
            images = images.flip(1)
        self.net.fit_windows(images.shape[-1])
        with torch.autocast(images.device.type, self.dtype, enabled=self.dtype != torch.float32):
            logits = self.net(images)
        return self.beside(targets, logits[:, self.order])


@dataclass(frozen=True, kw_only=True)
class KeptTeacher(Teacher):
    """Answers that were written by `keep_answers`, one for each photo however it is augmented."""

    logits: Tensor  # float32 [photos to train on, classes]

    def known(self, targets: Tensor, index: Tensor) -> Tensor:
        return self.beside(targets, self.logits[index.to(self.logits.device)])


def find_teacher(recipe: Recipe, photos: Photos, device: torch.device) -> Teacher:
    """The recipe's teacher for these photos, of one label each (`with_loss`); its `preprocess` and `precision` have been
    resolved.

    Raises: SettingError for a teacher of other classes, or that does not take the images' sizes; WeightsError when it
    cannot be read or had.
    """
    name, hard, temperature = recipe.teacher, recipe.teacher_hard, recipe.temperature
    if name is None:
        return Teacher()
    if _holds_answers(name):
        logits, sha256, note = read_answers(name, photos)
        return KeptTeacher(hard, temperature, sha256, note, logits=logits.to(device))
    model = find_model(name)
    order, note = class_order(model.classes, photos.classes, name)
    for image in sorted({side for phase in recipe.phases for side in (phase.sizes or (phase.image,))}):
        try:
            list(model.arch.layers(image))
        except SettingError as error:
            raise SettingError(
                f"teacher {name}: it does not take images of {image} pixels ({error}) Change the phases' image, or give"
                " another teacher."
            ) from error
    assert recipe.preprocess is not None
    scale, shift, flip = renormalise(Preprocess.from_json(recipe.preprocess), model.preprocess)
    net = model.net().requires_grad_(False).to(device)
    net.to(memory_format=measure.FORMATS[recipe.memory_format])  # pyright: ignore[reportCallIssue]
    return NetTeacher(
        hard,
        temperature,
        hash_teacher(model, order),
        remark(model, note),
        net=net,
        order=torch.tensor(order, device=device),
        scale=scale.to(device),
        shift=shift.to(device),
        flip=flip,
        dtype=measure.DTYPES[recipe.precision],
    )


def find_model(name: str) -> Model:
    """The model of a run, a bundle or a file of weights, or the pretrained weights of a network.

    Raises: SettingError, WeightsError.
    """
    return read_weights(name) if is_place(name) else load_pretrained(name)


def is_place(name: str) -> bool:
    """Whether it means a file or folder, not the name of pretrained weights."""
    return name.rstrip("/\\").endswith(".linnet") or is_path(name)


def renormalise(student: Preprocess, teacher: Preprocess) -> tuple[Tensor, Tensor, bool]:
    """(scale, shift, flip): images the student's way are the teacher's way after `images * scale + shift` and, with
    `flip`, their channels turned round. Both float32 [3, 1, 1], in the order of the student's channels."""
    flip = student.channels != teacher.channels
    mean, std = (tuple(reversed(own)) if flip else own for own in (teacher.mean, teacher.std))
    scale = [own / other for own, other in zip(student.std, std, strict=True)]
    shift = [(own - other) / s for own, other, s in zip(student.mean, mean, std, strict=True)]
    return torch.tensor(scale).view(3, 1, 1), torch.tensor(shift).view(3, 1, 1), flip


def class_order(theirs: Sequence[str], ours: Sequence[str], name: str) -> tuple[list[int], str]:
    """Where the teacher's logits have the photos' classes, and a note where their names do not tell.

    Raises: SettingError when the teacher has other classes.
    """
    if len(set(theirs)) == len(theirs) and set(theirs) == set(ours):
        return [list(theirs).index(own) for own in ours], ""
    if len(theirs) == len(ours):
        straight = list(range(len(ours)))
        if tuple(theirs) == imagenet_classes() and all(map(WNID.fullmatch, ours)):
            return straight, ""
        if all(re.fullmatch(r"class \d+", one) for one in theirs):
            return (
                straight,
                f"The teacher {name} does not name its classes; they are taken in the photos' sorted order.",
            )
    unlike = next((own for own in ours if own not in theirs), None)
    what = f"it does not know {unlike!r}" if unlike else "it knows others too"
    raise SettingError(
        f"teacher {name}: it has {len(theirs)} classes, the photos {len(ours)}; {what}. Give a teacher of the same"
        " classes, such as a run on these photos."
    )


def remark(model: Model, note: str) -> str:
    """What a person should know of a teacher; `note` is `class_order`'s."""
    return " ".join(said for said in (note, warning(model.facts)) if said)


def hash_teacher(model: Model, order: Sequence[int]) -> str:
    """SHA-256 of its weights, a space, and that of what else decides its answers."""
    rest = {"arch": model.arch.to_json(), "preprocess": model.preprocess.to_json(), "order": list(order)}
    return f"{hash_tensors(model.state)} {hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()}"


def part_heads(net: Net) -> None:
    """In training, a network with two classifiers gives the logits of both: labels teach the first, the teacher the
    second. In use they are averaged, as ever."""
    heads = net.get_classifier()
    if isinstance(heads, Heads) and len(heads) == 2:
        heads.apart = True


def keep_answers(teacher: str, photos: Photos, path: str | Path, *, image: int | None = None, workers: int = 2) -> Path:
    """Write the teacher's logits for every photo to train on, seen once as in use, for `Recipe.teacher` to name.

    A run then needs no pass through the teacher: cheaper, but the answer does not follow the crop. `image` is the side
    in pixels that the teacher looks at; its own if not given. Every run holds them all, four bytes per photo and class.
    Raises: SettingError when something is at `path` or the teacher has other classes; WeightsError.
    """
    from ..evaluation.evaluate import predict_logits

    path = Path(path)
    if path.suffix != ".safetensors" or path.exists():
        what = "there is something there already" if path.exists() else "answers are kept in a .safetensors file"
        raise SettingError(f"{path}: {what}. Give the name of a new .safetensors file.")
    model = find_model(teacher)
    order, note = class_order(model.classes, photos.classes, teacher)
    preprocess = model.preprocess.at(image) if image else model.preprocess
    found = predict_logits(model.net(), photos.train, preprocess, workers=workers)
    facts = {
        "classes": list(photos.classes),
        "digests": [photos.train[i].digest for i in found.index.tolist()],
        "teacher": teacher,
        "note": remark(model, note),
        "preprocess": preprocess.to_json(),
    }
    write_tensors(path, {"logits": torch.from_numpy(found.logits)[:, order]}, facts, kind=KIND)
    return path


def read_answers(path: str | Path, photos: Photos) -> tuple[Tensor, str, str]:
    """Kept logits in the order of the photos to train on, float32 [n, classes], their hash, and what to know of them.

    Raises: WeightsError for a damaged file, SettingError when it has other classes or not all of the photos.
    """
    tensors, facts = read_tensors(path, kind=KIND, remedy="Write it anew with keep_answers.")
    order, _ = class_order(facts["classes"], photos.classes, str(path))
    rows = {digest: row for row, digest in enumerate(facts["digests"])}
    missing = [photo for photo in photos.train if photo.digest not in rows]
    if missing:
        raise SettingError(
            f"teacher {path}: has no answer for {len(missing)} of {len(photos.train)} photos, such as"
            f" {missing[0].path}. Write it anew with keep_answers for these photos."
        )
    logits = tensors["logits"][torch.tensor([rows[photo.digest] for photo in photos.train])][:, order]
    return logits.float(), hash_tensors({"logits": logits}), facts.get("note", "")  # older files have none


def demand_same(teacher: Teacher, folder: Path) -> None:
    """Raises: WeightsError unless the teacher is the one that the run in `folder` began with."""
    before = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    known = before.get("teacher", "").split(" ")  # of older runs the weights' hash alone
    if teacher.sha256.split(" ")[: len(known)] != known:
        raise WeightsError(
            f"{folder}: its teacher is not the one that the run began with. Put that back, or train anew with --out."
        )


def _holds_answers(name: str) -> bool:
    try:
        with safe_open(name, framework="pt") as file:
            return json.loads((file.metadata() or {}).get("linnet", "{}")).get("kind") == KIND
    except (SafetensorError, OSError, ValueError, AttributeError):
        return False  # whatever else it is is said by the one that reads it as a model
