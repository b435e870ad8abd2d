"""Is the way back ready: one reading of the passes that keep a source warm, for the run, its gate, ``status`` and its JSON.

Decides the note that such a pass leaves, and what it comes to at another moment: about how many objects the source is behind,
about how long going back takes, or why it is not ready. Leaves the passes to ``engine.keeping_warm``. Rules: a note of another
stay at the target says nothing; a source that no pass has looked at for a while is not warm, whatever the last one found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from migrator.machine.transitions import live_side
from migrator.model import notes
from migrator.model.moves import Direction, MoveRecord
from migrator.model.schedule import PlannedWave, Routing
from migrator.model.units import show_duration
from migrator.model.values import value
from migrator.ports.state_store import SetNote

PATIENCE_PASSES: Final = 3
"""A source that so many passes in a row have not come to is not warm any more."""
SCANS: Final = 2
"""A way back scans twice: once while customers are at the target, once inside the fence."""


@value(frozen=True, slots=True)
class Warm:
    """What the passes of a stay have found. Counts are of the last whole one.

    ``begun``: what was written at the target before is at the source, but for ``left`` objects. ``rate``: objects that change in
    a second. ``again_seconds``: so soon the next pass is due. ``blocks``: what a person must decide before a way back, a clause;
    ``trouble``: why the newest pass did not come to its end, a clause.
    """

    stay: tuple[Any, ...]
    begun: datetime | None = None
    ended: datetime | None = None
    seconds: float = 0.0
    left: int = 0
    rate: float = 0.0
    again_seconds: float = 0.0
    blocks: str = ""
    trouble: str = ""
    is_ready: bool | None = None
    """As it was said last; None: nothing was said of this stay."""


@value(frozen=True, slots=True)
class Readiness:
    """``seconds``: about how long until customers are back, without what a person has to decide; ``as_of``: what was written at
    the target before is at the source, but for objects that are named; ``why``: why it is not ready, a clause."""

    is_ready: bool
    behind: int | None = None
    seconds: float | None = None
    as_of: datetime | None = None
    why: str = ""
    needs_person: bool = False

    def in_words(self) -> str:
        """``ready, 12 objects behind, about 2m``."""
        if not self.is_ready:
            return f"not ready: {self.why}"
        objects = "object" if self.behind == 1 else "objects"
        return f"ready, {self.behind or 0:,} {objects} behind, about {show_duration(self.seconds or 0.0)}"


def stay_of(record: MoveRecord) -> tuple[Any, ...]:
    """What tells one stay at the target from another."""
    return (record.epoch, record.switched_at.isoformat() if record.switched_at else None)


def read(record: MoveRecord, note: Mapping[str, Any] | None) -> Warm:
    """What the passes of this stay left; an empty one if there was none."""
    stay = stay_of(record)
    if note is None or tuple(note["stay"]) != stay:
        return Warm(stay)
    begun, ended = (datetime.fromisoformat(note[one]) if note[one] else None for one in ("begun", "ended"))
    rest = {name: note[name] for name in ("seconds", "left", "rate", "again_seconds", "blocks", "trouble", "is_ready")}
    return Warm(stay, begun, ended, **rest)


def as_of(record: MoveRecord, note: Mapping[str, Any] | None) -> datetime | None:
    """What was written at the target before is at the source, of this stay; None if nobody knows of such a moment."""
    return read(record, note).begun


def kept(record: MoveRecord, warm: Warm) -> SetNote:
    """To be committed."""
    return SetNote(
        notes.warm(record.id),
        {
            "stay": list(warm.stay),
            "begun": warm.begun.isoformat() if warm.begun else None,
            "ended": warm.ended.isoformat() if warm.ended else None,
            "seconds": warm.seconds,
            "left": warm.left,
            "rate": warm.rate,
            "again_seconds": warm.again_seconds,
            "blocks": warm.blocks,
            "trouble": warm.trouble,
            "is_ready": warm.is_ready,
        },
    )


def way_back(record: MoveRecord, wave: PlannedWave, routing: Routing, warm: Warm, now: datetime) -> Readiness | None:
    """What it comes to ``now``; None where nothing keeps the source warm, or customers are not at the target."""
    is_away = record.direction is Direction.FORWARD and live_side(record) == "target"
    if not is_away or wave.cutover.reverse != "continuous":
        return None
    if warm.begun is None or warm.ended is None:
        why = f"no pass has gone over {record.source} since the switch" + (f" ({warm.trouble})" if warm.trouble else "")
        return Readiness(False, why=why)
    age = max(0.0, (now - warm.begun).total_seconds())
    behind = warm.left + math.ceil(warm.rate * age)
    seconds = routing.expected_drain_of(wave.cutover) + SCANS * warm.seconds
    if warm.blocks:
        return Readiness(False, behind, seconds, warm.begun, warm.blocks, needs_person=True)
    if (now - warm.ended).total_seconds() > PATIENCE_PASSES * warm.again_seconds:
        at = f"{warm.begun:%Y-%m-%d %H:%M:%S} UTC"
        why = f"{record.source} has what was written at {record.target} before {at}, and nothing has kept it warm since"
        return Readiness(False, behind, seconds, warm.begun, why + (f" ({warm.trouble})" if warm.trouble else ""))
    return Readiness(True, behind, seconds, warm.begun)
