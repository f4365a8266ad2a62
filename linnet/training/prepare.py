"""Everything a run needs before its first step, with each "auto" of the recipe resolved."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..arch.names import find
from ..arch.spec import Arch
from ..cores import available_cores
from ..data.cuts import cuts, pixels, pixels_before
from ..data.pack import pack_training
from ..data.preprocess import Preprocess
from ..data.source import Photos
from ..errors import DataError, SettingError
from ..files import write_json
from ..nn.batchnorm import group_batch_norms, learning_batch_norms
from ..nn.build import build
from ..nn.net import Net
from ..weights.keymap import classifier
from ..weights.model import Model, load_exactly
from ..weights.pretrained import warning
from . import measure
from .checkpoint import Checkpoint, Position, remove_stale
from .compiling import choose_compile, compile_net
from .distributed import ALONE, Place, check_shares
from .ema import Ema
from .environment import describe, differences
from .freeze import freeze_rows
from .guard import Guard
from .int8 import refuse_branches
from .log import Log, Silence
from .loss import Loss, balanced_weights
from .memory import keep_memory
from .optim import build_optimizer
from .progress import Progress
from .recipe import Recipe
from .several import with_loss
from .teacher import Teacher, demand_same, find_teacher, is_place, part_heads

PACKED = ".packed.tmp"  # folder inside the run's, as long as it trains; called as only our own are, see `remove_stale`


@dataclass
class Run:
    """The nouns of the loop."""

    recipe: Recipe
    photos: Photos
    folder: Path
    device: torch.device
    preprocess: Preprocess
    facts: dict[str, Any]  # of the weights it started from
    net: Net
    loss: Loss
    teacher: Teacher
    ema: Ema
    optimizer: torch.optim.Optimizer
    guard: Guard
    checkpoint: Checkpoint
    position: Position
    log: Log
    progress: Progress
    epoch_began: float
    place: Place

    def plan(self, epoch: int) -> dict[str, Any]:
        """What decides where an epoch is cut into batches: the arguments of `cuts` and `pixels`."""
        phase = self.recipe.phase_of(epoch)[1]
        return {
            "n": len(self.photos.train), "batch": phase.batch, "image": phase.image, "sizes": phase.sizes,
            "seed": self.recipe.seed, "epoch": epoch,
        }  # fmt: skip

    def steps(self, epoch: int) -> int:
        """In one epoch; what is left at its end and is no whole batch is dropped."""
        return len(cuts(**self.plan(epoch)))

    def work(self, epoch: int, step: int = 0) -> int:
        """Pixels seen before this moment: what the time left is reckoned from, since images grow."""
        done = sum(pixels(**self.plan(e)) for e in range(epoch))
        return done + (pixels_before(**self.plan(epoch))[: step + 1][-1] if epoch < self.recipe.epochs else 0)


def prepare(
    recipe: Recipe | None, photos: Photos, folder: Path, *, resume: bool, progress: Progress, place: Place = ALONE
) -> Run:
    """Build everything for a new run in `folder`, or everything as its checkpoint says.

    Raises: SettingError, DataError, WeightsError; DiskFull when there is no room for checkpoints.
    """
    if resume:
        recipe = Recipe.load(folder / "recipe.json")
    if recipe is None:
        raise SettingError("A new run needs a recipe. Give one, or resume=True for a folder that has one.")
    if len(photos.train) < 2:
        raise DataError(f"{photos.root}: {len(photos.train)} photos to train on; at least 2 are needed. Add photos.")
    recipe = with_loss(recipe, photos)
    check_shares(recipe, len(photos.train), place.world)
    folder.mkdir(parents=True, exist_ok=True)
    remove_stale(folder)
    device = torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cpu":
        keep_memory()
    if recipe.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when a GPU does its first multiplication
    arch = find(recipe.arch) if isinstance(recipe.arch, str) else Arch.from_json(recipe.arch)
    facts: dict[str, Any] = {}
    measured: tuple[measure.Candidate, ...] = ()
    first = find_weights(recipe.pretrained, arch) if recipe.pretrained and not resume else None
    if first and first.arch.style != arch.style:  # weights of one table may need another eps or padding
        arch = dataclasses.replace(arch, style=first.arch.style)
        recipe = dataclasses.replace(recipe, arch=arch.to_json())
    torch.manual_seed(recipe.seed)
    net = build(arch.with_classes(len(photos.classes)))
    if recipe.int8:
        refuse_branches(net)
    if not resume:
        preprocess = Preprocess()
        if first:
            if first.classes == photos.classes:  # it goes on, its classifier too
                load_exactly(net, first.state, what=first.arch.name)
            else:
                load_body(net, first)
            preprocess, facts = first.preprocess, dict(first.facts)
        if recipe.teacher and is_place(recipe.teacher):
            recipe = dataclasses.replace(recipe, teacher=str(Path(recipe.teacher).absolute()))
        recipe, measured = resolve(recipe, net.to(device), preprocess, device, len(photos.train), place)
    assert recipe.preprocess is not None
    teacher, loss = find_teacher(recipe, photos, device), loss_of(recipe, photos, device)
    if recipe.teacher:
        part_heads(net)
    if resume:
        demand_same(teacher, folder)
    else:
        recipe.save(folder / "recipe.json")
        about = {**describe(device, place.world), "weights": facts, "teacher": teacher.sha256}
        write_json(folder / "environment.json", about)
    assert recipe.threads != "auto"
    torch.set_num_threads(threads_here(recipe.threads, place))
    net.to(device).to(memory_format=measure.FORMATS[recipe.memory_format])  # pyright: ignore[reportCallIssue]
    ema, optimizer = Ema(net, recipe.ema), build_optimizer(net, recipe)
    net.set_grad_checkpointing(recipe.recompute)
    if recipe.bn_group:
        group_batch_norms(net, recipe.bn_group)
    compile_net(net, recipe, device)
    checkpoint = Checkpoint(folder, net, ema, optimizer, recipe.save_minutes)
    position = Position(data=hash_photos(photos))
    if resume:
        position = checkpoint.load()
        if position.data != hash_photos(photos):
            raise DataError(
                f"{photos.root}: not the photos that {folder} was trained on. Put them back, or train anew with --out."
            )
    else:
        checkpoint.require_room()
    log = Log(folder, position.log_bytes, position.total) if place.first else Silence()
    if resume:
        before = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
        facts = before.get("weights", {})
        before.setdefault("processes", 1)  # written before there could be several
        for difference in differences(before, describe(device, place.world)):
            text = f"Not as when the run began: {difference}. The result may differ in its last bits."
            log.note(text)
            progress.say(text)
    else:
        for candidate in measured:
            log.note("measured", **dataclasses.asdict(candidate))
        for said in (warning(facts), teacher.note):
            if said:
                log.note(said)
                progress.say(said)
        if not photos.validation:
            log.note("There are no validation photos: the last epoch is kept as the best.")
        position.log_bytes = log.sync()
        checkpoint.save(position)
    if place.world > 1 and not recipe.bn_group and not recipe.bn_frozen and learning_batch_norms(net):
        text = (
            f"Each of the {place.world} processes takes BatchNorm's statistics over its own photos. With another number"
            " of processes the result differs by more than rounding; with bn_group in the recipe it would not."
        )
        log.note(text)
        progress.say(text)
    if recipe.micro_batch != "auto":
        position.micro_batch = position.micro_batch or recipe.micro_batch
    run = Run(
        recipe, photos, folder, device, Preprocess.from_json(recipe.preprocess), facts,
        net, loss, teacher, ema, optimizer, Guard(net), checkpoint, position, log, progress, time.monotonic(), place,
    )  # fmt: skip
    progress.start(run.work(recipe.epochs), run.work(position.epoch, position.step))
    return run


def packed(r: Run) -> Photos:
    """The run's photos, those to train on resized once where the recipe says so and they are still needed."""
    if not r.recipe.pack or r.position.epoch >= r.recipe.epochs or all(photo.packed for photo in r.photos.train):
        return r.photos
    r.progress.say(f"Resizing {len(r.photos.train):,} photos once, to {r.recipe.pack} pixels.")
    return pack_training(r.photos, r.recipe.pack, r.folder / PACKED, upright=r.preprocess.upright)


