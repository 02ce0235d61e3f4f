"""What runs beside the pages: which jobs, in which mode, and how the process ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from time import monotonic

import pytest

from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.core.clock import FixedClock
from dipgate.core.reference import Hospital as OwnHospital
from dipgate.demo.export import csv_source, site_sources, write_csv
from dipgate.demo.hospital import generate
from dipgate.pipeline.edits import release_clean
from dipgate.service import jobs
from dipgate.service.runtime import EXIT_DEAD_WORKER, Runtime
from dipgate.service.sender import SendJob
from dipgate.service.wiring import open_desk
from dipgate.service.worker import Done, Pulse
from dipgate.store import Store, cases, outbox, vitals
from dipgate.store.backup_card import read_card
from dipgate.web.context import JobStatus

MONTH = date(2025, 3, 1)
LIMIT = 20.0


def until(true: Callable[[], bool]) -> None:
    limit, pause = monotonic() + LIMIT, threading.Event()
    while not true():
        assert monotonic() < limit, "did not happen in time"
        pause.wait(0.01)


def job(runtime: Runtime, name: str) -> JobStatus:
    return next(status for status in runtime.jobs() if status.name == name)


@pytest.fixture
def site(sample_state: Path, tmp_path: Path) -> Path:
    """The sample site with a source of 12 clean stays."""
    own = OwnHospital("H99010000001", "示例市第一人民医院", "3", "990100")
    library = load_library(sample_state, "sample", day=MONTH)
    reference = References(sample_state, own).on(MONTH)
    month = generate(reference, library, seed=3, month=MONTH, size=12, defect_share=0.0)
    export = tmp_path / "export"
    write_csv(month, export)
    file = sample_state / "site.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text + "\n" + site_sources(csv_source(export)), encoding="utf-8")
    return file


def change(site: Path, old: str, new: str) -> None:
    text = site.read_text(encoding="utf-8")
    assert old in text
    site.write_text(text.replace(old, new, 1), encoding="utf-8")


@contextmanager
def running(
    site: Path, clock: FixedClock, on_death: Callable[[], object] = lambda: None
) -> Iterator[Runtime]:
    with open_desk(site.parent, site, clock=clock) as desk, Runtime(desk, version="0.0") as runtime:
        runtime.start(on_death)
        yield runtime


def store_of(runtime: Runtime) -> Store:
    return runtime._desk.store


def test_at_start_the_sources_are_read_and_nothing_is_sent(site: Path, clock: FixedClock) -> None:
    with running(site, clock) as runtime:
        until(lambda: job(runtime, "intake").last_succeeded is not None)
        intake = job(runtime, "intake")
        assert "映射 12 份" in intake.detail
        assert intake.next_run is not None
        assert job(runtime, "sender").state == "off"
        assert job(runtime, "pull").state == "off"
        assert job(runtime, "reconcile").state == "off"
        assert job(runtime, "backup").state == "off"
        assert not runtime.ask_soon("sender")
        assert not runtime.ask_soon("nonsense")
        assert runtime.ask_soon("intake")
        until(lambda: job(runtime, "intake").detail == "")
        assert runtime.started_at == clock.now()
        with store_of(runtime).read() as conn:
            assert cases.counts(conn)["checked"] == 12
    assert runtime.exit_code == 0


def test_one_unreadable_source_does_not_hold_up_the_other(site: Path, clock: FixedClock) -> None:
    other = site.read_text(encoding="utf-8").rpartition("[[sources]]")[2]
    name = other.split('name = "')[1].split('"')[0]
    lost = other.replace(f'name = "{name}"', 'name = "lost"')
    path = lost.split('path = "')[1].split('"')[0]
    before, _, rest = site.read_text(encoding="utf-8").rpartition("[[sources]]")
    broken = lost.replace(f'path = "{path}"', 'path = "nowhere"')
    site.write_text(f"{before}[[sources]]{broken}\n[[sources]]{rest}", encoding="utf-8")
    with running(site, clock) as runtime:
        until(lambda: job(runtime, "intake").state == "failed")
        assert "lost" in job(runtime, "intake").detail
        with store_of(runtime).read() as conn:
            assert cases.counts(conn)["checked"] == 12
        assert runtime.death is None


def test_shadow_queues_what_is_released_and_sends_nothing(site: Path, clock: FixedClock) -> None:
    change(site, 'mode = "observe"', 'mode = "shadow"')
    with running(site, clock) as runtime:
        until(lambda: job(runtime, "intake").last_succeeded is not None)
        released = release_clean(runtime._desk, author="甲")
        assert released == 12
        runtime.ask_soon("sender")
        until(lambda: "12 份等待上传" in job(runtime, "sender").detail)
        with store_of(runtime).read() as conn:
            assert sum(outbox.counts(conn).values()) == 12
            assert cases.counts(conn)["queued"] == 12


def test_live_without_a_secret_says_so_and_keeps_running(site: Path, clock: FixedClock) -> None:
    change(site, 'mode = "observe"', 'mode = "live"')
    change(site, 'url = ""', 'url = "http://127.0.0.1:9"')
    with running(site, clock) as runtime:
        until(lambda: job(runtime, "intake").last_succeeded is not None)
        release_clean(runtime._desk, author="甲")
        runtime.ask_soon("sender")
        until(lambda: job(runtime, "sender").state == "failed")
        assert "DIPGATE_PLATFORM_SECRET" in job(runtime, "sender").detail
        assert job(runtime, "pull").detail == "还没有平台接收的清单，没有结果可取"
        assert runtime.death is None


def test_an_exception_that_leaves_the_sender_ends_the_process(
    site: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_self: SendJob, _pulse: Pulse) -> Done:
        raise LookupError("金丝雀鸣")

    monkeypatch.setattr(SendJob, "__call__", broken)
    change(site, 'mode = "observe"', 'mode = "live"')
    told = threading.Event()
    with running(site, clock, told.set) as runtime:
        assert told.wait(LIMIT)
        assert runtime.death is not None
        assert runtime.death.worker == "sender"
        assert runtime.exit_code == EXIT_DEAD_WORKER
        assert job(runtime, "sender").state == "failed"
    (report,) = (site.parent / "reports").glob("*-sender.txt")
    text = report.read_text(encoding="utf-8")
    assert "error: LookupError" in text
    assert "金丝雀" not in text


def test_a_scheduler_that_died_is_noticed(site: Path, clock: FixedClock) -> None:
    told = threading.Event()
    with running(site, clock, told.set) as runtime:
        runtime._timetable.stop()
        assert told.wait(LIMIT)
        assert runtime.death is not None
        assert runtime.death.worker == "scheduler"


def test_a_store_that_cannot_write_any_more_is_noticed(
    site: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = threading.Event()
    with running(site, clock, told.set) as runtime:
        until(lambda: job(runtime, "intake").last_succeeded is not None)
        monkeypatch.setattr(Store, "alive", False)
        assert told.wait(LIMIT)
        assert runtime.death is not None
        assert runtime.death.worker == "store"


def test_the_nightly_copy_keeps_the_newest(site: Path, clock: FixedClock, tmp_path: Path) -> None:
    change(site, '# backup_at = "01:30"', 'backup_at = "01:30"')
    change(site, 'backup_folder = ""', f'backup_folder = "{tmp_path / "copies"}"')
    change(site, "backup_keep = 7", "backup_keep = 2")
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / "mine.sqlite").write_bytes(b"keep")
    with open_desk(site.parent, site, clock=clock) as desk:
        for _ in range(4):
            clock.advance(60)
            assert "备份了" in jobs.copy_database(desk, Pulse()).detail
        left = sorted(path.name for path in folder.iterdir())
        assert left == [
            "dipgate-20250616-120300.sqlite",
            "dipgate-20250616-120400.sqlite",
            "mine.sqlite",
        ]
        card = read_card(desk.store.state)
        assert card is not None
        assert card.at == clock.now()
        with desk.store.read() as conn:
            assert vitals.last_act(conn, "store.backed_up") == clock.now()


def test_a_copy_that_cannot_be_written_says_where(
    site: Path, clock: FixedClock, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    change(site, 'backup_folder = ""', f'backup_folder = "{tmp_path / "file" / "x"}"')
    change(site, '# backup_at = "01:30"', 'backup_at = "01:30"')
    with running(site, clock) as runtime:
        until(lambda: job(runtime, "backup").state == "failed")
        assert "备份目录" in job(runtime, "backup").detail
        assert runtime.death is None
