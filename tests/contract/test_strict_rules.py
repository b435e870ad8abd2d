"""Each rule of the strict service is seen: what it refuses, what it lets pass, and that Azurite alone does otherwise."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

from migrator.adapters.azure import listing
from migrator.adapters.azure.object_store import AzureStore
from migrator.adapters.clock import SystemClock
from migrator.errors import CloudError, NotFound, OutcomeUnknown, SourceChanged, Throttled, Unreachable
from migrator.model.moves import StoredPolicy
from migrator.model.names import Area, Selector
from migrator.model.objects import CREATE, BlobType, Condition, ContainerInfo, Shape
from migrator.ports.object_store import Origin
from migrator.testing import strict as package
from migrator.testing.strict import COPY_REFUSALS, CopyRefusal, Faults, Grant, Hold, Nature, Running
from migrator.testing.strict import __main__ as command_line
from migrator.testing.strict.rules import RULES, table
from migrator.transfer.copying import Copier, same_content
from migrator.transfer.verify import compare
from tests.azurite.server import Azurite
from tests.contract.object_store_suite import PLAIN, RICH, content, listed, names
from tests.strict_service import Strict
from tests.test_rules import functions

APPEND = replace(PLAIN, blob_type=BlobType.APPEND)


async def box(store: AzureStore, *filled: str, body: bytes = b"body", shape: Shape = PLAIN) -> dict[str, str]:
    """A container ``box`` with objects; their ETags by name."""
    await store.create_container(ContainerInfo("box"))
    return {name: (await store.put("box", name, body, shape, condition=CREATE)).etag for name in filled}


async def refused(request: object) -> CloudError:
    with pytest.raises(CloudError) as caught:
        await request  # type: ignore[misc]
    return caught.value


def last(strict: Strict, own: str) -> tuple[int, str, str]:
    """Status, code and rule of the newest request of an account."""
    seen = strict.service.requests(account=own)[-1]
    return seen.status, seen.code, seen.rule


def test_every_rule_that_refuses_is_in_the_table_once() -> None:
    listed = [rule.name for rule in RULES]
    assert len(set(listed)) == len(listed)
    rooms = Path(package.__file__).parent
    said = set()
    for room in rooms.glob("*.py"):
        said |= set(re.findall(r'Refused\(\s*\*?\(?"([a-z0-9-]+)"', room.read_text()))
    assert said <= set(listed)
    assert len(said) > 25
    assert {rule.room for rule in RULES} <= {room.stem for room in rooms.glob("*.py")}


def test_the_page_names_a_test_for_every_rule() -> None:
    page = (Path(__file__).parents[2] / "docs" / "strict-service.md").read_text()
    rows = [
        line.split(" | ") for line in page.partition("## What is held against it")[2].splitlines() if "::test_" in line
    ]
    assert len(rows) >= 15
    assert {rule for row in rows for rule in row[1].split(", ")} == {rule.name for rule in RULES}
    named = re.findall(r"`([^`]+)::([^`]+)`", page)
    assert [one for one in named if one[1] not in functions(one[0])] == []


def test_the_page_has_every_rule() -> None:
    page = Path(__file__).parents[2] / "docs" / "strict-service.md"
    assert page.read_text().endswith(table())


class TestCommandLine:
    def test_what_is_given_is_set(self, strict_served: Running) -> None:
        service, (one, other) = strict_served.service, sorted(strict_served.service.backend.keys)[:2]
        for text in (
            *("busy=0.5", f"{one}:is_hierarchical=true", f"{one}:grants=Reader/box", "holds=box/legal"),
            *("copies=busy/0.3", "leased=a/*,b/*", "kind=BlobStorage"),
        ):
            command_line.apply(service, [one, other], text)
        first, second = (service._accounts[name] for name in (one, other))
        assert (first.nature.is_hierarchical, second.nature.is_hierarchical) == (True, False)
        assert first.nature.grants == (Grant("Reader", container="box"),)
        assert second.nature.holds == (Hold("box", "legal"),)
        assert second.nature.kind == "BlobStorage"
        assert second.faults.copies == (replace(COPY_REFUSALS["busy"], share=0.3),)
        assert (second.faults.busy, second.faults.leased) == (0.5, ("a/*", "b/*"))

    @pytest.mark.parametrize(
        "text", ["nobody:busy=1", "nothing=1", "busy=much", "grants=King", "copies=odd", "is_hierarchical=yes"]
    )
    def test_what_is_no_setting_is_refused(self, strict_served: Running, text: str) -> None:
        with pytest.raises(ValueError, match="cannot set"):
            command_line.apply(strict_served.service, ["acct0001"], text)

    def test_the_command_serves_until_it_is_asked_to_end(self, azurite: Azurite) -> None:
        own = azurite.take()
        command = [sys.executable, "-m", "migrator.testing.strict", "--port", "0", "--behind"]
        environ = {**os.environ, "AZURITE_ACCOUNTS": f"{own}:{azurite.key(own)}"}
        behind = azurite.endpoint("").rstrip("/")
        child = subprocess.Popen([*command, behind, "--set", "busy=1"], env=environ, stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        assert asyncio.run(raw("GET", f"{url}?comp=list")) == (503, "ServerBusy")
        child.send_signal(signal.SIGTERM)
        said, _ = child.communicate(timeout=30)
        assert said == "1 requests, 1 refused by a rule\n        1  busy\n"
        assert child.returncode == 0


class TestIdentityEndpoint:
    async def test_a_managed_identity_is_played(self, secure_strict: Strict) -> None:
        """A program of any kind gets its tokens there; azure-identity speaks it to the address in the environment."""
        own = secure_strict.take()
        served = secure_strict.served
        query = "resource=https%3A%2F%2Fstorage.azure.com&api-version=2019-08-01"
        url = f"{served.environ()['IDENTITY_ENDPOINT']}?{query}"
        assert (await raw("GET", url))[0] == 401
        headers = {"X-IDENTITY-HEADER": served.environ()["IDENTITY_HEADER"]}
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers, ssl=False) as answer:
            token = (await answer.json())["access_token"]
        assert await bearer(secure_strict, own, token) == (200, "")


class TestWhoMay:
    @pytest.mark.parametrize(
        ("role", "may"),
        [
            ("Reader", {"list", "read"}),
            ("Contributor", {"list", "read", "write", "delete"}),
            ("Owner", {"list", "list tags", "read", "read tags", "write", "write tags", "delete"}),
            ("Delegator", set()),
        ],
    )
    async def test_a_role_may_what_the_table_says(self, secure_strict: Strict, role: str, may: set[str]) -> None:
        own = secure_strict.take()
        etags = await box(secure_strict.behind(own), "n", "gone")
        secure_strict.service.set_nature(own, grants=(Grant(role),))  # type: ignore[arg-type]
        store = secure_strict.sign_in(own)
        does = {
            "list": store.container("box"),
            "list tags": store._listing("box", "", "", "tags"),
            "read": content(store, "box", "n"),
            "read tags": read_tags(secure_strict, own),
            "write": store.put("box", "new", b"1", PLAIN, condition=CREATE),
            "write tags": store.set_tags("box", "n", {"a": "b"}),
            "delete": store.delete("box", "gone", if_match=etags["gone"]),
        }
        answers = dict(zip(does, await asyncio.gather(*does.values(), return_exceptions=True), strict=True))
        refusals = {what: answer for what, answer in answers.items() if isinstance(answer, BaseException)}
        assert set(does) - set(refusals) == may
        assert {getattr(one, "code", one) for one in refusals.values()} <= {"AuthorizationPermissionMismatch"}

    async def test_a_role_on_a_container_reaches_no_other_and_not_the_account(self, secure_strict: Strict) -> None:
        own = secure_strict.take(Nature(grants=(Grant("Owner", container="box"),)))
        behind = secure_strict.behind(own)
        await box(behind, "n")
        store = secure_strict.sign_in(own)
        assert await content(store, "box", "n") == b"body"
        for request in (store.containers(), store.container("missing")):
            assert (await refused(request)).code == "AuthorizationPermissionMismatch"
        unsigned = await refused(store.source_url("box", "n"))
        assert unsigned.code == "NoSignature"
        assert unsigned.__cause__ is not None
        assert "AuthorizationPermissionMismatch" in str(unsigned.__cause__)

    @pytest.mark.parametrize(("letters", "passes"), [("rwl", False), ("rwlt", True)])
    async def test_tags_need_their_letter(self, strict: Strict, letters: str, passes: bool) -> None:
        own = strict.take()
        await box(strict.behind(own), "n")
        store = strict.open(own, secret=signature(strict, own, letters))
        if passes:
            assert await names(store, "box") == ["n"]
            await store.set_tags("box", "n", {"a": "b"})
        else:
            assert (await refused(store._listing("box", "", "", "tags"))).code == "AuthorizationPermissionMismatch"
            assert last(strict, own) == (403, "AuthorizationPermissionMismatch", "sas-letters")

    async def test_a_signature_ends_by_the_accounts_own_clock(self, strict: Strict) -> None:
        own = strict.take()
        await box(strict.behind(own), "n")
        store = strict.open(own, secret=signature(strict, own, "rwlt"))
        assert await content(store, "box", "n") == b"body"
        strict.service.advance(3700)
        assert (await refused(content(store, "box", "n"))).code == "AuthenticationFailed"
        assert last(strict, own)[2] == "sas-time"

    async def test_a_request_by_key_is_dated_within_a_quarter_of_an_hour(self, strict: Strict) -> None:
        own = strict.take(Nature(clock_offset_seconds=16 * 60))
        url = strict.served.endpoint(own)
        status, code = await raw("GET", f"{url}?comp=list", {"Authorization": f"SharedKey {own}:x", "x-ms-date": "Mon"})
        assert (status, code, last(strict, own)[2]) == (403, "AuthenticationFailed", "key-window")
        assert await strict.open(own).containers() == []  # the product dates by the service's clock

    async def test_an_account_may_accept_no_keys(self, secure_strict: Strict) -> None:
        own = secure_strict.take(Nature(allows_shared_key=False))
        for secret in ("", signature(secure_strict, own, "rwlt")):
            refusal = await refused(secure_strict.open(own, secret=secret).containers())
            assert refusal.code == "KeyBasedAuthenticationNotPermitted"
        assert await secure_strict.sign_in(own).containers() == []

    async def test_a_token_ends(self, secure_strict: Strict) -> None:
        own = secure_strict.take()
        token, _ = secure_strict.service.token(seconds=360)
        assert await bearer(secure_strict, own, token) == (200, "")
        secure_strict.service.advance(361)
        assert await bearer(secure_strict, own, token) == (401, "InvalidAuthenticationInfo")

    async def test_a_token_is_revoked_in_mid_run(self, secure_strict: Strict) -> None:
        own = secure_strict.take()
        token, _ = secure_strict.service.token()
        assert await bearer(secure_strict, own, token) == (200, "")
        secure_strict.service.revoke_tokens()
        assert await bearer(secure_strict, own, token) == (401, "InvalidAuthenticationInfo")
        await asyncio.sleep(0.002)
        assert await bearer(secure_strict, own, secure_strict.service.token()[0]) == (200, "")

    async def test_a_token_of_somebody_else_is_not_believed(self, secure_strict: Strict) -> None:
        own = secure_strict.take()
        token, _ = secure_strict.service.token()
        assert await bearer(secure_strict, own, f"{token[:-4]}AAAA") == (401, "InvalidAuthenticationInfo")

    async def test_nobody_reads_without_a_signature(self, strict: Strict) -> None:
        own = strict.take()
        await box(strict.behind(own), "n")
        status, code = await raw("GET", f"{strict.served.endpoint(own)}/box/n")
        assert (status, code) == (409, "PublicAccessNotPermitted")

    async def test_a_container_is_made_public_only_where_the_account_lets_it(self, strict: Strict) -> None:
        own = strict.take()
        store = strict.open(own)
        info = ContainerInfo("box", public_access="blob")
        assert (await refused(store.create_container(info))).code == "PublicAccessNotPermitted"
        strict.service.set_nature(own, allows_public_access=True)
        await store.create_container(info)
        assert (await store.container("box")).public_access == "blob"


async def read_tags(strict: Strict, own: str) -> None:
    token, _ = strict.service.token()
    headers = {"Authorization": f"Bearer {token}", "x-ms-version": "2024-11-04"}
    _, code = await raw("GET", f"{strict.served.endpoint(own)}/box/n?comp=tags", headers)
    if code:
        raise CloudError("no tags", code=code)


def signature(strict: Strict, own: str, letters: str) -> str:
    words = {"r": "read", "w": "write", "l": "list", "t": "tag", "d": "delete", "c": "create"}
    may = AccountSasPermissions(**{words[letter]: True for letter in letters})
    kinds = ResourceTypes(service=True, container=True, object=True)
    return generate_account_sas(own, strict.azurite.key(own), kinds, may, datetime.now(UTC) + timedelta(hours=1))


async def raw(method: str, url: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Status and error code."""
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=headers, ssl=False) as answer:
        await answer.read()
        return answer.status, answer.headers.get("x-ms-error-code", "")


