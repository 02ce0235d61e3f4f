"""How much of the newest months the maps and the registry know: by occurrences, and by codes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from dipgate.store.desk_tables import code_lists
from dipgate.store.registry_tables import registry_items
from dipgate.store.tables import cases
from dipgate.store.tables import unmapped as unmapped_table
from dipgate.store.unmapped import SENT, WAITING

FAMILIES = {"icd10": "诊断", "icd9cm3": "手术操作", "department": "科室", "staff": "人员"}
"""family → what a user reads."""
_COUNTED = (*WAITING, *SENT)


@dataclass(frozen=True, slots=True)
class Coverage:
    """One family in one month; a list counts each code once, and its wards or people once.

    The distinct wards and people are those of discharge and attending doctor, and the unknown.
    """

    month: str
    family: str
    seen: int
    known: int
    codes: int
    codes_known: int

    @property
    def share(self) -> float:
        """Known occurrences, 0 to 1; 1 when nothing was seen."""
        return self.known / self.seen if self.seen else 1.0

    @property
    def percent(self) -> str:
        """Rounded down: 100 % is said of nothing that lacks one."""
        return f"{int(self.share * 1000) / 10:.1f}%"


def coverage(conn: Connection, *, months: int = 3) -> tuple[Coverage, ...]:
    """The newest months that have lists, newest first, four families each."""
    newest = conn.execute(
        select(cases.c.month)
        .where(cases.c.month != "", cases.c.state.in_(_COUNTED))
        .distinct()
        .order_by(cases.c.month.desc())
        .limit(months)
    ).scalars()
    return tuple(item for month in newest.all() for item in _month(conn, month))


def _month(conn: Connection, month: str) -> list[Coverage]:
    of_month = (cases.c.month == month, cases.c.state.in_(_COUNTED))
    rows = conn.execute(
        select(code_lists.c.codes).join(cases, cases.c.id == code_lists.c.case_id).where(*of_month)
    ).scalars()
    codes = [code for text in rows for code in text.split("\n") if code]
    found = []
    for kind in ("icd10", "icd9cm3"):
        head = f"{kind} "
        held = [code[len(head) :] for code in codes if code.startswith(head)]
        missing = conn.execute(
            select(unmapped_table.c.code, func.count())
            .join(cases, cases.c.settlement_id == unmapped_table.c.settlement_id)
            .where(unmapped_table.c.kind == kind, *of_month)
            .group_by(unmapped_table.c.code)
        )
        lacking = {str(code): int(number) for code, number in missing}
        found.append(_coverage(month, kind, len(held), sum(lacking.values()), held, lacking))
    for kind, column in (("department", cases.c.department), ("staff", cases.c.doctor)):
        counted = conn.execute(select(column, func.count()).where(*of_month).group_by(column)).all()
        named = [str(code) for code, _ in counted if code]
        items = registry_items.join(cases, cases.c.settlement_id == registry_items.c.settlement_id)
        where = (registry_items.c.kind == kind, *of_month)
        lists = conn.execute(
            select(func.count(registry_items.c.settlement_id.distinct()))
            .select_from(items)
            .where(*where)
        ).scalar_one()
        unknown = conn.execute(
            select(registry_items.c.local_code).select_from(items).where(*where).distinct()
        ).scalars()
        lacking_codes = [str(code) for code in unknown]
        seen = sum(int(number) for _, number in counted)
        found.append(
            _coverage(month, kind, seen, int(lists), [*named, *lacking_codes], lacking_codes)
        )
    return found


def _coverage(
    month: str, family: str, seen: int, lacking: int, codes: Sequence[str], unknown: Iterable[str]
) -> Coverage:
    every = frozenset(codes)
    missing = every.intersection(unknown)
    known = max(0, seen - lacking)
    return Coverage(month, family, seen, known, len(every), len(every) - len(missing))
