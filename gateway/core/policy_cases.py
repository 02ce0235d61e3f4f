"""Worked examples that travel with a policy: one case, and what it must come to.

Every number is text and exact; unknown keys are refused. They run in the tests and again before
a policy is activated.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from dipgate.core.library import (
    Coefficient,
    LibraryData,
    LibraryParts,
    LibraryRow,
    NotMain,
    OpFacts,
    OpNotMain,
    SeverityCode,
)
from dipgate.core.settle_input import SettleInput


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CaseInput(_Strict):
    """The stay. `procedures` in list order, the first is principal; money in yuan.

    It ends on the day of settlement; `stay_days` before that it began. Intensive care begins with
    the stay. `fees` by category (`05` 治疗费), `items` by code of the charge item.
    """

    principal: str
    others: tuple[str, ...] = ()
    procedures: tuple[str, ...] = ()
    fee: Decimal | None = None
    fund: Decimal | None = None
    self_paid: Decimal | None = None
    insurance_type: str = "310"
    insured_place: str = ""
    hospital_code: str = ""
    hospital_level: str = ""
    stay_type: str = "1"
    payment_method: str = "3"
    sex: str = ""
    born: date | None = None
    stay_days: int = 0
    discharge_way: str = "1"
    icu_hours: int | None = None
    vent_hours: int | None = None
    birth_weight_g: int | None = None
    fees: dict[str, Decimal] | None = None
    items: dict[str, Decimal] | None = None
    tcm: tuple[str, ...] = ()
    """TCM diseases, then syndromes written `syndrome:CODE`."""


class CaseExpect(_Strict):
    """What must come out; a field left out is not compared. `amount` in yuan."""

    status: str | None = None
    layer: str | None = None
    group_code: str | None = None
    score_status: str | None = None
    zone: str | None = None
    labels: tuple[str, ...] | None = None
    """Auxiliary labels as `severity 重度`."""
    auxiliary: str | None = None
    split: str | None = None
    score: str | None = None
    amount: str | None = None
    not_configured: tuple[str, ...] | None = None
    steps: tuple[str, ...] | None = None
    """Step names that the trace must hold, in this order."""


class PolicyCase(_Strict):
    name: str
    settled_on: date
    input: CaseInput
    expect: CaseExpect
    source: str


class BenchRow(_Strict):
    """A group of the small library that examples stand on; columns as in `LibraryRow`."""

    group_code: str
    kind: str = "核心"
    dx_code: str
    dx_name: str = ""
    main_ops: str = ""
    other_ops: str = ""
    op_expression: str = ""
    treatment_class: str = ""
    score: Decimal | None = None
    average_fee: Decimal | None = None
    average_stay: Decimal | None = None
    cv: Decimal | None = None
    case_count: int | None = None
    secondary_dx: str = ""
    condition: str = ""
    is_basic: bool = False
    group_factor: Decimal | None = None
    parent_code: str = ""
    sub_label: str = ""
    op_level: int | None = None


class BenchOperation(_Strict):
    """An operation of the bench's dictionary; `attribute` empty for one without any."""

    code: str
    attribute: str = ""
    level: int | None = None
    incision: int | None = None


class BenchSeverity(_Strict):
    code: str
    level: str
    include: tuple[str, ...] = ()
    exclusion: str = ""


class BenchNotMain(_Strict):
    code: str
    treatment: NotMain
    categories: tuple[str, ...] = ()


class BenchCoefficient(_Strict):
    group_code: str = "*"
    dimension: str
    label: str
    coefficient: Decimal
    trigger: Decimal | None = None
    cases: int | None = None
    cv_after: Decimal | None = None


class Bench(_Strict):
    """An invented library, just large enough for the examples beside a policy."""

    edition: str
    rows: tuple[BenchRow, ...]
    operations: tuple[BenchOperation, ...] = ()
    dx_excluded: tuple[str, ...] = ()
    ops_not_main: tuple[BenchNotMain, ...] = ()
    tb_resistant: tuple[str, ...] = ()
    severity: tuple[BenchSeverity, ...] = ()
    severity_exclusions: dict[str, tuple[str, ...]] = {}
    cci: dict[str, int] = {}
    coefficients: tuple[BenchCoefficient, ...] = ()

    def data(self, name: str) -> LibraryData:
        """The library as imported ones are; parts without entries are parts that are not there."""
        rows = tuple(
            LibraryRow(
                row=number,
                main_op_names="",
                other_op_names="",
                **row.model_dump(),
            )
            for number, row in enumerate(self.rows, start=1)
        )
        return LibraryData(name, "bench", date.min, self.edition, False, "", rows, self._parts())

    def _parts(self) -> LibraryParts:
        return LibraryParts(
            dx_excluded=dict.fromkeys(self.dx_excluded, "") or None,
            ops_not_main={
                item.code: OpNotMain(item.code, "", item.treatment, item.categories, number)
                for number, item in enumerate(self.ops_not_main, start=1)
            }
            or None,
            op_dictionary={
                item.code: OpFacts(item.code, "", item.attribute, item.level, item.incision)
                for item in self.operations
            }
            or None,
            tb_resistant=frozenset(self.tb_resistant) or None,
            severity={
                item.code: SeverityCode(item.code, item.level, item.include, item.exclusion)
                for item in self.severity
            }
            or None,
            severity_exclusions={
                name: frozenset(codes) for name, codes in self.severity_exclusions.items()
            }
            or None,
            cci=self.cci or None,
            coefficients=tuple(Coefficient(**item.model_dump()) for item in self.coefficients)
            or None,
        )


class MoneyExpect(_Strict):
    """What a month or a year must come to, in yuan; a field left out is not compared."""

    payable: str | None = None
    dip_payable: str | None = None
    deposit: str | None = None
    deposit_returned: str | None = None
    prepayment: str | None = None
    clearing: str | None = None
    not_configured: tuple[str, ...] | None = None
    steps: tuple[str, ...] | None = None


class MoneyCase(_Strict):
    """A month or a year: the line as `dipgate settle` reads it, and what it must come to."""

    name: str
    settle: SettleInput
    expect: MoneyExpect
    source: str


class PolicyCases(_Strict):
    """The examples. `settings` (`PATH=VALUE`) fill what the policy leaves open, `library` stands

    in for the one that it names: both are invented, so that the rules of a policy can be shown
    whose numbers are not known.
    """

    cases: tuple[PolicyCase, ...] = ()
    money: tuple[MoneyCase, ...] = ()
    settings: tuple[str, ...] = ()
    library: Bench | None = None
