"""Writes the view definitions of this folder, one file per kind of server: `python make_views.py`.

Only the standard library. The HIS of the example keeps what most keep: a front page, diagnoses and
procedures as rows, a bill with its funds and fee categories as rows, charge lines. A vendor puts
his own tables and columns into the five SELECTs and leaves the names after AS as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
DIAGNOSES, PROCEDURES = 16, 7
QUOTES: Mapping[str, tuple[str, str]] = {
    "postgresql": ('"', '"'),
    "mariadb": ("`", "`"),
    "oracle": ('"', '"'),
    "sqlserver": ("[", "]"),
    "dm": ('"', '"'),
    "kingbase": ('"', '"'),
}
TEXT: Mapping[str, str] = {"oracle": "VARCHAR2", "sqlserver": "NVARCHAR"}
TITLES: Mapping[str, str] = {
    "postgresql": "PostgreSQL",
    "mariadb": "MariaDB 和 MySQL",
    "oracle": "Oracle",
    "sqlserver": "SQL Server",
    "dm": "达梦",
    "kingbase": "金仓",
}
_ROLE = (
    "CREATE ROLE dipgate_reader LOGIN PASSWORD '…'",
    "GRANT USAGE ON SCHEMA public TO dipgate_reader",
)
GRANTS: Mapping[str, Sequence[str]] = {
    "postgresql": _ROLE,
    "mariadb": ("CREATE USER 'dipgate_reader'@'%' IDENTIFIED BY '…'",),
    "oracle": (
        'CREATE USER dipgate_reader IDENTIFIED BY "…"',
        "GRANT CREATE SESSION TO dipgate_reader",
    ),
    "sqlserver": (
        "CREATE LOGIN dipgate_reader WITH PASSWORD = '…'",
        "CREATE USER dipgate_reader FOR LOGIN dipgate_reader",
    ),
    "dm": ('CREATE USER dipgate_reader IDENTIFIED BY "…"',),
    "kingbase": _ROLE,
}

FRONT = (
    "病案号 姓名 性别 出生日期 年龄 不足一周岁天龄 国籍 民族 证件类别 证件号码 职业 现住址 工作单位 联系人"
    " 联系人关系 联系人地址 联系人电话 新生儿入院类型 新生儿出生体重 新生儿入院体重 住院医疗类型 入院途径"
    " 治疗类别 入院时间 入院科别编码 入院科别 转科科别编码 出院时间 出院科别编码 出院科别 实际住院天数"
    " 门急诊诊断 门急诊诊断编码 离院方式 31天再住院计划 再住院目的 主诊医师 主诊医师工号 责任护士工号"
    " 呼吸机使用时长 特级护理天数 一级护理天数 二级护理天数 三级护理天数 填报部门 填报人"
    " 损伤中毒外因编码 损伤中毒外因"
).split()
DIAGNOSIS = ("类别", "编码", "名称", "入院病情", "主诊标志")
PROCEDURE = (
    "类别", "编码", "名称", "开始时间", "结束时间", "麻醉方式", "术者", "术者工号", "麻醉医师", "麻醉医师工号",
    "麻醉开始时间", "麻醉结束时间",
)  # fmt: skip
BILL = (
    "结算ID 就诊ID 人员编号 医保编号 医保类型 险种 参保地 医疗机构代码 医疗机构名称 医保结算等级 票据代码"
    " 票据号码 业务流水号 结算开始日期 结算结束日期 结算时间 支付方式 医疗费总额 个人自付 个人自费 账户支付 现金支付"
).split()
FUNDS = {"310100": "职工统筹支付", "330100": "职工大额支付", "390100": "居民统筹支付",
         "390200": "居民大病支付", "610100": "医疗救助支付"}  # fmt: skip
CATEGORIES = {"01": "床位费", "02": "诊察费", "03": "检查费", "04": "化验费", "05": "治疗费",
              "06": "手术费", "07": "护理费", "08": "卫生材料费", "09": "西药费", "10": "中药饮片费",
              "11": "中成药费", "12": "一般诊疗费", "13": "挂号费", "14": "其他费"}  # fmt: skip
CLASSES = ("金额", "甲类", "乙类", "自费", "其他")
CHARGE = ("记账日期", "项目名称", "项目编码", "费用类别", "数量", "单价", "金额", "费用等级")
KEY, CHANGED = "住院流水号", "更新时间"

TABLES: Mapping[str, Sequence[str]] = {
    "his_ba": (KEY, CHANGED, *FRONT),
    "his_zd": (KEY, "序号", *DIAGNOSIS),
    "his_ss": (KEY, "序号", *PROCEDURE),
    "his_js": (KEY, CHANGED, *BILL),
    "his_jj": (KEY, "基金", "支付额"),
    "his_fl": (KEY, "费别", *CLASSES),
    "his_fy": (KEY, CHANGED, *CHARGE),
}


def main() -> None:
    for kind in QUOTES:
        (HERE / f"{kind}.sql").write_text(text_of(kind), encoding="utf-8", newline="\n")


def text_of(kind: str) -> str:
    """The whole file for one kind of server."""
    return "\n".join([*_head(kind), *_sample(kind), *_views(kind), *_rights(kind), ""])


def _head(kind: str) -> Iterator[str]:
    yield f"-- dipgate 的三个视图，{TITLES[kind]} 写法。由 make_views.py 生成，站点文件的对应部分见 site.toml。"
    yield "-- 厂商：把第二部分各个 SELECT 里的表和列换成自己的，AS 后面的名字不要动；第一部分是样例表和两行虚构数据。"
    yield "-- 每个视图都要有 更新时间：只增不减，记录一改就变，并建索引；日期写成 2025-03-01 或 2025-03-01 08:09:10。"
    yield ""


def _sample(kind: str) -> Iterator[str]:
    yield "-- 第一部分：样例表（真实环境里不建）"
    text = TEXT.get(kind, "VARCHAR")
    for table, columns in TABLES.items():
        declared = ", ".join(f"{_q(kind, name)} {_type(kind, text, name)}" for name in columns)
        yield f"CREATE TABLE {table} ({declared});"
    for table, rows in SAMPLE.items():
        columns = TABLES[table]
        for row in rows:
            names = ", ".join(_q(kind, name) for name in columns if row.get(name))
            prefix = "N" if kind == "sqlserver" else ""
            values = ", ".join(f"{prefix}'{row[name]}'" for name in columns if row.get(name))
            yield f"INSERT INTO {table} ({names}) VALUES ({values});"
    yield ""


def _views(kind: str) -> Iterator[str]:
    yield "-- 第二部分：视图"
    yield from _front(kind)
    yield from _bill(kind)
    columns = ",\n".join(f"  fy.{_q(kind, name)} AS {_q(kind, name)}" for name in TABLES["his_fy"])
    yield f"CREATE VIEW {_q(kind, 'v_charge')} AS SELECT\n{columns}\nFROM his_fy fy;"
    yield ""


def _front(kind: str) -> Iterator[str]:
    lines = [f"  ba.{_q(kind, name)} AS {_q(kind, name)}" for name in TABLES["his_ba"]]
    for table, word, count, parts in (
        ("zd", "诊断", DIAGNOSES, DIAGNOSIS),
        ("ss", "手术", PROCEDURES, PROCEDURE),
    ):
        for number in range(1, count + 1):
            for part in parts:
                alias = _q(kind, f"{word}{number}{part}")
                lines.append(f"  {table}.{_q(kind, f'{number}{part}')} AS {alias}")
    joins = []
    for alias, table, count, parts in (
        ("zd", "his_zd", DIAGNOSES, DIAGNOSIS),
        ("ss", "his_ss", PROCEDURES, PROCEDURE),
    ):
        order = _q(kind, "序号")
        pivots = ",\n".join(
            f"    MAX(CASE WHEN {order} = '{number}' THEN {_q(kind, part)} END)"
            f" AS {_q(kind, f'{number}{part}')}"
            for number in range(1, count + 1)
            for part in parts
        )
        key = _q(kind, KEY)
        joins.append(
            f"LEFT JOIN (SELECT {key},\n{pivots}\n  FROM {table} GROUP BY {key}) {alias}"
            f" ON {alias}.{key} = ba.{key}"
        )
    body = ",\n".join(lines)
    yield (
        f"CREATE VIEW {_q(kind, 'v_front_page')} AS SELECT\n{body}\nFROM his_ba ba\n"
        + "\n".join(joins)
        + ";"
    )
    yield ""


def _bill(kind: str) -> Iterator[str]:
    key = _q(kind, KEY)
    lines = [f"  js.{_q(kind, name)} AS {_q(kind, name)}" for name in TABLES["his_js"]]
    funds = ",\n".join(
        f"    MAX(CASE WHEN {_q(kind, '基金')} = '{code}' THEN {_q(kind, '支付额')} END)"
        f" AS {_q(kind, name)}"
        for code, name in FUNDS.items()
    )
    fees = ",\n".join(
        f"    MAX(CASE WHEN {_q(kind, '费别')} = '{code}' THEN {_q(kind, part)} END)"
        f" AS {_q(kind, f'{name}_{part}')}"
        for code, name in CATEGORIES.items()
        for part in CLASSES
    )
    lines += [f"  jj.{_q(kind, name)} AS {_q(kind, name)}" for name in FUNDS.values()]
    lines += [
        f"  fl.{_q(kind, f'{name}_{part}')} AS {_q(kind, f'{name}_{part}')}"
        for name in CATEGORIES.values()
        for part in CLASSES
    ]
    joins = [
        f"LEFT JOIN (SELECT {key},\n{pivots}\n  FROM {table} GROUP BY {key}) {alias}"
        f" ON {alias}.{key} = js.{key}"
        for alias, table, pivots in (("jj", "his_jj", funds), ("fl", "his_fl", fees))
    ]
    body = ",\n".join(lines)
    yield (
        f"CREATE VIEW {_q(kind, 'v_settlement')} AS SELECT\n{body}\nFROM his_js js\n"
        + "\n".join(joins)
        + ";"
    )
    yield ""


def _rights(kind: str) -> Iterator[str]:
    yield "-- 第三部分：只有查询权限的账号（密码自己定，写进环境变量，不写进站点文件）"
    for statement in GRANTS[kind]:
        yield f"-- {statement};"
    for view in ("v_front_page", "v_settlement", "v_charge"):
        host = "'dipgate_reader'@'%'" if kind == "mariadb" else "dipgate_reader"
        yield f"-- GRANT SELECT ON {_q(kind, view)} TO {host};"


def _q(kind: str, name: str) -> str:
    left, right = QUOTES[kind]
    return f"{left}{name}{right}"


def _type(kind: str, text: str, name: str) -> str:
    """A row of MariaDB holds so many columns only when their text lies outside of it."""
    return "TEXT" if kind == "mariadb" and name != KEY else f"{text}({_width(name)})"


def _width(name: str) -> int:
    return 200 if name.endswith(("址", "名称", "单位", "诊断", "外因", "目的")) else 60


_BASE = {
    "国籍": "CHN", "民族": "01", "证件类别": "01", "职业": "90", "现住址": "虚构市示例区杏林路100号",
    "工作单位": "虚构示例公司", "联系人关系": "1", "联系人地址": "虚构市示例区杏林路100号",
    "联系人电话": "000-0000000", "住院医疗类型": "1", "入院途径": "2", "治疗类别": "10",
    "离院方式": "1", "31天再住院计划": "1", "填报部门": "病案室", "填报人": "示例填报人",
    "特级护理天数": "0", "三级护理天数": "0",
}  # fmt: skip
SAMPLE: Mapping[str, Sequence[Mapping[str, str]]] = {
    "his_ba": (
        {**_BASE, KEY: "ZY0001", CHANGED: "2025-03-05 10:00:00", "病案号": "BA0001", "姓名": "样例甲",
         "性别": "男", "出生日期": "1960-01-02", "年龄": "65", "证件号码": "990100196001020014",
         "联系人": "样例乙", "入院时间": "2025-03-01 09:00:00", "入院科别编码": "0101",
         "入院科别": "呼吸与危重症医学科", "出院时间": "2025-03-05 09:30:00", "出院科别编码": "0101",
         "出院科别": "呼吸与危重症医学科", "实际住院天数": "4", "门急诊诊断": "肺炎",
         "门急诊诊断编码": "J18.900", "主诊医师": "柏青禾", "主诊医师工号": "YS001",
         "责任护士工号": "HS001", "一级护理天数": "1", "二级护理天数": "3"},
        {**_BASE, KEY: "ZY0002", CHANGED: "2025-03-06 10:00:00", "病案号": "BA0002", "姓名": "样例丙",
         "性别": "女", "出生日期": "1985-05-06", "年龄": "39", "证件号码": "990100198505060027",
         "联系人": "样例丁", "入院时间": "2025-03-02 09:00:00", "入院科别编码": "0201",
         "入院科别": "普通外科", "出院时间": "2025-03-06 09:30:00", "出院科别编码": "0201",
         "出院科别": "普通外科", "实际住院天数": "4", "门急诊诊断": "胆囊结石伴慢性胆囊炎",
         "门急诊诊断编码": "K80.101", "主诊医师": "江屿白", "主诊医师工号": "YS007",
         "责任护士工号": "HS007", "一级护理天数": "1", "二级护理天数": "3"},
    ),
    "his_zd": (
        {KEY: "ZY0001", "序号": "1", "类别": "1", "编码": "J18.900", "名称": "肺炎", "入院病情": "1", "主诊标志": "1"},
        {KEY: "ZY0001", "序号": "2", "类别": "1", "编码": "I10.x00x002", "名称": "高血压", "入院病情": "1", "主诊标志": "0"},
        {KEY: "ZY0002", "序号": "1", "类别": "1", "编码": "K80.101", "名称": "胆囊结石伴慢性胆囊炎", "入院病情": "1", "主诊标志": "1"},
    ),
    "his_ss": (
        {KEY: "ZY0002", "序号": "1", "类别": "1", "编码": "51.2300", "名称": "腹腔镜下胆囊切除术",
         "开始时间": "2025-03-03 09:00:00", "结束时间": "2025-03-03 10:10:00", "麻醉方式": "01",
         "术者": "江屿白", "术者工号": "YS007", "麻醉医师": "周既明", "麻醉医师工号": "MZ001",
         "麻醉开始时间": "2025-03-03 08:40:00", "麻醉结束时间": "2025-03-03 10:30:00"},
    ),
    "his_js": tuple(
        {KEY: key, CHANGED: changed, "结算ID": f"S{key}", "就诊ID": f"M{key}", "人员编号": f"P{key}",
         "医保编号": f"P{key}", "医保类型": "310", "险种": "310", "参保地": "990100",
         "医疗机构代码": "H99010000001", "医疗机构名称": "示例市第一人民医院", "医保结算等级": "3",
         "票据代码": "99012501", "票据号码": key[2:].rjust(10, "0"), "业务流水号": f"JS{key}",
         "结算开始日期": begun, "结算结束日期": ended, "结算时间": changed, "支付方式": "3",
         "医疗费总额": total, "个人自付": own, "个人自费": "0.00", "账户支付": "0.00", "现金支付": own}
        for key, changed, begun, ended, total, own in (
            ("ZY0001", "2025-03-05 10:00:00", "2025-03-01", "2025-03-05", "6000.00", "1500.00"),
            ("ZY0002", "2025-03-06 10:00:00", "2025-03-02", "2025-03-06", "15000.00", "4000.00"),
        )
    ),
    "his_jj": (
        {KEY: "ZY0001", "基金": "310100", "支付额": "4500.00"},
        {KEY: "ZY0002", "基金": "310100", "支付额": "11000.00"},
    ),
    "his_fl": (
        {KEY: "ZY0001", "费别": "01", "金额": "400.00", "甲类": "400.00", "乙类": "0.00", "自费": "0.00", "其他": "0.00"},
        {KEY: "ZY0001", "费别": "09", "金额": "5600.00", "甲类": "5600.00", "乙类": "0.00", "自费": "0.00", "其他": "0.00"},
        {KEY: "ZY0002", "费别": "06", "金额": "9000.00", "甲类": "9000.00", "乙类": "0.00", "自费": "0.00", "其他": "0.00"},
        {KEY: "ZY0002", "费别": "09", "金额": "6000.00", "甲类": "6000.00", "乙类": "0.00", "自费": "0.00", "其他": "0.00"},
    ),
    "his_fy": (
        {KEY: "ZY0001", CHANGED: "2025-03-05 10:00:00", "记账日期": "2025-03-01", "项目名称": "普通病房床位费",
         "项目编码": "110900001", "费用类别": "01", "数量": "4", "单价": "100.00", "金额": "400.00", "费用等级": "01"},
        {KEY: "ZY0001", CHANGED: "2025-03-05 10:00:00", "记账日期": "2025-03-02", "项目名称": "甲类治疗药品",
         "项目编码": "XJ01", "费用类别": "09", "数量": "4", "单价": "1400.00", "金额": "5600.00", "费用等级": "01"},
        {KEY: "ZY0002", CHANGED: "2025-03-06 10:00:00", "记账日期": "2025-03-03", "项目名称": "腹腔镜下胆囊切除术费",
         "项目编码": "331000000", "费用类别": "06", "数量": "1", "单价": "9000.00", "金额": "9000.00", "费用等级": "01"},
        {KEY: "ZY0002", CHANGED: "2025-03-06 10:00:00", "记账日期": "2025-03-04", "项目名称": "甲类治疗药品",
         "项目编码": "XJ01", "费用类别": "09", "数量": "3", "单价": "2000.00", "金额": "6000.00", "费用等级": "01"},
    ),
}  # fmt: skip


if __name__ == "__main__":
    main()
