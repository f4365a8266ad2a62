"""Names of MobileViT and MobileViTv2 (Mehta & Rastegari 2022, 2023) in timm and in Apple's cvnets; torchvision has none.

Sources: timm models/byobnet.py and models/mobilevit.py; apple/ml-cvnets models/classification/{mobilevit, mobilevit_v2}.py,
modules/{mobilenetv2, mobilevit_block, transformer}.py. timm's are held against timm; cvnets' are from the source alone.
"""

from __future__ import annotations

from ...arch.mobilevit import MobileViT, MobileViTv2
from ...arch.spec import Layer
from .table import Keys, Table, uses

# fmt: off
TIMM_BOTH: Table = {
    "stem.0.0":              ("stem.conv", "stem.bn"),
    "MBConv expand":         ("stages.{g}.{i}.conv1_1x1.conv", "stages.{g}.{i}.conv1_1x1.bn"),
    "MBConv depthwise":      ("stages.{g}.{i}.conv2_kxk.conv", "stages.{g}.{i}.conv2_kxk.bn"),
    "MBConv project":        ("stages.{g}.{i}.conv3_1x1.conv", "stages.{g}.{i}.conv3_1x1.bn"),
    "head.conv":             ("final_conv.conv", "final_conv.bn"),
    "head.classifier":       ("head.fc",),
}
TIMM: Table = TIMM_BOTH | {
    "MobileViT local":                             ("stages.{g}.{i}.conv_kxk.conv", "stages.{g}.{i}.conv_kxk.bn"),
    "MobileViT embed":                             ("stages.{g}.{i}.conv_1x1",),
    "MobileViT encoder.{n}.norm1":                 ("stages.{g}.{i}.transformer.{n}.norm1",),
    "MobileViT encoder.{n}.attention.qkv":         ("stages.{g}.{i}.transformer.{n}.attn.qkv",),
    "MobileViT encoder.{n}.attention.project":     ("stages.{g}.{i}.transformer.{n}.attn.proj",),
    "MobileViT encoder.{n}.norm2":                 ("stages.{g}.{i}.transformer.{n}.norm2",),
    "MobileViT encoder.{n}.mlp.expand":            ("stages.{g}.{i}.transformer.{n}.mlp.fc1",),
    "MobileViT encoder.{n}.mlp.project":           ("stages.{g}.{i}.transformer.{n}.mlp.fc2",),
    "MobileViT norm":                              ("stages.{g}.{i}.norm",),
    "MobileViT project":                           ("stages.{g}.{i}.conv_proj.conv", "stages.{g}.{i}.conv_proj.bn"),
    "MobileViT fuse":                              ("stages.{g}.{i}.conv_fusion.conv", "stages.{g}.{i}.conv_fusion.bn"),
}
TIMM_V2: Table = TIMM_BOTH | {
    "MobileViTv2 local":                           ("stages.{g}.{i}.conv_kxk.conv", "stages.{g}.{i}.conv_kxk.bn"),
    "MobileViTv2 embed":                           ("stages.{g}.{i}.conv_1x1",),
    "MobileViTv2 encoder.{n}.norm1":               ("stages.{g}.{i}.transformer.{n}.norm1",),
    "MobileViTv2 encoder.{n}.attention.qkv":       ("stages.{g}.{i}.transformer.{n}.attn.qkv_proj",),
    "MobileViTv2 encoder.{n}.attention.project":   ("stages.{g}.{i}.transformer.{n}.attn.out_proj",),
    "MobileViTv2 encoder.{n}.norm2":               ("stages.{g}.{i}.transformer.{n}.norm2",),
    "MobileViTv2 encoder.{n}.mlp.expand":          ("stages.{g}.{i}.transformer.{n}.mlp.fc1",),
    "MobileViTv2 encoder.{n}.mlp.project":         ("stages.{g}.{i}.transformer.{n}.mlp.fc2",),
    "MobileViTv2 norm":                            ("stages.{g}.{i}.norm",),
    "MobileViTv2 project":                         ("stages.{g}.{i}.conv_proj.conv", "stages.{g}.{i}.conv_proj.bn"),
}

