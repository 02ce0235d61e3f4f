"""TCM and Tibetan medicine: which row of `tcm_map` a case takes, and what the row changes.

Source: dip-grouping.md section 14. The western principal diagnosis is never replaced. What the
texts leave open is decided here:

* The disease is the first TCM diagnosis of kind 2 (病); every other TCM code may be the syndrome.
  A row with a syndrome asks for it; a row whose syndrome the case has goes before one without.
* Code systems are open words. `routing.tcm_code_systems` names those that the area's lists use, in
  order. Without it any system of the table counts, but a code that stands in two of them is not
  guessed at.
* A row holds for its western diagnosis only: the western principal must fall under it.
* `same_price` takes the score of the western operation group (`western_dx_key`, `op_key`); the
  group, its average fee and with it the zone stay the case's own. `own_group` takes the area's own
  group. `uplift` leaves the group and hands a factor to the score. `none` says on purpose that
  nothing changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from msgspec import structs

from dipgate.core.case import Case
from dipgate.core.codes import diagnosis_code, in_range, strip_marks
from dipgate.core.grouping import GroupResult, GroupStatus, Layer, Step, TcmRoute
from dipgate.core.library import TcmRow
from dipgate.core.policy import Policy
from dipgate.pregrouper.library import Group, Library

SAME_PRICE, OWN_GROUP, UPLIFT, NO_ROUTE = "same_price", "own_group", "uplift", "none"
ROUTES = (SAME_PRICE, OWN_GROUP, UPLIFT)
_OFF = ("none", "n/a")
_DISEASE = "2"
_AS_WESTERN = "按西医主要诊断入组"
_OPERATION_SIGNS = re.compile(r"[+|/,\s]+")
_KEYED = (Layer.CORE, Layer.BASIC, Layer.MERGE, Layer.BASE)
_GROUPED = (GroupStatus.GROUPED, GroupStatus.GROUPED_COMPREHENSIVE)


@dataclass(frozen=True, slots=True)
class TcmFound:
    """What the TCM diagnoses of a case come to. `group`: the area's own group, or the western
    operation group whose score is taken, as `route.route` says."""

    route: TcmRoute | None = None
    group: Group | None = None
    steps: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def own_group(self) -> Group | None:
        """The group that the case takes instead of a western one."""
        return self.group if self.route is not None and self.route.route == OWN_GROUP else None


NOTHING = TcmFound()


def tcm_of(case: Case, library: Library, policy: Policy) -> TcmFound:
    """The route of a case before it is grouped; nothing without TCM diagnoses or where it is off.

    Without a row that applies the case is grouped on its western principal diagnosis, and
    `W_TCM_UNMAPPED` says so.
    """
    if not case.tcm or policy.routing.tcm_route in _OFF:
        return NOTHING
    disease = next((item for item in case.tcm if item.kind == _DISEASE), case.tcm[0])
    others = frozenset(_plain(item.code) for item in case.tcm if item is not disease)
    code = _plain(disease.code)
    rows = [row for row in library.parts.tcm_map or () if _plain(row.code) == code]
    if not rows:
        return _unmapped(f"中医诊断 {disease.code} 没有对应的病种")
    systems = _systems(rows, policy)
    if len(systems) != 1:
        return _unmapped(_which_system(disease.code, systems, policy))
    row = _by_syndrome([row for row in rows if row.code_system == systems[0]], others)
    if row is None:
        wanted = "、".join(dict.fromkeys(row.syndrome for row in rows if row.syndrome))
        return _unmapped(f"中医诊断 {disease.code} 的对照要求证候 {wanted}，清单没有")
    return _applied(case, row, library, policy)


def with_route(found: TcmFound, result: GroupResult) -> GroupResult:
    """The result with what the route changes: its trace says from what to what."""
    route, target = found.route, found.group
    if route is None:
        return result
    if result.status not in _GROUPED:
        text = f"W_TCM_ROUTE 病例没有入组，中医路径（第{route.row}行）没有作用"
        return structs.replace(result, warnings=(*result.warnings, text))
    if route.route != SAME_PRICE or target is None:
        return structs.replace(result, tcm=route)
    text = f"同病同价：分值取 {target.code} 的 {_text(target)}，原为 {result.group_code} 的分值"
    step = Step("tcm", text, f"tcm_map 第{route.row}行", _text(target))
    trace = (*result.trace, step) if result.trace else ()
    return structs.replace(result, tcm=route, base_score=target.row.score, trace=trace)


def _plain(code: str) -> str:
    """TCM codes have no marks or extensions; only width, blanks and letter case vary."""
    return diagnosis_code(code).casefold()


def _unmapped(why: str) -> TcmFound:
    return TcmFound(warnings=(f"W_TCM_UNMAPPED {why}，{_AS_WESTERN}",))


def _systems(rows: list[TcmRow], policy: Policy) -> tuple[str, ...]:
    """Code systems that the disease's code may be of: one, where the policy names an order."""
    held = tuple(dict.fromkeys(row.code_system for row in rows))
    named = policy.routing.tcm_code_systems
    if named is None:
        return held
    return tuple(name for name in named if name in held)[:1]


