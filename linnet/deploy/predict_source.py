"""The text of a bundle's `predict.py`, put together from the very source that Linnet itself runs.

So opening a file, preprocessing, checking hashes and running the model are written once. Imports among the parts are
dropped, since all stand in one file; what a part imports from elsewhere is gathered at the top.
"""

from __future__ import annotations

import ast
from importlib.resources import files

from ..errors import ProofError

# Module and, where only some of it is wanted, the names of that. A part may import only from parts above it.
PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("errors", ()),
    ("cores", ()),
    ("data.image", ()),
    ("data.preprocess", ()),
    ("weights.archive", ()),
    ("deploy.manifest", ()),
    ("deploy.runtime.known", ()),
    ("deploy.outputs", ()),
    ("deploy.quiet", ("silent", "written_to", "moved")),
    ("deploy.runtime.onnx", ("MESSAGES", "EXTERNAL", "refuse_external_data", "read_varint", "load_onnx", "has_vnni")),
    ("deploy.runtime.ir", ()),
    ("deploy.runtime.openvino", ("same_signal_stack", "load_openvino")),
    ("deploy.runtime.litert", ("load_litert",)),
    ("deploy.runtime.executorch", ("OPEN", "load_executorch")),
    ("deploy.runtime.aotinductor", ("INSTRUCTIONS", "SAID", "LARGEST_FACTS", "compiled_for", "load_aotinductor")),
    ("deploy.runtime.opening", ()),
    ("deploy.classifier", ()),
)  # fmt: skip

HEAD = '''\
"""Classify pictures with the model that lies beside this file: python predict.py photo.jpg

Needs Python 3.10 or newer, numpy, Pillow and the package of one runtime that bundle.json lists; not linnet.
As a module: Classifier(FOLDER).predict("photo.jpg").
Put together from the source of Linnet {version}, so that it prepares pictures exactly as they were in training.
SPDX-License-Identifier: Apache-2.0
"""

from __future__ import annotations

{imports}
'''

TAIL = """

if __name__ == "__main__":
    sys.exit(main())
"""


def predict_source(version: str) -> str:
    """The whole text.

    Raises: ProofError when the parts do not fit into one file: a name that two of them define, or an import from
    a part that is not there.
    """
    owner: dict[str, str] = {}
    imports: list[ast.stmt] = []
    everything: list[ast.stmt] = []
    texts = []
    for module, wanted in PARTS:
        text = files("linnet").joinpath(*module.split(".")[:-1], module.split(".")[-1] + ".py").read_text("utf-8")
        body = ast.parse(text).body
        chosen = [node for node in body if is_wanted(node, wanted)]
        check_imports(module, [node for node in body if own_import(node)], chosen, owner)
        for name in (name for node in chosen for name in names_of(node)):
            if owner.setdefault(name, module) != module:
                raise ProofError(f"predict.py: {module} and {owner[name]} both define {name!r}. Rename one.")
        if missing := [name for name in wanted if owner.get(name) != module]:
            raise ProofError(f"predict.py: {module} does not define {missing[0]!r}. Mend PARTS.")
        imports += [node for node in body if is_import(node) and not own_import(node)]
        everything += chosen
        texts.append(part_text(module, text, chosen))
    used = {node.id for top in everything for node in ast.walk(top) if isinstance(node, ast.Name)} | {"sys"}
    return HEAD.format(version=version, imports="\n".join(gathered(imports, used))) + "".join(texts) + TAIL


def is_wanted(node: ast.stmt, wanted: tuple[str, ...]) -> bool:
    names = names_of(node)
    if wanted:
        return bool(set(names) & set(wanted))
    return not (is_import(node) or is_docstring(node) or is_type_checking(node) or names == ["__all__"])


def check_imports(module: str, own: list[ast.stmt], chosen: list[ast.stmt], owner: dict[str, str]) -> None:
    for node in own:
        for name in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
            if isinstance(node, ast.Import) or name.asname or name.name not in owner:
                raise ProofError(f"predict.py: {module} imports {name.name!r}, which no part above it has. Mend PARTS.")
    if any(own_import(node) for top in chosen for node in ast.walk(top)):
        raise ProofError(f"predict.py: {module} imports from Linnet inside a function. Import it at the top.")


def gathered(imports: list[ast.stmt], used: set[str]) -> list[str]:
    """One line per module, sorted, of those names that the text uses."""
    plain, parts = set[str](), dict[str, set[str]]()
    for node in imports:
        for name in node.names if isinstance(node, ast.Import | ast.ImportFrom) else ():
            said = name.name + (f" as {name.asname}" if name.asname else "")
            if (name.asname or name.name.split(".")[0]) not in used:
                continue
            if isinstance(node, ast.ImportFrom):
                parts.setdefault(node.module or "", set()).add(said)
            else:
                plain.add(f"import {said}")
    return sorted(plain) + [
        f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(parts.items())
    ]


def part_text(module: str, text: str, chosen: list[ast.stmt]) -> str:
    """The chosen statements as they stand, with the comments right above them."""
    lines = text.splitlines()
    out = f"\n\n# {'-' * 20} linnet/{module.replace('.', '/')}.py {'-' * 20}\n"
    before: ast.stmt | None = None
    for node in chosen:
        first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))]) - 1
        while first and lines[first - 1].startswith("#"):
            first -= 1
        blocks = (ast.FunctionDef, ast.ClassDef)
        blank = 2 if isinstance(node, blocks) or isinstance(before, blocks) else int(not lines[first - 1])
        out += "\n" * (blank if before else 0) + "\n".join(lines[first : node.end_lineno]) + "\n"
        before = node
    return out


def names_of(node: ast.stmt) -> list[str]:
    """What a statement at the top of a module defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return [node.name]
    if isinstance(node, ast.AugAssign | ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.Assign):
        return [name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)]
    return []


def is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def own_import(node: ast.AST) -> bool:
    """Whether it imports from Linnet."""
    if isinstance(node, ast.Import):
        return any(name.name.split(".")[0] == "linnet" for name in node.names)
    return isinstance(node, ast.ImportFrom) and (node.level > 0 or (node.module or "").split(".")[0] == "linnet")


def is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def is_type_checking(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
