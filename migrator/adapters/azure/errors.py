"""SDK exceptions turned into ours: what was refused, whether anything can have been written, and who acts next.

Decides by the service's error code, never by its text; a copy's own codes (``x-ms-copy-source-*``) say what the source
answered. A write that may have reached the service and has no telling answer is OutcomeUnknown: a timeout of the service
itself too, for it "may or may not have succeeded". Leaves a fresh look at the source to ``copies``.
Rule: the SDK's texts can hold signatures, so they are redacted before they become a cause, and the SDK's own exception is
never chained.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import aiohttp
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
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
NO_RIGHT = frozenset(
    {"AuthorizationPermissionMismatch", "InsufficientAccountPermissions", "AuthorizationResourceTypeMismatch"}
)
NO_BLOB = frozenset({"BlobNotFound", "ResourceNotFound"})
NO_CONTAINER = frozenset({"ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled"})


class ServiceAnswer(Exception):
    """What the SDK said, without secrets: the cause of the errors we raise."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a request was about, for its error: ``doing`` completes "cannot ...", ``account`` is the plan's name."""

    account: str
    endpoint: str
    doing: str
    effect: Effect
    container: str = ""
    name: str = ""

    @property
    def place(self) -> str:
        return "/".join(part for part in (self.account, self.container, self.name) if part)


@contextmanager
def translated(target: Target) -> Iterator[None]:
    """Raise our errors instead of the SDK's."""
    try:
        yield
    except (AzureError, aiohttp.ClientError, TimeoutError) as failure:
        raise translate(failure, target) from _answer(failure)


def translate(failure: Exception, target: Target) -> MigrateError:
    answered = isinstance(failure, HttpResponseError) and failure.response is not None
    if (answered or isinstance(failure, ClientAuthenticationError)) and not _is_of_account(failure, target):
        return AccessRefused(
            f"cannot {target.doing} {target.place}: no credential of this machine was accepted",
            hint="sign in (az login), or name another credential for this account in the plan",
        )
    if isinstance(failure, HttpResponseError) and answered:
        return _refusal(failure, target)
    return _silence(failure, target)


def _is_of_account(failure: Exception, target: Target) -> bool:
    """Did the account answer? Else it was the identity service that was asked for a token first."""
    request = getattr(getattr(failure, "response", None), "request", None)
    return request is not None and str(request.url).startswith(target.endpoint)


def code_of(failure: HttpResponseError) -> str:
    """The service's error code, or empty: a proxy's answer has none."""
    header = str(_headers(failure).get("x-ms-error-code", ""))
    code = getattr(failure, "error_code", None)
    return header or str(getattr(code, "value", code) or "")


def _headers(failure: HttpResponseError) -> Mapping[str, str]:
    headers: Mapping[str, str] = getattr(failure.response, "headers", {})
    return headers


def _refusal(failure: HttpResponseError, target: Target) -> MigrateError:
    headers = _headers(failure)
    status, code = failure.status_code or 0, code_of(failure)
    source_status = str(headers.get("x-ms-copy-source-status-code", ""))
    source_code = str(headers.get("x-ms-copy-source-error-code", ""))
    if source_code or source_status:
        from_source = _source_refusal(source_status, source_code, headers, target)
        if from_source is not None:
            return from_source
    if (status == 503 and (code in THROTTLED or (target.effect == "read" and not code))) or code in THROTTLED:
        return _throttled(code, headers, target, "self")
    if code == "OperationTimedOut" and target.effect == "read":
        return _throttled(code, headers, target, "self")
    if status < 300 or (status >= 500 and status != 501):
        return _broken(status, code, target)
    return _denied(status, code, target)


def _denied(status: int, code: str, target: Target) -> MigrateError:
    cannot, because = f"cannot {target.doing} {target.place}", f" ({code})" if code else f" (HTTP {status})"
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
    if code == "BlobArchived":
        return CloudError(f"{cannot}: it is archived and cannot be read", hint="rehydrate it first", code=code)
    return CloudError(f"{cannot}: the service refused{because}", code=code or str(status))


def _access(cannot: str, code: str, because: str, target: Target) -> AccessRefused:
    if code in ("AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"):
        return AccessRefused(
            f"{cannot}: the key, signature or token of account {target.account} was not accepted{because}",
            hint="check that its credential is for this account and has not expired, and that this machine's clock is right",
            code=code,
        )
    if code in NO_RIGHT:
        return AccessRefused(
            f"{cannot}: the credential of account {target.account} has no right to do that{because}",
            hint="grant it the role that the documentation names for this command",
            code=code,
        )
    return AccessRefused(
        f"{cannot}: account {target.account} refused the request{because}",
        hint="check its credential and the credential's rights, and that its firewall lets this network in",
        code=code,
    )


