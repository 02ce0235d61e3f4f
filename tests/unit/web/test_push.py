"""`POST /api/push/<source>`: whose token it is, what is taken, and that twice is once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.core.clock import FixedClock
from dipgate.core.reference import Hospital as OwnHospital
from dipgate.demo.export import csv_source, site_sources
from dipgate.demo.export_layout import charge_rows, front_row, settlement_row
from dipgate.demo.hospital import generate
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.pipeline.push_stage import look_at, push_source
from dipgate.service.wiring import open_desk
from dipgate.store import audit, inbox, tokens
from dipgate.web import service

MONTH = date(2025, 3, 1)
SIZE = 6
Tables = dict[str, list[dict[str, str]]]


@dataclass
class Station:
    """A hospital's system: the desk it pushes to, its token, what it has."""

    desk: Desk
    app: Flask
    token: str
    tables: Tables

    def push(self, value: Any = None, source: str = "his", **headers: str) -> TestResponse:
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        sent |= {name.replace("_", "-"): text for name, text in headers.items()}
        data = value if isinstance(value, bytes) else _bytes(value or self.tables)
        return self.app.test_client().post(
            f"/api/push/{source}", base_url="https://localhost", data=data, headers=sent
        )

    def stored(self) -> dict[str, int]:
        with self.desk.store.read() as conn:
            return {item.table: item.rows for item in inbox.received(conn)}


def _bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


@pytest.fixture
def station(
    sample_state: Path, clock: FixedClock, make_app_over: Callable[[Desk], Flask]
) -> Iterator[Station]:
    own = OwnHospital("H99010000001", "示例市第一人民医院", "3", "990100")
    library = load_library(sample_state, "sample", day=MONTH)
    reference = References(sample_state, own).on(MONTH)
    made = generate(reference, library, seed=3, month=MONTH, size=SIZE, defect_share=0.0)
    pushed = replace(csv_source(Path()), kind="push", path="", charset="utf-8")
    other = replace(pushed, name="other")
    site = sample_state / "site.toml"
    text = site.read_text(encoding="utf-8")
    site.write_text(f"{text}\n{site_sources(pushed, other)}", encoding="utf-8")
    token = tokens.new_token()
    with open_desk(sample_state, site, clock=clock) as desk:
        add_token(desk, token)
        yield Station(
            desk,
            make_app_over(desk),
            token,
            {
                "front_page": [front_row(stay) for stay in made.stays],
                "settlement": [settlement_row(stay) for stay in made.stays],
                "charge": [row for stay in made.stays for row in charge_rows(stay)],
            },
        )


def add_token(desk: Desk, token: str, *, name: str = "HIS", source: str = "his") -> None:
    now = desk.clock.now()
    desk.store.write(
        lambda conn: tokens.add_token(
            conn, name=name, source=source, token=token, now=now, actor="甲"
        )
    )


@pytest.fixture
def make_app_over(kit: Any) -> Callable[[Desk], Flask]:
    return lambda desk: kit.app_over(desk)


def test_a_pushed_month_becomes_lists_and_pushing_it_again_adds_nothing(station: Station) -> None:
    first = station.push()
    assert first.status_code == 200, first.text
    rows = {name: len(found) for name, found in station.tables.items()}
    assert first.json["stored"] == sum(rows.values())
    assert (first.json["repeated"], first.json["rejected"]) == (0, 0)
    assert station.stored() == rows
    assert map_new_stays(station.desk).mapped == SIZE
    again = station.push()
    assert (again.json["stored"], again.json["repeated"]) == (0, sum(rows.values()))
    assert station.stored() == rows


def test_the_body_is_kept_as_it_came(station: Station) -> None:
    data = _bytes(station.tables)
    assert station.desk.store.raw(station.push(data).json["raw"]) == data


def test_one_bad_row_loses_none_of_the_others_and_is_not_quoted(station: Station) -> None:
    broken = dict(station.tables["settlement"][1])
    name = next(key for key in broken if "姓名" in key or "号" in key)
    value = broken.pop(name)
    bills = [*station.tables["settlement"][:1], broken, *station.tables["settlement"][2:]]
    answer = station.push({"settlement": bills})
    assert answer.status_code == 200
    (aside,) = answer.json["rows"]
    assert (aside["table"], aside["row"], aside["field"]) == ("settlement", 2, name)
    assert aside["what"]
    assert aside["remedy"]
    assert value not in answer.text
    assert station.stored()["settlement"] == SIZE - 1


