"""What the real platform's database refuses, in the words in which it says so.

The order of the checks and the raw database texts follow what hospital operators have written
down. One refusal is raised, as the platform does: the sender learns of the next one later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dipgate.core.reference import CodeTable, Reference
from dipgate.core.wire import Fault, FieldSpec, WireModel, WireProblem
from dipgate.twin.protocol import Refusal
from dipgate.twin.truths import Truth

Row = Mapping[str, Any]
_TABLES = {
    "setlinfo": "SETL_LIST_B",
    "diseinfo": "SETL_LIST_DIAG_D",
    "oprninfo": "SETL_LIST_OPRN_D",
    "icuinfo": "SETL_LIST_SCS_CUTD_D",
    "bldinfo": "SETL_LIST_BLD_D",
    "opspdiseinfo": "SETL_LIST_OPSP_TRT_D",
}
_ORACLE_UNIQUE = (
    "### Error updating database.  Cause: java.sql.SQLIntegrityConstraintViolationException: "
    "ORA-00001: 违反唯一约束条件 (SETLLIST.UK_SETL_LIST_OPRN_D)\n"
    "### The error may involve SetlListOprnDDAO.insert-Inline\n"
    "### SQL: INSERT INTO SETL_LIST_OPRN_D (RID, SETL_LIST_OPRN_ID, SETL_ID, PSN_NO, MDTRT_ID, "
    "OPRN_OPRT_TYPE, OPRN_OPRT_NAME, OPRN_OPRT_CODE, ANST_WAY, OPER_DR_CODE, ANST_DR_CODE, "
    "OPRN_OPRT_BEGNTIME, OPRN_OPRT_ENDTIME, ANST_BEGNTIME, ANST_ENDTIME, VALI_FLAG, CRTE_TIME, "
    "UPDT_TIME) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
"""What reaches the hospital when a procedure stands twice at the same time: raw database text."""


def check_settlement(settlement_id: str, info: Row, truth: Truth | None, *, knows: bool) -> None:
    """The settlement exists, stands, and is this person's. `knows`: the twin has its own list."""
    if not settlement_id:
        raise Refusal("setl_id", "结算清单信息【结算ID】不能为空")
    if truth is None:
        if knows:
            raise Refusal("settlement", f"未查询到结算信息，结算ID：{settlement_id}")
        return
    if truth.get("cancelled") is True:
        raise Refusal("settlement", f"该结算已撤销，不可上传清单，结算ID：{settlement_id}")
    for field, label in (("psn_no", "人员编号"), ("mdtrt_id", "就诊ID")):
        if field in truth and _text(info, field) != str(truth[field]):
            raise Refusal("settlement", f"{label}与结算信息不一致，结算ID：{settlement_id}")


def check_content(content: Row, model: WireModel, ref: Reference) -> None:
    """Everything that the content alone, the field table and the catalogues decide."""
    info = content.get("setlinfo")
    if not isinstance(info, Mapping):
        raise Refusal("shape", "输入参数不合法：setlinfo为空")
    problems = model.check(content)
    _bill_and_reporter(info)
    _departments(info, ref)
    diagnoses = _rows(content, "diseinfo")
    operations = _rows(content, "oprninfo")
    _blank_rows(diagnoses)
    _doctors(info, operations)
    for problem in problems:
        _refuse_field(problem, content, model)
    _diagnoses(diagnoses, ref.icd10)
    _operations(operations, ref.icd9cm3)


def _bill_and_reporter(info: Row) -> None:
    for field, label in (
        ("bill_code", "票据代码"),
        ("bill_no", "票据号码"),
        ("biz_sn", "业务流水号"),
    ):
        if not _text(info, field):
            raise Refusal("bill", f"结算清单信息【{label}】不能为空")
    for field, label in (("medins_fill_dept", "医疗机构填报部门"), ("medins_fill_psn", "填报人")):
        if not _text(info, field):
            raise Refusal("reporter", f"结算清单信息【{label}】不能为空")


def _departments(info: Row, ref: Reference) -> None:
    known = ref.codesets.get("dept", {})
    code = _text(info, "dscg_caty")
    if not code:
        raise Refusal("department", "结算清单信息【出院科别】不能为空")
    if known and code not in known:
        raise Refusal("department", f"出院科别【{code}】不在科室代码字典中")
    for part in filter(None, _text(info, "refldept_dept").split("→")):
        if known and part.strip() not in known:
            raise Refusal("department", f"转科科别【{part.strip()}】不在科室代码字典中")


def _doctors(info: Row, operations: Sequence[Row]) -> None:
    chief = _text(info, "chfpdr_code")
    if not chief:
        raise Refusal("doctor", "结算清单信息【主诊医师代码】不能为空")
    _doctor(chief, "主诊医师代码")
    for number, row in enumerate(operations, start=1):
        surgeon = _text(row, "oper_dr_code")
        if not surgeon:
            raise Refusal("doctor", f"手术操作信息第{number}条【术者医师代码】不能为空")
        _doctor(surgeon, "术者医师代码")
        if anaesthetist := _text(row, "anst_dr_code"):
            _doctor(anaesthetist, "麻醉医师代码")


