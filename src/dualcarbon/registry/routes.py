"""The registry over HTTP: the acts of the command line, lists with cursors, files, papers; the pages are in `pages`."""

import hashlib
import json
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, File, Header, Query, Request, UploadFile
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from dualcarbon.registry import dossiers, files, papers, prices, reads, stories
from dualcarbon.registry import pages as _pages
from dualcarbon.registry.forms import COMMON, FIELDS, FORMS, Form
from dualcarbon.registry.instruments import instruments as known_instruments
from dualcarbon.registry.words import refuse

if TYPE_CHECKING:
    from dualcarbon.core.report import Report
    from dualcarbon.registry.book import Registry

router = APIRouter(prefix="/registry", tags=["registry"])
pages, nav = _pages.pages, _pages.nav

MOST_BYTES = 16 * 2**20
MEDIA = {
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".csv": "text/csv; charset=utf-8",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pdf": "application/pdf",
}
Text = Annotated[str | None, Query(max_length=200)]
Name = Annotated[str, Query(min_length=1, max_length=200)]
After = Annotated[int, Query(ge=0, le=2**63 - 1, description="the cursor `next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=1000, description="rows a page")]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=60, description="your id of the act: sent twice it counts once"),
]
DryRun = Annotated[bool, Query(description="try only, record nothing")]
Upload = Annotated[UploadFile, File(description="CSV or Excel (.xlsx)")]
_opening = threading.Lock()


def registry_of(request: Request, *, install: bool = False) -> "Registry":
    """The registry of the application's workspace, opened once."""
    state = request.app.state
    with _opening:
        if not hasattr(state, "registry"):
            from dualcarbon.ledger.store import Store
            from dualcarbon.registry.book import Registry

            state.registry = Registry(Store(state.site.workspace.database), state.site.pack)
    opened: Registry = state.registry
    if install:
        opened.install()
    return opened


def _fresh(request: Request, data: Any) -> Response:
    """The answer with its ETag, or 304 when the client has it."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    kept = tag in request.headers.get("if-none-match", "").replace("W/", "").split(", ")
    answer = Response(status_code=304) if kept else Response(body, media_type="application/json")
    answer.headers["ETag"], answer.headers["Cache-Control"] = tag, "no-cache"
    return answer


def _file(name: str, kind: str, write: Callable[[Path], object]) -> Response:
    """A file made by `write`, for the browser to keep."""
    from urllib.parse import quote

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"file{kind}"
        write(path)
        content = path.read_bytes()
    saved = f"attachment; filename*=UTF-8''{quote(name + kind)}"
    return Response(
        content, media_type=MEDIA[kind], headers={"Content-Disposition": saved, "Cache-Control": "no-cache"}
    )


# --- acts -------------------------------------------------------------------------------------------------------------

JSON_KINDS: Mapping[str, Any] = {"integer": int, "texts": list[str], "flag": bool}


def _model(action: str, form: Form) -> type[BaseModel]:
    """What the body of an act is, from its form."""
    given: dict[str, Any] = {}
    _, body = stories.example(action)
    for name in (*form.arguments, *form.needed, *form.optional, *COMMON):
        field = FIELDS[name]
        kind = JSON_KINDS.get(field.kind, str)
        must = (
            name in body and name in (*form.arguments, *form.needed) and not (action == "issue" and name == "quantity")
        )
        told = f"{field.zh} · {field.en}"
        example = body.get(name, field.example)
        given[name] = (
            (kind, Field(description=told, examples=[example]))
            if must
            else (kind | None, Field(default=None, description=told, examples=[example]))
        )
    config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"example": body})
    made: type[BaseModel] = create_model(f"Registry{action.title()}", __config__=config, **given)
    return made


def _endpoint(action: str, model: type[BaseModel]) -> Callable[..., dict[str, Any]]:
    def act(request: Request, body: Any, key: Any = None, dry_run: Any = False) -> dict[str, Any]:
        if not key:
            raise refuse("key-missing", "Idempotency-Key")
        said = body.model_dump(exclude_none=True)
        return registry_of(request, install=True).do(action, key, dry_run=dry_run, **said)

    act.__annotations__ = {"request": Request, "body": model, "key": Key, "dry_run": DryRun, "return": dict[str, Any]}
    act.__name__ = f"registry_{action}"
    return act


for _action, _form in FORMS.items():
    router.add_api_route(
        f"/{_action}",
        _endpoint(_action, _model(_action, _form)),
        methods=["POST"],
        summary=f"{_form.zh} · {_form.en}",
        responses={422: {"description": "refused; the problems say why"}},
    )


@router.post("/files/certificates", summary="导入证书文件 · import a file of certificates")
def import_certificates(request: Request, file: Upload, dry_run: DryRun = False) -> dict[str, Any]:
    """Each lot has its own id in the file: sent twice it counts once."""
    registry = registry_of(request, install=True)
    return {"lots": _uploaded(file, lambda path: files.import_file(registry, path, dry_run=dry_run))}


@router.post("/files/trades", summary="镜像别处市场的成交文件 · mirror a file of another market's trades")
def import_trades(request: Request, file: Upload, market: Name, dry_run: DryRun = False) -> dict[str, Any]:
    """Each trade has its own number in the file: sent twice it counts once."""
    registry = registry_of(request, install=True)
    found: dict[str, Any] = _uploaded(file, lambda path: files.import_trades(registry, path, market, dry_run=dry_run))
    return found


def _uploaded(file: UploadFile, read: Callable[[Path], Any]) -> Any:
    content = file.file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise refuse("file-unreadable", "file", file.filename, reason=f"> {MOST_BYTES // 2**20} MiB")
    with tempfile.TemporaryDirectory() as folder:
        # Only the last part of what the client calls its file, and nothing that leads elsewhere.
        path = Path(folder) / (Path(str(file.filename or "").replace("\\", "/")).name or "file.csv").replace("\0", "")
        path.write_bytes(content)
        return read(path)


# --- reads ------------------------------------------------------------------------------------------------------------


@router.get("/instruments.json", summary="品种、生命周期、角色、参数 · the instruments as the rule pack has them")
def instruments(request: Request) -> Response:
    known = known_instruments(request.app.state.site.pack)
    return _fresh(request, {"instruments": [one.as_dict() for one in known.values()]})


@router.get("/roles.json", summary="谁以何种角色 · who may act in which role")
def roles(request: Request) -> Response:
    registry = registry_of(request)
    return _fresh(request, {"roles": dossiers.roles(registry.engine, registry.pack)})


@router.get("/totals.json", summary="公开汇总 · issued, held, suspended, retired, cancelled, expired")
def totals(request: Request) -> Response:
    registry = registry_of(request)
    return _fresh(request, {"totals": reads.totals(registry.engine, registry.pack)})


@router.get("/units.json", summary="查找编号 · ranges of serial numbers")
def units(
    request: Request, instrument: Text = None, holder: Text = None, state: Text = None,
    serial: Annotated[int | None, Query(ge=1, lt=10**12)] = None, subject: Text = None, after: After = 0,
    limit: Limit = 100,
) -> Response:  # fmt: skip
    wanted: dict[str, Any] = {"code": instrument, "holder": holder, "state": state, "serial": serial}
    return _fresh(request, reads.find(registry_of(request).engine, **wanted, subject=subject, after=after, limit=limit))


@router.get("/acts.json", summary="全部行为 · every act in the order it was recorded")
def acts(request: Request, action: Text = None, after: After = 0, limit: Limit = 100) -> Response:
    return _fresh(request, reads.acts(registry_of(request).engine, action=action, after=after, limit=limit))


@router.get("/claims.json", summary="已主张的权益 · the claims on benefits")
def claims(request: Request, subject: Text = None, after: After = 0, limit: Limit = 100) -> Response:
    return _fresh(request, reads.claims(registry_of(request).engine, subject, after, limit))


@router.get("/trades.json", summary="成交 · trades, and transfers without a price")
def trades(
    request: Request, instrument: Text = None, vintage: Text = None, state: Text = None, party: Text = None,
    after: After = 0, limit: Limit = 100,
) -> Response:  # fmt: skip
    wanted: dict[str, Any] = {"code": instrument, "vintage": vintage, "state": state, "party": party}
    return _fresh(request, prices.trades(registry_of(request).engine, **wanted, after=after, limit=limit))


@router.get("/offers.json", summary="挂牌 · offers")
def offers(
    request: Request, instrument: Text = None, vintage: Text = None, state: Text = None, side: Text = None,
    after: After = 0, limit: Limit = 100,
) -> Response:  # fmt: skip
    wanted: dict[str, Any] = {"code": instrument, "vintage": vintage, "state": state, "side": side}
    return _fresh(request, prices.offers(registry_of(request).engine, **wanted, after=after, limit=limit))


@router.get("/mirrored.json", summary="别处市场的成交 · trades of other markets, as their files say")
def mirrored(
    request: Request, instrument: Text = None, market: Text = None, after: After = 0, limit: Limit = 100
) -> Response:
    engine = registry_of(request).engine
    return _fresh(request, prices.mirrored(engine, code=instrument, market=market, after=after, limit=limit))


@router.get("/prices.json", summary="按月价格 · prices by month, of this registry or of one other market")
def series(request: Request, instrument: Text = None, vintage: Text = None, market: Text = None) -> Response:
    engine = registry_of(request).engine
    return _fresh(request, {"series": prices.series(engine, code=instrument, vintage=vintage, market=market)})


@router.get("/check.json", summary="编号与账本是否一致 · whether serial numbers and ledger agree")
def check(request: Request) -> Response:
    registry = registry_of(request)
    found = reads.check(registry.engine, registry.pack)
    return _fresh(request, {"ok": not found, "problems": found})


# --- files and papers -------------------------------------------------------------------------------------------------


def _kind(kind: str, known: tuple[str, ...]) -> str:
    if f".{kind}" not in known:
        raise refuse("file-kind", "file", kind, known="、".join(known))
    return f".{kind}"


@router.get("/files/certificates.{kind}", summary="证书清单 · the certificates as xlsx or csv")
def certificates_file(
    request: Request, kind: str, instrument: Text = None, holder: Text = None, state: Text = None
) -> Response:
    suffix = _kind(kind, (".xlsx", ".csv"))
    rows = files.certificate_rows(registry_of(request), code=instrument, holder=holder, state=state)
    return _file("证书", suffix, lambda path: files.write_rows(rows, path, ("批次", "品种", "编号")))


@router.get("/files/trades.{kind}", summary="成交清单 · the trades as xlsx or csv")
def trades_file(
    request: Request, kind: str, instrument: Text = None, vintage: Text = None, state: Text = None
) -> Response:
    suffix = _kind(kind, (".xlsx", ".csv"))
    rows = files.trade_rows(registry_of(request), code=instrument, vintage=vintage, state=state)
    return _file("成交", suffix, lambda path: files.write_rows(rows, path, tuple(files.TRADES.values())))


@router.get("/files/prices.{kind}", summary="按月价格 · prices by month as xlsx or csv")
def prices_file(
    request: Request, kind: str, instrument: Text = None, vintage: Text = None, market: Text = None
) -> Response:
    suffix = _kind(kind, (".xlsx", ".csv"))
    found = prices.series(registry_of(request).engine, code=instrument, vintage=vintage, market=market)
    rows = files.price_rows(found, request.app.state.site.pack)
    return _file("价格", suffix, lambda path: files.write_rows(rows, path, files.PRICES))


def _paper(name: str, kind: str, report: "Report") -> Response:
    return _file(name, kind, lambda path: papers.write(report, path))


@router.get("/files/confirmation.{kind}", summary="成交确认书 · the confirmation of a trade as docx or pdf")
def confirmation(
    request: Request, kind: str, trade: Name, lang: Annotated[str, Query(pattern="^(zh|en)$")] = "zh"
) -> Response:
    suffix = _kind(kind, (".docx", ".pdf"))
    registry = registry_of(request)
    return _paper(f"成交确认书-{trade}", suffix, papers.confirmation(registry.engine, trade, registry.pack, lang))


@router.get("/files/statement.{kind}", summary="权益对账单 · a holder's statement as docx, pdf, xlsx or csv")
def statement(
    request: Request, kind: str, holder: Name, period: Text = None, instrument: Text = None,
    lang: Annotated[str, Query(pattern="^(zh|en)$")] = "zh",
) -> Response:  # fmt: skip
    suffix = _kind(kind, (".docx", ".pdf", ".xlsx", ".csv"))
    registry = registry_of(request)
    found = papers.statement(registry.engine, holder, period or None, instrument, registry.pack)
    if suffix in (".xlsx", ".csv"):
        rows = papers.movement_rows(found)
        return _file(f"对账单-{holder}", suffix, lambda path: files.write_rows(rows, path, papers.MOVEMENT))
    return _paper(f"对账单-{holder}", suffix, papers.statement_report(found, lang))
