"""A file of weights, whoever wrote it, as a Model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..arch.names import find
from ..arch.spec import Arch
from ..data.preprocess import Preprocess
from ..errors import WeightsError
from ..files import sha256_file
from .keymap import classes_in, dialect_of, to_linnet
from .model import Model, read_model
from .pretrained import catalogue
from .state import read_state


def read_weights(path: str | Path, arch: Arch | None = None) -> Model:
    """The model in Linnet's own file, run or bundle; or another library's weights of `arch`, with its number of classes.

    Without `arch`, the network's name is read from a config.json beside the file, as the hub's repositories have it.
    Raises: WeightsError for what is missing, damaged, of another network, or cannot be told.
    """
    path = Path(path)
    if path.is_dir() or path.suffix.lower() == ".zip" or _is_ours(path):
        model = read_model(path)
        if arch:
            _demand_rows(model.arch, arch, path)
        return model
    return as_model(read_state(path), arch or named_beside(path), path)


def as_model(state: dict[str, Tensor], arch: Arch, path: Path) -> Model:
    """Another library's (or Linnet's own) names and values, as the model of `arch` with as many classes as they have.

    Preprocessing and eps, which such a file does not say, are those of the published weights that it is or, where it is
    none of them, of the first that this library publishes of the network; `facts["assumed"]` tells.
    """
    dialect = dialect_of(state, arch)
    arch = arch.with_classes(classes_in(state, arch, dialect) or arch.classes)
    found = to_linnet(state, arch, dialect)
    facts = {"source": str(path), "licence": {"name": "unknown", "read_in": []}}
    key = _recognised(path, arch)
    if not key:
        key = first_published(arch, dialect)
        whose = f"those of {key}" if key else f"Linnet's usual ones ({arch.image} pixels, eps {arch.style.eps:g})"
        facts["assumed"] = f"{path.name} does not say its preprocessing and eps; {whose} are assumed."
    preprocess = Preprocess(image=arch.image)
    if key:
        preprocess = catalogue()[key].preprocess
        arch = replace(arch, style=replace(arch.style, **catalogue()[key].style))
    return Model(arch, tuple(f"class {i}" for i in range(arch.classes)), preprocess, found, facts)


def first_published(arch: Arch, dialect: str) -> str:
    """The "network.tag" of the first weights of the network that are published under a dialect's names, or ""."""
    return next((key for key in _published(arch) if catalogue()[key].dialect == dialect), "")


def _recognised(path: Path, arch: Arch) -> str:
    """The "network.tag" whose SHA-256 is the file's, or ""."""
    known = {key: sha256 for key in _published(arch) if (sha256 := catalogue()[key].sha256)}
    sha256 = sha256_file(path) if known else ""
    return next((key for key, beginning in known.items() if sha256.startswith(beginning)), "")


def _published(arch: Arch) -> list[str]:
    return [key for key in catalogue() if key.partition(".")[0] == arch.name]


def _demand_rows(given: Arch, wanted: Arch, path: Path) -> None:
    """Raises: WeightsError unless the two tables have the same rows; classes and style belong to the weights."""
    wanted = wanted.with_classes(given.classes)
    if (given.stem, given.stages, given.head) != (wanted.stem, wanted.stages, wanted.head):
        raise WeightsError(
            f"{path}: holds {given.name}, whose rows are not those of the {wanted.name} asked for. Give weights of that"
            " network, or ask for the one that the file holds."
        )


def _is_ours(path: Path) -> bool:
    try:
        with safe_open(path, framework="pt") as file:
            return "linnet" in (file.metadata() or {})
    except (SafetensorError, OSError, ValueError):
        return False  # said again, with its reason, by the one that reads it


def named_beside(path: Path) -> Arch:
    """The network that a config.json beside the file names.

    Raises: WeightsError that says how to name it.
    """
    import json

    try:
        config = json.loads((path.parent / "config.json").read_text(encoding="utf-8"))
        return find(str(config["architecture"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path}: the file does not say of which network it is. Say it: --arch NAME (`linnet archs` lists them)."
        ) from error
