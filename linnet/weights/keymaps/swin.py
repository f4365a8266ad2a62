"""Names of Swin (Liu 2021) and Swin V2 (Liu 2022) in timm and torchvision.

Sources: timm models/{swin_transformer, swin_transformer_v2}.py, torchvision models/swin_transformer.py. timm merges
pixels at the start of a stage, as Linnet does; torchvision does it between stages, and keeps what follows from sizes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ...arch.spec import Layer
from ...arch.swin import Swin, SwinV2
from ...nn.window import Pair, distances, log_distances
from .table import Keys, Table, uses

# fmt: off
TIMM: Table = {
    "stem.0.0":                          ("patch_embed.proj", "patch_embed.norm"),
    "Swin merge.norm":                   ("layers.{s}.downsample.norm",),
    "Swin merge.reduce":                 ("layers.{s}.downsample.reduction",),
    "Swin norm1":                        ("layers.{s}.blocks.{b}.norm1",),
    "Swin attention.qkv":                ("layers.{s}.blocks.{b}.attn.qkv",),
    "Swin attention.position_bias":      ("layers.{s}.blocks.{b}.attn.relative_position_bias_table",),
    "Swin attention.project":            ("layers.{s}.blocks.{b}.attn.proj",),
    "Swin norm2":                        ("layers.{s}.blocks.{b}.norm2",),
    "Swin mlp.expand":                   ("layers.{s}.blocks.{b}.mlp.fc1",),
    "Swin mlp.project":                  ("layers.{s}.blocks.{b}.mlp.fc2",),
    "head.norm":                         ("norm",),
    "head.classifier":                   ("head.fc",),
}
TIMM_V2: Table = {part.replace("Swin ", "SwinV2 "): line for part, line in TIMM.items()} | {
    "SwinV2 attention.qkv.query_bias":   ("layers.{s}.blocks.{b}.attn.q_bias",),
    "SwinV2 attention.qkv.value_bias":   ("layers.{s}.blocks.{b}.attn.v_bias",),
    "SwinV2 attention.scale":            ("layers.{s}.blocks.{b}.attn.logit_scale",),
    "SwinV2 attention.position_bias.{n}": ("layers.{s}.blocks.{b}.attn.cpb_mlp.{n}",),
}
TORCHVISION: Table = {
    "stem.0.0":                          ("features.0.0", "features.0.2"),
    "Swin merge.norm":                   ("features.{2s}.norm",),
    "Swin merge.reduce":                 ("features.{2s}.reduction",),
    "Swin norm1":                        ("features.{2s1}.{b}.norm1",),
    "Swin attention.qkv":                ("features.{2s1}.{b}.attn.qkv",),
    "Swin attention.position_bias":      ("features.{2s1}.{b}.attn.relative_position_bias_table",),
    "Swin attention.project":            ("features.{2s1}.{b}.attn.proj",),
    "Swin +distances":                   ("features.{2s1}.{b}.attn.relative_position_index",),
    "Swin norm2":                        ("features.{2s1}.{b}.norm2",),
    "Swin mlp.expand":                   ("features.{2s1}.{b}.mlp.0",),
    "Swin mlp.project":                  ("features.{2s1}.{b}.mlp.3",),
    "head.norm":                         ("norm",),
    "head.classifier":                   ("head",),
}
TORCHVISION_V2: Table = {part.replace("Swin ", "SwinV2 "): line for part, line in TORCHVISION.items()} | {
    "SwinV2 attention.qkv.query_bias + 0 + attention.qkv.value_bias": ("features.{2s1}.{b}.attn.qkv.bias",),
    "SwinV2 attention.scale":            ("features.{2s1}.{b}.attn.logit_scale",),
    "SwinV2 attention.position_bias.{n}": ("features.{2s1}.{b}.attn.cpb_mlp.{n}",),
    "SwinV2 +log_distances":             ("features.{2s1}.{b}.attn.relative_coords_table",),
}
# fmt: on


def _window(layer: Layer) -> tuple[Swin, Pair]:
    assert isinstance(layer.op, Swin)
    return layer.op, layer.op.windows(layer.out_size)[0]


def _distances(layer: Layer) -> Tensor:
    _, window = _window(layer)
    return distances(window, window, torch.device("cpu"))


def _log_distances(layer: Layer) -> Tensor:
    """[1, 2 * down - 1, 2 * across - 1, 2]"""
    op, window = _window(layer)
    measure = op.pretrained if isinstance(op, SwinV2) else 0
    places = log_distances(window, (measure, measure) if measure else window, torch.device("cpu"))
    return places.unflatten(0, (2 * window[0] - 1, -1))[None]


MADE = {"distances": _distances, "log_distances": _log_distances}
# timm's files from before 0.8 and Microsoft's own hold these too.
DROPPED = r"layers\.\d+\.blocks\.\d+\.(attn_mask|attn\.relative_(position_index|coords_table))"

KEYS = (
    Keys(uses(SwinV2), {"timm": TIMM_V2, "torchvision": TORCHVISION_V2}, made=MADE, dropped=DROPPED),
    Keys(uses(Swin), {"timm": TIMM, "torchvision": TORCHVISION}, made=MADE, dropped=DROPPED),
)
