"""The order of names: which one a listing keeps, and the keys that compare in it.

Azurite orders by UTF-16 code units, Azure's rule is not confirmed, Python compares code points (which is UTF-8's order).
So no order is assumed: a listing is watched while it is read, and one that does not rise strictly in the order under which a
container is being joined raises OrderBroken; the caller then tries the next order of ``ORDERS``. ``sorted`` is the
last: both listings are sorted here, on disk, and nothing is asked of the services.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

Order = Literal["utf-16", "utf-8", "sorted"]
ORDERS: Final[tuple[Order, ...]] = ("utf-16", "utf-8", "sorted")


class OrderBroken(Exception):
    """A listing does not rise in the order it was read under. Not an error for people: the next order is tried."""


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _utf8(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def key_of(order: Order) -> Callable[[str], bytes]:
    """The function from a name to the bytes that compare as ``order`` does."""
    return _utf16 if order == "utf-16" else _utf8


def name_of(order: Order, key: bytes) -> str:
    """The name whose key in ``order`` is ``key``."""
    return key.decode("utf-16-be" if order == "utf-16" else "utf-8", "surrogatepass")


def next_order(order: Order) -> Order:
    """The order to try after ``order`` was broken; ``sorted`` cannot break."""
    return ORDERS[min(ORDERS.index(order) + 1, len(ORDERS) - 1)]
