"""Pages of what the figures stand on: methods, factors, imports, runs."""

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query

from dualcarbon.app.pages import View, page
from dualcarbon.app.spreadsheet import field, spreadsheet
from dualcarbon.core import pack as packs
from dualcarbon.core.faces import NoSuch

router = APIRouter()
SHOWN = 200
FACTOR_COLUMNS = [
    ("参数", field("title")), ("代码", field("parameter")), ("因子族", field("family")),
    ("适用", lambda view, row: list(row["keys"].values())), ("取值", field("value")), ("单位", field("unit")),
    ("下限", field("low")), ("上限", field("high")), ("数据年份", field("valid_from")), ("至", field("valid_to")),
    ("发布日", field("known_at")), ("来源", lambda view, row: row["source"].get("title")), ("条款", field("clause")),
    ("状态", lambda view, row: view.words.status(row["status"])),
]  # fmt: skip


@page(router, "/methods", "methods.html")
@spreadsheet(
    router, "/methods", "方法",
    [("方法", field("title")), ("代码", field("id")), ("版本", field("version")), ("输入", field("row_item")),
     ("结果", field("outputs")), ("来源", lambda view, row: row["source"].get("title")), ("条款", field("clause")),
     ("状态", lambda view, row: view.words.status(row["status"])), ("算例", field("cases"))],
    lambda view: methods(view)["methods"],
)  # fmt: skip
def methods(view: View) -> dict[str, Any]:
    """Every method of the pack, with its source clause and status."""
    from dualcarbon.engine.methods import find_method, method_files

    rows = []
    for identifier in sorted(method_files(view.pack)):
        method = find_method(identifier, view.pack).method
        rows.append(
            {
                "id": method.id,
                "version": method.version,
                "title": method.title.model_dump(),
                "status": method.status,
                "source": source(view, method.source.id),
                "clause": method.source.clause,
                "row_item": method.rows.item,
                "outputs": [output.item for output in method.outputs],
                "cases": len(method.cases),
            }
        )
    return {"pack": view.pack, "methods": rows}


@page(router, "/methods/{identifier}", "method.html")
def method(view: View, identifier: str) -> dict[str, Any]:
    """One method: equations, inputs with units, constants, clause, worked cases and what they give now."""
    from dualcarbon.engine.cases import run_case
    from dualcarbon.engine.factors import load_parameters
    from dualcarbon.engine.methods import find_method, method_files

    if identifier not in method_files(view.pack):
        raise NoSuch("method", identifier)
    proven = find_method(identifier, view.pack)
    found = proven.method
    parameters = load_parameters(view.pack)
    cases = []
    for case in found.cases:
        got = run_case(proven, case, view.pack)
        cases.append(
            {
                "name": case.name,
                "given": dict(case.given),
                "source": case.source,
                "results": [
                    {
                        "equation": name,
                        "expected": expected,
                        "value": value,
                        "agrees": value is not None
                        and abs(value - expected) <= case.tolerance * max(abs(expected), 1e-12),
                    }
                    for name, (expected, value) in got.items()
                ],
            }
        )
    inputs = [{"name": found.rows.name, "kind": "rows", "unit": found.rows.unit, **_item(view, found.rows.item)}]
    inputs += [
        {"name": look.name, "kind": "lookup", "unit": look.unit, **_item(view, look.item)} for look in found.lookups
    ]
    inputs += [
        {
            "name": use.name,
            "kind": "factor",
            "unit": use.unit,
            "parameter": use.parameter,
            "title": parameters[use.parameter].title if use.parameter in parameters else {},
        }
        for use in found.factors
    ]
    inputs += [
        {"name": name, "kind": "constant", "unit": constant.unit, "value": str(constant.value), "title": {}}
        for name, constant in found.constants.items()
    ]
    return {
        "id": found.id,
        "version": found.version,
        "digest": proven.digest,
        "title": found.title.model_dump(),
        "description": found.description.model_dump() if found.description else None,
        "status": found.status,
        "source": source(view, found.source.id),
        "clause": found.source.clause,
        "linear": proven.linear,
        "equations": [
            {
                "name": equation.name,
                "unit": equation.unit,
                "formula": equation.formula,
                "title": equation.title.model_dump() if equation.title else None,
                "latex": proven.latex.get(equation.name),
            }
            for equation in found.equations
        ],
        "inputs": inputs,
        "outputs": [output.model_dump() | {"title": _item(view, output.item)["title"]} for output in found.outputs],
        "cases": cases,
        "used_in": _accounts_using(view, found.id),
    }


def _item(view: View, code: str) -> dict[str, Any]:
    items = view.codes.items
    title = {lang: items.name(code, lang) for lang in ("zh", "en")} if code in items else {"zh": code, "en": code}
    return {"item": code, "title": title}


