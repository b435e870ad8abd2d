"""The judge: sees every effect in the world at the instant it happens, and names each broken promise.

Theory. The truth of an area is what the account holds that its route record names (the *live* account), because customers
who follow the route write nowhere else and the tool never writes there. So nothing is lost if, at the instant of every
switch, the new account holds for every name what the old one holds; an effect of a customer *without* a valid lease may
make a difference, but then it must be listed as an exception. Everything else that is promised is a law about single
effects: who wrote where, which record followed which, what evidence says of two generations.
Leaves making the world to the others. Rule: the oracle only looks; a judgement never changes what happens next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from migrator.engine.enforcing import PROBE_SECONDS, PROPAGATION_SECONDS
from migrator.engine.mover import CLAIM_SECONDS
from migrator.machine.policies import can_write
from migrator.machine.transitions import live_side
from migrator.model.moves import Direction, ExceptionRow, MoveRecord, MoveState, StoredPolicy
from migrator.model.names import OUR_BLOCKS, RESERVED_PREFIX, MoveId
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteDocument, RouteRecord
from migrator.model.samples import Sample, Verdict
from migrator.model.schedule import PlannedMove, Routing, Schedule
from migrator.model.values import value
from migrator.ports.state_store import (
    AddJournal,
    AddSample,
    Change,
    DropException,
    PutException,
    ReplaceRanges,
    SaveMove,
    StateStore,
)
from migrator.ports.troubles import OTHERS_BLOCKS, TROUBLES
from migrator.testing.simulation.acts import Act, Writers
from migrator.testing.simulation.blobs import Account, Blob, Sender
from migrator.testing.simulation.comparing import comparable, describe, difference, is_same
from migrator.testing.simulation.loop import Node, SimLoop
from migrator.testing.simulation.watched_soak import WatchedSoak
from migrator.transfer.evidence import UNKNOWN, Evidence, generation_hash

HAND_GRACE_SECONDS = 45.0
"""After an edit by hand the tool may go on so long: a claim read 5 s ago, and requests already sent."""
FENCE_SLACK_SECONDS = 120.0
"""Slow swaps at both ends of a fence, on top of its budget."""
GUARDIAN_SECONDS = 10.0
DELETE_SECONDS = 30.0
"""Between the question whether a name is gone and the delete that follows: throttled tries may lie between them."""
MOST_EPOCHS = 2
"""A tool's step of the epoch, above all that were ever said: one more where somebody else may have written unseen."""
MOST_EXCEPTIONS = 1_000_000
NO_REASONS = (TROUBLES["InvalidBlobType"].why, TROUBLES[OTHERS_BLOCKS].why, "every pass found new differences")
"""What no move may be halted for in calm weather: the tool mends it, or says which name it is about."""
Place = tuple[str, str]


@value(frozen=True, slots=True)
class Violation:
    """``invariant`` is a stable word; ``at`` virtual seconds; ``text`` says what was seen."""

    invariant: str
    at: float
    text: str

    def __str__(self) -> str:
        return f"{self.at:10.3f} {self.invariant}: {self.text}"


@dataclass(slots=True)
class _Late:
    """An effect without a lease at an account that was not, or not for long, the truth."""

    at: float
    text: str
    listed: bool = False


class _Case:
    """What the oracle remembers of one move."""

    def __init__(self, plan: PlannedMove) -> None:
        self.plan = plan
        self.record: MoveRecord | None = None
        self.exceptions: dict[Place, ExceptionRow] = {}
        self.was_kept: set[tuple[str, str, str | None, str | None]] = set()
        """Container, name and both generations of what some store's list said is kept as it is."""
        self.late: dict[tuple[str, str, str], _Late] = {}
        self.left: dict[tuple[str, str, str], Blob | None] = {}
        """What the old account held at the switch."""
        self.switched_at: float | None = None
        self.switched_from = ""
        self.fenced_at: float | None = None
        self.fence_excused = False
        self.max_epoch = 0
        self.stood: list[tuple[float, RouteRecord]] = []
        """Each record, with the time from which it stood."""
        self.said: dict[int, tuple[str, str, str]] = {}
        """What each epoch said, whoever wrote it."""
        self.hand_at = -1e9
        self.soak = WatchedSoak()
        self.decided = False
        self.bodies: dict[tuple[str, str, str], set[Any]] = {}
        self.scans: dict[tuple[str, str], float] = {}
        self.seen_records: set[tuple[bytes, bytes]] = set()
        self.carried: set[bytes] = set()
        """Generations of either side that committed evidence says were on both."""
        self.proved: set[tuple[bytes, bytes]] = set()
        """Pairs of generations that evidence says were read on both sides."""

    def since(self, begin: float, end: float) -> list[RouteRecord]:
        """What the route said at some time from ``begin`` to ``end``, the newest last."""
        later = [one for at, one in self.stood if begin <= at <= end]
        earlier = [one for at, one in self.stood if at < begin][-1:]
        return [*earlier, *later]

    def hear(self, route: RouteRecord) -> None:
        """The document says so from now on."""
        self.max_epoch = max(self.max_epoch, route.epoch)
        self.said.setdefault(route.epoch, _authority(route))


