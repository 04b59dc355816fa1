"""Addresses and options as people write them: periods in any spelling, days within bounds, files of what is shown."""

import html
import io
import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import docx
import openpyxl
import polars as pl
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from dualcarbon import nowcast
from dualcarbon.app.web import create_app
from dualcarbon.core.classification import load
from dualcarbon.core.console import plain
from dualcarbon.core.problems import Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.engine.factors import load_parameters
from dualcarbon.nowcast import factors, present, shown
from dualcarbon.nowcast.commands import cli
from tests.nowcast.test_run import DATASET, rows


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("addresses") / "workspace")
    made.import_frame(rows(), source={"file": "generator"}, dataset=DATASET)
    return made


@pytest.fixture(scope="module")
def client(place: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(Path(place.path), warm=False)) as made:
        yield made


def names(node: dict[str, Any], lang: str) -> str:
    return " ".join(one["name"][lang] for one in node["inputs"])


@pytest.mark.parametrize("kind", ["change", "growth", "pull", "settled", "estimated", "sum", "share"])
@pytest.mark.parametrize(
    ("written", "plain", "zh", "en"),
    [
        ("2024-Q1", "2024-01/2024-03", "2024年一季度", "the first quarter of 2024"),
        ("2024年3月", "2024-03", "2024年3月", "March 2024"),
        ("2024H1", "2024-01/2024-06", "2024年1—6月", "January to June 2024"),
        ("2023-11/2024-02", "2023-11/2024-02", "2023年11月至2024年2月", "November 2023 to February 2024"),
    ],
)
def test_a_period_opens_however_it_is_written(
    place: Workspace, kind: str, written: str, plain: str, zh: str, en: str
) -> None:
    node = nowcast.open_reason(place, kind=kind, period=written)
    assert node["value"] == pytest.approx(nowcast.open_reason(place, kind=kind, period=plain)["value"])
    if kind in ("growth", "settled"):
        assert zh in names(node, "zh") and en in names(node, "en")
        assert nowcast.open_reason(place, **node["inputs"][0]["question"])["value"] == pytest.approx(
            node["inputs"][0]["value"]
        )


def test_a_period_to_compare_with_and_a_month_are_read_alike(place: Workspace) -> None:
    node = nowcast.open_reason(place, kind="settled", period="2024年1-3月", against="2023年一季度")
    assert (node["period"], node["against"]) == ("2024-Q1", "2023-Q1")
    month = nowcast.open_reason(place, kind="error", month="2024年3月")
    assert month["value"] == nowcast.open_reason(place, kind="error", month="2024-03")["value"]


@pytest.mark.parametrize(
    "asked", [{"period": "2024-03-05"}, {"period": "2024-01-01/2024-02-15"}, {"period": "13月"}, {"period": "2024-Q5"}]
)
def test_what_is_no_whole_month_is_refused(place: Workspace, client: TestClient, asked: dict[str, str]) -> None:
    with pytest.raises(Refused):
        nowcast.open_reason(place, kind="sum", **asked)
    assert client.get("/nowcast/open.json", params={"kind": "sum", **asked}).status_code == 422


PAGES = ("", "/month", "/situation", "/trust", "/record")


@pytest.mark.parametrize("day", ["0001-01-01", "1989-12-31", "2101-01-01", "9999-12-31"])
def test_days_that_nobody_can_mean_are_refused(client: TestClient, day: str) -> None:
    for name in ("run", "explain", "vintages"):
        assert client.get(f"/nowcast/{name}.json", params={"as_of": day}).status_code == 422, name
    for name in PAGES:
        for option in ("as_of", "known_at"):
            answer = client.get(f"/nowcast{name}.json", params={option: day})
            assert answer.status_code == 422 and option in answer.json()["detail"], (name, option)
    for name in ("month.docx", "situation.docx", "tables.xlsx"):
        assert client.get(f"/nowcast/{name}", params={"known_at": day}).status_code == 422, name
    assert client.get("/nowcast/open.json", params={"month": "2024-10", "as_of": day}).status_code == 422
    for option in ("before", "after"):
        answer = client.get("/nowcast/news.json", params={"before": "2024-11-05", option: day})
        assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    verbs = (["run", "--as-of", day], ["news", "--before", day], ["news", "--before", "2024-11-05", "--after", day],
             ["open", "--kind", "news", "--before", day])  # fmt: skip
    for words in verbs:
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 2 and day in done.output, words


