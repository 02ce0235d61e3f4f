"""Every row of the published tables: a case built from it reaches it, or a row ranked above it.

Counts of the exceptions are by reason; docs/grouping.md explains each. Codes of the tables are
not repeated here: the tables are not ours to copy.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.libraries import import_library, load_library
from dipgate.config.policies import load_policy
from dipgate.core.case import Case, Diagnosis
from dipgate.core.clock import CHINA
from dipgate.core.grouping import GroupResult, GroupStatus, Layer
from dipgate.core.library import NotMain
from dipgate.core.policy import Policy
from dipgate.pregrouper import Library, compile_library, group
from dipgate.pregrouper.library import Group

Make = Callable[..., Any]
pytestmark = pytest.mark.shared_data
NOW = datetime(2025, 1, 1, tzinfo=CHINA)
ATTRIBUTES = {"S": "手术", "T": "治疗性操作", "D": "诊断性操作"}


def lines(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8-sig") as text:
        yield from csv.DictReader(text)


@pytest.fixture(scope="module")
def category(shared: Path) -> dict[str, str]:
    file = shared / "data" / "icd" / "icd9cm3_nhsa_v2.csv"
    return {line["code"]: line["category"] for line in lines(file)}


@pytest.fixture(scope="module")
def diagnoses(shared: Path) -> Mapping[str, list[str]]:
    """亚目 and 类目 → codes of the catalogue; those of the 3.0 list of excluded ones come last."""
    found: dict[str, list[str]] = defaultdict(list)
    file = shared / "data" / "icd" / "icd10_nhsa_v2.csv"
    rows = [(line["not_allowed_as_principal_dip3"], line["code"]) for line in lines(file)]
    for _, code in sorted(rows):
        for key in (code[:5], code[:3]):
            found[key].append(code)
    return found


@pytest.fixture(scope="module")
def city(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Library, Policy]:
    state = tmp_path_factory.mktemp("every_row_city")
    file = shared / "data" / "dip" / "pingdingshan_2025.csv"
    import_library(state, "city", "2025", NOW.date(), file, now=NOW)
    policy = load_policy("pingdingshan_2025")
    return compile_library(load_library(state, "city", "2025"), policy), policy


@pytest.fixture(scope="module")
def national(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Library, Policy]:
    state = tmp_path_factory.mktemp("every_row_national")
    dip, icd = shared / "data" / "dip", shared / "data" / "icd"
    import_library(
        state,
        "national",
        "3.0",
        NOW.date(),
        dip / "national_3.0_excerpt.csv",
        parts={
            "ops-not-main": dip / "national_3.0_ops_not_main_excerpt.csv",
            "tb-resistant": dip / "national_3.0_tb_drug_resistant_dx.csv",
            "primary-care": dip / "national_3.0_primary_care.csv",
            "dx-excluded": icd / "dx_not_allowed_as_principal_dip3.csv",
        },
        partial=True,
        now=NOW,
    )
    policy = load_policy("national_2025")
    return compile_library(load_library(state, "national", "3.0"), policy), policy


def operations(item: Group) -> list[str]:
    """The first alternative of the principal column, then a related one that is not among it."""
    main = sorted(item.main[0]) if item.main else []
    related = next((part for part in item.related if not part & set(main)), frozenset())
    return [*main, *sorted(related)]


def test_every_row_of_a_city(
    city: tuple[Library, Policy],
    category: dict[str, str],
    diagnoses: Mapping[str, list[str]],
    make_case: Make,
) -> None:
    library, policy = city
    core_keys = {item.dx_key for item in library.groups.values() if item.layer is Layer.CORE}
    unused = {
        letter: next(
            code for code, held in category.items() if held == word and code not in library.op_codes
        )
        for letter, word in ATTRIBUTES.items()
    }

    def case_for(item: Group) -> Case:
        codes = diagnoses.get(item.dx_key) or diagnoses.get(item.dx_key[:3]) or ["Z99.999"]
        if item.layer is Layer.CORE:
            return make_case(codes[0], *operations(item))
        free = [code for code in codes if code[:5] not in core_keys] or codes
        ops = (unused[item.treatment],) if item.treatment in unused else ()
        return make_case(free[0], *ops)

    reached: Counter[str] = Counter()
    why: dict[str, list[str]] = defaultdict(list)
    for item in library.groups.values():
        found = group(case_for(item), library, policy, op_category=category, trace=False)
        if found.group_code == item.code:
            reached[item.row.kind] += 1
        else:
            why[_reason(item, found, library)].append(f"{item.code} → {found.group_code}")
    counts = {reason: len(rows) for reason, rows in why.items()}
    assert dict(reached) == {"核心": 3781, "综合": 567, "未入组": 1}, (counts, dict(why))
    assert counts == {
        "取了分值更高的一行": 96,
        "兜底行只装入、不路由": 91,
    }, dict(why)
    assert sum(reached.values()) + sum(counts.values()) == 4536


def _reason(item: Group, found: GroupResult, library: Library) -> str:
    if item.layer is Layer.NONE:
        return "兜底行只装入、不路由"
    lost = [other.why for other in found.alternatives if other.group_code == item.code]
    other = library.groups[found.group_code].row.score
    mine = item.row.score
    if lost == ["取分值最高"] and mine is not None and other is not None and other > mine:
        return "取了分值更高的一行"
    return f"不明：{lost}"


def test_every_row_of_the_national_excerpt(
    national: tuple[Library, Policy],
    category: dict[str, str],
    diagnoses: Mapping[str, list[str]],
    make_case: Make,
) -> None:
    library, policy = national

    def first(key: str) -> str:
        return (diagnoses.get(key.partition("-")[0]) or [key])[0]

    def case_for(item: Group) -> Case:
        condition, others = item.condition, []
        keys = (*sorted(item.dx.keys), *item.dx.spans) if item.dx is not None else ("K80.1",)
        more: dict[str, Any] = {}
        dx = first(keys[0])
        if condition.any_dx:
            others, dx = [dx], first("K80.1")
        if condition.secondary is not None:
            others = [first((*sorted(condition.secondary.keys), *condition.secondary.spans)[0])]
        if condition.resistant:
            others = ["U84.300"]
        if condition.weight is not None:
            more = {"born": date(2025, 3, 1), "birth_weight_g": condition.weight[0]}
        return make_case(
            dx,
            *operations(item),
            others=tuple(Diagnosis(code, "", "1", "", at) for at, code in enumerate(others, 1)),
            **more,
        )

    reached: Counter[str] = Counter()
    missed = []
    for item in library.groups.values():
        found = group(case_for(item), library, policy, op_category=category, trace=False)
        if found.group_code == item.code:
            reached[item.row.kind] += 1
        else:
            missed.append((item.code, found.status.value, found.group_code))
    assert missed == []
    assert dict(reached) == {"XQ": 19, "BX": 70, "FZ": 113, "JC": 247}


def test_every_resistant_diagnosis(national: tuple[Library, Policy], make_case: Make) -> None:
    library, policy = national
    listed = library.parts.tb_resistant or frozenset()
    splits = {}
    for code in listed:
        found = group(make_case(code), library, policy, trace=False)
        splits[code] = (found.layer, found.split)
    assert len(listed) == 48
    assert set(splits.values()) == {(Layer.AUX_SPLIT, "耐药=是")}, splits


def test_every_excluded_diagnosis_and_operation(
    national: tuple[Library, Policy], category: dict[str, str], make_case: Make
) -> None:
    library, policy = national
    excluded = library.parts.dx_excluded or {}
    statuses = Counter(
        group(make_case(code), library, policy, trace=False).status for code in excluded
    )
    assert statuses == {GroupStatus.EXCLUDED_DX: 4742}
    layers: Counter[tuple[NotMain, str]] = Counter()
    for code, entry in (library.parts.ops_not_main or {}).items():
        # A40 has a conservative row and one with this operation.
        case = make_case("A40.900", code, "96.7101")
        found = group(case, library, policy, op_category=category, trace=False)
        layers[entry.treatment, found.treatment] += 1
    assert layers == {
        (NotMain.CONSERVATIVE, "保守治疗"): 382,
        (NotMain.NEVER, "治疗性操作"): 7,
    }


def test_every_basic_group_of_the_national_list(
    national: tuple[Library, Policy],
    category: dict[str, str],
    diagnoses: Mapping[str, list[str]],
    make_case: Make,
) -> None:
    """Those whose group is in the excerpt are basic; the others are not grouped at all."""
    library, policy = national
    seen: Counter[tuple[str, bool]] = Counter()
    for item in library.parts.primary_care or ():
        key = item.dx_code
        codes = diagnoses.get(key.rstrip("+")) or [f"{key}00"]
        dx = next((code for code in codes if "+" in code), codes[0]) if "+" in key else codes[0]
        ops = item.main_ops.split("|")[:1] if item.main_ops else []
        found = group(make_case(dx, *ops), library, policy, op_category=category, trace=False)
        seen[found.status.value, found.is_basic] += 1
    assert seen == {("GROUPED", True): 12, ("UNGROUPED", False): 115}
