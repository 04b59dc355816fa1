"""The sentences of the yearly analysis in English."""

from typing import Any

from dualcarbon.nowcast import gaps
from dualcarbon.nowcast.account import COVERS
from dualcarbon.nowcast.told import saying
from dualcarbon.nowcast.told.wording import FLAT, NAMED, TOLD, WAN, Row, Words, based, number


class English(Words):
    lang = "en"

    HEADINGS = ("Overview", "By domain", "By area", "Sectors", "Causes", "Quality of the estimates", "To be checked",
                "What to do next")  # fmt: skip

    def heading(self, count: int) -> str:
        return f"{count} {self.HEADINGS[count - 1]}" if count < 9 else "Scope and data"

    def amount(self, value: float) -> str:
        kilo = abs(value) / 1e3
        return f"{kilo:,.0f}" if kilo >= 100 else f"{kilo:,.1f}"

    def between(self, low: float, high: float, **asked: Any) -> str:
        return f"90% interval {self.tons(low, 'low', **asked)} to {self.tons(high, 'high', **asked)} kt"

    def grown(self, value: float, **about: Any) -> str:
        said = self.percent(value, "growth", **about)
        return f"unchanged ({said})" if abs(value) < FLAT else f"{'up' if value > 0 else 'down'} {said}"

    def listed(self, rows: list[Row], key: str) -> str:
        """Rows with their growth and pull."""
        return "; ".join(self.pulled(row, key) for row in rows)

    def pulled(self, row: Row, key: str) -> str:
        about = self.about(key, row)
        said = ["none a year before"] if row["last_year"] == 0 else []
        if row["change_percent"] is not None:
            said = [self.grown(row["change_percent"], **about)]
        verb = "adding" if row["pull_points"] >= 0 else "taking off"
        said.append(f"{verb} {self.points(row['pull_points'], **about)} points")
        return f"{row['name']['en']} ({', '.join(said)})"

    def span(self) -> str:
        return saying.period(self.made["period"], "en")

    def overview(self) -> str:
        made = self.made
        ends = f" ({self.between(made['low'], made['high'])})" if self.guessed else ""
        text = (f"In {self.span()}, CO2 of energy activity in {self.name} (of the consumption account, fuels burned "
                "other than for power and purchased electricity) "
                f"{'is expected to be' if self.guessed else 'was'} {self.tons(made['value'])} kt{ends}, "
                f"{self.growth()}")  # fmt: skip
        return "\n".join(one for one in (text + self.sources(), self.monthly(), f"{self.aim()} {self.per_product()}",
                                         self.holes()) if one)  # fmt: skip

    def growth(self) -> str:
        made = self.made
        if made["change"] is None:
            return f"with nothing to compare it with.{self.left_out()}"
        like = ", like with like" if made["left_out"] else ""
        change = self.put(
            self.amount(made["change"]), abs(made["change"]), "tCO2", kind="change", period=made["period"]
        )
        ends = ""
        if made["change_low_percent"] is not None:
            low, high = (self.percent(made[f"change_{end}_percent"], "growth", end) for end in ("low", "high"))
            ends = f" (90% interval of growth {low} to {high})"
        return (f"{change} kt {'more' if made['change'] >= 0 else 'less'} than a year before{like}: "
                f"{self.grown(made['change_percent'])}{ends}.{self.left_out()}")  # fmt: skip

    def sources(self) -> str:
        if not self.made["value"]:
            return ""
        told = [f"{name} made {self.tons(self.made[part], part=part)} kt "
                f"({self.percent(100 * self.made[part] / self.made['value'], 'share', part=part)})"
                for part, name in (("direct", "Fuels"), ("indirect", "electricity"))
                if self.made[part] is not None]  # fmt: skip
        text = ", ".join(told)
        return f" {text[:1].upper()}{text[1:]}."

    def monthly(self) -> str:
        known = [one for one in self.made["months"] if one["last_year"]]
        if len(known) <= 3:
            return ""
        most, least = max(known, key=lambda one: one["value"]), min(known, key=lambda one: one["value"])
        rose = sum(one["change"] > 0 for one in known)
        ends = [f"{saying.months([int(one['month'][5:])], 'en')} was {word} "
                f"({self.tons(one['value'], period=one['month'])} kt)"
                for one, word in ((most, "highest"), (least, "lowest"))]  # fmt: skip
        count = {0: "none", len(known): "all"}.get(rose, str(rose))
        return f"{', '.join(ends)}; {count} of {len(known)} months were above the year before (figure 1)."

    def left_out(self) -> str:
        told = gaps.apart(self.made["left_out"], "en")
        return f" Not compared: {told}." if told else ""

    def unheard(self) -> str:
        told = self.never({"direct": "fuels", "indirect": "electricity"})
        how = "the total is settled by official ones" if self.made["settled"] else "the total is without that"
        return " ".join(f"{', '.join(places)} never reported {what} by month; {how}."
                        for what, places in told.items())  # fmt: skip

    def holes(self) -> str:
        made, before, told = self.made, [], []
        if made["missing"]:
            told.append("Rows without a factor are left out; the total is incomplete (see Scope and data).")
        told += [self.unheard()] if self.unheard() else []
        empty = made["gaps"]["nothing"]
        some, none = ([one for one in made["open_months"] if (one in empty) == whole] for whole in (False, True))
        if some:
            told.append(f"Reports of {gaps.span_text(some, 'en')} are incomplete and estimated.")
        if none:
            told.append(f"Nothing was reported of {gaps.span_text(none, 'en')}; it is estimated.")
        if made["gaps"]["now"]:
            told.append(f"Estimated: {self.gaps('now')}.")
        if made["gaps"]["open_before"]:
            whole = set(made["gaps"]["open_before"]) <= set(empty)
            before.append(f"{'all' if whole else 'most'} of {gaps.span_text(made['gaps']['open_before'], 'en')}")
        if made["gaps"]["before"]:
            before.append(self.gaps("before"))
        if before and made["last_year_estimated"]:
            share = f" ({self.estimated()} of that year)" if made["last_year"] else ""
            told.append(f"In the year before, estimated: {'; '.join(before)}{share}.")
        if abs(made["settled"]) >= WAN / 20:
            way = "up" if made["settled"] > 0 else "down"
            held = made["official"]["months"]
            which = "the months" if len(held) == len(made["months"]) else gaps.span_text(held, "en")
            told.append(f"Official totals moved {which} {way} by {self.settled(made['settled'])} kt.")
        return " ".join([*told, self.unlike()]).strip()

    def unlike(self) -> str:
        official = self.made["official"]
        if not official["reason"]:
            return ""
        text = f"{official['reason']['en']}; growth is that of figures before they were settled"
        if official["alike"]:
            text += f", but for single months of {gaps.span_text(official['alike'], 'en')}, which compare as settled"
        return f"{text}."

    def aim(self) -> str:
        made, target = self.made, self.made["target"]
        if not target:
            return "No target of the year has been imported."
        size = self.put(self.amount(target["value"]), target["value"], "tCO2", query=target["query"])
        doubt = "" if target["status"] in ("official", made["status"]) else f" ({target['status_name']['en']})"
        if not target["value"]:
            return f"The year's target is {size} kt{doubt}."
        end = f"{self.left()} kt {'over' if target['gap'] > 0 else 'below'}"
        if self.full:
            return f"The year's target is {size} kt{doubt}: {end}{' is expected' if self.guessed else ''}."
        done = self.percent(100 * made["value"] / target["value"], "progress")
        return f"That is {done} of the year's target of {size} kt{doubt}, {end} it."

    def per_product(self) -> str:
        made, per = self.made, self.made["product"]
        if not per:
            official = made["official"]["reason"]
            why = {
                "uncovered": "No gross domestic product covers both periods",
                "left_out": "Some areas have nothing a year before to be compared with",
                "nothing": "Nothing was emitted a year before",
                "unlike": f"{official['en'] if official else ''}, so that CO2 of both does not compare",
            }[made["no_product"]]
            return f"{why}; CO2 per GDP is not told."
        size = self.put(number(per["intensity"], 3), per["intensity"], "tCO2/wan_CNY", kind="intensity",
                        period=made["period"])  # fmt: skip
        moved = self.put(f"{number(abs(per['change_percent']), 1)}%", abs(per["change_percent"]), "%", kind="intensity",
                         period=made["period"], against=made["against"])  # fmt: skip
        way = "up" if per["change_percent"] > 0 else "down"
        return f"CO2 per GDP was {size} t per 10⁴ CNY, {way} {moved} (at current prices)."

    def most(self, key: str) -> str:
        rows = [row for row in self.made[key] if row["code"]]
        if not rows:
            return ""
        if key == "areas" and len(rows) == 1:
            return "The area is not divided further."
        first = rows[0]
        share = self.percent(100 * (first["share"] or 0), "share", **self.about(key, first))
        size = self.tons(first["value"], **self.about(key, first))
        text = f"{first['name']['en']} is the largest with {size} kt ({share})."
        up, down = (self.ranked(key, way)[:NAMED] for way in (True, False))
        if up:
            text += f" Growth was pulled up most by {self.listed(up, key)}."
        if down:
            text += f" It was pulled down most by {self.listed(down, key)}."
        known, ways = self.ways(rows)
        who = {"domains": ("domain", "domains"), "areas": ("area", "areas")}[key][known != 1]
        verbs = {"up": "grew", "down": "fell", "flat": "stayed about the same"}
        count = f"{known} {who}{' that can be compared' if known < len(rows) else ''}"
        if len(ways) == 1:
            (way,) = ways
            all_of_it = f"The {count[2:]}" if known == 1 else f"Both {count[2:]}" if known == 2 else f"All {count}"
            text += f" {all_of_it} {verbs[way]}."
        elif ways:
            text += f" Of {count}, {', '.join(f'{number} {verbs[way]}' for way, number in ways.items())}."
        return f"{text} See table {self.number(key)}."

    def sectors(self) -> str:
        up, down = (self.ranked("sectors", way)[:NAMED] for way in (True, False))
        text = f"Pulled up most: {self.listed(up, 'sectors')}. " if up else ""
        if down:
            text += f"Pulled down most: {self.listed(down, 'sectors')}. "
        text = f"{text}See table {self.number('sectors')}. " if text else "No sector can be compared. "
        return text + self.homes()

    def homes(self) -> str:
        """What is of households and of no sector: with the sectors it is all there is."""
        rows, rest = self.households(), self.unsorted()
        other = f"{self.tons(rest['value'], **self.about('sectors', rest))} kt of no sector" if rest else ""
        if not rows:
            return f"Besides, there are {other}." if other else ""
        named = " and ".join(self.home(row, len(rows) > 1) for row in rows)
        said = "are expected to have emitted" if self.guessed else "emitted"
        text = (f"Households, which are no sector of production, {said} {named}; with the sectors"
                f"{f' and {other}' if other else ''} that is all")  # fmt: skip
        row, beyond = self.residents(), self.made["homes"]["beyond"]
        if row:
            what = "Their cars count" if [one["code"] for one in beyond] == ["transport"] else "Some of it counts"
            where = ", ".join(one["name"]["en"] for one in beyond)
            size = self.tons(row["value"], **self.about("domains", row))
            text += f". {what} in the domain {where}, not in the {size} kt of the domain {row['name']['en']}"
        return f"{text}."

    def home(self, row: Row, named: bool) -> str:
        about = self.about("sectors", row)
        said = [row["name"]["en"]] if named else []
        if row["change_percent"] is not None:
            said.append(self.grown(row["change_percent"], **about))
        if row["pull_points"] is not None:
            verb = "adding" if row["pull_points"] >= 0 else "taking off"
            said.append(f"{verb} {self.points(row['pull_points'], **about)} points")
        apart = f" ({', '.join(said)})" if said else ""
        return f"{self.tons(row['value'], **about)} kt{apart}"

    def moved(self) -> str:
        causes, (parts, _) = self.made["causes"], self.effects()
        told = []
        for verb, sign in (("pulled up by", 1), ("down by", -1)):
            each = [f"{one['title']['en']} ({self.effect(one, causes['period'])} points)"
                    for one in parts if sign * one["percent"] > 0]  # fmt: skip
            told += [f"{verb} {', '.join(each)}"] if each else []
        return "; ".join(told)

    def reported(self) -> str:
        """What the causes are of, where it is not the whole period."""
        period = self.made["causes"]["period"]
        whole = period == self.made["period"]
        return "By" if whole else f"Of {saying.period(period, 'en')}, the last that is reported, by"

    def causes(self) -> str:
        causes = self.made["causes"]
        if not causes:
            return f"Not reported: {(self.made['undecomposed'] or {}).get('en', 'some months')}; no decomposition."
        _, scope = self.effects()
        told = self.moved()
        text = "Nothing shows."
        if told:
            text = (f"{self.reported()} additive LMDI, whose effects sum to the change, CO2 was {told} "
                    f"(figure {self.number('causes')}).")  # fmt: skip
        if scope:
            size = self.put(self.amount(scope["value"]), abs(scope["value"]), "tCO2", kind="effect", effect="scope",
                            period=causes["period"])  # fmt: skip
            text += f" Areas without a year before {'added' if scope['value'] > 0 else 'took off'} {size} kt besides."
        if abs(self.undecomposed()) >= WAN / 20:
            way = "up" if self.undecomposed() > 0 else "down"
            size = self.settled(self.undecomposed(), against=causes["against"])
            text += f" Official totals moved {size} kt {way} more, which is not decomposed."
        text += "" if causes["activity"] else " No value added covers both years."
        return text + "".join(f" {causes[name]['en']}" for name in ("prices", "note") if causes[name])

    def quality(self) -> str:
        return " ".join(one for one in (self.replayed(), self.uncertain()) if one)

    def uncertain(self) -> str:
        made = self.made["uncertainty"]
        if made is None:
            return ""
        size = f"{self.doubt()} (95%)" if self.doubt() else "not known"
        return f"Uncertainty by factors and data, apart from the estimates: {size}. {made['note']['en']}"

    def replayed(self) -> str:
        states = self.states()
        if not states:
            return "Too few months to replay."
        told = []
        for one in states:
            whole, cells = self.scored(one["total"]), self.scored(one)
            told.append(f"with {one['title']['en']}, the total was {whole['error_percent']} off (the month a year ago "
                        f"{whole['last_value_error_percent']}), {whole['held']} of {one['total']['months']} "
                        f"months inside the 90% interval; sectors by area were {cells['error_percent']} off "
                        f"({cells['last_value_error_percent']}), the 90% interval held "
                        f"{cells['coverage90']}")  # fmt: skip
        count = len(self.made["record"]["months"])
        return f"Replay of the last {count} months with the data of today, later ones hidden: {'; '.join(told)}."

    def checks(self) -> str:
        told = [self.flagged(flag) for flag in self.made["flags"][:TOLD]]
        return "\n".join(f"{n}. {text}" for n, text in enumerate(told, 1)) or "Nothing to ask about was found."

    def advice(self) -> str:
        told = [self.about_sectors(), self.about_areas(), self.about_target(), self.about_homes()]
        if self.made["flags"]:
            count = len(self.made["flags"])
            which = f"the {count} departures" if count > 1 else "the departure"
            told.append(f"Check {which} above with the areas concerned.")
        if self.made["estimated_months"]:
            told.append(f"Ask for the reports of {gaps.span_text(self.made['estimated_months'], 'en')}.")
        if self.made["gaps"]["before"]:
            told.append(f"Ask for what the year before lacks: {self.gaps('before')}.")
        told = [one for one in told if one]
        return "\n".join(f"{n}. {text}" for n, text in enumerate(told, 1)) or "Keep watching month by month."

    def about_sectors(self) -> str:
        rows = self.ranked("sectors", True)[:NAMED]

        def one(row: Row) -> str:
            said = f"{self.points(row['pull_points'], sector=row['code'])} points"
            area = row["area"]
            if area and len(self.made["areas"]) > 1:
                pull = self.points(area["pull_points"], sector=row["code"], place=area["code"])
                said += f", {pull} of them in {area['name']['en']}"
            return f"{row['name']['en']} ({said})"

        return f"Ask the main energy users of {'; '.join(one(row) for row in rows)} for the reasons." if rows else ""

    def about_areas(self) -> str:
        rows = self.faster()
        if not rows:
            return ""
        who = "areas" if len(rows) > 1 else "area"
        return f"Ask the {who} that clearly grew faster than the whole: {self.listed(rows, 'areas')}."

    def about_homes(self) -> str:
        rows = self.drawn_up()
        if not rows:
            return ""
        named = ", ".join(f"{row['name']['en']} {self.points(row['pull_points'], **self.about('sectors', row))} points"
                          for row in rows)  # fmt: skip
        cars = ", and travel with less CO2" if any(one["code"] == "transport"
                                                   for one in self.made["homes"]["beyond"]) else ""  # fmt: skip
        return (
            f"Households pulled growth up ({named}): help them to save electricity and gas{cars}; they are no sector."
        )

    def about_target(self) -> str:
        target = self.made["target"]
        if not target or not target["value"]:
            return ""
        if self.full and target["gap"] > 0:
            return f"Plan next year for the {self.left()} kt beyond the target."
        if not self.full and target["gap"] < 0:
            return f"Keep the rest of the year within {self.left()} kt."
        return ""

    def data(self) -> str:
        told = [
            based(self.made, "en"), self.factors(),
            f"Counted is {COVERS['en']}; the first is direct, the second indirect. Heat across the boundary, own "
            "power used, process CO2 and fuel for power are not in here; points are the change of a part "
            "in percent of the whole a year before. Intervals are those of the estimates; uncertainty of factors and "
            "data stands apart (part 6). Every number opens in the system.",
        ]  # fmt: skip
        return " ".join(one for one in told if one)
