from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from linnet.arch.lcnet import DepthSepConv
from linnet.arch.names import find
from linnet.arch.spec import Layer, Style
from linnet.nn.build import build
from linnet.nn.mobilenet import SeparableConv
from linnet.nn.module import module


def made(op: DepthSepConv, cin: int, cout: int) -> SeparableConv:
    block = module(op, Layer(op, cin, cout, 1, (8, 8), 1, Style(act="hswish"))).eval()
    assert isinstance(block, SeparableConv)
    return block


def test_both_convolutions_are_activated_and_nothing_is_added() -> None:
    block = made(DepthSepConv(k=5), 16, 16)
    assert isinstance(block.depthwise.act, nn.Hardswish)
    assert isinstance(block.project.act, nn.Hardswish)
    assert block.drop_path is None
    assert isinstance(block.gate, nn.Identity)
    nn.init.zeros_(block.project.norm.weight)  # type: ignore[arg-type]
    assert not block(torch.randn(1, 16, 8, 8)).any()


def test_the_gate_has_a_quarter_of_the_input_and_is_hard() -> None:
    gate = made(DepthSepConv(k=5, se=True), 88, 176).gate
    assert gate.reduce.out_channels == 22  # type: ignore[union-attr]
    assert isinstance(gate.act, nn.ReLU)
    assert isinstance(gate.sigmoid, nn.Hardsigmoid)


def test_it_can_be_exported_with_a_free_batch_and_trained_in_bfloat16() -> None:
    arch = find("lcnet_035")
    net = build(replace(arch, stages=(arch.stages[0], *arch.stages[3:]))).eval()
    x = torch.randn(2, 3, 64, 64)
    batch = {"x": {0: torch.export.Dim("batch", max=64)}}
    program = torch.export.export(net, (x,), dynamic_shapes=batch).module()
    with torch.no_grad():
        torch.testing.assert_close(program(torch.cat([x, x])), net(torch.cat([x, x])), rtol=1e-4, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        net.train()(x).float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
    dense = build(net.arch, output_stride=4)
    dense.load_state_dict(net.state_dict())
    assert dense.eval().features(x)[-1].shape[2:] == (16, 16)
