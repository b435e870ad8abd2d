"""What happens to a move outside its fence: its states, its passes, what was kept, and what an operator decided for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from migrator.model.happenings.happening import Journaled, Shown
from migrator.model.values import value


@value(frozen=True, slots=True)
class StateChanged(Journaled, Shown):
    """The move is in another state, by the law."""

    kind = "state-changed"
    before: Annotated[str, "the state that it was in"]
    event: Annotated[str, "the event of the law that led on"]
    state: Annotated[str, "the state that it is in"]
    direction: Annotated[str, "`forward`, or `reverse` on the way back"]
    epoch: Annotated[int, "of its route record"]
    reason: Annotated[str, "why, if there is more to say"] = ""


@value(frozen=True, slots=True)
class PassMade(Shown):
    """A pass compared both sides and carried over what differed."""

    kind = "pass"
    scanned: Annotated[int, "objects compared"]
    copied: Annotated[int, "objects copied"]
    marked: Annotated[int, "objects whose tags or tier were set"]
    deleted: Annotated[int, "objects deleted"]
    superseded: Annotated[int, "objects that changed meanwhile, left for the next pass"]
    waiting: Annotated[int, "objects that the service is not done with"]
    seconds: Annotated[float, "s, how long it took"]


@value(frozen=True, slots=True)
class TargetUnread(Shown):
    """A way back that leaves the target behind reads nothing from it."""

    kind = "target-unread"
    shown_as = "pass"
    target: Annotated[str, "the account that is not read"]
    listed: Annotated[int, "objects listed as unproved"]


@value(frozen=True, slots=True)
class AccountCreating(Journaled, Shown):
    """A target account is about to be created."""

    kind = "account-creating"
    account: Annotated[str, "its name in the plan"]
    location: Annotated[str, "the region"]
    sku: Annotated[str, "the sku"]
    subscription: Annotated[str, "the subscription's id"]
    resource_group: Annotated[str, "the resource group"]


@value(frozen=True, slots=True)
class AccountCreated(Journaled, Shown):
    """A target account that was created answers."""

    kind = "account-created"
    account: Annotated[str, "its name in the plan"]
    id: Annotated[str, "of the resource"]
    copied: Annotated[list[str], "settings of the source's blob service that it was given"]
    left: Annotated[str, "why none were copied, if so"] = ""


@value(frozen=True, slots=True)
class ObjectKept(Journaled):
    """An object that is about to lose was saved first."""

    kind = "kept"
    account: Annotated[str, "where it was"]
    container: Annotated[str, "its container, at both accounts"]
    name: Annotated[str, "its name"]
    generation: Annotated[str, "its ETag"]
    kept_at: Annotated[str, "the account that has it now"]
    kept_as: Annotated[str, "its name there"]


@value(frozen=True, slots=True)
class ObjectRecreated(Journaled):
    """An object of the source is deleted and created again on the way back; its snapshots go with it."""

    kind = "recreated"
    account: Annotated[str, "where it was"]
    container: Annotated[str, "its container"]
    name: Annotated[str, "its name"]
    generation: Annotated[str, "its ETag"]


@value(frozen=True, slots=True)
class CopiesStreamed(Journaled):
    """The service does not copy between the two accounts of a move: objects go through this machine, until it does."""

    kind = "streams"
    origin: Annotated[str, "the account that is copied from"]
    destination: Annotated[str, "the account that is copied to"]
    why: Annotated[str, "why, as a clause"]


@value(frozen=True, slots=True)
class CopiesByService(Journaled):
    """The service copies again between two accounts whose objects went through this machine."""

    kind = "streams-no-more"
    origin: Annotated[str, "the account that is copied from"]
    destination: Annotated[str, "the account that is copied to"]


@value(frozen=True, slots=True)
class CanaryReturned(Journaled):
    """A small object went to the target and back, which proves the way back."""

    kind = "canary"
    source: Annotated[str, "the account it came from"]
    target: Annotated[str, "the account it went to"]
    container: Annotated[str, "where it was written"]
    forward: Annotated[str, "how it was carried there, as a clause"]
    back: Annotated[str, "how it was carried back, as a clause"]


@value(frozen=True, slots=True)
class CanaryStayed(Journaled):
    """A small object went to the target and was removed there; the source may only be read, so the way back is not proved."""

    kind = "canary-one-way"
    journaled_as = "canary"
    source: Annotated[str, "the account it came from"]
    target: Annotated[str, "the account it went to"]
    container: Annotated[str, "where it was written"]
    forward: Annotated[str, "how it was carried there, as a clause"]


@value(frozen=True, slots=True)
class CheckWarned(Shown):
    """A check before the first copy warns; nothing stops for it."""

    kind = "check-warned"
    shown_as = "warning"
    code: Annotated[str, "of the finding, see docs/findings.md"]
    text: Annotated[str, "what was found and what to do, as a sentence"]


@value(frozen=True, slots=True)
class FaultMet(Shown):
    """Something failed while the run was ending, and is left to the next one."""

    kind = "fault-met"
    shown_as = "warning"
    text: Annotated[str, "what failed, as a sentence that names the move"]


@value(frozen=True, slots=True)
class RouteRefused(Shown):
    """The route document says something else of the move than its state; nothing is copied before they agree."""

    kind = "route-refused"
    shown_as = "warning"
    why: Annotated[str, "what disagrees, as a clause"]


@value(frozen=True, slots=True)
class Retried(Journaled):
    """An operator lets the move go on."""

    kind = "retry"
    reason: Annotated[str, "why"]


@value(frozen=True, slots=True)
class RouteAdopted(Journaled):
    """An operator takes what the route says for the truth."""

    kind = "route-adopted"
    account: Annotated[str, "the account that the route names"]
    reason: Annotated[str, "why"]
    route: Annotated[Mapping[str, Any], "the route record that was found"]
    known: Annotated[Mapping[str, Any], "what the state store knew before"]


@value(frozen=True, slots=True)
class TargetAbandoned(Journaled, Shown):
    """An operator takes the move back without reading its target: what was written there since the switch is left behind."""

    kind = "abandoned"
    shown_as = "warning"
    target: Annotated[str, "the account that is not read"]
    reason: Annotated[str, "why"]
    text: Annotated[str, "what is left behind, as a clause"]


@value(frozen=True, slots=True)
class ContainersAccepted(Journaled):
    """An operator says that customers dropped containers whole."""

    kind = "container-accepted"
    account: Annotated[str, "where they were"]
    containers: Annotated[tuple[str, ...], "their names"]
    reason: Annotated[str, "why"]


@value(frozen=True, slots=True)
class Retargeted(Journaled):
    """A move that is back at its source has another target by the plan."""

    kind = "retargeted"
    target: Annotated[str, "the account it will go to"]
    before: Annotated[str, "the account it was to go to"]
    dirty: Annotated[str, "what was left behind there, as a clause"] = ""


@value(frozen=True, slots=True)
class LeftTargetStill(Journaled, Shown):
    """Nothing was written to the target since customers went back from it; said once."""

    kind = "left-target-still"
    shown_as = "left-target"
    target: Annotated[str, "the account that was left"]
    scanned: Annotated[int, "objects compared"]


@value(frozen=True, slots=True)
class LeftTargetChanged(Journaled, Shown):
    """Something was written to the target, or deleted there, after customers had gone back from it."""

    kind = "left-target-changed"
    shown_as = "warning"
    target: Annotated[str, "the account that was left"]
    objects: Annotated[int, "objects that were changed since"]
    named: Annotated[tuple[str, ...], "the first names"]
    text: Annotated[str, "what changed and what to do, as a sentence"]


@value(frozen=True, slots=True)
class LeftTargetUnknown(Shown):
    """Nobody could look whether the target is still that customers went back from; the next run looks."""

    kind = "left-target-unknown"
    shown_as = "warning"
    target: Annotated[str, "the account that was left"]
    why: Annotated[str, "what failed, as a clause"]
