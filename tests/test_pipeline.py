"""The main verb, end to end on a few small pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from linnet import evaluate, fit, predict
from linnet.data.sample import sample_photos
from linnet.errors import LinnetError, SettingError
from linnet.evaluation.several import SeveralEvaluation
from linnet.pipeline import DEFAULT, WITHOUT_WEIGHTS, Fitted, choose_arch
from linnet.training.stop import TrainingStopped


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sample_photos(tmp_path_factory.mktemp("sample") / "photos", per_class=20, image=48, seed=1)


@pytest.fixture(scope="module")
def fitted(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    out = tmp_path_factory.mktemp("fit") / "run"
    return fit(
        photos, arch="mobilenetv3_small_050", from_scratch=True, epochs=2, image=64, batch=16, out=out, workers=0
    )


def test_a_run_leaves_a_model_a_report_and_a_proven_bundle(fitted: Fitted, photos: Path) -> None:
    names = {path.name for path in fitted.run.iterdir()}
    assert names >= {
        "recipe.json",
        "environment.json",
        "data.json",
        "log.jsonl",
        "best.safetensors",
        "predictions.json",
    }
    assert fitted.report == fitted.run / "report.html"
    assert {"bundle.json", "model.onnx", "weights.safetensors", "predict.py", "README.md"} <= {
        path.name for path in fitted.bundle.iterdir()
    }
    assert fitted.certificate["passed"] is True
    assert fitted.split == "test"
    assert fitted.metrics["n"] == 30
    predictions = json.loads((fitted.run / "predictions.json").read_text())
    assert len(predictions["items"]) == 30
    assert len(predictions["classes"]) == 10


def test_what_it_says_is_what_it_found(fitted: Fitted) -> None:
    text = str(fitted)
    assert f"{100 * fitted.metrics['top1']:.1f} % of 30 test photos" in text
    assert str(fitted.bundle) in text
    assert json.loads(json.dumps(fitted.to_json()))["split"] == "test"


def test_a_model_that_guesses_is_called_so(fitted: Fitted) -> None:
    assert fitted.most_frequent[1] == pytest.approx(0.1)
    for low, said in ((0.05, True), (0.1, True), (0.11, False)):
        one = replace(fitted, metrics={**fitted.metrics, "top1": 0.12, "top1_interval": [low, 0.3]})
        assert ("not surely better than always to say" in str(one)) == said


def test_ctrl_c_after_the_training_says_how_to_go_on(fitted: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_given: object, **_settings: object) -> None:
        raise KeyboardInterrupt

    before = sorted(fitted.run.glob("*.linnet"))
    monkeypatch.setattr("linnet.deploy.export.export_model", pressed)
    with pytest.raises(TrainingStopped, match=f"after the training.*Go on with: linnet fit --resume {fitted.run}"):
        fit(resume=fitted.run)
    assert sorted(fitted.run.glob("*.linnet")) == before


def test_a_finished_run_is_finished_again_without_training(fitted: Fitted) -> None:
    weights = (fitted.run / "best.safetensors").read_bytes()
    again = fit(resume=fitted.run)
    assert (fitted.run / "best.safetensors").read_bytes() == weights
    assert again.metrics == fitted.metrics
    assert again.bundle != fitted.bundle  # nothing is overwritten


def test_wrong_settings_fail_before_anything_is_written(tmp_path: Path) -> None:
    for wrong in ({"arch": "efficientnet_bo"}, {"epochs": 0}, {"image": 3}, {"lr": -1.0}, {"batch": 1}):
        with pytest.raises(SettingError):
            fit(tmp_path / "photos", out=tmp_path / "run", **wrong)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(LinnetError, match="photos"):
        fit(tmp_path / "photos", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_keeps_its_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="--epochs"):
        fit(resume=tmp_path, epochs=3)


def test_without_weights_it_trains_from_scratch_and_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linnet.weights.pretrained.obtainable", lambda name: False)
    arch, note = choose_arch(from_scratch=False)
    assert arch == WITHOUT_WEIGHTS
    assert "from scratch" in note
    assert "linnet-vision[lite]" in note
    monkeypatch.setattr("linnet.weights.pretrained.obtainable", lambda name: name == WITHOUT_WEIGHTS)
    arch, note = choose_arch(from_scratch=False)
    assert arch == WITHOUT_WEIGHTS
    assert "Fine-tuning" in note
    monkeypatch.setattr("linnet.weights.pretrained.obtainable", lambda name: True)
    note = f"Fine-tuning {DEFAULT} from its ImageNet weights (Apache-2.0)."
    assert choose_arch(from_scratch=False) == (DEFAULT, note)


def test_several_labels_from_a_csv_to_a_bundle(photos: Path, tmp_path: Path) -> None:
    rows = ["path,lines,round,early"]
    for path in sorted(photos.rglob("*.jpg")):
        has = (path.parent.name in ("checks", "stripes"), path.parent.name in ("dots", "ring"), path.stem < "00012")
        rows.append(",".join([str(path), *(str(int(there)) for there in has)]))
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    found = fit(
        tmp_path / "labels.csv", arch="mobilenetv3_small_035", from_scratch=True, epochs=1, image=32, batch=16,
        out=tmp_path / "run", workers=0,
    )  # fmt: skip
    assert 0 < found.metrics["mean_average_precision"] <= 1
    assert "mean average precision" in str(found)
    assert found.certificate["passed"] is True
    assert found.certificate["label_agreement"] == 1
    assert json.loads((found.bundle / "bundle.json").read_text())["labels"] == "several"
    said = predict(found.bundle, [next(photos.rglob("*.jpg"))], top=3)[0]
    assert said.labels is not None
    assert len(said.classes) == 3
    data = json.loads((found.run / "data.json").read_text())
    assert sum(map(len, data["files"].values())) == 200
    assert all(isinstance(label, list) for _path, label, _digest in data["files"]["train"])
    measured = evaluate(found.run, tmp_path / "labels.csv", workers=0)
    assert isinstance(measured, SeveralEvaluation)
    assert measured.metrics.to_json() == found.metrics
    assert "label by label" in found.report.read_text(encoding="utf-8")
