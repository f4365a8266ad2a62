"""LAMB: AdamW's step, made as long for each tensor as the tensor is times the rate."""

# pyright: reportPrivateImportUsage=false
# (torch._foreach_* is what torch's own optimisers are made of; it has no public name yet)

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Lamb(torch.optim.Optimizer):
    """For each tensor w that is decayed, with Adam's bias-corrected means m of the gradient and v of its square:

        u = m / (sqrt(v) + eps) + weight_decay * w
        w = w - lr * (|w| / |u|) * u

    where a ratio with a norm of 0 counts as 1. Tensors without weight decay (norms, biases) take Adam's own step, as in
    the implementations that recipes were tuned with (timm, apex).
    Source: You et al. 2020, Algorithm 2.
    """

    def __init__(
        self, params: Any, *, lr: float, betas: tuple[float, float], eps: float, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            for p in params:
                if not self.state[p]:
                    new = {name: torch.zeros_like(p) for name in ("mean", "square")}
                    self.state[p].update(new, step=torch.zeros((), device=p.device))
            grads: list[Tensor] = [p.grad for p in params]  # type: ignore[misc]
            means, squares, steps = ([self.state[p][name] for p in params] for name in ("mean", "square", "step"))
            first, second = group["betas"]
            torch._foreach_add_(steps, 1)
            torch._foreach_lerp_(means, grads, 1 - first)
            torch._foreach_mul_(squares, second)
            torch._foreach_addcmul_(squares, grads, grads, 1 - second)
            # Frozen rows join later, so each tensor counts its own steps; all of it stays on the device.
            roots = torch._foreach_div(squares, [1 - second**n for n in steps])
            torch._foreach_sqrt_(roots)
            torch._foreach_add_(roots, group["eps"])
            updates = torch._foreach_div(means, [1 - first**n for n in steps])
            torch._foreach_div_(updates, roots)
            if group["weight_decay"]:
                torch._foreach_add_(updates, params, alpha=group["weight_decay"])
                pairs = zip(torch._foreach_norm(params), torch._foreach_norm(updates), strict=True)
                torch._foreach_mul_(updates, [torch.where((w > 0) & (u > 0), w / u, 1.0) for w, u in pairs])
            torch._foreach_add_(params, updates, alpha=-group["lr"])
