"""Every adapter passes the same suite; a new one is tested without being listed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from dipgate.adapters import adapter_kinds, open_source
from dipgate.adapters.rows import BATCH
from dipgate.core.record import TABLES

HERE = Path(__file__).parent
KEY = "住院流水号"
CHECKS = (
    "charset",
    "duplicates",
    "restart",
    "missing_columns",
    "provenance",
    "raw_bytes",
    "hostile_rows",
    "corpus",
    "type_change",
    "clashing_keys",
)
CHECK_OF = {
    "test_charset_is_the_sources_and_strict": "charset",
    "test_duplicates_reach_the_inbox_and_are_not_read_again": "duplicates",
    "test_restart_from_the_bookmark_loses_and_repeats_nothing": "restart",
    "test_missing_columns_cost_the_object_by_name": "missing_columns",
    "test_every_value_can_be_shown_in_the_kept_bytes": "provenance",
    "test_raw_bytes_are_kept_first_and_whole": "raw_bytes",
    "test_hostile_rows_are_set_aside_one_by_one": "hostile_rows",
    "test_no_text_is_changed_in_silence": "corpus",
    "test_a_column_that_changes_its_type_in_row_9000_loses_nothing": "type_change",
    "test_clashing_keys_are_all_handed_over": "clashing_keys",
}
"""Test → the line of the report card that may exempt an adapter from it."""
CORPUS = (
    "㐂𠮷·孙﨔",
    "𠀀𪛖𫝀𫠠𬺰",
    "买买提·吐尔逊",
    "ㄅㄆ㈱①Ⅲ",
    "\ue5e5\uf8ff",
    "Ａ１２　全角",
    "0000123",
    "00.10",
    "1e5",
    "123456789012345678901234",
    "1.10",
    "#N/A",
    "NULL",
    "TRUE",
    "=1+1",
    "'前导撇号",
    "a,b\tc;d|e",
    'say "hi"',
    "第一行\n第二行",
    "é́ à",
    "ﬁ²½",
    "\u200b零宽",
    "2025-03-01",
    "20250301",
    "3/1",
)
"""Text that some program on the way likes to change."""


def rows(count: int, charset: str = "utf-8") -> list[dict[str, bytes]]:
    return [
        {KEY: f"ZY{n:05d}".encode(), "姓名": f"虚构{n}".encode(charset), "金额": f"{n}.50".encode()}
        for n in range(1, count + 1)
    ]


def test_report_card_answers_every_check(kind: str) -> None:
    card = yaml.safe_load((HERE / kind / "card.yaml").read_text("utf-8"))
    assert set(card) == set(CHECKS)
    for check, answer in card.items():
        reason = answer.get("exempt", "") if isinstance(answer, dict) else ""
        assert answer == "done" or len(reason) > 10, f"{check}: 做完，或写明免做的理由"


NOT_LIVE = {
    "mysql": "the driver and the forms of mariadb; no server of it is at hand",
    "oracle": "no server at hand: a recording driver shows what is sent",
    "sqlserver": "no server at hand: a recording driver shows what is sent",
    "dm": "no server at hand: a recording driver shows what is sent",
    "kingbase": "the forms of postgresql; no server of it is at hand",
    "push": "rows come to us: its own tests send them over a socket",
}


def test_every_kind_is_here_or_says_why_not() -> None:
    there = {path.parent.name for path in HERE.glob("*/build.py")}
    assert there.isdisjoint(NOT_LIVE)
    assert set(adapter_kinds()) <= there | set(NOT_LIVE)


def test_charset_is_the_sources_and_strict(build: Any, tmp_path: Path, sink: Any) -> None:
    """GBK, four-byte GB18030 and Extension B arrive as they are; foreign bytes cost one row."""
    table = rows(3, "gb18030")
    table[0]["姓名"] = "㐂𠮷·孙﨔".encode("gb18030")
    table[1]["姓名"] = "好".encode("gb18030") + b"\xff\xfe"
    spec = build(tmp_path, {"settlement": table}, "gb18030")
    report = open_source(spec).read(sink, None)
    assert [row.values["姓名"] for row in sink.rows] == ["㐂𠮷·孙﨔", "虚构3"]
    (aside,) = sink.rejected
    assert aside.field == "姓名"
    assert "gb18030" in aside.what
    assert aside.remedy
    assert (report.rows, report.rejected) == (2, 1)


def test_duplicates_reach_the_inbox_and_are_not_read_again(
    build: Any, tmp_path: Path, sink: Any
) -> None:
    """Equal rows are two rows of the source; a second reading brings nothing."""
    table = [*rows(2), rows(2)[1]]
    spec = build(tmp_path, {"settlement": table}, "utf-8")
    open_source(spec).read(sink, None)
    assert [row.key for row in sink.rows] == ["ZY00001", "ZY00002", "ZY00002"]
    again = type(sink)()
    report = open_source(spec).read(again, sink.watermark)
    assert (report.rows, report.rejected, again.rows) == (0, 0, [])


def test_restart_from_the_bookmark_loses_and_repeats_nothing(
    build: Any, tmp_path: Path, stopping_sink: Callable[[int], Any]
) -> None:
    table = rows(3 * BATCH + 7)
    spec = build(tmp_path, {"settlement": table, "charge": rows(5)}, "utf-8")
    first = stopping_sink(2)
    with pytest.raises(EOFError, match="stopped"):
        open_source(spec).read(first, None)
    assert len(first.rows) == 2 * BATCH
    second = type(first)()
    open_source(spec).read(second, first.watermark)
    keys = [row.key for row in [*first.rows, *second.rows] if row.table == "settlement"]
    assert keys == [row[KEY].decode() for row in table]
    assert len([row for row in second.rows if row.table == "charge"]) == 5


def test_missing_columns_cost_the_object_by_name(build: Any, tmp_path: Path, sink: Any) -> None:
    spec = build(tmp_path, {"settlement": rows(2), "charge": rows(2)}, "utf-8")
    table = spec.tables["settlement"]
    wider = replace(table, columns={**table.columns, "bill_no": "票据号", "x": "没有的列"})
    spec = replace(spec, tables={**spec.tables, "settlement": wider})
    open_source(spec).read(sink, None)
    assert {row.table for row in sink.rows} == {"charge"}
    (aside,) = sink.rejected
    assert aside.row is None
    assert "票据号、没有的列" in aside.what
    assert "姓名" in aside.what, "the columns that are there are named too"
    assert aside.field == "票据号、没有的列"
    assert aside.remedy


def test_every_value_can_be_shown_in_the_kept_bytes(build: Any, tmp_path: Path, sink: Any) -> None:
    spec = build(tmp_path, {"front_page": rows(3), "settlement": rows(3)}, "utf-8")
    report = open_source(spec).read(sink, None)
    assert report.objects == 2
    for row in sink.rows:
        assert row.table in TABLES
        assert row.object_name
        assert row.row >= 1
        assert row.key == row.values[KEY]
        kept = sink.raw[row.raw_hash].decode("utf-8")
        assert all(value in kept for value in row.values.values())
    positions = [row.row for row in sink.rows if row.table == "settlement"]
    assert positions == sorted(set(positions))


def test_raw_bytes_are_kept_first_and_whole(
    build: Any, tmp_path: Path, stopping_sink: Callable[[int], Any]
) -> None:
    """Even when no row is ever committed the bytes are there."""
    sink = stopping_sink(0)
    spec = build(tmp_path, {"settlement": rows(4)}, "utf-8")
    with pytest.raises(EOFError, match="stopped"):
        open_source(spec).read(sink, None)
    assert sink.rows == []
    (kept,) = sink.raw.values()
    assert all(f"ZY{n:05d}".encode() in kept for n in range(1, 5))


def test_hostile_rows_are_set_aside_one_by_one(build: Any, tmp_path: Path, sink: Any) -> None:
    table = rows(6)
    table[1]["姓名"] = b"x" * (10 << 20)
    table[2]["姓名"] = b"a\x00b"
    table[3][KEY] = "　 ".encode()
    table[4]["姓名"] = '换\n行, "引号" \'; DROP TABLE x --'.encode()
    spec = build(tmp_path, {"settlement": table}, "utf-8")
    open_source(spec).read(sink, None)
    assert [row.key for row in sink.rows] == ["ZY00001", "ZY00005", "ZY00006"]
    assert sink.rows[1].values["姓名"] == '换\n行, "引号" \'; DROP TABLE x --'
    assert [aside.field for aside in sink.rejected] == ["姓名", "姓名", KEY]
    for aside in sink.rejected:
        assert aside.object_name
        assert aside.row is not None
        assert aside.what
        assert aside.remedy
        assert len(aside.what) < 200, "a message never carries the field's content"


def test_watermark_is_text_of_its_own(build: Any, tmp_path: Path, sink: Any) -> None:
    spec = build(tmp_path, {"settlement": rows(1)}, "utf-8")
    report = open_source(spec).read(sink, None)
    assert report.watermark == sink.watermark
    assert isinstance(json.loads(report.watermark), dict)


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_no_text_is_changed_in_silence(build: Any, tmp_path: Path, sink: Any, charset: str) -> None:
    """What comes out is what went in, or its row is set aside with a reason."""
    table = rows(len(CORPUS), charset)
    for row, text in zip(table, CORPUS, strict=True):
        row["姓名"] = text.encode(charset)
    spec = build(tmp_path, {"settlement": table}, charset)
    open_source(spec).read(sink, None)
    given = {row[KEY].decode(): text for row, text in zip(table, CORPUS, strict=True)}
    read = {row.key: row.values["姓名"] for row in sink.rows}
    assert read == {key: given[key] for key in read}
    assert len(read) + len(sink.rejected) == len(CORPUS)
    assert len(sink.rejected) <= 1


def test_a_column_that_changes_its_type_in_row_9000_loses_nothing(
    build: Any, tmp_path: Path, sink: Any
) -> None:
    table = rows(9_100)
    for number, row in enumerate(table, start=1):
        row["金额"] = (f"{number}.50" if number < 9_000 else f"免费{number}").encode()
    spec = build(tmp_path, {"settlement": table}, "utf-8")
    open_source(spec).read(sink, None)
    assert sink.rejected == []
    assert [row.values["金额"] for row in sink.rows] == [row["金额"].decode() for row in table]


def test_clashing_keys_are_all_handed_over(build: Any, tmp_path: Path, sink: Any) -> None:
    """The same key with other content, and keys that a careless program takes for the same."""
    keys = ["ZY1", "ZY1", "zy1", "ＺＹ1", "ZY 1", "ZY01", "ZY1\u200b"]
    table = rows(len(keys))
    for row, key in zip(table, keys, strict=True):
        row[KEY] = key.encode()
    spec = build(tmp_path, {"settlement": table}, "utf-8")
    open_source(spec).read(sink, None)
    assert [row.key for row in sink.rows] == keys
    assert len({row.values["姓名"] for row in sink.rows}) == len(keys)
