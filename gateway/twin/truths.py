"""What the platform knows by itself: its own settlements, one JSON object per line."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from dipgate.core.errors import ConfigError
from dipgate.core.system_words import system_sentence

Truth = Mapping[str, Any]
"""`setl_id, psn_no, mdtrt_id, psn_name, gend, brdy, certno, insutype, insuplc, setl_time,
medfee_sumamt, payinfo, iteminfo, psn_selfpay …`; `cancelled` true for a reversed settlement."""

_DECODER = msgspec.json.Decoder(float_hook=Decimal)


def read_truths(file: Path) -> dict[str, Truth]:
    """Settlements by `setl_id`. ConfigError names file, line and what is wrong."""
    try:
        data = file.read_bytes()
    except OSError as error:
        sentence = system_sentence(f"读不了结算文件 {file}", error)
        raise ConfigError(sentence, path=str(file)) from error
    found: dict[str, Truth] = {}
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"{file} 第{number}行"
        try:
            obj = _DECODER.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ConfigError(f"{where}：不是合法的 JSON（UTF-8）", path=str(file)) from error
        if not isinstance(obj, dict) or not isinstance(obj.get("setl_id"), str):
            raise ConfigError(f"{where}：每行应为一个有 setl_id 的 JSON 对象", path=str(file))
        if obj["setl_id"] in found:
            raise ConfigError(f"{where}：setl_id 重复", path=str(file))
        found[obj["setl_id"]] = obj
    return found


def month_of(text: str) -> str:
    """`2025-03-31 10:00:00` → `202503`; empty text when it does not begin with a month."""
    head = text[:7].replace("-", "")
    return head if len(head) == 6 and head.isdigit() else ""
