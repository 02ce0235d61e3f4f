"""Opening a state folder: who may, and what is refused."""

from __future__ import annotations

import pkgutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError
from dipgate.store import Store, audit, database, open_store, outbox
from dipgate.store.local_disk import mount_of, read_mounts, refuse_network_path
from dipgate.store.schema import HEAD
from dipgate.store.tables import sequences

HOSPITAL = "H99010000001"


def test_opening_makes_folder_database_and_audit_rows(tmp_path: Path, clock: FixedClock) -> None:
    state = tmp_path / "deep" / "state"
    with open_store(state, clock, owner="test", hospital_code=HOSPITAL) as store:
        assert (store.epoch, store.hospital_code, store.read_only) == (1, HOSPITAL, False)
        with store.read() as conn:
            acts = [row.act for row in audit.rows(conn)]
    assert acts == ["store.created", "store.opened"]
    assert (state / "dipgate.sqlite").stat().st_mode & 0o077 == 0


def test_every_pragma_is_read_back(
    state: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = [
        (name, "NORMAL" if name == "synchronous" else value, expected)
        for name, value, expected in database.PRAGMAS
    ]
    monkeypatch.setattr(database, "PRAGMAS", tuple(wrong))
    with pytest.raises(ConfigError, match="synchronous"):
        open_store(state, clock, owner="test")


def test_the_writing_connection_has_the_promised_settings(store: Store) -> None:
    for name, _, expected in database.PRAGMAS:
        assert store.write(lambda c, n=name: c.exec_driver_sql(f"PRAGMA {n}").scalar()) == expected


def test_a_second_opening_is_refused_and_names_the_owner(store: Store, clock: FixedClock) -> None:
    with pytest.raises(ConfigError, match=r"另一个进程使用.*test"):
        open_store(store.state, clock, owner="second")


def test_another_process_is_refused_and_names_the_owner(store: Store) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom datetime import datetime, timezone\n"
        "from dipgate.core.clock import FixedClock\nfrom dipgate.store import open_store\n"
        "try:\n"
        "    open_store(Path(sys.argv[1]), FixedClock(datetime(2025, 1, 1, tzinfo=timezone.utc)),"
        " owner='other')\n"
        "except Exception as error:\n    sys.stdout.buffer.write(str(error).encode())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(store.state)], capture_output=True, timeout=30
    )
    assert "test" in done.stdout.decode(), done.stderr.decode()


def test_closing_gives_the_folder_free_and_epochs_rise(state: Path, clock: FixedClock) -> None:
    for epoch in (1, 2, 3):
        with open_store(state, clock, owner="test") as store:
            assert store.epoch == epoch


def test_one_hospital_per_folder(state: Path, clock: FixedClock) -> None:
    open_store(state, clock, owner="test").close()
    open_store(state, clock, owner="test", hospital_code=HOSPITAL).close()
    with pytest.raises(ConfigError, match=r"H99010000001.*H99010000002"):
        open_store(state, clock, owner="test", hospital_code="H99010000002")
    with pytest.raises(ConfigError, match="另建目录"):
        open_store(state, clock, owner="t", hospital_code="H99010000002", read_only=True)
    with open_store(state, clock, owner="test") as store:
        assert store.hospital_code == HOSPITAL


def test_a_failed_opening_leaves_the_folder_free(state: Path, clock: FixedClock) -> None:
    open_store(state, clock, owner="test", hospital_code=HOSPITAL).close()
    with pytest.raises(ConfigError):
        open_store(state, clock, owner="test", hospital_code="H99010000002")
    open_store(state, clock, owner="test").close()


def test_a_newer_schema_is_refused(state: Path, clock: FixedClock) -> None:
    open_store(state, clock, owner="test").close()
    with closing(sqlite3.connect(state / "dipgate.sqlite")) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
        raw.commit()
    for read_only in (False, True):
        with pytest.raises(ConfigError, match="更新版本的程序"):
            open_store(state, clock, owner="test", read_only=read_only)


def test_a_file_that_is_no_database_is_refused(state: Path, clock: FixedClock) -> None:
    (state / "dipgate.sqlite").write_bytes(b"not a database at all, but long enough" * 40)
    with pytest.raises(ConfigError, match="恢复"):
        open_store(state, clock, owner="test")


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path, clock: FixedClock) -> None:
    file = tmp_path / "state"
    file.write_text("")
    with pytest.raises(ConfigError, match="不能使用状态目录"):
        open_store(file, clock, owner="test")


