"""What a row of a code map would do before it holds: lists, problems, money, three examples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from dipgate.core.errors import RecordError
from dipgate.core.findings import FindingStatus, Severity
from dipgate.core.record import Overlay, RawRow
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.judge_stage import Judgement, judge
from dipgate.pipeline.map_stage import StayRows, map_settlement, settlement_row, stay_of
from dipgate.pipeline.maps_desk import concerned, sent_with, with_row
from dipgate.store import Connection, cases, overlays
from dipgate.store.map_proposals import Wanted

TRIED = 20
"""Lists that are mapped, judged and priced for the preview; the rest is counted only."""
EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Example:
    """One list: where a code changes, its problems and its money before and after."""

    case_id: str
    settlement_id: str
    settled: str
    place: str
    before: str
    after: str
    problems_before: int
    problems_after: int
    money_before: int | None
    money_after: int | None


@dataclass(frozen=True, slots=True)
class Preview:
    """`lists` wait and may change; of them `tried` were tried, nothing was stored. Money in fen."""

    lists: int
    sent: int
    """Lists with the code that left already; they stay as they are."""
    tried: int
    changed: int
    released: int
    """Of those tried and changed, the lists that were released and go back to the desk."""
    gone: tuple[tuple[str, int], ...]
    """Problems that vanish: rule → how many."""
    come: tuple[tuple[str, int], ...]
    priced: int
    """Tried lists that have a price both before and after."""
    money_before: int
    money_after: int
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class _Tried:
    case: cases.CaseRow
    stay: StayRows
    row: RawRow
    corrections: tuple[Overlay, ...]


def preview(desk: Desk, wanted: Wanted) -> Preview:
    """Map, judge and price the first waiting lists with the row in force; store nothing."""
    with desk.store.read() as conn:
        ids = concerned(conn, desk, wanted)
        sent = sent_with(conn, wanted)
        tried = _read(conn, desk, ids[:TRIED])
        ahead = with_row(desk, conn, wanted)
    gone: Counter[str] = Counter()
    come: Counter[str] = Counter()
    done = changed = released = priced = money_before = money_after = 0
    examples: list[Example] = []
    for one in tried:
        try:
            mapped = map_settlement(ahead, one.stay, one.row, one.corrections)
        except RecordError:
            continue
        done += 1
        old = one.case.settlement_list()
        before, after = judge(desk, old), judge(ahead, mapped.list)
        problems, left = _problems(before), _problems(after)
        gone.update(problems - left)
        come.update(left - problems)
        if before.score.amount is not None and after.score.amount is not None:
            priced += 1
            money_before += before.score.amount
            money_after += after.score.amount
        if cases.list_hash(mapped.list) == one.case.list_hash:
            continue
        changed += 1
        released += one.case.state == "ready"
        path = next(
            (
                origin.path
                for origin in mapped.origins
                if mapped.list.get(origin.path) == wanted.target_code
                and old.get(origin.path) != wanted.target_code
            ),
            "",
        )
        if path and len(examples) < EXAMPLES:
            examples.append(
                Example(
                    one.case.id,
                    one.case.settlement_id,
                    f"{one.case.settled_on:%Y-%m-%d}" if one.case.settled_on else "",
                    desk.forms.place(path),
                    old.get(path),
                    mapped.list.get(path),
                    problems.total(),
                    left.total(),
                    before.score.amount,
                    after.score.amount,
                )
            )
    return Preview(
        len(ids),
        sent,
        done,
        changed,
        released,
        tuple(gone.most_common()),
        tuple(come.most_common()),
        priced,
        money_before,
        money_after,
        tuple(examples),
    )


def _read(conn: Connection, desk: Desk, ids: tuple[str, ...]) -> list[_Tried]:
    found = []
    for settlement_id in ids:
        case = cases.case_by_settlement(conn, settlement_id)
        if case is None:
            continue
        try:
            stay = stay_of(desk, conn, case)
            row = settlement_row(stay, settlement_id)
        except RecordError:
            continue
        found.append(_Tried(case, stay, row, overlays.active_for(conn, settlement_id)))
    return found


def _problems(judged: Judgement) -> Counter[str]:
    """Errors and warnings by rule."""
    return Counter(
        item.rule
        for item in judged.findings
        if item.severity in (Severity.ERROR, Severity.WARNING)
        and item.status is FindingStatus.FOUND
    )
