"""What a person decides about a held reading: take it as it is, or drop it."""

from __future__ import annotations

from dipgate.adapters import adapter_of
from dipgate.adapters.rows import read_watermark, write_watermark
from dipgate.core.record import SourceSpec
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.intake import StoreSink
from dipgate.store import Connection, inbox, readings
from dipgate.store.readings import HeldReading, Point


def release(desk: Desk, spec: SourceSpec, reason: str = "") -> tuple[HeldReading, ...]:
    """Take what is held of a source as received. Raises ConfigError when nothing is."""
    with desk.store.read() as conn:
        waiting = readings.held_of(conn, spec.name)
    for item in waiting:
        _release(desk, spec, item, reason)
    return waiting


def _release(desk: Desk, spec: SourceSpec, item: HeldReading, reason: str) -> None:
    sink = StoreSink(desk.store, spec)
    now = desk.clock.now()

    def save(conn: Connection) -> None:
        batches = readings.batches_of(conn, item)
        mark = _moved(conn, spec.name, item.mark)
        for batch in batches:
            sink.put(conn, batch.rows, batch.rejected, mark, reread=batch.reread)
        rows = sum(len(batch.rows) + len(batch.rejected) for batch in batches)
        whole = item.since is None
        point = Point(item.rows if whole else rows, item.since, item.held_at)
        readings.add_point(conn, spec.name, item.table, item.unit, point)
        readings.release(conn, item, now, desk.actor, reason)

    desk.store.write(save)


def discard(desk: Desk, spec: SourceSpec, reason: str = "") -> tuple[HeldReading, ...]:
    """Drop what is held of a source. Raises ConfigError when nothing is.

    A file is not read again until it changes; a view is read again from where it was.
    """
    now = desk.clock.now()
    whole = adapter_of(spec).whole_objects
    with desk.store.read() as conn:
        waiting = readings.held_of(conn, spec.name)

    def save(conn: Connection) -> None:
        for item in waiting:
            if whole:
                marks = read_watermark(item.mark, spec.name)
                dropped = {key: {**mark, "dropped": True} for key, mark in marks.items()}
                moved = _moved(conn, spec.name, write_watermark(dropped))
                inbox.set_watermark(conn, spec.name, moved, now)
            readings.discard(conn, item, now, desk.actor, reason)

    desk.store.write(save)
    return waiting


def _moved(conn: Connection, source: str, mark: str) -> str:
    """The bookmark with one unit moved on."""
    marks = read_watermark(inbox.watermark(conn, source), source)
    return write_watermark({**marks, **read_watermark(mark, source)})
