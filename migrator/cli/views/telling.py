"""What a running apply says to people, in one plain line an event.

The engine's events are exact and made for the journal and for programs (``--json``). Here they become sentences, and what
another event says better is left out. Rule: an event this table does not know is shown as the engine worded it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from migrator.cli.views.figures import many
from migrator.cli.views.progress import Note

_HIDDEN: Final = frozenset({"admitted", "fenced", "switched"})
"""Events of the law that the line of kind ``fence`` beside them tells better."""
_SAID: Final[Mapping[str, str]] = {
    "begun": "begins: checking both accounts",
    "found-no-account": "the target account is not there yet: creating it",
    "provisioned": "the target account is there: checking it",
    "checked": "both accounts answer and the route is ours: copying",
    "copied": "first copy complete: catching up with what was written meanwhile",
    "caught-up": "caught up: ready to cut over",
    "fell-behind": "fell behind: catching up again",
    "drained": "drained, no write can be under way any more: comparing both sides",
    "proved": "both sides are proved equal: switching",
    "released": "catching up again",
    "soaked": "soaked: healthy for long enough, done",
    "lost-sight": "soaking again: its route was, or may have been, elsewhere",
    "let-go": "its data at the source is being deleted: there is no way back from here",
    "retired": "retired: its data at the source is deleted",
    "retried": "goes on, as asked",
    "adopted-source": "the route is taken for the truth, it names the source: catching up",
    "adopted-target": "the route is taken for the truth, it names the target: soaking from the beginning",
}
_PARTS: Final = (
    ("copied", "copied"),
    ("marked", "retagged"),
    ("deleted", "deleted"),
    ("superseded", "changed meanwhile and left for the next pass"),
)


def told(note: Note) -> str | None:
    """The line for ``note``, without the move; None where nothing is to be shown."""
    if note.kind == "pass" and "scanned" in note.facts:
        return _pass(note.facts)
    if note.kind == "state-changed":
        return _state(note)
    return note.bare_text


def _state(note: Note) -> str | None:
    event, state, reason = note.facts.get("event"), note.facts.get("state"), note.facts.get("reason", "")
    if event in _HIDDEN:
        return None
    if event == "halted":
        return f"HALTED, needs a person: {reason}"
    if event == "rolled-back":
        back = (
            "nothing was switched, so it is back" if state == "reversed" else "going back, data written since included"
        )
        return f"{back} ({reason})" if reason else back
    return _SAID.get(str(event), note.bare_text)


def _pass(facts: Mapping[str, Any]) -> str:
    done = [f"{facts[name]:,} {word}" for name, word in _PARTS if facts.get(name)]
    return f"{many(facts.get('scanned') or 0, 'object')} compared: {', '.join(done) or 'nothing to do'}"
