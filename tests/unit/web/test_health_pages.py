"""Health page and queue desk in the browser's eyes: who sees what, and that nothing is sent."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dipgate.core.clock import CHINA, FixedClock
from dipgate.core.errors import RetryLater
from dipgate.core.exchange import Event, State
from dipgate.pipeline import exchange_stage, queue_desk
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.edits import release_clean
from dipgate.pipeline.health_gather import gather
from dipgate.service.wiring import open_desk
from dipgate.store import audit, cases, outbox

NOON = datetime(2025, 6, 16, 12, 0, 0, tzinfo=CHINA)
MARKUP = "<img src=x onerror=alert(1)> 平台的话"


@pytest.fixture(scope="module")
def queued_state(listed_state: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The month released and queued; the first list is unknown, the second refused, one held."""
    state = tmp_path_factory.mktemp("queued") / "state"
    shutil.copytree(listed_state, state)
    clock = FixedClock(NOON)
    with open_desk(state, state / "site.toml", clock=clock) as desk:
        release_clean(desk, author="甲")
        exchange_stage.queue_ready(desk)
        for events, error in (
            ((Event.NO_ANSWER,), "平台 60.0 秒没有应答，结果未知"),
            ((Event.RECEIPT_REFUSED,), MARKUP),
            ((Event.NOT_TAKEN, Event.POISONED), "连不上平台（X），没有发出任何内容"),
        ):
            desk.store.write(lambda conn, e=events, w=error: happen(conn, desk, e, w))
    return state


def happen(conn: Any, desk: Desk, events: tuple[Event, ...], error: str) -> None:
    now = desk.clock.now()
    row = outbox.claim(
        conn,
        now=now,
        lease_seconds=60,
        epoch=desk.store.epoch,
        hospital_code=desk.store.hospital_code,
        settle_seconds=120,
    )
    assert row is not None
    for event in events:
        outbox.apply(conn, row.id, event, now=now, epoch=desk.store.epoch, last_error=error)


@pytest.fixture(scope="module")
def compiled() -> dict[str, Any]:
    """Rule packs compiled once; the same for every desk of this module."""
    return {}


@pytest.fixture
def desk(
    queued_state: Path, tmp_path: Path, clock: FixedClock, compiled: dict[str, Any]
) -> Iterator[Desk]:
    state = tmp_path / "state"
    shutil.copytree(queued_state, state)
    with open_desk(state, state / "site.toml", clock=clock) as opened:
        live = opened.site.platform.model_copy(update={"mode": "live"})
        opened.site = replace(opened.site, platform=live)
        opened._packs.update(compiled)
        yield opened
        compiled.update(opened._packs)


def test_up_is_told_to_everybody_and_nothing_else_is(
    browser: Callable[..., Any], desk: Desk
) -> None:
    stranger = browser()
    answer = stranger.get("/health/up")
    assert (answer.status_code, answer.json) == (200, {"status": "up"})
    assert stranger.get("/health/up.txt").text == "up\n"
    for path in ("/health", "/health.json", "/health.txt", "/health/checks"):
        assert stranger.get(path).status_code in (303, 401)
    desk.store._reader.dispose()
    (desk.store.state / "dipgate.sqlite").rename(desk.store.state / "gone")
    down = stranger.get("/health/up")
    assert (down.status_code, down.json) == (503, {"status": "down"})


def test_the_office_sees_that_it_runs_but_no_list(browser: Callable[..., Any], desk: Desk) -> None:
    text = browser("office").get("/health").text
    assert "逐份处理由系统管理员做" in text
    assert 'id="out"' not in text
    with desk.store.read() as conn:
        row = outbox.get(conn, 1)
    assert json.loads(row.payload)["setlinfo"]["medcasno"] not in text


def test_the_administrator_sees_the_checks_worst_first_and_the_queue(
    browser: Callable[..., Any],
) -> None:
    text = browser("administrator").get("/health").text
    grades = re.findall(r'<li class="check( c-\w+)?"', text)
    order = {" c-stop": 0, " c-look": 1, "": 2}
    assert [order[grade] for grade in grades] == sorted(order[grade] for grade in grades)
    assert text.count("怎么办：") == sum(grade != "" for grade in grades)
    for words in ("结果不明", "被拒", "已隔离", "没有配置证书", "结构 ", "医保版疾病诊断"):
        assert words in text
    assert 'id="out-1"' in text


def test_the_twins_say_what_the_page_says(browser: Callable[..., Any]) -> None:
    opened = browser("administrator")
    told = opened.get("/health.json").json
    assert told["mode"] == "live"
    assert told["outbox"]["unknown"]["rows"] == 1
    assert told["storage"]["revision"]
    assert told["sources"][0]["stays"] == 60
    assert any(item["kind"] == "icd10" for item in told["catalogues"])
    text = opened.get("/health.txt").text
    assert text.splitlines()[0].startswith(f"dipgate 0.0.test {told['status']}")
    assert len(text.splitlines()) == len(told["checks"]) + 1


