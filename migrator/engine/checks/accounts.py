"""Both sides of every move, read and never written: what is there, what is missing, what cannot be kept.

Decides what is worth a finding on an account. Leaves asking and counting to ``case``. Rules: an account that cannot be read is
one finding, however many moves it has, and the others are looked at all the same; what was not looked for is said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import Any, Final

from migrator.engine.checks.case import LISTED_AT_ONCE, Case
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.moments import Asks, When
from migrator.engine.checks.routes import disagreement_of
from migrator.errors import NotFound
from migrator.kinds import ACCOUNTS
from migrator.machine.states import is_before_copy
from migrator.model.findings import Finding
from migrator.model.names import RESERVED_PREFIX, Area, MoveId
from migrator.model.objects import FEATURES, Listed
from migrator.model.schedule import PlannedMove
from migrator.model.values import replace
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import StateStore
from migrator.transfer.lanes import side_by_side
from migrator.transfer.together import together

PAGES_ASKED: Final = 20
"""Of a container whose area is empty; the full inventory counts all."""

WEBSITE: Final = "$web"
OWN_CONTAINERS: Final = frozenset({"$logs", "$blobchangefeed"})
"""What the service itself writes; ``$web`` and ``$root`` hold customers' objects.
Source: Azure "Storage Analytics logging", "Change feed support"."""


def of_moves(
    judge: Callable[[Case, PlannedMove], Coroutine[Any, Any, Sequence[Finding]]],
) -> Callable[[Case], Awaitable[list[Finding]]]:
    """A check of one move, for all of the case side by side; its findings by subject."""

    async def run(case: Case) -> list[Finding]:
        found = await together(*(judge(case, move) for move in case.moves))
        return sorted((one for some in found for one in some), key=lambda one: one.subject)

    return run


async def missing(case: Case, move: PlannedMove) -> list[Finding]:
    """Containers that the area names, or any that its glob means."""
    there = await case.at_source(move)
    if there is None:
        return []
    present, found = {info.name for info in there}, []
    for selector in move.area.selectors:
        if not selector.is_glob and selector.container not in present:
            text = f"the container {selector.container} is not at {move.source}"
            remedy = "create it, or take it out of the area"
            found.append(Finding("error", "missing-container", str(move.id), text, remedy))
        elif selector.is_glob and not _is_known_empty(move) and not any(map(selector.takes_container, present)):
            text = f"no container of {move.source} is named like {selector.container}"
            found.append(Finding("error", "missing-container", str(move.id), text, _remedy(move)))
    return found


async def empty(case: Case, move: PlannedMove) -> list[Finding]:
    """An area of which nothing was found, before its first copy. Where its containers hold objects that are in no area,
    the area is most likely written wrong, and its customers would be sent to an account without their data."""
    there, counted = await case.at_source(move), case.answers.inventories.get(move.id)
    if counted is None or counted.objects or not there or _is_known_empty(move) or _has_begun(case.state, move.id):
        return []
    areas = [other.area for other in case.schedule.moves if other.source == move.source]
    with case.reading(move.source):
        for info in there:
            name = await _first_of_nobody(case.store(move.source), info.name, areas)
            if name is not None:
                text = (
                    f"nothing at {move.source} is in area {move.id.area}, but {info.name} holds objects of no area, such as"
                    f" {name}"
                )
                return [Finding("error", "empty-area", str(move.id), text, _remedy(move))]
        text = f"nothing at {move.source} is in area {move.id.area}"
        return [Finding("warning", "empty-area", str(move.id), text, _remedy(move))]
    return []


def unkept(case: Case) -> Iterator[Finding]:
    """What cannot be kept is said with counts, never lost in silence. Archived blobs, and those under a key that only their
    customer has, cannot even be read."""
    found = [
        _unkept(move, place, kind, number, features.named.get(kind, ()))
        for move in case.moves
        for place, features in case.answers.features.get(move.id, {}).items()
        for kind in FEATURES
        if (number := getattr(features, kind))
    ]
    yield from sorted(found, key=lambda one: (one.code, one.subject))


def _unkept(move: PlannedMove, place: str, kind: str, number: int, names: Sequence[str]) -> Finding:
    finding = _counted(move, place, kind, number)
    return replace(finding, text=f"{finding.text} (such as {', '.join(names)})") if names else finding


def _counted(move: PlannedMove, place: str, kind: str, number: int) -> Finding:
    if kind == "archived":
        text = f"{place} has {number:,} archived blobs, which cannot be copied"
        return Finding("error", "archived", str(move.id), text)
    if kind == "customer_keyed":
        text = f"{place} has {number:,} blobs that are encrypted with a key of their customer's, which cannot be read"
        return Finding("error", "customer-keyed", str(move.id), text)
    if kind == "tagged":
        text = f"{place} has {number:,} blobs with tags that its credential may not read"
        return Finding("error", "tags-unreadable", str(move.id), text)
    if kind == "directories":
        text = (
            f"{place} has {number:,} directories: its account has a hierarchical namespace, whose blobs cannot be moved"
        )
        return Finding("error", "directories", str(move.id), text)
    if kind == "long_addressed":
        text = f"{place} has {number:,} blobs whose address is too long for a copy by the service: they go through this machine"
        return Finding("warning", "long-address", str(move.id), text)
    text = f"{place} has {number:,} {kind.replace('_', ' ')} that a move does not keep"
    return Finding("warning", f"not-kept-{kind}", str(move.id), text)


async def occupied(case: Case, move: PlannedMove) -> list[Finding]:
    """Before its first copy nothing may lie where the move writes. A target that customers use by now is not one to be emptied:
    what its route says is said instead."""
    if _has_begun(case.state, move.id):
        return []
    here, there = await case.at_source(move), await case.containers(move.target)
    holding = {info.name for info in there or ()}
    shared = sorted({info.name for info in here or ()} & holding)
    places = [(container, prefix) for container in shared for prefix in move.area.prefixes_in(container)]
    with case.reading(move.target):
        found = await side_by_side(places, lambda place: _must_be_empty(case, move, place), most=LISTED_AT_ONCE)
    return [finding for one in found for finding in one]


async def _must_be_empty(case: Case, move: PlannedMove, place: tuple[str, str]) -> list[Finding]:
    container, prefix = place
    page = await case.store(move.target).page(container, prefix=prefix, limit=10)
    lying = [blob for blob in page.entries if not blob.name.startswith(RESERVED_PREFIX)]
    if not lying:
        return []
    where = f"{container} under {prefix}" if prefix else container
    if await _is_one_account(case, move, container, lying):
        text = f"{move.source} and {move.target} show the same objects in {where}, with the same ETags: they are one account"
        return [Finding("error", "same-account", str(move.id), text)]
    if case.read_routes is not None and disagreement_of(case, move):
        return []
    return [Finding("error", "target-not-empty", str(move.id), f"{move.target} already holds objects in {where}")]


async def _is_one_account(case: Case, move: PlannedMove, container: str, lying: Sequence[Listed]) -> bool:
    """Does the source show the very generations that the target shows? It tells only of kinds whose ETags no two accounts share;
    of the others the plan tells the places apart."""
    pair = (case.schedule.accounts[move.source], case.schedule.accounts[move.target])
    if not all(ACCOUNTS[account.kind].has_unique_etags for account in pair):
        return False
    store = case.store(move.source)
    for blob in lying:
        try:
            if (await store.head(container, blob.name)).etag != blob.etag:
                return False
        except NotFound:
            return False
    return True


async def nobodys(case: Case) -> list[Finding]:
    """Objects of a source that are in no area would stay behind: counted, by container."""
    if case.mode != "full":
        return []
    found = await together(*(_nobodys_of(case, source) for source in sorted({move.source for move in case.moves})))
    return [one for some in found for one in some]


async def _nobodys_of(case: Case, source: str) -> list[Finding]:
    areas = [move.area for move in case.schedule.moves if move.source == source]
    routing = (case.schedule.routing.account, case.schedule.routing.container)
    found = []
    with case.reading(source):
        for info in await case.containers(source) or ():
            is_whole = any("" in area.prefixes_in(info.name) for area in areas)
            if is_whole or (source, info.name) == routing or info.name in OWN_CONTAINERS:
                continue
            objects, size, idle = await _left_behind(case.store(source), info.name, areas)
            if objects:
                text = f"{source}/{info.name} has {objects:,} objects ({size:,} bytes) that are in no area; they stay"
                if idle:
                    text += f", and nothing in it begins with {', '.join(idle[:3])}, as an area has it"
                is_website = info.name == WEBSITE
                remedy = "a static website stays behind; move it, and its settings, by other means if it belongs here"
                found.append(Finding("warning", "in-no-area", source, text, remedy if is_website else ""))
    return found


def not_looked_for(case: Case) -> Iterator[Finding]:
    if case.mode != "full":
        text = (
            "what a move cannot keep (snapshots, versions, leases, archived blobs) was not looked for now"
            f" (inventory: {case.mode})"
        )
        yield Finding("info", "not-looked-for", "accounts", text)


def unreadable(case: Case) -> Iterator[Finding]:
    for account, fault in sorted(case.answers.faults.items()):
        yield Finding("error", "unreadable", account, fault.message, fault.hint)


async def _left_behind(store: ObjectStore, container: str, areas: Sequence[Area]) -> tuple[int, int, list[str]]:
    """Objects of no area, their bytes, and prefixes of areas that no object of the container has: they were meant for others."""
    objects = size = 0
    idle = {prefix for area in areas for prefix in area.prefixes_in(container)}
    marker: str | None = None
    while True:
        page = await store.page(container, marker=marker)
        for blob in page.entries:
            mine = any(area.takes(container, blob.name) for area in areas)
            idle -= {prefix for prefix in idle if blob.name.startswith(prefix)} if mine else set()
            if not mine and not blob.name.startswith(RESERVED_PREFIX):
                objects, size = objects + 1, size + blob.size
        if page.marker is None:
            return objects, size, sorted(idle)
        marker = page.marker


async def _first_of_nobody(store: ObjectStore, container: str, areas: Sequence[Area]) -> str | None:
    """The name of an object that is in no area, among the first ``PAGES_ASKED`` pages."""
    marker: str | None = None
    for _ in range(PAGES_ASKED):
        page = await store.page(container, marker=marker)
        for blob in page.entries:
            is_reserved = blob.name.startswith(RESERVED_PREFIX)
            if not is_reserved and not any(area.takes(container, blob.name) for area in areas):
                return blob.name
        if page.marker is None:
            return None
        marker = page.marker
    return None


def _is_known_empty(move: PlannedMove) -> bool:
    """The plan's own word: `inventory: {AREA: {objects: 0}}`."""
    return move.declared is not None and move.declared.objects == 0


