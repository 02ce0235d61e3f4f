"""The platform's business side: sign-in, upload, query, results. No HTTP here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec

from dipgate.config.dialects import Dialect
from dipgate.config.standard import wire_model
from dipgate.core.clock import Clock, read_date, wire_time
from dipgate.core.wire import WireModel
from dipgate.twin.bureau import Bureau
from dipgate.twin.ledger import Effect, Ledger
from dipgate.twin.protocol import Refusal, Request
from dipgate.twin.refusals import check_content, check_settlement
from dipgate.twin.truths import Truth, month_of

_CANONICAL = msgspec.json.Encoder(decimal_format="string", order="sorted")
_TO_4103 = {
    "adm_way": "adm_way_code",
    "refldept_dept": "refl_caty",
    "wm_dise_code": "otp_wm_diag_dise_code",
    "tcm_dise_code": "otp_tcm_diag_dise_code",
    "poscode": "emp_poscode",
    "opsp_mdtrt_date": "opsp_mdtrt_time",
}
_DURATIONS = {
    "vent_used_dura": "vent_used",
    "pwcry_bfadm_coma_dura": "bfadm_coma",
    "pwcry_afadm_coma_dura": "afadm_coma",
}
_TRUTH_FIELDS = ("psn_name", "gend", "brdy", "certno", "insutype", "setl_time")
_ROW_NODES = ("opspdiseinfo", "diseinfo", "oprninfo", "icuinfo", "bldinfo")


@dataclass(frozen=True, slots=True)
class Rules:
    """How this platform treats a settlement that already has a submitted list."""

    accept_repeats: bool = False
    """True: every upload is another effect, as on platforms without any key of their own."""


class Platform:
    """Answers one request whose envelope is in order; raises Refusal."""

    def __init__(
        self,
        dialect: Dialect,
        ledger: Ledger,
        bureau: Bureau,
        clock: Clock,
        *,
        truths: Mapping[str, Truth] | None,
        rules: Rules,
    ) -> None:
        self._dialect = dialect
        self._ledger = ledger
        self._bureau = bureau
        self._clock = clock
        self._truths = truths
        self._rules = rules
        self._model: WireModel = wire_model(dialect.upload_infno, "in")
        self._names = {
            node: {theirs: ours for ours, theirs in names.items()}
            for node, names in dialect.upload_renames.items()
        }
        self._services: dict[str, Callable[[Request], object]] = {
            "9001": self._sign_in,
            "4103": self._query,
            "3606": self._groups,
            "3607": self._quality,
            dialect.upload_infno: self.take,
        }

    def answer(self, request: Request) -> object:
        """The `output` of a request. Raises Refusal."""
        service = self._services.get(request.infno)
        if service is None:
            raise Refusal("infno", f"不支持的交易编号：{request.infno}")
        return service(request)

    def take(self, request: Request, *, late: bool = False) -> object:
        """Take an uploaded list; with `late`, without looking whether one has come meanwhile."""
        content = self._own_names(request.input)
        info = content.get("setlinfo")
        settlement_id = str(info.get("setl_id") or "") if isinstance(info, Mapping) else ""
        try:
            with self._ledger.together():
                return self._take(request, content, settlement_id, late=late)
        except Refusal as refusal:
            now = wire_time(self._clock.now())
            self._ledger.add_refusal(
                settlement_id, request.msgid, refusal.reason, refusal.text, now
            )
            raise

    def _take(
        self, request: Request, content: Mapping[str, Any], settlement_id: str, *, late: bool
    ) -> object:
        info = content.get("setlinfo")
        if not isinstance(info, Mapping):
            raise Refusal("shape", "输入参数不合法：setlinfo为空")
        truth = (self._truths or {}).get(settlement_id)
        check_settlement(settlement_id, info, truth, knows=self._truths is not None)
        held = self._ledger.current(settlement_id)
        if held is not None and not late and not self._rules.accept_repeats:
            before = msgspec.json.decode(held.input)["setlinfo"].get("stas_type")
            if before == "1":
                raise Refusal(
                    "repeated", f"该结算清单已提交，不可重复上传，结算ID：{settlement_id}"
                )
        check_content(content, self._model, self._bureau.reference(_day(info)))
        number = self._ledger.next("list_no")
        list_no = f"{request.hospital_code[-6:]}{number:012d}"
        body = _CANONICAL.encode(content)
        self._ledger.add_effect(
            settlement_id=settlement_id,
            person_no=str(info.get("psn_no") or ""),
            list_no=list_no,
            msgid=request.msgid,
            digest=hashlib.sha256(body).hexdigest(),
            month=month_of(str((truth or {}).get("setl_time") or info.get("setl_end_date") or "")),
            input_json=body,
            at=wire_time(self._clock.now()),
        )
        return {"data": {"setl_list_id": list_no, "setl_id": settlement_id}}

    def _sign_in(self, request: Request) -> object:
        asked = request.input.get("signIn")
        if not isinstance(asked, Mapping):
            raise Refusal("shape", "输入参数不合法：signIn为空")
        for name, label in (("opter_no", "操作员编号"), ("mac", "MAC地址"), ("ip", "IP地址")):
            if not str(asked.get(name) or "").strip():
                raise Refusal("sign_in", f"签到信息【{label}】不能为空")
        now = self._clock.now()
        sign_no = f"{int(now.timestamp())}{self._ledger.next('sign_no'):08d}"
        self._ledger.open_session(sign_no, str(asked["opter_no"]), now.timestamp())
        return {"signinoutb": {"sign_time": wire_time(now), "sign_no": sign_no}}

    def _query(self, request: Request) -> object:
        asked = request.input.get("data")
        if isinstance(asked, list) and len(asked) == 1:
            asked = asked[0]
        if not isinstance(asked, Mapping):
            raise Refusal("shape", "输入参数不合法：data为空")
        settlement_id, person_no = str(asked.get("setl_id") or ""), str(asked.get("psn_no") or "")
        if not settlement_id or not person_no:
            raise Refusal("shape", "人员编号、结算ID不能为空")
        effect = self._ledger.current(settlement_id)
        if effect is None or effect.person_no != person_no:
            return {}
        return self._held_list(effect, request.hospital_code)

    def _held_list(self, effect: Effect, hospital_code: str) -> dict[str, Any]:
        content = msgspec.json.decode(effect.input)
        truth = (self._truths or {}).get(effect.settlement_id) or {}
        info: dict[str, Any] = {"fixmedins_code": hospital_code, "setl_list_sn": effect.list_no}
        for name, value in content["setlinfo"].items():
            if name in _DURATIONS:
                parts = [*str(value).split("/"), "", "", ""][:3]
                for suffix, part in zip(("days", "h_cnt", "m_cnt"), parts, strict=True):
                    info[f"{_DURATIONS[name]}_{suffix}"] = part
            else:
                info[_TO_4103.get(name, name)] = value
        info |= {name: truth[name] for name in _TRUTH_FIELDS if name in truth}
        ids = {name: info.get(name, "") for name in ("setl_id", "psn_no", "mdtrt_id")}
        out: dict[str, Any] = {"setlinfo": info}
        for node in _ROW_NODES:
            out[node] = [{**ids, **_row_4103(node, row)} for row in content.get(node) or ()]
        for node in ("payinfo", "iteminfo"):
            out[node] = [{**ids, **row} for row in truth.get(node) or ()]
        return out

    def _groups(self, request: Request) -> object:
        def row(settlement_id: str, effect: Effect | None) -> dict[str, Any]:
            truth = (self._truths or {}).get(settlement_id)
            if effect is None:
                return self._bureau.missing_row(settlement_id, truth or {})
            stored = self._ledger.stored_group(effect)
            if stored is None:
                stored = msgspec.json.encode(self._bureau.group_row(effect, truth))
                self._ledger.store_group(effect, stored)
            found: dict[str, Any] = msgspec.json.decode(stored)
            return found

        return {"data": self._page(request, row, also_missing=True)}

    def _quality(self, request: Request) -> object:
        def row(settlement_id: str, effect: Effect | None) -> dict[str, Any]:
            if effect is None:
                raise Refusal("shape", "没有这份清单")
            return self._bureau.quality_row(effect, (self._truths or {}).get(settlement_id))

        return {"data": self._page(request, row, also_missing=False)}

    def _page(
        self,
        request: Request,
        row: Callable[[str, Effect | None], dict[str, Any]],
        *,
        also_missing: bool,
    ) -> list[dict[str, Any]]:
        asked = request.input.get("data")
        if not isinstance(asked, Mapping):
            raise Refusal("shape", "输入参数不合法：data为空")
        month = str(asked.get("setl_ym") or "")
        if len(month) != 6 or not month.isdigit():
            raise Refusal("shape", "结算年月应为yyyyMM")
        page, size = _whole(asked, "page_num"), _whole(asked, "page_size")
        with self._ledger.together():
            taken: dict[str, Effect | None] = {
                effect.settlement_id: effect for effect in self._ledger.of_month(month)
            }
            if also_missing:
                for settlement_id, truth in (self._truths or {}).items():
                    if month_of(str(truth.get("setl_time") or "")) == month:
                        taken.setdefault(settlement_id, None)
            wanted = str(asked.get("setl_id") or "")
            ids = sorted(name for name in taken if not wanted or name == wanted)
            return [row(name, taken[name]) for name in ids[(page - 1) * size : page * size]]

    def _own_names(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """The dialect's field names turned back into the national ones."""
        out: dict[str, Any] = {}
        for node, value in content.items():
            names = self._names.get(node)
            if not names:
                out[node] = value
            elif isinstance(value, Mapping):
                out[node] = {names.get(name, name): item for name, item in value.items()}
            elif isinstance(value, list):
                out[node] = [
                    {names.get(name, name): item for name, item in row.items()}
                    if isinstance(row, Mapping)
                    else row
                    for row in value
                ]
            else:
                out[node] = value
        return out


def _row_4103(node: str, row: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(row)
    if node == "oprninfo":
        out["main_oprn_flag"] = "1" if out.pop("oprn_oprt_type", "") == "1" else "0"
        out["oprn_oprt_date"] = str(out.get("oprn_oprt_begntime") or "")[:10]
    return out


def _whole(asked: Mapping[str, Any], name: str) -> int:
    text = str(asked.get(name) or "")
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise Refusal("shape", f"分页参数{name}不正确")
    return int(text)


def _day(info: Mapping[str, Any]) -> date | None:
    try:
        return read_date(str(info.get("setl_end_date") or ""))
    except ValueError:
        return None