def _which_system(code: str, systems: tuple[str, ...], policy: Policy) -> str:
    if systems:
        both = "、".join(systems)
        return f"中医诊断 {code} 在 {both} 里都有，政策没有写用哪个（routing.tcm_code_systems）"
    used = "、".join(policy.routing.tcm_code_systems or ())
    return f"中医诊断 {code} 不在本统筹区用的编码体系（{used}）里"


def _by_syndrome(rows: list[TcmRow], others: frozenset[str]) -> TcmRow | None:
    exact = [row for row in rows if row.syndrome and _plain(row.syndrome) in others]
    plain = [row for row in rows if not row.syndrome]
    return next(iter([*exact, *plain]), None)


def _applied(case: Case, row: TcmRow, library: Library, policy: Policy) -> TcmFound:
    if row.route == NO_ROUTE:
        return TcmFound(steps=(_step(row, f"中医诊断 {row.code} 不另作处理，{_AS_WESTERN}"),))
    wanted = policy.routing.tcm_route
    if wanted in ROUTES and row.route != wanted:
        text = f"W_TCM_ROUTE 对照第{row.row}行的路径 {row.route} 不是政策的 {wanted}，{_AS_WESTERN}"
        return TcmFound(warnings=(text,))
    principal = case.principal.code if case.principal is not None else ""
    if not _falls_under(principal, row.western_dx_key):
        text = (
            f"W_TCM_WESTERN 西医主要诊断 {principal} 不在对照的 {row.western_dx_key} 之下，"
            f"中医路径没有作用，{_AS_WESTERN}"
        )
        return TcmFound(warnings=(text,))
    route = TcmRoute(row.route, row.code_system, row.code, row.factor, row.row)
    if row.route == UPLIFT:
        factor = "" if row.factor is None else f"{row.factor:f}"
        return TcmFound(route, steps=(_step(row, f"{_AS_WESTERN}，分值加成系数 {factor}"),))
    group = library.groups.get(row.group_code) if row.route == OWN_GROUP else _western(row, library)
    if group is None or group.row.score is None:
        named = row.group_code if row.route == OWN_GROUP else f"{row.western_dx_key} {row.op_key}"
        lacks = "没有病种" if group is None else "没有写分值的病种"
        text = f"W_TCM_GROUP 目录 {library.label} {lacks} {named.strip()}（对照第{row.row}行）"
        return TcmFound(warnings=(f"{text}，{_AS_WESTERN}",))
    said = (
        f"归入中医（民族医）病种 {group.code}"
        if row.route == OWN_GROUP
        else f"与西医手术病种 {group.code} 同病同价"
    )
    return TcmFound(route, group, (_step(row, said),))


def _western(row: TcmRow, library: Library) -> Group | None:
    """The group of the western key with the operation: the one that asks for least."""
    codes = frozenset(code for code in _OPERATION_SIGNS.split(row.op_key) if code)
    rows = [
        group
        for group in library.groups.values()
        if group.dx_key == row.western_dx_key and group.layer in _KEYED and not group.related
    ]
    if codes:
        found = [group for group in rows if any(part <= codes for part in group.main)]
    else:
        found = [group for group in rows if group.conservative]
    return found[0] if found else None


def _falls_under(code: str, key: str) -> bool:
    bare = strip_marks(code)
    return in_range(bare, key) if "-" in key else bare.startswith(strip_marks(key))


def _step(row: TcmRow, text: str) -> Step:
    return Step("tcm", text, f"tcm_map 第{row.row}行", f"{row.code_system} {row.code}")


def _text(group: Group) -> str:
    return "" if group.row.score is None else f"{group.row.score:f}"
