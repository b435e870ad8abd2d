"""The entry of a worker's process: ``python -m migrator.cli.worker``, started by the engine, never by a person.

Like ``wiring`` it only chooses; what a worker does is in ``migrator.adapters.workers.worker``.
"""

from __future__ import annotations

from migrator.adapters.clock import SystemClock
from migrator.adapters.workers.worker import main
from migrator.cli import wiring
from migrator.transfer.looking import look

if __name__ == "__main__":
    main(wiring.open_account, SystemClock(), look, wiring.run_async)
