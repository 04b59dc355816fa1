"""What parts a firm's fuels from its electricity: causes that keep quantities, draws that depend on the firm alone."""

import numpy as np
import polars as pl
import pytest

from dualcarbon.demo import industry
from dualcarbon.demo.firms import sample
from dualcarbon.demo.operation import PARTS, SWITCHES, delivered, operation, read_early


@pytest.fixture(scope="module")
def firms() -> pl.DataFrame:
    return sample()


def test_a_firm_draws_the_same_whatever_firms_stand_beside_it(firms: pl.DataFrame) -> None:
    order = np.random.default_rng(2).permutation(len(firms))[:100]
    whole, part = operation(firms), operation(firms[order.tolist()])
    for name in PARTS:
        assert np.array_equal(whole.factor[name][order], part.factor[name])
    assert np.array_equal(whole.read[order], part.read)
    assert not np.array_equal(whole.factor["gas"], operation(firms, 7).factor["gas"])


def test_each_carrier_has_its_own_consumption_and_a_size_is_that_of_the_last_year(firms: pl.DataFrame) -> None:
    made = operation(firms)
    always = (firms["last"] == 35).to_numpy()
    for name in PARTS:
        assert np.allclose(made.factor[name][always, 24:].mean(axis=1), 1)
        assert made.factor[name].min() > 0.3 and made.factor[name].max() < 2.5
    power, gas = (np.log(made.factor[name]) for name in ("power", "gas"))
    alike = [np.corrcoef(a, b)[0, 1] for a, b in zip(power, gas, strict=True)]
    assert abs(np.median(alike)) < 0.25


def test_some_smaller_firms_give_up_a_fuel_and_large_ones_do_not(firms: pl.DataFrame) -> None:
    made = operation(firms)
    large = (firms["size"] >= 9000).to_numpy()
    for pair in SWITCHES:
        left = made.switched[pair]
        assert 0.02 < (left[:, -1] > 0).mean() < 0.4
        assert (np.diff(left, axis=1) >= 0).all() and (left[:, 3] == 0).all() and not left[large].any()
    used = industry.use(firms)
    coal = np.nan_to_num(used.fuels["bituminous_coal"]).reshape(len(firms), 3, 12).sum(axis=2)
    assert ((coal[:, 0] > 0) & (coal[:, 2] < 0.5 * coal[:, 0])).sum() >= 3
    assert (used.own_power > 0).any(axis=1).sum() == firms["captive"].sum()


def test_a_bill_and_a_lot_come_later_but_nothing_is_lost() -> None:
    rng = np.random.default_rng(1)
    used = rng.uniform(50, 100, (40, 36))
    used[3, :12] = np.nan
    days = rng.uniform(0, 8, (40, 36))
    billed = read_early(used, days)
    assert np.isnan(billed[3, :12]).all() and (billed[:, 13:] > 0).all()
    assert np.abs(np.nansum(billed - used, axis=1) / np.nanmean(used, axis=1)).max() < 0.5
    lot, opening = np.full((40, 1), 0.4), rng.uniform(0, 1, (40, 1))
    lot[7] = 0
    came = delivered(used, lot, opening)
    store = np.nancumsum(came - used, axis=1) + opening * lot * np.nanmean(used, axis=1, keepdims=True)
    assert np.array_equal(came[7], used[7]) and np.isnan(came[3, :12]).all()
    assert store.min() > -1e-6 and (store[lot[:, 0] > 0] / np.nanmean(used)).max() < 0.5


def test_gas_and_electricity_of_firms_part_but_keep_the_festival(firms: pl.DataFrame) -> None:
    used = industry.use(firms)
    gas, power = used.fuels["natural_gas"], used.electricity
    with np.errstate(all="ignore"):
        growth = [np.log(one[:, 12:] / one[:, :-12]) for one in (gas, power)]
    alike = np.array(
        [np.corrcoef(a, b)[0, 1] for a, b in zip(*growth, strict=True) if np.isfinite(a).all() and a.std() > 0]
    )
    assert len(alike) > 150 and 0.4 <= np.median(alike) <= 0.85 and np.quantile(alike, 0.05) < 0.35
