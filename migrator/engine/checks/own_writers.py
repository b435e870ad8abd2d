"""What an account does to its blobs by itself, without a lease: lifecycle rules, replication, storage tasks; and what it keeps.

Decides which of it touches names that a move carries, and whether what is deleted by mistake can be brought back for as long as
a soak lasts. Leaves asking to ``case`` and the estate's door. Rules: a rule counts where one of its prefixes and one of the
move's may have a name in common, whatever else it filters by; it is asked for again before each fence; an account that nobody
can ask about is unproved, which is told and stops nothing; once a move has switched its rules are its customers' own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from math import inf
from typing import Final

from migrator.engine.checks.case import Case
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.estate import of_estate
from migrator.engine.checks.moments import Asks, When
from migrator.model.estate import BlobSettings, LifecycleRule
from migrator.model.findings import Finding
from migrator.model.schedule import Account, PlannedMove, is_placed
from migrator.model.units import show_duration
from migrator.ports.estate import Estate

DAY: Final = 86_400.0
MARGIN_DAYS: Final = 1
"""A mistake is found some time after it was made."""
_OF_CURRENT: Final = "baseBlob"
_TIER_UP: Final = "tier up"


async def writers(case: Case, estate: Estate) -> AsyncIterator[Finding]:
    """Errors, for each account of the moves that can be asked about."""
    for move in case.ahead:
        places = await _places(case, move)
        for name in (move.source, move.target):
            habits = await case.habits(name)
            if habits is None:
                continue
            for finding in _of_account(move, name, habits.settings, places):
                yield finding


def _of_account(
    move: PlannedMove, name: str, settings: BlobSettings, places: Sequence[str] | None
) -> Iterator[Finding]:
    about = f"{name}, {move.id}"
    for rule in settings.lifecycle:
        if not (rule.is_enabled and _OF_CURRENT in _groups(rule) and _meets(rule.prefixes, places)):
            continue
        acts = [one for one in rule.acts if one != _TIER_UP]
        if acts:
            text = f"lifecycle rule {rule.name} of {name} is on over names of {move.id} ({', '.join(acts)})"
            yield Finding("error", "lifecycle-rule", about, text)
        if _TIER_UP in rule.acts:
            text = f"rule {rule.name} of {name} moves names of {move.id} to a warmer tier when somebody reads them"
            yield Finding("error", "last-access-tier-up", about, text)
    for policy in settings.replication:
        for here, there in policy.containers or (("", ""),):
            if _is_of(policy.source, name) and _meets([here] if here else [], places):
                text = f"{name} replicates {here or 'containers'} to {_last(policy.destination)} by policy {policy.id}"
                yield Finding("error", "object-replication", about, text)
            elif _is_of(policy.destination, name) and _meets([there] if there else [], places):
                text = f"{there or 'containers'} of {name} are replicated from {_last(policy.source)} by policy {policy.id}"
                yield Finding("error", "object-replication", about, text)
    for task in settings.tasks:
        text = f"storage task {task} is assigned to {name} and is on"
        yield Finding("error", "storage-task", about, text)


async def unproved(case: Case, estate: Estate) -> AsyncIterator[Finding]:
    """Accounts that the resource manager was asked about in vain."""
    for name in _accounts(case):
        await case.habits(name)
        if (fault := case.answers.unproved.get(name)) is not None:
            text = f"unproved: whether {name} writes by itself (lifecycle rules, replication, storage tasks): {fault.message}"
            yield Finding("warning", "own-writers-unproved", name, text, fault.hint)


def unplaced(case: Case) -> list[Finding]:
    """Accounts of which the plan does not say where they are."""
    names = [one.name for one in map(case.schedule.accounts.__getitem__, _accounts(case)) if _is_unknown(case, one)]
    if not names:
        return []
    text = (
        f"unproved: whether {', '.join(names)} write by themselves (lifecycle rules, replication, storage tasks): the plan does"
        " not say where they are"
    )
    remedy = "give them subscription and resource_group, or look at their settings by hand"
    return [Finding("warning", "own-writers-unproved", ", ".join(names), text, remedy)]


async def forgetful(case: Case, estate: Estate) -> AsyncIterator[Finding]:
    """Accounts that do not keep what is deleted for as long as a soak lasts."""
    for name in _accounts(case):
        moves = [move for move in case.ahead if name in (move.source, move.target)]
        soak = max(case.schedule.wave_of(move.id).soak_seconds for move in moves)
        habits = await case.habits(name)
        if habits is None or (kept := _kept_days(habits.settings)) * DAY >= soak + MARGIN_DAYS * DAY:
            continue
        keeps = f"keeps what is deleted for {kept:.0f} days" if kept else "keeps nothing of what is deleted"
        days = int(-(-soak // DAY)) + MARGIN_DAYS
        text = f"{name} {keeps}, and a soak takes {show_duration(soak)}: a mistake that is found late cannot be mended"
        remedy = f"turn on soft delete of blobs with {days} days or more, or versions, until the soak is over"
        yield Finding("warning", "soft-delete-short", name, text, remedy)


async def walls(case: Case, estate: Estate) -> AsyncIterator[Finding]:
    """What may keep the service from copying from one account to the other."""
    for source, target in dict.fromkeys((move.source, move.target) for move in case.ahead):
        here, there = await case.habits(source), await case.habits(target)
        pair, tenants = f"{source} -> {target}", [case.schedule.accounts[one].tenant for one in (source, target)]
        scope = there.shape.copy_scope if there is not None else ""
        if scope == "PrivateLink" or (scope == "AAD" and tenants[0] != tenants[1]):
            only = "its own tenant" if scope == "AAD" else "private endpoints of its network"
            text = f"{target} takes copies only from {only} (AllowedCopyScope {scope}), and {source} may not be one"
            yield Finding("warning", "copy-scope", pair, text)
        if here is not None and here.shape.network.default == "deny":
            known = len(here.shape.network.addresses) + len(here.shape.network.subnets)
            text = (
                f"the firewall of {source} lets in {known} networks and nobody else: where {target}'s service is not among"
                " them, objects go through this machine"
            )
            yield Finding("warning", "source-firewall", pair, text)


async def _places(case: Case, move: PlannedMove) -> Sequence[str] | None:
    """``container/prefix`` of all that the move carries; None where its source cannot be listed."""
    found = await case.at_source(move)
    if found is None:
        return None
    return [f"{info.name}/{prefix}" for info in found for prefix in move.area.prefixes_in(info.name)]


def _meets(prefixes: Sequence[str], places: Sequence[str] | None) -> bool:
    """May a name begin with one of both? No prefix is every name; unknown places may be any."""
    if not prefixes or places is None:
        return True
    return any(place.startswith(prefix) or prefix.startswith(place) for prefix in prefixes for place in places)


def _groups(rule: LifecycleRule) -> Sequence[str]:
    return list(((rule.document.get("definition") or {}).get("actions")) or {_OF_CURRENT: {}})


def _kept_days(settings: BlobSettings) -> float:
    """For how many days a deleted blob can be brought back."""
    versions = inf if settings.is_versioned else 0.0
    for rule in settings.lifecycle if settings.is_versioned else ():
        actions = (rule.document.get("definition") or {}).get("actions") or {}
        delete = ((actions.get("version") or {}).get("delete") or {}).get("daysAfterCreationGreaterThan")
        if rule.is_enabled and delete is not None:
            versions = min(versions, float(delete))
    return max(versions, float(settings.delete_days or 0))


def _is_of(account: str, name: str) -> bool:
    """A policy says a name, or the id of a resource."""
    return _last(account).lower() == name.lower()


def _last(account: str) -> str:
    return account.rpartition("/")[2]


def _accounts(case: Case) -> list[str]:
    return sorted({name for move in case.ahead for name in (move.source, move.target)})


def _is_unknown(case: Case, account: Account) -> bool:
    """Is it one of Azure's, and nobody says where?"""
    return case.is_azures(account) and not is_placed(account)


