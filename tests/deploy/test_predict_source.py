import ast
import hashlib
import importlib.util
import json
import subprocess
import sys
import venv
from importlib.metadata import version

import numpy as np
import pytest
from PIL import Image

from linnet.data.preprocess import Preprocess
from linnet.deploy import predict_source as module
from linnet.deploy.bundle import read_bundle
from linnet.deploy.predict import predict
from linnet.deploy.predict_source import predict_source
from linnet.errors import ProofError

NEEDS = {"numpy", "PIL", "onnxruntime", "openvino", "ai_edge_litert", "executorch", "torch"}  # of the runtimes any one


@pytest.fixture(scope="module")
def copied(sealed):
    """The bundle's predict.py as a module."""
    spec = importlib.util.spec_from_file_location("copied_predict", sealed / "predict.py")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules["copied_predict"] = loaded
    spec.loader.exec_module(loaded)
    yield loaded
    del sys.modules["copied_predict"]


def test_it_imports_only_what_it_says(sealed):
    text = (sealed / "predict.py").read_text(encoding="utf-8")
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(node.module.split(".")[0])
    assert imported - sys.stdlib_module_names == NEEDS


def test_it_is_linnets_own_source(sealed):
    """Preprocessing is written once: the copied functions are the same text."""
    text = (sealed / "predict.py").read_text(encoding="utf-8")
    assert text == predict_source(read_bundle(sealed).facts["versions"].get("linnet-vision", "(version unknown)"))
    import inspect

    from linnet.data import image, preprocess
    from linnet.deploy.runtime import aotinductor, executorch, litert, onnx, openvino

    for part in (preprocess.Preprocess, image.open_image, image.read_size, onnx.refuse_external_data, onnx.load_onnx):
        assert inspect.getsource(part) in text
    for loader in (
        openvino.load_openvino,
        litert.load_litert,
        executorch.load_executorch,
        aotinductor.load_aotinductor,
    ):
        assert inspect.getsource(loader) in text
    for alone in (executorch.load_executorch, aotinductor.load_aotinductor):  # which do not load without it
        text = text.replace(inspect.getsource(alone), "")
    assert "import torch" not in text
    assert "def convert" not in text


