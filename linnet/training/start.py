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

TUNED_IMAGES = 12_000  # so many pictures are seen in a fine-tuning of few photos, 3 to 20 epochs
SCRATCH_IMAGES = 120_000  # and so many from scratch, 8 to 100 epochs
SIDE = 8  # image sides of a progressive run are multiples of it


def first_recipe(
    *,
    arch: str = "mobilenetv3_small_100",
    photos: int = 3000,
    root: str | None = None,
    epochs: int | None = None,
    image: int | None = None,
    batch: int = 32,
    lr: float | None = None,
    seed: int = 0,
    workers: int | None = None,
    from_scratch: bool = False,
) -> Recipe:
    """A sound recipe for `photos` pictures in the folder `root`: fine-tuning where pretrained weights are at hand,
    else from scratch with progressive learning. The rate grows with the square root of the batch, as AdamW's should.

    Raises: SettingError for a wrong setting, before anything heavy is imported.
    """
    from ..arch.names import find

    found = find(arch)
    image = min(found.image, 224) if image is None else image
    settings = {"arch": found.name, "photos": root, "seed": seed, "workers": "auto" if workers is None else workers}
    row = {"image": image, "batch": batch, "randaugment": 6.0, "dropout": 0.2, "drop_path": 0.1}
    # A draft refuses whatever is wrong; only then are the weights asked for, which imports torch.
    Recipe(**settings, phases=(Phase(epochs=1 if epochs is None else epochs, **row),), schedule=Cosine(),
           optimizer=AdamW(lr=1.0 if lr is None else lr))  # fmt: skip
    tuned = not from_scratch and has_weights(found.name)
    if epochs is None:
        few, many, images = (3, 20, TUNED_IMAGES) if tuned else (8, 100, SCRATCH_IMAGES)
        epochs = min(many, max(few, round(images / max(photos, 1))))
    stages = min(4, epochs // 2) if not tuned else min(2, epochs // 2)
    if stages < 2:
        phases = (Phase(epochs=epochs, **row),)
    else:
        small = min(image, max(32, round(image * (0.8 if tuned else 0.6) / SIDE) * SIDE))
        phases = progressive(epochs, stages=stages, image=(small, image), multiple=SIDE, randaugment=(5, 10),
                             dropout=(0.1, 0.3), drop_path=(0.0, 0.1), batch=batch)  # fmt: skip
    peak = (5e-4 if tuned else 2e-3) * (batch / 32) ** 0.5 if lr is None else lr
    return Recipe(
        **settings,
        pretrained=found.name if tuned else None,
        phases=phases,
        optimizer=AdamW(lr=peak),
        schedule=Cosine(warmup=min(1.0, 0.1 * epochs)),
        head_lr_factor=5.0 if tuned else 1.0,
        ema=0.99 if tuned else 0.998,
        clip=5.0,
    )


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

    return examine(find_photos(root, validation=validation, test=test))


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
