from __future__ import annotations

import pytest

from linnet.arch.names import find, known
from linnet.errors import SettingError
from linnet.training.ingredients import Cosine
from linnet.training.recipe import Phase, Recipe
from linnet.training.unfreezing import unfreezing


@pytest.mark.parametrize("epochs", [1, 2, 5, 40])
def test_every_network_thaws_from_the_classifier_down(epochs):
    for name in known():
        rows = unfreezing(name, epochs)
        frozen = [row.freeze for row in rows]
        assert sum(row.epochs for row in rows) == epochs
        assert frozen == sorted(set(frozen), reverse=True)
        assert frozen[-1] == 0
        assert epochs == 1 or frozen[0] == find(name).classifier_row
    phases = unfreezing("vit_tiny_patch16_224", epochs)
    assert Recipe(arch="vit_tiny_patch16_224", phases=phases, schedule=Cosine()).epochs == epochs


def test_rows_without_weights_thaw_together_with_those_below():
    arch = find("mobilenetv3_small_100")
    frozen = {row.freeze for row in unfreezing(arch, 100)}
    names = {arch.row_names[place] for place in frozen - {arch.classifier_row}}
    assert names == {"stem.0", *(f"stages.{i}" for i in range(9)), "head.conv", "head.linear"}


def test_the_last_phase_has_the_rest_and_the_lowest_rows_stay():
    rows = unfreezing("vit_tiny_patch16_224", 20, each=2, lowest=1, phase=Phase(image=160, batch=8))
    assert [(row.epochs, row.freeze) for row in rows] == [(2, 6), (2, 3), (2, 2), (14, 1)]
    assert {(row.image, row.batch) for row in rows} == {(160, 8)}
    everything = find("vit_tiny_patch16_224").classifier_row
    assert [row.freeze for row in unfreezing("vit_tiny_patch16_224", 3, lowest=everything)] == [everything]


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"epochs": 2, "each": 3}, {"epochs": 2, "each": 0},
                                   {"epochs": 2, "lowest": -1}, {"epochs": 2, "lowest": 7}])  # fmt: skip
def test_numbers_that_do_not_fit_are_refused(wrong):
    with pytest.raises(SettingError, match="unfreezing: "):
        unfreezing("vit_tiny_patch16_224", **wrong)
