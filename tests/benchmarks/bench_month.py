"""A month from MariaDB views to reconciled results, on the national lists and a city's library.

    make bench ARGS="month"
    .venv/bin/python tests/benchmarks/bench_month.py --cases 5000

Prints what a survey finds before anything is stored (completeness, coverage, groups with their
reasons), then what the whole line came to: nothing lost, nothing doubled, every list reconciled.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import national

from dipgate.core.progress import silent
from dipgate.demo.run import finished
from dipgate.pipeline.survey import survey
from dipgate.pipeline.survey_report import field_name, share
from dipgate.service.clock import SystemClock
from dipgate.service.wiring import open_desk


def main() -> int:
    """0 when the month went through whole; 1 otherwise; 0 with a word where the lists lack."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--cases", type=int, default=500)
    reader.add_argument("--seed", type=int, default=7)
    asked = reader.parse_args()
    checkout = Path(__file__).resolve().parents[2]
    shared = Path(os.environ.get("DIPGATE_SHARED") or checkout.parent / "shared")
    if not (shared / "data" / "dip").is_dir():
        sys.stderr.write("没有国家目录（DIPGATE_SHARED），跳过\n")
        return 0
    clock = SystemClock()
    with national.scene(shared) as scene, tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        with finished(
            Path(folder) / "run",
            size=asked.cases,
            seed=asked.seed,
            clock=clock,
            stage=lambda _title: silent,
            scene=scene,
        ) as (summary, detail):
            state = Path(folder) / "run" / "state"
            with open_desk(state, state / "site.toml", clock=clock, read_only=True) as desk:
                found = survey(desk, "his_sql", discharges=asked.cases, seconds=600)
            total = sum(found.groups.values()) or 1
            print(  # noqa: T201
                json.dumps(
                    {
                        "bench": "month",
                        "source": "mariadb",
                        **summary.as_json(),
                        "differences": dict(detail.differences),
                        "killed_once": detail.killed,
                        "completeness": share(found.completeness),
                        "emptiest": {
                            field_name(item.path): share(item.filled / item.of)
                            for item in found.fields
                            if item.filled < item.of
                        },
                        "coverage": {item.kind: share(item.coverage) for item in found.families},
                        "groups": {
                            name: f"{number} ({share(number / total)})"
                            for name, number in found.groups.items()
                        },
                        "money": dict(found.scores),
                        "not_configured": dict(found.not_configured),
                        "wall_seconds": round(time.monotonic() - began, 1),
                    },
                    ensure_ascii=False,
                )
            )
    return 0 if summary.sound else 1


if __name__ == "__main__":
    sys.exit(main())
