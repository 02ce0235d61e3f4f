"""The national 3.0 workbook, written here at its full size: what is read, and each refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import date
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from dipgate.config.catalogues import ImportReport
from dipgate.config.libraries import import_library, list_libraries, load_library
from dipgate.config.library_workbook import facts
from dipgate.config.policies import load_policy
from dipgate.config.row_errors import BadRows
from dipgate.core.clock import FixedClock
from dipgate.core.errors import RecordError
from dipgate.core.hashing import bytes_hash
from dipgate.core.library import NotMain, OpNotMain, PrimaryCareRow
from dipgate.pregrouper import compile_library

DAY = date(2025, 1, 1)
Line = list[Any]
Book = dict[str, list[Line]]
"""Sheet → every row from the first, headings and all."""
Import = Callable[..., ImportReport]

XQ, BX, JC = "一、先期分组", "二、并项规则下的核心病种", "四、基础规则下的核心病种"
BURNS, TUMOURS, TB = (f"三、诊断辅助细分-{word}类病种" for word in ("烧伤", "肿瘤", "结核"))
RESISTANT, PRIMARY = "附表—结核耐药诊断", "六、基层病种"
NO_DX, NO_OP = "五、不纳入分组的主要诊断", "五、不纳入分组的主要手术操作"
ANY_POSITION = "手术操作中包含即可，不限定为主要手术操作"
LIMITED = "A00-A09|C15-C26|\nK20-K93作为主要诊断，可作为主要手术操作"


def _keys() -> Iterator[str]:
    """Subcategories `A00.0` … in the order of ICD-10."""
    return (f"{chr(65 + n // 1000)}{n // 10 % 100:02}.{n % 10}" for n in count())


def _ops() -> Iterator[str]:
    return (f"{n // 10_000:02}.{n % 10_000:04}" for n in count(10_000))


def _book(rows: dict[str, int] | None = None) -> Book:
    """A workbook of the national form; `rows`: how many each sheet has, the scheme's by default."""
    known = facts()
    size = {sheet.sheet: sheet.rows for sheet in known.groups}
    size |= {sheet.sheet: sheet.rows for sheet in known.parts}
    size |= rows or {}
    number = count(1)
    op, key = _ops(), _keys()
    head = ["分类", "序号"]
    dx = ["主要诊断编码", "主要诊断名称"]
    main = ["主要手术操作编码", "主要手术操作名称"]
    related = ["相关手术操作编码", "相关手术操作名称"]
    every = "所有诊断"
    weights = ("0-999克", "1000-1499克", "1500-1999", "2000-2499g")
    book: Book = {}
    book[XQ] = [
        ["按病种分值（DIP）付费3.0版分组方案"],
        ["一、先期分组"],
        [*head, "分组名称", *dx, *main, "说明"],
        *(
            [
                "XQ",
                next(number),
                f"组{n}",
                every,
                every,
                next(op),
                "某术",
                ANY_POSITION if n else "",
            ]
            for n in range(max(size[XQ] - 4, 0))
        ),
        [*head, "分组名称", *dx, "天龄", "出生体重", "说明"],
        *(
            ["XQ", next(number), "早产儿", "P07", "低出生体重", "＜29天", weight, ""]
            for weight in weights[: size[XQ]]
        ),
    ]
    book[BX] = [
        ["二、并项规则"],
        [*head, *dx, *main, *related],
        *(
            ["BX", next(number), next(key), "某病", f"{next(op)}|{next(op)}", "甲|乙", "", ""]
            for _ in range(size[BX])
        ),
    ]
    book[BURNS] = [
        ["三、烧伤"],
        ["注：按程度和面积"],
        [*head, "主要诊断编码", "烧伤腐蚀伤程度", "其他诊断编码", "烧伤腐蚀伤面积",
         *main, *related],
        *(
            ["FZ", next(number), "T20.2|T20.6", "二度烧伤", "T31.0|T32.0", "面积＜10%",
             next(op), "植皮", "86.6901|86.6902" if n else "", ""]
            for n in range(size[BURNS])
        ),
    ]  # fmt: skip
    book[TUMOURS] = [
        ["三、肿瘤"],
        [*head, *dx, "其他诊断编码", "其他诊断名称",
         *(f"主要手术操作/\n相关手术操作{word}" for word in ("编码", "名称"))],
        *(
            ["FZ", next(number), "Z51.1", "化疗", f"C{n + 10}-C75", "恶性肿瘤",
             "99.2503+99.2800x006", "化疗+靶向"]
            for n in range(size[TUMOURS])
        ),
    ]  # fmt: skip
    book[TB] = [
        ["三、结核"],
        [*head, *dx, *main, "是否耐药", "是否耐药说明"],
        *(
            ["FZ", next(number), "A15-A16", "呼吸道结核", next(op), "某术", "是", "含耐药拓展码"]
            for _ in range(size[TB])
        ),
    ]
    book[RESISTANT] = [
        ["附表"],
        dx,
        *([f"A15.{n:03}x010", "耐药"] for n in range(size[RESISTANT])),
    ]
    book[JC] = [
        ["四、基础规则"],
        [*head, *dx, *main],
        *(
            ["JC", next(number), next(key), "某病", *((next(op), "某术") if n % 2 else ("", ""))]
            for n in range(size[JC])
        ),
    ]
    book[NO_DX] = [
        ["五"],
        ["不纳入分组的主要诊断"],
        dx,
        *([f"{code}00", "残余"] for code in islice(_keys(), size[NO_DX])),
    ]
    notes = ("按保守治疗入组", "不可作为主要手术操作", LIMITED)
    book[NO_OP] = [
        ["五"],
        [*main, "说明"],
        *([code, "某操作", notes[n % 3]] for n, code in enumerate(islice(_ops(), size[NO_OP]))),
    ]
    book[PRIMARY] = [
        ["六"],
        ["序号", *dx, *main],
        *(
            [n + 1, code, "某病", *(("", "保守治疗") if n % 2 else ("11.3900x001|11.3901", "术"))]
            for n, code in enumerate(islice(_keys(), size[PRIMARY]))
        ),
    ]
    return book


