from __future__ import annotations

import pytest

from linnet.arch.inception import Inception, InceptionV3
from linnet.arch.names import find
from linnet.arch.spec import Arch, Style
from linnet.errors import SettingError


def outputs(arch: Arch) -> list[tuple[int, ...]]:
    return list(dict.fromkeys(layer.output_shape for _, layer in arch.layers()))


@pytest.mark.parametrize("name", ["googlenet", "googlenet_original"])
def test_googlenets_outputs_are_those_of_table_1(name: str) -> None:
    assert outputs(find(name)) == [
        (64, 112, 112), (64, 56, 56), (192, 56, 56), (192, 28, 28), (256, 28, 28), (480, 28, 28), (480, 14, 14),
        (512, 14, 14), (528, 14, 14), (832, 14, 14), (832, 7, 7), (1024, 7, 7), (1024,), (1000,)]  # fmt: skip


def test_todays_googlenet_has_no_5x5_and_the_papers_no_batchnorm() -> None:
    kernels = {
        name: {s.op.k5 for s in find(name).stages if isinstance(s.op, Inception)}
        for name in ("googlenet", "googlenet_original")
    }
    assert kernels == {"googlenet": {3}, "googlenet_original": {5}}
    assert find("googlenet_original").style == Style(act="relu", norm="none")
    norms = [row for row, s in enumerate(find("googlenet_original").rows) if type(s.op).__name__ == "ResponseNorm"]
    assert norms == [2, 5]


def test_inception_v3_loses_the_pixels_that_the_paper_says() -> None:
    assert outputs(find("inception_v3")) == [
        (32, 149, 149), (32, 147, 147), (64, 147, 147), (64, 73, 73), (80, 73, 73), (192, 71, 71), (192, 35, 35),
        (256, 35, 35), (288, 35, 35), (768, 17, 17), (1280, 8, 8), (2048, 8, 8), (2048,), (1000,)]  # fmt: skip
    # At 75 pixels the last maps are 7, 3 and 1: the reductions are those of the network all the same.
    assert [r for *_, r in find("inception_v3").features(75)] == [2, 4, 8, 16, 32]


def test_every_branch_widens() -> None:
    v1, v3 = find("googlenet").scaled(width=2), find("inception_v3").scaled(width=2)
    assert str(v1.stages[0].op) == "Inception(128, 192-256, 32-64, 64, k5=3)"
    assert v1.features()[-1][1] == 2 * 1024
    last = v3.stages[-1].op
    assert isinstance(last, InceptionV3)
    assert last.branches[1] == ((1, 1, 768), ((1, 3, 768), (3, 1, 768)))
    assert v3.features()[-1][1] == 2 * 2048


def test_what_halves_the_map_does_so_once_in_a_deeper_table() -> None:
    assert [s.layers for s in find("inception_v3").scaled(depth=2).stages] == [2, 4, 1, 2, 4, 2, 1, 4]
    assert [s.layers for s in find("googlenet").scaled(depth=2).stages] == [2, 2, 1, 2, 2, 2, 2, 2, 1, 2, 2]


def test_a_table_names_columns_and_figures() -> None:
    assert str(find("googlenet_original").stages[0].op) == "Inception(64, 96-128, 16-32, 32)"
    assert [str(s.op) for s in find("inception_v3").stages] == [
        f"InceptionV3(figure={n})" for n in (5, 5, 10, 6, 6, 6, 10, 7)
    ]


@pytest.mark.parametrize(
    ("branches", "message"),
    [
        ((), "a branch without a step"),
        ((((1, 1, 8),), ()), "a branch without a step"),
        ((((2, 1, 8),),), "a filter of 2 x 1 with 8 channels: kernels are odd"),
        ((("average", (1, 1, 0)),), "a filter of 1 x 1 with 0 channels"),
    ],
)
def test_branches_that_cannot_be_built_are_refused(branches: tuple, message: str) -> None:
    with pytest.raises(SettingError, match=message):
        InceptionV3(5, branches)


def test_other_spellings_are_accepted() -> None:
    assert find("InceptionV3").name == find("inception_v3.tf_adv_in1k").name == "inception_v3"
    assert find("GoogLeNet").name == find("Inception-v1").name == find("googlenet_v1").name == "googlenet"
