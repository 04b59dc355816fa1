import json
import shutil
import sqlite3
import zipfile
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from dualcarbon.core import database as databases
from dualcarbon.core import store
from dualcarbon.core.problems import Refused
from dualcarbon.core.tables import ENTITY, OBSERVATION, conform
from dualcarbon.core.workspace import NoWorkspace, Workspace, find

A = "330483,A,C28,diesel,energy.combustion,2024-01,10,t"
B = "330483,B,C28,diesel,energy.combustion,2024-01,20,t"
B_CORRECTED = "330483,B,C28,diesel,energy.combustion,2024-01,25,t"
C = "330481,C,C17,electricity,energy.purchased,2024-01,100,MWh"


def values(place, **choice):
    rows = place.observations(**choice).select('entity, item, start, "end", value').fetchall()
    return {(row[0], str(row[2])[:7]): row[4] for row in sorted(rows, key=str)}


def rules(refused):
    return sorted(problem.rule for problem in refused.value.problems)


def test_an_empty_workspace(place):
    assert place.version() == 0 and place.imports() == [] and place.datasets() == [] and place.runs() == []
    assert place.observations().columns == list(OBSERVATION) and place.observations().fetchall() == []
    assert place.entities().schema == pl.DataFrame(schema=ENTITY).schema


def test_import_and_read_back(place, file):
    answer = place.import_file(file("a.csv", A, C), dataset="returns-2024")
    assert (answer["rows"], answer["already"], answer["datasets"]) == (2, False, ["returns-2024"])
    assert values(place) == {("A", "2024-01"): 10, ("C", "2024-01"): 100}
    row = place.observations().filter("entity = 'A'").pl().row(0, named=True)
    assert (row["source"], row["row"], row["unit"], row["dataset"]) == (answer["id"], 2, "t", "returns-2024")
    assert [one["file"] for one in place.imports()] == ["a.csv"]
    assert values(place, datasets=["other"]) == {} and values(place, datasets=[]) == {}


def test_a_dry_run_changes_nothing(place, file):
    assert place.import_file(file("a.csv", A), dry_run=True)["rows"] == 1
    assert place.version() == 0 and values(place) == {} and place.imports() == []


def test_the_same_file_twice_is_recognised(place, file):
    first = place.import_file(file("a.csv", A, B))
    again = place.import_file(file("copy.csv", A, B))
    assert again["already"] and again["id"] == first["id"] and place.version() == first["version"]
    assert values(place) == {("A", "2024-01"): 10, ("B", "2024-01"): 20}


def test_rows_that_stand_already_are_not_added_again(place, file):
    place.import_file(file("a.csv", A, B))
    kilograms = A.replace("10,t", "10000,kg")
    answer = place.import_file(file("b.csv", kilograms, C))
    assert (answer["rows"], answer["unchanged"]) == (1, 1)
    assert len(values(place)) == 3 and place.observations().aggregate("sum(value)").fetchall() == [(130,)]
    assert place.import_file(file("c.csv", B, C))["already"] and place.version() == 2


def test_a_changed_key_is_refused_by_name(place, file):
    place.import_file(file("a.csv", A, B, C))
    with pytest.raises(Refused) as refused:
        place.import_file(file("b.csv", A.replace(",10,", ",11,"), B_CORRECTED, C))
    assert rules(refused) == ["core.changed-key"] * 2
    told = refused.value.problems[1].as_dict("en")
    assert told["row"] == 3 and "330483 B C28 diesel" in told["message"] and "was 20, now 25" in told["message"]
    assert values(place)["B", "2024-01"] == 20 and place.version() == 1


def test_a_correction_supersedes_and_a_reversal_gives_back(place, file):
    place.import_file(file("a.csv", A, B))
    correction = place.import_file(file("b.csv", B_CORRECTED), revise="计量更正", known_at="2025-06-30")
    assert correction["superseded"] == 1
    assert values(place) == {("A", "2024-01"): 10, ("B", "2024-01"): 25}
    assert values(place, version=1)["B", "2024-01"] == 20
    assert values(place, known_at=date(2025, 6, 29))["B", "2024-01"] == 20
    assert values(place, known_at=date(2025, 6, 30))["B", "2024-01"] == 25
    done = place.revert(correction["id"][:8], "更正有误")
    assert done["reverted"] and done["revert_reason"] == "更正有误"
    assert values(place)["B", "2024-01"] == 20 and values(place, version=2)["B", "2024-01"] == 25
    again = place.import_file(file("b.csv", B_CORRECTED), revise="再次更正")
    assert again["id"] != correction["id"] and values(place)["B", "2024-01"] == 25


