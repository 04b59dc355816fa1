"""What the sampled firms use, and what stands for the firms that are not in the sample.

A firm's size (tce, 当量) is split over its carriers by the mix of its line and over months by its behaviour; each part
goes its own way from there (`operation`) and is turned into natural units. Firms outside the sample are **an explicit
row of their own** for each place and sector, the sum of (weight − 1) × quantity over the sampled firms there: a firm's
rows stay the firm's own figures, and any sum over the data set is the city's figure without weighting anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.demo import firms as firm_list
from dualcarbon.demo.operation import SWITCHES, Operation, delivered, operation, read_early
from dualcarbon.demo.seasons import activity, profile
from dualcarbon.demo.tables import SEED, SIZE, Array, carrier, observations, random, read, shares_of_year, thousandths

#: Heat and power plants of firms' own: heat to power (GJ to GJ), overall efficiency.
CAPTIVE_RATIO, CAPTIVE_EFFICIENCY = 5.0, 0.83
FUELS = ("natural_gas", "bituminous_coal", "diesel")
_SHARE = {"natural_gas": "gas", "bituminous_coal": "coal", "diesel": "diesel"}
#: Carbonates melted by glass makers, t per tce of natural gas of the three years; months follow what is melted.
CARBONATES_OF_GLASS = {"soda_ash": 1.02, "limestone": 0.28, "dolomite": 0.86}
#: t of clinker a year, and the firm that makes it: the largest in building materials that burns coal.
CLINKER = 250_000.0


@dataclass(frozen=True)
class Use:
    """Quantities of N units by month ([N, 36], natural units; NaN while a unit is not in being)."""

    purchased: Array  # electricity, MWh
    pv: Array  # own photovoltaic power used, MWh
    own_power: Array  # power of the own heat and power plant used, MWh
    steam: Array  # heat bought from a network, GJ
    own_steam: Array  # heat of the own plant used, GJ
    plant_coal: Array  # coal into the own plant, t
    fuels: dict[str, Array]  # burned in own furnaces and vehicles
    feedstock: dict[str, Array]  # not burned
    output: Array  # what is made, in tce of the size: before anything moves specific consumption

    @property
    def electricity(self) -> Array:
        return thousandths(self.purchased + self.pv + self.own_power)


def use(firms: pl.DataFrame, seed: int = SEED) -> Use:
    """Quantities of the sampled firms, rounded to three decimals."""
    rng = random("use", seed)
    lines = read("lines")
    at = [lines["line"].to_list().index(one) for one in firms["line"]]
    parts = ("power", "steam", "gas", "coal", "diesel", "feedstock")
    mix = np.stack([lines[part].to_numpy()[at] for part in parts], axis=1).astype(float)
    mix *= 1 + 0.10 * np.clip(rng.normal(0, 1, mix.shape), -2, 2)
    for part, likely in ((1, 0.2), (2, 0.5), (4, 0.3)):
        mix[:, part] *= rng.random(len(firms)) < likely + 0.04 * mix[:, part]
    mix /= mix.sum(axis=1, keepdims=True)
    shape = {name: shares_of_year(one) for name, one in activity(firms["behaviour"].to_list(), rng).items()}
    size = np.repeat(firms["size"].to_numpy()[:, None] * firm_list.growth(firms, seed), 12, axis=1)
    size = size * firm_list.being(firms)
    happens = operation(firms, seed)
    ways = {part: shape.get(part, shape["fuel"]) * happens.factor[part] for part in parts}
    tce = _switched({part: size * mix[:, [i]] * ways[part] for i, part in enumerate(parts)}, happens)
    power = tce["power"] / carrier("electricity")["tce"]
    heat = tce["steam"] / carrier("heat")["tce"]
    captive = firms["captive"].to_numpy()[:, None]
    made = np.minimum(heat / CAPTIVE_RATIO / 3.6, 0.85 * power) * happens.turbine
    own_power = np.where(captive, made, 0 * power)
    coal = np.where(captive, (heat + 3.6 * own_power) / CAPTIVE_EFFICIENCY / carrier("bituminous_coal")["gj"], 0 * heat)
    counted = power * carrier("electricity")["tce"] + heat * carrier("heat")["tce"]
    real = (power - own_power) * carrier("electricity")["tce"] + coal * carrier("bituminous_coal")["tce"]
    scale = np.where(captive, np.nansum(counted, axis=1, keepdims=True) / np.nansum(real, axis=1, keepdims=True), 1.0)
    power, heat, own_power, coal = (one * scale for one in (power, heat, own_power, coal))
    pv = np.minimum(_photovoltaic(firms, power, rng), 0.5 * (power - own_power))
    return Use(
        purchased=thousandths(power - own_power - thousandths(pv)),
        pv=thousandths(pv),
        own_power=thousandths(own_power),
        steam=thousandths(np.where(captive, 0 * heat, heat)),
        own_steam=thousandths(np.where(captive, heat, 0 * heat)),
        plant_coal=thousandths(coal),
        fuels={
            fuel: thousandths(_booked(fuel, tce[_SHARE[fuel]], happens) / carrier(fuel)["tce"]) for fuel in FUELS
        },
        feedstock={"methanol": thousandths(tce["feedstock"] / carrier("methanol")["tce"])},
        output=size * shape["output"],
    )  # fmt: skip


def _switched(tce: dict[str, Array], happens: Operation) -> dict[str, Array]:
    """`tce` by part after firms have replaced one fuel by another, which needs less or as much for the same work."""
    made = dict(tce)
    for (old, new), share in happens.switched.items():
        gone = made[old] * share
        made[old], made[new] = made[old] - gone, made[new] + gone * SWITCHES[old, new][3]
    return made


def _booked(fuel: str, burned: Array, happens: Operation) -> Array:
    """What returns call the month's use of a fuel: gas between readings, stored fuel in small firms as delivered."""
    if fuel == "natural_gas":
        return read_early(burned, happens.read)
    part = _SHARE[fuel]
    return delivered(burned, happens.lot[part], happens.opening[part])


