"""``plan --probe``: one small object each way between the accounts of every move, under a reserved name, and removed again.

Decides only which pairs and which container. It is the canary of the preflight, sent before anything begins, so that rights,
network and the rung of the copy ladder are known while there is time to mend them. Rule: a container that the target lacks is
made as apply makes it, and the finding says so; an account that is not there is not made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from migrator.engine.steps.canary import PROBES, send
from migrator.engine.world import World
from migrator.errors import CloudError, JudgementError, NotFound
from migrator.model.findings import Finding
from migrator.model.schedule import PlannedMove
from migrator.transfer.container_shape import as_made

NOT_PROBED: Final = "not-probed"


async def probe(world: World, moves: Sequence[PlannedMove], *, keeps_public_access: bool = True) -> list[Finding]:
    """One finding for each pair of accounts: how copies go, or what refuses them. Pairs that cannot be read are left out."""
    found: dict[tuple[str, str], Finding] = {}
    for move in moves:
        pair = move.source, move.target
        known = found.get(pair)
        if world.unopened.keys() & set(pair) or (known is not None and known.code != NOT_PROBED):
            continue
        try:
            found[pair] = await _pair(world, move, keeps_public_access=keeps_public_access)
        except CloudError:
            continue  # the look has its own finding for that
    return list(found.values())


async def _pair(world: World, move: PlannedMove, *, keeps_public_access: bool) -> Finding:
    """In the first container of the area, one that both accounts have if there is one."""
    here = [one for one in await world.stores[move.source].containers() if move.area.prefixes_in(one.name)]
    try:
        there = {info.name for info in await world.stores[move.target].containers()}
    except NotFound:
        return _not_probed(move, f"account {move.target} is not there yet")
    if not here:
        return _not_probed(move, f"{move.source} has no container of it")
    common = next((one for one in here if one.name in there), None)
    if common is not None:
        return await _probed(world, move, common.name, made="")
    try:
        await world.stores[move.target].create_container(as_made(here[0], keeps_public_access=keeps_public_access))
    except CloudError as fault:
        return _refused(move, f"{move.target} takes no container {here[0].name}: {fault.message}", fault.hint)
    return await _probed(world, move, here[0].name, made=f"; {here[0].name} was made at {move.target} for it")


async def _probed(world: World, move: PlannedMove, container: str, *, made: str) -> Finding:
    source, target = world.stores[move.source], world.stores[move.target]
    prefix = f"{PROBES}{move.id}/"
    ways = []
    for origin, destination in ((source, target), (target, source)):
        try:
            ways.append(await send(world.clock, prefix, container, origin, destination))
        except (CloudError, JudgementError) as fault:
            text = f"the probe {origin.account} -> {destination.account} failed: {fault.message}{made}"
            return _refused(move, text, fault.hint)
    text = f"a probe went {move.source} -> {move.target} ({ways[0]}) and back ({ways[1]}), and was removed{made}"
    return Finding("info", "probed", f"{move.source} -> {move.target}", text)


def _refused(move: PlannedMove, text: str, hint: str) -> Finding:
    return Finding("error", "probe-failed", str(move.id), text, hint)


def _not_probed(move: PlannedMove, why: str) -> Finding:
    text = f"the way of {move.id} was not probed: {why}"
    return Finding("info", NOT_PROBED, str(move.id), text, "apply proves both ways before it copies")
