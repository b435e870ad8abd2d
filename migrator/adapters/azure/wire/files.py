"""How many connections this process may have: each is an open file, and the operating system counts those.

Decides what of the limit is left for connections, and each pool's share of it. Rule: a part stays free for everything else -
the state store, pipes, other libraries - which fails where a connection can wait.
"""

from __future__ import annotations

from functools import cache
from weakref import WeakSet

RESERVED = 64
"""What a run holds beside its connections, and some more."""
LEAST = 2
"""Of a pool, however many there are: one that waits for another must not wait for ever."""

pools: WeakSet[object] = WeakSet()
"""Those that are open in this process."""


@cache
def limit() -> int | None:
    """Open files of this process, at most (``ulimit -n``); None where nobody counts them."""
    try:
        import resource
    except ImportError:
        return None
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def share(most: int) -> int:
    """Connections of one pool, streams included; never more than ``most``."""
    files = limit()
    if files is None:
        return most
    left = files - max(RESERVED, files // 4)
    return max(LEAST, min(most, left // max(1, len(pools))))
