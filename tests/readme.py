"""The code for applications of README, "Follow the route", as it stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from azure.storage.blob.aio import BlobServiceClient

README = Path(__file__).parents[1] / "README.md"
ADDRESS = "https://control.blob.core.windows.net/routing/routes.json"


def snippet() -> str:
    """The block of Python."""
    text = README.read_text(encoding="utf-8").split("## Follow the route")[1]
    found = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    assert ADDRESS in found[1]
    return found[1]


def application(address: str, credential_of: Callable[[str], Any], **names: str) -> dict[str, Any]:
    """What the block defines, executed for a document at ``address``.

    Args:
        credential_of: of an endpoint. A test's accounts have keys of their own, where an application has one identity.
        names: texts that stand for other texts of the block: its area, its container.
    """
    text = snippet().replace(ADDRESS, address)
    for old, new in names.items():
        text = text.replace(f'"{old.replace("_", "-")}"', f'"{new}"')

    class Client:
        def __new__(cls, endpoint: str, credential: Any, **options: Any) -> Any:
            return BlobServiceClient(endpoint, credential_of(endpoint), **options)

    found: dict[str, Any] = {"credential": None}
    exec(compile(text, str(README), "exec"), found)
    found["BlobServiceClient"] = Client
    return found


async def close(application: dict[str, Any]) -> None:
    for client in application["clients"].values():
        await client.close()
    await application["routes"].close()
