from __future__ import annotations

import os
import subprocess
import sys

import pytest

from linnet.cores import available_cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_only_the_cores_that_may_be_used_count() -> None:
    code = (
        "import os; from linnet.cores import available_cores; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])"
    )
    done = subprocess.run([sys.executable, "-c", f"{code}; print(available_cores())"], capture_output=True, check=True)
    assert done.stdout.strip() == b"1"


def test_without_affinity_all_cores_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert available_cores() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores() == 1
