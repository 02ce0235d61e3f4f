"""Outbox and result pull: from released lists to what the platform answered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from dipgate.config.dialects import Dialect, load_dialect
from dipgate.config.settings import platform_secret
from dipgate.core.errors import ConfigError, RecordError
from dipgate.core.events import LogEvent
from dipgate.core.exchange import State
from dipgate.core.progress import Progress, silent
from dipgate.pipeline import contest
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.judge_stage import current_verdict
from dipgate.security.eventlog import log
from dipgate.store import Connection, audit, cases, life, messages, outbox
from dipgate.sync.client import PlatformClient
from dipgate.sync.payload import Uploader
from dipgate.sync.pull import PullReport, pull_month
from dipgate.sync.sender import Sender, SendReport, require_live

RESULTS = ("3607", "3606")
"""Quality results first: they say why a list has no group."""


@dataclass
class QueueReport:
    """What became of the released lists."""

    queued: int = 0
    unchanged: int = 0
    refused: int = 0


def dialect_of(desk: Desk) -> Dialect:
    return load_dialect(desk.site.dialect_name, state=desk.store.state)


def queue_ready(desk: Desk) -> QueueReport:
    """Put every released list into the outbox, one transaction each.

    A list whose upload would equal what the platform has accepted is not sent again (U004).
    """
    uploader = Uploader(dialect_of(desk))
    report = QueueReport()
    after = ""
    while True:
        with desk.store.read() as conn:
            batch = cases.cases_in(conn, states=("ready",), after=after, limit=200)
        if not batch:
            return report
        after = batch[-1].settlement_id
        _queue_batch(desk, uploader, batch, report)


def open_client(desk: Desk) -> PlatformClient:
    """The platform client of this site. Raises ConfigError while it is not configured."""
    desk.site.require("platform.url", "platform.paasid")
    secret = platform_secret()
    if secret is None:
        raise ConfigError(
            "没有平台密钥；设置环境变量 DIPGATE_PLATFORM_SECRET", path="DIPGATE_PLATFORM_SECRET"
        )
    hospital = desk.site.as_hospital()

    def next_msgid() -> str:
        return desk.store.write(
            lambda conn: messages.next_msgid(conn, hospital.code, desk.clock.now())
        )

    return PlatformClient(
        dialect_of(desk),
        desk.site.platform,
        hospital,
        secret,
        desk.clock,
        next_msgid=next_msgid,
    )


def send(
    desk: Desk,
    *,
    until: datetime,
    wait: Callable[[float], None],
    progress: Progress = silent,
    waiting: Callable[[str], None] = lambda _sentence: None,
) -> SendReport:
    """Send what is queued and clear up what is unknown, until nothing waits or until a moment.

    `waiting` is told, once, why nothing happens for a while. Raises ConfigError unless the mode is
    live.
    """
    require_live(desk.site.platform.mode)
    with open_client(desk) as client:
        sender = Sender(desk.store, client, client.dialect, desk.clock)
        return sender.drain(until, wait, progress=progress, waiting=waiting)


def pull(desk: Desk, month: str) -> tuple[PullReport, ...]:
    """Fetch quality and group results of a settlement month (`YYYY-MM`) into the store."""
    require_live(desk.site.platform.mode)
    with open_client(desk) as client:
        reports = tuple(pull_month(desk.store, client, infno, month) for infno in RESULTS)
    desk.store.write(
        lambda conn: audit.add(
            conn,
            desk.clock.now(),
            desk.actor,
            "result.pulled",
            f"month:{month}",
            detail={report.infno: report.rows for report in reports},
        )
    )
    for report in reports:
        log(LogEvent.PULLED, infno=report.infno, month=month, rows=report.rows)
    return reports


def _queue_batch(
    desk: Desk, uploader: Uploader, batch: tuple[cases.CaseRow, ...], report: QueueReport
) -> None:
    part = desk.store.write(lambda conn: _queue(conn, desk, uploader, batch))
    log(LogEvent.QUEUED, cases=tuple(case.id for case in batch))
    report.queued += part.queued
    report.unchanged += part.unchanged
    report.refused += part.refused


def _queue(
    conn: Connection, desk: Desk, uploader: Uploader, batch: tuple[cases.CaseRow, ...]
) -> QueueReport:
    now = desk.clock.now()
    report = QueueReport()
    contests = contest.among(conn, desk, [case.settlement_id for case in batch])
    for case in batch:
        if case.settlement_id in contests:
            contest.set_aside(conn, desk, case.settlement_id, contests[case.settlement_id].what)
            report.refused += 1
            continue
        verdict = current_verdict(conn, desk, case)
        if verdict is None or verdict.errors:
            # Judged again under other rules or on another day, it is back on the coder's desk.
            cases.set_state(conn, case.id, "checked", now=now)
            report.refused += 1
            continue
        try:
            packet = uploader.packet(
                case.settlement_list(),
                hospital_code=desk.site.hospital.code,
                revision=case.revision,
            )
        except RecordError as error:
            cases.set_state(conn, case.id, "held", now=now, hold_reason=str(error))
            report.refused += 1
            continue
        sent = outbox.by_settlement(conn, case.settlement_id)
        if any(
            row.state is State.ACCEPTED
            and row.digest == packet.digest
            and not life.is_cleared(conn, case.settlement_id, row)
            for row in sent[-1:]
        ):
            cases.set_state(conn, case.id, "accepted", now=now)
            report.unchanged += 1
            continue
        outbox.enqueue(
            conn,
            key=packet.key,
            case_id=case.id,
            settlement_id=case.settlement_id,
            person_no=packet.person_no,
            infno=packet.infno,
            revision=packet.revision,
            payload=packet.payload,
            digest=packet.digest,
            now=now,
        )
        report.queued += 1
    return report