def odd_files(folder):
    """Pictures on which careless preprocessing differs: turned, grey, CMYK, transparent, 16 bits, large, thin."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (90, 130, 3), np.uint8))
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = turn
        rgb.save(folder / f"turned{turn}.jpg", exif=exif)
    rgb.convert("L").save(folder / "grey.png")
    rgb.convert("CMYK").save(folder / "cmyk.jpg")
    rgb.convert("P").save(folder / "palette.gif")
    clear = rgb.convert("RGBA")
    clear.putalpha(Image.fromarray(rng.integers(0, 256, (90, 130), np.uint8)))
    clear.save(folder / "clear.png")
    Image.fromarray(rng.integers(0, 65536, (70, 70), np.uint16)).save(folder / "deep.png")
    blocks = np.kron(rng.integers(0, 256, (12, 20, 3), np.uint8), np.ones((100, 100, 1), np.uint8))
    Image.fromarray(blocks).save(folder / "large.jpg")
    Image.fromarray(rng.integers(0, 256, (3, 200, 3), np.uint8)).save(folder / "thin.webp")
    return sorted(folder.iterdir())


def test_its_preprocessing_is_bit_equal(copied, sealed, tmp_path):
    theirs = copied.Classifier(sealed).preprocess
    ours = read_bundle(sealed).preprocess
    assert type(theirs) is not type(ours)
    for path in odd_files(tmp_path):
        assert np.array_equal(theirs.read(path), ours.read(path)), path.name
        assert np.array_equal(theirs.normalise(theirs.read(path)), ours.normalise(ours.read(path)))
    for settings in ({"mode": "squash"}, {"antialias": False}, {"interpolation": "bilinear"}, {"channels": "BGR"}):
        one, other = copied.Preprocess(image=33, **settings), Preprocess(image=33, **settings)
        for path in sorted(tmp_path.iterdir()):
            assert np.array_equal(one.normalise(one.read(path)), other.normalise(other.read(path)))


@pytest.mark.parametrize(
    ("parts", "files", "word"),
    [
        (("a", "b"), {"a": "X = 1", "b": "def X(): pass"}, "b and a both define 'X'"),
        (("b", "a"), {"a": "X = 1", "b": "from .a import X"}, "b imports 'X', which no part above it has"),
        (("a", "b"), {"a": "X = 1", "b": "from .a import X as Y"}, "b imports 'X'"),
        (("a", "b"), {"a": "X = 1", "b": "def f():\n    from .a import X"}, "b imports from Linnet inside a function"),
        (("a", "b"), {"a": "X = 1", "b": "def f():\n    import linnet.a"}, "b imports from Linnet inside a function"),
        (("a", "b"), {"a": "X = 1", "b": "import linnet.a"}, "b imports 'linnet.a'"),
        (("a",), {"a": "X = 1"}, None),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(parts, files, word, tmp_path, monkeypatch):
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    monkeypatch.setattr(module, "PARTS", tuple((part, ()) for part in parts))
    if word is None:
        assert "X = 1" in predict_source("1")
        monkeypatch.setattr(module, "PARTS", (("a", ("X", "Z")),))
        word = "a does not define 'Z'"
    with pytest.raises(ProofError, match=word):
        predict_source("1")


def installed(place):
    """A Python with numpy, Pillow and onnxruntime in the versions of here, and nothing else; None if pip cannot."""
    venv.create(place, with_pip=True, symlinks=sys.platform != "win32")
    python = next(path for path in (place / "bin" / "python", place / "Scripts" / "python.exe") if path.exists())
    wanted = [f"{name}=={version(name)}" for name in ("numpy", "pillow", "onnxruntime")]
    install = [python, "-m", "pip", "install", "-q", "--retries", "1", "--disable-pip-version-check", *wanted]
    try:
        done = subprocess.run(install, capture_output=True, text=True, timeout=200)
    except subprocess.TimeoutExpired:
        return None, "it takes longer than 200 s"
    return (python, "") if done.returncode == 0 else (None, done.stderr.strip()[-300:])


HASHES = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from predict import Classifier
p = Classifier(sys.argv[1]).preprocess
print(json.dumps([hashlib.sha256(p.normalise(p.read(file)).tobytes()).hexdigest() for file in sys.argv[2:]]))
"""


@pytest.mark.runtime
def test_it_runs_without_torch_in_an_environment_of_its_own(sealed, photos, tmp_path):
    python, why = installed(tmp_path / "environment")
    if python is None:
        pytest.skip(f"pip cannot install numpy, pillow and onnxruntime here: {why}")
    absent = "import importlib.util as u, sys; sys.exit(any(map(u.find_spec, ('torch', 'linnet', 'onnx', 'timm'))))"
    assert subprocess.run([python, "-I", "-c", absent]).returncode == 0

    folder = photos / "test"
    (tmp_path / "page.jpg").write_text("<html></html>")
    command = [
        python,
        "-I",
        "-W",
        "error",
        sealed / "predict.py",
        folder,
        tmp_path / "page.jpg",
        "--json",
        "--top",
        "4",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2  # one line for each bad file
    assert "page.jpg: not an image (looks like HTML)" in done.stderr
    answers = json.loads(done.stdout)
    expected = predict(sealed, [folder, tmp_path / "page.jpg"], top=4)
    assert len(answers) == len(expected) == 21
    for answer, one in zip(answers, expected, strict=True):
        assert answer["path"] == one.path
        assert [c["name"] for c in answer.get("classes", [])] == [name for name, _ in one.classes]
        shares = [c["probability"] for c in answer.get("classes", [])]
        assert shares == pytest.approx([share for _, share in one.classes], abs=1e-5)

    (tmp_path / "odd").mkdir()
    paths = odd_files(tmp_path / "odd")
    done = subprocess.run(
        [python, "-I", "-B", "-c", HASHES, sealed, *paths], capture_output=True, text=True, check=True
    )
    ours = read_bundle(sealed).preprocess
    assert json.loads(done.stdout) == [
        hashlib.sha256(ours.normalise(ours.read(path)).tobytes()).hexdigest() for path in paths
    ]
