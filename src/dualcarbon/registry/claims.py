"""One benefit, one claim: the benefit of a meter or project on a day belongs to one claim over all instruments."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache

import sqlalchemy as sa

from dualcarbon.registry.act import Act, days
from dualcarbon.registry.desk import Desk, Wanted
from dualcarbon.registry.tables import CLAIM, SPAN, TOUCH
from dualcarbon.registry.words import refuse, serial_text


@lru_cache(1024)
def dates(period: str) -> tuple[str, ...]:
    """The days of a period as text. Raises Refused (`registry.period-not-understood`)."""
    start, end = days(period)
    return tuple((start + timedelta(days=n)).isoformat() for n in range((end - start).days))


def wanted(attribute: str, subjects: Iterable[str], period: str) -> list[Wanted]:
    """The benefit of each subject in a period."""
    told = dates(period)
    return [Wanted(attribute, subject, told[0], told[-1]) for subject in dict.fromkeys(subjects)]


def take(act: Act, kind: str, attribute: str, subjects: Sequence[str], period: str) -> None:
    """Take the benefit of these subjects in this period; refuses when any of it is taken, naming by what."""
    own, told = wanted(attribute, subjects, period), dates(period)
    for one in own:
        taken = act.desk.claimed(one, told)
        if taken is not None:
            day, by = taken
            raise refuse("already-claimed", "subject", one.subject, day=day, other=describe(act.desk, by))
    row = {"act": act.id, "kind": kind, "attribute": attribute, "start": told[0], "end": days(period)[1].isoformat()}
    act.desk.insert(CLAIM, {**row, "subjects": json.dumps(list(subjects), ensure_ascii=False)})
    for one in own:
        act.desk.claim(act.id, one, told)


def describe(desk: Desk, act: str) -> str:
    """A claim in words: what kind, the act that made it, its period and serial numbers."""
    claim = desk.execute(sa.select(CLAIM).where(CLAIM.c.act == act)).one()
    found = desk.execute(sa.select(TOUCH).where(TOUCH.c.act == act)).all()
    serials = "、".join(serial_text(claim.kind, (one.first % SPAN, one.last % SPAN)) for one in found)
    last = date.fromisoformat(claim.end) - timedelta(days=1)
    return f"{serials or claim.kind}（{act}，{claim.start}—{last}）"
