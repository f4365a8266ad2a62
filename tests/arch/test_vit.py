from __future__ import annotations

from dataclasses import replace

import pytest

from linnet.arch.names import find
from linnet.arch.spec import Arch, Classifier, Pool
from linnet.arch.vit import ALIASES, ARCHS, Encoder, Patchify, Tokens
from linnet.errors import SettingError


def encoder(arch: Arch) -> tuple[int, int, int, int]:
    """Layers, hidden size, MLP size, heads: the columns of Dosovitskiy 2021, Table 1."""
    (stage,) = arch.stages
    (op,) = stage.ops
    assert isinstance(op, Encoder)
    return stage.layers, stage.channels, int(stage.channels * op.mlp), op.heads


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("vit_tiny_patch16_224", (12, 192, 768, 3)),  # google-research/vision_transformer, configs/models.py
        ("vit_small_patch16_224", (12, 384, 1536, 6)),
        ("vit_base_patch16_224", (12, 768, 3072, 12)),
        ("vit_large_patch16_224", (24, 1024, 4096, 16)),
        ("deit_tiny_patch16_224", (12, 192, 768, 3)),  # Touvron 2021, Table 1
        ("deit_small_patch16_224", (12, 384, 1536, 6)),
        ("deit_base_patch16_224", (12, 768, 3072, 12)),
    ],
)
def test_rows_are_those_of_the_papers(name: str, row: tuple[int, ...]) -> None:
    family = [arch for arch in ARCHS if arch.name.startswith(name.removesuffix("patch16_224"))]
    assert {encoder(arch) for arch in family} == {row}
    assert {encoder(find(name))} == {row}


@pytest.mark.parametrize("arch", ARCHS, ids=lambda arch: arch.name)
def test_a_name_says_patch_image_and_tokens(arch: Arch) -> None:
    *_, patch, image = arch.name.split("_")
    before = 2 if "distilled" in arch.name else 1
    assert (f"patch{arch.stem[0].stride}", str(arch.image)) == (patch, image)
    tokens = [layer.size for _, layer in arch.layers() if isinstance(layer.op, Encoder)]
    assert set(tokens) == {(before + (arch.image // arch.stem[0].stride) ** 2,)}
    assert (arch.style.eps, arch.style.act, arch.init) == (1e-6, "gelu", "trunc")
    heads = [op for op in arch.head if isinstance(op, Pool | Classifier)]
    assert heads == [Pool("token", tokens=before), Classifier(heads=before)]


def test_the_networks_are_those_that_timm_has() -> None:
    names = {arch.name for arch in ARCHS}
    assert len(names) == len(ARCHS) == 22
    assert {n for n in names if n.startswith("vit_")} == {
        f"vit_{size}_patch{patch}_{image}"
        for size, patch in (("tiny", 16), *((s, p) for s in ("small", "base", "large") for p in (16, 32)))
        for image in (224, 384)
    }


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("vit_b_16", "vit_base_patch16_224"),
        ("vit_l_32", "vit_large_patch32_224"),
        ("ViT-B/32", "vit_base_patch32_224"),
        ("ViT-Ti/16", "vit_tiny_patch16_224"),
        ("DeiT-S", "deit_small_patch16_224"),
        ("deit_tiny_distilled_patch16_224.fb_in1k", "deit_tiny_distilled_patch16_224"),
    ],
)
def test_torchvisions_and_the_papers_names_are_known(given: str, name: str) -> None:
    assert find(given).name == name


def test_every_alias_leads_to_a_network() -> None:
    names = {arch.name for arch in ARCHS}
    assert set(ALIASES.values()) <= names
    assert not ALIASES.keys() & names


def test_tokens_give_the_maps_of_one_feature() -> None:
    assert find("vit_tiny_patch16_224").features() == (("stages.0", 192, 16),)
    assert find("vit_small_patch32_384").features() == (("stages.0", 384, 32),)


def test_the_sizes_are_each_others_multiples() -> None:
    tiny, small, base = (find(f"vit_{s}_patch16_224") for s in ("tiny", "small", "base"))
    for size, width in ((small, 2), (base, 4)):
        assert replace(tiny.scaled(width=width), name=size.name, source=size.source) == size
    assert encoder(tiny.scaled(width=1.5, depth=0.5)) == (6, 320, 1280, 5)  # a head keeps its 64 channels
    assert encoder(tiny.scaled(width=0.1))[1:] == (64, 256, 1)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (225, r"An image side of 225 pixels is not whole patches of 16 x 16: take 224 or 240\."),
        ((224, 230), r"An image side of 230 pixels is not whole patches of 16 x 16: take 224 or 240\."),
        (10, r"An image side of 10 pixels is not whole patches of 16 x 16: take 16 or a multiple of it\."),
    ],
)
def test_images_that_are_not_whole_patches_are_refused(image: int | tuple[int, int], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        list(find("vit_tiny_patch16_224").layers(image))


def test_an_image_need_not_be_square() -> None:
    sizes = [layer.out_size for _, layer in find("deit_tiny_distilled_patch16_224").layers((160, 96))]
    assert sizes[:3] == [(10, 6), (62,), (62,)]
    assert sizes[-4:] == [(62,), (2,), (2,), ()]


def test_ragged_patches_leave_pixels_out() -> None:
    assert Patchify(ragged=True).out_size((225, 239), 16, 1) == (14, 14)
    with pytest.raises(SettingError, match="take 16"):
        Patchify(ragged=True).out_size((15, 64), 16, 1)


def test_patches_have_no_dilated_form() -> None:
    with pytest.raises(SettingError, match="build the network without output_stride"):
        list(find("vit_tiny_patch16_224").layers(output_stride=8))
    assert list(find("vit_tiny_patch16_224").layers(output_stride=16)) == list(find("vit_tiny_patch16_224").layers())


def test_what_the_words_cannot_mean_is_refused() -> None:
    with pytest.raises(SettingError, match=r"Tokens\(before=3\)"):
        Tokens(before=3)
    with pytest.raises(SettingError, match=r"Encoder\(mlp=0\)"):
        Encoder(heads=3, mlp=0)
    assert Tokens(before=0).out_size((3, 4), 1, 1) == (12,)
