"""The tables themselves are held against timm and torchvision in tests/weights/test_keymap.py."""

from __future__ import annotations

import pytest

from linnet.arch.names import find
from linnet.weights.keymap import keys_of, pairs, spoken


@pytest.mark.parametrize(
    ("name", "dialects"),
    [
        ("mobilenetv1_100", ["timm"]),
        ("mobilenetv2_100", ["timm", "torchvision", "efficientnet_pytorch"]),
        ("mobilenetv3_small_100", ["timm", "torchvision"]),
        ("mnasnet_100", ["timm", "torchvision"]),
        ("efficientnet_b0", ["timm", "torchvision", "efficientnet_pytorch"]),
    ],
)
def test_who_has_such_a_network(name: str, dialects: list[str]) -> None:
    assert spoken(find(name)) == dialects


def test_a_block_without_an_expansion_numbers_its_norms_otherwise() -> None:
    names = {p.ours[0]: p.theirs for p in pairs(find("efficientnet_b0"), "timm")}
    assert names["stages.0.0.project.weight"] == "blocks.0.0.conv_pw.weight"
    assert names["stages.0.0.project.norm.bias"] == "blocks.0.0.bn2.bias"
    assert names["stages.1.0.project.weight"] == "blocks.1.0.conv_pwl.weight"
    assert keys_of(find("efficientnet_b0")) is not keys_of(find("mobilenetv2_100"))
