"""A comparison believes nothing that is still under way, sees checksums that differ, and knows when there was nothing."""

from __future__ import annotations

import pytest

from migrator.model.objects import BlobType, ContentHeaders
from migrator.model.values import replace
from migrator.transfer.verify import compare
from tests.unit.transfer.lab import AREA, Lab, VirtualPolicy


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


@pytest.mark.parametrize("level", ["attributes", "content"])
@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("what", ["copy_pending", "rehydrating"])
async def test_what_is_still_under_way_is_unproved(level, side, what):
    """A pending copy of a page blob shows its whole size from the beginning."""
    lab = Lab()
    for account in (lab.source, lab.target):
        lab.put(account, "disk", b"x" * 512, BlobType.PAGE)
    account = getattr(lab, side)
    blob = account.containers["web"].blobs["disk"]
    blob.listed = replace(blob.listed, **{what: True})
    found = await compare(lab.doors["src"], lab.doors["dst"], AREA, level=level)
    assert (found.unproved, found.alike + found.proved, found.is_equal) == (1, 0, False)
    assert side in found.named[0][3]


@pytest.mark.parametrize("level", ["attributes", "content"])
async def test_checksums_that_differ_are_a_difference_and_one_that_was_made_by_the_service_is_none(level):
    lab = Lab()
    for account, md5 in ((lab.source, {"a": b"1" * 16, "b": b"1" * 16}), (lab.target, {"a": b"2" * 16, "b": None})):
        for name, checksum in md5.items():
            lab.put(account, name, b"x")
            blob = account.containers["web"].blobs[name]
            blob.listed = replace(blob.listed, headers=ContentHeaders(md5=checksum))
    found = await compare(lab.doors["src"], lab.doors["dst"], AREA, level=level)
    assert [(kind, name, why) for kind, _, name, why in found.named] == [("changed", "a", "Content-MD5")]
    assert found.alike + found.proved == 1


async def test_nothing_beside_nothing_is_no_comparison():
    lab = Lab()
    assert not (await compare(lab.doors["src"], lab.doors["dst"], AREA, level="attributes")).has_compared
    lab.put(lab.target, "x", b"1")
    assert (await compare(lab.doors["src"], lab.doors["dst"], AREA, level="attributes")).has_compared
