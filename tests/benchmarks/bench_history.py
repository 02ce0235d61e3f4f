"""Past months from PostgreSQL to durable verdicts, against one case after the other.

    make bench ARGS="history"
    .venv/bin/python tests/benchmarks/bench_history.py --cases 250000 --sample 2000

Ours: `dipgate intake --history`, its processes and start included. Plain: for each bill its rows
by key, raw bytes kept, rows committed, list mapped and committed, a pydantic object and a closure
per check (`plain_check.py`), group and money, verdict committed. Both read the same views. Memory
is that of all our processes together, at the highest within each part of the run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
import plain_check
import plain_rules

from dipgate.config.catalogues import activate_sample
from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.config.rules import rule_world
from dipgate.config.settings import render_template
from dipgate.core.case import case_of
from dipgate.core.clock import FixedClock
from dipgate.core.lists import ROW_NODES
from dipgate.core.record import RawRow, ServerSpec, SourceSpec, TableMap
from dipgate.core.reference import Hospital
from dipgate.demo.export import site_sources
from dipgate.demo.export_layout import KEY
from dipgate.demo.export_sql import SqlHospital, sql_source
from dipgate.demo.hospital import generate
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.judge_stage import price
from dipgate.pipeline.map_stage import StayRows, map_settlement, store_mapped
from dipgate.service.history import GENTLE
from dipgate.service.wiring import open_desk
from dipgate.store import cases, groupings, history, inbox, verdicts

GOAL = 4.0
MONTHS = 25
NOW = datetime(2026, 6, 1, tzinfo=UTC)
OWN = Hospital("H99010000001", "示例市第一人民医院", "3", "990100")
USUAL = "postgresql://postgres@127.0.0.1:5432/test"


def server() -> ServerSpec:
    parts = urlsplit(os.environ.get("DIPGATE_TEST_POSTGRES") or USUAL)
    return ServerSpec(
        parts.hostname or "127.0.0.1",
        parts.port or 5432,
        parts.path.lstrip("/"),
        unquote(parts.username or ""),
    )


def connected(where: ServerSpec) -> Any:
    import psycopg

    parts = urlsplit(os.environ.get("DIPGATE_TEST_POSTGRES") or USUAL)
    return psycopg.connect(
        host=where.host,
        port=where.port,
        dbname=where.database,
        user=where.user,
        password=unquote(parts.password or "") or None,
        connect_timeout=5,
    )


def fill(connection: Any, schema: str, references: References, library: Any, count: int) -> None:
    """Months of generated stays in a schema of their own."""
    connection.execute(f"CREATE SCHEMA {schema}")
    connection.execute(f"SET search_path TO {schema}")
    writer = SqlHospital(connection)
    for number in range(MONTHS):
        day = date(2024 + number // 12, 1 + number % 12, 1)
        size = (number + 1) * count // MONTHS - number * count // MONTHS
        month = generate(references.on(day), library, seed=100 + number, month=day, size=size)
        if number == 0:
            writer.make(month.stays[0])
        writer.write(month.stays)
        connection.commit()
    writer.index()
    connection.commit()
    connection.execute("ANALYZE")
    connection.commit()


def make_state(folder: Path, where: ServerSpec, schema: str, password: str) -> Path:
    state = folder
    state.mkdir()
    activate_sample(state, NOW)
    text = render_template(
        code=OWN.code, name=OWN.name, level=OWN.level, area_code=OWN.area_code, policy="sample_2025"
    ).replace('# before = "2025-01"', 'before = "2026-06"')
    sources = site_sources(sql_source("postgresql", replace(where, db_schema=schema)))
    if password:
        server = "[sources.server]\n"
        sources = sources.replace(server, f'{server}password_env = "{password}"\n', 1)
    (state / "site.toml").write_text(f"{text}\n{sources}", encoding="utf-8")
    with open_desk(state, state / "site.toml"):
        pass
    return state


class Plain:
    """One case after the other."""

    def __init__(self, desk: Desk, connection: Any, schema: str) -> None:
        self._desk = desk
        self._connection = connection
        self._schema = schema
        self._spec: SourceSpec = desk.site.source_specs()[0]
        self._world = rule_world()
        self._model: Any = None
        self._rules: dict[date, Any] = {}

    def run(self, keys: list[str]) -> float:
        """Seconds for these stays."""
        start = time.perf_counter()
        for number, key in enumerate(keys):
            self._one(key, number)
        return time.perf_counter() - start

    def _one(self, key: str, number: int) -> None:
        desk, store, spec = self._desk, self._desk.store, self._spec
        rows = [row for table in spec.tables.values() for row in self._rows(table, key, number)]
        store.write(lambda conn: inbox.add_rows(conn, spec.name, rows, NOW))
        with store.read() as conn:
            held = inbox.stay_rows(conn, spec.name, key)
        stay = StayRows(spec, inbox.Stay(spec.name, key, 1), held)
        for bill in stay.rows["settlement"]:
            mapped = map_settlement(desk, stay, bill, ())
            case, _ = store.write(lambda conn, one=mapped: store_mapped(conn, desk, one, stay))  # type: ignore[misc]
            store.write(lambda conn: inbox.mark_mapped(conn, spec.name, key, NOW))
            self._judge(case)

    def _rows(self, table: TableMap, key: str, number: int) -> Iterator[RawRow]:
        columns = table.source_columns()
        named = ", ".join(f'"{column}"' for column in columns)
        found = self._connection.execute(
            f'SELECT {named} FROM {self._schema}.{table.object_name} WHERE "{KEY}" = %s',  # noqa: S608
            (key,),
        ).fetchall()
        raw = self._desk.store.keep_raw(msgspec.json.encode(found))
        for row in found:
            values = dict(zip(columns, row, strict=True))
            yield RawRow(table.table, key, table.object_name, number, values, raw)

    def _judge(self, case: cases.CaseRow) -> None:
        desk, store = self._desk, self._desk.store
        lst = case.settlement_list()
        read = case_of(lst)
        day = read.settled or NOW.date()
        ref = desk.reference(day)
        if self._model is None:
            self._model = plain_check.model(case.list_json, self._world)
        if day not in self._rules:
            self._rules[day] = plain_rules.checks(ref)
        obj = self._model.model_validate_json(case.list_json)
        for node in ROW_NODES:
            if not hasattr(obj, node):
                setattr(obj, node, [])
        found = plain_check.judge(obj, self._rules[day])
        verdict = verdicts.Verdict(case.id, case.list_hash, "plain", found, NOW)
        store.write(lambda conn: verdicts.put_verdicts(conn, [verdict]))
        priced = price(desk, read, ref)
        made = groupings.Grouping(
            case.id, case.list_hash, priced.policy, priced.library, priced.group, priced.score, NOW
        )
        store.write(lambda conn: groupings.put_grouping(conn, made))
        store.write(lambda conn: cases.set_state(conn, case.id, "checked", now=NOW))


def run_plain(state: Path, connection: Any, schema: str, sample: int) -> float:
    """Cases per second, one after the other."""
    keys = [
        row[0]
        for row in connection.execute(
            f'SELECT "{KEY}" FROM {schema}.v_settlement ORDER BY md5("{KEY}") LIMIT %s',  # noqa: S608
            (sample,),
        )
    ]
    with open_desk(state, state / "site.toml", clock=FixedClock(NOW)) as desk:
        plain = Plain(desk, connection, schema)
        plain.run(keys[:20])  # statements and rules are compiled once
        return (len(keys) - 20) / plain.run(keys[20:])


def run_ours(state: Path, jobs: int) -> tuple[float, dict[str, int]]:
    """Seconds of the whole command, and the most memory in MiB by part of the run."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dipgate", "intake", "--history", "--jobs", str(jobs)],
        env={**os.environ, "DIPGATE_STATE": str(state)},
        stdout=subprocess.DEVNULL,
    )
    start = time.perf_counter()
    peaks: dict[str, int] = {}
    progress = state / history.FOLDER / "progress.json"
    shown = 0.0
    while process.poll() is None:
        part = _part(progress)
        peaks[part] = max(peaks.get(part, 0), _memory(process.pid))
        if time.perf_counter() - shown > 30:
            shown = time.perf_counter()
            said = progress.read_text() if progress.exists() else ""
            sys.stderr.write(f"{shown - start:.0f} s {said}\n")
        time.sleep(0.2)
    if process.returncode != 0:
        raise SystemExit(f"intake --history ended with {process.returncode}")
    return time.perf_counter() - start, peaks


