"""A configured source looked at and judged against its contract; nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dipgate.adapters import open_source
from dipgate.adapters.rows import codec_of
from dipgate.config.dialects import load_dialect
from dipgate.config.settings import Site
from dipgate.config.standard import codesets, field_table, wire_model
from dipgate.core.record import SourceSpec
from dipgate.core.wire import Fault, FieldSpec, WireProblem
from dipgate.mapping.contract import Clause, check_contract, targets_of
from dipgate.mapping.fields import READINGS, TEXT
from dipgate.pipeline.intake import chosen

LISTS = ("4101A", "4101")
_CHARGE = ("date", "name", "amount", "category")
"""Fields of a charge line without which it cannot be counted."""


@dataclass(frozen=True, slots=True)
class ContractReport:
    """What one source was found to be like."""

    source: str
    objects: tuple[tuple[str, str, int, int], ...]
    """(table, object, columns, rows looked at)."""
    clauses: tuple[Clause, ...]
    unmapped: tuple[str, ...]
    """Fields that the upload requires and that no source and no fixed value gives."""

    @property
    def holds(self) -> bool:
        return not self.unmapped and not any(clause.breaks for clause in self.clauses)


@dataclass(frozen=True, slots=True)
class Term:
    """One line of the contract as a vendor reads it."""

    table: str
    object_name: str
    column: str
    field: str
    name: str
    type_name: str
    length: str
    required: str
    codes: str


def check_source(site: Site, name: str, *, limit: int) -> ContractReport:
    """Look at `limit` rows of every object of a source and judge them.

    Raises ConfigError for an unknown source, or one that cannot be opened at all.
    """
    spec = spec_of(site, name)
    infno = load_dialect(site.dialect_name, state=site.file.parent).upload_infno
    seen = open_source(spec, site.source_password(name)).look(limit)
    clauses = check_contract(
        spec.tables,
        seen,
        codec=codec_of(spec),
        codesets=codesets(),
        specs=_specs(),
        check_row=_Wire(infno),
        filled=frozenset(name for name, value in site.fill.items() if value),
    )
    objects = tuple(
        (item.table, item.object_name, len(item.columns), len(item.rows)) for item in seen
    )
    return ContractReport(name, objects, clauses, _unmapped(site, infno))


def terms(site: Site, name: str) -> tuple[Term, ...]:
    """The contract itself: every column that the site file asks of the source."""
    spec = spec_of(site, name)
    return tuple(term for table in spec.tables.values() for term in _terms(spec, table.table))


def spec_of(site: Site, name: str) -> SourceSpec:
    """The source by its name. Raises ConfigError naming those that there are."""
    return chosen(site.source_specs(), (name,))[0]


class _Wire:
    """Rows against the field tables: what is uploaded decides what may not be blank."""

    def __init__(self, infno: str) -> None:
        self._upload = infno
        self._models = {name: wire_model(name) for name in dict.fromkeys((infno, *LISTS))}
        self._nodes = {
            name: {spec.node for spec in field_table(name, "in")} for name in self._models
        }

    def __call__(self, node: str, row: Mapping[str, str]) -> Sequence[WireProblem]:
        found: dict[str, WireProblem] = {}
        for name, model in self._models.items():
            if node not in self._nodes[name]:
                continue
            for problem in model.check_row(node, row, node):
                if problem.code is Fault.MISSING and name != self._upload:
                    continue
                found.setdefault(problem.path, problem)
        return tuple(found.values())


def _specs() -> Mapping[tuple[str, str], FieldSpec]:
    return {
        (spec.node, spec.code): spec for infno in reversed(LISTS) for spec in field_table(infno)
    }


def _unmapped(site: Site, infno: str) -> tuple[str, ...]:
    mapped = {name for name, value in site.fill.items() if value}
    for source in site.source_specs():
        for table in source.tables.values():
            mapped.update(target.removeprefix("setlinfo.") for target in table.columns)
    own = {"fixmedins_code", "fixmedins_name", "hi_setl_lv", "stas_type"}
    return tuple(
        f"{spec.code}（{spec.name}）"
        for spec in field_table(infno, "in")
        if spec.node == "setlinfo" and spec.required == "Y" and spec.code not in mapped | own
    )


def _terms(spec: SourceSpec, name: str) -> list[Term]:
    table, specs = spec.tables[name], _specs()
    found = [Term(name, table.object_name, table.key, "", "住院流水号（主键）", "C", "", "Y", "")]
    if table.watermark:
        found.append(
            Term(name, table.object_name, table.watermark, "", "只增不减的水位列", "", "", "Y", "")
        )
    for column, target in targets_of(table):
        node, _, code = target.partition(".")
        known = specs.get((node, code))
        reading = READINGS.get(node, {}).get(code, TEXT)
        charge = node == "charges"
        found.append(
            Term(
                name,
                table.object_name,
                column,
                target,
                known.name if known else "",
                known.type.value if known else reading.kind.name.lower(),
                known.length if known else "",
                known.required if known else ("Y" if charge and code in _CHARGE else "N"),
                reading.codeset,
            )
        )
    return found
