"""Tables of a policy in a CSV file beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from dipgate.config.policies import load_policy
from dipgate.core.errors import ConfigError

OVERLAY = """extends: jining_2023
policy: {id: ours}
scoring:
  institution: {table: {table_file: k.csv}}
"""


@pytest.fixture
def own(state: Path) -> Callable[..., Path]:
    """Writes the overlay `ours` and the file that it names; gives the state folder."""
    folder = state / "policies"
    folder.mkdir()

    def write(rows: str | bytes | None, text: str = OVERLAY) -> Path:
        (folder / "ours.yaml").write_text(text, encoding="utf-8")
        if rows is not None:
            data = rows.encode() if isinstance(rows, str) else rows
            (folder / "k.csv").write_bytes(data)
        return state

    return write


def test_rows_become_a_dated_table(own: Callable[..., Path]) -> None:
    rows = (
        "institution,pool,value,from,source\n"
        "H1,职工,1.04,2024-01-01,第六条\n"
        "H1,职工,1.06,2026-01-01,修订第六条\n"
        "H1,居民,0.98,,\n"
    )
    table = load_policy("ours", state=own(rows)).scoring.institution.table
    k = table.find(("H1", "职工"))
    assert k is not None
    assert k.on(date(2025, 12, 31)) == Decimal("1.04")
    assert k.on(date(2026, 1, 1)) == Decimal("1.06")
    assert k.source_on(date(2026, 1, 1)) == "修订第六条"
    other = table.find(("H1", "居民"))
    assert other is not None
    assert other.on(None) == Decimal("0.98")


def test_a_changed_file_changes_the_policy(own: Callable[..., Path]) -> None:
    first = load_policy("ours", state=own("level,value\n3,1.04\n")).digest
    assert load_policy("ours", state=own("level,value\n3,1.05\n")).digest != first


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (None, ["没有文件 k.csv", "第4行"]),
        ("", ["表头"]),
        ("level,K\n3,1\n", ["表头"]),
        ("value\n1\n", ["表头"]),
        ("level,value,until\n3,1,2\n", ["表头"]),
        ("level,value\n", ["没有数据行"]),
        ("level,value\n3,1\n3,2\n", ["第3行", "重复"]),
        ("level,value,from\n3,1,2024-01-01\n3,2,2024-01-01\n", ["第3行", "重复"]),
        ("level,value,from\n3,1,\n3,2,2024-01-01\n", ["第3行", "重复"]),
        ("level,value\n,1\n", ["第2行", "键列"]),
        ("level,value\n3\n", ["第2行", "1 列"]),
        ("level,value\n3,many\n", ["不是数字", "'3'"]),
        ("level,value,from\n3,1,2024-13-01\n", ["2024-13-01"]),
        ('level,value\n"3,1\n', ["引号"]),
        ("level,value\n三,1\n".encode("gb18030"), ["UTF-8"]),
    ],
)
def test_a_bad_table_is_refused_by_row(
    own: Callable[..., Path], rows: str | bytes | None, words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_policy("ours", state=own(rows))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "what",
    ["{table_file: ../k.csv}", "{table_file: .k}", "{table_file: null}", "{table_file: [a]}"],
)
def test_a_table_file_lies_beside_the_policy(own: Callable[..., Path], what: str) -> None:
    text = OVERLAY.replace("{table_file: k.csv}", what)
    with pytest.raises(ConfigError, match="同一目录"):
        load_policy("ours", state=own("level,value\n3,1\n", text))


def test_a_table_is_in_the_file_or_in_the_policy(own: Callable[..., Path]) -> None:
    text = OVERLAY.replace("{table_file: k.csv}", "{table_file: k.csv, '3': 1}")
    with pytest.raises(ConfigError, match="不能再写别的键"):
        load_policy("ours", state=own("level,value\n3,1\n", text))


POINTS = """extends: jining_2023
policy: {id: ours}
settlement: {price_keys: [pool, month], point_value: {table: {table_file: k.csv}}}
"""


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("month,pool,value\n2025-03,职工,8\n", ["第1行", "pool、month", "price_keys"]),
        ("pool,week,value\n职工,8,8\n", ["第1行", "pool、month"]),
        ("pool,month,value\n职工,2025-03,8\n职工,2025-3,8\n", ["第3行", "2025-3", "2025-03"]),
        ("pool,month,value\n职工,2025-03,x\n", ["k.csv 第2行", "'x'", "不是数字"]),
        ("pool,month,value\n职工,2025-13,8\n", ["k.csv 第2行", "2025-13"]),
    ],
)
def test_columns_and_months_of_point_values(
    own: Callable[..., Path], rows: str, words: list[str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_policy("ours", state=own(rows, POINTS))
    assert "ours.yaml 第3行" in str(caught.value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("pool,level,value\n职工,3,1\n", ["第1行", "/level、pool"]),
        ("district,value\n3,1\n", ["第1行", "district"]),
    ],
)
def test_columns_of_k(own: Callable[..., Path], rows: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_policy("ours", state=own(rows))
    for word in words:
        assert word in str(caught.value)


def test_months_alone_may_stand_for_all_pools_behind(own: Callable[..., Path]) -> None:
    text = POINTS.replace("[pool, month]", "[month, pool]")
    table = load_policy("ours", state=own("month,value\n2025,8\n", text)).settlement.point_value
    found = table.table.find(("2025", "职工"))
    assert found is not None
    assert found.on(None) == Decimal(8)
