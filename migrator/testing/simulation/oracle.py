"""The judge: sees every effect in the world at the instant it happens, and names each broken promise.

Theory. The truth of an area is what the account holds that its route record names (the *live* account), because customers
who follow the route write nowhere else and the tool never writes there. So nothing is lost if, at the instant of every
switch, the new account holds for every name what the old one holds; an effect of a customer *without* a valid lease may
make a difference, but then it must be listed as an exception. Everything else that is promised is a law about single
effects: who wrote where, which record followed which, what evidence says of two generations.
Leaves making the world to the others. Rule: the oracle only looks; a judgement never changes what happens next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from migrator.machine.agreement import highest_epoch
from migrator.machine.policies import can_write
from migrator.model.moves import Direction, ExceptionRow, MoveRecord, StoredPolicy
from migrator.model.names import RESERVED_PREFIX, MoveId
from migrator.model.rhythm import USUAL, Rhythm
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteDocument, RouteRecord
from migrator.model.schedule import Routing, Schedule
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
from migrator.testing.simulation.acts import Act, Writers
from migrator.testing.simulation.blobs import Account, Blob, Sender
from migrator.testing.simulation.cases import Case, Late, NameStretch, Scene, Violation, show
from migrator.testing.simulation.comparing import comparable, is_same
from migrator.testing.simulation.emptied import RetireJudge
from migrator.testing.simulation.ending import judge_end
from migrator.testing.simulation.epochs import Epochs
from migrator.testing.simulation.excuses import ANY_ACCOUNT, MAIN_STORE, Excuses
from migrator.testing.simulation.loop import Node, SimLoop
from migrator.testing.simulation.losing import LossJudge
from migrator.testing.simulation.staying import StayJudge
from migrator.testing.simulation.switching import SwitchJudge
from migrator.testing.simulation.watched_soak import WatchedSoak
from migrator.transfer.evidence import UNKNOWN, Evidence, generation_hash

FENCE_SLACK_SECONDS = 120.0
"""Slow swaps at both ends of a fence, on top of its budget."""
GUARDIAN_SECONDS = 10.0
MOST_EXCEPTIONS = 1_000_000
JUDGED = frozenset({AddJournal, AddSample, DropException, PutException, ReplaceRanges, SaveMove})
"""Of most commits nothing is: they are notes and counts."""


class Oracle:
    """Judges one world. ``violations`` is what it found, in order."""

    def __init__(
        self,
        loop: SimLoop,
        schedule: Schedule,
        accounts: Mapping[str, Account],
        writers: Writers,
        rhythm: Rhythm = USUAL,
    ) -> None:
        self._loop = loop
        self._rhythm = rhythm
        self._schedule = schedule
        self._accounts = accounts
        self._writers = writers
        self._scene = Scene(loop, schedule, accounts, writers, rhythm)
        self.excuses = Excuses(loop)
        self._switches = SwitchJudge(self._scene, self.excuses)
        self._stays = StayJudge(self._scene)
        self._retires = RetireJudge(self._scene)
        self._losses = LossJudge(self._scene, self.excuses, self._owner, self._live, self._route)
        self._routes: Mapping[str, RouteRecord] = {}
        self._cases = {str(move.id): Case(move) for move in schedule.moves}
        self._epochs = {key: Epochs(key, self.excuses) for key in self._cases}
        self._owners: dict[tuple[str, str, str], Case | None] = {}
        self._generations: dict[bytes, tuple[Any, str]] = {}
        self._kept: list[str] = []
        """What the journals of all stores say was kept."""
        self._directions: dict[tuple[str, str], Direction] = {}
        self._abandoning: set[tuple[str, str]] = set()
        """(node, move): what these engines go back without."""
        self._drain_seconds = schedule.routing.drain_seconds
        self._unanswered: dict[str, list[tuple[float, float]]] = {}
        """By process: from when to when it waited for an answer about the routes that did not come, in order."""
        self._promised = self._planned = (schedule.routing.ttl_seconds, schedule.routing.max_write_seconds)
        """ttl and max_write: what the document says now, and the longest that the plan ever said."""
        self._begun: dict[tuple[str, str, str], float] = {}
        """When an engine's newest listing of a container began."""
        self.fences = 0
        self.longest_fence = 0.0

    @property
    def violations(self) -> list[Violation]:
        """What was found, in order."""
        return self._scene.violations

    @property
    def switches(self) -> SwitchJudge:
        """The switches, and how many of them were judged by all laws."""
        return self._switches

    def break_(self, invariant: str, text: str) -> None:
        self._scene.break_(invariant, text)

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
        self._losses.wrote(account.name, container, name)
        self._retires.wrote(account.name, sender, container, name)
        if case is None:
            if sender.is_tool:
                self.break_("neighbour-touched", f"{sender.name} did {kind} to {account.name}/{container}/{name!r}")
            return
        if after is not None and (before is None or after.listed.etag != before.listed.etag):
            case.bodies.setdefault((account.name, container, name), set()).add(after.body)
        if after is not None:
            self._generations[generation_hash(name, after.listed.etag)] = (comparable(after), account.name)
        (case.swept.add if sender.is_tool and after is None else case.swept.discard)((account.name, container, name))
        if sender.is_tool:
            self._judge_tool(case, account, sender, container, name, before, after, kind, sent_at)
        elif isinstance(sender.act, Act):
            self._judge_customer(case, account, sender.act, container, name, before, after)

    def staged(self, account: str, sender: str, container: str, name: str) -> None:
        """The tool left a block of its own there."""
        case = self._owner(account, container, name)
        if case is not None:
            self.excuses.was_touched(case, sender, (container, name))

    def listed(
        self, account: str, node: Node, container: str, is_first: bool, sent_at: float, names: NameStretch = ("", None)
    ) -> None:
        """A page of these names was answered: they were seen as they were when its listing began."""
        if is_first:
            self._begun[node.name, account, container] = sent_at
        begun, key = self._begun.get((node.name, account, container), sent_at), self._accounts[account].key
        seen = (begun, key(names[0]), None if names[1] is None else key(names[1]))
        for case in self._cases.values():
            if account in (case.plan.source, case.plan.target):
                case.saw((account, container), seen)

    def _owner(self, account: str, container: str, name: str) -> Case | None:
        place = (account, container, name)
        if place not in self._owners:
            found = None
            for case in self._cases.values():
                plan = case.plan
                if account in (plan.source, plan.target) and plan.area.takes(container, name):
                    found = case
            self._owners[place] = found
        return self._owners[place]

    def _route(self, case: Case) -> RouteRecord | None:
        return self._routes.get(str(case.plan.id))

    def _live(self, case: Case) -> str:
        record = self._route(case)
        return record.account if record else case.plan.source

    def _judge_tool(
        self,
        case: Case,
        account: Account,
        sender: Sender,
        container: str,
        name: str,
        before: Blob | None,
        after: Blob | None,
        kind: str,
        sent_at: float,
    ) -> None:
        self.excuses.was_touched(case, sender.name, (container, name), sent_at)
        what = f"{sender.name} did {kind} (sent {sent_at:.3f}) to {account.name}/{container}/{name!r}"
        was_on_its_way = sent_at < case.hand_at  # a person moved the route while it was: nobody could call it back
        if self._live(case) == account.name and sent_at > 0 and not (was_on_its_way or self.excuses.is_in_grace(case)):
            self.break_("tool-write-at-live", f"{what}, which the route names")
        route = self._routes.get(str(case.plan.id))
        is_elsewhere = route is not None and route.endpoint != self._accounts[route.account].endpoint
        if is_elsewhere and not (was_on_its_way or self.excuses.is_in_grace(case)):
            self.break_("wrong-address", f"{what}, while customers are sent to {route.endpoint if route else ''}")
        is_let_go = kind == "delete" and self._retires.is_let_go(case, account.name)
        if is_let_go and before is not None:
            self._retires.judge(case, container, name, before, sent_at, what)
        if kind == "delete" and before is not None and not is_let_go:
            self._losses.judge_delete(case, account.name, container, name, before, sender, sent_at, what)
        is_forward = self._directions.get((sender.name, str(case.plan.id))) is Direction.FORWARD
        is_warm = (
            self._schedule.wave_of(case.plan.id).cutover.reverse == "continuous" and self._live(case) != account.name
        )
        if kind == "delete" and account.name == case.plan.source and is_forward and not (is_warm or is_let_go):
            self.break_("source-deleted", f"{what}, going forward")
        is_replaced = before is not None and (after is None or after.content is not before.content)
        if is_replaced and before is not None and before.stray and not self._is_kept(account, container, before):
            invariant = "loser-not-saved" if self.excuses.is_deciding(sender.name) else "foreign-destroyed"
            self.break_(invariant, f"{what}, over {before.author.act}")
        if after is not None and (kind in ("copy", "copied", "put") or (kind == "commit" and after.content)):
            other = case.plan.target if account.name == case.plan.source else case.plan.source
            if after.body not in case.bodies.get((other, container, name), ()):
                self.break_("mixed-generations", f"{what}: no generation of {other} was like it ({after.body!r})")

    def lost(self, account: str, container: str, names: set[str]) -> None:
        """Somebody dropped a container by accident, with these names."""
        self._losses.lost(account, container, names)

    def found(self, account: str, container: str, replaced: Iterable[str] = ()) -> None:
        """It is there again, in the place of one with the names ``replaced``."""
        self._losses.found(account, container, replaced)

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

    def _judge_customer(
        self,
        case: Case,
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
        if keeps_lease and not is_live:
            if self.excuses.has_lease_of_before(case, account.name, now):
                self.excuses.used["lease of before an edit"] += 1
            else:
                self.break_(
                    "two-accounts-accept", f"{act} was applied at {account.name} while the route names {record}"
                )
        if after is not None and act.kind not in ("tags", "tier"):
            after.stray = not is_live
        if is_live and (record is None or record.mode == READ_WRITE):
            case.late.pop((account.name, container, name), None)
        elif not ((keeps_lease or self._is_bound(case, act, (account.name, container))) and is_live) and not is_same(
            before, after
        ):
            # Under a lease for an account that the route does not name: a hand edit took the route away from under it.
            case.late[(account.name, container, name)] = Late(now, str(act))

    def _is_bound(self, case: Case, act: Act, where: tuple[str, str]) -> bool:
        """An enforced fence promises to such a writer what it promises to one with a lease: whatever is accepted comes along."""
        is_enforced = self._schedule.wave_of(case.plan.id).cutover.fence == "access-policy"
        return act.is_bound and is_enforced and not self.excuses.came_in_fence(case, where)

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
        seen = case.since(sent_at - self._rhythm.claim_seconds, sent_at)
        run = sender.name.replace("engine", "run")
        what = f"{sender.name} set the policies of {account}/{container} (sent {sent_at:.3f})"
        if could - can and not any(one.mode == READ_ONLY and one.run == run for one in seen):
            self.break_("policies-without-claim", f"{what}: closed outside its own fence")
        if can - could and not any(one.mode == READ_WRITE and one.account == account for one in seen):
            self.break_("policies-without-claim", f"{what}: opened inside a fence, {show(seen[-1] if seen else None)}")

    # The route.

    def swapped(self, sender: Sender, before: RouteDocument | None, after: RouteDocument, sent_at: float) -> None:
        """The route document changed."""
        old = before.routes if before else {}
        self._routes = after.routes
        self._promised = (after.ttl_seconds, after.max_write_seconds)
        if not sender.is_tool and before and (before.ttl_seconds, before.max_write_seconds) != self._promised:
            for one in self._cases.values():
                one.hand_at = self._loop.time()  # whoever reads it now goes by it, and nobody else may ever see it
                self.excuses.edited(one, ANY_ACCOUNT, before)
        for key in sorted({*old, *after.routes}):
            case = self._cases.get(key)
            was, now = old.get(key), after.routes.get(key)
            if case is not None and was != now:
                self._judge_route(case, sender, was, now)
                if (
                    before is not None
                    and was is not None
                    and not sender.is_tool
                    and (now is None or _place(now) != _place(was))
                ):
                    self.excuses.edited(case, was.account, before)

    def routes_seen(self, process: str, document: RouteDocument) -> None:
        """A process of the tool has read this."""
        for key, route in document.routes.items():
            if (epochs := self._epochs.get(key)) is not None:
                epochs.read(process, route)

    def routes_unanswered(self, process: str, begun: float, ended: float) -> None:
        """A process of the tool asked something of the routes, and waits so long for nothing."""
        self._unanswered.setdefault(process, []).append((begun, ended))

    def unanswered_by(self, process: str) -> Sequence[tuple[float, float]]:
        """From when to when it waited for nothing."""
        return self._unanswered.get(process, ())

    def _judge_route(self, case: Case, sender: Sender, before: RouteRecord | None, after: RouteRecord | None) -> None:
        key, now, epochs = str(case.plan.id), self._loop.time(), self._epochs[str(case.plan.id)]
        if after is not None:
            case.stood.append((now, after))
        if not sender.is_tool:
            case.fence_excused = True
            case.changed_unseen_at = now
            if before is None or after is None or _place(after) != _place(before):
                case.hand_at = now
            if after is not None and (before is None or after.account != before.account):
                case.switched_at, case.switched_from = now, before.account if before else ""
                case.soak = WatchedSoak()
                if before is not None:
                    self._switches.left_by_hand(case, before.account, after.account)
                self._scene.settle_in(case, after.account)
            if after is not None:
                epochs.wrote_by_hand(after)
            return
        what = f"{sender.name} changed {key}: {show(before)} -> {show(after)}"
        if after is None:
            self.break_("route-removed", what)
            return
        if after.endpoint != self._accounts[after.account].endpoint:
            self.break_("wrong-address", f"{what}, which sends customers to {after.endpoint}")
        if before is None:
            if epochs.highest:
                self.break_("route-made-again", what)
        elif after.same_authority(before):
            return
        elif (why := epochs.fault(sender.name, before, after)) is not None:
            self.break_("epoch", f"{what}{why}")
        epochs.wrote(sender.name, after)
        if self.excuses.store_of(sender.name) != MAIN_STORE:
            case.changed_unseen_at = now
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
            self._end_fence(case, sender.name, what)
        if after.account != before.account:
            is_abandoned = (sender.name, key) in self._abandoning
            sides = before.account, after.account
            self._switches.judge(case, *sides, sender.name, what, is_abandoned=is_abandoned)
        if after.mode == READ_WRITE:
            for place in [one for one in case.late if one[0] == after.account]:
                del case.late[place]  # the account is the truth again, with all that happened to it

    def _end_fence(self, case: Case, process: str, what: str) -> None:
        if case.fenced_at is None:
            return
        lasted = self._loop.time() - case.fenced_at
        self.longest_fence = max(self.longest_fence, lasted)
        cutover = self._schedule.wave_of(case.plan.id).cutover
        budget = self._drain_seconds + cutover.fence_timeout_seconds + GUARDIAN_SECONDS
        if cutover.fence == "access-policy":
            rhythm = self._rhythm
            budget += rhythm.probe_seconds + rhythm.policy_propagation_seconds + self._drain_seconds
        waited = _seconds_after(case.fenced_at + budget, self._unanswered.get(process, ()))
        if lasted - waited > budget + FENCE_SLACK_SECONDS and not case.fence_excused:
            self.break_("fence-budget", f"{what}: writers were stopped for {lasted:.0f} s of {budget:.0f} s")
        case.fenced_at = None

    def excuse_fences(self) -> None:
        """A process of the tool died or its machine stood still: open fences may last longer."""
        for case in self._cases.values():
            case.fence_excused = True

    # Commits.

    def directed(self, node: Node, records: Sequence[MoveRecord]) -> None:
        """What ``node`` believes of the moves' directions, by whatever state store it has."""
        for record in records:
            key = (node.name, str(record.id))
            self._epochs[key[1]].intend(highest_epoch(record))
            self._directions[key] = record.direction
            (self._abandoning.add if record.is_abandoning else self._abandoning.discard)(key)

    def _saved(self, node: Node, record: MoveRecord) -> None:
        self.directed(node, [record])
        self.excuses.wrote_down(node.name, str(record.id))

    def planned(self, routing: Routing) -> None:
        """The plan was edited: a fence may wait for the longest durations that it ever said."""
        self._drain_seconds = max(self._drain_seconds, routing.drain_seconds)
        ttl, max_write = self._planned
        self._planned = (max(ttl, routing.ttl_seconds), max(max_write, routing.max_write_seconds))

    def committed_elsewhere(self, node: Node, changes: Sequence[Change]) -> None:
        """The tool committed ``changes`` to a copy of the state store."""
        self._keep(changes)
        for record in [change.move for change in changes if isinstance(change, SaveMove)]:
            self._saved(node, record)
        for change in changes:
            if isinstance(change, ReplaceRanges):
                self._evidenced(node, change)

    def _keep(self, changes: Sequence[Change]) -> None:
        """What a journal says of losers that were saved, and a list of what stays."""
        self._kept += [one.entry.text for one in changes if isinstance(one, AddJournal) and one.entry.kind == "kept"]
        for row, move in [(one.row, one.move) for one in changes if isinstance(one, PutException)]:
            if row.kind == "kept":
                place = (row.container, row.name, row.source_etag, row.target_etag)
                self._cases[str(move)].was_kept.add(place)

    def committed(self, node: Node, changes: Sequence[Change]) -> None:
        """The tool committed ``changes``."""
        judged = [one for one in changes if type(one) in JUDGED]
        if not judged:
            return
        self._keep(judged)
        for change in judged:
            if isinstance(change, SaveMove):
                self._saved(node, change.move)
                self._stays.saved(self._cases[str(change.move.id)], change.move)
            elif isinstance(change, PutException):
                self._excepted(node, change.move, change.row)
            elif isinstance(change, DropException):
                self._cases[str(change.move)].exceptions.pop((change.container, change.name), None)
            elif isinstance(change, ReplaceRanges):
                self._evidenced(node, change)
            elif isinstance(change, AddSample):
                self._stays.sampled(self._cases[str(change.sample.move)], node, change)

    def restored(self, state: StateStore, since: float) -> None:
        """The state store was put back to what it was at ``since``."""
        self.excuses.came_from(MAIN_STORE, MAIN_STORE, since)
        for record in state.moves():
            case = self._cases[str(record.id)]
            case.record = record
            case.exceptions = {
                (row.container, row.name): row for row in state.exceptions(record.id, limit=MOST_EXCEPTIONS)
            }
            self._stays.restored(case, record, state, since)
            if len({(route.account, route.epoch) for route in case.since(since, self._loop.time())}) > 1:
                case.changed_unseen_at = self._loop.time()

    def _excepted(self, node: Node, move: MoveId, row: ExceptionRow) -> None:
        case = self._cases[str(move)]
        case.exceptions[(row.container, row.name)] = row
        there = self._accounts[case.plan.target].peek(row.container, row.name)
        is_named = there is not None and row.target_etag == there.listed.etag
        is_unknown = self.excuses.is_unknown(case, node.name, (row.container, row.name))
        if row.kind == "decided" and not self.excuses.is_deciding(node.name):
            self.break_("decided-by-nobody", f"{node.name} decided about {move}: {row.container}/{row.name!r}")
        if row.kind == "foreign" and is_named and there and there.author.is_tool and not is_unknown:
            if why := self.excuses.why_foreign(case.plan.target, (row.container, row.name), there.listed.etag):
                self.excuses.used[why] += 1
            else:
                text = f"{move}: {row.container}/{row.name!r} was written by {there.author.name}"
                self.break_("own-called-foreign", f"{text} at {there.made_at:.3f} and is called foreign")
        here = self._accounts[case.plan.source].peek(row.container, row.name)
        is_late = (
            case.plan.source,
            row.container,
            row.name,
        ) in case.late  # or somebody marked what the tool had written
        is_here = here is not None and row.source_etag == here.listed.etag and not is_late
        if row.kind == "straggler" and is_here and here and here.author.is_tool and not is_unknown:
            text = f"{move}: {row.container}/{row.name!r} was written by {here.author.name}"
            self.break_("own-called-straggler", f"{text} at {here.made_at:.3f} and is called a straggler's")
        is_swept = (case.plan.source, row.container, row.name) in case.swept and row.source_etag is None and not is_late
        if row.kind == "straggler" and is_swept and row.target_etag is None and not is_unknown:
            text = f"{move}: {row.container}/{row.name!r} was deleted by the tool"
            self.break_("own-called-straggler", f"{text}, and a straggler is said to have deleted it")
        for account in (case.plan.source, case.plan.target):
            late = case.late.get((account, row.container, row.name))
            if late is not None:
                late.listed = True

    def _evidenced(self, node: Node, change: ReplaceRanges) -> None:
        """A record says "equal": both generations, as far as they are known, must have been so."""
        case = self._cases[str(change.move)]
        plan = case.plan
        self.excuses.learnt(
            node.name, change, lambda account, name: self._accounts[account].peek(change.container, name), plan
        )
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

    def finish(self, records: Sequence[MoveRecord], *, is_settled: bool) -> None:
        """The run is over. ``is_settled``: the last engine ended by itself."""
        for writer, address in self._writers.given_away:
            self.break_("credential-given-away", f"{writer} sent its credential to {address}")
        for record in records if is_settled else ():
            self._retires.finish(self._cases[str(record.id)], record)
            if (route := self._routes.get(str(record.id))) is not None:
                judge_end(self._scene, self.excuses, self._cases[str(record.id)], record, route)


def _seconds_after(due: float, stretches: Iterable[tuple[float, float]]) -> float:
    """How much of the time after ``due`` is within one of ``stretches``, which are in the order of their beginnings."""
    found = 0.0
    for begun, ended in stretches:
        found += max(0.0, ended - max(begun, due))
        due = max(due, ended)
    return found


def _place(record: RouteRecord) -> tuple[str, str]:
    return record.account, record.endpoint
