"""Corrections: applied in order, guarded by what their author saw, never by force."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dipgate.core.lists import SettlementList
from dipgate.core.record import Origin, Overlay
from dipgate.mapping import expectation
from dipgate.mapping.overlay import apply_overlays
from dipgate.mapping.result import Unmapped

LIST = SettlementList(
    setlinfo={"setl_id": "S1", "age": "45"},
    oprninfo=tuple({"oprn_oprt_code": code} for code in ("47.0100", "47.0100", "54.5101")),
)
ORIGINS = {
    f"oprninfo[{n}].oprn_oprt_code": Origin(
        f"oprninfo[{n}].oprn_oprt_code", row["oprn_oprt_code"], column=f"术{n}码"
    )
    for n, row in enumerate(LIST.oprninfo or ())
}
WAITING = {
    "oprninfo[2].oprn_oprt_code": Unmapped(
        "icd9cm3", "54.5101", "", "oprninfo[2].oprn_oprt_code", "没有"
    )
}


def overlay(number: int, op: str, path: str, value: str = "", expect: str = "") -> Overlay:
    return Overlay(number, op, path, value, expect, "核对病历", "编码员", "2025-04-01 09:00:00")


def test_set_keeps_the_origin_and_names_the_correction() -> None:
    case = apply_overlays(
        LIST,
        ORIGINS,
        WAITING,
        [overlay(7, "set", "oprninfo[2].oprn_oprt_code", "54.5102", "54.5101")],
    )
    assert case.list.get("oprninfo[2].oprn_oprt_code") == "54.5102"
    assert LIST.get("oprninfo[2].oprn_oprt_code") == "54.5101"
    origin = case.origin("oprninfo[2].oprn_oprt_code")
    assert origin is not None
    assert (origin.column, origin.overlay, origin.steps) == ("术2码", 7, ("更正 #7",))
    assert case.unmapped == (), "a person has chosen"


def test_a_removed_row_takes_its_lineage_with_it_and_later_rows_move_up() -> None:
    seen = expectation(LIST, "remove_row", "oprninfo[1]")
    case = apply_overlays(
        LIST, ORIGINS, WAITING, [overlay(1, "remove_row", "oprninfo[1]", "", seen)]
    )
    assert [row["oprn_oprt_code"] for row in case.list.oprninfo or ()] == ["47.0100", "54.5101"]
    moved = case.origin("oprninfo[1].oprn_oprt_code")
    assert moved is not None
    assert moved.column == "术2码"
    assert case.origin("oprninfo[2].oprn_oprt_code") is None
    assert [item.path for item in case.unmapped] == ["oprninfo[1].oprn_oprt_code"]


def test_later_corrections_see_what_earlier_ones_did() -> None:
    first = expectation(LIST, "remove_row", "oprninfo[0]")
    overlays = [
        overlay(2, "set", "oprninfo[1].oprn_oprt_code", "54.5102", "54.5101"),
        overlay(1, "remove_row", "oprninfo[0]", "", first),
    ]
    case = apply_overlays(LIST, ORIGINS, {}, overlays)
    assert [row["oprn_oprt_code"] for row in case.list.oprninfo or ()] == ["47.0100", "54.5102"]
    assert case.conflicts == ()


def test_an_added_row_is_all_correction() -> None:
    row = json.dumps({"oprn_oprt_code": "51.2300"})
    case = apply_overlays(LIST, ORIGINS, {}, [overlay(4, "add_row", "oprninfo", row, "3")])
    assert case.list.get("oprninfo[3].oprn_oprt_code") == "51.2300"
    origin = case.origin("oprninfo[3].oprn_oprt_code")
    assert origin is not None
    assert origin.overlay == 4


def test_a_field_that_was_absent_can_be_set() -> None:
    case = apply_overlays(LIST, {}, {}, [overlay(1, "set", "setlinfo.bill_no", "001", "")])
    assert case.list.setlinfo["bill_no"] == "001"


@pytest.mark.parametrize(
    ("change", "found", "what"),
    [
        (overlay(1, "set", "setlinfo.age", "46", "44"), "45", "变化"),
        (overlay(1, "set", "diseinfo[0].diag_code", "x", ""), "", "不存在"),
        (overlay(1, "set", "oprninfo[9].oprn_oprt_code", "x", ""), "", "不存在"),
        (overlay(1, "remove_row", "oprninfo[0]", "", "another row"), None, "变化"),
        (overlay(1, "remove_row", "oprninfo[5]"), "", "不存在"),
        (overlay(1, "add_row", "oprninfo", "{}", "2"), "3", "变化"),
        (overlay(1, "add_row", "oprninfo", "[1]", "3"), "", "JSON"),
        (overlay(1, "add_row", "nonsense", "{}", ""), "", "不存在"),
        (overlay(1, "swap", "setlinfo.age", "", "45"), "", "不认识|不存在"),
        (overlay(1, "set", "not a path", "", ""), "", "不存在"),
    ],
)
def test_what_no_longer_fits_is_a_conflict_and_changes_nothing(
    change: Overlay, found: str | None, what: str
) -> None:
    case = apply_overlays(LIST, ORIGINS, WAITING, [change])
    assert case.list == LIST
    (conflict,) = case.conflicts
    assert conflict.number == 1
    assert any(word in conflict.what for word in what.split("|"))
    assert found is None or conflict.found == found


def test_conflict_of_one_does_not_stop_the_next() -> None:
    wrong = overlay(1, "set", "setlinfo.age", "46", "44")
    right = replace(overlay(2, "set", "setlinfo.age", "47", "45"))
    case = apply_overlays(LIST, ORIGINS, {}, [right, wrong])
    assert case.list.setlinfo["age"] == "47"
    assert [item.number for item in case.conflicts] == [1]