def test_the_json_holds_nothing_of_a_person(browser: Callable[..., Any], desk: Desk) -> None:
    text = browser("administrator").get("/health.json").text
    with desk.store.read() as conn:
        for case in cases.cases_in(conn):
            info = case.settlement_list().setlinfo
            for name in ("psn_name", "certno", "medcasno", "setl_id", "psn_no"):
                assert not info.get(name) or str(info[name]) not in text


def test_the_desk_shows_no_person_anywhere(browser: Callable[..., Any], desk: Desk) -> None:
    opened = browser("administrator")
    with desk.store.read() as conn:
        rows = outbox.list_rows(conn, limit=5)
        people = {row.id: cases.get_case(conn, row.case_id) for row in rows}
    pages = [opened.get("/health").text, opened.get("/out/rows", htmx=True).text]
    pages += [opened.get(f"/out/{row.id}", htmx=True).text for row in rows]
    for row in rows:
        case = people[row.id]
        assert case is not None
        info = case.settlement_list().setlinfo
        for name in ("psn_name", "certno", "tel", "coner_tel", "coner_addr", "curr_addr", "psn_no"):
            value = str(info.get(name) or "")
            assert len(value) < 2 or not any(value in page for page in pages), name


def test_an_unknown_list_has_a_countdown_then_a_button_and_never_a_way_to_send(
    browser: Callable[..., Any], clock: FixedClock
) -> None:
    opened = browser("administrator")
    clock.advance(72)
    text = opened.get("/out/1", htmx=True).text
    assert "再等 48 秒" in text
    assert re.search(r'<button[^>]*data-key="P" disabled', text)
    clock.advance(48)
    text = opened.get("/out/1", htmx=True).text
    assert re.search(r'<button[^>]*data-key="P" hx-post="/out/1/ask"', text)
    assert "重传" not in text
    assert "重传" not in opened.get("/health?state=unknown").text


def test_asking_in_observe_mode_is_refused_with_a_sentence(
    browser: Callable[..., Any], desk: Desk, clock: FixedClock
) -> None:
    clock.advance(120)
    observe = desk.site.platform.model_copy(update={"mode": "observe"})
    desk.site = replace(desk.site, platform=observe)
    answer = browser("administrator").post("/out/1/ask", htmx=True)
    assert answer.status_code == 409
    assert "现在是“只看”方式，不与平台往来" in answer.text
    with desk.store.read() as conn:
        assert outbox.get(conn, 1).state is State.UNKNOWN
        assert outbox.exchanges(conn, 1) == ()


class Platform:
    """Has the list, or does not answer."""

    def __init__(self, desk: Desk, answer: object) -> None:
        self.dialect = exchange_stage.dialect_of(desk)
        self.answer = answer
        self.signed_in = True
        self.on_exchange: Callable[..., None] = lambda _exchange: None

    def ensure_session(self) -> None:
        if isinstance(self.answer, Exception):
            raise self.answer

    def query(self, person_no: str, settlement_id: str) -> object:  # noqa: ARG002
        return self.answer

    def list_no_of(self, held: object) -> str:  # noqa: ARG002
        return "QD<9>"


def put_platform(monkeypatch: pytest.MonkeyPatch, desk: Desk, answer: object) -> None:
    @contextmanager
    def opened(_desk: Desk) -> Iterator[Platform]:
        yield Platform(desk, answer)

    monkeypatch.setattr(queue_desk, "open_client", opened)