def _photovoltaic(firms: pl.DataFrame, power: Array, rng: np.random.Generator) -> Array:
    """Own photovoltaic power used ([n, 36], MWh): some firms have a roof from the start, some build one on the way."""
    n = len(firms)
    has = rng.random(n) < np.where(firms["size"].to_numpy() > 5000, 0.6, 0.35)
    start = np.where(rng.random(n) < 0.6, 0, rng.integers(3, SIZE - 4, n))
    size = firms["size"].to_numpy()
    cover = rng.uniform(0.03, 0.12, n) * np.select([size > 80000, size < 2500], [0.25, 1.8], 1.0)
    mean = np.nanmean(power, axis=1, keepdims=True) * cover[:, None]
    ramp = np.clip((np.arange(SIZE)[None, :] - start[:, None] + 1) / 3, 0, 1)
    return np.where(has[:, None], mean * 12 * shares_of_year(profile("solar"))[None, :] * ramp, 0.0) + 0 * power


def unsampled(firms: pl.DataFrame, of: Use) -> tuple[pl.DataFrame, Use]:
    """The firms outside the sample by place and sector: the groups (place, sector) and their quantities."""
    extra = firms["weight"].to_numpy() - 1
    groups = _groups(firms, extra)

    def expand(values: Array) -> Array:
        return thousandths(_gathered(firms, groups, values, extra))

    return groups, Use(
        purchased=expand(of.purchased),
        pv=expand(of.pv),
        own_power=expand(of.own_power),
        steam=expand(of.steam),
        own_steam=expand(of.own_steam),
        plant_coal=expand(of.plant_coal),
        fuels={fuel: expand(one) for fuel, one in of.fuels.items()},
        feedstock={fuel: expand(one) for fuel, one in of.feedstock.items()},
        output=expand(of.output),
    )


def _groups(firms: pl.DataFrame, weight: Array) -> pl.DataFrame:
    """Places and sectors in which some firm has a weight above 0, in order."""
    return firms.filter(pl.Series(weight > 0)).select("place", "sector").unique().sort("place", "sector")


def _gathered(firms: pl.DataFrame, groups: pl.DataFrame, values: Array, weight: Array) -> Array:
    """Σ weight × value of the firms of each group, added in the order of the firms: the same everywhere."""
    at = {key: i for i, key in enumerate(groups.iter_rows())}
    total = np.zeros((len(groups), SIZE))
    for i, key in enumerate(firms.select("place", "sector").iter_rows()):
        if weight[i] > 0:
            total[at[key]] += weight[i] * np.nan_to_num(values[i])
    return total


def below_scale(firms: pl.DataFrame, of: Use, seed: int = SEED) -> tuple[pl.DataFrame, Array]:
    """Firms too small for the returns, by place and sector: the groups and their electricity (MWh)."""
    rng = random("below", seed)
    lines = read("lines")
    part = dict(zip(lines["line"], lines["below_scale"], strict=True))
    weight = firms["weight"].to_numpy() * [part[line] for line in firms["line"]]
    small = np.where(firms["size"].to_numpy() < 20000, weight, 0.0)
    groups = _groups(firms, small)
    wander = np.exp(rng.normal(0, 0.02, (len(groups), SIZE)))
    return groups, thousandths(_gathered(firms, groups, of.electricity, small) * wander)


