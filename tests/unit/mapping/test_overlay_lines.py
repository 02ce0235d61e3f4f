"""Lines that change places: the principal mark stays, lineage goes along, counts follow."""

from __future__ import annotations

import json

import pytest

from dipgate.core.line_order import line_above, lines
from dipgate.core.lists import SettlementList
from dipgate.core.record import Origin, Overlay
from dipgate.mapping import changed, expectation
from dipgate.mapping.overlay import apply_overlays


def dx(code: str, flag: str = "0", kind: str = "1") -> dict[str, str]:
    return {"diag_code": code, "diag_type": kind, "maindiag_flag": flag}


LIST = SettlementList(
    setlinfo={"setl_id": "S1", "diag_code_cnt": "4"},
    diseinfo=(dx("A", "1"), dx("T", kind="2"), dx("B"), dx("C")),
)
ORIGINS = {
    f"diseinfo[{n}].{name}": Origin(f"diseinfo[{n}].{name}", value, column=f"{n}.{name}")
    for n, row in enumerate(LIST.diseinfo or ())
    for name, value in row.items()
}


def codes(lst: SettlementList) -> list[tuple[str, str]]:
    return [(row["diag_code"], row["maindiag_flag"]) for row in lst.diseinfo or ()]


def overlay(number: int, op: str, path: str, value: str = "", expect: str = "") -> Overlay:
    return Overlay(number, op, path, value, expect, "核对病历", "编码员", "2025-04-01 09:00:00")


def test_lines_are_read_principal_first_and_tcm_last() -> None:
    assert lines(LIST, "diseinfo") == (0, 2, 3, 1)
    late = SettlementList({}, diseinfo=(dx("A"), dx("B", "1")))
    assert lines(late, "diseinfo") == (1, 0)
    assert lines(SettlementList({}, diseinfo=(dx("A"), dx("B"))), "diseinfo") == (0, 1)
    assert lines(SettlementList({}), "diseinfo") == ()


def test_nothing_stands_above_the_first_line_and_kinds_do_not_mix() -> None:
    assert line_above(LIST, "diseinfo", 0) is None
    assert line_above(LIST, "diseinfo", 2) == 0
    assert line_above(LIST, "diseinfo", 1) is None
    assert line_above(LIST, "iteminfo", 0) is None
    with pytest.raises(KeyError):
        expectation(LIST, "move_up", "diseinfo[0]")


def test_moving_up_to_the_first_line_makes_the_principal() -> None:
    after = changed(LIST, "move_up", "diseinfo[2]", "")
    assert codes(after) == [("B", "1"), ("T", "0"), ("A", "0"), ("C", "0")]
    assert codes(changed(after, "move_up", "diseinfo[2]", "")) == codes(LIST)


def test_a_principal_that_is_not_first_in_the_source_moves_the_same_way() -> None:
    late = SettlementList({}, diseinfo=(dx("A"), dx("B", "1")))
    assert codes(changed(late, "move_up", "diseinfo[0]", "")) == [("B", "0"), ("A", "1")]


def test_lineage_changes_places_with_the_rows_and_the_mark_keeps_its_own() -> None:
    seen = expectation(LIST, "move_up", "diseinfo[2]")
    case = apply_overlays(LIST, ORIGINS, {}, [overlay(5, "move_up", "diseinfo[2]", "", seen)])
    assert case.conflicts == ()
    moved = case.origin("diseinfo[0].diag_code")
    assert moved is not None
    assert (moved.column, moved.value, moved.overlay) == ("2.diag_code", "B", 5)
    mark = case.origin("diseinfo[0].maindiag_flag")
    assert mark is not None
    assert (mark.column, mark.overlay) == ("0.maindiag_flag", None)


def test_a_move_of_rows_that_changed_since_is_a_conflict() -> None:
    seen = expectation(LIST, "move_up", "diseinfo[2]")
    other = LIST.with_value("diseinfo[0].diag_code", "Z")
    case = apply_overlays(other, ORIGINS, {}, [overlay(5, "move_up", "diseinfo[2]", "", seen)])
    assert [item.what for item in case.conflicts] == ["来源的这两行已经变化，更正未应用"]
    assert case.list == other


def test_the_count_of_rows_follows_unless_it_was_wrong_before() -> None:
    fewer = changed(LIST, "remove_row", "diseinfo[3]", "")
    assert fewer.get("setlinfo.diag_code_cnt") == "3"
    more = changed(LIST, "add_row", "diseinfo", json.dumps(dx("D")))
    assert more.get("setlinfo.diag_code_cnt") == "5"
    wrong = LIST.with_value("setlinfo.diag_code_cnt", "9")
    assert changed(wrong, "remove_row", "diseinfo[3]", "").get("setlinfo.diag_code_cnt") == "9"
    seen = expectation(LIST, "remove_row", "diseinfo[3]")
    case = apply_overlays(LIST, ORIGINS, {}, [overlay(2, "remove_row", "diseinfo[3]", "", seen)])
    origin = case.origin("setlinfo.diag_code_cnt")
    assert origin is not None
    assert (origin.value, origin.overlay) == ("3", 2)


@pytest.mark.parametrize("value", ["", "[1]", '{"a": 1}', "null", "{"])
def test_a_row_that_is_no_object_of_texts_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="JSON 对象"):
        changed(LIST, "add_row", "diseinfo", value)


def test_an_unknown_way_of_changing_is_refused() -> None:
    with pytest.raises(ValueError, match="不认识"):
        changed(LIST, "swap", "diseinfo[0]", "")
