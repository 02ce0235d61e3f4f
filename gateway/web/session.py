"""Browser sessions: a random id in a cookie, its hash in the table."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest

from flask import Request, Response

from dipgate.core.clock import Clock
from dipgate.security.digest import sm3_hex
from dipgate.store import Store, accounts
from dipgate.store.accounts import SessionRow, UserRow

COOKIE = "__Host-dipgate"
BEFORE = "__Host-dipgate-login"
"""Cookie of the log-in form: its value must come back in the form (nobody is signed in yet)."""
IDLE = timedelta(minutes=15)
LASTS = timedelta(hours=8)
NOTED = timedelta(seconds=30)
"""How stale the noted last use may be; a row is not written for every request."""
POLL_HEADER = "X-Dipgate-Poll"
"""Set by desk.js on timed requests: a page that refreshes itself keeps nobody signed in."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """Start, find and end sessions of one store."""

    store: Store
    clock: Clock

    def find(self, request: Request) -> SessionRow | None:
        """The live session of this request; None when there is none. Notes its use."""
        token = request.cookies.get(COOKIE, "")
        if not 20 <= len(token) <= 100:
            return None
        now = self.clock.now()
        with self.store.read() as conn:
            found = accounts.session_of(conn, _hash(token), now=now, idle=IDLE)
        if found is not None and POLL_HEADER not in request.headers:
            self._note(found, now)
        return found

    def start(self, user: UserRow, request: Request) -> tuple[str, str]:
        """A new session with a new id; returns (cookie value, CSRF token)."""
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        old = request.cookies.get(COOKIE)
        now = self.clock.now()
        self.store.write(
            lambda conn: accounts.start_session(
                conn,
                id_hash=_hash(token),
                user=user,
                csrf=csrf,
                address=request.remote_addr or "",
                now=now,
                lasts=LASTS,
                replaces=_hash(old) if old else None,
            )
        )
        return token, csrf

    def end(self, session: SessionRow) -> None:
        now = self.clock.now()
        login = session.user.login
        self.store.write(
            lambda conn: accounts.end_session(conn, session.id_hash, login=login, now=now)
        )

    def _note(self, session: SessionRow, now: datetime) -> None:
        if now - session.seen_at >= NOTED:
            self.store.write(lambda conn: accounts.touch_session(conn, session.id_hash, now))


def set_cookie(response: Response, value: str, *, name: str = COOKIE) -> None:
    """`__Host-`: Secure, this host only, whole site, not readable by scripts, same site only."""
    response.set_cookie(name, value, secure=True, httponly=True, samesite="Strict", path="/")


def clear_cookie(response: Response, *, name: str = COOKIE) -> None:
    response.set_cookie(
        name, "", max_age=0, secure=True, httponly=True, samesite="Strict", path="/"
    )


def same_token(expected: str, given: str) -> bool:
    """Constant time; an empty token never matches."""
    return bool(expected) and compare_digest(expected.encode(), given.encode())


def _hash(token: str) -> str:
    return sm3_hex(token.encode())
