"""The inbox: received = stored + repeated + changed, whatever the file, line or order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.record import RawRow, Rejected
from dipgate.store import Store, inbox
from dipgate.store.inbox import Added

Row = Callable[..., RawRow]


@pytest.fixture
def add(store: Store, clock: FixedClock) -> Callable[..., Added]:
    def put(*rows: RawRow) -> Added:
        return store.write(lambda conn: inbox.add_rows(conn, "his", rows, clock.now()))

    return put


def _names(store: Store, key: str = "K1", table: str = "charge") -> list[str]:
    with store.read() as conn:
        return [row.values["名称"] for row in inbox.stay_rows(conn, "his", key)[table]]


def test_rows_come_back_as_they_were_received(
    store: Store, add: Callable[..., Added], row: Row
) -> None:
    given = (
        row("front_page", "K1", 2, 名称="首页", 备注=" \u3000原样\x01 "),
        row("settlement", "K1", 2, file="s.csv", 名称="结算"),
        row("charge", "K1", 2, file="c.csv", 名称="床位费"),
        row("charge", "K2", 3, file="c.csv", 名称="床位费"),
    )
    assert add(*given) == Added(4, 0, 0)
    with store.read() as conn:
        rows = inbox.stay_rows(conn, "his", "K1")
        assert inbox.stay_rows(conn, "other", "K1") == {
            "front_page": (),
            "settlement": (),
            "charge": (),
        }
    assert rows == {"front_page": given[:1], "settlement": given[1:2], "charge": given[2:3]}


def test_the_same_file_again_adds_nothing(
    store: Store, add: Callable[..., Added], row: Row
) -> None:
    rows = [row("charge", "K1", line, 名称=f"药{line}") for line in range(2, 9)]
    rows.append(row("settlement", "K1", 2, 名称="结算"))
    assert add(*rows) == Added(8, 0, 0)
    assert add(*rows) == Added(0, 8, 0)
    with store.read() as conn:
        assert [stay.changes for stay in inbox.stays_to_map(conn, 9)] == [8]


def test_equal_charge_lines_of_one_file_are_all_kept(
    store: Store, add: Callable[..., Added], row: Row
) -> None:
    """Two equal injections on one day are two charges."""
    twice = [row("charge", "K1", line, 名称="注射费") for line in (2, 3)]
    assert add(*twice) == Added(2, 0, 0)
    assert add(*twice) == Added(0, 2, 0)
    assert _names(store) == ["注射费", "注射费"]


def test_equal_charge_lines_are_counted_across_batches_and_exports(
    store: Store, add: Callable[..., Added], row: Row
) -> None:
    assert add(row("charge", "K1", 2, 名称="注射费")) == Added(1, 0, 0)
    assert add(row("charge", "K1", 501, 名称="注射费")) == Added(1, 0, 0)
    # A later export of the same two lines, in batches of its own, elsewhere in its file.
    assert add(row("charge", "K1", 7, raw="b", 名称="注射费")) == Added(0, 1, 0)
    assert add(row("charge", "K1", 900, raw="b", 名称="注射费")) == Added(0, 1, 0)
    # It has a third one: that is new.
    assert add(row("charge", "K1", 901, raw="b", 名称="注射费")) == Added(1, 0, 0)
    # And read once more after a crash, from its start.
    again = [row("charge", "K1", line, raw="b", 名称="注射费") for line in (7, 900, 901)]
    assert add(*again) == Added(0, 3, 0)
    assert _names(store) == ["注射费"] * 3


def test_files_mixed_in_one_batch_are_told_apart(
    store: Store, add: Callable[..., Added], row: Row
) -> None:
    mixed = [row("charge", "K1", 2, raw=raw, 名称="床位费") for raw in "abc"]
    mixed += [row("charge", "K1", 3, raw="b", 名称="床位费")]
    assert add(*mixed) == Added(2, 2, 0)
    assert add(row("charge", "K1", 3, raw="c", 名称="床位费")) == Added(0, 1, 0)
    assert _names(store) == ["床位费"] * 2


@pytest.mark.parametrize("table", ["front_page", "settlement"])
def test_other_content_for_a_stay_becomes_current(
    store: Store, add: Callable[..., Added], row: Row, table: str
) -> None:
    add(row(table, "K1", 2, 名称="旧"))
    assert add(row(table, "K1", 2, raw="b", 名称="新")) == Added(0, 0, 1)
    assert _names(store, table=table) == ["新"]
    # The source goes back to the earlier content: the newest received holds.
    assert add(row(table, "K1", 2, raw="c", 名称="旧")) == Added(0, 0, 1)
    assert _names(store, table=table) == ["旧"]
    assert add(row(table, "K1", 9, raw="d", 名称="旧")) == Added(0, 1, 0)


def test_versions_within_one_batch_keep_the_last(
    store: Store, add: Callable[..., Added], row: Row
) -> None:
    rows = [row("settlement", "K1", line, 名称=f"第{line}版") for line in (2, 3, 4)]
    assert add(*rows) == Added(1, 0, 2)
    assert _names(store, table="settlement") == ["第4版"]


def test_several_bills_of_a_stay_stand_side_by_side(
    store: Store, clock: FixedClock, row: Row
) -> None:
    def add(*rows: RawRow) -> Added:
        return store.write(
            lambda conn: inbox.add_rows(
                conn, "his", rows, clock.now(), part_of=lambda each: each.values["结算号"]
            )
        )

    first = row("settlement", "K1", 2, 结算号="B1", 名称="一")
    assert add(first, row("settlement", "K1", 3, 结算号="B2", 名称="二")) == Added(2, 0, 0)
    assert add(row("settlement", "K1", 2, raw="b", 结算号="B2", 名称="二改")) == Added(0, 0, 1)
    assert _names(store, table="settlement") == ["一", "二改"]


def test_large_batches_are_cut_without_losing_anything(add: Callable[..., Added], row: Row) -> None:
    rows = [row("charge", f"K{n % 7}", n, 名称=f"药{n % 5}") for n in range(1, 1703)]
    assert add(*rows) == Added(1702, 0, 0)
    assert add(*rows) == Added(0, 1702, 0)


def test_stays_wait_until_they_are_mapped(
    store: Store, clock: FixedClock, add: Callable[..., Added], row: Row
) -> None:
    add(row("settlement", "K2", 2, 名称="x"), row("settlement", "K1", 3, 名称="x"))

    def waiting() -> tuple[inbox.Stay, ...]:
        with store.read() as conn:
            return inbox.stays_to_map(conn, 10, source="his")

    def mark(stay: inbox.Stay) -> None:
        store.write(
            lambda conn: inbox.mark_mapped(
                conn, stay.source, stay.key, clock.now(), changes=stay.changes
            )
        )

    one, two = waiting()
    assert (one.key, two.key) == ("K1", "K2")
    mark(two)
    # A row that arrives between reading and marking is not lost.
    add(row("charge", "K1", 4, 名称="床位费"))
    mark(one)
    assert [stay.key for stay in waiting()] == ["K1"]
    store.write(lambda conn: inbox.mark_mapped(conn, "his", "K1", clock.now()))
    assert waiting() == ()
    store.write(lambda conn: inbox.touch(conn, "his", "K2", clock.now()))
    assert [stay.key for stay in waiting()] == ["K2"]
    assert store.write(lambda conn: inbox.touch_all(conn, clock.now())) == 2
    with store.read() as conn:
        assert inbox.count_to_map(conn) == 2
        assert inbox.stays_to_map(conn, 10, source="none") == ()


def test_rejects_are_kept_once_with_place_and_remedy(store: Store, clock: FixedClock) -> None:
    bad = Rejected("charge", "c.csv", 7, "金额", "金额有30位", "核对后重新导出", "a" * 64)
    whole = Rejected("charge", "d.csv", None, "", "缺少列 住院流水号", "补列后重新导出", "b" * 64)
    for new in (2, 0):
        assert new == store.write(
            lambda conn: inbox.add_rejected(conn, "his", [bad, whole], clock.now())
        )
    with store.read() as conn:
        found = inbox.rejected(conn, "his")
        assert [item for _, _, item in found] == [bad, whole]
        assert inbox.rejected(conn, "his", after=found[0][0], limit=1)[0][2] == whole
        assert inbox.rejected(conn, "other") == ()


def test_rows_rejects_and_watermark_move_together(
    store: Store, clock: FixedClock, row: Row
) -> None:
    def read(mark: str, fail: bool) -> None:
        def work(conn: object) -> None:
            inbox.commit_read(
                conn,  # type: ignore[arg-type]
                "his",
                [row("charge", "K1", 2, 名称="药")],
                [],
                mark,
                clock.now(),
            )
            if fail:
                raise RuntimeError("power")

        store.write(work)

    with pytest.raises(RuntimeError):
        read("5", True)
    with store.read() as conn:
        assert inbox.watermark(conn, "his") is None
        assert inbox.received(conn) == ()
    read("5", False)
    read("9", False)
    with store.read() as conn:
        assert inbox.watermark(conn, "his") == "9"
        assert inbox.received(conn) == (inbox.Received("his", "charge", 1),)


def test_the_name_of_one_source_is_not_another(store: Store, clock: FixedClock, row: Row) -> None:
    item = row("charge", "K1", 2, 名称="药")
    for source in ("a", "b"):
        added = store.write(lambda conn, s=source: inbox.add_rows(conn, s, [item], clock.now()))
        assert added == Added(1, 0, 0)
