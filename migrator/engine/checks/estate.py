"""Target accounts that a run creates: may they be had, and what of the source's account do they not get.

Decides what is worth a finding before anything is created. Leaves asking to ``case`` and the estate's door. Rules: limits are
asked, never assumed; an account that is there is compared and never changed; what hangs on a source beside its blobs is named,
for nobody copies it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final

from migrator.engine.checks.case import Case
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.moments import Asks, When
from migrator.errors import CloudError
from migrator.model.estate import (
    BlobSettings,
    Provision,
    carried,
    differences,
    not_carried,
    provision_of,
    region,
    unlike,
)
from migrator.model.findings import Finding
from migrator.model.schedule import Account
from migrator.ports.estate import Estate
from migrator.transfer.together import together

UNSEEN: Final = "DNS records, alerts, Defender and backup are not looked for"
_WORSE: Final = ("location", "kind", "endpoint")
"""Differences with which nothing of the plan would be true."""
Looking = Callable[[Case, Estate], AsyncIterator[Finding]]


def of_estate(judge: Looking) -> Callable[[Case], Awaitable[list[Finding]]]:
    """A check that asks the resource manager; nothing where no account of the plan is created."""

    async def run(case: Case) -> list[Finding]:
        estate = case.ports.estate
        return [] if estate is None else [one async for one in judge(case, estate)]

    return run


async def differing(case: Case, estate: Estate) -> AsyncIterator[Finding]:
    """Accounts that are there, and not as the plan would have created them."""
    for account, wanted in _targets(case):
        shape = await case.shape(account.name)
        if shape is None or not shape.is_ready:
            continue
        for what, mine, theirs in differences(
            shape, wanted, location=str(account.location), endpoint=account.endpoint or ""
        ):
            text = f"{account.name} is there with {what} {theirs or 'none'}, and the plan wants {mine or 'none'}"
            yield Finding("error" if what in _WORSE else "warning", "account-differs", account.name, text)


async def creating(case: Case, estate: Estate) -> AsyncIterator[Finding]:
    """What will be created, and what stands in the way of it."""
    absent = [pair for pair in _targets(case) if await _is_absent(case, pair[0])]
    found = await together(*(_possible(case, estate, *pair) for pair in absent))
    for finding in (one for some in found for one in some):
        yield finding
    rooms: dict[tuple[str, str], list[Account]] = defaultdict(list)
    for account, _ in absent:
        rooms[str(account.subscription), region(str(account.location))].append(account)
    for (subscription, place), accounts in sorted(rooms.items()):
        with case.asking(accounts[0].name):
            quota = await estate.quota(accounts[0])
            if quota.used + len(accounts) > quota.most:
                text = (
                    f"subscription {subscription} has {quota.used} of {quota.most} storage accounts in {place}, and"
                    f" {len(accounts)} more would be created"
                )
                yield Finding("error", "account-quota", ", ".join(one.name for one in accounts), text)


async def _possible(case: Case, estate: Estate, account: Account, wanted: Provision) -> list[Finding]:
    """An account to create, and whether it can be had."""
    group = f"resource group {account.resource_group}"
    place = f"{region(str(account.location))}, {group}"
    text = f"{account.name} is not there: apply creates it ({wanted.sku} in {place}); its ways are unproved until then"
    found = [Finding("info", "account-to-create", account.name, text)]
    with case.asking(account.name):
        rights = await estate.granted(account)
        if not rights.create:
            text = f"{account.name} cannot be created: our identity may create no accounts in {group}"
            hint = f'grant it "Storage Account Contributor" on {group}'
            found.append(Finding("error", "may-not-create", account.name, text, hint))
        if not rights.data:
            text = f"our identity has no role for blobs in {group}, which {account.name} would inherit"
            hint = f'grant it "Storage Blob Data Owner" on {group}: creating an account grants none'
            found.append(Finding("warning", "no-data-role", account.name, text, hint))
        if taken := await estate.is_taken(account):
            found.append(Finding("error", "name-taken", account.name, f"{account.name} cannot be created: {taken}"))
        skus = await estate.skus(account)
        if wanted.sku not in skus:
            text = f"{account.name} cannot be created: its subscription may have no {wanted.sku} in {place}"
            known = f"name one of {', '.join(sorted(skus))}" if skus else "name another region"
            found.append(Finding("error", "sku-unavailable", account.name, text, known))
    return found


async def unlike_source(case: Case, estate: Estate) -> AsyncIterator[Finding]:
    """What of a source's account the new one does not get."""
    seen: set[str] = set()
    known: dict[str, tuple[Mapping[str, int | None], BlobSettings]] = {}
    for move in case.creating:
        source, target = case.schedule.accounts[move.source], case.schedule.accounts[move.target]
        pair = f"{move.source} -> {move.target}"
        if pair in seen or not await _is_absent(case, target):
            continue
        seen.add(pair)
        wanted = provision_of(target.provision or {})
        try:
            if source.name not in known:
                known[source.name] = await estate.attached(source), await estate.settings(source)
            attached, settings = known[source.name]
        except CloudError as fault:
            text = f"what hangs on {source.name}, and what it does to its blobs, is not copied to {target.name}: {fault.message}"
            yield Finding("warning", "settings-unknown", pair, text, fault.hint)
            continue
        if settings.lifecycle and wanted.copies_settings:
            text = f"the lifecycle rules of {source.name} are copied to {target.name}, and stay off there"
            yield Finding("info", "lifecycle-copied-off", pair, text)
        left = [*(() if wanted.copies_settings else unlike(BlobSettings(), carried(settings))), *not_carried(settings)]
        left += [f"{number} {words[:-1] if number == 1 else words}" for words, number in attached.items() if number]
        left += [f"{words} (nobody told whether there are any)" for words, number in attached.items() if number is None]
        if left:
            text = f"of {source.name} these are not copied to {target.name}: {', '.join(left)}; {UNSEEN}"
            yield Finding("warning", "attached-not-copied", pair, text)


