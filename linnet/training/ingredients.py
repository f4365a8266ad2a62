"""What a recipe is mixed from: optimisers and schedules of the learning rate, as values."""

from __future__ import annotations

from typing import Literal

from .setting import Above0, Checked, From0, Share, Switch, UpTo1, setting


@setting
class Sgd(Checked):
    """Momentum SGD; weight decay is added to the gradient."""

    kind: Literal["sgd"] = "sgd"
    lr: Above0 = 0.1
    momentum: Share = 0.9
    nesterov: Switch = True
    weight_decay: From0 = 1e-5


@setting
class AdamW(Checked):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    kind: Literal["adamw"] = "adamw"
    lr: Above0 = 1e-3
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: Above0 = 1e-8
    weight_decay: From0 = 0.05


@setting
class RmsProp(Checked):
    """TensorFlow's RMSProp, the one of the EfficientNet and MobileNet papers; weight decay is added to the gradient."""

    kind: Literal["rmsprop"] = "rmsprop"
    lr: Above0 = 0.016
    decay: Share = 0.9
    momentum: Share = 0.9
    eps: Above0 = 1e-3
    weight_decay: From0 = 1e-5


@setting
class Cosine(Checked):
    """Linear warm-up from 0, then half a cosine from 1 down to `final` at the end of the run."""

    kind: Literal["cosine"] = "cosine"
    warmup: From0 = 0.0  # epochs
    final: UpTo1 = 0.0  # of the peak


@setting
class Step(Checked):
    """Linear warm-up from 0, and `factor` once every `every` epochs, counted from the first step (EfficientNet)."""

    kind: Literal["step"] = "step"
    warmup: From0 = 5.0  # epochs
    factor: UpTo1 = 0.97
    every: Above0 = 2.4  # epochs


@setting
class Constant(Checked):
    """Linear warm-up from 0, then the same rate to the end."""

    kind: Literal["constant"] = "constant"
    warmup: From0 = 0.0  # epochs


Optimizer = Sgd | AdamW | RmsProp
Schedule = Cosine | Step | Constant
