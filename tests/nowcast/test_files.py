"""Files in the observation layout: parts, vintages, cumulative figures and spans; what is refused and why."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dualcarbon.core.pack import DEFAULT
from dualcarbon.core.problems import Refused
from dualcarbon.nowcast import backtest
from dualcarbon.nowcast.annual import files

HEAD = "place,carrier,item,period,value,unit"


def months(folder: Path, rows: str, head: str = HEAD) -> dict[str, float]:
    """Values by month of a file."""
    made = files.read(written(folder, rows, head)).monthly.sort("year", "month")
    return {f"{r['year']}-{r['month']:02d}": round(r["value"], 6) for r in made.iter_rows(named=True)}


def written(folder: Path, rows: str, head: str = HEAD) -> Path:
    path = folder / "file.csv"
    lines = [f"A,coal,energy.combustion,{row}" for row in rows.split()]
    path.write_text("\n".join([head, *lines]), encoding="utf-8")
    return path


def refused(folder: Path, rows: str, head: str = HEAD) -> list[tuple[str, int | None]]:
    with pytest.raises(Refused) as caught:
        files.read(written(folder, rows, head))
    return [(problem.rule, problem.row) for problem in caught.value.problems]


@pytest.mark.parametrize("part", ["entity", "process", "domain", "equipment"])
def test_parts_of_a_quantity_are_summed(tmp_path: Path, part: str) -> None:
    head = f"{HEAD},{part}"
    assert months(tmp_path, "2024-01,10,t,a 2024-01,20,t,b 2024-02,5,t,a", head) == {"2024-01": 30, "2024-02": 5}
    assert refused(tmp_path, "2024-01,10,t,a 2024-01,20,t,", head) == [("core.total-and-part", 2)]


def test_the_latest_vintage_counts_by_its_date(tmp_path: Path) -> None:
    head = f"{HEAD},known_at"
    assert months(tmp_path, "2024-01,10,t,2024/10/1 2024-01,99,t,2024/9/1", head) == {"2024-01": 10}
    assert refused(tmp_path, "2024-01,10,t,yesterday", head) == [("core.bad-date", 2)]
    assert refused(tmp_path, "2024-01,10,t,2024-03 2024-01,11,t,2024-03", head) == [("core.duplicate-row", 3)]


def test_cumulative_figures_are_corrected_before_they_are_differenced(tmp_path: Path) -> None:
    head = f"{HEAD},cumulative,known_at"
    rows = "2024-01,10,t,yes,2024-02 2024-01/2024-02,20,t,yes,2024-03 2024-01/2024-03,30,t,yes,2024-04"
    made = months(tmp_path, f"{rows} 2024-01/2024-02,21,t,yes,2024-05", head)
    assert made == {"2024-01": 10, "2024-02": 11, "2024-03": 9}
    plain = months(tmp_path, "2024-01,10,t 2024-01/2024-02,25,t")
    assert plain == {"2024-01": 10, "2024-02": 15}, "known by its shape"
    fall = refused(tmp_path, "2024-01,10,t,yes 2024-01/2024-02,20,t,yes 2024-Q1,15,t,yes", f"{HEAD},cumulative")
    assert fall == [("core.falling-cumulative", 4)]


def test_spans_of_whole_months_are_spread_into_their_own_years(tmp_path: Path) -> None:
    made = months(tmp_path, "2019-12/2020-02,91,t")
    assert made == {"2019-12": 31, "2020-01": 31, "2020-02": 29}
    days = "place,carrier,item,start,end,value,unit"
    assert refused(tmp_path, "2020-01-15,2020-03-10,60,t", days) == [("nowcast.bad-span", 2)]
    assert refused(tmp_path, "2019-07-01,2020-07-01,60,t", days) == [("nowcast.bad-span", 2)]
    assert refused(tmp_path, "2019-01-01,2021-01-01,60,t", days) == [("nowcast.bad-span", 2)]


def test_what_would_count_twice_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, "2024-02,10,t 2024-02/2024-03,30,t") == [("core.overlapping-periods", 3)]
    assert refused(tmp_path, "2024-02,10,t 2024-02,5000,kg") == [("core.duplicate-row", 3)]
    year = files.read(written(tmp_path, "2024,130,t " + " ".join(f"2024-{m:02d},10,t" for m in range(1, 13))))
    assert year.annual["value"].to_list() == [130] and year.monthly.height == 12
    both = refused(tmp_path, "2024-01,10,tce,calorific 2024-02,11,tce,equivalent", f"{HEAD},basis")
    assert both == [("nowcast.several-bases", None)]


def test_the_number_of_faults_is_told_where_not_all_are_listed(tmp_path: Path, verb: Callable[..., Any]) -> None:
    lines = [f"P{k},energy.consumption,2020-01,many,MWh" for k in range(1200)]
    (tmp_path / "o.csv").write_text("\n".join(["place,item,period,value,unit", *lines]), encoding="utf-8")
    with pytest.raises(Refused) as caught:
        files.read(tmp_path / "o.csv")
    *listed, more = caught.value.problems
    assert len(listed) == 1000 and (more.rule, more.params["rest"]) == ("core.more", 200)
    ran = verb("nowcast", "backtest", "--observations", tmp_path / "o.csv", "--truth", tmp_path / "o.csv")
    assert ran.code == 1 and "1200" in ran.err.splitlines()[0]


def test_names_and_codes_of_places_match_and_files_without_a_common_place_are_refused(tmp_path: Path) -> None:
    def two(names: str, others: str) -> list[files.Series]:
        made = []
        for stem, places, item, unit in (("o", names, "energy.consumption", "MWh"), ("t", others, "emission.co2", "t")):
            lines = [f"{one},{item},{2020 + n},{n + 1},{unit}" for one in places.split() for n in range(2)]
            if stem == "o":
                lines = [line.replace(",202", ",2020-1", 1) for line in lines]
            (tmp_path / f"{stem}.csv").write_text("\n".join(["place,item,period,value,unit", *lines]), encoding="utf-8")
            made.append(files.read(tmp_path / f"{stem}.csv"))
        return made

    def of(series: files.Series) -> list[str]:
        return sorted({*series.monthly["place"], *series.annual["place"]})

    seen, known = files.alike(*two("浙江省 US-CA", "330000 US-CA US-TX"), DEFAULT)
    assert (of(seen), of(known)) == (["US-CA", "浙江省"], ["US-CA", "US-TX", "浙江省"])
    with pytest.raises(Refused) as caught:
        files.alike(*two("浙江省 河北省 山东省 四川省", "US-CA US-TX"), DEFAULT, ("o.csv", "t.csv"))
    (problem,) = caught.value.problems
    assert (problem.rule, problem.file) == ("nowcast.no-common-place", "o.csv、t.csv")
    assert "US-CA、US-TX" in problem.as_dict("zh")["message"] and "四川省" in str(problem.params["seen"])
    with pytest.raises(Refused) as caught:
        files.alike(*two("浙江省 330000", "330000"), DEFAULT, ("o.csv", "t.csv"))
    (problem,) = caught.value.problems
    assert (problem.rule, problem.file, problem.column) == ("nowcast.place-twice", "o.csv", "place")
    assert (
        "2020-10、2020-11" in problem.as_dict("zh")["message"]
        and "2020-10, 2020-11" in problem.as_dict("en")["message"]
    )
    (tmp_path / "e.csv").write_text(
        "place,item,period,value,unit\nA,energy.consumption,2020,1,亿千瓦时\n", encoding="utf-8"
    )
    with pytest.raises(Refused) as caught:
        backtest(tmp_path / "o.csv", tmp_path / "e.csv")
    (problem,) = caught.value.problems
    assert (problem.rule, problem.file, problem.value) == ("nowcast.truth-not-emission", "e.csv", "energy.consumption")
    assert "亿千瓦时" in problem.as_dict("zh")["message"] and "emission.co2" in problem.as_dict("zh")["remedy"]
    for name, row in (("t", "emission.co2,2020,1,GWh"), ("w", "原煤消费量,2020,1,万吨"), ("v", "碳排放量,2020,1,万吨")):
        (tmp_path / f"{name}.csv").write_text(f"place,item,period,value,unit\nA,{row}\n", encoding="utf-8")
    with pytest.raises(Refused) as caught:
        backtest(tmp_path / "o.csv", tmp_path / "t.csv", total=tmp_path / "w.csv")
    told = [(one.rule, one.file, one.column, one.value) for one in caught.value.problems]
    assert told == [
        ("core.wrong-unit", "t.csv", "unit", "GWh"),
        ("nowcast.total-not-emission", "w.csv", "item", "原煤消费量"),
    ]
    assert all("质量单位" in one.line("zh") and "mass" in one.line("en") for one in caught.value.problems)
    assert "万吨" in caught.value.problems[1].line("zh")
    files.emission([(files.read(tmp_path / "v.csv").annual, "v.csv", "")], DEFAULT)
