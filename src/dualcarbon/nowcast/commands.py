"""Verbs of the quick-calc room."""

import inspect
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from dualcarbon.core import pack as packs
from dualcarbon.core.console import Json, WorkspaceDir, emit, language, progress, say
from dualcarbon.core.faces import FIRST_DAY, LAST_DAY
from dualcarbon.nowcast import shown
from dualcarbon.nowcast.annual.asked import numbers
from dualcarbon.nowcast.usual import FAMILY, RECONCILE, RECORD

cli = typer.Typer(help=say("碳排放速算：当月排放、区间与检验", "carbon quick-calc: this month, intervals, back-test"))

#: Options that several verbs share.
Place = Annotated[
    str | None,
    typer.Option(
        "--place",
        metavar="CODE",
        help=say("地区（代码或名称；默认规则包的地区）", "place (code or name; that of the pack)"),
    ),
]
Month = Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help=say("估算月份", "the month estimated"))]
AsOf = Annotated[
    str | None, typer.Option("--as-of", metavar="DATE", help=say("按该日已知的数据", "with what was known that day"))
]
Tree = Annotated[str, typer.Option("--tree", help=say("admin 行政口径，management 管理口径", "admin or management"))]
Family = Annotated[str, typer.Option("--family", help=say("因子族", "family of factors"))]
Years = Annotated[
    str | None, typer.Option("--years", help=say("检验年份，如 2015-2021 或 2018,2020", "2015-2021 or 2018,2020"))
]
Months = Annotated[str, typer.Option("--months", help=say("已知月数，如 0,3,6,9,12", "months seen, as 0,3,6,9,12"))]


Done = tuple[dict[str, Any], Callable[[], None] | str]


@cli.callback()
def room() -> None:
    """The room's verbs."""


def _common(
    place: Place = None, as_of: AsOf = None, tree: Tree = "admin", family: Family = FAMILY,
    json: Json = False, workspace: WorkspaceDir = None,
) -> None:  # fmt: skip
    """The options that every question to a workspace has."""


def _asks(name: str, help: str, doing: str) -> Callable[[Callable[..., Done]], None]:
    """Make a verb of ``work(question, own options…)``, which gives the result and how it is shown to a reader.

    `question` holds the options of `_common`, which the verb has besides its own: place, as_of, tree, family and
    workspace, as the room's functions take them.
    """

    def register(work: Callable[..., Done]) -> None:
        own = list(inspect.signature(work).parameters.values())[1:]
        common = list(inspect.signature(_common).parameters.values())

        def verb(**given: Any) -> None:
            question = {one.name: given.pop(one.name) for one in common}
            json = question.pop("json")
            question["as_of"] = _day(question["as_of"], "--as-of")
            with progress(json) as bar:
                bar.add_task(doing, total=None)
                result, shows = work(question, **given)
            emit(result, json, shows)

        own_first = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*own, *common)]
        verb.__signature__ = inspect.Signature(own_first)  # type: ignore[attr-defined]
        verb.__annotations__ = {one.name: one.annotation for one in own_first}
        cli.command(name, help=help)(verb)

    return register


@_asks("run", say("当月排放：已报的核算，未报的估算，附区间", "this month: counted where reported, else estimated"),
       say("估算", "estimating"))  # fmt: skip
def _run(
    question: dict[str, Any],
    month: Month = None,
    by: Annotated[
        str, typer.Option("--by", help=say("明细：place、sector、domain", "rows: place, sector, domain"))
    ] = "place",
    reconcile: Annotated[
        str,
        typer.Option("--reconcile", help=say("官方总数：raking、least_squares、none", "raking, least_squares or none")),
    ] = "raking",
    replay: Annotated[
        int, typer.Option("--replay", min=0, max=60, help=say("回放最近几个月检验", "replay so many months"))
    ] = RECORD,
) -> Done:
    from dualcarbon import nowcast

    rows = [word for word in re.split(r"[,，、\s]+", by) if word]
    result = nowcast.run(**question, month=_month(month), by=rows, reconcile=reconcile, record=replay)
    return result, lambda: shown.this_month(result)


@_asks(
    "news", say("新到数据使估算变了多少", "which arrivals moved the estimate, by how much"), say("比较", "comparing")
)
def _news(
    question: dict[str, Any],
    before: Annotated[str, typer.Option("--before", metavar="DATE", help=say("较早的一天", "the earlier day"))],
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="DATE", help=say("较晚的一天（默认：--as-of 或最近）", "the later day")),
    ] = None,
    month: Month = None,
) -> Done:
    from dualcarbon import nowcast

    first = _day(before, "--before")
    assert first is not None
    last = question.pop("as_of")
    result = nowcast.news(**question, before=first, after=_day(after, "--after") or last, month=_month(month))
    return result, lambda: shown.arrivals(result)


