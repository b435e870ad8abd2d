"""The published vectors hold for this implementation: what another language reads is what we do."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.resources import files
from typing import Any

import pytest

from migrator.client.errors import (
    LeaseError,
    OutcomeUnknown,
    RestartUpload,
    RouteFenced,
    RouteUnpublished,
    RouteUnusable,
)
from migrator.client.follower import Follower, Grant, UploadToken
from migrator.client.lease import TryTimes, WriteLease
from migrator.client.presence import AreaView, Presence
from migrator.client.work import Work
from migrator.client.writes import Attempt, is_repeatable, kind_of
from migrator.model.hosts import Hosts
from migrator.model.register import RollEntry
from migrator.model.routes import RouteDocument, RouteRecord

VECTORS = {
    entry.name: json.loads(entry.read_text())
    for entry in files("migrator.client").joinpath("vectors").iterdir()
    if entry.name.endswith(".json")
}
CASES = [
    pytest.param(vector, case, id=f"{name}: {case['name']}")
    for name, vector in sorted(VECTORS.items())
    if name != "register.json"
    for case in vector.get("cases", [])
]
REFUSALS: dict[type[LeaseError], str] = {
    RouteFenced: "fenced",
    RouteUnusable: "unusable",
    RouteUnpublished: "unusable",
    RestartUpload: "restart-upload",
}
LEASE = WriteLease(Grant("europe/images", "https://old.blob.example", "old", 7, 30.0, 60.0), clock=lambda: 0.0)


def document(vector: Any, name: str | None) -> RouteDocument | None:
    return None if name is None else RouteDocument.decode(json.dumps(vector["documents"][name]).encode())


class Process:
    """One that is entered in a register, and what it has under way."""

    def __init__(self, vector: Any) -> None:
        self.key, self.documents, self.generation = vector["key"], vector["documents"], ""
        self.now = 0.0
        self.work, self.presence = Work(), Presence("x")
        self.follower = Follower(self.key, entered=self.presence.entered)
        self.said = 0
        self.attempt: Attempt | None = None

    def view(self, key: str) -> AreaView:
        is_clear = self.work.clear_at(key, self.now) is None
        return AreaView(self.follower.epoch, self.follower.is_fenced, is_clear)

    def play(self, step: dict[str, Any]) -> None:
        at = next((step[name] for name in step if name.endswith("_at") and name != "answered_at"), 0.0)
        self.now = max(self.now, at)
        if "enter_at" in step or "renew_at" in step:
            self.presence.want(self.key, at)
            letter = self.presence.letter(self.generation, 30, at, self.view)
            assert letter is not None, step
            assert letter.is_new is ("enter_at" in step), step
            if "answered_at" in step:
                self.presence.acknowledged(letter, at, step["answered_at"])
                self.said = letter.promises[self.key]
        elif "begin_at" in step:
            grant = self.follower.lease(at)
            counted = self.work.begin(self.key, grant.expires + grant.max_write_seconds)
            self.attempt = Attempt(self.key, "PUT", f"{grant.endpoint}/c/b", {})
            with WriteLease(grant, lambda: self.now, counted) as lease:
                self.attempt.admit(lease)
                if step.get("lost"):
                    assert self.attempt.unanswered()
                    self.attempt.admit(lease)
        elif "end_at" in step:
            assert self.attempt is not None
            self.attempt.answered(201, {})
            self.attempt.over()
        elif "leave_at" in step:
            letters = self.presence.farewells(self.view)
            assert [letter.promises[self.key] for letter in letters] == [step["clear"]][: len(letters)], step
            assert (step["clear"] is None) == (not letters), step
        elif "promise_at" in step:
            assert self.view(self.key).promise(self.said) == step["clear"], step
        else:
            if "observe" in step:
                self.generation = self.documents[step["observe"]]["register"]
            play(self.follower, {"key": self.key, "documents": self.documents}, step)


def play(follower: Follower, vector: Any, step: dict[str, Any]) -> None:
    """Carry out one step and hold it to what it expects."""
    if "observe" in step:
        assert follower.observe(document(vector, step["observe"]), step["sent_at"]) is step["accepted"], step
        return
    found, expected = decide(follower, step), step["expect"]
    assert {name: found.get(name) for name in expected} == expected, step
    assert ("refused" in found) == ("refused" in expected), step


def decide(follower: Follower, step: dict[str, Any]) -> dict[str, Any]:
    """What the follower says, in the words of the vectors."""
    try:
        if "read_at" in step:
            return asdict(follower.resolve(step["read_at"]))
        grant = follower.lease(step["write_at"] if "write_at" in step else step["commit_at"])
        if "blocks_in" in step:
            grant.check_upload(UploadToken(step["blocks_in"], f"https://{step['blocks_in']}.blob.example"))
        return asdict(grant)
    except LeaseError as refusal:
        return {"refused": REFUSALS[type(refusal)], "reason": getattr(refusal, "reason", None)}


@pytest.mark.parametrize(("vector", "case"), CASES)
def test_observations_lead_to_the_published_decisions(vector: Any, case: Any) -> None:
    follower = Follower(vector["key"])
    for step in case["steps"]:
        play(follower, vector, step)


def test_a_vector_that_lies_is_noticed() -> None:
    """The replay is no rubber stamp: a wrong expectation fails."""
    vector = VECTORS["leases.json"]
    follower = Follower(vector["key"])
    play(follower, vector, {"observe": "old-7", "sent_at": 100, "accepted": True})
    with pytest.raises(AssertionError):
        play(follower, vector, {"write_at": 130, "expect": {"account": "old"}})
    with pytest.raises(AssertionError):
        play(follower, vector, {"write_at": 129, "expect": {"refused": "fenced"}})


@pytest.mark.parametrize("case", VECTORS["register.json"]["cases"], ids=lambda c: c["name"])
def test_entries_carry_leases_and_promise_as_published(case: Any) -> None:
    process = Process(VECTORS["register.json"])
    for step in case["steps"]:
        process.play(step)


@pytest.mark.parametrize("case", VECTORS["register.json"]["entries"], ids=lambda c: c["name"])
def test_entries_are_decoded_as_published(case: Any) -> None:
    try:
        RollEntry.decode(case["text"])
    except ValueError:
        assert not case["decodes"]
    else:
        assert case["decodes"]


@pytest.mark.parametrize("request_", VECTORS["requests.json"]["requests"], ids=lambda r: f"{r['method']} {r['url']}")
def test_requests_are_classified_as_published(request_: Any) -> None:
    assert kind_of(request_["method"], request_["url"]).value == request_["kind"]
    if "repeatable" in request_:
        assert is_repeatable(request_["url"], request_["headers"]) is request_["repeatable"]


@pytest.mark.parametrize("case", VECTORS["requests.json"]["tries"], ids=lambda c: c["name"])
def test_tries_prove_what_is_published(case: Any) -> None:
    assert outcome(case["tries"], signed_by_policy=case.get("signed_by_policy", False)) == case["outcome"]


def outcome(tries: list[dict[str, Any]], *, signed_by_policy: bool) -> str:
    attempt = Attempt("europe/images", "PUT", "https://old.blob.example/c/b", {})
    last: int | None = None
    try:
        for each in tries:
            attempt.admit(LEASE)
            last = each.get("status")
            if last is None:
                attempt.unanswered(is_sent="lost" in each)
            else:
                headers = {"x-ms-error-code": each["code"]} if "code" in each else {}
                attempt.answered(last, headers, signed_by_policy=signed_by_policy)
        attempt.finish()
    except OutcomeUnknown:
        return "unknown"
    if attempt.is_fenced:
        return "fenced"
    return "applied" if last is not None and last < 300 else "refused"


@pytest.mark.parametrize("case", VECTORS["requests.json"]["times"], ids=lambda c: c["name"])
def test_a_try_has_the_published_times(case: Any) -> None:
    times = TryTimes.of(case["left"])
    if times is None:
        assert case["refused"] == "late"
    else:
        assert asdict(times) == pytest.approx({f"{name}_seconds": case[name] for name in ("connect", "timeout", "end")})


@pytest.mark.parametrize("case", VECTORS["documents.json"]["texts"], ids=lambda c: c["name"])
def test_documents_are_decoded_as_published(case: Any) -> None:
    raw = case["text"].encode()
    if case["decodes"]:
        assert RouteDocument.decode(RouteDocument.decode(raw).encode()) == RouteDocument.decode(raw)
    else:
        with pytest.raises(ValueError, match="rout"):
            RouteDocument.decode(raw)


@pytest.mark.parametrize("case", VECTORS["hosts.json"]["endpoints"], ids=lambda c: c["name"])
def test_only_trusted_endpoints_are_followed_as_published(case: Any) -> None:
    if "accounts" in case:
        hosts = Hosts.of_accounts(case["accounts"])
    else:
        hosts = Hosts.of(case.get("hosts"), is_local=case.get("local", False))
    record = RouteRecord(case.get("account", "eu-core"), case["endpoint"], "read-write", 1, "lineage", "", "")
    follower = Follower("europe/images", hosts)
    assert follower.observe(RouteDocument(30, 60, {"europe/images": record}), sent_at=1.0) is case["allowed"]


def test_the_page_names_every_file_of_vectors() -> None:
    page = files("migrator.client").joinpath("PROTOCOL.md").read_text()
    for name in VECTORS:
        assert name.removesuffix(".json") in page
    example = page.split("```json\n")[1].split("```")[0]
    assert RouteDocument.decode(example.encode()).routes["europe/email-events"].epoch == 7
