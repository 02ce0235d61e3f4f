"""What an entry would do, before it is made: lists that change, problems that go, one example."""

from __future__ import annotations

from dataclasses import dataclass

from dipgate.core.errors import RecordError
from dipgate.core.findings import FindingStatus, Severity
from dipgate.core.registry import RegistryEntry
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.judge_stage import Judgement, judge
from dipgate.pipeline.map_stage import map_settlement, settlement_row, stay_of
from dipgate.pipeline.registry_desk import concerned, with_entry
from dipgate.pipeline.registry_stage import kind_of
from dipgate.store import cases, overlays, registries

TRIED = 20
"""Lists that are mapped and judged for the preview; the rest is counted only."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one list, before and after; wards and people of the hospital only."""

    settled: str
    place: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Preview:
    """`lists` wait and are concerned; of them `tried` were tried, nothing was stored."""

    lists: int
    tried: int
    changed: int
    problems_before: int
    problems_after: int
    released: int
    """Of those tried and changed, the lists that were released and go back to the desk."""
    example: Change | None


def preview(desk: Desk, entry: RegistryEntry) -> Preview:
    """Map and judge the first waiting lists with the entry in place; store nothing."""
    with desk.store.read() as conn:
        ids = concerned(conn, desk, entry)
        held = registries.in_force(conn)
        tried = []
        for settlement_id in ids[:TRIED]:
            case = cases.case_by_settlement(conn, settlement_id)
            if case is None:
                continue
            try:
                stay = stay_of(desk, conn, case)
                row = settlement_row(stay, settlement_id)
            except RecordError:
                continue
            tried.append((case, stay, row, overlays.active_for(conn, settlement_id)))
    ahead = with_entry(desk, entry, held)
    changed = before = after = released = done = 0
    example: Change | None = None
    for case, stay, row, corrections in tried:
        try:
            mapped = map_settlement(ahead, stay, row, corrections)
        except RecordError:
            continue
        done += 1
        old = case.settlement_list()
        before += _problems(judge(desk, old))
        after += _problems(judge(ahead, mapped.list))
        if cases.list_hash(mapped.list) == case.list_hash:
            continue
        changed += 1
        released += case.state == "ready"
        if example is None:
            example = next(
                (
                    Change(
                        f"{case.settled_on:%Y-%m-%d}" if case.settled_on else "",
                        desk.forms.place(origin.path),
                        old.get(origin.path),
                        mapped.list.get(origin.path),
                    )
                    for origin in mapped.origins
                    if kind_of(origin.path) == entry.kind
                    and old.get(origin.path) != mapped.list.get(origin.path)
                ),
                None,
            )
    return Preview(len(ids), done, changed, before, after, released, example)


def _problems(judged: Judgement) -> int:
    return sum(
        item.severity in (Severity.ERROR, Severity.WARNING) and item.status is FindingStatus.FOUND
        for item in judged.findings
    )