def _source_refusal(status: str, code: str, headers: Mapping[str, str], target: Target) -> MigrateError | None:
    """What the source of a server-side copy answered, as the copy's own error; None if that says nothing more."""
    cannot = f"cannot {target.doing} {target.place}"
    if code in THROTTLED or code == "OperationTimedOut" or status == "503":
        return _throttled(code, headers, target, "origin")
    if status == "412" or code in REFUSED_CONDITION | SOURCE_CONDITION:
        return SourceChanged(f"{cannot}: its source changed meanwhile", code=code)
    if code in NO_CONTAINER:
        return NotFound(f"{cannot}: its source's container is gone ({code})", what="container", code=code)
    if code in NO_BLOB:
        return NotFound(f"{cannot}: its source is gone ({code})", what="blob", code=code)
    return None


def _throttled(code: str, headers: Mapping[str, str], target: Target, side: Literal["self", "origin"]) -> Throttled:
    who = f"account {target.account}" if side == "self" else "its source"
    wish = str(headers.get("Retry-After", ""))
    return Throttled(
        f"cannot {target.doing} {target.place}: {who} asks for fewer requests" + (f" ({code})" if code else ""),
        code=code,
        retry_after_seconds=float(wish) if re.fullmatch(r"\d{1,6}", wish) else None,
        account_side=side,
    )


def _broken(status: int, code: str, target: Target) -> CloudError:
    what = f"the service failed ({code or f'HTTP {status}'})" if status >= 300 else "its answer cannot be understood"
    if target.effect == "write":
        return OutcomeUnknown(
            f"cannot tell the outcome of a request to {target.doing} {target.place}: {what}", code=code
        )
    return Unreachable(f"cannot {target.doing} {target.place}: {what}", code=code)


def _silence(failure: BaseException, target: Target) -> CloudError:
    chain = list(_chain(failure))
    why = _why(chain)
    if target.effect == "write" and not _was_never_sent(chain):
        return OutcomeUnknown(f"cannot tell the outcome of a request to {target.doing} {target.place}: {why}")
    return Unreachable(
        f"cannot reach account {target.account} at {target.endpoint}: {why}",
        hint="check the endpoint in the plan, and this machine's network",
    )


def _chain(failure: BaseException) -> Iterator[BaseException]:
    """The failure and what it was made of; the SDK and aiohttp nest them in different attributes."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [failure]
    while waiting:
        one = waiting.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        nested = (getattr(one, name, None) for name in ("inner_exception", "os_error", "__cause__"))
        waiting.extend(inner for inner in nested if isinstance(inner, BaseException))
        waiting.extend(inner for inner in getattr(one, "exceptions", ()) if isinstance(inner, BaseException))


def _was_never_sent(chain: list[BaseException]) -> bool:
    """Only a connection that was never made proves it: the SDK calls a connection lost after the request was sent a
    request error too."""
    never = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
    if any(isinstance(one, never) for one in chain):
        return True
    # The SDK's own refusal to send (a token over plain http) has nothing inside it.
    return len(chain) == 1 and isinstance(chain[0], ServiceRequestError)


def _why(chain: list[BaseException]) -> str:
    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(one, kinds) for one in chain)

    if has(socket.gaierror):
        return "its name is not known"
    if has(ConnectionRefusedError) or any(isinstance(e, OSError) and "refused" in str(e).lower() for e in chain):
        return "nothing listens there"
    if has(ssl.SSLError, ssl.CertificateError):
        return "its certificate or TLS is not accepted"
    if has(aiohttp.ConnectionTimeoutError):
        return "no connection within the time allowed"
    if has(asyncio.TimeoutError, TimeoutError):
        return "no answer within the time allowed"
    if has(ServiceResponseError, aiohttp.ServerDisconnectedError, ConnectionResetError):
        return "the connection broke before the answer came"
    if any("non-TLS" in str(one) for one in chain):
        return "tokens of Microsoft Entra ID are only sent over https"
    return "the connection failed"


_SECRETS = (
    (re.compile(r"(?i)\b(sig|skoid|sktid|AccountKey|SharedAccessSignature)=[^&\s;'\"]+"), r"\1=..."),
    (re.compile(r"(?i)(signature found in the HTTP request)\s*'[^']*'"), r"\1 '...'"),
    (re.compile(r"(?i)\b(Bearer|SharedKey(?:Lite)?)\s+[^\s'\"]+"), r"\1 ..."),
)


def redacted(text: str) -> str:
    for pattern, put in _SECRETS:
        text = pattern.sub(put, text)
    return text


def _answer(failure: BaseException) -> ServiceAnswer:
    first_line = str(failure).strip().partition("\n")[0][:300]
    status = getattr(failure, "status_code", None)
    return ServiceAnswer(redacted(f"{type(failure).__name__}{f' {status}' if status else ''}: {first_line}"))


__all__ = ["ServiceAnswer", "Target", "code_of", "redacted", "translate", "translated"]
