"""The operations of a case made ready for matching: known codes, attributes, classes.

Source: dip-grouping.md sections 4 (normalisation), 6 (attribute and level) and 7 (operations that
may not be principal).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from msgspec import Struct

from dipgate.core.case import Case
from dipgate.core.library import NotMain, OpFacts, OpNotMain
from dipgate.core.policy import Policy
from dipgate.pregrouper.library import CONSERVATIVE, DIAGNOSTIC, SURGERY, THERAPY
from dipgate.pregrouper.national_conditions import dx_test

_ATTRIBUTES = {"手术": SURGERY, "治疗性操作": THERAPY, "诊断性操作": DIAGNOSTIC}
_ORDER = (SURGERY, THERAPY, DIAGNOSTIC, CONSERVATIVE)
EVERY_CLASS = frozenset(_ORDER)
ONLY_CONSERVATIVE = frozenset((CONSERVATIVE,))
_ONLY = {letter: frozenset((letter,)) for letter in _ORDER}
_BY_LEVEL = "incision0_and_level_lt3"
SIMPLE_LEVEL = 3
"""`incision0_and_level_lt3`: below this level, with incision class 0."""
MAX_CODES = 50_000
T = TypeVar("T")


class Operations(Struct, frozen=True, gc=False):
    """`codes` in the case's order, the first is principal; `letters` are their classes.

    A letter is S, T, D, N (no attribute), or empty when it cannot be known.
    """

    codes: tuple[str, ...]
    letters: tuple[str, ...]
    conservative: bool
    """True when no operation has, or may have, an attribute."""
    classes: frozenset[str]
    """Treatment classes that the case may belong to; more than one: a person must say."""
    warnings: tuple[str, ...]
    restored: tuple[str, ...]
    every: tuple[str, ...] = ()
    """Operations before any was set aside by a list: what 不限定为主要手术操作 looks at."""
    set_aside: tuple[str, ...] = ()
    """One sentence per operation that a list took out or moved down."""

    @property
    def principal(self) -> str:
        return self.codes[0] if self.codes else ""

    @property
    def surgical(self) -> frozenset[str]:
        return frozenset(
            code for code, letter in zip(self.codes, self.letters, strict=True) if letter == SURGERY
        )


NO_CATALOGUE = "W_MISSING_INPUT 没有手术操作目录，不能判断治疗方式（icd9cm3）"
NO_OPERATIONS = Operations((), (), True, ONLY_CONSERVATIVE, (), ())


class Attributes:
    """Class and facts of an operation: the library's dictionary first, then the catalogue's."""

    __slots__ = ("_catalogue", "_facts", "_interventional", "_letters")

    def __init__(
        self,
        policy: Policy,
        op_category: Mapping[str, str] | None,
        facts: Mapping[str, OpFacts] | None,
    ) -> None:
        self._catalogue, self._facts = op_category, facts
        self._interventional = policy.grouping.op_type.interventional_as or ""
        self._letters: dict[str, str] = {}

    @property
    def known(self) -> bool:
        """Is there any table of attributes?"""
        return self._catalogue is not None or self._facts is not None

    def __contains__(self, code: object) -> bool:
        return (self._facts is not None and code in self._facts) or (
            self._catalogue is not None and code in self._catalogue
        )

    def letter(self, code: str) -> str:
        """S, T, D, N (no attribute), or empty when it cannot be known."""
        found = self._letters.get(code)
        if found is None:
            found = self._letters[code] = self._read(code)
        return found

    def facts(self, code: str) -> OpFacts | None:
        return None if self._facts is None else self._facts.get(code)

    @property
    def has_facts(self) -> bool:
        return self._facts is not None

    def _read(self, code: str) -> str:
        if not self.known:
            return ""
        facts = self.facts(code)
        word = facts.attribute if facts is not None else ""
        if not word and self._catalogue is not None:
            word = self._catalogue.get(code, "")
        if word == "介入治疗":
            return _ATTRIBUTES.get(self._interventional, "")
        return _ATTRIBUTES.get(word, CONSERVATIVE)


Reading = tuple[str, str, tuple[str, ...]]


class WorkedOut(dict[str, T]):
    """What is to be known of each code, worked out when it is first asked for."""

    def __init__(self, work: Callable[[str], T]) -> None:
        super().__init__()
        self._work = work

    def __missing__(self, code: str) -> T:
        if len(self) >= MAX_CODES:
            self.clear()
        found = self[code] = self._work(code)
        return found


@dataclass(frozen=True, slots=True)
class OpRules:
    """What a policy says of operations, and the tables it needs; the same for every case."""

    attributes: Attributes
    library_codes: Collection[str]
    """Codes that the library names, in its groups or in its list: known without a catalogue."""
    use_unmapped: bool
    case_type_from: str
    simple_op: str
    op_list: str
    """`exact`, `drop`, or empty where no list is used."""
    promote_next: bool
    undecided: bool
    """The policy uses the list and does not say what a conservative principal means."""
    not_main: Mapping[str, OpNotMain] | None
    mapping: Mapping[str, tuple[str, ...]] | None = None
    """Version map of the case's codes; None where the policy maps nothing."""
    plain: WorkedOut[str] = field(init=False, repr=False, compare=False)
    """Classes of codes of which nothing is to be said; empty text for every other code."""
    read: WorkedOut[Reading] = field(init=False, repr=False, compare=False)
    """What becomes of a code (`_read`)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "plain", WorkedOut(partial(_plain_letter, self)))
        object.__setattr__(self, "read", WorkedOut(partial(_read, self)))


def op_rules(
    policy: Policy,
    library_codes: Collection[str],
    op_category: Mapping[str, str] | None,
    dictionary: Mapping[str, OpFacts] | None = None,
    not_main: Mapping[str, OpNotMain] | None = None,
    mapping: Mapping[str, tuple[str, ...]] | None = None,
) -> OpRules:
    rules = policy.grouping
    listed = rules.exclusions.op_list or ""
    said = rules.exclusions.on_conservative_main
    return OpRules(
        attributes=Attributes(policy, op_category, dictionary),
        library_codes=frozenset((*library_codes, *not_main)) if not_main else library_codes,
        use_unmapped=rules.unmapped_codes == "use",
        case_type_from=rules.op_type.case_type_from or "",
        simple_op=rules.op_type.simple_op or "",
        op_list=listed if listed in ("drop", "exact") else "",
        promote_next=said == "promote_next",
        undecided=listed == "exact" and said is None,
        not_main=not_main,
        mapping=mapping,
    )


def operations_of(
    case: Case,
    policy: Policy,
    library_codes: Collection[str],
    op_category: Mapping[str, str] | None,
) -> Operations:
    """`operations_for` without any list of operations that may not be principal."""
    return operations_for(case, op_rules(policy, library_codes, op_category), "")


def operations_for(case: Case, rules: OpRules, dx: str) -> Operations:
    """Collapse duplicates, map and restore codes, set aside what the lists say, read attributes."""
    if not case.procedures:
        return NO_OPERATIONS
    given = tuple([item.code for item in case.procedures])
    letters = plain_letters(given, rules)
    if letters:
        return Operations(given, letters, False, classes_of(letters, rules), (), (), given)
    warnings: list[str] = []
    restored: list[str] = []
    codes = _known_codes(case, rules, warnings, restored)
    every = tuple(codes)
    set_aside: list[str] = []
    if rules.op_list and codes:
        codes = _without_listed(codes, rules, dx, warnings, set_aside)
    attributes = rules.attributes
    letters = tuple(attributes.letter(code) for code in codes)
    if codes and not attributes.known:
        warnings.append(NO_CATALOGUE)
    elif codes and letters[0] == CONSERVATIVE:
        warnings.append(f"W_CHECK_PRINCIPAL_OP 主要手术操作 {codes[0]} 没有手术类别")
    simple = _simple(codes, letters, rules, warnings)
    return Operations(
        codes=tuple(codes),
        letters=letters,
        conservative=simple,
        classes=ONLY_CONSERVATIVE if simple else classes_of(letters, rules),
        warnings=tuple(warnings),
        restored=tuple(restored),
        every=every,
        set_aside=tuple(set_aside),
    )


def plain_letters(codes: tuple[str, ...], rules: OpRules) -> tuple[str, ...]:
    """Classes of operations of which nothing is to be said; empty where one is not plain."""
    plain = rules.plain
    letters = tuple([plain[code] for code in codes])
    if "" in letters or (len(codes) > 1 and len(frozenset(codes)) < len(codes)):
        return ()
    return letters


def _known_codes(case: Case, rules: OpRules, warnings: list[str], restored: list[str]) -> list[str]:
    codes: list[str] = []
    read = rules.read
    for procedure in case.procedures:
        code, warning, said = read[procedure.code]
        if warning:
            warnings.append(warning)
        restored += said
        if code and code not in codes:
            codes.append(code)
    return codes


def _plain_letter(rules: OpRules, code: str) -> str:
    """Class of a code that is known as it stands and on no list; empty where more is to be said."""
    if rules.mapping is not None or not rules.attributes.known or rules.simple_op == _BY_LEVEL:
        return ""
    if rules.op_list and (rules.not_main is None or code in rules.not_main):
        return ""
    if code not in rules.attributes and code not in rules.library_codes:
        return ""
    letter = rules.attributes.letter(code)
    return "" if letter == CONSERVATIVE else letter


def _read(rules: OpRules, code: str) -> Reading:
    """The code of the library's edition (empty: it takes no part), a warning, what was mended."""
    said: tuple[str, ...] = ()
    if rules.mapping is not None:
        targets = rules.mapping.get(code, ())
        if len(targets) != 1:
            what = f"对应 {len(targets)} 个编码" if targets else "没有对应的编码"
            return "", f"W_UNMAPPED 手术操作 {code} 在版本映射表中{what}，不参与入组", said
        if targets[0] != code:
            said = (f"{code} → {targets[0]}（按编码版本映射）",)
        code = targets[0]
    attributes, library_codes = rules.attributes, rules.library_codes
    if not attributes.known or code in attributes or code in library_codes:
        return code, "", said
    found = restore_zeros(code, attributes, library_codes)
    if found:
        return found, "", (*said, f"{code} → {found}")
    tail = "按原码参与" if rules.use_unmapped else "不参与入组"
    warning = f"W_UNMAPPED 手术操作 {code} 不在目录中，{tail}"
    return (code if rules.use_unmapped else ""), warning, said


