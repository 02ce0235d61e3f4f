"""A forecast on real stored groupings: kept as made, graded by the statement, never overwritten."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dipgate.core.errors import ConfigError, RecordError
from dipgate.core.money import Fen
from dipgate.pipeline.forecast_stage import (
    Region,
    forecast,
    forecast_record,
    keep_forecast,
    keep_statement,
    month_change,
    month_indicators,
    priced_cases,
)
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.service.clock import SystemClock
from dipgate.store.forecasts import Statement

MONTH = "2025-03"


@pytest.fixture
def judged(ward: Any) -> Any:
    read_sources(ward.desk)
    map_new_stays(ward.desk)
    judge_new_cases(ward.desk)
    return ward


def test_the_current_scenario_is_the_sum_of_the_judged_lists(judged: Any) -> None:
    desk = judged.desk
    made = forecast(desk, MONTH)
    stored = list(priced_cases(desk, MONTH))
    expected = sum(
        item.score.amount or 0 for item in stored if item.score.score is not None and item.policy
    )
    current = [line for line in made.lines if line.scenario == "current"]
    assert not any(line.missing for line in current)
    assert sum(line.so_far or 0 for line in current) == expected > 0
    assert sum(line.cases for line in current) + made.unscored == len(stored)


def test_own_scenarios_scale_and_a_pool_without_a_value_is_named(judged: Any) -> None:
    desk = judged.desk
    own = {"双倍": {"职工": Decimal("16.24")}}
    lines = {(line.pool, line.scenario): line for line in forecast(desk, MONTH, own=own).lines}
    double, single = lines["职工", "双倍"], lines["职工", "current"]
    assert single.so_far is not None
    assert double.so_far is not None
    # The sample's value of the month is 8.12; rounding to the fen is case by case.
    assert abs(double.so_far - 2 * single.so_far) <= single.cases
    assert lines["居民", "双倍"].so_far is None
    assert "--value 双倍:居民" in lines["居民", "双倍"].missing


def test_income_by_share(judged: Any) -> None:
    desk = judged.desk
    region = {"职工": Region(Decimal(1_000_000), Fen(800_000_000))}
    made = forecast(desk, MONTH, regions=region)
    (found,) = made.nowcasts
    points = next(line.score for line in made.lines if line.pool == "职工")
    assert found.own_points == points / made.pace.share
    assert found.income == int(found.own_points * 800)
    assert 0 < found.one_percent < Decimal("0.01")
    with pytest.raises(RecordError, match="没有 离休"):
        forecast(desk, MONTH, regions={"离休": Region(Decimal(1), Fen(1))})


def test_a_month_without_lists_is_said(judged: Any) -> None:
    with pytest.raises(RecordError, match="2024-01 还没有入组的病例"):
        forecast(judged.desk, "2024-01")


def test_forecasts_are_kept_and_graded_by_the_statement(judged: Any) -> None:
    desk = judged.desk
    made = forecast(desk, MONTH)
    keep_forecast(desk, made)
    whole = sum(line.whole or 0 for line in made.lines if line.scenario == "current")
    assert forecast_record(desk).graded == ()
    keep_statement(desk, Statement(MONTH, "合计", Fen(whole * 2), None, None, "拨付单1号"))
    (graded,) = forecast_record(desk).graded
    assert (graded.predicted, graded.actual) == (whole, whole * 2)
    assert graded.error == Decimal("-0.5")
    keep_statement(desk, Statement(MONTH, "合计", Fen(whole), None, None, "更正"))
    (again,) = forecast_record(desk).graded
    assert again.error == 0
    assert again.inside


def test_all_pools_together_count_before_single_pools(judged: Any) -> None:
    desk = judged.desk
    keep_forecast(desk, forecast(desk, MONTH))
    for pool, fen in (("职工", 300), ("居民", 700), ("合计", 1000)):
        keep_statement(desk, Statement(MONTH, pool, Fen(fen), None, None, "拨付单"))
    (graded,) = forecast_record(desk).graded
    assert graded.actual == 1000


def test_pools_that_the_policy_does_not_have_are_refused(judged: Any) -> None:
    desk = judged.desk
    with pytest.raises(ConfigError, match="没有资金池 离休；可写：职工、居民、合计"):
        keep_statement(desk, Statement(MONTH, "离休", Fen(1), None, None, "拨付单"))
    with pytest.raises(ConfigError, match="没有资金池 离休"):
        forecast(desk, MONTH, own={"保守": {"离休": Decimal(1)}})


def test_a_month_without_money_is_no_comparison(judged: Any) -> None:
    with pytest.raises(RecordError, match="2024-01 没有能算出金额的病例"):
        month_change(judged.desk, "2024-01", MONTH)


def test_a_forecast_made_after_the_statement_does_not_count(judged: Any) -> None:
    desk = judged.desk
    keep_statement(desk, Statement(MONTH, "职工", Fen(1), None, None, "拨付单"))
    moved = desk.clock.now()
    assert moved.tzinfo is not None
    later = type(desk.clock)(datetime(2030, 1, 1, tzinfo=UTC))
    desk.clock = later
    keep_forecast(desk, forecast(desk, MONTH))
    assert forecast_record(desk).graded == ()


def test_a_month_and_itself_have_no_change(judged: Any) -> None:
    found = month_change(judged.desk, MONTH, MONTH)
    assert found
    for item in found.values():
        assert (item.whole, item.volume, item.structure, item.price, item.residual) == (0,) * 5


def test_a_month_that_is_not_over_is_told_to_be_a_part(
    judged: Any, sample_state: Path, cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    judged.desk.store.close()
    change = ("--state", sample_state, "forecast", "change", "--from", MONTH, "--to", MONTH)
    over = cli(*change)
    assert over.code == 0, over.err
    assert "约完成" not in over.out
    assert json.loads(cli(*change, "--json").out.splitlines()[0])["to_share"] == "1.000000"
    within = datetime(2025, 3, 23, 4, tzinfo=UTC)
    monkeypatch.setattr(SystemClock, "now", lambda _: within)
    assert f"{MONTH} 约完成 74.2%，变化里有还没有出院" in cli(*change).out
    assert json.loads(cli(*change, "--json").out.splitlines()[0])["to_share"] == "0.741935"


def test_counts_of_an_indicator_are_whole(
    judged: Any, sample_state: Path, cli: Callable[..., Any]
) -> None:
    found = {item.name: item for item in month_indicators(judged.desk, [MONTH])}
    judged.desk.store.close()
    said = cli("--state", sample_state, "indicators", "--month", MONTH)
    assert said.code == 0, said.err
    counted, index = found["入组率"], found["病例组合指数 CMI"]
    assert f"入组率 {counted.value:.4f} = {counted.numerator} ÷ {counted.denominator}（" in said.out
    assert f"CMI {index.value:.4f} = {index.numerator:.4f} ÷ {index.denominator}（" in said.out


def test_indicators_of_the_month(judged: Any) -> None:
    found = {item.code: item for item in month_indicators(judged.desk, [MONTH])}
    assert found["cmi"].value is not None
    assert found["cmi"].value > 0
    assert found["in_group"].denominator == len(judged.month.stays)


def test_the_commands(judged: Any, sample_state: Path, cli: Callable[..., Any]) -> None:
    made = forecast(judged.desk, MONTH)
    judged.desk.store.close()
    named = ("--state", sample_state)
    said = cli(*named, "forecast", "make", "--month", MONTH, "--json")
    assert said.code == 0, said.err
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [line["so_far_fen"] for line in lines] == [line.so_far for line in made.lines]
    plain = cli(
        *named, "forecast", "make", "--month", "202503", "--dry", "--region", "职工=1000000:8000000"
    )
    assert plain.code == 0, plain.err
    assert "还没有拨付单可以对照" in plain.out
    assert "现行点值" in plain.out
    assert "职工 · 按份额" in plain.out
    noted = cli(
        *named,
        *("forecast", "note", "--month", MONTH, "--pool", "合计", "--pay", "100.00"),
        *("--source", "拨付单1号"),
    )
    assert noted.code == 0, noted.err
    graded = cli(*named, "forecast", "score", "--json")
    assert json.loads(graded.out)["actual_fen"] == 10000
    warned = cli(*named, "forecast", "make", "--month", MONTH, "--dry")
    assert "超过可接受的 5.0%" in warned.out
    assert cli(*named, "forecast", "change", "--from", MONTH, "--to", MONTH).code == 0
    shown = cli(*named, "indicators", "--month", MONTH, "--json")
    assert {json.loads(line)["code"] for line in shown.out.splitlines()} >= {"cmi", "settlement"}


@pytest.mark.parametrize(
    "text", ["保守", "保守:职工", "保守:职工=0", "保守:职工=1.2.3", "low:职工=8"]
)
def test_a_value_that_is_no_value_is_refused(
    text: str, sample_state: Path, cli: Callable[..., Any]
) -> None:
    said = cli("--state", sample_state, "forecast", "make", "--month", MONTH, "--value", text)
    assert said.code == 2
    assert text in said.err


def test_a_region_that_is_none_is_refused(sample_state: Path, cli: Callable[..., Any]) -> None:
    for text in ("职工", "职工=1", "职工=0:5", "职工=1:2.345"):
        named = ("--state", sample_state, "forecast", "make", "--month", MONTH)
        said = cli(*named, "--region", text)
        assert said.code == 2
        assert text in said.err


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--pay", "-5"], "--pay 不能是负数"),
        (["--pay", "1.234"], "最多两位小数"),
        (["--source", " "], "不能是空的"),
    ],
)
def test_a_statement_that_cannot_be(
    more: list[str], told: str, sample_state: Path, cli: Callable[..., Any]
) -> None:
    plain = ["--month", MONTH, "--pool", "合计", "--pay", "1.00", "--source", "拨付单"]
    said = cli("--state", sample_state, "forecast", "note", *plain, *more)
    assert said.code == 2
    assert told in said.err
