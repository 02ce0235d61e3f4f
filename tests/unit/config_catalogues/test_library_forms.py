"""Forms of a library file: three grammars, sub-rows, a city's scores for national groups, several
files in one version; and each row that is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.catalogues import ImportReport
from dipgate.config.libraries import import_library, list_libraries, load_library
from dipgate.config.library_ops import key_of
from dipgate.config.row_errors import BadRows
from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError, RecordError
from dipgate.core.library import PART_KINDS, LibraryRow

DAY = date(2025, 1, 1)
NATIONAL3 = Path(__file__).parents[2] / "data" / "national3"
CITY = "病种编码,病种类型,诊断代码,分值,主要手术操作代码,相关手术操作代码,手术操作代码"
NATIONAL = "category,seq,dx_codes,main_op_codes,related_op_codes,condition"
Table = Callable[..., Path]
Put = Callable[..., ImportReport]
Rows = Callable[..., dict[str, LibraryRow]]


@pytest.fixture
def put(state: Path, clock: FixedClock) -> Put:
    def run(*files: Path, **more: Any) -> ImportReport:
        return import_library(
            state, "某市", "2025", DAY, files[0], also=files[1:], now=clock.now(), **more
        )

    return run


@pytest.fixture
def rows(put: Put, table: Table, state: Path) -> Rows:
    """`rows(heading, row, …)`: imported and loaded again, by code."""

    def run(*lines: str, **more: Any) -> dict[str, LibraryRow]:
        put(table("目录.csv", *lines), **more)
        return {row.group_code: row for row in load_library(state, "某市").rows}

    return run


# --- grammars ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expressions",
    [
        ("51.2300+54.5101/54.5901", "51.2300+54.5901", "51.2200/51.2300"),
        ("51.2300|54.5101+54.5901", "51.2300+54.5901", "51.2200|51.2300"),
        ('"51.2300,54.5101"', "51.2300", '"51.2200,51.2300,54.5901"'),
        ("51.2300_54.5101+54.5901", "51.2300", "51.2200_54.5101"),
    ],
)
def test_one_grammar_in_a_file(expressions: tuple[str, ...], rows: Rows) -> None:
    lines = (f"{n},核心,K80.1,100,,,{text}" for n, text in enumerate(expressions))
    found = rows(CITY, *lines)
    assert [row.op_expression for row in found.values()] == [
        text.strip('"') for text in expressions
    ]


def test_columns_have_grammars_of_their_own(rows: Rows) -> None:
    """As one city prints it: commas in the column of related operations, `+` in the expression."""
    found = rows(CITY, '1,核心,K80.1,100,51.2300,"54.5101,54.5901",51.2300_54.5101+54.5901')
    assert found["1"].other_ops == "54.5101,54.5901"


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("51.2300", "51.2300/54.5101|54.5901", "用了分隔符“/”、“|”，不合任何一种写法"),
        ("51.2300", '"51.2300,54.5101+54.5901"', "用了分隔符“+”、“,”，不合任何一种写法"),
        ("51.2300/51.2200", "51.2300|54.5101", "分隔符“|”与第2行的“/”属于不同的写法"),
        ("51.2300+51.2200", '"51.2300,54.5101"', "分隔符“,”与第2行的“+”属于不同的写法"),
        ("51.2300", "51.2300_54.5101_54.5901", "里有几个“_”，分不清主要和相关手术操作"),
        ("51.2300", "51.2300&54.5101", "里的“51.2300&54.5101”不是手术操作代码"),
        ("51.2300", "51.2300；54.5101", "不是手术操作代码"),
        ("51.2300", "51.2300/", "里的“”不是手术操作代码"),
    ],
)
def test_mixed_separators(
    first: str, second: str, said: str, table: Table, put: Put, state: Path
) -> None:
    file = table("目录.csv", CITY, f"1,核心,K80.1,100,,,{first}", f"2,核心,K80.2,100,,,{second}")
    with pytest.raises(BadRows) as caught:
        put(file)
    (error,) = caught.value.errors
    assert said in str(error)
    assert (error.place.row, error.place.field) == (3, "手术操作代码")
    assert error.remedy
    assert list_libraries(state) == ()


@pytest.mark.parametrize("text", ["51.2300/54.5101", '"51.2300,54.5101"'])
def test_the_national_scheme_has_one_grammar(text: str, table: Table, put: Put) -> None:
    with pytest.raises(BadRows, match="不合任何一种写法"):
        put(table("方案.csv", NATIONAL, f"BX,1,K80.1,{text},,"), partial=True)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("51.2300|54.5101", "54.5101|51.2300", True),
        ("51.2300+54.5101", "54.5101,51.2300", True),
        ("51.2300+54.5101/54.5901", "54.5901/54.5101+51.2300", True),
        ("51.2300|54.5101+54.5901", "54.5901+54.5101|51.2300", True),
        ("51.2300|54.5101", "51.2300+54.5101", False),
        ("51.2300/54.5101", "51.2300+54.5101", False),
        ("51.2300", "", False),
    ],
)
def test_keys_do_not_depend_on_the_order(one: str, other: str, same: bool) -> None:
    assert (key_of(one) == key_of(other)) is same


# --- one key, one row ----------------------------------------------------------------------


def test_a_repeated_key_names_the_first_row(table: Table, put: Put) -> None:
    file = table(
        "目录.csv",
        CITY,
        "1,核心,K80.1,100,,,51.2300+54.5101",
        "2,核心,K80.1,200,,,54.5101+51.2300",
    )
    said = "第3行 字段 诊断代码：病种“2”的诊断、手术操作和条件与第2行的“1”完全相同"
    with pytest.raises(BadRows, match=said):
        put(file)


@pytest.mark.parametrize(
    "second",
    [
        "2,综合,K80.1,200,,,51.2300",
        "2,基层,K80.1,200,,,51.2300",
        "2,核心,K80.2,200,,,51.2300",
        "2,核心,K80.1,200,,,51.2300_54.5101",
        "2,核心,K80.1,200,,,",
    ],
)
def test_what_makes_another_key(second: str, rows: Rows) -> None:
    assert len(rows(CITY, "1,核心,K80.1,100,,,51.2300", second)) == 2


def test_surgery_levels_make_another_key(rows: Rows) -> None:
    head = "病种编码,病种类型,诊断代码,分值,治疗方式,手术级别"
    found = rows(head, "1,综合,K80,100,手术,1", "2,综合,K80,200,手术,2", "3,综合,K80,300,手术,3")
    assert [row.op_level for row in found.values()] == [1, 2, 3]


# --- sub-rows and factors ------------------------------------------------------------------

SUB = "病种编码,病种类型,诊断代码,分值,基层病种,基层病种系数,上级病种编码,辅助分型"


def test_sub_rows_and_the_factor_of_a_basic_group(rows: Rows) -> None:
    found = rows(
        SUB,
        "1,核心,K80.1,100,是,1.05,,",
        "1_1,核心,K80.1,90,,,1,轻度",
        "1_3,核心,K80.1,150,,,1,重度",
    )
    assert (found["1"].is_basic, found["1"].group_factor) == (True, Decimal("1.05"))
    assert (found["1"].parent_code, found["1"].sub_label) == ("", "")
    assert (found["1_3"].parent_code, found["1_3"].sub_label) == ("1", "重度")
    assert found["1_3"].group_factor is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("2,核心,K80.1,90,,,9,轻度", "上级病种“9”不在目录里"),
        ("2,核心,K80.1,90,,,2,轻度", "上级病种“2”自己也是辅助分型的行"),
        ("2,核心,K80.1,90,,,1,", "字段 辅助分型：辅助分型的行要同时写明上级病种和分型"),
        ("2,核心,K80.1,90,,,,轻度", "字段 上级病种编码：辅助分型的行要同时写明"),
        ("2,核心,K80.2,90,,0,,", "字段 基层病种系数：病种系数是0"),
        ("2,核心,K80.2,90,,很高,,", "字段 基层病种系数：“很高”不是数字"),
        ("2,核心,K80.2,90,也许,,,", "“也许”不认识"),
    ],
)
def test_a_bad_mark(row: str, said: str, table: Table, put: Put, state: Path) -> None:
    with pytest.raises(BadRows) as caught:
        put(table("目录.csv", SUB, "1,核心,K80.1,100,,,,", row))
    (error,) = caught.value.errors
    assert said in str(error)
    assert error.place.row == 3
    assert list_libraries(state) == ()


@pytest.mark.parametrize("level", ["5", "0", "高", "1.5"])
def test_a_bad_surgery_level(level: str, table: Table, put: Put) -> None:
    head = "病种编码,病种类型,诊断代码,分值,手术级别"
    with pytest.raises(BadRows, match="字段 手术级别："):
        put(table("目录.csv", head, f"1,综合,K80,100,{level}"))


# --- the national form ---------------------------------------------------------------------


def test_a_city_scores_national_groups(rows: Rows) -> None:
    head = f"{NATIONAL},分值,次均费用,平均住院日,变异系数,病例数,基层病种,基层病种系数"
    found = rows(
        head,
        "BX,20,K80.1,51.2300,54.5101,,1250.5,10004.00,7.5,0.31,45,,",
        "JC,1858,J18.9,,,保守治疗,500,4000,6,0.4,200,1,1.1",
        partial=True,
    )
    merged, basic = found["BX-20"], found["JC-1858"]
    assert (merged.score, merged.average_fee) == (Decimal("1250.5"), Decimal("10004.00"))
    assert (merged.average_stay, merged.cv, merged.case_count) == (
        Decimal("7.5"),
        Decimal("0.31"),
        45,
    )
    assert (basic.is_basic, basic.group_factor) == (True, Decimal("1.1"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("BX,1,霍乱,51.2300,,", "“霍乱”里的“霍乱”不是诊断编码、亚目、类目或范围"),
        ("BX,1,K80.1|,51.2300,,", "“K80.1|”里的“”不是诊断编码"),
        ("BX,1,K93-K80,51.2300,,", "“K93-K80”里的“K93-K80”不是"),
        ("BX,1,K80.1,,54.5101,", "有相关手术操作，没有主要手术操作"),
        ("BX,0x1,K80.1,51.2300,,", "序号“0x1”不是整数"),
        ("BX,²,K80.1,51.2300,,", "序号“²”不是整数"),
    ],
)
def test_a_bad_national_row(row: str, said: str, table: Table, put: Put) -> None:
    with pytest.raises(BadRows) as caught:
        put(table("方案.csv", NATIONAL, row), partial=True)
    assert said in str(caught.value)


def test_a_repeated_number_is_said_of_its_column(table: Table, put: Put) -> None:
    lines = ("BX,20,K80.1,51.2300,,", "BX,20,K80.2,51.2300,,")
    with pytest.raises(BadRows, match="第3行 字段 seq：病种“BX-20”与第2行重复"):
        put(table("方案.csv", NATIONAL, *lines), partial=True)


def test_a_city_prints_codes_of_its_own(rows: Rows, table: Table, put: Put) -> None:
    head = f"{NATIONAL},病种编码"
    found = rows(head, "BX,20,K80.1,51.2300,,,甲-7", "BX,21,K80.2,51.2300,,,", partial=True)
    assert [(row.group_code, row.kind) for row in found.values()] == [
        ("甲-7", "BX"),
        ("BX-21", "BX"),
    ]
    with pytest.raises(BadRows, match="字段 病种编码：先期分组的编码应为 XQ-1"):
        put(table("方案.csv", head, "XQ,1,所有诊断,51.2300,,,甲"), partial=True)
    lines = ("BX,20,K80.1,51.2300,,,甲", "BX,20,K80.2,51.2300,,,乙")
    with pytest.raises(BadRows, match="第3行 字段 seq：序号20与第2行重复"):
        put(table("方案.csv", head, *lines), partial=True, supersede=True)


@pytest.mark.parametrize("dx", ["所有诊断", "P07", "A15-A16", "T20.2|T20.6", "M47.0+", "N40.x"])
def test_keys_of_the_national_scheme(dx: str, rows: Rows) -> None:
    assert rows(NATIONAL, f"BX,1,{dx},51.2300,,", partial=True)["BX-1"].dx_code == dx


def test_a_national_file_of_another_size(table: Table, put: Put, state: Path) -> None:
    lines = (f"JC,{n},A01.{n},,,保守治疗" for n in range(1, 4))
    file = table("方案.csv", NATIONAL, *lines)
    said = "行数与国家 3.0 版方案不符：XQ 应有19行，有0行；BX 应有1725行.*JC 应有3268行，有3行"
    with pytest.raises(RecordError, match=said) as caught:
        put(file)
    assert "--partial" in caught.value.remedy
    assert list_libraries(state) == ()
    assert put(file, partial=True).notes == ()


def test_a_national_list_of_another_size(table: Table, put: Put) -> None:
    layers = [*["XQ"] * 19, *["BX"] * 1725, *["FZ"] * 113, *["JC"] * 3268]
    lines = (
        f"{layer},{n},A01,{n // 10_000 + 10}.{n % 10_000:04},," for n, layer in enumerate(layers, 1)
    )
    file = table("方案.csv", NATIONAL, *lines)
    tb = table("耐药.csv", "code", "A15.000")
    with pytest.raises(RecordError, match="不符：结核耐药诊断应有48行，有1行"):
        put(file, parts={"tb-resistant": tb})
    assert put(file).counts["JC"] == 3268


# --- several files -------------------------------------------------------------------------


def test_local_rows_beside_the_national_ones(table: Table, put: Put, state: Path) -> None:
    national = table("方案.csv", NATIONAL, "JC,1,K80.1,51.2300,,")
    local = table("综合.csv", "病种编码,病种类型,诊断代码,分值", "Z1,综合,K80,900")
    report = put(national, local, partial=True)
    assert dict(report.counts) == {"JC": 1, "综合": 1}
    data = load_library(state, "某市")
    assert data.edition == "3.0"
    assert [row.group_code for row in data.rows] == ["JC-1", "Z1"]
    (held,) = list_libraries(state)
    assert held.source_file == "方案.csv"
    assert [line.split()[0] for line in held.also_from] == ["综合.csv"]


def test_the_hash_is_of_all_files(table: Table, put: Put) -> None:
    head = "病种编码,病种类型,诊断代码,分值"
    one, two = table("甲.csv", head, "1,核心,K80,1"), table("乙.csv", head, "2,核心,K81,1")
    both = put(one, two).source_hash
    assert put(two, one, supersede=True).source_hash != both
    assert put(one, two, supersede=True).source_hash == both
    assert put(one, supersede=True).source_hash not in (both, "")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,核心,K81.0,100", "乙.csv 第2行 字段 病种编码：病种“1”与甲.csv 第2行重复"),
        ("2,核心,K80.1,100", "乙.csv 第2行 .*与甲.csv 第2行的“1”完全相同"),
    ],
)
def test_a_repetition_across_files(row: str, said: str, table: Table, put: Put) -> None:
    head = "病种编码,病种类型,诊断代码,分值"
    one, two = table("甲.csv", head, "1,核心,K80.1,100"), table("乙.csv", head, row)
    with pytest.raises(BadRows, match=said):
        put(one, two)


def test_a_further_file_without_rows(table: Table, put: Put) -> None:
    head = "病种编码,病种类型,诊断代码,分值"
    with pytest.raises(RecordError, match=r"乙\.csv：只有表头，没有数据"):
        put(table("甲.csv", head, "1,核心,K80.1,100"), table("乙.csv", head))


# --- the library that the other tests use --------------------------------------------------


def test_the_fictional_library(put: Put, state: Path) -> None:
    parts = {kind: NATIONAL3 / "parts" / f"{kind}.csv" for kind in PART_KINDS}
    report = put(
        NATIONAL3 / "library.csv", NATIONAL3 / "comprehensive.csv", parts=parts, partial=True
    )
    assert dict(report.counts) == {"XQ": 10, "BX": 13, "FZ": 32, "JC": 21, "综合": 10, "未入组": 1}
    assert set(report.parts) == set(PART_KINDS)
    data = load_library(state, "某市")
    assert data.edition == "3.0"
    assert all(row.score is not None for row in data.rows)
    with pytest.raises(ConfigError, match="没有版本"):
        load_library(state, "某市", "1")
