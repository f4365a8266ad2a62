from __future__ import annotations

import numpy as np

from linnet.data.augment import Augment
from linnet.data.loader import train_batches
from linnet.data.sampling import balanced_order

LABELS = [0] * 70 + [1] * 20 + [2] * 3 + [3] * 7


def test_each_class_is_seen_equally_often_and_never_twice_alike() -> None:
    for epoch in range(3):
        order = balanced_order(LABELS, 0, epoch)
        assert order.shape == (100,)
        assert len(set(order.tolist())) == 100  # a photo that comes again is another sample
        seen = np.bincount(np.array(LABELS)[order % 100])
        assert seen.tolist() == [25] * 4
        often = np.bincount(order % 100, minlength=100)
        assert set(often[:70].tolist()) == {0, 1}
        assert set(often[90:93].tolist()) == {8, 9}


def test_what_is_left_over_goes_to_classes_by_chance() -> None:
    labels = [0, 0, 0, 0, 0, 1, 2]
    seen = [np.bincount(np.array(labels)[balanced_order(labels, 0, epoch) % 7]) for epoch in range(20)]
    assert {tuple(sorted(one.tolist())) for one in seen} == {(2, 2, 3)}
    assert len({tuple(one.tolist()) for one in seen}) == 3


def test_it_is_a_function_of_seed_and_epoch() -> None:
    orders = {(s, e): tuple(balanced_order(LABELS, s, e).tolist()) for s in (0, 1) for e in (0, 1)}
    assert len(set(orders.values())) == 4
    assert orders[1, 1] == tuple(balanced_order(LABELS, 1, 1).tolist())
    large = {tuple(np.sort(balanced_order(LABELS, 0, e))[:20].tolist()) for e in range(5)}
    assert len(large) == 5  # of a large class, others in each epoch


def test_batches_of_a_balanced_epoch(tmp_path) -> None:
    """The same from any batch on and for any number of processes; a photo that comes again looks different."""
    from PIL import Image

    from linnet.data.source import Photo

    rng, photos = np.random.default_rng(0), []
    for i, label in enumerate([0] * 13 + [1] * 3):
        path = tmp_path / f"{i}.png"
        Image.fromarray(rng.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(path)
        photos.append(Photo(path, label, str(i)))

    def batches(**rest):
        return list(
            train_batches(photos, Augment(16), seed=0, epoch=2, batch=4, workers=0, sampling="balanced", **rest)
        )

    whole = batches()
    assert [int(batch.labels.sum()) for batch in whole] != [0, 0, 0, 0]
    assert sum(int(batch.labels.sum()) for batch in whole) == 8
    for a, b in zip(whole[2:], batches(first=2), strict=True):
        assert (a.images == b.images).all()
    halves = [batches(rank=rank, world=2) for rank in (0, 1)]
    for i, batch in enumerate(whole):
        assert halves[0][i].index.tolist() + halves[1][i].index.tolist() == batch.index.tolist()
    index = np.concatenate([batch.index for batch in whole])
    pictures = np.concatenate([batch.images for batch in whole])
    again = np.flatnonzero(index == np.argmax(np.bincount(index)))
    assert len(again) >= 2
    assert (pictures[again[0]] != pictures[again[1]]).any()
