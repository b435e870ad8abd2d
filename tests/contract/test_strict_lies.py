"""`migrate prove` asks what it says: Azurite shows its known deviations and no others, and every planted lie is named."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

from migrator.adapters.azure import proofs
from migrator.adapters.azure.object_store import AzureStore
from migrator.adapters.clock import SystemClock
from migrator.engine.proving.promises import PROMISES, Promise
from migrator.engine.proving.prove import Examiner
from migrator.model.proved import PromiseKept, ProvedPair
from migrator.testing.strict import COPY_REFUSALS, Faults, Nature
from migrator.testing.strict.lies import LIES
from tests.strict_service import Strict

QUICK = tuple(one for one in PROMISES if one.kind != "own")
ALSO = {
    "folds-names": {"listings-rise"},
    "lists-out-of-order": {"pages-are-complete", "listings-tell-tiers", "prefixes-are-exact"},
    "loses-rows-between-pages": set(),
    "blurs-prefixes": {"listings-are-fresh"},
    "lists-late": {"*"},
    "lists-other-etags": {"listings-are-fresh"},
    "lists-no-tags": {"listings-are-fresh"},
    "keeps-etags": {"listings-are-fresh"},
    "puts-over-anything": {"one-create-wins", "empty-creates-once"},
    "reads-whole": {"*"},
    "says-no-codes": {"a-missing-container-is-said", "copies-say-what-is-gone"},
}
"""Lie -> other promises that it cannot but touch."""


async def examined(
    first: AzureStore, second: AzureStore, promises: Sequence[Promise] = PROMISES
) -> tuple[ProvedPair, list[PromiseKept]]:
    told: list[PromiseKept] = []
    examiner = Examiner(first, second, clock=SystemClock(), told=told.append, promises=promises)
    pair = await examiner.run({first.account: "azure", second.account: "azure"}, "test")
    assert examiner.left == []
    for store in (first, second):
        assert await store.containers("migrate-prove") == []
    return pair, told


def broken(pair: ProvedPair, account: str = "") -> set[str]:
    return {one.promise for one in pair.broken if account in one.place}


async def test_azurite_breaks_what_is_known_and_nothing_else(strict: Strict) -> None:
    one, other = strict.azurite.take(), strict.azurite.take()
    pair, told = await examined(strict.behind(one), strict.behind(other))
    assert {(answer.promise, answer.place) for answer in pair.broken} == {
        (promise, place)
        for promise in ("control-characters-are-refused", "dots-at-the-end-are-dropped")
        for place in (one, other)
    }
    assert not any(answer.is_relied_on for answer in pair.broken)
    assert [answer.word for answer in pair.promises].count("unasked") == 0
    assert sorted(map(repr, told)) == sorted(map(repr, pair.promises))


async def test_the_strict_service_keeps_every_promise_though_it_is_busy(strict: Strict) -> None:
    one, other = strict.take(), strict.take()
    for own in (one, other):
        strict.service.set_faults(own, busy=0.02)
    pair, _ = await examined(strict.open(one), strict.open(other))
    assert pair.broken == ()
    assert [answer for answer in pair.promises if answer.word != "kept"] == []


async def test_tokens_ask_what_a_token_can(secure_strict: Strict) -> None:
    pair, _ = await examined(secure_strict.sign_in(secure_strict.take()), secure_strict.sign_in(secure_strict.take()))
    assert pair.broken == ()
    assert {answer.promise for answer in pair.promises if answer.word == "unasked"} == {"policies-are-revoked"}


async def test_what_an_account_lacks_is_not_asked_and_not_broken(strict: Strict) -> None:
    """A signature of the operator's own is shown to nobody; a firewall lets no service in; a kind of account has no tags."""
    one, other = strict.take(), strict.take(Nature(kind="BlobStorage"), Faults(copies=(COPY_REFUSALS["firewall"],)))
    end = datetime.now(UTC) + timedelta(hours=1)
    may, kinds = AccountSasPermissions.from_string("rwdlact"), ResourceTypes.from_string("sco")
    signature = generate_account_sas(one, strict.azurite.key(one), kinds, may, end)
    pair, _ = await examined(strict.open(one, secret=signature), strict.open(other), QUICK)
    assert pair.broken == ()
    unasked = {(answer.promise, answer.place) for answer in pair.promises if answer.word == "unasked"}
    assert ("tags-leave-the-etag", other) in unasked
    assert ("copies-carry-all", f"{other} -> {one}") in unasked
    assert not any(answer.place == f"{one} -> {other}" for answer in pair.promises)


@pytest.mark.parametrize("lie", [lie for lie, promise in LIES.items() if promise in {one.name for one in QUICK}])
async def test_a_lie_is_named_and_little_else(strict: Strict, lie: str) -> None:
    honest, lying = strict.take(), strict.take()
    strict.service.set_faults(lying, lies=frozenset({lie}))
    kind = next(one.kind for one in QUICK if one.name == LIES[lie])
    pair, _ = await examined(strict.open(honest), strict.open(lying), [one for one in QUICK if one.kind == kind])
    found = broken(pair, lying)
    assert LIES[lie] in found
    if "*" not in ALSO.get(lie, set()):
        assert found <= {LIES[lie]} | ALSO.get(lie, set())
    assert not {answer.place for answer in pair.broken} - {lying, f"{honest} -> {lying}", f"{lying} -> {honest}"}


async def test_all_lies_at_once_are_all_named(strict: Strict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "POLICY_SECONDS", 3)
    honest, lying = strict.take(), strict.take()
    assert len(LIES) >= 20
    strict.service.set_faults(lying, lies=frozenset(LIES))
    pair, _ = await examined(strict.open(honest), strict.open(lying))
    assert set(LIES.values()) - broken(pair, lying) == set()


def test_every_lie_is_about_a_promise_that_is_asked() -> None:
    assert set(LIES.values()) <= {one.name for one in PROMISES}
