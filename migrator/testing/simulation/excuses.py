"""What the judge lets pass, and for how long: an edit by hand, a person's decision, a state store that cannot know.

Decides whether one finding follows honestly from something that a person did. Leaves what is a finding to the laws. Rule: an
excuse ends. An edit excuses leases that were alive at it, of the account that it left; a decision excuses the very generations
that it was made of; a store that was copied or put back is excused for the names that somebody touched without its knowledge,
until it has learnt of them, and for the epochs that were said meanwhile, until one of its runs has read them. For the epochs that
a process heard of it is excused, too, where that one died before it wrote the move down once more; whoever ended in order, or
wrote the move down since, could have told it. One that was put back is excused for access policies that were revoked since, and
whose former rights nobody has on record any more, until they are open again. A container that came back is excused for the very
generations that newer copies had taken the place of, one that comes in an enforced fence for writers that its policies let write,
and a target that was given up for those of which the tool knew by half what
it had begun there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from migrator.client.follower import MAX_TTL_SECONDS, MAX_WRITE_SECONDS
from migrator.model.moves import MoveRecord
from migrator.model.routes import RouteDocument
from migrator.model.schedule import PlannedMove
from migrator.model.values import replace
from migrator.ports.state_store import Change, ReplaceRanges, SaveMove, StateStore
from migrator.testing.simulation.blobs import Account, Blob
from migrator.testing.simulation.cases import Case, Place
from migrator.testing.simulation.loop import SimLoop
from migrator.transfer.evidence import UNKNOWN, Evidence, generation_hash, marks_hash, name_hash

ANY_ACCOUNT = ""
GRACE_SECONDS = 45.0
"""After an edit by hand the tool may go on so long: a claim read 5 s ago, and requests already sent."""
MAIN_STORE = 0


@dataclass(slots=True)
class Heard:
    """An epoch of a record, an engine that wrote or read it, and when that one committed the move next."""

    epoch: int
    engine: str
    written_down_at: float = inf


class Excuses:
    """Of one world. ``used``: how often each kind let something pass."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self.used: Counter[str] = Counter()
        self._leases_until: dict[tuple[str, str], float] = {}
        """By move and account: until when a lease may live that an edit by hand took the account from."""
        self._stores: dict[str, int] = {}
        """Which state store an engine has, where it is not the main one."""
        self._deciding: set[str] = set()
        self._came: dict[Place, float] = {}
        """By account and container: when it came last."""
        self._touched: dict[tuple[str, Place], float] = {}
        """By move: when the tool last did something to a name."""
        self._unknown: dict[int, set[tuple[str, Place]]] = {MAIN_STORE: set()}
        """By store: names that the tool touched without its knowledge."""
        self._heard: dict[tuple[int, str], list[Heard]] = {}
        """By store and move."""
        self._highest: dict[tuple[int, str, str], int] = {}
        """By store, move and engine: the highest epoch of ``_heard``."""
        self._died: set[str] = set()
        """Engines that died at work."""
        self._gone: set[str] = set()
        """Those of them whose store was put back since, to what it was at ``_back_to``."""
        self._back_to = inf
        self._forgotten: set[tuple[str, str]] = set()
        """Account and container of revoked policies that were on record in a store as it was before it was put back, alone."""
        self._ended_at: dict[str, float] = {}
        """When each engine ended in order."""
        self._foreign: dict[tuple[str, Place, str], str] = {}
        """By account, name and ETag: why the tool may call a generation foreign although it wrote it."""

    # Edits by hand.

    def edited(self, case: Case, left: str, document: RouteDocument) -> None:
        """A person took the route from the account ``left``, or changed what all clients are promised; ``document`` is what
        they went by."""
        ttl, longest = min(document.ttl_seconds, MAX_TTL_SECONDS), min(document.max_write_seconds, MAX_WRITE_SECONDS)
        place = (str(case.plan.id), left)
        until = self._loop.time() + ttl + longest
        self._leases_until[place] = max(self._leases_until.get(place, until), until)

    def has_lease_of_before(self, case: Case, account: str, until: float) -> bool:
        """May somebody hold a lease of ``account`` until then, because he got it before an edit?"""
        move = str(case.plan.id)
        return until <= max(self._leases_until.get((move, one), -1.0) for one in (account, ANY_ACCOUNT))

    def is_in_grace(self, case: Case) -> bool:
        return self._loop.time() - case.hand_at < GRACE_SECONDS

    # Decisions.

    def may_decide(self, engine: str) -> None:
        """Its operator said which side wins a conflict, or that the target is given up."""
        self._deciding.add(engine)

    def is_deciding(self, engine: str) -> bool:
        return engine in self._deciding

    # State stores that cannot know.

    def has_store(self, engine: str, store: int) -> None:
        if store != MAIN_STORE:
            self._stores[engine] = store

    def store_of(self, process: str) -> int:
        """Of an engine, or of a guardian's engine."""
        return self._stores.get(_engine_of(process), MAIN_STORE)

    def was_touched(self, case: Case, engine: str, place: Place, sent_at: float = inf) -> None:
        """An engine did something to a name: the other stores do not know; nor does its own, if that was put back to what it was
        before the request was sent, and the request of an engine that is gone is applied after that."""
        key, store = (str(case.plan.id), place), self.store_of(engine)
        self._touched[key] = self._loop.time()
        for other, unknown in self._unknown.items():
            if other != store or (engine in self._gone and sent_at >= self._back_to):
                unknown.add(key)

    def came_from(self, store: int, origin: int, since: float) -> None:
        """``store`` is what ``origin`` was at ``since``: it knows nothing of what happened later."""
        if store == origin:
            self._gone, self._back_to = self._died | self._ended_at.keys(), since
        later = {key for key, at in self._touched.items() if at >= since}
        self._unknown[store] = self._unknown.get(store, set()) | self._unknown[origin] | later
        for (of, move), heard in list(self._heard.items()):
            if of == origin:
                ended = self._ended_at
                known = [one for one in heard if min(one.written_down_at, ended.get(one.engine, inf)) <= since]
                self._heard[store, move] = [replace(one) for one in known]
                self._highest = {key: epoch for key, epoch in self._highest.items() if key[:2] != (store, move)}
                for one in known:
                    key = (store, move, one.engine)
                    self._highest[key] = max(one.epoch, self._highest.get(key, -1))

    def learnt(
        self, engine: str, change: ReplaceRanges, peek: Callable[[str, str], Blob | None], plan: PlannedMove
    ) -> None:
        """A store has evidence of both sides again: from now on it knows these names."""
        unknown = self._unknown[self.store_of(engine)]
        mine = [key for key in unknown if key[0] == str(change.move) and key[1][0] == change.container]
        for key in mine:
            name = key[1][1]
            source, target = (peek(account, name) for account in (plan.source, plan.target))
            if source is None or target is None:
                continue
            pair = tuple(generation_hash(name, one.listed.etag) for one in (source, target))
            marks = {marks_hash(one.listed.tags, one.listed.explicit_tier) for one in (source, target)}
            for one in change.ranges:
                record = Evidence.unpack(one.records).get(name)
                if record is None or record.is_pending or {record.marks} != marks:
                    continue  # tags that it set without the store's knowledge are in no generation
                if (record.source, record.target) == pair:
                    unknown.discard(key)

    def is_unknown(self, case: Case, engine: str, place: Place) -> bool:
        """Did the tool touch that name behind the back of this engine's store?"""
        return (str(case.plan.id), place) in self._unknown[self.store_of(engine)]

    # Access policies that nobody can put back.

    def forgot(self, before: Sequence[MoveRecord], after: Sequence[MoveRecord]) -> None:
        """The main store was put back, its engines and their guardians dead. Which policies a fence revoked, and what rights they
        had, was on record there ``before`` and is not ``after``: no engine can tell them from policies that never let anybody
        write, and rights cannot be made up."""
        had, has = (
            {(one.account, one.container) for record in records for one in record.revoked}
            for records in (before, after)
        )
        self._forgotten = (self._forgotten | had) - has

    def set_policies(self, sender: str, account: str, container: str, *, is_open: bool) -> None:
        """They are open again, or an engine that has the present store closed them, and wrote down what it closed: from now on
        somebody knows. A dead engine's last request tells nobody."""
        if is_open or sender not in self._gone:
            self._forgotten.discard((account, container))

    def is_forgotten(self, account: str, container: str) -> bool:
        """Has the only store that could tell which policies are to be put back there been put back itself?"""
        return (account, container) in self._forgotten

    # Epochs that nobody could tell.

    def heard(self, process: str, move: str, epoch: int) -> None:
        """A process of the tool wrote an epoch of the move's record, or read it."""
        engine = _engine_of(process)
        store = self.store_of(engine)
        if epoch > self._highest.get((store, move, engine), -1):
            self._highest[store, move, engine] = epoch
            self._heard.setdefault((store, move), []).append(Heard(epoch, engine))

    def wrote_down(self, engine: str, move: str) -> None:
        """It committed the move, with whatever it had heard."""
        for one in self._heard.get((self.store_of(engine), move), ()):
            if one.engine == engine:
                one.written_down_at = min(one.written_down_at, self._loop.time())

    def ended(self, engine: str, *, in_order: bool) -> None:
        """It ended in order, or died at work."""
        if in_order:
            self._ended_at[engine] = self._loop.time()
        else:
            self._died.add(engine)

    def highest_known(self, process: str, move: str) -> int:
        """The highest epoch that a process can know of, from its own or from what earlier runs could write down."""
        engine = _engine_of(process)
        heard = self._heard.get((self.store_of(engine), move), ())
        return max((one.epoch for one in heard if self._is_told(one, engine)), default=0)

    def _is_told(self, one: Heard, engine: str) -> bool:
        return one.engine == engine or one.written_down_at < inf or one.engine not in self._died

    # Containers that no fence has closed.

    def container_came(self, account: str, container: str) -> None:
        """Somebody made it anew, or put it back."""
        self._came[account, container] = self._loop.time()

    def came_in_fence(self, case: Case, where: Place) -> bool:
        """Did this container of this account come in the present fence? Its policies are whoever's who made it, and an enforced
        fence has not closed them."""
        return case.fenced_at is not None and self._came.get(where, -inf) >= case.fenced_at

    # What the tool wrote, and cannot know any more.

    def came_back(
        self, case: Case, account: str, place: Place, etag: str, lost_at: float, *, was_nowhere: bool
    ) -> None:
        """A container is there again that was lost at ``lost_at``, with this generation, at an account that the route has left
        meanwhile. Where the tool has made its copy anew in between, it knows that one: no evidence can name both, and the older
        is a stranger's by the contract. A name that was on neither side in between (``was_nowhere``) it has forgotten. What it
        has not touched in between, and customers have still, it must know."""
        if was_nowhere or self._touched.get((str(case.plan.id), place), -1.0) > lost_at:
            self._foreign[account, place, etag] = "came back in place of a newer copy"

    def settling(self, accounts: Mapping[str, Account], state: StateStore, changes: Sequence[Change]) -> None:
        """These are about to be committed to ``state``. Where they give a target up, they strike off what was under way and names
        one side at most, because such a record does not say which way the write went: the target's generation alone may be ours
        to replace, or a customer's that was going back; the source's alone, a copy begun at the target, or one that we left
        half made at the source. Customers wrote at that target since, so by the contract what lies there is a stranger's then. A
        record that names both sides stays, and so does the law."""
        for record in [one.move for one in changes if isinstance(one, SaveMove) and not one.move.is_abandoning]:
            before = state.move(record.id)
            if before is None or not before.is_abandoning:
                continue
            for change in changes:
                if isinstance(change, ReplaceRanges) and change.move == record.id:
                    self._struck_off(accounts[record.target], _by_half(state, change), change.container)

    def _struck_off(self, target: Account, hashes: set[int], container: str) -> None:
        held = target.containers.get(container)
        for name, blob in held.blobs.items() if held is not None and hashes else ():
            if name_hash(name) in hashes:
                self._foreign[target.name, (container, name), blob.listed.etag] = "given up while known by half"

    def why_foreign(self, account: str, place: Place, etag: str) -> str:
        """Why the tool may call its own generation foreign; empty: it may not."""
        return self._foreign.get((account, place, etag), "")

    # What is open at a switch.

    def open_for(self, case: Case, engine: str, old: Account, *, is_abandoned: bool) -> set[str]:
        """The excuses that stand open for anything of the move when its route leaves ``old``."""
        found = {"given up"} if is_abandoned else set()
        if self.has_lease_of_before(case, old.name, self._loop.time()):
            found.add("lease of before an edit")
        if any(row.kind == "decided" for row in case.exceptions.values()):
            found.add("decided")
        if any(move == str(case.plan.id) for move, _ in self._unknown[self.store_of(engine)]):
            found.add("store cannot know")
        return found


def _by_half(state: StateStore, change: ReplaceRanges) -> set[int]:
    """The names, by their hashes, that ``change`` forgets and that were under way with a side unknown."""
    old = next(iter(state.ranges(change.move, change.container, change.prefix, above=change.above)), None)
    if old is None or old.upper != change.upper:
        return set()
    kept = {key for one in change.ranges for key in Evidence.unpack(one.records)}
    pending = Evidence.unpack(old.records).announced().records()
    return {key for key, one in pending if UNKNOWN in (one.source, one.target)} - kept


def _engine_of(process: str) -> str:
    return process.replace("guardian", "engine")
