"""What the log may say: a closed list of events, each with the fields that it may carry.

A field is a number, a truth value, or an identifier in plain ASCII; never free text, because free
text quotes data. Names of people, certificate numbers, addresses and texts of exceptions have no
field to stand in (security promises, section 9).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from dipgate.core.idcard import check_character

Value = int | float | bool | str | tuple[str, ...]
_IDENTIFIER = re.compile(r"[A-Za-z0-9_.:@/+-]{0,80}")
_PLACES = re.compile(r"[A-Za-z0-9_.:<> /-]{0,400}")
_CERTIFICATE = re.compile(r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])")
_PHONE = re.compile(r"(?<![0-9])1[3-9][0-9]{9}(?![0-9])")


class LogEvent(StrEnum):
    """Every event that is logged, by its dotted name."""

    OPENED = "store.opened"
    CLOSED = "store.closed"
    CLOCK_BACK = "clock.back"
    STARTED = "serve.started"
    STOPPED = "serve.stopped"
    JOB_FAILED = "job.failed"
    JOB_CRASHED = "job.crashed"
    JOB_DONE = "job.done"
    STOP_LATE = "stop.late"
    WORKER_DIED = "worker.died"
    REPORT_LOST = "report.lost"
    STORE_UNREADABLE = "store.unreadable"
    PAGE_FAILED = "page.failed"
    RAW_KEPT = "raw.kept"
    READ = "source.read"
    MAPPED = "cases.mapped"
    JUDGED = "cases.judged"
    SIMULATED = "cases.simulated"
    QUEUED = "list.queued"
    SENT = "list.sent"
    ANSWERED = "list.answered"
    PULLED = "results.pulled"
    COMPARED = "results.compared"
    FOREIGN = "library.log"


FIELDS: Mapping[LogEvent, frozenset[str]] = MappingProxyType(
    {
        LogEvent.OPENED: frozenset(("epoch", "version")),
        LogEvent.CLOSED: frozenset(),
        LogEvent.CLOCK_BACK: frozenset(("seconds",)),
        LogEvent.STARTED: frozenset(("port", "version", "mode", "sources")),
        LogEvent.STOPPED: frozenset(("code",)),
        LogEvent.JOB_FAILED: frozenset(("job", "error")),
        LogEvent.JOB_CRASHED: frozenset(("job", "error", "places")),
        LogEvent.JOB_DONE: frozenset(("job", "seconds")),
        LogEvent.STOP_LATE: frozenset(("jobs",)),
        LogEvent.WORKER_DIED: frozenset(("job", "error", "places")),
        LogEvent.REPORT_LOST: frozenset(("error",)),
        LogEvent.STORE_UNREADABLE: frozenset(("error",)),
        LogEvent.PAGE_FAILED: frozenset(("id", "error", "places", "view", "status")),
        LogEvent.RAW_KEPT: frozenset(("source", "raw")),
        LogEvent.READ: frozenset(("source", "stored", "repeated", "changed", "rejected")),
        LogEvent.MAPPED: frozenset(("lists", "unchanged", "set_aside")),
        LogEvent.JUDGED: frozenset(("cases", "with_errors")),
        LogEvent.SIMULATED: frozenset(("cases", "tried", "locked")),
        LogEvent.QUEUED: frozenset(("cases",)),
        LogEvent.SENT: frozenset(("row", "case", "attempt", "msgid", "infno")),
        LogEvent.ANSWERED: frozenset(("row", "case", "msgid", "outcome", "list_no")),
        LogEvent.PULLED: frozenset(("infno", "month", "rows")),
        LogEvent.COMPARED: frozenset(("month", "lists", "different")),
        LogEvent.FOREIGN: frozenset(("logger", "place")),
    }
)


def cleaned(event: LogEvent, fields: Mapping[str, object]) -> dict[str, Value]:
    """The fields that may be written, in the order given; `dropped` counts those that may not.

    Never raises: a wrong call costs its fields, not the work that it reports on.
    """
    allowed = FIELDS[event]
    kept: dict[str, Value] = {}
    for name, value in fields.items():
        fit = _fit(name, value) if name in allowed else None
        if fit is not None:
            kept[name] = fit
    if len(kept) < len(fields):
        kept["dropped"] = len(fields) - len(kept)
    return kept


def _fit(name: str, value: object) -> Value | None:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        form = _PLACES if name in ("places", "place") else _IDENTIFIER
        return value if form.fullmatch(value) and not _personal(value) else None
    if isinstance(value, list | tuple):
        fits = [_fit(name, item) for item in value]
        texts = tuple(item for item in fits if isinstance(item, str))
        return texts if len(texts) == len(value) else None
    return None


def _personal(text: str) -> bool:
    """Second net: a certificate number with its right check digit, or a mobile number."""
    if _PHONE.search(text):
        return True
    return any(check_character(found) == found[-1].upper() for found in _CERTIFICATE.findall(text))
