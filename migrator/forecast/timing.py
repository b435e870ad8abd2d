"""How long will a move take, and how long will its writers pause? From an inventory, the budget and the grounds.

Decides by counting requests and bytes on both accounts, copies under way and this machine's work; the slowest bound is the time
of the first copy, and passes follow until the lag is small. Leaves the calendar to ``timeline`` and money to ``requests``.
Rule: a figure that cannot be known is None, never 0. Not counted, because nobody knows it: retries, and blobs that must be
streamed through this machine because its service cannot copy them. What a fence streams is told apart
(``streaming_seconds``): how much of it still changes when writers stop, only the passes before the fence can tell, and no
fence begins that would not fit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from migrator.forecast.converging import STREAM_BYTES_PER_SECOND
from migrator.forecast.grounds import NO_GROUNDS, Grounds
from migrator.forecast.inventory import Inventory
from migrator.forecast.means import is_embedded
from migrator.forecast.passing import (
    HEADROOM,
    UNDER_WAY,
    beginning_seconds,
    catching_up,
    first_listing_seconds,
    machine_seconds,
    under_way_seconds,
)
from migrator.forecast.requests import RequestCounts
from migrator.forecast.scans import has_lanes, page_seconds_of, pages_of, scan_seconds, second_look, tells_texts
from migrator.forecast.spread import ASSUMED, MEASURED, Range
from migrator.model.findings import Finding
from migrator.model.names import MoveId
from migrator.model.rhythm import USUAL
from migrator.model.schedule import Budget, PlannedMove, PlannedWave, Routing, Schedule
from migrator.model.units import show_bytes, show_duration
from migrator.model.values import replace, value

THROUGH_HERE: Final = "bytes through this machine (verify: content)"
THIS_MACHINE: Final = "this machine"
LISTINGS: Final = "listings"
LONG_DRAIN_SECONDS: Final = 120.0
TOLD_FROM_SECONDS: Final = 1.0
"""What a fence streams in less than this is not worth a line."""
COPY_BLOCK_BYTES: Final = USUAL.sizes.server_block_bytes
"""One block of a large copy."""
FENCE_SECONDS: Final = 0.2
"""Of a fence whose listings take no time, beside its drain and its commits: its guardian begins, the route is swapped twice.
Source: ``python -m tests.forecasts``, quiet."""
COMMITS: Final = 6
"""Of a pass, beside those of its ranges; and of a fence. Source: the same."""
FENCES_TOGETHER: Final = 0.5
"""Of what others of a wave work on in their fences, the part that meets a fence: they are not ready at the same moment."""
PARTS_ROOM: Final = 0.75
"""Of the time a fence may take, what a part of an area uses: its lag lies in fewer ranges, so more of it is looked at twice."""
LONG_SECONDS: Final = 10.0
"""Of a pause beside its drain: from here on it is worth a word what more cores make of it."""
MORE: Final = (2, 4)
"""Times as many."""
BEFORE_FENCE_SECONDS: Final = 1.0
"""From the last pass to the fence: the gates are asked again, and a canary goes both ways."""


@value(frozen=True, slots=True)
class MoveForecast:
    """Requests until ``ready`` on each side, the time that takes under the budget, and the writers' pause.

    ``copy_seconds``: copy and catch-up, from the begin to ``ready``. ``fence_seconds``: the writers' pause, as customers change
    their objects now; ``most_seconds``: if the largest lag with which a fence may begin is in it, which is what findings and
    change windows go by. ``scan_seconds`` and ``again_seconds`` are parts of that: a comparison of both sides, which costs
    ``scan`` on each of them, and a second look at ranges in which the first one carried the lag over. ``fence_requests``: of
    both, on both sides. ``bound_by`` says what decides how long the first copy takes: "requests of ACCOUNT", "bytes of ACCOUNT",
    copies under way, the listings or this machine.
    """

    id: MoveId
    source: str
    target: str
    inventory: Inventory
    source_requests: RequestCounts
    target_requests: RequestCounts
    copy_seconds: float
    scan: RequestCounts
    scan_seconds: float
    again_seconds: float
    fence_requests: RequestCounts
    fence_seconds: float
    fence_timeout_seconds: float
    bound_by: str
    most_seconds: float = 0.0
    machine_seconds: float = 0.0
    """This machine's own part of ``copy_seconds``: moves at the same time share it."""
    fence_machine_seconds: float = 0.0
    """The same of the pause beside the drain."""
    changes_per_second: float | None = None
    """Objects that customers change; None: nobody knows."""
    assumes: tuple[str, ...] = ()
    """What was taken for granted, a clause each."""
    proved_bytes: float = 0.0
    """Read on each side, and through this machine, to prove contents (``verify: content``)."""
    max_pause_seconds: float = math.inf
    streaming_seconds: float = 0.0
    """Beyond ``fence_seconds``, if as many append and page blobs as the largest lag allows are in it."""
    drain_seconds: float = 0.0
    """The part of ``fence_seconds`` in which writes of before end: by roll-call, where the plan wants one."""
    bound_seconds: float = 0.0
    """What that may take at most, where somebody does not answer; a fence begins only if that fits too."""
    more_processes: tuple[tuple[int, float], ...] = ()
    """What more cores make of a long pause: so many processes, on as many cores, and ``fence_seconds`` with them."""
    share: float = ASSUMED
    """How far off it may be, as a share: more where something was assumed."""

    @property
    def requests(self) -> float:
        """On both sides, the fence included; scans of the soak are not."""
        return self.source_requests.total + self.target_requests.total + self.fence_requests.total

    @property
    def copying(self) -> Range:
        """Seconds."""
        return Range.around(self.copy_seconds, self.share, self.inventory.error_ratio)

    @property
    def pause(self) -> Range:
        """Seconds; the drain is what it is, and the largest lag is thinkable."""
        return Range.around(
            self.fence_seconds,
            self.share,
            self.inventory.error_ratio,
            least=self.drain_seconds,
            most=self.most_seconds if self.changes_per_second is None else 0.0,
        )

    @property
    def error_seconds(self) -> float:
        """How far off ``copy_seconds`` may be because the inventory is an estimate: one standard error."""
        return self.copy_seconds * self.inventory.error_ratio

    @property
    def fence_fits(self) -> bool:
        """Is the pause, beyond the drain that nothing shortens, within ``fence_timeout``, and the whole within ``max_pause``?"""
        return self.longest_seconds <= min(self.fence_timeout_seconds, self.max_pause_seconds)

    @property
    def longest_seconds(self) -> float:
        """The pause with the largest lag, where a follower does not answer."""
        return self.most_seconds - self.drain_seconds + self.bound_seconds


