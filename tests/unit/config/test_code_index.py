"""What is typed finds the code: initials, pinyin, characters, codes, and any mixture of them."""

from __future__ import annotations

from datetime import date

import pytest

from dipgate.config import readings
from dipgate.config.code_index import CodeIndex, How, Match, folded
from dipgate.config.code_query import LONGEST
from dipgate.config.readings import readings_of, spoken_words
from dipgate.core.errors import ConfigError
from dipgate.core.reference import CodeMap, CodeTable, MapEntry

NAMES = {
    "K35.800x001": "急性阑尾炎",
    "K35.800": "急性阑尾炎，其他未特指",
    "K35.300": "急性阑尾炎伴局限性腹膜炎",
    "K35.200": "急性阑尾炎伴有弥漫性腹膜炎",
    "K65.000": "急性腹膜炎",
    "K29.100x001": "急性胃炎",
    "I10.x05": "高血压3级",
    "D62.x00": "急性失血性贫血",
    "I25.103": "冠状动脉粥样硬化性心脏病",
    "E11.900": "2型糖尿病",
    "C16.900": "胃恶性肿瘤",
    "D56.100": "β型地中海贫血",
    "H40.900": "青光眼",
    "H35.000x011": "绿斑病",
    "D46.900x006": "治疗相关性AML和MDS",
    "A17.000+G01*": "结核性脑膜炎",
    "Q87.100x903": "罗比诺综合征[Robinow综合征]",
    "K07.400": "错𬌗",
    "M20.100": "长行血薄露着拇外翻",
}
PROCEDURES = {
    "00.6600": "经皮冠状动脉腔内血管成形术[PTCA]",
    "47.0100": "腹腔镜下阑尾切除术",
    "17.9A00": "针刺治疗",
}


def entry(source: str, name: str, target: str, row: int = 2) -> MapEntry:
    return MapEntry(source, name, target, NAMES.get(target, ""), "national", "2.0", row)


MAP = CodeMap(
    "icd10-map",
    ("national:2.0",),
    {
        "K35.901": (entry("K35.901", "急性化脓性阑尾炎", "K35.800x001"),),
        "K35.x901": (
            entry("K35.x901", "阑尾炎急性发作", "K35.300"),
            entry("K35.x901", "阑尾炎急性发作", "K35.200"),
        ),
        "K65.000": (entry("K65.000", "急性腹膜炎", "K65.000"),),
        "Z99.x01": (entry("Z99.x01", "去向不在目录里", "Z99.900"),),
    },
)


@pytest.fixture(scope="module")
def index() -> CodeIndex:
    table = CodeTable("icd10", "2.0", date(2025, 1, 1), NAMES)
    return CodeIndex(table, MAP, spoken_words())


def best(index: CodeIndex, typed: str) -> list[Match]:
    found = index.find(index.query(typed)).values()
    return sorted(found, key=lambda match: (-match.how, -match.fit, match.length, match.code))


def first(index: CodeIndex, typed: str) -> str:
    found = best(index, typed)
    return found[0].code if found else ""


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("jxlwy", "K35.800x001"),
        ("JXLWY", "K35.800x001"),
        ("jxlwyjx", "K35.300"),  # words skipped: 急性阑尾炎伴局限…
        ("jxlwymm", "K35.200"),
        ("jixinglanweiyan", "K35.800x001"),
        ("jixinglwy", "K35.800x001"),
        ("jxlanwei", "K35.800x001"),
        ("lanweiyanbanyoumi", "K35.200"),
        ("急性lwy", "K35.800x001"),
        ("阑尾炎 弥漫", "K35.200"),
        ("弥漫 阑尾炎", "K35.200"),
        ("阑尾炎腹膜炎", "K35.300"),
        ("急性阑尾炎，其他", "K35.800"),
        ("急性阑尾炎其他", "K35.800"),
        ("2xtnb", "E11.900"),
        ("２ｘｔｎｂ", "E11.900"),
        ("gxy3j", "I10.x05"),
        ("gxb", "I25.103"),
        ("冠心病", "I25.103"),
        ("guanxinbing", "I25.103"),
        ("胃癌", "C16.900"),
        ("weiai", "C16.900"),
        ("aml", "D46.900x006"),
        ("bxdzhpx", "D56.100"),
        ("robinow", "Q87.100x903"),
        ("cuohe", "K07.400"),
        ("错𬌗", "K07.400"),
        ("结核性脑膜炎", "A17.000+G01*"),
    ],
)
def test_a_name_is_found_as_people_type_it(index: CodeIndex, typed: str, code: str) -> None:
    assert first(index, typed) == code


