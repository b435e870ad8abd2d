"""The strict service: what comes in is judged rule by rule as the real service judges it, and Azurite does the rest.

Decides the order of the rules; each rule is in the room of its kind, and all are listed in ``rules``. Settings are plain values
that may be replaced while it serves. Rule: a request that is refused leaves no trace in Azurite, but for those that say so.
"""

from __future__ import annotations

import asyncio
import random
import re
import secrets
import time
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any

from migrator.testing.strict import copies, holding, identities, lies, load, natures, seals, tags
from migrator.testing.strict.backend import Backend
from migrator.testing.strict.call import Answer, Call, Refused, Unanswered
from migrator.testing.strict.identities import Identity, Tokens
from migrator.testing.strict.operations import COPIES, OPERATIONS, Operation, operation_of
from migrator.testing.strict.settings import CopyRefusal, Faults, Nature, fits

MOST_SEEN = 200_000
_OWN_ADDRESS = re.compile(r"\?sv=[^<\"\s]*")


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that came. ``rule``: which one refused it; empty where Azurite answered."""

    at: float
    operation: str
    account: str
    container: str
    name: str
    who: str
    status: int
    code: str
    rule: str


class _Account:
    def __init__(self) -> None:
        self.nature, self.faults = Nature(), Faults()
        self.bucket = load.Bucket()
        self.copies: dict[CopyRefusal, int] = {}
        self.lies = lies.Lies()


class StrictService:
    """Judges requests; ``answer`` is the whole of it. ``running`` puts it on a port.

    Args:
        url: of Azurite's blob service, as ``http://127.0.0.1:10000``.
        keys: base64 account keys by account name; only these accounts are served.
        seed: of all chance.
    """

    def __init__(self, url: str, keys: Mapping[str, str], *, seed: int = 0) -> None:
        self.backend = Backend(url, keys)
        self.tokens = Tokens(secrets.token_bytes(32))
        self.hosts: frozenset[str] = frozenset()
        """Where it is reached: host and port."""
        self.public = ""
        self.seen: deque[Seen] = deque(maxlen=MOST_SEEN)
        self._accounts = {name: _Account() for name in keys}
        self._async = copies.AsyncCopies(self.backend)
        self._seals = seals.Seals(self.backend)
        self._chance = random.Random(f"{seed}/strict")
        self._ahead = 0.0
        self._turn = 0
        self._late: set[asyncio.Task[None]] = set()

    # What it is set to

    def open_account(self, account: str, key: str, nature: Nature | None = None) -> None:
        """Serve one more account from now on; Azurite must know it by ``key``."""
        self.backend.keys[account] = key
        self._accounts[account] = _Account()
        self.set_nature(account, nature)

    def serves(self, account: str) -> bool:
        return account in self._accounts

    def set_nature(self, account: str, nature: Nature | None = None, **changes: Any) -> None:
        """Make ``account`` another one; ``changes`` are fields of ``Nature``."""
        self._accounts[account].nature = replace(nature or self._accounts[account].nature, **changes)

    def set_faults(self, account: str, faults: Faults | None = None, **changes: Any) -> None:
        """What goes wrong there from now on; ``changes`` are fields of ``Faults`` and leave the others as they are."""
        self._accounts[account].faults = replace(faults or self._accounts[account].faults, **changes)
        self._accounts[account].copies.clear()

    def clear_faults(self, account: str) -> None:
        self.set_faults(account, Faults())

    def advance(self, seconds: float) -> None:
        """Every account's clock goes ahead of this machine's."""
        self._ahead += seconds

    def now(self, account: str) -> float:
        """Unix time by the account's own clock."""
        return time.time() + self._ahead + self._accounts[account].nature.clock_offset_seconds

    def revoke_tokens(self) -> None:
        """Every token that was issued until now is refused from now on, before its end."""
        self.tokens.revoked_before = time.time() + self._ahead + 0.001

    def token(self, who: str = "somebody", *, seconds: float = 24 * 3600.0) -> tuple[str, float]:
        """A token of Microsoft Entra ID for the object id ``who``, and the Unix time of its end."""
        now = time.time() + self._ahead
        return self.tokens.token(who, now=now, seconds=seconds), now + seconds

    def requests(self, operation: str = "", account: str = "", *, status: int = 0, code: str = "") -> list[Seen]:
        """What came, in order; empty and 0 mean any."""
        return [
            one
            for one in list(self.seen)
            if operation in ("", one.operation)
            and account in ("", one.account)
            and status in (0, one.status)
            and code in ("", one.code)
        ]

    # What it does

    async def answer(self, call: Call) -> Answer:
        """Raises Unanswered where the connection is to end without an answer."""
        own = self._accounts.get(call.account)
        if own is None:
            return Refused("account", 404, "ResourceNotFound", "The specified resource does not exist.").answer(call)
        operation = operation_of(call)
        rule = ""
        try:
            answer = await self._judged(call, operation, own)
        except Refused as no:
            answer, rule = no.answer(call), no.rule
        except Unanswered:
            self._note(call, operation, 0, "", "unanswered")
            raise
        self._note(call, operation, answer.status, answer.header("x-ms-error-code"), rule)
        answer.set_header("Date", formatdate(self.now(call.account), usegmt=True))
        if not answer.header("x-ms-request-id"):
            answer.set_header("x-ms-request-id", str(uuid.uuid4()))
        if call.version:
            answer.set_header("x-ms-version", call.version)
        if given := call.header("x-ms-client-request-id"):
            answer.set_header("x-ms-client-request-id", given)
        return answer

    def _note(self, call: Call, operation: Operation, status: int, code: str, rule: str) -> None:
        place = (call.account, call.container, call.name)
        self.seen.append(Seen(time.time(), operation.name, *place, call.who, status, code, rule))

    async def _judged(self, call: Call, operation: Operation, own: _Account) -> Answer:
        load.check_before(own.faults, self._chance, own.bucket, time.time())
        if load.is_late(operation, own.faults, self._chance):
            task = asyncio.create_task(self._arrive_late(call, operation, own))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            raise Unanswered
        answer = await self._served(call, operation, own)
        if answer.status < 400:
            load.check_after(call, own.faults, self._chance)
        return answer

    async def _arrive_late(self, call: Call, operation: Operation, own: _Account) -> None:
        """The same request, held up on its way: judged when it arrives."""
        await asyncio.sleep(own.faults.late_seconds)
        try:
            answer = await self._served(call, operation, own)
        except Refused as no:
            self._note(call, operation, no.status, no.code, f"late: {no.rule}")
        else:
            self._note(call, operation, answer.status, answer.header("x-ms-error-code"), "late")

    async def _served(self, call: Call, operation: Operation, own: _Account) -> Answer:
        nature, faults = own.nature, own.faults
        natures.check_version(call, operation, nature)
        identity = self._who(call, nature)
        identities.authorize(call, operation, identity, nature)
        await self._admitted(call, operation, own, identity)
        if operation.name == "Get Account Information":
            return natures.account_information(nature)
        if operation.name == "Get User Delegation Key":
            body = identities.asked_delegation_key(call, identity, self.tokens, self.now(call.account))
            return Answer(200, [("Content-Type", "application/xml")], body)
        await self._async.settle(call.account, self.now(call.account))
        if nature.is_hierarchical and (directory := await natures.check_directories(call, operation, self.backend)):
            return directory
        self._async.check_pending(call, operation)
        self._seals.check(call, operation)
        if operation.name == "Abort Copy Blob" and (aborted := self._async.abort(call)) is not None:
            return aborted
        if faults.lies and (lie := self._lied(call, operation, own)) is not None:
            return lie
        if operation.name == "Seal Append Blob":
            self._believe(call)
            return await self._seals.seal(call)
        if operation.name in COPIES and (taken := await self._copy(call, operation, own)) is not None:
            if taken.status < 300:
                self._seals.written(call, operation)
            return taken
        if call.must_sign_anew or operation.name == "List Blobs":
            self._believe(call)
        hides_tags = tags.ask_too(call, operation)
        answer = await self.backend.send(call)
        if operation.name == "List Blobs" and answer.status < 300:
            tags.counted(answer, is_hidden=hides_tags)
        if (
            answer.status < 300
            and operation.effect == "write"
            and operation.name in holding.OVERWRITES | {"Delete Blob"}
        ):
            self._async.forget(call)
            self._seals.written(call, operation)
        await self._show(call, operation, own, answer)
        return answer

    def _lied(self, call: Call, operation: Operation, own: _Account) -> Answer | None:
        """What is lied about a request that was judged by its true signature."""
        self._believe(call)
        return own.lies.before(call, operation, own.faults.lies)

    def _believe(self, call: Call) -> None:
        """Check a signature of the account's key here: the request is changed on its way, so Azurite cannot."""
        if call.header("Authorization").startswith("SharedKey "):
            identities.check_key_signature(call, self.backend.keys[call.account])
            call.set_header("Authorization", None)

    def _who(self, call: Call, nature: Nature) -> Identity:
        now = self.now(call.account)
        if "believes-ended-signatures" in self._accounts[call.account].faults.lies and "se" in call.query:
            call.query["se"] = max(call.query["se"], "2999-01-01T00:00:00Z")
            call.must_sign_anew = True
        identity = identities.identify(call, nature, self.tokens, key=self.backend.keys[call.account], now=now)
        call.who = identity.who if identity.kind in ("token", "delegation-sas") else identity.kind
        return identity

    async def _admitted(self, call: Call, operation: Operation, own: _Account, identity: Identity) -> None:
        """By what the account and the blob are."""
        natures.check_name(call, operation, own.nature)
        natures.check_headers(call, operation, own.nature)
        natures.check_account_kind(call, operation, own.nature)
        natures.check_public_access(call, operation, own.nature, is_anonymous=identity.kind == "anonymous")
        holding.check_customer_key(call, operation, own.nature)
        holding.check_lease(call, operation, own.faults)
        await holding.check_immutable(call, operation, own.nature, self.backend)

    async def _admit_source(self, source: Call, operation: Operation) -> None:
        own = self._accounts.get(source.account)
        if own is None:
            raise Refused("copy-source", 404, "ResourceNotFound")
        identity = self._who(source, own.nature)
        identities.authorize(source, operation, identity, own.nature)
        if identity.kind in ("service-sas", "account-sas"):
            read = await self.backend.send(replace(source, method="HEAD"))
            if read.status in (401, 403):
                raise Refused("copy-source", read.status, read.header("x-ms-error-code") or "AuthenticationFailed")
        await self._admitted(source, operation, own, identity)

    async def _copy(self, call: Call, operation: Operation, own: _Account) -> Answer | None:
        """An answer, or None where Azurite is to make the copy, from an address that it can read."""
        self._believe(call)
        source = copies.source_of(call, self.hosts)
        origin = self._accounts.get(source.account)
        if origin is not None:
            self._planted(call, source, origin, own.nature.tells_copy_source_from)
        self._turn += 1
        tells_from = own.nature.tells_copy_source_from
        there = await copies.check_source(call, source, self._admit_source, self.backend, tells_from, self._turn)
        takes_time = own.faults.pending_seconds or fits(own.faults.failing_copies, call.container, call.name)
        if operation.name == "Copy Blob" and takes_time:
            return await self._async.begin(call, source, there, own.faults, self.now(call.account))
        call.set_header("x-ms-copy-source", self.backend.source_url(source.account, source.container, source.name))
        call.set_header("x-ms-copy-source-authorization", None)
        return None

    def _planted(self, call: Call, source: Call, origin: _Account, tells_from: str) -> None:
        for one in origin.faults.copies:
            if not fits(one.names, source.container, source.name):
                continue
            count = origin.copies[one] = origin.copies.get(one, 0) + 1
            if (not one.at or count in one.at) and (one.share >= 1 or self._chance.random() < one.share):
                raise copies.told_refusal(call, one, tells_from)

    async def _show(self, call: Call, operation: Operation, own: _Account, answer: Answer) -> None:
        if answer.status >= 300:
            own.lies.after(call, operation, own.faults.lies, answer)
            return
        holding.shown(call, operation, answer, own.nature, own.faults)
        self._async.shown(call, operation, answer)
        self._seals.shown(call, operation, answer)
        if operation.name == "List Blobs":
            answer.body = self._public(answer.body.decode("utf-8-sig")).encode()
            if own.nature.default_tier != "Hot":
                answer.body = _retiered(answer.body.decode(), own.nature.default_tier).encode()
            if own.nature.is_hierarchical:
                natures.with_directories(call, answer)
        elif source := answer.header("x-ms-copy-source"):
            answer.set_header("x-ms-copy-source", self._public(source))
        own.lies.after(call, operation, own.faults.lies, answer)

    def _public(self, text: str) -> str:
        """Without Azurite's own address, and without what signed a source."""
        if self.backend.url not in text:
            return text
        return _OWN_ADDRESS.sub("", text).replace(self.backend.url, self.public)


def _retiered(text: str, tier: str) -> str:
    inferred = "<AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred>"
    return text.replace(inferred, inferred.replace("Hot", tier))


__all__ = ["OPERATIONS", "Seen", "StrictService"]
