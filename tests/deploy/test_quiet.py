import logging
import os
import subprocess
import sys
import warnings

import pytest

from linnet.deploy.quiet import LAST, quiet, silent


def chatter(text):
    """The ways in which a converter writes: Python's, a log, a warning, and C++'s straight to the descriptor."""
    print(f"print {text}")
    print(f"stderr {text}", file=sys.stderr)
    logging.getLogger("converter").warning("log %s", text)
    warnings.warn(f"warning {text}", stacklevel=1)
    os.write(1, f"one {text}\n".encode())
    os.write(2, f"two {text}\n".encode())


@pytest.mark.parametrize("kept_off", [quiet, silent])
def test_nothing_reaches_the_screen(kept_off, capfd):
    with kept_off():
        chatter("inside")
    assert capfd.readouterr() == ("", "")


def test_afterwards_all_is_as_before(capfd):
    with quiet():
        pass
    os.write(2, b"C++ again\n")
    print("Python again")
    assert capfd.readouterr() == ("Python again\n", "C++ again\n")
    assert logging.root.manager.disable == 0
    with pytest.warns(UserWarning, match="again"):
        warnings.warn("again", stacklevel=1)


def test_what_was_written_is_shown_where_it_fails(capfd):
    @quiet()
    def convert():
        for n in range(100):
            os.write(2, f"line {n}\n".encode())
        raise ValueError("no such operator")

    with pytest.raises(ValueError, match="no such operator"):
        convert()
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [f"line {n}" for n in range(100 - LAST, 100)]


def test_a_program_without_streams():
    """Started with stdout and stderr closed, as some services are."""
    code = "import os; os.close(1); os.close(2)\nfrom linnet.deploy.quiet import quiet\nwith quiet(): print('x')"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
