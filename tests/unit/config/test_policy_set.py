"""`--set`: every path that NOT_CONFIGURED may name can be set, and nothing else."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from dipgate.config.policies import load_policy
from dipgate.config.policy_set import with_settings
from dipgate.core.errors import ConfigError
from dipgate.core.params import Param


def test_no_setting_is_the_policy_itself() -> None:
    assert with_settings("sample_2025", ()).label == load_policy("sample_2025").label


def test_numbers_words_lists_and_nulls() -> None:
    found = with_settings(
        "sample_2025",
        [
            "scoring.deviation.low.at=0.4",
            "scoring.average_fee=group_avg",
            "grouping.basic_groups=[K81.0, I10.x]",
            "scoring.rounding.score_dp=null",
            "scoring.special_review.fee_over_standard=n/a",
        ],
    )
    low = found.scoring.deviation.low
    assert low.at == Param(fixed=Decimal("0.4"))
    assert low.form == "ratio"  # what stands beside is kept
    assert found.scoring.average_fee == "group_avg"
    assert found.grouping.basic_groups == ("K81.0", "I10.x")
    assert found.scoring.rounding.score_dp is None
    assert found.scoring.special_review.fee_over_standard == Param(absent=True)
    assert found.label != load_policy("sample_2025").label


def test_table_keys_keep_the_dots_of_group_codes() -> None:
    found = with_settings(
        "sample_2025",
        [
            "scoring.average_fee_table.3.K81.0:47.0100=6000",
            "scoring.institution.group_factors.R42=0.7",
            'scoring.institution.table."H1.2".K81=1.2',
            "settlement.point_value.table.职工.2025-03=8.5",
        ],
    )
    fees = found.scoring.average_fee_table
    assert fees.find(("3", "K81.0:47.0100")) == Param(fixed=Decimal(6000))
    assert found.scoring.institution.group_factors.find(("R42",)) == Param(fixed=Decimal("0.7"))
    assert found.scoring.institution.table.find(("H1.2", "K81")) == Param(fixed=Decimal("1.2"))
    values = found.settlement.point_value.table
    assert values.find(("职工", "2025-03")) == Param(fixed=Decimal("8.5"))
    assert values.find(("职工", "2024")) == Param(fixed=Decimal("8.05"))


def test_an_item_of_a_list() -> None:
    found = with_settings("taian_2023", ["scoring.add_ons[0].factor=1.2"])
    assert found.scoring.add_ons[0].factor == Param(fixed=Decimal("1.2"))
    assert found.scoring.add_ons[0].name == "tcm_technique_share"


def test_later_settings_win_and_see_earlier_ones() -> None:
    found = with_settings("sample_2025", ["auxiliary.mode=sub_rows", "auxiliary.mode=none"])
    assert found.auxiliary.mode == "none"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("scoring.deviaton.low.at=1", "'deviation'"),
        ("scorin.average_fee=group_avg", "'scoring'"),
        ("scoring.deviation.low.att=1", "'at'"),
        ("scoring.average_fee.x=1", "下面没有 'x'"),
        ("scoring.add_ons.factor=1", "用 [0]"),
        ("scoring.add_ons[3].factor=1", "没有第 4 项"),
        ("scoring.deviation.low.at=abc", "不是数字"),
        ("scoring.rounding.score_dp=99", "应不大于 12"),
        ("scoring.deviation.low.at", "路径=值"),
        ("=1", "路径=值"),
        ("", "路径=值"),
        ("scoring.average_fee=[a", "不是合法的 YAML"),
        ("policy.effective_from=soon", "yyyy-MM-dd"),
    ],
)
def test_mistakes_are_quoted_with_the_right_word(setting: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_settings("sample_2025", [setting])
    assert said in str(caught.value)
    assert "--set" in str(caught.value)


def test_an_overlay_is_merged_first(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("extends: sample_2025\npolicy: {id: own}\nscoring: {average_fee: group_avg}\n")
    found = with_settings(str(own), ["scoring.normal.form=as_normal"])
    assert (found.policy.id, found.scoring.average_fee) == ("own", "group_avg")
    assert found.scoring.normal.form == "as_normal"