def test_a_correction_counts_from_the_day_its_own_row_states(place, file):
    place.import_file(file("a.csv", A, B))
    heads = "place,entity,sector,carrier,item,period,value,unit,known_at"
    rows = (A.replace(",10,", ",11,") + ",2025-01-31", B_CORRECTED + ",2025-02-28")
    place.import_file(file("b.csv", *rows, headings=heads), revise="分批更正")
    for month, expected in ((1, [10, 20]), (2, [11, 20]), (3, [11, 25])):
        assert list(values(place, known_at=date(2025, month, 1)).values()) == expected


def test_rows_are_known_from_the_day_their_source_was_issued(place, file):
    heads = "place,item,period,value,unit,source"
    place.import_file(file("a.csv", "330483,economy.gdp,2020,1,亿元,mee-power-2021", headings=heads))
    assert place.observations().select("known_at, source").fetchall() == [(date(2024, 4, 12), "mee-power-2021")]
    assert not place.observations(known_at=date(2024, 4, 11)).fetchall()


def test_what_cannot_be_reverted(place, file):
    done = place.import_file(file("a.csv", A))
    for id, reason, rule in (("ffff", "r", "no-import"), ("", "r", "no-import"), (done["id"], " ", "needs-reason")):
        with pytest.raises(Refused) as refused:
            place.revert(id, reason)
        assert rules(refused) == [f"core.{rule}"]
    place.revert(done["id"], "误导入")
    with pytest.raises(Refused) as refused:
        place.revert(done["id"], "误导入")
    assert rules(refused) == ["core.reverted-already"] and values(place) == {}


def test_rows_are_checked_against_those_that_stand(place, file):
    place.import_file(file("a.csv", "330483,A,C28,raw_coal,energy.combustion,2024,10,t"))
    for row, rule in (
        ("330483,A,C28,anthracite,energy.combustion,2024,1,t", "core.parent-and-child"),
        ("330483,A,C28,raw_coal,energy.combustion,2024-02,1,t", "core.overlapping-periods"),
        ("330483,A,C,raw_coal,energy.combustion,2024,1,t", "core.parent-and-child"),
        ("330400,A,C28,raw_coal,energy.combustion,2024-03,1,t", "core.parent-and-child"),
    ):
        with pytest.raises(Refused) as refused:
            place.import_file(file("b.csv", row, "330483,A,C28,diesel,energy.combustion,2024,lots,t"))
        assert [p.rule for p in refused.value.problems] == [rule, "core.not-a-number"]
        assert "imported earlier" in refused.value.problems[0].as_dict("en")["message"]
    assert place.import_file(file("c.csv", "330483,A,C28,anthracite,energy.combustion,2024,1,t"), dataset="other")[
        "rows"
    ]


def test_published_totals_may_stand_beside_their_parts(place, file):
    path = file(
        "a.csv", "330400,,,electricity,energy.purchased,2024,10,MWh", "330483,,,electricity,energy.purchased,2024,1,MWh"
    )
    with pytest.raises(Refused):
        place.import_file(path)
    part = file("b.csv", "330483,,,electricity,energy.purchased,2024,1,MWh")
    place.import_file(part, dataset="totals", role="control", status="official")
    assert place.datasets()[0]["role"] == "control" and place.datasets()[0]["status"] == "official"
    whole = file("c.csv", "330400,,,electricity,energy.purchased,2024,10,MWh")
    assert place.import_file(whole, dataset="totals")["rows"] == 1


CUMULATIVE = "place,entity,sector,carrier,item,period,value,unit,cumulative"


def test_cumulative_reports_of_several_files_are_differenced(place, file):
    report = "330483,A,C28,electricity,energy.purchased,2024年1-{}月,{},MWh,是".format
    place.import_file(file("2.csv", report(2, 20), headings=CUMULATIVE), known_at="2024-03-10")
    place.import_file(file("3.csv", report(3, 35), headings=CUMULATIVE), known_at="2024-04-10")
    assert values(place) == {("A", "2024-01"): 20, ("A", "2024-03"): 15}
    assert values(place, known_at=date(2024, 3, 31)) == {("A", "2024-01"): 20}
    assert sorted(r[0] for r in place.observations(cumulative="reported").select("value").fetchall()) == [20, 35]
    with pytest.raises(Refused) as refused:
        place.import_file(file("4.csv", report(4, 30), headings=CUMULATIVE))
    assert rules(refused) == ["core.falling-cumulative"]
    place.import_file(file("4.csv", report(4, 30), headings=CUMULATIVE), revise="3月多报，已更正")
    assert values(place)["A", "2024-04"] == -5
    place.import_file(file("5.csv", report(5, 50), headings=CUMULATIVE))
    with pytest.raises(Refused) as refused:
        place.import_file(file("6.csv", report(6, 40), headings=CUMULATIVE))
    assert rules(refused) == ["core.falling-cumulative"]


