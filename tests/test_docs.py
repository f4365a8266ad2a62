"""The code in README and docs runs, and its commands are commands."""

from __future__ import annotations

import re
import runpy
import shlex
from pathlib import Path

import pytest

from linnet import SHORT, VERBS
from linnet.cli import make_app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str = "python") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """The words of every `linnet ...` line in the page's shell blocks, without comments."""
    lines = [shlex.split(line, comments=True) for block in blocks(page, "bash") for line in block.splitlines()]
    return [line[1:] for line in lines if line[:1] == ["linnet"]]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_code_blocks_run(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {"__name__": page.stem}
    for block in blocks(page):
        exec(compile(block, str(page), "exec", dont_inherit=True), scope)  # without the __future__ of this file


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_shell_examples_are_commands(page: Path) -> None:
    for verb, *rest in commands(page):
        assert verb in {SHORT.get(name, name) for name in VERBS}, verb
        make_app().parse_args([verb, *rest], exit_on_error=False, print_error=False)  # raises for a wrong flag or value


def test_the_readme_has_six_examples() -> None:
    assert len(commands(ROOT / "README.md")) == 6


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_readme_tree_is_the_tree() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^  (\w+/|\w+\.py) ", text, re.MULTILINE))
    folders = {f"{path.parent.name}/" for path in (ROOT / "linnet").glob("*/__init__.py")}
    assert {name for name in named if name.endswith("/")} == folders
    for name in named - folders:
        assert (ROOT / "linnet" / name).is_file(), name


def test_the_page_of_settings_is_what_the_recipe_says() -> None:
    """`make docs` writes it."""
    place = ROOT / "docs" / "reference"
    page = runpy.run_path(str(place / "make_recipe.py"))["page"]
    assert (place / "recipe.md").read_text(encoding="utf-8") == page()
