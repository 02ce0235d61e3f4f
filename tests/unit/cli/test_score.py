"""`dipgate score`: every zone of the published policies, exact edges, and nothing assumed."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dipgate.cli.json_lines import lacking, read_line
from dipgate.config.policy_set import with_settings
from dipgate.core.errors import RecordError
from dipgate.core.grouping import ScoreStatus
from dipgate.core.score_input import ScoreInput
from dipgate.pregrouper.scoring_given import score_given

Cli = Callable[..., Any]
CASE = {"case": "S1", "base_score": 1000, "average_fee": 10000, "k": 1.1, "a": "1.2"}
ROUNDED = (
    "--set",
    "scoring.rounding.score_dp=4",
    "--set",
    "scoring.rounding.mode=half_up",
)
NO_EXTREME = ("--set", "scoring.deviation.extreme.op=n/a")


@pytest.fixture
def run(cli: Cli, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """`run("jining_2023", {"fee": 4000})`: each line is laid over CASE."""

    def go(policy: str, *lines: dict[str, Any], more: tuple[str, ...] = ()) -> Any:
        path = tmp_path / "cases.jsonl"
        path.write_text("".join(json.dumps(CASE | line) + "\n" for line in lines), "utf-8")
        said = cli("score", path, "--policy", policy, "--json", *more)
        return [json.loads(line) for line in said.out.splitlines()]

    return go


def brief(found: dict[str, Any]) -> tuple[str, str | None, str]:
    return found["zone"], found["score"], found["score_status"]


@pytest.mark.parametrize(
    ("policy", "more", "fee", "expected"),
    [
        # Jining: edges closed below; K neither in low nor in high but as base; 5 is still high.
        ("jining_2023", ROUNDED, "4999.99", ("low", "599.9988", "SCORED")),
        ("jining_2023", ROUNDED, "5000.00", ("low", "600.0000", "SCORED")),
        ("jining_2023", ROUNDED, "5000.01", ("normal", "1320.0000", "SCORED")),
        ("jining_2023", ROUNDED, "20000.00", ("normal", "1320.0000", "SCORED")),
        ("jining_2023", ROUNDED, "20000.01", ("high", "1320.0012", "SCORED")),
        ("jining_2023", ROUNDED, "50000.00", ("high", "4920.0000", "SCORED")),
        ("jining_2023", ROUNDED, "50000.01", ("extreme", "1100.0000", "SCORED")),
        # Tai'an as Jining, without an extreme zone.
        ("taian_2023", (*ROUNDED, *NO_EXTREME), "5000.00", ("low", "600.0000", "SCORED")),
        ("taian_2023", (*ROUNDED, *NO_EXTREME), "30000.00", ("high", "2520.0000", "SCORED")),
        # Hubei: K and A in every zone, edges open.
        ("yichang_2023", ROUNDED, "4999.99", ("low", "659.9987", "SCORED")),
        ("yichang_2023", ROUNDED, "5000.00", ("normal", "1320.0000", "SCORED")),
        ("yichang_2023", (*ROUNDED, *NO_EXTREME), "20000.00", ("normal", "1320.0000", "SCORED")),
        ("yichang_2023", (*ROUNDED, *NO_EXTREME), "20000.01", ("high", "1320.0013", "SCORED")),
        ("yichang_2023", (*ROUNDED, *NO_EXTREME), "90000.00", ("high", "10560.0000", "SCORED")),
        # National 3.0: a low case pays the fee, so neither K nor A has an effect.
        ("national_2025", (), "4999.99", ("low", "499.9990", "SCORED")),
        ("national_2025", (), "5000.00", ("normal", "1320.0000", "SCORED")),
        ("national_2025", (), "19999.99", ("normal", "1320.0000", "SCORED")),
        ("national_2025", (), "20000.00", ("high", None, "REVIEW")),
        ("national_2025", (), "30000.00", ("high", None, "REVIEW")),
        ("national_2025", (), "30000.01", ("extreme", None, "REVIEW")),
        # National 1.0 leaves open whether K multiplies outside the normal zone.
        ("national_2020", (), "5000.00", ("normal", "1320.0000", "SCORED")),
        ("national_2020", (), "4999.99", ("low", None, "NOT_CONFIGURED")),
        ("national_2020", (), "50000.00", ("high", None, "NOT_CONFIGURED")),
        ("national_2020", (), "50000.01", ("extreme", None, "REVIEW")),
    ],
)
def test_zones_and_edges(
    run: Cli, policy: str, more: tuple[str, ...], fee: str, expected: tuple[str, str | None, str]
) -> None:
    (found,) = run(policy, {"fee": fee}, more=more)
    assert brief(found) == expected


def test_the_line_of_the_contract(run: Cli) -> None:
    (found,) = run("sample_2025", {"fee": 12345.67, "is_basic": False})
    assert set(found) >= {
        "case",
        "r",
        "zone",
        "score",
        "score_status",
        "not_configured",
        "steps",
        "inputs_used",
    }
    assert (found["case"], found["r"]) == ("S1", "1.234567")
    assert found["inputs_used"] == [
        "case",
        "base_score",
        "fee",
        "average_fee",
        "k",
        "a",
        "is_basic",
    ]
    assert found["inputs_unused"] == []
    assert [step["step"] for step in found["steps"]][-2:] == ["form", "score"]
    assert all({"step", "text", "ref", "value"} == set(step) for step in found["steps"])


def test_what_is_not_used_is_said(run: Cli) -> None:
    low, basic = run(
        "taian_2023", {"fee": 1}, {"fee": 10000, "is_basic": True}, more=(*ROUNDED, *NO_EXTREME)
    )
    assert low["inputs_unused"] == ["k"]
    assert basic["not_configured"] == ["scoring.institution.group_factors"]
    assert basic["inputs_unused"] == ["k"]
    (national,) = run("national_2025", {"fee": 10000, "is_basic": True})
    assert (national["score"], national["inputs_unused"]) == ("1200.0000", ["k"])
    (factor,) = run(
        "taian_2023",
        {"fee": 10000, "is_basic": True, "group_factor": "0.9"},
        more=(*ROUNDED, *NO_EXTREME),
    )
    assert (factor["score"], factor["inputs_unused"]) == ("1080.0000", ["k"])


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ({"fee": None}, "input.fee"),
        ({"base_score": None}, "input.base_score"),
        ({"k": None}, "scoring.institution.table"),
        ({"average_fee": None}, "input.pool"),
    ],
)
def test_what_the_line_lacks_is_named(run: Cli, line: dict[str, Any], path: str) -> None:
    (found,) = run("national_2025", {"fee": 10000} | line)
    assert (found["score"], found["score_status"]) == (None, "NOT_CONFIGURED")
    assert path in found["not_configured"]


def test_a_case_without_a_label_has_a_factor_of_one_and_says_so(run: Cli) -> None:
    (found,) = run("national_2025", {"fee": 10000, "a": None})
    assert (found["score"], found["a"]) == ("1100.0000", "1")
    assert any("没有辅助标签" in step["text"] for step in found["steps"])


def test_no_auxiliary_factor_is_missed_where_the_policy_has_none(run: Cli) -> None:
    (found,) = run("sample_2025", {"fee": 10000, "a": None})
    assert found["score"] == "1100.0000"
    (given,) = run("sample_2025", {"fee": 10000})
    assert given["score"] == "1320.0000"
    assert given["warnings"][0].startswith("W_AUXILIARY")


def test_k_and_average_from_the_policy(run: Cli) -> None:
    sets = (
        "scoring.institution.table.3=1.05",
        "scoring.institution.composition=n/a",
        "settlement.point_value.budget.职工=8",
    )
    more = tuple(word for item in sets for word in ("--set", item))
    line = {"fee": 10000, "k": None, "average_fee": None, "level": "3", "insurance_type": "310"}
    (found,) = run("national_2025", line, more=more)
    # r = 10000 / (1000 × 1.05 × 8)
    assert found["r"] == "1.190476190476"
    assert found["score"] == "1260.0000"
    assert "level" in found["inputs_used"]
    (named,) = run("national_2025", line | {"insurance_type": None, "pool": "职工"}, more=more)
    assert named["score"] == "1260.0000"
    assert "pool" in named["inputs_used"]
    (other,) = run("national_2025", line | {"insurance_type": None, "pool": "居民"}, more=more)
    assert other["not_configured"] == ["settlement.point_value.budget.居民"]


def test_an_add_on_and_a_formula(run: Cli) -> None:
    more = (*ROUNDED, *NO_EXTREME)
    line = {"fee": 10000, "tcm_share": "0.61", "settled_on": "2025-05-01"}
    edge, above, late = run(
        "taian_2023",
        line | {"tcm_share": "0.6"},
        line,
        line | {"settled_on": "2026-01-01"},
        more=more,
    )
    scores = [edge["score"], above["score"], late["score"]]
    assert scores == ["1320.0000", "1452.0000", "1320.0000"]
    assert "tcm_share" in above["inputs_used"]
    factors = ("scoring.normal.factors.support=0.05", "scoring.normal.factors.assess=0.98")
    sets = tuple(word for item in factors for word in ("--set", item))
    (found,) = run("anhui_cityx_2025", {"fee": 10000}, more=(*ROUNDED, *sets))
    assert found["score"] == "1358.2800"  # (1320 + 1320 × 0.05) × 0.98


def test_bad_lines_hold_nobody_up(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    good = json.dumps(CASE | {"fee": 10000})
    bad = [
        "{",
        "[]",
        '{"fee": "12x"}',
        '{"fee": 1.234}',
        '{"fee": -1}',
        '{"average_fee": 0}',
        '{"fee": NaN}',
        '{"fee": true}',
        '{"k": 1, "k": 2}',
        '{"feee": 1}',
        '{"is_basic": "yes"}',
        '{"settled_on": "2025-02-30"}',
        f'{{"fee": {"9" * 5000}}}',
        '{"base_score": 1e999999}',
        '{"base_score": "1e-400"}',
        '{"k": Infinity}',
        '{"k": "NaN"}',
        '{"average_fee": [1]}',
    ]
    path.write_text("\n".join([good, *bad, "", good]) + "\n", "utf-8")
    said = cli("score", path, "--policy", "sample_2025", "--json")
    assert said.code == 2
    assert [json.loads(line)["score"] for line in said.out.splitlines()] == ["1320.0000"] * 2
    told = said.err.splitlines()
    assert len(told) == len(bad)
    for number, text in enumerate(told, start=2):
        assert f"mixed.jsonl 第{number}行" in text
        assert "处理：" in text
    assert "字段 fee" in told[2]
    assert "'fee'" in told[9]


def test_a_score_too_long_to_be_exact_is_set_aside(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "long.jsonl"
    huge = {"base_score": 10**14, "average_fee": "1e-20", "k": 10**14, "a": 10**14, "fee": 10**13}
    path.write_text(json.dumps(huge) + "\n" + json.dumps(CASE | {"fee": 10000}), "utf-8")
    said = cli("score", path, "--policy", "yichang_2023", *ROUNDED, *NO_EXTREME, "--json")
    assert said.code == 2
    assert "long.jsonl 第1行" in said.err
    assert "数字太大" in said.err
    assert "处理：" in said.err
    assert [json.loads(line)["score"] for line in said.out.splitlines()] == ["1320.0000"]


NUMBERS = st.one_of(
    st.none(),
    st.integers(-10, 10**16),
    st.decimals("-1", "1e16").map(str),
    st.sampled_from(
        ["", "1e5", "1E+14", "0", "-0", "0.00000000000000000001", "x", "NaN", "-Infinity", "1e99"]
    ),
)


@settings(max_examples=150, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: NUMBERS
            for name in ("base_score", "fee", "average_fee", "k", "a", "group_factor", "tcm_share")
        }
        | {"is_basic": st.one_of(st.booleans(), st.none())},
    ),
    st.sampled_from(["jining_2023", "taian_2023", "national_2025", "sample_2025"]),
)
def test_any_line_is_scored_or_refused_in_words(line: dict[str, Any], policy: str) -> None:
    rules = with_settings(policy, ROUNDED[1::2])
    try:
        given_line = read_line(ScoreInput, json.dumps(line).encode(), file="-", number=1)
    except RecordError:
        return
    found = score_given(given_line, rules).result
    assert (found.score is None) == (found.status is not ScoreStatus.SCORED)
    assert (found.not_configured == ()) == (found.status is not ScoreStatus.NOT_CONFIGURED)


def test_standard_input_and_words(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.dumps(CASE | {"case": None, "fee": 4000}).encode()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    said = cli("score", "--policy", "jining_2023", *ROUNDED)
    assert said.code == 0
    assert said.out.startswith("1  已计分 480.0000 分")
    assert "没有用到的输入：k" in said.out


def test_a_wrong_setting_stops_at_once(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(CASE), "utf-8")
    said = cli("score", path, "--policy", "sample_2025", "--set", "scoring.deviaton.low.at=1")
    assert (said.code, said.out) == (2, "")
    assert "deviation" in said.err


def test_scores_are_exact(run: Cli) -> None:
    fee, average = "10000.01", "33333.3333"
    line = {"base_score": "0.3333", "fee": fee, "average_fee": average}
    (found,) = run("sample_2025", line)
    exact = Decimal("0.3333") * Decimal("1.1") * Decimal(fee) / Decimal(average)
    assert found["score"] == format(exact.quantize(Decimal("0.0001")), "f")


BY_POOL = (
    "--set",
    'scoring.institution.table={"3": {职工: {values: {"2025-01-01": 1.04}}, 居民: 1.02}}',
)
NO_K = {"k": None, "level": "3", "fee": 9000}


def test_the_day_and_the_pool_that_decided_count_as_used(run: Cli) -> None:
    line = NO_K | {"insurance_type": "310", "settled_on": "2025-03-01"}
    (found,) = run("sample_2025", line, more=BY_POOL)
    assert found["score"] == "1248.0000"
    assert {"insurance_type", "settled_on"} <= set(found["inputs_used"])
    (other,) = run("sample_2025", line | {"k": "1.1"}, more=BY_POOL)
    assert {"insurance_type", "settled_on"} <= set(other["inputs_unused"])


def test_the_day_of_an_add_on_counts_as_used(run: Cli) -> None:
    add_on = 'scoring.add_ons=[{name: x, when: "fee > 1", factor: 1.1, valid: "2025"}]'
    (found,) = run("sample_2025", {"fee": 9000, "settled_on": "2025-03-01"}, more=("--set", add_on))
    assert "settled_on" in found["inputs_used"]


def test_a_dated_number_without_a_day_asks_for_the_day(run: Cli) -> None:
    (found,) = run("sample_2025", NO_K, more=())
    assert found["not_configured"] == ["input.settled_on"]
    edge = 'scoring.deviation.low.at={values: {"2025-01-01": 0.5}}'
    (other,) = run("sample_2025", {"fee": 9000}, more=("--set", edge))
    assert other["not_configured"] == ["input.settled_on"]


def test_the_pool_as_a_word_and_an_unknown_one(run: Cli) -> None:
    line = NO_K | {"settled_on": "2025-03-01"}
    found = run(
        "sample_2025",
        line | {"insurance_type": "职工"},
        line | {"insurance_type": "999"},
        line | {"pool": "城职"},
        more=BY_POOL,
    )
    assert (found[0]["score"], found[0]["inputs_unused"]) == ("1248.0000", [])
    assert found[1]["not_configured"] == ["settlement.pool_codes.999"]
    for other in found[1:]:
        (told,) = [text for text in other["warnings"] if text.startswith("W_POOL")]
        assert "职工、居民" in told
    assert any("310" in text for text in found[1]["warnings"])


def test_a_day_outside_the_policy_is_told(run: Cli) -> None:
    inside, outside = run(
        "sample_2025",
        {"fee": 9000, "settled_on": "2025-03-01"},
        {"fee": 9000, "settled_on": "2035-03-01"},
    )
    assert not any("W_PERIOD" in text for text in inside["warnings"])
    assert any("W_PERIOD" in text and "2035-03-01" in text for text in outside["warnings"])


def test_a_fee_of_nought_is_an_error_of_the_line(run: Cli) -> None:
    (found,) = run("sample_2025", {"fee": 0})
    assert (found["score_status"], found["score"]) == ("NOT_CONFIGURED", None)
    assert found["not_configured"] == ["input.fee"]
    assert any("总费用是 0 元" in text for text in found["warnings"])


def test_a_line_without_anything_lacks_its_score_first(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text('{"case": "S1"}', "utf-8")
    said = cli("score", path, "--policy", "sample_2025", "--json")
    assert json.loads(said.out)["not_configured"] == ["input.base_score", "input.fee"]


def test_people_read_what_a_form_is(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(CASE | {"fee": 9000, "average_fee": "27000.00"}), "utf-8")
    said = cli("score", path, "--policy", "jining_2023", *ROUNDED)
    assert "病种分值 × 费用倍率" in said.out
    assert "按 ratio" not in said.out
    assert "000000" not in said.out
    assert "333333333" not in said.out


@pytest.mark.parametrize(
    ("policy", "line", "lacking"),
    [
        # The policies have K and the factor by level: it is the line that lacks its level.
        ("sample_2025", {"level": ""}, ["input.level"]),
        ("sample_neighbour_2025", {"average_fee": None, "pool": "职工"}, ["input.level"]),
    ],
)
def test_what_the_line_does_not_say_is_not_blamed_on_the_policy(
    run: Callable[..., list[dict[str, Any]]], policy: str, line: dict[str, Any], lacking: list[str]
) -> None:
    (found,) = run(policy, {"fee": 9000, "k": None} | line)
    assert [path for path in found["not_configured"] if path.startswith("input.")] == lacking
    assert not [path for path in found["not_configured"] if "?" in path or "<" in path]


def test_what_is_missing_is_said_of_its_owner() -> None:
    assert lacking("library.score") == "目录没有分值 library.score"
    assert lacking("library.tcm_map.X.factor").startswith("目录缺少")
    assert lacking("case.fee").startswith("病例缺少")
    assert lacking("input.fee").startswith("输入缺少")
    assert lacking("scoring.average_fee").startswith("政策缺少参数")
