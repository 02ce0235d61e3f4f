"""What a policy, a library and the catalogues of a day mean together, worked out once.

Grouping a case then only looks things up. A plan holds nothing of any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import Any, cast

from dipgate.core.case import Case
from dipgate.core.codes import category, in_range, strip_marks
from dipgate.core.grouping import GroupResult, Layer
from dipgate.core.library import NotMain
from dipgate.core.policy import Policy
from dipgate.core.reference import CodeMap, NotPrincipal, Reference
from dipgate.pregrouper.auxiliary import NO_MODE
from dipgate.pregrouper.categories import categories_of
from dipgate.pregrouper.keys import COMPREHENSIVE_KEYS, DIAGNOSIS_KEYS, RANGE, Keys
from dipgate.pregrouper.kin import Kin
from dipgate.pregrouper.layers import PRE_ID
from dipgate.pregrouper.library import NATIONAL, Library
from dipgate.pregrouper.operations import OpRules, op_rules
from dipgate.pregrouper.selectors import COUNTS_LETTERS, CROSS_LAYER, SELECTORS, USES_FEE, Selector

MAX_PLANS = 16
MAX_KEYS = 50_000
MAX_ANSWERS, MAX_TRACED = 32_000, 20_000
"""Shared answers kept: some tens of megabytes at most."""
Targets = Mapping[str, tuple[str, ...]]
Asked = tuple[frozenset[str], bool, int]
"""Operations that groups of a diagnosis name; has one of them none (conservative); and the number
of what is left of the diagnosis where no group of its own can be meant."""
AnswerKey = tuple[int, tuple[str, ...], str, str, int]
"""Class of the principal diagnosis, operations, way of payment, kind of stay, year."""


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """The catalogues that a run looks at. None: not there, what needs it is switched off."""

    op_category: Mapping[str, str] | None = None
    known_dx: Mapping[str, str] | None = None
    not_principal: Mapping[str, NotPrincipal] | None = None
    dx_map: Targets | None = None
    op_map: Targets | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    library: Library
    policy: Policy
    tables: Tables
    held: tuple[object, ...]
    """What the plan was asked for with: kept, so that no identity is used twice."""
    rules: OpRules
    excluded: Mapping[str, str] | None
    """Diagnoses that may not be principal, with the reason; None where no list is at hand."""
    use_excluded: bool
    unsaid: str
    """A warning that names what the policy leaves out and is read as no such rule; or empty."""
    mapping: bool
    """Does the policy map codes down before it groups?"""
    no_dx_map: str
    no_op_map: str
    """What to say where it should map diagnoses, or operations, and has no table; or empty."""
    keys: tuple[tuple[bool, Keys], ...]
    """(is it a range?, function) in the policy's order."""
    comprehensive_keys: tuple[Keys, ...]
    national: tuple[Layer, ...]
    local: bool
    """Are core or basic groups among the layers?"""
    comprehensive: bool
    selectors: tuple[tuple[str, Selector], ...]
    any_position: frozenset[str] | None
    position_from_text: bool
    never_alike: bool
    by_discharge: bool
    by_year: bool
    first_day: date | None
    last_day: date | None
    watched: frozenset[str]
    """Categories of the principal diagnosis with which other diagnoses, age or weight count."""
    watched_others: frozenset[str]
    """Categories of other diagnoses that count whatever the principal is."""
    answers: dict[AnswerKey, GroupResult] = field(default_factory=dict, repr=False)
    """Untraced answers by `answer_key`: a saving of time, never seen in an answer."""
    limited: bool = False
    """Does the list of operations ask for the case's own diagnosis (限定范围)?"""
    traced: dict[tuple[object, ...], GroupResult] = field(default_factory=dict, repr=False)
    kindred: bool = False
    """May cases share an answer that differ in operations which no candidate asks for?"""
    by_level: bool = False
    """Does the level of the principal operation count?"""
    labelled: bool = True
    """Does the policy give auxiliary labels?"""
    by_letters: bool = False
    """Do the classes of operations count that no candidate asks for?"""
    kin: dict[tuple[object, ...], Kin] = field(default_factory=dict, repr=False)
    """Such answers by `kin_key`."""
    asked: dict[int, Asked] = field(default_factory=dict, repr=False)
    """What `asked_of` has said."""
    classes: dict[str, int] = field(default_factory=dict, repr=False)
    _numbers: dict[tuple[str, ...], int] = field(default_factory=dict, repr=False)
    _counter: Iterator[int] = field(default_factory=lambda: count(1), repr=False)
    _keys_of: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def dx_keys(self, code: str) -> tuple[str, ...]:
        """Candidate keys of a principal diagnosis, most specific first, each once."""
        keys = self._keys_of.get(code)
        if keys is None:
            if len(self._keys_of) >= MAX_KEYS:
                self._keys_of.clear()
            keys = self._keys_of[code] = self._find_keys(code)
        return keys

    def alike(self, code: str) -> int:
        """What of a principal diagnosis counts: diagnoses of one number get the same answer.

        Nought for a code that the answer itself would name.
        """
        found = self.classes.get(code)
        if found is None:
            if len(self.classes) >= MAX_KEYS:
                self.classes.clear()
            group = self._class_of(code)
            # A number is never given twice, whichever threads ask at once: an answer kept under
            # it would be that of another class.
            found = 0 if group is None else self._numbers.setdefault(group, next(self._counter))
            self.classes[code] = found
        return found

    def asked_of(self, number: int, code: str) -> Asked:
        """What groups of a diagnosis ask for; the same for all of one number."""
        found = self.asked.get(number)
        if found is None:
            if len(self.asked) >= MAX_KEYS:
                self.asked.clear()
            buckets = [self.library.buckets.get(key) for key in self.dx_keys(code)]
            named = frozenset(
                op
                for bucket in buckets
                if bucket is not None
                for item in bucket.groups
                for part in (*item.main, *item.related)
                for op in part
            )
            left = ("", *self._left(code))
            number_left = self._numbers.setdefault(left, next(self._counter))
            conservative = any(bucket.conservative for bucket in buckets if bucket is not None)
            found = self.asked[number] = (named, conservative, number_left)
        return found

    def _left(self, code: str) -> tuple[str, ...]:
        """What of a diagnosis counts where it has no group of its own."""
        bare = strip_marks(code)
        left = [key for function in self.comprehensive_keys for key in function(bare)]
        left += [item.dx_key for item in self.library.ranges if in_range(bare, item.dx_key)]
        return (*left, "|", code[:1])

    def _class_of(self, code: str) -> tuple[str, ...] | None:
        library, spec, bare = self.library, self.policy.grouping.comprehensive, strip_marks(code)
        excluded = self.use_excluded and self.excluded is not None and code in self.excluded
        known = self.tables.known_dx
        unknown = known is not None and code not in known and bare not in known
        if excluded or unknown or spec.rename_range_code_to_case_cat3 or self.limited:
            return None
        named = [
            key
            for key in self.dx_keys(code)
            if key in library.dx_keys or key in library.primary_care
        ]
        return (*named, "|", *self._left(code))

    def _find_keys(self, code: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for is_range, function in self.keys:
            if is_range:
                held = self.library.spans.get(category(strip_marks(code)), ())
            else:
                held = function(code)
            for key in held:
                found[key] = None
        return tuple(found)


class _Entries(Mapping[str, tuple[str, ...]]):
    """The targets of a code map, each once."""

    def __init__(self, table: CodeMap) -> None:
        self._table = table

    def __getitem__(self, code: str) -> tuple[str, ...]:
        found = self._table.entries[code]
        return tuple(dict.fromkeys(item.target_code for item in found))

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.entries)

    def __len__(self) -> int:
        return len(self._table.entries)


