"""Verbs on the workspace: import, run, backup, restore, and the template of observations."""

import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dualcarbon.core.console import Json, WorkspaceDir, emit, language, progress, say, table
from dualcarbon.core.pack import DEFAULT

if TYPE_CHECKING:
    from dualcarbon.core.workspace import Workspace

#: Official forms by name: where the function stands that reads one.
TEMPLATES = {"energy-return": "dualcarbon.inventory.energy_return:read"}

#: Figures counted twice that are written out; --json has them all.
DOUBLED = 10

cli = typer.Typer()
imports = typer.Typer(help=say("导入文件；list 列出、revert 撤销", "import a file; list, revert"))
run = typer.Typer(help=say("核算批次：列出、查看、复核", "runs: list, show, verify"))
template = typer.Typer(help=say("下载填报模板（Excel）", "write an Excel template to fill in"))
cli.add_typer(imports, name="import")
cli.add_typer(run, name="run")
cli.add_typer(template, name="template")


def _workspace(folder: Path | None) -> "Workspace":
    from dualcarbon.core.workspace import Workspace

    return Workspace.find(folder)


def _reader(name: str | None) -> Callable[..., Any] | None:
    """The function that reads the form called `name`. Raises typer.BadParameter when there is none."""
    if name is None or name == "observations":
        return None
    if name not in TEMPLATES:
        raise typer.BadParameter(", ".join(("observations", *TEMPLATES)), param_hint="--template")
    module, _, function = TEMPLATES[name].partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


@contextmanager
def _patience(text: str, json: bool) -> Iterator[None]:
    """A moving bar on stderr once the work has taken two seconds."""
    bar = progress(json)
    bar.add_task(text, total=None)
    timer = threading.Timer(2, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        bar.stop()


@imports.command("file", help=say("导入一个文件：全部导入，或全部不导入", "import a file: all of it or nothing"))
def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=say("CSV、Excel 或 Parquet", "CSV, Excel or Parquet"))],
    template: Annotated[
        str | None,
        typer.Option("--template", metavar="NAME", help=say("填报模板的名称", "the form it is filled in on")),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", metavar="ID", help=say("归入的数据集", "the dataset it belongs to"))
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("只检查，不导入", "check only"))] = False,
    revise: Annotated[
        str | None,
        typer.Option(
            "--revise", metavar="REASON", help=say("更正已有数据的原因", "why figures that stand are corrected")
        ),
    ] = None,
    known_at: Annotated[
        str | None,
        typer.Option(
            "--known-at", metavar="DATE", help=say("发布日期（文件未注明时）", "day of publication, if not stated")
        ),
    ] = None,
    role: Annotated[
        str | None,
        typer.Option(
            "--role", metavar="account|control", help=say("数据集的作用：核算或控制数", "what the dataset is for")
        ),
    ] = None,
    status: Annotated[
        str | None,
        typer.Option("--status", metavar="STATUS", help=say("数据集的依据状态", "status of the dataset's evidence")),
    ] = None,
    pack: Annotated[
        str,
        typer.Option(
            "--pack",
            metavar="PACK",
            help=say("新建工作区所用规则包（名称或文件夹）", "rule pack of a workspace that is made (name or folder)"),
        ),
    ] = DEFAULT,
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    from dualcarbon.core.problems import Problem, Refused
    from dualcarbon.core.tables import ROLES, STATUSES
    from dualcarbon.core.workspace import NoWorkspace, Workspace

    for name, word, words in (("--role", role, ROLES), ("--status", status, STATUSES)):
        if word is not None and word not in words:
            raise typer.BadParameter(" | ".join(words), param_hint=name)
    if revise is not None and not revise.strip():
        raise typer.BadParameter(say("请写明原因", "give the reason"), param_hint="--revise")
    _day(known_at)
    if not file.is_file():
        raise Refused(Problem("core.no-file", file=file.name, value=str(file)))
    reader = _reader(template)
    with _patience(say(f"导入 {file.name}", f"importing {file.name}"), json):
        try:
            place = Workspace.find(workspace) if dry_run else Workspace.find_or_create(workspace, pack)
            answer = place.import_file(
                file, dataset=dataset, template=reader, dry_run=dry_run, revise=revise, known_at=known_at, role=role,
                status=status,
            )  # fmt: skip
        except NoWorkspace:
            answer = _read_only(file, dataset, reader)
    emit(answer, json, "\n".join((_told(answer), *_doubled(answer))))


