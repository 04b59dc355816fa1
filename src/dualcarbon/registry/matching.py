"""Which offers meet: price first, then the order they came in. Pure; prices and quantities are integers."""

from collections.abc import Sequence
from typing import NamedTuple


class Order(NamedTuple):
    """An open offer: its number (the order it came in), who made it, what is left, and at which price."""

    number: int
    party: str
    left: int
    price: int


class Pair(NamedTuple):
    """A sale and a purchase that meet: their numbers, how much, at the price of the older one."""

    ask: int
    bid: int
    quantity: int
    price: int


def pairs(asks: Sequence[Order], bids: Sequence[Order]) -> list[Pair]:
    """The trades of two sides: the cheapest sale first, to the highest bid; nobody trades with itself."""
    left = {order.number: order.left for order in (*asks, *bids)}
    found: list[Pair] = []
    for ask in sorted(asks, key=lambda order: (order.price, order.number)):
        for bid in sorted(bids, key=lambda order: (-order.price, order.number)):
            quantity = min(left[ask.number], left[bid.number])
            if bid.price < ask.price or not left[ask.number]:
                break
            if quantity and bid.party != ask.party:
                older = ask if ask.number < bid.number else bid
                found.append(Pair(ask.number, bid.number, quantity, older.price))
                left[ask.number] -= quantity
                left[bid.number] -= quantity
    return found


def amount(price: int, quantity: int, per: int) -> int:
    """What `quantity` smallest units cost at `price` for `per` of them, rounded half up; all in 0.01 yuan."""
    return (2 * price * quantity + per) // (2 * per)
