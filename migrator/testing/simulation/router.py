"""The simulated route document: one value behind a compare-and-swap, and the many ways a swap's answer gets lost.

Rules: a swap is judged at the instant it is applied; a late one is applied only if nobody was faster, as at a real service. While
a hand has damaged the document, its text is what is read and written, by the real decoding and encoding. In some stories each
region has a document of its own, with versions of its own: the board holds them as one, and its doors show the tool a region's.
The account of the document may ask for less, of everybody.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from migrator.errors import OutcomeUnknown, RouteChanged, Throttled, Unreachable
from migrator.model.routes import Damaged, RouteDocument, RouteRecord
from migrator.model.values import replace
from migrator.ports.router import RoutesDamaged, RouteSnapshot, encoded
from migrator.testing.simulation.blobs import Sender
from migrator.testing.simulation.chance import Chance
from migrator.testing.simulation.loop import Node, SimLoop, nap
from migrator.testing.simulation.store import ORPHAN_SECONDS, Answer
from migrator.testing.simulation.weather import Weather

SwapHook = Callable[[Sender, RouteDocument | None, RouteDocument, float], None]
Harm = Callable[[dict[str, Any]], None]
"""Makes of a document's JSON one that cannot be decoded; the records that are there it leaves alone."""
PLACE = "the simulated routes"


