"""The route document: what can be read can be written, and the other way round; and a release needs one record whole."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from migrator.model import routes
from migrator.model.routes import MAX_DOCUMENT_BYTES, MAX_EPOCH, MAX_NOTE, Damaged, RouteDocument, RouteRecord

RECORD: dict[str, Any] = {
    "account": "na-core",
    "endpoint": "https://nacore.blob.core.windows.net",
    "mode": "read-only",
    "epoch": 7,
    "lineage": "3f9c",
    "updated": "2026-11-24T10:00:00Z",
    "run": "8d1e",
}
BODY = {"version": 1, "ttl_seconds": 30, "max_write_seconds": 60, "routes": {"na/web": RECORD}}
HALF = "\ud800"


def raw(body: Any) -> bytes:
    return json.dumps(body).encode()


def with_record(key: str = "eu/web", **changed: Any) -> bytes:
    return raw({**BODY, "routes": {"na/web": RECORD, key: {**RECORD, **changed}}})


# Anything that JSON can hold, often near what a document holds.
TEXTS = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["", HALF, "a" + HALF, "\udfff\ud800", "read-write", "read-only", "\x00", "é", "🎉", "x" * 200]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, 1, 2**53 - 1, 2**53, 10**300, 5e-324, 86399.9999, True])
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
RECORDS = (
    st.fixed_dictionaries(
        {
            "account": TEXTS | st.just("na-core"),
            "endpoint": TEXTS | st.just("https://a"),
            "mode": st.sampled_from(["read-write", "read-only"]),
            "epoch": st.integers(-1, 2**54) | st.integers(1, 9),
            "lineage": TEXTS | st.just("3f9c"),
        },
        optional={"updated": ANYTHING, "run": ANYTHING},
    )
    | ANYTHING
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "version": st.just(1) | ANYTHING,
        "ttl_seconds": st.floats(0, 90_000) | st.integers(1, 90_000) | ANYTHING,
        "max_write_seconds": st.floats(0, 90_000) | st.just(60),
        "routes": st.dictionaries(TEXTS | st.just("eu/web"), RECORDS, max_size=4) | ANYTHING,
    }
)


@settings(max_examples=400, deadline=None)
@given(DOCUMENTS)
def test_what_can_be_read_can_be_written_and_read_again(body):
    try:
        found = RouteDocument.decode(raw(body))
    except ValueError:
        return
    again = RouteDocument.decode(found.encode())
    assert again == found
    assert again.encode() == found.encode()
    for key, record in found.routes.items():
        if record.epoch < MAX_EPOCH:
            released = replace(record, mode="read-write", epoch=record.epoch + 1, updated="2" * 20, run="a" * 16)
            released_document = found.with_record(key, released)
            assert RouteDocument.decode(released_document.encode()) == released_document


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(TEXTS, ANYTHING | RECORDS, max_size=4), ANYTHING)
def test_a_release_works_in_whatever_strangers_made_of_the_rest(others, ttl):
    body = {"version": 2, "ttl_seconds": ttl, "more": others, "routes": {**others, "na/web": RECORD}}
    found = Damaged.of(raw(body))
    assert found is not None
    record = found.routes["na/web"]
    released = replace(record, mode="read-write", epoch=8)
    written = json.loads(found.with_record("na/web", released).encode())
    assert written["routes"].pop("na/web") == {**RECORD, "mode": "read-write", "epoch": 8}
    expected = json.loads(raw(body))
    del expected["routes"]["na/web"]
    assert raw(written) == raw(expected), "nobody else's part of the document is touched"


@pytest.mark.parametrize("name", ["account", "endpoint", "lineage", "updated", "run"])
def test_half_a_character_is_refused_wherever_it_stands(name):
    with pytest.raises(ValueError, match=f"the route eu/web has an unpaired surrogate in its {name}"):
        RouteDocument.decode(with_record(**{name: f"x{HALF}"}))


def test_half_a_character_in_a_key_is_refused_and_the_message_can_be_printed():
    with pytest.raises(ValueError, match="unpaired surrogate in its key") as caught:
        RouteDocument.decode(with_record(f"x{HALF}/y"))
    assert str(caught.value).isprintable()
    str(caught.value).encode()


@pytest.mark.parametrize("epoch", [2**53, 2**63, 10**300])
def test_an_epoch_that_some_reader_would_round_is_refused_both_ways(epoch):
    with pytest.raises(ValueError, match="epoch"):
        RouteDocument.decode(with_record(epoch=epoch))
    document = RouteDocument(30, 60, {"na/web": RouteRecord(**{**RECORD, "epoch": epoch})})
    with pytest.raises(ValueError, match="epoch"):
        document.encode()


def twice(of: str) -> bytes:
    """A document in which one name stands twice: readers of other languages believe the first, the last, or neither."""
    text = with_record().decode()
    at = text.index(of)
    return (text[:at] + f"{of} {json.dumps('https://first.blob.core.windows.net')}, " + text[at:]).encode()


@pytest.mark.parametrize("name", ["endpoint", "eu/web", "routes", "ttl_seconds", "stranger"])
def test_a_name_that_stands_twice_is_refused(name):
    found = (
        twice(f'"{name}":')
        if name != "stranger"
        else with_record().replace(b"{", b'{"stranger": 1, "stranger": 2, ', 1)
    )
    with pytest.raises(ValueError, match=f"the route document has the name {name} twice in one object"):
        RouteDocument.decode(found)


def test_a_release_works_in_a_document_with_a_name_that_stands_twice():
    found = Damaged.of(twice('"endpoint":'))
    record = found.routes["eu/web"]
    assert (
        RouteDocument.decode(found.with_record("eu/web", replace(record, epoch=8)).encode()).routes["eu/web"].epoch == 8
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "latin-1"])
def test_what_is_no_utf8_is_refused_and_can_be_released(encoding):
    body = {**BODY, "routes": {"eu/web": {**RECORD, "run": "\xe9"}}}
    found = json.dumps(body, ensure_ascii=False).encode(encoding)
    with pytest.raises(ValueError, match="the route document is not UTF-8"):
        RouteDocument.decode(found)
    if encoding != "latin-1":
        assert Damaged.of(found).routes["eu/web"].run == "\xe9"


def test_a_name_that_stands_twice_among_many_is_found_in_no_time():
    names = ",".join(f'"n{number}":1' for number in range(200_000))
    begun = time.process_time()
    with pytest.raises(ValueError, match="the name n199999 twice"):
        RouteDocument.decode(f'{{{names},"n199999":2}}'.encode())
    assert time.process_time() - begun < 2


def test_a_mark_of_the_byte_order_changes_nothing():
    assert RouteDocument.decode(b"\xef\xbb\xbf" + with_record()) == RouteDocument.decode(with_record())


def test_the_last_epoch_can_be_read_and_written():
    found = RouteDocument.decode(with_record(epoch=MAX_EPOCH))
    assert RouteDocument.decode(found.encode()) == found


@pytest.mark.parametrize(
    "changed", [{"account": ""}, {"lineage": f"a{HALF}"}, {"run": "r" * (MAX_NOTE + 1)}, {"epoch": 0}]
)
def test_nothing_is_written_that_could_not_be_read(changed):
    document = RouteDocument(30, 60, {"na/web": RouteRecord(**{**RECORD, **changed})})
    with pytest.raises(ValueError, match="the route na/web"):
        document.encode()


def many(count: int, **changed: Any) -> dict[str, Any]:
    return {**BODY, "routes": {f"region-{number:06}/area": {**RECORD, **changed} for number in range(count)}}


def tersely(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def test_a_terse_document_that_would_be_too_large_in_full_is_refused_at_once():
    """Read and written again with its indents it would be beyond the limit, and nobody could follow it any more."""
    found = tersely(many(20_000))
    assert len(found) < MAX_DOCUMENT_BYTES
    with pytest.raises(ValueError, match="written in full"):
        RouteDocument.decode(found)


@pytest.mark.parametrize("note", ["", "x", "2026-11-24T10:00:00Z", "é" * MAX_NOTE, "\x1b" * MAX_NOTE])
def test_at_the_limit_every_fence_and_every_release_can_be_written_and_read(note, monkeypatch):
    monkeypatch.setattr(routes, "MAX_DOCUMENT_BYTES", limit := 100_000)

    def fits(count: int) -> bool:
        try:
            RouteDocument.decode(tersely(many(count, updated=note, run=note, epoch=1)))
        except ValueError:
            return False
        return True

    low, high = 1, 1_000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    document = RouteDocument.decode(tersely(many(low, updated=note, run=note, epoch=1)))
    key = "region-000000/area"
    all_of_them = {
        name: replace(one, mode="read-write", epoch=MAX_EPOCH, updated="2026-11-24T10:00:00Z", run="a" * 16)
        for name, one in document.routes.items()
    }
    for routes_now in ({**document.routes, key: all_of_them[key]}, all_of_them):
        now = replace(document, routes=routes_now)
        assert len(now.encode()) <= limit
        assert RouteDocument.decode(now.encode()) == now


def test_the_frame_of_a_record_is_no_larger_than_what_is_counted_for_it():
    record = RouteRecord("", "", "read-write", MAX_EPOCH, "", "", "")
    texts = len('""') * 6
    frame = len(json.dumps({"": routes._fields(record)}, separators=(",", ":"))) - texts
    assert frame <= routes._FRAME_BYTES


def test_an_ordinary_document_is_written_with_indents():
    assert RouteDocument.decode(raw(BODY)).encode().startswith(b'{\n  "version": 1,\n  "ttl_seconds": 30,\n')


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"routes": []}', b"\xff", b'{"routes": {}' + b" " * MAX_DOCUMENT_BYTES + b"}"]
)
def test_of_what_is_no_document_at_all_nothing_can_be_released(body):
    assert Damaged.of(body) is None


@pytest.mark.parametrize("mode", ["open", "READ-WRITE", "read-write ", "readonly"])
def test_a_record_with_a_mode_that_nobody_knows_is_refused(mode: str) -> None:
    with pytest.raises(ValueError, match="unknown mode"):
        RouteDocument.decode(with_record(mode=mode))


VERSION_2 = {**BODY, "version": 2, "register": "3f9c"}


@pytest.mark.parametrize("version", [1, 2])
def test_a_document_keeps_its_version_its_register_and_who_looks_how_often(version: int) -> None:
    body = {**VERSION_2, "version": version, "routes": {"na/web": {**RECORD, "look_seconds": 0.5}}}
    document = RouteDocument.decode(raw(body))
    changed = document.with_record("eu/web", document.routes["na/web"])
    assert (document.version, document.register, document.routes["na/web"].look_seconds) == (version, "3f9c", 0.5)
    assert RouteDocument.decode(changed.encode()) == changed
    assert json.loads(document.encode()) == body


def test_a_document_without_them_is_written_as_ever() -> None:
    assert json.loads(RouteDocument.decode(raw(BODY)).encode()) == BODY


@pytest.mark.parametrize("register", [None, "", "../up", "A", "x" * 65, 7, "a/b", "a\n", "\u0661"])
def test_a_register_that_cannot_be_is_none_and_version_2_needs_one(register: object) -> None:
    body = {**VERSION_2, "register": register}
    with pytest.raises(ValueError, match="names no register"):
        RouteDocument.decode(raw(body))
    assert RouteDocument.decode(raw({**body, "version": 1})).register is None
    with pytest.raises(ValueError, match="register"):
        replace(RouteDocument.decode(raw(VERSION_2)), register=register).encode()


@pytest.mark.parametrize("version", [0, 3, True, "1", None, [2], 1.5])
def test_another_version_is_refused_in_reading_and_writing(version: object) -> None:
    with pytest.raises(ValueError, match="version"):
        RouteDocument.decode(raw({**VERSION_2, "version": version}))
    if not isinstance(version, bool):
        with pytest.raises(ValueError, match="version"):
            replace(RouteDocument.decode(raw(VERSION_2)), version=version).encode()


@pytest.mark.parametrize("look", [0, -1, 301, True, "1", None, [], float("nan")])
def test_a_wish_that_cannot_be_understood_is_none(look: object) -> None:
    assert RouteDocument.decode(with_record(look_seconds=look)).routes["eu/web"].look_seconds is None


def test_looking_more_often_never_makes_a_document_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names a register has room for it in every record."""
    document = RouteDocument.decode(raw(VERSION_2))
    record = document.routes["na/web"]
    for number in range(400):
        document = document.with_record(f"eu/{number:03}", record)
    monkeypatch.setattr(routes, "MAX_DOCUMENT_BYTES", routes._LOOK_BYTES * 401 + sum(_weights(document)))
    document.encode()
    near = replace(document, routes={key: replace(one, look_seconds=123.456) for key, one in document.routes.items()})
    assert RouteDocument.decode(near.encode()) == near
    monkeypatch.setattr(routes, "MAX_DOCUMENT_BYTES", routes._LOOK_BYTES * 401 + sum(_weights(document)) - 1)
    with pytest.raises(ValueError, match="more than"):
        document.encode()


