"""The list as the official form prints it: four parts, boxes and tables in the form's order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from dipgate.config.standard import ListItem
from dipgate.core.lists import Row, SettlementList, text_of
from dipgate.core.money import decimal_of
from dipgate.mapping.fields import NAME_OF
from dipgate.pipeline.forms import ListForms

_COLUMNS, _WIDE = 3, 22
"""Boxes in a line; characters that fit one of them."""
_FUNDS = re.compile(r"\d{6}")
_CATEGORY = re.compile(r"med_chrgitm=(\d\d)")
_FEE_FIELDS = ("amt", "claa_sumfee", "clab_amt", "fulamt_ownpay_amt", "oth_amt")
_FEE_HEADS = ("项目名称", "金额", "甲类", "乙类", "自费", "其他")
_DIAGNOSIS_HEADS = ("出院西医诊断", "疾病代码", "入院病情", "出院中医诊断", "疾病代码", "入院病情")
_TABLES = frozenset({"diseinfo", "oprninfo", "icuinfo", "bldinfo", "opspdiseinfo", "iteminfo"})
_OPERATION_FIELDS = (
    "oprn_oprt_name",
    "oprn_oprt_code",
    "oprn_oprt_begntime",
    "oprn_oprt_endtime",
    "anst_way",
    "oper_dr_name",
    "oper_dr_code",
    "anst_dr_name",
    "anst_dr_code",
    "anst_begntime",
    "anst_endtime",
)
_OPERATION_HEADS = (
    "手术及操作名称",
    "代码",
    "开始",
    "结束",
    "麻醉方式",
    "术者",
    "术者代码",
    "麻醉医师",
    "麻醉医师代码",
    "麻醉开始",
    "麻醉结束",
)
_PLAIN_TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "icuinfo": (
        (
            "scs_cutd_ward_type",
            "scs_cutd_inpool_time",
            "scs_cutd_exit_time",
            "scs_cutd_sum_dura",
        ),
        ("重症监护病房类型", "进入时间", "退出时间", "合计时长"),
    ),
    "bldinfo": (("bld_cat", "bld_amt", "bld_unt"), ("输血品种", "输血量", "计量单位")),
    "opspdiseinfo": (
        ("diag_name", "diag_code", "oprn_oprt_name", "oprn_oprt_code"),
        ("病种名称", "病种代码", "手术及操作名称", "手术及操作代码"),
    ),
}


@dataclass(frozen=True, slots=True)
class Box:
    """One box of the form. `wide`: a long text takes a whole line."""

    label: str
    value: str
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """One table of the form; the last row is a total where `totals` says so."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers_from: int
    totals: bool = False
    small: bool = False
    """Many columns: smaller letters, times in two lines."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the four parts: runs of boxes and tables, in order."""

    title: str
    blocks: tuple[tuple[Box, ...] | Grid, ...]


