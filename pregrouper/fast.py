"""Whole regions at once: groups of coded cases by compiled code (the extra `[fast]`).

Codes become numbers once, a compiled loop decides, and what a result says is asked of the plain
engine once per outcome: two cases of one outcome differ in their operations alone. Cases that the
loop leaves open go to the plain engine one by one, so every answer is the plain engine's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from msgspec import structs

from dipgate.core.case import Case, Diagnosis, Procedure
from dipgate.core.errors import ConfigError
from dipgate.core.grouping import GroupResult, GroupStatus
from dipgate.core.policy import Policy
from dipgate.core.reference import NotPrincipal, Reference
from dipgate.pregrouper.categories import categories_of
from dipgate.pregrouper.comprehensive import comprehensive_rows
from dipgate.pregrouper.engine import group
from dipgate.pregrouper.library import TREATMENTS, Library
from dipgate.pregrouper.notes import Notes
from dipgate.pregrouper.operations import NO_OPERATIONS, operations_for
from dipgate.pregrouper.plan import Tables, plan_for
from dipgate.pregrouper.selectors import USES_FEE

if TYPE_CHECKING:
    from dipgate.pregrouper.fast_layout import Cases, Hashes, Ints, Longs

CHUNK = 16_384
"""Small, so that the table of outcomes stays small and near."""
_NO_CASE = Case(
    case_id="",
    hospital_code="",
    insured_place="",
    insurance_type="",
    sex="",
    born=None,
    admitted=None,
    discharged=None,
    settled=None,
    discharge_way="",
    stay_type="",
    payment_method="",
    principal=None,
    others=(),
    tcm=(),
    procedures=(),
    icu=(),
    fee=None,
    fund=None,
    self_paid=None,
    birth_weight_g=None,
    vent_hours=None,
)


def fast_grouper(library: Library, policy: Policy, ref: Reference) -> FastGrouper:
    """Compile a library for the loop, with the catalogues of `ref`.

    Raises ConfigError when the extra is not installed, and for a library or policy with parts that
    the loop does not know: nothing runs slowly without being asked to.
    """
    op_category = categories_of(ref)
    if op_category is None:
        raise ConfigError(
            "快速分组需要手术操作目录（icd9cm3）；先用 dipgate catalogue import 导入",
            path="icd9cm3",
        )
    known_dx = ref.icd10.names if ref.icd10 else None
    return FastGrouper(library, policy, op_category, known_dx, ref.not_principal)


def check_installed() -> None:
    """Raise ConfigError when numba or numpy is not there, and say how to install them."""
    try:
        import numba  # noqa: F401
        import numpy  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "快速分组需要附加组件 numba，现在没有安装；请运行 pip install 'dipgate[fast]'，"
            "或不用快速分组",
            path="fast",
        ) from error


@dataclass(frozen=True, slots=True)
class CodedCases:
    """Cases in the numbers of one `FastGrouper`, column by column.

    `dx` is -1 without a principal diagnosis, `context` where the plain engine has to look; `fee`
    is in fen.
    """

    dx: Ints
    offsets: Longs
    """Where the operations of each case begin in `ops`; one longer than there are cases."""
    ops: Ints
    fee: Longs
    context: Ints

    def __len__(self) -> int:
        return len(self.dx)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What cases of one outcome share. `whole`: no part of it depends on the case."""

    result: GroupResult
    whole: bool


class FastResults:
    """Answers of one run. `outcome` numbers the outcome of each case, -1: see `open`."""

    def __init__(
        self,
        outcome: Ints,
        matched: Longs,
        outcomes: Sequence[Outcome],
        left: Mapping[int, GroupResult],
        op_codes: Callable[[int], tuple[str, ...]],
    ) -> None:
        self.outcome = outcome
        self.outcomes = outcomes
        self.open = left
        """Results of the cases that the plain engine was asked about one by one."""
        self._matched = matched
        self._op_codes = op_codes

    def __len__(self) -> int:
        return len(self.outcome)

    def shared(self, case: int) -> GroupResult:
        """The result but for `matched` and `unmatched`, which are those of another case."""
        number = int(self.outcome[case])
        return self.open[case] if number < 0 else self.outcomes[number].result

    def result(self, case: int) -> GroupResult:
        """Exactly what the plain engine says without trace."""
        number = int(self.outcome[case])
        if number < 0:
            return self.open[case]
        outcome = self.outcomes[number]
        if outcome.whole:
            return outcome.result
        bits, codes = int(self._matched[case]), self._op_codes(case)
        return structs.replace(
            outcome.result,
            matched=tuple(code for at, code in enumerate(codes) if bits >> at & 1),
            unmatched=tuple(code for at, code in enumerate(codes) if not bits >> at & 1),
        )


