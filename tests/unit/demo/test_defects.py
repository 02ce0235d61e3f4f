"""Every planted defect is found by its rule; what nobody touched is clean."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from pathlib import Path

import pytest

from dipgate.config.catalogues import import_catalogue
from dipgate.config.libraries import import_library, load_library
from dipgate.config.references import References
from dipgate.config.resources import resource
from dipgate.core.clock import CHINA
from dipgate.core.findings import Finding, FindingStatus, Severity
from dipgate.core.library import LibraryData
from dipgate.core.reference import Reference
from dipgate.demo.defects import HARD_SHARE
from dipgate.demo.export import csv_source, write_csv
from dipgate.demo.hospital import Hospital, defect_kinds, generate
from dipgate.mapping import MappedCase
from dipgate.validators import Pack, check

Sample = tuple[Reference, LibraryData]
TODAY = date(2025, 4, 2)


def found(case: MappedCase, ref: Reference, packs: list[Pack]) -> list[Finding]:
    findings = check(case.list, ref, packs, today=TODAY)
    return [item for item in findings if item.status is FindingStatus.FOUND]


@pytest.fixture(scope="module")
def verdicts(
    hospital: Hospital,
    sample: Sample,
    packs: list[Pack],
    mapper: object,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, list[Finding]]:
    """Settlement id → what the rules find, from the exported files on."""
    folder: Path = tmp_path_factory.mktemp("export")
    write_csv(hospital, folder)
    assert callable(mapper)
    cases = mapper(csv_source(folder), hospital.stays, sample[0])
    return {case.list.settlement_id: found(case, sample[0], packs) for case in cases}


def test_untouched_lists_have_no_finding_at_all(
    hospital: Hospital, verdicts: dict[str, list[Finding]]
) -> None:
    touched = {item.setl_id for item in hospital.planted}
    loud = Counter(
        (finding.rule, finding.severity.word, finding.message)
        for settlement, findings in verdicts.items()
        if settlement not in touched
        for finding in findings
        if finding.severity is not Severity.HINT
    )
    assert loud == Counter()


def test_every_planted_defect_is_found_by_its_rule_at_its_place(
    hospital: Hospital, verdicts: dict[str, list[Finding]]
) -> None:
    missed = [
        item
        for item in hospital.planted
        if (item.rule, item.field)
        not in {(finding.rule, finding.field) for finding in verdicts[item.setl_id]}
    ]
    assert missed == []


def test_mechanical_defects_carry_a_fix_and_the_others_none(
    hospital: Hospital, verdicts: dict[str, list[Finding]]
) -> None:
    for item in hospital.planted:
        hits = [finding for finding in verdicts[item.setl_id] if finding.rule == item.rule]
        assert any(hit.fixes for hit in hits) == item.mechanical, item


def test_shares_and_kinds(hospital: Hospital) -> None:
    count = Counter(item.kind for item in hospital.planted)
    size = len(hospital.stays)
    assert len(hospital.planted) == round(0.3 * size)
    assert sum(not item.mechanical for item in hospital.planted) <= HARD_SHARE * size
    assert len({item.setl_id for item in hospital.planted}) == len(hospital.planted)
    assert len(defect_kinds()) >= 30
    assert len(count) >= len(defect_kinds()) - 2, "a month of this size shows nearly every kind"
    wanted = {
        "P004",
        "B039",
        "B041",
        "H044",
        "H045",
        "B060",
        "H040",
        "H006",
        "H007",
        "D001",
        "D002",
    }
    assert wanted <= {item.rule for item in hospital.planted}, "what platforms refuse most"


def test_a_defect_changes_one_thing_only(hospital: Hospital) -> None:
    truths = {stay.settlement_id: stay for stay in hospital.truths}
    touched = {item.setl_id for item in hospital.planted}
    for stay in hospital.stays:
        truth = truths[stay.settlement_id]
        changed = [
            name
            for name in (
                "front",
                "diagnoses",
                "procedures",
                "icu",
                "settlement",
                "items",
                "charges",
            )
            if getattr(stay, name) != getattr(truth, name)
        ]
        assert len(changed) == (stay.settlement_id in touched), stay.settlement_id


def test_no_defects_when_none_are_wanted(sample: Sample) -> None:
    made = generate(*sample, seed=2, month=date(2025, 3, 1), size=25, defect_share=0)
    assert made.stays == made.truths


@pytest.mark.shared_data
def test_the_same_with_national_lists_and_a_real_library(
    shared: Path, tmp_path: Path, packs: list[Pack], mapper: object
) -> None:
    """150 stays from 33,000 diagnosis codes and a city's 4,536 groups: clean, and all found."""
    state, now, day = tmp_path / "state", datetime(2025, 4, 1, tzinfo=CHINA), date(2024, 1, 1)
    state.mkdir()
    national = {
        "icd10": shared / "data/icd/icd10_nhsa_v2.csv",
        "icd9cm3": shared / "data/icd/icd9cm3_nhsa_v2.csv",
        "icd10-map": shared / "data/mapping/icd10_gl2_to_nhsa2.csv",
        "not-principal": shared / "standards/validation-data-not-principal.csv",
        "department": resource("sample", "department.csv"),
        "staff": resource("sample", "staff.csv"),
    }
    for kind, file in national.items():
        import_catalogue(state, kind, "2.0", day, file, now=now)
    import_library(state, "city", "2025", day, shared / "data/dip/pingdingshan_2025.csv", now=now)
    ref = References(state, None).on(date(2025, 3, 31))
    made = generate(ref, load_library(state, "city"), seed=5, month=date(2025, 3, 1), size=150)
    write_csv(made, tmp_path / "export")
    assert callable(mapper)
    rules = {item.setl_id: item.rule for item in made.planted}
    for case in mapper(csv_source(tmp_path / "export"), made.stays, ref):
        hits = {item.rule for item in found(case, ref, packs) if item.severity is Severity.ERROR}
        wanted = rules.get(case.list.settlement_id)
        assert (wanted in hits) if wanted else hits == set()
