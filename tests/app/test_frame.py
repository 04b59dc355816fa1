"""Whom the server speaks to: this machine's own pages and programs, nobody else; and what an address asks."""

import re

import pytest
from fastapi.testclient import TestClient


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 405),
        ({"sec-fetch-site": "same-origin", "origin": "http://testserver"}, 405),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://elsewhere.example"}, 403),
        ({"origin": "null"}, 403),
        ({"host": "elsewhere.example"}, 421),
    ],
)
def test_a_change_is_taken_from_this_site_only(client: TestClient, headers: dict[str, str], status: int) -> None:
    answer = client.post("/methods", headers=headers)
    assert answer.status_code == status
    if status != 405:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "/problems/foreign-request"


def test_reading_from_a_foreign_host_name_is_refused(client: TestClient) -> None:
    assert client.get("/methods", headers={"host": "elsewhere.example"}).status_code == 421
    assert client.get("/methods", headers={"host": "localhost:8000", "origin": "http://a.example"}).status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "/?known_at=&period=&tree=",
        "/account/330400?known_at=",
        "/plan?known_at=&plan=",
        "/plan/score?value=&weight=&item=",
        "/nowcast?known_at=",
        "/registry?after=&q=",
        "/registry/market?month=",
        "/ledger?after=",
    ],
)
def test_a_field_left_empty_is_not_given(client: TestClient, address: str) -> None:
    told, plain = client.get(address), client.get(address.partition("?")[0])
    assert told.status_code == plain.status_code == 200
    assert told.headers["etag"] == plain.headers["etag"]


@pytest.mark.parametrize("dimension", ["process", "contributor"])
def test_an_empty_dimension_asks_for_the_rows_that_have_none(client: TestClient, dimension: str) -> None:
    address = "/explain?item=emission.co2&place=330400&period=2024&basis=B"
    whole, part = (client.get(one.replace("?", ".json?")).json() for one in (address, f"{address}&{dimension}="))
    assert 0 < part["value"] < whole["value"]
    page = client.get(f"{address}&{dimension}=").text
    links = [link for link in re.findall(r'href="(/explain[^"]*)"', page) if "lang=" in link or ".json" in link]
    assert links and all(f"{dimension}=" in link.partition("?")[2] for link in links)
