"""Tree -> document: the shape of the plan is checked, and what fits is kept.

Decides how a fault of shape is worded and where it points. Leaves what belongs together to ``check``. Rule: one fault must
not hide another, so the parts that do not fit are left out and the rest still becomes a document that can be checked;
whoever checks it knows what was left out and keeps quiet about that.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError

from migrator.model.values import value
from migrator.plan.schema import DAYS, Document, document_model
from migrator.plan.tree import Fault, Path, Tree

_STAND_INS: Final[Mapping[str, Any]] = {
    "version": 1,
    "name": "unnamed",
    "accounts": {},
    "areas": {},
    "regions": {},
    "routing": {"kind": "file", "path": "unnamed"},
    "waves": [],
}
"""What stands for a required key of the document that is missing or does not fit."""
_IN_A_WAVE: Final[Mapping[str, Any]] = {"soak": "1h", "moves": []}
"""The same for required keys of a wave, so that its other keys are checked: what they name is mostly wrong for another reason."""
_ROUNDS: Final = 12
MAX_HINTS: Final = 20
MAX_COMPARED: Final = 50_000
"""Words that unknown ones are compared with, all together; about 5 microseconds each."""
LONGEST_WORD: Final = 100
_ELSEWHERE: Final[Mapping[str, str]] = {
    "max_write": "it stands under the document's `cutover`, never in a wave",
    "clock_margin": "it stands under the document's `cutover`, never in a wave",
    "ttl": "it stands under `routing`",
    "soak": "it stands in a wave",
}


@value(frozen=True, slots=True)
class Shaped:
    """``document`` lacks the parts in ``left_out`` (paths of the tree). ``origins`` leads from a path of the document to
    the path of the tree."""

    document: Document
    faults: tuple[Fault, ...]
    left_out: frozenset[Path]
    origins: Mapping[Path, Path]
    partial: frozenset[Path]
    """What holds a part that was left out, and those parts themselves."""

    @classmethod
    def of(
        cls, document: Document, faults: tuple[Fault, ...], left_out: frozenset[Path], origins: Mapping[Path, Path]
    ) -> Shaped:
        partial = frozenset(out[:length] for out in left_out for length in range(len(out) + 1))
        return cls(document, faults, left_out, origins, partial)

    def origin(self, path: Path) -> Path:
        """Where the part at ``path`` of the document is in the tree."""
        rest: Path = ()
        while path not in self.origins:
            path, rest = path[:-1], (path[-1], *rest)
        return (*self.origins[path], *rest)

    def is_about_left_out(self, path: Path) -> bool:
        """Would a fault at ``path`` (of the tree) only repeat one that is known?"""
        return self.is_partial(path) or any(path[:length] in self.left_out for length in range(len(path)))

    def is_partial(self, path: Path) -> bool:
        """Was something inside the part at ``path`` (of the tree) left out?"""
        return path in self.partial


def shape(tree: Tree) -> Shaped:
    """Fit the tree into the schema; every part that does not fit is one fault."""
    faults: tuple[Fault, ...] = ()
    left_out: frozenset[Path] = frozenset()
    nearness = Nearness()
    for number in range(_ROUNDS):
        value, origins = tree.plain(left_out)
        for key in _STAND_INS:
            if (key,) in left_out:
                value[key] = _STAND_INS[key]
        _stand_in_waves(value, left_out, origins)
        try:
            return Shaped.of(document_model().model_validate(value), faults, left_out, origins)
        except ValidationError as error:
            known = Shaped.of(_nothing(), (), left_out, origins)
            errors = error.errors(include_url=False, include_context=True, include_input=False)
            found = [_fault(tree, known, one, nearness) for one in errors]
            if number == 0:
                faults = tuple(dict.fromkeys(fault for fault, _ in found))
            left_out |= {path for _, path in found}
    return Shaped.of(_nothing(), faults, frozenset({()}), {(): ()})


@dataclass(slots=True)
class Nearness:
    """Says which known word an unknown one is near to, for the first faults only: it costs a comparison with each."""

    words_left: int = MAX_COMPARED
    faults_left: int = MAX_HINTS

    def hint(self, word: str, words: Collection[str]) -> str:
        """``; did you mean X?``, or nothing."""
        if not self.faults_left or len(words) > self.words_left or len(word) > LONGEST_WORD:
            return ""
        self.faults_left -= 1
        self.words_left -= len(words)
        found = difflib.get_close_matches(word, sorted({str(one) for one in words} - {word}), n=1, cutoff=0.6)
        return f"; did you mean {found[0]}?" if found else ""


def _stand_in_waves(document: Any, left_out: frozenset[Path], origins: Mapping[Path, Path]) -> None:
    waves = document.get("waves") if isinstance(document, dict) else None
    for index, wave in enumerate(waves if isinstance(waves, list) else ()):
        for key, stand_in in _IN_A_WAVE.items():
            if isinstance(wave, dict) and (*origins[("waves", index)], key) in left_out:
                wave[key] = stand_in


def _fault(tree: Tree, shaped: Shaped, error: Any, nearness: Nearness) -> tuple[Fault, Path]:
    """The fault for people, and the part of the tree to leave out."""
    path = shaped.origin(tuple(step for step in error["loc"] if step != "[key]"))
    kind, context = error["type"], error.get("ctx") or {}
    if kind == "extra_forbidden":
        return tree.at_key(path, _unknown(path, nearness), "key"), path
    if kind == "missing":
        parent = path[:-1]
        text = f"{_name(parent)} lacks the key {path[-1]}"
        has_stand_in = len(path) == 3 and path[0] == "waves" and path[-1] in _IN_A_WAVE
        return tree.at_key(parent, text, "key"), path if has_stand_in else parent or path
    if "[key]" in error["loc"]:
        return tree.at_key(path, str(context.get("error", error["msg"])), "key"), path
    # without its kind nobody can tell which keys a part may have
    out = path[:-1] if path[-1] == "kind" else path
    hint = _hint(path, tree.value(path), nearness, _wanted(context) if kind == "literal_error" else ())
    return tree.at_value(path, f"{_label(path)}: {_reason(kind, context, error['msg'])}{hint}", "value"), out


def _hint(path: Path, written: Any, nearness: Nearness, wanted: Collection[str]) -> str:
    """What was probably meant by a value that does not fit."""
    if path == ("version",):
        return "; this program reads version 1"
    if path[-1:] == ("timezone",) and isinstance(written, str):
        from zoneinfo import available_timezones

        if re.fullmatch(r"[A-Z]{1,5}", written):
            return "; an abbreviation is not a zone, since it says nothing of summer time"
        return nearness.hint(written, available_timezones())
    if "days" in path[-2:] and isinstance(written, str):
        first, dash, last = (word.strip()[:3].lower() for word in written.partition("-"))
        if not dash:
            return f"; did you mean {first}?" if first in DAYS else ""
        if first in DAYS and last in DAYS:
            between = DAYS[DAYS.index(first) :] + DAYS[: DAYS.index(first)]
            return f"; write [{', '.join(between[: between.index(last) + 1])}]"
    return nearness.hint(written, wanted) if wanted and isinstance(written, str) else ""


def _wanted(context: Mapping[str, Any]) -> list[str]:
    """The words that fit."""
    return str(context.get("expected", "")).replace("'", "").replace(" or ", ", ").split(", ")


def _reason(kind: str, context: Mapping[str, Any], message: str) -> str:
    if kind == "value_error":
        return str(context.get("error", message))
    if kind == "literal_error":
        return f"expected one of {', '.join(_wanted(context))}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "expected a mapping of keys"
    if kind == "too_short":
        return "expected at least one"
    if kind == "list_type":
        return "expected a list"
    return message[:1].lower() + message[1:]


def _unknown(path: Path, nearness: Nearness) -> str:
    key, owner = str(path[-1]), _owner(path[:-1])
    words = _keys(owner) if owner else []
    hint = f"; {_ELSEWHERE[key]}" if key in _ELSEWHERE else nearness.hint(key, words)
    if not hint and words:
        hint = f"; its keys are {', '.join(words)}"
    return f"unknown key {key} in {_name(path[:-1])}{hint}"


def _keys(owner: type[BaseModel]) -> list[str]:
    """As they are written; those of kinds before those that every kind has."""
    found = {field.alias or name: name for name, field in owner.model_fields.items()}
    if "kind" not in found:
        return list(found)
    of_every_kind = owner.__mro__[1].model_fields.keys() - {"kind"}  # type: ignore[attr-defined]
    return sorted(found, key=lambda key: found[key] in of_every_kind)


def _owner(path: Path) -> type[BaseModel] | None:
    """The model of the part at ``path``."""
    kind: Any = document_model()
    for step in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = next((f.annotation for n, f in kind.model_fields.items() if step in (n, f.alias)), None)
        elif get_origin(kind) in (dict, list):
            kind = get_args(kind)[-1]
        kind = _bare(kind)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _bare(kind: Any) -> Any:
    """An annotation without ``| None`` and ``Annotated``."""
    while True:
        args = get_args(kind)
        if hasattr(kind, "__metadata__"):
            kind = args[0]
        elif type(None) in args:
            kind = next(one for one in args if one is not type(None))
        else:
            return kind


def _name(path: Path) -> str:
    """``waves[0].cutover``, or "the plan"."""
    return _label(path) if path else "the plan"


def _label(path: Path) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.lstrip(".")


def _nothing() -> Document:
    return document_model().model_validate(dict(_STAND_INS))
