"""``migrate rehearse``: a whole plan carried out on embedded accounts, weeks in minutes, there and back.

The engine is the real one, with its law, fences, gates and journal; accounts, routes, metrics, customers and the clock are made
here. Nothing is asked of any account, and no credential is needed.

- ``estate.py``: the plan's accounts, filled to a scaled inventory
- ``modelled.py``: metrics as the plan's ``traffic`` makes them
- ``customers.py``: one writer a move, and what became of every write
- ``play.py``: the operator, who approves, starts runs again, and goes back at the end
- ``told.py``: what came of it, as values; the views make words of them
"""

from migrator.testing.rehearsal.play import Manner, rehearse
from migrator.testing.rehearsal.told import Obstacle, Rehearsal, RehearsedMove, RehearsedWave

__all__ = ["Manner", "Obstacle", "Rehearsal", "RehearsedMove", "RehearsedWave", "rehearse"]
