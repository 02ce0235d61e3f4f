"""Parts of a library: what each kind reads, and every row that is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dipgate.config import shelf
from dipgate.config.catalogues import ImportReport
from dipgate.config.libraries import import_library, list_libraries, load_library, shelf_of
from dipgate.config.library_parts import KINDS
from dipgate.config.row_errors import BadRows
from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError, RecordError
from dipgate.core.library import (
    NO_PARTS,
    PART_KINDS,
    AgeLabel,
    Coefficient,
    LevelFee,
    LibraryParts,
    NotMain,
    OpFacts,
    OpNotMain,
    PrimaryCareRow,
    SeverityCode,
    TcmRow,
)

DAY = date(2025, 1, 1)
CITY = ("病种编码,病种类型,诊断代码,分值", "1,核心,K80.1,100")
Table = Callable[..., Path]
Put = Callable[..., ImportReport]


@pytest.fixture
def put(state: Path, table: Table, clock: FixedClock) -> Put:
    """`put({"cci": lines}, …)`: a library of one group with these parts."""

    def run(parts: Mapping[str, tuple[str, ...]], **more: Any) -> ImportReport:
        files = {kind: table(f"{kind}.csv", *lines) for kind, lines in parts.items()}
        return import_library(
            state,
            "某市",
            "2025",
            DAY,
            table("目录.csv", *CITY),
            parts=files,
            now=clock.now(),
            **more,
        )

    return run


@pytest.fixture
def part(put: Put, state: Path) -> Callable[..., LibraryParts]:
    """`part("cci", heading, row, …)`: the parts as loaded again."""

    def run(kind: str, *lines: str) -> LibraryParts:
        put({kind: lines})
        return load_library(state, "某市").parts

    return run


Part = Callable[..., LibraryParts]


def test_every_kind_has_a_table() -> None:
    assert tuple(KINDS) == PART_KINDS


def test_dx_excluded(part: Part) -> None:
    found = part(
        "dx-excluded", "主要诊断编码,主要诊断名称,原因", "a09.900,胃肠炎,残余", "K80.000,结石,"
    ).dx_excluded
    assert found == {"A09.900": "残余", "K80.000": "不纳入分组的主要诊断"}


def test_ops_not_main(part: Part) -> None:
    found = part(
        "ops-not-main",
        "op_code,op_name,rule",
        "00.0100,超声,按保守治疗入组",
        "00.3101,导航,不可作为主要手术操作",
        "44.1300x001,胃镜,A00-A09|C15-C26、D01作为主要诊断，可作为主要手术操作",
    ).ops_not_main
    assert found is not None
    assert found["00.0100"] == OpNotMain("00.0100", "超声", NotMain.CONSERVATIVE, (), 2)
    assert found["00.3101"].treatment is NotMain.NEVER
    assert found["44.1300x001"].treatment is NotMain.LIMITED
    assert found["44.1300x001"].categories == ("A00-A09", "C15-C26", "D01")


def test_op_dictionary(part: Part) -> None:
    found = part(
        "op-dictionary",
        "手术操作代码,名称,类别,手术级别,切口类别,录入选项,灰码,微创",
        "51.2300,胆囊,手术,三级,Ⅱ类,必选,否,是",
        "88.7201,超声,诊断性操作,,0,选择性,1,",
        "99.0400,输血,,,,,,",
    ).op_dictionary
    assert found == {
        "51.2300": OpFacts("51.2300", "胆囊", "手术", 3, 2, True, False, True),
        "88.7201": OpFacts("88.7201", "超声", "诊断性操作", None, 0, False, True, None),
        "99.0400": OpFacts("99.0400", "输血", "", None, None, None, None, None),
    }


def test_tb_resistant(part: Part) -> None:
    found = part("tb-resistant", "code,name", "A15.000x010,耐药", "A15.000x012,多耐药").tb_resistant
    assert found == frozenset({"A15.000x010", "A15.000x012"})


def test_primary_care(part: Part) -> None:
    found = part(
        "primary-care",
        "seq,dx_code,dx_name,main_op_codes,treatment",
        "1,M47.0+,某病,,保守治疗",
        "2,D24,某病,85.2300x001|85.2301,",
    ).primary_care
    assert found == (
        PrimaryCareRow(2, "M47.0+", "", "保守治疗"),
        PrimaryCareRow(3, "D24", "85.2300x001|85.2301", ""),
    )


def test_severity_and_its_exclusions(put: Put, state: Path) -> None:
    put(
        {
            "severity": (
                "code,level,include,exclusion_table",
                "J96.000,重度,,呼吸",
                "I46.900,MCC,I20-I25|I21.0,",
            ),
            "severity-exclusions": ("dx_code,exclusion_table", "J18.900,呼吸", "J44.100,呼吸"),
        }
    )
    parts = load_library(state, "某市").parts
    assert parts.severity == {
        "J96.000": SeverityCode("J96.000", "重度", (), "呼吸"),
        "I46.900": SeverityCode("I46.900", "MCC", ("I20-I25", "I21.0"), ""),
    }
    assert parts.severity_exclusions == {"呼吸": frozenset({"J18.900", "J44.100"})}


def test_cci_takes_the_best_weight(put: Put, state: Path) -> None:
    report = put({"cci": ("code,weight", "E11.200,1", "I50.900,1", "E11.200,2", "E11.200,1")})
    assert load_library(state, "某市").parts.cci == {"E11.200": 2, "I50.900": 1}
    assert report.parts == {"cci": 2}
    assert report.notes == ("查尔森合并症权重：2行与前面重复，取权重最大的一行",)


def test_age(part: Part) -> None:
    head = "label,from_days,to_days,from_years,to_years"
    found = part("age", head, "新生儿,0,28,,", "老年,,,65,").age
    assert found == (AgeLabel("新生儿", 0, 28), AgeLabel("老年", from_years=65))


def test_coefficients(part: Part) -> None:
    found = part(
        "coefficients",
        "病种编码,维度,分型,系数,触发系数",
        "*,疾病严重程度,重度,1.25,",
        "1,CCI,严重,1.10,1.05",
        "1,本地维度,甲,0.9,",
    ).coefficients
    assert found == (
        Coefficient("*", "severity", "重度", Decimal("1.25")),
        Coefficient("1", "cci", "严重", Decimal("1.10"), Decimal("1.05")),
        Coefficient("1", "本地维度", "甲", Decimal("0.9")),
    )


def test_coefficients_with_their_statistics(put: Put, state: Path) -> None:
    head = "病种编码,维度,分型,系数,分型病例数,细分后变异系数"
    put({"coefficients": (head, "1,CCI,严重,1.10,40,0.62", "1,CCI,一般,1.05,,")})
    some, none = load_library(state, "某市").parts.coefficients or ()
    assert (some.cases, some.cv_after) == (40, Decimal("0.62"))
    assert (none.cases, none.cv_after) == (None, None)
    path = shelf_of(state, "某市") / "2025.sqlite"
    path.chmod(0o644)
    with sqlite3.connect(path) as held:
        for column in ("case_count", "cv_after"):
            held.execute(f"ALTER TABLE part_coefficients DROP COLUMN {column}")
    stored_before, _ = load_library(state, "某市").parts.coefficients or ()
    assert (stored_before.coefficient, stored_before.cases) == (Decimal("1.10"), None)


def test_average_fees(part: Part) -> None:
    head = "病种编码,医院级别,年度,次均费用"
    found = part("average-fees", head, "1,三级,2024,5200.50", "1,三级,,5300").average_fees
    assert found == (
        LevelFee("1", "三级", 2024, Decimal("5200.50")),
        LevelFee("1", "三级", None, Decimal(5300)),
    )


def test_tcm_map(part: Part) -> None:
    found = part(
        "tcm-map",
        "code_system,code,syndrome,western_dx_key,op_key,route,factor,group_code",
        "TIBETAN-LOCAL,虚构-1,,J18.9,,加成,1.1,",
        "TCM-GB2021,A07,B04,K35.8,47.0100,同病同价,,",
        "TCM-GB2021,A08,,M51.1+,,own_group,,ZY-1",
    ).tcm_map
    assert found == (
        TcmRow(2, "TIBETAN-LOCAL", "虚构-1", "", "J18.9", "", "uplift", Decimal("1.1")),
        TcmRow(3, "TCM-GB2021", "A07", "B04", "K35.8", "47.0100", "same_price", None),
        TcmRow(4, "TCM-GB2021", "A08", "", "M51.1+", "", "own_group", None, "ZY-1"),
    )


# --- refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "lines", "said"),
    [
        ("dx-excluded", ("code", "胃肠炎"), "“胃肠炎”不是 ICD-10 代码"),
        ("dx-excluded", ("code,reason", "A09.900,甲", "A09.900,乙"), "与第2行重复，内容又不同"),
        ("ops-not-main", ("op_code,rule", "00.01.00,按保守治疗入组"), "不是 ICD-9-CM-3 代码"),
        ("ops-not-main", ("op_code,rule", "00.0100,随意"), "处理方式“随意”不认识"),
        ("ops-not-main", ("op_code,rule", "00.0100,"), "没有写处理方式"),
        ("ops-not-main", ("op_code,rule", "00.0100,限范围可作主要手术操作"), "没有写明诊断范围"),
        ("op-dictionary", ("code,attribute", "51.2300,大手术"), "“大手术”不认识"),
        ("op-dictionary", ("code,attribute,level", "51.2300,手术,5"), "手术级别“5”不是 1–4"),
        ("op-dictionary", ("code,attribute,incision", "51.2300,手术,4"), "切口类别“4”不是 0–3"),
        ("op-dictionary", ("code,attribute,required", "51.2300,手术,也许"), "“也许”不认识"),
        ("op-dictionary", ("code,attribute,灰码", "51.2300,手术,灰"), "“灰”不认识；可用：1、0"),
        ("tb-resistant", ("code", "十五"), "“十五”不是 ICD-10 代码"),
        ("primary-care", ("dx_code", "感冒"), "“感冒”不是 ICD-10 代码、亚目或类目"),
        ("primary-care", ("dx_code,main_op_codes", "D24,85.23/85.24"), "不合任何一种写法"),
        ("severity", ("code,level", "J96.000,很重"), "“很重”不认识；可用：重度"),
        ("severity", ("code,level,include", "J96.000,重度,呼吸"), "不是诊断编码或范围"),
        ("severity-exclusions", ("dx_code,exclusion_table", "J96.000,"), "是空的"),
        ("cci", ("code,weight", "I50.900,4"), "“4”不认识；可用：1、2、3、6"),
        ("age", ("label,from_days", "新生儿,很小"), "不是 0–40000 的整数"),
        ("age", ("label,from_days,to_days", "新生儿,28,0"), "下限大于上限"),
        ("age", ("label,from_years", "新生儿,"), "没有写明天龄或年龄"),
        ("coefficients", ("病种编码,维度,分型,系数", "1,cci,严重,高"), "“高”不是数字"),
        ("coefficients", ("病种编码,维度,分型,系数", "1,cci,严重,0"), "是0，应为正数"),
        ("coefficients", ("病种编码,维度,分型,系数", "1,,严重,1"), "是空的"),
        ("average-fees", ("病种编码,级别,次均费用", "1,三级,-5"), "“-5”不是合理的数值"),
        ("average-fees", ("病种编码,级别,次均费用", "1,三级,0"), "是0，应为正数"),
        ("average-fees", ("病种编码,级别,年度,次均费用", "1,三级,25,5"), "不是 2000–2100 的整数"),
        (
            "tcm-map",
            ("code_system,code,western_dx_key,route", "甲,A07,J18.9,免费"),
            "“免费”不认识；可用：same_price",
        ),
        (
            "tcm-map",
            ("code_system,code,western_dx_key,route", "甲,A07,J18.9,uplift"),
            "加成没有写明系数",
        ),
        (
            "tcm-map",
            ("code_system,code,western_dx_key,route", "甲,A07,J18.9,own_group"),
            "单独成组没有写明病种编码",
        ),
    ],
)
def test_a_bad_row_stops_the_whole_import(
    kind: str, lines: tuple[str, ...], said: str, put: Put, state: Path
) -> None:
    with pytest.raises(BadRows) as caught:
        put({kind: lines})
    (error,) = caught.value.errors
    assert said in str(error)
    assert (error.place.file, error.place.row) == (f"{kind}.csv", len(lines))
    assert error.remedy
    assert list_libraries(state) == ()


def test_an_unknown_kind(put: Put) -> None:
    with pytest.raises(ConfigError, match="没有“fees”这种附表；可用：dx-excluded、ops-not-main"):
        put({"fees": ("code", "A09.900")})


def test_missing_columns(put: Put) -> None:
    with pytest.raises(RecordError, match=r"cci\.csv.*缺少列：weight、weight_charlson1987、权重"):
        put({"cci": ("code,name", "I50.900,心衰")})


def test_headings_alone(put: Put) -> None:
    with pytest.raises(RecordError, match=r"cci\.csv：只有表头，没有数据"):
        put({"cci": ("code,weight",)})


# --- the shelf -----------------------------------------------------------------------------


def test_parts_are_of_the_version(put: Put, state: Path) -> None:
    first = put({"cci": ("code,weight", "I50.900,1")})
    second = put({"cci": ("code,weight", "I50.900,2")}, supersede=True)
    assert first.source_hash != second.source_hash
    assert load_library(state, "某市").parts.cci == {"I50.900": 2}
    (held,) = list_libraries(state)
    assert held.parts["cci"].rows == 1
    assert held.parts["cci"].source_file == "cci.csv"
    shelf.verify(shelf_of(state, "某市"), held)


def test_a_part_that_lost_a_row_is_found(put: Put, state: Path) -> None:
    put({"cci": ("code,weight", "I50.900,1")})
    (held,) = list_libraries(state)
    path = shelf_of(state, "某市") / "2025.sqlite"
    path.chmod(0o644)
    with sqlite3.connect(path) as opened:
        opened.execute("DELETE FROM part_cci")
    with pytest.raises(ConfigError, match="part_cci 有 0 行，导入时是 1 行"):
        shelf.verify(shelf_of(state, "某市"), held)


def test_without_parts_nothing_changes(put: Put, state: Path) -> None:
    report = put({})
    (held,) = list_libraries(state)
    assert report.parts == {}
    assert held.also_from == ()
    assert load_library(state, "某市").parts == NO_PARTS


def test_a_version_stored_before_there_were_parts(put: Put, state: Path) -> None:
    """Fewer columns in the table, fewer keys in the manifest."""
    put({})
    folder = shelf_of(state, "某市")
    manifest = msgspec.json.decode((folder / "2025.json").read_bytes())
    del manifest["parts"], manifest["also_from"]
    (folder / "2025.json").write_bytes(msgspec.json.encode(manifest))
    (folder / "2025.sqlite").chmod(0o644)
    with sqlite3.connect(folder / "2025.sqlite") as held:
        for column in ("group_factor", "parent_code", "sub_label", "op_level"):
            held.execute(f"ALTER TABLE entries DROP COLUMN {column}")
    data = load_library(state, "某市")
    assert data.parts == NO_PARTS
    assert (data.rows[0].score, data.rows[0].group_factor) == (Decimal(100), None)
    assert (data.rows[0].parent_code, data.rows[0].op_level) == ("", None)
