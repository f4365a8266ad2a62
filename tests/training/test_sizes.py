"""Networks whose parts depend on the image's size (positions, windows, patches) train through phases and sizes."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from powercut import At, PowerCut, power_cut

from linnet.arch.names import find
from linnet.data.cuts import cuts
from linnet.training.log import read_log
from linnet.training.loop import run
from linnet.training.recipe import Phase
from linnet.weights.model import read_model
from linnet.weights.tensors import read_tensors


def few(arch, layers=1):
    """The network with that many layers in each row."""
    stages = tuple(dataclasses.replace(s, layers=min(s.layers, layers)) for s in arch.stages)
    return dataclasses.replace(arch, stages=stages)


ARCHS = {
    "vit": lambda: few(find("vit_tiny_patch16_224").scaled("tiny_vit", width=1 / 3, image=64), 2),
    "swin": lambda: few(find("swin_tiny_patch4_window7_224").scaled("tiny_swin", width=1 / 3, image=64), 2),
    "mobilevit": lambda: few(find("mobilevit_xxs").scaled("tiny_mobilevit", image=64)),
}


@pytest.mark.parametrize("name", ARCHS)
def test_it_trains_through_phases_and_sizes_and_resumes_to_the_bit(
    name, tiny_recipe, tiny_photos, tmp_path, quiet, outcome
):
    arch = ARCHS[name]()
    recipe = dataclasses.replace(
        tiny_recipe,
        arch=arch.to_json(),
        phases=(
            Phase(epochs=1, image=32, batch=24, randaugment=5.0),
            Phase(epochs=1, image=64, batch=4, sizes=(32, 64, 96)),
        ),
        eval_image=96,
        save_minutes=1e-9,
    )
    run(recipe, tiny_photos, tmp_path / "whole", progress=quiet)
    seen = [line["image"] for line in read_log(tmp_path / "whole") if line["kind"] == "step"]
    plan = cuts(48, batch=4, image=64, sizes=(32, 64, 96), seed=0, epoch=1)
    assert seen == [32, 32, *(cut.image for cut in plan)]
    assert len(set(seen[2:])) > 1
    with pytest.raises(PowerCut):
        run(recipe, tiny_photos, tmp_path / "cut", progress=At(4, power_cut))
    run(None, tiny_photos, tmp_path / "cut", resume=True, progress=quiet)
    assert outcome(tmp_path / "cut") == outcome(tmp_path / "whole")

    # Everything that is learned has learned, at whatever size it was used, and the model is used as it was validated.
    tensors, _ = read_tensors(tmp_path / "whole/last.ckpt", kind="checkpoint", remedy="")
    moments = {n.removeprefix("optimizer.") for n in tensors if n.endswith("/exp_avg") and tensors[n].abs().sum() > 0}
    assert moments == {f"{n}/exp_avg" for n, _ in read_model(tmp_path / "whole").net().named_parameters()}
    model = read_model(tmp_path / "whole")
    assert model.net()(torch.zeros(1, 3, 96, 96)).shape == (1, 3)
    assert model.preprocess.image == 96
    assert model.arch.image == 64
