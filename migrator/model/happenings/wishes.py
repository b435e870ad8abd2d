"""What operators ask of a rollout by a command of its own."""

from __future__ import annotations

from typing import Annotated

from migrator.model.happenings.happening import Journaled
from migrator.model.values import value


@value(frozen=True, slots=True)
class ControlSet(Journaled):
    """A hold or a pause was asked for, or taken back."""

    kind = "control"
    control: Annotated[str, "`hold` or `pause`"]
    on: Annotated[bool, "is it wanted?"]
    text: Annotated[str, "what it means, as a sentence"]
    reason: Annotated[str, "why, if it was said"] = ""


@value(frozen=True, slots=True)
class ThrottleSet(Journaled):
    """A slower pace was asked for, or taken back."""

    kind = "throttle-set"
    journaled_as = "control"
    control: Annotated[str, "`throttle`"]
    scope: Annotated[str, "`account:NAME`, or empty for every account"]
    text: Annotated[str, "what it means, as a sentence"]
    requests_per_minute: Annotated[float | None, "requests a minute, at most"] = None
    bytes_per_second: Annotated[float | None, "bytes a second, at most"] = None
    reason: Annotated[str, "why, if it was said"] = ""


@value(frozen=True, slots=True)
class RollbackAsked(Journaled):
    """A running apply was asked to go back."""

    kind = "rollback-asked"
    journaled_as = "control"
    wave: Annotated[str | None, "of this wave only"]
    region: Annotated[str | None, "of this region only"]
    area: Annotated[str | None, "of this area only"]
    on_conflict: Annotated[str | None, "whose writes win where both sides changed: `source` or `target`"]
    abandon: Annotated[str | None, "why what was written at the target is left behind"] = None


@value(frozen=True, slots=True)
class WaveApproved(Journaled):
    """A wave may cut over."""

    kind = "approval"
    reason: Annotated[str, "why"]
    fingerprint: Annotated[str, "of the wave as it was approved"]
    login: Annotated[str, "of whom, by this machine"]
    uid: Annotated[int | None, "of whom, by this machine"]
    sudo_user: Annotated[str, "who called sudo"] = ""
    entra: Annotated[tuple[str, ...], "how Microsoft Entra ID calls them, if it was asked"] = ()


@value(frozen=True, slots=True)
class LockRemoved(Journaled):
    """The lock of a run was removed by hand."""

    kind = "unlock"
    nonce: Annotated[str, "of the lock"]
    holder: Annotated[str, "who and where"]
    heartbeat_age_seconds: Annotated[int, "s since its last sign of life"]


@value(frozen=True, slots=True)
class WaitRemoved(Journaled):
    """An operator says that the process of a lock is stopped: its requests are not waited for any more."""

    kind = "wait-removed"
    journaled_as = "unlock"
    nonce: Annotated[str, "of the lock"]
