"""What is special to files and to views, beyond the common suite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dipgate.adapters import adapter_kinds, open_source
from dipgate.core.errors import ConfigError
from dipgate.core.hashing import bytes_hash
from dipgate.core.record import RawRow, Rejected, SourceSpec, TableMap

KEY = "流水号"


@dataclass
class Kept:
    raw: dict[str, bytes] = field(default_factory=dict)
    rows: list[RawRow] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    watermark: str | None = None

    def keep_raw(self, source: str, object_name: str, data: bytes) -> str:
        assert source == "his"
        assert object_name
        self.raw[bytes_hash(data)] = data
        return bytes_hash(data)

    def commit(self, rows: Sequence[RawRow], rejected: Sequence[Rejected], watermark: str) -> None:
        self.rows += rows
        self.rejected += rejected
        self.watermark = watermark


def files(folder: Path, charset: str = "utf-8", pattern: str = "js*.csv") -> SourceSpec:
    table = TableMap("settlement", pattern, KEY, {"psn_name": "姓名"})
    return SourceSpec("his", "csv", charset, str(folder), "nhsa", {"settlement": table})


def view(file: Path, watermark: str = "水位") -> SourceSpec:
    table = TableMap("settlement", "v_js", KEY, {"psn_name": "姓名"}, watermark=watermark)
    return SourceSpec("his", "sqlite", "utf-8", str(file), "nhsa", {"settlement": table})


def read(spec: SourceSpec, watermark: str | None = None) -> Kept:
    kept = Kept()
    open_source(spec).read(kept, watermark)
    return kept


def database(file: Path, rows: Sequence[tuple[object, ...]]) -> None:
    connection = sqlite3.connect(file)
    with connection:
        connection.execute('CREATE TABLE IF NOT EXISTS v_js ("流水号", "姓名", "水位")')
        connection.executemany("INSERT INTO v_js VALUES (?, ?, ?)", rows)
    connection.close()


def test_adapters_are_found_by_walking_the_package() -> None:
    assert {"csv", "sqlite"} <= set(adapter_kinds())


def test_unknown_kind_charset_folder_and_file_stop_with_the_setting_named(tmp_path: Path) -> None:
    spec = files(tmp_path)
    for change, path in (
        ({"kind": "fox"}, "sources.his.kind"),
        ({"charset": "gbkk"}, "sources.his.charset"),
        ({"charset": "latin-1"}, "sources.his.charset"),
        ({"path": str(tmp_path / "none")}, "sources.his.path"),
    ):
        with pytest.raises(ConfigError) as error:
            open_source(replace(spec, **change))
        assert error.value.path == path
    with pytest.raises(ConfigError, match="不存在"):
        open_source(view(tmp_path / "none.db"))


@pytest.mark.parametrize("pattern", ["/etc/*.csv", "../*.csv", ""])
def test_a_glob_stays_inside_the_folder(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(ConfigError, match="相对写法"):
        read(files(tmp_path, pattern=pattern))


def test_no_file_is_said_and_is_no_error(tmp_path: Path) -> None:
    report = open_source(files(tmp_path)).read(Kept(), None)
    assert report.objects == 0
    assert "js*.csv" in report.notes[0]


@pytest.mark.parametrize("delimiter", [",", "\t"])
@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "utf-16"])
def test_delimiter_from_the_header_and_charset_from_the_site(
    tmp_path: Path, delimiter: str, charset: str
) -> None:
    text = f"姓名{delimiter}流水号\n虚构甲{delimiter}1\n"
    (tmp_path / "js.csv").write_bytes(text.encode(charset))
    kept = read(files(tmp_path, charset))
    assert [(row.key, row.values["姓名"], row.row) for row in kept.rows] == [("1", "虚构甲", 2)]


def test_a_byte_order_mark_is_no_part_of_the_first_heading(tmp_path: Path) -> None:
    (tmp_path / "js.csv").write_bytes("\ufeff流水号,姓名\n1,甲\n".encode())
    assert [row.key for row in read(files(tmp_path)).rows] == ["1"]


@pytest.mark.parametrize(
    ("data", "charset", "what"),
    [
        (b"", "utf-8", "文件是空的"),
        ("流水号,姓名\n1,甲\n".encode("gb18030"), "utf-8", "表头读不出"),
        ("流水号,姓名,流水号\n1,甲,2\n".encode(), "utf-8", "列名重复：流水号"),
        (b"a,b\n1,2\n", "utf-8", "缺少映射用到的列：流水号、姓名；文件的列：a、b"),
        ("流水号,姓名\n1,虚构甲乙丙丁戊己庚\n".encode(), "gb18030", "文件的内容是 UTF-8"),
        ("\ufeff流水号,姓名\n1,甲\n".encode(), "gb18030", "带 UTF-8 的 BOM"),
        (b"\xff\xfe\x00", "utf-16", "文件不是合法的 utf-16"),
    ],
)
def test_a_file_that_cannot_be_read_is_set_aside_whole(
    tmp_path: Path, data: bytes, charset: str, what: str
) -> None:
    (tmp_path / "js.csv").write_bytes(data)
    (tmp_path / "js2.csv").write_bytes("流水号,姓名\n9,乙\n".encode(charset))
    kept = read(files(tmp_path, charset))
    (aside,) = kept.rejected
    assert what in aside.what
    assert (aside.object_name, aside.row) == ("js.csv", None)
    assert aside.remedy
    assert kept.raw[aside.raw_hash] == data, "the bytes are kept all the same"
    assert [row.key for row in kept.rows] == ["9"], "the rest goes on"


def test_a_changed_file_and_a_changed_mapping_are_read_again(tmp_path: Path) -> None:
    file = tmp_path / "js.csv"
    file.write_bytes("流水号,姓名,电话\n1,甲,000\n".encode())
    spec = files(tmp_path)
    first = read(spec)
    assert read(spec, first.watermark).rows == []
    wider = replace(spec.tables["settlement"], columns={"psn_name": "姓名", "emp_tel": "电话"})
    assert len(read(replace(spec, tables={"settlement": wider}), first.watermark).rows) == 1
    file.write_bytes("流水号,姓名\n1,甲\n2,乙\n".encode())
    assert len(read(spec, first.watermark).rows) == 2


def test_a_broken_watermark_stops_the_source(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="读取位置已损坏"):
        read(files(tmp_path), "[1]")


def test_only_mapped_columns_leave_the_file(tmp_path: Path) -> None:
    (tmp_path / "js.csv").write_bytes("流水号,姓名,电话\n1,甲,000\n".encode())
    assert set(read(files(tmp_path)).rows[0].values) == {KEY, "姓名"}


def test_rows_that_share_the_last_watermark_are_not_missed(tmp_path: Path) -> None:
    file = tmp_path / "his.db"
    database(file, [("1", "甲", "2025-03-01"), ("2", "乙", "2025-03-01")])
    first = read(view(file))
    assert len(first.rows) == 2
    database(file, [("3", "丙", "2025-03-01"), ("4", "丁", "2025-02-01")])
    second = read(view(file), first.watermark)
    assert [row.key for row in second.rows] == ["3"], "later row, same day; earlier days are done"
    assert read(view(file), second.watermark).rows == []


def test_a_row_without_watermark_is_set_aside_once(tmp_path: Path) -> None:
    file = tmp_path / "his.db"
    database(file, [("1", "甲", None), ("2", "乙", 5)])
    first = read(view(file))
    assert [aside.field for aside in first.rejected] == ["水位"]
    second = read(view(file), first.watermark)
    assert (second.rows, second.rejected) == ([], [])


def test_a_view_without_watermark_is_read_whole_each_time(tmp_path: Path) -> None:
    file = tmp_path / "his.db"
    database(file, [("1", "甲", None)])
    first = read(view(file, ""))
    assert len(read(view(file, ""), first.watermark).rows) == 1


def test_a_view_with_more_mapped_columns_is_read_from_the_start(tmp_path: Path) -> None:
    file = tmp_path / "his.db"
    database(file, [("1", "甲", 1)])
    spec = view(file)
    first = read(spec)
    wider = replace(spec.tables["settlement"], columns={"psn_name": "姓名", "x": "水位"})
    assert read(replace(spec, tables={"settlement": wider}), first.watermark).rows == []
    fewer = replace(spec.tables["settlement"], columns={})
    assert len(read(replace(spec, tables={"settlement": fewer}), first.watermark).rows) == 1


def test_numbers_and_nulls_of_a_view_become_text(tmp_path: Path) -> None:
    file = tmp_path / "his.db"
    database(file, [(7, 1234.5, 1), (8, None, 2)])
    assert [row.values["姓名"] for row in read(view(file)).rows] == ["1234.5", ""]


def test_a_missing_view_is_named_and_nothing_else_stops(tmp_path: Path) -> None:
    file = tmp_path / "his.db"
    database(file, [("1", "甲", 1)])
    spec = view(file)
    other = replace(spec.tables["settlement"], table="charge", object_name='v_"x')
    kept = read(replace(spec, tables={"charge": other, **spec.tables}))
    assert 'v_"x' in kept.rejected[0].what
    assert len(kept.rows) == 1


def test_a_file_that_is_no_database_stops_with_the_path(tmp_path: Path) -> None:
    file = tmp_path / "his.db"
    file.write_bytes(b"not a database at all, really not one" * 50)
    with pytest.raises(ConfigError, match="读不了"):
        read(view(file))


def test_the_source_database_is_never_written(tmp_path: Path) -> None:
    file = tmp_path / "his.db"
    database(file, [("1", "甲", 1)])
    before = file.read_bytes()
    read(view(file))
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["his.db"]
