"""A table of a paper as text, Markdown or HTML. Knows nothing of networks: rows come in as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from textwrap import wrap
from typing import Literal, get_args

from ..errors import SettingError, did_you_mean

Format = Literal["text", "markdown", "html"]
# Numbers stand right and get thousands separators, a Decimal keeps the digits that it was written with; None is empty.
Cell = str | int | Decimal | None
WIDTH = 110  # columns of a terminal that a text table stays within


@dataclass(frozen=True)
class Sheet:
    """What is shown: a title, the columns' headings, rows, one row of totals or none, and a sentence or more below."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    total: tuple[Cell, ...] = ()
    note: str = ""


def show(sheet: Sheet, format: Format = "text") -> str:
    """`sheet` in one of three formats.

    Raises SettingError for a format that is not known.
    """
    match format:
        case "text":
            return text(sheet)
        case "markdown":
            return markdown(sheet)
        case "html":
            return html(sheet)
    raise SettingError(
        f"There is no format {format!r}; choose one of {', '.join(get_args(Format))}."
        f"{did_you_mean(str(format), get_args(Format))}"
    )


def text(sheet: Sheet) -> str:
    cells = _cells(sheet)
    right = _right(sheet)
    widths = [max(len(row[i]) for row in cells) for i in range(len(sheet.columns))]
    gap = "  " if sum(widths) + 2 * (len(widths) - 1) <= WIDTH else " "
    lines = [
        gap.join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in cells
    ]
    rule = "-" * (sum(widths) + len(gap) * (len(widths) - 1))
    head, *body = lines
    total = [body.pop()] if sheet.total else []
    return "\n".join([sheet.title, rule, head, rule, *body, rule, *total, *wrap(sheet.note, WIDTH)])


def markdown(sheet: Sheet) -> str:
    head, *body = (
        "| " + " | ".join(c.replace("|", "\\|").replace("*", "\\*") for c in row) + " |" for row in _cells(sheet)
    )
    rule = "|" + "|".join("---:" if right else "---" for right in _right(sheet)) + "|"
    return "\n".join([f"**{sheet.title}**", "", head, rule, *body, *(["", sheet.note] if sheet.note else [])])


def html(sheet: Sheet) -> str:
    """A <table> of its own, to be put into a page; it brings no style but the alignment of numbers."""
    right = _right(sheet)

    def row(cells: Sequence[str], tag: str) -> str:
        open_tags = [f'<{tag} style="text-align:right">' if r else f"<{tag}>" for r in right]
        return "<tr>" + "".join(f"{o}{escape(c)}</{tag}>" for o, c in zip(open_tags, cells, strict=True)) + "</tr>"

    head, *body = _cells(sheet)
    total = [row(body.pop(), "td")] if sheet.total else []
    note = [f'<tr><td colspan="{len(right)}">{escape(sheet.note)}</td></tr>'] if sheet.note else []
    return "\n".join(
        [
            '<table class="linnet-table">',
            f"<caption>{escape(sheet.title)}</caption>",
            f"<thead>{row(head, 'th')}</thead>",
            "<tbody>",
            *(row(cells, "td") for cells in body),
            "</tbody>",
            f"<tfoot>{''.join([*total, *note])}</tfoot>",
            "</table>",
        ]
    )


def _cells(sheet: Sheet) -> list[list[str]]:
    def cell(value: Cell) -> str:
        return "" if value is None else f"{value:,}" if isinstance(value, int | Decimal) else value

    rows = (sheet.columns, *sheet.rows, *filter(None, [sheet.total]))
    return [[cell(value) for value in row] for row in rows]


def _right(sheet: Sheet) -> list[bool]:
    """Which columns are numbers: those that hold one in any row."""
    rows = (*sheet.rows, *filter(None, [sheet.total]))
    return [any(isinstance(row[i], int | Decimal) for row in rows) for i in range(len(sheet.columns))]