@_asks("explain", say("变动原因：规模、结构、强度、用能结构、电网因子",
                      "why it changed: activity, structure, intensity, mix"), say("分解", "decomposing"))  # fmt: skip
def _explain(
    question: dict[str, Any],
    period: Annotated[
        str | None, typer.Option("--period", help=say("时期，如 2024、2024-11（默认：最近一月）", "period, as 2024"))
    ] = None,
    against: Annotated[
        str | None, typer.Option("--against", help=say("对比时期（默认：上年同期）", "compared with (a year before)"))
    ] = None,
) -> Done:
    from dualcarbon import nowcast

    result = nowcast.explain(**question, period=period, against=against)
    return result, lambda: shown.causes(result)


@_asks("vintages", say("修订三角：各月历次估算与打分", "revisions: each month's estimates in turn, and their scores"),
       say("回看", "looking back"))  # fmt: skip
def _vintages(
    question: dict[str, Any],
    months: Annotated[int, typer.Option("--months", min=1, max=36, help=say("最近几个月", "the last months"))] = 6,
) -> Done:
    from dualcarbon import nowcast

    result = nowcast.vintages(**question, months=months)
    return result, lambda: shown.revisions(result)


@_asks("open", say("打开一个速算的数：到算式、所用的数和原始行", "open a figure: equation, numbers used, rows"),
       say("打开", "opening"))  # fmt: skip
def _open(
    question: dict[str, Any],
    month: Month = None,
    sector: Annotated[str | None, typer.Option("--sector", help=say("行业代码", "sector"))] = None,
    domain: Annotated[str | None, typer.Option("--domain", help=say("领域", "domain"))] = None,
    part: Annotated[str | None, typer.Option("--part", help="direct, indirect")] = None,
    run: Annotated[str | None, typer.Option("--run", metavar="ID", help=say("留存的批次", "a kept run"))] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help=say("由各月得出的数：sum、change、growth、share、pull、progress、intensity、effect、news、error、score、"
                     "target、official、bridge、term、flag、uncertainty",
                     "a figure derived from months: sum, change, growth, share, pull, progress, intensity, effect, "
                     "news, error, score, target, official, bridge, term, flag, uncertainty"),
        ),
    ] = None,
    period: Annotated[str | None, typer.Option("--period", help=say("时期", "period"))] = None,
    against: Annotated[str | None, typer.Option("--against", help=say("对比时期", "compared with"))] = None,
    effect: Annotated[str | None, typer.Option("--effect", help=say("分解的因素", "effect, as activity"))] = None,
    before: Annotated[str | None, typer.Option("--before", metavar="DATE", help=say("较早的一天", "since"))] = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar="DATE", help=say("较晚的一天（默认：--as-of）", "the later day"))
    ] = None,
    arrival: Annotated[str | None, typer.Option("--arrival", help="revision, weather, electricity, fuel")] = None,
    about: Annotated[
        str | None,
        typer.Option("--about", help="month, year_before, others; electricity, recent …; level-shift, divergence …"),
    ] = None,
    state: Annotated[str | None, typer.Option("--state", help="electricity, nothing; before, after")] = None,
    late: Annotated[
        int | None, typer.Option("--late", min=1, max=24, help=say("燃料晚几个月", "months that fuels are late"))
    ] = None,
    power_late: Annotated[
        int | None, typer.Option("--power-late", min=1, max=24, help=say("用电晚几个月", "and electricity"))
    ] = None,
    level: Annotated[str | None, typer.Option("--level", help=say("total：合计", "total: of the whole"))] = None,
    city: Annotated[str | None, typer.Option("--city", help=say("一起估算的城市", "estimated with its city"))] = None,
    reconcile: Annotated[
        str | None,
        typer.Option("--reconcile", help=say("官方总数：raking、least_squares、none", "raking, least_squares or none")),
    ] = None,
) -> Done:  # fmt: skip
    from dualcarbon import nowcast

    if kind:
        result = nowcast.open_reason(
            **question, kind=kind, month=month, sector=sector, domain=domain, part=part, period=period,
            against=against, effect=effect, before=_day(before, "--before"), after=_day(after, "--after"),
            arrival=arrival, about=about, city=city, reconcile=reconcile, state=state, late=late,
            power_late=power_late, level=level,
        )  # fmt: skip
        return result, lambda: shown.reason(result)
    if not (month or run):
        raise typer.BadParameter(say("请给出 --month、--kind 或 --run", "give --month, --kind or --run"),
                                 param_hint="--month")  # fmt: skip
    _month(month)
    result = nowcast.open_figure(**question, month=month, sector=sector, domain=domain, part=part, run=run, city=city,
                                 reconcile=reconcile or RECONCILE)  # fmt: skip
    return result, lambda: shown.opened(result)


