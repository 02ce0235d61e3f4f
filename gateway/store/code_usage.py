"""How often each code stands in the hospital's own lists: per department, and in all.

Counts are derived from the lists and follow them: a list that changed takes back what it gave
before. Each list counts a code once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Connection, delete, insert, or_, select
from sqlalchemy.dialects.sqlite import insert as upsert

from dipgate.core.codes import diagnosis_code, procedure_code
from dipgate.store.cases import CaseRow
from dipgate.store.desk_tables import code_lists, code_usage
from dipgate.store.tables import cases

HOSPITAL = ""
"""The department under which the sums over all departments stand."""
_REVISION = {"kind": "", "department": "", "code": ""}
"""The row that counts changes: who holds counts in memory sees by it whether they are stale."""
_TCM = ("2", "3")
_MOST = 400
"""Codes of one list that are counted; a list with more is broken."""


class _Diagnosis(msgspec.Struct):
    diag_code: object = ""
    diag_type: object = ""


class _Procedure(msgspec.Struct):
    oprn_oprt_code: object = ""


class _Codes(msgspec.Struct):
    """The part of a list that is counted."""

    diseinfo: list[_Diagnosis] | None = None
    oprninfo: list[_Procedure] | None = None


_DECODER = msgspec.json.Decoder(_Codes)


def note_lists(conn: Connection, lists: Sequence[CaseRow]) -> int:
    """Count the codes of lists that are new or changed since they were counted; how many."""
    held = {
        row.case_id: row
        for row in conn.execute(
            select(code_lists).where(code_lists.c.case_id.in_([case.id for case in lists]))
        )
    }
    changes: Counter[tuple[str, str, str]] = Counter()
    fresh = []
    for case in lists:
        old = held.get(case.id)
        if old is not None and (old.list_hash, old.department) == (case.list_hash, case.department):
            continue
        codes = _codes_of(case.list_json)
        if old is not None:
            changes.subtract(_counted(old.department, old.codes.split("\n")))
        changes.update(_counted(case.department, codes))
        fresh.append(
            {
                "case_id": case.id,
                "list_hash": case.list_hash,
                "department": case.department,
                "codes": "\n".join(codes),
            }
        )
    if not fresh:
        return 0
    ids = [row["case_id"] for row in fresh]
    conn.execute(delete(code_lists).where(code_lists.c.case_id.in_(ids)))
    conn.execute(insert(code_lists), fresh)
    rows = [
        {"kind": kind, "department": department, "code": code, "uses": change}
        for (kind, department, code), change in changes.items()
        if change
    ]
    new = upsert(code_usage)
    add = new.on_conflict_do_update(
        index_elements=["kind", "department", "code"],
        set_={"uses": code_usage.c.uses + new.excluded.uses},
    )
    conn.execute(add, [*rows, {**_REVISION, "uses": 1}])
    return len(fresh)


def note_uncounted(conn: Connection, *, limit: int = 500) -> int:
    """Count the next lists that nobody has counted yet; 0 when all are."""
    columns = [cases.c[name] for name in CaseRow.__dataclass_fields__]
    query = (
        select(*columns)
        .join(code_lists, code_lists.c.case_id == cases.c.id, isouter=True)
        .where(
            or_(
                code_lists.c.case_id.is_(None),
                code_lists.c.list_hash != cases.c.list_hash,
                code_lists.c.department != cases.c.department,
            )
        )
        .limit(limit)
    )
    return note_lists(conn, [CaseRow(*row) for row in conn.execute(query)])


def revision(conn: Connection) -> int:
    """Rises with every change of the counts."""
    found = conn.execute(
        select(code_usage.c.uses).where(
            *(code_usage.c[name] == value for name, value in _REVISION.items())
        )
    ).scalar()
    return int(found or 0)


def uses(conn: Connection, kind: str, department: str = HOSPITAL) -> Mapping[str, int]:
    """code → number of lists of one department that have it; of all by default."""
    query = select(code_usage.c.code, code_usage.c.uses).where(
        code_usage.c.kind == kind, code_usage.c.department == department, code_usage.c.uses > 0
    )
    return {code: int(number) for code, number in conn.execute(query)}


def departments(conn: Connection) -> tuple[str, ...]:
    """National codes of the departments whose lists have been counted."""
    query = (
        select(code_usage.c.department)
        .where(code_usage.c.department != HOSPITAL, code_usage.c.uses > 0)
        .distinct()
        .order_by(code_usage.c.department)
    )
    return tuple(conn.execute(query).scalars())


def _codes_of(list_json: bytes) -> tuple[str, ...]:
    """`icd10 K35.800` and `icd9cm3 47.0100`, each once; none when the list can not be read."""
    try:
        found = _DECODER.decode(list_json)
    except msgspec.DecodeError:
        return ()
    codes = [
        f"icd10 {diagnosis_code(row.diag_code)}"
        for row in found.diseinfo or ()
        if isinstance(row.diag_code, str) and str(row.diag_type) not in _TCM
    ] + [
        f"icd9cm3 {procedure_code(row.oprn_oprt_code)}"
        for row in found.oprninfo or ()
        if isinstance(row.oprn_oprt_code, str)
    ]
    return tuple(dict.fromkeys(code for code in codes[:_MOST] if not code.endswith(" ")))


def _counted(department: str, codes: Sequence[str]) -> Counter[tuple[str, str, str]]:
    """What one list adds: each code to its department and to the hospital."""
    found: Counter[tuple[str, str, str]] = Counter()
    for item in codes:
        kind, _, code = item.partition(" ")
        if code:
            for place in {HOSPITAL, department}:
                found[kind, place, code] += 1
    return found
