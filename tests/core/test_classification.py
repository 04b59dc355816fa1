"""Code lists and place trees of rule packs."""

import shutil
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon.core import pack as packs
from dualcarbon.core.classification import Classification, load

BOOK = load("cn-jiaxing")
COUNTIES = ["330402", "330411", "330421", "330424", "330481", "330482", "330483"]
AREAS = [*COUNTIES, "330400-jk", "330400-gq"]
CODES = [code for code in BOOK.places if code.startswith("3304")]


def write(folder: Path, **tables: str) -> Path:
    """A pack on disk that extends nothing, with the given CSV tables."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pack.yaml").write_text("id: mine\nversion: 1\ntitle: {zh: 自定, en: Own}\n", encoding="utf-8")
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("330483", "330483"),
        ("330483.0", "330483"),
        ("３３０４８３", "330483"),
        ("桐乡市", "330483"),
        ("桐乡", "330483"),
        (" 桐 乡 市 ", "330483"),
        ("tongxiang", "330483"),
        ("乍浦经济开发区", "330400-gq"),
        ("嘉兴经济技术开发区", "330400-jk"),
        ("全国", "CN"),
        ("桐庐", None),
        ("", None),
    ],
)
def test_a_place_is_found_however_it_is_written(text: str, code: str | None) -> None:
    assert BOOK.places.find(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [("柴油", "diesel"), ("ＬＮＧ", "lng"), ("天然气（气态）", "natural_gas"), ("Natural gas", "natural_gas"),
     ("原煤", "raw_coal"), ("一般烟煤", "bituminous_coal"), ("蒸汽", "heat"), ("NATURAL_GAS", "natural_gas")],
)  # fmt: skip
def test_a_carrier_is_found_however_it_is_written(text: str, code: str | None) -> None:
    assert BOOK.carriers.find(text) == code


@pytest.mark.parametrize(
    ("text", "code"),
    [("C28", "C28"), ("28", "C28"), ("2822", "C28"), ("c282", "C28"), ("A28", None), ("化学纤维制造业", "C28"),
     ("化纤", "C28"), ("05", "A05"), ("农林牧渔业", "A"), ("教育", "P"), ("房地产业", "K"), ("居民生活", "HH"),
     ("制造业", "C")],
)  # fmt: skip
def test_a_sector_is_found_by_group_code_and_a_shared_name_means_the_section(text: str, code: str | None) -> None:
    assert BOOK.sectors.find(text) == code


def test_names_come_in_both_languages() -> None:
    assert BOOK.carriers.name("diesel") == "柴油"
    assert BOOK.carriers.name("diesel", "en") == "Diesel"
    assert BOOK.sources.name("mee-power-2023") == "2023年电力二氧化碳排放因子"
    assert BOOK.carriers.name("nothing") == "nothing"
    assert BOOK.carriers.row("nothing") is None
    assert BOOK.terms["process"].find("火力发电") == "power"


def test_parents_of_carriers_and_sectors() -> None:
    assert BOOK.carriers.ancestors("bituminous_coal") == ["raw_coal"]
    assert BOOK.carriers.ancestors("municipal_waste") == ["other_fuels"]
    assert BOOK.sectors.ancestors("C28") == ["C"]
    assert BOOK.sectors.parent("C") is None
    assert BOOK.sectors.ancestors("HH-U") == ["HH"]


def test_paths_lead_to_the_world() -> None:
    assert BOOK.places.path("330483") == ["330483", "330400", "330000", "CN", "WORLD"]
    assert BOOK.places.path("330482-jxdc") == ["330482-jxdc", "330482", "330400", "330000", "CN", "WORLD"]
    assert BOOK.places.path("330482-jxdc", "management")[1] == "330400-gq"
    assert BOOK.places.path("330400-gq") == ["330400-gq", "330400", "330000", "CN", "WORLD"]
    assert BOOK.places.path("330483", "grid") == ["330483", "330400", "330000", "CN-EC", "CN", "WORLD"]
    assert BOOK.places.path("elsewhere") == ["elsewhere"]


def test_the_city_has_seven_counties_and_nine_areas() -> None:
    assert BOOK.places.children("330400") == COUNTIES
    assert sorted(BOOK.places.children("330400", "management")) == sorted(AREAS)


def test_both_trees_have_the_same_leaves_and_each_leaf_one_parent() -> None:
    places = BOOK.places
    whole = places.leaves("330400")
    assert whole == places.leaves("330400", "management")
    for tree, areas in (("admin", COUNTIES), ("management", AREAS)):
        parts = [places.leaves(area, tree) for area in areas]
        assert frozenset().union(*parts) == whole
        assert sum(map(len, parts)) == len(whole)


def test_leaves_that_move_between_the_trees() -> None:
    places = BOOK.places
    moved = {leaf: (places.parent(leaf), places.parent(leaf, "management")) for leaf in places.leaves("330400")}
    assert {leaf: pair for leaf, pair in moved.items() if pair[0] != pair[1]} == {
        "330402-chengnan": ("330402", "330400-jk"),
        "330402-changshui": ("330402", "330400-jk"),
        "330411-jiabei": ("330411", "330400-jk"),
        "330411-tanghui": ("330411", "330400-jk"),
        "330482-gangqu": ("330482", "330400-gq"),
        "330482-jxdc": ("330482", "330400-gq"),
        "330424-xingxing": ("330424", "330400-gq"),
    }
    assert moved["330424-qinshan"] == ("330424", "330424")


def test_a_value_that_a_tree_would_have_to_split_is_not_attributed() -> None:
    recorded = ["330402", "330481", "330424", "330400-jk", "330482-jxdc", "330400", "unknown"]
    assert BOOK.places.rollup(recorded, AREAS, "management") == {
        "330402": None,  # some of its streets belong to 330400-jk
        "330481": "330481",
        "330424": None,
        "330400-jk": "330400-jk",
        "330482-jxdc": "330400-gq",
        "330400": None,
        "unknown": None,
    }
    assert BOOK.places.rollup(recorded, COUNTIES) == {
        "330402": "330402",
        "330481": "330481",
        "330424": "330424",
        "330400-jk": None,
        "330482-jxdc": "330482",
        "330400": None,
        "unknown": None,
    }
    assert BOOK.places.rollup(["330400-jk", "330402"], ["330400"], "admin") == {
        "330400-jk": "330400",
        "330402": "330400",
    }


@given(
    codes=st.lists(st.sampled_from(CODES), unique=True),
    targets=st.lists(st.sampled_from([*AREAS, "330400"]), unique=True),
    tree=st.sampled_from(["admin", "management"]),
)
def test_rollup_puts_each_place_wholly_into_the_smallest_target(
    codes: list[str], targets: list[str], tree: str
) -> None:
    places = BOOK.places
    for code, target in places.rollup(codes, targets, tree).items():
        holding = [one for one in targets if places.extent(code) <= places.leaves(one, tree)]
        if target is None:
            assert not holding
        else:
            assert len(places.leaves(target, tree)) == min(len(places.leaves(one, tree)) for one in holding)


@given(st.sampled_from(list(BOOK.places)), st.sampled_from(BOOK.places.trees))
def test_a_leaf_of_a_place_has_the_place_on_its_path(code: str, tree: str) -> None:
    for leaf in BOOK.places.leaves(code, tree):
        assert code in BOOK.places.path(leaf, tree)


HEAD = "code,parent,name_zh,name_en,natural_unit,kind,aliases,nbs_code\n"
PLACES = "code,name_zh,name_en,level,aliases\nX,甲,X,city,\nP,乙,P,county,\nQ,丙,Q,county,\nL,丁,L,leaf,\n"


def test_edges_have_dates(tmp_path: Path) -> None:
    edges = (
        "tree,parent,child,from,to,source\nadmin,X,P,,,\nadmin,X,Q,,,\nadmin,P,L,,2021-12-31,\nadmin,Q,L,2022-01-01,,\n"
    )
    places = load(write(tmp_path / "p", places=PLACES, place_edges=edges)).places
    assert places.parent("L", at=date(2021, 12, 31)) == "P"
    assert places.parent("L", at=date(2022, 1, 1)) == places.parent("L") == "Q"
    assert places.children("P", at=date(2021, 1, 1)) == ["L"]
    assert places.children("P") == []
    assert places.leaves("X", at=date(2021, 1, 1)) == {"L", "Q"}
    assert places.leaves("X") == {"P", "L"}


@pytest.mark.parametrize(
    ("edges", "said"),
    [
        ("admin,P,L,,,\nadmin,Q,L,2022-01-01,,", "two parents"),
        ("admin,P,L,,,\nadmin,L,P,,,", "own ancestor"),
        ("admin,Z,L,,,", "unknown place Z"),
        ("admin,P,L,2022-02-30,,", "day is out of range"),
    ],
)
def test_faulty_trees_are_refused(tmp_path: Path, edges: str, said: str) -> None:
    text = f"tree,parent,child,from,to,source\n{edges}\n"
    with pytest.raises(packs.PackError, match=said):
        load(write(tmp_path / "p", places=PLACES, place_edges=text))


def test_an_unknown_tree_is_named() -> None:
    with pytest.raises(KeyError, match="known: admin, grid, management"):
        BOOK.places.children("330400", "county")


def test_every_fault_of_a_code_list_is_told_at_once(tmp_path: Path) -> None:
    text = HEAD + "a,,甲,A,t,,,\na,,乙,B,t,,,\nc,none,丙,C,t,,,\n"
    with pytest.raises(packs.PackError) as caught:
        load(write(tmp_path / "p", carriers=text))
    assert len(caught.value.errors) == 2
    assert "carriers.csv:3" in caught.value.errors[0]
    assert "parent none" in caught.value.errors[1]


def test_a_name_of_two_codes_is_refused(tmp_path: Path) -> None:
    text = HEAD + "a,,甲,A,t,,同名,\nb,,乙,B,t,,同名,\n"
    with pytest.raises(packs.PackError, match="means both a and b"):
        load(write(tmp_path / "p", carriers=text))


def test_a_code_wins_over_a_name_and_a_name_over_an_alias(tmp_path: Path) -> None:
    text = HEAD + "a,,b,A,t,,丙,\nb,,乙,B,t,,,\nc,,丙,C,t,,,\n"
    carriers = load(write(tmp_path / "p", carriers=text)).carriers
    assert (carriers.find("b"), carriers.find("丙")) == ("b", "c")


def test_a_pack_outside_the_package_extends_and_replaces(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "town",
        carriers=HEAD + "diesel,,零号柴油,Diesel 0,t,oil,柴油,\n",
    )
    (folder / "pack.yaml").write_text("id: town\nversion: 1\ntitle: {zh: 镇, en: Town}\nextends: cn-jiaxing\n")
    assert [path.name for path in packs.chain(folder)] == ["ipcc", "cn", "cn-zhejiang", "cn-jiaxing", "town"]
    book: Classification = load(folder)
    assert book.carriers.name("diesel") == "零号柴油"
    assert book.carriers.find("柴油") == "diesel"
    assert book.places.find("桐乡") == "330483"


def test_what_was_read_is_kept_until_a_file_changes(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", places=PLACES)
    first = load(folder)
    assert load(folder) is first
    write(folder, places=PLACES + "M,戊己,M,leaf,\n")
    assert load(folder).places.find("戊己") == "M"


def test_packs_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(packs.PackError, match="unknown rule pack 'cn-nowhere'"):
        packs.chain("cn-nowhere")
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    (first / "pack.yaml").write_text("id: a\nversion: 1\nextends: ../b\n")
    (second / "pack.yaml").write_text("id: b\nversion: 1\nextends: ../a\n")
    with pytest.raises(packs.PackError, match="extends itself"):
        packs.chain(first)
    (first / "pack.yaml").write_text("id: a\nversion: 1\n")
    write(first, places="code,name_zh\nX,甲,3\nY\n")
    (first / "pack.yaml").write_text("id: a\nversion: 1\n")
    with pytest.raises(packs.PackError) as caught:
        packs.rows(first, "places")
    assert [error.split(": ")[1] for error in caught.value.errors] == [
        "3 cells under 2 headings",
        "1 cells under 2 headings",
    ]
    (first / "pack.yaml").write_text("id: [")
    with pytest.raises(packs.PackError, match=r"pack\.yaml:\d"):
        packs.chain(first)


def test_the_content_hash_follows_the_bytes_not_the_folder(tmp_path: Path) -> None:
    first = write(tmp_path / "a", places=PLACES)
    second = Path(shutil.copytree(first, tmp_path / "b"))
    assert packs.content_hash(first) == packs.content_hash(second)
    write(second, places=PLACES + "M,戊,M,leaf,\n")
    assert packs.content_hash(first) != packs.content_hash(second)


def test_rows_know_their_file_and_line(tmp_path: Path) -> None:
    folder = write(tmp_path / "p", places='code,name_zh,name_en,level,aliases\nX,"甲\n乙",X,city,\nY,丙,Y,city,\n')
    lines = [(row["code"], Path(row["_file"]).name, row["_line"]) for row in packs.rows(folder, "places")]
    assert lines == [("X", "places.csv", "2"), ("Y", "places.csv", "4")]
