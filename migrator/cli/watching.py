"""``migrate status --watch``: look again and again, show what changed.

Leaves the looks themselves to ``views.status``. On a terminal the page is painted over itself; elsewhere a page (or one JSON
document a line) is printed whenever something changed.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from migrator.cli.exits import ExitCode
from migrator.cli.identity import is_proven_dead
from migrator.cli.loading import Rollout
from migrator.cli.settings import Settings
from migrator.cli.situation import Situation, assess, next_action
from migrator.cli.views import status
from migrator.cli.views.documents import event_line
from migrator.cli.views.live import Rates
from migrator.cli.views.screen import Page

INTERVAL_SECONDS: Final = 2.0
_HOME, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
_CLEAR: Final = "\x1b[2J"


def look(rollout: Rollout) -> tuple[Situation, str]:
    """How the rollout stands now, and the next safe action."""
    situation = assess(
        rollout.name, schedule=rollout.schedule, store=rollout.store, now=datetime.now(UTC), is_dead=is_proven_dead
    )
    return situation, next_action(situation, rollout.call)


def watch_status(rollout: Rollout, settings: Settings, *, as_json: bool) -> ExitCode:
    """Look until Ctrl-C."""
    rates, last = Rates(), ""
    is_terminal = sys.stdout.isatty() and not as_json
    if is_terminal:
        sys.stdout.write(_CLEAR)
    try:
        while True:
            situation, action = look(rollout)
            _note_rates(rates, situation)
            body = event_line(status.document(situation))
            if is_terminal:
                _paint(situation, action, rates.known, settings)
            elif body != last:
                last = body
                if as_json:
                    print(body, flush=True)
                else:
                    status.show(situation, settings, next_action=action, rates=rates.known)
                    print(flush=True)
            time.sleep(INTERVAL_SECONDS)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def _note_rates(rates: Rates, situation: Situation) -> None:
    for move in situation.moves:
        rates.add(str(move.record.id), situation.now.timestamp(), float(move.record.figures.objects_copied))


class _Frame(io.StringIO):
    """A page in memory that is laid out as on the terminal."""

    def isatty(self) -> bool:
        return True


def _paint(situation: Situation, action: str, rates: Mapping[str, float], settings: Settings) -> None:
    frame = _Frame()
    status.write(Page(settings, frame), situation, next_action=action, rates=rates)
    lines = frame.getvalue().replace("\n", f"{_REST_OF_LINE}\n")
    sys.stdout.write(f"{_HOME}{lines}{_REST_OF_SCREEN}")
    sys.stdout.flush()
