"""Sections of a policy that say who, where, when and how cases are grouped (dip-policy/1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from dipgate.core.params import NOT_APPLICABLE, Number, ParamTable, Table

DEFAULT_EDITION = "2.0"
"""The national edition where no policy names one."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Marks a key that a policy keeps from its text and that no calculation reads.

    `why` tells a person what it is. `core.policy_records` finds these marks.
    """

    why: str


class Part(BaseModel):
    """Base of all sections: frozen, unknown keys refused. `src` points at `evidence`."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, protected_namespaces=()
    )
    src: tuple[str, ...] | None = None
    note: str | None = None


def _words(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _flag(value: object) -> object:
    return False if value == NOT_APPLICABLE else value


def _section(value: object) -> object:
    """A section written as `null` is a section of unknowns."""
    return {} if value is None else value


Words = Annotated[tuple[str, ...] | None, BeforeValidator(_words)]
Flag = Annotated[bool | None, BeforeValidator(_flag)]
Texts = dict[str, str | None]
Sec = BeforeValidator(_section)


class Region(Part):
    code: str
    name: str = ""
    province: str = ""


class Header(Part):
    """Who, where and when. Dates are inclusive and None where unknown."""

    id: str
    region: Region
    year: int | None = None
    effective_from: date | None = None
    effective_to: date | None = None
    date_basis: Literal["settlement", "discharge"]
    completeness: str | None = None
    supersedes: str | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Header:
        if self.effective_from and self.effective_to and self.effective_to < self.effective_from:
            raise ValueError("effective_to 早于 effective_from")
        return self


class Evidence(Part):
    grade: Literal["A", "B", "C", "X"]
    kind: str | None = None
    title: str
    dated: str | None = None


class Threshold(Part):
    cases: int | None = None
    province_pool_cases: int | None = None
    coverage: Number = None
    choose: str | None = None


class Counts(Part):
    core: int | None = None
    comprehensive: int | None = None
    basic: int | None = None
    floor: int | None = None
    xq: int | None = None
    bx: int | None = None
    fz: int | None = None
    jc: int | None = None
    excluded_dx: int | None = None
    excluded_op: int | None = None
    tb_resistant_dx: int | None = None
    combinations: int | None = None
    diagnoses: int | None = None
    history_cases: int | None = None
    core_case_share: Number = None
    comprehensive_case_share: Number = None


class CatalogueOf(Part):
    """Which library and code sets. `library` is `name@version` of an imported library."""

    library: str | None = None
    national_version: str | None = None
    dx_codeset: str | None = None
    op_codeset: str | None = None
    map_case_down: Flag = None
    core_threshold: Annotated[
        Threshold | None, Recorded("制定目录时核心病种的门槛；目录里的病种不再按它筛选")
    ] = None
    score_scale: Annotated[Number, Recorded("制定目录时分值的倍数；目录里的分值已按它算好")] = None
    pool_mean_fee: Annotated[Number, Recorded("制定目录时全池例均费用；不用它重算分值")] = None
    counts: Annotated[Counts, Sec, Recorded("目录的行数和占比，供人核对")] = Counts()
    id_form: Annotated[str | None, Recorded("病种编码的写法；编码从不拆开来用")] = None
    quirk: Annotated[str | None, Recorded("目录文件的已知问题，导入前由人处理")] = None
    shared_with: Annotated[Words, Recorded("共用这份目录的统筹区")] = None

    @property
    def edition(self) -> str:
        """The national edition that rules and code sets go by."""
        return self.national_version or DEFAULT_EDITION


class Routing(Part):
    included: Words = None
    excluded: Words = None
    day_surgery: str | None = None
    tcm_route: str | None = None
    tcm_code_systems: Words = None
    """Code systems of TCM diagnoses in the area's lists, the first that has the code counts."""
    ungrouped: Annotated[
        str | None,
        Recorded("未入组病例的去向；入组看 grouping.comprehensive.floor，计分看 scoring.ungrouped"),
    ] = None


class Exclusions(Part):
    dx_list: str | None = None
    op_list: str | None = None
    on_conservative_main: str | None = None


class OpExpr(Part):
    grammar: str | None = None
    and_: str | None = Field(default=None, alias="and")
    or_: str | None = Field(default=None, alias="or")
    main_related_separator: str | None = None


class OpMatch(Part):
    """`exact`, or short codes of the directory match every code that they begin."""

    exact: Flag = None
    prefix_if_shorter_than: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _exact(cls, value: Any) -> Any:
        if value == "exact" or value is None:
            return {} if value is None else {"exact": True}
        if isinstance(value, str):
            raise ValueError(f"不认识 {value!r}；写 exact 或 {{prefix_if_shorter_than: 7}}")
        return value


class OpType(Part):
    interventional_as: str | None = None
    case_type_from: str | None = None
    simple_op: str | None = None


class Comprehensive(Part):
    keys: Words = None
    ranges: Flag = None
    level_split: Flag = None
    level_map: Texts | None = None
    floor: str | None = None
    suffixes: Texts | None = None
    rename_range_code_to_case_cat3: Flag = None


class CodeMaps(Part):
    """Tables that bring codes of the case to the library's edition (`catalogue.map_case_down`).

    A name is a code map (`icd10-map`, `icd9cm3-map`) or a table with columns `source_code` and
    `target_code`. A code without exactly one target takes no part in grouping.
    """

    dx: str | None = None
    op: str | None = None


class Grouping(Part):
    exclusions: Annotated[Exclusions, Sec] = Exclusions()
    dx_keys: Words = None
    op_expr: Annotated[OpExpr, Sec] = OpExpr()
    op_match: Annotated[OpMatch, Sec] = OpMatch()
    op_roles: str | None = None
    op_type: Annotated[OpType, Sec] = OpType()
    layers: Words = None
    pre_any_position: Words = None
    """Numbers of the pre-groups (XQ) whose operations may stand at any position, or `all`."""
    aux_any_position: Flag = None
    """Do the operations of the split rows (FZ) hold without the principal operation among them?"""
    bx_tie: str | None = None
    """Equal merge rows (BX): ambiguous (also when unknown), first, max_score or closest_fee."""
    maps: CodeMaps | None = None
    comprehensive: Annotated[Comprehensive, Sec] = Comprehensive()
    blank_code: str | None = None
    basic_groups: Words = None
    """Group codes that the area pays as basic groups, where the library itself does not say."""
    floor_rows: Annotated[
        str | None, Recorded("目录中用途没有说明的行；载入目录，病例不进入这些行")
    ] = None
    discuss_flag: Annotated[
        str | None, Recorded("目录中标为待讨论的行的说明；不影响入组和分值")
    ] = None
    select: Words = None
    rank: Words = None
    unmapped_codes: Literal["reject", "use"] | None = None


class LosGate(Part):
    op: str
    days: int


class AgeBand(Part):
    label: str
    from_days: int | None = None
    to_days: int | None = None
    from_years: int | None = None
    to_years: int | None = None


class Trigger(Part):
    """When a dimension is in use for a group, where the library's rows bring their statistics."""

    min_group_cases: Number = None
    min_type_cases: Number = None
    min_cv_drop: Number = None
    cv_before: Number = None
    icu_relaxed: Flag = None


class LabelRow(Part):
    """A label and when it fits."""

    label: str
    when: str | None = None
    groups: Words = None
    """Group codes of the row; None: every core group."""


class AuxRow(LabelRow):
    """One row of an expression table: a label, when it fits, and what it multiplies by."""

    dimension: str = "local"
    factor: Number = None


class Auxiliary(Part):
    """Which labels a case gets and what they multiply by.

    `severity_labels`: four words (light, moderate, severe, death) or six (the 1.0 style: light and
    death each split by the stay). `tumour_labels`: seven words from the lightest, or the nine of
    the 1.0 style.
    """

    mode: str | None = None
    dimensions: Words = None
    choose: str | None = None
    order: Annotated[Words, Recorded("严重程度的先后；总是先看最重的一级")] = None
    los_gate: LosGate | None = None
    age_bands: tuple[AgeBand, ...] | None = None
    icu_bands_days: tuple[tuple[int | None, ...], ...] | None = None
    coefficients: Table = ParamTable({})
    """Group code (or `*`), then dimension, then label; `n/a`: not for that group or dimension."""
    expressions: tuple[AuxRow, ...] = ()
    secondary_dx: tuple[LabelRow, ...] | None = None
    """Labels of the dimension `secondary_dx`, the first that fits; None: nobody has said."""
    severity_labels: Words = None
    tumour_labels: Words = None
    severity_source: str | None = None
    """How the severity list counts, a word of `pregrouper.severity.SOURCES`; None: as it says."""
    local_labels: Words = None
    excluded_groups: Words = None
    trigger: Annotated[Trigger, Sec] = Trigger()
    cap: Number = None
