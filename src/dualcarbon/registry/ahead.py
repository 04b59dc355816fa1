"""What a file of acts will touch, read before the first of them is done: a few statements instead of a few each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dualcarbon.core.problems import Refused
from dualcarbon.registry import claims
from dualcarbon.registry.desk import Desk
from dualcarbon.registry.instruments import instruments
from dualcarbon.registry.tables import SPAN

if TYPE_CHECKING:
    from dualcarbon.registry.book import Prepared
    from dualcarbon.registry.words import Range

GIVES = {"transfer": "seller", "retire": "holder", "offer": "holder"}


def read(desk: Desk, acts: Sequence["Prepared"], pack: str) -> None:
    """Read which acts are known and, for more than one, the hands, ranges and benefits that the others speak of."""
    desk.know(one.id for one in acts)
    new = [one for one in acts if one.id not in desk.done]
    if len(new) < 2:
        return
    hands, ranges, wanted = [], [], []
    for one in new:
        chosen = instruments(pack).get(one.said.get("instrument", ""))
        if chosen is None or not chosen.serials:
            continue
        base = desk.register(chosen.code, chosen.issuer)[0] * SPAN
        ranges += _ranges(one.said, base)
        if one.action in GIVES and "serials" not in one.said:
            hands.append((chosen.code, str(one.said.get(GIVES[one.action])), "held"))
        if chosen.attribute is not None and one.action == "import":
            try:
                wanted += claims.wanted(chosen.attribute, one.said.get("subjects", ()), str(one.said.get("period")))
            except Refused:
                continue  # the act itself says that its period is not understood
    if hands:
        desk.blocks.ahead(hands)
    if ranges:
        desk.blocks.cover(list(dict.fromkeys(ranges)))
    if wanted:
        desk.look(list(dict.fromkeys(wanted)))


def _ranges(said: dict[str, Any], base: int) -> list["Range"]:
    """The serial numbers that an act names, as the database has them."""
    if "serials" in said:
        return [(base + said["serials"][0], base + said["serials"][1])]
    if "first" in said and "quantity" in said:
        return [(base + said["first"], base + said["first"] + said["quantity"] - 1)]
    return []
