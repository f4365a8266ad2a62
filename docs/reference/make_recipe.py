"""Writes recipe.md: every setting of a recipe, with its default and what the source says of it.

    python docs/reference/make_recipe.py        # or: make docs

tests/test_docs.py fails where recipe.md is not what this writes.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from pathlib import Path

from linnet.training import ingredients, recipe

HERE = Path(__file__).parent
PARTS = (
    ("", recipe.Recipe),
    ("phases.N.", recipe.Phase),
    *(("optimizer.", kind) for kind in (ingredients.AdamW, ingredients.Sgd, ingredients.RmsProp, ingredients.Lamb)),
    *(("schedule.", k) for k in (ingredients.Cosine, ingredients.Linear, ingredients.Step, ingredients.Constant)),
)
HEAD = """\
# Every setting of a recipe

Written by `make docs` (docs/reference/make_recipe.py). Each is given as `--set NAME=VALUE` ([recipes](../guides/recipes.md)), in a recipe's JSON, or in
Python. `phases.N.` is one row, counted from 0; `phases.` without a number is all rows.
"""


def page() -> str:
    lines = [HEAD]
    for prefix, kind in PARTS:
        lines += [f"## {kind.__name__}", "", paragraph(inspect.getdoc(kind) or ""), ""]
        lines += ["| setting | default | what it is |", "|---|---|---|"]
        lines += [f"| `{prefix}{name}` | `{default}` | {said} |" for name, default, said in settings(kind)]
        lines.append("")
    return "\n".join(lines)


def paragraph(doc: str) -> str:
    return "\n".join(" ".join(part.split()) for part in doc.split("\n\n") if part).replace("\n", "\n\n")


def settings(kind: type) -> list[tuple[str, str, str]]:
    """Name, default and comment of each field, from the class's source."""
    source = textwrap.dedent(inspect.getsource(kind))
    text, (tree,) = source.splitlines(), ast.parse(source).body
    assert isinstance(tree, ast.ClassDef)
    found = []
    for one in tree.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and one.value:
            comments = [line.partition("  # ")[2] for line in text[one.lineno - 1 : one.end_lineno]]
            found.append((one.target.id, ast.unparse(one.value), " ".join(filter(None, comments)).replace("|", "\\|")))
    return found


if __name__ == "__main__":
    (HERE / "recipe.md").write_text(page(), encoding="utf-8")
