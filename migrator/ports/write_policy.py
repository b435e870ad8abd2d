"""Stored access policies of containers: what an enforced fence revokes. A door beside the object store, for accounts that have
such policies and a credential that can prove a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeGuard

from migrator.model.moves import StoredPolicy
from migrator.model.values import value


@value(frozen=True, slots=True)
class ContainerPolicies:
    """All stored access policies of a container, in the service's order, and who may read it without a signature."""

    policies: tuple[StoredPolicy, ...]
    public_access: str | None = None


class PolicyHolder(Protocol):
    """Raises the CloudError family, like the object store."""

    @property
    def can_prove_policies(self) -> bool:
        """Can it sign for a policy, to see whether the service still accepts that? Only an account key can."""
        ...

    async def policies(self, container: str) -> ContainerPolicies: ...

    async def set_policies(
        self, container: str, policies: Sequence[StoredPolicy], *, public_access: str | None
    ) -> None:
        """Replace all of them, and keep ``public_access`` as it is given. Where the service can tell, ConditionFailed if the
        container was changed after this holder last read its policies: what was read is what is replaced."""
        ...

    async def accepts(self, container: str, policy: StoredPolicy, name: str) -> bool:
        """Does the service take a write of blob ``name``, which is not there, under this policy? Removes it again."""
        ...


def holds_policies(store: object) -> TypeGuard[PolicyHolder]:
    """Is it a ``PolicyHolder``? One name tells: to ask for every method takes as long as a request to a service in memory."""
    return hasattr(store, "can_prove_policies")
