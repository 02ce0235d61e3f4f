"""The queue desk: the outbox by what has to be done, its messages masked, and the two acts.

A person may ask the platform about a list whose outcome is not known, and may put a stopped list
back with a reason; both lead to a question first. Nothing here sends a list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dipgate.core.errors import ConfigError, DipgateError
from dipgate.core.exchange import State
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.exchange_stage import dialect_of, open_client
from dipgate.pipeline.queue_conflict import FieldDifference, field_differences
from dipgate.pipeline.queue_reasons import REASONS, TOLD, grouped, words_of
from dipgate.pipeline.queue_words import Line, Rules, line_of
from dipgate.security.masking import Masker, masker_of
from dipgate.store import Connection, audit, outbox, outbox_views, vitals
from dipgate.store.outbox_views import Cursor, DeskRow, Texts
from dipgate.store.vitals import ANSWERED
from dipgate.sync.client import QUERY
from dipgate.sync.sender import Sender

PAGE = 50
TABS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("", "全部", "", outbox_views.KINDS),
    ("unknown", "结果不明", "wait", ("unknown",)),
    ("rejected", "被拒", "stop", ("rejected",)),
    ("conflict", "冲突", "stop", ("conflict",)),
    ("held", "隔离", "stop", ("held",)),
    ("waiting", "待传", "", ("retry", "sending", "ready")),
    ("accepted", "已收", "done", ("accepted",)),
)
"""Key, word, grade, kinds of row: the tabs in the order of who must act first."""
AGES: tuple[tuple[str, str, timedelta], ...] = (
    ("10m", "超过 10 分钟", timedelta(minutes=10)),
    ("1h", "超过 1 小时", timedelta(hours=1)),
    ("1d", "超过 1 天", timedelta(days=1)),
    ("7d", "超过 7 天", timedelta(days=7)),
)
_TROUBLED = (State.UNKNOWN, State.REJECTED, State.CONFLICT, State.HELD, State.READY)
OBSERVE = "现在是“{mode}”方式，不与平台往来，不能问；要问，请把站点文件的 platform.mode 改成 live"
_MODE_WORDS = {"observe": "只看", "shadow": "影子"}


@dataclass(frozen=True, slots=True)
class Filter:
    """What is looked for. `state` is a tab, `reason` a class of reasons, `age` one of `AGES`."""

    state: str = ""
    reason: str = ""
    age: str = ""


@dataclass(frozen=True, slots=True)
class TabCount:
    key: str
    word: str
    grade: str
    rows: int


@dataclass(frozen=True, slots=True)
class ReasonChoice:
    key: str
    words: str
    rows: int


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One page of the desk. `following` continues it; empty at the end."""

    lines: tuple[Line, ...]
    tabs: tuple[TabCount, ...]
    reasons: tuple[ReasonChoice, ...]
    reason_words: str
    """The reason looked for, in words; also when no row has it any more."""
    following: str
    waits: bool
    """Is there a row whose words change by themselves within seconds?"""


@dataclass(frozen=True, slots=True)
class Happened:
    """One step in the life of a row. `exchange` is the number of its messages in the log."""

    at: datetime
    words: str
    exchange: int | None = None


@dataclass(frozen=True, slots=True)
class Messages:
    """One exchange as it may be shown."""

    number: int | None
    title: str
    request: str
    answer: str


@dataclass(frozen=True, slots=True)
class Detail:
    """One row in full: its words, its history oldest first, and one exchange."""

    line: Line
    history: tuple[Happened, ...]
    messages: Messages
    differences: tuple[FieldDifference, ...]
    """Of a conflict: where the platform's list and ours part."""


