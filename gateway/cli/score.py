"""`dipgate score`: points of grouped cases from stated amounts and coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dipgate.cli.frame import global_options, globals_of, print_json
from dipgate.cli.json_lines import each_line, line_options, print_lacking

if TYPE_CHECKING:
    from dipgate.pregrouper.scoring_given import GivenScore


@click.command()
@line_options
@global_options
@click.pass_context
def score(
    ctx: click.Context, file: str, policy_id: str, sets: tuple[str, ...], as_json: bool
) -> int:
    """给已入组的病例计分：读 JSON Lines（FILE 或标准输入），按政策的偏差区间逐步算出分值。"""
    from dipgate.config.policy_set import with_settings
    from dipgate.core.score_input import ScoreInput
    from dipgate.pregrouper.scoring_given import given_as_json, score_given

    policy = with_settings(policy_id, sets, globals_of(ctx).state_if_named())

    def work(number: int, line: ScoreInput) -> None:
        found = score_given(line, policy)
        case_id = line.case or str(number)
        if as_json:
            print_json(given_as_json(case_id, found, policy))
        else:
            _print(case_id, found)

    return each_line(ScoreInput, file, work)


def _print(case_id: str, found: GivenScore) -> None:
    from dipgate.core.grouping_words import SCORE_WORDS

    result = found.result
    shown = "" if result.score is None else f" {result.score:f} 分"
    click.echo(f"{case_id}  {SCORE_WORDS[result.status]}{shown}")
    for step in result.trace:
        click.echo(f"  {step.text}" + (f"（{step.ref}）" if step.ref else ""))
    print_lacking(result.not_configured, result.warnings, found.unused)
