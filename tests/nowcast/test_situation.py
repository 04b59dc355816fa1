"""The words of the quick-calc: every number of the month's brief and the yearly analysis opens to what is printed."""

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import docx
import pdfplumber
import polars as pl
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from dualcarbon import nowcast
from dualcarbon.app.web import create_app
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast import shown
from dualcarbon.nowcast.commands import cli
from dualcarbon.nowcast.told import drawing, saying, telling
from tests.nowcast.test_run import DATASET, published, rows, total

LATE, EARLY = date(2025, 3, 1), date(2024, 11, 2)
YEAR = date(2024, 1, 1), date(2025, 1, 1)
PER = {"zh": {"tCO2": 1e4}, "en": {"tCO2": 1e3}}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Six counties with households, a target and gross domestic product, of the city too and not their sum."""
    folder = tmp_path_factory.mktemp("told") / "w"
    made = published(folder, total("330400", YEAR, 3_000_000.0, date(2024, 1, 1), "target.emission.co2"))
    homes = (
        rows(seed=7)
        .filter(pl.col("sector") == "C39")
        .with_columns(sector=pl.lit("HH-U"), domain=pl.lit(None, pl.String))
    )
    cars = homes.with_columns(domain=pl.lit("transport"), value=pl.col("value") / 5)
    made.import_frame(pl.concat([homes, cars]), source={"file": "homes"}, dataset={**DATASET, "id": "homes"})
    made.import_frame(products(), source={"file": "yearbook"}, dataset={**DATASET, "id": "economy"})
    return made


def products() -> pl.DataFrame:
    """Gross domestic product of the city and its counties, by quarter."""
    counties = ("330402", "330411", "330421", "330424", "330481", "330483")
    product = [
        (county, "economy.gdp", date(year, 3 * q - 2, 1), date(year + q // 4, 3 * q % 12 + 1, 1),
         of * (1 + 0.05 * (year - 2023)), "万元", date(year + q // 4, 3 * q % 12 + 1, 20))
        for county, of in (("330400", 7e5), *((one, 1e5) for one in counties))
        for year in (2023, 2024) for q in (1, 2, 3, 4)
    ]  # fmt: skip
    columns = ["place", "item", "start", "end", "value", "unit", "known_at"]
    return pl.DataFrame(product, schema=columns, orient="row")


@pytest.fixture(scope="module")
def client(place: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(place.path, warm=False), headers={"accept": "text/html"}) as made:
        yield made


def figures(made: dict[str, Any], lang: str) -> list[dict[str, Any]]:
    """Every figure of the text and of the tables."""
    found = []
    for part in made["paragraphs"][lang]:
        found += [one for line in part["lines"] for one in line if "unit" in one]
        found += [one for row in part["cells"] or [] for one in row if one]
    for table in made.get("tables", {}).get(lang, []):
        found += [one for row in table["cells"] for one in row if one]
    return found


def opened(workspace: Workspace, client: TestClient, one: dict[str, Any]) -> dict[str, Any]:
    if "query" in one:
        return dict(client.get("/explain.json", params=one["query"]).json())
    ask = nowcast.open_reason if "kind" in one["question"] else nowcast.open_figure
    return ask(workspace, **one["question"])


def check(workspace: Workspace, client: TestClient, made: dict[str, Any]) -> int:
    """Open all figures of both languages; each is the node's value, one of its ends, or one of the numbers it shows,
    and is printed as it is. Returns how many there are."""
    nodes: dict[str, dict[str, Any]] = {}
    count = 0
    for lang in ("zh", "en"):
        for one in figures(made, lang):
            key = json.dumps(one.get("question") or one["query"], sort_keys=True)
            if key not in nodes:
                nodes[key] = opened(workspace, client, one)
            node = nodes[key]
            shown = [node[one["of"]], *(line["value"] for line in node.get("inputs") or ())]
            assert any(value is not None and abs(value) == pytest.approx(abs(one["value"]), rel=1e-6)
                       for value in shown), (one, shown)  # fmt: skip
            text = one["text"].strip("+−%").replace(",", "")
            printed = abs(one["value"]) / PER[lang].get(one["unit"], 1) * (100 if one["unit"] == "share" else 1)
            digits = len(text.partition(".")[2])
            assert float(text) == pytest.approx(printed, abs=0.5001 * 10**-digits), one
            assert one["name"]["zh"] and one["name"]["en"]
            count += 1
    return count


@pytest.mark.parametrize("day", [LATE, EARLY])
def test_every_number_of_the_year_opens(place: Workspace, client: TestClient, day: date) -> None:
    made = nowcast.analyse(place, year=2024, as_of=day)
    assert check(place, client, made) > 150
    for lang in ("zh", "en"):
        assert not re.search("[\ue000-\ue002]", json.dumps(made["paragraphs"][lang], ensure_ascii=False))
    # No measured number of the sentences stands there without what opens it: all decimals are figures.
    for part in made["paragraphs"]["zh"][:6]:
        bare = "".join(one["text"] for line in part["lines"] for one in line if "unit" not in one)
        assert not re.search(r"\d\.\d|\d%(?!区间|的区间)", bare.replace("90%", "")), bare


@pytest.mark.parametrize(
    ("month", "day"), [("2024-10", EARLY), ("2024-09", EARLY), ("2024-02", LATE), ("2025-01", None)]
)
def test_every_number_of_a_month_opens(place: Workspace, client: TestClient, month: str, day: date | None) -> None:
    made = nowcast.monthly(place, month=month, as_of=day)
    assert made["month"] == month and check(place, client, made) > 100
    zh = made["paragraphs"]["zh"][0]["text"]
    assert f"{saying.month(month, 'zh')}，嘉兴市能源活动二氧化碳排放" in zh and "个百分点" in zh
    assert ("预计" in zh) == (made["low"] is not None)


@pytest.mark.slow
@pytest.mark.parametrize("day", [None, EARLY])
def test_every_number_of_the_demonstration_city_opens(tmp_path: Path, day: date | None) -> None:
    from dualcarbon.demo.assembly import build

    build(tmp_path / "city")
    workspace = Workspace.open(tmp_path / "city")
    with TestClient(create_app(workspace.path, warm=False), headers={"accept": "text/html"}) as client:
        assert check(workspace, client, nowcast.analyse(workspace, year=2024, as_of=day)) > 300
        assert check(workspace, client, nowcast.monthly(workspace, month="2024-10", as_of=day)) > 40


def test_official_totals_and_holes_of_last_year_open_too(tmp_path: Path) -> None:
    """A year's total, settled, in both years; and a county that lacks months of the year before."""
    years = [total("330400", (date(year, 1, 1), date(year + 1, 1, 1)), 2_600_000.0 + 1e5 * (year - 2023),
                   date(2025, 2, 1)) for year in (2023, 2024)]  # fmt: skip
    settled = published(tmp_path / "settled", *years)
    hole = (pl.col("place") == "330402-rest") & pl.col("start").is_between(date(2023, 3, 1), date(2023, 8, 1))
    holed = Workspace.create(tmp_path / "holed")
    holed.import_frame(rows().filter(~hole), source={"file": "generator"}, dataset=DATASET)
    for workspace, words in ((settled, ("各月已按官方总数", "官方总数另使变动")), (holed, ("占上年的",))):
        made = nowcast.analyse(workspace, year=2024, as_of=LATE)
        text = "".join(part["text"] for part in made["paragraphs"]["zh"])
        assert all(word in text for word in words)
        with TestClient(create_app(workspace.path, warm=False), headers={"accept": "text/html"}) as client:
            assert check(workspace, client, made) > 150


