"""The demonstration city as tables: pure functions, the same bytes for the same seed.

The economy is a **declared weighted sample with an explicit rest**. 600 firms (all the large ones, some of the small)
stand under their own invented names with their own figures and a weight on the entity; for each place and sector one
entity of kind `unsampled` carries Σ (weight − 1) × quantity, and one of kind `below-scale` the firms too small for the
returns. Summing the data set therefore gives the city without weighting anything, and a firm's page shows that firm.
Heat is complete, not sampled: see `heat`. Everything is labelled `synthetic`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from dualcarbon.core.classification import load
from dualcarbon.core.pack import place as place_of
from dualcarbon.core.tables import OBSERVATION
from dualcarbon.demo import economy, heat, industry, seasons, society
from dualcarbon.demo import firms as firm_list
from dualcarbon.demo.errors import bounded
from dualcarbon.demo.tables import CITY, PACK, SEED, SIZE, Array, finished, leaves, read, thousandths

#: The county and sector whose half year is revised, by how much, and when that became known.
REVISED_PLACE, REVISED_SECTOR, REVISED_FACTOR = "330481-rest", "C17", 0.962
REVISED_FROM, REVISED_TO = date(2024, 1, 1), date(2024, 7, 1)
REVISION_KNOWN = date(2025, 3, 20)
#: The firm that moves over the county line on 2023-07-01: out of this place, into that one.
MOVED_FROM, MOVED_TO, MOVED_ON = "330402-chengnan", "330411-rest", date(2023, 7, 1)


@dataclass(frozen=True)
class City:
    """Observations of the data sets, the later vintage of some of them, and the entities."""

    observations: pl.DataFrame
    revision: pl.DataFrame
    entities: pl.DataFrame

    def fingerprint(self) -> str:
        """SHA-256 over every value of the three tables, in order: equal for equal seeds."""
        digest = hashlib.sha256()
        for frame in (self.observations, self.revision, self.entities):
            digest.update(frame.write_csv(datetime_format="%Y-%m-%d").encode())
        return digest.hexdigest()


def generate(seed: int = SEED, step: Callable[[str], None] = lambda _: None) -> City:
    """Make the city. `step` is told what begins: firms, heat, society, economy, finish."""
    step("firms")
    book = load(PACK)
    domains = {code: (book.sectors.row(code) or {})["domain"] for code in book.sectors}
    firms = firm_list.sample(seed)
    used = industry.use(firms, seed)
    rest, rest_used = industry.unsampled(firms, used)
    small, small_power = industry.below_scale(firms, used, seed)
    step("heat")
    networks = heat.networks(firms, used, rest, rest_used, seed)
    rest_units = _units(rest, "SYN-U", "未抽中规上企业", "unsampled")
    small_units = _units(small, "SYN-B", "规下工业", "below-scale")
    frames = [
        *industry.rows(_who(firms), used),
        *industry.carbonates(firms, used),
        *industry.rows(_who(rest_units), rest_used, networks.used_by(rest)),
        *industry.small_rows(_who(small_units), small_power),
        *heat.rows(networks, seed),
    ]
    step("society")
    services = networks.users.filter(pl.col("sector").str.contains("^[HQ]")).select("place", "sector")
    services = services.unique().sort("place", "sector")
    frames += society.rows(services, networks.used_by(services), seed)
    frames += [*society.plants(seed), society.generation(firms, used, rest, rest_used)]
    losses, loss_rows = society.line_losses(_bought(frames))
    frames += loss_rows
    step("economy")
    groups, added = economy.industrial(firms, used, rest, rest_used)
    divisions: dict[str, list[str]] = {}
    for code in book.sectors:
        if (above := book.sectors.parent(code)) in economy.OUTSIDE:
            divisions.setdefault(str(above), []).append(code)
    frames.append(economy.rows(groups, added, divisions, seed))
    step("finish")
    frames = [_moved(frame, _mover(firms)) for frame in frames]
    frames += [economy.controls(_electricity_by_county(frames), seed), economy.targets()]
    frames.append(seasons.degree_days(str(place_of(PACK))))
    entities = firm_list.entities(_entity_rows(firms, networks, [rest_units, small_units, losses], seed)).sort("code")
    observations = bounded(finished(frames, domains), entities)
    return City(observations, bounded(revision_of(observations), entities), entities)


def revision_of(observations: pl.DataFrame) -> pl.DataFrame:
    """The later vintage: electricity of the rest of one county's sector, first half of 2024, corrected in March 2025.

    Purchases fall by REVISED_FACTOR; what was made on own roofs stays, and consumption is their new sum.
    """
    chosen = observations.filter(
        (pl.col("dataset") == CITY)
        & (pl.col("place") == REVISED_PLACE)
        & (pl.col("sector") == REVISED_SECTOR)
        & pl.col("entity").str.starts_with("SYN-U")
        & (pl.col("carrier") == "electricity")
        & pl.col("start").is_between(REVISED_FROM, REVISED_TO, closed="left")
    )
    bought = chosen.filter(pl.col("item") == "energy.purchased").select("start", cut=pl.col("value"))
    cut = (pl.col("cut") * (1 - REVISED_FACTOR)).round(3)
    return (
        chosen.filter(pl.col("item").is_in(["energy.purchased", "energy.consumption"]))
        .join(bought, on="start", how="left", maintain_order="left")
        .with_columns((pl.col("value") - cut).round(3).alias("value"), pl.lit(REVISION_KNOWN).alias("known_at"))
        .select(list(OBSERVATION))
    )


def _who(units: pl.DataFrame) -> dict[str, Any]:
    return {"entity": units["code"].to_list(), "place": units["place"].to_list(), "sector": units["sector"].to_list()}


def _units(groups: pl.DataFrame, code: str, word: str, kind: str) -> pl.DataFrame:
    """One entity for each place and sector, named after both."""
    book = load(PACK)
    names = [
        f"{book.places.name(place)}{book.sectors.name(sector)}{word}（推算）" for place, sector in groups.iter_rows()
    ]
    return groups.with_columns(
        pl.format(code + "-{}-{}", "place", "sector").alias("code"),
        pl.Series("name", names),
        pl.lit(kind).alias("kind"),
    )


def _bought(frames: list[pl.DataFrame]) -> dict[str, Array]:
    """Electricity bought by leaf ([36] MWh)."""
    rows = pl.concat(
        [frame.select("place", "start", "value") for frame in frames if _is(frame, "energy.purchased", "electricity")]
    )
    sums = rows.group_by("place", "start").agg(pl.col("value").sum()).sort("place", "start")
    return {leaf: thousandths(sums.filter(pl.col("place") == leaf)["value"].to_numpy()) for leaf in leaves()}


def _is(frame: pl.DataFrame, item: str, carrier: str) -> bool:
    """Whether a block of rows (one item and carrier throughout) is this one."""
    if frame.is_empty() or "carrier" not in frame.columns:
        return False
    return frame["item"][0] == item and frame["carrier"][0] == carrier


def _electricity_by_county(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Electricity used by county, section (HH for households) and month."""
    county = dict(zip(read("leaves")["place"], read("leaves")["county"], strict=True))
    rows = pl.concat(
        [
            frame.select(
                "start",
                "end",
                "value",
                pl.col("place").replace_strict(county).alias("county"),
                pl.col("sector").str.extract("^(HH|[A-T])").alias("section"),
            )
            for frame in frames
            if _is(frame, "energy.consumption", "electricity")
        ]
    )
    return rows.group_by("county", "section", "start", "end").agg(pl.col("value").sum().round(3))


