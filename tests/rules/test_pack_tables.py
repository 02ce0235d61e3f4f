"""The shipped packs as tables: form, names, and faith to the catalogue of rules."""

from __future__ import annotations

import csv
import pickle
import re
from functools import cache
from pathlib import Path

import pytest

from dipgate.config.resources import resource_text
from dipgate.config.rules import (
    REQUIRED_COLUMNS,
    code_lists,
    load_pack,
    pack_ids,
    read_rows,
    rule_world,
)
from dipgate.core.errors import ConfigError
from dipgate.validators import FAMILIES, Pack, RuleInfo, compile_pack, function_rules
from dipgate.validators.spans import compile_spans

GOOD = {
    "id": "X001",
    "pack": "base",
    "for_each": "case",
    "when": "",
    "must": "given(gend)",
    "needs": "",
    "severity": "error",
    "fields": "gend brdy",
    "clause": "条款",
    "message": "说明",
    "remedy": "处理",
    "since": "2021-01-01",
}


@cache
def compiled(name: str) -> Pack:
    return compile_pack(load_pack(name), function_rules(name), rule_world(), name)


def rules() -> list[RuleInfo]:
    return [info for name in pack_ids() for info in compiled(name).rules]


def table(**changes: str) -> str:
    cells = {**GOOD, **changes}
    return ",".join(cells) + "\n" + ",".join(f'"{value}"' for value in cells.values()) + "\n"


def test_a_row_as_read() -> None:
    (row,) = read_rows("\ufeff" + table(suppressed_by="A B", fix="safe set gend = gend"), file="t")
    assert row.fields == ("gend", "brdy")
    assert row.suppressed_by == ("A", "B")
    assert (row.file, row.line, row.fix) == ("t", 2, "safe set gend = gend")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("id,pack\n", "缺少列 for_each"),
        (table(suppresed_by="A"), "不认识的列 suppresed_by，是不是想写"),
        (table().replace("since", "since,id"), "重复的列"),
        (table() + "X002,base\n", "第3行：列数和表头不一致"),
        (table(severity="fatal"), "severity 应为"),
        (table(since="2021年"), "since 应为"),
        (table(id=""), "id 列不能为空"),
        (table(confidence="certain"), "confidence 应为 high"),
        (table() + '"X002', "不是合法的 CSV"),
        ("", "缺少列"),
        ("x" * 4_000_001, "太大"),
    ],
)
def test_a_broken_table_names_file_and_line(text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_rows(text, file="t.csv")
    assert "t.csv" in str(caught.value)
    assert what in str(caught.value)


def test_an_unknown_pack_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"dip-2\.0"):
        load_pack("dip-2")


def test_the_packs_are_there_and_every_rule_says_all_it_should() -> None:
    assert {"base", "dip-2.0", "dip-3.0"} <= set(pack_ids())
    assert len({info.id for info in rules()}) >= 170
    for info in rules():
        assert info.id[0] in FAMILIES
        assert info.title
        assert not info.title.endswith("。")
        assert info.clause
        assert info.remedy
        assert info.confidence
        assert "{" not in info.title
    known = {info.id for info in rules()}
    assert {by for info in rules() for by in info.suppressed_by} <= known


def test_a_shipped_pack_travels_to_another_process() -> None:
    again = pickle.loads(pickle.dumps(compiled("base")))  # noqa: S301 - our own bytes
    assert again.version == compiled("base").version
    assert again.rules == compiled("base").rules


def test_columns_are_those_that_others_write() -> None:
    assert REQUIRED_COLUMNS == (
        "id", "pack", "for_each", "when", "must", "needs", "severity", "fields", "clause",
        "message", "remedy", "since",
    )  # fmt: skip


def test_the_longer_length_of_the_two_transactions_holds() -> None:
    world = rule_world()
    assert world.fields["setlinfo"]["medcasno"].length == 40
    assert world.fields["diseinfo"]["diag_name"].length == 500
    assert world.fields["setlinfo"]["act_ipt_days"].kind == "number"
    assert world.fields["setlinfo"]["adm_time"].kind == "time"
    assert world.fields["charges"]["amount"].kind == "number"
    assert "gend" in world.codesets


def test_sex_lists_leave_out_what_both_sexes_have() -> None:
    lists = code_lists()
    both = ["C50.901", "D24.x00", "K40.900", "N63.x00", "N73.600", "N39.000", "M80.200", "M81.900"]
    for name in ("SEX_F", "SEX_M"):
        matches = compile_spans(lists[name].spans)
        assert [code for code in both if matches(code)] == []
    for listed in lists.values():
        assert listed.source
        assert listed.codes or compile_spans(listed.spans)


