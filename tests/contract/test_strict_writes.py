"""On the strict service: how long a write under Microsoft Entra ID may still be applied, and what a refused copy costs others."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from migrator.adapters.clock import SystemClock
from migrator.model.objects import CREATE, ContainerInfo
from migrator.model.rhythm import USUAL
from migrator.model.values import replace
from migrator.testing.strict import CopyRefusal, Grant
from migrator.transfer.copying import Copier
from tests.contract.object_store_suite import PLAIN, names
from tests.strict_service import Strict

COPIES = 300


@pytest.mark.parametrize("seconds", [360.0, 24 * 3600.0], ids=["six minutes", "a day"])
async def test_a_write_that_comes_after_the_bound_is_refused_whatever_its_token_lives(
    secure_strict: Strict, seconds: float
) -> None:
    own = secure_strict.take()
    await secure_strict.behind(own).create_container(ContainerInfo("box"))
    store = secure_strict.sign_in(own, seconds=seconds)
    bound = await store.late_write_seconds(datetime.now(UTC))
    assert bound == 300.0
    sent: list[Any] = []
    right = store._requests._client.exchange

    async def exchange(*what: Any, **how: Any) -> Any:
        sent.append((what, how))
        return await right(*what, **how)

    store._requests._client.exchange = exchange  # type: ignore[method-assign]
    written = await store.put("box", "n", b"mine", PLAIN, condition=CREATE)
    what, how = sent[-1]
    await store.delete("box", "n", if_match=written.etag)
    assert (await right(*what, **how)).status == 201  # in time it could be applied again
    await store.delete("box", "n", if_match=(await store.head("box", "n")).etag)
    secure_strict.service.set_nature(own, clock_offset_seconds=bound)
    late = await right(*what, **how)
    assert (late.status, late.text(b"x-ms-error-code")) == (403, "AuthenticationFailed")
    assert await names(secure_strict.behind(own), "box") == []


@pytest.mark.parametrize(
    "refusal",
    [
        CopyRefusal(at=frozenset({1})),
        CopyRefusal(at=frozenset({100})),
        CopyRefusal(at=frozenset(range(100, 132))),
        CopyRefusal(at=frozenset({100}), source_status=401, source_code="InvalidAuthenticationInfo"),
        CopyRefusal(status=409, at=frozenset({100}), source_status=409, source_code="BlobArchived"),
    ],
    ids=["the first", "one", "a burst", "not believed", "of one object"],
)
async def test_a_refused_copy_sends_a_handful_through_this_machine(strict: Strict, refusal: CopyRefusal) -> None:
    source, target = strict.take(), strict.take()
    filled, empty = strict.behind(source), strict.behind(target)
    await filled.create_container(ContainerInfo("box"))
    await empty.create_container(ContainerInfo("box"))
    await asyncio.gather(*(filled.put("box", f"n{n:03}", b"x", PLAIN, condition=CREATE) for n in range(COPIES)))
    blobs = (await filled.page("box")).entries
    strict.service.set_faults(source, copies=(refusal,))
    soon = replace(USUAL, first_ask_again_seconds=0.1)  # in 15 s all were copied
    copier = Copier(strict.open(source), strict.open(target), SystemClock(), soon)
    turn = asyncio.Semaphore(16)

    async def copy(blob: Any) -> None:
        async with turn:
            await copier.copy("box", blob, condition=CREATE, in_fence=False)

    done = await asyncio.gather(*(copy(blob) for blob in blobs), return_exceptions=True)
    failed = [one for one in done if isinstance(one, BaseException)]
    assert len(failed) <= 1, failed  # an object's own trouble is that object's
    assert copier.is_server_side
    through_us = len(strict.service.requests("Put Blob", target))
    assert through_us < COPIES / 2, "until the pair was asked again; what is under way meanwhile depends on the machine"
    assert len(await names(empty, "box")) == COPIES - len(failed)


async def test_a_source_that_may_not_lend_a_signature_says_so_and_goes_through_this_machine(
    secure_strict: Strict,
) -> None:
    """A role on the container alone: objects may be read, and no delegation key may be asked for."""
    source, target = secure_strict.take(), secure_strict.take()
    filled, empty = secure_strict.behind(source), secure_strict.behind(target)
    await filled.create_container(ContainerInfo("box"))
    await empty.create_container(ContainerInfo("box"))
    for number in range(5):
        await filled.put("box", f"n{number}", b"x", PLAIN, condition=CREATE)
    secure_strict.service.set_nature(source, grants=(Grant("Owner", container="box"),))
    copier = Copier(secure_strict.sign_in(source), secure_strict.sign_in(target), SystemClock())
    for blob in (await filled.page("box")).entries:
        await copier.copy("box", blob, condition=CREATE, in_fence=False)
    assert await names(empty, "box") == [f"n{number}" for number in range(5)]
    assert not copier.is_server_side
    assert "signing key" in copier.pair.why
    assert "firewall" not in copier.pair.why


async def test_tokens_that_are_revoked_again_while_they_are_renewed_stop_nobody(secure_strict: Strict) -> None:
    """Of many requests at once: each is refused twice within a moment, and waits a little; the tokens are asked for by one of
    them."""
    own = secure_strict.take()
    store = secure_strict.sign_in(own)
    await store.create_container(ContainerInfo("box"))
    for number in range(8):
        await store.put("box", f"n{number}", b"body", PLAIN, condition=CREATE)
    asked, ask = [], store._credential.token_source.get_token

    async def get_token(*scopes: str, **options: Any) -> Any:
        asked.append(scopes)
        return await ask(*scopes, **options)

    store._credential.token_source.get_token = get_token
    secure_strict.service.tokens.revoked_before = time.time() + 0.6
    found = await asyncio.gather(*(store.head("box", f"n{number}") for number in range(8)))
    assert [one.size for one in found] == [4] * 8
    refused = secure_strict.service.requests(account=own, status=401)
    assert len(refused) >= 16
    assert 2 <= len(asked) <= 6