def _day(text: str | None) -> None:
    from dualcarbon.core import periods

    try:
        periods.parse(text or "2000")
    except periods.BadPeriod as error:
        raise typer.BadParameter(str(text), param_hint="--known-at") from error


def _read_only(file: Path, dataset: str | None, reader: Callable[..., Any] | None) -> dict[str, Any]:
    """What a check without any workspace finds. Raises Refused."""
    from dualcarbon.core.problems import Refused
    from dualcarbon.core.reading import read_observations

    reading = read_observations(file, dataset=dataset, template=reader)
    if reading.problems:
        raise Refused(reading.problems)
    datasets = reading.frame["dataset"].unique().sort().to_list()
    since = int(reading.frame["cumulative"].fill_null(False).sum())
    counts = {"rows": reading.frame.height, "unchanged": 0, "superseded": 0, "cumulative": since}
    where = {"id": None, "file": file.name, "already": False}
    return {**where, **counts, "datasets": datasets, "version": None, "dry_run": True, "doubled": []}


def _told(answer: dict[str, Any]) -> str:
    name, rows = answer["file"], answer["rows"]
    if answer["already"]:
        return say(
            f"{name} 的数据已在工作区中，未作改动。", f"the workspace holds the rows of {name} already; nothing changed"
        )
    datasets = ", ".join(answer["datasets"])
    if answer["dry_run"]:
        return say(f"{name} 检查通过：可导入 {rows} 行（{datasets}）。", f"{name} is fine: {rows} rows ({datasets})")
    text = say(
        f"已导入 {rows} 行（数据集 {datasets}，编号 {answer['id']}）",
        f"imported {rows} rows ({datasets}), {answer['id']}",
    )
    if answer["cumulative"]:
        text += say(
            f"，其中 {answer['cumulative']} 行读作1月起的累计数", f"; {answer['cumulative']} read as since January"
        )
    if answer["unchanged"]:
        text += say(f"，另有 {answer['unchanged']} 行未变", f"; {answer['unchanged']} stood already")
    if answer["superseded"]:
        text += say(f"，更正 {answer['superseded']} 行", f"; {answer['superseded']} corrected")
    return text + say("。", "")


def _doubled(answer: dict[str, Any]) -> list[str]:
    """What accounts count twice since the import, a line each."""
    lang, rest = language(), len(answer["doubled"]) - DOUBLED
    if not answer["doubled"]:
        return []
    lines = [say("注意：以下数会被重复计入核算", "Mind: accounts count these figures twice")]
    for one in answer["doubled"][:DOUBLED]:
        row = "" if one["row"] is None else say(f"第 {one['row']} 行：", f"row {one['row']}: ")
        lines.append(f"- {row}{one['message'][lang]} {one['remedy'][lang]}")
    return lines + ([say(f"- 另有 {rest} 处（--json 列出）", f"- {rest} more (see --json)")] if rest > 0 else [])


@imports.command("list", help=say("列出所有导入", "list the imports"))
def import_list(json: Json = False, workspace: WorkspaceDir = None) -> None:
    found = _workspace(workspace).imports()
    columns = {
        "id": say("编号", "id"),
        "imported_at": say("导入时间", "imported"),
        "file": say("文件", "file"),
        "datasets": say("数据集", "dataset"),
        "rows": say("行数", "rows"),
        "superseded": say("更正", "corrected"),
        "reason": say("原因", "reason"),
        "reverted_at": say("撤销时间", "reverted"),
    }
    shown = [
        {**one, "imported_at": one["imported_at"][:19], "datasets": ", ".join(one["datasets"])}
        | {"reverted_at": (one["reverted_at"] or "")[:19], "reason": one["reason"] or one["revert_reason"]}
        for one in found
    ]
    emit(found, json, lambda: table(shown, columns))


