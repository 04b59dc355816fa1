"""Command-line verbs of the ledger; they only translate between files, the ledger and the reader."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, language, progress, say, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Engine

    from dualcarbon.ledger.evidence import Ed25519Signer
    from dualcarbon.ledger.store import Store

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
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help=say("写入文件", "write to a file"))]


def _store(folder: Path | None, *, create: bool = False) -> Store:
    """The ledger of the workspace; with `create` both are made where missing, otherwise its absence is refused."""
    from dualcarbon.core.workspace import Workspace
    from dualcarbon.ledger.store import Store

    place = Workspace.find_or_create(folder) if create else Workspace.find(folder)
    store = Store(place.database)
    if create:
        store.install()
    else:
        _present(store.engine)
    return store


def _present(engine: Engine) -> None:
    from dualcarbon.core.problems import Problem, Refused
    from dualcarbon.ledger.reads import standing

    if standing(engine) is None:
        raise Refused(Problem("ledger.no-ledger"))


def _instant(text: str | None, *, end_of_day: bool = False) -> int | None:
    from dualcarbon.core.problems import Problem, Refused
    from dualcarbon.ledger.transfer import instant

    if text is None:
        return None
    try:
        return instant(text, end_of_day=end_of_day)
    except (ValueError, OverflowError):
        raise Refused(Problem("ledger.time-not-understood", value=text)) from None


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
    store = _store(workspace, create=True)
    _answer(file, json, "account", "opened", store.open_accounts)


@cli.command(help=say("记账：每行一笔", "post transfers, one a line"))
def post(file: Lines, json: Json = False, workspace: WorkspaceDir = None) -> None:
    """Lines `{"id","debit","credit","instrument","amount","state","pending_id","linked","reverses","reason","at"}`."""
    store = _store(workspace, create=True)
    _answer(file, json, "id", "posted", store.post)


@cli.command(help=say("账户余额", "the balance of an account"))
def balance(account: Name, at: At = None, json: Json = False, workspace: WorkspaceDir = None) -> None:
    """Now, or from the entries dated up to T."""
    from dualcarbon.ledger import reads

    found = reads.balance(_store(workspace).engine, account, _instant(at, end_of_day=True))
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

    engine = _store(workspace).engine
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

    bounds = {"since": _instant(since), "until": _instant(until, end_of_day=True)}
    found = reads.statement(_store(workspace).engine, account, **bounds, after=after, limit=limit)
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

    moment = _instant(until)
    assert moment is not None
    result = _store(workspace, create=True).lock(instrument, moment, reason)
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

    store, released = _store(workspace), 0
    while due := reads.due(store.engine, moment := _instant(at) or 0):
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


def _signer(store: Store, folder: Path | None) -> Ed25519Signer:
    import os

    from dualcarbon.core.workspace import Workspace
    from dualcarbon.ledger.evidence import Ed25519Signer

    named = os.environ.get("DUALCARBON_LEDGER_KEY")
    return Ed25519Signer.kept_in(Path(named) if named else Workspace.find(folder).path / "ledger.key")


@cli.command(help=say("签署树头：声明账本此刻的长度和根", "sign where the log stands now"))
def sign(out: Out = None, json: Json = False, workspace: WorkspaceDir = None) -> None:
    """A signed tree head; `--out` writes all heads so far, for the auditor to keep."""
    from dualcarbon.ledger import evidence

    store = _store(workspace)
    head = evidence.make_head(store, _signer(store, workspace))
    if out is not None:
        _write_heads(evidence.heads(store.engine), out)
    emit({**evidence.parsed(head["note"]), **head}, json, head["note"].rstrip())


@cli.command(help=say("已签署的树头", "the heads signed so far"))
def heads(out: Out = None, json: Json = False, workspace: WorkspaceDir = None) -> None:
    """Oldest first; `--out` writes them as JSON lines."""
    from dualcarbon.ledger import evidence

    found = evidence.heads(_store(workspace).engine)
    if out is not None:
        _write_heads(found, out)
    shown = [{**evidence.parsed(one["note"]), **one} for one in found]
    columns = {"size": say("分录数", "entries"), "recorded": say("时间", "at"), "root": say("根", "root")}
    emit({"heads": shown}, json, lambda: table(shown, columns))


def _write_heads(found: list[dict[str, str]], out: Path) -> None:
    import json

    out.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found), encoding="utf-8")


@cli.command(help=say("证明一笔分录在账本里", "prove that an entry is in the log"))
def prove(
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help=say("分录编号（id 或序号）", "its id or number"))],
    out: Out = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """The proof is a JSON document that the verifier file checks on its own."""
    from json import dumps

    from dualcarbon.core.problems import Refused
    from dualcarbon.ledger import evidence

    store = _store(workspace)
    signer = _signer(store, workspace)
    try:
        proof = evidence.prove(store, entry, signer)
    except Refused:
        if not entry.isdecimal():
            raise
        proof = evidence.prove(store, int(entry), signer)
    if out is not None:
        out.write_text(dumps(proof, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    emit(proof, json, None if out is None else say(f"证明已写入 {out}", f"the proof is in {out}"))


@cli.command(help=say("核验账本是否被改动", "check that nothing was altered"))
def verify(
    heads: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help=say("自己留存的树头文件", "your own copy of signed heads")),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help=say("信任的公钥（十六进制）", "the public key you trust (hex)"))
    ] = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Runs the auditor's verifier; exit 1 with the first bad entry's number if anything was altered."""
    from dualcarbon.ledger.verifier import check_ledger, read_heads

    url = _store(workspace).engine.url
    source = str(url.database)
    if url.get_backend_name() != "sqlite":
        source = url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)
    found = check_ledger(source, read_heads(heads) if heads else (), key)

    def text() -> None:
        if found["ok"]:
            typer.echo(say(f"{found['entries']:,} 条分录完好。", f"{found['entries']:,} entries are intact."))
            return
        if found["entry"] is not None:
            typer.echo(
                say(f"第 {found['entry']} 号分录起有改动：", f"altered from entry {found['entry']} on:"), err=True
            )
        for problem in found["problems"]:
            typer.echo(f"- {_fault(problem)}", err=True)

    emit(found, json, text)
    if not found["ok"]:
        raise typer.Exit(1)