async def bearer(strict: Strict, own: str, token: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}", "x-ms-version": "2024-11-04"}
    return await raw("GET", f"{strict.served.endpoint(own)}?comp=list", headers)


class TestDelegationKeys:
    async def test_a_key_that_begins_later_by_the_services_clock_is_not_believed(self, secure_strict: Strict) -> None:
        source, target = secure_strict.take(), secure_strict.take()
        etags = await box(secure_strict.behind(source), "n")
        await box(secure_strict.behind(target))
        store = secure_strict.sign_in(source)
        url = await store.source_url("box", "n")
        assert await raw("GET", url, {"x-ms-version": "2024-11-04"}) == (200, "")
        secure_strict.service.set_nature(source, clock_offset_seconds=-3600)
        assert await raw("GET", url, {"x-ms-version": "2024-11-04"}) == (403, "AuthenticationFailed")
        origin = Origin(store, "box", "n", etags["n"])
        await refused(secure_strict.sign_in(target).copy(origin, "box", "n", PLAIN, condition=CREATE))
        assert secure_strict.service.requests("Copy Blob From URL", target)[0].rule == "delegation-key-clock"

    async def test_a_signature_is_only_as_strong_as_the_role_behind_it(self, secure_strict: Strict) -> None:
        own = secure_strict.take()
        await box(secure_strict.behind(own), "n")
        url = await secure_strict.sign_in(own).source_url("box", "n")
        secure_strict.service.set_nature(own, grants=(Grant("Delegator"),))
        assert await raw("GET", url) == (403, "AuthorizationPermissionMismatch")

    async def test_a_signature_is_for_its_container(self, secure_strict: Strict) -> None:
        own = secure_strict.take()
        await box(secure_strict.behind(own), "n")
        url = (await secure_strict.sign_in(own).source_url("box", "n")).replace("/box/", "/other/")
        assert await raw("GET", url) == (403, "AuthenticationFailed")


