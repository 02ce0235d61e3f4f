"""Alternatives of one list with group, money and findings; kept in the audit; taken with a reason.

Whoever judges (the desk, or a command with a policy of its own) brings `judge`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from dipgate.core.errors import RecordError
from dipgate.core.evidence import EvidenceTables
from dipgate.core.findings import FindingStatus
from dipgate.core.lists import SettlementList
from dipgate.core.progress import Progress, silent
from dipgate.core.reference import Reference
from dipgate.mapping import changed
from dipgate.pipeline import edits, simulations
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.judge_stage import judge
from dipgate.pipeline.typed import day_of
from dipgate.pregrouper import alternatives as pure
from dipgate.pregrouper.alternatives import Alternatives, Change, Option, Worked
from dipgate.pregrouper.evidence import billed_not_listed, record_of
from dipgate.store import Connection, cases

Judge = Callable[[SettlementList], Worked]


@dataclass(frozen=True, slots=True)
class Bench:
    """What alternatives of a list are worked out with."""

    judge: Judge
    tables: EvidenceTables
    ref: Reference
    day: date


def alternatives(bench: Bench, lst: SettlementList, progress: Progress = silent) -> Alternatives:
    """Every other principal diagnosis and operation of the list, and sensible pairs of them."""
    record = record_of(lst, bench.tables, bench.ref, bench.day)
    was = bench.judge(lst)
    singles = pure.single_changes(lst)
    tried, options = singles[: pure.MOST], list[Option]()

    def try_(change: Change) -> None:
        after = _after(lst, change)
        options.append(pure.option_of(record, change, after, was, bench.judge(after)))
        progress(len(options), None)

    for change in tried:
        try_(change)
    for change in pure.joint_changes(record, [item for item in options if not item.locked]):
        try_(change)
    return Alternatives(
        present=pure.present_of(record, was),
        options=pure.in_order(options),
        billed=billed_not_listed(record),
        left_out=len(singles) - len(tried),
    )


def bench_of(desk: Desk, lst: SettlementList) -> Bench:
    """The desk's own rules, catalogues, policy and tables, as of the list's day."""
    day = day_of(lst) or desk.today()
    return Bench(lambda each: worked(desk, each), desk.evidence(), desk.reference(day), day)


def worked(desk: Desk, lst: SettlementList) -> Worked:
    made = judge(desk, lst)
    found = tuple(item for item in made.findings if item.status is FindingStatus.FOUND)
    return Worked(made.group, made.score, found)


def simulate(desk: Desk, case: cases.CaseRow, *, actor: str) -> Alternatives:
    """Alternatives of a case of the desk. That they were looked at is kept in the audit."""
    lst = case.settlement_list()
    found = alternatives(bench_of(desk, lst), lst)
    note = simulations.of_alternatives(found)
    desk.store.write(
        lambda conn: simulations.keep(conn, desk.clock.now(), actor, f"case:{case.id}", note)
    )
    return found


def take(
    desk: Desk, settlement_id: str, key: str, *, revision: int, reason: str, author: str
) -> Option:
    """Make an alternative real: ordinary corrections, with the reason of whoever takes it.

    The option as it was taken. What the record does not support is refused here too, whatever the
    page or command showed.
    Raises StaleList for another revision, RecordError for anything else that cannot be done.
    """
    with desk.store.read() as conn:
        case = _known(conn, settlement_id)
    if case.revision != revision:
        raise edits.StaleList(case)
    lst = case.settlement_list()
    option = alternatives(bench_of(desk, lst), lst).find(key)
    if option is None:
        raise RecordError("清单上没有这个选择", remedy="刷新后再看")
    if option.locked:
        raise RecordError(f"病历不支持：{option.reasons[0]}", remedy="请问临床，有依据再改")
    edits.correct_all(
        desk, settlement_id, option.fixes, revision=revision, reason=reason, author=author
    )
    return option


def _known(conn: Connection, settlement_id: str) -> cases.CaseRow:
    case = cases.case_by_settlement(conn, settlement_id)
    if case is None:
        raise RecordError("没有这份清单", remedy="刷新后再试")
    return case


def _after(lst: SettlementList, change: Change) -> SettlementList:
    for fix in pure.fixes_of(lst, change):
        lst = changed(lst, fix.op, fix.path, fix.value)
    return lst
