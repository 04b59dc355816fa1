"""The ``dualcarbon`` program: finds verbs in `rooms.ENTRIES`, imports a room only when its verb is used.

Exit codes: 0 done, 1 the data was refused, 2 wrong usage. ``--json`` on a verb prints one JSON document on stdout.
The language (Chinese, or English with ``--lang en`` or ``DUALCARBON_LANG=en``) is settled before anything is imported,
because help texts are chosen when modules load.
"""

import gettext
import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from typer.core import TyperGroup

# The words Typer asks of gettext; there is no catalogue for its domain.
WORDS = {
    "Options": "选项",
    "Arguments": "参数",
    "Commands": "命令",
    "[default: {}]": "[默认：{}]",
    "[required]": "[必填]",
    "[env var: {}]": "[环境变量：{}]",
    "(dynamic)": "（自动）",
    "Missing command.": "缺少命令。",
    "No such command {name!r}.": "没有这个命令：{name}",
}


def settle_language(arguments: Sequence[str]) -> list[str]:
    """`arguments` without ``--lang X``, which may stand anywhere before ``--`` and sets `DUALCARBON_LANG`.

    Raises ValueError when X is neither zh nor en.
    """
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            return [*rest, word, *words]
        if word == "--lang" or word.startswith("--lang="):
            asked = word.removeprefix("--lang=") if "=" in word else next(words, "")
            if asked not in ("zh", "en"):
                raise ValueError(asked)
            os.environ["DUALCARBON_LANG"] = asked
        else:
            rest.append(word)
    return rest


def in_chinese(command: Any) -> Any:
    """`command` and its subcommands with Chinese usage lines."""
    command.options_metavar = "[选项]"
    usage = command.get_usage
    command.get_usage = lambda context: usage(context).replace("Usage:", "用法：", 1)
    option = command.get_help_option
    command.get_help_option = lambda context: _chinese_help_option(option(context))
    if hasattr(command, "commands"):
        command.subcommand_metavar = "命令 [参数]…"
        for subcommand in command.commands.values():
            in_chinese(subcommand)
    return command


def _chinese_help_option(option: Any) -> Any:
    if option is not None:
        option.help = "显示本说明并退出。"
    return option


def told(error: Any) -> str:
    """A usage error in the reader's language."""
    from dualcarbon.core.console import language

    kind, param = type(error).__name__, getattr(error, "param", None)
    if language() == "en":
        return str(error.format_message())
    name = param.get_error_hint() if param is not None else (getattr(error, "param_hint", None) or "")
    if kind == "MissingParameter":
        return f"缺少{'选项' if param is None or param.param_type_name == 'option' else '参数'} {name}"
    if kind == "NoSuchOption":
        near = f"（是否想用 {'、'.join(sorted(error.possibilities))}）" if error.possibilities else ""
        return f"没有选项 {error.option_name}{near}"
    if kind == "BadParameter":
        return f"{name} 的取值无效：{error.message}" if name else str(error.message)
    return str(error.format_message())


def load(name: str) -> Any:
    """The command called `name`, imported now, or None when there is no such verb.

    Raises ModuleNotFoundError when the module that should hold it (or a library it needs) is not installed.
    """
    from typer.main import get_group

    from dualcarbon.app.rooms import ENTRIES
    from dualcarbon.core.console import language

    found: Any = None
    for entry in ENTRIES:
        if entry.name != name:
            continue
        group: Any = get_group(importlib.import_module(entry.module).cli)
        command = group if entry.kind == "room" else group.commands.get(name)
        if command is None:
            continue
        if found is None:
            found = command
        else:
            found.commands.update(command.commands)
        if entry.default:
            found.default_verb = entry.default
            found.parse_args = lambda context, args, group=found: _parse_with_default(group, context, args)
    return found if found is None or language() == "en" else in_chinese(found)


def _parse_with_default(group: Any, context: Any, args: list[str]) -> list[str]:
    """Parse a group's arguments, putting its default subcommand first when none is named."""
    if args and args[0] not in group.commands and args[0] not in ("--help", "-h"):
        args = [group.default_verb, *args]
    return type(group).parse_args(group, context, args)


