"""The ledger: accounts and entries of rights, certificates, points and lots, with evidence that nothing was changed.

`Store` writes (open accounts, post transfers, lock periods), `Writer` gathers what many callers submit into group
commits, `reads` reads, `evidence` signs heads and makes proofs, and `verifier` is the auditor's own program.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dualcarbon.ledger.store import Store
    from dualcarbon.ledger.writer import Writer

__all__ = ["Store", "Writer", "result_texts"]


def __getattr__(name: str) -> Any:
    if name == "Store":
        from dualcarbon.ledger.store import Store

        return Store
    if name == "Writer":
        from dualcarbon.ledger.writer import Writer

        return Writer
    raise AttributeError(name)


def result_texts() -> dict[str, dict[str, str]]:
    """Every result name: `{result, refused: yes|no, zh, en}`."""
    import csv
    from pathlib import Path

    with Path(__file__).with_name("results.csv").open(encoding="utf-8", newline="") as lines:
        return {row["result"]: row for row in csv.DictReader(lines)}
