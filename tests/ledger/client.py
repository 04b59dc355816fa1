"""A client of a ledger in a process of its own, for the tests that kill or race it.

python client.py URL stream COUNT BATCH    post the stream from its start, printing each batch's count of results
python client.py URL race LINES            wait for a line on standard input, then post the lines, printing results
"""

import json
import os
import sys
import time

import sqlalchemy as sa

from dualcarbon.ledger.store import Store


def stream(count):
    """`count` lines that never differ: transfers among 20 accounts, some pending, reversed, linked or refused."""
    lines = []
    for n in range(count):
        line = {
            "id": f"s{n}",
            "debit": f"a{n % 7}",
            "credit": f"a{n % 13 + 7}",
            "instrument": "X",
            "amount": n % 50 + 1,
        }
        if n % 11 == 3:
            line["state"] = "pending"
        elif n % 11 == 4:
            line = {"id": f"s{n}", "state": ("post", "void")[n % 2], "pending_id": f"s{n - 1}"}
        elif n % 11 == 6:
            line = {"id": f"s{n}", "reverses": f"s{n - 1}"}
        elif n % 11 == 8:
            line["linked"] = True
        elif n % 41 == 7:
            line["debit"] = "a19"
        lines.append({**line, "at": "2024-05-01"})
    return lines


ACCOUNTS = [{"account": f"a{n}", "instrument": "X", "overdraft": n < 7} for n in range(20)]


def main():
    store = Store(sa.create_engine(sys.argv[1]))
    if sys.argv[2] == "stream":
        lines, batch = stream(int(sys.argv[3])), int(sys.argv[4])
        start = 0
        while start < len(lines):
            end = start + batch
            while end < len(lines) and lines[end - 1].get("linked"):
                end += 1
            results = store.post(lines[start:end])
            print(json.dumps({line["id"]: result for line, result in zip(lines[start:end], results, strict=True)}))
            sys.stdout.flush()
            start = end
    else:
        store.engine.dispose()
        start = time.time() + 0.5
        for n in range(int(sys.argv[4])):
            if os.fork():
                continue
            time.sleep(max(0.0, start - time.time()))
            lines = json.loads(sys.argv[3].replace("{}", str(n)))
            told = json.dumps([store.post([line])[0] for line in lines])
            os.write(sys.stdout.fileno(), f"{told}\n".encode())  # in one piece: the processes share the pipe
            os._exit(0)
        for _ in range(int(sys.argv[4])):
            os.wait()


if __name__ == "__main__":
    main()
