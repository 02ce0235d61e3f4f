"""Grouping in one process: the engine and the compiled loop against the plain dict loop and drgpy.

All in one run and in turn, in seconds of this process alone, so that a busy machine shows little;
what counts is the median of the ratios. The plain loop (plain_group.py) must give the engine's
group and points to 98 of 100 cases, the compiled loop the whole result of every case.

Each round has cases that no round before had: of a region's cases some are alike, and the engine
may make use of that, but none is grouped twice. The first round warms every side up. drgpy knows
its own codes only and is given claims of the same size: as many diagnoses and procedures each.
"""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import group_world
import numpy as np
import plain_group
import pyarrow as pa
import pyarrow.parquet as pq
from drgpy.msdrg import DRGEngine
from group_world import World
from msgspec import structs

from dipgate.core.case import Case, Diagnosis
from dipgate.core.grouping import GroupResult
from dipgate.demo.bulk_cases import FlatRow
from dipgate.pregrouper.batch import Entry, Tables, entries_of, judge
from dipgate.pregrouper.fast import CodedCases, FastGrouper
from dipgate.pregrouper.fast_columns import group_columns

CASES = 20_000
TIMES = 25
"""The compiled loop is given the cases so many times over, to be long enough to measure."""
CLAIMS = 2_000
OTHERS = 16
ROUNDS = 5
FILE_ROUNDS = 4
BATCH = 65_536
REGION = 10_000_000
COLUMNS = (
    "dx",
    "ops",
    "tcm_dx",
    "medfee_sumamt",
    "setl_end_date",
    "adm_time",
    "dscg_time",
    "ipt_med_type",
    "hi_paymtd",
)
AGREED = 0.98
KILO = 1024


