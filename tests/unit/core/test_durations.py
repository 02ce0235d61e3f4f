"""Lengths, sizes and moments as a person says them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from dipgate.core.clock import CHINA
from dipgate.core.durations import duration_words, size_words, when_words

NOW = datetime(2025, 6, 16, 12, tzinfo=CHINA)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (NOW, "12:00"),
        (NOW - timedelta(hours=12), "00:00"),
        (NOW - timedelta(hours=12, minutes=1), "昨天 23:59"),
        (NOW + timedelta(hours=14, minutes=10), "明天 02:10"),
        (NOW + timedelta(hours=36), "06-18 00:00"),
        (NOW - timedelta(days=30), "05-17 12:00"),
        (NOW - timedelta(days=300), "2024-08-20"),
    ],
)
def test_a_moment_is_named_from_now(at: datetime, words: str) -> None:
    assert when_words(at, NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 秒"),
        (48.9, "48 秒"),
        (60, "1 分钟"),
        (72, "1 分 12 秒"),
        (27 * 60 + 59, "27 分钟"),
        (2 * 3600 + 5 * 60, "2 小时 5 分"),
        (76 * 3600, "3 天 4 小时"),
    ],
)
def test_a_length_has_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words
    assert duration_words(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("octets", "words"),
    [(0, "0 字节"), (1023, "1023 字节"), (3565158, "3.4 MB"), (442381631488, "412 GB")],
)
def test_a_size_has_three_figures_at_most(octets: int, words: str) -> None:
    assert size_words(octets) == words