class FastGrouper:
    """One library, policy and set of catalogues. Learns codes and outcomes; for one thread."""

    def __init__(
        self,
        library: Library,
        policy: Policy,
        op_category: Mapping[str, str],
        known_dx: Mapping[str, str] | None = None,
        not_principal: Mapping[str, NotPrincipal] | None = None,
    ) -> None:
        check_installed()
        import numpy as np

        from dipgate.pregrouper import fast_kernel, fast_layout, fast_tables

        self.library, self.policy = library, policy
        self._op_category, self._known_dx = op_category, known_dx
        self._not_principal = not_principal
        self._kernel, self._layout = fast_kernel, fast_layout
        self._plan = plan_for(library, policy, None, Tables(op_category, known_dx, not_principal))
        self._tables = fast_tables.compiled(self._plan)
        self._dx = _Growing((fast_layout.DX_WIDTH,))
        self._dx_numbers: dict[str, int] = {}
        self._dx_buckets, self._comp_rows = _Growing(), _Growing()
        self._floors: dict[str, int] = {}
        self._ops = _Growing((fast_layout.OP_WIDTH,))
        self._op_numbers: dict[str, int] = {}
        self._op_codes: list[str] = []
        for code in self._tables.op_codes:
            self.op_number(code)
        self._contexts: dict[tuple[object, ...], int] = {}
        self._stops = _Growing()
        self._outcomes: list[Outcome] = []
        self.texts: dict[str, dict[str, int]] = {}
        """By column: texts as files write them, and their numbers."""
        self._slots = _table(2 * CHUNK)
        self._seen = np.zeros(len(self._tables.groups) + 1, np.int64)

    def plain(self, case: Case) -> GroupResult:
        """The answer of the plain engine, without trace."""
        return group(
            case,
            self.library,
            self.policy,
            op_category=self._op_category,
            known_dx=self._known_dx,
            not_principal=self._not_principal,
            trace=False,
        )

    def dx_number(self, code: str) -> int:
        """The number of a principal diagnosis; -1 for none."""
        if not code:
            return -1
        number = self._dx_numbers.get(code)
        if number is None:
            number = self._dx_numbers[code] = self._dx.add(self._dx_facts(code))
        return number

    def op_number(self, code: str) -> int:
        """The number of an operation as the case writes it."""
        number = self._op_numbers.get(code)
        if number is None:
            number = self._op_numbers[code] = len(self._op_codes)
            self._op_codes.append(code)
            self._ops.add((0, 0, number))
            self._ops.set(number, self._op_facts(code, number))
        return number

    @property
    def needs_fee(self) -> bool:
        """Does the policy look at the fee when it chooses between groups?"""
        return bool(USES_FEE.intersection(self.policy.grouping.select or ()))

    @property
    def no_fee(self) -> int:
        """The number that stands for a fee that is not known."""
        return self._layout.NO_FEE

    def day_key(self, day: date) -> object:
        """The same for two days between which no result can differ."""
        outside = None if self.policy.holds_on(day) else day
        return outside, day.year if self.library.level_fees else 0

    def context_number(self, case: Case) -> int:
        """The number of everything that a result may depend on beside codes and fee."""
        day = case.settled
        if self.policy.policy.date_basis == "discharge":
            day = case.discharged.date() if case.discharged else None
        backwards = case.left_before_it_came
        key = (
            None if day is None else self.day_key(day),
            case.settled is None,
            case.discharged is None,
            backwards,
            "setlinfo.setl_end_date" in case.problems,
            case.stay_type,
            case.payment_method,
            bool(case.tcm),
        )
        number = self._contexts.get(key)
        if number is None:
            number = self._contexts[key] = len(self._contexts)
            probe = structs.replace(case, principal=Diagnosis("-", "", "1", "", 0))
            routed = self.plain(probe).status is GroupStatus.ROUTED_OUT
            layout, wide = self._layout, bool(case.tcm) and not backwards
            free = layout.STOP if routed or backwards else layout.GO_ON
            self._stops.add(layout.LOOK if wide else free)
        return number

    def context_of(
        self,
        settled: datetime | None,
        broken: bool,
        discharged: datetime | None,
        stay_type: str,
        payment_method: str,
    ) -> int:
        """`context_number` of an ordinary case of which no more than this is known.

        `broken`: the day of settlement cannot be read.
        """
        return self.context_number(
            structs.replace(
                _NO_CASE,
                settled=settled.date() if settled else None,
                problems=("setlinfo.setl_end_date",) if broken else (),
                discharged=discharged,
                stay_type=stay_type,
                payment_method=payment_method,
            )
        )

    def coded(self, cases: Sequence[Case]) -> CodedCases:
        """Cases in numbers."""
        from dipgate.pregrouper.fast_tables import ints, longs

        ops: list[int] = []
        offsets = [0]
        for case in cases:
            ops += [self.op_number(item.code) for item in case.procedures]
            offsets.append(len(ops))
        return CodedCases(
            ints(self.dx_number(case.principal.code if case.principal else "") for case in cases),
            longs(offsets),
            ints(ops),
            longs(self._layout.NO_FEE if case.fee is None else case.fee for case in cases),
            ints(self.context_number(case) for case in cases),
        )

    def run(
        self,
        cases: CodedCases,
        case_at: Callable[[int], Case],
        left_to: Callable[[int], GroupResult] | None = None,
    ) -> FastResults:
        """Group coded cases. `case_at` gives the case of a number; it is asked per new outcome.

        `left_to` answers for cases that the loop leaves open, in the place of the plain engine.
        """
        import numpy as np

        total = len(cases)
        outcome, matched = np.empty(total, np.int32), np.empty(total, np.int64)
        left: dict[int, GroupResult] = {}
        for begin in range(0, total, CHUNK):
            end = min(begin + CHUNK, total)
            self._chunk(cases, begin, end, outcome, matched, case_at)
        for at in np.flatnonzero(outcome < 0).tolist():
            left[at] = self.plain(case_at(at)) if left_to is None else left_to(at)

        def op_codes(at: int) -> tuple[str, ...]:
            return self.operations_at(cases, at)

        return FastResults(outcome, matched, self._outcomes, left, op_codes)

    def operations_at(self, cases: CodedCases, at: int) -> tuple[str, ...]:
        """Operations of a coded case that take part, once each, as the engine lists them."""
        layout, facts = self._layout, self._ops.rows
        codes: dict[str, None] = {}
        for op in cases.ops[cases.offsets[at] : cases.offsets[at + 1]].tolist():
            if facts[op, layout.OP_USE] != layout.SKIP:
                codes[self._op_codes[int(facts[op, layout.OP_FINAL])]] = None
        return tuple(codes)

    def _chunk(
        self,
        cases: CodedCases,
        begin: int,
        end: int,
        outcome: Ints,
        matched: Longs,
        case_at: Callable[[int], Case],
    ) -> None:
        import numpy as np

        kernel, layout, known = self._kernel, self._layout, len(self._outcomes)
        self._make_room(known + end - begin)
        fresh = np.empty((end - begin, 3), np.int32)
        now = kernel.group_all(
            self._facts(cases, begin, end),
            self._tables.rules,
            self._tables.tables,
            self._slots,
            layout.Answers(outcome[begin:end], matched[begin:end], fresh),
            self._seen,
            known,
        )
        whole = (layout.EXCLUDED, layout.REJECTED, layout.STOPPED)
        for at, row, kind in fresh[: now - known].tolist():
            result = self.plain(case_at(begin + at))
            self._verify(kind, row, result)
            self._outcomes.append(Outcome(result, kind in whole))

    def _verify(self, kind: int, row: int, result: GroupResult) -> None:
        """The loop and the plain engine must say the same of the first case of every outcome."""
        layout = self._layout
        if kind == layout.ONE:
            same = result.group_code == self._tables.groups[row].code
        elif kind == layout.MANY:
            same = result.status is GroupStatus.AMBIGUOUS
        elif kind == layout.EXCLUDED:
            same = result.status is GroupStatus.EXCLUDED_DX
        elif kind == layout.REJECTED:
            same = result.status is GroupStatus.INVALID_INPUT
        elif kind == layout.STOPPED:
            same = result.status in (GroupStatus.INVALID_INPUT, GroupStatus.ROUTED_OUT)
        else:
            same = not result.matched
        if not same:
            raise RuntimeError(
                f"the compiled loop and the engine differ: kind {kind}, row {row}, "
                f"engine {result.status} {result.group_code}"
            )

    def _facts(self, cases: CodedCases, begin: int, end: int) -> Cases:
        return self._layout.Cases(
            cases.dx[begin:end],
            cases.offsets[begin : end + 1],
            cases.ops,
            cases.fee[begin:end],
            cases.context[begin:end],
            self._stops.rows,
            self._dx.rows,
            self._dx_buckets.rows,
            self._comp_rows.rows,
            self._ops.rows,
        )

    def _make_room(self, wanted: int) -> None:
        if 2 * wanted < len(self._slots):
            return
        larger = _table(4 * wanted)
        self._kernel.fill_again(self._slots, larger)
        self._slots = larger

    def _op_facts(self, code: str, number: int) -> tuple[int, int, int]:
        from dipgate.pregrouper.fast_tables import LETTERS

        layout = self._layout
        found = operations_for(_with_operations((code,)), self._plan.rules, "")
        warned = any(text.startswith("W_UNMAPPED") for text in found.warnings)
        if not found.codes:
            return 0, layout.SKIP, number
        final = found.codes[0]
        final_number = number if final == code else self.op_number(final)
        use = layout.USE_AND_WARN if warned else layout.USE
        return LETTERS[found.letters[0]], use, final_number

    def _dx_facts(self, code: str) -> tuple[int, ...]:
        layout = self._layout
        answer = self.plain(structs.replace(_NO_CASE, principal=Diagnosis(code, "", "1", "", 0)))
        flag = layout.NORMAL
        if answer.status is GroupStatus.EXCLUDED_DX:
            flag = layout.EXCLUDED
        elif answer.status is GroupStatus.INVALID_INPUT:
            flag = layout.REJECTED
        elif any(text.startswith("W_UNMAPPED") for text in answer.warnings):
            flag = layout.WARNED
        begin = len(self._dx_buckets)
        for key in self._plan.dx_keys(code):
            bucket = self._tables.bucket_numbers.get(key)
            if bucket is not None:
                self._dx_buckets.add(bucket)
        facts = [
            flag,
            begin,
            len(self._dx_buckets),
            self._floors.setdefault(code[:1], len(self._floors)),
        ]
        for letter in TREATMENTS:
            facts.append(len(self._comp_rows))
            found = comprehensive_rows(self._plan, code, letter, NO_OPERATIONS, Notes(False))
            for item in found.rows:
                self._comp_rows.add(self._tables.row_numbers[item.code])
            facts.append(len(self._comp_rows))
        return tuple(facts)


class _Growing:
    """Whole numbers, or rows of them, that are added one by one and read as an array."""

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        import numpy as np

        self._held = np.zeros((1024, *shape), np.int32)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def rows(self) -> Ints:
        """All of them, and room after them."""
        return self._held

    def add(self, values: int | Sequence[int]) -> int:
        """Append; the number of the new row."""
        import numpy as np

        if self._size == len(self._held):
            self._held = np.concatenate([self._held, np.zeros_like(self._held)])
        self._held[self._size] = values
        self._size += 1
        return self._size - 1

    def set(self, row: int, values: Sequence[int]) -> None:
        self._held[row] = values


def _table(wanted: int) -> Hashes:
    import numpy as np

    return np.zeros((1 << max(16, (wanted - 1).bit_length()), 2), np.uint64)


def _with_operations(codes: Sequence[str]) -> Case:
    procedures = tuple(
        Procedure(code, "", place == 0, None, place) for place, code in enumerate(codes)
    )
    return structs.replace(_NO_CASE, procedures=procedures)
