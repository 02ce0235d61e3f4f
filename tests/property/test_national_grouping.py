"""The national layers over random stays: order of other diagnoses, and codes that mean nothing."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from dipgate.config.libraries import import_library, load_library
from dipgate.config.policies import load_policy
from dipgate.core.case import Case, Diagnosis, Procedure
from dipgate.core.clock import CHINA
from dipgate.core.grouping import GroupResult, GroupStatus
from dipgate.core.library import PART_KINDS
from dipgate.core.money import Fen
from dipgate.core.policy import Policy
from dipgate.core.policy_parts import Auxiliary
from dipgate.pregrouper import Library, compile_library, group

FOLDER = Path(__file__).resolve().parents[1] / "data" / "national3"
BORN, ADMITTED = date(2025, 3, 1), datetime(2025, 3, 10, 9, tzinfo=CHINA)
UNRELATED_DX, UNRELATED_OP = "Y99.900x999", "04.9999"


@cache
def national() -> tuple[Library, Policy]:
    """The small library of the 3.0 form under the national policy."""
    files = {kind: FOLDER / "parts" / f"{kind}.csv" for kind in PART_KINDS}
    with TemporaryDirectory() as folder:
        state = Path(folder)
        import_library(
            state,
            "n3",
            "1",
            BORN,
            FOLDER / "library.csv",
            also=(FOLDER / "comprehensive.csv",),
            parts={kind: file for kind, file in files.items() if file.is_file()},
            partial=True,
            now=ADMITTED,
        )
        data = load_library(state, "n3", "1")
    # Without labels untraced cases that are alike share an answer: that must show here.
    labels_off = {"auxiliary": Auxiliary(mode="none")}
    policy = load_policy("national_2025").model_copy(update=labels_off)
    return compile_library(data, policy), policy


@cache
def pools() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Diagnoses and operations that the library names, with some that it does not."""
    library, _ = national()
    keys = sorted(key for key in library.dx_keys if "-" not in key and key[:1].isascii())
    dx = [f"{key.rstrip('+')}0x" if len(key) > 4 else f"{key}.90x" for key in keys]
    more = ("A15.000x901", "U84.300", "P07.100", "C50.900", "C78.000", "T31.200", "M47.000+G99.2*")
    listed = library.parts.ops_not_main or {}
    return (*dx, *more, "Z99.900"), (*sorted(library.op_codes), *listed)


def stay(dx: str, others: list[str], ops: list[str], weight: int | None) -> Case:
    values: dict[str, Any] = dict.fromkeys(Case.__struct_fields__)
    values |= {
        "case_id": "S",
        "hospital_code": "H",
        "insured_place": "990100",
        "insurance_type": "310",
        "sex": "1",
        "born": BORN,
        "admitted": ADMITTED,
        "discharged": ADMITTED,
        "settled": date(2025, 3, 15),
        "discharge_way": "1",
        "stay_type": "1",
        "payment_method": "3",
        "principal": Diagnosis(dx, "", "1", "", 0),
        "others": diagnoses(others),
        "tcm": (),
        "procedures": procedures(ops),
        "icu": (),
        "fee": Fen(900_000),
        "birth_weight_g": weight,
        "problems": (),
    }
    return Case(**values)


def diagnoses(codes: list[str]) -> tuple[Diagnosis, ...]:
    return tuple(Diagnosis(code, "", "1", "", at) for at, code in enumerate(codes, 1))


def procedures(codes: list[str]) -> tuple[Procedure, ...]:
    return tuple(Procedure(code, "", at == 0, None, at) for at, code in enumerate(codes))


@cache
def built() -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    """For each row of the library a diagnosis, other diagnoses and operations that meet it."""
    library, _ = national()
    found = []
    for item in library.groups.values():
        keys = sorted(item.dx.keys) + list(item.dx.spans) if item.dx else [item.dx_key]
        dx = f"{keys[0].partition('-')[0].rstrip('+')}0x"
        wanted = item.condition.secondary
        others = (f"{sorted(wanted.keys)[0]}0x",) if wanted and wanted.keys else ("C50.900",)
        for main in item.main or (frozenset(),):
            for related in item.related or (frozenset(),):
                found.append((dx, others, (*sorted(main), *sorted(related - main))))
    return tuple(found)


@st.composite
def stays(draw: st.DrawFn) -> tuple[str, list[str], list[str], int | None]:
    """A stay that meets a row of the library, or anything at all, with codes added."""
    dx_pool, op_pool = pools()
    dx, others, ops = draw(
        st.one_of(
            st.sampled_from(built()),
            st.tuples(st.sampled_from(dx_pool), st.just(()), st.just(())),
        )
    )
    return (
        dx,
        [*others, *draw(st.lists(st.sampled_from(dx_pool), max_size=3))],
        [*ops, *draw(st.lists(st.sampled_from(op_pool), max_size=3))],
        draw(st.sampled_from((None, 800, 1499, 1500, 3000))),
    )


def grouped(case: Case, *, trace: bool = True) -> GroupResult:
    library, policy = national()
    return group(case, library, policy, trace=trace)


@settings(max_examples=200, deadline=None)
@given(stays(), st.randoms(use_true_random=False))
def test_order_of_other_diagnoses_changes_nothing(drawn: Any, rng: Any) -> None:
    dx, others, ops, weight = drawn
    mixed = list(others)
    rng.shuffle(mixed)
    one, two = (grouped(stay(dx, held, ops, weight)) for held in (others, mixed))
    assert structs.replace(one, trace=()) == structs.replace(two, trace=())


@settings(max_examples=200, deadline=None)
@given(stays(), st.integers(min_value=0, max_value=4))
def test_a_code_that_means_nothing_never_lowers_what_is_matched(drawn: Any, at: int) -> None:
    dx, others, ops, weight = drawn
    plain = grouped(stay(dx, others, ops, weight))
    place = min(at + 1, len(ops)) if ops else 0
    more = [*ops[:place], UNRELATED_OP, *ops[place:]] if ops else ops
    found = grouped(stay(dx, [*others, UNRELATED_DX], more, weight))
    assert len(found.matched) >= len(plain.matched)
    assert found.group_code == plain.group_code


@settings(max_examples=200, deadline=None)
@given(stays())
def test_every_answer_holds_together(drawn: Any) -> None:
    case = stay(*drawn)
    found = grouped(case)
    assert found == grouped(case)
    library, _ = national()
    quick = grouped(case, trace=False)
    assert quick == grouped(case, trace=False)
    assert (quick.status, quick.group_code, quick.warnings) == (
        found.status,
        found.group_code,
        found.warnings,
    )
    if found.status is GroupStatus.AMBIGUOUS:
        assert len(found.alternatives) > 1
    if found.group_code:
        row = library.groups[found.group_code].row
        assert (found.base_score, found.group_type) == (row.score, row.kind)
    if found.treatment == "保守治疗":
        assert not found.key_main
    assert all(item.why for item in found.alternatives)


ODD = st.one_of(
    st.text(max_size=12),
    st.sampled_from(("", "A", "-", "A15-A16", "所有诊断", "+", "K80.1+", "x", "６.31", "00.3101x")),
)


@settings(max_examples=200, deadline=None)
@given(ODD, st.lists(ODD, max_size=3), st.lists(ODD, max_size=3), st.booleans())
def test_no_code_stops_the_batch(dx: str, others: list[str], ops: list[str], trace: bool) -> None:
    found = grouped(stay(dx, others, ops, None), trace=trace)
    assert found.status in GroupStatus
    assert found.group_code == "" or found.group_code in national()[0].groups
