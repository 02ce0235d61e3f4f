"""What is refused at opening, by name: a network disk, a second process; and a clock set back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError
from dipgate.store import audit, clock_notes, messages, open_store
from dipgate.store.local_disk import (
    Mount,
    mount_of,
    read_mountinfo,
    refuse_network_path,
    system_mounts,
)
from dipgate.store.lock import command_words, holder_of

MOUNTINFO = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/share rw,relatime shared:2 - nfs4 srv:/export rw,vers=4.2
31 22 0:41 / /mnt/win\040share rw,relatime - cifs //srv/daten rw
32 30 8:17 / /mnt/share/local rw,relatime master:3 propagate_from:2 - ext4 /dev/sdb1 rw
33 22 0:42 / /home/a/remote rw,nosuid - fuse.sshfs a@b:/x rw
a broken line
"""
HOSPITAL = "H99010000001"


def local() -> tuple[Mount, ...]:
    return (Mount("/", "ext4", "/dev/sda1"),)


@pytest.mark.parametrize(
    ("folder", "says"),
    [
        ("/var/lib/dipgate", ""),
        ("/mnt/share/dipgate", r"nfs4，srv:/export 挂在 /mnt/share"),
        ("/mnt/win share/state", r"cifs，//srv/daten 挂在 /mnt/win share"),
        ("/mnt/share-local/x", ""),
        ("/mnt/share/local/state", ""),
        ("/home/a/remote", r"fuse\.sshfs"),
    ],
)
def test_a_folder_on_a_network_disk_is_refused_with_the_way_out(folder: str, says: str) -> None:
    def mounts() -> tuple[Mount, ...]:
        return tuple(read_mountinfo(MOUNTINFO))

    if not says:
        refuse_network_path(Path(folder), mounts=mounts)
        return
    with pytest.raises(ConfigError, match=says) as refused:
        refuse_network_path(Path(folder), mounts=mounts)
    assert "本机磁盘" in str(refused.value)


@pytest.mark.parametrize("path", ["\\\\srv\\share\\state", "//srv/share", "\\\\?\\UNC\\srv\\share"])
def test_unc_paths_are_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="UNC"):
        refuse_network_path(Path(path), mounts=local)


@pytest.mark.parametrize(("kind", "refused"), [(3, False), (4, True), (2, False)])
def test_a_mapped_drive_is_refused_and_a_local_one_is_not(kind: int, refused: bool) -> None:
    asked: list[str] = []

    def drive_type(root: str) -> int:
        asked.append(root)
        return kind

    state = Path("Z:\\dipgate\\state")
    if refused:
        with pytest.raises(ConfigError, match="网络驱动器 Z:"):
            refuse_network_path(state, mounts=local, drive_type=drive_type)
    else:
        refuse_network_path(state, mounts=local, drive_type=drive_type)
    assert asked[0] == "Z:\\"


def test_a_link_to_a_network_disk_is_followed(tmp_path: Path) -> None:
    link = tmp_path / "state"
    real = tmp_path / "share"
    real.mkdir()
    link.symlink_to(real)
    mounts = (*local(), Mount(str(real.resolve()), "smb3", "//srv/x"))
    with pytest.raises(ConfigError, match="smb3"):
        refuse_network_path(link, mounts=lambda: mounts)


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="Linux says so in /proc")
def test_the_systems_own_table_is_read() -> None:
    mounts = system_mounts()
    assert mount_of(Path("/proc/self"), mounts) == Mount("/proc", "proc", "proc")
    assert mount_of(Path("/"), mounts) is not None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (["/usr/bin/dipgate", "serve"], "dipgate serve"),
        (["/x/gateway/__main__.py", "--state", "serve", "user", "add", "li"], "dipgate user add"),
        (["dipgate", "check", "/data/张三.json"], "dipgate check"),
        (["dipgate", "--state=/x", "intake", "--history", "his"], "dipgate intake"),
        (["dipgate.exe", "queue", "retry", "7", "--reason", "x"], "dipgate queue retry"),
        (["-c", "x=1"], "dipgate"),
        ([], "dipgate"),
    ],
)
def test_a_command_is_told_without_what_it_was_given(line: list[str], words: str) -> None:
    assert command_words(line) == words


