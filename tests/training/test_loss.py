from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from linnet.training.loss import (
    Loss,
    balanced_weights,
    distillation,
    focal_loss,
    right,
    sigmoid_loss,
    soft_cross_entropy,
)


@pytest.fixture
def answers():
    """Logits and labels of six samples and four classes."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 4, generator=generator), torch.tensor([0, 1, 2, 3, 0, 1])


def test_it_is_cross_entropy_with_label_smoothing(answers):
    logits, labels = answers
    smooth = F.one_hot(labels, 4) * 0.9 + 0.1 / 4
    theirs = F.cross_entropy(logits, labels, label_smoothing=0.1, reduction="none")
    assert torch.allclose(soft_cross_entropy(logits, smooth), theirs)
    assert torch.equal(Loss().per_sample(logits, smooth), soft_cross_entropy(logits, smooth))


@pytest.mark.parametrize("kind", ["softmax", "focal", "sigmoid"])
def test_it_is_computed_in_float32(kind):
    loss = Loss(kind).per_sample(torch.zeros(2, 3, dtype=torch.bfloat16), torch.eye(3)[:2])
    assert loss.dtype == torch.float32
    assert loss.shape == (2,)
    third = torch.tensor(3.0).log()
    expected = {"softmax": third, "focal": (2 / 3) ** 2 * third, "sigmoid": torch.tensor(2.0).log()}[kind]
    assert torch.allclose(loss, expected.expand(2))


def test_focal_loss_is_cross_entropy_at_gamma_0_and_by_hand_at_2(answers):
    logits, labels = answers
    targets = 0.7 * F.one_hot(labels, 4) + 0.3 * F.one_hot(labels.roll(1), 4)
    assert torch.allclose(focal_loss(logits, targets, 0.0), soft_cross_entropy(logits, targets))
    p = logits.softmax(1)
    by_hand = -(targets * (1 - p) ** 2 * p.log()).sum(1)
    assert torch.allclose(Loss("focal").per_sample(logits, targets), by_hand)


def test_focal_loss_of_what_is_certain_has_a_gradient():
    logits = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    focal_loss(logits, torch.tensor([[0.9, 0.1, 0.0]]), 0.5).sum().backward()
    assert torch.isfinite(logits.grad).all()


def test_the_sigmoid_loss_is_torchs_and_takes_several_labels(answers):
    logits, _ = answers
    several = torch.tensor([[1.0, 0, 1, 0]] * 6)
    assert torch.allclose(sigmoid_loss(logits, several).mean(), F.binary_cross_entropy_with_logits(logits, several))


def test_balanced_weights_by_hand():
    """Of 8 labels 6, 1 and 1: each class weighs 8/3 altogether, and the mean over the labels is 1."""
    labels = [0] * 6 + [1, 2]
    weights = balanced_weights(labels, 3)
    assert weights.tolist() == pytest.approx([8 / 18, 8 / 3, 8 / 3])
    assert weights[labels].mean().item() == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["softmax", "focal", "sigmoid"])
def test_a_sample_weighs_what_its_classes_weigh(kind, answers):
    logits, labels = answers
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0])
    hard, plain = F.one_hot(labels, 4).float(), Loss(kind)
    weighed = Loss(kind, weights=weights)
    assert torch.allclose(weighed.per_sample(logits, hard), weights[labels] * plain.per_sample(logits, hard))
    if kind == "softmax":
        theirs = F.cross_entropy(logits, labels, weight=weights, reduction="none")
        assert torch.allclose(weighed.per_sample(logits, hard), theirs)
    half = 0.5 * hard + 0.5 * hard.roll(1, 1)
    factor = 0.5 * weights[labels] + 0.5 * weights[(labels + 1) % 4]
    assert torch.allclose(weighed.per_sample(logits, half), factor * plain.per_sample(logits, half))


def test_distillation_is_hintons(answers):
    """0 for one's own answer; else torch's KL times T^2; its gradient keeps its size as T grows."""
    logits, _ = answers
    teacher = logits.roll(1, 0)
    assert torch.allclose(distillation(logits, (logits / 4).softmax(1), 4.0), torch.zeros(6), atol=1e-5)
    theirs = F.kl_div((logits / 4).log_softmax(1), (teacher / 4).softmax(1), reduction="none").sum(1) * 16
    assert torch.allclose(distillation(logits, (teacher / 4).softmax(1), 4.0), theirs, atol=1e-5)
    sizes = []
    for t in (20.0, 40.0):
        student = logits.clone().requires_grad_()
        distillation(student, (teacher / t).softmax(1), t).sum().backward()
        sizes.append(student.grad.norm().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)


def test_the_teachers_share(answers):
    logits, labels = answers
    targets = F.one_hot(labels, 4).float()
    taught = (logits.roll(1, 0) / 2).softmax(1)
    both = Loss(taught=0.3, temperature=2.0).per_sample(logits, torch.cat([targets, taught], 1))
    expected = 0.7 * soft_cross_entropy(logits, targets) + 0.3 * distillation(logits, taught, 2.0)
    assert torch.allclose(both, expected)


def test_a_hard_answer_is_one_more_label_and_the_second_classifier_gets_it(answers):
    logits, labels = answers
    second = logits.roll(2, 0)
    hard = F.one_hot(labels.roll(1), 4).float()
    loss = Loss(taught=0.5).per_sample(
        torch.stack([logits, second], 1), torch.cat([F.one_hot(labels, 4).float(), hard], 1)
    )
    expected = F.cross_entropy(logits, labels, reduction="none") + F.cross_entropy(
        second, labels.roll(1), reduction="none"
    )
    assert torch.allclose(loss, expected / 2)


def test_right_looks_at_the_labels_and_at_both_classifiers():
    logits = torch.tensor([[3.0, 0.0], [0.0, 3.0]])
    targets = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert right(logits, targets).tolist() == [True, False]
    behind = torch.tensor([[0.0, 9.0], [0.0, 9.0]])
    assert right(logits, torch.cat([targets, behind], 1)).tolist() == [True, False]
    assert right(torch.stack([logits, torch.tensor([[0.0, 1.0], [9.0, 0.0]])], 1), targets).tolist() == [True, True]
