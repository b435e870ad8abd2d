"""Every note of a state store: its key, what it holds, and which module writes it.

A store keeps small JSON values under keys that are text, and an older store's keys must be found again: so each is spelled
here and nowhere else, and a spelling that is in use never changes, however it looks. What the value's form is, the module
that writes it decides. Rule: a note is one function or one name of this module, and stands in ``NOTES``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NewType

from migrator.model.names import MoveId

NoteKey = NewType("NoteKey", str)
"""The key of a note, as it stands in a store. Made by this module only."""

# Of the whole plan.

ACCOUNTED: Final = NoteKey("runs-accounted-for")
"""The ids of runs that ended in order, or whose requests were waited for. ``engine.lingering``."""
LINGERING: Final = NoteKey("requests-may-still-arrive")
"""What earlier runs may have sent and is still waited for: ``{seconds, boot, at, lock}``. ``engine.lingering``."""
COUNTING: Final = NoteKey("counting")
"""That a run counts its own requests, and until when it has: gone when it ends in order. ``engine.own_traffic``."""
UNCOUNTED: Final = NoteKey("uncounted")
"""Minutes in which own requests were not counted: ``[[first, last], ...]``. ``engine.own_traffic``."""
DURATIONS: Final = NoteKey("durations")
"""What the plan promised clients, and for how long they may go by an older promise. ``engine.durations``."""
PACE: Final = NoteKey("pace")
"""How fast a run goes now, by account and move. ``engine.throttle``; its form is ``model.pace``."""
MEANS: Final = NoteKey("inventory/means")
"""How quick this machine and its accounts were; no lock is needed. ``standing.inventory_notes``, its form ``forecast.means``."""
AUTHOR: Final = NoteKey("plan author")
"""Who applied or edited the plan last: ``{who}``. ``standing.authors``."""


def late(wave: str) -> NoteKey:
    """The date that the wave missed and that was said. ``engine.waves``."""
    return NoteKey(f"late {wave}")


def asked_approval(wave: str) -> NoteKey:
    """The fingerprint of the wave whose approval was asked for. ``engine.steps.carry``."""
    return NoteKey(f"asked approval {wave}")


def told(channel: str) -> NoteKey:
    """The number of the journal's last row that the channel was told of. ``engine.outbox``."""
    return NoteKey(f"told {channel}")


# Of a move.


def basis(move: MoveId) -> NoteKey:
    """What of the plan the move stands on since it began. ``engine.preparing``; its form is ``engine.basis``."""
    return NoteKey(f"basis/{move}")


def inventory(move: MoveId, source: str) -> NoteKey:
    """What was counted at its source. ``standing.inventory_notes``; an operator's, so no lock is needed."""
    return NoteKey(f"{OF_INVENTORIES}{move}/{source}")


def seams(move: MoveId, source: str) -> NoteKey:
    """Names at which the listings of its source may be parted in a first copy. ``standing.inventory_notes``; an operator's, so no
    lock is needed."""
    return NoteKey(f"{OF_INVENTORIES}{move}/{source}/seams")


def proof(move: MoveId) -> NoteKey:
    """Objects whose contents ``migrate verify`` compared. ``cli.commands.verify``; an operator's, so no lock is needed."""
    return NoteKey(f"{OF_PROOFS}{move}")


def waits_out(move: MoveId) -> NoteKey:
    """What passes by itself and is waited out now, as a clause. ``engine.patience``."""
    return NoteKey(f"waits out {move}")


def silent_gates(move: MoveId) -> NoteKey:
    """Gates whose source did not answer before the cut-over: ``{at, gates}``. ``engine.silence``."""
    return NoteKey(f"silent gates {move}")


def overdue(move: MoveId) -> NoteKey:
    """Epoch of the fence of which it is on record that it lasts too long. ``engine.releasing``."""
    return NoteKey(f"overdue {move}")


def soak_waits(move: MoveId) -> NoteKey:
    """What its soak waits for. ``standing.soak_waits``."""
    return NoteKey(f"soak waits {move}")


def looking(move: MoveId) -> NoteKey:
    """When the look for stragglers began that is under way. ``engine.steps.soak``."""
    return NoteKey(f"looking {move}")


def warm(move: MoveId) -> NoteKey:
    """The last pass that kept the source warm, and what is in the way of going back. ``standing.way_back``."""
    return NoteKey(f"warm {move}")


def traffic(move: MoveId) -> NoteKey:
    """What the meter said of its requests a minute, and when. ``standing.traffic_notes``."""
    return NoteKey(f"traffic/{move}")


def baseline(move: MoveId, gate: str) -> NoteKey:
    """What the gate's source showed before the cut-over, and how it was asked. ``engine.sampling``."""
    return NoteKey(f"baseline {move} {gate}")


