"""Writing the log: events as JSON lines in files of limited size, and as plain lines on stderr.

`log(LogEvent.…, field=…)` is the one way to log. What other libraries log is kept as logger and
place only: their texts quote values.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from dipgate.core.clock import CHINA
from dipgate.core.errors import ConfigError
from dipgate.core.events import LogEvent, cleaned
from dipgate.core.system_words import system_sentence

FOLDER = "logs"
FILE = "dipgate.jsonl"
SHOWN = 3
"""Most ids of one field on a plain line."""
_NAME = "dipgate.event"
_logger = logging.getLogger(_NAME)


def log(event: LogEvent, *, level: int = logging.INFO, **fields: object) -> None:
    """Log one event. Fields that the event does not know, or that are no identifiers or numbers,
    are not written (`core.events`)."""
    if _logger.isEnabledFor(level):
        _logger.log(level, event.value, extra={"event_fields": cleaned(event, fields)})


class _Parts:
    """A log record as time, level, event and fields."""

    def __init__(self, record: logging.LogRecord) -> None:
        self.at = datetime.fromtimestamp(record.created, CHINA)
        self.level = record.levelname
        own = record.name == _NAME
        fields = getattr(record, "event_fields", None) if own else None
        self.event = str(record.msg) if own else LogEvent.FOREIGN.value
        if isinstance(fields, dict):
            self.fields: dict[str, object] = fields
        else:
            place = f"{record.filename}:{record.lineno}"
            self.fields = dict(cleaned(LogEvent.FOREIGN, {"logger": record.name, "place": place}))


class JsonLines(logging.Formatter):
    """`{"at": …, "level": …, "event": …, fields…}` on one line."""

    def format(self, record: logging.LogRecord) -> str:
        parts = _Parts(record)
        head = {
            "at": parts.at.isoformat(timespec="milliseconds"),
            "level": parts.level,
            "event": parts.event,
        }
        return json.dumps({**head, **parts.fields}, ensure_ascii=True)


class PlainLines(logging.Formatter):
    """`2025-06-16 12:00:00 INFO job.failed job=intake` for a terminal or a service's journal."""

    def format(self, record: logging.LogRecord) -> str:
        parts = _Parts(record)
        words = [f"{name}={_word(value)}" for name, value in parts.fields.items()]
        return " ".join((f"{parts.at:%Y-%m-%d %H:%M:%S}", parts.level, parts.event, *words))


def _word(value: object) -> str:
    """Many ids are a number on a terminal; the file has them all."""
    if isinstance(value, tuple):
        return ",".join(value) if len(value) <= SHOWN else f"{len(value)}*"
    return str(value)


def log_to_stderr() -> None:
    """Everything from INFO on, and the warnings of libraries, as plain lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(PlainLines())
    logging.getLogger().addHandler(handler)
    _logger.setLevel(logging.INFO)


class LogFile:
    """Events of one opened state folder as JSON lines; closes its file at the end."""

    def __init__(self, state: Path, *, megabytes: int, files: int) -> None:
        """At most `megabytes` × `files` on disk. Raises ConfigError when the folder refuses."""
        folder = state / FOLDER
        try:
            folder.mkdir(exist_ok=True)
            self._handler = RotatingFileHandler(
                folder / FILE,
                maxBytes=megabytes * 1024 * 1024,
                backupCount=files - 1,
                encoding="utf-8",
                delay=True,
            )
        except OSError as error:
            sentence = system_sentence(f"写不了日志目录 {folder}", error)
            raise ConfigError(sentence, path=FOLDER) from error
        self._handler.setFormatter(JsonLines())
        logging.getLogger().addHandler(self._handler)
        _logger.setLevel(logging.INFO)

    def __enter__(self) -> LogFile:
        return self

    def __exit__(self, *_error: object) -> None:
        logging.getLogger().removeHandler(self._handler)
        self._handler.close()


def read_log(state: Path) -> Iterator[dict[str, Any]]:
    """Every line of the log that is kept, oldest first; a line cut by a crash is passed over."""
    folder = state / FOLDER
    older = sorted(folder.glob(f"{FILE}.*"), key=lambda path: -int(path.suffix[1:]))
    for path in (*older, folder / FILE):
        if not path.is_file():
            continue
        with path.open(encoding="utf-8") as stream:
            for text in stream:
                try:
                    line = json.loads(text)
                except ValueError:
                    continue
                if isinstance(line, dict) and {"at", "level", "event"} <= line.keys():
                    yield line
