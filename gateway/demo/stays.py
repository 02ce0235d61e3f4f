"""One invented stay, complete and free of defects, in the words of the hospital's own system.

Wards and people carry local codes; everything else is in national codes. The export turns them
into the headings and spellings that hospital systems use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from dipgate.core.case import years_between
from dipgate.core.clock import CHINA, WIRE_TIME
from dipgate.core.money import yuan_text
from dipgate.demo.charges import Bill, bill
from dipgate.demo.people import FEMALE, MALE, Dice, Person, birthday, person
from dipgate.demo.stays_limits import NEWBORN_DAYS, within
from dipgate.demo.stays_stock import Stock, Treatment
from dipgate.demo.stays_ward import Ward, Wards

Row = Mapping[str, str]
AREA = "990100"
NEIGHBOUR = "990200"
_FROM_NEIGHBOUR = 9
"""One stay in so many is insured in the neighbouring area."""


@dataclass(frozen=True, slots=True)
class Stay:
    """One stay with its bill. `front` and `settlement` are setlinfo fields in national codes."""

    key: str
    """住院流水号, in all three tables."""
    front: Row
    diagnoses: tuple[Row, ...]
    procedures: tuple[Row, ...]
    icu: tuple[Row, ...]
    cover: Row
    settlement: Row
    items: tuple[Row, ...]
    funds: tuple[tuple[str, str], ...]
    """(fund_pay_type, yuan)."""
    charges: tuple[Row, ...]
    group_code: str
    """The library row it was drawn from; its real group may differ."""
    tags: frozenset[str] = field(default_factory=frozenset)
    """`newborn`, `delivery`, `injury`, `surgical`, `ventilated`."""

    @property
    def settlement_id(self) -> str:
        return self.settlement["setl_id"]


@dataclass(frozen=True, slots=True)
class _Frame:
    """Who, when and where, settled before the details."""

    index: int
    treatment: Treatment
    principal: str
    patient: Person
    admitted: datetime
    discharged: datetime
    ward: Ward
    age_days: int
    tags: frozenset[str]

    @property
    def tag(self) -> str:
        """Month and number: what makes identifiers unique over months."""
        return f"{self.discharged:%Y%m}{self.index:06d}"

    @property
    def days(self) -> int:
        return max(1, (self.discharged.date() - self.admitted.date()).days)


def make_stay(
    dice: Dice, stock: Stock, wards: Wards, treatment: Treatment, discharge_day: date, index: int
) -> Stay:
    """A stay of one treatment that ends on a day. `index` (from 1) makes every number unique."""
    frame = _frame(dice, wards, treatment, discharge_day, index)
    diagnoses, cover = _diagnoses(dice, stock, frame)
    procedures = _procedures(dice, stock, wards, frame)
    insurance = dice.one(("310", "390", "390")) if "newborn" not in frame.tags else "390"
    money = _bill(dice, stock, frame, procedures, insurance)
    icu, ventilation = _icu(dice, frame)
    return Stay(
        key=f"ZY{frame.tag}",
        front=_front(dice, frame, wards, ventilation, stock.icd10.names),
        diagnoses=diagnoses,
        procedures=procedures,
        icu=icu,
        cover=cover,
        settlement=_settlement(dice, stock, frame, money, insurance),
        items=money.items,
        funds=tuple((fund, yuan_text(fen)) for fund, fen in money.funds),
        charges=money.lines,
        group_code=treatment.row.group_code,
        tags=frame.tags,
    )


def _frame(
    dice: Dice, wards: Wards, treatment: Treatment, discharge_day: date, index: int
) -> _Frame:
    principal = dice.one(treatment.diagnoses)
    limits = treatment.limits[principal]
    ventilated = [code for code in treatment.procedures if code.startswith("96.7")]
    average = float(treatment.row.average_stay or 7)
    days = max(1, round(average * (0.6 + 0.8 * dice.part())))
    if "96.7201" in ventilated:
        days = max(days, 9)
    elif ventilated:
        days = max(days, 6)
    if within(principal, ["P07"]):
        days = max(days, 7)
    admitted_on = discharge_day - timedelta(days=days)
    sex = limits.sex or dice.one((MALE, FEMALE))
    high = min(limits.high, limits.low + 70 * 366)
    born = birthday(dice, admitted_on, limits.low, high)
    age_days = (admitted_on - born).days
    newborn = age_days <= NEWBORN_DAYS
    tags = {
        "newborn": newborn,
        "delivery": within(principal, ["O80-O84"])
        or any(code.startswith(("72", "73", "74.0", "74.1", "74.2", "74.4", "74.99"))
               for code in treatment.procedures),
        "injury": within(principal, ["S00-T14"]),
        "surgical": treatment.surgical,
        "ventilated": bool(ventilated),
        "chemo": within(principal, ["Z51"]),
    }  # fmt: skip
    day = datetime(admitted_on.year, admitted_on.month, admitted_on.day, tzinfo=CHINA)
    admitted = day + timedelta(minutes=dice.between(7 * 60, 15 * 60))
    end = datetime(discharge_day.year, discharge_day.month, discharge_day.day, tzinfo=CHINA)
    discharged = end + timedelta(minutes=dice.between(8 * 60 + 30, 17 * 60))
    return _Frame(
        index=index,
        treatment=treatment,
        principal=principal,
        patient=person(
            dice,
            sex=sex,
            born=born,
            newborn=newborn,
            index=index,
            tag=f"{discharge_day:%Y%m}{index:06d}",
        ),
        admitted=admitted,
        discharged=discharged,
        ward=wards.ward_for(principal, surgical=treatment.surgical),
        age_days=age_days,
        tags=frozenset(name for name, true in tags.items() if true),
    )


def _diagnoses(dice: Dice, stock: Stock, frame: _Frame) -> tuple[tuple[Row, ...], Row]:
    names = stock.icd10.names
    codes = [frame.principal]
    cover: dict[str, str] = {}

    def add(*wanted: str) -> None:
        for code in wanted:
            if code in names and all(code[:3] != held[:3] for held in codes):
                codes.append(code)

    if "delivery" in frame.tags:
        cut = any(code.startswith("74") for code in frame.treatment.procedures)
        if not within(frame.principal, ["O80-O84"]):
            add("O82.000" if cut else "O80.000")
        add("Z37.000x001")
    if "chemo" in frame.tags:
        fitting = [
            code
            for code in stock.tumours
            if not within(code, ["C53", "C56", "C50"]) or frame.patient.sex == FEMALE
        ]
        add(*dice.some(fitting, 1))
    if "injury" in frame.tags and stock.external_causes:
        cause = dice.one(stock.external_causes)
        cover = {"ext_cause_code": cause, "ext_cause_name": names[cause]}
        add(cause)
    if frame.age_days > 18 * 366 and "delivery" not in frame.tags:
        pool = stock.others_for(frame.principal, frame.patient.sex, frame.age_days)
        add(*dice.some(pool, dice.between(1, 5)))
    elif "delivery" in frame.tags:
        add(*dice.some(("O69.101", "O99.008"), dice.between(0, 2)))
    elif "newborn" in frame.tags and not within(frame.principal, ["P50-P61"]) and dice.chance(0.5):
        add("P59.901")
    rows: list[Row] = []
    for place, code in enumerate(codes):
        rows.append(
            {
                "diag_type": "1",
                "diag_code": code,
                "diag_name": names[code],
                "adm_cond_type": "1" if place == 0 or dice.chance(0.85) else "3",
                "maindiag_flag": "1" if place == 0 else "0",
            }
        )
    return tuple(rows), cover


def _procedures(dice: Dice, stock: Stock, wards: Wards, frame: _Frame) -> tuple[Row, ...]:
    """Operations of one session, within the stay; anaesthesia where the main one is surgery."""
    codes = frame.treatment.procedures
    if not codes:
        return ()
    earliest = frame.admitted + timedelta(minutes=90)
    latest = frame.discharged - timedelta(minutes=240)
    room = max(0, int((latest - earliest).total_seconds() // 60))
    day = dice.between(0, min(room, 3 * 1440))
    began = earliest + timedelta(minutes=day)
    ended = began + timedelta(minutes=dice.between(25, 170))
    surgeon = dice.one(frame.ward.doctors)
    rows: list[Row] = []
    for place, code in enumerate(codes):
        row = {
            "oprn_oprt_type": "1" if place == 0 else "2",
            "oprn_oprt_code": code,
            "oprn_oprt_name": stock.icd9cm3.names[code],
            "oprn_oprt_begntime": _wire(began),
            "oprn_oprt_endtime": _wire(ended),
            "oper_dr_name": surgeon.name,
            "oper_dr_code": surgeon.code,
        }
        if stock.icd9cm3.attribute("category", code) == "手术":
            colleague = dice.one(wards.anaesthetists)
            row |= {
                "anst_way": "2" if code[:2] in ("73", "74") else "1",
                "anst_dr_name": colleague.name,
                "anst_dr_code": colleague.code,
                "anst_begntime": _wire(began - timedelta(minutes=20)),
                "anst_endtime": _wire(ended + timedelta(minutes=15)),
            }
        rows.append(row)
    return tuple(rows)


def _icu(dice: Dice, frame: _Frame) -> tuple[tuple[Row, ...], str]:
    """(intensive care rows, ventilation as 天/时/分)."""
    if "ventilated" not in frame.tags:
        return (), ""
    entered = frame.admitted + timedelta(minutes=dice.between(5, 60))
    long = "96.7201" in frame.treatment.procedures
    hours = dice.between(110, 150) if long else dice.between(20, 70)
    left = entered + timedelta(hours=hours + 12, minutes=dice.between(0, 59))
    row = {
        "scs_cutd_ward_type": "2" if "newborn" in frame.tags else "9",
        "scs_cutd_inpool_time": _wire(entered),
        "scs_cutd_exit_time": _wire(left),
        "scs_cutd_sum_dura": duration(left - entered),
    }
    return (row,), duration(timedelta(hours=hours, minutes=dice.between(0, 59)))


def duration(span: timedelta) -> str:
    """A span as 天/时/分."""
    minutes = int(span.total_seconds() // 60)
    return f"{minutes // 1440}/{minutes % 1440 // 60}/{minutes % 60}"


def _bill(
    dice: Dice, stock: Stock, frame: _Frame, procedures: tuple[Row, ...], insurance: str
) -> Bill:
    row = frame.treatment.row
    if row.average_fee is not None:
        average = float(row.average_fee)
    else:
        average = float(row.score or 800) * 8
    surgical = any(stock.surgery(item["oprn_oprt_code"]) for item in procedures)
    operation = procedures[0]["oprn_oprt_name"] + "费" if procedures else ""
    return bill(
        dice,
        target=int(average * 100 * dice.spread()),
        admitted=frame.admitted.date(),
        days=frame.days,
        surgical=surgical,
        operation=operation,
        insurance=insurance,
    )


_EMPLOYER = "虚构市示例有限公司"
_EMPLOYED = ("11", "13", "17", "21", "24")
_PARENT = "50"
_AT_SCHOOL, _AT_WORK, _OF_AGE = 6, 16, 20
"""Years: younger ones have no job, are students, have a parent as contact."""


def _front(
    dice: Dice, frame: _Frame, wards: Wards, ventilation: str, names: Mapping[str, str]
) -> Row:
    patient, ward = frame.patient, frame.ward
    years = years_between(patient.born, frame.admitted.date())
    moved = dice.chance(0.04) and "newborn" not in frame.tags
    first = wards.another(dice, ward) if moved else ward
    doctor = dice.one(ward.doctors)
    nurse = dice.one(ward.nurses)
    died = frame.age_days > 70 * 366 and dice.chance(0.02)
    again = "chemo" in frame.tags and not died
    job = "90" if years < _AT_SCHOOL else "31" if years < _AT_WORK else patient.job
    fields = {
        "medcasno": patient.record,
        "psn_name": patient.name,
        "gend": patient.sex,
        "brdy": patient.born.isoformat(),
        "age": str(years) if years >= 1 else "",
        "nwb_age": str(frame.age_days) if years < 1 else "",
        "ntly": "CHN",
        "naty": "01",
        "patn_cert_type": patient.certificate_type,
        "certno": patient.certificate,
        "prfs": job,
        "curr_addr": patient.address,
        "emp_name": _EMPLOYER if job in _EMPLOYED else "",
        "coner_name": patient.contact,
        "patn_rlts": _PARENT if years < _OF_AGE else patient.relation,
        "coner_addr": patient.address,
        "coner_tel": patient.telephone,
        "ipt_med_type": "1",
        "adm_way": dice.one(("1", "2", "2")),
        "trt_type": "10",
        "adm_time": _wire(frame.admitted),
        "adm_caty": first.code,
        "adm_dept_name": first.name,
        "refldept_dept": ward.code if first.code != ward.code else "",
        "dscg_time": _wire(frame.discharged),
        "dscg_caty": ward.code,
        "dscg_dept_name": ward.name,
        "act_ipt_days": str(frame.days),
        "otp_wm_dise": names.get(frame.principal, ""),
        "wm_dise_code": frame.principal,
        "dscg_way": "5" if died else "4" if dice.chance(0.03) else "1",
        "days_rinp_flag_31": "2" if again else "1",
        "days_rinp_pup_31": "按疗程继续治疗" if again else "",
        "chfpdr_name": doctor.name,
        "chfpdr_code": doctor.code,
        "resp_nurs_code": nurse.code,
        "vent_used_dura": ventilation,
        "spga_nurscare_days": "0",
        "lv1_nurscare_days": str(min(frame.days, 1)),
        "scd_nurscare_days": str(max(0, frame.days - 1)),
        "lv3_nurscare_days": "0",
        "medins_fill_dept": "病案室",
        "medins_fill_psn": nurse.name,
    }
    return {**fields, **_newborn(dice, frame)}


def _newborn(dice: Dice, frame: _Frame) -> Row:
    """Weights and kind of admission of a newborn; a mother's list has the birth weight."""
    fields = {"nwb_adm_type": "", "nwb_bir_wt": "", "nwb_adm_wt": ""}
    if "delivery" in frame.tags:
        fields["nwb_bir_wt"] = str(dice.between(260, 390) * 10)
    elif "newborn" in frame.tags:
        weight = _birth_weight(dice, frame.principal)
        fields["nwb_bir_wt"] = str(weight)
        fields["nwb_adm_wt"] = str(max(110, weight - dice.between(0, 8) * 10))
        fields["nwb_adm_type"] = "2" if within(frame.principal, ["P07"]) else "3"
    return fields


