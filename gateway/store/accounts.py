"""Who works here: users, their browser sessions, and failed log-ins that lock an account.

Session ids and passwords never stand here in clear: the caller passes an id's hash and an
encoded argon2id hash. What changes a user's rights ends his sessions in the same transaction.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from dipgate.core.errors import ConfigError
from dipgate.store import audit
from dipgate.store.desk_tables import login_failures, sessions, users

LOGIN_LENGTH = 40
TRIES = 5
"""Failures of one account that lock it."""
ADDRESS_TRIES = 30
"""Failures from one address, over all accounts, that lock the address."""
LOCK = timedelta(minutes=30)
"""How long failures count together, and how long a lock lasts after the last of them."""
KEPT = timedelta(days=1)
"""How long failures are kept for the record; a lock never looks further back than `LOCK`."""

for _name, _label in (
    ("user.added", "新建用户"),
    ("user.password_changed", "更改密码"),
    ("user.role_changed", "更改角色"),
    ("user.disabled", "停用用户"),
    ("user.enabled", "启用用户"),
    ("user.signed_in", "登录"),
    ("user.signed_out", "退出"),
    ("user.sign_in_failed", "登录失败"),
    ("user.locked", "登录锁定"),
    ("access.refused", "越权访问被拒"),
):
    audit.register(_name, _label, audit.IDS_ONLY)


@dataclass(frozen=True, slots=True)
class UserRow:
    """`password` is an encoded argon2id hash; it never leaves the server."""

    id: int
    login: str
    name: str
    role: str
    password: str
    created_at: datetime
    password_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One browser that is signed in, with its user."""

    id_hash: str
    user: UserRow
    csrf: str
    content: bytes
    address: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Admission:
    """May this log-in be tried? When not: until when it is locked."""

    allowed: bool
    locked_until: datetime | None = None


def add_user(
    conn: Connection, *, login: str, name: str, role: str, password: str, now: datetime, actor: str
) -> UserRow:
    """Make a user. Raises ConfigError when the log-in name is taken."""
    if user_by_login(conn, login) is not None:
        raise ConfigError(f"登录名 {login} 已经有了；换一个，或用 user passwd 改密码", path="login")
    conn.execute(
        insert(users).values(
            login=login,
            name=name,
            role=role,
            password=password,
            created_at=now,
            password_at=now,
            disabled_at=None,
        )
    )
    audit.add(conn, now, actor, "user.added", login, detail={"role": role})
    return _known(conn, login)


def all_users(conn: Connection) -> tuple[UserRow, ...]:
    """Every user, by log-in name; disabled ones too."""
    return tuple(_user(row) for row in conn.execute(select(users).order_by(users.c.login)))


def user_by_login(conn: Connection, login: str) -> UserRow | None:
    row = conn.execute(select(users).where(users.c.login == login)).first()
    return None if row is None else _user(row)


def set_password(conn: Connection, login: str, password: str, *, now: datetime, actor: str) -> int:
    """Replace a password hash; ends all sessions and lifts a lock. How many sessions ended.

    Raises ConfigError for an unknown user.
    """
    user = _known(conn, login)
    conn.execute(
        update(users).where(users.c.id == user.id).values(password=password, password_at=now)
    )
    forget_failures(conn, login)
    ended = end_sessions_of(conn, user.id)
    audit.add(conn, now, actor, "user.password_changed", login, detail={"sessions": ended})
    return ended


def set_role(conn: Connection, login: str, role: str, *, now: datetime, actor: str) -> None:
    """Change a user's role; ends his sessions. Raises ConfigError for an unknown user."""
    user = _known(conn, login)
    if user.role == role:
        return
    conn.execute(update(users).where(users.c.id == user.id).values(role=role))
    end_sessions_of(conn, user.id)
    detail: dict[str, str | int | None] = {"from": user.role, "to": role}
    audit.add(conn, now, actor, "user.role_changed", login, detail=detail)


def set_disabled(
    conn: Connection, login: str, disabled: bool, *, now: datetime, actor: str
) -> bool:
    """Disable (ending all sessions) or enable a user; False when he already was.

    Raises ConfigError for an unknown user.
    """
    user = _known(conn, login)
    if (user.disabled_at is not None) == disabled:
        return False
    conn.execute(
        update(users).where(users.c.id == user.id).values(disabled_at=now if disabled else None)
    )
    if disabled:
        end_sessions_of(conn, user.id)
    audit.add(conn, now, actor, "user.disabled" if disabled else "user.enabled", login)
    return True


