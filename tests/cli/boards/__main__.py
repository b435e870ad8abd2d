"""See the package."""

from __future__ import annotations

import sys

from rich.live import Live

from migrator.cli.settings import Settings
from migrator.cli.views.board import rendered
from migrator.cli.views.screen import console
from tests.cli.boards import BOTH, board, kept_at, picture


def main(name: str) -> None:
    if name == "--rewrite":
        for rollout, width in BOTH:
            for has_color in (False, True):
                kept_at(rollout, width, has_color=has_color).write_text(picture(rollout, width, has_color=has_color))
        return
    screen = console(Settings())
    with Live(console=screen, auto_refresh=False) as live:
        live.update(rendered(board(name, screen.width)), refresh=True)
        sys.stdin.readline()


if __name__ == "__main__":
    main(sys.argv[1])
