"""Papers of the registry, as Word or PDF: the confirmation of a trade, the statement of an account over a period."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dualcarbon.core.pack import DEFAULT
from dualcarbon.ledger import reads as ledger
from dualcarbon.ledger.transfer import instant
from dualcarbon.registry import prices, reads
from dualcarbon.registry.act import days
from dualcarbon.registry.exports import yuan
from dualcarbon.registry.instruments import instrument
from dualcarbon.registry.tables import ACT, BLOCK, LOT, SPAN, TOUCH
from dualcarbon.registry.words import action_words, refuse, serial_text, state_words

if TYPE_CHECKING:
    from dualcarbon.core.report import Report

MOVEMENT = ("时间", "品种", "年度", "分录", "摘要", "对方", "收入", "付出", "余额", "单位")
WAYS = {
    "transfer": ("转让", "transfer"),
    "listing": ("挂牌", "listing"),
    "agreement": ("协议", "agreement"),
    "matching": ("撮合", "matching"),
}
DEMO = ("演示数据", "Demonstration data")


def moment(text: str | None) -> str:
    """A time as people write it: to the minute, the day alone where it is midnight, a dash for none."""
    return "—" if text is None else text[:16].replace("T", " ").removesuffix(" 00:00")


def write(report: "Report", path: Path) -> Path:
    """Write a paper as `.docx` or `.pdf`. Raises Refused (`registry.file-kind`, `core.no-chinese-font`)."""
    from dualcarbon.core.report import write_pdf, write_word

    writers = {".docx": write_word, ".pdf": write_pdf}
    if path.suffix.lower() not in writers:
        raise refuse("file-kind", "file", path.suffix or path.name, known=".docx、.pdf")
    return writers[path.suffix.lower()](report, path)


def confirmation(engine: sa.Engine, id: str, pack: str = DEFAULT, lang: str = "zh") -> "Report":
    """The confirmation of a trade: parties, units and serial numbers, price, payment, entries. Raises Refused."""
    from dualcarbon.core.report import Block, Heading, Paragraph, Report, Table

    en = lang == "en"
    one = prices.trade(engine, id)
    rule = instrument(one["instrument"], pack)
    quoted = rule.trade["unit"]["en" if en else "zh"]
    with engine.connect() as connection:
        found = connection.execute(sa.select(TOUCH).where(TOUCH.c.act == one["act"]).order_by(TOUCH.c.first)).all()
        mine = [row for row in found if rule.serials]
        if one["way"] == "matching":
            mine = list(connection.execute(sa.select(BLOCK).where(BLOCK.c.act == id)).all()) or mine
        settled = connection.execute(sa.select(ACT).where(ACT.c.action == "settle")).all()
    acts = [json.loads(row.answer) for row in settled]
    delivery = next((answer for answer in acts if answer.get("trade") == id), None)
    serials = [part["text"] for part in delivery["serials"]] if delivery else [
        serial_text(rule.code, (row.first % SPAN, row.last % SPAN)) for row in mine
    ]  # fmt: skip
    entries = [one["act"], *([delivery["entry"]] if delivery else [])]

    def said(zh: str, english: str) -> str:
        return english if en else zh

    def number(quantity: int) -> str:
        return f"{quantity:,} {rule.unit_en if en else rule.unit}"

    none = "—"
    rows = [
        (said("成交编号", "Trade"), id),
        (said("品种", "Instrument"), rule.title[lang if lang in rule.title else "zh"]),
        *([(said("年度", "Year"), one["vintage"])] if one["vintage"] else []),
        *([(said("类型", "Kind"), rule.kinds[one["kind"]]["title"]["en" if en else "zh"])] if one["kind"] else []),
        (said("成交方式", "Way"), WAYS[one["way"]][en]),
        (said("出让方", "Seller"), one["seller"]),
        (said("受让方", "Buyer"), one["buyer"]),
        (said("数量", "Quantity"), number(one["quantity"])),
        (said("编号", "Serial numbers"), said("；", "; ").join(serials) or none),
        (
            said("单价", "Price"),
            f"{yuan(one['price'])} {said('元', 'CNY')}/{quoted}" if one["price"] is not None else none,
        ),
        (said("成交额", "Amount"), f"{yuan(one['amount'])} {said('元', 'CNY')}" if one["amount"] is not None else none),
        (said("成交时间", "Made at"), moment(one["at"])),
        (said("付款时限", "Payment due"), moment(one["due"])),
        (said("状态", "State"), state_words(one["state"])["en" if en else "zh"]),
        (said("交收时间", "Settled at"), moment(one["settled"])),
        (said("付款凭证", "Payment reference"), one["payment"] or none),
        (said("账本分录", "Ledger entries"), said("、", ", ").join(entries)),
    ]
    if one["cross_region"]:
        places = f"{one['seller_place']} → {one['buyer_place']}"
        rows.append((said("跨区域", "Across regions"), places))
    proof = said(
        "账本中的上述分录由签名树头保证未被改动，可用 dualcarbon ledger prove 取得证明，由独立的核验程序检验。",
        "The entries above stand in a log with signed heads; dualcarbon ledger prove gives a proof of each, which an "
        "independent program checks.",
    )
    blocks: list[Block] = [
        Table([said("项目", "Item"), said("内容", "Content")], rows, align="ll"),
        Heading(said("证据", "Evidence")),
        Paragraph(proof),
    ]
    title = said("成交确认书", "Trade confirmation")
    day = date.fromisoformat((one["settled"] or one["at"])[:10])
    label = DEMO[en] if one["synthetic"] else ""
    return Report(title, blocks, lang="en" if en else "zh", number=id, day=day, label=label)


def statement(
    engine: sa.Engine, holder: str, period: str | None = None, code: str | None = None, pack: str = DEFAULT
) -> dict[str, Any]:
    """What a holder had, got and gave in a period (default: all time), by instrument and vintage. Raises Refused.

    `{holder, period, accounts: [{instrument, vintage, title, unit, opening, closing, movements}], synthetic}`; a
    movement is an entry of the ledger's statement that changed the balance, with the act it belongs to.
    """
    since = until = None
    if period is not None:
        start, end = days(period)
        since, until = instant(start), instant(end - timedelta(days=1), end_of_day=True)
    accounts = []
    for held in reads.holdings(engine, holder, pack):
        if code not in (None, held["instrument"]):
            continue
        name = held["account"]
        movements, after = [], 0
        while True:
            page = ledger.statement(engine, name, since=since, until=until, after=after, limit=1000)
            movements += [line for line in page["entries"] if line["change"]]
            if page["next"] is None:
                break
            after = page["next"]
        # In the order of `at`, which an act may date back; the running balance follows it.
        movements.sort(key=lambda line: (line["at"], line["seq"]))
        opening = 0 if since is None else ledger.balance(engine, name, since - 1)["balance"]
        balance = opening
        for line in movements:
            balance += line["change"]
            line["running"] = balance
        own = {key: held[key] for key in ("instrument", "vintage", "title", "unit", "unit_en", "account")}
        accounts.append({**own, "opening": opening, "closing": balance, "movements": movements})
    words = _acts(engine, [line["id"].partition("~")[0] for one in accounts for line in one["movements"]])
    for one in accounts:
        for line in one["movements"]:
            line["act"] = words.get(line["id"].partition("~")[0])
    return {"holder": holder, "period": period, "accounts": accounts, "synthetic": _synthetic(engine, holder, words)}


def _acts(engine: sa.Engine, ids: list[str]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    with engine.connect() as connection:
        for start in range(0, len(ids), 500):
            for row in connection.execute(sa.select(ACT).where(ACT.c.id.in_(ids[start : start + 500]))):
                found[row.id] = json.loads(row.answer)
    return found


def _synthetic(engine: sa.Engine, holder: str, acts: dict[str, dict[str, Any]]) -> bool:
    """Whether anything here was made up: an act said so, or a lot that the holder's units come from."""
    if any(answer.get("synthetic") for answer in acts.values()):
        return True
    joined = BLOCK.join(LOT, LOT.c.number == BLOCK.c.lot)
    with engine.connect() as connection:
        chosen = sa.select(sa.func.max(LOT.c.synthetic)).select_from(joined).where(BLOCK.c.holder == holder)
        return bool(connection.execute(chosen).scalar())


