"""``migrate status --watch``: look again and again, show what changed.

Leaves the looks themselves to ``views.status``. On a terminal the page is painted over itself; elsewhere a page (or one JSON
document a line) is printed whenever something changed.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
import time
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Final

from migrator.adapters.clock import SystemClock
from migrator.cli.doors import Doors
from migrator.cli.exits import ExitCode
from migrator.cli.loading import KnownRollout, known_rollout
from migrator.cli.looking import look
from migrator.cli.settings import Settings
from migrator.cli.streams import require_reader
from migrator.cli.views import status
from migrator.cli.views import whereabouts as where_view
from migrator.cli.views.board import board_of
from migrator.cli.views.documents import event_line
from migrator.cli.views.screen import Page
from migrator.cli.views.watched import Watched
from migrator.cli.whereabouts import whereabouts
from migrator.engine.pulse import Pulse
from migrator.standing.values import Standing, within
from migrator.standing.whereabouts import Whereabouts

INTERVAL_SECONDS: Final = 2.0
_HOME, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
_CLEAR: Final = "\x1b[2J"
_STYLE: Final = re.compile(r"\x1b\[[0-9;]*m")


def watch_status(
    settings: Settings, plan: Path | None, *, as_json: bool, wave: str | None = None, region: str | None = None
) -> ExitCode:
    """Look until Ctrl-C. The plan is read once; a state store that is not there yet is looked for again and again."""
    watch = _StatusWatch(
        settings, is_terminal=sys.stdout.isatty() and not as_json, as_json=as_json, wave=wave, region=region
    )
    if watch.is_terminal:
        sys.stdout.write(_CLEAR)
    try:
        while True:
            with known_rollout(settings, plan) as rollout, Doors(rollout.schedule) as doors:
                watch.look(doors, rollout)
                while rollout.store is not None:
                    time.sleep(INTERVAL_SECONDS)
                    watch.look(doors, rollout)
            time.sleep(INTERVAL_SECONDS)
    except KeyboardInterrupt:
        if watch.is_terminal:
            sys.stdout.write("\n")  # the prompt begins on a line of its own
        return ExitCode.INTERRUPTED


@dataclass(slots=True)
class _StatusWatch:
    """What is remembered from look to look: rates, and what was printed last."""

    settings: Settings
    is_terminal: bool
    as_json: bool
    wave: str | None = None
    region: str | None = None
    watched: Watched = field(default_factory=Watched)
    last: str = ""
    pulse: Pulse = field(default_factory=lambda: Pulse(SystemClock()))

    def look(self, doors: Doors, rollout: KnownRollout) -> None:
        require_reader()  # nothing may be printed for hours, so that nobody would notice
        standing, action = look(doors, rollout, self.pulse)
        standing = within(standing, self.wave, self.region)
        where = whereabouts(self.settings, None if rollout.call == "PLAN" else rollout.schedule, rollout.store)
        self.watched.look(standing)
        if self.is_terminal:
            _paint(self.watched, standing, action, self.settings, where)
            return
        body = status.document(standing, next_action=action) | {"state_store": where_view.document(where)}
        key = event_line({**body, "forecast": None})  # its dates move with the clock, and that is no change
        if key == self.last:
            return
        self.last = key
        if self.as_json:
            print(event_line(body), flush=True)
        else:
            rates = self.watched.rates(standing.now)
            status.show(standing, self.settings, next_action=action, rates=rates, state=where_view.lines(where))
            print(flush=True)


class _Frame(io.StringIO):
    """A page in memory that is laid out as on the terminal."""

    def isatty(self) -> bool:
        return True


def _paint(watched: Watched, standing: Standing, action: str, settings: Settings, where: Whereabouts) -> None:
    frame, screen = _Frame(), shutil.get_terminal_size()
    page = Page(settings, frame)
    board = board_of(
        watched.waves(standing.now), standing, width=page.width, height=screen.lines // 2, says_who_acts=False
    )
    status.write(page, standing, next_action=action, rates={}, state=where_view.lines(where), board=board)
    lines = fitting(frame.getvalue().splitlines(), screen.lines, screen.columns)
    sys.stdout.write(_HOME + "".join(f"{line}{_REST_OF_LINE}\n" for line in lines) + _REST_OF_SCREEN)
    sys.stdout.flush()


def fitting(lines: list[str], height: int, columns: int = 80) -> list[str]:
    """As many lines as a screen of ``height`` takes, the cursor's own included; what to do next, the last line and what it was
    broken into, always stays. A line that is wider than the screen takes the rows that the terminal breaks it into."""
    from rich.cells import cell_len

    rows = [max(1, ceil(cell_len(_plain(line)) / columns)) for line in lines]
    room = height - 1
    if sum(rows) <= room:
        return lines
    last = next((place for place in range(len(lines) - 1, 0, -1) if not _plain(lines[place]).startswith(" ")), 0)
    space = room - 1 - sum(rows[last:])
    if space < 0:
        return lines[: max(0, room)]  # a screen of a few lines
    kept = 0
    while kept < last and sum(rows[: kept + 1]) <= space:
        kept += 1
    return [*lines[:kept], f"({last - kept} more lines: a taller terminal shows them)", *lines[last:]]


def _plain(line: str) -> str:
    return _STYLE.sub("", line)
