"""`dipgate queue`: what waits for the platform, why, and sending it back to work by a person."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import click

from dipgate.cli.frame import global_options, globals_of, print_json

if TYPE_CHECKING:
    from dipgate.store.outbox import Exchange, OutboxRow

MASK = "***"
_SIGN_IN = "9001"
_ANSWERED = "answered"
_PERSONAL = re.compile(
    r"(_|^)(addr|tel|mob|phone|poscode|emp|coner)(_|$)|cert|brdy|^hi_no$|^psn_no$|^medcasno$"
    r"|_psn$|(^|_)(psn|patn|coner|dr|nurs|chfpdr|agnter|opter|emp)_name$|^name$"
)
"""Field codes whose values name or reach a person."""
_NUMBERS = re.compile(r"(?<!\d)(\d{17}[\dXx]|\d{15}|1\d{10})(?!\d)")
"""Identity card and mobile numbers inside other text."""


@click.group()
@global_options
def queue() -> None:
    """上传队列：查看、说明、人工重试。"""


@queue.command("list")
@click.option("--status", "statuses", multiple=True, metavar="STATE", help="只列这些状态，可重复")
@click.option("--after", type=int, default=0, metavar="NO", help="从此编号之后开始")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, help="最多列几行")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON，一行一份")
@global_options
@click.pass_context
def list_(
    ctx: click.Context, statuses: tuple[str, ...], after: int, limit: int, as_json: bool
) -> None:
    """列出队列：编号、结算编号、状态、次数、在等什么、何时再做。"""
    from dipgate.core.errors import ConfigError
    from dipgate.core.exchange import State
    from dipgate.store import outbox

    known = [state.value for state in State]
    for word in statuses:
        if word not in known:
            raise ConfigError(f"不认识的状态 {word!r}；可用：{'、'.join(known)}", path="--status")
    with _open(ctx) as store, store.read() as conn:
        rows = outbox.list_rows(
            conn, states=[State(word) for word in statuses], after=after, limit=limit
        )
        counts = outbox.counts(conn)
        sign_in = outbox.last_exchange(conn, _SIGN_IN)
    trouble = "" if sign_in is None or sign_in.outcome == _ANSWERED else _sign_in_words(sign_in)
    if as_json:
        for row in rows:
            print_json({**_summary(row), "last_error": _why(row, trouble)})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for heading in ("编号", "结算编号", "版本", "状态", "次数", "在等什么", "再做时间", "上次错误"):
        table.add_column(heading)
    for row in rows:
        table.add_row(
            str(row.id),
            row.settlement_id,
            str(row.revision),
            outbox.STATE_WORDS[row.state],
            str(row.attempts),
            row.waiting_for,
            "" if row.state.value not in ("ready", "unknown") else _local(row.not_before),
            _why(row, trouble)[:60],
        )
    Console().print(table)
    said = "，".join(
        f"{outbox.STATE_WORDS[state]} {number}" for state, number in counts.items() if number
    )
    click.echo(said or "队列是空的")
    if trouble:
        click.echo(trouble)
    if rows and len(rows) == limit:
        click.echo(f"后面可能还有：--after {rows[-1].id}")


@queue.command()
@click.argument("number", type=int)
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象")
@global_options
@click.pass_context
def show(ctx: click.Context, number: int, as_json: bool) -> None:
    """说明一份清单：状态、经过、发出的内容（姓名、证件、地址、电话已遮盖）。"""
    from dipgate.core.errors import ConfigError
    from dipgate.store import outbox

    with _open(ctx) as store, store.read() as conn:
        row = outbox.find(conn, number)
        if row is None:
            raise ConfigError(f"队列里没有第 {number} 号；用 dipgate queue list 查看")
        history = outbox.exchanges(conn, number)
    payload = mask_payload(row.payload)
    if as_json:
        print_json(
            {
                **_summary(row),
                "digest": row.digest,
                "msgid": row.msgid,
                "payload": payload,
                "exchanges": [_exchange(item) for item in history],
            }
        )
        return
    click.echo(f"第 {row.id} 号 结算 {row.settlement_id} 版本 {row.revision} 交易 {row.infno}")
    click.echo(f"状态 {outbox.STATE_WORDS[row.state]}，已试 {row.attempts} 次")
    for label, text in (
        ("在等", row.waiting_for),
        ("再做时间", _local(row.not_before)),
        ("上次错误", mask_text(row.last_error)),
        ("清单流水号", row.list_no),
        ("报文编号", row.msgid),
        ("内容摘要", row.digest),
    ):
        if text:
            click.echo(f"{label} {text}")
    for item in history:
        status = "" if item.http_status is None else f" HTTP {item.http_status}"
        click.echo(
            f"  {_local(item.at)} {item.infno}{status} {item.outcome} {item.millis} 毫秒"
            f" {item.msgid}"
        )
    click.echo(json.dumps(payload, ensure_ascii=False, indent=2))


@queue.command()
@click.argument("number", type=int)
@click.option("--reason", required=True, metavar="TEXT", help="为什么可以重试（写入审计）")
@global_options
@click.pass_context
def retry(ctx: click.Context, number: int, reason: str) -> None:
    """把“待人工处理”或“内容冲突”的清单放回队列：先向平台查询，再决定是否上传。"""
    from dipgate.service.clock import SystemClock
    from dipgate.service.wiring import owner_name, user_name
    from dipgate.store import open_store, outbox

    clock = SystemClock()
    state = globals_of(ctx).state_dir()
    with open_store(state, clock, owner=owner_name()) as store:
        row = store.write(
            lambda conn: outbox.retry_by_person(
                conn,
                number,
                actor=user_name(),
                reason=reason,
                now=clock.now(),
                epoch=store.epoch,
            )
        )
    click.echo(
        f"第 {row.id} 号已转为“{outbox.STATE_WORDS[row.state]}”；dipgate send 时先向平台查询"
    )


def mask_payload(payload: bytes) -> Any:
    """A packet as JSON with every value masked that names or reaches a person."""
    try:
        return _masked(json.loads(payload))
    except ValueError:
        return MASK


def mask_text(text: str) -> str:
    """Text of the platform with identity card and mobile numbers masked."""
    return _NUMBERS.sub(MASK, text)


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: MASK if _PERSONAL.search(key) and item not in ("", None) else _masked(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_masked(item) for item in value]
    return mask_text(value) if isinstance(value, str) else value


def _open(ctx: click.Context) -> Any:
    from dipgate.service.clock import SystemClock
    from dipgate.service.wiring import owner_name
    from dipgate.store import open_store

    return open_store(
        globals_of(ctx).state_dir(), SystemClock(), owner=owner_name(), read_only=True
    )


def _sign_in_words(last: Exchange) -> str:
    """Why nothing is sent at present: the last sign-in did not succeed."""
    kind, _, words = last.outcome.partition(": ")
    verb = "被平台拒绝" if kind == "Refused" else "没有成功"
    return f"最近一次签到（{_local(last.at)}）{verb}：{mask_text(words or kind)}"


def _why(row: OutboxRow, trouble: str) -> str:
    """The row's own last error; a row that was never tried waits for the sign-in."""
    if not row.last_error and row.state.value == "ready":
        return trouble
    return mask_text(row.last_error)


def _summary(row: OutboxRow) -> dict[str, Any]:
    return {
        "number": row.id,
        "settlement_id": row.settlement_id,
        "case": row.case_id,
        "infno": row.infno,
        "revision": row.revision,
        "state": row.state.value,
        "attempts": row.attempts,
        "not_found": row.not_found,
        "waiting_for": row.waiting_for,
        "not_before": row.not_before.isoformat(),
        "last_error": mask_text(row.last_error),
        "list_no": row.list_no,
        "created_at": row.created_at.isoformat(),
        "updated_at": row.updated_at.isoformat(),
    }


def _exchange(item: Exchange) -> dict[str, Any]:
    return {
        "at": item.at.isoformat(),
        "infno": item.infno,
        "msgid": item.msgid,
        "http_status": item.http_status,
        "outcome": item.outcome,
        "millis": item.millis,
        "request": item.request_hash,
        "answer": item.answer_hash,
    }


def _local(moment: Any) -> str:
    from dipgate.core.clock import wire_time

    return wire_time(moment)
