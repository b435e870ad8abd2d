"""What there is to know of a kind of account, of routing, or of source of figures: its keys in a plan, and how it is opened.

One descriptor per kind; ``migrator.kinds`` lists them. Whoever reads, checks, forecasts or runs a plan asks the descriptor and
compares no name of a kind. Rule: every method and property is abstract, so a kind that leaves one out cannot be made. Nothing
here may be slow to import or do any I/O before ``open``; ``open`` itself sends nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Protocol

from migrator.model.notices import Channel
from migrator.model.schedule import Account, Metric, Routing
from migrator.model.values import value
from migrator.ports.diagnosis import Examinable
from migrator.ports.metric_source import MetricSource
from migrator.ports.notifier import Notifier
from migrator.ports.object_store import ObjectStore
from migrator.ports.register import Register
from migrator.ports.router import Router

Form = Literal[
    "text",
    "name",
    "path",
    "url",
    "container",
    "credential",
    "secret",
    "variables",
    "words",
    "word",
    "flag",
    "whole",
    "count",
    "rate",
    "size",
    "ratio",
    "duration",
    "mapping",
]
"""How a key's value is written; ``migrator.plan.forms`` reads each. "path": a file, in which nothing is substituted; "word":
one of ``Key.one_of``; "secret": ``env:NAME``, or an address on this machine; "variables": names of environment variables;
"words": a list of texts, such as a command."""


@value(frozen=True, slots=True)
class Key:
    """One key that a part of the plan may have. Kinds may share a key, if it has one form for all of them.

    Args:
        about: for editors; of a shared key, what each kind says.
        is_needed: without it a part of this kind is a fault.
        default: what stands where nothing is written; not for keys of new kinds, which know their own defaults.
        in_defaults: it may also stand under ``defaults.account``.
    """

    form: Form
    about: str = ""
    is_needed: bool = False
    one_of: tuple[str, ...] = ()
    default: Any = None
    in_defaults: bool = False


@value(frozen=True, slots=True)
class Slip:
    """What is wrong with a part of a plan. ``key``: the key it is about, None for the part as a whole; ``at_key``: not its
    value, but that it is there."""

    key: str | None
    text: str
    at_key: bool = False


class Kind(ABC):
    """What all kinds have."""

    @property
    @abstractmethod
    def name(self) -> str:
        """As it stands behind ``kind:``."""

    @property
    @abstractmethod
    def keys(self) -> Mapping[str, Key]:
        """Its keys, beside those that every part of the plan like it has."""


class AccountStore(ObjectStore, Examinable, Protocol):
    """An account as it is opened: for the engine, and for a doctor."""


class AccountKind(Kind):
    """A kind of storage account."""

    @property
    @abstractmethod
    def is_embedded(self) -> bool:
        """Is it a file of this machine? Then sample data may be put into it, and more processes make nothing quicker."""

    @property
    @abstractmethod
    def has_unique_etags(self) -> bool:
        """Does no other account give the ETags that this one gives? Then equal ones show that two names are one account."""

    @abstractmethod
    def slips(self, name: str, values: Mapping[str, Any]) -> Iterable[Slip]:
        """What is wrong with the values of account ``name``, the document's defaults among them; missing and foreign keys
        aside."""

    @abstractmethod
    def spot(self, values: Mapping[str, Any]) -> tuple[str, str] | None:
        """The key that says where the account is, and the place in one spelling: two names of one place are one account."""

    @abstractmethod
    def address(self, account: Account) -> str:
        """Where it is, as the plan says it: what has begun stays there."""

    @abstractmethod
    def will_be_made(self, account: Account) -> bool:
        """Does a run make it, if it is a target and not there yet?"""

    @abstractmethod
    def entra_credential(self, account: Account) -> str | None:
        """The reference to the credential of Microsoft Entra ID that it is opened with; None: it is opened otherwise."""

    @abstractmethod
    def open(
        self, account: Account, *, environ: Mapping[str, str], cloud: Mapping[str, str], may_make: Callable[[], bool]
    ) -> AccountStore:
        """Nothing is sent.

        Args:
            environ: where ``credential: env:NAME`` looks its variable up.
            cloud: the plan's ``cloud``.
            may_make: asked when a request finds no account: may it be made? Only where ``will_be_made`` says so.
        Raises:
            CloudError: with what the plan and the environment say it cannot be opened.
        """


class RoutingKind(Kind):
    """A kind of place that the route document is kept in."""

    @property
    @abstractmethod
    def has_register(self) -> bool:
        """Can followers enter a register beside it, if its place is one where they can write?"""

    @property
    @abstractmethod
    def stale_seconds(self) -> float:
        """For how long after a swap somebody may still read the version before it: every drain waits so much longer."""

    @abstractmethod
    def slips(self, values: Mapping[str, Any]) -> Iterable[Slip]:
        """What is wrong with its values; missing and foreign keys aside."""

    @abstractmethod
    def accounts(self, routing: Routing) -> frozenset[str]:
        """The accounts of the plan that it is kept in."""

    @abstractmethod
    def variables(self, routing: Routing) -> frozenset[str]:
        """The variables of the environment that it needs to be opened."""

    @abstractmethod
    def place(self, routing: Routing, address_of: Callable[[str], str]) -> str:
        """Where the document is, as the plan says it: what has begun stays there.

        Args:
            address_of: of an account of the plan.
        """

    @abstractmethod
    def open(
        self,
        routing: Routing,
        stores: Mapping[str, ObjectStore],
        *,
        environ: Mapping[str, str],
        cloud: Mapping[str, str],
    ) -> Router:
        """Nothing is sent.

        Args:
            stores: what ``accounts`` named; they stay the caller's.
            environ: where ``env:NAME`` is looked up, and what a command gets a small part of.
            cloud: the plan's ``cloud``.
        Raises:
            CloudError: with what the plan and the environment say it cannot be opened.
        """

    @abstractmethod
    def open_register(self, routing: Routing, stores: Mapping[str, ObjectStore]) -> Register | None:
        """The register of the document's followers; None: there is none beside it. Nothing is sent."""


