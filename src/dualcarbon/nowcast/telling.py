"""The yearly analysis in words: paragraphs, and the report that is written as Word or PDF."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from dualcarbon.core import report
from dualcarbon.nowcast import drawing

#: Sectors named as those that pulled most, up and down; flags told one by one.
NAMED, TOLD = 5, 10
WAN = 1e4
#: Captions of the tables and figures by the number of their paragraph.
TABLES = {1: ("分领域排放", "By domain"), 2: ("分地区排放", "By area")}
FIGURES = {
    0: ("分月排放与上年同月", "Months and the same months a year before"),
    4: ("变动的分解（万吨）", "What the change is made of (10⁴ t)"),
}


def paragraphs(made: dict[str, Any], lang: str) -> list[dict[str, Any]]:
    """The analysis `made` by `situation.analyse` as {heading, text, table} in Chinese (`zh`) or English (`en`)."""
    words = _Chinese(made) if lang == "zh" else _English(made)
    parts = [
        (words.heading(1), words.overview(), None),
        (words.heading(2), words.most("domains"), _table(made["domains"], lang)),
        (words.heading(3), words.most("areas"), _table(made["areas"], lang)),
        (words.heading(4), words.sectors(), None),
        (words.heading(5), words.causes(), None),
        (words.heading(6), words.quality(), None),
        (words.heading(7), words.checks(), None),
        (words.heading(8), words.advice(), None),
        (words.heading(9), words.data(), None),
    ]
    return [{"heading": heading, "text": text, "table": table} for heading, text, table in parts]


def title(made: dict[str, Any], lang: str = "zh") -> str:
    """The report's title; synthetic data are named as such."""
    name = made["place_name"][lang]
    mark = {"zh": "（演示数据）", "en": " (synthetic data)"}[lang] if made["synthetic"] else ""
    return (f"{name} {made['year']} 年碳排放形势分析" if lang == "zh" else f"{name}: carbon in {made['year']}") + mark


def document(made: dict[str, Any], lang: str = "zh") -> report.Report:
    """The analysis as a report with its figures: months, areas, causes."""
    zh = lang == "zh"
    source = based(made, lang)
    blocks: list[report.Block] = []
    tables = figures = 0

    def caption(kind: str, number: int, words: str) -> str:
        return f"{kind}{number}　{words}" if zh else f"{kind} {number}. {words}"

    for number, part in enumerate(made["paragraphs"][lang]):
        blocks.append(report.Heading(part["heading"]))
        blocks += [report.Paragraph(line) for line in part["text"].split("\n") if line]
        if part["table"]:
            tables += 1
            what = TABLES[number][0 if zh else 1]
            head, *rows = part["table"]
            blocks.append(report.Table(head, rows, caption("表" if zh else "Table", tables, what), source, "lrrrr"))
        drawn = {0: lambda: drawing.months(made["months"], lang), 4: lambda: drawing.effects(made["causes"], lang)}
        picture = drawn[number]() if number in drawn else ""
        if picture:
            figures += 1
            what = FIGURES[number][0 if zh else 1]
            blocks.append(report.Figure(picture, caption("图" if zh else "Figure", figures, what), source))
    mark = {"zh": "演示数据", "en": "synthetic data"}[lang] if made["synthetic"] else ""
    plain = title({**made, "synthetic": False}, lang)
    day = made["as_of"] if isinstance(made["as_of"], date) else date.fromisoformat(str(made["as_of"]))
    return report.Report(plain, blocks, lang=lang, day=day, label=mark)


def based(made: dict[str, Any], lang: str) -> str:
    """What a table or figure rests on: datasets, day of knowledge, status."""
    names = [one["title"][lang] for one in made["sources"]]
    if lang == "zh":
        return f"资料来源：{'、'.join(names)}；数据截至 {made['as_of']}；依据状态：{made['status_name']['zh']}。"
    return f"Source: {', '.join(names)}; known on {made['as_of']}; status: {made['status_name']['en']}."


def write(made: dict[str, Any], path: Path, lang: str = "zh") -> Path:
    """Write the report as its ending says, ``.docx`` or ``.pdf``. Raises Refused as `core.report.write` does."""
    return report.write(document(made, lang), path)