def test_import_frame(place):
    frame = pl.DataFrame(
        {
            "place": "330483", "carrier": "diesel", "item": "energy.combustion", "start": date(2024, 1, 1),
            "end": date(2025, 1, 1), "value": [100.0], "unit": "t", "entity": ["F1"],
        }
    )  # fmt: skip
    dataset = {"id": "demo-panel", "title_zh": "模拟", "title_en": "Demo", "role": "account", "status": "synthetic",
               "custody": "self-submitted"}  # fmt: skip
    source = {"file": "generator", "known_at": "2025-03-01", "seed": 7}
    answer = place.import_frame(frame, source=source, dataset=dataset)
    assert answer["rows"] == 1 and place.datasets()[0]["status"] == "synthetic"
    row = place.observations().pl().row(0, named=True)
    assert row["known_at"] == date(2025, 3, 1) and row["custody"] == "self-submitted" and row["dataset"] == "demo-panel"
    assert place.imports()[0]["seed"] == 7
    assert place.import_frame(frame, source=source, dataset=dataset)["already"]
    with pytest.raises(Refused) as refused:
        place.import_frame(pl.concat([frame, frame]).with_columns(value=-1.0), source=source, dataset=dataset)
    assert {"core.negative", "core.duplicate-row"} <= set(rules(refused))


def test_entities_give_place_and_sector(place, file):
    firms = conform(
        pl.DataFrame(
            {"code": ["F1"], "name": ["嘉兴某化纤"], "place": ["330483"], "sector": ["C28"], "from": [date(2020, 1, 1)]}
        ),
        ENTITY,
    )
    assert place.save_entities(firms) == 1
    assert place.save_entities(firms.with_columns(sector=pl.lit("C17")), reason="更正行业") == 1
    place.import_file(
        file("a.csv", "嘉兴某化纤,柴油,燃料燃烧量,2024-01,10,吨", headings="企业,能源品种,指标,时期,数值,计量单位")
    )
    assert place.observations().select("entity, place, sector").fetchall() == [("F1", "330483", "C17")]


def test_entities_that_only_rows_name_are_known_by_what_their_rows_agree_in(place, file):
    place.save_entities(conform(pl.DataFrame({"code": ["F1"], "name": ["某厂"], "place": ["330481"]}), ENTITY))
    lines = [
        "330483,F1,C28,diesel,energy.combustion,2024-01,10,t",
        "330483,甲厂,C17,diesel,energy.combustion,2024-01,10,t",
        "330483,甲厂,C28,diesel,energy.combustion,2024-02,10,t",
    ]
    done = place.import_file(file("a.csv", *lines, headings="place,entity,sector,carrier,item,period,value,unit"))
    known = place.entities().select("code", "name", "place", "sector", "status").rows()
    assert known == [("F1", "某厂", "330481", None, None), ("甲厂", "甲厂", "330483", None, "unverified")]
    assert place.save_entities(place.entities().filter(pl.col("code") == "甲厂")) == 2
    place.revert(done["id"], "试")
    assert sorted(place.entities()["code"]) == ["F1", "甲厂"]


def test_runs_are_kept_once(place):
    for at in ("2025-01-02T00:00:00+00:00", "2025-01-03T00:00:00+00:00"):
        place.keep_run({"id": "r1", "created_at": at, "method": {"id": "cn.combustion"}})
    place.keep_run({"id": "r2", "created_at": "2025-01-05T00:00:00+00:00"})
    assert [one["id"] for one in place.runs()] == ["r2", "r1"]
    assert place.run("r1")["created_at"].startswith("2025-01-02") and place.run("r3") is None


def test_the_database_is_rebuilt_from_the_commits(place, file):
    place.import_file(file("a.csv", A, B))
    place.import_file(file("b.csv", B_CORRECTED), revise="更正")
    place.revert(place.import_file(file("c.csv", C))["id"], "误导入")
    before = (values(place), place.imports(), place.datasets())
    with place.database.begin() as connection:
        for table in (*databases.MIRRORED, databases.META):
            connection.execute(table.delete())
    again = Workspace.open(place.path)
    assert (values(again), again.imports(), again.datasets()) == before
    with place.database.begin() as connection:
        connection.execute(databases.META.update().where(databases.META.c.key == "synced").values(value="99"))
    again = Workspace.open(place.path)
    assert (values(again), again.imports(), again.datasets()) == before


