"""Both sides of every move, read and never written: what is there, what is missing, what cannot be kept.

Decides what is worth a finding on an account. Leaves counting to ``inventory``. Rules: an account that cannot be read is one
finding, however many moves it has, and the others are looked at all the same; what was not looked for is said.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from migrator.engine.checks import containers, ways
from migrator.engine.inventory import sample, survey
from migrator.engine.world import World
from migrator.errors import CloudError, NotFound
from migrator.forecast.inventory import Inventory, summed
from migrator.kinds import ACCOUNTS
from migrator.machine.states import is_before_copy
from migrator.model.findings import Finding
from migrator.model.names import RESERVED_PREFIX, Area, MoveId
from migrator.model.objects import ContainerInfo, Features, Listed
from migrator.model.schedule import Account, PlannedMove, Schedule
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import StateStore

InventoryMode = Literal["full", "sample", "cached"]
UNREADABLE: Final = "unreadable"
PAGES_ASKED: Final = 20
"""Of a container whose area is empty; the full inventory counts all."""

UNKEPT = {"sealed": "seals of append blobs", "sequence_numbers": "sequence numbers of page blobs"}
"""What is lost, where the name of its count does not say it."""
WEBSITE = "$web"
OWN_CONTAINERS = frozenset({"$logs", "$blobchangefeed"})
"""What the service itself writes; ``$web`` and ``$root`` hold customers' objects.
Source: Azure "Storage Analytics logging", "Change feed support"."""


@dataclass(slots=True)
class Seen:
    """``inventories``: of moves whose source was counted or sampled; ``containers``: by source account, those the plan moves;
    ``features``: by ``account/container``, what a move cannot keep (kinds, no counts)."""

    findings: list[Finding] = field(default_factory=list)
    inventories: dict[MoveId, Inventory] = field(default_factory=dict)
    containers: dict[str, set[str]] = field(default_factory=dict)
    features: dict[str, tuple[str, ...]] = field(default_factory=dict)


async def look(schedule: Schedule, world: World, moves: Sequence[PlannedMove], mode: InventoryMode) -> Seen:
    """Look at the accounts of ``moves``."""
    seen = Seen()
    accounts = {name for move in moves for name in (move.source, move.target)}
    there = await _containers(schedule, world, sorted(accounts), {move.source for move in moves}, seen)
    seen.findings += [*ways.clocks(world, sorted(there)), *ways.streamed(world, moves)]
    watch = _Look(schedule, world, mode, seen, there)
    await asyncio.gather(*(watch.source_of(move) for move in moves))
    await asyncio.gather(*(watch.target_of(move) for move in moves))
    if mode == "full":
        await asyncio.gather(*(watch.nobodys_of(source) for source in sorted({move.source for move in moves})))
    else:
        text = f"what a move cannot keep (snapshots, versions, leases, archived blobs) was not looked for now (inventory: {mode})"
        seen.findings.append(
            Finding("info", "not-looked-for", "accounts", text, "`migrate plan PLAN` looks for it, unless it has")
        )
    seen.findings.sort(key=lambda finding: (finding.code, finding.subject))
    seen.inventories = {move.id: seen.inventories[move.id] for move in moves if move.id in seen.inventories}
    return seen


async def _containers(
    schedule: Schedule, world: World, accounts: Sequence[str], sources: Collection[str], seen: Seen
) -> dict[str, Sequence[ContainerInfo]]:
    """What the accounts that can be read hold; a finding for each that cannot."""

    async def ask(name: str) -> tuple[str, Sequence[ContainerInfo] | CloudError]:
        if name in world.unopened:
            return name, world.unopened[name]
        try:
            return name, await world.stores[name].containers()
        except CloudError as fault:
            return name, fault

    found: dict[str, Sequence[ContainerInfo]] = {}
    for name, answer in await asyncio.gather(*(ask(name) for name in accounts)):
        if not isinstance(answer, CloudError):
            found[name] = answer
        elif name not in sources and _will_be_made(schedule.accounts[name], answer):
            found[name] = ()
        else:
            seen.findings.append(_unreadable(name, answer))
    return found


def _will_be_made(account: Account, fault: CloudError) -> bool:
    """Is it only that a target is not there yet, and apply makes it?"""
    is_absent = isinstance(fault, NotFound) and fault.what == "account"
    return is_absent and ACCOUNTS[account.kind].will_be_made(account)


@dataclass(slots=True)
class _Look:
    """One look at several accounts. ``there`` has the containers of those that can be read."""

    schedule: Schedule
    world: World
    mode: InventoryMode
    seen: Seen
    there: Mapping[str, Sequence[ContainerInfo]]
    counted: Counter[MoveId] = field(default_factory=Counter)

    @contextmanager
    def _reading(self, account: str) -> Iterator[None]:
        """A CloudError in here is the one finding of ``account``."""
        try:
            yield
        except CloudError as fault:
            if not any(one.code == UNREADABLE and one.subject == account for one in self.seen.findings):
                self.seen.findings.append(_unreadable(account, fault))

    async def source_of(self, move: PlannedMove) -> None:
        """Its containers, what they hold, what of it cannot be kept."""
        if move.source not in self.there:
            return
        store = self.world.stores[move.source]
        there = [info for info in self.there[move.source] if move.area.prefixes_in(info.name)]
        self.seen.containers.setdefault(move.source, set()).update(info.name for info in there)
        self._missing(move, {info.name for info in there})
        at_target = {info.name: info for info in self.there.get(move.target, ())}
        keeps = self.schedule.public_access == "keep"
        self.seen.findings += containers.shapes(move, there, at_target, keeps_public_access=keeps)
        if self.mode == "full" and move.target in self.there:
            names = [info.name for info in there]
            self.seen.findings += await containers.policies(move, store, self.world.stores[move.target], names)
        if self.mode == "cached":
            return
        with self._reading(move.source):
            parts = []
            for info in there:
                for prefix in move.area.prefixes_in(info.name):
                    parts.append(await self._inventory(move, store, info.name, prefix))
            self.seen.inventories[move.id] = summed(parts)
            if not self.seen.inventories[move.id].objects:
                await self._must_not_be_empty(move, there)

    async def _inventory(self, move: PlannedMove, store: ObjectStore, container: str, prefix: str) -> Inventory:
        if self.mode != "full":
            return await sample(store, container, prefix, chance=self.world.clock.random)

        def counted(objects: int) -> None:
            self.counted[move.id] += objects
            self.world.reporter.progress(str(move.id), counted=self.counted[move.id])

        found, features = await survey(store, container, prefix, counted=counted)
        self._unkept(move, store, container, prefix, features)
        return found

    def _missing(self, move: PlannedMove, present: set[str]) -> None:
        for selector in move.area.selectors:
            if not selector.is_glob and selector.container not in present:
                text = f"the container {selector.container} is not at {move.source}"
                remedy = "create it, or take it out of the area"
                self.seen.findings.append(Finding("error", "missing-container", str(move.id), text, remedy))
            elif selector.is_glob and not _is_known_empty(move) and not any(map(selector.takes_container, present)):
                text = f"no container of {move.source} is named like {selector.container}"
                self.seen.findings.append(Finding("error", "missing-container", str(move.id), text, _remedy(move)))

    async def _must_not_be_empty(self, move: PlannedMove, there: Sequence[ContainerInfo]) -> None:
        """An area of which nothing was found, before its first copy. Where its containers hold objects that are in no area,
        the area is most likely written wrong, and its customers would be sent to an account without their data."""
        if _is_known_empty(move) or not there or _has_begun(self.world.state, move.id):
            return
        areas = [other.area for other in self.schedule.moves if other.source == move.source]
        store = self.world.stores[move.source]
        for info in there:
            name = await _first_of_nobody(store, info.name, areas)
            if name is not None:
                text = (
                    f"nothing at {move.source} is in area {move.id.area}, but {info.name} holds objects of no area, such as"
                    f" {name}"
                )
                self.seen.findings.append(Finding("error", "empty-area", str(move.id), text, _remedy(move)))
                return
        text = f"nothing at {move.source} is in area {move.id.area}"
        self.seen.findings.append(Finding("warning", "empty-area", str(move.id), text, _remedy(move)))

    def _unkept(self, move: PlannedMove, store: ObjectStore, container: str, prefix: str, features: Features) -> None:
        """What cannot be kept is said with counts, never lost in silence. Archived blobs cannot even be read."""
        kinds = tuple(name for name in Features.__dataclass_fields__ if getattr(features, name))
        if not kinds:
            return
        place = f"{store.account}/{container}" + (f"/{prefix}" if prefix else "")
        self.seen.features[place] = kinds
        for kind in kinds:
            count_of_kind = getattr(features, kind)
            text = f"{place} has {count_of_kind:,} {UNKEPT.get(kind, kind.replace('_', ' '))} that a move does not keep"
            if kind == "archived":
                text = f"{place} has {count_of_kind:,} archived blobs, which cannot be copied"
                remedy = "rehydrate them, or leave them out of the area"
                self.seen.findings.append(Finding("error", "archived", str(move.id), text, remedy))
            else:
                remedy = "keep the source until they are not needed"
                if kind in UNKEPT:
                    remedy = "set them again at the target after the switch, if anything depends on them"
                if kind == "leased":
                    remedy = (
                        "end those leases before a way back: nobody else may write a blob of the source that is leased"
                    )
                self.seen.findings.append(Finding("warning", f"not-kept-{kind}", str(move.id), text, remedy))

    async def target_of(self, move: PlannedMove) -> None:
        """Before its first copy nothing may lie where the move writes."""
        if _has_begun(self.world.state, move.id):
            return
        holding = {info.name for info in self.there.get(move.target, ())}
        with self._reading(move.target):
            for container in sorted(self.seen.containers.get(move.source, set()) & holding):
                for prefix in move.area.prefixes_in(container):
                    await self._must_be_empty(move, container, prefix)

    async def _must_be_empty(self, move: PlannedMove, container: str, prefix: str) -> None:
        page = await self.world.stores[move.target].page(container, prefix=prefix, limit=10)
        lying = [blob for blob in page.entries if not blob.name.startswith(RESERVED_PREFIX)]
        if not lying:
            return
        where = f"{container} under {prefix}" if prefix else container
        if await self._is_one_account(move, container, lying):
            text = f"{move.source} and {move.target} show the same objects in {where}, with the same ETags: they are one account"
            remedy = "name another target, and remove nothing: what lies there is the source's own data"
            found = Finding("error", "same-account", str(move.id), text, remedy)
        else:
            text = f"{move.target} already holds objects in {where}"
            remedy = (
                "name another target; or find out whose they are, and move them away if nobody uses them: migrate"
                " overwrites nothing that it did not copy"
            )
            found = Finding("error", "target-not-empty", str(move.id), text, remedy)
        self.seen.findings.append(found)

    async def _is_one_account(self, move: PlannedMove, container: str, lying: Sequence[Listed]) -> bool:
        """Does the source show the very generations that the target shows? It tells only of kinds whose ETags no two accounts
        share; of the others the plan tells the places apart."""
        pair = (self.schedule.accounts[move.source], self.schedule.accounts[move.target])
        if not all(ACCOUNTS[account.kind].has_unique_etags for account in pair):
            return False
        store = self.world.stores[move.source]
        for blob in lying:
            try:
                if (await store.head(container, blob.name)).etag != blob.etag:
                    return False
            except NotFound:
                return False
        return True

    async def nobodys_of(self, source: str) -> None:
        """Objects of a source that are in no area would stay behind: counted, by container."""
        areas = [move.area for move in self.schedule.moves if move.source == source]
        routing = (self.schedule.routing.account, self.schedule.routing.container)
        with self._reading(source):
            for info in self.there.get(source, ()):
                is_whole = any("" in area.prefixes_in(info.name) for area in areas)
                if is_whole or (source, info.name) == routing or info.name in OWN_CONTAINERS:
                    continue
                objects, size = await _left_behind(self.world.stores[source], info.name, areas)
                if objects:
                    text = (
                        f"{source}/{info.name} has {objects:,} objects ({size:,} bytes) that are in no area; they stay"
                    )
                    remedy = "add them to an area if they belong to one"
                    if info.name == WEBSITE:
                        remedy = "a static website stays behind; move it, and its settings, by other means if it belongs here"
                    self.seen.findings.append(Finding("warning", "in-no-area", source, text, remedy))


async def _left_behind(store: ObjectStore, container: str, areas: Sequence[Area]) -> tuple[int, int]:
    objects = size = 0
    marker: str | None = None
    while True:
        page = await store.page(container, marker=marker)
        for blob in page.entries:
            mine = any(area.takes(container, blob.name) for area in areas)
            if not mine and not blob.name.startswith(RESERVED_PREFIX):
                objects, size = objects + 1, size + blob.size
        if page.marker is None:
            return objects, size
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


def _unreadable(account: str, fault: CloudError) -> Finding:
    return Finding("error", UNREADABLE, account, fault.message, fault.hint)
