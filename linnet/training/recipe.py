"""What a run is made of, as frozen values that refuse every wrong setting before any work starts.

No torch here: a typo in a recipe costs a fraction of a second. `recipe.json` in a run's folder is a Recipe whose
"auto" values have been resolved, so it says what was done.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field, model_validator

from ..data.doctor import Truncated
from ..errors import SettingError
from ..files import write_json
from .ingredients import AdamW, Cosine, Optimizer, Schedule
from .setting import Above0, Checked, Count, From0, Image, Limit, Share, Switch, Text, UpTo1, Whole, setting, shown

if TYPE_CHECKING:
    from ..arch.spec import Arch

Seed = Annotated[int, Field(strict=True, ge=0, lt=2**63)]  # as large as torch's generators take
Side = Annotated[int, Field(strict=True, ge=16, le=4096)]
ColorJitter = From0 | Annotated[tuple[From0, ...], Field(min_length=3, max_length=4)]


@setting
class Phase(Checked):
    """One row of progressive learning (EfficientNetV2, Table 6): for so many epochs, this.

    `freeze` counts the table's leading rows whose weights stay as they are; they run in evaluation mode, and their
    backward pass costs nothing. The place of the classifier (`Arch.classifier_row`) leaves it alone to learn.
    """

    epochs: Count = 1  # passes over the photos
    image: Image = 224  # side in pixels
    sizes: tuple[Image, ...] = ()  # each step draws one of these sides instead, and a batch of as many pixels
    batch: Annotated[int, Field(strict=True, ge=2, le=65536)] = 32  # BatchNorm needs two samples
    randaugment: Annotated[float, Field(strict=True, ge=0, le=40)] = 0.0  # magnitude; 0 is off
    mixup: From0 = 0.0  # alpha of the Beta distribution; 0 is off
    cutmix: From0 = 0.0  # the same
    erasing: UpTo1 = 0.0  # probability
    dropout: Share = 0.0  # before the classifier
    drop_path: Share = 0.0  # of the last residual branch; those before it less (stochastic depth)
    lr_factor: Above0 = 1.0  # of the learning rate
    freeze: Whole = 0  # leading rows of `linnet table NAME` that stay as they are


Rows = Annotated[tuple[Phase, ...], Field(min_length=1)]


@setting
class Recipe(Checked):
    """Everything that decides a run, but for the photos' content.

    `lr` is the rate at the phase's own batch: scale it yourself when you change the batch (0.016 * batch / 256).
    `ema=0` makes the average the weights themselves; `clip=inf` clips nothing.
    `bn_group` takes BatchNorm's statistics over so many consecutive photos of the global batch, whatever the number of
    processes and the micro-batch (EfficientNet used groups of 128); none: over the batch of one process. `micro_batch`
    "auto" is the whole batch of a process, halved whenever memory runs out.
    """

    arch: Text | dict[str, Any] = "mobilenetv3_small_100"  # a name, or a network of your own as Arch.to_json() gives it
    photos: Text | None = None  # a folder or a CSV
    validation: Share = 0.1  # share that is split off where the photos come without these folders
    test: Share = 0.1  # the same
    max_bad: UpTo1 = 0.05  # share of files that may be bad before the run refuses to start
    truncated: Truncated = "quarantine"  # repair: train uses what is nearly whole, in part
    pretrained: Text | None = None  # whose weights to start from; none: from scratch
    phases: Rows = (Phase(epochs=30),)  # one after the other
    optimizer: Annotated[Optimizer, Field(discriminator="kind")] = AdamW()
    schedule: Annotated[Schedule, Field(discriminator="kind")] = Cosine(warmup=1.0)
    head_lr_factor: Above0 = 1.0  # of the rate, for the classifier
    layer_decay: Annotated[float, Field(strict=True, gt=0, le=1)] = 1.0  # of the rate, for each residual layer below
    bn_frozen: Switch = False  # every BatchNorm keeps its statistics
    int8: Switch = False  # go on with a trained network, weights and activations rounded as int8 rounds them
    ema: Share = 0.9999  # decay of the weights' average in each step, which is what is kept; 0: no average
    label_smoothing: Share = 0.1  # of each target, spread over all classes
    loss: Literal["auto", "softmax", "focal", "sigmoid"] = "auto"  # softmax; sigmoid where photos have several labels
    focal_gamma: From0 = 2.0  # of the focal loss
    class_weights: Literal["none", "balanced"] = "none"  # balanced: a photo of a rare class counts more
    sampling: Literal["shuffled", "balanced"] = "shuffled"  # balanced: each class is seen equally often
    teacher: Text | None = None  # a network's pretrained weights, a run, a bundle, a file of weights or of kept answers
    teacher_share: UpTo1 = 0.5  # of the loss
    teacher_hard: Switch = False  # only the teacher's first class counts (DeiT)
    temperature: Above0 = 1.0  # of the soft answers
    l1: From0 = 0.0  # strength of the pull of decayed weights towards 0 (lasso)
    clip: Limit = math.inf  # largest gradient norm
    pack: Side | None = None  # short side that train's photos are resized to once
    crop_area: tuple[UpTo1, UpTo1] = (0.08, 1.0)  # least and largest share of a photo's area in a training crop
    flip: UpTo1 = 0.5  # probability
    randaugment_layers: Whole = 2  # operations on each picture
    policy: Literal["none", "autoaugment", "trivialaugment"] = "none"  # in place of RandAugment
    color_jitter: ColorJitter = 0.0  # one strength, or (brightness, contrast, saturation) or these and hue (up to 0.5)
    cutout: Share = 0.0  # side of the grey square, as a share of the picture's
    repeats: Count = 1  # so often an epoch shows each of its photos, altered otherwise; it has so many times fewer
    eval_image: Image | None = None  # none: the last phase's
    eval_batch: Count = 64  # photos at a time in validation
    preprocess: dict[str, Any] | None = None  # over that of the pretrained weights, or the default; resolved
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # auto: whichever is measured to be faster here
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"  # the same
    compile: Literal["auto", "off", "on"] = "auto"  # auto: on a GPU only
    workers: Literal["auto"] | Annotated[int, Field(strict=True, ge=0, le=256)] = "auto"  # processes that read photos
    threads: Literal["auto"] | Annotated[int, Field(strict=True, ge=1, le=1024)] = "auto"  # that compute
    bn_group: Annotated[int, Field(strict=True, ge=2, le=65536)] | None = None  # photos per BatchNorm statistic
    micro_batch: Literal["auto"] | Count = "auto"  # photos at a time; their gradients are summed up
    recompute: Switch = False  # each layer again in the backward pass: less memory, a third more time
    deterministic: Switch = False  # on a GPU: the kernels that give the same bits each time
    seed: Seed = 0  # of order, crops and first weights
    save_minutes: Above0 = 10.0  # a checkpoint at least so often, beside the one after each epoch

    @model_validator(mode="after")
    def _agree(self) -> Recipe:
        from ..arch.names import find
        from ..arch.spec import Arch

        arch = find(self.arch) if isinstance(self.arch, str) else Arch.from_json(self.arch)
        sides = {side for phase in self.phases for side in (phase.image, *phase.sizes)}
        for image in sorted(sides | {self.eval_image or self.phases[-1].image}):
            _walk(arch, image)
        if self.pretrained is not None:
            from ..weights.pretrained import check_pretrained

            check_pretrained(self.pretrained, arch)
        most = arch.classifier_row
        for i, phase in enumerate(self.phases):
            if phase.freeze > most:
                raise SettingError(
                    f"recipe: phases.{i}.freeze is {phase.freeze}; allowed are 0 to {most}, which leaves this network's"
                    " classifier alone to learn."
                )
        if self.policy != "none" and any(phase.randaugment for phase in self.phases):
            raise SettingError(
                f"recipe: policy {self.policy!r} stands in place of RandAugment. Set phases.randaugment to 0, or policy to"
                ' "none".'
            )
        if self.int8 and (self.precision == "bf16" or self.compile == "on"):
            raise SettingError(
                'recipe: int8 rounds what float32 computes, step by step. Set precision to "fp32" and compile to "off".'
            )
        if self.compile == "on" and self.recompute:
            raise SettingError("recipe: compile 'on' and recompute do not go together. Leave one out.")
        if isinstance(self.color_jitter, tuple) and self.color_jitter[3:] > (0.5,):
            raise SettingError(
                f"recipe: color_jitter has a hue of {self.color_jitter[3]:g}; allowed is up to 0.5, the whole colour circle."
            )
        if self.bn_group and any(phase.sizes for phase in self.phases):
            raise SettingError(
                "recipe: phases with sizes have batches that are not whole bn_groups. Leave bn_group or sizes out."
            )
        if self.schedule.warmup >= self.epochs:
            raise SettingError(
                f"recipe: schedule.warmup is {self.schedule.warmup:g} epochs of {self.epochs}: nothing would be left."
                " Give less, or more epochs."
            )
        if not 0 < self.crop_area[0] <= self.crop_area[1]:
            raise SettingError(
                f"recipe: crop_area is {self.crop_area}; give (smallest, largest) with 0 < smallest <= largest."
            )
        if self.bn_group and self.micro_batch != "auto" and self.micro_batch % self.bn_group:
            raise SettingError(
                f"recipe: micro_batch is {self.micro_batch}; allowed are multiples of bn_group, {self.bn_group}, whose"
                " statistics it must not cut."
            )
        if self.preprocess is not None:
            from ..data.preprocess import Preprocess

            Preprocess.from_json(self.preprocess)
        if self.sampling == "balanced" and self.repeats > 1:
            raise SettingError("recipe: repeats and balanced sampling both choose an epoch's photos. Leave one out.")
        small = min(phase.batch for phase in self.phases)
        if self.repeats > 1 and small < 2 * self.repeats:
            raise SettingError(
                f"recipe: repeats is {self.repeats} and a batch {small}: a photo's copies would stand side by side. Give"
                f" batches of {2 * self.repeats} or more, or fewer repeats."
            )
        if self.teacher is not None:
            _check_teacher(self.teacher)
        if self.teacher_hard and self.temperature != 1:
            raise SettingError(
                f"recipe: temperature {self.temperature:g} softens answers, which teacher_hard does not use. Leave one out."
            )
        if self.validation + self.test >= 1:
            raise SettingError(
                f"recipe: validation {self.validation:g} and test {self.test:g} leave nothing to train on. Give less."
            )
        return self

    @property
    def epochs(self) -> int:
        return sum(phase.epochs for phase in self.phases)

    def phase_of(self, epoch: int) -> tuple[int, Phase]:
        """Which row the epoch (from 0) belongs to."""
        for i, phase in enumerate(self.phases):
            if epoch < phase.epochs:
                return i, phase
            epoch -= phase.epochs
        raise SettingError(f"recipe: there is no epoch {epoch} after the last of {self.epochs}.")

    def to_json(self) -> dict[str, Any]:
        value = dataclasses.asdict(self)
        value["clip"] = "inf" if math.isinf(self.clip) else self.clip  # JSON has no infinity
        return json.loads(json.dumps(value))

    def save(self, path: str | Path) -> None:
        write_json(path, self.to_json())

    @staticmethod
    def from_json(value: Any) -> Recipe:
        if not isinstance(value, dict):
            raise SettingError(f"recipe: a JSON object with settings is needed, not {shown(value)}.")
        return Recipe(**cast("dict[str, Any]", value))

    @staticmethod
    def load(path: str | Path) -> Recipe:
        """Raises: SettingError for a file that is missing, no JSON, or says a setting twice or wrongly."""
        try:
            text = Path(path).read_text(encoding="utf-8")
            return Recipe.from_json(json.loads(text, object_pairs_hook=_once))
        except (OSError, ValueError, RecursionError) as error:
            raise SettingError(
                f"{path}: not a recipe ({error}). Give a JSON file such as a run's recipe.json."
            ) from error
        except SettingError as error:
            raise SettingError(f"{path}: {error}") from None


def _walk(arch: Arch, image: int) -> None:
    """Raises: SettingError for a network whose rows do not fit each other at this image, or that does not classify."""
    where, names = f"recipe: arch {arch.name!r}", arch.row_names
    if not arch.classes:
        raise SettingError(f"{where}: its head has no classifier with classes. Add one, such as Classifier().")
    size: tuple[int, ...] = (image, image)
    try:
        for row, layer in arch.layers(image):
            size = layer.out_size
            if layer.cout < 1 or min(size, default=1) < 1:
                raise SettingError(
                    f"{where}: {names[row]} gives {layer.cout} channels of {size} at {image} pixels; at least 1 of each"
                    " is needed. Change this row, or the images' size."
                )
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
        raise SettingError(f"{where}: its rows do not fit each other at {image} pixels ({error}).") from error
    if size:
        raise SettingError(f"{where}: it ends in a map of {size}, not in a vector. Its head needs Pool().")


def _check_teacher(name: str) -> None:
    """Raises: SettingError for a name of which no pretrained weights are offered; files are looked at by the run."""
    from ..arch.names import find
    from ..weights.pretrained import check_pretrained, is_path, network_of

    if not name.endswith(".linnet") and not is_path(name):
        check_pretrained(name, find(network_of(name)))


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"the setting {twice!r} stands there twice")
    return dict(pairs)
