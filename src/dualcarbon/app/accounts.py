"""The account page of a place (or entity), and its files."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse
from markupsafe import Markup
from starlette.background import BackgroundTask

from dualcarbon.app import marks
from dualcarbon.app.asking import Asked, asked, language
from dualcarbon.app.home import months
from dualcarbon.app.pages import Site, View, page
from dualcarbon.app.spreadsheet import field, spreadsheet
from dualcarbon.app.wording import NOTHING, Scale
from dualcarbon.core.faces import NoSuch

router = APIRouter()
TABS = ("sector", "domain", "section", "place", "carrier", "process", "part", "scope", "month", "quarter")
Sector = Annotated[str, Query(description="one sector, such as C17", max_length=40)]
By = Annotated[str, Query(description="dimension of the rows: " + ", ".join(TABS), max_length=60)]
MEDIA = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


def _file(kind: str) -> Any:
    def download(
        request: Request, place: str, choice: Annotated[Asked, Depends(asked)], by: By = "sector"
    ) -> FileResponse:
        site: Site = request.app.state.site
        view = View(site, choice, language(request), request.url.path, request.query_params)
        _known(view, place)
        from dualcarbon import inventory

        with site.lock:
            question = _question(view, place)
            account = inventory.account(view.workspace, by=_dims(by), **question)
            name = f"account-{place}-{view.period.replace('/', '_')}-{account['basis']}-{by}.{kind}"
            more: dict[str, Any] = {}
            if kind == "xlsx" and account["value"] is not None:
                more["uncertainty"] = inventory.uncertainty(view.workspace, by=("part", "carrier"), **question)
                more["key"] = inventory.key_categories(view.workspace, by=("sector", "carrier"), **question)
                if not account["entity"]:
                    more["completeness"] = inventory.completeness(view.workspace, **question)
                    more["movers"] = inventory.top_movers(view.workspace, **question)
        return _sent(name, kind, lambda path: inventory.export(account, path, lang=view.lang, **more))

    return download


def _sent(name: str, kind: str, write: Callable[[Path], Any]) -> FileResponse:
    """A file that is written, sent and removed."""
    folder = Path(tempfile.mkdtemp(prefix="dualcarbon-"))
    path = folder / name
    write(path)

    def clean() -> None:
        path.unlink(missing_ok=True)
        folder.rmdir()

    return FileResponse(path, media_type=MEDIA[kind], filename=name, background=BackgroundTask(clean))


for _kind in MEDIA:
    router.add_api_route(
        f"/account/{{place}}.{_kind}", _file(_kind), name=f"account.{_kind}", response_class=FileResponse
    )


def _differences(view: View, place: str, a: date | None = None, b: str = "") -> list[dict[str, Any]]:
    """Rows of two vintages, one for each example; a reason without examples alone."""
    found = vintages(view, place, a, b)["vintages"]
    rows = []
    for one in found["rows"]:
        for example in one["examples"] or [{}]:
            rows.append({**example, "reason": one["title"], "text": one["text"], "unit_of_effect": found["unit"]})
    return rows


@page(router, "/account/{place}/vintages", "vintages.html")
@spreadsheet(
    router, "/account/{place}/vintages", "版次比较",
    [("原因", field("reason")), ("说明", field("text")), ("名称", field("name")), ("时期", field("period")),
     ("较早", field("before")), ("较晚", field("after")), ("单位", field("unit")), ("影响", field("effect")),
     ("影响的单位", field("unit_of_effect")), ("来源", field("source")), ("发布日", field("known_at"))],
    _differences,
)  # fmt: skip
def vintages(
    view: View,
    place: str,
    a: Annotated[date | None, Query(description="what was known at this day")] = None,
    b: Annotated[str, Query(description="beside what is known now, or at this day", max_length=10)] = "",
) -> dict[str, Any]:
    """Two vintages of an account, and the reason of each difference."""
    from dualcarbon import inventory

    _known(view, place)
    name = {lang: view.codes.places.name(place, lang) for lang in ("zh", "en")}
    if place not in view.codes.places:
        name = dict.fromkeys(name, view.entity_name(place))
    found = inventory.vintages(view.workspace, a, b or None, **_question(view, place))
    return {"place": place, "name": name, "vintages": found}


@router.get("/account/{place}/movers.xlsx", response_class=FileResponse)
def movers_file(
    request: Request, place: str, choice: Annotated[Asked, Depends(asked)], sector: Sector = ""
) -> FileResponse:
    """The enterprises that moved a place's account most, as a workbook."""
    site: Site = request.app.state.site
    view = View(site, choice, language(request), request.url.path, request.query_params)
    _known(view, place)
    from dualcarbon import inventory

    with site.lock:
        found = inventory.top_movers(view.workspace, sector=sector or None, **_question(view, place))
    name = f"movers-{place}-{view.period.replace('/', '_')}-{found['basis']}{'-' + sector if sector else ''}.xlsx"
    return _sent(name, "xlsx", lambda path: inventory.export_movers(found, path, lang=view.lang))


@page(router, "/account/{place}/movers", "movers.html")
def movers(view: View, place: str, sector: Sector = "") -> dict[str, Any]:
    """The enterprises that moved a place's account, or one sector of it, most against the year before."""
    from dualcarbon import inventory
    from dualcarbon.core import periods

    _known(view, place)
    question = _question(view, place)
    found = inventory.top_movers(view.workspace, sector=sector or None, **question)
    before = str(inventory.year_before(periods.parse(view.period)))
    return {"movers": found, "before": before, "sectors": inventory.sectors_of(view.workspace, **question)}