def _part(progress: Path) -> str:
    try:
        card = json.loads(progress.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "start"
    if card["phase"] != "judge" or not card["total"]:
        return "read"
    share = card["done"] / card["total"]
    return "judge_to_10%" if share <= 0.1 else "judge_to_50%" if share <= 0.5 else "judge_to_100%"


def _memory(pid: int) -> int:
    """Resident MiB of a process and all below it (Linux)."""
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        try:
            pages = int(Path(f"/proc/{one}/statm").read_text().split()[1])
            below = Path(f"/proc/{one}/task/{one}/children").read_text().split()
        except (OSError, IndexError):
            continue
        total += pages * os.sysconf("SC_PAGE_SIZE")
        waiting += [int(child) for child in below]
    return total // 2**20


@contextmanager
def schema_of(connection: Any, name: str) -> Iterator[None]:
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
        connection.commit()


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("--cases", type=int, default=6000)
    asked.add_argument("--sample", type=int, default=400)
    asked.add_argument("--jobs", type=int, default=2)
    wanted = asked.parse_args()
    # Ours runs at low priority by itself: on a busy machine the plain way shall fare no better.
    os.nice(max(0, GENTLE - os.nice(0)))
    where = server()
    try:
        connection = connected(where)
    except Exception as error:
        sys.stderr.write(
            f"history: no PostgreSQL ({type(error).__name__}); name one in DIPGATE_TEST_POSTGRES\n"
        )
        return 1 if os.environ.get("DIPGATE_NO_SKIPS") else 0
    schema = f"bench_history_{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder, schema_of(connection, schema):
        made = time.perf_counter()
        seed = Path(folder) / "seed"
        seed.mkdir()
        activate_sample(seed, NOW)
        library = load_library(seed, "sample", day=date(2025, 3, 1))
        fill(connection, schema, References(seed, OWN), library, wanted.cases)
        sys.stderr.write(f"{wanted.cases} cases made in {time.perf_counter() - made:.0f} s\n")
        password = urlsplit(os.environ.get("DIPGATE_TEST_POSTGRES") or USUAL).password
        if password:
            os.environ["BENCH_HISTORY_PASSWORD"] = unquote(password)
        named = "BENCH_HISTORY_PASSWORD" if password else ""
        plain_state = make_state(Path(folder) / "plain", where, schema, named)
        plain = run_plain(plain_state, connection, schema, wanted.sample)
        sys.stderr.write(f"plain: {plain:.1f} cases per second\n")
        connection.rollback()
        state = make_state(Path(folder) / "ours", where, schema, named)
        seconds, peaks = run_ours(state, wanted.jobs)
        with open_desk(state, state / "site.toml", read_only=True):
            pass
        judged = _judged(state)
    ratio = wanted.cases / seconds / plain
    line = {
        "bench": "history",
        "cases": wanted.cases,
        "judged": judged,
        "jobs": wanted.jobs,
        "plain_sample": wanted.sample,
        "plain_per_second": round(plain, 1),
        "ours_per_second": round(wanted.cases / seconds, 1),
        "seconds": round(seconds, 1),
        "peak_mib": peaks,
        "ratio": round(ratio, 2),
        "goal": f">= {GOAL}",
        "met": ratio >= GOAL and judged == wanted.cases,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    return 0 if line["met"] else 1


def _judged(state: Path) -> int:
    import sqlite3
    from contextlib import closing

    file = history.folder(state) / "dipgate.sqlite"
    query = (
        "SELECT count(DISTINCT c.settlement_id) FROM cases c"
        " JOIN verdicts v ON v.case_id = c.id AND v.list_hash = c.list_hash"
        " JOIN groupings g ON g.case_id = c.id AND g.list_hash = c.list_hash"
    )
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute(query).fetchone()[0])


if __name__ == "__main__":
    sys.exit(main())