def movement_rows(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The movements of a statement as rows with Chinese headings, for the screen and Excel."""
    rows = []
    for one in found["accounts"]:
        for line in one["movements"]:
            rows.append(dict(zip(MOVEMENT, _movement(one, line, "zh"), strict=True)))
    return rows


def _movement(one: dict[str, Any], line: dict[str, Any], lang: str) -> tuple[Any, ...]:
    act = line["act"] or {}
    words = action_words(act.get("action", ""))[lang]
    more = act.get("purpose") or act.get("reason") or act.get("document") or ""
    other = act.get("buyer") if line["change"] < 0 else act.get("seller")
    change = line["change"]
    return (
        moment(line["at"]), one["title"][lang], one["vintage"], line["id"],
        f"{words}{'：' if lang == 'zh' else ': '}{more}" if more else words, other,
        change if change > 0 else None, -change if change < 0 else None, line["running"],
        one["unit"] if lang == "zh" else one["unit_en"],
    )  # fmt: skip


def statement_report(found: dict[str, Any], lang: str = "zh") -> "Report":
    """A statement as a paper."""
    from dualcarbon.core.report import Block, Heading, Paragraph, Report, Table

    en = lang == "en"

    def said(zh: str, english: str) -> str:
        return english if en else zh

    blocks: list[Block] = []
    for one in found["accounts"]:
        unit = one["unit_en"] if en else one["unit"]
        year = f" {one['vintage']}" if one["vintage"] else ""
        blocks.append(Heading(f"{one['title']['en' if en else 'zh']}{year}"))
        sums = (f"{one['opening']:,} {unit}", f"{one['closing']:,} {unit}")
        blocks.append(Paragraph(said(f"期初 {sums[0]}，期末 {sums[1]}。", f"Opening {sums[0]}, closing {sums[1]}.")))
        if one["movements"]:
            names = ("时间", "分录", "摘要", "对方", "收入", "付出", "余额")
            titles = ("Time", "Entry", "What", "Counterparty", "In", "Out", "Balance")
            rows = []
            for line in one["movements"]:
                cells = _movement(one, line, "en" if en else "zh")
                kept = (cells[0], str(line["seq"]), *cells[4:9])
                rows.append(tuple("" if c is None else f"{c:,}" if isinstance(c, int) else str(c) for c in kept))
            blocks.append(Table(titles if en else names, rows, align="llllrrr"))
        else:
            blocks.append(Paragraph(said("本期没有变动。", "Nothing moved in this period.")))
    title = said(f"{found['holder']} 权益对账单", f"Statement of {found['holder']}")
    time = found["period"] or said("全部时期", "all time")
    return Report(title, blocks, lang=lang, subtitle=time, label=DEMO[en] if found["synthetic"] else "")
