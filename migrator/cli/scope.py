"""Which moves a command is about: wave, region and area as options, checked against the plan with near names."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence

from migrator.errors import UsageError
from migrator.model.schedule import PlannedMove, PlannedWave, Schedule
from migrator.model.values import value


@value(frozen=True, slots=True)
class Scope:
    """None is "all"."""

    wave: str | None = None
    region: str | None = None
    area: str | None = None

    def moves(self, schedule: Schedule) -> tuple[PlannedMove, ...]:
        """The moves meant, in the plan's order.

        Raises:
            UsageError: a name is not in the plan, or nothing is in all three.
        """
        if self.wave is not None:
            wave_of(schedule, self.wave)
        _require(schedule, "region", self.region, sorted({move.id.region for move in schedule.moves}))
        _require(schedule, "area", self.area, sorted({move.id.area for move in schedule.moves}))
        found = tuple(
            move
            for wave in schedule.waves
            for move in wave.moves
            if self.wave in (None, wave.name)
            and self.region in (None, move.id.region)
            and self.area in (None, move.id.area)
        )
        if not found:
            raise UsageError(f"cannot do that: no move of plan {schedule.name} is in this wave, region and area")
        return found

    def options(self) -> str:
        """As words of a command line, each with a space in front."""
        words = (("--wave", self.wave), ("--region", self.region), ("--area", self.area))
        return "".join(f" {option} {shlex.quote(value)}" for option, value in words if value is not None)


def wave_of(schedule: Schedule, name: str) -> PlannedWave:
    """The wave with this name. UsageError names the nearest, or all there are."""
    _require(schedule, "wave", name, [wave.name for wave in schedule.waves])
    return schedule.wave(name)


def account_of(schedule: Schedule, name: str, doing: str) -> None:
    """UsageError unless the plan has this account; names the nearest, or all there are."""
    known = sorted(schedule.accounts)
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    raise UsageError(f"cannot {doing}: there is no account {name} in plan {schedule.name}", hint=hint)


def _require(schedule: Schedule, what: str, name: str | None, known: Sequence[str]) -> None:
    if name is None or name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    raise UsageError(f"cannot find {what} {name} in plan {schedule.name}", hint=hint)
