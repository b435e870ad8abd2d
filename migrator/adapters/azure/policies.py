"""Stored access policies of containers (Get and Set Container ACL), and writes signed under one of them, as a proof.

Decides their XML and the signature of a policy. Leaves what to revoke to the engine. Rule: a signature minted here names one
policy, one blob, and lives five minutes where the policy does not say how long; it leaves this module only on the wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from migrator.adapters.azure.credentials import Credential
from migrator.adapters.azure.requests import Requests
from migrator.adapters.azure.sas import SAS_SECONDS, SAS_VERSION, WITH_SCOPE, sign, utc
from migrator.adapters.azure.signing import SasSigner
from migrator.adapters.azure.xml_reader import Node, escaped, read_xml
from migrator.errors import AccessRefused
from migrator.model.moves import StoredPolicy
from migrator.ports.write_policy import ContainerPolicies

XML = '<?xml version="1.0" encoding="utf-8"?>'
ACL = [("comp", "acl"), ("restype", "container")]


class Policies:
    """The policies of one account. ``credential`` needs the account's key to sign; to read and to set any owner will do."""

    def __init__(self, requests: Requests, credential: Credential) -> None:
        self._requests = requests
        self._credential = credential
        self._seen: dict[str, str] = {}
        """Last-Modified of each container when its policies were read, as the service wrote it."""

    @property
    def can_prove(self) -> bool:
        return self._credential.key is not None

    async def get(self, container: str) -> ContainerPolicies:
        doing = "read the access policies of"
        answer = await self._requests.send("GET", doing, container, query=list(ACL))
        found: list[StoredPolicy] = []
        with self._requests.understanding(doing, container):
            read_xml(answer.body, {"SignedIdentifier": lambda node: found.append(_policy(node))})
        self._seen[container] = answer.text(b"last-modified")
        return ContainerPolicies(tuple(found), answer.text(b"x-ms-blob-public-access") or None)

    async def set(self, container: str, policies: Sequence[StoredPolicy], *, public_access: str | None) -> None:
        """ConditionFailed if the container was changed, by the second, after its policies were read here. Source: Azure "Set
        Container ACL", which knows dates and no ETags."""
        body = (XML + "<SignedIdentifiers>" + "".join(map(_xml, policies)) + "</SignedIdentifiers>").encode()
        headers = [("Content-Type", "application/xml")]
        if public_access:
            headers.append(("x-ms-blob-public-access", public_access))
        if seen := self._seen.get(container):
            headers.append(("If-Unmodified-Since", seen))
        await self._requests.send(
            "PUT", "set the access policies of", container, query=list(ACL), headers=headers, body=body
        )

    async def accepts(self, container: str, policy: StoredPolicy, name: str) -> bool:
        """AccessRefused is the answer that is hoped for; any other error goes up."""
        signer = SasSigner(self._signature(container, policy, name))
        headers = [("x-ms-blob-type", "BlockBlob"), ("If-None-Match", "*")]
        try:
            await self._requests.send("PUT", "write under a policy to", container, name, headers=headers, signer=signer)
        except AccessRefused:
            return False
        await self._requests.send("DELETE", "delete", container, name, headers=[])
        return True

    def _signature(self, container: str, policy: StoredPolicy, name: str) -> str:
        """A service signature for one blob under a stored policy. Source: Azure "Create a service SAS"."""
        assert self._credential.key is not None
        version = min(self._requests.api_version, SAS_VERSION)
        end = "" if policy.expiry else utc(datetime.now(UTC) + timedelta(seconds=SAS_SECONDS))
        fields = [
            "",
            "",
            end,
            f"/blob/{self._credential.account_name}/{container}/{name}",
            policy.id,
            "",
            "",
            version,
            "b",
            "",
        ]
        fields += [""] * (6 if version >= WITH_SCOPE else 5)
        parts = {"sv": version, "sr": "b", "si": policy.id}
        if end:
            parts["se"] = end
        return sign(parts, self._credential.key, fields)


def _policy(node: Node) -> StoredPolicy:
    said = node.child("AccessPolicy")
    if said is None:
        return StoredPolicy(node.value("Id"))
    return StoredPolicy(node.value("Id"), said.value("Permission"), said.value("Start"), said.value("Expiry"))


def _xml(policy: StoredPolicy) -> str:
    parts = [("Start", policy.start), ("Expiry", policy.expiry), ("Permission", policy.permissions)]
    inner = "".join(f"<{tag}>{escaped(text)}</{tag}>" for tag, text in parts if text)
    access = f"<AccessPolicy>{inner}</AccessPolicy>" if inner else ""
    return f"<SignedIdentifier><Id>{escaped(policy.id)}</Id>{access}</SignedIdentifier>"
