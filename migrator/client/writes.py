"""One write to a blob service, from its first try to its last, as the lease rule sees it. No I/O, nothing foreign.

Decides which requests are visible and need a lease, whether a try may be sent, what its answer proves, and when the
outcome is unknown. Leaves sending, sleeping and counting retries to the policies. Rules:

- whatever is not surely a read or a staged block is a write and needs a lease;
- all tries of a request go to one account, under one epoch, and end before one deadline;
- "not applied" is believed only from an answer or a connection that was never made;
- once a try is unanswered, a refusal of the next one proves nothing: it may be our own success.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NoReturn
from urllib.parse import parse_qs, urlsplit

from migrator.client.errors import LeaseError, OutcomeUnknown, RestartUpload, RouteFenced, RouteMoved
from migrator.client.lease import TryTimes, WriteLease, WriteRequest

_READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_READ_POSTS = frozenset({"query", "userdelegationkey"})
_NOT_RETRIED = frozenset({501, 505})
_AMBIGUOUS = frozenset({404, 409, 412})
"""Answers that an earlier try of the same request can cause: it deleted, created or replaced the blob."""
_SOURCE_BUSY = frozenset({"OperationTimedOut", "InternalError", "ServerBusy"})
"""Errors of a copy's source that are worth another try."""


class WriteKind(Enum):
    READ = "read"
    STAGED = "staged"
    """Put Block: invisible until a commit."""
    COMMIT = "commit"
    """Put Block List."""
    WRITE = "write"


def kind_of(method: str, url: str) -> WriteKind:
    """What a request to a blob service does to what others can see."""
    comp = _query(url).get("comp", [""])[-1].lower()
    match method.upper():
        case verb if verb in _READ_METHODS:
            return WriteKind.READ
        case "POST" if comp in _READ_POSTS:
            return WriteKind.READ
        case "PUT" if comp == "block":
            return WriteKind.STAGED
        case "PUT" if comp == "blocklist":
            return WriteKind.COMMIT
    return WriteKind.WRITE


def is_repeatable(url: str, headers: Mapping[str, str]) -> bool:
    """May the request be sent again while an earlier try may have been applied? Not if it would be applied twice."""
    lower = {name.lower(): value for name, value in headers.items()}
    if _query(url).get("comp", [""])[-1].lower() == "appendblock":
        return "x-ms-blob-condition-appendpos" in lower
    return lower.get("x-ms-sequence-number-action", "").lower() != "increment"


def is_signed_by_policy(url: str) -> bool:
    """Does the signature in ``url`` name a stored access policy?"""
    return "si" in _query(url)


def with_timeout(url: str, seconds: int) -> str:
    """``url`` with the service's ``timeout=`` at most ``seconds``; the rest of it byte for byte."""
    path, _, query = url.partition("?")
    kept = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        if name.lower() != "timeout":
            kept.append(part)
        elif (given := whole_seconds(value)) is not None:
            seconds = min(seconds, given)
    return f"{path}?{'&'.join([*kept, f'timeout={seconds}'])}"


