"""Every answer of the platform becomes exactly one of: result, try again, ask, refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import platform_kit as kit
import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.errors import OutcomeUnknown, Refused, RetryLater
from dipgate.sync.client import Exchange, PlatformClient
from dipgate.sync.transport import HttpAnswer

MSGID = f"{kit.HOSPITAL.code}202506161200009999"
SIGNED = {"signinoutb": {"sign_time": "2025-06-16 12:00:00", "sign_no": "N1"}}


def ok(output: object, **more: object) -> HttpAnswer:
    return HttpAnswer(
        200,
        json.dumps({"infcode": 0, "inf_refmsgid": "R1", "output": output, **more}).encode(),
    )


def no(text: str, code: object = -1) -> HttpAnswer:
    return HttpAnswer(200, json.dumps({"infcode": code, "err_msg": text}).encode())


class Line:
    """A transport that answers from a list; an exception in it is raised."""

    def __init__(self, *answers: HttpAnswer | Exception) -> None:
        self.answers = list(answers)
        self.sent: list[tuple[str, dict[str, Any], Mapping[str, str]]] = []

    def post(self, url: str, body: bytes, headers: Mapping[str, str], **_: object) -> HttpAnswer:
        self.sent.append((url, json.loads(body), dict(headers)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """Nothing to close."""


def client_on(line: Line, clock: FixedClock, heard: list[Exchange] | None = None) -> PlatformClient:
    client = kit.open_client("http://platform/base", clock=clock)
    client.close()
    client._transport = line  # type: ignore[assignment]
    if heard is not None:
        client.on_exchange = heard.append
    return client


def upload(client: PlatformClient) -> Any:
    return client.upload(b'{"setlinfo":{}}', MSGID, settlement_id="S1", insured_place="990102")


def test_sign_in_once_and_again_before_the_session_ends(clock: FixedClock) -> None:
    line = Line(ok(SIGNED), ok({"data": {"setl_list_id": "L1"}}), ok(SIGNED))
    client = client_on(line, clock)
    client.ensure_session()
    client.ensure_session()
    upload(client)
    assert [body["infno"] for _, body, _ in line.sent] == ["9001", "4101A"]
    assert line.sent[0][1]["input"] == {
        "signIn": {"opter_no": "0001", "mac": "00-00-00-00-00-00", "ip": "127.0.0.1"}
    }
    assert line.sent[1][1]["sign_no"] == "N1"
    clock.advance(kit.DIALECT.session_minutes * 60 * 0.9)
    client.ensure_session()
    assert len(line.sent) == 3


@pytest.mark.parametrize(
    "answer",
    [OutcomeUnknown("超时"), HttpAnswer(500, b"x"), ok({}), ok({"signinoutb": {"sign_no": " "}})],
)
def test_sign_in_is_never_unknown(clock: FixedClock, answer: HttpAnswer | Exception) -> None:
    client = client_on(Line(answer), clock)
    with pytest.raises(RetryLater):
        client.ensure_session()
    assert not client.signed_in


def test_sign_in_refused(clock: FixedClock) -> None:
    with pytest.raises(Refused, match="操作员不存在"):
        client_on(Line(no("操作员不存在")), clock).ensure_session()


def test_upload_goes_to_the_dialects_address_signed(clock: FixedClock) -> None:
    line = Line(ok({"data": {"setl_list_id": "L1"}}))
    receipt = upload(client_on(line, clock))
    assert (receipt.list_no, receipt.refmsgid) == ("L1", "R1")
    url, body, headers = line.sent[0]
    assert url == "http://platform/base/fsi/api/rsfComIfsService/callService"
    assert body["msgid"] == MSGID
    assert body["insuplc_admdvs"] == "990102"
    assert headers["x-tif-timestamp"] == str(int(clock.now().timestamp()))
    assert headers["Content-Type"] == "text/plain;charset=utf-8"
    assert kit.SECRET not in json.dumps([url, body, dict(headers)])


@pytest.mark.parametrize(
    "output",
    [{"data": {"setl_list_id": "L1"}}, {"setl_list_id": "L1"}, {"data": [{"setl_list_id": "L1"}]}],
)
def test_the_list_number_is_found_where_platforms_put_it(clock: FixedClock, output: object) -> None:
    assert upload(client_on(Line(ok(output)), clock)).list_no == "L1"


@pytest.mark.parametrize(
    "answer",
    [
        ok({"data": {"setl_list_id": ""}}),
        ok({"data": None}),
        ok(None),
        ok("text"),
        ok({"data": {"setl_list_id": "L1", "setl_id": "S2"}}),
        ok({"setl_list_id": "L1"}, inf_refmsgid=""),
        ok({"setl_list_id": "L1"}, inf_refmsgid=f"{kit.HOSPITAL.code}202506161200000001"),
        HttpAnswer(200, b'{"code":500,"message":"timeout"}'),
        HttpAnswer(200, "处理超时".encode("gb18030")),
        HttpAnswer(500, b'{"infcode":-1,"err_msg":"x"}'),
        HttpAnswer(502, b""),
        HttpAnswer(503, b"busy"),
        HttpAnswer(302, b""),
        OutcomeUnknown("超时"),
    ],
)
def test_what_is_no_receipt_is_unknown(clock: FixedClock, answer: HttpAnswer | Exception) -> None:
    with pytest.raises(OutcomeUnknown):
        upload(client_on(Line(answer), clock))


@pytest.mark.parametrize(
    "answer",
    [
        HttpAnswer(429, b""),
        HttpAnswer(503, "限流".encode()),
        HttpAnswer(503, "请求未受理".encode("gb18030")),
        RetryLater("refused"),
    ],
)
def test_what_the_dialect_lists_was_not_taken(
    clock: FixedClock, answer: HttpAnswer | Exception
) -> None:
    with pytest.raises(RetryLater):
        upload(client_on(Line(answer), clock))


def test_a_refusal_keeps_the_platforms_own_words(clock: FixedClock) -> None:
    text = "ORA-00001: unique constraint violated\n" + "x" * 500
    with pytest.raises(Refused) as caught:
        upload(client_on(Line(no(text, "0001")), clock))
    assert caught.value.text == text
    assert caught.value.code == "0001"
    assert "\n" not in str(caught.value)


def test_a_forgotten_session_is_not_a_refusal(clock: FixedClock) -> None:
    line = Line(ok(SIGNED), no("签到已失效，请重新签到"), ok(SIGNED))
    client = client_on(line, clock)
    client.ensure_session()
    with pytest.raises(RetryLater):
        upload(client)
    assert not client.signed_in
    client.ensure_session()
    assert [body["infno"] for _, body, _ in line.sent] == ["9001", "4101A", "9001"]


@pytest.mark.parametrize(
    "answer",
    [
        ok({}),
        ok(None),
        ok([]),
        ok({"setlinfo": None}),
        ok({"setlinfo": {}}),
        ok({"setlinfo": [], "diseinfo": []}),
        no("未查询到结算清单信息"),
    ],
)
def test_no_list_at_the_platform(clock: FixedClock, answer: HttpAnswer) -> None:
    assert client_on(Line(answer), clock).query("P1", "S1") is None


def test_a_list_at_the_platform_in_its_shapes(clock: FixedClock) -> None:
    held = {"setlinfo": {"setl_id": "S1", "psn_no": "P1", "setl_list_sn": "L7"}}
    line = Line(ok(held), ok([held]), ok({"data": held}))
    client = client_on(line, clock)
    for _ in range(3):
        found = client.query("P1", "S1")
        assert found == held
        assert client.list_no_of(found) == "L7"
    assert line.sent[0][1]["input"] == {"data": [{"psn_no": "P1", "setl_id": "S1"}]}


@pytest.mark.parametrize(
    "output",
    [
        {"setlinfo": {"setl_id": "S2", "psn_no": "P1"}},
        {"setlinfo": {"setl_id": "S1", "psn_no": "P2"}},
        {"setlinfo": {"psn_no": "P1"}},
        {"diseinfo": [{"diag_code": "J18"}]},
        "text",
        [1, 2],
    ],
)
def test_an_answer_about_something_else_proves_nothing(clock: FixedClock, output: object) -> None:
    with pytest.raises(OutcomeUnknown):
        client_on(Line(ok(output)), clock).query("P1", "S1")


def test_a_refused_query_is_not_a_missing_list(clock: FixedClock) -> None:
    with pytest.raises(Refused):
        client_on(Line(no("系统维护")), clock).query("P1", "S1")


GROUP_ROW = {
    "setl_id": "S1",
    "setl_time": "2025-03-06 11:00:00",
    "clr_optins": "990100",
    "fixmedins_code": kit.HOSPITAL.code,
}


def test_pages_hold_good_rows_and_name_the_broken_ones(clock: FixedClock) -> None:
    broken = {**GROUP_ROW, "setl_id": "", "act_setl_sco": "很多"}
    line = Line(ok({"data": [GROUP_ROW, broken]}))
    page = client_on(line, clock).pull_page("3606", "202503", 1)
    assert [row["setl_id"] for row in page.rows] == ["S1"]
    assert {problem.path for problem in page.problems} == {
        "data[1].setl_id",
        "data[1].act_setl_sco",
    }
    assert page.last
    asked = line.sent[0][1]["input"]["data"]
    assert (asked["setl_ym"], asked["page_num"], asked["page_size"]) == ("202503", "1", "200")


def test_an_empty_month_and_a_full_page(clock: FixedClock) -> None:
    full = [{**GROUP_ROW, "setl_id": f"S{n}"} for n in range(kit.DIALECT.page_size)]
    client = client_on(Line(ok({}), ok({"data": []}), ok({"data": full})), clock)
    assert client.pull_page("3606", "202503", 1).last
    assert client.pull_page("3606", "202503", 1).last
    assert not client.pull_page("3606", "202503", 1).last


@pytest.mark.parametrize("answer", [OutcomeUnknown("x"), HttpAnswer(500, b""), ok({"rows": [1]})])
def test_pulling_again_is_harmless_so_trouble_is_retry(
    clock: FixedClock, answer: HttpAnswer | Exception
) -> None:
    with pytest.raises(RetryLater):
        client_on(Line(answer), clock).pull_page("3606", "202503", 1)


def test_every_exchange_is_told_with_its_raw_bytes(clock: FixedClock) -> None:
    heard: list[Exchange] = []
    notice = "处理超时".encode("gb18030")
    client = client_on(Line(HttpAnswer(200, notice), OutcomeUnknown("超时")), clock, heard)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            upload(client)
    assert [(item.infno, item.msgid, item.http_status) for item in heard] == [
        ("4101A", MSGID, 200),
        ("4101A", MSGID, None),
    ]
    assert heard[0].answer == notice
    assert heard[1].answer == b""
    assert heard[0].outcome.startswith("OutcomeUnknown")
    assert json.loads(heard[0].request)["msgid"] == MSGID
