"""What only an Azure account can prove: ends of signatures, revoked policies, ``startFrom``, and what it makes of odd names.

Decides the requests; leaves containers and names to who asks. Rule: only what lies under the prefix that was given is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from migrator.adapters.azure import shapes
from migrator.adapters.azure.listing import read_page
from migrator.adapters.azure.requests import Requests
from migrator.adapters.azure.sas import SAS_VERSION, DelegationKey, signed_by_delegation, signed_by_key
from migrator.adapters.azure.signing import SasSigner
from migrator.errors import AccessRefused, CloudError, OutcomeUnknown, Throttled, Unreachable
from migrator.model.moves import StoredPolicy
from migrator.model.objects import CREATE, BlobType, ContentHeaders, Shape
from migrator.model.schedule import Account
from migrator.model.values import replace
from migrator.ports.write_policy import holds_policies

if TYPE_CHECKING:
    from migrator.adapters.azure.object_store import AzureStore

PLAIN = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)
LIFE_SECONDS = 4
"""Of a signature that is to end: long enough to be seen accepted."""
SKEW_SECONDS = 3
POLICY_SECONDS = 30
"""Within which a stored policy takes effect. Source: Azure "Define a stored access policy"."""
LOOK_SECONDS = 0.5
START_SINCE = "2026-02-06"
"""The first version that knows ``startFrom``. Source: Azure "List Blobs"."""
WRONG_MD5 = "AAAAAAAAAAAAAAAAAAAAAA=="
UNANSWERED = (Throttled, Unreachable, OutcomeUnknown)

Ask = Callable[[str, str], Awaitable[str]]


class AzureProofs:
    """The proofs of one account. ``delegation_key`` asks for one, where tokens open the account; ``account`` and ``cloud`` open
    it once more."""

    def __init__(
        self,
        store: AzureStore,
        delegation_key: Callable[[datetime, datetime], Awaitable[DelegationKey]],
        account: Account,
        cloud: Mapping[str, str],
    ) -> None:
        self._account, self._cloud = account, cloud
        self._store = store
        self._requests = store._requests
        self._credential = store._credential
        self._delegation_key = delegation_key

    def asked(self) -> Mapping[str, Ask]:
        proofs: dict[str, Ask] = {
            "metadata-changes-the-etag": self._metadata,
            "damaged-blocks-are-refused": self._damaged,
            "control-characters-are-refused": self._control,
            "dots-at-the-end-are-dropped": self._dots,
            "listings-start-where-asked": self._start,
        }
        if self._credential.sas is None:
            proofs["signatures-end"] = self._signature
        if holds_policies(self._store) and self._store.can_prove_policies:
            proofs["policies-are-revoked"] = self._policy
        return proofs

    async def _metadata(self, box: str, prefix: str) -> str:
        name = f"{prefix}n"
        written = await self._store.put(box, name, b"one", PLAIN, condition=CREATE)
        headers = [("x-ms-meta-owner", "nobody"), shapes.matching(written.etag)]
        await self._requests.send(
            "PUT", "set the metadata of", box, name, query=[("comp", "metadata")], headers=headers
        )
        return "" if (await self._store.head(box, name)).etag != written.etag else "the ETag is as it was"

    async def _damaged(self, box: str, prefix: str) -> str:
        headers = [("Content-Type", "application/octet-stream"), ("Content-MD5", WRONG_MD5)]
        query = [("blockid", "YmxvY2stMQ=="), ("comp", "block")]
        try:
            await self._requests.send(
                "PUT", "stage a block of", box, f"{prefix}n", query=query, headers=headers, body=b"one"
            )
        except UNANSWERED:
            raise
        except CloudError:
            return ""
        return "a block whose content is another than its digest says is accepted"

    async def _signature(self, box: str, prefix: str) -> str:
        name = f"{prefix}n"
        await self._store.put(box, name, b"one", PLAIN, condition=CREATE)
        now = datetime.fromtimestamp(self._requests.dates.now(), UTC)
        ends = now + timedelta(seconds=LIFE_SECONDS)
        signer = SasSigner(await self._signed(box, now, ends))
        await self._requests.send("GET", "read", box, name, signer=signer)
        await asyncio.sleep(LIFE_SECONDS + SKEW_SECONDS)
        try:
            await self._requests.send("GET", "read", box, name, signer=signer)
        except AccessRefused:
            return ""
        return f"a signature is accepted {SKEW_SECONDS} s after its end"

    async def _signed(self, box: str, now: datetime, ends: datetime, rights: str = "r") -> str:
        version, account = min(self._requests.api_version, SAS_VERSION), self._credential.account_name
        if self._credential.key is not None:
            return signed_by_key(account, self._credential.key, box, ends, version, rights)
        key = await self._delegation_key(now - timedelta(minutes=15), now + timedelta(hours=1))
        return signed_by_delegation(account, key, box, ends, version, rights)

    async def _policy(self, box: str, prefix: str) -> str:
        policy = StoredPolicy("migrate-prove", permissions="cw", expiry=_day_after(self._requests.dates.now()))
        before = await self._store.policies(box)
        await self._store.set_policies(box, [policy], public_access=before.public_access)
        if await self._turns(box, policy, f"{prefix}given", to=True) is None:
            return f"a policy that was given is not accepted within {POLICY_SECONDS} s"
        await self._store.policies(box)
        await self._store.set_policies(box, [], public_access=before.public_access)
        if await self._turns(box, policy, f"{prefix}taken", to=False) is None:
            return f"a policy that was taken away is accepted for more than {POLICY_SECONDS} s"
        return ""

    async def _turns(self, box: str, policy: StoredPolicy, name: str, *, to: bool) -> float | None:
        """Seconds until writes under ``policy`` are accepted, or refused; None if they never are in time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < POLICY_SECONDS:
            if await self._store.accepts(box, policy, name) is to:
                return loop.time() - began
            await asyncio.sleep(LOOK_SECONDS)
        return None

    async def _control(self, box: str, prefix: str) -> str:
        """Asked past our own refusal of such a name."""
        try:
            await self._put_raw(box, f"{prefix}new\nline")
        except UNANSWERED:
            raise
        except CloudError:
            return ""
        return "a name with a line break is accepted"

    async def _dots(self, box: str, prefix: str) -> str:
        await self._put_raw(box, f"{prefix}folder./name...")
        found = [row.name.removeprefix(prefix) for row in (await self._store.page(box, prefix=prefix)).entries]
        return "" if found == ["folder/name"] else f"expected folder/name, found {found}"

    async def _put_raw(self, box: str, name: str) -> None:
        with closing(self._raw(self._requests.api_version)) as raw:
            headers = [("x-ms-blob-type", "BlockBlob"), ("If-None-Match", "*")]
            await raw.send("PUT", "write", box, name, headers=headers)

    async def _start(self, box: str, prefix: str) -> str:
        """By a signature, which does not sign what is asked for: older signers know no capital in a query."""
        for name in "abc":
            await self._store.put(box, f"{prefix}{name}", b"one", PLAIN, condition=CREATE)
        now = datetime.fromtimestamp(self._requests.dates.now(), UTC)
        own = self._credential.sas
        signer = SasSigner(own or await self._signed(box, now, now + timedelta(minutes=5), "rl"))
        query = [("comp", "list"), ("prefix", prefix), ("restype", "container"), ("startFrom", f"{prefix}b")]
        with closing(self._raw(START_SINCE)) as raw:
            answer = await raw.send("GET", "list", box, query=query, signer=signer)
            with raw.understanding("list", box):
                found = [row.name.removeprefix(prefix) for row in read_page(answer.body).entries]
        return "" if found == ["b", "c"] else f"expected b and c, found {found}"

    def _raw(self, version: str) -> RawRequests:
        account = replace(self._account, api_version=version)
        return RawRequests(account, self._credential, cloud=self._cloud)


class RawRequests(Requests):
    """Any name is sent as it is: to see what a service makes of those that are never sent else."""

    def path_of(self, container: str = "", name: str | None = None) -> str:
        if name is None:
            return super().path_of(container)
        return f"{super().path_of(container)}/{quote(name, safe='/~')}"


def _day_after(now: float) -> str:
    return (datetime.fromtimestamp(now, UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


__all__ = ["AzureProofs"]
