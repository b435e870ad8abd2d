"""What happens around a fence, while the writers of a move wait: from its forecast to the switch or the release."""

from __future__ import annotations

from typing import Annotated

from migrator.model.happenings.happening import Journaled, Shown
from migrator.model.values import value


@value(frozen=True, slots=True)
class FenceForecast(Journaled, Shown):
    """How long the writers will wait, said before they do."""

    kind = "fence-forecast"
    shown_as = "fence"
    forecast_seconds: Annotated[float, "s, the whole pause"]
    drain_seconds: Annotated[float, "s, until no write can be under way any more; part of the pause"]
    is_enforced: Annotated[bool, "do access policies refuse the writes of the drain?"]
    streamed_bytes: Annotated[int, "bytes that must go through this machine inside the fence"]
    streaming_seconds: Annotated[float, "s, how long that takes; 0 if it is not worth a word"] = 0.0


@value(frozen=True, slots=True)
class FenceBegun(Shown):
    """The fence is sent: writers wait from now on."""

    kind = "fence-begun"
    shown_as = "fence"
    epoch: Annotated[int, "of the fence in the route record"]


@value(frozen=True, slots=True)
class Drained(Journaled, Shown):
    """No write can be under way any more: all followers have said so, or it took as long as one may take."""

    kind = "drained"
    shown_as = "fence"
    seconds: Annotated[float, "s, since the fence was there"]
    by_roll_call: Annotated[bool, "did it end because all followers had answered?"]
    followers: Annotated[int, "how many have entered the register, and may write"]
    answered: Annotated[int, "how many of them have nothing under way"]
    awaited: Annotated[tuple[str, ...], "who has not answered, as followers call themselves; the first few"] = ()
    why_not: Annotated[str, "why no roll could end it, as a clause"] = ""


@value(frozen=True, slots=True)
class FollowersAwaited(Shown):
    """A drain goes on because followers have not answered its fence."""

    kind = "followers-awaited"
    shown_as = "fence"
    followers: Annotated[int, "how many have entered the register, and may write"]
    missing: Annotated[int, "how many of them have not answered"]
    awaited: Annotated[tuple[str, ...], "who, as followers call themselves; the first few"]
    left_seconds: Annotated[float, "s, until the drain ends without them"]


@value(frozen=True, slots=True)
class PoliciesRevoked(Journaled):
    """Access policies are about to be changed, so that they let nobody write."""

    kind = "policies-revoked"
    policies: Annotated[tuple[str, ...], "each as `account/container: id`"]


@value(frozen=True, slots=True)
class PoliciesRefuse(Shown):
    """The service refuses writes under the policies that were changed; without any the route alone fences."""

    kind = "policies-refuse"
    shown_as = "fence"
    account: Annotated[str, "the account that customers write to"]
    policies: Annotated[int, "how many were changed"]


@value(frozen=True, slots=True)
class PoliciesRestored(Journaled):
    """Access policies are as they were before the fence."""

    kind = "policies-restored"
    policies: Annotated[tuple[str, ...], "each as `account/container: id`"]


@value(frozen=True, slots=True)
class PolicyLeft(Shown):
    """A policy that a fence had changed was changed by somebody else since, and is left so."""

    kind = "policy-left"
    shown_as = "warning"
    why: Annotated[str, "which one, and what became of it, as a sentence"]


@value(frozen=True, slots=True)
class PoliciesStayRevoked(Shown):
    """Policies could not be put back now; they stay on record, and whoever looks next tries again."""

    kind = "policies-stay-revoked"
    shown_as = "warning"
    account: Annotated[str, "the account that customers write to"]
    container: Annotated[str, "the container whose policies they are"]
    why: Annotated[str, "what failed, as a clause"]


@value(frozen=True, slots=True)
class BarrierPassed(Journaled):
    """Both sides were proved equal inside the fence."""

    kind = "barrier"
    scanned: Annotated[int, "objects proved equal"]
    held: Annotated[int, "objects that differ, and were compared with what is listed of them"]
    content_share: Annotated[
        float, "share of the objects proved by their contents, 0 to 1; the others by their attributes"
    ]


@value(frozen=True, slots=True)
class BarrierSkipped(Journaled):
    """A way back that leaves the target behind: nothing was compared."""

    kind = "barrier-skipped"
    journaled_as = "barrier"
    abandoned: Annotated[bool, "true"]
    why: Annotated[str, "what is left behind, as a clause"]


@value(frozen=True, slots=True)
class Switched(Journaled, Shown):
    """The route names the other account: customers are there, and the writers go on."""

    kind = "switched"
    shown_as = "fence"
    account: Annotated[str, "the account that the route names"]
    epoch: Annotated[int, "of the route record"]
    fence_seconds: Annotated[float | None, "s, how long the writers waited; null if nobody knows"]
    found: Annotated[str, "why the run looked, if it found the switch made instead of making it"] = ""
    is_back: Annotated[bool, "is it the account that customers came from?"] = False


@value(frozen=True, slots=True)
class FenceReleased(Journaled, Shown):
    """The fence was taken back: the writers go on where they were."""

    kind = "fence-released"
    shown_as = "fence"
    account: Annotated[str, "the account that the route names"]
    epoch: Annotated[int, "of the route record"]
    why: Annotated[str, "why, as a clause"]
    fence_seconds: Annotated[float | None, "s, how long the writers waited; null if nobody knows"]


@value(frozen=True, slots=True)
class OldFenceReleased(Journaled, Shown):
    """Somebody had put back a fence of this run by hand that was over."""

    kind = "old-fence-released"
    shown_as = "warning"
    journaled_as = "fence-released"
    account: Annotated[str, "the account that the route names"]
    epoch: Annotated[int, "of the route record now"]
    fence_epoch: Annotated[int, "of the fence that was put back"]


@value(frozen=True, slots=True)
class UnknownFenceReleased(Journaled, Shown):
    """A fence of this state store was open that no cut-over on record explains."""

    kind = "unknown-fence-released"
    shown_as = "recovery"
    journaled_as = "fence-released"
    account: Annotated[str, "the account that the route names"]
    fence_epoch: Annotated[int, "of the fence"]


@value(frozen=True, slots=True)
class StaleFenceReleased(Shown):
    """A claim released a fence that no record explains."""

    kind = "stale-fence-released"
    shown_as = "recovery"


@value(frozen=True, slots=True)
class FenceLeft(Shown):
    """An earlier run ended inside the fence; this one resolves that first."""

    kind = "fence-left"
    shown_as = "recovery"


@value(frozen=True, slots=True)
class WritersBlocked(Shown):
    """A release is not answered for some tries: writers stay blocked, and it is tried on."""

    kind = "writers-blocked"
    shown_as = "warning"


@value(frozen=True, slots=True)
class FenceOverdue(Journaled, Shown):
    """Writers have waited longer than a fence may last, and the release is not answered. On record once for each fence."""

    kind = "fence-overdue"
    shown_as = "warning"
    epoch: Annotated[int, "of the fence"]
    fence_seconds: Annotated[float | None, "s, how long the writers have waited so far; null if nobody knows"]
