"""Boards of fixed rollouts: of three moves and of fifty, for the tests that keep how they look.

``python -m tests.cli.boards fifty`` paints one on this terminal, as ``apply`` would, until a line comes on standard input;
``python -m tests.cli.boards --rewrite`` writes the kept pictures again, to be looked at before they are committed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from migrator.cli.views.board import Board, board_of, rendered
from migrator.cli.views.progress import Note, note_of
from migrator.cli.views.watched import Watched
from migrator.forecast import Outlook, StartingPoint, WaveTimes
from migrator.forecast.move_times import MoveTimes
from migrator.machine.waiting import Wait
from migrator.model.happenings.fences import FenceForecast
from migrator.model.moves import Figures, LockRecord, MoveRecord, MoveState, WaveState
from migrator.model.names import MoveId
from migrator.model.values import value
from migrator.standing.values import Followers, MoveStanding, Standing, WaveStanding

KEPT = Path(__file__).parent
WIDTHS = (60, 100, 200)
HEIGHT = 32
"""Of a terminal of 40 lines, the events' beside."""
NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
LOCK = LockRecord("ab12", 1, "run", "grace", "mover-1", 77, "boot", NOW, NOW, 0.0)
S = MoveState


@value(frozen=True, slots=True)
class Painted:
    """``size``: objects of the area; ``copied``: of them, now; ``rate``: a second."""

    area: str
    state: MoveState
    size: int = 40_000
    copied: int = 40_000
    rate: int = 0
    lag: int = 0
    fence_seconds: float | None = None
    soak_left_seconds: float | None = None
    waits: tuple[Wait, ...] = ()
    followers: Followers | None = None
    reason: str = ""


@value(frozen=True, slots=True)
class Wave:
    name: str
    region: str
    state: WaveState
    moves: tuple[Painted, ...]
    waits: tuple[Wait, ...] = ()
    soaked_in: timedelta = field(default_factory=lambda: timedelta(hours=100))


THREE = (
    Wave(
        "na-first",
        "north-america",
        WaveState.RUNNING,
        (
            Painted("web-tracking", S.COPYING, size=2_000_000, copied=1_240_000, rate=2_836),
            Painted(
                "email-events",
                S.DRAINING,
                fence_seconds=17.0,
                waits=(Wait("fence"),),
                followers=Followers(12, awaited=("mailer-3", "mailer-4")),
            ),
        ),
    ),
    Wave(
        "europe",
        "europe",
        WaveState.WAITING,
        (Painted("web-tracking", S.READY, lag=311),),
        waits=(Wait("approval", who="europe"),),
        soaked_in=timedelta(hours=150),
    ),
)


def _fifty() -> tuple[Wave, ...]:
    return (
        Wave(
            "pilot",
            "north-america",
            WaveState.SOAKED,
            tuple(Painted(f"pilot-area-{number}", S.SOAKED) for number in range(4)),
            soaked_in=timedelta(hours=-2),
        ),
        Wave(
            "na-notifications",
            "north-america",
            WaveState.HALTED,
            (
                Painted("notification-preferences-events", S.HALTED, reason="the target refused 3 objects"),
                Painted("notification-preferences-archive", S.VERIFYING, fence_seconds=48.0),
                Painted("notification-preferences-exports", S.FENCING, fence_seconds=0.4),
                *(
                    Painted(f"notification-area-{n}", S.COPYING, copied=3_000 * n, rate=90 * n, lag=0)
                    for n in range(1, 7)
                ),
                *(Painted(f"notification-log-{n}", S.CATCHING_UP, rate=12, lag=1_204 * n) for n in range(1, 4)),
                *(Painted(f"notification-queue-{n}", S.SOAKING, soak_left_seconds=86_400.0 * n) for n in range(1, 5)),
                *(Painted(f"notification-old-{n}", S.SOAKED) for n in range(8)),
            ),
            waits=(Wait("retry"),),
        ),
        Wave(
            "europe-notifications",
            "europe",
            WaveState.RUNNING,
            (
                Painted("web-tracking", S.READY, waits=(Wait("hold", who="ann"),)),
                Painted(
                    "email-events",
                    S.COPYING,
                    copied=12_000,
                    rate=400,
                    waits=(Wait("away", who="account eu-mail to answer again (since 11:58 UTC)"),),
                ),
                *(Painted(f"archive-{n}", S.PENDING, copied=0) for n in range(6)),
            ),
            waits=(Wait("hold", who="ann"), Wait("window", until=NOW + timedelta(days=4))),
            soaked_in=timedelta(hours=200),
        ),
        Wave(
            "asia",
            "asia-pacific",
            WaveState.WAITING,
            tuple(Painted(f"area-{n}", S.PENDING, copied=0) for n in range(14)),
            waits=(Wait("wave", who="europe-notifications"),),
            soaked_in=timedelta(hours=300),
        ),
    )