def test_households_are_no_sector(place: Workspace) -> None:
    made = nowcast.analyse(place, year=2024, as_of=LATE)
    households = {row["name"]["zh"] for row in made["sectors"] if row["household"]}
    assert households
    parts = made["paragraphs"]["zh"]
    sectors, advice = parts[3], parts[7]["text"].split("\n")[0]
    assert "居民用能不列入行业，排放" in sectors["text"]
    # Sectors and households are all there is; cars are of households and in another domain than these.
    assert sum(row["value"] for row in made["sectors"]) == pytest.approx(made["value"])
    homes = sum(row["value"] for row in made["sectors"] if row["household"])
    (residents,) = [row["value"] for row in made["domains"] if row["code"] == "residents"]
    assert homes == pytest.approx(1.2 * residents)
    assert f"合计为全部排放；其中家庭交通计入交通领域，不在居民领域的{residents / 1e4:.1f}万吨之内" in sectors["text"]
    assert (
        f"排放量为{homes / 1e4:.1f}万吨（同比" in sectors["text"] and "居民用能中，城镇居民生活拉动" in parts[7]["text"]
    )
    en = text_of(made, "en")
    assert "Households, which are no sector of production, emitted" in en and "Their cars count in the domain" in en
    assert "Households pulled growth up (Urban households" in en
    assert not households & {row[0] for row in sectors["table"][1:]} and not any(one in advice for one in households)
    assert sectors["table"][0][0] == "行业" and parts[1]["table"][0][0] == "领域" and parts[2]["table"][0][0] == "地区"


