"""`dipgate forecast make|note|score|change` and `dipgate indicators`: this month's income."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from dipgate.cli.exchange import month_of
from dipgate.cli.frame import global_options, globals_of, print_json, progress_bar
from dipgate.core.errors import ConfigError
from dipgate.core.money import Fen, decimal_of, fen_of, signed_yuan_text, yuan_text

if TYPE_CHECKING:
    from dipgate.pipeline.forecast_stage import Line, MonthForecast, Nowcast, Region
    from dipgate.pregrouper.forecast import Record

LIMIT = Decimal("0.05")
_REGION = re.compile(r"(?P<pool>[^:=]{1,20})=(?P<points>[0-9.]{1,24}):(?P<fund>[0-9.]{1,24})")
_OWN = re.compile(r"(?P<name>[^:=]{1,40}):(?P<pool>[^:=]{1,20})=(?P<yuan>[0-9.]{1,20})")


def _number(_ctx: click.Context, param: click.Parameter, value: str | None) -> Decimal | None:
    try:
        found = decimal_of(value)
    except ValueError:
        raise click.BadParameter("应为数字") from None
    if found is not None and found < 0:
        raise click.BadParameter("不能是负数")
    if param.name == "limit" and found is not None and found > 1:
        raise click.BadParameter("是比例，5% 写作 0.05")
    return found


def _money(_ctx: click.Context, _param: click.Parameter, value: str | None) -> Fen | None:
    try:
        found = fen_of(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}；金额以元写，最多两位小数") from None
    if found is not None and found < 0:
        raise click.BadParameter("不能是负数")
    return found


@click.group()
@global_options
def forecast() -> None:
    """本月收入预测：几种点值下各多少，过去测得准不准，与上月比为什么变。"""


@forecast.command("make")
@click.option("--month", callback=month_of, required=True, metavar="YYYY-MM", help="结算年月")
@click.option(
    "--value",
    "own",
    multiple=True,
    metavar="名称:资金池=元",
    help="自己设的点值，例如 保守:职工=7.90；可重复",
)
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="资金池=总分值:基金",
    help="统筹区本月总分值和可分配基金（元），按份额估算；可重复",
)
@click.option("--dry", is_flag=True, help="只看，不留存")
@click.option("--limit", callback=_number, default=str(LIMIT), show_default=True, help="可接受误差")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON，一行一个对象")
@global_options
@click.pass_context
def make(
    ctx: click.Context,
    month: str,
    own: tuple[str, ...],
    regions: tuple[str, ...],
    dry: bool,
    limit: Decimal,
    as_json: bool,
) -> None:
    """预测一个月的基金支付：到今天为止，和按往月进度推到月底；留存下来，以后对照。"""
    from dipgate.pipeline import forecast_stage
    from dipgate.service.wiring import open_desk

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file(), read_only=dry) as desk:
        with progress_bar("预测", quiet=as_json) as progress:
            made = forecast_stage.forecast(
                desk, month, own=_own_values(own), regions=_regions(regions), progress=progress
            )
        past = forecast_stage.forecast_record(desk)
        if not dry:
            forecast_stage.keep_forecast(desk, made)
    if as_json:
        for line in made.lines:
            print_json(_line(made, line))
        for item in made.nowcasts:
            print_json(_share_line(made, item))
        return
    _warn(past, limit)
    _print(made)


def _own_values(texts: tuple[str, ...]) -> Mapping[str, Mapping[str, Decimal]]:
    from dipgate.pregrouper.forecast import SCENARIOS

    found: dict[str, dict[str, Decimal]] = {}
    for text in texts:
        match = _OWN.fullmatch(text)
        if match is None or match["name"] in SCENARIOS:
            raise ConfigError(f"“{text}”应写成 名称:资金池=元，例如 保守:职工=7.90", path="--value")
        try:
            yuan = decimal_of(match["yuan"])
        except ValueError:
            yuan = None
        if not yuan:
            raise ConfigError(f"“{text}”里的点值不是正数", path="--value")
        found.setdefault(match["name"], {})[match["pool"]] = yuan
    return found


def _regions(texts: tuple[str, ...]) -> Mapping[str, Region]:
    from dipgate.pipeline.forecast_stage import Region

    found: dict[str, Region] = {}
    for text in texts:
        match = _REGION.fullmatch(text)
        try:
            points = decimal_of(match["points"]) if match else None
            fund = fen_of(match["fund"]) if match else None
        except ValueError:
            points = fund = None
        if match is None or not points or not fund:
            raise ConfigError(
                f"“{text}”应写成 资金池=总分值:基金，例如 职工=5200000:43000000.00", path="--region"
            )
        found[match["pool"]] = Region(points, fund)
    return found


def _share_line(made: MonthForecast, item: Nowcast) -> dict[str, object]:
    return {
        "month": made.month,
        "pool": item.pool,
        "scenario": "share",
        "own_points": _plain(round(item.own_points, 4)),
        "region_share": _plain(round(item.share, 8)),
        "whole_fen": item.income,
        "one_percent_more": _plain(round(item.one_percent, 8)),
    }


def _line(made: MonthForecast, line: Line) -> dict[str, object]:
    return {
        "month": made.month,
        "day": f"{made.day:%Y-%m-%d}",
        "pool": line.pool,
        "scenario": line.scenario,
        "cases": line.cases,
        "score": format(line.score, "f"),
        "point_value": _plain(line.point_value),
        "so_far_fen": line.so_far,
        "share": _plain(round(line.share, 6)),
        "learnt_from_months": made.pace.months,
        "whole_fen": line.whole,
        "missing": dict(line.missing),
        "unscored": made.unscored,
    }


def _print(made: MonthForecast) -> None:
    from dipgate.pregrouper.forecast import SCENARIOS

    share = f"{made.pace.share:.1%}"
    how = (
        f"按前 {made.pace.months} 个月的进度，到这一天约完成 {share}"
        if made.pace.months
        else f"没有往月可学，按天数算完成 {share}"
    )
    if made.pace.share == 1:
        how = "这个月的日子已经走完"
    click.echo(f"{made.month}，到 {made.day:%Y-%m-%d}：{how}。")
    if made.unscored:
        click.echo(f"另有 {made.unscored} 份清单还没有分值，不在下面的数里。")
    for line in made.lines:
        word = SCENARIOS.get(line.scenario, line.scenario)
        head = f"  {line.pool or '（资金池未知）'} · {word}：{line.cases} 例，{line.score:f} 分"
        if line.so_far is None or line.whole is None:
            paths = "、".join(f"{path}（{count} 例）" for path, count in line.missing.items())
            click.echo(f"{head}；未配置：{paths}")
            continue
        value = "" if line.point_value is None else f"，点值 {line.point_value:f} 元"
        click.echo(
            f"{head}{value}；到今天 {yuan_text(line.so_far)} 元，全月约 {yuan_text(line.whole)} 元"
        )

    for item in made.nowcasts:
        click.echo(
            f"  {item.pool} · 按份额：全月约 {item.own_points:.4f} 分，占统筹区 {item.share:.4%}，"
            f"约 {yuan_text(item.income)} 元；"
            f"本院分值多 1%（别院不变），收入多 {item.one_percent:.3%}"
        )


def _warn(past: Record, limit: Decimal) -> None:
    if past.recent is None:
        click.echo("还没有拨付单可以对照，不知道预测有多准（dipgate forecast note）。")
    elif past.poor(limit):
        click.echo(
            f"注意：最近几个月的预测平均差 {past.recent:.1%}，超过可接受的 {limit:.1%}，"
            "下面的数请谨慎使用。"
        )
    else:
        click.echo(f"最近几个月的预测平均差 {past.recent:.1%}。")


@forecast.command("note")
@click.option("--month", callback=month_of, required=True, metavar="YYYY-MM", help="结算年月")
@click.option("--pool", required=True, metavar="POOL", help="资金池（职工、居民），或 合计")
@click.option("--pay", callback=_money, required=True, metavar="YUAN", help="拨付金额（元）")
@click.option("--score", callback=_number, metavar="N", help="拨付单上的总分值")
@click.option("--point-value", callback=_number, metavar="YUAN", help="拨付单上的点值（元）")
@click.option("--source", required=True, metavar="TEXT", help="依据：拨付单的文号或日期")
@global_options
@click.pass_context
def note(
    ctx: click.Context,
    month: str,
    pool: str,
    pay: Fen,
    score: Decimal | None,
    point_value: Decimal | None,
    source: str,
) -> None:
    """记下医保局的月度拨付单，预测拿它来对照；同月同池再记一次，以后一次为准。"""
    from dipgate.pipeline import forecast_stage
    from dipgate.service.wiring import open_desk
    from dipgate.store.forecasts import Statement

    if not source.strip():
        raise click.BadParameter("不能是空的", param_hint="--source")
    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file()) as desk:
        item = Statement(month, pool, pay, score, point_value, source)
        forecast_stage.keep_statement(desk, item)
    click.echo(f"已记下 {month} {pool}：{yuan_text(pay)} 元（{source}）")


@forecast.command("score")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON，一行一个月")
@global_options
@click.pass_context
def score_(ctx: click.Context, as_json: bool) -> None:
    """过去的预测与拨付单相比，差多少。"""
    from dipgate.pipeline import forecast_stage
    from dipgate.service.wiring import open_desk

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file(), read_only=True) as desk:
        past = forecast_stage.forecast_record(desk)
    for item in past.graded:
        if as_json:
            print_json(
                {
                    "month": item.month,
                    "predicted_fen": item.predicted,
                    "low_fen": item.low,
                    "high_fen": item.high,
                    "actual_fen": item.actual,
                    "error": _plain(None if item.error is None else round(item.error, 6)),
                    "inside": item.inside,
                }
            )
            continue
        error = "—" if item.error is None else f"{item.error:+.2%}"
        band = "在区间内" if item.inside else "在区间外"
        click.echo(
            f"{item.month}：预测 {yuan_text(item.predicted)} 元，拨付 {yuan_text(item.actual)} 元，"
            f"差 {error}，{band}"
        )
    if not as_json:
        if past.recent is None or past.coverage is None:
            click.echo("还没有一个月既有预测又有拨付单")
        else:
            click.echo(f"最近平均差 {past.recent:.2%}；拨付落在区间内的月份占 {past.coverage:.0%}")


@forecast.command("change")
@click.option(
    "--from", "before", callback=month_of, required=True, metavar="YYYY-MM", help="前一期"
)
@click.option("--to", "after", callback=month_of, required=True, metavar="YYYY-MM", help="后")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON，一个资金池一行")
@global_options
@click.pass_context
def change_(ctx: click.Context, before: str, after: str, as_json: bool) -> None:
    """两个月的预计支付为什么不同：例数、结构、点值各占多少，四项相加正好是全部变化。"""
    from dipgate.pipeline import forecast_stage
    from dipgate.service.wiring import open_desk

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file(), read_only=True) as desk:
        found = forecast_stage.month_change(desk, before, after)
        shares = {
            month: forecast_stage.month_pace(desk, month)[1].share for month in (before, after)
        }
    for month, share in shares.items():
        if share < 1 and not as_json:
            click.echo(f"注意：{month} 约完成 {share:.1%}，变化里有还没有出院、没有结算的病例")
    for pool, item in found.items():
        if as_json:
            print_json(
                {"pool": pool, "from": before, "to": after, "whole_fen": item.whole}
                | {f"{name}_fen": fen for name, fen in item.parts().items()}
                | {
                    "from_share": _plain(round(shares[before], 6)),
                    "to_share": _plain(round(shares[after], 6)),
                }
            )
            continue
        click.echo(
            f"{pool or '（资金池未知）'}：{before} → {after} 变化 {signed_yuan_text(item.whole)} 元"
        )
        words = ("例数", "结构（例均分值）", "点值", "其他（偏差、系数、扣款）")
        for word, fen in zip(words, item.parts().values(), strict=True):
            click.echo(f"  {word} {'—' if fen is None else f'{signed_yuan_text(fen)} 元'}")


@click.command()
@click.option("--month", callback=month_of, metavar="YYYY-MM", help="结算年月（默认：所有月份）")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON，一个指标一行")
@global_options
@click.pass_context
def indicators(ctx: click.Context, month: str | None, as_json: bool) -> None:
    """管理指标：CMI、费用和时间消耗指数、入组率、低倍率和高倍率占比、结算率；公式和分母一起给出。"""
    from dipgate.pipeline import forecast_stage
    from dipgate.service.wiring import open_desk
    from dipgate.store import cases

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file(), read_only=True) as desk:
        with desk.store.read() as conn:
            months = (month,) if month else tuple(item for item in cases.months(conn) if item)
        found = forecast_stage.month_indicators(desk, months)
    for item in found:
        if as_json:
            print_json(
                {
                    "code": item.code,
                    "name": item.name,
                    "value": _plain(None if item.value is None else round(item.value, 6)),
                    "numerator": _plain(round(item.numerator, 6)),
                    "denominator": _plain(round(item.denominator, 6)),
                    "formula": item.formula,
                    "note": item.note,
                }
            )
            continue
        value = "—" if item.value is None else f"{item.value:.4f}"
        note = f"；{item.note}" if item.note else ""
        click.echo(
            f"{item.name} {value} = {_amount(item.numerator)} ÷ {_amount(item.denominator)}"
            f"（{item.formula}{note}）"
        )


def _amount(number: Decimal) -> str:
    """Counts stay whole; sums have four digits behind the point."""
    return f"{number:.0f}" if number == number.to_integral_value() else f"{number:.4f}"


def _plain(number: Decimal | None) -> str | None:
    return None if number is None else format(number, "f")
