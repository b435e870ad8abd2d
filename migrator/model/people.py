"""Who did something: one text for people, journal and lock, and the names in it that rules go by.

Decides which names count. Rules: the login is the one that the system knows for the process's user number, never a variable's;
who came through sudo is named beside it and stands in the place of root, who is nobody in particular; a name that only a variable
says may bar a person, never admit one, except for root, who could have any login.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from migrator.model.values import value

ROOT: Final = "root"
_TEXT: Final = re.compile(r"(?P<login>[^()]*?)(?: \(sudo: (?P<sudo>[^()]*)\))?(?: \(entra: (?P<entra>[^()]*)\))?")


@value(frozen=True, slots=True)
class Person:
    """``sudo``: who became the login, by sudo's own word; ``entra``: its names in Microsoft Entra ID, if that was asked."""

    login: str
    uid: int | None = None
    sudo: str = ""
    entra: tuple[str, ...] = ()

    def __str__(self) -> str:
        sudo = f" (sudo: {self.sudo})" if self.sudo else ""
        return f"{self.login}{sudo}" + (f" (entra: {', '.join(self.entra)})" if self.entra else "")

    @classmethod
    def read(cls, text: str) -> Person:
        """What ``str`` gave; any other text is a login."""
        found = _TEXT.fullmatch(text)
        if found is None:
            return cls(text)
        entra = tuple(one for one in (found["entra"] or "").split(", ") if one)
        return cls(found["login"], None, found["sudo"] or "", entra)

    @property
    def admitted(self) -> frozenset[str]:
        """Names under which the person may be let in."""
        sudo = {self.sudo} if self.sudo and self.login == ROOT else set()
        return frozenset({self.login, *sudo, *self.entra})

    @property
    def barred(self) -> frozenset[str]:
        """Names under which the person may be kept out: also those that only a variable says."""
        login = set() if self.sudo and self.login == ROOT else {self.login}
        return frozenset({*login, *([self.sudo] if self.sudo else []), *self.entra})

    def evidence(self) -> Mapping[str, Any]:
        """For the journal."""
        found: dict[str, Any] = {"login": self.login, "uid": self.uid}
        if self.sudo:
            found["sudo_user"] = self.sudo
        return {**found, "entra": self.entra} if self.entra else found