def whole_seconds(text: str) -> int | None:
    """A number of seconds of a header or query. None for anything else: ``isdigit`` alone takes signs that ``int`` refuses."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def is_within(url: str, endpoint: str) -> bool:
    """Does ``url`` address the account at ``endpoint``?"""
    there, here = urlsplit(endpoint.rstrip("/") + "/"), urlsplit(url)
    return (here.scheme, here.netloc.lower()) == (there.scheme, there.netloc.lower()) and (
        here.path == there.path[:-1] or here.path.startswith(there.path)
    )


class Attempt:
    """The tries of one write. Call ``admit`` before each, then ``answered`` or ``unanswered``, at the end ``finish``."""

    def __init__(self, key: str, method: str, url: str, headers: Mapping[str, str]) -> None:
        self.key = key
        self.kind = kind_of(method, url)
        self.is_unknown = False
        """A try was sent that may have been applied."""
        self.is_fenced = False
        """Refused because of a fence, as far as can be told: begin anew, under a lease of a route that was read after that."""
        self._url = url
        self._is_repeatable = is_repeatable(url, headers)
        self._epoch = 0
        self._request: WriteRequest | None = None
        self._is_out = False
        """A try was admitted, and nobody has said yet how it went."""
        self._was_lost = False
        """Of some try nobody knows, whatever the others were answered: it may be applied late."""

    def admit(self, lease: WriteLease) -> TryTimes:
        """May a try be sent now, under ``lease`` (renewed if need be)? The time it has.

        Raises:
            RestartUpload: a commit of blocks that lie in an account the route has left.
            RouteMoved: any other write to such an account.
            RouteFenced: the lease is over, or was of an earlier epoch, or the time is used up.
            OutcomeUnknown: instead of these, if an earlier try may have been applied.
        """
        try:
            if self._request is None:
                self._check_account(lease)
                self._request = lease.request()
                self._epoch = lease.epoch
            elif lease.epoch != self._epoch:
                raise RouteFenced(
                    f"cannot repeat a write to {self.key}: the route changed from epoch {self._epoch} to {lease.epoch}",
                    reason="late",
                    hint="begin the write again",
                )
            lease.check()
            times = self._request.times()
            self._is_out = True
            return times
        except LeaseError as refused:
            self.refused(refused)

    def refused(self, fault: LeaseError) -> NoReturn:
        """No try can be sent, for want of a lease: raises ``fault``, or OutcomeUnknown if one was sent before."""
        if self.is_unknown:
            raise self._unknown() from fault
        raise fault

    def answered(self, status: int, headers: Mapping[str, str], *, signed_by_policy: bool = False) -> bool:
        """Take in an answer; True: worth another try.

        Args:
            signed_by_policy: the request's signature names a stored access policy, which an enforced fence revokes.

        Raises:
            OutcomeUnknown: a refusal that an earlier, unanswered try may itself have caused.
        """
        self._is_out = False
        if status < 500 and status != 408 and headers.get("x-ms-copy-source-error-code") not in _SOURCE_BUSY:
            if status == 403 and signed_by_policy:
                self.is_fenced = not self.is_unknown
                return self.is_fenced
            if self.is_unknown and status in _AMBIGUOUS:
                raise self._unknown()
            self.is_unknown = False
            return False
        if status in _NOT_RETRIED:
            return False
        is_refusal = 400 <= status < 500 and status != 408
        is_busy = status == 503 and bool(headers.get("x-ms-error-code"))
        return self.unanswered(is_sent=not (is_refusal or is_busy))

    def unanswered(self, *, is_sent: bool = True) -> bool:
        """No answer, or none that says what happened; ``is_sent`` False: no connection was made. True: try again."""
        self._is_out = False
        self.is_unknown = self.is_unknown or is_sent
        self._was_lost = self._was_lost or is_sent
        return self._is_repeatable or not self.is_unknown

    def has_time_for(self, pause: float) -> bool:
        """Is a second left after ``pause`` seconds?"""
        return self._request is not None and self._request.remaining() >= pause + 1

    def over(self) -> None:
        """Nothing more is sent. The write has ended if every try of it has; else it counts as under way until its deadline."""
        if self._request is not None and not self._is_out and not self._was_lost:
            self._request.done()

    def finish(self, cause: BaseException | None = None) -> None:
        """No further try: OutcomeUnknown if the write may have been applied; else the last answer stands."""
        if self.is_unknown:
            raise self._unknown() from cause

    def _check_account(self, lease: WriteLease) -> None:
        if is_within(self._url, lease.endpoint):
            return
        if self.kind is WriteKind.COMMIT:
            raise RestartUpload(
                f"cannot commit to {self.key}: the blocks are not in {lease.account}, which the route names now",
                endpoint=lease.endpoint,
                hint="upload the object again with a client for the new endpoint",
            )
        raise RouteMoved(
            f"cannot write to {self.key} here: the route names {lease.account} now",
            endpoint=lease.endpoint,
            hint="make a client for the new endpoint",
        )

    def _unknown(self) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"cannot tell whether a write to {self.key} was applied: it was sent in epoch {self._epoch} and not answered",
            hint="read what is there, under a lease, before writing it again",
        )


def _query(url: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(url).query, keep_blank_values=True)
