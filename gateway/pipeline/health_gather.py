"""Gathering the facts of the health page: clock, disk, store, catalogues, exchange log."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from dipgate.config import shelf
from dipgate.config.catalogues import LAYERS, list_catalogues
from dipgate.config.kinds import KINDS
from dipgate.config.libraries import list_libraries
from dipgate.config.settings import platform_secret
from dipgate.config.shelf import Manifest
from dipgate.config.site_check import catalogues_needed, site_problems
from dipgate.core.clock import CHINA
from dipgate.core.errors import ConfigError, DipgateError
from dipgate.core.events import LogEvent
from dipgate.core.exchange import State
from dipgate.core.policy_parts import DEFAULT_EDITION
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.health_facts import (
    BackupFact,
    BillsFact,
    CatalogueFact,
    Facts,
    Job,
    PackFact,
    PlatformFact,
    PolicyFact,
    RegistryFact,
    SourceFact,
    StorageFact,
)
from dipgate.pipeline.health_maps import maps_fact
from dipgate.pipeline.history_card import history_fact
from dipgate.pipeline.queue_reasons import commonest
from dipgate.pipeline.waiting import totals
from dipgate.security.eventlog import log
from dipgate.store import (
    Connection,
    cases,
    clock_notes,
    life,
    readings,
    registries,
    registry_items,
    vitals,
)
from dipgate.store.backup_card import read_card
from dipgate.store.database import FILE_NAME
from dipgate.store.schema import HEAD, revision_of

_LARGEST_ANSWER = 262_144
"""Answers longer than this are not read for their time."""


class _Stamp(msgspec.Struct):
    """When the platform says it answered: `yyyyMMddHHmmssSSS` (envelope.md 1.2)."""

    respond_time: str = ""
    refmsg_time: str = ""


_STAMPS = msgspec.json.Decoder(_Stamp)


def gather(
    desk: Desk, *, jobs: Sequence[Job] = (), version: str = "", started_at: datetime | None = None
) -> Facts:
    """Everything the checks look at, as of now. What cannot be read is told, not raised."""
    now = desk.clock.now()
    state = desk.store.state
    today = desk.today()
    manifests = list_catalogues(state)
    policy = _policy(desk, today)
    with desk.store.read() as conn:
        link = vitals.link(conn)
        known = {item.source: item for item in vitals.sources(conn)}
        stays, since = vitals.waiting_stays(conn)
        codes, lists = vitals.unmapped_codes(conn)
        reasons = vitals.reasons(conn, (State.READY, State.UNKNOWN, State.HELD), limit=100)
        facts = Facts(
            now=now,
            version=version,
            started_at=started_at,
            platform=_platform(desk),
            site_problems=_site_problems(desk),
            sources=tuple(
                SourceFact(source.name, source.kind, known.get(source.name))
                for source in desk.site.sources
            ),
            waiting_stays=stays,
            waiting_since=since,
            unmapped_codes=codes,
            unmapped_lists=lists,
            lists=cases.counts(conn),
            outbox=vitals.outbox_states(conn),
            reasons={
                each: commonest(reasons, each) for each in (State.READY, State.UNKNOWN, State.HELD)
            },
            link=link,
            clock_skew=_skew(desk, link),
            last_recorded=vitals.last_moment(conn),
            last_accepted=vitals.last_act(conn, "outbox.receipt_ok", "outbox.platform_has_it"),
            last_pull=vitals.last_act(conn, "result.pulled"),
            last_reconciled=vitals.last_act(conn, "reconciliation.made"),
            catalogues=(*_catalogues(desk, manifests, today), *_library(state, policy, today)),
            missing_catalogues=_missing(desk, manifests),
            policy=policy,
            packs=_packs(desk, today),
            storage=_storage(conn, state),
            backup=_backup(conn, state),
            jobs=tuple(jobs),
            history=history_fact(state, desk.clock, desk.site.history.before),
            clocks=clock_notes.notes(conn),
            maps=maps_fact(desk, conn),
            held_readings=readings.held(conn),
            bills=BillsFact(*totals(conn, desk), life.still_at_platform(conn)),
            registry=RegistryFact(
                *registry_items.counts(conn),
                len(registries.entries(conn, states=("proposed",))),
            ),
        )
    return facts


def is_up(desk: Desk) -> bool:
    """Can the store be read? A part that dies ends the process, so an answer says the rest."""
    try:
        with desk.store.read() as conn:
            vitals.last_moment(conn)
    except Exception as error:  # whatever the driver raises: the answer is "down"
        log(LogEvent.STORE_UNREADABLE, level=logging.ERROR, error=type(error).__name__)
        return False
    return True


def _platform(desk: Desk) -> PlatformFact:
    from dipgate.pipeline.exchange_stage import dialect_of

    mode, scheme = desk.site.platform.mode, urlsplit(desk.site.platform.url).scheme
    try:
        dialect = dialect_of(desk)
    except ConfigError:
        return PlatformFact(mode, scheme)
    return PlatformFact(
        mode=mode,
        scheme=scheme,
        dialect=dialect.id,
        breaker_failures=dialect.breaker.failures,
        probe_seconds=dialect.breaker.probe_seconds,
        session_minutes=dialect.session_minutes,
        person_after_hours=dialect.person_after_hours,
        has_query=dialect.has_query,
    )


def _site_problems(desk: Desk) -> tuple[str, ...]:
    secret_set = platform_secret() is not None
    return site_problems(desk.site, secret_set=secret_set, state=desk.store.state)[0]


def _policy(desk: Desk, today: date) -> PolicyFact:
    try:
        policy = desk.policy(today)
    except DipgateError as error:
        return PolicyFact(problem=f"读不出来：{error}")
    if policy is None:
        return PolicyFact(problem="今天没有生效的付费政策，入组和金额算不出来")
    label = policy.catalogue.library or ""
    head = policy.policy
    name, _, version = label.partition("@")
    held = [item for item in list_libraries(desk.store.state) if item.name == name]
    problem = ""
    if not name:
        problem = f"{head.id} 没有指定分组目录库，入不了组"
    elif not any(item.version == version or not version for item in held):
        problem = f"{head.id} 要用目录库 {label}，还没有导入"
    return PolicyFact(head.id, head.effective_from, head.effective_to, label, problem)


def _library(state: Path, policy: PolicyFact, today: date) -> tuple[CatalogueFact, ...]:
    name, _, version = policy.library.partition("@")
    held = [item for item in list_libraries(state) if item.name == name]
    if version:
        held = [item for item in held if item.version == version]
    found = shelf.in_force(held, today)
    if found is None:
        return ()
    return (
        CatalogueFact(
            f"library.{found.name}",
            f"目录库 {found.name}",
            found.version,
            found.first_day,
            imported_at=found.imported_at,
        ),
    )


def _catalogues(
    desk: Desk, manifests: Sequence[Manifest], today: date
) -> tuple[CatalogueFact, ...]:
    facts = []
    for kind, what in KINDS.items():
        held = [item for item in manifests if item.kind == kind]
        chosen = [
            found
            for layer in (LAYERS if what.layered else ("",))
            if (found := shelf.in_force((m for m in held if m.layer == layer), today))
        ]
        coming = min(
            (item for item in held if item.first_day > today),
            key=lambda item: item.first_day,
            default=None,
        )
        if not chosen and coming is None:
            continue
        facts.append(
            CatalogueFact(
                kind,
                what.title,
                "＋".join(item.version for item in chosen) or "—",
                max((item.first_day for item in chosen), default=None),
                coming.version if coming else "",
                coming.first_day if coming else None,
                max((m.imported_at for m in held if not desk.references.holds(m)), default=None),
            )
        )
    return tuple(facts)


def _missing(desk: Desk, manifests: Sequence[Manifest]) -> tuple[str, ...]:
    held = {item.kind for item in manifests}
    return tuple(KINDS[kind].title for kind in catalogues_needed(desk.site) if kind not in held)


def _packs(desk: Desk, today: date) -> tuple[PackFact, ...]:
    try:
        policy = desk.policy(today)
        edition = policy.catalogue.edition if policy else DEFAULT_EDITION
        return tuple(
            PackFact(pack.id, pack.version, len(pack.rules)) for pack in desk.packs(edition)
        )
    except DipgateError:
        return ()


def _storage(conn: Connection, state: Path) -> StorageFact:
    usage = shutil.disk_usage(state)
    file = state / FILE_NAME
    return StorageFact(
        disk_total=usage.total,
        disk_free=usage.free,
        database=_size(file),
        journal=_size(file.with_name(f"{FILE_NAME}-wal")),
        revision=revision_of(conn) or "",
        expected_revision=HEAD,
    )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _backup(conn: Connection, state: Path) -> BackupFact | None:
    card = read_card(state)
    audited = vitals.last_act(conn, "store.backed_up")
    if card is not None and (audited is None or card.at >= audited):
        return BackupFact(card.at, card.file, card.size)
    return BackupFact(audited) if audited is not None else None


def _skew(desk: Desk, link: vitals.LinkVitals) -> float | None:
    """How far the platform's clock is ahead, by the time in its last answer."""
    if not link.last_answer_hash or link.last_answered_at is None or link.failures:
        return None
    try:
        body = desk.store.raw(link.last_answer_hash)
        if len(body) > _LARGEST_ANSWER:
            return None
        stamp = _STAMPS.decode(body)
        text = stamp.respond_time or stamp.refmsg_time
        theirs = datetime.strptime(text[:14], "%Y%m%d%H%M%S").replace(tzinfo=CHINA)
    except (ConfigError, msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return None
    theirs += timedelta(milliseconds=int(text[14:17] or 0) if text[14:17].isdigit() else 0)
    ours = link.last_answered_at + timedelta(milliseconds=link.last_millis)
    return round((theirs - ours).total_seconds(), 1)
