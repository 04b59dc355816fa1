"""Which of the three accounts the quick-calc counts, and what of it."""

from typing import Any

from dualcarbon.core.classification import Classification

BASIS = "B"
#: The parts of the consumption account that can be followed by month.
COVERS = {
    "zh": "消费侧（B）口径中可逐月核算的部分：非发电燃料燃烧和购入电力",
    "en": "what of the consumption account (B) can be followed by month: fuels burned other than for power, and "
          "purchased electricity",
}  # fmt: skip


def named(book: Classification) -> dict[str, Any]:
    """What an answer says of its account: {account, basis, basis_name, covers}."""
    name = {lang: book.terms["basis"].name(BASIS, lang) for lang in ("zh", "en")}
    return {"account": "consumption", "basis": BASIS, "basis_name": name, "covers": COVERS}
