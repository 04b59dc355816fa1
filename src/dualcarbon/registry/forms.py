"""What each act of the registry is told: one table for the command line, the API and Python.

`FIELDS` says what a word means and how its text is read, `FORMS` which words an act takes. Values may come as text
(from a command line or a file) or as JSON values; `read` turns both into the same.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from dualcarbon.registry.words import Range, listed, missing, refuse


class Field(NamedTuple):
    """One word of an act: how it is read (text, integer, texts, serials, money, instant, flag), help, an example."""

    kind: str
    zh: str
    en: str
    example: Any
    flag: str | None = None


class Form(NamedTuple):
    """One act: its help, what must be said in order (`arguments`, then `needed`), what may be, where it is done."""

    zh: str
    en: str
    arguments: tuple[str, ...]
    needed: tuple[str, ...]
    optional: tuple[str, ...]
    work: str
    group: str = ""


FIELDS = {
    "instrument": Field("text", "品种，如 gec", "instrument, such as gec", "inclusive_reduction"),
    "quantity": Field("integer", "数量（最小单位的整数）", "integer quantity of the smallest unit", 200),
    "holder": Field("text", "持有人", "holder", "甲厂"),
    "seller": Field("text", "出让方", "seller", "甲厂", "from"),
    "buyer": Field("text", "受让方", "buyer", "乙厂", "to"),
    "serials": Field("serials", "编号 起-止（默认从最小起）", "serial numbers FIRST-LAST (default: lowest)", "1-200"),
    "first": Field("integer", "起始编号", "first serial number", 1),
    "vintage": Field("text", "年度（按年管理的权益）", "year, for yearly rights", "2026"),
    "years": Field("integer", "年数（每年同量）", "number of years, the same quantity each", 5),
    "kind": Field("text", "类型：用能权 增量|存量|租赁；备案 methodology|project|report；主张的用途",
                  "kind: increment|stock|lease; methodology|project|report; what is claimed", "project"),
    "subjects": Field("texts", "计量点或项目（可多次）", "meter or project (repeatable)", ["公交-09"], "subject"),
    "period": Field("period", "时期，如 2026-03", "period, such as 2026-03", "2026-03"),
    "document": Field("text", "依据文件", "the document it rests on", "核证报告 1 号"),
    "report": Field("text", "已核证的监测报告", "the verified monitoring report", "监测-1"),
    "purpose": Field("text", "用途", "purpose", "会议碳中和"),
    "beneficiary": Field("text", "受益人", "beneficiary", "乙厂"),
    "reason": Field("text", "原因", "reason", "核发文件有误"),
    "attribute": Field("text", "权益（默认 climate）", "benefit (default: climate)", "climate"),
    "lot": Field("text", "批次（签发或导入的编号）", "lot (the id it was issued or imported under)", "签发-1"),
    "state": Field("text", "现在的状态（默认 held）", "state it is in (default: held)", "held"),
    "appointed": Field("text", "角色，如 verifier", "role, such as verifier", "verifier"),
    "entity": Field("text", "被委任的主体", "who is appointed", "核证机构甲"),
    "parent": Field("text", "所属备案（项目属于方法学，报告属于项目）", "what it belongs to", "方法学-1", "of"),
    "title": Field("text", "名称", "title", "公交出行减排"),
    "result": Field("text", "平台算得此数的查询，如 item=…&place=…&period=…", "where the platform's own figure opens",
                    "item=emission.co2&place=330400&period=2024"),
    "filing": Field("text", "备案编号", "the filing's id", "方法学-1"),
    "step": Field("text", "步骤：file|register|verify|return|resubmit|…", "step of its state table", "file"),
    "side": Field("text", "sell 出让（默认）| buy 求购", "sell (default) | buy", "sell"),
    "price": Field("money", "单价，元/报价单位", "price in yuan for the quoted unit", "35.00"),
    "counterparty": Field("text", "协议对方（不写即公开挂牌）", "for one party alone (default: everyone)", "乙厂"),
    "place": Field("text", "己方所在地区", "place of the party", "330481"),
    "seller_place": Field("text", "出让方所在地区", "place of the seller", "330481"),
    "buyer_place": Field("text", "受让方所在地区", "place of the buyer", "330482"),
    "expires": Field("instant", "挂牌截止时间", "when the offer ends", "2099-12-31"),
    "due": Field("instant", "付款交收截止时间", "when payment must be in", "2099-12-31"),
    "offer": Field("text", "挂牌编号", "the offer's id", "挂牌-1"),
    "trade": Field("text", "成交编号", "the trade's id", "成交-1"),
    "payment": Field("text", "付款凭证号", "the payment's reference", "银行回单 0001"),
    "actor": Field("text", "办理主体（默认：该角色本来的主体）", "who acts (default: whose part it is)", "甲厂"),
    "role": Field("text", "以何角色", "in which role", "holder"),
    "at": Field("instant", "发生时间（默认此刻）", "when (default: now)", "2026-11-01"),
    "synthetic": Field("flag", "演示数据", "made up for demonstration", True),
}  # fmt: skip
#: What each word is called, in short.
LABELS = {
    "instrument": ("权益品种", "Instrument"), "quantity": ("数量", "Quantity"), "holder": ("持有人", "Holder"),
    "seller": ("出让方", "Seller"), "buyer": ("受让方", "Buyer"), "serials": ("证书编号", "Serial numbers"),
    "first": ("起始编号", "First serial number"), "vintage": ("年度", "Year"), "years": ("年数", "Years"),
    "kind": ("类型", "Kind"), "subjects": ("计量点或项目", "Meter or project"), "period": ("产生时期", "Period"),
    "document": ("依据文件", "Document"), "report": ("监测报告", "Monitoring report"), "purpose": ("用途", "Purpose"),
    "beneficiary": ("受益人", "Beneficiary"), "reason": ("原因", "Reason"), "attribute": ("权益", "Benefit"),
    "lot": ("批次", "Lot"), "state": ("现在的状态", "State now"), "appointed": ("角色", "Role"),
    "entity": ("被委任的主体", "Appointed"), "parent": ("所属备案", "Belongs to"), "title": ("名称", "Title"),
    "result": ("平台的数", "Platform's figure"), "filing": ("备案编号", "Filing"), "step": ("步骤", "Step"),
    "side": ("方向", "Side"), "price": ("单价（元）", "Price (CNY)"), "counterparty": ("协议对方", "Counterparty"),
    "place": ("己方地区", "Own place"), "seller_place": ("出让方地区", "Seller's place"),
    "buyer_place": ("受让方地区", "Buyer's place"), "expires": ("挂牌截止", "Offer ends"),
    "due": ("付款时限", "Payment due"), "offer": ("挂牌", "Offer"), "trade": ("成交", "Trade"),
    "payment": ("付款凭证", "Payment reference"), "actor": ("办理主体", "Acting party"), "role": ("以何角色", "Role"),
    "at": ("发生时间", "When"), "amount": ("成交额", "Amount"), "trades": ("成交笔数", "Trades"),
    "after": ("此后状态", "State afterwards"),
}  # fmt: skip

COMMON = ("actor", "role", "at", "synthetic")
UNITS = ("vintage", "holder", "quantity", "serials", "document")

FORMS = {
    "issue": Form("签发（本平台登记的品种）", "issue units", ("instrument", "quantity"), ("holder",),
                  ("report", "subjects", "period", "document", "vintage", "kind"), "units.issue"),
    "grant": Form("按年配发多年的权益，每年一批", "issue yearly rights for a term of years", ("instrument", "quantity"),
                  ("holder", "vintage", "years", "document"), ("kind",), "units.issue"),
    "import": Form("登记别处核发的一个批次", "take in a lot issued elsewhere", ("instrument", "quantity"),
                   ("holder", "first", "subjects", "period"), ("document", "vintage"), "units.import_"),
    "transfer": Form("转让或分配给另一持有人", "transfer or allocate to another holder", ("instrument", "quantity"),
                     ("seller", "buyer"), ("serials", "vintage", "kind", "seller_place", "buyer_place", "document"),
                     "units.transfer"),
    "retire": Form("核销：写明用途和受益人", "retire for a purpose and a beneficiary", ("instrument", "quantity"),
                   ("holder",), ("purpose", "beneficiary", "serials", "vintage", "document"), "units.retire"),
    "suspend": Form("冻结：不能转让核销", "suspend: the units cannot move", ("instrument",), ("reason",),
                    ("lot", *UNITS), "units.suspend"),
    "resume": Form("解冻", "free suspended units", ("instrument",), ("reason",), ("lot", *UNITS), "units.resume"),
    "cancel": Form("注销批次或一部分（不可恢复）", "cancel a lot or part of it (final)", ("instrument",), ("reason",),
                   ("lot", "state", *UNITS), "units.cancel"),
    "annul": Form("撤销误发的整批：未曾流转的批次，权益主张随之解除",
                  "take back a whole lot made in error that never moved; its claim is free again",
                  ("instrument", "lot"), ("reason",), ("document",), "units.annul"),
    "expire": Form("到期失效（不可恢复）", "end units whose lifetime is over (final)", ("instrument",), ("reason",),
                   ("lot", *UNITS), "units.expire"),
    "claim": Form("主张权益而不签发，如碳账户扣减", "claim a benefit without units, such as a deduction", ("kind",),
                  ("subjects", "period"), ("attribute", "document"), "units.claim"),
    "appoint": Form("委任角色，如核证机构", "appoint to a role, such as verifier", 
                    ("instrument", "appointed", "entity"), (), ("document",), "filings.appoint"),
    "dismiss": Form("解除委任", "end an appointment", ("instrument", "appointed", "entity"), (), ("document",),
                    "filings.dismiss"),
    "submit": Form("提交方法学、项目或监测报告", "hand in a methodology, project or monitoring report",
                   ("instrument", "kind"), (),
                   ("title", "parent", "subjects", "period", "quantity", "document", "result"), "filings.submit",
                   "filing"),
    "advance": Form("办理一步：备案、登记、核证、退回…", "take a step: file, register, verify, return, ...",
                    ("filing", "step"), (), ("quantity", "document", "reason"), "filings.advance", "filing"),
    "offer": Form("挂牌出让或求购；写明对方即协议", "offer for sale or to buy; to one party: an agreement",
                  ("instrument", "quantity"), ("holder", "price"),
                  ("side", "counterparty", "serials", "vintage", "kind", "place", "expires"), "market.offer",
                  "trades"),
    "accept": Form("摘牌或同意协议", "take an offer, whole or in part", ("offer",), ("holder",),
                   ("quantity", "due", "place", "document"), "market.accept", "trades"),
    "match": Form("撮合全部挂牌（价格优先、时间优先）", "match all listings, by price and time", ("instrument",), (),
                  ("vintage", "due"), "market.match", "trades"),
    "withdraw": Form("撤回挂牌", "withdraw an offer", ("offer",), (), ("reason",), "market.withdraw", "trades"),
    "settle": Form("款到交收：付款与权益同时过账", "settle: payment and units are posted together", ("trade",),
                   ("payment",), (), "market.settle", "trades"),
    "void": Form("作废未交收的成交", "undo a trade before it is settled", ("trade",), ("reason",), (), "market.void",
                 "trades"),
    "lapse": Form("过期的挂牌或成交到期解除", "end an offer or trade whose time has run out", (), (),
                  ("offer", "trade"), "market.lapse", "trades"),
}  # fmt: skip


def read(action: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """What was said, each word read by its kind, empty ones left out. Raises Refused naming every fault at once."""
    from dualcarbon.core.problems import Refused

    form = FORMS[action]
    known = {*form.arguments, *form.needed, *form.optional, *COMMON}
    problems = [refuse("word-unknown", key, said[key], known=listed(sorted(known))) for key in said if key not in known]
    found: dict[str, Any] = {}
    for key in (one for one in FIELDS if one in known):
        value = said.get(key)
        if value is None or value == "" or value == [] or value is False:
            continue
        try:
            found[key] = READERS[FIELDS[key].kind](key, value)
        except Refused as refused:
            problems.append(refused)
    for key in (*form.arguments, *form.needed):
        # A report has its own quantity; which reason is missing is said by the state table.
        if key not in found and said.get(key) in (None, "", []) and key not in ("quantity", "reason", "payment"):
            problems.append(missing(action, key))
    if problems:
        raise Refused([one for refused in problems for one in refused.problems])
    if action in ("transfer", "retire", "import", "offer", "grant") and "quantity" not in found:
        raise missing(action, "quantity")
    return found


def _text(key: str, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > 500 or "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise refuse("text-unusable", key, value)
    return value.strip()


def _texts(key: str, value: Any) -> list[str]:
    return [_text(key, one) for one in ([value] if isinstance(value, str) else value)]


def _integer(key: str, value: Any) -> int:
    from dualcarbon.registry.tables import SPAN

    text = value.replace(",", "") if isinstance(value, str) else value
    if isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 20:
        text = int(text)
    if type(text) is not int or not 0 < text < SPAN:
        raise refuse("quantity-unusable", key, value)
    return text


def _serials(key: str, value: Any) -> Range:
    parts = value.rpartition(":")[2].split("-") if isinstance(value, str) else list(value)
    if len(parts) == 1:
        parts = parts * 2
    numbers = [int(part) for part in map(str, parts) if part.isascii() and part.isdecimal()]
    if len(parts) != 2 or len(numbers) != 2 or not 0 < numbers[0] <= numbers[1]:
        raise refuse("serials-unreadable", key, str(value))
    return numbers[0], numbers[1]


def money(key: str, value: Any) -> int:
    """Yuan with at most two decimals as an integer of 0.01 yuan. Raises Refused."""
    from decimal import Decimal, InvalidOperation

    try:
        fen = Decimal(str(value).replace(",", "")) * 100
        usable = fen == fen.to_integral_value() and 0 <= fen < 10**15
    except (InvalidOperation, ValueError):
        usable = False
    if not usable:
        raise refuse("price-unusable", key, str(value))
    return int(fen)


def _instant(key: str, value: Any) -> int:
    from dualcarbon.ledger.transfer import instant

    try:
        return instant(value)
    except (ValueError, TypeError, AttributeError, OverflowError):
        raise refuse("time-not-understood", key, str(value)) from None


def _period(key: str, value: Any) -> str:
    from dualcarbon.core import periods
    from dualcarbon.core.problems import Refused

    text = _text(key, value)
    try:
        periods.parse(text)
    except (ValueError, Refused):
        raise refuse("period-not-understood", key, text) from None
    return text


def _flag(key: str, value: Any) -> bool:
    return bool(value)


READERS = {
    "text": _text,
    "texts": _texts,
    "integer": _integer,
    "serials": _serials,
    "money": money,
    "instant": _instant,
    "period": _period,
    "flag": _flag,
}
