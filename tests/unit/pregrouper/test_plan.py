"""Plans and shared answers: made once, bounded, and never seen in what comes out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any

import pytest
from msgspec import structs

from dipgate.core.case import Diagnosis
from dipgate.core.clock import CHINA
from dipgate.core.reference import CodeTable, Reference
from dipgate.pregrouper import Library, compile_library, group_with
from dipgate.pregrouper import plan as plans

Make = Callable[..., Any]
ROWS = (("K80.1", "", "600"), ("K80.1", "51.2300", "1700"), ("K80", "手术", "2400", "综合"))


def reference(day: date, categories: dict[str, str]) -> Reference:
    names = dict.fromkeys(categories, "")
    ops = CodeTable("icd9cm3", "1", date(2020, 1, 1), names, {"category": categories})
    return Reference(day, icd9cm3=ops)


def made(library: Library) -> list[plans.Plan]:
    return [plan for plan in library.prepared.values() if isinstance(plan, plans.Plan)]


def test_a_reference_of_another_day_with_the_same_tables_needs_no_new_plan(
    make_policy: Make, make_library: Make, make_case: Make, categories: dict[str, str]
) -> None:
    policy = make_policy()
    library = compile_library(make_library(*ROWS), policy)
    ref = reference(date(2025, 1, 1), categories)
    for days in range(40):
        day = date(2025, 1, 1) + timedelta(days)
        group_with(make_case("K80.100"), library, policy, replace(ref, day=day), trace=False)
    assert len(made(library)) == 1
    other = reference(date(2025, 1, 1), {"51.2300": "治疗性操作"})
    found = group_with(make_case("K80.100", "51.2300"), library, policy, other)
    assert (found.treatment, len(made(library))) == ("治疗性操作", 2)


def test_plans_and_answers_are_bounded(
    make_policy: Make,
    make_library: Make,
    make_case: Make,
    categories: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dipgate.pregrouper.engine.MAX_ANSWERS", 10)
    monkeypatch.setattr("dipgate.pregrouper.engine.MAX_TRACED", 10)
    policy = make_policy()
    library = compile_library(make_library(*ROWS), policy)
    for number in range(plans.MAX_PLANS + 5):
        ref = reference(date(2025, 1, 1), {**categories, f"99.{number:04d}": "手术"})
        for more in range(25):
            group_with(make_case(f"K80.1{more:02d}"), library, policy, ref, trace=False)
    held = made(library)
    assert len(held) <= plans.MAX_PLANS
    assert sum(len(plan.answers) for plan in held) <= 10


MOMENT = datetime(2025, 3, 10, 9, tzinfo=CHINA)


@pytest.mark.parametrize(
    "change",
    [
        {"principal": Diagnosis("K80.200", "", "1", "", 0)},
        {"procedures": ()},
        {"payment_method": "5"},
        {"payment_method": "1"},
        {"stay_type": "2"},
        {"settled": date(2031, 1, 1)},
        {"settled": date(2019, 1, 1)},
        {"discharged": MOMENT - timedelta(days=1)},
        {"tcm": (Diagnosis("A01.01", "", "2", "", 1),)},
        {"fee": 1},
        {"others": (Diagnosis("I10.x00", "", "1", "", 1),)},
        {"case_id": "other", "sex": "2"},
    ],
)
def test_an_answer_is_never_that_of_another_case(
    make_policy: Make,
    make_library: Make,
    make_case: Make,
    categories: dict[str, str],
    change: dict[str, Any],
) -> None:
    """The same case changed in one thing, after the first was answered, and on its own."""
    policy = make_policy(
        policy={"effective_from": "2024-01-01", "effective_to": "2026-12-31"},
        routing={"excluded": ["bed_day"], "day_surgery": "own_score", "tcm_route": None},
    )
    ref = reference(date(2025, 3, 15), categories)
    case = make_case("K80.100", "51.2300")
    other = structs.replace(case, **change)
    shared, fresh = (compile_library(make_library(*ROWS), policy) for _ in range(2))
    group_with(case, shared, policy, ref, trace=False)
    found = group_with(other, shared, policy, ref, trace=False)
    assert found == group_with(other, fresh, policy, ref, trace=False)
    traced = group_with(other, fresh, policy, ref)
    assert structs.replace(traced, trace=()) == found


def test_a_compiled_library_cannot_be_changed(make_policy: Make, make_library: Make) -> None:
    library = compile_library(make_library(*ROWS), make_policy())
    for table in (library.groups, library.buckets, library.comprehensive):
        with pytest.raises(TypeError, match="read-only"):
            table["x"] = None  # type: ignore[index]
        with pytest.raises(TypeError, match="read-only"):
            table.update({})  # type: ignore[attr-defined]
    assert not isinstance(library.groups, MappingProxyType)


def test_a_shared_trace_names_the_case_it_is_given_for(
    make_policy: Make, make_library: Make, make_case: Make, categories: dict[str, str]
) -> None:
    """Diagnoses of one subcategory share an answer; every step is still about their own."""
    policy = make_policy()
    ref = reference(date(2025, 3, 15), categories)
    cases = [
        structs.replace(make_case(dx, *ops), principal=Diagnosis(dx, name, "1", "", 0))
        for dx, name in (("K80.100", "甲"), ("K80.100x001", "乙"), ("K80.100x001", "丙"))
        for ops in ((), ("51.2300",), ("99.1500",), ("36.0700",), ("47.0100", "51.2300"))
    ]
    shared = compile_library(make_library(*ROWS), policy)
    for case in cases:
        fresh = compile_library(make_library(*ROWS), policy)
        assert group_with(case, shared, policy, ref) == group_with(case, fresh, policy, ref)


def test_what_depends_on_the_fee_is_never_shared(
    make_policy: Make, make_library: Make, make_case: Make, categories: dict[str, str]
) -> None:
    rows = (("K80.1", "51.2300", "900"), ("K80.1", "51.2300/47.0100", "500"))
    policy = make_policy(grouping={"select": ["closest_fee"]})
    library = compile_library(make_library(*rows), policy)
    ref = reference(date(2025, 3, 15), categories)
    found = [
        group_with(make_case("K80.100", "51.2300", fee=fee), library, policy, ref, trace=trace)
        for fee in ("8900.00", "5100.00")
        for trace in (True, False)
    ]
    assert [item.base_score for item in found] == [900, 900, 500, 500]


def test_threads_that_ask_at_once_get_their_own_answers(
    make_policy: Make, make_library: Make, make_case: Make, categories: dict[str, str]
) -> None:
    rows = tuple((f"K{number:02d}.1", "", str(number + 1)) for number in range(100))
    policy = make_policy()
    ref = reference(date(2025, 3, 15), categories)
    cases = [make_case(f"K{number:02d}.1{more}0") for number in range(100) for more in range(3)]
    for _ in range(5):
        library = compile_library(make_library(*rows), policy)
        with ThreadPoolExecutor(8) as pool:
            found = pool.map(
                lambda case: group_with(case, library, policy, ref, trace=False),  # noqa: B023
                cases,
            )
            scores = [item.base_score for item in found]
        assert scores == [number + 1 for number in range(100) for _ in range(3)]
        plan = made(library)[0]
        assert len(set(plan.classes.values())) == 100