def _doctor(code: str, label: str) -> None:
    if code.startswith("N"):
        raise Refusal("doctor", f"{label}【{code}】为护士编码，应为医师编码")
    if not (len(code) == 13 and code[0] == "D" and code[1:].isascii() and code[1:].isdigit()):
        raise Refusal("doctor", f"{label}【{code}】在国家医保医师库中不存在")


def _blank_rows(diagnoses: Sequence[Row]) -> None:
    if not diagnoses:
        raise Refusal("diagnosis", "诊断信息不能为空")
    for number, row in enumerate(diagnoses, start=1):
        if not _text(row, "diag_code") or not _text(row, "diag_name"):
            raise Refusal("diagnosis", f"诊断信息第{number}条诊断代码、诊断名称不能为空")


def _diagnoses(diagnoses: Sequence[Row], table: CodeTable | None) -> None:
    flagged = [
        row
        for row in diagnoses
        if _text(row, "maindiag_flag") == "1" and _text(row, "diag_type") in ("", "1")
    ]
    if len(flagged) != 1:
        raise Refusal("diagnosis", f"主要诊断有且只能有一条，现有{len(flagged)}条")
    if table is None:
        return
    for row in diagnoses:
        if _text(row, "diag_type") not in ("2", "3"):
            _pair(table, _text(row, "diag_code"), _text(row, "diag_name"), "诊断")


def _operations(operations: Sequence[Row], table: CodeTable | None) -> None:
    mains = [row for row in operations if _text(row, "oprn_oprt_type") == "1"]
    if operations and len(mains) != 1:
        raise Refusal("procedure", f"主要手术操作有且只能有一条，现有{len(mains)}条")
    seen: set[tuple[str, str]] = set()
    for row in operations:
        if table is not None:
            _pair(table, _text(row, "oprn_oprt_code"), _text(row, "oprn_oprt_name"), "手术操作")
        key = (_text(row, "oprn_oprt_code"), _text(row, "oprn_oprt_begntime"))
        if key in seen:
            raise Refusal("duplicate_procedure", _ORACLE_UNIQUE)
        seen.add(key)


def _pair(table: CodeTable, code: str, name: str, what: str) -> None:
    official = table.name(code)
    if official is None:
        raise Refusal("code", f"{what}代码【{code}】不在医保{what}目录中")
    if name != official:
        raise Refusal("code", f"{what}代码【{code}】与{what}名称【{name}】不匹配")


def _refuse_field(problem: WireProblem, content: Row, model: WireModel) -> None:
    node, index, name = _place(problem.path)
    spec = next((item for item in model.fields(node) if item.code == name), None)
    table = _TABLES.get(node, node.upper())
    value = _value(content, node, index, name)
    if problem.code is Fault.MISSING:
        label = spec.name if spec is not None else node
        raise Refusal("required", f"字段【{label}】({problem.path})不能为空")
    if problem.code is Fault.LENGTH and spec is not None:
        raise Refusal(
            "too_long",
            f'ORA-12899: 列 "SETLLIST"."{table}"."{name.upper()}" 的值太大 '
            f"(实际值: {_octets(value)}, 最大值: {_room(spec)})",
        )
    if problem.code is Fault.DATE:
        raise Refusal("date", "ORA-01861: 文字与格式字符串不匹配")
    if problem.code is Fault.NUMBER:
        raise Refusal("number", "ORA-01722: 无效数字")
    if problem.code is Fault.CODESET and spec is not None:
        raise Refusal("codeset", f"字段【{spec.name}】的值【{value}】不在字典 {spec.codeset} 中")
    raise Refusal("shape", f"输入参数不合法：{problem.path}")


def _place(path: str) -> tuple[str, int, str]:
    head, _, name = path.partition(".")
    node, _, rest = head.partition("[")
    return node, int(rest[:-1]) if rest else 0, name


def _value(content: Row, node: str, index: int, name: str) -> str:
    rows = _rows(content, node)
    return _text(rows[index], name) if index < len(rows) else ""


def _rows(content: Row, node: str) -> Sequence[Row]:
    value = content.get(node)
    if isinstance(value, Mapping):
        return (value,)
    if not isinstance(value, list):
        return ()
    if any(not isinstance(row, Mapping) for row in value):
        raise Refusal("shape", f"输入参数不合法：{node}的每一项应为对象")
    return value


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value).strip()


def _octets(text: str) -> int:
    # The database counts octets, three for a Chinese character; its columns are that much wider.
    return len(text.encode())


def _room(spec: FieldSpec) -> int:
    return (spec.max_length or 0) * 3