class RouteBoard:
    """The document as the service holds it. ``swapped`` is called after every change with (sender, before, after, sent)."""

    def __init__(self, loop: SimLoop, weather: Weather, seed: str) -> None:
        self.loop = loop
        self.weather = weather
        self.random = Chance(seed)
        self.document: RouteDocument | None = None
        """What of it is whole, and what was: a hand that damages the text takes nothing away from that."""
        self._harm: Harm | None = None
        self.swapped: SwapHook = lambda *facts: None
        self.seen: Callable[[str, RouteDocument], None] = lambda process, document: None
        """Called with a process of the tool, and what it has read: of a damaged document the records that are whole."""
        self.sending: Callable[[Node, RouteDocument | Damaged], None] = lambda node, document: None
        """Called with a process that begins a swap, and what it sends."""
        self.unanswered: Callable[[str, float, float], None] = lambda process, begun, ended: None
        """Called with a process whose request gets no answer, and from when to when it waits for one."""
        self.is_overloaded: Callable[[], bool] = lambda: False
        """Its account refuses the next request, whoever sends it, for being one too many."""
        self.refused: dict[str, list[float]] = {}
        """When, by the node that was refused."""
        self._text: tuple[str | None, bytes] = (None, b"")
        self._version = 0
        self.is_split = False
        """Has each region a document of its own?"""
        self._of_regions: dict[str, int] = {}
        """The version of each that is there."""
        self._stood_in: list[tuple[float, dict[str, int]]] = [(float("-inf"), {})]
        """The same for each version of the whole."""
        self._stood: list[tuple[float, RouteSnapshot, bytes | None]] = [
            (float("-inf"), RouteSnapshot(None, None), None)
        ]
        """Since when each version stood, the newest last; its text, if it is damaged."""

    def text_of(self, snapshot: RouteSnapshot) -> bytes | None:
        """The newest is written once, however many read it."""
        if snapshot.document is not None and self._text[0] != snapshot.etag:
            self._text = snapshot.etag, snapshot.document.encode()
        return self._text[1] if snapshot.document is not None else None

    @property
    def etag(self) -> str | None:
        return f"v{self._version}" if self.document is not None else None

    def as_of(self, moment: float) -> RouteSnapshot:
        """The document as it stood at ``moment``; RoutesDamaged if it was."""
        since, snapshot, raw = self._stood[-1]
        if since > moment:
            snapshot, raw = next((one, raw) for since, one, raw in reversed(self._stood) if since <= moment)
        if raw is None:
            return snapshot
        try:
            return RouteSnapshot(RouteDocument.decode(raw), snapshot.etag)
        except ValueError as fault:
            text = f"cannot read the routes in {PLACE}: {fault}"
            raise RoutesDamaged(text, damaged=Damaged.of(raw), etag=snapshot.etag) from fault

    def as_seen_by(self, node: Node, sender: Sender, weather: Weather | None = None) -> SimRouter:
        """A door for ``node``; ``weather`` where its way to the document is another one than the tool's."""
        return SimRouter(self, node, sender, weather or self.weather)

    def put(self, document: RouteDocument | Damaged, expected_etag: str | None, sender: Sender, sent_at: float) -> str:
        """The atomic step of a swap."""
        if expected_etag != self.etag:
            raise RouteChanged(f"cannot change the routes: somebody else wrote first ({self.etag})")
        before = self.document
        self.document = whole = self._whole_of(document) if isinstance(document, Damaged) else document
        self._version += 1
        self._of_regions = dict.fromkeys(self._of_regions, self._version)
        self._stood_in.append((self.loop.time(), self._of_regions))
        raw = _text(whole, self._harm) if self._harm is not None else None
        self._stood.append((self.loop.time(), RouteSnapshot(whole, self.etag), raw))
        self.swapped(sender, before, whole, sent_at)
        return f"v{self._version}"

    def of_region(self, region: str, moment: float) -> RouteSnapshot:
        """The document of ``region`` as it stood at ``moment``."""
        whole = self.as_of(moment).document
        versions = next(one for since, one in reversed(self._stood_in) if since <= moment)
        if whole is None or region not in versions:
            return RouteSnapshot(None, None)
        return RouteSnapshot(replace(whole, routes=_records(whole, region)), f"{region} v{versions[region]}")

    def put_region(
        self, region: str, document: RouteDocument | Damaged, expected_etag: str | None, sender: Sender, sent_at: float
    ) -> str:
        """The atomic step of a swap of the document of ``region``; nothing of the others changes, durations aside: customers
        read all as one, with the longest."""
        assert isinstance(document, RouteDocument), "no hand damages a story of several documents"
        found = f"{region} v{self._of_regions[region]}" if region in self._of_regions else None
        if expected_etag != found:
            raise RouteChanged(f"cannot change the routes: somebody else wrote first ({found})")
        others, whole = self._of_regions, self.document or RouteDocument(0, 0)
        ttl, max_write = whole.ttl_seconds, whole.max_write_seconds
        routes = {key: record for key, record in whole.routes.items() if key not in _records(whole, region)}
        merged = replace(document, routes={**routes, **document.routes})
        merged = replace(
            merged,
            ttl_seconds=max(ttl, document.ttl_seconds),
            max_write_seconds=max(max_write, document.max_write_seconds),
        )
        self.put(merged, self.etag, sender, sent_at)
        self._of_regions = {**others, region: self._version}
        self._stood_in[-1] = (self._stood_in[-1][0], self._of_regions)
        return f"{region} v{self._version}"

    def _whole_of(self, damaged: Damaged) -> RouteDocument:
        """What was written back of a damaged document: its whole records, and everything else as it was."""
        raw = encoded(damaged, PLACE)
        assert self.document is not None
        assert self._harm is not None
        whole = replace(self.document, routes=dict(damaged.routes))
        assert json.loads(raw) == json.loads(_text(whole, self._harm)), "a release changes what is not its own"
        return whole

    def damage(self, harm: Harm | None, by: Sender) -> None:
        """A hand writes ``harm`` into the document, or (None) puts it right: what others wrote meanwhile stays."""
        self._harm = harm
        self.edit(lambda document: document, by)

    def edit(self, change: Callable[[RouteDocument], RouteDocument], by: Sender) -> None:
        """A person edits the document by hand; nothing happens while there is none."""
        if self.document is not None:
            self.put(change(self.document), self.etag, by, self.loop.time())


