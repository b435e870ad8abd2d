"""What `migrate prove` found out about two accounts, and its file: which promises of the service they keep.

Values, and their form as JSON. Rule: no secret, no name of a customer's object; the file may be sent to anybody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from migrator.model.values import value

FORM = 1
Word = Literal["kept", "broken", "unasked"]


@value(frozen=True, slots=True)
class PromiseKept:
    """One promise at one account (``a``) or from one to another (``a -> b``). ``is_relied_on``: without it data could be lost, so
    no data may go there. ``found``: what was found instead, or why it could not be asked; ``seconds``: until it was answered."""

    promise: str
    place: str
    word: Word
    is_relied_on: bool
    found: str = ""
    seconds: float = 0.0


@value(frozen=True, slots=True)
class ProvedAccount:
    name: str
    kind: str
    endpoint: str


@value(frozen=True, slots=True)
class ProvedPair:
    """One run of `migrate prove`. ``at``: when it ended, as text; ``throttled``: the code of every refusal
    that passed by itself - too many requests, a service that failed - and how often it was met."""

    at: str
    program: str
    first: ProvedAccount
    second: ProvedAccount
    promises: tuple[PromiseKept, ...]
    throttled: Mapping[str, int]

    @property
    def endpoints(self) -> frozenset[str]:
        return frozenset({self.first.endpoint, self.second.endpoint})

    @property
    def broken(self) -> tuple[PromiseKept, ...]:
        return tuple(one for one in self.promises if one.word == "broken")


def document(pairs: Sequence[ProvedPair]) -> str:
    """The file's text."""
    said = {"form": FORM, "pairs": [_pair(one) for one in pairs]}
    return json.dumps(said, indent=1, ensure_ascii=False) + "\n"


def read(text: str) -> tuple[ProvedPair, ...]:
    """The other way round. Raises ValueError for what is no such file."""
    try:
        said = json.loads(text)
        if said["form"] != FORM:
            raise ValueError(f"its form is {said['form']}, expected {FORM}")
        return tuple(_read_pair(one) for one in said["pairs"])
    except (KeyError, TypeError, AttributeError) as wrong:
        raise ValueError("it is not a result of `migrate prove`") from wrong


def with_pair(pairs: Sequence[ProvedPair], new: ProvedPair) -> tuple[ProvedPair, ...]:
    """``new`` in the place of what was known of the same two accounts."""
    return (*(one for one in pairs if one.endpoints != new.endpoints), new)


def _pair(pair: ProvedPair) -> dict[str, Any]:
    promises = [
        {
            "promise": one.promise,
            "place": one.place,
            "word": one.word,
            "relied_on": one.is_relied_on,
            "found": one.found,
            "seconds": round(one.seconds, 3),
        }
        for one in pair.promises
    ]
    accounts = [{"name": one.name, "kind": one.kind, "endpoint": one.endpoint} for one in (pair.first, pair.second)]
    said: dict[str, Any] = {"at": pair.at, "program": pair.program, "accounts": accounts}
    return said | {"throttled": dict(pair.throttled), "promises": promises}


def _read_pair(said: Mapping[str, Any]) -> ProvedPair:
    first, second = (
        ProvedAccount(str(one["name"]), str(one["kind"]), str(one["endpoint"])) for one in said["accounts"]
    )
    promises = tuple(
        PromiseKept(
            str(one["promise"]),
            str(one["place"]),
            _word(one["word"]),
            bool(one["relied_on"]),
            str(one["found"]),
            float(one["seconds"]),
        )
        for one in said["promises"]
    )
    throttled = {str(code): int(count) for code, count in said["throttled"].items()}
    return ProvedPair(str(said["at"]), str(said["program"]), first, second, promises, throttled)


def _word(text: object) -> Word:
    if text in ("kept", "broken", "unasked"):
        return text
    raise ValueError(f"expected kept, broken or unasked, found {text!r}")


__all__ = ["PromiseKept", "ProvedAccount", "ProvedPair", "document", "read", "with_pair"]
