"""The kinds of catalogues: which columns each has, under which headings, and how a cell is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from unicodedata import category

from dipgate.config.tablefile import Column, NumberText
from dipgate.core.clock import read_date
from dipgate.core.codes import diagnosis_code, procedure_code
from dipgate.core.errors import ConfigError

Reader = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Cell:
    """A column of a kind: its headings, and how a cell is read (ValueError: what is wrong)."""

    column: Column
    read: Reader
    remedy: str = "改正这一格后重新导入"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of catalogue. `key` are the columns that may not repeat."""

    name: str
    title: str
    cells: tuple[Cell, ...]
    key: tuple[str, ...]
    counted: str = ""
    """Column whose values are counted in the report."""
    layered: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(cell.column.name for cell in self.cells)


# --- readers of one cell -------------------------------------------------------------------

_DX = re.compile(r"[A-Z]\d{2}(\.[0-9x]{1,3}(x\d{3})?)?([+*].*)?")
_CLINICAL_DX = re.compile(r"[A-Z]\d{2}[0-9A-Za-z./*+-]{0,27}")
_OP = re.compile(r"\d{2}\.[0-9A-Zx]{1,5}(x\d{3,4})?")
_DEPARTMENT = re.compile(r"[A-Z]\d{2}(\.\d{2}){0,2}")
_STAFF = re.compile(r"[DN]\d{12}")
_UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Private-use characters are not among them: rare glyphs of official names stand on them."""
MAX_NAME = 500
"""Characters of a name; the longest official one has less than half of that."""
_NUMERIC = "单元格是数值格式，前后的零可能已经丢失"


def plain(text: str) -> str:
    """Text as it stands, without blanks around it; official names keep their full-width marks."""
    value = text.strip()
    if not value.isprintable() and any(category(ch) in _UNSEEN for ch in value):
        raise ValueError("含有换行或看不见的字符")
    return value


def short(text: str) -> str:
    """A name or word; what is longer than any name was pasted there by mistake."""
    value = plain(text)
    if len(value) > MAX_NAME:
        raise ValueError(f"有{len(value)}个字符，超过{MAX_NAME}个")
    return value


def filled(text: str) -> str:
    value = short(text)
    if not value:
        raise ValueError("是空的")
    return value


def diagnosis(text: str) -> str:
    """An ICD-10 code in canonical spelling."""
    if type(text) is NumberText:
        raise ValueError(_NUMERIC)
    if _DX.fullmatch(text):
        return text
    value = diagnosis_code(text)
    if not value:
        raise ValueError("是空的")
    if not _DX.fullmatch(value):
        raise ValueError(f"“{value[:30]}”不是 ICD-10 代码")
    return value


def clinical_diagnosis(text: str) -> str:
    """A code of the clinical edition: as ICD-10, with marks of its own (`C22.101M81600/3`)."""
    if type(text) is NumberText:
        raise ValueError(_NUMERIC)
    value = text if _DX.fullmatch(text) else diagnosis_code(text)
    if not value:
        raise ValueError("是空的")
    if not _CLINICAL_DX.fullmatch(value):
        raise ValueError(f"“{value[:30]}”不是 ICD-10 代码")
    return value


def procedure(text: str) -> str:
    """An ICD-9-CM-3 code in canonical spelling."""
    if type(text) is NumberText:
        raise ValueError(_NUMERIC)
    if _OP.fullmatch(text):
        return text
    value = procedure_code(text)
    if not value:
        raise ValueError("是空的")
    if not _OP.fullmatch(value):
        raise ValueError(f"“{value[:30]}”不是 ICD-9-CM-3 代码")
    return value


def _word(words: Mapping[str, str]) -> Reader:
    def read(text: str) -> str:
        value = plain(text)
        try:
            return words[value]
        except KeyError:
            known = "、".join(dict.fromkeys(word for word in words if word))
            raise ValueError(f"“{value[:30]}”不认识；可用：{known}") from None

    return read


def _matching(form: re.Pattern[str], what: str) -> Reader:
    def read(text: str) -> str:
        value = plain(text)
        if value and not form.fullmatch(value):
            raise ValueError(f"“{value[:30]}”不是{what}")
        return value

    return read


def _day(text: str) -> str:
    value = plain(text)
    if not value:
        return ""
    try:
        return read_date(value.replace("/", "-")).isoformat()
    except ValueError:
        raise ValueError(f"“{value[:30]}”不是日期") from None


_CATEGORY = _word(
    {word: word for word in ("手术", "介入治疗", "治疗性操作", "诊断性操作")} | {"": "", "无": ""}
)
_FLAG = _word({"1": "1", "0": "0", "是": "1", "否": "0", "": "0"})
_ROLE = _word(
    {
        "医师": "doctor",
        "医生": "doctor",
        "麻醉医师": "anaesthetist",
        "麻醉师": "anaesthetist",
        "护士": "nurse",
        "doctor": "doctor",
        "anaesthetist": "anaesthetist",
        "nurse": "nurse",
        "": "",
    }
)

# --- the kinds -----------------------------------------------------------------------------


def _cell(
    name: str, headings: str, read: Reader = short, *, required: bool = False, remedy: str = ""
) -> Cell:
    column = Column(name, tuple(headings.split()), required)
    return Cell(column, read, remedy) if remedy else Cell(column, read)


_TEXT_FORMAT = "核对代码；在 Excel 里先把该列设为文本格式再填"
_DAY_FORM = "日期写成 2024-01-31"


def _map_kind(
    name: str, title: str, source: str, target: str, read_source: Reader, read_target: Reader
) -> Kind:
    return Kind(
        name,
        title,
        (
            _cell(
                "source_code",
                f"{source}_code 临床版代码 国临版代码 原代码 来源代码 source_code",
                read_source,
                required=True,
                remedy=_TEXT_FORMAT,
            ),
            _cell("source_name", f"{source}_name 临床版名称 国临版名称 原名称 来源名称"),
            _cell(
                "target_code",
                f"{target}_code 医保版代码 医保代码 目标代码 target_code",
                read_target,
                required=True,
                remedy=_TEXT_FORMAT,
            ),
            _cell("target_name", f"{target}_name 医保版名称 医保名称 目标名称"),
            _cell("first_day", "first_day 启用日期 开始日期 生效日期", _day, remedy=_DAY_FORM),
            _cell("last_day", "last_day 停用日期 结束日期 失效日期", _day, remedy=_DAY_FORM),
        ),
        key=("source_code", "target_code", "first_day"),
        layered=True,
    )


def _mdc_kind(name: str, title: str, headings: str, read: Reader) -> Kind:
    return Kind(
        name,
        title,
        (
            _cell("code", headings, read, required=True, remedy=_TEXT_FORMAT),
            _cell("mdcs", "mdcs mdc 主要诊断大类", required=True),
        ),
        key=("code",),
    )


_KINDS = (
    Kind(
        "icd10",
        "医保版疾病诊断",
        (
            _cell(
                "code",
                "code 诊断代码 疾病代码 医保版代码 代码 编码",
                diagnosis,
                required=True,
                remedy=_TEXT_FORMAT,
            ),
            _cell("name", "name 诊断名称 疾病名称 医保版名称 名称", filled, required=True),
            _cell("chapter", "chapter 章 章名称"),
            _cell("finer", "n_finer_codes_in_subcategory finer 细目数"),
        ),
        key=("code",),
    ),
    Kind(
        "icd9cm3",
        "医保版手术操作",
        (
            _cell(
                "code",
                "code 手术操作代码 手术代码 医保版代码 代码 编码",
                procedure,
                required=True,
                remedy=_TEXT_FORMAT,
            ),
            _cell("name", "name 手术操作名称 手术名称 医保版名称 名称", filled, required=True),
            _cell("category", "category 类别 手术操作类别 操作类别", _CATEGORY),
            _cell("entry_option", "entry_option entry_option_gl2 录入选项"),
        ),
        key=("code",),
        counted="category",
    ),
    _map_kind("icd10-map", "诊断代码映射", "gl2", "nhsa2", clinical_diagnosis, diagnosis),
    _map_kind("icd9cm3-map", "手术代码映射", "gl3", "nhsa2", procedure, procedure),
    Kind(
        "not-principal",
        "不得作主要诊断的代码",
        (
            _cell("code", "code 诊断代码 代码 编码", diagnosis, required=True, remedy=_TEXT_FORMAT),
            _cell("name", "name 诊断名称 名称"),
            _cell("dip3", "dip3_official dip3", _FLAG),
            _cell("drg11", "chs_drg11_derived drg11", _FLAG),
            _cell("reason", "reason 原因"),
            _cell("rule", "rule_id rule 规则"),
        ),
        key=("code",),
        counted="reason",
    ),
    _mdc_kind("dx-mdc", "诊断的主要诊断大类", "dx_code code 诊断代码 代码", diagnosis),
    _mdc_kind("op-mdc", "手术的主要诊断大类", "op_code code 手术操作代码 代码", procedure),
    Kind(
        "department",
        "科室对照",
        (
            _cell("local_code", "local_code 科室代码 本院科室代码", filled, required=True),
            _cell("local_name", "local_name 科室名称 本院科室名称", filled, required=True),
            _cell(
                "national_code",
                "national_code 国家科室代码 医保科室代码",
                _matching(_DEPARTMENT, "国家科室代码（如 A03.01）"),
                required=True,
            ),
            _cell("national_name", "national_name 国家科室名称 医保科室名称"),
            _cell("ward", "ward 病区 所属病区"),
            _cell("first_day", "first_day 启用日期 开始日期", _day, remedy=_DAY_FORM),
            _cell("last_day", "last_day 停用日期 结束日期", _day, remedy=_DAY_FORM),
        ),
        key=("local_code", "first_day"),
    ),
    Kind(
        "staff",
        "人员对照",
        (
            _cell("local_code", "local_code 工号 人员代码 医师代码", filled, required=True),
            _cell("name", "name 姓名", filled, required=True),
            _cell(
                "national_code",
                "national_code 国家编码 医保医师代码 国家医保代码",
                _matching(_STAFF, "国家编码（D 或 N 加12位数字）"),
                required=True,
            ),
            _cell("role", "role 人员类别 类别 职类", _ROLE),
            _cell("department", "department 科室代码 所在科室"),
            _cell("first_day", "first_day 启用日期 开始日期", _day, remedy=_DAY_FORM),
            _cell("last_day", "last_day 停用日期 结束日期", _day, remedy=_DAY_FORM),
        ),
        key=("local_code", "first_day"),
        counted="role",
    ),
)
KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _KINDS})


def kind_named(name: str) -> Kind:
    """The kind; ConfigError naming the known ones."""
    try:
        return KINDS[name]
    except KeyError:
        raise ConfigError(
            f"没有“{name}”这种目录；可用：{'、'.join(KINDS)}", path="--kind"
        ) from None
