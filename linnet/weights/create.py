"""`create_model`, for those who come from timm."""

from __future__ import annotations

from ..arch.names import find
from ..errors import SettingError
from ..nn.build import build
from ..nn.net import Net, set_regularisation
from .model import load_exactly
from .pretrained import load_pretrained


def create_model(
    name: str,
    pretrained: bool = False,
    num_classes: int = 1000,
    in_chans: int = 3,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
) -> Net:
    """A network by timm's (or torchvision's or Keras') name, ready to be trained; `linnet archs` lists them.

    `pretrained` takes ImageNet's weights; the classifier is new where `num_classes` is not 1000 (0 leaves the features
    as they are), and a first convolution for other than 3 channels is made from theirs.
    Raises: SettingError for a name or number that is not allowed, WeightsError when weights are not at hand.

    >>> create_model("mobilenetv3_small_100", num_classes=10).num_features
    1024
    """
    for what, value, least in (("num_classes", num_classes, 0), ("in_chans", in_chans, 1)):
        if value < least:
            raise SettingError(f"{what} is {value}: give {least} or more.")
    for what, rate in (("drop_rate", drop_rate), ("drop_path_rate", drop_path_rate)):
        if not 0 <= rate < 1:
            raise SettingError(f"{what} is {rate}: give a number from 0 to below 1.")
    if pretrained:
        model = load_pretrained(name)
        net = build(model.arch, in_chans=in_chans)
        state = dict(model.state)
        first = "stem.0.0.weight"
        if in_chans == 1:
            state[first] = state[first].sum(1, keepdim=True)
        elif in_chans != 3:
            # Each channel looks like one of red, green and blue, and the sum stays of the same size.
            state[first] = state[first][:, [i % 3 for i in range(in_chans)]] * (3 / in_chans)
        load_exactly(net, state, what=name)
        if num_classes != model.arch.classes:
            net.reset_classifier(num_classes)
    else:
        net = build(find(name.partition(".")[0]).with_classes(num_classes), in_chans=in_chans)
    set_regularisation(net, dropout=drop_rate, drop_path=drop_path_rate)
    return net
