"""RELIABILITY row 11: importing Linnet opens no socket and starts no process, and it needs few packages."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]

WATCHED = """
import sys
seen = []
names = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "urllib.")
sys.addaudithook(lambda event, arguments: seen.append(event) if event.startswith(names) else None)
import linnet
for verb in linnet.VERBS:
    getattr(linnet, verb)
import linnet.cli, linnet.deploy.classifier, linnet.weights.archive, linnet.deploy.manifest
assert not seen, seen
import subprocess
subprocess.run(["true"])
assert seen  # the hook does see what it is there for
"""


def test_importing_opens_no_socket_and_starts_no_process() -> None:
    done = subprocess.run([sys.executable, "-c", WATCHED], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_direct_dependencies_are_few() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [line for line in project["dependencies"] if not line.startswith("torch>")]
    assert len(needed) <= 12, needed


def test_every_dependency_is_locked_with_the_hashes_of_its_files() -> None:
    """Should this fail: `uv lock`, see CONTRIBUTING.md."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    project, extras = pyproject["project"], pyproject["project"]["optional-dependencies"]
    asked = [
        *project["dependencies"],
        *(line for extra in extras.values() for line in extra),
        *pyproject["dependency-groups"]["dev"],
    ]
    versions: dict[str, list[str]] = {}
    for package in lock["package"]:
        versions.setdefault(package["name"], []).append(package.get("version", ""))
    for requirement in map(Requirement, asked):
        found = versions.get(normal(requirement.name), [])
        assert any(requirement.specifier.contains(version) for version in found), (str(requirement), found)
    strangers = [package for package in lock["package"] if package["source"] != {"editable": "."}]
    assert len(strangers) == len(lock["package"]) - 1
    for package in strangers:
        files = [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
        assert package["source"] == {"registry": "https://pypi.org/simple"}, package["name"]
        assert files, package["name"]
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", file["hash"]) for file in files), package["name"]
    assert lock["options"]["exclude-newer-span"] == "P7D"


def test_the_lock_was_made_of_this_pyproject() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    [ours] = [package for package in lock["package"] if package["source"] == {"editable": "."}]
    project = pyproject["project"]
    wanted = {("", *parts(line)) for line in project["dependencies"]}
    for extra, lines in project["optional-dependencies"].items():
        wanted |= {(f"extra == '{extra}'", *parts(line)) for line in lines}
    told = ours["metadata"]
    assert {(one.get("marker", ""), one["name"], one.get("specifier", "")) for one in told["requires-dist"]} == wanted
    dev = {(one["name"], one.get("specifier", "")) for one in told["requires-dev"]["dev"]}
    assert dev == {parts(line) for line in pyproject["dependency-groups"]["dev"]}


def parts(line: str) -> tuple[str, str]:
    requirement = Requirement(line)
    return normal(requirement.name), str(requirement.specifier)


def normal(name: str) -> str:
    """A package's name as an index writes it."""
    return re.sub("[-_.]+", "-", name.lower())
