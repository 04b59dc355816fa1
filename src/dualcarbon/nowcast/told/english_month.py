"""The sentences of a month's brief in English."""

from dualcarbon.nowcast import gaps
from dualcarbon.nowcast.account import COVERS
from dualcarbon.nowcast.told import saying
from dualcarbon.nowcast.told.english import English
from dualcarbon.nowcast.told.wording import Row, number


class EnglishMonth(English):
    """The brief of a month, as `ChineseMonth`."""

    def parts(self) -> list[str]:
        first = self.level(), self.unheard(), self.festival(), self.so_far(), self.totals()
        last = " ".join(part for part in (self.late(), self.trust(), f"Counted is {COVERS['en']}.") if part)
        return [" ".join(part for part in first if part), self.who(), self.why(), last]

    def level(self) -> str:
        made = self.made
        ends = ", counted as far as it can be, the total incomplete," if made["lacking"] else ", counted in full,"
        ends = ends if made["counted_share"] > 0.9999 else ", equal to the official total,"
        if self.guessed and made["counted_share"] < 0.005:
            ends = f" ({self.between(made['low'], made['high'])}; all of it estimated),"
        elif self.guessed:
            counted = self.put(f"{number(100 * made['counted_share'], 0)}%", made["counted_share"], "share",
                               "counted_share", month=made["month"])  # fmt: skip
            ends = f" ({self.between(made['low'], made['high'])}; {counted} counted, the rest estimated),"
        was = "is expected to be" if self.guessed else "was"
        return (f"In {self.span()}, CO2 of energy activity in {self.name} {was} {self.tons(made['value'])} kt"
                f"{ends} {self.growth()}")  # fmt: skip

    def festival(self) -> str:
        days, together = self.made["festival"], self.made["together"]
        if not days:
            return ""
        text = f"The Spring Festival's rest began on {days['now']}, the year before on {days['before']}"
        if not together or together["change_percent"] is None:
            alone = ", only with February" if self.made["month"].endswith("-01") else ""
            return f"{text}: the month does not compare by itself{alone}."
        grown = self.grown(together["change_percent"], period=together["period"])
        return f"{text}, which moves the month's growth; January and February together were {grown}."

    def so_far(self) -> str:
        made, told = self.made, self.made["year_to_date"]
        target, said = made["target"], []
        if int(made["month"][5:]) > 1:
            grown = ""
            if told["change_percent"] is not None:
                grown = f", {self.grown(told['change_percent'], period=told['compared'])}"
                if told["compared"] != told["period"]:
                    since = int(told["compared"][5:7])
                    grown += (f" from {saying.months([since], 'en')} on "
                              f"(no data of {saying.months([1, since - 1], 'en')} the year before)")  # fmt: skip
                if told["left_out"] not in ([], made["left_out"]):
                    grown += f" (not compared: {gaps.apart(told['left_out'], 'en')})"
            months = saying.months([1, int(made["month"][5:])], "en")
            said.append(f"{months} made {self.tons(told['value'], period=told['period'])} kt{grown}")
        if target and target["value"]:
            done = self.percent(100 * told["value"] / target["value"], "progress", period=told["period"])
            size = self.put(self.amount(target["value"]), target["value"], "tCO2", query=target["query"])
            said.append(f"{done} of the year's target of {size} kt")
        text = f"{', '.join(said)}." if said else ""
        ahead = made["ahead"]
        if ahead:
            value, low, high = (self.tons(ahead[end], end, period=ahead["period"]) for end in ("value", "low", "high"))
            text += f" The whole year is expected to be {value} kt (90% interval {low} to {high} kt)"
            if target and target["value"]:
                gap = ahead["value"] - target["value"]
                size = self.put(self.amount(gap), abs(gap), "tCO2", kind="target", period=ahead["period"])
                text += f", {size} kt {'above' if gap > 0 else 'below'} the target"
            text += "."
        return text.strip()

    def totals(self) -> str:
        told, said = self.moved_by_totals(), []
        names = {"month": "the month", "year": "the year so far"}
        for key, value in told["moved"].items():
            period = {} if key == "month" else {"period": self.made["year_to_date"]["period"]}
            way = "up" if value > 0 else "down"
            said.append(f"Official totals moved {names[key]} {way} by {self.settled(value, **period)} kt.")
        said += [f"{reason}; growth of {' and '.join(names[key] for key in keys)} is that of figures before they were "
                 "settled." for reason, keys in told["plain"].items()]  # fmt: skip
        return " ".join(said)

    def who(self) -> str:
        told = []
        for key, what in (("areas", "Areas"), ("sectors", "Sectors")):
            said = [f"pulled {way} most by {', '.join(self.briefly(row, key) for row in rows)}"
                    for way, rows in zip(("up", "down"), self.leading(key), strict=True) if rows]  # fmt: skip
            if said and (key == "sectors" or len(self.made["areas"]) > 1):
                told.append(f"{what}: {'; '.join(said)}.")
        return " ".join([*told, self.homes()]).strip()

    def briefly(self, row: Row, key: str) -> str:
        return f"{row['name']['en']} ({self.points(row['pull_points'], **self.about(key, row))} points)"

    def why(self) -> str:
        causes = self.made["causes"]
        if not causes:
            lost = (self.made["undecomposed"] or {}).get("en")
            return f"Not reported: {lost}; causes are not told apart." if lost else ""
        told = self.moved()
        when = saying.period(causes["period"], "en")
        lead = "CO2 was" if causes["period"] == self.made["month"] else f"In {when}, the last that is reported, CO2 was"
        prices = f" {causes['prices']['en']}" if causes["prices"] else ""
        return f"{lead} {told}.{prices}" if told else ""

    def late(self) -> str:
        made, told = self.made, []
        if made["open_months"]:
            none = made["month"] in made["gaps"]["nothing"]
            sole = "electricity" if made["direct"] is None else "fuels" if made["indirect"] is None else ""
            told.append(f"The month's {sole} is not reported and estimated." if sole == "electricity" else
                        "The month's fuels are not reported and estimated." if sole else
                        "Neither fuels nor electricity of the month are reported; all is estimated." if none else
                        "Most of the month's fuels or electricity is not reported and estimated.")  # fmt: skip
        if made["gaps"]["now"]:
            told.append(f"Estimated: {self.gaps('now')}.")
        before = [f"most of {gaps.span_text(made['gaps']['open_before'], 'en')}"] * bool(made["gaps"]["open_before"])
        before += [self.gaps("before")] if made["gaps"]["before"] else []
        if before and made["last_year_estimated"]:
            told.append(f"In the month a year before, estimated: {'; '.join(before)}.")
        if self.factors():
            told.append(self.factors())
        if made["flags"]:
            first = {**made["flags"][0], "message": {"en": made["flags"][0]["message"]["en"].rstrip(".")}}
            told.append(f"To be checked: {len(made['flags'])}; first, {self.flagged(first)}.")
        return " ".join(told)

    def trust(self) -> str:
        states = self.states()
        if not self.guessed:
            return ""
        if not states:
            return "Too few months to replay."
        total, count = states[0]["total"], len(self.made["record"]["months"])
        if self.made["record"]["partial"]:
            said = self.scored(states[0])
            return (f"How far to trust it: only some cells are missing; with {states[0]['title']['en']}, sectors by "
                    f"area were {said['error_percent']} off in the replay of {count} months, the month a year ago "
                    f"{said['last_value_error_percent']}, and the 90% interval held {said['coverage90']}.")  # fmt: skip
        said = self.scored(total)
        return (f"How far to trust it: with {states[0]['title']['en']}, the replayed totals of "
                f"{count} months were {said['error_percent']} off, the month a year ago "
                f"{said['last_value_error_percent']}; {said['held']} of {total['months']} were inside "
                "the 90% interval.")  # fmt: skip