def plan_for(library: Library, policy: Policy, ref: Reference | None, given: Tables) -> Plan:
    """The plan of a reference and of tables that come before its own."""
    return plan_of(
        library,
        policy,
        ref,
        given.op_category,
        given.known_dx,
        given.not_principal,
        given.dx_map,
        given.op_map,
    )


def plan_with(library: Library, policy: Policy, ref: Reference | None) -> Plan:
    """`plan_of` without tables of their own; the last one is at hand."""
    last: Any = library.prepared.get("last")
    if last is not None and last[0] is policy and last[1] is ref:
        held: Plan = last[2]
        return held
    plan = plan_of(library, policy, ref)
    library.prepared["last"] = (policy, ref, plan)
    return plan


def plan_of(
    library: Library,
    policy: Policy,
    ref: Reference | None,
    op_category: Mapping[str, str] | None = None,
    known_dx: Mapping[str, str] | None = None,
    not_principal: Mapping[str, NotPrincipal] | None = None,
    dx_map: Targets | None = None,
    op_map: Targets | None = None,
) -> Plan:
    """The plan of these very objects; made once for each set of them.

    A reference is renewed for every day while its tables stay: the plan is that of the tables.
    """
    key = (
        id(policy),
        _marks(ref),
        id(op_category),
        id(known_dx),
        id(not_principal),
        id(dx_map),
        id(op_map),
    )
    plan = library.prepared.get(key)
    if plan is None:
        if len(library.prepared) >= MAX_PLANS:
            library.prepared.clear()
        for other in list(library.prepared.values()):
            if isinstance(other, Plan):
                other.answers.clear()
                other.traced.clear()
                other.kin.clear()
        given = Tables(op_category, known_dx, not_principal, dx_map, op_map)
        plan = library.prepared[key] = _make(library, policy, ref, given)
    return cast("Plan", plan)


