"""The festival, January–February reported as one, and degree days."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import calendar_terms, city, months
from tests.nowcast.test_run import DATASET, rows


def test_the_festival_moves_between_january_and_february() -> None:
    assert calendar_terms.festival(2023) == date(2023, 1, 21) and calendar_terms.festival(2024) == date(2024, 2, 10)
    assert calendar_terms.festival(2035) is None
    spans = [date(2024, 1, 1), date(2024, 2, 1), date(2024, 6, 1), date(2035, 2, 1)]
    made, names = calendar_terms.terms(spans)
    assert names == ["festival"] and made[0, 0] < -0.3 and made[1, 0] > 0.3 and made[2, 0] == made[3, 0] == 0
    given = {date(2023, 1, 1): 300.0, date(2024, 1, 1): 400.0}
    made, names = calendar_terms.terms(spans, {"heating": given})
    assert names == ["festival", "heating"] and made[0, 1] == pytest.approx(0.1) and made[1, 1] == 0


def test_a_festival_that_moved_is_expected_before_electricity_is_known() -> None:
    """Works rest around the festival: the month a year ago misleads, the calendar does not."""
    rng = np.random.default_rng(3)
    span = [date(2019 + t // 12, t % 12 + 1, 1) for t in range(62)]
    rest = np.array([calendar_terms.festival_share(m.year, m.month) for m in span])
    level = rng.lognormal(3, 0.5, (40, 1))
    power = level * np.exp(-0.6 * rest + rng.normal(0, 0.01, (40, 62)))
    direct = power * rng.lognormal(0, 0.01, (40, 62))
    t = 61
    assert span[t] == date(2024, 2, 1)
    seen, known = direct.copy(), power.copy()
    seen[:, t:] = known[:, t:] = np.nan
    zero = np.zeros(40, int)
    with_terms = months.estimate(seen, known, t, zero, zero, calendar_terms.terms(span)[0])
    without = months.estimate(seen, known, t, zero, zero)
    truth = direct[:, t]
    assert abs(with_terms.value.sum() / truth.sum() - 1) < 0.05 < abs(without.value.sum() / truth.sum() - 1)


def test_january_and_february_as_one_are_parted_by_electricity(tmp_path: Path) -> None:
    energy = rows().filter(pl.col("start") < date(2024, 6, 1))
    gas = pl.col("carrier") == "natural_gas"
    early = gas & (pl.col("start").dt.year() == 2024) & (pl.col("start").dt.month() <= 2)
    keys = ["place", "sector", "carrier", "item", "unit"]
    joint = energy.filter(early).group_by(keys).agg(
        pl.col("start").min(), pl.col("end").max(), pl.col("value").sum(), pl.col("known_at").max()
    )  # fmt: skip
    made = Workspace.create(tmp_path / "joint")
    frame = pl.concat([energy.filter(~early), joint], how="diagonal")
    made.import_frame(frame, source={"file": "generator"}, dataset=DATASET)
    whole = Workspace.create(tmp_path / "whole")
    whole.import_frame(energy, source={"file": "generator"}, dataset=DATASET)
    day = date(2024, 8, 1)
    one, other = (city.read(place, as_of=day, until=date(2024, 5, 1)) for place in (made, whole))
    t = one.months.index(date(2024, 1, 1))
    assert one.direct[:, t : t + 2].sum() == pytest.approx(other.direct[:, t : t + 2].sum())
    assert np.isfinite(one.direct).all()
    np.testing.assert_allclose(one.direct[:, t : t + 2], other.direct[:, t : t + 2], rtol=0.06)


def test_degree_days_of_a_workspace_are_read(tmp_path: Path) -> None:
    energy = rows()
    weather = pl.DataFrame({
        "place": ["330400"] * 4, "item": ["weather.cooling_degree_days"] * 4, "unit": ["degree_day"] * 4,
        "start": [date(2023, 7, 1), date(2023, 8, 1), date(2024, 7, 1), date(2024, 8, 1)],
        "end": [date(2023, 8, 1), date(2023, 9, 1), date(2024, 8, 1), date(2024, 9, 1)],
        "value": [200.0, 180.0, 260.0, 150.0], "known_at": [date(2024, 9, 1)] * 4,
    })  # fmt: skip
    made = Workspace.create(tmp_path / "weather")
    frame = pl.concat([energy, weather], how="diagonal")
    made.import_frame(frame, source={"file": "generator"}, dataset=DATASET)
    seen = city.read(made, as_of=date(2024, 11, 15))
    assert seen.terms.shape == (len(seen.months), 2)
    assert seen.terms[seen.months.index(date(2024, 7, 1)), 1] == pytest.approx(0.06)
