"""Evidence: the canonical form of a row, the hash chain through the rows, and Merkle trees over them (RFC 6962).

Form 1 of a row is the JSON array of its fields in the order of the table, without white space, UTF-8 with nothing
escaped that RFC 8785 leaves plain, integers in full, absent fields null. The hash of a row is

    H(0x00 || hash of the row before || canonical form)

which is at once a link of the chain and the RFC 6962 leaf hash (section 2.1) of the data "previous hash || form".
Before the first row stands H(0x00 || form 1 of ["dualcarbon.ledger", algorithm, origin, log]).
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

FORM = 1
ALGORITHMS = ("sha256", "sm3")

Digest = Callable[[bytes], Any]


def digest(algorithm: str) -> Digest:
    """The constructor of the hash `sha256` or `sm3`. Raises ValueError when unknown, or when OpenSSL lacks it."""
    if algorithm == "sha256":
        return hashlib.sha256
    if algorithm not in ALGORITHMS:
        raise ValueError(f"unknown hash algorithm {algorithm!r}")
    make = partial(hashlib.new, algorithm)
    make(b"")
    return make


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def canonical(rows: Sequence[tuple[Any, ...]]) -> list[bytes]:
    """Form 1 of each row.

    All rows are encoded in one call and cut at the brackets between them (twice as fast as one by one); a text that
    holds the same brackets makes more pieces than rows, and then each row is encoded alone.
    """
    if not rows:
        return []
    whole = _encode(rows)[1:-1].encode()
    cut = whole.replace(b"],[", b"]\n[").split(b"\n")
    return cut if len(cut) == len(rows) else [_encode(row).encode() for row in rows]


def genesis(algorithm: str, origin: str, log: str) -> bytes:
    """The hash that stands before the first row of `log` (`entry`, `account` or `lock`) of the ledger `origin`."""
    return bytes(digest(algorithm)(b"\0" + canonical([("dualcarbon.ledger", algorithm, origin, log)])[0]).digest())


def chained(rows: Sequence[tuple[Any, ...]], previous: bytes, algorithm: str) -> list[tuple[Any, ...]]:
    """The rows with their form and hash appended; `previous` is the hash of the row before the first."""
    make, kept = digest(algorithm), []
    for row, form in zip(rows, canonical(rows), strict=True):
        previous = make(b"\0" + previous + form).digest()
        kept.append((*row, FORM, previous))
    return kept


def parent(make: Digest, left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 6962 section 2.1)."""
    return bytes(make(b"\1" + left + right).digest())


def root(make: Digest, hashes: Sequence[bytes]) -> bytes:
    """The Merkle tree head of leaf hashes (or of roots of equal complete subtrees). The empty tree is H("")."""
    level = list(hashes)
    if not level:
        return bytes(make(b"").digest())
    while len(level) > 1:
        paired = [make(b"\1" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            paired.append(level[-1])
        level = paired
    return level[0]


Subtree = Callable[[int, int], bytes]


def inclusion_path(subtree: Subtree, index: int, size: int) -> list[bytes]:
    """The audit path of leaf `index` (from 0) in the tree of `size` leaves (RFC 6962 section 2.1.1).

    `subtree(start, end)` gives the root over the leaves start <= i < end.
    """
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    return path[::-1]


def consistency_path(subtree: Subtree, old: int, new: int) -> list[bytes]:
    """The proof that the tree of `old` leaves is a prefix of that of `new` leaves (RFC 6962 section 2.1.2)."""
    path: list[bytes] = []
    start, end, known = 0, new, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start, known = middle, False
    if not known:
        path.append(subtree(start, end))
    return path[::-1]


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)
