"""What is made small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """-sum(targets * log softmax(logits)) of each sample, [B]; both [B, classes], computed in float32.

    The targets are probabilities: label smoothing, mixup and cutmix have already happened (`linnet.data.mix`).
    """
    return -(targets * F.log_softmax(logits.float(), dim=1)).sum(1)


def focal_loss(logits: Tensor, targets: Tensor, gamma: float) -> Tensor:
    """-sum(targets * (1 - p)^gamma * log p) of each sample, p = softmax(logits): what is known already counts little.

    Source: Lin et al. 2017, equation 4, without its alpha (see `class_weights`), over softmax and for soft targets.
    """
    log_p = F.log_softmax(logits.float(), dim=1)
    return -(targets * (-torch.expm1(log_p)).clamp(min=1e-7).pow(gamma) * log_p).sum(1)


def sigmoid_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy of each class by itself, its mean over the classes, [B].

    Source: Wightman et al. 2021 (ResNet strikes back); for several labels targets need not sum to 1.
    """
    return F.binary_cross_entropy_with_logits(logits.float(), targets, reduction="none").mean(1)


def focal_sigmoid_loss(logits: Tensor, targets: Tensor, gamma: float) -> Tensor:
    """Binary focal loss of each label by itself, its mean over the labels, [B]: both answers of yes and no get their factor.

    Source: Lin et al. 2017, equation 4, without its alpha, for soft targets.
    """
    logits = logits.float()
    yes, no = F.logsigmoid(logits), F.logsigmoid(-logits)
    unsure = [(-torch.expm1(log_p)).clamp(min=1e-7).pow(gamma) for log_p in (yes, no)]
    return -(targets * unsure[0] * yes + (1 - targets) * unsure[1] * no).mean(1)


@dataclass(frozen=True)
class Loss:
    """A recipe's loss. `weights` are those of the classes, float32 [classes]; none: all count the same.

    `taught` is the teacher's share of the loss, `temperature` what both sides' logits are divided by in it.
    """

    kind: Literal["softmax", "focal", "sigmoid"] = "softmax"
    gamma: float = 2.0
    weights: Tensor | None = None
    taught: float = 0.0
    temperature: float = 1.0
    several: bool = False  # labels of each sample: targets are multi-hot, each a question by itself

    def per_sample(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The loss of each sample, [B].

        logits [B, classes], or [B, 2, classes] of a network with a second classifier, which learns from the teacher
        alone (DeiT). targets [B, classes], or [B, 2 * classes] with the teacher's answers behind (`teacher.py`).
        A sample's weight is its targets' mean of `weights`, a factor of its whole loss: were each class's term weighted
        instead, label smoothing would ask for the rare classes everywhere.
        """
        own, theirs = (logits[:, 0], logits[:, 1]) if logits.ndim == 3 else (logits, logits)
        labels, answers = targets.split([own.shape[1], targets.shape[1] - own.shape[1]], dim=1)
        match self.kind:
            case "softmax":
                loss = soft_cross_entropy(own, labels)
            case "focal":
                loss = (focal_sigmoid_loss if self.several else focal_loss)(own, labels, self.gamma)
            case "sigmoid":
                loss = sigmoid_loss(own, labels)
        if self.weights is not None:
            loss = loss * (labels @ self.weights)
        if not self.taught:
            return loss
        return (1 - self.taught) * loss + self.taught * distillation(theirs, answers, self.temperature)

    def right(self, logits: Tensor, targets: Tensor) -> Tensor:
        """How far each sample's answer is right, float32 [B]: 0 or 1; of several labels the share that is right."""
        if self.several:
            return ((logits >= 0) == (targets >= 0.5)).float().mean(1)
        return right(logits, targets).float()


def distillation(logits: Tensor, answers: Tensor, temperature: float) -> Tensor:
    """T^2 KL(answers || softmax(logits / T)) of each sample, [B]; `answers` [B, classes] are probabilities at T already.

    T^2 keeps its gradient as large as that of the labels. Of an answer that is one class (DeiT's hard distillation, with
    T = 1) this is the cross-entropy. Source: Hinton et al. 2015, section 2; Touvron et al. 2021, equations 2 and 3.
    """
    log_p = F.log_softmax(logits.float() / temperature, dim=1)
    return temperature**2 * (torch.xlogy(answers, answers) - answers * log_p).sum(1)


def right(logits: Tensor, targets: Tensor) -> Tensor:
    """Which samples' largest logit is at their largest target: bool [B]; logits and targets as `Loss.per_sample` has them."""
    logits = logits.mean(1) if logits.ndim == 3 else logits
    return logits.argmax(1) == targets[:, : logits.shape[1]].argmax(1)


def balanced_weights(labels: Sequence[int], classes: int) -> Tensor:
    """n / (classes * n_c) for class c with n_c of the n labels, float32 [classes]: the mean over the labels is 1.

    Source: scikit-learn, compute_class_weight("balanced"); King & Zeng 2001.
    """
    counts = torch.bincount(torch.tensor(labels), minlength=classes)
    return len(labels) / (classes * counts.clamp(min=1)).float()
