"""Chinese text in three layers of equal length: as the source writes it, Simplified, and folded for comparison."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

# Full-width forms, quotation marks and brackets become their ASCII form, one character for one.
_FOLD = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_FOLD |= {
    ord(a): ord(b) for a, b in zip("\u3000\u00a0“”‘’〔〕【】﹪－–—∶・｡﹒≧≦", '  """"[][]%---:·。.≥≤', strict=True)
}
# OpenCC keeps 著 wherever it may be a name; in these places it is 着.
_ZHE = re.compile("著(?=[力眼手重实陆落])|(?<=[沿随朝依围])著")


def simplify(text: str) -> str:
    """Return `text` in Simplified Chinese with exactly as many characters, so that offsets stay valid."""
    done = _converter().convert(text)
    if len(done) != len(text):
        done = "".join(_one(character) for character in text)
    return _ZHE.sub("着", done)


def fold(text: str) -> str:
    """Return `text` with full-width digits, letters and punctuation in their ASCII form, length unchanged."""
    return text.translate(_FOLD)


def tight(text: str) -> str:
    """Return `text` simplified and folded, without any white space: for recognising headings and labels."""
    return re.sub(r"\s+", "", fold(simplify(text)))


def decode(data: bytes) -> str:
    """Return the text of a file in UTF-8, UTF-16, GB18030 or Big5, whichever reads as Chinese office prose.

    Raises UnicodeDecodeError when the bytes are no text in any of them.
    """
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        candidates = []
        for encoding in ("gb18030", "big5"):
            try:
                candidates.append(data.decode(encoding))
            except UnicodeDecodeError:
                continue
        if not candidates:
            raise
        return max(candidates, key=_readable)


_COMMON = frozenset("的年市和工作位能目完成等上新建局以建設设標标項项萬万")


def _readable(text: str) -> float:
    return sum(character in _COMMON for character in text) / max(len(text), 1)


@cache
def _converter() -> Any:
    import opencc

    return opencc.OpenCC("t2s")


@cache
def _one(character: str) -> str:
    done = _converter().convert(character)
    return done if len(done) == 1 else character
