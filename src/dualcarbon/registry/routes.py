"""The registry over HTTP: the acts of the command line and lists; files in `file_routes`, pages in `pages`."""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from dualcarbon.registry import act_pages, act_routes, dossiers, file_routes, prices, reads, stories
from dualcarbon.registry import pages as _pages
from dualcarbon.registry.asked import DryRun, Key, Part, Text, registry_of
from dualcarbon.registry.forms import COMMON, FIELDS, FORMS, Form
from dualcarbon.registry.instruments import instruments as known_instruments
from dualcarbon.registry.words import refuse

router = APIRouter(prefix="/registry", tags=["registry"])
router.include_router(file_routes.router)
router.include_router(act_routes.router)
pages, nav = [*_pages.pages, *act_pages.pages], _pages.nav


def _fresh(request: Request, data: Any) -> Response:
    """The answer with its ETag, or 304 when the client has it."""
    body = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    tag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    kept = tag in request.headers.get("if-none-match", "").replace("W/", "").split(", ")
    answer = Response(status_code=304) if kept else Response(body, media_type="application/json")
    answer.headers["ETag"], answer.headers["Cache-Control"] = tag, "no-cache"
    return answer


def _listed(
    request: Request, read: Callable[..., dict[str, Any]], page: dict[str, int], wanted: Mapping[str, Any]
) -> Response:
    """One page of a list."""
    return _fresh(request, read(registry_of(request).engine, **wanted, **page))


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
    request: Request, page: Part, instrument: Text = None, holder: Text = None, state: Text = None,
    serial: Annotated[int | None, Query(ge=1, lt=10**12)] = None, subject: Text = None,
) -> Response:  # fmt: skip
    wanted = {"code": instrument, "holder": holder, "state": state, "serial": serial, "subject": subject}
    return _listed(request, reads.find, page, wanted)


@router.get("/acts.json", summary="全部行为 · every act in the order it was recorded")
def acts(request: Request, page: Part, action: Text = None) -> Response:
    return _listed(request, reads.acts, page, {"action": action})


@router.get("/claims.json", summary="已主张的权益 · the claims on benefits")
def claims(request: Request, page: Part, subject: Text = None) -> Response:
    return _listed(request, reads.claims, page, {"subject": subject})


@router.get("/trades.json", summary="成交 · trades, and transfers without a price")
def trades(
    request: Request, page: Part, instrument: Text = None, vintage: Text = None, state: Text = None, party: Text = None
) -> Response:
    return _listed(
        request, prices.trades, page, {"code": instrument, "vintage": vintage, "state": state, "party": party}
    )


@router.get("/offers.json", summary="挂牌 · offers")
def offers(
    request: Request, page: Part, instrument: Text = None, vintage: Text = None, state: Text = None, side: Text = None
) -> Response:
    return _listed(request, prices.offers, page, {"code": instrument, "vintage": vintage, "state": state, "side": side})


@router.get("/mirrored.json", summary="别处市场的成交 · trades of other markets, as their files say")
def mirrored(request: Request, page: Part, instrument: Text = None, market: Text = None) -> Response:
    return _listed(request, prices.mirrored, page, {"code": instrument, "market": market})


@router.get("/prices.json", summary="按月价格 · prices by month, of this registry or of one other market")
def series(request: Request, instrument: Text = None, vintage: Text = None, market: Text = None) -> Response:
    engine = registry_of(request).engine
    return _fresh(request, {"series": prices.series(engine, code=instrument, vintage=vintage, market=market)})


@router.get("/check.json", summary="编号与账本是否一致 · whether serial numbers and ledger agree")
def check(request: Request) -> Response:
    registry = registry_of(request)
    found = reads.check(registry.engine, registry.pack)
    return _fresh(request, {"ok": not found, "problems": found})
