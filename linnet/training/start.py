"""Where a run begins: a sound first recipe, a look at the photos, a folder. `train` and `fit` share it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SettingError
from .ingredients import AdamW, Cosine
from .progressive import progressive
from .recipe import Phase, Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..arch.spec import Arch
    from ..data.doctor import Diagnosis, Truncated
    from ..data.source import Photos

# So many pictures are seen, and so often each at least and at most; the figures behind them are in
# docs/decisions/0004-first-recipes.md.
TUNED, SCRATCH = (15_000, 4, 30), (120_000, 8, 100)
FEW = 10_000  # up to so many photos the rows with the largest maps stay as they are pretrained
PACK = 1.4  # times the last image: the short side of pictures resized once; why: docs/decisions/0006-packed-pictures.md
PACK_BYTES = 2_000_000_000
DEFAULT = "mobilenetv3_small_100"  # where neither a network nor weights are named
SIDES = (8, 16, 32)  # image sides of a progressive run are multiples of the first that the network takes


def first_recipe(
    *,
    arch: str | None = None,
    photos: int = 3000,
    root: str | None = None,
    epochs: int | None = None,
    image: int | None = None,
    batch: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    workers: int | None = None,
    max_bad: float = 0.05,
    truncated: Truncated = "quarantine",
    pretrained: str | None = None,
    from_scratch: bool = False,
    head_only: bool = False,
) -> Recipe:
    """A sound recipe for `photos` pictures in the folder `root`: fine-tuning where pretrained weights are to be had,
    else from scratch. Images grow on the way in both; rates grow with the square root of the batch, as AdamW's should.
    With `head_only` the classifier alone learns.

    Raises: SettingError for a wrong setting, before anything heavy is imported.
    """
    from ..arch.names import find
    from ..weights.pretrained import check_file, is_path, network_of

    refuse_both(pretrained, from_scratch)
    check_file(pretrained)
    if pretrained and arch is None:
        if is_path(pretrained):
            raise SettingError("--pretrained gives a file, which does not say of which network: add --arch NAME.")
        arch = network_of(pretrained)
    found = find(arch or DEFAULT)
    if batch is None:
        batch = 64 if photos >= 1000 else 32 if photos >= 200 else 16
    settings: dict[str, Any] = {
        "arch": found.name, "photos": root, "seed": seed, "workers": "auto" if workers is None else workers,
        "max_bad": max_bad, "truncated": truncated,
    }  # fmt: skip
    # A draft refuses whatever is wrong before anything else is looked up.
    draft = Phase(
        epochs=1 if epochs is None else epochs, image=min(found.image, 160) if image is None else image, batch=batch
    )
    Recipe(**settings, phases=(draft,), schedule=Cosine(), optimizer=AdamW(lr=1.0 if lr is None else lr))
    if pretrained is None and not from_scratch and has_weights(found.name):
        pretrained = found.name
    tuned = pretrained is not None
    pictures, least, most = TUNED if tuned else SCRATCH
    if epochs is None:
        epochs = min(most, max(least, round(pictures / max(photos, 1))))
    step = side_step(found)
    image = min(found.image, 160) if image is None else image
    settings["pack"] = pack_side(photos, epochs, image)
    peak = lambda at_64: at_64 * (batch / 64) ** 0.5 if lr is None else lr  # noqa: E731
    if not tuned:
        if head_only:
            raise SettingError(no_body(found.name))
        return Recipe(
            **settings,
            phases=grow(epochs, 4, (0.6, image), step, randaugment=(3, 9), dropout=(0.1, 0.2), batch=batch),
            optimizer=AdamW(lr=peak(4e-3)),
            schedule=Cosine(warmup=min(2.0, 0.1 * epochs)),
            ema=0.998,
            clip=5.0,
            crop_area=(0.2, 1.0),
        )
    # First the classifier alone, which is nearly free: what it has to learn would else be torn through the body.
    first = max(1, epochs // 8) if epochs > 1 else 0
    head = (
        (Phase(epochs=first, image=side(0.7, image, step), batch=batch, freeze=found.classifier_row),) if first else ()
    )
    # Rows with large maps take most of a step's time and, pretrained, have little to learn from few photos.
    frozen = rows_to(found, 8) if photos <= FEW else 0
    growing = grow(epochs - first, 4, (0.7, image), step, randaugment=(0, 3), dropout=(0.0, 0.1), batch=batch)
    phases = (*head, *(dataclasses.replace(phase, freeze=frozen) for phase in growing))
    recipe = Recipe(
        **settings,
        pretrained=pretrained,
        phases=phases,
        optimizer=AdamW(lr=peak(1e-3)),
        schedule=Cosine(warmup=0.1 * epochs),
        head_lr_factor=3.0,
        eval_image=image,
        ema=0.99,
        crop_area=(0.35, 1.0),
    )
    return head_alone(recipe) if head_only else recipe


def draft_recipe(**given: Any) -> Recipe:
    """`first_recipe` before the photos are counted: what it refuses, no number of photos would make right. It has the most
    epochs that there may be, so that a warm-up is not too long for it alone."""
    return first_recipe(**{"epochs": SCRATCH[2], **given})


def refuse_both(pretrained: str | None, from_scratch: bool) -> None:
    if pretrained and from_scratch:
        raise SettingError("--pretrained and --from-scratch exclude each other. Leave one out.")


def head_alone(recipe: Recipe) -> Recipe:
    """The recipe with all rows below the classifier as they are, in evaluation mode, in every phase.

    Raises: SettingError where they begin at random.
    """
    from ..arch.names import find
    from ..arch.spec import Arch

    arch = find(recipe.arch) if isinstance(recipe.arch, str) else Arch.from_json(recipe.arch)
    if recipe.pretrained is None:
        raise SettingError(no_body(arch.name))
    rows = tuple(dataclasses.replace(phase, freeze=arch.classifier_row) for phase in recipe.phases)
    return dataclasses.replace(recipe, phases=rows)


def no_body(name: str) -> str:
    return (
        f"--head-only needs a network that has learnt already, but {name} begins at random: no weights of it are here, or"
        " --from-scratch was given. Name weights with --pretrained (`linnet archs --pretrained`), or leave it out."
    )


def grow(epochs: int, stages: int, image: tuple[float, int], step: int, **rest: Any) -> tuple[Phase, ...]:
    """Progressive phases up to `image[1]` pixels, from `image[0]` times that in multiples of `step`; fewer stages where
    epochs are few."""
    stages = min(stages, epochs)
    if stages < 2:
        last = {name: value[1] if isinstance(value, tuple) else value for name, value in rest.items()}
        return (Phase(epochs=epochs, image=image[1], **last),)
    return progressive(epochs, stages=stages, image=(side(*image, step), image[1]), multiple=step, **rest)


def pack_side(photos: int, epochs: int, image: int) -> int | None:
    """To which short side the photos are resized once; none where that does not pay, or takes too much room."""
    pixels = round(PACK * image)
    size = photos * 3 * pixels * round(pixels * 4 / 3)  # most photos are 4 : 3
    return pixels if epochs >= 4 and photos <= FEW and size <= PACK_BYTES and pixels >= 16 else None


def rows_to(arch: Arch, stride: int) -> int:
    """How many of the table's leading rows give maps of at most this stride."""
    image, n = 16 * arch.image, 0
    for row, layer in arch.layers(image):
        if row >= len(arch.stem) + len(arch.stages) or len(layer.out_size) != 2 or image > stride * layer.out_size[0]:
            break
        n = row + 1
    return n


