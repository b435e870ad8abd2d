"""Requests of one account: written, signed, sent once, and their failures named.

Decides how an operation's headers and address become a request on the wire. Leaves what a refusal means to ``errors``,
what is asked for to ``object_store``. Rule: nothing here is sent twice that may have been
applied, and nothing secret leaves but on the wire.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Literal, Protocol
from urllib.parse import urlsplit

from migrator.adapters.azure.credentials import Credential
from migrator.adapters.azure.endpoints import refuse_unsafe
from migrator.adapters.azure.errors import (
    Effect,
    ServiceAnswer,
    Target,
    hierarchical,
    lacking_tags,
    no_credential,
    not_understood,
    redacted,
    refusal,
    silence,
    unanswered,
)
from migrator.adapters.azure.shapes import parsed_date
from migrator.adapters.azure.signing import (
    HeaderPairs,
    KeySigner,
    Query,
    SasSigner,
    Signer,
    TokenSigner,
    quoted,
    quoted_name,
)
from migrator.adapters.azure.tokens import Tokens
from migrator.adapters.azure.trust import trust
from migrator.adapters.azure.wire import Answer, Client, Stream, Timeouts, WireFailure, WireLimits
from migrator.adapters.azure.xml_reader import NotUnderstood
from migrator.errors import AccessRefused, CloudError, MigrateError, Unsupported
from migrator.model.schedule import Account
from migrator.model.values import replace

API_VERSION = "2025-07-05"
"""What is asked of the service where the plan names no ``api_version``: old enough to be known in every cloud, and the first in
which a refused copy tells what its source answered. Source: AzCopy, which asks for this one."""
SOURCE_PATH_BYTES: Final = 1_500
"""With its signature, a source has 2 KB at most. Source: Azure "Copy Blob From URL" (x-ms-copy-source)."""
NEWER_API_VERSION = "2026-02-06"
"""Asked for only where a request needs it: a listing from a name on. Source: Azure "Version 2026-02-06"."""
OLDEST_API_VERSION = "2020-10-02"
"""Listings ask for tags (since 2019-12-12), immutability policies and legal holds (since 2020-06-12); the next one that a service
knows. Source: Azure "Versioning for Azure Storage"."""
CLIENT_REQUEST_ID = "x-ms-client-request-id"
USER_AGENT = "migrate"
"""What the account's own logs show beside each of our requests."""
SAME_SECONDS = 5.0
"""Closer to the service's than that, this machine's clock is right: a Date has whole seconds, and comes late."""
SMALL_ANSWER_BYTES = 1024 * 1024
WRITE_SECONDS = 55
"""After that the service gives a write up: a little before this machine stops to wait for its answer, so that most outcomes are
known. Source: Azure "Setting timeouts for Blob service operations"."""
_PLAIN_WRITE: Final[Query] = (("timeout", str(WRITE_SECONDS)),)
"""The query of a write without a body or parts of its own: most of all requests, the copies."""
SLOWEST_BYTES = 64 * 1024
"""A second: a body that comes no faster than that is still waited for."""
MOST_WRITE_SECONDS = 175
"""For a write that customers can see. With the life of the signature that it carries (``sas``) it may be applied for so long."""

AGAIN_SECONDS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
"""Before each further try of a request whose token or signature was refused, where the account let us in before: tokens may be
revoked again while they are renewed, and a new one need not be known everywhere at once. What lasts longer is a person's."""

NOT_BELIEVED = frozenset({"AuthenticationFailed", "InvalidAuthenticationInfo"})

Method = Literal["GET", "HEAD", "PUT", "POST", "DELETE"]


class Writes(Protocol):
    """Signs writes of blobs in the token's place."""

    async def signer(self, container: str) -> SasSigner:
        """Raises what asking for a delegation key raises."""
        ...

    def renew(self, container: str, refused: str) -> bool:
        """The service did not accept ``refused``. Is there, or will there be, another signature?"""
        ...


class Dates:
    """The service's clock, as its answers tell it. ``newest``: Unix time, to the second; ``ahead``: how far it is ahead of this
    machine's clock. What is signed is dated by it: a service judges by its own clock alone."""

    def __init__(self) -> None:
        self.newest: float | None = None
        self.ahead = 0.0
        self._text: bytes | None = None

    def now(self) -> float:
        """Unix time by the service's clock; by ours, until it has answered."""
        return time.time() + self.ahead

    def saw(self, text: bytes | None) -> None:
        """The Date of an answer; what is none, is passed over."""
        if text == self._text or text is None:
            return
        self._text = text
        moment = parsed_date(text.decode("ascii", "replace"))
        if moment is not None:
            self.newest = moment.timestamp()
            apart = self.newest - time.time()
            self.ahead = apart if abs(apart) > SAME_SECONDS else 0.0


