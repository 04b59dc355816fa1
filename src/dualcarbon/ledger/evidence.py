"""Signed tree heads and the proofs under them.

A head states how long the log is and what its Merkle root is (RFC 6962), and with it where the chains of accounts and
locks stand. Whoever keeps a head can later be shown that an entry was in the log, and that the log was only added to.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import sqlalchemy as sa
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from dualcarbon.core.problems import Problem, Refused
from dualcarbon.ledger import chain
from dualcarbon.ledger.reads import standing
from dualcarbon.ledger.store import Store
from dualcarbon.ledger.tables import ACCOUNT, DAY, ENTRY, ENTRY_FIELDS, HEAD, LEDGER, LOCK, NODE, REFUSAL
from dualcarbon.ledger.transfer import moment_text
from dualcarbon.ledger.troubles import translated

WIDTH = 256


class Signer(Protocol):
    """What signs tree heads. `scheme` names the algorithm, `public` is the raw public key."""

    scheme: str
    public: bytes

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`."""


class Ed25519Signer:
    """Signs with Ed25519 (RFC 8032)."""

    scheme = "ed25519"

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()

    @classmethod
    def of(cls, workspace: Path) -> "Ed25519Signer":
        """The signer of a workspace: the key file that DUALCARBON_LEDGER_KEY names, else `ledger.key` in its folder."""
        return cls.kept_in(Path(os.environ.get("DUALCARBON_LEDGER_KEY") or workspace / "ledger.key"))

    @classmethod
    def kept_in(cls, path: Path) -> "Ed25519Signer":
        """The signer whose private key is kept in `path` (PEM, readable by its owner only); made when absent."""
        if not path.exists():
            private = Ed25519PrivateKey.generate()
            pem = private.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            fresh = path.with_name(f"{path.name}.{os.getpid()}")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(fresh, path)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        loaded = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(loaded, Ed25519PrivateKey):
            raise Refused(Problem("ledger.key-unusable", file=str(path)))
        return cls(loaded)

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature."""
        return self._private.sign(message)


def make_head(store: Store, signer: Signer) -> dict[str, str]:
    """Sign where the log stands now and keep the head; the last head again when nothing was added since.

    `{"note", "scheme", "key", "signature"}`: `note` is the signed text, the others hexadecimal.
    """

    def work(connection: sa.Connection, ledger: sa.Row[Any], recorded: int) -> dict[str, str]:
        last = connection.execute(sa.select(HEAD).order_by(HEAD.c.number.desc()).limit(1)).first()
        tree = Tree(connection, ledger.algorithm)
        tree.extend(ledger.entries)
        state = {
            "origin": ledger.origin,
            "algorithm": ledger.algorithm,
            "form": chain.FORM,
            "size": ledger.entries,
            "root": tree.subtree(0, ledger.entries).hex(),
            "accounts": f"{ledger.accounts} {ledger.account_hash.hex()}",
            "locks": f"{ledger.locks} {ledger.lock_hash.hex()}",
            "refusals": f"{ledger.refusals} {ledger.refusal_hash.hex()}",
        }
        words = "".join(f"{name} {value}\n" for name, value in state.items())
        if last is not None and last.key == signer.public and words in last.note:
            return _told(last._mapping)
        note = f"dualcarbon.ledger.head 2\n{words}recorded {moment_text(recorded)}\n"
        row = {
            "number": 1 if last is None else last.number + 1,
            "size": ledger.entries,
            "note": note,
            "scheme": signer.scheme,
            "key": signer.public,
            "signature": signer.sign(note.encode()),
        }
        connection.execute(HEAD.insert(), [row])
        connection.execute(LEDGER.update().where(LEDGER.c.number == 1).values(recorded=recorded))
        return _told(row)

    return store.transaction(work)


def _told(row: Any) -> dict[str, str]:
    return {
        "note": row["note"],
        "scheme": row["scheme"],
        "key": row["key"].hex(),
        "signature": row["signature"].hex(),
    }


def heads(engine: sa.Engine) -> list[dict[str, str]]:
    """All heads signed so far, oldest first."""
    if standing(engine) is None:
        return []
    with engine.connect() as connection:
        return [_told(row) for row in connection.execute(sa.select(HEAD).order_by(HEAD.c.number)).mappings()]


def parsed(note: str) -> dict[str, str]:
    """The fields of a head's text by name."""
    return dict(line.split(" ", 1) for line in note.splitlines())


