"""The home page: the city's account at a glance, as far as the workspace can say it today."""

import logging
from typing import Any

from fastapi import APIRouter

from dualcarbon.app.asking import Asked, BadChoice, Question
from dualcarbon.app.pages import BASES, Site, View, page, prepare_rooms
from dualcarbon.app.rendering import environment
from dualcarbon.app.wording import LANGUAGES

router = APIRouter()


@page(router, "/", "home.html")
def home(view: View) -> dict[str, Any]:
    """The city: headline account, three accounts side by side, months, areas, sectors, energy, state of the data."""
    from dualcarbon import inventory

    asked = {"place": view.city, "period": view.period, "tree": view.tree, "known_at": view.known_at}
    if view.basis not in BASES:
        raise BadChoice("basis", view.basis)
    further = {"domains": ("domain",), "scopes": ("domain", "scope")}
    found = inventory.sheet(
        view.workspace, basis=view.basis, by=("sector",), months=months(view), tables=False, rows=further, **asked
    )
    headline = found["account"]
    accounts = [
        headline if basis == view.basis else inventory.account(view.workspace, basis=basis, by=(), **asked)
        for basis in BASES
    ]
    return {
        "headline": headline,
        "accounts": [summary(one) for one in accounts],
        "months": found["months"],
        "areas": found["areas"],
        "domains": domains(view, found["rows"]["domains"], found["rows"]["scopes"]),
        "energy": inventory.energy(view.workspace, **asked),
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


def domains(view: View, whole: list[dict[str, Any]], split: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The domains of the headline account: value, share, change, direct and indirect emission, responsible unit.

    `whole`: the account's rows by domain; `split`: by domain and scope.
    """
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


def months(view: View) -> str | None:
    """The months of the asked year and the two before it, as far as there are data."""
    from dualcarbon.core import periods

    last = periods.parse(view.period).end
    year = last.year if last.month > 1 else last.year - 1
    horizon = view.site.horizon()
    if horizon["first"] is None:
        return None
    first = max(f"{year - 2}-01", horizon["first"])
    end = min(f"{year}-12", horizon["last"])
    return None if first > end else f"{first}/{end}"


def prepare(site: Site) -> None:
    """Calculate what readers ask for (the home page, then every account), so that nobody waits."""
    from dualcarbon import inventory
    from dualcarbon.app.accounts import account_page

    try:
        for lang in LANGUAGES:
            site.body(Question("/", (), lang), Asked(), home, {}, "home.html")
            for template in ("account.html", "explain.html"):
                environment(lang).get_template(template)
        inventory.prepare(site.workspace)
        plain = View(site, Asked(), "zh", "/", {})
        for tree in plain.trees:
            for place in (plain.city, *plain.codes.places.children(plain.city, tree)):
                query = () if tree == "admin" else (("tree", tree),)
                question = Question(f"/account/{place}", query, "zh")
                site.body(question, Asked(tree=tree), account_page, {"place": place}, "account.html")
        prepare_rooms(site)
    except Exception:
        logging.getLogger(__name__).exception("the first pages could not be prepared")
