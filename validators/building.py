"""The parts of a pack's generated function, collected while its rules are translated.

Every name in generated code is made here from a counter; no text of a rule row reaches the
source except as a quoted constant, and field names come from the field tables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

RESOURCES = {
    "ref": "",
    "dx_names": "ref.icd10.names if ref.icd10 is not None else NOTHING",
    "op_names": "ref.icd9cm3.names if ref.icd9cm3 is not None else NOTHING",
    "op_categories": (
        "ref.icd9cm3.attributes.get('category', NOTHING) if ref.icd9cm3 is not None else NOTHING"
    ),
    "dx_map": "ref.icd10_map.entries if ref.icd10_map is not None else NOTHING",
    "op_map": "ref.icd9cm3_map.entries if ref.icd9cm3_map is not None else NOTHING",
    "not_principal": "ref.not_principal if ref.not_principal is not None else NOTHING",
}
"""Look-ups bound once per list: local name → how it is bound."""

COMPUTED_CODE = {
    "age_years": "years_old({brdy}, {adm_time})",
    "age_days": "days_old({brdy}, {adm_time})",
    "stay_days": "days_in_hospital({adm_time}, {dscg_time})",
    "newborn": "0 <= days <= 28 if (days := days_old({brdy}, {adm_time})) is not None else False",
    "hospital_code": "ref.hospital.code if ref.hospital is not None else ''",
    "hospital_name": "ref.hospital.name if ref.hospital is not None else ''",
    "hospital_level": "ref.hospital.level[:1] if ref.hospital is not None else ''",
    "today": "as_midnight(day_today)",
}
"""Computed names → code over the times they need."""

READ = {
    "text": "v.strip() if (v := {get}).__class__ is str else clean(v)",
    "number": "ZERO if (v := {get}) == '0.00' else number(v)",
    "time": "moment(v.strip() if (v := {get}).__class__ is str else clean(v))",
    "raw": "v if (v := {get}).__class__ is str else raw_text(v)",
}
"""How a field is read, once per list; `0.00` is every other amount, so it is not parsed."""
LAZY = {
    "text": "clean({get})",
    "number": "number({get})",
    "time": "moment(clean({get}))",
    "raw": "raw_text({get})",
}
"""The same, read again at the place: for messages, which are made only for a hit."""


@dataclass
class Build:
    """What all rules of a pack need, each thing once."""

    singles: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """(`setlinfo` or `cover`, field, form) → local."""
    slots: dict[str, dict[tuple[str, str], int]] = field(default_factory=dict)
    """node → (field, form) → position in the row's tuple."""
    principal: dict[tuple[str, str], str] = field(default_factory=dict)
    computed: dict[str, str] = field(default_factory=dict)
    resources: dict[str, None] = field(default_factory=dict)
    codesets: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, None] = field(default_factory=dict)
    constants: dict[str, object] = field(default_factory=dict)
    constant_names: dict[object, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    """body → name of a generated helper function."""
    memos: dict[str, str] = field(default_factory=dict)
    """call → local that remembers its value."""
    needs_principal: bool = False
    seen_sets: int = 0

    def single(self, node: str, name: str, form: str) -> str:
        return self.singles.setdefault((node, name, form), f"s{len(self.singles)}")

    def slot(self, node: str, name: str, form: str) -> int:
        self.node(node)
        slots = self.slots.setdefault(node, {})
        return slots.setdefault((name, form), len(slots))

    def row_local(self, node: str, name: str, form: str) -> str:
        return f"r_{node}_{self.slot(node, name, form)}"

    def of_principal(self, name: str, form: str) -> str:
        self.needs_principal = True
        self.slot("diseinfo", name, form)
        return self.principal.setdefault((name, form), f"p{len(self.principal)}")

    def compute(self, name: str) -> str:
        times = {
            wanted: self.single("setlinfo", wanted, "time")
            for wanted in ("brdy", "adm_time", "dscg_time")
            if f"{{{wanted}}}" in COMPUTED_CODE[name]
        }
        if name.startswith("hospital_"):
            self.resource("ref")
        self.computed[name] = COMPUTED_CODE[name].format(**times)
        return f"c_{name}"

    def resource(self, name: str) -> str:
        self.resources[name] = None
        return name

    def codeset(self, name: str) -> str:
        return self.codesets.setdefault(name, f"set{len(self.codesets)}")

    def node(self, name: str) -> str:
        self.nodes[name] = None
        return f"R_{name}"

    def values(self, node: str) -> str:
        self.slots.setdefault(node, {})
        self.node(node)
        return f"V_{node}"

    def constant(self, key: object, make: Callable[[], object]) -> str:
        """A namespace name for a value; the same key gives the same name."""
        name = self.constant_names.get(key)
        if name is None:
            name = f"K{len(self.constants)}"
            self.constant_names[key] = name
            self.constants[name] = make()
        return name

    def function(self, body: str) -> str:
        """A generated function; `body` is its source after the name."""
        return self.functions.setdefault(body, f"f{len(self.functions)}")

    def memo(self, call: str) -> str:
        local = self.memos.setdefault(call, f"h{len(self.memos)}")
        return f"({local} if {local} is not None else ({local} := {call}))"

    def seen_set(self) -> str:
        self.seen_sets += 1
        return f"seen{self.seen_sets - 1}"
