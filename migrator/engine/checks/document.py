"""What the plan document alone shows, and the forecast that is made of it: asks nobody.

Decides which of it is an error at which moment: what can be promised depends on the day, which ``validate`` does not know. Leaves
load, time and dates to ``forecast``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migrator.engine.checks.case import Case
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.moments import When
from migrator.forecast.deadlines import MISSED
from migrator.kinds import ROUTING
from migrator.model.findings import Finding
from migrator.model.units import show_duration
from migrator.model.values import replace


def warned(case: Case) -> Iterator[Finding]:
    """What the reader of the document warned of, each at its place; keys that are not built have a check of their own."""
    for line in case.lines:
        if line.code != "not-built":
            yield Finding("warning", "plan-document", f"{line.file}:{line.line}:{line.column}", line.message)


def not_built(case: Case) -> Iterator[Finding]:
    """Valid keys that this version cannot apply: a warning for whoever only writes the plan."""
    for key in case.schedule.not_built:
        text = f"{key} is valid, but this version cannot apply it"
        yield Finding("warning" if case.when is When.VALIDATE else "error", "not-built", key, text)


def forecast(case: Case) -> Iterator[Finding]:
    """Load, pauses and dates. A date that would be missed is no fault of a document: it depends on the day."""
    for finding in case.outlook.findings if case.outlook is not None else ():
        is_day = finding.code == MISSED and case.when is When.VALIDATE
        yield replace(finding, severity="warning") if is_day else finding


def full_drains(case: Case) -> Iterator[Finding]:
    """Routes whose followers cannot enter a register."""
    routing = case.schedule.routing
    kind = ROUTING[routing.kind]
    if kind.has_register:
        return
    stale = kind.stale_seconds
    more = f", {show_duration(stale)} of it since the store may show an older version so long" if stale else ""
    text = (
        f"routes of kind {kind.name} have no register of followers: every cut-over waits its whole drain of"
        f" {show_duration(routing.drain_seconds)}{more}"
    )
    yield Finding("info", "full-drain", "routing", text)


_DOCUMENT: Final = frozenset({When.VALIDATE, When.PLAN})
WARNED: Final = Check(
    (Says("plan-document", ("warning",), "place", "the reader of the plan document warns, at a line and column"),),
    _DOCUMENT,
    warned,
)
NOT_BUILT: Final = Check(
    (
        Says(
            "not-built",
            ("error", "warning"),
            "key",
            "a key of the plan is valid, but this version cannot apply it",
            "take it out for now",
        ),
    ),
    _DOCUMENT,
    not_built,
)
FULL_DRAIN: Final = Check(
    (
        Says(
            "full-drain",
            ("info",),
            "routing",
            "followers of these routes cannot say when they have seen a fence, so every drain is waited for in full",
            "shorten routing.ttl, or keep the routes in a blob",
        ),
    ),
    _DOCUMENT,
    full_drains,
)
FORECAST: Final = Check(
    (
        Says(
            "account-limit-unknown",
            ("info",),
            "account",
            "an account has no limit in the plan, so nobody can say whether it carries its load",
        ),
        Says(
            "account-near-limit",
            ("warning",),
            "account",
            "an account would come near the limit that the plan gives it",
        ),
        Says(
            "account-overloaded",
            ("error",),
            "account",
            "an account would come over the limit that the plan gives it",
        ),
        Says(
            "traffic-unknown",
            ("info",),
            "account",
            "the plan says nothing of an area's traffic, so the load of its account is too low",
            "add it under the region's `traffic`; `migrate traffic PLAN` measures it where an account is one area's",
        ),
        Says(
            "traffic-unmeasured",
            ("info", "warning"),
            "account",
            "the plan leaves an area's traffic to a meter that was not asked yet, cannot be asked, or is shared by several areas",
            "write a figure in its place: of the applications' own, or of the account's logs by container",
        ),
        Says(
            "long-drain",
            ("warning",),
            "routing",
            "the drain alone pauses writers for more than two minutes in each cut-over",
            "shorten routing.ttl or cutover.max_write before the first apply",
        ),
        Says(
            "fence-too-long",
            ("error", "warning"),
            "move",
            "a cut-over would pause writers for longer than its `fence_timeout` or `max_pause`",
        ),
        Says(
            "streamed-in-fence",
            ("info", "warning"),
            "move",
            "append and page blobs that keep changing go through this machine while writers wait",
        ),
        Says("deadline-missed", ("error", "warning"), "wave", "a wave will not be complete at its `complete_by`"),
        Says(
            "deadline-without-reserve",
            ("info",),
            "wave",
            "a wave will be complete in time only if nothing goes wrong",
            "begin earlier if you can",
        ),
        Says(
            "window-never-opens",
            ("error", "warning"),
            "wave",
            "no change window has room for a cut-over",
            "make its change_windows longer, or its fence shorter (split the area by prefix)",
        ),
    ),
    _DOCUMENT,
    forecast,
)
