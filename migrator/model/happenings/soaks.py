"""What happens while customers are at the new account and gates judge it."""

from __future__ import annotations

from typing import Annotated

from migrator.model.happenings.happening import Journaled, Shown
from migrator.model.values import value


@value(frozen=True, slots=True)
class AdoptedCompared(Journaled, Shown):
    """The route was adopted: what the old side has was compared once with the new one."""

    kind = "adopted"
    source: Annotated[str, "the old side"]
    adopted: Annotated[int, "objects that are equal and are known from now on"]
    listed: Annotated[int, "objects that only the old side has"]
    named: Annotated[tuple[str, ...], "the first names of those"]


@value(frozen=True, slots=True)
class SourceKeptWarm(Shown):
    """A pass carried back what customers changed at the target, so that the source is warm for a way back."""

    kind = "kept-warm"
    shown_as = "pass"
    scanned: Annotated[int, "objects compared"]
    copied: Annotated[int, "objects copied back"]
    marked: Annotated[int, "objects whose tags or tier were set"]
    deleted: Annotated[int, "objects deleted at the source"]
    left: Annotated[int, "objects that it could not carry back, or that changed meanwhile"]
    seconds: Annotated[float, "s, how long it took"]


@value(frozen=True, slots=True)
class WayBackJudged(Journaled, Shown):
    """The way back is ready and was not, or is not ready any more."""

    kind = "way-back"
    ready: Annotated[bool, "is it ready?"]
    state: Annotated[str, "how far behind the source is, or why it is not ready, as a clause"]


@value(frozen=True, slots=True)
class GateJudged(Journaled, Shown):
    """A gate has another verdict than at its sample before."""

    kind = "verdict"
    shown_as = "sample"
    gate: Annotated[str, "its name"]
    verdict: Annotated[str, "`passed`, `failed`, `insufficient` or `errored`"]
    value: Annotated[float | None, "what was measured, in the unit of its metric; null if nothing was"]
    reason: Annotated[str, "why, as a clause"]


@value(frozen=True, slots=True)
class GateFailed(Journaled, Shown):
    """A gate failed for as long as it may: the wave's `on_failure` decides what follows."""

    kind = "gate-failed"
    gate: Annotated[str, "its name"]
    reason: Annotated[str, "why, as a clause"]


@value(frozen=True, slots=True)
class SoakRestarted(Journaled, Shown):
    """Samples that are not healthy ended a soak's healthy time; it is counted anew."""

    kind = "soak-restarted"
    shown_as = "sample"
    lost_seconds: Annotated[float, "s of healthy time that are lost"]
    gates: Annotated[tuple[str, ...], "names of the gates that failed"] = ()


@value(frozen=True, slots=True)
class SightLost(Journaled, Shown):
    """The route has an epoch that this state store did not give it: the move may have been elsewhere, so it soaks anew."""

    kind = "sight-lost"
    shown_as = "warning"
    journaled_as = "soak-restarted"
    epoch: Annotated[int, "of the route record"]
    known: Annotated[int, "the epoch that was known"]
    lost_seconds: Annotated[float, "s of healthy time that are lost"]


@value(frozen=True, slots=True)
class SoakLoosened(Journaled, Shown):
    """An edit of the plan loosens a soak under way; it starts again."""

    kind = "soak-loosened-anew"
    shown_as = "warning"
    journaled_as = "soak-restarted"
    lost_seconds: Annotated[float, "s of healthy time that are lost"]
    edits: Annotated[tuple[str, ...], "what was loosened, old and new"]


@value(frozen=True, slots=True)
class SoakKept(Journaled, Shown):
    """An edit of the plan loosens a soak under way, and an operator says why it keeps its healthy time."""

    kind = "soak-loosened"
    shown_as = "warning"
    healthy_seconds: Annotated[float, "s of healthy time that are kept"]
    edits: Annotated[tuple[str, ...], "what was loosened, old and new"]
    reason: Annotated[str, "why it keeps them"]
