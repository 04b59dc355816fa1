"""The marks of figures: what they show, and that no name or address becomes markup."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from markupsafe import Markup, escape

from dualcarbon.app import marks
from dualcarbon.app.asking import Asked
from dualcarbon.app.pages import View

HOSTILE = "<b>x</b>\"'&<script>"


@pytest.fixture(scope="module")
def view(client: TestClient) -> View:
    app: Any = client.app
    return View(app.state.site, Asked(), "en", "/", {})


def test_nothing_that_is_told_becomes_markup(view: View) -> None:
    told = [
        marks.num(view, HOSTILE, {"place": HOSTILE}, label=HOSTILE),
        marks.num(view, "1", {"entity": HOSTILE}, sector=HOSTILE),
        marks.badge(view.words, HOSTILE),
        marks.change(view.words, 1.0, 1, HOSTILE, view, {"item": HOSTILE}, place=HOSTILE),
        escape(marks.num(view, HOSTILE, None)),
        escape(marks.interval(view.words, 1.0, 2.0, HOSTILE)),
    ]
    for one in map(str, told):
        assert "<b>" not in one and "<script" not in one
        assert one.count('"') % 2 == 0 and one.count("<") == one.count(">")


def test_a_number_is_the_link_that_opens_it(view: View) -> None:
    link = marks.num(view, "12.3", {"place": "330400", "process": ""}, period="2024")
    assert link == Markup('<a class="num" href="/explain?place=330400&amp;process=&amp;period=2024">12.3</a>')
    assert marks.num(view, "12.3", None) == "12.3" and marks.num(view, "—", {"place": "330400"}) == "—"


@pytest.mark.parametrize(("value", "kind"), [(1.2, "up"), (-1.2, "down"), (0.04, "")])
def test_a_change_has_the_colour_of_what_is_shown(view: View, value: float, kind: str) -> None:
    assert f'class="{kind}"' in marks.change(view.words, value)
    assert marks.change(view.words, None) == "—"
