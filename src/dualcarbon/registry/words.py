"""Words of the registry: refusals, names that can be used, states in both languages, serial numbers as text."""

from collections.abc import Iterable
from typing import Any

from dualcarbon.core.problems import Problem, Refused

Range = tuple[int, int]


def refuse(rule: str, column: str | None = None, value: Any = None, **params: Any) -> Refused:
    """The refusal of one act."""
    return Refused(Problem(f"registry.{rule}", column=column, value=value, params=params))


def listed(names: Iterable[str]) -> dict[str, str]:
    """Names as one text in both languages."""
    names = list(names)
    return {"zh": "、".join(names), "en": ", ".join(names)}


def name(column: str, text: str | None) -> str:
    """A party's name. Raises Refused for one that is empty, reserved, unprintable or too long."""
    if not text or text.startswith("@") or not text.isprintable() or len(text) > 90 or "|" in text:
        raise refuse("holder-unusable", column, text)
    return text


STATES = {
    None: ("尚未登记", "not yet recorded"),
    "held": ("持有", "held"),
    "offered": ("挂牌中", "offered"),
    "reserved": ("待交收", "reserved"),
    "suspended": ("冻结", "suspended"),
    "retired": ("已核销", "retired"),
    "cancelled": ("已注销", "cancelled"),
    "expired": ("已失效", "expired"),
    "annulled": ("已撤销", "annulled"),
    "submitted": ("已提交", "submitted"),
    "returned": ("已退回", "returned"),
    "filed": ("已备案", "filed"),
    "repealed": ("已废止", "repealed"),
    "registered": ("已登记", "registered"),
    "closed": ("已结束", "closed"),
    "verified": ("已核证", "verified"),
    "issued": ("已签发", "issued"),
    "open": ("有效", "open"),
    "filled": ("全部成交", "filled"),
    "withdrawn": ("已撤回", "withdrawn"),
    "lapsed": ("已过期", "lapsed"),
    "pending": ("待付款交收", "awaiting payment"),
    "settled": ("已交收", "settled"),
    "voided": ("已作废", "voided"),
}


def state_words(state: str | None) -> dict[str, str]:
    """A state in both languages."""
    zh, en = STATES.get(state, (str(state), str(state)))
    return {"zh": zh, "en": en}


ACTIONS = {
    "issue": ("签发", "issued"), "import": ("导入", "imported"), "transfer": ("转让", "transferred"),
    "retire": ("核销", "retired"), "suspend": ("冻结", "suspended"), "resume": ("解冻", "freed"),
    "cancel": ("注销", "cancelled"), "expire": ("失效", "expired"), "annul": ("误发撤销", "annulled"),
    "settle": ("交收", "settled"),
    "claim": ("主张权益", "claimed"), "offer": ("挂牌", "offered"), "accept": ("成交", "accepted"),
    "match": ("撮合成交", "matched"), "withdraw": ("撤回挂牌", "withdrawn"), "void": ("成交作废", "voided"),
    "lapse": ("到期解除", "lapsed"), "appoint": ("委任", "appointed"), "dismiss": ("解除委任", "dismissed"),
    "submit": ("提交", "handed in"), "resubmit": ("重新提交", "handed in again"), "file": ("备案", "filed"),
    "register": ("登记", "registered"), "verify": ("核证", "verified"), "return": ("退回", "returned"),
    "repeal": ("废止", "repealed"), "close": ("结束", "closed"), "revoke": ("撤销核证", "verification revoked"),
    "advance": ("办理", "advanced"), "mirror": ("镜像导入", "mirrored"),
}  # fmt: skip


def action_words(action: str) -> dict[str, str]:
    """An act's name in both languages."""
    zh, en = ACTIONS.get(action, (action, action))
    return {"zh": zh, "en": en}


TITLES = {
    "issue": ("签发", "Issue"), "grant": ("按年配发", "Grant yearly rights"), "import": ("登记外部批次", "Enter a lot"),
    "transfer": ("转让或分配", "Transfer or allocate"), "retire": ("核销", "Retire"), "claim": ("主张权益", "Claim"),
    "suspend": ("冻结", "Suspend"), "resume": ("解冻", "Resume"), "cancel": ("注销", "Cancel"),
    "annul": ("撤销误发批次", "Annul a lot"), "expire": ("到期失效", "Expire"), "appoint": ("委任", "Appoint"),
    "dismiss": ("解除委任", "Dismiss"), "submit": ("提交备案材料", "Hand in a filing"),
    "advance": ("办理备案一步", "Take a step of a filing"), "offer": ("挂牌或协议", "List an offer"),
    "accept": ("摘牌", "Accept an offer"), "match": ("撮合", "Match offers"), "withdraw": ("撤回挂牌", "Withdraw"),
    "settle": ("确认交收", "Confirm delivery"), "void": ("作废成交", "Void a trade"), "lapse": ("到期解除", "Lapse"),
}  # fmt: skip


def missing(action: str, name: str) -> Refused:
    """The refusal of an act that must say a word and does not; both are named as people call them."""
    from dualcarbon.registry.forms import LABELS

    column = "subjects" if name == "subject" else name
    zh, en = LABELS.get(column, (name, name))
    act = dict(zip(("zh", "en"), TITLES[action], strict=True)) if action in TITLES else action_words(action)
    told = {"zh": zh, "en": en.lower() if en.lower() == name else f"{en.lower()} ({name})"}
    return refuse("needs", name, None, name=told, action=act)


def serial_text(code: str, part: Range) -> str:
    """Serial numbers as people read them: `gec:1-1000`."""
    first, last = part
    return f"{code}:{first}" if first == last else f"{code}:{first}-{last}"
