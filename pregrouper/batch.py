"""Whole years: a batch of flat cases, given as columns, into groups, scores and money.

The same function under every engine (one process, many, Spark's `mapInArrow`): columns and
compiled tables in, result columns out, nothing kept between calls. docs/whole-years.md explains
the columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType

from dipgate.core.case import Case, Diagnosis, IcuStay, Procedure, hours_of, should_be
from dipgate.core.clock import CHINA, read_time
from dipgate.core.codes import diagnosis_code, procedure_code
from dipgate.core.grouper import Grouper
from dipgate.core.grouping import GroupResult, GroupStatus, ScoreResult, ScoreStatus
from dipgate.core.money import Fen, fen_of, yuan_text
from dipgate.core.policy import Policy
from dipgate.core.reference import Reference
from dipgate.pregrouper.scoring import score

Columns = Mapping[str, Sequence[object]]
"""Column name → values, all of one length. A column that is not there is empty for every case."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the contract. `heading` is the other name that it may have in a file."""

    name: str
    heading: str
    listed: bool = False
    required: bool = False


COLUMNS = (
    Column("setl_id", "结算ID"),
    Column("dx", "主要诊断", required=True),
    Column("other_dx", "其他诊断", listed=True),
    Column("tcm_dx", "中医诊断", listed=True),
    Column("ops", "手术操作", listed=True, required=True),
    Column("medfee_sumamt", "总费用"),
    Column("fund_payamt", "统筹基金支付"),
    Column("self_paid", "个人自付自费"),
    Column("hi_type", "医保类型"),
    Column("insuplc", "参保地"),
    Column("fixmedins_code", "医疗机构代码"),
    Column("hi_setl_lv", "医院等级"),
    Column("setl_end_date", "结算日期"),
    Column("adm_time", "入院时间"),
    Column("dscg_time", "出院时间"),
    Column("dscg_way", "离院方式"),
    Column("gend", "性别"),
    Column("brdy", "出生日期"),
    Column("nwb_bir_wt", "新生儿出生体重"),
    Column("ipt_med_type", "住院医疗类型"),
    Column("hi_paymtd", "医保支付方式"),
    Column("vent_used_dura", "呼吸机使用时长"),
    Column("icu", "重症监护", listed=True),
    Column("fees", "费用分类", listed=True),
)
LIST_SEPARATOR = "|"
RESULT_COLUMNS = (
    "case",
    "status",
    "layer",
    "group_code",
    "group_name",
    "base_score",
    "score_status",
    "not_configured",
    "zone",
    "score",
    "amount_fen",
    "warnings",
    "policy",
    "library",
)
LIST_RESULTS = ("not_configured", "warnings")
_NOT_A_CODE = re.compile(r"[,;/\\、，；_\s]")
"""Signs that separate codes elsewhere, and that no code holds."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What one case is grouped and priced with.

    `hospital` and `hospital_level` are those of the hospital whose run it is; they hold for its own
    cases. Cases of others are scored by the level that they carry.
    """

    policy: Policy
    grouper: Grouper
    reference: Reference
    hospital_level: str = ""
    hospital: str = ""


@dataclass(frozen=True, slots=True)
class NoTables:
    """No policy or no library for the case: the warning, and the path of what is missing."""

    warning: str
    path: str
    policy: str = ""


def is_one_code(text: str) -> bool:
    """False for a cell that holds several codes, parted by whatever sign."""
    return LIST_SEPARATOR not in text and not _NOT_A_CODE.search(text)


TablesFor = Callable[[Case], Tables | NoTables]


@dataclass(frozen=True, slots=True)
class Note:
    """What is wrong with one field of a case, and what to do about it."""

    field: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A case as it is judged: with the hospital's level that it carries, and what it lacks."""

    case: Case
    level: str = ""
    notes: tuple[Note, ...] = ()
    """Fields that cannot be taken at all: the case is not grouped."""


@dataclass(frozen=True, slots=True)
class Judged:
    group: GroupResult
    score: ScoreResult
    notes: tuple[Note, ...]
    """What somebody should mend, for the list of rows set aside."""


