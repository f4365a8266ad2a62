"""The walls of the house (docs/decisions/0001-the-house.md): layout, import rule, names, the public surface."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import linnet
import linnet.recipes.book

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "linnet"
FILES = sorted(p for p in SOURCE.rglob("*.py"))

# Which folders a folder may import, beside itself. `errors`, `files` and `cores` are for everyone.
MAY_IMPORT = {
    "arch": set[str](),
    "nn": {"arch"},
    "weights": {"arch", "nn", "data"},
    "cost": {"arch", "nn"},
    "data": set[str](),
    "evaluation": {"nn", "weights", "data"},
    "training": {"arch", "nn", "weights", "data", "evaluation", "cost"},
    "recipes": {"arch", "training"},
    "deploy": {"arch", "nn", "weights", "cost", "data", "evaluation"},
    "explanation": {"arch", "nn", "cost", "data", "evaluation", "deploy"},
    "nas": {"arch", "nn", "weights", "cost", "data", "evaluation", "training", "deploy"},
    "pipeline": {"arch", "nn", "weights", "cost", "data", "evaluation", "training", "deploy", "explanation", "nas"},
    "rehearsal": {"data", "training", "explanation"},
    "cli": set[str](),
}
RUNTIMES = {
    "onnxruntime": "onnx.py",
    "openvino": "openvino.py",
    "nncf": "openvino_int8.py",
    "ai_edge_litert": "litert.py",
    "litert_torch": "litert.py",
    "tensorrt": "tensorrt.py",
    "executorch": "executorch.py",
}
LONG_FOR_A_REASON: dict[str, str] = {}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "factory"}
# A file here is tested by the test of the file it belongs to, or is a list of facts.
NO_TEST_OF_ITS_OWN = {
    "__main__.py": "tests/test_cli.py runs it",
    **{
        f"recipes/{file}.py": "values, each held against its source in tests/recipes/test_values.py"
        for file in linnet.recipes.book.FILES
    },
    "weights/catalogue.py": "a list of facts, held against timm and torchvision in tests/weights/test_pretrained.py",
}


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Absolute names of all modules that a file imports, wherever in it, with the line."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            before = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (before, node.module or "") if part)
            for alias in node.names:
                yield f"{module}.{alias.name}", node.lineno


def area(module: str) -> str:
    """The folder or root file of a module of ours: linnet.data.image -> data."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_point_one_way(path: Path) -> None:
    own = area(".".join(path.relative_to(ROOT).with_suffix("").parts))
    allowed = MAY_IMPORT.get(own, set()) | {own, "errors", "files", "cores"}
    if own in ("cli", "__main__"):
        allowed |= {"SHORT", "VERBS", "__version__", "cli"}
    if own == "__init__":
        return  # the lazy public names, under TYPE_CHECKING
    for module, line in imports(path):
        if module.startswith("linnet."):
            assert area(module) in allowed, f"{path.name}:{line} imports {module}; {own} may import {sorted(allowed)}"


def test_arch_needs_the_standard_library_only() -> None:
    for path in (SOURCE / "arch").glob("*.py"):
        for module, line in imports(path):
            top = module.split(".")[0]
            assert top in sys.stdlib_module_names or top in ("linnet", "__future__"), f"{path.name}:{line}: {module}"


def test_a_runtime_is_imported_in_its_own_file_only() -> None:
    for path in FILES:
        for module, line in imports(path):
            top = module.split(".")[0]
            if top in RUNTIMES:
                assert path.parent.name == "runtime", f"{path.name}:{line} imports {module}"
                own = RUNTIMES[top]
                assert path.name in (own, own.replace(".py", "_int8.py")), f"{path.name}:{line} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_every_file_has_its_test(path: Path) -> None:
    relative = path.relative_to(SOURCE)
    if path.name == "__init__.py" or str(relative) in NO_TEST_OF_ITS_OWN:
        return
    expected = ROOT / "tests" / relative.with_name(f"test_{path.name}")
    assert expected.exists(), f"{relative} has no {expected.relative_to(ROOT)}"


@pytest.mark.parametrize(
    "path", [*FILES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda p: str(p.relative_to(ROOT))
)
def test_files_are_short_and_well_named(path: Path) -> None:
    relative = str(path.relative_to(ROOT))
    assert path.stem not in FORBIDDEN_NAMES, f"{relative}: say what it holds"
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= 400 or relative in LONG_FOR_A_REASON, f"{relative} has {lines} lines"


def test_no_file_of_ours_unpickles_or_evaluates() -> None:
    """RELIABILITY: loading a model never runs code."""
    dangerous = re.compile(r"weights_only=False|\bpickle\.loads?\(|torch\.jit\.load|(?<![\w.])eval\(|\bexec\(")
    for path in FILES:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            assert not dangerous.search(line), f"{path.relative_to(ROOT)}:{number}: {line.strip()}"


def test_every_module_imports_and_then_every_public_name_is_there() -> None:
    """In this order: a folder called like a verb would shadow it after its first import."""
    for path in FILES:
        if path.name != "__main__.py":
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    for name in linnet.__all__:
        assert getattr(linnet, name) is not None
    for verb in linnet.VERBS:
        assert inspect.isfunction(getattr(linnet, verb)), f"linnet.{verb} is not a function"


def test_importing_linnet_and_its_verbs_loads_no_torch() -> None:
    code = (
        "import sys, linnet\n"
        "heavy = {'torch', 'torchvision', 'onnx', 'onnxruntime', 'numpy', 'PIL'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "for verb in linnet.VERBS: getattr(linnet, verb)\n"
        "assert not {'torch', 'torchvision', 'onnxruntime'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_verbs_have_docstrings_that_name_their_parameters() -> None:
    for verb in linnet.VERBS:
        function = getattr(linnet, verb)
        text = inspect.getdoc(function) or ""
        assert text.split("\n")[0].endswith("."), f"{verb}: the first line says what it does"
        for parameter in inspect.signature(function).parameters:
            assert re.search(rf"^\s+\*?{parameter}: ", text, re.MULTILINE), f"{verb}: {parameter} is not explained"