SMALL = {XQ: 6, BX: 3, BURNS: 2, TUMOURS: 2, TB: 2, RESISTANT: 2, JC: 4, NO_DX: 3, NO_OP: 3,
         PRIMARY: 2}  # fmt: skip


def _write(path: Path, book: Book) -> Path:
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as file:
        for name, rows in book.items():
            sheet = file.add_worksheet(name)
            for at, row in enumerate(rows):
                for column, cell in enumerate(row):
                    if cell != "":
                        sheet.write(at, column, cell)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("book") / "方案.xlsx", _book())


@pytest.fixture
def small() -> Book:
    return deepcopy(_book(SMALL))


@pytest.fixture
def put(state: Path, tmp_path: Path, clock: FixedClock) -> Import:
    """`put(book)` or `put(path)`: import as 国家@3.0."""

    def run(book: Book | Path, **more: Any) -> ImportReport:
        path = book if isinstance(book, Path) else _write(tmp_path / "方案.xlsx", book)
        return import_library(state, "国家", "3.0", DAY, path, now=clock.now(), **more)

    return run


# --- what is read --------------------------------------------------------------------------


def test_the_facts_add_up() -> None:
    known = facts()
    assert sum(known.rows_by_layer().values()) == known.last_number == 5125
    assert known.rows_by_layer() == {"XQ": 19, "BX": 1725, "FZ": 113, "JC": 3268}
    assert known.rows_by_part() == {
        "tb-resistant": 48, "dx-excluded": 4742, "ops-not-main": 4111, "primary-care": 127,
    }  # fmt: skip
    assert known.evidence == {"sheets": "A", "first_row": "A", "rows": "A", "columns": "B"}


