"""The closed vocabulary: what it decides, what it leaves open, what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dipgate.core.case import Diagnosis, IcuStay
from dipgate.core.clock import CHINA
from dipgate.core.errors import ConfigError
from dipgate.core.money import Fen
from dipgate.pregrouper.conditions import (
    FACT_WORDS,
    VOCABULARY,
    Facts,
    condition_words,
    decide,
    fact_words,
    icu_days,
    read_condition,
)

Make = Callable[..., Any]
IN = datetime(2025, 3, 10, 9, tzinfo=CHINA)


@pytest.fixture
def stay(make_case: Make) -> Any:
    return make_case(
        "C50.900",
        fee="1000.00",
        born=date(1959, 3, 10),
        admitted=IN,
        discharged=IN + timedelta(days=4),
        others=(
            Diagnosis("J96.000", "", "1", "", 1),
            Diagnosis("A17.000+G01*", "", "1", "", 2),
        ),
        category_fees=(("05", Fen(60000)), ("09", Fen(30000)), ("08", Fen(10000))),
        item_fees=(("004300000010000", Fen(61000)), ("001102", Fen(39000))),
    )


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("age_years >= 66", True),
        ("age_years >= 67", False),
        ("age_years > 66", False),
        ("stay_days > 3", True),
        ("stay_days == 4", True),
        ("stay_days != 4", False),
        ("fee < 1000", False),
        ("fee <= 1000.00", True),
        ("treatment_share > 0.6", False),
        ("treatment_share >= 60%", True),
        ("drug_share = 0.3", True),
        ("tcm_share > 0.6", True),
        ("dx in (C50.900)", True),
        ("dx in (C50.9)", False),
        ("dx in (C50*)", True),
        ("dx in (C00-C75，D00)", True),
        ("dx in (C51-C75)", False),
        ("dx not in (C50*)", False),
        ("other_dx in (A17.000)", True),
        ("any_dx == C50.900", True),
        ("op in (51.2300, 99.2503)", True),
        ("main_op = 99.2503", False),
        ("severity in (重度, 死亡)", True),
        ("age = 29天-1周岁", False),
        ("tumour in ('转移/并发')", True),
        ("died", False),
        ("malignant and not died", True),
        ("died or day_surgery or stay_days >= 4", True),
        ("died and (stay_days > 3 or malignant)", False),
        ("NOT died AND malignant", True),
    ],
)
def test_decided(stay: Any, text: str, holds: bool) -> None:
    facts = Facts(
        stay,
        ops=("51.2300", "99.2503"),
        labels={"severity": "重度", "tumour": "转移/并发"},
        tcm_items=("004",),
    )
    assert decide(read_condition(text, "x"), facts).holds is holds


def test_what_is_not_known_is_named_and_only_where_it_matters(make_case: Make) -> None:
    facts = Facts(make_case("K80.1", born=None, discharged=None, discharge_way=""))
    for text, missing in (
        ("age_years > 60", ("age_years",)),
        ("not age_years > 60", ("age_years",)),
        ("tcm_share > 0.6", ("tcm_share",)),
        ("stay_days > 3 and age_days < 28", ("stay_days", "age_days")),
        ("died or local_list", ("died", "local_list")),
        ("pool = 职工", ("pool",)),
    ):
        found = decide(read_condition(text, "x"), facts)
        assert (found.holds, found.missing) == (None, missing), text
    assert decide(read_condition("age_years > 60 and dx in (I10*)", "x"), facts).holds is False
    assert decide(read_condition("age_years > 60 or dx in (K80*)", "x"), facts).holds is True


def test_numbers_that_the_caller_knows_come_first(make_case: Make) -> None:
    facts = Facts(make_case("K80.1"), given={"tcm_share": Decimal("0.61")})
    assert decide(read_condition("tcm_share > 0.6", "x"), facts).holds is True


def test_icu_days_are_summed_and_whole(make_case: Make) -> None:
    def hours(*spans: float | None) -> Any:
        stays = tuple(
            IcuStay("1", IN, None if span is None else IN + timedelta(hours=span)) for span in spans
        )
        return icu_days(make_case("K80.1", icu=stays))

    assert hours() == 0
    assert hours(47.9) == 1
    assert hours(30, 18) == 2
    assert hours(30, None) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tcm_shar > 0.6", "'tcm_share'"),
        ("__import__('os')", "不认识的词"),
        ("age_years > x", "应与数字比较"),
        ("age_years in (1)", "后面应为"),
        ("age_years >", "缺少数字"),
        ("dx in C50", "应为 '('"),
        ("dx in ()", "应为值"),
        ("dx in (C50", "应为 ')'"),
        ("died malignant", "多出内容"),
        ("(died", "应为 ')'"),
        ("", "是空的"),
        ("died and", "缺少条件的名称"),
        ("!died", "看不懂"),
        ("(" * 100 + "died" + ")" * 100, "层"),
        ("died or " * 1000 + "died", "个字符"),
    ],
)
def test_refused_with_path_and_word(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_condition(text, "auxiliary.expressions[0].when")
    assert said in str(caught.value)
    assert caught.value.path == "auxiliary.expressions[0].when"


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ConfigError):
        assert read_condition(text, "x") == read_condition(text, "y")


def test_the_guide_for_policy_authors_names_every_word(checkout: Path) -> None:
    text = (checkout / "docs" / "policies.md").read_text(encoding="utf-8")
    assert [word for word in VOCABULARY if f"`{word}`" not in text] == []


def test_what_a_condition_lacks_is_said_in_chinese() -> None:
    assert set(FACT_WORDS) == set(VOCABULARY)
    assert fact_words(("icu_days", "died")) == "重症监护天数、死亡"
    assert not any(word.isascii() for word in FACT_WORDS.values())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tcm_share > 0.6 and not died", "中医治疗占比 > 0.6 且 不是 死亡"),
        ("dx in (C50*, C00-C75)", "主要诊断 属于 (C50*, C00-C75)"),
        ("age not in (老年) or icu_days >= 3", "年龄段 不属于 (老年) 或 重症监护天数 >= 3"),
        ("group in (K80.1:51.2300)", "病种 属于 (K80.1:51.2300)"),
    ],
)
def test_a_condition_that_holds_is_said_in_chinese(text: str, words: str) -> None:
    assert condition_words(text) == words


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("age_years < 18", {"born": date(2030, 1, 1)}),
        ("age_days < 29", {"born": date(2030, 1, 1)}),
        ("sex == 2", {"sex": "3"}),
        ("sex == 1", {"sex": "9"}),
    ],
)
def test_impossible_persons_decide_nothing(
    make_case: Make, text: str, wrong: dict[str, Any]
) -> None:
    found = decide(read_condition(text, "here"), Facts(make_case("K80.100", **wrong), (), {}))
    assert found.holds is None
    assert found.missing
