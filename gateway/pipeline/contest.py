"""A settlement belongs to one stay: what is claimed by two waits, what nobody claims is retired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dipgate.core.errors import RecordError
from dipgate.core.exchange import State
from dipgate.pipeline.desk import Desk
from dipgate.store import Connection, audit, bills, cases, life, outbox, outbox_sql, verdicts

PUT_AWAY = outbox_sql.PUT_AWAY
"""States that a list leaves when its stay is mapped again."""
_SHOWN = 5


class Contested(RecordError):
    """Two stays claim one settlement; which of them it is, only the source can say."""


def among(conn: Connection, desk: Desk, settlement_ids: Iterable[str]) -> dict[str, Contested]:
    """Which of these settlements several stays claim, each with the sentence for its stays."""
    sources = [spec.name for spec in desk.site.source_specs()]
    return {
        settlement_id: Contested(
            f"结算编号 {settlement_id} 被两次住院同时使用：{_words(found)}；都已搁置",
            remedy="在源系统核对这个结算属于哪次住院，改正另一行的结算编号后重新导出",
        )
        for settlement_id, found in bills.claims(conn, settlement_ids, sources).items()
        if bills.contested(found)
    }


def refuse(conn: Connection, desk: Desk, settlement_id: str) -> None:
    """Raises Contested when several stays claim this settlement."""
    for error in among(conn, desk, [settlement_id]).values():
        raise error


def set_aside(
    conn: Connection, desk: Desk, settlement_id: str, reason: str, *, why: str = "结算编号重用"
) -> None:
    """Take the list of a contested or unclear settlement off the desk and the upload queue."""
    case = cases.case_by_settlement(conn, settlement_id)
    if case is not None and (case.state, case.hold_reason) != ("set_aside", reason):
        _put_away(conn, desk, case, "set_aside", reason)
        audit.add(conn, desk.clock.now(), desk.actor, "case.set_aside", f"case:{case.id}", why)


def retire_unclaimed(
    conn: Connection, desk: Desk, source: str, stay_key: str, current: Sequence[str]
) -> None:
    """Retire lists made from this stay whose settlement no current row of any stay names."""
    made = cases.cases_of_stay(conn, source, stay_key)
    gone = [case for case in made if case.settlement_id not in current and case.state != "retired"]
    if not gone:
        return
    claimed = bills.claims(conn, [case.settlement_id for case in gone])
    for case in gone:
        if case.settlement_id not in claimed:
            _retire(conn, desk, case, "数据源里已没有这个结算编号的结算记录")


def retire_cancelled(
    conn: Connection, desk: Desk, source: str, stay_key: str, cancelled: Mapping[str, str]
) -> int:
    """Retire the lists of cancelled settlements, each with its reason; how many were not yet."""
    made = cases.cases_of_stay(conn, source, stay_key) if cancelled else ()
    gone = [case for case in made if case.settlement_id in cancelled and case.state != "retired"]
    for case in gone:
        _retire(conn, desk, case, cancelled[case.settlement_id])
    return len(gone)


def bring_back(conn: Connection, desk: Desk, case: cases.CaseRow) -> cases.CaseRow:
    """A list that was put away is mapped again from its true stay: as far as it was.

    What the platform has, or may have, of this very revision counts; unless a person saw to it
    that the platform has nothing: then it is uploaded anew.
    """
    now = desk.clock.now()
    verdict = verdicts.latest(conn, case.id)
    state = "checked" if verdict and verdict.list_hash == case.list_hash else "mapped"
    sent = life.at_platform(conn, case.settlement_id)
    if sent is not None and sent.revision == case.revision:
        if life.is_cleared(conn, case.settlement_id, sent):
            cases.raise_revision(conn, case.id)
        else:
            state = "accepted" if sent.state is State.ACCEPTED else "queued"
    if case.state == "retired":
        _note(conn, desk, case, life.BACK, "来源里又有了这个结算")
    cases.set_state(conn, case.id, state, now=now)
    found = cases.get_case(conn, case.id)
    return case if found is None else found


def _retire(conn: Connection, desk: Desk, case: cases.CaseRow, reason: str) -> None:
    _put_away(conn, desk, case, "retired", reason)
    _note(conn, desk, case, life.RETIRED, reason)
    audit.add(conn, desk.clock.now(), desk.actor, "case.retired", f"case:{case.id}", reason)


def _note(conn: Connection, desk: Desk, case: cases.CaseRow, kind: str, reason: str) -> None:
    life.add(
        conn,
        settlement_id=case.settlement_id,
        kind=kind,
        revision=case.revision,
        sent=life.at_platform(conn, case.settlement_id),
        reason=reason,
        author=desk.actor,
        at=desk.clock.now(),
    )


def _put_away(conn: Connection, desk: Desk, case: cases.CaseRow, state: str, reason: str) -> None:
    """What has not left yet is taken out of the queue; what may have left is cleared up there."""
    now = desk.clock.now()
    outbox.withdraw(conn, case.settlement_id, now=now)
    cases.set_state(conn, case.id, state, now=now, hold_reason=reason)


def _words(found: Sequence[bills.Claim]) -> str:
    words = "、".join(
        f"{claim.object_name} 第{claim.row}行（住院 {claim.stay_key}）" for claim in found[:_SHOWN]
    )
    return words if len(found) <= _SHOWN else f"{words}等 {len(found)} 行"
