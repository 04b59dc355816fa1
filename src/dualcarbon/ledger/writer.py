"""One writer for many callers: what waits while a transaction runs goes into the next one (group commit)."""

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from dualcarbon.core.problems import Refused
from dualcarbon.ledger.requests import Request
from dualcarbon.ledger.store import BATCH, Store
from dualcarbon.ledger.transfer import Transfer, read_transfer

Asked = tuple[list[Transfer], Request | None, "Future[list[str]]"]


class Writer:
    """A thread that posts what callers submit, many submissions in one transaction.

    `submit` answers with a future: its result comes only after the transaction is durable. A caller waits for room once
    `most` transfers are waiting, so memory stays bounded. Use as a context manager; leaving it posts what waits.
    """

    def __init__(self, store: Store, *, batch: int = BATCH, most: int = 8 * BATCH) -> None:
        self.store, self.batch, self.most = store, batch, most
        self._waiting: deque[Asked] = deque()
        self._count = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether a caller of `submit` would have to wait for room now."""
        return 0 < self.most <= self._count

    def submit(self, lines: Sequence[Any], request: Request | None = None) -> "Future[list[str]]":
        """Hand in transfers (decoded lines or `Transfer`); the future gives one result name each, in order.

        With `request` (the client's key) a repetition gets the first answer; a key used otherwise raises Refused there.
        """
        transfers = [line if isinstance(line, Transfer) else read_transfer(line) for line in lines]
        future: Future[list[str]] = Future()
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._count == 0 or self._count < self.most)
            if self._closed:
                raise RuntimeError("the writer is closed")
            self._waiting.append((transfers, request, future))
            self._count += len(transfers)
            self._changed.notify_all()
        return future

    def post(self, lines: Sequence[Any]) -> list[str]:
        """Submit and wait for the results."""
        return self.submit(lines).result()

    def close(self) -> None:
        """Post what waits and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self) -> list[Asked]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            taken: list[Asked] = []
            count = 0
            while self._waiting and (not taken or count + len(self._waiting[0][0]) <= self.batch):
                asked = self._waiting.popleft()
                self._count -= len(asked[0])
                if asked[2].set_running_or_notify_cancel():
                    taken.append(asked)
                    count += len(asked[0])
            self._changed.notify_all()
            return taken

    def _run(self) -> None:
        while True:
            taken = self._take()
            if not taken:
                if self._closed and not self._waiting:
                    return
                continue
            try:
                answers = self.store.post_many([one for one, *_ in taken], [request for _, request, _ in taken])
            except BaseException as error:
                for *_, future in taken:
                    future.set_exception(error)
            else:
                for (*_, future), results in zip(taken, answers, strict=True):
                    if isinstance(results, Refused):
                        future.set_exception(results)
                    else:
                        future.set_result(results)
