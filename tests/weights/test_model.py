from __future__ import annotations

import dataclasses
import pickle

import pytest
import torch

from linnet.arch.names import find
from linnet.data.preprocess import Preprocess
from linnet.errors import WeightsError
from linnet.nn.build import build
from linnet.weights.model import Model, load_exactly, read_model, write_model
from linnet.weights.tensors import write_tensors


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    arch = find("mobilenetv3_small_050").with_classes(3)
    facts = {"licence": "Apache-2.0", "metrics": {"top1": 0.9}}
    return Model(arch, ("a", "b", "ü"), Preprocess(image=96, mean=(0.5, 0.5, 0.5)), build(arch).state_dict(), facts)


def test_a_model_comes_back_as_it_was(model, tmp_path):
    write_model(tmp_path / "best.safetensors", model)
    for path in (tmp_path / "best.safetensors", tmp_path):
        found = read_model(path)
        assert (found.arch, found.classes, found.preprocess, found.facts) == (
            model.arch, model.classes, model.preprocess, model.facts,
        )  # fmt: skip
        assert found.state.keys() == model.state.keys()
        assert all(torch.equal(found.state[name], tensor) for name, tensor in model.state.items())


def test_its_net_is_ready_for_use(model):
    net = model.net()
    assert not net.training
    x = torch.randn(2, 3, 64, 64)
    same = build(model.arch)
    same.load_state_dict(dict(model.state))
    assert torch.equal(net(x), same.eval()(x))


def test_a_bundle_is_read_and_another_folder_is_not(model, tmp_path):
    write_model(tmp_path / "weights.safetensors", model)
    assert read_model(tmp_path).classes == model.classes
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match="neither a run nor a bundle"):
        read_model(tmp_path / "empty")


def test_pickles_are_never_opened(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    for name, said in (("a.pt", "linnet convert"), ("a.pth.tar", "linnet convert"), ("a.safetensors", "damaged")):
        (tmp_path / name).write_bytes(pickle.dumps(Payload()))
        with pytest.raises(WeightsError, match=said):
            read_model(tmp_path / name)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda state: state.pop("stem.0.0.weight"), "has no stem.0.0.weight"),
        (lambda state: state.update(more=torch.zeros(1)), "has an unknown more"),
        (lambda state: state.update({"stem.0.0.weight": torch.zeros(1)}), "has another shape for stem.0.0.weight"),
    ],
)
def test_weights_of_another_network_are_refused(change, said, model):
    state = dict(model.state)
    change(state)
    with pytest.raises(WeightsError, match=said):
        dataclasses.replace(model, state=state).net()


def test_several_wrong_names_are_counted(model):
    with pytest.raises(WeightsError, match=r"and \d+ more"):
        load_exactly(build(model.arch), {}, what="nothing")


@pytest.mark.parametrize("change", [{"arch": {}}, {"preprocess": {"sice": 3}}, {"classes": None}])
def test_facts_that_make_no_sense_are_refused(change, model, tmp_path):
    facts = {"arch": model.arch.to_json(), "classes": ["a"], "preprocess": model.preprocess.to_json(), "facts": {}}
    write_tensors(tmp_path / "a.safetensors", model.state, {**facts, **change}, kind="model")
    with pytest.raises(WeightsError, match="cannot be understood"):
        read_model(tmp_path / "a.safetensors")


def test_a_model_says_whether_it_gives_one_label_or_several(model, tmp_path):
    write_model(tmp_path / "several.safetensors", dataclasses.replace(model, labels="several"))
    assert read_model(tmp_path / "several.safetensors").labels == "several"
    facts = {"arch": model.arch.to_json(), "classes": list(model.classes), "preprocess": model.preprocess.to_json()}
    write_tensors(tmp_path / "old.safetensors", model.state, {**facts, "facts": {}}, kind="model")
    assert read_model(tmp_path / "old.safetensors").labels == "one"
    write_tensors(tmp_path / "odd.safetensors", model.state, {**facts, "facts": {}, "labels": "many"}, kind="model")
    with pytest.raises(WeightsError, match="labels is 'many'"):
        read_model(tmp_path / "odd.safetensors")
