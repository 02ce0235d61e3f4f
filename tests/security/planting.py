"""Markup in everything foreign: names, addresses, code names, charges, reasons, platform answers.

List number n carries payload n in all its texts, so that what runs says where it came from.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.core.exchange import Event
from dipgate.core.reference import Hospital
from dipgate.demo.export import CSV_CHARSET, csv_source, site_sources, write_csv
from dipgate.demo.hospital import generate
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.edits import hold
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.pipeline.reconcile_stage import reconcile
from dipgate.store import Connection, cases, exchange_log, outbox, overlays, questions, results

MONTH = date(2025, 3, 1)
OWN = Hospital("H99010000001", "示例市第一人民医院", "3", "990100")
WORDS = (
    "姓名",
    "现住址",
    "联系人",
    "联系人地址",
    "入院科别",
    "出院科别",
    "主诊医师",
    "填报人",
    "名称",
    "术者",
    "麻醉医师",
)
"""Columns, or ends of numbered columns, that are filled with markup."""


def export(state: Path, folder: Path, payloads: tuple[str, ...]) -> None:
    """The hospital's files with a payload per stay; the site file names them."""
    reference = References(state, OWN).on(MONTH)
    library = load_library(state, "sample", day=MONTH)
    made = generate(reference, library, seed=11, month=MONTH, size=len(payloads), defect_share=0.5)
    files = write_csv(made, folder)
    numbers: dict[str, int] = {}
    for file in files:
        with file.open(encoding=CSV_CHARSET, newline="") as opened:
            rows = list(csv.DictReader(opened))
        for row in rows:
            number = numbers.setdefault(row["住院流水号"], len(numbers))
            for heading, value in row.items():
                if value and heading.endswith(WORDS) and not heading.endswith("机构名称"):
                    row[heading] = f"{value}{payloads[number]}"
        with file.open("w", encoding=CSV_CHARSET, newline="") as opened:
            writer = csv.DictWriter(opened, list(rows[0]), lineterminator="\r\n")
            writer.writeheader()
            writer.writerows(rows)
    site = state / "site.toml"
    sources = site_sources(csv_source(folder))
    site.write_text(f"{site.read_text(encoding='utf-8')}\n{sources}", encoding="utf-8")


def plant(desk: Desk, payloads: tuple[str, ...]) -> None:
    """Read, map, judge; then questions, reasons, refusals, raw answers and results with markup."""
    read_sources(desk)
    map_new_stays(desk)
    judge_new_cases(desk)
    with desk.store.read() as conn:
        found = sorted(cases.cases_in(conn, limit=1000), key=lambda case: case.settlement_id)
    assert len(found) == len(payloads)
    for number, case in enumerate(found):
        text = payloads[number]
        desk.store.write(_said(desk, case.settlement_id, text))
        if number % 3 == 0:
            hold(desk, case.settlement_id, reason=f"等一等 {text}", author="bian")
        else:
            desk.store.write(_sent(desk, case, text, number))
    rows = [
        {
            "setl_id": case.settlement_id,
            "nuld_flag": "0",
            "grp_stas": "1",
            "dip_dise_grp_code": f"X{payloads[number]}",
            "dip_dise_grp_name": payloads[number],
            "grp_dise_sco": "100.00",
            "act_setl_sco": payloads[number],
        }
        for number, case in enumerate(found)
    ]
    month = f"{MONTH:%Y-%m}"
    desk.store.write(lambda conn: results.put_page(conn, "3606", month, rows, desk.clock.now()))
    reconcile(desk, month)


def _said(desk: Desk, settlement_id: str, text: str) -> Callable[[Connection], None]:
    def write(conn: Connection) -> None:
        now = desk.clock.now()
        questions.ask(
            conn,
            settlement_id=settlement_id,
            path="setlinfo.adm_time",
            question=f"请看 {text}",
            asked_of=f"医师{text}"[:60],
            asked_by="bian",
            at=now,
        )
        overlays.add(
            conn,
            settlement_id=settlement_id,
            op="set",
            path="setlinfo.coner_name",
            value=text,
            reason=f"因为 {text}",
            author="bian",
            at=now,
        )

    return write


def _sent(desk: Desk, case: Any, text: str, number: int) -> Callable[[Connection], None]:
    """One list at the platform: refused with markup, held, unknown, or accepted."""
    answer = json.dumps({"infcode": -1, "err_msg": text}, ensure_ascii=False).encode()
    raw = desk.store.keep_raw(answer)

    def write(conn: Connection) -> None:
        now, epoch = desk.clock.now(), desk.store.epoch
        made = outbox.enqueue(
            conn,
            key=f"key{number}",
            case_id=case.id,
            settlement_id=case.settlement_id,
            person_no=case.person_no,
            infno="4101A",
            revision=case.revision,
            payload=case.settlement_list().as_json(),
            digest="0" * 64,
            now=now,
        )
        row = outbox.claim(
            conn,
            now=now,
            lease_seconds=60,
            epoch=epoch,
            hospital_code=desk.store.hospital_code,
            settle_seconds=120,
        )
        assert row is not None
        assert row.id == made.id
        exchange_log.add_exchange(
            conn,
            outbox_id=row.id,
            infno="4101A",
            msgid=row.msgid,
            request_hash=raw,
            answer_hash=raw,
            http_status=200,
            outcome=f"refused {text}"[:40],
            at=now,
            millis=12,
        )
        events = {
            0: (Event.RECEIPT_REFUSED,),
            1: (Event.NO_ANSWER,),
            2: (Event.NOT_TAKEN, Event.POISONED),
            3: (Event.RECEIPT_OK,),
        }[number % 4]
        for event in events:
            outbox.apply(
                conn,
                row.id,
                event,
                now=now,
                epoch=epoch,
                last_error=f"平台说 {text}",
                list_no=f"QD{number}{text}" if event is Event.RECEIPT_OK else "",
            )

    return write
