import json
import shutil
import subprocess
import sys

import pytest

from linnet.cli import main
from linnet.deploy.predict import predict
from linnet.errors import DataError, SettingError, WeightsError


def test_files_and_folders(sealed, photos):
    first = photos / "test" / "waves" / "0.jpg"
    found = predict(sealed, [first, photos / "test" / "dots"], top=3)
    assert len(found) == 6
    assert found[0].path == str(first)
    assert len(found[0].classes) == 3
    assert [bool(one.error) for one in found] == [False] * 5 + [True]
    assert len(str(found).splitlines()) == 5
    (error,) = found.errors
    assert error.startswith(f"{photos / 'test' / 'dots' / '4.jpg'}: ")
    value = json.loads(json.dumps(found.to_json()))
    assert value[0]["classes"][0]["name"] in ("waves", "dots", "checks", "lines")
    assert predict(sealed, first).to_json() == predict(sealed, [str(first)]).to_json()


@pytest.mark.parametrize("json_flag", [(), ("--json",)])
def test_the_command_leaves_with_1_when_a_picture_is_missing_in_its_answer(sealed, photos, capsys, json_flag):
    good, bad = str(photos / "test" / "waves" / "0.jpg"), str(photos / "test" / "dots" / "4.jpg")
    main(["predict", str(sealed), good, *json_flag])  # no exit code but 0 comes back
    alone = capsys.readouterr()
    assert alone.err == ""
    with pytest.raises(SystemExit) as leaving:
        main(["predict", str(sealed), good, bad, *json_flag])
    assert leaving.value.code == 1
    out, err = capsys.readouterr()
    assert err.startswith(f"linnet: {bad}: ")
    assert err.count("\n") == 1
    if json_flag:
        assert [sorted(one) for one in json.loads(out)] == [["classes", "path"], ["error", "path"]]
    else:
        assert out == alone.out


def test_a_runtime_by_name(sealed, photos, capsys):
    photo = str(photos / "test" / "waves" / "0.jpg")
    main(["predict", str(sealed), photo, "--runtime", "onnx"])
    assert photo in capsys.readouterr().out
    with pytest.raises(SettingError, match="has no runtime 'openvino'"):
        predict(sealed, [photo], runtime="openvino")


def test_a_run_with_a_bundle_in_it(sealed, run, photos):
    assert len(predict(run, [photos / "test" / "waves" / "0.jpg"])) == 1


def test_a_run_without_a_bundle_says_how_to_make_one(run, photos, tmp_path):
    shutil.copy(run / "best.safetensors", tmp_path)
    with pytest.raises(SettingError, match=f"linnet export {tmp_path}"):
        predict(tmp_path, [photos / "test" / "waves" / "0.jpg"])


def test_several_bundles(bundle, photos):
    shutil.copytree(bundle, bundle.with_name("other.linnet"))
    with pytest.raises(
        SettingError, match=r"several bundles; name one of mobilenetv3_small_035\.linnet, other\.linnet"
    ):
        predict(bundle.parent, [photos / "test" / "waves" / "0.jpg"])


@pytest.mark.parametrize("name", ["model.onnx", "weights.safetensors", "predict.py"])
def test_a_damaged_bundle_predicts_nothing(bundle, photos, name):
    with open(bundle / name, "r+b") as file:
        file.seek(100)
        byte = file.read(1)
        file.seek(100)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(WeightsError, match=name):
        predict(bundle, [photos / "test" / "waves" / "0.jpg"])


def test_refusals(sealed, photos, tmp_path):
    photo = photos / "test" / "waves" / "0.jpg"
    with pytest.raises(WeightsError, match="not a bundle"):
        predict(tmp_path / "nothing", [photo])
    with pytest.raises(SettingError, match="top is 0"):
        predict(sealed, [photo], top=0)
    with pytest.raises(DataError, match="No pictures are given"):
        predict(sealed, [])
    with pytest.raises(DataError, match=r"x\.jpg: there is no such file \(none of 2 can be read\)"):
        predict(sealed, [tmp_path / "x.jpg", tmp_path / "y.jpg"])


def test_no_torch_is_loaded(sealed, photos):
    code = (
        "import sys, linnet; from linnet.deploy.predict import predict\n"
        "print({'torch', 'numpy', 'PIL', 'onnx', 'onnxruntime'} & set(sys.modules))\n"
        f"predict({str(sealed)!r}, [{str(photos / 'test' / 'waves' / '0.jpg')!r}])\n"
        "print({'torch', 'onnx', 'pydantic'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\nset()\n", "")