def _has_begun(state: StateStore, move: MoveId) -> bool:
    """A move that went back and may go on stands before its first copy again, but what lies at its target is its own."""
    record = state.move(move)
    if record is None:
        return False
    return not is_before_copy(record.state) or bool(state.containers_with_ranges(move))


def _remedy(move: PlannedMove) -> str:
    return (
        f"look at the area's containers and prefixes, which are taken as they stand; if it is empty and shall move so, write"
        f" `inventory: {{{move.id.area}: {{objects: 0}}}}` into region {move.id.region}"
    )


_KEEP_THE_SOURCE: Final = "keep the source until they are not needed"
_END_LEASES: Final = "end those leases before a way back: nobody else may write a blob of the source that is leased"


def _not_kept(kind: str, text: str, remedy: str = _KEEP_THE_SOURCE) -> Says:
    return Says(f"not-kept-{kind}", ("warning",), "move", text, remedy)


UNKEPT_KINDS: Final = (
    Says(
        "archived",
        ("error",),
        "move",
        "archived blobs cannot be read, so they cannot be copied",
        "rehydrate them, or leave them out of the area",
    ),
    Says(
        "customer-keyed",
        ("error",),
        "move",
        "blobs that a customer encrypted with a key of his own cannot be read, so they cannot be copied",
        "let their customer write them again without such a key, or leave them out of the area",
    ),
    Says(
        "tags-unreadable",
        ("error",),
        "move",
        "blobs have tags that the credential may not read, so they would be copied without them",
        "grant it the role Storage Blob Data Owner, or the action containers/blobs/tags/read (a signature: the letter t)",
    ),
    Says(
        "directories",
        ("error",),
        "move",
        "directories are listed, so the account has a hierarchical namespace (Data Lake), whose blobs cannot be moved",
        "move it with tools for Data Lake",
    ),
    Says(
        "long-address",
        ("warning",),
        "move",
        "blobs have names so long that no service copies from their address, so their bytes go through this machine",
        "nothing is lost; run migrate near the accounts, and expect their bytes to be billed as egress",
    ),
    _not_kept("encryption_scoped", "an object's encryption scope is not kept"),
    _not_kept("immutable", "an object's immutability policy or legal hold is not kept"),
    _not_kept("leased", "an object's lease is not kept", _END_LEASES),
    _not_kept("snapshots", "snapshots are not kept"),
    _not_kept("versions", "earlier versions are not kept"),
)
_LOOK: Final = frozenset({When.PLAN})
_READS: Final = frozenset({Asks.STATE, Asks.ACCOUNTS, Asks.LISTINGS})
CHECKS: Final = (
    Check(UNKEPT_KINDS, _LOOK, unkept, _READS),
    Check(
        (
            Says(
                "empty-area",
                ("warning", "error"),
                "move",
                "a source holds nothing of an area; an error where its containers hold objects that are in no area",
            ),
        ),
        _LOOK,
        of_moves(empty),
        _READS,
    ),
    Check(
        (
            Says(
                "in-no-area",
                ("warning",),
                "account",
                "a source holds objects that no area of the plan names; they stay where they are",
                "add them to an area if they belong to one",
            ),
        ),
        _LOOK,
        nobodys,
        _READS,
    ),
    Check(
        (
            Says(
                "missing-container",
                ("error",),
                "move",
                "a container that an area names, or any that its glob means, is not at the source",
            ),
        ),
        _LOOK | {When.PREFLIGHT},
        of_moves(missing),
        frozenset({Asks.ACCOUNTS}),
    ),
    Check(
        (
            Says(
                "not-looked-for",
                ("info",),
                "accounts",
                "objects were not counted, so what a move cannot keep was not looked for",
                "`migrate plan PLAN` looks for it, unless it has",
            ),
        ),
        _LOOK,
        not_looked_for,
        _READS,
    ),
    Check(
        (
            Says(
                "same-account",
                ("error",),
                "move",
                "the source and the target of a move are one account under two addresses",
                "name another target, and remove nothing: what lies there is the source's own data",
            ),
            Says(
                "target-not-empty",
                ("error",),
                "move",
                "a target already holds objects where a move would write",
                "name another target; or find out whose they are, and move them away if nobody uses them: migrate"
                " overwrites nothing that it did not copy",
            ),
        ),
        _LOOK,
        of_moves(occupied),
        _READS,
    ),
    Check((Says("unreadable", ("error",), "account", "an account cannot be read"),), _LOOK, unreadable, _READS),
)
