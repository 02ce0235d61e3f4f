"""A DIP library as imported: rows of text and numbers, before the grouper compiles it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class LibraryRow:
    """One group of a library. `group_code` is the library's own row id; never parsed.

    `kind` keeps the library's word (核心, 综合, 未入组, XQ, BX…); fees in yuan, stays in days.
    """

    row: int
    group_code: str
    kind: str
    dx_code: str
    dx_name: str
    main_ops: str
    main_op_names: str
    other_ops: str
    other_op_names: str
    op_expression: str
    treatment_class: str
    """手术, 治疗性操作, 诊断性操作 or 保守治疗."""
    score: Decimal | None
    average_fee: Decimal | None
    average_stay: Decimal | None
    cv: Decimal | None
    case_count: int | None
    secondary_dx: str = ""
    """Other diagnoses that the row asks for, as the library writes them (`T31.0|T32.0`)."""
    condition: str = ""
    is_basic: bool = False
    group_factor: Decimal | None = None
    """Factor of a basic group that replaces K, where the library prints one."""
    parent_code: str = ""
    """Group of which this row is an auxiliary sub-row (辅助分型); empty for a group of its own."""
    sub_label: str = ""
    """Label of a sub-row as the library writes it (轻度, 重度 …)."""
    op_level: int | None = None
    """手术级别 of a comprehensive row, where the library splits surgery by it."""
    group_name: str = ""
    """The library's own name of the group, where it has one."""


class NotMain(StrEnum):
    """How a code of the 3.0 list of operations is treated (dip-grouping.md 7)."""

    CONSERVATIVE = "conservative"
    """按保守治疗入组."""
    NEVER = "never"
    """不可作为主要手术操作: the next operation becomes principal."""
    LIMITED = "limited"
    """Principal only with a principal diagnosis of `categories`, else as CONSERVATIVE."""


@dataclass(frozen=True, slots=True)
class OpNotMain:
    """One row of 不纳入分组的主要手术操作; `row` is its row in the source."""

    code: str
    name: str
    treatment: NotMain
    categories: tuple[str, ...]
    row: int


@dataclass(frozen=True, slots=True)
class OpFacts:
    """One row of the operation dictionary (dip-grouping.md 6). None where it does not say."""

    code: str
    name: str
    attribute: str
    """手术, 介入治疗, 治疗性操作, 诊断性操作 or empty."""
    level: int | None = None
    """手术级别 1–4."""
    incision: int | None = None
    """切口类别 0–3 (0 class means no incision)."""
    required: bool | None = None
    grey: bool | None = None
    minimally_invasive: bool | None = None


@dataclass(frozen=True, slots=True)
class SeverityCode:
    """One row of the severity dictionary: `level` is 重度 or 中度 (MCC or CC in the 1.0 style).

    `include`: counts only with a principal diagnosis of one of these prefixes, tested first.
    `exclusion`: name of the group of principal diagnoses with which the code does not count.
    """

    code: str
    level: str
    include: tuple[str, ...] = ()
    exclusion: str = ""


@dataclass(frozen=True, slots=True)
class AgeLabel:
    """One age band, closed at both ends; days or completed years, None is open."""

    label: str
    from_days: int | None = None
    to_days: int | None = None
    from_years: int | None = None
    to_years: int | None = None


@dataclass(frozen=True, slots=True)
class Coefficient:
    """Auxiliary coefficient of one group and label; `group_code` `*` stands for every group."""

    group_code: str
    dimension: str
    """severity, tumour, cci, age, icu or a local name."""
    label: str
    coefficient: Decimal
    trigger: Decimal | None = None
    cases: int | None = None
    """Cases of the group with this label, where the table says so."""
    cv_after: Decimal | None = None
    """CV of the group's fees once this dimension splits it, where the table says so."""


@dataclass(frozen=True, slots=True)
class LevelFee:
    """Average fee in yuan of a group at a hospital level, of one year where the table says so."""

    group_code: str
    level: str
    year: int | None
    fee: Decimal


@dataclass(frozen=True, slots=True)
class PrimaryCareRow:
    """One row of 基层病种: a base-rule group, named by its key."""

    row: int
    dx_code: str
    main_ops: str
    treatment: str


@dataclass(frozen=True, slots=True)
class TcmRow:
    """One row of `tcm_map` (dip-grouping.md 14). `route` is same_price, own_group or uplift."""

    row: int
    code_system: str
    code: str
    syndrome: str
    western_dx_key: str
    op_key: str
    route: str
    factor: Decimal | None
    group_code: str = ""
    """The library's own TCM group, for `own_group`."""


@dataclass(frozen=True, slots=True)
class LibraryParts:
    """Tables beside the groups. None: not imported, what needs it is switched off and says so."""

    dx_excluded: Mapping[str, str] | None = None
    """Code → reason: diagnoses that may not be principal, exact codes."""
    ops_not_main: Mapping[str, OpNotMain] | None = None
    op_dictionary: Mapping[str, OpFacts] | None = None
    tb_resistant: frozenset[str] | None = None
    primary_care: tuple[PrimaryCareRow, ...] | None = None
    severity: Mapping[str, SeverityCode] | None = None
    severity_exclusions: Mapping[str, frozenset[str]] | None = None
    """Exclusion group → principal diagnoses."""
    cci: Mapping[str, int] | None = None
    """Diagnosis code → Charlson weight (1, 2, 3, 6)."""
    age: tuple[AgeLabel, ...] | None = None
    coefficients: tuple[Coefficient, ...] | None = None
    average_fees: tuple[LevelFee, ...] | None = None
    tcm_map: tuple[TcmRow, ...] | None = None


PART_KINDS = (
    "dx-excluded",
    "ops-not-main",
    "op-dictionary",
    "tb-resistant",
    "primary-care",
    "severity",
    "severity-exclusions",
    "cci",
    "age",
    "coefficients",
    "average-fees",
    "tcm-map",
)
"""Names of the parts on the command line, in the order of `LibraryParts`."""
NO_PARTS = LibraryParts()


@dataclass(frozen=True, slots=True)
class LibraryData:
    """One imported version. `edition` is the national edition it is built on (1.0, 2.0, 3.0)."""

    name: str
    version: str
    first_day: date
    edition: str
    partial: bool
    source_hash: str
    rows: tuple[LibraryRow, ...]
    parts: LibraryParts = NO_PARTS

    @property
    def label(self) -> str:
        return f"{self.name}@{self.version}"
