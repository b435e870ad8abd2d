"""What a service's refusal or silence means: what was refused, whether anything can have been written, who acts next.

Decides by the service's error code, never by its text; a copy's own codes (``x-ms-copy-source-*``) say what the source
answered. A write that may have reached the service and has no telling answer is OutcomeUnknown: a timeout of the service
itself too, for it "may or may not have succeeded". Leaves a fresh look at the source to ``copies``, and failures of the
SDK to ``sdk_errors``. Rule: a service's texts can hold signatures, so they are redacted before they become a cause.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from migrator.adapters.azure import roles
from migrator.adapters.azure.wire import NotSent, TooLarge, UnsafeRequest, WireFailure
from migrator.adapters.azure.wire.failures import (
    NO_CONNECTION_IN_TIME,
    NO_TRUST,
    NOT_UNDERSTOOD,
    NOTHING_LISTENS,
    OF_PROXY,
    PROXY_ADDRESS,
    UNKNOWN_NAME,
)
from migrator.errors import (
    AccessRefused,
    CloudError,
    ConditionFailed,
    MigrateError,
    NotFound,
    OutcomeUnknown,
    SourceChanged,
    Throttled,
    Unreachable,
    Unsupported,
)
from migrator.model.values import value
from migrator.ports.diagnosis import HIERARCHICAL
from migrator.ports.object_store import NO_SERVER, TOO_LARGE
from migrator.ports.troubles import TROUBLES

Effect = Literal["read", "write"]

THROTTLED = frozenset({"ServerBusy", "AccountIngressLimitExceeded", "AccountEgressLimitExceeded", "TooManyRequests"})
REFUSED_CONDITION = frozenset(
    {
        "ConditionNotMet",
        "TargetConditionNotMet",
        "AppendPositionConditionNotMet",
        "MaxBlobSizeConditionNotMet",
        "BlobAlreadyExists",
        "BlobOverwritten",
        "UnmodifiedSinceConditionNotMet",
    }
)
SOURCE_CONDITION = frozenset({"SourceConditionNotMet", "CopySourceConditionNotMet"})
UNSUPPORTED = frozenset(
    {
        "CannotVerifyCopySource",
        "CopyAcrossAccountsNotSupported",
        "FeatureNotSupportedForAccount",
        "FeatureVersionMismatch",
        "NotImplemented",
        "UnsupportedHttpVerb",
        "UnsupportedHeader",
        "UnsupportedQueryParameter",
        "BlobTypeNotSupported",
    }
)
SOURCE_SIGNATURE = "CopySourceAuthenticationFailed"
"""Ours, for what ``x-ms-copy-source-error-code`` says of a signature."""
BUSY_SOURCE = frozenset({"429", "500", "503"})
"""Of a copy's source: it could not be read now, so nothing was written."""
COMES_LATER = frozenset({"AccountBeingCreated"})
"""Refused before anything is done, and only for now. Source: Azure "Common REST API error codes"."""
NOT_HEARD = frozenset({408, 425})
"""Of what stands before the service: it did not hear the whole request in time, or does not pass it on yet. What became of it
nobody knows."""
WRONG_ADDRESS = frozenset({NOTHING_LISTENS, UNKNOWN_NAME, NO_TRUST, NO_CONNECTION_IN_TIME, PROXY_ADDRESS})
"""What the first request to a server fails with where its address is wrong, or this machine's way to it."""
NO_RIGHT = frozenset(
    {"AuthorizationPermissionMismatch", "InsufficientAccountPermissions", "AuthorizationResourceTypeMismatch"}
)
NO_TAGS = NO_RIGHT | {"BlobTagsNotSupportedForAccountType"}
"""Of a listing with tags: it may be for them alone. Source: Azure "Manage and find Azure Blob data with blob index tags"."""
NO_BLOB = frozenset({"BlobNotFound", "ResourceNotFound"})
NO_CONTAINER = frozenset({"ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled"})


GetHeader = Callable[[str], str]
"""A response's header by its lower-case name; empty if it has none."""


class ServiceAnswer(Exception):
    """What the service said, without secrets: the cause of the errors we raise."""


@value(frozen=True, slots=True)
class Target:
    """What a request was about, for its error: ``doing`` completes "cannot ...", ``account`` is the plan's name."""

    account: str
    endpoint: str
    doing: str
    effect: Effect
    container: str = ""
    name: str = ""
    has_tags: bool = False
    """It was to write tags, too."""

    @property
    def place(self) -> str:
        return "/".join(part for part in (self.account, self.container, self.name) if part)


