"""What a coder does to a list: correct, undo, release, hold. Each act is audited.

The same functions serve every way of working: screens, command line and demo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dipgate.core.errors import RecordError
from dipgate.core.findings import Finding, FindingStatus, Fix, Severity
from dipgate.core.lists import SettlementList
from dipgate.mapping import changed, expectation
from dipgate.pipeline import bill_life, contest
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.judge_stage import (
    JUDGED_STATES,
    Judgement,
    current_verdict,
    is_current,
    judge,
    store_judgements,
)
from dipgate.pipeline.map_stage import map_settlement, settlement_row, stay_of, store_mapped
from dipgate.store import Connection, audit, cases, life, overlays, questions, verdicts

EDITABLE = ("mapped", "checked", "ready", "held", "rejected", "accepted")
"""States in which a correction may be made; a list on its way to the platform waits for it."""


class StaleList(RecordError):
    """The list is not the one that its author saw; `case` is the list as it is now."""

    def __init__(self, case: cases.CaseRow) -> None:
        self.case = case
        super().__init__("清单在您打开之后变过", remedy="看过现在的值，再决定存哪一个")


@dataclass(frozen=True, slots=True)
class Edited:
    """The case after an act, with everything that is now said about its list."""

    case: cases.CaseRow
    judgement: Judgement


def correct(
    desk: Desk, settlement_id: str, fix: Fix, *, expect: str, reason: str, author: str
) -> Edited:
    """Lay one correction over the mapped list, re-check and re-price it in the same moment.

    `expect` is what the author saw there (`mapping.expectation`); something else there now
    (someone was faster, or the source changed) refuses the correction. Raises RecordError,
    changing nothing.
    """
    _need_reason(reason)

    def act(conn: Connection) -> Edited:
        case = _editable(conn, settlement_id)
        _guard(case.settlement_list(), fix, expect)
        return _lay(conn, desk, case, (fix,), reason=reason, author=author)

    return desk.store.write(act)


def correct_all(
    desk: Desk,
    settlement_id: str,
    fixes: Sequence[Fix],
    *,
    revision: int,
    reason: str,
    author: str,
) -> Edited:
    """Several corrections as one act: they hold together and are taken back together.

    Each is laid over the list that those before it made. Raises StaleList when the list is not
    the `revision` that the author saw; RecordError for anything else that cannot be done.
    Nothing is changed then.
    """
    _need_reason(reason)
    if not fixes:
        raise RecordError("没有要保存的改动", remedy="改了再存")

    def act(conn: Connection) -> Edited:
        case = _seen(conn, settlement_id, revision)
        return _lay(conn, desk, case, fixes, reason=reason, author=author)

    return desk.store.write(act)


def undo(desk: Desk, settlement_id: str, number: int, *, author: str, reason: str) -> Edited:
    """Take the act of one correction back. Raises RecordError when it does not hold any more."""

    def act(conn: Connection) -> Edited:
        case = _editable(conn, settlement_id)
        return _take_back(conn, desk, case, number, author=author, reason=reason)

    return desk.store.write(act)


def undo_last(desk: Desk, settlement_id: str, *, revision: int, author: str) -> Edited:
    """Take the newest act on a list back; as often as there are acts.

    Raises StaleList for another revision, RecordError when nothing is left.
    """

    def act(conn: Connection) -> Edited:
        case = _seen(conn, settlement_id, revision)
        last = overlays.last_act(overlays.acts_of(conn, settlement_id))
        if last is None:
            raise RecordError("没有可撤回的改动")
        return _take_back(conn, desk, case, last.number, author=author, reason="撤回")

    return desk.store.write(act)


def redo(desk: Desk, settlement_id: str, *, revision: int, author: str) -> Edited:
    """Make the act that was taken back last again, with its own reason.

    Raises StaleList for another revision, RecordError when there is none.
    """

    def act(conn: Connection) -> Edited:
        case = _seen(conn, settlement_id, revision)
        again = overlays.next_redo(overlays.acts_of(conn, settlement_id))
        if again is None:
            raise RecordError("没有可重做的改动")
        fixes = [Fix(change.op, change.path, change.value) for change in again.changes]
        edited = _lay(conn, desk, case, fixes, reason=again.reason, author=author, again=again)
        overlays.mark_redone(conn, again)
        return edited

    return desk.store.write(act)


def release(desk: Desk, settlement_id: str, *, author: str) -> cases.CaseRow:
    """Mark a list ready for upload. Raises RecordError while errors stand or it is unchecked.

    A verdict of other rules or of another day is made again first, and stays when it refuses.
    """
    _bring_up_to_date(desk, settlement_id)
    return desk.store.write(lambda conn: release_in(conn, desk, settlement_id, author=author))


def release_seen(desk: Desk, settlement_id: str, *, revision: int, author: str) -> cases.CaseRow:
    """`release` of what its author has before his eyes. Raises StaleList for another revision."""
    _bring_up_to_date(desk, settlement_id)

    def act(conn: Connection) -> cases.CaseRow:
        case = _known(conn, settlement_id)
        if case.revision != revision:
            raise StaleList(case)
        return release_in(conn, desk, settlement_id, author=author)

    return desk.store.write(act)


def release_in(conn: Connection, desk: Desk, settlement_id: str, *, author: str) -> cases.CaseRow:
    """`release` as part of a transaction of the caller's."""
    case = _known(conn, settlement_id)
    if case.state not in ("checked", "held"):
        word = cases.STATES[case.state]
        raise RecordError(f"清单现在是“{word}”，不能放行", remedy="先完成校验")
    contest.refuse(conn, desk, settlement_id)
    verdict = current_verdict(conn, desk, case)
    if verdict is None:
        raise RecordError("清单在校验之后又改过", remedy="重新校验后再放行")
    if verdict.errors:
        raise RecordError(f"还有 {verdict.errors} 处错误", remedy="改正后再放行")
    waiting = len(questions.questions_of(conn, settlement_id, open_only=True))
    if waiting:
        raise RecordError(f"还有 {waiting} 个问题等临床答复", remedy="记下答复或撤回问题后再放行")
    sent = life.at_platform(conn, settlement_id)
    refused = bill_life.correction_refused(desk, case, sent)
    if refused:
        raise RecordError(refused, remedy="要改的，先在平台上退回；不该改的，请来源改回")
    cases.set_state(conn, case.id, "ready", now=desk.clock.now())
    audit.add(conn, desk.clock.now(), author, "case.released", f"case:{case.id}")
    return _known(conn, settlement_id)


