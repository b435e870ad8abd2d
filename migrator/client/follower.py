"""The heart of the client: what one area's observations of the route document allow now.

Decides when a write may start, under which epoch and until when; what a reader is told; which observations are refused;
and how urgent a refresh is. Leaves fetching, waiting and the clock to the shells. Rules:

- a grant ends ``ttl`` after the request that brought the record was *sent*, never after its answer came;
- only the newest usable observation grants anything; a read-only record grants nothing;
- an epoch never goes back and never changes its account, endpoint or mode; a record never vanishes; an endpoint is one that
  may be given credentials. An observation that says otherwise is refused, and nothing is granted until a later one is usable;
- under version 2 a grant needs an entry in the register that was acknowledged before the request was sent: whoever counts the
  followers after a fence was written finds all that may not have seen it;
- whoever writes the document must not get a lease of a day: durations have a bound of the client's own;
- readers are never stopped: they go on with the last record, marked stale.

Times are seconds of one clock that never goes back and that the caller passes in. No I/O, no clock, nothing foreign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from migrator.client.errors import RestartUpload, RouteFenced, RouteUnpublished, RouteUnusable
from migrator.model.hosts import Hosts
from migrator.model.routes import READ_ONLY, READ_WRITE, Mode, RouteDocument, RouteRecord

READ_ONLY_CACHE_SECONDS = 2.0
"""How long a reader keeps a read-only record: so stale reads end two seconds after a switch."""
RETRY_SECONDS = 0.2
"""A writer asks again for a read-only or refused record no sooner than this."""

LOOK_SECONDS = 1.0
"""How often a registered follower looks at a record that is read-only or cannot be followed."""
SHORTEST_LOOK_SECONDS = 0.5
LONGEST_WATCH_SECONDS = 600.0
"""How long it looks more often because a cut-over is said to be near."""

MAX_TTL_SECONDS = 300.0
MAX_WRITE_SECONDS = 3600.0
"""Longer durations of a document are taken for these. Shorter than the engine waits for is always safe."""
MAX_EPOCH = 2**53 - 1
"""The last whole number that every JSON reader keeps exactly."""


Entered = Callable[[str, str, float], "tuple[float, float] | None"]
"""Of an area, a register and a time: since when and until when the follower is entered there for it, or None."""


class Refresh(Enum):
    """How urgent a new observation is: not at all, welcome, or needed before anything can be granted."""

    NO = "no"
    SOON = "soon"
    MUST = "must"


@dataclass(frozen=True, slots=True)
class UploadToken:
    """Where staged blocks lie."""

    account: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Grant:
    """Writes may start before ``expires``, to ``endpoint`` only, and must end ``max_write_seconds`` after they start."""

    key: str
    endpoint: str
    account: str
    epoch: int
    expires: float
    max_write_seconds: float
    services: Mapping[str, str] = field(default_factory=dict)
    """Addresses of the account's other services, those that may be given credentials."""

    @property
    def token(self) -> UploadToken:
        return UploadToken(self.account, self.endpoint)

    def check_upload(self, token: UploadToken) -> None:
        """Raises RestartUpload if blocks staged under ``token`` cannot be committed under this grant."""
        if token != self.token:
            raise RestartUpload(
                f"cannot commit to {self.key}: its blocks are in {token.account} and the route now names {self.account}",
                endpoint=self.endpoint,
                hint="upload the object again under the new lease",
            )


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where to read. ``stale``: the record is past its time and could not be refreshed, or the document is unusable."""

    endpoint: str
    account: str
    mode: Mode
    epoch: int
    stale: bool
    services: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Held:
    """The newest usable record, when its request was sent, and the document's durations at that time."""

    record: RouteRecord
    sent_at: float
    ttl_seconds: float
    max_write_seconds: float
    register: str | None
    """Where one must be entered to write; None in version 1."""
    watched_since: float
    """Since when the record says so of itself."""
    document: RouteDocument
    """What all this was read from."""

    def read_again(self, sent_at: float) -> _Held:
        """The same, asked for at ``sent_at``."""
        return _Held(
            self.record,
            sent_at,
            self.ttl_seconds,
            self.max_write_seconds,
            self.register,
            self.watched_since,
            self.document,
        )

    @property
    def is_watched(self) -> bool:
        return self.record.look_seconds is not None and self.sent_at < self.watched_since + LONGEST_WATCH_SECONDS


@dataclass(frozen=True, slots=True)
class _Fault:
    why: str
    sent_at: float
    is_missing: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    """All that is remembered, in one value: a thread that reads it meets no half-made change."""

    held: _Held | None = None
    fault: _Fault | None = None


