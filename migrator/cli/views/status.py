"""``migrate status``: the fixed JSON document, and the same for people.

The JSON's keys are a contract (other programs read them): ``document`` writes these, and new ones only beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from migrator.cli.settings import Settings
from migrator.cli.views import timeline
from migrator.cli.views.board import Board, rendered
from migrator.cli.views.figures import brief, count, duration, instant, many, size, stamp
from migrator.cli.views.ranges import show_ranges
from migrator.cli.views.rows import fitted, fitting, rests
from migrator.cli.views.screen import Page
from migrator.cli.views.throttle import pace_lines, wish_lines
from migrator.forecast.outcome import to_evidence, told
from migrator.machine.states import has_arrived, is_going_back, is_in_fence, is_quiet_wave
from migrator.machine.waiting import Wait, of_now, words
from migrator.model.moves import LockRecord, MoveState
from migrator.standing.followers import first_few
from migrator.standing.retiring import MayRetire, Retired
from migrator.standing.soak_waits import SoakWaits
from migrator.standing.streamed import Streamed
from migrator.standing.values import MOST_LISTED, Followers, MoveStanding, Standing, WaveStanding
from migrator.standing.way_back import Readiness
from migrator.words.happenings import kept_there

MOST_ROWS = 20
"""Moves of one wave that a terminal shows; the rest are counted."""
MOST_PACES = 5
MOST_NAMED = 5
"""Listed objects of a move that people see by name."""
_STYLES = {"halted": "bold red", "soaked": "green", "reversed": "yellow", "running": "cyan", "soaking": "cyan"}


def document(standing: Standing, *, next_action: str | None = None) -> dict[str, Any]:
    """The body of ``status --json``, without ``format_version``."""
    return {
        "plan": standing.plan,
        "lock": _lock(standing.lock),
        "next_action": next_action,
        "waves": [
            {
                "name": wave.name,
                "state": str(wave.state),
                "waiting_for": [_wait_document(wait) for wait in wave.waits],
                "moves": [_move(move) for move in wave.moves],
                "outcome": to_evidence(wave.outcome) if wave.outcome else None,
                "may_retire": _may_retire_document(wave.may_retire),
            }
            for wave in standing.waves
        ],
        "forecast": timeline.document(standing.outlook) if standing.outlook else None,
    }


def _lock(lock: LockRecord | None) -> dict[str, Any] | None:
    if lock is None:
        return None
    return {
        "id": lock.nonce,
        "owner": lock.owner,
        "host": lock.host,
        "pid": lock.pid,
        "since": stamp(lock.since),
        "heartbeat": stamp(lock.heartbeat),
    }


def _move(move: MoveStanding) -> dict[str, Any]:
    record, figures = move.record, move.record.figures
    return {
        "region": record.id.region,
        "area": record.id.area,
        "source": record.source,
        "target": record.target,
        "state": str(record.state),
        "direction": str(record.direction),
        "objects_copied": figures.objects_copied,
        "bytes_copied": figures.bytes_copied,
        "objects_deleted": figures.objects_deleted,
        "lag_objects": figures.lag_objects,
        "lag_bytes": figures.lag_bytes,
        "lag_seconds": figures.lag_seconds,
        "epoch": record.epoch,
        "fence_seconds": move.fence_seconds,
        "is_fenced": move.is_fenced,
        "writers_paused_seconds": figures.fence_seconds,
        "waiting_for": [_wait_document(wait) for wait in move.waits],
        "streamed": _streamed_document(move.streamed),
        "dirty": record.dirty or None,
        "reason": record.reason or None,
        "disagreement": move.disagreement or None,
        "soak_seconds": record.figures.soak_seconds,
        "soak_left_seconds": move.soak_left_seconds,
        "soak_waits_for": _soak_document(move.soak_waits, move.remedy),
        "listed": {
            "counts": {kind: number for kind, number in sorted(move.listed_counts.items()) if number},
            "objects": [
                {"kind": row.kind, "container": row.container, "name": row.name, "why": row.detail}
                for row in move.listed
            ],
        },
        "followers": _followers_document(move.followers),
        "way_back": _way_back_document(move.way_back),
        "retired": _retired_document(move.retired),
        "left_target": {"at": stamp(move.looked.at), "changed": move.looked.found} if move.looked else None,
        "gates": [
            {
                "name": one.gate,
                "verdict": str(one.verdict),
                "value": one.value,
                "reason": one.reason,
                "at": stamp(one.at),
            }
            for one in move.gates
        ],
    }


def _followers_document(found: Followers | None) -> dict[str, Any] | None:
    """``awaited`` is null where no fence is being drained."""
    if found is None:
        return None
    awaited = None if found.awaited is None else list(found.awaited)
    return {"entered": found.entered, "silent": list(found.silent), "awaited": awaited}


def _may_retire_document(found: MayRetire | None) -> dict[str, Any] | None:
    """``since``: from when on; null where nothing but a person is waited for, or something else keeps it (``why``)."""
    if found is None:
        return None
    return {"since": stamp(found.since) if found.since else None, "why": found.why or None}


def _retired_document(found: Retired | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"objects": found.objects, "bytes": found.bytes, "kept": dict(found.kept)}


def _soak_document(waits: SoakWaits | None, remedy: str) -> dict[str, Any] | None:
    """``remedy`` is null while the soak comes on, or waits for nothing but time."""
    if waits is None:
        return None
    return {
        "lacks": list(waits.lacks),
        "gates": [{"name": one.gate, "verdict": one.verdict, "reason": one.reason} for one in waits.gates],
        "still_since": stamp(waits.still_since),
        "remedy": remedy or None,
    }


def _streamed_document(found: Streamed | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"from": found.origin, "to": found.destination, "since": stamp(found.at), "why": found.why}


def _way_back_document(found: Readiness | None) -> dict[str, Any] | None:
    """``seconds``, ``objects_behind``: about, null before the first pass; what was written before ``as_of`` is at the source."""
    if found is None:
        return None
    return {
        "ready": found.is_ready,
        "objects_behind": found.behind,
        "seconds": found.seconds,
        "as_of": stamp(found.as_of) if found.as_of else None,
        "why": found.why or None,
    }


def _wait_document(wait: Wait) -> dict[str, Any]:
    return {"kind": wait.kind, "until": stamp(wait.until) if wait.until else None, "who": wait.who}


def show(
    standing: Standing, settings: Settings, *, next_action: str, rates: Mapping[str, float], state: Sequence[str]
) -> None:
    """Print the standing. ``rates``: objects a second by ``region/area``, where they are known; ``state``: where it is kept."""
    write(Page(settings), standing, next_action=next_action, rates=rates, state=state)


def write(
    page: Page,
    standing: Standing,
    *,
    next_action: str,
    rates: Mapping[str, float],
    state: Sequence[str] = (),
    board: Board | None = None,
) -> None:
    """``board``: on a terminal, waves and moves as whoever watches sees them, in the place of a table for each wave."""
    page.line(f"Plan {standing.plan}, {instant(standing.now)}", style="bold")
    for line in state:
        page.line(line)
    page.line(_run_line(standing))
    paces = pace_lines(standing.pace)
    for line in (*_some(paces, page), *wish_lines(standing.controls)):
        page.line(line)
    rates = {**(standing.pace.moves if standing.pace else {}), **rates}
    if board is not None:
        page.line()
        page.console.print(rendered(board))
    in_full = False
    for wave in _in_order(standing.waves, page):
        was_in_full, in_full = (
            in_full,
            not (page.is_terminal and is_quiet_wave(wave.state) and not _says_something(wave)),
        )
        if board is not None:
            _show_beside_board(page, wave, standing)
            continue
        if in_full or was_in_full:
            page.line()
        if not in_full:
            _show_at_rest(page, wave)
            _show_retiring(page, wave, standing.now)
            continue
        page.line(f"Wave {wave.name}: {wave.state}", style=_STYLES.get(str(wave.state)))
        if wave.reason:
            page.line(f"  stopped: {wave.reason}", style="red")
        for wait in of_now(wave.waits):
            page.line(f"  waits for {words(wait)}")
        _show_moves(page, wave, rates, is_at_work=standing.is_at_work)
        if wave.outcome is not None and (said := told(wave.outcome)):
            page.line(f"  {said}", style="dim")
        _show_retiring(page, wave, standing.now)
    if standing.outlook is not None and standing.outlook.waves:
        page.line()
        timeline.show(page, standing.outlook)
        show_ranges(page, standing.outlook, in_full=False)
    page.line()
    page.line(f"Next: {next_action}.")


def _show_beside_board(page: Page, wave: WaveStanding, standing: Standing) -> None:
    """What a person should know of a wave and its moves beyond the board."""
    if wave.reason:
        page.line(f"  {wave.name} stopped: {wave.reason}", style="red")
    if not is_quiet_wave(wave.state) or _says_something(wave):
        _show_details(page, wave.moves, is_at_work=standing.is_at_work)
    _show_retiring(page, wave, standing.now)


def _in_order(waves: Sequence[WaveStanding], page: Page) -> list[WaveStanding]:
    """On a terminal what needs a person and waves at work come first, and what is over last; elsewhere the plan's order."""
    if not page.is_terminal:
        return list(waves)
    order = {"halted": 0, "reversed": 1, "running": 2, "soaking": 3, "waiting": 4, "pending": 5}
    return sorted(waves, key=lambda wave: order.get(str(wave.state), 6))