def _accounts_using(view: View, identifier: str) -> list[dict[str, Any]]:
    """The parts of the three accounts that this method calculates."""
    found = []
    for path in packs.files(view.pack, "accounts.yaml"):
        for account in packs.read_yaml(path) or []:
            parts = [part["title"] for part in account.get("parts", []) if part.get("method") == identifier]
            if parts:
                found.append({"basis": account["basis"], "title": account["title"], "parts": parts})
    return found


def _found(view: View, q: str, status: str, parameter: str) -> list[dict[str, Any]]:
    """Rows of the factors that words, status and parameter ask for."""
    from dualcarbon.engine.factors import load_factors

    table = load_factors(view.pack)
    return [
        row
        for row in table.rows
        if (not parameter or row["parameter"] == parameter)
        and (not status or row["status"] == status)
        and _matches(view, row, table.parameters, q)
    ]


def _all(view: View, q: str = "", status: str = "", parameter: str = "", after: int = 0) -> list[dict[str, Any]]:
    from dualcarbon.engine.factors import load_factors

    parameters = load_factors(view.pack).parameters
    return [factor_row(view, row, parameters) for row in _found(view, q, status, parameter)]


def _values(view: View, parameter: str, place: str = "", carrier: str = "") -> list[dict[str, Any]]:
    found = _all(view, parameter=parameter)
    if not found:
        raise NoSuch("parameter", parameter)
    asked = {"place": place, "carrier": carrier}
    return [one for one in found if all(not v or one["keys"].get(k, {}).get("code") == v for k, v in asked.items())]


@page(router, "/factors", "factors.html")
@spreadsheet(router, "/factors", "因子", FACTOR_COLUMNS, _all)
def factors(
    view: View,
    q: Annotated[str, Query(description="words in the title, carrier, place, source", max_length=80)] = "",
    status: Annotated[str, Query(max_length=20)] = "",
    parameter: Annotated[str, Query(max_length=60)] = "",
    after: Annotated[int, Query(description="rows to pass over", ge=0)] = 0,
) -> dict[str, Any]:
    """Factors found by words, parameter and status; at most 200 at a time."""
    from dualcarbon.engine.factors import load_factors

    table = load_factors(view.pack)
    counts: dict[str, int] = {}
    for row in table.rows:
        counts[row["parameter"]] = counts.get(row["parameter"], 0) + 1
    found = _found(view, q, status, parameter)
    shown = found[after : after + SHOWN]
    return {
        "query": {"q": q, "status": status, "parameter": parameter},
        "parameters": [
            {"id": one.id, "title": one.title, "unit": one.unit, "values": counts.get(one.id, 0)}
            for one in table.parameters.values()
        ],
        "total": len(found),
        "after": after,
        "next": after + SHOWN if after + SHOWN < len(found) else None,
        "factors": [factor_row(view, row, table.parameters) for row in shown],
    }


def _matches(view: View, row: dict[str, Any], parameters: Any, text: str) -> bool:
    if not text:
        return True
    title = parameters[row["parameter"]].title
    here = [
        row["parameter"],
        *title.values(),
        row["carrier"],
        row["place"],
        row["source"],
        row["clause"],
        row["family"],
    ]
    for lang in ("zh", "en"):
        here += [name(view, "carriers", row["carrier"], lang), name(view, "places", row["place"], lang)]
    everything = " ".join(str(part) for part in here if part).casefold()
    return all(word in everything for word in text.casefold().split())


def name(view: View, kind: str, code: str | None, lang: str) -> str:
    """The name of a code of one kind (places, carriers, sectors, gases), or the code itself."""
    codes = getattr(view.codes, kind, None)
    return codes.name(code, lang) if code and codes is not None and code in codes else (code or "")


def _named(view: View, kind: str, code: str) -> dict[str, str]:
    return {"code": code, "zh": name(view, kind, code, "zh"), "en": name(view, kind, code, "en")}


def factor_row(view: View, row: dict[str, Any], parameters: Any) -> dict[str, Any]:
    """One factor as the pages show it: names beside codes, its source in words."""
    kept = (
        "parameter",
        "family",
        "value",
        "unit",
        "low",
        "high",
        "valid_from",
        "valid_to",
        "known_at",
        "clause",
        "status",
    )
    keyed = {"place": "places", "carrier": "carriers", "sector": "sectors", "entity": "", "gas": "", "equipment": ""}
    return {
        **{column: row[column] for column in kept},
        "title": parameters[row["parameter"]].title,
        "keys": {column: _named(view, kind, row[column]) for column, kind in keyed.items() if row[column]},
        "source": source(view, row["source"]),
        "file": Path(row["file"]).name,
        "line": row["line"],
    }


