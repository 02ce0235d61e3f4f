"""The log: typed events only, limited size, and nothing of a person by any way in."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from dipgate.core.events import FIELDS, LogEvent, cleaned
from dipgate.security.eventlog import FILE, FOLDER, LogFile, PlainLines, log, read_log


def test_every_event_declares_its_fields() -> None:
    assert set(FIELDS) == set(LogEvent)
    assert all(event.value.count(".") == 1 for event in LogEvent)


@pytest.mark.parametrize(
    "value",
    [
        "张三",
        "示例市笼中路七号",
        "two words",
        "13900007777",
        "x13900007777",
        "11010519491231002X",
        "a" * 81,
        "line\nbreak",
        object(),
        None,
        ["ok", "张三"],
        {"a": 1},
    ],
)
def test_what_might_be_of_a_person_is_dropped_and_counted(value: object) -> None:
    assert cleaned(LogEvent.SENT, {"row": 7, "case": value}) == {"row": 7, "dropped": 1}


def test_identifiers_pass() -> None:
    settlement, msgid = "990100S20250300000002", "H9901000000120250616120000000001"
    fields = {"case": settlement, "msgid": msgid, "attempt": 2}
    assert cleaned(LogEvent.SENT, fields) == fields
    assert cleaned(LogEvent.QUEUED, {"cases": ("a", "b")}) == {"cases": ("a", "b")}


def test_an_unknown_field_is_dropped() -> None:
    assert cleaned(LogEvent.CLOSED, {"name": "x"}) == {"dropped": 1}


def test_lines_are_json_and_a_library_says_only_where(tmp_path: Path) -> None:
    with LogFile(tmp_path, megabytes=1, files=2):
        log(LogEvent.SENT, row=7, case="abc", msgid="m-1")
        logging.getLogger("some.driver").warning("bad value '%s'", "张三")
        logging.getLogger("dipgate.other").warning("张三")
    log(LogEvent.SENT, row=8)
    first, second, third = list(read_log(tmp_path))
    assert (first["event"], first["row"], first["case"]) == ("list.sent", 7, "abc")
    assert first["at"].endswith("+08:00")
    assert (second["event"], second["logger"]) == ("library.log", "some.driver")
    assert third["event"] == "library.log"
    assert "张" not in (tmp_path / FOLDER / FILE).read_text("utf-8").encode().decode(
        "unicode_escape"
    )


def test_files_are_limited_and_read_in_order(tmp_path: Path) -> None:
    with LogFile(tmp_path, megabytes=1, files=3):
        for number in range(40_000):
            log(LogEvent.SENT, row=number, case="c" * 80)
    files = sorted((tmp_path / FOLDER).iterdir())
    assert len(files) == 3
    assert all(path.stat().st_size <= 1 << 20 for path in files)
    rows = [line["row"] for line in read_log(tmp_path)]
    assert rows == list(range(rows[0], 40_000))
    assert len(rows) > 10_000


def test_a_line_cut_by_a_crash_is_passed_over(tmp_path: Path) -> None:
    with LogFile(tmp_path, megabytes=1, files=2):
        log(LogEvent.CLOSED)
    with (tmp_path / FOLDER / FILE).open("a", encoding="utf-8") as stream:
        stream.write('{"at": "2025-06-16T12:0')
    assert [line["event"] for line in read_log(tmp_path)] == ["store.closed"]


def test_plain_lines_hold_the_same() -> None:
    record = logging.LogRecord("dipgate.event", 20, "f.py", 3, LogEvent.SENT.value, (), None)
    record.event_fields = cleaned(LogEvent.SENT, {"row": 7, "msgid": "m-1"})
    shown = PlainLines().format(record)
    assert shown.endswith("INFO list.sent row=7 msgid=m-1")
    record = logging.LogRecord("dipgate.event", 20, "f.py", 3, LogEvent.QUEUED.value, (), None)
    record.event_fields = cleaned(LogEvent.QUEUED, {"cases": tuple("abcdefgh")})
    assert PlainLines().format(record).endswith("list.queued cases=8*")


def test_the_folder_that_refuses_is_named(tmp_path: Path) -> None:
    from dipgate.core.errors import ConfigError

    (tmp_path / FOLDER).write_text("in the way")
    with pytest.raises(ConfigError, match="日志目录"):
        LogFile(tmp_path, megabytes=1, files=2)


def test_nothing_is_written_without_an_open_state(tmp_path: Path) -> None:
    log(LogEvent.CLOSED)
    assert list(read_log(tmp_path)) == []
