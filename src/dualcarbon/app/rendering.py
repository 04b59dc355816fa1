"""The templates of the shell and of every room, in one language, with what they may call."""

import functools
import importlib
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader
from jinja2.runtime import Context
from markupsafe import Markup

from dualcarbon.app import marks, mathml
from dualcarbon.app.rooms import room_folders, room_routes
from dualcarbon.app.wording import words

HERE = Path(__file__).parent


class Calls(Context):
    """Calls functions as they are: none here asks to be given the context, for which Jinja looks at each call."""

    def call(self, called: Any, /, *args: Any, _loop_vars: Any = None, _block_vars: Any = None, **named: Any) -> Any:
        """What the function gives."""
        return called(*args, **named)


@functools.cache
def environment(lang: str) -> Environment:
    """The templates in one language."""
    said_in = words(lang)
    folders: dict[str, BaseLoader] = {
        room: FileSystemLoader(folder / "templates") for room, folder in room_folders().items()
    }
    made = Environment(
        loader=ChoiceLoader([FileSystemLoader(HERE / "templates"), PrefixLoader(folders)]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.context_class = Calls
    rooms = {name: importlib.import_module(f"dualcarbon.app.{name}") for name in ("accounts", "explaining", "figures")}
    made.globals.update(
        **rooms,
        w=said_in,
        marks=marks.of(said_in),
        _=said_in.say,
        menu=menu,
        equation=lambda *a, **k: Markup(mathml.equation(*a, **k)),
        symbol=lambda name: Markup(f"<math>{mathml.symbol(name)}</math>"),
    )
    made.filters.update(pick=said_in.pick, unit=said_in.unit, period=said_in.period, day=said_in.day)
    return made


@functools.cache
def menu(city: str) -> list[tuple[str, str]]:
    """Addresses and Chinese titles of the main navigation; the rooms' entries stand between accounts and rules."""
    rooms = [tuple(entry) for routes in room_routes().values() for entry in getattr(routes, "nav", ())]
    rules = [("/methods", "方法"), ("/factors", "因子"), ("/imports", "数据"), ("/runs", "核算批次")]
    return [("/", "总览"), (f"/account/{city}", "排放"), *rooms, *rules]
