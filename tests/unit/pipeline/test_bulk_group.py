"""`dipgate group` over whole years: forms of file, rows that are broken, what the runner says."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from dipgate.core.case import case_of
from dipgate.core.lists import list_of
from dipgate.pipeline import bulk_group_ids, bulk_group_pool
from dipgate.pipeline.bulk_group_book import BookNames
from dipgate.pipeline.bulk_group_pool import Orders
from dipgate.pipeline.bulk_group_read import Position, open_source
from dipgate.pipeline.bulk_group_work import Form
from dipgate.pregrouper.batch import COLUMNS, RESULT_COLUMNS, entry_of

Cli = Callable[..., Any]
GOOD = {
    "setl_id": "S1",
    "dx": "K80.101",
    "other_dx": "",
    "ops": "51.2300|54.5101",
    "medfee_sumamt": "16000.00",
    "fund_payamt": "12000.00",
    "hi_type": "310",
    "setl_end_date": "2025-03-15",
    "adm_time": "2025-03-10 09:00:00",
    "dscg_time": "2025-03-14 10:00:00",
}
WHOLE = {
    "setlinfo": {
        "setl_id": "S1",
        "setl_end_date": "2025-03-15",
        "adm_time": "2025-03-10 09:00:00",
        "dscg_time": "2025-03-14 10:00:00",
        "hi_type": "310",
    },
    "diseinfo": [{"diag_code": "K80.101", "maindiag_flag": "1", "diag_type": "1"}],
    "oprninfo": [
        {"oprn_oprt_code": "51.2300", "oprn_oprt_type": "1"},
        {"oprn_oprt_code": "54.5101", "oprn_oprt_type": "2"},
    ],
    "iteminfo": [{"med_chrgitm": "01", "amt": "16000.00"}],
    "payinfo": [{"fund_pay_type": "310100", "fund_payamt": "12000.00"}],
}


def table(folder: Path, *rows: dict[str, str], name: str = "cases.csv") -> Path:
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(GOOD))
        writer.writeheader()
        writer.writerows(rows)
    return path


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def grouped(cli: Cli, sample_state: Path, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Results of a file, and a look at what stands in the list of rows to mend."""

    def run(file: Path, *options: object) -> list[dict[str, Any]]:
        out = tmp_path / "out.jsonl"
        said = cli("--state", sample_state, "group", file, "--out", out, *options)
        assert said.code in (0, 2), said.err
        return lines_of(out)

    return run


def test_every_form_of_file_gives_the_same_bytes(
    cli: Cli, sample_state: Path, case_files: Any
) -> None:
    rows = case_files.rows(2500)
    files = [
        case_files.write(rows, "u.csv"),
        case_files.write(rows, "g.csv", "gb18030"),
        case_files.write(rows, "c.jsonl"),
        case_files.write(rows, "p.parquet"),
    ]
    results = set()
    for number, file in enumerate(files):
        out = file.with_name(f"out{number}.jsonl")
        assert cli("--state", sample_state, "group", file, "--out", out).code == 0
        results.add(out.read_bytes())
    assert len(results) == 1
    assert len(results.pop().splitlines()) == 2500


