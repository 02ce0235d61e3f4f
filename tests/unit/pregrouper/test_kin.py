"""Answers shared between cases whose operations differ: always what the case alone would get."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dipgate.core.grouping import GroupStatus
from dipgate.core.library import LibraryParts, NotMain, OpFacts, OpNotMain
from dipgate.pregrouper import compile_library, group
from dipgate.pregrouper.case_run import CaseRun
from dipgate.pregrouper.notes import Notes
from dipgate.pregrouper.plan import plan_of

Make = Callable[..., Any]
ROWS = (
    ("K80.1", "", "600"),
    ("K80.1", "51.2300", "1700"),
    ("K80.1", "51.2300_54.5101", "1800"),
    ("K80.1", "51.2300+47.0100", "1750"),
    ("K80.1", "36.0700/99.1500", "1400"),
    ("K80.2", "47.0100", "900"),
    ("K80", "手术", "2400", "综合"),
    ("K80", "治疗性操作", "1100", "综合"),
    ("K80", "保守治疗", "500", "综合"),
    ("K81", "手术", "2000", "综合"),
    ("K81", "诊断性操作", "700", "综合"),
)
DIAGNOSES = ("K80.100", "K80.100x001", "K80.200", "K80.300", "K81.000", "K82.000")
PLAIN = ("51.2300", "54.5101", "47.0100", "36.0700", "99.1500", "44.1300x001", "06.2000", "38.9300")
ODD = ("93.9999", "51.23", "6.2", "00.0000", "99.ZZZZ")
CATEGORIES = {"06.2000": "手术", "38.9300": "治疗性操作"}
VARIANTS: dict[str, dict[str, Any]] = {
    "as most": {},
    "any position": {"op_roles": "set", "select": ["max_and_terms", "max_score"]},
    "the row that covers": {
        "op_roles": "set",
        "select": ["exact_cover", "max_matched_ops", "rank"],
    },
    "surgery left open": {
        "select": ["comp_surgery_if_unmatched_surgery", "core_first", "max_score"],
        "op_type": {"case_type_from": "max_of_all"},
    },
    "class not said": {"op_type": {"case_type_from": None}},
    "levels": {
        "op_type": {"simple_op": "incision0_and_level_lt3"},
        "comprehensive": {"level_split": "true"},
    },
    "listed operations": {"exclusions": {"op_list": "exact"}},
    "listed operations dropped": {"exclusions": {"op_list": "drop"}},
    "the next one": {
        "exclusions": {"op_list": "exact", "on_conservative_main": "promote_next"},
    },
    "raw codes": {"unmapped_codes": "use"},
    "chapter": {"comprehensive": {"floor": "chapter_first"}},
    "blank": {"layers": ["core", "comprehensive", "blank"], "blank_code": "0000"},
}
LEVELS = {"K80:手术": 2, "K80-4": 4}
"""Levels of the comprehensive rows of surgery, where the policy splits by them."""
LISTED = {
    "06.2000": OpNotMain("06.2000", "", NotMain.NEVER, (), 2),
    "99.1500": OpNotMain("99.1500", "", NotMain.CONSERVATIVE, (), 3),
}
FACTS = {
    "51.2300": OpFacts("51.2300", "", "手术", 4, 2),
    "54.5101": OpFacts("54.5101", "", "手术", 2, 0),
    "06.2000": OpFacts("06.2000", "", "手术", 3, 1),
    "38.9300": OpFacts("38.9300", "", "治疗性操作", 1, 0),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_a_shared_answer_is_that_of_the_case_alone(
    make_policy: Make, make_library: Make, make_case: Make, categories: dict[str, str], name: str
) -> None:
    rng = random.Random(name)  # noqa: S311
    policy = make_policy(grouping=VARIANTS[name])
    listed = "exclusions" in VARIANTS[name]
    parts = LibraryParts(
        ops_not_main=LISTED if listed else None, op_dictionary=FACTS if name == "levels" else None
    )
    data = make_library(*ROWS)
    if name == "levels":
        data = make_library(*ROWS, ("K80", "手术", "3100", "综合", "K80-4"))
        levelled = (replace(row, op_level=LEVELS.get(row.group_code)) for row in data.rows)
        data = replace(data, rows=tuple(levelled))
    library = compile_library(replace(data, parts=parts), policy)
    tables = categories | CATEGORIES
    plan = plan_of(library, policy, None, op_category=tables)
    statuses = set()
    for _ in range(1_500):
        pool = (*PLAIN, *ODD) if rng.random() < 0.3 else PLAIN
        ops = [rng.choice(pool) for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 4)))]
        case = make_case(rng.choice(DIAGNOSES), *ops)
        found = group(case, library, policy, op_category=tables, trace=False)
        alone = CaseRun(case, plan, library, policy, Notes(tracing=False)).run()
        assert found == alone, (case.principal, ops)
        statuses.add(found.status)
    assert 0 < len(plan.kin) < 700, "answers are shared"
    assert GroupStatus.GROUPED in statuses