def queue_page(desk: Desk, wanted: Filter, *, after: str = "", limit: int = PAGE) -> QueuePage:
    """Rows in the order of who must act first. Raises ConfigError for a filter that is none."""
    now = desk.clock.now()
    rules = rules_of(desk)
    kinds = _kinds(wanted.state)
    if wanted.reason:
        kinds = tuple(kind for kind in kinds if kind not in ("accepted", "past"))
    with desk.store.read() as conn:
        found = outbox_views.page_of(
            conn,
            kinds,
            texts=_texts(wanted.reason),
            before=_before(wanted.age, now),
            after=_cursor(after),
            limit=limit + 1,
        )
        numbers = outbox_views.counts(conn)
        told = vitals.reasons(conn, _TROUBLED, limit=200)
        shown = found[:limit]
        about = outbox_views.persons(
            conn, [item.row.case_id for item in shown if item.row.last_error]
        )
    following = f"{shown[-1].kind}.{shown[-1].row.id}" if len(found) > limit else ""
    return QueuePage(
        lines=tuple(line_of(item, now, rules, about.get(item.row.case_id, b"")) for item in shown),
        tabs=tuple(
            TabCount(key, word, grade, sum(numbers[kind] for kind in tab))
            for key, word, grade, tab in TABS
        ),
        reasons=tuple(
            ReasonChoice(key, words_of(key), rows)
            for key, rows in grouped(told).items()
            if key != "waiting"
        ),
        reason_words=words_of(wanted.reason) if wanted.reason else "",
        following=following,
        waits=any(item.kind in ("unknown", "sending", "retry", "ready") for item in shown),
    )


def line(desk: Desk, number: int) -> Line | None:
    """One row in words; None when there is none."""
    with desk.store.read() as conn:
        found = outbox_views.find(conn, number)
        if found is None:
            return None
        person = _person(conn, found)
    return line_of(found, desk.clock.now(), rules_of(desk), person)


def detail(desk: Desk, number: int, *, exchange: int | None = None) -> Detail | None:
    """One row with its history and one exchange, the last unless named; None: no such row."""
    with desk.store.read() as conn:
        found = outbox_views.find(conn, number)
        if found is None:
            return None
        person = _person(conn, found)
        log = outbox.exchanges(conn, number)
        acts = audit.rows(conn, object=f"outbox:{number}", limit=1000)
    chosen = next((item for item in log if item.id == exchange), log[-1] if log else None)
    return Detail(
        line_of(found, desk.clock.now(), rules_of(desk), person),
        _history(found, acts, log, masker_of(found.row.payload, person)),
        _messages(desk, found, chosen, person),
        _differences(desk, found, log) if found.kind == "conflict" else (),
    )


def rules_of(desk: Desk) -> Rules:
    """What may be done at this site."""
    try:
        has_query = dialect_of(desk).has_query
    except ConfigError:
        has_query = False
    return Rules(live=desk.site.platform.mode == "live", has_query=has_query)


def ask_platform(desk: Desk, number: int, *, actor: str) -> Line:
    """Ask the platform about a list whose outcome is not known; the row as it is afterwards.

    Raises ConfigError unless the mode is live, or when the row waits for no answer; RetryLater
    while the platform may still be at it, or when it does not answer. Never sends the list.
    """
    mode = desk.site.platform.mode
    if mode != "live":
        raise ConfigError(OBSERVE.format(mode=_MODE_WORDS[mode]), path="platform.mode")
    with open_client(desk) as client:
        sender = Sender(desk.store, client, client.dialect, desk.clock)
        desk.store.write(
            lambda conn: audit.add(
                conn, desk.clock.now(), actor, "outbox.asked_by_person", f"outbox:{number}"
            )
        )
        sender.ask(number)
    found = line(desk, number)
    if found is None:
        raise ConfigError("队列里没有这一份；刷新后再看")
    return found


def put_back(desk: Desk, number: int, *, reason: str, actor: str) -> Line:
    """Put a stopped list back with a reason: the platform is asked first, then it goes on.

    Raises ConfigError without a reason, or when the row does not wait for a person.
    """
    desk.store.write(
        lambda conn: outbox.retry_by_person(
            conn,
            number,
            actor=actor,
            reason=reason,
            now=desk.clock.now(),
            epoch=desk.store.epoch,
        )
    )
    found = line(desk, number)
    if found is None:
        raise ConfigError("队列里没有这一份；刷新后再看")
    return found


def open_problems(conn: Connection) -> int:
    """Rows that wait for a person: for the count in the navigation."""
    numbers = outbox_views.counts(conn)
    return sum(numbers[kind] for kind in ("unknown", "rejected", "conflict", "held"))


def _kinds(state: str) -> tuple[str, ...]:
    for key, _, _, kinds in TABS:
        if key == state:
            return kinds
    raise ConfigError(f"没有“{state}”这一栏", path="state")


