"""`dipgate policy check|list|show`."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.catalogues import activate_sample
from dipgate.config.policies import listed_policies
from dipgate.core.clock import CHINA

Cli = Callable[..., Any]
HEAD = (
    'schema: dip-policy/1\npolicy: {id: %s, region: {code: "990300"}, date_basis: settlement%s}\n'
)


def own(state: Path, name: str, dates: str = "", more: str = "") -> Path:
    folder = state / "policies"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(HEAD % (name, dates) + more, encoding="utf-8")
    return path


@pytest.fixture
def checked(cli: Cli, state: Path) -> Callable[..., dict[str, Any]]:
    def go(name: object, code: int = 0) -> dict[str, Any]:
        said = cli("--state", state, "policy", "check", name, "--json")
        assert said.code == code, said.err
        found: dict[str, Any] = json.loads(said.out)
        return found

    return go


def texts(found: dict[str, Any], level: str) -> list[str]:
    return [f"{note['path']} {note['text']}" for note in found["notes"] if note["level"] == level]


def test_check_groups_what_is_missing(checked: Callable[..., Any]) -> None:
    found = checked("jining_2023")
    missing = {need["path"]: need["section"] for need in found["missing"]}
    assert missing["catalogue.library"] == "grouping"
    assert missing["scoring.institution.table"] == "score"
    assert missing["settlement.monthly.ratio"] == "money"
    assert all(need["meaning"] for need in found["missing"])


def test_check_shows_both_sides_of_every_edge(checked: Callable[..., Any]) -> None:
    edges = {edge["path"]: edge for edge in checked("jining_2023")["edges"]}
    high, extreme = edges["scoring.deviation.high"], edges["scoring.deviation.extreme"]
    assert (high["inside"], high["past"], high["jumps"]) == ("0.900000", "0.900001", False)
    assert (extreme["inside"], extreme["past"], extreme["jumps"]) == ("3.900000", "0.900000", True)


@pytest.mark.parametrize(
    ("op", "inside", "past", "side"),
    [("<=", "0.500000", "0.900000", "above"), ("<", "0.900000", "0.499999", "below")],
)
def test_an_edge_belongs_where_its_operator_says(
    checked: Callable[..., Any], state: Path, op: str, inside: str, past: str, side: str
) -> None:
    low = f"low: {{op: '{op}', at: 0.5, form: ratio, k: none}}"
    own(state, "mine", more=f"scoring: {{normal: {{form: rw_k_a}}, deviation: {{{low}}}}}\n")
    (edge,) = checked("mine")["edges"]
    assert (edge["inside"], edge["past"], edge["past_side"]) == (inside, past, side)


def test_check_runs_the_cases_with_the_library(
    checked: Callable[..., Any], cli: Cli, state: Path
) -> None:
    before = checked("sample_2025")
    assert before["cases_not_run"] > 12
    assert any("用不了目录 sample@sample-1" in text for text in texts(before, "warning"))
    activate_sample(state, datetime(2025, 6, 16, tzinfo=CHINA))
    after = checked("sample_2025")
    assert after["cases_not_run"] == 0
    assert [case for case in after["cases"] if case["differences"]] == []
    said = cli("--state", state, "policy", "check", "sample_2025")
    assert "0 个不符" in said.out
    assert "没有发现错误" in said.out


def test_check_tells_a_wrong_case(checked: Callable[..., Any], state: Path) -> None:
    own(state, "mine", more="settlement: {monthly: {form: points * rate, ratio: 1}}\n")
    folder = state / "policies" / "cases"
    folder.mkdir()
    text = (
        "money:\n  - name: 一\n    settle: {pool: 职工, month: 2025-01}\n"
        '    expect: {payable: "1.00", not_configured: [x], steps: [form]}\n    source: 无\n'
    )
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    found = checked("mine", code=1)
    (case,) = found["cases"]
    assert [text.partition("：")[0] for text in case["differences"]] == [
        "payable",
        "not_configured",
        "steps",
    ]
    assert found["usable"] is False


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ("grouping: {select: [nearest], dx_keys: [sub4], layers: [core]}\n", "grouping.select"),
        ("scoring: {average_fee: mean}\n", "scoring.average_fee"),
        ("scoring: {deviation: {low: {form: ratoi}}}\n", "scoring.deviation.low.form"),
        ("scoring: {normal: {form: (initial + x) * 2}}\n", "scoring.normal.form"),
        ("settlement: {fund_share: half}\n", "settlement.fund_share"),
        ("settlement: {fund_share_from: hospital}\n", "settlement.fund_share_from"),
        ("settlement: {price_keys: [week]}\n", "settlement.price_keys"),
        ("settlement: {point_value: {basis: gross}}\n", "settlement.point_value.basis"),
        ("settlement: {point_value: {kind: floting}}\n", "settlement.point_value.kind"),
        ("settlement: {monthly: {form: pionts * 2}}\n", "settlement.monthly.form"),
        (
            "settlement: {year_end: {assess: {applies_to: all}}}\n",
            "settlement.year_end.assess.applies_to",
        ),
        ("settlement: {year_end: {bands: [{pay: biled}]}}\n", "settlement.year_end.bands[0].pay"),
        ("auxiliary: {mode: table}\n", "auxiliary.mode"),
        ("scoring: {rounding: {mode: 四舍五入}}\n", "scoring.rounding.mode"),
        ("scoring: {deviation: {low: {op: =<}}}\n", "scoring.deviation.low.op"),
        ("scoring: {deviation: {high: {k: before}}}\n", "scoring.deviation.high.k"),
        ("scoring: {deviation: {high: {base: a}}}\n", "scoring.deviation.high.base"),
        ("scoring: {time_weight_mode: mean}\n", "scoring.time_weight_mode"),
        ("scoring: {zero_score_group: drop}\n", "scoring.zero_score_group"),
    ],
)
def test_check_refuses_words_that_nobody_knows(
    checked: Callable[..., Any], state: Path, more: str, path: str
) -> None:
    own(state, "mine", more=more)
    found = checked("mine", code=1)
    assert [note["path"] for note in found["notes"] if note["level"] == "error"] == [path]


def test_check_lists_the_right_words(checked: Callable[..., Any], state: Path) -> None:
    more = "scoring: {rounding: {mode: 四舍五入}, deviation: {high: {op: =>}}}\n"
    own(state, "mine", more=more + "settlement: {fund_share: half}\n")
    told = " ".join(texts(checked("mine", code=1), "error"))
    for word in ("half_up", "down", ">=", "multiplicative"):
        assert word in told


@pytest.mark.parametrize(
    ("more", "level", "path", "word"),
    [
        (
            "settlement: {monthly: {form: points * ratio, ratio: n/a}}\n",
            "error",
            "settlement.monthly.ratio",
            "n/a",
        ),
        (
            "settlement: {year_end: {bands: [{lo: 0, hi: 1, pay: billed}]}}\n",
            "warning",
            "settlement.year_end.bands[0].hi",
            "hi: null",
        ),
        (
            "settlement: {year_end: {bands: [{lo: 0.5, pay: billed}]}}\n",
            "warning",
            "settlement.year_end.bands[0].lo",
            "lo: 0",
        ),
        (
            'scoring: {institution: {by: level, table: {"3": {城职: 1, 居民: 1}}}}\n',
            "warning",
            "scoring.institution.table",
            "职工",
        ),
        (
            "settlement: {fund_ratio: {城乡: 0.6}}\n",
            "warning",
            "settlement.fund_ratio",
            "居民",
        ),
        (
            "settlement: {price_keys: [month, pool], point_value: {table: {2025: {城职: 8}}}}\n",
            "warning",
            "settlement.point_value.table",
            "城职",
        ),
    ],
)
def test_check_tells_what_does_not_fit_together(
    checked: Callable[..., Any], state: Path, more: str, level: str, path: str, word: str
) -> None:
    own(state, "mine", more=more)
    notes = checked("mine", code=1 if level == "error" else 0)["notes"]
    (found,) = [note for note in notes if note["path"] == path]
    assert found["level"] == level
    assert word in found["text"]


def test_check_asks_for_the_code_maps(checked: Callable[..., Any], state: Path) -> None:
    def grouping(more: str) -> set[str]:
        own(state, "mine", more=more)
        return {need["path"] for need in checked("mine")["missing"]}

    maps = {"grouping.maps.dx", "grouping.maps.op"}
    down = "catalogue: {map_case_down: true}\n"
    assert maps | {"grouping.unmapped_codes"} <= grouping(down)
    assert not maps & grouping("catalogue: {map_case_down: false}\n")
    found = grouping(down + "grouping: {maps: {dx: icd10-map}, unmapped_codes: use}\n")
    assert "grouping.maps.op" in found
    assert not {"grouping.maps.dx", "grouping.unmapped_codes"} & found


def test_check_tells_overlaps_and_gaps(checked: Callable[..., Any], state: Path) -> None:
    own(state, "one", ", effective_from: 2024-01-01, effective_to: 2024-11-30")
    own(state, "two", ", effective_from: 2025-01-01, effective_to: 2025-12-31")
    own(state, "three", ", effective_from: 2025-06-01")
    found = checked("two", code=1)
    assert any("空档" in text and "2024-11-30" in text for text in texts(found, "error"))
    assert any("有效期重叠" in text and "three" in text for text in texts(found, "error"))


@pytest.mark.parametrize("dates", ["", ", effective_from: 2025-07-01, effective_to: 2026-12-31"])
def test_an_overlay_is_checked_alike_wherever_it_lies(
    checked: Callable[..., Any], state: Path, tmp_path: Path, dates: str
) -> None:
    text = f"extends: sample_2025\npolicy: {{id: mine{dates}}}\n"
    outside = tmp_path / "mine.yaml"
    outside.write_text(text, encoding="utf-8")
    apart = checked(outside)
    (state / "policies").mkdir(exist_ok=True)
    (state / "policies" / "mine.yaml").write_text(text, encoding="utf-8")
    assert checked("mine") == apart
    assert not texts(apart, "error")


def test_a_period_that_overlaps_is_the_files_own(
    checked: Callable[..., Any], state: Path, tmp_path: Path
) -> None:
    for place in (tmp_path, state / "policies"):
        place.mkdir(exist_ok=True)
        name = "one" if place == tmp_path else "two"
        text = f"extends: sample_2025\npolicy: {{id: {name}}}\n"
        (place / f"{name}.yaml").write_text(text, encoding="utf-8")
    found = checked(tmp_path / "one.yaml", code=1)
    (note,) = [note for note in found["notes"] if note["level"] == "error"]
    assert "有两份同日生效的政策：one 和 two" in note["text"]
    assert note["place"] == "one.yaml 第2行"


def test_check_says_that_an_undated_policy_is_used_by_name_only(
    checked: Callable[..., Any], state: Path
) -> None:
    own(state, "mine")
    assert any("指名使用" in text for text in texts(checked("mine"), "warning"))


def test_check_sees_holes_of_dated_numbers(checked: Callable[..., Any], state: Path) -> None:
    own(
        state,
        "mine",
        ", effective_from: 2025-01-01",
        "settlement:\n  price_keys: [pool, month]\n"
        '  fund_ratio: {职工: {values: {"2025-03-01": 0.7}}}\n'
        '  point_value: {table: {职工: {"2025-01": 8, "2025-03": 8}, 居民: {"2025": 7}}}\n',
    )
    found = texts(checked("mine"), "warning")
    assert any("fund_ratio.职工 从 2025-01-01 到 2025-03-01 前没有值" in text for text in found)
    holes = [text for text in found if "之间的月份没有点值" in text]
    assert holes == ["settlement.point_value.table.职工 2025-01 和 2025-03 之间的月份没有点值"]


def test_check_tells_numbers_without_evidence(checked: Callable[..., Any], state: Path) -> None:
    own(
        state,
        "mine",
        "",
        "evidence: {E1: {grade: A, title: 文件}}\n"
        "scoring: {deviation: {low: {at: 0.5}}, add_ons: [{name: a, factor: 1.1, src: [E1]}]}\n"
        "settlement: {monthly: {ratio: 0.9}, src: [E1]}\n",
    )
    found = [text for text in texts(checked("mine"), "warning") if "依据" in text]
    assert found == ["scoring.src 有数字没有写依据：scoring.deviation.low.at"]


def test_check_refuses_a_broken_file(cli: Cli, state: Path) -> None:
    path = own(state, "mine", more="settlement: {fund_ratio: {职工: 76}}\n")
    said = cli("policy", "check", path)
    assert said.code == 1
    assert "settlement.fund_ratio.职工" in said.out
    assert "不能使用" in said.out
    as_json = json.loads(cli("policy", "check", path, "--json").out)
    assert (as_json["usable"], as_json["notes"][0]["level"]) == (False, "error")


def test_check_of_no_policy_is_wrong_use(cli: Cli, state: Path) -> None:
    own(state, "mine")
    said = cli("--state", state, "policy", "check", "mien")
    assert said.code == 2
    assert "'mine'" in said.err


def test_a_file_that_ends_in_yml_is_told(cli: Cli, state: Path) -> None:
    own(state, "mine").rename(state / "policies" / "mine.yml")
    told = "找到 mine.yml，政策文件要以 .yaml 结尾"
    said = cli("--state", state, "policy", "check", "mine")
    assert (said.code, told in said.err) == (2, True)
    listed = cli("--state", state, "policy", "list")
    assert listed.code == 0
    assert told in listed.out


@pytest.mark.parametrize("place", ["", "./"])
def test_a_file_that_is_no_policy_is_told(
    cli: Cli, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cases.csv").write_text("a,b\n", encoding="utf-8")
    said = cli("--state", state, "policy", "check", f"{place}cases.csv")
    assert said.code == 2
    assert "cases.csv 是一个文件，但不是政策文件" in said.err


def test_one_broken_file_hides_no_other(cli: Cli, checked: Callable[..., Any], state: Path) -> None:
    own(state, "bad", more="settlement: {ratoi: 1}\n")
    own(state, "good", ", effective_from: 2025-01-01")
    said = cli("--state", state, "policy", "list")
    assert said.code == 0
    assert "good（本院）" in said.out
    assert "[错误] bad.yaml（本院）读不出来" in said.out
    assert "settlement.ratoi" in said.out
    rows = cli("--state", state, "policy", "list", "--json").out.splitlines()
    assert "ratoi" in [json.loads(row) for row in rows][-1]["error"]
    assert any("bad.yaml" in text for text in texts(checked("good"), "warning"))


def test_the_file_is_named_as_its_id(cli: Cli, state: Path) -> None:
    own(state, "ours").rename(state / "policies" / "mine.yaml")
    said = cli("--state", state, "policy", "check", "mine")
    assert "policy.id 是 'ours'" in said.out
    assert "ours.yaml" in said.out
    assert "mine" in cli("--state", state, "policy", "check", "ours").err


def test_check_tells_a_gap_behind_an_overlay(checked: Callable[..., Any], state: Path) -> None:
    own(state, "ours", ", effective_from: 2025-01-01, effective_to: 2025-12-31")
    text = "extends: ours\npolicy: {id: ours27, effective_from: 2026-02-01, effective_to: null}\n"
    (state / "policies" / "ours27.yaml").write_text(text, encoding="utf-8")
    for name in ("ours", "ours27"):
        (told,) = [text for text in texts(checked(name, code=1), "error") if "空档" in text]
        assert "2025-12-31" in told
        assert "没有政策" in told


def test_list_names_every_policy_with_what_it_lacks(cli: Cli, state: Path) -> None:
    own(state, "mine", more="catalogue: {library: lib@1}\n")
    rows = [
        json.loads(line)
        for line in cli("--state", state, "policy", "list", "--json").out.splitlines()
    ]
    by_id = {row["id"]: row for row in rows}
    assert len(rows) == 18
    assert by_id["mine"] | {"policy": "", "missing": {}} == {
        "area": "990300",
        "area_name": "",
        "id": "mine",
        "effective_from": "",
        "effective_to": "",
        "completeness": "",
        "library": "lib@1",
        "own": True,
        "extends": [],
        "missing": {},
        "policy": "",
    }
    assert by_id["sample_2025"]["missing"]["score"] == 0
    assert by_id["yunfu_2022"]["missing"]["grouping"] > 5
    assert "990300" in cli("--state", state, "policy", "list").out


def test_show_says_from_which_file_a_value_comes(cli: Cli, state: Path) -> None:
    folder = state / "policies"
    folder.mkdir()
    text = "extends: jining_2023\npolicy: {id: ours}\nscoring:\n  rounding: {score_dp: 4}\n"
    (folder / "ours.yaml").write_text(text, encoding="utf-8")
    said = cli("--state", state, "policy", "show", "ours", "scoring", "--json")
    rows = {row["path"]: row for row in map(json.loads, said.out.splitlines())}
    ours = rows["scoring.rounding.score_dp"]
    assert (ours["value"], ours["file"], ours["line"]) == ("4", "ours.yaml", 4)
    base = rows["scoring.deviation.low.at"]
    assert (base["value"], base["file"], base["evidence"]) == ("0.5", "jining_2023.yaml", ["E1"])
    assert rows["scoring.rounding.money_dp"]["value"] is None
    words = cli("--state", state, "policy", "show", "ours", "scoring.rounding").out
    assert "scoring.rounding.money_dp = （未知）" in words
    assert "[E1] B" in words


def test_show_names_the_nearest_path(cli: Cli) -> None:
    said = cli("policy", "show", "jining_2023", "scoring.roundin")
    assert said.code == 2
    assert "scoring.rounding" in said.err


def test_a_formula_that_cannot_be_read_is_told_with_its_line(cli: Cli, state: Path) -> None:
    own(state, "mine", more="settlement:\n  monthly:\n    form: points * (rate\n")
    said = cli("--state", state, "policy", "check", "mine")
    (told,) = [line for line in said.out.splitlines() if "settlement.monthly.form：" in line]
    assert "mine.yaml 第5行" in told
    assert "成对的括号" in told


OVERLAY = """extends: jining_2023
policy: {id: ours}
evidence: {L1: {grade: A, title: 文件}}
scoring:
  rounding: {score_dp: 3}
  institution: {table: {table_file: k.csv}, src: [L1]}
