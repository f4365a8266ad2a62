"""The verb `train`: from photos and a few flags, or a recipe, to a run's folder; and `--resume`, to go on with one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .result import Result

if TYPE_CHECKING:
    from .recipe import Recipe

SIDE = 8  # image sides of a progressive run are multiples of it


def train(
    photos: Path | None = None,
    *,
    arch: str | None = None,
    recipe: Path | None = None,
    epochs: int | None = None,
    image: int | None = None,
    batch: int | None = None,
    lr: float | None = None,
    seed: int | None = None,
    workers: int | None = None,
    from_scratch: bool = False,
    out: Path | None = None,
    resume: Path | None = None,
) -> Result:
    """Train a network on a folder of photos, or go on with a run that was stopped.

    Ctrl-C saves and says how to go on (exit code 75); a killed run goes on from its last checkpoint. On a CPU the
    resumed run ends with the same bits as one that was never stopped. An existing run is never overwritten.

    Args:
        photos: Folder with one folder of photos per class, or with train/ and validation/ of such folders.
        arch: Which network, such as "mobilenetv3_small_100" (`linnet archs` lists them).
        recipe: JSON file with all settings, such as the recipe.json of another run. The flags below change it.
        epochs: How often every photo is seen.
        image: Side of the images in pixels.
        batch: Photos per step.
        lr: Highest learning rate, at this batch.
        seed: Another number gives another order, crops and first weights.
        workers: Processes that read photos; the result does not depend on it.
        from_scratch: Start from random weights even where pretrained ones are known.
        out: Folder of the run; by default runs/NAME. If it is there already, NAME-2.
        resume: Folder of a run to go on with. All settings are its own.
    """
    changes: dict[str, Any] = {
        "arch": arch, "epochs": epochs, "image": image, "batch": batch, "lr": lr, "seed": seed, "workers": workers,
    }  # fmt: skip
    given = {name: value for name, value in changes.items() if value is not None}
    if resume is not None:
        return go_on(resume, photos, [*given, *["recipe"] * (recipe is not None), *["out"] * (out is not None)])
    chosen = changed(_load(recipe), **given) if recipe else first_recipe(from_scratch=from_scratch, **given)
    root = photos or (Path(chosen.photos) if chosen.photos else None)
    return start(chosen, root, out, from_scratch=from_scratch)


def first_recipe(
    *,
    arch: str = "mobilenetv3_small_100",
    epochs: int | None = None,
    image: int | None = None,
    batch: int = 32,
    lr: float | None = None,
    seed: int = 0,
    workers: int | None = None,
    from_scratch: bool = False,
) -> Recipe:
    """A sound recipe for a few thousand photos: short fine-tuning where pretrained weights are known, else progressive
    learning from scratch. Rates are for a batch of 32 and grow with its square root (AdamW).

    Raises: SettingError.
    """
    from ..arch.names import find
    from .recipe import AdamW, Cosine, Phase, Recipe, progressive

    found = find(arch)
    image = min(found.image, 224) if image is None else image
    settings = {"arch": found.name, "seed": seed, "workers": "auto" if workers is None else workers}
    row = {"image": image, "batch": batch, "randaugment": 6.0, "dropout": 0.2, "drop_path": 0.1}
    # A draft first: it refuses whatever is wrong before the weights are asked for, which imports torch.
    Recipe(**settings, phases=(Phase(epochs=1 if epochs is None else epochs, **row),), optimizer=AdamW(lr=1.0 if lr is None else lr),
           schedule=Cosine())  # fmt: skip
    tuned = not from_scratch and has_weights(found.name)
    epochs = (5 if tuned else 40) if epochs is None else epochs
    whole = Phase(epochs=epochs, **row)
    phases = (whole,)
    if not tuned and epochs >= 8:
        small = max(32, round(image * 0.6 / SIDE) * SIDE)
        phases = progressive(epochs, image=(min(small, image), image), multiple=SIDE, randaugment=(5, 10),
                             dropout=(0.1, 0.3), drop_path=(0.0, 0.1), batch=batch)  # fmt: skip
    peak = (5e-4 if tuned else 2e-3) * (batch / 32) ** 0.5 if lr is None else lr
    return Recipe(
        **settings,
        pretrained=found.name if tuned else None,
        phases=phases,
        optimizer=AdamW(lr=peak),
        schedule=Cosine(warmup=min(1.0, 0.1 * epochs)),
        head_lr_factor=5.0 if tuned else 1.0,
        ema=0.998,
        clip=5.0,
    )


def has_weights(name: str) -> bool:
    """Whether pretrained weights of this network are known; knowing costs no download."""
    from ..weights.pretrained import pretrained

    return pretrained(name) is not None


def changed(recipe: Recipe, **given: Any) -> Recipe:
    """The recipe with what the flags say; `batch` holds for all phases.

    Raises: SettingError for `epochs` or `image` where the recipe has several phases.
    """
    import dataclasses

    from ..errors import SettingError

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
    result = dataclasses.replace(recipe, **given, **({"pretrained": None} if other else {}))
    if other and recipe.pretrained and has_weights(given["arch"]):
        result = dataclasses.replace(result, pretrained=given["arch"])
    return result


def start(recipe: Recipe, root: Path | None, out: Path | None, *, from_scratch: bool = False) -> Result:
    """Look at the photos, then train in a new folder."""
    import dataclasses

    from ..errors import SettingError

    if root is None:
        raise SettingError("Which photos? Give a folder: linnet train PHOTOS; or --resume RUN to go on with a run.")
    recipe = dataclasses.replace(recipe, photos=str(root), **({"pretrained": None} if from_scratch else {}))

    from ..data.doctor import examine
    from ..data.source import find_photos
    from ..files import fresh_folder, write_json
    from .loop import run

    diagnosis = examine(find_photos(root, validation=recipe.validation, test=recipe.test))
    name = recipe.arch if isinstance(recipe.arch, str) else recipe.arch.get("name", "network")
    folder = fresh_folder(out or Path("runs") / str(name))
    write_json(folder / "data.json", diagnosis.to_json())
    return run(recipe, diagnosis.photos, folder)


def go_on(folder: Path, root: Path | None, given: list[str]) -> Result:
    """Go on with a run; only its photos may have moved."""
    from ..errors import SettingError
    from .recipe import Recipe

    if given:
        raise SettingError(
            f"--{given[0]}: a resumed run keeps its settings. Leave it out, or train anew without --resume."
        )
    if not (folder / "recipe.json").is_file():
        raise SettingError(f"{folder}: no run to go on with (it has no recipe.json). Give the folder of a run.")
    recipe = Recipe.load(folder / "recipe.json")
    root = root or (Path(recipe.photos) if recipe.photos else None)
    if root is None:
        raise SettingError(
            f"{folder}: its recipe does not say where the photos are. Say: linnet train PHOTOS --resume {folder}"
        )

    from ..data.doctor import examine
    from ..data.source import find_photos
    from .loop import run

    photos = examine(find_photos(root, validation=recipe.validation, test=recipe.test)).photos
    return run(None, photos, folder, resume=True)


def _load(path: Path) -> Recipe:
    from .recipe import Recipe

    return Recipe.load(path)