def group_batch(columns: Columns, tables_for: TablesFor, first: int = 1) -> dict[str, list[object]]:
    """Result columns (`RESULT_COLUMNS`) of flat cases; `first` is the number of the first one.

    A case without `setl_id` is called by its number. One result per case, in order; never raises
    for a case.
    """
    out: dict[str, list[object]] = {name: [] for name in RESULT_COLUMNS}
    appends = [out[name].append for name in RESULT_COLUMNS]
    for number, entry in enumerate(entries_of(columns), start=first):
        judged = judge(entry, tables_for, trace=False)
        values = result_values(entry.case.case_id or str(number), judged.group, judged.score)
        for append, value in zip(appends, values, strict=True):
            append(value)
    return out


def result_values(case_id: str, group: GroupResult, scored: ScoreResult) -> tuple[object, ...]:
    """The values of `RESULT_COLUMNS`; exact numbers as text, money in fen."""
    return (
        case_id,
        group.status.value,
        group.layer.value,
        group.group_code,
        group.group_name,
        _number(group.base_score),
        scored.status.value,
        list(scored.not_configured),
        scored.zone.value,
        _number(scored.score),
        scored.amount,
        [*group.warnings, *scored.warnings],
        group.policy,
        group.library,
    )


def _number(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def judge(entry: Entry, tables_for: TablesFor, *, trace: bool) -> Judged:
    """Group and score one case; what cannot be grouped has a status and a sentence."""
    found = tables_for(entry.case)
    if isinstance(found, NoTables):
        group = GroupResult(GroupStatus.UNGROUPED, warnings=(found.warning,), policy=found.policy)
        lacking = ScoreResult(ScoreStatus.NOT_CONFIGURED, not_configured=(found.path,))
        return Judged(group, lacking, entry.notes)
    if entry.notes:
        return _refused(found, entry.notes)
    return priced(
        entry, found, found.grouper.group(entry.case, found.reference, trace=trace), trace
    )


def priced(entry: Entry, tables: Tables, group: GroupResult, trace: bool) -> Judged:
    """A case whose group is known, with its score and what somebody should mend."""
    case = entry.case
    own = not case.hospital_code or not tables.hospital or case.hospital_code == tables.hospital
    scored = score(
        case,
        group,
        tables.policy,
        hospital_level=(tables.hospital_level if own else "") or entry.level,
        hospital_code=case.hospital_code or tables.hospital,
        trace=trace,
    )
    return Judged(group, scored, tuple(_to_mend(case, group)))


def _refused(tables: Tables, notes: tuple[Note, ...]) -> Judged:
    group = GroupResult(
        GroupStatus.INVALID_INPUT,
        warnings=tuple(f"W_INVALID_INPUT {note.what}" for note in notes),
        policy=tables.policy.label,
        library=tables.grouper.label,
    )
    return Judged(group, ScoreResult(ScoreStatus.OUT_OF_SCOPE), notes)


def _to_mend(case: Case, group: GroupResult) -> Iterator[Note]:
    for where in case.problems:
        name = where.removeprefix("setlinfo.")
        yield Note(name, f"这个字段读不出来，{should_be(where)}；按没有处理", "改正后重新导出")
    if group.status is GroupStatus.INVALID_INPUT:
        said = group.warnings[-1] if group.warnings else ""
        mark, _, sentence = said.partition(" ")
        if case.principal is None:
            yield Note("dx", sentence, "补上主要诊断")
        elif mark == "W_DATES":
            yield Note("dscg_time", sentence, "核对入院时间和出院时间")
        else:
            yield Note("dx", sentence, "核对编码所用的版本")
    if case.fee == 0:
        yield Note("medfee_sumamt", "总费用是 0 元", "核对费用是否导出完整")
    yield from _impossible(case)


def _impossible(case: Case) -> Iterator[Note]:
    """Values that can be read and cannot be."""
    for name, what, fen in (
        ("medfee_sumamt", "总费用", case.fee),
        ("fund_payamt", "统筹基金支付", case.fund),
        ("self_paid", "个人自付自费", case.self_paid),
    ):
        if fen is not None and fen < 0:
            yield Note(name, f"{what} {yuan_text(fen)} 元是负数", "核对金额是否冲销或导错")
    if case.fee is not None and case.fund is not None and case.fund > case.fee > 0:
        yield Note("fund_payamt", "统筹基金支付大于总费用", "核对总费用和基金支付")
    if case.age_days is not None and case.age_days < 0:
        yield Note("brdy", "出生日期晚于入院日期", "核对出生日期和入院时间")
    if case.birth_weight_g is not None and case.birth_weight_g <= 0:
        yield Note("nwb_bir_wt", "新生儿出生体重不是正数", "核对体重，以克为单位")


def entries_of(columns: Columns) -> Iterator[Entry]:
    """The cases of a batch. A field that cannot be read is empty and named in `problems`."""
    size = max((len(values) for values in columns.values()), default=0)
    empty: list[object] = [None] * size
    held = [columns.get(column.name, empty) for column in COLUMNS]
    reader = EntryReader()
    for values in zip(*held, strict=True):
        yield reader.entry(values)


def entry_of(values: Sequence[object]) -> Entry:
    """One case from its values in the order of `COLUMNS`."""
    return EntryReader().entry(values)


_NAMES = tuple(column.name for column in COLUMNS)
_CODES, _PLAIN = (
    ("other_dx", "tcm_dx", "ops", "icu", "fees"),
    tuple(place for place, column in enumerate(COLUMNS) if not column.listed),
)
_OTHER, _TCM, _OPS, _ICU, _FEES = (_NAMES.index(name) for name in _CODES)


class EntryReader:
    """Flat rows → cases. Remembers the codes and days that it has read: for one batch."""

    def __init__(self) -> None:
        self._dx: dict[str, str | None] = {}
        self._ops: dict[str, str | None] = {}
        self._moments: dict[str, datetime | None] = {}

    def entry(self, values: Sequence[object]) -> Entry:
        """One case from its values in the order of `COLUMNS`."""
        (
            case_id,
            dx,
            fee,
            fund,
            self_paid,
            insurance_type,
            insured_place,
            hospital,
            level,
            settled,
            admitted,
            discharged,
            discharge_way,
            sex,
            born,
            weight,
            stay_type,
            payment_method,
            ventilated,
        ) = [
            value.strip() if type(value) is str else text_of_value(value)
            for value in (values[place] for place in _PLAIN)
        ]
        problems: list[str] = []
        notes: list[Note] = []
        principal = _principal(dx, notes)
        others = self._codes("other_dx", values[_OTHER], self._dx, diagnosis_code, notes)
        tcm = self._codes("tcm_dx", values[_TCM], self._dx, diagnosis_code, notes)
        ops = self._codes("ops", values[_OPS], self._ops, procedure_code, notes)
        birth = self._moment(born, "setlinfo.brdy", problems)
        day = self._moment(settled, "setlinfo.setl_end_date", problems)
        case = Case(
            case_id=case_id,
            hospital_code=hospital,
            insured_place=insured_place,
            insurance_type=insurance_type,
            sex=sex,
            born=birth.date() if birth else None,
            admitted=self._moment(admitted, "setlinfo.adm_time", problems),
            discharged=self._moment(discharged, "setlinfo.dscg_time", problems),
            settled=day.date() if day else None,
            discharge_way=discharge_way,
            stay_type=stay_type,
            payment_method=payment_method,
            principal=Diagnosis(principal, "", "1", "", 0) if principal else None,
            others=tuple(
                [Diagnosis(code, "", "1", "", place) for place, code in enumerate(others, 1)]
            ),
            tcm=tuple([Diagnosis(c, "", "2", "", at) for at, c in enumerate(tcm, 1 + len(others))]),
            procedures=tuple(
                [Procedure(code, "", place == 0, None, place) for place, code in enumerate(ops)]
            ),
            icu=self._icu(values[_ICU], problems),
            fee=_money(fee, "setlinfo.medfee_sumamt", problems),
            fund=_money(fund, "setlinfo.fund_payamt", problems),
            self_paid=_money(self_paid, "setlinfo.self_paid", problems),
            birth_weight_g=_whole(weight, "setlinfo.nwb_bir_wt", problems),
            vent_hours=hours_of(ventilated) if ventilated else None,
            problems=tuple(problems),
            category_fees=_category_fees(values[_FEES]),
        )
        return Entry(case, level, tuple(notes))

    def _codes(
        self,
        name: str,
        value: object,
        known: dict[str, str | None],
        read: Callable[[str], str],
        notes: list[Note],
    ) -> list[str]:
        codes: list[str] = []
        for item in _items(value):
            code = known.get(item, "")
            if code == "":
                foreign = _NOT_A_CODE.search(item) or (name == "ops" and "+" in item)
                code = known[item] = None if foreign else read(item)
            if code is None:
                what = f"{name} 一格里混用了别的分隔符"
                notes.append(Note(name, what, f"编码之间只用 {LIST_SEPARATOR} 分隔"))
                return []
            if code:
                codes.append(code)
        return codes

    def _icu(self, value: object, problems: list[str]) -> tuple[IcuStay, ...]:
        """`类型/转入/转出`, one per stay."""
        stays = []
        for place, item in enumerate(_items(value)):
            where = f"icu[{place}]"
            parts = [part.strip() for part in item.split("/")]
            if len(parts) != 3:
                problems.append(where)
                continue
            entered, left = (self._moment(text, where, problems) for text in parts[1:])
            stays.append(IcuStay(parts[0], entered, left))
        return tuple(stays)

    def _moment(self, text: str, where: str, problems: list[str]) -> datetime | None:
        if not text:
            return None
        found = self._moments.get(text)
        if found is None:
            try:
                found = self._moments[text] = read_time(text)
            except ValueError:
                problems.append(where)
        return found


def _principal(text: str, notes: list[Note]) -> str:
    if LIST_SEPARATOR in text or _NOT_A_CODE.search(text):
        remedy = "主要诊断只写一个，其余写进 other_dx"
        notes.append(Note("dx", "主要诊断一格里不止一个编码", remedy))
        return ""
    return diagnosis_code(text)


def _money(text: str, where: str, problems: list[str]) -> Fen | None:
    try:
        return fen_of(text)
    except ValueError:
        problems.append(where)
        return None


def _category_fees(value: object) -> tuple[tuple[str, Fen], ...] | None:
    """`类别:金额`, one per category; None where one cannot be read: the split is not known then."""
    sums: dict[str, int] = {}
    for item in _items(value):
        category, _, amount = item.partition(":")
        try:
            fen = fen_of(amount.strip())
        except ValueError:
            return None
        if fen is None or not category.strip():
            return None
        code = category.strip()[:2]
        sums[code] = sums.get(code, 0) + fen
    return tuple((code, Fen(fen)) for code, fen in sums.items()) or None


def _whole(text: str, where: str, problems: list[str]) -> int | None:
    if not text:
        return None
    try:
        return int(Decimal(text))
    except (ArithmeticError, ValueError):
        problems.append(where)
        return None


def _items(value: object) -> list[str]:
    """A list cell: the items of a list column, or a text parted by `|`."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        parts: Sequence[object] = value.split(LIST_SEPARATOR)
    elif isinstance(value, list | tuple):
        parts = value
    else:
        parts = (value,)
    texts = [text_of_value(part) for part in parts]
    return [text for text in texts if text]


def text_of_value(value: object) -> str:
    """Any cell as wire text, trimmed: a day or time in its wire form, None and NaN empty.

    A float with more than two decimals is given in full, so that it is refused as money; true and
    false stay words, so that neither is read as a number.
    """
    if isinstance(value, str):
        return value.strip()
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        local = value.astimezone(CHINA) if value.tzinfo else value
        return f"{local:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return f"{value:%Y-%m-%d}"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return _float_text(value)
    return str(value)


def _float_text(value: float) -> str:
    if value != value:
        return ""
    cents = f"{value:.2f}"
    if float(cents) != value:
        return repr(value)
    return cents.removesuffix(".00")


HEADINGS: Mapping[str, str] = MappingProxyType(
    {name: column.name for column in COLUMNS for name in (column.name, column.heading)}
)
"""Every name that a column may have in a file → its name here."""
