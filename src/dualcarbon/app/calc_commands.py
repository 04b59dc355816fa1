"""Verbs of the engine: calc, explain, items, places, methods, factors."""

from pathlib import Path
from typing import Annotated, Any

import typer

from dualcarbon.core import pack as packs
from dualcarbon.core.console import Json, WorkspaceDir, emit, language, number, say, table, twice

cli = typer.Typer()
#: What an opened figure lacks that is written out; --json has all of it.
TOLD = 20
methods = typer.Typer(help=say("方法：列出、查看、校验", "methods: list, show, check"))
factors = typer.Typer(help=say("因子：查找", "factors: find"))
cli.add_typer(methods, name="methods")
cli.add_typer(factors, name="factors")

Pack = Annotated[str, typer.Option("--pack", help=say("规则包", "rule pack"))]
Observations = Annotated[
    Path | None,
    typer.Option(
        "--observations",
        exists=True,
        dir_okay=False,
        help=say("观测文件（否则用工作区）", "file of observations (else the workspace)"),
    ),
]
Factors = Annotated[
    Path | None,
    typer.Option("--factors", exists=True, dir_okay=False, help=say("自带因子 CSV", "CSV of your own factors")),
]
Family = Annotated[str, typer.Option("--family", help=say("因子族", "family of factors"))]
KnownAt = Annotated[
    str | None,
    typer.Option(
        "--known-at",
        metavar="DATE",
        help=say("只用该日之前发布的数据和因子", "use only what was published by this day"),
    ),
]
Gwp = Annotated[
    str, typer.Option("--gwp", metavar="SET", help=say("GWP 集（SAR、AR4、AR5、AR6）", "GWP set (SAR, AR4, AR5, AR6)"))
]
Dataset = Annotated[list[str] | None, typer.Option("--dataset", help=say("只用这些数据集", "only these datasets"))]