class NoticeKind(Kind):
    """A kind of channel that notices go to."""

    @abstractmethod
    def slips(self, values: Mapping[str, Any]) -> Iterable[Slip]:
        """What is wrong with its values; missing and foreign keys aside."""

    @abstractmethod
    def title(self, channel: Channel) -> str:
        """What people call this one, in the middle of a sentence. Nothing secret."""

    @abstractmethod
    def open(self, channel: Channel, *, environ: Mapping[str, str]) -> Notifier:
        """Nothing is sent; close it when done.

        Args:
            environ: where ``env:NAME`` is looked up, and what a command gets a small part of.
        Raises:
            AccessRefused: a variable is missing, or holds no address of this kind.
        """


class MetricKind(Kind):
    """A kind of source of figures for gates."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What people call it, in the middle of a sentence."""

    @property
    @abstractmethod
    def figures(self) -> str:
        """What a gate asks of it, in the middle of a sentence."""

    @property
    @abstractmethod
    def asks(self) -> Literal["metric", "query"]:
        """Which of the two a gate must have."""

    @property
    @abstractmethod
    def account_keys(self) -> tuple[str, ...]:
        """The keys that an account must have for this source to find it."""

    @abstractmethod
    def slips(self, values: Mapping[str, Any]) -> Iterable[Slip]:
        """What is wrong with its values; missing and foreign keys aside."""

    @abstractmethod
    def gate_slips(self, metric: str | None, window_seconds: float) -> Iterable[Slip]:
        """What is wrong with the keys of a gate that asks it."""

    @abstractmethod
    def cannot_tell(self, account_kind: str) -> str | None:
        """Why it never knows anything of such an account, as "which is ..."; None: it may."""

    @abstractmethod
    def open(
        self, metric: Metric, accounts: Mapping[str, Account], *, environ: Mapping[str, str], cloud: Mapping[str, str]
    ) -> MetricSource:
        """Nothing is sent; close it when done.

        Args:
            accounts: of the plan, by name; what a gate may ask about.
            environ: where ``credential: env:NAME`` looks its variable up, and what a command gets a small part of.
            cloud: the plan's ``cloud``: ``authority``, ``metrics``, ``ca_file``.
        Raises:
            AccessRefused: the variable is missing or holds a storage secret, or the reference opens no such source.
        """
