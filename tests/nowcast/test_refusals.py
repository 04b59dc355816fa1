"""Questions of the quick-calc that mean nothing are refused by name."""

from datetime import date

import pytest

from dualcarbon import nowcast
from dualcarbon.core.problems import Refused
from tests.nowcast.test_run import place  # noqa: F401


@pytest.mark.parametrize(
    ("ask", "rule"),
    [
        (lambda w: nowcast.run(w, tree="foo", record=0), "nowcast.unknown-tree"),
        (lambda w: nowcast.explain(w, period="2024-03", against="2023"), "nowcast.unlike-periods"),
        (lambda w: nowcast.news(w, before=date(2024, 6, 2), after=date(2024, 6, 1)), "nowcast.days-turned"),
    ],
)
def test_questions_that_mean_nothing_are_refused(place, ask, rule: str) -> None:  # noqa: F811
    with pytest.raises(Refused) as refused:
        ask(place)
    assert refused.value.problems[0].rule == rule
