"""Built-in rule packs: their rows, what rows may name, and the two-sided examples.

Reads only shipped files; a pack that comes from elsewhere goes through `read_rows` as well.
Each call reads again; keep what you get.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from dipgate.config.resources import resource, resource_text
from dipgate.config.rule_examples import (
    RuleExample,
    base_case,
    example_reference,
    load_examples,
)
from dipgate.config.standard import codesets, field_table
from dipgate.config.strict_model import did_you_mean
from dipgate.core.errors import ConfigError
from dipgate.core.findings import Severity
from dipgate.core.rules import CodeList, ListField, RuleRow, RuleWorld
from dipgate.core.wire import FieldSpec, FieldType

__all__ = [
    "OPTIONAL_COLUMNS",
    "REQUIRED_COLUMNS",
    "RuleExample",
    "base_case",
    "code_lists",
    "example_reference",
    "load_examples",
    "load_pack",
    "pack_ids",
    "read_rows",
    "rule_world",
]

REQUIRED_COLUMNS = (
    "id",
    "pack",
    "for_each",
    "when",
    "must",
    "needs",
    "severity",
    "fields",
    "clause",
    "message",
    "remedy",
    "since",
)
OPTIONAL_COLUMNS = ("fix", "suppressed_by", "title", "confidence")
CONFIDENCE = ("", "high", "medium", "low")
MAX_PACK_CHARACTERS = 4_000_000
_KINDS = {
    FieldType.TEXT: "text",
    FieldType.NUMBER: "number",
    FieldType.DATE: "time",
    FieldType.TIME: "time",
}


def pack_ids() -> tuple[str, ...]:
    """The built-in packs: folders of `config/rules` that hold rows or examples."""
    folders = [item for item in resource("rules").iterdir() if item.is_dir()]
    return tuple(sorted(f.name for f in folders if f.joinpath("examples").is_dir()))


def load_pack(pack_id: str) -> tuple[RuleRow, ...]:
    """The rows of a built-in pack, file by file. ConfigError names file, line and column."""
    if pack_id not in pack_ids():
        raise ConfigError(
            f"没有规则包 {pack_id!r}{did_you_mean(pack_id, pack_ids())}", path=pack_id
        )
    folder = resource("rules", pack_id)
    names = sorted(item.name for item in folder.iterdir() if item.name.endswith(".csv"))
    rows: list[RuleRow] = []
    for name in names:
        rows += read_rows(folder.joinpath(name).read_text("utf-8"), file=f"{pack_id}/{name}")
    wrong = [row for row in rows if row.pack != pack_id]
    if wrong:
        raise ConfigError(
            f"{wrong[0].file} 第{wrong[0].line}行：pack 列应为 {pack_id}", path=wrong[0].file
        )
    return tuple(rows)


def read_rows(text: str, *, file: str) -> tuple[RuleRow, ...]:
    """A rule table (CSV with a heading) → rows. ConfigError names file, line and column."""
    if len(text) > MAX_PACK_CHARACTERS:
        raise ConfigError(f"{file} 太大（超过 {MAX_PACK_CHARACTERS} 个字符）", path=file)
    try:
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
        head = reader.fieldnames or []
        _check_head(head, file)
        rows = []
        for record in reader:
            rows.append(_row(record, file, reader.line_num))
    except csv.Error as error:
        raise ConfigError(f"{file} 不是合法的 CSV：检查引号和逗号", path=file) from error
    return tuple(rows)


def _check_head(head: Any, file: str) -> None:
    known = (*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS)
    missing = [column for column in REQUIRED_COLUMNS if column not in head]
    if missing:
        raise ConfigError(f"{file} 缺少列 {'、'.join(missing)}", path=file)
    for column in head:
        if column not in known:
            raise ConfigError(
                f"{file} 有不认识的列 {column}{did_you_mean(column, known)}", path=file
            )
    if len(set(head)) != len(head):
        raise ConfigError(f"{file} 有重复的列", path=file)


def _row(record: Mapping[str, str | None], file: str, line: int) -> RuleRow:
    where = f"{file} 第{line}行"
    if None in record or any(value is None for value in record.values()):
        raise ConfigError(f"{where}：列数和表头不一致，检查逗号和引号", path=f"{file}:{line}")
    cell = {key: (value or "").strip() for key, value in record.items()}
    for column in ("id", "pack"):
        if not cell[column]:
            raise ConfigError(f"{where}：{column} 列不能为空", path=f"{file}:{line}")
    try:
        severity = Severity.of(cell["severity"])
        since = date.fromisoformat(cell["since"])
    except ValueError:
        raise ConfigError(
            f"{where}：severity 应为 error、warning、hint，since 应为 yyyy-MM-dd",
            path=f"{file}:{line}",
        ) from None
    confidence = cell.get("confidence", "")
    if confidence not in CONFIDENCE:
        raise ConfigError(f"{where}：confidence 应为 high、medium、low 或空", path=f"{file}:{line}")
    return RuleRow(
        id=cell["id"],
        pack=cell["pack"],
        for_each=cell["for_each"],
        when=cell["when"],
        must=cell["must"],
        needs=tuple(cell["needs"].split()),
        severity=severity,
        fields=tuple(cell["fields"].split()),
        clause=cell["clause"],
        message=cell["message"],
        remedy=cell["remedy"],
        since=since,
        fix=cell.get("fix", ""),
        file=file,
        line=line,
        suppressed_by=tuple(cell.get("suppressed_by", "").split()),
        title=cell.get("title", ""),
        confidence=confidence,
    )


# -- what rows may name ------------------------------------------------------------------------


def rule_world() -> RuleWorld:
    """Fields of 4101 and 4101A (the longer length holds), our own nodes, code sets and lists."""
    fields: dict[str, dict[str, ListField]] = {}
    for infno in ("4101", "4101A"):
        for spec in field_table(infno, "in"):
            if spec.type in _KINDS:
                members = fields.setdefault(spec.node, {})
                members[spec.code] = _wider(_field(spec), members.get(spec.code))
    for row in _table("fields.csv", ("node", "name", "label", "kind", "length", "decimals")):
        members = fields.setdefault(row["node"], {})
        members.setdefault(
            row["name"],
            ListField(
                row["node"],
                row["name"],
                row["label"],
                row["kind"],
                int(row["length"]) if row["length"] else None,
                int(row["decimals"]) if row["decimals"] else None,
            ),
        )
    # Plain dicts: a compiled pack carries the world along when it is pickled.
    return RuleWorld(fields, frozenset(codesets()), code_lists())


def code_lists() -> dict[str, CodeList]:
    """The named code lists of `config/rules/tables`: spans by list, and exact codes."""
    lists: dict[str, CodeList] = {}
    for row in _table("tables/spans.csv", ("list", "label", "spans", "source")):
        lists[row["list"]] = CodeList(
            row["list"], row["label"], row["source"], spans=tuple(row["spans"].split())
        )
    members: dict[str, set[str]] = {}
    for row in _table("tables/codes.csv", ("list", "code", "name")):
        members.setdefault(row["list"], set()).add(row["code"])
    for row in _table("tables/code-lists.csv", ("list", "label", "source")):
        codes = frozenset(members.pop(row["list"], ()))
        lists[row["list"]] = CodeList(row["list"], row["label"], row["source"], codes)
    if members:
        name = next(iter(members))
        raise ConfigError(f"tables/codes.csv 的清单 {name} 没有登记", path="rules/tables/codes.csv")
    return lists


def _field(spec: FieldSpec) -> ListField:
    kind = _KINDS[spec.type]
    return ListField(
        spec.node,
        spec.code,
        spec.name,
        kind,
        spec.max_length if kind != "time" else None,
        spec.scale,
        spec.code_set,
    )


def _wider(new: ListField, known: ListField | None) -> ListField:
    """Both transactions know the field: the longer length and the known code set hold."""
    if known is None:
        return new
    return ListField(
        known.node,
        known.name,
        known.label,
        known.kind,
        max(filter(None, (new.length, known.length)), default=None),
        max(filter(None, (new.decimals, known.decimals)), default=None),
        known.codeset or new.codeset,
    )


def _table(name: str, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    text = resource_text("rules", *name.split("/"))
    reader = csv.DictReader(io.StringIO(text), strict=True)
    if tuple(reader.fieldnames or ()) != columns:
        raise ConfigError(f"rules/{name} 的列应为 {','.join(columns)}", path=f"rules/{name}")
    for row in reader:
        if None in row or any(value is None for value in row.values()):
            raise ConfigError(f"rules/{name} 第{reader.line_num}行：列数不对", path=f"rules/{name}")
        yield row