def test_a_flat_case_is_the_case_of_its_list(cli: Cli, sample_state: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole.jsonl"
    whole.write_text(json.dumps(WHOLE), encoding="utf-8")
    said = cli("--state", sample_state, "group", whole, "--json")
    flat = cli("--state", sample_state, "group", table(tmp_path, GOOD), "--json")
    assert said.code == flat.code == 0
    assert said.out == flat.out
    assert json.loads(flat.out)["amount_fen"] == 1334849


def test_flat_and_whole_say_the_same_of_a_stay() -> None:
    values = [GOOD.get(column.name) for column in COLUMNS]
    flat, whole = entry_of(values).case, case_of(list_of(WHOLE))
    for name in ("case_id", "fee", "fund", "admitted", "discharged", "settled", "problems"):
        assert getattr(flat, name) == getattr(whole, name), name
    assert [item.code for item in flat.procedures] == [item.code for item in whole.procedures]


@pytest.mark.usefixtures("workers_alone")
def test_json_to_stdout_is_the_same_from_processes(
    cli: Cli, sample_state: Path, case_files: Any
) -> None:
    file = case_files.write(case_files.rows(2100), "c.jsonl")
    one = cli("--state", sample_state, "group", file, "--json", "--trace")
    two = cli("--state", sample_state, "group", file, "--json", "--trace", "--processes", "2")
    assert one.code == two.code == 0
    assert one.out == two.out
    assert json.loads(one.out.splitlines()[0])["trace"]


class Speaking:
    """A queue of answers in which a process speaks after so many looks."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def empty(self) -> bool:
        self.left -= 1
        return self.left > 0


@pytest.mark.parametrize(("looks", "done"), [(1, 1), (2, 2), (9, 3)])
def test_the_first_chunks_are_worked_on_while_processes_start(
    sample_state: Path, case_files: Any, looks: int, done: int
) -> None:
    """At least one chunk, and none after a process has spoken; the rest is left to them."""
    source = open_source(case_files.write(case_files.rows(2100), "c.jsonl"))
    names = BookNames(str(sample_state), str(sample_state / "site.toml"))
    orders, coming = Orders(names, source.shape, Form.JSON), source.chunks(Position())
    here = bulk_group_pool._while_they_start(orders.worker(), coming, Speaking(looks))  # type: ignore[arg-type]
    found = [(chunk.index, made.chunk, made.totals.cases) for chunk, made in here]
    assert found == [(0, 0, 1000), (1, 1, 1000), (2, 2, 100)][:done]
    assert [chunk.index for chunk in coming] == list(range(done, 3))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_hold_what_the_lines_hold(
    cli: Cli, sample_state: Path, case_files: Any, ending: str
) -> None:
    file = case_files.write(case_files.rows(1200), "c.csv")
    lines, out = file.with_name("o.jsonl"), file.with_name(f"o.{ending}")
    assert cli("--state", sample_state, "group", file, "--out", lines).code == 0
    assert cli("--state", sample_state, "group", file, "--out", out).code == 0
    rows: list[dict[str, Any]]
    if ending == "csv":
        with out.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    else:
        rows = pyarrow.parquet.read_table(out).to_pylist()
    expected = lines_of(lines)
    assert len(rows) == len(expected) == 1200
    for row, line in zip(rows, expected, strict=True):
        for name in RESULT_COLUMNS:
            value: Any = line[name]
            if ending == "csv":
                value = "|".join(value) if isinstance(value, list) else value
                value = "" if value is None else str(value)
            assert row[name] == value, (line["case"], name)


BROKEN: dict[str, tuple[dict[str, str], str, str, str]] = {
    "no principal diagnosis": ({"dx": ""}, "INVALID_INPUT", "没有主要诊断", "dx"),
    "two principal diagnoses": ({"dx": "K80.101|K81.0"}, "INVALID_INPUT", "不止一个编码", "dx"),
    "mixed separators": ({"ops": "51.2300|54.5101,47.01"}, "INVALID_INPUT", "分隔符", "ops"),
    "operations joined by +": ({"ops": "51.2300+54.5101"}, "INVALID_INPUT", "分隔符", "ops"),
    "fee of zero": ({"medfee_sumamt": "0.00"}, "GROUPED", "总费用是 0 元", "medfee_sumamt"),
    "fee that is no number": ({"medfee_sumamt": "5,000"}, "GROUPED", "读不出来", "medfee_sumamt"),
    "discharged before admitted": (
        {"dscg_time": "2025-03-09 10:00:00"},
        "INVALID_INPUT",
        "出院时间早于入院时间",
        "dscg_time",
    ),
    "no such day": ({"setl_end_date": "2025-02-30"}, "GROUPED", "读不出来", "setl_end_date"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_case_has_its_status_and_sentence_and_stops_nobody(
    grouped: Callable[..., list[dict[str, Any]]], tmp_path: Path, name: str
) -> None:
    change, status, sentence, field = BROKEN[name]
    broken = {**GOOD, **change, "setl_id": "S0"}
    first, second = grouped(table(tmp_path, broken, GOOD))
    assert first["case"] == "S0"
    assert first["status"] == status
    assert any(sentence in text for text in first["warnings"]), first["warnings"]
    assert first["score_status"] in ("OUT_OF_SCOPE", "NOT_CONFIGURED")
    assert first["amount_fen"] is None
    assert (second["case"], second["score_status"]) == ("S1", "SCORED")
    (aside,) = lines_of(tmp_path / "out.jsonl.aside.jsonl")
    assert (aside["file"], aside["row"], aside["field"]) == ("cases.csv", 2, field)
    assert aside["remedy"]
    assert aside["grouped"] is True


def test_a_code_of_another_edition_has_its_sentence(
    grouped: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    (found,) = grouped(table(tmp_path, {**GOOD, "dx": "K80.100x999"}))
    assert any("W_UNMAPPED" in text and "K80.100x999" in text for text in found["warnings"])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"S0,K80.1,too,few\n", "这一行有 4 格，表头有 10 格"),
        (b'S0,"K80.101,,51.2300,1,1,310,2025-03-15,,\n', "引号没有配对"),
        (b"S0,K80.101,,51.2300,\xff\xff,1,310,2025-03-15,,\n", "不是 utf-8 编码"),
    ],
)
def test_a_row_that_cannot_be_read_is_set_aside(
    cli: Cli, sample_state: Path, tmp_path: Path, line: bytes, says: str
) -> None:
    file = table(tmp_path, {**GOOD, "fund_payamt": "12000.00"}, GOOD)
    head, first, second = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(head + first.replace(b"S1", "甲1".encode()) + line + second)
    out = tmp_path / "out.jsonl"
    said = cli("--state", sample_state, "group", file, "--out", out)
    assert said.code == 2
    assert "另有 1 例不能读取" in said.out
    assert [item["case"] for item in lines_of(out)] == ["甲1", "S1"]
    (aside,) = lines_of(tmp_path / "out.jsonl.aside.jsonl")
    assert (aside["row"], aside["what"], aside["grouped"]) == (3, says, False)


def test_a_cell_in_quotes_may_go_on_in_the_next_line(
    grouped: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    file = table(tmp_path, {**GOOD, "setl_id": 'S\n"0"'}, GOOD)
    assert [item["case"] for item in grouped(file)] == ['S\n"0"', "S1"]


def test_columns_may_have_their_chinese_names_and_others_are_told(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    file = tmp_path / "c.csv"
    head = "结算ID,主要诊断,手术操作,总费用,医保类型,结算日期,备注"
    file.write_bytes(f"{head}\nS1,K80.101,51.2300,16000,310,2025-03-15,x\n".encode("gb18030"))
    said = cli("--state", sample_state, "group", file, "--out", tmp_path / "o.jsonl")
    assert said.code == 0, said.err
    assert "没有用到的列：备注" in said.err
    assert "K80.1:51.2300" in (tmp_path / "o.jsonl").read_text(encoding="utf-8")


def test_a_file_without_the_columns_of_codes_is_refused(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    file = tmp_path / "c.csv"
    file.write_text("setl_id,dx\nS1,K80.101\n", encoding="utf-8")
    said = cli("--state", sample_state, "group", file, "--out", tmp_path / "o.jsonl")
    assert said.code == 2
    assert "没有列 ops" in said.err
    assert not list(tmp_path.glob("o.jsonl*"))


def test_typed_columns_of_parquet_are_read(
    grouped: Callable[..., list[dict[str, Any]]], tmp_path: Path
) -> None:
    from datetime import date, datetime
    from decimal import Decimal

    file = tmp_path / "c.parquet"
    columns = {
        "setl_id": ["A", "B"],
        "dx": pyarrow.array(["K80.101", "K80.101"]).dictionary_encode(),
        "ops": [["51.2300", "54.5101"], None],
        "medfee_sumamt": pyarrow.array([Decimal("16000.00"), None], pyarrow.decimal128(12, 2)),
        "fund_payamt": [12000.5, 1.005],
        "hi_type": [310, 310],
        "setl_end_date": [date(2025, 3, 15), date(2025, 3, 15)],
        "dscg_time": [datetime(2025, 3, 14, 10), None],  # noqa: DTZ001
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), file)
    first, second = grouped(file)
    assert first["group_code"] == "K80.1:51.2300_54.5101"
    assert first["score_status"] == "SCORED"
    assert second["not_configured"] == ["case.fee"]
    (aside,) = lines_of(tmp_path / "out.jsonl.aside.jsonl")
    assert (aside["row"], aside["field"]) == (2, "fund_payamt")


def test_a_file_that_is_no_parquet_is_refused(cli: Cli, sample_state: Path, tmp_path: Path) -> None:
    file = tmp_path / "c.parquet"
    file.write_bytes(b"PAR1 but nothing more")
    said = cli("--state", sample_state, "group", file, "--out", tmp_path / "o.jsonl")
    assert said.code == 2
    assert "不是可读的 Parquet 文件" in said.err


@pytest.mark.parametrize(
    ("module", "options", "says"),
    [
        ("pyarrow", ("--out", "o.parquet"), "pip install 'dipgate[parquet]'"),
        ("pyspark", ("--engine", "spark", "--out", "o.jsonl"), "pip install 'dipgate[spark]'"),
    ],
)
def test_an_extra_that_is_not_installed_is_named(
    cli: Cli,
    sample_state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    options: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(tmp_path)
    said = cli("--state", sample_state, "group", table(tmp_path, GOOD), *options)
    assert said.code == 2
    assert says in said.err
    assert not list(tmp_path.glob("o.*"))


def test_an_unknown_ending_is_refused(cli: Cli, sample_state: Path, tmp_path: Path) -> None:
    file = table(tmp_path, GOOD)
    said = cli("--state", sample_state, "group", file, "--out", tmp_path / "o.xlsx")
    assert said.code == 2
    assert ".parquet" in said.err


def test_those_insured_elsewhere_are_priced_by_their_areas_policy(
    grouped: Callable[..., list[dict[str, Any]]], sample_state: Path, tmp_path: Path
) -> None:
    file = tmp_path / "c.jsonl"
    rows = [
        {**GOOD, "ops": ["51.2300"], "insuplc": place} for place in ("990100", "990203", "123456")
    ]
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert "agreed_areas" in (sample_state / "site.toml").read_text(encoding="utf-8")
    own, neighbour, stranger = grouped(file)
    assert own["policy"].startswith("sample_2025@")
    assert stranger["policy"] == own["policy"]
    assert neighbour["policy"].startswith("sample_neighbour_2025@")


def test_totals_as_an_object(cli: Cli, sample_state: Path, case_files: Any) -> None:
    file = case_files.write(case_files.rows(400), "c.csv")
    out = file.with_name("o.jsonl")
    said = cli("--state", sample_state, "group", file, "--out", out, "--json")
    totals = json.loads(said.out)
    lines = lines_of(out)
    assert totals["cases"] == 400 == sum(totals["statuses"].values())
    assert totals["amount_fen"] == sum(line["amount_fen"] or 0 for line in lines)


def test_the_documentation_names_every_column(checkout: Path) -> None:
    text = (checkout / "docs" / "whole-years.md").read_text(encoding="utf-8")
    for column in COLUMNS:
        assert f"| `{column.name}` | {column.heading} |" in text, column.name
    for name in RESULT_COLUMNS:
        assert f"`{name}`" in text, name


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--trace", "--out", "o.csv"), "--trace 要写成 .jsonl"),
        (("--fast", "--trace", "--json"), "--fast 不记每一步的依据"),
        (("--engine", "spark"), "加 --out"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    cli: Cli,
    sample_state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    said = cli("--state", sample_state, "group", table(tmp_path, GOOD), *options)
    assert said.code == 2
    assert says in said.err


def test_one_run_at_a_time_writes_to_a_file(cli: Cli, sample_state: Path, tmp_path: Path) -> None:
    from filelock import FileLock

    out = tmp_path / "o.jsonl"
    with FileLock(tmp_path / "o.jsonl.lock"):
        said = cli("--state", sample_state, "group", table(tmp_path, GOOD), "--out", out)
    assert said.code == 2
    assert "另一个 dipgate group" in said.err


def test_a_run_never_writes_over_its_own_case_file(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    file = table(tmp_path, GOOD)
    before = file.read_bytes()
    (tmp_path / "soft.csv").symlink_to(file)
    (tmp_path / "hard.csv").hardlink_to(file)
    (tmp_path / "r.csv.part").hardlink_to(file)
    (tmp_path / "s.csv.aside.jsonl").symlink_to(file)
    for name in ("cases.csv", "soft.csv", "hard.csv", "r.csv", "s.csv"):
        said = cli("--state", sample_state, "group", file, "--out", tmp_path / name)
        assert said.code == 2, name
        assert "写进病例文件本身" in said.err, name
        assert file.read_bytes() == before, name


def test_a_run_makes_no_folder_and_replaces_only_its_own_results(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    file = table(tmp_path, GOOD)

    def run(out: Path) -> Any:
        return cli("--state", sample_state, "group", file, "--out", out)

    said = run(tmp_path / "none" / "out.csv")
    assert said.code == 2
    assert "没有目录" in said.err
    assert not (tmp_path / "none").exists()
    for ending in ("csv", "jsonl", "parquet"):
        out = tmp_path / f"theirs.{ending}"
        out.write_text('{"case": "of somebody else"}\n', encoding="utf-8")
        said = run(out)
        assert said.code == 2
        assert "不覆盖" in said.err
        assert out.read_text(encoding="utf-8") == '{"case": "of somebody else"}\n'
        own = tmp_path / f"own.{ending}"
        assert run(own).code == 0
        first = own.read_bytes()
        assert run(own).code == 0
        assert own.read_bytes() == first


def test_a_discharge_without_an_hour_is_compared_as_a_day(grouped: Any, tmp_path: Path) -> None:
    day = "2025-03-10"
    file = table(
        tmp_path,
        GOOD | {"setl_id": "day", "dscg_time": day},
        GOOD | {"setl_id": "midnight", "dscg_time": f"{day} 00:00:00"},
        GOOD | {"setl_id": "hour", "dscg_time": f"{day} 08:59:00"},
        GOOD | {"setl_id": "before", "dscg_time": "2025-03-09"},
    )
    found = {line["case"]: line["status"] for line in grouped(file)}
    assert found["day"] == found["midnight"] == "GROUPED"
    assert found["hour"] == found["before"] == "INVALID_INPUT"


def test_values_that_cannot_be_are_listed_to_mend(grouped: Any, tmp_path: Path) -> None:
    wrong = {
        "zero": {"medfee_sumamt": "0"},
        "negative": {"medfee_sumamt": "-5.00"},
        "fund": {"fund_payamt": "-1"},
        "more": {"fund_payamt": "16000.01"},
    }
    file = table(tmp_path, *(GOOD | {"setl_id": name} | row for name, row in wrong.items()))
    lines = {line["case"]: line for line in grouped(file)}
    for name in ("zero", "negative"):
        assert lines[name]["score_status"] == "NOT_CONFIGURED"
        assert lines[name]["not_configured"] == ["case.fee"]
        assert any("不能计分" in text for text in lines[name]["warnings"])
    asides = lines_of(tmp_path / "out.jsonl.aside.jsonl")
    assert [item["row"] for item in asides] == [2, 3, 4, 5]
    assert [item["field"] for item in asides] == ["medfee_sumamt"] * 2 + ["fund_payamt"] * 2
    assert "负数" in asides[1]["what"]


def test_flat_lines_may_have_chinese_headings_and_say_what_they_lack(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    headings = {column.name: column.heading for column in COLUMNS}
    file = tmp_path / "cases.jsonl"
    rows = [{headings[name]: value for name, value in GOOD.items()}, {"setl_id": "x"}]
    rows += [GOOD | {headings["dx"]: "K80.101"}]
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    said = cli("--state", sample_state, "group", file, "--json")
    assert [json.loads(line)["group_code"] for line in said.out.splitlines()] == [
        "K80.1:51.2300_54.5101"
    ]
    assert "第2行：没有列 dx（主要诊断）；找到的列：setl_id" in said.err
    assert "第3行：列 dx 出现了两次" in said.err


@pytest.mark.usefixtures("workers_alone")
@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_case_id_that_came_before_is_listed_and_counted(
    cli: Cli, sample_state: Path, tmp_path: Path, ending: str
) -> None:
    ids = [f"S{number}" for number in range(2500)]
    ids[2100] = ids[10]
    ids[2400] = ids[10]
    file = table(tmp_path, *(GOOD | {"setl_id": name} for name in ids))
    told = set()
    for options in ((), ("--processes", "2")):
        out = tmp_path / f"out.{ending}"
        said = cli("--state", sample_state, "group", file, "--out", out, *options)
        assert said.code == 0, said.err
        assert "2 例的结算ID 在前面已有" in said.out
        asides = out.with_name(out.name + ".aside.jsonl")
        assert [item["row"] for item in lines_of(asides)] == [2102, 2402]
        told.add(asides.read_bytes())
        assert not out.with_name(out.name + ".ids.part").exists()
    assert len(told) == 1


def test_ids_beyond_the_limit_are_counted_as_not_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk_group_ids, "MOST", 5000)
    seen = bulk_group_ids.SeenIds()
    entries = [bulk_group_ids.id_entry(f"S{number}", number) for number in range(6000)]
    assert seen.repeated(b"".join(entries)) == []
    assert seen.unchecked == 1000
    assert seen.repeated(entries[4999] + entries[7] + entries[5500]) == [4999, 7]


def test_headings_parted_by_another_sign_and_a_file_of_headings_are_told(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    file = tmp_path / "cases.csv"
    file.write_text("setl_id;dx;ops\nS1;K80.101;\n", encoding="utf-8")
    said = cli("--state", sample_state, "group", file)
    assert said.code == 2
    assert "找到的列：setl_id;dx;ops" in said.err
    assert "用分号分隔" in said.err
    file.write_text("setl_id,dx\nS1,K80.101\n", encoding="utf-8")
    said = cli("--state", sample_state, "group", file)
    assert "没有列 ops（手术操作）；找到的列：setl_id、dx" in said.err
    for text in ("setl_id,dx,ops\n", "setl_id,dx,ops\n\n"):
        file.write_text(text, encoding="utf-8")
        said = cli("--state", sample_state, "group", file, "--out", tmp_path / "o.csv")
        assert said.code == 2
        assert "只有表头" in said.err
        assert not (tmp_path / "o.csv").exists()


def test_a_file_that_is_not_there_is_told_in_chinese(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    said = cli("--state", sample_state, "group", tmp_path / "nofile.csv")
    assert said.code == 2
    assert "没有这个文件或目录" in said.err
    assert "No such" not in said.err


@pytest.mark.parametrize("lacking", ["pyspark", "pandas", "java"])
def test_what_spark_needs_is_one_sentence_before_anything_is_written(
    cli: Cli, sample_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == lacking else name)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(shutil, "which", lambda _: None if lacking == "java" else "/bin/java")
    out = tmp_path / "out.jsonl"
    said = cli(
        "--state", sample_state, "group", table(tmp_path, GOOD), "--out", out, "--engine", "spark"
    )
    assert said.code == 2
    assert "pip install 'dipgate[spark]'" in said.err
    assert said.err.count("\n") == 1
    assert not list(tmp_path.glob("out.*"))
