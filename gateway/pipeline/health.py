"""Is everything running, and what is to be done: facts → checks, worst first. Pure.

Facts are gathered by `dipgate.pipeline.health_gather`; nothing here asks a clock, a disk or the
store, so every threshold can be tested from both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dipgate.core.durations import duration_words
from dipgate.pipeline import health_maps
from dipgate.pipeline.health_checks import CHECKS
from dipgate.pipeline.health_facts import Check, Facts, Grade

__all__ = [
    "Check",
    "Facts",
    "Grade",
    "as_json",
    "as_text",
    "checks",
    "summary_words",
    "tally",
    "worst",
]


def checks(facts: Facts) -> tuple[Check, ...]:
    """Every check, worst first; among equals the order of the page."""
    found = [check for function in CHECKS for check in function(facts)]
    return tuple(sorted(found, key=lambda check: -check.grade))


def tally(found: Sequence[Check]) -> dict[Grade, int]:
    """How many checks came out how; every grade is there."""
    return {grade: sum(check.grade is grade for check in found) for grade in reversed(Grade)}


def worst(found: Sequence[Check]) -> Grade:
    """The worst grade; OK when nothing was checked."""
    return max((check.grade for check in found), default=Grade.OK)


def summary_words(found: Sequence[Check]) -> str:
    """`9 项正常，3 项注意，1 项故障`; grades without checks are left out, 正常 never."""
    number = tally(found)
    parts = [f"{number[Grade.OK]} 项{Grade.OK.word}"]
    parts += [
        f"{number[grade]} 项{grade.word}" for grade in (Grade.LOOK, Grade.STOP) if number[grade]
    ]
    return "，".join(parts)


def as_text(facts: Facts, found: Sequence[Check]) -> str:
    """The page as plain text, one check a line, for monitors and telephones."""
    head = f"dipgate {facts.version} {worst(found).key} {summary_words(found)}"
    lines = [head]
    for check in found:
        remedy = f" | 怎么办：{check.remedy}" if check.remedy else ""
        lines.append(f"{check.grade.key}\t{check.title}\t{check.sentence}{remedy}")
    return "\n".join(lines) + "\n"


def as_json(facts: Facts, found: Sequence[Check]) -> dict[str, Any]:
    """The page for a monitor: grades, sentences, and the numbers behind them. No personal data."""
    return {
        "status": worst(found).key,
        "at": facts.now.isoformat(timespec="seconds"),
        "version": facts.version,
        "mode": facts.platform.mode,
        "started_at": _iso(facts.started_at),
        "uptime": "" if facts.started_at is None else duration_words(facts.age(facts.started_at)),
        "counts": {grade.key: number for grade, number in tally(found).items()},
        "checks": [
            {
                "key": check.key,
                "title": check.title,
                "grade": check.grade.key,
                "sentence": check.sentence,
                "remedy": check.remedy,
            }
            for check in found
        ],
        "sources": [
            {
                "name": source.name,
                "kind": source.kind,
                "stays": source.vitals.stays if source.vitals else 0,
                "last_read": _iso(source.vitals.last_read) if source.vitals else None,
                "last_change": _iso(source.vitals.last_change) if source.vitals else None,
                "rejected": source.vitals.rejected if source.vitals else 0,
            }
            for source in facts.sources
        ],
        "inbox": {"waiting": facts.waiting_stays, "since": _iso(facts.waiting_since)},
        "maps": health_maps.as_json(facts.maps),
        "unmapped": {"codes": facts.unmapped_codes, "lists": facts.unmapped_lists},
        "lists": dict(facts.lists),
        "history": None
        if facts.history is None
        else {
            "judged": facts.history.judged,
            "waiting": facts.history.waiting,
            "set_aside": facts.history.aside,
            "live": facts.history.live,
        },
        "outbox": {
            item.state.value: {
                "rows": item.rows,
                "oldest": _iso(item.oldest),
                "retried": item.retried,
            }
            for item in facts.outbox
        },
        "last": {
            "accepted": _iso(facts.last_accepted),
            "pulled": _iso(facts.last_pull),
            "reconciled": _iso(facts.last_reconciled),
            "answered": _iso(facts.link.last_answered_at),
            "signed_in": _iso(facts.link.signed_in_at),
            "backup": _iso(facts.backup.at) if facts.backup else None,
        },
        "platform": {
            "mode": facts.platform.mode,
            "dialect": facts.platform.dialect,
            "failures": facts.link.failures,
            "millis": facts.link.last_millis,
            "clock_skew_seconds": facts.clock_skew,
        },
        "storage": {
            "disk_free": facts.storage.disk_free,
            "disk_total": facts.storage.disk_total,
            "database": facts.storage.database,
            "journal": facts.storage.journal,
            "revision": facts.storage.revision,
        },
        "catalogues": [
            {
                "kind": item.kind,
                "version": item.version,
                "first_day": item.first_day.isoformat() if item.first_day else None,
                "next_day": item.next_day.isoformat() if item.next_day else None,
            }
            for item in facts.catalogues
        ],
        "missing_catalogues": list(facts.missing_catalogues),
        "policy": {"id": facts.policy.id, "library": facts.policy.library},
        "packs": [
            {"id": pack.id, "version": pack.version, "rules": pack.rules} for pack in facts.packs
        ],
        "jobs": [
            {
                "name": job.name,
                "state": job.state,
                "last_succeeded": _iso(job.last_succeeded),
                "next_run": _iso(job.next_run),
            }
            for job in facts.jobs
        ],
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