def _says_something(wave: WaveStanding) -> bool:
    """Has a wave at rest anything that a person should know of?"""
    if wave.reason or any(wait.kind not in ("wave", "approval", "window", "not-before") for wait in wave.waits):
        return True
    return any(
        one.record.dirty or one.record.reason or one.disagreement or one.looked or any(one.listed_counts.values())
        for one in wave.moves
    )


def _show_at_rest(page: Page, wave: WaveStanding) -> None:
    waits = "".join(f"; waits for {words(wait)}" for wait in of_now(wave.waits))
    number = f" ({many(len(wave.moves), 'move')})" if wave.moves else ""
    page.line(f"Wave {wave.name}: {wave.state}{number}{waits}", style=_STYLES.get(str(wave.state), "dim"))
    if wave.outcome is not None and (said := told(wave.outcome)):
        page.line(f"  {said}", style="dim")


def _show_retiring(page: Page, wave: WaveStanding, now: datetime) -> None:
    """From when on the data at its sources may go, and what was kept there."""
    if (found := wave.may_retire) is not None:
        call = f"`migrate retire PLAN --wave {wave.name}`"
        if found.why:
            page.line(f"  data at its sources stays: {found.why}", style="dim")
        elif found.since is not None and found.since > now:
            page.line(f"  data at its sources may be deleted from {instant(found.since)} on: {call}", style="dim")
        else:
            page.line(f"  data at its sources may be deleted: {call}", style="dim")
    for one in wave.moves:
        if one.retired is not None:
            said = f"{many(one.retired.objects, 'object')} of {one.record.source} deleted ({size(one.retired.bytes)})"
            page.line(f"  {one.record.id}: {said}{kept_there(one.retired.kept, one.retired.named)}", style="dim")


