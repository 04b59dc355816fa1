"""What was not reported, or not believed, in a span of months: what is estimated for it, where, and what cannot be
compared with another year."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dualcarbon.nowcast.city import UNALLOCATED, City
from dualcarbon.nowcast.denton import Array
from dualcarbon.nowcast.figures import month_text
from dualcarbon.nowcast.months import Month
from dualcarbon.nowcast.spreading import SILENT

#: A month of which more than this share of its fuels' CO2, or of its electricity's, is estimated is open as a whole.
OPEN = 0.5
#: A part that makes less of a place's CO2 than this, in months that have it, may begin or cease without the place being
#: left out.
PART = 0.1
#: Places that a text names.
NAMED = 5
PARTS = {"direct": {"zh": "燃料", "en": "fuels"}, "indirect": {"zh": "用电", "en": "electricity"}}
Made = Callable[[int], tuple[Month, Month]]


class Span(NamedTuple):
    """Months of a city by cell (N, M) in t CO2, `direct` and `indirect`, with what of them was counted; `open` are the
    numbers of the months that are open as a whole, `lost` what cannot be known at all (N, M)."""

    numbers: list[int]
    direct: Array
    indirect: Array
    counted: dict[str, np.ndarray]
    open: list[int]
    lost: np.ndarray

    @property
    def cells(self) -> Array:
        """CO2 (N, M) of both parts."""
        return self.direct + self.indirect


class Unlike(NamedTuple):
    """A place of which some months of a span hold nothing: it `began` in the `month` (number), `again` after a silence,
    or ceased after it, the last that it has reported; or nothing of one `part`, fuels (`direct`) or electricity
    (`indirect`)."""

    place: str
    began: bool
    month: int
    again: bool = False
    part: str = ""


def of(seen: City, numbers: Sequence[int], made: Made) -> Span:
    """The months of these numbers: counted where seen, else estimated by `made` (of a number).

    A cell that was not seen and has no earlier month is 0 and `lost`.
    """
    cells = len(seen.cells)
    values: dict[str, list[Array]] = {"direct": [], "indirect": []}
    known: dict[str, list[np.ndarray]] = {"direct": [], "indirect": []}
    open_, lost = [], np.zeros((cells, len(numbers)), bool)
    for n, t in enumerate(numbers):
        pair = {name: getattr(seen, name) for name in values}
        able = t > 0 and any(np.isfinite(part[:, :t]).any() for part in pair.values())
        whole = all(np.isfinite(part[:, t]).all() for part in pair.values())
        guess = dict(zip(pair, made(t), strict=True)) if able and not whole else {}
        for name, part in pair.items():
            there = np.isfinite(part[:, t])
            value = guess[name].value if guess else np.nan_to_num(part[:, t])
            lost[:, n] |= ~there & ~np.isfinite(part[:, :t]).any(1)
            if float(value[~there].sum()) > OPEN * float(value.sum()) or (not there.any() and not guess):
                open_.append(t)
            values[name].append(value)
            known[name].append(there)
    stacked = {name: np.array(rows).reshape(-1, cells).T for name, rows in values.items()}
    counted = {name: np.array(rows, bool).reshape(-1, cells).T for name, rows in known.items()}
    return Span(list(numbers), stacked["direct"], stacked["indirect"], counted, sorted(set(open_)), lost)


def unlike(seen: City, numbers: Sequence[int]) -> list[Unlike]:
    """Places that have energy in some of the months and have reported none in others: compared, they would seem to
    grow or fall; or so of a part that makes more than `PART` of them. Zeros that a place reported are a stop, which
    compares."""
    made = []
    for place in sorted({cell[0] for cell in seen.cells}):
        mine = np.array([cell[0] == place for cell in seen.cells])
        parts = {"direct": seen.direct[mine], "indirect": seen.indirect[mine]}
        both = np.concatenate(list(parts.values()))
        found = _broken(place, both, numbers)
        for part, values in parts.items():
            there = np.nansum(values, 0) > 0
            large = np.nansum(values) > PART * np.nansum(both[:, there])
            if found is None and large and not place.endswith(UNALLOCATED):
                found = _broken(place, values, numbers, part)
        made += [found] if found else []
    return made


def _broken(place: str, values: Array, numbers: Sequence[int], part: str = "") -> Unlike | None:
    """How `values` (N, T) of a place hold nothing in some of the months only; None where they do not."""
    reported = np.nansum(values, 0) > 0
    active = _stopped(~(values == 0).all(0), reported)
    if active[list(numbers)].all() or not active[list(numbers)].any():
        return None
    last = max(numbers)
    if active[last]:
        since = int(np.nonzero(~active[: last + 1])[0].max()) + 1
        return Unlike(place, True, since, bool(active[:since].any()), part)
    return Unlike(place, False, int(np.nonzero(reported[: last + 1])[0].max(initial=0)), part=part)


def _stopped(active: np.ndarray, reported: np.ndarray) -> np.ndarray:
    """`active` (T,) with stops. Zeros that begin sooner after the last month in which more was `reported` (T,) than a
    silence is taken for none were reported too."""
    out = active.copy()
    for t in np.nonzero(~active)[0].tolist():
        before = np.nonzero(reported[:t])[0]
        out[t] = len(before) > 0 and (out[t - 1] if not active[t - 1] else t - before[-1] <= SILENT)
    return out


def alike(seen: City, spans: Sequence[Span]) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Cells (N,) that can be compared through all of the spans, and what cannot: {place, sectors, began, months}, where
    `sectors` is empty for all of a place, `months` are the first or last of it, and `began` is None for cells whose
    `months` cannot be known; `again`: the place had reported before a silence; `part`: it is of that part alone."""
    told: list[dict[str, Any]] = [
        {
            "place": one.place,
            "sectors": [],
            "began": one.began,
            "months": [month_text(seen.months[one.month])],
            **({"again": True} if one.again else {}),
            **({"part": one.part} if one.part else {}),
        }
        for one in unlike(seen, [t for span in spans for t in span.numbers])
    ]
    places = {one["place"] for one in told}
    fine = np.array([cell[0] not in places for cell in seen.cells])
    live = np.any([(span.cells > 0).any(1) for span in spans], 0) & fine
    lost = np.any([span.lost.any(1) for span in spans], 0) & live
    for place in sorted({seen.cells[k][0] for k in np.nonzero(lost)[0]}):
        mine = np.array([cell[0] == place for cell in seen.cells])
        months = {month_text(seen.months[t]) for span in spans
                  for t, gone in zip(span.numbers, span.lost[mine & lost].any(0), strict=True) if gone}  # fmt: skip
        told.append({"place": place, "sectors": _sectors(seen, mine & lost, mine & live), "began": None,
                     "months": sorted(months)})  # fmt: skip
    return fine & ~lost, told


