"""All operational SQL: one SQLite file per state folder, written by one thread."""

from sqlalchemy import Connection

from dipgate.store.backups import BackupReport, RestoreReport, backup, note_backup, restore
from dipgate.store.database import StoreUnavailable
from dipgate.store.opening import Store, open_store
from dipgate.store.outbox import StaleOwner

__all__ = [
    "BackupReport",
    "Connection",
    "RestoreReport",
    "StaleOwner",
    "Store",
    "StoreUnavailable",
    "backup",
    "note_backup",
    "open_store",
    "restore",
]
