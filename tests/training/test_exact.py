from __future__ import annotations

import dataclasses
import warnings

import pytest
import torch

from linnet.training.checkpoint import hash_checkpoint
from linnet.training.exact import same_bits
from linnet.training.loop import run

WITHOUT = "upsample_bicubic2d_backward_out_cuda does not have a deterministic implementation, but you set"


def test_what_has_no_deterministic_kernel_is_said_once():
    said: list[str] = []
    with same_bits(True, said.append):
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        for _ in range(3):
            warnings.warn(WITHOUT, UserWarning, stacklevel=1)
        with pytest.raises(UserWarning, match="other"):  # the tests' own filter still holds for the rest
            warnings.warn("other", UserWarning, stacklevel=1)
    assert said == [
        "upsample_bicubic2d_backward_out_cuda has no kernel that gives the same bits each time: two such runs may differ"
        " in their last."
    ]
    assert not torch.are_deterministic_algorithms_enabled()


def test_off_it_does_nothing():
    with same_bits(False, pytest.fail):
        assert not torch.are_deterministic_algorithms_enabled()


def test_on_a_cpu_it_changes_no_bit(tiny_recipe, tiny_photos, tmp_path, quiet, finished):
    run(dataclasses.replace(tiny_recipe, deterministic=True), tiny_photos, tmp_path, progress=quiet)
    assert hash_checkpoint(tmp_path / "last.ckpt") == hash_checkpoint(finished / "last.ckpt")
    assert not torch.are_deterministic_algorithms_enabled()