def _some(lines: list[str], page: Page) -> list[str]:
    """On a terminal the accounts that are held back, then a few others; the rest are counted."""
    if not page.is_terminal or len(lines) <= MOST_PACES + 1:
        return lines
    first = sorted(lines, key=lambda line: "throttled by" not in line)
    return [*first[:MOST_PACES], f"and {len(lines) - MOST_PACES} more accounts at work"]


def _run_line(standing: Standing) -> str:
    lock = standing.lock
    if lock is None:
        return "No run is at work."
    age = (standing.now - lock.heartbeat).total_seconds()
    who = f"{lock.owner}@{lock.host}, pid {lock.pid}, since {instant(lock.since)}"
    if standing.is_at_work:
        return f"At work: {who}."
    return f"Stopped without giving back its lock {lock.nonce}: {who}; last sign of life {duration(age)} ago."


def _show_moves(page: Page, wave: WaveStanding, rates: Mapping[str, float], *, is_at_work: bool) -> None:
    headings = ("MOVE", "STATE", "COPIED", "SIZE", "RATE", "DELETED", "LAG", "FENCE", "SOAK LEFT")
    spare = ("RATE", "DELETED", "SIZE", "LAG", "FENCE")
    moves = list(wave.moves)
    if not page.is_terminal:
        rows = [_row(move, rates.get(str(move.record.id))) for move in moves]
        page.table(headings, rows, right=frozenset({2, 3, 4, 5, 6, 7, 8}))
    else:
        moves, rest = fitting([(_state(move), move) for move in wave.moves], MOST_ROWS)
        rows = [_row(move, rates.get(str(move.record.id))) for move in moves]
        here, cells = fitted(headings, rows, page.width - 2, spare=spare)
        if cells:
            page.table(here, cells, right=frozenset(range(2, len(here))))
        if rest:
            page.line(f"  + {rest}", style="dim")
        moves = [move for move in moves if not rests(_state(move))] + [
            move for move in wave.moves if rests(_state(move))
        ]
    _show_details(page, moves, is_at_work=is_at_work)