ROLLOUTS: Mapping[str, tuple[Wave, ...]] = {"three": THREE, "fifty": _fifty()}
BOTH = [(name, width) for name in ROLLOUTS for width in WIDTHS]


def watched(waves: tuple[Wave, ...]) -> Watched:
    """As after a look of now, and ten seconds of what an engine says."""
    found = Watched()
    for before in (10, 0):
        for wave in waves:
            for move in wave.moves:
                found.hear(_figures(wave, move, before))
                if move.fence_seconds is not None and before:
                    said = FenceForecast(20.0, 15.0, is_enforced=False, streamed_bytes=0)
                    found.hear(note_of(said, f"{wave.region}/{move.area}", NOW))
    found.look(_standing(waves))
    return found


def _figures(wave: Wave, move: Painted, before: int) -> Note:
    copied = move.copied - before * move.rate
    facts = {"state": str(move.state), "direction": "forward", "expected": move.size}
    figures = {"objects_copied": copied, "bytes_copied": copied * 51_200, "lag_objects": move.lag}
    return Note(NOW - timedelta(seconds=before), "progress", f"{wave.region}/{move.area}", "", {**facts, **figures})


def _standing(waves: tuple[Wave, ...]) -> Standing:
    found = tuple(
        WaveStanding(wave.name, wave.state, wave.waits, tuple(_move(wave, move) for move in wave.moves))
        for wave in waves
    )
    times = tuple(
        WaveTimes(wave.name, NOW, (MoveTimes(MoveId(wave.region, "x"), NOW, NOW, NOW, NOW, NOW + wave.soaked_in),))
        for wave in waves
    )
    outlook = Outlook(StartingPoint(NOW), {}, times, (), (), {}, None, ())
    return Standing("storage-split", LOCK, True, found, (), NOW, outlook=outlook)


def _move(wave: Wave, move: Painted) -> MoveStanding:
    figures = Figures(move.copied, move.copied * 51_200, lag_objects=move.lag)
    record = MoveRecord(MoveId(wave.region, move.area), wave.name, "core", "new", move.state, figures=figures)
    return MoveStanding(
        record,
        move.fence_seconds is not None,
        move.fence_seconds,
        move.soak_left_seconds,
        move.waits,
        soak_wanted_seconds=96 * 3_600.0 if move.soak_left_seconds is not None else None,
        followers=move.followers,
    )


def board(name: str, width: int, height: int = HEIGHT) -> Board:
    one = watched(ROLLOUTS[name])
    return board_of(one.waves(NOW), one.standing, width=width, height=height)


def picture(name: str, width: int, *, has_color: bool) -> str:
    """The lines of a terminal, with its escape codes if it has colour."""
    screen = Console(
        file=io.StringIO(),
        force_terminal=True,
        width=width,
        height=HEIGHT,
        color_system="standard" if has_color else None,
        no_color=not has_color,
        record=True,
        legacy_windows=False,
    )
    screen.print(rendered(board(name, width)))
    text = screen.export_text(styles=has_color)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def kept_at(name: str, width: int, *, has_color: bool) -> Path:
    return KEPT / f"{name}-{width}{'-color' if has_color else ''}.txt"
