"""The views that ship for HIS vendors: run on live servers, read through the shipped site part."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from servers import MARIADB, POSTGRES, address, connect, make_database

from dipgate.adapters.sql import may_write
from dipgate.config.settings import render_template
from dipgate.core.clock import FixedClock
from dipgate.pipeline.contract_stage import check_source
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.service.wiring import open_desk
from dipgate.store import cases, verdicts

VARIABLES = {"postgresql": POSTGRES, "mariadb": MARIADB}
PASSWORD = "reader-4711"  # noqa: S105


def maker(checkout: Path) -> ModuleType:
    path = checkout / "packaging" / "his-views" / "make_views.py"
    spec = importlib.util.spec_from_file_location("make_views", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_are_what_the_program_writes(checkout: Path) -> None:
    views = maker(checkout)
    folder = checkout / "packaging" / "his-views"
    assert {path.stem for path in folder.glob("*.sql")} == set(views.QUOTES)
    for kind in views.QUOTES:
        assert (folder / f"{kind}.sql").read_text("utf-8") == views.text_of(kind), kind


@pytest.mark.parametrize("kind", VARIABLES)
def test_the_sample_stays_become_lists(
    kind: str,
    checkout: Path,
    sample_state: Path,
    clock: FixedClock,
    people: list[tuple[str, str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Views, account, site part, contract, mapping, rules: two stays, nothing missing."""
    folder = checkout / "packaging" / "his-views"
    database = make_database(VARIABLES[kind])
    script = (folder / f"{kind}.sql").read_text("utf-8")
    reader = f"reader_{database[-12:]}"
    people.append((VARIABLES[kind], database, reader))
    with closing(connect(VARIABLES[kind], database)) as connection:
        with closing(connection.cursor()) as cursor:
            for statement in (*statements(script), *rights(script, reader)):
                cursor.execute(statement)
    where = address(VARIABLES[kind])
    part = (folder / "site.toml").read_text("utf-8")
    for old, new in (
        ('kind = "postgresql"', f'kind = "{kind}"'),
        ('host = "127.0.0.1"', f'host = "{where["host"]}"'),
        ("port = 0", f"port = {where['port']}"),
        ('database = "his"', f'database = "{database}"'),
        ('user = "dipgate_reader"', f'user = "{reader}"'),
    ):
        assert old in part
        part = part.replace(old, new, 1)
    head = render_template(
        code="H99010000001",
        name="示例市第一人民医院",
        level="3",
        area_code="990100",
        policy="sample_2025",
        hsorg="示例市医疗保障局",
        hsorg_opter="示例经办人",
    )
    site = sample_state / "site.toml"
    site.write_text(f"{head}\n{part}", encoding="utf-8")
    monkeypatch.setenv("DIPGATE_HIS_PASSWORD", PASSWORD)
    with open_desk(sample_state, site, clock=clock) as desk:
        (source,) = desk.site.source_specs()
        assert may_write(source, desk.site.source_password("his")) == ()
        report = check_source(desk.site, "his", limit=100)
        assert [clause for clause in report.clauses if clause.breaks] == []
        assert report.unmapped == ()
        (read,) = read_sources(desk)
        assert (read.stored, read.rejected) == (8, 0)
        mapped = map_new_stays(desk)
        assert (mapped.mapped, mapped.set_aside, mapped.unmapped_codes) == (2, 0, 0)
        judge_new_cases(desk)
        with desk.store.read() as conn:
            lists = {case.settlement_id: case for case in cases.cases_in(conn, limit=9)}
            surgical = lists["SZY0002"].settlement_list()
            found = {
                key: [item.rule for item in errors(verdicts.latest(conn, case.id))]
                for key, case in lists.items()
            }
    assert [row["oprn_oprt_code"] for row in surgical.oprninfo or ()] == ["51.2300"]
    assert found == {"SZY0001": [], "SZY0002": []}
    (again,) = reread(sample_state, site, clock)
    assert again.stored == 0


def reread(state: Path, site: Path, clock: FixedClock) -> Any:
    with open_desk(state, site, clock=clock) as desk:
        return read_sources(desk)


def errors(verdict: verdicts.Verdict | None) -> list[Any]:
    assert verdict is not None
    return [
        item
        for item in verdict.findings
        if item.severity.word == "error" and item.status.value == "found"
    ]


@pytest.fixture
def people() -> Iterator[list[tuple[str, str, str]]]:
    """Accounts that a test made (variable, database, name); they go when it is over."""
    made: list[tuple[str, str, str]] = []
    yield made
    for variable, database, name in made:
        with closing(connect(variable, database)) as connection:
            with closing(connection.cursor()) as cursor:
                if variable == POSTGRES:
                    cursor.execute(f"DROP OWNED BY {name}")
                    cursor.execute(f"DROP ROLE {name}")
                else:
                    cursor.execute(f"DROP USER {name}@'%'")


def rights(script: str, reader: str) -> list[str]:
    """The third part of a script with a name and a password filled in."""
    _, _, part = script.partition("-- 第三部分")
    lines = [line.removeprefix("-- ") for line in part.splitlines()[1:]]
    text = "\n".join(lines).replace("dipgate_reader", reader).replace("'…'", f"'{PASSWORD}'")
    assert "…" not in text
    return [statement for statement in text.split(";\n") if statement.strip()]


def statements(script: str) -> list[str]:
    """The statements of a script whose semicolons stand at line ends only."""
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    return [part.strip() for part in "\n".join(lines).split(";\n") if part.strip()]
