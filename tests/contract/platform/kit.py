"""What the tests of sender and twin share: synthetic lists, a twin in a thread, a client."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dipgate.config.dialects import Dialect, load_dialect
from dipgate.config.settings import PlatformSettings
from dipgate.core.clock import Clock
from dipgate.core.lists import SettlementList, list_of
from dipgate.core.reference import Hospital
from dipgate.security.secret import Secret
from dipgate.store import Store, messages, outbox
from dipgate.store.outbox import OutboxRow
from dipgate.sync import PlatformClient, Uploader
from dipgate.twin import Twin, TwinOptions, open_twin

HOSPITAL = Hospital("H99010000001", "示例市第一人民医院", "3", "990100")
SECRET = "twin-secret"  # noqa: S105
DIALECT = load_dialect("990100")


class MachineClock:
    """The tests that talk to a real process need real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def make_list(number: int = 1, **info: str) -> SettlementList:
    """A synthetic appendectomy that the twin takes as it is; `info` changes setlinfo fields."""
    setlinfo = {
        "psn_no": f"P{number:08d}",
        "mdtrt_id": f"M{number:08d}",
        "setl_id": f"S{number:08d}",
        "fixmedins_code": HOSPITAL.code,
        "medcasno": f"{number:07d}",
        "ntly": "CHN",
        "prfs": "13",
        "psn_name": "甲某",
        "gend": "1",
        "brdy": "1980-02-03",
        "insuplc": "990100",
        "hi_type": "310",
        "adm_way": "1",
        "trt_type": "10",
        "adm_time": "2025-03-01 08:30:00",
        "dscg_time": "2025-03-06 10:00:00",
        "adm_caty": "A04",
        "dscg_caty": "A04",
        "dscg_way": "1",
        "bill_code": "99060125",
        "bill_no": f"{number:010d}",
        "biz_sn": f"B{number:08d}",
        "chfpdr_code": "D990100000001",
        "chfpdr_name": "柏青禾",
        "setl_begn_date": "2025-03-01",
        "setl_end_date": "2025-03-06",
        "medins_fill_dept": "医保办",
        "medins_fill_psn": "填报人",
        "hi_paymtd": "3",
        "ipt_med_type": "1",
        **info,
    }
    return list_of(
        {
            "setlinfo": setlinfo,
            "diseinfo": [
                {
                    "diag_type": "1",
                    "diag_code": "K35.800x001",
                    "diag_name": "急性阑尾炎",
                    "adm_cond_type": "1",
                    "maindiag_flag": "1",
                }
            ],
            "oprninfo": [
                {
                    "oprn_oprt_type": "1",
                    "oprn_oprt_name": "腹腔镜下阑尾切除术",
                    "oprn_oprt_code": "47.0100",
                    "anst_way": "1",
                    "oper_dr_code": "D990100000002",
                    "anst_dr_code": "D990100000003",
                    "oprn_oprt_begntime": "2025-03-02 09:00:00",
                    "oprn_oprt_endtime": "2025-03-02 10:00:00",
                    "anst_begntime": "2025-03-02 08:40:00",
                    "anst_endtime": "2025-03-02 10:10:00",
                }
            ],
            "iteminfo": [{"med_chrgitm": "01", "amt": "9000.00"}],
            "payinfo": [{"fund_pay_type": "310100", "fund_payamt": "6000.00"}],
        }
    )


def truth_of(lst: SettlementList) -> dict[str, Any]:
    """What the twin knows of a list's settlement."""
    info = lst.setlinfo
    return {
        **{name: info[name] for name in ("setl_id", "psn_no", "mdtrt_id", "psn_name", "gend")},
        "brdy": info["brdy"],
        "insutype": info["hi_type"],
        "insuplc": info["insuplc"],
        "setl_time": f"{info['setl_end_date']} 11:00:00",
        "medfee_sumamt": "9000.00",
        "payinfo": [dict(row) for row in lst.payinfo or ()],
        "iteminfo": [dict(row) for row in lst.iteminfo or ()],
        "psn_selfpay": "3000.00",
    }


def write_truths(file: Path, lists: list[SettlementList], **changes: object) -> Path:
    lines = [json.dumps({**truth_of(lst), **changes}, ensure_ascii=False) for lst in lists]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@dataclass
class RunningTwin:
    """A twin in a thread of this process."""

    url: str
    twin: Twin

    def get(self, path: str) -> Any:
        return call(f"{self.url}{path}")

    def post(self, path: str, value: object) -> Any:
        return call(f"{self.url}{path}", value)

    def faults(self, **plan: object) -> None:
        self.post("/twin/faults", plan)

    def judge(self, expected: list[str]) -> Any:
        return self.post("/twin/ledger", {"expected": expected})


@contextmanager
def running_twin(
    state: Path, clock: Clock | None = None, *, secret: str = SECRET, **options: Any
) -> Iterator[RunningTwin]:
    twin = open_twin(
        TwinOptions(state=state, secret=Secret(secret), **options), clock or MachineClock()
    )
    thread = threading.Thread(target=twin.run, name="twin", daemon=True)
    thread.start()
    try:
        yield RunningTwin(twin.address, twin)
    finally:
        twin.stop()
        thread.join(5)


def call(url: str, value: object | None = None) -> Any:
    """GET, or POST a JSON value, to the twin's own pages."""
    data = None if value is None else json.dumps(value).encode()
    asked = urllib.request.Request(url, data=data)  # noqa: S310
    with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read())


def settings(url: str, **changes: Any) -> PlatformSettings:
    base: dict[str, Any] = {
        "mode": "live",
        "url": url,
        "paasid": "sample",
        "opter": "0001",
        "opter_name": "操作员",
        "mac": "00-00-00-00-00-00",
        "ip": "127.0.0.1",
    }
    return PlatformSettings(**(base | changes))


def open_client(
    url: str,
    *,
    clock: Clock | None = None,
    dialect: Dialect = DIALECT,
    next_msgid: Callable[[], str] | None = None,
    secret: str = SECRET,
    **changes: Any,
) -> PlatformClient:
    when = clock or MachineClock()
    return PlatformClient(
        dialect,
        settings(url, **changes),
        HOSPITAL,
        Secret(secret),
        when,
        next_msgid=next_msgid or numbered(),
    )


def numbered() -> Callable[[], str]:
    """Message numbers for tests without a store."""
    count = iter(range(1, 10_000))
    return lambda: f"{HOSPITAL.code}20250616120000{next(count):04d}"


def msgids(store: Store) -> Callable[[], str]:
    return lambda: store.write(
        lambda conn: messages.next_msgid(conn, HOSPITAL.code, store.clock.now())
    )


def enqueue(store: Store, lst: SettlementList, *, revision: int = 1) -> OutboxRow:
    packet = Uploader(DIALECT).packet(lst, hospital_code=HOSPITAL.code, revision=revision)
    return store.write(
        lambda conn: outbox.enqueue(
            conn,
            key=packet.key,
            case_id=f"case{packet.settlement_id}",
            settlement_id=packet.settlement_id,
            person_no=packet.person_no,
            infno=packet.infno,
            revision=packet.revision,
            payload=packet.payload,
            digest=packet.digest,
            now=store.clock.now(),
        )
    )


def states(store: Store) -> Mapping[str, int]:
    with store.read() as conn:
        return {state.value: count for state, count in outbox.counts(conn).items() if count}