def side(share: float, image: int, step: int) -> int:
    return max(32, round(image * share / step) * step)


def side_step(arch: Arch) -> int:
    """The first of SIDES whose multiples the network takes: patches of 16 or 32 pixels must come out whole."""
    for step in SIDES:
        try:
            list(arch.layers(13 * step))  # 13: no multiple of a larger step
            return step
        except SettingError:
            continue
    return SIDES[-1]


def changed(recipe: Recipe, *, head_only: bool = False, set: Sequence[str] | None = None, **given: Any) -> Recipe:
    """The recipe with what the flags say, then each of `set` (see `override`); `batch` and `head_only` hold for all phases.

    All of them are put in before any is judged: a long warm-up and its epochs change together. With another network, rows
    that stay as they are become those as deep in it; without weights none does, as they would stay random.
    Raises: SettingError for `epochs` or `image` where the recipe has several phases, and for weights of a file that
    is not there.
    """
    from ..weights.pretrained import check_file
    from .override import settled

    for name in ("epochs", "image"):
        if name in given and len(recipe.phases) > 1:
            raise SettingError(
                f"--{name}: this recipe has {len(recipe.phases)} phases, each with its own. Set them:"
                f" --set phases.0.{name}=..., or --set phases.{name}=... for all."
            )
    value = recipe.to_json()
    for name in ("epochs", "image", "batch"):
        if name in given:
            value["phases"] = [{**row, name: given[name]} for row in value["phases"]]
    if "lr" in given:
        value["optimizer"]["lr"] = given["lr"]
    other = "arch" in given and given["arch"] != recipe.arch
    check_file(given.get("pretrained", None if other else recipe.pretrained))
    check_file(recipe.teacher)
    if other:  # how numbers are scaled belongs to the other network's weights; how pictures are cut stays
        kept = {k: v for k, v in (recipe.preprocess or {}).items() if k not in ("mean", "std", "channels")}
        weights = (
            given["arch"] if recipe.pretrained and "pretrained" not in given and has_weights(given["arch"]) else None
        )
        value |= {"pretrained": weights, "preprocess": kept or None}
        value["phases"] = [{**row, "freeze": as_deep(row["freeze"], recipe, given["arch"])} for row in value["phases"]]
    value |= {name: x for name, x in given.items() if name not in ("epochs", "image", "batch", "lr")}
    if recipe.pretrained and value["pretrained"] is None:
        value["phases"] = [{**row, "freeze": 0} for row in value["phases"]]
    result = settled(value, set)
    return head_alone(result) if head_only else result


