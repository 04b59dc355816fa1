"""A registry with something in it: certificates, and a reduction issued through the whole chain of filings."""

import pytest

from dualcarbon.core.problems import Refused
from dualcarbon.registry import dossiers

REDUCTION = "inclusive_reduction"


def rule(call, *arguments, **options):
    """The rule by which a call is refused."""
    with pytest.raises(Refused) as refused:
        call(*arguments, **options)
    return refused.value.problems[0].rule


def imported(registry, id="L1", quantity=1000, first=1, subject="M1", period="2024-03", holder="甲厂"):
    """Green certificates taken in."""
    said = {"holder": holder, "quantity": quantity, "first": first, "subjects": [subject], "period": period}
    return registry.do("import", id, instrument="gec", **said)


def reported(registry, name="1", quantity=500, subject="P1", period="2024-03", owner="业主", verifier="核证机构甲"):
    """A methodology, project and report of its own, verified; gives the report's id."""
    own = {"instrument": REDUCTION, "actor": owner, "document": "材料"}
    text = {"title": "公交出行", "document": "文本", "actor": "研究院"}
    verified = {"quantity": quantity, "document": "核证 1 号", "actor": verifier}
    named = {"appointed": "verifier", "entity": verifier}
    steps = [
        ("submit", f"方法-{name}", {"instrument": REDUCTION, "kind": "methodology", **text}),
        ("advance", f"方法-{name}-备案", {"filing": f"方法-{name}", "step": "file", "document": "备案 1 号"}),
        ("submit", f"项目-{name}", {"kind": "project", "parent": f"方法-{name}", "title": "公交", **own}),
        ("advance", f"项目-{name}-登记", {"filing": f"项目-{name}", "step": "register", "document": "登记 1 号"}),
        ("submit", f"报告-{name}", {"kind": "report", "parent": f"项目-{name}", "period": period, **own}),
        ("appoint", f"委任-{name}", {"instrument": REDUCTION, **named}),
        ("advance", f"报告-{name}-核证", {"filing": f"报告-{name}", "step": "verify", **verified}),
    ]
    steps[2][2]["subjects"] = [subject]
    steps[4][2]["quantity"] = quantity
    if any(one["actor"] == verifier for one in dossiers.roles(registry.engine)):
        del steps[5]
    registry.together([act for action, id, said in steps for act in registry.prepare(action, id, **said)])
    return f"报告-{name}"


def issued(registry, name="1", holder="业主", **options):
    """Reductions issued from a report of their own."""
    return registry.issue(f"签发-{name}", REDUCTION, holder, report=reported(registry, name, **options))