"""


def test_an_overlay_stands_on_its_own_evidence(
    cli: Cli, checked: Callable[..., Any], state: Path
) -> None:
    folder = state / "policies"
    folder.mkdir()
    (folder / "ours.yaml").write_text(OVERLAY, encoding="utf-8")
    (folder / "k.csv").write_text("institution,value\nH1,1.02\nH2,0.98\n", encoding="utf-8")
    said = cli("--state", state, "policy", "show", "ours", "scoring", "--json")
    rows = {row["path"]: row for row in map(json.loads, said.out.splitlines())}
    assert rows["scoring.rounding.score_dp"]["evidence"] == []
    assert rows["scoring.deviation.low.at"]["evidence"] == ["E1"]
    k = rows["scoring.institution.table.H2"]
    assert (k["file"], k["line"], k["evidence"]) == ("k.csv", 3, ["L1"])
    (told,) = [text for text in texts(checked("ours"), "warning") if "叠加文件" in text]
    assert "scoring.rounding.score_dp（ours.yaml:5）" in told
    assert "institution" not in told


def test_a_mistake_of_a_worked_case_names_its_file(cli: Cli, state: Path) -> None:
    own(state, "mine")
    folder = state / "policies" / "cases"
    folder.mkdir()
    (folder / "mine.yaml").write_text("money:\n  - nmae: x\n", encoding="utf-8")
    said = cli("--state", state, "policy", "check", "mine")
    assert said.code == 1
    assert "cases/mine.yaml" in said.out


def test_the_list_says_in_words_how_much_a_policy_holds(cli: Cli, state: Path) -> None:
    told = cli("--state", state, "policy", "list").out
    assert "只有适用范围" in told
    for name in ("scope-only", "fragment", "grouping+scoring"):
        assert name not in told


def test_a_broken_policy_file_is_listed_with_its_reason(state: Path) -> None:
    own(state, "bad", more="settlement: {ratoi: 1}\n")
    (broken,) = listed_policies(state)[1]
    assert broken.file == "bad.yaml"
    assert "settlement.ratoi" in broken.text


def test_what_is_only_recorded_is_told_so(checked: Callable[..., Any], cli: Cli) -> None:
    kept = {item["path"]: item["meaning"] for item in checked("pingdingshan_2025")["recorded"]}
    assert {"grouping.floor_rows", "grouping.discuss_flag", "catalogue.quirk"} <= set(kept)
    assert all(kept.values())
    assert "settlement.observed_2024" in cli("policy", "check", "lhasa_2024").out
    said = cli("policy", "show", "taian_2023", "settlement", "--json").out.splitlines()
    marked = {row["path"]: row["recorded"] for row in map(json.loads, said)}
    assert marked["settlement.report_split"] is True
    assert marked["settlement.point_value.kind"] is False
    shown = cli("policy", "show", "pingdingshan_2025", "grouping").out.splitlines()
    ends = {line.partition(" = ")[0] for line in shown if line.endswith("只作记录，不参与计算")}
    assert ends == {"grouping.floor_rows", "grouping.discuss_flag"}
