"""One run: a shape is planned and applied as an operator does it, and what was forecast is held against what came of it.

Decides which figures are compared: those of ``apply``'s own record of the wave, made before it began and at its end.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from migrator.adapters.state import open_store
from migrator.forecast.outcome import Comparison, from_evidence
from migrator.standing.outcome import OUTCOME
from tests.forecasts.shapes import SHAPES

WAVE: Final = "all"


def one_run(shape: str, folder: Path) -> Comparison:
    """Raises RuntimeError if it does not come to its end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with SHAPES[shape](folder) as stage:
        done = stage.migrate("apply", "plan.yaml", "--yes")
        (folder / "apply.txt").write_text(done.stdout + done.stderr)
        if done.returncode:
            raise RuntimeError(f"apply of {shape} ended with {done.returncode}: {done.stderr[-800:]}")
        stage.migrate("history", "plan.yaml")
    found = from_evidence(record_of(folder).get(OUTCOME, {}))
    if found is None:
        raise RuntimeError(f"no outcome of {shape} is on record")
    return found


def record_of(folder: Path) -> Any:
    """The forecast that the wave keeps."""
    with closing(open_store(f"sqlite:///{folder}/state/migrator.db", "forecast", create=False)) as state:
        return next(one.forecast for one in state.waves() if one.name == WAVE)
