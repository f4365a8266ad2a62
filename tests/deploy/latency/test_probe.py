from __future__ import annotations

from importlib import import_module

import numpy as np
import onnx
import pytest
import torch

from linnet.arch.names import find
from linnet.arch.spec import Layer, Operator
from linnet.deploy.latency.probe import CHANNELS, Probe, by_branch, place_of, probe_model, side_of
from linnet.deploy.runtime.known import RUNTIMES, is_here


def some(*places: tuple[str, int, int]) -> list[Layer]:
    """Layers of networks: (name, image, place among the layers)."""
    return [[layer for _, layer in find(name).layers(image)][at] for name, image, at in places]


LAYERS = some(("mobilenetv3_small_050", 32, 0), ("mobilenetv3_small_050", 32, 1), ("mobilenetv3_small_050", 32, 3),
              ("mobilenetv3_small_050", 32, -1), ("vit_tiny_patch16_224", 32, 2))  # fmt: skip


def test_every_branch_gives_its_layer_what_it_takes() -> None:
    """The picture itself, a map, a vector, tokens."""
    seen: dict[int, tuple[int, ...]] = {}
    probe = Probe(LAYERS).eval()
    for i, branch in enumerate(probe.branches):
        branch.layer.register_forward_hook(lambda _m, given, _out, i=i: seen.__setitem__(i, tuple(given[0].shape)))
    side = side_of(LAYERS)
    with torch.no_grad():
        y = probe(torch.randn(2, CHANNELS, side, side))
    assert seen == {i: (2, *layer.input_shape) for i, layer in enumerate(LAYERS)}
    assert y.shape == (2, sum(layer.cout for layer in LAYERS))
    repeated = [not isinstance(branch.before, torch.nn.Identity) for branch in probe.branches]
    assert repeated == [layer.input_shape == layer.output_shape for layer in LAYERS]


@pytest.fixture(scope="module")
def model() -> bytes:
    return probe_model(LAYERS)


def test_its_nodes_say_whose_they_are(model: bytes) -> None:
    names = [node.name for node in onnx.load_from_string(model).graph.node]
    assert {place[0] for name in names if (place := place_of(name)) and place[1]} == set(range(len(LAYERS)))


@pytest.mark.parametrize("runtime", ["onnx", "openvino"])
def test_a_runtime_says_what_each_node_took(model: bytes, runtime: str) -> None:
    if not is_here(RUNTIMES[runtime].module):
        pytest.skip(f"{runtime} is not installed: {RUNTIMES[runtime].install}")
    side = side_of(LAYERS)
    pictures = np.zeros((1, CHANNELS, side, side), np.float32)
    times = import_module(f"linnet.deploy.runtime.{runtime}").node_times(model, pictures, threads=1, calls=6)
    assert len({name for name, _ in times}) > len(LAYERS)
    found = by_branch(times, len(LAYERS))
    assert all(ms > 0 and nodes > 0 for ms, nodes in found)
    assert sum(ms for ms, _ in found) < sum(ms for _, ms in times), "what makes a layer's input is not the layer's time"


def test_what_a_runtime_puts_in_belongs_to_what_follows() -> None:
    times = [
        ("branches.0.enter.0/Conv", 1.0),
        ("ReorderInput", 2.0),
        ("branches.0.layer.expand/Conv", 4.0),
        ("ReorderOutput", 8.0),
        ("branches.0.layer.project/Conv:0_nchwc", 16.0),
        ("ReorderOutput", 32.0),
        ("branches.0/ReduceMean", 64.0),
        ("branches.1.layer/Conv_acdb_branches.1.before/Conv", 128.0),
        ("branches.10.layer/Conv", 256.0),
        ("logits", 512.0),
    ]
    found = by_branch(times, 11)
    assert found[0] == (30.0, 4)
    assert found[1] == (0.0, 0)
    assert found[10] == (256.0, 1)


def test_an_operator_without_a_module_is_named() -> None:
    class Unknown(Operator):
        pass

    layer = LAYERS[1]
    with pytest.raises(Exception, match="Unknown has no module"):
        Probe([Layer(Unknown(), layer.cin, layer.cout, 1, layer.size, 1, layer.style)])
