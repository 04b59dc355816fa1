"""What people call the codes of the ledger. It knows none itself: the rooms that keep rights in it say them here."""

from collections.abc import Callable, Mapping

Names = Mapping[str, Mapping[str, str]]

_rooms: dict[str, Callable[[str], Names]] = {}


def say(room: str, names: Callable[[str], Names]) -> None:
    """Let a room name its codes: `names(pack)` gives ``{zh, en}`` for instruments (`gec`) and owners (`@retired`)."""
    _rooms[room] = names


def names(pack: str) -> dict[str, Mapping[str, str]]:
    """What every room calls its codes under a pack."""
    return {code: title for named in _rooms.values() for code, title in named(pack).items()}
