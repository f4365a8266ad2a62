"""--image dynamic, from the file to the certificate: right at every size, or not there."""

import dataclasses
import json

import numpy as np
import onnx
import pytest
import torch

from linnet.arch.mobilenet import MBConv
from linnet.arch.mobilevit import MobileViT
from linnet.arch.names import find
from linnet.arch.spec import Arch, Conv, Pool, Stage, Style
from linnet.arch.spec import Classifier as ClassifierRow
from linnet.data.preprocess import Preprocess
from linnet.data.source import find_photos
from linnet.deploy.bundle import Runtime, read_bundle
from linnet.deploy.certificate import Candidate, prove
from linnet.deploy.classifier import Classifier
from linnet.deploy.export import export
from linnet.deploy.manifest import manifest_text
from linnet.deploy.proven import write_files
from linnet.deploy.runtime.known import RUNTIMES, WAYS, is_here
from linnet.deploy.runtime.onnx import convert, load_onnx
from linnet.deploy.sizes import check_dynamic, dynamic_ways, proof_sizes, sides_around, with_sizes
from linnet.errors import ProofError, SettingError
from linnet.evaluation.evaluate import photos_of
from linnet.nn.build import build
from linnet.weights.model import read_model


@pytest.mark.parametrize(("image", "least"), [(64, 64), (96, 65), (128, 65), (160, 80), (224, 112), (225, 113)])
def test_the_sizes_of_a_proof(image, least):
    sides = sides_around(find("lcnet_035"), image)
    assert sides == (least, 2 * image)
    least, largest = sides
    sizes = proof_sizes(sides)
    assert {(least, least), (largest, largest)} <= set(sizes)
    assert len(set(sizes)) == len(sizes) >= 5
    assert all(least <= side <= largest for size in sizes for side in size)
    assert any(height < width for height, width in sizes)
    assert any(height > width for height, width in sizes)
    assert {side % 2 for size in sizes for side in size} == {0, 1}


def test_what_cannot_leave_its_size_open_is_refused_by_name():
    assert dynamic_ways([*WAYS]) == ("onnx", "openvino", "openvino-bf16")
    small = build(find("lcnet_035"))
    check_dynamic(small, ["onnx", "openvino"])
    for name in ("litert", "executorch", "aotinductor", "openvino-int8"):
        with pytest.raises(SettingError, match=rf"^{name} has one image size.*Leave out --image dynamic"):
            check_dynamic(small, ["onnx", name])
    for name in ("deit_tiny_patch16_224", "swin_tiny_patch4_window7_224"):
        with torch.device("meta"):
            net = build(find(name))
        with pytest.raises(SettingError, match=f"^{name} has positions or windows"):
            check_dynamic(net, ["onnx"])


def test_a_network_that_branches_on_the_size_is_refused_by_torch(tmp_path):
    net = build(find("squeezenet1_1").scaled(width=0.25, image=96).with_classes(5)).eval()
    said = r"^squeezenet1_1 cannot leave its image size open from 65 to 192 pixels: .*Leave out --image dynamic\.$"
    with pytest.raises(ProofError, match=said):
        write_files(RUNTIMES["onnx"], net, Preprocess(image=96), tmp_path / "model.onnx", uint8=False, sides=(65, 192))
    assert list(tmp_path.iterdir()) == []


def spread_norms(net, images):
    """Batch norms whose statistics are those of `images`, so that a wrong pixel at an edge shows."""
    for m in net.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.momentum = 1.0
    with torch.no_grad():
        net.train()(images)
    return net.eval()


BODIES = {  # TensorFlow's padding is another at each remainder; MobileViT's patches are, too
    "same": (Stage(MBConv(t=2, k=3), 12, 1, 2), Stage(MBConv(t=2, k=5, se=0.25), 16, 2, 2), Stage(Conv(k=1), 24, 1, 2)),
    "symmetric": (Stage(MBConv(t=2, k=3), 12, 1, 2), Stage(MobileViT(d=16, depth=1), 16, 1)),
}