def _birth_weight(dice: Dice, principal: str) -> int:
    """Grams that agree with the principal diagnosis (P07.0 under 1000, P07.1 under 2500)."""
    bands = {
        "P07.002": (40, 49), "P07.0": (60, 99), "P07.102": (100, 149), "P07.1": (160, 249),
        "P07": (170, 249), "P08.0": (450, 480),
    }  # fmt: skip
    for prefix, (low, high) in bands.items():
        if principal.startswith(prefix):
            return dice.between(low, high) * 10
    return dice.between(270, 390) * 10


def _settlement(dice: Dice, stock: Stock, frame: _Frame, money: Bill, insurance: str) -> Row:
    hospital = stock.ref.hospital
    settled = frame.discharged + timedelta(minutes=dice.between(20, 150))
    return {
        "setl_id": f"{AREA}S{frame.tag}",
        "mdtrt_id": f"{AREA}M{frame.tag}",
        "psn_no": frame.patient.number,
        "hi_no": frame.patient.number,
        "hi_type": insurance,
        "insutype": insurance,
        "insuplc": NEIGHBOUR if int(frame.tag) % _FROM_NEIGHBOUR == 4 else AREA,
        "fixmedins_code": hospital.code if hospital else "H99010000001",
        "fixmedins_name": hospital.name if hospital else "虚构示例医院",
        "hi_setl_lv": hospital.level[:1] if hospital and hospital.level[:1] in "123" else "3",
        "bill_code": f"9901{frame.discharged:%y}01",
        "bill_no": frame.tag[2:],
        "biz_sn": f"JS{frame.tag}",
        "setl_begn_date": frame.admitted.date().isoformat(),
        "setl_end_date": frame.discharged.date().isoformat(),
        "setl_time": _wire(settled),
        "hi_paymtd": "3",
        "medfee_sumamt": yuan_text(money.total),
        "psn_selfpay": yuan_text(money.self_paid),
        "psn_ownpay": yuan_text(money.own_paid),
        "acct_pay": yuan_text(money.account),
        "psn_cashpay": yuan_text(money.cash),
    }


def _wire(moment: datetime) -> str:
    return moment.strftime(WIRE_TIME)
