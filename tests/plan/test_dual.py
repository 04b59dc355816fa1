"""Dual targets of a workspace: hand-calculated cases, figures handed down, certificates, what is missing."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
import sqlalchemy as sa

from dualcarbon import inventory
from dualcarbon.core.problems import PACKAGE, Refused
from dualcarbon.core.workspace import Workspace
from dualcarbon.ledger.store import Store
from dualcarbon.plan import reads
from dualcarbon.plan.assessing import certificates, dual, falls, handed, intensity
from dualcarbon.plan.feeding import feeds
from dualcarbon.plan.feeding.loading import load
from tests.plan.told import case

CASE, HANDED = case("dual-targets"), case("dual-handed")


def test_five_years_together() -> None:
    rows = [{"year": int(year), "fall": fall} for year, fall in CASE["falls"].items()]
    years = [2021, 2022, 2023, 2024, 2025]
    found = dual.over_years(rows, years, {"five_year_basic": CASE["five_year_basic"]})
    assert found["fall"] == pytest.approx(CASE["cumulative"], abs=1e-6)
    assert found["needed"] == pytest.approx(CASE["needed_2025"], abs=1e-6)
    assert (found["missing"], found["left"], found["state"]) == ([], [2025], None)
    holes = dual.over_years([rows[0], {"year": 2022, "fall": None}, *rows[2:]], years, {"five_year_basic": 0.145})
    assert holes["missing"] == [2022]
    assert holes["needed"] is None


def test_the_cap_of_certificates() -> None:
    case = CASE["cap"]
    asked = {name: case[name] for name in ("base_intensity", "gdp", "fall", "share")}
    assert dual.certificate_cap(**asked) == pytest.approx(case["tce"])


def filled(workspace: Workspace, growth: bool = True) -> Workspace:
    """A city that burns natural gas only, with its GDP."""
    load(workspace, "cn-jiaxing/2024")
    rows = []
    for year, gas in CASE["gas"].items():
        for item in ("energy.consumption", "energy.combustion"):
            row = {"place": "330400", "carrier": "natural_gas", "item": item, "value": float(gas), "unit": "wan_m3"}
            rows.append(row | {"start": date(int(year), 1, 1), "end": date(int(year) + 1, 1, 1)})
    workspace.import_frame(
        pl.DataFrame(rows),
        source={"file": "energy"},
        dataset={"id": "energy", "role": "account", "status": "synthetic"},
    )
    economy = [("economy.gdp", "yi_CNY", year, value) for year, value in CASE["gdp"].items()]
    if growth:
        economy += [("economy.gdp_growth", "%", year, value) for year, value in CASE["gdp_growth_percent"].items()]
    rows = [
        {"place": "330400", "item": item, "value": float(value), "unit": unit, "start": date(int(year), 1, 1),
         "end": date(int(year) + 1, 1, 1)} for item, unit, year, value in economy
    ]  # fmt: skip
    workspace.import_frame(
        pl.DataFrame(rows), source={"file": "gdp"}, dataset={"id": "gdp", "role": "control", "status": "synthetic"}
    )
    return workspace


def test_dual_targets_from_the_workspace(workspace: Workspace) -> None:
    found = dual.dual(filled(workspace))
    energy = found["energy"]
    assert [row["value"] for row in energy["years"][-2:]] == pytest.approx(list(CASE["tce"].values()))
    assert energy["years"][-1]["growth"] == pytest.approx(CASE["growth"])
    assert energy["fall"] == pytest.approx(CASE["fall"], abs=1e-9)
    assert energy["state"] == CASE["state"]
    assert found["carbon"]["fall"] == pytest.approx(CASE["fall"], abs=1e-9)
    assert found["carbon"]["state"] == "not set"
    assert energy["cumulative"]["missing"] == [2021, 2022, 2023]
    assert energy["cumulative"]["needed"] is None
    views = {one["view"]: one for one in energy["views"]}
    assert views["statistical"]["fall"] == pytest.approx(CASE["fall"], abs=1e-9)
    assert "2024.non_fossil" in views["minus non-fossil"]["missing"]
    assert found["certificates"]["missing"]


def test_feedstock_is_deducted_as_it_opens(workspace: Workspace) -> None:
    filled(workspace)
    row = {"place": "330400", "carrier": "natural_gas", "item": "energy.feedstock", "unit": "wan_m3"}
    rows = [
        row | {"value": value, "start": date(year, 1, 1), "end": date(year + 1, 1, 1)}
        for year, value in ((2023, 10.0), (2024, 20.0))
    ]
    source, dataset = {"file": "feedstock"}, {"id": "feedstock", "role": "account", "status": "synthetic"}
    workspace.import_frame(pl.DataFrame(rows), source=source, dataset=dataset)
    view = next(one for one in dual.dual(workspace)["energy"]["views"] if one["view"] == "minus feedstock")
    asked = {"item": "energy.tce_feedstock", "basis": "equivalent", "place": "330400"}
    nodes = [inventory.explain(workspace, **asked, period=str(year)) for year in (2024, 2023)]
    assert [view["deducted"], view["deducted_before"]] == pytest.approx([node["value"] for node in nodes])
    assert nodes[0]["value"] == pytest.approx(20 * 13.3) and nodes[0]["rows"][0]["value"] == 20


def test_without_real_growth_nothing_is_decided(workspace: Workspace) -> None:
    found = dual.dual(filled(workspace, growth=False))["energy"]
    assert found["fall"] is None
    assert found["state"] is None
    assert found["indicative"] == pytest.approx(CASE["indicative"], abs=1e-9)
    assert found["missing"] == ["2024.gdp_growth"]


def test_deductions_side_by_side() -> None:
    case = CASE["views"]
    base = intensity.Year(energy=13300, gdp=100, feedstock=0, non_fossil=case["non_fossil_2023"])
    year = intensity.Year(energy=13566, gdp=105.5, feedstock=0, non_fossil=case["non_fossil_2024"])
    views = {one["view"]: one for one in intensity.views(base, year, year=2024)}
    assert views["minus non-fossil"]["fall"] == pytest.approx(case["fall"], abs=1e-6)


def ledger(workspace: Workspace) -> None:
    """The certificates of the case: bought, used, and used by another account."""
    store = Store(workspace.database)
    store.install()
    moves = HANDED["certificates"]["entries"]
    names = dict.fromkeys(f"gec|{end}" for _, _, debit, credit, _ in moves for end in (debit, credit))
    store.open_accounts(
        [{"account": name, "instrument": "gec", "unit": "张", "overdraft": "@issuer" in name} for name in names]
    )
    store.post(
        [{"id": id, "at": at, "debit": f"gec|{debit}", "credit": f"gec|{credit}", "instrument": "gec", "amount": n}
         for id, at, debit, credit, n in moves]
    )  # fmt: skip


@pytest.fixture
def judged(workspace: Workspace) -> dict[str, Any]:
    """The dual targets of the case with what was handed down."""
    filled(workspace, growth=False)
    ledger(workspace)
    handed.tell(workspace, "330400", HANDED["figures"])
    return dual.dual(workspace)


def test_figures_handed_down_as_calculated_by_hand(judged: dict[str, Any]) -> None:
    energy, carbon = judged["energy"], judged["carbon"]
    assert energy["fall"] == pytest.approx(HANDED["fall"], abs=1e-9)
    assert (energy["state"], carbon["state"]) == (HANDED["energy_state"], HANDED["carbon_state"])
    assert [row["from"] for row in energy["years"]] == ["notified", "notified", "notified", "computed"]
    assert energy["cumulative"]["fall"] == pytest.approx(HANDED["cumulative"], abs=1e-6)
    assert energy["cumulative"]["needed"] == pytest.approx(HANDED["needed"], abs=1e-6)
    assert energy["targets"]["basic"]["status"] == "secondary"  # the plan's own 3 %
    assert energy["targets"]["incentive"]["source"]["zh"] == "下达文件"
    assert energy["years"][-1]["gdp_source"].endswith("（2020 年价格）")


def test_views_and_certificates_as_calculated_by_hand(judged: dict[str, Any]) -> None:
    asked, got = HANDED["certificates"], judged["certificates"]
    for name in ("mwh", "tce", "used"):
        assert got[name] == pytest.approx(asked[name]), name
    assert (got["ledger"]["held"], got["ledger"]["others"]) == (asked["held"], asked["others"])
    assert [one["id"] for one in got["ledger"]["entries"]] == ["use"]
    assert (got["from"], got["local"], got["status"]) == ("ledger", True, "synthetic")
    regimes = {one["rule"]: one for one in judged["energy"]["regimes"]}
    assert regimes["non-fossil"]["in_force"] and not regimes["renewable-increment"]["in_force"]
    for rule in regimes:
        views = {one["view"]: one for one in regimes[rule]["views"]}
        for name, (energy, fall) in HANDED["views"][rule].items():
            assert views[name]["energy"] == pytest.approx(energy), (rule, name)
            assert views[name]["fall"] == pytest.approx(fall, abs=1e-6), (rule, name)
    taken = [(one["deducted"], one["deducted_before"]) for one in regimes["non-fossil"]["views"]]
    assert taken == [(None, None), (50, 50), (500, 300), (300, None)]


def test_what_is_missing_is_named(workspace: Workspace) -> None:
    found = dual.dual(filled(workspace, growth=False))
    assert found["energy"]["said"]["zh"] == "不能判断：缺 2024 年 GDP 可比价增速"
    assert "基本目标" in found["carbon"]["said"]["zh"]
    lacks = {(one["name"], one["period"]): one for one in found["lacks"]}
    assert lacks["gdp_growth", "2024"]["needed"]
    assert {("carbon_basic", "2024"), ("energy_five_year_basic", "2021-01/2025-12"), ("non_fossil", "2023"),
            ("energy_fall", "2021"), ("certificates", "2024")} <= set(lacks)  # fmt: skip
    assert ("energy_basic", "2024") not in lacks
    assert found["certificates"]["mwh"] is None and found["certificates"]["ledger"]["missing"] == "ledger"
    assert not found["synthetic"]


def test_a_notified_fall_comes_before_the_computed_one(workspace: Workspace) -> None:
    filled(workspace)
    notice = {"name": "energy_fall", "period": "2024", "value": 2.9, "status": "official", "source": "省级通报"}
    handed.tell(workspace, "330400", [notice], at=date(2025, 4, 1))
    now = dual.dual(workspace)["energy"]
    assert (now["fall"], now["from"], now["state"]) == (pytest.approx(0.029), "notified", "missed")
    assert now["years"][-1]["computed"] == pytest.approx(CASE["fall"], abs=1e-9)
    assert handed.standing(workspace, "330400", date(2025, 3, 1)) == {}  # nobody knew it then
    row = next(one for one in feeds.figures(workspace, None, 12) if one["line"] == "I1")
    assert row["value"] == pytest.approx(100 * CASE["fall"])  # the platform's own figure is the computed one


def test_there_is_one_fall(workspace: Workspace) -> None:
    filled(workspace)
    row = next(one for one in feeds.figures(workspace, None, 12) if one["line"] == "I1")
    assert row["value"] == 100 * dual.dual(workspace)["energy"]["years"][-1]["computed"]
    assert falls.fall(workspace, "equivalent", "330400", 2024, {})["computed"] * 100 == row["value"]


def test_prices_of_different_years_give_no_growth(workspace: Workspace) -> None:
    load(workspace, "cn-jiaxing/2024")
    rows = [
        {"name": "gdp_fixed", "period": str(year), "value": value, "price_year": base, "source": "x"}
        for year, value, base in ((2023, 100, 2015), (2024, 105, 2020))
    ]
    handed.tell(workspace, "330400", rows)
    told = handed.standing(workspace, "330400")
    assert falls.growth(workspace, "330400", 2024, told)["value"] is None


def test_figures_come_from_the_form_whole_or_not_at_all(workspace: Workspace, tmp_path: Path) -> None:
    load(workspace, "cn-jiaxing/2024")
    made = handed.template(workspace, "330400", [2021, 2022, 2023, 2024, 2025], 2024, tmp_path / "f.xlsx")
    assert made["filled"] == 0 and made["rows"] > 40
    assert handed.tell(workspace, "330400", handed.read_file(tmp_path / "f.xlsx"))["told"] == []
    book = openpyxl.load_workbook(tmp_path / "f.xlsx")
    sheet = book.active
    rows = {(str(row[0].value), str(row[1].value)): row for row in sheet.iter_rows(min_row=2)}
    growth = rows["GDP可比价增速", "2024"]
    growth[2].value, growth[5].value, growth[6].value = 5.5, "转引", "统计公报"
    target = rows["能耗强度五年累计下降基本目标", "2021-2025"]
    target[2].value = 14.5  # without a source
    book.save(tmp_path / "g.xlsx")
    with pytest.raises(Refused) as refused:
        handed.tell(workspace, "330400", handed.read_file(tmp_path / "g.xlsx"), file="g.xlsx")
    assert [(one.rule, one.file, one.sheet, one.row, one.column) for one in refused.value.problems] == [
        ("plan.handed-source", "g.xlsx", "填写", target[0].row, "来源")
    ]
    assert handed.standing(workspace, "330400") == {}
    target[6].value = "下达文件"
    book.save(tmp_path / "g.xlsx")
    assert len(handed.tell(workspace, "330400", handed.read_file(tmp_path / "g.xlsx"))["told"]) == 2
    assert handed.tell(workspace, "330400", handed.read_file(tmp_path / "g.xlsx"))["unchanged"] == 2
    again = handed.template(workspace, "330400", [2021, 2022, 2023, 2024, 2025], 2024, tmp_path / "h.csv")
    assert again["filled"] == 2
    assert handed.tell(workspace, "330400", handed.read_file(tmp_path / "h.csv"))["unchanged"] == 2


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("empty.csv", b"", "plan.empty"),
        ("other.csv", "甲,乙\n1,2\n".encode(), "plan.table-headings"),
        ("picture.csv", b"\x89PNG\r\n\xff\xfe\x00", "plan.broken"),
        ("renamed.xlsx", b"hello", "plan.broken"),
    ],
)
def test_a_file_that_is_no_form_says_so_in_words(tmp_path: Path, name: str, content: bytes, rule: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Refused) as refused:
        handed.read_file(tmp_path / name)
    told = refused.value.problems[0].as_dict("zh")
    assert told["rule"] == rule and name in str(told["file"])
    assert not any(word in told["message"] + told["remedy"] for word in ("—", "Zip", "Error", "invalid"))


def test_every_rule_has_one_text() -> None:
    rules = [line.split(",")[0] for line in (PACKAGE / "plan" / "problems.csv").read_text("utf-8").splitlines()]
    assert len(rules) == len(set(rules))


def test_every_fault_of_a_figure_is_named(workspace: Workspace) -> None:
    rows = [
        {"name": "幸福指数", "period": "2024", "value": 1, "source": "x"},
        {"name": "gdp_growth", "period": "2021-2025", "value": "much", "source": "x", "status": "sure"},
        {"name": "gdp_fixed", "period": "2024", "value": -1, "unit": "元", "source": ""},
        {"name": "energy_basic", "period": "2024", "value": 3, "source": "x"},
        {"name": "energy_basic", "period": "2024", "value": 4, "source": "x"},
    ]
    with pytest.raises(Refused) as refused:
        handed.tell(workspace, "330400", rows)
    assert sorted(one.rule for one in refused.value.problems) == [
        "plan.bad-number", "plan.bad-number", "plan.bad-period", "plan.handed-name", "plan.handed-prices",
        "plan.handed-source", "plan.handed-twice", "plan.handed-unit", "plan.unknown-status",
    ]  # fmt: skip
    twice = next(one for one in refused.value.problems if one.rule == "plan.handed-twice")
    assert "“能耗强度下降基本目标 2024”" in twice.line("zh")
    assert "“Energy intensity, basic target 2024”" in twice.line("en")


def test_figures_are_only_added(place: Workspace) -> None:
    one = {"name": "gdp_growth", "period": "2024", "value": 5.5, "source": "快报"}
    handed.tell(place, "330400", [one])
    handed.tell(place, "330400", [{**one, "value": 5.6, "source": "核定"}])
    assert handed.standing(place, "330400")["gdp_growth", "2024"]["shown"] == 5.6
    assert handed.last_told(place) == 2
    with pytest.raises(sa.exc.DatabaseError), place.database.begin() as connection:
        connection.exec_driver_sql("UPDATE plan_handed SET value = 9")


def test_certificates_need_their_account(workspace: Workspace) -> None:
    filled(workspace)
    ledger(workspace)
    mapping = {"instrument": "gec", "account": "嘉兴市省外绿证专户{year}"}
    assert certificates.used(workspace, mapping, 2023)["missing"] == "account"
    assert certificates.used(workspace, None, 2024)["missing"] == "mapping"
    before = certificates.used(workspace, mapping, 2024, date(2024, 11, 1))
    assert (before["mwh"], before["held"], before["others"]) == (0, 1500, 0)  # bought in March, used on 20 November
    used = certificates.used(workspace, mapping, 2024, date(2024, 11, 30))
    assert (used["mwh"], used["others"]) == (1000, 0)
    back = {"id": "back", "at": "2024-12-05", "debit": "gec|@retired", "credit": "gec|嘉兴市省外绿证专户2024"}
    ends = [{**back, "instrument": "gec", "amount": 200}]
    Store(workspace.database).post(ends)
    after = certificates.used(workspace, mapping, 2024)
    assert (after["mwh"], [one["amount"] for one in after["entries"]]) == (800, [1000, -200])
    assert after["others"] == 300


def test_the_verbs_of_dual_targets(workspace: Workspace, verb: Callable[..., Any], tmp_path: Path) -> None:
    at = ("--workspace", filled(workspace, growth=False).path)
    assert verb("plan", "dual", "template", tmp_path / "f.csv", *at, "--json").json["filled"] == 0
    (tmp_path / "g.csv").write_text("项目,时期,数值,来源\nGDP可比价增速,2024,5.5,统计公报\n", encoding="utf-8")
    assert len(verb("plan", "dual", "import", tmp_path / "g.csv", *at, "--dry-run", "--json").json["told"]) == 1
    assert verb("plan", "dual", *at, "--json").json["energy"]["fall"] is None
    assert verb("plan", "dual", "import", tmp_path / "g.csv", *at, "--json").code == 0
    assert verb("plan", "dual", *at, "--json").json["energy"]["fall"] == pytest.approx(CASE["fall"], abs=1e-9)
    (tmp_path / "bad.csv").write_text("项目,时期,数值,来源\nGDP可比价增速,2024,x,\n", encoding="utf-8")
    assert verb("plan", "dual", "import", tmp_path / "bad.csv", *at, "--json").code == 1


def test_plans_of_several_years_share_the_figures_of_their_place(make: Callable[..., Workspace]) -> None:
    workspace = make("jiangyuan-2025.txt", "jiangyuan-2026.txt", "cn-jiaxing/2024")
    plans = {one["plan"]: one for one in reads.plans(workspace)}
    first, second = (name for name in plans if not name.startswith("330400"))
    place = plans[first]["place"]
    told = [
        {"name": "energy_basic", "period": str(year), "value": value, "source": "下达文件"}
        for year, value in ((2025, 3.2), (2026, 2.8))
    ]
    handed.tell(workspace, place, told)
    targets = [dual.dual(workspace, name)["energy"]["basic"] for name in (first, second)]
    assert targets == pytest.approx([0.032, 0.028])
    assert dual.dual(workspace, "330400-2024")["energy"]["basic"] == 0.03  # Jiaxing's own, from its pack
    assert dual.dual(workspace, first)["five_year"][0] == 2021 and dual.five_years(2026) == [*range(2026, 2031)]
    assert dual.dual(workspace, first)["reference"] == []  # what the pack says of Zhejiang is not put to another city


def test_an_official_figure_never_comes_from_the_pack_unsourced() -> None:
    told = dual.settings("cn-jiaxing", 2024)
    for kind in dual.KINDS:
        for name in dual.TARGETS:
            one = told[kind][name]
            assert one is None or (one["source"]["zh"] and one["status"] in ("secondary", "unverified")), (kind, name)
    assert all(one["status"] == "secondary" and one["address"] for one in told["reference"])
