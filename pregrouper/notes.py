"""What one run of the grouper says beside its answer: steps, warnings, and who lost and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from dipgate.core.grouping import Alternative, Step
from dipgate.pregrouper.library import Group


@dataclass(slots=True)
class Notes:
    """Lives for one call. Steps are kept only while tracing; warnings and losers always."""

    tracing: bool
    steps: list[Step] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    losers: list[Alternative] = field(default_factory=list)

    def step(
        self, step: str, text: str, ref: str = "", value: str = "", dropped: tuple[str, ...] = ()
    ) -> None:
        if self.tracing:
            self.steps.append(Step(step, text, ref, value, dropped))

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def lose(self, item: Group, why: str) -> None:
        self.losers.append(alternative(item, why))


def alternative(item: Group, why: str) -> Alternative:
    return Alternative(item.code, item.name, item.row.score, why)
