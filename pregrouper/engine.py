"""One case into one DIP group, with the whole trace.

A pure function of case, policy and tables. What one case was found to be holds for every case that
is alike in what counts: such answers are kept and shared (`answer_key`, `kin_key`).
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from dipgate.core.case import Case
from dipgate.core.grouping import GroupResult, Step
from dipgate.core.policy import Policy
from dipgate.core.reference import NotPrincipal, Reference
from dipgate.pregrouper.case_run import INPUT, CaseRun
from dipgate.pregrouper.kin import Kin
from dipgate.pregrouper.library import Library
from dipgate.pregrouper.notes import Notes
from dipgate.pregrouper.operations import (
    classes_of,
    operations_for,
    plain_letters,
)
from dipgate.pregrouper.plan import (
    MAX_ANSWERS,
    MAX_TRACED,
    AnswerKey,
    Plan,
    answer_key,
    kin_key,
    plan_of,
    plan_with,
)


def group(
    case: Case,
    library: Library,
    policy: Policy,
    ref: Reference | None = None,
    *,
    op_category: Mapping[str, str] | None = None,
    known_dx: Mapping[str, str] | None = None,
    not_principal: Mapping[str, NotPrincipal] | None = None,
    dx_map: Mapping[str, tuple[str, ...]] | None = None,
    op_map: Mapping[str, tuple[str, ...]] | None = None,
    trace: bool = True,
) -> GroupResult:
    """Group one case with the tables of `ref`, or with those given by name (they come first).

    `op_category`: operation code → 手术 / 介入治疗 / 治疗性操作 / 诊断性操作, or empty text;
    `known_dx`: the diagnosis catalogue of the library's edition, code → name; `dx_map`, `op_map`:
    code → codes of the library's edition, used where the policy maps down. A table that is not
    there switches off what needs it and adds a warning. Without `trace` there are no steps, and
    hits of layers that come after the one that decided are not looked for. Cases that are alike in
    everything that grouping looks at share one answer (`answer_key`).
    """
    plan = plan_of(library, policy, ref, op_category, known_dx, not_principal, dx_map, op_map)
    return answer_of(case, plan, trace)


def group_with(
    case: Case, library: Library, policy: Policy, ref: Reference, *, trace: bool = True
) -> GroupResult:
    """`group` with the tables of a `Reference`."""
    return answer_of(case, plan_with(library, policy, ref), trace)


def answer_of(case: Case, plan: Plan, trace: bool) -> GroupResult:
    """The answer that is kept for cases alike, or that of a run of its own."""
    key = answer_key(case, plan)
    if key is None:
        return CaseRun(case, plan, plan.library, plan.policy, Notes(trace)).run()
    if trace:
        return _traced(case, plan, key)
    if len(key[1]) > 1 and plan.kindred:
        # Such a row of codes comes again too seldom to be kept whole.
        return _of_kin(case, plan, key)
    answer = plan.answers.get(key)
    if answer is None:
        if plan.kindred:
            answer = _of_kin(case, plan, key)
        else:
            answer = CaseRun(case, plan, plan.library, plan.policy, Notes(False)).run()
        if len(plan.answers) >= MAX_ANSWERS:
            plan.answers.clear()
        plan.answers[key] = answer
    return answer


def _of_kin(case: Case, plan: Plan, key: AnswerKey) -> GroupResult:
    """An untraced answer: that of a case which differs in operations nobody asks for."""
    code, codes, rules = case.principal.code if case.principal else "", key[1], plan.rules
    said: tuple[str, ...] = ()
    letters = plain_letters(codes, rules)
    classes: frozenset[str] | None
    if letters:
        classes = classes_of(letters, rules)
    else:
        ops = operations_for(case, rules, code)
        codes, letters, said = ops.codes, ops.letters, ops.warnings
        classes = None if ops.conservative else ops.classes
    asked = plan.asked.get(key[0]) or plan.asked_of(key[0], code)
    mark = kin_key(plan, key, asked, codes, letters, classes)
    kin = plan.kin.get(mark)
    if kin is not None:
        return kin.answer_for(codes, said)
    run = CaseRun(case, plan, plan.library, plan.policy, Notes(False))
    answer = run.run()
    if len(plan.kin) >= MAX_ANSWERS:
        plan.kin.clear()
    plan.kin[mark] = Kin(answer, run.place, len(said))
    return answer


def _traced(case: Case, plan: Plan, key: AnswerKey) -> GroupResult:
    """A traced answer: that of a case alike, with this case's diagnosis in the first step."""
    code = case.principal.code if case.principal is not None else ""
    name = case.principal.name if case.principal is not None else ""
    own: tuple[object, ...] = (code, *key)
    answer = plan.traced.get(key) or plan.traced.get(own)
    if answer is None:
        answer = CaseRun(case, plan, plan.library, plan.policy, Notes(True)).run()
        if len(plan.traced) >= MAX_TRACED:
            plan.traced.clear()
        # A trace that names the diagnosis again is shared by that very diagnosis only.
        named = any(code in step.text or code == step.value for step in answer.trace[1:])
        plan.traced[own if named else key] = answer
        return answer
    first, text = answer.trace[0], INPUT.format(code, name)
    if first.text == text:
        return answer
    named_own = Step(first.step, text, first.ref, code)
    return structs.replace(answer, trace=(named_own, *answer.trace[1:]))
