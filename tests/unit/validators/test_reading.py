"""Values as rules read them: what is blank, what is unreadable, and exact arithmetic."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from dipgate.validators.reading import (
    Missing,
    all_within,
    clean,
    duration_text,
    has_minutes,
    id_checks,
    id_sex,
    minutes_of,
    moment,
    number,
    principal_index,
    show,
)


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        ("12.50", Decimal("12.50")),
        (" 7 ", Decimal(7)),
        (7, Decimal(7)),
        (Decimal("0.1"), Decimal("0.1")),
        ("-3", Decimal(-3)),
    ],
)
def test_numbers(value: object, read: Decimal | None) -> None:
    assert number(value) == read


@pytest.mark.parametrize(
    "value", ["1_000", "１２", "1e9", "NaN", "Infinity", "1,000", "9" * 30, "七", "1.2.3", "+"]
)
def test_what_is_not_a_plain_number_stays_text(value: str) -> None:
    assert number(value) == value


@pytest.mark.parametrize(("value", "read"), [(True, "true"), (False, "false")])
def test_true_and_false_are_no_numbers(value: object, read: str) -> None:
    assert number(value) == read


@pytest.mark.parametrize("value", [True, {}, [], {"a": 1}])
def test_other_shapes_are_never_an_accident(value: object) -> None:
    assert not isinstance(number(value), float)
    assert isinstance(clean(value), str)


@pytest.mark.parametrize("text", ["2025-03-01 08:30:00", "2025-03-01 08:30", "2025-03-01"])
def test_wire_times(text: str) -> None:
    found = moment(text)
    assert isinstance(found, datetime)
    assert text.startswith(f"{found:%Y-%m-%d}")


@pytest.mark.parametrize(
    "text",
    [
        "2025-02-30",
        "20250301",
        "2025-W09-1",
        "2025-03-01T08:30:00",
        "2025-03-01 25:00:00",
        "2025-03-01 08+05:30",
        "2025/03/01",
        "不详",
        "2025-3-1",
        "２０２５-03-01",
    ],
)
def test_other_times_stay_text(text: str) -> None:
    assert moment(text) == text
    assert not has_minutes(text)


def test_a_duration_is_days_hours_minutes() -> None:
    assert minutes_of("1/13/24") == 2244
    assert duration_text(2244) == "1/13/24"
    for text in ("", "24", "1/2", "1/-2/3", "a/b/c", "１/2/3"):
        with pytest.raises(Missing):
            minutes_of(text)


def test_identity_numbers() -> None:
    # A made-up number of a region that does not exist.
    digits = "99010019800312001"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(w * int(d) for w, d in zip(weights, digits, strict=True)) % 11
    good = digits + "10X98765432"[total]
    assert id_checks(good)
    assert not id_checks(digits + "10X98765432"[(total + 1) % 11])
    assert not id_checks(digits)
    assert not id_checks("")
    assert id_sex(good) == "1"
    assert id_sex("99010019800312002X") == "2"
    assert id_sex("99") == ""


def test_weights_of_twins() -> None:
    assert all_within("2500,2600", 100, 9999)
    assert not all_within("2500,", 100, 9999)
    assert not all_within("2500;2600", 100, 9999)


def test_the_principal_is_the_flagged_else_the_first_western() -> None:
    def row(code: str, kind: str = "1", flag: str = "0") -> dict[str, str]:
        return {"diag_code": code, "diag_type": kind, "maindiag_flag": flag}

    assert principal_index(None) == -1
    assert principal_index([]) == -1
    assert principal_index([row("A", "2", "1"), row("B"), row("C")]) == 1
    assert principal_index([row(""), row("B"), row("C", flag="1")]) == 2


def test_values_in_messages() -> None:
    assert show(None) == "空"
    assert show("") == "空"
    assert show(Decimal("12.50")) == "12.50"
    assert show(Decimal("1E+3")) == "1000"
    assert show(datetime.fromisoformat("2025-03-01")) == "2025-03-01"
    assert show(datetime.fromisoformat("2025-03-01 08:30:00")) == "2025-03-01 08:30:00"
