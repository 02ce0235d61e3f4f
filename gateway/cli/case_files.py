"""What commands over a file of whole cases share."""

from __future__ import annotations

from pathlib import Path

from dipgate.core.errors import Place, RecordError
from dipgate.core.system_words import system_words


def read_cases(file: Path) -> bytes:
    """A whole file of cases. RecordError when it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        what, remedy = system_words(error)
        raise RecordError(f"读不了文件：{what}", place=Place(str(file)), remedy=remedy) from error