def test_asking_shows_the_row_and_the_table_as_they_are_then(
    browser: Callable[..., Any], desk: Desk, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.advance(120)
    with desk.store.read() as conn:
        payload = outbox.get(conn, 1).payload
    put_platform(monkeypatch, desk, json.loads(payload))
    answer = browser("administrator").post("/out/1/ask", htmx=True)
    assert answer.status_code == 200
    assert 'id="op"' in answer.text
    assert 'id="out" ' in answer.text
    assert 'hx-swap-oob="outerMorph"' in answer.text
    assert "清单流水号 QD&lt;9&gt;" in answer.text
    with desk.store.read() as conn:
        assert outbox.get(conn, 1).state is State.ACCEPTED
        (asked,) = audit.rows(conn, act="outbox.asked_by_person")
    assert asked.actor == "xinxi"


def test_a_platform_that_does_not_answer_is_said_so(
    browser: Callable[..., Any], desk: Desk, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.advance(120)
    put_platform(monkeypatch, desk, RetryLater("连不上平台（X），没有发出任何内容"))
    answer = browser("administrator").post("/out/1/ask", htmx=True)
    assert answer.status_code == 409
    assert "没有问到：连不上平台" in answer.text
    assert answer.headers["HX-Retarget"] == "#notice"


def test_asking_too_early_or_about_what_is_settled_is_refused(
    browser: Callable[..., Any], desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_platform(monkeypatch, desk, None)
    opened = browser("administrator")
    assert "才能问" in opened.post("/out/1/ask", htmx=True).text
    assert "已经有结果" in opened.post("/out/2/ask", htmx=True).text
    assert opened.post("/out/9999/ask", htmx=True).status_code == 409
    assert opened.get("/out/9999", htmx=True).status_code == 404


def test_putting_back_wants_a_reason(browser: Callable[..., Any], desk: Desk) -> None:
    opened = browser("administrator")
    assert 'name="reason"' in opened.get("/out/3", htmx=True).text
    for bad in ("", "   ", "长" * 201):
        assert opened.post("/out/3/back", {"reason": bad}, htmx=True).status_code == 422
    assert opened.post("/out/1/back", {"reason": "试试"}, htmx=True).status_code == 409
    answer = opened.post("/out/3/back", {"reason": "<i>修好了</i>"}, htmx=True)
    assert answer.status_code == 200
    assert "&lt;i&gt;修好了&lt;/i&gt;" in answer.text
    with desk.store.read() as conn:
        assert outbox.get(conn, 3).state is State.UNKNOWN


def test_the_platforms_words_are_text(browser: Callable[..., Any]) -> None:
    opened = browser("administrator")
    for path in ("/health?state=rejected", "/out/2"):
        text = opened.get(path, htmx=path.startswith("/out")).text
        assert "&lt;img src=x" in text
        assert "<img" not in text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("state=unknown", "结果不明"),
        ("reason=silent", "没有等到答复"),
        ("reason=told", "被拒"),
        ("age=7d", "这样筛选没有清单"),
        ("state=conflict", "这样筛选没有清单"),
    ],
)
def test_filters(browser: Callable[..., Any], query: str, words: str) -> None:
    assert words in browser("administrator").get(f"/health?{query}").text


@pytest.mark.parametrize("query", ["state=x", "reason=x", "age=x", "after=x"])
def test_a_filter_that_is_none_is_an_error_with_a_way_out(
    browser: Callable[..., Any], query: str
) -> None:
    opened = browser("administrator")
    assert opened.get(f"/health?{query}").status_code == 400
    assert opened.get(f"/out/rows?{query}", htmx=True).status_code == 400


@pytest.mark.parametrize("row", ["x", "9999", "-1", "99999999999999999999999"])
def test_any_row_wished_for_has_an_answer(browser: Callable[..., Any], row: str) -> None:
    assert browser("administrator").get(f"/health?row={row}").status_code == 200


def test_the_refresh_keeps_the_row_that_is_open(browser: Callable[..., Any]) -> None:
    opened = browser("administrator")
    text = opened.get("/out/rows?row=3", htmx=True).text
    assert re.search(r'id="out-3" data-row class="cur"', text)
    assert text.count('class="cur"') == 1


def test_facts_are_of_this_moment(desk: Desk, clock: FixedClock) -> None:
    clock.advance(600)
    facts = gather(desk, version="1", started_at=NOON)
    assert facts.rows(State.UNKNOWN).rows == 1
    assert facts.age(facts.rows(State.UNKNOWN).oldest).total_seconds() == 600
    assert facts.lists["rejected"] == 1
    assert facts.reasons[State.HELD] == "连不上平台"
    assert facts.policy.id == "sample_2025"
    assert not facts.policy.problem
    assert facts.missing_catalogues == ()
    assert {item.kind for item in facts.catalogues} >= {"icd10", "library.sample"}
    assert facts.storage.database > 0
    assert sum(pack.rules for pack in facts.packs) > 50
    assert facts.backup is None
    assert facts.clock_skew is None
    assert any("platform.url" in problem for problem in facts.site_problems)


def test_how_far_the_platforms_clock_is_ahead(desk: Desk, clock: FixedClock) -> None:
    answer = b'{"infcode": 0, "respond_time": "20250616120007500"}'

    def log(conn: Any) -> None:
        outbox.add_exchange(
            conn,
            outbox_id=None,
            infno="9001",
            msgid="m",
            request_hash="",
            answer_hash=desk.store.keep_raw(answer),
            http_status=200,
            outcome="answered",
            at=clock.now(),
            millis=500,
        )

    desk.store.write(log)
    assert gather(desk).clock_skew == 7.0


def test_an_empty_queue_says_what_comes_next(
    listed_state: Path, tmp_path: Path, clock: FixedClock, kit: Any
) -> None:
    with kit.opened_desk(listed_state, tmp_path, clock) as opened:
        person = kit.Browser(kit.app_over(opened).test_client())
        person.sign_in("xinxi")
        assert "还没有清单进入上传队列" in person.get("/health").text
