"""Gates read the traffic of embedded accounts: customers' requests only, and silence as silence."""

import sqlite3
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from migrator.adapters.local import LocalStore
from migrator.adapters.metrics.local import METRICS, LocalMetrics
from migrator.errors import CloudError, NotFound
from migrator.model.names import MoveId
from migrator.model.objects import CREATE, BlobType, ContainerInfo, ContentHeaders, Shape
from migrator.model.samples import Question

BEGIN = 1_800_000_000
PLAIN = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)


@pytest.fixture
async def traffic(tmp_path):
    """Make requests at given moments: ``traffic(second, requests, caller)``."""
    path = tmp_path / "lab.db"
    clock = [float(BEGIN - 1000)]
    made = LocalStore("lab", path, now=lambda: clock[0])
    await made.create_container(ContainerInfo("box"))
    await made.put("box", "n", b"x" * 1000, PLAIN, condition=CREATE)
    await made.close()

    async def send(second, requests, caller="app", name="n"):
        clock[0] = BEGIN + second + 0.5
        store = LocalStore("lab", path, caller=caller, now=lambda: clock[0])
        for _ in range(requests):
            with suppress(NotFound):
                await store.head("box", name)
        await store.close()

    send.path = path
    return send


async def ask(path, metric, seconds, *, begin=0, **options):
    metrics = LocalMetrics({"lab": path}, **options)
    question = Question(MoveId("na", "web"), "lab", metric, None)
    first, last = (datetime.fromtimestamp(BEGIN + at, UTC) for at in (begin, begin + seconds))
    return await metrics.ask(question, begin=first, end=last)


async def test_requests_are_counted_by_the_second_they_began_in(traffic):
    await traffic(2, 3)
    await traffic(7, 1)
    reading = await ask(traffic.path, "requests_per_minute", 10)
    assert [(p.at.timestamp() - BEGIN, p.value, p.volume) for p in reading.points] == [(2, 180, 3), (7, 60, 1)]


async def test_a_long_window_has_points_of_a_minute(traffic):
    await traffic(5, 4)
    await traffic(50, 2)
    await traffic(65, 1)
    reading = await ask(traffic.path, "requests_per_minute", 600)
    assert [(p.at.timestamp() - BEGIN, p.value) for p in reading.points] == [(0, 6), (60, 1)]


async def test_the_last_point_of_a_window_is_scaled_by_its_own_length(traffic):
    await traffic(22, 2)
    reading = await ask(traffic.path, "requests_per_minute", 23)
    assert [(p.at.timestamp() - BEGIN, p.value) for p in reading.points] == [(22, 120)]


async def test_silence_has_no_points(traffic):
    assert (await ask(traffic.path, "requests_per_minute", 10)).points == ()


async def test_the_end_of_a_window_is_not_in_it(traffic):
    await traffic(10, 1)
    assert (await ask(traffic.path, "requests_per_minute", 10)).points == ()
    assert len((await ask(traffic.path, "requests_per_minute", 10, begin=10)).points) == 1


async def test_migrations_own_requests_are_left_out(traffic):
    await traffic(3, 50, caller="engine")
    assert (await ask(traffic.path, "requests_per_minute", 10)).points == ()
    assert (await ask(traffic.path, "requests_per_minute", 10, include_own=True)).points[0].volume == 50


async def test_a_right_refusal_is_no_error(traffic):
    await traffic(3, 4, name="gone")
    assert (await ask(traffic.path, "error_ratio", 10)).points[0].value == 0
    assert (await ask(traffic.path, "availability_percent", 10)).points[0].value == 100


async def test_bytes_and_latency_are_those_of_the_requests(traffic):
    clock = BEGIN + 4
    store = LocalStore("lab", traffic.path, now=lambda: clock)
    written = await store.put("box", "m", b"x" * 5_000_000, PLAIN, condition=CREATE)
    async with store.read("box", "m", if_match=written.etag) as chunks:
        assert sum([len(chunk) async for chunk in chunks]) == 5_000_000
    await store.close()
    figures = {metric: (await ask(traffic.path, metric, 10)).points[0] for metric in METRICS}
    assert figures["ingress"].value == figures["egress"].value == 5_000_000
    assert figures["e2e_latency_ms"].value > 0
    assert {point.volume for point in figures.values()} == {2}


async def test_throttling_and_errors_have_their_ratios(traffic):
    rows = sqlite3.connect(traffic.path)
    for status, requests in (("ok", 6), ("throttled", 3), ("error", 1)):
        rows.execute("INSERT INTO requests VALUES (?, 'app', 'write', ?, ?, 0, 0, 1)", (BEGIN, status, requests))
    rows.commit()
    rows.close()
    figures = {metric: (await ask(traffic.path, metric, 10)).points[0].value for metric in METRICS}
    assert (figures["throttled_ratio"], figures["error_ratio"]) == (0.3, 0.1)
    assert figures["availability_percent"] == 90


async def test_what_is_not_counted_is_one_plain_sentence(traffic, tmp_path):
    with pytest.raises(CloudError, match="cannot ask a local account for queue_length"):
        await ask(traffic.path, "queue_length", 10)
    with pytest.raises(NotFound):
        await ask(tmp_path / "gone.db", "ingress", 10)
    metrics, now = LocalMetrics({}), datetime.now(UTC)
    with pytest.raises(CloudError, match="not a local account"):
        await metrics.ask(Question(MoveId("na", "web"), "lab", "ingress", None), begin=now, end=now)


async def test_old_counts_are_pruned(traffic):
    await traffic(0, 1)
    await traffic(7 * 3600, 1)
    rows = sqlite3.connect(traffic.path)
    assert rows.execute("SELECT count(DISTINCT second) FROM requests").fetchone() == (1,)
    rows.close()
