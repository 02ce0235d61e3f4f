"""How other clocks stood when they were last compared with ours; it outlives the process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert as upsert

from dipgate.store.reading_tables import clock_notes as table

PLATFORM = "platform"
OWN = "own"
"""Our own clock, against what was written last."""


@dataclass(frozen=True, slots=True)
class ClockNote:
    """Two clocks at one moment. Both times are aware."""

    name: str
    ours: datetime
    theirs: datetime

    @property
    def ahead(self) -> float:
        """Seconds that the other clock is ahead of ours."""
        return (self.theirs - self.ours).total_seconds()


def source_clock(source: str) -> str:
    """The name of a source server's clock."""
    return f"source:{source}"


def note(conn: Connection, name: str, *, ours: datetime, theirs: datetime) -> None:
    """Remember a comparison in place of the one before."""
    new = upsert(table).values(name=name, ours=ours, theirs=theirs)
    conn.execute(
        new.on_conflict_do_update(
            index_elements=["name"], set_={"ours": new.excluded.ours, "theirs": new.excluded.theirs}
        )
    )


def notes(conn: Connection) -> tuple[ClockNote, ...]:
    """The last comparison with each clock, by name."""
    query = select(table).order_by(table.c.name)
    return tuple(ClockNote(row.name, row.ours, row.theirs) for row in conn.execute(query))
