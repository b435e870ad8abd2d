"""Every series that a scrape shows: name, help, labels, and how it is read from a ``Standing``.

Decides names and meaning; they are stable, and programs may rely on them. Rule: a series whose value is not known is absent,
never zero - an alert on a missing value is honest, one on a wrong value is not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal

from migrator.machine.states import is_in_fence
from migrator.model.values import value
from migrator.standing.next_step import NEEDS_NOBODY, next_step
from migrator.standing.values import MoveStanding, Standing, WaveStanding

Sampled = tuple[tuple[str, ...], float]
"""Label values in the order of ``Series.labels``, and the value."""


@value(frozen=True, slots=True)
class Series:
    """``name`` without the suffix ``_total``, which a counter gets when it is shown; ``labels`` follow the label ``plan``."""

    name: str
    kind: Literal["gauge", "counter"]
    help: str
    labels: tuple[str, ...]
    read: Callable[[Standing], Iterable[Sampled]]

    @property
    def shown_name(self) -> str:
        return f"{self.name}_total" if self.kind == "counter" else self.name


_MOVE: Final = ("region", "area")


def _labels(move: MoveStanding) -> tuple[str, ...]:
    return move.record.id.region, move.record.id.area


def _per_move(read: Callable[[MoveStanding], float | None]) -> Callable[[Standing], Iterator[Sampled]]:
    def sampled(standing: Standing) -> Iterator[Sampled]:
        for move in standing.moves:
            found = read(move)
            if found is not None:
                yield _labels(move), float(found)

    return sampled


def _per_wave(read: Callable[[WaveStanding, Standing], float | None]) -> Callable[[Standing], Iterator[Sampled]]:
    def sampled(standing: Standing) -> Iterator[Sampled]:
        for wave in standing.waves:
            found = read(wave, standing)
            if found is not None:
                yield (wave.name,), float(found)

    return sampled


def _wave_states(standing: Standing) -> Iterator[Sampled]:
    for wave in standing.waves:
        yield (wave.name, str(wave.state)), 1.0


def _wave_waits(standing: Standing) -> Iterator[Sampled]:
    for wave in standing.waves:
        for kind in sorted({str(wait.kind) for wait in wave.waits}):
            yield (wave.name, kind), 1.0


def _forecast_end(wave: WaveStanding, standing: Standing) -> float | None:
    if standing.outlook is None:
        return None
    ends = standing.outlook.wave(wave.name).soaked
    return ends.timestamp() if ends is not None else None


def _slack(wave: WaveStanding, standing: Standing) -> float | None:
    return standing.outlook.wave(wave.name).slack_seconds if standing.outlook is not None else None


def _move_states(standing: Standing) -> Iterator[Sampled]:
    for wave in standing.waves:
        for move in wave.moves:
            record = move.record
            yield (*_labels(move), wave.name, str(record.state), str(record.direction)), 1.0


def _fence_age(move: MoveStanding) -> float | None:
    return move.fence_seconds if move.is_fenced else None


def _listed(standing: Standing) -> Iterator[Sampled]:
    for move in standing.moves:
        for kind, number in sorted(move.listed_counts.items()):
            yield (*_labels(move), kind), float(number)


def _verdicts(standing: Standing) -> Iterator[Sampled]:
    for move in standing.moves:
        for gate in move.gates:
            yield (*_labels(move), gate.gate, str(gate.verdict)), 1.0


def _gate_values(standing: Standing) -> Iterator[Sampled]:
    for move in standing.moves:
        for gate in move.gates:
            if gate.value is not None:
                yield (*_labels(move), gate.gate), float(gate.value)


def _move_rates(standing: Standing) -> Iterator[Sampled]:
    for name, rate in sorted(standing.pace.moves.items()) if standing.pace else ():
        region, _, area = name.partition("/")
        yield (region, area), float(rate)


def _account_rates(standing: Standing) -> Iterator[Sampled]:
    for name, pace in sorted(standing.pace.accounts.items()) if standing.pace else ():
        yield (name,), float(pace.rate_per_second)


def _account_limits(standing: Standing) -> Iterator[Sampled]:
    for name, pace in sorted(standing.pace.accounts.items()) if standing.pace else ():
        if pace.pace_per_second is not None:
            yield (name,), float(pace.pace_per_second)


def _brakes(standing: Standing) -> Iterator[Sampled]:
    for name, pace in sorted(standing.pace.accounts.items()) if standing.pace else ():
        for brake in ("budget", "service"):
            yield (name, brake), float(pace.brake == brake)


def _needs_person(standing: Standing) -> Iterator[Sampled]:
    yield (), float(next_step(standing).advice not in NEEDS_NOBODY)


def _at_work(standing: Standing) -> Iterator[Sampled]:
    yield (), float(standing.is_at_work)


def _heartbeat(standing: Standing) -> Iterator[Sampled]:
    if standing.lock is not None:
        yield (), standing.lock.heartbeat.timestamp()


SERIES: Final[tuple[Series, ...]] = (
    Series("migrate_run_at_work", "gauge", "1 while a run is at work, 0 otherwise.", (), _at_work),
    Series("migrate_run_heartbeat_timestamp_seconds", "gauge", "The last heartbeat of the run that holds the lock; "
           "absent without one.", (), _heartbeat),
    Series("migrate_person_needed", "gauge", "1 while the next safe action is a person's (`migrate status` names it), 0 "
           "otherwise.", (), _needs_person),
    Series("migrate_wave_state", "gauge", "1 for the state that the wave is in.", ("wave", "state"), _wave_states),
    Series("migrate_wave_waits", "gauge", "1 for each kind of thing that the wave waits for.", ("wave", "kind"),
           _wave_waits),
    Series("migrate_wave_forecast_end_timestamp_seconds", "gauge", "When the wave has soaked at the earliest, by the "
           "forecast of now.", ("wave",), _per_wave(_forecast_end)),
    Series("migrate_wave_slack_seconds", "gauge", "From the forecast end to `complete_by`; below zero if the date is "
           "missed.", ("wave",), _per_wave(_slack)),
    Series("migrate_move_state", "gauge", "1 for the state that the move is in.",
           (*_MOVE, "wave", "state", "direction"), _move_states),
    Series("migrate_move_copied_objects", "counter", "Objects copied.", _MOVE,
           _per_move(lambda move: move.record.figures.objects_copied)),
    Series("migrate_move_copied_bytes", "counter", "Bytes copied.", _MOVE,
           _per_move(lambda move: move.record.figures.bytes_copied)),
    Series("migrate_move_deleted_objects", "counter", "Objects deleted at the side that is copied to.", _MOVE,
           _per_move(lambda move: move.record.figures.objects_deleted)),
    Series("migrate_move_lag_objects", "gauge", "Objects that the last pass found changed.", _MOVE,
           _per_move(lambda move: move.record.figures.lag_objects)),
    Series("migrate_move_lag_bytes", "gauge", "Bytes of these objects.", _MOVE,
           _per_move(lambda move: move.record.figures.lag_bytes)),
    Series("migrate_move_lag_seconds", "gauge", "How far behind the last pass was.", _MOVE,
           _per_move(lambda move: move.record.figures.lag_seconds)),
    Series("migrate_move_objects_per_second", "gauge", "Objects a second at present; absent while no run is at work.",
           _MOVE, _move_rates),
    Series("migrate_move_writers_wait", "gauge", "1 while writers of the area wait, or may wait.", _MOVE,
           _per_move(lambda move: move.is_fenced)),
    Series("migrate_move_in_cut_over", "gauge", "1 from the fence to the switch.", _MOVE,
           _per_move(lambda move: is_in_fence(move.record.state))),
    Series("migrate_move_fence_age_seconds", "gauge", "How long writers have waited so far; absent outside a fence.",
           _MOVE, _per_move(_fence_age)),
    Series("migrate_move_writers_paused_seconds", "gauge", "How long the last fence kept writers waiting; absent before "
           "the first.", _MOVE, _per_move(lambda move: move.record.figures.fence_seconds)),
    Series("migrate_move_cancelled_fences", "gauge", "Cut-overs cancelled in a row.", _MOVE,
           _per_move(lambda move: move.record.figures.cancelled_fences)),
    Series("migrate_move_soak_seconds", "gauge", "Healthy time since the switch.", _MOVE,
           _per_move(lambda move: move.record.figures.soak_seconds)),
    Series("migrate_move_soak_left_seconds", "gauge", "Healthy time that the soak still wants; absent outside a soak.",
           _MOVE, _per_move(lambda move: move.soak_left_seconds)),
    Series("migrate_move_route_epoch", "gauge", "Newest epoch known of the route record.", _MOVE,
           _per_move(lambda move: move.record.epoch)),
    Series("migrate_move_listed_objects", "gauge", "Objects that a person should know of, by kind.", (*_MOVE, "kind"),
           _listed),
    Series("migrate_gate_verdict", "gauge", "1 for the verdict of the gate's last sample; absent outside a soak.",
           (*_MOVE, "gate", "verdict"), _verdicts),
    Series("migrate_gate_value", "gauge", "What the gate's last sample measured.", (*_MOVE, "gate"), _gate_values),
    Series("migrate_account_requests_per_second", "gauge", "Requests a second that migration itself sends; absent while "
           "no run is at work.", ("account",), _account_rates),
    Series("migrate_account_requests_limit_per_second", "gauge", "Most that it may send at present; absent without a "
           "limit.", ("account",), _account_limits),
    Series("migrate_account_braked", "gauge", "1 while the budget, or the service's refusals, hold requests back.",
           ("account", "by"), _brakes),
)  # fmt: skip
"""The whole list, in the order of the page."""
