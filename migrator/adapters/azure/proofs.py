"""What only an Azure account can prove: ends of signatures, revoked policies, ``startFrom``, and what it makes of odd names.

Decides the requests; leaves containers and names to who asks. Rule: only what lies under the prefix that was given is written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from migrator.adapters.azure import shapes
from migrator.adapters.azure.sas import SAS_VERSION, DelegationKey, signed_by_delegation, signed_by_key
from migrator.adapters.azure.signing import SasSigner
from migrator.errors import AccessRefused, CloudError
from migrator.model.moves import StoredPolicy
from migrator.model.objects import CREATE, BlobType, ContentHeaders, Shape
from migrator.ports.write_policy import PolicyHolder

if TYPE_CHECKING:
    from migrator.adapters.azure.object_store import AzureStore

PLAIN = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)
LIFE_SECONDS = 4
"""Of a signature that is to end: long enough to be seen accepted."""
SKEW_SECONDS = 3
POLICY_SECONDS = 30
"""Within which a stored policy takes effect. Source: Azure "Define a stored access policy"."""
LOOK_SECONDS = 0.5

Ask = Callable[[str, str], Awaitable[str]]


class AzureProofs:
    """The proofs of one account. ``delegation_key`` asks for one, where tokens open the account."""

    def __init__(
        self, store: AzureStore, delegation_key: Callable[[datetime, datetime], Awaitable[DelegationKey]]
    ) -> None:
        self._store = store
        self._requests = store._requests
        self._credential = store._credential
        self._delegation_key = delegation_key

    def asked(self) -> Mapping[str, Ask]:
        proofs: dict[str, Ask] = {
            "metadata-changes-the-etag": self._metadata,
            "control-characters-are-refused": self._control,
        }
        if self._credential.sas is None:
            proofs["signatures-end"] = self._signature
        if isinstance(self._store, PolicyHolder) and self._store.can_prove_policies:
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

    async def _signed(self, box: str, now: datetime, ends: datetime) -> str:
        version, account = min(self._requests.api_version, SAS_VERSION), self._credential.account_name
        if self._credential.key is not None:
            return signed_by_key(account, self._credential.key, box, ends, version)
        key = await self._delegation_key(now - timedelta(minutes=15), now + timedelta(hours=1))
        return signed_by_delegation(account, key, box, ends, version)

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
        name = f"{prefix}new\nline"
        try:
            written = await self._store.put(box, name, b"one", PLAIN, condition=CREATE)
        except CloudError:
            return ""
        await self._store.delete(box, name, if_match=written.etag)
        return "a name with a line break is accepted"


def _day_after(now: float) -> str:
    return (datetime.fromtimestamp(now, UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


__all__ = ["AzureProofs"]
