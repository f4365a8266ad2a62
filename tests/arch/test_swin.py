from __future__ import annotations

import pytest

from linnet.arch.names import find
from linnet.arch.spec import Layer, Style
from linnet.arch.swin import ARCHS, Swin, SwinV2
from linnet.errors import SettingError


# Liu 2021, section 3.3, "Architecture variants".
@pytest.mark.parametrize(
    ("size", "c", "layers"),
    [("tiny", 96, (2, 2, 6, 2)), ("small", 96, (2, 2, 18, 2)), ("base", 128, (2, 2, 18, 2)), ("large", 192, (2, 2, 18, 2))],
)  # fmt: skip
def test_the_papers_variants(size: str, c: int, layers: tuple[int, ...]) -> None:
    variants = [arch for arch in ARCHS if f"_{size}_" in arch.name]
    assert variants
    for arch in variants:
        assert arch.stem[0].channels == c
        assert [stage.channels for stage in arch.stages] == [c, 2 * c, 4 * c, 8 * c]
        assert tuple(stage.layers for stage in arch.stages) == layers
        assert [(f.split(".")[0], *rest) for f, *rest in arch.features()] == [
            ("stages", c, 4), ("stages", 2 * c, 8), ("stages", 4 * c, 16), ("stages", 8 * c, 32)]  # fmt: skip


def test_names_say_window_and_image() -> None:
    for arch in ARCHS:
        window, image = arch.name.split("window")[1].split("_")
        (plain, shifted), *_ = (stage.ops for stage in arch.stages)
        assert isinstance(plain, Swin)
        assert isinstance(shifted, Swin)
        assert (plain.shifted, shifted.shifted) == (False, True)
        assert plain.window == shifted.window == int(window.split("to")[-1])
        assert arch.image == int(image.split("to")[-1].removesuffix("ft1k"))


def test_windows_are_no_larger_than_the_map_and_then_not_shifted() -> None:
    assert Swin(7).windows((56, 56)) == ((7, 7), (0, 0))
    assert Swin(7, shifted=True).windows((14, 56)) == ((7, 7), (3, 3))
    assert Swin(7, shifted=True).windows((7, 7)) == ((7, 7), (0, 0))
    assert Swin(7, shifted=True).windows((5, 9)) == ((5, 7), (0, 3))


def test_windows_of_the_last_stage() -> None:
    last = {arch.name: list(arch.layers())[-5][1] for arch in ARCHS}
    windows = {name: layer.op.windows(layer.out_size) for name, layer in last.items() if isinstance(layer.op, Swin)}
    assert windows["swin_tiny_patch4_window7_224"] == ((7, 7), (0, 0))
    assert windows["swin_base_patch4_window12_384"] == ((12, 12), (0, 0))
    assert windows["swinv2_tiny_window16_256"] == ((8, 8), (0, 0))
    assert len(windows) == len(ARCHS)


def test_heads_are_32_wide() -> None:
    assert [Swin(7).heads(c) for c in (96, 192, 384, 768)] == [3, 6, 12, 24]  # Liu 2021, Table 7
    with pytest.raises(SettingError, match="100 channels are not filled by heads of 32"):
        Swin(7).heads(100)


@pytest.mark.parametrize("width", [1 / 3, 0.7, 1.1])
def test_heads_fill_the_channels_at_any_width(width: float) -> None:
    for _, layer in find("swinv2_tiny_window8_256").scaled(width=width).layers():
        if isinstance(layer.op, Swin):
            assert layer.op.heads(layer.cout) * 32 == layer.cout


def test_windows_of_the_training_before() -> None:
    stages = find("swinv2_base_window12to16_192to256").stages
    assert [[op.pretrained for op in s.ops if isinstance(op, SwinV2)] for s in stages] == [[12, 12]] * 3 + [[6, 6]]


def test_wrong_settings_are_refused() -> None:
    for wrong in (lambda: Swin(0), lambda: Swin(7, d=0), lambda: Swin(7, mlp=0), lambda: SwinV2(8, pretrained=-1)):
        with pytest.raises(SettingError, match="Swin"):
            wrong()


def test_merging_needs_its_stride() -> None:
    layer = Layer(Swin(7), 96, 192, 1, (14, 14), 2, Style())
    with pytest.raises(SettingError, match="without output_stride"):
        Swin(7).merges(layer)


@pytest.mark.parametrize(
    ("alias", "name"),
    [("swin_t", "swin_tiny_patch4_window7_224"), ("Swin-L", "swin_large_patch4_window7_224"),
     ("swin_v2_s", "swinv2_small_window8_256"), ("SwinV2-B", "swinv2_base_window8_256")],
)  # fmt: skip
def test_other_names(alias: str, name: str) -> None:
    assert find(alias).name == name