def _without_listed(
    codes: list[str], rules: OpRules, dx: str, warnings: list[str], set_aside: list[str]
) -> list[str]:
    """Treat the codes of the list; the first of those returned is the principal operation."""
    listed = rules.not_main
    if listed is None:
        warnings.append("W_MISSING_INPUT 没有不纳入分组的手术操作目录，未剔除手术操作")
        return codes
    if rules.op_list == "drop":
        kept = [code for code in codes if code not in listed]
        set_aside += [f"手术操作 {code} 不纳入分组，剔除" for code in codes if code in listed]
        return kept
    main, conservative = _principal(codes, rules, listed, dx, set_aside)
    if conservative:
        if rules.undecided:
            warnings.append(
                "W_NOT_CONFIGURED 政策没有写主要手术按保守治疗时如何入组，按保守治疗"
                "（grouping.exclusions.on_conservative_main）"
            )
        tail = f"改由 {codes[main]} 作主要手术" if 0 <= main < len(codes) else "按保守治疗入组"
        warnings.append(
            f"W_CHECK_PRINCIPAL_OP 主要手术操作 {conservative} 在不纳入分组的名单中，{tail}"
        )
    if not 0 <= main < len(codes):
        if not conservative:
            warnings.append(
                f"W_CHECK_PRINCIPAL_OP 手术操作 {codes[0]} 等都不可作为主要手术操作，按保守治疗入组"
            )
        return []
    kept = [codes[main]]
    for at, code in enumerate(codes):
        entry = listed.get(code)
        if at == main:
            continue
        if entry is not None and entry.treatment is NotMain.CONSERVATIVE:
            set_aside.append(f"相关手术操作 {code} 在名单中（按保守治疗入组），剔除")
        else:
            kept.append(code)
    return kept


