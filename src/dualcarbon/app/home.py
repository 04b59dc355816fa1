"""The home page: the city's account at a glance, as far as the workspace can say it today."""

import logging
from typing import Any

from fastapi import APIRouter

from dualcarbon.app.pages import BASES, CITY, Asked, Site, View, page

router = APIRouter()


@page(router, "/", "home.html")
def home(view: View) -> dict[str, Any]:
    """The city: headline account, three accounts side by side, months, areas, sectors, energy, state of the data."""
    from dualcarbon import inventory

    asked = {"place": CITY, "period": view.period, "tree": view.tree, "known_at": view.known_at}
    headline = inventory.account(view.workspace, basis=view.basis, by=("sector",), **asked)
    accounts = [
        headline if basis == view.basis else inventory.account(view.workspace, basis=basis, by=(), **asked)
        for basis in BASES
    ]
    return {
        "headline": headline,
        "accounts": [summary(one) for one in accounts],
        "months": months(view, CITY, view.basis),
        "areas": inventory.areas(view.workspace, basis=view.basis, **asked),
        "domains": domains(view, asked),
        "electricity": electricity(view),
        "energy": energy(view),
        "completeness": inventory.completeness(view.workspace, basis=view.basis, **asked),
    }


def summary(account: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of an account beside the others."""
    kept = (
        "basis",
        "title",
        "value",
        "unit",
        "low",
        "high",
        "change_percent",
        "status",
        "complete",
        "notation",
        "unset",
    )
    query = {key: account[key] for key in ("place", "period", "tree", "basis")}
    return {**{key: account.get(key) for key in kept}, "explain": {"item": "emission.co2", **query}}


def domains(view: View, asked: dict[str, Any]) -> list[dict[str, Any]]:
    """The domains of the headline account: value, share, change, direct and indirect emission, responsible unit."""
    from dualcarbon import inventory

    whole = inventory.account(view.workspace, basis=view.basis, by=("domain",), **asked)["rows"]
    split = inventory.account(view.workspace, basis=view.basis, by=("domain", "scope"), **asked)["rows"]
    known = view.codes.domains
    found = []
    for row in whole:
        code = row["domain"]
        scopes = {part["scope"]: part for part in split if part["domain"] == code}
        found.append(
            {
                **row,
                "responsible": (known.row(code).get("responsible") or None) if code in known else None,
                "direct": scopes.get("1"),
                "indirect": scopes.get("2"),
            }
        )
    return found


def months(view: View, place: str, basis: str) -> list[dict[str, Any]]:
    """The months of the asked year and the two before it, with intervals, of a place's account."""
    from dualcarbon import inventory
    from dualcarbon.core import periods

    last = periods.parse(view.period).end
    year = last.year if last.month > 1 else last.year - 1
    horizon = view.site.horizon()
    if horizon["first"] is None:
        return []
    first = max(f"{year - 2}-01", horizon["first"])
    end = min(f"{year}-12", horizon["last"])
    if first > end:
        return []
    return list(
        inventory.series(
            view.workspace, place=place, periods=f"{first}/{end}", step="month", tree=view.tree, basis=basis,
            known_at=view.known_at,
        )
    )  # fmt: skip


def electricity(view: View) -> dict[str, Any] | None:
    """Electricity used in the city, with the year before; None where the workspace has none."""
    from dualcarbon import inventory
    from dualcarbon.core.problems import Refused

    asked = {"item": "energy.consumption", "carrier": "electricity", "place": CITY, "tree": view.tree}
    found: list[dict[str, Any] | None] = []
    for period in (view.period, year_before(view.period)):
        try:
            found.append(inventory.explain(view.workspace, period=period, known_at=view.known_at, **asked))
        except Refused:
            found.append(None)
    now, before = found
    if now is None or now["value"] is None:
        return None
    previous = before["value"] if before else None
    return {
        **{key: now[key] for key in ("value", "unit", "low", "high", "complete", "rows_total")},
        "status": now["status"],
        "previous": previous,
        "change_percent": 100 * (now["value"] / previous - 1) if previous else None,
        "explain": {**asked, "period": view.period},
    }


def energy(view: View) -> list[dict[str, Any]]:
    """The accounts of energy in standard coal that the pack defines (当量, 等价), side by side, never added."""
    from dualcarbon import inventory
    from dualcarbon.inventory.definitions import accounts

    asked: dict[str, Any] = {"place": CITY, "period": view.period, "tree": view.tree, "known_at": view.known_at}
    found = []
    for basis, defined in accounts(view.pack).items():
        if defined.item == "energy.tce":
            one = summary(inventory.account(view.workspace, basis=basis, by=(), **asked))
            found.append({**one, "explain": {**one["explain"], "item": defined.item}})
    return found


def year_before(period: str) -> str:
    """The same months of the year before."""
    from dualcarbon.core import periods

    start, end = periods.parse(period)
    return periods.text(start.replace(year=start.year - 1, day=1), end.replace(year=end.year - 1, day=1))


def prepare(site: Site) -> None:
    """Calculate what the first reader will ask for, so that nobody waits."""
    from dualcarbon.app.pages import render_for

    try:
        render_for(site, home, "home.html", Asked(), "zh")
    except Exception:
        logging.getLogger(__name__).exception("the home page could not be prepared")
