from __future__ import annotations

import re

import pytest
import torch
from interchange import check_features, check_names, check_timm, check_torchvision, randomise
from torchvision import models

from linnet.arch.densenet import ARCHS
from linnet.arch.names import find
from linnet.weights.keymap import to_linnet

NAMES = [arch.name for arch in ARCHS]


def test_the_logits_are_timms_and_torchvisions() -> None:
    check_timm("densenet121")
    check_torchvision("densenet121", sides=(64,))


@pytest.mark.parametrize("name", NAMES)
def test_names_are_timms(name: str) -> None:
    check_names(name, "timm")


def test_names_are_torchvisions() -> None:
    """The others differ in numbers alone."""
    check_names("densenet161", "torchvision")


def test_features_are_timms() -> None:
    check_features("densenet121")
    check_features("densenet161")


@pytest.mark.parametrize("dialect", ["torchvision", None])
def test_torchvisions_older_files_are_read(dialect: str | None) -> None:
    """They were written before the names that its code has had since PyTorch 0.4, and have no counters of batches."""
    new = randomise(models.densenet121(num_classes=11)).state_dict()
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", name): tensor
        for name, tensor in new.items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    arch = find("densenet121").with_classes(11)
    read, expected = to_linnet(old, arch, dialect), to_linnet(new, arch, "torchvision")
    assert read.keys() == expected.keys()
    assert all(torch.equal(read[n], expected[n]) for n in read if not n.endswith("num_batches_tracked"))
