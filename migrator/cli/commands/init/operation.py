"""A drafted plan, written to a file.

Decides that nothing is ever overwritten: a plan that is there may be one that a rollout runs by. Leaves what a draft says to who
drafts it (``plan.draft``, ``first_try.yaml``). The resource manager and Azure Monitor are only read.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final

from migrator.errors import CloudError, MigrateError, UsageError
from migrator.model.discovered import FoundAccount
from migrator.model.names import MoveId
from migrator.model.samples import Question
from migrator.model.schedule import Account, Metric
from migrator.model.values import replace, value

LOOKED_AT: Final = timedelta(hours=1)
"""Azure Monitor is asked for the minutes of the last hour: whoever knows the busiest one of a week writes it into the plan."""
SETTLE: Final = timedelta(minutes=5)
AT_ONCE: Final = 8


@value(frozen=True, slots=True)
class Gathered:
    """What was found. ``unread``: subscriptions that could not be read, and why; ``unmetered``: why traffic is not known."""

    accounts: tuple[FoundAccount, ...]
    unread: Mapping[str, str]
    unmetered: str = ""


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


def find(subscriptions: Sequence[str], cloud: Mapping[str, str], credential: str) -> Gathered:
    """The accounts of these subscriptions, or of all that may be read, with their traffic.

    Raises:
        CloudError: not one subscription can be read.
        UsageError: there is no account in any of them.
    """
    return asyncio.run(_find(subscriptions, cloud, credential))


async def _find(subscriptions: Sequence[str], cloud: Mapping[str, str], credential: str) -> Gathered:
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
    return Gathered(tuple(metered), unread, unmetered)


async def _metered(
    found: Sequence[FoundAccount], cloud: Mapping[str, str], credential: str
) -> tuple[list[FoundAccount], str]:
    """Each with its busiest minute, as far as Azure Monitor says; else why not, once."""
    from migrator.adapters.metrics import open_azure_monitor

    accounts = {
        one.name: Account(
            one.name,
            "azure",
            endpoint=one.endpoint,
            subscription=one.subscription,
            resource_group=one.resource_group,
            location=one.location,
            credential=credential,
        )
        for one in found
    }
    end = datetime.now(UTC).replace(second=0, microsecond=0) - SETTLE
    try:
        source = open_azure_monitor(Metric("azure", "azure-monitor", {"credential": credential}), accounts, cloud)
    except MigrateError as fault:
        return list(found), fault.message
    turn, faults = asyncio.Semaphore(AT_ONCE), list[str]()

    async def ask(one: FoundAccount) -> FoundAccount:
        move = MoveId("init", one.name)
        async with turn:
            try:
                asked = Question(move, one.name, "requests_per_minute", None)
                points = (await source.ask(asked, begin=end - LOOKED_AT, end=end)).points
            except MigrateError as fault:
                faults.append(fault.message)
                return one
        busiest = max((point.value for point in points if point.value is not None), default=None)
        return replace(one, requests_per_minute=busiest)

    try:
        metered = await asyncio.gather(*(ask(one) for one in found))
    finally:
        await source.close()
    return list(metered), faults[0] if faults else ""
