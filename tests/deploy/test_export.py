import json
import shutil

import numpy as np
import onnx
import pytest
import torch

from linnet.data.source import find_photos
from linnet.deploy.bundle import read_bundle
from linnet.deploy.export import export, proof_photos, without_places
from linnet.deploy.runtime import onnx as onnx_runtime
from linnet.errors import DataError, ProofError, SettingError, WeightsError
from linnet.weights.model import read_model


def test_the_bundle_holds_what_the_design_says(sealed, run, photos):
    assert sealed == run / "mobilenetv3_small_035.linnet"
    assert sorted(path.name for path in sealed.iterdir()) == [
        "README.md", "bundle.json", "model.onnx", "predict.py", "weights.safetensors",
    ]  # fmt: skip
    bundle = read_bundle(sealed)
    model = read_model(run)
    assert (bundle.arch, bundle.classes, bundle.preprocess) == (model.arch, model.classes, model.preprocess)
    assert bundle.facts["licence"]["name"] == "Apache-2.0"
    assert bundle.facts["metrics"]["n"] == 19
    assert bundle.facts["metrics"]["split"] == "test"
    assert len(bundle.facts["images"]["names"]) == 19
    assert "test/waves/1.jpg" in bundle.facts["images"]["names"]
    assert "test/dots/4.jpg" not in bundle.facts["images"]["names"]
    certificate = bundle.certificates[0]
    assert certificate["images"]["not_read"] == 1
    assert certificate["passed"] is True
    assert certificate["top1_agreement"] == 1


def test_nothing_of_this_machine_goes_out(sealed, photos):
    for path in sealed.iterdir():
        data = path.read_bytes()
        for secret in (str(photos.parent), str(onnx_runtime.__file__.rpartition("/linnet/")[0]), "site-packages"):
            assert secret.encode() not in data, f"{path.name} names {secret}"


def test_the_bundle_is_a_model_for_pytorch_too(sealed, run):
    one, other = read_model(sealed), read_model(run)
    assert one.arch == other.arch
    assert all(torch.equal(one.state[name], other.state[name]) for name in other.state)
    images = torch.randn(2, 3, 64, 64)
    session = onnx_runtime.load_onnx((sealed / "model.onnx").read_bytes())
    with torch.no_grad():
        assert np.allclose(one.net()(images).numpy(), session(images.numpy()), atol=1e-4)


def test_nothing_is_overwritten(sealed, run, photos, tmp_path):
    before = {path.name: path.read_bytes() for path in sealed.iterdir()}
    with pytest.raises(SettingError, match="there is something there already"):
        export(run, out=sealed)
    assert {path.name: path.read_bytes() for path in sealed.iterdir()} == before
    with pytest.raises(SettingError, match="is a bundle already"):
        export(sealed)


def test_a_wrong_export_is_no_bundle(run, sealed, tmp_path, monkeypatch):
    """One weight of one layer is off: nothing is written, and the error names the row."""
    model = onnx.load(sealed / "model.onnx")
    weight = next(w for w in model.graph.initializer if w.name == "stages.3.0.depthwise.weight")
    values = onnx.numpy_helper.to_array(weight).copy()
    values[0] *= 1.5
    weight.raw_data = values.tobytes()
    monkeypatch.setattr(onnx_runtime, "exported", lambda module, example, sides: model)
    with pytest.raises(ProofError, match=r"onnx fp32 does not answer.*goes wrong first in row stages\.3"):
        export(run, out=tmp_path / "x.linnet", workers=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"to": ("onx",)}, SettingError, "Did you mean 'onnx'"),
        ({"to": ()}, SettingError, "give a list"),
        ({"to": "onnx"}, SettingError, "give a list"),
        ({"split": "train"}, SettingError, "'test' or 'validation'"),
        ({"most": 0}, SettingError, "1 or more"),
        ({"out": "Bad Name.linnet"}, SettingError, "cannot be called 'Bad Name'"),
        ({"photos": "no-such-folder"}, DataError, "no-such-folder"),
    ],
)
def test_refusals_write_nothing(run, tmp_path, options, error, word):
    if "out" in options:
        options = {"out": tmp_path / options["out"]}
    there = sorted(run.iterdir())
    with pytest.raises(error, match=word):
        export(run, **options)
    assert sorted(run.iterdir()) == there
    assert list(tmp_path.iterdir()) == []


