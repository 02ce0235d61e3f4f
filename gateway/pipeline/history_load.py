"""Stays of past months → rows to be stored: mapped, judged and grouped, in any process.

The same functions as in live work; only what is stored, and where, differs.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime

from dipgate.core.case import case_of
from dipgate.core.errors import RecordError
from dipgate.core.lists import text_of
from dipgate.core.record import RawRow, Rejected, SourceSpec
from dipgate.mapping import MappedCase
from dipgate.pipeline import contest
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.history_months import month_of
from dipgate.pipeline.judge_stage import judge
from dipgate.pipeline.map_stage import StayRows, map_settlement, placed
from dipgate.store import Connection, bills, cases, groupings, history, inbox, verdicts
from dipgate.store.history import Bill, Loaded

Known = Mapping[str, tuple[str, int, str]]
"""settlement id → case id, revision, list hash"""


def load_stays(
    desk: Desk,
    past: Connection,
    live: Connection,
    spec: SourceSpec,
    stays: Sequence[inbox.Stay],
) -> Loaded:
    """What these stays come to. A bill that is a list of live work is noted and left alone.

    `past` and `live` read the two stores. Bills of open months stay waiting. A bill that cannot
    be mapped is set aside with its sentence; the rest goes on.
    """
    loaded = Loaded()
    rows = history.current_rows(past, spec.name, [stay.key for stay in stays])
    batch = [StayRows(spec, stay, rows[stay.key]) for stay in stays]
    ids = [bill for stay in batch for bill in stay.bills()]
    ours, theirs = history.known(past, ids), history.known(live, ids)
    contests = contest.among(past, desk, ids)
    noted = history.noted(past, spec.name, [stay.key for stay in stays])
    loaded.gone = [item for item in noted if item[1] not in set(ids)]
    claimed = bills.claims(past, [bill for _, bill in loaded.gone])
    left = history.known(past, [bill for _, bill in loaded.gone if bill not in claimed])
    loaded.again += [(known[0], bill) for bill, known in left.items()]
    for stay in batch:
        loaded.stays.append(stay.stay)
        if stay.waits_for_front_page():
            continue
        for row in stay.rows["settlement"]:
            bill = stay.bill(row)
            month = month_of(row.values, spec)
            if not month or month >= desk.site.history.before:
                continue
            state = history.LIVE
            if bill in ours:
                loaded.again.append((ours[bill][0], bill))
            if bill not in theirs:
                state = _load(desk, loaded, stay, row, ours, contests.get(bill))
            loaded.bills.append(Bill(spec.name, stay.stay.key, bill, month, state))
    return loaded


def _load(
    desk: Desk,
    loaded: Loaded,
    stay: StayRows,
    row: RawRow,
    ours: Known,
    contested: RecordError | None,
) -> str:
    """Add what one bill comes to; the state it is in then."""
    try:
        if contested is not None:
            raise contested
        mapped = map_settlement(desk, stay, row, ())
    except RecordError as error:
        said = placed(error, row)
        place = said.place
        aside = Rejected(
            "settlement", place.file, place.row, place.field, said.what, said.remedy, row.raw_hash
        )
        loaded.rejected.append((stay.stay.key, aside))
        return history.ASIDE
    _add(desk, loaded, stay, mapped, ours.get(mapped.list.settlement_id))
    return history.JUDGED


def _add(
    desk: Desk,
    loaded: Loaded,
    stay: StayRows,
    mapped: MappedCase,
    known: tuple[str, int, str] | None,
) -> None:
    now = desk.clock.now()
    lst = mapped.list
    case, info = case_of(lst), lst.setlinfo
    digest = cases.list_hash(lst)
    case_id = known[0] if known else secrets.token_hex(8)
    day = case.settled
    loaded.cases.append(
        {
            "id": case_id,
            "settlement_id": lst.settlement_id,
            "source": stay.source.name,
            "stay_key": stay.stay.key,
            "person_no": text_of(info.get("psn_no")),
            "month": f"{day:%Y-%m}" if day else "",
            "settled_on": day,
            "department": text_of(info.get("dscg_caty")),
            "doctor": text_of(info.get("chfpdr_code")),
            "state": "checked",
            "list_json": lst.as_json(),
            "list_hash": digest,
            "origins": cases.packed_origins(mapped.origins),
            "revision": known[1] + (known[2] != digest) if known else 1,
            "fee_fen": case.fee,
            "hold_reason": "",
            "updated_at": now,
        }
    )
    _judge(desk, loaded, case_id, digest, mapped, now)
    loaded.unmapped += [
        {
            "kind": item.kind,
            "code": item.code,
            "settlement_id": lst.settlement_id,
            "name": item.name,
            "first_seen": now,
        }
        for item in mapped.unmapped
    ]


def _judge(
    desk: Desk, loaded: Loaded, case_id: str, digest: str, mapped: MappedCase, now: datetime
) -> None:
    judged = judge(desk, mapped.list)
    verdict = verdicts.Verdict(case_id, digest, judged.version, judged.findings, now)
    loaded.verdicts.append(verdicts.values_of(verdict))
    loaded.findings += verdicts.found_rows(verdict)
    loaded.groupings.append(
        groupings.values_of(
            groupings.Grouping(
                case_id, digest, judged.policy, judged.library, judged.group, judged.score, now
            )
        )
    )
