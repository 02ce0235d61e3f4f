"""JSON in → rules → durable verdict, against the plain way of writing the same thing.

Ours: the list read, the shipped packs as one compiled function each, verdicts committed in
batches. Plain (`plain_check.py`): a pydantic object per case, a closure per check of the same
packs, a commit per case. Both store the same verdicts in the same tables of the same kind of store
(SQLite, WAL, FULL), and must find the same rules broken in every case. The two take turns; what
counts is the median of the ratios.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import plain_check
import plain_rules

from dipgate.config.rules import base_case, example_reference, load_pack, rule_world
from dipgate.core.clock import FixedClock
from dipgate.core.findings import Finding, FindingStatus
from dipgate.core.lists import SettlementList, read_list
from dipgate.core.reference import Reference
from dipgate.core.rules import RuleWorld
from dipgate.store import Store, cases, open_store, verdicts
from dipgate.validators import Pack, check, compile_pack, function_rules

CASES = 400
ROUNDS = 5
BATCH = 200
GOAL = 4.0
NOW = datetime(2025, 4, 1, tzinfo=UTC)
TODAY = date(2025, 4, 1)
DEFECTS = (
    {"setlinfo.bill_no": "", "setlinfo.act_ipt_days": "8"},
    {"diseinfo[1].diag_name": "高血压", "iteminfo[0].claa_sumfee": "699.99"},
    {"oprninfo[0].oper_dr_code": "N990100000901", "setlinfo.gend": "2"},
    {"setlinfo.medfee_sumamt": "12000.01", "diseinfo[2].diag_code": "D25.900"},
)
Found = list[frozenset[str]]
Keys = dict[str, tuple[str, str]]
"""settlement → case id and list hash"""


def make_cases() -> list[bytes]:
    """The base case many times; every third has two defects."""
    base = base_case()
    blobs = []
    for number in range(CASES):
        lst = base.with_value("setlinfo.setl_id", f"SE{number:08d}")
        if number % 3 == 0:
            for path, value in DEFECTS[number // 3 % len(DEFECTS)].items():
                lst = lst.with_value(path, value)
        blobs.append(lst.as_json())
    return blobs


def run_plain(
    store: Store, keys: Keys, blobs: list[bytes], ref: Reference, world: RuleWorld
) -> tuple[float, Found]:
    """Seconds, and the rules found broken in each case."""
    model, rules = plain_check.model(blobs[0], world), plain_rules.checks(ref)
    said = []
    start = time.perf_counter()
    for blob in blobs:
        obj: Any = model.model_validate_json(blob)
        found = plain_check.judge(obj, rules)
        verdict = verdicts.Verdict(*keys[obj.setlinfo.setl_id], "plain", found, NOW)
        store.write(lambda conn, one=verdict: verdicts.put_verdicts(conn, [one]))  # type: ignore[misc]
        said.append(found)
    return time.perf_counter() - start, broken(said)


def put_cases(store: Store, blobs: list[bytes]) -> Keys:
    """The lists as mapping stores them, not measured: settlement → case id, list hash."""

    def one(conn: Any, lst: SettlementList) -> tuple[str, tuple[str, str]]:
        row = cases.put_case(
            conn,
            lst=lst,
            origins=(),
            source="bench",
            stay_key=lst.settlement_id,
            person_no="",
            settled_on=TODAY,
            department="",
            doctor="",
            fee_fen=None,
            now=NOW,
        )
        return lst.settlement_id, (row.id, row.list_hash)

    lists = [read_list(blob) for blob in blobs]
    return dict(store.write(lambda conn: [one(conn, lst) for lst in lists]))


def run_ours(
    store: Store,
    keys: Keys,
    blobs: list[bytes],
    packs: list[Pack],
    ref: Reference,
) -> tuple[float, Found]:
    """Seconds, and the rules found broken in each case."""
    version = packs[0].version
    said = []
    start = time.perf_counter()
    for at in range(0, len(blobs), BATCH):
        batch = []
        for blob in blobs[at : at + BATCH]:
            lst = read_list(blob)
            found = check(lst, ref, packs, today=TODAY)
            batch.append(verdicts.Verdict(*keys[lst.settlement_id], version, found, NOW))
            said.append(found)
        store.write(lambda conn, batch=batch: verdicts.put_verdicts(conn, batch))  # type: ignore[misc]
    return time.perf_counter() - start, broken(said)


def broken(said: list[tuple[Finding, ...]]) -> Found:
    return [
        frozenset(item.rule for item in found if item.status is FindingStatus.FOUND)
        for found in said
    ]


def main() -> int:
    world, ref, blobs = rule_world(), example_reference(), make_cases()
    packs = [
        compile_pack(load_pack(name), function_rules(name), world, name)
        for name in ("base", "dip-2.0")
    ]
    rates: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            state = Path(folder) / "state"
            with open_store(state, FixedClock(NOW), owner="bench") as store:
                keys = put_cases(store, blobs)
            # Opened again, so that writing the lists themselves is over and done with.
            with open_store(state, FixedClock(NOW), owner="bench") as store:
                run_ours(store, keys, blobs[:8], packs, ref)  # statements are compiled once
                plain, plain_found = run_plain(store, keys, blobs, ref, world)
                ours, ours_found = run_ours(store, keys, blobs, packs, ref)
        if plain_found != ours_found:
            pairs = zip(plain_found, ours_found, strict=True)
            one, other = next(pair for pair in pairs if pair[0] != pair[1])
            sys.stderr.write(f"the two disagree: plain {sorted(one)}, ours {sorted(other)}\n")
            return 1
        rates.append((CASES / plain, CASES / ours))
    base, best = (statistics.median(column) for column in zip(*rates, strict=True))
    ratio = statistics.median(ours / plain for plain, ours in rates)
    line = {
        "bench": "check",
        "cases": CASES,
        "rules": sum(len(pack.rules) for pack in packs),
        "plain_closures": len(plain_rules.checks(ref)),
        "plain_per_second": round(base),
        "ours_per_second": round(best),
        "ratio": round(ratio, 2),
        "goal": f">= {GOAL}",
        "met": ratio >= GOAL,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
