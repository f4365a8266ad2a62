"""Names of MobileNetV4 (Qin 2024) in timm; torchvision has none.

Source: timm models/mobilenetv3.py, models/_efficientnet_blocks.py and layers/attention2d.py.
"""

from __future__ import annotations

from ...arch.mobilenetv4 import MQA, UIB
from .table import Keys, Table, uses

# fmt: off
TIMM: Table = {
    "stem.0.0":              ("conv_stem", "bn1"),
    "Conv stages.{s}.{b}":   ("blocks.{g}.{i}.conv", "blocks.{g}.{i}.bn1"),
    "FusedMBConv expand":    ("blocks.{g}.{i}.conv_exp", "blocks.{g}.{i}.bn1"),
    "FusedMBConv project":   ("blocks.{g}.{i}.conv_pwl", "blocks.{g}.{i}.bn2"),
    # universal inverted bottleneck
    "UIB start":             ("blocks.{g}.{i}.dw_start.conv", "blocks.{g}.{i}.dw_start.bn"),
    "UIB expand":            ("blocks.{g}.{i}.pw_exp.conv", "blocks.{g}.{i}.pw_exp.bn"),
    "UIB depthwise":         ("blocks.{g}.{i}.dw_mid.conv", "blocks.{g}.{i}.dw_mid.bn"),
    "UIB project":           ("blocks.{g}.{i}.pw_proj.conv", "blocks.{g}.{i}.pw_proj.bn"),
    "UIB scale":             ("blocks.{g}.{i}.layer_scale",),
    # multi-query attention
    "MQA norm":              ("blocks.{g}.{i}.norm",),
    "MQA query":             ("blocks.{g}.{i}.attn.query.proj",),
    "MQA shrink_key":        ("blocks.{g}.{i}.attn.key.down_conv", "blocks.{g}.{i}.attn.key.norm"),
    "MQA key":               ("blocks.{g}.{i}.attn.key.proj",),
    "MQA shrink_value":      ("blocks.{g}.{i}.attn.value.down_conv", "blocks.{g}.{i}.attn.value.norm"),
    "MQA value":             ("blocks.{g}.{i}.attn.value.proj",),
    "MQA project":           ("blocks.{g}.{i}.attn.output.proj",),
    "MQA scale":             ("blocks.{g}.{i}.layer_scale",),
    "head.conv":             ("blocks.{groups}.0.conv", "blocks.{groups}.0.bn1"),
    "head.linear.0":         ("conv_head (1x1)",),
    "head.linear.1":         ("norm_head",),
    "head.classifier":       ("classifier",),
}
# fmt: on

KEYS: tuple[Keys, ...] = (Keys(uses(UIB, MQA), {"timm": TIMM}),)
