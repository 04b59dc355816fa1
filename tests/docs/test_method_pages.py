"""The method pages are those that the rule packs give."""

from pathlib import Path

from dualcarbon.app.docs import pages

FOLDER = Path(__file__).resolve().parents[2] / "docs/methods"


def test_method_pages_are_current() -> None:
    made = pages()
    stale = [
        name
        for name, text in made.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text("utf-8") != text
    ]
    assert stale == [], "run `make docs`"
    assert {path.name for path in FOLDER.iterdir()} == set(made)