def test_emission_per_product_is_told_where_it_covers_both_years(place: Workspace, tmp_path: Path) -> None:
    made = nowcast.analyse(place, year=2024, as_of=LATE)
    per = made["product"]
    assert per["intensity"] == pytest.approx(made["value"] / (4 * 7.35e5))  # the city's own
    assert per["change_percent"] == pytest.approx(100 * ((1 + made["change_percent"] / 100) / 1.05 - 1))
    assert f"{per['intensity']:.3f}吨/万元" in made["paragraphs"]["zh"][0]["text"]
    early = nowcast.analyse(place, year=2024, as_of=EARLY)
    assert "缺少覆盖" in early["paragraphs"]["zh"][0]["text"] and early["no_product"] == "uncovered"


def test_months_compare_like_with_like_where_totals_hold_other_months_of_the_years(tmp_path: Path) -> None:
    """The whole year before is settled, and of this year January to September."""
    done = published(tmp_path / "w", total("330400", (date(2023, 1, 1), date(2024, 1, 1)), 2_500_000.0, EARLY),
                     total("330400", (date(2024, 1, 1), date(2024, 10, 1)), 1_900_000.0, EARLY))  # fmt: skip
    done.import_frame(products(), source={"file": "yearbook"}, dataset={**DATASET, "id": "economy"})
    made = nowcast.analyse(done, year=2024, as_of=LATE)
    assert [one["alike"] for one in made["months"]] == [True] * 9 + [False] * 3
    for number in (3, 10):
        one, run = (
            made["months"][number - 1],
            nowcast.run(done, month=f"2024-{number:02d}", as_of=LATE, record=0, keep=False),
        )
        assert (one["value"], one["last_year"], one["change_percent"]) == pytest.approx(
            (run["value"], run["last_year"], run["change_percent"]))  # fmt: skip
        assert one["like"]["value"] - one["last_year"] == pytest.approx(run["change"])
    text, rose = made["paragraphs"]["zh"][0]["text"], sum(one["change_percent"] > 0 for one in made["months"])
    assert f"个月中{rose}个月高于上年同月" in text or rose in (0, 12)
    assert "2024年1月至9月已按官方总数" in text and "两年的官方总数约束的范围不同，同比按调整前的数比较" in text
    assert made["product"] is None and made["no_product"] == "unlike" and "缺少覆盖" not in text
    assert "Official totals do not hold the same in both years" in made["paragraphs"]["en"][0]["text"]
    note = nowcast.run(done, month="2024-10", as_of=LATE, record=0, keep=False)["year_to_date"]["note"]
    assert note["zh"] == "两年的官方总数约束的范围不同，同比按调整前的数比较。"
    september, october = (nowcast.monthly(done, month=f"2024-{month}", as_of=LATE) for month in ("09", "10"))
    assert "当月排放已按官方总数" in text_of(september) and "同比按调整前" not in text_of(september)
    assert "累计排放已按官方总数" in text_of(october) and "当月排放已按" not in text_of(october)
    assert "官方总数只约束上年同期，当月同比按调整前的数比较；两年" in text_of(october)
    for one in (one for made in (september, october) for one in figures(made, "en")):
        if one["question"].get("kind") == "settled":
            assert abs(nowcast.open_reason(done, **one["question"])["value"]) == pytest.approx(one["value"])


