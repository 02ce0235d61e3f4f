"""Whether a dimension of the auxiliary directory is in use for a group, by its statistics.

A table of coefficients that brings case counts or the CV after the split is not yet a decision:
`auxiliary.trigger` is (dip-settlement.md 2.2). A row without statistics is one: it is in use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from dipgate.core.library import Coefficient, LibraryRow
from dipgate.core.money import shown
from dipgate.core.params import Param
from dipgate.core.policy_parts import Trigger

PATH = "auxiliary.trigger"
_ICU = "icu"


@dataclass(frozen=True, slots=True)
class Activation:
    """`on` is False with the reason; where `lacks` names paths it is not known."""

    on: bool = True
    why: str = ""
    ref: str = ""
    lacks: tuple[str, ...] = ()


LISTED = Activation()


@dataclass(frozen=True, slots=True)
class _Test:
    """One condition; `passes` is None where a number that it needs is not known (`lacks`)."""

    passes: bool | None
    ref: str
    why: str = ""
    lacks: str = ""
    of_cv: bool = False


def activation(row: Coefficient | None, group: LibraryRow, rules: Trigger) -> Activation:
    """Off where one test fails; unknown where one cannot be made; else on.

    Intensive care is held to the CV less strictly, and no text says how much: where it fails them,
    only a policy that says `icu_relaxed: false` decides.
    """
    if row is None or (row.cases is None and row.cv_after is None):
        return LISTED
    lacks: list[str] = []
    for test in _tests(row, group, rules):
        relaxed = row.dimension == _ICU and test.of_cv and rules.icu_relaxed is not False
        if test.passes is False and not relaxed:
            return Activation(False, test.why, test.ref)
        if not test.passes:
            lacks.append(test.lacks or f"{PATH}.icu_relaxed")
    return Activation(lacks=tuple(dict.fromkeys(lacks)))


def _tests(row: Coefficient, group: LibraryRow, rules: Trigger) -> Iterator[_Test]:
    yield from _count("min_group_cases", rules.min_group_cases, group.case_count, "病种病例数")
    counted = "coefficients.case_count"
    yield from _count("min_type_cases", rules.min_type_cases, row.cases, "分型病例数", counted)
    yield from _cv_before(rules.cv_before, group.cv)
    yield from _cv_drop(rules.min_cv_drop, group.cv, row.cv_after)


def _count(
    name: str, least: Param | None, cases: int | None, what: str, column: str = "case_count"
) -> Iterator[_Test]:
    ref = f"{PATH}.{name}"
    if least is not None and least.absent:
        return
    limit = None if least is None else least.fixed
    if limit is None or cases is None:
        yield _Test(None, ref, lacks=ref if limit is None else f"library.{column}")
        return
    yield _Test(cases >= limit, ref, f"{what} {cases} 少于 {limit:f}")


def _cv_before(limit: Param | None, cv: Decimal | None) -> Iterator[_Test]:
    ref = f"{PATH}.cv_before"
    if limit is not None and limit.absent:
        return
    above = None if limit is None else limit.fixed
    if above is None or cv is None:
        yield _Test(None, ref, lacks=ref if above is None else "library.cv", of_cv=True)
        return
    yield _Test(cv > above, ref, f"病种变异系数 {cv:f} 不大于 {above:f}", of_cv=True)


def _cv_drop(least: Param | None, before: Decimal | None, after: Decimal | None) -> Iterator[_Test]:
    ref = f"{PATH}.min_cv_drop"
    if least is not None and least.absent:
        return
    share = None if least is None else least.fixed
    if share is None or before is None or after is None:
        missing = "library.cv" if before is None else "library.coefficients.cv_after"
        yield _Test(None, ref, lacks=ref if share is None else missing, of_cv=True)
        return
    why = f"细分后变异系数从 {before:f} 到 {after:f}，下降不到 {shown(share * 100)}%"
    yield _Test(before - after >= share * before, ref, why, of_cv=True)
