from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from linnet.arch.efficientnet import FusedMBConv, efficientnet_b0
from linnet.arch.mobilenet import MBConv
from linnet.arch.mobilevit import MobileViT
from linnet.arch.names import find, known
from linnet.arch.steps import STEPS, Step, find_steps
from linnet.cost.count import Row, count
from linnet.errors import SettingError

# Rows whose printed multiply-adds are not what is counted, rounded: the notes say so.
OTHERWISE = {
    "convnext": {"BatchNorm to LayerNorm", "downsampling layers: ConvNeXt-T"},
    "mobilenetv3": {"16 filters, hard swish"},
    "fused": {"no fused", "fused stages 1 to 3", "fused stages 1 to 5", "fused stages 1 to 7"},
    "compound": {"depth 4", "width 2", "resolution 2"},
    "mobilevit-patch": set[str](),
}


def counted(name: str) -> dict[str, tuple[Step, Row]]:
    return {step.name: (step, count(step.arch).total) for step in STEPS[name].rows}


def digits(value: float) -> int:
    return len(str(value).partition(".")[2])


@pytest.mark.parametrize("name", STEPS)
def test_multiply_adds_round_to_what_the_paper_prints(name: str) -> None:
    found = {
        step.name
        for step, total in counted(name).values()
        if step.gmadds is not None and round(total.madds / 1e9, digits(step.gmadds)) != step.gmadds
    }
    assert found == OTHERWISE[name]


@pytest.mark.parametrize("name", STEPS)
def test_every_step_is_a_network_of_its_own(name: str) -> None:
    rows = STEPS[name].rows
    assert len({step.name for step in rows}) == len(rows)
    names = {step.arch.name: step.arch for step in rows}
    assert all(names[step.arch.name] == step.arch for step in rows)
    assert all(known().get(step.arch.name, step.arch) == step.arch for step in rows)


def test_convnexts_road_starts_and_ends_with_known_networks() -> None:
    rows = list(counted("convnext").values())
    (_, start), (_, recipe), (_, end) = rows[0], rows[1], rows[-1]
    assert (start.params, start.bn_stats) == (25_557_032, 53_120)
    assert recipe == start
    assert rows[-1][0].arch == find("convnext_tiny")
    assert end.params == 28_589_128


def test_convnexts_last_two_figures_are_explained_by_the_note() -> None:
    rows = counted("convnext")
    norms, end = rows["BatchNorm to LayerNorm"][1], rows["downsampling layers: ConvNeXt-T"][1]
    assert norms.madds == rows["fewer norms"][1].madds
    assert round(end.madds / 1e9, 2) == rows["BatchNorm to LayerNorm"][0].gmadds == 4.46


def test_mobilenetv3_saves_what_the_note_says() -> None:
    madds = [total.madds for _, total in counted("mobilenetv3").values()]
    assert [round((a - b) / 1e6) for a, b in pairwise(madds)] == [34, 10]
    first = STEPS["mobilenetv3"].rows[0].arch
    assert [layer.cout for _, layer in first.layers()][-5:] == [320, 1280, 1280, 1280, 1000]


def test_fused_stages_are_the_first_ones() -> None:
    for stages, step in zip((0, 3, 5, 7), STEPS["fused"].rows, strict=True):
        kinds = [type(stage.op) for stage in step.arch.stages]
        assert kinds == [FusedMBConv] * stages + [MBConv] * (7 - stages)


def test_fused_blocks_count_as_the_note_says() -> None:
    for name, (step, total) in counted("fused").items():
        assert step.gmadds is not None
        assert step.params is not None
        third = name == "fused stages 1 to 3"
        assert (abs(total.madds / 1e9 / step.gmadds - 1) < 0.08) is not third
        assert (abs(total.params / 1e6 - step.params) < 0.2) is not third
    # With 3 x 3 everywhere.
    small = {
        step.name: replace(
            step.arch,
            stages=tuple(
                replace(stage, op=replace(stage.op, k=3)) if isinstance(stage.op, FusedMBConv) else stage
                for stage in step.arch.stages
            ),
        )
        for step in STEPS["fused"].rows
    }
    third, last = (count(small[name]).total for name in ("fused stages 1 to 3", "fused stages 1 to 7"))
    assert (round(third.params / 1e6, 1), round(third.madds / 1e9, 1)) == (19.9, 7.3)
    assert round(last.params / 1e6) == 65


def test_compound_rows_are_b0_scaled() -> None:
    depth, width, image, all_three = (step.arch for step in STEPS["compound"].rows[1:])
    assert sum(s.layers for s in depth.stages) == 4 * sum(s.layers for s in efficientnet_b0.stages)
    assert [s.channels for s in width.stages] == [2 * s.channels for s in efficientnet_b0.stages]
    assert (image.image, all_three.image) == (448, 291)
    for step, total in list(counted("compound").values())[1:4]:
        assert step.gmadds is not None
        assert 0.12 < 1 - total.madds / 1e9 / step.gmadds < 0.2


def test_patches_change_attention_alone() -> None:
    rows = counted("mobilevit-patch")
    patches = {
        name: [op.patch for stage in step.arch.stages if isinstance(op := stage.op, MobileViT)]
        for name, (step, _) in rows.items()
    }
    assert patches == {name: [int(n) for n in name.split(", ")] for name in rows}
    assert {total.params for _, total in rows.values()} == {5_578_632}
    two, three, four, falling = (total for _, total in rows.values())
    assert two.madds == four.madds == falling.madds < three.madds  # resized maps are larger
    assert two.attention_madds == 4 * four.attention_madds


def test_a_name_that_is_not_known_gets_the_nearest() -> None:
    assert find_steps("MobileViT_patch") is STEPS["mobilevit-patch"]
    with pytest.raises(
        SettingError, match=r"convnext, mobilenetv3, fused, compound, mobilevit-patch\. Did you mean 'fused'"
    ):
        find_steps("fuzed")
