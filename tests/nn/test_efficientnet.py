from __future__ import annotations

import pytest
import torch
from torch import nn

from linnet.arch.efficientnet import FusedMBConv
from linnet.arch.spec import Layer, Style
from linnet.nn.efficientnet import FusedInvertedResidual
from linnet.nn.module import module


@pytest.mark.parametrize("op", [FusedMBConv(t=1), FusedMBConv(t=1, project=True), FusedMBConv(t=4, k=5)], ids=str)
@pytest.mark.parametrize(("cout", "stride", "adds"), [(16, 1, True), (16, 2, False), (24, 1, False)])
def test_shape_projection_and_residual(op: FusedMBConv, cout: int, stride: int, adds: bool) -> None:
    layer = Layer(op, 16, cout, stride, (9, 12), 1, Style(act="silu"))
    block = module(op, layer).eval()
    assert isinstance(block, FusedInvertedResidual)
    assert block(torch.randn(2, *layer.input_shape)).shape == (2, *layer.output_shape)
    assert (block.drop_path is not None) is adds
    assert isinstance(block.project, nn.Identity) is not op.projects
    assert block.expand.out_channels == (round(16 * op.t) if op.projects else cout)
    assert isinstance(block.expand.act, nn.SiLU)
    if op.projects:
        assert isinstance(block.project.act, nn.Identity)
