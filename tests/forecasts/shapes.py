"""Five shapes of a rollout, each ready to be applied: its plan, its accounts, who serves them and who writes to them.

Decides sizes, distances and rates. Leaves running and judging to ``running`` and ``judging``. Rule: a shape is made anew for each
run, in a folder of its own, and nothing of it outlives its run.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from migrator.adapters.local import LocalStore
from migrator.adapters.own_processes import command, environment
from migrator.model.objects import CREATE, BlobType, ContainerInfo, ContentHeaders, Shape
from tests.benchmarks import contestants, distant, nginx
from tests.benchmarks.contestants import Side

MIGRATE: Final = str(Path(sys.executable).with_name("migrate"))
NGINX: Final = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or "nginx"
WRITERS: Final = 2
WRITES_PER_SECOND: Final = 25.0
_PLAIN: Final = Shape(BlobType.BLOCK, ContentHeaders("application/json"), {}, {}, None)


@dataclass(frozen=True, slots=True)
class Stage:
    """A folder with a plan in it, and the variables of whoever applies that."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=environment)

    def migrate(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [MIGRATE, *words],
            cwd=self.folder,
            env=dict(self.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


Staging = Callable[[Path], contextlib.AbstractContextManager[Stage]]


@contextlib.contextmanager
def many_small(folder: Path) -> Iterator[Stage]:
    """Twelve thousand objects of some 200 bytes between embedded accounts."""
    _plan(folder, _embedded())
    _fill(folder, {"data": [200] * 12_000})
    yield Stage(folder)


@contextlib.contextmanager
def few_large(folder: Path) -> Iterator[Stage]:
    """Twenty-four objects of 8 MiB under a budget of bytes."""
    _plan(folder, _embedded(), budget={"bytes_per_second": "24MiB"})
    _fill(folder, {"data": [8 * 2**20] * 24})
    yield Stage(folder)


@contextlib.contextmanager
def many_containers(folder: Path) -> Iterator[Stage]:
    """Two hundred containers of ten objects, served from afar."""
    with _from_afar(folder, 10, tuple(f"box-{number:03}" for number in range(200))) as stage:
        yield stage


@contextlib.contextmanager
def distance(folder: Path) -> Iterator[Stage]:
    """Thirty thousand objects of one container; a copy takes 20 ms and a page 200 ms."""
    with _from_afar(folder, 30_000, ("data",)) as stage:
        yield stage


@contextlib.contextmanager
def never_still(folder: Path) -> Iterator[Stage]:
    """Four thousand objects, and writers that never stop. They follow the route before anything is planned, and two listings
    show how much they change."""
    _plan(folder, _embedded(), budget={"requests_per_minute": "60k"})
    _fill(folder, {"data": [400] * 4_000})
    stage = Stage(folder)
    done = stage.migrate("routes", "plan.yaml", "--publish", "--yes")
    if done.returncode:
        raise RuntimeError(f"cannot publish the routes: {done.stderr}")
    with _writers(folder):
        for _ in range(2):
            stage.migrate("plan", "plan.yaml", "--json")
        yield stage


SHAPES: Final[Mapping[str, Staging]] = {
    "many small": many_small,
    "few large": few_large,
    "many containers": many_containers,
    "writers never stop": never_still,
    "distance": distance,
}


def _embedded() -> dict[str, Any]:
    return {name: {"kind": "local", "path": f"{name}.db"} for name in ("source", "target")}


def _plan(folder: Path, accounts: Mapping[str, Any], **more: Any) -> None:
    plan = {
        "version": 1,
        "name": "forecast",
        "accounts": accounts,
        "areas": {"all": {"containers": ["*"]}},
        "regions": {"here": {"source": "source", "targets": {"all": "target"}}},
        "routing": {"kind": "file", "path": "routes.json", "ttl": "1s"},
        "cutover": {"max_write": "1s", "clock_margin": "200ms", "straggler_interval": "1s"},
        "waves": [{"name": "all", "moves": [{"region": "here", "areas": "*"}], "soak": "1s", "interval": "1s"}],
        **more,
    }
    (folder / "plan.yaml").write_text(json.dumps(plan, indent=1))  # JSON is YAML


def _fill(folder: Path, containers: Mapping[str, list[int]]) -> None:
    asyncio.run(_filled(folder / "source.db", containers))


async def _filled(path: Path, containers: Mapping[str, list[int]]) -> None:
    store, chance = LocalStore("source", path), Random(7)
    try:
        for container, sizes in containers.items():
            await store.create_container(ContainerInfo(container, {}))
            for begin in range(0, len(sizes), 256):
                part = enumerate(sizes[begin : begin + 256], begin)
                await asyncio.gather(
                    *(
                        store.put(container, f"object-{n:06}", chance.randbytes(size), _PLAIN, condition=CREATE)
                        for n, size in part
                    )
                )
    finally:
        await store.close()


@contextlib.contextmanager
def _from_afar(folder: Path, objects: int, containers: tuple[str, ...]) -> Iterator[Stage]:
    """What was copied appears at the target as soon as everything was."""
    port, key = nginx.free_port(), contestants.made_up_key()
    served = folder / "server"
    distant.prepare(served, objects, containers)
    with distant.running(NGINX, served, target="fills", port=port) as server:
        sides = {name: Side(name, server.endpoint(name), key) for name in ("source", "target")}
        _plan(
            folder,
            {n: {"endpoint": one.endpoint, "credential": f"env:FAR_{n.upper()}"} for n, one in sides.items()},
        )
        yield Stage(folder, environment() | {f"FAR_{n.upper()}": one.connection_string for n, one in sides.items()})


@contextlib.contextmanager
def _writers(folder: Path) -> Iterator[None]:
    running = []
    for seed in range(1, WRITERS + 1):
        argv = [*command("migrator.testing.writer"), "--routes", "routes.json", "--log", f"writer-{seed}.jsonl"]
        argv += ["--region", "here", "--area", "all", "--container", "data", "--seconds", "600"]
        argv += ["--rate", str(WRITES_PER_SECOND), "--seed", str(seed)]
        running.append(
            subprocess.Popen(argv, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        )
    try:
        yield
    finally:
        for one in running:
            one.send_signal(signal.SIGTERM)
        for one in running:
            one.wait(timeout=30)
