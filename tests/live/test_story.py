"""One area from its beginning to its end: the applications come first, the route is published, they are seen to follow, and
only then its cut-over is approved - as ``docs/before-the-first-cut-over.md`` tells it, with README's code, and without an error.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobSasPermissions, generate_blob_sas

from tests.azurite.server import Azurite
from tests.live.rounds import BOX, Round
from tests.readme import application, close


@pytest.mark.live
@pytest.mark.timeout(600)
async def test_the_applications_come_first_and_nothing_fails(azurite: Azurite, tmp_path: Path) -> None:
    one = Round(azurite, tmp_path / "story", seed=3, objects=60, short=True)
    plan = one.folder / "p.yaml"
    plan.write_text(plan.read_text().replace("    gates: []", "    gates: []\n    approval: required"))
    core = one.accounts["core"]
    sas = generate_blob_sas(
        core,
        "routing",
        "routes.json",
        account_key=azurite.key(core),
        permission=BlobSasPermissions(read=True),
        expiry=datetime.now(UTC) + timedelta(hours=2),
    )
    account_at = {one.endpoints[name]: account for name, account in one.accounts.items()}

    def credential_of(endpoint: str) -> dict[str, str]:
        return {"account_name": account_at[endpoint], "account_key": azurite.key(account_at[endpoint])}

    app = application(
        f"{one.endpoints['core']}/routing/routes.json?{sas}", credential_of, email_events="images", events=BOX
    )
    written: list[str] = []
    stopping = asyncio.Event()

    async def write(number: int) -> None:
        while not stopping.is_set():
            name = f"customer/{number}-{len(written)}"
            await app["store"](name, name.encode())
            written.append(name)
            await asyncio.sleep(0.05)

    async def migrate(*words: str, ends: int = 0) -> None:
        code, said = await asyncio.to_thread(one.migrate, *words)
        assert code == ends, said

    writers = [asyncio.create_task(write(number)) for number in range(3)]
    await asyncio.sleep(2)
    assert not written
    assert not any(writer.done() for writer in writers), "deployed early, they wait"
    await migrate("plan", "p.yaml")
    await migrate(
        "apply", "p.yaml", "--yes", "--no-wait", ends=3
    )  # publishes the route, copies, and waits for the approval
    await moved_on(written, 20)
    assert set(written) <= await asyncio.to_thread(names_in, one, "core"), "they write where they always did"
    await migrate("approve", "p.yaml", "only", "--reason", "all instances are seen to follow")
    await migrate("apply", "p.yaml", "--yes")
    await moved_on(written, 20)
    stopping.set()
    await asyncio.gather(*writers)
    await close(app)
    assert set(written) <= await asyncio.to_thread(names_in, one, "split")


def names_in(one: Round, account: str) -> set[str]:
    with one.service(account) as service:
        box: Any = service.get_container_client(BOX)
        return {found.name for found in box.list_blobs(name_starts_with="customer/")} if box.exists() else set()


async def moved_on(written: list[str], count: int) -> None:
    """So many writes more, within a minute."""
    wanted = len(written) + count
    async with asyncio.timeout(60):
        while len(written) < wanted:  # noqa: ASYNC110 - a list has no event
            await asyncio.sleep(0.2)
