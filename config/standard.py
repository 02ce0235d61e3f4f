"""The national interface as shipped tables: fields of the transactions, and code sets.

Where the rows come from and how sure they are: `config/interface/README.md`. Everything here
reads the shipped files again on each call; keep what you get.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dipgate.config.resources import resource, resource_text
from dipgate.config.strict_model import did_you_mean
from dipgate.core.errors import ConfigError
from dipgate.core.wire import FieldSpec, FieldType, WireModel

TRANSACTIONS = ("3606", "3607", "4101", "4101A", "4103", "9001")
"""Transactions whose field tables ship."""

_FIELD_COLUMNS = (
    "infno",
    "direction",
    "node",
    "multi",
    "seq",
    "code",
    "name",
    "type",
    "length",
    "codeset",
    "required",
    "note",
)
_CODE_COLUMNS = ("code", "name", "note")
_ITEM_COLUMNS = ("part", "seq", "item", "code", "required", "rule")


@dataclass(frozen=True, slots=True)
class ListItem:
    """One box of the official settlement list form. `seq` is `2021+` for boxes added in 2021."""

    part: str
    seq: str
    item: str
    code: str
    """Field of 4101 (`adm_time`, `diseinfo.diag_name`), or words when no one field holds it."""
    required: str
    rule: str


def field_table(infno: str, direction: str = "in") -> tuple[FieldSpec, ...]:
    """The fields of one direction (`in` or `out`) of a transaction, in the table's order.

    Raises ConfigError for a transaction that does not ship, or a broken table.
    """
    if infno not in TRANSACTIONS:
        raise ConfigError(
            f"没有交易 {infno!r} 的字段表{did_you_mean(infno, TRANSACTIONS)}", path=infno
        )
    if direction not in ("in", "out"):
        raise ConfigError(f"方向应为 in 或 out，不是 {direction!r}", path=infno)
    file = f"interface/fields/{infno}.csv"
    rows = _rows(("interface", "fields", f"{infno}.csv"), _FIELD_COLUMNS)
    return tuple(_field(row, file, line) for line, row in rows if row["direction"] == direction)


def codesets() -> Mapping[str, Mapping[str, str]]:
    """Every shipped code set: name → code → label."""
    folder = resource("interface", "codesets")
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".csv"))
    return MappingProxyType({name[:-4]: codeset(name[:-4]) for name in names})


def codeset(name: str) -> Mapping[str, str]:
    """One code set: code → label. ConfigError when it does not ship or has a code twice."""
    codes: dict[str, str] = {}
    for line, row in _rows(("interface", "codesets", f"{name}.csv"), _CODE_COLUMNS):
        if row["code"] in codes or not row["code"]:
            raise ConfigError(
                f"码表 {name} 第{line}行的代码为空或重复", path=f"interface/codesets/{name}.csv"
            )
        codes[row["code"]] = row["name"]
    return MappingProxyType(codes)


def wire_model(infno: str, direction: str = "in") -> WireModel:
    """The compiled checker of one direction of a transaction: strict in, tolerant out.

    Costs about a millisecond: build it once.
    """
    specs = field_table(infno, direction)
    needed = {spec.code_set for spec in specs if spec.code_set}
    sets = {name: codeset(name) for name in sorted(needed)}
    return WireModel(infno, direction, specs, sets, strict=direction == "in")


def list_fields() -> Mapping[str, FieldSpec]:
    """Every `setlinfo` field of 4101 and 4101A by code; where both know it, 4101A speaks."""
    found: dict[str, FieldSpec] = {}
    for infno in ("4101", "4101A"):
        for spec in field_table(infno, "in"):
            if spec.node == "setlinfo":
                found[spec.code] = spec
    return MappingProxyType(found)


def list_items() -> tuple[ListItem, ...]:
    """The boxes of the official settlement list form, part by part, in print order."""
    rows = _rows(("interface", "settlement-list-items.csv"), _ITEM_COLUMNS)
    return tuple(ListItem(**{name: row[name] for name in _ITEM_COLUMNS}) for _, row in rows)


def _field(row: Mapping[str, str], file: str, line: int) -> FieldSpec:
    try:
        spec = FieldSpec(
            node=row["node"],
            multi=row["multi"] == "Y",
            seq=int(row["seq"]),
            code=row["code"],
            name=row["name"],
            type=FieldType(row["type"]),
            length=row["length"],
            codeset=row["codeset"],
            required=row["required"],
            note=row["note"],
        )
        _ = (spec.max_length, spec.scale)
    except ValueError as error:
        raise ConfigError(f"{file} 第{line}行：字段表的序号、类型或长度不对", path=file) from error
    return spec


def _rows(parts: tuple[str, ...], columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    file = "/".join(parts)
    reader = csv.DictReader(resource_text(*parts).splitlines())
    if tuple(reader.fieldnames or ()) != columns:
        raise ConfigError(f"{file} 的列应为 {','.join(columns)}", path=file)
    for line, row in enumerate(reader, start=2):
        if None in row or any(value is None for value in row.values()):
            raise ConfigError(f"{file} 第{line}行：列数不对", path=file)
        yield line, row
