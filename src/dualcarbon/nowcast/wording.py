"""The sentences of the yearly analysis, in Chinese and in English."""

from typing import Any

from dualcarbon.nowcast import gaps

#: Sectors named as those that pulled most, up and down; flags told one by one.
NAMED, TOLD = 5, 10
WAN = 1e4


def based(made: dict[str, Any], lang: str) -> str:
    """What a table or figure rests on: datasets, day of knowledge, status."""
    names = [one["title"][lang] for one in made["sources"]]
    if lang == "zh":
        return f"资料来源：{'、'.join(names)}；数据截至 {made['as_of']}；依据状态：{made['status_name']['zh']}。"
    return f"Source: {', '.join(names)}; known on {made['as_of']}; status: {made['status_name']['en']}."


def signed(value: float, digits: int) -> str:
    """A number with its sign, zero without."""
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text.lstrip("+−") if not float(f"{value:.{digits}f}") else text


def _minus(value: float) -> str:
    return f"{value:,.1f}".replace("-", "−")


def _more(value: float) -> str:
    return "增加" if value >= 0 else "减少"


class Words:
    """What both languages need of an analysis."""

    lang = ""

    def __init__(self, made: dict[str, Any]) -> None:
        self.made = made
        self.name = made["place_name"][self.lang]
        self.up = (made["change"] or 0) >= 0
        self.size = f"{abs(made['change_percent'] or 0):.1f}%"
        self.value = f"{made['value'] / WAN:,.1f}"
        self.moved = f"{abs(made['change'] or 0) / WAN:,.1f}"
        self.ends = [] if made["low"] is None else [f"{made[end] / WAN:,.1f}" for end in ("low", "high")]
        pulls = sorted((row for row in made["sectors"] if row["pull_points"]), key=lambda row: row["pull_points"])
        self.rising = [row for row in reversed(pulls) if row["pull_points"] >= 0.005][:NAMED]
        self.falling = [row for row in pulls if row["pull_points"] <= -0.005][:NAMED]

    def factors(self) -> str:
        """What has no factor and is in no total, and which factors were borrowed."""
        told = [one["message"][self.lang] for one in [*self.made["missing"], *self.made["factors"]]]
        return "".join(one if self.lang == "zh" else f"{one} " for one in told)

    def biggest(self, key: str) -> dict[str, Any] | None:
        """The row that moved the total most."""
        rows = [row for row in self.made[key] if row["pull_points"] is not None]
        return max(rows, key=lambda row: abs(row["pull_points"]), default=None)

    def gaps(self, when: str) -> str:
        """Who has not reported which months, of this year (`now`) or of the one before."""
        return gaps.said(self.made["gaps"][when], self.lang)

    def effects(self) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
        """The effects that show, and what is only a change of scope."""
        parts = [one for one in self.made["causes"]["effects"] if abs(one["percent"] or 0) >= 0.005]
        scope = next((one for one in parts if one["effect"] == "scope"), None)
        return [one for one in parts if one is not scope], scope

    def undecomposed(self) -> float:
        """What of the change the effects do not explain (t CO2): what official totals moved."""
        causes, (_, scope) = self.made["causes"], self.effects()
        return float((self.made["change"] or 0.0) - causes["change"] + (scope["value"] if scope else 0.0))

    def record(self) -> dict[str, Any] | None:
        """The replay's record where it says something."""
        record = self.made["record"]
        return record if record and None not in (record["coverage90"], record["skill_vs_last"]) else None


