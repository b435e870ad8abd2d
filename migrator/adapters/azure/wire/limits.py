"""How long a phase of an exchange may take, and how much a server may make us hold. Values only."""

from __future__ import annotations

from migrator.model.values import value


@value(frozen=True, slots=True)
class Timeouts:
    """Seconds. Each phase begins anew with every byte of progress."""

    connect: float = 10.0
    """Name, connection and TLS together."""
    send: float = 60.0
    """Longest time in which the server takes nothing of a request's body."""
    first_byte: float = 60.0
    """From the request's last byte to the answer's first. Source: Azure gives up most requests after 30 s itself; a
    synchronous copy of 256 MiB takes longer."""
    between_bytes: float = 60.0
    """Longest silence inside an answer, while somebody reads it."""
    whole: float = 600.0
    """For an answer that is collected in memory, however steadily it trickles; a stream is bounded by its reader."""
    idle: float = 20.0
    """How long an unused connection is kept; less if the server says so."""


@value(frozen=True, slots=True)
class WireLimits:
    connections: int = 1024
    """Most connections at once, those of streams excepted, which their readers bound."""
    head_bytes: int = 64 * 1024
    """An answer's status line and headers. Source: Azure allows 8 KiB of metadata."""
    headers: int = 200
    error_bytes: int = 64 * 1024
    """Of a refusal's body; the rest is left unread and the connection closed."""
    interim_answers: int = 16
    """Answers of status 1xx before the real one."""
    stream_bytes: int = 1024 * 1024
    """What waits for a slow reader before we stop reading from the network; one network read may come on top."""


WRITE_SLICE_BYTES = 256 * 1024
"""A body is handed over in slices, each when the earlier ones are nearly gone."""
JOINED_BYTES = 32 * 1024
"""A body up to this size goes out together with its head, in one write."""
