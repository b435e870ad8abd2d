"""What a move or a run waits for, and that it does not any more."""

from __future__ import annotations

from typing import Annotated

from migrator.model.happenings.happening import Journaled, Shown
from migrator.model.values import value


@value(frozen=True, slots=True)
class TroubleMet(Journaled, Shown):
    """The move waits out what passes by itself. Said once for each trouble, and not in the journal each time it comes back."""

    kind = "waiting"
    about: Annotated[str, "what is waited for: an account, the route document, the state store"]
    clause: Annotated[str, "what is wrong with it and since when"]


@value(frozen=True, slots=True)
class TroubleOver(Shown):
    """What was waited for is there again."""

    kind = "trouble-over"
    shown_as = "waiting"
    about: Annotated[str, "what was waited for"]
    is_there: Annotated[bool, "were they objects, which are there now? Else it answers again"]


@value(frozen=True, slots=True)
class PauseObeyed(Shown):
    """The move sends nothing: an operator paused it."""

    kind = "pause-obeyed"
    shown_as = "waiting"


@value(frozen=True, slots=True)
class CutOverKept(Shown):
    """The move is ready and cannot cut over now."""

    kind = "cut-over-kept"
    shown_as = "waiting"
    why: Annotated[str, "what keeps it, as a clause"]


@value(frozen=True, slots=True)
class ApprovalWanted(Journaled):
    """The wave's first move is ready, and its cut-over waits for an approval. Said once for each text of the wave."""

    kind = "approval-wanted"
    wave: Annotated[str, "its name"]


@value(frozen=True, slots=True)
class LeasesMet(Shown):
    """Objects are leased, so that nothing can replace them; one more pass is made soon."""

    kind = "leases-met"
    shown_as = "waiting"
    leased: Annotated[int, "objects that are leased"]
    named: Annotated[str, "the first names"]
    pause_seconds: Annotated[float, "s until the next pass"]


@value(frozen=True, slots=True)
class WaveKept(Shown):
    """A wave cannot begin yet."""

    kind = "wave-kept"
    shown_as = "waiting"
    wave: Annotated[str, "its name"]
    waits: Annotated[tuple[str, ...], "what it waits for, each as a clause"]


@value(frozen=True, slots=True)
class NothingBegins(Shown):
    """Something stopped the rollout; moves that are live are watched on."""

    kind = "nothing-begins"
    shown_as = "waiting"
    moves: Annotated[tuple[str, ...], "those that are live, as `region/area`"]


@value(frozen=True, slots=True)
class LockWatched(Shown):
    """Another run holds the lock, and is watched for a sign of life."""

    kind = "lock-watched"
    shown_as = "waiting"
    holder: Annotated[str, "who and where"]
    seconds: Annotated[float, "s, for how long"]


@value(frozen=True, slots=True)
class RunAsked(Shown):
    """A run is at work; it was asked to go back, and this command waits until it has."""

    kind = "run-asked"
    shown_as = "waiting"
    run: Annotated[str, "which one, as a clause"]
