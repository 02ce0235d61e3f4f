"""Why ours differs from theirs: planted causes of every code are found again."""

from __future__ import annotations

import importlib.util
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.libraries import load_library
from dipgate.config.policies import load_policy
from dipgate.config.references import References
from dipgate.core.library import LibraryData
from dipgate.core.policy import Policy
from dipgate.core.reference import Reference
from dipgate.pregrouper import Library, compile_library
from dipgate.pregrouper.attribution import OurSide, editions_of, known_from, why
from dipgate.pregrouper.differences import Reason

_FILE = Path(__file__).with_name("planted_causes.py")
_SPEC = importlib.util.spec_from_file_location("dipgate_planted_causes", _FILE)
assert _SPEC is not None
assert _SPEC.loader is not None
planting = importlib.util.module_from_spec(_SPEC)
sys.modules["dipgate_planted_causes"] = planting
_SPEC.loader.exec_module(planting)

CAUSES = planting.CAUSES
DAY = date(2025, 3, 14)
PER_AREA = 30
OTHER_SELECT = ("core_first", "table_order")


def older(data: LibraryData) -> LibraryData:
    """Last year's edition: other scores, other means, the same groups."""
    rows = tuple(
        replace(
            row,
            score=None if row.score is None else (row.score * Decimal("0.95")).quantize(FOUR),
            average_fee=None
            if row.average_fee is None
            else (row.average_fee * Decimal("0.93")).quantize(TWO),
        )
        for row in data.rows
    )
    return replace(data, version=f"{data.version}-old", rows=rows)


FOUR, TWO = Decimal("0.0001"), Decimal("0.01")


def side_of(
    library: Library, policy: Policy, ref: Reference, old: Library, case: Any = None
) -> OurSide:
    return OurSide(
        case=case,
        library=library,
        policy=policy,
        ref=ref,
        level="3",
        hospital="H1",
        others=(old,),
        editions=editions_of(ref),
    )


@pytest.fixture
def areas(sample_state: Path, make_policy: Callable[..., Policy]) -> tuple[Any, ...]:
    """The two areas of the sample and a made-up one, each with an older library and edition."""
    rng = random.Random(7)  # noqa: S311 - reproducible, not secret
    ref = References(sample_state, None).on(DAY)
    assert ref.icd10 is not None
    assert ref.icd9cm3 is not None
    codes, operations = sorted(ref.icd10.names), sorted(ref.icd9cm3.names)
    ref = replace(
        ref,
        icd10_map=planting.edition_map("icd10-map", codes, rng),
        icd9cm3_map=planting.edition_map("icd9cm3-map", operations, rng),
    )
    made_up = made_up_policy(make_policy)
    found = []
    for name, policy, rules, library in (
        ("sample", load_policy("sample_2025", state=sample_state), planting.SAMPLE, "sample"),
        (
            "neighbour",
            load_policy("sample_neighbour_2025", state=sample_state),
            planting.NEIGHBOUR,
            "sample-neighbour",
        ),
        ("made-up", made_up, planting.MADE_UP, "sample"),
    ):
        data = load_library(sample_state, library)
        compiled = compile_library(data, policy)
        old = compile_library(older(data), policy)
        side = side_of(compiled, policy, ref, old)
        found.append(
            planting.Area(
                name,
                side,
                rules,
                tuple(codes),
                tuple(operations),
                "2025-03",
                OTHER_SELECT,
                old,
            )
        )
    return tuple(found)


def made_up_policy(make_policy: Callable[..., Policy]) -> Policy:
    """K by hospital and pool, the level's own edges, a score beyond the edge with base K."""
    coefficients: dict[str, dict[str, str]] = {}
    for label, (dimension, factor) in planting.LABELS.items():
        coefficients.setdefault(dimension, {})[label] = str(factor)
    return make_policy(
        auxiliary={
            "mode": "coefficient_table",
            "dimensions": ["severity", "cci"],
            "choose": "max_factor",
            "cap": "n/a",
            "coefficients": {"*": coefficients},
        },
        grouping={"basic_groups": ["J06.9", "I10.x", "K29.5", "R42:BSZL"]},
        scoring={
            "institution": {
                "by": "level",
                "pools_differ": True,
                "basic_groups": "none",
                "table": {
                    "3": {"职工": "1.021", "居民": "1.057"},
                    "2": {"职工": "0.874", "居民": "0.901"},
                },
            },
            "average_fee": "group_avg",
            "deviation": {
                "low": {"op": "<=", "at": "0.5", "form": "ratio", "k": "none", "a": False},
                "high": {
                    "op": ">",
                    "at": "2",
                    "form": "excess",
                    "base": "k",
                    "k": "none",
                    "a": True,
                },
                "extreme": {"op": ">", "at": "5", "form": "as_normal"},
            },
        },
        settlement={
            "pool_codes": {"310": "职工", "390": "居民"},
            "point_value": {
                "table": {
                    "职工": {"2025": "9.1734", "2025-02": "9.2051", "2025-04": "9.0987"},
                    "居民": {"2025": "8.4412", "2025-02": "8.5006"},
                },
            },
            "fund_ratio": {"职工": "0.742", "居民": "0.615"},
            "price_keys": ["pool", "month"],
        },
    )


def explained(planted: list[Any]) -> list[Reason]:
    """As a whole return is explained: what several cases show alike counts for each."""
    known = known_from((item.side, item.group, item.score, item.theirs) for item in planted)
    return [why(item.side, item.group, item.score, item.theirs, known).reason for item in planted]


def confusion(pairs: Counter[tuple[Reason, Reason]]) -> str:
    """Planted × found, one line per planted cause."""
    lines = []
    for cause in CAUSES:
        found = {got: n for (put, got), n in sorted(pairs.items()) if put is cause}
        total = sum(found.values())
        if total:
            right = found.get(cause, 0)
            others = ", ".join(f"{got.value} {n}" for got, n in found.items() if got is not cause)
            lines.append(f"{cause.value:10} {right:4}/{total:<4} {right / total:6.1%}  {others}")
    return "\n".join(lines)


def test_planted_causes_of_every_code_are_attributed(areas: tuple[Any, ...]) -> None:
    rng = random.Random(20250314)  # noqa: S311 - reproducible, not secret
    pairs: Counter[tuple[Reason, Reason]] = Counter()
    for area in areas:
        planted = [
            found
            for cause in CAUSES
            for _ in range(PER_AREA if cause is not Reason.AUXILIARY else PER_AREA * len(areas))
            for found in [planting.plant(cause, area, rng)]
            if found is not None
        ]
        for item, got in zip(planted, explained(planted), strict=True):
            pairs[item.reason, got] += 1
    table = confusion(pairs)
    by_cause = {cause: sum(n for (put, _), n in pairs.items() if put is cause) for cause in CAUSES}
    total = sum(by_cause.values())
    assert total >= 1000, table
    right = sum(n for (put, got), n in pairs.items() if put is got)
    assert right / total >= 0.95, f"{right}/{total}\n{table}"
    for cause in CAUSES:
        assert by_cause[cause] >= 30, f"{cause.value} was planted too seldom\n{table}"
        assert pairs[cause, cause] / by_cause[cause] >= 0.9, f"{cause.value}\n{table}"
