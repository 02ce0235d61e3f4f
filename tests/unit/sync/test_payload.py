"""The payload has exactly the fields of the upload; the comparison sees what differs."""

from __future__ import annotations

import json
from typing import Any

import platform_kit as kit
import pytest

from dipgate.config.standard import field_table, wire_model
from dipgate.core.errors import RecordError
from dipgate.core.lists import list_of
from dipgate.sync.payload import LOCAL_EXTENSION, Comparer, Uploader, to_4101a

UPLOADER = Uploader(kit.DIALECT)


def packet_of(**info: str) -> Any:
    return UPLOADER.packet(kit.make_list(1, **info), hospital_code=kit.HOSPITAL.code, revision=1)


def test_fields_are_those_of_the_table_and_pass_its_checks() -> None:
    out = to_4101a(kit.make_list(), kit.DIALECT)
    wanted = [
        spec.code
        for spec in field_table("4101A", "in")
        if spec.node == "setlinfo" and not spec.note.startswith(LOCAL_EXTENSION)
    ]
    assert list(out["setlinfo"]) == [*wanted, "ipt_med_type"]
    assert set(out) == {
        "setlinfo", "opspdiseinfo", "diseinfo", "oprninfo", "icuinfo", "bldinfo",
    }  # fmt: skip
    assert out["icuinfo"] == []
    assert wire_model("4101A", "in").check(out) == ()


def test_person_and_money_fields_stay_at_home() -> None:
    text = UPLOADER.packet(kit.make_list(), hospital_code="H", revision=1).payload.decode()
    assert "甲某" not in text
    assert "9000.00" not in text


def test_empty_values_are_as_the_dialect_says() -> None:
    info = to_4101a(kit.make_list(), kit.DIALECT)["setlinfo"]
    assert info["nwb_bir_wt"] == "0"
    assert info["curr_addr"] == ""
    other = kit.DIALECT.model_copy(update={"empty_number": "", "submit_status": "0"})
    info = to_4101a(kit.make_list(), other)["setlinfo"]
    assert info["nwb_bir_wt"] == ""
    assert info["stas_type"] == "0"


def test_a_status_of_the_list_itself_wins() -> None:
    assert to_4101a(kit.make_list(1, stas_type="0"), kit.DIALECT)["setlinfo"]["stas_type"] == "0"


def test_names_are_the_dialects() -> None:
    dialect = kit.DIALECT.model_copy(
        update={"upload_renames": {"setlinfo": {"nwb_bir_wt": "nwbbirwt"}}}
    )
    info = to_4101a(kit.make_list(1, nwb_bir_wt="3200"), dialect)["setlinfo"]
    assert info["nwbbirwt"] == "3200"
    assert "nwb_bir_wt" not in info


def test_same_list_same_bytes_whatever_the_order_of_its_fields() -> None:
    lst = kit.make_list()
    turned = list_of(
        {
            node: dict(reversed(value.items())) if isinstance(value, dict) else value
            for node, value in reversed(lst.as_object().items())
        }
    )
    one = UPLOADER.packet(lst, hospital_code="H", revision=1)
    two = UPLOADER.packet(turned, hospital_code="H", revision=1)
    assert one.payload == two.payload
    assert len(one.digest) == 64
    assert one.key == f"H/S00000001/1/{one.digest}"


def test_another_content_is_another_key() -> None:
    assert packet_of().key != packet_of(dscg_way="2").key


@pytest.mark.parametrize("field", ["setl_id", "psn_no", "mdtrt_id"])
def test_a_list_the_platform_could_not_place_is_set_aside(field: str) -> None:
    with pytest.raises(RecordError, match=field) as caught:
        packet_of(**{field: " "})
    assert caught.value.place.field == f"setlinfo.{field}"
    assert caught.value.remedy


def answered(**changes: object) -> dict[str, Any]:
    """A 4103 answer with the names that the platform uses there."""
    sent = json.loads(packet_of().payload)
    info = dict(sent["setlinfo"])
    info["adm_way_code"] = info.pop("adm_way")
    info["setl_begndate"] = info.pop("setl_begn_date")
    info["setl_end_date"] += " 00:00:00"
    return {**sent, "setlinfo": {**info, **changes}}


COMPARER = Comparer(kit.DIALECT)


def test_the_same_list_is_recognised_under_the_answers_names() -> None:
    assert COMPARER.differences(packet_of().payload, answered()) == ()


def test_what_differs_is_named_and_no_value_is_shown() -> None:
    found = COMPARER.differences(packet_of().payload, answered(bill_no="9", adm_way_code="2"))
    assert found == ("setlinfo.adm_way", "setlinfo.bill_no")


def test_order_of_rows_does_not_matter_but_content_does() -> None:
    second = {
        "diag_type": "1",
        "diag_code": "J18.900",
        "diag_name": "肺炎",
        "adm_cond_type": "1",
        "maindiag_flag": "0",
    }
    lst = kit.make_list().with_row("diseinfo", second)
    payload = UPLOADER.packet(lst, hospital_code="H", revision=1).payload
    answer = answered()
    answer["diseinfo"] = [second, *answer["diseinfo"]]
    assert COMPARER.differences(payload, answer) == ()
    assert COMPARER.differences(packet_of().payload, answer) == ("diseinfo",)
    answer["diseinfo"] = None
    assert COMPARER.differences(payload, answer) == ("diseinfo",)


def test_numbers_and_dates_are_compared_by_meaning() -> None:
    dialect = kit.DIALECT.model_copy(
        update={
            "compare_fields": ("setlinfo.nwb_bir_wt", "setlinfo.setl_end_date", "bldinfo.bld_amt"),
            "upload_renames": {"setlinfo": {"nwb_bir_wt": "nwbbirwt"}},
        }
    )
    lst = kit.make_list(1, nwb_bir_wt="3200")
    payload = Uploader(dialect).packet(lst, hospital_code="H", revision=1).payload
    answer = {"setlinfo": {"nwb_bir_wt": "3200.00", "setl_end_date": "2025-03-06 00:00:00"}}
    assert Comparer(dialect).differences(payload, answer) == ()
    answer["setlinfo"]["nwb_bir_wt"] = "三千"
    assert Comparer(dialect).differences(payload, answer) == ("setlinfo.nwb_bir_wt",)
