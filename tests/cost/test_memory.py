from __future__ import annotations

import pytest
import torch

from linnet.arch.mobilenet import MBConv
from linnet.arch.names import find
from linnet.arch.spec import Arch, Classifier, Conv, Pool, Stage
from linnet.cost.memory import Live, train_memory
from linnet.nn.build import build


def test_one_convolution_by_hand() -> None:
    """Kept: the photos (conv), the conv's output (norm), the norm's output as ReLU left it (ReLU, pool by shape alone),
    the pooled vector (linear) and the statistics of the norm."""
    arch = Arch("one", image=8, stem=(Stage(Conv(k=3), 4, 1, 1),), stages=(), head=(Pool(), Classifier(classes=3)))
    found = train_memory(arch, batch=2)
    photos, outputs, statistics = 4 * 2 * 3 * 64, 4 * 2 * 4 * 64, 2 * 4 * 4
    assert dict(found.rows)["stem.0"] == photos + 2 * outputs + statistics
    assert dict(found.rows)["head.classifier"] == 4 * 2 * 4
    learned = 4 * (4 * 3 * 9 + 2 * 4 + 4 * 3 + 3)
    assert (found.gradients, found.optimizer) == (learned, 2 * learned)
    assert found.weights == found.average == learned + 4 * 2 * 4 + 8
    assert found.photos >= photos + 2 * 3 * 64


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_peak_is_that_of_a_real_step(precision: str) -> None:
    """The same count over real tensors on this CPU: fake ones take as much, as long."""
    arch = Arch(
        "tiny", image=32, stem=(Stage(Conv(k=3), 8, 1, 2),),
        stages=(Stage(MBConv(t=4, k=3, se=0.25), 16, 2, 2), Stage(MBConv(t=4, k=5, se=0.25), 16, 2, 1)),
        head=(Conv(32, k=1), Pool(), Classifier(classes=10)),
    )  # fmt: skip
    said = train_memory(arch, batch=16, precision=precision)  # type: ignore[arg-type]
    net = build(arch).train()
    with Live() as live:
        pixels = torch.zeros(16, 32, 32, 3, dtype=torch.uint8)
        photos = pixels.float().permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        targets = torch.zeros(16, 10)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = net(photos)
        (-(targets * logits.float().log_softmax(1)).sum(1).mean()).backward()
    held = said.weights + said.average + said.optimizer
    assert said.peak - held == pytest.approx(live.peak, rel=0.02)


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "mobilevit_s", "vit_tiny_patch16_224"])
def test_larger_batches_keep_more_and_weights_do_not(name: str) -> None:
    two, four = (train_memory(find(name), batch=batch) for batch in (2, 4))
    assert four.kept == pytest.approx(2 * two.kept, rel=0.1)
    assert (four.weights, four.gradients) == (two.weights, two.gradients)
    assert four.peak > four.kept + four.weights + four.average + four.optimizer


def test_what_a_real_pass_has_left_does_no_harm() -> None:
    arch = find("swin_tiny_patch4_window7_224")
    before = train_memory(arch, batch=2)
    build(arch).eval()(torch.zeros(1, 3, 224, 224))  # leaves its windows' distances for the next one
    assert train_memory(arch, batch=2) == before
