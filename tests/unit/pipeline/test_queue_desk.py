"""The queue desk: why a row waits and for whom; asking the platform; nothing is sent from here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.catalogues import activate_sample
from dipgate.config.dialects import load_dialect
from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.config.settings import render_template
from dipgate.core.clock import CHINA, FixedClock
from dipgate.core.errors import ConfigError, OutcomeUnknown, RetryLater
from dipgate.core.exchange import Event
from dipgate.core.reference import Hospital as OwnHospital
from dipgate.demo.export import csv_source, site_sources, write_csv
from dipgate.demo.hospital import generate
from dipgate.pipeline import exchange_stage, queue_desk
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.edits import release_clean
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.pipeline.queue_desk import Filter
from dipgate.service.wiring import open_desk
from dipgate.store import audit, cases, outbox
from dipgate.sync.client import Exchange

NATIONAL = load_dialect("national")
NOON = datetime(2025, 6, 16, 12, 0, 0, tzinfo=CHINA)
MONTH = date(2025, 3, 1)


class Platform:
    """A client that may only be asked; an upload would raise AttributeError."""

    def __init__(self, clock: FixedClock, answer: object) -> None:
        self.clock = clock
        self.dialect = NATIONAL
        self.signed_in = True
        self.answer = answer
        self.on_exchange: Callable[[Exchange], None] = lambda _exchange: None

    def ensure_session(self) -> None:
        """The session is open."""

    def query(self, person_no: str, settlement_id: str) -> Any:  # noqa: ARG002
        body = {"infcode": 0, "output": self.answer if isinstance(self.answer, dict) else {}}
        raw = json.dumps(body, ensure_ascii=False).encode()
        self.on_exchange(Exchange("4103", "M1", b"{}", raw, 200, "answered", self.clock.now(), 420))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def list_no_of(self, held: dict[str, Any]) -> str:  # noqa: ARG002
        return "QD9"


@pytest.fixture(scope="module")
def queued_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a small month of released lists in the outbox, made once; copy it."""
    folder = tmp_path_factory.mktemp("queued")
    state = folder / "state"
    state.mkdir()
    activate_sample(state, NOON)
    own = OwnHospital("H99010000001", "示例市第一人民医院", "3", "990100")
    reference = References(state, own).on(MONTH)
    library = load_library(state, "sample", day=MONTH)
    write_csv(
        generate(reference, library, seed=3, month=MONTH, size=8, defect_share=0.0),
        folder / "export",
    )
    head = render_template(
        code=own.code,
        name=own.name,
        level=own.level,
        area_code=own.area_code,
        policy="sample_2025",
        hsorg="示例市医疗保障局",
        hsorg_opter="示例经办人",
    )
    site = state / "site.toml"
    sources = site_sources(csv_source(folder / "export"))
    site.write_text(f"{head}\n{sources}", encoding="utf-8")
    with open_desk(state, site, clock=FixedClock(NOON)) as opened:
        read_sources(opened)
        map_new_stays(opened)
        judge_new_cases(opened)
        release_clean(opened, author="甲")
        exchange_stage.queue_ready(opened)
    return state


@pytest.fixture
def desk(queued_state: Path, tmp_path: Path, clock: FixedClock) -> Iterator[Desk]:
    """A live site with a month of released lists in the outbox."""
    state = tmp_path / "state"
    shutil.copytree(queued_state, state)
    with open_desk(state, state / "site.toml", clock=clock) as opened:
        opened.site = replace(
            opened.site, platform=opened.site.platform.model_copy(update={"mode": "live"})
        )
        yield opened


@pytest.fixture
def sent(desk: Desk, clock: FixedClock) -> Callable[..., outbox.OutboxRow]:
    """`sent(Event.NO_ANSWER)` claims the next list and lets these events happen to it."""

    def send(*events: Event, error: str = "") -> outbox.OutboxRow:
        store = desk.store
        row = store.write(
            lambda conn: outbox.claim(
                conn,
                now=clock.now(),
                lease_seconds=60,
                epoch=store.epoch,
                hospital_code=store.hospital_code,
                settle_seconds=120,
            )
        )
        assert row is not None
        for event in events:
            row = store.write(
                lambda conn, event=event, number=row.id: outbox.apply(
                    conn, number, event, now=clock.now(), epoch=store.epoch, last_error=error
                )
            )
        return row

    return send


