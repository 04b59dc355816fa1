"""The firms: a frame of 6,500 above-scale firms by line, and the declared sample of 600 that the city shows one by one.

Sampling design. Stratum = line × size class (tce, 当量): A from 9,000 is taken whole; B from 2,500 at about one in
three; C below it with what is left of the 600. Within a stratum firms are drawn systematically from the list by size;
the weight of a drawn firm is N/n of its stratum. Weights of the firms in being in the last month sum to 6,500.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from typing import Any

import numpy as np
import polars as pl
from scipy.special import ndtri

from dualcarbon.core.tables import ENTITY, conform
from dualcarbon.demo.tables import (
    ENDS,
    MONTHS,
    POPULATION,
    SAMPLE,
    SEED,
    SIZE,
    SOURCE,
    YEARS,
    Array,
    leaves,
    random,
    read,
)

CLASS_A, CLASS_B = 9000.0, 2500.0
RATE_B = 0.36
#: Drawn firms that left during the three years, in addition to those in being at the end.
EXITS = 22
ENTRY_SHARE = 0.035

FIRST = "云锦澜栖禾桑渚汀芦枫榆槿砚霁岚溪鹭鸥星曦朗恒穗棠梧柏松竹兰芷蘅苓荻菱荇蓼霖霏虹霄晴昕晗旻朔望晟"
SECOND = "帆川舟桥亭浦泽野原塘岸林石峰远和明章衡庐坊圃垄陌轩阁榭洲屿湾津渡坪岭崖涧泉潭渠堰溯澄涵清平安"


def brands(seed: int = SEED) -> list[str]:
    """Invented names in a fixed random order: 拟 (simulated) and two characters, which no known firm bears."""
    pairs = ["拟" + first + second for first, second in product(FIRST, SECOND)]
    return [pairs[at] for at in random("brands", seed).permutation(len(pairs))]


def frame_sizes(line: dict[str, Any]) -> Array:
    """Sizes (tce a year, falling) of a row of `lines`: lognormal quantiles in [low, high] that add up to `ktce`."""
    standard = np.exp(line["sigma"] * ndtri((np.arange(line["firms"]) + 0.5) / line["firms"]))[::-1]
    scale = 1000 * line["ktce"] / standard.sum()
    for _ in range(200):
        sizes: Array = np.clip(standard * scale, line["low"], line["high"])
        scale *= 1000 * line["ktce"] / sizes.sum()
    return sizes


def sample(seed: int = SEED) -> pl.DataFrame:
    """The sampled firms, heat plants and power plants not among them.

    Columns: code, name, line, sector, behaviour, place, legal_entity, size (tce 当量 of 2024), weight, first and last
    (months in being, 0 to 35), captive (own heat and power plant).
    """
    rng = random("sample", seed)
    lines = read("lines").to_dicts()
    anchors = read("anchors")
    sizes = {one["line"]: frame_sizes(one) for one in lines}
    others = len(read("networks")) + len(read("plants"))
    surplus = POPULATION - others - len(anchors) - sum(len(one) for one in sizes.values())
    weaving = next(one for one in lines if one["line"] == "weaving")
    sizes["weaving"] = frame_sizes(weaving | {"firms": weaving["firms"] + surplus})
    drawn = [
        {"line": row["line"], "place": row["place"], "size": 1000.0 * row["ktce"], "weight": 1.0, "first": 0,
         "last": SIZE - 1, "captive": bool(row["captive"]), "group": row["group"]}
        for row in anchors.to_dicts()
    ]  # fmt: skip
    for line, strata in _allocation(sizes, SAMPLE - others - len(anchors) - EXITS).items():
        table = next(one for one in lines if one["line"] == line)
        weights = np.array([float(table[leaf]) for leaf in leaves()])
        for start, stop, n in strata:
            picks = start + ((np.arange(n) + 0.5) * (stop - start) / n).astype(int)
            for at, place in zip(picks, rng.choice(leaves(), n, p=weights / weights.sum()), strict=True):
                drawn.append(
                    {"line": line, "place": str(place), "size": float(sizes[line][at]), "weight": (stop - start) / n,
                     "first": 0, "last": SIZE - 1, "captive": False, "group": None}
                )  # fmt: skip
    small = [at for at, one in enumerate(drawn) if one["size"] < CLASS_B]
    for year in (1, 2):
        for at in rng.choice(small, round(ENTRY_SHARE * len(small)), replace=False):
            drawn[at]["first"] = 12 * year
    for at in rng.choice([at for at in small if drawn[at]["first"] == 0], EXITS, replace=False):
        size = drawn[at]["size"] * rng.uniform(0.6, 0.95)
        drawn.append({**drawn[at], "size": size, "last": int(rng.integers(5, 34))})
    return _named(drawn, lines, seed)


def _allocation(sizes: dict[str, Array], total: int) -> dict[str, list[tuple[int, int, int]]]:
    """Strata of each line as (start, stop, drawn) in its list by size; drawn firms add up to `total`."""
    bounds = {line: (int((one >= CLASS_A).sum()), int((one >= CLASS_B).sum()), len(one)) for line, one in sizes.items()}
    fixed = {line: (a, max(min(2, b - a), round(RATE_B * (b - a)))) for line, (a, b, _) in bounds.items()}
    left = total - sum(map(sum, fixed.values()))
    count = {line: n - b for line, (_, b, n) in bounds.items()}
    least = {line: min(2, n) for line, n in count.items()}
    spread = left - sum(least.values())
    wish = {line: spread * n**0.75 / sum(one**0.75 for one in count.values()) for line, n in count.items()}
    small = {line: least[line] + min(int(wish[line]), count[line] - least[line]) for line in sizes}
    for line in sorted(sizes, key=lambda line: (int(wish[line]) - wish[line], line)):
        if sum(small.values()) == left:
            break
        small[line] += small[line] < count[line]
    return {
        line: [
            stratum for stratum in ((0, a, fixed[line][0]), (a, b, fixed[line][1]), (b, n, small[line])) if stratum[2]
        ]
        for line, (a, b, n) in bounds.items()
    }


def _named(drawn: list[dict[str, Any]], lines: list[dict[str, Any]], seed: int) -> pl.DataFrame:
    """Names, codes and legal entities; firms of a group share its brand."""
    table = {one["line"]: one for one in lines}
    prefix = dict(zip(read("leaves")["place"], read("leaves")["prefix"], strict=True))
    names = iter(brands(seed))
    groups = {one: next(names) for one in sorted({row["group"] for row in drawn if row["group"]})}
    rows: list[dict[str, Any]] = []
    for at, row in enumerate(drawn):
        line = table[row["line"]]
        words = line["words"].split("|")
        brand = groups[row["group"]] if row["group"] else next(names)
        word = words[at % len(words)]
        form = "股份有限公司" if row["size"] > 60000 and not row["group"] else "有限公司"
        name = f"{prefix[row['place']]}{brand}{word}{form}"
        if any(one["name"] == name for one in rows):
            name = f"{prefix[row['place']]}{brand}{words[(at + 1) % len(words)]}{form}"
        code = f"SYN-E{at + 1:03d}"
        legal = f"SYN-{row['group']}" if row["group"] else code
        kind = {"sector": line["sector"], "behaviour": line["behaviour"]}
        rows.append({**row, **kind, "code": code, "name": name, "legal_entity": legal})
    return pl.DataFrame(rows, infer_schema_length=None)


def group_names(seed: int = SEED) -> dict[str, str]:
    """Code and name of each group, the legal entity of establishments in several counties."""
    groups = sorted(set(read("anchors")["group"].drop_nulls()))
    names = iter(brands(seed))
    return {f"SYN-{one}": f"{next(names)}控股集团有限公司" for one in groups}


def growth(firms: pl.DataFrame, seed: int = SEED) -> Array:
    """Size of each firm's year beside 2024 ([n, 3]): the path of its line with its own ups and downs."""
    rng = random("growth", seed)
    lines = read("lines")
    at = [lines["line"].to_list().index(one) for one in firms["line"]]
    last, before = (lines[name].to_numpy()[at] for name in ("growth_2024", "growth_2023"))
    spread = np.where(firms["size"].to_numpy() > CLASS_A, 0.02, 0.06)
    path = np.ones((len(firms), len(YEARS)))
    path[:, 1] = path[:, 2] / ((1 + last) * np.exp(spread * rng.normal(0, 1, len(firms))))
    path[:, 0] = path[:, 1] / ((1 + before) * np.exp(spread * rng.normal(0, 1, len(firms))))
    return path


