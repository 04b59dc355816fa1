"""The pages on which acts are done: one form for every act of `forms`, tried before it is real.

A form asks for the words that its act takes; checking it tries the act, which changes nothing, and shows what would be
recorded, or beside each field why not. The button below what was tried does it, under an id made of what was said and
of where the registry stood, so that pressing twice counts once.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Path, Query

from dualcarbon.core.faces import NoSuch, Page, View, page
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.ledger.store import Store
from dualcarbon.registry import reads
from dualcarbon.registry.act_fields import IN_ADDRESS, fields, said_in
from dualcarbon.registry.book import Registry
from dualcarbon.registry.exports import yuan
from dualcarbon.registry.files import KINDS
from dualcarbon.registry.forms import FORMS, LABELS
from dualcarbon.registry.instruments import instruments
from dualcarbon.registry.words import TITLES, action_words, missing, state_words

pages: list[Page] = []
GROUPS = {
    ("备案与核证", "Filings and verification"): ("submit", "advance", "appoint", "dismiss"),
    ("签发与登记", "Issuance and entry"): ("issue", "grant", "import", "annul"),
    ("持有、转让、核销", "Holding, transfer, use"): ("transfer", "retire", "claim"),
    ("冻结、注销、失效", "Blocking and ending"): ("suspend", "resume", "cancel", "expire"),
    ("交易与交收", "Trade and delivery"): ("offer", "accept", "settle", "match", "withdraw", "void", "lapse"),
}
#: The kinds of files in the order of `files.KINDS`.
FILES = (
    ("别处核发的证书", "Certificates issued elsewhere"),
    ("转让或分配", "Transfers or allocations"),
    ("核销", "Uses"),
)
Both = dict[str, str]


def changed(workspace: Any) -> int:
    """Differs whenever anything in the registry does."""
    return reads.last(workspace.database)


@page(pages, "/registry/act", "acts.html", changes=changed)
def acts(view: View) -> dict[str, Any]:
    """Every act there is, in groups."""
    return {
        "groups": [
            {"title": _both(*title), "acts": [{"act": one, **_titled(one)} for one in own]}
            for title, own in GROUPS.items()
        ],
        "files": [
            {"kind": kind, "title": _both(*title),
             "columns": {"zh": [rule.headings[name] for name in rule.needed], "en": list(rule.needed)}}
            for (kind, rule), title in zip(KINDS.items(), FILES, strict=True)
        ],
    }  # fmt: skip


@page(pages, "/registry/act/{action}", "act.html", changes=changed)
def act(view: View, action: Annotated[str, Path(max_length=20)]) -> dict[str, Any]:
    """The form of one act with what was said so far and, once it was checked, what would be recorded or why not."""
    if action not in FORMS:
        raise NoSuch("页面", action)
    said = said_in(action, view.query)
    tried: dict[str, Any] | None = None
    problems: list[Problem] = []
    if "try" in view.query:
        try:
            registry = Registry(Store(view.workspace.database), view.pack)
            registry.install()
            tried = registry.do(action, _key(view, action, said), dry_run=True, **said)
        except Refused as refused:
            problems = refused.problems
    shown = fields(view, action, said)
    names = {one["field"] for one in shown}
    for one in shown:
        one["problems"] = [_told(problem) for problem in problems if _field(problem) == one["field"]]
        # A refusal ends an act before its state table asks for more: what is still empty is said with it.
        reported = one["field"] == "quantity" and said.get("report")
        if problems and one["must"] and not one["value"] and not one["problems"] and not reported:
            one["problems"] = [_told(problem) for problem in missing(action, one["field"]).problems]
    return {
        "action": action,
        **_titled(action),
        "fields": shown,
        "problems": [_told(one) for one in problems if _field(one) not in names],
        "refused": bool(problems),
        "tried": tried,
        "facts": facts(tried, view.pack) if tried else [],
        "key": _key(view, action, said) if tried else None,
        "said": {IN_ADDRESS.get(name, name): value for name, value in said.items()},
        "synthetic": bool(tried and tried.get("synthetic")),
    }


@page(pages, "/registry/record", "record.html", changes=changed)
def record(view: View, id: Annotated[str, Query(min_length=1, max_length=60)]) -> dict[str, Any]:
    """One act as it was recorded: what was asked and answered, its seal, and the ledger entries that vouch for it."""
    engine = view.workspace.database
    try:
        done = reads.act(engine, id if id.isprintable() else "")
    except Refused:
        raise NoSuch("页面", id) from None
    return {**done, "title": action_words(done["answer"].get("step") or done["action"]),
            "facts": facts(done["answer"], view.pack), "synthetic": bool(done["answer"].get("synthetic"))}  # fmt: skip


def _key(view: View, action: str, said: Mapping[str, Any]) -> str:
    own = view.query.get("id", "").strip()
    stands = [action, said, reads.last(view.workspace.database)]
    return own or "p-" + hashlib.sha256(json.dumps(stands, ensure_ascii=False).encode()).hexdigest()[:24]


def _field(problem: Problem) -> str | None:
    return "subjects" if problem.column == "subject" else problem.column


def _told(problem: Problem) -> dict[str, Both]:
    """A problem's message and remedy in both languages."""
    both = {lang: problem.as_dict(lang) for lang in ("zh", "en")}
    return {name: {lang: str(both[lang][name]) for lang in both} for name in ("message", "remedy")}


