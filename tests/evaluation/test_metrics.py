import json
import math

import numpy as np
import pytest

from linnet.errors import DataError
from linnet.evaluation.metrics import measure

oracle = pytest.importorskip("sklearn.metrics", reason="scikit-learn is a development dependency")


def drawn(n, classes, *, seed=0, skill=1.5):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)).astype(np.float32)
    logits[np.arange(n), labels] += skill
    return logits, labels


@pytest.mark.parametrize(("n", "classes", "seed"), [(300, 10, 0), (41, 7, 1), (1000, 3, 2), (500, 100, 3)])
def test_equals_scikit_learn(n, classes, seed):
    logits, labels = drawn(n, classes, seed=seed)
    m = measure(logits, labels)
    predicted, names = logits.argmax(1), range(classes)
    probability = np.exp(logits - logits.max(1, keepdims=True), dtype=np.float64)
    probability /= probability.sum(1, keepdims=True)
    assert m.n == n
    assert m.top1 == pytest.approx(oracle.accuracy_score(labels, predicted), abs=1e-12)
    if classes > 5:
        top5 = oracle.top_k_accuracy_score(labels, logits, k=5, labels=names)
        assert m.top5 == pytest.approx(top5, abs=1e-12)
    else:
        assert m.top5 == 1
    assert np.array_equal(m.confusion, oracle.confusion_matrix(labels, predicted, labels=names))
    precision, recall, f1, count = oracle.precision_recall_fscore_support(
        labels, predicted, labels=names, zero_division=0
    )
    for c, one in enumerate(m.per_class):
        assert one.n == count[c]
        assert (one.precision or 0, one.recall or 0, one.f1 or 0) == pytest.approx((precision[c], recall[c], f1[c]))
    assert m.macro_f1 == pytest.approx(oracle.f1_score(labels, predicted, average="macro"), abs=1e-12)
    assert m.loss == pytest.approx(oracle.log_loss(labels, probability, labels=names), rel=1e-6)
    assert m.top1_interval[0] < m.top1 < m.top1_interval[1]
    assert m.macro_f1_interval[0] < m.macro_f1 < m.macro_f1_interval[1]


def test_calibration_error_by_hand():
    # Ten photos said with 0.8, six right; ten with 0.6, six right: (10 * 0.2 + 10 * 0) / 20.
    def said(p):
        return [math.log(p), math.log(1 - p)]

    logits = [said(0.8)] * 10 + [said(0.61)] * 10
    labels = [0] * 6 + [1] * 4 + [0] * 6 + [1] * 4
    assert measure(np.array(logits), np.array(labels)).calibration_error == pytest.approx((10 * 0.2 + 10 * 0.01) / 20)


def test_calibration_error_of_an_honest_model_is_small():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 4)) * 1.5
    probability = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (rng.random((20_000, 1)) > probability.cumsum(1)).sum(1).clip(0, 3)
    assert measure(logits, labels).calibration_error < 0.012
    assert measure(logits * 4, labels).calibration_error > 0.15


def test_a_class_without_photos():
    logits = np.eye(4)[[0, 0, 1, 3, 3]]
    m = measure(logits, np.array([0, 1, 1, 0, 0]))
    absent, never = m.per_class[3], m.per_class[2]
    assert (absent.n, absent.precision, absent.recall, absent.recall_interval, absent.f1) == (0, 0, None, (0, 1), 0)
    assert (never.n, never.precision, never.recall, never.f1) == (0, None, None, None)
    # Classes 0, 1 and 3 occur: F1 2/5, 2/3, 0.
    assert m.macro_f1 == pytest.approx((2 / 5 + 2 / 3 + 0) / 3)


def test_equal_logits_go_to_the_first_class():
    m = measure(np.zeros((7, 7)), np.arange(7))
    assert m.top1 == 1 / 7
    assert m.top5 == 5 / 7
    assert sum(row[0] for row in m.confusion) == 7


def test_extreme_logits_stay_finite():
    m = measure(np.array([[1e4, -1e4], [-3e38, 3e38]], np.float32), np.array([1, 1]))
    assert m.loss == pytest.approx(1e4)
    assert m.top1 == 0.5


@pytest.mark.parametrize(
    ("logits", "labels", "word"),
    [
        (np.zeros((0, 3)), np.zeros(0), "no photos"),
        (np.zeros((2, 3)), np.zeros(3), "do not fit"),
        (np.zeros((2, 3)), np.array([0, 3]), "0 to 2"),
        (np.zeros((2, 3)), np.array([0, -1]), "0 to 2"),
        (np.array([[0, np.nan], [0, 1]]), np.zeros(2), "1 of 2"),
    ],
)
def test_refusals(logits, labels, word):
    with pytest.raises(DataError, match=word):
        measure(logits, labels)


def test_same_figures_each_time_and_as_json():
    logits, labels = drawn(200, 6)
    m = measure(logits, labels)
    assert m == measure(logits, labels)
    value = json.loads(json.dumps(m.to_json(), allow_nan=False))
    assert value == m.to_json()
    assert value["per_class"][2]["recall"] == m.per_class[2].recall
    assert value["confusion"][1] == list(m.confusion[1])


def test_bootstrap_covers():
    """The interval of one sample of 400 holds the score of the whole population, and narrows with n."""
    population, labels = drawn(50_000, 5, seed=9)
    truth = measure(population, labels).macro_f1
    inside = 0
    for part in range(40):
        here = slice(part * 400, part * 400 + 400)
        low, high = measure(population[here], labels[here]).macro_f1_interval
        inside += low <= truth <= high
        assert high - low < 0.12
    assert inside >= 34