def _principal(
    codes: list[str],
    rules: OpRules,
    listed: Mapping[str, OpNotMain],
    dx: str,
    set_aside: list[str],
) -> tuple[int, str]:
    """Place of the principal operation (-1: none), and the code that made the case conservative."""
    conservative = ""
    for at, code in enumerate(codes):
        entry = listed.get(code)
        if entry is None:
            return at, conservative
        if entry.treatment is NotMain.NEVER:
            set_aside.append(
                f"手术操作 {code} 不可作为主要手术操作，看下一个（名单第{entry.row}行）"
            )
            continue
        if entry.treatment is NotMain.LIMITED and _in_categories(dx, entry.categories):
            return at, conservative
        limited = "主要诊断不在限定范围，" if entry.treatment is NotMain.LIMITED else ""
        set_aside.append(f"主要手术操作 {code}：{limited}按保守治疗入组（名单第{entry.row}行）")
        conservative = conservative or code
        if not rules.promote_next:
            return -1, conservative
    return -1, conservative


def _in_categories(dx: str, categories: Sequence[str]) -> bool:
    return any(dx_test(item).meets(dx) for item in categories)


def _simple(
    codes: list[str], letters: tuple[str, ...], rules: OpRules, warnings: list[str]
) -> bool:
    """Does the case hold only simple operations? Unknown reads as no."""
    bare = all(letter == CONSERVATIVE for letter in letters)
    if bare or rules.simple_op != _BY_LEVEL:
        return bare
    if not rules.attributes.has_facts:
        warnings.append("W_MISSING_INPUT 没有手术操作字典（切口、级别），只按手术类别判断简单操作")
        return False
    for code, letter in zip(codes, letters, strict=True):
        facts = rules.attributes.facts(code)
        if facts is None and letter == CONSERVATIVE:
            continue
        if facts is None or facts.incision is None or facts.level is None:
            warnings.append(f"W_MISSING_INPUT 手术操作字典没有 {code} 的切口或级别，不按简单操作")
            return False
        if facts.incision != 0 or facts.level >= SIMPLE_LEVEL:
            return False
    return True


