"""One section of a report: values for the template, or the honest sentence that stands in their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import LinnetError
from .folder import RunFolder
from .text import inert, shortened

Values = dict[str, Any]


class Missing(Exception):
    """The run has no such part; the text is the sentence the reader gets."""


def build(section: Callable[[RunFolder], Values], run: RunFolder) -> Values:
    """The section's values; `missing` holds a sentence when there are none.

    A run's files may come from a killed program, an editor or another version: whatever form they have, the other
    sections are still shown.
    """
    try:
        return {"missing": "", **section(run)}
    except Missing as why:
        return {"missing": str(why)}
    except LinnetError as error:
        return {"missing": f"Left out: {inert(error)}"}
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        why = shortened(f"{type(error).__name__}: {error}", 120)
        return {"missing": f"Left out: the run folder says this in a form that is not understood ({why})."}
