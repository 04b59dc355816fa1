"""Command-line verbs of the ledger; they only translate between files, the ledger and the reader."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, language, progress, say, table
from dualcarbon.ledger import evidence_commands
from dualcarbon.ledger.evidence_commands import ledger_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


cli = typer.Typer(
    help=say("账本：权益的账户与分录，附防篡改证据", "the ledger: accounts and entries of rights, with evidence"),
    no_args_is_help=True,
)

Lines = Annotated[
    typer.FileBinaryRead,
    typer.Argument(metavar="FILE", help=say("JSON 行文件（- 为标准输入）", "JSON lines file (- is standard input)")),
]
Name = Annotated[str, typer.Argument(metavar="ACCOUNT", help=say("账户", "account"))]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="T", help=say("截至此时（ISO 8601；只写日期指当日终）", "as of (a date: its end)")),
]


def _decoded(lines: typer.FileBinaryRead) -> Iterator[Any]:
    """The decoded lines of the file; a line that is not JSON is the text `INVALID`, which no reader accepts."""
    import json

    for number, line in enumerate(lines):
        if number == 0:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line.strip():
            continue
        try:
            yield json.loads(line)
        except (ValueError, RecursionError):
            yield INVALID


INVALID = object()


def _batches(lines: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """Runs of about `size` lines that never end inside a linked group."""
    batch: list[Any] = []
    for line in lines:
        batch.append(line)
        linked = isinstance(line, dict) and line.get("linked") is True
        if len(batch) >= size and not linked:
            yield batch
            batch = []
    if batch:
        yield batch


def _answer(
    file: typer.FileBinaryRead, json: bool, key: str, done: str, work: Callable[[list[Any]], list[str]]
) -> None:
    """Send the file's lines in batches to `work`, print every line's result, and leave with 1 when one was refused."""
    from dualcarbon.ledger import result_texts
    from dualcarbon.ledger.store import BATCH

    results: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    texts = result_texts()
    with progress(json) as bar:
        task = bar.add_task(say("记账", "recording"), total=None)
        for batch in _batches(_decoded(file), BATCH):
            answers = work(batch)
            for line, answer in zip(batch, answers, strict=True):
                result = "invalid_json" if line is INVALID else answer
                counts[result] += 1
                results.append({key: line.get(key) if isinstance(line, dict) else None, "result": result})
            bar.update(task, advance=len(batch))
    refused = sum(count for result, count in counts.items() if texts[result]["refused"] == "yes")

    def text() -> None:
        words = [f"{texts[result][language()]} {count}" for result, count in sorted(counts.items())]
        typer.echo(say("；", "; ").join(words) or say("文件里没有内容", "the file is empty"))
        shown = [
            {"row": number, key: one[key], "result": one["result"], "why": texts[one["result"]][language()]}
            for number, one in enumerate(results, 1)
            if texts[one["result"]]["refused"] == "yes"
        ]
        if shown:
            columns = {
                "row": say("第几条", "row"),
                key: key,
                "result": say("结果", "result"),
                "why": say("原因", "why"),
            }
            table(shown[:50], columns)
        if len(shown) > 50:
            typer.echo(say(f"另有 {len(shown) - 50} 条被拒绝。", f"{len(shown) - 50} more were refused."))

    emit({"results": results, done: counts["ok"], "refused": refused}, json, text)
    if refused:
        raise typer.Exit(1)


@cli.command(name="open", help=say("开户：每行一个账户", "open accounts, one a line"))
def open_(file: Lines, json: Json = False, workspace: WorkspaceDir = None) -> None:
    """Lines `{"account","instrument","owner","overdraft":false,"unit"}`."""
    store = ledger_of(workspace, create=True)
    _answer(file, json, "account", "opened", store.open_accounts)


@cli.command(help=say("记账：每行一笔", "post transfers, one a line"))
def post(file: Lines, json: Json = False, workspace: WorkspaceDir = None) -> None:
    """Lines `{"id","debit","credit","instrument","amount","state","pending_id","linked","reverses","reason","at"}`."""
    store = ledger_of(workspace, create=True)
    _answer(file, json, "id", "posted", store.post)


@cli.command(help=say("账户余额", "the balance of an account"))
def balance(account: Name, at: At = None, json: Json = False, workspace: WorkspaceDir = None) -> None:
    """Now, or from the entries dated up to T."""
    from dualcarbon.ledger import reads
    from dualcarbon.ledger.transfer import instant_asked

    found = reads.balance(ledger_of(workspace).engine, account, instant_asked(at, end_of_day=True))
    unit = found["unit"] or ""
    words = say(
        f"{account}（{found['instrument']}）余额 {found['balance']:,} {unit}，可用 {found['available']:,} {unit}",
        f"{account} ({found['instrument']}): {found['balance']:,} {unit}, available {found['available']:,} {unit}",
    )
    emit(found, json, words)


@cli.command(help=say("账户一览", "the accounts"))
def accounts(
    instrument: Annotated[str | None, typer.Option(help=say("品种", "instrument"))] = None,
    owner: Annotated[str | None, typer.Option(help=say("所有人", "owner"))] = None,
    after: Annotated[str | None, typer.Option(help=say("上一页的 next", "next of the page before"))] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help=say("每页条数", "rows a page"))] = 100,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """With their balances now, by name."""
    from dualcarbon.ledger import reads

    engine = ledger_of(workspace).engine
    found = reads.balances(engine, instrument=instrument, owner=owner, after=after, limit=limit)
    columns = {
        "account": say("账户", "account"),
        "instrument": say("品种", "instrument"),
        "unit": say("单位", "unit"),
        "owner": say("所有人", "owner"),
        "balance": say("余额", "balance"),
        "available": say("可用", "available"),
    }
    emit(found, json, lambda: _page(found["accounts"], columns, found["next"]))


def _page(rows: list[dict[str, Any]], columns: dict[str, str], cursor: Any) -> None:
    table(rows, columns)
    if cursor is not None:
        typer.echo(say(f"下一页：--after {cursor}", f"next page: --after {cursor}"))


@cli.command(help=say("对账单", "the statement of an account"))
def statement(
    account: Name,
    since: Annotated[str | None, typer.Option(help=say("起", "from"))] = None,
    until: Annotated[str | None, typer.Option(help=say("止（含当日）", "up to and including"))] = None,
    after: Annotated[int, typer.Option(help=say("上一页的 next", "next of the page before"))] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help=say("每页条数", "rows a page"))] = 100,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Entries in the order they were recorded, each with the balance after it."""
    from dualcarbon.ledger import reads
    from dualcarbon.ledger.transfer import instant_asked

    bounds = {"since": instant_asked(since), "until": instant_asked(until, end_of_day=True)}
    found = reads.statement(ledger_of(workspace).engine, account, **bounds, after=after, limit=limit)
    columns = {
        "seq": say("号", "number"),
        "at": say("时间", "at"),
        "id": say("编号", "id"),
        "counterparty": say("对方账户", "counterparty"),
        "state": say("状态", "state"),
        "change": say("增减", "change"),
        "balance": say("余额", "balance"),
        "reason": say("理由", "reason"),
    }
    emit(found, json, lambda: _page(found["entries"], columns, found["next"]))


