"""torch.compile of the network that learns: one graph for each phase and image size, made when it is first needed."""

from __future__ import annotations

import os
import shutil
from typing import Literal

import torch
from torch import nn

from ..errors import SettingError
from .recipe import Recipe


def compile_net(net: nn.Module, recipe: Recipe, device: torch.device) -> None:
    """Make `net` run compiled from its next call on, where the recipe says so; its weights and their names stay.

    A graph belongs to one image size, batch size and set of rates, so that nothing in it is general; a run needs one for
    each phase and size, and one more to be validated. The results differ from those without in their last bits, and are
    the same from run to run.
    Raises: SettingError where there is no C++ compiler for a CPU's kernels.
    """
    if recipe.compile != "on":
        return
    if device.type == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++"))):
        raise SettingError(
            "recipe: compile is 'on', which needs a C++ compiler on a CPU. Install one (apt install g++), or set it to 'off'."
        )
    graphs = sum(2 + len(phase.sizes) for phase in recipe.phases)
    import torch._dynamo.config as config  # a second that only such a run has to spend

    config.recompile_limit = max(config.recompile_limit, 2 * graphs)
    net.compile(dynamic=False)


def choose_compile(recipe: Recipe, device: torch.device) -> Literal["off", "on"]:
    """What "auto" is: on a GPU "on", but with `recompute`, which does the forward pass twice in a way of its own, and with
    `int8`, whose rounding is put in at each step."""
    if recipe.compile != "auto":
        return recipe.compile
    return "on" if device.type == "cuda" and not recipe.recompute and not recipe.int8 else "off"
