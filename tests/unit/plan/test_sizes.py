"""Plans of ordinary and of large size cost time and memory in proportion: none of them exhausts the machine.

Each is read by a process of its own with limits that nothing linear comes near and anything quadratic breaks: processor
seconds (not those of a clock, so that a busy machine does not matter), address space, and the memory really used.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest

MANY = 10_000
CPU_SECONDS = 12
ADDRESS_SPACE = 1 << 30
RESIDENT_MIB = 200
GATE = {"source": "m", "metric": "ingress", "max": 1, "on_no_data": "fail"}
BASE: dict[str, Any] = {
    "version": 1,
    "name": "large",
    "accounts": {"a": {"kind": "local", "path": "a.db"}, "b": {"kind": "local", "path": "b.db"}},
    "areas": {"x": {"containers": ["box"]}},
    "regions": {"r": {"source": "a", "targets": {"x": "b"}}},
    "routing": {"kind": "file", "path": "r.json"},
    "metrics": {"m": {"kind": "local"}},
}


def names(count: int, stem: str = "c") -> list[str]:
    return [f"{stem}{number:05d}" for number in range(count)]


def plan(wave: Mapping[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    first = {"name": "w", "moves": [{"region": "r", "areas": ["x"]}], "soak": "1m", **(wave or {})}
    return {**BASE, "waves": [first], **parts}


def areas(count: int, **wave: Any) -> dict[str, Any]:
    return plan(
        wave,
        areas={name: {"containers": [name]} for name in names(count)},
        regions={"r": {"source": "a", "targets": dict.fromkeys(names(count), "b")}},
    )


def two_areas(one: list[Any], other: list[Any]) -> dict[str, Any]:
    """Both have targets, and are moved."""
    return plan(
        {"moves": [{"region": "r", "areas": "*"}]},
        areas={"x": {"containers": one}, "y": {"containers": other}},
        regions={"r": {"source": "a", "targets": {"x": "b", "y": "b"}}},
    )


WINDOW = {"from": "02:00", "to": "02:01", "timezone": "UTC"}
DIFFERENT = [
    {"from": f"{n // 60 % 24:02}:{n % 60:02}", "to": "24:00", "timezone": zone}
    for zone in ("UTC", "Europe/Berlin")
    for n in range(600)
]
CASES: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "containers by name": (lambda: plan(areas={"x": {"containers": names(MANY)}}), "valid"),
    "prefixes of one container": (
        lambda: plan(areas={"x": {"containers": [{"name": "box", "prefix": f"{n}/"} for n in names(MANY)]}}),
        "valid",
    ),
    "an area for each prefix": (
        lambda: {
            **areas(5_000, moves=[{"region": "r", "areas": "*"}]),
            "areas": {n: {"containers": [{"name": "box*", "prefix": f"{n}/"}]} for n in names(5_000)},
        },
        "valid",
    ),
    "areas named in a wave": (lambda: areas(MANY, moves=[{"region": "r", "areas": names(MANY)}]), "valid"),
    "unknown areas in a wave": (lambda: plan({"moves": [{"region": "r", "areas": names(MANY)}]}), "10000 faults"),
    "one area again and again": (lambda: plan({"moves": [{"region": "r", "areas": ["x"] * MANY}]}), "9999 faults"),
    "every area in 500 lines": (
        lambda: areas(2_000, moves=[{"region": "r", "areas": "*"}] * 500),
        "more than 25,000 moves",
    ),
    "gates named": (lambda: plan({"gates": names(5_000)}, gates=dict.fromkeys(names(5_000), GATE)), "valid"),
    "unknown gates near 3,000 others": (
        lambda: plan({"gates": names(MANY, "gatf")}, gates=dict.fromkeys(names(3_000, "gate"), GATE)),
        "did you mean gate00000?",
    ),
    "gates times accounts": (
        lambda: {
            **areas(2_000, moves=[{"region": "r", "areas": "*"}], gates=names(1_000)),
            "gates": dict.fromkeys(names(1_000), GATE),
        },
        "valid",
    ),
    "equal windows": (lambda: plan({"change_windows": [WINDOW] * MANY}), "valid"),
    "too many windows": (lambda: plan({"change_windows": DIFFERENT}), "more than 1,000 different change windows"),
    "globs of one area": (lambda: plan(areas={"x": {"containers": [f"*a*{n}*" for n in names(MANY)]}}), "valid"),
    "globs that begin apart": (
        lambda: two_areas([f"{n}-*" for n in names(5_000, "a")], [f"{n}-*" for n in names(5_000, "b")]),
        "valid",
    ),
    "globs that end apart": (
        lambda: two_areas([f"*-{n}" for n in names(5_000, "a")], [f"*-{n}" for n in names(5_000, "b")]),
        "valid",
    ),
    "globs that are equal": (lambda: two_areas(["a*"] * 5_000, ["a*"] * 5_000), "areas x and y overlap: a* and a*"),
    "globs that only a comparison can tell": (
        lambda: two_areas([f"?{n}?" for n in names(1_000, "a")], [f"?{n}?" for n in names(1_000, "b")]),
        "more than 100,000 pairs of containers",
    ),
    "unknown keys": (lambda: {**plan(), **dict.fromkeys(names(MANY, "wavs"), 1)}, "10000 faults"),
    "values that do not fit": (
        lambda: plan(areas={"x": {"containers": [f"BAD-{n}" for n in names(MANY)]}}),
        "10000 faults",
    ),
    "waves in one circle": (
        lambda: plan(
            waves=[
                {"name": n, "moves": [{"region": "r", "areas": ["x"]}], "soak": 0, "after": names(3_000)[i - 1]}
                for i, n in enumerate(names(3_000))
            ]
        ),
        "in a circle: c00000 after c02999 after",
    ),
    "regions in a wave": (
        lambda: plan(
            {"moves": [{"region": name, "areas": ["x"]} for name in names(5_000)]},
            regions={name: {"source": "a", "targets": {"x": "b"}, "pair": "c00000"} for name in names(5_000)},
        ),
        "are a pair and cannot be in one wave",
    ),
    "accounts": (
        lambda: plan(
            accounts={
                **BASE["accounts"],
                **{name: {"endpoint": f"https://{name}.blob.core.windows.net"} for name in names(MANY)},
            }
        ),
        "valid",
    ),
}
READER = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({ADDRESS_SPACE}, {ADDRESS_SPACE}))
resource.setrlimit(resource.RLIMIT_CPU, ({CPU_SECONDS}, {CPU_SECONDS}))
from migrator.errors import PlanError
from migrator.plan import loads
try:
    loads(sys.stdin.read(), "plan.yaml")
    print("valid")
except PlanError as fault:
    print(fault.message, *fault.faults, sep="\\n")
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM:")))
"""
"""Asks for the peak of its own memory: the kernel's ru_maxrss begins with what the parent had when it started the child."""


