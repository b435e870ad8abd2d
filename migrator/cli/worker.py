"""The entry of a worker's process: ``python -m migrator.cli.hand``, started by the engine, never by a person.

Like ``wiring`` it only chooses; what a hand does is in ``migrator.adapters.workers.hand``.
"""

from __future__ import annotations

from migrator.adapters.clock import SystemClock
from migrator.adapters.workers.hand import main
from migrator.cli import wiring

if __name__ == "__main__":
    main(wiring.open_account, SystemClock(), wiring.run_async)
