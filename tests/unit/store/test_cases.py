"""Cases, corrections, verdicts, groups: what is stored comes back, and runs may be repeated."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal

import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError
from dipgate.core.findings import Finding, FindingStatus, Fix, Severity
from dipgate.core.grouping import (
    Alternative,
    GroupResult,
    GroupStatus,
    Layer,
    ScoreResult,
    ScoreStatus,
    Step,
    Zone,
)
from dipgate.core.lists import SettlementList
from dipgate.core.money import Fen
from dipgate.core.record import Origin
from dipgate.store import Store, cases, groupings, overlays, unmapped, verdicts
from dipgate.store.cases import CaseRow
from dipgate.store.groupings import Grouping
from dipgate.store.verdicts import Verdict

ORIGINS = (
    Origin("setlinfo.adm_time", "2025-03-01 08:30:00", "his", "f.csv", 7, "入院", "2025/3/1 8:30"),
    Origin("setlinfo.hi_type", "310", steps=("默认值",), overlay=3),
)


def put(
    store: Store, clock: FixedClock, settlement: str, *, day: date | None = None, **info: str
) -> CaseRow:
    return store.write(
        lambda conn: cases.put_case(
            conn,
            lst=SettlementList({"setl_id": settlement, **info}),
            origins=ORIGINS,
            source="his",
            stay_key=f"K-{settlement}",
            person_no="P1",
            settled_on=day or date(2025, 3, 31),
            department="A03",
            doctor="D1",
            fee_fen=123456,
            now=clock.now(),
        )
    )


def _state(store: Store, clock: FixedClock, case: CaseRow, state: str) -> None:
    store.write(lambda conn: cases.set_state(conn, case.id, state, now=clock.now()))


def test_a_case_comes_back_with_list_and_lineage(store: Store, clock: FixedClock) -> None:
    case = put(store, clock, "S1", gend="1")
    with store.read() as conn:
        assert cases.get_case(conn, case.id) == case
        assert cases.case_by_settlement(conn, "S1") == case
        assert cases.cases_of_stay(conn, "his", "K-S1") == (case,)
        assert cases.origins_of(conn, case.id) == ORIGINS
        assert cases.origins_of(conn, "none") == ()
        assert cases.get_case(conn, "none") is None
        assert cases.case_by_settlement(conn, "none") is None
    assert case.settlement_list().get("setlinfo.gend") == "1"
    assert (case.month, case.state, case.revision) == ("2025-03", "mapped", 1)
    assert case.list_hash == cases.list_hash(case.settlement_list())


def test_the_same_list_keeps_state_and_revision(store: Store, clock: FixedClock) -> None:
    case = put(store, clock, "S1", gend="1")
    _state(store, clock, case, "ready")
    again = put(store, clock, "S1", gend="1")
    assert (again.id, again.state, again.revision) == (case.id, "ready", 1)
    changed = put(store, clock, "S1", gend="2")
    assert (changed.id, changed.state, changed.revision) == (case.id, "mapped", 2)
    assert changed.list_hash != case.list_hash


def test_the_order_of_fields_is_not_a_change() -> None:
    one = SettlementList({"setl_id": "S1", "gend": "1", "fee": Decimal("1.50")})
    two = SettlementList({"fee": Decimal("1.50"), "gend": "1", "setl_id": "S1"})
    assert cases.list_hash(one) == cases.list_hash(two)
    assert cases.list_hash(one) != cases.list_hash(one.with_value("setlinfo.fee", Decimal("1.5")))


def test_case_ids_say_nothing_of_the_patient(store: Store, clock: FixedClock) -> None:
    ids = {put(store, clock, f"S{n}").id for n in range(20)}
    assert len(ids) == 20
    assert all(len(each) == 16 and "S" not in each for each in ids)


def test_pages_follow_each_other(store: Store, clock: FixedClock) -> None:
    for number in range(5):
        put(store, clock, f"S{number}", day=date(2025, 3 if number < 3 else 4, 1))
    with store.read() as conn:
        first = cases.cases_in(conn, limit=2)
        second = cases.cases_in(conn, after=first[-1].settlement_id, limit=2)
        march = cases.cases_in(conn, month="2025-03", states=("mapped",))
        assert cases.cases_in(conn, states=("ready",)) == ()
        assert cases.months(conn) == ("2025-03", "2025-04")
        assert cases.counts(conn)["mapped"] == 5
        assert cases.counts(conn, month="2025-04")["mapped"] == 2
    assert [case.settlement_id for case in (*first, *second)] == ["S0", "S1", "S2", "S3"]
    assert [case.settlement_id for case in march] == ["S0", "S1", "S2"]


def test_states_are_checked(store: Store, clock: FixedClock) -> None:
    case = put(store, clock, "S1")
    with pytest.raises(ValueError, match="not a case state"):
        _state(store, clock, case, "done")
    with pytest.raises(KeyError):
        _state(store, clock, dataclasses.replace(case, id="none"), "ready")
    with pytest.raises(ValueError, match="settlement id"):
        put(store, clock, "")


def _add(store: Store, clock: FixedClock, path: str, reason: str = "病案更正") -> int:
    return store.write(
        lambda conn: overlays.add(
            conn,
            settlement_id="S1",
            op="set",
            path=path,
            value="2",
            expect="1",
            reason=reason,
            author="李编码",
            at=clock.now(),
        )
    )


def test_corrections_hold_until_undone(store: Store, clock: FixedClock) -> None:
    one, two = _add(store, clock, "setlinfo.gend"), _add(store, clock, "diseinfo[0].diag_code")
    with store.read() as conn:
        held = overlays.active_for(conn, "S1")
    assert [each.number for each in held] == [one, two]
    assert (held[0].op, held[0].path, held[0].value, held[0].expect) == (
        "set",
        "setlinfo.gend",
        "2",
        "1",
    )
    assert (held[0].author, held[0].at) == ("李编码", "2025-06-16 12:00:00")

    def undo() -> str:
        return store.write(lambda conn: overlays.undo(conn, one, author="张", at=clock.now()))

    assert undo() == "S1"
    with pytest.raises(ConfigError, match="没有生效"):
        undo()
    with store.read() as conn:
        assert [each.number for each in overlays.active_for(conn, "S1")] == [two]


def test_a_correction_needs_a_reason_and_a_path(store: Store, clock: FixedClock) -> None:
    with pytest.raises(ConfigError, match="理由"):
        _add(store, clock, "setlinfo.gend", reason=" ")
    with pytest.raises(ValueError, match="字段路径"):
        _add(store, clock, "setlinfo..gend")
    with pytest.raises(ValueError, match="operation"):
        store.write(
            lambda conn: overlays.add(
                conn,
                settlement_id="S1",
                op="drop",
                path="setlinfo.gend",
                reason="x",
                author="y",
                at=clock.now(),
            )
        )


def finding(rule: str, severity: Severity = Severity.ERROR, *, found: bool = True) -> Finding:
    status = FindingStatus.FOUND if found else FindingStatus.NOT_CHECKED
    fix = Fix("set", "setlinfo.gend", "2", safe=True, text="改为 2")
    return Finding(
        rule, severity, status, "setlinfo.gend", "1", f"{rule} 不符", "改", "第一章", (fix,)
    )


def judged(case: CaseRow, clock: FixedClock, *found: Finding, pack: str = "v1") -> Verdict:
    return Verdict(case.id, case.list_hash, pack, found, clock.now())


def _put_verdicts(store: Store, *batch: Verdict) -> None:
    store.write(lambda conn: verdicts.put_verdicts(conn, batch))


def test_verdicts_come_back_whole(store: Store, clock: FixedClock) -> None:
    case = put(store, clock, "S1")
    verdict = judged(
        case, clock, finding("B001"), finding("D002", Severity.HINT), finding("X", found=False)
    )
    _put_verdicts(store, verdict)
    _put_verdicts(store, verdict)
    with store.read() as conn:
        assert verdicts.verdict_for(conn, case.id, case.list_hash, "v1") == verdict
        assert verdicts.verdict_for(conn, case.id, case.list_hash, "v2") is None
        assert verdicts.latest(conn, case.id) == verdict
        assert verdicts.latest(conn, "none") is None
        rows = verdicts.findings_in(conn)
        known = verdicts.known_keys(
            conn, [(case.id, case.list_hash, "v1"), (case.id, case.list_hash, "v2")]
        )
    assert [(row.rule, row.severity) for row in rows] == [
        ("B001", Severity.ERROR),
        ("D002", Severity.HINT),
    ]
    assert known == {(case.id, case.list_hash, "v1")}
    assert (verdict.errors, verdict.count(Severity.HINT)) == (1, 1)


def test_filters_see_the_verdict_given_last(store: Store, clock: FixedClock) -> None:
    one, two = put(store, clock, "S1"), put(store, clock, "S2", day=date(2025, 4, 1))
    _put_verdicts(
        store,
        judged(one, clock, finding("B001")),
        judged(two, clock, finding("B001"), finding("B002", Severity.WARNING)),
    )
    _put_verdicts(store, judged(one, clock, finding("B003"), pack="v2"))
    with store.read() as conn:
        assert [row.rule for row in verdicts.findings_in(conn, case_id=one.id)] == ["B003"]
        assert [row.case_id for row in verdicts.findings_in(conn, rule="B001")] == [two.id]
        assert [row.rule for row in verdicts.findings_in(conn, severity=Severity.WARNING)] == [
            "B002"
        ]
        assert [row.case_id for row in verdicts.findings_in(conn, month="2025-03")] == [one.id]
        page = verdicts.findings_in(conn, limit=1)
        assert len(verdicts.findings_in(conn, after=page[0].id)) == 2


def test_clean_lists_are_those_whose_present_content_was_judged_so(
    store: Store, clock: FixedClock
) -> None:
    clean, broken, changed, unchecked = (put(store, clock, f"S{n}") for n in range(4))
    _put_verdicts(
        store,
        judged(clean, clock, finding("D002", Severity.WARNING)),
        judged(broken, clock, finding("B001")),
        judged(changed, clock),
    )
    put(store, clock, "S2", gend="9")
    for case in (clean, broken, changed, unchecked):
        _state(store, clock, case, "checked")
    with store.read() as conn:
        assert verdicts.clean_settlements(conn) == ("S0",)


def grouped(case: CaseRow, clock: FixedClock, amount: int | None, policy: str = "p1") -> Grouping:
    group = GroupResult(
        GroupStatus.GROUPED,
        Layer.CORE,
        "K35:47.0",
        "阑尾炎",
        base_score=Decimal("812.40"),
        alternatives=(Alternative("X", "别的", Decimal("1.0"), "分值低"),),
        warnings=("W_X",),
        trace=(Step("core", "进入核心病种", "row 7", "812.40", ("a", "b")),),
        policy=policy,
        library="sample@1",
    )
    status = ScoreStatus.NOT_CONFIGURED if amount is None else ScoreStatus.SCORED
    money = ScoreResult(
        status,
        Zone.NORMAL,
        ratio=Decimal("0.987654321"),
        score=Decimal("812.40"),
        amount=None if amount is None else Fen(amount),
    )
    return Grouping(case.id, case.list_hash, policy, "sample@1", group, money, clock.now())


def test_groups_come_back_with_trace_and_exact_numbers(store: Store, clock: FixedClock) -> None:
    case, other = put(store, clock, "S1"), put(store, clock, "S2")
    result = grouped(case, clock, 974880)
    for _ in range(2):
        store.write(lambda conn: groupings.put_grouping(conn, result))
    store.write(lambda conn: groupings.put_groupings(conn, []))
    newer = grouped(case, clock, 100, policy="p2")
    store.write(lambda conn: groupings.put_groupings(conn, [newer, grouped(other, clock, None)]))
    with store.read() as conn:
        key = (case.id, case.list_hash)
        assert groupings.grouping_for(conn, *key, "p1", "sample@1") == result
        assert groupings.grouping_for(conn, *key, "p1", "sample@2") is None
        assert groupings.latest(conn, case.id) == newer
        assert groupings.latest(conn, "none") is None
        assert groupings.latest_of_month(conn, "2025-03")["S1"] == newer
        assert groupings.latest_of_month(conn, "2024-03") == {}


def test_unmapped_codes_are_counted_once_per_settlement(store: Store, clock: FixedClock) -> None:
    code = ("icd10-map", "A09.900", "肠炎")

    def set_for(settlement: str, *items: tuple[str, str, str]) -> None:
        store.write(lambda conn: unmapped.replace_for(conn, settlement, items, clock.now()))

    set_for("S1", code, ("icd9cm3-map", "47.0100", "阑尾切除"))
    set_for("S1", code)
    set_for("S2", code)
    for _ in range(2):
        store.write(lambda conn: unmapped.note(conn, *code, "S3", clock.now()))
    with store.read() as conn:
        assert unmapped.codes(conn) == (unmapped.UnmappedCode(*code, clock.now(), 3),)
        assert unmapped.codes(conn, kind="icd9cm3-map") == ()
        assert unmapped.settlements_with(conn, "icd10-map", "A09.900") == ("S1", "S2", "S3")
    for settlement in ("S1", "S2", "S3"):
        set_for(settlement)
    with store.read() as conn:
        assert unmapped.codes(conn) == ()
