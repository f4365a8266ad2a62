"""What a recipe is mixed from: optimisers and schedules of the learning rate, as values."""

from __future__ import annotations

from typing import Literal

from .setting import Above0, Checked, From0, Share, Switch, UpTo1, setting

# What weight decay pulls at: convolutions and linear layers; norms, biases, positions and tokens as well (the papers whose
# code has no exception); or all weights but the depthwise ones (MobileNetV1, section 3.3).
Decayed = Literal["weights", "all", "no_depthwise"]


@setting
class Sgd(Checked):
    """Momentum SGD; weight decay is added to the gradient."""

    kind: Literal["sgd"] = "sgd"
    lr: Above0 = 0.1
    momentum: Share = 0.9
    nesterov: Switch = True
    weight_decay: From0 = 1e-5
    decayed: Decayed = "weights"


@setting
class AdamW(Checked):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    kind: Literal["adamw"] = "adamw"
    lr: Above0 = 1e-3
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: Above0 = 1e-8
    weight_decay: From0 = 0.05
    decayed: Decayed = "weights"


@setting
class Lamb(Checked):
    """AdamW's step, for each tensor as long as the tensor itself times the rate (You et al. 2020, Algorithm 2).

    Tensors that are not decayed take AdamW's step. Give the recipe clip=1.0, which the implementations have built in.
    """

    kind: Literal["lamb"] = "lamb"
    lr: Above0 = 5e-3
    betas: tuple[Share, Share] = (0.9, 0.999)
    eps: Above0 = 1e-6
    weight_decay: From0 = 0.02
    decayed: Decayed = "weights"


@setting
class RmsProp(Checked):
    """TensorFlow's RMSProp, the one of the EfficientNet and MobileNet papers; weight decay is added to the gradient."""

    kind: Literal["rmsprop"] = "rmsprop"
    lr: Above0 = 0.016
    decay: Share = 0.9
    momentum: Share = 0.9
    eps: Above0 = 1e-3
    weight_decay: From0 = 1e-5
    decayed: Decayed = "weights"


@setting
class Cosine(Checked):
    """Linear warm-up, then half a cosine from 1 down to `final` at the end of the run."""

    kind: Literal["cosine"] = "cosine"
    warmup: From0 = 0.0  # epochs
    start: UpTo1 = 0.0  # of the peak: where warm-up begins
    final: UpTo1 = 0.0  # of the peak


@setting
class Linear(Checked):
    """Linear warm-up, then a straight line from 1 down to `final` at the end of the run (ViT; FFCV)."""

    kind: Literal["linear"] = "linear"
    warmup: From0 = 0.0  # epochs
    start: UpTo1 = 0.0  # of the peak: where warm-up begins
    final: UpTo1 = 0.0  # of the peak


@setting
class Step(Checked):
    """Linear warm-up, and `factor` once every `every` epochs, counted from the first step (EfficientNet)."""

    kind: Literal["step"] = "step"
    warmup: From0 = 5.0  # epochs
    start: UpTo1 = 0.0  # of the peak: where warm-up begins
    factor: UpTo1 = 0.97
    every: Above0 = 2.4  # epochs


@setting
class Constant(Checked):
    """Linear warm-up, then the same rate to the end."""

    kind: Literal["constant"] = "constant"
    warmup: From0 = 0.0  # epochs
    start: UpTo1 = 0.0  # of the peak: where warm-up begins


Optimizer = Sgd | AdamW | Lamb | RmsProp
Schedule = Cosine | Linear | Step | Constant
