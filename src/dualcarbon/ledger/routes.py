"""The ledger over HTTP: open, post, read, verify, prove. Every line of a batch gets its own answer, in the same order.

A posting waits in the event loop, not in a thread, until the group commit that holds it is durable.
"""

import asyncio
import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from dualcarbon.core.faces import NoSuch
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.ledger import pages as _pages
from dualcarbon.ledger import reads, shapes
from dualcarbon.ledger.install import present
from dualcarbon.ledger.requests import Request as Keyed
from dualcarbon.ledger.transfer import instant_asked

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dualcarbon.ledger.evidence import Ed25519Signer
    from dualcarbon.ledger.store import Store

router = APIRouter(prefix="/ledger", tags=["ledger"], responses=shapes.PROBLEMS)
pages, nav, busy = _pages.pages, _pages.nav, True

EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_LINES = 8192
MOST_BYTES = 16 * 2**20
UNAVAILABLE = ("ledger.disk-full", "ledger.read-only", "ledger.database-unavailable")

Account = Annotated[str, Query(description="account", min_length=1, max_length=128)]
Moment = Annotated[str | None, Query(description="ISO 8601; a date is the end of that day")]
Since = Annotated[str | None, Query(description="dated from, ISO 8601")]
Until = Annotated[str | None, Query(description="dated up to and including, ISO 8601")]
After = Annotated[int, Query(ge=0, le=2**63 - 1, description="the cursor `next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=reads.MOST_ROWS, description="rows a page")]
Name = Annotated[str | None, Query(max_length=128)]


class Desk:
    """The writing side of a workspace's ledger in this process: its store and the thread that commits in groups."""

    def __init__(self, engine: "Engine") -> None:
        from dualcarbon.ledger.store import Store
        from dualcarbon.ledger.writer import Writer

        self.store: Store = Store(engine)
        self.store.install()
        self.writer: Writer = Writer(self.store)


_opening = threading.Lock()


def desk(request: Request) -> Desk:
    """The application's desk, opened when first asked for."""
    state = request.app.state
    if not hasattr(state, "ledger_desk"):
        with _opening:
            if not hasattr(state, "ledger_desk"):
                state.ledger_desk = Desk(state.site.workspace.database)
    opened: Desk = state.ledger_desk
    return opened


def _engine(request: Request) -> "Engine":
    engine: Engine = request.app.state.site.workspace.database
    if not present(engine):
        raise Refused(Problem("ledger.no-ledger"))
    return engine


def _signer(request: Request) -> "Ed25519Signer":
    from dualcarbon.ledger.evidence import Ed25519Signer

    return Ed25519Signer.of(request.app.state.site.workspace.path)


def _json(data: Any, status: int = 200, media: str = "application/json") -> Response:
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode(errors="replace"), status, media_type=media)


def _fresh(request: Request, data: Any) -> Response:
    """The answer with its ETag, or 304 when the client has it."""
    answer = _json(data)
    tag = f'"{hashlib.sha256(answer.body).hexdigest()[:24]}"'
    if tag in request.headers.get("if-none-match", "").replace("W/", "").split(", "):
        answer = Response(status_code=304)
    answer.headers["ETag"], answer.headers["Cache-Control"] = tag, "no-cache"
    return answer


def _problem(request: Request, status: int, title: str, detail: str, kind: str, **more: Any) -> Response:
    told = {"type": f"/problems/{kind}", "title": title, "status": status, "detail": detail}
    return _json({**told, "instance": request.url.path, **more}, status, "application/problem+json")


class Unfit(Exception):
    """The request cannot be read; the text says why."""


async def _body(request: Request) -> tuple[Any, Keyed | None]:
    """The decoded body and the client's key. Raises Unfit."""
    raw = await request.body()
    if len(raw) > MOST_BYTES:
        raise Unfit(f"more than {MOST_BYTES} bytes")
    try:
        decoded = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Unfit("the body is not JSON") from error
    key = request.headers.get("idempotency-key")
    if key is None:
        return decoded, None
    if not 0 < len(key) <= 128 or not key.isascii() or not key.isprintable() or " " in key:
        raise Unfit("an Idempotency-Key has 1 to 128 visible ASCII characters")
    return decoded, Keyed(key, hashlib.sha256(request.url.path.encode() + b"\n" + raw).digest())


def _lines(body: Any, name: str) -> list[Any]:
    if not isinstance(body, dict) or body.keys() != {name} or not isinstance(body[name], list):
        raise Unfit(f'the body is {{"{name}": [...]}}')
    lines: list[Any] = body[name]
    if len(lines) > MOST_LINES:
        raise Unfit(f"more than {MOST_LINES} lines")
    return lines


def _told(lines: Iterable[Any], results: list[str], key: str, done: str) -> dict[str, Any]:
    shown = [
        {key: line.get(key) if isinstance(line, dict) else None, "result": result}
        for line, result in zip(lines, results, strict=True)
    ]
    posted = results.count("ok")
    return {"results": shown, done: posted, "refused": len(results) - posted - results.count("exists")}


async def _posted(request: Request, lines: list[Any], keyed: Keyed | None) -> list[str]:
    """The results of transfers after the commit that holds them."""
    state = request.app.state
    writer = (
        state.ledger_desk.writer if hasattr(state, "ledger_desk") else (await asyncio.to_thread(desk, request)).writer
    )
    if writer.full:
        return await asyncio.wrap_future(await asyncio.to_thread(writer.submit, lines, keyed))
    return await asyncio.wrap_future(writer.submit(lines, keyed))


async def _guarded(request: Request, work: Callable[[], Any]) -> Response:
    """`await work()`, with the answers of a request that cannot be read and of a database that cannot write."""
    try:
        answer: Response = await work()
        return answer
    except Unfit as error:
        return _problem(request, 400, "请求的内容无法读取 / unreadable request", str(error), "unreadable-request")
    except Refused as error:
        if error.problems[0].rule not in UNAVAILABLE:
            raise
        told = [one.as_dict("zh") for one in error.problems]
        return _problem(request, 503, "现在不能记账 / cannot record now", told[0]["message"], "refused", problems=told)


@router.post(
    "/transfers",
    summary="Post transfers; each line is answered on its own",
    openapi_extra=shapes.described("transfers"),
)
async def post_transfers(request: Request) -> Response:
    """Linked lines stand or fall together within one request; a refused line does not hold up the others."""

    async def work() -> Response:
        body, keyed = await _body(request)
        lines = _lines(body, "transfers")
        return _json(_told(lines, await _posted(request, lines, keyed), "id", "posted"))

    return await _guarded(request, work)


@router.post(
    "/transfer",
    summary="Post one transfer",
    openapi_extra=shapes.described("transfer", (409, "refused by the state of the ledger: `result` says why")),
)
async def post_transfer(request: Request) -> Response:
    """200 when it is recorded (now or before), 409 with the result's name and meaning when it is refused."""

    async def work() -> Response:
        from dualcarbon.ledger.transfer import read_transfer

        line, keyed = await _body(request)
        transfer = read_transfer(line)
        (result,) = await _posted(request, [transfer], keyed)
        if result in ("ok", "exists"):
            return _json({"id": transfer.id, "result": result})
        status, texts = 422 if transfer.fault else 409, _pages.meanings()[result]
        title = "这一笔没有记账 / not recorded"
        why = f"{texts['zh']} / {texts['en']}"
        return _problem(request, status, title, why, "transfer-refused", id=transfer.id or None, result=result)

    return await _guarded(request, work)


@router.post(
    "/accounts", summary="Open accounts; each line is answered on its own", openapi_extra=shapes.described("accounts")
)
async def open_accounts(request: Request) -> Response:
    """An account that exists with the same content answers `exists`."""

    async def work() -> Response:
        body, keyed = await _body(request)
        lines = _lines(body, "accounts")
        store: Store = (await asyncio.to_thread(desk, request)).store
        return _json(_told(lines, await asyncio.to_thread(store.open_accounts, lines, keyed), "account", "opened"))

    return await _guarded(request, work)


def _from_form(request: Request) -> bool:
    """Is this the button of a page, whose reader is led to a page?"""
    sent = request.headers.get("content-type", "")
    return "text/html" in request.headers.get("accept", "") and "json" not in sent


@router.post("/heads", summary="Sign where the log stands now")
def sign(request: Request) -> Response:
    """The last head again when nothing was added since, so that a repetition changes nothing. A form gets the page."""
    from dualcarbon.ledger import evidence

    before = evidence.heads(_engine(request))[-1:]
    head = evidence.make_head(desk(request).store, _signer(request))
    if _from_form(request):
        same = bool(before) and before[0]["note"] == head["note"]
        return RedirectResponse(f"/ledger/heads?signed={'same' if same else 'new'}", status_code=303)
    return _json({**evidence.parsed(head["note"]), **head})


@router.post(
    "/verify", summary="Check the whole ledger with the auditor's verifier", openapi_extra=shapes.described("verify")
)
async def verify(request: Request) -> Response:
    """`{"ok", "entries", "entry", "problems", …}`; `entry` is the number of the first bad entry. Changes nothing.

    A form of a page has no heads to bring and is led to `/ledger/verified`.
    """

    async def work() -> Response:
        from dualcarbon.ledger import evidence

        if _from_form(request):
            _engine(request)
            await asyncio.to_thread(_pages.verify_now, request.app.state.site.workspace)
            return RedirectResponse("/ledger/verified", status_code=303)
        body, _ = await _body(request)
        if not isinstance(body, dict) or not body.keys() <= {"heads", "key"}:
            raise Unfit('the body is {"heads": [...], "key": "…"}')
        heads, key = body.get("heads", []), body.get("key")
        if not isinstance(heads, list) or not all(isinstance(one, dict) for one in heads):
            raise Unfit("heads are objects {note, scheme, key, signature} as the ledger gives them")
        if key is not None and (not isinstance(key, str) or not re.fullmatch("[0-9a-fA-F]{64}", key)):
            raise Unfit("key is a public key of 64 hexadecimal digits")
        return _json(await asyncio.to_thread(evidence.verified, _engine(request), heads, key))

    return await _guarded(request, work)


@router.get("/accounts.json", summary="Accounts with their balances, by name")
def accounts(
    request: Request,
    instrument: Name = None,
    owner: Name = None,
    after: Annotated[str | None, Query(description="the cursor `next` of the page before")] = None,
    limit: Limit = 100,
) -> Response:
    """`{accounts: [...], next}`."""
    found = reads.balances(_engine(request), instrument=instrument, owner=owner, after=after, limit=limit)
    return _fresh(request, found)


@router.get("/balance.json", summary="The balance of an account, now or at an instant")
def balance(request: Request, account: Account, at: Moment = None) -> Response:
    """From the entries dated up to and including `at`."""
    engine, moment = _engine(request), instant_asked(at, end_of_day=True)
    return _fresh(request, _found("account", account, lambda: reads.balance(engine, account, moment)))


@router.get("/statement.json", summary="An account's entries, each with the balance after it")
def statement(
    request: Request, account: Account, since: Since = None, until: Until = None, after: After = 0, limit: Limit = 100
) -> Response:
    """In the order they were recorded; `next` is the cursor of the next page, null at the end."""
    engine = _engine(request)
    bounds: dict[str, Any] = {"since": instant_asked(since), "until": instant_asked(until, end_of_day=True)}
    found = _found("account", account, lambda: reads.statement(engine, account, **bounds, after=after, limit=limit))
    return _fresh(request, found)


@router.get("/entries.json", summary="Entries in the order they were recorded")
def entries(
    request: Request,
    instrument: Name = None,
    state: Name = None,
    since: Since = None,
    until: Until = None,
    after: After = 0,
    limit: Limit = 100,
) -> Response:
    """`{entries: [...], next}`."""
    bounds: dict[str, Any] = {"since": instant_asked(since), "until": instant_asked(until, end_of_day=True)}
    found = reads.entries(_engine(request), instrument=instrument, state=state, **bounds, after=after, limit=limit)
    return _fresh(request, found)


@router.get("/proof.json", summary="The proof that an entry is in the log under a signed head")
def proof(
    request: Request, entry: Annotated[str, Query(description="its id or number", min_length=1, max_length=64)]
) -> Response:
    """A document that the verifier file checks on its own; refused while no head covers the entry."""
    from dualcarbon.ledger import evidence
    from dualcarbon.ledger.store import Store

    store = Store(_engine(request))
    return _fresh(request, _found("entry", entry, lambda: evidence.prove_named(store, entry, None)))


@router.get(
    "/heads.jsonl",
    summary="All signed heads, one a line, for the auditor to keep",
    response_class=Response,
    responses=shapes.file("application/jsonl"),
)
def heads_file(request: Request) -> Response:
    """The file that the verifier takes as --heads."""
    from dualcarbon.ledger import evidence

    text = evidence.head_lines(evidence.heads(_engine(request)))
    name = {"Content-Disposition": 'attachment; filename="heads.jsonl"'}
    return Response(text, media_type="application/jsonl", headers=name)


@router.get(
    "/verifier.py",
    summary="The auditor's verifier, a single file",
    response_class=FileResponse,
    responses=shapes.file("text/x-python"),
)
def verifier_file() -> FileResponse:
    """It needs Python alone and shares no code with the program that writes the ledger."""
    from dualcarbon.ledger import verifier

    return FileResponse(str(verifier.__file__), media_type="text/x-python", filename="verifier.py")


@router.get(
    "/account.xlsx",
    summary="An account's statement as Excel",
    response_class=Response,
    responses=shapes.file(EXCEL),
)
def statement_file(request: Request, account: Account, since: Since = None, until: Until = None) -> Response:
    """The account's head and every entry within the bounds, with the balance after each."""
    from dualcarbon.ledger.workbook import statement_workbook

    engine = _engine(request)
    bounds = {"since": instant_asked(since), "until": instant_asked(until, end_of_day=True)}
    lang = _pages.language(request)
    made = _found("account", account, lambda: statement_workbook(engine, account, lang=lang, **bounds))
    return Response(made, media_type=EXCEL, headers={"Content-Disposition": 'attachment; filename="statement.xlsx"'})


def _found(kind: str, name: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Refused as error:
        if error.problems[0].rule.endswith("-not-found"):
            raise NoSuch(kind, name) from error
        raise
