"""Reports that officials read: one description, written as Word or as PDF.

A `Report` is a title and a list of blocks; texts are plain, no character of them is markup. The Chinese look follows
the layout of official documents (GB/T 9704-2012: A4, margins, 小标宋 title, 黑体 and 楷体 headings, 仿宋 text of 三号,
paragraphs indented by two characters) with the fonts that the machine has; Word names them and falls back by itself.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.core.units import formulas

TEMPLATE = Path(__file__).with_name("report.typ")

#: Font families by use, best first; the first that the machine has is taken.
FONTS = {
    "body": ("FangSong_GB2312", "FangSong", "STFangsong", "Noto Serif CJK SC", "Noto Serif SC", "Source Han Serif SC",
             "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "SimSun"),
    "heading": ("SimHei", "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Noto Serif CJK SC",
                "Noto Serif SC", "Source Han Serif SC"),
    "second": ("KaiTi_GB2312", "KaiTi", "STKaiti", "Noto Serif CJK SC", "Noto Serif SC", "Source Han Serif SC",
               "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC"),
    "title": ("FZXiaoBiaoSong-B05S", "FZXiaoBiaoSong-B05", "Noto Serif CJK SC", "Noto Serif SC", "Source Han Serif SC",
              "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC"),
}  # fmt: skip
#: Letters and digits that are not Chinese: the first is the metric twin of Times, the second is always at hand.
LATIN = ("Liberation Serif", "Libertinus Serif")

_CHINESE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_FIGURE = re.compile(r"^[\s+\-−–—±≤≥<>≈]*[\d.,\s]*(e[+-]?\d+)?\s*[%‰]?$", re.IGNORECASE)
_LONG = re.compile(r"[^\s\u2e80-\u9fff]{25,}")


@dataclass(frozen=True)
class Heading:
    """A heading of level 1, 2 or 3; its number (一、 or 1.1) is part of the text."""

    text: str
    level: int = 1


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of plain text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """Short items, each on its own line."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table of texts: `rows` are as long as `columns`; `align` has a letter (l, c, r) a column, else it is found.

    A column of figures is set to the right. Heads repeat on each page; rows are not broken. `size` is that of its
    texts in points (0: by the number of columns).
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    source: str = ""
    align: str = ""
    size: float = 0.0


@dataclass(frozen=True)
class Figure:
    """A picture given as SVG text; `width` is its share of the text's width."""

    svg: str
    caption: str = ""
    source: str = ""
    width: float = 1.0


Block = Heading | Paragraph | Bullets | Table | Figure


@dataclass(frozen=True)
class Report:
    """A document: `subtitle`, `number` and `day` stand under the title, `label` (演示数据) at the top of each page."""

    title: str
    blocks: Sequence[Block]
    lang: str = "zh"
    subtitle: str = ""
    number: str = ""
    day: date | None = None
    label: str = ""


def write_pdf(report: Report, path: Path, *, fonts: Path | None = None) -> Path:
    """Write `report` as PDF (tagged, with the fonts embedded); the same report gives the same bytes.

    `fonts`: a folder of fonts used in place of the system's. Raises Refused `core.no-chinese-font` when the report
    holds Chinese and no font can show it, `core.no-report-file` for a folder that does not exist or a name that does
    not end in ``.pdf``, `core.bad-picture` for a figure that is no SVG, `core.bad-table` for rows of another length.
    """
    path = _checked(path, ".pdf")
    made = _plain(report)
    families = frozenset(_fonts(fonts).families())
    chosen = {use: _first(names, families) for use, names in FONTS.items()}
    if not chosen["body"] and _CHINESE.search(json.dumps(made, ensure_ascii=False)):
        raise Refused(Problem("core.no-chinese-font", value=str(fonts) if fonts else None))
    latin = _first(LATIN, families) or LATIN[-1]
    # In Chinese text, quotes and dots are Chinese ones.
    first = {"name": latin, "covers": "latin-in-cjk"} if report.lang == "zh" else latin
    made["fonts"] = {use: [first, *([name] if name else [])] for use, name in chosen.items()}
    made["size"] = 16 if report.lang == "zh" else 10.5
    content = _typeset(TEMPLATE.read_bytes(), made, fonts, "pdf", report.day)
    path.write_bytes(content)
    return path


def write_word(report: Report, path: Path) -> Path:
    """Write `report` as Word, with real headings, repeated table heads and page numbers.

    Raises Refused `core.no-report-file` for a folder that does not exist or a name that does not end in ``.docx``,
    `core.bad-picture` for a figure that is no SVG, `core.bad-table` for rows of another length.
    """
    from dualcarbon.core import report_word

    path = _checked(path, ".docx")
    made = _plain(report)
    for part in made["blocks"]:
        if part["kind"] == "figure":
            part["png"] = _picture(part["svg"])
    report_word.write(made, path, report.day)
    return path


def write(report: Report, path: Path) -> Path:
    """Write `report` as the ending of `path` says: ``.docx`` or ``.pdf``. Raises as these two do."""
    return write_pdf(report, path) if Path(path).suffix.lower() == ".pdf" else write_word(report, path)


def clean(text: str) -> str:
    """`text` without characters that no document can hold (control characters, lone surrogates), gases as CO₂."""
    return formulas(_CONTROL.sub("", str(text)))


