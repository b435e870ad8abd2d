"""Which names wait for each other in a circle?

Decides nothing about waves; ``check_waves`` words it. Rule: linear in names and edges, so every part of the graph from which
there is a way back (Tarjan 1972, without recursion) is told by one circle: the shortest through its first name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


def circles(after: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """One circle of each set of names that all wait for each other, in the order of ``after``; unknown names are ends."""
    order = {name: number for number, name in enumerate(after)}
    found = []
    for knot in _knots(after):
        first = min(knot, key=order.__getitem__)
        if len(knot) > 1 or first in after[first]:
            found.append((order[first], _shortest(first, knot, after)))
    yield from (circle for _, circle in sorted(found))


def in_order(after: Mapping[str, Sequence[str]]) -> list[str] | None:
    """The names, each behind all that it waits for; None if there is a circle. Unknown names are left out."""
    known = {name: [one for one in earlier if one in after] for name, earlier in after.items()}
    try:
        return list(TopologicalSorter(known).static_order())
    except CycleError:
        return None


def _shortest(name: str, within: set[str], after: Mapping[str, Sequence[str]]) -> list[str]:
    """The shortest circle through ``name``, beginning with it."""
    came_from: dict[str, str] = {}
    waiting = deque([name])
    while waiting:
        at = waiting.popleft()
        for earlier in after[at]:
            if earlier == name:
                trail = [at]
                while trail[-1] != name:
                    trail.append(came_from[trail[-1]])
                return trail[::-1]
            if earlier in within and earlier not in came_from:
                came_from[earlier] = at
                waiting.append(earlier)
    raise AssertionError(f"no circle through {name}")


def _knots(after: Mapping[str, Sequence[str]]) -> Iterator[set[str]]:
    """The strongly connected parts, lone names included."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    for root in after:
        if root in number:
            continue
        work = [(root, iter(after[root]))]
        number[root] = lowest[root] = len(number)
        stack.append(root)
        on_stack.add(root)
        while work:
            name, rest = work[-1]
            for earlier in rest:
                if earlier not in after:
                    continue
                if earlier not in number:
                    number[earlier] = lowest[earlier] = len(number)
                    stack.append(earlier)
                    on_stack.add(earlier)
                    work.append((earlier, iter(after[earlier])))
                    break
                if earlier in on_stack:
                    lowest[name] = min(lowest[name], number[earlier])
            else:
                work.pop()
                if work:
                    lowest[work[-1][0]] = min(lowest[work[-1][0]], lowest[name])
                if lowest[name] == number[name]:
                    knot: set[str] = set()
                    while name not in knot:
                        last = stack.pop()
                        on_stack.discard(last)
                        knot.add(last)
                    yield knot
