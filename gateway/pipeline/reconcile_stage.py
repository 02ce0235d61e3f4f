"""Ours against theirs: per list, what differs first, and both sides' money."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from dipgate.core.case import Case, case_of
from dipgate.core.errors import ConfigError
from dipgate.core.events import LogEvent
from dipgate.core.money import Fen
from dipgate.core.policy import Policy
from dipgate.pipeline.bureau_rows import bureau_result
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.judge_stage import Priced, price
from dipgate.pipeline.why import Both, Sides, explain, their_money
from dipgate.pregrouper.attribution import OurSide
from dipgate.pregrouper.difference_steps import DiffStep, cause_steps, difference_steps, divisor_of
from dipgate.pregrouper.differences import BureauResult, Difference, Reason, first_difference
from dipgate.security.eventlog import log
from dipgate.store import Connection, audit, cases, life, reconciliations, results


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One list on both sides. Money in fen; None where a side has none."""

    settlement_id: str
    difference: Difference
    expected_fen: Fen | None
    settled_fen: Fen | None
    our_group: str = ""
    their_group: str = ""
    our_score: Decimal | None = None
    their_score: Decimal | None = None
    steps: tuple[DiffStep, ...] = ()


@dataclass
class ReconcileReport:
    month: str
    lists: tuple[Reconciled, ...] = ()
    reasons: Counter[str] = field(default_factory=Counter)
    apart: int = 0
    """Results about lists that were cancelled, or changed since: compared with nothing."""

    @property
    def equal(self) -> int:
        return self.reasons[Reason.EQUAL.value]

    @property
    def different(self) -> int:
        return sum(self.reasons.values()) - self.equal

    @property
    def expected_fen(self) -> int:
        return sum(item.expected_fen or 0 for item in self.lists)

    @property
    def settled_fen(self) -> int:
        return sum(item.settled_fen or 0 for item in self.lists)


def reconcile(desk: Desk, month: str) -> ReconcileReport:
    """Compare every accepted list of a month (`YYYY-MM`) with the bureau's group results.

    What stands on one side alone is reported as such, never dropped. A result that came for an
    earlier revision says nothing about the present one. The result is stored.
    """
    with desk.store.read() as conn:
        theirs = {
            row.settlement_id: bureau_result(row.payload)
            for row in results.results_for(conn, "3606", month)
        }
        apart = life.not_comparable(conn, month)
    ours = accepted_cases(desk, month)
    of_others = apart.intersection(theirs)
    for settlement_id in of_others:
        del theirs[settlement_id]
    found = _compared(desk, ours, theirs)
    alone = theirs.keys() - {case.settlement_id for case in ours}
    found += [
        Reconciled(
            settlement_id,
            Difference(Reason.NOT_OURS),
            None,
            None,
            their_group=row.group_code,
            their_score=row.settled_score,
        )
        for settlement_id, row in sorted(theirs.items())
        if settlement_id in alone and row.uploaded
    ]
    report = ReconcileReport(month, tuple(found), apart=len(of_others))
    report.reasons.update(item.difference.reason.value for item in found)
    now = desk.clock.now()

    def save(conn: Connection) -> None:
        reconciliations.put(conn, month, [_line(item) for item in found], now)
        audit.add(
            conn,
            now,
            desk.actor,
            "reconciliation.made",
            f"month:{month}",
            detail={"lists": len(found), "different": report.different},
        )

    desk.store.write(save)
    log(LogEvent.COMPARED, month=month, lists=len(found), different=report.different)
    return report


def accepted_cases(desk: Desk, month: str) -> list[cases.CaseRow]:
    """Every list of a month that the platform has accepted, by settlement id."""
    found: list[cases.CaseRow] = []
    after = ""
    with desk.store.read() as conn:
        while True:
            batch = cases.cases_in(conn, month=month, states=("accepted",), after=after, limit=500)
            if not batch:
                return found
            found += batch
            after = batch[-1].settlement_id


@dataclass(frozen=True, slots=True)
class _Ours:
    """One of our lists as we see it, and the policy that it was priced with."""

    stored: cases.CaseRow
    case: Case
    day: date
    policy: Policy | None
    priced: Priced
    theirs: BureauResult | None


def _compared(
    desk: Desk, ours: Sequence[cases.CaseRow], theirs: Mapping[str, BureauResult]
) -> list[Reconciled]:
    priced = [_priced(desk, stored, theirs.get(stored.settlement_id)) for stored in ours]
    sides = Sides(desk.folder)
    both = [
        Both(item.priced.group, item.priced.score, item.theirs, _side(desk, sides, item))
        for item in priced
        if item.theirs is not None
    ]
    differences = iter(explain(both))
    return [
        _one(item, Difference(Reason.NOT_RETURNED) if item.theirs is None else next(differences))
        for item in priced
    ]


def _priced(desk: Desk, stored: cases.CaseRow, theirs: BureauResult | None) -> _Ours:
    case = case_of(stored.settlement_list())
    ref = desk.reference(case.settled)
    day = case.settled or ref.day
    policy = desk.policy(day, case.insured_place)
    return _Ours(stored, case, day, policy, price(desk, case, ref), theirs)


def _side(desk: Desk, sides: Sides, item: _Ours) -> OurSide | None:
    """What our result came from, where it differs from theirs and is DIP's."""
    ours, theirs = item.priced, item.theirs
    if item.policy is None or theirs is None:
        return None
    if first_difference(ours.group, ours.score, theirs).reason is Reason.EQUAL:
        return None
    try:
        library = desk.library(item.policy, item.day)
    except ConfigError:
        return None
    return sides.side(
        item.case,
        library,
        item.policy,
        desk.reference(item.case.settled),
        level=desk.site.hospital.level,
        hospital=item.case.hospital_code,
    )


def _one(item: _Ours, difference: Difference) -> Reconciled:
    ours, theirs = item.priced, item.theirs
    expected = ours.score.amount
    if theirs is None:
        return Reconciled(
            item.stored.settlement_id,
            difference,
            expected,
            None,
            our_group=ours.group.group_code,
            our_score=ours.score.score,
        )
    settled = their_money(item.case, expected, theirs, difference, item.policy, item.day)
    return Reconciled(
        item.stored.settlement_id,
        difference,
        expected,
        settled,
        our_group=ours.group.group_code,
        their_group=theirs.group_code,
        our_score=ours.score.score,
        their_score=theirs.settled_score,
        steps=(
            *difference_steps(
                ours.group,
                ours.score,
                theirs,
                difference,
                divisor=divisor_of(item.case, ours.group, ours.score, item.policy)
                if item.policy is not None
                else None,
                expected=expected,
                settled=settled,
            ),
            *cause_steps(difference),
        ),
    )


def _line(item: Reconciled) -> reconciliations.Reconciliation:
    return reconciliations.Reconciliation(
        settlement_id=item.settlement_id,
        reason=item.difference.reason.value,
        field=item.difference.field,
        ours=item.difference.ours,
        theirs=item.difference.theirs,
        expected_fen=item.expected_fen,
        settled_fen=item.settled_fen,
        our_group=item.our_group,
        their_group=item.their_group,
        our_score=_text(item.our_score),
        their_score=_text(item.their_score),
        steps=tuple(
            reconciliations.StepRow(step.label, step.ours, step.theirs, step.mark.value)
            for step in item.steps
        ),
    )


def _text(number: Decimal | None) -> str:
    return "" if number is None else format(number, "f")
