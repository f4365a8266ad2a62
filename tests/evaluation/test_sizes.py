from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from linnet.arch.names import find
from linnet.data.preprocess import Preprocess
from linnet.errors import SettingError
from linnet.evaluation.evaluate import Evaluation, evaluate
from linnet.evaluation.sizes import Sizes
from linnet.nn.build import build
from linnet.weights.model import Model, write_model


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            (root / split / name).mkdir(parents=True)
            for i in range(4):
                pixels = rng.integers(0, 255, (48, 48, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{i}.png")
    return root


def model(folder, name, image):
    torch.manual_seed(0)
    arch = find(name).with_classes(2)
    write_model(
        folder / "best.safetensors", Model(arch, ("cat", "dog"), Preprocess(image=image), build(arch).state_dict())
    )
    return folder


def test_each_size_is_the_evaluation_at_that_size(photos, tmp_path):
    run = model(tmp_path, "mobilenetv3_small_035", 32)
    found = evaluate(run, photos, image=[32, 48, 32], workers=0)
    assert isinstance(found, Sizes)
    assert [one.image for one in found.evaluations] == [32, 48]  # a size that is said twice counts once
    alone = evaluate(run, photos, image=48, workers=0)
    assert isinstance(alone, Evaluation)
    assert np.array_equal(found.evaluations[1].logits, alone.logits)
    assert found.against_first[0].difference == 0
    assert found.against_first[1].n == 8
    text = str(found)
    assert "against 32 px" in text
    assert len([line for line in text.splitlines() if " points (" in line]) == 1
    json.dumps(found.to_json())
    assert found.errors == ()


def test_a_size_that_the_network_cannot_take_is_named_and_the_others_go_on(photos, tmp_path):
    run = model(tmp_path, "deit_tiny_patch16_224", 224)
    found = evaluate(run, photos, image=[48, 50], workers=0)
    assert [one.image for one in found.evaluations] == [48]
    (error,) = found.errors
    assert "deit_tiny_patch16_224 at 50 px" in error
    with pytest.raises(SettingError, match="at 50 px"):
        evaluate(run, photos, image=[50, 51], workers=0)


def test_the_command_takes_several_sizes_and_leaves_with_1_when_one_failed(photos, tmp_path, capsys):
    from linnet.cli import main

    run = model(tmp_path, "deit_tiny_patch16_224", 224)
    with pytest.raises(SystemExit) as leaving:
        main(["evaluate", str(run), str(photos), "--image", "32", "50", "--workers", "0"])
    assert leaving.value.code == 1
    out, err = capsys.readouterr()
    assert "       32  " in out
    assert "at 50 px" in err
