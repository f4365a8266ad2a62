"""RELIABILITY row 11: importing Linnet opens no socket and starts no process, and it needs few packages."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

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
