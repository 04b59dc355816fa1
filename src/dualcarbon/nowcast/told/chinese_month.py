"""The sentences of a month's brief in Chinese."""

from dualcarbon.nowcast import gaps
from dualcarbon.nowcast.account import COVERS
from dualcarbon.nowcast.told import saying
from dualcarbon.nowcast.told.chinese import Chinese
from dualcarbon.nowcast.told.wording import Row, number


class ChineseMonth(Chinese):
    """The brief of a month: level, growth, the year so far, who and what moved it, what is late or odd, trust."""

    def parts(self) -> list[str]:
        trust = f"{self.late()}{self.trust()}本简析计入{COVERS['zh']}。"
        first = self.level() + self.unheard() + self.festival() + self.so_far() + self.totals()
        return [first, self.who(), self.why(), trust]

    def level(self) -> str:
        made = self.made
        ends = "，可核算的部分已全部核算，合计不完整" if made["lacking"] else "，已全部核算"
        ends = ends if made["counted_share"] > 0.9999 else "，等于官方总数"
        if self.guessed and made["counted_share"] < 0.005:
            ends = f"（{self.between(made['low'], made['high'])}，全部为估算）"
        elif self.guessed:
            counted = self.put(f"{number(100 * made['counted_share'], 0)}%", made["counted_share"], "share",
                               "counted_share", month=made["month"])  # fmt: skip
            ends = f"（{self.between(made['low'], made['high'])}，已核算部分占{counted}，其余为估算）"
        value = f"{'预计为' if self.guessed else ''}{self.tons(made['value'])}万吨"
        return (f"{self.span()}，{self.name}能源活动二氧化碳排放{value}{ends}，{self.growth()}")  # fmt: skip

    def festival(self) -> str:
        days, together = self.made["festival"], self.made["together"]
        if not days:
            return ""
        now, before = ([int(part) for part in days[when].split("-")] for when in ("now", "before"))
        text = (f"春节假期{now[0]}年始于{now[1]}月{now[2]}日、{before[0]}年始于{before[1]}月{before[2]}日，"
                "当月同比受春节错月影响")  # fmt: skip
        if not together or together["change_percent"] is None:
            return f"{text}{'，宜与2月合并看' if self.made['month'].endswith('-01') else ''}。"
        return f"{text}；1—2月合计同比{self.grown(together['change_percent'], period=together['period'])}。"

    def so_far(self) -> str:
        made, told = self.made, self.made["year_to_date"]
        target = made["target"]
        text = ""
        last = int(made["month"][5:])
        if last > 1:
            grown = ""
            if told["change_percent"] is not None:
                grown = f"，同比{self.grown(told['change_percent'], period=told['compared'])}"
                if told["compared"] != told["period"]:
                    first = int(told["compared"][5:7])
                    grown = (f"，其中{saying.months([first, last], 'zh')}{grown[1:]}"
                             f"（上年{saying.months([1, first - 1], 'zh')}没有数据，不含）")  # fmt: skip
                if told["left_out"] not in ([], made["left_out"]):
                    grown += f"（{gaps.apart(told['left_out'], 'zh')}，没有可比数，不含）"
            months = "全年" if last == 12 else saying.months([1, last], "zh")
            value = self.tons(told["value"], period=told["period"])
            text = f"{months}累计{'预计' if told['low'] is not None else ''}{value}万吨{grown}"
        if target and target["value"]:
            done = self.percent(100 * told["value"] / target["value"], "progress", period=told["period"])
            size = self.put(self.amount(target["value"]), target["value"], "tCO2", query=target["query"])
            text += f"{'，' if text else '排放'}为年度目标{size}万吨的{done}"
        text += "。" if text else ""
        ahead = made["ahead"]
        if ahead:
            value, low, high = (self.tons(ahead[end], end, period=ahead["period"]) for end in ("value", "low", "high"))
            text += f"按已报数据和近月走势，全年预计{value}万吨（90%区间{low}—{high}万吨）"
            if target and target["value"]:
                gap = ahead["value"] - target["value"]
                size = self.put(self.amount(gap), abs(gap), "tCO2", kind="target", period=ahead["period"])
                text += f"，{'超出' if gap > 0 else '低于'}目标{size}万吨"
            text += "。"
        return text

    def totals(self) -> str:
        """That the month, or the year so far, was settled against official totals, and how growth is told then."""
        told, said = self.moved_by_totals(), []
        names = {"month": "当月", "year": "累计"}
        for key, value in told["moved"].items():
            period = {} if key == "month" else {"period": self.made["year_to_date"]["period"]}
            verb = "调增" if value > 0 else "调减"
            said.append(f"{names[key]}排放已按官方总数{verb}{self.settled(value, **period)}万吨")
        said += [f"{reason}，{'和'.join(names[key] for key in keys)}同比按调整前的数比较"
                 for reason, keys in told["plain"].items()]  # fmt: skip
        return f"{'；'.join(said)}。" if said else ""

    def who(self) -> str:
        told = []
        for key, what in (("areas", "分地区看，"), ("sectors", "分行业看，")):
            said = [f"{verb}较大的有{'、'.join(self.briefly(row, key) for row in rows)}"
                    for verb, rows in zip(("拉动", "下拉"), self.leading(key), strict=True) if rows]  # fmt: skip
            if said and (key == "sectors" or len(self.made["areas"]) > 1):
                told.append(f"{what}{'；'.join(said)}。")
        return "".join(told) + self.homes()

    def briefly(self, row: Row, key: str) -> str:
        return f"{row['name']['zh']}（{self.points(row['pull_points'], **self.about(key, row))}个百分点）"

    def why(self) -> str:
        causes = self.made["causes"]
        if not causes:
            lost = (self.made["undecomposed"] or {}).get("zh")
            return f"{lost}未报齐，变动原因暂不分解。" if lost else ""
        told = self.moved()
        if not told:
            return ""
        lead = f"当月尚未报齐，就已报齐的{saying.period(causes['period'], 'zh')}看"
        lead = "从变动原因看" if causes["period"] == self.made["month"] else lead
        return f"{lead}，{told}。{causes['prices']['zh'] if causes['prices'] else ''}"

    def late(self) -> str:
        made, told = self.made, []
        if made["open_months"]:
            none = made["month"] in made["gaps"]["nothing"]
            sole = "燃料" if made["indirect"] is None else "用电" if made["direct"] is None else ""
            told.append(f"当月{sole or ('用电和燃料均' if none else '用电或燃料大部分')}未报，按估算计入")
        if made["gaps"]["now"]:
            told.append(f"{self.gaps('now')}，按估算计入")
        before = self.open(made["gaps"]["open_before"], "未报齐", "全部未报")
        before += [self.gaps("before")] if made["gaps"]["before"] else []
        if before and made["last_year_estimated"]:
            told.append(f"上年同月{'；'.join(before)}，同比中按估算计入")
        text = f"报送情况：{'；'.join(told)}。" if told else ""
        text += self.factors()
        flags = made["flags"]
        if flags:
            first = {**flags[0], "message": {"zh": flags[0]["message"]["zh"].rstrip("。")}}
            text += f"需要核实{len(flags)}项，{'主要' if len(flags) > 1 else '即'}：{self.flagged(first)}。"
        return text

    def trust(self) -> str:
        states = self.states()
        if not self.guessed:
            return ""
        if not states:
            return "可回放的月份不足，估算的误差尚无记录。"
        total = states[0]["total"]
        count = len(self.made["record"]["months"])
        if self.made["record"]["partial"]:
            said = self.scored(states[0])
            return (f"估算可信度：只有部分单元未报；{states[0]['title']['zh']}时，最近{count}个月回放的分地区分行业"
                    f"平均误差为{said['error_percent']}，沿用上年同月为{said['last_value_error_percent']}，"
                    f"90%区间实际覆盖{said['coverage90']}。")  # fmt: skip
        said = self.scored(total)
        return (f"估算可信度：{states[0]['title']['zh']}时，最近{count}个月回放的合计平均误差为"
                f"{said['error_percent']}，沿用上年同月为{said['last_value_error_percent']}；{total['months']}个月中"
                f"{said['held']}个月落在90%区间内。")  # fmt: skip
