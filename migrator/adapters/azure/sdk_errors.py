"""The SDK's exceptions turned into ours, where the SDK still sends requests: tokens and metrics.

Decides what was sent; leaves what an answer means to ``errors``. Rule: the SDK's own exception is never chained, for its
texts can hold signatures.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator

import aiohttp
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from migrator.adapters.azure.errors import ServiceAnswer, Target, no_credential, redacted, refusal, unanswered
from migrator.errors import CloudError, MigrateError


def translate(failure: Exception, target: Target) -> MigrateError:
    answered = isinstance(failure, HttpResponseError) and failure.response is not None
    if (answered or isinstance(failure, ClientAuthenticationError)) and not _is_of_account(failure, target):
        return no_credential(target)
    if isinstance(failure, HttpResponseError) and answered:
        headers = getattr(failure.response, "headers", {})
        return refusal(failure.status_code or 0, code_of(failure), lambda name: str(headers.get(name, "")), target)
    return _silence(failure, target)


def is_refusal(failure: Exception) -> bool:
    """Did the identity service, or every credential of this machine, say no?"""
    return isinstance(failure, HttpResponseError)


def is_no_answer(failure: Exception) -> bool:
    return isinstance(failure, (AzureError, TimeoutError, OSError))


def _is_of_account(failure: Exception, target: Target) -> bool:
    """Did the account answer? Else it was the identity service that was asked for a token first."""
    request = getattr(getattr(failure, "response", None), "request", None)
    return request is not None and str(request.url).startswith(target.endpoint)


def code_of(failure: HttpResponseError) -> str:
    """The service's error code, or empty: a proxy's answer has none."""
    header = str(getattr(failure.response, "headers", {}).get("x-ms-error-code", ""))
    code = getattr(failure, "error_code", None)
    return header or str(getattr(code, "value", code) or "")


def why_unanswered(failure: BaseException) -> tuple[str, bool]:
    """Why no answer came, as a clause, and whether the request may have arrived."""
    chain = list(_chain(failure))
    return _why(chain), not _was_never_sent(chain)


def _silence(failure: BaseException, target: Target) -> CloudError:
    why, was_sent = why_unanswered(failure)
    return unanswered(why, target, was_sent=was_sent)


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


def answer_of(failure: BaseException) -> ServiceAnswer:
    first_line = str(failure).strip().partition("\n")[0][:300]
    status = getattr(failure, "status_code", None)
    return ServiceAnswer(redacted(f"{type(failure).__name__}{f' {status}' if status else ''}: {first_line}"))


__all__ = ["answer_of", "code_of", "is_no_answer", "is_refusal", "translate", "why_unanswered"]
