"""What a code was called that the catalogue in force does not know any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from dipgate.config.catalogues import list_catalogues
from dipgate.core.reference import CodeTable, Reference
from dipgate.pipeline.desk import Desk

KINDS = {"diag_code": "icd10", "oprn_oprt_code": "icd9cm3", "wm_dise_code": "icd10"}
"""List field → the catalogue its codes come from."""


@dataclass(frozen=True, slots=True)
class Former:
    """A code that is not in the catalogue in force: its last known name, and why it is not."""

    name: str
    why: str


def former(desk: Desk, field: str, code: str, day: date | None) -> Former | None:
    """None for a code that the catalogue of the day knows, or when there is no catalogue.

    Looks at earlier versions (the newest first), then at the clinical edition. A code that was
    never known comes with an empty name.
    """
    kind = KINDS.get(field)
    if kind is None or not code:
        return None
    ref = desk.reference(day)
    table = _table(ref, kind)
    if table is None or code in table:
        return None
    turn = table.first_day
    older = [
        item
        for item in list_catalogues(desk.store.state)
        if item.kind == kind and item.first_day < turn
    ]
    for item in sorted(older, key=lambda found: found.first_day, reverse=True):
        before = _table(desk.references.on(item.first_day), kind)
        name = before.name(code) if before else None
        if name is not None:
            why = f"{turn} 起的 {table.version} 版已没有；{item.version} 版叫“{name}”"
            return Former(name, why)
        turn = item.first_day
    clinical = ref.icd10_map if kind == "icd10" else ref.icd9cm3_map
    entries = clinical.find(code) if clinical else ()
    if entries:
        return Former(entries[0].source_name, f"国临版代码，{table.version} 版没有")
    return Former("", f"{table.version} 版没有这个代码")


def _table(ref: Reference, kind: str) -> CodeTable | None:
    return ref.icd10 if kind == "icd10" else ref.icd9cm3