def _weights(document: RouteDocument) -> list[int]:
    return [routes._weight(key, record) for key, record in document.routes.items()]


def test_who_looks_how_often_is_no_authority() -> None:
    record = RouteDocument.decode(with_record()).routes["eu/web"]
    assert record.same_authority(replace(record, look_seconds=1.0))


SERVICES = {"blob": "https://x", "table": "https://x.table", "queue": "https://x.queue"}


def of_services(endpoint: object, version: int = 2) -> bytes:
    more = {"register": "g1"} if version == 2 else {}
    return raw({**BODY, "version": version, **more, "routes": {"eu/web": {**RECORD, "endpoint": endpoint}}})


def test_an_endpoint_of_several_services_is_read_and_given_back() -> None:
    document = RouteDocument.decode(of_services(SERVICES))
    record = document.routes["eu/web"]
    assert (record.endpoint, record.services) == ("https://x", {"table": "https://x.table", "queue": "https://x.queue"})
    written = document.with_record("eu/web", replace(record, mode="read-only", epoch=9))
    assert json.loads(written.encode())["routes"]["eu/web"]["endpoint"] == SERVICES
    assert RouteDocument.decode(written.encode()) == written


def test_one_service_alone_is_written_as_a_text() -> None:
    document = RouteDocument.decode(of_services({"blob": "https://x"}))
    assert json.loads(document.encode())["routes"]["eu/web"]["endpoint"] == "https://x"


