"""Verdicts: what the rules said about one list, keyed by list hash and rule version."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    Row,
    Subquery,
    bindparam,
    delete,
    func,
    insert,
    select,
    tuple_,
)

from dipgate.core.findings import Finding, FindingStatus, Severity
from dipgate.store.tables import cases
from dipgate.store.tables import findings as finding_table
from dipgate.store.tables import verdicts as table

_CHUNK = 200
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(tuple[Finding, ...])


@dataclass(frozen=True, slots=True)
class Verdict:
    """Everything the rules said about one list, *not checked* included."""

    case_id: str
    list_hash: str
    pack_version: str
    findings: tuple[Finding, ...]
    judged_at: datetime

    def count(self, severity: Severity) -> int:
        """How many findings of one severity were found."""
        return sum(
            1
            for finding in self.findings
            if finding.severity is severity and finding.status is FindingStatus.FOUND
        )

    @property
    def errors(self) -> int:
        return self.count(Severity.ERROR)


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One finding of the latest verdict of a case, for lists and filters."""

    id: int
    case_id: str
    list_hash: str
    rule: str
    severity: Severity
    field: str
    value: str
    message: str
    remedy: str
    clause: str


_DROP = delete(table).where(
    table.c.case_id == bindparam("case"),
    table.c.list_hash == bindparam("list"),
    table.c.pack_version == bindparam("pack"),
)
_INSERT = insert(table)
_DROP_FINDINGS = delete(finding_table).where(finding_table.c.case_id == bindparam("case"))
_INSERT_FINDING = insert(finding_table)


def put_verdicts(conn: Connection, batch: Sequence[Verdict]) -> None:
    """Store verdicts; of each case the findings of the last one given are what filters see.

    Storing the same key again replaces it, so a stage may be run again after a crash.
    """
    for start in range(0, len(batch), _CHUNK):
        _put(conn, batch[start : start + _CHUNK])


def verdict_for(
    conn: Connection, case_id: str, list_hash: str, pack_version: str
) -> Verdict | None:
    """The verdict under one key, or None: then the list must be checked."""
    row = conn.execute(
        select(table).where(
            table.c.case_id == case_id,
            table.c.list_hash == list_hash,
            table.c.pack_version == pack_version,
        )
    ).first()
    return None if row is None else _verdict(row)


def latest(conn: Connection, case_id: str) -> Verdict | None:
    """The verdict stored last for a case, or None."""
    row = conn.execute(
        select(table).where(table.c.case_id == case_id).order_by(table.c.id.desc()).limit(1)
    ).first()
    return None if row is None else _verdict(row)


def known_keys(
    conn: Connection, keys: Iterable[tuple[str, str, str]]
) -> frozenset[tuple[str, str, str]]:
    """Of (case id, list hash, pack version) keys, those that have a verdict already."""
    wanted = list(keys)
    found: set[tuple[str, str, str]] = set()
    columns = (table.c.case_id, table.c.list_hash, table.c.pack_version)
    for start in range(0, len(wanted), _CHUNK):
        query = select(*columns).where(tuple_(*columns).in_(wanted[start : start + _CHUNK]))
        found.update((row[0], row[1], row[2]) for row in conn.execute(query))
    return frozenset(found)


def clean_settlements(conn: Connection) -> tuple[str, ...]:
    """Settlements of checked cases whose present list was judged last without an error."""
    newest = _newest()
    query = (
        select(cases.c.settlement_id)
        .join(newest, newest.c.case_id == cases.c.id)
        .join(table, table.c.id == newest.c.id)
        .where(
            cases.c.state == "checked",
            table.c.list_hash == cases.c.list_hash,
            table.c.errors == 0,
        )
        .order_by(cases.c.settlement_id)
    )
    return tuple(conn.execute(query).scalars())


def cases_found_before(conn: Connection, rules: Iterable[str], moment: datetime) -> frozenset[str]:
    """Cases whose newest verdict was made before a moment and found one of these rules broken."""
    newest = _newest()
    query = (
        select(table.c.case_id)
        .join(newest, newest.c.id == table.c.id)
        .join(finding_table, finding_table.c.case_id == table.c.case_id)
        .where(finding_table.c.rule.in_(sorted(rules)), table.c.judged_at < moment)
    )
    return frozenset(conn.execute(query).scalars())


def findings_in(
    conn: Connection,
    *,
    case_id: str | None = None,
    rule: str | None = None,
    severity: Severity | None = None,
    month: str | None = None,
    after: int = 0,
    limit: int = 500,
) -> tuple[FindingRow, ...]:
    """Findings in order of number, after one number; of a case, rule, severity or month."""
    found = finding_table
    query = select(found).where(found.c.id > after).order_by(found.c.id).limit(limit)
    if case_id is not None:
        query = query.where(found.c.case_id == case_id)
    if rule is not None:
        query = query.where(found.c.rule == rule)
    if severity is not None:
        query = query.where(found.c.severity == int(severity))
    if month is not None:
        query = query.join(cases, cases.c.id == found.c.case_id).where(cases.c.month == month)
    rows = []
    for row in conn.execute(query):
        values = dict(row._mapping)
        values["severity"] = Severity(values["severity"])
        rows.append(FindingRow(**values))
    return tuple(rows)


def _newest() -> Subquery:
    return (
        select(func.max(table.c.id).label("id"), table.c.case_id)
        .group_by(table.c.case_id)
        .subquery()
    )


def _put(conn: Connection, batch: Sequence[Verdict]) -> None:
    newest = {verdict.case_id: verdict for verdict in batch}
    keyed = {(item.case_id, item.list_hash, item.pack_version): item for item in batch}
    conn.execute(
        _DROP, [{"case": case, "list": hash_, "pack": pack} for case, hash_, pack in keyed]
    )
    conn.execute(_INSERT, [values_of(verdict) for verdict in keyed.values()])
    conn.execute(_DROP_FINDINGS, [{"case": case} for case in newest])
    rows = [row for verdict in newest.values() for row in found_rows(verdict)]
    if rows:
        conn.execute(_INSERT_FINDING, rows)


def values_of(verdict: Verdict) -> dict[str, Any]:
    """A verdict as its table takes it."""
    found = [item.severity for item in verdict.findings if item.status is FindingStatus.FOUND]
    return {
        "case_id": verdict.case_id,
        "list_hash": verdict.list_hash,
        "pack_version": verdict.pack_version,
        "errors": found.count(Severity.ERROR),
        "warnings": found.count(Severity.WARNING),
        "hints": found.count(Severity.HINT),
        "not_checked": len(verdict.findings) - len(found),
        "findings": _ENCODER.encode(verdict.findings),
        "judged_at": verdict.judged_at,
    }


def found_rows(verdict: Verdict) -> list[dict[str, Any]]:
    """What was found, as the table of findings takes it."""
    return [
        _finding_values(verdict, finding)
        for finding in verdict.findings
        if finding.status is FindingStatus.FOUND
    ]


def _finding_values(verdict: Verdict, finding: Finding) -> dict[str, Any]:
    return {
        "case_id": verdict.case_id,
        "list_hash": verdict.list_hash,
        "rule": finding.rule,
        "severity": int(finding.severity),
        "field": finding.field,
        "value": finding.value,
        "message": finding.message,
        "remedy": finding.remedy,
        "clause": finding.clause,
    }


def _verdict(row: Row[Any]) -> Verdict:
    return Verdict(
        row.case_id,
        row.list_hash,
        row.pack_version,
        _DECODER.decode(row.findings),
        row.judged_at,
    )
