"""One benefit, one claim: the benefit of a meter or project on a day belongs to one claim over all instruments."""

import json
from collections.abc import Sequence
from datetime import date, timedelta

import sqlalchemy as sa

from dualcarbon.registry.act import Act, days
from dualcarbon.registry.tables import CLAIM, CLAIMED_DAY, SPAN, TOUCH
from dualcarbon.registry.words import refuse, serial_text


def take(act: Act, kind: str, attribute: str, subjects: Sequence[str], period: str) -> None:
    """Take the benefit of these subjects in this period; refuses when any of it is taken, naming by what."""
    start, end = days(period)
    dates = [(start + timedelta(days=n)).isoformat() for n in range((end - start).days)]
    for subject in subjects:
        taken = act.connection.execute(
            sa.select(CLAIMED_DAY)
            .where(CLAIMED_DAY.c.attribute == attribute, CLAIMED_DAY.c.subject == subject)
            .where(CLAIMED_DAY.c.day >= dates[0], CLAIMED_DAY.c.day <= dates[-1])
            .order_by(CLAIMED_DAY.c.day)
            .limit(1)
        ).first()
        if taken is not None:
            other = describe(act.connection, taken.act)
            raise refuse("already-claimed", "subject", subject, day=taken.day, other=other)
    row = {"act": act.id, "kind": kind, "attribute": attribute, "start": dates[0], "end": end.isoformat()}
    told = json.dumps(list(subjects), ensure_ascii=False)
    act.connection.execute(CLAIM.insert(), [{**row, "subjects": told}])
    rows = [
        {"attribute": attribute, "subject": subject, "day": day, "act": act.id}
        for subject in dict.fromkeys(subjects)
        for day in dates
    ]
    act.connection.execute(CLAIMED_DAY.insert(), rows)


def describe(connection: sa.Connection, act: str) -> str:
    """A claim in words: what kind, the act that made it, its period and serial numbers."""
    claim = connection.execute(sa.select(CLAIM).where(CLAIM.c.act == act)).one()
    found = connection.execute(sa.select(TOUCH).where(TOUCH.c.act == act)).all()
    serials = "、".join(serial_text(claim.kind, (one.first % SPAN, one.last % SPAN)) for one in found)
    last = date.fromisoformat(claim.end) - timedelta(days=1)
    return f"{serials or claim.kind}（{act}，{claim.start}—{last}）"
