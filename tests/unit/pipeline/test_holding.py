"""Far fewer rows than usual: held with both numbers, until a person or a normal reading."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest

from dipgate.core.clock import CHINA, FixedClock
from dipgate.core.errors import ConfigError
from dipgate.pipeline import hold_acts
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.health_gather import gather
from dipgate.pipeline.health_readings import readings as check
from dipgate.pipeline.hold_stage import SMALL, expected
from dipgate.pipeline.intake import SourceReport, read_sources
from dipgate.pipeline.vanished import _versions
from dipgate.service.wiring import open_desk
from dipgate.store import inbox, readings
from dipgate.store.readings import Point

SOURCE = """
[[sources]]
name = "his"
kind = "{kind}"
charset = "utf-8"
edition = "nhsa"
path = "{path}"

[sources.tables.settlement]
object = "{object}"
key = "流水号"
{watermark}

[sources.tables.settlement.columns]
setl_id = "结算ID"
psn_name = "姓名"
"""
NOW = datetime(2025, 3, 20, 2, 0, tzinfo=CHINA)
SHARE = Fraction(3, 10)


class Place:
    """A source of bills that the test fills: a folder of files, or a view."""

    def __init__(self, desk: Desk, clock: FixedClock, folder: Path) -> None:
        self.desk = desk
        self.clock = clock
        self.folder = folder
        self.written = 0

    def file(self, rows: int, *, name: str = "", first: int | None = None) -> Path:
        """A new file with bills of stays of its own, newer than all before."""
        self.written += 1
        began = self.written * 1000 if first is None else first
        lines = [f"ZY{n},S{n},{self.written}" for n in range(began, began + rows)]
        path = self.folder / (name or f"bills-{self.written:02}.csv")
        path.write_text("\n".join(["流水号,结算ID,姓名", *lines, ""]), "utf-8")
        os.utime(path, (self.written, self.written))
        return path

    def insert(self, rows: int) -> None:
        """New rows in the view."""
        with closing(sqlite3.connect(self.folder / "his.db")) as raw, raw:
            (last,) = raw.execute("SELECT coalesce(max(水位), 0) FROM bills").fetchone()
            raw.executemany(
                "INSERT INTO bills VALUES (?, ?, ?, ?)",
                [(f"ZY{n}", f"S{n}", "x", n) for n in range(last + 1, last + 1 + rows)],
            )

    def read(self, **later: float) -> SourceReport:
        self.clock.advance(timedelta(**later).total_seconds())
        return read_sources(self.desk)[0]

    def kept(self) -> int:
        with self.desk.store.read() as conn:
            return sum(item.rows for item in inbox.received(conn))

    def held(self) -> list[tuple[int, int]]:
        with self.desk.store.read() as conn:
            return [(item.rows, item.usual) for item in readings.held(conn)]

    def waiting(self) -> int:
        with self.desk.store.read() as conn:
            return inbox.count_to_map(conn)

    def spec(self):  # type: ignore[no-untyped-def]
        return self.desk.site.source_specs()[0]


def place(sample_state: Path, clock: FixedClock, kind: str, watermark: str) -> Iterator[Place]:
    folder = sample_state.parent / "his"
    folder.mkdir()
    path = folder if kind == "csv" else folder / "his.db"
    if kind == "sqlite":
        with closing(sqlite3.connect(path)) as raw:
            raw.execute("CREATE TABLE bills (流水号 TEXT, 结算ID TEXT, 姓名 TEXT, 水位 INTEGER)")
    site = sample_state / "site.toml"
    object_name = "*.csv" if kind == "csv" else "bills"
    text = SOURCE.format(kind=kind, path=path, object=object_name, watermark=watermark)
    site.write_text(site.read_text("utf-8") + text, "utf-8")
    with open_desk(sample_state, site, clock=clock) as desk:
        yield Place(desk, clock, folder)


@pytest.fixture
def files(sample_state: Path, clock: FixedClock) -> Iterator[Place]:
    yield from place(sample_state, clock, "csv", "")


@pytest.fixture
def view(sample_state: Path, clock: FixedClock) -> Iterator[Place]:
    yield from place(sample_state, clock, "sqlite", 'watermark = "水位"')


@pytest.fixture
def whole_view(sample_state: Path, clock: FixedClock) -> Iterator[Place]:
    yield from place(sample_state, clock, "sqlite", "")


def usual(at: Place, rows: int = 100, times: int = 5) -> None:
    for _ in range(times):
        at.file(rows)
        assert at.read().held == 0


def test_a_file_with_far_fewer_rows_waits_and_changes_nothing(files: Place) -> None:
    usual(files)
    # The same stays as the newest file, with other content: none of them is superseded.
    broken = files.file(29, first=5000)
    said = files.read()
    assert said.held == 1
    assert "29 行" in said.notes[0]
    assert "100 行" in said.notes[0]
    assert (said.stored, said.changed) == (0, 0)
    assert files.held() == [(29, 100)]
    assert (files.kept(), files.waiting()) == (500, 500)
    (shown,) = check(gather(files.desk))
    assert "29 行" in shown.sentence
    assert "100 行" in shown.sentence
    assert broken.read_bytes() in [p.read_bytes() for p in raw_files(files)]
    # Read again it is the same one reading.
    assert files.read().held == 1
    assert files.held() == [(29, 100)]


def raw_files(at: Place) -> list[Path]:
    return [path for path in (at.desk.store.state / "raw").rglob("*") if path.is_file()]


def test_what_is_released_is_received_even_when_the_file_is_gone(files: Place) -> None:
    usual(files)
    files.file(29, first=5000).rename(files.folder / "last.csv")
    files.read()
    (files.folder / "last.csv").unlink()
    (item,) = hold_acts.release(files.desk, files.spec())
    assert (item.rows, item.usual) == (29, 100)
    assert files.held() == []
    assert files.kept() == 500
    with files.desk.store.read() as conn:
        (row,) = inbox.stay_rows(conn, "his", "ZY5000")["settlement"]
    assert row.values["姓名"] == "6"
    with pytest.raises(ConfigError, match="没有扣住"):
        hold_acts.release(files.desk, files.spec())
    assert not files.read().stored


def test_what_is_discarded_is_not_read_again_until_it_changes(files: Place) -> None:
    usual(files)
    name = files.file(5).name
    files.read()
    hold_acts.discard(files.desk, files.spec())
    assert files.held() == []
    assert files.read().held == 0
    assert files.kept() == 500
    with files.desk.store.read() as conn:
        assert name not in _versions(conn, files.spec())
    files.file(100, name=name)
    assert files.read().stored == 100


def test_the_next_normal_file_covers_it_and_loses_nothing(files: Place) -> None:
    usual(files)
    files.file(5)
    files.read()
    files.file(90)
    said = files.read()
    assert (said.held, said.stored) == (0, 95)
    assert files.held() == []


@pytest.mark.parametrize(("rows", "held"), [(30, 0), (29, 1)])
def test_the_share_itself_is_enough(files: Place, rows: int, held: int) -> None:
    usual(files)
    files.file(rows)
    assert files.read().held == held


def test_four_readings_say_nothing_and_small_hospitals_are_never_held(files: Place) -> None:
    usual(files, SMALL - 1, 8)
    files.file(1)
    assert files.read().held == 0


def test_with_four_earlier_ones_anything_is_believed(files: Place) -> None:
    usual(files, 100, 4)
    files.file(1)
    assert files.read().held == 0


def test_an_empty_file_is_held_too(files: Place) -> None:
    usual(files)
    files.file(0)
    assert files.read().held == 1
    assert files.held() == [(0, 100)]


def test_an_older_file_may_be_as_small_as_it_is(files: Place) -> None:
    usual(files)
    os.utime(files.file(3), (0, 0))
    assert files.read().stored == 3


def daily(at: Place, days: int = 6) -> None:
    at.insert(5000)
    at.read()
    for _ in range(days):
        at.insert(100)
        assert at.read(days=1).held == 0


def test_a_view_is_compared_by_its_new_rows_per_day(view: Place) -> None:
    daily(view)
    view.insert(10)
    said = view.read(days=1)
    assert said.held == 1
    assert view.held() == [(10, 100)]
    assert view.kept() == 5600
    # A day later it is two days, of which one was normal: half of what is usual is believed.
    view.insert(100)
    said = view.read(days=1)
    assert (said.held, said.stored) == (0, 110)
    assert view.held() == []


def test_a_view_that_falls_silent_is_held_with_nothing(view: Place) -> None:
    daily(view)
    assert view.read(hours=1).held == 0
    assert view.read(hours=23).held == 1
    assert view.held() == [(0, 100)]


def test_a_view_read_every_hour_is_compared_over_a_day(view: Place) -> None:
    daily(view)
    for _ in range(24 * 6):
        view.insert(4)
        assert view.read(hours=1).held == 0
    assert [view.read(hours=12).held for _ in range(4)][-1] == 1


def test_a_released_view_goes_on_and_a_discarded_one_reads_again(view: Place) -> None:
    daily(view)
    view.insert(10)
    view.read(days=1)
    hold_acts.discard(view.desk, view.spec())
    assert view.held() == []
    assert view.read(minutes=1).held == 1
    hold_acts.release(view.desk, view.spec())
    assert view.kept() == 5610
    assert (view.read(minutes=1).held, view.held()) == (0, [])
    assert view.kept() == 5610


def test_a_view_without_watermark_is_compared_whole(whole_view: Place) -> None:
    whole_view.insert(1200)
    for _ in range(6):
        assert whole_view.read(minutes=10).held == 0
    with closing(sqlite3.connect(whole_view.folder / "his.db")) as raw, raw:
        raw.execute("DELETE FROM bills WHERE 水位 > 100")
    assert whole_view.read(minutes=10).held == 1
    assert whole_view.held() == [(100, 1200)]


def test_what_is_usual_is_the_median_of_as_many_days() -> None:
    day = timedelta(days=1)
    points = [
        Point(rows, NOW - (n + 2) * day, NOW - (n + 1) * day)
        for n, rows in enumerate((100, 100, 100, 900, 0))
    ]
    found = expected(points, SHARE, NOW + day, days=True)
    assert (found.usual, found.fewest) == (200, 60)
    assert expected(points[:4], SHARE, NOW, days=True).fewest == 0
    assert expected(points, SHARE, NOW - timedelta(hours=2), days=True).fewest == 0