def seconds(work: Callable[[], Any]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


class Bench:
    """Both sides, and the cases of the present round."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.fast, self.codes = world.fast(), sorted(world.known_dx)
        rows = self.take_round(0)
        self.grouper = world.grouper
        self.tables = Tables(world.policy, self.grouper, world.ref)
        related = "max_related_matched" in (world.policy.grouping.select or ())
        blank = world.policy.grouping.blank_code or ""
        self.plain = plain_group.PlainGrouper(
            world.data.rows, world.classes, world.known_dx, related, blank
        )
        self.file = folder / "cases.parquet"
        table = pa.table({name: [row[name] for row in rows] for name in COLUMNS})
        pq.write_table(pa.concat_tables([table] * TIMES).combine_chunks(), self.file)
        self.table = table
        self.drg = DRGEngine()
        self.claims = claims(self.drg, self.cases)

    def take_round(self, number: int) -> list[FlatRow]:
        """The cases of a round, in every form that a side takes them in."""
        rows = self.world.rows(CASES, start=number * CASES)
        self.entries = list(entries_of({name: [row[name] for row in rows] for name in rows[0]}))
        self.cases = [
            with_others(entry.case, self.codes, at) for at, entry in enumerate(self.entries)
        ]
        self.pairs = [
            (case.principal.code if case.principal else "", [op.code for op in case.procedures])
            for case in self.cases
        ]
        self.coded = self.fast.coded(self.cases)
        self.many = many_times(self.coded, TIMES)
        # What is new in the round is asked of the engine here; the ten million count that in.
        self.fast.run(self.coded, lambda at: self.cases[at])
        return rows

    def dict_loop(self) -> list[tuple[str, Any]]:
        return self.plain.group_all(self.pairs)

    def untraced(self) -> list[GroupResult]:
        ref = self.world.ref
        return [self.grouper.group(case, ref, trace=False) for case in self.cases]

    def traced(self) -> list[GroupResult]:
        ref = self.world.ref
        return [self.grouper.group(case, ref) for case in self.cases]

    def drgpy(self) -> None:
        for diagnoses, procedures in self.claims:
            self.drg.get_drg(diagnoses, procedures)

    def loop(self) -> Any:
        return self.fast.run(self.many, lambda at: self.cases[at % CASES])

    def dict_from_parquet(self) -> int:
        found = 0
        for batch in pq.ParquetFile(self.file).iter_batches(BATCH, columns=["dx", "ops"]):
            texts = zip(
                batch.column("dx").to_pylist(), batch.column("ops").to_pylist(), strict=True
            )
            found += len(self.plain.group_all(texts))
        return found

    def loop_from_parquet(self) -> int:
        return sum(len(found) for found in self.batches())

    def batches(self) -> Any:
        return grouped_file(self.fast, self.file, self.answer)

    def answer(self, entry: Entry) -> GroupResult:
        return judge(entry, lambda _: self.tables, trace=False).group

    def one_case(self) -> list[float]:
        """Milliseconds of single traced cases."""
        took, ref = [], self.world.ref
        for case in self.cases[:2_000]:
            start = time.perf_counter()
            self.grouper.group(case, ref)
            took.append((time.perf_counter() - start) * 1000)
        return sorted(took)


def grouped_file(fast: FastGrouper, file: Path, answer: Callable[[Entry], GroupResult]) -> Any:
    """The results of a Parquet file, batch by batch."""
    texts = ["dx", "setl_end_date", "ipt_med_type", "hi_paymtd"]
    with pq.ParquetFile(file, read_dictionary=texts, pre_buffer=False) as held:
        for batch in held.iter_batches(BATCH, use_threads=False):
            yield group_columns(fast, batch, answer).results


def many_times(cases: CodedCases, times: int) -> CodedCases:
    size = cases.offsets[-1]
    offsets = [cases.offsets[:-1] + at * size for at in range(times)]
    return CodedCases(
        np.tile(cases.dx, times),
        np.concatenate([*offsets, np.array([size * times])]),
        np.tile(cases.ops, times),
        np.tile(cases.fee, times),
        np.tile(cases.context, times),
    )


def with_others(case: Case, codes: list[str], number: int) -> Case:
    """The case with up to fifteen other diagnoses, as a settlement list has them."""
    rng = random.Random(number)  # noqa: S311
    others = tuple(
        Diagnosis(rng.choice(codes), "", "1", "", place)
        for place in range(1, 1 + rng.randrange(OTHERS))
    )
    return structs.replace(case, others=others)


def claims(engine: Any, cases: list[Case]) -> list[tuple[list[str], list[str]]]:
    """Codes of drgpy's own tables, as many per stay as the cases have."""
    rng = random.Random(1)  # noqa: S311
    diagnoses, procedures = sorted(engine.dxmap), sorted(engine.prmap)
    return [
        (
            [rng.choice(diagnoses) for _ in range(1 + len(case.others))],
            [rng.choice(procedures) for _ in case.procedures],
        )
        for case in cases[:CLAIMS]
    ]


def agree(bench: Bench) -> str:
    """What is wrong between the sides, or empty text."""
    ours = bench.untraced()
    plain = bench.dict_loop()
    same = sum(
        (one.group_code, one.base_score) == other for one, other in zip(ours, plain, strict=True)
    )
    if same < AGREED * CASES:
        return f"the plain loop agrees on {same} of {CASES} cases alone"
    found = bench.fast.run(bench.coded, lambda at: bench.cases[at])
    wrong = [at for at in range(CASES) if found.result(at) != ours[at]]
    if wrong:
        return f"the compiled loop differs on {len(wrong)} cases"
    at = 0
    judged = [bench.answer(entry) for entry in bench.entries]
    for results in bench.batches():
        for place in range(len(results)):
            if results.result(place) != judged[at % CASES]:
                return f"from Parquet case {at % CASES} differs"
            at += 1
            if at == CASES:
                return ""
    return "the file is too short"


def rates(bench: Bench) -> dict[str, list[float]]:
    """Cases per second of each side, once per round."""
    found: dict[str, list[float]] = {}
    sides: dict[str, tuple[int, Callable[[], Any]]] = {
        "dict": (CASES, bench.dict_loop),
        "untraced": (CASES, bench.untraced),
        "traced": (CASES, bench.traced),
        "drgpy": (CLAIMS, bench.drgpy),
        "coded": (CASES * TIMES, bench.loop),
        "dict_parquet": (CASES * TIMES, bench.dict_from_parquet),
        "fast_parquet": (CASES * TIMES, bench.loop_from_parquet),
    }
    for number in range(ROUNDS + 1):
        bench.take_round(number + 1)
        for name, (count, work) in sides.items():
            if not name.endswith("parquet") or number < FILE_ROUNDS:
                rate = count / seconds(work)
                if number:
                    found.setdefault(name, []).append(rate)
    return found


def region(bench: Bench, folder: Path) -> dict[str, Any]:
    """Ten million cases through a process of its own; its memory at most."""
    file = folder / "region.parquet"
    with pq.ParquetWriter(file, bench.table.schema) as writer:
        for _ in range(REGION // CASES // 5):
            writer.write_table(pa.concat_tables([bench.table] * 5).combine_chunks())
    command = [sys.executable, __file__, "--region", str(file), str(bench.world.state)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    file.unlink()
    return dict(json.loads(said.stdout))


def region_alone(file: Path, state: Path) -> None:
    """The child: group the file and say how long it took and how much memory."""
    world = group_world.open_world(state)
    tables = Tables(world.policy, world.grouper, world.ref)
    fast = world.fast()
    count = 0
    start = time.perf_counter()

    def answer(entry: Entry) -> GroupResult:
        return judge(entry, lambda _: tables, trace=False).group

    for results in grouped_file(fast, file, answer):
        count += len(results)
    took = time.perf_counter() - start
    said = {"cases": count, "seconds": round(took, 1), "peak_mb": round(peak_memory())}
    sys.stdout.write(json.dumps(said))


def peak_memory() -> float:
    """Megabytes at most. What getrusage says begins with the memory of the parent."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / KILO
    raise SystemExit("no VmHWM: memory can be measured on Linux alone")


def main() -> int:
    with tempfile.TemporaryDirectory() as name, group_world.world() as world:
        folder = Path(name)
        bench = Bench(world, folder)
        wrong = agree(bench)
        if wrong:
            sys.stderr.write(wrong + "\n")
            return 1
        rate = rates(bench)
        latency = bench.one_case()
        memory = region(bench, folder)

    def ratio(ours: str, theirs: str) -> float:
        pairs = zip(rate[ours], rate[theirs], strict=False)
        return round(statistics.median(one / other for one, other in pairs), 2)

    p95 = latency[int(len(latency) * 0.95)]
    goals: list[tuple[str, float, str, bool]] = [
        ("traced / drgpy", value := ratio("traced", "drgpy"), ">= 1.5", value >= 1.5),
        ("untraced / dict loop", value := ratio("untraced", "dict"), ">= 0.5", value >= 0.5),
        ("coded / dict loop", value := ratio("coded", "dict"), ">= 20", value >= 20),
        (
            "Parquet / dict loop from Parquet",
            value := ratio("fast_parquet", "dict_parquet"),
            ">= 5",
            value >= 5,
        ),
        ("peak MB of ten million cases", memory["peak_mb"], "< 600", memory["peak_mb"] < 600),
        ("traced case, p95 in ms", round(p95, 3), "<= 1", p95 <= 1),
    ]
    line = {
        "bench": "group",
        "library": world.name,
        "per_second": {side: round(statistics.median(values)) for side, values in rate.items()},
        "traced_case_ms": {"median": round(statistics.median(latency), 3), "p95": round(p95, 3)},
        "ten_million": memory,
        "goals": {
            what: {"value": value, "goal": goal, "met": met} for what, value, goal, met in goals
        },
    }
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    for what, value, goal, met in goals:
        sys.stderr.write(f"{what:<36}{value:>10}  {goal:<8} {'met' if met else 'NOT MET'}\n")
    return 0 if all(met for *_, met in goals) else 1


if __name__ == "__main__":
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    if sys.argv[1:2] == ["--region"]:
        region_alone(Path(sys.argv[2]), Path(sys.argv[3]))
        sys.exit(0)
    sys.exit(main())
