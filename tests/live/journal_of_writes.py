"""What a writer of the live test writes down, and what its file says about each object afterwards.

One JSON line before a write is sent and one when it is acknowledged, in the file before the program goes on. Replaying gives
for each name the one state it must be in - or two after a write whose outcome nobody knows; such an object is left alone from
then on. The SDK and nothing of ours decides what an object is: see ``seen``.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

State = tuple[str, str, str, str | None] | None
"""Digest of the bytes, tags, type, explicit tier. None: not there."""


def state_of(body: bytes, tags: dict[str, str], kind: str, tier: str | None) -> State:
    return hashlib.sha256(body).hexdigest(), json.dumps(sorted(tags.items())), kind, tier


@dataclass
class Held:
    """An object as its only writer left it."""

    body: bytes
    tags: dict[str, str]
    kind: str = "BlockBlob"
    tier: str | None = None

    @property
    def state(self) -> State:
        return state_of(self.body, self.tags, self.kind, self.tier)


@dataclass
class WriteLog:
    """Open for one process. ``acknowledged`` counts what is in the file already."""

    file: TextIO
    acknowledged: int = 0
    _number: int = 0

    def line(self, kind: str, **facts: Any) -> None:
        self.file.write(json.dumps({"kind": kind, "t": round(time.time(), 3), **facts}) + "\n")
        self.file.flush()

    def sent(self, op: str, name: str, after: State) -> int:
        self._number += 1
        self.line("sent", number=self._number, op=op, name=name, after=after)
        return self._number

    def done(self, number: int, *, epoch: int, account: str) -> None:
        self.line("done", number=number, epoch=epoch, account=account)
        self.acknowledged += 1


@dataclass
class Replayed:
    """``acknowledged``: (time, operation, name) of each. ``pauses``: (begin, seconds). ``unusable``: (time, why) of each
    refusal to follow the route."""

    may_be: dict[str, set[State]] = field(default_factory=dict)
    acknowledged: list[tuple[float, str, str]] = field(default_factory=list)
    accounts: dict[int, set[str]] = field(default_factory=dict)
    pauses: list[tuple[float, float]] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    unusable: list[tuple[float, str]] = field(default_factory=list)
    unknown: int = 0


def replay(paths: Iterable[Path]) -> Replayed:
    found = Replayed()
    for path in paths:
        open_writes: dict[int, dict[str, Any]] = {}
        for text in path.read_text().splitlines():
            line = json.loads(text)
            match line["kind"]:
                case "begin":
                    _settle(found, open_writes)
                case "sent":
                    open_writes[line["number"]] = line
                case "done":
                    sent = open_writes.pop(line["number"])
                    found.may_be[sent["name"]] = {_state(sent)}
                    found.acknowledged.append((line["t"], sent["op"], sent["name"]))
                    found.accounts.setdefault(line["epoch"], set()).add(line["account"])
                case "refused":
                    open_writes.pop(line["number"])
                case "pause":
                    found.pauses.append((line["t"] - line["seconds"], line["seconds"]))
                case "unusable":
                    found.unusable.append((line["t"], line["why"]))
                case "surprise":
                    found.surprises.append(f"{line['name']}: {line['why']}")
        _settle(found, open_writes)
    return found


def _state(sent: dict[str, Any]) -> State:
    after = sent["after"]
    return None if after is None else (after[0], after[1], after[2], after[3])


def _settle(found: Replayed, open_writes: dict[int, dict[str, Any]]) -> None:
    for sent in open_writes.values():
        found.may_be.setdefault(sent["name"], {None}).add(_state(sent))
        found.unknown += 1
    open_writes.clear()