async def placed(case: Case, estate: Estate) -> AsyncIterator[Finding]:
    """Targets far from their source, and paired regions that are changed in one wave."""
    creating = case.creating
    for move in creating:
        source, target = (case.schedule.accounts[name] for name in (move.source, move.target))
        here, there = (region(one.location or "") for one in (source, target))
        if here and here != there and await _is_absent(case, target):
            text = f"{target.name} is to be created in {there}, and {source.name} is in {here}: copies cross regions, and cost"
            yield Finding("warning", "location-differs", str(move.id), text)
    for wave in case.schedule.waves:
        moves = [move for move in wave.moves if move in creating]
        places = {region(case.schedule.accounts[move.target].location or ""): move for move in moves}
        for place, move in sorted(places.items()):
            account = case.schedule.accounts[move.target]
            with case.asking(account.name):
                pair = await estate.pair_of(account)
                if pair in places and place < pair and places[pair].id.region != move.id.region:
                    text = f"wave {wave.name} changes {place} and {pair}, which are paired: a mistake would reach both"
                    yield Finding("warning", "paired-regions", f"wave {wave.name}", text)


def unasked(case: Case) -> list[Finding]:
    return [
        Finding("error", "estate-unasked", name, fault.message, fault.hint)
        for name, fault in sorted(case.answers.unasked.items())
    ]


def _targets(case: Case) -> list[tuple[Account, Provision]]:
    """The targets that a run may create, and how they are wanted."""
    names = dict.fromkeys(move.target for move in case.creating)
    accounts = (case.schedule.accounts[name] for name in names)
    return [(one, provision_of(one.provision)) for one in accounts if one.provision is not None]


async def _is_absent(case: Case, account: Account) -> bool:
    shape = await case.shape(account.name)
    return shape is None and account.name in case.answers.shapes


_PLAN: Final = frozenset({When.PLAN})
_ASKS: Final = frozenset({Asks.STATE, Asks.ESTATE})
CHECKS: Final = (
    Check(
        (
            Says(
                "account-differs",
                ("warning", "error"),
                "account",
                "a target account with `provision` is there, and is not as the plan wants it; nothing of it is changed",
                "change the account or the plan",
            ),
        ),
        frozenset({When.PLAN, When.PREFLIGHT}),
        of_estate(differing),
        _ASKS,
    ),
    Check(
        (
            Says("account-to-create", ("info",), "account", "a target account is not there, and apply creates it"),
            Says(
                "name-taken",
                ("error",),
                "account",
                "the name of an account to create is somebody else's, or cannot be had",
                "name another account in the plan",
            ),
            Says("may-not-create", ("error",), "account", "our identity may not create accounts in the resource group"),
            Says(
                "no-data-role",
                ("warning",),
                "account",
                "our identity has no role for blobs in the resource group, so none on the account that is created",
            ),
            Says(
                "sku-unavailable",
                ("error",),
                "account",
                "the subscription may have no account of that sku in the region",
            ),
            Says(
                "account-quota",
                ("error",),
                "accounts",
                "the subscription may have no more storage accounts in the region",
                "ask for a higher quota, or name another subscription or region",
            ),
        ),
        _PLAN,
        of_estate(creating),
        _ASKS,
    ),
    Check(
        (
            Says(
                "settings-unknown",
                ("warning",),
                "two accounts",
                "what a source's account has beside its blobs cannot be read",
            ),
            Says(
                "lifecycle-copied-off",
                ("info",),
                "two accounts",
                "lifecycle rules are copied to a new account and are off there, for they would write without a lease",
                "turn them on when the move has soaked",
            ),
            Says(
                "attached-not-copied",
                ("warning",),
                "two accounts",
                "what hangs on a source's account beside its blobs is not copied to the new one",
                "set it up at the new account before its wave's cut-over, if anything depends on it",
            ),
        ),
        _PLAN,
        of_estate(unlike_source),
        _ASKS,
    ),
    Check(
        (
            Says(
                "location-differs",
                ("warning",),
                "move",
                "a target is to be created in another region than its source",
                "leave it if that is meant",
            ),
            Says(
                "paired-regions",
                ("warning",),
                "wave",
                "a wave changes two regions of Azure that are paired, and each is the other's refuge",
                "give one of them a wave of its own, and say `pair` in `regions`",
            ),
        ),
        _PLAN,
        of_estate(placed),
        _ASKS,
    ),
    Check(
        (
            Says(
                "estate-unasked",
                ("error",),
                "account",
                "the resource manager cannot be asked about an account to create",
            ),
        ),
        _PLAN,
        unasked,
        _ASKS,
    ),
)