def test_the_ends_of_the_days_are_answered_in_words(client: TestClient) -> None:
    for day in ("1990-01-01", "2100-12-31"):
        answer = client.get("/nowcast.json", params={"as_of": day})
        assert answer.status_code == 422 and answer.json()["problems"][0]["message"]
    assert client.get("/nowcast/run.json", params={"month": "0000-01"}).status_code == 422


def addresses(page: str, start: str) -> list[dict[str, str]]:
    """The options of the links of a page that begin so."""
    found = re.findall(rf'(?:href|hx-get)="({re.escape(start)}\?[^"]*)"', page)
    return [dict(parse_qsl(html.unescape(one).partition("?")[2])) for one in found]


@pytest.mark.parametrize(("path", "files"), [("/nowcast/month", "month"), ("/nowcast/situation", "situation")])
def test_files_and_links_keep_the_family_and_the_day(client: TestClient, path: str, files: str) -> None:
    asked = {"family": "enterprise", "as_of": "2024-11-15", "lang": "en"}
    page = client.get(path, params=asked).text
    for kind in ("docx", "pdf"):
        (options,) = addresses(page, f"/nowcast/{files}.{kind}")
        assert (options["family"], options["as_of"]) == ("enterprise", "2024-11-15")
        assert client.get(f"/nowcast/{files}.{kind}", params=options).status_code == 200
    assert all(one["as_of"] == "2024-11-15" for one in addresses(page, "/nowcast"))
    years = [one for one in addresses(page, "/nowcast/situation") if "year" in one]
    assert all((one["family"], one["as_of"]) == ("enterprise", "2024-11-15") for one in years)
    if path == "/nowcast/month":
        form = page[page.index('<form action="/nowcast/month"') :].partition("</form>")[0]
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
        assert hidden == {"family": "enterprise", "as_of": "2024-11-15"}
    usual = client.get(path, params={"known_at": "2024-11-15"}).text
    assert "family" not in addresses(usual, f"/nowcast/{files}.docx")[0]


@pytest.mark.parametrize("path", ["/nowcast", "/nowcast/trust", "/nowcast/record"])
def test_the_board_and_the_record_are_of_the_asked_family_and_lead_to_it(client: TestClient, path: str) -> None:
    asked = {"family": "enterprise", "as_of": "2024-11-15", "lang": "en"}
    page = client.get(path, params=asked).text
    links = addresses(page, "/nowcast") + addresses(page, "/nowcast/open")
    for name in ("month", "trust", "record", "situation", "tables.xlsx", "vintages.json", "month.docx"):
        links += addresses(page, f"/nowcast/{name}")
    back = html.escape(f"{path}?as_of=2024-11-15")
    assert f'href="{back}">Back to the usual factors' in page
    links = [one for one in links if one != {"as_of": "2024-11-15"}]
    assert len(links) > 4 and {one.get("family") for one in links} == {"enterprise"}
    assert "family enterprise" in page
    usual = client.get(path, params={"as_of": "2024-11-15"}).text
    assert "family=" not in usual and "因子族" not in usual
    assert client.get(path, params={**asked, "family": "foo"}).status_code == 422


def test_page_and_terminal_have_the_same_figures_of_a_family(client: TestClient, place: Workspace) -> None:
    day = date(2024, 11, 15)
    asked = {"as_of": str(day), "family": "enterprise"}
    page, usual = (client.get("/nowcast.json", params=one).json() for one in (asked, {"as_of": str(day)}))
    assert page["head"]["value"] != usual["head"]["value"]
    run = nowcast.run(place, as_of=day, month=page["month"], family="enterprise", keep=False)
    assert run["value"] == pytest.approx(page["head"]["value"], rel=1e-12)
    assert nowcast.open_figure(place, **page["question"], month=page["month"])["value"] == run["value"]
    record = client.get("/nowcast/record.json", params=asked).json()
    assert record["replay"]["total"]["error_percent"] == pytest.approx(run["record"]["total"]["error_percent"])
    assert record["replay"]["question"]["family"] == page["question"]["family"] == "enterprise"
    told = json.loads(json.dumps(plain(nowcast.vintages(place, as_of=day, family="enterprise"))))
    assert record["vintages"] == client.get("/nowcast/vintages.json", params=asked).json() == told
    sheet = openpyxl.load_workbook(io.BytesIO(client.get("/nowcast/tables.xlsx", params=asked).content)).worksheets[0]
    assert "enterprise" in str(sheet["A1"].value)
    assert sheet["C3"].value == pytest.approx(page["months"][0]["value"])


