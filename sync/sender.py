"""The outbox runner: claim, send, record the outcome, and find out what became of the unknown.

Everything it decides is a row of the state table in `dipgate.core.exchange`; what it must not
forget is in the store, so a new process goes on where a killed one stopped.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from math import ceil

from dipgate.config.dialects import Dialect
from dipgate.core.clock import Clock
from dipgate.core.durations import duration_words
from dipgate.core.errors import ConfigError, OutcomeUnknown, Refused, RetryLater
from dipgate.core.events import LogEvent
from dipgate.core.exchange import FINAL, Event, State
from dipgate.core.faults import FaultPoint, faultpoint
from dipgate.core.lists import text_of
from dipgate.core.progress import Progress, silent
from dipgate.security.eventlog import log
from dipgate.store import Connection, Store, cases, outbox
from dipgate.store.outbox import OutboxRow
from dipgate.store.outbox_rows import answered_meanwhile
from dipgate.sync.breaker import Breaker
from dipgate.sync.client import QUERY, SIGN_IN, PlatformClient
from dipgate.sync.exchange_log import ExchangeLog, write_exchanges
from dipgate.sync.payload import Comparer
from dipgate.sync.report import SendReport, Tally, require_live

_BATCH = 20
"""Unknown rows asked about before the next list is sent."""
_LONGEST_WAIT = 30.0
_SHORTEST_WAIT = 0.01
_HOUR = timedelta(hours=1)


__all__ = ["SendReport", "Sender", "Tally", "require_live"]


class Sender:
    """One sender of one state folder; the store's lock and epoch keep a second one out.

    Raises ConfigError at once when the dialect lacks the address of a transaction it needs.
    """

    def __init__(
        self,
        store: Store,
        client: PlatformClient,
        dialect: Dialect,
        clock: Clock,
        *,
        rng: random.Random | None = None,
    ) -> None:
        self._store = store
        self._client = client
        self._dialect = dialect
        self._clock = clock
        # Jitter, not secrets: a test gives its own seed.
        self._rng = rng or random.Random()  # noqa: S311
        self._comparer = Comparer(dialect)
        self._breaker = Breaker(dialect.breaker.failures, dialect.breaker.probe_seconds)
        self._sent_at: deque[datetime] = deque()
        self._swept_at: datetime | None = None
        for infno in (SIGN_IN, dialect.upload_infno, *((QUERY,) if dialect.has_query else ())):
            dialect.path_of(infno)
        self._log = ExchangeLog(store, client)
        self.tally = Tally()

    def run_once(self) -> int:
        """Ask about due unknown rows, then send one list. How many rows were worked on.

        0 means that nothing is due now. Raises StaleOwner when another process took over.
        """
        now = self._clock.now()
        if not self._breaker.may_probe(now) or not self._connected(now):
            return 0
        self._sweep(now)
        with self._store.read() as conn:
            unknown = outbox.due_unknown(conn, now=now, limit=_BATCH)
        done = 0
        for row in unknown:
            self._resolve(row)
            done += 1
            if self._breaker.is_open:
                return done
        return done + self._send_next()

    def ask(self, row_id: int) -> OutboxRow:
        """Ask the platform about one UNKNOWN row now, because a person wants to know.

        The row as it is afterwards. Raises ConfigError when no answer is due for it, RetryLater
        while the settle time runs or when the platform does not let us sign in.
        """
        with self._store.read() as conn:
            row = outbox.find(conn, row_id)
        if row is None or row.state is not State.UNKNOWN:
            raise ConfigError("这一份已经有结果，不用再问；刷新后再看")
        left = (row.not_before - self._clock.now()).total_seconds()
        if left > 0:
            raise RetryLater(f"再等 {duration_words(left)}才能问：平台可能还没办完", after=left)
        try:
            self._client.ensure_session()
        except Refused as error:
            raise RetryLater(f"平台没有让签到：{error}") from error
        finally:
            self._log.write()
        self._resolve(row)
        with self._store.read() as conn:
            return outbox.get(conn, row_id)

    def drain(
        self,
        until: datetime | Callable[[], bool],
        wait: Callable[[float], None],
        *,
        progress: Progress = silent,
        waiting: Callable[[str], None] = lambda _sentence: None,
    ) -> SendReport:
        """Work until nothing waits by itself, or until a moment or a condition.

        `wait` is called with the seconds until the next row is due. `waiting` is told, once, that
        the settle time of unknown lists is waited for.
        """
        finished = told = False
        while not (until() if callable(until) else self._clock.now() >= until):
            if self.run_once():
                self._show(progress)
                continue
            pause = self._pause()
            if pause is None:
                finished = True
                break
            if not told and (sentence := self._settling()):
                told = True
                waiting(sentence)
            wait(pause)
        with self._store.read() as conn:
            states = outbox.counts(conn)
        return SendReport(self.tally, states, finished)

    def _connected(self, now: datetime) -> bool:
        """A session is open; while the breaker is open, a sign-in is the probe."""
        probing = self._breaker.is_open
        try:
            if probing:
                self._client.sign_in()
            else:
                self._client.ensure_session()
        except (RetryLater, Refused) as error:
            refused = isinstance(error, Refused)
            self.tally.note(error, f"平台拒绝签到：{error}" if refused else "")
            self._log.write()
            while not self._breaker.is_open:
                self._breaker.failed(now)
            if probing:
                self._breaker.failed(now)
            return False
        if probing:
            self._breaker.probed()
        self._log.write()
        return True

    def _sweep(self, now: datetime) -> None:
        lease = timedelta(seconds=self._dialect.lease_seconds)
        if self._swept_at is None or now - self._swept_at >= lease:
            self._swept_at = now
            self._store.write(
                lambda conn: outbox.expire_leases(conn, now=now, epoch=self._store.epoch)
            )

    def _send_next(self) -> int:
        now = self._clock.now()
        while self._sent_at and now - self._sent_at[0] >= _HOUR:
            self._sent_at.popleft()
        if len(self._sent_at) >= self._dialect.attempts_per_hour:
            return 0
        with self._store.read() as conn:
            due = outbox.next_due(conn)
        if due is None or due > now:
            return 0
        row = self._store.write(lambda conn: self._claim(conn, now))
        if row is None:
            return 0
        self._sent_at.append(now)
        faultpoint(FaultPoint.SEND_CLAIMED)
        self._send(row)
        return 1

    def _claim(self, conn: Connection, now: datetime) -> OutboxRow | None:
        return outbox.claim(
            conn,
            now=now,
            lease_seconds=self._dialect.lease_seconds,
            epoch=self._store.epoch,
            hospital_code=self._store.hospital_code,
            settle_seconds=self._dialect.settle_seconds,
        )

    def _send(self, row: OutboxRow) -> None:
        log(
            LogEvent.SENT,
            row=row.id,
            case=row.case_id,
            attempt=row.attempts,
            msgid=row.msgid,
            infno=row.infno,
        )
        try:
            receipt = self._client.upload(
                row.payload,
                row.msgid,
                settlement_id=row.settlement_id,
                insured_place=self._insured_place(row),
            )
        except RetryLater as error:
            self.tally.not_taken += 1
            self._failed(error)
            self._back_to_ready(row, Event.NOT_TAKEN, str(error))
        except OutcomeUnknown as error:
            self.tally.unknown += 1
            self._failed(error)
            self._apply(row, Event.NO_ANSWER, last_error=str(error))
        except Refused as error:
            self._breaker.succeeded()
            if any(marker in error.text for marker in self._dialect.duplicate_markers):
                self._refused_as_duplicate(row, error)
            else:
                self.tally.rejected += 1
                self._apply(row, Event.RECEIPT_REFUSED, last_error=_told(error))
        else:
            self._breaker.succeeded()
            self.tally.accepted += 1
            self._apply(row, Event.RECEIPT_OK, list_no=receipt.list_no)

    def _refused_as_duplicate(self, row: OutboxRow, error: Refused) -> None:
        """The platform has one already: ours, sent before, or another. It alone can tell."""
        if self._dialect.has_query:
            try:
                held = self._client.query(row.person_no, row.settlement_id)
            except (RetryLater, OutcomeUnknown, Refused):
                self.tally.unknown += 1
                self._apply(row, Event.NO_ANSWER, last_error=_told(error))
                return
            if held is not None and not self._comparer.differences(row.payload, held):
                self.tally.accepted += 1
                self._apply(row, Event.RECEIPT_OK, list_no=self._client.list_no_of(held))
                return
        self.tally.conflict += 1
        self._apply(row, Event.REFUSED_AS_DUPLICATE, last_error=_told(error))

    def _resolve(self, row: OutboxRow) -> None:
        if not self._dialect.has_query:
            self.tally.held += 1
            self._apply(row, Event.NO_QUERY, waiting_for="本地接口没有清单查询，请人工向平台核实")
            return
        self.tally.queries += 1
        try:
            held = self._client.query(row.person_no, row.settlement_id)
        except (RetryLater, OutcomeUnknown, Refused) as error:
            self._failed(error)
            self._unanswered(row, error)
            return
        self._breaker.succeeded()
        if held is None:
            if row.not_found == 0:
                self._apply(row, Event.NOT_FOUND_FIRST, waiting_for="平台尚未查到，稍后再核实一次")
            else:
                self.tally.resolved += 1
                self._back_to_ready(row, Event.NOT_FOUND_AGAIN, "平台两次查询都没有这份清单")
            return
        self.tally.resolved += 1
        differences = self._comparer.differences(row.payload, held)
        if differences:
            self.tally.conflict += 1
            shown = "、".join(differences[:10])
            self._apply(
                row, Event.PLATFORM_HAS_ANOTHER, last_error=f"平台上的清单与本地不同：{shown}"
            )
        else:
            self.tally.accepted += 1
            self._apply(row, Event.PLATFORM_HAS_IT, list_no=self._client.list_no_of(held))

    def _unanswered(self, row: OutboxRow, error: Exception) -> None:
        now = self._clock.now()
        since = row.unknown_since or row.updated_at
        if now - since > timedelta(hours=self._dialect.person_after_hours):
            self.tally.held += 1
            self._apply(
                row,
                Event.TOO_OLD,
                last_error=str(error),
                waiting_for=f"{self._dialect.person_after_hours:g} 小时仍查不到结果，请人工核实",
            )
            return
        self._apply(
            row,
            Event.QUERY_UNANSWERED,
            not_before=now + self._back_off(row.attempts),
            last_error=str(error),
            waiting_for="平台没有答复查询，稍后再问",
        )

    def _back_to_ready(self, row: OutboxRow, event: Event, error: str) -> None:
        """READY again after a pause; quarantined when it has had its tries."""
        now = self._clock.now()
        tried_for = now - (row.first_claimed_at or now)
        limit = timedelta(minutes=self._dialect.poison_minutes)
        poisoned = row.attempts >= self._dialect.max_tries or (
            row.attempts > 1 and tried_for > limit
        )
        renewed = event is Event.NOT_TAKEN and not self._client.signed_in
        pause = timedelta(0) if renewed else self._back_off(row.attempts)
        heard = self._log.keep()

        def work(conn: Connection) -> None:
            write_exchanges(conn, heard, row.id)
            if answered_meanwhile(conn, row):
                return
            moved = outbox.apply(
                conn,
                row.id,
                event,
                now=now,
                epoch=self._store.epoch,
                not_before=now + pause,
                last_error=error,
            )
            if poisoned and moved.state is State.READY:
                outbox.apply(
                    conn,
                    row.id,
                    Event.POISONED,
                    now=now,
                    epoch=self._store.epoch,
                    last_error=error,
                    waiting_for=f"已试 {row.attempts} 次未成，请人工处理",
                )

        self._store.write(work)
        _log_outcome(row, event)
        if poisoned:
            self.tally.held += 1
            _log_outcome(row, Event.POISONED)

    def _apply(
        self,
        row: OutboxRow,
        event: Event,
        *,
        not_before: datetime | None = None,
        waiting_for: str = "",
        last_error: str = "",
        list_no: str = "",
    ) -> None:
        now = self._clock.now()
        heard = self._log.keep()

        def work(conn: Connection) -> None:
            write_exchanges(conn, heard, row.id)
            if answered_meanwhile(conn, row):
                return
            outbox.apply(
                conn,
                row.id,
                event,
                now=now,
                epoch=self._store.epoch,
                not_before=not_before,
                waiting_for=waiting_for,
                last_error=last_error,
                list_no=list_no,
            )

        self._store.write(work)
        _log_outcome(row, event, list_no)

    def _back_off(self, attempts: int) -> timedelta:
        """Full jitter over base·2ⁿ, capped."""
        shape = self._dialect.backoff
        top = min(shape.cap_seconds, shape.base_seconds * 2 ** min(max(attempts - 1, 0), 30))
        return timedelta(seconds=self._rng.uniform(0, top))

    def _insured_place(self, row: OutboxRow) -> str:
        with self._store.read() as conn:
            case = cases.get_case(conn, row.case_id)
        return "" if case is None else text_of(case.settlement_list().setlinfo.get("insuplc"))

    def _failed(self, error: Exception) -> None:
        """A failure of the platform; a forgotten session is none, signing in again mends it."""
        self.tally.note(error)
        if self._client.signed_in:
            self._breaker.failed(self._clock.now())

    def _pause(self) -> float | None:
        """Seconds until something can be done; None when nothing waits by itself."""
        now = self._clock.now()
        with self._store.read() as conn:
            due = outbox.next_due(conn)
        if due is None:
            return None
        seconds = max((due - now).total_seconds(), self._breaker.seconds_left(now))
        if len(self._sent_at) >= self._dialect.attempts_per_hour:
            seconds = max(seconds, (self._sent_at[0] + _HOUR - now).total_seconds())
        return min(max(seconds, _SHORTEST_WAIT), _LONGEST_WAIT)

    def _settling(self) -> str:
        """What is waited for, when that is the settle time of unknown lists; else empty."""
        now = self._clock.now()
        if self._breaker.is_open:
            return ""
        with self._store.read() as conn:
            due = outbox.due_unknown(conn, now=now + _HOUR, limit=1)
            count = outbox.counts(conn)[State.UNKNOWN]
        seconds = (due[0].not_before - now).total_seconds() if due else 0.0
        if seconds < 1:
            return ""
        return f"等待 {ceil(seconds)} 秒后向平台核实 {count} 份结果不明的清单"

    def _show(self, progress: Progress) -> None:
        if progress is silent:
            return
        with self._store.read() as conn:
            states = outbox.counts(conn)
        progress(sum(states[state] for state in FINAL), sum(states.values()))


def _told(error: Refused) -> str:
    """The platform's own words, kept whole beside our sentence when that was shortened."""
    return error.text or str(error)


def _log_outcome(row: OutboxRow, event: Event, list_no: str = "") -> None:
    log(
        LogEvent.ANSWERED,
        row=row.id,
        case=row.case_id,
        msgid=row.msgid,
        outcome=event.value,
        list_no=list_no,
    )
