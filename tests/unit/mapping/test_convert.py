"""Source text → wire text: every usual writing, and a reason for what means nothing."""

from __future__ import annotations

import pytest

from dipgate.mapping import convert

SEXES = {"0": "未知", "1": "男", "2": "女", "9": "未说明"}


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("2025-03-01 08:30:00", "2025-03-01 08:30:00"),
        ("2025/3/1 8:30", "2025-03-01 08:30:00"),
        ("2025.03.01 08:30:05", "2025-03-01 08:30:05"),
        ("2025-03-01T08:30:00.123", "2025-03-01 08:30:00"),
        ("2025-03-01T00:30:00Z", "2025-03-01 08:30:00"),
        ("2025-03-01T08:30:00+0800", "2025-03-01 08:30:00"),
        ("20250301083000", "2025-03-01 08:30:00"),
        ("20250301 0830", "2025-03-01 08:30:00"),
        ("2025年3月1日 8时30分", "2025-03-01 08:30:00"),
        ("2025年3月1日8时30分5秒", "2025-03-01 08:30:05"),
        ("２０２５－０３－０１　０８：３０", "2025-03-01 08:30:00"),
        ("2025-03-01", "2025-03-01"),
        ("20250301", "2025-03-01"),
        ("", ""),
        ("  ", ""),
    ],
)
def test_times(text: str, wire: str) -> None:
    """A day without a time of day stays a day: midnight is not invented."""
    value, steps = convert.time_text(text)
    assert value == wire
    assert bool(steps) == (text != wire), "what was changed is said, what was not is silent"


@pytest.mark.parametrize(
    ("text", "wire"),
    [("1980/2/3", "1980-02-03"), ("19800203", "1980-02-03"), ("1980-02-03 10:00", "1980-02-03")],
)
def test_dates(text: str, wire: str) -> None:
    assert convert.date_text(text)[0] == wire


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("2025-02-30", "不存在"),
        ("20251301", "不存在"),
        ("2025-03-01 24:00", "不存在"),
        ("0001-01-01", "年份"),
        ("03/01/2025", "认不出"),
        ("45717", "认不出"),
        ("昨天", "认不出"),
        ("2025-3", "认不出"),
    ],
)
def test_times_that_mean_nothing(text: str, what: str) -> None:
    with pytest.raises(ValueError, match=what) as error:
        convert.time_text(text)
    assert text not in str(error.value), "the reason quotes no data"


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("1234.5", "1234.50"),
        ("1,234.50", "1234.50"),
        ("￥1，234.5", "1234.50"),
        ("1234元", "1234.00"),
        ("-0.5", "-0.50"),
        ("12.3400", "12.34"),
        ("1e3", "1000.00"),
        ("12.345", "12.345"),
        ("", ""),
    ],
)
def test_money(text: str, wire: str) -> None:
    """Three decimals stay as they are, for a rule to show."""
    assert convert.money_text(text)[0] == wire


@pytest.mark.parametrize("text", ["十元", "1.2.3", "NaN", "Infinity", "-", "9" * 30, "9" * 15])
def test_money_that_means_nothing(text: str) -> None:
    with pytest.raises(ValueError, match=r"数字|位数"):
        convert.money_text(text)


@pytest.mark.parametrize(
    ("text", "wire"),
    [("75岁", "75"), ("28.0", "28"), ("3 250 g", "3250"), ("0", "0"), ("-0", "0"), ("1.50", "1.5")],
)
def test_numbers(text: str, wire: str) -> None:
    assert convert.number_text(text)[0] == wire


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("1/13/24", "1/13/24"),
        ("1天13小时24分", "1/13/24"),
        ("37小时", "1/13/0"),
        ("37", "1/13/0"),
        ("90分钟", "0/1/30"),
        ("约两天", "约两天"),
        ("", ""),
    ],
)
def test_durations(text: str, wire: str) -> None:
    assert convert.duration_text(text)[0] == wire


@pytest.mark.parametrize(
    ("text", "codeset", "codes", "wire"),
    [
        ("女", "gend", SEXES, "2"),
        ("female", "gend", SEXES, "2"),
        ("１", "gend", SEXES, "1"),
        ("中性", "gend", SEXES, "中性"),
        ("A", "maindiag_flag", {"0": "否", "1": "是"}, "1"),
        ("B", "maindiag_flag", {"0": "否", "1": "是"}, "0"),
        ("A", "oprn_oprt_type", {"1": "主要手术及操作", "2": "其他手术及操作"}, "1"),
        ("B", "oprn_oprt_type", {"1": "主要手术及操作", "2": "其他手术及操作"}, "2"),
        ("无", "days_rinp_flag_31", {"1": "无", "2": "有"}, "1"),
        ("1", "naty", {"01": "汉族"}, "01"),
        ("中国", "nat_regn_code", None, "CHN"),
        ("", "gend", SEXES, ""),
    ],
)
def test_codes(text: str, codeset: str, codes: dict[str, str] | None, wire: str) -> None:
    assert convert.code_text(text, codeset, codes)[0] == wire


def test_identifiers_lose_the_caret_suffix_and_say_so() -> None:
    assert convert.identifier("S001^2^9") == ("S001", ("截去 ^ 之后的部分",))
    assert convert.identifier("S001") == ("S001", ())
    assert convert.identifier("\u200bS001 ") == ("S001", ("去空白和不可见字符",))
