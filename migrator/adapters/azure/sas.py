"""Shared access signatures of our own: for what another account's service reads of this one, and for our writes.

Decides what signs them: the account's key, or a user-delegation key (Microsoft Entra ID). A signature of the operator's own may
hold any right for any time, and a service keeps a copy's source where its readers see it: it is shown to no other account, and
such an account is read through this machine. A token may live for a day, and so long could a write be applied that nobody
answered: under Microsoft Entra ID blobs are written under signatures of minutes instead (``WriteSigners``).
Rule: what is minted here is for one container, lives at most SAS_SECONDS by the service's clock and is kept in memory only. One
that reads leaves this module only inside the header of a copy, one that writes only in the address of a request to its account.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import field
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from migrator.adapters.azure.credentials import Credential
from migrator.adapters.azure.signing import SasSigner
from migrator.model.values import value

SAS_SECONDS = 5 * 60
"""Longest life of a signature minted here: a run that takes over waits it out."""
RENEW_SECONDS = 2 * 60
"""A signature with less than this left is minted anew: a request may wait in a queue before it is sent."""
FORGOTTEN_EVERY_SECONDS = 60
WRITES_FORGOTTEN_EVERY_SECONDS = 1
"""Of writes, which are refused by their own account and by no other: keys may be revoked again while they are renewed."""
COPY_SECONDS = 60 * 60
"""Life of a signature for a copy that the service makes in its own time: it reads its source when it comes to it. Such a copy
writes nothing but the one object into which it is seen to be pending."""
DELEGATION_KEY_SECONDS = 2 * 60 * 60
"""Life of a user-delegation key. Source: Azure allows seven days."""
KEY_BEGINS_BEFORE_SECONDS = 15 * 60
"""A key that begins now has not begun by a clock that is a second behind. Source: Azure "Create a user delegation SAS" (clock
skew)."""
READS = "r"
WRITES = "acwdt"
"""Append, create, write, delete, tags, in the order in which the service wants them. Source: Azure "Create a user delegation
SAS" (permissions of a container)."""
WRITE_SECONDS, RENEW_WRITE_SECONDS = 2 * 60, 60
"""Life of a signature that writes, and how much of it is left when another one is minted. With the longest time that the service
may take for a visible write (``requests.MOST_WRITE_SECONDS``) it is SAS_SECONDS at most: a run that takes over waits that out."""
SAS_VERSION = "2020-12-06"
"""Enough for one container and one right, and known everywhere; an account's older ``api_version`` is used instead."""
WITH_SCOPE, WITH_AGENT = "2020-12-06", "2020-02-10"
"""From these versions on the encryption scope is signed, and the agents of a user delegation."""


@value(frozen=True, slots=True)
class DelegationKey:
    """As "Get User Delegation Key" gives it; times are the service's own text."""

    object_id: str
    tenant_id: str
    start: str
    expiry: str
    service: str
    version: str
    value: str = field(repr=False)


AskDelegationKey = Callable[[datetime, datetime], Awaitable[DelegationKey]]


@value(frozen=True, slots=True)
class _Signature:
    text: str = field(repr=False)
    renew_at: float
    """Seconds since the epoch."""


class DelegationKeys:
    """The user-delegation key of one account, which all its signatures of Microsoft Entra ID are made with."""

    def __init__(self, ask: AskDelegationKey) -> None:
        self._ask = ask
        self._kept: tuple[DelegationKey, datetime] | None = None
        self._asking = asyncio.Lock()

    def forget(self) -> None:
        self._kept = None

    async def key(self, now: datetime, until: datetime) -> DelegationKey:
        """One that lives at ``until``. Raises what asking for it raises."""
        async with self._asking:
            if self._kept is None or self._kept[1] < until:
                expires = now + timedelta(seconds=DELEGATION_KEY_SECONDS)
                begins = now - timedelta(seconds=KEY_BEGINS_BEFORE_SECONDS)
                self._kept = (await self._ask(begins, expires), expires)
            return self._kept[0]


