"""Counts of codes follow the lists: what a list gives, it takes back when it changes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.lists import read_list
from dipgate.store import Store, cases, code_usage

Put = Callable[..., cases.CaseRow]


def body(settlement: str, dx: Sequence[Any], ops: Sequence[Any]) -> bytes:
    rows = [code if isinstance(code, dict) else {"diag_code": code} for code in dx]
    return json.dumps(
        {
            "setlinfo": {"setl_id": settlement},
            "diseinfo": rows,
            "oprninfo": [{"oprn_oprt_code": code} for code in ops],
        }
    ).encode()


@pytest.fixture
def put(store: Store, clock: FixedClock) -> Put:
    """`put("S1", ["K35.800"], ["47.0100"], department="A04.01")` → the stored list."""

    def make(
        settlement: str, dx: Sequence[Any], ops: Sequence[Any] = (), department: str = "A04.01"
    ) -> cases.CaseRow:
        return store.write(
            lambda conn: cases.put_case(
                conn,
                lst=read_list(body(settlement, dx, ops)),
                origins=(),
                source="his",
                stay_key=settlement,
                person_no="P1",
                settled_on=None,
                department=department,
                doctor="D1",
                fee_fen=None,
                now=clock.now(),
            )
        )

    return make


def uses(store: Store, kind: str = "icd10", department: str = "") -> dict[str, int]:
    with store.read() as conn:
        return dict(code_usage.uses(conn, kind, department))


def test_lists_are_counted_once_per_department_and_in_all(store: Store, put: Put) -> None:
    rows = [
        put("S1", ["K35.800", "E11.900", "k35.８00"], ["47.0100", ""]),
        put("S2", ["K35.800"], ["47.0100", "47.0100"]),
        put("S3", ["K35.800"], department="A03.01"),
        put("S4", ["E11.900"], department=""),
    ]
    assert store.write(lambda conn: code_usage.note_lists(conn, rows)) == 4
    assert store.write(lambda conn: code_usage.note_lists(conn, rows)) == 0
    assert uses(store) == {"K35.800": 3, "E11.900": 2}
    assert uses(store, department="A04.01") == {"K35.800": 2, "E11.900": 1}
    assert uses(store, department="A03.01") == {"K35.800": 1}
    assert uses(store, "icd9cm3") == {"47.0100": 2}
    assert uses(store, "icd9cm3", "A03.01") == {}
    with store.read() as conn:
        assert code_usage.departments(conn) == ("A03.01", "A04.01")


def test_a_changed_list_takes_back_what_it_gave(store: Store, put: Put) -> None:
    row = put("S1", ["K35.800", "E11.900"])
    store.write(lambda conn: code_usage.note_lists(conn, [row]))
    changed = put("S1", ["K35.300", "E11.900"])
    store.write(lambda conn: code_usage.note_lists(conn, [changed]))
    assert uses(store) == {"K35.300": 1, "E11.900": 1}
    moved = put("S1", ["K35.300", "E11.900"], department="A03.01")
    store.write(lambda conn: code_usage.note_lists(conn, [moved]))
    assert uses(store, department="A04.01") == {}
    assert uses(store, department="A03.01") == {"K35.300": 1, "E11.900": 1}
    assert uses(store) == {"K35.300": 1, "E11.900": 1}


def test_the_revision_rises_with_every_change_and_only_then(store: Store, put: Put) -> None:
    def revision() -> int:
        with store.read() as conn:
            return code_usage.revision(conn)

    assert revision() == 0
    row = put("S1", ["K35.800"])
    store.write(lambda conn: code_usage.note_lists(conn, [row]))
    first = revision()
    assert first > 0
    store.write(lambda conn: code_usage.note_lists(conn, [row]))
    assert revision() == first
    row = put("S1", ["K35.300"])
    store.write(lambda conn: code_usage.note_lists(conn, [row]))
    assert revision() > first


def test_lists_nobody_counted_are_found_in_steps(store: Store, put: Put) -> None:
    for number in range(7):
        put(f"S{number}", ["K35.800"])
    steps = []
    while done := store.write(lambda conn: code_usage.note_uncounted(conn, limit=3)):
        steps.append(done)
    assert steps == [3, 3, 1]
    put("S0", ["K35.300"])
    put("S1", ["K35.800"], department="A03.01")
    assert store.write(code_usage.note_uncounted) == 2
    assert uses(store) == {"K35.800": 6, "K35.300": 1}


def test_what_is_no_code_of_the_catalogues_is_not_counted(store: Store, put: Put) -> None:
    rows = [
        put("S1", [{"diag_code": "BNW030", "diag_type": "2"}, {"diag_code": None}, {}, ""]),
        put("S2", [{"diag_code": 35, "diag_type": 1}, {"diag_code": "K35.800", "diag_type": 1}]),
        put("S3", [f"A{number:05d}" for number in range(5_000)]),
    ]
    store.write(lambda conn: code_usage.note_lists(conn, rows))
    found = uses(store)
    assert found.pop("K35.800") == 1
    assert len(found) == 400
    assert "BNW030" not in found


def test_a_failed_transaction_leaves_no_half_count(store: Store, put: Put) -> None:
    row = put("S1", ["K35.800"])

    def broken(conn: Any) -> None:
        code_usage.note_lists(conn, [row])
        raise RuntimeError("after counting")

    with pytest.raises(RuntimeError):
        store.write(broken)
    assert uses(store) == {}
    assert store.write(code_usage.note_uncounted) == 1
    assert uses(store) == {"K35.800": 1}
