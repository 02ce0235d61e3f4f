"""Our side of a comparison put together from a state folder, and the causes of each difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from dipgate.config.libraries import list_libraries, load_library
from dipgate.core.case import Case
from dipgate.core.errors import ConfigError
from dipgate.core.grouping import GroupResult, ScoreResult
from dipgate.core.money import Fen
from dipgate.core.policy import Policy
from dipgate.core.reference import CodeMap, Reference
from dipgate.pregrouper import Library, compile_library, pay_for_score
from dipgate.pregrouper.attribution import Editions, OurSide, editions_of, known_from, why
from dipgate.pregrouper.differences import BureauResult, Difference, Reason, first_difference

_MOST_VERSIONS = 4
"""Other versions of a library that are tried, the nearest first."""


@dataclass(frozen=True, slots=True)
class Both:
    """One case on both sides. `side` None: only what was returned can be compared."""

    group: GroupResult
    score: ScoreResult
    theirs: BureauResult
    side: OurSide | None


@dataclass
class Sides:
    """Other versions of the libraries and both editions of the codes, read once."""

    folder: Path
    _others: dict[tuple[str, str], tuple[Library, ...]] = field(default_factory=dict)
    _editions: list[tuple[CodeMap | None, CodeMap | None, Editions]] = field(default_factory=list)

    def side(
        self,
        case: Case,
        library: Library,
        policy: Policy,
        ref: Reference,
        *,
        level: str,
        hospital: str | None,
    ) -> OurSide:
        return OurSide(
            case=case,
            library=library,
            policy=policy,
            ref=ref,
            level=level,
            hospital=hospital,
            others=self._other_versions(library.label, policy),
            editions=self._both_editions(ref),
        )

    def _other_versions(self, label: str, policy: Policy) -> tuple[Library, ...]:
        key = (label, policy.label)
        if key not in self._others:
            self._others[key] = tuple(self._compiled(label, policy))
        return self._others[key]

    def _compiled(self, label: str, policy: Policy) -> list[Library]:
        name, _, version = label.partition("@")
        held = [item for item in list_libraries(self.folder) if item.name == name]
        mine = next((item.first_day for item in held if item.version == version), None)
        others = [item for item in held if item.version != version]
        if mine is not None:
            others.sort(key=lambda item: abs((item.first_day - mine).days))
        found = []
        for item in others[:_MOST_VERSIONS]:
            try:
                data = load_library(self.folder, name, item.version)
                found.append(compile_library(data, policy))
            except ConfigError:
                # A version that this policy cannot read explains nothing.
                continue
        return found

    def _both_editions(self, ref: Reference) -> Editions:
        for dx, op, editions in self._editions:
            if dx is ref.icd10_map and op is ref.icd9cm3_map:
                return editions
        made = editions_of(ref)
        self._editions.append((ref.icd10_map, ref.icd9cm3_map, made))
        return made


def explain(pairs: Sequence[Both]) -> tuple[Difference, ...]:
    """The first difference of each with its causes; what several show alike counts for all."""
    known = known_from(
        (item.side, item.group, item.score, item.theirs) for item in pairs if item.side is not None
    )
    return tuple(
        first_difference(item.group, item.score, item.theirs)
        if item.side is None
        else why(item.side, item.group, item.score, item.theirs, known)
        for item in pairs
    )


def their_money(
    case: Case,
    ours: Fen | None,
    theirs: BureauResult,
    difference: Difference,
    policy: Policy | None,
    day: date | None,
) -> Fen | None:
    """What the bureau pays: as returned, else by its score; nothing for a case it did not group."""
    if theirs.payable is not None:
        return theirs.payable
    if difference.reason is Reason.EQUAL:
        return ours
    if difference.reason is Reason.NOT_GROUPED_THERE and not theirs.settled_score:
        return Fen(0)
    if policy is None or theirs.settled_score is None or day is None:
        return None
    return pay_for_score(case, theirs.settled_score, policy, day=day)
