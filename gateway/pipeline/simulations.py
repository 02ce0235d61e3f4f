"""What somebody tried on a list without saving it, as rows of the audit: never a silent trial.

A row says which rows of the list were tried and what each came to (group, score, money); texts of
the record are not in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from dipgate.core.findings import Fix
from dipgate.core.grouping import GroupResult, ScoreResult
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.preview import Preview
from dipgate.pregrouper.alternatives import Alternatives
from dipgate.store import Connection, audit, cases

ACT = "case.simulated"
MOST_TEXT = 3_000
"""Characters of results in one row; the rest is counted."""
Detail = Mapping[str, str | int | None]


def of_alternatives(found: Alternatives) -> Detail:
    """Which alternatives were shown, and what each came to."""
    results = [_came_to("now", found.present.group, found.present.score)]
    results += [
        ("locked " if item.locked else "") + _came_to(item.key, item.group, item.score)
        for item in found.options
    ]
    return {
        "what": "alternatives",
        "tried": len(found.options),
        "locked": sum(item.locked for item in found.options),
        "policy": found.present.group.policy,
        "library": found.present.group.library,
        "results": _cut(results),
    }


def of_fields(fixes: Sequence[Fix], tried: Preview) -> Detail:
    """A change of fields that was tried on the strip or compared, and what it came to."""
    return {
        "what": "fields",
        "paths": _cut([f"{fix.op} {fix.path}" for fix in fixes]),
        "results": _cut(
            [
                _came_to("now", tried.before.group, tried.before.score),
                _came_to("then", tried.after.group, tried.after.score),
            ]
        ),
    }


def keep_fields(
    desk: Desk, case: cases.CaseRow, fixes: Sequence[Fix], tried: Preview, *, actor: str
) -> None:
    """A trial of fields on a case of the desk, in a transaction of its own."""
    at, detail = desk.clock.now(), of_fields(fixes, tried)
    desk.store.write(lambda conn: keep(conn, at, actor, f"case:{case.id}", detail))


def keep(conn: Connection, at: datetime, actor: str, object: str, detail: Detail) -> None:
    """One row per trial; the same trial again by the same person, at once, is the same row."""
    last = audit.last(conn, object, ACT)
    if last is not None and last.actor == actor and dict(last.detail) == dict(detail):
        return
    audit.add(conn, at, actor, ACT, object, detail=detail)


def _came_to(what: str, group: GroupResult, score: ScoreResult) -> str:
    points = "-" if score.score is None else format(score.score, "f")
    money = "-" if score.amount is None else str(score.amount)
    return f"{what} {group.status.value} {group.group_code or '-'} {points} {money}"


def _cut(texts: Sequence[str]) -> str:
    text = "; ".join(texts)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}… {len(texts)}"