def _sectors(seen: City, lacking: np.ndarray, live: np.ndarray) -> list[str]:
    """The sectors of the cells (N,) `lacking`; none where these are all that are `live`."""
    return sorted({seen.cells[k][1] for k in np.nonzero(lacking)[0]}) if (live & ~lacking).any() else []


def told(seen: City, span: Span, among: np.ndarray) -> list[dict[str, Any]]:
    """What is estimated of the cells `among` (N,) in the span's months, but for those open as a whole, by place, the
    largest first: {place, months, sectors, parts, value, share, doubted}.

    `sectors` is empty where no cell of the place was seen; `parts` names what was not: fuels (`direct`), electricity
    (`indirect`). `value` is the estimate in t CO2, `share` of the whole span; `doubted`: some of it was reported and
    not believed.
    """
    closed = [n for n, t in enumerate(span.numbers) if t not in span.open]
    doubted = {(one.cell, one.month) for one in seen.doubts}
    guess = {name: np.where(there | ~among[:, None], 0.0, getattr(span, name)) for name, there in span.counted.items()}
    both = guess["direct"] + guess["indirect"]
    total = float(span.cells[among].sum())
    made = []
    for place in sorted({cell[0] for cell in seen.cells}):
        mine = np.array([cell[0] == place for cell in seen.cells])
        here = [n for n in closed if both[mine, n].sum() > 0]
        if not here:
            continue
        lacking = mine & (both[:, here] > 0).any(1)
        live = mine & (span.cells[:, here] > 0).any(1)
        value = float(both[mine][:, here].sum())
        made.append({
            "place": place, "months": [month_text(seen.months[span.numbers[n]]) for n in here],
            "sectors": _sectors(seen, lacking, live),
            "parts": [name for name, part in guess.items() if part[mine][:, here].sum() > 0],
            "value": value, "share": value / total if total else None,
            "doubted": any((k, seen.months[span.numbers[n]]) in doubted for k in np.nonzero(lacking)[0] for n in here),
        })  # fmt: skip
    return sorted(made, key=lambda one: -one["value"])


