"""The scripted coder: works the queue with the functions a person's screen uses.

It sees findings and their mechanical ways out, never what was planted.
"""

from __future__ import annotations

from dataclasses import dataclass

from dipgate.core.errors import RecordError
from dipgate.core.lists import SettlementList
from dipgate.core.progress import Progress, silent
from dipgate.mapping import expectation
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.edits import correct, hold, mechanical_fix, open_errors, release
from dipgate.pipeline.judge_stage import judge
from dipgate.store import cases

AUTHOR = "编码员（脚本）"
MOST_EDITS = 20
"""Corrections on one list before the coder gives it to a person."""


@dataclass
class CoderReport:
    """How the queue was worked: every list that had errors is fixed or held."""

    with_errors: int = 0
    fixed: int = 0
    held: int = 0
    released: int = 0
    corrections: int = 0


def work_queue(desk: Desk, progress: Progress = silent) -> CoderReport:
    """Fix what can be fixed, release what is clean, hold the rest with its first reason."""
    report = CoderReport()
    after = ""
    while True:
        with desk.store.read() as conn:
            batch = cases.cases_in(conn, states=("checked",), after=after, limit=200)
        if not batch:
            return report
        after = batch[-1].settlement_id
        for case in batch:
            _work_list(desk, case.settlement_id, case.settlement_list(), report)
        progress(report.released + report.held, None)


def _work_list(desk: Desk, settlement_id: str, lst: SettlementList, report: CoderReport) -> None:
    errors = open_errors(judge(desk, lst))
    had_errors = bool(errors)
    report.with_errors += had_errors
    for _ in range(MOST_EDITS):
        fix = next((found for found in map(mechanical_fix, errors) if found is not None), None)
        if fix is None:
            break
        finding = next(item for item in errors if fix in item.fixes)
        try:
            edited = correct(
                desk,
                settlement_id,
                fix,
                expect=expectation(lst, fix.op, fix.path),
                reason=f"按规则 {finding.rule} 的建议更正",
                author=AUTHOR,
            )
        except RecordError:
            break
        report.corrections += 1
        errors, lst = open_errors(edited.judgement), edited.case.settlement_list()
    if errors:
        hold(desk, settlement_id, reason=f"{errors[0].rule} {errors[0].message}", author=AUTHOR)
        report.held += 1
    else:
        release(desk, settlement_id, author=AUTHOR)
        report.released += 1
        report.fixed += had_errors
