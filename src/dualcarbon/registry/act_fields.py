"""The fields of the form of an act: which are asked for what was chosen, how they are called, what may be chosen."""

from collections.abc import Collection, Mapping
from typing import Any

from dualcarbon.core.faces import View
from dualcarbon.core.problems import Refused
from dualcarbon.registry import dossiers, prices
from dualcarbon.registry.exports import yuan
from dualcarbon.registry.forms import COMMON, FIELDS, FORMS, LABELS
from dualcarbon.registry.instruments import Instrument, Step, found, instruments
from dualcarbon.registry.words import action_words, state_words

#: Words whose name means something else in an address of this site.
IN_ADDRESS = {"period": "span"}
SOMETIMES = {
    "vintage": "by_vintage", "serials": "serials", "lot": "serials", "kind": "kinds", "subjects": "attribute",
    "period": "attribute", "report": "filing",
}  # fmt: skip
ROWS = 200
#: Words that decide which others are asked.
LEADS = ("instrument", "kind", "filing")


def said_in(action: str, query: Mapping[str, str]) -> dict[str, Any]:
    """What an address or a form says to an act, by the act's own words; several subjects stand a line each."""
    form = FORMS[action]
    said: dict[str, Any] = {}
    for name in (*form.arguments, *form.needed, *form.optional, *COMMON):
        text = query.get(IN_ADDRESS.get(name, name), "").strip()
        if text and FIELDS[name].kind == "texts":
            said[name] = [one.strip() for one in text.replace("、", "\n").splitlines() if one.strip()]
        elif text:
            said[name] = text
    return said


def _both(zh: str, en: str) -> dict[str, str]:
    return {"zh": zh, "en": en}


def _hint(name: str) -> dict[str, str] | None:
    """What a field's help adds to its name; nothing where it only says the name again."""
    own = FIELDS[name]
    return None if own.zh == LABELS[name][0] else _both(own.zh, own.en)