def start_session(
    conn: Connection,
    *,
    id_hash: str,
    user: UserRow,
    csrf: str,
    address: str,
    now: datetime,
    lasts: timedelta,
    replaces: str | None = None,
) -> None:
    """A new session after a good log-in. The one it replaces, and expired ones, are removed."""
    gone = sessions.c.expires_at <= now
    conn.execute(delete(sessions).where(gone))
    if replaces is not None:
        conn.execute(delete(sessions).where(sessions.c.id_hash == replaces))
    conn.execute(
        insert(sessions).values(
            id_hash=id_hash,
            user_id=user.id,
            csrf=csrf,
            content=b"",
            address=address[:60],
            created_at=now,
            seen_at=now,
            expires_at=now + lasts,
        )
    )
    forget_failures(conn, user.login)
    audit.add(conn, now, user.login, "user.signed_in", user.login, detail={"address": address[:60]})


def session_of(
    conn: Connection, id_hash: str, *, now: datetime, idle: timedelta
) -> SessionRow | None:
    """The live session with this id hash; None when ended, expired, idle, or its user disabled."""
    query = (
        select(sessions, *(column.label(f"own_{column.name}") for column in users.c))
        .join(users, users.c.id == sessions.c.user_id)
        .where(
            sessions.c.id_hash == id_hash,
            sessions.c.expires_at > now,
            sessions.c.seen_at > now - idle,
            users.c.disabled_at.is_(None),
        )
    )
    row = conn.execute(query).mappings().first()
    if row is None:
        return None
    own: dict[str, Any] = {column.name: row[f"own_{column.name}"] for column in users.c}
    user = UserRow(**own)
    return SessionRow(
        row["id_hash"],
        user,
        row["csrf"],
        row["content"],
        row["address"],
        row["created_at"],
        row["seen_at"],
        row["expires_at"],
    )


def touch_session(conn: Connection, id_hash: str, now: datetime) -> None:
    """Note that the session was used."""
    conn.execute(update(sessions).where(sessions.c.id_hash == id_hash).values(seen_at=now))


def keep_content(conn: Connection, id_hash: str, content: bytes) -> None:
    """Replace what the session remembers."""
    conn.execute(update(sessions).where(sessions.c.id_hash == id_hash).values(content=content))


def end_session(conn: Connection, id_hash: str, *, login: str, now: datetime) -> None:
    """Sign out one browser."""
    if conn.execute(delete(sessions).where(sessions.c.id_hash == id_hash)).rowcount:
        audit.add(conn, now, login, "user.signed_out", login)


def end_sessions_of(conn: Connection, user_id: int) -> int:
    """End every session of a user; how many there were. The caller's act is audited by him."""
    return conn.execute(delete(sessions).where(sessions.c.user_id == user_id)).rowcount


def admit(conn: Connection, *, login: str, address: str, now: datetime) -> Admission:
    """Ask before a password is looked at; an admitted try is charged as a failure beforehand.

    So parallel guesses cannot outrun the count: at most `TRIES` reach the hash before the lock.
    A good log-in takes the charge back (`forget_failures`). Unknown names are counted the same.
    """
    login, address = login[:LOGIN_LENGTH], address[:60]
    conn.execute(delete(login_failures).where(login_failures.c.at <= now - KEPT))
    for column, value, most in (
        (login_failures.c.login, login, TRIES),
        (login_failures.c.address, address, ADDRESS_TRIES),
    ):
        last = conn.execute(select(func.max(login_failures.c.at)).where(column == value)).scalar()
        if last is None or now >= last + LOCK:
            continue
        count = conn.execute(
            select(func.count())
            .select_from(login_failures)
            .where(column == value, login_failures.c.at > last - LOCK)
        ).scalar_one()
        if count >= most:
            return Admission(False, last + LOCK)
    conn.execute(insert(login_failures).values(login=login, address=address, at=now))
    return Admission(True)


def note_failure(conn: Connection, *, login: str, address: str, now: datetime) -> int:
    """Audit a failed try that `admit` has charged; how many tries are left before the lock."""
    login = login[:LOGIN_LENGTH]
    failed = conn.execute(
        select(func.count())
        .select_from(login_failures)
        .where(login_failures.c.login == login, login_failures.c.at > now - LOCK)
    ).scalar_one()
    act = "user.locked" if failed >= TRIES else "user.sign_in_failed"
    audit.add(conn, now, "web", act, login, detail={"address": address[:60], "failed": failed})
    return max(0, TRIES - failed)


def note_refused(conn: Connection, *, actor: str, endpoint: str, now: datetime) -> None:
    """Audit that somebody asked for what his role does not hold."""
    audit.add(conn, now, actor, "access.refused", endpoint)


def forget_failures(conn: Connection, login: str) -> None:
    """Lift the count of failures of one account."""
    conn.execute(delete(login_failures).where(login_failures.c.login == login[:LOGIN_LENGTH]))


def _known(conn: Connection, login: str) -> UserRow:
    user = user_by_login(conn, login)
    if user is None:
        raise ConfigError(f"没有登录名为 {login} 的用户；用 dipgate user list 查看", path="login")
    return user


def _user(row: Row[tuple[object, ...]]) -> UserRow:
    return UserRow(**row._mapping)