class Chinese(Words):
    lang = "zh"

    def heading(self, number: int) -> str:
        names = (
            "总体情况",
            "分领域情况",
            "分地区情况",
            "重点行业情况",
            "变动原因",
            "估算质量",
            "需要核实的情况",
            "下一步工作建议",
        )
        return f"{'一二三四五六七八'[number - 1]}、{names[number - 1]}" if number < 9 else "附：数据说明"

    def span(self) -> str:
        made = self.made
        end = made["months"][-1]["month"][5:]
        return (
            f"{made['year']} 年"
            if end == "12"
            else f"{made['year']} 年 1—{int(end)} 月"
            if end != "01"
            else f"{made['year']} 年 1 月"
        )

    def overview(self) -> str:
        made = self.made
        text = (
            f"{self.span()}，{self.name}能源活动二氧化碳排放 {self.value} 万吨（含非发电燃料燃烧和购入电力），"
            + self.growth()
        )
        known = [one for one in made["months"] if one["last_year"]]
        if len(known) > 3:
            most = max(known, key=lambda one: one["value"])
            least = min(known, key=lambda one: one["value"])
            rose = sum(one["value"] > one["last_year"] for one in known)
            text += (f"分月看，{int(most['month'][5:])} 月排放最多（{most['value'] / WAN:,.1f} 万吨），"
                     f"{int(least['month'][5:])} 月最少（{least['value'] / WAN:,.1f} 万吨）；{len(known)} 个月中有 "
                     f"{rose} 个月高于上年同月，{len(known) - rose} 个月持平或低于上年同月。")  # fmt: skip
        lacks = "缺因子的行未计入，合计不完整（见数据说明）。" if made["lacking"] else ""
        return text + lacks + self.guessed() + self.before() + self.settled() + self.aim()

    def growth(self) -> str:
        made = self.made
        if made["change"] is None:
            return "没有可比的上年同期。" + self.left_out()
        like = "按可比口径" if made["left_out"] else ""
        return (f"{like}同比{'增加' if self.up else '减少'} {self.moved} 万吨、"
                f"{'增长' if self.up else '下降'} {self.size}。{self.left_out()}")  # fmt: skip

    def left_out(self) -> str:
        told = gaps.apart(self.made["left_out"], "zh")
        return f"{told}，没有可比数，同比不含。" if told else ""

    def guessed(self) -> str:
        made, parts = self.made, []
        if made["open_months"]:
            parts.append(f" {gaps.span_text(made['open_months'], 'zh')} 尚未报齐，缺报部分为估算")
        if made["gaps"]["now"]:
            parts.append(f"{self.gaps('now')}，按估算计入")
        ends = f"，90% 区间 {'—'.join(self.ends)} 万吨" if self.ends else ""
        return f"其中{'；'.join(parts)}{ends}。" if parts else ""

    def before(self) -> str:
        made, parts = self.made, []
        if made["gaps"]["open_before"]:
            parts.append(f" {gaps.span_text(made['gaps']['open_before'], 'zh')} 未报齐")
        if made["gaps"]["before"]:
            parts.append(self.gaps("before"))
        if not parts or not made["last_year_estimated"]:
            return ""
        share = f"（占上年的 {made['last_year_estimated'] / made['last_year']:.1%}）" if made["last_year"] else ""
        ends = [made[f"change_{end}_percent"] for end in ("low", "high")]
        grown = "" if None in ends else f"，增速的 90% 区间为 {'—'.join(f'{_minus(end)}%' for end in ends)}"
        return f"上年数中，{'；'.join(parts).strip()}，按估算计入{share}{grown}。"

    def settled(self) -> str:
        made = self.made
        text = ""
        if abs(made["settled"]) >= WAN / 20:
            verb = "调增" if made["settled"] > 0 else "调减"
            text = f"各月已按官方总数{verb} {abs(made['settled']) / WAN:,.1f} 万吨。"
        return text + ("" if made["alike"] else "官方总数只约束其中一年，同比按核算数比较。")

    def aim(self) -> str:
        target = self.made["target"]
        if not target:
            return ""
        size = f"{target['value'] / WAN:,.1f} 万吨"
        doubt = "" if target["status"] in ("official", self.made["status"]) else f"（{target['status_name']['zh']}）"
        if len(self.made["months"]) < 12:
            share = f"，已排放量为目标的 {self.made['value'] / target['value']:.1%}" if target["value"] else ""
            return f"年度目标 {size}{doubt}{share}。"
        gap = f"{'超出' if target['gap'] > 0 else '低'} {abs(target['gap']) / WAN:,.1f} 万吨"
        return f"年度目标 {size}{doubt}，实际{gap}。"

    def most(self, key: str) -> str:
        rows, top = self.made[key], self.biggest(key)
        if top is None or not rows:
            return ""
        start, who = {"domains": ("分领域看", "领域"), "areas": ("分地区看", "")}[key]
        first = rows[0]
        size = f"{start}，{first['name']['zh']}{who}排放 {first['value'] / WAN:,.1f} 万吨，占 {first['share'] or 0:.1%}"
        verb = "拉动" if top["pull_points"] >= 0 else "下拉"
        pulls = f"{verb}增速 {abs(top['pull_points']):.2f} 个百分点"
        if top is first:
            text = f"{size}，排放最多、影响最大，{pulls}"
        else:
            text = f"{size}，排放最多；{top['name']['zh']}{who}影响最大，{pulls}"
        grown = [row["change_percent"] for row in rows if row["change_percent"] is not None]
        falls = sum(one < 0 for one in grown)
        count = f"{len(grown)} 个{'可比的' if len(grown) < len(rows) else ''}{who or '地区'}"
        return (
            f"{text}。{count}中 {len(grown) - falls} 个增长、{falls} 个下降。"
            if falls
            else f"{text}。{count}均为增长。"
        )

    def sectors(self) -> str:
        def listed(rows: list[dict[str, Any]]) -> str:
            return "；".join(f"{row['name']['zh']} {signed(row['pull_points'], 2)}" for row in rows) or "无"

        return (f"拉动增速较多的行业依次为（单位：百分点）：{listed(self.rising)}。"
                f"下拉较多的行业依次为：{listed(self.falling)}。")  # fmt: skip

    def causes(self) -> str:
        causes = self.made["causes"]
        if not causes:
            return f"{(self.made['undecomposed'] or {}).get('zh', '年内尚有月份')} 未报齐，暂不分解。"
        parts, scope = self.effects()
        parts.sort(key=lambda one: -abs(one["percent"]))
        up = [f"{one['title']['zh']} {one['percent']:.2f} 个百分点" for one in parts if one["percent"] > 0]
        down = [f"{one['title']['zh']} {-one['percent']:.2f} 个百分点" for one in parts if one["percent"] < 0]
        told = [f"{verb}{'、'.join(each)}" for verb, each in (("拉升因素为", up), ("下拉因素为", down)) if each]
        text = f"按对数平均迪氏指数（LMDI）分解，{'；'.join(told)}。各因素合计等于总变动。"
        if scope:
            text += f"另有上年没有可比数的地区变动 {_minus(scope['value'] / WAN)} 万吨，不含在内。"
        if abs(self.undecomposed()) >= WAN / 20:
            text += f"官方总数另使变动{_more(self.undecomposed())} {abs(self.undecomposed()) / WAN:,.1f} 万吨，未分解。"
        text += "" if causes["activity"] else "缺少覆盖两年的增加值，规模与结构未单列。"
        return text + (causes["note"]["zh"] if causes["note"] else "")

    def quality(self) -> str:
        record = self.record()
        if not record:
            return "可回放的月份不足。"
        states = [self._state(one) for one in record["states"].values() if one["coverage90"] is not None]
        return (f"用现有数据、遮去当时还没有到的月份，重做本年{len(record['months'])}个月的估算，与报齐后的核算相比："
                f"{'；'.join(states)}。")  # fmt: skip

    def _state(self, one: dict[str, Any]) -> str:
        """How good the estimates were with so much in hand."""
        total = one["total"]
        whole = (f"合计误差{total['error_percent']:.1f}%（沿用上年同月为{total['last_value_error_percent']:.1f}%），"
                 f"{total['months']}个月中{total['held']}个月在90%区间内")  # fmt: skip
        return (f"{one['title']['zh']}时，{whole}；地区行业单元误差{one['error_percent']:.1f}%（沿用上年同月为"
                f"{one['last_value_error_percent']:.1f}%），{one['better_than_last']:.0%}的单元更准，90%区间实际覆盖"
                f"{one['coverage90']:.0%}")  # fmt: skip

    def checks(self) -> str:
        flags = self.made["flags"]
        if not flags:
            return "未发现需要核实的异常。"
        more = f"\n另有 {len(flags) - TOLD} 项，见系统。" if len(flags) > TOLD else ""
        return "\n".join(f"{n}. {flag['message']['zh']}" for n, flag in enumerate(flags[:TOLD], 1)) + more

    def advice(self) -> str:
        told = []
        if self.rising:
            names = "；".join(row["name"]["zh"] for row in self.rising[:3])
            told.append(f"对拉动增速较多的行业（{names}）开展调度，查明增长原因。")
        if self.made["flags"]:
            told.append(f"会同有关地区核实上述 {len(self.made['flags'])} 项异常，确需更正的，说明原因后重新报送。")
        if self.made["estimated_months"]:
            listed = gaps.span_text(self.made["estimated_months"], "zh")
            told.append(f"催报 {listed} 未到的数据，到齐后本分析自动更新。")
        if self.made["gaps"]["before"]:
            told.append(f"补报上年缺报的数据（{self.gaps('before')}）。")
        if self.made["causes"] and not self.made["causes"]["activity"]:
            told.append("补充分行业增加值，以便区分规模、结构与强度的作用。")
        return "\n".join(f"{n}. {text}" for n, text in enumerate(told, 1)) or "继续按月监测。"

    def data(self) -> str:
        made = self.made
        return (f"{based(made, 'zh')}{self.factors()}本分析为速算口径，不含跨界热力、工业过程排放和"
                "发电用燃料；因子的不确定性见碳账户。各数均可在系统中点开，直至报送的原始数据。")  # fmt: skip