@pytest.fixture
def platform(
    desk: Desk,  # noqa: ARG001
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[object], Platform]:
    """`platform(answer)` answers every query so, in the place of the real client."""

    def put(answer: object) -> Platform:
        client = Platform(clock, answer)

        @contextmanager
        def opened(_desk: Desk):  # type: ignore[no-untyped-def]
            yield client

        monkeypatch.setattr(queue_desk, "open_client", opened)
        return client

    return put


def line(desk: Desk, number: int) -> Any:
    found = queue_desk.line(desk, number)
    assert found is not None
    return found


def test_an_unknown_list_waits_for_the_settle_time_then_may_be_asked(
    desk: Desk, clock: FixedClock, sent: Callable[..., outbox.OutboxRow]
) -> None:
    row = sent(Event.NO_ANSWER, error="平台 60.0 秒没有应答，结果未知")
    clock.advance(72)
    found = line(desk, row.id)
    assert (found.word, found.grade, found.who) == ("结果不明", "wait", "信息科")
    assert (found.next_step, found.seconds_left, found.may_act) == ("再等 48 秒", 48, False)
    clock.advance(48)
    found = line(desk, row.id)
    assert (found.next_step, found.seconds_left, found.may_act) == ("可以问了", 0, True)
    assert (found.act, found.act_label) == ("ask", "问平台")
    assert found.said == "平台 60.0 秒没有应答，结果未知"
    assert found.record_no == json.loads(row.payload)["setlinfo"]["medcasno"]


def test_no_act_of_the_desk_sends_a_list_again(
    desk: Desk, clock: FixedClock, sent: Callable[..., outbox.OutboxRow]
) -> None:
    sent(Event.NO_ANSWER)
    sent(Event.NOT_TAKEN, Event.POISONED)
    sent(Event.REFUSED_AS_DUPLICATE)
    clock.advance(500)
    for found in queue_desk.queue_page(desk, Filter()).lines:
        words = (found.act_label, found.next_step, found.headline, found.advice)
        assert not any("重传" in word for word in words)
        assert found.act in ("", "ask", "retry")


def test_asking_settles_what_the_platform_has(
    desk: Desk,
    clock: FixedClock,
    sent: Callable[..., outbox.OutboxRow],
    platform: Callable[[object], Platform],
) -> None:
    row = sent(Event.NO_ANSWER)
    clock.advance(120)
    platform(json.loads(row.payload))
    found = queue_desk.ask_platform(desk, row.id, actor="xinxi")
    assert (found.kind, found.said) == ("accepted", "清单流水号 QD9")
    with desk.store.read() as conn:
        (asked,) = audit.rows(conn, act="outbox.asked_by_person")
    assert (asked.actor, asked.object) == ("xinxi", f"outbox:{row.id}")


def test_asking_twice_without_a_list_puts_it_back_to_be_sent(
    desk: Desk,
    clock: FixedClock,
    sent: Callable[..., outbox.OutboxRow],
    platform: Callable[[object], Platform],
) -> None:
    row = sent(Event.NO_ANSWER)
    platform(None)
    clock.advance(120)
    first = queue_desk.ask_platform(desk, row.id, actor="xinxi")
    assert (first.said, first.act_label, first.may_act) == (
        "第 1 次问：没有这份",
        "再问一次",
        False,
    )
    with pytest.raises(RetryLater, match="再等"):
        queue_desk.ask_platform(desk, row.id, actor="xinxi")
    clock.advance(120)
    assert queue_desk.ask_platform(desk, row.id, actor="xinxi").kind == "retry"


@pytest.mark.parametrize(("mode", "word"), [("observe", "只看"), ("shadow", "影子")])
def test_only_a_live_site_speaks_with_the_platform(
    desk: Desk, clock: FixedClock, sent: Callable[..., outbox.OutboxRow], mode: str, word: str
) -> None:
    row = sent(Event.NO_ANSWER)
    clock.advance(120)
    desk.site = replace(desk.site, platform=desk.site.platform.model_copy(update={"mode": mode}))
    with pytest.raises(ConfigError, match=f"“{word}”方式，不与平台往来"):
        queue_desk.ask_platform(desk, row.id, actor="xinxi")
    found = line(desk, row.id)
    assert (found.may_act, found.next_step) == (False, "改为正式上传后可问")
    with desk.store.read() as conn:
        assert audit.rows(conn, act="outbox.asked_by_person") == ()


