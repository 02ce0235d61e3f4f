"""Results, reconciliations, audit rows and raw files."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError, RecordError
from dipgate.store import Store, audit, raw, reconciliations, results
from dipgate.store.reconciliations import Reconciliation
from dipgate.store.tables import audit as audit_table


def _page(store: Store, clock: FixedClock, *rows: dict[str, object]) -> int:
    return store.write(lambda conn: results.put_page(conn, "3606", "2025-03", rows, clock.now()))


def test_a_page_is_stored_once_and_newer_content_holds(store: Store, clock: FixedClock) -> None:
    one: dict[str, object] = {"setl_id": "S1", "grp_dise_sco": Decimal("812.40"), "odd": [1, None]}
    two: dict[str, object] = {"setl_id": "S2", "grp_stas": "0"}
    assert _page(store, clock, one, two) == 2
    assert _page(store, clock, two, one) == 0
    newer = {**one, "grp_dise_sco": Decimal("800.00")}
    clock.advance(60)
    assert _page(store, clock, newer) == 1
    with store.read() as conn:
        rows = results.results_for(conn, "3606", "2025-03")
        assert [dict(row.payload) for row in rows] == [newer, two]
        assert rows[0].received_at == clock.now()
        assert results.results_for(conn, "3607", "2025-03") == ()
        assert results.results_for(conn, "3606", "2025-03", after="S1", limit=1) == rows[1:]
        assert results.by_settlement(conn, "S1") == rows[:1]
    assert _page(store, clock, one) == 1
    with store.read() as conn:
        assert dict(results.by_settlement(conn, "S1")[0].payload) == one


def test_a_row_without_settlement_refuses_the_page(store: Store, clock: FixedClock) -> None:
    with pytest.raises(RecordError, match="第2行 字段 setl_id"):
        _page(store, clock, {"setl_id": "S1"}, {"setl_id": " "})
    with store.read() as conn:
        assert results.results_for(conn, "3606", "2025-03") == ()


def test_a_reconciliation_takes_the_place_of_the_one_before(
    store: Store, clock: FixedClock
) -> None:
    equal = Reconciliation("S1", "equal", expected_fen=100, settled_fen=100)
    differs = Reconciliation("S2", "group", "group_code", "A", "B", 100, 90)

    def put(*rows: Reconciliation) -> None:
        store.write(lambda conn: reconciliations.put(conn, "2025-03", rows, clock.now()))

    put(differs)
    put(equal, differs)
    with store.read() as conn:
        assert reconciliations.of_month(conn, "2025-03") == (equal, differs)
        assert reconciliations.of_month(conn, "2025-03", reason="group") == (differs,)
        assert reconciliations.of_month(conn, "2025-03", after="S1", limit=1) == (differs,)
        assert reconciliations.counts(conn, "2025-03") == {"equal": 1, "group": 1}
        assert reconciliations.made_at(conn, "2025-03") == clock.now()
        assert reconciliations.made_at(conn, "2025-04") is None
    put()
    with store.read() as conn:
        assert reconciliations.of_month(conn, "2025-03") == ()


def test_audit_rows_come_back_in_order(store: Store, clock: FixedClock) -> None:
    def add(act: str, **detail: str | int | None) -> int:
        return store.write(
            lambda conn: audit.add(conn, clock.now(), "王工", act, "case:1", "急", detail)
        )

    first = add("case.held", b=2, a=None)
    add("case.released")
    with store.read() as conn:
        rows = audit.rows(conn, object="case:1")
        assert [row.act for row in rows] == ["case.held", "case.released"]
        assert rows[0].detail == {"a": None, "b": 2}
        assert (rows[0].actor, rows[0].reason, rows[0].at) == ("王工", "急", clock.now())
        assert audit.rows(conn, object="case:1", after=first)[0].act == "case.released"
        assert len(audit.rows(conn, act="case.held")) == 1


@pytest.mark.parametrize(
    "change", [delete(audit_table), update(audit_table).values(actor="nobody")]
)
def test_audit_rows_cannot_be_changed_or_deleted(store: Store, change: object) -> None:
    with pytest.raises(IntegrityError, match="never changed"):
        store.write(lambda conn: conn.execute(change))  # type: ignore[call-overload]
    with store.read() as conn:
        assert audit.rows(conn)


def test_an_act_is_registered_with_a_way_of_removal() -> None:
    assert all(act.label and act.personal for act in audit.ACTS.values())
    for name, label, personal in (
        ("case.new", "", "x"),
        ("case.new", "新", " "),
        ("New", "新", "x"),
        ("case.held", "扣留", "x"),
    ):
        with pytest.raises(ValueError, match="act"):
            audit.register(name, label, personal)
    assert "case.new" not in audit.ACTS


def test_an_unknown_act_or_actor_is_refused(store: Store, clock: FixedClock) -> None:
    for actor, act in (("王工", "case.unheard_of"), ("", "case.held")):
        with pytest.raises(ValueError, match=r"act|actor"):
            store.write(lambda conn, a=actor, b=act: audit.add(conn, clock.now(), a, b, "case:1"))


def test_times_must_be_aware(store: Store, clock: FixedClock) -> None:
    naive = (clock.now() - timedelta(days=1)).replace(tzinfo=None)
    with pytest.raises(Exception, match="aware"):
        store.write(lambda conn: audit.add(conn, naive, "x", "case.held", "case:1"))


def test_raw_bytes_are_kept_once_by_their_hash(store: Store) -> None:
    data = "住院流水号,姓名\r\n".encode("gb18030") + bytes(range(256))
    digest = store.keep_raw(data)
    assert store.keep_raw(data) == digest
    assert store.raw(digest) == data
    assert store.keep_raw(b"") == raw.keep_raw(store.state, b"")
    assert dict(raw.raw_files(store.state)) == {digest: len(data), store.keep_raw(b""): 0}
    assert (store.state / "raw" / digest[:2] / digest[2:]).is_file()


def test_a_cut_raw_file_is_written_anew(store: Store) -> None:
    digest = store.keep_raw(b"whole content")
    (store.state / "raw" / digest[:2] / digest[2:]).write_bytes(b"who")
    assert store.keep_raw(b"whole content") == digest
    assert store.raw(digest) == b"whole content"


def test_missing_and_changed_raw_files_are_named(store: Store) -> None:
    digest = store.keep_raw(b"content")
    file: Path = store.state / "raw" / digest[:2] / digest[2:]
    file.write_bytes(b"CONTENT")
    with pytest.raises(ConfigError, match="不符"):
        store.raw(digest)
    file.unlink()
    with pytest.raises(ConfigError, match="不在了"):
        store.raw(digest)
    with pytest.raises(ConfigError, match="编号"):
        store.raw("../../etc/passwd")