def _table(rows: Sequence[dict[str, Any]], lang: str) -> list[list[str]]:
    zh, en = (
        ["名称", "排放量（万吨）", "占比", "同比", "拉动（百分点）"],
        ["Name", "10⁴ t", "Share", "Change", "Points"],
    )
    body = [
        [row["name"][lang], f"{row['value'] / WAN:,.1f}", f"{row['share'] or 0:.1%}",
         "—" if row["change_percent"] is None else f"{_signed(row['change_percent'], 1)}%",
         "—" if row["pull_points"] is None else _signed(row["pull_points"], 2)]
        for row in rows
    ]  # fmt: skip
    return [zh if lang == "zh" else en, *body]


def _signed(value: float, digits: int) -> str:
    text = f"{value:+.{digits}f}".replace("-", "−")
    return text.lstrip("+−") if not float(f"{value:.{digits}f}") else text


class _Words:
    """What both languages need of an analysis."""

    lang = ""

    def __init__(self, made: dict[str, Any]) -> None:
        self.made = made
        self.name = made["place_name"][self.lang]
        self.up = made["change"] >= 0
        self.size = f"{abs(made['change_percent'] or 0):.1f}%"
        self.value = f"{made['value'] / WAN:,.1f}"
        self.moved = f"{abs(made['change']) / WAN:,.1f}"
        self.ends = [] if made["low"] is None else [f"{made[end] / WAN:,.1f}" for end in ("low", "high")]
        pulls = sorted((row for row in made["sectors"] if row["pull_points"]), key=lambda row: row["pull_points"])
        self.rising = [row for row in reversed(pulls) if row["pull_points"] >= 0.005][:NAMED]
        self.falling = [row for row in pulls if row["pull_points"] <= -0.005][:NAMED]

    def biggest(self, key: str) -> dict[str, Any] | None:
        """The row that moved the total most."""
        rows = [row for row in self.made[key] if row["pull_points"] is not None]
        return max(rows, key=lambda row: abs(row["pull_points"]), default=None)

    def record(self) -> dict[str, Any] | None:
        """The replay's record where it says something."""
        record = self.made["record"]
        return record if record and None not in (record["coverage90"], record["skill_vs_last"]) else None


class _Chinese(_Words):
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
            f"{self.span()}，{self.name}能源活动二氧化碳排放 {self.value} 万吨（含非发电燃料燃烧和购入电力），同比"
            f"{'增加' if self.up else '减少'} {self.moved} 万吨、{'增长' if self.up else '下降'} {self.size}。"
        )
        known = [one for one in made["months"] if one["last_year"]]
        if len(known) > 3:
            most = max(known, key=lambda one: one["value"])
            least = min(known, key=lambda one: one["value"])
            rose = sum(one["value"] > one["last_year"] for one in known)
            text += (f"分月看，{int(most['month'][5:])} 月排放最多（{most['value'] / WAN:,.1f} 万吨），"
                     f"{int(least['month'][5:])} 月最少（{least['value'] / WAN:,.1f} 万吨）；{len(known)} 个月中有 "
                     f"{rose} 个月高于上年同月，{len(known) - rose} 个月持平或低于上年同月。")  # fmt: skip
        if made["estimated_months"]:
            listed = "、".join(made["estimated_months"])
            text += f"其中 {listed} 尚未报齐，缺报部分为估算，90% 区间 {'—'.join(self.ends)} 万吨。"
        return text + self.aim()

    def aim(self) -> str:
        target = self.made["target"]
        if not target:
            return ""
        size = f"{target['value'] / WAN:,.1f} 万吨"
        doubt = "" if target["status"] in ("official", self.made["status"]) else f"（{target['status_name']['zh']}）"
        if len(self.made["months"]) < 12:
            return f"年度目标 {size}{doubt}，已排放量为目标的 {self.made['value'] / target['value']:.1%}。"
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
        falls = sum((row["change_percent"] or 0) < 0 for row in rows)
        count = f"{len(rows)} 个{who or '地区'}"
        return (
            f"{text}。{count}中 {len(rows) - falls} 个增长、{falls} 个下降。" if falls else f"{text}。{count}均为增长。"
        )

    def sectors(self) -> str:
        def listed(rows: list[dict[str, Any]]) -> str:
            return "；".join(f"{row['name']['zh']} {_signed(row['pull_points'], 2)}" for row in rows) or "无"

        return (f"拉动增速较多的行业依次为（单位：百分点）：{listed(self.rising)}。"
                f"下拉较多的行业依次为：{listed(self.falling)}。")  # fmt: skip

    def causes(self) -> str:
        causes = self.made["causes"]
        if not causes:
            return "年内尚有月份未报齐，暂不分解。"
        parts = [one for one in causes["effects"] if abs(one["percent"] or 0) >= 0.005]
        parts.sort(key=lambda one: -abs(one["percent"]))
        up = [f"{one['title']['zh']} {one['percent']:.2f} 个百分点" for one in parts if one["percent"] > 0]
        down = [f"{one['title']['zh']} {-one['percent']:.2f} 个百分点" for one in parts if one["percent"] < 0]
        told = [f"{verb}{'、'.join(each)}" for verb, each in (("拉升因素为", up), ("下拉因素为", down)) if each]
        text = f"按对数平均迪氏指数（LMDI）分解，{'；'.join(told)}。各因素合计等于总变动。"
        return text + ("" if causes["activity"] else "缺少覆盖两年的增加值，规模与结构未单列。")

    def quality(self) -> str:
        record = self.record()
        if not record:
            return "可回放的月份不足。"
        better = record["skill_vs_last"] > 0
        return (f"按当时已知的数据重做本年各月估算（燃料数据晚到一个月），与报齐后的核算相比，平均误差 "
                f"{record['error_percent']:.1f}%，{'低于' if better else '不低于'}沿用上年同月的 "
                f"{record['last_value_error_percent']:.1f}%；{record['better_than_last']:.0%} 的地区行业单元优于沿用"
                f"上年同月。名义 90% 的区间实际覆盖 {record['coverage90']:.0%}。")  # fmt: skip

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
            told.append(f"催报 {'、'.join(self.made['estimated_months'])} 未到的数据，到齐后本分析自动更新。")
        if self.made["causes"] and not self.made["causes"]["activity"]:
            told.append("补充分行业增加值，以便区分规模、结构与强度的作用。")
        return "\n".join(f"{n}. {text}" for n, text in enumerate(told, 1)) or "继续按月监测。"

    def data(self) -> str:
        made = self.made
        return (f"{based(made, 'zh')}本分析为速算口径，不含跨界热力、工业过程排放和"
                "发电用燃料；因子的不确定性见碳账户。各数均可在系统中点开，直至报送的原始数据。")  # fmt: skip


