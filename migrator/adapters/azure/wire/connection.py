"""One connection: a request goes out, one answer comes in, and is held to the protocol and to the limits.

Framing is decided here, on the parser's events: a HEAD, a 204 and a 304 have no body whatever their headers say; a body
has a length or comes in chunks, never both; a success whose end only the connection's end would show is not believed.
Whatever breaks a rule makes the connection unusable at once; what the caller may conclude is said in ``failures``.
Rule: ``is_reusable`` is true only between a whole answer to a wholly sent request and the next request.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Any, cast

import httptools

from migrator.adapters.azure.wire import failures
from migrator.adapters.azure.wire.answers import Answer, Headers, Pairs, Stream
from migrator.adapters.azure.wire.failures import NoAnswer, NotSent, TooLarge, WireFailure
from migrator.adapters.azure.wire.limits import JOINED_BYTES, WRITE_SLICE_BYTES, Timeouts, WireLimits

Body = bytes | bytearray | memoryview

IDLE, HEAD, BODY, DONE = range(4)
"""Where the answer is: none expected, its head comes, its body comes, it is whole."""
NO_BODY = frozenset({204, 304})
FRAMING = frozenset({b"content-length", b"transfer-encoding"})
"""Say where a body ends, so they stand before it or nowhere."""


class Connection(asyncio.Protocol):
    """Made by ``dialling``. One exchange at a time: ``send``, await the answer, then look at ``is_reusable``."""

    __slots__ = (
        "_answer",
        "_body",
        "_body_bytes",
        "_chunks",
        "_collected_by",
        "_collects",
        "_fed_bytes",
        "_headers",
        "_interim",
        "_is_head",
        "_limits",
        "_loop",
        "_most_bytes",
        "_on_lost",
        "_pairs",
        "_parser",
        "_poll",
        "_progress",
        "_reading_is_paused",
        "_state",
        "_status",
        "_stop",
        "_streams",
        "_timeouts",
        "_transport",
        "_waiting_bytes",
        "_writing_is_paused",
        "deadline",
        "exchanges",
        "idle_until",
        "is_reusable",
        "is_sent_whole",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, limits: WireLimits, timeouts: Timeouts) -> None:
        self._loop = loop
        self._limits = limits
        self._timeouts = timeouts
        self._on_lost: Callable[[Connection], None] | None = None
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._poll: Any = None
        self._answer: asyncio.Future[Answer | Stream] | None = None
        self.deadline = inf
        """When, by the loop's clock, this exchange has been still for too long; the pool looks now and then."""
        self._collected_by = inf
        self.exchanges = 0
        self.idle_until = inf
        self.is_reusable = False
        self._state = IDLE
        self._stop: WireFailure | None = None
        self._progress: asyncio.Future[None] | None = None
        self._writing_is_paused = self._reading_is_paused = False
        self.is_sent_whole = True
        self._streams = self._collects = self._is_head = False
        self._status = self._fed_bytes = self._body_bytes = 0
        self._interim = self._most_bytes = self._waiting_bytes = 0
        self._headers: Headers = {}
        self._pairs: Pairs = []
        self._body: list[bytes] = []
        self._chunks: deque[bytes] = deque()

    # The pool's side

    def watch(self, on_lost: Callable[[Connection], None]) -> None:
        """Tell ``on_lost`` when the connection ends while no exchange is going on."""
        self._on_lost = on_lost
        self.is_reusable = self._stop is None and self._transport is not None

    def is_alive(self, now: float) -> bool:
        """May a request go out here? Looks at the socket itself, for the loop may not have come to it yet: a write sent to
        a server that has hung up is a write whose outcome nobody knows."""
        if not self.is_reusable or self._transport is None or self._transport.is_closing() or self.idle_until <= now:
            return False
        return not self._has_news()

    def _has_news(self) -> bool:
        """Is there anything to read? On a connection where nothing is asked for that is its end, or nonsense."""
        if self._poll is None:
            handle = cast(asyncio.Transport, self._transport).get_extra_info("socket")
            if handle is None or not hasattr(select, "poll"):
                return False
            if handle.fileno() < 0:
                return True
            self._poll = select.poll()
            self._poll.register(handle.fileno(), select.POLLIN)
        return bool(self._poll.poll(0))

    def rest(self, now: float) -> None:
        """Be kept: until when is the server's word or ours, whichever is shorter."""
        self.idle_until = now + self._timeouts.idle
        if b"keep-alive" in self._headers:
            self._obey_keep_alive(now, self._headers[b"keep-alive"])

    def _obey_keep_alive(self, now: float, wish: bytes) -> None:
        _, found, rest = wish.partition(b"timeout=")
        seconds = rest.partition(b",")[0].strip()
        if found and seconds.isdigit() and len(seconds) < 7:
            self.idle_until = min(self.idle_until, now + max(0.0, int(seconds) - 1.0))

    def send(
        self, head: bytes, body: Body, *, is_head: bool, most_bytes: int, streams: bool
    ) -> asyncio.Future[Answer | Stream]:
        """Begin an exchange; unless ``is_sent_whole`` then, ``body`` is too long for one write and ``send_body`` follows.

        Args:
            most_bytes: longest body of a success that is held in memory; what is longer fails as TooLarge.
            streams: a success comes as a Stream, with its body still to be read.
        Raises NotSent if the connection has ended.
        """
        if self._transport is None or self._stop is not None:
            raise NotSent(failures.BROKE)
        transport = self._transport
        answer = self._answer = self._loop.create_future()
        self._is_head, self._most_bytes, self._streams = is_head, most_bytes, streams
        self._interim = self._fed_bytes = 0
        self._reset_head()
        self._state = HEAD
        self.is_reusable = False
        self.exchanges += 1
        if len(body) <= JOINED_BYTES:
            self.is_sent_whole = True
            transport.write(head + body if body else head)
            now = self._loop.time()
            self.deadline = now + self._timeouts.first_byte
            self._collected_by = now + self._timeouts.whole
        else:
            self.is_sent_whole = False
            transport.write(head)
            self.deadline = self._loop.time() + self._timeouts.send
            self._collected_by = inf
        return answer

    async def send_body(self, body: Body) -> None:
        """Hand the body over, at the server's pace; stops early when the answer is there or the connection is not."""
        view = memoryview(body)
        for start in range(0, len(view), WRITE_SLICE_BYTES):
            while self._writing_is_paused and self._is_wanted():
                await self._some_progress()
            if not self._is_wanted():
                return
            cast(asyncio.Transport, self._transport).write(view[start : start + WRITE_SLICE_BYTES])
            self.deadline = self._loop.time() + self._timeouts.send
        self.is_sent_whole = True
        if self._state == HEAD:
            now = self._loop.time()
            self.deadline, self._collected_by = now + self._timeouts.first_byte, now + self._timeouts.whole

    def _is_wanted(self) -> bool:
        return self._state == HEAD and self._stop is None

    async def _some_progress(self) -> None:
        self._progress = self._loop.create_future()
        try:
            await self._progress
        finally:
            self._progress = None

    def _tell_progress(self) -> None:
        if self._progress is not None and not self._progress.done():
            self._progress.set_result(None)

    def abort(self) -> None:
        """Never use this connection again; whoever waits on it is told."""
        self._fail(NoAnswer(failures.CLOSED))

    def give_up(self) -> None:
        """Nobody waits for the answer any more."""
        self.abort()
        if self._answer is not None and not self._answer.cancel() and not self._answer.cancelled():
            self._answer.exception()  # so that nobody is told that nobody looked at it

    def time_out(self) -> None:
        """Nothing moved for too long."""
        self._fail(NoAnswer(failures.NO_ANSWER_IN_TIME, was_begun=self._fed_bytes > 0))

    def _fail(self, failure: WireFailure) -> None:
        if self._stop is None:
            self._stop = failure
        self.is_reusable = False
        self.deadline = inf
        if self._transport is not None:
            self._transport.abort()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(self._stop)
        self._tell_progress()

    # The reader's side of a stream

    async def next_chunk(self) -> bytes | None:
        """The next piece, or None at the end."""
        while not self._chunks:
            if self._state == DONE:
                return None
            if self._stop is not None:
                raise self._stop
            await self._some_progress()
        chunk = self._chunks.popleft()
        self._waiting_bytes -= len(chunk)
        if self._reading_is_paused and self._waiting_bytes <= self._limits.stream_bytes // 2:
            self._resume_reading()
        return chunk

    def _resume_reading(self) -> None:
        self._reading_is_paused = False
        if self._stop is not None or self._transport is None:
            return
        if self._state == BODY:
            self.deadline = self._loop.time() + self._timeouts.between_bytes
        self._transport.resume_reading()

    def leave_stream(self) -> None:
        if self._state != DONE or self._chunks:
            self._chunks.clear()
            self.abort()

    # The transport's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._state == HEAD or self._state == BODY or self._stop is None:
            why = failures.NO_TRUST if isinstance(error, ssl.SSLError) else failures.BROKE
            self._fail(NoAnswer(why, was_begun=self._fed_bytes > 0))
        if self._on_lost is not None:
            self._on_lost(self)

    def pause_writing(self) -> None:
        self._writing_is_paused = True

    def resume_writing(self) -> None:
        self._writing_is_paused = False
        if self._state == HEAD and not self.is_sent_whole:
            self.deadline = self._loop.time() + self._timeouts.send
        self._tell_progress()

    def data_received(self, data: bytes) -> None:
        if self._stop is not None:
            return
        self._fed_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._stumble()
            return
        if self._state == HEAD:
            if self._fed_bytes > self._limits.head_bytes or len(self._pairs) > self._limits.headers:
                self._stumble()
        elif self._state == BODY and not self._reading_is_paused:
            self._set_body_deadline()
            if self._fed_bytes - self._body_bytes > 2 * self._limits.head_bytes + 16 * self._body_bytes:
                self._stumble()  # chunk extensions, trailers, anything but a body

    def _set_body_deadline(self) -> None:
        deadline = self._loop.time() + self._timeouts.between_bytes
        self.deadline = min(deadline, self._collected_by) if self._collects else deadline

    def _stumble(self) -> None:
        """What came is no answer that we take; one that was whole before it stands."""
        self._fail(self._stop or NoAnswer(failures.NOT_UNDERSTOOD))

    # The parser's side

    def on_message_begin(self) -> None:
        if self._state != HEAD:  # an answer that nobody asked for
            raise _Broken

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._state == HEAD:
            self._pairs.append((name, value))
        elif name.lower() in FRAMING:  # a trailer must not say how long a body is (RFC 9110, 6.5.1)
            raise _Broken

    def _read_head(self) -> Headers:
        """The headers by name, once they are all there. How many may come in one piece is bounded by what a read takes."""
        pairs, limits = self._pairs, self._limits
        is_long = self._fed_bytes > limits.head_bytes and _length(pairs) > limits.head_bytes
        if is_long or len(pairs) > limits.headers:
            raise _Broken
        headers = {name.lower(): value for name, value in pairs}
        if len(headers) < len(pairs):
            headers = _joined(pairs)
        self._headers = headers
        return headers

    def on_headers_complete(self) -> None:
        headers = self._read_head()
        status = self._parser.get_status_code()
        if status < 200:
            if status == 101:
                raise _Broken
            return  # interim: on_message_complete counts it
        self._status = status
        if self._is_head or status in NO_BODY:
            self._state = BODY
            if self._is_head:
                # The parser would wait for the body that the headers tell of.
                self._parser_is_stuck()
            return
        encoding = headers.get(b"transfer-encoding")
        if encoding is not None and encoding.lower() != b"chunked":
            raise _Broken
        if encoding is None and b"content-length" not in headers:
            self._end_without_length()
            return
        self._state = BODY
        if status < 300:
            self._begin_success(headers)

    def _begin_success(self, headers: Headers) -> None:
        if not self.is_sent_whole or self._has_unsent():
            raise _Broken  # the server cannot have seen the whole request
        if self._streams:
            self._collects = False
            self.deadline = self._loop.time() + self._timeouts.between_bytes
            self._resolve(Stream(self._status, headers, self._pairs, self))
        elif int(headers.get(b"content-length", b"0")) > self._most_bytes:
            self._stop = TooLarge()
            raise _Broken

    def _has_unsent(self) -> bool:
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    def _parser_is_stuck(self) -> None:
        """The answer ends here, for the parser would go on."""
        wish = self._headers.get(b"connection", b"").lower()
        self._complete(self._parser.get_http_version() == "1.1" and b"close" not in wish)
        self._parser = httptools.HttpResponseParser(self)

    def _end_without_length(self) -> None:
        """Only a refusal may leave its length out; its body is left unread."""
        if self._status < 300:
            raise _Broken
        self._complete(False)
        self._state = DONE
        raise _Broken

    def on_body(self, data: bytes) -> None:
        if self._state != BODY:
            raise _Broken
        self._body_bytes += len(data)
        if self._collects:
            if self._body_bytes > (self._most_bytes if self._status < 300 else self._limits.error_bytes):
                self._overflow()
            self._body.append(data)
            return
        self._chunks.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > self._limits.stream_bytes and not self._reading_is_paused:
            self._reading_is_paused = True
            self.deadline = inf  # it is the reader who is slow now
            cast(asyncio.Transport, self._transport).pause_reading()
        self._tell_progress()

    def _overflow(self) -> None:
        if self._status >= 300:
            self._complete(False)
        else:
            self._stop = TooLarge()
        raise _Broken

    def on_message_complete(self) -> None:
        if self._state == DONE:
            return
        if self._state == HEAD:
            self._interim += 1
            if self._interim > self._limits.interim_answers:
                raise _Broken
            self._reset_head()
            return
        self._complete(self._parser.should_keep_alive())

    def _complete(self, keeps: bool) -> None:
        self._state = DONE
        self.deadline = inf
        self.is_reusable = keeps and self.is_sent_whole and not self._has_unsent() and self._stop is None
        if self._collects:
            body = self._body
            whole = b"" if not body else body[0] if len(body) == 1 else b"".join(body)
            self._resolve(Answer(self._status, self._headers, self._pairs, whole))
            self._body = []
        self._tell_progress()

    def _resolve(self, answer: Answer | Stream) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def _reset_head(self) -> None:
        self._headers = {}
        self._pairs = []
        self._body_bytes = self._status = 0
        self._collects = True


def _length(pairs: Pairs) -> int:
    return sum([len(name) + len(value) + 4 for name, value in pairs])


def _joined(pairs: Pairs) -> Headers:
    headers: Headers = {}
    for name, value in pairs:
        key = name.lower()
        headers[key] = b"%b, %b" % (headers[key], value) if key in headers else value
    return headers


class _Broken(Exception):
    """Raised to the parser, which then stops; it comes back as its callback error."""