def head_lines(found: Sequence[dict[str, str]]) -> str:
    """Heads as JSON lines, the file that an auditor keeps."""
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found)


def verified(engine: sa.Engine, own: Sequence[dict[str, Any]] = (), key: str | None = None) -> dict[str, Any]:
    """What the auditor's verifier finds, run as an auditor runs it: the file alone, in a process of its own.

    `own` are kept heads, `key` the trusted public key (hexadecimal). Raises Refused (`ledger.not-verifiable`) when
    these are not heads or the ledger cannot be read.
    """
    import subprocess
    import sys
    import tempfile

    from dualcarbon.ledger import verifier

    url, environment = engine.url, dict(os.environ)
    if url.get_backend_name() == "sqlite":
        source = os.path.abspath(str(url.database))
    else:
        if url.password is not None:
            environment["PGPASSWORD"] = str(url.password)  # arguments of a process can be read by others
        # The components of the query stay; libpq reads them.
        bare = sa.URL.create(url.get_backend_name(), url.username, None, url.host, url.port, url.database, url.query)
        source = bare.render_as_string()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(verifier.__file__), source, "--json"]
        if own:
            kept = Path(folder) / "heads.jsonl"
            kept.write_text(head_lines(own), encoding="utf-8")
            command += ["--heads", str(kept)]
        if key:
            command.append(f"--key={key}")
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment)
    if done.returncode not in (0, 1) or not done.stdout:
        raise Refused(Problem("ledger.not-verifiable", params={"reason": done.stderr.strip().rpartition("\n")[2]}))
    found: dict[str, Any] = json.loads(done.stdout)
    return found


#: What the verifier finds, in Chinese; its own words are English.
FAULTS = {
    "entry": "分录",
    "account": "账户",
    "lock": "结账",
    "head": "树头",
    "ledger": "账本",
    "refusal": "拒绝记录",
    "day": "逐日合计",
    "mark": "记号",
    "altered": "被改动",
    "missing": "缺失",
    "unknown account": "账户不存在",
    "wrong instrument": "品种不符",
    "impossible amount": "数量不可能",
    "wrong balance": "余额不连续",
    "wrong link": "与账户前一笔的链接不符",
    "wrong totals": "累计与分录不符",
    "wrong last entry": "最新一笔不符",
    "not its entry": "指向的不是该账户的分录",
    "ended or reversed twice": "重复了结或重复冲销",
    "has a false signature": "签名不实",
    "is signed by another key": "不是所信任的密钥签署",
    "of another ledger": "属于另一账本",
    "has other accounts": "所载账户不同",
    "has other locks": "所载结账不同",
    "has other refusals": "所载拒绝记录不同",
    "not within its sum by day": "不在逐日合计所记的范围内",
    "wrong sums by day": "逐日合计与分录不符",
    "recorded though its id was refused": "编号曾被拒绝却已记账",
}


def fault_words(problem: Mapping[str, Any]) -> dict[str, str]:
    """One finding of the verifier in both languages."""
    what, why = problem["what"], problem["problem"]
    name = problem.get("account", problem.get("number", ""))
    return {"zh": f"{FAULTS.get(what, what)} {name}：{FAULTS.get(why, why)}", "en": f"{what} {name}: {why}"}


def prove_named(store: Store, name: str, signer: Signer | None) -> dict[str, Any]:
    """`prove` for an entry that is named by its id, or by its number where no id is the same."""
    try:
        return prove(store, name, signer)
    except Refused as error:
        number = name.isascii() and name.isdecimal() and len(name) < 19
        if not number or error.problems[0].rule != "ledger.entry-not-found":
            raise
        return prove(store, int(name), signer)


