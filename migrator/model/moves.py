"""What the state store keeps of a rollout: moves, waves, ranges of evidence, exceptions, journal entries, controls.

Values only. Which state may follow which is the law's business (``migrator.machine``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from migrator.model.names import MoveId
from migrator.model.routes import RouteRecord
from migrator.model.values import value


class MoveState(StrEnum):
    """(fixed) names. ``-ing`` means the engine is at work; the others are at rest."""

    PENDING = "pending"
    PREFLIGHT = "preflight"
    PROVISIONING = "provisioning"
    COPYING = "copying"
    CATCHING_UP = "catching-up"
    READY = "ready"
    FENCING = "fencing"
    DRAINING = "draining"
    VERIFYING = "verifying"
    SWITCHING = "switching"
    SOAKING = "soaking"
    SOAKED = "soaked"
    REVERSED = "reversed"
    HALTED = "halted"
    RETIRING = "retiring"
    RETIRED = "retired"


class Direction(StrEnum):
    FORWARD = "forward"
    REVERSE = "reverse"


class WaveState(StrEnum):
    PENDING = "pending"
    WAITING = "waiting"
    RUNNING = "running"
    SOAKING = "soaking"
    SOAKED = "soaked"
    REVERSED = "reversed"
    HALTED = "halted"
    RETIRED = "retired"


@value(frozen=True, slots=True)
class RouteIntent:
    """What a cut-over is about to do to its record, committed before it is done: the record before the fence, the fence
    record, and (from ``switching`` on) the switched record."""

    before: RouteRecord
    fence: RouteRecord
    switched: RouteRecord | None = None


@value(frozen=True, slots=True)
class StoredPolicy:
    """A stored access policy of a container. ``permissions`` are the service's letters, empty if signatures bring their own;
    the times are the service's own text, or empty. No secret: it is what a signature refers to."""

    id: str
    permissions: str = ""
    start: str = ""
    expiry: str = ""


@value(frozen=True, slots=True)
class RevokedPolicy:
    """A policy that an enforced fence takes the right to write from, as it was before."""

    account: str
    container: str
    policy: StoredPolicy


@value(frozen=True, slots=True)
class Figures:
    """Running totals of a move; they survive restarts because they are committed with checkpoints."""

    objects_copied: int = 0
    bytes_copied: int = 0
    objects_deleted: int = 0
    lag_objects: int = 0
    lag_bytes: int = 0
    lag_seconds: float = 0.0
    fence_seconds: float | None = None
    """How long writers were paused by the last fence; None before the first."""
    deletes_counted: int = 0
    """Deletes of this direction, against the cap; counted before they are sent."""
    deletes_accepted: int = 0
    """The cap a person raised with ``retry --accept-deletes N``."""
    passes: int = 0
    """Passes of this direction since the last retry."""
    passes_behind: int = 0
    """Of these, the last ones in a row that ended above the lag."""
    cancelled_fences: int = 0
    """In a row, since the last retry."""
    soak_seconds: float = 0.0
    copy_seconds: float = 0.0
    """Spent in ``copying`` and ``catching-up`` on the way forward, halts and absences of the engine included."""


@value(frozen=True, slots=True)
class MoveRecord:
    """The record of a move: (direction, state, resume_from when halted) and what goes with it.

    ``ever_routed``: a route record of ours was seen or created, so a missing one is a disagreement from then on.
    ``epoch``: the newest epoch known for the route record. ``reason``: why halted, one sentence. ``since``: when the
    state began. ``switched_at``: when the route last moved to the live account of ``direction``.
    """

    id: MoveId
    wave: str
    source: str
    target: str
    state: MoveState = MoveState.PENDING
    direction: Direction = Direction.FORWARD
    resume_from: MoveState | None = None
    figures: Figures = Figures()
    intent: RouteIntent | None = None
    epoch: int = 0
    ever_routed: bool = False
    reason: str = ""
    since: datetime | None = None
    switched_at: datetime | None = None
    is_adopted: bool = False
    """The route was adopted, and what evidence does not cover on the other side has not been compared since."""
    revoked: tuple[RevokedPolicy, ...] = ()
    """Committed before they are changed; gone from here when they are put back."""
    is_abandoning: bool = False
    """The way back goes without the target: nothing is read from it or compared with it."""
    dirty: str = ""
    """Why the target holds writes that never came back; "" if it does not. One clause."""


