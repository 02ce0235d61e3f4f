"""Clocks: five minutes off is red, with both times and what breaks; a restart forgets nothing."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from dipgate.core.clock import CHINA, FixedClock
from dipgate.pipeline.health import Check, checks
from dipgate.pipeline.health_facts import Grade
from dipgate.pipeline.health_gather import gather
from dipgate.service.wiring import open_desk
from dipgate.store import clock_notes
from dipgate.sync.client import Exchange
from dipgate.sync.exchange_log import KeptExchange, write_exchanges
from dipgate.sync.transport import Timeouts, Transport

NOON = datetime(2025, 6, 16, 12, 0, tzinfo=CHINA)


@pytest.fixture
def young_state(sample_state: Path) -> Path:
    """A state in which nothing is written yet: what made it had another clock than the test."""
    for file in sample_state.glob("dipgate.sqlite*"):
        file.unlink()
    return sample_state


def clock_check(state: Path, clock: FixedClock, key: str = "clock") -> Check | None:
    """As a fresh start of the program sees it."""
    with open_desk(state, state / "site.toml", clock=clock) as desk:
        found = checks(gather(desk))
    return next((check for check in found if check.key == key), None)


def heard(seconds: float) -> Exchange:
    """An answer of a platform whose clock is so far ahead."""
    return Exchange(
        infno="9001",
        msgid="x",
        request=b"",
        answer=b"",
        http_status=401,
        outcome="Refused: no",
        at=NOON,
        millis=0,
        their_time=NOON + timedelta(seconds=seconds),
    )


@pytest.mark.parametrize(
    ("seconds", "grade", "side"),
    [
        (119, Grade.OK, ""),
        (120, Grade.LOOK, "慢 2 分"),
        (-120, Grade.LOOK, "快 2 分"),
        (299, Grade.LOOK, "慢"),
        (300, Grade.STOP, "慢 5 分"),
        (-300, Grade.STOP, "快 5 分"),
    ],
)
def test_a_clock_off_the_platforms_is_told_with_both_times_and_after_a_restart(
    young_state: Path, clock: FixedClock, seconds: int, grade: Grade, side: str
) -> None:
    with open_desk(young_state, young_state / "site.toml", clock=clock) as desk:
        kept = [KeptExchange(heard(seconds), "0" * 64, "")]
        desk.store.write(lambda conn: write_exchanges(conn, kept, None))
    found = clock_check(young_state, clock)
    assert found is not None
    assert found.grade is grade
    assert side in found.sentence
    if grade is not Grade.OK:
        theirs = NOON + timedelta(seconds=seconds)
        assert "本机 2025-06-16 12:00:00" in found.sentence
        assert f"平台 {theirs:%Y-%m-%d %H:%M:%S}" in found.sentence
        assert "被平台拒绝" in found.sentence
        assert "自动对时" in found.remedy


def test_a_later_answer_takes_the_place_of_an_earlier_one(
    young_state: Path, clock: FixedClock
) -> None:
    with open_desk(young_state, young_state / "site.toml", clock=clock) as desk:
        for seconds in (400, 1):
            kept = [KeptExchange(heard(seconds), "0" * 64, "")]
            desk.store.write(lambda conn, kept=kept: write_exchanges(conn, kept, None))
    found = clock_check(young_state, clock)
    assert found is not None
    assert (found.grade, found.sentence) == (Grade.OK, "与平台差 1.0 秒")


def test_a_server_whose_clock_is_off_is_named(young_state: Path, clock: FixedClock) -> None:
    site = young_state / "site.toml"
    site.write_text(
        site.read_text("utf-8") + '\n[[sources]]\nname = "his"\nkind = "sqlite"\n'
        'charset = "utf-8"\npath = "x.db"\nedition = "nhsa"\n[sources.tables.settlement]\n'
        'object = "v"\nkey = "k"\n[sources.tables.settlement.columns]\nsetl_id = "s"\n',
        encoding="utf-8",
    )
    for seconds, grade in ((60, None), (-130, Grade.LOOK), (-3600, Grade.STOP)):
        theirs = clock.now() + timedelta(seconds=seconds)
        with open_desk(young_state, site, clock=clock) as desk:
            name = clock_notes.source_clock("his")
            ours = clock.now()
            desk.store.write(
                lambda conn, name=name, ours=ours, theirs=theirs: clock_notes.note(
                    conn, name, ours=ours, theirs=theirs
                )
            )
        found = clock_check(young_state, clock, "clock.his")
        assert (None if found is None else found.grade) is grade


def test_a_clock_set_back_stays_red_until_it_has_caught_up(
    young_state: Path, clock: FixedClock
) -> None:
    clock_check(young_state, clock)
    clock.advance(-1800)
    for _ in range(3):
        found = clock_check(young_state, clock)
        assert found is not None
        assert found.grade is Grade.STOP
        assert "本机 2025-06-16 11:30:00" in found.sentence
        assert "最后一条记录 2025-06-16 12:00:00：慢 30 分" in found.sentence
    clock.advance(1801)
    found = clock_check(young_state, clock)
    assert found is not None
    assert found.grade is Grade.OK


@pytest.fixture
def platform() -> Iterator[Callable[[str], str]]:
    """A real HTTP server that says a time of its own."""
    said = {"Date": ""}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response_only(200)
            if said["Date"]:
                self.send_header("Date", said["Date"])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Nothing: the test reads what it needs."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def says(text: str) -> str:
        said["Date"] = text
        return f"http://127.0.0.1:{server.server_port}/"

    yield says
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("header", "time"),
    [
        (format_datetime(NOON), NOON),
        ("Mon, 16 Jun 2025 04:00:00 GMT", NOON),
        ("", None),
        ("yesterday", None),
    ],
)
def test_the_time_in_the_header_of_an_answer_is_read(
    platform: Callable[[str], str], header: str, time: datetime | None
) -> None:
    transport = Transport(Timeouts(5, 5, 10))
    assert transport.post(platform(header), b"{}", {}).their_time == time
    transport.close()


def test_after_a_day_a_clock_that_was_set_back_is_a_note(
    young_state: Path, clock: FixedClock
) -> None:
    """Somebody mended a clock that had run days ahead: red is for what is new."""
    clock_check(young_state, clock)
    clock.advance(-10 * 86_400)
    clock_check(young_state, clock)
    clock.advance(86_401)
    found = clock_check(young_state, clock)
    assert found is not None
    assert found.grade is Grade.LOOK