def being(firms: pl.DataFrame) -> Array:
    """1 while a firm is in being, falling to 0.4 in the six months before it closes, NaN before and after ([n, 36])."""
    month = np.arange(SIZE)
    first, last = (firms[name].to_numpy()[:, None] for name in ("first", "last"))
    fading = np.where(last < SIZE - 1, np.clip((last - month + 1) / 6, 0.4, 1.0), 1.0)
    return np.where((month >= first) & (month <= last), fading, np.nan)


def entities(rows: pl.DataFrame) -> pl.DataFrame:
    """The ENTITY table from rows of all kinds of units; `first` and `last` become dates, absent status is synthetic.

    `from` is empty for those in being when the series begins, unless `since` is known; `to` (the last day) for those
    still in being.
    """
    first = [None if at in (None, 0) else MONTHS[at] for at in rows["first"]]
    last = [None if at in (None, SIZE - 1) else ENDS[at] - timedelta(days=1) for at in rows["last"]]
    frame = rows.with_columns(
        pl.coalesce(pl.Series(first, dtype=pl.Date), pl.col("since").str.to_date()).alias("from"),
        pl.Series("to", last, dtype=pl.Date),
        pl.coalesce("source", pl.lit(SOURCE)).alias("source"),
        pl.coalesce("status", pl.lit("synthetic")).alias("status"),
    )
    return conform(frame.select(list(ENTITY)), ENTITY)
