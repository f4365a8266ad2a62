from __future__ import annotations

from dataclasses import replace

import pytest
from timm.layers.squeeze_excite import SqueezeExcite
from timm.models._efficientnet_builder import EfficientNetBuilder, decode_arch_def
from torch import nn

from linnet.arch.blocks import from_blocks, read_blocks, write_blocks
from linnet.arch.efficientnet import FusedMBConv
from linnet.arch.mobilenet import Bneck, MBConv, SepConv
from linnet.arch.names import find
from linnet.arch.spec import Conv, Stage
from linnet.errors import SettingError

# tensorflow/tpu efficientnet_builder.py, efficientnet()
B0 = (
    "r1_k3_s11_e1_i32_o16_se0.25", "r2_k3_s22_e6_i16_o24_se0.25", "r2_k5_s22_e6_i24_o40_se0.25",
    "r3_k3_s22_e6_i40_o80_se0.25", "r3_k5_s11_e6_i80_o112_se0.25", "r4_k5_s22_e6_i112_o192_se0.25",
    "r1_k3_s11_e6_i192_o320_se0.25",
)  # fmt: skip


def test_efficientnet_b0_in_tensorflows_words() -> None:
    assert read_blocks(B0) == find("efficientnet_b0").stages
    assert write_blocks(find("efficientnet_b0"), "tensorflow") == B0
    assert from_blocks("mine", B0).layers().__next__()[1].cout == 32


def test_timms_words_for_each_operator() -> None:
    rows = {
        "ds_r1_k3_s1_e1_c16_se0.25": Stage(MBConv(t=1, k=3, se=0.25), 16, 1, 1),
        "ds_r1_k3_s1_c16_noskip": Stage(SepConv(k=3, linear=True), 16, 1, 1),
        "dsa_r2_k3_s2_c128": Stage(SepConv(k=3), 128, 2, 2),
        "ir_r3_k5_s2_e6_c40": Stage(MBConv(t=6, k=5), 40, 3, 2),
        "er_r4_k3_s2_e4_c48": Stage(FusedMBConv(t=4), 48, 4, 2),
        "er_r2_k3_s1_e1_c24": Stage(FusedMBConv(t=1, project=True), 24, 2, 1),
        "cn_r2_k3_s1_c24_skip": Stage(FusedMBConv(t=1), 24, 2, 1),
        "cn_r1_k3_s2_c24": Stage(FusedMBConv(t=1), 24, 1, 2),
        "ir_r1_k3_s1_e6_c320_noskip": Stage(MBConv(t=6), 320, 1, 1),
        "ds_r1_k3_s2_e1_c16_se0.25_nre": Stage(Bneck(32, 3, se=True), 16, 1, 2),
    }
    for text, row in rows.items():
        assert read_blocks([text]) == (row,)


@pytest.mark.parametrize("name", ["mobilenetv1_100", "mobilenetv2_140", "mobilenetv3_large_100", "semnasnet_100",
                                  "efficientnet_b3", "efficientnetv2_s", "mobilenetv3_small_050", "efficientnetv2_rw_t",
                                  "efficientnetv2_rw_s", "efficientnetv2_rw_m"])  # fmt: skip
def test_what_is_written_reads_back_as_it_was(name: str) -> None:
    arch = find(name)
    stem = arch.stem[0].channels
    assert read_blocks(write_blocks(arch), stem=stem) == arch.stages


def test_each_layer_of_mobilenetv3_expands_its_own_input() -> None:
    """timm models/mobilenetv3.py, _gen_mobilenet_v3_rw: 24 channels in, 40 from then on."""
    line = "ir_r3_k5_s2_e3_c40_se0.25_nre"
    rows = read_blocks([line], stem=24)
    assert rows == (Stage(Bneck(72, 5, se=True), 40, 1, 2), Stage(Bneck(120, 5, se=True), 40, 2, 1))
    theirs = EfficientNetBuilder(se_from_exp=True, act_layer=nn.ReLU, norm_layer=nn.BatchNorm2d, se_layer=SqueezeExcite)
    blocks = theirs(24, decode_arch_def([[line]]))[0]
    assert [b.conv_dw.weight.shape[0] for b in blocks] == [72, 120, 120]
    assert write_blocks(from_blocks("mine", [line], stem=24)) == (
        "ir_r1_k5_s2_e3_c40_se0.25_nre",
        "ir_r2_k5_s1_e3_c40_se0.25_nre",
    )


