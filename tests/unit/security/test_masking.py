"""Masked messages: codes and numbers stay, persons go, wherever in the message they stand."""

from __future__ import annotations

import json

import pytest

from dipgate.security.masking import MASK, Masker, masker_of

PERSON = {
    "psn_name": "欧阳锋",
    "certno": "990101198003070018",
    "coner_name": "欧阳克",
    "coner_tel": "13900001111",
    "coner_addr": "示例市白驼路1号",
    "curr_addr": "白驼山庄",
    "tel": "0771-5550000",
    "brdy": "1980-03-07",
    "psn_no": "P00000001",
    "emp_name": "示例船厂",
    "chfpdr_name": "柏青禾",
    "medins_fill_psn": "程灵素",
}
LIST = {
    "setlinfo": {
        **PERSON,
        "setl_id": "JS202503000001",
        "mdtrt_id": "ZY000000018841",
        "medcasno": "B0260298",
        "bill_no": "2503000003",
        "adm_time": "2025-03-03 10:19:00",
        "chfpdr_code": "D990100000002",
        "adm_dept_name": "普外一科",
        "gend": "1",
        "act_ipt_days": 7,
    },
    "diseinfo": [{"diag_code": "K35.800x001", "diag_name": "急性阑尾炎", "diag_type": "1"}],
}
PAYLOAD = json.dumps(LIST, ensure_ascii=False).encode()


def test_nothing_of_a_person_is_left_in_a_request() -> None:
    shown = masker_of(PAYLOAD).message(PAYLOAD)
    for value in PERSON.values():
        assert value not in shown
    assert "急性阑尾炎" not in shown
    assert "普外一科" not in shown
    found = json.loads(shown)
    assert found["setlinfo"]["setl_id"] == MASK + "0001"
    assert found["setlinfo"]["mdtrt_id"] == MASK + "8841"
    assert found["diseinfo"] == [{"diag_code": "K35.800x001", "diag_name": MASK, "diag_type": "1"}]
    for name in ("medcasno", "bill_no", "adm_time", "chfpdr_code", "gend", "act_ipt_days"):
        assert found["setlinfo"][name] == LIST["setlinfo"][name]  # type: ignore[index]


def test_the_platforms_words_lose_the_person_and_stay_readable() -> None:
    masker = masker_of(PAYLOAD)
    answer = {
        "infcode": -1,
        "inf_refmsgid": "990100202611201405120000000001",
        "err_msg": "参保人欧阳锋（990101198003070018）出院科别代码不在字典，电话 13900001111",
        "output": None,
    }
    shown = json.loads(masker.message(json.dumps(answer, ensure_ascii=False).encode()))
    assert shown["err_msg"] == f"参保人{MASK}（{MASK}）出院科别代码不在字典，电话 {MASK}"
    assert shown["inf_refmsgid"] == answer["inf_refmsgid"]


@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_a_notice_that_is_no_json_is_shown_without_the_person(charset: str) -> None:
    notice = "系统维护中，欧阳锋的清单请稍后再传"
    shown = masker_of(PAYLOAD).message(notice.encode(charset))
    assert shown == f"系统维护中，{MASK}的清单请稍后再传"


def test_a_name_inside_an_address_goes_with_the_address() -> None:
    payload = json.dumps({"setlinfo": {"psn_name": "白驼", "curr_addr": "白驼山庄"}}).encode()
    assert masker_of(payload).text("住白驼山庄的白驼") == f"住{MASK}的{MASK}"


@pytest.mark.parametrize(
    "number",
    ["990101198003070018", "99010119800307001X", "990101800307001", "13900001111"],
)
def test_card_and_telephone_numbers_go_also_when_nobody_knows_them(number: str) -> None:
    assert Masker().text(f"证件 {number} 重复") == f"证件 {MASK} 重复"


@pytest.mark.parametrize(
    "number",
    ["000001000000000370", "H99010000001202611201405120001", "202611201405120001234567890123"],
)
def test_numbers_of_messages_and_lists_stay(number: str) -> None:
    assert Masker().text(f"流水号 {number}") == f"流水号 {number}"


def test_short_latin_values_are_not_taken_for_a_person() -> None:
    payload = json.dumps({"psn_name": "A", "certno": "123", "name": "王"}).encode()
    assert masker_of(payload).known == ()


@pytest.mark.parametrize("data", [b"\xff\xfe\xfd\x80", b"\x80\x81\xff"])
def test_bytes_in_no_known_charset_are_not_shown(data: bytes) -> None:
    assert "不显示" in Masker().message(data)


@pytest.mark.parametrize("data", [b"", b"{", b"[" * 100_000, b"null", b"12", b'"x"'])
def test_any_bytes_have_an_answer(data: bytes) -> None:
    assert isinstance(Masker().message(data), str)
    assert isinstance(masker_of(data), Masker)


def test_foreign_keys_and_long_latin_text_are_no_way_round() -> None:
    shown = Masker().message(
        json.dumps({"欧阳锋": 1, "x" * 100: 2, "note": "a" * 200, "free": "张三"}).encode()
    )
    assert "欧阳锋" not in shown
    assert "x" * 100 not in shown
    assert "a" * 200 not in shown
    assert "张三" not in shown


def test_a_session_number_is_nobodys_to_see() -> None:
    assert json.loads(Masker().message(b'{"sign_no": "S123", "infno": "9001"}')) == {
        "sign_no": MASK,
        "infno": "9001",
    }


def test_a_long_message_is_cut_and_says_so() -> None:
    shown = Masker().message(b"x" * 10_000)
    assert len(shown) < 5_000
    assert "共 10,000 个字符" in shown