class TestCopies:
    @pytest.mark.parametrize("kind", COPY_REFUSALS)
    async def test_a_copy_is_refused_in_every_way(self, strict: Strict, kind: str) -> None:
        source, target = strict.take(), strict.take()
        etags = await box(strict.behind(source), "n")
        await box(strict.behind(target))
        strict.service.set_faults(source, copies=(COPY_REFUSALS[kind],))
        origin = Origin(strict.open(source), "box", "n", etags["n"])
        await refused(strict.open(target).copy(origin, "box", "n", PLAIN, condition=CREATE))
        seen, *again = strict.service.requests("Copy Blob From URL", target)
        assert len(again) <= 1  # a source that does not believe the signature is asked with a new one
        assert (seen.status, seen.code) == (COPY_REFUSALS[kind].status, COPY_REFUSALS[kind].code)
        assert await names(strict.behind(target), "box") == []

    async def test_one_copy_of_many_is_refused(self, strict: Strict) -> None:
        source, target = strict.take(), strict.take()
        etags = await box(strict.behind(source), "a", "b", "c")
        await box(strict.behind(target))
        strict.service.set_faults(source, copies=(CopyRefusal(at=frozenset({2})),))
        store, origin = strict.open(target), strict.open(source)
        for name, etag in etags.items():
            with_fault = store.copy(Origin(origin, "box", name, etag), "box", name, PLAIN, condition=CREATE)
            await (refused(with_fault) if name == "b" else with_fault)
        assert await names(strict.behind(target), "box") == ["a", "c"]

    @pytest.mark.parametrize(("version", "told"), [("2024-11-04", ""), ("2025-07-05", "ServerBusy")])
    async def test_what_the_source_answered_is_told_from_a_version_on(
        self, strict: Strict, version: str, told: str
    ) -> None:
        source, target = strict.take(Nature(), Faults(copies=(COPY_REFUSALS["busy"],))), strict.take()
        etags = await box(strict.behind(source), "n")
        await box(strict.behind(target))
        origin = Origin(strict.open(source), "box", "n", etags["n"])
        copied = strict.open(target, api_version=version).copy(origin, "box", "n", PLAIN, condition=CREATE)
        refusal = await refused(copied)
        assert isinstance(refusal, Throttled if told else CloudError)
        assert refusal.code == (told or "CannotVerifyCopySource")

    async def test_a_source_may_not_be_readable_for_who_copies(self, secure_strict: Strict) -> None:
        source, target = secure_strict.take(), secure_strict.take()
        etags = await box(secure_strict.behind(source), "n")
        await box(secure_strict.behind(target))
        secure_strict.service.set_nature(source, grants=(Grant("Delegator"),))
        origin = Origin(secure_strict.sign_in(source), "box", "n", etags["n"])
        await refused(secure_strict.sign_in(target).copy(origin, "box", "n", PLAIN, condition=CREATE))
        assert secure_strict.service.requests("Copy Blob From URL", target)[0].rule == "roles"

    async def test_a_changed_source_is_told_in_two_ways_by_turns(self, strict: Strict) -> None:
        source, target = strict.take(), strict.take()
        await box(strict.behind(source), "n")
        await box(strict.behind(target))
        origin, store = Origin(strict.open(source), "box", "n", "0x8D0"), strict.open(target)
        for _ in range(2):
            with pytest.raises(SourceChanged):
                await store.copy(origin, "box", "n", PLAIN, condition=CREATE)
        seen = strict.service.requests("Copy Blob From URL", target)
        assert {one.code for one in seen} == {"CannotVerifyCopySource", "SourceConditionNotMet"}

    async def test_an_asynchronous_copy_takes_its_time(self, strict: Strict) -> None:
        source, target = strict.take(), strict.take(Nature(), Faults(pending_seconds=60))
        behind = strict.behind(source)
        await box(behind)
        made = await behind.create_empty("box", "log", 0, APPEND, condition=CREATE)
        etag = (await behind.append("box", "log", b"line", offset=0, if_match=made.etag)).etag
        store = strict.open(target)
        await box(store)
        begun = await store.start_copy(
            Origin(strict.open(source), "box", "log", etag), "box", "log", APPEND, condition=CREATE
        )
        assert begun.pending
        there = await store.head("box", "log")
        assert (there.copy_pending, there.copy_id, there.size) == (True, begun.copy_id, 0)
        (row,) = await listed(store, "box")
        assert row.copy_pending
        assert (await refused(store.delete("box", "log", if_match=begun.etag))).code == "PendingCopyOperation"
        strict.service.advance(61)
        there = await store.head("box", "log")
        assert (there.copy_pending, there.copy_id, there.size) == (False, begun.copy_id, 4)
        assert await content(store, "box", "log") == b"line"

    async def test_an_asynchronous_copy_fails_or_is_aborted(self, strict: Strict) -> None:
        source = strict.take()
        target = strict.take(Nature(), Faults(pending_seconds=60, failing_copies=("box/fails",)))
        etags = await box(strict.behind(source), "n")
        store, origin = strict.open(target), Origin(strict.open(source), "box", "n", etags["n"])
        await box(store)
        begun = {
            name: await store.start_copy(origin, "box", name, PLAIN, condition=CREATE) for name in ("fails", "aborted")
        }
        await store.abort_copy("box", "aborted", begun["aborted"].copy_id or "")
        strict.service.advance(61)
        for name in ("fails", "aborted"):
            there = await store.head("box", name)
            assert (there.copy_pending, there.size) == (False, 0)

    async def test_an_archived_source_and_a_long_address_are_refused(self, strict: Strict) -> None:
        source, target = strict.take(), strict.take()
        behind = strict.behind(source)
        etags = await box(behind, "n")
        await behind.set_tier("box", "n", "Archive")
        store = strict.open(target)
        await box(store)
        origin = Origin(strict.open(source), "box", "n", etags["n"])
        assert (await refused(store.copy(origin, "box", "n", PLAIN, condition=CREATE))).code == "BlobArchived"
        url = f"{strict.served.endpoint(target)}/box/n"
        await raw("PUT", f"{url}?sv=2020-12-06&sp=rwc&sr=c&sig=x", {"x-ms-copy-source": f"{url}{'y' * 2048}"})
        assert last(strict, target)[2] == "source-url-length"