def until(true: object, seconds: float = 60.0) -> None:
    assert callable(true)
    limit, pause = monotonic() + seconds, Event()
    while not true():
        assert monotonic() < limit, "did not happen in time"
        pause.wait(0.02)


def test_a_second_process_hears_who_holds_the_folder(sample_state: Path, tmp_path: Path) -> None:
    """Two real processes: `dipgate serve` holds it, `dipgate intake` is told by name."""
    port_file = tmp_path / "port"
    start = [sys.executable, "-P", "-m", "dipgate", "--state", str(sample_state)]
    serve = [*start, "serve", "--port", "0", "--port-file", str(port_file)]
    with (tmp_path / "log").open("wb") as out:
        holder = subprocess.Popen(serve, stdout=out, stderr=out)
        try:
            until(lambda: port_file.exists() or holder.poll() is not None)
            assert holder.poll() is None, (tmp_path / "log").read_text("utf-8")
            told = subprocess.run([*start, "intake"], capture_output=True, timeout=60)
            said = told.stderr.decode()
            card = holder_of(sample_state)
            assert told.returncode == 2
            assert f"命令 dipgate serve，进程 {holder.pid}" in said
            assert f"主机 {socket.gethostname()}" in said
            assert card is not None
            assert card.user in said
            assert f"自 {card.since}" in said
            # Killed, it leaves the card behind, but not the lock.
            holder.kill()
            holder.wait(timeout=30)
            assert (sample_state / ".lock.json").exists()
            after = subprocess.run([*start, "intake"], capture_output=True, timeout=120)
            assert after.returncode == 0, after.stderr.decode()
        finally:
            if holder.poll() is None:
                holder.send_signal(signal.SIGKILL)
                holder.wait(timeout=30)


def test_a_card_that_cannot_be_read_does_not_hide_the_lock(state: Path, clock: FixedClock) -> None:
    with open_store(state, clock, owner="test"):
        for text in ("", "{", json.dumps({"pid": os.getpid()}), "[]"):
            (state / ".lock.json").write_text(text, encoding="utf-8")
            with pytest.raises(ConfigError, match="没有留下进程号"):
                open_store(state, clock, owner="other")


def test_a_clock_set_back_is_told_and_corrupts_nothing(state: Path, clock: FixedClock) -> None:
    with open_store(state, clock, owner="test", hospital_code=HOSPITAL) as store:
        assert store.went_back == timedelta(0)
        clock.advance(3600)
        first = store.write(lambda conn: messages.next_msgid(conn, HOSPITAL, clock.now()))
        store.write(lambda conn: audit.add(conn, clock.now(), "甲", "store.backed_up", "store"))
        epoch = store.epoch
    last = clock.now()
    clock.advance(-1800)
    with open_store(state, clock, owner="test", hospital_code=HOSPITAL) as store:
        assert store.went_back == timedelta(minutes=30)
        assert store.epoch == epoch + 1
        second = store.write(lambda conn: messages.next_msgid(conn, HOSPITAL, clock.now()))
        assert second > first
        with store.read() as conn:
            (note,) = clock_notes.notes(conn)
            acts = [row.act for row in audit.rows(conn)]
            assert conn.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    assert (note.name, note.ours, note.theirs) == ("own", clock.now(), last)
    assert acts.count("store.clock_back") == 1
    # Once told, it is told again only when it goes back again.
    clock.advance(1)
    with open_store(state, clock, owner="test", hospital_code=HOSPITAL) as store:
        assert store.went_back == timedelta(0)


def test_a_few_seconds_are_no_step_back(state: Path, clock: FixedClock) -> None:
    open_store(state, clock, owner="test").close()
    clock.advance(-4)
    with open_store(state, clock, owner="test") as store:
        assert store.went_back == timedelta(0)
