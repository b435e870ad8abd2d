"""The sentence of every happening: the journal's text, the line on the screen and the text of the JSON event are this one.

Decides the words; leaves what is shown where to the happening, and how it looks to the views. Rules: one plain sentence
without a full stop, without a secret, and without the move in front, which ``sentence`` puts there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import singledispatch
from typing import Final

from migrator.model.happenings import fences, moves, retiring, rollouts, soaks, waits, wishes
from migrator.model.happenings.happening import Happening
from migrator.model.kept import Kept
from migrator.model.names import MoveId
from migrator.model.units import show_bytes, show_duration, show_ratio

FENCE: Final = "fence, writers wait from now on"
FENCE_LEFT: Final = "an earlier run ended in its fence; resolving that first"
PAUSED: Final = "paused by an operator: migrate unpause"
STAYS: Final[Mapping[str, str]] = {
    Kept.CHANGED: "changed there after the switch",
    Kept.UNKNOWN: "never known to be at the target",
    Kept.MISSING: "not at the target",
    Kept.DIFFERENT: "not the one at the target by now",
    Kept.LISTED: "listed as an exception",
    Kept.UNSETTLED: "with a copy or a write under way",
    Kept.LEASED: "leased",
    Kept.PROTECTED: "protected by a retention policy or a legal hold",
    Kept.SNAPSHOTS: "with snapshots, which a move does not carry",
    Kept.REFUSED: "refused by the service",
}
MOST_EDITS: Final = 20
NAMED: Final = 20


def sentence(happening: Happening, move: MoveId | str | None = None) -> str:
    """What happened, with the move in front that it happened to."""
    return in_words(happening) if move is None else f"{move}: {in_words(happening)}"


@singledispatch
def in_words(happening: Happening) -> str:
    """What happened, as a sentence. Every kind has its own below."""
    raise NotImplementedError(f"no words for {type(happening).__name__}")


def why_drain(*, is_enforced: bool) -> str:
    """What writers wait for in a drain, as a clause."""
    return "until no lease and no policy lets them write" if is_enforced else "for their leases to end"


def streamed(seconds: float, size_bytes: int) -> str:
    """What goes through this machine inside a fence, as a clause to add; empty if it takes no time."""
    return (
        f", {seconds:,.1f} s for {show_bytes(size_bytes)} of append and page blobs that keep changing"
        if seconds
        else ""
    )


def how_proved(share: float) -> str:
    """By what a barrier proves objects equal, as a clause; ``share`` of them by their contents."""
    return {0.0: "by their attributes", 1.0: "by their contents"}.get(share, f"{show_ratio(share)} by their contents")


def names(account: str) -> str:
    return f"the route names {account}"


def _paused(seconds: float | None) -> str:
    return "" if seconds is None else f"; writers paused {seconds:.1f} s"


# Moves.


@in_words.register
def _(one: moves.StateChanged) -> str:
    return f"{one.before} -> {one.state}" + (f" ({one.reason})" if one.reason else "")


@in_words.register
def _(one: moves.PassMade) -> str:
    return (
        f"scanned {one.scanned:,}, copied {one.copied:,}, marked {one.marked:,}, deleted {one.deleted:,},"
        f" changed meanwhile {one.superseded:,}"
    )


@in_words.register
def _(one: moves.TargetUnread) -> str:
    return f"nothing is read from {one.target}; {one.listed:,} objects listed as unproved"


@in_words.register
def _(one: moves.AccountCreating) -> str:
    where = f"{one.location}, resource group {one.resource_group}, subscription {one.subscription}"
    return f"creating account {one.account}: {one.sku} in {where}"


@in_words.register
def _(one: moves.AccountCreated) -> str:
    settings = f"with {', '.join(one.copied)} of the source" if one.copied else "with no settings of the source"
    return f"account {one.account} is created, {settings}" + (f": {one.left}" if one.left else "")


@in_words.register
def _(one: moves.ObjectKept) -> str:
    what = f"{one.container}/{one.name} of {one.account} (generation {one.generation})"
    return f"{what} is kept as {one.kept_at}/{one.container}/{one.kept_as}"


@in_words.register
def _(one: moves.ObjectRecreated) -> str:
    what = f"{one.container}/{one.name} of {one.account} (generation {one.generation})"
    return f"{what} is deleted and created again, as another type or out of the archive; snapshots of it go with it"


@in_words.register
def _(one: moves.CopiesStreamed) -> str:
    return f"objects go from {one.origin} to {one.destination} through this machine: {one.why}"


@in_words.register
def _(one: moves.CopiesByService) -> str:
    return f"the service copies from {one.origin} to {one.destination} by itself again"


@in_words.register
def _(one: moves.CanaryStayed) -> str:
    return f"a canary went {one.source} -> {one.target} ({one.forward}); the way back is not proved"


@in_words.register
def _(one: moves.CanaryReturned) -> str:
    return f"a canary went {one.source} -> {one.target} ({one.forward}) and back ({one.back})"


@in_words.register
def _(
    one: moves.CheckWarned | moves.FaultMet | moves.TargetAbandoned | moves.LeftTargetChanged | rollouts.DeadlineMissed,
) -> str:
    return one.text  # a sentence that a check, a fault or the forecast has made


@in_words.register
def _(one: moves.RouteRefused) -> str:
    return f"{one.why}; nothing of it is copied before they agree"


@in_words.register
def _(one: moves.Retried) -> str:
    return f"retry asked for: {one.reason}"


@in_words.register
def _(one: moves.RouteAdopted) -> str:
    return f"the route is adopted, it names {one.account} ({one.reason})"


@in_words.register
def _(one: moves.ContainersAccepted) -> str:
    return f"{', '.join(one.containers)} of {one.account} was dropped by customers: {one.reason}"


@in_words.register
def _(one: moves.Retargeted) -> str:
    dirty = f"; {one.dirty}" if one.dirty else ""
    return f"its target is {one.target} from now on, {one.before} before{dirty}"


@in_words.register
def _(one: moves.LeftTargetStill) -> str:
    return f"{one.target} is still since customers left it"


@in_words.register
def _(one: moves.LeftTargetUnknown) -> str:
    return f"cannot look whether {one.target} is still, which was left: {one.why}"


# Fences.


@in_words.register
def _(one: fences.FenceForecast) -> str:
    drain = f"{one.drain_seconds:.1f} s {why_drain(is_enforced=one.is_enforced)}"
    through_here = streamed(one.streaming_seconds, one.streamed_bytes)
    return f"writers will wait for about {one.forecast_seconds:.1f} s ({drain}{through_here})"


@in_words.register
def _(one: fences.FenceBegun) -> str:
    return FENCE


@in_words.register
def _(one: fences.Drained) -> str:
    if one.by_roll_call:
        said = f"{one.answered} of {one.followers} followers answered" if one.followers else "no follower may write"
        return f"drained by roll-call after {one.seconds:.1f} s: {said}"
    if one.why_not:
        return f"full drain of {one.seconds:.1f} s: {one.why_not}"
    silent = one.followers - one.answered
    if not silent:
        return f"full drain of {one.seconds:.1f} s: the policies took as long"
    more = f" and {silent - len(one.awaited):,} more" if silent > len(one.awaited) else ""
    who = "follower" if silent == 1 else "followers"
    return f"full drain of {one.seconds:.1f} s: {who} {', '.join(one.awaited)}{more} did not answer"


@in_words.register
def _(one: fences.FollowersAwaited) -> str:
    more = f" and {one.missing - len(one.awaited):,} more" if one.missing > len(one.awaited) else ""
    said = (
        f"waits for {one.missing:,} of {one.followers:,} followers to answer the fence: {', '.join(one.awaited)}{more}"
    )
    return f"{said}; without them it drains for another {one.left_seconds:.0f} s"


@in_words.register
def _(one: fences.PoliciesRevoked) -> str:
    return f"{len(one.policies)} access policies, revoked"


@in_words.register
def _(one: fences.PoliciesRestored) -> str:
    return f"{len(one.policies)} access policies, restored"


@in_words.register
def _(one: fences.PoliciesRefuse) -> str:
    if not one.policies:
        return f"{one.account} has no access policy that lets anybody write; the route alone fences"
    refuse = "policy refuses" if one.policies == 1 else "policies refuse"
    return f"{one.policies} access {refuse} writes at {one.account}"


@in_words.register
def _(one: fences.PolicyLeft) -> str:
    return one.why


@in_words.register
def _(one: fences.PoliciesStayRevoked) -> str:
    return f"policies of {one.account}/{one.container} stay revoked: {one.why}"


@in_words.register
def _(one: fences.BarrierPassed) -> str:
    return f"{one.scanned:,} objects proved equal ({how_proved(one.content_share)})"


@in_words.register
def _(one: fences.BarrierSkipped) -> str:
    return f"not compared, {one.why}"


@in_words.register
def _(one: fences.Switched) -> str:
    if one.found:
        there = f"{names(one.account)}, epoch {one.epoch} (found so: {one.found})"
        return f"the switch had happened, {there}{_paused(one.fence_seconds)}"
    return f"{names(one.account)}{_paused(one.fence_seconds)}"


@in_words.register
def _(one: fences.FenceReleased) -> str:
    return f"writes go on at {one.account} ({one.why}){_paused(one.fence_seconds)}"


@in_words.register
def _(one: fences.OldFenceReleased) -> str:
    return f"an old fence (epoch {one.fence_epoch}) was put back by hand; writes go on at {one.account}"


@in_words.register
def _(one: fences.UnknownFenceReleased) -> str:
    return f"writers go on at {one.account}: its fence (epoch {one.fence_epoch}) is on no record"


@in_words.register
def _(one: fences.StaleFenceReleased) -> str:
    return "a fence that no record explains is released"


@in_words.register
def _(one: fences.FenceLeft) -> str:
    return FENCE_LEFT


@in_words.register
def _(one: fences.WritersBlocked) -> str:
    return "writers are blocked: the route document does not answer; still retrying"


@in_words.register
def _(one: fences.FenceOverdue) -> str:
    waited = "" if one.fence_seconds is None else f" for {show_duration(one.fence_seconds)}"
    return f"writers have waited{waited}, longer than their fence may last: the route document does not answer"


# Soaks.


@in_words.register
def _(one: soaks.AdoptedCompared) -> str:
    return (
        f"compared with {one.source}: {one.adopted:,} objects adopted as equal,"
        f" {one.listed:,} listed that only {one.source} has"
    )


@in_words.register
def _(one: soaks.SourceKeptWarm) -> str:
    return (
        f"kept the source warm: scanned {one.scanned:,}, copied back {one.copied:,}, marked {one.marked:,},"
        f" deleted {one.deleted:,}, left {one.left:,}"
    )


@in_words.register
def _(one: soaks.WayBackJudged) -> str:
    return f"way back: {one.state}"


@in_words.register
def _(one: soaks.GateJudged) -> str:
    return f"gate {one.gate} {one.verdict}: {one.reason}"


@in_words.register
def _(one: soaks.GateFailed) -> str:
    return f"gate {one.gate} failed: {one.reason}"


@in_words.register
def _(one: soaks.SoakRestarted) -> str:
    text = f"the soak starts again, {show_duration(one.lost_seconds)} of healthy time are lost"
    return f"{text} (gate {', '.join(one.gates)} failed)" if one.gates else text


@in_words.register
def _(one: soaks.SightLost) -> str:
    lost = f", {show_duration(one.lost_seconds)} of healthy time are lost" if one.lost_seconds else ""
    return f"the route went on to epoch {one.epoch} without us; the soak starts again{lost}"


@in_words.register
def _(one: soaks.SoakLoosened) -> str:
    lost = show_duration(one.lost_seconds)
    return f"its soak was loosened and starts again, {lost} of healthy time are lost: {'; '.join(one.edits)}"


@in_words.register
def _(one: soaks.SoakKept) -> str:
    kept = show_duration(one.healthy_seconds)
    return f"its soak was loosened and keeps {kept} of healthy time: {'; '.join(one.edits)} ({one.reason})"


# Sources whose data goes.


@in_words.register
def _(one: retiring.WatchRestarted) -> str:
    are = "objects were" if one.found > 1 else "object was"
    until = f" until {one.until[:19].replace('T', ' ')} UTC" if one.until else ""
    return (
        f"{one.found:,} {are} changed at {one.source} after the switch, by a writer without a lease ({', '.join(one.named)});"
        f" nothing is deleted, and {one.source} is watched again{until}"
    )


@in_words.register
def _(one: retiring.RetireKept) -> str:
    return f"unanswered writes of earlier runs may still be applied for {one.seconds:.0f} s; then the deletion begins"


@in_words.register
def _(one: retiring.RetireBegun) -> str:
    shown = f"reads have ended by {'; '.join(one.gates)}" if one.gates else "nothing shows that reads have ended"
    return f"at most {one.objects:,} objects of {one.source} are deleted from now on, and there is no way back; {shown}"


@in_words.register
def _(one: retiring.SourceDeleted) -> str:
    return f"{one.objects:,} objects of {one.source}/{one.container} deleted ({show_bytes(one.bytes)})"


@in_words.register
def _(one: retiring.RetireEnded) -> str:
    return f"{one.objects:,} objects of {one.source} deleted ({show_bytes(one.bytes)})" + kept_there(
        one.kept, one.named
    )


def kept_there(kept: Mapping[str, int], named: Sequence[str]) -> str:
    """What stays at a source and why, as a clause to add; empty if nothing does."""
    if not kept:
        return ""
    number = sum(kept.values())
    counts = ", ".join(f"{one:,} {STAYS.get(why, why)}" for why, one in kept.items())
    more = f" and {number - len(named):,} more" if number > len(named) else ""
    return f"; {number:,} kept there: {counts} ({', '.join(named)}{more})"


# Waits.


@in_words.register
def _(one: waits.TroubleMet) -> str:
    return f"waiting for {one.clause}"


@in_words.register
def _(one: waits.TroubleOver) -> str:
    return f"{one.about} are there" if one.is_there else f"{one.about} answers again"


@in_words.register
def _(one: waits.PauseObeyed) -> str:
    return PAUSED


@in_words.register
def _(one: waits.CutOverKept) -> str:
    return one.why


@in_words.register
def _(one: waits.ApprovalWanted) -> str:
    return f"wave {one.wave} is ready and waits for an approval: `migrate approve PLAN {one.wave} --reason TEXT`"


@in_words.register
def _(one: waits.LeasesMet) -> str:
    return f"{one.leased:,} objects are leased ({one.named}); one more pass in {one.pause_seconds:.0f} s"


@in_words.register
def _(one: waits.WaveKept) -> str:
    return f"wave {one.wave} waits for {', and for '.join(one.waits)}"


@in_words.register
def _(one: waits.NothingBegins) -> str:
    return f"nothing begins any more; watched on: {', '.join(one.moves)}"


@in_words.register
def _(one: waits.LockWatched) -> str:
    return f"{one.holder} holds the lock; watching for {one.seconds:.0f} s whether it gives a sign of life"


@in_words.register
def _(one: waits.RunAsked) -> str:
    return f"a run is at work and was asked to go back; this command waits until it has: {one.run}"


# The rollout.


@in_words.register
def _(one: rollouts.PlanWritten) -> str:
    return f"plan {one.plan}: {one.how}"


@in_words.register
def _(one: rollouts.PlanEdited) -> str:
    edits = [f"{where}: {what} {old} -> {new}" for where, what, old, new in one.edits]
    more = f"; and {len(edits) - MOST_EDITS} more" if len(edits) > MOST_EDITS else ""
    return f"plan {one.plan}: edited: {'; '.join(edits[:MOST_EDITS])}{more}"


@in_words.register
def _(one: rollouts.RunBegan) -> str:
    return f"run began: {one.owner}@{one.host}, {one.command}"


@in_words.register
def _(one: rollouts.RunEnded) -> str:
    return f"run ended: {one.how}"


@in_words.register
def _(one: rollouts.LockTaken) -> str:
    silent = f"last sign of life {one.silent_seconds:.0f} s ago"
    no_cut_over = f"; no cut-over {one.no_cut_over}" if one.no_cut_over else ""
    return f"took over from {one.holder}, which did not end in order ({silent}){no_cut_over}"


@in_words.register
def _(one: rollouts.RequestsUncounted) -> str:
    return f"the last requests were not counted: {one.why}"


@in_words.register
def _(one: rollouts.RunConcluded) -> str:
    return "; ".join(one.reasons)


@in_words.register
def _(one: rollouts.NoticesStuck) -> str:
    return f"{one.why}; it is asked again, and nothing that it should be told is lost"


@in_words.register
def _(one: rollouts.EventsLost) -> str:
    return f"{one.lost} events were not shown; the journal has them (`migrate history`)"


@in_words.register
def _(one: rollouts.WaveBegun) -> str:
    return f"wave {one.wave}: {one.moves} move{'s' if one.moves > 1 else ''}"


@in_words.register
def _(one: rollouts.WaveChanged) -> str:
    return f"wave {one.wave} is {one.state}" + (f": {one.outcome}" if one.outcome else "")


@in_words.register
def _(one: rollouts.RoutesPublished) -> str:
    more = f" and {len(one.moves) - NAMED:,} more" if len(one.moves) > NAMED else ""
    return f"routes published, each at its source: {', '.join(one.moves[:NAMED])}{more}"


@in_words.register
def _(one: rollouts.DurationsPublished) -> str:
    return (
        f"the route document promised ttl {one.ttl_seconds:g} s and max_write {one.max_write_seconds:g} s;"
        f" the plan's longer ones are published, and no fence begins for {one.wait_seconds:g} s"
    )


@in_words.register
def _(one: rollouts.DurationsTooLong) -> str:
    return one.why


@in_words.register
def _(one: rollouts.SlowedDown) -> str:
    pace = f"{one.pace_per_second:,.0f} requests/s"
    return f"{one.account} asks for less (throttled answers): slowed down to {pace}"


@in_words.register
def _(one: rollouts.FullPaceAgain) -> str:
    return f"{one.account} takes the full pace again"


# Operators.


def _with_reason(text: str, reason: str) -> str:
    return f"{text} ({reason})" if reason else text


@in_words.register
def _(one: wishes.ControlSet) -> str:
    return _with_reason(one.text, one.reason)


@in_words.register
def _(one: wishes.ThrottleSet) -> str:
    return _with_reason(one.text, one.reason)


@in_words.register
def _(one: wishes.RollbackAsked) -> str:
    return "rollback asked of the running apply"


@in_words.register
def _(one: wishes.WaveApproved) -> str:
    return f"approved: {one.reason}"


@in_words.register
def _(one: wishes.LockRemoved) -> str:
    return f"lock {one.nonce} of {one.holder} removed"


@in_words.register
def _(one: wishes.WaitRemoved) -> str:
    return f"nothing more is waited for because of lock {one.nonce}: its process is stopped"
