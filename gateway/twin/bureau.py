"""The bureau behind the platform: groups what was taken, by its own policy and library.

A planted share of the settlements is grouped with last year's library (rows missing, scores
other), so that there are differences to find, as there are in every real month.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from dipgate.config.libraries import library_named, load_library
from dipgate.config.policies import policy_in_force
from dipgate.config.references import References
from dipgate.core.case import Case, case_of
from dipgate.core.clock import CHINA, Clock, wire_time
from dipgate.core.errors import ConfigError
from dipgate.core.grouper import Grouper
from dipgate.core.grouping import GroupResult, GroupStatus, ScoreResult
from dipgate.core.library import LibraryData
from dipgate.core.lists import SettlementList, list_of
from dipgate.core.money import rounded
from dipgate.core.policy import Policy
from dipgate.core.reference import Hospital, Reference
from dipgate.pregrouper import dip_grouper, score
from dipgate.twin.ledger import Effect
from dipgate.twin.truths import Truth

OLD_VERSION_SCORE = Decimal("0.95")
OLD_VERSION_ROWS_MISSING = 0.5
LONG_STAY_DAYS = 60
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_INSURANCE = {"310": "职工基本医疗保险", "390": "城乡居民基本医疗保险"}
_KINDS = {
    GroupStatus.GROUPED: ("1", "核心病种"),
    GroupStatus.GROUPED_COMPREHENSIVE: ("2", "综合病种"),
    GroupStatus.BLANK: ("3", "空白病组"),
}
_KEPT_NODES = ("diseinfo", "oprninfo", "icuinfo", "bldinfo", "opspdiseinfo")


@dataclass(frozen=True, slots=True)
class BureauSettings:
    """Where the bureau's tables are and which hospital it looks at."""

    state: Path
    hospital: Hospital
    policy_id: str
    """Empty: by area and settlement date."""
    agreed_areas: tuple[str, ...]
    """Other areas that pay for their own insured by their own policy."""
    seed: int
    other_version_share: float