def test_the_board_leads_to_reports_of_the_same_day(client: TestClient) -> None:
    page = client.get("/nowcast", params={"as_of": "2024-11-15"}).text
    for start in ("/nowcast/month", "/nowcast/situation", "/nowcast/record", "/nowcast/situation.docx"):
        found = addresses(page, start)
        assert found and all(one["as_of"] == "2024-11-15" for one in found), start


@pytest.mark.parametrize("option", ["as_of", "known_at"])
def test_files_are_of_the_day_of_their_address(client: TestClient, option: str) -> None:
    for name, file in (("month", "month"), ("situation", "situation")):
        words = client.get(f"/nowcast/{name}.json", params={option: "2024-11-15"}).json()["paragraphs"]["zh"]
        answer = client.get(f"/nowcast/{file}.docx", params={option: "2024-11-15"})
        written = "\n".join(one.text for one in docx.Document(io.BytesIO(answer.content)).paragraphs)
        assert answer.status_code == 200 and "2024-11-15" in written
        assert words[0]["text"].split("\n")[0] in written
    assert client.get("/nowcast/run.json", params={option: "2024-11-15"}).json()["as_of"] == "2024-11-15"


def test_the_analysis_as_a_file_is_of_the_last_year_where_none_is_named(client: TestClient) -> None:
    answer = client.get("/nowcast/situation.docx", params={"known_at": "2024-11-15"})
    assert answer.status_code == 200 and answer.headers["content-disposition"].endswith('-2024.docx"')
    for year in ("0", "1989", "2101"):
        assert client.get("/nowcast/situation.docx", params={"year": year}).status_code == 422


def queries(made: Any) -> list[dict[str, Any]]:
    """Everything with a `query` in an answer, from the outside in."""
    if isinstance(made, list):
        return [one for item in made for one in queries(item)]
    if not isinstance(made, dict):
        return []
    return ([made] if made.get("query") else []) + [one for item in made.values() for one in queries(item)]


def test_targets_and_official_totals_open_as_they_were_known_on_the_day(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path / "w")
    made.import_frame(rows(), source={"file": "generator"}, dataset=DATASET)
    total = nowcast.open_reason(made, kind="sum", period="2023")["value"]
    about = {"id": "bulletin", "title_zh": "公报", "title_en": "Bulletin", "role": "control", "status": "official",
             "custody": "public"}  # fmt: skip
    for day, by in ((date(2024, 3, 1), 1.0), (date(2024, 12, 20), 0.99)):
        frame = pl.DataFrame(
            [("330400", "target.emission.co2", date(2024, 1, 1), date(2025, 1, 1), by * 1e6, "tCO2", day),
             ("330400", "emission.co2", date(2023, 1, 1), date(2024, 1, 1), by * 1.04 * total, "tCO2", day)],
            schema=["place", "item", "start", "end", "value", "unit", "known_at"], orient="row",
        )  # fmt: skip
        made.import_frame(frame, source={"file": f"bulletin {day}"}, dataset=about, revise="更正")
    day = date(2024, 11, 15)
    asked = ({"kind": "target", "period": "2024"}, {"kind": "progress", "period": "2024"},
             {"kind": "official", "period": "2023"}, {"kind": "sum", "period": "2023"})  # fmt: skip
    answers = [nowcast.open_reason(made, **one, as_of=day) for one in asked]
    answers += [nowcast.monthly(made, as_of=day)["target"], nowcast.analyse(made, as_of=day)["target"],
                nowcast.analyse(made, as_of=day)["paragraphs"]["zh"],
                nowcast.open_figure(made, month="2023-05", as_of=day)]  # fmt: skip
    with TestClient(create_app(Path(made.path), warm=False)) as client:
        answers.append(client.get("/nowcast.json", params={"as_of": day.isoformat()}).json()["year"])
        for answer in answers[:-1]:
            found = [one for one in queries(answer) if "item" in one["query"] and "emission" in one["query"]["item"]]
            assert found, answer
            for one in found:
                node = client.get("/explain.json", params=one["query"]).json()
                assert node["value"] == pytest.approx(one.get("official", one.get("value"))), one
        assert answers[-1]["target"]["value"] == 1e6
    later = nowcast.open_reason(made, kind="target", period="2024")["inputs"][1]
    assert later["value"] == pytest.approx(0.99e6)