class _English(_Words):
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
                f"electricity) was {self.value} ×10⁴ t, {self.moved} ×10⁴ t ({self.size}) "
                f"{'more' if self.up else 'less'} than a year before.")  # fmt: skip
        if made["estimated_months"]:
            listed = ", ".join(made["estimated_months"])
            text += f" Reports of {listed} are incomplete and estimated; 90 % interval {' to '.join(self.ends)}."
        return text + self.aim()

    def aim(self) -> str:
        target = self.made["target"]
        if not target:
            return ""
        size = f"{target['value'] / WAN:,.1f} ×10⁴ t"
        doubt = "" if target["status"] in ("official", self.made["status"]) else f" ({target['status_name']['en']})"
        if len(self.made["months"]) < 12:
            return f" That is {self.made['value'] / target['value']:.1%} of the year's target of {size}{doubt}."
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
            return "; ".join(f"{row['name']['en']} ({_signed(row['pull_points'], 2)})" for row in rows) or "none"

        return f"Pulled up, in points: {listed(self.rising)}. Pulled down: {listed(self.falling)}."

    def causes(self) -> str:
        causes = self.made["causes"]
        if not causes:
            return "Some months are not reported yet; no decomposition."
        parts = [one for one in causes["effects"] if abs(one["percent"] or 0) >= 0.005]
        each = "; ".join(f"{one['title']['en']} {_signed(one['percent'], 2)} points" for one in parts)
        return f"Additive LMDI, summing to the change: {each}." + (
            "" if causes["activity"] else " No value added covers both years."
        )

    def quality(self) -> str:
        record = self.record()
        if not record:
            return "Too few months to replay."
        return (f"Replay of the year's months, fuels a month late: error {record['error_percent']:.1f} %, the month "
                f"a year ago {record['last_value_error_percent']:.1f} %; {record['better_than_last']:.0%} of cells "
                f"better; the 90 % interval held {record['coverage90']:.0%}.")  # fmt: skip

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
            told.append(f"Ask for the reports of {', '.join(self.made['estimated_months'])}.")
        return "\n".join(f"{n}. {text}" for n, text in enumerate(told, 1)) or "Keep watching month by month."

    def data(self) -> str:
        made = self.made
        return (f"{based(made, 'en')} Heat across the boundary, process CO2 "
                "and fuel for power are not in here; uncertainty of factors is shown by the account.")  # fmt: skip
