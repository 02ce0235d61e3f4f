"""Rows of `tcm_map`: which one a case takes, and what it may not change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from dipgate.core.case import Case, Diagnosis
from dipgate.core.grouping import GroupStatus
from dipgate.core.library import LibraryData, LibraryParts, TcmRow
from dipgate.core.policy import Policy
from dipgate.pregrouper import compile_library, group, score

MakeCase, MakeLibrary = Callable[..., Case], Callable[..., LibraryData]
MakePolicy = Callable[..., Policy]


def row(code: str, route: str, *, system: str = "TIB", **more: Any) -> TcmRow:
    values: dict[str, Any] = {
        "row": 2,
        "code_system": system,
        "code": code,
        "syndrome": "",
        "western_dx_key": "K80.1",
        "op_key": "",
        "route": route,
        "factor": None,
    }
    return TcmRow(**{**values, **more})


@pytest.fixture
def run(make_case: MakeCase, make_library: MakeLibrary, make_policy: MakePolicy) -> Any:
    """`run(rows, ("TB1", "2"), …)` → the group of a case of K80.1 without operations."""
    data = make_library(
        ("K80.1", "保守治疗", "400"),
        ("K80.1", "51.2300", "1700"),
        ("K80.1", "保守治疗", "450", "民族医优势病种", "OWN"),
    )

    def call(
        rows: tuple[TcmRow, ...],
        *tcm: tuple[str, str],
        dx: str = "K80.100",
        routing: dict[str, Any] | None = None,
        ops: tuple[str, ...] = (),
    ) -> Any:
        policy = make_policy(routing={"tcm_route": "in_scope", **(routing or {})})
        library = compile_library(replace(data, parts=LibraryParts(tcm_map=rows)), policy)
        case = structs.replace(
            make_case(dx, *ops),
            tcm=tuple(
                Diagnosis(code, "", kind, "", place)
                for place, (code, kind) in enumerate(tcm, start=1)
            ),
        )
        found = group(case, library, policy)
        return found, score(case, found, policy, hospital_level="3")

    return call


def said(found: Any, word: str) -> bool:
    return any(text.startswith(word) for text in found.warnings)


def test_the_row_of_the_syndrome_goes_before_the_row_without(run: Any) -> None:
    rows = (row("TB1", "uplift", factor=Decimal("1.1")), row("TB1", "none", syndrome="TS2", row=3))
    assert run(rows, ("TB1", "2"))[0].tcm.factor == Decimal("1.1")
    assert run(rows, ("TB1", "2"), ("TS2", "3"))[0].tcm is None


def test_a_code_of_two_systems_is_not_guessed_at(run: Any) -> None:
    rows = (
        row("TB1", "uplift", factor=Decimal("1.1")),
        row("TB1", "uplift", system="GB", factor=Decimal("1.2"), row=3),
    )
    found, _ = run(rows, ("TB1", "2"))
    assert found.tcm is None
    assert said(found, "W_TCM_UNMAPPED")
    assert "routing.tcm_code_systems" in "".join(found.warnings)
    for first, factor in (("TIB", "1.1"), ("GB", "1.2")):
        named, _ = run(rows, ("TB1", "2"), routing={"tcm_code_systems": [first]})
        assert named.tcm.factor == Decimal(factor)


def test_a_system_that_the_area_does_not_use_has_no_say(run: Any) -> None:
    rows = (row("TB1", "uplift", factor=Decimal("1.1")),)
    found, _ = run(rows, ("TB1", "2"), routing={"tcm_code_systems": ["GB"]})
    assert found.tcm is None
    assert said(found, "W_TCM_UNMAPPED")


@pytest.mark.parametrize("off", ["none", "n/a"])
def test_where_tcm_is_off_no_row_counts_and_nothing_is_said(run: Any, off: str) -> None:
    rows = (row("TB1", "uplift", factor=Decimal("1.1")),)
    found, _ = run(rows, ("TB1", "2"), routing={"tcm_route": off})
    assert found.tcm is None
    assert not said(found, "W_TCM")


def test_a_policy_that_names_one_route_refuses_rows_of_others(run: Any) -> None:
    rows = (row("TB1", "own_group", group_code="OWN"),)
    found, _ = run(rows, ("TB1", "2"), routing={"tcm_route": "uplift"})
    assert found.group_code != "OWN"
    assert said(found, "W_TCM_ROUTE")


def test_an_own_group_that_the_library_lacks_is_said(run: Any) -> None:
    found, _ = run((row("TB1", "own_group", group_code="GONE"),), ("TB1", "2"))
    assert found.base_score == Decimal("400")
    assert said(found, "W_TCM_GROUP")


def test_same_price_keeps_group_and_average_fee(run: Any) -> None:
    plain, _ = run((), ("TB1", "2"))
    found, _ = run((row("TB1", "same_price", op_key="51.2300"),), ("TB1", "2"))
    assert (found.group_code, found.average_fee) == (plain.group_code, plain.average_fee)
    assert (plain.base_score, found.base_score) == (Decimal("400"), Decimal("1700"))
    assert found.tcm.route == "same_price"


def test_own_group_takes_no_auxiliary_label_and_is_never_reached_without_its_row(
    run: Any,
) -> None:
    own, _ = run((row("TB1", "own_group", group_code="OWN"),), ("TB1", "2"))
    assert (own.status, own.group_code, own.labels) == (GroupStatus.GROUPED, "OWN", ())
    without, _ = run((), ("TB1", "2"))
    assert without.group_code != "OWN"
    assert all(item.group_code != "OWN" for item in without.alternatives)


def test_uplift_multiplies_the_score(run: Any) -> None:
    _, plain = run((), ("TB1", "2"))
    _, lifted = run((row("TB1", "uplift", factor=Decimal("1.5")),), ("TB1", "2"))
    assert lifted.score == plain.score * Decimal("1.5")


@pytest.mark.parametrize("route", ["same_price", "own_group", "uplift"])
def test_another_western_principal_is_left_alone(run: Any, route: str) -> None:
    mapped = row(
        "TB1",
        route,
        western_dx_key="K35.8",
        op_key="51.2300",
        factor=Decimal("1.5"),
        group_code="OWN",
    )
    found, money = run((mapped,), ("TB1", "2"))
    plain, before = run((), ("TB1", "2"))
    assert (found.group_code, money.score) == (plain.group_code, before.score)
    assert said(found, "W_TCM_WESTERN")


def test_a_case_that_is_not_grouped_gets_no_route(run: Any) -> None:
    rows = (row("TB1", "uplift", western_dx_key="Z99", factor=Decimal("1.5")),)
    found, _ = run(rows, ("TB1", "2"), dx="Z99.900")
    assert found.tcm is None
    assert said(found, "W_TCM_ROUTE")