def said(gaps: Sequence[dict[str, Any]], lang: str) -> str:
    """The gaps of `told`, with the `name` of each place, as a part of a sentence: who has not reported which months."""
    texts = []
    for one in gaps[:NAMED]:
        who, when, single = whose(one, lang), span_text(one["months"], lang), len(one["parts"]) == 1
        if lang == "zh":
            what = f"的{PARTS[one['parts'][0]]['zh']}" if single else ""
            texts.append(f"{who}{when}{what}未报{'或异常未采用' if one['doubted'] else ''}")
        else:
            what = PARTS[one["parts"][0]]["en"] if single else "fuels and electricity"
            how = "not reported or not believed" if one["doubted"] else "not reported"
            texts.append(f"{what} of {who} in {when} ({how})")
    rest = len(gaps) - NAMED
    if rest > 0:
        texts.append(f"另有{rest}个地区部分月份未报" if lang == "zh" else f"and of {rest} more areas in some months")
    return ("；" if lang == "zh" else "; ").join(texts)


def apart(left: Sequence[dict[str, Any]], lang: str) -> str:
    """What `alike` leaves out, with the `name` of each place, as a part of a sentence."""
    groups: dict[tuple[bool | str | None, str, str], list[str]] = {}
    for one in left:
        what = PARTS[one["part"]][lang] if one.get("part") else ""
        key = "again" if one.get("again") else one["began"], span_text(one["months"], lang), what
        groups.setdefault(key, []).append(whose(one, lang).strip())
    said = {
        "zh": {True: "起才有{}数据", False: "之后没有{}数据", None: "未报，此前也没有数据，无从估算",
               "again": "起恢复报送{}，此前停报一年以上"},
        "en": {True: "no {}data before", False: "no {}data after", None: "nothing to estimate from in",
               "again": "silent {}for more than a year before"},
    }[lang]  # fmt: skip
    if lang == "zh":
        return "；".join(
            f"{'、'.join(who)}{when}{said[began].format(what)}" for (began, when, what), who in groups.items()
        )
    return "; ".join(f"{', '.join(who)}: {said[began].format(f'{what} ' if what else '')} {when}"
                     for (began, when, what), who in groups.items())  # fmt: skip


def whose(one: dict[str, Any], lang: str) -> str:
    """A place, and how many of its sectors, before the months."""
    count = len(one["sectors"])
    if lang == "zh":
        return str(one["name"]["zh"]) + (f"（{count}个行业）" if count else "")
    return str(one["name"]["en"]) + (f" ({count} sectors)" if count > 1 else " (one sector)" if count else "")


def span_text(months: Sequence[str], lang: str) -> str:
    """Months (``2024-03``) as spans of consecutive ones: ``2024年3月至5月、8月``; in English ``2024-03 to 2024-05``."""
    runs: list[list[str]] = []
    for month in sorted(set(months)):
        number = int(month[:4]) * 12 + int(month[5:7])
        last = runs[-1][-1] if runs else ""
        if last and number == int(last[:4]) * 12 + int(last[5:7]) + 1:
            runs[-1].append(month)
        else:
            runs.append([month])
    if lang != "zh":
        return ", ".join(run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs)
    said, year = [], ""
    for run in runs:
        ends = []
        for month in run[:: max(len(run) - 1, 1)]:
            ends.append(("" if month[:4] == year else f"{month[:4]}年") + f"{int(month[5:7])}月")
            year = month[:4]
        said.append("至".join(ends))
    return "、".join(said)