class Bureau:
    """Groups and inspects taken lists. Called under the ledger's lock, by one thread at a time."""

    def __init__(self, settings: BureauSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._references = References(settings.state, settings.hospital)
        self._groupers: dict[tuple[str, str, bool], Grouper] = {}
        self._policies: dict[tuple[date, str], Policy | None] = {}

    def reference(self, day: date | None) -> Reference:
        """Catalogues as of a settlement day; of today when the list does not say its day."""
        return self._references.on(day or self._clock.now().astimezone(CHINA).date())

    def group_row(self, effect: Effect, truth: Truth | None) -> dict[str, str]:
        """The 3606 row of a taken list."""
        case = case_of(list_with_truth(effect.input, truth))
        result, money, label = self._grouped(case, effect.settlement_id)
        grouped = result.status in _KINDS
        kind, kind_name = _KINDS.get(result.status, ("", ""))
        row = self._head(effect.settlement_id, effect.person_no, truth, case)
        label_of_case = money.auxiliary_label if money is not None else ""
        row |= {
            "nuld_flag": "0",
            "asst_list_flag": "1" if label_of_case else "0",
            "asst_list_detl": label_of_case,
            "grp_stas": "1" if grouped else "0",
            "grp_stas_name": "入组成功" if grouped else "未入组",
            "dip_dise_grp_code": result.group_code,
            "dip_dise_grp_name": result.group_name,
            "grp_diag_code": case.principal.code if case.principal else "",
            "grp_diag_name": case.principal.name if case.principal else "",
            "oprn_grp_code": "+".join(result.matched),
            "oprn_grp_name": "",
            "dise_list_type": kind,
            "dise_list_type_name": kind_name,
            "grp_dise_sco": _number(result.base_score),
            "act_setl_sco": _number(money.score if money is not None else None),
            "sco_stas": "1" if money is not None and money.score is not None else "0",
            "sco_stas_name": money.status.value if money is not None else "未计分",
            "remarks": f"病种目录 {label}"[:255] if label else "未配置付费政策",
        }
        return row

    def missing_row(self, settlement_id: str, truth: Truth) -> dict[str, str]:
        """The 3606 row of a settlement whose list never came."""
        row = self._head(settlement_id, str(truth.get("psn_no", "")), truth, None)
        return row | {"nuld_flag": "1", "grp_stas": "0", "grp_stas_name": "未入组"}

    def quality_row(self, effect: Effect, truth: Truth | None) -> dict[str, Any]:
        """The 3607 row of a taken list: a few checks that only the bureau makes."""
        case = case_of(list_with_truth(effect.input, truth))
        ref = self.reference(case.settled)
        found: list[dict[str, str]] = []

        def note(field: str, what: str, value: str) -> None:
            found.append(
                {
                    "exam_data_fld": field,
                    "qltctrl_chk_rslt": what,
                    "err_lv": "1",
                    "retn_flag": "0",
                    "init_val": value[:60],
                }
            )

        if case.stay_days is not None and case.stay_days > LONG_STAY_DAYS:
            note("act_ipt_days", f"住院天数超过{LONG_STAY_DAYS}天", str(case.stay_days))
        code = case.principal.code if case.principal else ""
        if code.startswith("R"):
            note("diag_code", "以症状体征作主要诊断", code)
        if code in (ref.not_principal or {}):
            note("diag_code", "不宜作为主要诊断", code)
        settled = _settled_text(truth, case)
        return {
            "fixmedins_code": self._settings.hospital.code,
            "fixmedins_name": self._settings.hospital.name,
            "setl_ym": effect.month,
            "setl_id": effect.settlement_id,
            "psn_no": effect.person_no,
            "psn_name": str((truth or {}).get("psn_name") or "未知"),
            "psn_cert_type": "",
            "cert_no": "",
            "qltctrl_rslt": "0" if found else "1",
            "err_lv": "1" if found else "",
            "retn_flag": "0",
            "qltctrl_ver": "twin-1",
            "grp_stas": "",
            "detl_list": found,
            "qltctrl_time": settled or wire_time(self._clock.now()),
        }

    def _grouped(
        self, case: Case, settlement_id: str
    ) -> tuple[GroupResult, ScoreResult | None, str]:
        ref = self.reference(case.settled)
        policy = self._policy(ref.day, case.insured_place)
        if policy is None:
            return GroupResult(GroupStatus.UNGROUPED), None, ""
        try:
            grouper = self._grouper(policy, ref.day, old=self._is_planted(settlement_id))
        except ConfigError as error:
            return GroupResult(GroupStatus.UNGROUPED), None, f"不可用：{error}"
        result = grouper.group(case, ref, trace=False)
        money = score(case, result, policy, hospital_level=self._settings.hospital.level)
        return result, money, result.library

    def _policy(self, day: date, insured_place: str) -> Policy | None:
        settings = self._settings
        key = (day, insured_place if settings.agreed_areas else "")
        if key not in self._policies:
            self._policies[key] = policy_in_force(
                day,
                area=settings.hospital.area_code,
                named=settings.policy_id,
                insured_place=insured_place,
                agreed_areas=settings.agreed_areas,
                state=settings.state,
            )
        return self._policies[key]

    def _grouper(self, policy: Policy, day: date, *, old: bool) -> Grouper:
        name, version = library_named(policy)
        data = (name, version or day.isoformat(), old)
        if data not in self._groupers:
            rows = load_library(self._settings.state, name, version or None, day)
            if old:
                rows = older_version(rows, self._settings.seed)
            self._groupers[data] = dip_grouper(rows, policy)
        return self._groupers[data]

    def _is_planted(self, settlement_id: str) -> bool:
        rng = random.Random(f"{self._settings.seed}/{settlement_id}")  # noqa: S311
        return rng.random() < self._settings.other_version_share

    def _head(
        self, settlement_id: str, person_no: str, truth: Truth | None, case: Case | None
    ) -> dict[str, str]:
        known = truth or {}
        hospital = self._settings.hospital
        insurance = str(known.get("insutype") or "")
        return {
            "setl_id": settlement_id,
            "psn_no": person_no,
            "psn_name": str(known.get("psn_name") or ""),
            "insutype": insurance,
            "Insutype_name": _INSURANCE.get(insurance, ""),
            "setl_time": _settled_text(truth, case),
            "clr_optins": hospital.area_code,
            "insu_admdvs": str(known.get("insuplc") or ""),
            "fixmedins_code": hospital.code,
            "fixmedins_name": hospital.name,
            "fixmedins_lv": hospital.level[:4],
            "asst_list_flag": "0",
            "asst_list_detl": "",
        }


def older_version(data: LibraryData, seed: int) -> LibraryData:
    """The library as it might have been a year before: half of its rows, other scores."""
    rng = random.Random(f"{seed}/{data.label}")  # noqa: S311
    rows = tuple(
        replace(row, score=None if row.score is None else _older_score(row.score))
        for row in data.rows
        if rng.random() >= OLD_VERSION_ROWS_MISSING
    )
    return replace(data, version=f"{data.version}-上一年", rows=rows)


def _older_score(score: Decimal) -> Decimal:
    return rounded(score * OLD_VERSION_SCORE, 4, "half_up")


def list_with_truth(input_json: bytes, truth: Truth | None) -> SettlementList:
    """What was uploaded, completed with what only the settlement knows (person, money)."""
    content = _DECODER.decode(input_json)
    known: dict[str, Any] = {
        name: value
        for name, value in (truth or {}).items()
        if not isinstance(value, (list, Mapping))
    }
    if "insutype" in known:
        known["hi_type"] = known["insutype"]
    known |= {name: value for name, value in content["setlinfo"].items() if value not in (None, "")}
    obj: dict[str, Any] = {"setlinfo": known}
    for node in _KEPT_NODES:
        obj[node] = content.get(node) or []
    for node in ("payinfo", "iteminfo"):
        if truth is not None and truth.get(node) is not None:
            obj[node] = truth[node]
    if "iteminfo" not in obj and known.get("medfee_sumamt") not in (None, ""):
        obj["iteminfo"] = [{"med_chrgitm": "", "amt": known["medfee_sumamt"]}]
    return list_of(obj)


def _settled_text(truth: Truth | None, case: Case | None) -> str:
    text = str((truth or {}).get("setl_time") or "")
    if text:
        return text
    return case.settled.isoformat() if case is not None and case.settled else ""


def _number(value: Decimal | None) -> str:
    return "" if value is None else format(value, "f")