def _texts(reason: str) -> Texts | None:
    if not reason:
        return None
    known = [item for item in REASONS if item.key == reason or reason == TOLD.key]
    if not known:
        raise ConfigError(f"没有“{reason}”这种原因", path="reason")
    patterns = [_like(start) for item in known for start in item.starts]
    if any(item.key == "silent" for item in known):
        patterns.append("平台 %秒没有应答%")
    return Texts(tuple(patterns), negated=reason == TOLD.key)


def _like(start: str) -> str:
    return start.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _before(age: str, now: datetime) -> datetime | None:
    if not age:
        return None
    for key, _, length in AGES:
        if key == age:
            return now - length
    raise ConfigError(f"没有“{age}”这个时长", path="age")


def _cursor(text: str) -> Cursor | None:
    if not text:
        return None
    kind, _, number = text.partition(".")
    if kind not in outbox_views.KINDS or not number.isdecimal() or len(number) > 18:
        raise ConfigError("翻页的位置不对；回到第一页", path="after")
    return Cursor(kind, int(number))


def _person(conn: Connection, found: DeskRow) -> bytes:
    return outbox_views.persons(conn, [found.row.case_id]).get(found.row.case_id, b"")


def _history(
    found: DeskRow,
    acts: Sequence[audit.AuditRow],
    log: Sequence[outbox.Exchange],
    masker: Masker,
) -> tuple[Happened, ...]:
    steps = [Happened(act.at, _told(found, act)) for act in acts]
    for item in log:
        answered = item.outcome == ANSWERED
        outcome = "答复" if answered else masker.text(item.outcome.partition(": ")[2])
        status = f"HTTP {item.http_status}，" if item.http_status is not None else ""
        steps.append(
            Happened(
                item.at + timedelta(milliseconds=item.millis),
                f"{item.infno} {status}{item.millis / 1000:.2f} 秒：{outcome}",
                item.id,
            )
        )
    return tuple(sorted(steps, key=lambda step: step.at))


def _told(found: DeskRow, act: audit.AuditRow) -> str:
    by = "" if act.actor == outbox.ACTOR else f"，{act.actor}"
    reason = f"：{act.reason}" if act.reason else ""
    if act.act == "outbox.enqueued":
        digest = found.row.digest
        return f"进入队列，第 {found.row.revision} 版，摘要 SM3 {digest[:4]}…{digest[-4:]}"
    if act.act == "outbox.claimed":
        return f"发出，第 {act.detail.get('attempt')} 次"
    return f"{audit.ACTS[act.act].label}{by}{reason}"


def _differences(
    desk: Desk, found: DeskRow, log: Sequence[outbox.Exchange]
) -> tuple[FieldDifference, ...]:
    asked = [item for item in log if item.infno == QUERY and item.answer_hash]
    answer = _raw(desk, asked[-1].answer_hash) if asked else None
    if not answer:
        return ()
    payload = found.row.payload
    return field_differences(dialect_of(desk), payload, answer, masker_of(payload))


def _messages(
    desk: Desk, found: DeskRow, chosen: outbox.Exchange | None, person: bytes
) -> Messages:
    row = found.row
    if chosen is None:
        title = f"{row.infno} 将要发出 {len(row.payload):,} 字节"
        return Messages(None, title, masker_of(row.payload, person).message(row.payload), "")
    request, answer = _raw(desk, chosen.request_hash), _raw(desk, chosen.answer_hash)
    masker = masker_of(row.payload, person, request or b"")
    size = f" {len(request):,} 字节" if request else ""
    return Messages(
        chosen.id,
        f"{chosen.infno}{size}，报文编号 {chosen.msgid}",
        _shown(masker, request),
        _shown(masker, answer),
    )


def _shown(masker: Masker, data: bytes | None) -> str:
    if data is None:
        return "（原文不在了；从备份恢复 raw 目录后可看）"
    return masker.message(data) if data else "（没有）"


def _raw(desk: Desk, digest: str) -> bytes | None:
    """Raw bytes; empty when there were none, None when they are lost."""
    if not digest:
        return b""
    try:
        return desk.store.raw(digest)
    except DipgateError:
        return None
