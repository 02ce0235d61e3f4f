"""Tokens of systems that push rows, and the answers their messages got.

A token is shown once when it is made; what is kept is its digest. Every change is audited.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from dipgate.core.errors import ConfigError
from dipgate.security.digest import sm3_hex
from dipgate.store import audit
from dipgate.store.push_tables import push_receipts, push_tokens

PREFIX = "dgp_"
"""So that a token that strays into a file can be found and recognised."""
NOTED = timedelta(minutes=1)
"""How exactly the last use is known; not every push costs a write."""
_NAME = re.compile(r"[\w.-]{1,40}")

for _name, _label in (
    ("token.added", "新建推送令牌"),
    ("token.revoked", "停用推送令牌"),
    ("push.received", "收到推送"),
):
    audit.register(_name, _label, audit.IDS_ONLY)


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One token, without the token."""

    id: int
    name: str
    source: str
    created_by: str
    created_at: datetime
    used_at: datetime | None
    revoked_by: str
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """What was answered to a message, and the hash of the bytes it had."""

    raw_hash: str
    answer: bytes


def new_token() -> str:
    """256 random bits in a form that can stand in a header."""
    return PREFIX + secrets.token_urlsafe(32)


def add_token(
    conn: Connection, *, name: str, source: str, token: str, now: datetime, actor: str
) -> TokenRow:
    """Let whoever holds this token push rows of one source.

    Raises ConfigError for a name that is no name or was ever taken.
    """
    if _NAME.fullmatch(name) is None:
        raise ConfigError("令牌的名字应为 1 到 40 个字母、数字、汉字、点或横线", path="NAME")
    if _by_name(conn, name) is not None:
        raise ConfigError(f"令牌 {name} 已经有过；换一个名字", path="NAME")
    conn.execute(
        insert(push_tokens).values(
            name=name, source=source, digest=_digest(token), created_by=actor, created_at=now
        )
    )
    audit.add(conn, now, actor, "token.added", f"token:{name}", detail={"source": source})
    return _known(conn, name)


def all_tokens(conn: Connection) -> tuple[TokenRow, ...]:
    """Every token ever made, by name."""
    query = select(push_tokens).order_by(push_tokens.c.name)
    return tuple(_token(row) for row in conn.execute(query))


def revoke(conn: Connection, name: str, *, now: datetime, actor: str) -> bool:
    """From now on the token opens nothing; False when that was so before.

    Raises ConfigError for an unknown name.
    """
    found = _known(conn, name)
    if found.revoked_at is not None:
        return False
    conn.execute(
        update(push_tokens)
        .where(push_tokens.c.id == found.id)
        .values(revoked_at=now, revoked_by=actor)
    )
    audit.add(conn, now, actor, "token.revoked", f"token:{name}", detail={"source": found.source})
    return True


def holder_of(conn: Connection, token: str) -> TokenRow | None:
    """Whose token this is; None for one that was never made or is revoked.

    It is looked up by digest: how long that takes says nothing of the token.
    """
    query = select(push_tokens).where(
        push_tokens.c.digest == _digest(token), push_tokens.c.revoked_at.is_(None)
    )
    row = conn.execute(query).first()
    return None if row is None else _token(row)


def note_use(conn: Connection, token: TokenRow, now: datetime) -> None:
    """Remember that it was used, to the minute."""
    if token.used_at is None or abs(now - token.used_at) >= NOTED:
        conn.execute(update(push_tokens).where(push_tokens.c.id == token.id).values(used_at=now))


def receipt_of(conn: Connection, source: str, message: str) -> ReceiptRow | None:
    """What was answered to this message; None when it never came whole."""
    row = conn.execute(
        select(push_receipts.c.raw_hash, push_receipts.c.answer).where(
            push_receipts.c.source == source, push_receipts.c.message == message
        )
    ).first()
    return None if row is None else ReceiptRow(row.raw_hash, row.answer)


def add_receipt(
    conn: Connection, source: str, message: str, receipt: ReceiptRow, now: datetime
) -> None:
    """Keep an answer in the transaction that stores the rows."""
    conn.execute(
        insert(push_receipts).values(
            source=source,
            message=message,
            raw_hash=receipt.raw_hash,
            answer=receipt.answer,
            received_at=now,
        )
    )


def _digest(token: str) -> str:
    return sm3_hex(token.encode())


def _by_name(conn: Connection, name: str) -> TokenRow | None:
    row = conn.execute(select(push_tokens).where(push_tokens.c.name == name)).first()
    return None if row is None else _token(row)


def _known(conn: Connection, name: str) -> TokenRow:
    found = _by_name(conn, name)
    if found is None:
        raise ConfigError(f"没有叫 {name} 的令牌；用 dipgate token list 查看", path="NAME")
    return found


def _token(row: Row[Any]) -> TokenRow:
    return TokenRow(
        row.id,
        row.name,
        row.source,
        row.created_by,
        row.created_at,
        row.used_at,
        row.revoked_by,
        row.revoked_at,
    )
