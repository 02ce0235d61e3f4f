"""The queue as JSON: everything that the page shows, money in fen, nothing in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dipgate.store.worklist_rows import WorkRow
from dipgate.web.worklists.screen import Screen


def as_json(screen: Screen, rows: Sequence[WorkRow]) -> dict[str, Any]:
    """The page's content. Money in fen; `after` is empty on the last page."""
    return {
        "tabs": [
            {"tab": item.tab.key, "lists": item.lists, "pay_fen": item.pay_fen}
            for item in screen.tabs
        ],
        "due": {"today": screen.due_today, "overdue": screen.overdue} if screen.dated else None,
        "shared": {"rule": screen.shared.rule, "lists": screen.shared.lists}
        if screen.shared
        else None,
        "choices": {select.name: select.options for select in screen.selects},
        "views": [{"id": view.id, "name": view.name, "query": view.query} for view in screen.views],
        "total": screen.part.total,
        "rows": [_row(row) for row in rows],
        "after": screen.part.cursor,
    }


def _row(row: WorkRow) -> dict[str, Any]:
    """One list: names as in the store, money in fen."""
    return {
        "case": row.case_id,
        "grade": row.grade.value,
        "state": row.state,
        "record_no": row.record_no,
        "person": row.person,
        "department": row.department_name,
        "doctor": row.doctor_name,
        "dx_code": row.dx_code,
        "dx_name": row.dx_name,
        "rule": row.rule,
        "problem": row.problem,
        "sentence": row.sentence,
        "errors": row.errors,
        "warnings": row.warnings,
        "not_checked": row.not_checked,
        "waits_for": row.waits_for,
        "pay_fen": row.pay_fen,
        "fee_fen": row.fee_fen,
        "fund_fen": row.fund_fen,
        "gap_fen": row.gap_fen,
        "deadline": row.deadline,
        "updated_at": row.updated_at,
    }