def resolve(
    recipe: Recipe, net: Net, preprocess: Preprocess, device: torch.device, photos: int, place: Place = ALONE
) -> tuple[Recipe, tuple[measure.Candidate, ...]]:
    """The recipe without "auto": cores counted, format and precision measured where the most work will be.

    `photos` to train on: a batch is never larger. The processes of a `place` share a batch, and those on this machine its
    cores. What is measured is no more than one of them has at a time, nor than `measure.MOST`.
    """
    cores = max(1, min(available_cores() // place.local_world, torch.get_num_threads()))
    threads = cores if recipe.threads == "auto" else recipe.threads
    workers = default_workers(device, cores) if recipe.workers == "auto" else recipe.workers
    preprocess = Preprocess.from_json({**preprocess.to_json(), **(recipe.preprocess or {})})
    preprocess = preprocess.at(recipe.eval_image or recipe.phases[-1].image)
    torch.set_num_threads(threads)
    phase = max(recipe.phases, key=lambda phase: phase.epochs * phase.image**2)
    freeze_rows(net, phase.freeze)
    net.set_grad_checkpointing(recipe.recompute)
    at_once = measure.MOST if recipe.micro_batch == "auto" else recipe.micro_batch
    chosen, measured = measure.choose(
        net,
        image=phase.image,
        batch=max(2, min(min(phase.batch, photos) // place.world, at_once, measure.MOST)),
        classes=net.arch.classes,
        device=device,
        memory_format=recipe.memory_format,
        precision="fp32" if recipe.int8 else recipe.precision,
    )
    freeze_rows(net, 0)
    return dataclasses.replace(
        recipe,
        threads=threads,
        workers=workers,
        preprocess=preprocess.to_json(),
        memory_format=chosen.memory_format,
        precision=chosen.precision,
        compile=choose_compile(recipe, device),
    ), measured


def threads_here(threads: int, place: Place) -> int:
    """The recipe's number, or less where more processes share this machine than when it was chosen."""
    return threads if place.local_world == 1 else max(1, min(threads, available_cores() // place.local_world))


def default_workers(device: torch.device, cores: int) -> int:
    """Loader processes: a CPU that trains has idle moments that two workers fill; a GPU eats what it gets."""
    return min(16, cores) if device.type == "cuda" else min(2, cores - 1)


def loss_of(recipe: Recipe, photos: Photos, device: torch.device) -> Loss:
    """The recipe's loss, which `with_loss` has resolved."""
    weights = None
    if recipe.class_weights == "balanced":
        weights = balanced_weights([photo.label for photo in photos.train], len(photos.classes)).to(device)
    assert recipe.loss != "auto"
    taught = recipe.teacher_share if recipe.teacher else 0.0
    return Loss(recipe.loss, recipe.focal_gamma, weights, taught, recipe.temperature, photos.several)


def load_body(net: Net, model: Model) -> None:
    """Put the model's weights into `net`, all but the classifier's, which begins anew: linear layers at zero.

    The families draw a classifier for 1000 classes; with ten, EfficientNet's uniform +-1 / sqrt(classes) over 1280
    features starts at a loss of 5.7 where knowing nothing is 2.3, and the body pays for it.
    """
    head = classifier(net.arch).removesuffix(".0") + "."
    for m in net.get_classifier().modules():
        if isinstance(m, nn.Linear):
            nn.init.zeros_(m.weight)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
    own = {name: tensor for name, tensor in net.state_dict().items() if name.startswith(head)}
    body = {name: tensor for name, tensor in model.state.items() if not name.startswith(head)}
    load_exactly(net, {**body, **own}, what=model.arch.name)


def find_weights(name: str, arch: Arch) -> Model:
    """Of a file, or by the name of weights that are offered: they may have to be fetched, so only when asked for."""
    from ..weights.file import read_weights
    from ..weights.pretrained import is_path, load_pretrained

    return read_weights(name, arch) if is_path(name) else load_pretrained(name)


def normaliser(preprocess: Preprocess, device: torch.device, memory_format: str) -> Callable[[Tensor], Tensor]:
    """`Preprocess.normalise` for a whole batch: uint8 [B, H, W, 3] to float32 [B, 3, H, W] on the device."""
    scale = torch.tensor([1 / (255 * std) for std in preprocess.std], device=device)
    shift = torch.tensor([m / s for m, s in zip(preprocess.mean, preprocess.std, strict=True)], device=device)
    layout = measure.FORMATS[memory_format]

    def normalise(pixels: Tensor) -> Tensor:
        pixels = pixels.to(device, non_blocking=True)
        if preprocess.channels == "BGR":
            pixels = pixels.flip(-1)
        return (pixels * scale).sub_(shift).permute(0, 3, 1, 2).contiguous(memory_format=layout)

    return normalise


def hash_photos(photos: Photos) -> str:
    """SHA-256 over the classes and the content, in their order, of the photos that a run trains on and chooses its
    best epoch by; not over where they lie."""
    digest = hashlib.sha256(json.dumps(photos.classes).encode())
    for split, members in (("train", photos.train), ("validation", photos.validation)):
        digest.update(f"{split}\n".encode())
        for photo in members:
            pixels = f" {photo.packed.crc:08x}" if photo.packed else ""  # resized once: other pixels than the file's
            digest.update(f"{photo.digest} {photo.target}{pixels}\n".encode())
    return digest.hexdigest()
