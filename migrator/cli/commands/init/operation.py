"""A drafted plan, written to a file.

Decides that nothing is ever overwritten: a plan that is there may be one that a rollout runs by. Leaves what a draft says to who
drafts it (``plan.draft``, ``first_try.yaml``). The resource manager and Azure Monitor are only read.
"""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from time import monotonic
from typing import Final

from migrator.errors import CloudError, MigrateError, UsageError
from migrator.forecast.measured import traffic_of
from migrator.model.discovered import FoundAccount, Holding
from migrator.model.names import MoveId
from migrator.model.samples import Question, Reading
from migrator.model.schedule import Account, Metric
from migrator.model.values import replace, value
from migrator.plan.draft import is_the_services
from migrator.ports.object_store import ObjectStore

LOOKED_AT: Final = timedelta(days=7)
"""Azure Monitor is asked for the hours of a week: a week has its busiest one, and its quiet nights."""
AT_ONCE: Final = 8
SAID_SECONDS: Final = 10.0
Say = Callable[[str], None]


@value(frozen=True, slots=True)
class Gathered:
    """What was found. ``unread``: subscriptions that could not be read, and why; ``unmetered``: why traffic and sizes are
    not known of all; ``uncounted``: why not all were counted that should be."""

    accounts: tuple[FoundAccount, ...]
    unread: Mapping[str, str]
    unmetered: str = ""
    uncounted: str = ""


def first_try(out: Path) -> str:
    """The plan of a first try on this machine, its comments naming ``out``."""
    text = files(__package__).joinpath("first_try.yaml").read_text(encoding="utf-8")
    return text.replace("PLAN", "plan.yaml" if str(out) == "-" else shlex.quote(str(out)))


def write_draft(out: Path, text: str) -> None:
    """Write a new file.

    Raises:
        UsageError: there is one of this name, or it cannot be written.
    """
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as there:
        raise UsageError(f"cannot write {out}: it is there already", hint="name another file with --out") from there
    except OSError as failed:
        raise UsageError(
            f"cannot write {out}: {(failed.strerror or 'it failed').lower()}", hint="name another file with --out"
        ) from failed


def require_free(out: Path) -> None:
    """UsageError if the file is there: nobody waits for an estate to be read for nothing."""
    if str(out) != "-" and out.exists():
        raise UsageError(f"cannot write {out}: it is there already", hint="name another file with --out")


def find(
    subscriptions: Sequence[str], cloud: Mapping[str, str], credential: str, *, is_counted: bool, say: Say
) -> Gathered:
    """The accounts of these subscriptions, or of all that may be read, with their traffic and what they hold.

    Args:
        is_counted: list their containers too; ``say`` is told now and then how far that is.

    Raises:
        CloudError: not one subscription can be read.
        UsageError: there is no account in any of them.
    """
    return asyncio.run(_find(subscriptions, cloud, credential, is_counted, say))


async def _find(
    subscriptions: Sequence[str], cloud: Mapping[str, str], credential: str, is_counted: bool, say: Say
) -> Gathered:
    from migrator.adapters.estate.discovering import Discovery

    door = Discovery(cloud, credential)
    found: list[FoundAccount] = []
    unread: dict[str, str] = {}
    try:
        for one in subscriptions or await door.subscriptions():
            try:
                found += await door.accounts(one)
            except CloudError as fault:
                if len(subscriptions) == 1:
                    raise
                unread[one] = fault.message
    finally:
        await door.close()
    if not found:
        why = "; ".join(f"{one}: {said}" for one, said in unread.items()) or "no subscription has a storage account"
        raise UsageError(
            f"cannot draft a plan: {why}", hint="sign in (az login), or name subscriptions with --subscription"
        )
    metered, unmetered = await _metered(found, cloud, credential)
    uncounted = ""
    if is_counted:
        metered, uncounted = await _counted(metered, cloud, credential, say)
    return Gathered(tuple(metered), unread, unmetered, uncounted)


async def _metered(
    found: Sequence[FoundAccount], cloud: Mapping[str, str], credential: str
) -> tuple[list[FoundAccount], str]:
    """Each with its traffic and what it holds, as far as Azure Monitor says; else why not, once."""
    from migrator.adapters.metrics import open_azure_monitor

    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    try:
        accounts = {one.name: _account(one, credential) for one in found}
        source = open_azure_monitor(Metric("azure", "azure-monitor", {"credential": credential}), accounts, cloud)
    except MigrateError as fault:
        return list(found), fault.message
    faults: list[str] = []

    async def ask(one: FoundAccount) -> FoundAccount:
        asked = Question(MoveId("init", one.name), one.name, "requests_per_minute", None, is_hourly=True)
        # both at once: questions about several accounts go out as one request; what is not told takes nothing of the other along
        told = await asyncio.gather(
            source.ask(asked, begin=end - LOOKED_AT, end=end), source.holds(one.name, end), return_exceptions=True
        )
        for part in told:
            if isinstance(part, MigrateError):
                faults.append(part.message)
            elif isinstance(part, BaseException):
                raise part
        reading, holds = told
        return replace(
            one,
            traffic=traffic_of(reading, end - LOOKED_AT, end) if isinstance(reading, Reading) else None,
            holds=holds if isinstance(holds, Holding) else None,
        )

    try:
        metered = await asyncio.gather(*(ask(one) for one in found))
    finally:
        await source.close()
    return list(metered), faults[0] if faults else ""


def _account(one: FoundAccount, credential: str) -> Account:
    return Account(
        one.name,
        "azure",
        endpoint=one.endpoint,
        subscription=one.subscription,
        resource_group=one.resource_group,
        location=one.location,
        credential=credential,
    )


async def _counted(
    found: Sequence[FoundAccount], cloud: Mapping[str, str], credential: str, say: Say
) -> tuple[list[FoundAccount], str]:
    """Each with its containers listed from end to end; one that may not be listed is left, and why, once."""
    turn, faults = asyncio.Semaphore(AT_ONCE), list[str]()
    count = CountingAloud(say)

    async def one_of(store: ObjectStore, container: str) -> Holding:
        objects, size, marker = 0, 0, None
        async with turn:
            while True:
                page = await store.page(container, marker=marker)
                objects, size = objects + len(page.entries), size + sum(entry.size for entry in page.entries)
                count.add(len(page.entries))
                marker = page.marker
                if not marker:
                    return Holding(objects, size, datetime.now(UTC))

    async def all_of(one: FoundAccount) -> FoundAccount:
        from migrator.adapters.azure import open_store

        wanted = [name for name in one.containers if not is_the_services(name)]
        if not wanted:
            return one
        try:
            store = open_store(_account(one, credential), environ=os.environ, cloud=cloud)
            try:
                held = await asyncio.gather(*(one_of(store, name) for name in wanted))
            finally:
                await store.close()
        except MigrateError as fault:
            faults.append(fault.message)
            return one
        return replace(one, counted=dict(zip(wanted, held, strict=True)))

    return list(await asyncio.gather(*(all_of(one) for one in found))), faults[0] if faults else ""


class CountingAloud:
    """Says now and then how far it is: a large estate takes its time."""

    def __init__(self, say: Say) -> None:
        self._say, self._objects, self._said_at = say, 0, monotonic()

    def add(self, objects: int) -> None:
        self._objects += objects
        if monotonic() - self._said_at > SAID_SECONDS:
            self._said_at = monotonic()
            self._say(f"counting: {self._objects:,} objects so far")