@page(router, "/account/{place}", "account.html")
def account_page(view: View, place: str, by: By = "sector") -> dict[str, Any]:
    """A place's account: value, parts, rows with change and pull points, key categories, uncertainty, completeness."""
    from dualcarbon import inventory

    _known(view, place)
    question = _question(view, place)
    found = inventory.sheet(view.workspace, by=_dims(by), months=months(view), **question)
    account = found["account"]
    whole = account["value"] is not None and not account["entity"]
    completeness = inventory.completeness(view.workspace, rows="sector", **question) if whole else None
    key = found.pop("key")[:30]
    return {**found, "by": by, "key": key, "completeness": completeness}


def _question(view: View, place: str) -> dict[str, Any]:
    return {
        "place": place,
        "period": view.period,
        "tree": view.tree,
        "basis": view.basis,
        "known_at": view.known_at,
    }


def _dims(by: str) -> tuple[str, ...]:
    return tuple(part for part in by.split(",") if part)


def _known(view: View, place: str) -> None:
    if place not in view.codes.places and not view.is_entity(place):
        raise NoSuch("place", place)


def children(view: View, place: str) -> list[str]:
    """Areas directly below a place in the chosen tree."""
    return list(view.codes.places.children(place, view.tree)) if place in view.codes.places else []


def crumbs(view: View, place: str) -> list[str]:
    """The city, then what lies between it and the place, in the chosen tree."""
    if place not in view.codes.places:
        return []
    line = list(view.codes.places.path(place, view.tree))
    return line[line.index(view.city) : 0 : -1] if view.city in line else []


def tabs(view: View, place: str) -> list[str]:
    """Dimensions by which this account can be shown."""
    return [name for name in TABS if name != "place" or children(view, place)]


def lines(view: View, account: Mapping[str, Any], by: str, scale: Scale) -> Iterator[tuple[str, ...]]:
    """Rows of an account as its table writes them: id, name, value, interval, share, width of its bar in pixels, the
    year before, change, pull points, status. Numbers are the links that open them; a table has hundreds."""
    w = view.words
    before, timed = account["previous"]["period"], by in ("month", "quarter")
    widest = max([0.0001, *(row["share"] or 0.0 for row in account["rows"])])
    for row in account["rows"]:
        value, previous, share, opens = row["value"], row["previous"], row["share"], row["explain"]
        since = None if timed else opens
        bounds = NOTHING if row["low"] is None else f"{w.scaled(row['low'], scale)} – {w.scaled(row['high'], scale)}"
        points = w.number(row["pull_points"], 2, True)
        moved = None if value is None or not previous or row["change"] is None else (value / previous - 1) * 100
        yield (
            row.get(by) or "none",
            w.period(row[by]) if timed else _name(view, row, by),
            marks.num(view, w.scaled(value, scale), opens),
            bounds,
            w.percent(None if share is None else share * 100),
            f"{max(share or 0.0, 0.0) * 84 / widest:.1f}",
            marks.num(view, w.scaled(previous, scale), since, period=before),
            marks.change(w, moved, view=view, explain=since, against=before),
            points if value is None else marks.num(view, points, since, against=before),
            marks.badge(w, row["status"]) + (marks.incomplete(w) if row["complete"] is False else ""),
        )


def _name(view: View, row: Mapping[str, Any], by: str) -> str:
    name = view.words.pick(row["name"])
    if by != "place" or not row["place"]:
        return name
    return Markup('<a class="link" href="{}">{}</a>').format(view.link(f"/account/{row['place']}"), name)


def pulls(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Movers as bars from a common zero, in the order of their size; positions in per cent."""
    known = [row for row in rows if row.get("pull_points") is not None]
    low = min((0.0, *(row["pull_points"] for row in known)))
    width = (max((0.0, *(row["pull_points"] for row in known))) - low) or 1.0
    zero = -100 * low / width
    return [
        {
            **row,
            "zero": zero,
            "left": zero + min(0.0, 100 * (row.get("pull_points") or 0.0) / width),
            "width": abs(100 * (row.get("pull_points") or 0.0) / width),
        }
        for row in rows
    ]


def pulled(view: View, found: Mapping[str, Any]) -> str:
    """Who pulled up most and who down, among the enterprises."""
    w = view.words
    moved = [row for row in found["rows"] if row["pull_points"] is not None]
    sector = found["sector_name"]
    if not moved or found["change"] is None:
        return w.say("企业拉动")
    top, bottom = max(moved, key=lambda r: r["pull_points"]), min(moved, key=lambda r: r["pull_points"])
    said = []
    if top["pull_points"] > 0:
        points = w.number(top["pull_points"], 2, True)
        said.append(w.say("{name}拉动最大，{points} 个点", name=w.pick(top["name"]), points=points))
    if bottom["pull_points"] < 0:
        points = w.number(bottom["pull_points"], 2)
        said.append(w.say("{name}拉低最多，{points} 个点", name=w.pick(bottom["name"]), points=points))
    text = ("; " if w.english else "；").join(said)
    return f"{w.pick(sector)}{w.colon()}{text}" if sector else text
