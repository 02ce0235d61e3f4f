"""Counts over the present state of all lists: what is clean, what is broken, what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, Subquery, Table, func, select

from dipgate.core.findings import Severity
from dipgate.store.tables import cases, findings, groupings, verdicts


@dataclass(frozen=True, slots=True)
class RuleCount:
    """One rule, how many lists have it, and one of its messages."""

    rule: str
    severity: str
    lists: int
    message: str


@dataclass(frozen=True, slots=True)
class MoneyCount:
    """Lists by group status and score status, with what they are expected to bring, in fen."""

    groups: Mapping[str, int]
    scores: Mapping[str, int]
    expected_fen: int


def clean_and_broken(conn: Connection) -> tuple[int, int]:
    """How many lists have no error, and how many have, in their latest verdict."""
    newest = _newest(verdicts)
    query = (
        select(verdicts.c.errors > 0, func.count())
        .join(newest, newest.c.id == verdicts.c.id)
        .join(cases, cases.c.id == verdicts.c.case_id)
        .where(cases.c.list_hash == verdicts.c.list_hash, cases.c.state != "retired")
        .group_by(verdicts.c.errors > 0)
    )
    found = {bool(broken): int(number) for broken, number in conn.execute(query)}
    return found.get(False, 0), found.get(True, 0)


def rules_that_hold(conn: Connection, *, limit: int) -> tuple[RuleCount, ...]:
    """The error rules that keep most lists back."""
    number = func.count(findings.c.case_id.distinct())
    query = (
        select(findings.c.rule, number, func.min(findings.c.message))
        .where(findings.c.severity == int(Severity.ERROR))
        .group_by(findings.c.rule)
        .order_by(number.desc(), findings.c.rule)
        .limit(limit)
    )
    return tuple(
        RuleCount(rule, Severity.ERROR.word, int(lists), message)
        for rule, lists, message in conn.execute(query)
    )


def money(conn: Connection) -> MoneyCount:
    """Group and score statuses of the latest results, and the sum of expected money."""
    newest = _newest(groupings)
    base = (
        select(groupings)
        .join(newest, newest.c.id == groupings.c.id)
        .join(cases, cases.c.id == groupings.c.case_id)
        .where(cases.c.state != "retired")
        .subquery()
    )
    by_group = select(base.c.status, func.count()).group_by(base.c.status)
    by_score = select(base.c.score_status, func.count()).group_by(base.c.score_status)
    total = select(func.coalesce(func.sum(base.c.amount_fen), 0))
    return MoneyCount(
        {status: int(number) for status, number in conn.execute(by_group)},
        {status: int(number) for status, number in conn.execute(by_score)},
        int(conn.execute(total).scalar_one()),
    )


def _newest(table: Table) -> Subquery:
    """The row stored last for each case."""
    columns = table.c
    return select(func.max(columns.id).label("id")).group_by(columns.case_id).subquery()