def fields(view: View, action: str, said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fields of a form in the order they are asked: what must be said, what may be, then the `more`.

    A field is `{name (in addresses), field, label, hint, kind, value, must, more, leads, unit, choices}`; texts are in
    both languages. What `leads` decides which other fields there are.
    """
    form = FORMS[action]
    chosen = instruments(view.pack).get(str(said.get("instrument", "")))
    step = _step(view, action, said, chosen)
    needs = {"subjects" if need == "subject" else need for need in step.needs} if step else set()
    must = {*form.arguments, *form.needed, *needs}
    if action == "submit" and said.get("kind") != "methodology":
        must.add("parent")
    acting = _acting(view, step, said, chosen)
    if acting:
        must.add("actor")
    words = (*form.arguments, *form.needed, *form.optional)
    own = [name for name in words if _asked(action, name, said, chosen, needs)]
    own = sorted((*own, *(["actor"] if acting else [])), key=lambda name: name not in must)
    more = [name for name in COMMON if name not in ("synthetic", *own)]
    return [
        {
            "name": IN_ADDRESS.get(name, name),
            "field": name,
            "label": _both(*LABELS[name]),
            "hint": _hint(name),
            "kind": FIELDS[name].kind,
            "value": "\n".join(said.get(name, ())) if FIELDS[name].kind == "texts" else said.get(name, ""),
            "must": name in must,
            "more": name in more,
            "leads": name in LEADS and name in form.arguments,
            "unit": _both(chosen.unit, chosen.unit_en) if chosen and name == "quantity" else None,
            "choices": _choices(view, action, name, said, chosen),
        }
        for name in (*own, *more)
    ]


def _acting(view: View, step: Step | None, said: Mapping[str, Any], chosen: Instrument | None) -> bool:
    """Whether who acts has to be said: nobody is it by being a party or the issuer."""
    if step is None:
        return False
    if chosen is None and said.get("filing"):
        filing = _filing(view, said["filing"])
        chosen = instruments(view.pack)[filing["instrument"]] if filing else None
        if filing and any(role in filing["parties"] for role in step.by):
            return False
    return chosen is not None and all(chosen.roles[role].who in ("anyone", "appointed") for role in step.by)


def _step(view: View, action: str, said: Mapping[str, Any], chosen: Instrument | None) -> Step | None:
    """The row of the state table that the act will need, as far as it is known."""
    if action == "advance" and said.get("filing"):
        filing = _filing(view, said["filing"])
        rule = instruments(view.pack)[filing["instrument"]].filing[filing["kind"]] if filing else None
        return found(rule.steps, str(said.get("step")), filing["state"]) if rule and filing else None
    if chosen is None:
        return None
    if action == "submit":
        rule = chosen.filing.get(str(said.get("kind")))
        return found(rule.steps, "submit", None) if rule else None
    return next((one for one in chosen.life if one.action == ("issue" if action == "grant" else action)), None)


def _asked(action: str, name: str, said: Mapping[str, Any], chosen: Instrument | None, needs: Collection[str]) -> bool:
    """Whether a word means anything for what was chosen so far; what leads is asked first."""
    leads = [one for one in FORMS[action].arguments if one in LEADS]
    if name in leads:
        return True
    if any(one not in said for one in leads):
        return False
    if action == "submit":
        return (
            name in needs
            or (name == "parent" and said["kind"] != "methodology")
            or (name == "result" and "quantity" in needs)
        )
    if action == "advance":
        return name in needs or name == "step"
    if chosen is None:
        return True
    if name in ("subjects", "period") and action == "issue" and chosen.filing:
        return False  # they come from the report
    if name in ("seller_place", "buyer_place", "place"):
        return chosen.cross_region
    return bool(getattr(chosen, SOMETIMES[name])) if name in SOMETIMES else True


def _choices(
    view: View, action: str, name: str, said: Mapping[str, Any], chosen: Instrument | None
) -> list[dict[str, Any]] | None:
    """The values a field can have with their titles, None where anything may be written."""
    known, engine = instruments(view.pack), view.workspace.database
    rows: list[tuple[str, ...]] | None = None
    if name == "instrument":
        rows = [(code, one.title["zh"], one.title["en"]) for code, one in known.items() if _fits(action, one)]
    elif name == "kind" and action == "submit":
        kinds = chosen.filing if chosen else {k: v for one in known.values() for k, v in one.filing.items()}
        rows = [(code, one.title["zh"], one.title["en"]) for code, one in kinds.items()]
    elif name == "kind" and chosen and chosen.kinds:
        rows = [(code, one["title"]["zh"], one["title"]["en"]) for code, one in chosen.kinds.items()]
    elif name == "side":
        rows = [("sell", "出让", "sell"), ("buy", "求购", "buy")]
    elif name == "state":
        rows = [(one, *state_words(one).values()) for one in ("held", "suspended")]
    elif name == "step" and said.get("filing"):
        filing = _filing(view, said["filing"])
        following = filing["following"] if filing else []
        rows = [(one["step"], *action_words(one["step"]).values()) for one in following]
    elif name == "report":
        waiting = dossiers.filings(engine, kind="report", state="verified", limit=ROWS)["filings"]
        rows = [(one["id"], *[f"{one['id']} · {one['verified']:,}"] * 2) for one in waiting]
    elif name == "parent" and chosen:
        rule = chosen.filing.get(str(said.get("kind")))
        above = dossiers.filings(engine, code=chosen.code, kind=rule.of, limit=ROWS)["filings"] if rule else []
        rows = [(one["id"], *[f"{one['id']} {one['title'] or ''}"] * 2)
                for one in above if rule and one["state"] in rule.when]  # fmt: skip
    elif name == "offer":
        rows = [(one["id"], *[f"{one['id']} · {one['party']} · {one['left']:,} × {yuan(one['price'])}"] * 2)
                for one in prices.offers(engine, state="open", limit=ROWS)["offers"]]  # fmt: skip
    elif name == "trade":
        rows = [(one["id"], *[f"{one['id']} · {one['seller']} → {one['buyer']} · {one['quantity']:,}"] * 2)
                for one in prices.trades(engine, state="pending", limit=ROWS)["trades"]]  # fmt: skip
    elif name in ("place", "seller_place", "buyer_place"):
        places = view.codes.places
        rows = [(code, places.name(code), places.name(code, "en")) for code in places.children(view.city)]
    elif name == "actor" and said.get("step") and said.get("filing"):
        filing, step = _filing(view, said["filing"]), _step(view, action, said, chosen)
        own = filing["instrument"] if filing else None
        named = [one for one in dossiers.roles(engine, view.pack) if step and one["role"] in step.by]
        rows = [(one["actor"], one["actor"], one["actor"]) for one in named if one["instrument"] == own] or None
    elif name == "appointed":
        roles = {k: v for one in ([chosen] if chosen else known.values()) for k, v in one.roles.items()}
        rows = [(k, v.title["zh"], v.title["en"]) for k, v in roles.items() if v.who in ("issuer", "appointed")]
    if rows is None:
        return None
    return [{"value": value, "title": _both(zh, en)} for value, zh, en in rows]


def _fits(action: str, one: Instrument) -> bool:
    """Whether an act can be about an instrument at all."""
    if action in ("submit", "advance"):
        return bool(one.filing)
    if action == "match":
        return "matching" in one.trade["ways"]
    if action == "annul":
        return one.serials
    if action == "grant":
        return one.issued == "here" and one.by_vintage
    return action in ("appoint", "dismiss") or any(step.action == action for step in one.life)


def _filing(view: View, id: str) -> dict[str, Any] | None:
    try:
        return dossiers.filing(view.workspace.database, id, view.pack)
    except Refused:
        return None
