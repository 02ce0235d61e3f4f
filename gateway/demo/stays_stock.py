"""What an invented hospital treats: the groups of a library, each with codes that may be used.

Only codes that stand in the active catalogues are taken, and no principal diagnosis that a list
forbids; a row that leaves no code or no patient is skipped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from dipgate.core.codes import category, subcategory
from dipgate.core.errors import ConfigError
from dipgate.core.library import LibraryData, LibraryRow
from dipgate.core.reference import CodeTable, NotPrincipal, Reference
from dipgate.demo.stays_limits import Limits, diagnosis_limits, procedure_limits, within

_SHAPE = re.compile(r"^[A-Z]\d{2}\.[0-9x]\d{2}(x\d{3})?(\+[A-Z]\d{2}(\.\d)?\*)?$")
_OP_SHAPE = re.compile(r"^\d{2}\.[0-9x][0-9x]\d{2}(x\d{3})?$")
_NEVER = (
    "V01-Y98 B95-B98 U82-U85 U07 R65 Z33 Z37 Z38 Z53 Z80-Z99 P00-P04 I25.2 I69 T31 T32 T90-T98 "
    "B90-B94 E64 E68 G09 Q56 F64"
).split()
"""Never principal here: by the lists, or because coders argue about it."""
_ODD_NAMES = ("可疑", "个人史", "家族史", "后遗症", "状态", "孕周")
STRAY_SHARE = 0.015
"""Stays whose principal diagnosis no row of the library knows."""
_STRAY_CHAPTERS = (
    "D50-D89 E00-E46 G00-G99 H60-H95 I00-I99 J00-J99 K20-K93 L00-L99 M00-M99 N00-N39".split()
)
SURGICAL = "手术"
CONSERVATIVE = "保守治疗"
_COMORBID = (
    "I10.x04 I10.x05 I10.x03 E11.900 I25.103 E78.500 K76.000 D64.902 E87.600 G47.000x001 I67.202 "
    "K29.500 I65.200x001 Z86.703 Z88.000x001 D50.900 K63.500 N40.x00 J98.414 N39.000"
).split()
_CLASHES = {
    "I10": "I10-I15 I50 N18 O00-O99 P00-P96",
    "E11": "E08-E14 O00-O99",
    "I25": "I20-I25",
    "E78": "E78 O00-O99",
    "K76": "K70-K77",
    "D64": "D50-D64 O00-O99",
    "D50": "D50-D64 O00-O99",
    "E87": "E87",
    "G47": "G47",
    "I67": "I60-I69 G45",
    "I65": "I60-I69",
    "K29": "K20-K31 K92",
    "Z86": "I60-I69",
    "Z88": "Z88",
    "K63": "K63 C18 D12",
    "N40": "N30-N40 C61",
    "J98": "J00-J99 A15-A16 P22-P23",
    "N39": "N00-N39",
}
"""Category of a comorbidity → principal diagnoses that it would contradict or repeat."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """One library row that this hospital can produce: codes, patients, weight."""

    row: LibraryRow
    diagnoses: tuple[str, ...]
    procedures: tuple[str, ...]
    limits: Mapping[str, Limits]
    """principal code → who may have it together with the procedures."""

    @property
    def surgical(self) -> bool:
        return bool(self.procedures)


@dataclass(frozen=True)
class Stock:
    """All treatments with running weights, and the other diagnoses to go with them."""

    ref: Reference
    treatments: tuple[Treatment, ...]
    running: tuple[float, ...]
    comorbidities: tuple[str, ...]
    tumours: tuple[str, ...]
    external_causes: tuple[str, ...]
    icd10: CodeTable
    icd9cm3: CodeTable
    by_code: Mapping[str, Treatment] = field(default_factory=dict)

    def others_for(self, principal: str, sex: str, age_days: int) -> list[str]:
        """Other diagnoses that go with a principal diagnosis, a sex and an age."""
        return [
            code
            for code in self.comorbidities
            if not within(principal, _CLASHES.get(category(code), category(code)).split())
            and diagnosis_limits(code, self.icd10.names[code], principal=False).fits(sex, age_days)
        ]

    def surgery(self, code: str) -> bool:
        return self.icd9cm3.attribute("category", code) in (SURGICAL, "介入治疗")


def stock_of(ref: Reference, library: LibraryData) -> Stock:
    """Raises ConfigError when catalogues are missing or no group of the library can be produced."""
    if ref.icd10 is None or ref.icd9cm3 is None:
        raise ConfigError(
            "没有启用诊断或手术目录，无法生成病例；先导入 icd10、icd9cm3，或 init --sample",
            path="catalogues",
        )
    usable = _usable_diagnoses(ref.icd10, ref.not_principal or {})
    ops_of_category = _procedures_by_category(library, ref.icd9cm3)
    core = {row.dx_code for row in library.rows if row.kind == "核心"}
    treatments: list[Treatment] = []
    for row in library.rows:
        found = _treatment(row, usable, ref, ops_of_category, core)
        if found is not None:
            treatments.append(found)
    if not treatments:
        raise ConfigError(
            f"目录库 {library.label} 的病种没有一个能用启用的编码生成", path=library.label
        )
    running: list[float] = []
    total = 0.0
    for treatment in treatments:
        total += max(1, treatment.row.case_count or 1) ** 0.8
        running.append(total)
    strays = _strays(library, usable, ref.icd10)
    if strays is not None:
        treatments.append(strays)
        running.append(total / (1 - STRAY_SHARE))
    names = ref.icd10.names
    return Stock(
        ref=ref,
        treatments=tuple(treatments),
        running=tuple(running),
        comorbidities=_present(_COMORBID, names, ref.not_principal or {}),
        tumours=_present(
            "C34.900x001 C16.900 C18.700 C18.200 C20.x00 C22.000 C50.900 C53.900 C56.x00".split(),
            names,
            ref.not_principal or {},
        ),
        external_causes=_present("W18.x00 W10.x00 W19.x00 V89.200x091".split(), names, {}),
        icd10=ref.icd10,
        icd9cm3=ref.icd9cm3,
        by_code={treatment.row.group_code: treatment for treatment in treatments},
    )


def _strays(
    library: LibraryData, usable: Mapping[str, list[str]], icd10: CodeTable
) -> Treatment | None:
    """Diagnoses that no row of the library knows, treated without operation; None if all are."""
    known = {row.dx_code for row in library.rows}
    limits = {
        code: diagnosis_limits(code, icd10.names[code], principal=True)
        for key, codes in usable.items()
        if len(key) > 3 and not {key, category(key)} & known and within(key, _STRAY_CHAPTERS)
        for code in codes
    }
    if not limits:
        return None
    row = LibraryRow(
        row=0,
        group_code="",
        kind="",
        dx_code="",
        dx_name="",
        main_ops="",
        main_op_names="",
        other_ops="",
        other_op_names="",
        op_expression="",
        treatment_class=CONSERVATIVE,
        score=None,
        average_fee=Decimal(5600),
        average_stay=Decimal(7),
        cv=None,
        case_count=None,
    )
    return Treatment(row, tuple(limits), (), limits)


def _present(
    codes: Iterable[str], names: Mapping[str, str], lists: Mapping[str, NotPrincipal]
) -> tuple[str, ...]:
    return tuple(
        code
        for code in codes
        if code in names and not (code in lists and lists[code].reason == "gray-parent")
    )


def _usable_diagnoses(
    icd10: CodeTable, forbidden: Mapping[str, NotPrincipal]
) -> dict[str, list[str]]:
    """亚目 and 类目 → codes that may be principal."""
    found: dict[str, list[str]] = {}
    for code, name in icd10.names.items():
        if code in forbidden or not _SHAPE.match(code) or within(code, _NEVER):
            continue
        if any(word in name for word in _ODD_NAMES):
            continue
        found.setdefault(subcategory(code), []).append(code)
        found.setdefault(category(code), []).append(code)
    return found


def _procedures_by_category(library: LibraryData, icd9cm3: CodeTable) -> dict[str, list[str]]:
    """类目 → principal procedures that the library's core rows of this 类目 use."""
    found: dict[str, list[str]] = {}
    for row in library.rows:
        codes = procedures_of(row)
        if row.kind == "核心" and codes and codes[0] in icd9cm3:
            held = found.setdefault(category(row.dx_code), [])
            if codes[0] not in held:
                held.append(codes[0])
    return found


