"""The command line: `linnet VERB ...` calls `linnet.VERB(...)`; flags and help come from its signature and docstring."""

from __future__ import annotations

import json as json_format
import os
import sys
from typing import Annotated, Any, cast

from cyclopts import App, CycloptsError, Parameter

from . import SHORT, VERBS, __version__
from .errors import LinnetError, interrupted

MANY = {"bench", "evaluate", "export"}  # verbs whose flags may take several values: --image 224 288
EPILOGUE = """
First steps: `linnet fit` shows the whole way on pictures that Linnet draws itself; `linnet fit PHOTOS` does it with
yours (a folder with one folder of photos per class). `linnet VERB --help` explains a verb. Every verb takes --json.
"""


def make_app() -> App:
    app = App(
        name="linnet",
        help="A folder of photos in; a small, fast, trained, measured and proven image classifier out.",
        help_epilogue=EPILOGUE,
        help_format="markdown",
        version=f"linnet {__version__}",
        default_parameter=Parameter(negative=()),
    )
    app.suppress_keyboard_interrupt = app.meta.suppress_keyboard_interrupt = False  # `main` says that it was heard
    for place, (verb, module) in enumerate(VERBS.items()):
        name = SHORT.get(verb, verb)
        one = Parameter(negative=(), consume_multiple=True if verb in MANY else None)
        app.command(f"{module}:{verb}", name=name, sort_key=place, default_parameter=one)
    return app


def sizes_last(tokens: list[str]) -> list[str]:
    """Moves `--image 224 288` to the end: a flag that takes several values would swallow what stands behind it.

    >>> sizes_last(["evaluate", "--image", "224", "288", "runs/a", "photos"])
    ['evaluate', 'runs/a', 'photos', '--image', '224', '288']
    """
    kept, moved, i = list[str](), list[str](), 0
    while i < len(tokens):
        j = i + 1
        while tokens[i] == "--image" and j < len(tokens) and tokens[j].isdecimal():
            j += 1
        (moved if j > i + 1 else kept).extend(tokens[i:j])
        i = j
    return kept + moved


def show(value: Any, *, as_json: bool) -> int:
    """Print what a verb returned: its own text, or with `as_json` its plain values; then its `errors`, if it has any.

    Gives the exit code: 1 when a part of what was asked for could not be done.
    """
    errors: tuple[str, ...] = getattr(value, "errors", ())
    if as_json and value is not None:
        plain = value.to_json() if hasattr(value, "to_json") else value
        print(json_format.dumps(plain, indent=1, default=str, ensure_ascii=False))
    elif isinstance(value, list):
        for item in cast(list[object], value):
            print(item)
    elif value is not None:
        print(value)
    for error in errors:
        print(f"linnet: {error}", file=sys.stderr)
    return 1 if errors else 0


def main(tokens: list[str] | None = None) -> None:
    """Run one command and leave with its exit code: 0, 1 for a LinnetError, 2 for wrong usage."""
    given = sys.argv[1:] if tokens is None else tokens
    given = given if "--" in given else sizes_last(given)
    app = make_app()
    names = [SHORT.get(verb, verb) for verb in VERBS]
    if not set(given) & set(names):  # help or a typing mistake: the list of verbs says what each does
        for name in names:
            app[name]

    @app.meta.default
    def launch(  # pyright: ignore[reportUnusedFunction]
        *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        json: Annotated[bool, Parameter(show=False)] = False,
    ) -> int:
        try:
            value = app(tokens, exit_on_error=False, print_error=True, result_action="return_value")
        except CycloptsError:  # printed; the outer app, which reads --json, would print it again
            sys.exit(2)
        return show(value, as_json=json)

    try:
        code = app.meta(given, exit_on_error=False, print_error=True, result_action="return_value")
        sys.stdout.flush()
        if code:
            sys.exit(code)
    except CycloptsError:
        sys.exit(2)
    except LinnetError as error:
        print(f"linnet: {error}", file=sys.stderr)
        sys.exit(getattr(error, "exit_code", 1))
    except KeyboardInterrupt:
        leave_stopped()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `linnet archs | head` is no error
        sys.exit(0)
    except OSError as error:  # a full disk, a folder that may not be written, a name that is too long
        print(f"linnet: {error}. Mend that, and run the same command again.", file=sys.stderr)
        sys.exit(1)
    except Exception as error:
        if not interrupted(error):
            raise
        leave_stopped()


def leave_stopped() -> None:
    print("linnet: stopped.", file=sys.stderr)
    sys.exit(130)
