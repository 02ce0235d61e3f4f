"""A generated month on the national lists and a real city's library: mapped, checked, grouped."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from dipgate.config.catalogues import import_catalogue
from dipgate.config.libraries import import_library, load_library
from dipgate.config.references import References
from dipgate.config.settings import render_template
from dipgate.core.clock import FixedClock
from dipgate.core.grouping import GroupStatus
from dipgate.core.reference import Hospital as OwnHospital
from dipgate.demo.export import csv_source, site_sources, write_csv
from dipgate.demo.hospital import generate
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.pipeline.overview import overview
from dipgate.service.wiring import open_desk
from dipgate.store import groupings, verdicts

pytestmark = pytest.mark.shared_data
MONTH = date(2025, 3, 1)
FIRST_DAY = date(2025, 1, 1)
SIZE = 1000
OWN_POLICY = """\
schema: dip-policy/1
extends: pingdingshan_2025
policy: {id: own}
catalogue: {library: city@2025}
"""


@pytest.fixture
def national(sample_state: Path, shared: Path, clock: FixedClock) -> Path:
    """The sample's wards and staff beside the national lists and the city's library."""
    state = sample_state
    lists = {
        "icd10": "data/icd/icd10_nhsa_v2.csv",
        "icd9cm3": "data/icd/icd9cm3_nhsa_v2.csv",
        "icd10-map": "data/mapping/icd10_gl2_to_nhsa2.csv",
        "icd9cm3-map": "data/mapping/icd9cm3_gl3_to_nhsa2.csv",
        "not-principal": "standards/validation-data-not-principal.csv",
    }
    for kind, file in lists.items():
        import_catalogue(state, kind, "national", FIRST_DAY, shared / file, now=clock.now())
    city = shared / "data/dip/pingdingshan_2025.csv"
    import_library(state, "city", "2025", FIRST_DAY, city, now=clock.now())
    (state / "policies").mkdir(exist_ok=True)
    (state / "policies" / "own.yaml").write_text(OWN_POLICY, encoding="utf-8")
    return state


def test_a_thousand_cases_on_the_national_lists(
    national: Path, tmp_path: Path, clock: FixedClock
) -> None:
    own = OwnHospital("H99010000001", "示例市第一人民医院", "3", "410400")
    reference = References(national, own).on(MONTH)
    library = load_library(national, "city", "2025")
    month = generate(reference, library, seed=1, month=MONTH, size=SIZE, defect_share=0.0)
    write_csv(month, tmp_path / "export")
    site = tmp_path / "site.toml"
    head = render_template(
        code=own.code,
        name=own.name,
        level=own.level,
        area_code=own.area_code,
        policy="own",
        hsorg="示例市医疗保障局",
        hsorg_opter="示例经办人",
    )
    sources = site_sources(csv_source(tmp_path / "export"))
    site.write_text(f"{head}\n{sources}", encoding="utf-8")
    with open_desk(national, site, clock=clock) as desk:
        assert all(report.rejected == 0 for report in read_sources(desk))
        mapped = map_new_stays(desk)
        judged = judge_new_cases(desk)
        view = overview(desk)
        with desk.store.read() as conn:
            money = groupings.latest_of_month(conn, "2025-03")
            broken = Counter(row.rule for row in verdicts.findings_in(conn, limit=100_000))
    assert (mapped.mapped, mapped.set_aside, mapped.unmapped_codes) == (SIZE, 0, 0)
    assert judged.judged == SIZE
    assert view.with_errors == 0, broken
    statuses = Counter(item.group.status for item in money.values())
    placed = statuses[GroupStatus.GROUPED] + statuses[GroupStatus.GROUPED_COMPREHENSIVE]
    assert placed >= 0.97 * SIZE, statuses
    assert {path for item in money.values() for path in item.score.not_configured} >= {
        "scoring.average_fee"
    }