def test_compaction_keeps_every_version(place, file):
    for number in range(4):
        place.import_file(
            file(f"{number}.csv", f"33048{number % 2 + 1},F{number},C28,diesel,energy.combustion,2024-01,1,t")
        )
    files = store.files(place.table)
    place.compact()
    assert len(files) == 4 and len(store.files(place.table)) == 1 and all(Path(one).exists() for one in files)
    assert [len(values(place, version=number)) for number in range(6)] == [0, 1, 2, 3, 4, 4]
    assert len(Workspace.open(place.path).imports()) == 4


def test_backup_and_restore(place, file, tmp_path, database, request, monkeypatch):
    place.import_file(file("a.csv", A, B))
    place.import_file(file("b.csv", B_CORRECTED), revise="更正")
    place.keep_run({"id": "r1", "created_at": "2025-01-02T00:00:00+00:00"})
    manifest = place.backup(tmp_path / "备份.zip")
    if database == "postgresql":
        with pytest.raises(Refused) as refused:
            Workspace.restore(tmp_path / "备份.zip", tmp_path / "again")
        assert rules(refused) == ["core.database-in-use"] and not (tmp_path / "again").exists()
        monkeypatch.delenv("DUALCARBON_DATABASE_URL")
    again = Workspace.restore(tmp_path / "备份.zip", tmp_path / "again")
    assert (again.id, again.version(), again.runs()) == (place.id, manifest["version"], place.runs())
    assert (values(again), values(again, version=1), again.imports()) == (
        values(place), values(place, version=1), place.imports(),
    )  # fmt: skip
    assert again.import_file(file("a.csv", A, B))["already"]
    with pytest.raises(Refused) as refused:
        Workspace.restore(tmp_path / "备份.zip", tmp_path / "again")
    assert rules(refused) == ["core.workspace-exists"]


def test_a_damaged_backup_is_refused(place, file, tmp_path):
    place.import_file(file("a.csv", A))
    place.backup(tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as good, zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            bad.writestr(name, content.replace(b"330483", b"330481") if name.endswith("parquet") else content + b" ")
    (tmp_path / "torn.zip").write_bytes((tmp_path / "b.zip").read_bytes()[:-400])
    for name in ("bad.zip", "torn.zip"):
        with pytest.raises(Refused) as refused:
            Workspace.restore(tmp_path / name, tmp_path / "again")
        assert rules(refused) == ["core.bad-backup"] and not (tmp_path / "again").exists()


def test_a_database_serves_one_workspace(place, tmp_path, database):
    if database == "sqlite":
        place.database.dispose()
        other = Workspace.create(tmp_path / "other")
        other.database.dispose()
        shutil.copy(place.path / "dualcarbon.db", other.path / "dualcarbon.db")
        with pytest.raises(Refused) as refused:
            Workspace.open(other.path)
    else:
        with pytest.raises(Refused) as refused:
            Workspace.create(tmp_path / "other")
    assert rules(refused) == ["core.other-database"]


def test_finding_a_workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LookupError):
        find()
    made = Workspace.find_or_create()
    assert made.path == tmp_path / "workspace" and find().name == "workspace"
    (tmp_path / "workspace" / "below").mkdir()
    monkeypatch.chdir(tmp_path / "workspace" / "below")
    assert find() == made.path and Workspace.find().id == made.id
    with pytest.raises(NoWorkspace):
        Workspace.open(tmp_path)
    with pytest.raises(Refused) as refused:
        Workspace.create(tmp_path / "workspace")
    assert rules(refused) == ["core.workspace-exists"]


def test_sqlite_writes_ahead_and_readers_do_not_wait(tmp_path):
    made = Workspace.create(tmp_path / "w")
    with sqlite3.connect(made.path / "dualcarbon.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_duckdb_uses_no_extension_but_those_linked():
    settings = dict(store.duck().sql("SELECT name, value FROM duckdb_settings()").fetchall())
    assert {settings[f"auto{what}_known_extensions"] for what in ("install", "load")} == {"false"}


def test_a_commit_says_what_it_carries(place, file):
    place.import_file(file("a.csv", A), dataset="returns-2024")
    (version, note), *rest = store.notes(place.table, -1)
    assert version == 1 and not rest and note["kind"] == "import"
    assert note["source"]["sha256"] == place.imports()[0]["sha256"] and note["datasets"][0]["id"] == "returns-2024"
    json.dumps(note)