def test_without_photos_it_says_what_is_needed(run, tmp_path):
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(run / "best.safetensors", alone)
    with pytest.raises(SettingError, match=r"does not say where its photos are.*--photos FOLDER"):
        export(alone)
    (alone / "recipe.json").write_text(json.dumps({"photos": str(tmp_path / "gone")}))
    with pytest.raises(SettingError, match=r"no longer at .*gone.*--photos FOLDER"):
        export(alone)
    with pytest.raises(WeightsError):
        export(tmp_path / "nothing")


def test_as_a_command(run, tmp_path, capsys):
    """--to takes a list, and what was made comes as JSON."""
    from linnet.cli import main

    main(["export", str(run), "--to", "onnx", "onnx", "--out", str(tmp_path / "x.linnet"), "--workers", "0", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said == {"bundle": str(tmp_path / "x.linnet"), "runtimes": ["onnx"], "errors": []}


def test_int8_beside_float(sure_run, photos, tmp_path, capsys):
    """--to onnx onnx-int8: two files, each with its proof; what int8 was chosen by is in the certificate and on the screen."""
    from linnet.cli import main
    from linnet.deploy.classifier import Classifier

    folder = tmp_path / "two.linnet"
    main(["export", str(sure_run), "--to", "onnx", "onnx-int8", "--out", str(folder), "--workers", "0",
          "--calibration", "6", "--max-drop", "20"])  # fmt: skip
    said = capsys.readouterr().out.splitlines()
    assert said[0] == str(folder)
    assert said[-1].startswith("onnx-int8: on the validation photos it drops ")
    assert said[-1].endswith("calibrated on 6 training photos")
    bundle = read_bundle(folder)
    assert [(one.precision, one.file) for one in bundle.runtimes] == [
        ("fp32", "model.onnx"),
        ("int8", "model.int8.onnx"),
    ]
    made = bundle.certificates[1]
    assert made["calibration"]["split"] == "train"
    assert made["calibration"]["n"] == 6
    assert made["gate"]["split"] == "validation"
    assert made["gate"]["max_drop"] == 0.2
    assert made["decided"] is made["gate"]["decided"]
    assert made["images"]["split"] == "test"
    assert made["top1_agreement"] >= 0.8
    assert "gate" not in bundle.certificates[0]
    assert f"\n{said[-1]}.\n" in (folder / "README.md").read_text()
    path = photos / "test" / "waves" / "0.jpg"
    one, other = (Classifier(folder, runtime=name).predict(path).classes for name in ("onnx", "onnx-int8"))
    assert dict(one) != dict(other)
    assert dict(one)["waves"] == pytest.approx(dict(other)["waves"], abs=0.2)


def test_int8_without_validation_photos_writes_nothing(sure_run, photos, tmp_path):
    from dataclasses import replace

    from linnet.deploy.export import export_model

    found = replace(find_photos(photos), validation=())
    with pytest.raises(DataError, match="int8 is chosen by them"):
        export_model(read_model(sure_run), found, tmp_path / "x.linnet", name="x", to=("onnx-int8",), workers=0)
    assert list(tmp_path.iterdir()) == []


def test_auto_without_photos_to_choose_int8_by_makes_the_rest_and_says_so(run, photos, tmp_path, monkeypatch):
    """Validation photos that were trained on: asked for by name int8 is refused, of auto it is left out."""
    from linnet.deploy import fastest
    from linnet.deploy.export import export_model

    found = find_photos(photos)
    learnt = frozenset(photo.digest for photo in found.validation)
    settings = {"name": "x", "workers": 0, "trained_on": learnt, "threads": 1}
    with pytest.raises(DataError, match="all validation photos were trained on"):
        export_model(read_model(run), found, tmp_path / "x.linnet", to=("onnx-int8",), **settings)
    monkeypatch.setattr(fastest, "every_way", lambda int8: ("onnx", "onnx-int8") if int8 else ("onnx",))
    monkeypatch.setattr(fastest, "SECONDS", 0.1)
    bundle = export_model(read_model(run), found, tmp_path / "x.linnet", to=("auto",), **settings)
    assert [one.precision for one in bundle.runtimes] == ["fp32"]
    (said,) = bundle.facts["failed"]
    assert said.startswith("onnx-int8: all validation photos were trained on")


def test_proof_photos(photos):
    found = find_photos(photos)
    split, chosen = proof_photos(found, "test", found.classes, 1000, frozenset())
    assert (split, len(chosen)) == ("test", 20)
    split, few = proof_photos(found, "test", found.classes, 7, frozenset())
    assert len(few) == 7
    assert set(few) < set(chosen)
    assert {photo.digest for photo in few} == set(sorted(photo.digest for photo in chosen)[:7])
    learnt = frozenset(photo.digest for photo in chosen[:15])
    assert proof_photos(found, "test", found.classes, 1000, learnt)[1] == chosen[15:]
    with pytest.raises(DataError, match="were trained on, or chose the epoch, so they prove nothing"):
        proof_photos(found, "test", found.classes, 1000, frozenset(photo.digest for photo in chosen))
    chose = frozenset(photo.digest for photo in (*chosen[15:], *found.validation))
    assert proof_photos(found, "test", found.classes, 1000, frozenset(), chose)[1] == chosen[:15]
    assert len(proof_photos(found, "validation", found.classes, 1000, frozenset(), chose)[1]) == len(found.validation)


def test_photos_that_chose_the_epoch_are_no_test_photos(run, photos, tmp_path):
    """A run whose validation photos are what is now given as the test's."""
    shutil.copytree(run, tmp_path / "run")
    facts = json.loads((run / "data.json").read_text())
    facts["files"]["validation"] = [["", 0, photo.digest] for photo in find_photos(photos).test]
    (tmp_path / "run" / "data.json").write_text(json.dumps(facts))
    with pytest.raises(DataError, match="or chose the epoch"):
        export(tmp_path / "run", out=tmp_path / "x.linnet", workers=0)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_where_nothing_is_known_of_the_training_the_card_says_so(run, photos, tmp_path):
    shutil.copy(run / "best.safetensors", tmp_path / "best.safetensors")
    made = export(tmp_path / "best.safetensors", out=tmp_path / "x.linnet", photos=photos, workers=0)
    assert "of which it is not known whether it was trained on them" in (made.folder / "README.md").read_text()
    assert read_bundle(made.folder).facts["images"]["trained_on"] == "unknown"


def test_without_a_test_split_validation_is_taken(photos):
    from dataclasses import replace

    found = replace(find_photos(photos), test=())
    split, chosen = proof_photos(found, "test", found.classes, 1000, frozenset())
    assert (split, chosen) == ("validation", found.validation)


def test_facts_go_out_without_the_place_of_the_photos():
    facts = {"recipe": {"photos": "/srv/secret/shirts", "seed": 3}, "epoch": 2}
    assert without_places(facts) == {"recipe": {"photos": "shirts", "seed": 3}, "epoch": 2}
    assert facts["recipe"]["photos"] == "/srv/secret/shirts"
    recipe = {"teacher": "/home/anna/runs/large", "pretrained": "../acme/w.safetensors", "arch": "resnet50"}
    found = without_places({"recipe": recipe, "source": r"D:\\acme\\w.pth"})
    assert found == {
        "recipe": {"teacher": "large", "pretrained": "w.safetensors", "arch": "resnet50"},
        "source": "w.pth",
    }
    known = {
        "recipe": {"pretrained": "hf-hub:timm/resnet50.a1_in1k"},
        "source": "hf:timm/resnet50.a1_in1k/model.safetensors",
    }
    assert without_places(known) == known


def test_a_bundle_of_several_labels_is_proven_by_its_labels(several_sealed):
    bundle = read_bundle(several_sealed)
    assert (bundle.labels, read_model(several_sealed).labels) == ("several", "several")
    certificate = bundle.certificates[0]
    assert (certificate["label_agreement"], certificate["label_set_agreement"]) == (1, 1)
    assert "top1_agreement" not in certificate
    said = certificate["accuracy"]["runtime"]
    assert 0 <= said["interval"][0] <= said["exact_match"] <= said["interval"][1]
    assert said["mean_average_precision"] == bundle.facts["metrics"]["mean_average_precision"]
    assert bundle.facts["metrics"]["per_label"][1]["n"] == 8
    card = (several_sealed / "README.md").read_text()
    assert "says which of 5 labels a picture has" in card
    assert "| early | 8 |" in card
    assert "all labels the same" in card
    assert "always answers" not in card


def test_a_bundle_that_says_nothing_of_labels_gives_one(sealed):
    assert read_bundle(sealed).labels == "one"
    assert json.loads((sealed / "bundle.json").read_text())["labels"] == "one"


def test_photos_of_one_label_prove_nothing_of_several(several_run, photos, tmp_path):
    with pytest.raises(DataError, match="these photos have one label each"):
        export(several_run, photos=photos, out=tmp_path / "x.linnet")
    assert not (tmp_path / "x.linnet").exists()
