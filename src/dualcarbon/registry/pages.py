"""The registry's pages: public registry, the life of one unit, filings, the market, a holder. Data only, no HTTP."""

import json
from datetime import date
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Path, Query

from dualcarbon.core import periods
from dualcarbon.core.faces import Nav, NoSuch, Page, View, page
from dualcarbon.core.problems import Refused
from dualcarbon.ledger import naming
from dualcarbon.ledger import reads as ledger
from dualcarbon.ledger.tables import ENTRY
from dualcarbon.registry import dossiers, papers, prices, reads
from dualcarbon.registry.act import ISSUER, PAYMENT, account, days
from dualcarbon.registry.instruments import instruments
from dualcarbon.registry.words import action_words, state_words

pages: list[Page] = []
nav = [Nav("/registry", "登记")]
ROWS = 25
Text = Annotated[str | None, Query(max_length=200)]
Month = Annotated[str | None, Query(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
After = Annotated[int, Query(ge=0, le=2**63 - 1)]


def names(pack: str) -> dict[str, dict[str, str]]:
    """What the registry calls its codes in the ledger: instruments, and the accounts that stand for a state."""
    said = {code: dict(one.title) for code, one in instruments(pack).items()}
    states = {f"@{state}": state_words(state) for state in ("offered", "suspended", *reads.FINALS)}
    payment = {PAYMENT: {"zh": "人民币付款（分）", "en": "payment (0.01 CNY)"}}
    return said | states | payment | {ISSUER: {"zh": "签发方", "en": "issuer"}}


naming.say("registry", names)


def changed(workspace: Any) -> int:
    """Differs whenever anything in the registry does."""
    return reads.last(workspace.database)


def _titles(view: View) -> dict[str, dict[str, str]]:
    return {code: dict(one.title) for code, one in instruments(view.pack).items()}


def _links(engine: sa.Engine, ids: list[str]) -> dict[str, int]:
    """The numbers in the ledger of entries by id."""
    if not ids:
        return {}
    with engine.connect() as connection:
        return {
            row.id: row.seq for row in connection.execute(sa.select(ENTRY.c.id, ENTRY.c.seq).where(ENTRY.c.id.in_(ids)))
        }


def _acts(engine: sa.Engine, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    numbers = _links(engine, [row["entry"] for row in rows if row.get("entry")])
    return [
        {
            **row,
            "seq": numbers.get(row.get("entry") or ""),
            "title": action_words(row.get("step") or row["action"]),
        }
        for row in rows
    ]


def _blocks(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ranges with the period they arose in as a text, and their state in words."""
    shown = []
    for row in rows:
        period = None
        if row["start"]:
            period = periods.text(date.fromisoformat(row["start"]), date.fromisoformat(row["end"]))
        shown.append({**row, "period": period, "state_title": state_words(row["state"])})
    return shown


@page(pages, "/registry", "registry.html", changes=changed)
def registry(
    view: View, q: Text = None, instrument: Text = None, state: Text = None, after: After = 0
) -> dict[str, Any]:
    """The public registry: issued, held and retired, and every range of serial numbers with its holder and state."""
    engine = view.workspace.database
    known = instruments(view.pack)
    totals = reads.totals(engine, view.pack)
    for row in totals:
        code = known[row["instrument"]].ledger_code(row["vintage"])
        issuer = f"{ISSUER}:{known[row['instrument']].issuer}"
        row["ledger"] = code
        row["accounts"] = {"issued": account(code, issuer)}
        row["accounts"] |= {name: account(code, f"@{name}") for name in reads.FINALS}
    wanted: dict[str, Any] = {"code": instrument or None, "state": state or None, "after": after, "limit": ROWS}
    found = _search(engine, (q or "").strip(), wanted)
    last = reads.last(engine)
    latest = reads.acts(engine, after=max(0, last - 6), limit=6)["acts"][::-1]
    return {
        "totals": totals,
        "blocks": _blocks(found["blocks"]),
        "next": found["next"],
        "latest": _acts(engine, latest),
        "instruments": _titles(view),
        "units": {code: {"zh": one.unit, "en": one.unit_en} for code, one in known.items()},
        "with_serials": [code for code, one in known.items() if one.serials],
        "states": {name: state_words(name) for name in ("held", "offered", "reserved", "suspended", *reads.FINALS)},
        "agrees": not reads.numbers(engine, view.pack),
        "synthetic": any(row["synthetic"] for row in totals),
        "query": {"q": q, "instrument": instrument, "state": state, "after": after},
    }


def _search(engine: sa.Engine, text: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """Ranges by serial number (`gec:17`, `17`), holder, or meter and project; all of them for an empty text."""
    code, _, number = text.rpartition(":")
    number = number.replace(",", "").partition("-")[0]
    if number.isascii() and number.isdecimal() and len(number) <= 12:
        return reads.find(engine, **{**wanted, "code": code or wanted["code"]}, serial=int(number))
    if not text:
        return reads.find(engine, **wanted)
    found = reads.find(engine, **wanted, holder=text)
    return found if found["blocks"] else reads.find(engine, **wanted, subject=text)


@page(pages, "/registry/unit/{instrument}/{serial}", "unit.html", changes=changed)
def unit(view: View, instrument: str, serial: Annotated[int, Path(ge=1, lt=10**12)]) -> dict[str, Any]:
    """One unit: where it came from, whose it is, and everything that happened to it."""
    engine = view.workspace.database
    try:
        life = reads.life(engine, instrument, serial)
    except Refused:
        raise NoSuch("编号", f"{instrument}:{serial}") from None
    one = instruments(view.pack)[instrument]
    block = next(iter(reads.find(engine, code=instrument, serial=serial)["blocks"]), None) or _gone(life, instrument)
    said = {"instrument": instrument, "serials": f"{block['first']}-{block['last']}", "quantity": block["quantity"]}
    return {
        "instrument": instrument,
        "serial": serial,
        "title": dict(one.title),
        "unit": {"zh": one.unit, "en": one.unit_en},
        "stands_for": dict(one.stands_for),
        "status": one.status,
        "source": one.source,
        "block": _blocks([block])[0],
        "life": _acts(engine, life),
        "said": said if block["state"] == "held" else None,
        "whole": len(life) == 1,
        "synthetic": block["synthetic"] or any(act.get("synthetic") for act in life),
    }


def _gone(life: list[dict[str, Any]], instrument: str) -> dict[str, Any]:
    """What stands for the block of a unit whose lot was taken back: where it had come from."""
    made, part = life[0], life[-1]["serials"][0]
    start, end = days(made["period"]) if made["period"] else (None, None)
    told = {name: made.get(name) for name in ("subjects", "document", "report", "synthetic")}
    told |= {"start": start and start.isoformat(), "end": end and end.isoformat(), "lot": made["id"], "holder": None}
    return {**told, **part, "instrument": instrument, "state": "annulled", "quantity": part["last"] - part["first"] + 1}


@page(pages, "/registry/filings", "filings.html", changes=changed)
def filings(view: View, kind: Text = None, state: Text = None, after: After = 0) -> dict[str, Any]:
    """The filings: methodologies with their projects and reports, and where each stands."""
    engine = view.workspace.database
    found = dossiers.filings(engine, kind=kind or None, state=state or None, after=after, limit=ROWS)
    kinds = {kind: dict(one.title) for own in instruments(view.pack).values() for kind, one in own.filing.items()}
    return {
        **found,
        "kinds": kinds,
        "decided": dossiers.decided(engine),
        "instruments": _titles(view),
        "roles": [one for one in dossiers.roles(engine, view.pack) if one["act"]],
        "query": {"kind": kind, "state": state, "after": after},
    }


@page(pages, "/registry/filing", "filing.html", changes=changed)
def filing(view: View, id: Annotated[str, Query(min_length=1, max_length=60)]) -> dict[str, Any]:
    """One filing: its chain, every step with who took it, what may come next, what was issued from it."""
    try:
        found = dossiers.filing(view.workspace.database, id, view.pack)
    except Refused:
        raise NoSuch("备案", id) from None
    one = instruments(view.pack)[found["instrument"]]
    for step in found["steps"]:
        step["title"] = action_words(step["action"])
        step["role_title"] = dict(one.roles[step["role"]].title)
    for step in found["following"]:
        step["title"] = action_words(step["step"])
        step["by_title"] = [dict(one.roles[role].title) for role in step["by"]]
    return {**found, "instrument_title": dict(one.title), "status": one.status,
            "unit": {"zh": one.unit, "en": one.unit_en},
            "next_kinds": {kind: dict(rule.title) for kind, rule in one.filing.items()
                           if rule.of == found["kind"] and found["state"] in rule.when},
            "kinds": {kind: dict(rule.title) for kind, rule in one.filing.items()}}  # fmt: skip


@page(pages, "/registry/market", "market.html", changes=changed)
def market(
    view: View, instrument: Text = None, vintage: Text = None, month: Month = None, after: After = 0
) -> dict[str, Any]:
    """One instrument's market: order book, price by month, trades (of a `month`); other markets apart from ours."""
    engine = view.workspace.database
    known = instruments(view.pack)
    traded = prices.counts(engine)
    code = instrument or max(known, key=lambda one: traded.get(one, 0))
    if code not in known:
        raise NoSuch("品种", code)
    one = known[code]
    wanted: dict[str, Any] = {"code": code, "vintage": vintage or None}
    mirrored = prices.mirrored(engine, code=code, limit=ROWS)
    markets = sorted({str(row["market"]) for row in mirrored["trades"]})
    found = prices.trades(engine, **wanted, month=month, after=after, limit=ROWS, newest=True)
    open_offers = prices.offers(engine, **wanted, state="open", limit=ROWS)["offers"]
    trades = [{**row, "ids": json.loads(row["entry"]) if row["entry"] else [row["id"]]} for row in found["trades"]]
    held_back = [one["entry"] for one in open_offers if one["entry"]]
    numbers = _links(engine, [*held_back, *(id for row in trades for id in row["ids"])])
    series = prices.series(engine, **wanted)
    return {
        "instrument": code,
        "title": dict(one.title),
        "unit": {"zh": one.unit, "en": one.unit_en},
        "trade": dict(one.trade),
        "status": one.status,
        "book": prices.book(engine, code, vintage or None),
        "offers": [{**one, "seq": numbers.get(one["entry"] or "")} for one in open_offers],
        "trades": [_trade(row, numbers) for row in trades],
        "next": found["next"],
        "series": series,
        "markets": {name: prices.series(engine, **wanted, market=name) for name in markets},
        "mirrored": mirrored["trades"],
        "instruments": _titles(view),
        "kinds": {kind: dict(rule["title"]) for kind, rule in one.kinds.items()},
        "vintages": sorted({row["vintage"] for row in reads.totals(engine, view.pack)
                            if row["instrument"] == code and row["vintage"]}),
        "synthetic": any(row["synthetic"] for row in [*found["trades"], *open_offers]),
        "query": {"instrument": instrument, "vintage": vintage, "month": month, "after": after},
    }  # fmt: skip


def _trade(row: dict[str, Any], numbers: dict[str, int]) -> dict[str, Any]:
    """A trade with the entries in the ledger of its units (`seq`) and its payment (`pay`)."""
    units, pay = [numbers.get(id) for id in row["ids"][:2]] + [None] * (2 - len(row["ids"][:2]))
    told = {"state_title": state_words(row["state"]), "way_title": _way(row["way"])}
    return {**row, **told, "seq": units, "pay": pay if row["amount"] else None}


def _way(way: str) -> dict[str, str]:
    zh, en = papers.WAYS[way]
    return {"zh": zh, "en": en}


@page(pages, "/registry/holder", "holder.html", changes=changed)
def holder(view: View, name: Annotated[str, Query(min_length=1, max_length=90)], period: Text = None) -> dict[str, Any]:
    """What one holder has, and its statement for a period, to read here or to take away."""
    engine = view.workspace.database
    try:
        found = papers.statement(engine, name, period or None, None, view.pack)
    except Refused as refused:
        if refused.problems[0].rule != "registry.no-such-account":
            raise
        raise NoSuch("持有人", name) from None
    for one in found["accounts"]:
        one["available"] = ledger.balance(engine, one["account"])["available"]
        for line in one["movements"]:
            line["title"] = action_words((line["act"] or {}).get("action", ""))
        one["total"] = len(one["movements"])
        one["movements"] = one["movements"][-200:][::-1]
    blocks = reads.find(engine, holder=name, limit=ROWS)["blocks"]
    return {
        **found,
        "blocks": _blocks(blocks),
        "instruments": _titles(view),
        "query": {"name": name, "period": period},
    }