def restore_zeros(
    code: str, known: Collection[str] | Attributes, library_codes: Collection[str]
) -> str:
    """The one known code with the same digits after a spreadsheet ate zeros; else empty text.

    `6.31` → `06.3100` when only that one exists; two that fit are not chosen between.
    """
    whole, dot, rest = code.partition(".")
    if not whole.isdigit() or len(whole) > 2 or not dot or not rest.isdigit() or len(rest) > 4:
        return ""
    padded = whole.zfill(2)
    tries = {f"{padded}.{rest}{'0' * more}" for more in range(5 - len(rest))} - {code}
    found = [text for text in tries if text in known or text in library_codes]
    return found[0] if len(found) == 1 else ""


def class_of(keys: Sequence[str], rules: OpRules, principal: str) -> str:
    """Class of a core row that names none: of its principal code, or the highest of its codes."""
    if not rules.attributes.known or not keys:
        return ""
    if rules.case_type_from == "principal":
        return rules.attributes.letter(principal if principal in keys else keys[0])
    letters = [rules.attributes.letter(key) or CONSERVATIVE for key in keys]
    return min(letters, key=_ORDER.index)


def classes_of(letters: tuple[str, ...], rules: OpRules) -> frozenset[str]:
    """Treatment class from the principal operation, or the highest of all (`case_type_from`)."""
    if not letters:
        return ONLY_CONSERVATIVE
    wanted = rules.case_type_from
    if wanted == "max_of_all":
        if "" in letters:
            return EVERY_CLASS
        return _ONLY[min(letters, key=_ORDER.index)]
    if wanted == "principal":
        return _ONLY.get(letters[0], EVERY_CLASS)
    known = frozenset(letters)
    return known if len(known) == 1 and "" not in known else EVERY_CLASS