@imports.command("revert", help=say("撤销一次导入（数据留在旧版本中）", "take an import back (older versions keep it)"))
def import_revert(
    id: Annotated[str, typer.Argument(metavar="ID", help=say("编号（可只写开头）", "its id, or the beginning of it"))],
    reason: Annotated[str, typer.Option("--reason", metavar="REASON", help=say("原因", "why"))],
    json: Json = False,
    workspace: WorkspaceDir = None,
) -> None:
    done = _workspace(workspace).revert(id, reason)
    emit(done, json, say(f"已撤销 {done['file'] or done['id']}（{done['rows']} 行）。", f"reverted {done['id']}"))


@run.command("list", help=say("列出保留的核算批次", "list the kept runs"))
def run_list(json: Json = False, workspace: WorkspaceDir = None) -> None:
    found = _workspace(workspace).runs()
    shown = [{**one, "method": _name(one.get("method")), "pack": _name(one.get("pack"))} for one in found]
    columns = {
        "id": say("编号", "id"),
        "created_at": say("时间", "made"),
        "method": say("方法", "method"),
        "pack": say("规则包", "pack"),
        "family": say("因子系列", "family"),
        "known_at": say("已知截至", "known at"),
    }
    emit(found, json, lambda: table(shown, columns))


def _name(told: Any) -> Any:
    return told.get("id") if isinstance(told, dict) else told


@run.command("show", help=say("查看一个核算批次", "show a run's manifest"))
def run_show(id: str, json: Json = False, workspace: WorkspaceDir = None) -> None:
    emit(_kept(_workspace(workspace), id), json)


def _kept(workspace: "Workspace", id: str) -> dict[str, Any]:
    """The manifest of a run. Raises Refused."""
    found = workspace.run(id)
    if found is None:
        from dualcarbon.core.problems import Problem, Refused

        raise Refused(Problem("core.no-run", value=id))
    return found


@run.command("verify", help=say("按原数据版本与规则重算，逐项比对", "calculate a run again and compare"))
def run_verify(id: str, json: Json = False, workspace: WorkspaceDir = None) -> None:
    from dualcarbon.engine import runs

    place = _workspace(workspace)
    _kept(place, id)
    with _patience(say(f"复核 {id}", f"verifying {id}"), json):
        if id.startswith("nowcast-"):
            from dualcarbon.nowcast import present

            answer = present.verify(id, place)
        else:
            answer = runs.verify(id, place)
    same = answer["same"]
    emit(answer, json, say("一致。", "the same") if same else say("不一致。", "it differs"))
    if not same:
        raise typer.Exit(1)


@cli.command(help=say("备份工作区为一个文件", "back the workspace up into one file"))
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip")], json: Json = False, workspace: WorkspaceDir = None
) -> None:
    with _patience(say("备份", "backing up"), json):
        manifest = _workspace(workspace).backup(file)
    answer = {"file": str(file), **manifest, "bytes": file.stat().st_size}
    text = say(f"已备份 {len(manifest['files'])} 个文件到 {file}。", f"{len(manifest['files'])} files in {file}")
    emit(answer, json, text)


@cli.command(help=say("由备份恢复工作区（逐文件校验）", "restore a workspace from a backup, every file verified"))
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE.zip")], json: Json = False, workspace: WorkspaceDir = None
) -> None:
    from dualcarbon.core.workspace import Workspace

    folder = workspace or Path("workspace")
    with _patience(say("恢复", "restoring"), json):
        place = Workspace.restore(file, folder)
    answer = {"workspace": str(place.path), "id": place.id, "version": place.version()}
    emit(answer, json, say(f"已恢复到 {place.path}。", f"restored into {place.path}"))


@template.command("observations", help=say("通用观测数据模板", "observations of any kind"))
def template_observations(
    file: Annotated[Path, typer.Argument(metavar="FILE.xlsx")], json: Json = False, workspace: WorkspaceDir = None
) -> None:
    from dualcarbon.app.observation_template import write
    from dualcarbon.core.workspace import NoWorkspace

    try:
        pack = _workspace(workspace).pack
    except NoWorkspace:
        pack = DEFAULT
    write(file, pack, language())
    emit({"file": str(file), "template": "observations"}, json, say(f"已写入 {file}。", f"written to {file}"))
