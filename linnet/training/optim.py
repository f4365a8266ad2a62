"""Optimisers, and their state as named tensors."""

# pyright: reportPrivateImportUsage=false
# (torch._foreach_* is what torch's own optimisers are made of; it has no public name yet)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import WeightsError
from ..nn.groups import depth_of
from ..nn.net import Net
from .ingredients import Decayed
from .lamb import Lamb
from .recipe import Recipe


class TensorFlowRmsProp(torch.optim.Optimizer):
    """RMSProp as TensorFlow has it; torch.optim.RMSprop differs in all three points and trains these networks worse.

    eps stands inside the root, the mean square starts at 1, and the momentum buffer holds steps that already have
    their learning rate, so a change of rate does not rescale the past:

        square = decay * square + (1 - decay) * g^2
        moment = momentum * moment + lr * g / sqrt(square + eps)
        w = w - moment

    Weight decay is L2: g = gradient + weight_decay * w.
    Source: tensorflow/core/kernels/training_ops.cc (ApplyRMSProp), python/training/rmsprop.py.
    """

    def __init__(
        self, params: Any, *, lr: float, decay: float, momentum: float, eps: float, weight_decay: float
    ) -> None:
        super().__init__(
            params, {"lr": lr, "decay": decay, "momentum": momentum, "eps": eps, "weight_decay": weight_decay}
        )

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            grads: list[Tensor] = [p.grad for p in params]  # type: ignore[misc]
            for p in params:
                if not self.state[p]:
                    self.state[p].update(square=torch.ones_like(p), moment=torch.zeros_like(p))
            squares = [self.state[p]["square"] for p in params]
            moments = [self.state[p]["moment"] for p in params]
            if group["weight_decay"]:
                grads = list(torch._foreach_add(grads, params, alpha=group["weight_decay"]))
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, grads, grads, 1 - group["decay"])
            roots = torch._foreach_add(squares, group["eps"])
            torch._foreach_sqrt_(roots)
            torch._foreach_mul_(moments, group["momentum"])
            torch._foreach_addcdiv_(moments, grads, roots, group["lr"])
            torch._foreach_sub_(params, moments)


class ThawingSgd(torch.optim.SGD):
    """torch's SGD, whose fused kernel takes no group of which some have their momentum and some, just thawed, have not yet."""

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"] if group["momentum"] else ():
                if p.grad is not None and self.state[p].get("momentum_buffer") is None:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(
                        p
                    )  # its first step gives the gradient, as torch's
        super().step()


def build_optimizer(net: Net, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser; weights that a phase freezes have no gradient, and are passed over.

    Norms, biases and `net.no_weight_decay()` are not decayed, unless it says "all". Rates fall by `layer_decay` with each
    residual layer on the way down (Bao et al. 2022, BEiT; ConvNeXt counts groups of three blocks); the classifier's
    is `head_lr_factor` times the head's.
    """
    chosen, head = recipe.optimizer, {id(p) for p in net.get_classifier().parameters()}
    bare, depths = set[str]() if chosen.decayed == "all" else net.no_weight_decay(), depth_of(net)
    last = max(depths.values())
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, p in net.named_parameters():
        factor = recipe.layer_decay ** (last - depths[name]) * (recipe.head_lr_factor if id(p) in head else 1.0)
        groups.setdefault((is_decayed(p, chosen.decayed) and name not in bare, factor), []).append(p)
    listed = [
        {
            "params": params,
            "factor": factor,
            "weight_decay": chosen.weight_decay if decayed else 0.0,
            "l1": recipe.l1 if decayed else 0.0,
        }
        for (decayed, factor), params in groups.items()
    ]
    match chosen.kind:
        case "sgd":
            nesterov = chosen.nesterov and chosen.momentum > 0
            return ThawingSgd(listed, lr=chosen.lr, momentum=chosen.momentum, nesterov=nesterov, fused=True)
        case "adamw":
            return torch.optim.AdamW(listed, lr=chosen.lr, betas=chosen.betas, eps=chosen.eps, fused=True)
        case "lamb":
            return Lamb(listed, lr=chosen.lr, betas=chosen.betas, eps=chosen.eps)
        case "rmsprop":
            return TensorFlowRmsProp(
                listed,
                lr=chosen.lr,
                decay=chosen.decay,
                momentum=chosen.momentum,
                eps=chosen.eps,
                weight_decay=chosen.weight_decay,
            )


def is_decayed(p: nn.Parameter, which: Decayed) -> bool:
    """Whether weight decay is for this parameter, as far as its shape tells: norms and biases are vectors, depthwise
    convolutions have one channel to a filter."""
    match which:
        case "weights":
            return p.ndim > 1
        case "all":
            return True
        case "no_depthwise":
            return p.ndim > 1 and not (p.ndim == 4 and p.shape[1] == 1 and p.shape[2:].numel() > 1)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = lr * group["factor"]


def add_l1(optimizer: torch.optim.Optimizer) -> None:
    """Add what `l1` times the sum of the decayed weights' magnitudes would add to the gradient: l1 * sign(w), 0 at 0.

    It comes after clipping and is in no reported loss or norm. With AdamW and LAMB, which divide by the gradient's size,
    it counts for little beside large gradients. Source: Tibshirani 1996 (lasso).
    """
    for group in optimizer.param_groups:
        params = [p for p in group["params"] if p.grad is not None] if group["l1"] else []
        if params:
            with torch.no_grad():
                torch._foreach_add_([p.grad for p in params], torch._foreach_sign(params), alpha=group["l1"])


def clip(params: Sequence[nn.Parameter], norm: float, limit: float) -> None:
    """Scale all gradients so that their norm, which is `norm`, is at most `limit`; inf costs nothing."""
    if norm > limit:
        torch._foreach_mul_([p.grad for p in params if p.grad is not None], limit / norm)


def optimizer_tensors(optimizer: torch.optim.Optimizer, net: nn.Module) -> dict[str, Tensor]:
    """The optimiser's state by the parameters' names: `stages.0.0.expand.weight/exp_avg`."""
    names: dict[Tensor, str] = {p: name for name, p in net.named_parameters()}
    return {
        f"{names[p]}/{key}": value
        for p, state in optimizer.state.items()
        for key, value in state.items()
        if isinstance(value, Tensor)
    }


def load_optimizer(optimizer: torch.optim.Optimizer, net: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put `optimizer_tensors` back, in the parameters' own memory layout (the fused kernels count on it).

    Raises: WeightsError for a state of other parameters.
    """
    params = dict(net.named_parameters())
    for full, saved in tensors.items():
        name, _, key = full.rpartition("/")
        if name not in params or (saved.ndim and saved.shape != params[name].shape):
            raise WeightsError(f"The optimiser's state does not fit: {full}. Go on with the network it was saved with.")
        p = params[name]
        # AdamW's `step` is 0-dimensional, and the fused kernels want it where they made it: on the parameter's device.
        own = torch.empty_like(p, requires_grad=False) if saved.ndim else torch.empty_like(saved, device=p.device)
        optimizer.state[p][key] = own.copy_(saved)
