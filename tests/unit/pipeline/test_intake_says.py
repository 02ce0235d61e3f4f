"""What intake says: open rejects, files not read, stays that wait for their front page."""

from __future__ import annotations

from pathlib import Path

from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import MapReport, map_new_stays
from dipgate.pipeline.overview import overview
from dipgate.store import inbox, rejects


def _take_in(ward) -> MapReport:  # type: ignore[no-untyped-def]
    read_sources(ward.desk)
    report = map_new_stays(ward.desk)
    judge_new_cases(ward.desk)
    return report


def _file(export: Path, table: str) -> Path:
    return next(path for path in export.iterdir() if path.name.startswith(table))


def _numbers(ward) -> tuple[int, int]:  # type: ignore[no-untyped-def]
    """Open rejects, all rejects."""
    with ward.desk.store.read() as conn:
        return len(rejects.open_rejects(conn)), len(inbox.rejected(conn))


def test_a_bill_mapped_later_leaves_the_open_list(ward) -> None:  # type: ignore[no-untyped-def]
    path = _file(ward.export, "settlement")
    good = path.read_bytes()
    day = ward.month.stays[0].settlement["setl_end_date"].replace("-", "/").encode()
    path.write_bytes(good.replace(day, b"2025/02/30", 1))
    _take_in(ward)
    assert _numbers(ward) == (1, 1)
    path.write_bytes(good.replace(day, b"2025/02/31", 1))
    _take_in(ward)
    assert _numbers(ward) == (1, 2)
    path.write_bytes(good)
    assert _take_in(ward).mapped == 1
    assert _numbers(ward) == (0, 2)
    assert overview(ward.desk).set_aside == 0
    path.write_bytes(good.replace(day, b"2025/02/30", 1))
    _take_in(ward)
    assert _numbers(ward) == (1, 2)


def test_a_row_of_a_file_exported_again_leaves_the_open_list(ward) -> None:  # type: ignore[no-untyped-def]
    path = _file(ward.export, "charge")
    good = path.read_bytes()
    lines = good.split(b"\r\n")
    lines[3] = lines[3] + b',"'
    path.write_bytes(b"\r\n".join(lines[:4]))
    _take_in(ward)
    assert _numbers(ward) == (1, 1)
    path.write_bytes(good)
    _take_in(ward)
    assert _numbers(ward) == (0, 1)


def test_a_file_not_read_is_said_and_its_stays_wait(ward) -> None:  # type: ignore[no-untyped-def]
    path = _file(ward.export, "front_page")
    good = path.read_bytes()
    path.write_bytes(b"a,b\r\n" + good.split(b"\r\n", 1)[1])
    (report,) = read_sources(ward.desk)
    mapped = map_new_stays(ward.desk)
    size = len(ward.month.stays)
    assert (mapped.mapped, mapped.waiting_for_front_page, mapped.waiting_for_bill) == (0, size, 0)
    (refused,) = overview(ward.desk).refused
    assert refused.startswith(f"{path.name} 整个文件没有读：缺少映射用到的列")
    assert report.rejected == 1
    path.write_bytes(good)
    assert _take_in(ward).mapped == size
    assert overview(ward.desk).refused == ()


def test_a_pattern_without_files_is_said(ward) -> None:  # type: ignore[no-untyped-def]
    _file(ward.export, "charge").unlink()
    (report,) = read_sources(ward.desk)
    (note,) = report.notes
    assert str(ward.export) in note
    assert "charge" in note


def test_two_rows_of_one_stay_in_one_file_are_said(ward) -> None:  # type: ignore[no-untyped-def]
    path = _file(ward.export, "front_page")
    lines = path.read_bytes().decode("gb18030").split("\r\n")
    name = ward.month.stays[0].front["coner_name"]
    lines.insert(2, lines[1].replace(name, "牛改名"))
    path.write_bytes("\r\n".join(lines).encode("gb18030"))
    (report,) = read_sources(ward.desk)
    (note,) = report.notes
    assert path.name in note
    assert "第2行" in note
    assert "第3行" in note
    assert "牛改名" not in note


def test_the_command_says_it_and_ends_with_1(ward, cli) -> None:  # type: ignore[no-untyped-def]
    state = ward.desk.store.state
    path = _file(ward.export, "front_page")
    good = path.read_bytes()
    path.write_bytes(b"a,b\r\n")
    ward.desk.store.close()
    said = cli("--state", state, "intake")
    assert said.code == 1
    assert said.out.startswith(f"{path.name} 整个文件没有读：")
    assert f"待首页 {len(ward.month.stays)}" in said.out
    assert path.name in cli("--state", state, "intake", "--rejected").out
    path.write_bytes(good)
    assert cli("--state", state, "intake").code == 0
    assert cli("--state", state, "intake", "--rejected").out == ""
    assert path.name in cli("--state", state, "intake", "--rejected", "--all").out
