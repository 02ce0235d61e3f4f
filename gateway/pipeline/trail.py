"""The way of one list from its source rows to the platform's receipt and result, by ids alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dipgate.core.errors import RecordError
from dipgate.pipeline import simulations
from dipgate.pipeline.desk import Desk
from dipgate.store import Connection, audit, cases, exchange_log, outbox, results, verdicts


@dataclass(frozen=True, slots=True)
class TrailStep:
    """One thing that happened. `ids` are what to look for in the log and in the raw files."""

    at: datetime | None
    """None: the source row itself does not say when it was read; the log does."""
    what: str
    ids: Mapping[str, str] = field(default_factory=dict)


def trail(desk: Desk, wanted: str) -> tuple[TrailStep, ...]:
    """Everything the store knows of a list, named by settlement id or case id, oldest first.

    Raises RecordError when there is no such list.
    """
    with desk.store.read() as conn:
        case = cases.case_by_settlement(conn, wanted) or cases.get_case(conn, wanted)
        if case is None:
            raise RecordError(f"没有病例 {wanted}", remedy="用结算ID查，或先运行 dipgate intake")
        first = tuple(_sources(conn, case))
        dated = sorted(
            (*_judged(conn, case), *_acts(conn, case), *_exchanges(conn, case)),
            key=lambda item: item.at or case.updated_at,
        )
    head = TrailStep(
        None, "病例", {"case": case.id, "setl_id": case.settlement_id, "state": case.state}
    )
    return (head, *first, *dated)


def ids_of(steps: Iterable[TrailStep]) -> frozenset[str]:
    """What a line of the log must hold one of to belong to these steps."""
    wanted = ("case", "setl_id", "msgid", "raw")
    return frozenset(
        step.ids[name] for step in steps for name in wanted if len(step.ids.get(name, "")) > 3
    )


def _sources(conn: Connection, case: cases.CaseRow) -> Iterator[TrailStep]:
    origins = cases.origins_of(conn, case.id)
    rows = {
        (item.source, item.object_name, item.row or 0, item.raw_hash): None
        for item in origins
        if item.raw_hash
    }
    for source, object_name, row, raw in sorted(rows):
        ids = {"source": source, "object": object_name, "row": str(row), "raw": raw}
        yield TrailStep(None, "源记录", ids)


def _judged(conn: Connection, case: cases.CaseRow) -> Iterator[TrailStep]:
    verdict = verdicts.latest(conn, case.id)
    if verdict is not None:
        yield TrailStep(verdict.judged_at, "校验", {"pack": verdict.pack_version})


def _acts(conn: Connection, case: cases.CaseRow) -> Iterator[TrailStep]:
    after, before = 0, ""
    while page := audit.rows(conn, object=f"case:{case.id}", after=after):
        for row in page:
            # Of trials one after another the first says that there were some.
            if row.act != simulations.ACT or before != row.act:
                ids = {"act": row.act, "seq": str(row.seq)}
                yield TrailStep(row.at, audit.ACTS[row.act].label, ids)
            before = row.act
        after = page[-1].seq


def _exchanges(conn: Connection, case: cases.CaseRow) -> Iterator[TrailStep]:
    for sent in outbox.by_settlement(conn, case.settlement_id):
        ids = {"row": str(sent.id), "revision": str(sent.revision), "key": sent.key}
        yield TrailStep(sent.created_at, "进入上传队列", ids)
        for one in exchange_log.exchanges(conn, sent.id):
            status = "" if one.http_status is None else str(one.http_status)
            ids = {
                "infno": one.infno,
                "msgid": one.msgid,
                "http": status,
                "request": one.request_hash,
                "answer": one.answer_hash,
                "millis": str(one.millis),
            }
            yield TrailStep(one.at, f"与平台交换：{one.outcome}", ids)
        if sent.list_no:
            yield TrailStep(sent.updated_at, "平台回执", {"list_no": sent.list_no})
    for result in results.by_settlement(conn, case.settlement_id):
        ids = {"infno": result.infno, "month": result.month}
        yield TrailStep(result.received_at, "平台结果", ids)
