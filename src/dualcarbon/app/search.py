"""Search over what the platform knows by name: places, sectors, items, factors, methods, carriers."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from dualcarbon.app.pages import View, page

router = APIRouter()
SHOWN = 8
Hit = dict[str, Any]


@page(router, "/search", "search.html")
def search(view: View, q: Annotated[str, Query(max_length=80)] = "") -> dict[str, Any]:
    """What matches the words, in groups; codes, both names and aliases are searched."""
    from dualcarbon.core.classification import key

    wanted = key(q)
    if not wanted:
        return {"query": q, "groups": []}
    groups = [
        {"kind": kind, "hits": [hit for _, hit in sorted(found, key=lambda one: one[0])][:SHOWN], "total": len(found)}
        for kind, found in (
            ("places", _codes(view, "places", wanted)),
            ("sectors", _codes(view, "sectors", wanted)),
            ("carriers", _codes(view, "carriers", wanted)),
            ("factors", _parameters(view, wanted)),
            ("methods", _methods(view, wanted)),
            ("items", _codes(view, "items", wanted)),
        )
        if found
    ]
    return {"query": q, "groups": groups}


def _codes(view: View, kind: str, wanted: str) -> list[tuple[tuple[int, int], Hit]]:
    """Codes of one list that match, with how well: exact, beginning, inside; places outside the city last."""
    codes = getattr(view.codes, kind)
    found = []
    for number, code in enumerate(codes):
        row = codes.row(code)
        rank = _rank(wanted, [code, row.get("name_zh", ""), row.get("name_en", ""), *row.get("aliases", "").split("|")])
        if rank is None:
            continue
        hit = {
            "code": code,
            "zh": codes.name(code, "zh"),
            "en": codes.name(code, "en"),
            "href": _address(view, kind, code),
        }
        if hit["href"]:
            found.append(((rank, number), hit))
    return found


def _address(view: View, kind: str, code: str) -> str:
    if kind == "places":
        inside = any(view.city in view.codes.places.path(code, tree) for tree in view.trees)
        return f"/account/{code}" if inside else f"/factors?q={code}"
    if kind == "sectors":
        return f"/account/{view.city}?by=sector#{code}"
    if kind == "carriers":
        return f"/account/{view.city}?by=carrier#{code}"
    return f"/explain?item={code}&place={view.city}&period={view.period}"


def _parameters(view: View, wanted: str) -> list[tuple[tuple[int, int], Hit]]:
    from dualcarbon.engine.factors import load_parameters

    found = []
    for number, one in enumerate(load_parameters(view.pack).values()):
        rank = _rank(wanted, [one.id, *one.title.values()])
        if rank is not None:
            found.append(((rank, number), {"code": one.id, **one.title, "href": f"/factors/{one.id}"}))
    return found


def _methods(view: View, wanted: str) -> list[tuple[tuple[int, int], Hit]]:
    from dualcarbon.engine.methods import find_method, method_files

    found = []
    for number, identifier in enumerate(sorted(method_files(view.pack))):
        title = find_method(identifier, view.pack).method.title
        rank = _rank(wanted, [identifier, title.zh, title.en])
        if rank is not None:
            hit = {"code": identifier, "zh": title.zh, "en": title.en, "href": f"/methods/{identifier}"}
            found.append(((rank, number), hit))
    return found


def _rank(wanted: str, texts: list[str]) -> int | None:
    from dualcarbon.core.classification import key

    ranks = [
        0 if text == wanted else 1 if text.startswith(wanted) else 2
        for text in map(key, texts)
        if text and wanted in text
    ]
    return min(ranks, default=None)
