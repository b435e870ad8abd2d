"""What sort of account each side of a move is: shown, and refused where blobs of it cannot be moved; and are its tags seen?

Leaves what sorts there are, and what speaks against one, to the account's own kind (``ports.diagnosis``). Rule: an account that
does not say it, or not to this credential, is not refused for that; that nobody knows is said.
"""

from __future__ import annotations

from typing import Final

from migrator.engine.checks.case import Case
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.moments import RUNS, Asks, When
from migrator.errors import CloudError, Throttled, Unreachable
from migrator.model.findings import Finding
from migrator.ports.diagnosis import HIERARCHICAL, Describable, Description, TagReader
from migrator.transfer.together import together

CONTAINERS_SEEN: Final = 5
ROWS_SEEN: Final = 500


async def sorts(case: Case) -> list[Finding]:
    names = sorted({name for move in case.moves for name in (move.source, move.target)})
    told = await together(*(_described(case, name) for name in names))
    found: list[Finding] = []
    alike: dict[str, list[str]] = {}
    for name, one in zip(names, told, strict=True):
        if isinstance(one, CloudError):
            text = f"what sort of account {name} is, it does not say: {one.message}"
            found.append(Finding("info", "account-sort-unknown", name, text, one.hint))
        elif one is not None and one.objection:
            text = f"blobs of account {name} cannot be moved: {one.objection}"
            found.append(Finding("error", "unfit-account", name, text, one.remedy))
        elif one is not None:
            alike.setdefault(one.words, []).append(name)
    shown = [
        Finding("info", "account-sort", "accounts", f"{', '.join(same)}: {words}") for words, same in alike.items()
    ]
    return [*found, *sorted(shown, key=lambda one: one.text)]


async def tags(case: Case) -> list[Finding]:
    """Accounts whose credential may not read tags: what has none is moved all the same."""
    found = []
    for name in sorted({name for move in case.moves for name in (move.source, move.target)}):
        there, store = await case.containers(name), None
        if there and isinstance(inner := getattr(case.store(name), "inner", case.store(name)), TagReader):
            store = inner
        if store is None or there is None:
            continue
        with case.reading(name):
            if not await store.sees_tags(there[0].name):
                text = f"the credential of account {name} may not read tags: a blob that has some stops its move"
                found.append(Finding("warning", "tags-unseen", name, text))
    return found


async def _described(case: Case, account: str) -> Description | CloudError | None:
    """None: there is nothing to say of it, or it is not there."""
    if not await case.containers(account) and account in case.answers.absent | case.answers.faults.keys():
        return None
    store = case.store(account)
    inner = getattr(store, "inner", store)
    if not isinstance(inner, Describable):
        return None
    try:
        return await inner.describe()
    except (Throttled, Unreachable) as fault:
        if case.when in RUNS:
            raise
        return fault
    except CloudError as fault:
        return await _seen(case, account) or fault


async def _seen(case: Case, account: str) -> Description | None:
    """What a look at the first rows tells of an account that does not say what it is: the right to ask is in no role for data."""
    for info in (await case.containers(account) or ())[:CONTAINERS_SEEN]:
        try:
            await case.store(account).page(info.name, limit=ROWS_SEEN)
        except CloudError as fault:
            if fault.code == HIERARCHICAL:
                return Description("", fault.message, fault.hint)
    return None


CHECKS: Final = (
    Check(
        (
            Says(
                "account-sort",
                ("info",),
                "accounts",
                "what sort of account each is: its kind, its redundancy",
            ),
            Says(
                "account-sort-unknown",
                ("info",),
                "account",
                "an account does not say what sort it is, or not to this credential",
                "look yourself that it is no Data Lake, premium page, v1 or file account: blobs of those cannot be moved",
            ),
            Says(
                "unfit-account",
                ("error",),
                "account",
                "blobs of this sort of account cannot be moved, and why",
            ),
        ),
        frozenset({When.PLAN, When.PREFLIGHT}),
        sorts,
        frozenset({Asks.ACCOUNTS}),
    ),
    Check(
        (
            Says(
                "tags-unseen",
                ("warning",),
                "account",
                "a credential may not read tags; blobs that have none are moved all the same, and one that has some is refused",
                "grant it the role Storage Blob Data Owner, or the action containers/blobs/tags/read (a signature: the letter t),"
                " if blobs may have tags",
            ),
        ),
        frozenset({When.PLAN, When.PREFLIGHT}),
        tags,
        frozenset({Asks.ACCOUNTS}),
    ),
)
