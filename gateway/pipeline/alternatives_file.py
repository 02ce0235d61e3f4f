"""Alternatives of the lists of a case file: policy, library and catalogues as for `dipgate group`.

Every list that is tried leaves a row in the audit of that state folder; where the row cannot be
written, nothing is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from dipgate.config.evidence import evidence_tables
from dipgate.config.references import References
from dipgate.core.case import case_of
from dipgate.core.clock import CHINA, Clock
from dipgate.core.evidence import EvidenceTables
from dipgate.core.findings import Finding, FindingStatus
from dipgate.core.lists import FieldPath, SettlementList, text_of
from dipgate.core.policy_parts import DEFAULT_EDITION
from dipgate.core.reference import Hospital, Reference
from dipgate.pipeline import simulations
from dipgate.pipeline.alternatives import Bench, alternatives
from dipgate.pipeline.bulk_group_book import Book, BookNames
from dipgate.pipeline.packs import compiled_packs, default_pack_names
from dipgate.pipeline.typed import day_of
from dipgate.pregrouper.alternatives import Alternatives, Coded, Option, Worked
from dipgate.pregrouper.batch import Entry, Tables, judge
from dipgate.store import Store, cases, open_store
from dipgate.validators import Pack, check


@dataclass(frozen=True)
class FileBench:
    """What the lists of a file are judged with: grouped and priced as `dipgate group` does."""

    store: Store
    clock: Clock
    actor: str
    book: Book
    hospital: Hospital | None
    tables: EvidenceTables
    _rules: dict[str, tuple[References, tuple[Pack, ...]]] = field(default_factory=dict)

    def alternatives(self, lst: SettlementList) -> Alternatives:
        """Alternatives of one list, kept in the audit before anybody sees them."""
        found = self.book(case_of(lst))
        edition = DEFAULT_EDITION
        day = day_of(lst)
        if isinstance(found, Tables):
            edition = found.policy.catalogue.edition
            day = None if found.reference.day == date.min else found.reference.day
        references, packs = self._rules_of(edition)
        ref = references.on(day) if day else Reference(date.min)
        today = self.clock.now().astimezone(CHINA).date()

        def judge_list(each: SettlementList) -> Worked:
            level = text_of(each.setlinfo.get("hi_setl_lv")).strip()
            judged = judge(Entry(case_of(each), level), lambda _: found, trace=True)
            findings = check(each, ref, packs, today=today)
            wrong = tuple(item for item in findings if item.status is FindingStatus.FOUND)
            return Worked(judged.group, judged.score, wrong)

        made = alternatives(Bench(judge_list, self.tables, ref, day or today), lst)
        note = simulations.of_alternatives(made)
        digest = cases.list_hash(lst)[:16]
        at = self.clock.now()
        self.store.write(
            lambda conn: simulations.keep(conn, at, self.actor, f"list:{digest}", note)
        )
        return made

    def _rules_of(self, edition: str) -> tuple[References, tuple[Pack, ...]]:
        if edition not in self._rules:
            references = References(self.store.state, self.hospital, edition)
            self._rules[edition] = references, compiled_packs(default_pack_names(edition))
        return self._rules[edition]


@contextmanager
def opened(
    names: BookNames, clock: Clock, *, actor: str, hospital: Hospital | None, owner: str
) -> Iterator[FileBench]:
    """Open a state folder for trials. Raises ConfigError for a policy or library that is missing.

    Also where another process holds the folder: a trial that cannot be kept is not made.
    """
    book, state = Book(names), Path(names.state)
    code = hospital.code if hospital is not None else None
    with open_store(state, clock, owner=owner, hospital_code=code) as store:
        yield FileBench(store, clock, actor, book, hospital, evidence_tables(state))


def as_object(case_id: str, found: Alternatives) -> dict[str, Any]:
    """The object that `dipgate alternatives --json` prints per case; money in fen."""
    return {
        "case": case_id,
        "policy": found.present.group.policy,
        "library": found.present.group.library,
        "present": {**_option(found.present), "locked": False},
        "options": [_option(item) for item in found.options],
        "billed_not_listed": [
            {
                "name": item.name,
                "codes": list(item.codes),
                **_place(item.path),
                "value": item.value,
                "locked": True,
            }
            for item in found.billed
        ],
        "left_out": found.left_out,
    }


def _option(item: Option) -> dict[str, Any]:
    points = item.score.score
    return {
        "key": item.key,
        "diagnosis": _coded(item.diagnosis),
        "operation": _coded(item.operation),
        "status": item.group.status.value,
        "group_code": item.group.group_code,
        "group_name": item.group.group_name,
        "score_status": item.score.status.value,
        "not_configured": list(item.score.not_configured),
        "score": None if points is None else format(points, "f"),
        "amount_fen": item.score.amount,
        "gap_fen": item.gap,
        "locked": item.locked,
        "reasons": list(item.reasons),
        "evidence": [
            {
                "rule": each.rule,
                **_place(each.path),
                "value": each.value,
                "text": each.text,
                "proves": list(each.proves),
            }
            for each in item.evidence
        ],
        "findings_raised": [_finding(each) for each in item.raised],
        "findings_cleared": [_finding(each) for each in item.cleared],
        "exposure": {
            "level": item.exposure.level,
            "notes": [{"level": level, "text": text} for level, text in item.exposure.notes],
        },
    }


def _place(path: str) -> dict[str, str | int | None]:
    place = FieldPath.parse(path)
    return {"path": path, "node": place.node, "row": place.index, "field": place.name}


def _coded(coded: Coded | None) -> dict[str, str] | None:
    return None if coded is None else {"path": coded.path, "code": coded.code, "name": coded.name}


def _finding(item: Finding) -> dict[str, str]:
    return {
        "rule": item.rule,
        "severity": item.severity.word,
        "field": item.field,
        "message": item.message,
    }
