"""RELIABILITY row 1, 7 and 9: no file runs code, through whichever door it comes in."""

from __future__ import annotations

import builtins
import functools
import importlib
import io
import json
import operator
import os
import pickle
import pkgutil
import pydoc
import runpy
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save

from linnet.arch.names import find
from linnet.arch.spec import Arch
from linnet.data.index import list_pack
from linnet.data.source import find_photos
from linnet.deploy.bundle import read_bundle
from linnet.deploy.classifier import Classifier
from linnet.deploy.manifest import manifest_text
from linnet.errors import LinnetError
from linnet.recipes.book import book
from linnet.training.recipe import Recipe
from linnet.weights.file import read_weights
from linnet.weights.model import read_model
from linnet.weights.state import read_state


class Call:
    """Pickled, it calls `function` with these arguments when it is read."""

    def __init__(self, function: Callable[..., Any], *arguments: Any, state: Any = None) -> None:
        self.plan = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.plan


def saved(value: Any, **how: Any) -> bytes:
    file = io.BytesIO()
    torch.save({"weight": value}, file, **how)
    return file.getvalue()


def zip_with(name: str, data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, data)
    return file.getvalue()


def tar_with(name: str, data: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def objects(value: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, weight=np.array([value], dtype=object))
    return file.getvalue()


def pickles(touch: str, script: str) -> dict[str, bytes]:
    """Files that are read by unpickling, each of which runs `touch` (or the Python file `script`) if it is."""
    code = f"__import__('os').system({touch!r})"
    system = Call(os.system, touch)
    return {
        "system.pth": saved(system),
        "old_format.pth": saved(system, _use_new_zipfile_serialization=False),
        "plain.pkl": pickle.dumps(system),
        "text_protocol.pt": pickle.dumps(system, 0),
        "eval.pth": saved(Call(builtins.eval, code)),
        "exec.pth": saved(Call(builtins.exec, code)),
        "popen.pth": saved(Call(subprocess.Popen, touch.split())),
        "resolve_name.pth": saved(Call(pkgutil.resolve_name, "os:system")),
        "runpy.pth": saved(Call(runpy.run_path, script)),
        "partial.pth": saved(Call(functools.partial(os.system, touch))),
        "locate.pth": saved(Call(pydoc.locate, "os.system")),
        "import.pth": saved(Call(importlib.import_module, "this")),
        "getter.pth": saved(Call(operator.attrgetter("__class__.__base__.__subclasses__"), 0)),
        "state.pth": saved(Call(functools.partial, print, state=(os.system, (touch,), {}, {}))),
        "inner.pth": zip_with("archive/data.pkl", pickle.dumps(system)),
        "nested.pth": zip_with("archive/data.pkl", saved(system)),
        "model.pth.tar": tar_with("pickle", pickle.dumps(system)),
        "list.ckpt": pickle.dumps([{"state_dict": {"weight": system}}]),
    }


def others(touch: str) -> dict[str, bytes]:
    """Files under the names that we read, with code in them that some reader somewhere runs."""
    code = f"__import__('os').system({touch!r})"
    system = pickle.dumps(Call(os.system, touch))
    named = {"_target_": "os.system", "command": touch, "arch": {"_target_": "builtins.eval", "_args_": [code]}}
    return {
        "pickle.safetensors": system,
        "torch.safetensors": saved(Call(os.system, touch)),
        "metadata.safetensors": save(
            {"a": torch.zeros(1)}, {"linnet": code, "sha256": "0" * 64, "pickle": system.hex()}
        ),
        "dtype.safetensors": save({"a": torch.zeros(1)}).replace(b"F32", b"O64"),
        "objects.npz": objects(Call(os.system, touch)),
        "objects.safetensors": objects(Call(os.system, touch)),
        "joblib.safetensors": zlib.compress(system),
        "yaml.json": f"!!python/object/apply:os.system ['{touch}']".encode(),
        "target.json": json.dumps(named).encode(),
        "recipe.json": json.dumps({"arch": "os.system", "optimizer": code, "photos": f"pipe:{touch}"}).encode(),
        "operator.json": json.dumps(
            {"name": "a", "image": 32, "stem": [{"op": {"op": "os.system", "k": touch}}]}
        ).encode(),
        "index.json": json.dumps({"shards": [f"pipe:{touch}"], "rows": [[f"pipe:{touch}"]]}).encode(),
        "photos.csv": f"path,label\n|{touch},a\npipe:{touch},b\n`{touch}`.jpg,b\n=cmd|'{touch}'!A0.jpg,a\n".encode(),
        "sample.pyd": tar_with("0.pyd", system),
        "bundle.linnet.zip": zip_with("bundle.json", manifest_text(named | {"schema": 1, "files": {}}).encode()),
        "code.zip": zip_with("__main__.py", code.encode()),
    }


def doors(path: Path) -> list[Callable[[], Any]]:
    """Everything of ours that reads a file a stranger sent."""
    arch = find("mobilenetv3_small_035")
    return [
        lambda: read_state(path),
        lambda: read_weights(path, arch),
        lambda: read_weights(path),
        lambda: read_model(path),
        lambda: read_bundle(path),
        lambda: Classifier(path),
        lambda: Recipe.load(path),
        lambda: Arch.from_json(json.loads(path.read_bytes())),
        lambda: find_photos(path),
        lambda: list_pack(path.parent),
    ]


def test_no_file_runs_through_any_door(tmp_path: Path) -> None:
    marker, script = tmp_path / "ran", tmp_path / "script.py"
    script.write_text(f"open({str(marker)!r}, 'w')")
    touch = f"touch {marker}"
    files = {**pickles(touch, str(script)), **others(touch)}
    assert len(files) >= 20
    opened = 0
    for name, data in files.items():
        folder = tmp_path / "files" / name
        folder.mkdir(parents=True)
        (folder / name).write_bytes(data)
        for door in doors(folder / name):
            try:
                door()
                opened += 1
            except (LinnetError, ValueError):  # ValueError: JSON's own, in `doors`
                pass
            assert not marker.exists(), name
    assert opened <= 3 * len(files)  # most are refused


CHILD = """
import sys
from pathlib import Path
from linnet.weights.pickled import _read_in_child
for path in map(Path, sys.argv[2:]):
    try:
        _read_in_child(path, Path(sys.argv[1]), 2**30)
        print(path.name, "READ")
    except BaseException as error:
        print(path.name, type(error).__name__)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the marker is made by `touch`")
def test_the_door_for_pickles_runs_none_either(tmp_path: Path) -> None:
    """What `linnet convert` does in its child, for all of them in one child."""
    marker, script = tmp_path / "ran", tmp_path / "script.py"
    script.write_text(f"open({str(marker)!r}, 'w')")
    files = pickles(f"touch {marker}", str(script))
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    paths = [str(tmp_path / name) for name in files]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "out"), *paths], capture_output=True, text=True, timeout=120
    )
    assert not marker.exists()
    assert len(done.stdout.splitlines()) == len(files), done.stderr
    assert "READ" not in done.stdout


def test_a_payload_does_run_where_nobody_looks(tmp_path: Path) -> None:
    """So that the tests above can fail: plain unpickling runs it."""
    marker = tmp_path / "ran"
    pickle.loads(pickles(f"touch {marker}", "")["plain.pkl"])
    assert marker.exists()


def strings(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a JSON value a text stands."""
    if isinstance(node, dict):
        return [found for key, inner in node.items() for found in strings(inner, (*path, key))]
    if isinstance(node, list):
        return [found for i, inner in enumerate(node) for found in strings(inner, (*path, i))]
    return [path] if isinstance(node, str) else []


def with_text(value: Any, place: tuple[Any, ...], text: str) -> Any:
    """A copy of `value` with another text at one place."""
    changed = node = json.loads(json.dumps(value))
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = text
    return changed


@pytest.mark.parametrize("word", ["os.system", "builtins.eval", "this.s", "!!python/name:os.system", "this:s"])
def test_no_text_of_a_table_can_name_code(word: str) -> None:
    """Row 7: whatever chooses something comes from a closed list."""
    value = find("mobilenetv3_small_035").to_json()
    places = [place for place in strings(value) if place[0] not in ("name", "source")]  # texts for people
    assert len(places) > 20
    for place in places:
        with pytest.raises(LinnetError):
            list(Arch.from_json(with_text(value, place, word)).features())
    assert "this" not in sys.modules


@pytest.mark.parametrize("word", ["this.s", "__import__('this')"])
def test_no_text_of_any_published_recipe_can_name_code(word: str) -> None:
    """Some are texts for people or names of files, which no reading of a recipe opens; the others are refused."""
    kept, refused = 0, 0
    recipes = {name: one.recipe.to_json() for name, one in book().items()}
    assert len(recipes) > 20
    for value in recipes.values():
        for place in strings(value):
            try:
                Recipe.from_json(with_text(value, place, word))
                kept += 1
            except LinnetError:
                refused += 1
    assert refused > kept
    assert "this" not in sys.modules
