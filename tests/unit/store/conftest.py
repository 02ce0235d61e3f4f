"""An opened store for each test, and shorthand for the rows that tests put into it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import pytest

from dipgate.core.clock import CHINA, FixedClock
from dipgate.core.record import RawRow
from dipgate.store import Store, open_store, outbox

HOSPITAL = "H99010000001"


@pytest.fixture(scope="session")
def _fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new database, migrated once for all tests."""
    folder = tmp_path_factory.mktemp("fresh")
    at = datetime(2025, 6, 1, tzinfo=CHINA)
    open_store(folder, FixedClock(at), owner="test", hospital_code=HOSPITAL).close()
    return folder / "dipgate.sqlite"


@pytest.fixture
def store(state: Path, clock: FixedClock, _fresh: Path) -> Iterator[Store]:
    shutil.copy(_fresh, state / "dipgate.sqlite")
    with open_store(state, clock, owner="test", hospital_code=HOSPITAL) as opened:
        yield opened


@pytest.fixture
def row() -> Callable[..., RawRow]:
    """`row("charge", "S1", 2, 名称="床位费")` → a source row of file `f.csv`."""

    def make(
        table: str, key: str, line: int, *, raw: str = "a", file: str = "f.csv", **values: str
    ) -> RawRow:
        return RawRow(table, key, file, line, values, raw * 64)

    return make


@pytest.fixture
def enqueue(store: Store, clock: FixedClock) -> Callable[..., outbox.OutboxRow]:
    """`enqueue("SETL1", revision=2)` → a row in the outbox."""

    def put(settlement: str, *, revision: int = 1, case_id: str = "") -> outbox.OutboxRow:
        return store.write(
            lambda conn: outbox.enqueue(
                conn,
                key=f"{settlement}/{revision}",
                case_id=case_id or f"case-{settlement}",
                settlement_id=settlement,
                person_no="P1",
                infno="4101A",
                revision=revision,
                payload=b'{"setlinfo":{}}',
                digest="d" * 64,
                now=clock.now(),
            )
        )

    return put


@pytest.fixture
def claim(store: Store, clock: FixedClock) -> Callable[[], outbox.OutboxRow | None]:
    """Claims the next row with a lease of 30 s and a settle time of 10 s."""

    def take() -> outbox.OutboxRow | None:
        return store.write(
            lambda conn: outbox.claim(
                conn,
                now=clock.now(),
                lease_seconds=30,
                epoch=store.epoch,
                hospital_code=HOSPITAL,
                settle_seconds=10,
            )
        )

    return take