def prove(store: Store, key: str | int, signer: Signer | None) -> dict[str, Any]:
    """That an entry (by id or number) is in the log: the entry, its audit path and a signed head that covers it.

    A head is signed when none covers the entry; without a `signer` that is refused (`ledger.not-signed-yet`).
    Raises Refused (`ledger.entry-not-found`).
    """
    chosen = ENTRY.c.seq == key if isinstance(key, int) else ENTRY.c.id == key
    row = None
    if standing(store.engine) is not None:
        with store.engine.connect() as connection:
            row = connection.execute(sa.select(*ENTRY_FIELDS, ENTRY.c.form, ENTRY.c.hash).where(chosen)).first()
    if row is None:
        raise Refused(Problem("ledger.entry-not-found", column="entry", value=key))
    head = next((one for one in reversed(heads(store.engine)) if int(parsed(one["note"])["size"]) >= row.seq), None)
    if head is None:
        if signer is None:
            raise Refused(Problem("ledger.not-signed-yet", column="entry", value=key))
        head = make_head(store, signer)
    note = parsed(head["note"])
    with store.engine.connect() as connection:
        tree = Tree(connection, note["algorithm"])
        if row.seq > 1:
            previous = connection.execute(sa.select(ENTRY.c.hash).where(ENTRY.c.seq == row.seq - 1)).scalar_one()
        else:
            previous = chain.genesis(note["algorithm"], note["origin"], "entry")
        path = chain.inclusion_path(tree.subtree, row.seq - 1, int(note["size"]))
    fields = dict(row._mapping)
    form, _ = fields.pop("form"), fields.pop("hash")
    return {
        "proof": "inclusion",
        "form": form,
        "entry": fields,
        "previous": previous.hex(),
        "path": [one.hex() for one in path],
        "head": head,
    }


def steps(proof: dict[str, Any]) -> list[dict[str, str]]:
    """How an inclusion proof leads from the entry to the root, one hash a step.

    `[{side: left|right, other, result}]`, hexadecimal: the result is H(0x01 || left || right) with `other` on its side;
    the first step starts from the entry's own hash (RFC 9162 section 2.1.3.2).
    """
    note = parsed(proof["head"]["note"])
    make = chain.digest(note["algorithm"])
    form = chain.canonical([tuple(proof["entry"].values())])[0]
    node = bytes(make(b"\0" + bytes.fromhex(proof["previous"]) + form).digest())
    index, last, taken = proof["entry"]["seq"] - 1, int(note["size"]) - 1, []
    for text in proof["path"]:
        other = bytes.fromhex(text)
        left = index % 2 == 1 or index == last
        node = chain.parent(make, other, node) if left else chain.parent(make, node, other)
        while left and index % 2 == 0 and index:
            index, last = index // 2, last // 2
        index, last = index // 2, last // 2
        taken.append({"side": "left" if left else "right", "other": text, "result": node.hex()})
    return taken


def prove_growth(engine: sa.Engine, old: dict[str, str], new: dict[str, str]) -> dict[str, Any]:
    """That the log under the head `old` is a prefix of the log under `new` (a consistency proof)."""
    first, second = parsed(old["note"]), parsed(new["note"])
    with engine.connect() as connection:
        tree = Tree(connection, second["algorithm"])
        path = chain.consistency_path(tree.subtree, int(first["size"]), int(second["size"]))
    return {"proof": "consistency", "path": [one.hex() for one in path], "old": old, "new": new}


