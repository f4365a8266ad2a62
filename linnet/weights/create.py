"""`create_model` and `list_models`, for those who come from timm."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..arch.names import archs, find
from ..arch.spec import Norms
from ..data.preprocess import Preprocess
from ..errors import LinnetError, SettingError
from ..nn.build import build
from ..nn.features import FeatureNet
from ..nn.net import Net, set_regularisation
from .archs import offers
from .file import read_weights
from .keymap import classifier, dialect_of, to_linnet
from .model import Model, load_exactly
from .pretrained import load_pretrained, pretrained


def list_models(pattern: str = "*", pretrained: bool = False) -> list[str]:
    """Names of the networks; with `pretrained` those of the sets of weights, "network.tag".

    >>> list_models("mobilenetv3_small_100*", pretrained=True)[0]
    'mobilenetv3_small_100.lamb_in1k'
    """
    return [offer.name for offer in offers(pattern).sets] if pretrained else archs(pattern)


def create_model(
    model_name: str,
    pretrained: bool = False,
    num_classes: int | None = None,
    in_chans: int = 3,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    global_pool: str | None = None,
    output_stride: int | None = None,
    img_size: int | tuple[int, int] | None = None,
    checkpoint_path: str | Path = "",
    features_only: bool = False,
    out_indices: Sequence[int] | None = None,
    dynamic_img_size: bool = True,
    pretrained_cfg: Mapping[str, Any] | None = None,
    norm: Norms | None = None,
) -> Net | FeatureNet:
    """A network by timm's (or torchvision's or Keras') name, ready to be trained; `linnet archs` lists them.

    `pretrained` takes ImageNet's weights, those of the tag where the name has one ("efficientnet_b0.ra_in1k"); the
    classifier is new where `num_classes` is not that of the weights (0 leaves the features as they are), and a first
    convolution for other than 3 channels is made from theirs. `checkpoint_path` takes those of a file, under the names
    of Linnet, timm or torchvision. `img_size`, a side or (height, width), fits positions and windows to another size
    (`net.arch.image` is the longer side then); any size may be given to `forward` all the same (`dynamic_img_size` is
    there because timm has it; it is always so). `features_only` gives the maps of strides 2 to 32 in place of logits.
    `pretrained_cfg` changes what the network's own one says. `norm` stands in place of batch norm: "group" or "layer", for
    which there are no weights (see `Arch.with_norm`).
    Raises: SettingError for a name or number that is not allowed, WeightsError when weights are not at hand or are those
    of another network.

    >>> create_model("mobilenetv3_small_100", num_classes=10).num_features
    1024
    """
    _check(num_classes, in_chans, drop_rate, drop_path_rate, output_stride, img_size)
    if norm and (pretrained or checkpoint_path):
        raise SettingError(
            f"norm={norm!r} has no weights to load: they are those of the network's own norm. Leave one out."
        )
    stride = output_stride if output_stride and output_stride < 32 else 0
    model: Model | None = None
    if checkpoint_path:
        model = read_weights(checkpoint_path, find(model_name))
    elif pretrained:
        model = load_pretrained(model_name)
        _name_licence(model)
    if model:
        net = build(model.arch, in_chans=in_chans, output_stride=stride)
        load_exactly(net, adapt_first(model.state, net, in_chans), what=model.arch.name)
        if num_classes is not None and num_classes != model.arch.classes:
            net.reset_classifier(num_classes)
    else:
        arch = find(model_name)
        arch = arch.with_norm(norm) if norm else arch
        classes = arch.classes if num_classes is None else num_classes
        net = build(arch.with_classes(classes), in_chans=in_chans, output_stride=stride)
    net.register_load_state_dict_pre_hook(translate)
    if global_pool is not None:
        net.set_pooling(global_pool)
    if img_size is not None and img_size != net.arch.image:
        net.set_image_size(img_size)
    net.pretrained_cfg = {**config(net, model, model_name), **(pretrained_cfg or {})}
    set_regularisation(net, dropout=drop_rate, drop_path=drop_path_rate)
    return FeatureNet(net, out_indices) if features_only else net


def adapt_first(state: Mapping[str, Tensor], net: Net, in_chans: int) -> dict[str, Tensor]:
    """`state` with its first convolution made for `in_chans` channels: grey is the sum of the colours; of more, each
    looks like one of red, green and blue, and the sum stays of the same size."""
    found = dict(state)
    own = net.state_dict()
    for name in state.keys() & own.keys() if in_chans != 3 else ():
        tensor = state[name]
        if tensor.ndim == 4 and tensor.shape[1] == 3 and own[name].shape[1] == in_chans:
            few = tensor.sum(1, keepdim=True) if in_chans == 1 else None
            more = tensor[:, [i % 3 for i in range(in_chans)]] * (3 / in_chans)
            found[name] = more if few is None else few
    return found


def translate(net: nn.Module, state: dict[str, Tensor], prefix: str = "", *_: Any) -> None:
    """Before `load_state_dict`: names of timm or torchvision become Linnet's, in place.

    Where the network is a part of another module, `prefix` stands before its names. What cannot be translated is left
    to torch, which refuses it or, with strict=False, passes it over (a hook is not told which); the warning says why.
    """
    assert isinstance(net, Net)
    theirs = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
    dialect = dialect_of(theirs, net.arch)
    if dialect == "linnet":  # or nobody's: torch says what is missing
        return
    try:
        found = to_linnet(theirs, net.arch, dialect, net.in_chans)
    except LinnetError as error:
        warnings.warn(str(error), stacklevel=2)
        return
    for name in theirs:
        del state[prefix + name]
    state.update({prefix + name: tensor for name, tensor in found.items()})


def config(net: Net, model: Model | None, name: str) -> dict[str, Any]:
    """What timm's `resolve_model_data_config` reads: how a picture is made ready for this network."""
    offer = pretrained(name) if model is None else None
    preprocess = model.preprocess if model else offer.preprocess if offer else Preprocess(image=net.arch.image)
    first = next((n for n, p in net.named_parameters() if p.ndim == 4), "")
    return {
        "architecture": net.arch.name,
        "input_size": (net.in_chans, preprocess.image, preprocess.image),
        "interpolation": preprocess.interpolation,
        "mean": preprocess.mean,
        "std": preprocess.std,
        "crop_pct": preprocess.crop,
        "crop_mode": {"crop": "center", "squash": "squash"}[preprocess.mode],
        "num_classes": net.arch.classes,
        "first_conv": first.removesuffix(".weight"),
        "classifier": classifier(net.arch),
    }


def _name_licence(model: Model) -> None:
    """A licence that restricts the use of weights is named when they are loaded."""
    import sys

    from .pretrained import warning

    if said := warning(model.facts):
        print(said, file=sys.stderr)


def _check(
    num_classes: int | None,
    in_chans: int,
    drop_rate: float,
    drop_path_rate: float,
    output_stride: int | None,
    img_size: int | tuple[int, int] | None,
) -> None:
    side = min(img_size) if isinstance(img_size, tuple) else img_size
    for what, value, least in (("num_classes", num_classes, 0), ("in_chans", in_chans, 1), ("img_size", side, 1)):
        if value is not None and value < least:
            raise SettingError(f"{what} is {value}: give {least} or more.")
    for what, rate in (("drop_rate", drop_rate), ("drop_path_rate", drop_path_rate)):
        if not 0 <= rate < 1:
            raise SettingError(f"{what} is {rate}: give a number from 0 to below 1.")
    if output_stride not in (None, 0, 8, 16, 32):
        raise SettingError(f"output_stride is {output_stride}: give 8, 16 or 32.")
