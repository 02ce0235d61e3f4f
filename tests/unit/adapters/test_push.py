"""Pushed JSON: strict as a whole, forgiving by the row, exact in every value."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest

from dipgate.adapters import push
from dipgate.adapters.push import decode, parse, seen
from dipgate.core.errors import RecordError
from dipgate.core.record import SourceSpec, TableMap


def spec(charset: str = "utf-8") -> SourceSpec:
    bill = MappingProxyType({"setl_id": "结算ID", "psn_name": "姓名"})
    line = MappingProxyType({"amount": "金额"})
    tables = {
        "settlement": TableMap("settlement", "bills", "流水号", bill),
        "charge": TableMap("charge", "lines", "流水号", line),
    }
    return SourceSpec("his", "push", charset, "", "nhsa", MappingProxyType(tables))


def bill(**changes: object) -> dict[str, object]:
    return {"流水号": "ZY1", "结算ID": "S1", "姓名": "虚构甲", **changes}


def body(value: object, charset: str = "utf-8") -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(charset)


def test_rows_come_with_their_place_and_their_raw_bytes() -> None:
    found = parse(spec(), body({"settlement": [bill(), bill(流水号="ZY2")]}), "h" * 64)
    assert [(row.table, row.key, row.object_name, row.row) for row in found.rows] == [
        ("settlement", "ZY1", "bills", 1),
        ("settlement", "ZY2", "bills", 2),
    ]
    assert {row.raw_hash for row in found.rows} == {"h" * 64}
    assert found.rejected == ()


@pytest.mark.parametrize(
    ("literal", "kept"),
    [
        ("0.10", "0.10"),
        ("1e5", "1e5"),
        ("123456789012345678901234", "123456789012345678901234"),
        ("-0", "-0"),
        ("1.0", "1.0"),
        ("null", ""),
        ("true", "1"),
        ('"0000123"', "0000123"),
        ('"㐂𠮷·孙﨔"', "㐂𠮷·孙﨔"),
        ('"\\ud842\\udfb7"', "𠮷"),
        ('"\\u0009x"', "\tx"),
    ],
)
def test_no_value_is_changed_in_silence(literal: str, kept: str) -> None:
    text = f'{{"charge": [{{"流水号": "ZY1", "金额": {literal}}}]}}'
    (row,) = parse(spec(), text.encode(), "").rows
    assert row.values["金额"] == kept


@pytest.mark.parametrize(
    ("row", "field", "says"),
    [
        (5, "", "不是对象"),
        ([], "", "不是对象"),
        (bill(流水号=" "), "流水号", "为空"),
        (bill(姓名={"a": "b"}), "姓名", "不是文本或数字"),
        (bill(姓名=["b"]), "姓名", "不是文本或数字"),
        (bill(姓名="a\x00b"), "姓名", "NUL"),
        (bill(姓名="a\ud800b"), "姓名", "字节"),
        (bill(姓名="长" * 400_000), "姓名", "1 MB"),
        ({"流水号": "ZY1", "结算ID": "S1"}, "姓名", "缺少列"),
    ],
)
def test_a_bad_row_is_set_aside_alone_and_not_quoted(row: object, field: str, says: str) -> None:
    data = json.dumps({"settlement": [bill(), row, bill(流水号="ZY3")]}).encode()
    found = parse(spec(), data, "")
    assert [item.row for item in found.rows] == [1, 3]
    (aside,) = found.rejected
    assert (aside.row, aside.field) == (2, field)
    assert says in aside.what
    assert aside.remedy
    assert "虚构" not in aside.what + aside.remedy


def test_a_row_that_names_a_column_twice_costs_itself_only() -> None:
    text = '{"charge": [{"流水号": "1", "金额": 1, "金额": 2}, {"流水号": "2", "金额": 3}]}'
    found = parse(spec(), text.encode(), "")
    assert [row.key for row in found.rows] == ["2"]
    assert "重复的键" in found.rejected[0].what


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "不是合法的 JSON"),
        (b"[]", "一个对象"),
        (b'{"settlement": []} x', "不是合法的 JSON"),
        (b'{"settlement": [NaN]}', "不是合法的 JSON"),
        (b'{"settlement": [{"a": Infinity}]}', "不是合法的 JSON"),
        (b'{"settlement": [], "settlement": []}', "表名不重复"),
        (b'{"settlement": {}}', "要是数组"),
        (b'{"front_page": []}', "没有的表"),
        (b'{"settlement": ["\n"]}', "不是合法的 JSON"),
        (b'{"settlement": ' + b"[" * 64 + b"]" * 64 + b"}", "嵌套超过"),
        (b'{"settlement": ' + b"[" * 100_000, "嵌套超过"),
        (b'{"settlement": ["\xff\xfe"]}', "不是合法的 utf-8"),
    ],
)
def test_a_body_that_is_not_what_was_agreed_is_refused_whole(data: bytes, says: str) -> None:
    with pytest.raises(RecordError, match=says) as refused:
        parse(spec(), data, "")
    assert refused.value.remedy


def test_the_deepest_level_that_is_read_is_the_64th() -> None:
    found = parse(spec(), b'{"settlement": ' + b"[" * 63 + b"]" * 63 + b"}", "")
    assert len(found.rejected) == 1


def test_more_rows_than_one_transaction_takes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "MAX_ROWS", 2)
    parse(spec(), body({"settlement": [bill()] * 2}), "")
    with pytest.raises(RecordError, match="分几次推送"):
        parse(spec(), body({"settlement": [bill()] * 2, "charge": [{}]}), "")


def test_the_charset_is_the_declared_one_or_utf8_by_name() -> None:
    text = '{"settlement": []} 㐂𠮷虚构的姓名和地址都在这里面'
    assert decode(text.encode("gb18030"), "gb18030") == text
    assert decode(text.encode(), "gb18030", "utf-8") == text
    assert decode(b"\xef\xbb\xbf{}", "utf-8") == "{}"
    with pytest.raises(RecordError, match="内容是 UTF-8"):
        decode(text.encode(), "gb18030")
    with pytest.raises(RecordError, match="big5"):
        decode(text.encode(), "gb18030", "big5")
    with pytest.raises(RecordError, match="不是合法的 utf-8"):
        decode(text.encode("gb18030"), "gb18030", "utf-8")


def test_a_look_at_a_body_shows_columns_and_first_rows() -> None:
    data = body({"settlement": [bill(床号=3), bill()]})
    bills, lines = seen(spec(), data, 1)
    assert [column.name for column in bills.columns] == ["流水号", "结算ID", "姓名", "床号"]
    assert len(bills.rows) == 1
    assert bills.rows[0]["床号"] == "3"
    assert lines.problem
    assert lines.remedy
