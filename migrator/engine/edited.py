"""What an edited plan says otherwise than the one before, and what of it loosens a soak that is under way.

Decides by two compiled plans; pure. Leaves what is refused to ``edits``. Rules: a move is the same one under whatever wave's
name; all that a soak is measured by counts as loosened unless it surely became stricter, because samples that were judged before
the edit say nothing of what the gates ask after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Final

from migrator.machine.states import is_in_soak
from migrator.model.findings import Finding
from migrator.model.moves import MoveRecord
from migrator.model.names import MoveId
from migrator.model.schedule import WAY_BACK_READY, Cutover, Gate, PlannedWave, Schedule
from migrator.model.units import show_duration
from migrator.model.values import value

_ROUTING: Final = {"ttl_seconds": "routing.ttl", "max_write_seconds": "cutover.max_write"}
_WAVE: Final = {
    "soak_seconds": "soak",
    "interval_seconds": "interval",
    "on_failure": "on_failure",
    "rollback_scope": "rollback_scope",
    "approval_required": "approval required",
    "not_before": "not_before",
    "complete_by": "complete_by",
    "max_moves": "max_moves",
    "after": "after",
    "change_windows": "change_windows",
    "verify": "verify",
}


@value(frozen=True, slots=True)
class Edit:
    """``where``: "wave us-one", "gate errors", "routing"; ``old`` and ``new`` as people write them."""

    where: str
    what: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} {self.old} -> {self.new}"


@value(frozen=True, slots=True)
class Edited:
    """``edits``: all of them; ``loosened``: by move, those that loosen its soak. ``is_known`` False: the plan before cannot be
    read any more, so every soak of a wave that changed counts as loosened."""

    edits: tuple[Edit, ...] = ()
    loosened: Mapping[MoveId, tuple[Edit, ...]] = field(default_factory=dict)
    is_known: bool = True


def edited(before: Schedule | None, now: Schedule, changed_waves: frozenset[str] = frozenset()) -> Edited:
    """Compare. ``changed_waves``: those whose recorded fingerprint is another, for a plan that cannot be read any more."""
    if before is None:
        edit = Edit("plan", "the one before", "cannot be read", "this one")
        unsure: dict[MoveId, tuple[Edit, ...]] = {
            move.id: (edit,) for wave in now.waves if wave.name in changed_waves for move in wave.moves
        }
        return Edited((edit,), unsure, is_known=False)
    found = list(_all(before, now))
    old = {move.id: wave for wave in before.waves for move in wave.moves}
    loosened = {
        move.id: edits
        for wave in now.waves
        for move in wave.moves
        if move.id in old and (edits := tuple(_loosens(old[move.id], wave)))
    }
    return Edited(tuple(found), loosened)


def _all(before: Schedule, now: Schedule) -> Iterator[Edit]:
    for name, key in _ROUTING.items():
        yield from _one("routing", key, getattr(before.routing, name), getattr(now.routing, name))
    was, waves = {wave.name: wave for wave in before.waves}, {wave.name: wave for wave in now.waves}
    for name, wave in waves.items():
        if name not in was:
            ids = {one.id for one in wave.moves}
            moved = [other.name for other in before.waves if ids & {one.id for one in other.moves}]
            yield Edit(f"wave {name}", "was", ", ".join(moved) or "not there", name)
            continue
        yield from _of_wave(was[name], wave)
    for name in was.keys() - waves.keys():
        yield Edit(f"wave {name}", "is", "there", "gone")
    gates = {gate.name: gate for wave in before.waves for gate in wave.gates}
    for gate in {gate.name: gate for wave in now.waves for gate in wave.gates}.values():
        if gate.name in gates:
            yield from _fields(f"gate {gate.name}", gates[gate.name], gate)
    for name in sorted(before.accounts.keys() & now.accounts.keys()):
        yield from _fields(f"account {name}", before.accounts[name], now.accounts[name])
    yield from _one("plan", "freeze", before.freeze, now.freeze)


def _of_wave(old: PlannedWave, new: PlannedWave) -> Iterator[Edit]:
    where = f"wave {new.name}"
    for name, key in _WAVE.items():
        yield from _one(where, key, getattr(old, name), getattr(new, name))
    yield from _one(where, "gates", _gates(old), _gates(new))
    yield from _one(where, "moves", [str(one.id) for one in old.moves], [str(one.id) for one in new.moves])
    yield from _fields(where, old.cutover, new.cutover)


def _gates(wave: PlannedWave) -> list[str]:
    """Their names, the built-in one too that a plan can name."""
    return [*(gate.name for gate in wave.gates), *([WAY_BACK_READY] if wave.needs_way_back else [])]


def _fields(where: str, old: Any, new: Any) -> Iterator[Edit]:
    for name in type(new).__dataclass_fields__:
        if name != "name":
            yield from _one(where, name.removesuffix("_seconds"), getattr(old, name), getattr(new, name), name)


def _loosens(old: PlannedWave, new: PlannedWave) -> Iterator[Edit]:
    where = f"wave {new.name}"
    if new.soak_seconds < old.soak_seconds:
        yield from _one(where, "soak", old.soak_seconds, new.soak_seconds, "soak_seconds")
    if new.interval_seconds > old.interval_seconds:
        yield from _one(where, "interval", old.interval_seconds, new.interval_seconds, "interval_seconds")
    if (old.on_failure, new.on_failure) == ("rollback", "halt"):
        yield from _one(where, "on_failure", old.on_failure, new.on_failure)
    if new.cutover.straggler_interval_seconds > old.cutover.straggler_interval_seconds:
        yield from _straggler(where, old.cutover, new.cutover)
    gates = {gate.name: gate for gate in new.gates}
    lost = [name for name in _gates(old) if name not in _gates(new)]
    if lost:
        yield from _one(where, "gates", _gates(old), _gates(new))
    for gate in old.gates:
        if gate.name in gates and gates[gate.name] != gate and not _is_stricter(gate, gates[gate.name]):
            yield from _fields(f"gate {gate.name}", gate, gates[gate.name])


def _straggler(where: str, old: Cutover, new: Cutover) -> Iterator[Edit]:
    yield from _one(
        where, "straggler_interval", old.straggler_interval_seconds, new.straggler_interval_seconds, "_seconds"
    )


def _is_stricter(old: Gate, new: Gate) -> bool:
    """Only the bounds and limits that surely fail more became other ones: every sample that passes now passed before."""
    tighter: Mapping[str, Callable[[Any, Any], bool]] = {
        "max": lambda was, now: was is None or (now is not None and now <= was),
        "min": lambda was, now: was is None or (now is not None and now >= was),
        "max_ratio": lambda was, now: was is None or (now is not None and now <= was),
        "failure_limit": lambda was, now: now <= was,
        "min_samples": lambda was, now: now >= was,
    }
    for name in Gate.__dataclass_fields__:
        was, now = getattr(old, name), getattr(new, name)
        if was != now and not (name in tighter and tighter[name](was, now)):
            return False
    return True


def _one(where: str, what: str, old: Any, new: Any, name: str = "") -> Iterator[Edit]:
    if old != new:
        is_time = name.endswith("_seconds") or what in ("soak", "interval", "routing.ttl", "cutover.max_write")
        yield Edit(where, what, _shown(old, is_time=is_time), _shown(new, is_time=is_time))


def _shown(found: Any, *, is_time: bool) -> str:
    if found is None:
        return "none"
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, (int, float)) and is_time:
        return show_duration(found) if found >= 1 or found == 0 else f"{found * 1000:g} ms"
    if isinstance(found, (list, tuple)):
        return f"[{', '.join(_shown(one, is_time=is_time) for one in found)}]"
    if isinstance(found, datetime):
        return f"{found:%Y-%m-%d %H:%M} UTC"
    return f"{found:g}" if isinstance(found, float) else str(found)


def edited_findings(found: Edited, records: Mapping[MoveId, MoveRecord], since: str) -> Iterator[Finding]:
    """What is shown of an edit before it is applied. ``since``: when the plan before was applied."""
    if found.edits:
        text = f"the plan was edited since {since}: {'; '.join(str(one) for one in found.edits[:8])}"
        text += f"; and {len(found.edits) - 8} more" if len(found.edits) > 8 else ""
        yield Finding("info", "plan-edited", "plan", text)
    by_edits: dict[tuple[Edit, ...], list[str]] = {}
    for id, edits in found.loosened.items():
        if (record := records.get(id)) is not None and is_in_soak(record):
            by_edits.setdefault(edits, []).append(str(id))
    for edits, moves in by_edits.items():
        text = f"the edit loosens the soak of {', '.join(moves)} ({'; '.join(map(str, edits))}): it starts again"
        yield Finding("warning", "soak-loosened", moves[0], text)
