from __future__ import annotations

import pytest
import torch
from torch import nn

from linnet.arch.names import find
from linnet.arch.spec import Arch, Classifier, Conv, Pool, Stage
from linnet.errors import SettingError
from linnet.nn.batchnorm import group_batch_norms
from linnet.nn.build import build
from linnet.nn.conv import DropPath
from linnet.nn.net import Net, set_regularisation


@pytest.fixture
def net() -> Net:
    return build(find("mobilenetv3_small_100")).eval()


X = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_features_head_and_logits_belong_together(net: Net) -> None:
    maps = net.forward_features(X)
    assert maps.shape == (2, 576, 2, 2)
    assert torch.equal(net.forward_head(maps), net(X))
    before = net.forward_head(maps, pre_logits=True)
    assert before.shape == (2, net.num_features)
    assert torch.equal(net.get_classifier()(before), net(X))


@torch.no_grad()
def test_features_come_large_to_small_and_by_stride(net: Net) -> None:
    maps = net.features(X)
    assert [(m.shape[1], 64 // m.shape[2]) for m in maps] == [(f.channels, f.reduction) for f in net.feature_info]
    (eighth,) = net.features(X, strides=(8,))
    assert torch.equal(eighth, maps[2])
    assert torch.equal(net.features(X, strides=(32,))[0], net.forward_features(X))
    with pytest.raises(SettingError, match=r"no features at stride 7; it has 2, 4, 8, 16, 32"):
        net.features(X, strides=(7,))


@torch.no_grad()
def test_a_part_of_a_layer_can_be_a_feature() -> None:
    from dataclasses import replace

    arch = replace(find("mobilenetv2_100"), taps=("stages.1.0", "head.conv"))
    net = build(arch).eval()
    inner, last = net.features(X)
    assert torch.equal(inner, net.stages[1][0](net.stages[0](net.stem(X))))  # type: ignore[index,operator]
    assert torch.equal(last, net.forward_features(X))
    assert not any(m._forward_hooks for m in net.modules())


def test_a_new_classifier_is_drawn_and_the_rest_stays(net: Net) -> None:
    kept = {key: value.clone() for key, value in net.state_dict().items() if "classifier" not in key}
    net.reset_classifier(7)
    assert net(X).shape == (2, 7)
    assert net.arch.classes == 7
    assert all(torch.equal(net.state_dict()[key], value) for key, value in kept.items())
    net.reset_classifier(0)
    assert net(X).shape == (2, net.num_features) == (2, 1024)
    net.reset_classifier(3)
    assert net(X).shape == (2, 3)
    net.double().reset_classifier(4)
    assert net(X.double()).dtype == torch.float64


def test_a_network_without_a_classifier_says_so() -> None:
    bare = build(Arch("bare", 8, (Stage(Conv(), 4, 1, 2),), (Stage(Conv(k=1), 4),), (Pool(),)))
    assert bare(X).shape == (2, 4)
    with pytest.raises(SettingError, match="bare has no classifier"):
        bare.get_classifier()


def test_drop_path_grows_with_depth_and_dropout_is_before_the_classifier() -> None:
    """Residual layer i of 16 drops with rate * i / 16, whether or not it has something to add (efficientnet_model.py)."""
    net = build(find("efficientnet_b0"))
    set_regularisation(net, dropout=0.2, drop_path=0.32)
    depth = 0
    for stage in net.stages:
        for block in stage:  # type: ignore[attr-defined]
            rates = [m.rate for m in block.modules() if isinstance(m, DropPath)]
            assert rates == pytest.approx([0.32 * depth / 16] * len(rates))
            depth += 1
    assert depth == 16
    assert [m.p for m in net.modules() if isinstance(m, nn.Dropout)] == [0.2]
    set_regularisation(net)
    assert {m.rate for m in net.modules() if isinstance(m, DropPath)} == {0}


def test_drop_path_changes_training_only() -> None:
    net = build(find("mnasnet_small").with_classes(5))
    set_regularisation(net, drop_path=0.8)
    with torch.no_grad():
        assert not torch.equal(net.train()(X), net(X))
        assert torch.equal(net.eval()(X), net(X))


def test_names_follow_the_table(net: Net) -> None:
    names = net.state_dict().keys()
    assert {"stem.0.0.weight", "stages.3.0.depthwise.weight", "stages.3.0.gate.reduce.bias",
            "stages.3.0.project.norm.running_var", "head.conv.weight", "head.linear.0.weight",
            "head.classifier.bias"} <= names  # fmt: skip
    assert net.arch.classes == Classifier().classes


def test_feature_info_answers_as_timms_does(net: Net) -> None:
    info = net.feature_info
    assert info.channels() == [16, 16, 24, 48, 576]
    assert info.reduction() == [2, 4, 8, 16, 32]
    assert info.channels((1, 4)) == [16, 576]
    assert info.module_name(0) == info[0].name
    assert net.num_classes == 1000


def test_checkpointing_changes_memory_and_no_gradient() -> None:
    torch.manual_seed(0)
    net = build(find("vit_tiny_patch16_224").scaled(width=1 / 3, image=32).with_classes(5)).train()
    x = torch.randn(2, 3, 32, 32)
    found = []
    for on in (False, True):
        net.set_grad_checkpointing(on)
        net.zero_grad()
        net(x).square().sum().backward()
        found.append([p.grad.clone() for p in net.parameters() if p.grad is not None])
    assert len(found[0]) == len(found[1]) == len(list(net.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize("group", [None, 2])
def test_checkpointing_counts_each_batch_once_in_the_running_statistics(group: int | None) -> None:
    found = []
    for on in (False, True):
        torch.manual_seed(0)
        net = build(find("mobilenetv3_small_050").with_classes(5)).train()
        set_regularisation(net, dropout=0.2, drop_path=0.2)
        if group:
            group_batch_norms(net, group)
        net.set_grad_checkpointing(on)
        net(X.repeat(2, 1, 1, 1)).square().sum().backward()
        found.append({**net.state_dict(), **{f"{n} grad": p.grad for n, p in net.named_parameters()}})
    for name, tensor in found[0].items():
        assert torch.equal(found[1][name], tensor), name


def test_what_is_no_matrix_is_not_decayed() -> None:
    assert build(find("efficientnet_b0")).no_weight_decay() == set()
    with torch.device("meta"):
        vit, swin = build(find("deit_tiny_distilled_patch16_224")), build(find("swinv2_tiny_window8_256"))
    tokens = {"stem.1.0.positions", "stem.1.0.class_token", "stem.1.0.distillation_token"}
    assert vit.no_weight_decay() == tokens
    assert "stages.0.0.attention.position_bias.0.weight" in swin.no_weight_decay()
    assert not any("mlp" in name for name in swin.no_weight_decay())


@torch.no_grad()
def test_another_image_size_changes_positions_and_not_what_is_seen() -> None:
    torch.manual_seed(0)
    net = build(find("vit_tiny_patch16_224").scaled(width=1 / 3, image=64)).eval()
    x = torch.randn(1, 3, 96, 96)
    before = net(x)
    net.set_image_size(96)
    assert net.arch.image == 96
    assert net.get_parameter("stem.1.0.positions").shape[1] == 1 + 36
    torch.testing.assert_close(net(x), before, rtol=1e-4, atol=1e-5)
    with pytest.raises(SettingError):
        net.set_image_size(97)
    assert net.arch.image == 96


def test_windows_fit_an_image_for_a_while_and_nothing_learned_changes() -> None:
    torch.manual_seed(0)
    net = build(find("swin_tiny_patch4_window7_224").scaled(width=1 / 3, image=224))
    names = {name: id(p) for name, p in net.named_parameters()}
    windows = lambda: [m.window for m in net.modules() if hasattr(m, "fit_window")]  # noqa: E731
    own = windows()
    net.fit_windows(128)  # maps of 32, 16, 8 and 4 pixels
    assert set(windows()) == {(7, 7), (4, 4)}
    net(torch.randn(2, 3, 128, 128)).sum().backward()
    net.fit_windows(224)
    assert windows() == own
    assert {name: id(p) for name, p in net.named_parameters()} == names
    assert net.arch.image == 224


@torch.no_grad()
def test_another_pooling(net: Net) -> None:
    maps = net.forward_features(X)
    net.reset_classifier(0, "max")
    assert torch.equal(net.head.get_submodule("pool")(maps), maps.amax((2, 3)))
    assert net(X).shape == (2, net.num_features)
    net.reset_classifier(5, "avg")
    assert torch.equal(net.head.get_submodule("pool")(maps), maps.mean((2, 3)))
    with pytest.raises(SettingError, match="give num_classes=0 as well"):
        net.set_pooling("")
    net.reset_classifier(0, "")
    assert torch.equal(net(X), maps)
    assert net.num_features == maps.shape[1]
    with pytest.raises(SettingError, match="global_pool is 'median'"):
        build(find("mobilenetv3_small_050")).set_pooling("median")
    for name in ("deit_tiny_patch16_224", "vgg16"):
        with torch.device("meta"):
            other = build(find(name))
        with pytest.raises(SettingError, match="pools in a way of its own"):
            other.set_pooling("max")


@torch.no_grad()
def test_folded_is_for_use() -> None:
    net = build(find("repvit_m0_9").scaled(width=1 / 4).with_classes(5))
    folded = net.fold()
    assert not folded.training
    assert sum(p.numel() for p in folded.parameters()) < sum(p.numel() for p in net.parameters())
    torch.testing.assert_close(folded(X), net.eval()(X), rtol=1e-4, atol=1e-4)