def build() -> "TyperGroup":
    """The root command; its verbs are loaded when asked for."""
    import typer
    from typer.core import TyperGroup
    from typer.main import get_command

    from dualcarbon import __version__
    from dualcarbon.app.rooms import ENTRIES, SECTIONS
    from dualcarbon.core.console import language, say

    class Root(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return list(dict.fromkeys(entry.name for entry in ENTRIES))

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            return load(cmd_name)

        def format_help(self, ctx: Any, formatter: Any) -> None:
            lines = [
                say(
                    "dualcarbon：城市双碳数智平台，每个数都能打开。",
                    "dualcarbon: a city's dual-carbon platform; every number opens.",
                ),
                "",
                say("用法：dualcarbon [--lang zh|en] 命令 …", "usage: dualcarbon [--lang zh|en] COMMAND …"),
            ]
            names = self.list_commands(ctx)
            indent = max(len(name) for name in [*names, "--lang zh|en"]) + 2
            for section, titles in SECTIONS.items():
                lines += ["", titles[language() == "en"]]
                told = {e.name: (e.en if language() == "en" else e.zh) for e in ENTRIES if e.section == section}
                lines += [f"  {name:<{indent}}{text}" for name, text in told.items()]
            options = {
                "--lang zh|en": say("界面语言（或环境变量 DUALCARBON_LANG）", "language (or DUALCARBON_LANG)"),
                "--version": say("显示版本", "show the version"),
                "--help": say("显示本说明；命令后加 --help 看该命令", "show this; add it to a command for its own"),
            }
            lines += ["", say("选项", "Options"), *(f"  {name:<{indent}}{text}" for name, text in options.items())]
            formatter.write("\n".join(lines) + "\n")

    root = typer.Typer(cls=Root, add_completion=False, no_args_is_help=True)

    @root.callback()
    def options(
        version: bool = typer.Option(False, "--version", is_eager=True),
    ) -> None:
        if version:
            typer.echo(__version__)
            raise typer.Exit()

    command = get_command(root)
    assert isinstance(command, TyperGroup)
    return command


def _complain(error: Any) -> NoReturn:
    """Print a usage error (or the help of a group called without a verb) on stderr and leave."""
    from dualcarbon.core.console import say

    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(str(error.format_message()))
        sys.exit(2)
    sys.stderr.write(say("错误：", "error: ") + told(error) + "\n")
    context = getattr(error, "ctx", None)
    if context is not None:
        path = context.command_path
        sys.stderr.write(say(f"用 {path} --help 查看说明。\n", f"see {path} --help\n"))
    sys.exit(getattr(error, "exit_code", 2))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program with `arguments` (default: those of the process) and leave with its exit code."""
    try:
        arguments = settle_language(sys.argv[1:] if arguments is None else arguments)
    except ValueError as error:
        sys.stderr.write(f"--lang zh|en: {error}\n")
        sys.exit(2)
    if not os.environ.get("DUALCARBON_LANG", "").lower().startswith("en"):
        setattr(gettext, "gettext", lambda message: WORDS.get(message, message))  # noqa: B010
    from typer.exceptions import Abort, TyperException

    from dualcarbon.core.console import refusal, say

    try:
        code = build().main(args=arguments, prog_name="dualcarbon", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except TyperException as error:
        _complain(error)
    except Abort:
        sys.stderr.write(say("已中止。\n", "aborted\n"))
        sys.exit(130)
    except ModuleNotFoundError as error:
        sys.stderr.write(
            say(f"缺少模块 {error.name}：请先运行 make setup\n", f"module {error.name} is missing: run make setup\n")
        )
        sys.exit(2)
    except Exception as error:
        from dualcarbon.core.pack import PackError
        from dualcarbon.core.problems import Problem, Refused

        if isinstance(error, PackError):
            error = Refused([Problem("core.bad-pack", value=fault) for fault in error.errors])
        if not isinstance(error, Refused):
            raise
        refusal(error.problems, "--json" in arguments)
        sys.exit(1)


if __name__ == "__main__":
    main()
