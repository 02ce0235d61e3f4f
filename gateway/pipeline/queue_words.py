"""Why one list waits, for whom, and what comes next: in words, from its row alone. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from dipgate.core.clock import CHINA
from dipgate.core.durations import duration_words, when_words
from dipgate.security.masking import masker_of
from dipgate.store.outbox_views import DeskRow

STATE_WORDS: Mapping[str, str] = {
    "unknown": "结果不明",
    "rejected": "被拒",
    "conflict": "内容冲突",
    "held": "已隔离",
    "retry": "等再试",
    "sending": "正在传",
    "ready": "待传",
    "accepted": "已收",
    "past": "有新版本",
}
GRADES: Mapping[str, str] = {
    "unknown": "wait",
    "rejected": "stop",
    "conflict": "stop",
    "held": "stop",
    "retry": "look",
    "accepted": "done",
}
"""Kind → grade of the design system; the others go on by themselves."""
HEADLINES: Mapping[str, tuple[str, str]] = {
    "unknown": (
        "平台没有答复。它可能收到了，也可能没有。",
        "先问平台，问到之前不会再传。",
    ),
    "rejected": ("平台退回了这份清单。", "编码员改好、放行后，作为新一版再传。"),
    "conflict": (
        "平台上已有一份，内容与本地不同。",
        "定下以哪边为准，写明理由放回；放回后先问平台。",
    ),
    "held": ("试过多次没有传成，停下等人。", "原因排除后写明理由放回；放回后先问平台。"),
    "retry": ("平台没有收下，稍后自己再传。", "不用做什么。"),
    "sending": ("正在等平台答复。", "不用做什么。"),
    "ready": ("在队列里等着传。", "不用做什么。"),
    "accepted": ("平台已收下。", "等取回分组结果后对账。"),
    "past": ("后来的一版取代了它。", "不用做什么。"),
}
"""Kind → what it means, and what is done about it."""


class _Head(msgspec.Struct):
    medcasno: str = ""


class _Payload(msgspec.Struct):
    setlinfo: _Head | None = None


_PAYLOADS = msgspec.json.Decoder(_Payload)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the site and its dialect allow: sending at all, and asking about a list."""

    live: bool
    has_query: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the queue desk."""

    number: int
    case_id: str
    kind: str
    grade: str
    word: str
    record_no: str
    revision: int
    sent: str
    """When it left, `14:05:12` today; empty before the first time."""
    attempts: int
    said: str
    """What the platform said, or why there is nothing; persons masked."""
    who: str
    next_step: str
    seconds_left: int
    """Until the platform may be asked; 0 when it may be asked now or is not to be asked."""
    act: str
    """`ask`, `retry` or empty: what a person can do here."""
    may_act: bool
    act_label: str
    headline: str
    advice: str
    waits_since: datetime


def line_of(found: DeskRow, now: datetime, rules: Rules, person: bytes = b"") -> Line:
    """A row in words, as of now. `person`: the head of the list, whose values are masked."""
    row, kind = found.row, found.kind
    seconds = max(0, -int(-(row.not_before - now).total_seconds() // 1))
    left = seconds if kind == "unknown" else 0
    who, following = _next(found, now, rules, left)
    act, may, label = _act(found, rules, left)
    headline, advice = HEADLINES[kind]
    return Line(
        number=row.id,
        case_id=row.case_id,
        kind=kind,
        grade=GRADES.get(kind, ""),
        word=STATE_WORDS[kind],
        record_no=record_no(row.payload),
        revision=row.revision,
        sent=_sent(row.updated_at if kind == "sending" else row.first_claimed_at, now),
        attempts=row.attempts,
        said=_said(found, person),
        who=who,
        next_step=following,
        seconds_left=left,
        act=act,
        may_act=may,
        act_label=label,
        headline=headline,
        advice=advice,
        waits_since=row.unknown_since or row.first_claimed_at or row.created_at,
    )


def record_no(payload: bytes) -> str:
    """The record number in a payload; empty when it has none."""
    try:
        head = _PAYLOADS.decode(payload).setlinfo
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    return head.medcasno if head else ""


def _sent(at: datetime | None, now: datetime) -> str:
    if at is None:
        return ""
    here, today = at.astimezone(CHINA), now.astimezone(CHINA).date()
    return f"{here:%H:%M:%S}" if here.date() == today else when_words(at, now)


def _said(found: DeskRow, person: bytes) -> str:
    row = found.row
    if found.kind == "accepted":
        return f"清单流水号 {row.list_no}" if row.list_no else "收下，没有给流水号"
    if found.kind == "unknown" and row.not_found:
        return f"第 {row.not_found} 次问：没有这份"
    text = row.last_error or ("" if found.kind in ("ready", "sending") else row.waiting_for)
    if found.kind == "unknown" and not row.last_error:
        text = "传到一半中断了，不知道平台收到没有"
    return masker_of(row.payload, person).text(text) if text else ""


def _next(found: DeskRow, now: datetime, rules: Rules, left: int) -> tuple[str, str]:
    """Who acts next, and what happens."""
    row, kind = found.row, found.kind
    if kind == "unknown":
        if not rules.has_query:
            return "信息科", "打电话问平台"
        if not rules.live:
            return "信息科", "改为正式上传后可问"
        return "信息科", f"再等 {duration_words(left)}" if left else "可以问了"
    if kind == "rejected":
        return "编码员", "改好再放行"
    if kind in ("conflict", "held"):
        return "信息科", "要人定"
    if kind == "retry":
        if not rules.live:
            return "自动", "不是正式上传，停着"
        at = row.not_before.astimezone(CHINA)
        return "自动", f"{at:%H:%M:%S} 再传" if row.not_before > now else "马上再传"
    if kind == "sending":
        return "自动", "等平台答复"
    if kind == "ready":
        if found.blocked:
            return "自动", "等前一版了结"
        return "自动", "排着队" if rules.live else "备好，不上传"
    return "", ""


def _act(found: DeskRow, rules: Rules, left: int) -> tuple[str, bool, str]:
    """What a person can do, whether now, and what the button says."""
    if found.kind == "unknown":
        label = "再问一次" if found.row.not_found else "问平台"
        return "ask", rules.live and rules.has_query and not left, label
    if found.kind in ("conflict", "held"):
        return "retry", True, "放回队列"
    return "", False, ""