_READS: Final = frozenset({Asks.STATE, Asks.ESTATE, Asks.ACCOUNTS})
_BEFORE: Final = frozenset({When.PLAN, When.PREFLIGHT})
_LATER: Final = "turn it off for these names until the move has soaked, or leave them out of the plan"
_UNPROVED: Final = Says(
    "own-writers-unproved",
    ("warning",),
    "accounts",
    "whether accounts write by themselves is not known: the plan does not say where they are, or nobody may ask",
)
CHECKS: Final = (
    Check(
        (
            Says(
                "lifecycle-rule",
                ("error",),
                "account, move",
                "a lifecycle rule is on over names that a move carries: it tiers or deletes without a lease",
                _LATER,
            ),
            Says(
                "last-access-tier-up",
                ("error",),
                "account, move",
                "a rule sets tiers of names that a move carries whenever somebody reads them",
                _LATER,
            ),
            Says(
                "object-replication",
                ("error",),
                "account, move",
                "a policy replicates containers that a move carries: it writes without a lease, or misses what is written"
                " after the switch",
                "remove the policy, or leave these containers out of the plan",
            ),
            Says(
                "storage-task",
                ("error",),
                "account, move",
                "a storage task is assigned to an account of a move, and is on",
                "turn the assignment off until the move has soaked",
            ),
        ),
        frozenset({When.PLAN, When.PREFLIGHT, When.FENCE}),
        of_estate(writers),
        _READS,
    ),
    Check(
        (_UNPROVED,),
        _BEFORE,
        of_estate(unproved),
        frozenset({Asks.STATE, Asks.ESTATE}),
    ),
    Check(
        (_UNPROVED,),
        frozenset({When.PLAN}),
        unplaced,
        frozenset({Asks.STATE}),
    ),
    Check(
        (
            Says(
                "soft-delete-short",
                ("warning",),
                "account",
                "an account does not keep what is deleted for as long as the soak lasts, and a day more",
            ),
        ),
        frozenset({When.PLAN}),
        of_estate(forgetful),
        frozenset({Asks.STATE, Asks.ESTATE}),
    ),
    Check(
        (
            Says(
                "copy-scope",
                ("warning",),
                "two accounts",
                "a target's AllowedCopyScope may refuse copies from the source",
                "prove it with `migrate plan PLAN --probe`; widen the scope until the move has soaked",
            ),
            Says(
                "source-firewall",
                ("warning",),
                "two accounts",
                "a source's firewall may keep the target's service from reading it",
                "prove it with `migrate plan PLAN --probe`; let the target's network in, or reckon with this machine's",
            ),
        ),
        frozenset({When.PLAN}),
        of_estate(walls),
        frozenset({Asks.STATE, Asks.ESTATE}),
    ),
)