@pytest.mark.parametrize(
    "typed",
    ["shixuexing", "shixiexing", "sxx", "jixingshixue", "jixingshixie"],
)
def test_a_polyphonic_character_is_found_by_each_reading(index: CodeIndex, typed: str) -> None:
    assert first(index, typed) == "D62.x00"


@pytest.mark.parametrize("typed", ["lvban", "luban", "lb"])
def test_u_with_dots_is_typed_as_v_or_u(index: CodeIndex, typed: str) -> None:
    assert first(index, typed) == "H35.000x011"


@pytest.mark.parametrize(
    "typed",
    ["changxingxue", "zhanghangxie", "zhanghengxuebaoluzhao", "changhangxieboluzhe", "chxblz"],
)
def test_many_polyphonic_characters_cost_no_product_of_readings(
    index: CodeIndex, typed: str
) -> None:
    assert first(index, typed) == "M20.100"
    lines = index._text.strip("\n").split("\n")
    assert sum(index._alphabet.encode("长行血薄露着") in line for line in lines) == 1


def test_a_run_that_can_be_cut_in_two_ways_is_read_both_ways(index: CodeIndex) -> None:
    table = CodeTable("icd10", "1", date(2025, 1, 1), {"A": "西安型肝炎", "B": "先天性肝炎"})
    small = CodeIndex(table)
    assert {match.code for match in best(small, "xian")} == {"A", "B"}
    assert first(small, "xi'an") == "A"
    assert len(index.query("fangan" * 6).readings) <= 6


def test_a_syllable_still_being_typed_finds_too(index: CodeIndex) -> None:
    for end in range(4, len("jixinglanweiyanbanjuxianxing") + 1):
        typed = "jixinglanweiyanbanjuxianxing"[:end]
        assert "K35.300" in {match.code for match in best(index, typed)}, typed


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("K35.800x001", "K35.800x001"),
        ("k35.800X001", "K35.800x001"),
        ("Ｋ３５．８００ｘ００１", "K35.800x001"),
        (" K35.800 ", "K35.800"),
        ("k35800x001", "K35.800x001"),
        ("I10.X05", "I10.x05"),
        ("A17.000+G01*", "A17.000+G01*"),
    ],
)
def test_the_exact_code_comes_first_however_it_is_written(
    index: CodeIndex, typed: str, code: str
) -> None:
    found = best(index, typed)
    assert (found[0].code, found[0].how) == (code, How.EXACT_CODE)


def test_the_beginning_of_a_code_finds_all_below_it(index: CodeIndex) -> None:
    wanted = {"K35.800x001", "K35.800", "K35.300", "K35.200"}
    for typed in ("k35", "K35.", "k3５"):
        found = best(index, typed)
        assert {match.code for match in found} == wanted
    assert {m.how for m in best(index, "k358")} == {How.CODE_PREFIX}


def test_a_procedure_that_lost_its_zero_is_found() -> None:
    index = CodeIndex(CodeTable("icd9cm3", "2.0", date(2025, 1, 1), PROCEDURES))
    assert first(index, "0.66") == "00.6600"
    assert first(index, "47.01") == "47.0100"
    assert first(index, "4701") == "47.0100"
    assert first(index, "17.9a") == "17.9A00"
    assert first(index, "ptca") == "00.6600"
    assert first(index, "fqjlw") == "47.0100"


def test_a_clinical_code_finds_what_it_becomes(index: CodeIndex) -> None:
    found = best(index, "k35.901")
    assert (found[0].code, found[0].how) == ("K35.800x001", How.EXACT_CLINICAL_CODE)
    assert found[0].clinical is not None
    assert found[0].clinical.source_name == "急性化脓性阑尾炎"
    both = best(index, "K35.x901")
    assert [match.code for match in both[:2]] == ["K35.200", "K35.300"]
    begun = {match.code: match for match in best(index, "K35.90")}
    assert begun["K35.800x001"].how is How.CLINICAL_PREFIX
    assert best(index, "Z99.x01") == []


