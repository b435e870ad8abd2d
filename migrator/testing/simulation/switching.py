"""The laws of a switch: at that instant the new account holds for every name what the old one holds, and nobody may write there.

Decides what a switch, by the tool or by hand, leaves behind. Leaves single effects to ``oracle``, and what may be let pass to
``excuses``.
"""

from __future__ import annotations

from collections import Counter

from migrator.model.names import OUR_BLOCKS
from migrator.testing.simulation.blobs import Account
from migrator.testing.simulation.cases import Case, Late, Place, Scene
from migrator.testing.simulation.comparing import describe, difference
from migrator.testing.simulation.excuses import Excuses
from migrator.testing.simulation.watched_soak import WatchedSoak
from migrator.transfer.decide import marks_text
from migrator.transfer.evidence import generation_hash


class SwitchJudge:
    """Judges the switches of one world. ``excused``: in how many an excuse was open, by its kind."""

    def __init__(self, scene: Scene, excuses: Excuses) -> None:
        self._scene = scene
        self._excuses = excuses
        self.switches = 0
        self.judged = 0
        """Switches that were judged by all laws: no excuse was open for anything of the move."""
        self.excused: Counter[str] = Counter()

    def judge(self, case: Case, old: str, new: str, engine: str, what: str, *, is_abandoned: bool) -> None:
        """``engine`` sent the route of a move from ``old`` to ``new``."""
        scene, now = self._scene, self._scene.loop.time()
        here, there = scene.accounts[old], scene.accounts[new]
        self.switches += 1
        opened = self._excuses.open_for(case, engine, here, is_abandoned=is_abandoned)
        self.judged += not opened
        self.excused.update(opened)
        case.switched_from = old
        case.switched_at = now
        case.soak = WatchedSoak()
        for who, until in scene.writers.leases_for(old, str(case.plan.id)):
            if until <= now + 1e-6:
                continue
            if self._excuses.has_lease_of_before(case, old, until):
                self._excuses.used["lease alive at a switch"] += 1
                continue
            scene.break_("lease-alive-at-switch", f"{what}: {who} may write to {old} until {until:.3f}")
        if is_abandoned:
            self._leave_behind(case, here, there, what)
            return
        late = {(container, name) for account, container, name in case.late if account == old}
        for container, name in sorted({*scene.places(case, old, new), *late}):
            case.left[old, container, name] = here.peek(container, name)
            self._compare(case, here, there, (container, name), engine, what)
        for container, held in there.containers.items():
            for name, blocks in held.staged.items():
                is_ours = any(one.startswith(OUR_BLOCKS) for one in blocks)
                if not is_ours or name in held.blobs or not case.plan.area.takes(container, name):
                    continue
                if self._excuses.is_unknown(case, engine, (container, name)):
                    # A store that was put back has forgotten that they were noted: the service drops them a week later.
                    self._excuses.used["blocks that a store cannot know"] += 1
                else:
                    scene.break_("blocks-left", f"{what}: blocks of ours lie uncommitted at {new}/{container}/{name!r}")
        if scene.schedule.wave_of(case.plan.id).verify.level == "content":
            self._judge_proofs(case, what)
        scene.settle_in(case, new)

    def _leave_behind(self, case: Case, here: Account, there: Account, what: str) -> None:
        """A person gave the target up, with what was written there since the switch: it may be lost, but not destroyed."""
        if there.name != case.plan.source:
            self._scene.break_("abandoned-forward", what)
        for container, name in self._scene.places(case, here.name):
            blob, row = here.peek(container, name), case.exceptions.get((container, name))
            if blob is None or generation_hash(name, blob.listed.etag) in case.carried:
                continue
            # What a person had decided against before is kept elsewhere already.
            blob.stray = row is None or row.kind != "decided" or row.target_etag != blob.listed.etag
        self._scene.settle_in(case, there.name)

    def _judge_proofs(self, case: Case, what: str) -> None:
        """The plan wants contents read: so every name that both sides have must have been, by a range that was committed."""
        plan, accounts = case.plan, self._scene.accounts
        for container, name in self._scene.places(case, plan.source, plan.target):
            source, target = (accounts[account].peek(container, name) for account in (plan.source, plan.target))
            if source is None or target is None or (container, name) in case.exceptions:
                continue
            is_late = any((side, container, name) in case.late for side in (plan.source, plan.target))
            pair = (generation_hash(name, source.listed.etag), generation_hash(name, target.listed.etag))
            if pair not in case.proved and not is_late:
                self._scene.break_("unproved", f"{what}: {container}/{name!r} was never read on both sides")

    def left_by_hand(self, case: Case, old: str, new: str) -> None:
        """A person moved the route: nothing was drained and nothing compared, so whatever differs is as if a writer without a
        lease had done it to the old account just then."""
        accounts = self._scene.accounts
        for container, name in self._scene.places(case, old, new):
            here, there = accounts[old].peek(container, name), accounts[new].peek(container, name)
            if difference(here, there) is not None:
                text = f"{old}/{container}/{name!r}, left as it was when the route was edited by hand"
                # What only the new account has is the truth now: there is nothing at the old one that could be listed.
                case.late[(old, container, name)] = Late(self._scene.loop.time(), text, listed=here is None)

    def _compare(self, case: Case, old: Account, new: Account, place: Place, engine: str, what: str) -> None:
        container, name = place
        here, there = old.peek(container, name), new.peek(container, name)
        invariant = difference(here, there)
        if invariant is None:
            case.late.pop((old.name, container, name), None)  # whoever wrote it, it came along
            return
        if self._is_decided(case, place):
            self._excuses.used["decided"] += 1
            return
        late_here, late_there = (case.late.get((side.name, container, name)) for side in (old, new))
        if late_here is not None and late_here.is_whole:
            if late_here.at < case.seen_at(old, container, name):
                late_here = None
            else:
                self._excuses.used["a container that came or went after the last look"] += 1
        # A store that cannot know how a name came to be so keeps it, and lists it. Nothing more is promised of that name.
        is_unknown = self._excuses.is_unknown(case, engine, place)
        row = case.exceptions.get(place)
        is_listed = (row is not None and row.kind == "kept") or self._is_kept_in_some_list(case, place)
        if is_listed and (late_here is not None or late_there is not None):
            return
        if is_listed and is_unknown:
            self._excuses.used["kept by a store that cannot know"] += 1
            return
        if late_here is not None:
            late_here.listed = False
            if here is not None and (there is None or here.body != there.body):
                # Tags and tiers alone are not bytes that somebody could miss; and what was carried over was not left behind:
                # whoever took it away over there did so behind the tool's back.
                here.stray = generation_hash(name, here.listed.etag) not in case.carried
            return
        if late_there is not None and late_there.at >= min(case.compared_from, case.seen_at(new, container, name)):
            return  # as good as written just after the switch: nobody could have seen it
        text = f"{container}/{name!r} was {describe(here)} and is {describe(there)} (row {row})"
        self._scene.break_(invariant, f"{what}: {text}")

    def _is_decided(self, case: Case, place: Place) -> bool:
        """Did a person decide that the source keeps its version, of just these two generations?"""
        row = case.exceptions.get(place)
        if row is None or row.kind != "decided" or (row.source_etag, row.target_etag) != self._etags(case, place):
            return False
        source, target = (self._scene.accounts[one].peek(*place) for one in (case.plan.source, case.plan.target))
        return row.marks == marks_text(source.listed if source else None, target.listed if target else None)

    def _is_kept_in_some_list(self, case: Case, place: Place) -> bool:
        """Does the list of another store, which may be older or newer than this one's, name just these generations?"""
        return (*place, *self._etags(case, place)) in case.was_kept

    def _etags(self, case: Case, place: Place) -> tuple[str | None, str | None]:
        accounts = self._scene.accounts
        source, target = (accounts[account].peek(*place) for account in (case.plan.source, case.plan.target))
        return source.listed.etag if source else None, target.listed.etag if target else None
