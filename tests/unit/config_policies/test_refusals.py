"""Each mistake a policy author can make is refused by name, place and remedy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.policies import load_policy
from dipgate.config.policy_set import with_settings
from dipgate.core.errors import ConfigError

HEAD = """schema: dip-policy/1
policy: {id: x, region: {code: "990300"}, date_basis: settlement, effective_from: 2025-01-01}
evidence:
  E1: {grade: B, title: 文件}
"""


@pytest.fixture
def refused(tmp_path: Path) -> Callable[[str], str]:
    """The sentence with which a policy of these lines is refused."""

    def go(text: str, head: str = HEAD) -> str:
        path = tmp_path / "x.yaml"
        path.write_text(head + text, encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            load_policy(str(path))
        return str(caught.value)

    return go


MISTAKES = [
    # unknown keys, with the nearest right word
    ("setlement: {merged: false}\n", ["第5行", "setlement", "settlement"]),
    ("settlement: {pionts: 1}\n", ["settlement.pionts", "是不认识的键"]),
    ("settlement: {monthly: {form: x, ratoi: 0.9}}\n", ["monthly.ratoi", "'ratio'"]),
    (
        "settlement: {year_end: {bands: [{low: 0, pay: payable}]}}\n",
        ["bands[0].low", "'lo'"],
    ),
    ("settlement: {year_end: {assess: {aplies_to: score}}}\n", ["aplies_to", "'applies_to'"]),
    ("scoring: {deviation: {lo: {at: 0.5}}}\n", ["scoring.deviation.lo", "'low'"]),
    # wrong types
    ("settlement: {merged: perhaps}\n", ["settlement.merged", "true 或 false"]),
    ("settlement: {monthly: {ratio: 95%}}\n", ["settlement.monthly.ratio", "不是数字", "null"]),
    ("settlement: {point_value: {table: [8.1]}}\n", ["point_value.table", "一张表"]),
    ("settlement: {price_keys: {a: b}}\n", ["settlement.price_keys", "列表"]),
    ("scoring: {time_weights: [1, two]}\n", ["scoring.time_weights[1]", "整数"]),
    ("catalogue: {library: lib}\n", ["catalogue.library", "名称@版本"]),
    # evidence
    ("settlement: {merged: false, src: [E2]}\n", ["第5行", "settlement.src", "E2"]),
    # what a month or an advance can be
    ("settlement: {prepayment_months: -1}\n", ["第5行", "prepayment_months", "负数"]),
    (
        "settlement: {price_keys: [month], point_value: {table: {2025-3: 8}}}\n",
        ["第5行", "point_value.table.2025-3", "2025-03"],
    ),
    ("scoring: {add_ons: [{name: tcm, src: [E3]}]}\n", ["scoring.add_ons[0].src", "E3"]),
    ("catalogue: {counts: {core: 1, src: [E4]}}\n", ["catalogue.counts.src", "E4"]),
    # shares
    ("settlement: {fund_ratio: {职工: 76}}\n", ["fund_ratio.职工", "0 到 1"]),
    ("settlement: {fund_ratio: {职工: -0.1}}\n", ["fund_ratio.职工", "0 到 1"]),
    ("settlement: {monthly: {ratio: 90}}\n", ["settlement.monthly.ratio", "0 到 1"]),
    ("settlement: {monthly: {deposit: 5}}\n", ["settlement.monthly.deposit", "0 到 1"]),
    (
        'settlement: {monthly: {ratio: {values: {"2025-01-01": 0.9, "2026-01-01": 9}}}}\n',
        ["settlement.monthly.ratio.2026-01-01", "0 到 1"],
    ),
    (
        "scoring: {special_review: {cap_of_region_discharges: 5}}\n",
        ["cap_of_region_discharges", "0 到 1"],
    ),
    ("catalogue: {core_threshold: {coverage: 95}}\n", ["core_threshold.coverage", "0 到 1"]),
    (
        "settlement: {year_end: {bands: [{pay: {payable_plus_share: 60}}]}}\n",
        ["bands[0].pay.share", "0 到 1"],
    ),
    (
        "settlement: {point_value: {elastic_split: [[0.8, 0.3]]}}\n",
        ["elastic_split[0]", "合计为 1"],
    ),
    ("settlement: {point_value: {elastic_split: [[0.8]]}}\n", ["elastic_split[0]", "两个份额"]),
    ("settlement: {point_value: {elastic_split: [[a, b]]}}\n", ["elastic_split[0]", "数字"]),
    # numbers that must be positive
    ("scoring: {time_weights: [1, 0, 7]}\n", ["scoring.time_weights[1]", "正数"]),
    ("scoring: {institution: {table: {'3': 0}}}\n", ["institution.table.3", "正数"]),
    ("settlement: {point_value: {table: {职工: -8}}}\n", ["point_value.table.职工", "正数"]),
    ("catalogue: {score_scale: 0}\n", ["catalogue.score_scale", "正数"]),
    # bands
    (
        "settlement: {year_end: {bands: [{lo: 0, hi: 0.9, pay: billed}, {lo: 1, pay: payable}]}}\n",
        ["bands[1].lo", "不相接", "0.9"],
    ),
    (
        "settlement: {year_end: {bands: [{lo: 0, hi: 1, pay: billed}, {lo: 0.9, pay: payable}]}}\n",
        ["bands[1].lo", "不相接"],
    ),
    (
        "settlement: {year_end: {bands: [{lo: 1, hi: 0.9, pay: billed}, {lo: 0.9, pay: a}]}}\n",
        ["bands[0].hi", "不大于下限"],
    ),
    (
        "settlement: {year_end: {bands: [{lo: 0, pay: billed}, {lo: 1, pay: payable}]}}\n",
        ["bands[0].hi", "最后一段"],
    ),
    (
        "settlement: {year_end: {bands: [{hi: 1, pay: billed}, {hi: 2, pay: payable}]}}\n",
        ["bands[1].lo", "第一段"],
    ),
    (
        "settlement: {year_end: {bands: [{pay: {payable_plus_capped: {share: 0, upto: 0.9}}}]}}\n",
        ["bands[0].pay.upto", "不小于 1"],
    ),
    # edges of the zones
    (
        "scoring: {deviation: {low: {at: 2}, high: {at: 0.5}}}\n",
        ["scoring.deviation.high.at", "不大于"],
    ),
    (
        "scoring: {deviation: {high: {at: 2}, extreme: {at: 2}}}\n",
        ["scoring.deviation.extreme.at", "不大于"],
    ),
    (
        "scoring: {deviation: {high: {at: 2, upto: 1.5}}}\n",
        ["scoring.deviation.high.upto", "不大于起点"],
    ),
    (
        "scoring:\n  deviation:\n    low: {at: 0.5}\n"
        '    high: {at: {values: {"2025-01-01": 2, "2026-01-01": 0.4}}}\n',
        ["第8行", "scoring.deviation.high.at", "0.4"],
    ),
    # dates
    (
        'settlement: {monthly: {ratio: {values: {"2025-02-30": 0.9}}}}\n',
        ["2025-02-30", "日期"],
    ),
    (
        'settlement: {year_end: {deadline: {"25": 2026-05-31}}}\n',
        ["deadline.25", "年份"],
    ),
    (
        'settlement: {year_end: {deadline: {"2025": 05-31}}}\n',
        ["deadline.2025", "yyyy-MM-dd"],
    ),
    (
        'settlement: {year_end: {deadline: {"2027+": 2028-03-31}}}\n',
        ["deadline.2027+", "MM-DD"],
    ),
    ("auxiliary: {trigger: {min_cv_drop: 20}}\n", ["trigger.min_cv_drop", "0 到 1"]),
    ("auxiliary: {trigger: {min_group_cases: -1}}\n", ["trigger.min_group_cases", "负数"]),
    (
        'settlement: {year_end: {clearing_share_target: {"25": 0.05}}}\n',
        ["clearing_share_target.25", "年份"],
    ),
    (
        'settlement: {year_end: {clearing_share_target: {"2025": 0.05-0.03}}}\n',
        ["clearing_share_target.2025", "从小到大"],
    ),
    (
        'settlement: {year_end: {clearing_share_target: {"2025": 5}}}\n',
        ["clearing_share_target.2025", "0 到 1"],
    ),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES, ids=[row[0].strip()[:60] for row in MISTAKES])
def test_each_mistake_names_itself(
    refused: Callable[[str], str], text: str, words: list[str]
) -> None:
    said = refused(text)
    for word in ["x.yaml", *words]:
        assert word in said


def test_every_mistake_of_a_file_is_in_one_message(refused: Callable[[str], str]) -> None:
    said = refused("settlement: {fund_ratio: {职工: 76, 居民: 63}, monthly: {ratio: 90}}\n")
    assert said.count("0 到 1") == 3


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (HEAD.replace("990300", "9903"), ["policy.region.code", "6 位"]),
        (HEAD.replace("2025-01-01", "2025-13-01"), ["policy.effective_from", "日期"]),
        (HEAD.replace("date_basis: settlement", "date_basis: admission"), ["settlement"]),
        (HEAD.replace("grade: B", "grade: D"), ["evidence.E1.grade"]),
        (HEAD.replace("dip-policy/1", "dip-policy/2"), ["schema"]),
        (
            HEAD.replace("effective_from: 2025", "effective_to: 2024-12-31, effective_from: 2025"),
            ["effective_to", "早于"],
        ),
    ],
)
def test_mistakes_of_the_header(refused: Callable[..., str], head: str, words: list[str]) -> None:
    said = refused("", head)
    for word in words:
        assert word in said


@pytest.mark.parametrize(
    "bands",
    [
        "[{lo: 0, hi: 0.85, pay: billed}, {lo: 0.85, hi: 1, pay: payable}, "
        "{lo: 1, hi: null, pay: {payable_plus_capped: {share: 0.6, upto: 1.1}}}]",
        "[{lo: null, hi: 1, pay: billed}, {lo: 1, hi: 9, pay: payable}]",
        "[]",
        "n/a",
        "null",
    ],
)
def test_bands_that_hold(tmp_path: Path, bands: str) -> None:
    path = tmp_path / "x.yaml"
    text = HEAD + f"settlement: {{year_end: {{bands: {bands}}}}}\n"
    path.write_text(text, encoding="utf-8")
    load_policy(str(path))


def test_an_overlay_of_itself_and_of_nobody(state: Path) -> None:
    own = state / "policies"
    own.mkdir()
    (own / "a.yaml").write_text("extends: a\n", encoding="utf-8")
    (own / "b.yaml").write_text("extends: jinning_2023\n", encoding="utf-8")
    (own / "c.yaml").write_text("extends: [a]\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="绕成了圈"):
        load_policy("a", state=state)
    with pytest.raises(ConfigError, match="jining_2023"):
        load_policy("b", state=state)
    with pytest.raises(ConfigError, match="政策编号"):
        load_policy("c", state=state)


def test_a_mistake_of_an_overlay_is_found_in_the_merged_policy(state: Path) -> None:
    own = state / "policies"
    own.mkdir()
    text = "extends: jining_2023\npolicy: {id: ours}\nscoring: {deviation: {low: {at: 3}}}\n"
    (own / "ours.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"scoring\.deviation\.high\.at"):
        load_policy("ours", state=state)


@pytest.mark.parametrize("header", ["", "policy: {effective_from: 2025-01-01}\n"])
def test_an_overlay_has_an_id_of_its_own(
    tmp_path: Path, state: Path, header: str, cli: Callable[..., Any]
) -> None:
    """However it is named, as a file anywhere or as the site's own, and whoever reads it."""
    own = state / "policies"
    own.mkdir()
    for folder in (own, tmp_path):
        path = folder / "ours.yaml"
        path.write_text(f"extends: sample_2025\n{header}", encoding="utf-8")
    for name, where in (("ours", state), (str(own / "ours.yaml"), None), (str(path), None)):
        with pytest.raises(ConfigError, match=r"policy: \{id: ours\}"):
            load_policy(name, state=where)
        with pytest.raises(ConfigError, match=r"policy: \{id: ours\}"):
            with_settings(name, (), where)
    lines = tmp_path / "lines.jsonl"
    lines.write_text("{}\n", encoding="utf-8")
    for command in ("score", "settle"):
        said = cli(command, lines, "--policy", tmp_path / "ours.yaml")
        assert (said.code, "policy: {id: ours}" in said.err) == (2, True)