def forecast_move(
    schedule: Schedule, move: PlannedMove, inventory: Inventory, grounds: Grounds = NO_GROUNDS
) -> MoveForecast:
    """The forecast of a move that has the whole budget of both accounts, and this machine, to itself.

    Returns:
        ``fence_seconds``: drain (ttl + max_write + clock_margin; some seconds by roll-call), the barrier's comparison, and what
        changes shortly before, carried over and looked at again.
    """
    found = _alone(schedule, move, inventory, grounds)
    return replace(found, more_processes=tuple(_with_more(schedule, move, inventory, grounds, found)))


def _alone(schedule: Schedule, move: PlannedMove, inventory: Inventory, grounds: Grounds) -> MoveForecast:
    source, target, means = schedule.budget(move.source), schedule.budget(move.target), grounds.means
    accounts = [schedule.accounts[name] for name in (move.source, move.target)]
    wave, embedded, in_lanes = schedule.wave_of(move.id), is_embedded(move, schedule.accounts), has_lanes(accounts)
    cutover, share, pace = wave.cutover, wave.verify.content_share, min(_pace(source), _pace(target))
    page = 0.0 if embedded else page_seconds_of(inventory)
    containers = 0.0 if embedded else max(means.containers.get(name, page) for name in (move.source, move.target))
    copy = 0.0 if embedded else means.copy_seconds(move)
    scan = RequestCounts(list=pages_of(inventory) + 1)  # and one for the containers
    transfers, work = _transfers(inventory), machine_seconds(inventory, means, is_embedded=embedded)
    proofs = RequestCounts(read=math.ceil(inventory.objects * share))
    proved_bytes = inventory.bytes * share
    held_up = 0.0 if embedded else under_way_seconds(transfers, copy, means)
    first = (
        ((transfers + proofs.total + scan.total) / _pace(source), f"requests of {move.source}"),
        (
            (transfers + inventory.large_objects + proofs.total + scan.total) / _pace(target),
            f"requests of {move.target}",
        ),
        (_bytes_seconds(inventory.bytes + proved_bytes, source), f"bytes of {move.source}"),
        (_bytes_seconds(inventory.bytes + proved_bytes, target), f"bytes of {move.target}"),
        (2 * proved_bytes / STREAM_BYTES_PER_SECOND, THROUGH_HERE),
        # Answers wait for a busy machine, and one that is not busy gets more of them.
        (page + math.hypot(held_up, work), _under_way(copy) if held_up > work else THIS_MACHINE),
        (0.0 if embedded else first_listing_seconds(inventory, page, copy), LISTINGS),
    )
    first_seconds, bound_by = max(first, key=lambda one: one[0])

    def looked(known: float = 0.0) -> float:
        took = scan_seconds(inventory, pace, in_lanes=in_lanes, known=known, means=means, is_embedded=embedded)
        return took - page + 2.0 * containers + COMMITS * means.commit_seconds  # the containers before and after

    each = 1.0 / pace + (work / inventory.objects if inventory.objects else 0.0)
    each = max(each, copy / (UNDER_WAY * max(1, means.processes)))
    rate = grounds.changes_per_second(inventory)
    passes = catching_up(first_seconds, looked(), each, rate or 0.0, float(cutover.max_lag_objects))
    corrected = grounds.learned
    asked = beginning_seconds(inventory, page) if in_lanes else 0.0
    commits = COMMITS * means.commit_seconds
    around = 2.0 * containers + commits
    copy_seconds = (around + asked + first_seconds + passes.seconds) * corrected.copy
    # The fence.
    bound, drain = schedule.routing.drain_of(cutover), schedule.routing.expected_drain_of(cutover)
    knows = tells_texts(accounts)

    def fence(changes: float, carried: float) -> tuple[float, float, float]:
        """A comparison, a second look, and both together with all else beside the drain."""
        again = second_look(inventory, changes) if changes else 0.0
        compared = looked(1.0 - again if knows else 0.0)
        if not again:
            looked_again = 0.0
        elif embedded:
            looked_again = again * looked()
        else:
            looked_again = max(2.0 * containers + page, again * looked())
        fixed = FENCE_SECONDS * means.slowness + COMMITS * means.commit_seconds
        return compared, looked_again, compared + looked_again + carried + fixed

    lag = min(cutover.max_lag_objects, inventory.objects)
    lag_bytes = lag * inventory.bytes / inventory.objects if inventory.objects else 0.0
    lag_seconds = max(lag * each, _bytes_seconds(lag_bytes, source), _bytes_seconds(lag_bytes, target))
    compared, looked_again, most = fence(lag, lag_seconds)
    before = passes.last_seconds + BEFORE_FENCE_SECONDS + schedule.routing.ttl_seconds
    arrived = min(rate * before, lag) if rate is not None else min(1.0 if move.traffic_per_minute else 0.0, lag)
    known = arrived if rate is not None else 0.0
    *_, likely = fence(arrived, arrived * each + (copy if arrived else 0.0))
    looks = scan.times(1 + passes.passes)
    return MoveForecast(
        id=move.id,
        source=move.source,
        target=move.target,
        inventory=inventory,
        source_requests=looks + proofs + RequestCounts(read=transfers + passes.changes),
        target_requests=looks + proofs + RequestCounts(write=transfers + inventory.large_objects + passes.changes),
        copy_seconds=copy_seconds,
        scan=scan,
        scan_seconds=compared,
        again_seconds=looked_again,
        fence_requests=RequestCounts(
            list=math.ceil(2 * (1.0 + second_look(inventory, known)) * scan.list), read=known, write=known
        ),
        fence_seconds=drain + likely * corrected.pause,
        most_seconds=drain + max(most, likely) * max(1.0, corrected.pause),
        fence_timeout_seconds=bound + cutover.fence_timeout_seconds,
        drain_seconds=drain,
        bound_seconds=bound,
        max_pause_seconds=cutover.max_pause_seconds,
        bound_by=bound_by,
        machine_seconds=(work + commits * (1 + passes.passes) + (passes.seconds if embedded else 0.0)) * corrected.copy,
        fence_machine_seconds=(2.0 * commits + (looked(1.0) if embedded else 0.0)) * corrected.pause,
        changes_per_second=rate,
        assumes=tuple(_assumed(schedule, move, inventory, grounds, rate)),
        proved_bytes=proved_bytes,
        streaming_seconds=_streaming_seconds(inventory, cutover.max_lag_objects, (source, target)),
        share=MEASURED if grounds.learned.waves or means.knows(move, schedule.accounts) else ASSUMED,
    )


