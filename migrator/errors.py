"""The tree of errors, by who acts next.

    MigrateError
      UsageError            the person at the keyboard: wrong words, no terminal and no --yes   exit 64
      PlanError             the plan's author: one or more faults, each file:line:column        exit 1
      StalePlanError        the operator: make the saved plan again                             exit 6
      LockedError           wait: another run holds the lock                                    exit 5
      FindingsError         the operator: error findings, or a declined prompt                  exit 1
      JudgementError        the operator decides: halted, gate, difference, conflict            exit 4
        RouteDisagreement   route and state disagree: put the record back
      StateError            the state store: missing, busy, full; a run that is at work tries again  exit 1
        CommitUnknown       its answer is lost: the next call finds out, and who makes it again says so
        StateFull           its disk is full: outside a fence tried again, in one the run ends when writers are free
        StateUnusable       it is damaged, newer than the program, or may not be written
      CloudError            the service, after its retries; then the operator                   exit 1
        AccessRefused       credentials or rights (401, 403)
        Unreachable         no answer at all, name or connection
        Throttled           503 ServerBusy / 500 OperationTimedOut, with Retry-After
        NotFound            the blob, the container or the account is not there
        ConditionFailed     If-Match / If-None-Match refused (412, 409 BlobAlreadyExists)
        SourceChanged       the condition on a copy's source was refused
        OutcomeUnknown      a write was sent and no answer came: it may still be applied
        Unsupported         the service cannot do that (501 and relatives)
      RouteChanged          a compare-and-swap of the route was refused
      LeaseError            a client of the route (see migrator.client)
      InternalError         us; its text begins with "internal error:"                           exit 1

A message is one plain sentence: lower case, no full stop, "cannot ...", then why; ``hint`` says what to do next.
No message, hint or cause ever holds a secret. This file imports nothing of the project.
"""

from __future__ import annotations


class MigrateError(Exception):
    """Root of all errors meant for a person.

    Args:
        message: "cannot ... : why"; lower case, no full stop.
        hint: what to do next, as a sentence without a full stop; may be empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(MigrateError):
    """The command line cannot be carried out as written."""


class FaultLine(str):
    """One fault of a plan, or one warning: ``file:line:column: message``, and its parts for programs."""

    __slots__ = ("code", "column", "file", "line", "message")

    file: str
    line: int
    column: int
    code: str
    message: str

    @classmethod
    def of(cls, file: str, line: int, column: int, code: str, message: str) -> FaultLine:
        made = cls(f"{file}:{line}:{column}: {message}")
        made.file, made.line, made.column, made.code, made.message = file, line, column, code, message
        return made


class PlanError(MigrateError):
    """The plan document has faults; ``faults`` holds one printable line for each (``file:line:column: ...``)."""

    def __init__(self, message: str, *, faults: tuple[FaultLine, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.faults = faults


class StalePlanError(MigrateError):
    """A saved plan's fingerprint is no longer that of the world."""


class LockedError(MigrateError):
    """Another run holds the state store's lock."""


class FindingsError(MigrateError):
    """The preview found errors, or the person declined."""


class JudgementError(MigrateError):
    """The engine stopped and a person must decide."""


class RouteDisagreement(JudgementError):
    """The route document says something that the state store cannot explain."""


class StateError(MigrateError):
    """The state store cannot be read or written now; nothing was written."""


class CommitUnknown(StateError):
    """No answer came to a commit, so it may have been written or not. The store's next call finds out first. ``commit`` is its
    identity: whoever makes it again says so (``ports.state_store.made_again``), and it is not made twice."""

    def __init__(self, message: str, *, hint: str = "", commit: str = "") -> None:
        super().__init__(message, hint=hint)
        self.commit = commit


class StateFull(StateError):
    """Its disk is full. Most often that ends when a person makes room, so writers never wait for it."""


class StateUnusable(StateError):
    """Another try changes nothing: it is damaged, another program's, newer than this one, or may not be read or written."""


class CloudError(MigrateError):
    """A service refused or failed. ``code`` is the service's error code, or empty; ``account`` names the account of the plan
    that a run gave up asking, or is empty."""

    def __init__(self, message: str, *, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.account = ""


class AccessRefused(CloudError):
    """Authentication or authorisation failed."""


class Unreachable(CloudError):
    """No answer came and nothing can have been written (the request was a read, or was never sent)."""


class Throttled(CloudError):
    """The service asks for less; ``retry_after_seconds`` is its wish, or None. ``account_side`` is "origin" when
    a server-side copy was refused by the copy's source, else "self"."""

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        code: str = "",
        retry_after_seconds: float | None = None,
        account_side: str = "self",
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.retry_after_seconds = retry_after_seconds
        self.account_side = account_side


class NotFound(CloudError):
    """``what`` is "blob", "container" or "account", or "group" where an account is to be looked for."""

    def __init__(self, message: str, *, what: str, hint: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint, code=code)
        self.what = what


class ConditionFailed(CloudError):
    """A conditional write was refused; nothing was written."""


class SourceChanged(CloudError):
    """The copy's source no longer has the wanted generation (412 on the source); nothing was written."""


class OutcomeUnknown(CloudError):
    """A write was sent and not answered: it may have been applied, or be applied later."""


class Unsupported(CloudError):
    """This service or account cannot do the operation at all."""


class RouteChanged(MigrateError):
    """A compare-and-swap of the route was refused: somebody else wrote first."""


class LeaseError(MigrateError):
    """A client of the route cannot go on as asked; the subclasses live in ``migrator.client``."""


class InternalError(MigrateError):
    """A bug of ours."""

    def __init__(self, message: str) -> None:
        super().__init__(f"internal error: {message}", hint="please report it with the output of --debug")
