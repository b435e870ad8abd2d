"""One small object each way between the accounts of a move, under a reserved name, and removed again: the canary.

Decides which pairs and which container. ``plan --probe`` sends it before anything begins, so that rights, network and the rung of
the copy ladder are known while there is time to mend them; a run sends it before the first copy of a move, and again before each
fence, because the way back must work while it is not needed yet. Rules: a container that the target lacks is made as apply makes
it, and the finding says so; an account that is not there is not made by a preview; before a fence nothing is made; no object goes
where nobody could remove it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from migrator.engine.checks.canary import PROBES, Way, prove, send, send_read_only
from migrator.engine.checks.case import Case, Proved
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.moments import RUNS, Asks, When
from migrator.engine.leftovers import is_swept, sweep
from migrator.errors import CloudError, JudgementError
from migrator.model.findings import Finding
from migrator.model.objects import ContainerInfo
from migrator.model.schedule import PlannedMove
from migrator.transfer.container_shape import as_made
from migrator.transfer.together import together

NOT_PROBED: Final = "not-probed"


async def probes(case: Case) -> list[Finding]:
    """One finding for each pair of accounts: how copies go, or what refuses them. Pairs that cannot be read are left out.

    Raises:
        CloudError, JudgementError: in a run, whatever refuses a way.
    """
    found: dict[tuple[str, str], Finding] = {}
    for move in case.moves:
        pair = move.source, move.target
        known = found.get(pair)
        if known is not None and known.code != NOT_PROBED:
            continue
        finding = await (_proved(case, move) if case.when in RUNS else _probed(case, move))
        if finding is not None:
            found[pair] = finding
    return [*found.values(), *(_default_tiers(case) if case.when is When.PLAN else ())]


def _default_tiers(case: Case) -> Iterator[Finding]:
    """Objects that nobody gave a tier have their account's, and are billed by it."""
    for proved in case.answers.proved:
        if proved.tiers is not None:
            here, there = proved.tiers
            move = proved.move
            text = (
                f"an object without a tier of its own is {here} at {move.source} and {there} at {move.target}: what it costs"
                " to keep and to read changes"
            )
            yield Finding("warning", "default-tier", f"{move.source} -> {move.target}", text)


async def _proved(case: Case, move: PlannedMove) -> Finding | None:
    container, _ = await _container(case, move)
    if container is None:
        return None
    source, target, clock = case.store(move.source), case.store(move.target), case.ports.clock
    if _reads_only(case, move):
        forward = await prove(clock, move.id, container, source, target, reads_only=True)
        return _told(case, move, container, [forward], made=False)
    swept = all(await together(*(is_swept(store, container) for store in (source, target))))
    if not swept:
        await together(*(sweep(store, container, f"{PROBES}{move.id}/") for store in (source, target)))
    forward = await prove(clock, move.id, container, source, target, is_swept=swept)
    back = await prove(clock, move.id, container, target, source, is_swept=swept)
    return _told(case, move, container, [forward, back], made=False)


async def _probed(case: Case, move: PlannedMove) -> Finding | None:
    here, there = await case.at_source(move), await case.containers(move.target)
    if here is None or there is None:
        return None  # the account has a finding of its own for that
    if not here:
        return _not_probed(move, f"{move.source} has no container of it")
    if move.target in case.answers.absent:
        return _not_probed(move, f"account {move.target} is not there yet")
    free = await _free(case, move)
    if not free:
        return _not_probed(move, "nobody may delete from its containers")
    source, target, clock = case.store(move.source), case.store(move.target), case.ports.clock
    try:
        container, made = await _container(case, move)
    except CloudError as fault:
        return _refused(move, f"{move.target} takes no container {free[0].name}: {fault.message}", fault.hint)
    assert container is not None
    ways = []
    pairs = ((source, target), (target, source))
    for origin, destination in pairs[:1] if _reads_only(case, move) else pairs:
        try:
            way = send_read_only if _reads_only(case, move) else send
            ways.append(await way(clock, f"{PROBES}{move.id}/", container, origin, destination))
        except (CloudError, JudgementError) as fault:
            text = f"the probe {origin.account} -> {destination.account} failed: {fault.message}"
            return _refused(move, text + _made(move, container, made=made), fault.hint)
    return _told(case, move, container, ways, made=made)


