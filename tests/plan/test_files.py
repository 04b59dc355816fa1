"""Files that are no plan, or cannot be read: a clear answer, and nothing changes."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.plan import read_plan
from tests.plan.drafts import YUNZE
from tests.plan.writers import as_docx, as_text, as_xlsx, assembled

NOVEL = "\n".join(
    [
        "第一章 雨夜",
        "那年秋天，小镇下了一场很长的雨。",
        "一、二、三，他数着台阶走下去。",
        "她说：“你看，河水又涨了三尺。”",
    ]
    * 30
)


def rule(path: Path) -> str:
    with pytest.raises(Refused) as refused:
        read_plan(path)
    (problem,) = refused.value.problems
    said = problem.as_dict("zh")
    assert said["file"] and said["message"] != problem.rule and said["remedy"] and "{" not in said["message"]
    assert problem.as_dict("en")["message"] != problem.rule
    return problem.rule


def image_only_pdf() -> bytes:
    image = (
        "<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 1 >>"
    )
    draw = "q 500 0 0 700 40 40 cm /Im1 Do Q"
    return assembled(
        [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Kids [5 0 R] /Count 1 >>",
            f"{image}\nstream\nx\nendstream",
            f"<< /Length {len(draw)} >>\nstream\n{draw}\nendstream",
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /XObject << /Im1 3 0 R >> >> "
            "/Contents 4 0 R >>",
        ]
    )


def encrypted_office() -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 512


def cut(path: Path) -> bytes:
    return path.read_bytes()[:-400]


def zipped() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("readme.md", "x")
    return data.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("empty.txt", lambda _: b"", "plan.empty"),
        ("blank.txt", lambda _: b" \n\n\t", "plan.empty"),
        ("blank.html", lambda _: b"<html><body> </body></html>", "plan.empty"),
        ("novel.txt", lambda _: NOVEL.encode(), "plan.not-a-plan"),
        ("scan.pdf", lambda _: image_only_pdf(), "plan.image-only"),
        ("locked.docx", lambda _: encrypted_office(), "plan.encrypted"),
        ("old.doc", lambda _: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "plan.unknown-format"),
        ("plan.zip", lambda _: zipped(), "plan.unknown-format"),
        ("plan.wps", lambda _: b"abc", "plan.unknown-format"),
        ("renamed.docx", lambda _: "这不是文档".encode(), "plan.broken"),
        ("cut.docx", lambda folder: cut(as_docx(YUNZE, folder / "whole.docx")), "plan.broken"),
        ("cut.xlsx", lambda folder: cut(as_xlsx(YUNZE, folder / "whole.xlsx")), "plan.broken"),
        ("cut.pdf", lambda _: b"%PDF-1.4\n1 0 obj\n<<", "plan.broken"),
        (
            "story.txt",
            lambda _: "\n".join(f"{i}. 他在2001年买了{i}头牛。" for i in range(1, 60)).encode(),
            "plan.not-a-plan",
        ),
        ("long.txt", lambda _: ("二、推进光伏建设，新增装机3万千瓦。\n" * 30_000).encode(), "plan.too-large"),
        ("binary.txt", lambda _: bytes(range(256)) * 8, "plan.broken"),
    ],
)
def test_refusals(name: str, content: Callable[[Path], bytes], expected: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content(tmp_path))
    assert rule(path) == expected


def test_formats_far_beyond_the_last_row_do_not_count(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["序号", "指标名称", "单位", "目标值", "责任单位"])
    book.active.append([1, "新增光伏装机", "万千瓦", 50, "市发改委"])
    book.active.cell(1_048_576, 16_384).number_format = "0.00"
    book.save(tmp_path / "wide.xlsx")
    assert [one["name"] for one in read_plan(tmp_path / "wide.xlsx")["indicators"]] == ["新增光伏装机"]


def test_a_missing_file(tmp_path: Path) -> None:
    assert rule(tmp_path / "none.txt") == "plan.no-file"


def test_swapped_columns_are_named(tmp_path: Path, dualcarbon: Callable[..., Any]) -> None:
    path = as_text(YUNZE, tmp_path / "plan.txt", "tabs")
    lines = path.read_text(encoding="utf-8").split("\n")
    at = next(i for i, line in enumerate(lines) if "2025年目标值" in line)
    for i in range(at + 1, at + 14):  # the contents of unit and target change places, their headings stay
        cells = lines[i].split("\t")
        cells[3], cells[5] = cells[5], cells[3]
        lines[i] = "\t".join(cells)
    path.write_text("\n".join(lines), encoding="utf-8")
    assert rule(path) == "plan.columns-swapped"
    ran = dualcarbon("plan", "read", path, "--json")
    assert ran.code == 1
    assert ran.json["problems"][0]["column"] == "单位"
    assert [file.name for file in tmp_path.iterdir()] == ["plan.txt"]


def test_wrong_usage(dualcarbon: Callable[..., Any]) -> None:
    assert dualcarbon("plan", "read").code == 2
