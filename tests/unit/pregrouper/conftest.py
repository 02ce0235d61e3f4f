"""Small policies, libraries and cases, built in the test that reads them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from dipgate.core.case import Case, Diagnosis, Procedure
from dipgate.core.clock import CHINA
from dipgate.core.grouping import GroupResult, GroupStatus, Layer
from dipgate.core.library import LibraryData, LibraryRow
from dipgate.core.money import fen_of
from dipgate.core.policy import Policy

GROUPING: dict[str, Any] = {
    "dx_keys": ["sub4"],
    "op_expr": {"grammar": "cnf", "and": "+", "or": "/", "main_related_separator": "_"},
    "op_match": "exact",
    "op_roles": "principal_related",
    "op_type": {
        "interventional_as": "手术",
        "case_type_from": "principal",
        "simple_op": "no_attribute",
    },
    "layers": ["core", "basic", "comprehensive"],
    "comprehensive": {"keys": ["cat3"], "ranges": "false", "floor": "none"},
    "select": ["core_first", "max_related_matched", "max_score", "table_order"],
    "rank": [],
}
SCORING: dict[str, Any] = {
    "institution": {"by": "level", "table": {"3": "1.1"}, "basic_groups": "none"},
    "average_fee": "group_avg",
    "deviation": {
        "low": {"op": "<", "at": "0.5", "form": "ratio", "k": "after"},
        "high": {"op": ">", "at": "2", "upto": "5", "form": "excess", "base": "one", "k": "after"},
        "extreme": {"op": ">", "at": "5", "form": "review"},
    },
    "normal": {"form": "rw_k_a"},
    "ungrouped": {"form": "none"},
    "rounding": {"score_dp": "4", "money_dp": "2", "mode": "half_up"},
}
SETTLEMENT: dict[str, Any] = {
    "pools": ["职工", "居民"],
    "point_value": {"kind": "floating", "basis": "total_fee", "table": {"职工": "10"}},
    "fund_share": "multiplicative",
    "fund_ratio": {"职工": "0.7"},
    "price_keys": ["pool"],
}
CATEGORIES = {
    "51.2300": "手术",
    "54.5101": "手术",
    "47.0100": "手术",
    "36.0700": "介入治疗",
    "99.1500": "治疗性操作",
    "44.1300x001": "诊断性操作",
    "93.9999": "",
}


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    out = dict(base)
    for key, value in over.items():
        below = out.get(key)
        out[key] = (
            _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
        )
    return out


@pytest.fixture
def make_policy() -> Callable[..., Policy]:
    """`make_policy(scoring={...})`: a complete policy with some parts laid over."""

    def make(**over: Any) -> Policy:
        whole = {
            "schema": "dip-policy/1",
            "policy": {
                "id": "test",
                "region": {"code": "990100"},
                "date_basis": "settlement",
            },
            "routing": {"day_surgery": "same_group", "tcm_route": "none"},
            "grouping": GROUPING,
            "auxiliary": {"mode": "none"},
            "scoring": SCORING,
            "settlement": SETTLEMENT,
        }
        return Policy.model_validate(_merged(whole, over))

    return make


@pytest.fixture
def make_library() -> Callable[..., LibraryData]:
    """`make_library(("K80.1", "51.2300_54.5101", "1800"), ("K80", "手术", "900", "综合"))`.

    A row is (dx, operation expression or treatment word, score, kind, code); the mean fee is
    score × 10 yuan. Without a code it is dx:expression.
    """

    def make(*rows: tuple[str, ...], edition: str = "2.0", partial: bool = False) -> LibraryData:
        built = []
        for number, row in enumerate(rows, start=2):
            dx, what, score = row[:3]
            kind = row[3] if len(row) > 3 else "核心"
            word = what if what in CLASSES else ""
            value = Decimal(score) if score else None
            built.append(
                LibraryRow(
                    row=number,
                    group_code=row[4] if len(row) > 4 else (f"{dx}:{what}" if what else dx),
                    kind=kind,
                    dx_code=dx,
                    dx_name=f"诊断{dx}",
                    main_ops="",
                    main_op_names="",
                    other_ops="",
                    other_op_names="",
                    op_expression="" if word else what,
                    treatment_class=word or ("" if what else "保守治疗"),
                    score=value,
                    average_fee=None if value is None else value * 10,
                    average_stay=Decimal(7),
                    cv=None,
                    case_count=30,
                )
            )
        return LibraryData("test", "1", date(2025, 1, 1), edition, partial, "0", tuple(built))

    return make


CLASSES = ("手术", "治疗性操作", "诊断性操作", "保守治疗")


@pytest.fixture
def make_case() -> Callable[..., Case]:
    """`make_case("K80.101", "51.2300", fee="9000")`: the first operation is principal."""

    def make(
        dx: str | None,
        *ops: str,
        fee: str | None = "9000.00",
        fund: str | None = None,
        self_paid: str | None = None,
        insurance: str = "310",
        settled: date | None = date(2025, 3, 15),
        **more: Any,
    ) -> Case:
        moment = datetime(2025, 3, 10, 9, tzinfo=CHINA)
        values: dict[str, Any] = {
            "case_id": "S1",
            "hospital_code": "H99010000001",
            "insured_place": "990100",
            "insurance_type": insurance,
            "sex": "1",
            "born": date(1970, 1, 1),
            "admitted": moment,
            "discharged": moment,
            "settled": settled,
            "discharge_way": "1",
            "stay_type": "1",
            "payment_method": "3",
            "principal": None if dx is None else Diagnosis(dx, "", "1", "", 0),
            "others": (),
            "tcm": (),
            "procedures": tuple(
                Procedure(code, "", number == 0, None, number) for number, code in enumerate(ops)
            ),
            "icu": (),
            "fee": fen_of(fee),
            "fund": fen_of(fund),
            "self_paid": fen_of(self_paid),
            "birth_weight_g": None,
            "vent_hours": None,
        }
        return Case(**(values | more))

    return make


@pytest.fixture
def make_group() -> Callable[..., GroupResult]:
    """`make_group(is_basic=True)`: a case in the core group G1, score 100, mean fee 1000 yuan."""

    def make(**over: Any) -> GroupResult:
        values: dict[str, Any] = {
            "status": GroupStatus.GROUPED,
            "layer": Layer.CORE,
            "group_code": "G1",
            "base_score": Decimal(100),
            "average_fee": Decimal(1000),
        }
        return GroupResult(**(values | over))

    return make


@pytest.fixture
def categories() -> dict[str, str]:
    return dict(CATEGORIES)
