"""Factors of the quick-calc: which families there are, what was borrowed for want of one of the day, what has none.

The account leaves out what has no factor and says so; here such rows take one of another time where there is any, so
that a month looked at before the first factor came out is no smaller than it was. What has none at all is `Lost`: it is
in no sum, and every sum that it belongs to says so.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

import polars as pl

from dualcarbon.core import periods
from dualcarbon.core.classification import Classification
from dualcarbon.core.problems import Problem, Refused
from dualcarbon.engine import Calculation
from dualcarbon.engine.factors import load_factors, load_parameters

Cell = tuple[str, str, str]
#: The name in both languages of a code.
Named = Callable[[Any, str], dict[str, str]]
#: Borrowed factors that are said as flags; one carried on from the year before is how factors usually come.
FLAGGED = ("nowcast.factor-missing", "nowcast.factor-later", "nowcast.factor-nearest")
#: Places named in one message.
NAMED = 3


class Lost(NamedTuple):
    """Rows of a cell and period that nothing can count: their carrier, and the `parameters` that have no value."""

    part: str
    item: str
    cell: Cell
    start: date
    end: date
    carrier: str
    parameters: tuple[str, ...]
    quantity: float
    unit: str
    rows: int


def checked(pack: str, family: str) -> str:
    """The `family`. Raises Refused where no factor of the pack is of it."""
    table = load_factors(pack)
    mine = {name for name, one in table.parameters.items() if one.family and name != "gwp"}
    known = sorted({row["family"] for row in table.rows if row["parameter"] in mine and row["family"]})
    if family not in known:
        raise Refused(Problem("nowcast.unknown-family", value=family, params={"known": "、".join(known)}))
    return family


def known(cells: pl.DataFrame) -> pl.DataFrame:
    """Cells of a calculation with whether they are `lost`; what is lost, and nothing of what has no factor, is 0."""
    given = pl.col("quantity").is_not_null()
    lost = given & (pl.col("quantity") != 0) & pl.col("co2").is_null()
    return cells.with_columns(lost.alias("lost"), pl.when(given).then(pl.col("co2").fill_null(0.0)).alias("co2"))


def lost(part: str, found: Calculation, cells: pl.DataFrame) -> list[Lost]:
    """What is lost of the `cells` (`known`, with `area`, `sector` and `domain`) of a calculation."""
    uses = {f"factor:{use.name}": use.parameter for use in found.method.factors}
    item = found.method.rows.item
    return [
        Lost(part, item, (row["area"], row["sector"], row["domain"]), row["start"], row["end"], row["carrier"] or "",
             tuple(name for column, name in uses.items() if row[column] is None), row["quantity"], row["unit"],
             row["rows"])
        for row in cells.filter("lost").iter_rows(named=True)
    ]  # fmt: skip


def missing(rows: Iterable[Lost], since: date, month: date, book: Classification, named: Named) -> list[dict[str, Any]]:
    """What is lost in the months from `since` to `month`, by carrier: {part, item, carrier, parameters, places,
    period, quantity, unit, rows, message}."""
    groups: dict[tuple[Any, ...], list[Lost]] = {}
    for one in rows:
        if one.start <= month and one.end > since:
            groups.setdefault((one.part, one.item, one.carrier, one.parameters, one.unit), []).append(one)
    made = []
    for (part, item, carrier, parameters, unit), same in groups.items():
        start, end = min(one.start for one in same), max(one.end for one in same)
        places = sorted({one.cell[0] for one in same})
        told: dict[str, Any] = {
            "part": part, "item": item, "carrier": carrier, "parameters": list(parameters), "places": places,
            "period": periods.text(start, end), "quantity": sum(one.quantity for one in same), "unit": unit,
            "rows": sum(one.rows for one in same),
        }  # fmt: skip
        words = {
            "month": _months(start, end), "carrier": _both(book.carriers, carrier), "count": told["rows"],
            "quantity": f"{told['quantity']:,.0f}" if abs(told["quantity"]) >= 1000 else f"{told['quantity']:,.4g}",
            "unit": unit,
            "parameter": _listed([_title(book, name) for name in parameters]),
            "where": _listed([named(book.places, place) for place in places[:NAMED]], len(places)),
        }  # fmt: skip
        made.append(told | {"message": _message("nowcast.factor-missing", words)})
    return sorted(made, key=lambda one: (one["part"], -one["rows"], one["carrier"]))


def borrowed(
    fallbacks: Iterable[dict[str, Any]], since: date, month: date, day: date, book: Classification
) -> list[dict[str, Any]]:
    """What was borrowed on the day `day` for the months from `since` to `month`: {rule, parameter, place, year, value,
    unit, known_at, source, period, message}, what was not known then first.

    The rule is `nowcast.factor-later` (published after the day), `-nearest` (of a later year) or `-carried` (of an
    earlier one).
    """
    held, after = list(fallbacks), (month.replace(day=28) + timedelta(days=4)).replace(day=1)
    later = {_key(one) for one in held if one["reason"] == "later"}
    groups: dict[tuple[Any, ...], list[periods.Period]] = {}
    for one in held:
        wanted, used = periods.parse(one["wanted"]["period"]), one["used"]
        said = one["reason"] == "later" or (one["reason"] == "period" and _key(one) not in later)
        if not said or wanted.start > month or wanted.end <= since:
            continue
        rule = "later" if one["reason"] == "later" else _rule(wanted, used)
        key = (f"nowcast.factor-{rule}", one["parameter"], used.get("place", ""), used.get("carrier", ""),
               used.get("period", ""), used["value"], used["unit"], used["known_at"], used["source"])  # fmt: skip
        groups.setdefault(key, []).append(wanted)
    made = []
    for (rule, parameter, place, carrier, year, value, unit, published, source), spans in groups.items():
        start, end = max(since, min(span.start for span in spans)), min(after, max(span.end for span in spans))
        where, name = _both(book.places, place), _title(book, parameter)
        words = {
            "day": _day(day), "published": _day(published), "month": _months(start, end),
            "parameter": {"zh": _carrier(book, carrier, "zh") + name["zh"],
                          "en": _carrier(book, carrier, "en") + _inside(name["en"])},
            "year": {"zh": where["zh"] + (f"{year}年" if year else ""), "en": f"{where['en']} {year}".strip()},
            "quantity": f"{value:g} {unit}",
        }  # fmt: skip
        made.append({"rule": rule, "parameter": parameter, "place": place, "carrier": carrier, "year": year,
                     "value": value, "unit": unit, "known_at": published, "source": source,
                     "period": periods.text(start, end), "message": _message(rule, words)})  # fmt: skip
    order = ("nowcast.factor-later", "nowcast.factor-nearest", "nowcast.factor-carried")
    return sorted(made, key=lambda one: (order.index(one["rule"]), one["parameter"], one["period"]))


def flags(notes: Sequence[dict[str, Any]], place: str, name: dict[str, str], month: str) -> list[dict[str, Any]]:
    """The notes of `borrowed` and `missing` that have to be looked at, in the layout of the other flags."""
    made = []
    for one in notes:
        rule = one.get("rule", "nowcast.factor-missing")
        if rule in FLAGGED:
            value = one.get("value", one.get("quantity"))
            made.append({"rule": rule, "place": place, "sector": "", "month": month, "value": value, "usual": 0.0,
                         "name": name, "message": one["message"]})  # fmt: skip
    return made


def _key(one: dict[str, Any]) -> tuple[Any, ...]:
    return one["parameter"], tuple(sorted(one["wanted"].items())), one["used"]["value"], one["used"].get("period")


def _rule(wanted: periods.Period, used: dict[str, Any]) -> str:
    return "nearest" if "period" in used and periods.parse(used["period"]).start > wanted.start else "carried"


def _message(rule: str, words: dict[str, Any]) -> dict[str, str]:
    problem = Problem(rule, params=words)
    return {lang: problem.as_dict(lang)["message"] for lang in ("zh", "en")}


def _months(start: date, end: date) -> dict[str, str]:
    last = end - timedelta(days=1)
    zh, en = f"{start.year}年{start.month}月", start.isoformat()[:7]
    if en == last.isoformat()[:7]:
        return {"zh": zh, "en": en}
    year = "" if last.year == start.year else f"{last.year}年"
    return {"zh": f"{zh}至{year}{last.month}月", "en": f"{en} to {last.isoformat()[:7]}"}


def _day(day: date | None) -> dict[str, str]:
    if day is None:
        return {"zh": "日期不详", "en": "an unknown day"}
    return {"zh": f"{day.year}年{day.month}月{day.day}日", "en": day.isoformat()}


def _title(book: Classification, parameter: str) -> dict[str, str]:
    declared = load_parameters(book.pack).get(parameter)
    return {lang: (declared.title if declared else {}).get(lang) or parameter for lang in ("zh", "en")}


def _both(codes: Any, code: str) -> dict[str, str]:
    return {lang: codes.name(code, lang) if code in codes else code for lang in ("zh", "en")}


def _inside(title: str) -> str:
    """An English title inside a sentence: its first letter small, unless it begins a formula or an abbreviation."""
    return title[:1].lower() + title[1:] if title[1:2].islower() else title


def _carrier(book: Classification, code: str, lang: str) -> str:
    name = _both(book.carriers, code)[lang] if code else ""
    return name and (name if lang == "zh" else f"{name}: ")


def _listed(names: Sequence[dict[str, str]], count: int = 0) -> dict[str, str]:
    """Names in both languages, with how many there are of which these are the first."""
    more = count > len(names)
    rest = {"zh": f"等{count}处", "en": f" and {count - len(names)} more"}
    return {lang: to.join(one[lang] for one in names) + (rest[lang] if more else "")
            for lang, to in (("zh", "、"), ("en", ", "))}  # fmt: skip