@page(router, "/factors/{parameter}", "factor.html")
@spreadsheet(router, "/factors/{parameter}", "因子", FACTOR_COLUMNS, _values)
def factor(
    view: View,
    parameter: str,
    place: Annotated[str, Query(max_length=20)] = "",
    carrier: Annotated[str, Query(max_length=40)] = "",
) -> dict[str, Any]:
    """Every value of one parameter with its history, source, status and day of issue, and the methods that use it."""
    from dualcarbon.engine.factors import load_factors
    from dualcarbon.engine.methods import find_method, method_files

    table = load_factors(view.pack)
    if parameter not in table.parameters:
        raise NoSuch("parameter", parameter)
    about = table.parameters[parameter]
    rows = [row for row in table.rows if row["parameter"] == parameter]
    shown = [row for row in rows if (not place or row["place"] == place) and (not carrier or row["carrier"] == carrier)]
    shown.sort(key=lambda row: (row["start"], row["known_at"] or row["start"]), reverse=True)
    users = [find_method(one, view.pack).method for one in sorted(method_files(view.pack))]
    return {
        "id": parameter,
        "title": about.title,
        "unit": about.unit,
        "keys": list(about.keys),
        "family": about.family,
        "carry_forward": about.carry_forward,
        "bounds": list(about.bounds) if about.bounds else None,
        "query": {"place": place, "carrier": carrier},
        "places": _choices(view, "places", rows, "place"),
        "carriers": _choices(view, "carriers", rows, "carrier"),
        "methods": [
            {"id": one.id, "title": one.title.model_dump()}
            for one in users
            if any(use.parameter == parameter for use in one.factors)
        ],
        "history": history(view, shown),
        "total": len(shown),
        "factors": [factor_row(view, row, table.parameters) for row in shown[:SHOWN]],
    }


def _choices(view: View, kind: str, rows: list[dict[str, Any]], column: str) -> list[dict[str, str]]:
    codes = dict.fromkeys(row[column] for row in rows if row[column])
    return [_named(view, kind, code) for code in codes]


def history(view: View, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Values over years, one series for each place (and other key) that has at least two years; at most nine."""
    series: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        if not row["valid_from"]:
            continue
        key = tuple(row[column] for column in ("family", "place", "sector", "carrier", "gas", "equipment"))
        parts = [(kind, row[column]) for column, kind in (("place", "places"), ("carrier", "carriers")) if row[column]]
        entry = series.setdefault(
            key,
            {
                **{
                    lang: " · ".join(
                        [name(view, kind, code, lang) for kind, code in parts]
                        + ([row["equipment"]] if row["equipment"] else [])
                    )
                    for lang in ("zh", "en")
                },
                "place": row["place"],
                "points": {},
            },
        )
        point = {"value": row["value"], "low": row["low"], "high": row["high"], "status": row["status"]}
        entry["points"].setdefault(row["valid_from"], point)
    order = {code: number for number, code in enumerate(view.codes.places.path(view.city, "admin"))}
    long = [entry for entry in series.values() if len(entry["points"]) > 1]
    long.sort(key=lambda entry: order.get(entry["place"], len(order)))
    return [{**entry, "points": dict(sorted(entry["points"].items()))} for entry in long[:9]]


def source(view: View, identifier: str | None) -> dict[str, Any]:
    """A source by its id: title in both languages, issuer, number, date, status, what evidence there is."""
    sources = view.codes.sources
    if not identifier or identifier not in sources:
        return {"id": identifier, "title": {"zh": identifier or "", "en": identifier or ""}}
    row = sources.row(identifier)
    kept = ("issuer", "number", "issued", "status", "evidence", "note")
    return {
        "id": identifier,
        "title": {"zh": sources.name(identifier, "zh"), "en": sources.name(identifier, "en")},
        **{column: row.get(column) or None for column in kept},
    }


def _kept_runs(workspace: Any) -> int:
    return len(workspace.runs())


@page(router, "/runs", "runs.html", _kept_runs)
@spreadsheet(
    router, "/runs", "核算批次",
    [("批次", field("id")), ("方法", lambda view, row: row["method"]["id"]), ("时间", field("created_at")),
     ("规则包", lambda view, row: row["pack"]["id"]), ("因子族", field("family")), ("GWP", field("gwp")),
     ("知识截止", field("known_at")),
     ("结果", lambda view, row: [f"{one['item']} {one['value']}" for one in row.get("totals") or []])],
    lambda view: list(view.workspace.runs()),
)  # fmt: skip
def runs(view: View) -> dict[str, Any]:
    """The calculations that were kept, each with what it stood on."""
    return {"runs": list(view.workspace.runs())}


@page(router, "/runs/{identifier}", "run.html", _kept_runs)
def run(view: View, identifier: str) -> dict[str, Any]:
    """One calculation: data snapshot, packs, versions, options."""
    found = next((one for one in view.workspace.runs() if str(one.get("id")) == identifier), None)
    if found is None:
        raise NoSuch("run", identifier)
    return dict(found)
