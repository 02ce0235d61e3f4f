"""Taking in what a hospital's system pushed: raw bytes first, then rows and receipt together."""

from __future__ import annotations

import json

import msgspec

from dipgate.adapters.push import KIND, parse, seen, unseen
from dipgate.core.errors import ConfigError, RecordError
from dipgate.core.events import LogEvent
from dipgate.core.hashing import bytes_hash
from dipgate.core.record import SeenTable, SourceSpec
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.intake import StoreSink
from dipgate.security.eventlog import log
from dipgate.store import Connection, Store, audit, inbox, tokens
from dipgate.store.tokens import ReceiptRow, TokenRow

TOLD = 1000
"""Most rows set aside that one answer names; all of them are kept and listed by us."""


class RowRefusal(msgspec.Struct, frozen=True):
    """One row set aside. `row` counts from 1 in its table; the words quote no value of it."""

    table: str
    row: int
    field: str
    what: str
    remedy: str


class Receipt(msgspec.Struct, frozen=True):
    """received = stored + repeated + changed + rejected. `raw` is the SHA-256 of the body."""

    source: str
    message: str
    raw: str
    stored: int
    repeated: int
    changed: int
    rejected: int
    rows: tuple[RowRefusal, ...]
    """What was set aside, the first `TOLD` of it."""
    notes: tuple[str, ...] = ()


class OtherContent(Exception):
    """This message number came before, with other content."""


_ENCODER = msgspec.json.Encoder()


def push_source(desk: Desk, name: str) -> SourceSpec | None:
    """The configured source of this name that takes pushed rows; None when there is none."""
    for spec in desk.site.source_specs():
        if spec.name == name and spec.kind == KIND:
            return spec
    return None


def earlier_answer(desk: Desk, source: str, message: str, data: bytes) -> bytes | None:
    """The first answer to this message; None when it is new. Raises OtherContent."""
    if not message:
        return None
    with desk.store.read() as conn:
        known = tokens.receipt_of(conn, source, message)
    return None if known is None else _same(known, bytes_hash(data))


def take_push(
    desk: Desk,
    spec: SourceSpec,
    data: bytes,
    *,
    token: TokenRow,
    message: str = "",
    charset: str = "",
) -> bytes:
    """Store a pushed body; the receipt as JSON, once everything in it is durable.

    Raises RecordError when the body as a whole cannot be read (nothing is stored then), and
    OtherContent for a message number that was used before.
    """
    digest = bytes_hash(data)
    found = parse(spec, data, digest, charset=charset)
    sink = StoreSink(desk.store, spec)
    sink.keep_raw(spec.name, KIND, data)
    now = desk.clock.now()
    mark = json.dumps({KIND: {"raw": digest, "charset": charset}})

    def save(conn: Connection) -> bytes:
        known = tokens.receipt_of(conn, spec.name, message) if message else None
        if known is not None:
            return _same(known, digest)
        added = sink.put(conn, found.rows, found.rejected, mark)
        sink.count(added, found.rejected)
        answer = _ENCODER.encode(
            Receipt(
                spec.name,
                message,
                digest,
                added.stored,
                added.repeated,
                added.changed,
                len(found.rejected),
                tuple(
                    RowRefusal(item.table, item.row or 0, item.field, item.what, item.remedy)
                    for item in found.rejected[:TOLD]
                ),
                _notes(added.twice),
            )
        )
        if message:
            tokens.add_receipt(conn, spec.name, message, ReceiptRow(digest, answer), now)
        tokens.note_use(conn, token, now)
        detail: dict[str, str | int | None] = {
            "rows": len(found.rows),
            "rejected": len(found.rejected),
        }
        audit.add(conn, now, f"token:{token.name}", "push.received", spec.name, detail=detail)
        return answer

    answer = desk.store.write(save)
    log(
        LogEvent.READ,
        source=spec.name,
        stored=sink.stored,
        repeated=sink.repeated,
        changed=sink.changed,
        rejected=sink.rejected,
    )
    return answer


def _same(known: ReceiptRow, digest: str) -> bytes:
    if known.raw_hash != digest:
        raise OtherContent
    return known.answer


def _notes(twice: tuple[str, ...]) -> tuple[str, ...]:
    """That rows of one body contradict each other; which stay is ours to know."""
    if not twice:
        return ()
    return (f"有 {len(twice)} 行与同一次推送里前面的行是同一次住院而内容不同；按后面的行",)


def look_at(store: Store, spec: SourceSpec, limit: int) -> tuple[SeenTable, ...]:
    """Columns and first rows of what came last; keeps and changes nothing."""
    with store.read() as conn:
        mark = inbox.watermark(conn, spec.name)
    last = _last(mark)
    if "raw" not in last:
        return unseen(spec)
    try:
        return seen(spec, store.raw(last["raw"]), limit, last.get("charset", ""))
    except RecordError as error:
        raise ConfigError(
            f"最近一次推送按现在的站点文件读不了：{error.what}", path=f"sources.{spec.name}"
        ) from error


def _last(mark: str | None) -> dict[str, str]:
    """What the bookmark of a push source holds: raw hash and charset of the last body."""
    try:
        found = json.loads(mark or "{}")
    except ValueError:
        return {}
    held = found.get(KIND) if isinstance(found, dict) else None
    return {str(name): str(value) for name, value in held.items()} if held else {}