def test_a_clinical_name_finds_what_it_becomes(index: CodeIndex) -> None:
    for typed in ("急性化脓性阑尾炎", "jxhnxlwy", "化脓"):
        found = best(index, typed)
        assert found[0].code == "K35.800x001"
        assert found[0].clinical is not None
        assert found[0].clinical.source_code == "K35.901"
    # Where the official name fits as well, the map is not spoken of.
    assert best(index, "急性腹膜炎")[0].clinical is None


def test_exact_names_are_exact_only_when_nothing_is_left_open(index: CodeIndex) -> None:
    def how(typed: str) -> How:
        return best(index, typed)[0].how

    assert how("急性阑尾炎") is How.EXACT_NAME
    assert how("jixinglanweiyan") is How.EXACT_NAME
    assert how("急性化脓性阑尾炎") is How.EXACT_CLINICAL_NAME
    assert how("jxlwy") is How.NAME
    assert how("急性阑尾") is How.NAME
    assert how("jixinglanweiya") is How.NAME


def test_near_names_fit_better_than_far_ones(index: CodeIndex) -> None:
    order = [match.code for match in best(index, "jxfmy")]
    assert order[0] == "K65.000"
    fits = {match.code: match.fit for match in best(index, "阑尾")}
    assert fits["K35.800x001"] > {m.code: m.fit for m in best(index, "急尾炎")}["K35.800x001"]


def test_codes_in_use_are_found_even_behind_many_others() -> None:
    names = {f"A{n:04d}": f"甲病{'丙' * (n % 7)}" for n in range(2_000)}
    names["Z0001"] = "甲状腺很长很长很长很长很长的病"
    index = CodeIndex(CodeTable("icd10", "1", date(2025, 1, 1), names))
    query = index.query("j")
    assert "Z0001" not in index.find(query)
    found = index.find(query, index.known({"Z0001"}))
    assert "Z0001" in found
    assert len(found) < 400
    assert "Z0001" in index.find(index.query("jb"), index.known({"Z0001"}))
    assert "A1999" in index.find(index.query("a1"), index.known({"A1999"}))


@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "'",
        "，。（）",
        "[^",
        "(?:a+)+$",
        ".*",
        "\\",
        "\n\n急",
        "急\x00性",
        "\u202e急性",
        "🙂",
        "jxlwy🙂",
        "<img src=x onerror=alert(1)>",
        "zh" * 500,
        "eng " * 500,
        "a" * 10_000,
        "急" * 10_000,
        "'" * 300,
        "k" + "35" * 400,
        "_",
        "ÀÉ",
        "ﬁ",
    ],
)
def test_anything_may_be_typed(index: CodeIndex, typed: str) -> None:
    query = index.query(typed)
    assert len(query.text) <= LONGEST
    assert len(query.readings) <= 6
    assert len(index.find(query)) <= len(NAMES)


def test_marks_between_characters_do_not_matter(index: CodeIndex) -> None:
    assert folded("急性阑尾炎，其他（未特指）[Ａ-β]") == "急性阑尾炎其他未特指aβ"
    assert first(index, "急性，阑尾炎 其他") == "K35.800"


def test_an_empty_table_and_names_without_a_letter_are_no_trouble() -> None:
    empty = CodeIndex(CodeTable("icd10", "1", date(2025, 1, 1), {}))
    assert empty.find(empty.query("jx")) == {}
    odd = CodeIndex(CodeTable("icd10", "1", date(2025, 1, 1), {"A00": "——", "A01": "甲"}))
    assert list(odd.find(odd.query("j"))) == ["A01"]
    assert list(odd.find(odd.query("a00"))) == ["A00"]


def test_readings_are_letters_only() -> None:
    found = readings_of("长绿a1，β嗯㐂")
    assert set(found["长"]) == {"chang", "zhang"}
    assert {"lv", "lu"} <= set(found["绿"])
    assert found["β"] == ("b",)
    assert not {"a", "1", "，"} & set(found)
    assert all(form.isascii() and form.isalpha() for forms in found.values() for form in forms)


def test_spoken_words_are_checked_when_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ("恶性肿瘤", "癌") in spoken_words()
    for text, where in (
        ("official,said\na,b\n", "表头"),
        ("official,spoken\na,\n", "第2行"),
        ("official,spoken\na,b\na,b\n", "第3行"),
    ):
        monkeypatch.setattr(readings, "resource_text", lambda *_, text=text: text)
        with pytest.raises(ConfigError, match=where):
            spoken_words()
