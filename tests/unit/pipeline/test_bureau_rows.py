"""The bureau's statement: names, headings, encodings; what is set aside and why."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from dipgate.core.errors import RecordError
from dipgate.core.grouping import Zone
from dipgate.core.money import Fen
from dipgate.pipeline.bureau_rows import bureau_result, bureau_results
from dipgate.pregrouper.differences import BureauResult

HEAD = "结算ID,分组状态,病种编码,病种分值,结算分值,辅助分型,费用区间,点值,应付金额,作废标志,备注"


def read(tmp_path: Path, text: str, encoding: str = "utf-8", name: str = "t.csv") -> list[object]:
    file = tmp_path / name
    file.write_bytes(text.encode(encoding))
    return list(bureau_results(file))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_plain_chinese_headings(tmp_path: Path, encoding: str) -> None:
    row = "S1,入组成功,K35.8,1291.91,1343.5864,重度,高倍率,8.12,8291.35,否,按 2025 年口径"
    assert read(tmp_path, f"{HEAD}\n{row}\n", encoding) == [
        BureauResult(
            "S1",
            True,
            True,
            "K35.8",
            "",
            Decimal("1291.91"),
            Decimal("1343.5864"),
            auxiliary="重度",
            zone=Zone.HIGH,
            point_value=Decimal("8.12"),
            payable=Fen(829135),
            annulled=False,
            remarks="按 2025 年口径",
        )
    ]


def test_fields_of_3606_in_json_lines(tmp_path: Path) -> None:
    row = {
        "setl_id": "S1",
        "nuld_flag": "0",
        "grp_stas": "1",
        "dip_dise_grp_code": "K35.8",
        "grp_diag_code": "k35.800",
        "grp_dise_sco": 1291.91,
        "act_setl_sco": "1343.5864",
        "asst_list_flag": "0",
    }
    (found,) = read(tmp_path, json.dumps(row) + "\n", name="t.jsonl")
    assert isinstance(found, BureauResult)
    assert found.base_score == Decimal("1291.91")
    assert found.auxiliary == ""
    assert found.dx_code == "K35.800"
    assert found.zone is None
    assert found.payable is None


def test_without_a_state_column_a_code_means_grouped(tmp_path: Path) -> None:
    found = read(tmp_path, "结算ID,病种编码\nS1,K35.8\nS2,\n")
    assert [item.grouped for item in found if isinstance(item, BureauResult)] == [True, False]


@pytest.mark.parametrize(
    ("row", "field", "what"),
    [
        (",1,K1,1,1,,,,,,", "setl_id", "没有结算流水号"),
        ("S2,1,K1,1千,1,,,,,,", "grp_dise_sco", "1千"),
        ("S2,1,K1,1,1,,,,1.234,,", "payable", "2位"),
        ("S2,也许,K1,1,1,,,,,,", "grp_stas", "也许"),
        ("S2,1,K1,1,1,,怪,,,,", "zone", "怪"),
    ],
)
def test_a_row_that_cannot_be_read_is_set_aside_with_its_place(
    tmp_path: Path, row: str, field: str, what: str
) -> None:
    good = "S1,1,K1,1,1,,,,,,"
    error, kept = read(tmp_path, f"{HEAD}\n{row}\n{good}\n")
    assert isinstance(error, RecordError)
    assert (error.place.file, error.place.row, error.place.field) == ("t.csv", 2, field)
    assert what in error.what
    assert error.remedy
    assert isinstance(kept, BureauResult)


def test_a_second_row_of_one_settlement_is_set_aside(tmp_path: Path) -> None:
    first, second = read(tmp_path, "结算ID,病种编码\nS1,K1\nS1,K2\n")
    assert isinstance(first, BureauResult)
    assert isinstance(second, RecordError)
    assert "第2行" in second.what


def test_a_line_that_is_no_object_is_set_aside(tmp_path: Path) -> None:
    kept, error = read(tmp_path, '{"setl_id": "S1"}\n{"setl_id": \n', name="t.jsonl")
    assert isinstance(kept, BureauResult)
    assert isinstance(error, RecordError)
    assert error.place.row == 2


def test_a_table_without_the_settlement_names_the_headings_it_may_have(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="结算ID"):
        read(tmp_path, "病种编码,病种分值\nK1,1\n")


def test_a_row_of_the_platform_is_never_refused() -> None:
    found = bureau_result({"setl_id": "S1", "grp_stas": "1", "grp_dise_sco": "?"})
    assert found.base_score is None


@pytest.mark.parametrize(
    ("flag", "words", "label"),
    [
        ("0", "", ""),
        ("0", "重度", ""),
        ("1", "重度", "重度"),
        ("", "无", ""),
        ("1", "", None),
        ("", "", None),
        ("9", "", None),
    ],
)
def test_a_label_is_read_from_flag_and_words(flag: str, words: str, label: str | None) -> None:
    """A flag without words says that there is one, not which."""
    row = {"setl_id": "S1", "asst_list_flag": flag, "asst_list_detl": words}
    assert bureau_result(row).auxiliary == label


@pytest.mark.parametrize(
    ("text", "name", "grouped"),
    [
        ("结算ID,应付金额\nS1,9578.24\n", "t.csv", None),
        ("结算ID,结算分值\nS1,1552.0868\n", "t.csv", None),
        ("结算ID\nS1\n", "t.csv", None),
        ("结算ID,分组状态,结算分值\nS1,,1552.0868\n", "t.csv", None),
        ("结算ID,分组状态\nS1,0\n", "t.csv", False),
        ("结算ID,病种编码\nS1,\n", "t.csv", False),
        ('{"setl_id": "S1", "act_setl_sco": 1}', "t.jsonl", None),
        ('{"setl_id": "S1", "dip_dise_grp_code": null}', "t.jsonl", False),
        ('{"setl_id": "S1", "grp_stas": "1"}', "t.jsonl", True),
    ],
)
def test_only_a_group_field_that_is_there_says_not_grouped(
    tmp_path: Path, text: str, name: str, grouped: bool | None
) -> None:
    (found,) = read(tmp_path, text, name=name)
    assert isinstance(found, BureauResult)
    assert found.grouped is grouped
