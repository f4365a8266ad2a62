from __future__ import annotations

from linnet.recipes.published import PHOTOS, in_epochs


def test_steps_in_epochs_of_whole_batches():
    assert PHOTOS == 1_281_167
    assert in_epochs(1251 * 3, 1024) == 3  # 1,281,167 // 1024 = 1251 steps