class Tree:
    """The Merkle tree over the entries in a database, read through stored roots of complete subtrees."""

    def __init__(self, connection: sa.Connection, algorithm: str) -> None:
        self.connection, self.make = connection, chain.digest(algorithm)

    def extend(self, size: int) -> None:
        """Store the roots of the subtrees of 256, 65536, ... leaves that became complete within `size` leaves."""
        level, span = 1, WIDTH
        while span <= size:
            counted = sa.select(sa.func.count()).select_from(NODE).where(NODE.c.level == level)
            first, last = self.connection.execute(counted).scalar_one(), size // span
            for start in range(first, last, 64):
                end = min(start + 64, last)
                below = self._hashes(level - 1, start * WIDTH, end * WIDTH)
                made = [
                    {
                        "level": level,
                        "position": start + i,
                        "hash": chain.root(self.make, below[i * WIDTH : (i + 1) * WIDTH]),
                    }
                    for i in range(end - start)
                ]
                self.connection.execute(NODE.insert(), made)
            level, span = level + 1, span * WIDTH

    def subtree(self, start: int, end: int) -> bytes:
        """The root over the leaves start <= i < end; `start` must be a start in the tree's own division."""
        if start == end:
            return chain.root(self.make, [])
        stack: list[tuple[int, bytes]] = []
        for span, node in self._cover(start, end):
            stack.append((span, node))
            while len(stack) > 1 and stack[-1][0] == stack[-2][0]:
                (width, left), (_, right) = stack[-2:]
                stack[-2:] = [(2 * width, chain.parent(self.make, left, right))]
        _, node = stack.pop()
        while stack:
            node = chain.parent(self.make, stack.pop()[1], node)
        return node

    def _cover(self, start: int, end: int) -> Iterator[tuple[int, bytes]]:
        """The largest stored subtrees that make up start <= i < end, in order, with their widths."""
        stored = sa.select(NODE.c.level, sa.func.max(NODE.c.position)).group_by(NODE.c.level)
        reach = {level: (last + 1) * WIDTH**level for level, last in self.connection.execute(stored)}
        while start < end:
            level = max(
                (n for n in reach if start % WIDTH**n == 0 and start + WIDTH**n <= min(end, reach[n])), default=0
            )
            span = WIDTH**level
            # As many of this width as there are before a wider one begins.
            stop = min(end, reach.get(level, end), (start // (span * WIDTH) + 1) * span * WIDTH)
            count = (stop - start) // span
            for node in self._hashes(level, start // span, start // span + count):
                yield span, node
            start += count * span

    def _hashes(self, level: int, start: int, end: int) -> Sequence[bytes]:
        if level == 0:
            chosen = sa.select(ENTRY.c.hash).where(ENTRY.c.seq > start, ENTRY.c.seq <= end).order_by(ENTRY.c.seq)
        else:
            chosen = sa.select(NODE.c.hash).where(NODE.c.level == level, NODE.c.position >= start)
            chosen = chosen.where(NODE.c.position < end).order_by(NODE.c.position)
        found = self.connection.execute(chosen).scalars().all()
        if len(found) != end - start:
            raise Refused(Problem("ledger.broken", params={"first": start + 1}))
        return found


def export(engine: sa.Engine, file: IO[str]) -> int:
    """Write the whole ledger to `file`, one JSON line each: accounts, locks, refusals, days, entries, heads.

    Returns how many entries were written. The verifier reads this file alone.
    """
    ledger = standing(engine)
    if ledger is None:
        raise Refused(Problem("ledger.no-ledger"))
    count = 0

    def write(kind: str, row: Any) -> None:
        plain = {name: value.hex() if isinstance(value, bytes) else value for name, value in row.items()}
        file.write(json.dumps({kind: plain}, ensure_ascii=False, separators=(",", ":")) + "\n")

    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with translated(), engine.connect().execution_options(**options) as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")  # so that everything is read as of one moment
        write("ledger", connection.execute(sa.select(LEDGER)).mappings().one())
        tables = {"account": ACCOUNT, "lock": LOCK, "refusal": REFUSAL, "day": DAY, "entry": ENTRY}
        for kind, table in tables.items():
            chosen = sa.select(table).order_by(*table.primary_key.columns)
            for row in connection.execution_options(yield_per=4096).execute(chosen).mappings():
                write(kind, row)
                count += kind == "entry"
        for row in connection.execute(sa.select(HEAD).order_by(HEAD.c.number)).mappings():
            write("head", _told(row))
    return count
