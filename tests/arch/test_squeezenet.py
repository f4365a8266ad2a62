from __future__ import annotations

import pytest

from linnet.arch.names import find
from linnet.arch.spec import Arch
from linnet.arch.squeezenet import Fire


def fires(arch: Arch) -> list[tuple[int, int]]:
    """(squeeze, channels) of every fire module."""
    return [(s.op.squeeze, s.channels) for s in arch.stages if isinstance(s.op, Fire) for _ in range(s.layers)]


@pytest.mark.parametrize(
    ("name", "sizes"), [("squeezenet1_0", [109, 54, 27, 13]), ("squeezenet1_1", [111, 55, 27, 13])]
)
def test_fire_modules_and_sizes(name: str, sizes: list[int]) -> None:
    """Table 1's 111 x 111 of version 1.0 belongs to an image of 227; at 224 pixels the pool that rounds up gives 54."""
    arch = find(name)
    assert fires(arch) == [(16, 128), (16, 128), (32, 256), (32, 256), (48, 384), (48, 384), (64, 512), (64, 512)]
    found = [layer.out_size[0] for _, layer in arch.layers() if layer.out_size]
    assert list(dict.fromkeys(found)) == sizes


def test_the_image_of_the_papers_table() -> None:
    sizes = [layer.out_size for _, layer in find("squeezenet1_0").layers(227)]
    assert sizes[:2] == [(111, 111), (55, 55)]


def test_the_last_maps_are_logits() -> None:
    arch = find("squeezenet1_1")
    *_, last, pool = (layer for _, layer in arch.layers())
    assert (last.output_shape, pool.output_shape) == ((1000, 13, 13), (1000,))
    assert arch.features()[-1] == ("stages.5", 512, 16)


def test_a_squeeze_widens_with_its_row() -> None:
    wide = fires(find("squeezenet1_0").scaled(width=2))
    assert wide == [(2 * squeeze, 2 * c) for squeeze, c in fires(find("squeezenet1_0"))]


def test_other_spellings_are_accepted() -> None:
    assert find("SqueezeNet").name == "squeezenet1_0"
    assert find("SqueezeNet-v1.1").name == "squeezenet1_1"
