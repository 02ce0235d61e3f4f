"""Patterns that a bureau may push: what is allowed, and that nothing can run away."""

from __future__ import annotations

import time

import pytest

from dipgate.validators.patterns import MAX_SUBJECT, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        (r"\d{17}[\dXx]", "12345678901234567X", "12345678901234567"),
        (r"D\d{12}", "D990100000001", "N990100000001"),
        (r"^\d{6}$", "990100", "99010a"),
        (r"[A-Z]\d{2}(\.\d{3})?|无", "无", "a01"),
        (r"[^0-9]+", "abc", "a1"),
        (r"\d{1,3}(?:\.\d{2}){0,1}", "12.50", "12.5"),
    ],
)
def test_a_pattern_matches_the_whole_text(pattern: str, good: str, bad: str) -> None:
    matches = compile_pattern(pattern)
    assert matches(good)
    assert not matches(bad)
    assert not matches(good + " 9x ")


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(a|a)*b",
        "(a|ab){1,50}",
        "(?=a)a",
        "(?i)a",
        "(?P<n>a)",
        r"(a)\1",
        r"a\bb",
        "a*?",
        "a++",
        "a**",
        "*a",
        "(a",
        "a)",
        "a{2,1}",
        "a{,}",
        "a{x}",
        "a^b",
        "[a",
        "((((((((((a))))))))))",
        "a*" * 3,
        "a{0,99}" * 9,
        "a?" * 40,
        "a" * 400,
    ],
)
def test_what_could_run_away_or_is_unknown_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="正则"):
        compile_pattern(pattern)


@pytest.mark.parametrize("pattern", [r"[ab]*[ab]*", r"(?:[ab]{0,9}c?){1}[ab]*d", r"\w*\d{0,200}x"])
def test_the_worst_allowed_pattern_ends_soon(pattern: str) -> None:
    matches = compile_pattern(pattern)
    began = time.process_time()
    assert not matches("ab" * (MAX_SUBJECT // 2 - 1) + "!")
    assert time.process_time() - began < 1.0


def test_a_text_beyond_the_limit_never_matches() -> None:
    assert not compile_pattern("a*")("a" * (MAX_SUBJECT + 1))
