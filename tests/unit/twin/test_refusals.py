"""The twin refuses what the real platform's database refuses, in its words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import platform_kit as kit
import pytest

from dipgate.config.catalogues import activate_sample
from dipgate.config.references import References
from dipgate.config.standard import wire_model
from dipgate.core.reference import Reference
from dipgate.sync.payload import Uploader
from dipgate.twin.protocol import Refusal
from dipgate.twin.refusals import check_content, check_settlement

MODEL = wire_model("4101A", "in")
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def ref(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    state = tmp_path_factory.mktemp("catalogues")
    activate_sample(state, kit.MachineClock().now())
    return References(state, kit.HOSPITAL).on(date(2025, 3, 6))


def content() -> dict[str, Any]:
    return Uploader(kit.DIALECT).to_4101a(kit.make_list())


def setl(**values: str) -> Change:
    return lambda obj: obj["setlinfo"].update(values)


def row(node: str, **values: str) -> Change:
    return lambda obj: obj[node][0].update(values)


def again(node: str, **values: str) -> Change:
    return lambda obj: obj[node].append({**obj[node][0], **values})


def drop(node: str) -> Change:
    return lambda obj: obj.pop(node)


def test_a_right_list_is_taken(ref: Reference) -> None:
    check_content(content(), MODEL, ref)


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        (again("oprninfo", oprn_oprt_type="2"), "duplicate_procedure", "ORA-00001"),
        (setl(bill_no=""), "bill", "票据号码"),
        (setl(bill_code=" "), "bill", "票据代码"),
        (setl(medins_fill_dept=""), "reporter", "填报部门"),
        (setl(dscg_caty=""), "department", "出院科别"),
        (setl(dscg_caty="普外一"), "department", "字典"),
        (setl(refldept_dept="A04→呼吸"), "department", "转科科别【呼吸】"),
        (setl(chfpdr_code=""), "doctor", "主诊医师代码"),
        (setl(chfpdr_code="N990100000001"), "doctor", "护士编码"),
        (row("oprninfo", oper_dr_code=""), "doctor", "第1条【术者医师代码】"),
        (row("oprninfo", oper_dr_code="YS001"), "doctor", "不存在"),
        (row("oprninfo", anst_dr_code="N990100000001"), "doctor", "麻醉医师代码"),
        (lambda obj: obj["diseinfo"].append(dict.fromkeys(obj["diseinfo"][0], "")), "diagnosis",
         "第2条"),
        (lambda obj: obj["diseinfo"].clear(), "diagnosis", "不能为空"),
        (again("diseinfo"), "diagnosis", "有且只能有一条，现有2条"),
        (row("oprninfo", oprn_oprt_type="2"), "procedure", "现有0条"),
        (row("diseinfo", diag_code="K35.9"), "code", "不在医保诊断目录"),
        (row("diseinfo", diag_name="阑尾炎（急）"), "code", "不匹配"),
        (row("oprninfo", oprn_oprt_code="47.01"), "code", "不在医保手术操作目录"),
        (row("diseinfo", diag_name="长" * 501), "too_long", "ORA-12899.*1503.*1500"),
        (setl(ntly=""), "required", "国籍"),
        (setl(dscg_way="7"), "codeset", "dscg_way"),
        (setl(adm_time="2025-02-30 08:00:00"), "date", "ORA-01861"),
        (setl(nwb_bir_wt="三公斤"), "number", "ORA-01722"),
        (drop("setlinfo"), "shape", "setlinfo"),
        (lambda obj: obj.update(diseinfo=["x"]), "shape", "diseinfo"),
        (lambda obj: obj.update(icuinfo="x"), "shape", "icuinfo"),
    ],
)  # fmt: skip
def test_one_mistake_one_refusal(ref: Reference, change: Change, reason: str, words: str) -> None:
    obj = content()
    change(obj)
    with pytest.raises(Refusal, match=words) as caught:
        check_content(obj, MODEL, ref)
    assert caught.value.reason == reason


def test_the_same_procedure_at_another_time_is_no_duplicate(ref: Reference) -> None:
    obj = content()
    again("oprninfo", oprn_oprt_type="2", oprn_oprt_begntime="2025-03-03 09:00:00")(obj)
    check_content(obj, MODEL, ref)


def test_raw_database_text_lists_the_columns(ref: Reference) -> None:
    obj = content()
    again("oprninfo", oprn_oprt_type="2")(obj)
    with pytest.raises(Refusal) as caught:
        check_content(obj, MODEL, ref)
    assert "OPRN_OPRT_BEGNTIME" in caught.value.text
    assert len(caught.value.text) > 200


def test_without_catalogues_codes_are_not_judged() -> None:
    obj = content()
    row("diseinfo", diag_code="XYZ", diag_name="任何")(obj)
    check_content(obj, MODEL, Reference(day=date(2025, 3, 6)))


@pytest.mark.parametrize(
    ("info", "truth", "knows", "words"),
    [
        ({}, None, True, "未查询到结算信息"),
        ({}, {"cancelled": True}, True, "已撤销"),
        ({"psn_no": "P2"}, {"psn_no": "P1"}, True, "人员编号与结算信息不一致"),
        ({"psn_no": "P1", "mdtrt_id": "M2"}, {"psn_no": "P1", "mdtrt_id": "M1"}, True, "就诊ID"),
    ],
)
def test_the_settlement_must_stand_and_be_this_persons(
    info: dict[str, str], truth: dict[str, Any] | None, knows: bool, words: str
) -> None:
    with pytest.raises(Refusal, match=words):
        check_settlement("S1", info, truth, knows=knows)


def test_without_own_settlements_every_settlement_is_taken() -> None:
    check_settlement("S1", {}, None, knows=False)
    with pytest.raises(Refusal, match="结算ID"):
        check_settlement("", {}, None, knows=False)
