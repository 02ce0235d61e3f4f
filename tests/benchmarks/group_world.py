"""What the grouping benchmarks work on: a library with its catalogues, and invented cases over it.

A real city's library from the folder beside the checkout where it lies there (`DIPGATE_SHARED`, or
`../shared`), else the shipped sample.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from dipgate.config.catalogues import activate_sample, import_catalogue
from dipgate.config.libraries import import_library, load_library
from dipgate.config.policies import load_policy
from dipgate.config.references import References
from dipgate.core.library import LibraryData, LibraryRow
from dipgate.core.policy import Policy
from dipgate.core.reference import Hospital, Reference
from dipgate.demo.bulk_cases import BulkCases, FlatRow
from dipgate.pregrouper import DipGrouper, dip_grouper
from dipgate.pregrouper.fast import FastGrouper, fast_grouper

DAY = date(2025, 6, 1)
NOW = datetime(2025, 1, 1, tzinfo=UTC)
FIRST = date(2024, 1, 1)
LISTS = {"icd10": "icd10_nhsa_v2.csv", "icd9cm3": "icd9cm3_nhsa_v2.csv"}


@dataclass(frozen=True)
class World:
    """A state folder with everything that grouping needs."""

    state: Path
    name: str
    data: LibraryData
    policy: Policy
    ref: Reference
    held: dict[str, BulkCases] = field(default_factory=dict)

    @property
    def grouper(self) -> DipGrouper:
        return dip_grouper(self.data, self.policy)

    def fast(self) -> FastGrouper:
        return fast_grouper(self.grouper.library, self.policy, self.ref)

    @property
    def classes(self) -> dict[str, str]:
        """Operation → 手术, 治疗性操作 … as the catalogue says."""
        assert self.ref.icd9cm3 is not None
        return dict(self.ref.icd9cm3.attributes["category"])

    @property
    def known_dx(self) -> dict[str, str]:
        assert self.ref.icd10 is not None
        return dict(self.ref.icd10.names)

    def rows(self, count: int, *, start: int = 0) -> list[FlatRow]:
        """Invented cases; each group as often as the history that its library counts."""
        if "cases" not in self.held:
            often = [row for row in self.data.rows for _ in range(_share(row))]
            self.held["cases"] = BulkCases(often, diagnoses=sorted(self.known_dx))
        return list(self.held["cases"].rows(count, start=start))


def _share(row: LibraryRow) -> int:
    return max(1, round((row.case_count or 0) / 20))


def shared_folder() -> Path | None:
    """The national lists beside the checkout, or None."""
    named = os.environ.get("DIPGATE_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared"
    return folder if (folder / "data" / "dip" / "pingdingshan_2025.csv").is_file() else None


@contextmanager
def world() -> Iterator[World]:
    """A state folder of its own, gone at the end."""
    with TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        state.mkdir()
        yield open_world(state)


def open_world(state: Path) -> World:
    """Fill the folder, or take it as an earlier call has filled it."""
    shared, filled = shared_folder(), any(state.iterdir())
    if shared is None:
        if not filled:
            activate_sample(state, NOW)
        name, policy = "sample", load_policy("sample_2025")
    else:
        name, policy = "city", load_policy("pingdingshan_2025")
        if not filled:
            for kind, file in LISTS.items():
                source = shared / "data" / "icd" / file
                import_catalogue(state, kind, "national", FIRST, source, now=NOW)
            rows = shared / "data" / "dip" / "pingdingshan_2025.csv"
            import_library(state, "city", "2025", FIRST, rows, now=NOW)
    data = load_library(state, name, day=DAY)
    own = Hospital("H99010000001", "示例市第一人民医院", "3", "990100")
    return World(state, name, data, policy, References(state, own).on(DAY))
