"""The demonstration city, whose truth is known: the replay of 24 months, and the festival before any electricity."""

from pathlib import Path

import numpy as np
import pytest

from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import city, months, record


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> city.City:
    from dualcarbon.demo.assembly import build

    folder: Path = tmp_path_factory.mktemp("demo") / "city"
    build(folder)
    return city.read(Workspace.open(folder))


def test_the_replay_of_24_months_beats_the_last_value_in_two_thirds_of_the_cells(seen: city.City) -> None:
    asked = list(range(12, 36))
    made = record.replayed(seen, asked, 1, 0).cells()
    scored = record.scored(seen.direct[:, asked], made)
    assert 0.65 <= scored["better_than_last"] <= 0.9 and 0.85 <= scored["coverage90"] <= 0.95
    assert scored["error_percent"] < 0.8 * scored["last_value_error_percent"]
    domains = np.array([cell[2] for cell in seen.cells])
    live = np.isfinite(made["inside"]) & (seen.direct[:, asked] > 0)
    held = {one: made["inside"][domains == one][live[domains == one]].mean() for one in set(domains)}
    assert len(held) == 6 and all(0.85 <= share <= 0.97 for share in held.values()), held
    better = []
    for key in {cell[:2] for cell in seen.cells}:
        mine = np.array([cell[:2] == key for cell in seen.cells])
        truth = seen.direct[mine][:, asked].sum(0)
        if np.isfinite(truth).all() and truth.sum() > 0:
            errors = {name: np.abs(made[name][mine].sum(0) - truth).sum() for name in ("selected", "last_value")}
            better.append(errors["selected"] < errors["last_value"])
    assert len(better) > 300 and np.mean(better) >= 0.65


def test_fuels_and_electricity_of_the_cells_go_together_as_loosely_as_in_life(seen: city.City) -> None:
    alike = []
    for key in sorted({cell[:2] for cell in seen.cells}):
        mine = np.array([cell[:2] == key for cell in seen.cells])
        with np.errstate(all="ignore"):
            growth = [np.log(part[mine].sum(0)[12:] / part[mine].sum(0)[:-12]) for part in (seen.direct, seen.power)]
        if np.isfinite(growth).all():
            alike.append(np.corrcoef(*growth)[0, 1])
    assert len(alike) > 250 and 0.4 <= np.median(alike) <= 0.75
    assert np.quantile(alike, 0.25) < 0.3 and np.quantile(alike, 0.75) < 0.9


def test_it_still_beats_the_last_value_when_fuels_come_two_months_late(seen: city.City) -> None:
    asked = list(range(12, 36))
    made = record.replayed(seen, asked, 2, 0).cells()
    scored = record.scored(seen.direct[:, asked], made)
    assert scored["better_than_last"] >= 0.65 and 0.85 <= scored["coverage90"] <= 0.97


def test_the_festival_is_expected_before_any_electricity(seen: city.City) -> None:
    for t, most in ((24, 0.85), (25, 0.7)):  # one festival before has taught how far it moves a month
        direct, power = seen.direct.copy(), seen.power.copy()
        direct[:, t:] = power[:, t:] = np.nan
        made = months.estimate(direct, power, t, seen.places, seen.sectors, seen.terms)
        truth = seen.direct[:, t]
        assert np.abs(made.value - truth).sum() < most * np.abs(seen.direct[:, t - 12] - truth).sum()
