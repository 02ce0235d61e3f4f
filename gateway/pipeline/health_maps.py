"""The checks of the code maps: what waits for a second person, what runs out, how much is known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dipgate.pipeline.desk import Desk
from dipgate.pipeline.health_facts import Check, Facts, Grade, MapsFact
from dipgate.pipeline.maps_view import running_out
from dipgate.store import Connection, map_coverage, map_proposals
from dipgate.store.map_coverage import FAMILIES, Coverage

DROP = 50
"""A share that falls by more than one part in this many against the month before is looked at."""
ENOUGH = 50
"""Occurrences of a month below which a share says little."""


def maps_fact(desk: Desk, conn: Connection) -> MapsFact:
    """Proposals that wait, rows that run out, and what the newest months cover."""
    return MapsFact(
        map_proposals.waiting(conn),
        tuple((item.day, item.why, item.rows) for item in running_out(desk)),
        map_coverage.coverage(conn),
    )


def maps(facts: Facts) -> Iterator[Check]:
    """Nothing waits for a second person, and no row of the maps runs out unnoticed."""
    found = facts.maps
    if found.proposed:
        yield Check(
            "maps.proposed",
            "待批准的对照",
            Grade.LOOK,
            f"{found.proposed} 条编码对照等第二个人批准",
            "到“编码对照”的“待批准”里决定；提的人自己不能批准",
        )
    if found.running_out:
        day, why, rows = found.running_out[0]
        more = len(found.running_out) - 1
        yield Check(
            "maps.ending",
            "对照失效",
            Grade.LOOK,
            f"{rows} 行对照到 {day:%Y-%m-%d} 失效（{why}）" + (f"，另有 {more} 组" if more else ""),
            "到“编码对照”的“将失效”里看是哪些，提新的对照或导入新表",
        )


def coverage(facts: Facts) -> Iterator[Check]:
    """The share that maps and registry know does not fall from one month to the next."""
    months = list(dict.fromkeys(item.month for item in facts.maps.coverage))
    if not months:
        return
    by_month = {
        month: {item.family: item for item in facts.maps.coverage if item.month == month}
        for month in months
    }
    now = by_month[months[0]]
    said = f"{months[0]}：" + "，".join(
        f"{FAMILIES[item.family]} {item.percent}（{item.codes_known}/{item.codes} 个）"
        for item in sorted(now.values(), key=lambda item: item.share)
        if item.seen
    )
    fallen = _fallen(now, by_month[months[1]]) if len(months) > 1 else []
    if fallen:
        yield Check(
            "coverage",
            "对照覆盖",
            Grade.LOOK,
            f"{said}；{'、'.join(fallen)}比上月低",
            "到“编码对照”和“科室与人员”看是什么新出现的",
        )
    else:
        yield Check("coverage", "对照覆盖", Grade.OK, said)


def _fallen(now: Mapping[str, Coverage], before: Mapping[str, Coverage]) -> list[str]:
    return [
        FAMILIES[family]
        for family, item in now.items()
        if family in before
        and min(item.seen, before[family].seen) >= ENOUGH
        and _fell(item, before[family])
    ]


def _fell(now: Coverage, before: Coverage) -> bool:
    """In whole numbers: a fall of exactly the limit is none."""
    return (before.known * now.seen - now.known * before.seen) * DROP > now.seen * before.seen


def as_json(found: MapsFact) -> dict[str, Any]:
    """The numbers behind the checks, for a monitor."""
    return {
        "proposed": found.proposed,
        "running_out": [
            {"day": day.isoformat(), "why": why, "rows": rows}
            for day, why, rows in found.running_out
        ],
        "coverage": [coverage_json(item) for item in found.coverage],
    }


def coverage_json(item: Coverage) -> dict[str, Any]:
    """One family in one month, for another program."""
    return {
        "month": item.month,
        "family": item.family,
        "seen": item.seen,
        "known": item.known,
        "codes": item.codes,
        "codes_known": item.codes_known,
    }
