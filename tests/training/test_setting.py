from __future__ import annotations

import math

import pytest

from linnet.errors import SettingError
from linnet.training.ingredients import Sgd
from linnet.training.recipe import Phase, Recipe


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Phase(epoch=1), "phase: there is no setting 'epoch'. Did you mean 'epochs'?"),
        (
            lambda: Recipe(epohcs=1),
            "recipe: there is no setting 'epohcs'. Did you mean 'epochs', a setting of phase?",
        ),
        (
            lambda: Sgd(qqq=1),
            "sgd: there is no setting 'qqq'. Allowed: kind, lr, momentum, nesterov, weight_decay, decayed.",
        ),
        (lambda: Phase(epochs=0), "phase: epochs is 0; allowed: greater than or equal to 1."),
        (lambda: Phase(epochs="3"), "phase: epochs is '3'; allowed: a valid integer."),
        (lambda: Sgd(lr=math.inf), "sgd: lr is inf; allowed: a finite number."),
        (
            lambda: Recipe(precision="b16"),
            "recipe: precision is 'b16'; allowed: 'auto', or 'fp32', or 'bf16'. Did you mean 'bf16'?",
        ),
        (lambda: Recipe(workers=-2), "recipe: workers is -2; allowed: 'auto', or greater than or equal to 0."),
        (
            lambda: Recipe(optimizer={"kind": "adam"}),
            "recipe: optimizer.kind is 'adam'; allowed: 'sgd', 'adamw', 'lamb', 'rmsprop'. Did you mean 'adamw'?",
        ),
        (lambda: Recipe(optimizer={"lr": 1.0}), 'recipe: optimizer does not say its kind. Add "kind"'),
        (lambda: Recipe(phases=()), "recipe: phases is (); allowed: a list of at least 1 item."),
        (lambda: Recipe(photos=""), "recipe: photos is ''; allowed: a text of at least 1 character."),
        (lambda: Recipe(arch="x" * 500, seed=-1), "recipe: seed is -1"),
        (lambda: Recipe(photos=["y" * 500]), "..."),
        (lambda: Sgd(1.0), "sgd: give each setting by its name"),
    ],
)
def test_refusals_read_like_this(make, said):
    with pytest.raises(SettingError) as refused:
        make()
    assert said in str(refused.value)
    assert len(str(refused.value)) < 400
