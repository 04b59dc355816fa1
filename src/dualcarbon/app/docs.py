"""Write the pages that are made from the rule packs: ``python -m dualcarbon.app.docs [FOLDER]``.

One page a method in each language, an index of each, and the JSON Schema of method files.
"""

import json
import sys
from pathlib import Path

from dualcarbon.core.pack import DEFAULT
from dualcarbon.engine.catalogue import methods, page
from dualcarbon.engine.methods import schema

SUFFIX = {"zh": ".zh-CN.md", "en": ".md"}


def pages(pack: str = DEFAULT) -> dict[str, str]:
    """Every generated file by its name below the folder."""
    made = {"method.schema.json": json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"}
    found = methods(pack)
    for lang, suffix in SUFFIX.items():
        head = "# 方法\n\n由规则包生成；请改方法文件，不要改本页。\n" if lang == "zh" else (
            "# Methods\n\nMade from the rule packs; change the method files, not these pages.\n"
        )  # fmt: skip
        lines = [f"- [{one['title'][lang]}]({one['id']}{suffix}) `{one['id']}` {one['status']}" for one in found]
        made[f"README{suffix}"] = head + "\n" + "\n".join(lines) + "\n"
        for one in found:
            made[f"{one['id']}{suffix}"] = page(one["id"], pack, lang)
    return made


def write(folder: Path, pack: str = DEFAULT) -> list[Path]:
    """Write :func:`pages` below ``folder``, removing pages of methods that are no more; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pages(pack)
    for old in folder.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in made]


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/methods")
    for path in write(target):
        print(path)
