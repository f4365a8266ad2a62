"""How good the averaged weights are now: every validation photo that can be read once, in float32."""

from __future__ import annotations

from typing import Any

from ..evaluation.evaluate import predict_logits
from ..evaluation.label_metrics import measure_several
from ..evaluation.metrics import measure
from ..nn.net import Net
from .checkpoint import Position
from .prepare import Run
from .score import score


def validate(r: Run, net: Net | None = None) -> dict[str, Any] | None:
    """top1, top5, loss, the 95 % interval of top1 and n; none where there are no validation photos.

    Where photos have several labels: mean average precision, F1, exact match, the share of labels right, loss and n.
    Of the averaged weights, or of another `net`.
    """
    if not r.photos.validation:
        return None
    assert r.recipe.workers != "auto"
    answers = predict_logits(
        net or r.ema.net, r.photos.validation, r.preprocess, batch=r.recipe.eval_batch, workers=r.recipe.workers
    )
    for one in answers.bad:
        r.log.note(f"{one.path}: left out of validation ({one.reason}).", epoch=r.position.epoch)
    if r.photos.several:
        m = measure_several(answers.logits, answers.labels, draws=0)
        names = ("mean_average_precision", "micro_f1", "macro_f1", "exact_match", "labels_right", "loss", "n")
        return {name: getattr(m, name) for name in names}
    found = measure(answers.logits, answers.labels)
    return {
        "top1": found.top1,
        "top5": found.top5,
        "loss": found.loss,
        "interval": list(found.top1_interval),
        "n": found.n,
    }


def is_best(at: Position, found: dict[str, Any] | None) -> bool:
    """A higher score than before, or as high with a lower loss; without validation the last epoch is the best."""
    return found is None or (score(found), -found["loss"]) > (at.best_top1, -at.best_loss)
