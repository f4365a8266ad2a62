import sys

import numpy as np
import pytest

from linnet.deploy import proven
from linnet.deploy.bundle import read_bundle
from linnet.deploy.classifier import Classifier
from linnet.deploy.export import export
from linnet.deploy.proven import check_runtimes, remove, write_files
from linnet.deploy.runtime import onnx as onnx_runtime
from linnet.deploy.runtime import openvino as openvino_runtime
from linnet.deploy.runtime.known import RUNTIMES, is_here
from linnet.errors import ProofError, SettingError, WeightsError
from linnet.weights.model import read_model

openvino = pytest.mark.skipif(not is_here("openvino"), reason="openvino is not installed: pip install openvino")


def test_what_may_be_asked_for(monkeypatch):
    check_runtimes(["onnx"])
    for wrong, word in ((("onx",), "Did you mean 'onnx'"), ((), "give a list"), ("onnx", "give a list")):
        with pytest.raises(SettingError, match=word):
            check_runtimes(wrong)


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_missing_package_is_named_before_anything_is_written(name, run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, RUNTIMES[name].maker, None)
    with pytest.raises(SettingError, match=rf'pip install "?linnet-vision(\[{name}\])?"?$'):
        export(run, to=("onnx", name), out=tmp_path / "x.linnet", workers=0)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_inside_a_converter_is_no_failure_of_the_converter(run, tmp_path, monkeypatch):
    """torch's exporter makes an error of its own of whatever is raised inside it."""

    def stopped(*_a, **_k):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise RuntimeError("Failed to export the model") from error

    monkeypatch.setattr(onnx_runtime, "convert", stopped)
    model = read_model(run)
    with pytest.raises(KeyboardInterrupt):
        write_files(RUNTIMES["onnx"], model.net(), model.preprocess, tmp_path / "model.onnx", uint8=False)


def test_a_converter_that_fails_gives_one_line(run, tmp_path, monkeypatch):
    def breaks(*_a, **_k):
        raise NotImplementedError("aten.frobnicate\nis not known")

    monkeypatch.setattr(onnx_runtime, "convert", breaks)
    model = read_model(run)
    with pytest.raises(ProofError, match=r"ONNX Runtime cannot take mobilenetv3_small_035.*aten\.frobnicate is not"):
        write_files(RUNTIMES["onnx"], model.net(), model.preprocess, tmp_path / "model.onnx", uint8=False)


def test_files_that_fail_leave_no_folder_behind(tmp_path):
    (tmp_path / "openvino").mkdir()
    for name in ("openvino/a", "openvino/b", "c"):
        (tmp_path / name).touch()
    remove(tmp_path, ["openvino/a"])
    assert (tmp_path / "openvino" / "b").exists()
    remove(tmp_path, ["openvino/b", "nothing"])
    assert [path.name for path in tmp_path.iterdir()] == ["c"]
    remove(tmp_path, ["c"])
    assert tmp_path.is_dir()


def test_pixels_in_onnx(run, photos, tmp_path):
    """--uint8: the certificate is of the file with the normalisation inside, and the bundle answers the same."""
    made = export(run, out=tmp_path / "pixels.linnet", uint8=True, workers=0)
    bundle = read_bundle(made.folder)
    assert bundle.runtimes[0].input == "uint8"
    assert bundle.certificates[0]["top1_agreement"] == 1
    model = read_model(run)
    path = photos / "test" / "waves" / "0.jpg"
    pixels = model.preprocess.read(path)[None]
    import torch

    with torch.no_grad():
        wanted = model.net()(torch.from_numpy(model.preprocess.normalise(pixels))).numpy()
    assert np.allclose(Classifier(made.folder).logits(pixels), wanted, atol=1e-4, rtol=1e-4)
    card = (made.folder / "README.md").read_text()
    assert "uint8 [B, 64, 64, 3]" in card
    assert "divided by" not in card
    names = {node.name for node in onnx_runtime_graph(made.folder).node}
    assert "stages.3.0.depthwise/Conv" in names


def onnx_runtime_graph(folder):
    import onnx

    return onnx.load(folder / "model.onnx").graph


@openvino
def test_what_fails_is_left_out_and_the_others_are_shipped(run, tmp_path, monkeypatch):
    """OpenVINO's file is that of another network: the bundle has ONNX alone and says so."""
    true = openvino_runtime.convert

    def another(net, preprocess, path, *, uint8, ending):
        import torch

        with torch.no_grad():
            net.get_classifier().weight.mul_(1.2)
            true(net, preprocess, path, uint8=uint8, ending=ending)
            net.get_classifier().weight.div_(1.2)

    monkeypatch.setattr(openvino_runtime, "convert", another)
    made = export(run, to=("openvino", "onnx"), out=tmp_path / "x.linnet", workers=0)
    assert made.runtimes == ("onnx",)
    (error,) = made.errors
    assert "openvino fp32 does not answer as the network does" in error
    assert made.to_json() == {"bundle": str(made.folder), "runtimes": ["onnx"], "errors": [error]}
    bundle = read_bundle(made.folder)
    assert not (made.folder / "openvino").exists()
    assert bundle.facts["failed"] == [error]
    with pytest.raises(ProofError, match="openvino fp32 does not answer"):
        export(run, to=("openvino",), out=tmp_path / "y.linnet", workers=0)
    assert [path.name for path in tmp_path.iterdir()] == ["x.linnet"]


@openvino
@pytest.mark.parametrize("fails", ["opening", "running"])
def test_a_runtime_that_does_not_take_its_own_file_is_left_out(fails, run, tmp_path, monkeypatch):
    def refused(name, precision, files, *, threads):
        if name != "openvino":
            return opened(name, precision, files, threads=threads)
        if fails == "opening":
            raise WeightsError("OpenVINO does not take the file. Export the bundle again.")

        def run(images):
            raise RuntimeError("Reshape:\n it does not fit")

        return run

    opened = proven.open_model
    monkeypatch.setattr(proven, "open_model", refused)
    made = export(run, to=("openvino", "onnx"), out=tmp_path / "x.linnet", workers=0)
    assert made.runtimes == ("onnx",)
    assert ("does not take" if fails == "opening" else "openvino fails on") in made.errors[0]


@openvino
def test_a_bundle_with_several_runtimes(run, photos, tmp_path):
    made = export(run, to=("openvino", "onnx"), out=tmp_path / "two.linnet", workers=0)
    assert (made.runtimes, made.errors) == (("openvino", "onnx"), ())
    bundle = read_bundle(made.folder)
    assert [(r.runtime, r.precision, r.file, r.more) for r in bundle.runtimes] == [
        ("openvino", "fp32", "openvino/model.xml", ("openvino/model.bin",)),
        ("onnx", "fp32", "model.onnx", ()),
    ]
    assert [c["runtime"] for c in bundle.certificates] == ["openvino", "onnx"]
    path = photos / "test" / "waves" / "0.jpg"
    answers = {name: Classifier(made.folder, runtime=name).predict(path).classes for name in ("", *made.runtimes)}
    assert answers[""] == answers["openvino"]
    for one, other in zip(answers["openvino"], answers["onnx"], strict=True):
        assert one[0] == other[0]
        assert one[1] == pytest.approx(other[1], abs=1e-4)
    assert "--runtime onnx" in (made.folder / "README.md").read_text()

    numbers = made.folder / "openvino" / "model.bin"
    numbers.write_bytes(numbers.read_bytes()[:-1] + b"x")
    from linnet.errors import WeightsError

    with pytest.raises(WeightsError, match=r"openvino/model\.bin: damaged"):
        read_bundle(made.folder)
