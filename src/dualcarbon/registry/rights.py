"""What the rules say of rights: kinds of energy-use rights, what must be bought and may be sold, trade across regions,
and how many certificates a month's electricity gives with the remainder carried on."""

from collections.abc import Iterable
from fractions import Fraction
from math import ceil
from typing import Any

import sqlalchemy as sa

from dualcarbon.core.pack import DEFAULT
from dualcarbon.ledger import reads as ledger
from dualcarbon.registry.act import Act
from dualcarbon.registry.desk import Desk
from dualcarbon.registry.instruments import instrument
from dualcarbon.registry.tables import LOT, TRADE
from dualcarbon.registry.words import listed, refuse


def kind_of(act: Act) -> str | None:
    """The kind said, by code or Chinese title (增量 is increment). Raises Refused for an unknown one."""
    said = act.get("kind")
    if not said:
        return None
    if not act.instrument.kinds:
        raise refuse("no-kinds", "kind", said, title=act.instrument.title)
    for code, kind in act.instrument.kinds.items():
        if said in (code, *kind["title"].values()):
            return code
    titles = [(code, kind["title"]) for code, kind in act.instrument.kinds.items()]
    known = {
        "zh": listed(f"{title['zh']}（{code}）" for code, title in titles)["zh"],
        "en": listed(f"{title['en']} ({code})" for code, title in titles)["en"],
    }
    raise refuse("kind-unknown", "kind", said, known=known)


def mind_cap(act: Act, seller: str, kind: str | None, quantity: int) -> None:
    """Refuse to sell more of the year's new quota than the pack's cap allows (浙发改能源〔2019〕358号: 50 %)."""
    cap = act.instrument.kinds.get(kind or "", {}).get("cap")
    if not cap:
        return
    new, sold = quota(act.desk, act.instrument.code, act.vintage, seller, kind)
    room = room_to_sell(new, sold, act.instrument.parameter(cap))
    if quantity > room:
        raise refuse("seller-cap", "quantity", quantity, seller=seller, new=new, sold=sold, room=room)


def quota(desk: Desk, code: str, vintage: str | None, seller: str, kind: str | None) -> tuple[int, int]:
    """What a seller was newly issued of a kind in a year, and what of it was sold or is being sold."""
    total = sa.func.coalesce(sa.func.sum(LOT.c.quantity), 0)
    issued = sa.select(total).where(LOT.c.instrument == code, LOT.c.vintage == vintage, LOT.c.kind == kind)
    total = sa.func.coalesce(sa.func.sum(TRADE.c.quantity), 0)
    traded = sa.select(total).where(TRADE.c.instrument == code, TRADE.c.vintage == vintage, TRADE.c.kind == kind)
    mine = traded.where(TRADE.c.seller == seller, TRADE.c.state.in_(("pending", "settled")))
    new = desk.execute(issued.where(LOT.c.holder == seller)).scalar_one()
    return int(new), int(desk.execute(mine).scalar_one())


def room_to_sell(new: int, sold: int, share: float) -> int:
    """How much more may be sold when at most `share` of what was newly issued may be; integers of one unit."""
    return max(0, new * round(share * 10_000) // 10_000 - sold)


def crossing(act: Act, seller_place: str | None, buyer_place: str | None, quantity: int) -> dict[str, Any] | None:
    """What a trade between two places needs beyond its quantity: `{from, to, ratio, status, extra}`, None within one.

    The seller gives `ratio` units for each that the buyer gets; while the pack leaves it open they change one to one
    and the answer says `unverified`. Raises Refused for a place that the pack does not know.
    """
    from dualcarbon.core.classification import load

    if not seller_place and not buyer_place:
        return None
    places = load(act.pack).places
    found = []
    for column, text in (("seller_place", seller_place), ("buyer_place", buyer_place)):
        code = places.find(text) if text else None
        if code is None:
            raise refuse("place-unknown", column, text)
        found.append(code)
    if found[0] == found[1]:
        return None
    rule = act.instrument.parameters.get("cross_region_ratio", {"value": None, "status": "unverified"})
    ratio = rule["value"]
    extra = 0 if ratio is None else ceil(quantity * (Fraction(str(ratio)) - 1))
    return {"from": found[0], "to": found[1], "ratio": ratio, "status": rule["status"], "extra": extra}


def required_purchase(energy_kgce: int, added_value_yuan: int, pack: str = DEFAULT) -> dict[str, Any]:
    """How much energy-use right a new project must buy (浙发改能源〔2019〕358号).

    `energy_kgce` is its yearly use in kgce (equivalent value), `added_value_yuan` its yearly value added. Whether all
    of the use or only the excess is bought is the pack's parameter `purchase`. Returns `{kgce, intensity, threshold,
    reading, status}`; `kgce` is an integer, rounded up.
    """
    rules = instrument("energy_right", pack)
    threshold, reading = rules.parameters["threshold"], rules.parameters["purchase"]
    if energy_kgce < 0 or added_value_yuan <= 0:
        raise refuse("value-unusable", "added_value", added_value_yuan)
    # tce per 10,000 yuan = kgce per 10 yuan; in integers of 1/10,000, so that the limit itself is exact.
    limit = round(threshold["value"] * 10_000)
    excess = energy_kgce * 100_000 - limit * added_value_yuan
    bought = energy_kgce if reading["value"] == "all" else -(-excess // 100_000)
    return {
        "kgce": bought if excess > 0 else 0,
        "intensity": energy_kgce * 10 / added_value_yuan,
        "threshold": threshold,
        "reading": reading,
        "status": "unverified" if "unverified" in (threshold["status"], reading["status"]) else threshold["status"],
    }


def bought(engine: sa.Engine, holder: str, vintage: str | None, required: int) -> dict[str, int]:
    """What a buyer of energy-use rights has of a year's (None: of every year's), and what it is short of `required`."""
    held = sum(
        int(row["balance"])
        for row in ledger.balances(engine, owner=holder)["accounts"]
        if row["instrument"].startswith("energy_right.") and vintage in (None, row["instrument"].partition(".")[2])
    )
    return {"held": held, "short": max(0, required - held)}


def certificates_due(electricity_kwh: Iterable[int], per: int = 1000, carried: int = 0) -> list[dict[str, int]]:
    """Whole certificates of each month's electricity (kWh, integers), the remainder carried to the next month.

    Returns `{kwh, carried_in, certificates, carried}` a month; Σ kwh + carried in = per × Σ certificates + carried on.
    """
    rows = []
    for kwh in electricity_kwh:
        if kwh < 0:
            raise refuse("quantity-unusable", "electricity", kwh)
        whole, left = divmod(carried + kwh, per)
        rows.append({"kwh": kwh, "carried_in": carried, "certificates": whole, "carried": left})
        carried = left
    return rows
