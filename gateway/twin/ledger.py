"""The twin's own books: what it took, from whom, how often. Nothing of ours is asked.

One SQLite file of its own. An *effect* is one taken upload; a settlement that has two effects
with the same content was doubled, one with different contents was corrected.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS effects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    settlement_id TEXT NOT NULL, person_no TEXT NOT NULL, list_no TEXT NOT NULL,
    msgid TEXT NOT NULL, digest TEXT NOT NULL, month TEXT NOT NULL, input BLOB NOT NULL,
    at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS ix_effects_settlement ON effects (settlement_id, id);
CREATE INDEX IF NOT EXISTS ix_effects_month ON effects (month, settlement_id);
CREATE TABLE IF NOT EXISTS refusals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    settlement_id TEXT NOT NULL, msgid TEXT NOT NULL, reason TEXT NOT NULL, text TEXT NOT NULL,
    at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sessions (
    sign_no TEXT PRIMARY KEY, opter TEXT NOT NULL, at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS messages (msgid TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS groups (
    settlement_id TEXT PRIMARY KEY, effect_id INTEGER NOT NULL, result BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Effect:
    """One taken upload. `input` is the JSON as it came."""

    id: int
    settlement_id: str
    person_no: str
    list_no: str
    msgid: str
    digest: str
    month: str
    """`yyyyMM` of the settlement."""
    input: bytes


class Ledger:
    """All access is serialised: the judge need not be fast, it must be right."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.RLock()
        self._conn = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._conn.execute("PRAGMA journal_mode=WAL")
        self._conn.execute("PRAGMA synchronous=NORMAL")
        self._conn.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._conn.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """Everything inside is one transaction, and no other thread comes between."""
        with self._lock:
            if self._conn.in_transaction:
                yield
                return
            self._conn.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._conn.execute("ROLLBACK")
                raise
            self._conn.execute("COMMIT")

    def next(self, name: str) -> int:
        """1, 2, 3… per name, also after a restart."""
        with self._lock:
            row = self._conn.execute(
                "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name)"
                " DO UPDATE SET value = value + 1 RETURNING value",
                (name,),
            ).fetchone()
            return int(row[0])

    def first_use(self, msgid: str) -> bool:
        """True when this message id was never seen before; it is now."""
        with self._lock:
            done = self._conn.execute("INSERT OR IGNORE INTO messages VALUES (?)", (msgid,))
            return done.rowcount == 1

    def open_session(self, sign_no: str, opter: str, at: float) -> None:
        with self._lock:
            self._conn.execute("INSERT INTO sessions VALUES (?, ?, ?)", (sign_no, opter, at))

    def session_opened(self, sign_no: str) -> float | None:
        """When (Unix seconds) the session was opened; None for a number never given out."""
        with self._lock:
            row = self._conn.execute(
                "SELECT at FROM sessions WHERE sign_no = ?", (sign_no,)
            ).fetchone()
            return None if row is None else float(row[0])

    def end_sessions(self) -> None:
        """Forget every session, as a platform does at night."""
        with self._lock:
            self._conn.execute("DELETE FROM sessions")

    def add_effect(
        self,
        *,
        settlement_id: str,
        person_no: str,
        list_no: str,
        msgid: str,
        digest: str,
        month: str,
        input_json: bytes,
        at: str,
    ) -> None:
        with self._lock:
            self._conn.execute(
                "INSERT INTO effects (settlement_id, person_no, list_no, msgid, digest, month,"
                " input, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (settlement_id, person_no, list_no, msgid, digest, month, input_json, at),
            )

    def add_refusal(self, settlement_id: str, msgid: str, reason: str, text: str, at: str) -> None:
        with self._lock:
            self._conn.execute(
                "INSERT INTO refusals (settlement_id, msgid, reason, text, at)"
                " VALUES (?, ?, ?, ?, ?)",
                (settlement_id, msgid, reason, text, at),
            )

    def current(self, settlement_id: str) -> Effect | None:
        """The last taken list of a settlement."""
        with self._lock:
            row = self._conn.execute(
                f"SELECT {_COLUMNS} FROM effects WHERE settlement_id = ?"  # noqa: S608
                " ORDER BY id DESC LIMIT 1",
                (settlement_id,),
            ).fetchone()
            return None if row is None else Effect(*row)

    def of_month(self, month: str) -> tuple[Effect, ...]:
        """The last taken list of each settlement of a month, by settlement id."""
        with self._lock:
            rows = self._conn.execute(
                f"SELECT {_COLUMNS} FROM effects WHERE id IN (SELECT max(id) FROM effects"  # noqa: S608
                " WHERE month = ? GROUP BY settlement_id) ORDER BY settlement_id",
                (month,),
            ).fetchall()
            return tuple(Effect(*row) for row in rows)

    def stored_group(self, effect: Effect) -> bytes | None:
        with self._lock:
            row = self._conn.execute(
                "SELECT result FROM groups WHERE settlement_id = ? AND effect_id = ?",
                (effect.settlement_id, effect.id),
            ).fetchone()
            return None if row is None else bytes(row[0])

    def store_group(self, effect: Effect, result: bytes) -> None:
        with self._lock:
            self._conn.execute(
                "INSERT OR REPLACE INTO groups VALUES (?, ?, ?)",
                (effect.settlement_id, effect.id, result),
            )

    def judgement(self, expected: Iterable[str] | None = None) -> dict[str, Any]:
        """Counts per settlement; with `expected` ids also which of them are lost, which unasked."""
        with self._lock:
            rows = self._conn.execute(
                "SELECT settlement_id, digest, count(*), max(list_no) FROM effects"
                " GROUP BY settlement_id, digest ORDER BY settlement_id"
            ).fetchall()
            refused = self._conn.execute(
                "SELECT reason, count(*) FROM refusals GROUP BY reason ORDER BY reason"
            ).fetchall()
        settlements: dict[str, dict[str, Any]] = {}
        for settlement_id, digest, count, list_no in rows:
            held = settlements.setdefault(
                settlement_id, {"effects": 0, "contents": {}, "list_no": ""}
            )
            held["effects"] += count
            held["contents"][digest] = count
            held["list_no"] = max(held["list_no"], list_no)
        doubled = [
            settlement_id
            for settlement_id, held in settlements.items()
            if any(count > 1 for count in held["contents"].values())
        ]
        out: dict[str, Any] = {
            "effects": sum(held["effects"] for held in settlements.values()),
            "settlements": settlements,
            "doubled": doubled,
            "refused": dict(refused),
        }
        if expected is not None:
            wanted = set(expected)
            out["lost"] = sorted(wanted - settlements.keys())
            out["unexpected"] = sorted(settlements.keys() - wanted)
        return out


_COLUMNS = "id, settlement_id, person_no, list_no, msgid, digest, month, input"