def _mover(firms: pl.DataFrame) -> str:
    """The firm that moves: the largest of those in the place it leaves that are in being all the time."""
    always = (pl.col("first") == 0) & (pl.col("last") == SIZE - 1)
    able = firms.filter(always & (pl.col("place") == MOVED_FROM))
    return str(able.sort("size", "code")["code"][-1])


def _moved(frame: pl.DataFrame, code: str) -> pl.DataFrame:
    """Rows of the firm `code` from its new site: emissions follow the site."""
    if "entity" not in frame.columns:
        return frame
    there = (pl.col("entity") == code) & (pl.col("start") >= MOVED_ON)
    return frame.with_columns(pl.when(there).then(pl.lit(MOVED_TO)).otherwise("place").alias("place"))


def _entity_rows(firms: pl.DataFrame, networks: heat.Networks, others: list[pl.DataFrame], seed: int) -> pl.DataFrame:
    """All units with the columns of `firms.entities`."""
    groups = firm_list.group_names(seed)
    mover = _mover(firms)
    sampled = firms.with_columns(
        pl.lit("enterprise").alias("kind"),
        pl.when(pl.col("captive")).then(pl.lit("自备")).alias("dispatch"),
        pl.when(pl.col("code") == mover).then(pl.lit(MOVED_TO)).otherwise("place").alias("place"),
    )
    plants = networks.plants.select(
        "name",
        "place",
        pl.col("entity").alias("code"),
        pl.col("entity").alias("legal_entity"),
        pl.lit("D44").alias("sector"),
        pl.lit("heat-plant").alias("kind"),
        pl.lit("地方").alias("dispatch"),
        pl.lit(1.0).alias("weight"),
    )
    real = pl.DataFrame(
        [
            {name: plant[name] for name in ("code", "name", "place", "sector", "dispatch", "kind", "source", "status")}
            | {"legal_entity": plant["code"], "weight": 1.0, "since": plant["from"] or None}
            for plant in society.public_plants()
        ]
    )
    users = networks.users.filter(pl.col("kind") == "heat-user").select(
        pl.col("entity").alias("code"), "name", "place", "sector", "kind"
    )
    legal = pl.DataFrame(
        {"code": list(groups), "name": list(groups.values()), "place": "330400", "kind": "legal-entity"}
    )
    return pl.concat([sampled, plants, real, users, legal, *others], how="diagonal_relaxed")


def datasets() -> list[dict[str, str]]:
    """The records of the three data sets: id, titles, role, custody, status; the notes say what a reader must know."""
    return [
        {name: text for name, text in row.items() if text} | {"custody": "public", "status": "synthetic"}
        for row in read("datasets").to_dicts()
    ]
