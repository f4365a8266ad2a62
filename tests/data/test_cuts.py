from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from linnet.data.cuts import Cut, cuts, pixels, pixels_before, sized_batch
from linnet.data.loader import ORDER

SIZES = (160, 192, 256, 288, 320)  # MobileViT, section 3.2


def test_one_size_is_cut_evenly_and_the_rest_is_dropped():
    assert cuts(13, batch=4, image=16) == (Cut(0, 4, 16), Cut(4, 8, 16), Cut(8, 12, 16))
    assert cuts(3, batch=64, image=16) == (Cut(0, 3, 16),)


def test_a_sizes_batch_has_the_base_batchs_pixels():
    """base_h * base_w * b / (h * w) at base 256, batch 128 (facts: recipes, 9)."""
    assert [sized_batch(128, 256, side) for side in SIZES] == [327, 227, 128, 101, 81]


@given(n=st.integers(2, 5000), batch=st.integers(2, 300), seed=st.integers(0, 99), epoch=st.integers(0, 9))
def test_every_photo_at_most_once_and_fewer_than_a_batch_dropped(n, batch, seed, epoch):
    plan = cuts(n, batch=batch, image=256, sizes=SIZES, seed=seed, epoch=epoch)
    assert plan
    assert [cut.start for cut in plan] == [0, *(cut.stop for cut in plan[:-1])]
    assert n - plan[-1].stop < batch
    for cut in plan[:-1]:
        assert cut.stop - cut.start == sized_batch(batch, 256, cut.image)
    last = plan[-1]
    assert last.stop - last.start >= min(n, batch, sized_batch(batch, 256, last.image))


def test_sizes_are_a_function_of_seed_and_epoch_and_all_are_drawn():
    plan = lambda **at: cuts(100_000, batch=128, image=256, sizes=SIZES, **at)  # noqa: E731
    cuts.cache_clear()
    first = plan(seed=1, epoch=2)
    cuts.cache_clear()
    assert plan(seed=1, epoch=2) == first
    assert len({plan(seed=seed, epoch=epoch) for seed in (0, 1) for epoch in (0, 1)}) == 4
    share = [sum(cut.image == side for cut in first) / len(first) for side in SIZES]
    assert all(0.15 < part < 0.25 for part in share), share


def test_sizes_have_random_numbers_of_their_own():
    from linnet.data import cuts as module

    assert module.SIZES != ORDER


def test_pixels_are_those_of_the_cuts():
    for sizes in ((), SIZES):
        given = {"batch": 64, "image": 256, "sizes": sizes, "seed": 3, "epoch": 1}
        plan = cuts(1000, **given)
        assert pixels(1000, **given) == sum((cut.stop - cut.start) * cut.image**2 for cut in plan)
        before = pixels_before(1000, **given)
        assert before[0] == 0
        assert len(before) == len(plan) + 1
        assert before[1] == (plan[0].stop - plan[0].start) * plan[0].image ** 2
