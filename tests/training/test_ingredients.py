from __future__ import annotations

import pytest

from linnet.errors import SettingError
from linnet.training.recipe import Recipe


def test_settings_that_do_not_belong_to_the_kind_are_refused():
    with pytest.raises(SettingError, match="sgd: there is no setting 'betas'"):
        Recipe(optimizer={"kind": "sgd", "lr": 0.1, "betas": [0.9, 0.99]})
