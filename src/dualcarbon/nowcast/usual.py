"""What is meant where a question names none."""

#: The family of factors, and the way to meet official totals.
FAMILY, RECONCILE = "provincial-2025", "raking"
#: Months that are replayed to judge estimates, where so many are known.
RECORD = 24
