"""Labels of the auxiliary directory for a case that has its group (dip-grouping.md section 12).

Labels only; which of them counts and by how much is for the score. Core groups only, never groups
of TCM advantage or paid by the bed-day. What lacks an input is switched off and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from msgspec import structs

# Each of these puts its dimensions into the register.
from dipgate.core.case import Case
from dipgate.core.errors import ConfigError
from dipgate.core.grouping import AuxLabel, Layer, Step
from dipgate.core.library import Coefficient
from dipgate.core.params import Param, ParamTable
from dipgate.core.policy import Policy
from dipgate.core.policy_parts import Auxiliary, AuxRow, LabelRow
from dipgate.pregrouper import age_and_icu, charlson, severity  # noqa: F401
from dipgate.pregrouper.aux_question import (
    DIMENSIONS,
    LOCAL,
    SECONDARY,
    UNDECIDED,
    Answer,
    AuxQuestion,
    Fits,
    Lacks,
    dimension_words,
)
from dipgate.pregrouper.aux_trigger import activation
from dipgate.pregrouper.conditions import Facts, condition_words, decide, fact_words, read_condition
from dipgate.pregrouper.library import Group, Library
from dipgate.pregrouper.operations import Operations
from dipgate.pregrouper.severity import LADDER

NO_MODE = (None, "none", "n/a")
COEFFICIENTS, SUB_ROWS, EXPRESSIONS = "coefficient_table", "sub_rows", "expression_table"
MODES = (COEFFICIENTS, SUB_ROWS, EXPRESSIONS)
ANY_GROUP = "*"
TB_RESISTANT = "肺结核耐药"
_BY_OTHERS = frozenset(("severity", "tumour", "cci", SECONDARY))
"""Dimensions that other diagnoses decide."""
_EXCLUDED_KINDS: Mapping[str, tuple[str, ...]] = {
    "tcm_advantage": ("中医",),
    "bed_day": ("床日",),
}
"""Beginnings of the library's words for the kinds of group that never take a label."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """`sub_row`: the row of the group's own sub-directory whose score and mean fee hold."""

    labels: tuple[AuxLabel, ...] = ()
    sub_row: Group | None = None
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()


NO_LABELS = Labelled()


def auxiliary_labels(
    case: Case, ops: Operations, chosen: Group, library: Library, policy: Policy
) -> Labelled:
    """The labels of every dimension that the policy names and that is on for this group."""
    if policy.auxiliary.mode in NO_MODE:
        return NO_LABELS
    return _Labels(case, ops.codes, chosen, library, policy).run()


def takes_labels(layer: Layer, group_type: str) -> bool:
    """Whether the auxiliary directory applies to such a group at all."""
    kinds = tuple(word for words in _EXCLUDED_KINDS.values() for word in words)
    return layer not in (Layer.COMPREHENSIVE, Layer.BLANK, Layer.NONE) and not (
        group_type.startswith(kinds)
    )


def looks_at_others(chosen: Group, rules: Auxiliary) -> bool:
    """Whether other diagnoses may decide a label of such a group."""
    if rules.mode in NO_MODE or not takes_labels(chosen.layer, chosen.row.kind):
        return False
    return bool(rules.expressions) or not _BY_OTHERS.isdisjoint(rules.dimensions or ())


def switched_on(rules: Auxiliary, group_code: str, dimension: str) -> bool | None:
    """What the policy's own table says of a dimension for a group; None: nothing."""
    for key in (group_code, ANY_GROUP):
        here = rules.coefficients.entries.get(key)
        if isinstance(here, ParamTable):
            cell = here.entries.get(dimension)
            if cell is not None:
                return not (isinstance(cell, Param) and cell.absent)
        elif here is not None and here.absent:
            return False
    return None