def test_a_month_says_its_festival_its_target_and_the_year_ahead(place: Workspace) -> None:
    made = nowcast.monthly(place, month="2024-02", as_of=LATE)
    text = made["paragraphs"]["zh"][0]["text"]
    assert "春节假期2024年始于2月10日、2023年始于1月21日" in text and "1—2月合计同比" in text
    assert made["year_to_date"]["period"] == "2024-01/2024-02" and "为年度目标" in text
    october = nowcast.monthly(place, month="2024-10", as_of=EARLY)
    assert october["ahead"]["low"] < october["ahead"]["value"] < october["ahead"]["high"]
    assert "全年预计" in october["paragraphs"]["zh"][0]["text"] and october["festival"] is None
    assert october["causes"]["period"] == "2024-01/2024-08" and "就已报齐的2024年1—8月看" in text_of(october)
    with pytest.raises(Refused) as caught:
        nowcast.monthly(place, month="2022-05", as_of=LATE)
    assert caught.value.problems[0].rule == "nowcast.month-not-covered"


def text_of(made: dict[str, Any], lang: str = "zh") -> str:
    return "\n".join(part["text"] for part in made["paragraphs"][lang])


def test_documents_end_with_where_their_numbers_come_from(place: Workspace, tmp_path: Path) -> None:
    for made in (nowcast.analyse(place, year=2024, as_of=LATE), nowcast.monthly(place, month="2024-06", as_of=LATE)):
        for lang, heading in (("zh", "附表：数据出处"), ("en", "Where the numbers come from")):
            document = docx.Document(str(telling.write(made, tmp_path / f"{lang}.docx", lang)))
            assert heading in [one.text for one in document.paragraphs]
            cells = [[cell.text for cell in row.cells] for row in document.tables[-1].rows][1:]
            told = {one["text"] for part in made["paragraphs"][lang] for line in part["lines"] for one in line
                    if "unit" in one}  # fmt: skip
            assert len(cells) >= len(told) and all(any(row[0].startswith(one) for row in cells) for one in told)
            assert any("--kind growth --period 2024" in row[2] for row in cells)
            with pdfplumber.open(telling.write(made, tmp_path / f"{lang}.pdf", lang)) as pdf:
                assert heading[:2] in "".join(page.extract_text() for page in pdf.pages)
    with pytest.raises(Refused) as caught:
        telling.write(made, tmp_path / "x.txt")
    line = caught.value.problems[0].line("zh")
    assert ".docx" in line and ".pdf" in line


def test_effects_are_drawn_from_zero(place: Workspace) -> None:
    made = nowcast.analyse(place, year=2024, as_of=LATE)
    svg = drawing.effects(made["causes"])
    (zero,) = re.findall(r'<path d="M([\d.]+) 10V', svg)
    bars = [(float(x), float(width)) for x, width in re.findall(r'<rect x="([\d.]+)" y="\d+" width="([\d.]+)"', svg)]
    assert len(bars) >= 2 and "合计" in svg
    assert all(min(abs(x - float(zero)), abs(x + width - float(zero))) < 0.11 for x, width in bars)
    values = [one["value"] for one in made["causes"]["effects"] if abs(one["percent"]) >= 0.005]
    values.append(made["causes"]["change"])
    scale = [width / abs(value) for (_, width), value in zip(bars, values, strict=True) if width > 20]
    assert max(scale) == pytest.approx(min(scale), rel=0.02)


