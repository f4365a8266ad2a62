import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from linnet.deploy.runtime.hard_sigmoid import step_hard_sigmoids, with_hard_sigmoids
from linnet.deploy.runtime.onnx import load_onnx


def graph(nodes, constants=()):
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("images", "logits")]
    tensors = [numpy_helper.from_array(array, name) for name, array in constants]
    model = helper.make_model(
        helper.make_graph(nodes, "g", value[:1], value[1:], tensors), opset_imports=[helper.make_opsetid("", 18)]
    )
    onnx.checker.check_model(model, full_check=True)
    model.ir_version = 8
    return model


X = np.linspace(-8, 8, 400, dtype=np.float32).reshape(-1, 4)
HARD = np.clip(X / 6 + 0.5, 0, 1)


def test_a_hard_swish_is_x_times_a_hard_sigmoid():
    model = graph([helper.make_node("HardSwish", ["images"], ["logits"], "stem.act/HardSwish")])
    wanted = load_onnx(model.SerializeToString(), threads=1)(X)
    made = with_hard_sigmoids(model)
    assert [node.name for node in made.graph.node] == ["stem.act/HardSigmoid", "stem.act/Mul"]
    assert np.allclose(load_onnx(made.SerializeToString(), threads=1)(X), wanted, atol=1e-6)
    assert np.allclose(wanted, X * HARD, atol=1e-6)


def rounded_gate(alpha=1 / 6):
    """images, rounded in steps of 16/255, a hard sigmoid of them, and that rounded in steps of 1/255."""
    constants = [
        ("x_step", np.float32(16 / 255)), ("x_zero", np.uint8(128)),
        ("h_step", np.float32(1 / 255)), ("h_zero", np.uint8(0)),
    ]  # fmt: skip
    nodes = [
        helper.make_node("QuantizeLinear", ["images", "x_step", "x_zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "x_step", "x_zero"], ["x"]),
        helper.make_node("HardSigmoid", ["x"], ["h"], alpha=alpha, beta=0.5),
        helper.make_node("QuantizeLinear", ["h", "h_step", "h_zero"], ["r"]),
        helper.make_node("DequantizeLinear", ["r", "h_step", "h_zero"], ["logits"]),
    ]
    return graph(nodes, [(name, np.asarray(value)) for name, value in constants])


def test_rounding_is_the_hard_sigmoid():
    model = rounded_gate()
    step_hard_sigmoids(model)
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node].count("LeakyRelu") == 1
    found = load_onnx(model.SerializeToString(), threads=1)(X)
    step = 16 / 255 / 2 / 6  # half a step of x, as the gate has it
    assert np.abs(found - HARD).max() < step + 1 / 256
    assert found.min() == 0
    assert found.max() == 255 / 256


def test_onnx_runtime_takes_it_for_one_operator(tmp_path):
    import onnxruntime

    model = rounded_gate()
    step_hard_sigmoids(model)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "as_run.onnx")
    onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    kinds = [node.op_type for node in onnx.load(tmp_path / "as_run.onnx").graph.node]
    assert kinds == ["QuantizeLinear", "QLinearLeakyRelu", "DequantizeLinear"]


@pytest.mark.parametrize(
    "model", [rounded_gate(alpha=0.2), graph([helper.make_node("HardSigmoid", ["images"], ["logits"])])]
)
def test_another_hard_sigmoid_stays(model):
    before = model.SerializeToString()
    step_hard_sigmoids(model)
    assert model.SerializeToString() == before
