"""What happens to the data that a move has left at its source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from migrator.model.happenings.happening import Journaled, Shown
from migrator.model.values import value


@value(frozen=True, slots=True)
class WatchRestarted(Journaled, Shown):
    """The source changed after the switch, which nobody had seen yet: it is watched from its beginning again."""

    kind = "retire-watch-restarted"
    source: Annotated[str, "the account that should be still"]
    found: Annotated[int, "objects that changed there"]
    named: Annotated[tuple[str, ...], "some of them, each with what happened to it"]
    until: Annotated[str, "when the watch is over, if nothing changes (ISO 8601)"]


@value(frozen=True, slots=True)
class RetireKept(Shown):
    """Nothing is deleted yet: unanswered writes of earlier runs may still be applied at the source."""

    kind = "retire-kept"
    shown_as = "waiting"
    seconds: Annotated[float, "s until none of them can be"]


@value(frozen=True, slots=True)
class RetireBegun(Journaled, Shown):
    """An operator lets the data at the source go: from here on there is no way back."""

    kind = "retire-begun"
    source: Annotated[str, "the account whose data goes"]
    objects: Annotated[int, "at most so many are deleted"]
    gates: Annotated[tuple[str, ...], "what showed that nobody reads there, each with its reason"] = ()
    reads_unproved: Annotated[bool, "did the operator say that nothing shows it?"] = False


@value(frozen=True, slots=True)
class SourceDeleted(Journaled):
    """A group of objects was deleted at the source."""

    kind = "source-deleted"
    source: Annotated[str, "the account"]
    container: Annotated[str, "its container"]
    objects: Annotated[int, "objects deleted"]
    bytes: Annotated[int, "their size"]


@value(frozen=True, slots=True)
class RetireEnded(Journaled, Shown):
    """What may go at the source is gone."""

    kind = "retire-ended"
    source: Annotated[str, "the account"]
    objects: Annotated[int, "objects deleted, by this run"]
    bytes: Annotated[int, "their size"]
    kept: Annotated[Mapping[str, int], "objects that stay, by the reason"]
    named: Annotated[tuple[str, ...], "some of them, each with the reason's word"]