def test_a_row_of_one_expanded_width_is_written_as_two_strings() -> None:
    row = Stage(Bneck(120, 5), 40, 3, 2)
    arch = replace(find("mobilenetv3_large_100"), stem=(Stage(Conv(), 24, 1, 2),), stages=(row,))
    lines = write_blocks(arch)
    assert lines == ("ir_r1_k5_s2_e5_c40_nre", "ir_r2_k5_s1_e3_c40_nre")
    assert read_blocks(lines, stem=24) == (replace(row, layers=1), replace(row, layers=2, stride=1))
    with pytest.raises(SettingError, match="multiple of 8"):
        write_blocks(replace(arch, stages=(Stage(Bneck(100, 5), 40),)))
    with pytest.raises(SettingError, match="multiple of 8"):
        write_blocks(replace(arch, stages=(Stage(MBConv(t=2.5), 40),)))


def test_what_adds_nothing_and_what_adds_its_input_are_told_apart() -> None:
    stages = find("mnasnet_small").stages  # 8 channels before its first row and in it
    assert write_blocks(find("mnasnet_small"))[0] == "ds_r1_k3_s1_c8"
    assert read_blocks(write_blocks(find("mnasnet_small")), stem=8) == (Stage(MBConv(t=1), 8), *stages[1:])
    assert write_blocks(find("mnasnet_100"))[0] == "ds_r1_k3_s1_c16_noskip"


def test_the_style_is_checked() -> None:
    with pytest.raises(SettingError, match=r"style\.act is 'swish'"):
        from_blocks("mine", B0, act="swish")


def test_efficientnetv2_in_tensorflows_words() -> None:
    lines = write_blocks(find("efficientnetv2_s"), "tensorflow")
    assert lines[1] == "r4_k3_s2_e4_i24_o48_c1"
    assert read_blocks(lines, stem=24) == find("efficientnetv2_s").stages


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("ir_r2_k3_s2_e6", "number of channels"),
        ("ir_r2_k3_s2_x6_c24", "'x' is not known"),
        ("ir_r2_k3_s2_e6_c24_wat", "'wat' is no part"),
        ("", "is no block string"),
        ("ir_r2_k3_s2_e1.2.3_c24", "'e1.2.3' is no part"),
        ("ir_r2_k3_s2_e._c24", "'e.' is no part"),
        ("ir_r2_k3_s0_e6_c24", "stride from 1 to 9"),
        ("r2_k3_s21_e6_i32_o24", "stride from 1 to 9"),
        ("ir_r0_k3_s2_e6_c24", "layers is 0"),
        ("ir_r2.5_k3_s2_e6_c24", "layers is 2.5"),
        ("ir_r2_k3.5_s2_e6_c24", "k is 3.5"),
        ("ir_r2_k3_s2_e0_c24_nre", "e is above 0"),
        ("ir_r2_k3_s2_e6_c24_noskip", "adds its input"),
        ("er_r1_k3_s1_e4_c32_noskip", "adds its input"),
        ("ds_r1_k3_s1_c32_noskip", "adds its input"),
        ("r1_k3_s1_e4_i32_o32_c1_noskip", "adds its input"),
        ("cn_r2_k3_s1_c24", "adds its input"),
        ("ir_r2_k3_s2_e6_c24_skip_noskip", "exclude each other"),
        ("ir_r2_k3_s2_e6_c24_nsw", "'nsw' is no part.*style's"),
        ("ir_r2_k3_s2_e6_c24_se0.5_nre", "is se0.25"),
        ("er_r2_k3_s2_e6_c24_nre", "only ir and ds"),
        ("er_r2_k3_s2_e6_c24_se0.25", "squeeze-and-excitation in this block"),
        ("dsa_r2_k3_s2_c24_se0.25", "squeeze-and-excitation in this block"),
        ("ds_r2_k3_s2_e6_c24", "expand nothing"),
        ("ir_r1_k3_s2_e1_c24", "even where it widens nothing"),
        ("ir_r1_k3_s2_e2.6_c24", "multiple of 8"),
        ("r2_k3_s22_e6_i32_o24_c2", "no kind of block"),
    ],
)
def test_what_is_not_understood_is_named(line: str, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        read_blocks([line])


def test_operators_without_a_word_are_named() -> None:
    with pytest.raises(SettingError, match="no word for"):
        write_blocks(find("mobilenetv3_small_100"), "tensorflow")
    with pytest.raises(SettingError, match="no word for"):
        write_blocks(find("efficientnetv2_rw_s"), "tensorflow")
    assert isinstance(find("mobilenetv3_small_100").stages[0].op, Bneck)
    with pytest.raises(SettingError, match="choose timm or tensorflow"):
        write_blocks(find("efficientnet_b0"), "keras")  # type: ignore[arg-type]
