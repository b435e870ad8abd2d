"""A list of kinds by name. Decides that no two kinds have one name, and that a key which they share means one thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from migrator.errors import PlanError
from migrator.model.values import replace
from migrator.ports.kinds import Key, Kind

K = TypeVar("K", bound=Kind)


class Registry(Generic[K]):
    """``what``: the word for one of them, in errors."""

    def __init__(self, what: str, *kinds: K) -> None:
        self._what = what
        self._kinds: dict[str, K] = {}
        for kind in kinds:
            self.add(kind)

    def __getitem__(self, name: str) -> K:
        """Raises PlanError for a name that is not one of them."""
        try:
            return self._kinds[name]
        except KeyError:
            raise PlanError(
                f"cannot tell what {self._what} kind {name} is: this version knows {', '.join(self._kinds)}"
            ) from None

    def __iter__(self) -> Iterator[K]:
        return iter(self._kinds.values())

    def add(self, kind: K) -> None:
        """Raises ValueError: another kind has its name, or means something else by one of its keys."""
        if kind.name in self._kinds:
            raise ValueError(f"there are two kinds of {self._what} that are called {kind.name}")
        known = self.keys
        for name, key in kind.keys.items():
            if name in known and _meaning(key) != _meaning(known[name]):
                raise ValueError(
                    f"the key {name} of {self._what} kind {kind.name} means something else in another kind"
                )
        self._kinds[kind.name] = kind

    def remove(self, name: str) -> None:
        """For whoever added it."""
        del self._kinds[name]

    @property
    def all(self) -> tuple[K, ...]:
        return tuple(self._kinds.values())

    @property
    def keys(self) -> Mapping[str, Key]:
        """The keys of all kinds together, in the order of the kinds; a shared one says what each kind says of it."""
        found: dict[str, Key] = {}
        for kind in self._kinds.values():
            for name, key in kind.keys.items():
                told = dict.fromkeys(one.about for one in (found.get(name), key) if one is not None and one.about)
                found[name] = replace(key, about="; ".join(told))
        return found


def _meaning(key: Key) -> Key:
    return replace(key, about="", is_needed=False)
