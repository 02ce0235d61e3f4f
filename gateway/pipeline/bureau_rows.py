"""The bureau's results as they arrive: rows of transaction 3606, or a statement in a file.

A statement is JSON Lines (or one JSON array) in the field names of 3606, or a table (CSV in UTF-8
or GB18030, XLSX) with those names or plain Chinese headings. A row that cannot be read is set
aside with its place, field and remedy; it never stops the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from dipgate.config.tablefile import Column, TableFile, find_table, read_file
from dipgate.core.codes import diagnosis_code, procedure_code, tidy
from dipgate.core.errors import Place, RecordError
from dipgate.core.grouping import Zone
from dipgate.core.grouping_words import ZONE_WORDS
from dipgate.core.money import Fen, decimal_of, fen_of
from dipgate.pregrouper.differences import BureauResult

COLUMNS = (
    Column("setl_id", ("setl_id", "结算ID", "结算流水号", "结算编号", "病例号"), required=True),
    Column("nuld_flag", ("nuld_flag", "未上传标志")),
    Column("grp_stas", ("grp_stas", "分组状态", "是否入组", "入组状态")),
    Column(
        "dip_dise_grp_code",
        ("dip_dise_grp_code", "DIP病种组代码", "病种组代码", "DIP编码", "病种编码", "病种代码"),
    ),
    Column("dip_dise_grp_name", ("dip_dise_grp_name", "DIP病种组名称", "病种组名称", "病种名称")),
    Column("grp_diag_code", ("grp_diag_code", "分组诊断代码")),
    Column("oprn_grp_code", ("oprn_grp_code", "手术分组代码")),
    Column("grp_dise_sco", ("grp_dise_sco", "分组病种分值", "病种分值", "基准分值")),
    Column("act_setl_sco", ("act_setl_sco", "实际结算分值", "结算分值", "最终分值")),
    Column("asst_list_flag", ("asst_list_flag", "辅助目录标志")),
    Column("asst_list_detl", ("asst_list_detl", "辅助目录详情", "辅助分型", "辅助目录")),
    Column("zone", ("zone", "费用区间", "偏差区间", "倍率区间", "偏差类型")),
    Column("sco_stas_name", ("sco_stas_name", "分值状态名称")),
    Column("coefficient", ("coefficient", "机构系数", "医疗机构系数", "等级系数")),
    Column("average_fee", ("average_fee", "次均费用", "次均费用标准", "平均费用")),
    Column("ratio", ("ratio", "费用倍率", "倍率")),
    Column("point_value", ("point_value", "点值", "结算点值", "分值单价")),
    Column("payable", ("payable", "应付金额", "应付", "基金应付", "应支付金额", "DIP应付金额")),
    Column("deducted", ("deducted", "审核扣款", "扣款金额", "审核扣减")),
    Column("annulled", ("annulled", "作废标志", "是否作废")),
    Column("remarks", ("remarks", "备注信息", "备注")),
)
"""What is read, under which names; the first is the field of 3606 where there is one."""
_NAMES = {column.name: column.headings for column in COLUMNS}
_YES = frozenset(("1", "是", "y", "yes", "true", "已入组", "入组成功", "入组", "未上传", "已作废"))
_NO = frozenset(("0", "否", "n", "no", "false", "", "未入组", "已上传", "有效", "正常"))
_NO_LABEL = frozenset(("无", "没有", "0", "否"))
_ZONES = (
    ("特高", Zone.EXTREME),
    ("极高", Zone.EXTREME),
    ("超高", Zone.EXTREME),
    ("高", Zone.HIGH),
    ("低", Zone.LOW),
    ("正常", Zone.NORMAL),
)
"""Words that bureaus use for a zone, the narrower first."""
_ZONE_CODES = {zone.value: zone for zone in Zone if zone is not Zone.NONE}
_BETWEEN = re.compile(r"[+|/,;、，；\s]+")
_REMEDY = "改正这一格后再对一次；金额以元为单位，不带千分位"


class UnreadRow(RecordError):
    """A row set aside of which it is known whose it is."""

    def __init__(self, error: RecordError, settlement_id: str) -> None:
        super().__init__(error.what, place=error.place, remedy=error.remedy)
        self.settlement_id = settlement_id


def bureau_result(row: Mapping[str, Any]) -> BureauResult:
    """One 3606 row in national field names → what we compare; an unreadable number is absent."""
    return _Reader(row, None).result()


def bureau_results(file: Path) -> Iterator[BureauResult | RecordError]:
    """Every row of a statement, or the error of that row.

    Raises RecordError when nothing of the file can be read, ConfigError when it is not there.
    """
    table = read_file(file)
    rows = _json_rows(table) if _is_json(table) else _table_rows(table)
    seen: dict[str, int] = {}
    for number, row in rows:
        if isinstance(row, RecordError):
            yield row
            continue
        place = Place(table.name, number)
        try:
            found = _Reader(row, place).result()
        except RecordError as error:
            yield UnreadRow(error, _Reader(row, None).settlement_id())
            continue
        before = seen.setdefault(found.settlement_id, number)
        if before != number:
            yield RecordError(
                f"结算 {found.settlement_id} 在第{before}行已有一条，这一条没有用",
                place=Place(table.name, number, "setl_id"),
                remedy="一次结算留一条结果；有更正时只留最后一次的",
            )
            continue
        yield found


class _Reader:
    """Cells of one row. With a place, what cannot be read is an error; without, it is absent."""

    def __init__(self, row: Mapping[str, Any], place: Place | None) -> None:
        self._row = row
        self._place = place

    def settlement_id(self) -> str:
        return self._text("setl_id")

    def result(self) -> BureauResult:
        settlement_id = self.settlement_id()
        if not settlement_id and self._place is not None:
            raise self._bad("setl_id", "没有结算流水号", "补上 setl_id（结算ID）")
        code = self._text("dip_dise_grp_code")
        return BureauResult(
            settlement_id=settlement_id,
            uploaded=not self._flag("nuld_flag"),
            grouped=self._grouped(code),
            group_code=code,
            group_name=self._text("dip_dise_grp_name"),
            base_score=self._number("grp_dise_sco"),
            settled_score=self._number("act_setl_sco"),
            auxiliary=self._label(),
            zone=self._zone(),
            point_value=self._number("point_value"),
            payable=self._money("payable"),
            annulled=bool(self._flag("annulled")),
            remarks=self._text("remarks"),
            dx_code=diagnosis_code(self._text("grp_diag_code")),
            op_codes=tuple(
                procedure_code(code) for code in _BETWEEN.split(self._text("oprn_grp_code")) if code
            ),
            coefficient=self._number("coefficient"),
            average_fee=self._number("average_fee"),
            ratio=self._number("ratio"),
            deducted=self._money("deducted"),
        )

    def _grouped(self, code: str) -> bool | None:
        """What they say, else what their group tells; None where they returned no group field."""
        said = self._flag("grp_stas")
        if said is not None or code:
            return said is not False
        told = any(key in self._row for key in _NAMES["dip_dise_grp_code"])
        return False if told else None

    def _cell(self, name: str) -> Any:
        return next(
            (self._row[key] for key in _NAMES[name] if self._row.get(key) not in (None, "")), None
        )

    def _text(self, name: str) -> str:
        value = self._cell(name)
        return "" if value is None else tidy(str(value))

    def _number(self, name: str) -> Decimal | None:
        try:
            return decimal_of(self._plain(name))
        except ValueError as error:
            self._unread(name, str(error))
            return None

    def _money(self, name: str) -> Fen | None:
        try:
            return fen_of(self._plain(name))
        except ValueError as error:
            self._unread(name, str(error))
            return None

    def _plain(self, name: str) -> Any:
        value = self._cell(name)
        # A float has lost its cents only where it was written with more than its digits.
        return value if isinstance(value, (Decimal, int)) else self._text(name)

    def _unread(self, name: str, why: str) -> None:
        if self._place is not None:
            raise self._bad(name, f"“{self._text(name)[:40]}”{why}", _REMEDY)

    def _flag(self, name: str) -> bool | None:
        word = self._text(name).casefold()
        if not word:
            return None
        if word not in _YES | _NO:
            if self._place is not None:
                raise self._bad(name, f"不认识“{word[:40]}”", "写 1（是）或 0（否）")
            return None
        return word in _YES

    def _label(self) -> str | None:
        flag, words = self._flag("asst_list_flag"), self._text("asst_list_detl")
        if flag is False or words in _NO_LABEL:
            return ""
        # A flag without words says that there is a label, not which: nothing to compare with.
        return words or None

    def _zone(self) -> Zone | None:
        for name in ("zone", "sco_stas_name"):
            word = self._text(name)
            if word in _ZONE_CODES:
                return _ZONE_CODES[word]
            found = next((zone for part, zone in _ZONES if part in word), None)
            if found is not None:
                return found
            if name == "zone" and word and self._place is not None:
                known = "、".join(filter(None, ZONE_WORDS.values()))
                raise self._bad(name, f"不认识“{word[:40]}”", f"可以写 {known}")
        return None

    def _bad(self, name: str, what: str, remedy: str) -> RecordError:
        place = self._place
        where = Place(place.file, place.row, name) if place is not None else Place("")
        return RecordError(what, place=where, remedy=remedy)


def _is_json(table: TableFile) -> bool:
    return table.data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


_Rows = Iterator[tuple[int, Mapping[str, Any] | RecordError]]


def _json_rows(table: TableFile) -> _Rows:
    try:
        text = table.data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = table.data.decode("gb18030")
        except UnicodeDecodeError as error:
            raise RecordError(
                "既不是 UTF-8 也不是 GB18030 编码", place=Place(table.name), remedy="另存为 UTF-8"
            ) from error
    if text.lstrip().startswith("["):
        yield from _json_array(text, table.name)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, _json_object(line, table.name, number)


def _json_array(text: str, name: str) -> _Rows:
    try:
        rows = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise RecordError(
            "不是完整的 JSON 数组", place=Place(name), remedy="重新导出，或改为每行一个对象"
        ) from error
    for number, row in enumerate(rows, start=1):
        yield number, row if isinstance(row, dict) else _no_object(name, number)


def _json_object(line: str, name: str, number: int) -> Mapping[str, Any] | RecordError:
    try:
        row = json.loads(line, parse_float=Decimal)
    except ValueError:
        return _no_object(name, number)
    return row if isinstance(row, dict) else _no_object(name, number)


def _no_object(name: str, number: int) -> RecordError:
    return RecordError(
        "不是一个 JSON 对象", place=Place(name, number), remedy="每行写一个 {…}，不要换行"
    )


def _table_rows(table: TableFile) -> _Rows:
    _, sheet = find_table(table, [COLUMNS])
    for number, cells in sheet.rows:
        if isinstance(cells, RecordError):
            yield number, cells
        else:
            yield number, dict(zip(sheet.found, cells, strict=True))