def release_clean(desk: Desk, *, author: str) -> int:
    """Release every checked list without errors; how many."""
    with desk.store.read() as conn:
        clean = verdicts.clean_settlements(conn)
    for settlement_id in clean:
        _bring_up_to_date(desk, settlement_id)
    with desk.store.read() as conn:
        clean = verdicts.clean_settlements(conn)
    for settlement_id in clean:
        release(desk, settlement_id, author=author)
    return len(clean)


def hold(desk: Desk, settlement_id: str, *, reason: str, author: str) -> cases.CaseRow:
    """Keep a list back with a reason. Raises RecordError once it is on its way."""

    def act(conn: Connection) -> cases.CaseRow:
        case = _editable(conn, settlement_id)
        _need_reason(reason)
        cases.set_state(conn, case.id, "held", now=desk.clock.now(), hold_reason=reason)
        audit.add(conn, desk.clock.now(), author, "case.held", f"case:{case.id}", reason)
        return _known(conn, settlement_id)

    return desk.store.write(act)


def take_back(desk: Desk, settlement_id: str, *, author: str) -> cases.CaseRow:
    """Back to the coder's desk: a held list that is wanted again, a release not yet queued.

    Raises RecordError for a list in another state.
    """

    def act(conn: Connection) -> cases.CaseRow:
        case = _known(conn, settlement_id)
        if case.state not in ("held", "ready"):
            word = cases.STATES[case.state]
            raise RecordError(f"清单现在是“{word}”，不用取回", remedy="刷新后再看")
        cases.set_state(conn, case.id, "checked", now=desk.clock.now())
        audit.add(conn, desk.clock.now(), author, "case.taken_back", f"case:{case.id}")
        return _known(conn, settlement_id)

    return desk.store.write(act)


def mechanical_fix(finding: Finding) -> Fix | None:
    """The first way out that needs no judgement of medicine, or None."""
    if finding.status is not FindingStatus.FOUND or not finding.fixes:
        return None
    return finding.fixes[0] if len(finding.fixes) == 1 or finding.fixes[0].safe else None


def open_errors(judgement: Judgement) -> tuple[Finding, ...]:
    """The findings that keep a list from being sent."""
    return tuple(
        finding
        for finding in judgement.findings
        if finding.severity is Severity.ERROR and finding.status is FindingStatus.FOUND
    )


