"""The board: waves and moves at work with a bar each, whom they wait for, and whether anybody must act.

``migrate apply`` shows it below its events, ``migrate status --watch`` on top of its page. Decides the look: which rows a screen
takes, which columns its width, and the words of a cell. Leaves the figures to ``views.watched`` and what is safe to do to
``standing.next_step``. Rules: what moves is on top and what rests is counted; whose writers wait is never off the screen; nothing
is told by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from migrator.cli.calls import spelled
from migrator.cli.views.figures import brief, count, many, size
from migrator.cli.views.next_step import beside, next_action
from migrator.cli.views.rows import EMPTY, counted, fitting, is_of, middle
from migrator.cli.views.safe import safe
from migrator.cli.views.watched import MoveNow, WaveNow
from migrator.cli.views.wrapping import wrapped
from migrator.machine.states import has_soaked, is_in_fence, is_past_switch
from migrator.machine.waiting import Wait, of_now, words
from migrator.model.moves import MoveState
from migrator.model.values import replace, value
from migrator.standing.followers import first_few
from migrator.standing.next_step import NEEDS_NOBODY, Advice, next_step
from migrator.standing.values import MoveStanding, Standing

if TYPE_CHECKING:
    from rich.console import RenderableType

HEADINGS: Final = ("WAVE, MOVE", "STATE", "PROGRESS", "RATE", "BYTES", "LEFT", "BEHIND", "SOAKED ABOUT")
_NAME, _STATE, _PROGRESS = 0, 1, 2
SPARE: Final = ("SOAKED ABOUT", "BYTES")
"""Left out first where there is not the width."""
LAST_SPARE: Final = ("BEHIND", "RATE")
"""Left out where a short bar and short names do not help either."""
NARROW: Final = 80
WIDE: Final = 140
WHOLE_NAME: Final = 28
SHORTEST_NAME: Final = 14
MOST_WAITS: Final = 4
MOST_NAMED: Final = 3
NOBODY: Final = "Nobody must act."
FEWEST_LINES: Final = 6
"""Of a screen, for the rows."""
_STYLES: Final = {"halted": "bold red", "soaked": "green", "reversed": "yellow", "soaking": "cyan"}
_KEPT: Final = {
    "approval": "waits for approval",
    "window": "waits for its window",
    "freeze": "frozen",
    "hold": "on hold",
    "pause": "paused",
    "gate": "a gate is silent",
    "unanswered-writes": "waits for writes",
}
_FOR_ITSELF: Final = ("fence", "retry", "soak")
"""Waits that a row of the table tells."""


@value(frozen=True, slots=True)
class BoardRow:
    """``cells`` in the order of HEADINGS; where there is a ``share``, a bar goes before the cell of progress."""

    cells: tuple[str, ...]
    share: float | None = None
    style: str = ""
    is_wave: bool = False


@value(frozen=True, slots=True)
class BoardLine:
    text: str
    style: str = ""


@value(frozen=True, slots=True)
class Board:
    """What a screen shows; two that are equal look alike."""

    headings: tuple[str, ...]
    rows: tuple[BoardRow, ...]
    bar: int
    gap: int
    above: tuple[BoardLine, ...]
    below: tuple[BoardLine, ...]


def board_of(
    waves: Sequence[WaveNow], standing: Standing | None, *, width: int, height: int, says_who_acts: bool = True
) -> Board:
    """What ``width`` columns and ``height`` lines can take of it.

    Args:
        waves: as ``Watched`` knows them now.
        standing: the last look; None before the first, when nobody knows what is waited for.
        says_who_acts: False where that is said elsewhere on the screen.
    """
    above = tuple(_broken([BoardLine(_summary(waves), "dim")], width)) if standing is not None else ()
    below = _below(waves, standing, width, height // 2, says_who_acts=says_who_acts) if standing is not None else ()
    shown, rest = _fitting(waves, max(FEWEST_LINES, height - len(above) - len(below) - 1), width)
    lines = (*rest, *below)
    headings, rows, bar, gap = _laid_out([row for wave in shown for row in _rows(wave, standing, width)], width)
    return Board(headings, rows, bar, gap, above, lines)


def _summary(waves: Sequence[WaveNow]) -> str:
    moves = [move for wave in waves for move in wave.moves]
    switched = sum(is_of(move.state, is_past_switch) or move.is_going_back for move in moves)
    soaked = sum(is_of(move.state, has_soaked) for move in moves)
    return f"{count(switched)} of {many(len(moves), 'move')} switched, {count(soaked)} soaked"


def _below(
    waves: Sequence[WaveNow], standing: Standing, width: int, most: int, *, says_who_acts: bool
) -> tuple[BoardLine, ...]:
    """Who must act always stays; of what is waited for as much as ``most`` lines take."""
    duty: list[BoardLine] = []
    if says_who_acts and standing.is_at_work:
        said = duty_of(standing)
        duty = [BoardLine(said, "bold yellow") if said else BoardLine(NOBODY, "green")]
    clauses = list(_waits(waves, standing))
    for shown in range(min(MOST_WAITS, len(clauses)), -1, -1):
        left = many(len(clauses) - shown, "other wait")
        more = [BoardLine(f"and {left}: `migrate status PLAN` names them", "dim")] if len(clauses) > shown else []
        lines = tuple(_broken([*clauses[:shown], *more, *duty], width))
        if len(lines) <= most:
            return lines
    return tuple(_broken(duty, width))


# Which rows.


def _fitting(waves: Sequence[WaveNow], room: int, width: int) -> tuple[list[WaveNow], tuple[BoardLine, ...]]:
    """The waves with those of their moves that have a row, the most urgent first, and what has none in a line or two."""
    pairs = [(move.state, (wave.name, move)) for wave in waves for move in wave.moves]
    for most in range(room, 0, -1):
        shown, counts = fitting(pairs, most)
        names = {name for name, _ in shown}
        rest = tuple(_broken([BoardLine(f"+ {counts}{_other_waves(waves, names)}", "dim")] if counts else [], width))
        if len(shown) + len(names - {""}) + len(rest) <= room:
            break
    found = [replace(wave, moves=tuple(move for name, move in shown if name == wave.name)) for wave in waves]
    order = {name: place for place, (name, _) in reversed(list(enumerate(shown)))}
    kept = sorted((wave for wave in found if wave.moves), key=lambda wave: order[wave.name])
    return kept, rest


def _other_waves(waves: Sequence[WaveNow], shown: Collection[str]) -> str:
    others = [wave.state for wave in waves if wave.name not in shown]
    return f"; of {many(len(others), 'more wave')}: {counted(others)}" if others else ""


def _rows(wave: WaveNow, standing: Standing | None, width: int) -> Iterator[BoardRow]:
    kinds = _kinds_of(wave, standing)
    indent = ""
    if wave.name:
        yield BoardRow(
            (
                safe(wave.name),
                safe(wave.state),
                _percent(wave.share),
                _rate(wave.rate),
                _bytes(wave.bytes_rate),
                _left(wave.left_seconds),
                count(wave.lag_objects),
                _when(wave.soaked_at),
            ),
            wave.share,
            "bold",
            is_wave=True,
        )
        indent = "  "
    for move in wave.moves:
        style = _STYLES.get(move.state, "")
        if move.fence_seconds is not None:
            style = "bold red" if _is_late(move) else "bold yellow"
        yield BoardRow(
            (
                indent + safe(move.id),
                safe(move.state),
                _progress(move, kinds, width),
                _rate(move.rate),
                _bytes(move.bytes_rate),
                _left(move.left_seconds),
                _behind(move, width),
                "",
            ),
            move.share if move.fence_seconds is None else None,
            style,
        )


def _kinds_of(wave: WaveNow, standing: Standing | None) -> tuple[str, ...]:
    found = next((one for one in standing.waves if one.name == wave.name), None) if standing else None
    return tuple(wait.kind for wait in found.waits) if found else ()


def _progress(move: MoveNow, kinds: Sequence[str], width: int) -> str:
    if move.fence_seconds is not None:
        waited = brief(move.fence_seconds)
        if width < NARROW:
            return f"pause {waited}" + (f"/{brief(move.fence_forecast_seconds)}" if move.fence_forecast_seconds else "")
        if move.fence_forecast_seconds:
            return f"writers wait {waited} of about {brief(move.fence_forecast_seconds)}"
        most = f", at most about {brief(move.fence_most_seconds)}" if move.fence_most_seconds else ""
        return f"writers wait {waited}{most}"
    if move.share is not None:
        return _percent(move.share)
    if move.state == MoveState.HALTED:
        return "see below" if width < NARROW else "needs a person"
    if move.state == MoveState.READY:
        kept = next((_KEPT[kind] for kind in (*move.waits, *kinds) if kind in _KEPT), "")
        return kept.removeprefix("waits ") if width < NARROW else kept
    return f"{count(move.lag_objects)} behind" if _tells_lag(move, width) else ""


def _tells_lag(move: MoveNow, width: int) -> bool:
    """On a narrow screen a move that catches up says its lag where others have a bar."""
    return width < NARROW and move.state.startswith(MoveState.CATCHING_UP) and bool(move.lag_objects)


def _is_late(move: MoveNow) -> bool:
    """Do writers wait for longer than anybody said they would?"""
    return (move.fence_seconds or 0.0) > (move.fence_most_seconds or move.fence_forecast_seconds or math.inf)


def _percent(share: float | None) -> str:
    return "" if share is None else f"{int(share * 100)} %"


def _rate(rate: float | None) -> str:
    return "" if rate is None else f"{count(rate)}/s"


def _bytes(rate: float | None) -> str:
    return "" if rate is None else f"{size(rate)}/s"


def _left(seconds: float | None) -> str:
    return "" if seconds is None else brief(int(seconds) if seconds >= 1 else seconds)


def _behind(move: MoveNow, width: int) -> str:
    objects = count(0 if _tells_lag(move, width) else move.lag_objects)
    if width < NARROW or not move.lag_seconds or not move.lag_objects:
        return objects
    return f"{objects}, {brief(int(move.lag_seconds))}"


def _when(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(UTC):%m-%d %H:%M}Z"


# The lines below.


def _waits(waves: Sequence[WaveNow], standing: Standing) -> Iterator[BoardLine]:
    """Whom and what is waited for: waves that wait for the same in one line, then moves."""
    found: dict[str, list[str]] = {}
    step = next_step(standing)
    is_said = step.scope if step.advice is Advice.APPROVE else None
    fenced = {move.id for wave in waves for move in wave.moves if is_of(move.state, is_in_fence)}
    for wave in standing.waves:
        for wait in of_now(wave.waits):
            if wait.kind not in _FOR_ITSELF and not (wait.kind == "approval" and wave.name == is_said):
                found.setdefault(_waited_for(wait), []).append(wave.name)
    for move in standing.moves:
        for clause in _waits_of(move, is_fenced=str(move.record.id) in fenced):
            found.setdefault(clause, []).append(str(move.record.id))
    for clause, names in found.items():
        yield BoardLine(f"{_named(names)}: {clause}", "yellow")


def _waited_for(wait: Wait) -> str:
    return f"waits for {words(wait)}"


def _waits_of(move: MoveStanding, *, is_fenced: bool) -> Iterator[str]:
    for wait in move.waits:
        if wait.kind in ("away", "unanswered-writes"):
            yield _waited_for(wait)
    roll = move.followers
    if roll is not None and roll.awaited and is_fenced:
        yield f"{len(roll.awaited):,} of {roll.entered:,} followers have not answered: {first_few(roll.awaited)}"
    if move.way_back is not None and not move.way_back.is_ready:
        yield f"way back: {move.way_back.in_words()}"


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def duty_of(standing: Standing) -> str:
    """Of a run at work: what a person must do; empty if nobody must do anything."""
    step = next_step(standing)
    if step.advice in NEEDS_NOBODY:
        return ""
    # Beside the run that shows it, nobody needs to be told who runs.
    return f"Act: {next_action(step, 'PLAN').removesuffix(beside(step))}."


def _broken(lines: Iterable[BoardLine], width: int) -> Iterator[BoardLine]:
    for line in lines:
        for part in wrapped(safe(spelled(line.text)), width):
            yield replace(line, text=part)


# The table.


def _laid_out(rows: Sequence[BoardRow], width: int) -> tuple[tuple[str, ...], tuple[BoardRow, ...], int, int]:
    """Headings and rows that fit, the length of a bar, and the blanks between columns."""
    kept = [
        place
        for place in range(len(HEADINGS))
        if place in (_NAME, _STATE, _PROGRESS) or any(row.cells[place] not in EMPTY for row in rows)
    ]
    bar, gap = (32 if width >= WIDE else 16), 2

    def is_over() -> int:
        return sum(_widest(rows, place, bar) for place in kept) + gap * (len(kept) - 1) - width

    def leave_out(headings: Sequence[str], shortest_name: int) -> None:
        nonlocal kept
        for heading in headings:
            if is_over() > _to_cut(rows, shortest_name):
                kept = [place for place in kept if HEADINGS[place] != heading]

    if is_over() > 0 and width < NARROW:
        bar, gap = 6, 1
    leave_out(SPARE, WHOLE_NAME)
    if is_over() > _to_cut(rows, WHOLE_NAME):
        bar, gap = 6, 1
    leave_out(LAST_SPARE, SHORTEST_NAME)
    names = max((len(row.cells[_NAME]) for row in rows), default=0)
    room = max(SHORTEST_NAME, names - max(0, is_over()))
    return (
        tuple(HEADINGS[place] for place in kept),
        tuple(replace(row, cells=tuple(_cell(row, place, room) for place in kept)) for row in rows),
        bar,
        gap,
    )


def _cell(row: BoardRow, place: int, room: int) -> str:
    text = row.cells[place]
    if place == _NAME:
        return middle(text, room)
    return "" if text in EMPTY else text


def _widest(rows: Sequence[BoardRow], place: int, bar: int) -> int:
    def taken(row: BoardRow) -> int:
        length = len(row.cells[place])
        return bar + 6 if place == _PROGRESS and row.share is not None else length

    return max([len(HEADINGS[place]), *map(taken, rows)])


def _to_cut(rows: Sequence[BoardRow], shortest: int) -> int:
    """By how much the names may be cut before something else goes."""
    return max(0, max((len(row.cells[_NAME]) for row in rows), default=0) - shortest)


def rendered(board: Board) -> RenderableType:
    """For a console; without colour a bar is as long as what is done, and its share stands beside it."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, board.gap, 0, 0), header_style="dim", collapse_padding=True)
    for heading in board.headings:
        is_word = heading in HEADINGS[:3]
        table.add_column(heading, justify="left" if is_word else "right", no_wrap=True, overflow="ellipsis")
    for row in board.rows:
        cells: list[RenderableType] = [Text(cell) for cell in row.cells]
        cells[_PROGRESS] = _bar(row, board.bar)
        table.add_row(*cells, style=row.style or None)
    lines = [Text(line.text, style=line.style) for line in board.above]
    return Group(*lines, *([table] if board.rows else []), *(Text(line.text, style=line.style) for line in board.below))


def _bar(row: BoardRow, length: int) -> RenderableType:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    text = Text(row.cells[_PROGRESS])
    if row.share is None:
        return text
    cell = Table.grid(padding=(0, 1, 0, 0))
    cell.add_column(width=length)
    cell.add_column(width=5, justify="right", no_wrap=True)
    cell.add_row(ProgressBar(total=1.0, completed=row.share, width=length, complete_style="cyan"), text)
    return cell
