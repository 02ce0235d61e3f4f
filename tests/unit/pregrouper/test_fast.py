"""The compiled loop says of every case exactly what the plain engine says."""

from __future__ import annotations

import csv
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from dipgate.config.libraries import import_library, load_library
from dipgate.config.policies import load_policy
from dipgate.config.references import References
from dipgate.core.case import Case, Diagnosis, Procedure
from dipgate.core.clock import CHINA
from dipgate.core.errors import ConfigError
from dipgate.core.grouping import GroupStatus
from dipgate.core.library import LibraryData
from dipgate.core.policy import Policy
from dipgate.core.policy_parts import Grouping
from dipgate.core.reference import Hospital, NotPrincipal
from dipgate.demo.bulk_cases import BulkCases
from dipgate.pregrouper import Library, compile_library, group
from dipgate.pregrouper.batch import entries_of
from dipgate.pregrouper.fast import FastGrouper, check_installed, fast_grouper

pytest.importorskip("numba", reason="the extra [fast] is not installed")

Make = Callable[..., Any]
DAY = date(2025, 3, 1)
RANK = ["CS", "BS", "CT", "BT", "CD", "BD", "ZS", "ZT", "ZD", "CN", "BN", "ZN"]
VARIANTS: dict[str, dict[str, Any]] = {
    "as the area writes it": {},
    "most terms, closest fee, ranges": {
        "op_roles": "set",
        "op_type": {"case_type_from": "max_of_all"},
        "select": ["max_and_terms", "max_matched_ops", "closest_fee", "rank"],
        "rank": RANK,
        "comprehensive": {
            "keys": ["cat3", "cat2", "chapter1"],
            "ranges": True,
            "floor": "chapter_first",
        },
        "blank_code": None,
    },
    "exact cover, score": {
        "op_roles": "set",
        "op_type": {"case_type_from": "max_of_all"},
        "select": ["exact_cover", "max_score", "rank"],
        "rank": RANK,
    },
    "principal in key, levels": {
        "op_roles": "set",
        "op_type": {"interventional_as": "治疗性操作", "case_type_from": "principal"},
        "select": ["main_op_in_key", "max_and_terms", "max_matched_ops", "closest_fee", "rank"],
        "rank": RANK,
        "comprehensive": {"level_split": True},
    },
    "open surgery to comprehensive": {
        "op_roles": "set",
        "op_type": {"case_type_from": "max_of_all"},
        "select": ["max_and_terms", "comp_surgery_if_unmatched_surgery", "rank"],
        "rank": RANK,
    },
    "class not said, unknown codes used, nothing decides": {
        "op_type": {"case_type_from": None},
        "unmapped_codes": "use",
        "select": [],
    },
    "related operations": {"select": ["max_related_matched", "principal_only_row"]},
    "surgery by score, odd ranks": {
        "op_roles": "set",
        "select": ["surgery_max_score", "max_and_terms", "rank"],
        "rank": ["ZS", "B", "C*", "ZT"],
        "dx_keys": ["full", "sub4", "cat3"],
        "layers": ["comprehensive", "core"],
    },
    "core alone": {"layers": ["core"]},
}


def variant(policy: Policy, over: dict[str, Any]) -> Policy:
    """The policy with other rules of grouping."""
    rules = policy.grouping.model_dump(mode="json", by_alias=True, exclude_none=True)
    for name, value in over.items():
        old = rules.get(name)
        merged = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
        rules[name] = merged
    return policy.model_copy(update={"grouping": Grouping.model_validate(rules)})


@dataclass(frozen=True)
class World:
    """A library as imported, its area's policy, and the catalogues that go with it."""

    data: LibraryData
    policy: Policy
    op_category: dict[str, str]
    known_dx: dict[str, str]
    not_principal: dict[str, NotPrincipal]

    def cases(self, count: int, start: int = 0) -> list[Case]:
        """Invented cases; every tenth is bent in a way that a region's files are bent."""
        made = BulkCases(self.data.rows, diagnoses=sorted(self.known_dx))
        held = list(made.rows(count, start=start))
        columns = {name: [row[name] for row in held] for name in held[0]}
        return [bent(entry.case, at) for at, entry in enumerate(entries_of(columns), start)]

    def check(self, policy: Policy, cases: Sequence[Case]) -> Counter[GroupStatus]:
        """Compare every field of every result; the statuses that occurred."""
        library = compile_library(self.data, policy)
        tables = (self.op_category, self.known_dx, self.not_principal)
        fast = FastGrouper(library, policy, *tables)
        found = fast.run(fast.coded(cases), lambda at: cases[at])
        statuses: Counter[GroupStatus] = Counter()
        for at, case in enumerate(cases):
            plain = self.plain(case, library, policy)
            assert found.result(at) == plain, (case.principal, case.procedures)
            statuses[plain.status] += 1
        assert len(found.open) < len(cases) / 2, "the loop decides, not the engine behind it"
        return statuses

    def plain(self, case: Case, library: Library, policy: Policy) -> Any:
        return group(
            case,
            library,
            policy,
            op_category=self.op_category,
            known_dx=self.known_dx,
            not_principal=self.not_principal,
            trace=False,
        )


