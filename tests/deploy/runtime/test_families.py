"""A member of every family goes through torch.export and ONNX with a free batch, and answers as in PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from interchange import randomise

from linnet.arch.names import FAMILIES, find
from linnet.arch.spec import Arch, Linear
from linnet.data.preprocess import Preprocess
from linnet.deploy.graph import to_export
from linnet.deploy.runtime.onnx import exported, load_onnx
from linnet.nn.build import build

# fmt: off
MEMBERS: dict[str, tuple[str, float, int]] = {  # family -> network, width, side in pixels
    "mobilenet": ("mobilenetv3_small_050", 1, 64), "mobilenetv4": ("mobilenetv4_hybrid_medium", .25, 64),
    "mnasnet": ("mnasnet_small", 1, 64), "efficientnet": ("tf_efficientnetv2_b0", .5, 64),
    "mobilevit": ("mobilevit_xxs", 1, 64), "mobileone": ("mobileone_s0", .5, 64), "repvit": ("repvit_m0_9", .5, 64),
    "efficientvit": ("efficientvit_b0", 1, 64), "ghostnet": ("ghostnet_050", 1, 64), "lcnet": ("lcnet_035", 1, 64),
    "convnext": ("convnext_tiny", .25, 64), "vit": ("deit_tiny_distilled_patch16_224", 1 / 3, 48),
    "swin": ("swinv2_tiny_window8_256", 1 / 3, 96), "resnet": ("seresnet50", .25, 64),
    "densenet": ("densenet121", .25, 64), "inception": ("googlenet", .5, 64), "xception": ("legacy_xception", .25, 75),
    "nasnet": ("nasnetamobile", .25, 64), "shufflenet": ("shufflenet_v2_x0_5", 1, 64),
    "squeezenet": ("squeezenet1_1", .5, 64), "vgg": ("alexnet", .25, 96),
}
# fmt: on


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def small(name: str, width: float, image: int) -> Arch:
    arch = find(name).scaled(width=width, image=image).with_classes(7)
    return replace(arch, head=tuple(replace(op, c=32) if isinstance(op, Linear) else op for op in arch.head))


def test_no_family_is_forgotten() -> None:
    families = [family.__name__.rpartition(".")[2] for family in FAMILIES]
    assert sorted(MEMBERS) == sorted(families)


@pytest.mark.parametrize("family", MEMBERS)
def test_onnx_answers_as_pytorch_does(family: str) -> None:
    name, width, image = MEMBERS[family]
    torch.manual_seed(0)
    net = randomise(build(small(name, width, image)))
    model = exported(*to_export(net, Preprocess(image=image)))  # type: ignore[arg-type]
    run = load_onnx(model.SerializeToString(), threads=1)  # type: ignore[arg-type]
    for batch in (1, 3):
        x = torch.randn(batch, 3, image, image)
        with torch.no_grad():
            wanted = net(x).numpy()
        np.testing.assert_allclose(run(x.numpy()), wanted, rtol=1e-3, atol=2e-4 * float(np.abs(wanted).max()))