def test_the_same_message_gets_the_first_answer(station: Station) -> None:
    first = station.push(Idempotency_Key="m-1")
    again = station.push(X_Message_Id="m-1")
    assert again.data == first.data
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    other = station.push({"settlement": []}, Idempotency_Key="m-1")
    assert other.status_code == 409
    assert station.push({"settlement": []}, Idempotency_Key="m-2").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Idempotency_Key": "两个"},
        {"Idempotency_Key": "a b"},
        {"Idempotency_Key": "a" * 201},
        {"Idempotency_Key": "a", "X_Message_Id": "b"},
    ],
)
def test_a_message_number_that_is_none_is_refused(station: Station, headers: Any) -> None:
    sent = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    assert station.push(**sent).status_code == 400
    assert station.stored() == {}


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer dgp_x", "Basic aGk6aGk=", "Bearer dgp_" + "x" * 500],
)
def test_without_the_token_nothing_is_said(station: Station, authorization: str) -> None:
    known = station.push(Authorization=authorization)
    unknown = station.push(source="nowhere", Authorization=authorization)
    assert (known.status_code, unknown.status_code) == (401, 401)
    assert known.data == unknown.data
    assert known.headers["WWW-Authenticate"] == "Bearer"
    assert station.stored() == {}


def test_a_token_opens_its_own_source_and_tells_nothing_of_others(station: Station) -> None:
    other, unknown = station.push(source="other"), station.push(source="nowhere")
    assert (other.status_code, unknown.status_code) == (403, 403)
    assert other.data == unknown.data


def test_a_revoked_token_opens_nothing(station: Station) -> None:
    now = station.desk.clock.now()
    station.desk.store.write(lambda conn: tokens.revoke(conn, "HIS", now=now, actor="甲"))
    assert station.push().status_code == 401


def test_the_token_stands_nowhere(station: Station, sample_state: Path) -> None:
    station.push(Idempotency_Key="m-1")
    bare = station.token.removeprefix(tokens.PREFIX).encode()
    for file in sample_state.rglob("*"):
        if file.is_file():
            assert bare not in file.read_bytes(), file
    with station.desk.store.read() as conn:
        (row,) = tokens.all_tokens(conn)
        acts = [item.act for item in audit.rows(conn) if item.object in ("token:HIS", "his")]
    assert row.used_at == station.desk.clock.now()
    assert acts == ["token.added", "push.received"]


def test_neither_cookie_nor_form_token_is_needed_or_set(station: Station) -> None:
    answer = station.push(Sec_Fetch_Site="cross-site", Cookie="__Host-dipgate=x")
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("headers", "data", "status"),
    [
        ({"Content_Type": "text/plain"}, b"{}", 415),
        ({"Content_Encoding": "gzip"}, b"{}", 415),
        ({"Content_Type": "application/json; charset=big5"}, b"{}", 400),
        ({}, b"{", 400),
        ({}, "{}".encode("utf-16"), 400),
        ({}, b"[" * 70_000, 400),
    ],
)
def test_what_was_not_agreed_is_refused_whole(
    station: Station, headers: Any, data: bytes, status: int
) -> None:
    answer = station.push(data, **headers)
    assert answer.status_code == status, answer.text
    assert answer.json["error"]
    assert answer.json["remedy"]
    assert station.stored() == {}


def test_a_body_that_is_too_large_is_not_read(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "LARGEST_BODY", 1000)
    assert station.push().status_code == 413
    assert station.stored() == {}


def test_who_asks_too_often_has_to_wait(
    station: Station, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PER_MINUTE", 3)
    assert [station.push({"charge": []}).status_code for _ in range(4)] == [200, 200, 200, 429]
    answer = station.push({"charge": []})
    assert int(answer.headers["Retry-After"]) == 60
    clock.advance(60)
    assert station.push({"charge": []}).status_code == 200


def test_wrong_tokens_shut_their_address_out_for_a_while(
    station: Station, clock: FixedClock
) -> None:
    wrong = [
        station.push(b"{}", Authorization="Bearer dgp_x").status_code
        for _ in range(service.FAILURES + 1)
    ]
    assert wrong == [401] * service.FAILURES + [429]
    assert station.push().status_code == 429
    clock.advance(61)
    assert station.push().status_code == 200


def test_when_every_place_is_taken_the_sender_comes_again(station: Station) -> None:
    gate = service.Gate(station.desk.clock)
    assert [gate.enter() for _ in range(service.AT_ONCE + 1)] == [True, True, False]
    gate.leave()
    assert gate.enter()


def test_what_came_last_can_be_looked_at(station: Station) -> None:
    spec = push_source(station.desk, "his")
    assert spec is not None
    assert "还没有收到推送" in look_at(station.desk.store, spec, 5)[0].problem
    station.push()
    looked = {item.table: item for item in look_at(station.desk.store, spec, 5)}
    names = [column.name for column in looked["settlement"].columns]
    assert names == list(station.tables["settlement"][0])
    assert len(looked["settlement"].rows) == 5