def _marks(ref: Reference | None) -> tuple[int, ...]:
    """Which tables a reference holds of those that grouping looks at, by identity."""
    if ref is None:
        return ()
    dx, op = ref.icd10, ref.icd9cm3
    return (
        0 if dx is None else id(dx.names),
        0 if op is None else id(op.names),
        0 if op is None else id(op.attributes.get("category")),
        id(ref.not_principal),
        id(ref.icd10_map),
        id(ref.icd9cm3_map),
        id(ref.tables),
    )


def answer_key(case: Case, plan: Plan) -> AnswerKey | None:
    """Everything of a case that its answer depends on; None: more than can be told.

    What is not in the key must not change the answer: such cases get None and are worked out.
    """
    principal = case.principal
    if plan.never_alike or principal is None or case.tcm:
        return None
    code = principal.code
    alike = plan.classes.get(code)
    if alike is None:
        alike = plan.alike(code)
    discharged, admitted = case.discharged, case.admitted
    if not alike or (admitted is not None and discharged is not None and discharged < admitted):
        return None
    if plan.by_discharge:
        day = None if discharged is None else discharged.date()
    else:
        day = case.settled
    if day is None and case.problems:
        # What is said of a day that cannot be read is not said of one that is not there.
        return None
    if day is not None:
        first, last = plan.first_day, plan.last_day
        if (first is not None and day < first) or (last is not None and last < day):
            return None
    if plan.watched:
        category = code[:3]
        if category in plan.watched or category in plan.watched_others:
            return None
        for other in case.others:
            if other.code[:3] in plan.watched_others:
                return None
    ops = case.procedures
    return (
        alike,
        tuple([item.code for item in ops]) if ops else (),
        case.payment_method,
        case.stay_type,
        day.year if plan.by_year and day is not None else 0,
    )


def kin_key(
    plan: Plan,
    key: AnswerKey,
    asked: Asked,
    codes: Sequence[str],
    letters: Sequence[str],
    classes: frozenset[str] | None,
) -> tuple[object, ...]:
    """What of the case counts, its operations by what candidates of its diagnosis ask for.

    `key` is the case's `answer_key`, `asked` what `Plan.asked_of` says of its class; the rest are
    its operations made ready (`classes` None: a conservative case).
    """
    number, _, method, stay, year = key
    named, bare_too, left = asked
    first = codes[0] if codes else ""
    own = first in named
    if codes and not own and not plan.by_level:
        first = letters[0]
    rest: tuple[str, ...] = ()
    other: object = False
    if len(codes) > 1:
        rest = tuple([op for op in codes[1:] if op in named])
        other = len(rest) < len(codes) - 1
        if other and plan.by_letters:
            both = zip(codes, letters, strict=True)
            other = frozenset([letter for op, letter in both if op not in named])
    if not own and not rest and not (bare_too and classes is None):
        number = left
    if not rest and not other:
        return (number, first, classes, method, stay, year)
    return (number, first, rest, other, classes, method, stay, year)


def _never_alike(policy: Policy, excluded: bool, classes: bool, labelled: bool) -> bool:
    """Do answers depend on what differs from case to case (fee, stay, labels, day in words)?

    A table that is not there (`excluded`, `classes` of operations) is said with the day.
    """
    rules = policy.grouping
    by_fee = USES_FEE.intersection(rules.select or ()) or rules.bx_tie == "closest_fee"
    routes = frozenset(policy.routing.excluded or ()) & {"self_pay"}
    maps = bool(policy.catalogue.map_case_down)
    unsaid = (rules.exclusions.dx_list == "exact" and not excluded) or not classes
    return bool(by_fee or labelled or routes or maps or unsaid)


