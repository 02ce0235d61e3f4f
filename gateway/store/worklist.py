"""The work queue: one row per list, made from case, verdict, group, outbox and open questions.

Triggers mark every list whose sources change; `settle` makes the marked rows again in the same
transaction, before it is committed. Nothing else writes the table, so that no way of working can
leave the queue behind. At start `pipeline.worklist_stage` makes missing rows with `refresh`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import log
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    ScalarSelect,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
)

from dipgate.core.case import Case, case_of
from dipgate.core.exchange import State
from dipgate.core.findings import Severity
from dipgate.core.lists import SettlementList, text_of
from dipgate.core.worklist import BILL_RULE, ListFacts, Standing, standing
from dipgate.store import life
from dipgate.store.desk_tables import questions, worklist_basis, worklist_due
from dipgate.store.desk_tables import worklist as table
from dipgate.store.life_tables import bill_events
from dipgate.store.tables import cases, findings, groupings, outbox, verdicts

FORM = 2
"""Raise it when rows are made in another way: every queue is then made again at start."""
UNFINISHED = 0
"""The form noted while all rows are being made again."""
RANK_DAYS = 3.0
"""So many days nearer to the deadline count as much as e times the money."""
_CHUNK = 400
_LAST_DAY = date.max.toordinal()


class _Part(msgspec.Struct):
    """What a row needs of a list; charges and the rest are skipped unread."""

    setlinfo: dict[str, Any]
    diseinfo: list[dict[str, Any]] | None = None
    payinfo: list[dict[str, Any]] | None = None


_PART = msgspec.json.Decoder(_Part, float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Basis:
    """What all rows were made with."""

    form: int
    upload_days: int | None


def settle(conn: Connection) -> int:
    """Make the rows of all marked lists again; how many. Part of every writing transaction."""
    marked = conn.exec_driver_sql("SELECT case_id FROM worklist_due").scalars().all()
    if not marked:
        return 0
    refresh(conn, marked)
    conn.execute(delete(worklist_due))
    return len(marked)


def refresh(conn: Connection, case_ids: Iterable[str]) -> None:
    """Make the rows of these lists from what is stored now; rows of vanished lists go."""
    wanted = list(dict.fromkeys(case_ids))
    basis = basis_of(conn)
    days = basis.upload_days if basis else None
    for start in range(0, len(wanted), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        found = conn.execute(_FACTS, {"ids": chunk}).all()
        rows = [_values(row, days) for row in found]
        if rows:
            conn.execute(_UPSERT, rows)
        gone = set(chunk).difference(row["case_id"] for row in rows)
        if gone:
            conn.execute(_DROP, {"ids": list(gone)})


def basis_of(conn: Connection) -> Basis | None:
    """What the rows were made with; None before the first start."""
    row = conn.execute(_BASIS).first()
    return None if row is None else Basis(row.form, row.upload_days)


def set_basis(conn: Connection, upload_days: int | None, *, form: int = FORM) -> None:
    """Note what rows are made with from now on; the caller makes all of them again."""
    conn.execute(delete(worklist_basis))
    conn.execute(insert(worklist_basis).values(id=1, form=form, upload_days=upload_days))


def case_ids(
    conn: Connection, *, after: str = "", limit: int, missing: bool = False
) -> Sequence[str]:
    """Ids of lists that belong into the queue, in order; `missing`: only those without a row."""
    query = select(cases.c.id).where(cases.c.id > after)
    if missing:
        query = query.where(~select(table.c.case_id).where(table.c.case_id == cases.c.id).exists())
    return conn.execute(query.order_by(cases.c.id).limit(limit)).scalars().all()


def counts_are_right(conn: Connection) -> bool:
    """Do the counts per grade say what the rows say?"""
    kept = conn.exec_driver_sql("SELECT grade, lists, pay_fen FROM worklist_counts WHERE lists > 0")
    counted = conn.exec_driver_sql(
        "SELECT grade, count(*), coalesce(sum(pay_fen), 0) FROM worklist GROUP BY grade"
    )
    return {tuple(row) for row in kept} == {tuple(row) for row in counted}


def recount(conn: Connection) -> None:
    """Make the counts per grade anew from the rows."""
    conn.exec_driver_sql("DELETE FROM worklist_counts")
    conn.exec_driver_sql(
        "INSERT INTO worklist_counts (grade, lists, pay_fen)"
        " SELECT grade, count(*), coalesce(sum(pay_fen), 0) FROM worklist GROUP BY grade"
    )


def rank_of(money_fen: int | None, deadline: date | None, *, dated: bool) -> float:
    """Larger is more urgent: money against days, the same whatever day it is asked.

    `dated`: this site has deadlines; a list without one then comes after all that have.
    """
    money = log(max(1, money_fen or 0) / 100 + 1)
    if not dated:
        return money
    return money - (deadline.toordinal() if deadline else _LAST_DAY) / RANK_DAYS


def _newest(column: ColumnElement[Any], *where: ColumnElement[bool]) -> ScalarSelect[Any]:
    return select(func.max(column)).where(*where).correlate(cases).scalar_subquery()


def _facts() -> Select[Any]:
    """One row per list with everything a queue row is made of."""
    found = findings
    present = (
        found.c.case_id == cases.c.id,
        found.c.list_hash == cases.c.list_hash,
    )
    first = (
        select(found.c.id)
        .where(*present, found.c.severity >= int(Severity.WARNING))
        .order_by(found.c.severity.desc(), found.c.id)
        .limit(1)
        .correlate(cases)
        .scalar_subquery()
    )
    ours = (
        select(func.count())
        .select_from(found)
        .where(*present, found.c.severity == int(Severity.ERROR), found.c.rule != BILL_RULE)
        .correlate(cases)
        .scalar_subquery()
    )
    asked = (
        select(func.min(questions.c.id))
        .where(
            questions.c.settlement_id == cases.c.settlement_id,
            questions.c.answered_at.is_(None),
        )
        .correlate(cases)
        .scalar_subquery()
    )
    sent = outbox.alias("sent")
    cleared = _newest(
        bill_events.c.sent_revision,
        bill_events.c.settlement_id == cases.c.settlement_id,
        bill_events.c.kind == life.CLEARED,
    )
    return (
        select(
            cases.c.id,
            cases.c.settlement_id,
            cases.c.month,
            cases.c.settled_on,
            cases.c.department,
            cases.c.doctor,
            cases.c.state,
            cases.c.list_json,
            cases.c.fee_fen,
            cases.c.hold_reason,
            cases.c.revision,
            cases.c.updated_at,
            verdicts.c.errors,
            verdicts.c.warnings,
            verdicts.c.not_checked,
            verdicts.c.judged_at,
            groupings.c.amount_fen,
            groupings.c.grouped_at,
            found.c.rule,
            found.c.field,
            found.c.message,
            found.c.remedy,
            found.c.clause,
            ours.label("own_errors"),
            outbox.c.state.label("outbox_state"),
            outbox.c.last_error,
            outbox.c.updated_at.label("outbox_at"),
            questions.c.question,
            questions.c.asked_of,
            questions.c.asked_at,
            sent.c.state.label("sent_state"),
            sent.c.revision.label("sent_revision"),
            cleared.label("cleared_revision"),
        )
        .select_from(cases)
        .outerjoin(
            verdicts,
            (verdicts.c.id == _newest(verdicts.c.id, verdicts.c.case_id == cases.c.id))
            & (verdicts.c.list_hash == cases.c.list_hash),
        )
        .outerjoin(
            groupings,
            (groupings.c.id == _newest(groupings.c.id, groupings.c.case_id == cases.c.id))
            & (groupings.c.list_hash == cases.c.list_hash),
        )
        .outerjoin(found, found.c.id == first)
        .outerjoin(
            outbox,
            outbox.c.id == _newest(outbox.c.id, outbox.c.settlement_id == cases.c.settlement_id),
        )
        .outerjoin(
            sent,
            sent.c.id
            == _newest(
                outbox.c.id,
                outbox.c.settlement_id == cases.c.settlement_id,
                outbox.c.state.not_in(life.GONE),
            ),
        )
        .outerjoin(questions, questions.c.id == asked)
        .where(cases.c.id.in_(bindparam("ids", expanding=True)))
    )


_FACTS = _facts()
_BASIS = select(worklist_basis.c.form, worklist_basis.c.upload_days)
_DROP = delete(table).where(table.c.case_id.in_(bindparam("ids", expanding=True)))
_NAMES = [column.name for column in table.c]
_UPSERT = text(
    f"INSERT INTO worklist ({', '.join(_NAMES)})"  # noqa: S608 - names of our own columns
    f" VALUES ({', '.join(f':{name}' for name in _NAMES)}) ON CONFLICT (case_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _NAMES if name != "case_id")
).bindparams(*(bindparam(column.name, type_=column.type) for column in table.c))


def _values(row: Row[Any], upload_days: int | None) -> dict[str, Any]:
    part = _PART.decode(row.list_json)
    info = part.setlinfo
    case = case_of(
        SettlementList(
            info,
            tuple(part.diseinfo) if part.diseinfo is not None else None,
            payinfo=tuple(part.payinfo) if part.payinfo is not None else None,
        )
    )
    now = _standing(row)
    deadline = _deadline(row.settled_on, upload_days)
    counts = row.state != "retired"
    money = next((m for m in (row.amount_fen, case.fund, row.fee_fen) if m is not None), None)
    moments: list[datetime | None] = [
        row.updated_at,
        row.judged_at,
        row.grouped_at,
        row.outbox_at,
        row.asked_at,
    ]
    ward = text_of(info.get("dscg_dept_name")).strip() or row.department
    doctor = text_of(info.get("chfpdr_name")).strip()
    return {
        "case_id": row.id,
        "settlement_id": row.settlement_id,
        "grade": now.grade.value,
        "rank": rank_of(money, deadline, dated=upload_days is not None),
        "month": row.month,
        "state": row.state,
        "department": ward,
        "department_name": ward,
        "doctor": row.doctor or doctor,
        "doctor_name": doctor or row.doctor,
        "record_no": text_of(info.get("medcasno")).strip() or row.settlement_id,
        "person": _person(case, info),
        "dx_code": case.principal.code if case.principal else "",
        "dx_name": case.principal.name if case.principal else "",
        "rule": now.rule,
        "problem": now.problem,
        "sentence": now.sentence,
        "errors": row.errors or 0,
        "warnings": row.warnings or 0,
        "not_checked": row.not_checked or 0,
        "waits_for": now.waits_for,
        "pay_fen": row.amount_fen if counts else None,
        "fee_fen": row.fee_fen if counts else None,
        "fund_fen": case.fund if counts else None,
        "deadline": deadline,
        "updated_at": max(moment for moment in moments if moment is not None),
    }


def _standing(row: Row[Any]) -> Standing:
    return standing(
        ListFacts(
            state=row.state,
            judged=row.errors is not None,
            errors=row.errors or 0,
            own_errors=row.own_errors,
            warnings=row.warnings or 0,
            rule=row.rule or "",
            field=row.field or "",
            message=row.message or "",
            remedy=row.remedy or "",
            clause=row.clause or "",
            hold_reason=row.hold_reason,
            outbox=State(row.outbox_state) if row.outbox_state else None,
            answer=row.last_error or "",
            asked_of=row.asked_of or "",
            question=row.question or "",
            revision=row.revision,
            sent=State(row.sent_state) if row.sent_state else None,
            sent_revision=row.sent_revision or 0,
            cleared=row.sent_state is not None and (row.cleared_revision or 0) >= row.sent_revision,
        )
    )


def _deadline(settled: date | None, upload_days: int | None) -> date | None:
    if settled is None or upload_days is None:
        return None
    return min(settled, date.max - timedelta(days=upload_days)) + timedelta(days=upload_days)


def _person(case: Case, info: dict[str, Any]) -> str:
    """Sex and age in words, never a name: `女 57`, `男 1 天`."""
    sex = {"1": "男", "2": "女"}.get(case.sex, "性别不详")
    if case.age_days is not None and 0 <= case.age_days and case.age_years == 0:
        return f"{sex} {case.age_days} 天"
    if case.age_years is not None and 0 <= case.age_years <= 150:
        return f"{sex} {case.age_years}"
    stated = text_of(info.get("age")).strip()
    return f"{sex} {stated[:3]}" if stated.isdigit() else f"{sex} 年龄不详"