class TestLoad:
    async def test_a_share_is_refused(self, strict: Strict) -> None:
        own = strict.take(Nature(), Faults(busy=0.3, retry_after=2))
        store = strict.open(own)
        answers = [await asyncio.gather(store.containers(), return_exceptions=True) for _ in range(200)]
        no = [answer[0] for answer in answers if isinstance(answer[0], Throttled)]
        assert 30 < len(no) < 90
        assert {one.retry_after_seconds for one in no} == {2}

    async def test_a_bare_429(self, strict: Strict) -> None:
        own = strict.take(Nature(), Faults(too_many=1))
        with pytest.raises(Throttled):
            await strict.open(own).containers()

    async def test_a_write_is_applied_and_nobody_says_so(self, strict: Strict) -> None:
        own = strict.take()
        store = strict.open(own)
        await box(store)
        strict.service.set_faults(own, timed_out=1)
        with pytest.raises(OutcomeUnknown):
            await store.put("box", "n", b"there", PLAIN, condition=CREATE)
        strict.service.clear_faults(own)
        assert await content(store, "box", "n") == b"there"

    async def test_above_a_rate_all_is_refused(self, strict: Strict) -> None:
        own = strict.take(Nature(), Faults(most_per_second=1))
        store = strict.open(own)
        answers = await asyncio.gather(*(store.containers() for _ in range(20)), return_exceptions=True)
        assert sum(isinstance(one, Throttled) for one in answers) >= 15

    async def test_a_service_is_not_reached(self, strict: Strict) -> None:
        own = strict.take(Nature(), Faults(unreachable=True))
        with pytest.raises(Unreachable):
            await strict.open(own).containers()

    async def test_a_late_write_is_judged_when_it_arrives(self, strict: Strict) -> None:
        own = strict.take()
        store = strict.open(own, secret=signature(strict, own, "rwltc"))
        await box(store)
        strict.service.set_faults(own, late=1, late_seconds=0.2)
        for name in ("arrives", "expired"):
            with pytest.raises(OutcomeUnknown):
                await store.put("box", name, b"x", PLAIN, condition=CREATE)
            if name == "arrives":
                await asyncio.sleep(0.4)
        strict.service.advance(3700)
        await asyncio.sleep(0.4)
        assert await names(strict.behind(own), "box") == ["arrives"]
        assert [one.rule for one in strict.service.requests("Put Blob", own)][-1] == "late: sas-time"


