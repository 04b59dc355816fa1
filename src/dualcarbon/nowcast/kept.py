"""Heavy answers kept beside the workspace until its data, the rule pack or the program change."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dualcarbon import __version__
from dualcarbon.core import pack
from dualcarbon.core.console import plain

METADATA = sa.MetaData()
ANSWER = sa.Table(
    "nowcast_answer",
    METADATA,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("made_at", sa.Text, nullable=False),
    sa.Column("answer", sa.JSON, nullable=False),
)


def once(workspace: Any, kind: str, question: Mapping[str, Any], make: Callable[[], Any]) -> Any:
    """`make()` as plain JSON values, made once for a `question` of one `kind` while nothing behind it changes.

    Answers about older data of the same kind are dropped when a new one is kept.
    """
    state = f"{workspace.version()} {__version__} {_program()} {pack.content_hash(workspace.pack)}"
    text = json.dumps([kind, state, question], sort_keys=True, default=str)
    identity = hashlib.sha256(text.encode()).hexdigest()[:32]
    with workspace.database.begin() as connection:
        METADATA.create_all(connection)
        found = connection.execute(sa.select(ANSWER.c.answer).where(ANSWER.c.id == identity)).first()
    if found is not None:
        return found[0]
    made = json.loads(json.dumps(plain(make()), allow_nan=False))
    row = {"id": identity, "kind": kind, "state": state, "answer": made,
           "made_at": datetime.now(UTC).isoformat(timespec="seconds")}  # fmt: skip
    with workspace.database.begin() as connection:
        connection.execute(sa.delete(ANSWER).where(ANSWER.c.kind == kind, ANSWER.c.state != state))
        connection.execute(sa.delete(ANSWER).where(ANSWER.c.id == identity))
        connection.execute(ANSWER.insert().values(**row))
    return made


@cache
def _program() -> str:
    """A fingerprint of this room's program."""
    stamp = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        stamp.update(path.read_bytes())
    return stamp.hexdigest()[:16]
