"""The shipped interface tables are whole, and agree with each other."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dipgate.config import standard
from dipgate.config.standard import codeset, codesets, field_table, list_fields, wire_model
from dipgate.core.errors import ConfigError
from dipgate.core.wire import FieldType

BOTH = [(infno, way) for infno in standard.TRANSACTIONS for way in ("in", "out")]


@pytest.mark.parametrize(("infno", "direction"), BOTH)
def test_every_table_is_well_formed(infno: str, direction: str) -> None:
    specs = field_table(infno, direction)
    assert specs
    places = [(spec.node, spec.code) for spec in specs]
    assert len(set(places)) == len(places)
    for spec in specs:
        assert spec.required in ("Y", "N", "C")
        assert spec.name
        if spec.type is FieldType.NUMBER and spec.scale is not None:
            assert spec.max_length is not None
            assert spec.max_length > spec.scale
        nodes = {other.multi for other in specs if other.node == spec.node}
        assert len(nodes) == 1


@pytest.mark.parametrize(("infno", "direction"), BOTH)
def test_every_code_set_that_a_table_names_ships(infno: str, direction: str) -> None:
    shipped = codesets()
    for spec in field_table(infno, direction):
        if spec.code_set:
            assert shipped[spec.code_set]
    assert wire_model(infno, direction).nodes


def test_known_codes() -> None:
    sets = codesets()
    assert sets["gend"]["1"] == "男"
    assert sets["oprn_oprt_type"] == {"1": "主要手术及操作", "2": "其他手术及操作"}
    assert "A03" in sets["dept"]
    assert len(sets["med_chrgitm_type"]) == 14
    assert sets["naty"]["01"] == "汉族"


def test_codes_longer_than_their_field_are_the_known_ones() -> None:
    """The regulator's tables contradict themselves here; the code set wins in the checker."""
    too_long = {
        (spec.code_set, code)
        for infno, direction in BOTH
        for spec in field_table(infno, direction)
        if spec.code_set and spec.max_length
        for code in codeset(spec.code_set)
        if len(code) > spec.max_length
    }
    assert {name for name, _ in too_long} == {"dept", "fund_pay_type"}
    assert len(too_long) == 8


def test_an_unknown_transaction_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="4101A"):
        field_table("4101a", "in")
    with pytest.raises(ConfigError, match="in 或 out"):
        field_table("4101", "input")
    with pytest.raises(ConfigError):
        codeset("nothing")
    with pytest.raises(ConfigError):
        codeset("../../dialects/national")


def test_list_fields_hold_both_editions_of_the_list() -> None:
    fields = list_fields()
    assert {"psn_no", "act_ipt_days", "hsorg", "resp_nurs_code"} <= set(fields)
    assert fields["medcasno"].max_length == 30


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("code,name\n1,x\n", "列应为"),
        ("code,name,note\n1,x,\n1,y,\n", "第3行"),
        ("code,name,note\n,x,\n", "第2行"),
        ("code,name,note\n1,x\n", "列数"),
        ("code,name,note\n1,x,y,z\n", "列数"),
    ],
)
def test_a_broken_code_set_is_refused(
    monkeypatch: pytest.MonkeyPatch, body: str, what: str
) -> None:
    monkeypatch.setattr(standard, "resource_text", lambda *_parts: body)
    with pytest.raises(ConfigError, match=what):
        codeset("gend")


HEAD = "infno,direction,node,multi,seq,code,name,type,length,codeset,required,note\n"


@pytest.mark.parametrize(
    "row",
    [
        "9001,in,signIn,N,x,opter_no,操作员,字符型,20,,Y,\n",
        "9001,in,signIn,N,1,opter_no,操作员,文本,20,,Y,\n",
        "9001,in,signIn,N,1,opter_no,操作员,字符型,twenty,,Y,\n",
    ],
)
def test_a_broken_field_table_is_refused(monkeypatch: pytest.MonkeyPatch, row: str) -> None:
    monkeypatch.setattr(standard, "resource_text", lambda *_parts: HEAD + row)
    with pytest.raises(ConfigError, match="第2行"):
        field_table("9001", "in")


@pytest.mark.shared_data
@pytest.mark.parametrize("infno", standard.TRANSACTIONS)
def test_shipped_tables_are_the_verified_ones(infno: str, shared: Path) -> None:
    """Our copies differ from the checked tables in the one documented place only."""
    source = shared / "standards" / "fields" / f"{infno}.csv"
    with source.open(encoding="utf-8", newline="") as file:
        wanted = [row for row in csv.DictReader(file)]
    own = [*field_table(infno, "in"), *field_table(infno, "out")]
    assert len(own) == len(wanted)
    by_place = {(row["direction"], row["node"], row["code"]): row for row in wanted}
    different = []
    for direction in ("in", "out"):
        for spec in field_table(infno, direction):
            row = by_place[direction, spec.node, spec.code]
            mine = (spec.type.value, spec.length, spec.codeset, spec.required)
            theirs = (row["type"], row["length"], row["codeset"], row["required"])
            if mine != theirs:
                different.append(f"{spec.node}.{spec.code}")
    assert different == (["setlinfo.maindiag_flag"] if infno == "4101" else [])
