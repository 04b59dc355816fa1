"""Reading the registry: who holds which numbers, the life of one unit, the public totals, and whether all agrees."""

import json
from typing import Any

import sqlalchemy as sa

from dualcarbon.ledger import reads as ledger
from dualcarbon.ledger.transfer import moment_text
from dualcarbon.registry.act import ISSUER, RETIRED, account, refuse, serial_text
from dualcarbon.registry.instruments import instrument, instruments
from dualcarbon.registry.tables import ACT, BLOCK, CLAIM, CLAIMED_DAY, LOT, REGISTER, SPAN, TOUCH


def ready(engine: sa.Engine) -> bool:
    """Whether the registry's tables are there."""
    return sa.inspect(engine).has_table(CLAIMED_DAY.name)


def find(
    engine: sa.Engine,
    *,
    code: str | None = None,
    holder: str | None = None,
    state: str | None = None,
    serial: int | None = None,
    subject: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> dict[str, Any]:
    """Blocks of serial numbers with what they come from: `{"blocks": [...], "next": cursor or None}`.

    `serial` needs `code`; `subject` is a meter or project. In the order of the registers.
    """
    if not ready(engine):
        return {"blocks": [], "next": None}
    joined = BLOCK.join(LOT, LOT.c.number == BLOCK.c.lot)
    fields = [BLOCK.c[name] for name in ("instrument", "holder", "state", "first", "last", "act")]
    lot = [LOT.c[name] for name in ("vintage", "subjects", "start", "end", "document")]
    chosen = sa.select(*fields, *lot, LOT.c.act.label("lot")).select_from(joined).where(BLOCK.c.first > after)
    for column, value in ((BLOCK.c.instrument, code), (BLOCK.c.holder, holder), (BLOCK.c.state, state)):
        if value is not None:
            chosen = chosen.where(column == value)
    if serial is not None:
        wanted = REGISTER.c.number * SPAN + serial
        local = sa.and_(BLOCK.c.first <= wanted, BLOCK.c.last >= wanted)
        chosen = chosen.where(sa.exists().where(REGISTER.c.number == LOT.c.register, local))
    if subject is not None:
        of_subject = sa.select(CLAIMED_DAY.c.act).where(CLAIMED_DAY.c.subject == subject)
        chosen = chosen.where(LOT.c.act.in_(of_subject))
    with engine.connect() as connection:
        rows = connection.execute(chosen.order_by(BLOCK.c.first).limit(limit + 1)).mappings().all()
    shown = []
    for row in rows[:limit]:
        first, last = row["first"] % SPAN, row["last"] % SPAN
        told = {**row, "first": first, "last": last, "subjects": json.loads(row["subjects"])}
        shown.append({**told, "quantity": last - first + 1, "text": serial_text(row["instrument"], (first, last))})
    return {"blocks": shown, "next": rows[limit - 1]["first"] if len(rows) > limit else None}


def life(engine: sa.Engine, code: str, serial: int) -> list[dict[str, Any]]:
    """What happened to one unit, oldest first. Raises Refused (`registry.no-such-serial`)."""
    rows: list[Any] = []
    if ready(engine):
        base = sa.select(REGISTER.c.number * SPAN + serial).where(REGISTER.c.instrument == code).scalar_subquery()
        chosen = sa.select(ACT).join(TOUCH, TOUCH.c.act == ACT.c.id)
        with engine.connect() as connection:
            found = connection.execute(chosen.where(TOUCH.c.first <= base, TOUCH.c.last >= base).order_by(ACT.c.number))
            rows = list(found.mappings())
    if not rows:
        raise refuse("no-such-serial", "serial", serial_text(code, (serial, serial)))
    return [_act(row) for row in rows]


def _act(row: Any) -> dict[str, Any]:
    answer = json.loads(row["answer"])
    said = json.loads(row["asked"])
    kept = {name: said[name] for name in ("subjects", "period", "document") if said.get(name)}
    return {**answer, **kept, "recorded": moment_text(row["recorded"])}


def trades(engine: sa.Engine, code: str | None = None, after: int = 0, limit: int = 100) -> dict[str, Any]:
    """Transfers in the order they were recorded: `{"trades": [...], "next"}`."""
    if not ready(engine):
        return {"trades": [], "next": None}
    chosen = sa.select(ACT).where(ACT.c.action == "transfer", ACT.c.number > after)
    if code is not None:
        chosen = chosen.where(ACT.c.instrument == code)
    with engine.connect() as connection:
        rows = connection.execute(chosen.order_by(ACT.c.number).limit(limit + 1)).mappings().all()
    shown = [{"number": row["number"], **_act(row)} for row in rows[:limit]]
    return {"trades": shown, "next": shown[-1]["number"] if len(rows) > limit else None}


def claims(engine: sa.Engine, subject: str | None = None) -> list[dict[str, Any]]:
    """The claims on benefits, oldest first; with `subject` those of one meter or project."""
    if not ready(engine):
        return []
    chosen = sa.select(CLAIM).order_by(CLAIM.c.number)
    if subject is not None:
        chosen = chosen.where(CLAIM.c.act.in_(sa.select(CLAIMED_DAY.c.act).where(CLAIMED_DAY.c.subject == subject)))
    with engine.connect() as connection:
        rows = connection.execute(chosen).mappings().all()
    return [{**row, "subjects": json.loads(row["subjects"])} for row in rows]


def totals(engine: sa.Engine, pack: str = "cn-jiaxing") -> list[dict[str, Any]]:
    """The public page: for each instrument (and vintage) what was issued, is held and was retired, in its unit."""
    if not ready(engine):
        return []
    shown = []
    known = instruments(pack)
    for row in ledger.totals(engine):
        code, _, vintage = row["instrument"].partition(".")
        if code not in known:
            continue
        issuer = account(row["instrument"], f"{ISSUER}:{known[code].issuer}")
        issued = ledger.balance(engine, issuer)["debits"]
        retired_account = account(row["instrument"], RETIRED)
        names = {one["account"] for one in ledger.balances(engine, owner=RETIRED)["accounts"]}
        retired = ledger.balance(engine, retired_account)["balance"] if retired_account in names else 0
        shown.append(
            {
                "instrument": code,
                "title": dict(known[code].title),
                "vintage": vintage or None,
                "unit": known[code].unit,
                "issued": issued,
                "held": issued - retired,
                "retired": retired,
                "status": known[code].status,
            }
        )
    return shown


def check(engine: sa.Engine, pack: str = "cn-jiaxing") -> list[dict[str, Any]]:
    """Where serial numbers and ledger disagree: holders whose numbers are not their balance. Empty when all is well."""
    if not ready(engine):
        return []
    length = sa.func.sum(BLOCK.c.last - BLOCK.c.first + 1)
    chosen = sa.select(BLOCK.c.instrument, BLOCK.c.holder, BLOCK.c.final, length)
    with engine.connect() as connection:
        found = connection.execute(chosen.group_by(BLOCK.c.instrument, BLOCK.c.holder, BLOCK.c.final)).all()
    counted: dict[str, int] = {}
    for code, holder, final, quantity in found:
        name = account(code, RETIRED if final else holder)
        counted[name] = counted.get(name, 0) + int(quantity)
    problems = []
    for code, one in instruments(pack).items():
        if not one.serials:
            continue
        after = None
        while True:
            page = ledger.balances(engine, instrument=code, after=after)
            for row in page["accounts"]:
                numbers = counted.pop(row["account"], 0)
                if not row["overdraft"] and numbers != row["balance"]:
                    problems.append({"account": row["account"], "balance": row["balance"], "serials": numbers})
            after = page["next"]
            if after is None:
                break
    return problems + [{"account": name, "balance": None, "serials": count} for name, count in counted.items()]


def required_purchase(energy_kgce: int, added_value_yuan: int, pack: str = "cn-jiaxing") -> dict[str, Any]:
    """How much energy-use right a new project must buy (浙发改能源〔2019〕358号).

    `energy_kgce` is its yearly use in kgce (equivalent value), `added_value_yuan` its yearly value added. Whether all
    of the use or only the excess is bought is the pack's parameter `purchase`. Returns `{kgce, intensity, threshold,
    reading, status}`; `kgce` is an integer, rounded up.
    """
    rights = instrument("energy_right", pack)
    threshold, reading = rights.parameters["threshold"], rights.parameters["purchase"]
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


def seller_room(new_quota_kgce: int, sold_kgce: int, pack: str = "cn-jiaxing") -> int:
    """How much more of a region's yearly new quota may be sold, in kgce (at most the pack's `seller_cap` of it)."""
    share = round(instrument("energy_right", pack).parameters["seller_cap"]["value"] * 10_000)
    return max(0, new_quota_kgce * share // 10_000 - sold_kgce)
