"""The laws of a stay at the target: what a soak may claim, and what is on the list before a move is called soaked.

Decides whether a committed record claims more than was observed. Leaves switches to ``switching``.
"""

from __future__ import annotations

from migrator.model.moves import MoveRecord, MoveState
from migrator.model.samples import Sample, Verdict
from migrator.ports.state_store import AddSample, StateStore
from migrator.testing.simulation.cases import Case, Scene
from migrator.testing.simulation.comparing import difference, is_same
from migrator.testing.simulation.loop import Node
from migrator.testing.simulation.watched_soak import WatchedSoak
from migrator.transfer.evidence import generation_hash


class StayJudge:
    """Judges what engines commit of the stays of one world."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._sampled_at: dict[Sample, float] = {}

    def restored(self, case: Case, record: MoveRecord, state: StateStore, since: float) -> None:
        """An older store, of ``since``, knows fewer samples."""
        known = [one for one in state.last_samples(record.id).values() if one.verdict is Verdict.PASSED]
        passes = {one.gate: self._sampled_at[one] for one in known if one in self._sampled_at}
        case.soak = WatchedSoak(passes, record.figures.soak_seconds)
        case.rests_again(self._scene.loop.time(), since)

    def saved(self, case: Case, record: MoveRecord) -> None:
        """An engine wrote ``record`` down."""
        scene = self._scene
        before, case.record = case.record, record
        if before is None or before.state is not record.state:
            case.rests_from(scene.loop.time())
            if record.state is MoveState.VERIFYING:
                case.compared_from = scene.loop.time()
        soak = record.figures.soak_seconds
        if soak and before is not None and (before.state, record.state) == (MoveState.SWITCHING, MoveState.SOAKING):
            scene.break_("soak-figure", f"{record.id} begins to soak with {soak:.0f} s of an earlier soak")
            return
        was_soaking = before is not None and before.state is MoveState.SOAKING and before.is_adopted
        if record.state is MoveState.SOAKING and record.is_adopted and not was_soaking:
            case.switched_at = scene.loop.time()  # a hand switched it some time ago: the soak begins with the adoption
            case.soak.begin_again()
            self._excuse_deletes(case)
        if record.state is MoveState.SOAKING and was_soaking and not record.is_adopted:
            self._excuse_deletes(case)  # the comparison that follows an adoption has ended: it saw no evidence either
        if record.state in (MoveState.SOAKING, MoveState.SOAKED) and soak > 0:
            self._judge_soak(case, soak)
        if record.state is MoveState.SOAKED and before is not None:
            self._judge_stay(before, record)
        if record.state is MoveState.SOAKED and (before is None or before.state is not MoveState.SOAKED):
            wave = scene.schedule.wave_of(record.id)
            if soak + 1e-6 < wave.soak_seconds:
                scene.break_("soak", f"{record.id} is soaked after {soak:.0f} s of {wave.soak_seconds:.0f} s")
            self._judge_lists(case)

    def _judge_stay(self, before: MoveRecord, soaked: MoveRecord) -> None:
        """Between two stays at the target customers may have been at the source, where nobody has looked since."""
        if (before.state, before.epoch) not in ((MoveState.SOAKING, soaked.epoch), (MoveState.SOAKED, soaked.epoch)):
            was = f"it was {before.state} at epoch {before.epoch}"
            self._scene.break_(
                "soak", f"{soaked.id} is called soaked at epoch {soaked.epoch}, and did not soak there: {was}"
            )

    def _excuse_deletes(self, case: Case) -> None:
        """Whoever adopts a route has lost the evidence: what is at the target alone may have been deleted at the source behind
        everybody's back, or was never there. Only what still lies at the source can be compared."""
        for (account, container, name), late in case.late.items():
            if account == case.plan.source and self._scene.accounts[account].peek(container, name) is None:
                late.listed = True

    def _judge_lists(self, case: Case) -> None:
        """Before ``soaked``, everything that happened at the old account behind our back is on the list."""
        wave = self._scene.schedule.wave_of(case.plan.id)
        for (account, container, name), late in case.late.items():
            if account != case.plan.source or late.listed:
                continue
            here, left = self._scene.accounts[account].peek(container, name), case.left.get((account, container, name))
            if late.at > (case.switched_at or 0.0) and (here is left or is_same(left, here)):
                continue  # there and back; what came before the switch was left behind as it is
            if difference(here, self._scene.accounts[case.plan.target].peek(container, name)) is None:
                continue
            if here is not None and generation_hash(name, here.listed.etag) in case.carried:
                continue  # it was carried over all the same, before the tool saw that the route had been edited
            row = case.exceptions.get((container, name))
            if row is not None and row.source_etag == (here.listed.etag if here else None):
                continue  # listed before as it is again
            scanned = case.seen_at(self._scene.accounts[account], container, name)
            long_ago = self._scene.loop.time() - 3 * wave.cutover.straggler_interval_seconds - 60
            if late.at < scanned - 1e-6 or late.at < long_ago:
                self._scene.break_("unlisted-loss", f"{case.plan.id} is soaked, but {late.text} is in no list")

    def _judge_soak(self, case: Case, claimed: float) -> None:
        if case.switched_at is None:
            self._scene.break_("soak", f"{case.plan.id} claims {claimed:.0f} s without a switch")
            return
        if self._scene.loop.time() - case.hand_at <= self._scene.rhythm.claim_seconds:
            return  # the soak that a hand ended just now, as far as it had come: the engine's claim is still good
        interval = self._scene.schedule.wave_of(case.plan.id).interval_seconds
        most = self._scene.loop.time() - case.switched_at
        most = min(most, case.soak.seconds)
        if claimed > most + interval + 1.0:
            self._scene.break_("soak", f"{case.plan.id} claims {claimed:.0f} s, {most:.0f} s were observed")

    def sampled(self, case: Case, node: Node, change: AddSample) -> None:
        """A sample was written down."""
        sample = change.sample
        self._sampled_at[sample] = self._scene.loop.time()
        now = self._scene.loop.time()
        interval = self._scene.schedule.wave_of(sample.move).interval_seconds
        case.soak.take(sample, by=node.name, now=now, interval_seconds=interval)
