"""Rules of accounts, of routing and of the budget's names.

Leaves secrets to ``secrets``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from os.path import realpath
from typing import Any, Final

from migrator.model.addresses import blob_endpoint_of, place_of, surplus_path
from migrator.model.hosts import KNOWN, LOOPBACK, Hosts
from migrator.model.names import Selector
from migrator.plan.compile import account_values
from migrator.plan.report import Report
from migrator.plan.schema import Document, Part
from migrator.plan.tree import Path

ROUTING_KEYS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "file": (("path",), ()),
    "blob": (("account", "container", "name"), ()),
    "app-configuration": (("endpoint",), ("credential", "name")),
    "command": (("argv",), ()),
}
"""Kind -> the keys it needs, and those it may have; ``kind``, ``ttl`` and ``hosts`` aside."""
_SUBSTITUTED: Final = re.compile(r"\$\{\w+\}|\$[A-Za-z_]\w*|%[A-Za-z_]\w*%|^~(?=/|$)")
_OF_LOCAL: Final = ("path",)
_OF_AZURE: Final = (
    "endpoint",
    "credential",
    "tenant",
    "api_version",
    "subscription",
    "resource_group",
    "location",
    "provision",
)
_OF_PROVISION: Final = ("subscription", "resource_group", "location")


def check_accounts(report: Report) -> None:
    if not report.is_partial(("defaults",)):
        for name in report.document.accounts:
            _account(report, name)
    _same_place(report)
    _hosts(report)
    _routing(report)
    _files(report)
    for name in report.document.budget.accounts:
        report.refer(("budget", "accounts", name), name, "accounts", at_key=True)
    _unused(report)


def keys_of_kind(
    report: Report,
    path: tuple[str | int, ...],
    part: Part,
    kinds: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]],
) -> None:
    """Hold a part with a ``kind`` to the keys of that kind."""
    kind: str = part.kind  # type: ignore[attr-defined]
    needed, allowed = kinds[kind]
    of_a_kind = {key for needs, mays in kinds.values() for key in (*needs, *mays)}
    for key in needed:
        if getattr(part, key) is None:
            report.fault(path, f"{path[-1]} lacks the key {key}, which kind {kind} needs", at_key=True)
    for key in part.model_fields_set & of_a_kind - {*needed, *allowed}:
        report.fault((*path, key), f"the key {key} is not one of kind {kind}", at_key=True)


def _account(report: Report, name: str) -> None:
    path = ("accounts", name)
    part = report.document.accounts[name]
    values = account_values(name, report.document)
    kind, foreign = values["kind"], _OF_LOCAL if values["kind"] == "azure" else _OF_AZURE
    needed = "endpoint" if kind == "azure" else "path"
    if values[needed] is None:
        report.fault(path, f"account {name} lacks the key {needed}, which kind {kind} needs", at_key=True)
    for key in part.model_fields_set & set(foreign):
        report.fault((*path, key), f"the key {key} is not one of kind {kind}", at_key=True)
    if part.endpoint is not None:
        _endpoint(report, name, part.endpoint)
    lacking = [key for key in _OF_PROVISION if values[key] is None]
    if kind == "azure" and values["provision"] is not None and lacking:
        where = (*path, "provision") if part.provision is not None else path
        report.fault(
            where, f"to create account {name}, `provision` needs {' and '.join(lacking)} beside it", at_key=True
        )


def _same_place(report: Report) -> None:
    seen: dict[str, str] = {}
    for name, part in report.document.accounts.items():
        key = "path" if part.path is not None else "endpoint"
        place = realpath(part.path) if part.path is not None else place_of(part.endpoint or "")
        if place and (first := seen.setdefault(place, name)) != name:
            report.fault(("accounts", name, key), f"account {name} is the same as account {first}: name it once")


def _files(report: Report) -> None:
    """Paths are taken as they stand, and a shell's variables look as if they were not."""
    document = report.document
    paths: list[tuple[Path, str | None]] = [(("routing", "path"), document.routing.path), (("state",), document.state)]
    paths += [(("accounts", name, "path"), part.path) for name, part in document.accounts.items()]
    paths += [(("metrics", name, "ca_file"), part.ca_file) for name, part in document.metrics.items()]
    paths.append((("cloud", "ca_file"), document.cloud.ca_file))
    for path, text in paths:
        if text is not None and (found := _SUBSTITUTED.search(text)):
            report.warn(path, f"nothing is substituted here: {found[0]} is part of the name")


def _endpoint(report: Report, name: str, endpoint: str) -> None:
    """The blob endpoint of an account, and nothing behind it."""
    path = ("accounts", name, "endpoint")
    if (meant := blob_endpoint_of(endpoint)) is not None:
        report.fault(path, f"this is not a blob endpoint that can be written: write {meant}")
    elif surplus_path(endpoint):
        report.fault(path, "an endpoint ends with the account: containers and prefixes stand under `areas`")


def _hosts(report: Report) -> None:
    """An account's host gets tokens and data: one letter wrong (``windows.com``) and they are somebody else's. Hosts that are not
    Azure's must be named once more."""
    named = []
    for index, host in enumerate(report.document.routing.hosts or ()):
        try:
            Hosts.of([host])
            named.append(host)
        except ValueError as fault:
            report.fault(("routing", "hosts", index), str(fault))
    trusted = Hosts.of((*KNOWN, *LOOPBACK, *named))
    for name, part in report.document.accounts.items():
        why = None if part.endpoint is None else trusted.objection(name, part.endpoint)
        if why is not None and blob_endpoint_of(part.endpoint or "") is None:
            text = f"account {name} is at none of Azure's blob services: {why}; if it is yours, name it under `routing.hosts`"
            report.fault(("accounts", name, "endpoint"), text)


def _routing(report: Report) -> None:
    document, part = report.document, report.document.routing
    keys_of_kind(report, ("routing",), part, ROUTING_KEYS)
    if part.account is not None:
        report.refer(("routing", "account"), part.account, "accounts")
    if part.container is None:
        return
    if Selector(part.container).is_glob:
        report.fault(("routing", "container"), "one container is wanted here, not a glob")
    for area, name in _moved_from(document, part.account):
        if any(
            Selector(c.name, c.prefix).takes(part.container, part.name or "") for c in document.areas[area].containers
        ):
            text = f"the route document would lie in area {area}, which moves from or to account {name}: use another container"
            report.fault(("routing", "container"), text)


def _moved_from(document: Document, account: str | None) -> list[tuple[str, str]]:
    """The areas that move from or to ``account``."""
    return sorted(
        {
            (area, account)
            for region in document.regions.values()
            for area, target in region.targets.items()
            if account is not None and account in (region.source, target) and area in document.areas
        }
    )


def _unused(report: Report) -> None:
    used: set[Any] = {report.document.routing.account}
    for region in report.document.regions.values():
        used |= {region.source, *region.targets.values()}
    if report.is_partial(("regions",)) or report.is_partial(("routing",)):
        return
    for name in report.document.accounts:
        if name not in used:
            report.warn(("accounts", name), f"account {name} is not used")
