"""Requests leave in the interface's order; answers of every shape are read, or are unknown."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from dipgate.core.errors import OutcomeUnknown
from dipgate.sync.envelope import (
    MAX_BODY,
    Answer,
    GatewayAnswer,
    Station,
    build_request,
    clean,
    read_answer,
    readable,
    tif_headers,
)

STATION = Station("H99010000001", "示例医院", "990100", "MBS_LOCAL", "V1.0", "0001", "操作员")


def test_signature_has_the_published_check_value() -> None:
    headers = tif_headers("app", "demo-secret", timestamp="1700000000", nonce="abc123")
    assert headers == {
        "x-tif-paasid": "app",
        "x-tif-timestamp": "1700000000",
        "x-tif-nonce": "abc123",
        "x-tif-signature": "1110f10f76885fff4039393e372856dfc423c0260e72395dc2fd27040f1d8c58",
    }


def test_request_has_every_field_in_order_and_local_time() -> None:
    body = build_request(
        STATION,
        infno="4101A",
        msgid="H99010000001202506161200000001",
        at=datetime(2025, 6, 16, 4, 0, 0, tzinfo=UTC),
        input_json=b'{"b":1,"a":2}',
        sign_no="S1",
        insured_place="990102",
    )
    obj = json.loads(body)
    assert list(obj) == [
        "infno", "msgid", "mdtrtarea_admvs", "insuplc_admdvs", "recer_sys_code", "dev_no",
        "dev_safe_info", "cainfo", "signtype", "infver", "opter_type", "opter", "opter_name",
        "inf_time", "fixmedins_code", "fixmedins_name", "sign_no", "input",
    ]  # fmt: skip
    assert obj["inf_time"] == "2025-06-16 12:00:00"
    assert obj["insuplc_admdvs"] == "990102"


def test_stored_input_leaves_byte_for_byte() -> None:
    stored = '{"setlinfo":{"z":"引号\\" 反斜杠\\\\","a":"1"}}'.encode()
    body = build_request(STATION, infno="4101A", msgid="m", at=_now(), input_json=stored)
    assert body.endswith(b'"input":' + stored + b"}")


def _now() -> datetime:
    return datetime(2025, 6, 16, 4, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("obj", "ok"),
    [
        ({"infcode": 0}, True),
        ({"infcode": "0"}, True),
        ({"infcode": 0.0}, True),
        ({"infcode": -1, "err_msg": "不行"}, False),
        ({"infcode": 1}, False),
        ({"infcode": ""}, False),
        ({"infcode": None}, False),
        ({"infcode": False}, False),
        ({"infcode": [0]}, False),
    ],
)
def test_only_a_zero_is_success(obj: dict[str, object], ok: bool) -> None:
    answer = read_answer(json.dumps(obj).encode())
    assert isinstance(answer, Answer)
    assert answer.ok is ok


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "gb18030"])
def test_both_shapes_in_every_charset(charset: str) -> None:
    plain = {"infcode": -1, "inf_refmsgid": "R1", "err_msg": "票据号码不能为空", "output": None}
    for obj in (plain, {"code": 0, "data": plain}, {"data": json.dumps(plain)}):
        answer = read_answer(json.dumps(obj, ensure_ascii=False).encode(charset))
        assert isinstance(answer, Answer)
        assert (answer.ok, answer.refmsgid, answer.message) == (False, "R1", "票据号码不能为空")


def test_long_messages_are_not_cut() -> None:
    text = "违反唯一约束条件" * 100
    answer = read_answer(json.dumps({"infcode": -1, "err_msg": text}).encode())
    assert isinstance(answer, Answer)
    assert answer.message == text


def test_gateway_shape_is_not_a_business_answer() -> None:
    body = json.dumps({"code": 401, "type": "error", "message": "签名不一致", "data": None})
    assert read_answer(body.encode()) == GatewayAnswer("401", "签名不一致")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        "交易4101处理超时(300)".encode("gb18030"),
        b"\xff\xfe\x80garbage\xff",
        b'{"infcode":0,"out',
        b"[1,2]",
        b'{"hello":1}',
        b'{"data":{"data":{"infcode":0}}}',
        b'{"data":"{broken"}',
        b"[" * 100_000,
        b"x" * (MAX_BODY + 1),
    ],
)
def test_anything_else_is_unknown_never_failure(body: bytes) -> None:
    with pytest.raises(OutcomeUnknown):
        read_answer(body)


def test_a_notice_in_gb18030_can_be_read_by_a_person() -> None:
    with pytest.raises(OutcomeUnknown, match="交易4101处理超时"):
        read_answer("交易4101处理超时(300)，请稍后".encode("gb18030"))
    assert "无法识别的编码" in readable(b"\xff\xfe\x80\xff")


def test_foreign_text_is_made_safe_to_show() -> None:
    assert clean("a\x00b\r\nc\u202ed") == "a b c d"
    assert len(clean("长" * 1000)) == 201
