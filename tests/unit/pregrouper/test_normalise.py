"""What happens before matching: codes brought to the library's edition, classes, levels, routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import pytest

from dipgate.core.case import Diagnosis
from dipgate.core.clock import CHINA
from dipgate.core.grouping import GroupResult, GroupStatus
from dipgate.core.library import LibraryParts, OpFacts
from dipgate.core.reference import CodeMap, MapEntry, Reference
from dipgate.pregrouper import compile_library, group
from dipgate.pregrouper.keys import categories_in

Make = Callable[..., Any]
ROWS = (
    ("K80.1", "", "600"),
    ("K80.1", "51.2300", "1700"),
    ("K80", "手术", "2400", "综合"),
    ("K80", "治疗性操作", "1300", "综合"),
    ("K80", "保守治疗", "700", "综合"),
)
DOWN = {"catalogue": {"map_case_down": "true"}}


@pytest.fixture
def run(
    make_policy: Make, make_library: Make, make_case: Make, categories: dict[str, str]
) -> Callable[..., GroupResult]:
    """`run("K80.100", "51.2300", policy={…}, rows=…, levels={code: 2}, facts=(…))`."""

    def go(
        dx: str,
        *ops: str,
        policy: dict[str, Any] | None = None,
        rows: tuple[tuple[str, ...], ...] = ROWS,
        levels: dict[str, int] | None = None,
        facts: tuple[OpFacts, ...] | None = None,
        case: dict[str, Any] | None = None,
        ref: Reference | None = None,
        **tables: Any,
    ) -> GroupResult:
        data = make_library(*rows)
        held = tuple(replace(row, op_level=(levels or {}).get(row.group_code)) for row in data.rows)
        parts = LibraryParts(op_dictionary={item.code: item for item in facts} if facts else None)
        rules = make_policy(**(policy or {}))
        tables.setdefault("op_category", categories)
        library = compile_library(replace(data, rows=held, parts=parts), rules)
        return group(make_case(dx, *ops, **(case or {})), library, rules, ref, **tables)

    return go


def said(found: GroupResult, word: str) -> list[str]:
    return [text for text in found.warnings if text.startswith(word)]


def test_codes_are_mapped_down_and_the_trace_says_so(run: Make) -> None:
    found = run(
        "K80.199x9",
        "51.2399",
        policy=DOWN,
        dx_map={"K80.199x9": ("K80.100",)},
        op_map={"51.2399": ("51.2300",)},
    )
    assert found.group_code == "K80.1:51.2300"
    texts = [step.text for step in found.trace if step.step == "normalise"]
    assert any("K80.199x9 → K80.100" in text for text in texts)
    assert any("51.2399 → 51.2300" in text for text in texts)


@pytest.mark.parametrize("table", [{}, {"K80.100": ("K80.100", "K80.200")}])
def test_a_diagnosis_without_one_target_is_never_used_raw(
    run: Make, table: dict[str, tuple[str, ...]]
) -> None:
    found = run("K80.100", policy=DOWN, dx_map=table, op_map={})
    assert (found.status, found.group_code) == (GroupStatus.INVALID_INPUT, "")
    assert said(found, "W_UNMAPPED 主要诊断 K80.100")
    assert "编码版本" in found.trace[-1].text


def test_an_operation_without_a_target_takes_no_part(run: Make) -> None:
    same = {"K80.100": ("K80.100",)}
    found = run("K80.100", "51.2300", policy=DOWN, dx_map=same, op_map={})
    assert found.group_code == "K80.1"
    assert said(found, "W_UNMAPPED 手术操作 51.2300")


def test_the_policy_names_the_table_of_the_map(run: Make) -> None:
    entry = MapEntry("K80.199x9", "", "K80.100", "", "national", "1", 2)
    ref = Reference(
        date(2025, 3, 15),
        icd10_map=CodeMap("icd10-map", ("1",), {"K80.199x9": (entry, entry)}),
        tables={"ops-down": ({"source_code": "51.2399", "target_code": "51.2300"},)},
    )
    named = DOWN | {"grouping": {"maps": {"dx": "icd10-map", "op": "ops-down"}}}
    found = run("K80.199x9", "51.2399", policy=named, ref=ref)
    assert found.group_code == "K80.1:51.2300"
    absent = run("K80.100", "51.2300", policy=DOWN, ref=ref)
    assert (absent.status, absent.group_code) == (GroupStatus.INVALID_INPUT, "")


def test_without_a_map_raw_codes_are_used_only_where_the_policy_says(run: Make) -> None:
    codes = DOWN["catalogue"] | {"dx_codeset": "YB-ICD10-1.0", "op_codeset": "YB-ICD9-1.0"}
    down: dict[str, Any] = {"catalogue": codes}
    found = run("K80.100", "51.2300", policy=down)
    wanted = "政策要求先映射到 YB-ICD10-1.0 版编码，没有映射表（grouping.maps.dx）"
    assert (found.status, found.group_code) == (GroupStatus.INVALID_INPUT, "")
    assert said(found, f"W_NOT_CONFIGURED {wanted}")
    assert found.trace[-1].text == f"{wanted}，不能入组"
    raw = run("K80.100", "51.2300", policy=down | {"grouping": {"unmapped_codes": "use"}})
    assert raw.group_code == "K80.1:51.2300"
    assert said(raw, f"W_NOT_CONFIGURED {wanted}，按原编码入组")


def test_without_a_map_of_operations_only_cases_without_operations_are_grouped(run: Make) -> None:
    same = {"K80.100": ("K80.100",)}
    assert run("K80.100", policy=DOWN, dx_map=same).group_code == "K80.1"
    found = run("K80.100", "51.2300", policy=DOWN, dx_map=same)
    assert (found.status, found.group_code) == (GroupStatus.INVALID_INPUT, "")
    assert "grouping.maps.op" in said(found, "W_NOT_CONFIGURED")[0]


LEVELS = {"K80:手术": 1, "B": 2, "C": 3}
SPLIT_ROWS = (*ROWS[:3], ("K80", "手术", "2600", "综合", "B"), ("K80", "手术", "2900", "综合", "C"))
SPLIT = {
    "grouping": {
        "comprehensive": {
            "level_split": "true",
            "level_map": {"1": "1", "2": "2", "3": "3", "4": "3"},
        }
    }
}


@pytest.mark.parametrize(("level", "code"), [(1, "K80:手术"), (2, "B"), (3, "C"), (4, "C")])
def test_comprehensive_surgery_by_the_level_of_the_principal_operation(
    run: Make, level: int, code: str
) -> None:
    facts = (OpFacts("47.0100", "", "手术", level), OpFacts("54.5101", "", "手术", 1))
    found = run(
        "K80.100", "47.0100", "54.5101", policy=SPLIT, rows=SPLIT_ROWS, levels=LEVELS, facts=facts
    )
    assert found.group_code == code


def test_no_row_of_that_level_means_no_comprehensive_group(run: Make) -> None:
    facts = (OpFacts("47.0100", "", "手术", 2),)
    rows = (*SPLIT_ROWS[:3], SPLIT_ROWS[4], ("K", "手术", "1", "综合"))
    rules = {
        "grouping": {
            "comprehensive": {
                **SPLIT["grouping"]["comprehensive"],
                "keys": ["cat3", "cat2", "chapter1"],
            }
        }
    }
    found = run("K80.100", "47.0100", policy=rules, rows=rows, levels=LEVELS, facts=facts)
    assert found.status is GroupStatus.UNGROUPED
    unknown = run("K80.100", "47.0100", policy=SPLIT, rows=SPLIT_ROWS, levels=LEVELS)
    assert unknown.status is GroupStatus.AMBIGUOUS
    assert {item.group_code for item in unknown.alternatives} == {"K80:手术", "B", "C"}


def test_shorter_keys_then_the_narrowest_range(run: Make) -> None:
    rules = {
        "grouping": {
            "comprehensive": {"keys": ["cat3", "cat2", "chapter1"], "ranges": "true"},
            "select": ["layer_order"],
        }
    }
    rows = (
        ("K9", "保守治疗", "1", "综合", "two"),
        ("L", "保守治疗", "1", "综合", "letter"),
        ("M00-N99", "保守治疗", "1", "综合", "wide"),
        ("M50-M99", "保守治疗", "1", "综合", "narrow"),
    )
    for dx, code in (("K92.200", "two"), ("L08.900", "letter"), ("M10.000", "wide")):
        assert run(dx, rows=rows, policy=rules).group_code == code
    assert run("M51.100", rows=rows, policy=rules).group_code == "narrow"


def test_core_groups_may_have_ranges(run: Make) -> None:
    rules = {"grouping": {"dx_keys": ["full", "sub4", "cat3", "range"]}}
    rows = (("A15-A16", "", "1"), ("A16", "", "2"), ("A15-A19", "", "3"))
    assert run("A15.001", rows=rows, policy=rules).group_code == "A15-A16"
    assert run("A16.001", rows=rows, policy=rules).group_code == "A16"
    assert run("A19.900", rows=rows, policy=rules).group_code == "A15-A19"
    assert categories_in("A99-B01") == ("A99", "B00", "B01")
    assert categories_in("KBBZ") == ()


def test_the_dictionary_comes_before_the_catalogue(run: Make) -> None:
    facts = (OpFacts("99.1500", "", "手术"), OpFacts("47.0100", "", ""))
    assert run("K80.100", "99.1500", facts=facts).group_code == "K80:手术"
    assert run("K80.100", "47.0100", facts=facts).group_code == "K80:手术"
    assert run("K80.100", "44.1300x001", facts=facts).status is GroupStatus.UNGROUPED


@pytest.mark.parametrize(
    ("incision", "level", "code"),
    [(0, 2, "K80.1"), (0, 3, "K80:手术"), (1, 1, "K80:手术"), (None, 2, "K80:手术")],
)
def test_simple_operations_by_incision_and_level(
    run: Make, incision: int | None, level: int, code: str
) -> None:
    rules = {"grouping": {"op_type": {"simple_op": "incision0_and_level_lt3"}}}
    facts = (OpFacts("47.0100", "", "手术", level, incision),)
    found = run("K80.100", "47.0100", policy=rules, facts=facts)
    assert found.group_code == code
    assert bool(said(found, "W_MISSING_INPUT")) is (incision is None)
    without = run("K80.100", "47.0100", policy=rules)
    assert without.group_code == "K80:手术"
    assert said(without, "W_MISSING_INPUT 没有手术操作字典")


def test_classes_written_as_the_policy_prints_them(
    make_policy: Make, make_library: Make, make_case: Make, categories: dict[str, str]
) -> None:
    rules = make_policy(grouping={"comprehensive": {"suffixes": {"手术": "OP"}}})
    data = make_library(("K80", "手术", "1", "综合"))
    rows = (replace(data.rows[0], treatment_class="OP"),)
    library = compile_library(replace(data, rows=rows), rules)
    found = group(make_case("K80.100", "47.0100"), library, rules, op_category=categories)
    assert found.treatment == "手术"


def test_a_discharge_before_admission_is_invalid_input(run: Make) -> None:
    late, early = (datetime(2025, 3, day, 9, tzinfo=CHINA) for day in (10, 9))
    found = run("K80.100", case={"admitted": late, "discharged": early})
    assert found.status is GroupStatus.INVALID_INPUT
    assert found.trace[-1].text == "出院时间早于入院时间，请核对后再入组"
    same = run("K80.100", case={"admitted": late, "discharged": late})
    assert same.status is GroupStatus.GROUPED


@pytest.mark.parametrize(
    ("routing", "case", "out"),
    [
        ({"excluded": ["by_item"]}, {"payment_method": "1"}, True),
        ({"excluded": ["single_disease", "drg"]}, {"payment_method": "4"}, True),
        ({"excluded": ["self_pay"]}, {"fund": 0, "self_paid": 900000}, True),
        ({"excluded": ["self_pay"]}, {"fund": 1, "self_paid": 899999}, False),
        ({"excluded": ["tcm"]}, {"tcm": (Diagnosis("A01.01", "", "2", "", 1),)}, True),
        ({"included": ["inpatient"]}, {"stay_type": "2"}, True),
        ({"included": ["inpatient", "day_surgery"]}, {"stay_type": "2"}, False),
        ({"day_surgery": "excluded"}, {"stay_type": "2"}, True),
        ({"day_surgery": "own_score"}, {"stay_type": "2"}, False),
    ],
)
def test_routes(run: Make, routing: dict[str, Any], case: dict[str, Any], out: bool) -> None:
    found = run("K80.100", policy={"routing": routing}, case=case)
    assert (found.status is GroupStatus.ROUTED_OUT) is out
    if out:
        assert next(step.ref for step in found.trace if step.step == "route").startswith("routing.")


def test_a_route_that_cannot_be_read_off_the_list_asks_a_person(run: Make) -> None:
    unknown = {"routing": {"excluded": ["self_pay", "maternity_package"]}}
    found = run("K80.100", policy=unknown, case={"fund": None})
    assert found.status is GroupStatus.GROUPED
    assert len(said(found, "W_ROUTE 排除情形")) == 2


def test_own_score_of_day_surgery_is_said(run: Make) -> None:
    own = {"routing": {"day_surgery": "own_score"}}
    assert said(run("K80.100", policy=own, case={"stay_type": "2"}), "W_DAY_SURGERY")


def test_result_names_key_type_and_factor(
    make_policy: Make, make_library: Make, make_case: Make, categories: dict[str, str]
) -> None:
    rules = make_policy()
    data = make_library(("K80.1", "51.2300_54.5101", "1500"))
    rows = (replace(data.rows[0], group_factor=data.rows[0].score),)
    library = compile_library(replace(data, rows=rows), rules)
    case = make_case("K80.100", "51.2300", "54.5101")
    found = group(case, library, rules, op_category=categories)
    assert (found.group_type, found.key_main, found.key_related) == (
        "核心",
        ("51.2300",),
        ("54.5101",),
    )
    assert found.group_factor == data.rows[0].score


def test_a_rule_that_the_policy_leaves_out_is_said_once(run: Make) -> None:
    found = run("K80.100")
    assert said(found, "W_NO_RULE") == [
        "W_NO_RULE 政策没有写 routing.excluded、grouping.exclusions.dx_list、"
        "grouping.exclusions.op_list，按没有这样的规则处理"
    ]
    nothing = {"exclusions": {"dx_list": "n/a", "op_list": "n/a"}}
    whole = run("K80.100", policy={"routing": {"excluded": []}, "grouping": nothing})
    assert not said(whole, "W_NO_RULE")