def refusal(status: int, code: str, header: GetHeader, target: Target) -> MigrateError:
    """The error for an answer that is no success. ``code``: the service's error code, or empty: a proxy has none."""
    code = _word(code)
    source_status = header("x-ms-copy-source-status-code")
    source_code = _word(header("x-ms-copy-source-error-code"))
    if source_code or source_status:
        from_source = _source_refusal(source_status, source_code, header, target)
        if from_source is not None:
            return from_source
    if code in THROTTLED or status == 429 or (status == 503 and target.effect == "read" and not code):
        return _throttled(code, header, target, "self")
    if code == "OperationTimedOut" and target.effect == "read":
        return _throttled(code, header, target, "self")
    if code in COMES_LATER:
        return Unreachable(f"cannot {target.doing} {target.place}: it is only being made ({code})", code=code)
    if status < 300 or status in NOT_HEARD or (status >= 500 and status != 501):
        return _failed(
            f"the service failed ({code or f'HTTP {status}'})" if status >= 300 else NOT_UNDERSTOOD,
            code or (str(status) if status == 503 else ""),
            target,
        )
    return _denied(status, code, target)


def _word(code: str) -> str:
    """A code as the service writes them; what is none goes into no message of ours."""
    return code if len(code) <= 100 and code.isascii() and code.isalnum() else ""


def _denied(status: int, code: str, target: Target) -> MigrateError:
    cannot, because = f"cannot {target.doing} {target.place}", f" ({code})" if code else f" (HTTP {status})"
    if (known := TROUBLES.get(code or str(status))) is not None:
        return CloudError(f"{cannot}: {known.why}{because}", hint=known.hint, code=code or str(status))
    if code == "PublicAccessNotPermitted":
        return CloudError(
            f"{cannot}: account {target.account} lets nobody read without a signature{because}",
            hint="write containers: {public_access: drop} in the plan, or let the account allow it",
            code=code,
        )
    if code in SOURCE_CONDITION:
        return SourceChanged(f"{cannot}: its source changed meanwhile", code=code)
    if code in REFUSED_CONDITION or status in (304, 412):
        return ConditionFailed(f"{cannot}: it is not as expected any more{because}", code=code)
    if code in UNSUPPORTED or status in (501, 405):
        return Unsupported(f"{cannot}: the service cannot do that{because}", code=code)
    if code in NO_CONTAINER or (status == 404 and not target.name and code in ("", "ResourceNotFound")):
        return NotFound(f"{cannot}: there is no such container{because}", what="container", code=code)
    if code in NO_BLOB or (status == 404 and not code):
        return NotFound(f"{cannot}: there is no such blob{because}", what="blob", code=code)
    if status in (401, 403) or code in ("AuthenticationFailed", "InvalidAuthenticationInfo"):
        return _access(cannot, code, because, target)
    hint = "correct the account's endpoint, or find out what stands between" if 300 <= status < 400 else ""
    return CloudError(f"{cannot}: the service refused{because}", hint=hint, code=code or str(status))


def _access(cannot: str, code: str, because: str, target: Target) -> AccessRefused:
    if code in ("AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"):
        return AccessRefused(
            f"{cannot}: the key, signature or token of account {target.account} was not accepted{because}",
            hint="check that its credential is for this account and has not expired, and that this machine's clock is right",
            code=code,
        )
    if code == "KeyBasedAuthenticationNotPermitted":
        return AccessRefused(
            f"{cannot}: account {target.account} allows no keys, and no signatures made with one{because}",
            hint="open it with Microsoft Entra ID; a fence by stored access policies cannot be there",
            code=code,
        )
    if code in NO_RIGHT:
        return AccessRefused(
            f"{cannot}: the credential of account {target.account} has no right to do that{because}",
            hint=roles.hint(
                target.doing,
                target.account,
                target.container,
                is_container=bool(target.container) and not target.name,
                has_tags=target.has_tags,
            ),
            code=code,
        )
    return AccessRefused(
        f"{cannot}: account {target.account} refused the request{because}",
        hint="check its credential and the credential's rights, and that its firewall lets this network in",
        code=code,
    )


def _source_refusal(status: str, code: str, header: GetHeader, target: Target) -> MigrateError | None:
    """What the source of a server-side copy answered, as the copy's own error; None if that says nothing more."""
    cannot = f"cannot {target.doing} {target.place}"
    if code in THROTTLED or code == "OperationTimedOut" or status in BUSY_SOURCE:
        return _throttled(code, header, target, "origin")
    if status == "412" or code in REFUSED_CONDITION | SOURCE_CONDITION:
        return SourceChanged(f"{cannot}: its source changed meanwhile", code=code)
    if code in NO_CONTAINER:
        return NotFound(f"{cannot}: its source's container is gone ({code})", what="container", code=code)
    if code in NO_BLOB:
        return NotFound(f"{cannot}: its source is gone ({code})", what="blob", code=code)
    if status == "401" or code in ("AuthenticationFailed", "InvalidAuthenticationInfo"):
        return Unsupported(f"{cannot}: its source did not accept our signature", code=SOURCE_SIGNATURE)
    if (known := TROUBLES.get(code)) is not None:
        return CloudError(f"{cannot}: of its source, {known.why} ({code})", hint=known.hint, code=code)
    return None