class Signatures:
    """Mints and keeps one signature per container of one account: ``rights`` for ``life_seconds``."""

    def __init__(
        self,
        credential: Credential,
        keys: DelegationKeys,
        *,
        version: str,
        now: Callable[[], float],
        rights: str = READS,
        life_seconds: float = SAS_SECONDS,
        renew_seconds: float = RENEW_SECONDS,
        forgotten_every_seconds: float = FORGOTTEN_EVERY_SECONDS,
    ) -> None:
        """``now``: Unix time by the service's clock."""
        self._now = now
        self._credential = credential
        self._keys = keys
        self._version = min(version, SAS_VERSION)
        self._rights = rights
        self._life_seconds, self._renew_seconds = life_seconds, renew_seconds
        self._signatures: dict[str, _Signature] = {}
        self._forgotten_at, self._forgotten_every = 0.0, forgotten_every_seconds

    @property
    def are_lent(self) -> bool:
        """Can a signature be made that may be shown to another account?"""
        return self._credential.sas is None

    def at_hand(self, container: str) -> str | None:
        """What to append after ``?``, or None if ``signature`` must be awaited."""
        kept = self._signatures.get(container)
        return kept.text if kept is not None and self._now() < kept.renew_at else None

    def renew(self, container: str, refused: str) -> bool:
        """A service did not accept ``refused``. Is there, or will there be, another signature? False where this one was minted
        after such an answer already."""
        return self.at_hand(container) != refused or self.forget()

    def forget(self) -> bool:
        """A service did not accept what was minted: mint anew, unless that was only just done. False: it was."""
        if self._now() - self._forgotten_at <= self._forgotten_every:
            return False
        self._forgotten_at = self._now()
        self._signatures.clear()
        self._keys.forget()
        return True

    async def signature(self, container: str) -> str:
        """Raises what asking for a delegation key raises."""
        if (kept := self.at_hand(container)) is not None:
            return kept
        now = datetime.fromtimestamp(self._now(), UTC)
        expires = now + timedelta(seconds=self._life_seconds)
        text = await self._minted(container, now, expires)
        self._signatures[container] = _Signature(text, expires.timestamp() - self._renew_seconds)
        return text

    async def _minted(self, container: str, now: datetime, expires: datetime) -> str:
        name = self._credential.account_name
        if self._credential.key is not None:
            return signed_by_key(name, self._credential.key, container, expires, self._version, self._rights)
        key = await self._keys.key(now, expires)
        return signed_by_delegation(name, key, container, expires, self._version, self._rights)


class WriteSigners:
    """Signs writes of blobs under Microsoft Entra ID: one signature per container, renewed as the run goes."""

    def __init__(self, credential: Credential, keys: DelegationKeys, *, version: str, now: Callable[[], float]) -> None:
        self._signatures = Signatures(
            credential,
            keys,
            version=version,
            now=now,
            rights=WRITES,
            life_seconds=WRITE_SECONDS,
            renew_seconds=RENEW_WRITE_SECONDS,
            forgotten_every_seconds=WRITES_FORGOTTEN_EVERY_SECONDS,
        )

    async def signer(self, container: str) -> SasSigner:
        """Raises what asking for a delegation key raises."""
        return SasSigner(self._signatures.at_hand(container) or await self._signatures.signature(container))

    def renew(self, container: str, refused: str) -> bool:
        """As ``Signatures.renew``."""
        return self._signatures.renew(container, refused)


def signed_by_key(
    account_name: str, key: str, container: str, expires: datetime, version: str, rights: str = READS
) -> str:
    """A service signature for the blobs of ``container``. Source: Azure "Create a service SAS"."""
    end = utc(expires)
    fields = [rights, "", end, f"/blob/{account_name}/{container}", "", "", "", version, "c", ""]
    fields += [""] * (6 if version >= WITH_SCOPE else 5)
    return sign({"sv": version, "sr": "c", "sp": rights, "se": end}, key, fields)


def signed_by_delegation(
    account_name: str, key: DelegationKey, container: str, expires: datetime, version: str, rights: str = READS
) -> str:
    """A user-delegation signature. Source: Azure "Create a user delegation SAS"."""
    end = utc(expires)
    fields = [rights, "", end, f"/blob/{account_name}/{container}"]
    fields += [key.object_id, key.tenant_id, key.start, key.expiry, key.service, key.version]
    fields += [""] * (3 if version >= WITH_AGENT else 0)
    fields += ["", "", version, "c", ""]
    fields += [""] * (6 if version >= WITH_SCOPE else 5)
    parts = {"sv": version, "sr": "c", "sp": rights, "se": end, "skoid": key.object_id, "sktid": key.tenant_id}
    parts |= {"skt": key.start, "ske": key.expiry, "sks": key.service, "skv": key.version}
    return sign(parts, key.value, fields)


def sign(parts: dict[str, str], key: str, signed: list[str]) -> str:
    """The query of a signature: ``parts``, and what ``key`` makes of the ``signed`` fields."""
    digest = hmac.digest(base64.b64decode(key), "\n".join(signed).encode(), "sha256")
    parts["sig"] = base64.b64encode(digest).decode()
    return "&".join([f"{name}={quote(value, safe='')}" for name, value in parts.items()])


def utc(moment: datetime) -> str:
    """A time of a signature: whole seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


__all__ = [
    "SAS_SECONDS",
    "WRITE_SECONDS",
    "DelegationKey",
    "DelegationKeys",
    "Signatures",
    "WriteSigners",
    "sign",
    "signed_by_delegation",
    "signed_by_key",
    "utc",
]