def _under_way(copy_seconds: float) -> str:
    return f"copies under way at once ({copy_seconds * 1000:,.0f} ms each)"


def _assumed(
    schedule: Schedule, move: PlannedMove, inventory: Inventory, grounds: Grounds, rate: float | None
) -> Iterator[str]:
    yield from grounds.means.assumed(move, schedule.accounts, inventory.page_seconds)
    if rate is None:
        yield "customers change little meanwhile (two listings some time apart tell how much)"


def _streaming_seconds(inventory: Inventory, most: int, budgets: Iterable[Budget]) -> float:
    if not inventory.streamed_objects:
        return 0.0
    size = inventory.streamed_bytes * min(1.0, most / inventory.streamed_objects)
    return max(size / STREAM_BYTES_PER_SECOND, *(_bytes_seconds(size, one) for one in budgets))


def _with_more(
    schedule: Schedule, move: PlannedMove, inventory: Inventory, grounds: Grounds, now: MoveForecast
) -> Iterator[tuple[int, float]]:
    means = grounds.means
    if now.fence_seconds - now.drain_seconds < LONG_SECONDS or not means.looks:
        return
    for times in MORE:
        processes = times * max(1, means.processes)
        more = replace(means, processes=processes, cores=max(means.cores, processes))
        yield more.processes, _alone(schedule, move, inventory, replace(grounds, means=more)).fence_seconds


