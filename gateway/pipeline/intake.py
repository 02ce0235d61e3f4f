"""Intake: source → raw files and inbox, then inbox → mapped cases with their lineage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dipgate.adapters import adapter_of, open_source
from dipgate.core.errors import ConfigError, DipgateError, Place, RecordError
from dipgate.core.events import LogEvent
from dipgate.core.faults import FaultPoint, faultpoint
from dipgate.core.progress import Progress, silent
from dipgate.core.record import RawRow, Rejected, SourceSpec
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.hold_stage import HoldSink
from dipgate.security.eventlog import log
from dipgate.store import Connection, StaleOwner, Store, bills, clock_notes, inbox

NOTES = 20
"""Most contradictions told one by one."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """received = stored + repeated + rejected, per source."""

    source: str
    stored: int
    repeated: int
    changed: int
    rejected: int
    notes: tuple[str, ...] = ()
    """What a user should know: patterns without files, rows that contradict each other."""
    held: int = 0
    """Files or views with far fewer rows than usual; the first notes say which."""


class StoreSink:
    """The adapter's sink: raw bytes first, then rows, rejects and watermark in one transaction."""

    def __init__(self, store: Store, spec: SourceSpec) -> None:
        self._store = store
        self._spec = spec
        self._whole = adapter_of(spec).whole_objects
        self.stored = 0
        self.repeated = 0
        self.changed = 0
        self.rejected = 0
        self.twice: list[str] = []
        self._reread: tuple[str, str] | None = None

    def keep_raw(self, source: str, object_name: str, data: bytes) -> str:  # noqa: ARG002
        digest = self._store.keep_raw(data)
        log(LogEvent.RAW_KEPT, source=self._spec.name, raw=digest)
        faultpoint(FaultPoint.INTAKE_RAW_STORED)
        if self._whole:
            self._reread = (object_name, digest)
        return digest

    def commit(self, rows: Sequence[RawRow], rejected: Sequence[Rejected], watermark: str) -> None:
        reread, self._reread = self._reread, None
        self.store(rows, rejected, watermark, reread)

    def store(
        self,
        rows: Sequence[RawRow],
        rejected: Sequence[Rejected],
        watermark: str,
        reread: tuple[str, str] | None,
    ) -> None:
        """One batch; `reread` is (file, raw hash) where it begins a file read as a whole."""
        added = self._store.write(
            lambda conn: self.put(conn, rows, rejected, watermark, reread=reread)
        )
        self.count(added, rejected)

    def put(
        self,
        conn: Connection,
        rows: Sequence[RawRow],
        rejected: Sequence[Rejected],
        watermark: str,
        *,
        reread: tuple[str, str] | None = None,
    ) -> inbox.Added:
        """One batch in the caller's transaction."""
        return inbox.commit_read(
            conn,
            self._spec.name,
            rows,
            rejected,
            watermark,
            self._store.clock.now(),
            part_of=self._bill_of,
            span_of=self._days_of,
            reread=reread,
        )

    def count(self, added: inbox.Added, rejected: Sequence[Rejected]) -> None:
        """What a stored batch was."""
        self.stored += added.stored
        self.repeated += added.repeated
        self.changed += added.changed
        self.rejected += len(rejected)
        self.twice += added.twice

    def _bill_of(self, row: RawRow) -> str:
        """A stay may have several bills: each settlement is a part of its own."""
        return bills.bill_id(self._settlement(row, "setl_id"))

    def _days_of(self, row: RawRow) -> str:
        days = [self._settlement(row, name) for name in ("setl_begn_date", "setl_end_date")]
        return "/".join(days) if all(days) else ""

    def _settlement(self, row: RawRow, name: str) -> str:
        table = self._spec.tables.get(row.table)
        column = table.columns.get(name) if table and row.table == "settlement" else None
        return row.values.get(column, "").strip() if column else ""


def read_sources(
    desk: Desk, names: Sequence[str] = (), progress: Progress = silent
) -> tuple[SourceReport, ...]:
    """Read the named sources (all when none is named) from their watermark on.

    Raises ConfigError for a source that the site file does not have.
    """
    specs = chosen(desk.site.source_specs(), names)
    reports = []
    for spec in specs:
        with desk.store.read() as conn:
            mark = inbox.watermark(conn, spec.name)
        asked_at = desk.clock.now()
        sink = StoreSink(desk.store, spec)
        gate = HoldSink(desk, spec, sink, mark)
        read = open_source(spec, desk.site.source_password(spec.name)).read(gate, mark)
        held = gate.finish()
        log(
            LogEvent.READ,
            source=spec.name,
            stored=sink.stored,
            repeated=sink.repeated,
            changed=sink.changed,
            rejected=sink.rejected,
        )
        if read.server_time is not None:
            _note_clock(desk, spec.name, asked_at, read.server_time)
        reports.append(
            SourceReport(
                spec.name,
                sink.stored,
                sink.repeated,
                sink.changed,
                sink.rejected,
                (*held, *read.notes, *_some(sink.twice)),
                len(held),
            )
        )
        progress(len(reports), len(specs))
    return tuple(reports)


def read_each(
    desk: Desk,
    names: Sequence[str] = (),
    stage: Callable[[str], Progress] = lambda _name: silent,
) -> tuple[tuple[SourceReport, ...], tuple[tuple[str, DipgateError], ...]]:
    """`read_sources`, but one that cannot be read does not hold up the others.

    What was read, and (source, why) for each that was not. `stage` is asked for a progress as
    each source begins.
    """
    specs = chosen(desk.site.source_specs(), names)
    reports: list[SourceReport] = []
    unread: list[tuple[str, DipgateError]] = []
    for done, spec in enumerate(specs, start=1):
        progress = stage(spec.name)
        try:
            reports += read_sources(desk, (spec.name,))
        except StaleOwner:
            raise
        except DipgateError as error:
            unread.append((spec.name, error))
        progress(done, len(specs))
    return tuple(reports), tuple(unread)


def _note_clock(desk: Desk, source: str, ours: datetime, theirs: datetime) -> None:
    """Both were read at the beginning of the reading, a connection apart."""
    name = clock_notes.source_clock(source)
    desk.store.write(lambda conn: clock_notes.note(conn, name, ours=ours, theirs=theirs))


def _some(notes: Sequence[str]) -> list[str]:
    left = len(notes) - NOTES
    return [*notes[:NOTES], f"同样的情形还有 {left} 处"] if left > 0 else list(notes)


def chosen(specs: Sequence[SourceSpec], names: Sequence[str]) -> tuple[SourceSpec, ...]:
    """The named sources, all when none is named. Raises ConfigError for an unknown name."""
    known = {spec.name: spec for spec in specs}
    for name in names:
        if name not in known:
            raise ConfigError(
                f"站点文件里没有数据源 {name!r}；已有：{'、'.join(known) or '（无）'}",
                path="sources",
            )
    return tuple(known[name] for name in names) if names else tuple(specs)


def as_record_error(rejected: Rejected) -> RecordError:
    """A rejected row as the sentence that a user reads."""
    place = Place(rejected.object_name, rejected.row, rejected.field)
    return RecordError(rejected.what, place=place, remedy=rejected.remedy)