def _both(zh: str, en: str) -> Both:
    return {"zh": zh, "en": en}


def _titled(action: str) -> dict[str, Both]:
    form = FORMS[action]
    return {"title": action_words(action) if action not in TITLES else _both(*TITLES[action]),
            "help": _both(form.zh, form.en)}  # fmt: skip


def facts(answer: Mapping[str, Any], pack: str) -> list[dict[str, Any]]:
    """What an answer says, as labelled texts in both languages."""
    if "years" in answer:
        return [fact for one in answer["years"] for fact in facts(one, pack)]
    one = instruments(pack).get(str(answer.get("instrument")))
    rows: list[tuple[str, ...]] = []
    if one is not None:
        year = f" {answer['vintage']}" if answer.get("vintage") else ""
        rows.append(("instrument", one.title["zh"] + year, one.title["en"] + year))
    if one is not None and answer.get("quantity"):
        rows.append(("quantity", f"{answer['quantity']:,} {one.unit}", f"{answer['quantity']:,} {one.unit_en}"))
    if answer.get("serials"):
        rows.append(("serials", *(sep.join(part["text"] for part in answer["serials"]) for sep in ("、", ", "))))
    for name in ("holder", "seller", "buyer", "counterparty", "offer", "trade", "filing", "lot", "entity", "purpose",
                 "beneficiary", "report", "payment", "period", "document", "reason"):  # fmt: skip
        if answer.get(name):
            rows.append((name, *[str(answer[name])] * 2))
    if answer.get("subjects"):
        rows.append(("subjects", *(sep.join(answer["subjects"]) for sep in ("、", ", "))))
    for name in ("price", "amount"):
        if answer.get(name) is not None:
            rows.append((name, f"{yuan(answer[name])} 元", f"{yuan(answer[name])} CNY"))
    if answer.get("trades") is not None:
        rows.append(("trades", f"{len(answer['trades'])} 笔", str(len(answer["trades"]))))
    if answer.get("state"):
        rows.append(("after", *state_words(answer["state"]).values()))
    if answer.get("actor"):
        title = one.roles[answer["role"]].title if one is not None and answer.get("role") in one.roles else {}
        rows.append(("actor", *(f"{answer['actor']} {title.get(lang, '')}".strip() for lang in ("zh", "en"))))
    return [{"label": _both(*LABELS[name]), "value": _both(zh, en)} for name, zh, en in rows]