@dataclass(frozen=True)
class PrintForm:
    """The official form of one list."""

    lst: SettlementList
    forms: ListForms
    order: Sequence[int]
    """Diagnosis rows, principal first."""
    operations: Sequence[int]

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        titles = list(dict.fromkeys(item.part for item in self.forms.layout))
        return tuple(Part(title, self._blocks(title)) for title in titles)

    def _blocks(self, part: str) -> tuple[tuple[Box, ...] | Grid, ...]:
        blocks: list[tuple[Box, ...] | Grid] = []
        run: list[Box] = []
        done: set[str] = set()
        for item in self.forms.layout:
            if item.part != part or (item.seq == "2021+" and not self._is_new(item)):
                continue
            table = _table_of(item)
            if not table:
                run += self._boxes(item)
            elif table not in done:
                done.add(table)
                if run:
                    blocks.append(_filled(run))
                    run = []
                blocks += self._tables(table)
        if run:
            blocks.append(_filled(run))
        return tuple(blocks)

    def _is_new(self, item: ListItem) -> bool:
        """Boxes of the 2021 form that the older ones do not already show."""
        return item.code in self.forms.fields["setlinfo"] and "setl" not in item.code

    def _boxes(self, item: ListItem) -> Iterable[Box]:
        names = [name for name in item.code.split(" / ") if name]
        if not names:
            return
        value = " – ".join(filter(None, (self._value("setlinfo", name) for name in names)))
        yield Box(item.item, value, wide=len(value) > _WIDE)

    def _value(self, node: str, name: str, row: Row | None = None) -> str:
        """A value as the form shows it: words for codes, times to the minute."""
        held = self.lst.setlinfo if row is None else row
        value = text_of(held.get(name))
        meaning = self.forms.meaning(node, name, value)
        if meaning and name not in NAME_OF:
            return meaning
        if meaning:
            return f"{meaning} {value}"
        return value[:16] if len(value) == 19 and value[4:5] == "-" else value

    def _tables(self, table: str) -> list[Grid]:
        if table == "diseinfo":
            return [self._diagnoses()]
        if table == "oprninfo":
            return [self._operations()]
        if table == "iteminfo":
            return [self._fees()]
        if table == "payinfo":
            return [self._payments()]
        names, heads = _PLAIN_TABLES[table]
        rows = [
            tuple(self._value(table, name, row) for name in names)
            for row in self.lst.rows(table) or ()
        ]
        return [Grid("", heads, tuple(rows or [("",) * len(heads)]), len(heads))]

    def _diagnoses(self) -> Grid:
        western: list[tuple[str, str, str]] = []
        tcm: list[tuple[str, str, str]] = []
        rows = self.lst.diseinfo or ()
        for index in self.order:
            row = rows[index]
            cells = (
                text_of(row.get("diag_name")),
                text_of(row.get("diag_code")),
                self._value("diseinfo", "adm_cond_type", row),
            )
            (tcm if text_of(row.get("diag_type")) in ("2", "3") else western).append(cells)
        blank = ("", "", "")
        lines = [
            (
                *(western[at] if at < len(western) else blank),
                *(tcm[at] if at < len(tcm) else blank),
            )
            for at in range(max(len(western), len(tcm), 1))
        ]
        return Grid("出院诊断（第一行是主要诊断）", _DIAGNOSIS_HEADS, tuple(lines), 9)

    def _operations(self) -> Grid:
        rows = self.lst.oprninfo or ()
        lines = [
            tuple(self._value("oprninfo", name, rows[at]) for name in _OPERATION_FIELDS)
            for at in self.operations
        ]
        blank = [("",) * len(_OPERATION_HEADS)]
        title = "手术及操作（第一行是主要手术及操作）"
        return Grid(title, _OPERATION_HEADS, tuple(lines or blank), 99, small=True)

    def _fees(self) -> Grid:
        held = {text_of(row.get("med_chrgitm")): row for row in self.lst.iteminfo or ()}
        lines = []
        for item in self.forms.layout:
            match = _CATEGORY.search(item.code)
            if match and item.code.startswith("iteminfo.amt"):
                row = held.pop(match[1], {})
                lines.append((item.item.partition("-")[0], *_amounts(row)))
        for code, row in held.items():
            name = self.forms.meaning("iteminfo", "med_chrgitm", code) or code
            lines.append((name, *_amounts(row)))
        total = ("金额合计", *(_sum(line[at] for line in lines) for at in range(1, 6)))
        return Grid("收费项目", _FEE_HEADS, (*lines, total), 1, totals=True)

    def _payments(self) -> Grid:
        held: dict[str, list[str]] = {}
        for row in self.lst.payinfo or ():
            kind = text_of(row.get("fund_pay_type"))
            held.setdefault(kind, []).append(text_of(row.get("fund_payamt")))
        lines = []
        for item in self.forms.layout:
            if item.code.startswith("payinfo"):
                amounts = [a for kind in _FUNDS.findall(item.code) for a in held.pop(kind, [])]
                lines.append((item.item, _sum(amounts) if amounts else ""))
        for kind, amounts in held.items():
            name = self.forms.meaning("payinfo", "fund_pay_type", kind) or kind
            lines.append((name, _sum(amounts)))
        return Grid("基金支付", ("基金支付类型", "金额"), tuple(lines), 1)


def _filled(run: Sequence[Box]) -> tuple[Box, ...]:
    """Empty boxes where a line would end before its time."""
    out: list[Box] = []
    used = 0
    for box in (*run, None):
        if (box is None or box.wide) and used % _COLUMNS:
            out += [Box("", "")] * (_COLUMNS - used % _COLUMNS)
            used = 0
        if box is not None:
            out.append(box)
            used += 0 if box.wide else 1
    return tuple(out)


def _table_of(item: ListItem) -> str:
    head = item.code.partition(".")[0].partition("（")[0]
    if item.code.startswith("payinfo"):
        return "payinfo"
    if not item.code and item.item.startswith(("金额合计", "其他支付")):
        return "iteminfo" if item.item.startswith("金额合计") else "payinfo"
    return head if head in _TABLES else ""


def _amounts(row: Row) -> tuple[str, ...]:
    return tuple(text_of(row.get(name)) for name in _FEE_FIELDS)


def _sum(texts: Iterable[str]) -> str:
    """The sum of amounts; empty when one of them is no number."""
    try:
        found = [decimal_of(text) for text in texts]
    except ValueError:
        return ""
    return f"{sum(number for number in found if number is not None):.2f}"