def _throttled(code: str, header: GetHeader, target: Target, side: Literal["self", "origin"]) -> Throttled:
    who = f"account {target.account}" if side == "self" else "its source"
    wish = header("retry-after")
    return Throttled(
        f"cannot {target.doing} {target.place}: {who} asks for fewer requests" + (f" ({code})" if code else ""),
        code=code,
        retry_after_seconds=float(wish) if re.fullmatch(r"\d{1,6}", wish) else None,
        account_side=side,
    )


def _failed(what: str, code: str, target: Target) -> CloudError:
    if target.effect == "write":
        return OutcomeUnknown(
            f"cannot tell the outcome of a request to {target.doing} {target.place}: {what}", code=code
        )
    return Unreachable(f"cannot {target.doing} {target.place}: {what}", code=code)


def not_understood(target: Target) -> CloudError:
    """A success that does not say what it must."""
    return _failed(NOT_UNDERSTOOD, "", target)


def silence(failure: WireFailure, target: Target) -> CloudError:
    """The error for an exchange without a whole answer."""
    if isinstance(failure, UnsafeRequest):
        return CloudError(
            f"cannot {target.doing} {target.place}: {failure.why}",
            hint="give it another name or value, or leave it out of the plan",
            code="UnsafeValue",
        )
    return unanswered(
        failure.why, target, was_sent=not isinstance(failure, NotSent), too_large=isinstance(failure, TooLarge)
    )


def unanswered(why: str, target: Target, *, was_sent: bool, too_large: bool = False) -> CloudError:
    if target.effect == "write" and was_sent:
        return OutcomeUnknown(f"cannot tell the outcome of a request to {target.doing} {target.place}: {why}")
    if why == NOT_UNDERSTOOD or too_large:
        return _failed(why, TOO_LARGE if too_large else "", target)
    return Unreachable(
        f"cannot reach account {target.account} at {target.endpoint}: {why}",
        hint="check the endpoint in the plan, and this machine's network",
        code=NO_SERVER if why in WRONG_ADDRESS or why.startswith(OF_PROXY) else "",
    )


def hierarchical(target: Target) -> CloudError:
    """Of a listing that shows directories."""
    return CloudError(
        f"cannot list {target.place}: it shows directories, so account {target.account} has a hierarchical namespace (Data"
        " Lake)",
        hint="its blobs cannot be moved; use tools for Data Lake",
        code=HIERARCHICAL,
    )


def lacking_tags(target: Target, number: int) -> AccessRefused:
    """Of a listing without tags that shows how many blobs have some."""
    return AccessRefused(
        f"cannot list {target.place}: {number:,} of its blobs have tags, and the credential of account {target.account} may"
        " not read them",
        hint=roles.hint("list the tags in", target.account, target.container, is_container=True),
        code="AuthorizationPermissionMismatch",
    )


def no_credential(target: Target) -> AccessRefused:
    """Nobody gave us a token."""
    return AccessRefused(
        f"cannot {target.doing} {target.place}: no credential of this machine was accepted",
        hint="sign in (az login), or name another credential for this account in the plan",
    )


_SECRETS = (
    (re.compile(r"(?i)\b(sig|skoid|sktid|AccountKey|SharedAccessSignature)=[^&\s;'\"]+"), r"\1=..."),
    (re.compile(r"(?i)(signature found in the HTTP request)\s*'[^']*'"), r"\1 '...'"),
    (re.compile(r"(?i)\b(Bearer|SharedKey(?:Lite)?)\s+[^\s'\"]+"), r"\1 ..."),
)


def redacted(text: str) -> str:
    """Without secrets, and without what would command a terminal."""
    for pattern, put in _SECRETS:
        text = pattern.sub(put, text)
    return "".join([char if char.isprintable() else "?" for char in text])


__all__ = [
    "Effect",
    "GetHeader",
    "ServiceAnswer",
    "Target",
    "hierarchical",
    "lacking_tags",
    "no_credential",
    "not_understood",
    "redacted",
    "refusal",
    "silence",
    "unanswered",
]