class Follower:
    """Follows the record of ``key`` (``region/area``) through observations.

    >>> from migrator.model.routes import RouteDocument, RouteRecord
    >>> record = RouteRecord("eu-web", "https://euweb.example", "read-write", 7, "3f", "", "")
    >>> follower = Follower("europe/web-tracking")
    >>> follower.observe(RouteDocument(30, 60, {"europe/web-tracking": record}), sent_at=100.0)
    True
    >>> follower.lease(now=129.0).expires
    130.0

    ``hosts`` None: endpoints are not looked at (simulations, which send nothing); the shells always give some. ``entered`` None:
    it is in no register.
    """

    def __init__(self, key: str, hosts: Hosts | None = None, entered: Entered | None = None) -> None:
        self.key = key
        self._hosts = hosts
        self._entered: Entered = entered or (lambda key, register, now: None)
        self._seen = _Seen()

    @property
    def epoch(self) -> int:
        """The highest epoch seen; 0 before the first."""
        held = self._seen.held
        return held.record.epoch if held else 0

    def observe(self, document: RouteDocument | None, sent_at: float) -> bool:
        """Take in the answer of a request sent at ``sent_at``; None: there is no document. False if it was refused.

        Answers may come late and out of order: one that was sent before the newest usable one never takes anything away.
        The caller keeps requests from overlapping, else an overtaken answer may look like an epoch that went back; that
        is refused, which costs a refresh and no data.
        """
        held, fault = self._seen.held, self._seen.fault
        if held is not None and fault is None and document is held.document:  # nobody changed it: only read again
            if sent_at > held.sent_at:
                self._seen = _Seen(held.read_again(sent_at))
            return True
        why = self._objection(document)
        if why is not None:
            if held is None or sent_at > held.sent_at:
                is_missing = document is None or self.key not in document.routes
                self._seen = _Seen(held, _Fault(why, sent_at, is_missing))
            return False
        assert document is not None
        if held is not None and held.record.epoch == document.routes[self.key].epoch and sent_at <= held.sent_at:
            return True
        cured = fault is None or sent_at >= fault.sent_at
        ttl, max_write = min(document.ttl_seconds, MAX_TTL_SECONDS), min(document.max_write_seconds, MAX_WRITE_SECONDS)
        record, register = _normal(document.routes[self.key]), document.register if document.version == 2 else None
        is_known = held is not None and (held.record.epoch, held.record.look_seconds) == (
            record.epoch,
            record.look_seconds,
        )
        watched_since = held.watched_since if held is not None and is_known else sent_at
        fresh = _Held(record, sent_at, ttl, max_write, register, watched_since, document)
        self._seen = _Seen(fresh, None if cured else fault)
        return True

    def lease(self, now: float) -> Grant:
        """What may be written now.

        Raises:
            RouteFenced: read-only, too old, or nothing read yet: wait and observe again.
            RouteUnpublished: there never was a record; one may come.
            RouteUnusable: the newest observation contradicts an earlier one, or may not be followed.
        """
        held, fault = self._seen.held, self._seen.fault
        if fault is not None and fault.is_missing and held is None:
            raise RouteUnpublished(
                f"cannot follow the route of {self.key}: {fault.why}",
                hint="the operator publishes it with `migrate routes PLAN --publish`, unless region or area has another name",
            )
        if fault is not None:
            raise self._unusable(fault.why)
        if held is None:
            raise RouteFenced(f"cannot write to {self.key}: no route could be read yet", reason="unread")
        if held.record.mode == READ_ONLY:
            raise RouteFenced(
                f"cannot write to {self.key}: its route is read-only (epoch {held.record.epoch})",
                reason="read-only",
                hint="a cut-over is going on; wait for writable()",
            )
        if not held.sent_at <= now < held.sent_at + held.ttl_seconds:
            raise RouteFenced(
                f"cannot write to {self.key}: its route could not be refreshed for {now - held.sent_at:.0f} s",
                reason="expired",
                hint="writes go on as soon as the route document can be read again",
            )
        record, expires = held.record, held.sent_at + held.ttl_seconds
        if held.register is not None:
            since, until = self._entered(self.key, held.register, now) or (now, now)
            if held.sent_at < since or now >= until:
                raise RouteFenced(
                    f"cannot write to {self.key}: this follower is not entered in the register",
                    reason="unregistered",
                    hint="the application needs the right to write its entry beside the route document",
                )
            expires = min(expires, until)
        return Grant(
            key=self.key,
            endpoint=record.endpoint,
            account=record.account,
            epoch=record.epoch,
            expires=expires,
            max_write_seconds=held.max_write_seconds,
            services=self._services(record),
        )

    def _services(self, record: RouteRecord) -> Mapping[str, str]:
        """Those that the application trusts. One that it does not is no reason to refuse the others."""
        if self._hosts is None or not record.services:
            return record.services
        return {
            name: address
            for name, address in record.services.items()
            if self._hosts.objection(record.account, address) is None
        }

    def resolve(self, now: float) -> Resolved:
        """Where to read now, from the last usable record however old.

        Raises:
            RouteUnusable: there never was one.
        """
        held, fault = self._seen.held, self._seen.fault
        if held is None:
            raise self._unusable(fault.why if fault else "no route could be read yet")
        record = held.record
        is_fresh = fault is None and held.sent_at <= now < held.sent_at + _read_seconds(held)
        services = self._services(record)
        return Resolved(record.endpoint, record.account, record.mode, record.epoch, not is_fresh, services)

    def write_refresh(self, now: float) -> Refresh:
        """How urgently a writer needs a new observation."""
        held, fault = self._seen.held, self._seen.fault
        if fault is not None:
            return Refresh.NO if 0 <= now - fault.sent_at < RETRY_SECONDS else Refresh.MUST
        if held is None:
            return Refresh.MUST
        if held.record.mode == READ_WRITE:
            entered = None if held.register is None else self._entered(self.key, held.register, now)
            if entered is not None and held.sent_at < entered[0]:
                return Refresh.MUST
            return _urgency(now - held.sent_at, held.ttl_seconds)
        return Refresh.NO if 0 <= now - held.sent_at < RETRY_SECONDS else Refresh.MUST

    def is_missing_in_register(self, now: float) -> bool:
        """Must it enter itself before it can write?"""
        held = self._seen.held
        if held is None or held.register is None or self._seen.fault is not None:
            return False
        return self._entered(self.key, held.register, now) is None

    @property
    def is_fenced(self) -> bool:
        """Is the newest usable record read-only?"""
        held = self._seen.held
        return held is not None and held.record.mode == READ_ONLY

    @property
    def is_refused(self) -> bool:
        """Was the newest observation none that can be followed?"""
        return self._seen.fault is not None

    @property
    def look_seconds(self) -> float:
        """How soon after the newest observation a registered follower looks again, whether somebody asks it or not."""
        held = self._seen.held
        if held is None or self._seen.fault is not None or held.record.mode == READ_ONLY:
            return LOOK_SECONDS
        half = held.ttl_seconds / 2
        if not held.is_watched:
            return half
        return min(half, max(SHORTEST_LOOK_SECONDS, held.record.look_seconds or 0.0))

    def read_refresh(self, now: float) -> Refresh:
        """How urgently a reader needs a new observation."""
        held, fault = self._seen.held, self._seen.fault
        if held is None:
            return Refresh.MUST
        if fault is not None:
            return _urgency(now - fault.sent_at, READ_ONLY_CACHE_SECONDS)
        return _urgency(now - held.sent_at, _read_seconds(held))

    def _objection(self, document: RouteDocument | None) -> str | None:
        """Why the document cannot be followed, or None."""
        if document is None:
            return "there is no route document"
        record = document.routes.get(self.key)
        if record is None:
            return "the route document has no record of it"
        held = self._seen.held
        if held is not None and record is held.record:
            return None  # it was looked at when it came
        if record.epoch > MAX_EPOCH:
            return f"its epoch is beyond {MAX_EPOCH}"
        if self._hosts is not None and (why := self._hosts.objection(record.account, record.endpoint)):
            return why
        if held is None or record.epoch > held.record.epoch:
            return None
        if record.epoch < held.record.epoch:
            return f"its epoch went back from {held.record.epoch} to {record.epoch}"
        normal = _normal(record)
        for name in ("account", "endpoint", "mode"):
            if getattr(normal, name) != getattr(held.record, name):
                return f"its {name} changed within epoch {record.epoch}"
        if dict(record.services) != dict(held.record.services):
            return f"its endpoint changed within epoch {record.epoch}"
        return None

    def _unusable(self, why: str) -> RouteUnusable:
        return RouteUnusable(
            f"cannot follow the route of {self.key}: {why}",
            hint="the operator finds the cause with migrate doctor; hosts= names addresses that are yours",
        )


def _read_seconds(held: _Held) -> float:
    """How long readers keep a record."""
    if held.record.mode == READ_ONLY:
        return min(READ_ONLY_CACHE_SECONDS, held.ttl_seconds)
    return held.ttl_seconds


def _urgency(age: float, life: float) -> Refresh:
    """Refresh in the second half of a record's life, so that one caller pays for it and the others go on."""
    if not 0 <= age < life:
        return Refresh.MUST
    return Refresh.SOON if age >= life / 2 else Refresh.NO


def _normal(record: RouteRecord) -> RouteRecord:
    """The same record, its endpoint without a final slash: both spellings name one account."""
    return replace(record, endpoint=record.endpoint.rstrip("/")) if record.endpoint.endswith("/") else record
