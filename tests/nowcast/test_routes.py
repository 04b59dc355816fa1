"""The quick-calc over HTTP says what Python says."""

import html
import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from dualcarbon import nowcast
from dualcarbon.app.pages import prepare_rooms
from dualcarbon.app.web import create_app
from dualcarbon.core.workspace import Workspace
from dualcarbon.nowcast.kept import ANSWER
from tests.nowcast.test_run import DATASET, rows, total


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Workspace.create(tmp_path_factory.mktemp("routes") / "workspace")
    made.import_frame(rows(), source={"file": "generator"}, dataset=DATASET)
    return made.path


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    with TestClient(create_app(folder, warm=False)) as made:
        yield made


def test_answers_are_those_of_the_functions(client: TestClient, folder: Path) -> None:
    answer = client.get("/nowcast/run.json", params={"as_of": "2024-11-15", "by": ["sector"]})
    expected = nowcast.run(folder, as_of=date(2024, 11, 15), by=("sector",), keep=False)
    assert answer.status_code == 200 and answer.json()["value"] == pytest.approx(expected["value"])
    assert len(answer.json()["rows"]) == 6
    assert Workspace.open(folder).runs() == []
    answer = client.get("/nowcast/explain.json", params={"period": "2024-06"})
    assert sum(one["value"] for one in answer.json()["effects"]) == pytest.approx(answer.json()["change"])
    answer = client.get("/nowcast/news.json", params={"before": "2024-11-05", "after": "2024-12-15"})
    assert {step["arrival"] for step in answer.json()["steps"]} == {"electricity", "fuel"}


def test_the_report_comes_as_word_and_pdf(client: TestClient) -> None:
    assert client.get("/nowcast/situation.json", params={"year": 2024}).json()["year"] == 2024
    answer = client.get("/nowcast/situation.docx", params={"year": 2024})
    assert answer.status_code == 200 and answer.content[:2] == b"PK"
    answer = client.get("/nowcast/situation.pdf", params={"year": 2024, "lang": "en"})
    assert answer.status_code == 200 and answer.content[:5] == b"%PDF-"
    assert client.get("/nowcast/situation.odt", params={"year": 2024}).status_code == 422


@pytest.mark.parametrize("day", [{}, {"known_at": "2024-11-15"}])
def test_tables_and_points_of_charts_open(client: TestClient, day: dict[str, str]) -> None:
    page = client.get("/nowcast", params=day).text
    sheet = html.unescape(re.findall(r'href="(/nowcast/tables\.xlsx[^"]*)"', page)[0])
    assert client.get(sheet).content[:2] == b"PK"
    points = [json.loads(f'"{one}"') for one in re.findall(r'"href": "(/nowcast/open[^"]*)"', page)]
    assert points and not any("&amp;" in one for one in points)
    assert client.get(points[-1]).status_code == 200


def test_the_record_says_when_the_new_data_came(client: TestClient) -> None:
    asked = {"as_of": "2024-12-15", "months": "1"}
    made = client.get("/nowcast/record.json", params=asked).json()["news"]
    days = {step["known_at"][-1] for step in made["steps"]}
    assert days == {"2024-12-11"}
    assert "2024-12-11 收到" in client.get("/nowcast/record", params=asked).text
    assert "came on 2024-12-11" in client.get("/nowcast/record", params={**asked, "lang": "en"}).text


def test_what_opens_is_of_the_data_that_are_there_now(tmp_path: Path) -> None:
    made = Workspace.create(tmp_path / "workspace")
    made.import_frame(rows(), source={"file": "generator"}, dataset=DATASET)
    with TestClient(create_app(made.path, warm=False)) as client:
        asked = {"kind": "sum", "period": "2023", "as_of": "2024-11-15", "city": "330400"}
        before = client.get("/nowcast/open.json", params=asked).json()["value"]
        year = date(2023, 1, 1), date(2024, 1, 1)
        given = total("330400", year, 1.1 * before, date(2024, 6, 1))
        made.import_frame(given, source={"file": "yearbook"}, dataset={**DATASET, "id": "official", "role": "control"})
        assert client.get("/nowcast/open.json", params=asked).json()["value"] == pytest.approx(1.1 * before)


def test_wrong_questions_are_refused(client: TestClient) -> None:
    assert client.get("/nowcast/run.json", params={"month": "2024-13"}).status_code == 422
    answer = client.get("/nowcast/run.json", params={"place": "nowhere"})
    assert 400 <= answer.status_code < 500 and "nowcast.unknown-place" in answer.text


def test_the_record_and_the_boards_of_areas_are_made_before_anybody_asks(folder: Path) -> None:
    app = create_app(folder, warm=False)
    prepare_rooms(app.state.site)
    kept = sa.select(ANSWER.c.id, ANSWER.c.made_at).order_by(ANSWER.c.id)

    def made() -> list[tuple[str, str]]:
        with app.state.site.workspace.database.connect() as connection:
            return [(row.id, row.made_at) for row in connection.execute(kept)]

    before = made()
    assert len(before) >= 10  # counties and management areas with data, the city, its record
    with TestClient(app, headers={"accept": "text/html"}) as client:
        for address in ("/nowcast/record", "/nowcast?place=330481"):
            assert client.get(address).status_code == 200
    assert made() == before
