from __future__ import annotations

import torch

from linnet.arch.names import find
from linnet.nn.build import build
from linnet.nn.groups import depth_of, parameter_groups


def test_depth_is_the_number_of_the_residual_layer() -> None:
    net = build(find("efficientnet_b0"))
    depths = depth_of(net)
    assert depths.keys() == dict(net.named_parameters()).keys()
    assert depths["stem.0.0.weight"] == 0
    assert depths["stages.0.0.depthwise.weight"] == 1
    assert depths["stages.1.1.project.weight"] == 3
    assert depths["head.classifier.weight"] == 17  # 16 blocks, then the head


def test_a_transformers_layer_counts_once() -> None:
    """As in BEiT (optim_factory.py, get_num_layer_for_vit) and timm: 0 for the patches, 1 to 12, 13 for the head."""
    net = build(find("vit_tiny_patch16_224").scaled(width=1 / 3))
    depths = depth_of(net)
    assert {d for name, d in depths.items() if name.startswith("stem")} == {0}
    blocks = [{d for name, d in depths.items() if name.startswith(f"stages.0.{i}.")} for i in range(12)]
    assert blocks == [{i} for i in range(1, 13)]
    assert {d for name, d in depths.items() if name.startswith("head")} == {13}
    scale = {id(p): g["lr_scale"] for g in parameter_groups(net, weight_decay=0, lr_decay=0.5) for p in g["params"]}
    assert {scale[id(p)] for p in net.stages[0][0].parameters()} == {0.5**12}  # type: ignore[index,union-attr]


def test_without_residual_layers_each_layer_of_the_stages_counts() -> None:
    depths = depth_of(build(find("mobilenetv1_025")))
    assert {depth for name, depth in depths.items() if name.startswith("stem")} == {0}
    assert max(depths.values()) == 14  # 13 separable convolutions, then the head
    assert depths["head.classifier.weight"] == 14


def test_rates_fall_towards_the_stem_and_norms_are_not_decayed() -> None:
    net = build(find("mobilenetv3_small_050"))
    groups = parameter_groups(net, weight_decay=0.05, lr_decay=0.5)
    assert {id(p) for g in groups for p in g["params"]} == {id(p) for p in net.parameters()}
    assert sum(len(g["params"]) for g in groups) == len(list(net.parameters()))
    last = max(depth_of(net).values())
    for group in groups:
        assert all((p.ndim > 1) == (group["weight_decay"] > 0) for p in group["params"])
    scale = {id(p): g["lr_scale"] for g in groups for p in g["params"]}
    assert scale[id(net.head.classifier.weight)] == 1.0
    assert scale[id(net.stem[0][0].weight)] == 0.5**last
    torch.optim.AdamW([{k: v for k, v in g.items() if k != "lr_scale"} for g in groups], lr=1e-3)
