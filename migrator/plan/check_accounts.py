"""Rules of accounts, of routing and of the budget's names.

Leaves secrets to ``secrets``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from os.path import realpath
from typing import Any, Final

from migrator.kinds import ACCOUNTS, METRICS, ROUTING
from migrator.kinds.registry import Registry
from migrator.model.addresses import blob_endpoint_of
from migrator.model.hosts import KNOWN, LOOPBACK, Hosts
from migrator.model.names import Selector
from migrator.plan.compile import account_values
from migrator.plan.report import Report
from migrator.plan.schema import Document, Part
from migrator.plan.tree import Path
from migrator.ports.kinds import Kind, Slip

_FILE_STORE: Final = "sqlite:///"
_SUBSTITUTED: Final = re.compile(r"\$\{\w+\}|\$[A-Za-z_]\w*|%[A-Za-z_]\w*%|^~(?=/|$)")


def check_accounts(report: Report) -> None:
    if not report.is_partial(("defaults",)):
        for name in report.document.accounts:
            _account(report, name)
    _same_place(report)
    _hosts(report)
    _routing(report)
    _files(report)
    _one_file_each(report)
    for name in report.document.budget.accounts:
        report.refer(("budget", "accounts", name), name, "accounts", at_key=True)
    _unused(report)


def keys_of_kind(
    report: Report, path: Path, part: Part, kind: Kind, all_keys: Collection[str], values: Mapping[str, Any], what: str
) -> None:
    """Hold a part to the keys of its kind.

    Args:
        all_keys: of all kinds that such a part may have.
        values: the part's, defaults from elsewhere among them.
        what: the part, at the beginning of a sentence.
    """
    for key, one in kind.keys.items():
        if one.is_needed and values[key] is None:
            report.fault(path, f"{what} lacks the key {key}, which kind {kind.name} needs", at_key=True)
    for key in part.model_fields_set & set(all_keys) - kind.keys.keys():
        report.fault((*path, key), f"the key {key} is not one of kind {kind.name}", at_key=True)


def tell(report: Report, path: Path, part: Part, slips: Iterable[Slip]) -> None:
    """What a kind found wrong with a part, at the key it is about where the part itself has that key."""
    for slip in slips:
        if slip.key is not None and slip.key in part.model_fields_set:
            report.fault((*path, slip.key), slip.text, at_key=slip.at_key)
        else:
            report.fault(path, slip.text, at_key=True)


def _account(report: Report, name: str) -> None:
    path, part = ("accounts", name), report.document.accounts[name]
    values = account_values(name, report.document)
    kind = ACCOUNTS[values["kind"]]
    keys_of_kind(report, path, part, kind, ACCOUNTS.keys, values, f"account {name}")
    tell(report, path, part, kind.slips(name, values))


def _same_place(report: Report) -> None:
    seen: dict[tuple[str, str], str] = {}
    for name in report.document.accounts:
        values = account_values(name, report.document)
        key, place = ACCOUNTS[values["kind"]].spot(values) or ("", "")
        if place and (first := seen.setdefault((key, place), name)) != name:
            report.fault(("accounts", name, key), f"account {name} is the same as account {first}: name it once")


def _files(report: Report) -> None:
    """Paths are taken as they stand, and a shell's variables look as if they were not."""
    document = report.document
    paths: list[tuple[Path, str | None]] = [
        (("state",), document.state),
        (("proved",), document.proved),
        (("cloud", "ca_file"), document.cloud.ca_file),
    ]
    paths += _paths(("routing",), document.routing, ROUTING)
    for name, account in document.accounts.items():
        paths += _paths(("accounts", name), account, ACCOUNTS)
    for name, metric in document.metrics.items():
        paths += _paths(("metrics", name), metric, METRICS)
    for path, text in paths:
        if text is not None and (found := _SUBSTITUTED.search(text)):
            report.warn(path, f"nothing is substituted here: {found[0]} is part of the name")


def _one_file_each(report: Report) -> None:
    """An account's file, the route document and the state store would write over each other."""
    document = report.document
    state, route = (document.state or "").partition("?")[0], "the route document"
    owners = {realpath(state.removeprefix(_FILE_STORE)): "the state store"} if state.startswith(_FILE_STORE) else {}
    for path, text in _paths(("routing",), document.routing, ROUTING):
        if text is not None and (owner := owners.setdefault(realpath(text), route)) != route:
            report.fault(path, f"this is the file of {owner}: {route} needs one of its own")
    for name, part in document.accounts.items():
        for path, text in _paths(("accounts", name), part, ACCOUNTS):
            if text is not None and realpath(text) in owners:
                report.fault(path, f"this is the file of {owners[realpath(text)]}: account {name} needs one of its own")


def _paths(path: Path, part: Part, kinds: Registry[Any]) -> list[tuple[Path, str | None]]:
    return [((*path, name), getattr(part, name)) for name, key in kinds.keys.items() if key.form == "path"]


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
        endpoint = part.model_dump()["endpoint"]
        why = None if endpoint is None else trusted.objection(name, endpoint)
        if why is not None and blob_endpoint_of(endpoint) is None:
            text = f"account {name} is at none of Azure's blob services: {why}; if it is yours, name it under `routing.hosts`"
            report.fault(("accounts", name, "endpoint"), text)


def _routing(report: Report) -> None:
    document, part = report.document, report.document.routing
    values = part.model_dump()
    keys_of_kind(report, ("routing",), part, ROUTING[part.kind], ROUTING.keys, values, "routing")
    tell(report, ("routing",), part, ROUTING[part.kind].slips(values))
    account, container, blob = values["account"], values["container"], values["name"]
    if account is not None:
        report.refer(("routing", "account"), account, "accounts")
    if container is None:
        return
    if Selector(container).is_glob:
        report.fault(("routing", "container"), "expected one container, not a glob")
    for area, name in _moved_from(document, account):
        if any(Selector(c.name, c.prefix).takes(container, blob or "") for c in document.areas[area].containers):
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
    used: set[Any] = {report.document.routing.model_dump()["account"]}
    for region in report.document.regions.values():
        used |= {region.source, *region.targets.values()}
    if report.is_partial(("regions",)) or report.is_partial(("routing",)):
        return
    for name in report.document.accounts:
        if name not in used:
            report.warn(("accounts", name), f"account {name} is not used")