def rows(who: dict[str, Any], of: Use, steam_used: Array | None = None) -> list[pl.DataFrame]:
    """Observation rows of `of`; `who` holds entity, place, sector. Heat bought is written by the networks.

    `steam_used` is what the networks' rows say was bought; it replaces `of.steam` in the consumption of heat.
    """

    def row(values: Array, **columns: str) -> pl.DataFrame:
        return observations(values, **who, **columns)

    heat = thousandths((of.steam if steam_used is None else steam_used) + of.own_steam)
    own = bool(np.nansum(of.plant_coal))
    frames = [
        row(of.purchased, item="energy.purchased", carrier="electricity"),
        row(of.pv, item="energy.self_generated", carrier="electricity", process="pv"),
        row(of.electricity, item="energy.consumption", carrier="electricity"),
        row(heat, item="energy.consumption", carrier="heat"),
    ]
    for fuel, burned in of.fuels.items():
        plant = of.plant_coal if fuel == "bituminous_coal" else np.zeros_like(burned)
        frames.append(row(thousandths(burned + plant), item="energy.consumption", carrier=fuel))
        if not (own and fuel == "bituminous_coal"):
            frames.append(row(burned, item="energy.combustion", carrier=fuel))
    for fuel, used in of.feedstock.items():
        frames += [row(used, item=item, carrier=fuel) for item in ("energy.consumption", "energy.feedstock")]
    if own:
        frames += _captive(row, of)
    return frames


def small_rows(who: dict[str, Any], power: Array) -> list[pl.DataFrame]:
    """Rows of firms below scale: electricity bought (their fuels are not estimated)."""
    return [
        observations(power, item=item, carrier="electricity", **who)
        for item in ("energy.purchased", "energy.consumption")
    ]


def _captive(row: Callable[..., pl.DataFrame], of: Use) -> list[pl.DataFrame]:
    """Own heat and power plants: coal for power apart (by energy of the outputs), heat used inside the firm."""
    output = of.own_steam + 3.6 * of.own_power
    for_power = thousandths(of.plant_coal * 3.6 * of.own_power / np.where(output > 0, output, 1.0))
    for_heat = thousandths(of.plant_coal - for_power)
    coal = {"carrier": "bituminous_coal"}
    return [
        row(thousandths(of.fuels["bituminous_coal"] + for_heat), item="energy.combustion", **coal),
        row(for_power, item="energy.combustion", process="power", **coal),
        row(for_power, item="energy.transformation_input", process="power", **coal),
        row(for_heat, item="energy.transformation_input", process="heat", **coal),
        row(of.own_power, item="energy.transformation_output", process="power", carrier="electricity"),
        row(of.own_steam, item="energy.transformation_output", process="heat", carrier="heat"),
        row(of.own_power, item="energy.generation", process="coal", carrier="electricity"),
        row(of.own_power, item="energy.self_generated", process="captive", carrier="electricity"),
    ]


def carbonates(firms: pl.DataFrame, of: Use) -> list[pl.DataFrame]:
    """Carbonates of the glass makers, and the one small clinker kiln with the coal it burns."""
    frames = []
    glass = firms.with_row_index().filter(pl.col("line") == "glass")
    who: dict[str, Any] = {
        "entity": glass["code"].to_list(),
        "place": glass["place"].to_list(),
        "sector": glass["sector"].to_list(),
    }
    at = glass["index"].to_numpy()
    gas, output = of.fuels["natural_gas"][at] * carrier("natural_gas")["tce"], of.output[at]
    melted = output * gas.sum(axis=1, keepdims=True) / output.sum(axis=1, keepdims=True)
    for name, per_tce in CARBONATES_OF_GLASS.items():
        frames.append(
            observations(thousandths(melted * per_tce), item="material.carbonate", carrier=name, unit="t", **who)
        )
    kiln = kiln_of(firms, of)
    made = thousandths(CLINKER * shares_of_year(of.output[kiln : kiln + 1]))
    place, sector, entity = firms.row(kiln, named=True)["place"], "C30", firms["code"][kiln]
    frames.append(
        observations(
            made, item="material.clinker", carrier="clinker", unit="t", entity=[entity], place=[place], sector=[sector]
        )
    )
    return frames


def kiln_of(firms: pl.DataFrame, of: Use) -> int:
    """Index of the firm with the kiln: of those in building materials in being all the time, the one with most coal."""
    coal = of.fuels["bituminous_coal"].sum(axis=1)
    able = (firms["line"] == "minerals").to_numpy() & ~np.isnan(coal)
    return int(np.argmax(np.where(able, coal, -1.0)))
