"""Dialects: data, strict, each extending the national one."""

from __future__ import annotations

from pathlib import Path

import pytest

from dipgate.config.dialects import dialect_names, load_dialect
from dipgate.config.standard import field_table
from dipgate.core.errors import ConfigError


def own(state: Path, name: str, text: str) -> None:
    (state / "dialects").mkdir(exist_ok=True)
    (state / "dialects" / f"{name}.yaml").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", dialect_names())
def test_every_shipped_dialect_loads_and_names_real_fields(name: str) -> None:
    dialect = load_dialect(name)
    assert dialect.id == name
    sent = {(spec.node, spec.code) for spec in field_table(dialect.upload_infno, "in")}
    for field in dialect.compare_fields:
        assert tuple(field.split(".")) in sent
    for node, names in dialect.upload_renames.items():
        assert {(node, code) for code in names} <= sent
    known = {
        (spec.node, spec.code) for infno in ("4101", "4101A") for spec in field_table(infno, "in")
    }
    for node, names in dialect.answer_renames.items():
        for code in names.values():
            assert code == "setl_list_id" or (node, code) in known


def test_compared_fields_are_answered_by_4103() -> None:
    dialect = load_dialect("national")
    answered = set()
    for spec in field_table("4103", "out"):
        renames = dialect.answer_renames.get(spec.node, {})
        answered.add(f"{spec.node}.{renames.get(spec.code, spec.code)}")
    assert set(dialect.compare_fields) <= answered


def test_the_twin_differs_in_patience_only() -> None:
    national, twin = load_dialect("national"), load_dialect("990100")
    assert national.settle_seconds == 120
    assert twin.settle_seconds == 0.5
    assert twin.compare_fields == national.compare_fields
    assert twin.answer_renames == national.answer_renames
    assert twin.lease_seconds > twin.total_seconds


@pytest.mark.parametrize(
    ("code", "found"),
    [("990100", "990100"), ("990102", "990100"), ("430100", "national"), ("national", "national")],
)
def test_an_area_speaks_as_its_city_or_the_nation(code: str, found: str) -> None:
    assert load_dialect(code).id == found


def test_the_sites_own_file_wins(state: Path) -> None:
    own(state, "430100", 'id: "430100"\nextends: national\nbackoff: {base_seconds: "3"}\n')
    dialect = load_dialect("430102", state=state)
    assert dialect.id == "430100"
    assert (dialect.backoff.base_seconds, dialect.backoff.cap_seconds) == (3, 600)
    assert load_dialect("430102").id == "national"
    assert "430100" in dialect_names(state=state)


def test_paths_of_both_shapes(state: Path) -> None:
    assert load_dialect("national").path_of("4103").endswith("/callService")
    own(state, "b", "id: b\nextends: national\nshape: B\n")
    dialect = load_dialect("b", state=state)
    assert dialect.path_of("4101A") == "/fsi/api/medinfoupload/setllistinfoupldA"
    with pytest.raises(ConfigError, match="4103"):
        dialect.path_of("4103")


def test_what_was_surely_not_taken() -> None:
    dialect = load_dialect("national")
    assert dialect.is_not_taken(429, "")
    assert dialect.is_not_taken(503, '{"message":"限流"}')
    assert not dialect.is_not_taken(503, "")
    assert not dialect.is_not_taken(500, "限流")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("extends: national\nsetle_seconds: '1'\n", ["第2行", "'settle_seconds'"]),
        ("extends: national\nsettle_seconds: fast\n", ["第2行", "settle_seconds", "应为数字"]),
        ("extends: national\nsettle_seconds: '0'\n", ["settle_seconds", "应大于 0"]),
        ("extends: national\nsettle_seconds: nan\n", ["settle_seconds"]),
        ("extends: national\nshape: C\n", ["shape", "'A'、'B'"]),
        ("extends: national\nhonours_key: maybe\n", ["honours_key", "true"]),
        ("extends: national\nlease_seconds: '10'\n", ["lease_seconds", "total_seconds"]),
        ("extends: national\nnot_taken: [{status: '200'}]\n", ["not_taken[0].status"]),
        ("extends: national\nnot_taken: [{stats: '429'}]\n", ["'status'"]),
        ("extends: national\ncompare_fields: [diag_code]\n", ["compare_fields"]),
        ("extends: national\ncompare_fields: []\n", ["compare_fields", "至少要有 1 项"]),
        ("extends: natonal\n", ["第1行", "'national'"]),
        ("extends: x\n", ["绕成了圈"]),
        ("extends: [a]\n", ["绕成了圈"]),
        ("extends: national\nid: a\nid: b\n", ["第3行", "重复"]),
        ("- a\n", ["一组键和值"]),
        ("id: x\n", ["缺少这一项", "另有"]),
    ],
)
def test_a_broken_dialect_is_named(state: Path, text: str, says: list[str]) -> None:
    own(state, "x", text)
    with pytest.raises(ConfigError) as caught:
        load_dialect("x", state=state)
    assert "x.yaml" in str(caught.value)
    for part in says:
        assert part in str(caught.value)


def test_a_file_in_another_charset_is_named(state: Path) -> None:
    own(state, "x", "")
    (state / "dialects" / "x.yaml").write_bytes("title: 市中心".encode("gb18030"))
    with pytest.raises(ConfigError, match="UTF-8"):
        load_dialect("x", state=state)


@pytest.mark.parametrize("name", ["nationl", "../settings", "", "a/b", "x" * 50])
def test_an_unknown_name_is_refused(name: str, state: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_dialect(name, state=state)
    assert caught.value.path == "platform.dialect"
