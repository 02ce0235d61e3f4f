"""Rules about the stay that take a field apart."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from dipgate.core.findings import Fix, Severity
from dipgate.core.lists import text_of
from dipgate.validators.lookups import national_department
from dipgate.validators.registry import Hit, Subject, rule

ARROW = "→"
"""Between the wards of a stay that moved more than once."""


@rule(
    "H008",
    severity=Severity.ERROR,
    fields=("setlinfo.refldept_dept",),
    clause="医保接口 4101 字段定义 序41；平台入库约束（地市拒收记录）",
    message="转科科别里有不是国家科室代码的一段",
    remedy="去“科室与人员”登记一次，全院清单一起改；多次转科用 → 连接",
    since=date(2021, 1, 1),
    needs=("codeset:dept",),
    confidence="high",
)
def every_ward_moved_to_is_a_national_one(subject: Subject) -> Iterator[Hit]:
    """转科科别的每一段都是国家科室代码。

    多次转科的各科按先后用 → 连接；其中一段不是国家代码，平台就退回整张清单。
    """
    text = text_of(subject.lst.setlinfo.get("refldept_dept")).strip()
    known = subject.ref.codesets["dept"]
    parts = [part.strip() for part in text.split(ARROW)] if text else []
    wrong = [part for part in parts if part not in known]
    if not wrong:
        return
    codes = [part if part in known else national_department(subject.ref, part) for part in parts]
    better = ARROW.join(codes)
    fixes = (
        (Fix("set", "setlinfo.refldept_dept", better, True, f"把转科科别改为“{better}”"),)
        if all(codes)
        else ()
    )
    what = f"转科科别“{text}”里的“{'、'.join(wrong)}”不是国家科室代码"
    yield Hit("setlinfo.refldept_dept", text, what, fixes=fixes)
