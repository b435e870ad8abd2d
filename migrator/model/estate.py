"""Storage accounts as resources: what a plan wants of one that a run creates, and what the resource manager says of one.

Decides what a plan may say under ``provision``, and how what is there differs from it. Leaves asking to ``ports.estate``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any, Final

from migrator.model.values import replace, value

MARK: Final = "migrate-lineage"
"""The tag of an account that a run created: whose state store it was. Only what bears our own is ever finished by us."""
_SKU: Final = re.compile(r"(Standard|Premium|StandardV2|PremiumV2)_[A-Z]+")
KINDS: Final = ("StorageV2", "BlockBlobStorage")
NETWORKS: Final = ("allow", "deny")
SETTINGS: Final = ("copy", "leave")
_FLAGS: Final = ("shared_key", "public_access")
_KEYS: Final = ("sku", "kind", "tags", *_FLAGS, "network", "settings")
_NETWORK_KEYS: Final = ("default", "addresses", "subnets")
MOST_TAGS: Final = 15
"""Of a storage account, and one of them is ours. Source: Azure "Use tags to organize your Azure resources"."""


@value(frozen=True, slots=True)
class Network:
    """Who reaches an account: anybody by ``default`` (else nobody but ``addresses`` and ``subnets``)."""

    default: str = "allow"
    addresses: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()


@value(frozen=True, slots=True)
class Provision:
    """An account as a plan wants it. ``public_access`` None: off, unless an area needs it; ``copies_settings``: the blob
    service's settings of the source are given to it."""

    sku: str
    kind: str = "StorageV2"
    tags: Mapping[str, str] = field(default_factory=dict)
    shared_key: bool = True
    public_access: bool | None = None
    network: Network = Network()
    copies_settings: bool = True


@value(frozen=True, slots=True)
class AccountShape:
    """An account as the resource manager has it. ``is_ready`` False: it is being created, or its creation ended otherwise, as
    ``state`` says; ``id``: of the resource."""

    name: str
    id: str
    location: str
    sku: str
    kind: str
    tags: Mapping[str, str] = field(default_factory=dict)
    endpoint: str = ""
    is_ready: bool = True
    is_hierarchical: bool = False
    minimum_tls: str = ""
    shared_key: bool = True
    public_access: bool = False
    network: Network = Network()
    copy_scope: str = ""
    """Whose data may be copied to it; empty: anybody's."""
    private_endpoints: int = 0
    state: str = "Succeeded"

    @property
    def lineage(self) -> str:
        """Whose run created it; empty: nobody's of ours."""
        return self.tags.get(MARK, "")


@value(frozen=True, slots=True)
class LifecycleRule:
    """``prefixes``: of ``container/name``, none: all; ``acts``: what it does, such as ``delete``; ``document``: as it stands."""

    name: str
    is_enabled: bool
    prefixes: tuple[str, ...]
    acts: tuple[str, ...]
    document: Mapping[str, Any]


@value(frozen=True, slots=True)
class Replication:
    """A policy of object replication: from one account to another, by their names or ids."""

    id: str
    source: str
    destination: str
    containers: tuple[tuple[str, str], ...] = ()


@value(frozen=True, slots=True)
class BlobSettings:
    """What an account does to its blobs by itself. Days are None where nothing is kept.

    ``cors``: the rules as the resource manager has them; ``tasks``: storage task assignments that are on.
    """

    cors: tuple[Mapping[str, Any], ...] = ()
    delete_days: int | None = None
    container_delete_days: int | None = None
    restore_days: int | None = None
    is_versioned: bool = False
    change_feed: bool = False
    change_feed_days: int | None = None
    tracks_access: bool = False
    lifecycle: tuple[LifecycleRule, ...] = ()
    replication: tuple[Replication, ...] = ()
    tasks: tuple[str, ...] = ()


@value(frozen=True, slots=True)
class Granted:
    """What our own identity may do in a resource group: ``create`` accounts and set what belongs to them; read and write blobs
    (``data``), by roles that a new account inherits."""

    create: bool
    data: bool


@value(frozen=True, slots=True)
class Quota:
    """Accounts of one subscription in one region: how many there are, and may be."""

    used: int
    most: int


def provision_of(wanted: Mapping[str, Any]) -> Provision:
    """What ``provision`` of a plan says; ``faults_of`` found nothing wrong with it."""
    network = wanted.get("network") or {}
    return Provision(
        sku=str(wanted["sku"]),
        kind=str(wanted.get("kind", "StorageV2")),
        tags={str(name): str(text) for name, text in (wanted.get("tags") or {}).items()},
        shared_key=bool(wanted.get("shared_key", True)),
        public_access=wanted.get("public_access"),
        network=Network(
            str(network.get("default", "allow")),
            tuple(map(str, network.get("addresses") or ())),
            tuple(map(str, network.get("subnets") or ())),
        ),
        copies_settings=wanted.get("settings", "copy") == "copy",
    )


