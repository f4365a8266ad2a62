"""Names of Vision transformers (Dosovitskiy 2021) and DeiT (Touvron 2021) in timm and torchvision.

Sources: timm models/{vision_transformer, deit}.py, torchvision models/vision_transformer.py. Facebook's own DeiT files
have timm's names; torchvision's files on its server are older than its module, which renames two parts as it loads them.
"""

from __future__ import annotations

from ...arch.spec import Arch
from ...arch.vit import Encoder, Tokens
from .table import Keys, Table, uses

# fmt: off
TIMM: Table = {
    "stem.0.0":                      ("patch_embed.proj",),
    "stem.1.0.class_token":          ("cls_token",),
    "stem.1.0.distillation_token":   ("dist_token",),
    "stem.1.0.positions":            ("pos_embed",),
    "Encoder norm1":                 ("blocks.{f}.norm1",),
    "Encoder attention.qkv":         ("blocks.{f}.attn.qkv",),
    "Encoder attention.project":     ("blocks.{f}.attn.proj",),
    "Encoder norm2":                 ("blocks.{f}.norm2",),
    "Encoder mlp.expand":            ("blocks.{f}.mlp.fc1",),
    "Encoder mlp.project":           ("blocks.{f}.mlp.fc2",),
    "head.norm":                     ("norm",),
    "head.classifier":               ("head",),
    "head.classifier.0":             ("head",),        # distilled: of the class token
    "head.classifier.1":             ("head_dist",),   # of the distillation token
}
TORCHVISION: Table = {
    "stem.0.0":                      ("conv_proj",),
    "stem.1.0.class_token":          ("class_token",),
    "stem.1.0.positions":            ("encoder.pos_embedding",),
    "Encoder norm1":                 ("encoder.layers.encoder_layer_{f}.ln_1",),
    "Encoder attention.qkv.weight":  ("encoder.layers.encoder_layer_{f}.self_attention.in_proj_weight",),
    "Encoder attention.qkv.bias":    ("encoder.layers.encoder_layer_{f}.self_attention.in_proj_bias",),
    "Encoder attention.project":     ("encoder.layers.encoder_layer_{f}.self_attention.out_proj",),
    "Encoder norm2":                 ("encoder.layers.encoder_layer_{f}.ln_2",),
    "Encoder mlp.expand":            ("encoder.layers.encoder_layer_{f}.mlp.0",),
    "Encoder mlp.project":           ("encoder.layers.encoder_layer_{f}.mlp.3",),
    "head.norm":                     ("encoder.ln",),
    "head.classifier":               ("heads.head",),
}
# fmt: on


def _distilled(arch: Arch) -> bool:
    return any(op == Tokens(before=2) for stage in arch.stem for op in stage.ops)


# The first that fits holds.
KEYS = (
    Keys(_distilled, {"timm": TIMM}),
    Keys(
        uses(Encoder),
        {"timm": TIMM, "torchvision": TORCHVISION},
        renamed={r"\.mlp\.linear_1\.": ".mlp.0.", r"\.mlp\.linear_2\.": ".mlp.3."},
    ),
)
