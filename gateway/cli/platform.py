"""`dipgate platform serve`: the platform twin as a process of its own."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType

import click

from dipgate.cli.frame import global_options, globals_of

TWIN_SECRET = "twin-secret"  # noqa: S105
"""What signatures are checked with when the environment names no secret; it protects nothing."""


@click.group()
@global_options
def platform() -> None:
    """平台替身：不连真平台也能演练上传、查询、结果和各种故障。"""


@platform.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="端口（默认：任选空闲的）")
@click.option("--port-file", type=click.Path(path_type=Path), help="开始监听后把端口写到这个文件")
@click.option(
    "--settlements",
    type=click.Path(path_type=Path),
    help="平台自己的结算（每行一个 JSON）；不写则任何结算都认",
)
@click.option("--faults", type=click.Path(path_type=Path), help="故障计划（JSON）")
@click.option("--seed", type=int, default=1, show_default=True, help="随机种子")
@click.option(
    "--other-version-share",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="用上一年病种目录分组的病例比例",
)
@click.option("--accept-repeats", is_flag=True, help="重复上传也收下（记为两次），不以“已提交”拒绝")
@global_options
@click.pass_context
def serve(
    ctx: click.Context,
    port: int,
    port_file: Path | None,
    settlements: Path | None,
    faults: Path | None,
    seed: int,
    other_version_share: float,
    accept_repeats: bool,
) -> None:
    """在本机开一个平台替身；--state 是替身自己的目录，打印地址后一直运行到被结束。

    目录里有 site.toml 时按它的地区和目录分组，没有则扮演虚构统筹区 990100。
    签名密钥取环境变量 DIPGATE_PLATFORM_SECRET，没有设置时为 twin-secret。
    """
    from dipgate.config.settings import platform_secret
    from dipgate.security.secret import Secret
    from dipgate.service.clock import SystemClock
    from dipgate.twin import TwinOptions
    from dipgate.twin import serve as run

    state = globals_of(ctx).state_dir()
    _refuse_real_state(state)
    options = TwinOptions(
        state=state,
        secret=platform_secret() or Secret(TWIN_SECRET),
        port=port,
        port_file=port_file,
        settlements=settlements,
        faults=faults,
        seed=seed,
        other_version_share=other_version_share,
        accept_repeats=accept_repeats,
    )
    signal.signal(signal.SIGTERM, _ended)
    run(options, SystemClock(), ready=click.echo)


def _refuse_real_state(state: Path) -> None:
    """ConfigError for a folder that a hospital works in: it holds cases, and no twin's ledger."""
    from dipgate.core.errors import ConfigError
    from dipgate.service.clock import SystemClock
    from dipgate.store import cases, open_store
    from dipgate.twin.serving import LEDGER_FILE

    file = state / "dipgate.sqlite"
    if (state / LEDGER_FILE).exists() or not file.is_file() or file.stat().st_size == 0:
        return
    with (
        open_store(state, SystemClock(), owner="dipgate platform", read_only=True) as store,
        store.read() as conn,
    ):
        held = cases.cases_in(conn, limit=1)
    if held:
        raise ConfigError(
            f"{state} 是正在使用的状态目录，里面有病例，平台替身不能用它；"
            "用 --state 给替身另一个目录",
            path="--state",
        )


def _ended(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)
