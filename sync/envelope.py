"""The message envelope: a request out, an answer in (envelope.md 1.1, 1.2, 1.3 and 3.1).

An answer is foreign bytes. What cannot be read as an answer is `OutcomeUnknown`, never failure.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from dipgate.core.clock import wire_time
from dipgate.core.errors import OutcomeUnknown

MAX_BODY = 10 * 1024 * 1024
"""Longest answer that is read, in bytes."""
SHOWN = 200
"""Longest piece of a foreign text that goes into one of our sentences."""

_ENCODER = msgspec.json.Encoder(decimal_format="string")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")


@dataclass(frozen=True, slots=True)
class Station:
    """Who sends: the parts of the envelope that are the same in every message of a site."""

    hospital_code: str
    hospital_name: str
    area_code: str
    receiver: str
    """`recer_sys_code`: the platform's own name of its receiving system."""
    version: str
    """`infver`, as the platform gives it (1.0.0, V1.0)."""
    operator: str
    operator_name: str
    operator_type: str = "1"


@dataclass(frozen=True, slots=True)
class Answer:
    """A business answer. `ok` is `infcode` = 0; `output` is whatever the platform put there."""

    ok: bool
    code: str
    refmsgid: str
    message: str
    output: Any


@dataclass(frozen=True, slots=True)
class GatewayAnswer:
    """The gateway itself speaks (`code`, `type`, `message`): the business side did not answer."""

    code: str
    message: str


def build_request(
    station: Station,
    *,
    infno: str,
    msgid: str,
    at: datetime,
    input_json: bytes,
    sign_no: str = "",
    insured_place: str = "",
) -> bytes:
    """A request as UTF-8 JSON, fields in the order of the interface.

    `input_json` is put in unchanged, so what was stored is what leaves.
    `insured_place` empty means that the platform treats the person as local.
    """
    return _ENCODER.encode(
        {
            "infno": infno,
            "msgid": msgid,
            "mdtrtarea_admvs": station.area_code,
            "insuplc_admdvs": insured_place,
            "recer_sys_code": station.receiver,
            "dev_no": "",
            "dev_safe_info": "",
            "cainfo": "",
            "signtype": "",
            "infver": station.version,
            "opter_type": station.operator_type,
            "opter": station.operator,
            "opter_name": station.operator_name,
            "inf_time": wire_time(at),
            "fixmedins_code": station.hospital_code,
            "fixmedins_name": station.hospital_name,
            "sign_no": sign_no,
            "input": msgspec.Raw(input_json),
        }
    )


def tif_signature(timestamp: str, secret: str, nonce: str) -> str:
    """Lower-case SHA-256 of timestamp + secret + nonce + timestamp (UTF-8, no separator)."""
    return hashlib.sha256(f"{timestamp}{secret}{nonce}{timestamp}".encode()).hexdigest()


def tif_headers(paasid: str, secret: str, *, timestamp: str, nonce: str) -> dict[str, str]:
    """The four x-tif headers. `timestamp` is ten digits of Unix seconds."""
    return {
        "x-tif-paasid": paasid,
        "x-tif-timestamp": timestamp,
        "x-tif-nonce": nonce,
        "x-tif-signature": tif_signature(timestamp, secret, nonce),
    }


def read_answer(body: bytes) -> Answer | GatewayAnswer:
    """Answer bytes → business or gateway answer, plain or wrapped in `data`.

    Raises OutcomeUnknown for anything else: notices, cut or foreign text, other JSON.
    """
    if len(body) > MAX_BODY:
        raise OutcomeUnknown(f"平台应答超过 {MAX_BODY // 1024 // 1024} MB，未读完")
    try:
        obj = _DECODER.decode(decode_text(body))
    except (msgspec.DecodeError, RecursionError):
        raise OutcomeUnknown(f"平台应答不是 JSON：{readable(body)}") from None
    found = _business(obj)
    if found is not None:
        return found
    if isinstance(obj, Mapping) and "code" in obj and ("message" in obj or "type" in obj):
        return GatewayAnswer(_text(obj["code"]), clean(_text(obj.get("message"))))
    raise OutcomeUnknown(f"平台应答的形状不认识：{readable(body)}")


def decode_text(body: bytes) -> str:
    """UTF-8, else GB18030, both strict. Raises OutcomeUnknown when it is neither."""
    data = body.removeprefix(b"\xef\xbb\xbf")
    for charset in ("utf-8", "gb18030"):
        try:
            return data.decode(charset)
        except UnicodeDecodeError:
            continue
    raise OutcomeUnknown("平台应答不是文本（既不是 UTF-8 也不是 GB18030）")


def readable(body: bytes) -> str:
    """The beginning of an answer for a person to read; undecodable bytes are said to be so."""
    try:
        return clean(decode_text(body[: MAX_BODY + 1])) or "（空）"
    except OutcomeUnknown:
        return f"（{len(body)} 字节，无法识别的编码）"


def clean(text: str) -> str:
    """Foreign text made safe to show: one line, no control or direction marks, bounded."""
    flat = _CONTROLS.sub(" ", text).strip()
    return flat if len(flat) <= SHOWN else flat[:SHOWN] + "…"


def _business(obj: object, *, wrapped: bool = False) -> Answer | None:
    if not isinstance(obj, Mapping):
        return None
    if "infcode" in obj:
        code = _text(obj["infcode"])
        return Answer(
            ok=_is_zero(code),
            code=code,
            refmsgid=_text(obj.get("inf_refmsgid")),
            message=_text(obj.get("err_msg")),
            output=obj.get("output"),
        )
    if wrapped:
        return None
    inner = obj.get("data")
    if isinstance(inner, str) and inner.lstrip()[:1] == "{":
        try:
            inner = _DECODER.decode(inner)
        except (msgspec.DecodeError, RecursionError):
            return None
    return _business(inner, wrapped=True)


def _is_zero(code: str) -> bool:
    # `False` and empty text are not a zero: only a number that is 0 is success.
    return re.fullmatch(r"[+-]?0+(\.0+)?", code) is not None


def _text(value: object) -> str:
    if value is None or isinstance(value, (Mapping, list, bool)):
        return ""
    return str(value).strip()