def test_the_verb_tells_a_month_and_names_the_files_it_writes(place: Workspace, tmp_path: Path) -> None:
    folder = str(place.path)

    def run(*words: str) -> Any:
        return CliRunner().invoke(cli, ["situation", *words, "--as-of", "2024-11-02", "--workspace", folder])

    said = run("--month", "2024-10")
    assert said.exit_code == 0 and "2024年10月碳排放形势简析" in said.stdout
    made = json.loads(run("--month", "2024-10", "--json").stdout)
    assert made["month"] == "2024-10" and made["paragraphs"]["en"][0]["lines"]
    file = tmp_path / "month.pdf"
    assert run(str(file), "--month", "2024-10").exit_code == 0 and file.read_bytes()[:5] == b"%PDF-"
    assert run("--month", "2024-10", "--year", "2024").exit_code == 2
    # Until some months of a year are in, it is the year before that is told.
    new = CliRunner().invoke(cli, ["situation", "--as-of", "2025-02-10", "--workspace", folder])
    assert new.stdout.startswith("嘉兴市2024年碳排放形势分析（演示数据）")
    refused = run(str(tmp_path / "x.txt"), "--month", "2024-10")
    assert refused.exit_code != 0 and ".docx" in str(refused.exception.problems[0].line("zh"))


def test_pages_show_the_words_with_figures_that_open(client: TestClient, place: Workspace) -> None:
    made = nowcast.monthly(place, month="2024-10", as_of=EARLY)
    asked = {"month": "2024-10", "known_at": EARLY.isoformat()}
    for lang in ("zh", "en"):
        page = client.get("/nowcast/month", params={**asked, "lang": lang}).text
        links = re.findall(r'<a class="num" data-opens href="(/nowcast/open[^"]+)">', page)
        opens = [one for line in made["paragraphs"][lang][0]["lines"] for one in line if "question" in one]
        opens += [one for table in made["tables"][lang] for row in table["cells"] for one in row if one]
        assert len(links) == len(opens) and client.get(links[0].replace("&amp;", "&")).status_code == 200
    twin = client.get("/nowcast/month.json", params=asked).json()
    assert twin["value"] == pytest.approx(made["value"])
    assert [part["text"] for part in twin["paragraphs"]["zh"]] == [part["text"] for part in made["paragraphs"]["zh"]]
    board = client.get("/nowcast", params={"known_at": EARLY.isoformat()}).text
    card = board[board.index('id="n-brief"') : board.index('id="n-year"')]
    assert card.count("data-opens") > 20 and "/nowcast/situation" in card and "month.docx" in card
    year = {"year": 2024, "known_at": LATE.isoformat()}
    page = client.get("/nowcast/situation", params=year).text
    assert page.count("data-opens") > 120 and page.count("data-figure") == 2 and "situation.pdf" in page
    assert client.get("/nowcast/situation.json", params=year).json()["period"] == "2024"
    for kind, head in (("docx", b"PK"), ("pdf", b"%PDF-")):
        answer = client.get(f"/nowcast/month.{kind}", params={"month": "2024-10", "as_of": EARLY.isoformat()})
        assert answer.status_code == 200 and answer.content.startswith(head)


