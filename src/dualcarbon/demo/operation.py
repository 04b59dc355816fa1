"""Why a month of a firm is not its plan: the causes that part its fuels from its electricity.

Sizes and chances by industry stand in `data/behaviours.csv`, the weather in `data/weather.csv`; those here and there
are judgement of what such works do, not measured. A firm draws from a stream of its own, so that neither the order of
the firms nor a change in another one moves its months.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from dualcarbon.demo.seasons import DAYS
from dualcarbon.demo.tables import SEED, SIZE, Array, random, read

PARTS = ("power", "steam", "gas", "coal", "diesel", "feedstock")
#: How much of its state the next month keeps: specific consumption (tuning, leaks, quality of fuels), mix of products.
KEPT, KEPT_MIX = 0.8, 0.6
#: Part of the variance of specific consumption that is kept; the rest is of the month alone (campaigns, part loads).
LASTING = 0.6
#: Yearly trend of specific consumption: mean over firms and spread between carriers of firms.
TREND, TREND_SPREAD = -0.003, 0.02
#: What heat a richer mix of products needs more, electricity needs less.
MIX_OF_POWER = -0.3
#: Works watched by energy managers and meters swing less: sizes (tce) from which they do, and how much is left.
STEADIER = ((9000.0, 0.6), (2500.0, 0.8))
#: Chance by month that a firm starts to make other goods.
NEW_GOODS = 0.015
#: Days of a stop, low and high; what the side that goes on loses of it (lines without boiler, furnace kept warm).
STOP_DAYS, LOST_POWER, LOST_FUEL = (3.0, 9.0), 0.1, 0.3
#: Turbines of firms' own plants: chance of a stop by month, days of it.
TURBINE_STOP, TURBINE_DAYS = 0.06, (5.0, 24.0)
#: A fuel given up for another within the three years: chance, part of it that goes (low, high), energy that the other
#: needs for the same work. Coal goes by policy, gas to electric ovens and heat pumps or to the network's steam.
SWITCHES = {
    ("coal", "gas"): (0.35, 0.6, 1.0, 0.90),
    ("gas", "power"): (0.06, 0.3, 0.8, 0.85),
    ("gas", "steam"): (0.06, 0.3, 0.7, 0.95),
}
#: Firms above this size (tce) do not change a fuel of their furnaces within three years.
TIED = 9000.0
#: Gas meters of firms below 9,000 tce are read some days before the month ends: most days, spread from month to month.
READ_BEFORE, READ_SPREAD = 8.0, 1.0
#: Lots in which stored fuels arrive, in mean months of use; small firms book a lot as burned when it arrives.
LOTS = {"coal": (0.15, 0.35), "diesel": (0.10, 0.30)}


@dataclass(frozen=True)
class Operation:
    """What moves N firms, by month ([N, 36]) unless said.

    `factor` of the use of each of PARTS, 1 on average of the firm's last year; `turbine`: part of the month in which
    the own one runs; `switched`: share of a fuel replaced, by pair of SWITCHES; `read`: days that the gas meter is read
    before the month ends; by stored fuel `lot` (months of use, [N, 1]) and `opening` (part of a lot in store, [N, 1]).
    """

    factor: dict[str, Array]
    turbine: Array
    switched: dict[tuple[str, str], Array]
    read: Array
    lot: dict[str, Array]
    opening: dict[str, Array]


def autoregressive(steps: Array, kept: float) -> Array:
    """A stationary first-order autoregression ([…, 36], variance 1) from independent standard normal `steps`."""
    state = steps.copy()
    for t in range(1, steps.shape[-1]):
        state[..., t] = kept * state[..., t - 1] + np.sqrt(1 - kept**2) * steps[..., t]
    return state


def wandering(normal: Array, kept: float = KEPT) -> Array:
    """A state of variance 1 ([…, 36]) from standard normal numbers ([…, 2, 36]): what lasts, what the month adds."""
    lasting, month = autoregressive(normal[..., 0, :], kept), normal[..., 1, :]
    return np.sqrt(LASTING) * lasting + np.sqrt(1 - LASTING) * month


def operation(firms: pl.DataFrame, seed: int = SEED) -> Operation:
    """Draw what happens in each firm (columns code, behaviour, size, last) in the 36 months."""
    streams = [random(f"operation {code}", seed) for code in firms["code"]]
    normal = np.stack([one.normal(0, 1, (2 * len(PARTS) + 4, SIZE)) for one in streams])
    chance = np.stack([one.random((6, SIZE)) for one in streams])
    once = np.stack([one.random((len(SWITCHES) + 2, 4)) for one in streams])
    table = read("behaviours")
    at = [table["behaviour"].to_list().index(one) for one in firms["behaviour"]]
    column = {name: table[name].to_numpy()[at].astype(float)[:, None] for name in table.columns[1:]}
    size = firms["size"].to_numpy()
    swing = np.select([size >= least for least, _ in STEADIER], [left for _, left in STEADIER], 1.0)[:, None]
    years = (np.arange(SIZE) - (SIZE - 6)) / 12
    drawn, normal = normal[:, :-4].reshape(len(firms), len(PARTS), 2, SIZE), normal[:, -4:]
    mix = autoregressive(normal[:, 0], KEPT_MIX) + np.cumsum(1.5 * normal[:, 1] * (chance[:, 0] < NEW_GOODS), axis=1)
    mix *= column["mix"] * swing
    days = STOP_DAYS[0] + chance[:, 1] * (STOP_DAYS[1] - STOP_DAYS[0])
    furnace, lines = ((days / DAYS) * (chance[:, i] < column["stops"]) for i in (2, 3))
    left_power = (1 - LOST_POWER * furnace) * (1 - lines)
    left_heat = (1 - furnace) * (1 - LOST_FUEL * lines)
    factor = {}
    for i, part in enumerate(PARTS):
        drift = column["drift_" + (part if part in ("power", "steam") else "fuel")] * swing
        trend = (TREND + TREND_SPREAD * swing * normal[:, 2, [i]]) * years
        of_mix = MIX_OF_POWER * mix if part == "power" else mix
        state = np.exp(drift * wandering(drawn[:, i]) + trend + of_mix)
        factor[part] = _level(state * (left_power if part == "power" else left_heat), firms["last"].to_numpy())
    stop = (chance[:, 4] < TURBINE_STOP) * (TURBINE_DAYS[0] + chance[:, 5] * (TURBINE_DAYS[1] - TURBINE_DAYS[0]))
    small = (size < STEADIER[0][0])[:, None]
    before = READ_BEFORE * once[:, -1, [0]] + READ_SPREAD * normal[:, 3]
    return Operation(
        factor=factor,
        turbine=1 - stop / DAYS,
        switched={pair: _switched(once[:, i], size, *SWITCHES[pair][:3]) for i, pair in enumerate(SWITCHES)},
        read=np.where(small, np.clip(before, 0, 12), 0.0),
        lot={
            fuel: np.where(small, low + (high - low) * once[:, -2, [i]], 0.0)
            for i, (fuel, (low, high)) in enumerate(LOTS.items())
        },
        opening={fuel: once[:, -2, [2 + i]] for i, fuel in enumerate(LOTS)},
    )


def _level(state: Array, last: Array) -> Array:
    """`state` with mean 1 over the last twelve months in being: a firm's size is that of its last year."""
    month = np.arange(SIZE)[None, :]
    mine = (month <= last[:, None]) & (month > last[:, None] - 12)
    return state / (np.sum(state * mine, axis=1, keepdims=True) / mine.sum(axis=1, keepdims=True))


