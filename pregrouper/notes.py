"""What one run of the grouper says beside its answer: steps, warnings, and who lost and why."""

from __future__ import annotations

from dataclasses import dataclass, field

from dipgate.core.grouping import Alternative, Layer, Step
from dipgate.pregrouper.library import TREATMENTS, Group
from dipgate.pregrouper.national_conditions import EVERY_DIAGNOSIS

LAYER_WORDS: dict[Layer, str] = {
    Layer.PRE: "先期分组",
    Layer.MERGE: "并项规则",
    Layer.AUX_SPLIT: "诊断辅助细分",
    Layer.BASE: "基础规则",
    Layer.CORE: "核心病种",
    Layer.BASIC: "基层病种",
    Layer.COMPREHENSIVE: "综合病种",
    Layer.BLANK: "空白病组",
}


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
    return Alternative(item.code, name_of(item), item.row.score, why)


def name_of(item: Group) -> str:
    """`急性阑尾炎：腹腔镜下阑尾切除术 + 肠粘连松解术`, or with the treatment of a whole class.

    The library's own name of a group comes first; of a list of choices (`A|B|C`) the first is
    named: `A等`.
    """
    row, label = item.row, item.condition.label
    if row.group_name:
        # A pre-group's own name says its condition already.
        return row.group_name if item.layer is Layer.PRE else _labelled(row.group_name, label)
    names = [_first(name) for name in (row.main_op_names, row.other_op_names) if name]
    tail = " + ".join(names) or TREATMENTS.get(item.treatment, "")
    # 所有诊断 says nothing of a group that is named by what was done.
    head = "" if row.dx_name == EVERY_DIAGNOSIS and tail else _first(row.dx_name)
    name = f"{head}：{tail}" if head and tail else head or tail
    return _labelled(name, label)


def _labelled(name: str, label: str) -> str:
    return f"{name}（{label}）" if label else name


def _first(names: str) -> str:
    first, more, _ = names.partition("|")
    return f"{first.strip()}等" if more else names
