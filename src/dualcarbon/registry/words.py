"""Words of the registry: refusals, names that can be used, states in both languages, serial numbers as text."""

from typing import Any

from dualcarbon.core.problems import Problem, Refused

Range = tuple[int, int]


def refuse(rule: str, column: str | None = None, value: Any = None, **params: Any) -> Refused:
    """The refusal of one act."""
    return Refused(Problem(f"registry.{rule}", column=column, value=value, params=params))


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


def serial_text(code: str, part: Range) -> str:
    """Serial numbers as people read them: `gec:1-1000`."""
    first, last = part
    return f"{code}:{first}" if first == last else f"{code}:{first}-{last}"