def forecast_wave(
    schedule: Schedule, wave: PlannedWave, inventories: Mapping[MoveId, Inventory], grounds: Grounds = NO_GROUNDS
) -> tuple[MoveForecast, ...]:
    """The forecast of each move of a wave; moves without an inventory are left out.

    Moves that run side by side share the budget of an account they have in common in equal parts; none of them takes longer
    than that account's whole work. All of them share this machine, and what is proved by content goes through it.
    """
    alone = {
        move.id: forecast_move(schedule, move, inventories[move.id], grounds)
        for move in wave.moves
        if move.id in inventories
    }
    return tuple(_beside(schedule, one, list(alone.values()), wave.max_moves or len(alone)) for one in alone.values())


def _beside(schedule: Schedule, one: MoveForecast, others: Sequence[MoveForecast], at_once: int) -> MoveForecast:
    """The forecast of a move that shares its accounts with those which run at the same time."""
    bounds = [(one.copy_seconds, one.bound_by)]
    for account in (one.source, one.target):
        work = {move.id: _account_seconds(schedule, account, move) for move in others if account in _accounts(move)}
        own_seconds, kind = work[one.id]
        whole = sum(seconds for seconds, _ in work.values())
        bounds.append((min(whole, own_seconds * min(at_once, len(work))), f"{kind} of {account}"))
    beside = sorted((move.proved_bytes for move in others), reverse=True)[:at_once]
    if one.proved_bytes:
        bounds.append((2 * sum(beside) / STREAM_BYTES_PER_SECOND, THROUGH_HERE))
    works = sorted((move.machine_seconds for move in others), reverse=True)[:at_once]
    bounds.append((min(sum(works), len(works) * one.machine_seconds), THIS_MACHINE))
    seconds, bound_by = max(bounds, key=lambda bound: bound[0])
    fences = sorted((move.fence_machine_seconds for move in others), reverse=True)[:at_once]
    shared = min(sum(fences), len(fences) * one.fence_machine_seconds) - one.fence_machine_seconds
    waits = max(0.0, FENCES_TOGETHER * shared)
    return replace(
        one,
        copy_seconds=seconds,
        bound_by=bound_by,
        fence_seconds=one.fence_seconds + waits,
        most_seconds=one.most_seconds + waits,
    )


def _accounts(move: MoveForecast) -> tuple[str, str]:
    return move.source, move.target


def _account_seconds(schedule: Schedule, account: str, move: MoveForecast) -> tuple[float, str]:
    """How long this account works for the move if for nothing else, and by what that is bound."""
    budget = schedule.budget(account)
    requests = move.source_requests if account == move.source else move.target_requests
    return max(
        (requests.total / _pace(budget), "requests"),
        (_bytes_seconds(move.inventory.bytes + move.proved_bytes, budget), "bytes"),
    )


