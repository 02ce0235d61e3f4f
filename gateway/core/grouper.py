"""What the rest of the program knows of a grouper: DIP's is one, a DRG's would be another.

A grouper is a library of groups made ready under one policy. It answers which group a case falls
into; what the group is worth is the policy's matter (scores are counted apart).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from dipgate.core.case import Case
from dipgate.core.grouping import GroupResult
from dipgate.core.library import LibraryData
from dipgate.core.policy import Policy
from dipgate.core.reference import Reference


class Grouper(Protocol):
    """Immutable and pure: one case and the catalogues of its day in, one result out.

    `group` never raises for a case: what is wrong with it is a status and a sentence. The result
    names the group by the library's own code and carries its weight as `base_score`.
    """

    @property
    def label(self) -> str:
        """Name @ version of the library, as results and stored groupings carry it."""
        ...

    def group(self, case: Case, ref: Reference, *, trace: bool = True) -> GroupResult:
        """The group of one case, with the trace of how it was found unless it is not wanted."""
        ...


MakeGrouper = Callable[[LibraryData, Policy], Grouper]
"""Compiles an imported library. Raises ConfigError for a library that it cannot read."""
