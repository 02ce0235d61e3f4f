"""Money, clocks, codes, dated values, hashes and errors: exact, or refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dipgate.core.clock import CHINA, FixedClock, read_date, read_time, wire_time
from dipgate.core.codes import (
    diagnosis_code,
    has_prefix,
    in_range,
    procedure_code,
    strip_marks,
    subcategory,
    tidy,
)
from dipgate.core.dated import Dated, Since
from dipgate.core.errors import ConfigError, Place, RecordError
from dipgate.core.findings import Severity
from dipgate.core.hashing import canonical_bytes, content_hash
from dipgate.core.money import (
    Fen,
    decimal_of,
    fen_of,
    fen_rounded,
    rounded,
    signed_yuan_text,
    yuan_decimal,
    yuan_text,
)


@pytest.mark.parametrize(
    ("value", "fen"),
    [
        ("1234.56", 123456),
        ("0.1", 10),
        ("-0.01", -1),
        (" 12 ", 1200),
        (7, 700),
        (Decimal("1.10"), 110),
        ("1.500", 150),
        ("99999999999999.99", 9999999999999999),
        ("", None),
        (None, None),
    ],
)
def test_yuan_becomes_fen(value: object, fen: int | None) -> None:
    assert fen_of(value) == fen


@pytest.mark.parametrize(
    "value",
    [
        "1.234",
        "1" * 30,
        "1e20",
        "NaN",
        "Infinity",
        "一百",
        "1,000",
        True,
        1.5,
        [],
        "100000000000000",
    ],
)
def test_no_amount_is_guessed(value: object) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        fen_of(value)


@given(st.integers(min_value=-(10**15), max_value=10**15))
def test_fen_survive_text_and_decimal(fen: int) -> None:
    assert fen_of(yuan_text(fen)) == fen
    assert fen_of(yuan_decimal(fen)) == fen


def test_a_change_has_its_sign() -> None:
    assert [signed_yuan_text(fen) for fen in (1, 0, -250)] == ["+0.01", "0.00", "-2.50"]


@pytest.mark.parametrize(
    ("mode", "value", "result"),
    [
        ("half_up", "0.125", "0.13"),
        ("half_even", "0.125", "0.12"),
        ("down", "0.129", "0.12"),
        ("up", "0.121", "0.13"),
        ("half_up", "-0.125", "-0.13"),
    ],
)
def test_rounding_is_the_policys(mode: str, value: str, result: str) -> None:
    assert rounded(Decimal(value), 2, mode) == Decimal(result)
    assert fen_rounded(Decimal(value), 2, mode) == Fen(int(Decimal(result) * 100))


def test_an_unknown_rounding_is_a_setting_error() -> None:
    with pytest.raises(ConfigError) as caught:
        rounded(Decimal(1), 2, "nearest")
    assert caught.value.path == "rounding.mode"


def test_numbers_are_read_as_written() -> None:
    assert str(decimal_of("0.10")) == "0.10"
    assert decimal_of("") is None


def test_wire_times_are_shanghai_wall_clock() -> None:
    noon = datetime(2025, 6, 16, 4, 0, tzinfo=UTC)
    assert wire_time(noon) == "2025-06-16 12:00:00"
    assert read_time("2025-06-16 12:00:00") == noon
    assert read_time(" 2025-06-16 12:00 ") == noon
    assert read_time("2025-06-16").utcoffset() == timedelta(hours=8)
    assert read_date("2025-06-16 23:59:59") == date(2025, 6, 16)


@pytest.mark.parametrize("text", ["", "2025-02-30", "2025/02/01", "20250201", "yesterday"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="时间"):
        read_time(text)


def test_a_fixed_clock_moves_only_when_told() -> None:
    clock = FixedClock(datetime(2025, 6, 16, tzinfo=CHINA))
    assert clock.now() == clock.now()
    clock.advance(90)
    assert clock.now() == datetime(2025, 6, 16, 0, 1, 30, tzinfo=CHINA)
    with pytest.raises(ValueError, match="aware"):
        FixedClock(datetime(2025, 6, 16))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (" ａ09.900X001 ", "A09.900x001"),
        ("k35.3", "K35.3"),
        ("X59.900X002", "X59.900x002"),
        ("a17.000†", "A17.000+"),
        ("G01✱", "G01*"),
        ("K35.3\u200b00", "K35.300"),
        ("", ""),
    ],
)
def test_diagnosis_codes_are_cleaned(raw: str, code: str) -> None:
    assert diagnosis_code(raw) == code
    assert diagnosis_code(code) == code


def test_procedure_codes_are_cleaned() -> None:
    assert procedure_code(" ４７.0100X001 ") == "47.0100x001"
    assert procedure_code("17.9a") == "17.9A"


def test_ranges_prefixes_and_marks() -> None:
    assert in_range("A15.000", "A15-A16")
    assert in_range("A16.9", "A15-A16")
    assert not in_range("A17.0", "A15-A16")
    assert in_range("K35.3", "K35")
    assert not in_range("47.01", "A15-A16")
    assert has_prefix("O82.1", ("A", "O80-O84"))
    assert not has_prefix("O85", ("O80-O84",))
    assert strip_marks("A17.000+G01*") == "A17.000"
    assert subcategory("K35.301") == "K35.3"
    assert tidy("　张　三　") == "张 三"


def test_a_dated_value_is_asked_with_a_day() -> None:
    series = Dated("pay.ratio", [Since(date(2025, 1, 1), "0.90"), Since(date(2024, 1, 1), "0.85")])
    assert series.on(date(2024, 12, 31)) == "0.85"
    assert series.on(date(2025, 1, 1)) == "0.90"
    with pytest.raises(ConfigError, match=r"pay\.ratio 在 2023-12-31 没有值"):
        series.on(date(2023, 12, 31))
    with pytest.raises(ConfigError, match="相同的生效日期"):
        Dated("x", [Since(date(2024, 1, 1), 1), Since(date(2024, 1, 1), 2)])


def test_hashes_do_not_depend_on_order() -> None:
    one = {"b": [1, "x"], "a": Decimal("1.10")}
    two = {"a": Decimal("1.10"), "b": [1, "x"]}
    assert content_hash(one) == content_hash(two)
    assert content_hash(one) != content_hash({**one, "a": Decimal("1.1")})
    assert canonical_bytes(one) == b'{"a":1.10,"b":[1,"x"]}'
    with pytest.raises(TypeError, match="float"):
        canonical_bytes({"a": 1.5})
    with pytest.raises(TypeError, match="no canonical form"):
        canonical_bytes({"a": object()})


def test_an_error_says_where_what_and_the_way_out() -> None:
    error = RecordError("日期不存在", place=Place("a.csv", 12, "入院时间"), remedy="改成真实日期")
    assert str(error) == "a.csv 第12行 字段 入院时间：日期不存在；处理：改成真实日期"
    assert str(RecordError("坏行")) == "坏行"


def test_severities_are_ordered() -> None:
    assert max(Severity.HINT, Severity.ERROR, Severity.WARNING) is Severity.ERROR
    assert Severity.of("warning") is Severity.WARNING
    assert Severity.ERROR.word == "error"
    with pytest.raises(ValueError, match="fatal"):
        Severity.of("fatal")
