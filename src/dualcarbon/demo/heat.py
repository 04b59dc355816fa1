"""Heat networks: plants that burn coal for heat and power, the pairs of supplier and user, the loss on the way.

Every user of a network is a row, because an operator's settlement list is complete: sampled firms stand under their own
name, the heat of firms outside the sample is carried by heat users that are part of the unsampled rest (their
electricity and fuels are in the row of the rest of their place and sector). So heat supplied = purchases + loss to the
last thousandth of a GJ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dualcarbon.demo import firms as firm_list
from dualcarbon.demo.industry import Use
from dualcarbon.demo.operation import TURBINE_DAYS, TURBINE_STOP, autoregressive
from dualcarbon.demo.seasons import DAYS, profile
from dualcarbon.demo.tables import SEED, SIZE, Array, carrier, observations, random, read, shares_of_year, thousandths

#: Heat users outside the sample, and the bounds of users per network.
USERS = 1050
FEWEST, MOST = 34, 114
#: Dried sludge (GJ/t); auxiliary power per MWh generated; limestone per t of coal (desulphurisation).
SLUDGE_GJ, AUXILIARY, LIMESTONE = 8.4, 0.13, 0.017
#: Plants from month to month: heat-to-power ratio, boiler efficiency, heat in a tonne of coal (lots differ), and how
#: much of it the next month keeps; turbines of a plant, of which one stops at a time.
RATIO_SPREAD, BOILER_SPREAD, COAL_SPREAD, KEPT, TURBINES = 0.04, 0.012, 0.02, 0.7, 2
#: Part of a network's users across the county line, where it has any.
ACROSS = 0.25
#: A hotel's or hospital's heat in a year (GJ), low and high.
SERVICE_USER = (2500.0, 14000.0)
SERVICES = (("H61", "大酒店"), ("Q84", "医院"), ("H61", "宾馆"))


@dataclass(frozen=True)
class Networks:
    """Plants (`networks` table), users and the pairs between them; arrays are [n, 36], GJ."""

    plants: pl.DataFrame  # code, name, place, …
    users: pl.DataFrame  # entity, name, place, sector, supplier (index), kind
    bought: Array  # by user
    loss: Array  # by plant
    supplied: Array  # by plant

    def used_by(self, who: pl.DataFrame) -> Array:
        """Heat that users outside the sample buy, by place and sector of the rows of `who` (columns place, sector)."""
        outside = self.users.with_row_index().filter(pl.col("kind") == "heat-user")
        at = {key: i for i, key in enumerate(who.select("place", "sector").iter_rows())}
        total = np.zeros((len(who), SIZE))
        for index, place, sector in outside.select("index", "place", "sector").iter_rows():
            if (place, sector) in at:
                total[at[place, sector]] += self.bought[index]
        return thousandths(total)


def networks(firms: pl.DataFrame, of: Use, rest: pl.DataFrame, rest_use: Use, seed: int = SEED) -> Networks:
    """Users of every network: sampled firms with steam, users for the steam of the rest, hotels and hospitals."""
    rng = random("heat", seed)
    plants = read("networks")
    names = iter(firm_list.brands(seed)[1000:])
    county = dict(zip(read("leaves")["place"], read("leaves")["county"], strict=True))
    prefix = dict(zip(read("leaves")["place"], read("leaves")["prefix"], strict=True))
    words = {row["sector"]: row["words"].split("|") for row in reversed(read("lines").to_dicts())}
    plants = plants.with_columns(
        pl.Series("name", [f"{prefix[place]}{next(names)}热电有限公司" for place in plants["place"]]),
        ("SYN-" + pl.col("code")).alias("entity"),
    )
    users: list[dict] = []
    bought: list[Array] = []
    annual = np.nansum(of.steam, axis=1)
    for i in np.flatnonzero(annual > 0):
        row = firms.row(int(i), named=True)
        known = {name: row[name] for name in ("name", "place", "sector")}
        users.append({**known, "entity": row["code"], "kind": "enterprise"})
        bought.append(of.steam[i])
    volume = rest_use.steam.sum(axis=1)
    count = np.maximum(np.round(USERS * volume**0.7 / (volume**0.7).sum()), 1).astype(int)
    for (place, sector), total, n in zip(rest.iter_rows(), rest_use.steam, count, strict=True):
        if not total.sum():
            continue
        part = np.sort(rng.lognormal(0, 0.7, n))[::-1]
        wander = (part / part.sum())[:, None] * np.exp(rng.normal(0, 0.03, (n, SIZE)))
        for j, own in enumerate(thousandths(total * wander / wander.sum(axis=0))):
            name = f"{prefix[place]}{next(names)}{words[sector][j % len(words[sector])]}厂"
            users.append({"name": name, "place": place, "sector": sector, "kind": "heat-user"})
            bought.append(own)
    for supplier, place in enumerate(plants["place"]):
        for sector, word in SERVICES:
            yearly = rng.uniform(*SERVICE_USER)
            service = {"name": f"{prefix[place]}{next(names)}{word}", "place": place, "sector": sector}
            users.append({**service, "kind": "heat-user", "supplier": supplier})
            bought.append(thousandths(yearly * shares_of_year(profile("home_gas"))))
    table = _assigned(users, np.nan_to_num(np.array(bought)), plants, county)
    amounts = np.array(bought)
    supplied_to = np.zeros((len(plants), SIZE))
    np.add.at(supplied_to, table["supplier"].to_numpy(), np.nan_to_num(amounts))
    summer = 1 + 0.25 * np.isin(np.arange(SIZE) % 12, (5, 6, 7, 8)) - 0.1 * np.isin(np.arange(SIZE) % 12, (0, 1, 11))
    wander = np.exp(rng.normal(0, 0.03, (len(plants), SIZE)))
    rate = np.clip(plants["loss"].to_numpy()[:, None] * summer * wander, 0.05, 0.145)
    purchases = thousandths(supplied_to)
    loss = thousandths(purchases * rate / (1 - rate))
    return Networks(plants, table, amounts, loss, thousandths(purchases + loss))


def _assigned(users: list[dict], bought: Array, plants: pl.DataFrame, county: dict[str, str]) -> pl.DataFrame:
    """Each user with the network that serves it: in its county, the one with most room left for its size.

    A network that crosses the county line takes a part of its users from the place named in `crosses`.
    """
    rows = plants.to_dicts()
    annual = bought.sum(axis=1) / 3
    load, number, across = (np.zeros(len(rows)) for _ in range(3))
    home = [[at for at, row in enumerate(rows) if county[row["place"]] == county[user["place"]]] for user in users]
    service = [at for at, user in enumerate(users) if "supplier" in user]
    chosen = {at: users[at]["supplier"] for at in service}
    for at in service:
        load[users[at]["supplier"]] += annual[at]
        number[users[at]["supplier"]] += 1
    capacity = np.array([1e6 * row["capacity"] for row in rows])
    for at in sorted((at for at in range(len(users)) if at not in chosen), key=lambda at: (-annual[at], at)):
        able = [one for one in home[at] if number[one] < MOST] or home[at]
        small = annual[at] < 40000
        guests = [
            one
            for one, row in enumerate(rows)
            if row["crosses"] == users[at]["place"] and small and across[one] < ACROSS * max(number[one], 20)
        ]
        able += [one for one in guests if number[one] < MOST]
        few = [one for one in able if number[one] < FEWEST] if small else []
        best = min(few or able, key=lambda one: ((load[one] + annual[at]) / capacity[one], one))
        chosen[at] = best
        load[best] += annual[at]
        number[best] += 1
        across[best] += best in guests
    numbers = iter(range(1, len(users) + 1))
    found = [
        {**user, "entity": user.get("entity") or f"SYN-H{next(numbers):04d}", "supplier": chosen[at]}
        for at, user in enumerate(users)
    ]
    texts = dict.fromkeys(("entity", "name", "place", "sector", "kind"), pl.String)
    return pl.DataFrame(found, schema={**texts, "supplier": pl.Int64})


def rows(of: Networks, seed: int = SEED) -> list[pl.DataFrame]:
    """Rows of users (purchases) and of plants: heat out, loss, coal by process, power, sludge, limestone.

    Coal is divided between heat and power by the energy of the outputs (按供热量与发电量的热量比); sludge replaces coal
    and is biogenic.
    """
    suppliers, places = of.plants["entity"].to_list(), of.plants["place"].to_list()
    streams = [random(f"plant {code}", seed) for code in suppliers]
    state = autoregressive(np.stack([one.normal(0, 1, (3, SIZE)) for one in streams]), KEPT)
    chance = np.stack([one.random((2, SIZE)) for one in streams])
    at = of.users["supplier"].to_list()
    buyers: dict[str, Any] = {
        "entity": of.users["entity"].to_list(),
        "place": of.users["place"].to_list(),
        "sector": of.users["sector"].to_list(),
        "counterparty": [suppliers[one] for one in at],
        "counterparty_place": [places[one] for one in at],
    }
    who: dict[str, Any] = {"entity": suppliers, "place": places, "sector": "D44"}
    ratio = of.plants["heat_to_power"].to_numpy()[:, None] * np.exp(RATIO_SPREAD * state[:, 0])
    days = TURBINE_DAYS[0] + chance[:, 1] * (TURBINE_DAYS[1] - TURBINE_DAYS[0])
    turbine = 1 - (chance[:, 0] < TURBINE_STOP) * days / DAYS / TURBINES
    power = thousandths(of.supplied / 3.6 / ratio * turbine)
    efficiency = np.minimum(of.plants["efficiency"].to_numpy()[:, None] * np.exp(BOILER_SPREAD * state[:, 1]), 0.88)
    quality = carrier("bituminous_coal")["gj"] * np.exp(COAL_SPREAD * state[:, 2])
    fuel = (of.supplied + 3.6 * power) / efficiency
    share = of.plants["sludge"].to_numpy()[:, None].astype(float)
    overhaul = np.arange(SIZE)[None, :] % 12 == of.plants["overhaul"].to_numpy()[:, None] - 1
    sludge = thousandths(np.where(overhaul, 0.0, fuel * share / SLUDGE_GJ))
    coal = (fuel - sludge * SLUDGE_GJ) / quality
    for_power = thousandths(coal * 3.6 * power / (of.supplied + 3.6 * power))
    for_heat = thousandths(coal * of.supplied / (of.supplied + 3.6 * power))
    burned, own = thousandths(for_power + for_heat), thousandths(power * AUXILIARY)
    both = [("power", for_power), ("heat", for_heat)]
    coals = [
        observations(tonnes, item=item, carrier="bituminous_coal", process=process, **who)
        for process, tonnes in both
        for item in ("energy.combustion", "energy.transformation_input")
    ]
    return [
        observations(of.bought, item="energy.purchased", carrier="heat", **buyers),
        observations(of.supplied, item="energy.heat_supplied", carrier="heat", **who),
        observations(of.loss, item="energy.heat_loss", carrier="heat", **who),
        *coals,
        observations(burned, item="energy.consumption", carrier="bituminous_coal", **who),
        observations(of.supplied, item="energy.transformation_output", carrier="heat", process="heat", **who),
        observations(power, item="energy.transformation_output", carrier="electricity", process="power", **who),
        observations(power, item="energy.generation", carrier="electricity", process="coal", **who),
        observations(own, item="energy.self_generated", carrier="electricity", process="chp", **who),
        observations(own, item="energy.consumption", carrier="electricity", **who),
        *(
            observations(sludge, item=item, carrier="sludge", process="heat", unit="t", **who)
            for item in ("energy.combustion", "energy.transformation_input")
        ),
        observations(thousandths(burned * LIMESTONE), item="material.carbonate", carrier="limestone", unit="t", **who),
    ]
