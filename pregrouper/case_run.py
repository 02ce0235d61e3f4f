"""One run of the grouper: a case through the layers of one plan.

The layers of the national 3.0 scheme where the library has them, then core and basic groups of a
city, then comprehensive ones, then the blank group or none (dip-grouping.md 8–11). Where two groups
stay equal the answer is AMBIGUOUS.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from dipgate.core.case import Case
from dipgate.core.codes import category, strip_marks
from dipgate.core.grouping import Alternative, GroupResult, GroupStatus, Layer
from dipgate.core.grouping_words import LAYER_WORDS
from dipgate.core.not_principal import barred_sentence
from dipgate.core.policy import Policy
from dipgate.pregrouper.auxiliary import NO_LABELS, Labelled, auxiliary_labels, looks_at_others
from dipgate.pregrouper.comprehensive import Leftover, comprehensive_rows
from dipgate.pregrouper.kin import NOT_REACHED
from dipgate.pregrouper.layers import SEARCHES, WHY_MANY, Asked
from dipgate.pregrouper.library import CONSERVATIVE, TREATMENTS, Group, Library
from dipgate.pregrouper.matching import candidate, core_candidates, is_principal_key
from dipgate.pregrouper.notes import Notes, alternative
from dipgate.pregrouper.operations import (
    NO_CATALOGUE,
    NO_OPERATIONS,
    Operations,
    operations_for,
)
from dipgate.pregrouper.plan import (
    Plan,
)
from dipgate.pregrouper.routing import route_of
from dipgate.pregrouper.selectors import SELECTOR_WORDS, USES_FEE, Candidate, Question
from dipgate.pregrouper.tcm import NOTHING as NO_TCM
from dipgate.pregrouper.tcm import tcm_of, with_route
from dipgate.pregrouper.unmet import bounded, unmet_rows

INPUT = "主要诊断 {} {}"
_NO_EDITION = "W_MISSING_INPUT {}，不能确定用哪一版手术操作目录，不能判断治疗方式"
_OTHER_DX = "主要诊断不纳入分组，请另选主要诊断"


def _listed(codes: tuple[str, ...]) -> str:
    return f"（{'、'.join(bounded(codes))}）" if codes else ""


@dataclass(slots=True)
class CaseRun:
    """The state of one run; lives no longer than the call."""

    case: Case
    plan: Plan
    library: Library
    policy: Policy
    notes: Notes
    dx_code: str = ""
    others: tuple[str, ...] = ()
    ops: Operations = NO_OPERATIONS
    keys: tuple[str, ...] = ()
    place: int = NOT_REACHED
    """Where the operations' warnings stand among all."""

    def run(self) -> GroupResult:
        stopped = self._input() or self._route() or self._normalise() or self._exclude()
        if stopped is not None:
            return stopped
        self._operations()
        keys = self.keys = self.plan.dx_keys(self.dx_code)
        tcm = tcm_of(self.case, self.library, self.policy) if self.case.tcm else NO_TCM
        self.notes.warnings += tcm.warnings
        if self.notes.tracing:
            self.notes.steps += tcm.steps
        if tcm.own_group is not None:
            return with_route(tcm, self._one(candidate(tcm.own_group, self.ops, ())))
        return with_route(tcm, self._western(keys))

    def _western(self, keys: tuple[str, ...]) -> GroupResult:
        if self.plan.national:
            found = self._national(keys)
            if found is not None:
                return found
        return self._local(keys)

    def _day(self) -> date | None:
        if self.policy.policy.date_basis == "discharge":
            return self.case.discharged.date() if self.case.discharged else None
        return self.case.settled

    def _input(self) -> GroupResult | None:
        case, notes = self.case, self.notes
        if self.plan.unsaid:
            notes.warn(self.plan.unsaid)
        principal = case.principal
        if principal is None:
            notes.warn("W_MISSING_INPUT 没有主要诊断")
            return self._end(GroupStatus.INVALID_INPUT, "没有主要诊断，不能入组")
        self.dx_code = principal.code
        if self.plan.national or self.plan.mapping:
            self.others = tuple([item.code for item in case.others])
        if case.left_before_it_came:
            notes.warn("W_DATES 出院时间早于入院时间")
            return self._end(GroupStatus.INVALID_INPUT, "出院时间早于入院时间，请核对后再入组")
        day = self._day()
        if day is not None and not self.policy.holds_on(day):
            notes.warn(f"W_PERIOD 政策 {self.policy.policy.id} 不适用于 {day:%Y-%m-%d}")
        if notes.tracing:
            text = INPUT.format(principal.code, principal.name)
            notes.step("input", text, value=principal.code)
        return None

    def _route(self) -> GroupResult | None:
        route, warnings = route_of(self.case, self.policy)
        self.notes.warnings += warnings
        if route:
            self.notes.step("route", "不按病种分值付费", ref=route)
            return self._end(GroupStatus.ROUTED_OUT, "不按病种分值付费")
        return None

    def _normalise(self) -> GroupResult | None:
        """Codes of the case in the library's edition; a principal that has none stops here."""
        plan, notes = self.plan, self.notes
        if not plan.mapping:
            return None
        use_raw = self.policy.grouping.unmapped_codes == "use"
        missing = plan.no_dx_map or (plan.no_op_map if self.case.procedures else "")
        if missing:
            tail = "按原编码入组" if use_raw else "不用原编码入组"
            notes.warn(f"W_NOT_CONFIGURED {missing}，{tail}")
        if missing and not use_raw:
            notes.step("normalise", missing, "grouping.maps", self.dx_code)
            return self._end(GroupStatus.INVALID_INPUT, f"{missing}，不能入组")
        table = plan.tables.dx_map
        if table is None:
            return None
        targets = table.get(self.dx_code, ())
        if len(targets) != 1:
            what = f"对应 {len(targets)} 个编码" if targets else "没有对应的编码"
            notes.warn(f"W_UNMAPPED 主要诊断 {self.dx_code} 在版本映射表中{what}")
            notes.step(
                "normalise", f"主要诊断{what}，不用原码入组", "grouping.maps.dx", self.dx_code
            )
            return self._end(
                GroupStatus.INVALID_INPUT, "主要诊断不能映射到目录的编码版本，请核对编码版本"
            )
        if targets[0] != self.dx_code:
            notes.step(
                "normalise",
                f"主要诊断 {self.dx_code} → {targets[0]}（按编码版本映射）",
                "grouping.maps.dx",
                targets[0],
            )
        self.dx_code = targets[0]
        mapped = [table.get(code, ()) for code in self.others]
        lost = [code for code, held in zip(self.others, mapped, strict=True) if len(held) != 1]
        if lost:
            notes.warn(f"W_UNMAPPED 其他诊断 {'、'.join(lost)} 不能映射，不参与入组")
        self.others = tuple(held[0] for held in mapped if len(held) == 1)
        return None

    def _exclude(self) -> GroupResult | None:
        plan, notes = self.plan, self.notes
        if plan.use_excluded:
            if plan.excluded is None:
                notes.warn(f"W_MISSING_INPUT {self._why_no_list()}")
            else:
                reason = plan.excluded.get(self.dx_code)
                if reason is not None:
                    where = "grouping.exclusions.dx_list"
                    notes.warn(f"W_EXCLUDED_DX {_OTHER_DX}")
                    notes.step("exclude", barred_sentence(reason), where, self.dx_code)
                    return self._end(GroupStatus.EXCLUDED_DX, _OTHER_DX)
        known = plan.tables.known_dx
        if (
            known is not None
            and self.dx_code not in known
            and strip_marks(self.dx_code) not in known
        ):
            notes.warn(f"W_UNMAPPED 主要诊断 {self.dx_code} 不在目录中")
            if self.policy.grouping.unmapped_codes != "use":
                notes.step(
                    "normalise", "目录外的诊断不参与入组", "grouping.unmapped_codes", self.dx_code
                )
                return self._end(GroupStatus.INVALID_INPUT, "主要诊断不在目录中，请核对编码版本")
        return None

    def _why_no_list(self) -> str:
        what = "不纳入分组的主要诊断目录（not-principal）"
        if self.case.settled is not None or self.case.discharged is not None:
            return f"没有{what}，或没有在结算日有效的版本"
        broken = "setlinfo.setl_end_date" in self.case.problems
        date_is = "结算日期读不出来" if broken else "没有结算日期"
        return f"{date_is}，不能确定用哪一版{what}"

    def _which_day(self) -> str:
        """Why there is no day at all."""
        names = (("setl_end_date", "结算日期"), ("dscg_time", "出院日期"))
        broken = [word for name, word in names if f"setlinfo.{name}" in self.case.problems]
        return f"{'和'.join(broken)}读不出来" if broken else "没有结算日期和出院日期"

    def _operations(self) -> None:
        notes = self.notes
        self.ops = operations_for(self.case, self.plan.rules, self.dx_code)
        self.place = len(notes.warnings)
        no_day = self.case.settled is None and self.case.discharged is None
        notes.warnings += [
            _NO_EDITION.format(self._which_day()) if no_day and text == NO_CATALOGUE else text
            for text in self.ops.warnings
        ]
        if not notes.tracing:
            return
        for text in self.ops.restored:
            mapped = text.endswith("）")
            what = "手术编码" if mapped else "补回手术编码丢失的零："
            notes.step("normalise", f"{what}{text}", "grouping.normalise", text)
        for text in self.ops.set_aside:
            notes.step("exclude_op", text, "grouping.exclusions.op_list")
        words = "、".join(TREATMENTS[letter] for letter in "STDN" if letter in self.ops.classes)
        notes.step(
            "operations",
            f"参与入组的手术操作 {len(self.ops.codes)} 项"
            f"{_listed(self.ops.codes)}，治疗方式：{words}",
            "grouping.op_type",
            "+".join(self.ops.codes),
        )

    def _asked(self, keys: tuple[str, ...]) -> Asked:
        rules = self.policy.grouping
        return Asked(
            case=self.case,
            dx=self.dx_code,
            others=self.others,
            keys=keys,
            ops=self.ops,
            library=self.library,
            rules=self.plan.rules,
            any_position=self.plan.any_position,
            position_from_text=self.plan.position_from_text,
            aux_any_position=bool(rules.aux_any_position),
            bx_tie=rules.bx_tie or "",
        )

    def _national(self, keys: tuple[str, ...]) -> GroupResult | None:
        """The first layer of the national scheme that has a row; None when none has."""
        ask = self._asked(keys)
        for place, layer in enumerate(self.plan.national):
            found = list(SEARCHES[layer](ask, self.notes))
            if not found:
                continue
            if layer is Layer.BASE:
                found = self._select(found)
            if self.notes.tracing:
                self._later(layer, self.plan.national[place + 1 :], ask)
            if len(found) > 1:
                return self._many(found, WHY_MANY[layer])
            return self._one(found[0])
        return None

    def _later(self, first: Layer, layers: tuple[Layer, ...], ask: Asked) -> None:
        """What later layers would have given: shown, and counted as having lost."""
        why = f"{LAYER_WORDS[first]}在前，先命中"
        scratch = Notes(tracing=False)
        for layer in layers:
            hits = [item.group for item in SEARCHES[layer](ask, scratch)]
            self._outrun(layer, hits, why)
        if self.plan.comprehensive and len(self.ops.classes) == 1:
            rows = self._comprehensive(next(iter(self.ops.classes)), scratch).rows
            self._outrun(Layer.COMPREHENSIVE, list(rows), why)

    def _outrun(self, layer: Layer, hits: list[Group], why: str) -> None:
        if not hits:
            return
        codes = tuple(item.code for item in hits)
        self.notes.step(
            "later",
            f"{LAYER_WORDS[layer]}也有 {'、'.join(codes)}；{why}，不再使用",
            "grouping.layers",
            layer.value,
            codes,
        )
        for item in hits:
            self.notes.lose(item, why)

    def _local(self, keys: tuple[str, ...]) -> GroupResult:
        found = self._core(keys) if self.plan.local or not self.plan.national else []
        if self.plan.comprehensive:
            if len(self.ops.classes) > 1:
                rows = self._uncertain()
                if not found and rows:
                    return self._many(rows, "治疗方式不能确定")
            else:
                left = self._comprehensive(next(iter(self.ops.classes)), self.notes)
                if self.notes.tracing and (left.rows or not found):
                    self.notes.step(
                        "comprehensive",
                        f"综合病种满足 {len(left.rows)} 个{left.how}",
                        "grouping.comprehensive",
                        "、".join(item.code for item in left.rows),
                    )
                rows = [candidate(item, self.ops, ()) for item in left.rows]
                if left.level_unknown and not found:
                    return self._many(rows, "手术级别不能确定")
                if not left.level_unknown:
                    found = [*found, *rows]
        if not found:
            return self._floor()
        kept = self._select(found)
        if len(kept) > 1:
            return self._many(kept, "政策的选择规则用完后仍不分先后")
        return self._one(kept[0])

    def _core(self, keys: tuple[str, ...]) -> list[Candidate]:
        """Candidates of the first diagnosis key that has any."""
        layers = self.policy.grouping.layers or ()
        for key in keys:
            bucket = self.library.buckets.get(key)
            if bucket is None:
                continue
            found = core_candidates(bucket, self.ops, self.library, self.plan.rules)
            found = [item for item in found if item.group.layer in layers]
            if self.notes.tracing:
                self.notes.step(
                    "core",
                    f"按诊断编码 {key} 查到 {len(bucket.groups)} 个病种，"
                    f"条件都满足的 {len(found)} 个",
                    f"{self.library.label} {key}",
                    "、".join(item.group.code for item in found),
                    unmet_rows(bucket, found, self.ops, self.library, layers),
                )
            if found:
                return found
        self.notes.step("core", f"诊断 {self.dx_code} 没有满足条件的核心病种", self.library.label)
        return []

    def _comprehensive(self, letter: str, notes: Notes) -> Leftover:
        return comprehensive_rows(self.plan, self.dx_code, letter, self.ops, notes)

    def _uncertain(self) -> list[Candidate]:
        scratch = Notes(tracing=False)
        return [
            candidate(item, self.ops, ())
            for letter in "STDN"
            if letter in self.ops.classes
            for item in self._comprehensive(letter, scratch).rows
        ]

    def _select(self, found: list[Candidate]) -> list[Candidate]:
        if len(found) == 1:
            return found
        rules = self.policy.grouping
        question = Question(
            principal_op=self.ops.principal,
            fee=self.case.fee,
            surgical_ops=self.ops.surgical if self.plan.by_letters else frozenset(),
            layers=rules.layers or (),
            rank=rules.rank or (),
        )
        for name, selector in self.plan.selectors:
            if len(found) == 1:
                break
            kept = list(selector(found, question))
            if name in USES_FEE:
                self.notes.warn(f"W_USES_FEE 选择规则“{SELECTOR_WORDS[name]}”使用了病例费用")
            if not kept or len(kept) == len(found):
                text = f"{SELECTOR_WORDS[name]}：没有分出先后"
                self.notes.step("select", text, "grouping.select", name)
                continue
            lost = [item for item in found if item not in kept]
            if name == "table_order":
                self.notes.warn("W_TABLE_ORDER 多个病种条件相同，按目录顺序取第一个")
            self._drop(lost, SELECTOR_WORDS[name], name)
            found = kept
        return found

    def _drop(self, lost: list[Candidate], why: str, name: str) -> None:
        for item in lost:
            self.notes.lose(item.group, why)
        if self.notes.tracing:
            codes = tuple(item.group.code for item in lost)
            text = f"{why}：去掉 {len(lost)} 个"
            self.notes.step("select", text, "grouping.select", name, codes)

    def _floor(self) -> GroupResult:
        spec, notes = self.policy.grouping, self.notes
        if self.library.partial:
            notes.warn(f"W_PARTIAL_LIBRARY 目录 {self.library.label} 不完整")
        floor = spec.comprehensive.floor
        if floor == "chapter_first":
            rows = self.library.by_chapter.get(self.dx_code[:1], ())
            if rows:
                notes.warn("W_FLOOR 没有对应病种，按政策归入本章第一个综合病种")
                notes.step("floor", "归入本章第一个综合病种", "grouping.comprehensive.floor", floor)
                return self._one(candidate(rows[0], self.ops, ()))
        if floor == "blank" or spec.blank_code or "blank" in (spec.layers or ()):
            return self._blank(spec.blank_code)
        notes.step("floor", "没有空白病组", "grouping.comprehensive.floor", floor or "")
        return self._end(GroupStatus.UNGROUPED, "没有对应的病种")

    def _blank(self, code: str | None) -> GroupResult:
        notes = self.notes
        if code is None:
            notes.warn("W_NOT_CONFIGURED 政策没有写空白病组的编码（grouping.blank_code）")
        row = self.library.blank
        notes.step("blank", "归入空白病组", "grouping.blank_code", code or "")
        if row is None:
            notes.warn(f"W_BLANK_ROW 目录 {self.library.label} 没有空白病组 {code or ''}")
            return self._end(GroupStatus.BLANK, "归入空白病组", code or "")
        return self._end(GroupStatus.BLANK, "归入空白病组", row.code, row)

    def _labels(self, chosen: Group) -> Labelled:
        if not self.plan.labelled:
            return NO_LABELS
        found = auxiliary_labels(self.case, self.ops, chosen, self.library, self.policy)
        known = self.plan.tables.known_dx
        if known is not None and looks_at_others(chosen, self.policy.auxiliary):
            unknown = [
                item.code
                for item in self.case.others
                if item.code not in known and strip_marks(item.code) not in known
            ]
            if unknown:
                what = f"其他诊断 {'、'.join(unknown)} 不在目录中"
                self.notes.warn(f"W_UNMAPPED {what}，辅助分型可能认不出")
        self.notes.warnings += found.warnings
        if self.notes.tracing:
            self.notes.steps += found.steps
        return found

    def _one(self, item: Candidate) -> GroupResult:
        chosen, notes = item.group, self.notes
        # A row that asks for an operation is not conservative because no table knows its class.
        unknown = bool(item.keys) and item.letter in ("", CONSERVATIVE)
        if notes.tracing:
            if item.unmatched and chosen.layer is not Layer.COMPREHENSIVE:
                unused = _listed(item.unmatched)
                notes.step("operations", f"入组的病种没有用到的手术操作{unused}", chosen.code)
            notes.step(
                "result",
                f"入组 {chosen.code} {chosen.row.group_name or chosen.row.dx_name}",
                chosen.code,
                f"第{chosen.row.row}行",
            )
            self._say_printed_code(chosen)
        labelled = self._labels(chosen)
        row = (labelled.sub_row or chosen).row
        return GroupResult(
            status=GroupStatus.GROUPED_COMPREHENSIVE
            if chosen.layer is Layer.COMPREHENSIVE
            else GroupStatus.GROUPED,
            layer=chosen.layer,
            group_code=row.group_code,
            group_name=(labelled.sub_row or chosen).name,
            dx_key=chosen.dx_key,
            treatment="" if unknown else TREATMENTS[item.letter or CONSERVATIVE],
            is_basic=chosen.basic or self._is_primary_care(item),
            base_score=row.score,
            average_fee=row.average_fee,
            average_stay=row.average_stay,
            matched=item.matched,
            unmatched=item.unmatched,
            alternatives=tuple(notes.losers),
            warnings=tuple(notes.warnings),
            trace=tuple(notes.steps),
            policy=self.policy.label,
            library=self.library.label,
            group_type=chosen.row.kind,
            key_main=tuple([key for key in item.keys if is_principal_key(key, chosen)]),
            key_related=tuple([key for key in item.keys if not is_principal_key(key, chosen)])
            if chosen.related
            else (),
            split=chosen.condition.label or row.sub_label,
            group_factor=row.group_factor,
            labels=labelled.labels,
            level_fees=self._level_fees(row.group_code, chosen.code),
        )

    def _say_printed_code(self, chosen: Group) -> None:
        """Some areas print a range group under the category of the case."""
        if not self.policy.grouping.comprehensive.rename_range_code_to_case_cat3:
            return
        if chosen.layer is Layer.COMPREHENSIVE and "-" in chosen.dx_key:
            printed = chosen.code.replace(chosen.dx_key, category(self.dx_code))
            self.notes.step(
                "printed_code",
                f"统筹区按病例的类目印作 {printed}",
                "grouping.comprehensive.rename_range_code_to_case_cat3",
                printed,
            )

    def _is_primary_care(self, item: Candidate) -> bool:
        """Is it on the national list of basic groups? That names base-rule groups by their key."""
        listed = self.library.primary_care
        if not listed or item.related or item.group.layer not in (Layer.MERGE, Layer.BASE):
            return False
        held = frozenset(self.ops.codes)
        for key in self.keys:
            for part, row in listed.get(key, ()):
                if self.ops.principal in part and part <= held if part else not item.keys:
                    self.notes.step(
                        "basic", f"在国家基层病种名单第{row}行（{key}）", "primary-care", str(row)
                    )
                    return True
        return False

    def _level_fees(self, *codes: str) -> tuple[tuple[str, Decimal], ...]:
        """Average fees of the first code that has any: of the year before, else of no year."""
        held = self.library.level_fees
        if not held:
            return ()
        day = self._day()
        year = None if day is None else day.year - 1
        for code in codes:
            rows = held.get(code, ())
            found = {item.level: item.fee for item in rows if item.year is None}
            found |= {
                item.level: item.fee for item in rows if item.year == year and year is not None
            }
            if found:
                return tuple(found.items())
        return ()

    def _many(self, found: list[Candidate], why: str) -> GroupResult:
        first: list[Alternative] = [alternative(item.group, why) for item in found]
        self.notes.losers[:0] = first
        codes = "、".join(item.group.code for item in found)
        self.notes.step("ambiguous", f"{why}：{codes}", "grouping.select")
        return self._end(GroupStatus.AMBIGUOUS, "有多个可能的病种，需要人工选择")

    def _end(
        self, status: GroupStatus, text: str, code: str = "", row: Group | None = None
    ) -> GroupResult:
        """A result without a chosen group, or with the blank one."""
        notes = self.notes
        notes.step("result", text, value=status.value)
        return GroupResult(
            status=status,
            layer=Layer.BLANK if status is GroupStatus.BLANK else Layer.NONE,
            group_code=code,
            group_name="空白病组" if status is GroupStatus.BLANK else "",
            base_score=row.row.score if row else None,
            average_fee=row.row.average_fee if row else None,
            average_stay=row.row.average_stay if row else None,
            unmatched=self.ops.codes,
            alternatives=tuple(notes.losers),
            warnings=tuple(notes.warnings),
            trace=tuple(notes.steps),
            policy=self.policy.label,
            library=self.library.label,
            group_type=row.row.kind if row else "",
        )
