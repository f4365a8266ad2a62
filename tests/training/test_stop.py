from __future__ import annotations

import signal
import threading

import pytest

from linnet.training.stop import Interrupted, StopRequest


@pytest.fixture(autouse=True)
def _usual_ctrl_c():
    """Python's own answer to Ctrl-C: a shell lets its background jobs ignore it, and the tests may run in one."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks(number):
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert not stop.asked
        signal.raise_signal(number)
        assert stop.asked
        assert signal.getsignal(number) is before  # so the second one does what it always did
    assert signal.getsignal(number) is before


def test_the_second_ctrl_c_leaves_at_once():
    with StopRequest():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_it_interrupts_where_it_is_allowed_to():
    with StopRequest() as stop:
        with pytest.raises(Interrupted), stop.interrupting():
            signal.raise_signal(signal.SIGTERM)
        assert stop.asked
        with pytest.raises(Interrupted), stop.interrupting():
            pytest.fail("it was asked before, so nothing is begun")


def test_outside_the_main_thread_it_keeps_away_from_signals():
    before, seen = signal.getsignal(signal.SIGINT), []

    def enter():
        with StopRequest() as stop:
            seen.append((stop.asked, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
