"""The platform's side of the envelope: who calls, with which session, and how it is answered.

Written apart from the sender's code on purpose: the judge does not share the mistakes of whom
it judges. Source: envelope.md 1.1, 1.2, 1.4 and 3.1.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from dipgate.config.dialects import Dialect
from dipgate.core.clock import CHINA, Clock, read_time
from dipgate.security.secret import Secret
from dipgate.twin.ledger import Ledger

MAX_SKEW_SECONDS = 1800
"""How far the sender's clock may be off before its signature counts as stale."""

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="string")
_REQUIRED = {
    "infno": 6,
    "msgid": 30,
    "mdtrtarea_admvs": 6,
    "recer_sys_code": 10,
    "infver": 6,
    "opter_type": 3,
    "opter": 30,
    "opter_name": 50,
    "inf_time": 19,
    "fixmedins_code": 12,
    "fixmedins_name": 200,
}


class Denied(Exception):
    """The gateway turns the caller away: `status` and a sentence. Nothing is taken."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Refusal(Exception):
    """The business side says no. `reason` is our short word for the ledger, `text` the answer."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


@dataclass(frozen=True, slots=True)
class Request:
    """One request whose envelope is in order."""

    infno: str
    msgid: str
    hospital_code: str
    sign_no: str
    input: Mapping[str, Any]


class Gate:
    """Checks signature, envelope, message number and session of every request."""

    def __init__(
        self, dialect: Dialect, secret: Secret[str], ledger: Ledger, clock: Clock, *, area_code: str
    ) -> None:
        self._dialect = dialect
        self._secret = secret
        self._ledger = ledger
        self._clock = clock
        self._area_code = area_code

    def admit(self, path: str, headers: Mapping[str, str], body: bytes) -> Request:
        """Raises Denied (the gateway) or Refusal (the business side)."""
        self._check_signature(headers)
        try:
            obj = _DECODER.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Denied(400, "请求报文不是合法的JSON") from None
        if not isinstance(obj, dict):
            raise Denied(400, "请求报文不是JSON对象")
        for name, longest in _REQUIRED.items():
            value = obj.get(name)
            if not isinstance(value, str) or not value.strip():
                raise Refusal("envelope", f"报文头字段[{name}]不能为空")
            if len(value) > longest:
                raise Refusal("envelope", f"报文头字段[{name}]长度超过{longest}")
        infno = obj["infno"]
        if path != self._path_of(infno):
            raise Denied(404, f"没有找到服务 {path}")
        self._check_envelope(obj)
        content = obj.get("input")
        if not isinstance(content, dict):
            raise Refusal("envelope", "报文头字段[input]应为对象")
        sign_no = obj.get("sign_no")
        request = Request(
            infno=infno,
            msgid=obj["msgid"],
            hospital_code=obj["fixmedins_code"],
            sign_no=sign_no if isinstance(sign_no, str) else "",
            input=content,
        )
        if infno != "9001":
            self._check_session(request.sign_no)
        return request

    def _path_of(self, infno: str) -> str:
        if self._dialect.shape == "A":
            return self._dialect.entry_path
        return self._dialect.paths.get(infno, "")

    def _check_signature(self, headers: Mapping[str, str]) -> None:
        if self._dialect.sign == "none":
            return
        paasid = headers.get("x-tif-paasid", "")
        stamp = headers.get("x-tif-timestamp", "")
        nonce = headers.get("x-tif-nonce", "")
        given = headers.get("x-tif-signature", "")
        if not (paasid and stamp and nonce and given):
            raise Denied(401, "缺少鉴权头")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) == 10):
            raise Denied(401, "时间戳格式不正确")
        if abs(self._clock.now().timestamp() - int(stamp)) > MAX_SKEW_SECONDS:
            raise Denied(401, "时间戳超时")
        wanted = hashlib.sha256(f"{stamp}{self._secret.reveal()}{nonce}{stamp}".encode())
        if not hmac.compare_digest(wanted.hexdigest().encode(), given.encode()):
            raise Denied(401, "签名不一致")

    def _check_envelope(self, obj: Mapping[str, Any]) -> None:
        msgid, hospital = obj["msgid"], obj["fixmedins_code"]
        if len(msgid) != 30 or not msgid.startswith(hospital) or not msgid[12:].isdigit():
            raise Refusal("envelope", "发送方报文ID不符合规则：机构编号12位+时间14位+流水4位")
        if obj["mdtrtarea_admvs"] != self._area_code:
            raise Refusal("envelope", "就医地医保区划不属于本平台")
        if obj["recer_sys_code"] != self._dialect.recer_sys_code:
            raise Refusal("envelope", "接收方系统代码不正确")
        if obj["infver"] != self._dialect.infver:
            raise Refusal("envelope", "接口版本号不正确")
        try:
            read_time(obj["inf_time"])
        except ValueError:
            raise Refusal("envelope", "交易时间格式不正确") from None
        if not self._ledger.first_use(msgid):
            raise Refusal("msgid", f"发送方报文ID重复：{msgid}")

    def _check_session(self, sign_no: str) -> None:
        opened = self._ledger.session_opened(sign_no) if sign_no else None
        age = None if opened is None else self._clock.now().timestamp() - opened
        if age is None or age > self._dialect.session_minutes * 60:
            raise Refusal("session", "签到已失效，请重新签到")


class Speaker:
    """Builds answers in the platform's envelope."""

    def __init__(self, ledger: Ledger, clock: Clock, *, area_code: str) -> None:
        self._ledger = ledger
        self._clock = clock
        self._area_code = area_code

    def success(self, output: object) -> bytes:
        return self._answer(0, "", output)

    def failure(self, text: str) -> bytes:
        return self._answer(-1, text, None)

    def gateway(self, status: int, text: str) -> bytes:
        """The gateway's own shape, which is not the business one."""
        return _ENCODER.encode({"code": status, "type": "error", "message": text, "data": None})

    def _answer(self, infcode: int, text: str, output: object) -> bytes:
        now = self._clock.now().astimezone(CHINA)
        stamp = now.strftime("%Y%m%d%H%M%S") + f"{now.microsecond // 1000:03d}"
        number = self._ledger.next("refmsgid")
        return _ENCODER.encode(
            {
                "infcode": infcode,
                "inf_refmsgid": f"{self._area_code}{_seconds(now)}{number:010d}",
                "refmsg_time": stamp,
                "respond_time": stamp,
                "err_msg": text,
                "output": output,
                "warn_msg": "",
                "cainfo": "",
                "signtype": "",
            }
        )


def _seconds(moment: datetime) -> str:
    return moment.strftime("%Y%m%d%H%M%S")
