"""Whatever a source of figures raises is one more way of having no figure; no run of a soak ends by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from migrator.engine.sampling import answer
from migrator.errors import CloudError, Unreachable
from migrator.gates.judge import could_not_ask
from migrator.model.names import MoveId
from migrator.model.samples import Question, Reading, Verdict
from migrator.model.schedule import Gate

END = datetime(2026, 12, 1, tzinfo=UTC)
GATE = Gate("errors", "prom", "inconclusive", query="up", max=1.0)


class Source:
    def __init__(self, fault: BaseException) -> None:
        self.fault = fault

    async def ask(self, question: Question, *, begin: datetime, end: datetime) -> Reading:
        raise self.fault

    async def close(self) -> None:
        """Nothing is open."""


async def asked(fault: BaseException) -> Reading:
    question = Question(MoveId("eu", "web"), "dst", None, "up")
    return await answer(Source(fault), GATE, question, END - timedelta(minutes=1), END)


@pytest.mark.parametrize("fault", [TypeError("x"), KeyError("x"), RecursionError(), OverflowError(), OSError("x")])
async def test_what_a_source_raises_is_an_errored_sample(fault: Exception) -> None:
    with pytest.raises(
        CloudError, match=f"cannot understand what the metric source prom said: {type(fault).__name__}"
    ) as found:
        await asked(fault)
    assert could_not_ask(found.value).verdict is Verdict.ERRORED


async def test_what_it_promises_to_raise_is_passed_on() -> None:
    with pytest.raises(Unreachable, match="cannot reach it"):
        await asked(Unreachable("cannot reach it"))
