"""`dipgate platform serve` as it is typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import platform_kit as kit

from dipgate.store import cases, open_store


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dipgate", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        cwd=cwd,
        timeout=60,
        check=False,
    )


def test_a_broken_plan_ends_it_with_one_sentence(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('{"share": {"kut": 1}}', encoding="utf-8")
    done = run("platform", "serve", "--state", tmp_path / "twin", "--faults", plan, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "kut" in done.stderr
    assert "是不是 'cut'" in done.stderr


def test_without_a_state_folder_it_says_so(tmp_path: Path) -> None:
    done = run("platform", "serve", cwd=tmp_path)
    assert done.returncode == 2
    assert "--state" in done.stderr


def test_a_hospitals_own_state_folder_is_refused(tmp_path: Path) -> None:
    clock = kit.MachineClock()
    with open_store(tmp_path, clock, owner="test") as store:
        store.write(
            lambda conn: cases.put_case(
                conn,
                lst=kit.make_list(),
                origins=(),
                source="his",
                stay_key="Z1",
                person_no="P1",
                settled_on=None,
                department="",
                doctor="",
                fee_fen=None,
                now=clock.now(),
            )
        )
    said = run("platform", "serve", "--state", tmp_path, cwd=tmp_path)
    assert (said.returncode, "正在使用的状态目录" in said.stderr) == (2, True)
    assert not (tmp_path / "twin.sqlite").exists()
    assert not (tmp_path / "catalogues").exists()
    # With a ledger of its own in it the folder is a twin's: only the plan of faults is refused.
    (tmp_path / "twin.sqlite").touch()
    plan = tmp_path / "none.json"
    said = run("platform", "serve", "--state", tmp_path, "--faults", plan, cwd=tmp_path)
    assert (said.returncode, "故障计划" in said.stderr) == (2, True)