def test_an_unanswered_question_changes_nothing(
    desk: Desk,
    clock: FixedClock,
    sent: Callable[..., outbox.OutboxRow],
    platform: Callable[[object], Platform],
) -> None:
    row = sent(Event.NO_ANSWER)
    clock.advance(120)
    platform(OutcomeUnknown("平台 15.0 秒没有应答，结果未知"))
    found = queue_desk.ask_platform(desk, row.id, actor="xinxi")
    assert found.kind == "unknown"


def test_a_conflict_is_shown_field_by_field_and_masked(
    desk: Desk,
    clock: FixedClock,
    sent: Callable[..., outbox.OutboxRow],
    platform: Callable[[object], Platform],
) -> None:
    row = sent(Event.NO_ANSWER)
    clock.advance(120)
    held = json.loads(row.payload)
    ours = held["setlinfo"]["bill_no"]
    held["setlinfo"] |= {"bill_no": "9999999999", "psn_no": held["setlinfo"]["psn_no"]}
    held["diseinfo"] = held["diseinfo"][:0]
    platform(held)
    assert queue_desk.ask_platform(desk, row.id, actor="xinxi").kind == "conflict"
    found = queue_desk.detail(desk, row.id)
    assert found is not None
    shown = {item.code: (item.label, item.ours, item.theirs) for item in found.differences}
    assert shown["setlinfo.bill_no"] == ("票据号码", ours, "9999999999")
    count = len(json.loads(row.payload)["diseinfo"])
    assert shown["diseinfo"] == ("诊断", f"{count} 行", "0 行")
    assert found.line.act == "retry"


def test_putting_back_needs_a_reason_and_asks_first(
    desk: Desk, sent: Callable[..., outbox.OutboxRow]
) -> None:
    row = sent(Event.NOT_TAKEN, Event.POISONED, error="连不上平台（X），没有发出任何内容")
    assert line(desk, row.id).act == "retry"
    with pytest.raises(ConfigError, match="理由"):
        queue_desk.put_back(desk, row.id, reason=" ", actor="xinxi")
    back = queue_desk.put_back(desk, row.id, reason="前置机修好了", actor="xinxi")
    assert (back.kind, back.act) == ("unknown", "ask")
    with desk.store.read() as conn:
        (done,) = audit.rows(conn, act="outbox.retried_by_person")
    assert (done.actor, done.reason) == ("xinxi", "前置机修好了")
    with pytest.raises(ConfigError):
        queue_desk.put_back(desk, row.id, reason="再来", actor="xinxi")


def test_who_acts_next_for_every_kind(
    desk: Desk, clock: FixedClock, sent: Callable[..., outbox.OutboxRow]
) -> None:
    rejected = sent(Event.RECEIPT_REFUSED, error="科别不在字典")
    sending = sent()
    retry = sent(Event.NOT_TAKEN, error="平台没有受理（HTTP 429）：限流")
    assert (line(desk, rejected.id).who, line(desk, rejected.id).grade) == ("编码员", "stop")
    assert (line(desk, retry.id).who, line(desk, retry.id).word) == ("自动", "等再试")
    assert line(desk, sending.id).next_step == "等平台答复"
    last = queue_desk.queue_page(desk, Filter(state="waiting")).lines[-1]
    assert (last.who, last.next_step, last.sent) == ("自动", "排着队", "")
    clock.advance(90_000)
    assert line(desk, rejected.id).sent == "昨天 12:00"


def test_filters_by_state_reason_and_age(
    desk: Desk, clock: FixedClock, sent: Callable[..., outbox.OutboxRow]
) -> None:
    timeout = sent(Event.NO_ANSWER, error="平台 60.0 秒没有应答，结果未知")
    garbled = sent(Event.NO_ANSWER, error="平台应答不是 JSON：维护")
    told = sent(Event.RECEIPT_REFUSED, error="患者姓名与平台不符")
    clock.advance(660)

    def numbers(**wanted: str) -> list[int]:
        return [each.number for each in queue_desk.queue_page(desk, Filter(**wanted)).lines]

    assert numbers(state="unknown") == [garbled.id, timeout.id]
    assert numbers(reason="silent") == [timeout.id]
    assert numbers(reason="garbled") == [garbled.id]
    assert numbers(reason="told") == [told.id]
    assert numbers(state="unknown", reason="told") == []
    assert set(numbers(age="10m")) >= {timeout.id, garbled.id, told.id}
    assert numbers(age="1d") == []
    page = queue_desk.queue_page(desk, Filter())
    assert {item.key: item.rows for item in page.reasons} == {
        "silent": 1,
        "garbled": 1,
        "told": 1,
    }
    assert {tab.key: tab.rows for tab in page.tabs}[""] == sum(
        tab.rows for tab in page.tabs if tab.key
    )


