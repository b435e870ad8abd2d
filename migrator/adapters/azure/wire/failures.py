"""How an exchange can fail, by what the caller may conclude.

    WireFailure
      NotSent           not one byte of the request left this machine
        UnsafeRequest   it holds characters that would end or split a header line
      NoAnswer          it was sent, in part at least, and no whole and well-formed answer came
        TooLarge        the answer was well-formed so far, but longer than the caller allows

``why`` completes "cannot ...: "; it never repeats what was sent or received.
"""

from __future__ import annotations

UNKNOWN_NAME = "its name is not known"
NOTHING_LISTENS = "nothing listens there"
NO_TRUST = "its certificate or TLS is not accepted"
NO_CONNECTION_IN_TIME = "no connection within the time allowed"
OF_PROXY = "of the proxy "
NO_TUNNEL = "it does not connect to the server"
WHO_ARE_YOU = "it wants a name and a password, or others (HTTP 407)"
PROXY_ADDRESS = "the environment names a proxy whose address is none of the kind http://NAME:PORT"
NO_CONNECTION = "the connection failed"
NO_FILES = "this process may open no more files (ulimit -n)"
NO_ANSWER_IN_TIME = "no answer within the time allowed"
BROKE = "the connection broke before the answer came"
NOT_UNDERSTOOD = "its answer cannot be understood"
TOO_LARGE = "its answer is larger than allowed"
TOO_LATE = "its time was over before it could be sent"
CLOSED = "its connections were closed on this side"
UNSAFE = "a name or value in it holds control characters"


class WireFailure(Exception):
    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class NotSent(WireFailure):
    """Nothing was sent; any request may be sent again."""


class UnsafeRequest(NotSent):
    """The request cannot be written down without changing its meaning; sending it again will not help."""

    def __init__(self) -> None:
        super().__init__(UNSAFE)


class NoAnswer(WireFailure):
    """A read may be sent again; of a write nobody knows the outcome. ``was_begun``: some byte of an answer came."""

    def __init__(self, why: str, *, was_begun: bool = True) -> None:
        super().__init__(why)
        self.was_begun = was_begun


class TooLarge(NoAnswer):
    """The answer to a smaller question may fit."""

    def __init__(self) -> None:
        super().__init__(TOO_LARGE)
