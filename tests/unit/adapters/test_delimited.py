"""Records are cut on bytes by RFC 4180, and one bad line costs one line."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dipgate.adapters.delimited import MAX_LINES, records

CELLS = st.text(st.characters(exclude_characters="\x00\r", codec="utf-8"), max_size=12)


def cells(data: bytes, width: int | None = None) -> list[tuple[int, tuple[str, ...], str]]:
    return [
        (record.line, tuple(cell.decode() for cell in record.cells), record.problem)
        for record in records(data, b",", width)
    ]


@given(st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_what_a_csv_writer_writes_is_read_back(table: list[list[str]]) -> None:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(table)
    assert [list(found) for _, found, _ in cells(out.getvalue().encode(), 2)] == table


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("a,b", ("a", "b")),
        ('"a,1",b', ("a,1", "b")),
        ('"他说""好""",b', ('他说"好"', "b")),
        ('5"针头,b', ('5"针头', "b")),
        (",", ("", "")),
        ('"",""', ("", "")),
    ],
)
def test_one_record(line: str, found: tuple[str, ...]) -> None:
    assert cells(line.encode()) == [(1, found, "")]


def test_a_quoted_cell_may_span_lines_and_keeps_its_line_number() -> None:
    data = b'a,b\r\n"x\r\ny",1\r\n\r\nc,d'
    assert cells(data, 2) == [
        (1, ("a", "b"), ""),
        (2, ("x\r\ny", "1"), ""),
        (5, ("c", "d"), ""),
    ]


def test_an_unpaired_quote_costs_its_line_only() -> None:
    data = b'a,b\n"x,1\nc,d\n' + b"e,f\n" * (MAX_LINES + 5)
    found = cells(data, 2)
    assert found[1] == (2, (), "引号没有成对")
    assert found[2] == (3, ("c", "d"), "")
    assert len(found) == 3 + MAX_LINES + 5


def test_two_unpaired_quotes_do_not_swallow_the_lines_between() -> None:
    """The quotes pair up over three lines, but the shape is wrong: one line is lost, not three."""
    data = b'"x,1\nc,d\ny",2,3\ne,f\n'
    assert [(line, problem[:3]) for line, _, problem in cells(data, 2)] == [
        (1, "这一行"),
        (2, ""),
        (3, "这一行"),
        (4, ""),
    ]


def test_text_after_a_closing_quote_is_a_broken_line() -> None:
    assert cells(b'"a"x,b\nc,d\n', 2) == [(1, (), "引号之后有多余的字符"), (2, ("c", "d"), "")]


def test_ragged_lines_are_named() -> None:
    found = cells(b"a,b\nc\nd,e,f\n", 2)
    assert [problem for _, _, problem in found] == [
        "",
        "这一行有 1 格，表头有 2 格",
        "这一行有 3 格，表头有 2 格",
    ]
