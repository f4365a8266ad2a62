from __future__ import annotations

import sys

import pytest

from linnet.data.workers import script_hidden, worker_context


def test_workers_are_not_forked_from_this_process() -> None:
    assert worker_context().get_start_method() in ("forkserver", "spawn")


def test_the_script_is_hidden_only_inside() -> None:
    script = sys.modules["__main__"]
    before = {name: script.__dict__.get(name) for name in ("__file__", "__spec__")}
    with pytest.raises(KeyError), script_hidden():  # noqa: PT012
        assert "__file__" not in script.__dict__
        assert script.__spec__ is None
        raise KeyError
    assert {name: script.__dict__.get(name) for name in ("__file__", "__spec__")} == before
