"""What the rollout is and where it stands, in two sentences and a few figures.

Decides the sentences. Rule: each is true of every rollout, from one move that has not begun to thousands, and says nothing that
is not on record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from migrator.machine.states import has_soaked, is_going_back, is_on_its_way, keeps_wave
from migrator.model.moves import MoveState
from migrator.model.units import show_bytes, show_duration
from migrator.model.values import value
from migrator.report.facts import ReportFacts
from migrator.standing.values import MoveStanding, Standing

MOST_NAMED: Final = 4


@value(frozen=True, slots=True)
class Tile:
    """A figure, what it is, and a remark."""

    figure: str
    label: str
    note: str = ""


def moment(at: datetime | None) -> str:
    """``1 Dec 2026, 02:00 UTC``; "not known" for None."""
    return "not known" if at is None else f"{at.day} {at:%b %Y, %H:%M} UTC"


def exact(at: datetime | None) -> str:
    """``2026-12-01 02:00:05``, in UTC: of rows that are compared with each other."""
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def count(number: float) -> str:
    return f"{number:,.0f}"


def many(number: int, thing: str) -> str:
    """``1 wave``, ``2 waves``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def listed(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """``a, b and c``; beyond ``most`` the others are counted."""
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1:,} more"]
    return " and ".join((", ".join(names[:-1]), names[-1])) if len(names) > 1 else "".join(names)


def what_it_is(standing: Standing) -> str:
    """The first sentence."""
    ids = [move.record.id for move in standing.moves]
    if not ids:
        return "This rollout has no moves yet."
    areas = list(dict.fromkeys(one.area for one in ids))
    regions = list(dict.fromkeys(one.region for one in ids))
    targets = {move.record.target for move in standing.moves}
    sources = {move.record.source for move in standing.moves}
    return (
        f"This rollout moves the data of {listed(areas)} in {listed(regions)} from {many(len(sources), 'storage account')}"
        f" to {many(len(targets), 'account')} of {'its' if len(targets) == 1 else 'their'} own, in"
        f" {many(len(standing.waves), 'careful step')} (waves), while customers keep using it"
    ) + "."


def where_it_stands(standing: Standing) -> str:
    """The second sentence."""
    moves = standing.moves
    done = sum(has_soaked(one.record.state) for one in moves)
    if moves and done == len(moves):
        ended = max((one.record.since for one in moves if one.record.since), default=None)
        every = "Its one move is complete" if done == 1 else f"All {count(done)} moves are complete"
        return f"{every}, the last one since {moment(ended)}." if done > 1 else f"{every} since {moment(ended)}."
    if all(one.record.state is MoveState.PENDING for one in moves):
        return f"Nothing has begun yet{_end(standing)}."
    parts = [f"{count(done)} of {many(len(moves), 'move')} {'is' if done == 1 else 'are'} complete", *_others(moves)]
    return f"{listed(parts, len(parts))}{_end(standing)}."


def _others(moves: Sequence[MoveStanding]) -> list[str]:
    """What the moves that are not complete do, each kind counted."""
    kinds = {
        "stopped": [one for one in moves if one.record.state is MoveState.HALTED],
        "going back": [one for one in moves if _goes_back(one)],
        "back": [one for one in moves if one.record.state is MoveState.REVERSED],
        "watched": [one for one in moves if one.record.state is MoveState.SOAKING],
        "at work": [one for one in moves if _is_on_its_way(one)],
        "not begun": [one for one in moves if one.record.state is MoveState.PENDING],
    }
    return [f"{count(len(found))} {_DOING[kind][len(found) > 1]}" for kind, found in kinds.items() if found]


_DOING: Final[Mapping[str, tuple[str, str]]] = {
    "stopped": ("has stopped and needs a person", "have stopped and need a person"),
    "going back": ("is going back to its old account", "are going back to their old accounts"),
    "back": ("went back to its old account", "went back to their old accounts"),
    "watched": ("has switched and is being watched", "have switched and are being watched"),
    "at work": ("is under way", "are under way"),
    "not begun": ("has not begun", "have not begun"),
}
"""Of one move, and of several."""


def _goes_back(move: MoveStanding) -> bool:
    return is_going_back(move.record) and move.record.state is not MoveState.HALTED


def _is_on_its_way(move: MoveStanding) -> bool:
    return is_on_its_way(move.record.state) and not _goes_back(move)


def _end(standing: Standing) -> str:
    """When everything is complete, if nothing goes wrong; nothing is said while a move waits for a person's decision."""
    waves = standing.outlook.waves if standing.outlook is not None else ()
    ends = [wave.soaked for wave in waves]
    known = [one for one in ends if one is not None]
    if not known or len(known) < len(ends) or any(keeps_wave(move.record) for move in standing.moves):
        return ""
    about = "not before" if any(wave.is_lower_bound and not wave.is_done for wave in waves) else "by about"
    text = f"; if nothing goes wrong, everything is complete {about} {moment(max(known))}"
    late = [wave.name for wave in waves if (wave.slack_seconds or 0.0) < 0]
    return text + (f", which is later than promised for {listed(late)}" if late else "")


def tiles(facts: ReportFacts) -> tuple[Tile, ...]:
    standing = facts.standing
    moves = [move.record for move in standing.moves]
    figures = [one.figures for one in moves]
    pauses = [one.fence_seconds for one in figures if one.fence_seconds is not None]
    open_now = [move for move in standing.moves if move.is_fenced]
    done = sum(has_soaked(one.state) for one in moves)
    proved = sum(int(_scanned(facts, str(one.id)) or 0) for one in moves)
    return (
        Tile(f"{count(done)} of {count(len(moves))}", "moves complete"),
        Tile(
            count(sum(one.objects_copied for one in figures)),
            "objects copied",
            show_bytes(sum(one.bytes_copied for one in figures)),
        ),
        Tile(count(proved), "objects proved equal", "on both sides, before the switch"),
        Tile(
            show_duration(max(pauses)) if pauses else "none yet",
            "longest writers' pause",
            f"writers of {many(len(open_now), 'move')} wait now"
            if open_now
            else f"{many(len(pauses), 'pause')} so far",
        ),
        Tile(count(facts.history.total_incidents), "incidents" if facts.history.total_incidents != 1 else "incident"),
    )


def _scanned(facts: ReportFacts, move: str) -> float | None:
    barrier = facts.history.of(move).barrier
    scanned = barrier.evidence.get("scanned") if barrier is not None else None
    return scanned if isinstance(scanned, int | float) else None