@pytest.mark.parametrize("pad", BODIES)
def test_padding_and_patches_follow_the_size(pad, tmp_path):
    image = 40
    arch = Arch(
        "tiny", image, (Stage(Conv(k=3), 8, 1, 2),), BODIES[pad], (Pool(), ClassifierRow(5)), style=Style(pad=pad)
    )
    torch.manual_seed(0)
    net = spread_norms(build(arch), torch.randn(4, 3, image, image))
    sides = sides_around(arch, image)
    convert(net, Preprocess(image=image), tmp_path / "model.onnx", sides=sides)
    run = load_onnx(tmp_path / "model.onnx", threads=1)
    for height, width in (*proof_sizes(sides), *((image + more, image + more // 2) for more in range(17))):
        images = torch.randn(2, 3, height, width)
        with torch.no_grad():
            wanted = net(images).numpy()
        assert np.abs(run(images.numpy()) - wanted).max() < 1e-4 * np.abs(wanted).max(), (height, width)
    shape = onnx.load(tmp_path / "model.onnx").graph.input[0].type.tensor_type.shape
    assert [dim.dim_param or dim.dim_value for dim in shape.dim] == ["batch", 3, "height", "width"]


def test_a_file_that_is_right_at_its_own_size_only_is_refused(sealed, photos):
    model = read_model(sealed)
    net, preprocess = model.net(), model.preprocess
    chosen = photos_of(find_photos(photos), "test", model.classes)

    def run(images):
        with torch.no_grad():
            off = images.shape[2] > images.shape[3]
            return net(torch.from_numpy(images)).numpy() + np.float32(off)

    candidate = Candidate("onnx", "fp32", (sealed / "model.onnx").read_bytes(), run, 1)
    proof = prove(net, candidate, chosen, preprocess, root=photos, split="test", workers=0)
    with pytest.raises(ProofError, match=r"^onnx fp32 does not answer as the network does at 65 x 62 pixels"):
        with_sizes(proof, net, candidate, chosen, preprocess, (32, 128))
    right = dataclasses.replace(candidate, run=lambda images: net(torch.from_numpy(images)).detach().numpy())
    found = with_sizes(proof, net, right, chosen, preprocess, (32, 128)).certificate
    assert found["sides"] == [32, 128]
    assert [(one["height"], one["width"]) for one in found["sizes"]] == list(proof_sizes((32, 128)))
    assert {one["n"] for one in found["sizes"]} == {10}  # every other one of 19


@pytest.fixture(scope="module")
def dynamic(run, tmp_path_factory):
    """A bundle that takes any size, of pixels and of probabilities, made as a user does."""
    from linnet.cli import main

    ways = ["onnx", *(["openvino"] if is_here("openvino") else [])]
    folder = tmp_path_factory.mktemp("dynamic") / "any.linnet"
    main(["export", str(run), "--to", *ways, "--image", "dynamic", "--uint8", "--output", "probabilities",
          "--out", str(folder), "--workers", "0"])  # fmt: skip
    return folder


def test_the_bundle_says_so_and_answers_as_any_other(dynamic, sealed, photos):
    bundle = read_bundle(dynamic)
    path = photos / "test" / "waves" / "0.jpg"
    wanted = dict(Classifier(sealed).predict(path).classes)
    for runtime, certificate in zip(bundle.runtimes, bundle.certificates, strict=True):
        assert runtime.sides == (64, 128)
        assert certificate["sides"] == [64, 128]
        assert len(certificate["sizes"]) == 5
        assert max(one["largest_probability_difference"] for one in certificate["sizes"]) < 1e-4
        classifier = Classifier(dynamic, runtime=runtime.runtime)
        assert dict(classifier.predict(path).classes) == pytest.approx(wanted, abs=1e-5)
        assert classifier.answers(np.zeros((1, 70, 100, 3), np.uint8)).shape == (1, 4)
    takes = "`model.onnx` takes `images`, uint8 [B, H, W, 3] with H and W from 64 to 128, and"
    assert takes in (dynamic / "README.md").read_text()
    assert "sides" not in Runtime("onnx", "fp32", "model.onnx").to_json()
    assert "sides" not in json.loads((sealed / "bundle.json").read_text())["runtimes"][0]


def test_a_range_that_no_certificate_states_is_refused(bundle):
    facts = json.loads((bundle / "bundle.json").read_text())
    del facts["sha256"]
    facts["runtimes"][0]["sides"] = [32, 128]
    (bundle / "bundle.json").write_text(manifest_text(facts))
    with pytest.raises(ProofError, match=r"model\.onnx has no certificate"):
        read_bundle(bundle)


def test_refusals_write_nothing(run, tmp_path):
    with pytest.raises(SettingError, match=r"image is 'dynamik'; allowed: fixed, dynamic\. Did you mean 'dynamic'"):
        export(run, out=tmp_path / "x.linnet", image="dynamik", workers=0)
    with pytest.raises(SettingError, match="onnx-int8 has one image size"):
        export(run, out=tmp_path / "x.linnet", to=("onnx-int8",), image="dynamic", workers=0)
    assert list(tmp_path.iterdir()) == []


def test_shapes_in_words():
    assert RUNTIMES["onnx"].shape(64, "float32", (32, 128)) == "[B, 3, H, W] with H and W from 32 to 128"
