"""What a refusal of the resource manager, or its silence, means.

Rule: the SDK's own exception is never chained; of the service's text only one short line is repeated.
"""

from __future__ import annotations

from typing import Final

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from migrator.adapters.azure.errors import Effect, redacted
from migrator.adapters.azure.sdk_errors import why_unanswered
from migrator.errors import AccessRefused, CloudError, MigrateError, NotFound, OutcomeUnknown, Throttled, Unreachable
from migrator.model.schedule import Account

MOST_SAID: Final = 240
_BUSY: Final = frozenset(
    {"StorageAccountOperationInProgress", "StorageAccountIsNotProvisioned", "AnotherOperationInProgress"}
)
_HINTS: Final = {
    "RequestDisallowedByPolicy": "a policy of the organisation forbids it: change `provision`, or ask for an exemption",
    "MissingSubscriptionRegistration": "register the provider: az provider register --namespace Microsoft.Storage",
    "ScopeLocked": "a lock on it, its group or its subscription forbids it: ask whoever set the lock",
    "StorageAccountAlreadyTaken": "name another account in the plan",
    "MaxStorageAccountsCountPerSubscriptionExceeded": "ask for a higher quota, or name another subscription",
    "SkuNotAvailable": "name another sku or region in the plan",
}


def refusal(
    failure: AzureError | OSError | TimeoutError, account: Account, doing: str, effect: Effect, at: str
) -> MigrateError:
    """``doing``: such as "look for"; ``at``: where the resource manager is."""
    cannot = f"cannot {doing} account {account.name}"
    if isinstance(failure, HttpResponseError) and failure.response is not None and _is_of(failure, at):
        return _answered(failure, account, cannot, effect)
    if isinstance(failure, (ClientAuthenticationError, HttpResponseError)):
        return AccessRefused(
            f"{cannot}: Microsoft Entra ID gave no token for the resource manager",
            hint="sign in (az login), or check the account's credential and tenant in the plan",
        )
    why, was_sent = why_unanswered(failure)
    text = f"{cannot}: the resource manager at {at} did not answer: {why}"
    return OutcomeUnknown(text) if effect == "write" and was_sent else Unreachable(text)


def _is_of(failure: HttpResponseError, at: str) -> bool:
    """Did the resource manager answer, and not whoever was asked for a token first?"""
    request = getattr(failure.response, "request", None)
    return "/oauth2/" not in str(getattr(request, "url", ""))


def _answered(failure: HttpResponseError, account: Account, cannot: str, effect: Effect) -> MigrateError:
    status, code = failure.status_code or 0, str(getattr(failure.error, "code", "") or "")
    because = code or f"HTTP {status}"
    if status == 429:
        wish = str(getattr(failure.response, "headers", {}).get("Retry-After", ""))
        seconds = float(wish) if wish.isdecimal() and len(wish) < 7 else None
        return Throttled(
            f"{cannot}: the resource manager asks for fewer requests", code=code, retry_after_seconds=seconds
        )
    if code == "InvalidAuthenticationTokenTenant":
        return AccessRefused(
            f"{cannot}: its subscription {account.subscription} is of another tenant than the credential",
            hint=f"give account {account.name} its `tenant` in the plan, and a credential that can sign in there",
            code=code,
        )
    if status in (401, 403) and code not in _HINTS:
        role = "Storage Account Contributor" if effect == "write" else "Reader"
        return AccessRefused(
            f"{cannot}: the resource manager refused our credential ({because})",
            hint=f'grant it "{role}" on resource group {account.resource_group}',
            code=code,
        )
    if code in ("ResourceGroupNotFound", "SubscriptionNotFound"):
        what = "resource group" if code == "ResourceGroupNotFound" else "subscription"
        named = account.resource_group if code == "ResourceGroupNotFound" else account.subscription
        hint = "correct the plan, or create it: a run creates accounts alone"
        return NotFound(f"{cannot}: there is no {what} {named}", what="group", hint=hint, code=code)
    if code in _BUSY:
        return Throttled(f"{cannot}: it is being created or changed ({code})", code=code)
    if status >= 500:
        kind = OutcomeUnknown if effect == "write" else Unreachable
        return kind(f"{cannot}: the resource manager failed ({because})", code=code)
    said = _said(failure)
    return CloudError(f"{cannot}: {because}{f' ({said})' if said else ''}", hint=_HINTS.get(code, ""), code=code)


def _said(failure: HttpResponseError) -> str:
    line = str(getattr(failure.error, "message", "") or "").strip().partition("\n")[0][:MOST_SAID]
    return redacted("".join(one for one in line if one.isprintable())).rstrip(".")


__all__ = ["refusal"]
