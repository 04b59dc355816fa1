import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dualcarbon.core import units


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("万m³", "wan_m3"),
        ("万立方米", "wan_m3"),
        ("10^4 m3", "wan_m3"),
        ("10⁴m³", "wan_m3"),
        ("1e4Nm3", "wan_m3"),
        ("万ｋＷｈ", "wan_kWh"),
        ("万千瓦时", "wan_kWh"),
        ("亿千瓦时", "yi_kWh"),
        ("千瓦·时", "kWh"),
        ("万元", "wan_CNY"),
        ("亿元", "yi_CNY"),
        ("亩", "mu"),
        ("吨", "t"),
        ("％", "%"),
        ("吨标准煤（当量值）", "tce_calorific"),
        ("万吨标准煤(等价)", "wan_tce_equivalent"),
        ("吨CO2/万千瓦时", "tCO2/wan_kWh"),
        ("kgCO2/kW·h", "kgCO2/kWh"),
        ("GJ/10^4Nm3", "GJ/wan_m3"),
        ("GJ/(t*year)", "GJ/(t*year)"),
        ("tC/TJ", "tC/TJ"),
    ],
)
def test_spellings(text, canonical):
    assert units.canonical(text) == canonical


@pytest.mark.parametrize(
    ("from_", "to", "factor"),
    [
        ("万m³", "m3", 10_000),
        ("万kWh", "MWh", 10),
        ("亿千瓦时", "万千瓦时", 10_000),
        ("MWh", "GJ", 3.6),
        ("GWh", "MWh", 1000),
        ("千卡", "kJ", 4.1868),
        ("万元", "亿元", 1e-4),
        ("亩", "ha", 1 / 15),
        ("km2", "ha", 100),
        ("%", "1", 0.01),
        ("kgCO2/kWh", "tCO2/MWh", 1),
        ("tC/TJ", "tC/GJ", 1e-3),
        ("GJ/wan_m3", "GJ/m3", 1e-4),
        ("万千瓦", "MW", 10),
    ],
)
def test_ratio(from_, to, factor):
    assert units.ratio(from_, to) == pytest.approx(factor, rel=1e-12)


@pytest.mark.parametrize(
    ("from_", "to"),
    [
        ("tC", "tCO2"),
        ("tCO2", "tCO2e"),
        ("tCO2", "t"),
        ("tCH4", "tCO2e"),
        ("tce_calorific", "tce_equivalent"),
        ("tce_calorific", "GJ"),
        ("t", "m3"),
        ("MW", "MWh"),
        ("CNY", "person"),
        ("tCO2/MWh", "tCO2e/MWh"),
    ],
)
def test_what_only_a_factor_connects_is_refused(from_, to):
    with pytest.raises(units.IncompatibleUnits):
        units.ratio(from_, to)
    assert not units.compatible(from_, to)


@pytest.mark.parametrize(
    "text", ["", "natural", "foo", "t/", "t//kg", "/t", "t)", "(t", "万吨万", "tCO2/foo", "MT", "mWh"]
)
def test_unknown(text):
    with pytest.raises(units.UnknownUnit):
        units.canonical(text)


@pytest.mark.parametrize("text", ["tce", "吨标准煤", "万吨标准煤/万元"])
def test_standard_coal_needs_its_convention(text):
    with pytest.raises(units.AmbiguousUnit):
        units.canonical(text)


def test_dimensions():
    assert units.dimension_of("tCO2/MWh") == {"carbon_dioxide": 1, "energy": -1}
    assert units.dimension_of("%") == units.dimension_of("1") == {}
    assert units.dimension_of("tC/TJ*GJ") == {"carbon": 1}


def test_every_alias_and_name_is_known_to_the_registry():
    for name in units.names():
        assert units.ratio(name, name) == 1
        units.dimension_of(name)
    for alias, name in units._aliases().items():
        if "|" not in name:
            assert units.canonical(alias) == name
        assert set(name.split("|")) <= units.names()


@given(st.sampled_from(sorted(units.names() - {"%", "‰"})), st.sampled_from(sorted(units.names() - {"%", "‰"})))
def test_ratios_invert_each_other(left, right):
    if units.compatible(left, right):
        assert units.ratio(left, right) * units.ratio(right, left) == pytest.approx(1, rel=1e-12)
        assert units.canonical(f"{left}/{right}") == f"{left}/{right}"


def test_pint_is_imported_only_for_a_conversion():
    code = (
        "import sys; from dualcarbon.core import units;"
        "assert units.ratio('万立方米', 'wan_m3') == 1; units.canonical('tCO2/万kWh'); assert 'pint' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_gases_are_shown_by_their_formulas_where_they_are_words():
    for text in (
        "CO2。",
        "1.5 tCO2/MWh",
        "吨CO2/万千瓦时，元/tCO2",
        "CO2e, CH4, N2O（CO2）",
        "kgCO2-eq, tCO2e/tCH4.",
    ):
        assert units.formulas(text) == text.translate(str.maketrans("24", "₂₄")), text
    for text in (
        "ECO2000科技有限公司", "evidence/CO2-2024.xlsx", "证据/CO2排放.xlsx", "报告(CO2).pdf", "evidence/CO2",
        "https://x.cn/CO2/a", "demo-CO2-1", "demo.CO2.1", "a:CO2:b", "SF6A",
    ):  # fmt: skip
        assert units.formulas(text) == text
