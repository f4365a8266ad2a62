from __future__ import annotations

import pytest

from linnet.arch.names import find
from linnet.arch.nasnet import ALIASES, ARCHS, CELLS, Cells
from linnet.arch.spec import Arch
from linnet.errors import SettingError


def cells(arch: Arch) -> Cells:
    op = arch.stages[0].op
    assert isinstance(op, Cells)
    return op


@pytest.mark.parametrize(("name", "n", "filters"), [("nasnetamobile", 4, 44), ("nasnetalarge", 6, 168)])
def test_cells_follow_figure_2(name: str, n: int, filters: int) -> None:
    plan = list(cells(find(name)).plan(24 * filters))
    kinds = [cell.kind for cell in plan]
    assert kinds == ["reduce", "reduce", *["normal"] * n, "reduce", *["normal"] * n, "reduce", *["normal"] * n]
    assert [cell.filters for cell in plan if cell.kind == "reduce"] == [
        filters // 4,
        filters // 2,
        2 * filters,
        4 * filters,
    ]
    assert plan[-1].cout == 24 * filters == find(name).stages[0].channels
    assert [cell.reduction for cell in plan if cell.kind == "reduce"] == [2, 4, 8, 16]


def test_states_that_no_pair_takes_are_concatenated() -> None:
    for pairs, concatenated in CELLS.values():
        taken = {source for pair in pairs for _, source in pair}
        assert set(range(7)) - taken <= set(concatenated)
    assert [len(concatenated) for _, concatenated in CELLS.values()] == [6, 4]  # times the filters


def test_only_the_large_network_skips_what_its_reduction_cells_took() -> None:
    """research/slim nasnet.py: skip_reduction_layer_input is 1 in large_imagenet_config, 0 in mobile_imagenet_config."""
    for name, skips in (("nasnetamobile", []), ("nasnetalarge", ["reduce_0", "reduce_1"])):
        arch = find(name)
        assert [cell.name for cell in cells(arch).plan(arch.stages[0].channels) if cell.skips] == skips


def test_features_end_before_each_reduction_cell() -> None:
    assert [f[1:] for f in find("nasnetamobile").features()] == [(32, 2), (44, 4), (264, 8), (528, 16), (1056, 32)]
    # 16 x smaller whatever the output stride: the two inputs of a cell must fit each other.
    assert find("nasnetamobile").features(output_stride=8) == find("nasnetamobile").features()


def test_a_wider_table_keeps_whole_filters_and_one_row_of_cells() -> None:
    for width in (0.1, 0.3, 1.7):
        arch = find("nasnetamobile").scaled(width=width, depth=2)
        assert arch.stages[0].channels % 96 == 0  # a quarter of the first cell's filters, for the stem
        assert arch.stages[0].layers == 1


def test_aliases_lead_to_the_family() -> None:
    assert {find(alias).name for alias in ALIASES} == {arch.name for arch in ARCHS}
    assert find("NASNetMobile").name == find("NASNet-A-Mobile").name == "nasnetamobile"


def test_no_cells_are_refused() -> None:
    with pytest.raises(SettingError, match="give 1 or more"):
        Cells(n=0)