def left_target(move: MoveId) -> NoteKey:
    """The last look at a target that customers left: ``{at, seconds, found}``. ``engine.left_target``."""
    return NoteKey(f"left {move}")


def retired(move: MoveId) -> NoteKey:
    """What was deleted at its source, and what was kept there. ``standing.retiring``, made by ``engine.retiring``."""
    return NoteKey(f"retired {move}")


def source_changed(move: MoveId) -> NoteKey:
    """When a look before a retirement last found a change at its source. ``standing.retiring``, made by ``engine.retiring``."""
    return NoteKey(f"source changed {move}")


# Of a move's data plane.


def streamed(move: MoveId) -> NoteKey:
    """The service does not copy between its accounts: ``{at, origin, destination, why}``. ``transfer.streaming``."""
    return NoteKey(f"streamed/{move}")


def order(move: MoveId, container: str, prefix: str) -> NoteKey:
    """In which order the service lists the names. ``transfer.passes``."""
    return NoteKey(f"order/{move}/{container}/{prefix}")


def containers(move: MoveId, account: str) -> NoteKey:
    """The containers that were seen, each with its ETag. ``transfer.containers``."""
    return NoteKey(f"containers/{move}/{account}")


def doubtful_containers(move: MoveId, account: str) -> NoteKey:
    """Those that changed during a pass, or all while one is under way. ``transfer.containers``."""
    return NoteKey(f"doubtful-containers/{move}/{account}")


def replaced_containers(move: MoveId, account: str) -> NoteKey:
    """Those in whose place another one is. ``transfer.containers``."""
    return NoteKey(f"replaced-containers/{move}/{account}")


def accepted_containers(move: MoveId, account: str) -> NoteKey:
    """Those that may be gone, as an operator said, each with the ETag that it had. ``transfer.containers``."""
    return NoteKey(f"accepted-containers/{move}/{account}")


def container_metadata(move: MoveId) -> NoteKey:
    """The metadata that was equal at both sides, as a digest by container. ``transfer.container_shape``."""
    return NoteKey(f"container-metadata/{move}")


def container_access(move: MoveId) -> NoteKey:
    """Containers that the same people could read without a signature at both sides, and who: "" is nobody.
    ``transfer.container_shape``."""
    return NoteKey(f"container-access/{move}")


def staged(move: MoveId, direction: str) -> NoteKey:
    """Places at which blocks may be staged and not committed. ``transfer.sweeping``."""
    return NoteKey(f"staged/{move}/{direction}")


def deleting(move: MoveId, direction: str) -> NoteKey:
    """Objects whose delete was begun and not answered for. ``transfer.deletes``."""
    return NoteKey(f"deleting/{move}/{direction}")


OF_INVENTORIES: Final = "inventory/"
OF_PROOFS: Final = "proof/"
OF_TRAFFIC: Final = "traffic/"
OF_OPERATORS: Final = (OF_INVENTORIES, OF_PROOFS, OF_TRAFFIC, MEANS)
"""What these begin with may be written without the lock of a run."""

NOTES: Final[Mapping[str, NoteKey | Callable[..., NoteKey]]] = {
    "runs-accounted-for": ACCOUNTED,
    "requests-may-still-arrive": LINGERING,
    "counting": COUNTING,
    "uncounted": UNCOUNTED,
    "durations": DURATIONS,
    "pace": PACE,
    "inventory/means": MEANS,
    "plan author": AUTHOR,
    "late {wave}": late,
    "asked approval {wave}": asked_approval,
    "told {channel}": told,
    "basis/{move}": basis,
    "inventory/{move}/{source}": inventory,
    "inventory/{move}/{source}/seams": seams,
    "proof/{move}": proof,
    "waits out {move}": waits_out,
    "silent gates {move}": silent_gates,
    "overdue {move}": overdue,
    "soak waits {move}": soak_waits,
    "looking {move}": looking,
    "warm {move}": warm,
    "traffic/{move}": traffic,
    "baseline {move} {gate}": baseline,
    "left {move}": left_target,
    "retired {move}": retired,
    "source changed {move}": source_changed,
    "streamed/{move}": streamed,
    "order/{move}/{container}/{prefix}": order,
    "containers/{move}/{account}": containers,
    "doubtful-containers/{move}/{account}": doubtful_containers,
    "replaced-containers/{move}/{account}": replaced_containers,
    "accepted-containers/{move}/{account}": accepted_containers,
    "container-metadata/{move}": container_metadata,
    "container-access/{move}": container_access,
    "staged/{move}/{direction}": staged,
    "deleting/{move}/{direction}": deleting,
}
"""Every key as it is spelled in stores, for whoever reads one by hand."""