def _switched(drawn: Array, size: Array, likely: float, low: float, high: float) -> Array:
    """Share of a fuel replaced by another ([n, 36]): none, then within three months all that is to go."""
    begin = 4 + np.floor(drawn[:, [1]] * (SIZE - 8))
    part = (low + drawn[:, [2]] * (high - low)) * ((drawn[:, [0]] < likely) & (size[:, None] < TIED))
    return part * np.clip((np.arange(SIZE)[None, :] - begin + 1) / 3, 0, 1)


def read_early(used: Array, days: Array) -> Array:
    """Quantities between readings ([n, 36]) `days` before the end of each month: the rest comes with the next bill.

    The first bill begins with as much of the month before as of the first itself.
    """
    late = used * days / DAYS
    before = np.concatenate([late[:, :1], late[:, :-1]], axis=1)
    return used - late + np.where(np.isnan(before), late, before)


def delivered(burned: Array, lot: Array, opening: Array) -> Array:
    """What arrives in whole lots ([n, 36]) to cover `burned` when an `opening` part of a lot was in store.

    `lot` ([n, 1]) is in mean months of use; where it is 0, as burned.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        size = lot * np.nanmean(burned, axis=1, keepdims=True)
        arrived = np.ceil(np.nancumsum(burned, axis=1) / size - opening) * size
        came = np.diff(arrived, axis=1, prepend=0.0)
    return np.where(np.isnan(burned), np.nan, np.where((lot > 0) & (size > 0), came, burned))
