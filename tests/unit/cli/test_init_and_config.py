"""`init` and `config check` as a person uses them."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.settings import PLATFORM_SECRET, load_site

Cli = Callable[..., Any]

SOURCE = """
[[sources]]
name = "his"
kind = "csv"
charset = "gb18030"
path = "export"
edition = "clinical"

[sources.tables.settlement]
object = "settlement*.csv"
key = "住院流水号"

[sources.tables.settlement.columns]
setl_id = "结算ID"
adm_tme = "入院时间"
our_own_note = "备注"
"cover.ext_cause_code" = "外部原因"
"payinfo.310100" = "统筹支付"
"payinfo.31" = "大病支付"
"iteminfo.09" = "西药费"
"iteminfo.09.clab_amnt" = "西药费乙类"
"disinfo.diag_code" = "主诊断"

[sources.tables.charge]
object = "charge*.csv"
key = "住院流水号"

[sources.tables.charge.columns]
amont = "金额"
"""


def test_init_makes_folder_site_file_and_store(tmp_path: Path, cli: Cli) -> None:
    state = tmp_path / "new" / "state"
    said = cli("init", "--state", state)
    assert said.code == 0, said.err
    assert (state / "dipgate.sqlite").is_file()
    assert load_site(state / "site.toml").missing()
    assert "hospital.code" in said.out
    assert sorted(path.name for path in state.glob("*.tmp")) == []
    if os.name == "posix":
        assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_init_again_keeps_the_site_file(state: Path, cli: Cli) -> None:
    options = (
        *("--hospital-code", "H43010000001", "--hospital-name", "示例医院"),
        *("--level", "3", "--area", "430100"),
    )
    assert cli("init", "--state", state, *options).code == 0
    file = state / "site.toml"
    file.write_text(file.read_text(encoding="utf-8") + "# 我的注释\n", encoding="utf-8")
    before = file.read_bytes()
    said = cli("--state", state, "init", *options)
    assert said.code == 0, said.err
    assert said.err == ""
    assert file.read_bytes() == before
    assert "已有，保留不动" in said.out
    assert load_site(file).as_hospital().area_code == "430100"


def test_init_says_when_the_kept_file_differs_from_the_options(state: Path, cli: Cli) -> None:
    assert cli("init", "--state", state, "--level", "3").code == 0
    said = cli("init", "--state", state, "--level", "2")
    assert said.code == 0
    assert "hospital.level" in said.err


@pytest.mark.parametrize(
    ("option", "value", "key"),
    [
        ("--hospital-code", "H1", "hospital.code"),
        ("--area", "99", "hospital.area_code"),
        ("--hospital-name", "a\nb", "控制字符"),
    ],
)
def test_init_writes_nothing_wrong(
    state: Path, cli: Cli, option: str, value: str, key: str
) -> None:
    said = cli("init", "--state", state, option, value)
    assert said.code == 2
    assert key in said.err
    assert list(state.iterdir()) == []


def test_init_keeps_a_folder_to_one_hospital(state: Path, cli: Cli) -> None:
    assert cli("init", "--state", state, "--hospital-code", "H43010000001").code == 0
    file = state / "site.toml"
    text = file.read_text(encoding="utf-8").replace("H43010000001", "H43010000002")
    file.write_text(text, encoding="utf-8")
    said = cli("init", "--state", state)
    assert said.code == 2
    assert "H43010000001" in said.err


def test_init_needs_a_folder(tmp_path: Path, cli: Cli) -> None:
    said = cli("init")
    assert (said.code, "--state" in said.err) == (2, True)
    blocked = tmp_path / "file"
    blocked.write_text("x")
    said = cli("init", "--state", blocked)
    assert (said.code, "不是文件夹" in said.err) == (2, True)
    said = cli("init", "--state", blocked / "below")
    assert (said.code, "不是文件夹" in said.err) == (2, True)


def test_init_with_a_site_file_elsewhere(state: Path, tmp_path: Path, cli: Cli) -> None:
    site = tmp_path / "etc" / "dipgate.toml"
    assert cli("init", "--state", state, "--site", site).code == 0
    assert load_site(site).platform.mode == "observe"
    assert not (state / "site.toml").exists()


def test_init_refuses_a_broken_site_file_and_leaves_it(state: Path, cli: Cli) -> None:
    file = state / "site.toml"
    file.write_text("[hospitl]\n", encoding="utf-8")
    said = cli("init", "--state", state)
    assert said.code == 2
    assert "'hospital'" in said.err
    assert file.read_text(encoding="utf-8") == "[hospitl]\n"


def test_the_sample_is_complete_and_can_be_repeated(state: Path, cli: Cli) -> None:
    for _ in range(2):
        said = cli("init", "--state", state, "--sample")
        assert said.code == 0, said.err
        assert said.err == ""
    assert load_site(state / "site.toml").missing() == ()
    said = cli("config", "check", "--state", state, "--json")
    assert said.code == 0, said.out
    told = json.loads(said.out)
    assert told["dialect"] == "990100"
    assert told["problems"] == []
    assert told["hospital"]["code"] == "H99010000001"


def test_the_sample_beside_another_area_is_pointed_out(state: Path, cli: Cli) -> None:
    assert cli("init", "--state", state, "--area", "430100").code == 0
    said = cli("init", "--state", state, "--sample")
    assert said.code == 0
    assert "430100" in said.err


def test_config_check_says_what_is_missing(state: Path, cli: Cli) -> None:
    cli("init", "--state", state)
    said = cli("config", "check", "--state", state)
    assert said.code == 1
    assert "[问题] hospital.code 还没有填写" in said.out
    assert "dipgate catalogue import" in said.out


def test_config_check_looks_at_sources(sample_state: Path, cli: Cli) -> None:
    file = sample_state / "site.toml"
    file.write_text(file.read_text(encoding="utf-8") + SOURCE, encoding="utf-8")
    said = cli("config", "check", "--state", sample_state)
    assert said.code == 1
    assert "来源 his 的路径不存在" in said.out
    assert "'adm_tme'" in said.out
    assert "'adm_time'" in said.out
    assert "'amount'" in said.out
    assert "'iteminfo.09.clab_amt'" in said.out
    assert "'payinfo.31'" in said.out
    assert "'diseinfo.diag_code'" in said.out
    assert "[提示] 来源 his 的 settlement 映射了清单没有的 our_own_note" in said.out
    for right in ("cover.ext", "映射了 'payinfo.310100'", "映射了 'iteminfo.09'，"):
        assert right not in said.out
    assert "bill_no（票据号码）" in said.out
    (sample_state / "export").mkdir()
    text = file.read_text(encoding="utf-8")
    for wrong, right in (
        ("adm_tme", "adm_time"),
        ("clab_amnt", "clab_amt"),
        ('payinfo.31"', 'payinfo.310200"'),
        ("disinfo", "diseinfo"),
        ("amont", "amount"),
    ):
        text = text.replace(wrong, right)
    file.write_text(text, encoding="utf-8")
    said = cli("config", "check", "--state", sample_state)
    assert said.code == 0, said.out
    assert "[提示] 来源 his 的 charge：" in said.out
    assert "没有与 charge*.csv 相符的文件" in said.out


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('kind = "csv"', 'kind = "cvs"', ("种类 'cvs' 不认识", "'csv'")),
        ('object = "charge*.csv"', 'object = "../charge*.csv"', ("'../charge*.csv'",)),
        ('host = "127.0.0.1"', 'host = "0.0.0.0"', ("web.trusted_proxy",)),
        ("H99010000001", "H99010000002", ("H99010000001", "H99010000002", "另建目录")),
    ],
)
def test_config_check_points_out_what_other_commands_refuse(
    sample_state: Path, cli: Cli, old: str, new: str, says: tuple[str, ...]
) -> None:
    file = sample_state / "site.toml"
    text = file.read_text(encoding="utf-8") + SOURCE
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")
    said = cli("config", "check", "--state", sample_state)
    assert said.code == 1
    problems = [line for line in said.out.splitlines() if line.startswith("[问题]")]
    assert any(all(word in line for word in says) for line in problems), said.out


@pytest.mark.parametrize("harm", ["bytes", "rows", "gone", "manifest"])
def test_config_check_finds_a_damaged_catalogue(sample_state: Path, cli: Cli, harm: str) -> None:
    file = next((sample_state / "catalogues" / "icd10").glob("*.sqlite"))
    file.chmod(0o600)
    if harm == "bytes":
        file.write_bytes(b"x" * 5000)
    elif harm == "rows":
        with closing(sqlite3.connect(file)) as held:
            held.execute("DELETE FROM entries WHERE rowid % 2")
            held.commit()
    elif harm == "gone":
        file.unlink()
    else:
        file.with_suffix(".json").write_text("{")
    said = cli("config", "check", "--state", sample_state)
    assert said.code == 1
    assert file.stem in said.out
    assert "重新导入" in said.out


def test_config_check_of_a_live_site(
    sample_state: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = sample_state / "site.toml"
    text = file.read_text(encoding="utf-8")
    text = text.replace('mode = "observe"', 'mode = "live"\ntotal_seconds = 60')
    file.write_text(text.replace('url = ""', 'url = "http://127.0.0.1:1"'), encoding="utf-8")
    said = cli("config", "check", "--state", sample_state)
    assert said.code == 1
    assert PLATFORM_SECRET in said.out
    assert "lease_seconds" in said.out
    file.write_text(
        file.read_text(encoding="utf-8").replace("total_seconds = 60", "total_seconds = 2"),
        encoding="utf-8",
    )
    monkeypatch.setenv(PLATFORM_SECRET, "hunter2")
    said = cli("config", "check", "--state", sample_state)
    assert said.code == 0, said.out
    assert "hunter2" not in said.out + said.err


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('dialect = ""', 'dialect = "nation"', "'national'"),
        ('id = "', 'id = "x', "policy.id"),
    ],
)
def test_config_check_of_names_that_do_not_exist(
    sample_state: Path, cli: Cli, old: str, new: str, says: str
) -> None:
    file = sample_state / "site.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    said = cli("config", "check", "--state", sample_state)
    assert said.code == 1
    assert says in said.out


def test_config_check_of_an_unknown_key(sample_state: Path, cli: Cli) -> None:
    file = sample_state / "site.toml"
    text = file.read_text(encoding="utf-8").replace("mode =", "mod =")
    file.write_text(text, encoding="utf-8")
    said = cli("config", "check", "--state", sample_state)
    assert said.code == 2
    assert "第13行 platform.mod 是不认识的键，是不是想写 'mode'？" in said.err


def test_config_check_without_a_site_file(state: Path, cli: Cli) -> None:
    said = cli("config", "check", "--state", state)
    assert (said.code, "dipgate init" in said.err) == (2, True)


def test_config_fields_lists_the_national_codes(cli: Cli) -> None:
    said = cli("config", "fields", "payinfo")
    assert said.code == 0
    assert "fund_pay_type  基金支付类型  字符型 6，必填，码表 fund_pay_type" in said.out
    said = cli("config", "fields", "--json")
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert {"setlinfo", "diseinfo", "oprninfo", "iteminfo"} <= {row["node"] for row in rows}
    assert len(rows) == len({(row["node"], row["code"]) for row in rows})
    assert set(rows[0]) == {"node", "code", "name", "type", "length", "required", "codeset"}
    said = cli("config", "fields", "setlinf")
    assert (said.code, "'setlinfo'" in said.err) == (2, True)


def test_config_diff_names_what_changed(sample_state: Path, cli: Callable[..., Any]) -> None:
    """Against the file last in use, another file, and the defaults."""
    site = sample_state / "site.toml"
    said = cli("--state", sample_state, "config", "diff")
    assert (said.code, "--defaults" in said.err) == (2, True)
    cli("--state", sample_state, "intake")
    said = cli("--state", sample_state, "config", "diff")
    assert (said.code, "没有不同" in said.out) == (0, True)
    text = site.read_text("utf-8")
    source = """
