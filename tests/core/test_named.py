"""Whom the rows name: the same whether kept, read anew, or asked after reversals and compactions."""

from pathlib import Path

import pytest

from dualcarbon.core import named, store
from dualcarbon.core.workspace import Workspace

ROW = "330483,{},{},diesel,energy.combustion,2024-{:02},10,t"


def known(place: Workspace) -> list[tuple[str | None, ...]]:
    return [row for row in Workspace.open(place.path).entities().select("code", "place", "sector").rows()]


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "w")


def test_each_import_adds_whom_it_names_and_no_file_is_read_twice(place, file):
    place.import_file(file("1.csv", ROW.format("A", "C28", 1), ROW.format("B", "C17", 1)))
    assert known(place) == [("A", "330483", "C28"), ("B", "330483", "C17")]
    [first] = store.files(place.table)
    Path(first).unlink()
    place.import_file(file("2.csv", ROW.format("B", "C28", 2), ROW.format("C", "C28", 2)))
    assert known(place) == [("A", "330483", "C28"), ("B", "330483", None), ("C", "330483", "C28")]


def test_what_is_kept_is_what_reading_everything_gives(place, file):
    rows = [ROW.format(f"E{n}", "C28", n) for n in range(1, 5)]
    ids = [place.import_file(file(f"{n}.csv", row))["id"] for n, row in enumerate(rows)]
    for change in (lambda: place.revert(ids[1], "试"), place.compact):
        before = known(place)
        change()
        after = known(place)
        (place.path / named.KEPT).unlink()
        assert known(place) == after and len(before) >= len(after) == 3


def test_a_damaged_file_is_made_anew_and_one_that_cannot_be_written_is_not_needed(place, file):
    place.import_file(file("1.csv", ROW.format("A", "C28", 1)))
    (place.path / named.KEPT).write_bytes(b"PAR1 no")
    assert known(place) == [("A", "330483", "C28")]
    (place.path / named.KEPT).unlink()
    (place.path / named.KEPT).mkdir()
    assert known(place) == [("A", "330483", "C28")]