def test_the_account_is_named_on_every_face(
    place: Workspace, client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    covers = "消费侧（B）口径中可逐月核算的部分：非发电燃料燃烧和购入电力"
    year, month = nowcast.analyse(place, year=2024, as_of=LATE), nowcast.monthly(place, month="2024-10", as_of=EARLY)
    run = nowcast.run(place, as_of=EARLY, record=0, keep=False)
    for status, mark in (("unverified", "（未核实）"), ("official", "万吨；")):
        shown.this_month({**run, "status": status})
        assert mark in capsys.readouterr().out
        assert telling.title({**year, "status": status}) == f"嘉兴市2024年碳排放形势分析{mark.strip('万吨；')}"
    for made in (year, month, run):
        assert made["account"] == "consumption" and made["basis"] == "B" and made["covers"]["zh"] == covers
    for made in (year, month):
        assert text_of(made).count(covers) == 1 and "consumption account (B)" in text_of(made, "en")
    for path in ("", "/month", "/situation"):
        page = client.get(f"/nowcast{path}", params={"known_at": LATE.isoformat(), "lang": "zh"}).text
        assert f'<span class="badge basis" title="{covers}">B 消费侧</span>' in page
    opened = nowcast.open_figure(place, month="2024-06", as_of=LATE)
    assert (
        opened["basis"] == "B"
        and "B 消费侧" in client.get("/nowcast/open", params={"month": "2024-06", "lang": "zh"}).text
    )


def test_areas_and_domains_are_split_into_direct_and_indirect(place: Workspace) -> None:
    made = nowcast.analyse(place, year=2024, as_of=EARLY)
    for key in ("areas", "domains", "sectors"):
        for part in ("direct", "indirect"):
            assert sum(row[part] for row in made[key]) == pytest.approx(made[part])
        assert all(row["direct"] + row["indirect"] == pytest.approx(row["value"]) for row in made[key])
    for lang, heads in (("zh", ["直接", "间接"]), ("en", ["Direct", "Indirect"])):
        for part in made["paragraphs"][lang][1:3]:
            assert part["table"][0][2:4] == heads
            for row in part["cells"][1:]:
                assert len(row) == 7 and [one["question"].get("part") for one in row[1:4]] == [
                    None,
                    "direct",
                    "indirect",
                ]
                assert row[2]["value"] + row[3]["value"] == pytest.approx(row[1]["value"])
        assert len(made["paragraphs"][lang][3]["table"][0]) == 5


def test_a_part_without_factors_is_no_zero_in_the_tables(tmp_path: Path) -> None:
    """An area whose fuel has no factor has electricity, and a dash for what is direct."""
    odd = (pl.col("place") == "330402-rest") & (pl.col("item") == "energy.combustion")
    named = {name: pl.when(odd).then(pl.lit(code)).otherwise(name).alias(name)
             for name, code in (("carrier", "methanol"), ("unit", "t"))}  # fmt: skip
    made = Workspace.create(tmp_path / "w")
    made.import_frame(rows().with_columns(**named), source={"file": "generator"}, dataset=DATASET)
    told = nowcast.analyse(made, year=2024, as_of=LATE)
    assert "可核算的部分已全部核算，合计不完整" in text_of(nowcast.monthly(made, month="2024-06", as_of=LATE))
    row = next(row for row in told["areas"] if row["code"] == "330402")
    assert row["direct"] is None and row["indirect"] == pytest.approx(row["value"]) and row["value"] > 0
    table = told["paragraphs"]["zh"][2]
    (number,) = [n for n, line in enumerate(table["table"]) if line[0] == row["name"]["zh"]]
    assert table["table"][number][2] == "—" and table["cells"][number][2] is None


def test_counts_of_growth_and_units_read_well() -> None:
    from dualcarbon.nowcast.told.chinese import Chinese
    from dualcarbon.nowcast.told.english import English

    def told(words: type, changes: list[float | None]) -> str:
        one = words.__new__(words)
        row = {"code": "x", "name": {"zh": "工业", "en": "Industry"}, "value": 1e4, "share": 0.5, "last_year": 1.0,
               "pull_points": None}  # fmt: skip
        one.made = {"domains": [{**row, "change_percent": change} for change in changes], "areas": [], "sectors": [],
                    "question": {"city": "x"}, "period": "2024"}  # fmt: skip
        one.figures, one.names = [], {}
        return saying.plain(one.most("domains"))

    assert "6个领域均同比下降（见表1）" in told(Chinese, [-1.0] * 6)
    assert "3个领域均同比增长" in told(Chinese, [1.0] * 3)
    assert "2个可比的领域均与上年同期基本持平" in told(Chinese, [0.0, 0.01, None])
    assert "4个领域中2个增长、1个下降、1个基本持平" in told(Chinese, [1.0, 2.0, -1.0, 0.0])
    assert "1个可比的领域同比下降" in told(Chinese, [-1.0, None])
    assert "All 6 domains fell." in told(English, [-1.0] * 6)
    assert "Of 3 domains, 1 grew, 2 fell." in told(English, [1.0, -1.0, -2.0])
    assert "The domain that can be compared grew." in told(English, [1.0, None])
    assert "Both domains grew." in told(English, [1.0, 2.0])


def test_only_areas_that_clearly_grew_faster_are_asked_why() -> None:
    from dualcarbon.nowcast.told.chinese import Chinese

    def asked(*growths: float) -> str:
        areas = [{"code": str(n), "name": {"zh": f"甲{n}", "en": ""}, "value": 1e5, "last_year": 9e4,
                  "pull_points": 1.0, "change_percent": growth} for n, growth in enumerate(growths)]  # fmt: skip
        made = {"areas": areas, "sectors": [], "domains": [], "question": {"city": "x"}, "period": "2024",
                "change_percent": 3.2, "place_name": {"zh": "乙市", "en": ""}}  # fmt: skip
        return saying.plain(Chinese(made).about_areas())

    assert asked(3.3, 3.1) == "" and asked(9.0) == ""
    assert asked(4.0, 3.1).endswith("增速明显高于乙市合计，请该地区说明原因，提出控制措施。")
    assert "请上述地区说明原因" in asked(4.0, 5.0, 2.0)


def test_sentences_say_units_prices_and_no_doubts_of_what_is_counted(place: Workspace) -> None:
    year = nowcast.analyse(place, year=2024, as_of=LATE)
    advice = year["paragraphs"]["zh"][7]["text"]
    assert re.search(r"，其中\S+?\d\.\d\d个百分点）", advice) and not re.search(r"\d个[）；。]", advice)
    assert not re.search(r"(?<!\d)0个", text_of(year))
    counted, guessed = (nowcast.monthly(place, month=month, as_of=day)
                        for month, day in (("2024-06", LATE), ("2024-10", EARLY)))  # fmt: skip
    assert counted["low"] is None and "估算可信度" not in text_of(counted) and "回放" not in text_of(counted)
    assert "trust it" not in text_of(counted, "en")
    assert "估算可信度" in text_of(guessed) and "How far to trust it" in text_of(guessed, "en")
    # This city has no value added: nothing is said of its prices.
    assert year["causes"]["prices"] is None and "价格换算" not in text_of(year)


def test_value_added_is_said_to_be_as_imported(place: Workspace, tmp_path: Path) -> None:
    made = Workspace.create(tmp_path / "w")
    made.import_frame(rows(), source={"file": "generator"}, dataset=DATASET)
    added = [("330400", sector, "economy.value_added", date(year, 1, 1), date(year + 1, 1, 1),
              1e5 * (1 + 0.04 * (year - 2022)), "万元", date(year + 1, 1, 20))
             for sector in sorted(set(rows()["sector"])) for year in (2023, 2024)]  # fmt: skip
    columns = ["place", "sector", "item", "start", "end", "value", "unit", "known_at"]
    made.import_frame(pl.DataFrame(added, schema=columns, orient="row"), source={"file": "yearbook"},
                      dataset={**DATASET, "id": "economy"})  # fmt: skip
    year = nowcast.analyse(made, year=2024, as_of=LATE)
    assert year["causes"]["activity"]
    assert year["paragraphs"]["zh"][4]["text"].count("增加值按导入数据，未作价格换算。") == 1
    assert text_of(year).count("价格换算") == 1
    assert text_of(year, "en").count("not converted to constant prices") == 1
    with TestClient(create_app(made.path, warm=False), headers={"accept": "text/html"}) as client:
        page = client.get("/nowcast", params={"known_at": LATE.isoformat()}).text
        assert page[page.index('id="n-why"') :].count("未作价格换算") == 1
