"""What the page of code maps shows: the queue, candidates, history, rows that run out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from dipgate.config.catalogues import list_catalogues
from dipgate.core.clock import CHINA
from dipgate.core.reference import MapEntry
from dipgate.pipeline.code_search import barred_as_principal
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.maps_candidates import Candidate, candidates, targets_of
from dipgate.pipeline.maps_desk import map_of, table_of
from dipgate.store import map_proposals, unmapped
from dipgate.store.map_proposals import KINDS, Proposal
from dipgate.store.unmapped import CodeUse, WaitingCode

SOON = timedelta(days=60)
"""Rows that end within this time are listed."""
_NAMED = 20
"""Codes that a group of rows running out names."""


@dataclass(frozen=True, slots=True)
class Opened:
    """One waiting code with all that is known about it."""

    item: WaitingCode
    targets: tuple[MapEntry, ...]
    """Rows of the map when it gives several targets: a person has to choose."""
    waiting: tuple[CodeUse, ...]
    sent: tuple[CodeUse, ...]
    candidates: tuple[Candidate, ...]
    past: tuple[Proposal, ...]
    """Every proposal there was for the code, oldest first."""


@dataclass(frozen=True, slots=True)
class RunningOut:
    """Rows that stop on one day for one reason: their own last day, or the catalogue's change."""

    kind: str
    day: date
    """The first day on which they give nothing any more."""
    why: str
    rows: int
    codes: tuple[tuple[str, str], ...]
    """Some of them: source code, target code."""


def opened(desk: Desk, number: str) -> Opened | None:
    """A waiting code by its id; None when no list waits for it any more."""
    with desk.store.read() as conn:
        item = unmapped.find(conn, number)
        if item is None:
            return None
        uses = unmapped.uses(conn, item.kind, (item.code,))
        past = map_proposals.proposals(conn, kind=item.kind, source_code=item.code)
    rows = targets_of(item.code, map_of(desk.reference(item.last_used), item.kind))
    return Opened(
        item,
        rows if len(rows) > 1 else (),
        tuple(use for use in uses if not use.is_sent),
        tuple(use for use in uses if use.is_sent),
        ideas(desk, item.kind, item.code, item.name, item.last_used),
        past,
    )


def ideas(desk: Desk, kind: str, code: str, name: str, day: date | None) -> tuple[Candidate, ...]:
    """Candidates for a code by the catalogues of a day, the likeliest first."""
    ref = desk.reference(day)
    table = table_of(ref, kind)
    if table is None:
        return ()
    with desk.store.read() as conn:
        chosen = unmapped.chosen_by_coders(conn, kind, code)
    barred = {}
    for barred_code in (ref.not_principal or {}) if kind == "icd10" else ():
        found = barred_as_principal(ref, barred_code)
        if found is not None:
            barred[barred_code] = found.sentence
    return candidates(code, name, table, map_of(ref, kind), chosen, barred)


def running_out(desk: Desk) -> tuple[RunningOut, ...]:
    """Rows in force today that end soon, or whose target the newest catalogue has no more."""
    today = desk.today()
    groups: dict[tuple[str, date, str], list[tuple[str, str]]] = {}
    newest = {
        kind: max(
            (item.first_day for item in list_catalogues(desk.store.state) if item.kind == kind),
            default=today,
        )
        for kind in KINDS
    }
    for kind, day, why, row in _ending(desk, today, newest):
        groups.setdefault((kind, day, why), []).append((row.source_code, row.target_code))
    return tuple(
        RunningOut(kind, day, why, len(codes), tuple(sorted(codes)[:_NAMED]))
        for (kind, day, why), codes in sorted(groups.items(), key=lambda item: item[0][1:])
    )


def _ending(
    desk: Desk, today: date, newest: dict[str, date]
) -> Iterator[tuple[str, date, str, MapEntry]]:
    for kind in KINDS:
        table = map_of(desk.reference(today), kind)
        changes = newest[kind]
        catalogue = table_of(desk.reference(max(today, changes)), kind)
        for rows in () if table is None else table.entries.values():
            for row in rows:
                if not row.target_code:
                    continue
                if row.last_day is not None and row.last_day <= today + SOON:
                    yield kind, row.last_day + timedelta(days=1), "对照写明的停用日期", row
                elif catalogue is not None and row.target_code not in catalogue:
                    why = f"目标不在医保版目录 {catalogue.version} 里"
                    yield kind, max(changes, catalogue.first_day), why, row


def queue_json(desk: Desk, items: Sequence[WaitingCode]) -> list[dict[str, object]]:
    """The queue for a monitor or another program; no patient in it."""
    out: list[dict[str, object]] = []
    for item in items:
        found = ideas(desk, item.kind, item.code, item.name, item.last_used)
        out.append(
            {
                "id": item.id,
                "kind": item.kind,
                "code": item.code,
                "name": item.name,
                "first_seen": item.first_seen.astimezone(CHINA).isoformat(timespec="seconds"),
                "first_used": item.first_used.isoformat() if item.first_used else None,
                "last_used": item.last_used.isoformat() if item.last_used else None,
                "waiting": item.waiting,
                "sent": item.sent,
                "fee_fen": item.fee_fen,
                "candidates": [candidate_json(candidate) for candidate in found[:3]],
            }
        )
    return out


def candidate_json(item: Candidate) -> dict[str, object]:
    """One candidate for another program."""
    return {
        "code": item.code,
        "name": item.name,
        "because": list(item.because),
        "barred": item.barred,
    }


def proposal_json(item: Proposal) -> dict[str, object]:
    """One row with its history for another program."""
    wanted = item.wanted
    return {
        "number": item.id,
        "state": item.state,
        "kind": wanted.kind,
        "source_code": wanted.source_code,
        "source_name": wanted.source_name,
        "target_code": wanted.target_code,
        "target_name": wanted.target_name,
        "first_day": wanted.first_day.isoformat() if wanted.first_day else None,
        "last_day": wanted.last_day.isoformat() if wanted.last_day else None,
        "reason": item.reason,
        "author": item.author,
        "made_at": item.made_at.astimezone(CHINA).isoformat(timespec="seconds"),
        "decided_by": item.decided_by or None,
        "decision": item.decision,
        "ended_by": item.ended_by or None,
        "ending": item.ending,
    }


def export_rows(proposals: Sequence[Proposal]) -> list[tuple[str, ...]]:
    """The approved rows under the headings that the import of a map takes, heading first."""
    rows: list[tuple[str, ...]] = [
        ("临床版代码", "临床版名称", "医保版代码", "医保版名称", "启用日期", "停用日期")
    ]
    for item in proposals:
        wanted = item.wanted
        rows.append(
            (
                wanted.source_code,
                wanted.source_name,
                wanted.target_code,
                wanted.target_name,
                wanted.first_day.isoformat() if wanted.first_day else "",
                wanted.last_day.isoformat() if wanted.last_day else "",
            )
        )
    return rows