def procedures_of(row: LibraryRow) -> tuple[str, ...]:
    """One way to satisfy a row's operations: main, then related, first alternatives."""
    text = row.op_expression or "_".join(part for part in (row.main_ops, row.other_ops) if part)
    first = text.split("|")[0]
    codes = [term.split("/")[0].strip() for term in re.split(r"[_+,]", first) if term.strip()]
    return tuple(dict.fromkeys(codes))


def _treatment(
    row: LibraryRow,
    usable: Mapping[str, list[str]],
    ref: Reference,
    ops_of_category: Mapping[str, list[str]],
    core: set[str],
) -> Treatment | None:
    icd10, icd9cm3 = ref.icd10, ref.icd9cm3
    if icd10 is None or icd9cm3 is None or row.kind not in ("核心", "综合"):
        return None
    codes = list(usable.get(row.dx_code, ()))
    procedures = procedures_of(row)
    if row.kind == "综合":
        codes = [code for code in codes if subcategory(code) not in core] or codes
        if row.treatment_class != CONSERVATIVE:
            wanted = [
                code
                for code in ops_of_category.get(row.dx_code, ())
                if icd9cm3.attribute("category", code) == row.treatment_class
            ]
            if not wanted:
                return None
            procedures = (wanted[0],)
    if not all(code in icd9cm3 and _OP_SHAPE.match(code) for code in procedures):
        return None
    limits: dict[str, Limits] = {}
    for code in codes:
        meeting: Limits | None = diagnosis_limits(code, icd10.names[code], principal=True)
        for procedure in procedures:
            if meeting is not None:
                meeting = meeting.meet(procedure_limits(procedure, icd9cm3.names[procedure]))
        if meeting is not None:
            limits[code] = meeting
    if not limits:
        return None
    return Treatment(row, tuple(limits), procedures, limits)
