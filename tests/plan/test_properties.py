"""Whatever a plan says, it is read back as written, and a planted fault is found where it was planted."""

from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dualcarbon.plan import read_plan
from tests.plan.writers import MERGED, Draft, Grid, as_docx, as_html, as_pdf, as_text, as_xlsx

NAMES = [
    "绿色工厂",
    "零碳园区",
    "屋顶光伏面积",
    "新能源公交车",
    "公共充电桩",
    "老旧柴油货车淘汰",
    "绿色建筑面积",
    "森林抚育",
    "配方肥推广",
    "秸秆利用率",
    "节水器具改造",
    "低碳社区",
    "再生水利用率",
    "清洁生产审核",
    "碳普惠项目",
    "绿色信贷余额",
    "高标准农田",
    "污泥处置率",
    "港口岸电设施",
    "生态廊道",
]
UNITS = ("家", "个", "万平方米", "辆", "%", "公里", "万亩", "亿元", "MW", "万吨")
LEADS = ("市发展改革委", "市经信局", "市交通运输局", "市农业农村局", "市自然资源和规划局", "嘉德金融监管分局")
SLOW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

values = st.one_of(
    st.integers(1, 20000).map(lambda n: (str(n), "number", n, "=", False)),
    st.integers(1, 99).map(lambda n: (f"{n}.5", "number", n + 0.5, "=", False)),
    st.integers(1, 500).map(lambda n: (f"力争{n}", "number", n, "=", True)),
    st.integers(1, 500).map(lambda n: (f"累计完成{n}", "cumulative", n, "=", False)),
    st.integers(1, 99).map(lambda n: (f"下降{n}%", "change", n, "=", False)),
    st.integers(1, 99).map(lambda n: (f"≥{n}", "number", n, ">=", False)),
    st.just(("完成省下达目标", "qualitative", None, None, False)),
)


@st.composite
def tables(draw: st.DrawFn) -> list[tuple[str, str, Any, str, bool]]:
    """Rows of (name, unit, value, lead, whether the lead's cell is merged with the one above)."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(2, 14))]
    rows = []
    lead = LEADS[0]
    for i, name in enumerate(names):
        merged = i > 0 and draw(st.booleans())
        lead = lead if merged else draw(st.sampled_from(LEADS))
        rows.append((name, draw(st.sampled_from(UNITS)), draw(values), lead, merged))
    return rows


def draft(rows: list[tuple[str, str, Any, str, bool]]) -> Draft:
    header = [["序号", "指标名称", "单位", "目标值", "牵头单位"]]
    body = [
        [str(i), name, unit, value[0], MERGED if merged else lead]
        for i, (name, unit, value, lead, merged) in enumerate(rows, 1)
    ]
    return Draft(["云泽市2025年碳达峰碳中和工作要点", Grid(["表1 主要指标"], header, body)])


ALIKE = [
    (name, "家", ("1", "number", 1, "=", False), LEADS[0], False)
    for name in ("绿色工厂", "零碳园区", "屋顶光伏面积", "新能源公交车")
]


@SLOW
@given(tables(), st.sampled_from(["cells", "bars", "tabs", "gaps", "bare", "html", "xlsx", "docx", "pdf"]))
@example(ALIKE, "gaps")  # lines of one length are still a table
def test_indicators_are_read_as_written(tmp_path: Path, rows: list[Any], layout: str) -> None:
    plan = draft(rows)
    if layout in ("html", "xlsx", "docx", "pdf"):
        write = {"html": as_html, "xlsx": as_xlsx, "docx": as_docx, "pdf": as_pdf}[layout]
        found = read_plan(write(plan, tmp_path / f"p.{layout}"))
    else:
        found = read_plan(as_text(plan, tmp_path / "p.txt", layout))
    read = [
        (i["name"], i["unit"], (t := i["target"])["kind"], t["value"], t["comparison"], t["stretch"], i["lead"])
        for i in found["indicators"]
    ]
    assert read == [(name, unit, *value[1:], [lead]) for name, unit, value, lead, _ in rows]
    assert [i["number"] for i in found["indicators"]] == list(range(1, len(rows) + 1))


@SLOW
@given(
    st.sampled_from(NAMES),
    st.integers(2, 9000),
    st.integers(1, 9000),
    st.sampled_from(["以上", ""]),
    st.sampled_from([("", ""), ("累计", ""), ("", "累计")]),
)
def test_a_planted_difference_has_its_class(
    tmp_path: Path, name: str, said: int, listed: int, bound: str, stock: tuple[str, str]
) -> None:
    unit = "%" if name.endswith("率") else "个"
    lines = [
        "云泽市2025年碳达峰碳中和工作要点",
        "一、重点任务",
        "1.夯实基础。完善工作体系。",
        f"2.加快推进。全年{stock[0]}完成{name}{said}{unit}{bound}。",
        "3.强化保障。压实责任。",
        "表1",
        "序号\t指标名称\t单位\t目标值\t责任单位",
        f"1\t{name}\t{unit}\t{stock[1]}{listed}\t市经信局",
        "2\t空气质量优良率\t%\t91.3\t市生态环境局",
    ]
    path = tmp_path / "p.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    found = [
        f for f in read_plan(path)["findings"] if f["rule"] in ("value-differs", "value-satisfies", "annual-cumulative")
    ]
    one_stock = bool(stock[0] or stock[1]) and unit != "%"
    stock_first = bool(stock[0])
    if unit == "%" and any(stock):
        return  # a cumulative share means nothing
    if said == listed:
        assert [f["class"] for f in found] == (["probable stock-flow"] if one_stock else [])
        return
    (finding,) = found
    larger = said if stock_first else listed
    if one_stock:
        expected = "probable stock-flow" if larger == max(said, listed) else "contradiction"
    else:
        expected = "consistent" if bound and listed > said else "contradiction"
    assert finding["class"] == expected
    quotes = [place["quote"] for place in finding["places"]]
    assert str(said) in quotes[0] and str(listed) in quotes[1]