def test_read_only_needs_a_store_and_refuses_writes(
    state: Path, tmp_path: Path, clock: FixedClock
) -> None:
    with pytest.raises(ConfigError, match="dipgate init"):
        open_store(tmp_path / "none", clock, owner="test", read_only=True)
    with open_store(state, clock, owner="test"):
        # Reading goes on beside the owner.
        with open_store(state, clock, owner="reader", read_only=True) as reader:
            assert reader.read_only
            with reader.read() as conn:
                assert outbox.counts(conn)[outbox.State.READY] == 0
            with pytest.raises(ConfigError, match="只读"):
                reader.write(lambda _: None)


def test_a_reading_connection_refuses_writes(store: Store) -> None:
    with store.read() as conn, pytest.raises(OperationalError, match="readonly"):
        conn.execute(sequences.insert().values(name="x", value=1))


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib/dipgate", None),
        ("/mnt/share/dipgate", "nfs4"),
        ("/mnt/win share/state", "cifs"),
        ("/mnt/share-local", None),
        ("/mnt/share/local/state", None),
        ("/home/a/sshfs", "fuse.sshfs"),
    ],
)
def test_network_paths_are_told_from_local_ones(folder: str, kind: str | None) -> None:
    mounts = (
        "/dev/sda1 / ext4 rw 0 0\n"
        "srv:/x /mnt/share nfs4 rw 0 0\n"
        "/dev/sdb1 /mnt/share/local ext4 rw 0 0\n"
        "//srv/x /mnt/win\\040share cifs rw 0 0\n"
        "a@b: /home/a/sshfs fuse.sshfs rw 0 0\n"
        "broken line\n"
    )
    found = mount_of(Path(folder), tuple(read_mounts(mounts)))
    assert found is not None
    if kind is None:
        refuse_network_path(Path(folder), mounts=lambda: tuple(read_mounts(mounts)))
        return
    assert found.kind == kind
    with pytest.raises(ConfigError, match=f"{kind}.*本机磁盘"):
        refuse_network_path(Path(folder), mounts=lambda: tuple(read_mounts(mounts)))


def test_a_unc_path_is_refused(clock: FixedClock) -> None:
    with pytest.raises(ConfigError, match="网络磁盘"):
        open_store(Path("\\\\server\\share\\state"), clock, owner="test")


def test_the_first_schema_is_the_tables(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.config import Config
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    from dipgate.store.tables import metadata

    for module in pkgutil.iter_modules(import_module("dipgate.store").__path__):
        if module.name.endswith("tables"):
            import_module(f"dipgate.store.{module.name}")
    with store.read() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []
    config = Config()
    config.set_main_option("script_location", "dipgate.store:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_an_older_database_is_copied_before_it_is_migrated(
    state: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dipgate.store import opening, schema

    now_at = schema.HEAD
    open_store(state, clock, owner="test", hospital_code=HOSPITAL).close()

    def upgrade(conn: object) -> None:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")  # type: ignore[attr-defined]

    monkeypatch.setattr(schema, "HEAD", "9999")
    monkeypatch.setattr(opening, "HEAD", "9999")
    monkeypatch.setattr(schema, "upgrade", upgrade)
    with pytest.raises(ConfigError, match="旧版本"):
        open_store(state, clock, owner="test", read_only=True)
    with open_store(state, clock, owner="test") as store, store.read() as conn:
        assert [row.act for row in audit.rows(conn)].count("store.migrated") == 1
    with closing(sqlite3.connect(state / "backups" / "before-9999.sqlite")) as raw:
        assert raw.execute("SELECT version_num FROM alembic_version").fetchone() == (now_at,)
        assert raw.execute("SELECT hospital_code FROM identity").fetchone() == (HOSPITAL,)


def test_a_failed_migration_changes_nothing(
    state: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dipgate.store import schema

    def broken(conn: object) -> None:
        conn.exec_driver_sql("DROP TABLE outbox")  # type: ignore[attr-defined]
        raise RuntimeError("half way")

    open_store(state, clock, owner="test").close()
    with monkeypatch.context() as inside:
        inside.setattr(schema, "HEAD", "9999")
        inside.setattr(schema, "upgrade", broken)
        with pytest.raises(RuntimeError):
            open_store(state, clock, owner="test")
    with open_store(state, clock, owner="test") as store, store.read() as conn:
        assert outbox.next_due(conn) is None