def test_no_rule_page_or_table_is_too_large_to_ship() -> None:
    from dipgate.config.resources import resource

    for item in resource("rules", "tables").iterdir():
        assert len(item.read_bytes()) < 100_000, item.name


def not_in_pack() -> dict[str, str]:
    """Rule of the catalogue that no pack says → which part of it."""
    text = resource_text("rules", "not-in-pack.csv")
    rows = list(csv.DictReader(text.splitlines()))
    assert all(row["id"] and row["part"] and row["reason"] for row in rows)
    assert [row["id"] for row in rows] == sorted({row["id"] for row in rows})
    return {row["id"]: row["part"] for row in rows}


def test_what_no_pack_says_is_not_said_and_parts_belong_to_rules() -> None:
    ours = {info.id for info in rules()}
    unsaid = not_in_pack()
    assert [rule for rule, part in unsaid.items() if (part == "全部") == (rule in ours)] == []


@pytest.mark.shared_data
def test_whole_groups_of_the_catalogue_are_said_or_have_a_reason(shared: Path) -> None:
    file = shared / "standards" / "validation-rules.csv"
    with file.open(encoding="utf-8-sig", newline="") as lines:
        groups = {row["rule_id"]: row["group"] for row in csv.DictReader(lines)}
    whole = ("基本信息", "住院过程", "费用", "诊断编码有效性")
    wanted = {rule for rule, group in groups.items() if group in whole}
    assert len(wanted) == 174
    assert wanted - {info.id for info in rules()} - set(not_in_pack()) == set()
    assert set(not_in_pack()) <= wanted


@pytest.mark.shared_data
def test_ids_severities_and_confidence_are_those_of_the_catalogue_of_rules(shared: Path) -> None:
    file = shared / "standards" / "validation-rules.csv"
    with file.open(encoding="utf-8-sig", newline="") as lines:
        official = {
            row["rule_id"]: (row["severity"], row["confidence"]) for row in csv.DictReader(lines)
        }
    ours = {info.id: (info.severity.word, info.confidence) for info in rules()}
    assert {rule: official.get(rule) for rule in ours} == ours


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("file", "column", "rule", "node", "field"),
    [
        ("icd10_nhsa_v2.csv", 0, "D003", "diseinfo", "diag_code"),
        ("icd9cm3_nhsa_v2.csv", 0, "P003", "oprninfo", "oprn_oprt_code"),
    ],
)
def test_every_national_code_has_the_right_form(
    shared: Path, file: str, column: int, rule: str, node: str, field: str
) -> None:
    from datetime import date

    from dipgate.core.lists import list_of
    from dipgate.core.reference import Reference
    from dipgate.validators import check

    with (shared / "data" / "icd" / file).open(encoding="utf-8", newline="") as lines:
        codes = [row[column] for row in list(csv.reader(lines))[1:]]
    assert len(codes) > 10_000
    only = [row for row in load_pack("base") if row.id == rule]
    pack = compile_pack(only, (), rule_world())
    lst = list_of({"setlinfo": {}, node: [{field: code, "diag_type": "1"} for code in codes]})
    found = check(lst, Reference(date(2025, 3, 8)), [pack], today=date(2025, 4, 1))
    assert [finding.value for finding in found] == []


def test_every_word_of_the_language_is_documented(checkout: Path) -> None:
    from dipgate.validators import language
    from dipgate.validators.translate import Translator

    text = (checkout / "config" / "rules" / "README.md").read_text(encoding="utf-8")
    assert [word for word in language.FORMS if not hasattr(Translator, f"_form_{word}")] == []
    words = [*language.HELPERS, *language.FORMS, *language.COMPUTED, *language.ROW_COMPUTED]
    words += [word for members in language.MACROS.values() for word in members]
    assert [word for word in words if f"`{word}`" not in text] == []


def test_the_counts_of_the_guide_are_right(checkout: Path) -> None:
    text = (checkout / "docs" / "rules.md").read_text(encoding="utf-8")
    ids = {info.id for info in rules()}
    for letter in {rule[0] for rule in ids}:
        count = sum(rule[0] == letter for rule in ids)
        assert re.search(rf"^\| `{letter}` \| .* \| {count} \|$", text, re.MULTILINE), (
            letter,
            count,
        )
    for name in pack_ids():
        count = len(compiled(name).rules)
        assert re.search(rf"^\| `{re.escape(name)}` \| {count} \| ", text, re.MULTILINE), (
            name,
            count,
        )
    looking = {info.id for info in rules() if info.looks_at_today}
    assert looking == set(
        re.findall(r"\b[BU]\d{3}\b", text.partition("(`today`:")[2].partition(")")[0])
    )
