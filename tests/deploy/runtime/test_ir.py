import random

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from linnet.deploy.runtime import ir
from linnet.deploy.runtime.ir import refuse_other_than_ir
from linnet.deploy.runtime.known import is_here
from linnet.deploy.runtime.openvino import from_onnx, load_openvino
from linnet.errors import WeightsError

here = pytest.mark.skipif(not is_here("openvino"), reason="openvino is not installed: pip install openvino")

LAYER = (
    '<layer id="1" name="w" type="Const" version="opset1"><data element_type="f32" shape="2,3" offset="0" size="24" />'
    '<output><port id="0" precision="FP32"><dim>2</dim><dim>3</dim></port></output></layer>'
)


def xml(layer=LAYER, before='<?xml version="1.0"?>'):
    return f'{before}<net name="a" version="11"><layers>{layer}</layers><edges /></net>'.encode()


def onnx_file(weight):
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["images", "w"], ["logits"])], "g",
        [helper.make_tensor_value_info("images", 1, ["B", 2])], [helper.make_tensor_value_info("logits", 1, ["B", 3])],
        initializer=[weight],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


def small():
    """OpenVINO's files of images [B, 2] @ weight [2, 3]."""
    return from_onnx(onnx_file(numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(2, 3), "w")))


def outside(location):
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 3], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "24")):
        tensor.external_data.add(key=key, value=value)
    return tensor


def test_what_we_write_is_allowed():
    refuse_other_than_ir(xml(), bytes(24))
    refuse_other_than_ir(xml(before='<?xml version="1.0" encoding="UTF-8"?><!-- a comment -->'), bytes(24))


ATTACKS = {
    "an ONNX file": (onnx_file(outside("/etc/passwd")), "no plain XML"),
    "a document type": (xml(before='<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "aaaaaaaa">]>'), "no plain XML"),
    "an external entity": (xml(before='<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'), "no plain XML"),
    "another encoding": (xml(before='<?xml version="1.0" encoding="utf-7"?>'), "no plain XML"),
    "UTF-16": (xml().decode().encode("utf-16"), "no plain XML"),
    "numbers behind the end": (xml(LAYER.replace('offset="0"', 'offset="8"')), "beyond the file"),
    "numbers before the start": (xml(LAYER.replace('offset="0"', 'offset="-8"')), "beyond the file"),
    "more numbers than there are": (xml(LAYER.replace('"24"', '"4000000000"')), "beyond the file"),
    "no number": (xml(LAYER.replace('"24"', '"many"')), "damaged"),
    "a huge shape": (xml(LAYER.replace("<dim>3", "<dim>30000000000")), "gives 60,000,000,000 numbers"),
    "a loop": (xml(LAYER.replace('"Const"', '"Loop"')), "it has a Loop"),
    "a loop by another name": (xml(LAYER.replace('"Const"', '"TensorIterator"')), "it has a TensorIterator"),
    "a memory": (xml(LAYER.replace('"Const"', '"Assign"')), "it has a Assign"),
    "half": (xml()[:100], "damaged"),
    "another XML": (b"<svg><net /></svg>", "no plain XML"),
    "another XML behind a head": (b'<?xml version="1.0"?><svg />', "holds no network"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_in_one_line(attack):
    data, said = ATTACKS[attack]
    with pytest.raises(WeightsError, match=said) as caught:
        refuse_other_than_ir(data, bytes(24))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_long_is_not_parsed(monkeypatch):
    monkeypatch.setattr(ir, "LARGEST_XML", 50)
    with pytest.raises(WeightsError, match="no plain XML"):
        refuse_other_than_ir(xml(), bytes(24))


@here
def test_openvino_itself_would_read_another_file_and_never_sees_it(tmp_path, monkeypatch):
    """Why the look is needed: should this begin to fail, OpenVINO has mended it, and the look may still stay."""
    import openvino

    monkeypatch.chdir(tmp_path)  # below the working directory it may lie anywhere
    (tmp_path / "secret").write_bytes(np.arange(6, dtype=np.float32).tobytes())
    attack = onnx_file(outside("secret"))
    core = openvino.Core()
    request = core.compile_model(core.read_model(attack, b""), "CPU").create_infer_request()
    assert request.infer([np.ones((1, 2), np.float32)])[0].tolist() == [[3, 5, 7]]  # the numbers of `secret`
    with pytest.raises(WeightsError, match="no plain XML"):
        load_openvino(attack, b"")


@here
def test_from_onnx_answers_as_the_onnx_file_does():
    run = load_openvino(*small(), threads=1)
    assert run(np.ones((2, 2), np.float32)).tolist() == [[3, 5, 7]] * 2


@here
def test_mutants_give_a_typed_error_or_an_answer():
    """Below the hash, which refuses every one of them: the loader is not brought down. A crash would end this process."""
    n, files = 150, small()
    rng, answers, said = random.Random(0), 0, ""
    for _ in range(n):
        changed = [bytearray(data) for data in files]
        one = changed[rng.random() < 0.3]
        for _ in range(rng.randint(1, 3)):
            one[rng.randrange(len(one))] = rng.randrange(256)
        if rng.random() < 0.2:
            del one[rng.randrange(len(one)) :]
        try:
            load_openvino(*map(bytes, changed), threads=1)
            answers += 1
        except WeightsError as error:
            said += str(error)
    assert 0 < answers < n
    assert "\n" not in said
