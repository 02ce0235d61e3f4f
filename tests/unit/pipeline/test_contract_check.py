"""A source against its contract, through the command a HIS vendor runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.standard import codesets
from dipgate.core.record import SeenColumn, SeenTable, TableMap
from dipgate.mapping.contract import Breach, check_contract, plain_text, shape

COLUMNS = {
    "setl_id": "结算ID",
    "psn_name": "姓名",
    "gend": "性别",
    "adm_time": "入院时间",
    "medfee_sumamt": "总费用",
    "dscg_caty": "科室",
}
HEAD = ["住院流水号", *COLUMNS.values()]
GOOD = ["ZY1", "S1", "甲某某", "男", "2025-03-01 08:00:00", "100.00", "0412"]


def site(folder: Path, charset: str = "utf-8") -> Path:
    lines = [
        "[[sources]]",
        'name = "his"',
        'kind = "csv"',
        f'charset = "{charset}"',
        'path = "export"',
        'edition = "nhsa"',
        "[sources.tables.settlement]",
        'object = "s*.csv"',
        'key = "住院流水号"',
        "[sources.tables.settlement.columns]",
        *(f'{name} = "{column}"' for name, column in COLUMNS.items()),
    ]
    file = folder / "site.toml"
    file.write_text("\n".join(lines), encoding="utf-8")
    (folder / "export").mkdir()
    return file


def write(folder: Path, *rows: list[str], head: list[str] = HEAD) -> None:
    text = "\n".join(",".join(row) for row in (head, *rows))
    (folder / "export" / "s1.csv").write_text(text, encoding="utf-8")


def checked(cli: Callable[..., Any], file: Path) -> tuple[int, dict[str, Any]]:
    said = cli("--site", file, "contract", "check", "his", "--json")
    return said.code, json.loads(said.out)


def by_column(report: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {item["column"]: (item["breach"], item["count"]) for item in report["clauses"]}


def test_a_source_that_keeps_its_columns(tmp_path: Path, cli: Callable[..., Any]) -> None:
    """What is mapped is right; fields that nobody maps are named and break the contract."""
    file = site(tmp_path)
    write(tmp_path, GOOD)
    code, report = checked(cli, file)
    assert report["clauses"] == []
    assert (code, report["holds"]) == (1, False)
    assert any(name.startswith("psn_no（") for name in report["unmapped"])


@pytest.mark.parametrize(
    ("place", "value", "breach"),
    [
        (0, "", "主键为空"),
        (3, "雌", "代码值不在码表"),
        (4, "2025-13-45", "类型不符"),
        (4, "三月一日", "类型不符"),
        (5, "一百元", "类型不符"),
        (2, "长" * 51, "超长"),
        (1, "9" * 31, "超长"),
    ],
)
def test_each_breach_is_found_once_with_its_row(
    tmp_path: Path, cli: Callable[..., Any], place: int, value: str, breach: str
) -> None:
    file = site(tmp_path)
    bad = list(GOOD)
    bad[place] = value
    write(tmp_path, GOOD, bad, bad)
    _, report = checked(cli, file)
    (found,) = report["clauses"]
    assert (found["breach"], found["column"], found["count"]) == (breach, HEAD[place], 2)
    assert found["first_row"] == 2
    assert found["rows"] == 3
    assert found["remedy"]
    if place != 3:
        assert not value or value not in json.dumps(report, ensure_ascii=False)


def test_missing_and_extra_columns_are_named(tmp_path: Path, cli: Callable[..., Any]) -> None:
    file = site(tmp_path)
    head = [name if name != "总费用" else "费用合计" for name in HEAD]
    write(tmp_path, GOOD, head=head)
    code, report = checked(cli, file)
    assert code == 1
    assert by_column(report) == {"总费用": ("缺列", 1), "费用合计": ("多出的列", 1)}
    assert [item["breaks"] for item in report["clauses"]] == [True, False]


def test_bytes_of_another_charset_are_counted(tmp_path: Path, cli: Callable[..., Any]) -> None:
    file = site(tmp_path)
    write(tmp_path, GOOD)
    path = tmp_path / "export" / "s1.csv"
    path.write_bytes(path.read_bytes() + b"\nZY2,S2," + b"\xc4\xd0,1,,,")
    _, report = checked(cli, file)
    assert ("字符集不符", 1) in by_column(report).values()


def test_nothing_there_is_said(tmp_path: Path, cli: Callable[..., Any]) -> None:
    file = site(tmp_path)
    code, report = checked(cli, file)
    assert (code, report["clauses"][0]["breach"]) == (1, "没有这个文件或视图")
    said = cli("--site", file, "contract", "check", "other")
    assert (said.code, "已有：his" in said.err) == (2, True)


def test_the_text_form_shows_examples_as_shapes(tmp_path: Path, cli: Callable[..., Any]) -> None:
    file = site(tmp_path)
    bad = list(GOOD)
    bad[4] = "2025年99月"
    write(tmp_path, bad)
    said = cli("--site", file, "contract", "check", "his")
    assert said.code == 1
    assert "9999字99字" in said.out
    assert "[不符] 类型不符" in said.out


def test_the_contract_can_be_handed_over(tmp_path: Path, cli: Callable[..., Any]) -> None:
    file = site(tmp_path)
    lines = cli("--site", file, "contract", "show", "his", "--json").out.splitlines()
    terms = {item["column"]: item for item in map(json.loads, lines)}
    assert set(terms) == set(HEAD)
    assert (terms["性别"]["field"], terms["性别"]["codes"]) == ("setlinfo.gend", "gend")
    assert terms["姓名"]["length"] == "50"


def seen(columns: tuple[SeenColumn, ...], rows: list[dict[str, Any]]) -> Any:
    table = TableMap("settlement", "v_settlement", "k", {"setl_id": "id", "psn_name": "name"})
    return check_contract(
        {"settlement": table},
        (SeenTable("settlement", "v_settlement", columns, tuple(rows)),),
        codec="utf-8",
        codesets=codesets(),
        specs={},
        check_row=lambda _node, _row: (),
    )


def test_numbers_that_were_kept_as_floats_are_a_hint() -> None:
    columns = (SeenColumn("k"), SeenColumn("id", "double precision"), SeenColumn("name"))
    (clause,) = seen(columns, [{"k": "1", "id": 1.5, "name": "x"}])
    assert (clause.breach, clause.breaks) == (Breach.FLOAT, False)


def test_values_that_fill_their_column_look_cut_off() -> None:
    columns = (SeenColumn("k"), SeenColumn("id"), SeenColumn("name", "varchar", 10))
    names = ["一二三四五六七八九十", "甲乙丙丁戊己庚辛壬癸", "短", "更短的"]
    rows = [{"k": str(n), "id": "1", "name": name} for n, name in enumerate(names)]
    (clause,) = seen(columns, rows)
    assert (clause.breach, clause.column) == (Breach.CUT, "name")


def test_an_object_without_rows_is_a_hint() -> None:
    columns = (SeenColumn("k"), SeenColumn("id"), SeenColumn("name"))
    (clause,) = seen(columns, [])
    assert (clause.breach, clause.breaks) == (Breach.EMPTY, False)


def test_cells_become_text_without_losing_anything() -> None:
    assert [plain_text(cell) for cell in (None, True, 7, Decimal("1.50"), 0.1, "x")] == [
        "",
        "1",
        "7",
        "1.50",
        "0.1",
        "x",
    ]
    assert shape("张三 A1-x") == "字字 a9-a"
