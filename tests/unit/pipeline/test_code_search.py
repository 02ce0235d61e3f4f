"""The order of hits, what each carries, and a coder's habits put to the search."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import delete, insert

from dipgate.config.references import References
from dipgate.core.clock import FixedClock
from dipgate.core.reference import CodeMap, CodeTable, MapEntry, NotPrincipal, Reference
from dipgate.pipeline.code_search import CodeKind, Found, barred_as_principal, prepare, search_codes
from dipgate.pipeline.desk import Desk
from dipgate.service.wiring import open_desk
from dipgate.store.desk_tables import code_usage

DX, OP = CodeKind.DIAGNOSIS, CodeKind.PROCEDURE
DAY = date(2025, 3, 1)
NAMES = {
    "K35.800x001": "急性阑尾炎",
    "K35.800": "急性阑尾炎，其他未特指",
    "K35.300": "急性阑尾炎伴局限性腹膜炎",
    "K35.200": "急性阑尾炎伴有弥漫性腹膜炎",
    "K35.301": "急性阑尾炎伴腹膜脓肿",
    "K36.x00x003": "亚急性阑尾炎",
    "N28.902": "输尿管肿物",
    "N15.101": "肾脓肿",
}
SURGERY, URINARY = "A04.01", "A04.04"


def entry(source: str, name: str, target: str, row: int) -> MapEntry:
    return MapEntry(source, name, target, NAMES[target], "national", "2.0", row)


REF = Reference(
    day=DAY,
    icd10=CodeTable("icd10", "2.0", DAY, NAMES),
    icd9cm3=CodeTable(
        "icd9cm3",
        "2.0",
        DAY,
        {"47.0100": "腹腔镜下阑尾切除术", "47.0900": "其他阑尾切除术"},
        {"category": {"47.0100": "手术"}},
    ),
    icd10_map=CodeMap(
        "icd10-map",
        ("national:2.0",),
        {
            "K35.901": (entry("K35.901", "急性化脓性阑尾炎", "K35.800x001", 7),),
            "K35.x901": (
                entry("K35.x901", "阑尾炎急性发作", "K35.300", 8),
                entry("K35.x901", "阑尾炎急性发作", "K35.200", 9),
            ),
        },
    ),
    not_principal={
        "K35.800": NotPrincipal("K35.800", True, True, "gray-parent", "D031"),
        "K36.x00x003": NotPrincipal("K36.x00x003", True, False, "cardiac-function-class", "D061"),
        "N15.101": NotPrincipal("N15.101", False, True, "本地规定", ""),
        "N28.902": NotPrincipal("N28.902", False, True, "a-new-word", "D099"),
    },
)


@dataclass
class Fixed:
    """Catalogues that are the same on every day."""

    ref: Reference

    def on(self, day: date) -> Reference:
        return replace(self.ref, day=day)


@pytest.fixture
def opened(sample_state: Path, clock: FixedClock) -> Iterator[Desk]:
    with open_desk(sample_state, sample_state / "site.toml", clock=clock) as desk:
        yield desk


def with_reference(desk: Desk, ref: Reference) -> Desk:
    return replace(desk, references=Fixed(ref))  # type: ignore[arg-type]


@pytest.fixture
def desk(opened: Desk) -> Desk:
    return with_reference(opened, REF)


def give_uses(desk: Desk, uses: Mapping[tuple[str, str], Mapping[str, int]]) -> None:
    """(kind, ward) → code → uses, with the sums; as if lists had been counted."""
    rows: dict[tuple[str, str, str], int] = {("", "", ""): 1}
    for (kind, ward), codes in uses.items():
        for code, number in codes.items():
            rows[kind, ward, code] = number
            rows[kind, "", code] = rows.get((kind, "", code), 0) + number
    values = [
        {"kind": kind, "department": ward, "code": code, "uses": number}
        for (kind, ward, code), number in rows.items()
    ]

    def write(conn: object) -> None:
        conn.execute(delete(code_usage))  # type: ignore[attr-defined]
        conn.execute(insert(code_usage), values)  # type: ignore[attr-defined]

    desk.store.write(write)


def find(desk: Desk, typed: str, kind: CodeKind = DX, **more: object) -> Found:
    return search_codes(desk, typed, kind=kind, day=DAY, **more)  # type: ignore[arg-type]


def codes(found: Found) -> list[str]:
    return [hit.code for hit in found.hits]


def test_exact_then_used_here_then_the_rest(desk: Desk) -> None:
    give_uses(desk, {("icd10", SURGERY): {"K35.300": 61, "K35.200": 9, "K36.x00x003": 1}})
    plain = find(desk, "jxlwy", department=SURGERY)
    assert codes(plain) == [
        "K35.300",
        "K35.200",
        "K36.x00x003",  # used once, and still before what nobody uses
        "K35.800x001",
        "K35.301",
        "K35.800",
    ]
    assert [hit.uses for hit in plain.hits[:3]] == [61, 9, 1]
    assert codes(find(desk, "急性阑尾炎", department=SURGERY))[:2] == ["K35.800x001", "K35.300"]
    assert codes(find(desk, "K35.800", department=SURGERY))[0] == "K35.800"
    assert codes(find(desk, "k35", department=SURGERY)) == [
        "K35.300",
        "K35.200",
        "K35.301",
        "K35.800",
        "K35.800x001",
    ]


def test_use_elsewhere_counts_less_than_use_here(desk: Desk) -> None:
    uses = {("icd10", SURGERY): {"K35.200": 2}, ("icd10", URINARY): {"K35.301": 400}}
    give_uses(desk, uses)
    here = find(desk, "jxlwyb", department=SURGERY)
    assert codes(here) == ["K35.200", "K35.301", "K35.300"]
    assert [(hit.uses, hit.uses_elsewhere) for hit in here.hits] == [(2, 0), (0, 400), (0, 0)]
    there = find(desk, "jxlwyb", department=URINARY)
    assert codes(there)[0] == "K35.301"
    assert there.hits[0].uses_elsewhere == 0
    assert [hit.uses for hit in find(desk, "jxlwyb").hits] == [0, 0, 0]


def test_letters_scattered_over_a_rare_name_do_not_come_first(desk: Desk) -> None:
    give_uses(desk, {("icd10", URINARY): {"N28.902": 1}})
    assert codes(find(desk, "snz", department=URINARY))[0] == "N15.101"


def test_counts_are_read_again_when_lists_change(desk: Desk) -> None:
    give_uses(desk, {("icd10", SURGERY): {"K35.200": 5}})
    assert codes(find(desk, "jxlwyb", department=SURGERY))[0] == "K35.200"

    def count(conn: object) -> None:
        conn.execute(  # type: ignore[attr-defined]
            insert(code_usage),
            [
                {"kind": "icd10", "department": ward, "code": "K35.300", "uses": 50}
                for ward in ("", SURGERY)
            ],
        )
        conn.execute(  # type: ignore[attr-defined]
            code_usage.update().where(code_usage.c.kind == "").values(uses=2)
        )

    desk.store.write(count)
    assert codes(find(desk, "jxlwyb", department=SURGERY))[0] == "K35.300"


def test_barred_codes_are_grey_with_the_reason_and_never_hidden(desk: Desk) -> None:
    found = find(desk, "jxlwy", principal=True)
    last = found.hits[-1]
    assert (last.code, last.grey) == ("K35.800", True)
    assert last.barred is not None
    assert last.barred.sentence == "不能作主要诊断，选细码"
    assert last.barred.rule == "D031"
    assert not any(hit.grey for hit in found.hits[:-1])
    other = find(desk, "jxlwy")
    assert not any(hit.grey for hit in other.hits)
    assert {hit.code for hit in other.hits if hit.barred} == {"K35.800"}
    exact = find(desk, "K35.800", principal=True).hits[0]
    assert (exact.code, exact.grey, exact.exact) == ("K35.800", True, True)


def test_the_edition_decides_which_list_bars(desk: Desk) -> None:
    newer = replace(REF, edition="3.0")
    assert barred_as_principal(REF, "K36.x00x003") is None
    barred = barred_as_principal(newer, "K36.x00x003")
    assert barred is not None
    assert (barred.reason, barred.source) == ("只记心功能分级", "DIP 3.0 不纳入分组的主要诊断")
    old = barred_as_principal(REF, "N15.101")
    assert old is not None
    assert (old.sentence, old.source) == ("不能作主要诊断，本地规定", "CHS-DRG 1.1 主诊表")
    assert barred_as_principal(newer, "N15.101") is None
    assert barred_as_principal(replace(REF, not_principal=None), "K35.800") is None
    unknown = barred_as_principal(REF, "N28.902")
    assert unknown is not None
    assert unknown.sentence == "不能作主要诊断"
    hits = {
        hit.code: hit for hit in find(with_reference(desk, newer), "yjxlwy", principal=True).hits
    }
    assert hits["K36.x00x003"].grey


def test_every_reason_of_the_sample_has_words(opened: Desk) -> None:
    ref = opened.reference(DAY)
    assert ref.not_principal
    for edition in ("2.0", "3.0"):
        dated = replace(ref, edition=edition)
        barred = [barred_as_principal(dated, code) for code in ref.not_principal]
        assert all(item.reason for item in barred if item)
        assert any(barred)


def test_a_clinical_code_says_where_it_comes_from(desk: Desk) -> None:
    hit = find(desk, "K35.901").hits[0]
    assert hit.code == "K35.800x001"
    assert hit.clinical is not None
    assert (hit.clinical.source_code, hit.clinical.row, hit.targets) == ("K35.901", 7, 1)
    both = find(desk, "k35.x901").hits
    assert {hit.code for hit in both} == {"K35.300", "K35.200"}
    assert [hit.targets for hit in both] == [2, 2]
    by_name = find(desk, "急性化脓").hits[0]
    assert by_name.clinical is not None
    assert find(desk, "急性阑尾炎").hits[0].clinical is None


def test_procedures_have_their_category_and_no_bar(desk: Desk) -> None:
    hits = find(desk, "lwqcs", OP, principal=True).hits
    assert [hit.code for hit in hits] == ["47.0900", "47.0100"]
    assert (hits[1].category, hits[1].barred, hits[1].grey) == ("手术", None, False)


def test_nothing_typed_shows_what_is_usual(desk: Desk) -> None:
    assert find(desk, "").hits == ()
    uses = {("icd10", SURGERY): {"K35.300": 6, "K35.200": 9, "Z99.999": 3}}
    give_uses(desk, uses)
    assert codes(find(desk, "", department=SURGERY)) == ["K35.200", "K35.300"]
    assert codes(find(desk, "  ", department=URINARY)) == ["K35.200", "K35.300"]


def test_more_hits_than_shown_are_announced(desk: Desk) -> None:
    found = find(desk, "j", limit=2)
    assert (len(found.hits), found.more) == (2, True)
    assert not find(desk, "jxlwybj", limit=2).more


def test_notes_say_what_was_read_differently_or_not_checked(desk: Desk) -> None:
    wide = find(desk, "ＪＸＬＷＹ")
    assert wide.read == "jxlwy"
    assert codes(wide) == codes(find(desk, "jxlwy"))
    assert wide.notes == ("全角字符已按半角查找",)
    assert find(desk, "急性，阑尾炎").hits[0].code == "K35.800x001"
    blind = with_reference(desk, replace(REF, not_principal=None))
    assert "没有标灰" in find(blind, "jx", principal=True).notes[0]
    assert find(blind, "jx").notes == ()
    bare = with_reference(desk, replace(REF, icd10=None))
    assert find(bare, "jx").notes == ("没有导入诊断目录，查不了代码",)
    assert find(bare, "jx").hits == ()
    unmapped = with_reference(desk, replace(REF, icd10_map=None))
    assert codes(find(unmapped, "K35.300")) == ["K35.300"]


def test_a_code_that_left_the_catalogue_is_no_hit(desk: Desk) -> None:
    give_uses(desk, {("icd10", SURGERY): {"K35.999": 900}})
    assert find(desk, "k35.999", department=SURGERY).hits == ()


def test_an_index_is_built_once_per_catalogue_and_few_are_kept(desk: Desk) -> None:
    assert REF.icd10 is not None
    first = desk.codes.index(REF.icd10, REF.icd10_map)
    assert desk.codes.index(REF.icd10, REF.icd10_map) is first
    tables = [CodeTable("icd10", str(n), DAY, {"A00": "霍乱"}) for n in range(6)]
    for table in tables:
        desk.codes.index(table, None)
    assert desk.codes.index(REF.icd10, REF.icd10_map) is not first


def test_lists_are_counted_as_they_are_judged(ward: object) -> None:
    from dipgate.pipeline.intake import read_sources
    from dipgate.pipeline.judge_stage import judge_new_cases
    from dipgate.pipeline.map_stage import map_new_stays
    from dipgate.store import code_usage as counts

    desk: Desk = ward.desk  # type: ignore[attr-defined]
    read_sources(desk)
    map_new_stays(desk)
    judge_new_cases(desk)
    with desk.store.read() as conn:
        found = counts.uses(conn, "icd10")
        wards = counts.departments(conn)
    assert sum(found.values()) > 0
    assert desk.store.write(counts.note_uncounted) == 0
    prepare(desk)
    code, number = max(found.items(), key=lambda item: item[1])
    hits = search_codes(desk, code, kind=DX, department=wards[0]).hits
    assert hits[0].code == code
    assert hits[0].uses + hits[0].uses_elsewhere == number


def test_counts_of_a_dropped_index_go_with_it(desk: Desk) -> None:
    give_uses(desk, {("icd10", SURGERY): {"K35.200": 5}})
    shelf = desk.codes
    for number in range(12):
        table = CodeTable("icd10", str(number), DAY, {f"A{number:02d}": "霍乱", "K35.200": "甲"})
        index = shelf.index(table, None)
        with desk.store.read() as conn:
            uses = shelf.uses(conn, index, "icd10", SURGERY)
        assert list(index.find(index.query("hl"), uses.known)) == [f"A{number:02d}"]
        assert uses.here == {"K35.200": 5}
    assert len({key[0] for key in shelf._uses}) <= 4


# --- habits ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def habits(checkout: Path) -> ModuleType:
    """The synthetic habits that the benchmark uses too."""
    path = checkout / "tests" / "benchmarks" / "search_habits.py"
    spec = importlib.util.spec_from_file_location("search_habits", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def answers(opened: Desk, habits: ModuleType) -> Callable[[Reference, object], object]:
    """The score of a world's searches, each through the whole search."""

    def put(ref: Reference, world: object) -> object:
        desk = with_reference(opened, ref)
        give_uses(desk, world.uses)  # type: ignore[attr-defined]

        def search(habit: object) -> str:
            kind = CodeKind(habit.kind)  # type: ignore[attr-defined]
            found = search_codes(
                desk,
                habit.typed,  # type: ignore[attr-defined]
                kind=kind,
                department=habit.ward,  # type: ignore[attr-defined]
                principal=kind is DX,
            )
            return found.hits[0].code if found.hits else ""

        return habits.ask(world, search)

    return put


