"""A built network: rows of layers, and the methods that every network has."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from ..arch.spec import Arch, Classifier, Pool
from ..errors import SettingError
from .conv import DropPath
from .module import module


class Feature(NamedTuple):
    name: str
    channels: int
    reduction: int  # input pixels per feature pixel


class Net(nn.Module):
    """The network of an Arch: images [B, in_chans, H, W] -> logits [B, classes].

    Submodules follow the table: `stem.<row>.<layer>`, `stages.<row>.<layer>`, `head.<operator>`.
    """

    def __init__(self, arch: Arch, *, in_chans: int = 3, output_stride: int = 0) -> None:
        super().__init__()
        self.arch, self.output_stride, self.in_chans = arch, output_stride, in_chans
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
    def feature_info(self) -> tuple[Feature, ...]:
        """Name, channels and reduction of every feature map, from large to small."""
        return tuple(Feature(*f) for f in self.arch.features(output_stride=self.output_stride))

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

    def reset_classifier(self, num_classes: int) -> None:
        """A new classifier, drawn as the family draws it; 0 classes leaves the pooled features."""
        from .init import initialise

        self.arch = self.arch.with_classes(num_classes)
        layers = self.arch.layers(channels=self.in_chans, output_stride=self.output_stride)
        layer = next(layer for _, layer in layers if isinstance(layer.op, Classifier))
        new, old = module(layer.op, layer), next(self.parameters())
        initialise(new, self.arch)
        self.head[self._classifier()] = new.to(old.device, old.dtype).train(self.training)


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
