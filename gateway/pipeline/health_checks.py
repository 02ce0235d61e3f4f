"""The checks of the health page, one function each: what is wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from dipgate.core.clock import CHINA
from dipgate.core.durations import duration_words, size_words, when_words
from dipgate.core.exchange import State
from dipgate.pipeline.health_bills import bills
from dipgate.pipeline.health_clock import clock, server_clocks
from dipgate.pipeline.health_facts import Check, Facts, Grade, Job
from dipgate.pipeline.health_history import history
from dipgate.pipeline.health_maps import coverage, maps
from dipgate.pipeline.health_readings import readings
from dipgate.pipeline.health_registry import registry

OK, LOOK, STOP = Grade.OK, Grade.LOOK, Grade.STOP
GIB = 1024**3
DISK_LOOK, DISK_STOP = 5 * GIB, GIB
DISK_SHARE = 0.05
JOURNAL_LOOK = GIB
BACKUP_LOOK, BACKUP_STOP = timedelta(hours=26), timedelta(days=7)
SOURCE_LOOK, SOURCE_STOP = timedelta(hours=26), timedelta(days=4)
REJECTED_RECENT = timedelta(days=7)
WAITING_LOOK = timedelta(minutes=15)
READY_LOOK, READY_STOP = timedelta(minutes=30), timedelta(hours=4)
PULL_LOOK = timedelta(hours=50)
LATE = timedelta(minutes=5)
SOON = timedelta(minutes=1)
POLICY_SOON = timedelta(days=30)
MODES = {
    "observe": "只看：读、检查、入组，什么也不传",
    "shadow": "影子：报文备好，什么也不传",
    "live": "正式上传",
}

_JOB_REMEDY = {
    "intake": "看来源文件夹或视图是否连得上；通了会自己再读",
    "sender": "重新启动 dipgate serve；未了结的清单会先问平台，不会重复上传",
    "pull": "看“医保平台”一项；通了会再取",
    "backup": "看备份目录的盘满没满、能不能写；稍后会再做一次",
    "reconcile": "取回结果后会再对；也可以在对账页按“重新对账”",
}
_JOB_OTHER = "看日志里的编号，重新启动 dipgate serve"


def jobs(facts: Facts) -> Iterator[Check]:
    """What runs beside the pages: nothing failed, nothing overdue."""
    if not facts.jobs:
        yield Check(
            "jobs",
            "后台任务",
            LOOK,
            "这个进程只开着页面：不读来源、不上传、不取结果",
            "用 dipgate serve 启动，它带着后台任务",
        )
    for job in facts.jobs:
        key, title = f"job.{job.name}", job.label
        remedy = _JOB_REMEDY.get(job.name, _JOB_OTHER)
        done = (
            f"最近做完 {when_words(job.last_succeeded, facts.now)}"
            if job.last_succeeded
            else "还没有做完过一次"
        )
        following = (
            f"，下次 {when_words(job.next_run, facts.now)}"
            if job.next_run and job.next_run - facts.now >= SOON
            else ""
        )
        if job.state == "failed":
            head = "停了" if job.next_run is None else "没有做成"
            yield Check(key, title, STOP, f"{head}：{job.detail or done}{following}", remedy)
        elif job.state == "off":
            yield Check(key, title, OK, job.detail or "没有开")
        elif job.state == "waiting" and job.next_run and facts.now - job.next_run > LATE:
            late = duration_words(facts.now - job.next_run)
            planned = when_words(job.next_run, facts.now)
            yield Check(key, title, LOOK, f"该在 {planned} 运行，过了 {late} 还没有动", remedy)
        elif job.state == "running":
            yield Check(key, title, OK, job.detail or "正在运行")
        elif not job.detail:
            yield Check(key, title, OK, f"{done}{following}")
        else:
            yield Check(key, title, OK, f"{_at(job, facts)}{job.detail}{following}")


def _at(job: Job, facts: Facts) -> str:
    """When it did what its detail says; nothing for the sender, who looks all the time."""
    if job.last_succeeded is None or facts.now - job.last_succeeded < SOON:
        return ""
    return f"{when_words(job.last_succeeded, facts.now)} "


def unknown(facts: Facts) -> Iterator[Check]:
    """Lists whose outcome is not known: ask, never send again."""
    rows = facts.rows(State.UNKNOWN)
    if not rows.rows:
        return
    waited = facts.age(rows.oldest)
    limit = timedelta(hours=facts.platform.person_after_hours)
    yield Check(
        "outbox.unknown",
        "结果不明",
        STOP if waited > limit else LOOK,
        f"{rows.rows} 份没有收到平台答复，最早的等了 {duration_words(waited)}",
        "等够时间后问平台；问到之前不会再传"
        if facts.platform.has_query
        else "本地接口没有清单查询，请打电话向平台核实",
    )


def conflicts(facts: Facts) -> Iterator[Check]:
    """Lists of which the platform holds something else."""
    rows = facts.rows(State.CONFLICT).rows
    if rows:
        yield Check(
            "outbox.conflict",
            "内容冲突",
            STOP,
            f"{rows} 份在平台上的内容与本地不同",
            "打开这几份看哪些字段不同；定下以哪边为准后，写明理由放回队列",
        )


def held(facts: Facts) -> Iterator[Check]:
    """Lists in quarantine: tried too often, or nobody can ask."""
    rows = facts.rows(State.HELD).rows
    if rows:
        reason = facts.reasons.get(State.HELD, "")
        yield Check(
            "outbox.held",
            "隔离",
            STOP,
            f"{rows} 份停下等人" + (f"，多数因为{reason}" if reason else ""),
            "看每份“平台说了什么”，原因排除后写明理由放回队列：先问平台，再决定传不传",
        )


def refused(facts: Facts) -> Iterator[Check]:
    """Lists that the platform refused and nobody has corrected yet."""
    number = facts.lists.get("rejected", 0)
    if number:
        yield Check(
            "outbox.rejected",
            "被拒",
            LOOK,
            f"{number} 份被平台退回，还没有改",
            "请编码员在队列里按平台的话改，改好再放行",
        )


def waiting(facts: Facts) -> Iterator[Check]:
    """What waits to be sent, and how old the oldest is."""
    rows = facts.rows(State.READY)
    live = facts.platform.mode == "live"
    if not rows.rows:
        yield Check("outbox.ready", "待传", OK, "没有等着传的清单")
        return
    if not live:
        yield Check("outbox.ready", "待传", OK, f"{rows.rows} 份备好了；现在不上传")
        return
    waited = facts.age(rows.oldest)
    grade = STOP if waited > READY_STOP else LOOK if waited > READY_LOOK else OK
    retried = f"，其中 {rows.retried} 份等着再试" if rows.retried else ""
    reason = facts.reasons.get(State.READY, "") if rows.retried else ""
    why = f"（{reason}）" if reason else ""
    yield Check(
        "outbox.ready",
        "待传",
        grade,
        f"{rows.rows} 份，最老的等了 {duration_words(waited)}{retried}{why}",
        "" if grade is OK else "看“上传”任务和“医保平台”两项；它们正常时会自己传完",
    )


def platform(facts: Facts) -> Iterator[Check]:
    """The link, as the exchange log tells it."""
    title, link = "医保平台", facts.link
    if facts.platform.mode != "live":
        yield Check("platform", title, OK, "不与平台往来（不是正式上传方式）")
        return
    if link.last_at is None:
        yield Check(
            "platform",
            title,
            LOOK,
            "还没有和平台往来过",
            "放行一份清单，传上去就知道了",
        )
        return
    at = when_words(link.last_at, facts.now)
    if link.failures >= facts.platform.breaker_failures:
        yield Check(
            "platform",
            title,
            STOP,
            f"连续 {link.failures} 次没有答复，最近 {at}；已停下，"
            f"每 {duration_words(facts.platform.probe_seconds)}试一次",
            "查前置机网络和平台公告；通了会自己接着传，不用重传",
        )
    elif link.failures:
        yield Check(
            "platform",
            title,
            LOOK,
            f"最近 {link.failures} 次没有答复，最近 {at}",
            "再看几分钟；一直不通就查前置机网络和平台公告",
        )
    else:
        signed = f"，签到 {when_words(link.signed_in_at, facts.now)}" if link.signed_in_at else ""
        yield Check(
            "platform", title, OK, f"通，{at} 往返 {link.last_millis / 1000:.2f} 秒{signed}"
        )


def last_successes(facts: Facts) -> Iterator[Check]:
    """When a list was last taken, and results last came."""
    if facts.platform.mode != "live":
        return
    accepted = facts.last_accepted
    yield Check(
        "accepted",
        "最近收下",
        OK,
        f"{when_words(accepted, facts.now)} 平台收下最近一份"
        if accepted
        else "平台还没有收下过清单",
    )
    if not facts.rows(State.ACCEPTED).rows:
        return
    pulled = facts.last_pull
    if pulled is None or facts.age(pulled) > PULL_LOOK:
        said = f"最近一次 {when_words(pulled, facts.now)}" if pulled else "还没有取过结果"
        yield Check(
            "pulled",
            "分组结果",
            LOOK,
            said,
            "看“取回结果”任务和“医保平台”一项",
        )
    else:
        compared = facts.last_reconciled
        tail = f"，对账 {when_words(compared, facts.now)}" if compared else "，还没有对账"
        yield Check("pulled", "分组结果", OK, f"取回 {when_words(pulled, facts.now)}{tail}")


def sources(facts: Facts) -> Iterator[Check]:
    """Every source of the site file: read of late, and no row set aside."""
    if not facts.sources:
        yield Check(
            "sources",
            "数据来源",
            LOOK,
            "站点文件里还没有来源",
            "在站点文件里写 [[sources]]，dipgate config check 会逐项核对",
        )
    for source in facts.sources:
        key, vitals = f"source.{source.name}", source.vitals
        title = f"来源 {source.name}"
        if vitals is None or vitals.last_read is None:
            yield Check(key, title, LOOK, "还没有读过", "等“读取和检查”任务运行；它停着就先看它")
            continue
        silent = facts.age(vitals.last_read)
        said = f"{when_words(vitals.last_read, facts.now)} 读到新行，共 {vitals.stays:,} 人次"
        if silent > SOURCE_LOOK:
            yield Check(
                key,
                title,
                STOP if silent > SOURCE_STOP else LOOK,
                f"{duration_words(silent)}没有新行，最近 {when_words(vitals.last_read, facts.now)}",
                "请来源系统核对导出任务或视图；确实没有出院就不用管",
            )
        elif vitals.rejected and facts.age(vitals.rejected_at) < REJECTED_RECENT:
            yield Check(
                key,
                title,
                LOOK,
                f"{said}，搁置 {vitals.rejected} 行",
                "用 dipgate intake --rejected 看文件、行和字段，请来源系统改好重导",
            )
        else:
            yield Check(key, title, OK, said)


def inbox(facts: Facts) -> Iterator[Check]:
    """Stays read and not yet turned into lists."""
    waited = facts.age(facts.waiting_since)
    if facts.waiting_stays and waited > WAITING_LOOK:
        yield Check(
            "inbox",
            "等映射",
            LOOK,
            f"{facts.waiting_stays:,} 人次读到了还没成清单，最早的等了 {duration_words(waited)}",
            "看“读取和检查”任务：它停着就先看它",
        )
    elif facts.waiting_stays:
        yield Check("inbox", "等映射", OK, f"{facts.waiting_stays:,} 人次正在变成清单")
    else:
        yield Check("inbox", "等映射", OK, "读到的都成了清单")


def unmapped(facts: Facts) -> Iterator[Check]:
    """Codes that no map translates."""
    if facts.unmapped_codes:
        yield Check(
            "unmapped",
            "未对照编码",
            LOOK,
            f"{facts.unmapped_codes} 个编码没有对照，牵涉 {facts.unmapped_lists} 份清单",
            "到“编码对照”选目标，由第二个人批准；也可以导入补全的对照表",
        )


def site(facts: Facts) -> Iterator[Check]:
    """The site file has what the mode in use needs."""
    if facts.site_problems:
        more = len(facts.site_problems) - 1
        yield Check(
            "site",
            "站点文件",
            STOP,
            facts.site_problems[0] + (f"；另有 {more} 处" if more else ""),
            "改站点文件或环境变量后重新启动；dipgate config check 列出全部",
        )
    mode = facts.platform.mode
    yield Check("mode", "方式", OK, MODES.get(mode, mode))


def certificates(facts: Facts) -> Iterator[Check]:
    """No certificate can be set up yet; the page says so instead of looking safe."""
    scheme = facts.platform.scheme
    said = {
        "https": "没有配置证书；平台用 https，按系统信任的根证书核对",
        "http": "没有配置证书；平台用 http，没有证书可查",
    }.get(scheme, "没有配置证书，也没有填平台地址")
    yield Check("certificates", "证书", OK, said)


def disk(facts: Facts) -> Iterator[Check]:
    """Room for what has to be kept before it is acknowledged."""
    store = facts.storage
    used = 1 - store.disk_free / store.disk_total if store.disk_total else 1.0
    said = f"已用 {used:.0%}，余 {size_words(store.disk_free)}"
    if store.disk_free < DISK_STOP:
        grade = STOP
    elif store.disk_free < DISK_LOOK or 1 - used < DISK_SHARE:
        grade = LOOK
    else:
        grade = OK
    yield Check(
        "disk",
        "磁盘",
        grade,
        said,
        "" if grade is OK else "清出空间：旧备份、旧导出文件；不要动状态目录里的 raw 和数据库",
    )


def database(facts: Facts) -> Iterator[Check]:
    """Size and schema of the database."""
    store = facts.storage
    if store.revision != store.expected_revision:
        yield Check(
            "database",
            "数据库",
            STOP,
            f"结构是 {store.revision}，程序要 {store.expected_revision}",
            "停下所有 dipgate 进程，用新版本重新启动，它会先备份再升级",
        )
    elif store.journal > JOURNAL_LOOK:
        yield Check(
            "database",
            "数据库",
            LOOK,
            f"{size_words(store.database)}，日志 {size_words(store.journal)} 没有收回",
            "看有没有长时间不放手的读者（备份、报表工具）；重新启动可收回",
        )
    else:
        yield Check(
            "database",
            "数据库",
            OK,
            f"{size_words(store.database)}，结构 {store.revision}，程序 {facts.version}",
        )


def catalogues(facts: Facts) -> Iterator[Check]:
    """Versions of today with their first day; what is missing; what is not yet in use."""
    if facts.missing_catalogues:
        yield Check(
            "catalogues.missing",
            "缺的目录",
            LOOK,
            f"还没有{'、'.join(facts.missing_catalogues)}；用到它们的规则只能答“未检查”",
            "用 dipgate catalogue import 导入",
        )
    fresh = [
        item
        for item in facts.catalogues
        if facts.started_at and item.imported_at and item.imported_at > facts.started_at
    ]
    if fresh:
        names = "、".join(f"{item.title} {item.version}" for item in fresh[:2])
        more = f"等 {len(fresh)} 项" if len(fresh) > 2 else ""
        yield Check(
            "catalogues.fresh",
            "新导入目录",
            LOOK,
            f"{names}{more}还没有用上",
            "重新启动 dipgate serve 后生效；已有清单会按新版本重新检查",
        )
    for item in facts.catalogues:
        said = f"{item.version}，{item.first_day:%Y-%m-%d} 起" if item.first_day else "还没有生效"
        if item.next_day:
            said += f"；{item.next_day:%Y-%m-%d} 换 {item.next_version}"
        yield Check(f"catalogue.{item.kind}", item.title, OK, said)


def policy(facts: Facts) -> Iterator[Check]:
    """A payment policy is in force, and does not run out unnoticed."""
    found = facts.policy
    if found.problem:
        yield Check(
            "policy",
            "付费政策",
            LOOK,
            found.problem,
            "在站点文件 [policy] 写明政策；目录库用 dipgate library import 导入",
        )
        return
    today = facts.now.astimezone(CHINA).date()
    since = f"，{found.first_day:%Y-%m-%d} 起" if found.first_day else ""
    if found.last_day and found.last_day - today <= POLICY_SOON:
        yield Check(
            "policy",
            "付费政策",
            LOOK,
            f"{found.id} 到 {found.last_day:%Y-%m-%d} 为止",
            "向医保局要下一期政策，放进 state/policies",
        )
    else:
        yield Check("policy", "付费政策", OK, f"{found.id}{since}，目录库 {found.library or '—'}")


def packs(facts: Facts) -> Iterator[Check]:
    """The rules in use."""
    for pack in facts.packs:
        yield Check(
            f"pack.{pack.id}", f"规则 {pack.id}", OK, f"{pack.rules} 条，版本 {pack.version[:12]}"
        )


def backup(facts: Facts) -> Iterator[Check]:
    """There is a backup of yesterday."""
    if not sum(facts.lists.values()) and facts.backup is None:
        yield Check("backup", "备份", OK, "还没有清单，不用备份")
        return
    remedy = (
        "运行 dipgate backup 文件名，或在站点文件写 schedule.backup_at 每晚自动做；放到另一块盘上"
    )
    if facts.backup is None:
        yield Check("backup", "备份", LOOK, "还没有做过备份", remedy)
        return
    age = facts.age(facts.backup.at)
    grade = STOP if age > BACKUP_STOP else LOOK if age > BACKUP_LOOK else OK
    at, size = when_words(facts.backup.at, facts.now), size_words(facts.backup.size)
    if grade is OK:
        yield Check("backup", "备份", OK, f"{at}，{size}")
    else:
        yield Check("backup", "备份", grade, f"最近一次是 {duration_words(age)}前", remedy)


CHECKS: tuple[Callable[[Facts], Iterator[Check]], ...] = (
    platform,
    jobs,
    unknown,
    conflicts,
    held,
    refused,
    waiting,
    last_successes,
    site,
    sources,
    readings,
    inbox,
    unmapped,
    maps,
    bills,
    registry,
    coverage,
    history,
    backup,
    disk,
    database,
    clock,
    server_clocks,
    certificates,
    policy,
    catalogues,
    packs,
)
"""In the order of the page among checks that came out alike."""
