"""Whatever bytes come, an exchange ends: in an answer that the bytes really hold, or in NoAnswer; never otherwise."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.adapters.azure.wire import Answer, NoAnswer, Stream, WireLimits
from tests.unit.azure.wire.peers import converse
from tests.unit.azure.wire.test_answers import GOOD, REFUSED

LIMITS = WireLimits(head_bytes=2000, headers=20, error_bytes=100, interim_answers=3, stream_bytes=64)
SEEDS = [raw for raw, _ in GOOD.values()] + [raw[:3000] for raw in REFUSED.values()]
WORDS = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\x00",
    b"HTTP/1.1 200 OK\r\n",
    b"Content-Length: 3\r\n",
    b"0\r\n\r\n",
    b"\xff" * 9,
]
WORDS += [
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b": ",
    b"a" * 3000,
]


async def outcome(pieces: list[bytes], *, is_head: bool, streams: bool) -> object:
    """What can be told apart: status, headers and body; or the failure's kind."""
    try:
        answer, connection = await converse(
            pieces, is_head=is_head, streams=streams, ends=False, limits=LIMITS, most_bytes=1000
        )
    except NoAnswer:
        return NoAnswer
    except AssertionError:  # it waits for more, which will not come
        answer, connection = None, None
    if answer is None:
        try:
            answer, connection = await converse(
                pieces, is_head=is_head, streams=streams, limits=LIMITS, most_bytes=1000
            )
        except NoAnswer:
            return NoAnswer
    if isinstance(answer, Answer):
        assert len(answer.body) <= 1000
        return (answer.status, answer.headers, answer.body)
    assert isinstance(answer, Stream)
    assert connection is not None
    connection.connection_lost(None)
    try:
        return (answer.status, answer.headers, b"".join([chunk async for chunk in answer.chunks()]))
    except NoAnswer:
        return (answer.status, answer.headers, NoAnswer)


def cut(raw: bytes, chance: random.Random) -> list[bytes]:
    at = sorted(chance.randrange(len(raw) + 1) for _ in range(chance.randrange(6)))
    return [raw[start:end] for start, end in zip([0, *at], [*at, len(raw)], strict=True)]


def mutated(chance: random.Random) -> bytes:
    raw = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(raw) + 1)
        match chance.randrange(5):
            case 0:
                raw[at:at] = bytes([chance.randrange(256)])
            case 1:
                del raw[at : at + chance.randrange(1, 8)]
            case 2 if at < len(raw):
                raw[at] ^= 1 << chance.randrange(8)
            case 3:
                raw[at:at] = chance.choice(WORDS)
            case _:
                raw[at:at] = chance.choice(SEEDS)[: chance.randrange(200)]
    return bytes(raw)


@pytest.mark.parametrize("seed", range(8))
async def test_mutated_answers_mean_the_same_however_they_are_split(seed: int) -> None:
    chance = random.Random(seed)
    kinds = {"answer": 0, "failure": 0}
    for _ in range(400):
        raw = mutated(chance)
        is_head, streams = chance.random() < 0.2, chance.random() < 0.3
        whole = await outcome([raw], is_head=is_head, streams=streams)
        kinds["failure" if whole is NoAnswer else "answer"] += 1
        if len(raw) <= LIMITS.head_bytes:  # beyond it, what is noticed first depends on the pieces
            assert await outcome(cut(raw, chance), is_head=is_head, streams=streams) == whole, raw
    assert min(kinds.values()) > 20  # else nothing is tried


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(WORDS)), max_size=12), st.booleans(), st.booleans())
def test_any_bytes_end_in_an_answer_or_a_failure(pieces: list[bytes], is_head: bool, streams: bool) -> None:
    asyncio.run(outcome(pieces, is_head=is_head, streams=streams))


@settings(max_examples=200, deadline=None)
@given(
    st.integers(200, 599).filter(lambda status: status not in (204, 304)),
    st.binary(max_size=100),
    st.lists(st.integers(1, 40), max_size=10),
    st.booleans(),
)
def test_a_well_formed_answer_is_read_exactly(status: int, body: bytes, cuts: list[int], chunked: bool) -> None:
    head = b"HTTP/1.1 %d Said\r\netag: x\r\n" % status
    if chunked:
        parts = [body[at : at + 7] for at in range(0, len(body), 7)]
        coded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
        raw = head + b"Transfer-Encoding: chunked\r\n\r\n" + coded + b"0\r\n\r\n"
    else:
        raw = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    pieces = []
    for size in cuts:
        pieces.append(raw[:size])
        raw = raw[size:]
    found = asyncio.run(outcome([*pieces, raw], is_head=False, streams=False))
    assert isinstance(found, tuple)
    assert (found[0], found[1][b"etag"], found[2]) == (status, b"x", body)
