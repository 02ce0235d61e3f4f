"""Source rows → node rows: every cell read by its kind, its origin noted as it goes.

A column target is a field of setlinfo (`adm_time`), of the front page (`cover.ext_cause_code`),
of the first row of a node (`diseinfo.diag_code`), an amount of one fund (`payinfo.310100`) or of
one fee category (`iteminfo.09`, `iteminfo.09.clab_amt`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from dipgate.core.errors import Place, RecordError
from dipgate.core.record import Origin, RawRow, TableMap
from dipgate.core.reference import Reference
from dipgate.mapping import convert
from dipgate.mapping.convert import Converted
from dipgate.mapping.fields import NAME_OF, READINGS, TEXT, Kind
from dipgate.mapping.lookup import Found, look_up
from dipgate.mapping.result import Unmapped

Fields = dict[str, str]
FIRST_ROW_NODES = ("diseinfo", "oprninfo", "icuinfo", "bldinfo", "opspdiseinfo")
PLAIN = {
    Kind.TEXT: convert.trimmed,
    Kind.IDENTIFIER: convert.identifier,
    Kind.DATE: convert.date_text,
    Kind.TIME: convert.time_text,
    Kind.MONEY: convert.money_text,
    Kind.NUMBER: convert.number_text,
    Kind.DURATION: convert.duration_text,
}
_REMEDY = {
    Kind.DATE: "在源系统改正这个日期后重新导出",
    Kind.TIME: "在源系统改正这个时间后重新导出",
    Kind.MONEY: "在源系统核对这个金额后重新导出；看看是否串列",
    Kind.NUMBER: "在源系统核对这个数字后重新导出；看看是否串列",
}


@dataclass
class Draft:
    """The list under construction: values and origins by path."""

    ref: Reference
    edition: str
    source: str
    setlinfo: Fields = field(default_factory=dict)
    cover: Fields | None = None
    nodes: dict[str, list[Fields]] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    unmapped: dict[str, Unmapped] = field(default_factory=dict)

    def note(self, path: str, value: str, step: str) -> None:
        """A value that comes from no cell: a default or a sum."""
        self.origins[path] = Origin(path, value, source=self.source, steps=(step,))

    def read(self, row: RawRow, columns: Mapping[str, str], node: str, where: str) -> Fields:
        """One node row from cells: field → column. RecordError for a cell that means nothing."""
        readings = READINGS.get(node, {})
        fields: Fields = {}
        named: list[tuple[str, Found]] = []
        values, object_name, line, raw_hash = row.values, row.object_name, row.row, row.raw_hash
        value: str
        steps: tuple[str, ...]
        for name, column in columns.items():
            raw = values.get(column, "")
            reading = readings.get(name, TEXT)
            kind = reading.kind
            path = f"{where}.{name}"
            if not raw and (kind is Kind.CODE or kind in PLAIN):
                # Most cells of a wide row are blank.
                value, steps = "", ()
            elif kind in PLAIN:
                value, steps = _checked(raw, kind, row, column)
            elif kind is Kind.CODE:
                codes = self.ref.codesets.get(reading.codeset)
                value, steps = convert.code_text(raw, reading.codeset, codes)
            else:
                found = look_up(kind, raw, self.ref, self.edition)
                value, steps = found.code, found.steps
                named.append((name, found))
            fields[name] = value
            self.origins[path] = Origin(
                path, value, self.source, object_name, line, column, raw, raw_hash, steps
            )
        for name, found in named:
            self._finish(name, found, fields, where)
        return fields

    def _finish(self, name: str, found: Found, fields: Fields, where: str) -> None:
        """The official name that came with a code; or the place in the queue of the unmapped."""
        path = f"{where}.{name}"
        partner = NAME_OF.get(name, "")
        if found.unmapped_kind:
            self.unmapped[path] = Unmapped(
                found.unmapped_kind,
                found.code,
                fields.get(partner, ""),
                path,
                found.reason,
                found.candidates,
            )
        elif found.name and partner and fields.get(partner) != found.name:
            fields[partner] = found.name
            place = f"{where}.{partner}"
            before = self.origins.get(place) or replace(self.origins[path], raw_value="")
            step = f"名称取自 {found.steps[-1]}"
            self.origins[place] = replace(
                before, path=place, value=found.name, steps=(*before.steps, step)
            )


def _checked(raw: str, kind: Kind, row: RawRow, column: str) -> Converted:
    if not raw:
        return "", ()
    try:
        return PLAIN[kind](raw)
    except ValueError as error:
        raise RecordError(
            f"列 {column}：{error}",
            place=Place(row.object_name, row.row, column),
            remedy=_REMEDY.get(kind, "在源系统改正后重新导出"),
        ) from None


def split_columns(table: TableMap) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """(setlinfo field → column, node → (rest of the target → column))."""
    flat: dict[str, str] = {}
    dotted: dict[str, dict[str, str]] = {}
    for target, column in table.columns.items():
        node, dot, rest = target.partition(".")
        if not dot or node == "setlinfo":
            flat[rest or node] = column
        else:
            dotted.setdefault(node, {})[rest] = column
    return flat, dotted


def add_repeats(
    draft: Draft, row: RawRow, table: TableMap, dotted: Mapping[str, Mapping[str, str]]
) -> None:
    """Rows of repeating nodes: first the single columns, then the numbered groups.

    Groups that are wholly blank after the last filled one are not rows; one in the middle stays
    and is shown by rule H040 or H041.
    """
    groups: dict[str, list[Mapping[str, str]]] = {}
    for node in FIRST_ROW_NODES:
        if node in dotted:
            groups.setdefault(node, []).append(dotted[node])
    for repeat in table.repeats:
        for number in range(1, repeat.count + 1):
            columns = {
                name: pattern.replace("{n}", str(number))
                for name, pattern in repeat.columns.items()
            }
            groups.setdefault(repeat.node, []).append(columns)
    for node, wanted in groups.items():
        filled = [
            any(row.values.get(column, "").strip() for column in columns.values())
            for columns in wanted
        ]
        last = max((place for place, full in enumerate(filled) if full), default=-1)
        rows = draft.nodes.setdefault(node, [])
        for kept in wanted[: last + 1]:
            rows.append(draft.read(row, kept, node, f"{node}[{len(rows)}]"))


def add_amounts(draft: Draft, row: RawRow, dotted: Mapping[str, Mapping[str, str]]) -> None:
    """Fund payments and fee categories that a bill holds as one column each."""
    for fund, column in dotted.get("payinfo", {}).items():
        rows = draft.nodes.setdefault("payinfo", [])
        if _nothing(row, (column,)):
            continue
        where = f"payinfo[{len(rows)}]"
        fields = draft.read(row, {"fund_payamt": column}, "payinfo", where)
        rows.append({"fund_pay_type": fund, **fields})
        draft.note(f"{where}.fund_pay_type", fund, f"由列 {column} 的映射给出")
    categories: dict[str, dict[str, str]] = {}
    for target, column in dotted.get("iteminfo", {}).items():
        category, _, name = target.partition(".")
        categories.setdefault(category, {})[name or "amt"] = column
    for category, columns in categories.items():
        rows = draft.nodes.setdefault("iteminfo", [])
        if _nothing(row, columns.values()):
            continue
        where = f"iteminfo[{len(rows)}]"
        fields = draft.read(row, columns, "iteminfo", where)
        rows.append({"med_chrgitm": category, **fields})
        draft.note(f"{where}.med_chrgitm", category, "由列的映射给出")


def _nothing(row: RawRow, columns: Iterable[str]) -> bool:
    """True when every cell is blank or zero: a fund that did not pay, a fee that did not occur."""
    return all(not row.values.get(column, "").strip().strip("0.") for column in columns)