def test_addresses_of_several_services_are_not_written_in_version_1() -> None:
    document = replace(RouteDocument.decode(of_services(SERVICES)), version=1)
    with pytest.raises(ValueError, match="which version 1 has not"):
        document.encode()
    with pytest.raises(ValueError, match="has no endpoint"):
        RouteDocument.decode(of_services(SERVICES, version=1))


def test_a_release_in_a_damaged_document_keeps_the_addresses_of_all_services() -> None:
    body = {**json.loads(of_services(SERVICES)), "ttl_seconds": -1}
    damaged = Damaged.of(raw(body))
    assert damaged is not None
    record = damaged.routes["eu/web"]
    again = json.loads(damaged.with_record("eu/web", replace(record, epoch=9)).encode())
    assert again["routes"]["eu/web"]["endpoint"] == SERVICES


def test_another_address_of_any_service_is_another_authority() -> None:
    record = RouteDocument.decode(of_services(SERVICES)).routes["eu/web"]
    assert record.same_authority(replace(record, run="other"))
    assert not record.same_authority(replace(record, services={"table": "https://y.table"}))


def test_room_is_kept_for_the_addresses_of_all_services() -> None:
    document = RouteDocument.decode(of_services({**SERVICES, "table": "https://" + "t" * 5000}))
    assert document.encode()
    with pytest.raises(ValueError, match="could have"):
        document.encode(most_bytes=5000)
