"""The ledger's pages: the books as a whole, an account's statement, one entry with its proof, the tree heads."""

from functools import cache
from time import time_ns
from typing import Annotated, Any
from weakref import WeakKeyDictionary

from fastapi import Path, Query, Request

from dualcarbon.core.faces import Nav, NoSuch, Page, View, page
from dualcarbon.core.problems import Refused
from dualcarbon.ledger import days, naming, reads, result_texts
from dualcarbon.ledger.install import present
from dualcarbon.ledger.transfer import instant_asked, moment_text

pages: list[Page] = []
nav = [Nav("/ledger", "账本")]
ROWS = 50
CHARTED = 1500
FAULTS_SHOWN = 50

Text = Annotated[str | None, Query(max_length=128)]
After = Annotated[int, Query(ge=0, le=2**63 - 1)]


@cache
def meanings() -> dict[str, dict[str, str]]:
    """Every result name with its texts."""
    return result_texts()


def language(request: Request) -> str:
    """The reader's language of a file: `?lang=`, else the cookie, else Chinese."""
    wanted = request.query_params.get("lang") or request.cookies.get("lang")
    return wanted if wanted in ("zh", "en") else "zh"


def written(workspace: Any) -> Any:
    """What changes with every writing transaction of the ledger."""
    engine = workspace.database
    if not present(engine):
        return None
    standing = reads.standing(engine) or {}
    return standing.get("writes")


@page(pages, "/ledger", "books.html", changes=written)
def books(view: View, q: Text = None, instrument: Text = None, after: Text = None) -> dict[str, Any]:
    """The ledger as a whole: instruments with their sums, accounts found, what was recorded last."""
    engine = view.workspace.database
    if not present(engine):
        return {"standing": None, "query": {"q": q, "instrument": instrument}}
    standing = reads.standing(engine) or {}
    totals = reads.totals(engine)
    for one in totals:
        one["conserved"] = (one["debits_posted"], one["debits_pending"]) == (
            one["credits_posted"],
            one["credits_pending"],
        )
    found = reads.balances(engine, instrument=instrument or None, text=q or None, after=after, limit=ROWS)
    last = reads.entries(engine, after=max(0, standing["entries"] - 12), limit=12)["entries"]
    return {
        "standing": standing,
        "totals": totals,
        "conserved": all(one["conserved"] for one in totals),
        "accounts": found["accounts"],
        "next": found["next"],
        "entry": _entry_of(engine, q),
        "latest": last[::-1],
        "names": naming.names(view.pack),
        "query": {"q": q, "instrument": instrument},
    }


def _entry_of(engine: Any, text: str | None) -> dict[str, Any] | None:
    try:
        return reads.entry(engine, text) if text else None
    except Refused:
        return None


@page(pages, "/ledger/account", "statement.html", changes=written)
def statement(
    view: View,
    account: Annotated[str, Query(min_length=1, max_length=128)],
    since: Text = None,
    until: Text = None,
    after: After = 0,
) -> dict[str, Any]:
    """One account: what it holds, how the balance went, its entries."""
    engine = view.workspace.database
    bounds = {"since": instant_asked(since), "until": instant_asked(until, end_of_day=True)}
    try:
        present(engine)
        head = reads.balance(engine, account)
        shown = reads.statement(engine, account, **bounds, after=after, limit=ROWS)
    except Refused as error:
        raise NoSuch("account", account) from error
    path = days.daily(engine, account, **bounds)
    return {
        **head,
        "opened_with": path[0]["balance"] - path[0]["change"] if path else head["balance"],
        "days": path[-CHARTED:],
        "days_total": len(path),
        "entries": shown["entries"],
        "next": shown["next"],
        "names": naming.names(view.pack),
        "query": {"account": account, "since": since, "until": until, "after": after or None},
    }


@page(pages, "/ledger/entry/{seq}", "entry.html", changes=written)
def entry(view: View, seq: Annotated[int, Path(ge=1, le=2**63 - 1)]) -> dict[str, Any]:
    """One entry: debit and credit, what it is tied to, its hash, and the proof that it is in the log."""
    from dualcarbon.ledger import evidence
    from dualcarbon.ledger.store import Store

    engine = view.workspace.database
    try:
        if not present(engine):
            raise NoSuch("entry", str(seq))
        shown = reads.entry(engine, seq)
    except Refused as error:
        raise NoSuch("entry", str(seq)) from error
    try:
        proof: dict[str, Any] | None = evidence.prove(Store(engine), seq, None)
    except Refused:
        proof = None
    steps, last = evidence.steps(proof) if proof else [], seq == (reads.standing(engine) or {}).get("entries")
    told = {"ties": reads.ties(engine, shown), "names": naming.names(view.pack)}
    return {**shown, **told, "proof": proof, "steps": steps, "last": last}


# What the pages' last verification of a workspace found. It says nothing of later moments, so a restart may forget it.
_found: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def verify_now(workspace: Any) -> None:
    """Run the auditor's verifier over the whole ledger for `/ledger/verified` to show. Raises Refused."""
    from dualcarbon.ledger import evidence

    told = (reads.standing(workspace.database) or {}).get("entries", 0)
    found = evidence.verified(workspace.database)
    problems = found.pop("problems")
    _found[workspace] = {
        "found": {**found, "faults": len(problems)},
        "faults": [evidence.fault_words(one) for one in problems[:FAULTS_SHOWN]],
        "at": moment_text(time_ns() // 1000),
        # Where entries were taken out, fewer are found than the ledger tells of: those are no later ones.
        "told": max(told, found["entries"]),
    }


def _verified_or_written(workspace: Any) -> Any:
    return written(workspace), _found.get(workspace, {}).get("at")


@page(pages, "/ledger/verified", "verified.html", changes=_verified_or_written)
def verified(view: View) -> dict[str, Any]:
    """What the verification that was last asked for found and when; `found` is null before the first.

    `entries`: how many the ledger has now, null without one; `later`: how many of them came after the verification.
    """
    engine = view.workspace.database
    standing = (reads.standing(engine) if present(engine) else None) or {}
    entries, last = standing.get("entries"), _found.get(view.workspace)
    if entries is None or last is None:
        return {"found": None, "faults": [], "at": None, "entries": entries, "later": None}
    shown = {name: last[name] for name in ("found", "faults", "at")}
    return {**shown, "entries": entries, "later": entries - last["told"]}


@page(pages, "/ledger/heads", "heads.html", changes=written)
def heads(view: View) -> dict[str, Any]:
    """The signed tree heads, newest first, and how to check them without this program."""
    from dualcarbon.ledger import evidence

    engine = view.workspace.database
    if not present(engine):
        return {"standing": None, "heads": []}
    found = [{**evidence.parsed(one["note"]), **one} for one in reversed(evidence.heads(engine))]
    return {"standing": reads.standing(engine), "heads": found}