class SimRouter:
    """One node's door to the route document; implements Router."""

    def __init__(self, board: RouteBoard, node: Node, sender: Sender, weather: Weather) -> None:
        self._board = board
        self.weather = weather
        self._node = node
        self._sender = sender

    def document_of(self, region: str) -> str:
        return f"{PLACE} of {region}" if self._board.is_split else PLACE

    async def read(self, region: str = "") -> RouteSnapshot:
        """``region`` "": all there is, as one."""
        self._node.step()
        board, weather = self._board, self.weather
        loop, now = board.loop, board.loop.virtual_now
        if self._is_unanswered(now):
            board.unanswered(self._node.name, now, now + weather.unanswered_after_seconds)
            await nap(loop, now + weather.unanswered_after_seconds)
            raise Unreachable("cannot read the routes: no answer")
        delay = self._delay()
        await self._may_be_refused("read", delay)
        seen_at = now + delay * board.random.random()  # what comes back may be old by then
        await nap(loop, now + delay)
        try:
            snapshot = board.of_region(region, seen_at) if board.is_split and region else board.as_of(seen_at)
        except RoutesDamaged as fault:
            if fault.damaged is not None and self._sender.is_tool:
                board.seen(self._sender.name, RouteDocument(0, 0, routes=dict(fault.damaged.routes)))
            raise
        if snapshot.document is not None and self._sender.is_tool:
            board.seen(self._sender.name, snapshot.document)
        return snapshot

    async def read_text(self) -> bytes | None:
        """As it is written; None: there is no document."""
        snapshot = await self.read()
        return self._board.text_of(snapshot)

    async def swap(self, region: str, document: RouteDocument | Damaged, *, expected_etag: str | None) -> str:
        self._node.step()
        board, weather = self._board, self.weather
        board.sending(self._node, document)
        await self._may_be_refused("change", weather.fast_seconds)
        loop, now, answer = board.loop, board.loop.virtual_now, Answer()
        if not self._is_unanswered(now):
            when = now + self._delay()
            loop.happen(when, self._apply, answer, region, document, expected_etag, now)
            await nap(loop, when)
            return answer.opened()  # type: ignore[no-any-return]
        fate = board.random.choice(("lost", "late", "never"))
        if fate != "never":
            when = now + (self._delay() if fate == "lost" else board.random.uniform(0.0, weather.late_seconds))
            loop.happen(when, self._apply, answer, region, document, expected_etag, now)
        board.unanswered(self._node.name, now, now + weather.unanswered_after_seconds)
        await nap(loop, now + weather.unanswered_after_seconds)
        raise OutcomeUnknown("cannot tell whether the routes were changed: no answer")

    async def _may_be_refused(self, doing: str, delay: float) -> None:
        """Nothing is done then."""
        board = self._board
        if board.is_overloaded():
            board.refused.setdefault(self._node.name, []).append(board.loop.virtual_now)
            await nap(board.loop, board.loop.virtual_now + delay)
            raise Throttled(f"cannot {doing} the routes: it is busy", code="ServerBusy")

    async def prove_writable(self, region: str) -> None:
        """Everybody may write here."""

    async def close(self) -> None:
        """Nothing is held open."""

    def _apply(
        self,
        answer: Answer,
        region: str,
        document: RouteDocument | Damaged,
        expected_etag: str | None,
        sent_at: float,
    ) -> None:
        board, node = self._board, self._node
        if not node.alive and (
            board.random.random() < 0.5 or board.loop.time() > node.sockets_closed_at + ORPHAN_SECONDS
        ):
            return
        if board.is_split:
            answer.write(board.put_region, region, document, expected_etag, self._sender, sent_at)
        else:
            answer.write(board.put, document, expected_etag, self._sender, sent_at)
        if node.alive:
            node.tick()

    def _is_unanswered(self, now: float) -> bool:
        weather = self.weather
        if not weather.bad_from <= now < weather.bad_until:
            return False
        return self._board.random.random() < weather.unanswered_chance

    def _delay(self) -> float:
        draw, weather = self._board.random.random(), self.weather
        if draw < weather.slow_chance:
            return self._board.random.uniform(0.0, weather.slow_seconds)
        return weather.fast_seconds * (0.5 + draw)


def _records(document: RouteDocument, region: str) -> dict[str, RouteRecord]:
    return {key: record for key, record in document.routes.items() if key.startswith(f"{region}/")}


def _text(document: RouteDocument, harm: Harm) -> bytes:
    body = json.loads(document.encode())
    harm(body)
    return json.dumps(body).encode()