def _bring_up_to_date(desk: Desk, settlement_id: str) -> None:
    """Judge a list again, in a transaction of its own, whose verdict is of other rules or days."""
    with desk.store.read() as conn:
        case = _known(conn, settlement_id)
        verdict = verdicts.latest(conn, case.id)
    if case.state in JUDGED_STATES and verdict is not None and not is_current(desk, case, verdict):
        desk.store.write(lambda conn: current_verdict(conn, desk, _known(conn, settlement_id)))


def _known(conn: Connection, settlement_id: str) -> cases.CaseRow:
    case = cases.case_by_settlement(conn, settlement_id)
    if case is None:
        raise RecordError(f"没有结算 {settlement_id} 的病例", remedy="先运行 dipgate intake")
    return case


def _editable(conn: Connection, settlement_id: str) -> cases.CaseRow:
    case = _known(conn, settlement_id)
    if case.state not in EDITABLE:
        word = cases.STATES[case.state]
        raise RecordError(f"清单现在是“{word}”，不能改动", remedy="等平台答复后再改")
    return case


def _guard(lst: SettlementList, fix: Fix, expect: str) -> None:
    try:
        found = expectation(lst, fix.op, fix.path)
    except (ValueError, KeyError):
        raise RecordError(f"清单上没有 {fix.path}", remedy="刷新后再试") from None
    if found != expect:
        raise RecordError(
            f"{fix.path} 现在的内容与您看到的不同",
            remedy="刷新后核对两边的值，再决定是否更正",
        )


def _seen(conn: Connection, settlement_id: str, revision: int) -> cases.CaseRow:
    case = _known(conn, settlement_id)
    if case.revision != revision:
        raise StaleList(case)
    return _editable(conn, settlement_id)


def _need_reason(reason: str) -> None:
    if not reason.strip():
        raise RecordError("没有填写理由", remedy="写明依据后再保存")


def _lay(
    conn: Connection,
    desk: Desk,
    case: cases.CaseRow,
    fixes: Sequence[Fix],
    *,
    reason: str,
    author: str,
    again: overlays.Act | None = None,
) -> Edited:
    """Store the corrections of one act and judge the list again.

    `again` is the act it repeats: then each place must hold what it held the first time.
    """
    lst, now = case.settlement_list(), desk.clock.now()
    first: int | None = None
    if again is None:
        overlays.drop_redo(conn, case.settlement_id)
    for place, fix in enumerate(fixes):
        try:
            expect = expectation(lst, fix.op, fix.path)
            lst = changed(lst, fix.op, fix.path, fix.value)
        except (KeyError, ValueError):
            raise RecordError(f"清单上没有 {fix.path}", remedy="刷新后再试") from None
        if again is not None and again.changes[place].expect not in ("", expect):
            raise RecordError(f"{fix.path} 的来源变过，不能照原样重做", remedy="看过现在的值再改")
        number = overlays.add(
            conn,
            settlement_id=case.settlement_id,
            op=fix.op,
            path=fix.path,
            value=fix.value,
            expect=expect,
            reason=reason,
            author=author,
            at=now,
            act=first,
        )
        first = first or number
        detail: dict[str, str | int | None] = {"overlay": number, "op": fix.op, "path": fix.path}
        if again is not None:
            detail["again"] = again.number
        audit.add(conn, now, author, "overlay.added", f"case:{case.id}", reason, detail)
    return _again(conn, desk, case)


def _take_back(
    conn: Connection, desk: Desk, case: cases.CaseRow, number: int, *, author: str, reason: str
) -> Edited:
    active = {overlay.number for overlay in overlays.active_for(conn, case.settlement_id)}
    if number not in active:
        raise RecordError(f"第 {number} 号更正不在这份清单上", remedy="刷新后再试")
    overlays.undo(conn, number, author=author, at=desk.clock.now())
    audit.add(
        conn,
        desk.clock.now(),
        author,
        "overlay.undone",
        f"case:{case.id}",
        reason,
        {"overlay": number},
    )
    return _again(conn, desk, case)


def _again(conn: Connection, desk: Desk, case: cases.CaseRow) -> Edited:
    stay = stay_of(desk, conn, case)
    active = overlays.active_for(conn, case.settlement_id)
    mapped = map_settlement(desk, stay, settlement_row(stay, case.settlement_id), active)
    if mapped.conflicts:
        conflict = mapped.conflicts[-1]
        raise RecordError(f"{conflict.path}：{conflict.what}", remedy="撤销旧的更正后再改")
    stored, _ = store_mapped(conn, desk, mapped, stay)
    judged = judge(desk, mapped.list)
    store_judgements(conn, [(stored, judged)], now=desk.clock.now())
    return Edited(_known(conn, case.settlement_id), judged)
