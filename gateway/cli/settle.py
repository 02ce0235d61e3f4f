"""`dipgate settle`: a hospital's or a pool's month or year in money, from stated sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dipgate.cli.frame import global_options, globals_of, print_json
from dipgate.cli.json_lines import each_line, line_options, print_lacking

if TYPE_CHECKING:
    from dipgate.core.settle_input import SettleInput
    from dipgate.pregrouper.settling import Settled


@click.command()
@line_options
@global_options
@click.pass_context
def settle(
    ctx: click.Context, file: str, policy_id: str, sets: tuple[str, ...], as_json: bool
) -> int:
    """月度预结算和年终清算：读 JSON Lines（FILE 或标准输入），每行一个月或一年，逐步算出应付。"""
    from dipgate.config.policy_set import with_settings
    from dipgate.core.settle_input import SettleInput
    from dipgate.pregrouper.settling import settle as settle_line
    from dipgate.pregrouper.settling import settled_as_json

    policy = with_settings(policy_id, sets, globals_of(ctx).state_if_named())

    def work(number: int, line: SettleInput) -> None:
        found = settle_line(line, policy)
        if as_json:
            print_json({"line": number, **settled_as_json(line, found)})
        else:
            _print(line, found)

    return each_line(SettleInput, file, work)


def _print(line: SettleInput, found: Settled) -> None:
    from dipgate.core.money import yuan_text
    from dipgate.pregrouper.words import word_of

    name = " ".join(filter(None, (line.id, line.hospital, line.pool, line.month or line.year)))
    if found.payable is None:
        click.echo(f"{name}  不能计算，缺少 {len(found.not_configured)} 项")
    else:
        click.echo(f"{name}  应付 {yuan_text(found.payable)} 元")
    for step in found.trace:
        click.echo(f"  {step.text}" + (f"（{step.ref}）" if step.ref else ""))
    print_lacking(found.not_configured, found.warnings, found.unused)
    for title, amount in (
        ("返还保证金", found.deposit_returned),
        ("预付金", found.prepayment),
        ("清算金额", found.clearing),
    ):
        if amount is not None:
            click.echo(f"  {title} {yuan_text(amount)} 元")
    for part, amount in found.shares.items():
        click.echo(f"  {word_of(part)} 分得 {yuan_text(amount)} 元")
    if found.deadline:
        click.echo(f"  应在 {found.deadline} 前清算")
