"""What the room speaks: the dimensions of an account, their names, and the words of its tables in both languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dualcarbon.core.classification import Classification

UNIT = "tCO2"

#: Dimension that a reader asks for, and the column of an account's stack that holds it.
DIMENSIONS: dict[str, str] = {
    "place": "area",
    "domain": "in_domain",
    "section": "in_section",
    "sector": "in_sector",
    "carrier": "carrier",
    "process": "process",
    "part": "part",
    "scope": "in_scope",
    "month": "in_month",
    "quarter": "in_quarter",
    "year": "in_year",
}

#: Headings of the dimensions.
NAMES = {
    "place": ("地区", "Place"), "domain": ("领域", "Domain"), "section": ("行业门类", "Section"),
    "sector": ("行业", "Sector"), "carrier": ("能源品种", "Carrier"), "process": ("工序", "Process"),
    "part": ("组成", "Part"), "scope": ("直接或间接", "Scope"), "month": ("月份", "Month"),
    "quarter": ("季度", "Quarter"), "year": ("年份", "Year"),
}  # fmt: skip

#: A result that is not there.
ABSENT: dict[str, Any] = {
    "value": None,
    "low": None,
    "high": None,
    "uncertainty": None,
    "status": None,
    "complete": None,
}

UNPLACED_NAME = {"zh": "未能归属到地区", "en": "Not attributable to an area"}
UNNAMED = {"zh": "未分类", "en": "Unclassified"}
SCOPES = {"1": {"zh": "直接排放", "en": "Direct"}, "2": {"zh": "间接排放", "en": "Indirect"}}
PROCESSES = {"": {"zh": "终端使用", "en": "End use"}}

#: Why something could not be counted.
REASONS = {
    "factor": {"zh": "没有因子", "en": "no factor"},
    "place": {"zh": "记录的地区跨越边界，须拆分才能归属", "en": "the recorded place reaches over the border"},
    "period": {"zh": "记录的时期跨越所问时期，须拆分才能归属", "en": "the recorded period reaches over the one asked"},
    "counterparty": {"zh": "供热单位所在地区不明", "en": "nobody says where the supplier stands"},
    "confidential": {"zh": "保密", "en": "confidential"},
    "notation": {"zh": "未估算", "en": "not estimated"},
    "late": {"zh": "尚未报送", "en": "not reported yet"},
    "entity": {"zh": "主体属性不明", "en": "the attribute of the entity is unknown"},
}


def name_of(dimension: str, code: Any, names: Classification, lang: str) -> str:
    """Name of a code of a dimension in zh or en."""
    lang = "en" if lang.startswith("en") else "zh"
    if code is None or code == "":
        return PROCESSES[""][lang] if dimension == "process" else UNNAMED[lang]
    if dimension == "place":
        return names.places.name(code, lang)
    if dimension in ("section", "sector"):
        return names.sectors.name(code, lang)
    if dimension == "carrier":
        return names.carriers.name(code, lang)
    if dimension == "domain":
        return names.domains.name(code, lang)
    if dimension == "scope":
        return SCOPES.get(str(code), {}).get(lang, str(code))
    if dimension == "process" and "process" in names.terms:
        return names.terms["process"].name(code, lang)
    return str(code)


def names_of(dimension: str, code: Any, names: Classification) -> dict[str, str]:
    """Name of a code in both languages."""
    return {lang: name_of(dimension, code, names, lang) for lang in ("zh", "en")}


def frame(account: Mapping[str, Any]) -> Any:
    """The rows of an account as a Polars frame; the total alone when it was asked without dimensions."""
    import polars as pl

    by = list(account["by"])
    total = {"name": account["place_name"], **{k: account.get(k) for k in ("value", "low", "high", "change", "status")}}
    total |= {"complete": account["complete"], "previous": account["previous"]["value"]}
    rows = account["rows"] or [total]
    head = {key: account[key] for key in ("place", "period", "tree", "basis")}
    numbers = ("value", "low", "high", "share", "previous", "change", "pull_points")
    schema: dict[str, Any] = {
        **{f"account_{key}": pl.String for key in head},
        **dict.fromkeys(by, pl.String),
        "name_zh": pl.String,
        "name_en": pl.String,
        "unit": pl.String,
        **dict.fromkeys(numbers, pl.Float64),
        "status": pl.String,
        "complete": pl.Boolean,
        "synthetic": pl.Boolean,
    }
    made = [
        {
            **{f"account_{key}": value for key, value in head.items()},
            **{name: row.get(name) for name in by},
            "name_zh": row["name"]["zh"],
            "name_en": row["name"]["en"],
            "unit": account["unit"],
            **{name: row.get(name) for name in (*numbers, "status", "complete")},
            "synthetic": account["synthetic"],
        }
        for row in rows
    ]
    return pl.DataFrame(made, schema=schema)