def _show_details(page: Page, moves: Sequence[MoveStanding], *, is_at_work: bool) -> None:
    for move in moves:
        for line in _soak_lines(move):
            page.line(f"  {move.record.id}: {line}", style="dim")
        if (back := move.way_back) is not None:
            style = "dim" if back.is_ready else "yellow"
            page.line(f"  {move.record.id}: way back: {back.in_words()}", style=style)
        if move.record.reason:
            page.line(f"  {move.record.id}: {_why(move)}", style="red" if _is_halted(move) else None)
        if move.disagreement:
            page.line(f"  {move.record.id}: {move.disagreement}", style="red")
        if move.settled:
            said = f"the cut-over on record was {move.settled}: no writer waits; the next run will record this"
            page.line(f"  {move.record.id}: {said}", style="dim")
        if move.is_fenced:
            page.line(f"  {move.record.id}: {_fence(move, is_at_work=is_at_work)}", style="yellow")
        if move.followers is not None and (said := _followers(move.followers)):
            page.line(f"  {move.record.id}: {said}", style="yellow")
        if move.streamed:
            page.line(f"  {move.record.id}: {move.streamed}", style="yellow")
        if move.record.dirty:
            page.line(f"  {move.record.id}: {move.record.dirty}", style="yellow")
        for line in (*_looked_lines(move), *_listed_lines(move)):
            page.line(f"  {move.record.id}: {line}", style="yellow")
        for wait in move.waits:
            if wait.kind == "away":
                page.line(f"  {move.record.id}: waits for {words(wait)}", style="yellow")
        if any(wait.kind == "unanswered-writes" for wait in move.waits):
            page.line(f"  {move.record.id}: waits for unanswered writes of its own, which may still be applied")


def _soak_lines(move: MoveStanding) -> Iterator[str]:
    """How much of the soak is there, and what each gate said last."""
    if move.soak_wanted_seconds is not None:
        healthy = duration(move.record.figures.soak_seconds)
        yield f"healthy for {healthy} of {duration(move.soak_wanted_seconds)}"
    if move.soak_waits is not None and move.soak_waits.lacks:
        yield f"waits for {'; '.join(move.soak_waits.lacks)}"
    for one in move.gates:
        yield f"gate {one.gate} {one.verdict} at {instant(one.at)}: {one.reason}"


