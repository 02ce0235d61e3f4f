"""The `dipgate` command: global options, and the table of commands."""

from __future__ import annotations

from importlib import import_module

import click

from dipgate.cli.frame import global_options, run

COMMANDS = {
    "alternatives": "alternatives:alternatives",
    "backup": "backup:backup",
    "catalogue": "catalogue:catalogue",
    "check": "check:check",
    "config": "config:config",
    "contract": "contract:contract",
    "demo": "demo:demo",
    "forecast": "forecast:forecast",
    "group": "group:group",
    "indicators": "forecast:indicators",
    "init": "init:init",
    "intake": "intake:intake",
    "library": "library:library",
    "lineage": "lineage:lineage",
    "log": "log:log",
    "maps": "maps:maps",
    "platform": "platform:platform",
    "policy": "policy:policy",
    "preview": "preview:preview",
    "pull": "exchange:pull",
    "queue": "queue:queue",
    "reconcile": "exchange:reconcile",
    "registry": "registry:registry",
    "restore": "backup:restore",
    "rules": "rules:rules",
    "score": "score:score",
    "send": "exchange:send",
    "serve": "serve:serve",
    "settle": "settle:settle",
    "source": "source:source",
    "survey": "survey:survey",
    "token": "token:token",
    "user": "user:user",
    "why": "why:why",
}
"""command → module:function below `dipgate.cli`; the module is imported when it is called."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        where = COMMANDS.get(cmd_name)
        if where is None:
            return None
        module, _, name = where.partition(":")
        command: click.Command = getattr(import_module(f"dipgate.cli.{module}"), name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dipgate", message="dipgate %(version)s")
@global_options
def dipgate() -> None:
    """从 HIS 到医保结算清单：映射、校验、DIP 入组计分、上传与对账。"""


def main() -> int:
    """Run the command line; the exit code is 0, 1 (found errors) or 2 (unusable)."""
    return run(dipgate)
