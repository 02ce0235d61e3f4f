"""The commented site file that `dipgate init` writes."""

from __future__ import annotations

import json
from collections.abc import Sequence

from dipgate.core.errors import ConfigError

_TEXT = """\
# dipgate 站点文件。以 # 开头的是说明；写错的键会在读取时指出。
# 检查：dipgate config check。密钥不写在这里，用环境变量 DIPGATE_PLATFORM_SECRET。

[hospital]
# 定点医药机构编号（12 位）、名称、等级（与付费政策的写法一致，如 3、2、1）、医保区划（6 位）。
code = @CODE@
name = @NAME@
level = @LEVEL@
area_code = @AREA@

[platform]
# observe 只看不发；shadow 备好报文不发；live 真正上传。
mode = "observe"
# 平台地址，如 http://10.0.0.1:8080。
url = @URL@
# 地方接口的名称；空着就按医保区划找。
dialect = ""
# 平台分配的应用标识，经办人，签到用的 MAC 和 IP。
paasid = @PAASID@
opter = @OPTER@
opter_name = @OPTERNAME@
mac = @MAC@
ip = @IP@
# 等待时限（秒）；不写就用地方接口的值。
# connect_seconds = 5
# read_seconds = 15
# total_seconds = 60

[policy]
# 付费政策的编号；空着就按医保区划和结算日期找。
id = @POLICY@
# 按自己的政策给自己的参保人付费的其他统筹区（6 位医保区划），由参保地和结算日期选政策。
agreed_areas = @AGREED@

[desk]
# 结算后多少天内要上传清单（地方规定），队列据此排先后、显示离截止多久；不写就只按金额排。
# upload_days = 10
# 结算后多少天内还能向平台传更正（月度锁定）；不写就不限。
# correction_days = 30
# 出院几天后还缺结算、首页或费用明细就算逾期，队列里改成黄色并写明找谁。
wait_days = 5

[history]
# 结算月份早于它的是历史：只由 dipgate intake --history 读入和判定，不进队列，不放行，不上传。
# before = "2025-01"

[web]
# 工作台的监听地址和端口。默认只在本机；写别的地址时，前面必须有 TLS 反向代理，
# 并把代理的地址写进 trusted_proxy，否则拒绝启动。
host = "127.0.0.1"
port = 8136
trusted_proxy = ""

[schedule]
# 工作台运行时在后台做的事（时刻都是北京时间）。每隔几分钟读一次数据来源，检查和入组新的清单。
intake_minutes = 10
# 每晚几点取回平台的结果并对账；只在 live 方式下取。
pull_at = "02:10"
# 白天也取，每隔几分钟一次；不写就只在晚上取。
# pull_minutes = 60
# 取最近几个有已上传清单的结算月份。
pull_months = 3
# 每晚几点备份数据库；不写就不自动备份。目录最好在另一块磁盘上，空着就放在状态目录的 backups 里；
# 自动备份只留最近几份。
# backup_at = "01:30"
backup_folder = ""
backup_keep = 7

[log]
# 日志（状态目录下 logs/，不含个人信息）：每个文件多少兆，最多留几个文件。
megabytes = 10
files = 10

[fill]
# 来源里没有、由本院统一填写的清单字段（国家字段代码 = 值）。
medins_fill_dept = @FILLDEPT@
medins_fill_psn = @FILLPSN@
hsorg = @HSORG@
hsorg_opter = @HSORGOPTER@

# 数据来源，可以有多个。路径相对本文件所在的目录。
# key 是住院流水号所在的列：首页、结算、费用三张表用它对上同一次住院。
# columns：国家字段代码 = 来源列名；"cover.代码" 是首页字段，"payinfo.310100" 是一种基金的支付额，
# "iteminfo.09.clab_amt" 是一类收费的一项金额。repeats：成组的编号列，{n} 代表 1、2、3……
#
# [[sources]]
# name = "his"
# kind = "csv"                  # csv、xlsx、dbf 文件；sqlite、postgresql、mariadb 等视图；push
# charset = "gb18030"           # 来源的字符集；解不开的行会被挑出来，不会猜
# path = "export"               # 文件夹；sqlite 时是数据库文件
# edition = "nhsa"              # 来源里的诊断和手术编码：nhsa 医保版，clinical 国家临床版
#
# [sources.limits]
# connect_seconds = 10.0        # 连数据库最多等多少秒
# statement_seconds = 60.0      # 一条查询最多等多少秒
# sessions = 1                  # 同时最多几个会话：1 或 2
# fewest_share = 0.3            # 读到的行少于平常的这个比例就先扣住并报警；0 不管多少都收
#
# [sources.server]              # 只有数据库服务器才写这一节；文件夹和 sqlite 写 path
# host = "127.0.0.1"
# port = 0                      # 0：这种数据库的常用端口
# database = "his"              # 数据库名；Oracle 是服务名
# user = "dipgate_reader"       # 只有查询权限的账号
# schema = ""                   # 视图所在的模式（属主）；空着就用账号默认的
# password_env = "DIPGATE_HIS_PASSWORD"   # 放密码的环境变量的名字，密码不写在这里
#
# [sources.tables.front_page]
# object = "front_page*.csv"    # 文件名样式；sqlite 时是视图名
# key = "住院流水号"
# sheet = ""                    # 工作簿里的表名；空着就用唯一的或第一张
# watermark = ""                # 视图里只增不减的列（如更新时间），据此续读
#
# [sources.tables.front_page.columns]
# medcasno = "病案号"
# psn_name = "姓名"
# adm_time = "入院时间"
#
# [[sources.tables.front_page.repeats]]
# node = "diseinfo"
# count = 11
# columns = { diag_code = "诊断编码{n}", diag_name = "诊断名称{n}" }
#
# [sources.tables.settlement]
# object = "settlement*.csv"
# key = "住院流水号"
#
# [sources.tables.settlement.columns]
# setl_id = "结算ID"
# setl_end_date = "结算日期"
#
# [sources.tables.charge]
# object = "charge*.csv"
# key = "住院流水号"
#
# [sources.tables.charge.columns]
# date = "记账日期"
# name = "项目名称"
# amount = "金额"
"""


