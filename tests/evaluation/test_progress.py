from __future__ import annotations

import io

import pytest

from linnet.evaluation.progress import shown_looks, shown_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_in_a_pipe_nothing_is_said(capsys: pytest.CaptureFixture) -> None:
    with shown_progress(3) as advance, shown_looks(3) as show:
        assert advance is None
        show(2, 3)
    assert capsys.readouterr() == ("", "")


def test_in_a_terminal_the_bar_comes_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks are told as totals, and arrive as steps."""
    for looks in ((1, 2, 3), (3,), (2, 3)):
        monkeypatch.setattr("sys.stderr", screen := Terminal())
        with shown_looks(3) as show:
            for looked in looks:
                show(looked, 3)
        assert "looking at the photos" in screen.getvalue()
        assert "100%" in screen.getvalue()
