"""Health checks: both sides of every limit, and a remedy wherever something is wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import pytest

from dipgate.core.clock import CHINA
from dipgate.core.exchange import State
from dipgate.pipeline import health
from dipgate.pipeline.health_facts import (
    BackupFact,
    CatalogueFact,
    Check,
    Facts,
    Grade,
    PackFact,
    PlatformFact,
    PolicyFact,
    SourceFact,
    StorageFact,
)
from dipgate.store.vitals import LinkVitals, SourceVitals, StateVitals

NOW = datetime(2026, 11, 20, 14, 32, tzinfo=CHINA)
GIB = 1024**3


@dataclass(frozen=True)
class Job:
    name: str = "intake"
    label: str = "读取和检查"
    state: str = "waiting"
    last_started: datetime | None = None
    last_succeeded: datetime | None = NOW - timedelta(minutes=3)
    next_run: datetime | None = NOW + timedelta(minutes=7)
    detail: str = ""


SOURCE = SourceVitals("his", 88_214, NOW, NOW - timedelta(minutes=1), 0, None)
WELL = Facts(
    now=NOW,
    version="1.4.2",
    started_at=NOW - timedelta(days=12, hours=6),
    platform=PlatformFact("live", "https", "990100"),
    site_problems=(),
    sources=(SourceFact("his", "csv", SOURCE),),
    waiting_stays=0,
    waiting_since=None,
    unmapped_codes=0,
    unmapped_lists=0,
    lists={"accepted": 5, "checked": 2},
    outbox=(StateVitals(State.ACCEPTED, 5, None, 0),),
    reasons={},
    link=LinkVitals(
        last_at=NOW - timedelta(minutes=1),
        last_millis=420,
        last_answered_at=NOW - timedelta(minutes=1),
        signed_in_at=NOW - timedelta(minutes=12),
    ),
    clock_skew=0.3,
    last_recorded=NOW,
    last_accepted=NOW,
    last_pull=NOW - timedelta(hours=12),
    last_reconciled=NOW - timedelta(hours=12),
    catalogues=(CatalogueFact("icd10", "医保版疾病诊断", "2.0", date(2025, 1, 1)),),
    missing_catalogues=(),
    policy=PolicyFact("sample_2025", date(2025, 1, 1), None, "sample@sample-1"),
    packs=(PackFact("base", "abcdef1234567890", 128),),
    storage=StorageFact(600 * GIB, 412 * GIB, 3 * GIB, 0, "0006", "0006"),
    backup=BackupFact(NOW - timedelta(hours=12), "/b/x.sqlite", GIB),
    jobs=(Job(),),
)


def found(facts: Facts, key: str) -> Check:
    return next(check for check in health.checks(facts) if check.key == key)


def waiting(state: State, rows: int = 3, minutes: float = 1, retried: int = 0) -> Facts:
    return replace(
        WELL, outbox=(StateVitals(state, rows, NOW - timedelta(minutes=minutes), retried),)
    )


def test_when_all_is_well_nothing_wants_doing() -> None:
    checks = health.checks(WELL)
    assert {check.grade for check in checks} == {Grade.OK}
    assert health.worst(checks) is Grade.OK
    assert health.summary_words(checks) == f"{len(checks)} 项正常"
    assert found(WELL, "platform").sentence == "通，14:31 往返 0.42 秒，签到 14:20"
    assert found(WELL, "disk").sentence == "已用 31%，余 412 GB"


WRONG: list[tuple[str, Grade, Facts]] = [
    ("jobs", Grade.LOOK, replace(WELL, jobs=())),
    ("job.intake", Grade.STOP, replace(WELL, jobs=(Job(state="failed", detail="来源读不了"),))),
    (
        "job.intake",
        Grade.LOOK,
        replace(WELL, jobs=(Job(next_run=NOW - timedelta(minutes=6)),)),
    ),
    ("outbox.unknown", Grade.LOOK, waiting(State.UNKNOWN, minutes=27)),
    ("outbox.unknown", Grade.STOP, waiting(State.UNKNOWN, minutes=24 * 60 + 1)),
    ("outbox.conflict", Grade.STOP, waiting(State.CONFLICT)),
    ("outbox.held", Grade.STOP, waiting(State.HELD)),
    ("outbox.rejected", Grade.LOOK, replace(WELL, lists={"rejected": 9})),
    ("outbox.ready", Grade.LOOK, waiting(State.READY, minutes=31)),
    ("outbox.ready", Grade.STOP, waiting(State.READY, minutes=241)),
    ("platform", Grade.LOOK, replace(WELL, link=LinkVitals())),
    ("platform", Grade.LOOK, replace(WELL, link=replace(WELL.link, failures=4))),
    ("platform", Grade.STOP, replace(WELL, link=replace(WELL.link, failures=5))),
    ("pulled", Grade.LOOK, replace(WELL, last_pull=None)),
    ("pulled", Grade.LOOK, replace(WELL, last_pull=NOW - timedelta(hours=51))),
    ("site", Grade.STOP, replace(WELL, site_problems=("platform.url 还没有填写", "别的"))),
    ("sources", Grade.LOOK, replace(WELL, sources=())),
    ("source.his", Grade.LOOK, replace(WELL, sources=(SourceFact("his", "csv", None),))),
    (
        "source.his",
        Grade.LOOK,
        replace(
            WELL,
            sources=(
                SourceFact("his", "csv", replace(SOURCE, last_read=NOW - timedelta(hours=27))),
            ),
        ),
    ),
    (
        "source.his",
        Grade.STOP,
        replace(
            WELL,
            sources=(SourceFact("his", "csv", replace(SOURCE, last_read=NOW - timedelta(days=5))),),
        ),
    ),
    (
        "source.his",
        Grade.LOOK,
        replace(
            WELL,
            sources=(SourceFact("his", "csv", replace(SOURCE, rejected=3, rejected_at=NOW)),),
        ),
    ),
    (
        "inbox",
        Grade.LOOK,
        replace(WELL, waiting_stays=4, waiting_since=NOW - timedelta(minutes=16)),
    ),
    ("unmapped", Grade.LOOK, replace(WELL, unmapped_codes=2, unmapped_lists=7)),
    ("backup", Grade.LOOK, replace(WELL, backup=None)),
    ("backup", Grade.LOOK, replace(WELL, backup=BackupFact(NOW - timedelta(hours=27)))),
    ("backup", Grade.STOP, replace(WELL, backup=BackupFact(NOW - timedelta(days=8)))),
    ("disk", Grade.LOOK, replace(WELL, storage=replace(WELL.storage, disk_free=4 * GIB))),
    ("disk", Grade.STOP, replace(WELL, storage=replace(WELL.storage, disk_free=GIB - 1))),
    ("database", Grade.STOP, replace(WELL, storage=replace(WELL.storage, revision="0005"))),
    ("database", Grade.LOOK, replace(WELL, storage=replace(WELL.storage, journal=2 * GIB))),
    ("clock", Grade.LOOK, replace(WELL, clock_skew=-120.0)),
    ("clock", Grade.STOP, replace(WELL, clock_skew=300.0)),
    ("clock", Grade.STOP, replace(WELL, last_recorded=NOW + timedelta(minutes=3))),
    ("policy", Grade.LOOK, replace(WELL, policy=PolicyFact(problem="没有生效的政策"))),
    (
        "policy",
        Grade.LOOK,
        replace(WELL, policy=replace(WELL.policy, last_day=date(2026, 12, 20))),
    ),
    ("catalogues.missing", Grade.LOOK, replace(WELL, missing_catalogues=("科室对照",))),
    (
        "catalogues.fresh",
        Grade.LOOK,
        replace(WELL, catalogues=(replace(WELL.catalogues[0], imported_at=NOW),)),
    ),
]


@pytest.mark.parametrize(("key", "grade", "facts"), WRONG, ids=lambda value: str(value)[:20])
def test_what_is_wrong_is_graded_and_says_what_to_do(key: str, grade: Grade, facts: Facts) -> None:
    check = found(facts, key)
    assert check.grade is grade, check
    assert check.remedy
    assert health.checks(facts)[0].grade is max(item.grade for item in health.checks(facts))


RIGHT: list[tuple[str, Facts]] = [
    ("job.intake", replace(WELL, jobs=(Job(next_run=NOW - timedelta(minutes=4)),))),
    ("job.intake", replace(WELL, jobs=(Job(state="off", detail="只看方式，不上传"),))),
    ("outbox.ready", waiting(State.READY, minutes=29)),
    (
        "outbox.ready",
        replace(waiting(State.READY, minutes=999), platform=PlatformFact("shadow")),
    ),
    ("platform", replace(WELL, platform=PlatformFact("observe"), link=LinkVitals())),
    ("disk", replace(WELL, storage=replace(WELL.storage, disk_free=31 * GIB))),
    ("clock", replace(WELL, clock_skew=None)),
    ("clock", replace(WELL, clock_skew=119.0)),
    ("clock", replace(WELL, last_recorded=NOW + timedelta(seconds=4))),
    ("backup", replace(WELL, backup=None, lists={})),
    ("inbox", replace(WELL, waiting_stays=4, waiting_since=NOW - timedelta(minutes=14))),
    (
        "source.his",
        replace(
            WELL,
            sources=(
                SourceFact(
                    "his",
                    "csv",
                    replace(SOURCE, rejected=3, rejected_at=NOW - timedelta(days=8)),
                ),
            ),
        ),
    ),
    ("policy", replace(WELL, policy=replace(WELL.policy, last_day=date(2026, 12, 21)))),
]


@pytest.mark.parametrize(("key", "facts"), RIGHT, ids=lambda value: str(value)[:20])
def test_what_is_short_of_a_limit_is_in_order(key: str, facts: Facts) -> None:
    assert found(facts, key).grade is Grade.OK


def test_worst_first_and_in_the_order_of_the_page_among_equals() -> None:
    facts = replace(
        waiting(State.CONFLICT), unmapped_codes=1, clock_skew=500.0, missing_catalogues=("x",)
    )
    checks = health.checks(facts)
    assert [check.key for check in checks[:4]] == [
        "outbox.conflict",
        "clock",
        "unmapped",
        "catalogues.missing",
    ]
    assert health.summary_words(checks).endswith("2 项注意，2 项故障")


@pytest.mark.parametrize(
    ("scheme", "words"),
    [("https", "系统信任的根证书"), ("http", "没有证书可查"), ("", "没有填平台地址")],
)
def test_certificates_are_said_to_be_none(scheme: str, words: str) -> None:
    check = found(replace(WELL, platform=PlatformFact("live", scheme)), "certificates")
    assert check.sentence.startswith("没有配置证书")
    assert words in check.sentence


def test_a_check_that_is_not_in_order_cannot_be_without_a_remedy() -> None:
    with pytest.raises(ValueError, match="no remedy"):
        Check("x", "某项", Grade.LOOK, "不对")


def test_json_and_text_say_the_same() -> None:
    facts = waiting(State.UNKNOWN, minutes=27)
    checks = health.checks(facts)
    told = health.as_json(facts, checks)
    assert told["status"] == "look"
    assert told["counts"] == {"stop": 0, "look": 1, "ok": len(checks) - 1}
    assert told["mode"] == "live"
    assert told["outbox"]["unknown"]["rows"] == 3
    assert told["catalogues"][0]["first_day"] == "2025-01-01"
    assert told["platform"]["clock_skew_seconds"] == 0.3
    text = health.as_text(facts, checks)
    assert text.startswith("dipgate 1.4.2 look")
    assert "look\t结果不明\t3 份没有收到平台答复，最早的等了 27 分钟 | 怎么办：" in text
    assert len(text.splitlines()) == len(checks) + 1


def test_an_unknown_list_is_never_to_be_sent_again() -> None:
    check = found(waiting(State.UNKNOWN), "outbox.unknown")
    assert "问平台" in check.remedy
    assert "重传" not in check.remedy
    no_query = replace(waiting(State.UNKNOWN), platform=replace(WELL.platform, has_query=False))
    assert "打电话" in found(no_query, "outbox.unknown").remedy
