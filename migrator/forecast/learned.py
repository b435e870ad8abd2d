"""What earlier waves showed: by how much their outcomes were off what was forecast, and how much customers change meanwhile.

Decides how outcomes are weighed: the latest counts most, and none may change a forecast by more than ``MOST`` times. Leaves which
figures are held against each other to ``outcome``. Pure. Rule: a factor says what the arithmetic alone was off by, so what it was
corrected with when the wave began is taken out first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from migrator.model.moves import MoveRecord, WaveRecord
from migrator.model.names import MoveId
from migrator.model.values import value

MOST: Final = 5.0
OLDER: Final = 0.5
"""Weight of an outcome beside the one after it."""
OUTCOME: Final = "outcome"
"""Under this key the forecast of a wave that is over holds what became of it."""
CORRECTED: Final = "corrected"
"""Under this key it holds the factors that it was made with."""
LEAST_SECONDS: Final = 0.05
"""What is shorter says nothing about what is longer."""
LEAST_REQUESTS: Final = 1.0
KINDS: Final[Mapping[str, float]] = {
    "copy_seconds": LEAST_SECONDS,
    "fence_seconds": LEAST_SECONDS,
    "requests": LEAST_REQUESTS,
}
"""What is corrected, and what is too little to learn from."""


@value(frozen=True, slots=True)
class Corrections:
    """Factors. ``pause``: of the part beside the drain. ``waves``: outcomes they were learned from."""

    copy: float = 1.0
    pause: float = 1.0
    requests: float = 1.0
    waves: int = 0

    def in_words(self) -> str:
        """One clause; "" where nothing was learned."""
        if not self.waves:
            return ""
        after = "the outcome of one wave" if self.waves == 1 else f"the outcomes of {self.waves} waves"
        return f"copying x {self.copy:.2f}, pause x {self.pause:.2f}, requests x {self.requests:.2f} after {after}"


NOTHING_LEARNED: Final = Corrections()


def corrections_of(waves: Iterable[WaveRecord]) -> Corrections:
    """From the waves that are over and have an outcome beside a forecast, by when they ended."""
    ended = sorted((one for one in waves if one.ended_at and OUTCOME in one.forecast), key=_ended)
    found = {kind: [_factor(one.forecast, kind) for one in ended] for kind in KINDS}
    known = max(sum(one is not None for one in each) for each in found.values())
    copy, pause, requests = (_mean(found[kind]) for kind in KINDS)
    return Corrections(copy, pause, requests, known)


def change_share(waves: Iterable[WaveRecord], moves: Mapping[MoveId, MoveRecord]) -> float | None:
    """Part of all objects that customers change in a second, as the copies of waves that are over showed it: what was copied
    beyond what there was to copy. None where nothing is known."""
    changed = held = 0.0
    for wave in waves:
        if wave.ended_at is None:
            continue
        for record, objects in _copied(wave, moves):
            seconds = record.figures.copy_seconds
            if seconds > LEAST_SECONDS and objects:
                changed += max(0.0, record.figures.objects_copied - objects) / seconds
                held += objects
    return changed / held if held else None


def _copied(wave: WaveRecord, moves: Mapping[MoveId, MoveRecord]) -> Iterator[tuple[MoveRecord, float]]:
    planned = wave.forecast.get("moves") or {}
    for record in moves.values():
        if record.wave == wave.name and (one := planned.get(str(record.id))):
            yield record, float(one.get("objects", 0.0))


def _ended(wave: WaveRecord) -> float:
    assert wave.ended_at is not None
    return wave.ended_at.timestamp()


def _factor(kept: Mapping[str, Any], kind: str) -> float | None:
    """None where nothing can be learned: no figure, or too small a one."""
    try:
        figure, used = kept[OUTCOME][kind], float((kept.get(CORRECTED) or {}).get(kind, 1.0))
        actual, forecast = figure["actual"], figure["forecast"]
    except (KeyError, TypeError, AttributeError):
        return None
    if actual is None or forecast is None:
        return None
    if kind == "fence_seconds":
        drain = max((float(one.get("drain_seconds", 0.0)) for one in (kept.get("moves") or {}).values()), default=0.0)
        actual, forecast = actual - drain, forecast - drain
    if actual <= 0.0 or forecast < KINDS[kind] or used <= 0.0:
        return None
    return min(MOST, max(1.0 / MOST, float(actual) / float(forecast) * used))


def _mean(factors: list[float | None]) -> float:
    """Of the logarithms, the latest weighing most; 1 of none."""
    known = [one for one in reversed(factors) if one is not None]
    weights = [OLDER**number for number in range(len(known))]
    if not known:
        return 1.0
    return math.exp(sum(w * math.log(one) for w, one in zip(weights, known, strict=True)) / sum(weights))
