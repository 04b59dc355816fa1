"""Corrections of corrections, taken back in any order; datasets and enterprises that are not what they seem."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.core.tables import ENTITY, conform
from dualcarbon.core.workspace import Workspace

HEAD = "地区,行业,能源品种,指标,时期,数值,计量单位,发布日期\n"


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "city", "cn-jiaxing")


def brought(place: Workspace, value: float, known_at: str = "", head: str = HEAD, more: str = "", **asked):
    """Import one figure; the answer."""
    path = place.path.parent / f"{value}{known_at}{more}.csv"
    path.write_text(f"{head}330481,C17,柴油,燃料燃烧量,2024-01,{value},吨,{known_at}{more}\n", encoding="utf-8")
    return place.import_file(path, **asked)


def values(place: Workspace, **asked) -> list[float]:
    return sorted(place.observations(**asked).pl()["value"].to_list())


def rule(refused) -> str:
    return refused.value.problems[0].rule


@pytest.mark.parametrize("order", [[1], [2], [1, 2], [2, 1], [0], [0, 1], [1, 0], [0, 1, 2]])
def test_corrections_are_taken_back_in_any_order(place: Workspace, order: list[int]) -> None:
    ids = [brought(place, 100)["id"], brought(place, 110, revise="一")["id"], brought(place, 120, revise="二")["id"]]
    left = [100.0, 110.0, 120.0]
    for number in order:
        place.revert(ids[number], "误")
        left[number] = 0.0
    standing = [one for one in left if one]
    assert values(place) == standing[-1:]


def test_a_chain_of_corrections_counts_once_on_every_day(place: Workspace) -> None:
    brought(place, 100, "2024-02-10")
    brought(place, 110, "2024-04-10", revise="一")
    brought(place, 120, "2024-03-10", revise="二")
    for day, value in ((date(2024, 2, 15), 100), (date(2024, 3, 15), 120), (date(2024, 4, 15), 120)):
        assert values(place, known_at=day) == [value]


def test_the_first_figure_comes_back_with_a_reason(place: Workspace) -> None:
    brought(place, 100)
    brought(place, 110, revise="一")
    assert brought(place, 100)["already"] and values(place) == [110]
    assert brought(place, 100, revise="原数无误")["superseded"] == 1 and values(place) == [100]
    assert brought(place, 100, revise="再来")["already"]


def test_custody_alone_is_a_change(place: Workspace) -> None:
    head = HEAD.replace("\n", ",custody\n")
    brought(place, 100, head=head, more=",public")
    with pytest.raises(Refused) as refused:
        brought(place, 100, head=head, more=",statistical")
    assert rule(refused) == "core.changed-key" and refused.value.problems[0].params["before"] == "public"
    assert brought(place, 100, head=head, more=",statistical", revise="按统计资料管理")["superseded"] == 1
    assert place.observations().pl()["custody"].to_list() == ["statistical"]
    assert brought(place, 100)["unchanged"] == 1, "what a file leaves out changes nothing"


@pytest.mark.parametrize(("name", "was", "now"), [("high", "120", "110"), ("included_in", "", "C13"),
                                                  ("quality", "measured", "estimated")])  # fmt: skip
def test_what_differs_beside_the_same_value_is_named(place: Workspace, name: str, was: str, now: str) -> None:
    head = HEAD.replace("\n", f",low,{name}\n")
    low = "90" if name == "high" else ""
    brought(place, 100, head=head, more=f",{low},{was}")
    with pytest.raises(Refused) as refused:
        brought(place, 100, head=head, more=f",{low},{now}")
    (problem,) = refused.value.problems
    assert (problem.rule, problem.column) == ("core.changed-key", name)
    ends = "（t）" if name == "high" else ""
    assert f"数值相同，但 {name} 原为 {was or '—'}，现为 {now}{ends}。" in problem.line("zh")
    assert f"but {name} was {was or '—'}, now {now}" in problem.line("en")


def test_a_dataset_in_use_stays_what_it_is(place: Workspace) -> None:
    first = brought(place, 100, status="synthetic")["id"]
    for changed in ({"status": "official"}, {"role": "control"}):
        with pytest.raises(Refused) as refused:
            brought(place, 7, head=HEAD.replace("2024-01", "2024-02"), **changed, revise="改")
        assert rule(refused) == "core.other-dataset"
    assert place.datasets()[0]["status"] == "synthetic"
    place.revert(first, "误")
    brought(place, 100, status="official")
    assert place.datasets()[0]["status"] == "official"


def test_enterprises_of_one_name_and_one_that_moved(place: Workspace) -> None:
    rows = [
        {"code": "A1", "name": "恒达纺织", "place": "330481"},
        {"code": "A2", "name": "恒达纺织", "place": "330483"},
        {"code": "P1", "name": "搬迁厂", "place": "330482", "to": date(2024, 1, 1)},
        {"code": "P1", "name": "搬迁厂", "place": "330481", "from": date(2024, 1, 1)},
    ]
    place.save_entities(conform(pl.DataFrame(rows, infer_schema_length=None), ENTITY))
    path = place.path.parent / "rows.csv"

    def told(*lines: str) -> None:
        path.write_text("企业,能源品种,指标,时期,数值,计量单位\n" + "\n".join(lines), encoding="utf-8")

    told("恒达纺织,柴油,燃料燃烧量,2024-01,1,吨")
    with pytest.raises(Refused) as refused:
        place.import_file(path)
    assert rule(refused) == "core.ambiguous-entity" and refused.value.problems[0].params["codes"] == "A1、A2"
    told(
        "A2,柴油,燃料燃烧量,2024-01,1,吨",
        "搬迁厂,柴油,燃料燃烧量,2023-12,2,吨",
        "搬迁厂,柴油,燃料燃烧量,2024-01,3,吨",
    )
    place.import_file(path)
    found = place.observations().pl().sort("value")
    assert found["place"].to_list() == ["330483", "330482", "330481"]
