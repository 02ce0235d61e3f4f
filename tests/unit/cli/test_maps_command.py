"""`dipgate maps`: two users with their passwords, the queue, coverage, and what is exported."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.core.reference import Hospital
from dipgate.demo.export import csv_source, site_sources, write_csv
from dipgate.demo.hospital import generate

MONTH = date(2025, 3, 1)
PASSWORD = "jia-yi-bing-42"  # noqa: S105
Cli = Callable[..., Any]


class House:
    def __init__(self, cli: Cli, state: Path, code: str, typed: Callable[[str], None]) -> None:
        self.cli, self.state, self.code, self.typed = cli, state, code, typed

    def maps(self, *arguments: object, password: str = PASSWORD) -> Any:
        self.typed(f"{password}\n")
        return self.cli("--state", self.state, "maps", *arguments)

    def rows(self, *arguments: object) -> list[dict[str, Any]]:
        said = self.maps(*arguments, "--json")
        assert said.code == 0, said.err
        return [json.loads(line) for line in said.out.splitlines()]

    def by(self, login: str, *arguments: object, **more: str) -> Any:
        return self.maps(
            *arguments, "--reason", "核过", "--user", login, "--password-stdin", **more
        )


@pytest.fixture
def house(
    sample_state: Path,
    tmp_path: Path,
    cli: Cli,
    forget_map_row: Callable[[Path, Path], str],
    monkeypatch: pytest.MonkeyPatch,
) -> House:
    """A state with lists whose busiest diagnosis no map knows, a coder and an administrator."""
    own = Hospital("H99010000001", "示例市第一人民医院", "3", "990100")
    library = load_library(sample_state, "sample", day=MONTH)
    reference = References(sample_state, own).on(MONTH)
    month = generate(reference, library, seed=3, month=MONTH, size=16, defect_share=0.0)
    write_csv(month, tmp_path / "export")
    site = sample_state / "site.toml"
    sources = site_sources(csv_source(tmp_path / "export"))
    site.write_text(f"{site.read_text(encoding='utf-8')}\n{sources}", encoding="utf-8")
    code = forget_map_row(sample_state, tmp_path / "export")

    def typed(text: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(text))

    for login, role in (("bian", "coder"), ("xinxi", "administrator")):
        typed(f"{PASSWORD}\n")
        made = cli(
            "--state", sample_state, "user", "add", login, "--name", "甲", "--role", role,
            "--password-stdin",
        )  # fmt: skip
        assert made.code == 0, made.err
    assert cli("--state", sample_state, "intake").code == 0
    return House(cli, sample_state, code, typed)


def test_two_users_bring_a_code_into_the_map(house: House, tmp_path: Path) -> None:
    (item,) = house.rows("list")
    assert (item["code"], item["waiting"] > 0, item["fee_fen"] > 0) == (house.code, True, True)
    assert house.code in house.maps("list").out
    assert house.rows("candidates", house.code)[0]["code"] == house.code
    made = house.by("bian", "propose", house.code, house.code)
    assert (made.code, "第 1 号，等第二个人批准" in made.out) == (0, True), made.err
    assert len(house.rows("list")) == 1
    own = house.by("bian", "approve", 1)
    assert (own.code, "不能自己批准" in own.err) == (2, True)
    done = house.by("xinxi", "approve", 1)
    assert (done.code, f"重新映射 {item['waiting']} 份" in done.out) == (0, True), done.err
    assert house.rows("list") == []
    (row,) = house.rows("list", "--proposals")
    assert (row["state"], row["author"], row["decided_by"]) == ("approved", "bian", "xinxi")
    file = tmp_path / "own.csv"
    assert house.maps("export", file).code == 0
    assert house.maps("export", file).code == 2
    said = house.cli(
        "--state", house.state, "catalogue", "import", file, "--kind", "icd10-map", "--layer",
        "hospital", "--version", "own2", "--from", "2024-01-01", "--author", "甲",
    )  # fmt: skip
    assert said.code == 0, said.err
    back = house.by("bian", "withdraw", 1)
    assert back.code == 0, back.err
    assert house.rows("list") == [], "the imported row holds now"


def test_nobody_acts_without_his_own_password(house: House) -> None:
    said = house.by("bian", "propose", house.code, house.code, password="falsch-falsch-1")  # noqa: S106
    assert (said.code, "密码不对" in said.err) == (2, True)
    assert house.by("niemand", "propose", house.code, house.code).code == 2
    assert house.rows("list", "--proposals") == []


def test_rejected_it_stays_in_the_queue(house: House) -> None:
    house.by("bian", "propose", house.code, house.code)
    assert house.by("xinxi", "reject", 1).code == 0
    assert house.by("xinxi", "approve", 1).code == 2
    assert len(house.rows("list")) == 1


def test_coverage_and_rows_that_run_out(house: House) -> None:
    rows = {row["family"]: row for row in house.rows("coverage")}
    assert rows["icd10"]["seen"] > rows["icd10"]["known"]
    assert rows["icd9cm3"]["seen"] == rows["icd9cm3"]["known"]
    assert "诊断" in house.maps("coverage").out
    assert "没有将失效" in house.maps("list", "--ending").out
