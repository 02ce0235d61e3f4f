"""Message numbers: hospital code 12 + yyyyMMddHHmmss 14 + sequence 4 (envelope.md 1.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

from dipgate.core.clock import CHINA
from dipgate.core.errors import ConfigError

SEQUENCE = "msgid"
PER_SECOND = 10_000
_START = datetime(1970, 1, 1, tzinfo=UTC)
_NEXT = text(
    "INSERT INTO sequences (name, value) VALUES (:name, :floor)"
    " ON CONFLICT (name) DO UPDATE SET value ="
    " CASE WHEN sequences.value >= excluded.value THEN sequences.value + 1"
    " ELSE excluded.value END RETURNING value"
)


def next_msgid(conn: Connection, hospital_code: str, now: datetime) -> str:
    """A number that was never given before, 30 characters, growing even if the clock goes back.

    More than 10,000 in one second borrow from the next one. Raises ConfigError when the hospital
    code does not have 12 characters.
    """
    if len(hospital_code) != 12 or not hospital_code.isalnum() or not hospital_code.isascii():
        raise ConfigError(
            "定点医药机构编号应为12位字母数字（如 H 加 11 位数字），报文编号由它开头",
            path="hospital.code",
        )
    seconds = (now.astimezone(UTC) - _START) // timedelta(seconds=1)
    value = int(conn.execute(_NEXT, {"name": SEQUENCE, "floor": seconds * PER_SECOND}).scalar_one())
    moment = (_START + timedelta(seconds=value // PER_SECOND)).astimezone(CHINA)
    return f"{hospital_code}{moment:%Y%m%d%H%M%S}{value % PER_SECOND:04d}"
