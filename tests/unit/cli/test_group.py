"""`dipgate group` as a person and as a script use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def case(number: str, dx: str, *ops: str, fee: str = "16000.00", **info: str) -> dict[str, Any]:
    return {
        "setlinfo": {
            "setl_id": number,
            "setl_end_date": "2025-03-15",
            "dscg_time": "2025-03-14 10:00:00",
            "hi_type": "310",
            **info,
        },
        "diseinfo": [{"diag_code": dx, "maindiag_flag": "1", "diag_type": "1"}],
        "oprninfo": [
            {"oprn_oprt_code": code, "oprn_oprt_type": "1" if place == 0 else "2"}
            for place, code in enumerate(ops)
        ],
        "iteminfo": [{"med_chrgitm": "01", "amt": fee}],
        "payinfo": [{"fund_pay_type": "310100", "fund_payamt": "12000.00"}],
    }


def write(folder: Path, *cases: object) -> Path:
    path = folder / "cases.jsonl"
    lines = [item if isinstance(item, str) else json.dumps(item) for item in cases]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def lines_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_json_lines_per_case(cli: Cli, sample_state: Path, tmp_path: Path) -> None:
    file = write(tmp_path, case("S1", "K80.101", "51.2300", "54.5101"), case("S2", "Z47.900"))
    said = cli("group", file, "--policy", "sample_2025", "--json", "--state", sample_state)
    assert said.code == 0, said.err
    first, second = lines_of(said.out)
    assert first["case"] == "S1"
    assert first["status"] == "GROUPED"
    assert first["group_code"] == "K80.1:51.2300_54.5101"
    assert first["score"] == "2163.0296"
    assert first["amount_fen"] == 1334849
    assert first["policy"].startswith("sample_2025@")
    assert first["library"] == "sample@sample-1"
    assert "trace" not in first
    assert set(first) >= {
        "layer",
        "group_name",
        "base_score",
        "score_status",
        "not_configured",
        "zone",
        "alternatives",
        "warnings",
    }
    assert second["case"] == "S2"


def test_trace_on_request(cli: Cli, sample_state: Path, tmp_path: Path) -> None:
    file = write(tmp_path, case("S1", "K80.101", "51.2300"))
    said = cli("--state", sample_state, "group", file, "--json", "--trace")
    steps = [step["step"] for step in lines_of(said.out)[0]["trace"]]
    assert steps[0] == "input"
    assert "score" in steps


def test_table_and_totals_for_people(cli: Cli, sample_state: Path, tmp_path: Path) -> None:
    file = write(tmp_path, case("S1", "K80.101", "51.2300", "54.5101"))
    said = cli("--state", sample_state, "group", file)
    assert said.code == 0, said.err
    assert "K80.1:51.2300_54.5101" in said.out
    assert "共 1 例：核心病种 1" in said.out
    assert "13348.49" in said.out


def test_broken_line_is_set_aside_and_the_rest_goes_on(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    file = write(tmp_path, "{broken", case("S1", "K80.101", "51.2300"))
    said = cli("--state", sample_state, "group", file, "--json")
    assert said.code == 2
    assert "cases.jsonl 第1行" in said.err
    assert [item["case"] for item in lines_of(said.out)] == ["S1"]


def test_other_policy_names_what_it_does_not_know(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    file = write(tmp_path, case("S1", "K80.101", "51.2300"))
    arguments = ("--state", sample_state, "group", file, "--policy", "pingdingshan_2025")
    said = cli(*arguments)
    assert said.code == 2
    assert "--library" in said.err
    said = cli(*arguments, "--library", "sample@sample-1", "--json")
    found = lines_of(said.out)[0]
    assert found["score_status"] == "NOT_CONFIGURED"
    assert "settlement.fund_share" in found["not_configured"]
    assert found["amount_fen"] is None


def test_level_option_and_level_of_the_case(cli: Cli, sample_state: Path, tmp_path: Path) -> None:
    file = write(tmp_path, case("S1", "K81.000", fee="6000.00", hi_setl_lv="1"))
    arguments = ("--state", sample_state, "group", file, "--json")
    assert lines_of(cli(*arguments, "--level", "2").out)[0]["score"] == "713.5313"
    site_level = lines_of(cli(*arguments).out)[0]["score"]
    assert site_level == "806.6006"
    (sample_state / "site.toml").unlink()
    said = cli(*arguments, "--policy", "sample_2025")
    assert lines_of(said.out)[0]["score"] == "604.9505"


def test_library_without_version_is_chosen_by_the_day(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    file = write(tmp_path, case("S1", "K80.101", "51.2300"))
    said = cli("--state", sample_state, "group", file, "--library", "sample", "--json")
    assert lines_of(said.out)[0]["library"] == "sample@sample-1"


@pytest.mark.parametrize(
    ("day", "says"), [("", "没有结算日期"), ("2025-13-40", "结算日期读不出来")]
)
def test_case_without_a_day_says_so(
    cli: Cli, sample_state: Path, tmp_path: Path, day: str, says: str
) -> None:
    lost = case("S1", "K80.101", "51.2300", setl_end_date=day, dscg_time="")
    said = cli("--state", sample_state, "group", write(tmp_path, lost), "--json")
    found = lines_of(said.out)[0]
    assert found["group_code"] == "K80.1:51.2300"
    assert found["score_status"] == "NOT_CONFIGURED"
    assert found["not_configured"] == ["case.setl_end_date"]
    assert any(f"{says}，不能确定按哪一天" in text for text in found["warnings"])
    assert all(says in text for text in found["warnings"] if "手术操作目录" in text)
    about_list = [text for text in found["warnings"] if "not-principal" in text]
    assert all(f"{says}，不能确定用哪一版" in text for text in about_list)


@pytest.mark.parametrize("fee", ["5,000.00", "1e400", "1" * 30, "1.234", "约五千"])
def test_a_fee_that_cannot_be_read_is_told_from_none(
    cli: Cli, sample_state: Path, tmp_path: Path, fee: str
) -> None:
    broken = case("S1", "K80.101", "51.2300", fee=fee, medfee_sumamt="16000.00")
    broken["charges"] = [{"name": "床位费", "amount": "16000.00"}]
    said = cli("--state", sample_state, "group", write(tmp_path, broken), "--json")
    found = lines_of(said.out)[0]
    assert (found["score_status"], found["amount_fen"]) == ("NOT_CONFIGURED", None)
    assert found["not_configured"] == ["case.fee"]
    assert any("总费用读不出来：iteminfo[0].amt" in text for text in found["warnings"])
    out = tmp_path / "out.jsonl"
    cli("--state", sample_state, "group", write(tmp_path, broken), "--out", out)
    (aside,) = lines_of(out.with_name("out.jsonl.aside.jsonl").read_text("utf-8"))
    assert aside["field"] == "iteminfo[0].amt"
    assert "不带千分位" in aside["what"]


def test_the_total_of_the_settlement_stands_in_for_absent_items(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    whole = case("S1", "K80.101", "51.2300")
    short = case("S2", "K80.101", "51.2300", medfee_sumamt="16000.00")
    bare = case("S3", "K80.101", "51.2300")
    broken = case("S4", "K80.101", "51.2300", medfee_sumamt="16,000.00", hi_type="")
    for each in (short, bare, broken):
        del each["iteminfo"]
    file = write(tmp_path, whole, short, bare, broken)
    said = cli("--state", sample_state, "group", file, "--json")
    one, two, three, four = lines_of(said.out)
    assert one["amount_fen"] == two["amount_fen"] is not None
    assert three["not_configured"] == four["not_configured"] == ["case.fee"]
    assert any("没有总费用" in text for text in three["warnings"])
    assert any("读不出来：setlinfo.medfee_sumamt" in text for text in four["warnings"])
    table = cli("--state", sample_state, "group", file)
    assert "病例缺少或读不出 case.fee（影响 2 例）" in table.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--policy", "sample_2052"), "sample_2025"),
        (("--library", "nothing@1"), "nothing"),
        (("--policy", "no/such.yaml"), "没有政策文件"),
    ],
)
def test_what_is_missing_is_one_sentence(
    cli: Cli, sample_state: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    file = write(tmp_path, case("S1", "K80.101"))
    said = cli("--state", sample_state, "group", file, *arguments)
    assert said.code == 2
    assert words in said.err
    assert "Traceback" not in said.err


def test_missing_file_and_missing_state(cli: Cli, sample_state: Path, tmp_path: Path) -> None:
    said = cli("--state", sample_state, "group", tmp_path / "gone.jsonl")
    assert said.code == 2
    assert "gone.jsonl" in said.err
    assert cli("group", tmp_path / "gone.jsonl").code == 2