@_asks("situation", say("年度碳排放形势分析；给出 --month 时是月度简析（可写成 Word、PDF）",
                        "the yearly analysis, or with --month the brief of a month (as Word or PDF)"),
       say("分析", "analysing"))  # fmt: skip
def _situation(
    question: dict[str, Any],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE.docx|FILE.pdf]", help=say("写成 Word 或 PDF", "write Word or PDF")),
    ] = None,
    year: Annotated[
        int | None,
        typer.Option(
            "--year",
            min=1990,
            max=2100,
            help=say("年份（默认：最近有三个月已报的一年）", "the year (the last with three months reported)"),
        ),
    ] = None,
    month: Annotated[
        str | None, typer.Option("--month", metavar="YYYY-MM", help=say("月度简析的月份", "the month of a brief"))
    ] = None,
) -> Done:
    from dualcarbon import nowcast
    from dualcarbon.nowcast.told.telling import title, write

    if year and month:
        raise typer.BadParameter(say("--year 与 --month 只能给一个", "give --year or --month"), param_hint="--month")
    _month(month)
    result = nowcast.monthly(**question, month=month) if month else nowcast.analyse(**question, year=year)
    result["file"] = write(result, file, language()) if file else None
    lines = [title(result, language())]
    for part in result["paragraphs"][language()]:
        lines += ["", *(text for text in (part["heading"], part["text"]) if text)]
        lines += ["  ".join(row) for row in part["table"] or []]
    lines += ["", say(f"已写入 {file}", f"written to {file}")] if file else []
    return result, "\n".join(lines)


def _day(text: str | None, option: str) -> date | None:
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(say(f"“{text}”不是日期", f"“{text}” is no day"), param_hint=option) from error
    if not FIRST_DAY <= day <= LAST_DAY:
        span = f"{FIRST_DAY} – {LAST_DAY}"
        raise typer.BadParameter(say(f"“{text}”不在 {span} 之内", f"“{text}” is not within {span}"), param_hint=option)
    return day


def _month(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError as error:
        words = say(f"“{text}”不是月份，请写如 2024-09", f"“{text}” is no month; write 2024-09")
        raise typer.BadParameter(words, param_hint="--month") from error


@cli.command(help=say("把年度总量分摊到月（日）", "spread annual totals over months (and days)"))
def shape(
    totals: Annotated[Path, typer.Option("--totals", help=say("年度总量文件", "annual totals"))],
    indicator: Annotated[Path, typer.Option("--indicator", help=say("月度指标文件", "monthly indicator"))],
    method: Annotated[str, typer.Option("--method", help="denton, chow-lin, fernandez, litterman")] = "denton",
    daily: Annotated[Path | None, typer.Option("--daily", help=say("逐日负荷文件", "daily load"))] = None,
    json: Json = False,
) -> None:
    from dualcarbon import nowcast

    result = nowcast.shape(totals, indicator, method=method, daily=daily)
    emit(result, json, lambda: shown.spread(result))


@cli.command(
    help=say("回放检验：各方法相对“沿用上年”的技巧与区间覆盖率", "replay: skill against the last value, coverage")
)
def backtest(
    observations: Annotated[Path, typer.Option("--observations", help=say("月度指标文件", "monthly indicators"))],
    truth: Annotated[Path, typer.Option("--truth", help=say("年度核算值文件", "annual truth"))],
    years: Years = None,
    months: Months = "0,3,6,9,12",
    lag: Annotated[int, typer.Option("--lag", min=1, max=2, help=say("核算滞后年数", "years until truth"))] = 1,
    total: Annotated[Path | None, typer.Option("--total", help=say("已知总量文件", "a known total"))] = None,
    pack: Annotated[
        str, typer.Option("--pack", help=say("取燃料因子的规则包", "rule pack of fuel factors"))
    ] = packs.DEFAULT,
    json: Json = False,
) -> None:
    from dualcarbon import nowcast

    seen = _numbers(months, "--months")
    if not seen or not all(0 <= m <= 12 for m in seen):
        raise typer.BadParameter(say("月数应在 0 到 12 之间", "months are 0 to 12"), param_hint="--months")
    with progress(json) as bar:
        task = bar.add_task(say("回放", "replay"), total=None)
        result = nowcast.backtest(
            observations, truth, years=_numbers(years, "--years") if years else None, months=seen, lag=lag, total=total,
            pack=pack, advance=lambda done, all: bar.update(task, completed=done, total=all),
        )  # fmt: skip
    emit(result, json, lambda: shown.replayed(result))


def _numbers(text: str, option: str) -> list[int]:
    """``2015-2018,2020`` as numbers."""
    found, wrong = numbers(text)
    if wrong is not None:
        raise typer.BadParameter(say(f"看不懂“{wrong}”", f"cannot read “{wrong}”"), param_hint=option)
    return found
