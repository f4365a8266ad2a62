from __future__ import annotations

import torch

from linnet.arch.names import find
from linnet.arch.spec import Layer, Style
from linnet.arch.squeezenet import ConvClassifier, Fire
from linnet.nn.build import build
from linnet.nn.module import module

PLAIN = Style(act="relu", norm="none")


@torch.no_grad()
def test_a_fire_module_lays_two_expansions_one_after_another() -> None:
    op = Fire(squeeze=4)
    fire = module(op, Layer(op, 6, 16, 1, (5, 7), 1, PLAIN)).eval()
    x = torch.randn(2, 6, 5, 7)
    y, squeezed = fire(x), fire.squeeze(x)
    assert y.shape == (2, 16, 5, 7)
    assert torch.equal(y[:, :8], fire.expand1(squeezed))
    assert torch.equal(y[:, 8:], fire.expand3(squeezed))
    assert (fire.expand1.kernel_size, fire.expand3.kernel_size) == ((1, 1), (3, 3))


@torch.no_grad()
def test_every_pixel_is_classified_before_the_pool() -> None:
    net = build(find("squeezenet1_1").scaled(width=0.25).with_classes(10)).eval()
    x = torch.randn(2, 3, 64, 80)
    features = net.forward_features(x)
    assert features.shape[1] == net.num_features == 128
    logits = net.get_classifier()(features)
    assert bool((logits >= 0).all())  # the paper's last convolution has a ReLU, too
    torch.testing.assert_close(net(x), logits.mean((2, 3)))


@torch.no_grad()
def test_without_classes_the_features_are_pooled() -> None:
    net = build(find("squeezenet1_0").scaled(width=0.25)).eval()
    net.reset_classifier(0)
    assert net(torch.randn(2, 3, 64, 64)).shape == (2, 128)
    assert (
        module(ConvClassifier(0), Layer(ConvClassifier(0), 8, 8, 1, (3, 3), 1, PLAIN))(x := torch.ones(1, 8, 3, 3)) is x
    )


@torch.no_grad()
def test_the_smallest_images_and_a_free_batch_in_an_export() -> None:
    net = build(find("squeezenet1_0").scaled(width=0.25).with_classes(3)).eval()
    assert net(torch.randn(1, 3, 21, 21)).shape == (1, 3)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(net, (torch.randn(2, 3, 64, 64),), dynamic_shapes=({0: batch},))
    x = torch.randn(3, 3, 64, 64)
    torch.testing.assert_close(program.module()(x), net(x), rtol=1e-4, atol=1e-5)
