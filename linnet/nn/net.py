"""A built network: rows of layers, and the methods that every network has."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..arch.spec import Arch, Classifier, Layer, Pool
from ..errors import SettingError
from .batchnorm import statistics_held
from .drop import DropPath
from .module import module


class Feature(NamedTuple):
    name: str
    channels: int
    reduction: int  # input pixels per feature pixel


class FeatureInfo(tuple[Feature, ...]):
    """The feature maps of a network from large to small, with timm's way to ask."""

    def channels(self, idx: Sequence[int] | int | None = None) -> Any:
        return self._asked("channels", idx)

    def reduction(self, idx: Sequence[int] | int | None = None) -> Any:
        return self._asked("reduction", idx)

    def module_name(self, idx: Sequence[int] | int | None = None) -> Any:
        return self._asked("name", idx)

    def _asked(self, what: str, idx: Sequence[int] | int | None) -> Any:
        if isinstance(idx, int):
            return getattr(self[idx], what)
        return [getattr(self[i], what) for i in (range(len(self)) if idx is None else idx)]


class Net(nn.Module):
    """The network of an Arch: images [B, in_chans, H, W] -> logits [B, classes].

    Submodules follow the table: `stem.<row>.<layer>`, `stages.<row>.<layer>`, `head.<operator>`.
    `pretrained_cfg` says, in timm's words, how pictures are made ready for it (`timm.data.resolve_model_data_config`).
    """

    pretrained_cfg: dict[str, Any]

    def __init__(self, arch: Arch, *, in_chans: int = 3, output_stride: int = 0) -> None:
        super().__init__()
        self.arch, self.output_stride, self.in_chans = arch, output_stride, in_chans
        self.pretrained_cfg = {}
        self.grad_checkpointing = False
        self._info: tuple[Arch, FeatureInfo] | None = None
        self._fitted: int | tuple[int, int] = arch.image  # the size that windows fit now
        rows: list[list[nn.Module]] = [[] for _ in arch.rows]
        for row, layer in arch.layers(channels=in_chans, output_stride=output_stride):
            rows[row].append(module(layer.op, layer))
        stem, stages = len(arch.stem), len(arch.stem) + len(arch.stages)
        self.stem = nn.Sequential(*(nn.Sequential(*row) for row in rows[:stem]))
        self.stages = nn.Sequential(*(nn.Sequential(*row) for row in rows[stem:stages]))
        names = [name.removeprefix("head.") for name in arch.row_names[stages:]]
        self.head = nn.Sequential(OrderedDict(zip(names, (row[0] for row in rows[stages:]), strict=True)))
        # SqueezeNet's classifier stands above the pooling.
        splits = (i for i, op in enumerate(arch.head) if isinstance(op, Pool | Classifier))
        self._split = next(splits, len(arch.head))

    def forward(self, x: Tensor) -> Tensor:
        return self.forward_head(self.forward_features(x))

    def forward_features(self, x: Tensor) -> Tensor:
        """All rows above the pooling: a map [B, C, H, W] or tokens [B, N, C]."""
        if self.grad_checkpointing and self.training and torch.is_grad_enabled():
            for layer in (layer for row in (*self.stem, *self.stages) for layer in row):  # type: ignore[attr-defined]
                again = partial(_contexts, layer)
                x = checkpoint(layer, x, use_reentrant=False, context_fn=again)  # type: ignore[assignment]
        else:
            x = self.stages(self.stem(x))
        for row in list(self.head)[: self._split]:
            x = row(x)
        return x

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Pooling and what follows; with `pre_logits` the same without the classifier, [B, num_features].

        Of a network with a classifier per token (distilled DeiT), [B, tokens, num_features].
        """
        for op, row in list(zip(self.arch.head, self.head, strict=True))[self._split :]:
            if not (pre_logits and isinstance(op, Classifier)):
                x = row(x)
        return x

    @property
    def num_features(self) -> int:
        """Channels that the classifier sees, or that a network without one ends with."""
        *_, last = layers = [layer for _, layer in self.arch.layers(channels=self.in_chans)]
        return next((layer.cin for layer in layers if isinstance(layer.op, Classifier)), last.cout)

    @property
    def num_classes(self) -> int:
        return self.arch.classes

    @property
    def default_cfg(self) -> dict[str, Any]:
        return self.pretrained_cfg

    @property
    def feature_info(self) -> FeatureInfo:
        """Name, channels and reduction of every feature map, from large to small."""
        if self._info is None or self._info[0] is not self.arch:  # a walk down the table costs as much as a small layer
            found = FeatureInfo(Feature(*f) for f in self.arch.features(output_stride=self.output_stride))
            self._info = self.arch, found
        return self._info[1]

    def features(self, x: Tensor, strides: Sequence[int] = ()) -> list[Tensor]:
        """Maps from inside the network, from large to small: those of `feature_info`, or of these reductions only.

        Tokens come back as the map [B, C, h, w] that they stand for, without those before it (class, distillation).

        Raises SettingError for a stride that the network does not have.
        """
        info = self.feature_info
        if missing := set(strides) - {f.reduction for f in info}:
            raise SettingError(
                f"{self.arch.name} has no features at stride {sorted(missing)[0]};"
                f" it has {', '.join(str(f.reduction) for f in info)}."
            )
        wanted = [f.name for f in info if not strides or f.reduction in strides]
        caught: dict[str, Tensor] = {}
        size = x.shape[2:]  # of the last map: tokens do not know their height and width

        def catch(name: str, y: Tensor) -> None:
            caught[name] = _map(y, size)

        def catching(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
            return lambda _module, _input, y: catch(name, y)

        inside = [name for name in wanted if name.count(".") > 1]  # a layer or a part of it, such as stages.5.0.expand
        hooks = [self.get_submodule(name).register_forward_hook(catching(name)) for name in inside]
        try:
            for name, row in self._rows():
                size = x.shape[2:] if x.ndim == 4 else size
                x = row(x)
                if name in wanted:
                    catch(name, x)
                if len(caught) == len(wanted):
                    break
        finally:
            for hook in hooks:
                hook.remove()
        return [caught[name] for name in wanted]

    def _rows(self) -> list[tuple[str, nn.Module]]:
        modules = [*self.stem, *self.stages, *self.head]
        return list(zip(self.arch.row_names, modules, strict=True))

    def get_classifier(self) -> nn.Module:
        """Raises SettingError when the network has none."""
        return self.head[self._classifier()]

    def _classifier(self) -> int:
        for i, op in enumerate(self.arch.head):
            if isinstance(op, Classifier):
                return i
        raise SettingError(f"{self.arch.name} has no classifier: give its head a Classifier row.")

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """A new classifier, drawn as the family draws it; 0 classes leaves the pooled features.

        `global_pool` also changes how the map becomes a vector: see `set_pooling`.
        Raises: SettingError for a pooling that is not known or that the network has no row for.
        """
        from .init import initialise

        self.arch = self.arch.with_classes(num_classes)
        layers = self.arch.layers(channels=self.in_chans, output_stride=self.output_stride)
        layer = next(layer for _, layer in layers if isinstance(layer.op, Classifier))
        new, old = module(layer.op, layer), next(self.parameters())
        initialise(new, self.arch)
        self.head[self._classifier()] = new.to(old.device, old.dtype).train(self.training)
        if global_pool is not None:
            self.set_pooling(global_pool)

    def set_pooling(self, global_pool: str) -> None:
        """How a map becomes a vector: "avg" or "max"; "" leaves the map, where the network has no classes.

        Raises: SettingError for another word, and for networks whose table pools in a way of its own (tokens, grids).
        """
        at = next(
            (i for i, op in enumerate(self.arch.head) if type(op) is Pool and op.kind in ("average", "max")), None
        )
        kind = {"avg": "average", "average": "average", "max": "max", "": ""}.get(global_pool)
        if kind is None or at is None:
            own = "" if at is not None else f" {self.arch.name} pools in a way of its own, which stays."
            raise SettingError(f'global_pool is {global_pool!r}; allowed: "avg", "max", or "" for none.{own}')
        if kind == "":
            if self.arch.classes:
                raise SettingError('global_pool="" leaves a map, which has no classes: give num_classes=0 as well.')
            self.arch = replace(self.arch, head=self.arch.head[:at])
            self.head = self.head[:at]
            return
        op = replace(self.arch.head[at], kind=kind)  # type: ignore[type-var]
        self.arch = replace(self.arch, head=(*self.arch.head[:at], op, *self.arch.head[at + 1 :]))
        layers = list(self.arch.layers(channels=self.in_chans))
        self.head[at] = module(op, layers[-len(self.arch.head) + at][1])

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """In training, keep only each layer's input and compute the rest again in the backward pass: less memory,
        about a third more time."""
        self.grad_checkpointing = enable

    def set_image_size(self, image: int | tuple[int, int]) -> None:
        """Make what depends on the size (learned positions, windows) fit images of `image` pixels from now on.

        `image` is a side or (height, width); `arch` can say a side only, and says the longer one.
        Raises: SettingError for a size that the network does not take; nothing is changed then.
        """
        # The whole table first: a size that it refuses changes nothing.
        layers = list(self.arch.layers(image, channels=self.in_chans, output_stride=self.output_stride))
        self.arch = replace(self.arch, image=image if isinstance(image, int) else max(image))
        self._fitted = image
        for m, layer in self._sized("set_size", layers):
            m.set_size(layer.size)  # type: ignore[operator]

    def fit_windows(self, image: int | tuple[int, int]) -> None:
        """Windows as a network for images of `image` pixels has them, until the next call; the image sizes of training
        go up and down with it. What is learned stays as it is: positions are resized as they are used.

        Raises: SettingError for a size that the network does not take.
        """
        if image == self._fitted:
            return
        layers = list(self.arch.layers(image, channels=self.in_chans, output_stride=self.output_stride))
        for m, layer in self._sized("fit_size", layers):
            m.fit_size(layer.size)  # type: ignore[operator]
        self._fitted = image

    def _sized(self, method: str, layers: Sequence[tuple[int, Layer]]) -> Iterator[tuple[nn.Module, Layer]]:
        """The modules that have this method, each with the layer that it is in."""
        rows = [*self.stem, *self.stages, *([row] for row in self.head)]
        for net, (_, layer) in zip((m for row in rows for m in row), layers, strict=True):  # type: ignore[union-attr]
            yield from ((m, layer) for m in net.modules() if hasattr(m, method))

    def no_weight_decay(self) -> set[str]:
        """Names of the parameters that weight decay should leave alone beside norms and biases: positions, tokens,
        biases of attention; whatever is no matrix of a linear layer or convolution, or is in a part that its module
        lists in `undecayed`."""
        found: set[str] = set()
        for place, m in self.named_modules():
            if not isinstance(m, nn.Linear | nn.Conv2d):
                found |= {f"{place}.{name}" for name, p in m.named_parameters(recurse=False) if p.ndim > 1}
            for part in getattr(m, "undecayed", ()):
                inside = m.get_submodule(part).named_parameters(f"{place}.{part}")
                found |= {name for name, p in inside if p.ndim > 1}
        return found

    def fold(self) -> Net:
        """A copy for use: in evaluation mode, batch norms and branches folded into their convolutions."""
        from .fold import fold

        return fold(self)


def _contexts(layer: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    """Around a layer's forward pass, and around the second one, in which BatchNorm must not count the batch again."""
    return nullcontext(), statistics_held(layer)


def _map(x: Tensor, size: Sequence[int]) -> Tensor:
    """Tokens [B, N, C], the last h * w of them of a map, as [B, C, h, w]; a map as it is."""
    if x.ndim == 4:
        return x
    h, w = size
    return x[:, -h * w :].transpose(1, 2).unflatten(2, (h, w))


def set_regularisation(net: Net, *, dropout: float = 0.0, drop_path: float = 0.0) -> None:
    """Set the rates of the run: dropout before the classifier, drop path growing linearly with depth.

    Residual layer i of n drops with `drop_path` * i / n (EfficientNet, efficientnet_model.py); layers that have nothing
    to add still count.
    """
    for m in net.modules():
        if isinstance(m, nn.Dropout):
            m.p = dropout
    body = (len(net.arch.stem), len(net.arch.stem) + len(net.arch.stages))
    layers = [layer for row in net.stages for layer in row]  # type: ignore[attr-defined]
    ops = [layer.op for row, layer in net.arch.layers() if body[0] <= row < body[1]]
    blocks = [m for m, op in zip(layers, ops, strict=True) if op.units]
    for i, block in enumerate(blocks):
        for m in block.modules():
            if isinstance(m, DropPath):
                m.rate = drop_path * i / len(blocks)
