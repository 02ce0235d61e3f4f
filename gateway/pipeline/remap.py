"""Map chosen lists again after a registry or a code map has changed: one act for all that wait.

What left for the platform is never touched; it is named, so that a person can decide about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dipgate.core.errors import RecordError
from dipgate.core.findings import FindingStatus, Severity
from dipgate.core.progress import Progress, silent
from dipgate.core.record import Overlay
from dipgate.mapping import MappedCase
from dipgate.pipeline import contest
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.judge_stage import Judgement, judge, store_judgements
from dipgate.pipeline.map_stage import (
    StayRows,
    map_settlement,
    settlement_row,
    stay_of,
    store_mapped,
)
from dipgate.store import Connection, cases, overlays, unmapped, verdicts

BATCH = 25
"""Lists per transaction: the writing thread is never held longer than a fraction of a second."""
WAITING = ("mapped", "checked", "ready", "held", "rejected")
"""States of a list that has not left, or that the platform did not take."""
SENT = ("queued", "accepted")


@dataclass(frozen=True, slots=True)
class NotRemapped:
    """A waiting list that could not be mapped again; it stays as it was."""

    settlement_id: str
    what: str
    remedy: str


@dataclass
class RemapReport:
    """What became of the lists that were to be mapped again."""

    asked: int = 0
    remapped: int = 0
    changed: int = 0
    """Of those mapped again, the lists whose content is another one now."""
    problems_before: int = 0
    problems_after: int = 0
    """Errors and warnings of the lists mapped again, before and after."""
    conflicts: int = 0
    """Corrections that were not applied, because their field is not what their author saw."""
    sent: list[str] = field(default_factory=list)
    """Settlements left alone because their list is at the platform or on its way."""
    put_away: int = 0
    """Retired, set aside, or not known at all."""
    failed: list[NotRemapped] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A list with all that its mapping is made from, as read in one moment."""

    case: cases.CaseRow
    stay: StayRows
    corrections: tuple[Overlay, ...]
    problems: int


@dataclass(frozen=True, slots=True)
class _Made:
    seen: _Seen
    mapped: MappedCase
    judgement: Judgement


def remap(desk: Desk, settlement_ids: Iterable[str], progress: Progress = silent) -> RemapReport:
    """Map, check, group and price these settlements anew, as far as their lists wait.

    The references of `desk` must hold the new entries already (`Desk.renew`). Held lists stay
    held; a released list that changes goes back to the desk. Running it again changes nothing.
    """
    wanted = sorted(set(settlement_ids))
    report = RemapReport(asked=len(wanted))
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        with desk.store.read() as conn:
            seen = _read(conn, desk, batch, report)
        made = [item for item in (_try(desk, one, report) for one in seen) if item is not None]
        part = _write(desk, made)
        for name in ("remapped", "changed", "problems_before", "problems_after", "conflicts"):
            setattr(report, name, getattr(report, name) + getattr(part, name))
        report.failed += part.failed
        progress(start + len(batch), len(wanted))
    return report


def _read(
    conn: Connection, desk: Desk, batch: Sequence[str], report: RemapReport
) -> tuple[_Seen, ...]:
    seen = []
    contested = contest.among(conn, desk, batch)
    for settlement_id in batch:
        case = cases.case_by_settlement(conn, settlement_id)
        if case is not None and case.state in SENT:
            report.sent.append(settlement_id)
        elif case is None or case.state not in WAITING or settlement_id in contested:
            report.put_away += 1
        else:
            try:
                seen.append(_see(conn, desk, case))
            except RecordError as error:
                report.failed.append(NotRemapped(settlement_id, error.what, error.remedy))
    return tuple(seen)


def _see(conn: Connection, desk: Desk, case: cases.CaseRow) -> _Seen:
    verdict = verdicts.latest(conn, case.id)
    problems = 0
    if verdict is not None and verdict.list_hash == case.list_hash:
        problems = verdict.count(Severity.ERROR) + verdict.count(Severity.WARNING)
    corrections = overlays.active_for(conn, case.settlement_id)
    return _Seen(case, stay_of(desk, conn, case), corrections, problems)


def _try(desk: Desk, seen: _Seen, report: RemapReport) -> _Made | None:
    try:
        return _make(desk, seen)
    except RecordError as error:
        report.failed.append(NotRemapped(seen.case.settlement_id, error.what, error.remedy))
        return None


def _make(desk: Desk, seen: _Seen) -> _Made:
    row = settlement_row(seen.stay, seen.case.settlement_id)
    mapped = map_settlement(desk, seen.stay, row, seen.corrections)
    return _Made(seen, mapped, judge(desk, mapped.list))


def _write(desk: Desk, made: Sequence[_Made]) -> RemapReport:
    """Store one batch; a list that moved on since it was read is made again inside."""

    def save(conn: Connection) -> RemapReport:
        part = RemapReport()
        for one in made:
            try:
                _save(conn, desk, one, part)
            except RecordError as error:
                failed = NotRemapped(one.seen.case.settlement_id, error.what, error.remedy)
                part.failed.append(failed)
        return part

    return desk.store.write(save) if made else RemapReport()


def _save(conn: Connection, desk: Desk, one: _Made, part: RemapReport) -> None:
    case = cases.case_by_settlement(conn, one.seen.case.settlement_id)
    if case is None or case.state not in WAITING:
        return
    if (case, overlays.active_for(conn, case.settlement_id)) != (
        one.seen.case,
        one.seen.corrections,
    ):
        one = _make(desk, _see(conn, desk, case))
    now = desk.clock.now()
    stored, changed = store_mapped(conn, desk, one.mapped, one.seen.stay)
    if changed and case.state == "held":
        cases.set_state(conn, case.id, "held", now=now, hold_reason=case.hold_reason)
        stored = cases.get_case(conn, case.id) or stored
    waiting = [(item.kind, item.code, item.name) for item in one.mapped.unmapped]
    unmapped.replace_for(conn, case.settlement_id, waiting, now)
    store_judgements(conn, [(stored, one.judgement)], now=now)
    part.remapped += 1
    part.changed += changed
    part.conflicts += len(one.mapped.conflicts)
    part.problems_before += one.seen.problems
    part.problems_after += sum(
        item.severity in (Severity.ERROR, Severity.WARNING) and item.status is FindingStatus.FOUND
        for item in one.judgement.findings
    )
