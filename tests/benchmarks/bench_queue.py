"""The work queue with 100,000 lists: page against JSON twin, its 600th page against its first.

Everything is asked of the application in one process, session and permission included, and taken
in turns; what counts is the median of the ratios of each turn. Goals: the whole HTML page of 50
rows is made at no less than half the speed of the same content as JSON; a page deep in the queue
costs what the first one does (0.9).
"""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Connection, insert

from dipgate.core.worklist import Grade
from dipgate.pipeline.desk import Desk
from dipgate.service.wiring import open_desk
from dipgate.store import worklist
from dipgate.store.desk_tables import worklist as table
from dipgate.web.app import create_app
from dipgate.web.context import WebContext
from dipgate.web.passwords import Passwords
from dipgate.web.people import People
from dipgate.web.worklists.filters import cursor_text

LISTS = 100_000
PAGE = 50
DEEP = 600
TURNS = 40
TWIN_GOAL, DEEP_GOAL = 0.5, 0.9
PASSWORD = "bench-queue-42"  # noqa: S105
SHARES = (
    (Grade.STOP, 25),
    (Grade.LOOK, 20),
    (Grade.WAIT, 10),
    (Grade.CLEAN, 20),
    (Grade.DONE, 25),
)


def rows() -> Iterator[dict[str, Any]]:
    """Invented rows as a year of a large hospital would have them."""
    chance = Random(7)  # noqa: S311 - invented data, nothing secret
    grades = [grade for grade, share in SHARES for _ in range(share)]
    now = datetime(2025, 6, 16, 4, 0, tzinfo=UTC)
    for number in range(LISTS):
        grade = chance.choice(grades)
        settled = date(2024, 7, 1) + timedelta(days=chance.randrange(350))
        pay = chance.randrange(1_000_00, 60_000_00)
        deadline = settled + timedelta(days=10)
        open_ = grade in (Grade.STOP, Grade.LOOK, Grade.WAIT)
        yield {
            "case_id": f"{chance.getrandbits(64):016x}",
            "settlement_id": f"S{number:08}",
            "grade": grade.value,
            "rank": worklist.rank_of(pay, deadline, dated=True),
            "month": f"{settled:%Y-%m}",
            "state": "accepted" if grade is Grade.DONE else "checked",
            "department": f"第{number % 45}病区",
            "department_name": f"第{number % 45}病区",
            "doctor": f"D9901000{number % 300:05}",
            "doctor_name": "示例医师",
            "record_no": f"B{number:07}",
            "person": f"女 {number % 90}",
            "dx_code": "K35.800x001",
            "dx_name": "急性阑尾炎伴穿孔及局限性腹膜炎",
            "rule": "P004" if open_ else "",
            "problem": "手术 47.0100 有两行，时间都是 14:03" if open_ else "",
            "sentence": "手术第 2 行。合并或改成真实时间。（规则 P004，依据 平台入库约束）"
            if open_
            else "",
            "errors": 2 if grade is Grade.STOP else 0,
            "warnings": 1 if open_ else 0,
            "not_checked": 3,
            "waits_for": "编码员" if open_ else "",
            "pay_fen": pay,
            "fee_fen": pay + 1_000_00,
            "fund_fen": pay + chance.randrange(-5_000_00, 5_000_00),
            "deadline": deadline,
            "updated_at": now,
        }


def fill(desk: Desk) -> tuple[float, str]:
    """Put the rows in; where page 600 of what is to be done begins."""
    made = list(rows())
    statement = insert(table)

    def put(conn: Connection) -> None:
        conn.execute(statement, made)

    desk.store.write(put)
    open_ = sorted(
        (row["rank"], row["case_id"])
        for row in made
        if row["grade"] in (Grade.STOP.value, Grade.LOOK.value, Grade.WAIT.value)
    )
    return open_[-(DEEP - 1) * PAGE]


def signed_in(desk: Desk) -> FlaskClient:
    people = People(desk.store, desk.clock, Passwords())
    people.add(login="coder", name="基准", role="coder", password=PASSWORD, actor="bench")
    client = create_app(
        WebContext(desk=desk, clock=desk.clock), instance=desk.store.state
    ).test_client()
    form = client.get("/login", base_url="https://localhost").get_data(as_text=True)
    found = re.search(r'name="csrf" value="([^"]+)"', form)
    data = {"login": "coder", "password": PASSWORD, "csrf": found.group(1) if found else ""}
    answer = client.post("/login", data=data, base_url="https://localhost")
    assert answer.status_code == 303, answer.status_code
    return client


def timed(client: FlaskClient, path: str, check: Callable[[str], bool]) -> float:
    """Seconds of one request; its answer must be what was meant."""
    began = time.perf_counter()
    answer = client.get(path, base_url="https://localhost")
    spent = time.perf_counter() - began
    assert answer.status_code == 200, (path, answer.status_code)
    assert check(answer.get_data(as_text=True)), path
    return spent


def fifty_rows(text: str) -> bool:
    return text.count("data-row") == PAGE


def fifty_objects(text: str) -> bool:
    return text.count('"record_no"') == PAGE


def measure(client: FlaskClient, deep: str) -> dict[str, float]:
    twin: list[float] = []
    depth: list[float] = []
    page_ms: list[float] = []
    for turn in range(TURNS + 3):
        as_json = timed(client, "/queue.json?tab=todo", fifty_objects)
        page = timed(client, "/queue?tab=todo", fifty_rows)
        first = timed(client, "/queue/more?tab=todo", fifty_rows)
        far = timed(client, f"/queue/more?tab=todo&after={deep}", fifty_rows)
        if turn >= 3:
            twin.append(as_json / page)
            depth.append(first / far)
            page_ms.append(page * 1000)
    return {
        "twin": statistics.median(twin),
        "deep": statistics.median(depth),
        "page_ms": statistics.median(page_ms),
    }


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="dipgate-bench-") as folder:
        state = Path(folder) / "state"
        command = [sys.executable, "-P", "-m", "dipgate", "--state", str(state), "init", "--sample"]
        subprocess.run(command, check=True, capture_output=True)
        site = state / "site.toml"
        text = site.read_text(encoding="utf-8")
        site.write_text(text.replace("# upload_days = 10", "upload_days = 10"), encoding="utf-8")
        with open_desk(state, site) as desk:
            deep = cursor_text(fill(desk))
            found = measure(signed_in(desk), deep)
    lines = (
        ("queue_page_against_json", round(found["twin"], 2), TWIN_GOAL),
        ("queue_page_600_against_1", round(found["deep"], 2), DEEP_GOAL),
    )
    for name, ratio, goal in lines:
        line = {
            "bench": name,
            "lists": LISTS,
            "page_ms": round(found["page_ms"], 1),
            "ratio": ratio,
            "goal": goal,
        }
        sys.stdout.write(json.dumps(line) + "\n")
    return 0 if all(ratio >= goal for _, ratio, goal in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
