"""The layers of the national 3.0 scheme: which rows of each a case meets (dip-grouping.md 8).

Each layer answers with the rows that are equally right: none (the next layer is asked), one, or
several, which the caller does not choose between unless the policy says how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from msgspec import structs

from dipgate.core.case import Case
from dipgate.core.codes import category
from dipgate.core.grouping import Layer
from dipgate.core.grouping_words import LAYER_WORDS
from dipgate.core.money import yuan_decimal
from dipgate.pregrouper.library import Bucket, Group, Library
from dipgate.pregrouper.matching import any_part, candidate, principal_part, related_codes
from dipgate.pregrouper.national_conditions import NO_CONDITION, RESISTANT_DX, Condition
from dipgate.pregrouper.notes import Notes
from dipgate.pregrouper.operations import Operations, OpRules
from dipgate.pregrouper.selectors import Candidate
from dipgate.pregrouper.unmet import reasons, unmet_rows

PRE_ID = "XQ-{}"
"""How the scheme numbers its pre-groups: a policy names them by number."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One case put to the layers. `keys` are its diagnosis keys, most specific first."""

    case: Case
    dx: str
    others: tuple[str, ...]
    keys: tuple[str, ...]
    ops: Operations
    library: Library
    rules: OpRules
    any_position: frozenset[str] | None
    """Codes of the pre-groups without a principal operation; None: every one (`all`)."""
    position_from_text: bool
    """The policy does not say: the rows' own words decide."""
    aux_any_position: bool
    bx_tie: str

    def buckets(self, layer: Layer) -> Iterator[tuple[str, Bucket]]:
        table: Mapping[str, Bucket] = self.library.national.layers.get(layer, {})
        for key in self.keys:
            bucket = table.get(key)
            if bucket is not None:
                yield key, bucket


Search = Callable[[Asked, Notes], Sequence[Candidate]]


def pre_groups(ask: Asked, notes: Notes) -> Sequence[Candidate]:
    """先期分组: the first row in the order of the table."""
    national = ask.library.national
    touched = not national.pre_ops.isdisjoint(ask.ops.every)
    newborn = any(category(code) in national.pre_dx for code in (ask.dx, *ask.others))
    if not touched and not newborn:
        return ()
    if newborn:
        _say_what_a_newborn_lacks(ask, notes)
    found = [
        held for item in national.pre if (held := _pre(item, ask, _anywhere(item, ask), notes))
    ]
    if touched:
        _say_where_position_decides(found[0].group if found else None, ask, notes)
    for lost in found[1:]:
        notes.lose(lost.group, f"先期分组按序号，{found[0].group.code} 在前")
    _tell(notes, Layer.PRE, "先期分组", found, ask)
    return found[:1]


def _say_where_position_decides(first: Group | None, ask: Asked, notes: Notes) -> None:
    """The two readings of 主要手术 (as the rows say, or never) may give two groups."""
    everywhere = ask.any_position is None and not ask.position_from_text
    other = next(
        (
            item
            for item in ask.library.national.pre
            if _pre(item, ask, item.condition.any_op if everywhere else True, notes)
        ),
        None,
    )
    if other is first:
        return
    ours, theirs = (
        "不进先期分组" if item is None else f"入 {item.code}" for item in (first, other)
    )
    reading = "只按方案写明的几行不限定主要手术" if everywhere else "都不限定为主要手术"
    notes.warn(
        f"W_PRE_POSITION 按现在的设置{ours}，先期分组的手术若{reading}则{theirs}"
        "（grouping.pre_any_position）"
    )


def _anywhere(item: Group, ask: Asked) -> bool:
    if ask.position_from_text:
        return item.condition.any_op
    return ask.any_position is None or item.code in ask.any_position


def _pre(item: Group, ask: Asked, anywhere: bool, notes: Notes) -> Candidate | None:
    condition = item.condition
    if item.dx is not None:
        codes = (ask.dx, *ask.others) if condition.any_dx else (ask.dx,)
        if not item.dx.any_of(codes):
            return None
    if not _fits(item, ask, notes):
        return None
    ops = ask.ops
    if ops.every != ops.codes:
        ops = structs.replace(ops, codes=ops.every, letters=tuple(map(_letter(ask), ops.every)))
    keys: tuple[str, ...] = ()
    if item.main:
        keys = any_part(item, ops.every) if anywhere else principal_part(item, ask.ops)
        if not keys:
            return None
    if item.related:
        related, _ = related_codes(item, ops)
        if not related:
            return None
        keys = (*keys, *related)
    held = candidate(item, ops, keys, rules=ask.rules)
    if not keys and len(ask.ops.classes) == 1:
        return structs.replace(held, letter=next(iter(ask.ops.classes)))
    return held


def _letter(ask: Asked) -> Callable[[str], str]:
    return ask.rules.attributes.letter


