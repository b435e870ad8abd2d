"""Batches and answers as letters (``model.letters``), so that another machine could read them too.

Names are data: any character travels, lone surrogates as escapes. Nothing of a letter is ever executed. A letter that
does not hold what it should is a ValueError.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, get_args

from migrator.model.letters import framed
from migrator.ports.executor import BatchAnswer, CopyBatch, CopyUnit, Refusal, RefusalKind

_KINDS: Final = frozenset(get_args(RefusalKind))


def batch_letter(number: int, batch: CopyBatch) -> bytes:
    units = [unit if unit.tags is None else unit._replace(tags=dict(unit.tags)) for unit in batch.units]
    return framed([number, batch.origin, batch.destination, batch.container, batch.until, units])


def stop_letter(number: int) -> bytes:
    """Send nothing more of this batch; its answer still comes."""
    return framed([number])


def batch_of(fields: list[Any]) -> tuple[int, CopyBatch | None]:
    """A batch and its number, by what is in a letter, or None instead: the batch of that number is to be stopped. ValueError: it
    is no such letter."""
    if len(fields) == 1:
        return number_of(fields[0]), None
    number, origin, destination, container, until, units = fields
    if not isinstance(units, list) or not isinstance(until, (int, float)) or isinstance(until, bool):
        raise ValueError("a batch has units and a moment")
    words = [_word(one) for one in (origin, destination, container)]
    return number_of(number), CopyBatch(words[0], words[1], words[2], tuple([_unit(one) for one in units]), until)


def answer_letter(number: int, answer: BatchAnswer) -> bytes:
    answers = [one if isinstance(one, str) else refusal_fields(one) for one in answer.answers]
    return framed([number, answers, list(answer.answered.items()), answer.window])


def answer_of(fields: list[Any]) -> tuple[int, BatchAnswer]:
    """An answer and the number of its batch, by what is in a letter. ValueError: it is no such letter."""
    number, answers, answered, window = fields
    if not isinstance(answers, list) or not isinstance(answered, list):
        raise ValueError("an answer has answers and what was counted")
    read = tuple([one if isinstance(one, str) else refusal_of(one) for one in answers])
    return number_of(number), BatchAnswer(read, dict([_count(one) for one in answered]), number_of(window))


def fields_of(body: bytes) -> list[Any]:
    """What is in a letter. ValueError: it is none of ours."""
    try:
        fields = json.loads(body)
    except RecursionError:
        raise ValueError("a letter is not so deep") from None
    if not isinstance(fields, list):
        raise ValueError("a letter is a list")
    return fields


def number_of(value: Any) -> int:
    """The number of a letter. ValueError: it is none."""
    if type(value) is not int:
        raise ValueError("a letter has a number")
    return value


def _word(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text is wanted in a letter")
    return value


def _unit(fields: Any) -> CopyUnit:
    if not isinstance(fields, list) or not 2 <= len(fields) <= len(CopyUnit._fields):
        raise ValueError("a unit is a list of its fields")
    unit = CopyUnit(*fields)
    if not isinstance(unit.name, str) or not isinstance(unit.etag, str):
        raise ValueError("a unit has a name and an ETag")
    if not all(one is None or isinstance(one, str) for one in (unit.if_match, unit.tier)):
        raise ValueError("a condition and a tier are texts")
    if unit.tags is not None and not (
        isinstance(unit.tags, dict) and all(isinstance(one, str) for one in unit.tags.values())
    ):
        raise ValueError("tags are texts by name")
    return unit


def refusal_of(fields: Any) -> Refusal:
    """The refusal of a letter. ValueError: it is none."""
    kind = fields.get("kind") if isinstance(fields, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS or fields.keys() - Refusal.__dataclass_fields__:
        raise ValueError("a refusal has a kind, and no other fields than its own")
    after = fields.get("retry_after_seconds")
    if after is not None and (not isinstance(after, (int, float)) or isinstance(after, bool)):
        raise ValueError("seconds are a number")
    if not all(isinstance(fields.get(name, ""), str) for name in ("message", "hint", "code", "what")):
        raise ValueError("a refusal says it in texts")
    if type(fields.get("is_origin", False)) is not bool:
        raise ValueError("whose it is, is true or false")
    return Refusal(**fields)


def _count(pair: Any) -> tuple[Any, Any]:
    if not isinstance(pair, list) or len(pair) != 2 or type(pair[1]) is not int:
        raise ValueError("what was counted is a list of pairs")
    key, count = pair
    if not isinstance(key, (str, int)) or isinstance(key, bool):
        raise ValueError("what was counted has a name")
    return key, count


def refusal_fields(refusal: Refusal) -> Mapping[str, Any]:
    """What ``refusal_of`` reads."""
    return {name: getattr(refusal, name) for name in Refusal.__dataclass_fields__ if getattr(refusal, name)}
