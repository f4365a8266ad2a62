"""What a runtime's file gives: logits, or the probabilities it ends in; and the way from one to the other.

Inside Linnet a model's answers are logits, whatever its file gives: so there is one place where probabilities are made of
them for a person to read, and none where they could be made twice. numpy only: the text of this file is copied into every
bundle's `predict.py`.
"""

from __future__ import annotations

import numpy as np

OUTPUTS = ("logits", "probabilities")
LEAST = float(np.finfo(np.float32).tiny)  # a probability below is 0 on some processors, which do not count so low


def probabilities(logits: np.ndarray, *, several: bool = False) -> np.ndarray:
    """Softmax over the last axis; of `several` labels each the sigmoid. float64, of the logits' shape."""
    logits = logits.astype(np.float64)
    if several:
        return np.exp(-np.logaddexp(0, -logits))
    shares = np.exp(logits - logits.max(-1, keepdims=True))
    return shares / shares.sum(-1, keepdims=True)


def logits_of(answers: np.ndarray, output: str, *, several: bool = False) -> np.ndarray:
    """What a file gives, as logits that have these probabilities: `answers` as they are where they are logits already.

    Of one label a constant is free, and the logarithm is taken. None is infinite: float32 has no probability between 1 and
    1 - 6e-8, which is 16.6 as a logit of one of several labels, and what is 1 becomes 17.3.
    """
    if output == "logits":
        return answers
    shares = np.maximum(answers.astype(np.float64), LEAST)
    if not several:
        return np.log(shares)
    shares = np.minimum(shares, 1 - 2.0**-25)
    return np.log(shares) - np.log1p(-shares)


def are_probabilities(answers: np.ndarray, *, several: bool = False) -> bool:
    """Whether all of [n, classes] are from 0 to 1, each row with a sum of 1 unless there are `several` labels."""
    inside = bool(((answers >= 0) & (answers <= 1 + 1e-5)).all())
    return inside and (several or bool((np.abs(answers.sum(1, dtype=np.float64) - 1) < 1e-3).all()))
