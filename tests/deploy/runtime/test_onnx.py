import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from linnet.deploy.runtime.onnx import OPSET, has_vnni, load_onnx, refuse_external_data, row_outputs
from linnet.errors import WeightsError
from linnet.weights.model import read_model


def tiny(*, weight=None, attribute=None, inner=None):
    """images [B, 2] @ weight -> logits, as a ModelProto."""
    weight = weight or numpy_helper.from_array(np.ones((2, 3), np.float32), "w")
    nodes = [helper.make_node("MatMul", ["images", "w"], ["logits"])]
    if attribute is not None:
        nodes.append(helper.make_node("Constant", [], ["unused"], value=attribute))
    if inner is not None:
        branch = helper.make_graph([], "inner", [], [helper.make_tensor_value_info("i", 1, [2])], initializer=[inner])
        yes = numpy_helper.from_array(np.array(True), "yes")
        nodes.append(helper.make_node("Constant", [], ["yes"], value=yes))
        nodes.append(helper.make_node("If", ["yes"], ["unused"], then_branch=branch, else_branch=branch))
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info("images", 1, ["B", 2])], [helper.make_tensor_value_info("logits", 1, ["B", 3])],
        initializer=[weight],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def outside(location, *, size=24):
    """A tensor whose numbers are said to lie in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 3], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", str(size))):
        tensor.external_data.add(key=key, value=value)
    return tensor


@pytest.fixture
def attacks(tmp_path):
    """Where a tensor may be said to lie; each place really holds numbers that a careless reader would take."""
    numbers = np.arange(6, dtype=np.float32).tobytes()
    (tmp_path / "secret").write_bytes(numbers)
    model = tmp_path / "model"
    model.mkdir()
    (model / "beside").write_bytes(numbers)
    (model / "link").symlink_to(tmp_path / "secret")
    os.link(tmp_path / "secret", model / "hard")
    return model, {
        "dotdot": "../secret", "absolute": str(tmp_path / "secret"), "symlink": "link", "hardlink": "hard",
        "beside": "beside", "missing": "nothing",
    }  # fmt: skip


@pytest.mark.parametrize("attack", ["dotdot", "absolute", "symlink", "hardlink", "beside", "missing"])
@pytest.mark.parametrize("place", ["initializer", "attribute", "subgraph"])
def test_external_data_is_refused_before_the_runtime_sees_it(attacks, attack, place, monkeypatch):
    import onnxruntime

    def never(*_a, **_k):
        pytest.fail("onnxruntime saw the file")

    monkeypatch.setattr(onnxruntime, "InferenceSession", never)
    folder, locations = attacks
    tensor = outside(locations[attack])
    model = {
        "initializer": lambda: tiny(weight=tensor),
        "attribute": lambda: tiny(attribute=tensor),
        "subgraph": lambda: tiny(inner=tensor),
    }[place]()
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(WeightsError, match="takes numbers from another file"):
        load_onnx(folder / "model.onnx")


def test_external_data_is_refused_in_every_message_that_can_hold_it():
    tensor = outside("x")
    function = helper.make_function(
        "own", "f", [], ["y"], [helper.make_node("Constant", [], ["y"], value=tensor)], [helper.make_opsetid("", 18)]
    )
    sparse = onnx.SparseTensorProto(values=tensor, dims=[6])
    models = [tiny() for _ in range(6)]
    models[0].functions.append(function)
    models[1].graph.sparse_initializer.append(sparse)
    models[2].training_info.add().initialization.initializer.append(tensor)
    models[3].training_info.add().algorithm.initializer.append(tensor)
    models[4].graph.node.append(helper.make_node("Constant", [], ["u"], sparse_value=sparse))
    models[5].graph.node[0].attribute.add(name="many", type=onnx.AttributeProto.TENSORS).tensors.append(tensor)
    for model in models:
        with pytest.raises(WeightsError, match="another file"):
            refuse_external_data(model.SerializeToString())
    only_said = TensorProto(name="w", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    with pytest.raises(WeightsError, match="another file"):
        refuse_external_data(tiny(weight=only_said).SerializeToString())


def test_a_key_that_protobuf_would_cut_short_is_damage():
    """protobuf reads 32 bits of a key: 2 ** 29 more in a field's number is the same field to it, and another one to us."""
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[1], float_data=[0.0]).SerializeToString()
    tensor += b"\xf0\x80\x80\x80\x10\x01"  # data_location, field 14, as field 14 + 2 ** 29
    graph = b"\x2a" + bytes([len(tensor)]) + tensor
    model = b"\x3a" + bytes([len(graph)]) + graph
    with pytest.raises(WeightsError, match="damaged"):
        refuse_external_data(model)