@value(frozen=True, slots=True)
class WaveRecord:
    """``fingerprint`` binds approvals and detects edits; ``forecast`` is kept so that the outcome can be compared."""

    name: str
    position: int
    state: WaveState = WaveState.PENDING
    fingerprint: str = ""
    begun_at: datetime | None = None
    ended_at: datetime | None = None
    reason: str = ""
    forecast: Mapping[str, Any] = field(default_factory=dict)


@value(frozen=True, slots=True)
class EvidenceRange:
    """Evidence of the names in (previous upper, ``upper``] of one container and prefix, in listing order.

    ``upper`` is an order key (bytes; see ``migrator.transfer.order``), None for the last range, open above.
    ``records`` is the packed evidence (24 bytes each, ``migrator.transfer.evidence``). ``is_open``: writes of ours may
    lie in it that no record shows yet.
    """

    container: str
    prefix: str
    upper: bytes | None
    records: bytes = b""
    is_open: bool = False


ExceptionKind = Literal["foreign", "straggler", "conflict", "kept", "decided", "failed", "unproved"]


@value(frozen=True, slots=True)
class ExceptionRow:
    """An object that is not simply equal on both sides. ``kept`` and ``decided`` rows are what the barrier compares
    with: both ETags (None: absent), tags and tier as they were judged. ``detail`` is one clause for people."""

    container: str
    name: str
    kind: ExceptionKind
    source_etag: str | None
    target_etag: str | None
    detail: str = ""
    marks: str = ""
    """Digest of tags and explicit tier of both sides."""
    at: datetime | None = None


@value(frozen=True, slots=True)
class Outstanding:
    """An unanswered write of ours: it may still be applied until ``until_monotonic_bound`` seconds after ``at``.
    ``kind`` create is settled only by the bound; replace and delete also by their ETag being gone."""

    side: Literal["source", "target"]
    container: str
    name: str
    kind: Literal["create", "replace", "delete"]
    if_match: str | None
    at: datetime
    bound_seconds: float


@value(frozen=True, slots=True)
class JournalEntry:
    """One line of the append-only journal. ``actor`` is ``engine`` or the user's login; ``evidence`` are the facts of the
    ``happening`` as JSON values. Rows of before there was a list of them say no happening, and their version is 0."""

    at: datetime
    actor: str
    kind: str
    text: str
    wave: str | None = None
    move: MoveId | None = None
    run: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    """Given by the store, ascending from 1."""
    happening: str = ""
    """Its kind in the list ``model.happenings``: ``kind`` may be shared by several."""
    version: int = 0
    """Of the facts."""


@value(frozen=True, slots=True)
class Control:
    """A wish of an operator that a running apply obeys. ``kind``: hold, pause, throttle, rollback; ``scope`` is "" (the plan),
    ``wave:NAME``, ``account:NAME``, or of a rollback ``wave:NAME region:NAME area:NAME``, each as far as it was given, after
    ``gate`` if a failed gate wants it: a store keeps one wish of a kind for each."""

    kind: str
    scope: str
    value: Mapping[str, Any]
    who: str
    at: datetime


@value(frozen=True, slots=True)
class Approval:
    wave: str
    fingerprint: str
    who: str
    reason: str
    at: datetime


PROVEN_DEAD_SECONDS = 30.0
"""How long the requests of a process that is proven gone may still be under way."""


@value(frozen=True, slots=True)
class LockRecord:
    """Who runs. ``nonce`` is the id that ``migrate unlock`` takes; ``token`` only grows; ``bound_seconds`` is how long
    the run's credentials may outlive it (the takeover waits that long before ``ready`` ends)."""

    nonce: str
    token: int
    run: str
    owner: str
    host: str
    pid: int
    boot_id: str
    since: datetime
    heartbeat: datetime
    bound_seconds: float

    def linger_seconds(self, *, is_dead: bool) -> float:
        """For how long, from when its lock is taken, requests of this run may be applied. ``is_dead``: on proof."""
        return min(self.bound_seconds, PROVEN_DEAD_SECONDS) if is_dead else self.bound_seconds


@value(frozen=True, slots=True)
class PlanRecord:
    name: str
    fingerprint: str
    document: str
    """The plan as text: it holds references to secrets, never a secret."""
    saved_at: datetime
