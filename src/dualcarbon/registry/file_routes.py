"""Files of the registry over HTTP: files of acts and of other markets taken in, lists and papers given out."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, File, Query, Request, UploadFile
from fastapi.responses import Response

from dualcarbon.core.uploads import received
from dualcarbon.registry import exports, files, mirroring, papers, prices
from dualcarbon.registry.asked import DryRun, Name, Text, registry_of
from dualcarbon.registry.words import listed, refuse

if TYPE_CHECKING:
    from dualcarbon.core.report import Report

router = APIRouter()

MOST_BYTES = 16 * 2**20
MEDIA = {
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".csv": "text/csv; charset=utf-8",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pdf": "application/pdf",
}
Upload = Annotated[UploadFile, File(description="CSV or Excel (.xlsx)")]


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


@router.post("/files/certificates", summary="导入证书文件 · import a file of certificates")
def import_certificates(request: Request, file: Upload, dry_run: DryRun = False) -> dict[str, Any]:
    """Each lot has its own id in the file: sent twice it counts once."""
    return acts_of(request, file, "certificates", dry_run)


@router.post("/files/transfers", summary="导入分配文件 · import a file of allocations")
def import_transfers(request: Request, file: Upload, dry_run: DryRun = False) -> dict[str, Any]:
    """Each row has its own id in the file: sent twice it counts once."""
    return acts_of(request, file, "transfers", dry_run)


@router.post("/files/retirements", summary="导入核销文件 · import a file of uses")
def import_retirements(request: Request, file: Upload, dry_run: DryRun = False) -> dict[str, Any]:
    """Each row has its own id in the file: sent twice it counts once."""
    return acts_of(request, file, "retirements", dry_run)


def acts_of(request: Request, file: UploadFile, kind: str | None, dry_run: bool) -> dict[str, Any]:
    """Do the acts of an uploaded file, or only try them. Raises Refused with every problem."""
    registry = registry_of(request, install=True)
    return {"lots": _uploaded(file, lambda path: files.import_file(registry, path, kind=kind, dry_run=dry_run))}


@router.post("/files/trades", summary="镜像别处市场的成交文件 · mirror a file of another market's trades")
def import_trades(request: Request, file: Upload, market: Name, dry_run: DryRun = False) -> dict[str, Any]:
    """Each trade has its own number in the file: sent twice it counts once."""
    registry = registry_of(request, install=True)
    found: dict[str, Any] = _uploaded(
        file, lambda path: mirroring.import_trades(registry, path, market, dry_run=dry_run)
    )
    return found


def _uploaded(file: UploadFile, read: Callable[[Path], Any]) -> Any:
    with received(file.file, file.filename, MOST_BYTES) as path:
        return read(path)


def _kind(kind: str, known: tuple[str, ...]) -> str:
    if f".{kind}" not in known:
        raise refuse("file-kind", "file", kind, known=listed(known))
    return f".{kind}"


@router.get("/files/certificates.{kind}", summary="证书清单 · the certificates as xlsx or csv")
def certificates_file(
    request: Request, kind: str, instrument: Text = None, holder: Text = None, state: Text = None
) -> Response:
    suffix = _kind(kind, (".xlsx", ".csv"))
    rows = exports.certificate_rows(registry_of(request), code=instrument, holder=holder, state=state)
    return _file("证书", suffix, lambda path: exports.write_rows(rows, path, ("批次", "品种", "编号")))


@router.get("/files/trades.{kind}", summary="成交清单 · the trades as xlsx or csv")
def trades_file(
    request: Request, kind: str, instrument: Text = None, vintage: Text = None, state: Text = None
) -> Response:
    suffix = _kind(kind, (".xlsx", ".csv"))
    rows = exports.trade_rows(registry_of(request), code=instrument, vintage=vintage, state=state)
    return _file("成交", suffix, lambda path: exports.write_rows(rows, path, tuple(mirroring.TRADES.values())))


@router.get("/files/prices.{kind}", summary="按月价格 · prices by month as xlsx or csv")
def prices_file(
    request: Request, kind: str, instrument: Text = None, vintage: Text = None, market: Text = None
) -> Response:
    suffix = _kind(kind, (".xlsx", ".csv"))
    found = prices.series(registry_of(request).engine, code=instrument, vintage=vintage, market=market)
    rows = exports.price_rows(found, request.app.state.site.pack)
    return _file("价格", suffix, lambda path: exports.write_rows(rows, path, exports.PRICES))


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
        return _file(f"对账单-{holder}", suffix, lambda path: exports.write_rows(rows, path, papers.MOVEMENT))
    return _paper(f"对账单-{holder}", suffix, papers.statement_report(found, lang))
