"""The list: immutable, addressed by path, lossless to JSON and back."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from dipgate.core.case import case_of, hours_of, years_between
from dipgate.core.clock import read_date
from dipgate.core.errors import Place, RecordError
from dipgate.core.lists import (
    FieldPath,
    SettlementList,
    list_of,
    numbered_cases,
    read_case_file,
    read_list,
    text_of,
)

BODY: dict[str, Any] = {
    "setlinfo": {"setl_id": "S1", "gend": "1", "psn_selfpay": "10.00", "psn_ownpay": "2.50"},
    "diseinfo": [
        {"diag_code": "J18.900", "diag_name": "肺炎", "diag_type": "1", "maindiag_flag": "0"},
        {"diag_code": "i10.x00", "diag_name": "高血压", "diag_type": "1", "maindiag_flag": "1"},
        {"diag_code": "A01", "diag_name": "咳嗽病", "diag_type": "2", "maindiag_flag": "0"},
    ],
    "oprninfo": [],
    "unknown_node": {"kept": True},
}


def make(**changes: Any) -> SettlementList:
    return list_of({**BODY, **changes})


def test_absent_and_empty_nodes_differ() -> None:
    lst = make()
    assert lst.rows("oprninfo") == ()
    assert lst.rows("icuinfo") is None
    assert "icuinfo" not in lst.as_object()
    assert lst.as_object()["oprninfo"] == []
    with pytest.raises(KeyError):
        lst.rows("nothing")


def test_unknown_content_is_kept() -> None:
    assert make().as_object()["unknown_node"] == {"kept": True}
    assert read_list(make().as_json()) == make()


def test_numbers_stay_as_written() -> None:
    data = b'{"setlinfo":{"setl_id":"S1","a":0.10,"b":12345678901234567890,"c":1.0}}'
    lst = read_list(data)
    assert lst.setlinfo["a"] == Decimal("0.10")
    assert lst.as_json() == data


def test_paths_read_and_write() -> None:
    lst = make()
    assert lst.get("diseinfo[1].diag_code") == "i10.x00"
    assert lst.get("diseinfo[9].diag_code") == ""
    assert lst.get("setlinfo.gend") == "1"
    changed = lst.with_value("diseinfo[1].diag_code", "I10.x00")
    assert changed.get("diseinfo[1].diag_code") == "I10.x00"
    assert lst.get("diseinfo[1].diag_code") == "i10.x00"
    assert len(lst.without_row("diseinfo[0]").rows("diseinfo") or ()) == 2
    assert lst.with_row("icuinfo", {"x": "1"}).rows("icuinfo") == ({"x": "1"},)


@pytest.mark.parametrize("path", ["diseinfo[9].diag_code", "icuinfo[0].x", "diseinfo[0]"])
def test_a_value_needs_a_place(path: str) -> None:
    with pytest.raises(KeyError):
        make().with_value(path, "x")


@pytest.mark.parametrize("path", ["diseinfo[9]", "icuinfo[0]", "diseinfo"])
def test_a_row_must_be_there_to_go(path: str) -> None:
    with pytest.raises(KeyError):
        make().without_row(path)


@pytest.mark.parametrize("text", ["setlinfo.adm_time", "diseinfo[2].diag_code", "oprninfo[1]"])
def test_paths_round_trip(text: str) -> None:
    assert str(FieldPath.parse(text)) == text


@pytest.mark.parametrize("text", ["", "a..b", "a[x].b", "a[1]b", "a.b.c"])
def test_ill_formed_paths_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="字段路径"):
        FieldPath.parse(text)


@pytest.mark.parametrize(
    ("obj", "field"),
    [
        ([], ""),
        ({}, "setlinfo"),
        ({"setlinfo": "x"}, "setlinfo"),
        ({"setlinfo": [{}, {}]}, "setlinfo"),
        ({"setlinfo": {}, "diseinfo": "x"}, "diseinfo"),
        ({"setlinfo": {}, "diseinfo": [1]}, "diseinfo"),
        ({"setlinfo": {}, "cover": []}, "cover"),
    ],
)
def test_wrong_shapes_name_the_node(obj: object, field: str) -> None:
    with pytest.raises(RecordError) as caught:
        list_of(obj, place=Place("a.jsonl", 3))
    assert caught.value.place == Place("a.jsonl", 3, field)
    assert caught.value.remedy


def test_a_case_file_goes_on_after_a_broken_line() -> None:
    good = make().as_json()
    data = b"\xef\xbb\xbf" + good + b"\n{broken\n\n\xff\xfe\n" + good + b"\n"
    found = list(read_case_file(data, file="a.jsonl"))
    assert [isinstance(item, RecordError) for item in found] == [False, True, True, False]
    broken = [item.place.row for item in found if isinstance(item, RecordError)]
    assert broken == [2, 4]


def test_a_case_file_may_be_an_array() -> None:
    body = b"[" + make().as_json() + b', {"x": 1}]'
    found = list(read_case_file(body, file="a.json"))
    assert isinstance(found[0], SettlementList)
    assert isinstance(found[1], RecordError)
    assert found[1].place.row == 2


@pytest.mark.parametrize("data", [b"", b" \n", b"[1, 2"])
def test_a_file_without_any_case_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError) as caught:
        list(read_case_file(data, file="a.json"))
    assert caught.value.place.file == "a.json"


def test_values_as_wire_text() -> None:
    shown = [text_of(value) for value in (None, "x", True, False, 3, Decimal("1.10"))]
    assert shown == ["", "x", "1", "0", "3", "1.10"]


def test_a_case_has_the_flagged_principal_first() -> None:
    case = case_of(make())
    assert case.principal is not None
    assert case.principal.code == "I10.x00"
    assert [item.code for item in case.others] == ["J18.900"]
    assert [item.code for item in case.tcm] == ["A01"]
    assert case.self_paid == 1250
    assert case.problems == ()


def test_a_case_counts_days_and_ages() -> None:
    info = {
        "setl_id": "S1",
        "brdy": "2000-06-16",
        "adm_time": "2025-06-15 08:00:00",
        "dscg_time": "2025-06-15 20:00:00",
    }
    case = case_of(make(setlinfo=info))
    assert (case.age_years, case.stay_days) == (24, 1)
    assert years_between(read_date("2000-02-29"), read_date("2001-02-28")) == 0
    assert years_between(read_date("2000-02-29"), read_date("2001-03-01")) == 1


def test_a_case_takes_the_fee_of_the_bill_and_says_what_it_could_not_read() -> None:
    rows = [{"amt": "100.10"}, {"amt": "0.20"}]
    assert case_of(make(iteminfo=rows)).fee == 10030
    assert case_of(make(charges=[{"amount": "5"}])).fee == 500
    broken = make(setlinfo={"adm_time": "2025-02-30", "psn_selfpay": "x", "nwb_bir_wt": "heavy"})
    assert set(case_of(broken).problems) == {
        "setlinfo.adm_time",
        "setlinfo.psn_selfpay",
        "setlinfo.nwb_bir_wt",
    }


def test_procedures_come_principal_first() -> None:
    rows = [
        {"oprn_oprt_code": "88.5500", "oprn_oprt_type": "2"},
        {"oprn_oprt_code": "36.0700", "oprn_oprt_type": "1", "oprn_oprt_date": "2025-06-15"},
        {"oprn_oprt_code": "", "oprn_oprt_type": "2"},
    ]
    case = case_of(make(oprninfo=rows))
    assert [item.code for item in case.procedures] == ["36.0700", "88.5500"]
    assert case.procedures[0].began is not None


@pytest.mark.parametrize(
    ("text", "hours"), [("1/13/24", 37), ("0/0/59", 0), ("", None), ("1/2", None)]
)
def test_durations(text: str, hours: int | None) -> None:
    assert hours_of(text) == hours


def test_broken_json_is_one_sentence() -> None:
    with pytest.raises(RecordError, match="JSON"):
        read_list(b'{"setlinfo": ', place=Place("a", 1))
    assert msgspec.json.decode(make().as_json())["setlinfo"]["setl_id"] == "S1"


@pytest.mark.parametrize("levels", [3_000, 100_000])
@pytest.mark.parametrize("signs", [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_is_set_aside_and_the_rest_goes_on(
    levels: int, signs: tuple[bytes, bytes]
) -> None:
    opening, closing = signs
    nested = opening * levels + b"1" + closing * levels
    deep = b'{"setlinfo":{"setl_id":"S2, ]"},"x":' + nested + b"}"
    good = make().as_json()
    for data in (
        b"\n".join((good, deep, good)),
        b"[" + b",".join((good, deep, good)) + b"]",
    ):
        one, bad, two = read_case_file(data, file="cases.json")
        assert one == two == make()
        assert isinstance(bad, RecordError)
        assert "嵌套太深" in str(bad)
        assert bad.place == Place("cases.json", 2)
        assert bad.remedy


def test_the_number_of_a_case_is_its_line() -> None:
    good = make().as_json()
    found = numbered_cases(good + b"\n\n{\n" + good + b"\n", file="cases.jsonl")
    assert [number for number, _ in found] == [1, 3, 4]


@pytest.mark.parametrize("data", [b"[]", b" [ ]\n", b"\xef\xbb\xbf[]"])
def test_an_empty_array_holds_no_cases(data: bytes) -> None:
    with pytest.raises(RecordError, match="文件里没有病例"):
        list(read_case_file(data, file="a.json"))


@pytest.mark.parametrize(
    ("broken", "path"),
    [
        (b'{"setlinfo":{"setl_id":"S2","gend":"1","gend":"2"}}', "setlinfo.gend"),
        (b'{"setlinfo":{},"diseinfo":[],"diseinfo":[]}', "diseinfo"),
        (
            b'{"setlinfo":{},"diseinfo":[{"diag_code":"A"},{"diag_code":"B","diag_code":"B"}]}',
            "diseinfo[1].diag_code",
        ),
    ],
)
def test_a_key_that_stands_twice_is_refused_by_line_and_path(broken: bytes, path: str) -> None:
    good = make().as_json()
    for data in (
        b"\n".join((good, broken, good)),
        b"[" + b",".join((good, broken, good)) + b"]",
    ):
        one, bad, two = read_case_file(data, file="cases.json")
        assert one == two == make()
        assert isinstance(bad, RecordError)
        assert f"{path} 写了两次" in str(bad)
        assert bad.place == Place("cases.json", 2, path)
        assert bad.remedy


def test_equal_keys_of_different_objects_are_no_repetition() -> None:
    data = b'{"setlinfo":{"a":"1e400","b":1e400},"charges":[{"name":"x"},{"name":"x"}]}'
    (found,) = read_case_file(data, file="cases.jsonl")
    assert not isinstance(found, RecordError)


def test_fees_by_category_and_by_item() -> None:
    items = [
        {"med_chrgitm": "05", "amt": "600"},
        {"med_chrgitm": "0901", "amt": "300.5"},
        {"med_chrgitm": "10", "amt": "0"},
        {"med_chrgitm": "09", "amt": "99.5"},
    ]
    charges = [
        {"code": "004300000010000", "category": "05", "amount": "70"},
        {"code": "004300000010000", "category": "05", "amount": "-10"},
        {"code": "001102000010000", "category": "02", "amount": "5"},
    ]
    case = case_of(make(iteminfo=items, charges=charges))
    assert case.category_fee("05") == 60000
    assert case.category_fee("09", "10", "11") == 40000
    assert case.item_fee(("004",)) == 6000
    assert case.item_fee(("999",)) == 0
    only_charges = case_of(make(charges=charges))
    assert only_charges.category_fee("05") == 6000
    assert only_charges.fee == 6500
    unsorted = case_of(make(iteminfo=[{"med_chrgitm": "", "amt": "600"}]))
    assert unsorted.category_fee("05") is None
    unread = case_of(make(charges=[{"code": "1", "category": "05", "amount": "abc"}]))
    assert (unread.category_fee("05"), unread.item_fee(("1",))) == (None, None)
    assert case_of(make()).category_fee("05") is None
