"""One model at several image sizes: convolutional networks often gain above the size they were trained at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import SettingError

if TYPE_CHECKING:
    from ..data.source import Photos
    from .evaluate import Evaluation
    from .paired import Paired


@dataclass(frozen=True, eq=False)
class Sizes:
    """One evaluation per size, in the order asked for; `errors` names the sizes that the network does not take.

    `against_first` is the paired difference to the first of them, where photos have one label.
    """

    evaluations: tuple[Evaluation, ...]
    against_first: tuple[Paired | None, ...]
    errors: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "sizes": [one.to_json() for one in self.evaluations],
            "against_first": [one.to_json() if one else None for one in self.against_first],
            "errors": list(self.errors),
        }

    def __str__(self) -> str:
        from .evaluate import interval, percent

        first = self.evaluations[0]
        name, _, _ = figure(first)
        lines = [f"{first.model} ({first.arch}) on {first.metrics.n:,} photos ({first.split})", ""]
        lines.append(f"image, px  {name:>8}  95 % interval     against {first.image} px")
        for one, paired in zip(self.evaluations, self.against_first, strict=True):
            _, value, ends = figure(one)
            spread = interval(ends).removeprefix("95 % interval ")
            text = f"{one.image:9}  {percent(value):>8}  {spread:16}"
            if paired and one is not first:
                low, high = paired.interval
                text += f"  {100 * paired.difference:+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
            lines.append(text.rstrip())
        lines += ["", *first.notes] if first.notes else []
        return "\n".join(lines)


def figure(one: Evaluation) -> tuple[str, float, tuple[float, float]]:
    """Name, value and interval of what counts: accuracy, or of photos with several labels the mean average precision."""
    m: Any = one.metrics
    if hasattr(m, "top1"):
        return "top-1", m.top1, m.top1_interval
    return "mAP", m.mean_average_precision, m.mean_average_precision_interval


def evaluate_sizes(model: Any, photos: Photos, sizes: Sequence[int], **rest: Any) -> Sizes:
    """`evaluate_model` at each size, each once.

    Raises: SettingError where the network takes none of them.
    """
    from .evaluate import evaluate_model
    from .paired import compare_answers

    found, errors = [], []
    for image in dict.fromkeys(sizes):
        try:
            found.append(evaluate_model(model, photos, image=image, **rest))
        except SettingError as error:
            errors.append(f"{model.arch.name} at {image} px: {error}")
    if not found:
        raise SettingError(errors[0])
    right = [one.logits.argmax(1) == one.labels if one.labels.ndim == 1 else None for one in found]
    pairs = [None if r is None or right[0] is None else compare_answers(right[0], r) for r in right]
    return Sizes(tuple(found), tuple(pairs), tuple(errors))
