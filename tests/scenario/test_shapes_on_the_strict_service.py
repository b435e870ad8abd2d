"""What a real account lets nobody copy in the plain way arrives all the same, or is said: between two strict accounts."""

from __future__ import annotations

import os
from dataclasses import replace

from migrator.model.names import Area, Selector
from migrator.model.objects import CREATE, BlobType, ContainerInfo
from migrator.testing.strict import Faults, Nature
from migrator.transfer.verify import compare
from tests.contract.object_store_suite import PLAIN
from tests.scenario.test_rollouts_on_the_strict_service import Estate
from tests.strict_service import Strict

LONG = "\u6f22" * 250
FULL_TAGS = {f"key-{number}".ljust(128, "k"): "v" * 256 for number in range(10)}
WEB = Area("web", (Selector("web"),))


async def _differences(estate: Estate) -> list[tuple[str, str, str, str]]:
    found = await compare(estate.behind("src"), estate.behind("dst"), WEB, level="content")
    assert found.has_compared
    return found.named


async def test_every_shape_arrives_by_the_way_that_it_needs(strict: Strict, tmp_path) -> None:
    """An address that is too long for a copy's source, tags that no header holds, a seal, a sequence number, holes, a tier; and
    copies that the service makes in its own time."""
    estate = Estate(strict, tmp_path, src=Nature(allows_public_access=True), dst=Nature(allows_public_access=True))
    source = strict.open(estate.own["src"])
    await source.create_container(ContainerInfo("web", {"team": "web"}, "blob"))
    await source.put("web", LONG, b"a long name", PLAIN, condition=CREATE)
    await source.put("web", "tagged", b"many tags", PLAIN, condition=CREATE)
    await source.set_tags("web", "tagged", FULL_TAGS)
    await source.put("web", "cool", b"cool", replace(PLAIN, tier="Cool"), condition=CREATE)
    log = await source.create_empty("web", "log", 0, replace(PLAIN, blob_type=BlobType.APPEND), condition=CREATE)
    log = await source.append("web", "log", b"lines", offset=0, if_match=log.etag)
    await source.seal("web", "log", size=5, if_match=log.etag)
    disk = replace(PLAIN, blob_type=BlobType.PAGE, sequence_number=41)
    made = await source.create_empty("web", "disk", 16 * 1024 * 1024, disk, condition=CREATE)
    await source.put_pages("web", "disk", os.urandom(1024), offset=8 * 1024 * 1024, if_match=made.etag)
    estate.faults("dst", Faults(pending_seconds=0.5))
    outcome = await estate.apply()
    assert outcome.code == "done", outcome
    estate.faults("dst")
    assert await _differences(estate) == []
    target = strict.open(estate.own["dst"])
    there = {one.name: one for one in (await target.page("web")).entries}
    assert there["log"].is_sealed
    assert there["disk"].sequence_number == 41
    assert dict(there["tagged"].tags) == FULL_TAGS
    assert there["cool"].explicit_tier == "Cool"
    info = await target.container("web")
    assert (dict(info.metadata), info.public_access) == ({"team": "web"}, "blob")
    by = {(one.operation, one.name) for one in estate.asked("dst") if one.status < 300}
    assert ("Put Blob", LONG) in by
    assert ("Set Blob Tags", "tagged") in by
    assert ("Copy Blob", "log") in by
    assert ("Copy Blob From URL", "cool") in by
    read = [one for one in estate.asked("src") if (one.operation, one.name) == ("Get Blob", "disk")]
    assert len(read) == 1  # what was never written is not read
    assert [one for one in estate.asked("dst") if (one.operation, one.name) == ("Put Page", "disk")]


async def test_copies_that_the_service_gives_up_go_through_this_machine(strict: Strict, tmp_path) -> None:
    estate = Estate(strict, tmp_path)
    source = strict.open(estate.own["src"])
    await source.create_container(ContainerInfo("web"))
    for name in ("fails", "well"):
        log = await source.create_empty("web", name, 0, replace(PLAIN, blob_type=BlobType.APPEND), condition=CREATE)
        await source.append("web", name, b"lines", offset=0, if_match=log.etag)
    estate.faults("dst", Faults(pending_seconds=0.3, failing_copies=("web/fails",)))
    outcome = await estate.apply()
    assert outcome.code == "done", outcome
    assert await _differences(estate) == []
    by = {(one.operation, one.name) for one in estate.asked("dst") if one.status < 300}
    assert ("Append Block", "fails") in by
    assert ("Append Block", "well") not in by


async def test_containers_that_may_not_be_public_at_the_target_are_a_question_and_then_all_alike(
    strict: Strict, tmp_path
) -> None:
    estate = Estate(strict, tmp_path, src=Nature(allows_public_access=True))
    names = ("web-a", "web-b", "web-c")
    area = Area("web", (Selector("web-*"),))
    moves = [replace(move, area=area) for move in estate.small.schedule.waves[0].moves]
    estate.small.change_wave(moves=tuple(moves))
    source = strict.open(estate.own["src"])
    for name in names:
        await source.create_container(ContainerInfo(name, {"team": name}, "blob"))
        await source.put(name, "n", b"body", PLAIN, condition=CREATE)
    outcome = await estate.apply()
    assert outcome.code == "halted"
    assert "lets nobody read without a signature (PublicAccessNotPermitted)" in outcome.reasons[0]
    estate.small.schedule = replace(estate.small.schedule, public_access="drop")
    await estate.retry()
    outcome = await estate.apply()
    assert outcome.code == "done", outcome
    target = strict.open(estate.own["dst"])
    assert [(one.name, one.public_access, dict(one.metadata)) for one in await target.containers()] == [
        (name, None, {"team": name}) for name in names
    ]