def render_template(
    *,
    code: str = "",
    name: str = "",
    level: str = "",
    area_code: str = "",
    url: str = "",
    paasid: str = "",
    opter: str = "",
    opter_name: str = "",
    mac: str = "",
    ip: str = "",
    policy: str = "",
    fill_dept: str = "",
    fill_person: str = "",
    hsorg: str = "",
    hsorg_opter: str = "",
    agreed_areas: Sequence[str] = (),
) -> str:
    """The template with values filled in. ConfigError for text with control characters."""
    text = _TEXT
    for mark, value in (
        ("CODE", code),
        ("NAME", name),
        ("LEVEL", level),
        ("AREA", area_code),
        ("URL", url),
        ("PAASID", paasid),
        ("OPTER", opter),
        ("OPTERNAME", opter_name),
        ("MAC", mac),
        ("IP", ip),
        ("POLICY", policy),
        ("FILLDEPT", fill_dept),
        ("FILLPSN", fill_person),
        ("HSORG", hsorg),
        ("HSORGOPTER", hsorg_opter),
    ):
        text = text.replace(f"= @{mark}@\n", f"= {_toml_text(value)}\n")
    areas = ", ".join(_toml_text(area) for area in agreed_areas)
    return text.replace("= @AGREED@\n", f"= [{areas}]\n")


def _toml_text(value: str) -> str:
    if any(not ch.isprintable() for ch in value):
        raise ConfigError("站点文件的值里不能有换行或控制字符")
    return json.dumps(value, ensure_ascii=False)


TEMPLATE = render_template()
"""The site file with everything still to be filled in."""
