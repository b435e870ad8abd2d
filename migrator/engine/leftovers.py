"""Objects of our own under ``.migrate/`` that a killed process left: swept by whoever uses their prefix next.

Decides nothing; the prefixes are their makers'. Rule: a name is removed only in the generation that was seen a moment before.
"""

from __future__ import annotations

from migrator.errors import NotFound
from migrator.model.names import RESERVED_PREFIX
from migrator.ports.object_store import ObjectStore

MOST_AT_ONCE = 100
"""Such objects are a handful; more of them go the next time."""


async def sweep(store: ObjectStore, container: str, prefix: str) -> None:
    """Remove what lies under ``prefix``. Raises the CloudError family."""
    for blob in (await store.page(container, prefix=prefix, limit=MOST_AT_ONCE)).entries:
        await remove(store, container, blob.name)


async def is_swept(store: ObjectStore, container: str) -> bool:
    """Is there nothing of ours at all, under no prefix? One request instead of one for each prefix. Raises the CloudError
    family."""
    page = await store.page(container, prefix=RESERVED_PREFIX, limit=1)
    return not page.entries and page.marker is None


async def remove(store: ObjectStore, container: str, name: str) -> None:
    """Remove one, if it is there."""
    try:
        await store.delete(container, name, if_match=(await store.head(container, name)).etag)
    except NotFound:
        return
