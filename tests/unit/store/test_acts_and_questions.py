"""Acts are taken back whole and made again in order; questions wait for one answer."""

from __future__ import annotations

from typing import Any

import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError, RecordError
from dipgate.store import Store, overlays, questions

SID = "SETL1"


def make(store: Store, clock: FixedClock, *values: str, act: int | None = None) -> int:
    """One act of several corrections; its number."""

    def put(conn: Any) -> int:
        first = act
        for value in values:
            number = overlays.add(
                conn,
                settlement_id=SID,
                op="set",
                path="setlinfo.age",
                value=value,
                reason="核对",
                author="甲",
                at=clock.now(),
                act=first,
            )
            first = first or number
        return first or 0

    return store.write(put)


def acts(store: Store) -> tuple[overlays.Act, ...]:
    with store.read() as conn:
        return overlays.acts_of(conn, SID)


def undo(store: Store, clock: FixedClock, number: int) -> None:
    store.write(lambda conn: overlays.undo(conn, number, author="乙", at=clock.now()))


def test_corrections_of_one_act_are_taken_back_together(store: Store, clock: FixedClock) -> None:
    first = make(store, clock, "1")
    second = make(store, clock, "2", "3")
    assert [len(act.changes) for act in acts(store)] == [1, 2]
    undo(store, clock, second + 1)
    assert [(act.number, act.undone_by, act.redo) for act in acts(store)] == [
        (first, "", ""),
        (second, "乙", "open"),
    ]
    with store.read() as conn:
        assert [item.value for item in overlays.active_for(conn, SID)] == ["1"]
    with pytest.raises(ConfigError, match="可能已经撤销"):
        undo(store, clock, second)


def test_what_was_taken_back_last_is_made_again_first(store: Store, clock: FixedClock) -> None:
    numbers = [make(store, clock, value) for value in ("1", "2", "3")]
    for number in reversed(numbers):
        last = overlays.last_act(acts(store))
        assert last is not None
        assert last.number == number
        undo(store, clock, number)
    assert overlays.last_act(acts(store)) is None
    for number in numbers:
        again = overlays.next_redo(acts(store))
        assert again is not None
        assert again.number == number
        store.write(lambda conn, again=again: overlays.mark_redone(conn, again))
    assert overlays.next_redo(acts(store)) is None


def test_a_new_correction_ends_what_could_be_made_again(store: Store, clock: FixedClock) -> None:
    undo(store, clock, make(store, clock, "1"))
    store.write(lambda conn: overlays.drop_redo(conn, SID))
    assert overlays.next_redo(acts(store)) is None
    assert [act.redo for act in acts(store)] == ["dropped"]


def ask(store: Store, clock: FixedClock, **changed: str) -> int:
    values = {"path": "diseinfo[0].diag_code", "question": "有无穿孔", "asked_of": "主诊医师"}
    values |= changed
    return store.write(
        lambda conn: questions.ask(conn, settlement_id=SID, asked_by="甲", at=clock.now(), **values)
    )


def test_a_question_is_open_until_it_is_answered_once(store: Store, clock: FixedClock) -> None:
    number = ask(store, clock)
    ask(store, clock, path="setlinfo.gend")
    with store.read() as conn:
        assert questions.open_counts(conn, [SID, "other"]) == {SID: 2}
    done = store.write(
        lambda conn: questions.answer(conn, number, text="没有", author="乙", at=clock.now())
    )
    assert (done.answer, done.answered_by, done.is_open) == ("没有", "乙", False)
    with store.read() as conn:
        assert [item.is_open for item in questions.questions_of(conn, SID)] == [False, True]
        assert len(questions.questions_of(conn, SID, open_only=True)) == 1
    with pytest.raises(RecordError, match="已经答复"):
        store.write(
            lambda conn: questions.answer(conn, number, text="有", author="乙", at=clock.now())
        )


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"question": " "}, "没有填写问题"),
        ({"asked_of": ""}, "没有填写问谁"),
        ({"question": "长" * 501}, "超过 500 字"),
    ],
)
def test_a_question_that_says_nothing_or_too_much_is_refused(
    store: Store, clock: FixedClock, changed: dict[str, str], what: str
) -> None:
    with pytest.raises(RecordError, match=what):
        ask(store, clock, **changed)
    with pytest.raises(ValueError, match="路径"):
        ask(store, clock, path="; drop table")
