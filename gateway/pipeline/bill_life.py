"""What becomes of a list when its bill is cancelled, made anew, or changed by the source later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dipgate.config.dialects import load_dialect
from dipgate.core.clock import CHINA
from dipgate.core.errors import RecordError
from dipgate.core.exchange import State
from dipgate.core.lists import SettlementList, text_of
from dipgate.core.money import fen_of
from dipgate.core.record import BILL_CONTROLS, Overlay, RawRow
from dipgate.pipeline.desk import Desk
from dipgate.store import Connection, audit, cases, life, outbox, overlays
from dipgate.store.life import Change
from dipgate.store.outbox import OutboxRow

audit.register("case.release_withdrawn", "来源改了清单，放行撤回", audit.IDS_ONLY)
audit.register("case.corrected_late", "来源在放行之后改了清单", audit.IDS_ONLY)
audit.register("case.corrections_carried", "重新结算，沿用更正", audit.IDS_ONLY)
audit.register("case.platform_cleared", "记下平台上已没有清单", audit.WRITTEN_REASON)

FLAG, FIRST_ID = BILL_CONTROLS
TOTAL = "medfee_sumamt"
_YES = frozenset("1 y t true 是 退费 已退费 撤销 已撤销 召回 已召回".split())
_NO = frozenset(["", *"0 n f false 否 正常 未退费 未撤销".split()])
_MOST_CHANGES = 200
_NOT_COMPARED = frozenset({"charges", "history"})
_BY_HAND = (State.ACCEPTED, State.HELD, State.CONFLICT)


class Unclear(RecordError):
    """Which bills of a stay are cancelled cannot be told: none of them may be sent."""


class Stay(Protocol):
    """A stay with its current source rows, as the mapping stage has it."""

    @property
    def rows(self) -> Mapping[str, Sequence[RawRow]]: ...

    def value(self, table: str, row: RawRow, name: str) -> str: ...

    def bill(self, row: RawRow) -> str: ...


@dataclass
class Bills:
    """The settlement rows of a stay: those that are bills, and what the others cancel."""

    live: list[RawRow] = field(default_factory=list)
    cancelled: dict[str, str] = field(default_factory=dict)
    """Settlement id → why it is no bill any more, in words."""
    problems: list[tuple[RawRow, Unclear]] = field(default_factory=list)


def read_bills(stay: Stay) -> Bills:
    """Tell bills from cancelled ones and from the rows that cancel them.

    A row is cancelled by its own refund flag, by a negative total, or by a negative row that
    names it (`init_setl_id`) or is its exact opposite. A negative row is never a bill. What
    cannot be told apart is a problem, and its row neither a bill nor cancelled.
    """
    found = Bills()
    rows = tuple(stay.rows.get("settlement", ()))
    refunds: list[RawRow] = []
    unclear: set[int] = set()
    for place, row in enumerate(rows):
        word = stay.value("settlement", row, FLAG)
        if word.lower() not in _YES | _NO:
            unclear.add(place)
            error = Unclear(
                f"看不懂退费标志“{word[:20]}”",
                remedy="请来源写 1（已退费）或 0，或改站点文件的映射",
            )
            found.problems.append((row, error))
        elif _total(stay, row) < 0:
            refunds.append(row)
            found.cancelled[stay.bill(row)] = f"{_at(row)}是金额为负的退费行"
        elif word.lower() in _YES:
            found.cancelled[stay.bill(row)] = f"{_at(row)}的退费标志是“{word}”"
    there = {stay.bill(row): row for row in rows if row not in refunds}
    for row in refunds:
        _reverse(stay, row, there, found)
    found.live = [
        row
        for place, row in enumerate(rows)
        if place not in unclear and stay.bill(row) not in found.cancelled
    ]
    return found


def _reverse(stay: Stay, row: RawRow, there: Mapping[str, RawRow], found: Bills) -> None:
    """What a negative row cancels beside its own id: nothing, if alone or naming itself."""
    named = stay.value("settlement", row, FIRST_ID).partition("^")[0].strip()
    own = stay.bill(row)
    if named == own or not there:
        return
    why = f"{_at(row)}（结算 {own}）冲销了它"
    if named:
        if named in there:
            found.cancelled.setdefault(named, why)
        else:
            error = Unclear(
                f"退费行所冲销的结算 {named} 不在这次住院里",
                remedy="核对原结算编号；原结算还没有导出的，补上后会自动重算",
            )
            found.problems.append((row, error))
        return
    opposite = [bill for bill, other in there.items() if _total(stay, other) == -_total(stay, row)]
    left = [bill for bill in opposite if bill not in found.cancelled]
    if len(left) == 1:
        found.cancelled[left[0]] = why
    elif len(left) > 1 or not opposite:
        error = Unclear(
            f"退费行没有写原结算编号，金额相反的结算有 {len(left)} 个",
            remedy="请来源在退费行写明原结算编号（init_setl_id）",
        )
        found.problems.append((row, error))


def _total(stay: Stay, row: RawRow) -> int:
    """Total fee in fen; 0 where it is not mapped or cannot be read (rules say that)."""
    try:
        return fen_of(stay.value("settlement", row, TOTAL)) or 0
    except ValueError:
        return 0


def _at(row: RawRow) -> str:
    return f"{row.object_name} 第{row.row}行"


def differences(before: SettlementList, after: SettlementList) -> tuple[Change, ...]:
    """Every place where two lists differ; detail lines of charges are counted, not compared."""
    one, other = _flat(before), _flat(after)
    places = list(dict.fromkeys([*one, *other]))
    found = [
        Change(path, one.get(path, ""), other.get(path, ""))
        for path in places
        if one.get(path, "") != other.get(path, "")
    ]
    return tuple(found[:_MOST_CHANGES])


def _flat(lst: SettlementList) -> dict[str, str]:
    out: dict[str, str] = {}
    for node, held in lst.as_object().items():
        if isinstance(held, Mapping):
            out |= {f"{node}.{name}": text_of(value) for name, value in held.items()}
        elif not isinstance(held, list):
            out[node] = text_of(held)
        elif node in _NOT_COMPARED:
            out[node] = f"{len(held)} 行"
        else:
            for place, row in enumerate(held):
                out |= {f"{node}[{place}].{name}": text_of(row[name]) for name in row}
    return out


def told(event: life.BillEvent) -> str:
    """One event as a sentence."""
    sent = f"第 {event.sent_revision} 版" if event.sent_state else ""
    if event.kind == life.RETIRED:
        return f"结算撤销：{event.reason}。{_AFTER_RETIRED[event.sent_state].format(sent=sent)}"
    if event.kind == life.LATE:
        head = f"来源改了清单，成为第 {event.revision} 版"
        head += f"，{event.reason}" if event.reason else ""
        return f"{head}。{_AFTER_CHANGE[event.sent_state].format(sent=sent)}"
    if event.kind == life.CLEARED:
        return f"{event.author}记下平台上已没有这份清单：{event.reason}。"
    return f"{event.reason}。"


_AFTER_RETIRED: Mapping[State | None, str] = {
    None: "平台上没有它。",
    State.READY: "已从上传队列撤回。",
    State.SENDING: "{sent}正在上传，等平台答复。",
    State.UNKNOWN: "{sent}上传结果不明，等平台答复。",
    State.ACCEPTED: "平台收过{sent}，要由人在平台上撤下。",
    State.CONFLICT: "平台上的内容与{sent}不同，要由人核实。",
    State.HELD: "{sent}多次上传没有成功，平台上有没有要由人核实。",
}
_AFTER_CHANGE: Mapping[State | None, str] = {
    None: "还没有上传过，校验后重新放行。",
    State.READY: "还没有上传过，校验后重新放行。",
    State.SENDING: "{sent}正在上传，新版等它有了答复再传。",
    State.UNKNOWN: "{sent}上传结果不明，新版等它有了答复再传。",
    State.ACCEPTED: "平台收过{sent}；放行就作为更正上传。",
    State.CONFLICT: "{sent}在上传队列里等人裁定，新版排在它后面。",
    State.HELD: "{sent}在上传队列里等人裁定，新版排在它后面。",
}
"""By what the platform had, or may have had, of the list at that moment; else nothing had left."""


def note_change(
    conn: Connection, desk: Desk, before: cases.CaseRow | None, after: cases.CaseRow
) -> None:
    """The source changed a list: take a release back, and say what changed behind an upload.

    What is READY is withdrawn; a revision that left stays what it is, and the next one waits for
    its answer. A list that was held stays held.
    """
    if before is None or before.revision == after.revision or before.state == "set_aside":
        return
    now = desk.clock.now()
    if before.state == "retired":
        life.add(
            conn,
            settlement_id=after.settlement_id,
            kind=life.BACK,
            revision=after.revision,
            sent=life.at_platform(conn, after.settlement_id),
            reason="来源里又有了这个结算，内容和撤销前不同",
            author=desk.actor,
            at=now,
            changes=differences(before.settlement_list(), after.settlement_list()),
        )
        return
    withdrawn = outbox.withdraw(conn, after.settlement_id, now=now)
    sent = life.at_platform(conn, after.settlement_id)
    if before.state == "held":
        cases.set_state(conn, after.id, "held", now=now, hold_reason=before.hold_reason)
    released = before.state == "ready" or withdrawn > 0
    if not released and sent is None:
        return
    life.add(
        conn,
        settlement_id=after.settlement_id,
        kind=life.LATE,
        revision=after.revision,
        sent=sent,
        reason="放行已撤回" if released else "",
        author=desk.actor,
        at=now,
        changes=differences(before.settlement_list(), after.settlement_list()),
    )
    act = "case.release_withdrawn" if released else "case.corrected_late"
    audit.add(conn, now, desk.actor, act, f"case:{after.id}", "来源改了清单")


def predecessor(
    conn: Connection, source: str, stay_key: str, settlement_id: str, named: str
) -> str:
    """The cancelled settlement of the stay whose corrections a new one takes; empty: none.

    The one that the new row names, else the only one that has corrections no list took yet.
    """
    if cases.case_by_settlement(conn, settlement_id) is not None:
        return ""
    retired = [
        case.settlement_id
        for case in cases.cases_of_stay(conn, source, stay_key)
        if case.state == "retired" and overlays.active_for(conn, case.settlement_id)
    ]
    left = [item for item in retired if item not in life.carried_from(conn, retired)]
    if named in left:
        return named
    return left[0] if len(left) == 1 else ""


def carry(
    conn: Connection,
    desk: Desk,
    *,
    old: str,
    new: str,
    taken: Sequence[Overlay],
    left: Sequence[Change],
) -> None:
    """Copy corrections of a cancelled settlement to the one that replaces it.

    `taken` hold on the new list as they did on the old; `left` have to be looked at again.
    """
    now = desk.clock.now()
    acts: dict[str, int] = {}
    for overlay in taken:
        key = f"{overlay.at} {overlay.author}"
        number = overlays.add(
            conn,
            settlement_id=new,
            op=overlay.op,
            path=overlay.path,
            value=overlay.value,
            expect=overlay.expect,
            reason=f"{overlay.reason}（沿用结算 {old} 的更正）",
            author=overlay.author,
            at=now,
            act=acts.get(key),
        )
        acts.setdefault(key, number)
    life.add(
        conn,
        settlement_id=new,
        kind=life.CARRIED,
        revision=1,
        sent=None,
        reason=f"结算 {old} 撤销后重新结算：沿用 {len(taken)} 处更正，{len(left)} 处要再看",
        author=desk.actor,
        at=now,
        other_id=old,
        changes=left,
    )
    audit.add(
        conn,
        now,
        desk.actor,
        "case.corrections_carried",
        f"settlement:{new}",
        detail={"from": old, "taken": len(taken), "left": len(left)},
    )


def correction_refused(desk: Desk, case: cases.CaseRow, sent: OutboxRow | None) -> str:
    """Why the platform takes no other revision of what it accepted; empty when it may."""
    if sent is None or sent.state is not State.ACCEPTED or sent.revision >= case.revision:
        return ""
    if not load_dialect(desk.site.dialect_name).takes_corrections:
        return "本地平台收下的清单不能再传更正；请经办机构退回后再放行"
    days = desk.site.desk.correction_days
    if days is None or case.settled_on is None:
        return ""
    past = (desk.clock.now().astimezone(CHINA).date() - case.settled_on).days
    if past <= days:
        return ""
    return f"结算后已 {past} 天，超过更正期 {days} 天，本月已锁定；请经办机构退回后再放行"


def is_to_be_cleared(conn: Connection, case: cases.CaseRow) -> bool:
    """Cancelled, and the platform has or may have a list that a person has to take down there."""
    sent = life.at_platform(conn, case.settlement_id) if case.state == "retired" else None
    if sent is None or sent.state not in _BY_HAND:
        return False
    return not life.is_cleared(conn, case.settlement_id, sent)


def clear(desk: Desk, settlement_id: str, *, reason: str, author: str) -> None:
    """A person saw to it that the platform has no list of a cancelled settlement.

    Raises RecordError without a reason, or when there is nothing of it to be cleared.
    """
    if not reason.strip():
        raise RecordError("没有写怎样核实的", remedy="写明在平台上看到了什么、怎样撤下的")

    def act(conn: Connection) -> None:
        case = cases.case_by_settlement(conn, settlement_id)
        sent = life.at_platform(conn, settlement_id)
        if case is None or case.state != "retired" or sent is None:
            raise RecordError("这份清单不用在平台上撤下", remedy="刷新后再看")
        if sent.state not in _BY_HAND:
            raise RecordError("平台还没有答复上一次上传", remedy="等它答复以后再记")
        if life.is_cleared(conn, settlement_id, sent):
            raise RecordError("已经记过平台上没有它", remedy="刷新后再看")
        now = desk.clock.now()
        life.add(
            conn,
            settlement_id=settlement_id,
            kind=life.CLEARED,
            revision=case.revision,
            sent=sent,
            reason=reason.strip(),
            author=author,
            at=now,
        )
        audit.add(conn, now, author, "case.platform_cleared", f"case:{case.id}", reason.strip())
        cases.set_state(conn, case.id, case.state, now=now, hold_reason=case.hold_reason)

    desk.store.write(act)
