"""The sentences of the yearly analysis in Chinese."""

from typing import Any

from dualcarbon.nowcast import gaps
from dualcarbon.nowcast.account import COVERS
from dualcarbon.nowcast.told import saying
from dualcarbon.nowcast.told.wording import FLAT, NAMED, TOLD, WAN, Row, Words, based, number


class Chinese(Words):
    lang = "zh"

    HEADINGS = (
        "总体情况",
        "分领域情况",
        "分地区情况",
        "重点行业情况",
        "变动原因",
        "估算质量",
        "需要核实的情况",
        "下一步工作建议",
    )

    def heading(self, count: int) -> str:
        return f"{'一二三四五六七八'[count - 1]}、{self.HEADINGS[count - 1]}" if count < 9 else "附：口径说明"

    def between(self, low: float, high: float, **asked: Any) -> str:
        return f"90%区间{self.tons(low, 'low', **asked)}—{self.tons(high, 'high', **asked)}万吨"

    def grown(self, value: float, **about: Any) -> str:
        """增长1.9%、下降1.9%、基本持平"""
        said = self.percent(value, "growth", **about)
        return f"基本持平（{said}）" if abs(value) < FLAT else f"{'增长' if value > 0 else '下降'}{said}"

    def listed(self, rows: list[Row], key: str, scope: str = "") -> str:
        """Rows with their growth and pull; names of sectors hold commas of their own."""
        return ("；" if key == "sectors" else "、").join(self.pulled(row, key, scope) for row in rows)

    def pulled(self, row: Row, key: str, scope: str = "") -> str:
        """海宁市（同比增长3.4%，拉动0.55个百分点）"""
        about = self.about(key, row)
        said = ["上年同期为零"] if row["last_year"] == 0 else []
        if row["change_percent"] is not None:
            said = [f"同比{self.grown(row['change_percent'], **about)}"]
        verb = "拉动" if row["pull_points"] >= 0 else "下拉"
        said.append(f"{verb}{self.points(row['pull_points'], **about)}个百分点")
        return f"{row['name']['zh']}{scope}（{'，'.join(said)}）"

    def span(self) -> str:
        return saying.period(self.made["period"], "zh")

    def overview(self) -> str:
        made = self.made
        ends = f"（{self.between(made['low'], made['high'])}）" if self.guessed else ""
        text = (f"{self.span()}，{self.name}能源活动二氧化碳排放（消费侧的非发电燃料燃烧和购入电力，下同）"
                f"{'预计为' if self.guessed else ''}{self.tons(made['value'])}万吨{ends}，{self.growth()}")  # fmt: skip
        return "\n".join(one for one in (text + self.sources(), self.monthly(), self.aim() + self.per_product(),
                                         self.holes()) if one)  # fmt: skip

    def growth(self) -> str:
        made = self.made
        if made["change"] is None:
            return "没有可比的上年同期。" + self.left_out()
        like = "按可比口径" if made["left_out"] else ""
        change = self.put(
            self.amount(made["change"]), abs(made["change"]), "tCO2", kind="change", period=made["period"]
        )
        ends = ""
        if made["change_low_percent"] is not None:
            low, high = (self.percent(made[f"change_{end}_percent"], "growth", end) for end in ("low", "high"))
            ends = f"（增速的90%区间为{low}至{high}）"
        return (f"{like}同比{'增加' if made['change'] >= 0 else '减少'}{change}万吨，"
                f"{self.grown(made['change_percent'])}{ends}。{self.left_out()}")  # fmt: skip

    def sources(self) -> str:
        if not self.made["value"]:
            return ""
        told = [f"{name}{self.tons(self.made[part], part=part)}万吨，占"
                f"{self.percent(100 * self.made[part] / self.made['value'], 'share', part=part)}"
                for part, name in (("direct", "燃料燃烧排放"), ("indirect", "购入电力间接排放"))
                if self.made[part] is not None]  # fmt: skip
        return f"其中，{'；'.join(told)}。"

    def monthly(self) -> str:
        known = [one for one in self.made["months"] if one["last_year"]]
        if len(known) <= 3:
            return ""
        most, least = max(known, key=lambda one: one["value"]), min(known, key=lambda one: one["value"])
        rose = sum(one["change"] > 0 for one in known)
        ends = [f"{int(one['month'][5:])}月{word}（{self.tons(one['value'], period=one['month'])}万吨）"
                for one, word in ((most, "最高"), (least, "最低"))]  # fmt: skip
        told = f"{len(known)}个月中{rose}个月高于上年同月，{len(known) - rose}个月持平或低于上年同月"
        if rose in (0, len(known)):
            told = f"{len(known)}个月均{'高于' if rose else '持平或低于'}上年同月"
        return f"分月看，{'，'.join(ends)}；{told}（见图1）。"

    def left_out(self) -> str:
        told = gaps.apart(self.made["left_out"], "zh")
        return f"{told}，没有可比数，同比不含。" if told else ""

    def unheard(self) -> str:
        told = self.never({"direct": "燃料", "indirect": "用电"})
        how = "合计已按官方总数计" if self.made["settled"] else "合计不含这部分排放"
        return "".join(f"{'、'.join(places)}从未按月报送{what}，{how}。" for what, places in told.items())

    def holes(self) -> str:
        made, now, before = self.made, [], []
        now += self.open(made["open_months"], "尚未报齐，缺报部分为估算", "全部未报，为估算")
        if made["gaps"]["now"]:
            now.append(f"{self.gaps('now')}，按估算计入")
        before += self.open(made["gaps"]["open_before"], "未报齐", "全部未报")
        if made["gaps"]["before"]:
            before.append(self.gaps("before"))
        text = "缺因子的行未计入，合计不完整（见口径说明）。" if made["missing"] else ""
        text += self.unheard()
        text += f"以上数据中，{'；'.join(now)}。" if now else ""
        if before and made["last_year_estimated"]:
            share = f"（占上年的{self.estimated()}）" if made["last_year"] else ""
            text += f"上年数中，{'；'.join(before)}，按估算计入{share}。"
        if abs(made["settled"]) >= WAN / 20:
            verb = "调增" if made["settled"] > 0 else "调减"
            held = made["official"]["months"]
            which = "各月" if len(held) == len(made["months"]) else gaps.span_text(held, "zh")
            text += f"{which}已按官方总数{verb}{self.settled(made['settled'])}万吨。"
        return text + self.unlike()

    def unlike(self) -> str:
        """By which figures growth is told, where official totals are not the same in both years."""
        official = self.made["official"]
        if not official["reason"]:
            return ""
        text = f"{official['reason']['zh']}，同比按调整前的数比较"
        if official["alike"]:
            text += f"；分月比较时，{gaps.span_text(official['alike'], 'zh')}约束的范围与上年同月相同，按调整后的数比较"
        return f"{text}。"

    def open(self, months: list[str], some: str, none: str) -> list[str]:
        """What is said of open months: those with `some` reports, and those with `none`."""
        empty = self.made["gaps"]["nothing"]
        kinds = (([one for one in months if (one in empty) == whole], said)
                 for whole, said in ((False, some), (True, none)))  # fmt: skip
        return [f"{gaps.span_text(which, 'zh')}{said}" for which, said in kinds if which]

    def aim(self) -> str:
        made, target = self.made, self.made["target"]
        if not target:
            return "年度目标尚未导入，未作比较。"
        size = self.put(self.amount(target["value"]), target["value"], "tCO2", query=target["query"])
        doubt = "" if target["status"] in ("official", made["status"]) else f"（{target['status_name']['zh']}）"
        if not target["value"]:
            return f"年度目标{size}万吨{doubt}。"
        if self.full:
            end = f"{'超出' if target['gap'] > 0 else '低'}{self.left()}万吨"
            return f"与年度目标{size}万吨{doubt}相比，{'预计' if self.guessed else '实际'}{end}。"
        done = self.percent(100 * made["value"] / target["value"], "progress")
        rest = "已超出" if target["gap"] > 0 else "余量为"
        return f"年度目标{size}万吨{doubt}，累计排放为目标的{done}，{rest}{self.left()}万吨。"

    def per_product(self) -> str:
        made, per = self.made, self.made["product"]
        if not per:
            official = made["official"]["reason"]
            why = {
                "uncovered": f"缺少覆盖{self.span()}及上年同期的地区生产总值",
                "left_out": "部分地区没有上年同期可比",
                "nothing": "上年同期没有排放",
                "unlike": f"{official['zh'] if official else ''}，前后不可比",
            }[made["no_product"]]
            return f"{why}，单位地区生产总值二氧化碳排放未计算。"
        size = self.put(number(per["intensity"], 3), per["intensity"], "tCO2/wan_CNY", kind="intensity",
                        period=made["period"])  # fmt: skip
        moved = self.put(f"{number(abs(per['change_percent']), 1)}%", abs(per["change_percent"]), "%", kind="intensity",
                         period=made["period"], against=made["against"])  # fmt: skip
        way = "上升" if per["change_percent"] > 0 else "下降"
        return (f"单位地区生产总值二氧化碳排放{size}吨/万元，同比{way}{moved}"
                "（地区生产总值按现价，未扣除价格因素）。")  # fmt: skip

    def most(self, key: str) -> str:
        rows = [row for row in self.made[key] if row["code"]]
        if not rows:
            return ""
        if key == "areas" and len(rows) == 1:
            return "本地区不再细分。"
        who = {"domains": "领域", "areas": ""}[key]
        first = rows[0]
        share = self.percent(100 * (first["share"] or 0), "share", **self.about(key, first))
        size = self.tons(first["value"], **self.about(key, first))
        text = f"{first['name']['zh']}{who}排放最多，为{size}万吨，占{share}。"
        up, down = (self.ranked(key, way)[:NAMED] for way in (True, False))
        if up:
            text += f"对增速拉动较大的是{self.listed(up, key, who)}。"
        if down:
            text += f"下拉较大的是{self.listed(down, key, who)}。"
        known, ways = self.ways(rows)
        count = f"{known}个{'可比的' if known < len(rows) else ''}{who or '地区'}"
        verbs = {"up": "增长", "down": "下降", "flat": "基本持平"}
        if not known:
            return text
        rest = f"{count}中{'、'.join(f'{number}个{verbs[way]}' for way, number in ways.items())}"
        if len(ways) == 1:
            (way,) = ways
            rest = f"{count}{'均' if known > 1 else ''}{'与上年同期' if way == 'flat' else '同比'}{verbs[way]}"
        return f"{text}{rest}（见表{self.number(key)}）。"

    def sectors(self) -> str:
        up, down = (self.ranked("sectors", way)[:NAMED] for way in (True, False))
        text = ""
        if up:
            text = f"对增速拉动较大的行业依次是：{self.listed(up, 'sectors')}。"
        if down:
            text += f"下拉较大的行业依次是：{self.listed(down, 'sectors')}。"
        text = f"{text[:-1]}（见表{self.number('sectors')}）。" if text else "没有可比的行业。"
        return text + self.homes()

    def homes(self) -> str:
        """What is of households and of no sector: with the sectors it is all there is."""
        rows, rest, said = self.households(), self.unsorted(), "预计" if self.guessed else ""
        other = f"未分行业的{self.tons(rest['value'], **self.about('sectors', rest))}万吨" if rest else ""
        if not rows:
            return f"另有{other}。" if other else ""
        named = "、".join(self.home(row, len(rows) > 1) for row in rows)
        text = f"居民用能不列入行业，{said}排放量为{named}，与各行业{f'、{other}' if other else ''}合计为全部排放"
        row, beyond = self.residents(), self.made["homes"]["beyond"]
        if row:
            what = "家庭交通" if [one["code"] for one in beyond] == ["transport"] else "一部分"
            where = "、".join(one["name"]["zh"] for one in beyond)
            size = self.tons(row["value"], **self.about("domains", row))
            text += f"；其中{what}计入{where}领域，不在{row['name']['zh']}领域的{size}万吨之内"
        return f"{text}。"

    def home(self, row: Row, named: bool) -> str:
        about = self.about("sectors", row)
        said = [] if row["change_percent"] is None else [f"同比{self.grown(row['change_percent'], **about)}"]
        if row["pull_points"] is not None:
            verb = "拉动" if row["pull_points"] >= 0 else "下拉"
            said.append(f"{verb}{self.points(row['pull_points'], **about)}个百分点")
        apart = f"（{'，'.join(said)}）" if said else ""
        return f"{row['name']['zh'] if named else ''}{self.tons(row['value'], **about)}万吨{apart}"

    def moved(self) -> str:
        """The effects in points: 拉升因素是……；下拉因素是……"""
        causes, (parts, _) = self.made["causes"], self.effects()
        told = []
        for verb, sign in (("推动增长", 1), ("抑制增长", -1)):
            each = [f"{one['title']['zh']}（{self.effect(one, causes['period'])}个百分点）"
                    for one in parts if sign * one["percent"] > 0]  # fmt: skip
            told += [f"{verb}的因素有{'、'.join(each)}"] if each else []
        return "；".join(told)

    def reported(self) -> str:
        """What the causes are of, where it is not the whole period."""
        period = self.made["causes"]["period"]
        if period == self.made["period"]:
            return ""
        lost = (self.made["undecomposed"] or {}).get("zh")
        return f"{f'{lost}未报齐，' if lost else ''}就已报齐的{saying.period(period, 'zh')}，"

    def causes(self) -> str:
        causes = self.made["causes"]
        if not causes:
            return f"{(self.made['undecomposed'] or {}).get('zh', '年内尚有月份')}未报齐，暂不分解。"
        _, scope = self.effects()
        told = self.moved()
        text = (
            f"{self.reported()}按对数平均迪氏指数法（LMDI）分解，{told}，各因素合计等于总变动（见图{self.number('causes')}）。"
            if told
            else "各因素的作用都很小。"
        )
        if scope:
            size = self.put(self.amount(scope["value"]), abs(scope["value"]), "tCO2", kind="effect", effect="scope",
                            period=causes["period"])  # fmt: skip
            verb = "增加" if scope["value"] > 0 else "减少"
            text += f"另有上年没有可比数的地区{verb}{size}万吨，不含在内。"
        if abs(self.undecomposed()) >= WAN / 20:
            verb = "增加" if self.undecomposed() > 0 else "减少"
            text += (
                f"官方总数另使变动{verb}{self.settled(self.undecomposed(), against=causes['against'])}万吨，未分解。"
            )
        text += "" if causes["activity"] else "缺少覆盖两年的增加值，规模与结构未单列。"
        return text + "".join(causes[name]["zh"] for name in ("prices", "note") if causes[name])

    def quality(self) -> str:
        return "\n".join(one for one in (self.replayed(), self.uncertain()) if one)

    def uncertain(self) -> str:
        made = self.made["uncertainty"]
        if made is None:
            return ""
        size = f"为{self.doubt()}（95%）" if self.doubt() else "未知"
        return f"因子和活动数据本身的不确定性与估算误差分列，{size}：{made['note']['zh']}"

    def replayed(self) -> str:
        states = self.states()
        if not states:
            return "可回放的月份不足。"
        told = []
        for one in states:
            whole, cells = self.scored(one["total"]), self.scored(one)
            told.append(f"{one['title']['zh']}时，{self.name}合计的平均误差为{whole['error_percent']}"
                        f"（沿用上年同月为{whole['last_value_error_percent']}），{one['total']['months']}个月中"
                        f"{whole['held']}个月落在90%区间内；分地区分行业的平均误差为{cells['error_percent']}"
                        f"（沿用上年同月为{cells['last_value_error_percent']}），"
                        f"90%区间实际覆盖{cells['coverage90']}。")  # fmt: skip
        count = len(self.made["record"]["months"])
        lead = f"用现有数据、遮去当时还没有到的部分，重做最近{count}个月的估算，与报齐后的核算相比："
        return "\n".join([lead, *(f"{n}. {text}" for n, text in enumerate(told, 1))])

    def checks(self) -> str:
        flags = self.made["flags"]
        if not flags:
            return "未发现需要核实的异常。"
        more = f"\n另有{len(flags) - TOLD}项，见系统。" if len(flags) > TOLD else ""
        return "\n".join(f"{n}. {self.flagged(flag)}" for n, flag in enumerate(flags[:TOLD], 1)) + more

    def advice(self) -> str:
        told = [self.about_sectors(), self.about_areas(), self.about_target(), self.about_homes(), self.about_flags()]
        if self.made["estimated_months"]:
            told.append(f"催报{gaps.span_text(self.made['estimated_months'], 'zh')}未到的数据，到齐后本分析自动更新。")
        if self.made["gaps"]["before"]:
            told.append(f"补报上年缺报的数据（{self.gaps('before')}）。")
        if self.made["causes"] and not self.made["causes"]["activity"]:
            told.append("补充分行业增加值，以便区分规模、结构与强度的作用。")
        return "\n".join(f"{n}. {text}" for n, text in enumerate([one for one in told if one], 1)) or "继续按月监测。"

    def about_sectors(self) -> str:
        rows = self.ranked("sectors", True)[:NAMED]
        if not rows:
            return ""

        def one(row: Row) -> str:
            size, pulled = (self.tons(row["value"], sector=row["code"]),
                            self.points(row["pull_points"], sector=row["code"]))  # fmt: skip
            said = f"{size}万吨，拉动{pulled}个百分点"
            area = row["area"]
            if area and len(self.made["areas"]) > 1:
                pull = self.points(area["pull_points"], sector=row["code"], place=area["code"])
                said += f"，其中{area['name']['zh']}{pull}个百分点"
            return f"{row['name']['zh']}（{said}）"

        named = "；".join(one(row) for row in rows)
        return f"对拉动较大的行业，即{named}，逐个核对重点用能单位的能耗和产量，查明增长原因，按月调度。"

    def about_areas(self) -> str:
        rows = self.faster()
        if not rows:
            return ""
        who = "上述地区" if len(rows) > 1 else "该地区"
        return f"{self.listed(rows, 'areas')}增速明显高于{self.name}合计，请{who}说明原因，提出控制措施。"

    def about_target(self) -> str:
        target = self.made["target"]
        if not target or not target["value"]:
            return ""
        if self.full and target["gap"] > 0:
            return (f"全年排放{'预计' if self.guessed else ''}超出年度目标{self.left()}万吨，应在下一年度安排中消化，"
                    f"分解到上述行业{'和地区' if len(self.made['areas']) > 1 else ''}。")  # fmt: skip
        if not self.full and target["gap"] < 0:
            months = 12 - int(self.made["period"][-2:])
            return f"年内剩余{months}个月的排放须控制在{self.left()}万吨以内，据此安排后续调度。"
        return ""

    def about_homes(self) -> str:
        rows = self.drawn_up()
        if not rows:
            return ""
        pulls = [(row, self.points(row["pull_points"], **self.about("sectors", row))) for row in rows]
        named = "、".join(f"{row['name']['zh']}拉动{points}个百分点" for row, points in pulls)
        cars = "和绿色出行" if any(one["code"] == "transport" for one in self.made["homes"]["beyond"]) else ""
        return f"居民用能中，{named}，以引导节约用电用气{cars}为主，不列入行业调度。"

    def about_flags(self) -> str:
        flags = self.made["flags"]
        if not flags:
            return ""
        counts: dict[str, int] = {}
        for flag in flags:
            area = self.names.get(("place", flag["place"]), {}).get("zh")
            if area:
                counts[area] = counts.get(area, 0) + 1
        who = "、".join(f"{name}{count}项" for name, count in sorted(counts.items(), key=lambda pair: -pair[1]))
        return f"核实第七部分所列{len(flags)}项异常{f'（{who}）' if who else ''}，确需更正的，说明原因后重新报送。"

    def data(self) -> str:
        told = [
            f"核算范围：{COVERS['zh']}（前者为直接排放，后者为间接排放）；不含跨界热力、自发自用电力、工业过程排放和发电用燃料，因此与碳账户的消费侧总数不同。",
            "同比：与上年同期按可比口径比较；拉动（下拉）为该部分的同比增减量占上年同期全部排放的百分点，各部分合计等于增速。",
            "估算：未报或异常未采用的部分按估算计入，90%区间只反映估算的误差，因子和活动数据的不确定性另列（见第六部分）。",
            *([self.factors()] if self.factors() else []),
            based(self.made, "zh") + "文中各数均可在系统中打开，直至报送的原始数据。",
        ]  # fmt: skip
        return "\n".join(f"{n}. {text}" for n, text in enumerate(told, 1))
