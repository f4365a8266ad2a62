from __future__ import annotations

import io
import sys

from linnet.training.progress import Progress


def test_a_pipe_gets_plain_lines_now_and_then(capsys):
    progress = Progress()
    progress.start(1000, 0)
    for done in range(0, 1000, 10):
        progress.step(done, "1/2", 123.4, 0.5)
    progress.say("epoch 1/2 is over")
    progress.close()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2, "one line in ten seconds, not a hundred"
    assert lines == ["epoch 1/2  loss 0.500  123 images/s  0 %", "epoch 1/2 is over"]


def test_time_left_counts_from_the_first_step_not_from_the_start_of_the_loader(capsys, monkeypatch):
    now = iter([100.0, 100.0, 100.0, 120.0, 120.0, 120.0])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    progress = Progress()
    progress.start(1000, 0)
    progress.step(100, "1/2", 5.0, 0.5)
    progress.step(200, "1/2", 5.0, 0.5)
    assert capsys.readouterr().err.splitlines()[-1].endswith("20 %  2:40 left")


def test_quiet_says_nothing(capsys):
    progress = Progress(quiet=True)
    progress.start(10, 0)
    progress.step(5, "1/1", 1.0, 1.0)
    progress.say("hello")
    progress.close()
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    progress = Progress()
    progress.start(100, 0)
    progress.step(50, "1/2", 200.0, 0.25)
    progress.say("[not markup]")
    progress.close()
    shown = terminal.getvalue()
    assert "epoch 1/2  loss 0.250  200 images/s" in shown
    assert "50%" in shown
    assert "[not markup]" in shown
