"""The case: one stay to be paid, typed, as the grouper and the money see it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time

from msgspec import Struct

from dipgate.core.clock import read_time
from dipgate.core.codes import diagnosis_code, procedure_code
from dipgate.core.lists import Row, SettlementList, text_of
from dipgate.core.money import Fen, decimal_of, fen_of

FEE_FIELDS = ("iteminfo[", "charges[", "setlinfo.medfee_sumamt")
"""How the paths of the total fee's fields begin."""


class Diagnosis(Struct, frozen=True, gc=False):
    """`kind` is `diag_type` (1 western, 2 TCM disease, 3 TCM syndrome); position in the list."""

    code: str
    name: str
    kind: str
    present_on_admission: str
    position: int


class Procedure(Struct, frozen=True, gc=False):
    """`principal` as flagged (`oprn_oprt_type` = 1); `began` when the list says so."""

    code: str
    name: str
    principal: bool
    began: datetime | None
    position: int


_AMOUNTS = frozenset(
    {"medfee_sumamt", "fund_payamt", "self_paid", "psn_selfpay", "psn_ownpay", "amt", "amount"}
)


def should_be(where: str) -> str:
    """What a field that could not be read should hold, in words (`Case.problems`)."""
    name = where.rpartition(".")[2]
    if name in _AMOUNTS:
        return "应为最多 14 位整数、两位小数的数字，不带千分位"
    if name == "nwb_bir_wt":
        return "应为数字，以克为单位"
    return "应为日期或时间，如 2025-03-15、2025-03-15 09:30:00"


class IcuStay(Struct, frozen=True, gc=False):
    ward_type: str
    entered: datetime | None
    left: datetime | None


class Case(Struct, frozen=True, gc=False):
    """One stay. Money in fen; None means that the record does not say."""

    case_id: str
    hospital_code: str
    insured_place: str
    insurance_type: str
    sex: str
    born: date | None
    admitted: datetime | None
    discharged: datetime | None
    settled: date | None
    discharge_way: str
    stay_type: str
    """`ipt_med_type`: 1 inpatient, 2 day surgery."""
    payment_method: str
    """`hi_paymtd`: 3 is DIP; empty when not stated."""
    principal: Diagnosis | None
    others: tuple[Diagnosis, ...]
    tcm: tuple[Diagnosis, ...]
    procedures: tuple[Procedure, ...]
    """Principal first, then in list order."""
    icu: tuple[IcuStay, ...]
    fee: Fen | None
    """Total fee: the sum of `iteminfo.amt`, else of the charges, else `medfee_sumamt`.

    None where one of those amounts cannot be read: an unreadable sum is not replaced by another.
    """
    fund: Fen | None
    """Pooled fund part billed: the sum of `payinfo.fund_payamt`."""
    self_paid: Fen | None
    """`psn_selfpay + psn_ownpay`."""
    birth_weight_g: int | None
    vent_hours: int | None
    problems: tuple[str, ...] = ()
    """Fields whose text could not be read (`setlinfo.adm_time`); each reads as None above."""
    category_fees: tuple[tuple[str, Fen], ...] | None = None
    """Fee by category, the first two digits of `med_chrgitm_type` (05 治疗费, 09 西药费 …).

    From `iteminfo`, else from the charges; None where a part cannot be read or is not sorted.
    """
    item_fees: tuple[tuple[str, Fen], ...] | None = None
    """Fee by code of the charge item; None without charges, or where an amount cannot be read."""

    @property
    def fee_problems(self) -> tuple[str, ...]:
        """Fields of the total fee that could not be read."""
        return tuple(where for where in self.problems if where.startswith(FEE_FIELDS))

    def category_fee(self, *categories: str) -> Fen | None:
        """The fee of some categories together; None where the split is not known."""
        if self.category_fees is None:
            return None
        return Fen(sum(fee for code, fee in self.category_fees if code in categories))

    def item_fee(self, prefixes: tuple[str, ...]) -> Fen | None:
        """The fee of charge items whose code begins so; None where the charges are not known."""
        if self.item_fees is None:
            return None
        return Fen(sum(fee for code, fee in self.item_fees if code.startswith(prefixes)))

    @property
    def age_days(self) -> int | None:
        """Completed days from birth to admission; the day of birth is day 0."""
        if self.born is None or self.admitted is None:
            return None
        return (self.admitted.date() - self.born).days

    @property
    def age_years(self) -> int | None:
        """Completed years on the day of admission."""
        if self.born is None or self.admitted is None:
            return None
        return years_between(self.born, self.admitted.date())

    @property
    def left_before_it_came(self) -> bool:
        """Discharged before admission. A day without a time (midnight) is compared as a day."""
        if self.admitted is None or self.discharged is None or self.discharged >= self.admitted:
            return False
        same_day = self.discharged.date() == self.admitted.date()
        return not (same_day and self.discharged.time() == time.min)

    @property
    def stay_days(self) -> int | None:
        """Days in hospital: discharge − admission by date, at least 1 (rule L002)."""
        if self.admitted is None or self.discharged is None:
            return None
        return max(1, (self.discharged.date() - self.admitted.date()).days)


