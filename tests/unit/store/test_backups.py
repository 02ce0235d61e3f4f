"""Backup and restore: whole or not at all, and after a restore nothing is sent unasked."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError
from dipgate.core.exchange import FINAL, State
from dipgate.store import Store, audit, backup, note_backup, open_store, outbox, overlays, restore
from dipgate.store.messages import next_msgid
from dipgate.store.outbox import OutboxRow
from dipgate.store.tables import outbox as table

CODE = "H99010000001"
Enqueue = Callable[..., OutboxRow]


def _in_every_state(store: Store, enqueue: Enqueue) -> dict[int, State]:
    """A row in each state, each of a settlement of its own."""
    made = {enqueue(f"S-{state.value}").id: state for state in State}
    for number, state in made.items():
        store.write(
            lambda conn, n=number, s=state: conn.execute(
                table.update().where(table.c.id == n).values(state=s.value)
            )
        )
    return made


def _msgid(store: Store, clock: FixedClock) -> str:
    return store.write(lambda conn: next_msgid(conn, CODE, clock.now()))


def test_a_backup_of_a_live_store_is_whole(
    store: Store, tmp_path: Path, enqueue: Enqueue, clock: FixedClock
) -> None:
    row = enqueue("S1")
    digest = store.keep_raw(b"raw")
    target = tmp_path / "there" / "b.sqlite"
    report = backup(store, target)
    assert (report.file, report.raw_files) == (target, 1)
    assert report.size == target.stat().st_size
    assert target.stat().st_mode & 0o077 == 0
    enqueue("S2")
    with closing(sqlite3.connect(target)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert raw.execute("SELECT key FROM outbox").fetchall() == [(row.key,)]
        assert raw.execute("SELECT hash, size FROM backup_raw_files").fetchall() == [(digest, 3)]
    assert [file.name for file in target.parent.iterdir()] == ["b.sqlite"]
    assert not note_backup(store.state, clock, actor="root", report=report)
    store.close()
    assert note_backup(store.state, clock, actor="root", report=report)
    with open_store(store.state, clock, owner="t", read_only=True) as again, again.read() as conn:
        assert [each.actor for each in audit.rows(conn, act="store.backed_up")] == ["root"]


def test_a_backup_never_replaces_a_file(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "b.sqlite"
    target.write_text("mine")
    with pytest.raises(ConfigError, match="已存在"):
        backup(store, target)
    assert target.read_text() == "mine"
    with pytest.raises(ConfigError, match="没有可备份"):
        backup(tmp_path / "nothing", tmp_path / "c.sqlite")


def test_after_a_restore_what_is_not_final_is_unknown(
    store: Store, tmp_path: Path, enqueue: Enqueue, clock: FixedClock
) -> None:
    states = _in_every_state(store, enqueue)
    backup(store, tmp_path / "b.sqlite")
    enqueue("S-later")
    store.close()
    report = restore(tmp_path / "b.sqlite", store.state, clock, actor="王工")
    open_states = {number for number, state in states.items() if state not in FINAL}
    assert report.unknown == len(open_states)
    assert report.missing_raw == ()
    assert report.restore_epoch == 1
    with open_store(store.state, clock, owner="t") as again, again.read() as conn:
        rows = {row.id: row for row in outbox.list_rows(conn)}
        last = audit.rows(conn, act="store.restored")[-1]
    assert set(rows) == set(states)
    for number, state in states.items():
        expected = State.UNKNOWN if number in open_states else state
        assert rows[number].state is expected
        assert rows[number].not_before > clock.now() or number not in open_states
    assert (last.actor, last.detail["unknown"]) == ("王工", len(open_states))
    assert report.replaced is not None
    with closing(sqlite3.connect(report.replaced)) as raw:
        assert raw.execute("SELECT count(*) FROM outbox").fetchone() == (len(states) + 1,)


def test_numbers_given_after_the_backup_are_never_given_again(
    store: Store, tmp_path: Path, enqueue: Enqueue, clock: FixedClock
) -> None:
    def correct(opened: Store) -> int:
        return opened.write(
            lambda conn: overlays.add(
                conn,
                settlement_id="S1",
                op="set",
                path="setlinfo.gend",
                reason="x",
                author="y",
                at=clock.now(),
            )
        )

    enqueue("S1")
    first_message, first_correction = _msgid(store, clock), correct(store)
    backup(store, tmp_path / "b.sqlite")
    lost = [_msgid(store, clock) for _ in range(50)]
    lost_corrections = [correct(store) for _ in range(5)]
    lost_row = enqueue("S2")
    epoch = store.epoch
    store.close()
    restore(tmp_path / "b.sqlite", store.state, clock)
    with open_store(store.state, clock, owner="t") as again:
        assert again.epoch > epoch
        message = _msgid(again, clock)
        assert message not in {first_message, *lost}
        assert message > max(lost)
        assert correct(again) > max(first_correction, *lost_corrections)
        made = again.write(
            lambda conn: outbox.enqueue(
                conn,
                key=lost_row.key,
                case_id="none",
                settlement_id="S2",
                person_no="P",
                infno="4101A",
                revision=1,
                payload=b"{}",
                digest="d",
                now=clock.now(),
            )
        )
        # It was perhaps sent between backup and restore: the platform is asked first.
        assert made.state is State.UNKNOWN
        assert made.id > lost_row.id


def test_restoring_twice_rises_further(store: Store, tmp_path: Path, clock: FixedClock) -> None:
    _msgid(store, clock)
    backup(store, tmp_path / "b.sqlite")
    store.close()
    messages = []
    for number in (1, 2, 3):
        assert restore(tmp_path / "b.sqlite", store.state, clock).restore_epoch == number
        with open_store(store.state, clock, owner="t") as again:
            messages.append(_msgid(again, clock))
    assert messages == sorted(set(messages))
    kept = list((store.state / "backups").glob("replaced-*.sqlite"))
    assert len(kept) == 3


def test_a_restore_onto_a_fresh_machine_names_missing_raw_files(
    store: Store, tmp_path: Path, clock: FixedClock
) -> None:
    digest = store.keep_raw(b"raw")
    backup(store, tmp_path / "b.sqlite")
    fresh = tmp_path / "fresh"
    report = restore(tmp_path / "b.sqlite", fresh, clock)
    assert report.missing_raw == (digest,)
    assert report.replaced is None
    with open_store(fresh, clock, owner="t", hospital_code=CODE) as opened, opened.read() as conn:
        names = conn.exec_driver_sql("SELECT name FROM sqlite_master").scalars().all()
    assert "backup_raw_files" not in names


def test_a_broken_store_can_be_replaced(
    store: Store, tmp_path: Path, clock: FixedClock, enqueue: Enqueue
) -> None:
    enqueue("S1")
    backup(store, tmp_path / "b.sqlite")
    store.close()
    (store.state / "dipgate.sqlite").write_bytes(b"rubbish" * 1000)
    report = restore(tmp_path / "b.sqlite", store.state, clock)
    assert report.replaced is not None
    assert report.replaced.read_bytes() == b"rubbish" * 1000
    with open_store(store.state, clock, owner="t") as again, again.read() as conn:
        assert outbox.counts(conn)[State.UNKNOWN] == 1


def test_what_is_no_sound_backup_is_refused_and_nothing_changes(
    store: Store, tmp_path: Path, clock: FixedClock, enqueue: Enqueue
) -> None:
    enqueue("S1")
    good = tmp_path / "b.sqlite"
    backup(store, good)
    store.close()
    before = (store.state / "dipgate.sqlite").read_bytes()
    text = tmp_path / "text"
    text.write_text("not a database " * 100)
    other = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(other)) as raw:
        raw.execute("CREATE TABLE x (y)")
    cut = tmp_path / "cut.sqlite"
    cut.write_bytes(good.read_bytes()[:-40960])
    newer = tmp_path / "newer.sqlite"
    newer.write_bytes(good.read_bytes())
    with closing(sqlite3.connect(newer)) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
        raw.commit()
    for file, words in (
        (tmp_path / "none", "没有备份文件"),
        (text, "不是数据库"),
        (other, "不是 dipgate 的备份"),
        (cut, "损坏"),
        (newer, "更新版本"),
    ):
        with pytest.raises(ConfigError, match=words):
            restore(file, store.state, clock)
    assert (store.state / "dipgate.sqlite").read_bytes() == before
    assert not list(store.state.glob("*.restoring"))


def test_another_hospital_is_refused(store: Store, tmp_path: Path, clock: FixedClock) -> None:
    backup(store, tmp_path / "b.sqlite")
    other = tmp_path / "other"
    open_store(other, clock, owner="t", hospital_code="H99010000002").close()
    with pytest.raises(ConfigError, match=r"H99010000001.*H99010000002"):
        restore(tmp_path / "b.sqlite", other, clock)


def test_a_folder_in_use_is_refused(store: Store, tmp_path: Path, clock: FixedClock) -> None:
    backup(store, tmp_path / "b.sqlite")
    with pytest.raises(ConfigError, match="另一个进程使用"):
        restore(tmp_path / "b.sqlite", store.state, clock)
