"""One list as the queue shows it: every cell in words, nothing left to the template to decide."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from dipgate.core.clock import CHINA
from dipgate.core.worklist import CODER, Grade
from dipgate.store.worklist_rows import WorkRow
from dipgate.web.filters import MINUS, change, yuan
from dipgate.web.worklists.tabs import EDGES, SIGNS

NO_DEADLINE = "未配置"
NO_MONEY = "—"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table."""

    id: str
    grade: str
    sign: str
    edge: str
    record: str
    person: str
    ward: str
    code: str
    name: str
    problem: str
    others: str
    sentence: str
    who: str
    waits: bool
    """Somebody else acts next: the name is dimmed."""
    pay: str
    gap: str
    loss: bool
    left: str
    urgent: bool
    releasable: bool


@dataclass(frozen=True, slots=True)
class Lines:
    """Rows at one moment. `dated`: the site has deadlines."""

    now: datetime
    dated: bool

    def all(self, rows: Iterable[WorkRow]) -> list[Line]:
        return [self.line(row) for row in rows]

    def line(self, row: WorkRow) -> Line:
        grade = row.grade
        left, urgent = self.left(row.deadline, open_=grade not in (Grade.DONE, Grade.GONE))
        gap = change(row.gap_fen) or NO_MONEY
        more = row.errors + row.warnings - 1
        return Line(
            id=row.case_id,
            grade=grade.word,
            sign=SIGNS[grade],
            edge=EDGES.get(grade, ""),
            record=row.record_no,
            person=row.person,
            ward=row.department_name,
            code=row.dx_code,
            name=row.dx_name,
            problem=row.problem,
            others=f"另 {more} 处" if row.rule and more > 0 else "",
            sentence=self._sentence(row),
            who=row.waits_for,
            waits=bool(row.waits_for) and row.waits_for != CODER,
            pay=yuan(row.pay_fen) or NO_MONEY,
            gap=gap,
            loss=gap.startswith(MINUS),
            left=left,
            urgent=urgent,
            releasable=grade in (Grade.CLEAN, Grade.LOOK),
        )

    def left(self, deadline: date | None, *, open_: bool = True) -> tuple[str, bool]:
        """How long until the end of the deadline's day, and whether it is less than a day."""
        if not self.dated:
            return NO_DEADLINE, False
        if deadline is None:
            return "缺结算日期", False
        if not open_:
            return deadline.isoformat(), False
        end = datetime.combine(deadline, time(0), CHINA) + _DAY
        rest = end - self.now
        if rest <= timedelta(0):
            days = (self.now.astimezone(CHINA).date() - deadline).days
            return f"已过 {days} 天", True
        hours, seconds = divmod(rest.seconds, 3600)
        if rest.days:
            return f"{rest.days} 天 {hours} 小时", False
        return f"{hours} 小时 {seconds // 60} 分", True

    @staticmethod
    def _sentence(row: WorkRow) -> str:
        if row.grade is Grade.CLEAN:
            text = "没有错误，也没有要看的，可以放行。"
        else:
            text = row.sentence
        if row.not_checked and row.grade not in (Grade.DONE, Grade.GONE):
            text += f"另有 {row.not_checked} 条规则缺少材料，没有查。"
        return text