[[sources]]
name = "his"
kind = "csv"
charset = "gb18030"
path = "export"
edition = "nhsa"
[sources.tables.settlement]
object = "*.csv"
key = "住院流水号"
columns = { setl_id = "结算ID" }
"""
    changed = text.replace("intake_minutes = 10", "intake_minutes = 15") + source
    site.write_text(changed, encoding="utf-8")
    said = cli("--state", sample_state, "config", "diff")
    assert said.code == 1
    assert "schedule.intake_minutes：10 → 15" in said.out
    assert "sources.his.tables.settlement.columns.setl_id：（没有） → 结算ID" in said.out
    assert "重新启动" in said.out
    other = sample_state / "old.toml"
    other.write_text(text, encoding="utf-8")
    lines = cli("--state", sample_state, "config", "diff", other, "--json").out.splitlines()
    assert {"path": "schedule.intake_minutes", "before": "10", "after": "15"} in map(
        json.loads, lines
    )
    defaults = cli("--state", sample_state, "config", "diff", "--defaults")
    assert "hospital.code：（空） → H99010000001" in defaults.out
    (sample_state / "export").mkdir()
    cli("--state", sample_state, "intake")
    assert cli("--state", sample_state, "config", "diff").code == 0
    history = cli("--state", sample_state, "config", "diff", "--history").out.splitlines()
    assert len(history) == 2


def test_config_check_tells_a_broken_policy_file(state: Path, cli: Cli) -> None:
    cli("init", "--state", state)
    folder = state / "policies"
    folder.mkdir(exist_ok=True)
    (folder / "bad.yaml").write_text("schema: dip-policy/1\nsetlement: {}\n", encoding="utf-8")
    said = cli("--state", state, "config", "check")
    assert "bad.yaml 读不出来" in said.out + said.err