CVNETS_BOTH: Table = {
    "stem.0.0":              ("conv_1.block.conv", "conv_1.block.norm"),
    "MBConv expand":         ("layer_{g1}.{i}.block.exp_1x1.block.conv", "layer_{g1}.{i}.block.exp_1x1.block.norm"),
    "MBConv depthwise":      ("layer_{g1}.{i}.block.conv_3x3.block.conv", "layer_{g1}.{i}.block.conv_3x3.block.norm"),
    "MBConv project":        ("layer_{g1}.{i}.block.red_1x1.block.conv", "layer_{g1}.{i}.block.red_1x1.block.norm"),
}
CVNETS: Table = CVNETS_BOTH | {
    "MobileViT local":                             ("layer_{g1}.{i}.local_rep.conv_3x3.block.conv",
                                                    "layer_{g1}.{i}.local_rep.conv_3x3.block.norm"),
    "MobileViT embed":                             ("layer_{g1}.{i}.local_rep.conv_1x1.block.conv",),
    "MobileViT encoder.{n}.norm1":                 ("layer_{g1}.{i}.global_rep.{n}.pre_norm_mha.0",),
    "MobileViT encoder.{n}.attention.qkv":         ("layer_{g1}.{i}.global_rep.{n}.pre_norm_mha.1.qkv_proj",),
    "MobileViT encoder.{n}.attention.project":     ("layer_{g1}.{i}.global_rep.{n}.pre_norm_mha.1.out_proj",),
    "MobileViT encoder.{n}.norm2":                 ("layer_{g1}.{i}.global_rep.{n}.pre_norm_ffn.0",),
    "MobileViT encoder.{n}.mlp.expand":            ("layer_{g1}.{i}.global_rep.{n}.pre_norm_ffn.1",),
    "MobileViT encoder.{n}.mlp.project":           ("layer_{g1}.{i}.global_rep.{n}.pre_norm_ffn.4",),
    "MobileViT norm":                              ("layer_{g1}.{i}.global_rep.{depth}",),
    "MobileViT project":                           ("layer_{g1}.{i}.conv_proj.block.conv",
                                                    "layer_{g1}.{i}.conv_proj.block.norm"),
    "MobileViT fuse":                              ("layer_{g1}.{i}.fusion.block.conv",
                                                    "layer_{g1}.{i}.fusion.block.norm"),
    "head.conv":                                   ("conv_1x1_exp.block.conv", "conv_1x1_exp.block.norm"),
    "head.classifier":                             ("classifier.fc",),
}
CVNETS_V2: Table = CVNETS_BOTH | {
    "MobileViTv2 local":                           ("layer_{g1}.{i}.local_rep.0.block.conv",
                                                    "layer_{g1}.{i}.local_rep.0.block.norm"),
    "MobileViTv2 embed":                           ("layer_{g1}.{i}.local_rep.1.block.conv",),
    "MobileViTv2 encoder.{n}.norm1":               ("layer_{g1}.{i}.global_rep.{n}.pre_norm_attn.0",),
    "MobileViTv2 encoder.{n}.attention.qkv":       ("layer_{g1}.{i}.global_rep.{n}.pre_norm_attn.1.qkv_proj.block.conv",),
    "MobileViTv2 encoder.{n}.attention.project":   ("layer_{g1}.{i}.global_rep.{n}.pre_norm_attn.1.out_proj.block.conv",),
    "MobileViTv2 encoder.{n}.norm2":               ("layer_{g1}.{i}.global_rep.{n}.pre_norm_ffn.0",),
    "MobileViTv2 encoder.{n}.mlp.expand":          ("layer_{g1}.{i}.global_rep.{n}.pre_norm_ffn.1.block.conv",),
    "MobileViTv2 encoder.{n}.mlp.project":         ("layer_{g1}.{i}.global_rep.{n}.pre_norm_ffn.3.block.conv",),
    "MobileViTv2 norm":                            ("layer_{g1}.{i}.global_rep.{depth}",),
    "MobileViTv2 project":                         ("layer_{g1}.{i}.conv_proj.block.conv",
                                                    "layer_{g1}.{i}.conv_proj.block.norm"),
    "head.classifier":                             ("classifier.1",),
}
# fmt: on


def _depth(layer: Layer) -> dict[str, int]:
    """cvnets numbers the last norm as one more transformer layer."""
    return {"depth": layer.op.depth} if isinstance(layer.op, MobileViT | MobileViTv2) else {}


KEYS: tuple[Keys, ...] = (
    Keys(uses(MobileViT), {"timm": TIMM, "cvnets": CVNETS}, numbers=_depth),
    Keys(uses(MobileViTv2), {"timm": TIMM_V2, "cvnets": CVNETS_V2}, numbers=_depth),
)
