"""The writing thread: grouped commits, failures that stay their caller's, and the end."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import OperationalError

from dipgate.core.errors import ConfigError
from dipgate.store import StaleOwner, Store, StoreUnavailable
from dipgate.store.tables import lease, sequences


def _put(name: str, value: int = 1):  # type: ignore[no-untyped-def]
    def work(conn: Connection) -> int:
        conn.execute(insert(sequences).values(name=name, value=value))
        return value

    return work


def _names(store: Store) -> set[str]:
    with store.read() as conn:
        return set(conn.execute(select(sequences.c.name)).scalars())


def test_what_is_returned_is_committed(store: Store) -> None:
    assert store.write(_put("a", 7)) == 7
    with closing(sqlite3.connect(store.state / "dipgate.sqlite")) as other:
        assert other.execute("SELECT value FROM sequences").fetchall() == [(7,)]


def test_a_failure_comes_back_and_undoes_its_own_changes_only(store: Store) -> None:
    def fails(conn: Connection) -> None:
        _put("lost")(conn)
        raise KeyError("mine")

    store.write(_put("before"))
    with pytest.raises(KeyError, match="mine"):
        store.write(fails)
    store.write(_put("after"))
    assert _names(store) == {"before", "after"}


def test_many_callers_share_commits_and_failures_stay_apart(store: Store) -> None:
    inside = threading.Event()
    go = threading.Event()

    def slow(conn: Connection) -> int:  # noqa: ARG001
        inside.set()
        assert go.wait(10)
        return 0

    def one(number: int) -> object:
        def work(conn: Connection) -> int:
            _put(f"n{number:03d}")(conn)
            if number % 10 == 3:
                raise ValueError(number)
            return number

        try:
            return store.write(work)
        except ValueError as error:
            return error

    with ThreadPoolExecutor(80) as pool:
        first = pool.submit(store.write, slow)
        assert inside.wait(10)
        rest = [pool.submit(one, number) for number in range(79)]
        while store._writer is not None and store._writer._jobs.qsize() < 79:
            pass
        go.set()
        assert first.result(10) == 0
        answers = [each.result(10) for each in rest]
    failed = {number for number in range(79) if number % 10 == 3}
    assert {n for n, answer in enumerate(answers) if isinstance(answer, ValueError)} == failed
    assert _names(store) == {f"n{number:03d}" for number in range(79) if number not in failed}


def test_a_write_inside_a_write_is_refused_at_once(store: Store) -> None:
    with pytest.raises(RuntimeError, match="called inside"):
        store.write(lambda _: store.write(lambda _: None))


def test_readers_do_not_see_what_is_not_committed(store: Store) -> None:
    def work(conn: Connection) -> set[str]:
        _put("early")(conn)
        return _names(store)

    assert store.write(work) == set()
    assert _names(store) == {"early"}


def test_a_reader_sees_one_moment(store: Store) -> None:
    with store.read() as conn:
        assert conn.execute(select(sequences.c.name)).scalars().all() == []
        store.write(_put("later"))
        assert conn.execute(select(sequences.c.name)).scalars().all() == []


def test_a_stale_owner_commits_nothing(store: Store) -> None:
    store.write(lambda conn: conn.execute(update(lease).values(epoch=99)))
    with pytest.raises(StaleOwner):
        store.write(_put("stale"))
    assert _names(store) == set()


def test_after_closing_writes_are_refused(store: Store) -> None:
    store.close()
    with pytest.raises(ConfigError, match="已关闭"):
        store.write(_put("late"))
    store.close()


def test_a_full_disk_is_said_and_nothing_is_stored(store: Store) -> None:
    def fill(conn: Connection) -> None:
        conn.exec_driver_sql("CREATE TABLE big (data BLOB)")
        for _ in range(200):
            conn.exec_driver_sql("INSERT INTO big VALUES (zeroblob(100000))")

    def limit(conn: Connection) -> None:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
        conn.exec_driver_sql(f"PRAGMA max_page_count={int(pages or 0) + 4}")

    store.write(limit)
    with pytest.raises(StoreUnavailable, match="磁盘已满"):
        store.write(fill)
    with pytest.raises(StoreUnavailable):
        store.write(fill)
    store.write(lambda conn: conn.exec_driver_sql("PRAGMA max_page_count=1000000"))
    store.write(_put("again"))
    assert _names(store) == {"again"}


def test_a_full_disk_in_a_group_fails_only_what_was_not_stored(store: Store) -> None:
    """Whatever a caller was told, the table says the same."""
    store.write(lambda conn: conn.exec_driver_sql("CREATE TABLE big (name TEXT, data BLOB)"))

    def limit(conn: Connection) -> None:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
        conn.exec_driver_sql(f"PRAGMA max_page_count={int(pages or 0) + 40}")

    store.write(limit)

    def one(number: int) -> bool:
        def work(conn: Connection) -> None:
            conn.exec_driver_sql("INSERT INTO big VALUES (?, zeroblob(20000))", (str(number),))

        try:
            store.write(work)
        except StoreUnavailable:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        told = {n for n, stored in enumerate(pool.map(one, range(48))) if stored}
    with store.read() as conn:
        found = {int(x) for x in conn.exec_driver_sql("SELECT name FROM big").scalars()}
    assert told == found
    assert len(told) < 48


def test_swallowing_a_full_disk_does_not_turn_it_into_success(store: Store) -> None:
    store.write(lambda conn: conn.exec_driver_sql("CREATE TABLE big (data BLOB)"))

    def limit(conn: Connection) -> None:
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar()
        conn.exec_driver_sql(f"PRAGMA max_page_count={int(pages or 0) + 4}")

    def swallows(conn: Connection) -> None:
        _put("never")(conn)
        with suppress(OperationalError):
            conn.exec_driver_sql("INSERT INTO big VALUES (zeroblob(1000000))")

    store.write(limit)
    with pytest.raises(StoreUnavailable):
        store.write(swallows)
    assert _names(store) == set()