FAULTS = {
    "entry": "分录",
    "account": "账户",
    "lock": "结账",
    "head": "树头",
    "ledger": "账本",
    "altered": "被改动",
    "missing": "缺失",
    "unknown account": "账户不存在",
    "wrong instrument": "品种不符",
    "impossible amount": "数量不可能",
    "wrong balance": "余额不连续",
    "wrong totals": "累计与分录不符",
    "ended or reversed twice": "重复了结或重复冲销",
    "has a false signature": "签名不实",
    "is signed by another key": "不是所信任的密钥签署",
    "of another ledger": "属于另一账本",
    "has other accounts": "所载账户不同",
    "has other locks": "所载结账不同",
}


def _fault(problem: dict[str, Any]) -> str:
    """One finding of the verifier in the reader's language."""
    what, why = problem["what"], problem["problem"]
    name = problem.get("account", problem.get("number", ""))
    return say(f"{FAULTS.get(what, what)} {name}：{FAULTS.get(why, why)}", f"{what} {name}: {why}")


@cli.command(help=say("取出审计方的核验程序（单个文件）", "write the auditor's verifier, a single file"))
def verifier(
    out: Annotated[Path, typer.Argument(metavar="FILE", help=say("目标文件（.py）", "target file (.py)"))],
    json: Json = False,
) -> None:
    """It needs Python alone, and shares no code with the program that writes the ledger."""
    from shutil import copyfile

    copyfile(Path(__file__).with_name("verifier.py"), out)
    emit({"file": str(out)}, json, say(f"核验程序已写入 {out}", f"the verifier is in {out}"))


@cli.command(help=say("导出整个账本（JSON 行），核验程序可直接检查", "export the ledger for the verifier"))
def export(
    out: Annotated[Path, typer.Argument(metavar="FILE", help=say("目标文件（.jsonl）", "target file (.jsonl)"))],
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """Ledger, accounts, locks, entries and heads, one JSON line each."""
    from dualcarbon.ledger import evidence

    with out.open("w", encoding="utf-8") as file:
        count = evidence.export(_store(workspace).engine, file)
    emit({"entries": count, "file": str(out)}, json, say(f"已导出 {count:,} 条分录", f"exported {count:,} entries"))


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
