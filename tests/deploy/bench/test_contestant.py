import json

import numpy as np
import pytest

from linnet.deploy.bench import contestant
from linnet.deploy.bench.contestant import EAGER, Contestant, accuracy_of, line_up
from linnet.deploy.bundle import read_bundle
from linnet.deploy.runtime.known import WAYS, is_here
from linnet.errors import ProofError, SettingError


def test_a_bundles_runtimes_with_what_their_certificates_say(sealed, run):
    for given in (str(sealed), str(run)):
        (one,) = line_up([given], [], []).contestants
        assert (one.model, one.way, one.image) == ("mobilenetv3_small_035", "onnx", 64)
        assert one.files == ((sealed / "model.onnx").read_bytes(),)
        assert one.size_bytes == (sealed / "model.onnx").stat().st_size
        certificate = read_bundle(sealed).certificates[0]
        assert one.accuracy == certificate["accuracy"]["runtime"]["top1"]
        assert one.interval == tuple(certificate["accuracy"]["runtime"]["interval"])


def test_a_bundle_of_several_labels_has_the_share_that_is_wholly_right(several_sealed):
    (one,) = line_up([str(several_sealed)], [], []).contestants
    assert one.accuracy == read_bundle(several_sealed).certificates[0]["accuracy"]["runtime"]["exact_match"]
    assert accuracy_of({}) == (None, None)


def test_a_call_is_one_batch(sealed):
    (one,) = line_up([str(sealed)], [], []).contestants
    assert one.call(3, 1)().shape == (3, 4)
    assert np.array_equal(one.images(2), one.images(2))
    pixels = Contestant("m", "onnx", 8, "onnx", "fp32", (), 0, uint8=True).images(2)
    assert (pixels.shape, pixels.dtype) == ((2, 8, 8, 3), np.uint8)


def test_pytorch_stands_beside_them(sealed):
    both = line_up([str(sealed)], ["onnx", EAGER], []).contestants
    assert [one.way for one in both] == ["onnx", EAGER]
    assert both[1].call(2, 1)().shape == (2, 4)
    assert 0.8 < both[1].size_bytes / both[0].size_bytes < 1.1


def test_what_a_bundle_does_not_have_is_said(sealed):
    field = line_up([str(sealed)], ["onnx", "openvino"], [])
    assert [one.way for one in field.contestants] == ["onnx"]
    assert "no runtime openvino. Make a bundle that has it: linnet export RUN --to openvino" in field.notes[0]
    with pytest.raises(SettingError, match="has no runtime openvino"):
        line_up([str(sealed)], ["openvino"], [])


@pytest.mark.parametrize(
    ("models", "ways", "sizes", "says"),
    [
        (["runs/none.linnet"], [], [], "there is no such bundle"),
        (["mobilenetv3_smal_035"], [], [], "mobilenetv3_small_035"),
        (["mobilenetv3_small_035"], ["onx"], [], "Did you mean 'onnx'"),
        ([], [], [], "Nothing to measure"),
    ],
)
def test_mistakes(models, ways, sizes, says):
    with pytest.raises(SettingError, match=says):
        line_up(models, ways, sizes)


def test_a_bundle_has_its_own_size(sealed):
    with pytest.raises(SettingError, match="a bundle has its own size"):
        line_up([str(sealed)], [], [96])


def test_a_network_by_name_is_exported_for_all_that_is_here(monkeypatch):
    """Once for each file, however many ways read it."""
    written = []

    def files(known, net):
        written.append((known.name, net.arch.image))
        return (b"x",) * len(known.files)

    monkeypatch.setattr(contestant, "float_files", files)
    monkeypatch.setattr(contestant, "int8_files", lambda known, net: (b"8",) * len(known.files))
    field = line_up(["mobilenetv3_small_035"], [], [32, 64])
    here = [name for name, (known, precision) in WAYS.items()
            if is_here(known.module) and is_here(known.maker_of(precision)) and not known.program]  # fmt: skip
    assert [(one.image, one.way) for one in field.contestants] == [(s, w) for s in (32, 64) for w in [*here, EAGER]]
    floats = [name for name in here if WAYS[name][1] != "int8"]
    assert len(written) == len(set(written)) == 2 * len({WAYS[name][0].name for name in floats})
    for one in field.contestants:
        assert (b"8" in one.files) == (one.precision == "int8")
    assert json.loads(field.contestants[-1].files[0])["image"] == 64


def test_in_int8_too_if_only_for_its_time():
    field = line_up(["mobilenetv3_small_035"], ["onnx-int8"], [32])
    (one,) = field.contestants
    assert one.call(2, 1)().shape == (2, 1000)
    assert one.size_bytes < 4e6


def test_a_converter_that_fails_leaves_the_others(monkeypatch):
    def fails(*_a, **_k):
        raise ProofError("ONNX Runtime cannot take it.")

    monkeypatch.setattr(contestant, "float_files", fails)
    field = line_up(["mobilenetv3_small_035"], ["onnx", EAGER], [32])
    assert [one.way for one in field.contestants] == [EAGER]
    assert field.notes == ("ONNX Runtime cannot take it.",)