async def _container(case: Case, move: PlannedMove) -> tuple[str | None, bool]:
    """The first container of the area that both accounts have, else the first one, made at the target now (True); None if there
    is none from which an object can be removed again."""
    free = await _free(case, move)
    there = {info.name for info in await case.containers(move.target) or ()}
    common = next((info.name for info in free if info.name in there), None)
    if common is not None or not free or case.when is When.FENCE:
        return common, False
    with case.making(free[0].name):
        keeps = case.schedule.public_access == "keep"
        await case.store(move.target).create_container(as_made(free[0], keeps_public_access=keeps))
    return free[0].name, True


async def _free(case: Case, move: PlannedMove) -> list[ContainerInfo]:
    """The containers of the area where neither account keeps what nobody may delete."""
    here = await case.at_source(move) or []
    kept = {info.name for info in await case.containers(move.target) or () if info.is_protected}
    return [info for info in here if not info.is_protected and info.name not in kept]


def _reads_only(case: Case, move: PlannedMove) -> bool:
    return case.schedule.wave_of(move.id).cutover.canary == "target-only"


def _told(case: Case, move: PlannedMove, container: str, ways: Sequence[Way], *, made: bool) -> Finding:
    """``ways``: forward and, unless the source may only be read, back."""
    forward, *back = ways
    found = Proved(
        move,
        container,
        str(forward),
        "".join(map(str, back)),
        made=made,
        tiers=forward.tiers if forward.changes_tier else None,
        copy_seconds=forward.copy_seconds,
    )
    case.answers.proved.append(found)
    back_in_words = f" and back ({found.back}), and was removed" if found.back else "; the way back was not tried"
    text = f"a probe went {move.source} -> {move.target} ({found.forward}){back_in_words}"
    return Finding(
        "info", "probed", f"{move.source} -> {move.target}", text + _made(move, found.container, made=found.made)
    )


def _made(move: PlannedMove, container: str, *, made: bool) -> str:
    return f"; {container} was made at {move.target} for it" if made else ""


def _refused(move: PlannedMove, text: str, hint: str) -> Finding:
    return Finding("error", "probe-failed", str(move.id), text, hint)


def _not_probed(move: PlannedMove, why: str) -> Finding:
    return Finding("info", NOT_PROBED, str(move.id), f"the way of {move.id} was not probed: {why}")


def unproved(case: Case) -> list[Finding]:
    """What the plan asks for, with what it costs."""
    found = []
    for move in case.moves or case.schedule.moves:
        if _reads_only(case, move):
            text = f"the way back of {move.id} is not proved before its cut-over: nothing is written to {move.source}"
            found.append(Finding("warning", "way-back-unproved", str(move.id), f"{text} (cutover.canary: target-only)"))
    return found


CHECKS: Final = (
    Check(
        (
            Says(
                "way-back-unproved",
                ("warning",),
                "move",
                "nothing is written to a source that may only be read, so its way back is not proved before the cut-over",
                "take cutover.canary out of the plan if the source may be written; else a way back begins with granting that",
            ),
        ),
        frozenset({When.VALIDATE, When.PLAN}),
        unproved,
    ),
    Check(
        (
            Says(
                "not-probed",
                ("info",),
                "move",
                "a way between two accounts was not probed, and why",
                "apply proves both ways before it copies",
            ),
            Says("probe-failed", ("error",), "move", "a probe between two accounts was refused"),
            Says(
                "default-tier",
                ("warning",),
                "two accounts",
                "objects that nobody gave a tier are in another one at the target, which has another default",
                "give the target account the source's default access tier, or leave it if that is meant",
            ),
            Says("probed", ("info",), "two accounts", "a probe went there and back, and how"),
        ),
        frozenset({When.PLAN, When.PREFLIGHT, When.FENCE}),
        probes,
        frozenset({Asks.ACCOUNTS, Asks.WRITES}),
    ),
)
