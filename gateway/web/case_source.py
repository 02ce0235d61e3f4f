"""The right pane: the source rows behind a list, and where each list field comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from dipgate.core.lists import FieldPath, text_of
from dipgate.core.record import Origin, RawRow
from dipgate.web.case_sheet import Sheet
from dipgate.web.filters import short_time

TABLE_WORD: Mapping[str, str] = {"front_page": "病案首页", "settlement": "结算单", "charge": "收费"}
CHARGES_SHOWN = 60
"""Charge lines shown at once; those that a problem points at are always among them."""
CELLS_SHOWN = 400
"""Columns of one source row shown at most."""
_CHARGE_FIELDS = ("name", "quantity", "price", "amount")
SURGERY = "06"
"""Charge category 手术费: beside a procedure's own cell, what the bill says of it."""


@dataclass(frozen=True, slots=True)
class SourceCell:
    """One cell of a source row. `token` is what list fields refer to."""

    token: str
    column: str
    value: str


@dataclass(frozen=True, slots=True)
class SourceRow:
    """One source row with its filled cells, and the blank ones that a list field reads."""

    table: str
    title: str
    where: str
    anchor: str
    cells: tuple[SourceCell, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One charge line. `tokens` are its own and that of its category."""

    tokens: str
    name: str
    quantity: str
    amount: str
    marked: bool


@dataclass(frozen=True)
class Source:
    """The source rows of a case, addressable by the list fields that come from them."""

    sheet: Sheet

    @cached_property
    def rows(self) -> tuple[RawRow, ...]:
        """The front page and the bill that the list was made from."""
        if self.sheet.stay is None:
            return ()
        front = self.sheet.stay.rows.get("front_page", ())
        bills = [
            row
            for row in self.sheet.stay.rows.get("settlement", ())
            if self.sheet.stay.value("settlement", row, "setl_id") == self.sheet.case.settlement_id
        ]
        return (*front[-1:], *bills[-1:])

    @cached_property
    def _tokens(self) -> Mapping[tuple[str, int | None, str], str]:
        """(object, row, column) → token of the cell."""
        found: dict[tuple[str, int | None, str], str] = {}
        for at, row in enumerate(self.rows):
            for number, column in enumerate(self.columns(row)):
                found[(row.object_name, row.row, column)] = f"{row.table}.{at}.{number}"
        return found

    def columns(self, row: RawRow) -> tuple[str, ...]:
        """The columns of a row: those the mapping reads, in its order, then the others."""
        table = self.sheet.stay.source.tables.get(row.table) if self.sheet.stay else None
        known = [name for name in table.source_columns() if name in row.values] if table else []
        return tuple(dict.fromkeys([*known, *row.values]))

    @cached_property
    def _charge_tokens(self) -> Mapping[tuple[str, int | None], str]:
        rows = self.sheet.stay.rows.get("charge", ()) if self.sheet.stay else ()
        return {(row.object_name, row.row): f"charge.{at}" for at, row in enumerate(rows)}

    def tokens_of(self, path: str) -> str:
        """What in the source is evidence for a list field: tokens, the first one first."""
        origin = self.sheet.origins.get(path)
        tokens = []
        if origin is not None and origin.column:
            cell = self._tokens.get((origin.object_name, origin.row, origin.column))
            line = self._charge_tokens.get((origin.object_name, origin.row))
            tokens += [token for token in (cell, line) if token]
        tokens += self._category(path)
        return " ".join(dict.fromkeys(tokens))

    def _category(self, path: str) -> list[str]:
        try:
            place = FieldPath.parse(path)
        except ValueError:
            return []
        if place.node == "iteminfo" and place.index is not None:
            category = self.sheet.list.get(f"iteminfo[{place.index}].med_chrgitm")
            return [f"cat-{category}"] if category.isalnum() else []
        if place.node == "oprninfo" and place.name == "oprn_oprt_code":
            return [f"cat-{SURGERY}"]
        return []

    def words(self, path: str) -> str:
        """Where a list field comes from, in one line; empty when nothing is known."""
        origin = self.sheet.origins.get(path)
        return "" if origin is None else origin_words(self.sheet, origin)

    @cached_property
    def shown_rows(self) -> tuple[SourceRow, ...]:
        wanted = {
            (origin.object_name, origin.row, origin.column)
            for origin in (self.sheet.origins.get(item.field) for item in self.sheet.found)
            if origin is not None
        }
        out = []
        for row in self.rows:
            cells = [
                SourceCell(self._tokens[(row.object_name, row.row, column)], column, value)
                for column, value in ((name, row.values[name]) for name in self.columns(row))
                if value.strip() or (row.object_name, row.row, column) in wanted
            ]
            out.append(
                SourceRow(
                    row.table,
                    TABLE_WORD.get(row.table, row.table),
                    f"{row.object_name} 第 {row.row} 行",
                    f"r-{row.table}",
                    tuple(cells[:CELLS_SHOWN]),
                    max(0, len(cells) - CELLS_SHOWN),
                )
            )
        return tuple(out)

    @cached_property
    def charge_count(self) -> int:
        return len(self.sheet.list.charges or ())

    def charge_lines(self, shown: int = CHARGES_SHOWN) -> tuple[ChargeLine, ...]:
        """The first charge lines, and any that a problem points at."""
        pointed = {
            place.index
            for place in (FieldPath.parse(item.field) for item in self.sheet.found)
            if place.node == "charges"
        }
        lines = []
        for at, row in enumerate(self.sheet.list.charges or ()):
            if at >= shown and at not in pointed:
                continue
            name, quantity, price, amount = (text_of(row.get(item)) for item in _CHARGE_FIELDS)
            category = text_of(row.get("category"))
            tokens = f"charge.{at}" + (f" cat-{category}" if category.isalnum() else "")
            times = f"{quantity} × {price}" if price and quantity not in ("", "1") else quantity
            lines.append(ChargeLine(tokens, name, times, amount, at in pointed))
            if len(lines) >= shown + CHARGES_SHOWN:
                break
        return tuple(lines)


def origin_words(sheet: Sheet, origin: Origin) -> str:
    """One field's way from the source: cell, what was done to it, who corrected it."""
    parts = []
    if origin.column:
        where = f"{origin.object_name} 第 {origin.row} 行" if origin.row else origin.object_name
        raw = f"“{origin.raw_value}”" if origin.raw_value else "空"
        parts.append(f"{where} {origin.column} {raw}")
    parts += [step for step in origin.steps if not step.startswith("更正 #")]
    if origin.overlay is not None:
        parts.append(_correction(sheet, origin.overlay))
    return " → ".join(parts)


def _correction(sheet: Sheet, number: int) -> str:
    for act in sheet.acts:
        for change in act.changes:
            if change.number == number:
                return f"{act.author} {short_time(act.made_at)} 更正：{act.reason}"
    return f"更正 #{number}"