def read(code: str, text: str) -> subprocess.CompletedProcess[str]:
    """A process that nobody measures: what coverage costs is no cost of the plan."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    return subprocess.run(
        [sys.executable, "-c", code], input=text, capture_output=True, text=True, timeout=240, env=env
    )


@pytest.mark.parametrize("case", CASES)
def test_a_large_plan_costs_in_proportion(case: str) -> None:
    make, says = CASES[case]
    text = json.dumps(make())
    done = read(READER, text)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:])
    said, _, resident = done.stdout.rstrip().rpartition("\n")
    assert says in said, said[:500]
    assert int(resident) < RESIDENT_MIB


def test_the_memory_of_the_parent_is_not_counted() -> None:
    large = bytes(range(256)) * (RESIDENT_MIB << 12)
    test_a_large_plan_costs_in_proportion("equal windows")
    assert len(large) == RESIDENT_MIB << 20


def test_the_guard_can_fail() -> None:
    """The limits are those of the child, and end it."""
    code = READER.replace("loads(sys.stdin.read()", "[0] * (1 << 28); loads(sys.stdin.read()")
    done = read(code, "{}")
    assert done.returncode != 0
    assert "MemoryError" in done.stderr


def test_the_count_can_fail() -> None:
    """Memory that the child used and gave back is counted."""
    code = READER.replace(
        "loads(sys.stdin.read()", f"len(bytes(range(256)) * {RESIDENT_MIB << 12}); loads(sys.stdin.read()"
    )
    done = read(code, "{}")
    assert int(done.stdout.split()[-1]) > RESIDENT_MIB
