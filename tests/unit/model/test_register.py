"""The entry of a follower: read strictly, since a promise that was misread ends a drain too early."""

from __future__ import annotations

import json

import pytest

from migrator.model.register import (
    LEFT,
    MAX_ENTRY_BYTES,
    SEALED_BYTES,
    RollEntry,
    is_id,
    new_id,
    register_container,
    sealed,
    unsealed,
)

GOOD = {"version": 2, "label": "images", "lifetime_seconds": 60, "clear": {"europe/images": 7, "europe/other": LEFT}}


def test_an_entry_is_read_as_it_was_written() -> None:
    entry = RollEntry("images", 12.5, {"europe/é": 0, "a/b": LEFT})
    assert RollEntry.decode(entry.encode()) == entry
    assert entry.encode().isascii()
    assert "\n" not in entry.encode()


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"version": "2"},
        {"lifetime_seconds": 0},
        {"lifetime_seconds": -1},
        {"lifetime_seconds": 3601},
        {"lifetime_seconds": True},
        {"lifetime_seconds": float("nan")},
        {"lifetime_seconds": None},
        {"clear": None},
        {"clear": []},
        {"clear": {"a/b": -1}},
        {"clear": {"a/b": 7.0}},
        {"clear": {"a/b": True}},
        {"clear": {"a/b": "7"}},
        {"clear": {"a/b": LEFT + 1}},
        {"label": 7},
    ],
)
def test_what_is_not_this_format_is_refused(change: dict[str, object]) -> None:
    RollEntry.decode(json.dumps(GOOD))
    with pytest.raises(ValueError, match="the entry"):
        RollEntry.decode(json.dumps(GOOD | change))


@pytest.mark.parametrize(
    "text", ["", "x", "[]", "null", '{"version":2,"lifetime_seconds":60,"clear":{"a/b":7,"a/b":9}}', "[" * 4000]
)
def test_what_is_no_object_of_names_that_stand_once_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the entry"):
        RollEntry.decode(text)


def test_fields_that_nobody_knows_are_ignored() -> None:
    assert RollEntry.decode(json.dumps(GOOD | {"more": [1]})) == RollEntry.decode(json.dumps(GOOD))


def test_an_entry_that_would_be_too_long_is_not_written() -> None:
    """Its follower makes several."""
    with pytest.raises(ValueError, match="more than"):
        RollEntry("images", 60, {f"europe/area-{number}": 7 for number in range(300)}).encode()
    with pytest.raises(ValueError, match="longer"):
        RollEntry.decode(json.dumps(GOOD) + " " * MAX_ENTRY_BYTES)


def test_a_promise_that_nobody_could_read_is_not_written() -> None:
    with pytest.raises(ValueError, match="promises"):
        RollEntry("images", 60, {"a/b": LEFT + 1}).encode()


def test_a_seal_holds_what_was_written_last_and_nothing_else() -> None:
    long, short = (
        sealed(RollEntry("x" * 64, 60, GOOD["clear"]).encode()),
        sealed(RollEntry("x", 60, {"a/b": 1}).encode()),
    )  # type: ignore[arg-type]
    assert RollEntry.decode(unsealed(short + long[len(short) :])).label == "x"
    for cut in range(len(long)):
        with pytest.raises(ValueError, match="whole"):
            unsealed(long[:cut])
        if short[:cut] + long[cut:] != long and cut < len(short):
            with pytest.raises(ValueError, match="whole"):
                unsealed(short[:cut] + long[cut:])
    assert len(sealed("x" * MAX_ENTRY_BYTES)) == SEALED_BYTES


def test_ids_are_thirty_two_of_the_lower_hexadecimal_digits() -> None:
    assert is_id(new_id())
    assert not any(map(is_id, ("", ".head", "A" * 32, "0" * 31, "0" * 32 + "\n")))


@pytest.mark.parametrize("container", ["$web", "$root", "", "-", "x" * 55, "Routing", "a--b"])
def test_a_container_that_cannot_have_another_beside_it_has_no_register(container: str) -> None:
    with pytest.raises(ValueError, match="no register"):
        register_container(container)
