import json

import pytest

from linnet.explanation.folder import read_run
from linnet.explanation.proof import bundle_tiles, certificates, commands, facts, surroundings
from linnet.explanation.section import Missing


def with_certificates(run, change):
    path = run / "run.linnet" / "bundle.json"
    value = json.loads(path.read_text())
    value["certificates"] = change(value["certificates"][0])
    path.write_text(json.dumps(value))
    return read_run(run)


def test_the_certificate_says_all_that_deploy_wrote(make_run):
    card = certificates(read_run(make_run(n=40)))["cards"][0]
    assert (card["title"], card["passed"]) == ("ONNX Runtime fp32", True)
    said = dict(card["facts"])
    assert said["photos compared"] == "372 test (1 could not be read)"
    assert said["same first answer as the network"] == "100\u00a0%"
    assert said["accuracy drop"] == "0.0 points, at most 0.8 (95 % sure, one-sided)"
    assert said["one photo takes"].startswith("median 2.71\u00a0ms, 90\u00a0% under 2.93\u00a0ms")
    assert said["machine"].startswith("processor AMD EPYC 7B13")
    assert said["versions"] == "python 3.11.2, onnxruntime 1.23.2, torch 2.14.1"
    assert said["largest logit difference"] == "3.1·10⁻⁵, 1.3·10⁻⁵ of their spread (allowed 0.001)"


def test_what_was_found_at_other_sizes_is_one_line():
    sizes = [{"height": 80, "width": 160, "largest_logit_difference": 3.1e-5}, {"height": 320, "width": 320}, 7]
    said = dict(facts({"sides": [80, 320], "sizes": sizes}))
    assert said == {"the same at other image sizes": "80 x 160: 3.1·10⁻⁵"}
    assert facts({"sizes": 7}) == []


def test_what_a_later_version_adds_is_shown_too():
    said = dict(facts({"energy": {"per_photo_ms": 3.5, "weighed": True}, "note": "x", "passed": True}))
    assert said == {"energy, per photo ms": "3.50\u00a0ms", "energy, weighed": "yes", "note": "x"}


def test_tiles_tell_what_failed_and_what_is_not_there(make_run):
    run = make_run(n=40)
    assert [t[1] for t in bundle_tiles(read_run(run))] == ["2.71\u00a0ms", "6.11\u00a0MB", "passed"]
    (run / "run.linnet" / "model.onnx").write_bytes(b"other")
    assert bundle_tiles(read_run(run))[-1][1:] == ("not valid", "the bundle was changed since", "bad")


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        (lambda c: [c, c | {"passed": False}], "not passed"),
        (lambda c: [{k: v for k, v in c.items() if k != "passed"}], "not passed"),
        (lambda c: [], "–"),
    ],
)
def test_only_a_passed_certificate_passes(make_run, change, figure):
    run = with_certificates(make_run(n=40), change)
    run = type(run)(**{**vars(run), "damaged": {}})  # the manifest's own hash aside
    assert bundle_tiles(run)[-1][1] == figure
    if figure == "–":
        with pytest.raises(Missing):
            certificates(run)


def test_commands_can_be_pasted(make_run):
    run = make_run(n=40, folder="my run; rm -rf")
    said = [command for _, command in commands(read_run(run))]
    assert said[0] == "linnet train clothing --recipe 'my run; rm -rf'/recipe.json"
    assert said[-1] == "python 'my run; rm -rf'/run.linnet/predict.py photo.jpg"
    (run / "run.linnet" / "bundle.json").unlink()
    assert commands(read_run(run))[-1] == ("export", "linnet export 'my run; rm -rf'")


def test_commands_keep_the_way_from_here_and_drop_the_way_to_here(make_run, monkeypatch):
    run = make_run(n=40)
    monkeypatch.chdir(run.parent.parent)
    said = [command for _, command in commands(read_run(run.relative_to(run.parent.parent)))]
    assert said[1] == f"linnet evaluate {run.parent.name}/{run.name} clothing"
    assert [command for _, command in commands(read_run(run))][1] == f"linnet evaluate {run.name} clothing"


def test_the_licence_of_the_first_weights_is_told(make_run):
    values = surroundings(read_run(make_run(n=40)))
    assert ("licence, name", "Apache-2.0") in values["weights"]
    assert dict(values["rows"])["packages"] == "linnet-vision 0.1.0, torch 2.14.1, numpy 2.3.5"