def _say_what_a_newborn_lacks(ask: Asked, notes: Notes) -> None:
    rows = [
        item
        for item in ask.library.national.pre
        if item.condition.weight is not None
        and item.dx is not None
        and item.dx.any_of((ask.dx, *ask.others) if item.condition.any_dx else (ask.dx,))
    ]
    if not rows:
        return
    age, limit = ask.case.age_days, rows[0].condition.max_age_days
    which = f"{rows[0].code} 至 {rows[-1].code}"
    if limit is not None and (age is None or age < 0):
        notes.warn(f"W_MISSING_INPUT 没有可用的出生日期，不能判断低出生体重病种（{which}）")
    elif ask.case.birth_weight_g is None and (limit is None or age is None or age <= limit):
        notes.warn(f"W_MISSING_INPUT 没有新生儿出生体重，不能判断低出生体重病种（{which}）")


def merge_rows(ask: Asked, notes: Notes) -> Sequence[Candidate]:
    """并项规则: most related operations; else the row without related ones; else no match."""
    for key, bucket in ask.buckets(Layer.MERGE):
        rows = bucket.by_op.get(ask.ops.principal, ()) if ask.ops.principal else ()
        if not rows and ask.ops.conservative:
            rows = bucket.conservative
        related: list[Candidate] = []
        plain: list[Candidate] = []
        unmet: list[Group] = []
        for item in rows:
            if not _fits(item, ask, notes):
                continue
            main = principal_part(item, ask.ops)
            if item.main and not main:
                unmet.append(item)
                continue
            if not item.related:
                plain.append(candidate(item, ask.ops, main, rules=ask.rules))
                continue
            held, fullest = related_codes(item, ask.ops)
            if held:
                related.append(
                    candidate(item, ask.ops, (*main, *held), rules=ask.rules, related=fullest)
                )
            else:
                unmet.append(item)
        kept = _most_related(related, plain, notes)
        _tell(notes, Layer.MERGE, key, kept, ask, unmet)
        if kept:
            return _untie(kept, ask, notes)
    return ()


def _most_related(
    related: list[Candidate], plain: list[Candidate], notes: Notes
) -> list[Candidate]:
    """Most related operations by the fullest alternative; then most of the row's codes at all."""
    if not related:
        return plain
    best = max((item.related, item.required) for item in related)
    for item in (*related, *plain):
        if (item.related, item.required) < best or not item.related:
            notes.lose(
                item.group, f"并项规则：对上相关手术 {item.related} 项，不如 {best[0]} 项的那一行"
            )
    return [item for item in related if (item.related, item.required) == best]


def _untie(found: list[Candidate], ask: Asked, notes: Notes) -> Sequence[Candidate]:
    """Equal merge rows: the policy says how (`bx_tie`), else all are returned."""
    if len(found) == 1 or ask.bx_tie in ("", "ambiguous"):
        return found
    how = _TIE_WORDS[ask.bx_tie]
    chosen = _TIES[ask.bx_tie](found, ask)
    if chosen is None:
        notes.warn(f"W_MISSING_INPUT 并项规则有多行相同，没有{how}要的数值（grouping.bx_tie）")
        return found
    if ask.bx_tie == "closest_fee":
        notes.warn("W_USES_FEE 并项规则取平均费用最接近的，使用了病例费用（grouping.bx_tie）")
    notes.warn(
        f"W_BX_TIE 并项规则有 {len(found)} 行条件相同，按政策{how}：{chosen.group.code}"
        "（grouping.bx_tie）"
    )
    for item in found:
        if item is not chosen:
            notes.lose(item.group, f"并项规则条件相同，政策{how}")
    notes.step(
        "merge",
        f"条件相同的 {len(found)} 行中取 {chosen.group.code}",
        "grouping.bx_tie",
        ask.bx_tie,
    )
    return [chosen]


def _first(found: list[Candidate], ask: Asked) -> Candidate | None:  # noqa: ARG001
    return min(found, key=lambda item: item.group.order)


def _highest(found: list[Candidate], ask: Asked) -> Candidate | None:  # noqa: ARG001
    scores = [item.group.row.score for item in found]
    if None in scores:
        return None
    best = max(score for score in scores if score is not None)
    return found[scores.index(best)] if scores.count(best) == 1 else None


def _closest(found: list[Candidate], ask: Asked) -> Candidate | None:
    if ask.case.fee is None or any(item.group.row.average_fee is None for item in found):
        return None
    fee = yuan_decimal(ask.case.fee)
    return min(found, key=lambda item: abs(fee - (item.group.row.average_fee or Decimal(0))))


_TIE_WORDS: Mapping[str, str] = MappingProxyType(
    {"first": "取表中第一行", "max_score": "取分值最高的", "closest_fee": "取平均费用最接近的"}
)
_TIES: Mapping[str, Callable[[list[Candidate], Asked], Candidate | None]] = MappingProxyType(
    {"first": _first, "max_score": _highest, "closest_fee": _closest}
)


