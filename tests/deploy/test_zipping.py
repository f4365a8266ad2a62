import json
import os
import subprocess
import sys
import zipfile

import pytest

from linnet.deploy.bundle import read_bundle
from linnet.deploy.classifier import Classifier
from linnet.deploy.export import export
from linnet.deploy.manifest import read_file, read_manifest
from linnet.deploy.predict import predict
from linnet.deploy.zipping import zip_bundle, zip_of
from linnet.errors import SettingError, WeightsError
from linnet.evaluation.evaluate import evaluate
from linnet.weights.model import read_model


@pytest.fixture
def zipped(bundle):
    return zip_bundle(read_bundle(bundle))


def test_it_lies_beside_the_folder_and_nothing_is_overwritten(bundle, zipped):
    assert zipped == zip_of(bundle)
    assert zipped.name == f"{bundle.name}.zip"
    before = zipped.read_bytes()
    with pytest.raises(SettingError, match="something there already"):
        zip_bundle(read_bundle(bundle))
    assert zipped.read_bytes() == before
    zipped.unlink()
    assert zip_bundle(read_bundle(bundle)).read_bytes() == before  # the same bundle, the same bytes
    assert sorted(path.name for path in bundle.parent.iterdir() if ".linnet" in path.name) == [bundle.name, zipped.name]


def test_unzipped_it_is_the_bundle_again(bundle, zipped, tmp_path):
    with zipfile.ZipFile(zipped) as archive:
        archive.extractall(tmp_path / "out")
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    copy = read_bundle(tmp_path / "out" / bundle.name)
    assert copy.facts == read_bundle(bundle).facts == read_bundle(zipped).facts


def test_every_reader_gives_the_same_as_from_the_folder(bundle, zipped, photos, capsys):
    photo = photos / "test" / "waves" / "0.jpg"
    assert predict(zipped, [photo]).to_json() == predict(bundle, [photo]).to_json()
    assert Classifier(zipped).predict(photo) == Classifier(bundle).predict(photo)
    one, other = read_model(zipped), read_model(bundle)
    assert (one.arch, one.classes, one.facts) == (other.arch, other.classes, other.facts)
    assert all((one.state[name] == other.state[name]).all() for name in other.state)
    told = evaluate(zipped, photos, workers=0)
    assert (told.logits == evaluate(bundle, photos, workers=0).logits).all()


def test_a_run_that_has_only_the_zip(bundle, zipped, photos, tmp_path):
    (tmp_path / "run").mkdir()
    os.link(zipped, tmp_path / "run" / zipped.name)
    assert len(predict(tmp_path / "run", [photos / "test" / "waves" / "0.jpg"])) == 1


def test_the_bundles_own_program_reads_a_zip_too(bundle, zipped, photos):
    """Without Linnet: `from predict import Classifier` beside a zip."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from predict import Classifier\n"
        "print(Classifier(sys.argv[2]).predict(sys.argv[3]).classes[0][0])"
    )
    photo = photos / "test" / "waves" / "0.jpg"
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", code, bundle, zipped, photo], capture_output=True, text=True
    )
    assert done.stderr == ""
    assert done.stdout.strip() == predict(bundle, [photo])[0].classes[0][0]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_bundle_that_a_person_zipped(bundle, compression, photos, tmp_path):
    path = tmp_path / "mine.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for file in bundle.iterdir():
            archive.write(file, file.name)
    assert read_bundle(path).name == read_bundle(bundle).name
    assert read_model(path).classes


def test_what_bundle_json_does_not_list_is_refused(zipped):
    with zipfile.ZipFile(zipped, "a") as archive:
        archive.writestr(f"{zipped.stem}/inner.zip", b"PK")
    with pytest.raises(WeightsError, match=r"holds inner\.zip, which bundle\.json does not list"):
        read_manifest(zipped)
    with pytest.raises(WeightsError, match=r"inner\.zip"):
        Classifier(zipped)


def test_one_flipped_bit_anywhere_is_refused_or_does_not_matter(bundle, zipped):
    """Bytes that zip itself does not use, such as a member's date, may differ; what is in the bundle may not."""
    good, facts = zipped.read_bytes(), read_bundle(zipped).facts
    wanted = {name: read_file(bundle, name, facts) for name in facts["files"]}
    for place in range(0, len(good), len(good) // 60):
        data = bytearray(good)
        data[place] ^= 4
        zipped.write_bytes(data)
        try:
            found = read_manifest(zipped)
            assert {name: read_file(zipped, name, found) for name in found["files"]} == wanted
        except WeightsError:
            continue


def test_other_files_are_no_bundles(tmp_path, photos):
    (tmp_path / "a.zip").write_bytes(b"\x89PNG")
    photo = photos / "test" / "waves" / "0.jpg"
    with pytest.raises(WeightsError, match=r"a\.zip: not read, it is no zip"):
        predict(tmp_path / "a.zip", [photo])
    with pytest.raises(WeightsError, match=r"a\.zip: not read, it is no zip"):
        read_model(tmp_path / "a.zip")
    with pytest.raises(WeightsError, match="no zip"):
        predict(photo, [photo])


def test_export_writes_it_too(run, tmp_path):
    made = export(run, out=tmp_path / "net.linnet", workers=0, zip=True)
    path = tmp_path / "net.linnet.zip"
    assert f"{path}: the same in one file" in made.notes
    assert read_bundle(path).facts == read_bundle(made.folder).facts
    with pytest.raises(SettingError, match="is a bundle already"):
        export(path)


def test_export_looks_for_a_zip_before_it_begins(run, tmp_path):
    (tmp_path / "net.linnet.zip").write_bytes(b"mine")
    with pytest.raises(SettingError, match=r"net\.linnet\.zip: there is something there already"):
        export(run, out=tmp_path / "net.linnet", workers=0, zip=True)
    assert [path.name for path in tmp_path.iterdir()] == ["net.linnet.zip"]


def test_a_bundle_that_no_reader_would_take_as_a_zip_stays_a_folder(run, tmp_path, monkeypatch):
    monkeypatch.setattr("linnet.deploy.zipping.MOST_BYTES", 1000)
    made = export(run, out=tmp_path / "net.linnet", workers=0, zip=True)
    assert "Send the folder" in made.errors[0]
    assert read_bundle(made.folder).runtimes
    assert [path.name for path in tmp_path.iterdir()] == ["net.linnet"]


def test_its_facts_are_json(zipped):
    json.dumps(read_bundle(zipped).facts)