def _plain(report: Report) -> dict[str, Any]:
    """The report as plain data for the writers: `{title, lang, subtitle, dated, label, blocks: [{kind, …}]}`."""
    zh = report.lang == "zh"
    day = report.day
    when = "" if day is None else f"{day.year}年{day.month}月{day.day}日" if zh else f"{day.day} {day:%B} {day.year}"
    dated = ("　" if zh else " · ").join(part for part in (clean(report.number), when) if part)
    return {"title": clean(report.title), "lang": report.lang, "subtitle": clean(report.subtitle), "dated": dated,
            "label": clean(report.label), "blocks": [_block(part) for part in report.blocks]}  # fmt: skip


def _block(part: Block) -> dict[str, Any]:
    kind = type(part).__name__.lower()
    if isinstance(part, Table):
        return {"kind": kind, **_laid_out(part)}
    if isinstance(part, Bullets):
        return {"kind": kind, "items": [clean(item) for item in part.items]}
    plain = {name: clean(value) if isinstance(value, str) else value for name, value in asdict(part).items()}
    if isinstance(part, Heading):
        plain["level"] = min(max(part.level, 1), 3)
    if isinstance(part, Figure):
        plain["width"] = min(max(part.width, 0.05), 1.0)
        plain["alt"] = plain["caption"] or plain["source"] or "figure"
    return {"kind": kind, **plain}


def _laid_out(part: Table) -> dict[str, Any]:
    columns = [clean(text) for text in part.columns]
    rows = [[clean(text) for text in row] for row in part.rows]
    wrong = next((n for n, row in enumerate(rows, 1) if len(row) != len(columns)), None)
    if wrong is not None or (part.align and (len(part.align) != len(columns) or set(part.align) - set("lcr"))):
        raise Refused(Problem("core.bad-table", value=part.caption, row=wrong, params={"width": len(columns)}))
    align = part.align or "".join("r" if _figures(row[k] for row in rows) else "l" for k in range(len(columns)))
    texts = [[_width(text) for text in (columns[k], *(row[k] for row in rows))] for k in range(len(columns))]
    # A short column stays on one line. A long one gets half-way between its longest and its usual text, so that one
    # long name does not take the room of what is always long.
    wide = [max(own) if max(own) <= 16 else (max(own) + sum(own) / len(own)) / 2 for own in texts]
    size = part.size or (10.5 if len(columns) <= 7 else 9 if len(columns) <= 10 else 7.5)
    widths = [min(max(width, 4) + 4, 56) for width in wide]
    # Where the page (440 points) is too narrow for all of it, only the long columns give way.
    long = [width for width in widths if width > 20]
    room = 880 / size - sum(widths) + sum(long)
    if 20 * len(long) <= room < sum(long):
        widths = [width * room / sum(long) if width > 20 else width for width in widths]
    return {"columns": columns, "rows": [[_breakable(text) for text in row] for row in rows],
            "caption": clean(part.caption), "source": clean(part.source), "align": list(align), "size": size,
            "widths": widths}  # fmt: skip


def _figures(cells: Iterable[str]) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    return any(any(c.isdigit() for c in cell) for cell in filled) and all(_FIGURE.match(cell) for cell in filled)


def _width(text: str) -> int:
    """Width of a text's longest line in half characters: a Chinese character counts two."""
    return max((len(line) + len(_CHINESE.findall(line)) for line in text.splitlines()), default=1)


def _breakable(text: str) -> str:
    """Long codes may be broken: a zero-width space after every twelfth character of them."""
    return _LONG.sub(lambda found: "\u200b".join(re.findall(".{1,12}", found[0])), text)


def _checked(path: Path, ending: str) -> Path:
    path = Path(path)
    if path.suffix.lower() != ending or not path.parent.is_dir() or path.is_dir():
        raise Refused(Problem("core.no-report-file", value=str(path), params={"ending": ending}))
    return path


def _picture(svg: str) -> bytes:
    """The SVG as PNG, 2000 pixels wide; drawn by the program that draws the PDF."""
    source = (
        "#set page(width: auto, height: auto, margin: 0pt)\n"
        '#image(bytes(sys.inputs.report), format: "svg", width: 480pt)'
    )
    return _typeset(source.encode(), svg, None, "png", None)


def _typeset(source: bytes, made: Any, fonts: Path | None, form: Any, day: date | None) -> bytes:
    import tempfile

    import typst

    sent = made if isinstance(made, str) else json.dumps(made, ensure_ascii=False)
    stamp = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) if day else 0
    with tempfile.TemporaryDirectory() as empty:
        try:
            setting = typst.Compiler(
                source, root=empty, font_paths=_fonts(fonts), sys_inputs={"report": sent}, package_path=empty,
                package_cache_path=empty,
            )  # fmt: skip
            content: Any = setting.compile(format=form, ppi=300.0, timestamp=stamp)
        except typst.TypstError as fault:
            if "svg" in fault.message.lower() or "image" in fault.message.lower():
                raise Refused(Problem("core.bad-picture", value=fault.message)) from fault
            raise
    return content[0] if isinstance(content, list) else content


@cache
def _fonts(folder: Path | None) -> Any:
    import typst

    return typst.Fonts(folder is None, True, [str(folder)] if folder else [])


def _first(names: Iterable[str], families: frozenset[str]) -> str | None:
    return next((name for name in names if name in families), None)
