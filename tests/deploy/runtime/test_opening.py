import numpy as np
import pytest

from linnet.deploy.runtime.known import RUNTIMES, WAYS, is_here
from linnet.deploy.runtime.opening import open_model
from linnet.errors import SettingError, WeightsError


def test_a_model_opens_by_the_name_of_its_runtime(sealed):
    run = open_model("onnx", "fp32", [(sealed / "model.onnx").read_bytes()], threads=1)
    assert run(np.zeros((2, 3, 64, 64), np.float32)).shape == (2, 4)


def test_an_unknown_runtime_is_one_of_a_later_linnet():
    with pytest.raises(SettingError, match="does not know the runtime 'abacus'"):
        open_model("abacus", "fp32", [b""])


@pytest.mark.parametrize("name", WAYS)
def test_garbage_is_refused_by_every_runtime(name):
    known, precision = WAYS[name]
    if not is_here(known.module):
        pytest.skip(f"{known.title} is not installed: pip install {known.package}")
    with pytest.raises((WeightsError, SettingError), match=r"Export the bundle again|does not compute in"):
        open_model(known.name, precision, [b"garbage" for _ in known.files], threads=1)


@pytest.mark.parametrize("name", RUNTIMES)
def test_a_missing_package_gives_the_line_to_install_it(name, sealed, monkeypatch):
    import sys

    module = RUNTIMES[name].module
    for loaded in [module, *(one for one in sys.modules if one.startswith(f"{module}."))]:
        monkeypatch.setitem(sys.modules, loaded, None)
    files = [(sealed / "model.onnx").read_bytes(), b""][: len(RUNTIMES[name].files)]
    with pytest.raises(SettingError, match=f"pip install {RUNTIMES[name].package}"):
        open_model(name, "fp32", files)
