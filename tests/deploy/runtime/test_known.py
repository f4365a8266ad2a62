from pathlib import Path

import pytest

from linnet.deploy.runtime import known
from linnet.deploy.runtime.known import RUNTIMES, WAYS, find_way, is_here, not_here, way
from linnet.errors import SettingError


def test_every_runtime_has_its_file_here_and_a_place_of_its_own_in_a_bundle():
    here = Path(known.__file__).parent
    files = [file for one in RUNTIMES.values() for file in one.files]
    assert len(files) == len(set(files))
    for name, one in RUNTIMES.items():
        assert name == one.name
        assert (here / f"{name}.py").is_file()
        assert "-" not in name  # it parts the precision
        assert one.precisions[0] == "fp32"


def test_int8_has_files_of_its_own():
    assert RUNTIMES["onnx"].files_of("int8") == ("model.int8.onnx",)
    assert RUNTIMES["openvino"].files_of("int8") == ("openvino-int8/model.xml", "openvino-int8/model.bin")
    assert RUNTIMES["executorch"].files_of("int8") == ("model.int8.pte",)
    for one in RUNTIMES.values():
        assert one.files_of("fp32") == one.files_of("bf16") == one.files
        assert not set(one.files_of("int8")) & set(one.files)


def test_a_way_is_a_runtime_and_a_precision():
    for name, (one, precision) in WAYS.items():
        assert way(one.name, precision) == name
        assert find_way(name) == (one, precision)
    assert find_way("openvino-bf16")[1] == "bf16"


@pytest.mark.parametrize("name", ["openvio", "onnx-bf16", "", "ONNX"])
def test_other_names_are_refused(name):
    with pytest.raises(
        SettingError, match=r"no runtime .*; allowed: onnx, onnx-int8, openvino, openvino-bf16, openvino-int8"
    ):
        find_way(name)
    with pytest.raises(SettingError, match="Did you mean 'openvino'"):
        find_way("openvio")


def test_what_is_here(monkeypatch):
    import sys

    assert is_here("json")
    assert not is_here("no_such_module")
    monkeypatch.setitem(sys.modules, "json", None)
    assert not is_here("json")


def test_the_error_says_what_to_install():
    for name, one in RUNTIMES.items():
        assert str(not_here(name)).endswith(f"pip install {one.package}")


def test_shapes_in_words():
    assert RUNTIMES["onnx"].shape(224, "float32") == "[B, 3, 224, 224]"
    assert RUNTIMES["onnx"].shape(224, "uint8") == "[B, 224, 224, 3]"


def test_the_extras_of_the_package_are_the_runtimes():
    import tomllib

    root = Path(__file__).parents[3]
    extras = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for name in RUNTIMES.keys() - {"onnx", "aotinductor"}:  # what they need comes with Linnet
        assert any(RUNTIMES[name].package.split()[0] in needed for needed in extras[name])
