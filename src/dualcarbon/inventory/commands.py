"""Verbs of the room: the account of a place or enterprise, and the enterprise energy return to fill in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, language, say, table, twice
from dualcarbon.core.pack import DEFAULT

if TYPE_CHECKING:
    from dualcarbon.core.workspace import Workspace

cli = typer.Typer()
template = typer.Typer(help=say("下载填报模板（Excel）", "write an Excel template to fill in"))
cli.add_typer(template, name="template")

DIMS = "place domain section sector carrier process part scope month quarter year"


def _option(name: str, zh: str, en: str, metavar: str | None = None, **more: Any) -> Any:
    return typer.Option(name, metavar=metavar, help=say(zh, en), **more)


Place = Annotated[
    str | None,
    _option(
        "--place",
        "地区或主体（代码或名称；默认：规则包的城市）",
        "place or entity (code or name; default: the rule pack's city)",
        "CODE",
    ),
]
Asked = Annotated[
    str | None,
    _option("--period", "时期，如 2024、2024-09、2024-Q3（默认：最近一年）", "period (default: the last year)", "P"),
]
Tree = Annotated[
    str, _option("--tree", "admin 行政口径，management 管理口径", "admin (administrative) or management", "TREE")
]
Basis = Annotated[
    str | None,
    _option("--basis", "核算口径（默认：C 已设定用 C，否则 B）", "account (default: C if set, else B)", "A|B|C"),
]
By = Annotated[str, _option("--by", f"明细：{DIMS}", f"rows: {DIMS}", "DIM,…")]
KnownAt = Annotated[
    str | None, _option("--known-at", "只用该日之前发布的数据和因子", "only what was published by then", "DATE")
]
Family = Annotated[str, _option("--family", "因子族", "family of factors")]
Gwp = Annotated[str, _option("--gwp", "GWP 集（SAR、AR4、AR5、AR6）", "GWP set (SAR, AR4, AR5, AR6)", "SET")]
Dataset = Annotated[list[str] | None, _option("--dataset", "只用这些数据集", "only these datasets")]
Factors = Annotated[
    Path | None, _option("--factors", "自带因子 CSV", "CSV of your own factors", exists=True, dir_okay=False)
]
Export = Annotated[
    Path | None, _option("--export", "另存为 .xlsx、.csv、.parquet", "also write .xlsx, .csv or .parquet", "FILE")
]
Movers = Annotated[
    bool, _option("--movers", "变化最大的 20 家企业（拉动点数）", "the 20 enterprises that changed most (pull points)")
]
Custody = Annotated[
    str | None,
    _option(
        "--custody",
        "读者可看的数据性质；会暴露单位的数不列",
        "what the reader may see; the rest is left out",
        "LEVEL,…",
    ),
]
Month = Annotated[str | None, _option("--period", "报告期月份", "month of the report", "2024-09")]
Entity = Annotated[
    str | None,
    _option("--entity", "主体：带出封面、上年同期和上月累计", "entity whose cover and figures are carried", "CODE"),
]


@cli.command(help=say("某地区某时期的碳账户", "the carbon account of a place and period"))
def account(
    place: Place = None,
    period: Asked = None,
    tree: Tree = "admin",
    basis: Basis = None,
    by: By = "sector",
    known_at: KnownAt = None,
    family: Family = "provincial-2025",
    gwp: Gwp = "AR5",
    dataset: Dataset = None,
    factors: Factors = None,
    export: Export = None,
    movers: Movers = False,
    custody: Custody = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon import inventory
    from dualcarbon.core.workspace import Workspace

    data = Workspace.find(workspace)
    chosen: dict[str, Any] = {
        "place": place, "period": period or _latest(data), "tree": tree, "basis": basis, "known_at": known_at,
        "family": family, "gwp": gwp, "dataset": dataset, "factors": factors,
    }  # fmt: skip
    if movers and custody is not None:
        raise typer.BadParameter(
            say("限定权限时不列企业", "no enterprise is listed for limited custodies"), param_hint="--movers/--custody"
        )
    found = inventory.account(data, by=by.split(","), custody=custody, **chosen)
    if export is not None:
        more: dict[str, Any] = {}
        if export.suffix.lower() == ".xlsx" and found["value"] is not None and custody is None:
            more = {
                "uncertainty": inventory.uncertainty(data, **chosen),
                "key": inventory.key_categories(data, **chosen),
            }
            if not found["entity"]:
                more["completeness"] = inventory.completeness(data, **chosen)
                more["movers"] = inventory.top_movers(data, **chosen)
        inventory.export(found, export, lang=language(), **more)
    if movers:
        found["movers"] = inventory.top_movers(data, **chosen)
    emit(found, json, lambda: _show(found, export))


def _latest(workspace: "Workspace") -> str:
    """The last year that energy data reach, whole or so far."""
    from datetime import date, timedelta

    from dualcarbon.core import periods

    counted = [str(one["id"]) for one in workspace.datasets() if one.get("role") != "control"]
    rows = workspace.observations(datasets=counted).filter("item LIKE 'energy.%'")
    start, end = rows.aggregate('min(start), max("end")').fetchall()[0]
    if end is None:
        return str(date.today().year - 1)
    return periods.text(max(start, date((end - timedelta(days=1)).year, 1, 1)), end)


STATUSES = ("official", "secondary", "unverified", "synthetic")
UNITS = {
    "tCO2": (("吨", "t"), ("万吨", "10⁴ t")),
    "tce_calorific": (("吨标准煤（当量）", "tce"), ("万吨标准煤（当量）", "10⁴ tce")),
    "tce_equivalent": (("吨标准煤（等价）", "tce"), ("万吨标准煤（等价）", "10⁴ tce")),
}


def _show(found: dict[str, Any], export: Path | None) -> None:
    from dualcarbon.inventory.tables import NAMES

    lang = language()
    place, title = found["place_name"][lang], found["title"][lang]
    tree = {"admin": say("行政口径", "administrative"), "management": say("管理口径", "management")}
    tree_name = tree.get(found["tree"], found["tree"])
    typer.echo(f"{place}  {found['period']}  {found['basis']} {title}  {tree_name}")
    if found["synthetic"]:
        typer.echo(say("含模拟数据，不代表任何真实单位或地区", "holds synthetic data: no real unit or place"))
    unit, scale = _scale(found)
    if found.get("stopped"):
        typer.echo(found["stopped"][lang])
    if found["value"] is None:
        told = (found["notation"] or {}).get(lang) or say("不公开", "withheld")
        typer.echo(f"{say('二氧化碳', 'CO2')}  {told}")
        for one in found.get("unset", []):
            typer.echo(f"  {say('未设定参数', 'not set')}  {one['title'].get(lang) or one['parameter']}")
    else:
        typer.echo(
            f"{say('二氧化碳', 'CO2')}  {found['value'] / scale:,.2f} {unit}  {_interval(found, scale)}".rstrip()
        )
        typer.echo(_change(found, scale, unit))
    columns = {
        "title": say("组成", "part"),
        "value": unit,
        "memo": say("备忘", "memo"),
        "status": say("依据状态", "status"),
    }
    names = ("官方", "转引", "未核实", "演示数据") if lang == "zh" else STATUSES
    words = dict(zip(STATUSES, names, strict=True))
    parts = [{**p, "value": _scaled(p["value"], scale), "status": words.get(p["status"], "")} for p in found["parts"]]
    table(parts, columns)
    if found["rows"]:
        rows = [
            {"name": r["name"], "value": _scaled(r["value"], scale), "share": _scaled(r["share"], 0.01),
             "change": _scaled(r["change"], scale), "pull": _rounded(r["pull_points"]), "complete": r["complete"]}
            for r in found["rows"]
        ]  # fmt: skip
        heads = {
            "name": " · ".join(say(*NAMES[name]) for name in found["by"]),
            "value": unit,
            "share": "%",
            "change": say("变化", "change"),
            "pull": say("拉动（百分点）", "pull (points)"),
            "complete": say("完整", "complete"),
        }
        table(rows, heads)
    if "movers" in found:
        _moved(found["movers"], scale, unit)
    _footer(found, lang)
    if export is not None:
        typer.echo(say(f"已写入 {export}", f"written to {export}"))


def _moved(found: dict[str, Any], scale: float, unit: str) -> None:
    """The enterprises that moved most, and what all others did."""
    lang = language()
    rows: list[dict[str, Any]] = [
        {"name": row["name"][lang], "value": _scaled(row["value"], scale), "change": _scaled(row["change"], scale),
         "pull": _rounded(row["pull_points"])}
        for row in found["rows"]
    ]  # fmt: skip
    if found["rest"] is not None:
        rest = found["rest"]
        shown = {"change": _scaled(rest["change"], scale), "pull": _rounded(rest["pull_points"])}
        rows.append({"name": say("其他", "all others"), "value": None, **shown})
    heads = {"name": say("企业", "enterprise"), "value": unit, "change": say("变化", "change")}
    table(rows, heads | {"pull": say("拉动（百分点）", "pull (points)")})


def _scale(found: dict[str, Any]) -> tuple[str, float]:
    """Unit and divisor that suit the size of the account."""
    large = abs(found["value"] or 0.0) >= 10_000
    name = UNITS.get(found["unit"], ((found["unit"],) * 2, (found["unit"],) * 2))[large]
    return say(*name), 10_000.0 if large else 1.0


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else round(value / scale, 2)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _interval(found: dict[str, Any], scale: float) -> str:
    if found["low"] is None:
        return say("（不确定度未知）", "(uncertainty unknown)")
    return say("95% 区间", "95 % interval") + f" {found['low'] / scale:,.2f} – {found['high'] / scale:,.2f}"


def _change(found: dict[str, Any], scale: float, unit: str) -> str:
    before = found["previous"]
    if before["value"] is not None and found["change"] is None:
        return say(f"与上年同期 {before['period']} 不可比：有地区缺月份",
                   f"not compared with {before['period']}: an area lacks months")  # fmt: skip
    if found["change"] is None:
        return say(f"上年同期 {before['period']} 无数据", f"no data for {before['period']}")
    change = f"{found['change'] / scale:+,.2f} {unit}"
    if found["change_percent"] is not None:
        change = f"{found['change_percent']:+.2f}%  ({change})"
    return say(f"比上年同期 {before['period']}  {change}", f"against {before['period']}  {change}")


def _footer(found: dict[str, Any], lang: str) -> None:
    for one in found["missing"]:
        quantity = "" if one["quantity"] is None else f"{one['quantity']:,.6g} {one['unit'] or ''}"
        text = "  ".join(str(x) for x in (one["place"], one["carrier"], one["period"], quantity, one["parameter"]) if x)
        typer.echo(f"{say('未计入', 'not counted')}  {one['reason_text'][lang]}  {text}")
    twice(found["doubled"])
    for one in found["difference"]:
        percent = "" if one["difference_percent"] is None else f"{one['difference_percent']:+.2f}%"
        typer.echo(
            f"{say('与公布值之差', 'against published')}  {one['name'][lang]}  {percent}  {one['dataset_title'][lang]}"
        )
    used = sorted(
        {(one["parameter"], one["used"].get("period") or "") for one in found["fallbacks"] if one["reason"] == "period"}
    )
    for parameter, period in used:
        typer.echo(f"{say('沿用', 'carried forward')}  {parameter}  {period}")
    if found["complete"]:
        typer.echo(say("没有缺项", "nothing missing"))


@template.command("energy-return", help=say("企业能源报表（累计、同期、库存、加工转换）", "enterprise energy return"))
def energy_return(
    file: Annotated[Path, typer.Argument(metavar="FILE.xlsx")],
    period: Month = None,
    entity: Entity = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon.core.workspace import NoWorkspace, Workspace
    from dualcarbon.inventory.energy_return_carried import carried
    from dualcarbon.inventory.energy_return_sheet import write

    cover: dict[str, Any] = {"period": period}
    values: dict[tuple[str, int, str], float] = {}
    try:
        data: Workspace | None = Workspace.find(workspace)
    except NoWorkspace:
        data = None
    if entity is not None:
        if data is None:
            raise typer.BadParameter(
                say("没有工作区，不能带出主体", "there is no workspace to carry it from"), param_hint="--entity"
            )
        cover, values = carried(data, entity, period)
    if file.suffix.lower() != ".xlsx":
        raise typer.BadParameter(say("模板是 .xlsx 文件", "the template is an .xlsx file"), param_hint="FILE.xlsx")
    write(file, lang=language(), pack=data.pack if data else DEFAULT, cover=cover, values=values)
    answer = {
        "file": str(file),
        "template": "energy-return",
        "entity": entity,
        "period": period,
        "carried": len(values),
    }
    carried_text = say(f"，带出 {len(values)} 个已知数", f", {len(values)} known figures carried") if values else ""
    emit(answer, json, say(f"已写入 {file}{carried_text}。", f"written to {file}{carried_text}"))