def bent(case: Case, number: int) -> Case:
    rng = random.Random(number)  # noqa: S311
    chance = rng.randrange(100)
    ops = list(case.procedures)
    if chance == 0 and ops:
        return structs.replace(case, procedures=(*ops, *ops))
    if chance == 1 and ops:
        rng.shuffle(ops)
        return structs.replace(case, procedures=tuple(ops))
    if chance == 2:
        return structs.replace(case, tcm=(Diagnosis("A01.01", "", "2", "", 9),))
    if chance == 3:
        return structs.replace(case, stay_type="2")
    if chance == 4:
        return structs.replace(case, payment_method="5")
    if chance == 5 and case.discharged:
        return structs.replace(
            case, discharged=case.discharged - timedelta(days=4000), admitted=None
        )
    if chance == 6:
        many = tuple(Procedure(f"99.{at:04d}", "", False, None, at) for at in range(70))
        return structs.replace(case, procedures=(*ops, *many))
    if chance == 7 and ops:
        lost = structs.replace(ops[0], code=ops[0].code.lstrip("0").rstrip("0"))
        return structs.replace(case, procedures=(lost, *ops[1:]))
    if chance == 8:
        return structs.replace(case, fee=None, settled=None, discharged=None)
    return case


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> World:
    from dipgate.config.catalogues import activate_sample

    state = tmp_path_factory.mktemp("fast") / "state"
    state.mkdir()
    activate_sample(state, datetime(2025, 1, 1, tzinfo=CHINA))
    own = Hospital("H99010000001", "示例市第一人民医院", "3", "990100")
    ref = References(state, own).on(DAY)
    assert ref.icd9cm3 is not None
    assert ref.icd10 is not None
    return World(
        load_library(state, "sample", day=DAY),
        load_policy("sample_2025"),
        dict(ref.icd9cm3.attributes["category"]),
        dict(ref.icd10.names),
        dict(ref.not_principal or {}),
    )


@pytest.fixture(scope="module")
def city(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    state = tmp_path_factory.mktemp("city")
    now = datetime(2025, 1, 1, tzinfo=CHINA)
    file = shared / "data" / "dip" / "pingdingshan_2025.csv"
    import_library(state, "city", "2025", now.date(), file, partial=False, supersede=False, now=now)

    def column(name: str, what: str) -> dict[str, str]:
        with (shared / "data" / "icd" / name).open(encoding="utf-8") as lines:
            return {line["code"]: line[what] for line in csv.DictReader(lines)}

    return World(
        load_library(state, "city", "2025"),
        load_policy("pingdingshan_2025"),
        column("icd9cm3_nhsa_v2.csv", "category"),
        column("icd10_nhsa_v2.csv", "name"),
        {},
    )


@pytest.mark.parametrize("name", VARIANTS)
def test_every_field_is_the_engines(sample: World, name: str) -> None:
    sample.check(variant(sample.policy, VARIANTS[name]), sample.cases(1_500))


def test_twenty_thousand_cases_of_the_sample(sample: World) -> None:
    statuses = sample.check(sample.policy, sample.cases(20_000))
    assert set(statuses) >= {
        GroupStatus.GROUPED,
        GroupStatus.GROUPED_COMPREHENSIVE,
        GroupStatus.BLANK,
        GroupStatus.INVALID_INPUT,
        GroupStatus.ROUTED_OUT,
    }


@pytest.mark.shared_data
def test_twenty_thousand_cases_of_a_city(city: World) -> None:
    statuses = city.check(city.policy, city.cases(20_000))
    assert statuses[GroupStatus.GROUPED] > 10_000


@pytest.mark.release
@pytest.mark.shared_data
def test_a_million_cases_of_a_city(city: World) -> None:
    for start in range(0, 1_000_000, 50_000):
        city.check(city.policy, city.cases(50_000, start))


@pytest.mark.shared_data
@pytest.mark.parametrize("name", VARIANTS)
def test_every_field_on_a_citys_library(city: World, name: str) -> None:
    city.check(variant(city.policy, VARIANTS[name]), city.cases(3_000))


def test_a_later_run_knows_what_an_earlier_one_learned(sample: World) -> None:
    """Outcomes are asked of the engine once; a new code or context between runs changes nothing."""
    library = compile_library(sample.data, sample.policy)
    fast = FastGrouper(library, sample.policy, sample.op_category, sample.known_dx, {})
    cases = sample.cases(600)
    first = fast.run(fast.coded(cases[:300]), lambda at: cases[at])
    again = fast.run(fast.coded(cases), lambda at: cases[at])
    known = len(again.outcomes)
    fast.run(fast.coded(cases[:300]), lambda at: cases[at])
    assert len(again.outcomes) == known
    assert [first.result(at) for at in range(300)] == [again.result(at) for at in range(300)]


@pytest.mark.parametrize(
    ("over", "path"),
    [
        (
            {"grouping": {"op_match": {"prefix_if_shorter_than": 7}}},
            "grouping.op_match.prefix_if_shorter_than",
        ),
        ({"auxiliary": {"mode": "coefficient_table"}}, "auxiliary.mode"),
    ],
)
def test_what_the_loop_does_not_know_is_refused_by_path(
    over: dict[str, Any], path: str, make_policy: Make, make_library: Make
) -> None:
    policy = make_policy(**over)
    library = compile_library(make_library(("K80.1", "51.2300", "1700")), policy)
    with pytest.raises(ConfigError, match="快速分组不支持") as caught:
        FastGrouper(library, policy, {"51.2300": "手术"})
    assert caught.value.path == path


def test_without_the_extra_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ConfigError, match=r"pip install 'dipgate\[fast\]'"):
        check_installed()


def test_without_a_catalogue_of_operations_nothing_is_guessed(
    make_policy: Make, make_library: Make
) -> None:
    from dipgate.core.reference import Reference

    policy = make_policy()
    library = compile_library(make_library(("K80.1", "51.2300", "1700")), policy)
    with pytest.raises(ConfigError) as caught:
        fast_grouper(library, policy, Reference(DAY))
    assert caught.value.path == "icd9cm3"
