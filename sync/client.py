"""The platform's transactions as calls: sign in, upload, query, pull.

Every call raises exactly what its caller must do next: RetryLater (nothing was taken),
OutcomeUnknown (ask before sending again), Refused (the platform said no, in substance).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any

from dipgate.config.dialects import Dialect
from dipgate.config.settings import PlatformSettings
from dipgate.config.standard import wire_model
from dipgate.core.clock import Clock
from dipgate.core.errors import DipgateError, OutcomeUnknown, Refused, RetryLater
from dipgate.core.faults import FaultPoint, faultpoint
from dipgate.core.hashing import canonical_bytes
from dipgate.core.reference import Hospital
from dipgate.core.wire import Fault, WireModel, WireProblem
from dipgate.security.secret import Secret
from dipgate.sync.envelope import (
    Answer,
    GatewayAnswer,
    Station,
    build_request,
    clean,
    decode_text,
    read_answer,
    readable,
    tif_headers,
)
from dipgate.sync.payload import as_rows
from dipgate.sync.transport import HttpAnswer, Timeouts, Transport

SIGN_IN = "9001"
QUERY = "4103"
GROUPS = "3606"
QUALITY = "3607"
RENEW_AT = 0.8
"""A session is renewed after this share of its life, so that none ends in mid-batch."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange as it was on the wire, for the exchange log. `answer` empty: none came."""

    infno: str
    msgid: str
    request: bytes
    answer: bytes
    http_status: int | None
    outcome: str
    at: datetime
    millis: int
    their_time: datetime | None = None
    """When the platform answered, by its own clock."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The platform has taken the list."""

    list_no: str
    refmsgid: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of results. `last` when the platform has no further page."""

    rows: tuple[Mapping[str, Any], ...]
    problems: tuple[WireProblem, ...]
    """Rows that broke the field table are left out of `rows` and named here."""
    last: bool


class PlatformClient:
    """One platform under one dialect. Used by one thread at a time."""

    def __init__(
        self,
        dialect: Dialect,
        platform: PlatformSettings,
        hospital: Hospital,
        secret: Secret[str],
        clock: Clock,
        *,
        next_msgid: Callable[[], str],
        on_exchange: Callable[[Exchange], None] = lambda _exchange: None,
        new_nonce: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.dialect = dialect
        self.on_exchange = on_exchange
        self._platform = platform
        self._secret = secret
        self._clock = clock
        self._next_msgid = next_msgid
        self._new_nonce = new_nonce
        self._sign_no = ""
        self._signed_at: datetime | None = None
        self._station = Station(
            hospital_code=hospital.code,
            hospital_name=hospital.name,
            area_code=hospital.area_code,
            receiver=dialect.recer_sys_code,
            version=dialect.infver,
            operator=platform.opter,
            operator_name=platform.opter_name,
            operator_type=dialect.opter_type,
        )
        self._models: dict[str, WireModel] = {}
        self._transport = Transport(
            Timeouts(
                connect=platform.connect_seconds or dialect.connect_seconds,
                read=platform.read_seconds or dialect.read_seconds,
                total=platform.total_seconds or dialect.total_seconds,
            ),
            max_body=dialect.max_answer_bytes,
        )

    def close(self) -> None:
        self._transport.close()

    def __enter__(self) -> PlatformClient:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    @property
    def signed_in(self) -> bool:
        """False before the first sign-in, and after the platform forgot the session."""
        return self._signed_at is not None

    def ensure_session(self) -> None:
        """Sign in (9001) unless a session with enough life left is held."""
        if self._signed_at is not None:
            age = (self._clock.now() - self._signed_at).total_seconds()
            if 0 <= age < self.dialect.session_minutes * 60 * RENEW_AT:
                return
        self.sign_in()

    def sign_in(self) -> None:
        """9001. A sign-in may be repeated at will, so no trouble with it is ever *unknown*.

        Raises RetryLater, or Refused when the platform rejects operator or signature.
        """
        self._signed_at = None
        self._sign_no = ""
        asked = {
            "signIn": {
                "opter_no": self._platform.opter,
                "mac": self._platform.mac,
                "ip": self._platform.ip,
            }
        }
        try:
            answer = self._call(SIGN_IN, canonical_bytes(asked))
        except OutcomeUnknown as error:
            raise RetryLater(f"签到没有结果：{error}") from error
        for row in as_rows(_get(answer.output, "signinoutb")):
            sign_no = row.get("sign_no")
            if isinstance(sign_no, str) and sign_no.strip():
                self._sign_no = sign_no.strip()
                self._signed_at = self._clock.now()
                return
        raise RetryLater("签到答复里没有签到编号")

    def upload(
        self, payload: bytes, msgid: str, *, settlement_id: str, insured_place: str = ""
    ) -> Receipt:
        """Send one stored payload. The session must be open (`ensure_session`).

        Raises RetryLater, OutcomeUnknown (an ill-formed receipt too) or Refused.
        """
        infno = self.dialect.upload_infno
        answer = self._call(
            infno, payload, msgid=msgid, insured_place=insured_place, mark_written=True
        )
        faultpoint(FaultPoint.SEND_ANSWERED)
        list_no = self._list_no(answer.output)
        if not list_no or not answer.refmsgid:
            raise OutcomeUnknown("平台答复成功，但没有清单流水号或报文编号，结果未知")
        echoed = _first_text(answer.output, "setl_id")
        if echoed and echoed != settlement_id:
            raise OutcomeUnknown("平台的回执写的是另一个结算，结果未知")
        if answer.refmsgid.startswith(self._station.hospital_code) and answer.refmsgid != msgid:
            # Where the platform echoes our own number, another number is another list's receipt.
            raise OutcomeUnknown("平台的回执写的是另一个报文，结果未知")
        return Receipt(list_no, answer.refmsgid)

    def query(self, person_no: str, settlement_id: str) -> Mapping[str, Any] | None:
        """4103: the list that the platform has, or None when it surely has none.

        Raises RetryLater, OutcomeUnknown (an answer about another list) or Refused.
        """
        asked = {"data": [{"psn_no": person_no, "setl_id": settlement_id}]}
        answer = self._call(QUERY, canonical_bytes(asked), found_nothing=True)
        if not answer.ok:
            return None
        output = answer.output
        if isinstance(output, list) and len(output) == 1:
            output = output[0]
        if isinstance(output, Mapping) and isinstance(output.get("data"), Mapping):
            output = output["data"]
        if output in (None, "", [], {}):
            return None
        if not isinstance(output, Mapping):
            raise OutcomeUnknown("清单查询的答复不是对象")
        heads = [row for row in as_rows(output.get("setlinfo")) if any(row.values())]
        if not heads:
            if any(as_rows(output.get(node)) for node in ("diseinfo", "oprninfo")):
                raise OutcomeUnknown("清单查询的答复没有清单信息")
            return None
        if str(heads[0].get("setl_id") or "") != settlement_id:
            raise OutcomeUnknown("清单查询的答复是另一个结算的")
        if str(heads[0].get("psn_no") or person_no) != person_no:
            raise OutcomeUnknown("清单查询的答复是另一个人的")
        return output

    def list_no_of(self, output: Mapping[str, Any]) -> str:
        """The list number in a 4103 answer, or empty text."""
        for row in as_rows(output.get("setlinfo")):
            for name in ("setl_list_sn", "setl_list_id"):
                value = row.get(name)
                if isinstance(value, str) and value.strip():
                    return value.strip()
        return ""

    def pull_page(self, infno: str, month: str, page: int) -> Page:
        """One page of 3606 (groups) or 3607 (quality) of a settlement month `yyyyMM`.

        Raises RetryLater (any trouble: asking again is harmless) or Refused.
        """
        asked = {
            "data": {
                "setl_ym": month,
                "page_num": str(page),
                "page_size": str(self.dialect.page_size),
                "setl_id": "",
            }
        }
        try:
            answer = self._call(infno, canonical_bytes(asked))
        except OutcomeUnknown as error:
            raise RetryLater(str(error)) from error
        value = _get(answer.output, "data") if isinstance(answer.output, Mapping) else answer.output
        if value is None and answer.output not in (None, "", {}, []):
            raise RetryLater(f"交易 {infno} 的答复里没有 data")
        rows = as_rows(value)
        model = self._model(infno)
        good: list[Mapping[str, Any]] = []
        problems: list[WireProblem] = []
        for number, row in enumerate(rows):
            found = model.check_row("data", row, f"data[{number}]")
            # An optional code outside its set is worth no lost row; what is unreadable is.
            broken = [item for item in found if item.code is not Fault.CODESET]
            if broken:
                problems += broken
            else:
                good.append(row)
        return Page(tuple(good), tuple(problems), last=len(rows) < self.dialect.page_size)

    def _model(self, infno: str) -> WireModel:
        if infno not in self._models:
            self._models[infno] = wire_model(infno, "out")
        return self._models[infno]

    def _call(
        self,
        infno: str,
        input_json: bytes,
        *,
        msgid: str = "",
        insured_place: str = "",
        mark_written: bool = False,
        found_nothing: bool = False,
    ) -> Answer:
        now = self._clock.now()
        msgid = msgid or self._next_msgid()
        request = build_request(
            self._station,
            infno=infno,
            msgid=msgid,
            at=now,
            input_json=input_json,
            sign_no=self._sign_no,
            insured_place=insured_place,
        )
        url = self._platform.url + self.dialect.path_of(infno)
        began = perf_counter()
        http: HttpAnswer | None = None
        outcome = "answered"
        try:
            http = self._transport.post(
                url, request, self._headers(now), on_written=_written if mark_written else _nothing
            )
            return self._judged(http, found_nothing=found_nothing)
        except DipgateError as error:
            outcome = f"{type(error).__name__}: {error}"
            raise
        finally:
            self.on_exchange(
                Exchange(
                    infno=infno,
                    msgid=msgid,
                    request=request,
                    answer=http.body if http is not None else b"",
                    http_status=http.status if http is not None else None,
                    outcome=outcome,
                    at=now,
                    millis=int((perf_counter() - began) * 1000),
                    their_time=http.their_time if http is not None else None,
                )
            )

    def _headers(self, now: datetime) -> dict[str, str]:
        headers = {"Content-Type": self.dialect.content_type}
        if self.dialect.sign == "x-tif":
            headers |= tif_headers(
                self._platform.paasid,
                self._secret.reveal(),
                timestamp=str(int(now.timestamp())),
                nonce=self._new_nonce(),
            )
        return headers

    def _judged(self, http: HttpAnswer, *, found_nothing: bool) -> Answer:
        text = _text_or_empty(http.body)
        if self.dialect.is_not_taken(http.status, text):
            raise RetryLater(f"平台没有受理（HTTP {http.status}）：{readable(http.body)}")
        if http.status != 200:
            raise OutcomeUnknown(f"平台答复 HTTP {http.status}：{readable(http.body)}")
        answer = read_answer(http.body)
        if isinstance(answer, GatewayAnswer):
            raise OutcomeUnknown(f"网关答复 {clean(answer.code)}：{answer.message}")
        if answer.ok:
            return answer
        if any(marker in answer.message for marker in self.dialect.session_markers):
            self._signed_at = None
            raise RetryLater(f"平台要求重新签到：{clean(answer.message)}")
        if found_nothing and any(
            marker in answer.message for marker in self.dialect.not_found_markers
        ):
            return answer
        raise Refused(
            clean(answer.message) or f"平台拒绝，代码 {clean(answer.code)}，没有说明",
            code=clean(answer.code),
            text=answer.message,
        )

    def _list_no(self, output: object) -> str:
        for place in self.dialect.list_no_at:
            value: object = output
            for part in place.split("."):
                value = value[0] if isinstance(value, list) and len(value) == 1 else value
                value = value.get(part) if isinstance(value, Mapping) else None
            if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip():
                return str(value).strip()
        return ""


def _written() -> None:
    faultpoint(FaultPoint.SEND_WRITTEN)


def _nothing() -> None:
    """Queries and sign-ins have no named fault point."""


def _get(output: object, key: str) -> object:
    return output.get(key) if isinstance(output, Mapping) else None


def _first_text(output: object, key: str) -> str:
    for holder in (output, _get(output, "data")):
        value = _get(holder, key)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def _text_or_empty(body: bytes) -> str:
    try:
        return decode_text(body)
    except OutcomeUnknown:
        return ""
