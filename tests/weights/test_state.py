from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from linnet.errors import WeightsError
from linnet.weights.state import read_state


def test_tensors_come_back_by_name(tmp_path: Path) -> None:
    save_file({"a": torch.arange(3)}, tmp_path / "x.safetensors")
    assert read_state(tmp_path / "x.safetensors")["a"].tolist() == [0, 1, 2]


def test_pickles_missing_and_damaged_files_are_refused_in_one_line(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "x.pth")
    (tmp_path / "y.safetensors").write_bytes(b"\xff" * 100)
    for name, said in (("x.pth", "linnet convert"), ("y.safetensors", "damaged"), ("z.safetensors", "no such file")):
        with pytest.raises(WeightsError, match=said) as error:
            read_state(tmp_path / name)
        assert "\n" not in str(error.value)
