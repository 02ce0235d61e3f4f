"""The wire checker: required, type, length, code set and dates, with place and remedy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dipgate.config.standard import TRANSACTIONS, codesets, wire_model
from dipgate.core.wire import Fault, FieldType, WireModel, is_wire_date, is_wire_time

CODES = codesets()
LIST = wire_model("4101", "in")
UPLOAD = wire_model("4101A", "in")


def sample(model: WireModel, node: str) -> dict[str, Any]:
    """A full row of a node that breaks nothing."""
    row: dict[str, Any] = {}
    for spec in model.fields(node):
        if spec.code_set:
            row[spec.code] = next(iter(CODES[spec.code_set]))
        elif spec.type is FieldType.DATE:
            row[spec.code] = "2025-03-01"
        elif spec.type is FieldType.TIME:
            row[spec.code] = "2025-03-01 08:30:00"
        elif spec.type is FieldType.NUMBER:
            row[spec.code] = "12"
        elif spec.type is FieldType.LIST:
            row[spec.code] = [sample(model, spec.code)]
        else:
            row[spec.code] = "甲"
    return row


def whole(model: WireModel) -> dict[str, Any]:
    """A transaction object with every node filled."""
    inner = {spec.code for spec in model.specs if spec.type is FieldType.LIST}
    out: dict[str, Any] = {}
    for node in model.nodes:
        if node not in inner:
            row = sample(model, node)
            out[node] = [row, dict(row)] if model.fields(node)[0].multi else row
    return out


def faults(model: WireModel, obj: object) -> list[tuple[str, Fault]]:
    return [(problem.path, problem.code) for problem in model.check(obj)]


@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize("infno", TRANSACTIONS)
def test_a_full_object_passes(infno: str, direction: str) -> None:
    model = wire_model(infno, direction)
    assert model.check(whole(model)) == ()


@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize("infno", TRANSACTIONS)
def test_every_required_field_is_missed_and_no_other(infno: str, direction: str) -> None:
    model = wire_model(infno, direction)
    for spec in model.specs:
        if any(other.code == spec.node and other.type is FieldType.LIST for other in model.specs):
            continue
        for blank in ("", None, "absent"):
            obj = whole(model)
            row = obj[spec.node][1] if spec.multi else obj[spec.node]
            if blank == "absent":
                del row[spec.code]
            else:
                row[spec.code] = blank
            path = f"{spec.node}[1].{spec.code}" if spec.multi else f"{spec.node}.{spec.code}"
            expected = [(path, Fault.MISSING)] if spec.required == "Y" else []
            assert faults(model, obj) == expected


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("psn_name", "x" * 51, Fault.LENGTH),
        ("psn_name", "   ", Fault.MISSING),
        ("psn_name", 5, Fault.TYPE),
        ("psn_name", True, Fault.TYPE),
        ("psn_name", ["x"], Fault.TYPE),
        ("psn_name", {"x": 1}, Fault.TYPE),
        ("gend", "男", Fault.CODESET),
        ("gend", "12", Fault.CODESET),
        ("gend", "1234567", Fault.LENGTH),
        ("gend", 1, Fault.TYPE),
        ("brdy", "2025-02-30", Fault.DATE),
        ("brdy", "20250201", Fault.DATE),
        ("brdy", "2025-W09-6", Fault.DATE),
        ("brdy", "2025-2-1", Fault.DATE),
        ("brdy", "2025-02-01 00:00:00", Fault.DATE),
        ("brdy", "２０２５-02-01", Fault.DATE),
        ("brdy", 20250201, Fault.DATE),
        ("adm_time", "2025-03-01", Fault.DATE),
        ("adm_time", "2025-03-01T08:30:00", Fault.DATE),
        ("adm_time", "2025-03-01 24:30:00", Fault.DATE),
        ("psn_selfpay", "1,234.50", Fault.NUMBER),
        ("psn_selfpay", "12.345", Fault.NUMBER),
        ("psn_selfpay", "123456789012345.00", Fault.NUMBER),
        ("psn_selfpay", "1" * 30, Fault.NUMBER),
        ("psn_selfpay", "NaN", Fault.NUMBER),
        ("psn_selfpay", "1e3", Fault.NUMBER),
        ("psn_selfpay", "一百", Fault.NUMBER),
        ("psn_selfpay", " 12", Fault.NUMBER),
        ("psn_selfpay", "１２", Fault.NUMBER),
        ("psn_selfpay", "12\n", Fault.NUMBER),
        ("psn_selfpay", float("nan"), Fault.TYPE),
        ("psn_selfpay", Decimal("sNaN"), Fault.TYPE),
        ("psn_selfpay", Decimal("1e999999"), Fault.TYPE),
        ("gend", Decimal("sNaN"), Fault.TYPE),
        ("psn_selfpay", True, Fault.TYPE),
        ("act_ipt_days", "3.5", Fault.NUMBER),
        ("act_ipt_days", "1000", Fault.NUMBER),
        ("refldept_dept", "A03→XYZ", Fault.CODESET),
    ],
)
def test_each_fault_of_a_field(field: str, value: object, fault: Fault) -> None:
    obj = whole(LIST)
    obj["setlinfo"][field] = value
    (problem,) = LIST.check(obj)
    assert (problem.path, problem.code) == (f"setlinfo.{field}", fault)
    assert problem.what
    assert problem.remedy


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("psn_name", "x" * 50),
        ("psn_selfpay", "-12.5"),
        ("psn_selfpay", "99999999999999.99"),
        ("psn_selfpay", Decimal("0.10")),
        ("psn_selfpay", 12),
        ("refldept_dept", "A03→A04.01 → A05"),
        ("age", "0.5"),
        ("brdy", "2024-02-29"),
    ],
)
def test_edges_that_are_right(field: str, value: object) -> None:
    obj = whole(LIST)
    obj["setlinfo"][field] = value
    assert LIST.check(obj) == ()


def test_a_whole_number_too_long_to_print() -> None:
    obj = whole(LIST)
    obj["setlinfo"]["psn_selfpay"] = 10**5000
    assert faults(LIST, obj) == [("setlinfo.psn_selfpay", Fault.TYPE)]


def test_a_code_of_the_set_is_right_however_long() -> None:
    """Six department codes are longer than their field, in the regulator's own tables."""
    obj = whole(LIST)
    obj["setlinfo"]["adm_caty"] = "A04.01.01"
    assert LIST.check(obj) == ()