class Oracle:
    """Judges one world. ``violations`` is what it found, in order."""

    def __init__(self, loop: SimLoop, schedule: Schedule, accounts: Mapping[str, Account], writers: Writers) -> None:
        self._loop = loop
        self._schedule = schedule
        self._accounts = accounts
        self._writers = writers
        self._routes: Mapping[str, RouteRecord] = {}
        self._cases = {str(move.id): _Case(move) for move in schedule.moves}
        self._owners: dict[tuple[str, str, str], _Case | None] = {}
        self._generations: dict[bytes, tuple[Any, str]] = {}
        self._lost: dict[Place, tuple[set[str], float]] = {}
        """By account and container: what was in it, and when it was lost."""
        self._kept: list[str] = []
        """What the journals of all stores say was kept."""
        self._directions: dict[tuple[str, str], Direction] = {}
        self._abandoning: set[tuple[str, str]] = set()
        """(node, move): what these engines go back without."""
        self._sampled_at: dict[Sample, float] = {}
        self._drain_seconds = schedule.routing.drain_seconds
        self._promised = self._planned = (schedule.routing.ttl_seconds, schedule.routing.max_write_seconds)
        """ttl and max_write: what the document says now, and the longest that the plan ever said."""
        self.violations: list[Violation] = []
        self.has_one_store = True
        """No copy of the state store was ever at work, and no older moment of it was put back."""
        self.switches = 0
        self.fences = 0
        self.longest_fence = 0.0

    def break_(self, invariant: str, text: str) -> None:
        self.violations.append(Violation(invariant, round(self._loop.time(), 3), text))

    # Effects on accounts.

    def wrote(
        self,
        account: Account,
        sender: Sender,
        container: str,
        name: str,
        before: Blob | None,
        after: Blob | None,
        sent_at: float,
        kind: str,
    ) -> None:
        """One effect was applied: the blob ``before`` became ``after`` (None: there is none)."""
        case = self._owner(account.name, container, name)
        if name.startswith(RESERVED_PREFIX):
            return
        if (account.name, container) in self._lost:
            self._lost[account.name, container][0].discard(name)  # customers wrote it anew, and may delete that
        if case is None:
            if sender.is_tool:
                self.break_("neighbour-touched", f"{sender.name} did {kind} to {account.name}/{container}/{name!r}")
            return
        if after is not None and (before is None or after.listed.etag != before.listed.etag):
            case.bodies.setdefault((account.name, container, name), set()).add(after.body)
        if after is not None:
            self._generations[generation_hash(name, after.listed.etag)] = (comparable(after), account.name)
        if sender.is_tool:
            self._judge_tool(case, account, sender, container, name, before, after, kind, sent_at)
        elif isinstance(sender.act, Act):
            self._judge_customer(case, account, sender.act, container, name, before, after)

    def listed(self, account: str, node: Node, container: str, is_first: bool, sent_at: float) -> None:
        """A page was answered."""
        if not is_first:
            return
        for case in self._cases.values():
            if account in (case.plan.source, case.plan.target):
                case.scans[(account, container)] = sent_at

    def _owner(self, account: str, container: str, name: str) -> _Case | None:
        place = (account, container, name)
        if place not in self._owners:
            found = None
            for case in self._cases.values():
                plan = case.plan
                if account in (plan.source, plan.target) and plan.area.takes(container, name):
                    found = case
            self._owners[place] = found
        return self._owners[place]

    def _live(self, case: _Case) -> str:
        record = self._routes.get(str(case.plan.id))
        return record.account if record else case.plan.source

    def _judge_tool(
        self,
        case: _Case,
        account: Account,
        sender: Sender,
        container: str,
        name: str,
        before: Blob | None,
        after: Blob | None,
        kind: str,
        sent_at: float,
    ) -> None:
        what = f"{sender.name} did {kind} (sent {sent_at:.3f}) to {account.name}/{container}/{name!r}"
        was_on_its_way = sent_at < case.hand_at  # a person moved the route while it was: nobody could call it back
        if self._live(case) == account.name and sent_at > 0 and not (was_on_its_way or self._in_grace(case)):
            self.break_("tool-write-at-live", f"{what}, which the route names")
        route = self._routes.get(str(case.plan.id))
        is_elsewhere = route is not None and route.endpoint != self._accounts[route.account].endpoint
        if is_elsewhere and not (was_on_its_way or self._in_grace(case)):
            self.break_("wrong-address", f"{what}, while customers are sent to {route.endpoint if route else ''}")
        if kind == "delete":
            self._judge_loss(case, account, container, name, sent_at, what)
        is_forward = self._directions.get((sender.name, str(case.plan.id))) is Direction.FORWARD
        if kind == "delete" and account.name == case.plan.source and is_forward:
            self.break_("source-deleted", f"{what}, going forward")
        is_replaced = before is not None and (after is None or after.content is not before.content)
        if is_replaced and before is not None and before.stray and not self._is_kept(account, container, before):
            invariant = "loser-not-saved" if case.decided else "foreign-destroyed"
            self.break_(invariant, f"{what}, over {before.author.act}")
        if after is not None and (kind in ("copy", "copied", "put") or (kind == "commit" and after.content)):
            other = case.plan.target if account.name == case.plan.source else case.plan.source
            if after.body not in case.bodies.get((other, container, name), ()):
                self.break_("mixed-generations", f"{what}: no generation of {other} was like it ({after.body!r})")

    def _judge_loss(self, case: _Case, account: Account, container: str, name: str, sent_at: float, what: str) -> None:
        """What is lost with a whole container, by accident, is no delete of a customer's."""
        other = case.plan.target if account.name == case.plan.source else case.plan.source
        lost = self._lost.get((other, container))
        if lost is not None and name in lost[0] and sent_at > lost[1] + DELETE_SECONDS:
            self.break_("lost-container", f"{what}, because {other} has lost {container} at {lost[1]:.3f}")

    def lost(self, account: str, container: str, names: set[str]) -> None:
        """Somebody dropped a container by accident, with these names."""
        self._lost[account, container] = (names, self._loop.time())

    def found(self, account: str, container: str) -> None:
        """It is there again. At an account that the route has left meanwhile it is as if a stranger had written it."""
        self._lost.pop((account, container), None)
        held = self._accounts[account].containers.get(container)
        for name in held.blobs if held is not None else ():
            case = self._owner(account, container, name)
            if case is not None and self._live(case) != account:
                late = _Late(self._loop.time(), f"{account}/{container}/{name!r}, which came back with its container")
                case.late.setdefault((account, container, name), late)

    def _is_kept(self, account: Account, container: str, blob: Blob) -> bool:
        """Are the bytes under the reserved prefix of the account they are destroyed at, and does the journal say so?

        A stranger's object may be replaced in two cases: a person decided a conflict, or a write of ours to that name was
        announced and never answered, so that nobody can tell whose it is (decision 0002). Nothing is thrown away in either.
        """
        one = blob.listed
        is_told = any(one.etag in text and f"{container}/{one.name} " in text for text in self._kept)
        held = account.containers[container].blobs
        return is_told and any(
            name.startswith(RESERVED_PREFIX)
            and name.endswith(one.name)
            and (kept.content, dict(kept.listed.metadata)) == (blob.content, dict(one.metadata))
            for name, kept in held.items()
        )

    def decided(self) -> None:
        """The operator said which side wins a conflict: from now on losers may be replaced, once they are saved."""
        for case in self._cases.values():
            case.decided = True

    def _judge_customer(
        self,
        case: _Case,
        account: Account,
        act: Act,
        container: str,
        name: str,
        before: Blob | None,
        after: Blob | None,
    ) -> None:
        now = self._loop.time()
        act.applied_at = now
        record = self._routes.get(str(case.plan.id))
        is_live = self._live(case) == account.name
        keeps_lease = act.has_lease and now <= act.must_end
        if keeps_lease and not is_live and not self._was_edited(case):
            self.break_("two-accounts-accept", f"{act} was applied at {account.name} while the route names {record}")
        if after is not None and act.kind not in ("tags", "tier"):
            after.stray = not is_live
        if is_live and (record is None or record.mode == READ_WRITE):
            case.late.pop((account.name, container, name), None)
        elif not ((keeps_lease or self._is_bound(case, act)) and is_live) and not is_same(before, after):
            # Under a lease for an account that the route does not name: a hand edit took the route away from under it.
            case.late[(account.name, container, name)] = _Late(now, str(act))

    def _is_bound(self, case: _Case, act: Act) -> bool:
        """An enforced fence promises to such a writer what it promises to one with a lease: whatever is accepted comes along."""
        return act.is_bound and self._schedule.wave_of(case.plan.id).cutover.fence == "access-policy"

    def set_policies(
        self,
        sender: Sender,
        account: str,
        container: str,
        before: Sequence[StoredPolicy],
        after: Sequence[StoredPolicy],
        sent_at: float,
    ) -> None:
        """The tool changed access policies: an engine closes them inside its own fence, and opens them where the route lets
        writers write, as far as it can know when it sends."""
        case = self._owner(account, container, "x")
        if case is None or not sender.name.startswith("engine"):
            return
        could, can = ({one.id for one in some if can_write(one)} for some in (before, after))
        seen = case.since(sent_at - CLAIM_SECONDS, sent_at)
        run = sender.name.replace("engine", "run")
        what = f"{sender.name} set the policies of {account}/{container} (sent {sent_at:.3f})"
        if could - can and not any(one.mode == READ_ONLY and one.run == run for one in seen):
            self.break_("policies-without-claim", f"{what}: closed outside its own fence")
        if can - could and not any(one.mode == READ_WRITE and one.account == account for one in seen):
            self.break_("policies-without-claim", f"{what}: opened inside a fence, {_show(seen[-1] if seen else None)}")

    # The route.

    def swapped(self, sender: Sender, before: RouteDocument | None, after: RouteDocument, sent_at: float) -> None:
        """The route document changed."""
        old = before.routes if before else {}
        self._routes = after.routes
        self._promised = (after.ttl_seconds, after.max_write_seconds)
        if not sender.is_tool and before and (before.ttl_seconds, before.max_write_seconds) != self._promised:
            for one in self._cases.values():
                one.hand_at = self._loop.time()  # whoever reads it now goes by it, and nobody else may ever see it
        for key in sorted({*old, *after.routes}):
            case = self._cases.get(key)
            was, now = old.get(key), after.routes.get(key)
            if case is not None and was != now:
                self._judge_route(case, sender, was, now)

    def _judge_route(self, case: _Case, sender: Sender, before: RouteRecord | None, after: RouteRecord | None) -> None:
        key, now = str(case.plan.id), self._loop.time()
        if after is not None:
            case.stood.append((now, after))
        if not sender.is_tool:
            case.fence_excused = True
            if before is None or after is None or _place(after) != _place(before):
                case.hand_at = now
            if after is not None and (before is None or after.account != before.account):
                case.switched_at, case.switched_from = now, before.account if before else ""
                case.soak = WatchedSoak()
                if before is not None:
                    self._left_by_hand(case, before.account, after.account)
                self._settle_in(case, after.account)
            if after is not None:
                case.hear(after)
            return
        what = f"{sender.name} changed {key}: {_show(before)} -> {_show(after)}"
        if after is None:
            self.break_("route-removed", what)
            return
        if after.endpoint != self._accounts[after.account].endpoint:
            self.break_("wrong-address", f"{what}, which sends customers to {after.endpoint}")
        if before is None:
            if case.max_epoch:
                self.break_("route-made-again", what)
        elif after.same_authority(before):
            return
        elif sender.name.startswith("guardian") and before.epoch < case.max_epoch:
            pass  # a hand put an old fence back, and its guardian was never told of what came after: writers go first
        elif after.epoch <= before.epoch or self._is_said_otherwise(case, after):
            self.break_("epoch", what)
        elif after.epoch > case.max_epoch + MOST_EPOCHS and not _is_adoption(before, after):
            self.break_("epoch", f"{what}: the highest before was {case.max_epoch}")
        case.hear(after)
        if before is None:
            return
        if before.mode == READ_WRITE and after.account != before.account:
            went_back = case.switched_from == after.account
            self.break_("release-undid-switch" if went_back else "switch-without-fence", what)
        if after.mode == READ_ONLY:
            if after.account != before.account or before.mode == READ_ONLY:
                self.break_("route-law", what)
            longest = self._planned
            if self._promised[0] > longest[0] or self._promised[1] > longest[1]:
                self.break_("long-promise", f"{what}, while clients are promised {self._promised}")
            case.fenced_at, case.fence_excused = now, False
            self.fences += 1
        elif before.mode == READ_ONLY:
            self._end_fence(case, what)
        if after.account != before.account:
            is_abandoned = (sender.name, key) in self._abandoning
            self._judge_switch(case, before.account, after.account, what, is_abandoned=is_abandoned)
        if after.mode == READ_WRITE:
            for place in [one for one in case.late if one[0] == after.account]:
                del case.late[place]  # the account is the truth again, with all that happened to it

    def _is_said_otherwise(self, case: _Case, after: RouteRecord) -> bool:
        """Clients obey one account, address and mode within an epoch, and none that is lower than one they saw. What came and
        went by hand nobody else may have seen: to say just that again is no harm."""
        return after.epoch <= case.max_epoch and case.said.get(after.epoch) != _authority(after)

    def _end_fence(self, case: _Case, what: str) -> None:
        if case.fenced_at is None:
            return
        lasted = self._loop.time() - case.fenced_at
        self.longest_fence = max(self.longest_fence, lasted)
        cutover = self._schedule.wave_of(case.plan.id).cutover
        budget = self._drain_seconds + cutover.fence_timeout_seconds + GUARDIAN_SECONDS
        if cutover.fence == "access-policy":
            budget += PROBE_SECONDS + PROPAGATION_SECONDS + self._drain_seconds
        if lasted > budget + FENCE_SLACK_SECONDS and not case.fence_excused:
            self.break_("fence-budget", f"{what}: writers were stopped for {lasted:.0f} s of {budget:.0f} s")
        case.fenced_at = None

    def excuse_fences(self) -> None:
        """A process of the tool died or its machine stood still: open fences may last longer."""
        for case in self._cases.values():
            case.fence_excused = True

    def _judge_switch(self, case: _Case, old: str, new: str, what: str, *, is_abandoned: bool) -> None:
        self.switches += 1
        case.switched_from = old
        case.switched_at = self._loop.time()
        case.soak = WatchedSoak()
        for who, until in self._writers.leases_for(old, str(case.plan.id)):
            if until > self._loop.time() + 1e-6 and not self._was_edited(case):
                self.break_("lease-alive-at-switch", f"{what}: {who} may write to {old} until {until:.3f}")
        here, there = self._accounts[old], self._accounts[new]
        if is_abandoned:
            self._leave_behind(case, here, there, what)
            return
        late = {(container, name) for account, container, name in case.late if account == old}
        for container, name in sorted({*self._places(case, old, new), *late}):
            case.left[old, container, name] = here.peek(container, name)
            self._compare(case, here, there, container, name, what)
        for container, held in there.containers.items():
            for name, blocks in held.staged.items():
                is_ours = any(one.startswith(OUR_BLOCKS) for one in blocks)
                if is_ours and self.has_one_store and name not in held.blobs and case.plan.area.takes(container, name):
                    self.break_("blocks-left", f"{what}: blocks of ours lie uncommitted at {new}/{container}/{name!r}")
        if self._schedule.wave_of(case.plan.id).verify.level == "content" and self.has_one_store:
            self._judge_proofs(case, what)
        self._settle_in(case, new)

    def _leave_behind(self, case: _Case, here: Account, there: Account, what: str) -> None:
        """A person gave the target up, with what was written there since the switch: it may be lost, but not destroyed."""
        if there.name != case.plan.source:
            self.break_("abandoned-forward", what)
        for container, name in self._places(case, here.name):
            blob, row = here.peek(container, name), case.exceptions.get((container, name))
            if blob is None or generation_hash(name, blob.listed.etag) in case.carried:
                continue
            # What a person had decided against before is kept elsewhere already.
            blob.stray = row is None or row.kind != "decided" or row.target_etag != blob.listed.etag
        self._settle_in(case, there.name)

    def _judge_proofs(self, case: _Case, what: str) -> None:
        """The plan wants contents read: so every name that both sides have must have been, by a range that was committed."""
        for container, name in self._places(case, case.plan.source, case.plan.target):
            source = self._accounts[case.plan.source].peek(container, name)
            target = self._accounts[case.plan.target].peek(container, name)
            if source is None or target is None or (container, name) in case.exceptions:
                continue
            is_late = any((side, container, name) in case.late for side in (case.plan.source, case.plan.target))
            pair = (generation_hash(name, source.listed.etag), generation_hash(name, target.listed.etag))
            if pair not in case.proved and not is_late:
                self.break_("unproved", f"{what}: {container}/{name!r} was never read on both sides")

    def _left_by_hand(self, case: _Case, old: str, new: str) -> None:
        """A person moved the route: nothing was drained and nothing compared, so whatever differs is as if a writer without a
        lease had done it to the old account just then."""
        for container, name in self._places(case, old, new):
            here, there = self._accounts[old].peek(container, name), self._accounts[new].peek(container, name)
            if difference(here, there) is not None:
                text = f"{old}/{container}/{name!r}, left as it was when the route was edited by hand"
                # What only the new account has is the truth now: there is nothing at the old one that could be listed.
                case.late[(old, container, name)] = _Late(self._loop.time(), text, listed=here is None)

    def _places(self, case: _Case, *accounts: str) -> list[Place]:
        """All names of the move on these accounts, ascending."""
        return sorted(
            {
                (container, name)
                for account in accounts
                for container, held in self._accounts[account].containers.items()
                for name in held.blobs
                if case.plan.area.takes(container, name)
            }
        )

    def _settle_in(self, case: _Case, account: str) -> None:
        """``account`` is the truth from now on, with all that strangers did to it before."""
        for container, name in self._places(case, account):
            self._accounts[account].containers[container].blobs[name].stray = False

    def _compare(self, case: _Case, old: Account, new: Account, container: str, name: str, what: str) -> None:
        here, there = old.peek(container, name), new.peek(container, name)
        invariant = difference(here, there)
        if invariant is None:
            case.late.pop((old.name, container, name), None)  # whoever wrote it, it came along
            return
        place = f"{container}/{name!r}"
        late = case.late.get((old.name, container, name)) or case.late.get((new.name, container, name))
        row = case.exceptions.get((container, name))
        # A store put back from a backup has lost evidence: what it cannot explain it keeps, and lists. Nothing more is promised.
        is_excused = late is not None or case.decided or not self.has_one_store
        is_listed = (row is not None and row.kind in ("kept", "decided")) or self._is_kept_elsewhere(
            case, container, name
        )
        if is_listed and is_excused:
            return
        late_here = case.late.get((old.name, container, name))
        if late_here is not None:
            late_here.listed = False
            if here is not None and (there is None or here.body != there.body):
                # Tags and tiers alone are not bytes that somebody could miss; and what was carried over was not left behind:
                # whoever took it away over there did so behind the tool's back.
                here.stray = generation_hash(name, here.listed.etag) not in case.carried
            return
        late_there = case.late.get((new.name, container, name))
        if late_there is not None and late_there.at >= case.scans.get((new.name, container), 0.0):
            return  # as good as written just after the switch: nobody could have seen it
        self.break_(invariant, f"{what}: {place} was {describe(here)} and is {describe(there)} (row {row})")

    def _is_kept_elsewhere(self, case: _Case, container: str, name: str) -> bool:
        """Does the list of another store, which may be older or newer than this one's, name just these generations?"""
        if self.has_one_store:
            return False
        sides = [self._accounts[account].peek(container, name) for account in (case.plan.source, case.plan.target)]
        source, target = [blob.listed.etag if blob else None for blob in sides]
        return (container, name, source, target) in case.was_kept

    def _in_grace(self, case: _Case) -> bool:
        return self._loop.time() - case.hand_at < HAND_GRACE_SECONDS

    def was_edited(self, move: MoveId) -> bool:
        """Did a person ever change this move's route?"""
        return self._was_edited(self._cases[str(move)])

    def _was_edited(self, case: _Case) -> bool:
        return case.hand_at > -1e8

    # Commits.

    def directed(self, node: Node, records: Sequence[MoveRecord]) -> None:
        """What ``node`` believes of the moves' directions, by whatever state store it has."""
        for record in records:
            key = (node.name, str(record.id))
            self._directions[key] = record.direction
            (self._abandoning.add if record.is_abandoning else self._abandoning.discard)(key)

    def planned(self, routing: Routing) -> None:
        """The plan was edited: a fence may wait for the longest durations that it ever said."""
        self._drain_seconds = max(self._drain_seconds, routing.drain_seconds)
        ttl, max_write = self._planned
        self._planned = (max(ttl, routing.ttl_seconds), max(max_write, routing.max_write_seconds))

    def kept(self, changes: Sequence[Change]) -> None:
        """What a journal says of losers that were saved, and a list of what stays; also those of a copied store."""
        self._kept += [one.entry.text for one in changes if isinstance(one, AddJournal) and one.entry.kind == "kept"]
        for row, move in [(one.row, one.move) for one in changes if isinstance(one, PutException)]:
            if row.kind == "kept":
                place = (row.container, row.name, row.source_etag, row.target_etag)
                self._cases[str(move)].was_kept.add(place)

    def committed(self, node: Node, changes: Sequence[Change]) -> None:
        """The tool committed ``changes``."""
        self.kept(changes)
        for change in changes:
            if isinstance(change, SaveMove):
                self.directed(node, [change.move])
                self._saved(change.move)
            elif isinstance(change, PutException):
                self._excepted(change.move, change.row)
            elif isinstance(change, DropException):
                self._cases[str(change.move)].exceptions.pop((change.container, change.name), None)
            elif isinstance(change, ReplaceRanges):
                self._evidenced(change)
            elif isinstance(change, AddSample):
                self._sampled(node, change)

    def restored(self, state: StateStore) -> None:
        """The state store was put back to an older moment."""
        for record in state.moves():
            case = self._cases[str(record.id)]
            case.record = record
            case.exceptions = {
                (row.container, row.name): row for row in state.exceptions(record.id, limit=MOST_EXCEPTIONS)
            }
            known = [one for one in state.last_samples(record.id).values() if one.verdict is Verdict.PASSED]
            passes = {one.gate: self._sampled_at[one] for one in known if one in self._sampled_at}
            case.soak = WatchedSoak(passes, record.figures.soak_seconds)

    def _excepted(self, move: MoveId, row: ExceptionRow) -> None:
        case = self._cases[str(move)]
        case.exceptions[(row.container, row.name)] = row
        there = self._accounts[case.plan.target].peek(row.container, row.name)
        is_named = there is not None and row.target_etag == there.listed.etag
        if row.kind == "foreign" and is_named and there and there.author.is_tool and self.has_one_store:
            text = f"{move}: {row.container}/{row.name!r} was written by {there.author.name}"
            self.break_("own-called-foreign", f"{text} at {there.made_at:.3f} and is called foreign")
        for account in (case.plan.source, case.plan.target):
            late = case.late.get((account, row.container, row.name))
            if late is not None:
                late.listed = True

    def _saved(self, record: MoveRecord) -> None:
        case = self._cases[str(record.id)]
        before, case.record = case.record, record
        soak = record.figures.soak_seconds
        if soak and before is not None and (before.state, record.state) == (MoveState.SWITCHING, MoveState.SOAKING):
            self.break_("soak-figure", f"{record.id} begins to soak with {soak:.0f} s of an earlier soak")
            return
        was_soaking = before is not None and before.state is MoveState.SOAKING and before.is_adopted
        if record.state is MoveState.SOAKING and record.is_adopted and not was_soaking:
            case.switched_at = self._loop.time()  # a hand switched it some time ago: the soak begins with the adoption
            case.soak.begin_again()
            self._excuse_deletes(case)
        if record.state is MoveState.SOAKING and was_soaking and not record.is_adopted:
            self._excuse_deletes(case)  # the comparison that follows an adoption has ended: it saw no evidence either
        if record.state in (MoveState.SOAKING, MoveState.SOAKED) and soak > 0:
            self._judge_soak(case, soak)
        if record.state is MoveState.SOAKED and before is not None:
            self._judge_stay(before, record)
        if record.state is MoveState.SOAKED and (before is None or before.state is not MoveState.SOAKED):
            wave = self._schedule.wave_of(record.id)
            if soak + 1e-6 < wave.soak_seconds:
                self.break_("soak", f"{record.id} is soaked after {soak:.0f} s of {wave.soak_seconds:.0f} s")
            self._judge_lists(case)

    def _judge_stay(self, before: MoveRecord, soaked: MoveRecord) -> None:
        """Between two stays at the target customers may have been at the source, where nobody has looked since."""
        if (before.state, before.epoch) not in ((MoveState.SOAKING, soaked.epoch), (MoveState.SOAKED, soaked.epoch)):
            was = f"it was {before.state} at epoch {before.epoch}"
            self.break_("soak", f"{soaked.id} is called soaked at epoch {soaked.epoch}, and did not soak there: {was}")

    def _excuse_deletes(self, case: _Case) -> None:
        """Whoever adopts a route has lost the evidence: what is at the target alone may have been deleted at the source behind
        everybody's back, or was never there. Only what still lies at the source can be compared."""
        for (account, container, name), late in case.late.items():
            if account == case.plan.source and self._accounts[account].peek(container, name) is None:
                late.listed = True

    def _judge_lists(self, case: _Case) -> None:
        """Before ``soaked``, everything that happened at the old account behind our back is on the list."""
        wave = self._schedule.wave_of(case.plan.id)
        for (account, container, name), late in case.late.items():
            if account != case.plan.source or late.listed:
                continue
            here, left = self._accounts[account].peek(container, name), case.left.get((account, container, name))
            if here is left or is_same(left, here):
                continue  # there and back
            if difference(here, self._accounts[case.plan.target].peek(container, name)) is None:
                continue
            if here is not None and generation_hash(name, here.listed.etag) in case.carried:
                continue  # it was carried over all the same, before the tool saw that the route had been edited
            row = case.exceptions.get((container, name))
            if row is not None and row.source_etag == (here.listed.etag if here else None):
                continue  # listed before as it is again
            scanned = case.scans.get((account, container), -1.0)
            long_ago = self._loop.time() - 3 * wave.cutover.straggler_interval_seconds - 60
            if late.at < scanned - 1e-6 or late.at < long_ago:
                self.break_("unlisted-loss", f"{case.plan.id} is soaked, but {late.text} is in no list")

    def _judge_soak(self, case: _Case, claimed: float) -> None:
        if case.switched_at is None:
            self.break_("soak", f"{case.plan.id} claims {claimed:.0f} s without a switch")
            return
        if self._loop.time() - case.hand_at <= CLAIM_SECONDS:
            return  # the soak that a hand ended just now, as far as it had come: the engine's claim is still good
        interval = self._schedule.wave_of(case.plan.id).interval_seconds
        most = self._loop.time() - case.switched_at
        most = min(most, case.soak.seconds)
        if claimed > most + interval + 1.0:
            self.break_("soak", f"{case.plan.id} claims {claimed:.0f} s, {most:.0f} s were observed")

    def _sampled(self, node: Node, change: AddSample) -> None:
        sample = change.sample
        self._sampled_at[sample] = self._loop.time()
        case = self._cases[str(sample.move)]
        now = self._loop.time()
        interval = self._schedule.wave_of(sample.move).interval_seconds
        case.soak.take(sample, by=node.name, now=now, interval_seconds=interval)

    def _evidenced(self, change: ReplaceRanges) -> None:
        """A record says "equal": both generations, as far as they are known, must have been so."""
        case = self._cases[str(change.move)]
        for one in change.ranges:
            for _, record in Evidence.unpack(one.records).records():
                pair = (record.source, record.target)
                if record.is_proved:
                    case.proved.add(pair)
                if record.is_pending and UNKNOWN in pair:
                    continue  # a write announced, nothing claimed yet
                if pair in case.seen_records:
                    continue
                case.seen_records.add(pair)
                case.carried.update(pair)
                source, target = self._generations.get(record.source), self._generations.get(record.target)
                if source is None or target is None:
                    self.break_("evidence-lies", f"{change.move}: a record of {change.container} names no generation")
                elif (source[1], target[1]) != (case.plan.source, case.plan.target):
                    self.break_("evidence-lies", f"{change.move}: a record of {change.container} mixes the sides up")
                elif source[0] != target[0]:
                    self.break_("evidence-lies", f"{change.move}: {source[0]!r} is called equal to {target[0]!r}")

    # The end.

    def finish(self, records: Sequence[MoveRecord], *, is_settled: bool, knows_best: bool) -> None:
        """The run is over. ``is_settled``: the last engine ended by itself. ``knows_best``: the state store is the only one
        and was never put back, so it must agree with the routes."""
        for writer, address in self._writers.given_away:
            self.break_("credential-given-away", f"{writer} sent its credential to {address}")
        for record in records:
            case = self._cases[str(record.id)]
            route = self._routes.get(str(record.id))
            if not is_settled or route is None or "disagree" in record.reason or self._was_edited(case):
                continue
            if record.state is MoveState.HALTED and any(words in record.reason for words in NO_REASONS):
                self.break_("halted-for-a-name", f"{record.id} is halted, and nobody can help it: {record.reason}")
            if route.mode == READ_ONLY:
                self.break_("left-read-only", f"{record.id} is {record.state} and its route {_show(route)}")
            wanted = record.source if live_side(record) == "source" else record.target
            # A record that was made, but whose making was never written down, is found again by the next preflight; one that
            # was published is looked at again when its move begins.
            epoch = route.epoch if record.state is MoveState.PENDING else record.epoch or route.epoch
            if knows_best and (route.account, route.epoch) != (wanted, epoch):
                text = f"{record.id} is {record.direction} {record.state} at epoch {record.epoch}, {_show(route)}"
                self.break_("route-disagrees", text)


def _is_adoption(before: RouteRecord, after: RouteRecord) -> bool:
    """Writable at the same account before and after: its epoch steps over every one that the store or the document knew."""
    return before.mode == after.mode == READ_WRITE and before.account == after.account


def _place(record: RouteRecord) -> tuple[str, str]:
    return record.account, record.endpoint


def _authority(record: RouteRecord) -> tuple[str, str, str]:
    return record.account, record.endpoint, record.mode


def _show(record: RouteRecord | None) -> str:
    return f"{record.account} {record.mode} {record.epoch} run {record.run}" if record else "no record"