class TestHolds:
    @pytest.mark.parametrize(
        ("kind", "code"), [("time-based", "BlobImmutableDueToPolicy"), ("legal", "BlobImmutableDueToLegalHold")]
    )
    async def test_under_a_policy_blobs_are_made_and_not_changed(self, strict: Strict, kind: str, code: str) -> None:
        own = strict.take()
        store = strict.open(own)
        etags = await box(store, "old")
        strict.service.set_nature(own, holds=(Hold("box", kind),))  # type: ignore[arg-type]
        made = await store.put("box", "new", b"1", PLAIN, condition=CREATE)
        for request in (
            store.delete("box", "new", if_match=made.etag),
            store.put("box", "old", b"2", PLAIN, condition=Condition(if_match=etags["old"])),
        ):
            assert (await refused(request)).code == code
        (info,) = await store.containers()
        assert (info.has_immutability, info.has_legal_hold) == (kind == "time-based", kind == "legal")
        assert (await store.container("box")).has_immutability == (kind == "time-based")

    async def test_a_leased_blob_refuses_writes_and_shows_its_lease(self, strict: Strict) -> None:
        own, source = strict.take(), strict.take()
        store = strict.open(own)
        etags = await box(store, "held", "free")
        strict.service.set_faults(own, leased=("box/held",))
        origin_etags = await box(strict.behind(source), "held")
        origin, over = (
            Origin(strict.open(source), "box", "held", origin_etags["held"]),
            Condition(if_match=etags["held"]),
        )
        for request in (
            store.delete("box", "held", if_match=etags["held"]),
            store.put("box", "held", b"2", PLAIN, condition=over),
            store.copy(origin, "box", "held", PLAIN, condition=over),
            store.set_tags("box", "held", {"a": "b"}),
        ):
            assert (await refused(request)).code == "LeaseIdMissing"
        await store.delete("box", "free", if_match=etags["free"])
        assert await content(store, "box", "held") == b"body"

    async def test_a_customers_key_is_asked_for(self, strict: Strict) -> None:
        own = strict.take()
        store = strict.open(own)
        await box(store, "sealed", "open")
        strict.service.set_nature(own, customer_keys=("box/sealed",))
        assert await names(store, "box") == ["open", "sealed"]
        assert (await refused(content(store, "box", "sealed"))).code == "BlobUsesCustomerSpecifiedEncryption"
        assert await content(store, "box", "open") == b"body"