def _make(
    library: Library,
    policy: Policy,
    ref: Reference | None,
    given: Tables,
) -> Plan:
    rules = policy.grouping
    tables = _tables(policy, ref, given)
    excluded = _excluded(library, tables.not_principal)
    names = list(rules.select or ())
    if not CROSS_LAYER.intersection(names):
        names.insert(0, "layer_order")
    layers = rules.layers or ()
    maps = bool(policy.catalogue.map_case_down)
    positions = rules.pre_any_position
    everywhere = positions == ("all",)
    labelled = policy.auxiliary.mode not in NO_MODE
    has_national = library.national.pre or library.national.layers
    national = tuple(item for item in NATIONAL if has_national and item.value in layers)
    limited = rules.exclusions.op_list == "exact" and any(
        item.treatment is NotMain.LIMITED for item in (library.parts.ops_not_main or {}).values()
    )
    return Plan(
        library=library,
        policy=policy,
        tables=tables,
        held=(given, ref),
        rules=op_rules(
            policy,
            library.op_codes,
            tables.op_category,
            library.parts.op_dictionary,
            library.parts.ops_not_main,
            tables.op_map if maps else None,
        ),
        excluded=excluded,
        use_excluded=rules.exclusions.dx_list == "exact",
        unsaid=_unsaid(policy),
        mapping=maps,
        no_dx_map=_no_map(policy, "dx") if maps and tables.dx_map is None else "",
        no_op_map=_no_map(policy, "op") if maps and tables.op_map is None else "",
        keys=tuple(
            (kind == RANGE, DIAGNOSIS_KEYS.named(kind, "grouping.dx_keys"))
            for kind in rules.dx_keys or ()
        ),
        comprehensive_keys=tuple(
            COMPREHENSIVE_KEYS.named(kind, "grouping.comprehensive.keys")
            for kind in rules.comprehensive.keys or ()
        ),
        national=national,
        local="core" in layers or "basic" in layers,
        comprehensive="comprehensive" in layers,
        selectors=tuple((name, SELECTORS.named(name, "grouping.select")) for name in names),
        any_position=None
        if everywhere
        else frozenset(PRE_ID.format(number) for number in positions or ()),
        position_from_text=positions is None,
        never_alike=_never_alike(
            policy,
            excluded is not None,
            tables.op_category is not None or library.parts.op_dictionary is not None,
            labelled,
        ),
        by_discharge=policy.policy.date_basis == "discharge",
        by_year=bool(library.level_fees),
        first_day=policy.policy.effective_from,
        last_day=policy.policy.effective_to,
        watched=library.national.conditional,
        watched_others=library.national.pre_dx,
        limited=limited,
        kindred=not national and not library.short_codes and not limited,
        labelled=labelled,
        by_level=bool(rules.comprehensive.level_split),
        by_letters=COUNTS_LETTERS in names,
    )


def _no_map(policy: Policy, which: str) -> str:
    catalogue = policy.catalogue
    codes = catalogue.dx_codeset if which == "dx" else catalogue.op_codeset
    edition = f" {codes} 版" if codes else "目录版本的"
    return f"政策要求先映射到{edition}编码，没有映射表（grouping.maps.{which}）"


def _unsaid(policy: Policy) -> str:
    lists = policy.grouping.exclusions
    absent = [
        path
        for path, value in (
            ("routing.excluded", policy.routing.excluded),
            ("grouping.exclusions.dx_list", lists.dx_list),
            ("grouping.exclusions.op_list", lists.op_list),
        )
        if value is None
    ]
    return f"W_NO_RULE 政策没有写 {'、'.join(absent)}，按没有这样的规则处理" if absent else ""


def _excluded(
    library: Library, not_principal: Mapping[str, NotPrincipal] | None
) -> Mapping[str, str] | None:
    """The library's own list comes before the catalogue's."""
    if library.parts.dx_excluded is not None:
        return library.parts.dx_excluded
    if not_principal is None:
        return None
    return {code: entry.reason for code, entry in not_principal.items() if entry.dip3}


def _tables(policy: Policy, ref: Reference | None, given: Tables) -> Tables:
    """Tables given by name come first, then those of the reference."""
    if ref is None:
        return given
    maps = policy.grouping.maps
    op_category, known_dx, not_principal = given.op_category, given.known_dx, given.not_principal
    return Tables(
        op_category=op_category if op_category is not None else categories_of(ref),
        known_dx=known_dx if known_dx is not None else (ref.icd10.names if ref.icd10 else None),
        not_principal=not_principal if not_principal is not None else ref.not_principal,
        dx_map=given.dx_map if given.dx_map is not None else _named(maps.dx if maps else None, ref),
        op_map=given.op_map if given.op_map is not None else _named(maps.op if maps else None, ref),
    )


def _named(name: str | None, ref: Reference) -> Targets | None:
    """A code map of the reference, or a small table with source and target columns."""
    if not name:
        return None
    table = {"icd10-map": ref.icd10_map, "icd9cm3-map": ref.icd9cm3_map}.get(name)
    if table is not None:
        return _Entries(table)
    rows = ref.tables.get(name)
    if rows is None:
        return None
    found: dict[str, tuple[str, ...]] = {}
    for row in rows:
        source, target = row.get("source_code", ""), row.get("target_code", "")
        if source and target and target not in found.get(source, ()):
            found[source] = (*found.get(source, ()), target)
    return found
