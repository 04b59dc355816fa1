"""Files sent over HTTP: on disk under their own name while they are read, and gone afterwards."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dualcarbon.core.problems import Problem, Refused

#: Bytes of a name that every file system takes.
LONGEST = 200


@contextmanager
def received(content: BinaryIO, name: str | None, most: int) -> Iterator[Path]:
    """The sent file as a path, for as long as the block lasts; at most `most` bytes are taken.

    Only the last part of what the sender calls it is kept, and nothing that leads elsewhere. Raises Refused when it is
    larger.
    """
    kept = Path(str(name or "").replace("\\", "/")).name.replace("\0", "").strip(". ") or "file"
    while len(kept.encode()) > LONGEST:  # the end tells what kind of file it is
        kept = kept[1:]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / kept
        with path.open("wb") as written:
            shutil.copyfileobj(content, written, 1024 * 1024)
            if written.tell() > most:
                raise Refused(Problem("core.file-large", file=kept, params={"most": most // 2**20}))
        yield path
