"""The jobs beside the pages: read and judge, fetch results, compare, copy the database.

Each is run by one worker, again and again; each may be cut short and simply runs anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dipgate.core.clock import CHINA
from dipgate.core.durations import size_words
from dipgate.core.errors import ConfigError
from dipgate.core.system_words import system_sentence
from dipgate.pipeline import exchange_stage, reconcile_stage
from dipgate.pipeline.code_search import prepare
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.intake import read_each
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.service.worker import Done, Pulse
from dipgate.store import audit, cases
from dipgate.store import backup as copy_store
from dipgate.store.backup_card import BackupCard, write_card

BACKUPS = "backups"
BACKUP_NAME = "dipgate-{stamp}.sqlite"


def take_in(desk: Desk, pulse: Pulse) -> Done:
    """Read every source from its watermark on; map, check, group and price what is new.

    A source that cannot be read does not hold up the others. Raises ConfigError naming each such
    source, after everything else is done.
    """
    reports, unread = read_each(desk, stage=lambda name: pulse.stage(f"读取来源 {name}"))
    troubles = [f"来源 {name}：{error}" for name, error in unread]
    desk.follow()
    mapped = map_new_stays(desk, pulse.stage("映射新的住院"))
    judged = judge_new_cases(desk, pulse.stage("检查和入组"))
    if troubles:
        raise ConfigError("；".join(troubles), path="sources")
    if not desk.site.sources:
        return Done("站点文件里还没有数据来源")
    stored, rejected = sum(r.stored for r in reports), sum(r.rejected for r in reports)
    if not (stored or rejected or mapped.mapped or judged.judged):
        return Done()
    words = [f"读到 {stored:,} 行"]
    words += [f"另有 {rejected:,} 行读不懂，放在一边"] if rejected else []
    words += [f"映射 {mapped.mapped:,} 份"] if mapped.mapped else []
    words += [f"检查 {judged.judged:,} 份，有错误 {judged.with_errors:,} 份"]
    return Done("，".join(words))


def prepare_codes(desk: Desk, pulse: Pulse) -> Done:
    """Build the index of the code search and count what is not counted, so that no one waits."""
    desk.follow()
    found = prepare(desk, pulse.stage("统计用过的编码"))
    return Done(f"{found:,} 个代码可以查找" if found else "还没有导入诊断和手术目录")


class Pull:
    """Fetch quality and group results of the newest months that have accepted lists."""

    def __init__(self, desk: Desk, compare: Callable[[], object]) -> None:
        """`compare` is called when something is new since it was called last."""
        self._desk = desk
        self._compare = compare
        self._compared: object = None
        """The accepted lists per month at the last comparison; unknown at start."""

    def __call__(self, pulse: Pulse) -> Done:
        """Raises RetryLater while the platform does not answer, Refused when it says no."""
        months = accepted_months(self._desk)[: self._desk.site.schedule.pull_months]
        if not months:
            return Done("还没有平台接收的清单，没有结果可取")
        new = 0
        for month, _count in months:
            pulse.stage(f"取回 {month} 的结果")(0, None)
            new += sum(report.new for report in exchange_stage.pull(self._desk, month))
        if new or months != self._compared:
            self._compared = months
            self._compare()
        span = months[-1][0] if len(months) == 1 else f"{months[-1][0]} 至 {months[0][0]}"
        return Done(f"取了 {span}，新的结果 {new:,} 行")


def compare(desk: Desk, pulse: Pulse) -> Done:
    """Compare the fetched months list by list."""
    months = accepted_months(desk)[: desk.site.schedule.pull_months]
    if not months:
        return Done("还没有平台接收的清单")
    lists = different = 0
    for month, _count in months:
        pulse.stage(f"对账 {month}")(0, None)
        report = reconcile_stage.reconcile(desk, month)
        lists += len(report.lists)
        different += report.different
    return Done(f"对了 {lists:,} 份，不同 {different:,} 份")


def accepted_months(desk: Desk) -> list[tuple[str, int]]:
    """Settlement months with lists that the platform has accepted, newest first, with counts."""
    with desk.store.read() as conn:
        counted = [
            (month, cases.counts(conn, month=month)["accepted"])
            for month in reversed(cases.months(conn))
            if month
        ]
    return [(month, count) for month, count in counted if count]


def copy_database(desk: Desk, _pulse: Pulse) -> Done:
    """The nightly copy; of the schedule's own copies only the newest are kept.

    Raises ConfigError when the folder cannot be written.
    """
    settings, now = desk.site.schedule, desk.clock.now()
    folder = backup_folder(desk)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sentence = system_sentence(f"建不了备份目录 {folder}", error)
        raise ConfigError(sentence, path="schedule.backup_folder") from error
    name = BACKUP_NAME.format(stamp=f"{now.astimezone(CHINA):%Y%m%d-%H%M%S}")
    report = copy_store(desk.store, folder / name)
    write_card(desk.store.state, BackupCard(now, str(report.file.resolve()), report.size))
    desk.store.write(
        lambda conn: audit.add(
            conn,
            now,
            desk.actor,
            "store.backed_up",
            "store",
            detail={"bytes": report.size, "raw_files": report.raw_files},
        )
    )
    own = sorted(folder.glob(BACKUP_NAME.format(stamp="[0-9]*-[0-9]*")))
    for old in own[: -settings.backup_keep]:
        old.unlink(missing_ok=True)
    return Done(f"备份了 {size_words(report.size)}")


def backup_folder(desk: Desk) -> Path:
    """Where the nightly copies go: as set, else `backups` in the state folder."""
    named = desk.site.schedule.backup_folder
    return (desk.site.file.parent / named).resolve() if named else desk.store.state / BACKUPS