def as_deep(rows: int, recipe: Recipe, other: str) -> int:
    """How many leading rows of another network end where so many of the recipe's own do: at the classifier, or at a stride."""
    from ..arch.names import find
    from ..arch.spec import Arch

    own = find(recipe.arch) if isinstance(recipe.arch, str) else Arch.from_json(recipe.arch)
    if not rows or rows == own.classifier_row:
        return rows and find(other).classifier_row
    return rows_to(find(other), next((stride for stride in (2, 4, 8, 16, 32) if rows_to(own, stride) >= rows), 64))


def has_weights(name: str) -> bool:
    """Whether pretrained weights of this network are here or could be fetched; asking costs no download."""
    from ..weights.pretrained import obtainable

    return obtainable(name)


def note_on_weights(recipe: Recipe, *, from_scratch: bool) -> str:
    """For the person who did not ask for it: that training starts from nothing, and what would help."""
    from ..weights.fetch import absence
    from ..weights.pretrained import catalogue, key_of

    key = key_of(recipe.arch) if isinstance(recipe.arch, str) else None
    if from_scratch or recipe.pretrained or key is None:
        return ""
    return (
        f"There are pretrained weights {key}, but they are not on this machine: {absence(catalogue()[key].url)}."
        " Training from scratch, which needs many photos."
    )


def look_at(
    root: Path, *, validation: float = 0.1, test: float = 0.1, max_bad: float = 0.05, alike: bool = True,
    truncated: Truncated = "quarantine",
) -> Diagnosis:  # fmt: skip
    """The doctor's view of the photos; where there are no such folders, these shares are split off.

    `alike`: with look-alikes, and `truncated`, see `diagnose`.
    Raises: DataError when they cannot be trained on.
    """
    from ..data.doctor import examine
    from ..data.source import find_photos
    from ..evaluation.progress import shown_looks

    photos = find_photos(root, validation=validation, test=test)
    with shown_looks(sum(map(len, photos.splits.values()))) as show:
        return examine(photos, progress=show, max_bad=max_bad, alike=alike, truncated=truncated)


def new_run(folder: Path, diagnosis: Diagnosis) -> Path:
    """A new folder for a run, with what is known of its photos in data.json; never one that is there already."""
    from ..files import fresh_folder, write_json

    folder = fresh_folder(folder)
    write_json(folder / "data.json", diagnosis.to_json())
    return folder


def photos_of_run(folder: Path, root: Path | None = None) -> Photos:
    """The good photos of a run that is there, found as its recipe says, or in `root` if they have moved.

    Raises: SettingError when the folder holds no run, DataError when the photos are gone.
    """
    if not (folder / "recipe.json").is_file():
        raise SettingError(f"{folder}: no run to go on with (it has no recipe.json). Give the folder of a run.")
    recipe = Recipe.load(folder / "recipe.json")
    root = root or (Path(recipe.photos) if recipe.photos else None)
    if root is None:
        raise SettingError(
            f"{folder}: its recipe does not say where the photos are. Give them: PHOTOS --resume {folder}"
        )
    shares = {"validation": recipe.validation, "test": recipe.test}
    return look_at(root, **shares, max_bad=recipe.max_bad, truncated=recipe.truncated, alike=False).photos
