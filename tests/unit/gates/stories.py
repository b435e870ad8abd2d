"""Soak stories as an operator writes them: one word a sampling round, five minutes apart; one letter a gate.

``P`` passed, ``F`` failed, ``I`` inconclusive, ``E`` errored, ``S`` passed by silence (no value), ``.`` this gate was not
sampled, ``_`` the whole round is missing; ``_12h`` nothing for twelve hours; ``P*100`` a hundred such rounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from migrator.model.names import MoveId
from migrator.model.samples import Sample, Verdict

MOVE = MoveId("north-america", "web-tracking")
SWITCH = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
INTERVAL = timedelta(minutes=5)
WINDOW = timedelta(minutes=10)
GATES = ("settled", "no-throttling", "app-errors")

_VERDICTS = {
    "P": Verdict.PASSED,
    "S": Verdict.PASSED,
    "F": Verdict.FAILED,
    "I": Verdict.INCONCLUSIVE,
    "E": Verdict.ERRORED,
}


def sample(gate: str, letter: str, at: datetime) -> Sample:
    value = 2e6 if letter in "PF" else None
    return Sample(MOVE, gate, at, at - WINDOW, at, _VERDICTS[letter], value, f"because of {letter}")


def rounds(story: str) -> Iterator[str | timedelta]:
    """Rounds and the gaps between them."""
    for word in story.split():
        if long := re.fullmatch(r"_(\d+)h", word):
            yield timedelta(hours=int(long[1]))
            continue
        letters, _, times = word.partition("*")
        for _ in range(int(times or 1)):
            yield letters


def tell(story: str, *, start: datetime = SWITCH + WINDOW) -> list[Sample]:
    """The samples of a story. ``start``: when the first round is taken; by default its window begins at the switch."""
    at, told = start, []
    for one in rounds(story):
        if isinstance(one, timedelta):
            at += one
            continue
        told += [sample(gate, letter, at) for gate, letter in zip(GATES, one, strict=False) if letter not in "._"]
        at += INTERVAL
    return told


def gates_of(story: str) -> tuple[str, ...]:
    """The gates that a story names: as many as its longest round has letters."""
    widths = [len(one) for one in rounds(story) if isinstance(one, str)]
    return GATES[: max(widths, default=1)]
