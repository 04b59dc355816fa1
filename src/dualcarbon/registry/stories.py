"""One story through the whole API, in order: the example of every act, with its Idempotency-Key; the tests run it."""

from typing import Any

Example = tuple[str, str, dict[str, Any]]  # act, Idempotency-Key, body

_REDUCTION = {"instrument": "inclusive_reduction"}
_GEC = {"instrument": "gec"}
_NOX = {"instrument": "pollutant_nox"}

STORY: tuple[Example, ...] = (
    ("import", "lot-1", {**_GEC, "quantity": 1000, "holder": "嘉电售电", "first": 1, "subjects": ["光伏-0017"],
                         "period": "2026-03", "document": "核发 2026-04"}),
    ("transfer", "allocation-1", {**_GEC, "quantity": 600, "seller": "嘉电售电", "buyer": "甲厂"}),
    ("retire", "use-1", {**_GEC, "quantity": 400, "holder": "甲厂", "purpose": "2026 年绿电消费",
                         "beneficiary": "甲厂"}),
    ("suspend", "block-1", {**_GEC, "quantity": 100, "holder": "甲厂", "serials": "401-500", "reason": "权属争议"}),
    ("resume", "free-1", {**_GEC, "quantity": 100, "holder": "甲厂", "serials": "401-500", "reason": "争议了结"}),
    ("cancel", "cancel-1", {**_GEC, "quantity": 10, "holder": "甲厂", "serials": "591-600", "reason": "核发机构更正"}),
    ("import", "lot-2", {**_GEC, "quantity": 50, "holder": "甲厂", "first": 2001, "subjects": ["光伏-0019"],
                         "period": "2026-03", "document": "核发 2026-04"}),
    ("annul", "annul-1", {**_GEC, "lot": "lot-2", "reason": "计量点登记错误"}),
    ("claim", "deduction-1", {"kind": "碳账户扣减", "subjects": ["光伏-0018"], "period": "2026-03"}),
    ("submit", "methodology-1", {**_REDUCTION, "kind": "methodology", "title": "公交出行减排", "document": "方法学文本",
                                 "actor": "研究院"}),
    ("advance", "methodology-1-file", {"filing": "methodology-1", "step": "file", "document": "备案 1 号"}),
    ("submit", "project-1", {**_REDUCTION, "kind": "project", "parent": "methodology-1", "title": "公交线路 9",
                             "subjects": ["公交-09"], "document": "申请书", "actor": "公交公司"}),
    ("advance", "project-1-register", {"filing": "project-1", "step": "register", "document": "登记 1 号"}),
    ("submit", "report-1", {**_REDUCTION, "kind": "report", "parent": "project-1", "period": "2026-03",
                            "quantity": 520000, "document": "监测报告", "actor": "公交公司"}),
    ("appoint", "verifier-1", {**_REDUCTION, "appointed": "verifier", "entity": "核证机构甲"}),
    ("advance", "report-1-verify", {"filing": "report-1", "step": "verify", "quantity": 500000,
                                    "document": "核证报告", "actor": "核证机构甲"}),
    ("issue", "issue-1", {**_REDUCTION, "report": "report-1", "holder": "公交公司"}),
    ("dismiss", "verifier-1-end", {**_REDUCTION, "appointed": "verifier", "entity": "核证机构甲"}),
    ("offer", "offer-1", {**_REDUCTION, "quantity": 300000, "holder": "公交公司", "price": "35.00",
                          "expires": "2099-12-31"}),
    ("accept", "trade-1", {"offer": "offer-1", "quantity": 100000, "holder": "乙厂", "due": "2099-12-31"}),
    ("settle", "settle-1", {"trade": "trade-1", "payment": "银行回单 0001"}),
    ("offer", "bid-1", {**_REDUCTION, "quantity": 50000, "holder": "丙厂", "price": "36.50", "side": "buy"}),
    ("match", "match-1", {**_REDUCTION}),
    ("void", "void-1", {"trade": "match-1.1", "reason": "买方未付款"}),
    ("withdraw", "withdraw-1", {"offer": "offer-1"}),
    ("offer", "offer-2", {**_REDUCTION, "quantity": 1000, "holder": "公交公司", "price": "34.00", "at": "2026-01-05",
                          "expires": "2026-02-01"}),
    ("lapse", "lapse-2", {"offer": "offer-2"}),
    ("grant", "permit-1", {**_NOX, "quantity": 5000000, "holder": "甲厂", "vintage": "2024", "years": 2,
                           "document": "排污许可证"}),
    ("expire", "permit-1-end", {**_NOX, "quantity": 5000000, "holder": "甲厂", "vintage": "2024",
                                "reason": "年度结束", "at": "2026-01-01"}),
)  # fmt: skip


def example(action: str) -> tuple[str, dict[str, Any]]:
    """The first example of an act: its key and body."""
    return next((key, body) for act, key, body in STORY if act == action)
