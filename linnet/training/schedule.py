"""The learning rate as a function of time: nothing is counted, so nothing can be lost on the way."""

from __future__ import annotations

import math

from .ingredients import Schedule


def lr_factor(schedule: Schedule, time: float, epochs: int) -> float:
    """The share of the peak rate at `time`, in epochs since the start (2.5: half-way through the third), of `epochs`.

    Warm-up is linear, from `start` to 1. A cosine and a line fall over what is left after it (timm's cosine without
    warmup_prefix falls over everything, and is entered at the end of warm-up); steps are counted from time 0, as in
    TensorFlow's exponential_decay(staircase=True).
    Source: tensorflow/tpu models/official/efficientnet/utils.py, build_learning_rate (steps); Loshchilov & Hutter 2017.
    """
    if time < schedule.warmup:
        return schedule.start + (1 - schedule.start) * (time / schedule.warmup)
    done = min(1.0, (time - schedule.warmup) / (epochs - schedule.warmup))
    match schedule.kind:
        case "linear":
            return 1 - (1 - schedule.final) * done
        case "cosine":
            return schedule.final + (1 - schedule.final) * 0.5 * (1 + math.cos(math.pi * done))
        case "step":
            # The small number: 3 * 2.4 / 2.4 may come out just below 3.
            return schedule.factor ** math.floor(time / schedule.every + 1e-9)
        case "constant":
            return 1.0
