"""Answers that cases of one kind share although their operations differ.

Most operations of a case are named by no group that its diagnosis may reach. They count by their
class alone, and they stand in the answer as unmatched; all else is the answer of any other case of
the kind. That holds for libraries of a city (core, basic, comprehensive), not for the national
layers, where an operation may count wherever it stands.
"""

from __future__ import annotations

from msgspec import Struct, structs

from dipgate.core.grouping import GroupResult

NOT_REACHED = -1
"""Place of the operations' warnings in an answer that was found before they were looked at."""


class Kin(Struct, frozen=True, gc=False):
    """The answer of one case of the kind, and where its operations' warnings stand in it."""

    answer: GroupResult
    place: int
    count: int

    def answer_for(self, codes: tuple[str, ...], said: tuple[str, ...]) -> GroupResult:
        """The answer of another case of the kind, with its own operations and their warnings."""
        answer, place = self.answer, self.place
        if place == NOT_REACHED:
            return answer
        matched = answer.matched
        left = tuple([code for code in codes if code not in matched]) if matched else codes
        if not self.count and not said:
            if left == answer.unmatched:
                return answer
            return structs.replace(answer, unmatched=left)
        held = answer.warnings
        warnings = (*held[:place], *said, *held[place + self.count :])
        return structs.replace(answer, unmatched=left, warnings=warnings)
