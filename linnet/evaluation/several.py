"""The evaluation of a model that may give a photo several labels, or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from .evaluate import Evaluation, interval, percent
from .label_metrics import SeveralMetrics

if TYPE_CHECKING:
    import numpy as np

    from ..data.source import Photo, Photos


@dataclass(frozen=True, eq=False)
class SeveralEvaluation(Evaluation):
    """A model's answers on one split: `labels` are multi-hot, uint8 [n, classes], and each logit is one answer."""

    metrics: SeveralMetrics  # pyright: ignore[reportIncompatibleVariableOverride]

    @property
    def confidence(self) -> np.ndarray:
        """The probability of each label, float64 [n, classes]."""
        import numpy as np

        return 1 / (1 + np.exp(-self.logits.astype(np.float64)))

    def to_json(self) -> dict[str, Any]:
        """Plain values; `items` has one entry per photo: its labels and those said as places in `classes`, and the
        probability of every label."""
        items = [
            {
                "path": path,
                "labels": own.nonzero()[0].tolist(),
                "predicted": (logits >= 0).nonzero()[0].tolist(),
                "probabilities": sure.round(6).tolist(),
            }
            for path, own, logits, sure in zip(self.paths, self.labels, self.logits, self.confidence, strict=True)
        ]
        return {
            "model": self.model,
            "arch": self.arch,
            "image": self.image,
            "split": self.split,
            "classes": list(self.classes),
            "several": True,
            "metrics": self.metrics.to_json(),
            **({"packed": self.packed} if self.packed else {}),
            "left_out": [{"path": one.path, "reason": one.reason} for one in self.left_out],
            "notes": list(self.notes),
            "items": items,
        }

    def __str__(self) -> str:
        m = self.metrics
        lines = [
            f"{self.model} ({self.arch}) at {self.image} px on {m.n:,} photos ({self.split}), several labels each",
            "",
            f"mean average precision  {percent(m.mean_average_precision)}   ({interval(m.mean_average_precision_interval)})",
            f"micro F1                {percent(m.micro_f1)}   ({interval(m.micro_f1_interval)})",
            f"macro F1                {percent(m.macro_f1)}   ({interval(m.macro_f1_interval)})",
            f"exact match             {percent(m.exact_match)}   ({interval(m.exact_match_interval)}; every label right)",
            f"labels right            {percent(m.labels_right)}",
            f"loss                    {m.loss:7.3f}",
            "",
            *label_table(m, self.classes),
            *(["", *self.notes] if self.notes else []),
        ]
        if self.left_out:
            lines += ["", f"Left out, not counted ({len(self.left_out):,}):", *(f"  {b.reason}" for b in self.left_out)]
        return "\n".join(lines)


def label_table(metrics: SeveralMetrics, classes: Sequence[str]) -> list[str]:
    """One line per label: photos that have it, average precision; precision, recall and F1 where it is said from 0.5."""
    wide = max(len("label"), *(len(name) for name in classes))
    lines = [f"{'label':{wide}}  photos   average  precision   recall       F1"]
    for name, one in zip(classes, metrics.per_label, strict=True):
        figures = "  ".join(map(percent, (one.average_precision, one.precision, one.recall, one.f1)))
        lines.append(f"{name:{wide}}  {one.n:6,}   {figures}")
    return lines


def check_form(model: Any, photos: Photos) -> None:
    """Raises: DataError where the model gives one label and the photos have several, or the other way round."""
    if (model.labels == "several") == photos.several:
        return
    says, have = ("several labels", "one label each") if model.labels == "several" else ("one label", "several each")
    raise DataError(
        f"{photos.root}: the model gives a photo {says}, and these photos have {have}. Give a CSV or a folder of the form"
        " that the model was trained on (docs/guides/several-labels.md)."
    )


def relabelled(photo: Photo, places: Sequence[int], classes: int) -> Photo:
    """The photo with label c at places[c] of `classes`, whichever form it has."""
    if photo.multi_hot is None:
        return replace(photo, label=places[photo.label])
    hot = bytearray(classes)
    for label in photo.labels:
        hot[places[label]] = 1
    return replace(photo, multi_hot=bytes(hot))
