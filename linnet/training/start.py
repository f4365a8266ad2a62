"""Where a run begins: a sound first recipe, a look at the photos, a folder. `train` and `fit` share it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SettingError
from .recipe import AdamW, Cosine, Phase, Recipe, progressive

if TYPE_CHECKING:
    from ..data.doctor import Diagnosis
    from ..data.source import Photos

# So many pictures are seen, and so often each at least and at most; the figures behind them are in
# docs/decisions/0004-first-recipes.md.
TUNED, SCRATCH = (20_000, 4, 30), (120_000, 8, 100)
LARGER = 1.1
SIDE = 8  # image sides of a progressive run are multiples of it


def first_recipe(
    *,
    arch: str = "mobilenetv3_small_100",
    photos: int = 3000,
    root: str | None = None,
    epochs: int | None = None,
    image: int | None = None,
    batch: int | None = None,
    lr: float | None = None,
    seed: int = 0,
    workers: int | None = None,
    from_scratch: bool = False,
) -> Recipe:
    """A sound recipe for `photos` pictures in the folder `root`: fine-tuning where pretrained weights are known,
    else from scratch. Images grow on the way in both; rates grow with the square root of the batch, as AdamW's should.

    Raises: SettingError for a wrong setting, before anything heavy is imported.
    """
    from ..arch.names import find

    found = find(arch)
    if batch is None:
        batch = 64 if photos >= 1000 else 32 if photos >= 200 else 16
    settings: dict[str, Any] = {
        "arch": found.name, "photos": root, "seed": seed, "workers": "auto" if workers is None else workers,
    }  # fmt: skip
    # A draft refuses whatever is wrong before anything else is looked up.
    draft = Phase(epochs=1 if epochs is None else epochs, image=32 if image is None else image, batch=batch)
    Recipe(**settings, phases=(draft,), schedule=Cosine(), optimizer=AdamW(lr=1.0 if lr is None else lr))
    tuned = not from_scratch and has_weights(found.name)
    pictures, least, most = TUNED if tuned else SCRATCH
    if epochs is None:
        epochs = min(most, max(least, round(pictures / max(photos, 1))))
    image = min(found.image, 160) if image is None else image
    peak = lambda at_64: at_64 * (batch / 64) ** 0.5 if lr is None else lr  # noqa: E731
    if not tuned:
        return Recipe(
            **settings,
            phases=grow(epochs, 4, (0.6, image), randaugment=(3, 9), dropout=(0.1, 0.2), batch=batch),
            optimizer=AdamW(lr=peak(4e-3)),
            schedule=Cosine(warmup=min(2.0, 0.1 * epochs)),
            ema=0.998,
            clip=5.0,
            crop_area=(0.2, 1.0),
        )
    # First the classifier alone, which is nearly free: what it has to learn would else be torn through the body.
    first = max(1, epochs // 8) if epochs > 1 else 0
    head = (Phase(epochs=first, image=side(0.7, image), batch=batch, freeze=len(found.rows) - 1),) if first else ()
    # The last images are a little larger than those it is used at: random crops show things larger (Touvron 2019).
    sizes = (0.7 / LARGER, side(LARGER, image))
    phases = (*head, *grow(epochs - first, 3, sizes, randaugment=(0, 3), dropout=(0.0, 0.1), batch=batch))
    return Recipe(
        **settings,
        pretrained=found.name,
        phases=phases,
        optimizer=AdamW(lr=peak(1e-3)),
        schedule=Cosine(warmup=0.1 * epochs),
        head_lr_factor=3.0,
        eval_image=image,
        ema=0.99,
        crop_area=(0.35, 1.0),
    )


def grow(epochs: int, stages: int, image: tuple[float, int], **rest: Any) -> tuple[Phase, ...]:
    """Progressive phases up to `image[1]` pixels, from `image[0]` times that; fewer stages where epochs are few."""
    stages = min(stages, epochs)
    if stages < 2:
        last = {name: value[1] if isinstance(value, tuple) else value for name, value in rest.items()}
        return (Phase(epochs=epochs, image=image[1], **last),)
    return progressive(epochs, stages=stages, image=(side(*image), image[1]), multiple=SIDE, **rest)


def side(share: float, image: int) -> int:
    return max(32, round(image * share / SIDE) * SIDE)


def changed(recipe: Recipe, **given: Any) -> Recipe:
    """The recipe with what the flags say; `batch` holds for all phases.

    Raises: SettingError for `epochs` or `image` where the recipe has several phases.
    """
    for name in ("epochs", "image"):
        if name in given and len(recipe.phases) > 1:
            raise SettingError(
                f"--{name}: this recipe has {len(recipe.phases)} phases, each with its own. Change them in the file."
            )
    row = {name: given.pop(name) for name in ("epochs", "image", "batch") if name in given}
    if row:
        given["phases"] = tuple(dataclasses.replace(phase, **row) for phase in recipe.phases)
    if "lr" in given:
        given["optimizer"] = dataclasses.replace(recipe.optimizer, lr=given.pop("lr"))
    other = "arch" in given and given["arch"] != recipe.arch
    result = dataclasses.replace(recipe, **given, **({"pretrained": None, "preprocess": None} if other else {}))
    if other and recipe.pretrained and has_weights(given["arch"]):
        result = dataclasses.replace(result, pretrained=given["arch"])
    return result


def has_weights(name: str) -> bool:
    """Whether pretrained weights of this network are known; knowing costs no download."""
    from ..weights.pretrained import pretrained

    return pretrained(name) is not None


def look_at(root: Path, *, validation: float = 0.1, test: float = 0.1) -> Diagnosis:
    """The doctor's view of the photos; where there are no such folders, these shares are split off.

    Raises: DataError when they cannot be trained on.
    """
    from ..data.doctor import examine
    from ..data.source import find_photos
    from ..evaluation.evaluate import shown_progress

    photos = find_photos(root, validation=validation, test=test)
    with shown_progress(sum(map(len, photos.splits.values())), "looking at the photos") as advance:
        done = 0

        def show(looked: int, _all: int) -> None:
            nonlocal done
            if advance:
                advance(looked - done)
            done = looked

        return examine(photos, progress=show)


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
    return look_at(root, validation=recipe.validation, test=recipe.test).photos