def test_large_quantities_without_a_factor_are_whole_numbers() -> None:
    book = load("cn-jiaxing")
    for quantity, said in ((1_195_800.4, "1,195,800"), (1000.0, "1,000"), (12.345, "12.35")):
        one = factors.Lost("direct", "energy.combustion", ("330402", "C17", ""), date(2024, 1, 1), date(2024, 2, 1),
                           "methanol", ("fuel.ncv",), quantity, "t", 347)  # fmt: skip
        (made,) = factors.missing([one], date(2024, 1, 1), date(2024, 12, 1), book, present.named_code)
        assert f"347行共{said} t" in made["message"]["zh"] and f"{said} t" in made["message"]["en"]


def test_a_formula_at_the_head_of_a_title_keeps_its_capitals() -> None:
    used = {"value": 0.5, "unit": "tCO2/MWh", "known_at": date(2023, 1, 1), "source": "x", "period": "2021"}
    said = []
    for parameter in ("power.co2.residual", "fuel.ncv"):
        lent = {"parameter": parameter, "reason": "period", "wanted": {"period": "2024-03"}, "used": used}
        (made,) = factors.borrowed([lent], date(2024, 1, 1), date(2024, 12, 1), date(2024, 5, 1), load("cn-jiaxing"))
        said.append(made["message"]["en"])
    assert "CO2 emission factor of electricity" in said[0] and "cO2" not in said[0]
    title = load_parameters("cn-jiaxing")["fuel.ncv"].title["en"]
    assert title[0].lower() + title[1:] in said[1]


def test_english_lists_have_english_commas(
    place: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = nowcast.run(place, as_of=date(2024, 11, 15), record=0, keep=False)
    made["rows"][0]["methods"] = {"counted": 2, "last_value": 1}
    monkeypatch.setenv("COLUMNS", "200")
    for lang, listed in (("zh", "核算 2、沿用上年同月 1"), ("en", "counted 2, month a year ago 1")):
        monkeypatch.setenv("DUALCARBON_LANG", lang)
        shown.this_month(made)
        assert listed in capsys.readouterr().out


@pytest.mark.parametrize("tell", [nowcast.monthly, nowcast.analyse])
def test_the_months_inside_the_interval_open_to_the_record(place: Workspace, tell: Any) -> None:
    made = tell(place, as_of=date(2024, 11, 15))
    for lang, words in (("zh", "个月落在90%区间内"), ("en", " of ")):
        lines = [line for part in made["paragraphs"][lang] for line in part["lines"]]
        told = [(one, line[n + 1]["text"]) for line in lines for n, one in enumerate(line[:-1])
                if one.get("unit") == "months"]  # fmt: skip
        assert told and all(after.startswith(words) for _, after in told)
        for one, _ in told:
            node = nowcast.open_reason(place, **one["question"])
            assert (node["kind"], one["question"]["level"]) == ("error", "total")
            held = {line["name"]["en"]: line["value"] for line in node["inputs"]}["months inside the 90% interval"]
            assert int(one["text"]) == one["value"] == held


def test_the_analysis_of_a_first_quarter_decomposes_all_of_it(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path / "w")
    soon = rows().with_columns(known_at=pl.col("end").dt.offset_by("10d"))
    made.import_frame(soon, source={"file": "generator"}, dataset=DATASET)
    told = nowcast.analyse(made, as_of=date(2024, 4, 25))
    assert told["period"] == told["causes"]["period"] == "2024-01/2024-03"
    assert told["causes"]["against"] == "2023-01/2023-03"
    for lang, words in (("zh", "就已报齐的"), ("en", "the last that is reported")):
        assert not any(words in part["text"] for part in told["paragraphs"][lang])


def test_a_year_that_nobody_can_mean_is_refused() -> None:
    for year in ("0", "1989", "2101"):
        assert CliRunner().invoke(cli, ["situation", "--year", year]).exit_code == 2
