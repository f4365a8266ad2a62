from __future__ import annotations

import html.parser
from decimal import Decimal

import pytest

from linnet.arch.show import WIDTH, Sheet, show
from linnet.errors import SettingError

SHEET = Sheet(
    title="Birds & <trees>",
    columns=("bird", "song | call", "eggs"),
    rows=(("linnet", "a*b", 5), ("wren", None, 1_200_000)),
    total=("total", None, 1_200_005),
    note="5 < 6",
)


def test_text_is_aligned_and_numbers_stand_right() -> None:
    assert show(SHEET).splitlines() == [
        "Birds & <trees>",
        "------------------------------",
        "bird    song | call       eggs",
        "------------------------------",
        "linnet  a*b                  5",
        "wren                 1,200,000",
        "------------------------------",
        "total                1,200,005",
        "5 < 6",
    ]


def test_a_wide_text_table_gives_up_a_space_between_columns() -> None:
    columns = ("x" * 10,) * 10
    rows = (tuple("y" for _ in columns),)
    widths = {len(line) for line in show(Sheet("t", columns, rows, rows[0])).splitlines()[1:4]}
    assert widths == {109}
    assert max(widths) <= WIDTH


def test_markdown_escapes_what_it_would_read() -> None:
    lines = show(SHEET, "markdown").splitlines()
    assert lines[2] == r"| bird | song \| call | eggs |"
    assert lines[3] == "|---|---|---:|"
    assert lines[4] == r"| linnet | a\*b | 5 |"
    assert lines[-1] == "5 < 6"


def test_html_is_well_formed_and_escaped() -> None:
    text = show(SHEET, "html")
    opened: list[str] = []
    cells: list[str] = []

    class Reader(html.parser.HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            opened.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert opened.pop() == tag

        def handle_data(self, data: str) -> None:
            if data.strip():
                cells.append(data)

    Reader().feed(text)
    assert opened == []
    assert cells[0] == "Birds & <trees>"
    assert "<trees>" not in text
    assert cells[-1] == "5 < 6"


def test_a_table_may_have_no_total() -> None:
    rows = (("linnet", Decimal("4.10")), ("wren", None))
    plain, noted = Sheet("Birds", ("bird", "eggs"), rows), Sheet("Birds", ("bird", "eggs"), rows, note="few " * 40)
    rule = "-" * len("linnet  eggs")
    assert show(plain).splitlines() == ["Birds", rule, "bird    eggs", rule, "linnet  4.10", "wren", rule]
    assert show(plain, "markdown").splitlines()[-2:] == ["| linnet | 4.10 |", "| wren |  |"]
    assert "<tfoot></tfoot>" in show(plain, "html")
    assert '<tfoot><tr><td colspan="2">few' in show(noted, "html")
    # A long note is broken in a terminal alone.
    assert max(map(len, show(noted).splitlines())) <= WIDTH
    assert len(show(noted, "markdown").splitlines()[-1]) > WIDTH


def test_another_format_is_refused() -> None:
    with pytest.raises(SettingError, match="Did you mean 'markdown'"):
        show(SHEET, "markdwn")  # type: ignore[arg-type]
