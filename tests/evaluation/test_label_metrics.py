from __future__ import annotations

import json

import numpy as np
import pytest

from linnet.errors import DataError
from linnet.evaluation.label_metrics import measure_several

oracle = pytest.importorskip("sklearn.metrics", reason="scikit-learn is a development dependency")


def drawn(n: int, classes: int, seed: int, *, steps: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, classes)) < rng.uniform(0.05, 0.6, classes)).astype(np.uint8)
    labels[0] = 1  # no label without a photo
    logits = (rng.normal(size=(n, classes)) + 1.5 * labels - 0.8).astype(np.float32)
    return (np.round(logits / steps) * steps if steps else logits), labels


@pytest.mark.parametrize(("n", "classes", "seed", "steps"), [(300, 6, 0, 0), (41, 3, 1, 0), (200, 5, 2, 0.5)])
def test_equals_scikit_learn(n, classes, seed, steps):
    logits, labels = drawn(n, classes, seed, steps=steps)
    m = measure_several(logits, labels, draws=0)
    said = (logits >= 0).astype(int)
    assert m.mean_average_precision == pytest.approx(oracle.average_precision_score(labels, logits, average="macro"))
    assert m.micro_f1 == pytest.approx(oracle.f1_score(labels, said, average="micro"))
    assert m.macro_f1 == pytest.approx(oracle.f1_score(labels, said, average="macro", zero_division=0))
    assert m.exact_match == pytest.approx(oracle.accuracy_score(labels, said))
    assert m.labels_right == pytest.approx(1 - oracle.hamming_loss(labels, said))
    probability = 1 / (1 + np.exp(-logits.astype(np.float64)))
    assert m.loss == pytest.approx(oracle.log_loss(labels.ravel(), probability.ravel()))
    for c, one in enumerate(m.per_label):
        precision, recall, f1, _ = oracle.precision_recall_fscore_support(
            labels[:, c], said[:, c], average="binary", zero_division=0
        )
        assert one.n == labels[:, c].sum()
        assert one.average_precision == pytest.approx(oracle.average_precision_score(labels[:, c], logits[:, c]))
        assert (one.precision or 0, one.recall, one.f1) == pytest.approx((precision, recall, f1))


def test_average_precision_by_hand():
    # Ranked yes, no, yes, no, yes: precision 1, 2/3, 3/5 where recall grows by a third each.
    logits = np.array([[3.0], [2.0], [1.0], [-1.0], [-2.0]])
    m = measure_several(logits, np.array([[1], [0], [1], [0], [1]]), draws=0)
    assert m.mean_average_precision == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    # All scores equal: nothing is known of the order, so it is the share of photos with the label.
    m = measure_several(np.zeros((4, 1)), np.array([[0], [1], [0], [0]]), draws=0)
    assert m.mean_average_precision == pytest.approx(0.25)


def test_a_label_without_photos_counts_in_no_mean_but_in_the_wrong_answers():
    logits = np.array([[5.0, 5.0], [-5.0, -5.0]])
    m = measure_several(logits, np.array([[1, 0], [0, 0]]))
    assert m.mean_average_precision == m.macro_f1 == 1
    assert m.per_label[1].average_precision is m.per_label[1].recall is None
    assert m.per_label[1].precision == 0
    assert (m.exact_match, m.labels_right) == (0.5, 0.75)
    assert m.micro_f1 == pytest.approx(2 / 3)


def test_the_intervals_hold_the_figure_and_shrink_with_more_photos():
    few, many = (measure_several(*drawn(n, 4, 0), draws=200) for n in (50, 1000))
    for name in ("mean_average_precision", "micro_f1", "macro_f1", "exact_match"):
        (low, high), (closer, nearer) = (getattr(m, f"{name}_interval") for m in (few, many))
        assert low < getattr(few, name) < high
        assert nearer - closer < high - low


def test_drawing_photos_twice_is_having_them_twice():
    # The bootstrap's weights must do what repeated rows do, in which a photo and its double have the same score.
    from linnet.evaluation.label_metrics import average_precisions, last_of_equals

    logits, labels = drawn(40, 3, 5)
    counts = np.random.default_rng(0).integers(0, 4, 40)
    order = np.argsort(-logits, axis=0, kind="stable")
    ranked = np.take_along_axis(labels != 0, order, 0)
    ends = last_of_equals(np.take_along_axis(logits, order, 0))
    found = average_precisions(ranked, ends, counts[order])
    wanted = measure_several(logits.repeat(counts, 0), labels.repeat(counts, 0), draws=0)
    assert found == pytest.approx([one.average_precision for one in wanted.per_label])


def test_json_is_plain():
    m = measure_several(*drawn(30, 2, 0), draws=100)
    value = json.loads(json.dumps(m.to_json()))
    assert value["threshold"] == 0.5
    assert value["mean_average_precision_interval"] == list(m.mean_average_precision_interval)
    assert value["per_label"][0]["recall_interval"] == list(m.per_label[0].recall_interval)


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        (np.zeros((2, 3)), np.zeros(2), "do not fit"),
        (np.zeros((2, 3)), np.zeros((2, 3)), "no photo with a label"),
        (np.full((2, 3), np.nan), np.ones((2, 3)), "2 of 2 photos are not finite"),
    ],
)
def test_what_cannot_be_measured_is_refused(logits, labels, words):
    with pytest.raises(DataError, match=words):
        measure_several(logits, labels)
