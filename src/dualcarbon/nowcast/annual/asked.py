"""What a replay is asked: years and months as people write them."""

import re


def numbers(text: str) -> tuple[list[int], str | None]:
    """``2015-2018,2020`` as numbers in order, each once, and the first part that is none (None: all are)."""
    found: set[int] = set()
    for part in re.split(r"[,，、\s]+", text.strip()):
        span = re.fullmatch(r"(\d{1,4})(?:[-–~](\d{1,4}))?", part)
        if span is None or (span[2] and not 0 <= int(span[2]) - int(span[1]) <= 100):
            return [], part
        found |= set(range(int(span[1]), int(span[2] or span[1]) + 1))
    return sorted(found), None
