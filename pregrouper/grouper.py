"""DIP's implementation of the grouper that the rest of the program works with."""

from __future__ import annotations

from dataclasses import dataclass

from dipgate.core.case import Case
from dipgate.core.grouping import GroupResult
from dipgate.core.library import LibraryData
from dipgate.core.policy import Policy
from dipgate.core.reference import Reference
from dipgate.pregrouper.engine import answer_of
from dipgate.pregrouper.library import Library, compile_library
from dipgate.pregrouper.plan import plan_with


@dataclass(frozen=True, slots=True)
class DipGrouper:
    """A compiled DIP library with the policy that it was compiled for (`core.grouper.Grouper`)."""

    library: Library
    policy: Policy

    @property
    def label(self) -> str:
        return self.library.label

    def group(self, case: Case, ref: Reference, *, trace: bool = True) -> GroupResult:
        return answer_of(case, plan_with(self.library, self.policy, ref), trace)


def dip_grouper(data: LibraryData, policy: Policy) -> DipGrouper:
    """Compile a library for one policy. Raises ConfigError as `compile_library` does."""
    return DipGrouper(compile_library(data, policy), policy)
