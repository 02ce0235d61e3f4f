"""One bill with its stay → one settlement list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dipgate.core.case import years_between
from dipgate.core.clock import read_date
from dipgate.core.errors import Place, RecordError
from dipgate.core.lists import SettlementList
from dipgate.core.money import fen_of, yuan_text
from dipgate.core.record import BILL_CONTROLS, Origin, Overlay, RawRow, TableMap
from dipgate.core.reference import Reference
from dipgate.mapping.nodes import Draft, Fields, add_amounts, add_repeats, split_columns
from dipgate.mapping.overlay import apply_overlays
from dipgate.mapping.result import MappedCase, SourceRecord

NODES = ("diseinfo", "oprninfo", "icuinfo", "bldinfo", "iteminfo", "payinfo", "opspdiseinfo")
_CLASS_FIELD = {"01": "claa_sumfee", "02": "clab_amt", "03": "fulamt_ownpay_amt"}
"""Charge level (chrgitm_lv) → column of iteminfo; anything else is `oth_amt`."""
_CLASSES = ("claa_sumfee", "clab_amt", "fulamt_ownpay_amt", "oth_amt")


def build_case(
    record: SourceRecord,
    tables: Mapping[str, TableMap],
    ref: Reference,
    *,
    edition: str,
    fill: Mapping[str, str],
    overlays: Sequence[Overlay],
    source: str,
) -> MappedCase:
    """The list of one bill, the origin of every field, what stays unmapped, overlays applied.

    `edition` is the edition of the codes that the source writes; `fill` are defaults for blank
    setlinfo fields. Raises RecordError naming file, row, column and remedy when a cell cannot
    mean anything (an impossible date, a 30-digit amount) or the bill has no settlement id.
    """
    draft = Draft(ref, edition, source)
    settlement = tables["settlement"]
    if record.front_page is not None and "front_page" in tables:
        _take_row(draft, record.front_page, tables["front_page"])
    _take_row(draft, record.settlement, settlement)
    if not draft.setlinfo.get("setl_id"):
        column = settlement.columns.get("setl_id", "")
        raise RecordError(
            "结算ID为空，无法确定是哪一笔结算",
            place=Place(record.settlement.object_name, record.settlement.row, column),
            remedy="核对 setl_id 的列映射；结算完成后重新导出",
        )
    if "charge" in tables:
        _take_charges(draft, record.charges, tables["charge"])
    _flag_rows(draft)
    _fill(draft, fill)
    _derive(draft)
    built = SettlementList(
        setlinfo=draft.setlinfo,
        cover=draft.cover,
        charges=_rows(draft, "charges"),
        **{node: _rows(draft, node) for node in NODES},
    )
    return apply_overlays(built, draft.origins, draft.unmapped, overlays)


def _rows(draft: Draft, node: str) -> Any:
    rows = draft.nodes.get(node)
    return None if rows is None else tuple(rows)


def _take_row(draft: Draft, row: RawRow, table: TableMap) -> None:
    """Fields and nodes of one source row; a filled value is not replaced by a blank one."""
    flat, dotted = split_columns(table)
    flat = {name: column for name, column in flat.items() if name not in BILL_CONTROLS}
    before = {f"setlinfo.{name}": draft.origins.get(f"setlinfo.{name}") for name in flat}
    fields = draft.read(row, flat, "setlinfo", "setlinfo")
    for name, value in fields.items():
        held = draft.setlinfo.get(name, "")
        if value or not held:
            draft.setlinfo[name] = value
        else:
            _restore(draft.origins, f"setlinfo.{name}", before)
    if "cover" in dotted:
        draft.cover = draft.read(row, dotted["cover"], "cover", "cover")
    add_repeats(draft, row, table, dotted)
    add_amounts(draft, row, dotted)


def _restore(origins: dict[str, Origin], path: str, before: Mapping[str, Origin | None]) -> None:
    origin = before.get(path)
    if origin is not None:
        origins[path] = origin


def _take_charges(draft: Draft, rows: Sequence[RawRow], table: TableMap) -> None:
    """Charge lines; and fee categories by their sums when the bill has no category columns."""
    flat, dotted = split_columns(table)
    columns = {**flat, **dotted.get("charges", {})}
    charges = draft.nodes.setdefault("charges", [])
    for row in rows:
        charges.append(draft.read(row, columns, "charges", f"charges[{len(charges)}]"))
    if "iteminfo" not in draft.nodes and {"category", "amount"} <= columns.keys():
        _sum_categories(draft, charges, columns, rows)


def _sum_categories(
    draft: Draft, charges: list[Fields], columns: Mapping[str, str], rows: Sequence[RawRow]
) -> None:
    sums: dict[str, dict[str, int]] = {}
    lines: dict[str, int] = {}
    for charge, row in zip(charges, rows, strict=True):
        category = charge["category"][:2]
        try:
            amount = fen_of(charge["amount"])
        except ValueError as error:
            raise RecordError(
                f"列 {columns['amount']}：{error}",
                place=Place(row.object_name, row.row, columns["amount"]),
                remedy="明细金额须为两位小数，才能汇总成收费类别",
            ) from None
        held = sums.setdefault(category, dict.fromkeys(_CLASSES, 0))
        held[_CLASS_FIELD.get(charge.get("level", ""), "oth_amt")] += amount or 0
        lines[category] = lines.get(category, 0) + 1
    items = draft.nodes.setdefault("iteminfo", [])
    for category in sorted(sums):
        where = f"iteminfo[{len(items)}]"
        item = {
            "med_chrgitm": category,
            "amt": yuan_text(sum(sums[category].values())),
            **{name: yuan_text(fen) for name, fen in sums[category].items()},
        }
        items.append(item)
        for name, value in item.items():
            path = f"{where}.{name}"
            step = f"汇总 {lines[category]} 行收费明细（类别 {category}）"
            first = rows[0] if rows else None
            draft.origins[path] = Origin(
                path,
                value,
                source=draft.source,
                object_name=first.object_name if first else "",
                column=columns["category" if name == "med_chrgitm" else "amount"],
                raw_hash=first.raw_hash if first else "",
                steps=(step,),
            )


def _flag_rows(draft: Draft) -> None:
    """Principal flags and kinds by position, where the source has no column for them."""
    for place, row in enumerate(draft.nodes.get("diseinfo", [])):
        _default(draft, row, f"diseinfo[{place}]", "diag_type", "1")
        _default(draft, row, f"diseinfo[{place}]", "maindiag_flag", "1" if place == 0 else "0")
    for place, row in enumerate(draft.nodes.get("oprninfo", [])):
        _default(draft, row, f"oprninfo[{place}]", "oprn_oprt_type", "1" if place == 0 else "2")


def _default(draft: Draft, row: Fields, where: str, name: str, value: str) -> None:
    if name not in row:
        row[name] = value
        draft.note(f"{where}.{name}", value, "来源无此列，按位置给出")


def _fill(draft: Draft, fill: Mapping[str, str]) -> None:
    """Defaults of the site for blank fields, and who we are."""
    hospital = draft.ref.hospital
    known = dict(fill)
    if hospital is not None:
        known.setdefault("fixmedins_code", hospital.code)
        known.setdefault("fixmedins_name", hospital.name)
        known.setdefault("hi_setl_lv", hospital.level)
    for name, value in known.items():
        if value and not draft.setlinfo.get(name):
            draft.setlinfo[name] = value
            draft.note(f"setlinfo.{name}", value, "站点默认值")


def _derive(draft: Draft) -> None:
    """What follows from other fields, where the source leaves it blank."""
    info = draft.setlinfo
    born, admitted, discharged = (
        _day(info.get(name)) for name in ("brdy", "adm_time", "dscg_time")
    )
    if born and admitted and born <= admitted and not info.get("age") and not info.get("nwb_age"):
        years = years_between(born, admitted)
        name, value = ("age", years) if years >= 1 else ("nwb_age", (admitted - born).days)
        _set(draft, name, str(value), "由出生日期和入院日期计算")
    if admitted and discharged and discharged >= admitted and not info.get("act_ipt_days"):
        days = max(1, (discharged - admitted).days)
        _set(draft, "act_ipt_days", str(days), "由入出院日期计算")
    for name, node in (("diag_code_cnt", "diseinfo"), ("oprn_oprt_code_cnt", "oprninfo")):
        rows = draft.nodes.get(node)
        if rows is not None and not info.get(name):
            _set(draft, name, str(len(rows)), f"{node} 的条数")


def _set(draft: Draft, name: str, value: str, step: str) -> None:
    draft.setlinfo[name] = value
    draft.note(f"setlinfo.{name}", value, step)


def _day(text: str | None) -> Any:
    try:
        return read_date(text) if text else None
    except ValueError:
        return None
