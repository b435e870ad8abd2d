"""The diagram of the law in Mermaid, drawn from the table: ``python -m migrator.machine.diagram``."""

from __future__ import annotations

from migrator.machine.events import Event
from migrator.machine.transitions import ROWS
from migrator.model.moves import Direction


def mermaid() -> str:
    """One state diagram; halts are summed up in a note, since every working state has one."""
    lines = ["stateDiagram-v2", "    [*] --> pending"]
    halting: list[str] = []
    for row in ROWS:
        here, there = _node(row.direction, row.state), _node(row.turn, row.to)
        if row.event is Event.HALTED:
            halting.append(here)
        else:
            lines.append(f"    {here} --> {there}: {row.event}")
    lines.append("    note right of pending")
    lines.append(f"        halted is reached from {', '.join(halting)}, and left by retried, rolled-back or adopted")
    lines.append("    end note")
    return "\n".join(lines) + "\n"


def _node(direction: Direction, state: str) -> str:
    name = state.replace("-", "_")
    return name if direction is Direction.FORWARD or state == "reversed" else f"reverse_{name}"


if __name__ == "__main__":
    print(mermaid(), end="")
