"""Policies as files: strict, dated, laid over one another."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from dipgate.config.policies import builtin_policies, load_policy, policies_for, worked_cases
from dipgate.core.errors import ConfigError

SMALL = """schema: dip-policy/1
policy: {id: small, region: {code: "990200"}, date_basis: settlement, effective_from: 2025-01-01}
scoring:
  institution: {by: level, table: {"3": 1.10}}
"""


def write(folder: Path, text: str, name: str = "small.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_numbers_arrive_as_written(tmp_path: Path) -> None:
    policy = load_policy(str(write(tmp_path, SMALL)))
    k = policy.scoring.institution.table.find(("3",))
    assert k is not None
    assert str(k.on(date(2025, 1, 1))) == "1.10"


def test_null_is_unknown_and_na_is_absent(tmp_path: Path) -> None:
    text = SMALL + "  deviation: {low: {at: null}, extreme: {at: n/a}}\n"
    zones = load_policy(str(write(tmp_path, text))).scoring.deviation
    assert zones.low.at is None
    assert zones.extreme.at is not None
    assert zones.extreme.at.absent


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("  institutoin: {by: level}\n", ["第5行", "scoring.institutoin", "institution"]),
        ("  rounding: {score_dp: four}\n", ["scoring.rounding.score_dp", "整数"]),
        ("  rounding: {money_dp: 3}\n", ["scoring.rounding.money_dp", "2"]),
        ("  deviation: {low: {at: half}}\n", ["scoring.deviation.low.at", "不是数字"]),
        ("  average_fee_factor: {'3': x}\n", ["average_fee_factor", "'3'"]),
        ("  average_fee: a\n  average_fee: b\n", ["重复"]),
        ("  src: [E9]\n", ["E9"]),
        (
            "  average_fee_factor: {'3': {values: {'2025-13-01': '1'}}}\n",
            ["2025-13-01", "日期"],
        ),
    ],
)
def test_mistakes_name_place_and_remedy(tmp_path: Path, line: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_policy(str(write(tmp_path, SMALL + line)))
    for word in ["small.yaml", *words]:
        assert word in str(caught.value)


def test_unknown_policy_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="sample_2025"):
        load_policy("sample_2052")


@pytest.mark.parametrize("name", ["no/such.yaml", "gone.yaml"])
def test_missing_file(name: str) -> None:
    with pytest.raises(ConfigError, match="没有政策文件"):
        load_policy(name)


def test_other_encodings_and_shapes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("schema: 政策".encode("gb18030"))
    with pytest.raises(ConfigError, match="UTF-8"):
        load_policy(str(path))
    with pytest.raises(ConfigError, match="一组键和值"):
        load_policy(str(write(tmp_path, "[1, 2]")))


def test_overlay_fills_in_what_is_unknown(state: Path) -> None:
    own = state / "policies"
    own.mkdir()
    write(
        own,
        "extends: pingdingshan_2025\n"
        "policy: {id: ours}\n"
        "scoring: {institution: {by: level, table: {'3': '1.05'}}}\n",
        "ours.yaml",
    )
    policy = load_policy("ours", state=state)
    assert policy.policy.id == "ours"
    assert policy.policy.region.code == "410400"
    assert policy.grouping.blank_code == "KBBZ"
    assert policy.scoring.institution.by == "level"
    assert policy.digest != load_policy("pingdingshan_2025").digest


def test_overlay_circle_is_refused(state: Path) -> None:
    own = state / "policies"
    own.mkdir()
    write(own, "extends: b\n", "a.yaml")
    write(own, "extends: a\n", "b.yaml")
    with pytest.raises(ConfigError, match="extends"):
        load_policy("a", state=state)


def test_the_sites_own_policy_comes_first(state: Path) -> None:
    own = state / "policies"
    own.mkdir()
    write(own, SMALL.replace("id: small", "id: sample_2025"), "sample_2025.yaml")
    assert load_policy("sample_2025", state=state).policy.region.code == "990200"


def test_policies_by_area_and_day(state: Path) -> None:
    assert [item.policy.id for item in policies_for("990100", date(2025, 6, 1))] == ["sample_2025"]
    assert policies_for("990100", date(2023, 12, 31)) == ()
    assert policies_for("990100", date(2027, 1, 1)) == ()
    own = state / "policies"
    own.mkdir()
    write(own, SMALL)
    write(own, SMALL.replace("id: small", "id: other"), "other.yaml")
    with pytest.raises(ConfigError, match="同日生效"):
        policies_for("990200", date(2025, 6, 1), state=state)


def test_content_hash_ignores_spelling(tmp_path: Path) -> None:
    one = load_policy(str(write(tmp_path, SMALL)))
    two = load_policy(str(write(tmp_path, "# note\n" + SMALL + "settlement: null\n", "two.yaml")))
    assert one.digest == two.digest
    changed = load_policy(str(write(tmp_path, SMALL.replace("1.10", "1.11"), "three.yaml")))
    assert changed.digest != one.digest


def test_built_in_policies_all_load() -> None:
    ids = [policy.policy.id for policy in builtin_policies()]
    assert len(ids) == 17
    assert {"sample_2025", "pingdingshan_2025", "national_2025", "jining_2023"} <= set(ids)


def test_real_values_survive() -> None:
    taian = load_policy("taian_2023")
    k = taian.scoring.institution.table.find(("example_hospital", "居民"))
    assert k is not None
    assert k.on(None) == Decimal("0.631")
    assert load_policy("yunfu_2022").grouping.dx_keys is None
    assert load_policy("jingmen_2023").grouping.op_match.prefix_if_shorter_than == 7


def test_worked_cases_lie_beside_the_policy(tmp_path: Path) -> None:
    assert len(worked_cases("sample_2025").cases) >= 12
    assert worked_cases(str(write(tmp_path, SMALL))).cases == ()


@pytest.mark.shared_data
def test_published_records_load_strictly(shared: Path) -> None:
    found = sorted((shared / "standards" / "dip-policies").glob("[a-z]*.yaml"))
    assert len(found) == 15
    built_in = {policy.policy.id: policy.digest for policy in builtin_policies()}
    for path in found:
        policy = load_policy(str(path))
        assert built_in[policy.policy.id] == policy.digest, path.name
