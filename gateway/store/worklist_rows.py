"""Reading the work queue: pages by keyset, counts, what can be filtered by, findings to export.

A filter is applied here, in the query, and nowhere else. Pages are read from an index that is in
the order of the queue, so that the six-hundredth costs what the first does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    false,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
    union_all,
)

from dipgate.core.codes import diagnosis_code, tidy
from dipgate.core.findings import Severity
from dipgate.core.worklist import TO_DO, Grade
from dipgate.store import audit
from dipgate.store.desk_tables import worklist as table
from dipgate.store.desk_tables import worklist_counts
from dipgate.store.tables import cases, findings

audit.register("findings.exported", "导出问题", audit.IDS_ONLY)

SEARCH_LENGTH = 60
_LAST = "\uffff"
_NOT_DONE = tuple(grade.value for grade in Grade if grade not in (Grade.DONE, Grade.GONE))


@dataclass(frozen=True, slots=True)
class WorkRow:
    """One list in the queue. Money in fen; `person` is sex and age, never a name."""

    case_id: str
    settlement_id: str
    grade: Grade
    rank: float
    month: str
    state: str
    department: str
    department_name: str
    doctor: str
    doctor_name: str
    record_no: str
    person: str
    dx_code: str
    dx_name: str
    rule: str
    problem: str
    sentence: str
    errors: int
    warnings: int
    not_checked: int
    waits_for: str
    pay_fen: int | None
    fee_fen: int | None
    fund_fen: int | None
    deadline: date | None
    updated_at: datetime

    @property
    def gap_fen(self) -> int | None:
        """Expected pay less the fund payment that was billed: what the hospital gains or loses."""
        if self.pay_fen is None or self.fund_fen is None:
            return None
        return self.pay_fen - self.fund_fen


@dataclass(frozen=True, slots=True)
class WorkFilter:
    """Which lists. Empty text means any. `search` is a record number, a code, or Chinese words."""

    grades: tuple[Grade, ...] = TO_DO
    department: str = ""
    doctor: str = ""
    rule: str = ""
    state: str = ""
    month: str = ""
    due_by: date | None = None
    search: str = ""

    @property
    def narrows(self) -> bool:
        """Does it ask for more than grades?"""
        return any(
            (
                self.department,
                self.doctor,
                self.rule,
                self.state,
                self.month,
                self.due_by,
                self.search,
            )
        )


@dataclass(frozen=True, slots=True)
class GradeCount:
    """Lists of one grade, and the money expected for them."""

    lists: int = 0
    pay_fen: int = 0


@dataclass(frozen=True, slots=True)
class Choices:
    """What the queue can be filtered by: what there is, in order."""

    departments: tuple[str, ...] = ()
    doctors: tuple[tuple[str, str], ...] = ()
    """Code and name."""
    rules: tuple[str, ...] = ()
    months: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundLine:
    """One finding of a list in the queue, for export."""

    row: WorkRow = field(repr=False)
    rule: str
    severity: Severity
    path: str
    value: str
    message: str
    remedy: str
    clause: str


_NAMES = tuple(WorkRow.__dataclass_fields__)
_COLUMNS = [table.c[name] for name in _NAMES]
_RANK, _CASE, _GRADE = (_NAMES.index(name) for name in ("rank", "case_id", "grade"))


def page(
    conn: Connection,
    wanted: WorkFilter,
    *,
    after: tuple[float, str] | None = None,
    limit: int = 50,
) -> tuple[WorkRow, ...]:
    """Rows in the order of the queue, after the (rank, case id) of the last row of a page."""
    found: list[Row[Any]] = []
    for grade in wanted.grades:
        found += conn.execute(_part(wanted, grade, after, limit)).all()
    if len(wanted.grades) > 1:
        found.sort(key=_place, reverse=True)
    return tuple(_row(row) for row in found[:limit])


def counts(conn: Connection, wanted: WorkFilter) -> dict[Grade, GradeCount]:
    """Lists and money of every grade under the filter, whatever grades it names."""
    out = dict.fromkeys(Grade, GradeCount())
    if wanted.narrows:
        query: Select[Any] = (
            select(table.c.grade, func.count(), func.coalesce(func.sum(table.c.pay_fen), 0))
            .where(*narrowed(wanted))
            .group_by(table.c.grade)
        )
    else:
        query = select(worklist_counts)
    for grade, lists, pay in conn.execute(query):
        out[Grade(grade)] = GradeCount(int(lists), int(pay))
    return out


def to_do(conn: Connection) -> int:
    """How many lists somebody has to do something about."""
    return sum(count.lists for grade, count in counts(conn, WorkFilter()).items() if grade in TO_DO)


def overdue(conn: Connection, today: date) -> int:
    """How many lists that have not been released were due before today."""
    query = select(func.count()).where(table.c.grade.in_(_NOT_DONE), table.c.deadline < today)
    return int(conn.execute(query).scalar_one())


def due_on(conn: Connection, day: date) -> int:
    """How many lists that have not been released are due on a day."""
    query = select(func.count()).where(table.c.grade.in_(_NOT_DONE), table.c.deadline == day)
    return int(conn.execute(query).scalar_one())


def find(conn: Connection, case_id: str) -> WorkRow | None:
    """One row, or None."""
    row = conn.execute(select(*_COLUMNS).where(table.c.case_id == case_id)).first()
    return None if row is None else _row(row)


def commonest_rule(conn: Connection, grade: Grade) -> tuple[str, int, str]:
    """The first problem that most lists of a grade share: rule, lists, one of the sentences."""
    query = (
        select(table.c.rule, func.count().label("lists"))
        .where(table.c.grade == grade.value, table.c.rule != "")
        .group_by(table.c.rule)
        .order_by(text("lists DESC"), table.c.rule)
        .limit(1)
    )
    row = conn.execute(query).first()
    if row is None:
        return ("", 0, "")
    one = select(table.c.problem).where(table.c.grade == grade.value, table.c.rule == row[0])
    return (row[0], int(row[1]), str(conn.execute(one.limit(1)).scalar()))


def choices(conn: Connection) -> Choices:
    """The values that stand in the queue now; each read by skipping through an index."""
    doctors = _distinct(conn, "worklist", "doctor")
    names = dict(
        conn.execute(
            text(
                "SELECT value, (SELECT doctor_name FROM worklist WHERE doctor = value LIMIT 1)"
                " FROM json_each(:doctors)"
            ),
            {"doctors": msgspec.json.encode(doctors).decode()},
        )
        .tuples()
        .all()
    )
    return Choices(
        departments=_distinct(conn, "worklist", "department"),
        doctors=tuple((code, names.get(code) or code) for code in doctors),
        rules=_distinct(conn, "findings", "rule"),
        months=tuple(reversed(_distinct(conn, "worklist", "month"))),
    )


def count_findings(conn: Connection, wanted: WorkFilter) -> int:
    """How many findings `found_lines` would give."""
    query = select(func.count()).select_from(
        findings.join(table, table.c.case_id == findings.c.case_id)
    )
    return int(conn.execute(query.where(*_found_where(wanted))).scalar_one())


def found_lines(conn: Connection, wanted: WorkFilter) -> Iterator[FoundLine]:
    """Errors and warnings of the lists under the filter: by department, gravest lists first."""
    found = findings
    query = (
        select(
            *_COLUMNS,
            found.c.rule.label("found_rule"),
            found.c.severity,
            found.c.field,
            found.c.value,
            found.c.message,
            found.c.remedy,
            found.c.clause,
        )
        .join(found, found.c.case_id == table.c.case_id)
        .where(*_found_where(wanted))
        .order_by(
            table.c.department,
            table.c.rank.desc(),
            table.c.case_id,
            found.c.severity.desc(),
            found.c.id,
        )
    )
    many = len(_COLUMNS)
    for row in conn.execute(query.execution_options(yield_per=500)):
        yield FoundLine(
            _row(row[:many]),
            row[many],
            Severity(row[many + 1]),
            *row[many + 2 :],
        )


def _place(row: Row[Any]) -> tuple[float, str]:
    return (row[_RANK], row[_CASE])


def _part(
    wanted: WorkFilter, grade: Grade, after: tuple[float, str] | None, limit: int
) -> Select[Any]:
    query = select(*_COLUMNS).where(table.c.grade == grade.value, *narrowed(wanted))
    if after is not None:
        query = query.where(
            tuple_(table.c.rank, table.c.case_id) < tuple_(literal(after[0]), literal(after[1]))
        )
    return query.order_by(table.c.rank.desc(), table.c.case_id.desc()).limit(limit)


def narrowed(wanted: WorkFilter) -> list[ColumnElement[bool]]:
    """The conditions of a filter, all but its grades."""
    found: list[ColumnElement[bool]] = []
    for column, value in (
        (table.c.department, wanted.department),
        (table.c.doctor, wanted.doctor),
        (table.c.state, wanted.state),
        (table.c.month, wanted.month),
    ):
        if value:
            found.append(column == value)
    if wanted.due_by is not None:
        found.append(table.c.deadline <= wanted.due_by)
    if wanted.rule:
        found.append(_has_rule(wanted.rule))
    if wanted.search:
        found.append(_matches(wanted.search))
    return found


def _found_where(wanted: WorkFilter) -> list[ColumnElement[bool]]:
    grades = [grade.value for grade in wanted.grades]
    where = [
        *narrowed(wanted),
        table.c.grade.in_(grades),
        findings.c.severity >= int(Severity.WARNING),
    ]
    return [*where, findings.c.rule == wanted.rule] if wanted.rule else where


def _has_rule(rule: str) -> ColumnElement[bool]:
    having = select(findings.c.case_id).where(
        findings.c.rule == rule, findings.c.severity >= int(Severity.WARNING)
    )
    return table.c.case_id.in_(having)


def _matches(search: str) -> ColumnElement[bool]:
    """Record number or diagnosis code by their beginning, settlement or rule exactly; or words."""
    plain = tidy(search)[:SEARCH_LENGTH]
    if not plain:
        return false()
    if not plain.isascii():
        like = f"%{_escaped(plain)}%"
        return or_(
            *(
                column.like(like, escape="\\")
                for column in (table.c.dx_name, table.c.problem, table.c.department_name)
            )
        )
    upper = plain.upper()
    beginnings = [
        select(table.c.case_id).where(table.c.record_no >= text_, table.c.record_no < text_ + _LAST)
        for text_ in dict.fromkeys((plain, upper))
    ]
    code = diagnosis_code(plain)
    return table.c.case_id.in_(
        union_all(
            *beginnings,
            select(table.c.case_id).where(table.c.dx_code >= code, table.c.dx_code < code + _LAST),
            select(cases.c.id).where(cases.c.settlement_id == plain),
            select(findings.c.case_id).where(findings.c.rule == upper),
        )
    )


def _escaped(words: str) -> str:
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _distinct(conn: Connection, name: str, column: str) -> tuple[str, ...]:
    """Different values of an index's first column, without reading every row."""
    found = conn.exec_driver_sql(
        f"WITH RECURSIVE one(v) AS (SELECT min({column}) FROM {name} UNION ALL"  # noqa: S608
        f" SELECT (SELECT min({column}) FROM {name} WHERE {column} > one.v) FROM one"
        " WHERE one.v IS NOT NULL) SELECT v FROM one WHERE v IS NOT NULL AND v <> ''"
    )
    return tuple(found.scalars())


def _row(row: Row[Any] | Sequence[Any]) -> WorkRow:
    values = list(row)
    values[_GRADE] = Grade(values[_GRADE])
    return WorkRow(*values)
