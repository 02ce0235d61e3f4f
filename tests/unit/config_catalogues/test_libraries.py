"""DIP libraries: two column shapes, words brought to one form, every broken row named."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.catalogues import ImportReport
from dipgate.config.libraries import import_library, list_libraries, load_library
from dipgate.config.row_errors import BadRows
from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError, RecordError

DAY = date(2025, 1, 1)
CITY = (
    "group_code,type,dx_code,dx_name,main_op_codes,main_op_names,other_op_codes,other_op_names,"
    "op_expression,treatment_class,score,avg_cost,avg_los,cv,case_count,discuss_flag"
)
NATIONAL = (
    "layer,category,seq,group_name,dx_codes,dx_name,secondary_dx_codes,main_op_codes,"
    "main_op_names,related_op_codes,related_op_names,condition"
)
Table = Callable[..., Path]
Import = Callable[..., ImportReport]


@pytest.fixture
def put(state: Path, clock: FixedClock) -> Import:
    """`put(file, name="某市", version="2025", first_day=DAY, …)`."""

    def run(file: Path, name: str = "某市", version: str = "2025", **more: Any) -> ImportReport:
        first_day = more.pop("first_day", DAY)
        return import_library(state, name, version, first_day, file, now=clock.now(), **more)

    return run


def test_city_shape(table: Table, put: Import, state: Path) -> None:
    file = table(
        "目录.csv",
        CITY,
        '1,核心,k80.1,某病,51.2300,腹腔镜,"54.5101,54.5102",松解,51.2300_54.5101+54.5102,,'
        "2075.8150,16606.52,7.2,0.2321,67,0",
        "2,综合,K80,胆石症,,,,,,BSZL,725,5800,6.9,,171.0,0",
        "3,基层,N40.X,某病,,,,,,保守治疗,525,4200,6.9,,108,0",
        "KBBZ,未入组兜底,KBBZ,,,,,,,,,,,,,1",
        charset="gb18030",
    )
    report = put(file)
    assert dict(report.counts) == {"核心": 2, "综合": 1, "未入组": 1}
    data = load_library(state, "某市")
    assert (data.label, data.edition, data.partial, data.first_day) == (
        "某市@2025",
        "2.0",
        False,
        DAY,
    )
    assert data.source_hash == report.source_hash
    first, second, third, blank = data.rows
    assert (first.row, first.dx_code, first.main_ops) == (2, "K80.1", "51.2300")
    assert first.op_expression == "51.2300_54.5101+54.5102"
    assert first.other_ops == "54.5101,54.5102"
    assert (first.score, first.average_fee) == (Decimal("2075.8150"), Decimal("16606.52"))
    assert (first.average_stay, first.cv, first.case_count) == (
        Decimal("7.2"),
        Decimal("0.2321"),
        67,
    )
    assert (second.kind, second.treatment_class, second.case_count) == ("综合", "保守治疗", 171)
    assert (third.kind, third.is_basic, third.dx_code) == ("核心", True, "N40.x")
    assert (blank.kind, blank.score, blank.dx_code) == ("未入组", None, "KBBZ")


@pytest.mark.parametrize(
    ("word", "kind"),
    [("1", "核心"), ("核心病种", "核心"), ("0", "综合"), ("2", "综合"), ("综合病种", "综合")],
)
def test_words_for_the_layer(word: str, kind: str, table: Table, put: Import, state: Path) -> None:
    put(table("目录.csv", "病种编码,病种类型,诊断代码,分值", f"1,{word},K80.1,100"))
    assert load_library(state, "某市").rows[0].kind == kind


@pytest.mark.parametrize(
    ("word", "treatment"),
    [("SS", "手术"), ("相关手术组", "手术"), ("ZLXCZ", "治疗性操作"), ("内科诊疗组", "保守治疗")],
)
def test_words_for_the_treatment(
    word: str, treatment: str, table: Table, put: Import, state: Path
) -> None:
    put(table("目录.csv", "病种编码,病种类型,诊断代码,分值,治疗方式", f"1,综合,K80,100,{word}"))
    assert load_library(state, "某市").rows[0].treatment_class == treatment


def test_national_shape(table: Table, put: Import, state: Path) -> None:
    file = table(
        "方案.csv",
        NATIONAL,
        "先期分组,XQ,1,心肺移植,所有诊断,所有诊断,,33.6x00,移植,,,",
        "并项规则,BX,2,,A15-A16,结核,,33.2400x001|33.2400x002,活检,34.0401|34.9101,引流,",
        "诊断辅助细分-烧伤,FZ,3,,T20.2,烧伤,T31.1|T31.2,,,,,面积10-29%",
        "基础规则,JC,4,,M47.0+,某病,,,,,,保守治疗",
    )
    put(file, "国家", "3.0", partial=True)
    data = load_library(state, "国家", "3.0")
    assert data.edition == "3.0"
    assert [(row.group_code, row.kind) for row in data.rows] == [
        ("XQ-1", "XQ"),
        ("BX-2", "BX"),
        ("FZ-3", "FZ"),
        ("JC-4", "JC"),
    ]
    _, merged, burn, basic = data.rows
    assert (merged.dx_code, merged.other_ops) == ("A15-A16", "34.0401|34.9101")
    assert (burn.secondary_dx, burn.condition) == ("T31.1|T31.2", "面积10-29%")
    assert (basic.dx_code, basic.treatment_class, basic.condition) == ("M47.0+", "保守治疗", "")
    assert basic.score is None


def test_gaps_in_the_national_numbering_need_partial(
    table: Table, put: Import, state: Path
) -> None:
    row = "基础规则,JC,{0},,A01.{0},伤寒,,,,,,保守治疗"
    file = table("方案.csv", NATIONAL, *(row.format(n) for n in (1, 2, 5, 7)))
    with pytest.raises(RecordError, match=r"序号不连续，缺 3–4、6；处理：.*--partial"):
        put(file, "国家", "3.0")
    assert list_libraries(state) == ()
    report = put(file, "国家", "3.0", partial=True)
    assert report.notes == ("节选：序号有2处间断",)
    assert load_library(state, "国家").partial


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (",核心,K80.1,100,,", "字段 病种编码：是空的"),
        ("1,特殊,K80.1,100,,", "字段 病种类型：病种类型“特殊”不认识；可用：核心"),
        ("1,核心,,100,,", "字段 诊断代码：是空的"),
        ("1,核心,K80.1,,,", "字段 分值：没有分值"),
        ("1,核心,K80.1,很高,,", "字段 分值：“很高”不是数字"),
        ("1,核心,K80.1,-1,,", "字段 分值：“-1”不是合理的数值"),
        (f"1,核心,K80.1,{'9' * 30},,", "不是合理的数值"),
        ("1,核心,K80.1,1e400,,", "不是合理的数值"),
        ("1,核心,K80.1,100,51.23&54.51,", "里的“51.23&54.51”不是手术操作代码"),
        ("1,核心,K80.1,100,51.2300+,", "里的“”不是手术操作代码"),
        ("1,核心,K80.1,100,,大手术", "“大手术”不认识；可用：保守治疗"),
        ("1,核心,K80.1,100,,,多余", "有7个单元格，表头只有6个"),
    ],
)
def test_a_bad_row_names_row_field_and_remedy(
    row: str, said: str, table: Table, put: Import, state: Path
) -> None:
    file = table("目录.csv", "病种编码,病种类型,诊断代码,分值,主要手术操作代码,治疗方式", row)
    with pytest.raises(BadRows) as caught:
        put(file)
    (error,) = caught.value.errors
    assert error.place.row == 2
    assert said in str(error)
    assert error.remedy
    assert list_libraries(state) == ()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("x,ZZ,1,,A01.0,,,,,,,", "分组类别“ZZ”不认识；可用：XQ、BX、FZ、JC"),
        ("x,JC,一,,A01.0,,,,,,,", "序号“一”不是整数"),
        ("x,JC,1,,A01.0,,,51.2300,,,,保守治疗", "保守治疗的病种不应有手术操作代码"),
    ],
)
def test_a_bad_national_row_is_named(row: str, said: str, table: Table, put: Import) -> None:
    with pytest.raises(BadRows, match=said):
        put(table("方案.csv", NATIONAL, row))


def test_a_repeated_group_names_the_first_row(table: Table, put: Import) -> None:
    rows = ["1,核心,K80.1,100", "2,核心,K80.2,100", "1,核心,K80.3,100"]
    with pytest.raises(BadRows, match="第4行 字段 病种编码：病种“1”与第2行重复"):
        put(table("目录.csv", "病种编码,病种类型,诊断代码,分值", *rows))


def test_wrong_columns_name_the_nearest_shape(table: Table, put: Import) -> None:
    with pytest.raises(RecordError, match="缺少列：score、分值、病种分值"):
        put(table("目录.csv", "病种编码,病种类型,诊断代码", "1,核心,K80.1"))


def test_options_are_checked_first(table: Table, put: Import) -> None:
    file = table("目录.csv", "病种编码,病种类型,诊断代码,分值", "1,核心,K80.1,100")
    with pytest.raises(ConfigError, match=r"没有 4\.0 版；可用：1\.0、2\.0、3\.0"):
        put(file, edition="4.0")
    with pytest.raises(ConfigError, match="目录名"):
        put(file, "../某市")
    assert put(file, edition="1.0").rows == 1


def test_version_day_or_only_one(table: Table, put: Import, state: Path) -> None:
    head = "病种编码,病种类型,诊断代码,分值"
    with pytest.raises(ConfigError, match="没有导入 DIP 目录 某市（一个也没有导入）"):
        load_library(state, "某市")
    put(table("甲.csv", head, "1,核心,K80.1,100"), version="2024", first_day=date(2024, 1, 1))
    assert load_library(state, "某市").version == "2024"
    put(table("乙.csv", head, "1,核心,K80.1,200"), version="2025")
    with pytest.raises(
        ConfigError, match="要写明 某市@版本 或日期；已有：2024（2024-01-01 起）、2025"
    ):
        load_library(state, "某市")
    assert load_library(state, "某市", "2025").rows[0].score == Decimal(200)
    assert load_library(state, "某市", day=date(2024, 12, 31)).version == "2024"
    assert load_library(state, "某市", day=DAY).version == "2025"
    with pytest.raises(ConfigError, match="在 2023-12-31 还没有生效的版本"):
        load_library(state, "某市", day=date(2023, 12, 31))
    with pytest.raises(ConfigError, match="没有版本 2026"):
        load_library(state, "某市", "2026")
    with pytest.raises(ConfigError, match="没有导入 DIP 目录 邻市（已有：某市）"):
        load_library(state, "邻市")
    assert [item.version for item in list_libraries(state)] == ["2024", "2025"]


def test_overlap_needs_supersede(table: Table, put: Import, state: Path) -> None:
    head = "病种编码,病种类型,诊断代码,分值"
    put(table("甲.csv", head, "1,核心,K80.1,100"))
    with pytest.raises(ConfigError, match="重叠"):
        put(table("乙.csv", head, "1,核心,K80.1,200"), version="2025修订")
    report = put(table("乙.csv", head, "1,核心,K80.1,200"), version="2025修订", supersede=True)
    assert report.superseded == ("2025",)
    assert load_library(state, "某市").version == "2025修订"
