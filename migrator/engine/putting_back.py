"""Putting back the stored access policies that an enforced fence revoked: by the engine, by its guardian, or by the next run.

Decides what is put back: a policy that is still as the fence left it. Leaves to the callers whether the route lets anybody write
there. Rule: a policy that somebody else has changed or removed meanwhile is left so, and said; putting back an old value could
give rights that were just taken away. A second call finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Sequence

from migrator.machine.policies import same_policy, without_writing
from migrator.model.moves import RevokedPolicy
from migrator.ports.write_policy import PolicyHolder


async def put_back(holder: PolicyHolder, container: str, group: Sequence[RevokedPolicy]) -> list[str]:
    """Put back ``group``, all of ``container``; a sentence for each that is left as somebody else made it. Raises the CloudError
    family."""
    found = await holder.policies(container)
    original = {one.policy.id: one.policy for one in group}
    place = f"{group[0].account}/{container}" if group else container
    left, new = [], []
    for one in found.policies:
        known = original.pop(one.id, None)
        if known is not None and same_policy(one, without_writing(known)):
            new.append(known)
            continue
        if known is not None and not same_policy(one, known):
            left.append(f"policy {one.id} of {place} was changed by somebody else and is left so")
        new.append(one)
    left += [f"policy {id} of {place} was removed by somebody else" for id in original]
    if tuple(new) != found.policies:
        await holder.set_policies(container, new, public_access=found.public_access)
    return left