def test_every_tensor_field_of_onnx_is_known():
    """A later ONNX that puts tensors somewhere new must not slip through: compare with its own description."""
    from linnet.deploy.runtime.onnx import MESSAGES

    names = {
        "ModelProto": "model", "GraphProto": "graph", "NodeProto": "node", "AttributeProto": "attribute",
        "TensorProto": "tensor", "SparseTensorProto": "sparse", "TrainingInfoProto": "training",
        "FunctionProto": "function",
    }  # fmt: skip
    for proto, own in names.items():
        fields = getattr(onnx, proto).DESCRIPTOR.fields
        wanted = {
            f.number: names[f.message_type.name] for f in fields if f.message_type and f.message_type.name in names
        }
        assert MESSAGES[own] == wanted, proto


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_file_gives_one_typed_error_or_no_external_data(data):
    model = bytearray(tiny(weight=outside("../x") if data.draw(st.booleans()) else None).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    model = bytes(model[: data.draw(st.integers(0, len(model)))])
    try:
        refuse_external_data(model)
    except WeightsError:
        return
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(model)
    except Exception:  # protobuf's own refusal: the runtime refuses it too
        return
    assert all(w.data_location != TensorProto.EXTERNAL for w in proto.graph.initializer)


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"not an onnx file", b"\xff" * 64, b"\x3a\xff\xff\xff\xff\x0f", b"\x0b"]
)
def test_garbage(data):
    with pytest.raises(WeightsError, match="ONNX"):
        load_onnx(data)


def test_what_the_runtime_does_not_take():
    model = tiny()
    model.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(WeightsError, match="onnxruntime does not take the model"):
        load_onnx(model.SerializeToString())


def test_deep_nesting_is_no_recursion():
    """Graphs in graphs in graphs: the check must not run out of stack."""

    def field(number, inside):
        size, out = len(inside), bytearray([number << 3 | 2])
        while size > 127:
            out.append(size & 127 | 128)
            size >>= 7
        return bytes([*out, size]) + inside

    inside = b""
    for _ in range(3000):
        inside = field(1, field(5, field(6, inside)))
    refuse_external_data(field(7, inside))


def test_the_file_of_a_network(sealed):
    model = onnx.load(sealed / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [(o.domain, o.version) for o in model.opset_import] == [("", OPSET)]
    (images,), (logits,) = model.graph.input, model.graph.output
    assert (images.name, logits.name) == ("images", "logits")
    assert images.type.tensor_type.elem_type == TensorProto.FLOAT
    shape = images.type.tensor_type.shape.dim
    assert shape[0].dim_param
    assert [d.dim_value for d in shape[1:]] == [3, 64, 64]
    assert not any(node.op_type == "BatchNormalization" for node in model.graph.node)
    assert "stages.3.0.depthwise/Conv" in {node.name for node in model.graph.node}
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_logits_equal_pytorch_for_any_batch(sealed, batch):
    net = read_model(sealed).net()
    images = torch.randn(batch, 3, 64, 64, generator=torch.Generator().manual_seed(batch))
    logits = load_onnx(sealed / "model.onnx", threads=1)(images.numpy())
    assert logits.dtype == np.float32
    with torch.no_grad():
        assert np.allclose(logits, net(images).numpy(), atol=1e-4, rtol=1e-4)


def test_row_outputs_are_the_networks_own(sealed):
    net = read_model(sealed).net()
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    inside = row_outputs((sealed / "model.onnx").read_bytes(), net.arch.row_names, images.numpy())
    assert {"stem.0", "stages.0", "stages.8", "head.conv", "head.classifier"} <= inside.keys()
    with torch.no_grad():
        features = net.forward_features(images).numpy()
        assert np.allclose(inside["head.classifier"], net(images).numpy(), atol=1e-4)
    assert np.allclose(inside["head.conv"], features, atol=1e-4)


def test_tensorflow_padding_survives(tmp_path):
    """An odd size, where TensorFlow's padding is not the symmetric one."""
    from linnet.arch.names import find
    from linnet.data.preprocess import Preprocess
    from linnet.deploy.runtime.onnx import convert
    from linnet.nn.build import build

    torch.manual_seed(0)
    net = build(find("tf_efficientnet_lite0").with_classes(5)).train()
    images = torch.randn(4, 3, 66, 66)
    with torch.no_grad():
        for m in net.modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                m.momentum = 1.0
        net(images)
        convert(net.eval(), Preprocess(image=66), tmp_path / "model.onnx")
        expected = net(images).numpy()
        same = net.stem[0][0].same
    assert same
    assert np.abs(load_onnx(tmp_path / "model.onnx")(images.numpy()) - expected).max() < 1e-4 * expected.std()
    assert not net.training


def test_means_over_height_and_width_are_pools(sealed):
    """The gates' of MobileNetV3; the head's own, which flattens, stays a mean."""
    kinds = [(node.name, node.op_type) for node in onnx.load(sealed / "model.onnx").graph.node]
    pools = [name for name, kind in kinds if kind == "GlobalAveragePool"]
    assert pools
    assert all(".gate/GlobalAveragePool" in name for name in pools)
    assert [name for name, kind in kinds if kind == "ReduceMean"] == ["head.pool/ReduceMean"]


@pytest.mark.parametrize(
    ("flags", "wanted"), [("flags : avx512_vnni", True), ("flags : avx2 fma", False), (None, False)]
)
def test_a_processor_without_vnni_is_told_to_take_care(flags, wanted, monkeypatch):
    def read(self, **_):
        if flags is None:
            raise FileNotFoundError
        return flags

    has_vnni.cache_clear()
    monkeypatch.setattr(Path, "read_text", read)
    assert has_vnni() is wanted
    has_vnni.cache_clear()