def test_the_whole_workbook(whole: Path, put: Import, state: Path) -> None:
    report = put(whole)
    assert dict(report.counts) == {"XQ": 19, "BX": 1725, "FZ": 113, "JC": 3268}
    assert dict(report.parts) == {
        "dx-excluded": 4742, "ops-not-main": 4111, "tb-resistant": 48, "primary-care": 127,
    }  # fmt: skip
    assert report.source_hash == bytes_hash(whole.read_bytes())
    assert report.notes == ("行数与国家方案一致，但文件的 SHA-256 不是已知副本的；请核对来源",)
    data = load_library(state, "国家")
    assert (data.edition, data.partial, len(data.rows)) == ("3.0", False, 5125)
    rows = {row.group_code: row for row in data.rows}
    assert [rows[f"XQ-{n}"].row for n in (1, 15, 16, 19)] == [4, 18, 20, 23]
    assert (rows["XQ-2"].dx_code, rows["XQ-2"].condition) == ("所有诊断", ANY_POSITION)
    assert [rows[f"XQ-{n}"].condition for n in (16, 18, 19)] == [
        f"天龄<29天；出生体重{span}克；诊断中包含P07，不限定为主要诊断"
        for span in ("0-999", "1500-1999", "2000-2499")
    ]
    assert (rows["BX-20"].row, rows["BX-20"].main_ops) == (3, "01.0015|01.0016")
    burn, tumour, tb = rows["FZ-1746"], rows["FZ-1770"], rows["FZ-1812"]
    assert (burn.dx_code, burn.secondary_dx) == ("T20.2|T20.6", "T31.0|T32.0")
    assert (burn.dx_name, burn.condition) == ("二度烧伤", "二度烧伤；面积＜10%")
    assert burn.other_ops == "86.6901|86.6902"
    assert (tumour.main_ops, tumour.main_op_names) == ("99.2503+99.2800x006", "化疗+靶向")
    assert tumour.condition == "其他诊断：恶性肿瘤"
    assert (tb.dx_code, tb.condition) == ("A15-A16", "耐药=是：含耐药拓展码")
    assert [rows[f"JC-{n}"].treatment_class for n in (1858, 1859)] == ["保守治疗", ""]


def test_every_row_of_it_can_be_grouped_with(whole: Path, put: Import, state: Path) -> None:
    put(whole)
    compiled = compile_library(load_library(state, "国家"), load_policy("national_2025"))
    assert len(compiled.groups) == 5125


def test_its_lists_are_parts(whole: Path, put: Import, state: Path) -> None:
    put(whole)
    parts = load_library(state, "国家").parts
    assert parts.dx_excluded is not None
    assert parts.dx_excluded["A00.000"] == "不纳入分组的主要诊断"
    assert parts.ops_not_main is not None
    kinds = [parts.ops_not_main[f"01.000{n}"].treatment for n in range(3)]
    assert kinds == [NotMain.CONSERVATIVE, NotMain.NEVER, NotMain.LIMITED]
    assert parts.ops_not_main["01.0002"] == OpNotMain(
        "01.0002", "某操作", NotMain.LIMITED, ("A00-A09", "C15-C26", "K20-K93"), 5
    )
    assert parts.tb_resistant is not None
    assert len(parts.tb_resistant) == 48
    assert "A15.047x010" in parts.tb_resistant
    assert parts.primary_care is not None
    assert parts.primary_care[:2] == (
        PrimaryCareRow(3, "A00.0", "11.3900x001|11.3901", ""),
        PrimaryCareRow(4, "A00.1", "", "保守治疗"),
    )
    assert parts.op_dictionary is None


def test_an_excerpt_may_be_small(small: Book, put: Import, state: Path) -> None:
    for name in (TB, NO_OP, PRIMARY):
        del small[name]
    report = put(small, partial=True)
    assert dict(report.counts) == {"XQ": 6, "BX": 3, "FZ": 4, "JC": 4}
    assert set(report.parts) == {"dx-excluded", "tb-resistant"}
    assert report.notes == (
        "节选：序号有1处间断",
        f"节选：没有工作表 {TB}、{NO_OP}、{PRIMARY}",
    )
    assert load_library(state, "国家").partial


def test_a_city_file_and_a_part_beside_the_workbook(
    small: Book, put: Import, state: Path, tmp_path: Path
) -> None:
    local = tmp_path / "综合.csv"
    local.write_text(
        "病种编码,病种类型,诊断代码,治疗方式,分值\nZ1,综合,K35,手术,900\n", encoding="utf-8"
    )
    cci = tmp_path / "cci.csv"
    cci.write_text("code,weight\nI50.900,1\n", encoding="utf-8")
    report = put(small, partial=True, also=[local], parts={"cci": cci})
    assert report.counts["综合"] == 1
    assert report.parts["cci"] == 1
    assert load_library(state, "国家").rows[-1].group_code == "Z1"
    assert len(report.source_hash) == 64
    assert report.source_hash != bytes_hash((tmp_path / "方案.xlsx").read_bytes())


