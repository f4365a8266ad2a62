from __future__ import annotations

import dataclasses
import json
import shutil

import pytest
import torch

from linnet.data.preprocess import Preprocess
from linnet.errors import SettingError
from linnet.nn.build import build
from linnet.training.compiling import choose_compile, compile_net
from linnet.training.loop import run
from linnet.training.prepare import resolve

NO_COMPILER = "a C++ compiler is needed"
CPU = torch.device("cpu")


def test_off_leaves_the_network_as_it_is(tiny_arch, tiny_recipe):
    net = build(tiny_arch)
    for setting in ("off", "auto"):
        compile_net(net, dataclasses.replace(tiny_recipe, compile=setting), CPU)
    assert net._compiled_call_impl is None


def test_a_cpu_is_not_compiled_for_unless_it_is_asked_for(tiny_arch, tiny_recipe):
    net = build(tiny_arch.with_classes(3))
    for setting, resolved in (("auto", "off"), ("off", "off"), ("on", "on")):
        recipe = dataclasses.replace(tiny_recipe, compile=setting)
        assert resolve(recipe, net, Preprocess(), CPU, 48)[0].compile == resolved
    assert choose_compile(tiny_recipe, torch.device("cuda")) == "on"
    assert choose_compile(dataclasses.replace(tiny_recipe, recompute=True), torch.device("cuda")) == "off"
    with pytest.raises(SettingError, match="do not go together"):
        dataclasses.replace(tiny_recipe, recompute=True, compile="on")


def test_without_a_compiler_it_is_refused(tiny_arch, tiny_recipe, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SettingError, match=r"apt install g\+\+"):
        compile_net(build(tiny_arch), dataclasses.replace(tiny_recipe, compile="on"), CPU)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason=NO_COMPILER)
def test_a_compiled_run_learns_as_one_that_is_not(tiny_recipe, tiny_photos, tmp_path, quiet):
    """Without dropout, whose draws differ: the losses of all steps agree, through two phases of different sizes."""
    phases = tuple(dataclasses.replace(phase, dropout=0.0, drop_path=0.0) for phase in tiny_recipe.phases)
    losses = {}
    for setting in ("off", "on"):
        recipe = dataclasses.replace(tiny_recipe, compile=setting, phases=phases)
        run(recipe, tiny_photos, tmp_path / setting, progress=quiet)
        lines = [json.loads(line) for line in (tmp_path / setting / "log.jsonl").read_text().splitlines()]
        losses[setting] = [line["train_loss"] for line in lines if line["kind"] == "epoch"]
    assert losses["on"] == pytest.approx(losses["off"], rel=1e-3)
    assert json.loads((tmp_path / "on" / "recipe.json").read_text())["compile"] == "on"
