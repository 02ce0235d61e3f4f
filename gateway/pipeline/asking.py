"""Asking the clinician about a field: the list waits, the answer brings it back."""

from __future__ import annotations

from dipgate.core.errors import RecordError
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.edits import EDITABLE
from dipgate.store import Connection, audit, cases, questions

WAITING = "等临床："
"""How the hold reason of a list begins that waits for an answer."""


def ask(
    desk: Desk, settlement_id: str, path: str, *, question: str, asked_of: str, author: str
) -> int:
    """Send a list to the clinician with a question about one field; the question's number.

    The list is held until every question is answered. Raises RecordError, changing nothing, when
    the list is on its way or the question says nothing.
    """

    def act(conn: Connection) -> int:
        case = cases.case_by_settlement(conn, settlement_id)
        if case is None:
            raise RecordError("没有这份清单", remedy="刷新后再试")
        if case.state not in EDITABLE or case.state == "accepted":
            word = cases.STATES[case.state]
            raise RecordError(f"清单现在是“{word}”，不能问临床", remedy="等它回到编码员手里再问")
        now = desk.clock.now()
        number = questions.ask(
            conn,
            settlement_id=settlement_id,
            path=path,
            question=question,
            asked_of=asked_of,
            asked_by=author,
            at=now,
        )
        reason = f"{WAITING}{asked_of.strip()}"
        cases.set_state(conn, case.id, "held", now=now, hold_reason=reason)
        detail: dict[str, str | int | None] = {"question": number, "path": path}
        audit.add(conn, now, author, "question.asked", f"case:{case.id}", detail=detail)
        return number

    return desk.store.write(act)


def answer(desk: Desk, settlement_id: str, number: int, *, text: str, author: str) -> None:
    """Keep the answer; the list comes back to the coder when it was the last open question.

    Raises RecordError for a question that is not open or belongs to another list.
    """

    def act(conn: Connection) -> None:
        found = questions.get(conn, number)
        case = cases.case_by_settlement(conn, settlement_id)
        if found is None or case is None or found.settlement_id != settlement_id:
            raise RecordError(f"这份清单没有第 {number} 号问题", remedy="刷新后再看")
        now = desk.clock.now()
        questions.answer(conn, number, text=text, author=author, at=now)
        audit.add(
            conn,
            now,
            author,
            "question.answered",
            f"case:{case.id}",
            detail={"question": number, "path": found.path},
        )
        still = questions.questions_of(conn, settlement_id, open_only=True)
        if not still and case.state == "held" and case.hold_reason.startswith(WAITING):
            cases.set_state(conn, case.id, "checked", now=now)

    desk.store.write(act)
