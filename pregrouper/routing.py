"""Stays that DIP does not group: routes that a policy names (`routing`).

`included` and `excluded` name kinds of stay. A kind that cannot be read off the settlement list
is said to need a person; nothing is excluded on a guess.
"""

from __future__ import annotations

from collections.abc import Callable

from dipgate.core.case import Case
from dipgate.core.policy import Policy
from dipgate.pregrouper.registry import Registry

BY_ITEM, SINGLE_DISEASE, DIP, DRG, BED_DAY, DAY_SURGERY = "1", "2", "3", "4", "5", "2"
INPATIENT = "1"
Route = Callable[[Case], bool | None]
ROUTES: Registry[Route] = Registry("排除情形")
"""name → predicate; None when the list does not hold what the predicate needs."""


@ROUTES.add("bed_day")
@ROUTES.add("bed_day_psychiatric")
@ROUTES.add("bed_day_rehab")
@ROUTES.add("bed_day_hospice")
def paid_by_bed_day(case: Case) -> bool | None:
    """Payment method 5 (按床日)."""
    return case.payment_method == BED_DAY if case.payment_method else None


@ROUTES.add("by_item")
def paid_by_item(case: Case) -> bool | None:
    """Payment method 1 (按项目)."""
    return case.payment_method == BY_ITEM if case.payment_method else None


@ROUTES.add("single_disease")
def paid_as_single_disease(case: Case) -> bool | None:
    """Payment method 2 (单病种)."""
    return case.payment_method == SINGLE_DISEASE if case.payment_method else None


@ROUTES.add("drg")
def paid_by_drg(case: Case) -> bool | None:
    """Payment method 4 (按疾病诊断相关分组)."""
    return case.payment_method == DRG if case.payment_method else None


@ROUTES.add("day_surgery")
@ROUTES.add("day_ward")
def is_day_surgery(case: Case) -> bool | None:
    return case.stay_type == DAY_SURGERY if case.stay_type else None


@ROUTES.add("self_pay")
def is_self_paid(case: Case) -> bool | None:
    """Nothing of the bill is billed to the fund, and the patient bears all of it."""
    if case.fee is None or case.fund is None or case.self_paid is None:
        return None
    return case.fee > 0 and case.fund == 0 and case.self_paid >= case.fee


@ROUTES.add("tcm")
def has_tcm_diagnosis(case: Case) -> bool | None:
    return bool(case.tcm)


_STAYS = {INPATIENT: ("inpatient",), DAY_SURGERY: ("day_surgery", "day_ward")}
"""Type of stay → the words of `routing.included` that cover it."""


def route_of(case: Case, policy: Policy) -> tuple[str, tuple[str, ...]]:
    """The first route that takes the case out of DIP (empty text: none), and warnings."""
    rules = policy.routing
    warnings: list[str] = []
    for name in rules.excluded or ():
        predicate = ROUTES.get(name)
        found = None if predicate is None else predicate(case)
        if found:
            return f"routing.excluded: {name}", tuple(warnings)
        if predicate is None or (found is None and name == "self_pay"):
            warnings.append(f"W_ROUTE 排除情形 {name} 需要人工判断（routing.excluded）")
    if rules.included:
        words = _STAYS.get(case.stay_type, ())
        if words and not any(word in rules.included for word in words):
            return f"routing.included: 没有 {words[0]}", tuple(warnings)
    if case.stay_type == DAY_SURGERY:
        if rules.day_surgery == "excluded":
            return "routing.day_surgery: excluded", tuple(warnings)
        if rules.day_surgery == "own_score":
            warnings.append(
                "W_DAY_SURGERY 日间手术有单独的分值，目录里的分值不适用"
                "（routing.day_surgery: own_score）"
            )
        if rules.day_surgery is None:
            warnings.append("W_ROUTE 政策没有写日间手术如何入组（routing.day_surgery），按住院入组")
    if case.payment_method not in ("", DIP):
        warnings.append(
            f"W_PAYMENT_METHOD 清单的医保支付方式是 {case.payment_method}，不是 3（DIP）"
        )
    return "", tuple(warnings)
