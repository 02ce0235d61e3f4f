"""What is held of a source is decided on the health page, by the administrator, with a reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dipgate.core.clock import FixedClock
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.intake import read_sources
from dipgate.service.wiring import open_desk
from dipgate.store import audit, inbox, readings

HEAD = "流水号,结算ID\n"
USUAL = 40


def export(folder: Path, number: int, rows: int) -> None:
    lines = [f"ZY{number}-{row},S{number}-{row}" for row in range(rows)]
    (folder / f"bills_{number:02}.csv").write_text(HEAD + "\n".join(lines) + "\n", "utf-8")


@pytest.fixture
def desk(peopled_state: Path, tmp_path: Path, clock: FixedClock) -> Iterator[Desk]:
    """Six full days, then one on which the export broke off."""
    state, folder = tmp_path / "state", tmp_path / "export"
    shutil.copytree(peopled_state, state)
    folder.mkdir()
    site = state / "site.toml"
    site.write_text(
        site.read_text("utf-8") + f'\n[[sources]]\nname = "his"\nkind = "csv"\ncharset = "utf-8"\n'
        f'path = "{folder.as_posix()}"\nedition = "nhsa"\n[sources.tables.settlement]\n'
        'object = "bills_*.csv"\nkey = "流水号"\n[sources.tables.settlement.columns]\n'
        'setl_id = "结算ID"\n',
        encoding="utf-8",
    )
    with open_desk(state, site, clock=clock) as opened:
        for day in range(6):
            export(folder, day, USUAL)
            read_sources(opened)
            clock.advance(86_400)
        export(folder, 6, 3)
        assert read_sources(opened)[0].held == 1
        yield opened


def stored(desk: Desk) -> int:
    with desk.store.read() as conn:
        return sum(item.rows for item in inbox.received(conn))


def acts(desk: Desk, act: str) -> list[tuple[str, str]]:
    with desk.store.read() as conn:
        return [(row.actor, row.reason) for row in audit.rows(conn, act=act)]


def test_the_page_shows_both_numbers_and_only_the_administrator_decides(
    browser: Callable[..., Any],
) -> None:
    shown = browser("administrator").get("/health").text
    assert "settlement 3 行，平常约 40 行" in shown
    assert "/health/held/his/release" in shown
    office = browser("office").get("/health").text
    assert "只读到 3 行" in office
    assert "/health/held/" not in office


@pytest.mark.parametrize(("act", "more"), [("release", 3), ("discard", 0)])
def test_a_decision_needs_a_reason_and_is_audited(
    browser: Callable[..., Any], desk: Desk, act: str, more: int
) -> None:
    opened = browser("administrator")
    path = f"/health/held/his/{act}"
    assert opened.post(path, {"reason": " "}).status_code == 422
    assert opened.post(path, {"reason": "长" * 201}).status_code == 422
    assert stored(desk) == 6 * USUAL
    answer = opened.post(path, {"reason": "与病案室核对过"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/health")
    assert stored(desk) == 6 * USUAL + more
    assert acts(desk, f"reading.{act}{'' if act.endswith('e') else 'e'}d") == [
        ("xinxi", "与病案室核对过")
    ]
    with desk.store.read() as conn:
        assert readings.held(conn) == ()
    assert "读取扣住" not in opened.get("/health").text
    assert opened.post(path, {"reason": "再来"}).status_code == 409
    assert opened.post("/health/held/nowhere/release", {"reason": "x"}).status_code == 409


def test_its_csrf_is_that_of_every_form(browser: Callable[..., Any], desk: Desk) -> None:
    opened = browser("administrator")
    opened.csrf = ""
    assert opened.post("/health/held/his/release", {"reason": "x"}).status_code == 403
    assert stored(desk) == 6 * USUAL
