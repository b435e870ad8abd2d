"""What happens to a whole rollout: its plan, its runs, its waves, its accounts and the route document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from migrator.model.happenings.happening import Journaled, Shown
from migrator.model.values import value


@value(frozen=True, slots=True)
class PlanWritten(Journaled):
    """The state store has a plan, its first one or one that means the same."""

    kind = "plan"
    plan: Annotated[str, "its name"]
    how: Annotated[str, "`first apply`, `written down` without an apply, or `edited`"]
    edits: Annotated[tuple[tuple[str, str, str, str], ...], "none"]


@value(frozen=True, slots=True)
class PlanEdited(Journaled, Shown):
    """The plan means something else than the state store's."""

    kind = "plan-edited"
    shown_as = "plan"
    journaled_as = "plan"
    plan: Annotated[str, "its name"]
    edits: Annotated[tuple[tuple[str, str, str, str], ...], "each as `[where, what, old, new]`"]


@value(frozen=True, slots=True)
class RunBegan(Journaled):
    """A command takes the lock and works."""

    kind = "run-began"
    owner: Annotated[str, "the login"]
    host: Annotated[str, "the machine"]
    command: Annotated[str, "the command line, without secrets"]


@value(frozen=True, slots=True)
class RunEnded(Journaled):
    """It gives the lock back."""

    kind = "run-ended"
    how: Annotated[str, "the exit code, `interrupted`, or the error"]
    command: Annotated[str, "the command line, without secrets"]


@value(frozen=True, slots=True)
class LockTaken(Journaled, Shown):
    """A run before this one did not end in order: what follows is the recovery from it."""

    kind = "takeover"
    shown_as = "recovery"
    holder: Annotated[str, "who and where"]
    silent_seconds: Annotated[float, "s since its last sign of life"]
    no_cut_over: Annotated[str, "for how long there is none, as a clause; empty if at once"] = ""


@value(frozen=True, slots=True)
class RequestsUncounted(Shown):
    """The last requests of the run could not be written down, so gates do not know of them."""

    kind = "requests-uncounted"
    shown_as = "warning"
    why: Annotated[str, "what failed, as a clause"]


@value(frozen=True, slots=True)
class RunConcluded(Shown):
    """How the command ends; its last event."""

    kind = "outcome"
    code: Annotated[str, "`done`, `waiting`, `halted`, `failed`, `error` or `interrupted`"]
    reasons: Annotated[tuple[str, ...], "why, each as a sentence"]


@value(frozen=True, slots=True)
class EventsLost(Shown):
    """Whoever watches did not read fast enough; the journal has everything."""

    kind = "events-lost"
    shown_as = "warning"
    lost: Annotated[int, "events that were not shown"]


@value(frozen=True, slots=True)
class NoticesStuck(Shown):
    """A channel of `notify` does not take its notices; it is asked again, and gets them all."""

    kind = "notices-stuck"
    shown_as = "warning"
    channel: Annotated[str, "its name"]
    why: Annotated[str, "what is wrong, as a sentence"]


@value(frozen=True, slots=True)
class WaveBegun(Journaled, Shown):
    """A wave begins, or goes on in this run."""

    kind = "wave-begun"
    shown_as = "wave-changed"
    journaled_as = "wave-changed"
    wave: Annotated[str, "its name"]
    moves: Annotated[int, "how many it has"]
    state: Annotated[str, "the state it was in"]
    forecast: Annotated[Mapping[str, Any], "what was forecast when it began first"]
    is_first: Annotated[bool, "does it begin here? Else it goes on"] = False


@value(frozen=True, slots=True)
class WaveChanged(Journaled, Shown):
    """A wave is in another state; one that ended has its outcome beside its forecast."""

    kind = "wave-changed"
    wave: Annotated[str, "its name"]
    state: Annotated[str, "the state it is in"]
    outcome: Annotated[str, "the outcome in words"] = ""
    copy_seconds: Annotated[Mapping[str, Any] | None, "s, `{actual, forecast}` of copying"] = None
    fence_seconds: Annotated[Mapping[str, Any] | None, "s, `{actual, forecast}` of the writers' longest pause"] = None
    requests: Annotated[Mapping[str, Any] | None, "`{actual, forecast}`"] = None


@value(frozen=True, slots=True)
class DeadlineMissed(Journaled, Shown):
    """A wave is not complete at its promised date; it stops nothing."""

    kind = "late"
    shown_as = "warning"
    wave: Annotated[str, "its name"]
    complete_by: Annotated[str, "the date, RFC 3339"]
    text: Annotated[str, "how late it is, as a sentence"]


@value(frozen=True, slots=True)
class RoutesPublished(Journaled, Shown):
    """Moves have their first route records, each at its source."""

    kind = "routes-published"
    shown_as = "routes"
    moves: Annotated[tuple[str, ...], "as `region/area`"]


@value(frozen=True, slots=True)
class DurationsPublished(Journaled, Shown):
    """The route document promised clients shorter durations than the plan; no fence begins while they may go by those."""

    kind = "durations"
    ttl_seconds: Annotated[float, "s, as it promised"]
    max_write_seconds: Annotated[float, "s, as it promised"]
    wait_seconds: Annotated[float, "s without a fence"]


@value(frozen=True, slots=True)
class DurationsTooLong(Shown):
    """The route document promises clients longer durations than the plan; no fence begins."""

    kind = "durations-too-long"
    shown_as = "durations"
    why: Annotated[str, "both, and what to do, as a sentence"]


@value(frozen=True, slots=True)
class SlowedDown(Journaled, Shown):
    """An account throttled its answers; fewer requests are sent to it."""

    kind = "throttled"
    account: Annotated[str, "its name"]
    pace_per_second: Annotated[float, "requests a second from now on"]


@value(frozen=True, slots=True)
class FullPaceAgain(Journaled, Shown):
    """An account throttled nothing for some time."""

    kind = "full-pace-again"
    shown_as = "throttled"
    journaled_as = "throttled"
    account: Annotated[str, "its name"]
