"""One bill with its stay → one list: nodes, codes, derived fields, lineage, bad cells."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import MappingProxyType

import pytest

from dipgate.core.errors import RecordError
from dipgate.core.record import RawRow, RepeatMap, TableMap
from dipgate.core.reference import (
    CodeMap,
    CodeTable,
    Department,
    Hospital,
    MapEntry,
    Reference,
    Staff,
)
from dipgate.mapping import MappedCase, SourceRecord, build_case

FRONT = TableMap(
    "front_page",
    "ba*.csv",
    "流水号",
    {
        "medcasno": "病案号",
        "gend": "性别",
        "brdy": "生日",
        "age": "年龄",
        "adm_time": "入院",
        "dscg_time": "出院",
        "adm_caty": "入科",
        "chfpdr_code": "主诊",
        "cover.ext_cause_code": "外因",
    },
    (
        RepeatMap("diseinfo", 4, {"diag_code": "诊{n}码", "diag_name": "诊{n}名"}),
        RepeatMap("oprninfo", 2, {"oprn_oprt_code": "术{n}码", "oprn_oprt_type": "术{n}类"}),
    ),
)
SETTLEMENT = TableMap(
    "settlement",
    "js*.csv",
    "流水号",
    {
        "setl_id": "结算号",
        "psn_selfpay": "自付",
        "payinfo.310100": "统筹",
        "payinfo.330100": "大额",
    },
)
CHARGE = TableMap(
    "charge",
    "fy*.csv",
    "流水号",
    {"date": "日期", "name": "项目", "category": "类别", "amount": "金额", "level": "等级"},
)
TABLES = {"front_page": FRONT, "settlement": SETTLEMENT, "charge": CHARGE}


def entry(target: str, layer: str = "national", row: int = 8, **changes: object) -> MapEntry:
    made = MapEntry("K35.900", "急性阑尾炎", target, "目标名", layer, "2.0", row)
    return replace(made, **changes)


REF = Reference(
    date(2025, 3, 31),
    hospital=Hospital("H99010000001", "虚构示例医院", "3", "990100"),
    icd10=CodeTable("icd10", "2.0", date(2024, 1, 1), {"K35.800x001": "急性阑尾炎"}),
    icd10_map=CodeMap("icd10-map", ("2.0",), {"K35.900": (entry("K35.800x001"),)}),
    departments={"普外": Department("0201", "普外", "A04.01", "普通外科专业", "v1", 7)},
    staff={
        "YS01": (Staff("YS01", "甲", "D990100000001", "doctor", "v1", 2),),
        "同名": (
            Staff("YS02", "同名", "D990100000002", "doctor", "v1", 3),
            Staff("YS03", "同名", "D990100000003", "doctor", "v1", 4),
        ),
        "HS01": (Staff("HS01", "乙", "N990100000001", "nurse", "v1", 5),),
        "走了": (
            Staff("YS09", "走了", "D990100000009", "doctor", "v1", 6, last_day=date(2024, 12, 31)),
        ),
    },
    codesets={
        "gend": {"1": "男", "2": "女"},
        "dept": {"A03": "内科", "A04.01": "普通外科专业"},
        "oprn_oprt_type": {"1": "主要手术及操作", "2": "其他手术及操作"},
        "med_chrgitm_type": {"01": "床位费", "09": "西药费"},
        "chrgitm_lv": {"01": "甲类", "02": "乙类", "03": "丙类"},
    },
)

PAGE = {
    "病案号": "BA1",
    "性别": "女",
    "生日": "1980/2/3",
    "年龄": "",
    "入院": "2025-03-01 08:30",
    "出院": "2025-03-06 10:00",
    "入科": "普外",
    "主诊": "YS01",
    "外因": "",
    **{f"诊{n}{what}": "" for n in range(1, 5) for what in ("码", "名")},
    **{f"术{n}{what}": "" for n in range(1, 3) for what in ("码", "类")},
    "诊1码": "K35.900",
    "诊1名": "急性阑尾炎",
}
BILL = {"结算号": "S1", "自付": "100", "统筹": "900.00", "大额": "0"}


def raw(table: str, values: dict[str, str], row: int = 2) -> RawRow:
    return RawRow(table, "ZY1", f"{table}.csv", row, MappingProxyType(values), "hash-" + table)


def charges(*rows: tuple[str, str, str]) -> tuple[RawRow, ...]:
    return tuple(
        raw(
            "charge",
            {"日期": "2025-03-02", "项目": "项", "类别": kind, "金额": amount, "等级": level},
            number,
        )
        for number, (kind, amount, level) in enumerate(rows, start=2)
    )


def build(
    page: dict[str, str] | None = None,
    bill: dict[str, str] | None = None,
    lines: tuple[RawRow, ...] = (),
    *,
    edition: str = "clinical",
    ref: Reference = REF,
    fill: dict[str, str] | None = None,
    tables: dict[str, TableMap] | None = None,
    with_page: bool = True,
) -> MappedCase:
    record = SourceRecord(
        raw("settlement", {**BILL, **(bill or {})}),
        raw("front_page", {**PAGE, **(page or {})}, 5) if with_page else None,
        lines,
    )
    return build_case(
        record,
        tables or TABLES,
        ref,
        edition=edition,
        fill=fill or {},
        overlays=(),
        source="his",
    )


def test_a_whole_list_in_wire_form() -> None:
    case = build(
        lines=charges(("床位费", "100", "甲"), ("09", "800.5", "乙"), ("09", "99.5", "自费"))
    )
    info = case.list.setlinfo
    assert info["setl_id"] == "S1"
    assert info["gend"] == "2"
    assert info["brdy"] == "1980-02-03"
    assert info["adm_time"] == "2025-03-01 08:30:00"
    assert info["adm_caty"] == "A04.01"
    assert info["chfpdr_code"] == "D990100000001"
    assert info["age"] == "45"
    assert info["act_ipt_days"] == "5"
    assert info["diag_code_cnt"] == "1"
    assert info["fixmedins_code"] == "H99010000001"
    assert info["hi_setl_lv"] == "3"
    assert case.list.diseinfo == (
        {
            "diag_code": "K35.800x001",
            "diag_name": "急性阑尾炎",
            "diag_type": "1",
            "maindiag_flag": "1",
        },
    )
    assert case.list.payinfo == ({"fund_pay_type": "310100", "fund_payamt": "900.00"},)
    assert case.list.iteminfo == (
        {
            "med_chrgitm": "01",
            "amt": "100.00",
            "claa_sumfee": "100.00",
            "clab_amt": "0.00",
            "fulamt_ownpay_amt": "0.00",
            "oth_amt": "0.00",
        },
        {
            "med_chrgitm": "09",
            "amt": "900.00",
            "claa_sumfee": "0.00",
            "clab_amt": "800.50",
            "fulamt_ownpay_amt": "99.50",
            "oth_amt": "0.00",
        },
    )
    assert case.unmapped == ()


def test_every_field_of_every_node_has_its_origin() -> None:
    case = build(
        {"术1码": "47.0100", "术1类": "A"}, lines=charges(("01", "1", "甲")), fill={"hsorg": "示例"}
    )
    paths = {origin.path for origin in case.origins}
    assert len(paths) == len(case.origins)
    for node, value in case.list.as_object().items():
        rows = [value] if isinstance(value, dict) else value
        for place, row in enumerate(rows):
            where = node if isinstance(value, dict) else f"{node}[{place}]"
            for name, held in row.items():
                origin = case.origin(f"{where}.{name}")
                assert origin is not None, f"{where}.{name}"
                assert origin.value == held
                assert origin.column or origin.steps


def test_an_origin_names_the_cell_and_what_was_done() -> None:
    case = build()
    origin = case.origin("diseinfo[0].diag_code")
    assert origin is not None
    assert (origin.source, origin.object_name, origin.row, origin.column) == (
        "his",
        "front_page.csv",
        5,
        "诊1码",
    )
    assert (origin.raw_value, origin.raw_hash) == ("K35.900", "hash-front_page")
    assert origin.steps == ("映射 icd10-map 2.0 第8行",)
    name = case.origin("diseinfo[0].diag_name")
    assert name is not None
    assert name.raw_value == "急性阑尾炎"
    blank = case.origin("setlinfo.age")
    assert blank is not None
    assert blank.steps == ("由出生日期和入院日期计算",)


@pytest.mark.parametrize(
    ("entries", "code", "reason", "candidates"),
    [
        ((), "K35.900", "没有这个代码", ()),
        ((entry("K35.800x001"), entry("K35.300")), "K35.900", "编码员", ("K35.800x001", "K35.300")),
        ((entry("K35.300", "hospital"), entry("K35.800x001")), "K35.300", "", ()),
        ((entry("K35.300", last_day=date(2025, 3, 30)),), "K35.900", "没有这个代码", ()),
        ((entry("K35.300", first_day=date(2025, 4, 1)),), "K35.900", "没有这个代码", ()),
        ((entry("K35.300", first_day=date(2025, 3, 31)),), "K35.300", "", ()),
        ((entry("K35.300"), entry("K35.300")), "K35.300", "", ()),
    ],
)
def test_clinical_codes_by_the_narrowest_layer_in_force(
    entries: tuple[MapEntry, ...], code: str, reason: str, candidates: tuple[str, ...]
) -> None:
    ref = replace(REF, icd10_map=CodeMap("icd10-map", ("2.0",), {"K35.900": entries}))
    case = build(ref=ref)
    assert case.list.get("diseinfo[0].diag_code") == code
    if not reason:
        assert case.unmapped == ()
        return
    (waiting,) = case.unmapped
    assert (waiting.kind, waiting.code, waiting.path) == (
        "icd10",
        "K35.900",
        "diseinfo[0].diag_code",
    )
    assert waiting.name == "急性阑尾炎"
    assert reason in waiting.reason
    assert waiting.candidates == candidates


def test_insurance_codes_are_only_tidied() -> None:
    case = build({"诊1码": " ｋ35.900X001 "}, edition="nhsa")
    assert case.list.get("diseinfo[0].diag_code") == "K35.900x001"
    assert case.list.get("diseinfo[0].diag_name") == "急性阑尾炎", "names are left to rule D002"
    origin = case.origin("diseinfo[0].diag_code")
    assert origin is not None
    assert origin.raw_value == " ｋ35.900X001 "
    assert origin.steps == ("代码规范书写",)
    assert case.unmapped == ()


def test_no_map_at_all_is_said() -> None:
    case = build(ref=replace(REF, icd10_map=None))
    assert "没有导入" in case.unmapped[0].reason


@pytest.mark.parametrize(
    ("page", "path", "value", "reason"),
    [
        ({"入科": "新病区"}, "setlinfo.adm_caty", "新病区", "没有这个科室"),
        ({"入科": "A03"}, "setlinfo.adm_caty", "A03", ""),
        ({"入科": ""}, "setlinfo.adm_caty", "", ""),
        ({"入科": "普外→新病区"}, "setlinfo.adm_caty", "A04.01→新病区", "没有这个科室"),
        ({"主诊": "同名"}, "setlinfo.chfpdr_code", "同名", "多个同名"),
        ({"主诊": "HS01"}, "setlinfo.chfpdr_code", "HS01", "没有这个工号"),
        ({"主诊": "走了"}, "setlinfo.chfpdr_code", "走了", "没有这个工号"),
        ({"主诊": "N990100000001"}, "setlinfo.chfpdr_code", "N990100000001", ""),
    ],
)
def test_wards_and_people(page: dict[str, str], path: str, value: str, reason: str) -> None:
    case = build(page)
    assert case.list.get(path) == value
    found = [item for item in case.unmapped if item.path == path]
    assert [reason in item.reason for item in found] == ([True] if reason else [])


def test_blank_groups_at_the_end_go_and_one_in_the_middle_stays() -> None:
    case = build({"诊3码": "I10.x00", "诊3名": "高血压"}, edition="nhsa")
    codes = [row["diag_code"] for row in case.list.diseinfo or ()]
    assert codes == ["K35.900", "", "I10.x00"]
    assert case.list.setlinfo["diag_code_cnt"] == "3"
    assert case.list.oprninfo == (), "no procedure is none, not no data"


def test_flags_by_position_only_where_the_source_has_none() -> None:
    case = build({"术1码": "47.0100", "术1类": "B", "术2码": "54.5101", "术2类": ""})
    assert [row["oprn_oprt_type"] for row in case.list.oprninfo or ()] == ["2", ""]
    assert [row["maindiag_flag"] for row in case.list.diseinfo or ()] == ["1"]


def test_single_columns_come_before_numbered_groups() -> None:
    single = replace(
        FRONT, columns={**FRONT.columns, "diseinfo.diag_code": "主码", "diseinfo.diag_name": "主名"}
    )
    page = {"主码": "J18.900", "主名": "肺炎"}
    case = build(page, edition="nhsa", tables={**TABLES, "front_page": single})
    assert [row["diag_code"] for row in case.list.diseinfo or ()] == ["J18.900", "K35.900"]


def test_fee_columns_of_the_bill_win_over_sums_of_lines() -> None:
    table = replace(
        SETTLEMENT, columns={**SETTLEMENT.columns, "iteminfo.09.amt": "西药", "iteminfo.01": "床位"}
    )
    case = build(
        bill={"西药": "5", "床位": "0"},
        lines=charges(("09", "4", "甲")),
        tables={**TABLES, "settlement": table},
    )
    assert case.list.iteminfo == ({"med_chrgitm": "09", "amt": "5.00"},)


def test_absent_nodes_mean_no_data() -> None:
    tables = {"settlement": SETTLEMENT}
    case = build(with_page=False, tables=tables)
    assert case.list.diseinfo is None
    assert case.list.oprninfo is None
    assert case.list.charges is None
    assert case.list.iteminfo is None
    assert case.list.history is None
    assert build(with_page=False).list.charges == (), "a source that has charges, and none here"


def test_a_newborns_age_is_in_days() -> None:
    case = build({"生日": "2025-02-20"})
    assert case.list.setlinfo["nwb_age"] == "9"
    assert not case.list.setlinfo.get("age")


def test_what_the_source_gives_is_not_derived_again() -> None:
    case = build({"年龄": "46"})
    assert case.list.setlinfo["age"] == "46"


def test_a_stay_that_ends_before_it_begins_derives_nothing() -> None:
    case = build({"出院": "2025-02-01 08:00"})
    assert "act_ipt_days" not in case.list.setlinfo


def test_defaults_fill_blanks_only() -> None:
    table = replace(SETTLEMENT, columns={**SETTLEMENT.columns, "hsorg": "机构"})
    tables = {**TABLES, "settlement": table}
    fill = {"hsorg": "默认", "medins_fill_dept": "医保办"}
    case = build(bill={"机构": "自有"}, fill=fill, tables=tables)
    assert case.list.setlinfo["hsorg"] == "自有"
    assert case.list.setlinfo["medins_fill_dept"] == "医保办"
    origin = case.origin("setlinfo.medins_fill_dept")
    assert origin is not None
    assert origin.steps == ("站点默认值",)


def test_a_bills_value_wins_over_the_front_page_unless_blank() -> None:
    table = replace(SETTLEMENT, columns={**SETTLEMENT.columns, "medcasno": "号"})
    tables = {**TABLES, "settlement": table}
    assert build(bill={"号": "X"}, tables=tables).list.setlinfo["medcasno"] == "X"
    kept = build(bill={"号": ""}, tables=tables)
    assert kept.list.setlinfo["medcasno"] == "BA1"
    origin = kept.origin("setlinfo.medcasno")
    assert origin is not None
    assert origin.object_name == "front_page.csv"


@pytest.mark.parametrize(
    ("page", "bill", "lines", "place", "what"),
    [
        ({"入院": "2025-02-30 08:00"}, {}, (), ("front_page.csv", 5, "入院"), "不存在的日期"),
        ({"生日": "3/2/80"}, {}, (), ("front_page.csv", 5, "生日"), "认不出"),
        ({}, {"自付": "9" * 30}, (), ("settlement.csv", 2, "自付"), "位数过多"),
        ({}, {"自付": "一百"}, (), ("settlement.csv", 2, "自付"), "读不出的数字"),
        ({}, {"结算号": " "}, (), ("settlement.csv", 2, "结算号"), "结算ID为空"),
        ({}, {}, charges(("01", "1.234", "甲")), ("charge.csv", 2, "金额"), "小数超过2位"),
        (
            {},
            {},
            charges(("01", "1", "甲"), ("01", "x", "甲")),
            ("charge.csv", 3, "金额"),
            "读不出",
        ),
    ],
)
def test_a_cell_that_means_nothing_sets_the_record_aside(
    page: dict[str, str],
    bill: dict[str, str],
    lines: tuple[RawRow, ...],
    place: tuple[str, int, str],
    what: str,
) -> None:
    with pytest.raises(RecordError, match=what) as error:
        build(page, bill, lines)
    found = error.value.place
    assert (found.file, found.row, found.field) == place
    assert error.value.remedy