# --- what is refused -----------------------------------------------------------------------


def test_a_missing_sheet(put: Import, state: Path) -> None:
    book = _book(SMALL)
    del book[JC]
    with pytest.raises(RecordError, match=f"缺少工作表 {JC}（应有10个）；文件里的工作表：{XQ}"):
        put(book)
    assert list_libraries(state) == ()


@pytest.mark.parametrize(
    ("sheet", "rows", "said"),
    [
        (XQ, 18, "第19行应是第二个表头（天龄、出生体重），第18行"),
        (BX, 1724, "应有1725行数据，找到1724行"),
        (BURNS, 26, "应有25行数据，找到26行"),
        (RESISTANT, 47, "应有48行数据，找到47行"),
        (NO_OP, 4112, "应有4111行数据，找到4112行"),
    ],
)
def test_another_count(sheet: str, rows: int, said: str, put: Import, state: Path) -> None:
    with pytest.raises(RecordError, match=said) as caught:
        put(_book({sheet: rows}))
    assert sheet in caught.value.place.file
    assert "--partial" in caught.value.remedy
    assert list_libraries(state) == ()


def test_a_sheet_without_its_last_row(put: Import) -> None:
    with pytest.raises(RecordError, match=f"{JC}.*应有3268行数据，找到3267行"):
        put(_book({JC: 3267}))


def test_a_gap_in_the_numbers(put: Import) -> None:
    book = _book({BX: 40})
    book[BX][10][1] = 99
    with pytest.raises(BadRows, match=rf"{BX}\] 第11行 字段 序号：序号应为28，这里是99"):
        put(book)


def test_numbers_out_of_order_even_in_an_excerpt(small: Book, put: Import) -> None:
    small[BX][3][1] = small[BX][2][1]
    with pytest.raises(BadRows, match="第4行 字段 序号：序号应为8，这里是7"):
        put(small, partial=True)


def test_no_second_heading(put: Import) -> None:
    book = _book(SMALL)
    del book[XQ][5]
    with pytest.raises(RecordError, match=f"{XQ}.*第19行应是第二个表头.*没有找到"):
        put(book)


def test_headings_in_another_row(small: Book, put: Import) -> None:
    small[BX].insert(0, ["多出的一行"])
    said = f"{BX}.*第3行起应是数据，上面的表头缺少列：分类、序号、.*第2行是：二、并项规则"
    with pytest.raises(RecordError, match=said):
        put(small, partial=True)


def test_a_row_between_headings_and_data(small: Book, put: Import, state: Path) -> None:
    """Headings of two rows: the data begin where the scheme says."""
    small[BURNS][1:3] = [small[BURNS][2], ["", "", "", "（程度）"]]
    put(small, partial=True)
    burns = [row for row in load_library(state, "国家").rows if row.dx_name == "二度烧伤"]
    assert [row.row for row in burns] == [4, 5]


def test_a_list_without_its_column(small: Book, put: Import) -> None:
    small[NO_OP][1] = ["主要手术操作编码", "主要手术操作名称", "别的"]
    with pytest.raises(RecordError, match=f"{NO_OP}.*缺少列：说明；第2行是"):
        put(small, partial=True)