@pytest.mark.parametrize(
    "bad", [{"state": "x"}, {"reason": "'; DROP"}, {"age": "99"}], ids=lambda bad: str(bad)
)
def test_a_filter_that_is_none_is_refused(desk: Desk, bad: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        queue_desk.queue_page(desk, Filter(**bad))


@pytest.mark.parametrize("after", ["x", "unknown", "unknown.x", "nothing.3", "unknown.-1"])
def test_a_place_that_is_none_is_refused(desk: Desk, after: str) -> None:
    with pytest.raises(ConfigError):
        queue_desk.queue_page(desk, Filter(), after=after)


def test_pages_follow_each_other(desk: Desk) -> None:
    seen: list[int] = []
    after = ""
    while True:
        page = queue_desk.queue_page(desk, Filter(), after=after, limit=5)
        seen += [each.number for each in page.lines]
        after = page.following
        if not after:
            break
    with desk.store.read() as conn:
        assert sorted(seen) == [row.id for row in outbox.list_rows(conn)]


def test_detail_tells_the_story_with_masked_messages(
    desk: Desk,
    clock: FixedClock,
    sent: Callable[..., outbox.OutboxRow],
    platform: Callable[[object], Platform],
) -> None:
    row = sent(Event.NO_ANSWER, error="平台 60.0 秒没有应答，结果未知")
    address = json.loads(row.payload)["setlinfo"]["curr_addr"]
    before = queue_desk.detail(desk, row.id)
    assert before is not None
    assert before.messages.number is None
    assert "将要发出" in before.messages.title
    assert address not in before.messages.request
    clock.advance(120)
    platform(None)
    queue_desk.ask_platform(desk, row.id, actor="xinxi")
    found = queue_desk.detail(desk, row.id)
    assert found is not None
    told = [step.words for step in found.history]
    assert told[0].startswith("进入队列，第 1 版，摘要 SM3 ")
    assert told[1] == "发出，第 1 次"
    assert "人工问平台，xinxi" in told
    assert any(words.startswith("4103 HTTP 200，0.42 秒") for words in told)
    assert found.messages.number is not None
    assert queue_desk.detail(desk, 9999) is None


def test_the_platforms_words_never_name_the_patient(
    desk: Desk, sent: Callable[..., outbox.OutboxRow]
) -> None:
    row = sent()
    with desk.store.read() as conn:
        case = cases.get_case(conn, row.case_id)
    assert case is not None
    info = case.settlement_list().setlinfo
    assert "psn_name" not in json.loads(row.payload)["setlinfo"]
    desk.store.write(
        lambda conn: outbox.apply(
            conn,
            row.id,
            Event.RECEIPT_REFUSED,
            now=desk.clock.now(),
            epoch=desk.store.epoch,
            last_error=f"{info['psn_name']} {info['certno']} 重复",
        )
    )
    assert line(desk, row.id).said == "●● ●● 重复"
    assert queue_desk.queue_page(desk, Filter(state="rejected")).lines[0].said == "●● ●● 重复"


def test_lost_raw_bytes_are_said_to_be_lost(
    desk: Desk, clock: FixedClock, sent: Callable[..., outbox.OutboxRow]
) -> None:
    row = sent(Event.RECEIPT_REFUSED, error="x")
    desk.store.write(
        lambda conn: outbox.add_exchange(
            conn,
            outbox_id=row.id,
            infno="4101A",
            msgid="M1",
            request_hash="a" * 64,
            answer_hash="",
            http_status=None,
            outcome="OutcomeUnknown: 超时",
            at=clock.now() + timedelta(seconds=1),
            millis=60_000,
        )
    )
    found = queue_desk.detail(desk, row.id)
    assert found is not None
    assert "原文不在了" in found.messages.request
    assert found.messages.answer == "（没有）"