def timing_findings(forecasts: Sequence[MoveForecast]) -> tuple[Finding, ...]:
    """An error for each move whose writers would wait longer than ``fence_timeout`` or ``max_pause`` allows: such a fence never
    begins. What may be streamed inside a fence is said beside it."""
    return tuple(
        Finding(
            "error",
            "fence-too-long",
            str(one.id),
            f"the writers of {one.id} would pause {show_duration(one.longest_seconds)} (a comparison of "
            f"{show_duration(one.scan_seconds)}, and {show_duration(one.again_seconds)} for a second look at what changed), and "
            f"{_allowed(one)}, so no cut-over would begin",
            _shorter_fence(one),
        )
        for one in forecasts
        if not one.fence_fits
    ) + tuple(_streaming_finding(one) for one in forecasts if one.streaming_seconds >= TOLD_FROM_SECONDS)


def drain_findings(routing: Routing) -> Iterator[Finding]:
    """A warning where the drain alone, which every cut-over waits for unless all followers answer, is long."""
    drain = routing.drain_seconds
    if drain > LONG_DRAIN_SECONDS:
        which = "every cut-over" if routing.protocol < 2 else "a cut-over in which a follower does not answer"
        text = (
            f"{which} pauses its writers for {show_duration(drain)} before it compares anything: routing.ttl"
            f" {show_duration(routing.ttl_seconds)}, max_write {show_duration(routing.max_write_seconds)} and clock_margin"
        )
        yield Finding("warning", "long-drain", "routing", text)


def _allowed(one: MoveForecast) -> str:
    if one.max_pause_seconds < one.fence_timeout_seconds:
        return f"cutover.max_pause allows {show_duration(one.max_pause_seconds)}"
    return f"drain and fence_timeout allow {show_duration(one.fence_timeout_seconds)}"


def _streaming_finding(one: MoveForecast) -> Finding:
    """Not an error: blobs of these kinds that nobody writes any more take no time in the fence."""
    limit = min(one.fence_timeout_seconds, one.max_pause_seconds)
    found, room = one.inventory, limit - one.longest_seconds
    text = (
        f"{found.streamed_objects:,} append and page blobs ({show_bytes(found.streamed_bytes)}) of {one.id}: those that still"
        f" change when its writers stop go through this machine inside the fence, which may pause them for up to"
        f" {show_duration(one.streaming_seconds)} longer"
    )
    if one.streaming_seconds <= room:
        return Finding("info", "streamed-in-fence", str(one.id), text)
    text += f"; a fence that would take more than {show_duration(limit)} does not begin"
    remedy = (
        "let writers end or rotate what they append to before the cut-over, or raise fence_timeout and bytes_per_second"
    )
    return Finding("warning", "streamed-in-fence", str(one.id), text, remedy)


def _shorter_fence(one: MoveForecast) -> str:
    is_pause = one.max_pause_seconds < one.fence_timeout_seconds
    limit, key = (one.max_pause_seconds, "max_pause") if is_pause else (one.fence_timeout_seconds, "fence_timeout")
    over = one.longest_seconds - limit
    compared = one.scan_seconds + one.again_seconds
    room = PARTS_ROOM * (limit - (one.longest_seconds - compared))
    parts = math.ceil(compared / room) if room > 0 else 0
    split = f"split area {one.id.area} by prefix into {parts} areas that switch one by one" if parts > 1 else ""
    longer = f"allow {show_duration(math.ceil(over / 60) * 60)} more in cutover.{key}"
    return "; or ".join(text for text in (split, longer, "lower max_lag_objects or raise the budget") if text)


def _transfers(inventory: Inventory) -> int:
    """Requests of a first copy on each side: one for an ordinary object, one a block for a large one."""
    blocks = max(math.ceil(inventory.large_bytes / COPY_BLOCK_BYTES), inventory.large_objects)
    return inventory.objects - inventory.large_objects + blocks


def _pace(budget: Budget) -> float:
    """Requests a second that are granted."""
    return HEADROOM * budget.requests_per_minute / 60.0 if budget.requests_per_minute else math.inf


def _bytes_seconds(size: float, budget: Budget) -> float:
    return size / budget.bytes_per_second if budget.bytes_per_second else 0.0