def faults_of(wanted: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with ``provision`` of a plan, as clauses."""
    yield from _foreign("", wanted, _KEYS)
    sku = wanted.get("sku")
    if not isinstance(sku, str) or not _SKU.fullmatch(sku):
        yield "`sku` must say one, such as Standard_ZRS"
    if wanted.get("kind", KINDS[0]) not in KINDS:
        yield f"`kind` must be {' or '.join(KINDS)}: other kinds have no block blobs"
    tags = wanted.get("tags", {})
    if not isinstance(tags, Mapping) or any(isinstance(text, (Mapping, list)) for text in tags.values()):
        yield "`tags` must be names with texts"
    elif len(tags) >= MOST_TAGS or MARK in tags:
        yield f"`tags` can have {MOST_TAGS - 1} at most, and none named {MARK}"
    for flag in _FLAGS:
        if not isinstance(wanted.get(flag, False), bool):
            yield f"`{flag}` must be true or false"
    if wanted.get("settings", SETTINGS[0]) not in SETTINGS:
        yield f"`settings` must be {' or '.join(SETTINGS)}"
    network = wanted.get("network", {})
    if not isinstance(network, Mapping):
        yield "`network` must be a mapping, such as {default: deny, addresses: [203.0.113.0/24]}"
        return
    yield from _foreign("network.", network, _NETWORK_KEYS)
    if network.get("default", NETWORKS[0]) not in NETWORKS:
        yield f"`network.default` must be {' or '.join(NETWORKS)}"
    for key in _NETWORK_KEYS[1:]:
        if not isinstance(network.get(key, []), list):
            yield f"`network.{key}` must be a list"


def _foreign(above: str, found: Mapping[str, Any], known: tuple[str, ...]) -> Iterator[str]:
    for key in found:
        if key not in known:
            yield f"there is no key `{above}{key}`: expected one of {', '.join(known)}"


def differences(
    shape: AccountShape, wanted: Provision, *, location: str, endpoint: str
) -> Iterator[tuple[str, str, str]]:
    """What of an account is not as the plan wants it: its name, and both values. Tags beside the wanted ones are nobody's
    business."""
    pairs = [
        ("location", region(location), region(shape.location)),
        ("kind", wanted.kind, shape.kind),
        ("sku", wanted.sku, shape.sku),
        ("shared key", _allowed(wanted.shared_key), _allowed(shape.shared_key)),
        ("network default", wanted.network.default, shape.network.default),
    ]
    if wanted.public_access is not None:
        pairs.append(("public access", _allowed(wanted.public_access), _allowed(shape.public_access)))
    if wanted.network.default == "deny":
        for what in ("addresses", "subnets"):
            mine, theirs = (", ".join(sorted(getattr(one.network, what))) for one in (wanted, shape))
            pairs.append((f"network {what}", mine, theirs))
    if shape.endpoint:
        pairs.append(("endpoint", endpoint.rstrip("/").lower(), shape.endpoint.rstrip("/").lower()))
    pairs += [(f"tag {name}", text, shape.tags.get(name, "")) for name, text in wanted.tags.items()]
    if shape.minimum_tls in ("TLS1_0", "TLS1_1"):
        pairs.append(("minimum TLS", "TLS1_2", shape.minimum_tls))
    yield from ((what, mine, theirs) for what, mine, theirs in pairs if mine != theirs)


def region(location: str) -> str:
    """``East US 2`` -> ``eastus2``."""
    return "".join(location.split()).lower()


def _allowed(is_allowed: bool) -> str:
    return "allowed" if is_allowed else "refused"


_COPIED: Final = (
    ("rules for browsers (CORS)", ("cors",)),
    ("soft delete of blobs", ("delete_days",)),
    ("soft delete of containers", ("container_delete_days",)),
    ("versions", ("is_versioned",)),
    ("the change feed", ("change_feed", "change_feed_days")),
)


def carried(settings: BlobSettings) -> BlobSettings:
    """Those of the source that a new account is given: its lifecycle rules are off, for whatever they do is a write without a
    lease; replication, tasks and restoring to a point in time are not for copying."""
    rules = tuple(
        replace(one, is_enabled=False, document={**one.document, "enabled": False}) for one in settings.lifecycle
    )
    return replace(settings, lifecycle=rules, replication=(), tasks=(), restore_days=None)


def unlike(there: BlobSettings, wanted: BlobSettings) -> tuple[str, ...]:
    """What of ``wanted`` an account has not, in words."""
    found = [words for words, names in _COPIED if any(getattr(there, one) != getattr(wanted, one) for one in names)]
    mine, theirs = ({one.name: one.is_enabled for one in some.lifecycle} for some in (wanted, there))
    number = len(mine)
    if not mine.items() <= theirs.items():
        found.append(f"{number} lifecycle rule{'' if number == 1 else 's'}, off")
    return tuple(found)


def not_carried(settings: BlobSettings) -> tuple[str, ...]:
    """What of a source's settings no new account is given, in words."""
    replicated, tasks = len(settings.replication), len(settings.tasks)
    found = [
        ("restoring to a point in time", settings.restore_days is not None),
        ("tracking of last access", settings.tracks_access),
        (f"{replicated} object replication polic{'y' if replicated == 1 else 'ies'}", replicated),
        (f"{tasks} storage task assignment{'' if tasks == 1 else 's'}", tasks),
    ]
    return tuple(words for words, is_there in found if is_there)
