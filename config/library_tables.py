"""Stored tables of a library's parts → `LibraryParts`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from dipgate.config.library_parts import KINDS
from dipgate.core.library import (
    AgeLabel,
    Coefficient,
    LevelFee,
    LibraryParts,
    NotMain,
    OpFacts,
    OpNotMain,
    PrimaryCareRow,
    SeverityCode,
    TcmRow,
)

NO_REASON = "不纳入分组的主要诊断"
Value = Mapping[str, str]


def parts_of(tables: Mapping[str, Sequence[tuple[object, ...]]]) -> LibraryParts:
    """Kind → stored rows (row number first), as `library_parts` made them."""
    found: dict[str, Any] = {}
    for name, rows in tables.items():
        values = ((int(str(number)), _named(KINDS[name].columns, texts)) for number, *texts in rows)
        found[name.replace("-", "_")] = _BUILDERS[name](values)
    return LibraryParts(**found)


def _named(columns: Sequence[str], texts: Sequence[object]) -> Value:
    """A stored row by its columns. One stored before its kind got a column has that one empty."""
    later = ("",) * (len(columns) - len(texts))
    return dict(zip(columns, (*map(str, texts), *later), strict=True))


Rows = Iterable[tuple[int, Value]]


def _dx_excluded(rows: Rows) -> Mapping[str, str]:
    return MappingProxyType({value["code"]: value["reason"] or NO_REASON for _, value in rows})


def _ops_not_main(rows: Rows) -> Mapping[str, OpNotMain]:
    found = {}
    for row, value in rows:
        treatment, _, categories = value["treatment"].partition(":")
        found[value["code"]] = OpNotMain(
            code=value["code"],
            name=value["name"],
            treatment=NotMain(treatment),
            categories=_list(categories),
            row=row,
        )
    return MappingProxyType(found)


def _op_dictionary(rows: Rows) -> Mapping[str, OpFacts]:
    return MappingProxyType(
        {
            value["code"]: OpFacts(
                code=value["code"],
                name=value["name"],
                attribute=value["attribute"],
                level=_int(value["level"]),
                incision=_int(value["incision"]),
                required=_flag(value["required"]),
                grey=_flag(value["grey"]),
                minimally_invasive=_flag(value["minimally_invasive"]),
            )
            for _, value in rows
        }
    )


def _codes(rows: Rows) -> frozenset[str]:
    return frozenset(value["code"] for _, value in rows)


def _primary_care(rows: Rows) -> tuple[PrimaryCareRow, ...]:
    return tuple(
        PrimaryCareRow(
            row=row,
            dx_code=value["dx_code"],
            main_ops=value["main_ops"],
            treatment="" if value["main_ops"] else "保守治疗",
        )
        for row, value in rows
    )


def _severity(rows: Rows) -> Mapping[str, SeverityCode]:
    return MappingProxyType(
        {
            value["code"]: SeverityCode(
                code=value["code"],
                level=value["level"],
                include=_list(value["include"]),
                exclusion=value["exclusion"],
            )
            for _, value in rows
        }
    )


def _severity_exclusions(rows: Rows) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for _, value in rows:
        found.setdefault(value["exclusion"], set()).add(value["code"])
    return MappingProxyType({name: frozenset(codes) for name, codes in found.items()})


def _cci(rows: Rows) -> Mapping[str, int]:
    return MappingProxyType({value["code"]: int(value["weight"]) for _, value in rows})


def _age(rows: Rows) -> tuple[AgeLabel, ...]:
    return tuple(
        AgeLabel(
            label=value["label"],
            from_days=_int(value["from_days"]),
            to_days=_int(value["to_days"]),
            from_years=_int(value["from_years"]),
            to_years=_int(value["to_years"]),
        )
        for _, value in rows
    )


def _coefficients(rows: Rows) -> tuple[Coefficient, ...]:
    return tuple(
        Coefficient(
            group_code=value["group_code"],
            dimension=value["dimension"],
            label=value["label"],
            coefficient=Decimal(value["coefficient"]),
            trigger=_decimal(value["trigger"]),
            cases=_int(value["case_count"]),
            cv_after=_decimal(value["cv_after"]),
        )
        for _, value in rows
    )


def _average_fees(rows: Rows) -> tuple[LevelFee, ...]:
    return tuple(
        LevelFee(
            group_code=value["group_code"],
            level=value["level"],
            year=_int(value["year"]),
            fee=Decimal(value["fee"]),
        )
        for _, value in rows
    )


def _tcm_map(rows: Rows) -> tuple[TcmRow, ...]:
    return tuple(
        TcmRow(
            row=row,
            code_system=value["code_system"],
            code=value["code"],
            syndrome=value["syndrome"],
            western_dx_key=value["western_dx_key"],
            op_key=value["op_key"],
            route=value["route"],
            factor=_decimal(value["factor"]),
            group_code=value["group_code"],
        )
        for row, value in rows
    )


def _list(text: str) -> tuple[str, ...]:
    return tuple(text.split("|")) if text else ()


def _int(text: str) -> int | None:
    return int(text) if text else None


def _decimal(text: str) -> Decimal | None:
    return Decimal(text) if text else None


def _flag(text: str) -> bool | None:
    return text == "1" if text else None


_BUILDERS: Mapping[str, Callable[[Rows], object]] = MappingProxyType(
    {
        "dx-excluded": _dx_excluded,
        "ops-not-main": _ops_not_main,
        "op-dictionary": _op_dictionary,
        "tb-resistant": _codes,
        "primary-care": _primary_care,
        "severity": _severity,
        "severity-exclusions": _severity_exclusions,
        "cci": _cci,
        "age": _age,
        "coefficients": _coefficients,
        "average-fees": _average_fees,
        "tcm-map": _tcm_map,
    }
)