@cli.command(help=say("结账：此前的时期不再记账", "close everything dated before a time"))
def lock(
    until: Annotated[str, typer.Option(help=say("此时之前一律不再记账", "nothing before this any more"))],
    instrument: Annotated[str, typer.Option(help=say("品种（默认全部）", "instrument (default: all)"))] = "",
    reason: Annotated[str | None, typer.Option(help=say("理由", "reason"))] = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """A lock only ever moves forward."""
    from dualcarbon.ledger import result_texts
    from dualcarbon.ledger.transfer import instant_asked

    moment = instant_asked(until)
    assert moment is not None
    result = ledger_of(workspace, create=True).lock(instrument, moment, reason)
    text = result_texts()[result]
    emit({"result": result, "instrument": instrument or None, "until": until}, json, text[language()])
    if text["refused"] == "yes":
        raise typer.Exit(1)


@cli.command(help=say("释放已到期的待定分录", "release pending entries that have expired"))
def expire(
    at: Annotated[str, typer.Option(help=say("以此时为准", "as of this time"))],
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Posts one `expire` entry for each."""
    from dualcarbon.ledger import reads
    from dualcarbon.ledger.transfer import instant_asked

    store, released = ledger_of(workspace), 0
    while due := reads.due(store.engine, moment := instant_asked(at) or 0):
        results = store.post(expiries(due, moment))
        released += results.count("ok")
        if "ok" not in results:
            break
    emit({"released": released}, json, say(f"释放 {released} 笔", f"released {released}"))


def expiries(due: list[str], at: int) -> list[Any]:
    """The transfers that release these pending entries; their ids follow from those of the entries."""
    from hashlib import sha256

    from dualcarbon.ledger.transfer import Transfer

    return [
        Transfer(f"expire-{sha256(one.encode()).hexdigest()[:40]}", state="expire", pending_id=one, at=at)
        for one in due
    ]


@cli.command(help=say("记账结果的名称与含义", "the names of results and what they mean"))
def results(json: Json = False) -> None:
    """Every answer that `open`, `post` and `lock` can give."""
    from dualcarbon.ledger import result_texts

    rows = [
        {"result": one["result"], "refused": one["refused"] == "yes", "meaning": one[language()]}
        for one in result_texts().values()
    ]
    columns = {"result": say("结果", "result"), "refused": say("拒绝", "refused"), "meaning": say("含义", "meaning")}
    emit({"results": rows}, json, lambda: table(rows, columns))


cli.add_typer(evidence_commands.cli)
