"""What the page of wards and people shows, without a word about a patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dipgate.core.clock import CHINA
from dipgate.core.codes import tidy
from dipgate.core.registry import DESK, KINDS, ROLES, RegistryEntry
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.registry_candidates import Candidate
from dipgate.pipeline.registry_desk import ideas, uses_of
from dipgate.pipeline.registry_stage import WHY
from dipgate.store import registries, registry_items
from dipgate.store.registries import DeskEntry
from dipgate.store.registry_items import Item, Use, item_id

MOST_ROWS = 200
"""Rows of the registry shown at once; a word in the search box narrows them."""


@dataclass(frozen=True, slots=True)
class BookRow:
    """One entry of the registry with where it comes from; `id` opens it in the form."""

    id: str
    entry: RegistryEntry
    source: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """One item with all that is known about it."""

    item: Item
    why: str
    waiting: tuple[Use, ...]
    sent: tuple[Use, ...]
    candidates: tuple[Candidate, ...]


def word_of(kind: str, role: str) -> str:
    """What an item or entry is, in words."""
    return ROLES.get(role, KINDS[kind]) if role else KINDS[kind]


def opened(desk: Desk, number: str) -> Opened | None:
    """An item by its id; None when it is no item any more."""
    with desk.store.read() as conn:
        item = registry_items.find(conn, number)
        if item is None:
            return None
        waiting, sent = uses_of(conn, item)
    return Opened(item, WHY[item.why], waiting, sent, ideas(desk, item))


def book(desk: Desk, *, kind: str = "", typed: str = "") -> tuple[tuple[BookRow, ...], int]:
    """Entries of the registry whose code or name holds the text; (the first of them, all)."""
    wanted = tidy(typed).lower()
    today = desk.today()
    with desk.store.read() as conn:
        made = {item.id: item for item in registries.entries(conn, states=("active",))}
    found = [
        entry
        for name in KINDS
        if kind in ("", name)
        for entry in desk.references.registry(name)
        if not wanted
        or any(
            wanted in text.lower()
            for text in (entry.local_code, entry.local_name, entry.national_code, entry.department)
        )
    ]
    found.sort(key=lambda item: (item.kind, not item.is_desk, item.local_code))
    rows = tuple(
        BookRow(id_of(entry), entry, _source(entry, made), entry.holds(today))
        for entry in found[:MOST_ROWS]
    )
    return rows, len(found)


def entry_with(desk: Desk, number: str) -> RegistryEntry | None:
    """The newest entry that the id of a `BookRow` names, or None."""
    entries = [entry for kind in KINDS for entry in desk.references.registry(kind)]
    return next((entry for entry in reversed(entries) if id_of(entry) == number), None)


def id_of(entry: RegistryEntry) -> str:
    """The same id that an item of this code has."""
    return item_id(entry.kind, entry.key[0], entry.local_code)


def items_json(desk: Desk, items: Sequence[Item]) -> list[dict[str, object]]:
    """Open items for a monitor or another program; no patient in it."""
    out: list[dict[str, object]] = []
    for item in items:
        with desk.store.read() as conn:
            waiting, sent = uses_of(conn, item)
        first = (waiting or sent)[0] if (waiting or sent) else None
        out.append(
            {
                "id": item.id,
                "kind": item.kind,
                "role": item.role,
                "local_code": item.local_code,
                "local_name": item.local_name,
                "why": item.why,
                "first_seen": item.first_seen.astimezone(CHINA).isoformat(timespec="seconds"),
                "first_used": item.first_used.isoformat() if item.first_used else None,
                "last_used": item.last_used.isoformat() if item.last_used else None,
                "file": first.object_name if first else "",
                "row": first.row if first else 0,
                "column": first.column if first else "",
                "waiting": item.waiting,
                "sent": item.sent,
                "fee_fen": item.fee_fen,
            }
        )
    return out


def _source(entry: RegistryEntry, made: dict[int, DeskEntry]) -> str:
    if entry.version != DESK:
        return f"导入 {entry.version} 第{entry.number}行"
    found = made.get(entry.number)
    if found is None:
        return f"登记第{entry.number}号"
    return f"登记第{entry.number}号，{found.decided_by or found.author}：{found.reason}"
