"""Commands in our texts as they can be pasted: ``PLAN`` is the plan as this command line named it, and its store is said.

Decides how a command in backquotes is spelled. Whoever writes a text writes "`migrate retry PLAN --reason TEXT`"; every way out
of the process (``views.screen``, ``views.errors``, ``views.documents``, the displays) spells it. Rules: words are quoted for a
shell; a store that was named on the command line is named again, without a password; ``TEXT`` and ``N`` are left for the person.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from migrator.model.addresses import shown

_WITH_PLAN: Final = (
    *(
        "apply",
        "approve",
        "doctor",
        "history",
        "hold",
        "pause",
        "plan",
        "prove",
        "release",
        "report",
        "retire",
        "retry",
        "rollback",
        "routes",
    ),
    *("sample", "status", "throttle", "traffic", "unpause", "validate", "verify"),
)
_COMMAND: Final = re.compile(r"`migrate ([^`]+)`")
_BARE: Final = re.compile(
    rf"(?<![`\w./-])migrate ((?:{'|'.join([*_WITH_PLAN, 'unlock'])})(?![\w-])(?: PLAN\b)?"
    r"(?: --[a-z-]+(?: (?:TEXT|N|WAVE|source|target|\d+)(?![\w-]))?| [0-9a-f]{6,}| [0-9]+)*)"
)
"""The same without backquotes, as errors and reasons of moves have it: a verb and its options."""
_WITHOUT_PLAN: Final = frozenset({"unlock"})
"""Commands that take no plan document, so that its ``state`` says them nothing."""


@dataclass(slots=True)
class _Call:
    """What this command line said. ``planned``: the store that the plan document names, if that one is used."""

    plan: str | None = None
    state: str | None = None
    planned: str | None = None


_call = _Call()


def begin(*, state: str | None = None) -> None:
    """A command line was read: forget the one before."""
    _call.plan, _call.state, _call.planned = None, state, None


def name_plan(plan: str) -> None:
    """The plan of this command."""
    _call.plan = plan


def name_store(url: str) -> None:
    """The store that the plan document names, and that is used."""
    _call.planned = url


def as_typed(words: Sequence[str]) -> str:
    """The command of this process for the journal: from its verb on, without the store and without anything that may hold a
    credential."""
    kept: list[str] = []
    skip = False
    for word in words:
        if skip or word == "--state":
            skip = not skip
        elif not word.startswith("--state="):
            kept.append("..." if "://" in word else shlex.quote(word))
    return " ".join(kept)


def spelled(text: str) -> str:
    """``text`` with each of our commands in backquotes, as it can be pasted."""
    if "migrate " not in text:
        return text
    text = _COMMAND.sub(lambda found: f"`migrate {_spelled(found[1])}`", text)
    if _call.plan is None and _call.state is None and _call.planned is None:
        return text
    return _BARE.sub(lambda found: f"`migrate {_spelled(found[1])}`", text)


def spelled_all(value: Any) -> Any:
    """The same for every text in a document."""
    if isinstance(value, str):
        return spelled(value)
    if isinstance(value, Mapping):
        return {key: spelled_all(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [spelled_all(one) for one in value]
    return value


def _spelled(words: str) -> str:
    verb, _, rest = words.partition(" ")
    if _call.plan is not None and verb in _WITH_PLAN and not _names_plan(rest):
        words = f"{verb} PLAN {rest}".rstrip()
    if verb == "retry" and "--reason" not in words and "--help" not in words:
        words += " --reason TEXT"
    state = _call.state or (_call.planned if verb in _WITHOUT_PLAN else None)
    if _call.plan is not None:
        words = re.sub(r"\bPLAN\b", lambda _: shlex.quote(_call.plan or ""), words)
    if state is None or words.startswith("--state"):
        return words
    return f"--state {shlex.quote(shown(state))} {words}"


def _names_plan(words: str) -> bool:
    first = words.partition(" ")[0]
    return bool(first) and not first.startswith("-") and first not in ("TEXT", "N")
