"""`dipgate serve`: the desk in the browser."""

from __future__ import annotations

from pathlib import Path

import click

from dipgate.cli.frame import global_options, globals_of


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="端口（默认：站点文件的 web.port）")
@click.option(
    "--port-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="开始监听后把端口写进这个文件",
)
@global_options
@click.pass_context
def serve(ctx: click.Context, port: int | None, port_file: Path | None) -> int:
    """运行工作台：网页、定时任务和上传，直到 Ctrl-C。

    只在本机地址上监听；别的地址要先在站点文件里写明前面的 TLS 反向代理（web.trusted_proxy）。
    后台的一部分意外停了，进程会以退出码 70 结束并留下报告，由服务管理器重新启动。
    """
    from dataclasses import replace
    from importlib.metadata import version

    from dipgate.config.settings import load_site
    from dipgate.core.durations import duration_words
    from dipgate.security.eventlog import log_to_stderr
    from dipgate.service.hosting import host
    from dipgate.service.serving import (
        WebOptions,
        WebServer,
        stopping_at_signals,
        write_port_file,
    )
    from dipgate.service.wiring import open_desk
    from dipgate.store import accounts

    held = globals_of(ctx)
    state, site_file = held.state_dir(), held.site_file()
    web_settings = load_site(site_file).web
    options = WebOptions(web_settings.host, web_settings.port, web_settings.trusted_proxy)
    options = replace(options, port=options.port if port is None else port)
    options.check()
    code = 0
    log_to_stderr()
    with stopping_at_signals(), open_desk(state, site_file) as desk:

        def ready(server: WebServer) -> None:
            with desk.store.read() as conn:
                nobody = not accounts.all_users(conn)
            click.echo(f"工作台：{server.address}")
            if desk.store.went_back:
                click.echo(
                    f"注意：本机时钟比上次写下的记录慢 {duration_words(desk.store.went_back)}，"
                    "像是拨回去了；请让系统自动对时",
                    err=True,
                )
            if nobody:
                click.echo("还没有用户；先停下，用 dipgate user add 新建一个", err=True)
            if port_file is not None:
                write_port_file(port_file, server.port)

        code = host(desk, options, instance=state, version=version("dipgate"), ready=ready)
    return code
