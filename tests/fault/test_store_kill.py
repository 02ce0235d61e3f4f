"""What was acknowledged is stored, through kill -9; a second owner ends the first."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select

from dipgate.core.clock import FixedClock
from dipgate.store import StaleOwner, Store, open_store
from dipgate.store.database import writing_engine
from dipgate.store.tables import sequences
from dipgate.store.writer import Writer

pytestmark = [
    pytest.mark.fault,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL (not on Windows)"),
]

WRITER = """
import os, signal, sys, threading
from datetime import datetime, timezone
from pathlib import Path
from sqlalchemy import insert
from dipgate.core.clock import FixedClock
from dipgate.store import open_store
from dipgate.store.tables import sequences

state, mode = Path(sys.argv[1]), sys.argv[2]
store = open_store(state, FixedClock(datetime(2025, 6, 16, tzinfo=timezone.utc)), owner="writer")
start = store.epoch * 1_000_000
gate = threading.Lock()

def acknowledge(name):
    with gate:
        os.write(1, (name + "\\n").encode())

def work(lane):
    for number in range(100_000):
        name = f"{start + number}-{lane}"
        digest = store.keep_raw(name.encode())
        def put(conn):
            conn.execute(insert(sequences).values(name=name, value=number))
            if mode == "early":
                acknowledge(f"{name} {digest}")
                if number == 20:
                    os.kill(os.getpid(), signal.SIGKILL)
        store.write(put)
        if mode == "late":
            acknowledge(f"{name} {digest}")

threads = [threading.Thread(target=work, args=(lane,), daemon=True) for lane in range(4)]
for each in threads:
    each.start()
for each in threads:
    each.join()
"""


def _run_and_kill(state: Path, mode: str, after: int) -> list[tuple[str, str]]:
    """Start a writer, kill it after so many acknowledgements; all that it acknowledged."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(state), mode],
        stdout=subprocess.PIPE,
        env=environment,
    )
    guard = threading.Timer(60, process.kill)
    guard.start()
    try:
        assert process.stdout is not None
        heard = []
        for line in process.stdout:
            heard.append(line)
            if len(heard) == after:
                process.send_signal(signal.SIGKILL)
        process.wait()
    finally:
        guard.cancel()
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    assert process.returncode == -signal.SIGKILL
    whole = [line.decode().split() for line in heard if line.endswith(b"\n")]
    return [(name, digest) for name, digest in whole]


def _stored(state: Path) -> set[str]:
    with closing(sqlite3.connect(state / "dipgate.sqlite")) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {row[0] for row in raw.execute("SELECT name FROM sequences")}


def test_what_was_acknowledged_is_stored_through_kills(state: Path, clock: FixedClock) -> None:
    chance = random.Random(20250616)  # noqa: S311
    acknowledged: list[tuple[str, str]] = []
    for _ in range(5):
        acknowledged += _run_and_kill(state, "late", chance.randint(1, 120))
    names = {name for name, _ in acknowledged}
    assert len(names) == len(acknowledged)
    assert names <= _stored(state)
    with open_store(state, clock, owner="after") as store:
        assert store.epoch == 6
        for name, digest in acknowledged:
            assert store.raw(digest) == name.encode()


def test_the_check_sees_an_acknowledgement_before_the_commit(state: Path) -> None:
    """The canary: the same writer, answering before it has committed, loses what it promised."""
    acknowledged = {name for name, _ in _run_and_kill(state, "early", 10_000)}
    assert acknowledged - _stored(state)


def _put(name: str):  # type: ignore[no-untyped-def]
    def work(conn: Connection) -> None:
        conn.execute(insert(sequences).values(name=name, value=1))

    return work


def _names(store: Store) -> list[str]:
    with store.read() as conn:
        return list(conn.execute(select(sequences.c.name)).scalars())


def test_an_owner_whose_lock_was_taken_away_commits_nothing(state: Path, clock: FixedClock) -> None:
    """Somebody deletes the lock file and starts a second process: the first one is finished."""
    first = open_store(state, clock, owner="first")
    first.write(_put("mine"))
    (state / ".lock").unlink()
    with open_store(state, clock, owner="second") as second:
        assert second.epoch == first.epoch + 1
        for _ in range(5):
            with pytest.raises(StaleOwner):
                first.write(_put("stale"))
        second.write(_put("theirs"))
        assert _names(second) == ["mine", "theirs"]
    first.close()


def test_without_the_epoch_the_stale_owner_would_commit(state: Path, clock: FixedClock) -> None:
    """The canary: the same thread without the guard."""
    open_store(state, clock, owner="first").close()
    unguarded = Writer(writing_engine(state / "dipgate.sqlite"), lambda _: None)
    with open_store(state, clock, owner="second") as second:
        unguarded.write(_put("stale"))
        assert _names(second) == ["stale"]
    unguarded.close()
