"""A value behaves as a frozen dataclass does, except that only the type checker refuses assignments."""

from __future__ import annotations

import pickle
from dataclasses import asdict, dataclass, field, fields

import pytest

from migrator.model.values import replace, value


@value(frozen=True, slots=True)
class Colour:
    name: str
    secret: str = field(default="", repr=False)
    seen: int = field(default=0, compare=False)


@value(frozen=True, slots=True)
class Deep(Colour):
    depth: int = 1


@value(frozen=True, slots=True)
class Nothing: ...


@value(frozen=True, order=True, slots=True)
class Ranked:
    rank: int
    name: str


@value(frozen=True)
class Own:
    name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and other.name.lower() == self.name.lower()

    def __hash__(self) -> int:
        return hash(self.name.lower())

    def __repr__(self) -> str:
        return "<own>"


@dataclass(frozen=True, slots=True)
class Plain:
    name: str
    secret: str = field(default="", repr=False)
    seen: int = field(default=0, compare=False)


def test_equality_and_hashes_follow_the_compared_fields() -> None:
    assert Colour("red", seen=1) == Colour("red", seen=2)
    assert hash(Colour("red", seen=1)) == hash(Colour("red", seen=2))
    assert Colour("red") != Colour("red", "s")
    assert len({Nothing(), Nothing()}) == 1


def test_other_classes_are_never_equal() -> None:
    assert Colour("red") != Deep("red")
    assert Colour("red") != Plain("red")
    assert Deep("red", depth=2) != Deep("red")


def test_what_is_not_to_be_shown_is_not_shown() -> None:
    assert repr(Colour("red", "s")) == repr(Plain("red", "s")).replace("Plain", "Colour")
    assert "'s'" not in repr(Deep("red", "s"))


def test_order_is_by_fields() -> None:
    assert sorted([Ranked(2, "a"), Ranked(1, "b"), Ranked(1, "a")]) == [Ranked(1, "a"), Ranked(1, "b"), Ranked(2, "a")]
    assert hash(Ranked(1, "a")) == hash(Ranked(1, "a"))


def test_a_class_keeps_what_it_says_itself() -> None:
    assert Own("A") == Own("a")
    assert {Own("A"), Own("a")} == {Own("A")}
    assert repr(Own("A")) == "<own>"


def test_it_is_a_dataclass_still() -> None:
    assert [one.name for one in fields(Deep)] == ["name", "secret", "seen", "depth"]
    assert asdict(Nothing()) == {}
    assert pickle.loads(pickle.dumps(Ranked(1, "a"))) == Ranked(1, "a")


def test_a_value_with_other_fields_is_another_value() -> None:
    red = Colour("red", "s", 3)
    blue = replace(red, name="blue")
    assert (blue.name, blue.secret, blue.seen) == ("blue", "s", 3)
    assert red.name == "red"
    assert replace(Own("a"), name="b") == Own("b")
    assert replace(Nothing()) == Nothing()
    with pytest.raises(KeyError):
        replace(red, hue=1)  # type: ignore[call-arg]


def test_slots_take_no_other_attribute() -> None:
    with pytest.raises(AttributeError):
        Colour("red").other = 1  # type: ignore[attr-defined]
