"""Past months beside live work: read the sources, judge month by month, in steps that may end.

A step is one transaction of the store of past months. Whatever ends the process, the next run
goes on with the bills that still wait: none is lost, none is there twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from dipgate.adapters import open_source
from dipgate.core.errors import ConfigError
from dipgate.core.events import LogEvent
from dipgate.core.faults import FaultPoint, faultpoint
from dipgate.core.record import RawRow, Rejected, SourceSpec
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.history_months import month_of
from dipgate.pipeline.intake import StoreSink, chosen
from dipgate.security.eventlog import log
from dipgate.store import Connection, history, inbox
from dipgate.store.history import Bill, Loaded

BATCH = 300
"""Stays per transaction."""
NOTED = 1000
"""Stays whose bills are noted in one transaction."""


class HistoryEnded(Exception):
    """A person wants it to end; everything so far is stored."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be taken. Months as `YYYY-MM`, both included; empty `first`: from the oldest."""

    sources: tuple[str, ...]
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Step:
    """Told after every step. `phase` is `read` (rows), `note` (stays) or `judge` (bills)."""

    phase: str
    source: str
    month: str
    done: int
    total: int | None


@dataclass
class HistoryReport:
    """What one run did."""

    rows: int = 0
    rejected: int = 0
    judged: int = 0
    live: int = 0
    aside: int = 0
    notes: list[str] = field(default_factory=list)


class Pool(Protocol):
    """Who maps and judges: this process, or others. `workers` at one time."""

    workers: int

    def submit(self, source: str, stays: Sequence[inbox.Stay]) -> Future[Loaded]: ...


Told = Callable[[Step], None]
"""May raise HistoryEnded; called only where nothing is half done."""


def before_of(desk: Desk) -> str:
    """The month at which live work begins. Raises ConfigError while the site does not say it."""
    before = desk.site.history.before
    if not before:
        raise ConfigError(
            "站点文件里还没有写 history.before：结算月份早于它的才是历史，"
            '例如在 [history] 一节写 before = "2025-01"',
            path="history.before",
        )
    return before


def take_history(desk: Desk, wanted: Wanted, pool: Pool, told: Told) -> HistoryReport:
    """Read and judge past months. `desk` works on the store of past months.

    Raises ConfigError for an unknown source, or one that cannot be read.
    """
    report = HistoryReport()
    for spec in chosen(desk.site.source_specs(), wanted.sources):
        _read(desk, spec, report, told)
        _note(desk, spec, told)
        _judge(desk, spec, wanted, pool, report, told)
    return report


class _Sink(StoreSink):
    """Tells of every batch once it is stored."""

    def __init__(self, desk: Desk, spec: SourceSpec, told: Told) -> None:
        super().__init__(desk.store, spec)
        self._source = spec.name
        self._told = told
        self.rows = 0

    def commit(self, rows: Sequence[RawRow], rejected: Sequence[Rejected], watermark: str) -> None:
        super().commit(rows, rejected, watermark)
        self.rows += len(rows)
        self._told(Step("read", self._source, "", self.rows, None))


def _read(desk: Desk, spec: SourceSpec, report: HistoryReport, told: Told) -> None:
    """The rows from our own bookmark on; live work has another."""
    with desk.store.read() as conn:
        mark = inbox.watermark(conn, spec.name)
    sink = _Sink(desk, spec, told)
    read = open_source(spec, desk.site.source_password(spec.name)).read(sink, mark)
    report.rows += sink.stored + sink.changed
    report.rejected += sink.rejected
    report.notes += [f"数据源 {spec.name}：{note}" for note in read.notes]
    log(
        LogEvent.READ,
        source=spec.name,
        stored=sink.stored,
        repeated=sink.repeated,
        changed=sink.changed,
        rejected=sink.rejected,
    )


def _note(desk: Desk, spec: SourceSpec, told: Told) -> None:
    """Every bill of a stay that is new or changed waits, under its month."""
    after, done = "", 0
    while True:
        with desk.store.read() as conn:
            seen, last = history.unnoted(conn, spec.name, after=after, limit=NOTED)
        if not last:
            return
        noted = [
            Bill(
                spec.name,
                bill.stay_key,
                bill.settlement_id,
                month_of(bill.values, spec),
                history.WAITING,
            )
            for bill in seen
        ]
        _write(desk, lambda conn, noted=noted: history.put_bills(conn, noted))  # type: ignore[misc]
        after = last
        done += len(seen)
        told(Step("note", spec.name, "", done, None))


def _judge(
    desk: Desk, spec: SourceSpec, wanted: Wanted, pool: Pool, report: HistoryReport, told: Told
) -> None:
    with desk.store.read() as conn:
        months = history.waiting_months(conn, spec.name, wanted.first, wanted.last)
    total = sum(bills for _, bills in months)
    done = 0
    flight: deque[Future[Loaded]] = deque()

    def land(month: str) -> None:
        nonlocal done
        loaded = flight.popleft().result()
        faultpoint(FaultPoint.PIPELINE_STAGE_COMPUTED)
        now = desk.clock.now()
        _write(desk, lambda conn: history.save(conn, spec.name, loaded, now))
        done += len(loaded.bills)
        for bill in loaded.bills:
            report.judged += bill.state == history.JUDGED
            report.live += bill.state == history.LIVE
            report.aside += bill.state == history.ASIDE
        told(Step("judge", spec.name, month, done, total))

    for month, _bills in months:
        after = ""
        while True:
            with desk.store.read() as conn:
                stays = history.stays_to_load(conn, spec.name, month, after=after, limit=BATCH)
            if not stays:
                break
            after = stays[-1].key
            flight.append(pool.submit(spec.name, stays))
            if len(flight) > pool.workers:
                land(month)
        # A stay may have bills of two months: no batch of the next while one is on its way.
        while flight:
            land(month)


def _write(desk: Desk, fn: Callable[[Connection], None]) -> None:
    desk.store.write(fn)
