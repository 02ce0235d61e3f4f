"""When the last backup was made: a small file beside the store.

A backup may be made while another process holds the store and nothing can be audited; the card
is written all the same, so that the health page knows the age of the last backup.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

FOLDER = "backups"
_NAME = "last-backup.json"


@dataclass(frozen=True, slots=True)
class BackupCard:
    """The last backup: when, to which file, how many bytes."""

    at: datetime
    file: str
    size: int


def write_card(state: Path, card: BackupCard) -> None:
    """Keep the card; complete or not at all. Raises OSError when the folder cannot be written."""
    folder = state / FOLDER
    folder.mkdir(exist_ok=True)
    part = folder / f".{_NAME}.part"
    part.write_bytes(msgspec.json.encode(card))
    os.replace(part, folder / _NAME)


def read_card(state: Path) -> BackupCard | None:
    """The card; None when there is none or it cannot be read."""
    try:
        found = msgspec.json.decode((state / FOLDER / _NAME).read_bytes(), type=BackupCard)
    except (OSError, msgspec.MsgspecError):
        return None
    return found if found.at.tzinfo is not None else None