def _looked_lines(move: MoveStanding) -> Iterator[str]:
    """Is the target still that customers have left?"""
    if move.looked is not None:
        found = f"{count(move.looked.found)} objects changed there since" if move.looked.found else "it is still"
        yield f"{move.record.target} was left; looked at {instant(move.looked.at)}: {found}; the next run looks again"


def _listed_lines(move: MoveStanding) -> Iterator[str]:
    """Objects that a person should know of: how many of each kind, and some by name."""
    counts = {kind: number for kind, number in sorted(move.listed_counts.items()) if number}
    if not counts:
        return
    yield "listed: " + ", ".join(f"{count(number)} {kind}" for kind, number in counts.items())
    for row in move.listed[:MOST_NAMED]:
        yield f"  {row.kind}: {row.container}/{row.name}: {row.detail}"
    if sum(counts.values()) > MOST_NAMED:
        yield f"  and {count(sum(counts.values()) - MOST_NAMED)} more; status --json names the first {MOST_LISTED}"


def _fence(move: MoveStanding, *, is_at_work: bool) -> str:
    if not is_at_work:
        ago = f" {duration(move.fence_seconds)} ago" if move.fence_seconds is not None else ""
        return (
            f"fenced{ago}, and no run is at work: the guardian frees the writers if it lives; migrate routes shows whether they"
            " wait, and the next apply or rollback frees them first"
        )
    age = f" for {duration(move.fence_seconds)}" if move.fence_seconds is not None else ""
    last = move.record.figures.fence_seconds
    before = f" (the last fence took {duration(last)})" if last is not None else ""
    return f"writers are paused{age}{before}; they go on by themselves at the switch or a release"


def _followers(found: Followers) -> str:
    """Whom a drain waits for, or would."""
    if found.awaited:
        said = f"{len(found.awaited):,} of {found.entered:,} followers have not answered the fence: {first_few(found.awaited)}"
        return f"{said}; without them the drain takes its whole time"
    if found.silent and found.awaited is None:
        said = f"{len(found.silent):,} of {found.entered:,} followers are silent: {first_few(found.silent)}"
        return f"{said}; until they are taken for dead a fence takes its whole drain"
    return ""


def _why(move: MoveStanding) -> str:
    """Of a halt its reason says enough; of a way back it says why, and not what."""
    if move.record.state is MoveState.REVERSED:
        return f"went back: {move.record.reason}"
    is_on_its_way = is_going_back(move.record) and not _is_halted(move)
    return f"goes back: {move.record.reason}" if is_on_its_way else move.record.reason


def _is_halted(move: MoveStanding) -> bool:
    return move.record.state is MoveState.HALTED


def _state(move: MoveStanding) -> str:
    return str(move.record.state)


def _row(move: MoveStanding, rate: float | None) -> tuple[str, ...]:
    record, figures = move.record, move.record.figures
    back = " (back)" if record.direction == "reverse" and not has_arrived(record.state) else ""
    return (
        str(record.id),
        f"{record.state}{back}",
        count(figures.objects_copied),
        size(figures.bytes_copied),
        "—" if rate is None or is_in_fence(record.state) else f"{count(rate)}/s",
        count(figures.objects_deleted),
        _lag(move),
        "—" if move.fence_seconds is None else brief(move.fence_seconds),
        "—" if move.soak_left_seconds is None else brief(move.soak_left_seconds),
    )


def _lag(move: MoveStanding) -> str:
    figures = move.record.figures
    if has_arrived(move.record.state) or not (figures.lag_objects or figures.lag_seconds):
        return "—"
    parts = [count(figures.lag_objects)]
    if figures.lag_bytes:
        parts.append(size(figures.lag_bytes))
    if figures.lag_seconds:
        parts.append(brief(figures.lag_seconds))
    return ", ".join(parts)
