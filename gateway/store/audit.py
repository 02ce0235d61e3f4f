"""The audit trail: a row per act, in the transaction of the act, never changed afterwards.

An act can be recorded only if it is registered, and registered only if it says how its personal
data is removed. Rows carry ids, counts and states; never names or certificate numbers.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection, insert, select

from dipgate.store.tables import audit as table

_NAME = re.compile(r"^[a-z]+(\.[a-z_]+)+$")
IDS_ONLY = "只记编号、数量和状态，没有个人信息可删"
WRITTEN_REASON = "理由由人填写；随审计分段到期整段删除"


@dataclass(frozen=True, slots=True)
class Act:
    """One kind of act. `personal` says how personal data in its rows is removed."""

    name: str
    label: str
    personal: str


@dataclass(frozen=True, slots=True)
class AuditRow:
    seq: int
    at: datetime
    actor: str
    act: str
    object: str
    reason: str
    detail: Mapping[str, str | int | None]


ACTS: dict[str, Act] = {}
"""Filled at import by `register`; read afterwards."""


def register(name: str, label: str, personal: str) -> Act:
    """Make an act recordable. Raises ValueError without a name, a label or a way of removal."""
    if not _NAME.match(name) or not label.strip() or not personal.strip():
        raise ValueError(f"an act needs a dotted name, a label and a way of removal: {name!r}")
    if name in ACTS:
        raise ValueError(f"act registered twice: {name}")
    ACTS[name] = Act(name, label, personal)
    return ACTS[name]


for _name, _label in (
    ("store.created", "建立数据库"),
    ("store.opened", "打开数据库"),
    ("store.migrated", "升级数据库结构"),
    ("store.backed_up", "备份"),
    ("store.restored", "从备份恢复"),
    ("store.clock_back", "时钟倒退"),
    ("site.used", "启用新的站点文件"),
    ("intake.read", "读取数据源"),
    ("catalogue.imported", "导入目录"),
    ("library.imported", "导入分组目录库"),
    ("case.mapped", "映射病例"),
    ("case.checked", "校验病例"),
    ("case.grouped", "病例入组计分"),
    ("case.set_aside", "病例搁置"),
    ("case.retired", "病例停用"),
    ("case.released", "放行病例"),
    ("case.taken_back", "取回病例"),
    ("case.queued", "病例进入上传队列"),
    ("case.simulated", "模拟主要诊断、主要手术或字段"),
    ("outbox.enqueued", "清单入队"),
    ("outbox.claimed", "开始上传"),
    ("outbox.receipt_ok", "平台回执成功"),
    ("outbox.receipt_refused", "平台拒绝"),
    ("outbox.refused_as_duplicate", "平台称重复"),
    ("outbox.not_taken", "平台未受理"),
    ("outbox.no_answer", "没有收到答复"),
    ("outbox.lease_expired", "上传中断"),
    ("outbox.restored", "恢复后待核实"),
    ("outbox.platform_has_it", "核实：平台已有"),
    ("outbox.platform_has_another", "核实：平台内容不同"),
    ("outbox.not_found_first", "核实：首次未查到"),
    ("outbox.not_found_again", "核实：再次未查到"),
    ("outbox.query_unanswered", "核实未得答复"),
    ("outbox.no_query", "平台不支持核实"),
    ("outbox.too_old", "核实超时"),
    ("outbox.poisoned", "多次失败，隔离"),
    ("outbox.replaced", "被新版本取代"),
    ("result.pulled", "取回平台结果"),
    ("reconciliation.made", "对账"),
):
    register(_name, _label, IDS_ONLY)
for _name, _label in (
    ("case.held", "扣留病例"),
    ("overlay.added", "更正字段"),
    ("overlay.undone", "撤销更正"),
    ("question.asked", "问临床"),
    ("question.answered", "记下临床答复"),
    ("outbox.retried_by_person", "人工重试"),
    ("outbox.decided", "人工裁定"),
):
    register(_name, _label, WRITTEN_REASON)


_INSERT = insert(table)


def add(
    conn: Connection,
    at: datetime,
    actor: str,
    act: str,
    object: str,
    reason: str = "",
    detail: Mapping[str, str | int | None] | None = None,
) -> int:
    """Record one act; the row's number. Raises ValueError for an act that is not registered."""
    if act not in ACTS:
        raise ValueError(f"act not registered: {act}")
    if not actor:
        raise ValueError("an audit row names its actor")
    text = msgspec.json.encode(dict(detail or {}), order="sorted").decode()
    values = {
        "at": at,
        "actor": actor,
        "act": act,
        "object": object,
        "reason": reason,
        "detail": text,
    }
    seq = conn.execute(_INSERT, values).inserted_primary_key
    return int(seq[0]) if seq else 0


def rows(
    conn: Connection,
    *,
    object: str | None = None,
    act: str | None = None,
    after: int = 0,
    limit: int = 500,
) -> tuple[AuditRow, ...]:
    """Rows in order, after a sequence number; of one object or one act if asked."""
    query = select(table).where(table.c.seq > after).order_by(table.c.seq).limit(limit)
    if object is not None:
        query = query.where(table.c.object == object)
    if act is not None:
        query = query.where(table.c.act == act)
    return tuple(
        AuditRow(
            row.seq,
            row.at,
            row.actor,
            row.act,
            row.object,
            row.reason,
            msgspec.json.decode(row.detail),
        )
        for row in conn.execute(query)
    )


def last(conn: Connection, object: str, act: str) -> AuditRow | None:
    """The newest row of one act on one object; None when there is none."""
    query = (
        select(table)
        .where(table.c.object == object, table.c.act == act)
        .order_by(table.c.seq.desc())
        .limit(1)
    )
    row = conn.execute(query).first()
    if row is None:
        return None
    detail = msgspec.json.decode(row.detail)
    return AuditRow(row.seq, row.at, row.actor, row.act, row.object, row.reason, detail)
