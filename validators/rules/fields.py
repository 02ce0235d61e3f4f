"""Rules about all fields alike."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from dipgate.core.findings import Severity
from dipgate.validators.registry import Hit, Subject, rule

UPLOADED = ("diseinfo", "oprninfo", "icuinfo", "bldinfo", "iteminfo", "payinfo", "opspdiseinfo")
MAX_SIZE = 1 << 62
"""The limit of a field that has none."""


@rule(
    "B057",
    severity=Severity.ERROR,
    fields=("setlinfo", *UPLOADED),
    clause="医保接口 4101、4101A 字段定义（取两者中较长的）",
    message="字段超过接口定义的长度，平台会截断或拒收",
    remedy="缩短内容，或检查是否串列",
    since=date(2021, 1, 1),
    confidence="high",
)
def text_fits_its_field(subject: Subject) -> Iterator[Hit]:
    """字符字段不超过接口定义的长度。

    超长的字段在平台入库时报 ORA-12899，整张清单被退回。
    """
    lst, limits = subject.lst, subject.limits
    for node in ("setlinfo", *UPLOADED):
        rows = (lst.setlinfo,) if node == "setlinfo" else lst.rows(node) or ()
        longest = limits.get(node, {}).get
        for index, row in enumerate(rows):
            for name, value in row.items():
                if value.__class__ is str and len(value) > longest(name, MAX_SIZE):
                    yield from _too_long(subject, node, index, name, value)


def _too_long(subject: Subject, node: str, index: int, name: str, text: str) -> Iterator[Hit]:
    size, limit = len(text.strip()), subject.limits[node][name]
    if size > limit:
        where = node if node == "setlinfo" else f"{node}[{index}]"
        label = subject.world.fields[node][name].label
        what = f"{label}有 {size} 个字符，超过接口规定的 {limit} 个"
        yield Hit(f"{where}.{name}", text[:40] + "…", what)