@dataclass(slots=True)
class _Labels:
    """One labelling; lives no longer than the call."""

    case: Case
    ops: tuple[str, ...]
    chosen: Group
    library: Library
    policy: Policy

    def run(self) -> Labelled:
        rules = self.policy.auxiliary
        steps: list[Step] = []
        warnings: list[str] = []
        if self._excluded():
            text = f"病种 {self.chosen.code} 不适用辅助分型"
            return Labelled(steps=(Step("auxiliary", text, "auxiliary"),))
        found: dict[str, Fits] = {}
        for dimension, answer in self._answers(rules):
            if isinstance(answer, Lacks):
                name = dimension_words(dimension)
                warnings.append(f"W_MISSING_INPUT 辅助分型“{name}”缺少{answer.what}，不打标签")
            elif answer is not None:
                found[dimension] = answer
        labels = [self._label(dimension, fits) for dimension, fits in found.items()]
        if rules.mode == EXPRESSIONS:
            words = {dimension: fits.label for dimension, fits in found.items()}
            rows, more = self._rows(rules, words)
            taken = {(item.dimension, item.label) for item in rows}
            labels = [item for item in labels if (item.dimension, item.label) not in taken]
            labels += rows
            warnings += more
        tested = (
            self._tested(item, steps) for item in labels if self._is_on(item.dimension, steps)
        )
        kept = [item for item in tested if item is not None]
        for item in kept:
            steps.append(
                Step(
                    "auxiliary",
                    f"{dimension_words(item.dimension)}：{item.label}，{item.why}",
                    f"auxiliary.{item.dimension}",
                    item.label,
                )
            )
        if not kept:
            steps.append(Step("auxiliary", "没有辅助标签", "auxiliary"))
        sub_row = self._sub_row(kept, steps) if rules.mode == SUB_ROWS else None
        return Labelled(tuple(kept), sub_row, tuple(steps), tuple(warnings))

    def _excluded(self) -> bool:
        kind = self.chosen.row.kind
        if not takes_labels(self.chosen.layer, kind):
            return True
        for name in self.policy.auxiliary.excluded_groups or ():
            if name in (self.chosen.code, kind):
                return True
        return False

    def _answers(self, rules: Auxiliary) -> Iterator[tuple[str, Answer]]:
        question = AuxQuestion(self.case, self.ops, self.chosen, self.library.parts, rules)
        for name in rules.dimensions or ():
            if name == LOCAL:
                yield from self._local(question)
                continue
            if name == SECONDARY:
                yield name, self._secondary(rules)
                continue
            dimension = DIMENSIONS.get(name)
            if dimension is None:
                yield name, Lacks("本版本能判断的规则")
            else:
                yield name, dimension(question)

    def _local(self, q: AuxQuestion) -> Iterator[tuple[str, Answer]]:
        for label in q.rules.local_labels or ():
            if label != TB_RESISTANT:
                yield LOCAL, Lacks(f"{label} 的判断规则（auxiliary.expressions）")
            elif q.parts.tb_resistant is None:
                yield LOCAL, Lacks("结核耐药诊断目录（tb-resistant）")
            elif q.principal in q.parts.tb_resistant:
                yield LOCAL, Fits(label, f"主要诊断 {q.principal} 属耐药")

    def _label(self, dimension: str, fits: Fits) -> AuxLabel:
        row = self._coefficient(dimension, fits.label)
        return AuxLabel(
            dimension,
            fits.label,
            fits.why,
            None if row is None else row.coefficient,
            None if row is None else row.trigger,
            fits.lacks,
        )

    def _secondary(self, rules: Auxiliary) -> Answer:
        """The first of the policy's rows that fits. No text says what the labels are, so without
        rows the label is undecided wherever a table multiplies by one."""
        path = f"auxiliary.{SECONDARY}"
        if rules.secondary_dx is None:
            what = f"标签的规定（{path}）"
            if self._multiplies(SECONDARY):
                return Fits(UNDECIDED, f"政策没有写{what}", (path,))
            return Lacks(what)
        facts = self._facts({})
        for number, row in enumerate(rules.secondary_dx):
            if row.groups is not None and self.chosen.code not in row.groups:
                continue
            holds, why = _holds(row, facts, f"{path}[{number}].when")
            if holds is None:
                return Lacks(f"判断 {row.label} 的依据：{why}")
            if holds:
                return Fits(row.label, why)
        return None

    def _multiplies(self, dimension: str) -> bool:
        """Whether a table of the policy or the library has coefficients of it for this group."""
        said = switched_on(self.policy.auxiliary, self.chosen.code, dimension)
        return self._listed(dimension) if said is None else said

    def _listed(self, dimension: str) -> bool:
        return any(
            row.dimension == dimension
            for key in (self.chosen.code, ANY_GROUP)
            for row in self.library.coefficients.get(key, ())
        )

    def _coefficient(self, dimension: str, label: str) -> Coefficient | None:
        for key in (self.chosen.code, ANY_GROUP):
            for row in self.library.coefficients.get(key, ()):
                if (row.dimension, row.label) == (dimension, label):
                    return row
        return None

    def _is_on(self, dimension: str, steps: list[Step]) -> bool:
        """A dimension that a table leaves out for this group is not in use there."""
        said = switched_on(self.policy.auxiliary, self.chosen.code, dimension)
        where = "auxiliary.coefficients"
        if said is None and self.library.parts.coefficients is not None:
            where = self.library.label
            said = self._listed(dimension) or self.policy.auxiliary.mode != COEFFICIENTS
        if said is False:
            text = f"病种 {self.chosen.code} 没有启用辅助分型“{dimension_words(dimension)}”"
            step = Step("auxiliary", text, where)
            if step not in steps:
                steps.append(step)
        return said is not False

    def _tested(self, item: AuxLabel, steps: list[Step]) -> AuxLabel | None:
        """The label as its statistics leave it: as it is, not in use, or with what is unknown."""
        if switched_on(self.policy.auxiliary, self.chosen.code, item.dimension) is not None:
            return item
        row = self._coefficient(item.dimension, item.label)
        found = activation(row, self.chosen.row, self.policy.auxiliary.trigger)
        if not found.on:
            name = dimension_words(item.dimension)
            text = f"病种 {self.chosen.code} 没有启用辅助分型“{name}”：{found.why}"
            steps.append(Step("auxiliary", text, found.ref))
            return None
        return structs.replace(item, lacks=found.lacks) if found.lacks else item

    def _facts(self, words: Mapping[str, str]) -> Facts:
        return Facts(
            self.case,
            self.ops,
            words,
            group_code=self.chosen.code,
            group_type=self.chosen.row.kind,
            tcm_items=self.policy.scoring.tcm_items or (),
        )

    def _rows(self, rules: Auxiliary, words: Mapping[str, str]) -> tuple[list[AuxLabel], list[str]]:
        facts = self._facts(words)
        found: list[AuxLabel] = []
        warnings: list[str] = []
        for number, row in enumerate(rules.expressions):
            if row.groups is not None and self.chosen.code not in row.groups:
                continue
            holds, why = _holds(row, facts, f"auxiliary.expressions[{number}].when")
            if holds is None:
                warnings.append(f"W_MISSING_INPUT 辅助标签 {row.label} 不能判断：{why}")
            elif holds:
                found.append(AuxLabel(row.dimension, row.label, why, _fixed(row)))
        return found, warnings

    def _sub_row(self, labels: list[AuxLabel], steps: list[Step]) -> Group | None:
        rows = self.library.sub_rows.get(self.chosen.code, ())
        ladder = self.policy.auxiliary.severity_labels or LADDER
        for item in labels:
            number = str(ladder.index(item.label) + 1) if item.label in ladder else item.label
            for row in rows:
                if row.row.sub_label in (item.label, number):
                    text = f"取分型子目录 {row.code}（{item.label}）的分值"
                    steps.append(Step("auxiliary", text, self.library.label, row.code))
                    return row
        why = "目录没有这个分型的子目录" if rows else "病种没有分型子目录"
        if labels:
            steps.append(Step("auxiliary", f"{why}，用病种本身的分值", self.library.label))
        return None


def _holds(row: LabelRow, facts: Facts, path: str) -> tuple[bool | None, str]:
    if row.when is None:
        return None, f"政策没有写条件（{path}）"
    try:
        found = decide(read_condition(row.when, path), facts)
    except ConfigError as error:
        return None, str(error)
    if found.holds is None:
        return None, f"缺少{fact_words(found.missing)}"
    return found.holds, f"符合 {condition_words(row.when)}"


def _fixed(row: AuxRow) -> Decimal | None:
    return row.factor.fixed if row.factor is not None else None
