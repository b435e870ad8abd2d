"""What stands against an enforced fence, what it binds, and what it does not: read from the access policies of a source."""

from __future__ import annotations

from typing import Final

from migrator.engine.checks.case import Case
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.moments import Asks, When
from migrator.engine.enforcing import holder_of
from migrator.errors import CloudError
from migrator.machine.policies import can_write
from migrator.model.findings import Finding
from migrator.model.schedule import PlannedMove


async def fences(case: Case) -> list[Finding]:
    found: list[Finding] = []
    for move in case.moves:
        is_enforced = case.schedule.wave_of(move.id).cutover.fence == "access-policy"
        if is_enforced and move.source not in case.ports.unopened:
            try:
                found += await _of_move(case, move)
            except CloudError as fault:
                found.append(Finding("error", "fence-unreadable", str(move.id), fault.message, fault.hint))
    return found


async def _of_move(case: Case, move: PlannedMove) -> list[Finding]:
    schedule, store = case.schedule, case.store(move.source)
    key, holder = str(move.id), holder_of(store)
    if holder is None:
        text = f"the fence of {key} cannot be enforced: {move.source} has no stored access policies that we can prove"
        return [Finding("error", "fence-not-enforceable", key, text)]
    found: list[Finding] = []
    bound: list[str] = []
    for container in [info.name for info in await case.at_source(move) or ()]:
        others = [
            other.name
            for other in schedule.areas.values()
            if other.name != move.id.area and other.prefixes_in(container)
        ]
        if others or move.area.prefixes_in(container) != ("",):
            whose = f"is shared with {', '.join(others)}" if others else "holds more than this area"
            text = f"the fence of {key} cannot be enforced: {move.source}/{container} {whose}, and its policies bind them all"
            found.append(Finding("error", "fence-shared-container", key, text))
            continue
        policies = (await holder.policies(container)).policies
        writing = [one.id for one in policies if can_write(one)]
        silent = [one.id for one in policies if not one.permissions]
        bound += [f"{container}: {id}" for id in writing]
        if silent:
            text = f"policies {', '.join(silent)} of {move.source}/{container} leave the permissions to the signature"
            remedy = "the fence does not bind these signatures; put the permissions into the policies"
            found.append(Finding("warning", "fence-unbound", key, text, remedy))
        if not writing:
            text = f"the fence of {key} binds nobody in {move.source}/{container}: no policy there lets anybody write"
            found.append(Finding("warning", "fence-unbound", key, text))
    if bound:
        text = (
            f"the fence of {key} is enforced for signatures of {', '.join(bound)}; it does not bind account keys, Microsoft"
            " Entra identities, account and user-delegation signatures, and signatures without a policy"
        )
        found.append(Finding("info", "fence-binds", key, text))
    return found


CHECKS: Final = (
    Check(
        (
            Says(
                "fence-binds",
                ("info",),
                "move",
                "whose writes an enforced fence will stop",
                "what is not bound must follow the route",
            ),
            Says(
                "fence-not-enforceable",
                ("error",),
                "move",
                "an account cannot be fenced by its access policies",
                "use an Azure account with its key (credential env:NAME), or cutover.fence: route",
            ),
            Says(
                "fence-shared-container",
                ("error",),
                "move",
                "a container of more than one area cannot be fenced by its access policies",
                "give the area containers of its own, or use cutover.fence: route",
            ),
            Says(
                "fence-unbound",
                ("warning",),
                "move",
                "writers whom an enforced fence does not bind",
                "writers must use signatures of a stored policy",
            ),
            Says("fence-unreadable", ("error",), "move", "the access policies of a container cannot be read"),
        ),
        frozenset({When.PLAN}),
        fences,
        frozenset({Asks.ACCOUNTS}),
    ),
)