class TestNatures:
    async def test_what_an_account_is(self, strict: Strict) -> None:
        own = strict.take(Nature(kind="BlockBlobStorage", sku="Premium_LRS", is_hierarchical=True))
        url = f"{strict.served.endpoint(own)}?restype=account&comp=properties&{signature(strict, own, 'r')}"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            told = (answer.headers["x-ms-account-kind"], answer.headers["x-ms-sku-name"])
            assert (told, answer.headers["x-ms-is-hns-enabled"]) == (("BlockBlobStorage", "Premium_LRS"), "true")

    async def test_a_data_lake_shows_directories_and_knows_no_tags(
        self, strict: Strict, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        own = strict.take()
        store = strict.open(own)
        etags = await box(store, "a/b/1", "a/b/2", "a/c", "z")
        strict.service.set_nature(own, is_hierarchical=True)
        assert (await refused(store.page("box"))).code == "HierarchicalNamespace"
        monkeypatch.setattr(listing, "has_directory", lambda document: False)
        rows = await names(store, "box")
        assert rows == ["a", "a/b", "a/b/1", "a/b/2", "a/c", "z"]
        for limit in (3, 4, 5):
            assert await names(store, "box", limit=limit) == rows
        assert (await refused(store.delete("box", "a", if_match="x"))).code == "DirectoryIsNotEmpty"
        assert (await refused(store.put("box", "a/b", b"", PLAIN, condition=CREATE))).code == "ResourceTypeMismatch"
        assert (await refused(store.put("box", "z/y", b"", PLAIN, condition=CREATE))).code == "ResourceTypeMismatch"
        for request in (
            store.set_tags("box", "z", {"a": "b"}),
            store.put("box", "new", b"", RICH, condition=CREATE),
        ):
            assert (await refused(request)).code == "InvalidQueryParameterValue"
        await store.delete("box", "z", if_match=etags["z"])

    async def test_tags_by_kind(self, strict: Strict) -> None:
        own = strict.take(Nature(kind="BlobStorage"))
        store = strict.open(own)
        await box(store, "n")
        assert (await refused(store.set_tags("box", "n", {"a": "b"}))).code == "BlobTagsNotSupportedForAccountType"

    async def test_a_premium_page_account_has_no_block_blobs(self, strict: Strict) -> None:
        store = strict.open(strict.take(Nature(sku="Premium_LRS")))
        await store.create_container(ContainerInfo("box"))
        assert (await refused(store.put("box", "n", b"", PLAIN, condition=CREATE))).code == "BlobTypeNotSupported"

    async def test_dots_are_dropped_and_control_characters_refused(self, strict: Strict) -> None:
        own = strict.take()
        sas = signature(strict, own, "rwltc")
        await box(strict.behind(own))
        url = strict.served.endpoint(own)
        headers = {"x-ms-blob-type": "BlockBlob", "x-ms-version": "2024-11-04"}
        assert (await raw("PUT", f"{url}/box/folder../name...?{sas}", headers))[0] == 201
        assert await names(strict.behind(own), "box") == ["folder/name"]
        assert (await raw("PUT", f"{url}/box/new%0Aline?{sas}", headers))[0] == 400
        assert last(strict, own)[2] == "control-characters"
        assert (await raw("PUT", f"{url}/box/{'n' * 1025}?{sas}", headers))[0] == 400

    @pytest.mark.parametrize(
        ("version", "rule"), [("2023-01-02", "version"), ("2099-01-01", "version"), ("2019-07-07", "version-features")]
    )
    async def test_a_version_that_does_not_know_it_is_refused(self, strict: Strict, version: str, rule: str) -> None:
        own = strict.take()
        await box(strict.behind(own))
        headers = {"x-ms-version": version}
        query = f"restype=container&comp=list&include=tags&{signature(strict, own, 'rlt')}"
        assert (await raw("GET", f"{strict.served.endpoint(own)}/box?{query}", headers))[0] == 400
        assert last(strict, own)[2] == rule

    async def test_a_tier_that_cannot_be_set(self, strict: Strict) -> None:
        store = strict.open(strict.take())
        await box(store, "n")
        assert (await refused(store.set_tier("box", "n", "Smart"))).code in ("InvalidHeaderValue", "")

    async def test_an_account_that_is_not_served_is_not_there(self, strict: Strict) -> None:
        assert await raw("GET", f"{strict.served.url}/nobody?comp=list") == (404, "ResourceNotFound")


class TestSeals:
    """Azurite alone knows none."""

    @pytest.mark.parametrize("in_fence", [False, True], ids=["by the service", "through this machine"])
    async def test_a_sealed_blob_is_copied_with_its_seal(self, strict: Strict, in_fence: bool) -> None:
        one, other = strict.take(), strict.take()
        source, target = strict.open(one), strict.open(other)
        for store in (source, target):
            await store.create_container(ContainerInfo("box"))
        made = await source.create_empty("box", "log", 0, APPEND, condition=CREATE)
        grown = await source.append("box", "log", b"lines", offset=0, if_match=made.etag)
        await source.seal("box", "log", size=5, if_match=grown.etag)
        blob = (await listed(source, "box"))[0]
        copied = await Copier(source, target, SystemClock()).copy("box", blob, condition=CREATE, in_fence=in_fence)
        there = (await listed(target, "box"))[0]
        assert (blob.is_sealed, there.is_sealed, there.etag) == (True, True, copied.etag)
        assert bool(strict.service.requests("Copy Blob", other)) is not in_fence
        assert bool(strict.service.requests("Seal Append Blob", other)) is in_fence
        assert await same_content(source, target, "box", blob, there)

    async def test_a_seal_obeys_its_conditions(self, strict: Strict) -> None:
        own = strict.take()
        store = strict.open(own)
        await box(store, "block")
        assert (await refused(store.seal("box", "nothing", size=0, if_match="0x1"))).code in (
            "BlobNotFound",
            "ConditionNotMet",
        )
        block = await store.head("box", "block")
        assert (await refused(store.seal("box", "block", size=4, if_match=block.etag))).code == "InvalidBlobType"
        assert last(strict, own) == (409, "InvalidBlobType", "seals")


async def test_a_vanished_blob_is_not_found(strict: Strict) -> None:
    store = strict.open(strict.take())
    await box(store)
    with pytest.raises(NotFound):
        await store.head("box", "n")


async def test_verify_says_whose_policies_are_missing_and_who_may_not_read_them(
    strict: Strict, secure_strict: Strict
) -> None:
    """A data role below the Owner's reads no container's policies."""
    ends = [strict.open(strict.take()) for _ in range(2)]
    for store in ends:
        await store.create_container(ContainerInfo("box"))
    area = Area("web", (Selector("box"),))
    await ends[0].set_policies("box", [StoredPolicy("writers", "rw")], public_access=None)
    apart = await compare(ends[0], ends[1], area, level="attributes")
    assert apart.named == [
        ("changed", "box", "", "of the container itself: stored access policies (writers only at the source)")
    ]
    await ends[1].set_policies("box", [StoredPolicy("writers", "r")], public_access=None)
    assert (await compare(ends[0], ends[1], area, level="attributes")).is_equal
    owns = [secure_strict.take(Nature(grants=(Grant("Contributor"),))) for _ in range(2)]
    signed_in = [secure_strict.sign_in(own) for own in owns]
    for store in signed_in:
        await store.create_container(ContainerInfo("box"))
    unread = await compare(signed_in[0], signed_in[1], area, level="attributes")
    assert unread.is_equal
    assert unread.not_compared.startswith(
        "stored access policies were not compared: cannot read the access policies of"
    )
