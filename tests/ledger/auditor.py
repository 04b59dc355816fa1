"""An independent model of the ledger: one list of accepted lines, every answer found by walking through it again.

It shares nothing with the ledger but the names of the results. Lines are already well formed; instants are integers.
"""

from copy import deepcopy

FIELDS = ("debit", "credit", "instrument", "amount", "state", "pending_id", "linked", "reverses", "reason", "expires")


class Auditor:
    """What a ledger must answer, told the same lines in the same order."""

    def __init__(self):
        self.accounts, self.history, self.failed, self.closed = {}, [], set(), {}

    def open(self, line):
        known = self.accounts.get(line["account"])
        if known is None:
            self.accounts[line["account"]] = line
            return "ok"
        differing = [name for name in ("instrument", "owner", "overdraft") if known[name] != line[name]]
        return f"exists_with_different_{differing[0]}" if differing else "exists"

    def lock(self, instrument, until):
        standing = self.closed.get(instrument, 0)
        if until <= standing:
            return "exists" if until == standing else "lock_moves_back"
        self.closed[instrument] = until
        return "ok"

    def post(self, lines, now):
        results, lines = [], list(lines)
        while lines:
            length = next((n for n, line in enumerate(lines, 1) if not line["linked"]), None)
            chain, lines = lines[: length or len(lines)], lines[length or len(lines) :]
            results += self.chain(chain, now, whole=length is not None)
        return results

    def chain(self, chain, now, whole):
        before, results = deepcopy((self.history, self.failed)), []
        for line in chain if whole else []:
            results.append(self.one(line, now))
            if results[-1] not in ("ok", "exists"):
                break
        if len(chain) == 1 and whole:
            return results
        if whole and results[-1] in ("ok", "exists"):
            return results
        self.history, self.failed = before
        at_fault = len(results) - 1 if whole else len(chain) - 1
        why, told = results[-1] if whole else "linked_chain_open", []
        for place, line in enumerate(chain):
            known = self.find(line["id"])
            if known:
                told.append(self.same(known, line))
            elif line["id"] in self.failed:
                told.append("id_already_failed")
            else:
                told.append(why if place == at_fault else "linked_transfer_failed")
                self.failed.add(line["id"])
        return told

    def one(self, line, now):
        known = self.find(line["id"])
        if known:
            return self.same(known, line)
        if line["id"] in self.failed:
            return "id_already_failed"
        entry = {**line, "at": now if line["at"] is None else line["at"], "recorded": now}
        why = self.fault(entry)
        if why:
            self.failed.add(line["id"])
            return why
        entry["seq"] = len(self.history) + 1
        self.history.append(entry)
        for side in ("debit", "credit"):
            entry[f"{side}_after"] = self.balance(entry[side])["balance"]
        return "ok"

    def fault(self, entry):
        if entry["reverses"]:
            why = self.fill_reversal(entry)
        elif entry["pending_id"]:
            why = self.fill_resolution(entry)
        else:
            why = None
        if why:
            return why
        debit, credit = self.accounts.get(entry["debit"]), self.accounts.get(entry["credit"])
        if not debit or not credit:
            return "account_not_found"
        if not debit["instrument"] == credit["instrument"] == entry["instrument"]:
            return "instrument_mismatch"
        if any(entry["at"] < self.closed.get(name, 0) for name in ("", entry["instrument"])):
            return "period_locked"
        if entry["expires"] is not None and entry["expires"] <= entry["at"]:
            return "expires_too_early"
        held = self.find(entry["pending_id"])["amount"] if entry["pending_id"] else 0
        free = self.balance(entry["debit"])["available"] + held
        if entry["state"] in ("posted", "post", "pending") and not debit["overdraft"] and free < entry["amount"]:
            return "insufficient_balance"
        return None

    def fill_resolution(self, entry):
        pending = self.find(entry["pending_id"])
        if not pending:
            return "pending_not_found"
        if pending["state"] != "pending":
            return "pending_not_pending"
        ended = [other["state"] for other in self.history if other["pending_id"] == pending["id"]]
        if ended:
            return {"post": "pending_already_posted", "void": "pending_already_voided"}.get(
                ended[0], "pending_already_expired"
            )
        for name in ("debit", "credit", "instrument"):
            if entry[name] not in (None, pending[name]):
                return f"pending_has_different_{name}"
            entry[name] = pending[name]
        entry["amount"] = entry["amount"] or pending["amount"]
        if entry["amount"] > pending["amount"]:
            return "exceeds_pending_amount"
        if entry["state"] != "post" and entry["amount"] != pending["amount"]:
            return "pending_has_different_amount"
        if entry["at"] < pending["at"]:
            return "dated_before_pending"
        late = pending["expires"] is not None and pending["expires"] <= entry["at"]
        if entry["state"] == "expire":
            return None if late else "pending_not_expired"
        return "pending_expired" if late else None

    def fill_reversal(self, entry):
        original = self.find(entry["reverses"])
        if not original:
            return "reversed_not_found"
        if original["state"] not in ("posted", "post"):
            return "reversed_not_posted"
        if any(other["reverses"] == original["id"] for other in self.history):
            return "already_reversed"
        for name, other in (("debit", "credit"), ("credit", "debit"), ("instrument",) * 2, ("amount",) * 2):
            if entry[name] not in (None, original[other]):
                return "reversal_differs"
            entry[name] = original[other]
        return "dated_before_reversed" if entry["at"] < original["at"] else None

    def find(self, key):
        return next((entry for entry in self.history if entry["id"] == key), None)

    def same(self, known, line):
        for name in FIELDS:
            asked = line[name]
            if asked is None and name == "amount" and (known["pending_id"] or known["reverses"]):
                asked = self.find(known["pending_id"] or known["reverses"])["amount"]
            if asked is None and name in FIELDS[:3] and (known["pending_id"] or known["reverses"]):
                continue
            if asked != known[name]:
                return f"exists_with_different_{name}"
        at = known["recorded"] if line["at"] is None else line["at"]
        return "exists" if at == known["at"] else "exists_with_different_at"

    def balance(self, account, at=None):
        posted, held, incoming = 0, 0, 0
        for entry in self.history:
            if (at is not None and entry["at"] > at) or account not in (entry["debit"], entry["credit"]):
                continue
            leaves = entry["debit"] == account
            if entry["state"] in ("posted", "post"):
                posted += -entry["amount"] if leaves else entry["amount"]
            change = entry["amount"] if entry["state"] == "pending" else 0
            if entry["pending_id"]:
                change = -self.find(entry["pending_id"])["amount"]
            held, incoming = (held + change, incoming) if leaves else (held, incoming + change)
        return {"balance": posted, "available": posted - held, "debits_pending": held, "credits_pending": incoming}

    def statement(self, account):
        return [entry for entry in self.history if account in (entry["debit"], entry["credit"])]

    def due(self, at):
        ended = {entry["pending_id"] for entry in self.history}
        waiting = [e for e in self.history if e["expires"] is not None and e["expires"] <= at and e["id"] not in ended]
        return [entry["id"] for entry in sorted(waiting, key=lambda e: (e["expires"], e["seq"]))]
