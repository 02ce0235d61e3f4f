"""Code search on the national lists, from a cold index: build, memory, time per key, first hits.

The lists are imported into a fresh state folder, the index is built from nothing, and then every
search of the synthetic habits is typed key by key: each key is one search, as in the browser.
Without the national lists beside the checkout there is nothing to measure.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import time
from collections import Counter
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import insert

from dipgate.config.catalogues import import_catalogue
from dipgate.config.site_template import TEMPLATE
from dipgate.core.clock import CHINA, FixedClock
from dipgate.pipeline.code_search import CodeKind, prepare, search_codes
from dipgate.pipeline.desk import Desk
from dipgate.service.wiring import open_desk
from dipgate.store.desk_tables import code_usage

if TYPE_CHECKING:
    from search_habits import Habit, World

GOAL_MILLIS, GOAL_FIRST = 80.0, 0.9
GOAL_BUILD_SECONDS, GOAL_MEGABYTES = 5.0, 120.0
TYPED = 120
"""Searches that are typed key by key; all of them are put once as a whole."""
DAY = date(2025, 1, 1)
FILES = {
    "icd10": "data/icd/icd10_nhsa_v2.csv",
    "icd9cm3": "data/icd/icd9cm3_nhsa_v2.csv",
    "icd10-map": "data/mapping/icd10_gl2_to_nhsa2.csv",
    "icd9cm3-map": "data/mapping/icd9cm3_gl3_to_nhsa2.csv",
    "not-principal": "standards/validation-data-not-principal.csv",
}


def shared_folder() -> Path | None:
    named = os.environ.get("DIPGATE_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared"
    return folder if all((folder / file).is_file() for file in FILES.values()) else None


def resident_megabytes() -> float:
    """Memory of this process; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def searched(desk: Desk, habit: Habit, typed: str) -> tuple[float, str]:
    """Milliseconds of one search, and its first code."""
    kind = CodeKind(habit.kind)
    start = time.perf_counter()
    found = search_codes(
        desk,
        typed,
        kind=kind,
        department=habit.ward,
        principal=kind is CodeKind.DIAGNOSIS,
    )
    took = (time.perf_counter() - start) * 1000
    return took, found.hits[0].code if found.hits else ""


def measured(desk: Desk, world: World) -> tuple[list[float], float, Counter[str]]:
    """Time of every search, the share whose first hit was right, and misses by habit."""
    from search_habits import ask

    times: list[float] = []

    def search(habit: Habit) -> str:
        took, code = searched(desk, habit, habit.typed)
        times.append(took)
        return code

    score = ask(world, search)
    for habit in world.habits[:TYPED]:
        for end in range(1, len(habit.typed)):
            times.append(searched(desk, habit, habit.typed[:end])[0])
    return times, score.share(), score.asked - score.right


def main() -> int:
    shared = shared_folder()
    if shared is None:
        line = {"bench": "search", "skipped": "the national lists are not beside the checkout"}
        sys.stdout.write(json.dumps(line) + "\n")
        return 0
    now = datetime(2025, 6, 16, 12, tzinfo=CHINA)
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        (state / "site.toml").write_text(TEMPLATE, encoding="utf-8")
        for kind, file in FILES.items():
            layer = {"layer": "national"} if kind.endswith("-map") else {}
            import_catalogue(state, kind, "2.0", DAY, shared / file, now=now, **layer)
        with open_desk(state, state / "site.toml", clock=FixedClock(now)) as desk:
            return report(desk)


def report(desk: Desk) -> int:
    ref = desk.reference(None)  # loads the catalogues, which is not measured
    gc.collect()
    before, start = resident_megabytes(), time.perf_counter()
    prepare(desk)
    build = time.perf_counter() - start
    grown = resident_megabytes() - before
    # Only now: the habits load the dictionary of readings, which is part of what is measured.
    from search_habits import make_world

    world = make_world(ref)
    rows = [{"kind": "", "department": "", "code": "", "uses": 1}, *world.counts()]
    desk.store.write(lambda conn: conn.execute(insert(code_usage), rows))
    times, share, misses = measured(desk, world)
    times.sort()
    p95 = times[int(len(times) * 0.95)]
    met = (
        p95 <= GOAL_MILLIS
        and share >= GOAL_FIRST
        and build <= GOAL_BUILD_SECONDS
        and grown <= GOAL_MEGABYTES
    )
    line = {
        "bench": "search",
        "codes": sum(len(table.names) for table in (ref.icd10, ref.icd9cm3) if table),
        "build_seconds": round(build, 2),
        "build_goal": f"<= {GOAL_BUILD_SECONDS}",
        "memory_megabytes": round(grown, 1),
        "memory_goal": f"<= {GOAL_MEGABYTES}",
        "searches": len(times),
        "p50_millis": round(times[len(times) // 2], 1),
        "p95_millis": round(p95, 1),
        "longest_millis": round(times[-1], 1),
        "goal": f"p95 <= {GOAL_MILLIS}",
        "first_hit_right": round(share, 3),
        "first_goal": f">= {GOAL_FIRST}",
        "misses": dict(misses),
        "met": met,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
