"""What mapping takes and gives."""

from __future__ import annotations

from dataclasses import dataclass

from dipgate.core.lists import SettlementList
from dipgate.core.record import Origin, RawRow


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One bill with what belongs to its stay. `charges` are in source order."""

    settlement: RawRow
    front_page: RawRow | None
    charges: tuple[RawRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A value that no table of ours could turn into a national code; it stays as it came."""

    kind: str
    """`icd10`, `icd9cm3`, `department` or `staff`."""
    code: str
    name: str
    path: str
    reason: str
    candidates: tuple[str, ...] = ()
    """Target codes to choose from, when the map names several."""


@dataclass(frozen=True, slots=True)
class OverlayConflict:
    """A correction that was not applied, because the field is not what its author saw."""

    number: int
    path: str
    expect: str
    found: str
    what: str


@dataclass(frozen=True, slots=True)
class MappedCase:
    """The list, the origin of each of its fields, and what a person has to look at."""

    list: SettlementList
    origins: tuple[Origin, ...]
    unmapped: tuple[Unmapped, ...] = ()
    conflicts: tuple[OverlayConflict, ...] = ()

    def origin(self, path: str) -> Origin | None:
        """Where the value at a path comes from."""
        return next((origin for origin in self.origins if origin.path == path), None)