def test_a_value_is_never_quoted() -> None:
    obj = whole(LIST)
    obj["setlinfo"].update(psn_name="张三丰" * 30, certno="110101" * 20, gend="王五", brdy="李四")
    text = "".join(problem.what + problem.remedy for problem in LIST.check(obj))
    assert len(LIST.check(obj)) == 4
    for personal in ("张三", "1101", "王五", "李四"):
        assert personal not in text


def test_a_code_set_fault_shows_the_codes() -> None:
    obj = whole(LIST)
    obj["setlinfo"]["ipt_med_type"] = "3"
    (problem,) = LIST.check(obj)
    assert "1 住院" in problem.remedy


def test_unknown_fields_and_nodes_are_kept_in_peace() -> None:
    obj = whole(UPLOAD)
    obj["setlinfo"]["local_field"] = {"any": ["thing"]}
    obj["charges"] = "whatever"
    assert UPLOAD.check(obj) == ()


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (None, [("4101A", Fault.SHAPE)]),
        ([], [("4101A", Fault.SHAPE)]),
        ({}, [("setlinfo", Fault.MISSING)]),
        ({"setlinfo": []}, [("setlinfo", Fault.SHAPE)]),
        ({"setlinfo": "x"}, [("setlinfo", Fault.SHAPE)]),
    ],
)
def test_wrong_shapes(obj: object, expected: list[tuple[str, Fault]]) -> None:
    assert faults(UPLOAD, obj) == expected


def test_wrong_shapes_of_rows() -> None:
    obj = whole(UPLOAD)
    obj["diseinfo"] = ["x", sample(UPLOAD, "diseinfo")]
    obj["oprninfo"] = 7
    obj["icuinfo"] = sample(UPLOAD, "icuinfo")
    obj["bldinfo"] = []
    assert faults(UPLOAD, obj) == [("diseinfo[0]", Fault.SHAPE), ("oprninfo", Fault.SHAPE)]


def test_answers_are_read_with_tolerance() -> None:
    model = wire_model("3606", "out")
    obj = {"data": [sample(model, "data")]}
    obj["data"][0] |= {
        "setl_id": 123456,
        "setl_time": "2025-03-01 08:30:00",
        "grp_dise_sco": Decimal("812.4050"),
        "act_setl_sco": "812.4050",
        "grp_stas": 1,
    }
    assert model.check(obj) == ()
    obj["data"][0] |= {"grp_stas": 7, "setl_time": "yesterday", "setl_id": [1]}
    assert set(faults(model, obj)) == {
        ("data[0].setl_time", Fault.DATE),
        ("data[0].setl_id", Fault.TYPE),
    }


def test_nested_rows_have_their_place() -> None:
    model = wire_model("3607", "out")
    obj = whole(model)
    obj["data"][0]["detl_list"][0]["err_lv"] = "1234"
    obj["data"][1]["detl_list"] = [dict(sample(model, "detl_list"), exam_data_fld="")]
    assert faults(model, obj) == [
        ("data[0].detl_list[0].err_lv", Fault.LENGTH),
        ("data[1].detl_list[0].exam_data_fld", Fault.MISSING),
    ]
    obj = whole(model)
    obj["data"][0]["detl_list"] = "none"
    assert faults(model, obj) == [("data[0].detl_list", Fault.SHAPE)]
    obj["data"][0]["detl_list"] = None
    assert faults(model, obj) == []


def test_one_row_alone() -> None:
    row = sample(UPLOAD, "diseinfo")
    assert UPLOAD.check_row("diseinfo", row, "here") == ()
    row["diag_code"] = ""
    assert [item.path for item in UPLOAD.check_row("diseinfo", row, "here")] == ["here.diag_code"]


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = [spec.code for spec in LIST.fields("setlinfo")]


@given(value=_ANY, field=st.sampled_from(_FIELDS))
def test_no_value_makes_the_checker_fall(value: object, field: str) -> None:
    for model in (LIST, wire_model("4103", "out")):
        for problem in model.check({"setlinfo": {field: value}}):
            assert problem.path.startswith("setlinfo.")


@given(st.dates())
def test_every_day_is_a_wire_date(day: object) -> None:
    assert is_wire_date(str(day))
    assert is_wire_time(f"{day} 23:59:59")
    assert not is_wire_time(str(day))


@given(st.decimals(min_value=-(10**13), max_value=10**13, places=2, allow_nan=False))
def test_every_amount_is_a_wire_number(amount: Decimal) -> None:
    obj = {"amt": f"{amount:f}", "med_chrgitm": "01"}
    problems = LIST.check_row("iteminfo", obj, "row")
    assert "row.amt" not in [problem.path for problem in problems]