@pytest.mark.parametrize(
    ("sheet", "row", "column", "cell", "said"),
    [
        (BX, 3, 0, "JC", "字段 分类：分类应为 BX，这里是“JC”"),
        (BX, 3, 0, "", "字段 分类：是空的"),
        (BX, 3, 1, "二十", "字段 序号：序号“二十”不是整数"),
        (BX, 3, 2, "霍乱", "“霍乱”里的“霍乱”不是诊断编码、亚目、类目或范围"),
        (BX, 3, 2, "C95-C91", "“C95-C91”里的“C95-C91”不是诊断编码"),
        (BX, 3, 4, "51.2300|胆囊", "里的“胆囊”不是手术操作代码"),
        (BX, 3, 4, "51.2300/51.2301", "用了分隔符“/”，不合任何一种写法"),
        (BX, 3, 4, "51.2300|51.2301,51.2302", "用了分隔符“,”、“|”，不合任何一种写法"),
        (BX, 3, 4, 51.23, "字段 主要手术操作编码：单元格是数值格式"),
        (BX, 3, 4, "", "字段 相关手术操作编码：有相关手术操作，没有主要手术操作"),
        (BURNS, 4, 5, "", "字段 烧伤腐蚀伤面积：是空的"),
        (TB, 3, 6, "也许", "字段 是否耐药：是否耐药应为“是”或“否”"),
        (XQ, 7, 5, "新生儿", "字段 天龄：天龄“新生儿”看不懂"),
        (XQ, 7, 6, "很轻", "字段 出生体重：出生体重“很轻”看不懂"),
        (XQ, 7, 6, "1499-1000克", "字段 出生体重：出生体重“1499-1000克”看不懂"),
        (NO_OP, 3, 2, "看情况", "字段 说明：处理方式“看情况”不认识"),
        (NO_OP, 3, 2, "", "字段 说明：没有写处理方式"),
        (NO_OP, 3, 2, "消化病作为主要诊断，可作为主要手术操作", "“消化病”不是诊断编码或范围"),
        (NO_OP, 3, 2, "作为主要诊断，可作为主要手术操作", "限范围的手术操作没有写明诊断范围"),
        (NO_DX, 4, 0, "霍乱", "字段 主要诊断编码：“霍乱”不是 ICD-10 代码"),
        (RESISTANT, 3, 0, "15.000", "不是 ICD-10 代码"),
        (PRIMARY, 3, 3, "11.3900,11.3901", "用了分隔符“,”，不合任何一种写法"),
    ],
)
def test_a_cell_that_cannot_be_right(
    sheet: str, row: int, column: int, cell: Any, said: str, small: Book, put: Import, state: Path
) -> None:
    small[BX][2][6] = "54.5101"
    small[sheet][row - 1][column] = cell
    with pytest.raises(BadRows) as caught:
        put(small, partial=True)
    (error,) = caught.value.errors
    assert said in str(error)
    assert (error.place.file, error.place.row) == (f"方案.xlsx[{sheet}]", row)
    assert error.remedy
    assert list_libraries(state) == ()


def test_two_rows_with_one_key(small: Book, put: Import) -> None:
    first, second = small[BX][2], small[BX][3]
    second[2] = first[2]
    second[4] = "|".join(reversed(first[4].split("|")))
    said = "第4行 字段 主要诊断编码：病种“BX-8”的诊断、手术操作和条件与第3行的“BX-7”完全相同"
    with pytest.raises(BadRows, match=said):
        put(small, partial=True)


def test_the_same_key_in_another_layer_is_no_repetition(small: Book, put: Import) -> None:
    small[JC][3][2:5] = [small[BX][2][2], "某病", small[BX][2][4]]
    assert put(small, partial=True).counts["JC"] == 4


def test_a_list_that_contradicts_itself(small: Book, put: Import) -> None:
    small[NO_OP][3][:2] = small[NO_OP][2][:2]
    with pytest.raises(BadRows, match=r"第4行.*“01\.0000”与第3行重复，内容又不同"):
        put(small, partial=True)


def test_a_list_that_repeats_itself_is_noted(small: Book, put: Import) -> None:
    small[NO_OP][3] = small[NO_OP][2]
    report = put(small, partial=True)
    assert report.parts["ops-not-main"] == 2
    assert "不纳入分组的主要手术操作：1行与前面重复，只留第一行" in report.notes


def test_a_sheet_without_rows(small: Book, put: Import) -> None:
    small[RESISTANT] = small[RESISTANT][:2]
    with pytest.raises(RecordError, match=f"{RESISTANT}.*只有表头，没有数据"):
        put(small, partial=True)


def test_a_part_that_the_workbook_brings(small: Book, put: Import, tmp_path: Path) -> None:
    file = tmp_path / "耐药.csv"
    file.write_text("code\nA15.000\n", encoding="utf-8")
    with pytest.raises(Exception, match="附表 tb-resistant 给了两次"):
        put(small, partial=True, parts={"tb-resistant": file})
