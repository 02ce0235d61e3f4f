"""The sampler proposes, with counts and patterns from which no text can be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dipgate.adapters import open_source
from dipgate.adapters.charset_sample import guess, pattern, propose
from dipgate.core.record import Cell, SeenColumn, SeenTable, SourceSpec, TableMap

TEXT = "虚构患者住院诊断为高血压"
BIG5 = "虛構患者住院診斷為高血壓與糖尿病"


def seen(*cells: Cell) -> SeenTable:
    return SeenTable("settlement", "s", (SeenColumn("A"),), tuple({"A": cell} for cell in cells))


@pytest.mark.parametrize(
    ("cells", "charset"),
    [
        ([b"ZY1", b"12.5"], "ascii"),
        ([TEXT.encode()], "utf-8"),
        ([TEXT.encode("gbk")], "gb2312"),
        (["赵喆镕".encode("gbk")], "gbk"),
        (["𠮷某".encode("gb18030"), TEXT.encode("gbk")], "gb18030"),
        ([BIG5.encode("big5")], "big5"),
        ([("A" + TEXT).encode("utf-16-le")], "utf-16-le"),
        ([("A" + TEXT).encode("utf-16-be")], "utf-16-be"),
        ([b"\xff\xff\xff"], ""),
        (["·".encode()], ""),
    ],
)
def test_the_charset_that_the_bytes_look_like(cells: list[bytes], charset: str) -> None:
    assert guess(cells) == charset


@pytest.mark.parametrize(
    ("cell", "declared", "kind", "says"),
    [
        (TEXT.encode("gbk"), "ascii", "charset", "US7ASCII"),
        (TEXT.encode("gbk"), "utf-8", "charset", "像是 gb2312"),
        (TEXT.encode(), "gb18030", "charset", "像是 utf-8"),
        ("𠮷".encode("gb18030"), "gbk", "charset", "gb18030"),
        (b"\xff\xff", "utf-8", "charset", "不属于 utf-8"),
        (b"\xef\xbb\xbf1", "utf-8", "bom", "BOM"),
        ("某锟斤拷".encode("gbk"), "gb18030", "broken", "锟斤拷"),
        ("锟斤拷".encode("gbk"), "gb18030", "broken", "锟斤拷"),
        ("a\ufffd", "utf-8", "broken", "U+FFFD"),
        ("医院".encode().decode("gbk"), "utf-8", "broken", "错误的字符集"),
        (TEXT.encode("gbk").decode("latin-1"), "utf-8", "broken", "错误的字符集"),
        ("??某", "utf-8", "broken", "问号"),
        ("Ｅ11.９".encode("gbk"), "gb18030", "fullwidth", "全角"),
    ],
)
def test_what_is_proposed(cell: Cell, declared: str, kind: str, says: str) -> None:
    (found,) = propose(seen(cell, b"plain", None), declared)
    assert (found.kind, found.count, found.cells, says in found.what) == (kind, 1, 2, True), found
    assert found.example.isascii() or found.example.endswith("…")


@pytest.mark.parametrize("declared", ["utf-8", "gb18030", "big5"])
def test_good_text_gets_no_proposal(declared: str) -> None:
    text = BIG5 if declared == "big5" else TEXT
    cells = [
        text.encode(declared),
        b"E11.9",
        "（人）".encode(declared),
        "何人？".encode(declared),
    ]
    assert propose(seen(*cells, 3, None), declared) == ()


def test_a_pattern_shows_no_text() -> None:
    assert pattern("张A1-".encode("gbk")) == "HHa9."
    assert len(pattern(b"1" * 100)) == 25


def test_source_look_shows_columns_and_proposals(cli: Callable[..., Any], tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text(
        '[[sources]]\nname = "his"\nkind = "csv"\ncharset = "utf-8"\npath = "e"\n'
        'edition = "nhsa"\n[sources.tables.settlement]\nobject = "s*.csv"\nkey = "K"\n'
        '[sources.tables.settlement.columns]\npsn_name = "N"\n',
        encoding="utf-8",
    )
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "s1.csv").write_bytes(b"K,N\n1," + TEXT.encode("gbk") + b"\n")
    said = cli("--site", site, "source", "look", "his")
    assert said.code == 0
    assert "[建议核对] 列 N" in said.out
    assert TEXT not in said.out
    report = json.loads(cli("--site", site, "source", "look", "his", "--json").out)
    assert [item["charset"] for item in report["objects"][0]["proposals"]] == ["gb2312"]
    (tmp_path / "e" / "s1.csv").unlink()
    said = cli("--site", site, "source", "look", "his")
    assert (said.code, "看不了" in said.out) == (1, True)


def test_utf16_files_are_looked_at_as_text(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_bytes(f"K,N\n1,{TEXT}\n".encode("utf-16"))
    table = TableMap("settlement", "s*.csv", "K", {"psn_name": "N"})
    spec = SourceSpec("his", "csv", "utf-16", str(tmp_path), "nhsa", {"settlement": table})
    (found,) = open_source(spec).look(5)
    assert found.rows[0]["N"] == TEXT
    assert propose(found, "utf-16") == ()
