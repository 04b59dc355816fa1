"""A page's table as an Excel file at the same address: ``PATH.xlsx``."""

import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from dualcarbon.app.asking import Asked, asked, language
from dualcarbon.app.pages import Site, View, said

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
Take = Callable[[View, Mapping[str, Any]], Any]
Columns = Sequence[tuple[str, Take]]


def field(name: str) -> Take:
    """A column that shows a field of the row."""
    return lambda view, row: row.get(name)


def spreadsheet(
    router: APIRouter, path: str, title: str, columns: Columns, rows: Callable[..., Sequence[Mapping[str, Any]]]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register ``PATH.xlsx``: `rows(view, …)` with the choices of the page, under `title` (Chinese, translated).

    To be put nearer to the function than ``page``, so that the file is found before an address that ends anyhow.
    """

    def register(make: Callable[..., Any]) -> Callable[..., Any]:
        own = [p.replace(kind=p.KEYWORD_ONLY) for p in list(inspect.signature(make).parameters.values())[1:]]

        def endpoint(request: Request, choice: Asked, **chosen: Any) -> Response:
            site: Site = request.app.state.site
            view = View(site, choice, language(request), request.url.path, request.query_params)
            with site.lock:
                body = written(view, title, columns, rows(view, **chosen))
            name = request.url.path.strip("/").replace("/", "-")
            headers = {"Content-Disposition": f'attachment; filename="{name}"'}
            return said(request, Response(body, media_type=XLSX, headers=headers))

        fixed = [
            inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request),
            inspect.Parameter("choice", inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[Asked, Depends(asked)]),
        ]
        endpoint.__signature__ = inspect.Signature([*fixed, *own])  # type: ignore[attr-defined]
        name = f"{make.__name__}.xlsx"
        router.add_api_route(f"{path}.xlsx", endpoint, name=name, include_in_schema=False, response_class=Response)
        return make

    return register


def written(view: View, title: str, columns: Columns, rows: Sequence[Mapping[str, Any]]) -> bytes:
    """A workbook of one sheet: title, the note of synthetic data, headings, rows; numbers stay numbers."""
    from openpyxl import Workbook
    from openpyxl.styles import Font, PatternFill
    from openpyxl.utils import get_column_letter

    w = view.words
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = w.say(title)[:31]
    sheet["A1"] = w.say(title)
    sheet["A1"].font = Font(bold=True, size=14)
    if view.site.synthetic():
        sheet["A2"] = w.say("本工作区含合成的企业与居民数据，用于演示，不是真实统计；每个含合成数据的数都带此标记。")
    for index, (heading, _) in enumerate(columns, 1):
        cell = sheet.cell(4, index, w.say(heading))
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="E3F1ED")
    widths = [8] * len(columns)
    for number, row in enumerate(rows, 5):
        for index, (_, take) in enumerate(columns, 1):
            value = _plain(view, take(view, row))
            sheet.cell(number, index, value)
            widths[index - 1] = max(widths[index - 1], min(60, 2 + _wide(value)))
    for index, width in enumerate(widths, 1):
        sheet.column_dimensions[get_column_letter(index)].width = width
    sheet.freeze_panes = "B5"
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def _plain(view: View, value: Any) -> Any:
    """What a cell can hold: numbers and days as they are, names in the reader's language, the rest as text."""
    from datetime import date, datetime

    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if value is None or isinstance(value, int | float | date):
        return value
    if isinstance(value, Mapping):
        return view.words.pick(value)
    if isinstance(value, list | tuple | set):
        return ", ".join(str(_plain(view, one)) for one in value)
    text = str(value)
    return "'" + text if text[:1] in "=+-@" else text


def _wide(value: Any) -> int:
    """Columns that a text takes; a Chinese character takes two."""
    return sum(2 if ord(one) > 0x2E80 else 1 for one in str(value or ""))
