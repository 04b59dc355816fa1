"""The explicit list of what the program offers: command-line verbs and rooms, in the order the help shows them.

How a room registers its verbs: its `commands.py` has ``cli = typer.Typer()``; add one `Entry` here.

- kind ``verb``: the command (or group, added with ``cli.add_typer(group, name=...)``) called `name` in the module's
  `cli` becomes the top-level verb `name`. Two entries with one name join their groups (``template``).
- kind ``room``: the module's whole `cli` becomes ``dualcarbon NAME VERB``.

The module is imported only when its verb is used, so ``dualcarbon --help`` costs nothing however many rooms there are.
`default` names the subcommand meant when the first word is none of the group's: ``import FILE`` means
``import file FILE``.
"""

import functools
import importlib
import importlib.util
from pathlib import Path
from types import ModuleType
from typing import NamedTuple


class Entry(NamedTuple):
    """One verb or room: its name, where its `cli` is, the heading it stands under, and its one-line help."""

    name: str
    module: str
    section: str
    zh: str
    en: str
    kind: str = "verb"
    default: str | None = None


SECTIONS = {
    "start": ("开始", "Start"),
    "data": ("数据", "Data"),
    "account": ("核算", "Accounts"),
    "rules": ("规则", "Rules"),
    "rights": ("权益", "Rights"),
    "plan": ("计划", "Plans"),
    "keep": ("留存", "Keeping"),
}

_CALC = "dualcarbon.app.calc_commands"
_WORKSPACE = "dualcarbon.app.workspace_commands"
_INVENTORY = "dualcarbon.inventory.commands"

ENTRIES: tuple[Entry, ...] = (
    Entry(
        "demo",
        "dualcarbon.app.demo_commands",
        "start",
        "生成演示城市的工作区",
        "build the demonstration city's workspace",
    ),
    Entry("serve", "dualcarbon.app.web", "start", "打开网页（仅本机）", "serve the web pages (this machine only)"),
    Entry(
        "doctor",
        "dualcarbon.app.doctor",
        "start",
        "检查本机还缺什么、怎样获得",
        "say what this machine lacks and how to get it",
    ),
    Entry("template", _WORKSPACE, "data", "下载填报模板（Excel）", "write an Excel template to fill in"),
    Entry("template", _INVENTORY, "data", "下载填报模板（Excel）", "write an Excel template to fill in"),
    Entry(
        "import", _WORKSPACE, "data", "导入文件；list 列出、revert 撤销", "import a file; list, revert", default="file"
    ),
    Entry("items", _CALC, "data", "指标项一览", "the items a row can be about"),
    Entry("places", _CALC, "data", "地区一览（行政口径、管理口径）", "the places (administrative, management)"),
    Entry("account", _INVENTORY, "account", "某地区某时期的碳账户", "the carbon account of a place and period"),
    Entry("calc", _CALC, "account", "用一种方法核算一份数据", "calculate a table with a method"),
    Entry("explain", _CALC, "account", "打开一个数：公式、因子、原始行", "open a number: equation, factors, rows"),
    Entry("run", _WORKSPACE, "account", "核算批次：列出、查看、复核", "runs: list, show, verify"),
    Entry(
        "nowcast",
        "dualcarbon.nowcast.commands",
        "account",
        "碳排放速算：当月估算、原因、形势分析与检验",
        "carbon quick-calc: this month, causes, the year, back-test",
        kind="room",
    ),
    Entry("methods", _CALC, "rules", "方法：列出、查看、校验", "methods: list, show, check"),
    Entry("factors", _CALC, "rules", "因子：查找", "factors: find"),
    Entry(
        "plan",
        "dualcarbon.plan.commands",
        "plan",
        "工作计划：读取、填报、审核、评价",
        "work plans: read, feed, review, assess",
        kind="room",
    ),
    Entry(
        "ledger",
        "dualcarbon.ledger.commands",
        "rights",
        "账本：开户、记账、对账、核验、证明",
        "the ledger: accounts, entries, statements, verification, proofs",
        kind="room",
    ),
    Entry(
        "registry",
        "dualcarbon.registry.commands",
        "rights",
        "登记：权益和证书的签发、转让、核销",
        "the registry: rights and certificates, issued, transferred, retired",
        kind="room",
    ),
    Entry("backup", _WORKSPACE, "keep", "备份工作区为一个文件", "back the workspace up into one file"),
    Entry("restore", _WORKSPACE, "keep", "由备份恢复工作区", "restore a workspace from a backup"),
)


@functools.cache
def room_folders() -> dict[str, Path]:
    """The rooms in the order of the list, each with its folder; nothing is imported."""
    home = Path(__file__).resolve().parent.parent
    names = [entry.module.split(".")[1] for entry in ENTRIES]
    return {name: home / name for name in dict.fromkeys(names) if name != "app"}


@functools.cache
def room_routes() -> dict[str, ModuleType]:
    """The ``routes`` module of every room that has one: ``router`` (its API), ``pages`` and ``nav`` (`core.faces`)."""
    named = {room: f"dualcarbon.{room}.routes" for room in room_folders()}
    return {room: importlib.import_module(name) for room, name in named.items() if importlib.util.find_spec(name)}