def years_between(born: date, day: date) -> int:
    """Completed years from `born` to `day`."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def case_of(lst: SettlementList) -> Case:
    """List → case. Unreadable fields become None and are named in `problems`; never raises."""
    info = lst.setlinfo
    problems: list[str] = []

    def text(name: str) -> str:
        return text_of(info.get(name)).strip()

    def moment(row: Row, name: str, where: str) -> datetime | None:
        value = text_of(row.get(name)).strip()
        if not value:
            return None
        try:
            return read_time(value)
        except ValueError:
            problems.append(f"{where}.{name}")
            return None

    def money(row: Row, name: str, where: str) -> Fen | None:
        try:
            return fen_of(row.get(name))
        except ValueError:
            problems.append(f"{where}.{name}")
            return None

    def total(rows: tuple[Row, ...] | None, name: str, node: str) -> Fen | None:
        if rows is None:
            return None
        amounts = [money(row, name, f"{node}[{i}]") for i, row in enumerate(rows)]
        if not amounts or any(amount is None for amount in amounts):
            return None
        return Fen(sum(amount for amount in amounts if amount is not None))

    def unreadable() -> bool:
        return any(where.startswith(FEE_FIELDS) for where in problems)

    principal, others, tcm = _diagnoses(lst)
    born = moment(info, "brdy", "setlinfo")
    settled = moment(info, "setl_end_date", "setlinfo")
    fee = total(lst.iteminfo, "amt", "iteminfo")
    if not fee and not unreadable():
        fee = total(lst.charges, "amount", "charges") or fee
    if fee is None and not unreadable():
        fee = money(info, "medfee_sumamt", "setlinfo")
    categories = _fees_by(lst.iteminfo, "med_chrgitm", "amt", 2)
    if not categories and not unreadable():
        categories = _fees_by(lst.charges, "category", "amount", 2)
    selfpay = money(info, "psn_selfpay", "setlinfo")
    ownpay = money(info, "psn_ownpay", "setlinfo")
    icu = tuple(
        IcuStay(
            text_of(row.get("scs_cutd_ward_type")),
            moment(row, "scs_cutd_inpool_time", f"icuinfo[{i}]"),
            moment(row, "scs_cutd_exit_time", f"icuinfo[{i}]"),
        )
        for i, row in enumerate(lst.icuinfo or ())
    )
    procedures = _procedures(lst, moment)
    weight = _whole(info.get("nwb_bir_wt"), "setlinfo.nwb_bir_wt", problems)
    return Case(
        case_id=text("setl_id"),
        hospital_code=text("fixmedins_code"),
        insured_place=text("insuplc"),
        insurance_type=text("hi_type"),
        sex=text("gend"),
        born=born.date() if born else None,
        admitted=moment(info, "adm_time", "setlinfo"),
        discharged=moment(info, "dscg_time", "setlinfo"),
        settled=settled.date() if settled else None,
        discharge_way=text("dscg_way"),
        stay_type=text("ipt_med_type"),
        payment_method=text("hi_paymtd"),
        principal=principal,
        others=others,
        tcm=tcm,
        procedures=procedures,
        icu=icu,
        fee=fee,
        fund=total(lst.payinfo, "fund_payamt", "payinfo"),
        self_paid=Fen(selfpay + ownpay) if selfpay is not None and ownpay is not None else None,
        birth_weight_g=weight,
        vent_hours=hours_of(text("vent_used_dura")),
        problems=tuple(problems),
        category_fees=categories or None,
        item_fees=_fees_by(lst.charges, "code", "amount") or None,
    )


def _fees_by(
    rows: tuple[Row, ...] | None, key: str, amount: str, length: int | None = None
) -> tuple[tuple[str, Fen], ...] | None:
    """Amounts summed by a column; None where a row has money but no key, or cannot be read.

    What it cannot read is named elsewhere, where the fee itself needs it.
    """
    sums: dict[str, int] = {}
    for row in rows or ():
        try:
            fen = fen_of(row.get(amount))
        except ValueError:
            return None
        if not fen:
            continue
        code = text_of(row.get(key)).strip()[:length]
        if not code:
            return None
        sums[code] = sums.get(code, 0) + fen
    return tuple((code, Fen(fen)) for code, fen in sums.items()) if sums else None


def hours_of(duration: str) -> int | None:
    """`天/时/分` (`1/13/24`) → whole hours; None for empty or ill-formed text."""
    parts = duration.split("/")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        return None
    return int(parts[0]) * 24 + int(parts[1])


def _whole(value: object, where: str, problems: list[str]) -> int | None:
    try:
        number = decimal_of(value)
    except ValueError:
        problems.append(where)
        return None
    return None if number is None else int(number)


def _diagnoses(
    lst: SettlementList,
) -> tuple[Diagnosis | None, tuple[Diagnosis, ...], tuple[Diagnosis, ...]]:
    western: list[tuple[Diagnosis, bool]] = []
    tcm: list[Diagnosis] = []
    for position, row in enumerate(lst.diseinfo or ()):
        code = diagnosis_code(text_of(row.get("diag_code")))
        if not code:
            continue
        kind = text_of(row.get("diag_type")) or "1"
        diagnosis = Diagnosis(
            code,
            text_of(row.get("diag_name")),
            kind,
            text_of(row.get("adm_cond_type")),
            position,
        )
        if kind in ("2", "3"):
            tcm.append(diagnosis)
        else:
            western.append((diagnosis, text_of(row.get("maindiag_flag")) == "1"))
    flagged = [diagnosis for diagnosis, principal in western if principal]
    principal = flagged[0] if flagged else (western[0][0] if western else None)
    others = tuple(diagnosis for diagnosis, _ in western if diagnosis is not principal)
    return principal, others, tuple(tcm)


def _procedures(
    lst: SettlementList, moment: Callable[[Row, str, str], datetime | None]
) -> tuple[Procedure, ...]:
    found: list[Procedure] = []
    for position, row in enumerate(lst.oprninfo or ()):
        code = procedure_code(text_of(row.get("oprn_oprt_code")))
        if not code:
            continue
        where = f"oprninfo[{position}]"
        began = moment(row, "oprn_oprt_begntime", where) or moment(row, "oprn_oprt_date", where)
        principal = text_of(row.get("oprn_oprt_type")) == "1"
        found.append(
            Procedure(code, text_of(row.get("oprn_oprt_name")), principal, began, position)
        )
    return tuple(sorted(found, key=lambda item: (not item.principal, item.position)))