class Requests:
    """``path_of`` gives an address; ``send`` and ``open`` send one request and raise the CloudError family."""

    def __init__(
        self,
        account: Account,
        credential: Credential,
        *,
        cloud: Mapping[str, str],
        limits: WireLimits | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.account = account.name
        self.endpoint = credential.endpoint
        self.api_version = account.api_version or API_VERSION
        _check_version(account)
        _check_transport(account, credential)
        self._base = urlsplit(credential.endpoint).path.rstrip("/")
        self._root = credential.endpoint.rstrip("/").removesuffix(self._base)
        self._tokens: Tokens | None = None
        self._ids = _request_ids()
        self.dates = Dates()
        self._token_signer = TokenSigner()
        self._was_let_in = False
        self._writes: Writes | None = None
        self._signer = self._signer_of(account, credential)
        secure = credential.endpoint.startswith("https://") or "ca_file" in cloud
        try:
            self._client = Client(
                credential.endpoint,
                trust=trust(account.name, cloud.get("ca_file")) if secure else None,
                constant=_constant(self.api_version),
                limits=limits,
                timeouts=timeouts,
            )
        except ValueError as refused:
            raise CloudError(
                f"cannot open account {account.name}: {account.endpoint} is not the address of a storage account",
                hint="correct its endpoint in the plan",
            ) from refused
        self.has_newer = account.api_version is None or account.api_version >= NEWER_API_VERSION
        """May a request ask for ``NEWER_API_VERSION``? Not where the plan names an older one."""
        newer = max(self.api_version, NEWER_API_VERSION)
        self._newer = self._client.constant_of(_constant(newer))
        self._newer_signer = None
        if credential.key is not None:
            own = [("x-ms-version", newer)]
            self._newer_signer = KeySigner(credential.account_name, credential.key, own, now=self.dates.now)

    def sign_writes_with(self, writes: Writes) -> None:
        """Under Microsoft Entra ID, what is written to blobs is signed by ``writes`` from now on."""
        self._writes = writes

    def _signer_of(self, account: Account, credential: Credential) -> Signer:
        if credential.key is not None:
            version = [("x-ms-version", self.api_version)]
            return KeySigner(credential.account_name, credential.key, version, now=self.dates.now)
        if credential.sas is not None:
            if not re.fullmatch(r"[\x21-\x7e]+", credential.sas) or "#" in credential.sas:
                raise AccessRefused(
                    f"cannot open account {account.name}: its shared access signature contains characters that none may contain",
                    hint="copy it again, quoted as it is on the account's page",
                )
            return SasSigner(credential.sas)
        self._tokens = Tokens(credential.token_source, f"{credential.audience.rstrip('/')}/.default")
        return self._token_signer

    def path_of(self, container: str = "", name: str | None = None) -> str:
        """The quoted path of the account (ends with a slash), a container or a blob. CloudError for a name that no
        address can hold."""
        if container.startswith("."):
            refuse_unsafe(container, f"{self.account}/{container}")
        if name is None:
            return f"{self._base}/{quoted(container, '$')}"
        if not name or name[-1] == "." or "./" in name or not name.isprintable():
            refuse_unsafe(name, f"{self.account}/{container}/{name}")
        try:
            return f"{self._base}/{quoted(container, '$')}/{quoted_name(name)}"
        except UnicodeEncodeError as surrogate:
            raise CloudError(
                f"cannot address {self.account}/{container}/{name!r}: it contains an unpaired surrogate",
                hint="give the blob another name, or leave it out of the plan",
                code="UnsafeName",
            ) from surrogate

    async def send(
        self,
        method: Method,
        doing: str,
        container: str = "",
        name: str | None = None,
        *,
        query: Query = (),
        headers: HeaderPairs | None = None,
        body: bytes = b"",
        effect: Effect | None = None,
        most_bytes: int = SMALL_ANSWER_BYTES,
        signer: Signer | None = None,
        is_newer: bool = False,
    ) -> Answer:
        """The answer of a success. ``doing`` completes "cannot ..."; ``effect`` is that of the method unless given.
        ``headers`` is used up. ``signer`` takes the place of the account's own. ``is_newer``: by ``NEWER_API_VERSION``, which
        nobody asks for where ``has_newer`` forbids it.

        A request that is refused for its signature is signed once more where there is another: by the service's clock, where this
        machine's turned out to be wrong, or with a new token or delegation key, where they were revoked: then again for some
        seconds (``AGAIN_SECONDS``), for that is before anything is done."""
        given = [] if headers is None else headers
        effect = effect or _effect_of(method)
        path = self.path_of(container, name)
        if method == "PUT" or method == "POST":
            given.append(("Content-Length", str(len(body))))
        if effect == "write":
            query = [*query, ("timeout", str(_seconds_for(query, body)))] if query or body else _PLAIN_WRITE
        facts: tuple[Method, str, str, str | None, Effect] = (method, doing, container, name, effect)
        is_unheard = self.dates.newest is None
        may_again = signer is None and (is_unheard or self._tokens is not None)
        tries = 0
        while True:
            by = signer or (
                self._signer if self._tokens is None else await self._signer_for(self._tokens, self.about(*facts))
            )
            if is_newer and self._newer_signer is not None and by is self._signer:
                by = self._newer_signer
            used = by.secret
            sent, asked = list(given) if may_again else given, next(self._ids)
            sent.append((CLIENT_REQUEST_ID, asked))
            address = by.sign(method, path, query, sent)
            constant = self._newer if is_newer else None
            try:
                answer = await self._client.exchange(
                    method, address, sent, body, most_bytes=most_bytes, constant=constant
                )
            except WireFailure as failure:
                # Not chained: its causes may hold what was sent.
                raise silence(failure, self.about(*facts)) from _unanswered(sent)
            self.dates.saw(answer.headers.get(b"date"))
            if 200 <= answer.status < 300:
                self._was_let_in = True
                return answer
            if not may_again or not await self._is_renewed(answer, by, used, self.about(*facts), is_unheard, tries):
                has_tags = any(header == "x-ms-tags" for header, _ in given)
                raise self._refused(answer, replace(self.about(*facts), has_tags=has_tags), asked)
            tries += 1

    async def _signer_for(self, tokens: Tokens, about: Target) -> Signer:
        if self._writes is not None and about.effect == "write" and about.name:
            return await self._writes.signer(about.container)
        await self._refresh(tokens, about)
        return self._signer

    async def _is_renewed(
        self, answer: Answer | Stream, signer: Signer, used: str, about: Target, is_unheard: bool, tries: int
    ) -> bool:
        """Was the request refused for how it was signed, and is there something else to sign it with? Such a refusal comes before
        anything is done. ``tries``: how often that was so before."""
        if self._tokens is None:
            return tries == 0 and is_unheard and answer.status == 403 and self.dates.ahead != 0
        is_signed = isinstance(signer, SasSigner)
        if answer.status != 401 and not (is_signed and answer.text(b"x-ms-error-code") in NOT_BELIEVED):
            return False
        if tries >= (len(AGAIN_SECONDS) if self._was_let_in else 1):
            return False
        await asyncio.sleep(AGAIN_SECONDS[tries])
        if is_signed:
            is_another = self._writes is not None and self._writes.renew(about.container, used)
        else:
            with token_failures(about):
                is_another = await self._tokens.renew(used, _claims(answer.text(b"www-authenticate")))
        return is_another or self._was_let_in

    async def open(self, doing: str, container: str, name: str, *, headers: HeaderPairs) -> Stream:
        """GET a blob as a stream, which the caller closes."""
        path = self.path_of(container, name)
        about = self.about("GET", doing, container, name, None)
        is_unheard, may_again, tries = self.dates.newest is None, self._tokens is not None, 0
        while True:
            by = self._signer if self._tokens is None else await self._signer_for(self._tokens, about)
            used = by.secret
            sent, asked = list(headers) if may_again else headers, next(self._ids)
            sent.append((CLIENT_REQUEST_ID, asked))
            target = by.sign("GET", path, (), sent)
            try:
                answer = await self._client.stream("GET", target, sent)
            except WireFailure as failure:
                raise silence(failure, about) from _unanswered(sent)
            self.dates.saw(answer.headers.get(b"date"))
            if isinstance(answer, Stream):
                self._was_let_in = True
                return answer
            if not may_again or not await self._is_renewed(answer, by, used, about, is_unheard, tries):
                raise self._refused(answer, about, asked)
            tries += 1

    async def chunks(self, stream: Stream, doing: str, container: str, name: str) -> AsyncIterator[bytes]:
        """A stream's bytes; Unreachable if they do not come whole."""
        try:
            async for chunk in stream.chunks():
                yield chunk
        except WireFailure as failure:
            raise silence(failure, self.about("GET", doing, container, name, None)) from None

    async def _refresh(self, tokens: Tokens, about: Target) -> None:
        token = tokens.at_hand()
        if token is None:
            with token_failures(about):
                token = await tokens.token()
        self._token_signer.use(token)

    async def late_token_write_seconds(self, about: Target) -> float:
        """For how long a write may still be applied that is sent with a token now; 0 where none is used."""
        if self._tokens is None:
            return 0.0
        await self._refresh(self._tokens, about)
        return self._tokens.left_seconds + MOST_WRITE_SECONDS

    def about(self, method: Method, doing: str, container: str, name: str | None, effect: Effect | None) -> Target:
        return Target(self.account, self.endpoint, doing, effect or _effect_of(method), container, name or "")

    def _refused(self, answer: Answer, about: Target, asked: str) -> MigrateError:
        code = answer.text(b"x-ms-error-code") or _first(_CODE, answer.body)
        error = refusal(answer.status, code, lambda name: answer.text(name.encode()), about)
        said = _first(_MESSAGE, answer.body).partition("\n")[0][:300]
        request = answer.text(b"x-ms-request-id")[:80]
        ids = f"(request {request}, client request {asked})" if request else f"(client request {asked})"
        error.__cause__ = ServiceAnswer(redacted(f"HTTP {answer.status} {code}{f': {said}' if said else ''} {ids}"))
        return error

    def url_of(self, container: str, name: str) -> str:
        """A blob's whole address, unsigned."""
        return f"{self._root}{self.path_of(container, name)}"

    @contextmanager
    def understanding(self, doing: str, container: str = "", name: str | None = None) -> Iterator[None]:
        """For reading what a success says: what cannot be understood is an error, never an empty answer."""
        try:
            yield
        except (NotUnderstood, ValueError, LookupError):
            raise self.misunderstood("GET", doing, container, name) from None

    def misunderstood(self, method: Method, doing: str, container: str = "", name: str | None = None) -> CloudError:
        """For a success that does not say what it must."""
        return not_understood(self.about(method, doing, container, name, None))

    def hierarchical(self, container: str) -> CloudError:
        return hierarchical(self.about("GET", "list", container, None, None))

    def lacking_tags(self, container: str, number: int) -> CloudError:
        return lacking_tags(self.about("GET", "list", container, None, None), number)

    def close(self) -> None:
        self._client.close()


@contextmanager
def token_failures(about: Target) -> Iterator[None]:
    """Failures to get a token, in our words."""
    try:
        yield
    except Exception as failure:
        from migrator.adapters.azure.sdk_errors import answer_of, is_no_answer, is_refusal

        if is_refusal(failure):
            raise no_credential(about) from answer_of(failure)
        if is_no_answer(failure):
            raise unanswered("nobody gives us a token", about, was_sent=False) from answer_of(failure)
        raise


def _request_ids() -> Iterator[str]:
    """Each names one request in the account's own logs. Source: Azure "Monitoring Azure Blob Storage" (clientRequestId)."""
    process = secrets.token_hex(8)
    return (f"migrate-{process}-{number}" for number in itertools.count(1))


def _unanswered(headers: HeaderPairs) -> ServiceAnswer:
    asked = next((text for name, text in headers if name == CLIENT_REQUEST_ID), "")
    return ServiceAnswer(f"no answer (client request {asked})")


def _effect_of(method: Method) -> Effect:
    return "read" if method in ("GET", "HEAD") else "write"


def _seconds_for(query: Query, body: bytes) -> int:
    """How long the service may take for a write. A block is seen by nobody until it is committed."""
    seconds = WRITE_SECONDS + len(body) // SLOWEST_BYTES
    return seconds if ("comp", "block") in query else min(seconds, MOST_WRITE_SECONDS)


def _claims(challenge: str) -> str:
    """What a service that does not accept a token any more wants of the next one. Source: Microsoft identity platform, "Claims
    challenges"."""
    found = re.search(r'claims="([A-Za-z0-9+/_=-]{1,4000})"', challenge)
    if found is None:
        return ""
    try:
        return base64.urlsafe_b64decode(found[1] + "=" * (-len(found[1]) % 4)).decode()
    except (ValueError, UnicodeDecodeError):
        return ""


_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,100})</Code>")
_MESSAGE = re.compile(rb"<Message>([^<]{1,2000})")


def _first(pattern: re.Pattern[bytes], body: bytes) -> str:
    found = pattern.search(body)
    return found[1].decode("utf-8", "replace") if found else ""


def _constant(version: str) -> HeaderPairs:
    """The headers of every request beside Host. Whatever stands between may compress what says nothing against it."""
    return [("User-Agent", USER_AGENT), ("x-ms-version", version), ("Accept-Encoding", "identity")]


def _check_version(account: Account) -> None:
    version = account.api_version
    if version is not None and not (re.fullmatch(r"\d{4}-\d\d-\d\d", version) and version >= OLDEST_API_VERSION):
        raise Unsupported(
            f"cannot open account {account.name}: api_version {version} is too old for what is needed",
            hint=f"leave it out, or give a date from {OLDEST_API_VERSION} on",
        )


def _check_transport(account: Account, credential: Credential) -> None:
    if credential.kind == "entra" and not credential.endpoint.startswith("https://"):
        raise AccessRefused(
            f"cannot open account {account.name}: tokens of Microsoft Entra ID are only sent over https",
            hint="use an https endpoint, or a key or signature (env:NAME) on loopback",
        )
