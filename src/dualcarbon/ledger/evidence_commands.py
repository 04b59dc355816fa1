"""Command-line verbs of the ledger's evidence: sign, prove, verify, export, and the auditor's verifier."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, say, table

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dualcarbon.ledger.evidence import Ed25519Signer
    from dualcarbon.ledger.store import Store

cli = typer.Typer()

Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help=say("写入文件", "write to a file"))]


def ledger_of(folder: Path | None, *, create: bool = False) -> Store:
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
    from dualcarbon.ledger.install import present

    if not present(engine):
        raise Refused(Problem("ledger.no-ledger"))


def _signer(folder: Path | None) -> Ed25519Signer:
    from dualcarbon.core.workspace import Workspace
    from dualcarbon.ledger.evidence import Ed25519Signer

    return Ed25519Signer.of(Workspace.find(folder).path)


@cli.command(help=say("签署树头：声明账本此刻的长度和根", "sign where the log stands now"))
def sign(out: Out = None, json: Json = False, workspace: WorkspaceDir = None) -> None:
    """A signed tree head; `--out` writes all heads so far, for the auditor to keep."""
    from dualcarbon.ledger import evidence

    store = ledger_of(workspace)
    head = evidence.make_head(store, _signer(workspace))
    if out is not None:
        out.write_text(evidence.head_lines(evidence.heads(store.engine)), encoding="utf-8")
    emit({**evidence.parsed(head["note"]), **head}, json, head["note"].rstrip())


@cli.command(help=say("已签署的树头", "the heads signed so far"))
def heads(out: Out = None, json: Json = False, workspace: WorkspaceDir = None) -> None:
    """Oldest first; `--out` writes them as JSON lines."""
    from dualcarbon.ledger import evidence

    found = evidence.heads(ledger_of(workspace).engine)
    if out is not None:
        out.write_text(evidence.head_lines(found), encoding="utf-8")
    shown = [{**evidence.parsed(one["note"]), **one} for one in found]
    columns = {"size": say("分录数", "entries"), "recorded": say("时间", "at"), "root": say("根", "root")}
    emit({"heads": shown}, json, lambda: table(shown, columns))


@cli.command(help=say("证明一笔分录在账本里", "prove that an entry is in the log"))
def prove(
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help=say("分录编号（id 或序号）", "its id or number"))],
    out: Out = None,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    """The proof is a JSON document that the verifier file checks on its own."""
    from json import dumps

    from dualcarbon.ledger import evidence

    proof = evidence.prove_named(ledger_of(workspace), entry, _signer(workspace))
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
    from dualcarbon.ledger.evidence import fault_words, verified
    from dualcarbon.ledger.verifier import read_heads

    found = verified(ledger_of(workspace).engine, read_heads(heads) if heads else (), key)

    def text() -> None:
        if found["ok"]:
            typer.echo(say(f"{found['entries']:,} 条分录完好。", f"{found['entries']:,} entries are intact."))
            return
        if found["entry"] is not None:
            typer.echo(say(f"第 {found['entry']} 号分录起有改动：", f"altered from entry {found['entry']} on:"))
        for problem in found["problems"]:
            typer.echo(f"- {say(*fault_words(problem).values())}")

    emit(found, json, text)
    if not found["ok"]:
        raise typer.Exit(1)


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
        count = evidence.export(ledger_of(workspace).engine, file)
    emit({"entries": count, "file": str(out)}, json, say(f"已导出 {count:,} 条分录", f"exported {count:,} entries"))
