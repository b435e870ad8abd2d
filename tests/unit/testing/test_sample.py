"""Sample data is made by seed, lies inside its area, and is made once."""

import gzip
import json

import pytest

from migrator.adapters.local import LocalStore
from migrator.errors import UsageError
from migrator.model.names import Area, Selector
from migrator.model.objects import BlobType
from migrator.testing.sample import containers_of, fill
from tests.contract.object_store_suite import content, listed

WEB = Area("web-tracking", (Selector("web-*"),))
EMAIL = Area("email-events", (Selector("events", "email/"),))
CAMPAIGNS = Area("campaign-automation", (Selector("campaigns"), Selector("shared", "campaigns/")))
IMAGES = Area("image-manager", (Selector("images-*"),))


@pytest.fixture
async def stores(tmp_path):
    made = [LocalStore(name, tmp_path / f"{name}.db") for name in ("one", "other")]
    yield made
    for store in made:
        await store.close()


async def everything(store):
    return {
        (box.name, blob.name): (blob, await content(store, box.name, blob.name))
        for box in await store.containers()
        for blob in await listed(store, box.name)
    }


@pytest.mark.parametrize("area", [WEB, EMAIL, CAMPAIGNS, IMAGES], ids=lambda area: area.name)
async def test_every_object_lies_in_its_area_and_none_is_missing(stores, area):
    tally = await fill(stores[0], area, objects=40, seed=1)
    found = await everything(stores[0])
    assert (tally.created, tally.skipped, len(found)) == (40, 0, 40)
    assert all(area.takes(*place) for place in found)
    assert tally.bytes == sum(blob.size for blob, _ in found.values())
    assert {box for box, _ in found} == set(containers_of(area))
    assert tally.containers == len(containers_of(area))


@pytest.mark.parametrize("area", [WEB, EMAIL, CAMPAIGNS, IMAGES], ids=lambda area: area.name)
async def test_the_same_seed_makes_the_same_objects(stores, area):
    for store in stores:
        await fill(store, area, objects=20, seed=7)
    one, other = [await everything(store) for store in stores]
    assert {place: (body, blob.headers, blob.metadata, blob.tags) for place, (blob, body) in one.items()} == {
        place: (body, blob.headers, blob.metadata, blob.tags) for place, (blob, body) in other.items()
    }


async def test_another_seed_makes_other_bytes(stores):
    for seed, store in enumerate(stores):
        await fill(store, WEB, objects=4, seed=seed)
    one, other = [await everything(store) for store in stores]
    assert {body for _, body in one.values()} != {body for _, body in other.values()}


async def test_filling_again_makes_only_what_is_missing(stores):
    await fill(stores[0], EMAIL, objects=10, seed=1)
    before = await everything(stores[0])
    again = await fill(stores[0], EMAIL, objects=15, seed=1)
    assert (again.created, again.skipped) == (5, 10)
    after = await everything(stores[0])
    assert {place: after[place] for place in before} == before


async def test_a_glob_gets_two_containers():
    assert containers_of(WEB) == ("web-visits", "web-sessions")
    assert containers_of(Area("images", (Selector("img-?"),))) == ("img-1", "img-2")
    with pytest.raises(UsageError, match="cannot make containers"):
        containers_of(Area("images", (Selector("img-[ab]"),)))


async def test_the_areas_hold_what_their_trade_holds(stores):
    """Compressed visits, appended events, tagged lists, images in blocks, a rare page blob."""
    for area in (WEB, EMAIL, CAMPAIGNS):
        await fill(stores[0], area, objects=20, seed=3)
    await fill(stores[0], IMAGES, objects=30, seed=3)
    found = await everything(stores[0])
    zipped = [body for blob, body in found.values() if blob.headers.content_encoding == "gzip"]
    assert "visitor" in json.loads(gzip.decompress(zipped[0]))
    kinds = {blob.blob_type for blob, _ in found.values()}
    assert kinds == set(BlobType)
    assert any(blob.tags.get("campaign") and blob.metadata for blob, _ in found.values())
    assert any(blob.size > 9_000_000 and blob.headers.cache_control for blob, _ in found.values())
    assert any(blob.explicit_tier == "Cool" for blob, _ in found.values())