def test_habits_on_the_sample(
    sample_state: Path, habits: ModuleType, answers: Callable[..., object]
) -> None:
    ref = References(sample_state, None).on(DAY)
    wards = {"A03.01": ("A B C D E F G H I J", "0 1 2 3"), "A04.01": ("K M N O S", "4 5 6 7 8 9")}
    score = answers(ref, habits.make_world(ref, wards=wards, count=80, seed=3))
    assert score.share() >= 0.9, (score.right, score.asked)  # type: ignore[attr-defined]


@pytest.mark.shared_data
@pytest.mark.parametrize("seed", [20250616, 7])
def test_the_first_hit_is_right_nine_times_in_ten(
    shared: Path, habits: ModuleType, answers: Callable[..., object], seed: int
) -> None:
    ref = habits.national(shared)
    world = habits.make_world(ref, count=300, seed=seed)
    assert len(world.habits) == 300
    score = answers(ref, world)
    assert score.share() >= 0.9, (score.right, score.asked)  # type: ignore[attr-defined]


@pytest.mark.shared_data
def test_a_world_is_the_same_each_time(shared: Path, habits: ModuleType) -> None:
    ref = habits.national(shared)
    first, again = (habits.make_world(ref, count=50) for _ in range(2))
    assert first.habits == again.habits


@pytest.mark.shared_data
def test_spoken_words_stand_for_names_of_the_national_lists(
    shared: Path, habits: ModuleType
) -> None:
    from dipgate.config.readings import spoken_words

    ref = habits.national(shared)
    names = [*ref.icd10.names.values(), *ref.icd9cm3.names.values()]
    assert [long for long, _ in spoken_words() if not any(long in name for name in names)] == []