def _day(text: str | None) -> Any:
    from dualcarbon.engine.runs import as_date

    try:
        return as_date(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--known-at") from error


@cli.command(help=say("用一种方法核算一份数据", "calculate a table with a method"))
def calc(
    method: Annotated[str, typer.Argument(help=say("方法 id 或 YAML 文件", "method id or YAML file"))],
    observations: Observations = None,
    factors: Factors = None,
    family: Family = "provincial-2025",
    known_at: KnownAt = None,
    gwp: Gwp = "AR5",
    by: Annotated[str, typer.Option("--by", metavar="DIM,…", help=say("结果的维度", "dimensions of the results"))] = "",
    dataset: Dataset = None,
    strict: Annotated[
        bool, typer.Option("--strict", help=say("有缺失即退出码 1", "exit 1 when anything is missing"))
    ] = False,
    samples: Annotated[
        int, typer.Option("--monte-carlo", metavar="N", min=0, help=say("另做 N 次抽样", "also draw N samples"))
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help=say("抽样种子", "seed of the samples"))] = 1,
    pack: Pack = packs.DEFAULT,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon.engine import runs

    dims = [dim.strip() for dim in by.split(",") if dim.strip()]
    unknown = [dim for dim in dims if dim not in DIMENSIONS]
    if unknown:
        raise typer.BadParameter(say("可用：", "known: ") + ", ".join(DIMENSIONS), param_hint="--by")
    run = runs.calc(
        method, observations, workspace=workspace, datasets=dataset, factors=factors, family=family,
        known_at=_day(known_at), gwp=gwp, by=dims, pack=pack, samples=samples, seed=seed,
    )  # fmt: skip
    if observations is None:
        runs.keep(run, workspace)
    emit(run.as_dict(), json, lambda: _told(run, dims))
    if strict and not (run.complete and not run.missing):
        raise typer.Exit(1)


DIMENSIONS = ("place", "entity", "sector", "section", "division", "domain", "carrier", "process", "category", "gas",
              "equipment", "year", "quarter", "month", "period", "dataset", "counterparty",
              "counterparty_place")  # fmt: skip


def _told(run: Any, dims: list[str]) -> None:
    columns = {dim: _heading(dim) for dim in dims} | {
        "item": say("指标项", "item"), "value": say("数值", "value"), "unit": say("单位", "unit"),
        "low": say("下限", "low"), "high": say("上限", "high"), "status": say("依据", "status"),
        "complete": say("完整", "complete"), "basis": say("口径", "basis"),
    }  # fmt: skip
    table(run.rows, columns)
    if run.sampled is not None:
        heads = {"mean": say("抽样均值", "mean"), "low": say("2.5% 分位", "2.5 %"), "high": say("97.5% 分位", "97.5 %")}
        table(run.sampled.to_dicts(), {name: columns[name] for name in (*dims, "item", "unit")} | heads)
    for row in run.missing:
        where = " ".join(str(row[key]) for key in ("place", "carrier", "period") if row.get(key))
        typer.echo(
            say("缺因子：", "no factor: ") + f"{row['parameter']} {where} {number(row['quantity'])} {row['unit'] or ''}"
        )
    for row in run.fallbacks:
        if row["reason"] == "period":
            wanted, used = row["wanted"]["period"], f"{row['used'].get('period', '')} {row['used']['value']:g}"
            typer.echo(
                say(
                    f"沿用：{row['parameter']} 无 {wanted} 值，用 {used}",
                    f"carried: {row['parameter']} {wanted} ← {used}",
                )
            )
    twice(run.doubled)


def _heading(dim: str) -> str:
    zh = {"place": "地区", "entity": "主体", "sector": "行业", "carrier": "能源品种", "month": "月", "year": "年",
          "quarter": "季", "period": "时期", "domain": "领域", "process": "用途", "dataset": "数据集"}  # fmt: skip
    return say(zh.get(dim, dim), dim)


@cli.command(help=say("打开一个数：公式、因子、原始行", "open a number: equation, factors, rows"))
def explain(
    item: Annotated[str, typer.Argument(help=say("指标项，如 emission.co2", "item, such as emission.co2"))],
    place: Annotated[str | None, typer.Option("--place", help=say("地区代码或名称", "place code or name"))] = None,
    period: Annotated[str | None, typer.Option("--period", help=say("时期，如 2024-01/2024-09", "period"))] = None,
    sector: Annotated[str | None, typer.Option("--sector", help=say("行业", "sector"))] = None,
    section: Annotated[str | None, typer.Option("--section", help=say("行业门类", "section"))] = None,
    domain: Annotated[str | None, typer.Option("--domain", help=say("领域", "domain"))] = None,
    carrier: Annotated[str | None, typer.Option("--carrier", help=say("能源品种", "carrier"))] = None,
    entity: Annotated[str | None, typer.Option("--entity", help=say("主体", "entity"))] = None,
    contributor: Annotated[
        str | None,
        typer.Option("--contributor", help=say("主体在地区账户中的部分", "what an entity adds")),
    ] = None,
    unplaced: Annotated[
        bool, typer.Option("--unplaced", help=say("未能归属到下级地区的部分", "what lies in no one area below"))
    ] = False,
    process: Annotated[str | None, typer.Option("--process", help=say("用途", "process"))] = None,
    scope: Annotated[str | None, typer.Option("--scope", help=say("直接 1、间接 2", "direct 1, indirect 2"))] = None,
    part: Annotated[str | None, typer.Option("--part", help=say("账户的组成", "part of an account"))] = None,
    method: Annotated[str | None, typer.Option("--method", help=say("方法", "method"))] = None,
    basis: Annotated[
        str | None, typer.Option("--basis", help=say("口径；A、B、C 打开一本账户", "basis; A, B or C opens an account"))
    ] = None,
    tree: Annotated[
        str, typer.Option("--tree", help=say("admin 行政口径，management 管理口径", "admin or management"))
    ] = "admin",
    custody: Annotated[
        str | None,
        typer.Option(
            "--custody",
            metavar="LEVEL,…",
            help=say("有权查看的数据（默认全部），如 public,metered", "what may be seen (default: all)"),
        ),
    ] = None,
    dataset: Dataset = None,
    observations: Observations = None,
    factors: Factors = None,
    family: Family = "provincial-2025",
    known_at: KnownAt = None,
    gwp: Gwp = "AR5",
    run: Annotated[str | None, typer.Option("--run", help=say("按核算批次的数据版次与选项", "as in this run"))] = None,
    pack: Pack = packs.DEFAULT,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon.app.opening import open_figure
    from dualcarbon.core import periods
    from dualcarbon.core.tables import CUSTODIES
    from dualcarbon.engine.question import Ambiguous

    if tree not in ("admin", "management"):
        raise typer.BadParameter("admin | management", param_hint="--tree")
    if period:
        try:
            periods.parse(period)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--period") from error
    levels = None if custody is None else [name.strip() for name in custody.split(",") if name.strip()]
    if levels and set(levels) - set(CUSTODIES):
        raise typer.BadParameter(say("可用：", "known: ") + ", ".join(CUSTODIES), param_hint="--custody")
    question: dict[str, Any] = {
        "place": place, "period": period, "sector": sector, "section": section, "domain": domain, "carrier": carrier,
        "entity": entity, "contributor": contributor, "process": process, "scope": scope, "part": part,
        "method": method, "basis": basis, "unplaced": "yes" if unplaced else None,
        "tree": tree, "custody": levels, "pack": pack, "factors": factors, "family": family, "gwp": gwp,
        "known_at": _day(known_at), "dataset": dataset,
    }  # fmt: skip
    try:
        node = open_figure(item, observations, workspace=workspace, run=run, **question)
    except Ambiguous as ambiguous:
        choices = "; ".join(f"--{name} {' | '.join(values)}" for name, values in ambiguous.choices.items())
        emit({"ambiguous": ambiguous.choices}, True) if json else typer.echo(
            say("有多个答案，请指明：", "more than one answer, say which: ") + choices, err=True
        )
        raise typer.Exit(2) from ambiguous
    emit(node, json, lambda: _opened(node))


def _opened(node: dict[str, Any], depth: int = 0) -> None:
    lang, pad = language(), "  " * depth
    figure = "—" if node["value"] is None else f"{number(node['value'])} {node['unit'] or ''}"
    if node["low"] is not None:
        figure += f"  [{number(node['low'])}, {number(node['high'])}]"
    method = node.get("method")
    title = method["title"][lang] if isinstance(method, dict) else (node.get("title") or {}).get(lang, node["item"])
    dims = " ".join(str(value) for key, value in node["dimensions"].items() if key != "item")
    lack = "" if node["complete"] is not False or node["value"] is None else say("（不完整）", " (incomplete)")
    typer.echo(f"{pad}{title} {dims}: {figure} {node['status'] or ''}{lack}")
    if node.get("stopped"):
        typer.echo(f"{pad}  {node['stopped'][lang]}")
    if node.get("withheld"):
        levels = ", ".join(f"{name} {rows}" for name, rows in (node.get("withheld_by") or {}).items())
        typer.echo(f"{pad}  " + say("按数据管理权限不显示的行：", "rows withheld: ") + f"{node['withheld']} {levels}")
    for equation in node.get("equations", []):
        typer.echo(f"{pad}  {equation['name']} = {equation['substituted']}")
    for factor in node.get("factors", []):
        if factor["missing"]:
            typer.echo(f"{pad}  {factor['name']}: " + say("缺", "missing"))
            continue
        source = factor["source_title"][lang]
        meaning = factor["title"].get(lang, factor["parameter"])
        typer.echo(
            f"{pad}  {factor['name']} = {factor['value']:g} {factor['unit']}  {meaning}"
            f"  {source} {factor['clause'] or ''} [{factor['status']}]"
        )
        for fallback in factor["fallback"]:
            if fallback["reason"] == "period":
                typer.echo(f"{pad}    " + say("沿用 ", "carried from ") + str(fallback["used"].get("period", "")))
    for row in node.get("rows", [])[:10]:
        where = " ".join(str(row[key]) for key in ("place", "entity", "sector", "carrier", "period") if row.get(key))
        source = " ".join(str(row[key]) for key in ("source", "sheet", "row") if row.get(key) is not None)
        told = (
            f"  ({row['since_january']}: {number(row['reported'])} - {number(row['before'])})"
            if row.get("since_january")
            else ""
        )
        if row.get("first_report"):
            span = row["first_report"]
            told = say(f"  （{span}：年内首次累计，与当期数相同）", f"  ({span}: the first report since January)")
        typer.echo(f"{pad}  · {where}: {number(row['value'])} {row.get('unit', '')}{told}  {source}")
    if node["rows_total"] > min(len(node.get("rows", [])), 10) and node.get("rows"):
        known = node.get("rest") is not None or node["rows_total"] == len(node["rows"])
        others = _others(node["rows"][10:], node.get("rest")) if known else ""
        typer.echo(f"{pad}  … " + say(f"共 {node['rows_total']} 行", f"{node['rows_total']} rows in all") + others)
    for one in node.get("missing", [])[:TOLD] if depth == 0 else ():
        typer.echo(f"{pad}  {say('未计入', 'not counted')}  {_lacking(one)}")
    twice(node.get("doubled", []), f"{pad}  ")
    for child in node.get("children", []):
        _opened(child, depth + 1)


def _others(rows: list[dict[str, Any]], rest: dict[str, Any] | None) -> str:
    """What the rows that are not written out add: those of the list, and the rest of which the node tells the sum."""
    units = {row.get("unit") for row in rows}
    if len(units) > 1 or (rest is not None and rest["value"] is None) or not (rows or rest):
        return ""
    count, value = len(rows), sum(row.get("value") or 0.0 for row in rows)
    if rest is not None:
        count, value = count + rest["rows"], value + rest["value"]
    unit = next(iter(units), None) or ""
    return say(f"，其余 {count} 行合计 {number(value)} {unit}", f"; the other {count} add {number(value)} {unit}")


def _lacking(one: dict[str, Any]) -> str:
    """What a figure lacks: why, where, of what, when, how much."""
    quantity = "" if one.get("quantity") is None else f"{number(one['quantity'])} {one.get('unit') or ''}".strip()
    names = ("place", "sector", "carrier", "period")
    why = (one.get("reason_text") or {}).get(language(), "")
    return "  ".join(str(x) for x in (why, *map(one.get, names), quantity, one.get("parameter")) if x)


@cli.command(help=say("指标项一览", "the items a row can be about"))
def items(pack: Pack = packs.DEFAULT, json: Json = False) -> None:
    from dualcarbon.core.classification import load

    codes = load(pack).items
    rows = [{k: v for k, v in (codes.row(code) or {}).items() if k[0] != "_"} for code in codes]
    heads = {"code": say("代码", "code"), f"name_{language()}": say("名称", "name"), "kind": say("类别", "kind")}
    emit({"items": rows}, json, lambda: table(rows, {**heads, "unit": say("单位", "unit")}))


@cli.command(help=say("地区一览（行政口径、管理口径）", "the places (administrative, management)"))
def places(
    tree: Annotated[
        str, typer.Option("--tree", help=say("admin 行政口径，management 管理口径", "admin or management"))
    ] = "admin",
    root: Annotated[
        str | None,
        typer.Option("--root", help=say("从该地区起（默认：规则包的城市）", "from this place (default: the pack's)")),
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="DATE", help=say("该日的区划", "the tree on this day"))
    ] = None,
    pack: Pack = packs.DEFAULT,
    json: Json = False,
) -> None:
    from dualcarbon.core.classification import load

    names = load(pack).places
    code = names.find(root or packs.place(pack))
    if code is None or tree not in names.trees:
        raise typer.BadParameter(f"{root} / {tree}", param_hint="--root/--tree")
    rows: list[dict[str, Any]] = []

    def walk(one: str, depth: int) -> None:
        row = names.row(one) or {}
        parent = names.parent(one, tree, _day(at))
        name = {"name_zh": names.name(one, "zh"), "name_en": names.name(one, "en")}
        rows.append({"code": one, **name, "level": row.get("level"), "parent": parent, "depth": depth})
        for child in names.children(one, tree, _day(at)):
            walk(child, depth + 1)

    walk(code, 0)
    lines = ["  " * row["depth"] + f"{row['code']}  {row['name_' + language()]}" for row in rows]
    emit({"tree": tree, "places": rows}, json, "\n".join(lines))


@methods.command("list", help=say("列出方法", "list the methods"))
def methods_list(pack: Pack = packs.DEFAULT, json: Json = False) -> None:
    from dualcarbon.engine.catalogue import methods as catalogue

    rows = catalogue(pack)
    heads = {
        "id": "id",
        "title": say("名称", "title"),
        "version": say("版本", "version"),
        "status": say("依据", "status"),
    }
    emit({"methods": rows}, json, lambda: table(rows, heads))


@methods.command("show", help=say("查看一种方法", "show one method"))
def methods_show(
    method: Annotated[str, typer.Argument(help=say("方法 id 或 YAML 文件", "method id or YAML file"))],
    pack: Pack = packs.DEFAULT,
    json: Json = False,
) -> None:
    from dualcarbon.engine.catalogue import describe, page

    emit(describe(method, pack), json, lambda: typer.echo(page(method, pack, language())))


@methods.command("check", help=say("校验方法文件：格式、单位、算例", "check a method file: form, units, worked cases"))
def methods_check(
    path: Annotated[Path, typer.Argument(help=say("方法 YAML 文件", "a method's YAML file"), exists=True)],
    factors: Factors = None,
    pack: Pack = packs.DEFAULT,
    json: Json = False,
) -> None:
    from dualcarbon.core.problems import Refused
    from dualcarbon.engine.methods import check

    problems = check(path, pack, factors)
    if problems:
        raise Refused(problems)
    emit({"method": str(path), "problems": []}, json, say("没有发现问题。", "no problems found."))


@methods.command("schema", help=say("方法文件的 JSON Schema", "JSON Schema of a method file"))
def methods_schema(json: Json = False) -> None:
    from dualcarbon.engine.methods import schema

    emit(schema(), True)


@factors.command("find", help=say("查找某参数在某地某时的因子", "find a parameter's factor at a place and time"))
def factors_find(
    name: Annotated[str, typer.Argument(help=say("参数，如 power.co2", "parameter, such as power.co2"))],
    place: Annotated[str | None, typer.Option("--place", help=say("地区", "place"))] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="DATE", help=say("时期，如 2024 或 2024-03", "period, such as 2024"))
    ] = None,
    carrier: Annotated[str | None, typer.Option("--carrier", help=say("能源品种", "carrier"))] = None,
    known_at: KnownAt = None,
    family: Family = "provincial-2025",
    gwp: Gwp = "AR5",
    pack: Pack = packs.DEFAULT,
    json: Json = False,
) -> None:
    from dualcarbon.engine.catalogue import find_factors

    found = find_factors(
        name, pack=pack, place=place, at=at, carrier=carrier, known_at=_day(known_at), family=family, gwp=gwp
    )
    emit(found, json, lambda: table(
        [found["resolved"]] if found["resolved"] else found["factors"],
        {"parameter": say("参数", "parameter"), "place": say("地区", "place"), "carrier": say("能源品种", "carrier"),
         "value": say("数值", "value"), "unit": say("单位", "unit"), "valid_from": say("有效期起", "valid from"),
         "known_at": say("发布", "issued"), "source": say("来源", "source"), "status": say("依据", "status")},
    ))  # fmt: skip
