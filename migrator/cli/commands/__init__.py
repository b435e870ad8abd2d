"""One module a verb: its arguments, the call, and which view shows the answer. A verb whose work nobody else does is a folder,
and the work beside it is loaded when it runs.

``register`` is the list of what there is. A verb that cannot work yet is not in it, so ``--help`` never shows a stub.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import typer

from migrator.cli.commands import (
    apply,
    approve,
    doctor,
    history,
    hold,
    init,
    pause,
    plan,
    prove,
    rehearse,
    release,
    report,
    retire,
    retry,
    rollback,
    routes,
    sample,
    schema,
    state,
    status,
    throttle,
    traffic,
    unlock,
    unpause,
    validate,
    verify,
)

LOOK: Final = "Look"
PREPARE: Final = "Prepare"
ACT: Final = "Act"
STEER: Final = "Steer a running apply"


def register(app: typer.Typer) -> None:
    """Add every command to ``app``, in the order an operator meets them."""
    panels: dict[str, dict[str, Callable[..., int]]] = {
        PREPARE: {
            "init": init.init,
            "validate": validate.validate,
            "sample": sample.sample,
            "schema": schema.schema,
            "prove": prove.prove,
            "rehearse": rehearse.rehearse,
        },
        ACT: {
            "plan": plan.plan,
            "apply": apply.apply,
            "rollback": rollback.rollback,
            "retry": retry.retry,
            "retire": retire.retire,
        },
        LOOK: {
            "status": status.status,
            "doctor": doctor.doctor,
            "history": history.history,
            "routes": routes.routes,
            "traffic": traffic.traffic,
            "verify": verify.verify,
            "report": report.report,
        },
        STEER: {
            "approve": approve.approve,
            "hold": hold.hold,
            "release": release.release,
            "pause": pause.pause,
            "unpause": unpause.unpause,
            "throttle": throttle.throttle,
            "unlock": unlock.unlock,
            "state": state.state,
        },
    }
    for panel, verbs in panels.items():
        for name, function in verbs.items():
            app.command(name, rich_help_panel=panel)(function)
