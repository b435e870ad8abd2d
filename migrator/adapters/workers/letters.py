"""Batches and answers as letters (``model.letters``), so that another machine could read them too.

Names are data: any character travels, lone surrogates as escapes. Nothing of a letter is ever executed. A letter that
does not hold what it should is a ValueError.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from migrator.model.letters import framed
from migrator.ports.executor import BatchAnswer, CopyBatch, CopyUnit, Refusal


def batch_letter(number: int, batch: CopyBatch) -> bytes:
    units = [unit if unit.tags is None else unit._replace(tags=dict(unit.tags)) for unit in batch.units]
    return framed([number, batch.origin, batch.destination, batch.container, batch.until, units])


def stop_letter(number: int) -> bytes:
    """Send nothing more of this batch; its answer still comes."""
    return framed([number])


def read_batch(body: bytes) -> tuple[int, CopyBatch | None]:
    """A batch and its number, or None instead: the batch of that number is to be stopped."""
    fields = json.loads(body)
    if len(fields) == 1:
        return fields[0], None
    number, origin, destination, container, until, units = fields
    return number, CopyBatch(origin, destination, container, tuple([CopyUnit(*unit) for unit in units]), until)


def answer_letter(number: int, answer: BatchAnswer) -> bytes:
    answers = [one if isinstance(one, str) else _fields(one) for one in answer.answers]
    return framed([number, answers, list(answer.answered.items())])


def read_answer(body: bytes) -> tuple[int, BatchAnswer]:
    number, answers, answered = json.loads(body)
    read = tuple([one if isinstance(one, str) else Refusal(**one) for one in answers])
    return number, BatchAnswer(read, dict(answered))


def _fields(refusal: Refusal) -> Mapping[str, Any]:
    return {name: getattr(refusal, name) for name in Refusal.__dataclass_fields__ if getattr(refusal, name)}
