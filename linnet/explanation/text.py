"""Text that cannot do harm, and numbers as people read them."""

from __future__ import annotations

import math
import unicodedata
from typing import Any

NONE = "–"

# Characters nobody sees that turn, hide or join what stands around them: a file called "gpj.exe" must look like it.
UNSEEN = frozenset("\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028\u2029\u3164\ufeff\ufffe\uffff") | frozenset(
    chr(c) for c in (*range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFFF9, 0xFFFC))
)


def inert(value: object) -> str:
    r"""As text in which control, direction and invisible characters and lone surrogates are written out.

    Markup is not escaped here: the template does that for every value, after this.

    >>> inert("photo\u202egpj.exe")
    'photo\\u202egpj.exe'
    """
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(c.encode("unicode_escape").decode("ascii") if _unseen(c) else c for c in text)


def _unseen(c: str) -> bool:
    return c in UNSEEN or unicodedata.category(c) in ("Cc", "Cs")


def shortened(value: object, limit: int = 60) -> str:
    """The text, or its two ends when it is longer than `limit` characters."""
    text = inert(value)
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    return f"{text[: limit - 1 - tail]}…{text[len(text) - tail :]}"


def finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < 1e30


def percent(value: Any, digits: int = 1) -> str:
    """A share as per cent; only 1 is written 100, and only 0 is written 0.

    >>> percent(0.9346), percent(0.9999), percent(1.0), percent(None)
    ('93.5\\u00a0%', '99.9\\u00a0%', '100\\u00a0%', '–')
    """
    if not finite(value):
        return NONE
    if value in (0, 1):
        return f"{value * 100:.0f}\u00a0%"
    step = 10.0**-digits
    return f"{min(max(value * 100, step), 100 - step) if 0 < value < 1 else value * 100:.{digits}f}\u00a0%"


def interval(ends: Any, digits: int = 1) -> str:
    """A pair of shares as "91.2 to 95.5 %"."""
    if not isinstance(ends, list | tuple) or len(ends) != 2 or not all(finite(end) for end in ends):
        return NONE
    low, high = (percent(end, digits) for end in ends)
    return f"{low[:-2]} to {high}"


def number(value: Any, digits: int = 3) -> str:
    """Whole numbers with commas, others with so many significant digits.

    >>> number(1234567), number(0.00123456), number(12.3456), number(1200.0)
    ('1,234,567', '0.00123', '12.3', '1,200')
    """
    if not finite(value):
        return NONE
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    if 1e-4 <= abs(value) < 1e15:
        places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        return f"{value:,.{places}f}"
    return f"{value:.{digits - 1}e}"


def plain(value: Any, digits: int = 3) -> str:
    """A setting as somebody would write it: no zeros at the end, and powers of ten for the very small.

    >>> plain(0.1), plain(0.9999, 6), plain(1e-8), plain(2.5e-7, 2), plain(1280)
    ('0.1', '0.9999', '10⁻⁸', '2.5·10⁻⁷', '1,280')
    """
    if not finite(value) or float(value).is_integer():
        return number(value)
    if 1e-4 <= abs(value) < 1e6:
        text = f"{value:.{6 if 0.9 < abs(value) < 1 else digits}g}"
        return f"{float(text):.12f}".rstrip("0").rstrip(".")
    head, _, power = f"{value:.{digits - 1}e}".partition("e")
    head = head.rstrip("0").rstrip(".")
    tens = "10" + str(int(power)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return tens if head == "1" else f"{head}·{tens}"


def magnitude(value: Any) -> str:
    """A large count in three digits.

    >>> magnitude(1528106), magnitude(387_000_000), magnitude(950)
    ('1.53\\u00a0M', '387\\u00a0M', '950')
    """
    if not finite(value):
        return NONE
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size * 0.9995:
            return f"{number(value / size)}\u00a0{unit}"
    return number(value)


def size(value: Any) -> str:
    """Bytes in decimal units, as `--size-mb` counts them.

    >>> size(6_123_456), size(800)
    ('6.12\\u00a0MB', '800\\u00a0bytes')
    """
    if not finite(value):
        return NONE
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= unit:
            return f"{number(value / unit)}\u00a0{name}"
    return f"{number(value)}\u00a0bytes"


def milliseconds(value: Any) -> str:
    return f"{number(value)}\u00a0ms" if finite(value) else NONE


def duration(seconds: Any) -> str:
    """
    >>> duration(42), duration(754), duration(7500)
    ('42\\u00a0s', '12\\u00a0min 34\\u00a0s', '2\\u00a0h 5\\u00a0min')
    """
    if not finite(seconds) or seconds < 0:
        return NONE
    if seconds < 60:
        return f"{number(seconds, 2)}\u00a0s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}\u00a0min {whole % 60}\u00a0s"
    return f"{whole // 3600:,}\u00a0h {whole % 3600 // 60}\u00a0min"
