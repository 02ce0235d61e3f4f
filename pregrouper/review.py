"""What a person should see before a policy is put to use: names, edges, jumps, sources, holes.

Source: dip-settlement.md section 10 (validator) and section 3, note 1 (continuity). Sums that are
wrong whatever is meant (`core.policy_checks`) refuse the file; here is what needs a look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from dipgate.core.errors import ConfigError
from dipgate.core.params import Param, ParamTable
from dipgate.core.policy import Policy, ZoneRule
from dipgate.core.policy_checks import numbers_in, problems
from dipgate.pregrouper.deviation import FORMS, FormInput
from dipgate.pregrouper.formulas import parse_formula
from dipgate.pregrouper.library import Library
from dipgate.pregrouper.policy_fit import doubtful, impossible
from dipgate.pregrouper.policy_needs import rules_without
from dipgate.pregrouper.score_words import unheard_dimensions, wrong_words
from dipgate.pregrouper.settling_month import month_formula
from dipgate.pregrouper.settling_year import BAND_FORMS, BandInput

ERROR, WARNING = "error", "warning"
ABOVE, BELOW = "略高", "略低"
_ONE = Decimal(1)
_EPSILON = Decimal("0.000001")
_SAMPLE_K = Decimal("0.9")
_NORMAL_FORM = "scoring.normal.form"


@dataclass(frozen=True, slots=True)
class PolicyNote:
    """`level` is `error` (must not be used) or `warning` (a person confirms)."""

    level: str
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Edge:
    """What is paid at an edge and just beside it, as multiples; None: no formula pays there.

    Which zone or band the edge itself belongs to is its operator's matter; `inside` is the pay at
    the edge, `past` that on its other side, `side` says which side that is.
    """

    path: str
    at: Decimal
    inside: Decimal | None
    past: Decimal | None
    unit: str
    side: str = ABOVE

    @property
    def jumps(self) -> bool:
        if self.inside is None or self.past is None:
            return False
        return abs(self.past - self.inside) > _EPSILON * 20


def review(policy: Policy, day: date, library: Library | None = None) -> tuple[PolicyNote, ...]:
    """All notes on a policy as it stands on `day`, and on the library it names if given."""
    return (
        *_absent_groups(policy, library),
        *_sums(policy),
        *_names(policy),
        *(PolicyNote(ERROR, path, text) for path, text in impossible(policy)),
        *(PolicyNote(WARNING, path, text) for path, text in doubtful(policy, day)),
        *_jumps(policy, day),
        *_holes(policy),
        *_open_rules(policy),
        *_sources(policy),
    )


def edges(policy: Policy, day: date, k: Decimal = _SAMPLE_K) -> tuple[Edge, ...]:
    """The score at every zone edge and the pay at every band edge, and just past each."""
    return (*_zone_edges(policy, day, k), *_band_edges(policy, day))


def _absent_groups(policy: Policy, library: Library | None) -> Iterator[PolicyNote]:
    if library is None:
        return
    named = [("grouping.basic_groups", code) for code in policy.grouping.basic_groups or ()]
    severe = policy.settlement.point_value.severe_groups
    named += [("settlement.point_value.severe_groups", code) for code in severe or ()]
    if policy.grouping.blank_code:
        named.append(("grouping.blank_code", policy.grouping.blank_code))
    for path, code in named:
        if code not in library.groups:
            yield PolicyNote(ERROR, path, f"目录 {library.label} 没有病种 {code}")


def _sums(policy: Policy) -> Iterator[PolicyNote]:
    for path, text in problems(policy):
        yield PolicyNote(ERROR, _dotted(path), text)


def _dotted(path: tuple[str | int, ...]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text


def _names(policy: Policy) -> Iterator[PolicyNote]:
    """Words and formulas that nobody knows."""
    for path, text in wrong_words(policy):
        yield PolicyNote(ERROR, path, text)
    form = policy.settlement.monthly.form
    if form is not None:
        try:
            month_formula(form)
        except ConfigError as error:
            yield PolicyNote(ERROR, error.path, str(error))
    normal = policy.scoring.normal.form
    if normal is not None and normal not in FORMS:
        yield from _normal_formula(normal)
    for name in unheard_dimensions(policy):
        text = f"辅助分型维度 {name!r} 在本版本不打标签"
        yield PolicyNote(WARNING, "auxiliary.dimensions", text)


def _normal_formula(text: str) -> Iterator[PolicyNote]:
    try:
        names = parse_formula(text, _NORMAL_FORM).names
    except ConfigError as error:
        yield PolicyNote(ERROR, _NORMAL_FORM, str(error))
        return
    if "initial" not in names or set(names) - {"initial", "support", "assess"}:
        yield PolicyNote(
            ERROR,
            _NORMAL_FORM,
            f"本版本没有计分方式 {text!r}；公式里可用 initial、support、assess",
        )


def _on(param: Param | None, day: date) -> Decimal | None:
    return None if param is None else param.on(day)


def _zone_edges(policy: Policy, day: date, k: Decimal) -> Iterator[Edge]:
    zones = policy.scoring.deviation
    name = policy.scoring.normal.form
    normal = "rw_k_a" if name is not None and name not in FORMS else name
    for zone, word in ((zones.low, "low"), (zones.high, "high")):
        at = _on(zone.at, day)
        if at is None or zone.form in (None, "n/a"):
            continue
        yield _edge(f"scoring.deviation.{word}", zone, (normal, ZoneRule(), at), at, k)
    at, base = _on(zones.extreme.at, day), _on(zones.high.at, day)
    if at is not None and base is not None and zones.extreme.form not in (None, "n/a"):
        below = (zones.high.form, zones.high, base)
        yield _edge("scoring.deviation.extreme", zones.extreme, below, at, k)


def _edge(
    path: str,
    zone: ZoneRule,
    beside: tuple[str | None, ZoneRule, Decimal],
    at: Decimal,
    k: Decimal,
) -> Edge:
    """The edge of a zone against what lies on its other side (form, rule, edge)."""
    low = path.endswith(".low")
    form, rule, edge = beside
    closed = (zone.op or "").endswith("=")
    into = BELOW if low else ABOVE
    side = (ABOVE if low else BELOW) if closed else into
    near = at + _EPSILON if side == ABOVE else at - _EPSILON
    mine = _multiple(zone.form, zone, at if closed else near, at, k)
    other = _multiple(form, rule, near if closed else at, edge, k)
    unit = "倍病种分值"
    return Edge(path, at, *((mine, other) if closed else (other, mine)), unit, side)


def _multiple(
    name: str | None, zone: ZoneRule, ratio: Decimal, at: Decimal, k: Decimal
) -> Decimal | None:
    """The score of a case of this ratio, for a base score of one and A = 1."""
    form = FORMS.get(name or "")
    if form is None or (form.after and zone.k is None) or (form.needs_base and zone.base is None):
        return None
    rw = k if form.after and zone.k == "after" else _ONE
    base = k if zone.base == "k" else _ONE
    return form.score(FormInput(rw, k, ratio, _ONE, at, base))


def _band_edges(policy: Policy, day: date) -> Iterator[Edge]:
    bands = policy.settlement.year_end.bands or ()
    for place, (below, above) in enumerate(pairwise(bands), start=1):
        at = _on(above.lo, day)
        if at is None:
            continue
        # lo ≤ x: the edge belongs to the upper band.
        path = f"settlement.year_end.bands[{place}]"
        over, under = _paid(above.pay, at, day), _paid(below.pay, at, day)
        yield Edge(path, at, over, under, "倍应付金额", BELOW)


def _paid(pay: Any, at: Decimal, day: date) -> Decimal | None:
    form = BAND_FORMS.get(pay.form)
    share, upto = _on(pay.share, day), _on(pay.upto, day)
    if form is None or (form.needs_share and share is None) or (form.needs_upto and upto is None):
        return None
    return form.pays(BandInput(at, _ONE, share or Decimal(0), upto or _ONE))


def _jumps(policy: Policy, day: date) -> Iterator[PolicyNote]:
    for edge in edges(policy, day):
        if edge.jumps and edge.inside is not None and edge.past is not None:
            band = edge.path.startswith("settlement")
            what = "支付额" if band else "分值"
            sample = "" if band else f"（按机构系数 {_SAMPLE_K:f} 试算）"
            yield PolicyNote(
                WARNING,
                edge.path,
                f"倍率 {edge.at:f} 处{what}不连续：恰在界上为 {_short(edge.inside)} {edge.unit}，"
                f"{edge.side}于界限为 {_short(edge.past)} {edge.unit}{sample}",
            )


def _short(value: Decimal) -> str:
    text = format(value, ".4f").rstrip("0")
    return text.removesuffix(".")


def _holes(policy: Policy) -> Iterator[PolicyNote]:
    """Dated numbers that begin after the policy does, and months missing between others."""
    first = policy.policy.effective_from
    for path, value in _parameters(policy, ()):
        for where, series in _series(value, path):
            start = series.entries()[0].first_day
            if first is not None and start > first:
                text = f"从 {first:%Y-%m-%d} 到 {start:%Y-%m-%d} 前没有值"
                yield PolicyNote(WARNING, _dotted(where), text)
    yield from _month_holes(policy.settlement.point_value.table, "settlement.point_value.table")


def _month_holes(table: ParamTable, path: str) -> Iterator[PolicyNote]:
    months = sorted(key for key in table.entries if _is_month(key))
    for one, two in pairwise(months):
        year = two[:4]
        if _number(two) - _number(one) > 1 and not {one[:4], year} & table.entries.keys():
            yield PolicyNote(WARNING, path, f"{one} 和 {two} 之间的月份没有点值")
    for key, item in table.entries.items():
        if isinstance(item, ParamTable):
            yield from _month_holes(item, f"{path}.{key}")


def _is_month(key: str) -> bool:
    year, _, month = key.partition("-")
    return len(year) == 4 and len(month) == 2 and (year + month).isdigit()


def _number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:])


def _series(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, ParamTable):
        for key, item in value.entries.items():
            yield from _series(item, (*path, key))
    elif isinstance(value, Param) and value.series is not None:
        yield path, value.series


def _parameters(part: BaseModel, path: tuple[str | int, ...]) -> Iterator[tuple[Any, Any]]:
    """Every number and table of a policy with its path."""
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        here = (*path, field.alias or name)
        if isinstance(value, Param | ParamTable):
            yield here, value
        elif isinstance(value, BaseModel):
            yield from _parameters(value, here)
        elif isinstance(value, tuple):
            for place, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from _parameters(item, (*here, place))


def _open_rules(policy: Policy) -> Iterator[PolicyNote]:
    for path, meaning in rules_without(policy):
        yield PolicyNote(WARNING, path, f"没有写{meaning}，按没有这条规则处理")


def _sources(policy: Policy) -> Iterator[PolicyNote]:
    """Numbers without evidence: neither their row nor a section around them has `src`."""
    for name in ("catalogue", "grouping", "auxiliary", "scoring", "settlement"):
        bare = [_dotted(path) for path in _without_source(getattr(policy, name), (name,))]
        if bare:
            more = f" 等 {len(bare)} 处" if len(bare) > 3 else ""
            shown = "、".join(bare[:3])
            yield PolicyNote(WARNING, f"{name}.src", f"有数字没有写依据：{shown}{more}")


def _without_source(part: BaseModel, path: tuple[str | int, ...]) -> Iterator[Any]:
    if getattr(part, "src", None):
        return
    for name, field in type(part).model_fields.items():
        value = getattr(part, name)
        here = (*path, field.alias or name)
        if isinstance(value, Param | ParamTable):
            unsourced = _unsourced(value, here)
            if any(True for _ in unsourced):
                yield here
        elif isinstance(value, int) and not isinstance(value, bool):
            yield here
        elif isinstance(value, BaseModel):
            yield from _without_source(value, here)
        elif isinstance(value, tuple):
            for place, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from _without_source(item, (*here, place))
            if any(isinstance(item, int) for item in value):
                yield here


def _unsourced(value: Param | ParamTable, path: tuple[str | int, ...]) -> Iterator[Any]:
    """Numbers that quote no clause of their own either."""
    if isinstance(value, ParamTable):
        for key, item in value.entries.items():
            yield from _unsourced(item, (*path, key))
    elif value.series is None:
        yield from numbers_in(value, path)
    else:
        yield from (entry for entry in value.series.entries() if not entry.source)
