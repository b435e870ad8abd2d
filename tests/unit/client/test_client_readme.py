"""README's code for applications, copied as it stands, lives through a cut-over and the way back."""

from __future__ import annotations

import asyncio
from pathlib import Path

from azure.storage.blob import BlobServiceClient

from migrator.model.routes import READ_ONLY, READ_WRITE, Mode, RouteDocument, RouteRecord
from tests.azurite.server import Azurite
from tests.readme import application, close


async def test_the_code_of_the_readme_lives_through_a_cut_over_and_back(azurite: Azurite, tmp_path: Path) -> None:
    old, new = azurite.take(), azurite.take()
    services = {one: BlobServiceClient.from_connection_string(azurite.connection_string(one)) for one in (old, new)}
    for service in services.values():
        service.create_container("events")
    document = tmp_path / "routes.json"

    def route(account: str, mode: Mode, epoch: int) -> None:
        record = RouteRecord(account, azurite.endpoint(account), mode, epoch, "lineage", "", "")
        draft = tmp_path / "draft"
        draft.write_bytes(RouteDocument(0.5, 10, {"europe/email-events": record}).encode())
        draft.replace(document)

    def credential_of(endpoint: str) -> dict[str, str]:
        account = next(one for one in services if azurite.endpoint(one) == endpoint)
        return {"account_name": account, "account_key": azurite.key(account)}

    names = application(str(document), credential_of)
    written: list[str] = []
    stopping = asyncio.Event()

    async def write(number: int) -> None:
        while not stopping.is_set():
            name = f"{number}-{len(written)}"
            await names["store"](name, name.encode())
            written.append(name)

    writers = [asyncio.create_task(write(number)) for number in range(4)]
    await asyncio.sleep(0.5)
    assert written == [], "nothing is published yet, and nobody fails"
    counts = []
    for turn in (
        (old, READ_WRITE, 1),
        (old, READ_ONLY, 2),
        (new, READ_WRITE, 3),
        (new, READ_ONLY, 4),
        (old, READ_WRITE, 5),
    ):
        route(*turn)
        await asyncio.sleep(2)
        counts.append(len(written))
    stopping.set()
    await asyncio.gather(*writers)
    await close(names)
    assert counts[0] > 0
    assert counts[2] > counts[1], "it went on at the new account"
    assert counts[4] > counts[3], "and back"
    held = {
        one: {blob.name for blob in service.get_container_client("events").list_blobs()}
        for one, service in services.items()
    }
    assert set(written) == held[old] | held[new]
    assert held[old]
    assert held[new]
    for service in services.values():
        service.close()
