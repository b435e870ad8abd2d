"""``python -m migrator.testing.strict``: the strict service in front of an Azurite that is running.

Which accounts it serves and their keys come from ``AZURITE_ACCOUNTS`` (``name:key;name:key``), as Azurite itself reads it;
without it, Azurite's own account. Leaves everything that is judged to ``service``.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from migrator.testing.strict.rules import table
from migrator.testing.strict.running import running
from migrator.testing.strict.service import StrictService
from migrator.testing.strict.settings import COPY_REFUSALS, KNOWN_ROLES, Faults, Grant, Hold, Nature

AZURITE = "http://127.0.0.1:10000"
AZURITE_ACCOUNT = (
    "devstoreaccount1:Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)
"""Public, and the same everywhere. Source: Azure "Use the Azurite emulator"."""


def main(given: Sequence[str] | None = None) -> int:
    asked = parser().parse_args(given)
    if asked.rules:
        print(table(), end="")
        return 0
    if bool(asked.certificate) != bool(asked.key):
        print("error: cannot serve https: --certificate and --key go together", file=sys.stderr)
        return 64
    try:
        keys = dict(pair.split(":", 1) for pair in accounts().split(";") if pair)
        service = StrictService(asked.behind, keys, seed=asked.seed)
        for text in asked.set:
            apply(service, list(keys), text)
    except ValueError as wrong:
        print(f"error: {wrong}", file=sys.stderr)
        return 64
    serve(service, asked)
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m migrator.testing.strict",
        description="A storage service as strict as the real one, in front of Azurite.",
        epilog="AZURITE_ACCOUNTS says which accounts are served, as it says to Azurite.",
    )
    made.add_argument(
        "--behind", default=AZURITE, metavar="URL", help="of Azurite's blob service (default: %(default)s)"
    )
    made.add_argument("--port", type=int, default=10100, help="to listen on, on loopback (default: %(default)s)")
    made.add_argument("--certificate", type=Path, metavar="PEM", help="serve https, which tokens need")
    made.add_argument("--key", type=Path, metavar="PEM", help="of that certificate")
    made.add_argument("--seed", type=int, default=0, help="of all chance (default: %(default)s)")
    made.add_argument(
        *("--set",),
        action="append",
        default=[],
        metavar="[ACCOUNT:]NAME=VALUE",
        help="what an account is or what goes wrong there, for one account or all; copies, grants, holds and patterns are lists "
        "with commas: busy=0.02, na:is_hierarchical=true, grants=Contributor, holds=photos/legal, copies=busy/0.3",
    )
    made.add_argument("--rules", action="store_true", help="print every rule with its source, and end")
    return made


def accounts() -> str:
    return os.environ.get("AZURITE_ACCOUNTS", "") or AZURITE_ACCOUNT


def apply(service: StrictService, names: Sequence[str], text: str) -> None:
    """Set one thing. Raises ValueError, with the reason."""
    place, _, value = text.partition("=")
    account, _, field = place.rpartition(":")
    if account and account not in names:
        raise ValueError(f"cannot set {text}: there is no account {account}")
    kinds = {one.name: (kind, one) for kind in (Nature, Faults) for one in dataclasses.fields(kind)}
    if field not in kinds:
        raise ValueError(f"cannot set {text}: expected one of {', '.join(sorted(kinds))}")
    kind, one = kinds[field]
    try:
        read = READ[field](value) if field in READ else by_type(str(one.type), value)
    except (KeyError, ValueError) as wrong:
        raise ValueError(f"cannot set {text}: {value!r} is not a value of it") from wrong
    changes: dict[str, Any] = {field: read}
    for name in [account] if account else names:
        if kind is Nature:
            service.set_nature(name, **changes)
        else:
            service.set_faults(name, **changes)


def by_type(named: str, value: str) -> Any:
    if named == "bool":
        return {"true": True, "false": False}[value]
    if named.startswith(("float", "int")):
        return float(value) if named.startswith("float") else int(value)
    if named == "Patterns":
        return tuple(value.split(","))
    return frozenset(value.split(",")) if named.startswith("frozenset") else value


def _grant(text: str) -> Grant:
    role, _, container = text.partition("/")
    if role not in KNOWN_ROLES:
        raise ValueError(role)
    return Grant(role, container=container)  # type: ignore[arg-type]


def _hold(text: str) -> Hold:
    container, _, kind = text.partition("/")
    if kind not in ("", "time-based", "legal", "versions"):
        raise ValueError(kind)
    return Hold(container, kind or "time-based")  # type: ignore[arg-type]


def _copy(text: str) -> Any:
    kind, _, share = text.partition("/")
    return replace(COPY_REFUSALS[kind], share=float(share or 1))


READ: Mapping[str, Callable[[str], Any]] = {
    "grants": lambda text: tuple(_grant(one) for one in text.split(",") if one),
    "holds": lambda text: tuple(_hold(one) for one in text.split(",") if one),
    "copies": lambda text: tuple(_copy(one) for one in text.split(",") if one),
}


def serve(service: StrictService, asked: argparse.Namespace) -> None:
    """Until SIGINT or SIGTERM; then says how often each rule refused."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    certificate = (asked.certificate, asked.key) if asked.certificate else None
    with running(service, port=asked.port, certificate=certificate) as served:
        for name in service.backend.keys:
            print(served.endpoint(name))
        if certificate:
            said = served.environ()
            print("a managed identity is played for who has: " + " ".join(f"{name}={said[name]}" for name in said))
        sys.stdout.flush()
        ended.wait()
    refused = Counter(one.rule for one in service.seen if one.rule)
    print(f"{len(service.seen):,} requests, {sum(refused.values()):,} refused by a rule")
    for rule, count in refused.most_common():
        print(f"{count:>9,}  {rule}")


if __name__ == "__main__":
    sys.exit(main())
