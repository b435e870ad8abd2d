"""A lean HTTP/1.1 client for one server: what thousands of small requests a second to a storage account need.

The rules of this room:
- a request is sent once; only a read whose kept connection had closed before any byte of an answer goes out again, on a
  fresh connection, and so does a request of which nothing was sent;
- a failure says whether anything can have reached the server: ``NotSent`` or ``NoAnswer``;
- a connection is used again only after a whole, well-formed answer to a whole request, and never after a cancellation;
- what a server may make us hold in memory is bounded: head, body, interim answers, bytes waiting for a slow reader;
- nothing is pipelined, decompressed, redirected or cached, and no cookie is kept;
- no header, name or address can end its line: what would is refused before anything is sent.

``heads`` writes requests, ``connection`` reads answers, ``pool`` keeps connections, ``dialling`` makes them, ``client``
puts them together. What is not here because it is not HTTP: signatures, retries, what a status means.
"""

from migrator.adapters.azure.wire.answers import Answer, Headers, Stream
from migrator.adapters.azure.wire.client import Client
from migrator.adapters.azure.wire.failures import NoAnswer, NotSent, TooLarge, UnsafeRequest, WireFailure
from migrator.adapters.azure.wire.limits import Timeouts, WireLimits

__all__ = [
    "Answer",
    "Client",
    "Headers",
    "NoAnswer",
    "NotSent",
    "Stream",
    "Timeouts",
    "TooLarge",
    "UnsafeRequest",
    "WireFailure",
    "WireLimits",
]