def split_rows(ask: Asked, notes: Notes) -> Sequence[Candidate]:
    """诊断辅助细分 (burns, tumours, tuberculosis): the row with the most required codes."""
    found: list[Candidate] = []
    seen: set[str] = set()
    for _, bucket in ask.buckets(Layer.AUX_SPLIT):
        for item in bucket.groups:
            if item.code not in seen and _fits(item, ask, notes):
                seen.add(item.code)
                held = _split(item, ask, notes)
                if held is not None:
                    found.append(held)
    if not seen:
        return ()
    best = max((item.required for item in found), default=0)
    kept = [item for item in found if item.required == best]
    for lost in found:
        if lost.required < best:
            notes.lose(lost.group, f"诊断辅助细分：对上 {lost.required} 项，少于 {best} 项的那一行")
    _tell(notes, Layer.AUX_SPLIT, ask.dx, kept, ask)
    return kept


def _fits(item: Group, ask: Asked, notes: Notes) -> bool:
    """Does the case meet what the row asks for beside its codes?"""
    return item.condition is NO_CONDITION or _meets(item.condition, ask, notes)


def _meets(condition: Condition, ask: Asked, notes: Notes) -> bool:
    if condition.max_age_days is not None:
        age = ask.case.age_days
        if age is None or not 0 <= age <= condition.max_age_days:
            return False
    if condition.weight is not None:
        low, high = condition.weight
        grams = ask.case.birth_weight_g
        if grams is None or not low <= grams <= high:
            return False
    if condition.secondary is not None and not condition.secondary.any_of(ask.others):
        return False
    if condition.resistant is None:
        return True
    listed = ask.library.parts.tb_resistant
    resistant = RESISTANT_DX in ask.others
    if not resistant and condition.by_principal:
        if listed is None:
            missing = "W_MISSING_INPUT 目录没有结核耐药诊断表（tb-resistant），只看其他诊断 U84.300"
            if missing not in notes.warnings:
                notes.warn(missing)
        else:
            resistant = ask.dx in listed
    return resistant is condition.resistant


def _split(item: Group, ask: Asked, notes: Notes) -> Candidate | None:
    ops = ask.ops
    if not item.main:
        return candidate(item, ops, ()) if ops.conservative else None
    main = principal_part(item, ops)
    if not main and any_part(item, ops.codes):
        if ask.aux_any_position:
            main = any_part(item, ops.codes)
        else:
            notes.warn(
                f"W_AUX_POSITION {item.code} 要求的手术齐全，但主要手术不在其中"
                "（grouping.aux_any_position）"
            )
    if not main:
        return None
    if not item.related:
        return candidate(item, ops, main, rules=ask.rules)
    related, fullest = related_codes(item, ops)
    if not related:
        return None
    return candidate(item, ops, (*main, *related), rules=ask.rules, related=fullest)


def base_rows(ask: Asked, notes: Notes) -> Sequence[Candidate]:
    """基础规则: diagnosis key and principal operation, related ones ignored."""
    ops = ask.ops
    for key, bucket in ask.buckets(Layer.BASE):
        found: list[Candidate] = []
        for item in bucket.by_op.get(ops.principal, ()) if ops.principal else ():
            main = principal_part(item, ops)
            if main and _fits(item, ask, notes):
                found.append(candidate(item, ops, main, rules=ask.rules))
        if not found and ops.conservative:
            found = [
                candidate(item, ops, ()) for item in bucket.conservative if _fits(item, ask, notes)
            ]
        unmet: tuple[str, ...] = ()
        if notes.tracing:
            unmet = unmet_rows(bucket, found, ops, ask.library, (Layer.BASE,))
        _tell(notes, Layer.BASE, key, found, ask, dropped=unmet)
        if found:
            return found
    return ()


def _tell(
    notes: Notes,
    layer: Layer,
    key: str,
    found: Sequence[Candidate],
    ask: Asked,
    unmet: Sequence[Group] = (),
    dropped: tuple[str, ...] = (),
) -> None:
    """One step: what a layer found under a key, and which rows wanted operations that are not."""
    if not notes.tracing:
        return
    codes = "、".join(item.group.code for item in found)
    tail = f"；另有 {len(unmet)} 行要的手术不齐" if unmet else ""
    notes.step(
        layer.value,
        f"{LAYER_WORDS[layer]}：{key} 满足 {len(found)} 个{f'（{codes}）' if codes else ''}{tail}",
        f"{ask.library.label} {key}",
        codes,
        dropped or reasons(unmet, ask.ops, ask.library, (layer,)),
    )


SEARCHES: Mapping[Layer, Search] = MappingProxyType(
    {
        Layer.PRE: pre_groups,
        Layer.MERGE: merge_rows,
        Layer.AUX_SPLIT: split_rows,
        Layer.BASE: base_rows,
    }
)
WHY_MANY: Mapping[Layer, str] = MappingProxyType(
    {
        Layer.MERGE: "并项规则有多行条件相同，需地方论证",
        Layer.AUX_SPLIT: "诊断辅助细分有多行同样符合",
        Layer.BASE: "政策的选择规则用完后仍不分先后",
    }
)
