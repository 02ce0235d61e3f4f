"""What a survey found, and how ready that makes the hospital: area by area, with the next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from dipgate.config.standard import field_table

FAMILY_NAMES: Mapping[str, str] = {
    "icd10": "诊断编码",
    "icd9cm3": "手术操作编码",
    "department": "科室",
    "staff": "医师和护士",
}
GROUPED = ("GROUPED", "GROUPED_COMPREHENSIVE", "BLANK")
_NODES = ("setlinfo", "diseinfo", "oprninfo")
_OWN = frozenset({"fixmedins_code", "fixmedins_name", "stas_type"})


class Ready(StrEnum):
    """Grade of one area."""

    READY = "可以"
    WORK = "要补"
    STOP = "先停"


@dataclass(frozen=True, slots=True)
class FieldShare:
    """A required field: filled in so many of the places where it may stand."""

    path: str
    filled: int
    of: int


@dataclass(frozen=True, slots=True)
class Family:
    """One family of codes: distinct codes and occurrences, and those that nothing maps."""

    kind: str
    codes: int
    uses: int
    gap_codes: int
    gap_uses: int

    @property
    def coverage(self) -> float:
        """Share of occurrences that are national codes of the day; 1 without any."""
        return 1 - self.gap_uses / self.uses if self.uses else 1.0


@dataclass(frozen=True, slots=True)
class Gap:
    """A code that nothing maps. `name` is empty for people."""

    kind: str
    code: str
    name: str
    uses: int
    reason: str


@dataclass(frozen=True, slots=True)
class RuleCount:
    """A rule that would stop so many lists."""

    rule: str
    sentence: str
    lists: int


@dataclass(frozen=True, slots=True)
class Area:
    """One area of readiness with its number and the next step."""

    name: str
    grade: Ready
    shown: str
    step: str


@dataclass(frozen=True, slots=True)
class SurveyReport:
    """Codes, counts and shares; nothing of a person."""

    hospital: str
    source: str
    kind: str
    charset: str
    made_on: date
    discharges: int
    bills: int
    lists: int
    waiting_for_front_page: int
    first_day: date | None
    last_day: date | None
    read: Mapping[str, int]
    rejected: tuple[tuple[str, str, str, int], ...]
    """(table, column, what, rows)."""
    unreadable: tuple[tuple[str, str, int], ...]
    """(column, what, bills)."""
    notes: tuple[str, ...]
    fields: tuple[FieldShare, ...]
    """Required fields, the emptiest first."""
    families: tuple[Family, ...]
    gaps: tuple[Gap, ...]
    with_errors: int
    rules: tuple[RuleCount, ...]
    not_checked: tuple[tuple[str, int], ...]
    groups: Mapping[str, int]
    scores: Mapping[str, int]
    not_configured: tuple[tuple[str, int], ...]
    versions: Mapping[str, tuple[str, ...]]
    policy: str
    areas: tuple[Area, ...]

    @property
    def completeness(self) -> float:
        """Share of required places that are filled; 0 without a list."""
        of = sum(item.of for item in self.fields)
        return sum(item.filled for item in self.fields) / of if of else 0.0


def required_fields(infno: str) -> tuple[tuple[str, str], ...]:
    """(node, field) of all that an upload always requires and that a source must give."""
    return tuple(
        (spec.node, spec.code)
        for spec in field_table(infno, "in")
        if spec.required == "Y" and spec.node in _NODES and spec.code not in _OWN
    )


def field_name(path: str) -> str:
    """The Chinese name of a field of the list."""
    node, _, code = path.partition(".")
    for infno in ("4101A", "4101"):
        for spec in field_table(infno, "in"):
            if (spec.node, spec.code) == (node, code):
                return spec.name
    return path


def readiness(report: SurveyReport) -> tuple[Area, ...]:
    """Every area, in the order in which they are mended."""
    return (
        _reading(report),
        _completeness(report),
        *(_family(report, kind) for kind in FAMILY_NAMES),
        _rules(report),
        _groups(report),
        _money(report),
    )


def share(part: float) -> str:
    """`99.5%`; never rounded up to 100 %."""
    text = f"{part * 100:.1f}"
    return "99.9%" if text == "100.0" and part < 1 else f"{text}%"


def _grade(value: float, ready: float, work: float) -> Ready:
    if value >= ready:
        return Ready.READY
    return Ready.WORK if value >= work else Ready.STOP


def _reading(report: SurveyReport) -> Area:
    bad = sum(item[3] for item in report.rejected) + sum(item[2] for item in report.unreadable)
    rows = sum(report.read.values()) or 1
    if not report.lists:
        step = "先用 dipgate contract check 核对来源的列和字符集"
        return Area("读取", Ready.STOP, "没有读出一份清单", step)
    grade = Ready.READY if not bad else _grade(1 - bad / rows, 0.999, 0.98)
    if report.waiting_for_front_page:
        grade = Ready.WORK if grade is Ready.READY else grade
    shown = f"{report.discharges:,} 次出院得到 {report.lists:,} 份清单，读不懂 {bad:,} 处"
    shown += (
        f"，{report.waiting_for_front_page:,} 份缺首页" if report.waiting_for_front_page else ""
    )
    step = "" if grade is Ready.READY else "用 dipgate contract check 逐列核对，改视图或导出"
    return Area("读取", grade, shown, step)


def _completeness(report: SurveyReport) -> Area:
    worst = [item for item in report.fields if item.filled < item.of][:3]
    names = "、".join(f"{field_name(item.path)} {share(item.filled / item.of)}" for item in worst)
    shown = f"必填项填了 {share(report.completeness)}" + (f"；最缺：{names}" if names else "")
    grade = _grade(report.completeness, 0.995, 0.95) if report.lists else Ready.STOP
    return Area(
        "必填项",
        grade,
        shown,
        "" if grade is Ready.READY else "补列，或在站点文件的 [fill] 里统一填写",
    )


_FAMILY_STEPS: Mapping[str, str] = {
    "icd10": "导入对照表，在“编码对照”里补没有对照的代码",
    "icd9cm3": "导入对照表，在“编码对照”里补没有对照的代码",
    "department": "在“科室与人员”里登记缺的科室",
    "staff": "在“科室与人员”里登记缺的人员",
}


def _family(report: SurveyReport, kind: str) -> Area:
    family = next((item for item in report.families if item.kind == kind), None)
    if family is None or not family.uses:
        return Area(FAMILY_NAMES[kind], Ready.STOP, "没有读到", "核对列的映射")
    grade = _grade(family.coverage, 0.99, 0.95)
    shown = f"{family.codes:,} 个代码，覆盖 {share(family.coverage)}"
    shown += f"，缺 {family.gap_codes:,} 个" if family.gap_codes else ""
    done = grade is Ready.READY and not family.gap_codes
    return Area(FAMILY_NAMES[kind], grade, shown, "" if done else _FAMILY_STEPS[kind])


def _rules(report: SurveyReport) -> Area:
    clean = 1 - report.with_errors / report.lists if report.lists else 0.0
    worst = "、".join(f"{item.rule} {item.lists:,} 份" for item in report.rules[:3])
    shown = f"没有错误的清单 {share(clean)}" + (f"；最多：{worst}" if worst else "")
    grade = _grade(clean, 0.9, 0.6) if report.lists else Ready.STOP
    return Area("校验", grade, shown, "" if not worst else "先改出现最多的那几条规则的来源")


def _groups(report: SurveyReport) -> Area:
    total = sum(report.groups.values())
    grouped = sum(report.groups.get(name, 0) for name in GROUPED)
    value = grouped / total if total else 0.0
    if not report.policy:
        return Area("入组", Ready.STOP, "没有生效的付费政策", "导入病种目录库并写好付费政策")
    grade = _grade(value, 0.95, 0.85)
    return Area(
        "入组",
        grade,
        f"入组 {share(value)}（政策 {report.policy}）",
        "" if grade is Ready.READY else "核对目录库版本和主要诊断、主要手术的编码",
    )


def _money(report: SurveyReport) -> Area:
    missing = report.not_configured
    if missing:
        paths = "、".join(path for path, _ in missing[:5])
        return Area("金额", Ready.WORK, f"政策参数未填：{paths}", "在政策文件里补上这些参数")
    scored = report.scores.get("SCORED", 0) + report.scores.get("PAY_COST", 0)
    total = sum(report.scores.values())
    value = scored / total if total else 0.0
    return Area("金额", _grade(value, 0.95, 0.8), f"算出金额的 {share(value)}", "")
