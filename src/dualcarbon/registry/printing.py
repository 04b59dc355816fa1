"""How the verbs of the registry print: headings in both languages, rows in words, an answer in one line."""

from typing import Any

from dualcarbon.core.console import emit, say, table
from dualcarbon.registry.words import action_words, state_words

COLUMNS = {
    "account": ("账户", "account"), "act": ("编号", "id"), "action": ("行为", "action"), "actor": ("办理", "actor"),
    "amount_yuan": ("成交额（元）", "amount (CNY)"), "at": ("时间", "at"), "balance": ("持有", "balance"),
    "beneficiary": ("受益人", "beneficiary"), "bought": ("受让方", "buyer"), "buyer": ("受让方", "buyer"),
    "cancelled": ("注销", "cancelled"), "code": ("代码", "code"), "count": ("笔数", "trades"),
    "counterparty": ("对方", "for"), "day": ("日期", "day"), "end": ("止（不含）", "to (exclusive)"),
    "entry": ("分录", "entry"), "expired": ("失效", "expired"), "expires": ("截止", "until"),
    "held": ("持有", "held"), "high": ("最高", "high"), "holder": ("持有人", "holder"), "id": ("编号", "id"),
    "instrument": ("品种", "instrument"), "issued": ("签发", "issued"), "issuer": ("核发", "issuer"),
    "kind": ("类型", "kind"), "left": ("剩余", "left"), "lot": ("批次", "lot"), "low": ("最低", "low"),
    "market": ("市场", "market"), "mean": ("均价", "mean"), "month": ("月份", "month"), "parent": ("所属", "under"),
    "party": ("挂牌方", "party"), "price_yuan": ("单价（元）", "price (CNY)"), "purpose": ("用途", "purpose"),
    "quantity": ("数量", "quantity"), "recorded": ("记录", "recorded"), "released": ("已解除", "released"),
    "retired": ("核销", "retired"), "role": ("角色", "role"), "role_title": ("角色", "role"),
    "seller": ("出让方", "seller"), "serials": ("编号", "serials"), "side": ("方向", "side"),
    "start": ("产生时期起", "from"), "state": ("状态", "state"), "status": ("依据状态", "status"),
    "step": ("步骤", "step"), "subjects": ("计量点或项目", "subjects"), "suspended": ("冻结", "suspended"),
    "text": ("编号", "serials"), "title": ("名称", "title"), "unit": ("单位", "unit"),
    "verified": ("核证量", "verified"), "vintage": ("年度", "vintage"), "volume": ("成交量", "volume"),
    "way": ("方式", "way"),
}  # fmt: skip


RESULTS = {
    "ok": ("已登记", "recorded"),
    "exists": ("先前已登记", "recorded before"),
    "would_be_ok": ("试算通过，未登记", "it would be recorded; nothing was"),
}
SHORT = 20


def columns(*names: str) -> dict[str, str]:
    """Headings of a printed table in the reader's language."""
    return {name: say(*COLUMNS[name]) for name in names}


def show(found: dict[str, Any], rows: str, names: str, json: bool) -> None:
    """Print what was found: as JSON all of it, else its `rows` as a table of the columns `names`."""
    emit(found, json, lambda: table([_spoken(row) for row in found[rows]], columns(*names.split())))


def _spoken(row: dict[str, Any]) -> dict[str, Any]:
    """A row as people read it: states and acts in words, several values beside each other."""
    words = {"state": state_words, "action": action_words}
    told = {
        name: say(*words[name](value).values()) if name in words and value else value for name, value in row.items()
    }
    return {name: "、".join(map(str, value)) if isinstance(value, list) else value for name, value in told.items()}


def told(answer: dict[str, Any]) -> str:
    """An answer in one line, or one for each year of a grant."""
    if "years" in answer:
        return "\n".join(map(told, answer["years"]))
    serials = say("，", ", ").join(one["text"] for one in answer.get("serials", ()))
    amount = f" {answer['quantity']:,} {answer['unit']}" if answer.get("quantity") and "unit" in answer else ""
    state = ""
    if answer.get("state"):
        state = f"  {say(*state_words(answer['state']).values())}"
    word = say(*RESULTS[answer["result"]])
    return f"{word}{say('：', ': ')}{answer['id']}{amount}{'  ' + serials if serials else ''}{state}"


def file_told(answers: list[dict[str, Any]]) -> str:
    """Each act of a short file, the counts of a long one."""
    if len(answers) <= SHORT:
        return "\n".join(map(told, answers)) or say("文件里没有要办的行", "the file has nothing to do")
    counts = {word: sum(one["result"] == word for one in answers) for word in RESULTS}
    said = [f"{say(*RESULTS[word])} {count:,}" for word, count in counts.items() if count]
    return say("；", "; ").join(said)
