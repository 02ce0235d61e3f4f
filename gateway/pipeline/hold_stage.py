"""Far fewer rows than usual: the reading is held, and a person or the next normal one decides.

A broken export looks like a small one. What is held is durable, but it is not received: nothing is
mapped, superseded or retired because of it, and the bookmark stays before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Protocol

from dipgate.adapters import adapter_of
from dipgate.adapters.rows import read_watermark, write_watermark
from dipgate.core.record import RawRow, Rejected, SourceSpec
from dipgate.pipeline.desk import Desk
from dipgate.store import Connection, readings
from dipgate.store.readings import FULL, LOOKED_BACK, Batch, HeldReading, Point

COMPARED = 5
"""Earlier comparable readings without which nothing is usual yet."""
SMALL = 20
"""A usual number below this says too little: small hospitals are never held."""
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Expected:
    """What is usual for the present reading, and what it is added to. Rows."""

    usual: int
    fewest: int
    """A reading with fewer is held; 0: any is believed."""
    before: int = 0
    """Rows of the open point that this reading belongs to."""
    since: datetime | None = None


class Inner(Protocol):
    """The sink behind."""

    def keep_raw(self, source: str, object_name: str, data: bytes) -> str: ...
    def store(
        self,
        rows: Sequence[RawRow],
        rejected: Sequence[Rejected],
        watermark: str,
        reread: tuple[str, str] | None,
    ) -> None: ...


@dataclass
class _Unit:
    """One file or view in this reading."""

    table: str
    expected: Expected
    rows: int = 0
    waiting: list[tuple[Batch, Mapping[str, object]]] = field(default_factory=list)
    passed: bool = False


class HoldSink:
    """Between adapter and store: batches wait until the reading has as many rows as it needs."""

    def __init__(self, desk: Desk, spec: SourceSpec, inner: Inner, mark: str | None) -> None:
        self._desk = desk
        self._spec = spec
        self._inner = inner
        kind = adapter_of(spec)
        self._whole = kind.whole_objects
        self._pushed = kind.place == "push"
        self._marks = read_watermark(mark, spec.name)
        self._asked = dict(self._marks)
        self._units: dict[str, _Unit] = {}
        self._troubled: set[str] = set()
        self._reread: tuple[str, str] | None = None

    def keep_raw(self, source: str, object_name: str, data: bytes) -> str:
        """Raw bytes are kept at once, whatever becomes of the rows."""
        digest = self._inner.keep_raw(source, object_name, data)
        self._reread = (object_name, digest) if self._whole else None
        return digest

    def commit(self, rows: Sequence[RawRow], rejected: Sequence[Rejected], watermark: str) -> None:
        """Store the batch, or let it wait."""
        reread, self._reread = self._reread, None
        batch = Batch(tuple(rows), tuple(rejected), reread)
        marks = read_watermark(watermark, self._spec.name)
        key = self._key(batch, marks)
        self._asked = marks
        if key is None:
            self._troubled |= {item.table for item in rejected}
            self._store(batch)
            return
        unit = self._units.get(key)
        if unit is None:
            table = key.partition(":")[0]
            unit = self._units[key] = _Unit(table, self._expected(table, key))
        unit.rows = self._rows(unit.rows, batch, marks[key])
        unit.waiting.append((batch, marks[key]))
        if unit.passed or unit.rows + unit.expected.before >= unit.expected.fewest:
            self._pass(key, unit)

    def finish(self) -> tuple[str, ...]:
        """The adapter has read everything: remember the numbers, hold what stayed below them.

        Returns what to tell of readings that are held.
        """
        self._add_silent_views()
        notes = []
        for key, unit in self._units.items():
            if unit.passed:
                self._accept(key, unit)
            else:
                notes.append(self._hold(key, unit))
        return tuple(notes)

    def _key(self, batch: Batch, marks: Mapping[str, Mapping[str, object]]) -> str | None:
        """The file or view of a batch; None: it only says that one cannot be read."""
        for key, mark in marks.items():
            if self._asked.get(key) != mark:
                return key
        read: list[RawRow | Rejected] = [
            *batch.rows,
            *(item for item in batch.rejected if item.row is not None),
        ]
        key = f"{read[0].table}:{read[0].object_name}" if read else ""
        return key if key in marks else None

    def _rows(self, so_far: int, batch: Batch, mark: Mapping[str, object]) -> int:
        counted = mark.get("rows")
        if self._whole and isinstance(counted, int):
            return counted
        return so_far + len(batch.rows) + len(batch.rejected)

    def _pass(self, key: str, unit: _Unit) -> None:
        unit.passed = True
        for batch, mark in unit.waiting:
            self._marks[key] = dict(mark)
            self._store(batch)
        unit.waiting.clear()

    def _store(self, batch: Batch) -> None:
        mark = write_watermark(self._marks)
        self._inner.store(batch.rows, batch.rejected, mark, batch.reread)

    def _expected(self, table: str, key: str) -> Expected:
        share = self._spec.limits.fewest_share
        if share is None or (self._whole and not self._is_newest(table, key)):
            return Expected(0, 0)
        with self._desk.store.read() as conn:
            found = readings.points(conn, self._spec.name, table)
        return expected(
            found,
            Fraction(share),
            self._desk.clock.now(),
            days=not self._whole and bool(self._spec.tables[table].watermark),
        )

    def _is_newest(self, table: str, key: str) -> bool:
        """Is this the newest file of its pattern? Older ones are as they were."""
        folder = Path(self._spec.path)
        files = folder.glob(self._spec.tables[table].object_name)
        newest = max(files, key=lambda path: (path.stat().st_mtime, path.name), default=None)
        name = key.partition(":")[2]
        return newest is None or newest.relative_to(folder).as_posix() == name

    def _add_silent_views(self) -> None:
        """A view that brought nothing new handed nothing over; that is a number too."""
        if self._whole or self._pushed:
            return
        for name, table in self._spec.tables.items():
            key = f"{name}:{table.object_name}"
            if key not in self._units and name not in self._troubled:
                unit = self._units[key] = _Unit(name, self._expected(name, key))
                unit.passed = unit.expected.before >= unit.expected.fewest

    def _point(self, unit: _Unit, now: datetime) -> Point:
        return Point(unit.rows, unit.expected.since, now)

    def _accept(self, key: str, unit: _Unit) -> None:
        if self._whole and not self._is_newest(unit.table, key):
            return
        now, actor = self._desk.clock.now(), self._desk.actor

        def save(conn: Connection) -> None:
            readings.add_point(conn, self._spec.name, unit.table, key, self._point(unit, now))
            readings.cover(conn, self._spec.name, unit.table, now, actor)

        self._desk.store.write(save)

    def _hold(self, key: str, unit: _Unit) -> str:
        now, actor = self._desk.clock.now(), self._desk.actor
        mark = write_watermark({key: unit.waiting[-1][1]}) if unit.waiting else ""
        rows = unit.rows + unit.expected.before
        item = HeldReading(
            0,
            self._spec.name,
            unit.table,
            key,
            rows,
            unit.expected.usual,
            now,
            mark,
            unit.expected.since,
        )
        batches = [batch for batch, _ in unit.waiting]
        self._desk.store.write(lambda conn: readings.hold(conn, item, batches, now, actor))
        return held_words(item)


def expected(
    found: Sequence[Point], share: Fraction, now: datetime, *, days: bool = False
) -> Expected:
    """What is usual by the points so far (newest first), and the fewest rows that are believed.

    `days`: new rows over time, compared with what came in as many days; else whole numbers.
    """
    if not days:
        usual = Fraction(median(point.rows for point in found[:LOOKED_BACK]) if found else 0)
        enough = len(found) >= COMPARED
        return Expected(int(usual), _fewest(usual, share) if enough else 0)
    if not found:
        return Expected(0, 0)
    newest = found[0]
    before = newest.rows if newest.open else 0
    began = newest.since if newest.open and newest.since else newest.taken_at
    span = now - began
    rates = [
        Fraction(point.rows) * (_DAY // timedelta(seconds=1)) / int(_seconds(point))
        for point in (found[1:] if newest.open else found)
        if point.since is not None and _seconds(point) >= 1
    ][:LOOKED_BACK]
    if len(rates) < COMPARED or span < FULL:
        return Expected(0, 0, before, newest.taken_at)
    usual = median(rates) * Fraction(int(span.total_seconds()), 86_400)
    return Expected(int(usual), _fewest(usual, share), before, newest.taken_at)


def _seconds(point: Point) -> float:
    return (point.taken_at - point.since).total_seconds() if point.since else 0.0


def _fewest(usual: Fraction, share: Fraction) -> int:
    """The smallest number of rows that is not below the share of the usual one."""
    if usual < SMALL:
        return 0
    return -int(-usual * share // 1)


def held_words(item: HeldReading) -> str:
    """Both numbers, and what a person can do."""
    return (
        f"{item.table} 只读到 {item.rows:,} 行，平常约 {item.usual:,} 行，已扣住，不映射；"
        f"确实只有这些就用 dipgate source release {item.source}，"
        f"不要就用 dipgate source discard {item.source}，或等下一次读取恢复正常"
    )