class English(Words):
    lang = "en"

    def heading(self, number: int) -> str:
        names = ("Overview", "By domain", "By area", "Sectors", "Causes", "Quality of the estimates", "To be checked",
                 "What to do next")  # fmt: skip
        return f"{number} {names[number - 1]}" if number < 9 else "Data"

    def overview(self) -> str:
        made = self.made
        end = int(made["months"][-1]["month"][5:])
        span = str(made["year"]) if end == 12 else f"January to month {end} of {made['year']}"
        text = (f"In {span}, CO2 of energy activity in {self.name} (fuels burned other than for power, and purchased "
                f"electricity) was {self.value} ×10⁴ t, {self.growth()}")  # fmt: skip
        lacks = " Rows without a factor are left out; the total is incomplete (see Data)." if made["lacking"] else ""
        return text + lacks + self.guessed() + self.before() + self.settled() + self.aim()

    def growth(self) -> str:
        if self.made["change"] is None:
            return f"with nothing to compare it with.{self.left_out()}"
        like = ", like with like" if self.made["left_out"] else ""
        return (f"{self.moved} ×10⁴ t ({self.size}) {'more' if self.up else 'less'} than a year before{like}."
                f"{self.left_out()}")  # fmt: skip

    def left_out(self) -> str:
        told = gaps.apart(self.made["left_out"], "en")
        return f" Not compared: {told}." if told else ""

    def guessed(self) -> str:
        made, parts = self.made, []
        if made["open_months"]:
            parts.append(f"Reports of {gaps.span_text(made['open_months'], 'en')} are incomplete and estimated")
        if made["gaps"]["now"]:
            parts.append(f"Estimated: {self.gaps('now')}")
        ends = f"; 90 % interval {' to '.join(self.ends)}" if self.ends else ""
        return f" {'. '.join(parts)}{ends}." if parts else ""

    def before(self) -> str:
        made, parts = self.made, []
        if made["gaps"]["open_before"]:
            parts.append(f"most of {gaps.span_text(made['gaps']['open_before'], 'en')}")
        if made["gaps"]["before"]:
            parts.append(self.gaps("before"))
        if not parts or not made["last_year_estimated"]:
            return ""
        share = f" ({made['last_year_estimated'] / made['last_year']:.1%} of that year)" if made["last_year"] else ""
        ends = [made[f"change_{end}_percent"] for end in ("low", "high")]
        grown = "" if None in ends else f"; 90 % interval of growth {' to '.join(f'{_minus(end)} %' for end in ends)}"
        return f" In the year before, estimated: {'; '.join(parts)}{share}{grown}."

    def settled(self) -> str:
        made = self.made
        text = ""
        if abs(made["settled"]) >= WAN / 20:
            text = f" Official totals moved the months by {_minus(made['settled'] / WAN)} ×10⁴ t."
        return text + ("" if made["alike"] else " They bind one of the years only; growth is that of the counts.")

    def aim(self) -> str:
        target = self.made["target"]
        if not target:
            return ""
        size = f"{target['value'] / WAN:,.1f} ×10⁴ t"
        doubt = "" if target["status"] in ("official", self.made["status"]) else f" ({target['status_name']['en']})"
        if len(self.made["months"]) < 12:
            share = f"That is {self.made['value'] / target['value']:.1%} of the" if target["value"] else "The"
            return f" {share} year's target {'of' if target['value'] else 'is'} {size}{doubt}."
        gap = f"{abs(target['gap']) / WAN:,.1f} ×10⁴ t {'over' if target['gap'] > 0 else 'below'}"
        return f" The year's target is {size}{doubt}: {gap}."

    def most(self, key: str) -> str:
        top = self.biggest(key)
        if top is None:
            return ""
        verb = "added" if top["pull_points"] >= 0 else "took"
        rows = self.made[key]
        return (f"{rows[0]['name']['en']} is the largest with {rows[0]['share'] or 0:.1%}. {top['name']['en']} "
                f"mattered most: it {verb} {abs(top['pull_points']):.2f} points.")  # fmt: skip

    def sectors(self) -> str:
        def listed(rows: list[dict[str, Any]]) -> str:
            return "; ".join(f"{row['name']['en']} ({signed(row['pull_points'], 2)})" for row in rows) or "none"

        return f"Pulled up, in points: {listed(self.rising)}. Pulled down: {listed(self.falling)}."

    def causes(self) -> str:
        causes = self.made["causes"]
        if not causes:
            return f"Not reported: {(self.made['undecomposed'] or {}).get('en', 'some months')}; no decomposition."
        parts, scope = self.effects()
        each = "; ".join(f"{one['title']['en']} {signed(one['percent'], 2)} points" for one in parts)
        text = f"Additive LMDI, summing to the change: {each}."
        if scope:
            text += f" Areas without a year before moved {_minus(scope['value'] / WAN)} ×10⁴ t besides."
        if abs(self.undecomposed()) >= WAN / 20:
            text += f" Official totals moved {_minus(self.undecomposed() / WAN)} ×10⁴ t more, which is not decomposed."
        text += "" if causes["activity"] else " No value added covers both years."
        return text + (f" {causes['note']['en']}" if causes["note"] else "")

    def quality(self) -> str:
        record = self.record()
        if not record:
            return "Too few months to replay."
        told = []
        for one in record["states"].values():
            if one["coverage90"] is not None:
                total = one["total"]
                told.append(
                    f"with {one['title']['en']}, error of the total {total['error_percent']:.1f} % "
                    f"(the month a year ago {total['last_value_error_percent']:.1f} %), {total['held']} of "
                    f"{total['months']} months inside 90 %; cells {one['error_percent']:.1f} % "
                    f"({one['last_value_error_percent']:.1f} %), {one['better_than_last']:.0%} of them better, "
                    f"90 % held {one['coverage90']:.0%}"
                )
        return (f"Replay of the year's {len(record['months'])} months with the data of today and later months hidden: "
                f"{'; '.join(told)}.")  # fmt: skip

    def checks(self) -> str:
        told = [flag["message"]["en"] for flag in self.made["flags"][:TOLD]]
        return "\n".join(f"{n}. {text}" for n, text in enumerate(told, 1)) or "Nothing to ask about was found."

    def advice(self) -> str:
        told = []
        if self.rising:
            told.append(f"Ask about {'; '.join(row['name']['en'] for row in self.rising[:3])}, which pulled up most.")
        if self.made["flags"]:
            told.append(f"Check the {len(self.made['flags'])} departures above with the areas concerned.")
        if self.made["estimated_months"]:
            told.append(f"Ask for the reports of {gaps.span_text(self.made['estimated_months'], 'en')}.")
        if self.made["gaps"]["before"]:
            told.append(f"Ask for what the year before lacks: {self.gaps('before')}.")
        return "\n".join(f"{n}. {text}" for n, text in enumerate(told, 1)) or "Keep watching month by month."

    def data(self) -> str:
        made = self.made
        return (f"{based(made, 'en')} {self.factors()}Heat across the boundary, process CO2 "
                "and fuel for power are not in here; uncertainty of factors is shown by the account.")  # fmt: skip
