"""`dipgate alternatives`: what is shown, what is locked, and that no trial goes unrecorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dipgate.core.clock import FixedClock
from dipgate.store import audit, open_store

Cli = Callable[..., Any]
DIAGNOSES = (
    ("K80.101", "胆囊结石伴慢性胆囊炎", "1"),
    ("K80.000x002", "胆囊结石伴急性胆囊炎", "1"),
    ("I10.x03", "高血压1级", "1"),
)


def case(number: str = "S1", **info: str) -> dict[str, Any]:
    """A gall bladder taken out in general surgery, with adhesions loosened in the same session."""
    return {
        "setlinfo": {
            "setl_id": number,
            "setl_end_date": "2025-03-15",
            "dscg_time": "2025-03-14 10:00:00",
            "hi_type": "310",
            "wm_dise_code": "K80.200x003",
            "dscg_caty": "A04.01",
            **info,
        },
        "diseinfo": [
            {
                "diag_type": "1",
                "diag_code": code,
                "diag_name": name,
                "adm_cond_type": condition,
                "maindiag_flag": "0" if place else "1",
            }
            for place, (code, name, condition) in enumerate(DIAGNOSES)
        ],
        "oprninfo": [
            {
                "oprn_oprt_type": "2" if place else "1",
                "oprn_oprt_code": code,
                "oprn_oprt_name": name,
                "oper_dr_code": "D990100000901",
                "oper_dr_name": "欧阳问",
                "oprn_oprt_begntime": "2025-03-11 14:00:00",
            }
            for place, (code, name) in enumerate(
                (("51.2300", "腹腔镜下胆囊切除术"), ("54.5101", "腹腔镜下肠粘连松解术"))
            )
        ],
        "charges": [
            {"name": "腹腔镜下胆囊切除术", "category": "06", "amount": "3000.00"},
            {"name": "血液透析", "category": "05", "amount": "400.00"},
        ],
        "iteminfo": [{"med_chrgitm": "06", "amt": "16000.00"}],
        "payinfo": [{"fund_pay_type": "310100", "fund_payamt": "12000.00"}],
    }


def write(folder: Path, *cases: dict[str, Any]) -> Path:
    path = folder / "cases.jsonl"
    path.write_text("\n".join(json.dumps(item) for item in cases), encoding="utf-8")
    return path


def asked(cli: Cli, state: Path, file: Path, *more: str) -> Any:
    return cli("alternatives", file, "--policy", "sample_2025", "--state", state, *more)


def test_each_option_with_group_money_evidence_and_audit_note(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    said = asked(cli, sample_state, write(tmp_path, case()), "--json")
    assert said.code == 0, said.err
    (found,) = (json.loads(line) for line in said.out.splitlines())
    present, options = found["present"], {item["key"]: item for item in found["options"]}
    assert found["case"] == "S1"
    assert present["group_code"] == "K80.1:51.2300_54.5101"
    assert present["gap_fen"] == 0
    other = options["diseinfo[1]"]
    assert other["diagnosis"]["code"] == "K80.000x002"
    assert not other["locked"]
    assert other["gap_fen"] == other["amount_fen"] - present["amount_fen"]
    assert other["evidence"][0] == {
        "rule": "ED01",
        "path": "setlinfo.wm_dise_code",
        "node": "setlinfo",
        "row": None,
        "field": "wm_dise_code",
        "value": "K80.200x003",
        "text": "门急诊诊断是同一类：K80.200x003",
        "proves": ["stay"],
    }
    assert other["exposure"]["level"] in ("无", "低", "中", "高")
    locked = options["diseinfo[2]"]
    assert locked["locked"]
    assert "没有说明因它住院的依据" in locked["reasons"][0]
    assert options["oprninfo[1]"]["locked"], "its fee is another operation's"
    assert [item["name"] for item in found["billed_not_listed"]] == ["血液透析"]
    assert found["billed_not_listed"][0]["path"] == "charges[1].name"
    keys = [item["key"] for item in found["options"]]
    assert keys.index("diseinfo[1]") < keys.index("diseinfo[2]"), "what is locked stands behind"


def test_words_for_people(cli: Cli, sample_state: Path, tmp_path: Path) -> None:
    said = asked(cli, sample_state, write(tmp_path, case()))
    assert "现在：主诊 K80.101 胆囊结石伴慢性胆囊炎，主手术 51.2300" in said.out
    assert "还可能是：主诊 K80.000x002 胆囊结石伴急性胆囊炎" in said.out
    assert "依据：门急诊诊断是同一类：K80.200x003 [setlinfo.wm_dise_code]" in said.out
    assert "锁住：主诊 I10.x03 高血压1级" in said.out
    assert "收费有、清单没有：血液透析" in said.out
    assert "审核风险" in said.out


def test_every_case_that_is_tried_is_in_the_audit(
    cli: Cli, sample_state: Path, tmp_path: Path, clock: FixedClock
) -> None:
    file = write(tmp_path, case("S1"), case("S2"), case("S3", wm_dise_code="I10.x00"))
    said = asked(cli, sample_state, file, "--json", "--case", "S3")
    assert [json.loads(line)["case"] for line in said.out.splitlines()] == ["S3"]
    asked(cli, sample_state, file, "--json")
    with open_store(sample_state, clock, owner="", read_only=True) as store, store.read() as conn:
        rows = audit.rows(conn, act="case.simulated")
    assert len(rows) == 3, "the same list tried again at once is one row"
    assert all(row.actor and row.object.startswith("list:") for row in rows)
    detail = rows[-1].detail
    assert (detail["what"], detail["policy"]) == ("alternatives", json.loads(said.out)["policy"])
    assert "locked diseinfo[" in str(detail["results"])
    assert not any("胆囊" in str(row.detail) for row in rows), "no text of the record"


def test_a_trial_that_cannot_be_kept_is_not_made(
    cli: Cli, sample_state: Path, tmp_path: Path, clock: FixedClock
) -> None:
    file = write(tmp_path, case())
    with open_store(sample_state, clock, owner="somebody"):
        said = asked(cli, sample_state, file)
    assert said.code == 2
    assert said.out == ""


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--case", "S9"), "没有病例 S9"),
        (("--library", "nowhere@1"), "nowhere"),
    ],
)
def test_what_is_not_there_is_said(
    cli: Cli, sample_state: Path, tmp_path: Path, more: tuple[str, ...], told: str
) -> None:
    said = asked(cli, sample_state, write(tmp_path, case()), *more)
    assert said.code == 2
    assert told in said.err


def test_a_table_is_refused_once_with_its_name(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    table = tmp_path / "year.csv"
    table.write_text("setl_id,dx,ops\n" + "S1,K80.100,51.2300\n" * 50, encoding="utf-8")
    said = asked(cli, sample_state, table)
    assert said.code != 0
    assert said.err.count("JSON Lines") == 1
    assert "year.csv" in said.err
    assert "没有病例" not in said.err
    assert len(said.err.strip().splitlines()) < 5


def test_one_broken_case_does_not_stop_the_others(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    file = tmp_path / "cases.jsonl"
    empty = {"setlinfo": {"setl_id": "S0"}, "diseinfo": []}
    lines = ["{", json.dumps(empty), json.dumps(case())]
    file.write_text("\n".join(lines), encoding="utf-8")
    said = asked(cli, sample_state, file, "--json")
    assert said.code == 2
    assert "已搁置" in said.err
    found = [json.loads(line) for line in said.out.splitlines()]
    assert [item["case"] for item in found] == ["S0", "S1"]
    assert found[0]["options"] == []
    assert found[0]["present"]["gap_fen"] is None


def test_the_present_choice_is_worth_what_group_says(
    cli: Cli, sample_state: Path, tmp_path: Path
) -> None:
    another = case(fixmedins_code="H99010000902", hi_setl_lv="2")
    file = write(tmp_path, another)
    said = asked(cli, sample_state, file, "--json")
    grouped = cli("group", file, "--policy", "sample_2025", "--state", sample_state, "--json")
    present, whole = json.loads(said.out)["present"], json.loads(grouped.out)
    assert whole["institution_coefficient"] == "0.92", "its own level, not that of this hospital"
    assert (present["score"], present["amount_fen"]) == (whole["score"], whole["amount_fen"])
